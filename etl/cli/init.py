"""centra-mews init."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from etl.cli import options
from etl.cli.console import Console


@click.command("init")
@options.exports()
@options.span
@click.option("--store", default="shop", show_default=True, help="Short name of the shop; part of every identifier.")
@click.option("--timezone", default="Europe/London", show_default=True, help="IANA timezone of the shop's clock.")
@click.pass_obj
def command(
    console: Console,
    exports: tuple[Path, ...],
    start: datetime | None,
    end: datetime | None,
    store: str,
    timezone: str,
) -> int:
    """Write a mapping folder pre-filled from an export, ready to complete in a spreadsheet. Never overwrites."""
    from etl.pipeline.inspection import init
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export

    console.start_logging()
    export = Export(exports, Span(options.day(start), options.day(end)))
    with ExitStack() as stack, console.progress() as progress:
        paths, told = init(stack, console.settings, export, store=store, timezone=timezone, progress=progress)
    console.text(*told)
    console.text(f"Wrote {len(paths)} files into {console.settings.mappings}:")
    for path in paths:
        console.text(f"  {path.name}")
    console.text(
        "Next: fill in target.service in migration.toml and tax_codes in taxes.csv, then centra-mews preflight"
    )
    console.result({"command": "init", "files": [str(path) for path in paths], "exit_code": 0})
    return 0
