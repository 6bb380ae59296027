"""The fast lane beside the rules: which orders it takes, why not the others, and the proof that both agree.

A dry run, repeated all day while a mapping is made, takes it for an order's part of the plan id and its status; whatever else is
asked of an order then comes from the rules, who have to give the same part again. A run, and a dry run against a ledger that knows
orders, take whole orders from it: what would be sent of each is held against its part of the plan id. The first order of every
signature and every 1,000th are planned both ways at once, and have to be the same to the last field.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import structlog

from etl.columns.known import why_never, why_never_table
from etl.columns.lane import Lane
from etl.columns.quick import Beside, Held, Quick, Shown
from etl.columns.rows import Rows
from etl.columns.taken import Run
from etl.errors import InternalError
from etl.model.order import Order
from etl.model.plan import Basis, EntryKind, PlannedOrder, plan_line
from etl.pipeline.classify import held_status, planned_status, quick_status
from etl.pipeline.footing_votes import Ways
from etl.pipeline.kept_entries import KeptEntries
from etl.staging.batch import Batch
from etl.staging.spool import Parts
from etl.transform.context import Context, Footing
from etl.transform.order import footings, plan_order

if TYPE_CHECKING:
    from etl.columns.block import Block
    from etl.columns.bulk import Found
    from etl.columns.stretch import Of
    from etl.columns.whole import Whole

SWITCH, RULES, BOTH = "CENTRA_MEWS_PLAN", "rules", "both"
"""The variable of the environment, and what it may say: every order by the rules alone, or every order both ways."""
CHECK_EVERY = 1_000
T = TypeVar("T")
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a mistake in arithmetic on columns ends with. A full disk, say, is none: the rules meet it as well."""


class Taken(NamedTuple):
    """An order by columns, whole, with its part of the plan id and the orderTotal of the export.

    `is_footed_with_shipping` as of a `Quick`.
    """

    order: PlannedOrder
    line: bytes
    stated: Decimal | None
    is_footed_with_shipping: bool


class Left(NamedTuple):
    """An order that the rules have to plan."""

    number: str
    parts: Parts


def is_switched_off() -> bool:
    """Whether every order is planned by the rules."""
    return os.environ.get(SWITCH) == RULES


