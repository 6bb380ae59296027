"""centra-mews recover."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.model.words import counted


@click.command("recover")
@options.take_over
@click.pass_obj
def command(console: Console, take_over: str) -> int:
    """Build or complete the ledger from Mews: after a lost, old or copied ledger, before the next run.

    Scans the service for this store's orders, cancelled ones included, waits settle_seconds and scans the
    recent part again. Only reads Mews.
    """
    from etl.pipeline.recovery import recover_ledger
    from etl.settings import connection, environment

    link = connection(environment())
    console.start_logging(link)
    with ExitStack() as stack, console.progress() as progress:
        document = asyncio.run(recover_ledger(stack, console.settings, link, take_over=take_over, progress=progress))
    console.text(
        f"Read {document['items_read']:,} items: {document['found']:,} orders were new to the ledger, "
        f"{document['known']:,} were known, {document['resolved']:,} in doubt were resolved."
    )
    held = sum(document["orders"].values())
    if document["found"] > held:
        console.text(
            f"These are {counted(held, 'order number|order numbers')}: one that was undone and posted again counts each time."
        )
    for number, why in document["different"].items():
        console.text(f"  different: {number}: {why}")
    show.duplicates(console, document["duplicated"])
    console.text("Next: centra-mews run EXPORT... posts only what is missing.")
    console.result(document)
    return int(document["exit_code"])
