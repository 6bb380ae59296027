"""The plan on disk: planned orders of a batch, readable by number and by consumption.

Kept in the temporary store, so that the memory of a run does not grow with the history. Beside each order stands
its status as it is reported while no ledger knows the order: a dry run needs no more of most orders.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from etl.model.packed import values_of
from etl.model.plan import PlannedOrder, Verdict
from etl.model.status import OrderStatus, TaxSum
from etl.pipeline.classify import planned_status
from etl.spill import Spill

BATCH = 500
_ASKED = 500
"""Numbers of one question."""
_SCHEMA = """
CREATE TABLE plan (
    position INTEGER PRIMARY KEY,   -- by order number
    number TEXT NOT NULL,
    parent TEXT NOT NULL,
    verdict TEXT NOT NULL,
    due TEXT NOT NULL,              -- consumption; a nested return is never due before its order
    content BLOB NOT NULL
)
"""
_STATUS_SCHEMA = """
CREATE TABLE status (
    batch INTEGER PRIMARY KEY,      -- BATCH orders each, by position
    content BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some orders of the plan that follow each other.

    `statuses`: each as it is reported where the ledger does not know it. `planned` reads the named orders whole.
    """

    statuses: list[OrderStatus]
    planned: Callable[[Collection[str]], dict[str, PlannedOrder]]


class PlanStore:
    """A context manager; the plan is gone afterwards. Raises UsageError `spill.unusable` where the disk is full."""

    def __init__(self, folder: Path | None = None) -> None:
        self._spill = Spill("the plan", _SCHEMA, _STATUS_SCHEMA, folder=folder)
        self.count = 0
        self._is_indexed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the plan from disk."""
        self._spill.close()

    def fill(self, orders: Iterable[PlannedOrder]) -> None:
        """Stores the orders, which come by number, each nested return directly after its own order."""
        left = iter(orders)
        due = _Due()
        while chunk := list(islice(left, BATCH)):
            rows = [
                (at, order.number, order.parent, order.verdict.value, due.of(order), pickle.dumps(order, 5))
                for at, order in enumerate(chunk, self.count + 1)
            ]
            self._spill.insert("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)", rows)
            statuses = _packed([planned_status(order) for order in chunk])
            self._spill.insert("INSERT INTO status (content) VALUES (?)", [(statuses,)])
            self.count += len(chunk)
        self._spill.execute("CREATE INDEX due ON plan (due, position)")

    @property
    def ready_count(self) -> int:
        """Orders that are to be sent."""
        return int(self._spill.scalar("SELECT count(*) FROM plan WHERE verdict = ?", (Verdict.READY.value,)))

    def by_number(self) -> Iterator[PlannedOrder]:
        """All planned orders by number."""
        yield from self._read("SELECT content FROM plan ORDER BY position")

    def ready(self) -> Iterator[PlannedOrder]:
        """Orders to be sent, oldest consumption first; a nested return after its own order."""
        yield from self._read(
            f"SELECT content FROM plan WHERE verdict = '{Verdict.READY.value}' ORDER BY due, position"
        )

    def batches(self) -> Iterator[Batch]:
        """All orders by number, some hundreds at a time (for look-ups in the ledger)."""
        for number, content in self._spill.rows("SELECT batch, content FROM status ORDER BY batch"):
            yield Batch(_unpacked(content), partial(self._planned, number))

    def named(self, numbers: Sequence[str]) -> Iterator[PlannedOrder]:
        """The planned orders of these numbers, by number."""
        if not self._is_indexed:
            self._spill.execute("CREATE INDEX by_number ON plan (number)")
            self._is_indexed = True
        for start in range(0, len(numbers), _ASKED):
            some = numbers[start : start + _ASKED]
            marks = ", ".join("?" * len(some))
            for (content,) in self._spill.rows(
                f"SELECT content FROM plan WHERE number IN ({marks}) ORDER BY position", some
            ):
                yield _order(content)

    def _planned(self, batch: int, numbers: Collection[str]) -> dict[str, PlannedOrder]:
        query = "SELECT number, content FROM plan WHERE position > ? AND position <= ?"
        rows = self._spill.rows(query, ((batch - 1) * BATCH, batch * BATCH))
        return {number: _order(content) for number, content in rows if number in numbers}

    def _read(self, query: str) -> Iterator[PlannedOrder]:
        for (content,) in self._spill.rows(query):
            yield _order(content)


@dataclass(slots=True)
class _Due:
    """When orders may be sent: at their consumption, a nested return not before its order."""

    parent: str = ""
    parent_due: str = ""

    def of(self, order: PlannedOrder) -> str:
        due = order.consumption.isoformat() if order.consumption else ""
        if not order.parent:
            self.parent, self.parent_due = order.number, due
        elif order.parent == self.parent:
            return max(due, self.parent_due)
        return due


def _order(content: bytes) -> PlannedOrder:
    order: PlannedOrder = pickle.loads(content)  # noqa: S301 - our own private file
    return order


_TAXES = [field.name for field in fields(OrderStatus)].index("taxes")


def _packed(statuses: Sequence[OrderStatus]) -> bytes:
    """The fields of statuses without the classes around them; what they have in common is stored once."""
    rows = []
    for status in statuses:
        values = values_of(OrderStatus)(status)
        taxes = [values_of(TaxSum)(one) for one in status.taxes]
        rows.append((values[:_TAXES], taxes, values[_TAXES + 1 :]))
    return pickle.dumps(rows, 5)


def _unpacked(content: bytes) -> list[OrderStatus]:
    statuses = []
    for before, taxes, after in pickle.loads(content):  # noqa: S301 - our own private file
        values = (*before, tuple(TaxSum(*row) for row in taxes), *after)
        statuses.append(OrderStatus(*values))
    return statuses
