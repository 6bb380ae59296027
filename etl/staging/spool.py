"""Rows on disk, grouped by order number when read back: memory stays bounded in any row order."""

from __future__ import annotations

import heapq
import marshal
import math
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from etl.spill import Spill
from etl.staging.raw_part import LONGEST_ORDER, RawPart

if TYPE_CHECKING:
    from etl.staging.blocks import BlockOrders
    from etl.staging.raw_rows import RawRows
    from etl.staging.raw_store import RawStore

_WHAT = "the rows of the export"

_TABLE = "CREATE TABLE part (key TEXT NOT NULL, file INT, copy INT, data BLOB NOT NULL, line INT)"
_BATCH = 2000
_BATCH_BYTES = 8 << 20


class ParsedPart(NamedTuple):
    """Rows of one order that stood together.

    `copy` tells apart objects and files that hold the order; a return of get-returns has a negative one.
    """

    file: int
    copy: int
    data: bytes

    def content(self) -> Any:
        """(groups, faults, rows below) of a flat file, (number, object) of a JSON file."""
        return marshal.loads(self.data)  # noqa: S302 - written by this process, in a file that only it can read


class Parts(list[ParsedPart | RawPart]):
    """The parts of one order; `is_cut` where they were too many to be held, and only the first ones are here."""

    is_cut = False


def held(rows: Iterable[ParsedPart | RawPart]) -> Parts:
    """The parts of one order, as many as may be held; the first one always."""
    parts, size = Parts(), 0
    for part in rows:
        left, size = LONGEST_ORDER - size, size + len(part.data)
        if size > LONGEST_ORDER and isinstance(part, RawPart):
            parts.is_cut = True
            parts += [part.within(left)] if left > 0 else []
        elif size > LONGEST_ORDER and parts:
            parts.is_cut = True
        else:
            parts.append(part)
    return parts


Lined = list[tuple[int, ParsedPart]]
"""Parts of one order, each with the row of the file that it begins on."""


def sort_key(number: str) -> str:
    """Orders canonical numbers of any length by value."""
    return f"{len(number):03d}{number}"


