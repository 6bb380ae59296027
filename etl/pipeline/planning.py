"""Staged orders to the plan of a batch: one decision over the whole file, then order by order.

dry-run and run share every line of this module.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain
from urllib.parse import urlsplit

import structlog

from etl.columns.quick import Held, Quick
from etl.columns.taken import Run
from etl.errors import UsageError
from etl.mapping.lookup import TaxTable, find_glob, find_payment, find_voucher
from etl.model.kinds import OLD
from etl.model.mapping import ControlRow, Mapping
from etl.model.order import Order
from etl.model.plan import Basis, PlannedOrder, Verdict, plan_line
from etl.model.reference import Reference
from etl.model.status import OrderStatus
from etl.pipeline.both_ways import FastLane, Left, Taken, by_rules
from etl.pipeline.finished import Done, Finished, Reported
from etl.pipeline.footing_votes import Decided, Ways, decide, ways_by_rules
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.shipping_trials import ShippingTrials
from etl.pipeline.stated_totals import StatedTotals
from etl.staging.batch import Batch
from etl.staging.spool import Parts
from etl.transform.arithmetic import Arithmetic
from etl.transform.consumption import local_day, window_at, window_start
from etl.transform.context import Context, Footing, Lookups, waivers_of
from etl.transform.conversion import Conversion
from etl.transform.order import plan_order

PUBLIC_DEMO_HOST = "api.mews-demo.com"

AT_ONCE = 2_000
_AT_ONCE_BYTES = 2 << 20
"""So many orders, and about so many bytes of rows, are offered to the lane by columns at once."""
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Span:
    """The local order dates that a command is narrowed to; `end` exclusive. Raises UsageError where none is left."""

    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(
                f"--from {self.start} --to {self.end} leaves no day.",
                hint="--to is exclusive: --from 2024-01-01 --to 2024-02-01 is January.",
            )


@dataclass(slots=True)
class ControlSum:
    """What the export holds of one month and currency, orders skipped by rule left out."""

    orders: int = 0
    total: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    untaxed: int = 0
    """Orders whose tax is not known, because they are blocked."""


def _none(_: Reported) -> Iterator[tuple[OrderStatus, int]]:
    return iter(())


@dataclass(slots=True)
class PlanFacts:
    """What is known of the plan as a whole. `earliest`: from which consumption on Mews takes orders."""

    plan: str = ""
    footing: Footing | None = None
    footing_votes: dict[str, int] = field(default_factory=dict)
    earliest: datetime | None = None
    inside_window: int = 0
    outside_window: int = 0
    controls: dict[tuple[str, str], ControlSum] = field(default_factory=dict)
    stated: StatedTotals = field(default_factory=StatedTotals)
    shipping: ShippingTrials | None = field(default=None, compare=False, repr=False)
    finished: Callable[[Reported], Iterator[tuple[OrderStatus, int]]] = field(default=_none, compare=False, repr=False)
    """Sums of the orders that were taken out, and of how many; see `Finished.statuses`."""


def make_context(mapping: Mapping, reference: Reference, *, now: datetime, orders: int) -> Context:
    """The rules' surroundings at `now` (Mews's clock) for a batch of about `orders` orders."""
    count, seconds = mapping.settings.mews.limit
    run_seconds = Decimal(orders) * seconds / count
    return Context(
        mapping,
        reference,
        Lookups(TaxTable(mapping.taxes), find_glob, find_voucher, find_payment),
        window_at(reference, mapping.settings, now, run_seconds),
        Conversion(Arithmetic(reference)),
        waivers=waivers_of(mapping),
        is_public_demo=is_public_demo(reference.platform),
    )


def is_public_demo(address: str) -> bool:
    """Whether the platform address is Mews's public demo; a trailing dot names the same host."""
    return (urlsplit(address).hostname or "").rstrip(".") == PUBLIC_DEMO_HOST


def earliest_consumption(mapping: Mapping, reference: Reference) -> Callable[[datetime], datetime]:
    """Mews's now to the earliest consumption that it takes then, or in the second that begins next.

    Asked before each order leaves; calendar arithmetic is done once a second.
    """
    which = mapping.settings.target.editable_window

    @lru_cache(maxsize=1)
    def start_at(second: datetime) -> datetime:
        return window_start(reference, which, second)

    return lambda now: start_at(now.replace(microsecond=0) + timedelta(seconds=bool(now.microsecond)))


