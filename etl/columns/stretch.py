"""Orders that were taken of a stretch, in their order: runs of those that were taken at once, and each other one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from etl.columns.bulk import Found
from etl.columns.quick import Held
from etl.columns.taken import Bulk, Run


class Of(NamedTuple):
    """What was taken of the orders of one file, by their places in the block; `ats` are these in the stretch."""

    file: int
    ats: Sequence[int]
    found: Found


def in_order(size: int, taken: Sequence[Of]) -> Iterator[tuple[int, int, Run | Held | None]]:
    """(place in the stretch of `size` orders, file, what stands there); None and no file for an order that was not taken."""
    which, place = np.full(size, -1), np.zeros(size, np.int64)
    bulks: list[tuple[int, Bulk]] = []
    held: dict[int, tuple[int, Held]] = {}
    for file, ats, found in taken:
        places = np.array(ats, np.int64)
        for bulk in found.bulks:
            its = places[bulk.at]
            which[its], place[its] = len(bulks), np.arange(len(its))
            bulks.append((file, bulk))
        held.update((ats[at], (file, order)) for at, order in found.held)
    goes_on = (which[1:] >= 0) & (which[1:] == which[:-1]) & (place[1:] == place[:-1] + 1)
    begins = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), size]
    for start, end in pairwise(begins):
        if which[start] >= 0:
            file, bulk = bulks[which[start]]
            first = int(place[start])
            yield start, file, Run(bulk, first, first + end - start)
        else:
            yield start, *held.get(start, (-1, None))
