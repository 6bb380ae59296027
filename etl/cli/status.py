"""centra-mews status."""

from __future__ import annotations

from typing import Any

import click

from etl.cli.console import Console
from etl.model.words import counted, moment_words

STALE = 15
"""Seconds after which a heartbeat is told with its age."""


@click.command("status")
@click.pass_obj
def command(console: Console) -> int:
    """Show what the ledger holds: orders by state, rate, time left, last errors. No network."""
    from etl.pipeline.status import status

    document = status(console.settings.ledger)
    console.table(
        f"Ledger {document['ledger']}",
        ["state", "orders"],
        [(state.replace("_", " "), f"{count:,}") for state, count in document["orders"].items()],
        right=[1],
    )
    run = document["run"]
    for one in document["workers"]:
        console.text(
            f"At work: {one['purpose']} on {one['host']}, process {one['pid']}, since {moment_words(one['since'])}."
        )
    for one in document["gone"]:
        then = "who is at work finds out what became of it" if document["workers"] else "the next run finds out"
        console.text(f"Gone: process {one['pid']} on {one['host']}; of what it had under way {then}.")
    if run:
        console.text(f"Last run {run['run_id']}: {run['state']}, started {moment_words(run['started'])}.")
        if document["holder"] is None and run["exit_code"] is None:
            under_way = document["orders"].get("in_flight", 0) + document["orders"].get("unknown", 0)
            first = f"; it first finds out about {counted(under_way, 'order|orders')} under way" if under_way else ""
            console.text(f"Next: run the same command again{first}. Nothing is sent twice.")
    _show_progress(console, document)
    console.table(
        "Runs", ["run", "command", "started", "exit code"], [_row(one) for one in document["runs"]], right=[3]
    )
    console.table(
        "Last errors", ["order", "state", "code", "message"], [tuple(row.values()) for row in document["last_errors"]]
    )
    if not document["orders"]:
        console.text("The ledger is empty. Next: centra-mews dry-run EXPORT...")
    console.result(document)
    return 0


def _show_progress(console: Console, document: dict[str, Any]) -> None:
    """What a run says of itself; of several at work, each of which tells of its own part, also the pace of all."""
    is_shared = len(document["workers"]) > 1
    progress = document["progress"]
    if progress:
        old = progress["seconds_old"]
        whose = "Now, one of them" if is_shared else "Now"
        console.text(f"{whose}: {progress['words']}" + (f" ({old} s ago)" if old > STALE else ""))
    if document["rate_per_second"] and document["holder"] and (is_shared or not progress):
        left = document["seconds_left"]
        console.text(
            f"{document['rate_per_second']} orders/s over the last minute{', by all' if is_shared else ''}"
            + (f", about {left} s left for what is ready." if left is not None else ".")
        )


def _row(run: dict[str, Any]) -> tuple[object, ...]:
    code = "" if run["exit_code"] is None else run["exit_code"]
    return run["run_id"], run["command"], moment_words(run["started"]), code
