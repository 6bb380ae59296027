"""A local Mews on loopback: strict, stateful, rate-limited, with switchable faults.

It reads the Mews contract on its own: no rule here is shared with `etl.transform` or `etl.model`, or a
mistake made once would pass every test. Importing this package costs nothing; the parts load when used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.sandbox.faults import Fault
    from etl.sandbox.world import World

__all__ = ["describe_faults", "describe_world", "load_world", "parse_fault", "run_server", "write_world"]


def load_world(name_or_path: str) -> World:
    """The world of that built-in name (`gross-uk`, `net-us`) or file. Raises UsageError."""
    from etl.sandbox.world_file import load_world as load

    return load(name_or_path)


def parse_fault(spec: str) -> Fault:
    """The dial that `--fault SPEC` sets. Raises UsageError with the list of dials."""
    from etl.sandbox.faults import parse_fault as parse

    return parse(spec)


def describe_faults() -> list[tuple[str, str]]:
    """Name and one line of help of every dial, for `--help` and the documentation."""
    from etl.sandbox.faults import describe_faults as describe

    return describe()


def describe_world() -> list[tuple[str, str]]:
    """The keys of a world file and what they mean, for `--help` and the documentation."""
    from etl.sandbox.world_keys import MEANINGS

    return list(MEANINGS.items())


def write_world(name: str, path: Path) -> None:
    """Writes a built-in world into a file that is not there yet. Raises UsageError."""
    from etl.sandbox.world_file import write_world as write

    write(name, path)


def run_server(
    world: World,
    port: int,
    state: str | Path | None,
    faults: Sequence[Fault],
    seed: int,
    echo: Callable[[str], None],
) -> None:
    """The sandbox until SIGINT or SIGTERM; `echo` gets the address and the MEWS_* lines to export.

    Raises UsageError when the port is taken or the state file belongs to another world.
    """
    from etl.sandbox.server import run_server as run

    run(world, port, state, faults, seed, echo)
