"""centra-mews sandbox."""

from __future__ import annotations

from pathlib import Path

import click

from etl.cli.console import Console


class _FaultHelp(click.Command):
    """Adds the list of dials to `--help`, from the dials themselves."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, and the dials of --fault."""
        from etl.sandbox import describe_faults

        super().format_epilog(ctx, formatter)
        with formatter.section("Dials of --fault NAME[:RATE][:key=value]..."):
            formatter.write_dl(describe_faults())


@click.command("sandbox", cls=_FaultHelp)
@click.option("--port", type=click.IntRange(0, 65535), default=8099, show_default=True, help="0 takes a free one.")
@click.option("--world", default="gross-uk", show_default=True, metavar="NAME|FILE", help="gross-uk, net-us or a file.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep what is posted in this file.")
@click.option("--fault", "faults", multiple=True, metavar="SPEC", help="Rehearse a bad day; may be repeated.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the faults.")
@click.pass_obj
def command(console: Console, port: int, world: str, state: Path | None, faults: tuple[str, ...], seed: int) -> int:
    """Run a local Mews on loopback: strict, stateful, rate-limited, with switchable faults.

    It prints the MEWS_* variables to export; open its address in a browser to see what was posted.
    """
    from etl.sandbox import load_world, parse_fault, run_server

    run_server(load_world(world), port, state, [parse_fault(spec) for spec in faults], seed, console.always)
    return 0
