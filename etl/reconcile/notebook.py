"""What a reconciliation has found so far, in a private temporary file: millions of orders must not live on the heap.

Positions are those of the ledger's order by number; what only Mews knows comes after them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import simplejson

from etl.evidence.values import Difference, What
from etl.model.plan import Basis
from etl.reconcile.values import ORDER_PART, UNDO_PART, Klass
from etl.spill import Spill

_TABLES = (
    """CREATE TABLE orders (
        position INTEGER PRIMARY KEY, number TEXT NOT NULL, order_id TEXT NOT NULL, lines INTEGER NOT NULL,
        klass TEXT NOT NULL DEFAULT '', sent_at TEXT NOT NULL DEFAULT '', found TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX orders_by_number ON orders (number)",
    """CREATE TABLE seen (
        number TEXT NOT NULL, generation INTEGER NOT NULL, part TEXT NOT NULL, mews_id TEXT NOT NULL,
        live INTEGER NOT NULL, net TEXT NOT NULL, gross TEXT NOT NULL, currency TEXT NOT NULL,
        PRIMARY KEY (number, generation, part, mews_id)
    ) WITHOUT ROWID""",
    "CREATE TABLE entries (number TEXT PRIMARY KEY, booked TEXT NOT NULL)",
    "CREATE TABLE strangers (order_id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE strays (order_id TEXT PRIMARY KEY) WITHOUT ROWID",
)
_SEE = """
INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET live = live + excluded.live, net = plus(net, excluded.net), gross = plus(gross, excluded.gross)
"""
# Amounts are decimals as text: TaxPrecision and absurd orders know no bounds that 64 bits would hold.


@dataclass(frozen=True, slots=True)
class Task:
    """One order to be read back."""

    position: int
    number: str
    order_id: str
    lines: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """One side of one order."""

    net: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class Booked:
    """What stands in Mews in one currency."""

    currency: str
    net: Decimal
    gross: Decimal

    def amount(self, basis: Basis) -> Decimal:
        """The amount in a basis."""
        return self.gross if basis is Basis.GROSS else self.net


