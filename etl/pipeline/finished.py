"""Orders that are posted and met again as they were: a rerun takes them from the ledger instead of planning them.

A plan follows from an order's cells, the mapping, the reference data and this program, and from nothing else. Where all
of them are what they were, so is the order's part of the plan id, which the ledger remembers, and nothing has changed.
Whatever else is to be said of an order (a notice, a payment, a correction, something that Mews showed) makes it none of
these. The first and every 1,000th are planned by the rules all the same and must agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from etl.columns.quick import Booked, Report
from etl.errors import InternalError
from etl.ledger.ledger import Ledger
from etl.ledger.records import LedgerOrder, Part
from etl.ledger.remembered import PostedOrder
from etl.model.identity import RECIPE_VERSION, split_number
from etl.model.mapping import Mapping
from etl.model.plan import Basis, PlannedOrder, Verdict, plan_line
from etl.model.reference import Reference, dump_reference
from etl.model.route import Route
from etl.model.status import OrderStatus
from etl.pipeline.alike import Alike
from etl.pipeline.both_ways import CHECK_EVERY, RULES, SWITCH, alike_by_rules
from etl.pipeline.classify import needs_parts, posted_status, status_of
from etl.staging.batch import Batch
from etl.staging.spool import Parts
from etl.transform.context import Context
from etl.transform.order import plan_order
from etl.version import __version__

_CHUNK = 500
_SHIPPING = b'["s1",'
Planned = TypeVar("Planned")
Others = Callable[[Sequence[tuple[str, Parts]]], Iterable[Planned]]
"""Orders that follow each other, with their parts, as they go into the plan."""
Reported = Callable[[PlannedOrder, LedgerOrder, Sequence[Part]], OrderStatus]
"""How a command reports an order of which plan, ledger and the ledger's parts say this."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def key_of(mapping: Mapping, reference: Reference) -> str:
    """All that a plan follows from beside an order's own cells; Mews's clock is asked for each order."""
    said = [__version__, RECIPE_VERSION, mapping.digest, dump_reference(replace(reference, now=_NEVER))]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def is_possible(mapping: Mapping) -> bool:
    """Whether a plan rests on its order alone, and nothing counts over all: ways of footing, controls, words of values.csv."""
    settings = mapping.settings
    is_of_all = mapping.controls or mapping.values
    return settings.source.prices_include_tax is True and settings.route is Route.ORDERS and not is_of_all


class Done(NamedTuple):
    """An order that is posted and as it was: its number and its part of the plan id."""

    number: str
    line: bytes

    @property
    def has_shipping(self) -> bool:
        """Whether an entry of it is shipping."""
        return _SHIPPING in self.line


class Finished:
    """Finds such orders in a batch, and sums them up. `count`: how many were found."""

    def __init__(self, ledger: Ledger, batch: Batch, key: str) -> None:
        self._ledger, self._batch, self._key = ledger, batch, key
        self.count = 0
        self._lots: list[str] = []
        """Their numbers, as texts of many: a history has millions."""

    def orders(self, ctx: Context, others: Others[Planned]) -> Iterator[Done | Planned]:
        """Every order of the batch by number. `others` reads, or plans, those that are not done."""
        every = self._batch.parts()
        while chunk := list(islice(every, _CHUNK)):
            known = self._ledger.remembered([number for number, _ in chunk], self._key)
            done: list[str] = []
            left: list[tuple[str, Parts]] = []
            for number, parts in chunk:
                one = known.get(number)
                if one is None or self._batch.rows_hash(parts) != one.rows or not _is_inside(one.consumed, ctx):
                    left.append((number, parts))
                    continue
                if left:
                    yield from others(left)
                    left = []
                if self.count % CHECK_EVERY == 0:
                    self._check(number, parts, one.line, ctx)
                self.count += 1
                done.append(number)
                yield Done(number, one.line)
            if left:
                yield from others(left)
            if done:
                self._lots.append("\n".join(done))

    def keep(self, run_id: str) -> None:
        """Tells the ledger that the plan of a run holds them."""
        for numbers in self._chunks():
            with self._ledger.steps() as steps:
                steps.meet_again(run_id, numbers)

    def statuses(self, ctx: Context, reported: Reported) -> Iterator[tuple[OrderStatus, int]]:
        """Sums of those that are so still, and of how many; each by itself that the run found otherwise, as `reported`."""
        alike = Alike()
        for numbers in self._chunks():
            found = self._ledger.posted_orders(numbers)
            reports = {number: report for number, one in found.items() if (report := _report(one, ctx)) is not None}
            for report in reports.values():
                alike.add(report)
            others = [number for number in numbers if number not in reports]
            held = self._ledger.lookup(others) if others else {}
            parts = self._ledger.parts(order.number for order in held.values() if needs_parts(order))
            for order in self._batch.named(others) if others else ():
                yield reported(plan_order(order, ctx), held[order.number], parts.get(order.number, ())), 1
        for report, orders in alike.reports():
            yield posted_status(report), orders

    def _chunks(self) -> Iterator[list[str]]:
        for lot in self._lots:
            yield lot.split("\n")

    def _check(self, number: str, parts: Parts, line: bytes, ctx: Context) -> None:
        """Raises InternalError where the order is planned otherwise than the ledger remembers."""
        store = ctx.mapping.settings.source.store
        planned = alike_by_rules(self._batch, ctx, number, parts, line)
        held, posted = self._ledger.order(number), self._ledger.posted_orders([number]).get(number)
        report = _report(posted, ctx) if posted is not None else None
        same = planned is not None
        if planned is not None and held is not None and report is not None:
            seen = replace(status_of(planned, held, store), mews_order_id="")
            same = repr(seen) == repr(posted_status(report))
        if not same:
            raise InternalError(
                f"order {number} is planned otherwise than the ledger remembers; nothing was sent",
                code="internal.both_ways",
                hint=f"Set {SWITCH}={RULES} and run again: every order is then planned anew. Please report the order.",
            )