class Spool:
    """The rows of a batch in the temporary store. Raises UsageError `spill.unusable` where the disk is full.

    Parts of orders are kept one by one, plain rows of a single flat file as they stand (`raw_store`).
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._pending: list[tuple[str, int, int, bytes, int]] = []
        self._bytes = 0
        self._last = ""
        self._is_sorted = True
        self._transitions = 0
        self._has_index = False
        self._questions = 0
        self._directory = directory
        self._spill = Spill(_WHAT, _TABLE, folder=directory)
        self._raw: RawStore | None = None

    def add(self, number: str, part: ParsedPart, line: int = 0) -> None:
        """Stores rows of one order, the first of which is that row of its file."""
        key = sort_key(number)
        if key != self._last:
            self._transitions += 1
            if key < self._last:
                self._is_sorted = False
            self._last = key
        self._pending.append((key, *part, line))
        self._bytes += len(part.data)
        if len(self._pending) >= _BATCH or self._bytes > _BATCH_BYTES:
            self._flush()

    def add_rows(self, rows: RawRows) -> None:
        """Stores plain rows of many orders, all from one file that nothing else is stored beside."""
        if self._raw is None:
            # Loads numpy, which small files have no use for.
            from etl.staging.raw_store import RawStore

            self._raw = RawStore(_WHAT, rows.how, self._directory)
        self._raw.add(rows)

    def seal(self) -> int:
        """Ends the storing; the count of distinct orders."""
        self._flush()
        if self._is_sorted:
            count = self._transitions
        else:
            self._index()
            count = int(self._spill.scalar("SELECT count(DISTINCT key) FROM part"))
        if self._raw is None:
            return count
        orders = self._raw.seal()
        keys = self._spill.rows("SELECT DISTINCT key FROM part ORDER BY key") if count else iter(())
        return orders + count - self._raw.count_of(key[3:] for (key,) in keys)

    def groups(self) -> Iterator[tuple[str, Parts]]:
        """(order number, its parts in input order) by number; every call starts anew."""
        rows = self._by_number()
        if self._raw is None:
            yield from _by_key(rows)
            return
        self._raw.seal()
        yield from _merged(_lined(rows), self._raw.parts())

    def _by_number(self) -> Iterator[Any]:
        """The parts that are kept one by one, by number and then in input order."""
        self._flush()
        order = "rowid" if self._is_sorted else "key, rowid"
        return self._spill.rows(f"SELECT file, copy, data, line, key FROM part ORDER BY {order}")

    @property
    def has_blocks(self) -> bool:
        """Whether plain rows of many orders are kept as they stand."""
        return self._raw is not None

    def blocks(self) -> Iterator[BlockOrders]:
        """All orders by number as `groups` gives them, some at a time, plain ones by columns."""
        from etl.staging.blocks import blocks

        if self._raw is not None:
            rows = self._by_number()
            self._raw.seal()
            yield from blocks(self._raw.orders(), _lined(rows))

    def ask(self, numbers: Collection[str]) -> list[tuple[int, Iterator[tuple[str, ParsedPart | RawPart]]]]:
        """(file, its parts of the named orders in input order) for each file that has any of them."""
        asked = self._asked(numbers)
        found = self._spill.rows(f"SELECT DISTINCT file FROM part JOIN {asked} USING (key) ORDER BY file")
        files = [file for (file,) in found]
        if self._raw is None:
            return [(file, ((number, part) for _, number, part in self._answers(asked, file))) for file in files]
        answers: list[Iterator[tuple[int, str, ParsedPart | RawPart]]] = [
            self._answers(asked, self._raw.file),
            self._raw.met(numbers),
        ]
        both = heapq.merge(*answers, key=itemgetter(0))
        return [(self._raw.file, ((number, part) for _, number, part in both))]

    def named(self, numbers: Collection[str]) -> Iterator[tuple[str, Parts]]:
        """(order number, its parts in input order) of the named orders, by number."""
        asked = self._asked(numbers)
        rows = self._spill.rows(
            f"SELECT file, copy, data, line, part.key FROM part JOIN {asked} USING (key) ORDER BY part.key, part.rowid"
        )
        yield from _by_key(rows) if self._raw is None else _merged(_lined(rows), self._raw.parts(numbers))
        self._spill.execute(f"DROP TABLE {asked}")

    def _asked(self, numbers: Collection[str]) -> str:
        """The name of a table with the keys of these numbers."""
        self._index()
        self._questions += 1
        asked = f"temp.asked_{self._questions}"
        self._spill.execute(f"CREATE TABLE {asked} (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._spill.insert(f"INSERT OR IGNORE INTO {asked} VALUES (?)", ((sort_key(number),) for number in numbers))
        return asked

    def _answers(self, asked: str, file: int) -> Iterator[tuple[int, str, ParsedPart | RawPart]]:
        rows = self._spill.rows(
            f"SELECT part.key, line, file, copy, data FROM part JOIN {asked} USING (key) WHERE file = ? "
            "ORDER BY part.rowid",
            (file,),
        )
        for key, line, *part in rows:
            yield line, key[3:], ParsedPart(*part)

    def close(self) -> None:
        """Removes the rows; harmless when done twice."""
        self._spill.close()
        if self._raw is not None:
            self._raw.close()

    def _flush(self) -> None:
        if self._pending:
            self._spill.insert("INSERT INTO part VALUES (?, ?, ?, ?, ?)", self._pending)
            self._pending.clear()
            self._bytes = 0

    def _index(self) -> None:
        if not self._has_index:
            self._spill.execute("CREATE INDEX part_key ON part (key)")
            self._has_index = True


def _by_key(rows: Iterator[Any]) -> Iterator[tuple[str, Parts]]:
    for key, its in groupby(rows, itemgetter(4)):
        yield key[3:], held(ParsedPart(file, copy, data) for file, copy, data, _, _ in its)


def _lined(rows: Iterator[Any]) -> Iterator[tuple[int, Lined]]:
    """(number, its parts with the first row of each)."""
    for key, its in groupby(rows, itemgetter(4)):
        yield int(key[3:]), [(line, ParsedPart(file, copy, data)) for file, copy, data, line, _ in its]


def _merged(stored: Iterator[tuple[int, Lined]], raw: Iterator[tuple[int, RawPart]]) -> Iterator[tuple[str, Parts]]:
    """The orders of both by number; of one that is in both, the rows as they stood."""
    end: tuple[float, Lined] = (math.inf, [])
    number, lined = next(stored, end)
    for own, part in raw:
        while number < own:
            yield str(number), held(one for _, one in lined)
            number, lined = next(stored, end)
        if number == own:
            yield str(number), held(in_order(lined, part))
            number, lined = next(stored, end)
        else:
            yield str(own), held((part,))
    while lined:
        yield str(number), held(one for _, one in lined)
        number, lined = next(stored, end)


def in_order(lined: Lined, raw: RawPart) -> list[ParsedPart | RawPart]:
    """Parts and plain rows of one order as they stood in the file."""
    found: list[ParsedPart | RawPart] = []
    left: RawPart | None = raw
    for line, part in lined:
        if left is not None:
            before, left = left.parted(line)
            found += [before] if before is not None else []
        found.append(part)
    return found if left is None else [*found, left]
