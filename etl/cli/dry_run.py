"""centra-mews dry-run."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from etl.cli import options, show
from etl.cli.console import Console


@click.command("dry-run")
@options.exports()
@options.corrections
@options.report()
@options.span
@click.option("--offline", is_flag=True, help="Use the reference data stored last; no network at all.")
@click.pass_obj
def command(
    console: Console,
    exports: tuple[Path, ...],
    corrections: tuple[Path, ...],
    report: Path | None,
    start: datetime | None,
    end: datetime | None,
    offline: bool,
) -> int:
    """Plan every order, send nothing, and print the plan id.

    What this calls ready, Mews accepts; everything else is blocked with the reason. Review the report
    (--report DIR), then post exactly this plan with `centra-mews run EXPORT... --expect PLAN`.
    """
    from etl.pipeline.dry_run import dry_run
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export
    from etl.settings import connection, environment

    link = None if offline else connection(environment())
    console.start_logging(link)
    export = Export(exports, Span(options.day(start), options.day(end)), corrections)
    with ExitStack() as stack, console.progress() as progress:
        done = asyncio.run(dry_run(stack, console.settings, export, link, report=report, progress=progress))
    show.plan(console, done.document)
    show.report_paths(console, done.report)
    console.text("Safe: nothing was sent to Mews.")
    console.text(f"Plan: {done.document['plan']}")
    names = [*exports, *(word for path in corrections for word in ("--corrections", path))]
    show.attention(console, done.report, names)
    if done.document["orders"]["ready"]:
        command = console.typed("run", *names, "--expect", done.document["plan"])
        show.step(console, "Review the report, then post exactly this plan", command)
    elif done.exit_code:
        show.step(console, "Nothing is ready; this says what comes first", console.typed("next", *names))
    console.result(done.document)
    return int(done.exit_code)