class Memory:
    """Keeps, while a plan is recorded, what its orders were read from and planned as."""

    def __init__(self, ledger: Ledger, batch: Batch, key: str, store: str) -> None:
        self._ledger, self._batch, self._key, self._store = ledger, batch, key, store
        self._rows: list[tuple[str, str, str, bytes]] = []

    def watch(self, orders: Iterable[PlannedOrder]) -> Iterator[PlannedOrder]:
        """The orders, which come by number."""
        every = self._batch.parts()
        number, parts = "", None
        for order in orders:
            own, nested = split_number(order.number)
            while number != own:
                number, parts = next(every)
            if not nested and parts is not None and _is_plain(order):
                self._add(order, parts)
            yield order
        self._flush()

    def _add(self, order: PlannedOrder, parts: Parts) -> None:
        hashed = self._batch.rows_hash(parts)
        if hashed:
            self._rows.append((order.number, order.fingerprint, hashed, plan_line(order, self._store)))
        if len(self._rows) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            with self._ledger.steps() as steps:
                steps.remember(self._key, self._rows)
        self._rows = []


def _is_plain(order: PlannedOrder) -> bool:
    """Whether nothing is to be said of the order and nothing of it is sent beside its entries."""
    is_told = order.problems or order.rounding_causes or order.replaces or order.is_clamped
    is_more = order.payments or order.create_customer or order.parent
    is_sent = order.verdict is Verdict.READY and order.basis is Basis.GROSS and order.fingerprint
    return bool(is_sent and not is_told and not is_more and order.source_total == order.planned_total)


def _is_inside(consumed: str, ctx: Context) -> bool:
    """Whether Mews still takes an order of that time: the one thing that the clock decides."""
    return bool(consumed) and datetime.fromisoformat(consumed) >= ctx.window.start


def _report(one: PostedOrder, ctx: Context) -> Report | None:
    """The order as a sum is made of it; None where it is more than its entries."""
    facts: Any = one.facts
    currency = ctx.reference.currencies.get(one.currency)
    is_more = any(facts.get(name) for name in ("payments", "route", "rounding_causes", "now", "charged"))
    is_even = one.source_total == one.planned_total and not Decimal(one.rounding) and one.basis == Basis.GROSS.value
    if is_more or not is_even or currency is None or "by_category" not in facts:
        return None
    precision = currency.precision
    taxes = [(tuple(codes.split()), _units(sums, precision)) for codes, sums in facts["by_codes"].items()]
    categories = [(name, _units(sums, precision)) for name, sums in facts["by_category"].items()]
    if None in [booked for _, booked in (*taxes, *categories)]:
        return None
    return Report(
        one.number,
        one.currency,
        precision,
        int(Decimal(one.planned_total).scaleb(precision)),
        one.account_id,
        one.consumption,
        one.month,
        one.line_count,
        tuple(taxes),  # type: ignore[arg-type]
        tuple(categories),  # type: ignore[arg-type]
        (),
    )


def _units(sums: Any, precision: int) -> Booked | None:
    """Net, tax and gross as columns have them; None where they are finer than the currency."""
    net, tax, gross = (Decimal(str(one)).scaleb(precision) for one in sums)
    if net + tax != gross or net != int(net) or gross != int(gross):
        return None
    return int(net), int(gross), str(sums[1]) != "0"
