"""Which columns are quantity, price, shipping, voucher and total: those with which the orders foot.

Rule: design section 3a. A reading is proved where the orders foot with it in 99 of 100 that have a total, twenty at
least, and no other reading foots as often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import product

from etl.model.money import round_money

LEAST = 20
_SHARE = Decimal("0.99")
_SAMPLE = 300
_KEPT = 12
ZERO = Decimal(0)


class Basis(StrEnum):
    """Whether the tax is in the prices, on top by the rates of the lines, or on top as an amount of the order."""

    GROSS = "with tax"
    NET = "tax on top by the rates of the lines"
    NET_TAX = "tax on top as its column says"


ROLES = ("products.qty", "products.unitPrice", "orderTotal", "shippingValue", "voucherValue", "handlingCost")


@dataclass(frozen=True, slots=True)
class Reading:
    """One column for each role, "" for none, and what the prices are."""

    columns: tuple[str, ...]
    basis: Basis = Basis.GROSS

    def column(self, role: str) -> str:
        """The column of a role."""
        return self.columns[ROLES.index(role)]


@dataclass(slots=True)
class OrderCells:
    """An order's amounts: column -> value of the order, and column -> values of its lines."""

    order: Mapping[str, Decimal | None]
    lines: Mapping[str, Sequence[Decimal | None]]


@dataclass(frozen=True, slots=True)
class Footing:
    """The best reading, how many of the orders that have a total foot with it, and its rivals that foot as often."""

    reading: Reading
    foots: int
    orders: int
    rivals: tuple[Reading, ...] = ()
    taxed: int = 0
    """Orders in which a column tells a tax: without any, prices with and without tax are one."""

    @property
    def is_enough(self) -> bool:
        """Whether 99 of 100 orders foot, twenty at least."""
        return self.foots >= LEAST and self.foots >= self.orders * _SHARE

    def proves(self, role: str) -> bool:
        """Whether the column of a role is proved: no reading with another column for it foots as often."""
        mine = self.reading.column(role)
        return self.is_enough and all(rival.column(role) == mine for rival in self.rivals)

    @property
    def proves_rates(self) -> bool:
        """Whether the orders foot with tax on top by the rates of the lines, and do not without tax."""
        readings = (self.reading, *self.rivals)
        return self.proves_basis and any(one.basis is Basis.NET for one in readings)

    @property
    def proves_basis(self) -> bool:
        """Whether it is proved that the prices are with tax, or without: by twenty orders with tax at least."""
        return (
            self.is_enough
            and self.taxed >= LEAST
            and all((rival.basis is Basis.GROSS) == (self.reading.basis is Basis.GROSS) for rival in self.rivals)
        )


