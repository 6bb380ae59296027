"""centra-mews preflight."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from etl.cli import options, show
from etl.cli.console import Console


@click.command("preflight")
@options.exports(required=False)
@options.span
@click.pass_obj
def command(console: Console, exports: tuple[Path, ...], start: datetime | None, end: datetime | None) -> int:
    """Check mapping and account against the live enterprise; with EXPORT also the whole history's feasibility.

    Needs the tokens, not a finished mapping: what it lacks is a finding with the candidates. Only reads Mews, stores its
    reference data for `dry-run --offline`, and writes what there is to choose from into mappings/mews/*.csv.
    """
    from etl.pipeline.planning import Span
    from etl.pipeline.preflight import preflight
    from etl.pipeline.prepare import Export
    from etl.settings import connection, environment

    link = connection(environment())
    console.start_logging(link)
    export = Export(exports, Span(options.day(start), options.day(end)))
    with ExitStack() as stack, console.progress() as progress:
        document = asyncio.run(preflight(stack, console.settings, export, link, progress))
    console.table(
        "Preflight",
        ["check", "result", "detail", "next"],
        [(row["check"], str(row["result"]), row["detail"], row["next"]) for row in document["checks"]],
    )
    if "orders" in document:
        show.plan(console, document)
    console.result(document)
    return int(document["exit_code"])
