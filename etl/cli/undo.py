"""centra-mews undo."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from etl.pipeline.undo import Preview

SHOWN = 20


@click.command("undo")
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    default="",
    callback=options.RUN,
    help="Undo what this run posted (or `recovered`).",
)
@click.option(
    "--only", multiple=True, metavar="ORDER", callback=options.NUMBER, help="Undo only this order; may be repeated."
)
@click.option(
    "--order-id",
    multiple=True,
    metavar="ID",
    callback=options.ORDER_ID,
    help="Undo this OrderId of Mews, such as one of two copies.",
)
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@options.take_over
@click.pass_obj
def command(
    console: Console, run_id: str, only: tuple[str, ...], order_id: tuple[str, ...], yes: bool, take_over: str
) -> int:
    """Reverse posted orders: cancel their items, or post the exact opposite where cancelling is not allowed.

    Name a run, orders of it, or OrderIds of Mews. Stop it with Ctrl-C and start it again at any time: nothing is
    reversed twice. Undone orders are posted again only by `centra-mews run --repost-undone`.
    """
    from etl.pipeline.undo import UndoOptions, undo
    from etl.settings import connection, environment

    if not (run_id or only or order_id):
        raise UsageError(
            "undo needs --run RUN, --only ORDER or --order-id ID.", hint="`centra-mews status` lists the runs."
        )
    link = connection(environment())
    console.start_logging(link)
    chosen = UndoOptions(
        run=run_id,
        only=tuple(dict.fromkeys(options.order_number(number) for number in only)),
        order_ids=tuple(dict.fromkeys(one.strip() for one in order_id)),
        take_over=take_over,
    )
    with ExitStack() as stack, console.progress() as progress:
        done = asyncio.run(
            undo(
                stack,
                console.settings,
                link,
                chosen,
                confirm=lambda preview: yes or _confirm(console, preview),
                progress=progress,
            )
        )
    _show(console, done.document)
    show.duplicates(console, done.document["duplicated"])
    if done.stopped:
        console.text(f"Stopped: {done.stopped}")
    if done.hint:
        console.text(f"Next: {done.hint}")
    elif done.exit_code is ExitCode.INTERRUPTED:
        console.text("Next: run the same command again; it goes on where it stopped.")
    elif done.exit_code is ExitCode.ATTENTION:
        console.text("Next: clear the reasons above and run the same command again; what is reversed stays so.")
    elif order_id or not done.document["orders"]["reversed"]:
        # A copy went and its order stands, or nothing went: there is nothing to post again.
        console.text("Next: centra-mews reconcile --report DIR compares what Mews holds now.")
    else:
        console.text("Next: centra-mews run EXPORT... --repost-undone posts them again, once the cause is mended.")
    console.result(done.document)
    return int(done.exit_code)


def _confirm(console: Console, preview: Preview) -> bool:
    with console.asking():
        return _ask(console, preview)


def _ask(console: Console, preview: Preview) -> bool:
    console.text(f"This reverses {preview.orders:,} orders in {preview.enterprise} at {preview.platform}:")
    for currency, amount in sorted(preview.money.items()):
        console.text(f"  {amount:,} {currency}")
    more = f" and {preview.orders - len(preview.examples):,} more" if preview.orders > len(preview.examples) else ""
    console.text(f"  orders {', '.join(preview.examples)}{more}")
    if preview.already:
        console.text(f"  ({preview.already:,} were reversed before)")
    return console.confirmed(preview.enterprise, "undo")


def _show(console: Console, document: dict[str, Any]) -> None:
    orders = document["orders"]
    words = {name: f"{count:,} {name.replace('_', ' ')}" for name, count in orders.items()}
    shown = [words[name] for name in words if orders[name] or name in ("reversed", "kept", "failed")]
    console.text(f"Orders: {', '.join(shown)}.")
    open_ones = [detail for detail in document["details"] if detail["result"] in ("kept", "failed")]
    for detail in open_ones[:SHOWN]:
        console.text(f"  {detail['result']}: {detail['order']} ({detail['order_id']}): {detail['message']}")
    if len(open_ones) > SHOWN:
        console.text(f"  and {len(open_ones) - SHOWN:,} more; --json lists all")