def plan_batch(
    batch: Batch,
    ctx: Context,
    store: PlanStore,
    *,
    span: Span,
    has_tax_modes: bool,
    expected: int,
    progress: Progress,
    is_fast: bool = False,
    is_sent: bool = False,
    finished: Finished | None = None,
) -> PlanFacts:
    """Plans every order of the batch into `store` and gives the plan id.

    `expected` orders are shown as the end of the progress. `has_tax_modes`: orders may carry a basis of their own (get-orders). The way in which orderTotal of orders without tax foots is decided over the whole batch first.
    `is_fast`: plain orders may be planned by columns; `is_sent`: whole, since they are sent. `finished`: takes out what is posted and as it was; that enters
    the plan id and no store. Raises InternalError where both ways differ.
    """
    facts = PlanFacts(earliest=ctx.window.start)
    lane = (
        FastLane(batch, ctx, None if is_sent else store.entries, is_whole=is_sent)
        if is_fast and span == Span()
        else None
    )
    decided = Decided(None, {}, is_open=False)
    if ctx.mapping.settings.source.prices_include_tax is not True or has_tax_modes:
        ways = _ways(batch, lane) if lane and lane.is_open else None
        decided = decide(ways or ways_by_rules(batch.orders(start=span.start, end=span.end), ctx))
    facts.footing, facts.footing_votes = decided.footing, decided.votes
    if decided.footing or decided.is_open:
        ctx = replace(ctx, footing=decided.footing)
        if lane is not None:
            lane.decide(ctx)
    store.by_rules = partial(by_rules, batch, ctx)
    planned = _Planned(ctx, facts, ShippingTrials(ctx, batch.named), partial(progress, "transform"), expected)
    with _rare_collections():
        every = _orders(batch, span, lane)
        store.fill(planned.all(every if finished is None else finished.orders(ctx, partial(_some, batch, lane))))
    if finished is not None:
        facts.finished = partial(finished.statuses, ctx)
        store.count += finished.count
        structlog.get_logger().info("posted and met again as they were", orders=finished.count)
    facts.plan = "sha256:" + planned.digest.hexdigest()
    if lane is not None:
        lane.log()
    return facts


class _Planned:
    """The orders as they are planned, and what is gathered of all of them on the way."""

    def __init__(
        self,
        ctx: Context,
        facts: PlanFacts,
        trials: ShippingTrials,
        progress: Callable[[int, int | None], None],
        expected: int,
    ) -> None:
        self.digest = hashlib.sha256()
        self._ctx, self._facts, self._rules = ctx, facts, _ByRules(ctx)
        self._trials = facts.shipping = trials
        self._progress, self._expected = progress, expected
        self._count = 0

    def all(
        self, orders: Iterable[Order | Quick | Held | Run | Done | Taken]
    ) -> Iterator[PlannedOrder | Quick | Held | Run]:
        """What is to be stored of the orders, which come by number."""
        for found in orders:
            size = 1
            if isinstance(found, Run):
                size = found.size
                self._take(found.lines, found.footed, size, found.old)
                if (stated := found.stated) is not None:
                    self._state(*stated)
                yield found
            elif isinstance(found, Done):
                self._take(found.line, [found.number] if found.has_shipping else [], 1)
            elif isinstance(found, Taken):
                self._whole(found)
                yield found.order
            elif isinstance(found, Quick):
                shipped = [found.number] if found.is_footed_with_shipping else []
                self._take(found.line, shipped, 1, OLD in found.report.unproved)
                yield found
            elif isinstance(found, Held):
                self._hold(found)
                yield found
            else:
                yield self._by_rules(found)
            self._tell(size)

    def _take(self, lines: bytes, footed: Sequence[str], size: int, old: int = 0) -> None:
        """Takes note of so many orders, and how many of them are older than the window."""
        self.digest.update(lines)
        self._facts.inside_window += size - old
        self._facts.outside_window += old
        self._trials.add_plain(footed)

    def _state(self, currency: str, precision: int, orders: int, source: int, stated: int) -> None:
        """Adds so many orders without tax to those whose orderTotals may have it."""
        if orders:
            added, given = (Decimal(one).scaleb(-precision) for one in (source, stated))
            self._facts.stated.add(currency, added, given, orders)

    def _whole(self, taken: Taken) -> None:
        order = taken.order
        self.digest.update(taken.line)
        _count_window(order, self._ctx, self._facts)
        self._trials.add_plain([order.number] if taken.is_footed_with_shipping else [])
        if order.basis is Basis.NET:
            self._facts.stated.add(order.currency, order.source_total, taken.stated)

    def _hold(self, order: Held) -> None:
        self.digest.update(order.line)
        if order.stated is not None:
            self._state(order.currency, order.precision, 1, order.total, order.stated)
        if not order.skip_reason:
            self._facts.inside_window += not order.is_old
            self._facts.outside_window += order.is_old
            if order.has_shipping:
                self._trials.add_odd()

    def _by_rules(self, order: Order) -> PlannedOrder:
        ctx, facts = self._ctx, self._facts
        result = self._rules.plan(order)
        self.digest.update(plan_line(result, ctx.mapping.settings.source.store))
        _count_window(result, ctx, facts)
        _add_control(result, ctx, facts)
        self._trials.add(order, result)
        if result.basis is Basis.NET:
            facts.stated.add(result.currency, result.source_total, order.order_total)
        return result

    def _tell(self, size: int) -> None:
        before, self._count = self._count, self._count + size
        if before // 1000 != self._count // 1000:
            self._progress(self._count, self._expected)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Lets go of cycles less often: planning makes next to none, and each search walks over thousands of rows in vain."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _orders(batch: Batch, span: Span, lane: FastLane | None) -> Iterator[Order | Quick | Held | Run | Taken]:
    """The orders by number, plain ones already planned by columns."""
    if lane is None or not lane.is_open:
        yield from batch.orders(start=span.start, end=span.end)
        return
    for chunk in _offered(batch):
        yield from _some(batch, lane, chunk)


