"""The plan on disk: planned orders of a batch, readable by number and by consumption.

Kept in the temporary store, so that the memory of a run does not grow with the history. Beside each order stands
its status as it is reported while no ledger knows the order: a dry run needs no more of most orders.
"""

from __future__ import annotations

import marshal
import pickle
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from etl.columns.quick import Held, Quick, Report
from etl.columns.taken import Bulk, Run
from etl.model.packed import values_of
from etl.model.plan import PlannedOrder, Verdict
from etl.model.status import OrderStatus, TaxSum
from etl.pipeline.alike import Alike
from etl.pipeline.both_ways import differs, mark_of
from etl.pipeline.classify import held_status, planned_status, quick_status
from etl.pipeline.kept_entries import KeptEntries
from etl.pipeline.plain_rows import plain_order, plain_orders
from etl.report.facts import PackedOrders
from etl.report.tables import PlainOrder
from etl.spill import Spill

if TYPE_CHECKING:
    from etl.columns.sums import Sums

BATCH = 2_000
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
_RUN_SCHEMA = """
CREATE TABLE run (
    first INTEGER PRIMARY KEY,      -- position of the first order of a batch
    size INTEGER NOT NULL,          -- how many of the batch were taken at once; all of them are ready
    content BLOB NOT NULL           -- their rows of the plan, as columns, until somebody asks for them
)
"""
_STATUS_SCHEMA = """
CREATE TABLE status (
    batch INTEGER PRIMARY KEY,      -- BATCH orders each, by position
    alike BLOB NOT NULL,            -- reports of orders by columns, and where the others stand among them
    others BLOB NOT NULL            -- statuses of the others
)
"""


