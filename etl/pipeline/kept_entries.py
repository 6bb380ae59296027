"""The entries of orders by columns, kept while they are planned, for the page that they open in.

As many as the page holds at most: those come first by number. Whoever asks for one that is not here gets it from the rules.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from etl.columns.quick import Beside
from etl.report.facts import PackedOrders
from etl.spill import Spill

_SCHEMA = "CREATE TABLE kept (lot INTEGER PRIMARY KEY, content BLOB NOT NULL)"
_PACKED_SCHEMA = "CREATE TABLE packed (lot INTEGER PRIMARY KEY, content BLOB NOT NULL)"
_LOT = 500
_BEFORE = '",[["'
"""What stands last before the entries in a plan line, and the first of them; inside a JSON text a quote never stands so."""
_DECODER = json.JSONDecoder()


class Kept(NamedTuple):
    """What is kept of one order: its entries as JSON, and what the plan line leaves out of them."""

    entries: str
    beside: Beside


def entries_of(line: bytes) -> str:
    """The entries of an order, as JSON, cut out of its part of the plan id."""
    text = line.decode()
    start = text.rindex(_BEFORE) + len('",')
    return text[start : _DECODER.raw_decode(text, start)[1]]


class KeptEntries:
    """Entries by number in the temporary store; `room` orders at most."""

    def __init__(self, spill: Spill, room: int) -> None:
        self._spill = spill
        spill.execute(_SCHEMA)
        spill.execute(_PACKED_SCHEMA)
        self.packed: list[PackedOrders] = []
        """Orders that were taken at once, packed as the page holds them."""
        self.room = room
        self._lots: dict[str, int] = {}
        self._lot, self._pending = 0, dict[str, tuple[str, tuple[Any, ...]]]()
        self._read: tuple[int, Mapping[str, Kept]] = (-1, {})

    def add(self, number: str, line: bytes, beside: Beside) -> None:
        """Keeps an order. `line`: its part of the plan id."""
        self._pending[number] = (entries_of(line), tuple(beside))
        self._lots[number] = self._lot
        self.room -= 1
        if len(self._pending) >= _LOT:
            self._flush()

    def add_packed(self, numbers: Sequence[str], content: bytes) -> None:
        """Keeps orders that are packed already."""
        lot = len(self.packed)
        self._spill.execute("INSERT INTO packed VALUES (?, ?)", (lot, content))
        self.packed.append(PackedOrders(numbers, partial(self._packed, lot)))
        self.room -= len(numbers)

    def _packed(self, lot: int) -> bytes:
        content: bytes = self._spill.scalar("SELECT content FROM packed WHERE lot = ?", (lot,))
        return content

    def named(self, numbers: Collection[str]) -> dict[str, Kept]:
        """Those of these numbers that are here."""
        self._flush()
        found: dict[str, Kept] = {}
        for number in numbers:
            lot = self._lots.get(number)
            if lot is not None:
                found[number] = self._of(lot)[number]
        return found

    def _of(self, lot: int) -> Mapping[str, Kept]:
        if self._read[0] != lot:
            content = marshal.loads(self._spill.scalar("SELECT content FROM kept WHERE lot = ?", (lot,)))  # noqa: S302 - our own
            self._read = (lot, {number: Kept(one, Beside(*beside)) for number, (one, beside) in content.items()})
        return self._read[1]

    def _flush(self) -> None:
        if self._pending:
            self._spill.execute("INSERT INTO kept VALUES (?, ?)", (self._lot, marshal.dumps(self._pending)))
            self._lot += 1
            self._pending = {}
