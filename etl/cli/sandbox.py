"""centra-mews sandbox."""

from __future__ import annotations

from pathlib import Path

import click

from etl.cli import options
from etl.cli.console import Console


class _LongHelp(click.Command):
    """Adds the lists of dials and of a world's keys to `--help`, from those themselves."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, the dials of --fault, and the keys of a world file."""
        from etl.sandbox import describe_faults, describe_world

        super().format_epilog(ctx, formatter)
        with formatter.section("Dials of --fault NAME[:RATE][:key=value]..."):
            formatter.write_dl(describe_faults())
        with formatter.section("Keys of a world FILE, a JSON object (--write-world writes one to start from)"):
            formatter.write_dl(describe_world(), col_max=28)


@click.command("sandbox", cls=_LongHelp)
@click.option("--port", type=click.IntRange(0, 65535), default=8099, show_default=True, help="0 takes a free one.")
@click.option("--world", default="gross-uk", show_default=True, metavar="NAME|FILE", help="gross-uk, net-us or a file.")
@click.option(
    "--write-world",
    "written",
    metavar="FILE",
    type=options.FilePath(dir_okay=False),
    help="Write the built-in --world into this file, to make another hotel of it, and end.",
)
@click.option("--state", type=options.FilePath(dir_okay=False), help="Keep what is posted in this file.")
@click.option("--fault", "faults", multiple=True, metavar="SPEC", help="Rehearse a bad day; may be repeated.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the faults.")
@click.pass_obj
def command(
    console: Console,
    port: int,
    world: str,
    written: Path | None,
    state: Path | None,
    faults: tuple[str, ...],
    seed: int,
) -> int:
    """Run a local Mews on loopback: strict, stateful, rate-limited, with switchable faults.

    It prints the MEWS_* variables to export; open its address in a browser to see what was posted.
    """
    from etl.sandbox import load_world, parse_fault, run_server, write_world

    if written:
        write_world(world, written)
        console.always(f"Wrote the world {world} into {written}. Next: centra-mews sandbox --world {written}")
        return 0
    run_server(load_world(world), port, state, [parse_fault(spec) for spec in faults], seed, console.always)
    return 0