class FastLane:
    """Takes orders of a batch by columns. `admitted`: how many, `reasons`: why not the others."""

    def __init__(
        self, batch: Batch, ctx: Context, entries: KeptEntries | None = None, *, is_whole: bool = False
    ) -> None:
        """`entries`: keeps those of the first orders. `is_whole`: gives orders as they are sent, for a run."""
        self._batch, self._ctx, self._entries, self._is_whole = batch, ctx, entries, is_whole
        self.admitted = 0
        self.fault = ""
        """What columns ended with that nobody foresaw; from then on the rules plan all."""
        self.reasons: Counter[str] = Counter()
        self._signatures: dict[int, set[Any]] = {}
        self._every = 1 if os.environ.get(SWITCH) == BOTH else CHECK_EVERY
        # Loads numpy, which whoever plans by the rules alone has no use for.
        from etl.columns.block import GroupBlock
        from etl.columns.bulk import BulkLane
        from etl.columns.stretch import Of, in_order
        from etl.columns.whole import Whole
        from etl.pipeline.packing import packed_bulk
        from etl.staging.blocks import BlockOrders

        self._packed_bulk, self._make_whole = packed_bulk, Whole
        self._made: Whole | None = None
        self._block, self._blocks, self._of, self._in_order = GroupBlock, BlockOrders, Of, in_order
        self._never = why_never(ctx)
        self._lanes: dict[int, Lane] = {}
        self._whys: dict[int, str] = {}
        for index, table in batch.plain_tables().items() if not self._never else ():
            if why := why_never_table(table):
                self._whys[index] = why
            else:
                self._lanes[index] = Lane(ctx, table)
        self._voted, self._voters = 0, set[int]()
        ranking = list(enumerate(Footing))
        self._ways_of = [frozenset(one for at, one in ranking if bits >> at & 1) for bits in range(1 << len(ranking))]
        """Footings by their bits."""
        self._bulks = {index: BulkLane(lane) for index, lane in self._lanes.items() if lane.is_open_to_many}

    @property
    def is_open(self) -> bool:
        """Whether any order can be taken; else looking at them is time lost."""
        return bool(self._lanes)

    @property
    def why_closed(self) -> str:
        """Why no order can be."""
        return self._never or ", ".join(sorted(set(self._whys.values()))) or "no file of plain rows"

    def take(self, orders: Sequence[tuple[str, Parts]]) -> Iterator[Run | Quick | Held | Left | Taken]:
        """The orders by columns, in their order, or as what is left to the rules; whole ones are those taken at once.

        Raises InternalError `internal.both_ways` where an order that was planned both ways differs.
        """
        if self.fault:
            self.reasons[self.fault] += len(orders)
            yield from [Left(number, parts) for number, parts in orders]
            return
        for at, file, taken in self._in_order(len(orders), self._at_once(orders)):
            if self._is_whole:
                if isinstance(taken, Run):
                    yield from self._whole(file, taken, orders, at)
                else:
                    self.reasons["not taken at once"] += 1
                    yield Left(*orders[at])
            elif isinstance(taken, Run):
                for place in self._samples(file, taken):
                    one = taken.start + place
                    self._check(taken.bulk.quick(one), *orders[at + place], taken.bulk.shown(one))
                yield taken
            elif taken is None:
                yield self._one(*orders[at])
            else:
                yield self._held(file, taken, orders, at)

    def decide(self, ctx: Context) -> None:
        """Takes over how orderTotals without tax foot."""
        self._ctx = ctx
        for bulk in self._bulks.values():
            bulk.footing = ctx.footing

    def ways(self, orders: Sequence[tuple[str, Parts]]) -> Iterator[Ways]:
        """The ways in which orderTotals without tax foot, of plain orders by columns; those of a kind and every 1,000th both ways.

        Raises InternalError `internal.both_ways` where an order foots otherwise by the rules.
        """
        left = dict.fromkeys(range(len(orders)))
        told: Counter[frozenset[Footing]] = Counter()
        for file, ats, block in self._offered(orders) if not self.fault else ():
            footed = self._or_none(lambda: self._bulks[file].footings(block).tolist())  # noqa: B023 - called at once
            for at, bits in zip(ats, footed, strict=True) if footed is not None else ():
                if bits < 0:
                    continue
                del left[at]
                its = self._ways_of[bits]
                told[its] += 1
                if self._is_voter(bits) and self._ways_by_rules(*orders[at]) != [its]:
                    raise differs(orders[at][0])
        yield from told.items()
        for at in left:
            yield from [(its, 1) for its in self._ways_by_rules(*orders[at])]

    def _is_voter(self, bits: int) -> bool:
        """Whether it is also asked of the rules how one more order foots."""
        self._voted += 1
        if self._voted % self._every and bits in self._voters:
            return False
        self._voters.add(bits)
        return True

    def _ways_by_rules(self, number: str, parts: Parts) -> list[frozenset[Footing] | None]:
        return [footings(order, self._ctx) for order in self._batch.read(number, parts)]

    def _whole(self, file: int, run: Run, orders: Sequence[tuple[str, Parts]], at: int) -> Iterator[Taken | Left]:
        """The orders of a run as they are sent. Raises InternalError as `take`."""
        bulk, made = run.bulk, self._made
        is_net = self._ctx.arithmetic.basis is Basis.NET
        if bulk.entries is None or bulk.sums.is_net is not is_net:
            self.reasons["another tax basis, in a run"] += run.size
            yield from [Left(*orders[at + place]) for place in range(run.size)]
            return
        if made is None or made.bulk is not bulk:
            made = self._made = self._make_whole(self._ctx, self._lanes[file].table, bulk, bulk.entries)
        samples, store = set(self._samples(file, run)), self._ctx.mapping.settings.source.store
        for place in range(run.size):
            (number, parts), one = orders[at + place], run.start + place
            read = self._batch.read(number, parts)
            is_asked = len(read) == 1 and not self.fault
            planned = self._or_none(lambda: made.order(read[0], one)) if is_asked else None  # noqa: B023 - likewise
            if planned is None:
                self.admitted -= 1
                self.reasons["columns do not give it whole"] += 1
                yield Left(number, parts)
                continue
            line = bulk.lines.one(one)
            if plan_line(planned, store) != line or (place in samples and not is_same(planned, self._ctx, read[0])):
                raise differs(number)
            yield Taken(planned, line, read[0].order_total, bulk.footed[one])

    def _samples(self, file: int, run: Run) -> list[int]:
        """Which orders of a run are planned both ways."""
        signatures, known = run.bulk.signatures[run.start : run.end], self._signatures.setdefault(file, set())
        before, self.admitted = self.admitted, self.admitted + run.size
        found = set(range(-before % self._every or self._every, run.size + 1, self._every))
        if not known.issuperset(signatures):
            for at, signature in enumerate(signatures, 1):
                if signature not in known:
                    known.add(signature)
                    found.add(at)
        return [at - 1 for at in sorted(found)]

    def _held(self, file: int, order: Held, orders: Sequence[tuple[str, Parts]], at: int) -> Held:
        if self._is_sample(file, order.signature):
            planned = alike_by_rules(self._batch, self._ctx, *orders[at], order.line)
            # A person is shown no entries of it, without the rules being asked again.
            if planned is None or planned.entries or repr(planned_status(planned)) != repr(held_status(order)):
                raise differs(order.number)
        return order

    def _at_once(self, orders: Sequence[tuple[str, Parts]]) -> list[Of]:
        """What is taken by whole columns."""
        taken = [(file, ats, self._taken(file, block)) for file, ats, block in self._offered(orders)]
        return [self._of(file, ats, found) for file, ats, found in taken if found is not None]

    def _offered(self, orders: Sequence[tuple[str, Parts]]) -> Iterator[tuple[int, Sequence[int], Block]]:
        """(file, places, block) of the orders that may be taken by whole columns."""
        if isinstance(orders, self._blocks):
            file, block = orders.file, orders.block
            if file in self._bulks and len(block.rows) > 0:
                yield file, range(len(orders)), block
            return
        offered: dict[int, dict[int, tuple[str, Rows]]] = {}
        for at, (number, parts) in enumerate(orders):
            if parts[0].file in self._bulks and (rows := self._batch.groups(parts)) is not None:
                offered.setdefault(parts[0].file, {})[at] = (number, rows)
        for file, some in offered.items():
            yield file, list(some), self._block(list(some.values()))

    def _taken(self, file: int, block: Block) -> Found | None:
        """What is taken of the orders of a block, None for nothing; while there is room, their entries are kept for the page."""
        entries = self._entries
        is_kept = entries is not None and entries.room > 0
        is_detailed = is_kept or self._is_whole
        found = self._or_none(lambda: self._bulks[file].take(block, is_detailed=is_detailed))
        for bulk in found.bulks if found is not None else ():
            if entries is not None and bulk.entries is not None:
                packed = self._packed_bulk(block, bulk, bulk.entries, self._batch.heads(file))
                entries.add_packed(bulk.sums.numbers, packed)
        return found

    def _or_none(self, do: Callable[[], T]) -> T | None:
        """What columns give; None where they end with what nobody foresaw, and the rules, which can do all, go on alone.

        Half of what columns keep may be missing then, so they are asked nothing more. Where a person wants every order planned
        both ways, the fault goes on.
        """
        try:
            return do()
        except _FAULTS as error:
            if self._every == 1:
                raise
            self.fault = f"a fault of this program ({type(error).__name__})"
            structlog.get_logger().warning(
                "planning by columns failed; the rules plan all orders from here on, with the same result. Please report it",
                fault=type(error).__name__,
            )
            return None

    def _one(self, number: str, parts: Parts) -> Quick | Left:
        is_kept = self._entries is not None and self._entries.room > 0
        found = self._take(number, parts, is_detailed=is_kept)
        if isinstance(found, str):
            self.reasons[found] += 1
            return Left(number, parts)
        if self._is_sample(parts[0].file, found.signature):
            self._check(found, number, parts)
        if self._entries is not None and found.beside is not None:
            self._entries.add(number, found.line, found.beside)
        return found

    def _is_sample(self, file: int, signature: tuple[Any, ...]) -> bool:
        """Whether one more order is planned both ways: the first of its signature in a file, and every so many."""
        known = self._signatures.setdefault(file, set())
        self.admitted += 1
        if self.admitted % self._every and signature in known:
            return False
        known.add(signature)
        return True

    def log(self) -> None:
        """Says how many orders were planned by columns, and why the others were not."""
        reasons = dict(self.reasons.most_common()) if self.is_open else {self.why_closed: "all"}
        structlog.get_logger().info("planned by columns", orders=self.admitted, others=reasons)

    def _take(self, number: str, parts: Parts, *, is_detailed: bool) -> Quick | str:
        lane = self._lanes.get(parts[0].file)
        if lane is None:
            return self._whys.get(parts[0].file, "no file of plain rows")
        groups = self._batch.groups(parts)
        if groups is None:
            return "a row with a fault, or several files"
        found = self._or_none(lambda: lane.take(number, groups, is_detailed=is_detailed)) if not self.fault else None
        return self.fault if found is None else found

    def _check(self, quick: Quick, number: str, parts: Parts, shown: Sequence[Shown] | None = None) -> None:
        """Holds an order against the rules, and what a person is shown of it against what one order by columns gives.

        `shown`: what a person is shown of one that was taken among many.
        """
        planned = alike_by_rules(self._batch, self._ctx, number, parts, quick.line)
        if planned is None or repr(planned_status(planned)) != repr(quick_status(quick.report, quick.problems)):
            raise differs(number)
        if shown is not None:
            if list(shown) != list(_shown(planned, quick.report.precision)):
                raise differs(number)
            return
        alone = self._take(number, parts, is_detailed=True)
        if isinstance(alone, str):
            # The lane takes it among many only, and then nobody is shown its entries by columns.
            return
        beside = quick.beside or alone.beside
        if beside is None or _beside(planned, quick.report.precision) != beside:
            raise differs(number)