@dataclass(frozen=True, slots=True)
class Candidates:
    """Columns that may have each role, likeliest first; `rates` and `taxes` for prices without tax."""

    roles: Mapping[str, Sequence[str]]
    rates: Sequence[str] = ()
    taxes: Sequence[str] = ()
    named: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(role, column) where the header names the role: between readings that foot alike, names decide."""


def best_footing(orders: Sequence[OrderCells], candidates: Candidates) -> Footing | None:
    """The reading with which most orders foot; None where no column can be quantity, price or total.

    The readings are tried on a sample, spread over the orders, and the best of them on all.
    """
    if not all(candidates.roles.get(role) for role in ROLES[:3]):
        return None
    step = max(1, len(orders) // _SAMPLE)
    sizes = _sizes(orders, candidates)
    tried = _counted(orders[::step], candidates, [one for one in _readings(candidates) if _is_the_most(one, sizes)])
    tried.sort(key=lambda pair: (-pair[1][0], -_likeness(pair[0], candidates)))
    kept = [reading for reading, _ in tried[: _KEPT * 4]]
    counted = _counted(orders, candidates, kept)
    counted.sort(key=lambda pair: (-pair[1][0], -_likeness(pair[0], candidates)))
    if not counted or not counted[0][1][1]:
        return None
    most = counted[0][1][0]
    best = [reading for reading, (foots, _) in counted if foots >= most]
    whole = [one for one in best if not _is_without_tax(one, best, orders)]
    reading, *rivals = [one for one in whole if not _is_of_goods_alone(one, whole, sizes)]
    taxed = sum(_tells_tax(order, candidates) for order in orders)
    return Footing(reading, most, counted[0][1][1], tuple(rivals), taxed)


def _tells_tax(order: OrderCells, candidates: Candidates) -> bool:
    return any(_value(order.order, tax) for tax in candidates.taxes) or any(
        any(order.lines.get(rate, ())) for rate in candidates.rates
    )


def _sizes(orders: Sequence[OrderCells], candidates: Candidates) -> dict[str, Decimal]:
    """Column of the order -> the sum of its amounts, whatever their sign."""
    columns = {column for role in ROLES[2:] for column in candidates.roles.get(role, ())}
    return {column: sum((abs(_value(order.order, column)) for order in orders), ZERO) for column in columns}


def _is_the_most(one: Reading, sizes: Mapping[str, Decimal]) -> bool:
    """Whether the total is more than what stands beside the goods: total and discount changed round foot as well."""
    total = sizes.get(one.column("orderTotal"), ZERO)
    return all(total >= sizes.get(column, ZERO) for column in one.columns[3:] if column)


def _is_without_tax(one: Reading, others: Sequence[Reading], orders: Sequence[OrderCells]) -> bool:
    """Whether the reading's total only leaves out the tax that another column has on top of the same goods.

    What the customer paid is the total; the sum without tax that stands beside it foots as well.
    """
    return one.basis is Basis.GROSS and any(
        other.basis is not Basis.GROSS
        and [*other.columns[:2], *other.columns[3:]] == [*one.columns[:2], *one.columns[3:]]
        and any(_differ(order, one.column("orderTotal"), other.column("orderTotal")) for order in orders)
        for other in others
    )


def _is_of_goods_alone(one: Reading, others: Sequence[Reading], sizes: Mapping[str, Decimal]) -> bool:
    """Whether the reading's total is a sum on the way to another total, which holds the amounts beside the goods too.

    What the customer paid is the total; the sum of the goods foots by itself and leaves shipping and vouchers out.
    """
    mine = beside_of(one, sizes)
    return any(
        other.columns[:2] == one.columns[:2]
        and other.column("orderTotal") != one.column("orderTotal")
        and beside_of(other, sizes) > mine
        for other in others
    )


def beside_of(reading: Reading, sizes: Mapping[str, Decimal]) -> frozenset[str]:
    """The columns beside the goods that the reading uses and that hold amounts. `sizes`: column -> sum of its amounts."""
    return frozenset(column for column in reading.columns[3:] if column and sizes.get(column))


def _differ(order: OrderCells, one: str, other: str) -> bool:
    first, second = order.order.get(one), order.order.get(other)
    return first is not None and second is not None and abs(first) < abs(second)


def _likeness(reading: Reading, candidates: Candidates) -> Decimal:
    """How many columns have the role that their header names; plain readings before odd ones."""
    named = sum((role, column) in candidates.named for role, column in zip(ROLES, reading.columns, strict=True))
    first = sum(
        bool(column) and candidates.roles[role][0] == column
        for role, column in zip(ROLES, reading.columns, strict=True)
    )
    unnamed = sum(
        bool(column) and (role, column) not in candidates.named
        for role, column in zip(ROLES, reading.columns, strict=True)
    )
    return (
        Decimal(named - 2 * unnamed) + Decimal(first) / 10 + (Decimal("0.01") if reading.basis is Basis.GROSS else ZERO)
    )


def _readings(candidates: Candidates) -> Iterator[Reading]:
    choices = [[*candidates.roles.get(role, ()), *(() if number < 3 else ("",))] for number, role in enumerate(ROLES)]
    bases = [Basis.GROSS, *([Basis.NET] if candidates.rates else []), *([Basis.NET_TAX] if candidates.taxes else [])]
    for columns in product(*choices):
        filled = [column for column in columns if column]
        if len(set(filled)) == len(filled):
            yield from (Reading(columns, basis) for basis in bases)


def _counted(
    orders: Sequence[OrderCells], candidates: Candidates, readings: Sequence[Reading]
) -> list[tuple[Reading, tuple[int, int]]]:
    """Each reading with the orders that foot, and those that have a total."""
    goods: dict[tuple[str, str, bool], list[tuple[Decimal, frozenset[Decimal]]]] = {}
    found = []
    for reading in readings:
        key = (reading.columns[0], reading.columns[1], reading.basis is Basis.NET)
        if key not in goods:
            rate = candidates.rates[0] if reading.basis is Basis.NET else ""
            goods[key] = [_goods(order, key[0], key[1], rate) for order in orders]
        found.append((reading, _foots(orders, goods[key], reading, candidates)))
    return found


def _goods(order: OrderCells, qty: str, price: str, rate: str) -> tuple[Decimal, frozenset[Decimal]]:
    """The sum of the lines, with tax where `rate` is given, and the factors of tax that shipping and voucher may have.

    These carry the highest rate, or are shared over the lines.
    """
    rates = order.lines.get(rate, ()) if rate else ()
    total, bare, highest = ZERO, ZERO, Decimal(1)
    for index, (count, amount) in enumerate(zip(order.lines[qty], order.lines[price], strict=True)):
        if count is None or amount is None:
            continue
        factor = 1 + (rates[index] or ZERO) / 100 if rates else Decimal(1)
        highest = max(highest, factor)
        bare += count * amount
        total += count * amount * factor
    return total, frozenset((highest, total / bare if bare and rates else highest))


def _foots(
    orders: Sequence[OrderCells],
    goods: Sequence[tuple[Decimal, frozenset[Decimal]]],
    reading: Reading,
    candidates: Candidates,
) -> tuple[int, int]:
    _, _, total, shipping, voucher, fee = reading.columns
    tax = candidates.taxes[0] if reading.basis is Basis.NET_TAX else ""
    foots = count = 0
    for order, (lines, factors) in zip(orders, goods, strict=True):
        wanted = order.order.get(total)
        if wanted is None:
            continue
        count += 1
        values = order.order
        beside = _value(values, shipping) + _value(values, fee) - abs(_value(values, voucher))
        fixed = lines + _value(values, tax)
        foots += any(round_money(fixed + beside * factor, 2) == wanted for factor in factors)
    return foots, count


def _value(values: Mapping[str, Decimal | None], column: str) -> Decimal:
    return (values.get(column) or ZERO) if column else ZERO
