"""centra-mews reconcile."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.model.route import Route
from etl.model.words import counted

DIFFERENCES_SHOWN = 20


@click.command("reconcile")
@options.report()
@click.pass_obj
def command(console: Console, report: Path | None) -> int:
    """Read the orders back from Mews and compare every one, and every cent, with the ledger.

    Each order is matched, missing, different, duplicated or unexpected. Only reads; a run may be going on.
    --report DIR adds the certificate to be signed, and reconciliation.csv with both sides of every order.
    """
    from etl.pipeline.reconcile import reconcile
    from etl.pipeline.reconcile_result import next_words
    from etl.settings import connection, environment

    link = connection(environment())
    console.start_logging(link)
    with ExitStack() as stack, console.progress() as progress:
        done = asyncio.run(reconcile(stack, console.settings, link, report=report, progress=progress))
    _show(console, done.document)
    show.report_paths(console, done.report)
    if not done.exit_code:
        page = next((path for path in done.report if path.name == "report.html"), None)
        if page:
            console.text(f"The certificate to be signed is the last part of {page}.")
        else:
            show.step(
                console, "Write the certificate to be signed", console.typed("reconcile", "--report", "reconciled")
            )
    else:
        has_more = not report and done.document["source"]["orders"]
        more = " --report DIR lists all of them." if has_more else ""
        console.text(f"Next: {next_words(done.document)}{more}")
    console.result(done.document)
    return int(done.exit_code)


def _show(console: Console, document: dict[str, Any]) -> None:
    rows = [(name, f"{count:,}") for name, count in document["orders"].items()]
    rows.append((Route(document["certificate"]["route"]).others, f"{document['foreign_orders']:,}"))
    console.table("Orders", ["class", "orders"], rows, right=[1])
    bridge(console, document)
    sums = document["certificate"]["sums"]
    console.table(
        "Sums with tax, of the orders that the ledger holds as posted",
        ["currency", "ledger", "Mews", "difference"],
        [
            (row["currency"], *(show.grouped(row[side]["gross"]) for side in ("ledger", "mews", "difference")))
            for row in sums
        ],
        right=[1, 2, 3],
    )
    shown = document["differences"][:DIFFERENCES_SHOWN]
    console.table(
        "Differences",
        ["order", "what", "line", "expected", "found"],
        [(one["order"], one["what"], _line(one["item"]), one["expected"], one["found"]) for one in shown],
        whole=[0, 2],
    )
    if len(document["differences"]) + document["left_out"] > len(shown):
        console.text(f"{len(document['differences']) + document['left_out'] - len(shown):,} more are not shown here.")
    names = ["month", "currency", "figure", "control", "ledger", "mews", "difference"]
    console.table(
        "Controls",
        names,
        [
            (*(row[name] for name in names[:3]), *(show.grouped(row[name]) for name in names[3:]))
            for row in document["controls"]
        ],
        right=[3, 4, 5, 6],
    )
    for row in document["notices"][:DIFFERENCES_SHOWN]:
        # Where nothing was expected, nothing is wrong with what was met: it stands for nothing any more.
        found = row["found"] if row["expected"] == "nothing" else f"expected {row['expected']}, found {row['found']}"
        console.text(f"Order {row['order']}, {row['what']}: {found}")
    _show_unsettled(console, document["unsettled"])
    console.text(document["certificate"]["statement"])


def bridge(console: Console, document: dict[str, Any]) -> None:
    """From what the shop sold to what Mews holds, and what is not there."""
    show.bridge(console, document["bridge"])
    show.bills(console, document)
    for row in document["payments"]:
        console.text(f"Payments in Mews, not in the sum: {row['kind']} {show.grouped(row['amount'])} {row['currency']}")
    if document["source"]["unreadable_totals"]:
        console.text(
            counted(document["source"]["unreadable_totals"], "order|orders without a readable total is|are in no sum.")
        )
    console.table(
        "Not in Mews, as far as the ledger knows",
        ["state", "orders", "currency", "basis", "amount"],
        [
            (row["state"], f"{row['orders']:,}", row["currency"] or "(none)", row["basis"], show.grouped(row["amount"]))
            for row in document["not_in_mews"]
        ],
        right=[1, 4],
    )


def _show_unsettled(console: Console, unsettled: dict[str, Any]) -> None:
    if unsettled["in_flight"] and unsettled["in_progress"]:
        console.text(counted(unsettled["in_flight"], "order|orders is|are being sent right now and was|were left out."))
    waiting = unsettled["unknown"] + (0 if unsettled["in_progress"] else unsettled["in_flight"])
    if waiting:
        seen = f", {unsettled['seen_in_mews']:,} of them seen in Mews just now" if unsettled["seen_in_mews"] else ""
        console.text(counted(waiting, f"order|orders is|are unknown{seen}: the next `centra-mews run` finds out."))


def _line(item: str) -> str:
    """The line of an ExternalIdentifier, such as p1; the order stands beside it."""
    return item.rpartition(":")[2]