def _beside(order: PlannedOrder, digits: int) -> Beside:
    """What a person sees of the entries of an order by the rules, as columns give it."""
    found = Beside([], [], [], [])
    for one in order.entries:
        found.nets.append(int(one.predicted.net.scaleb(digits)))
        found.rows.append(one.place.row or 0)
        found.rules.append(one.rule)
        found.names.append(one.name if one.kind is EntryKind.PRODUCT else "")
    return found


def _shown(order: PlannedOrder, digits: int) -> Iterator[Shown]:
    """The same of orders that are taken among many."""
    for one in order.entries:
        booked = one.predicted.gross if one.basis is Basis.NET else one.predicted.net
        unit, other = (int(amount.scaleb(digits)) for amount in (one.unit, booked))
        yield one.line, one.name, one.count, unit, one.codes, other, one.place.row or 0, one.rule


def is_same(planned: PlannedOrder, ctx: Context, order: Order) -> bool:
    """Whether the rules plan the order so, to the last byte of what is sent of it, and of what is kept of it."""
    return exact(plan_order(order, ctx)) == exact(planned)


def exact(order: PlannedOrder) -> tuple[Any, ...]:
    """All of an order, places and the texts of amounts included, which no equality of orders asks for."""
    return repr(order.problems), repr(order.payments), order.__reduce__()


