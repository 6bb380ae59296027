"""Totals and bridge over random mixes of states, currencies, bases and parts: they come out, and each column is the
sum that an independent hand adds up (design sections 2 and 5)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from etl.model.plan import Basis
from etl.model.shares import EXPLAINING, Amounts, BridgeLine, Column, Fate, OrderMoney, SourceReading
from etl.model.states import State
from etl.model.status import OrderStatus, ReportState
from etl.reconcile.bridge import Bridge, Shown
from etl.reconcile.notebook import Booked, Sighting
from etl.reconcile.presence import Held
from etl.report.summary import Summary

CENT = Decimal("0.01")
cents = st.integers(-5000, 5000).map(lambda number: number * CENT)
coins = st.integers(1, 3000).map(lambda number: number * CENT)
bases = st.sampled_from(list(Basis))
currencies = st.sampled_from(["GBP", "EUR"])
FATES = (Fate.READY, Fate.UNKNOWN, Fate.POSTED, Fate.REJECTED, Fate.UNDONE)
STATES = {
    Fate.READY: ReportState.READY,
    Fate.UNKNOWN: ReportState.UNKNOWN,
    Fate.POSTED: ReportState.ALREADY_POSTED,
    Fate.REJECTED: ReportState.REJECTED,
    Fate.BLOCKED: ReportState.BLOCKED,
    Fate.SKIPPED: ReportState.SKIPPED,
    Fate.UNDONE: ReportState.UNDONE,
}
HELD = {Fate.UNKNOWN: State.UNKNOWN, Fate.POSTED: State.POSTED, Fate.UNDONE: State.UNDONE}


@dataclass(frozen=True)
class World:
    """One order and what Mews holds of it."""

    money: OrderMoney
    own: tuple[Booked, ...] | None
    seen: tuple[Sighting, ...]


@st.composite
def moneys(draw: st.DrawFn) -> OrderMoney:
    """An order in any state; amounts that rest on another source, currency or basis than it has now."""
    items = draw(st.sampled_from(list(Fate)))
    credit = tuple((f"gift{at}", draw(coins)) for at in range(1, draw(st.integers(0, 2)) + 1))
    rounding = tuple((cause, draw(cents) / 100) for cause in draw(st.sets(st.sampled_from(["source", "conversion"]))))
    booked = draw(cents)
    source = booked - sum((amount for _, amount in credit), Decimal(0)) + sum((one for _, one in rounding), Decimal(0))
    currency, basis = draw(currencies), draw(bases)
    total: Decimal | None = source
    if items is not Fate.READY and draw(st.booleans()):
        total = draw(st.one_of(st.none(), cents))
    has_moved = items in (Fate.POSTED, Fate.UNKNOWN, Fate.UNDONE) and draw(st.booleans())
    reading = SourceReading(draw(currencies) if has_moved else currency, draw(bases) if has_moved else basis, total)
    if items in (Fate.BLOCKED, Fate.SKIPPED, Fate.REJECTED):
        return OrderMoney(reading, items)
    amounts = Amounts(currency, basis, source, booked, credit, rounding)
    if items is Fate.READY:
        return OrderMoney(reading, items, amounts)
    fates = {part: draw(st.sampled_from(FATES)) for part, _ in credit} if draw(st.booleans()) else {}
    return OrderMoney(reading, items, amounts, fates)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """What the read-back and the scan met: nothing, the order, otherwise, copies, what undo left, strangers' numbers."""
    money = draw(moneys())
    currency = money.amounts.currency if money.amounts else money.reading.currency
    own = None
    if money.items is Fate.POSTED and draw(st.booleans()):
        own = tuple(Booked(draw(currencies), draw(cents), draw(cents)) for _ in range(draw(st.integers(0, 2))))
    parts = st.sampled_from(["order", "undo", "gift1", "undo:gift1"])
    ids = st.sampled_from(["o-1", "o-2", "o-3"])
    keys = draw(st.sets(st.tuples(st.integers(1, 2), parts, ids), max_size=4))
    seen = tuple(
        Sighting("1", generation, part, mews_id, draw(st.integers(0, 2)), draw(cents), currency, draw(cents))
        for generation, part, mews_id in sorted(keys)
    )
    return World(money, own, seen)


