"""How many properties this machine takes at a time.

At the limit of its token a run waits nearly always: 6.67 orders a second cost 0.01 to 0.02 of a core. What it needs is memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from etl.portfolio.file import Property

PER_CORE = 50
LEAST = 64 * 1024 * 1024
"""Bytes of a process with a small export: 45 MiB of its own were measured."""
MOST = 256 * 1024 * 1024
"""A dry run of a million lines took 154 to 222 MiB, a run 402; workbooks are held in memory whole. So it may be more."""
_SHARE = 0.8


def at_once(properties: Sequence[Property]) -> int:
    """The most properties at a time, at least one, at most all of them. Effects: looks at sizes of files and free memory."""
    import psutil

    need = max(min(MOST, LEAST + _size(one.exports)) for one in properties)
    room = int(psutil.virtual_memory().available * _SHARE / need)
    return max(1, min(len(properties), PER_CORE * (os.cpu_count() or 1), room))


def _size(files: Iterable[Path]) -> int:
    """Their bytes; a file that is not there is told by its own process."""
    return sum(one.stat().st_size for one in files if one.is_file())
