"""centra-mews run."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.errors import ExitCode
from etl.model.kinds import name_of
from etl.model.words import counted

if TYPE_CHECKING:
    from etl.pipeline.prepare import Prepared
    from etl.pipeline.run import RunOptions
    from etl.report.summary import Summary


@click.command("run")
@options.exports()
@options.corrections
@options.report()
@options.span
@click.option(
    "--expect",
    metavar="PLAN",
    default="",
    callback=options.PLAN,
    help="Refuse if the plan is not this one (of the dry run).",
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Post at most N orders now.")
@click.option(
    "--only", multiple=True, metavar="ORDER", callback=options.NUMBER, help="Post only this order; may be repeated."
)
@click.option("--canary", type=click.IntRange(min=1), metavar="N", help="Post N orders and read them back first.")
@click.option("--retry-rejected", is_flag=True, help="Send rejected orders again although nothing changed.")
@click.option("--repost-undone", is_flag=True, help="Post undone orders again, as a new generation.")
@click.option("--no-wait", is_flag=True, help="Do not wait for unclear answers to settle; the next run does.")
@options.take_over
@click.pass_obj
def command(
    console: Console,
    exports: tuple[Path, ...],
    corrections: tuple[Path, ...],
    report: Path | None,
    start: datetime | None,
    end: datetime | None,
    expect: str,
    limit: int | None,
    only: tuple[str, ...],
    canary: int | None,
    retry_rejected: bool,
    repost_undone: bool,
    no_wait: bool,
    take_over: str,
) -> int:
    """Post what is not posted yet: each order once, whatever fails, whenever.

    Stop it with Ctrl-C and start it again at any time. Outside this machine it needs --expect with the
    plan id of the reviewed dry run, or a typed confirmation.
    """
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export
    from etl.pipeline.run import RunOptions, run
    from etl.settings import connection, environment

    link = connection(environment())
    console.start_logging(link)
    chosen = RunOptions(
        expect=expect,
        limit=limit,
        only=frozenset(options.order_number(number) for number in only),
        canary=canary,
        retry_rejected=retry_rejected,
        repost_undone=repost_undone,
        no_wait=no_wait,
        take_over=take_over,
        report=report,
    )
    export = Export(exports, Span(options.day(start), options.day(end)), corrections)
    with ExitStack() as stack, console.progress() as progress:
        done = asyncio.run(
            run(
                stack,
                console.settings,
                export,
                link,
                chosen,
                confirm=lambda prepared, summary: _confirm(console, prepared, summary, chosen),
                progress=progress,
            )
        )
    show.plan(console, done.document)
    if canary := done.document.get("canary"):
        console.text(
            f"Canary: {canary['matched']} of {counted(canary['orders'], 'order|orders')} "
            f"({counted(canary['items'], 'item|items')}) are in Mews as predicted."
        )
        for kind, reason in canary["held"].items():
            console.text(f"Canary: orders that need {name_of(kind)} are held back: {reason}")
    show.duplicates(console, done.document["duplicated"])
    show.report_paths(console, done.report)
    if done.stopped:
        console.text(f"Stopped: {done.stopped}")
    console.text("Safe: what is posted is never sent again, whenever and however often this run is started again.")
    if done.hint:
        console.text(f"Next: {done.hint}")
    elif done.exit_code is ExitCode.INTERRUPTED:
        doubtful = done.document["orders"]["unknown"]
        console.text(
            f"Next: run the same command again; it first finds out what became of "
            f"{counted(doubtful, 'order|orders')} under way."
            if doubtful
            else "Next: run the same command again; it goes on where it stopped."
        )
    elif done.exit_code is ExitCode.ATTENTION:
        console.text("Next: look at the problems above; `centra-mews status` shows the ledger at any time.")
    elif done.exit_code is ExitCode.DONE and not done.document["orders"]["ready"]:
        console.text("Next: centra-mews reconcile --report DIR")
    ready = done.document["orders"]["ready"]
    if ready and not done.stopped and done.exit_code in (ExitCode.ATTENTION, ExitCode.DONE):
        console.text(
            counted(ready, "order|orders is|are ready still: the same command, without a limit, posts it|them.")
        )
    console.result(done.document)
    return int(done.exit_code)


def _confirm(console: Console, prepared: Prepared, summary: Summary, chosen: RunOptions) -> bool:
    with console.asking():
        return _ask(console, prepared, summary, chosen)


def _ask(console: Console, prepared: Prepared, summary: Summary, chosen: RunOptions) -> bool:
    name = prepared.reference.enterprise_name
    document = summary.document("run")
    console.text(f"This posts to {name} at {prepared.reference.platform}:")
    show.states(console, document)
    show.totals(console, document["totals"])
    refused = document["orders"]["rejected"]
    if chosen.retry_rejected and refused:
        console.text(f"  and sends again what Mews refused of {refused:,} orders that are booked")
    if chosen.limit is not None:
        console.text(f"  of what is ready at most {chosen.limit:,} orders, oldest first")
    show.bills(console, document)
    for row in summary.balances()[:5]:
        account = row["account_id"] or "customers to be created"
        console.text(f"  open balance left on {account}: {show.grouped(row['balance'])} {row['currency']}")
    return console.confirmed(name, "post")