def _some(
    batch: Batch, lane: FastLane | None, orders: Sequence[tuple[str, Parts]]
) -> Iterator[Order | Quick | Held | Run | Taken]:
    """The same of some orders that follow each other."""
    if lane is None or not lane.is_open:
        for number, parts in orders:
            yield from batch.read(number, parts)
        return
    for found in lane.take(orders):
        if isinstance(found, Left):
            yield from batch.read(*found)
        else:
            yield found


def _ways(batch: Batch, lane: FastLane) -> Iterator[Ways]:
    """The ways in which orderTotals foot, plain ones by columns."""
    return chain.from_iterable(map(lane.ways, _offered(batch)))


def _offered(batch: Batch) -> Iterator[Sequence[tuple[str, Parts]]]:
    """All orders by number, some at a time."""
    return batch.blocks() if batch.has_blocks else _chunks(batch.parts())


def _chunks(orders: Iterator[tuple[str, Parts]]) -> Iterator[list[tuple[str, Parts]]]:
    """Some orders at a time: not too many, and not too long together."""
    chunk: list[tuple[str, Parts]] = []
    size = 0
    for number, parts in orders:
        chunk.append((number, parts))
        size += sum([len(part.data) for part in parts])
        if len(chunk) >= AT_ONCE or size > _AT_ONCE_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _ByRules:
    """Plans orders one after the other, each nested return directly after its own order."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._parent = ("", Verdict.READY)

    def plan(self, order: Order) -> PlannedOrder:
        """What would be sent for the order, or why not."""
        verdict = self._parent[1] if order.parent and order.parent == self._parent[0] else None
        result = plan_order(order, self._ctx, verdict)
        if not order.parent:
            self._parent = (order.number, result.verdict)
        return result


def _count_window(order: PlannedOrder, ctx: Context, facts: PlanFacts) -> None:
    if order.verdict is Verdict.SKIPPED or order.true_consumption is None:
        return
    if order.true_consumption >= ctx.window.start:
        facts.inside_window += 1
    else:
        facts.outside_window += 1


def _add_control(order: PlannedOrder, ctx: Context, facts: PlanFacts) -> None:
    """Adds the order under its true month on the enterprise's calendar, which is how a shop's report counts it."""
    if not ctx.mapping.controls or order.verdict is Verdict.SKIPPED:
        return
    moment = order.true_consumption
    month = order.month if moment is None else f"{local_day(moment, ctx.reference.timezone):%Y-%m}"
    sums = facts.controls.setdefault((month, order.currency), ControlSum())
    sums.orders += 1
    sums.total += order.source_total or Decimal(0)
    sums.tax += sum((entry.predicted.tax for entry in order.revenue), Decimal(0))
    sums.untaxed += order.verdict is not Verdict.READY


def compare_controls(controls: Iterable[ControlRow], facts: PlanFacts) -> list[dict[str, str]]:
    """Every figure of controls.csv beside what the export holds: an export can't prove its own completeness.

    The tax of a month with blocked orders is not known, and is not compared.
    """
    rows = []
    for row in controls:
        sums = facts.controls.get((row.month, row.currency), ControlSum())
        figures: list[tuple[str, Decimal | int | None, Decimal | int]] = [
            ("orders", row.orders, sums.orders),
            ("total", row.total, sums.total),
        ]
        if not sums.untaxed:
            figures.append(("tax", row.tax, sums.tax))
        for name, control, export in figures:
            if control is not None:
                rows.append(
                    {
                        "month": row.month,
                        "currency": row.currency,
                        "figure": name,
                        "control": f"{Decimal(control):f}",
                        "export": f"{Decimal(export):f}",
                        "difference": f"{Decimal(export) - Decimal(control):f}",
                    }
                )
    return rows