@dataclass(frozen=True, slots=True)
class Noted:
    """The standing of one order. Amounts are None where a side has none to show.

    `booked`: the items read back under its OrderId, by currency; None where it was not read back.
    """

    number: str
    order_id: str
    klass: Klass
    currency: str = ""
    ledger: Amounts | None = None
    mews: Amounts | None = None
    differences: tuple[Difference, ...] = ()
    notices: tuple[Difference, ...] = ()
    booked: tuple[Booked, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One posting of ours that the scan met: `live` items (or payments) that are not cancelled, and their amounts."""

    number: str
    generation: int
    part: str
    mews_id: str
    live: int
    gross: Decimal
    currency: str
    net: Decimal = Decimal(0)

    @property
    def is_order(self) -> bool:
        """Whether it is an order or the reversal of one, not a payment."""
        return self.part in (ORDER_PART, UNDO_PART)


@dataclass(slots=True)
class Page:
    """What one page of a scan adds: sums by (number, generation, part, id), and strangers' OrderIds.

    `since`: when the first of our items on it was created.
    """

    seen: dict[tuple[str, int, str, str], list[Decimal | int | str]] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    since: datetime | None = None

    def add(
        self, number: str, generation: int, part: str, mews_id: str, *, amounts: Amounts | None, currency: str
    ) -> None:
        """Counts one item or payment; `amounts` are None where it was cancelled."""
        sums = self.seen.setdefault((number, generation, part, mews_id), [0, Decimal(0), Decimal(0), currency])
        if amounts is not None:
            sums[0] = int(sums[0]) + 1
            sums[1] = Decimal(sums[1]) + amounts.net
            sums[2] = Decimal(sums[2]) + amounts.gross


class Notebook:
    """The temporary file. Use as a context manager: it is gone afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        self._spill = Spill("what the reconciliation found", *_TABLES, folder=folder)
        self._spill.define("plus", lambda one, other: str(Decimal(one) + Decimal(other)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spill.close()

    # Orders

    def add_orders(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Orders that the ledger holds as posted: number, OrderId, lines; by number."""
        self._spill.insert("INSERT INTO orders (number, order_id, lines) VALUES (?, ?, ?)", rows)

    @property
    def count(self) -> int:
        """Orders noted."""
        return int(self._spill.scalar("SELECT count(*) FROM orders"))

    def open_tasks(self, size: int, items: int) -> Iterator[list[Task]]:
        """Orders that have no class yet, in batches of at most `size` orders and about `items` lines."""
        yield from self._batches("klass = ''", size, items)

    def doubtful_tasks(self, size: int, items: int) -> Iterator[list[Task]]:
        """Orders to be looked at again: missing and different ones."""
        yield from self._batches("klass IN ('missing', 'different')", size, items)

    def _batches(self, condition: str, size: int, items: int) -> Iterator[list[Task]]:
        position = 0
        query = f"SELECT position, number, order_id, lines FROM orders WHERE position > ? AND {condition} ORDER BY position LIMIT ?"
        while rows := list(self._spill.rows(query, (position, size))):
            batch: list[Task] = []
            weight = 0
            for row in rows:
                task = Task(*row)
                if batch and weight + task.lines > items:
                    break
                batch.append(task)
                weight += task.lines
            position = batch[-1].position
            yield batch

    def keep_entries(self, booked: Mapping[str, Mapping[str, tuple[Decimal, Decimal]]]) -> None:
        """What Mews shows of single entries: by order number and name of the line their net and gross."""
        rows = [
            (number, simplejson.dumps({line: [str(net), str(gross)] for line, (net, gross) in entries.items()}))
            for number, entries in booked.items()
        ]
        self._spill.insert("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)

    def entries_of(self, numbers: Collection[str]) -> dict[str, dict[str, tuple[Decimal, Decimal]]]:
        """What was kept of the entries of these orders."""
        found: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        for number in numbers:
            kept = self._spill.scalar("SELECT booked FROM entries WHERE number = ?", (number,))
            if kept:
                entries = simplejson.loads(kept)
                found[number] = {line: (Decimal(net), Decimal(gross)) for line, (net, gross) in entries.items()}
        return found

    def note(self, results: Iterable[tuple[int, Noted, datetime | None]]) -> None:
        """The classes of orders at these positions, and when they were sent."""
        rows = [
            (one.klass.value, "" if sent is None else sent.isoformat(), _dump(one), one.order_id, position)
            for position, one, sent in results
        ]
        self._spill.insert("UPDATE orders SET klass = ?, sent_at = ?, found = ?, order_id = ? WHERE position = ?", rows)

    def drop(self, positions: Iterable[int]) -> None:
        """Orders that the ledger no longer holds as posted."""
        self._spill.insert("DELETE FROM orders WHERE position = ?", ((position,) for position in positions))

    def amend(self, one: Noted) -> None:
        """Another class for an order, or one that only Mews knows."""
        row = self._spill.row("SELECT position FROM orders WHERE number = ?", (one.number,))
        if row is None:
            statement = "INSERT INTO orders (klass, found, number, order_id, lines) VALUES (?, ?, ?, ?, 0)"
            self._spill.execute(statement, (one.klass.value, _dump(one), one.number, one.order_id))
        else:
            self._spill.execute(
                "UPDATE orders SET klass = ?, found = ? WHERE position = ?", (one.klass.value, _dump(one), *row)
            )

    def noted(self, numbers: Sequence[str]) -> dict[str, Noted]:
        """What is noted of these orders."""
        marks = ",".join("?" * len(numbers))
        query = f"SELECT number, order_id, klass, found FROM orders WHERE klass != '' AND number IN ({marks})"
        return {row[0]: _load(*row) for row in self._spill.rows(query, tuple(numbers))}

    def all(self) -> Iterator[Noted]:
        """Every order noted, by number, then what only Mews knows."""
        for row in self._rows(
            "SELECT position, number, order_id, klass, found FROM orders WHERE position > ?", "position"
        ):
            yield _load(*row[1:])

    def counts(self) -> dict[Klass, int]:
        """How many orders are in each class."""
        found = dict(self._spill.rows("SELECT klass, count(*) FROM orders GROUP BY klass"))
        return {klass: int(found.get(klass.value, 0)) for klass in Klass}

    def last_sent_of_missing(self) -> datetime | None:
        """When the youngest missing order was sent (Mews's time)."""
        text = self._spill.scalar("SELECT max(sent_at) FROM orders WHERE klass = 'missing'")
        return datetime.fromisoformat(text) if text else None

    # The scan

    def see(self, page: Page) -> None:
        """Adds one page of a scan."""
        self._spill.insert(
            _SEE,
            ((*key, int(sums[0]), str(sums[1]), str(sums[2]), sums[3]) for key, sums in page.seen.items()),
        )
        self._spill.insert("INSERT OR IGNORE INTO strangers VALUES (?)", ((one,) for one in page.strangers))

    def seen_of(self, numbers: Sequence[str]) -> dict[str, list[Sighting]]:
        """What the scan met of these orders."""
        marks = ",".join("?" * len(numbers))
        found: dict[str, list[Sighting]] = {}
        for row in self._spill.rows(f"SELECT * FROM seen WHERE number IN ({marks})", tuple(numbers)):
            found.setdefault(row[0], []).append(_sighting(row))
        return found

    @property
    def strangers(self) -> int:
        """Other people's orders."""
        return int(self._spill.scalar("SELECT count(*) FROM strangers"))

    def sightings(self, size: int) -> Iterator[dict[str, list[Sighting]]]:
        """What the scan met, by order number, `size` orders at a time."""
        batch: dict[str, list[Sighting]] = {}
        last = ""
        query = "SELECT DISTINCT number FROM seen WHERE number > ? ORDER BY number LIMIT ?"
        while numbers := [row[0] for row in self._spill.rows(query, (last, size))]:
            last = numbers[-1]
            between = "SELECT * FROM seen WHERE number BETWEEN ? AND ? ORDER BY number"
            rows = list(self._spill.rows(between, (numbers[0], last)))
            batch = {number: [_sighting(row) for row in group] for number, group in groupby(rows, lambda row: row[0])}
            yield batch

    def add_stray(self, order_id: str) -> None:
        """An order in Mews that stands for money which the ledger does not know."""
        self._spill.execute("INSERT OR IGNORE INTO strays VALUES (?)", (order_id,))

    def strays(self, size: int) -> Iterator[list[str]]:
        """The OrderIds of strays."""
        last = ""
        query = "SELECT order_id FROM strays WHERE order_id > ? ORDER BY order_id LIMIT ?"
        while ids := [row[0] for row in self._spill.rows(query, (last, size))]:
            last = ids[-1]
            yield ids

    def _rows(self, query: str, key: str) -> Iterator[tuple[int, str, str, str, str]]:
        position = 0
        while rows := list(self._spill.rows(f"{query} ORDER BY {key} LIMIT 500", (position,))):
            position = rows[-1][0]
            yield from rows


def _sighting(row: tuple[str, int, str, str, int, str, str, str]) -> Sighting:
    number, generation, part, mews_id, live, net, gross, currency = row
    return Sighting(number, generation, part, mews_id, live, Decimal(gross), currency, Decimal(net))


def _dump(one: Noted) -> str:
    sides = [None if side is None else [str(side.net), str(side.gross)] for side in (one.ledger, one.mews)]
    texts = [[[d.what.value, d.expected, d.found, d.item] for d in group] for group in (one.differences, one.notices)]
    booked = one.booked and [[each.currency, str(each.net), str(each.gross)] for each in one.booked]
    return simplejson.dumps([one.currency, *sides, *texts, booked], separators=(",", ":"), ensure_ascii=False)


def _load(number: str, order_id: str, klass: str, text: str) -> Noted:
    currency, ledger, mews, differences, notices, booked = simplejson.loads(text)
    sides = [None if side is None else Amounts(Decimal(side[0]), Decimal(side[1])) for side in (ledger, mews)]
    groups = [tuple(Difference(What(d[0]), *d[1:]) for d in group) for group in (differences, notices)]
    items = None if booked is None else tuple(Booked(each[0], Decimal(each[1]), Decimal(each[2])) for each in booked)
    return Noted(number, order_id, Klass(klass), currency, sides[0], sides[1], groups[0], groups[1], items)
