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
from typing import Any, Self

from etl.columns.quick import Quick, Report
from etl.model.packed import values_of
from etl.model.plan import PlannedOrder, Verdict
from etl.model.status import OrderStatus, TaxSum
from etl.pipeline.both_ways import differs, digest_of
from etl.pipeline.classify import planned_status, quick_status
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


_DIGEST = 32
"""Length of what is stored of an order by columns; a pickled order is longer."""
ByRules = Callable[[Sequence[str]], Iterable[tuple[PlannedOrder, bytes]]]
"""Numbers to planned orders, each with its part of the plan id."""


def _nothing(numbers: Sequence[str]) -> Iterable[tuple[PlannedOrder, bytes]]:
    """Stands for the rules in a plan that nothing was stored in by columns."""
    del numbers
    return ()


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
        self.by_rules: ByRules = _nothing
        """Plans orders that were stored by columns, when they are asked for whole."""
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

    def fill(self, orders: Iterable[PlannedOrder | Quick]) -> None:
        """Stores the orders, which come by number, each nested return directly after its own order."""
        left = iter(orders)
        due = _Due()
        while chunk := list(islice(left, BATCH)):
            rows = [_row(at, order, due) for at, order in enumerate(chunk, self.count + 1)]
            self._spill.insert("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)", rows)
            statuses = _packed(chunk)
            self._spill.insert("INSERT INTO status (content) VALUES (?)", [(statuses,)])
            self.count += len(chunk)
        self._spill.execute("CREATE INDEX due ON plan (due, position)")

    @property
    def ready_count(self) -> int:
        """Orders that are to be sent."""
        return int(self._spill.scalar("SELECT count(*) FROM plan WHERE verdict = ?", (Verdict.READY.value,)))

    def by_number(self) -> Iterator[PlannedOrder]:
        """All planned orders by number."""
        yield from self._read("SELECT number, content FROM plan ORDER BY position")

    def ready(self) -> Iterator[PlannedOrder]:
        """Orders to be sent, oldest consumption first; a nested return after its own order."""
        yield from self._read(
            f"SELECT number, content FROM plan WHERE verdict = '{Verdict.READY.value}' ORDER BY due, position"
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
            yield from self._whole(
                self._spill.rows(f"SELECT number, content FROM plan WHERE number IN ({marks}) ORDER BY position", some)
            )

    def _planned(self, batch: int, numbers: Collection[str]) -> dict[str, PlannedOrder]:
        query = "SELECT number, content FROM plan WHERE position > ? AND position <= ?"
        rows = self._spill.rows(query, ((batch - 1) * BATCH, batch * BATCH))
        return {order.number: order for order in self._whole(row for row in rows if row[0] in numbers)}

    def _read(self, query: str) -> Iterator[PlannedOrder]:
        yield from self._whole(self._spill.rows(query))

    def _whole(self, rows: Iterator[tuple[str, bytes]]) -> Iterator[PlannedOrder]:
        """The orders of (number, content); those stored by columns are planned by the rules, some hundreds at a time.

        Raises InternalError `internal.both_ways` where the rules plan one otherwise than it entered the plan id.
        """
        while chunk := list(islice(rows, BATCH)):
            light = {number: content for number, content in chunk if len(content) == _DIGEST}
            planned = (
                {
                    order.number: order
                    for order, line in self.by_rules(list(light))
                    if digest_of(line) == light.get(order.number)
                }
                if light
                else {}
            )
            for number, content in chunk:
                if number not in light:
                    yield _order(content)
                elif number in planned:
                    yield planned[number]
                else:
                    raise differs(number)


def _row(at: int, order: PlannedOrder | Quick, due: _Due) -> tuple[int, str, str, str, str, bytes]:
    if isinstance(order, Quick):
        report = order.report
        when = due.of(report.number, "", report.consumption)
        return (at, report.number, "", Verdict.READY.value, when, digest_of(order.line))
    when = due.of(order.number, order.parent, order.consumption.isoformat() if order.consumption else "")
    return (at, order.number, order.parent, order.verdict.value, when, pickle.dumps(order, 5))


@dataclass(slots=True)
class _Due:
    """When orders may be sent: at their consumption, a nested return not before its order."""

    parent: str = ""
    parent_due: str = ""

    def of(self, number: str, parent: str, due: str) -> str:
        if not parent:
            self.parent, self.parent_due = number, due
        elif parent == self.parent:
            return max(due, self.parent_due)
        return due


def _order(content: bytes) -> PlannedOrder:
    order: PlannedOrder = pickle.loads(content)  # noqa: S301 - our own private file
    return order


_REPORT = len(Report._fields)
"""Values of an order that was planned by columns; any other has three."""
_TAXES = [field.name for field in fields(OrderStatus)].index("taxes")


def _packed(orders: Sequence[PlannedOrder | Quick]) -> bytes:
    """What is reported of orders, without the classes around the values; what they have in common is stored once."""
    rows: list[tuple[Any, ...]] = []
    for order in orders:
        if isinstance(order, Quick) and not order.problems:
            rows.append(tuple(order.report))
            continue
        status = quick_status(order.report, order.problems) if isinstance(order, Quick) else planned_status(order)
        values = values_of(OrderStatus)(status)
        taxes = [values_of(TaxSum)(one) for one in status.taxes]
        rows.append((values[:_TAXES], taxes, values[_TAXES + 1 :]))
    return pickle.dumps(rows, 5)


def _unpacked(content: bytes) -> list[OrderStatus]:
    statuses = []
    for row in pickle.loads(content):  # noqa: S301 - our own private file
        if len(row) == _REPORT:
            statuses.append(quick_status(Report(*row)))
            continue
        before, taxes, after = row
        values = (*before, tuple(TaxSum(*one) for one in taxes), *after)
        statuses.append(OrderStatus(*values))
    return statuses