def alike_by_rules(batch: Batch, ctx: Context, number: str, parts: Parts, line: bytes) -> PlannedOrder | None:
    """The order by the rules; None where they do not give this part of the plan id, and it alone."""
    planned = [plan_order(order, ctx) for order in batch.read(number, parts)]
    store = ctx.mapping.settings.source.store
    return planned[0] if len(planned) == 1 and plan_line(planned[0], store) == line else None


def by_rules(batch: Batch, ctx: Context, numbers: Sequence[str]) -> Iterator[tuple[PlannedOrder, bytes]]:
    """Orders that the fast lane took, planned by the rules, each with its part of the plan id."""
    store = ctx.mapping.settings.source.store
    for order in batch.named(numbers):
        planned = plan_order(order, ctx)
        yield planned, plan_line(planned, store)


def mark_of(line: bytes) -> int:
    """What is kept of an order's part of the plan id, to hold the rules against: 64 bits that hold in this process alone."""
    return hash(line)


def differs(number: str) -> InternalError:
    """What is said where both ways of planning an order differ."""
    return InternalError(
        f"order {number} is planned otherwise by columns than by the rules; nothing was sent",
        code="internal.both_ways",
        hint=f"Set {SWITCH}={RULES} and run again: every order is then planned by the rules. Please report the order.",
    )