_MARK = 8
"""Length of what is stored of an order by columns; a pickled order is longer."""
_IS_HELD = f"verdict <> '{Verdict.READY.value}' AND length(content) = {_MARK}"
T = TypeVar("T")
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
        self._spill = Spill("the plan", _SCHEMA, _RUN_SCHEMA, _STATUS_SCHEMA, folder=folder)
        self.entries: KeptEntries | None = None
        """Those of orders by columns, as a page shows them; None where no page was asked for."""
        self.count = 0
        self.alike = Alike()
        """The orders by columns that there is nothing to say of, added up."""
        self._indices: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the plan from disk."""
        self._spill.close()

    def fill(self, orders: Iterable[PlannedOrder | Quick | Held | Run]) -> None:
        """Stores the orders, which come by number, each nested return directly after its own order."""
        due = _Due()
        for chunk in _batches(orders):
            rows: list[_Row] = []
            runs: list[_Run] = []
            first = at = self.count + 1
            for order in chunk:
                if isinstance(order, Run):
                    runs.append(_run(at, order, due))
                    at += order.size
                else:
                    rows.append(_row(at, order, due))
                    at += 1
            self._spill.insert(_INSERT, rows)
            if runs:
                size = at - first - len(rows)
                self._spill.execute("INSERT INTO run VALUES (?, ?, ?)", (first, size, marshal.dumps(runs)))
            self._spill.insert("INSERT INTO status (alike, others) VALUES (?, ?)", [self._packed(chunk)])
            self.count = at - 1

    def keep_entries(self, room: int) -> None:
        """Makes room for the entries of so many orders by columns."""
        self.entries = KeptEntries(self._spill, room)

    @property
    def packed(self) -> list[PackedOrders]:
        """Orders by columns whose entries are kept, as the page holds them."""
        return self.entries.packed if self.entries else []

    @property
    def ready_count(self) -> int:
        """Orders that are to be sent."""
        ready = self._spill.scalar("SELECT count(*) FROM plan WHERE verdict = ?", (Verdict.READY.value,))
        return int(ready + self._spill.scalar("SELECT coalesce(sum(size), 0) FROM run"))

    def by_number(self) -> Iterator[PlannedOrder]:
        """All planned orders by number."""
        yield from self._read("SELECT number, content FROM plan ORDER BY position")

    def ready(self) -> Iterator[PlannedOrder]:
        """Orders to be sent, oldest consumption first; a nested return after its own order."""
        self._unpack()
        self._index("due", "due, position")
        yield from self._read(
            f"SELECT number, content FROM plan WHERE verdict = '{Verdict.READY.value}' ORDER BY due, position"
        )

    def batches(self) -> Iterator[Batch]:
        """All orders by number, some hundreds at a time (for look-ups in the ledger)."""
        for number, alike, others in self._spill.rows("SELECT batch, alike, others FROM status ORDER BY batch"):
            told = iter(_others(others))
            every = list[OrderStatus]()
            for some in _in_turn(alike, lambda one: one.reports(), lambda report: report):
                every += [next(told)] if some is None else map(quick_status, some)
            yield Batch(every, partial(self._planned, number))

    def statuses(self) -> Iterator[OrderStatus]:
        """Those by number that `alike` has not added up."""
        for (others,) in self._spill.rows("SELECT others FROM status ORDER BY batch"):
            yield from _others(others)

    def mixed(self) -> Iterator[OrderStatus | list[PlainOrder]]:
        """All orders by number; those that `alike` has added up as rows, as many at once as follow each other."""
        for alike, others in self._spill.rows("SELECT alike, others FROM status ORDER BY batch"):
            told, plain = iter(_others(others)), list[PlainOrder]()
            for some in _in_turn(alike, plain_orders, plain_order):
                if some is not None:
                    plain += some
                    continue
                if plain:
                    yield plain
                    plain = []
                yield next(told)
            if plain:
                yield plain

    def named(self, numbers: Sequence[str]) -> Iterator[PlannedOrder]:
        """The planned orders of these numbers, by number."""
        for found in self._contents(numbers):
            yield from self._whole(found)

    def unsent(self, numbers: Sequence[str]) -> list[str]:
        """Those of these numbers, in their order, that columns gave as not to be sent: they have no entries."""
        self._index("by_number", "number")
        held: set[str] = set()
        for start in range(0, len(numbers), _ASKED):
            some = numbers[start : start + _ASKED]
            query = f"SELECT number FROM plan WHERE number IN ({', '.join('?' * len(some))}) AND {_IS_HELD}"
            held.update(number for (number,) in self._spill.rows(query, some))
        return [number for number in numbers if number in held]

    def _contents(self, numbers: Sequence[str]) -> Iterator[Iterator[tuple[str, bytes]]]:
        """(number, content) of these numbers, by number, some hundreds at a time."""
        self._index("by_number", "number")
        for start in range(0, len(numbers), _ASKED):
            some = numbers[start : start + _ASKED]
            among = f"FROM plan WHERE number IN ({', '.join('?' * len(some))})"
            if self._spill.scalar(f"SELECT count(*) {among}", some) < len(set(some)):
                # Not all of them have rows of their own.
                self._unpack()
            yield self._spill.rows(f"SELECT number, content {among} ORDER BY position", some)

    def _index(self, name: str, columns: str) -> None:
        """An index, once it is needed: a dry run needs none."""
        if name not in self._indices:
            self._spill.execute(f"CREATE INDEX {name} ON plan ({columns})")
            self._indices.add(name)

    def _packed(self, orders: Sequence[PlannedOrder | Quick | Held | Run]) -> tuple[bytes, bytes]:
        """What is reported of orders, without the classes around the values; what they have in common is stored once."""
        alike: list[_InTurn] = []
        at_once: dict[int, _AtOnce] = {}
        summed: dict[int, int] = {}
        others: list[OrderStatus] = []
        for order in orders:
            if isinstance(order, Run):
                bulk = order.bulk
                its = at_once.setdefault(id(bulk), _AtOnce(bulk, sorted(bulk.problems), []))
                for start, end, told in its.stretches(order):
                    if start < end:
                        its.spans.append((start, end))
                        alike.append((end - start, summed.setdefault(id(bulk), len(summed))))
                    if told:
                        alike.append((1, None))
                        others.append(quick_status(bulk.sums.report(end), bulk.problems[end]))
            elif isinstance(order, Quick) and not order.problems and not order.report.rounding:
                self.alike.add(order.report)
                alike.append((1, tuple(order.report)))
            else:
                alike.append((1, None))
                others.append(_status_of(order))
        sums = [at_once[its].bulk.sums.of(at_once[its].spans) for its in summed]
        for count, report in chain.from_iterable(one.added() for one in sums):
            self.alike.add(report, count)
        return marshal.dumps((alike, [one.packed() for one in sums])), pickle.dumps(list(map(_flat, others)), 5)

    def _unpack(self, first: int | None = None) -> None:
        """Rows for orders that were taken at once, of all batches or that which begins at a position."""
        named = "" if first is None else " WHERE first = ?"
        for (at,) in list(self._spill.rows(f"SELECT first FROM run{named}", () if first is None else (first,))):
            content = self._spill.scalar("SELECT content FROM run WHERE first = ?", (at,))
            self._spill.insert(_INSERT, chain.from_iterable(map(_run_rows, marshal.loads(content))))  # noqa: S302 - our own private file
            self._spill.execute("DELETE FROM run WHERE first = ?", (at,))

    def _planned(self, batch: int, numbers: Collection[str]) -> dict[str, PlannedOrder]:
        self._unpack((batch - 1) * BATCH + 1)
        query = "SELECT number, content FROM plan WHERE position > ? AND position <= ?"
        rows = self._spill.rows(query, ((batch - 1) * BATCH, batch * BATCH))
        return {order.number: order for order in self._whole(row for row in rows if row[0] in numbers)}

    def _read(self, query: str) -> Iterator[PlannedOrder]:
        self._unpack()
        yield from self._whole(self._spill.rows(query))

    def _whole(self, rows: Iterator[tuple[str, bytes]]) -> Iterator[PlannedOrder]:
        """The orders of (number, content); those stored by columns are planned by the rules, some hundreds at a time.

        Raises InternalError `internal.both_ways` where the rules plan one otherwise than it entered the plan id.
        """
        while chunk := list(islice(rows, BATCH)):
            yield from _again(chunk, self._planned_again)

    def _planned_again(self, numbers: Sequence[str]) -> Iterator[tuple[str, bytes, PlannedOrder]]:
        return ((order.number, line, order) for order, line in self.by_rules(numbers))


def _again(
    rows: Iterable[tuple[str, bytes]], given: Callable[[Sequence[str]], Iterable[tuple[str, bytes, PlannedOrder]]]
) -> Iterator[PlannedOrder]:
    """The orders of (number, content). `given`: those stored by columns anew, each with its part of the plan id.

    Raises InternalError `internal.both_ways` where one is not given as it entered the plan id.
    """
    found = list(rows)
    light = {number: content for number, content in found if len(content) == _MARK}
    answers = given(list(light)) if light else ()
    anew = {number: one for number, line, one in answers if _mark(line) == light.get(number)}
    for number, content in found:
        if number not in light:
            yield _order(content)
        elif number in anew:
            yield anew[number]
        else:
            raise differs(number)


_Row = tuple[int, str, str, str, str, bytes]
_INSERT = "INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)"
_Run = tuple[int, list[str], list[str], bytes]
"""Position of the first of some orders that follow each other, their numbers and consumptions, and the marks of all."""
_InTurn = tuple[int, int | tuple[Any, ...] | None]
"""How many orders follow each other of which the same is to be said: which sums hold them, the report of one, None for others."""


class _AtOnce(NamedTuple):
    """The orders of a bulk in a batch: the places that problems are told of, the spans of all others."""

    bulk: Bulk
    told: list[int]
    spans: list[tuple[int, int]]

    def stretches(self, run: Run) -> Iterator[tuple[int, int, bool]]:
        """(start, end, whether a problem is told of the order at the end) over the places of a run."""
        start = run.start
        for place in self.told[bisect_left(self.told, start) : bisect_left(self.told, run.end)]:
            yield start, place, True
            start = place + 1
        yield start, run.end, False


def _batches(orders: Iterable[PlannedOrder | Quick | Held | Run]) -> Iterator[list[PlannedOrder | Quick | Held | Run]]:
    """BATCH orders at a time, runs cut where a batch ends."""
    found: list[PlannedOrder | Quick | Held | Run] = []
    room = BATCH
    for order in orders:
        left: PlannedOrder | Quick | Held | Run = order
        while isinstance(left, Run) and left.size >= room:
            first, left = left.cut(room)
            yield [*found, first]
            found, room = [], BATCH
        size = left.size if isinstance(left, Run) else 1
        if size:
            found.append(left)
            room -= size
        if not room:
            yield found
            found, room = [], BATCH
    if found:
        yield found


def _row(at: int, order: PlannedOrder | Quick | Held, due: _Due) -> _Row:
    if isinstance(order, PlannedOrder):
        when = due.of(order.number, order.parent, order.consumption.isoformat() if order.consumption else "")
        return (at, order.number, order.parent, order.verdict.value, when, pickle.dumps(order, 5))
    verdict = order.verdict if isinstance(order, Held) else Verdict.READY
    number = order.number
    return (at, number, "", verdict.value, due.of(number, "", order.consumption), _mark(order.line))


def _run(at: int, run: Run, due: _Due) -> _Run:
    """Orders that were taken at once; none of them has a parent, or is one."""
    sums, some = run.bulk.sums, slice(run.start, run.end)
    numbers, consumptions = sums.numbers[some], sums.consumptions[some]
    due.of(numbers[-1], "", consumptions[-1])
    return at, numbers, consumptions, array("q", map(mark_of, run.bulk.lines.each(run.start, run.end))).tobytes()


def _run_rows(run: _Run) -> Iterator[_Row]:
    at, numbers, consumptions, marks = run
    ready = Verdict.READY.value
    for place, (number, when) in enumerate(zip(numbers, consumptions, strict=True)):
        yield at + place, number, "", ready, when, marks[_MARK * place : _MARK * (place + 1)]


def _mark(line: bytes) -> bytes:
    return array("q", [mark_of(line)]).tobytes()


def _status_of(order: PlannedOrder | Quick | Held) -> OrderStatus:
    if isinstance(order, Held):
        return held_status(order)
    return quick_status(order.report, order.problems) if isinstance(order, Quick) else planned_status(order)


def _flat(status: OrderStatus) -> tuple[Any, ...]:
    values = values_of(OrderStatus)(status)
    return values[:_TAXES], [values_of(TaxSum)(one) for one in status.taxes], values[_TAXES + 1 :]


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


_TAXES = [field.name for field in fields(OrderStatus)].index("taxes")


def _others(content: bytes) -> list[OrderStatus]:
    return list(map(_status, pickle.loads(content)))  # noqa: S301 - our own private file


def _in_turn(
    content: bytes, many: Callable[[Sums], Iterator[T]], one: Callable[[Report], T]
) -> Iterator[Iterable[T] | None]:
    """Orders by columns that there is nothing to say of, made of what is reported of them; None for each other order."""
    alike, packed = marshal.loads(content)  # noqa: S302 - likewise
    if packed:
        from etl.columns.sums import Sums  # loads numpy, which whoever has sums has loaded
    at_once = [many(Sums.unpacked(values)) for values in packed]
    for count, its in alike:
        if its is None:
            yield None
        elif isinstance(its, int):
            yield islice(at_once[its], count)
        else:
            yield (one(Report(*its)),)


def _status(row: tuple[Any, ...]) -> OrderStatus:
    before, taxes, after = row
    values = (*before, tuple([TaxSum(*one) for one in taxes]), *after)
    return OrderStatus(*values)
