"""centra-mews next."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from etl.cli import options
from etl.cli.console import Console


@click.command("next")
@options.exports(required=False)
@options.corrections
@click.pass_obj
def command(console: Console, exports: tuple[Path, ...], corrections: tuple[Path, ...]) -> int:
    """Say the one thing to do now, and the orders and money that it unlocks. No network.

    From the mapping folder, the plan of EXPORT and the ledger; the reference data of Mews is what was stored last.
    """
    from etl.pipeline.next_step import next_step
    from etl.settings import environment

    console.start_logging()
    with ExitStack() as stack, console.progress() as progress:
        step = next_step(stack, console.settings, exports, environment(), progress, corrections)
    console.text(f"{step.what}.")
    if step.type:
        console.text("", f"  {step.type}")
    console.result(step.document())
    return 0
