"""Plain rows of one file on disk, as bytes, in stretches; put in order by number where the file is not.

Memory stays bounded in any order of rows: rows that are scattered are dealt out into parts by number, each of which is
small enough to be sorted at once. All that is kept of a stretch is where it lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from etl.reading.grid import DIGITS, Ints
from etl.spill import SpilledBytes
from etl.staging.raw_part import LONGEST_ORDER, RawPart, RowFormat
from etl.staging.raw_rows import RawRows

_SHARE = 8 << 20
"""About so many bytes of scattered rows are sorted at once."""
_LARGE_SHARES = 4
"""So many times as large as it should be, a share holds a number with more rows than an order has."""
_STRETCH = 1 << 20
"""About so many bytes of sorted rows are read back at once, whole orders of them."""
_SAMPLE = 512
"""So many numbers of each stretch tell how they are spread, while there are not too many of them."""
_SAMPLES = 1 << 16

_KINDS = ("i4", "i8", "i4", "i8")
"""Of what is kept of a stretch: offsets and rows of lines, first lines and numbers of orders."""


class _Kept(NamedTuple):
    """Where a stretch lies: its bytes, and after them what `_KINDS` names."""

    at: int
    size: int
    lines: int
    orders: int
    lowest: int
    highest: int


class Orders(NamedTuple):
    """Rows of orders by number: their bytes, where each row begins and on which row of the file it stands.

    `first`: where the rows of each order begin, and where the last one's end; `numbers`: ascending, each once.
    """

    data: bytes
    offsets: Ints
    rows: Ints
    first: Ints
    numbers: Ints
    how: RowFormat

    def part(self, at: int) -> RawPart:
        """The rows of one order, or of a run."""
        low, high = int(self.first[at]), int(self.first[at + 1])
        data = self.data[self.offsets[low] : self.offsets[high]]
        return RawPart(self.how.file, self.how.file, data, self.rows[low:high].tolist(), self.how)

    def parts(self) -> Iterator[tuple[int, RawPart]]:
        """(number, its rows) of all of them."""
        data, how, rows = self.data, self.how, self.rows.tolist()
        bounds, first = self.offsets.tolist(), self.first.tolist()
        for number, low, high in zip(self.numbers.tolist(), first, first[1:], strict=False):
            yield number, RawPart(how.file, how.file, data[bounds[low] : bounds[high]], rows[low:high], how)

    def between(self, low: int, high: int) -> Orders:
        """The orders from one place to before another."""
        start, end = int(self.first[low]), int(self.first[high])
        begin = int(self.offsets[start])
        return Orders(
            self.data[begin : int(self.offsets[end])],
            self.offsets[start : end + 1] - begin,
            self.rows[start:end],
            self.first[low : high + 1] - start,
            self.numbers[low:high],
            self.how,
        )


class RawStore:
    """Keeps the rows of one file. Raises UsageError `spill.unusable` where the disk is full."""

    def __init__(self, what: str, how: RowFormat, folder: Path | None) -> None:
        self._what, self._folder, self._how = what, folder, how
        self.file = how.file
        self._file = SpilledBytes(what, folder)
        self._met: list[_Kept] = []
        self._by_number: list[_Kept] | None = None
        self._is_sorted = True
        self._last = -1
        self._samples = _Samples()

    def add(self, raw: RawRows) -> None:
        """Keeps rows as they stand in the file; `first` are runs of one number."""
        numbers = raw.numbers
        if self._is_sorted:
            self._is_sorted = int(numbers[0]) > self._last and bool((numbers[1:] > numbers[:-1]).all())
            self._last = int(numbers[-1])
        self._samples.add(numbers)
        lines = len(raw.offsets) - 1
        rows = np.arange(raw.first_row, raw.first_row + lines)
        orders = Orders(raw.data, raw.offsets, rows, np.append(raw.first, lines), raw.numbers, raw.how)
        self._met.append(_keep(self._file, orders))

    def seal(self) -> int:
        """Ends the storing, and sorts; the count of distinct numbers."""
        if self._by_number is None:
            self._by_number = self._met if self._is_sorted else list(self._sorted())
            self._samples = _Samples()
        return sum(kept.orders for kept in self._by_number)

    def orders(self) -> Iterator[Orders]:
        """All orders by number, some at a time."""
        for kept in self._by_number or ():
            yield _read(self._file, kept, self._how)

    def parts(self, named: Collection[str] | None = None) -> Iterator[tuple[int, RawPart]]:
        """(number, its rows) by number, all of them or those that are named."""
        if named is None:
            for orders in self.orders():
                yield from orders.parts()
            return
        yield from self._named(self._by_number or (), named)

    def met(self, named: Collection[str]) -> Iterator[tuple[int, str, RawPart]]:
        """(first row, number, rows) of the runs of the named orders in the order of the file."""
        for number, part in self._named(self._met, named):
            yield part.rows[0], str(number), part

    def count_of(self, numbers: Iterable[str]) -> int:
        """How many of some numbers, all different, have rows here."""
        wanted = _sorted_numbers(numbers)
        return sum(
            int(np.isin(orders.numbers, wanted).sum()) for orders in self._holding(self._by_number or (), wanted)
        )

    def _named(self, stretches: Iterable[_Kept], named: Iterable[str]) -> Iterator[tuple[int, RawPart]]:
        """(number, its rows) of the named orders or runs of some stretches, as they stand there."""
        numbers = _sorted_numbers(named)
        for orders in self._holding(stretches, numbers):
            for at in np.flatnonzero(np.isin(orders.numbers, numbers)).tolist():
                yield int(orders.numbers[at]), orders.part(at)

    def _holding(self, stretches: Iterable[_Kept], numbers: Ints) -> Iterator[Orders]:
        """Those of some stretches that may hold any of some numbers, which are sorted."""
        for kept in stretches:
            if _may_hold(kept, numbers):
                yield _read(self._file, kept, self._how)

    def close(self) -> None:
        """Removes the rows; harmless when done twice."""
        self._file.close()

    # Rows that are scattered

    def _sorted(self) -> Iterator[_Kept]:
        """The rows by number."""
        size = sum(kept.size for kept in self._met)
        samples = self._samples.all()
        count = max(1, -(-size // _SHARE))
        bounds = samples[np.arange(1, count) * len(samples) // count]
        dealt = SpilledBytes(self._what, self._folder)
        try:
            shares = [self._deal(dealt, _read(self._file, kept, self._how), bounds) for kept in self._met]
            for share in range(count):
                pieces = [_Kept(*its[share].tolist()) for its in shares if its[share][_Kept._fields.index("lines")]]
                yield from self._share(dealt, pieces)
        finally:
            dealt.close()

    def _deal(self, file: SpilledBytes, orders: Orders, bounds: Ints) -> Ints:
        """The rows of a stretch, parted by number. Shape: a row for each part, as of `_Kept`, zeros for an empty one."""
        each = np.repeat(orders.numbers, np.diff(orders.first))
        which = np.searchsorted(bounds, each, side="right")
        by = np.argsort(which, kind="stable")
        ends = np.searchsorted(which[by], np.arange(len(bounds) + 2))
        found = np.zeros((len(bounds) + 1, len(_Kept._fields)), np.int64)
        for share, (low, high) in enumerate(pairwise(ends.tolist())):
            if low < high:
                own = by[low:high]
                found[share] = _keep(file, _picked(orders, own, each[own]))
        return found

    def _share(self, file: SpilledBytes, pieces: Sequence[_Kept]) -> Iterator[_Kept]:
        """The rows of one part in order by number, then as they stood, in stretches of whole orders."""
        if not pieces:
            return
        read = (_read(file, kept, self._how) for kept in pieces)
        is_large = sum(kept.size for kept in pieces) > _LARGE_SHARES * _SHARE
        there = list(_without_excess(read) if is_large else read)
        whole = _joined(there, self._how)
        by = np.argsort(whole.numbers, kind="stable")
        whole = _picked(whole, by, whole.numbers[by])
        numbers = whole.numbers
        first = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        orders = whole._replace(first=np.append(first, len(numbers)), numbers=numbers[first])
        begins = orders.offsets[first]
        low = 0
        while low < len(first):
            high = max(low + 1, int(np.searchsorted(begins, begins[low] + _STRETCH)))
            yield _keep(self._file, orders.between(low, high))
            low = high


class _Samples:
    """Numbers of orders out of all stretches: about as many of each, and not more of them the longer a file is."""

    def __init__(self) -> None:
        self._found: list[Ints] = []
        self._count, self._every = 0, 1

    def add(self, numbers: Ints) -> None:
        """Takes some of the numbers of a stretch."""
        # A copy: what is cut out of an array keeps all of it in memory.
        some = np.sort(numbers)[:: max(1, len(numbers) // _SAMPLE) * self._every].copy()
        self._found.append(some)
        self._count += len(some)
        if self._count > _SAMPLES:
            self._found = [self.all()[::2].copy()]
            self._count, self._every = len(self._found[0]), 2 * self._every

    def all(self) -> Ints:
        """What was taken, ascending."""
        return np.sort(np.concatenate(self._found))


def _keep(file: SpilledBytes, orders: Orders) -> _Kept:
    """Puts a stretch at the end of a file."""
    at = file.add(orders.data)
    for array, kind in zip((orders.offsets, orders.rows, orders.first, orders.numbers), _KINDS, strict=True):
        file.add(np.ascontiguousarray(array, kind).tobytes())
    numbers = orders.numbers
    return _Kept(at, len(orders.data), len(orders.rows), len(numbers), int(numbers.min()), int(numbers.max()))


def _read(file: SpilledBytes, kept: _Kept, how: RowFormat) -> Orders:
    """The stretch again."""
    counts = (kept.lines + 1, kept.lines, kept.orders + 1, kept.orders)
    sizes = [count * np.dtype(kind).itemsize for count, kind in zip(counts, _KINDS, strict=True)]
    held = file.read(kept.at, kept.size + sum(sizes))
    ends = np.cumsum([kept.size, *sizes]).tolist()
    arrays = [
        np.frombuffer(held[start:end], kind).astype(np.int64)
        for start, end, kind in zip(ends, ends[1:], _KINDS, strict=False)
    ]
    offsets, rows, first, numbers = arrays
    return Orders(held[: kept.size], offsets, rows, first, numbers, how)


def _may_hold(kept: _Kept, numbers: Ints) -> bool:
    at = int(np.searchsorted(numbers, kept.lowest))
    return at < len(numbers) and bool(numbers[at] <= kept.highest)


def _sorted_numbers(named: Iterable[str]) -> Ints:
    """Order numbers as whole numbers, but for those that are too long to be any."""
    return np.sort(np.fromiter((int(number) for number in named if len(number) <= DIGITS), np.int64))


def _without_excess(pieces: Iterable[Orders]) -> Iterator[Orders]:
    """The pieces without rows of numbers that have far more of them than are held of an order, so that it shows."""
    held: Counter[int] = Counter()
    for orders in pieces:
        full = [number for number, size in held.items() if size > 2 * LONGEST_ORDER]
        is_in = ~np.isin(orders.numbers, full)
        found = orders if is_in.all() else _picked(orders, np.flatnonzero(is_in), orders.numbers[is_in])
        numbers, which = np.unique(found.numbers, return_inverse=True)
        sizes = np.bincount(which, np.diff(found.offsets), len(numbers))
        held.update(dict(zip(numbers.tolist(), sizes.astype(np.int64).tolist(), strict=True)))
        yield found


def _picked(orders: Orders, by: Ints, numbers: Ints) -> Orders:
    """These rows in this order, each with its number."""
    data = orders.data
    starts, ends = orders.offsets[by], orders.offsets[by + 1]
    spans = map(slice, starts.tolist(), ends.tolist())
    offsets = np.concatenate(([0], np.cumsum(ends - starts)))
    return Orders(
        b"".join(map(data.__getitem__, spans)), offsets, orders.rows[by], np.arange(len(by) + 1), numbers, orders.how
    )


def _joined(pieces: Sequence[Orders], how: RowFormat) -> Orders:
    """Rows of several pieces, one after the other."""
    sizes = np.cumsum([0, *(len(one.data) for one in pieces)])
    offsets = [one.offsets[:-1] + size for one, size in zip(pieces, sizes[:-1], strict=True)]
    rows = np.concatenate([one.rows for one in pieces])
    return Orders(
        b"".join([one.data for one in pieces]),
        np.append(np.concatenate(offsets), sizes[-1]),
        rows,
        np.arange(len(rows) + 1),
        np.concatenate([one.numbers for one in pieces]),
        how,
    )
