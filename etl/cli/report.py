"""centra-mews report."""

from __future__ import annotations

from pathlib import Path

import click

from etl.cli import options, show
from etl.cli.console import Console


@click.command("report")
@options.report(required=True)
@click.pass_obj
def command(console: Console, report: Path) -> int:
    """Write the report of the last run again, from the ledger. No network.

    An order shows its cells of the export where the files still lie where the run read them, or here, unchanged.
    """
    from etl.pipeline.from_ledger import report_from_ledger

    with console.progress() as progress:
        document, paths = report_from_ledger(console.settings.ledger, report, progress)
    show.states(console, document)
    show.totals(console, document["totals"])
    show.report_paths(console, paths)
    # The report tells of the run's exit code; writing it again went well whatever the run did.
    console.result({**document, "exit_code": 0})
    return 0