def rows_of(orders: list[OrderMoney]) -> dict[tuple[str, str], dict[str, Decimal]]:
    """The totals as an accountant adds them, from the words of the contract."""
    found: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in orders:
        now = found[one.reading.currency, str(one.reading.basis)]
        total = one.reading.total or Decimal(0)
        now["source"] += total
        there = one.amounts
        if there is None or one.items in (Fate.REJECTED, Fate.BLOCKED, Fate.SKIPPED, Fate.UNDONE):
            now[one.items.value] += total
            for part, amount in there.credits if there else ():
                if one.payments.get(part) in (Fate.POSTED, Fate.UNKNOWN):
                    held = found[there.currency, str(there.basis)]
                    held["planned"] -= amount
                    held[one.items.value] += amount
                    if one.payments[part] is Fate.POSTED:
                        held["posted"] -= amount
            continue
        held = found[there.currency, str(there.basis)]
        now["changed"] += total
        held["changed"] -= there.source
        held["rounding"] += sum((amount for _, amount in there.rounding), Decimal(0))
        for amount, fate in [
            (there.items, one.items),
            *((-amount, one.payments.get(part, one.items)) for part, amount in there.credits),
        ]:
            column = "planned" if fate in (Fate.READY, Fate.UNKNOWN, Fate.POSTED) else fate.value
            held[column] += amount
            if fate is Fate.POSTED:
                held["posted"] += amount
    return found


@given(st.lists(moneys(), max_size=12))
def test_every_column_is_its_own_sum_and_the_equation_comes_out(orders: list[OrderMoney]) -> None:
    """Whatever is mixed, by currency and basis."""
    summary = Summary()
    for at, money in enumerate(orders):
        reading = money.reading
        summary.add(
            OrderStatus(
                str(at),
                STATES[money.items],
                reading.currency,
                reading.basis,
                reading.total,
                money=tuple(money.shares()),
            )
        )
    summary.check(len(orders))
    expected = rows_of(orders)
    assert {key for key, row in summary.totals.items() if any(row.values())} <= set(expected)
    for key, row in expected.items():
        seen = summary.totals.get(key, {})
        assert {column.value: seen.get(column, Decimal(0)) for column in Column} == {
            column.value: row[column.value] for column in Column
        }
        assert row["source"] == sum((row[column.value] for column in EXPLAINING), Decimal(0))


@given(st.lists(worlds(), max_size=8), st.lists(cents, max_size=2), bases)
def test_the_bridge_leads_to_what_mews_holds(found: list[World], strangers: list[Decimal], default: Basis) -> None:
    """Exact, whatever Mews shows; its last line is what an independent hand adds up of the items that were met."""
    bridge = Bridge(default)
    for one in found:
        state = HELD.get(one.money.items)
        parts = {(1, "order"): Held(state, "o-1")} if state else {}
        bridge.add(one.money, Shown(one.own, one.seen), parts)
    for at, gross in enumerate(strangers):
        bridge.add_unknown(Shown(None, (Sighting(f"x{at}", 1, "order", f"s-{at}", 1, gross, "GBP", gross),)))
    rows = bridge.finish()
    held: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["line"] == BridgeLine.IN_MEWS:
            held[row["currency"]] += Decimal(row["amount"])
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for one in found:
        basis = one.money.amounts.basis if one.money.amounts else one.money.reading.basis
        for booked in one.own or ():
            expected[booked.currency] += booked.amount(basis)
        for sighting in one.seen:
            is_item = sighting.part in ("order", "undo") and sighting.live
            is_own = (sighting.generation, sighting.part, sighting.mews_id) == (1, "order", "o-1")
            # Of what was posted while this looked, some items may have been met and others not: "not read back".
            is_told_apart = one.own is not None or one.money.items is Fate.POSTED
            if is_item and not (is_own and is_told_apart):
                expected[sighting.currency] += sighting.gross if basis is Basis.GROSS else sighting.net
    expected["GBP"] += sum(strangers, Decimal(0))
    assert {key: value for key, value in held.items() if value} == {k: v for k, v in expected.items() if v}
    for line in (BridgeLine.SOURCE,):
        total = sum((Decimal(row["amount"]) for row in rows if row["line"] == line), Decimal(0))
        assert total == sum((one.money.reading.amount for one in found), Decimal(0))
