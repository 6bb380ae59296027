"""One order under the rules: what it says in its own tax basis, read once, and where findings go. Pure.

Rule: design sections 5 and 6. The rules take an `OrderContext` and live in files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.model.mapping import Settings
from etl.model.money import ZERO, round_money
from etl.model.order import Line, Order, TaxMode, Voucher
from etl.model.place import Place
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.transform.amounts import canonical
from etl.transform.bundles import charged_lines
from etl.transform.context import Context, Findings

LARGEST_AMOUNT = Decimal(10) ** 11
LARGEST_COUNT = 2**31 - 1
LARGEST_PERCENT = Decimal(1000)
"""Beyond any rate."""


@dataclass(frozen=True, slots=True)
class OrderContext:
    """An order, its surroundings and its content in the source's `basis`.

    `lines` are those that are charged, in canonical order; `totals` and `goods_total` are exact. `stated_total` is
    orderTotal at the currency's `precision`. `is_in_range`: every amount is small enough for exact arithmetic (and
    for Mews); where it is not, lines are as they came and nothing may be rounded.
    """

    order: Order
    ctx: Context
    found: Findings
    currency: str
    precision: int
    basis: Basis
    is_in_range: bool
    stated_total: Decimal | None
    lines: list[Line]
    totals: list[Decimal]
    goods_total: Decimal
    vouchers: list[Voucher]

    @property
    def settings(self) -> Settings:
        """The mapping's settings."""
        return self.ctx.mapping.settings

    @property
    def sign(self) -> int:
        """-1 in returns, whose amounts are those of a sale mirrored."""
        return -1 if self.order.is_return else 1

    def problem(self, code: str, message: str, *, place: Place | None = None, value: object = "") -> None:
        """Notes what holds the order back."""
        self.found.add(Problem(code, self.order.number, place or self.order.place, str(value), message))

    def rule(self, problems: Iterable[Problem], *, place: Place | None = None) -> None:
        """Notes what is wrong with a row of the mapping that the order needs."""
        self.found.add_rule(problems, place or self.order.place)


def order_context(order: Order, ctx: Context, total_with_tax: Callable[[OrderContext], Decimal | None]) -> OrderContext:
    """The order as the rules see it; findings start with what staging found.

    `total_with_tax`: what orderTotal would be of a case with tax on top, by which a bundle is told from its contents.
    """
    found = Findings(order.number, order.problems, ctx.waivers.get(order.number))
    currency = order.currency or ctx.mapping.settings.source.default_currency
    known = ctx.reference.currencies.get(currency)
    precision = known.precision if known else 2
    basis = _source_basis(order, ctx)
    is_in_range = _is_in_range(order)
    stated_total: Decimal | None = None
    if is_in_range and order.order_total is not None:
        stated_total = round_money(order.order_total, precision)

    def charging(lines: Sequence[Line], found: Findings) -> OrderContext:
        totals = [line.qty * line.unit_price for line in lines]
        goods_total, vouchers = sum(totals, ZERO), _vouchers(order)
        stated = (is_in_range, stated_total)
        return OrderContext(
            order, ctx, found, currency, precision, basis, *stated, list(lines), totals, goods_total, vouchers
        )

    def tried(lines: Sequence[Line]) -> Decimal | None:
        # What a reading that is only tried would be told of is not the order's: it gets findings of its own.
        return total_with_tax(charging(canonical(lines), Findings(order.number, (), ctx.waivers.get(order.number))))

    if not is_in_range:
        return charging(order.lines, found)
    return charging(canonical(charged_lines(order, ctx, basis, precision, found, tried)), found)


def extra_amounts(order: Order) -> tuple[tuple[str, Decimal], ...]:
    """Column and amount of everything that is no line."""
    return (
        ("shippingValue", order.shipping),
        ("handlingCost", order.handling),
        ("voucherValue", order.voucher_value),
        ("returnCost", order.return_cost),
        ("orderTotal", order.order_total or ZERO),
        *(("discounts.vouchers", voucher.value) for voucher in order.vouchers),
    )


def _source_basis(order: Order, ctx: Context) -> Basis:
    if order.tax_mode in (TaxMode.DEDUCTED, TaxMode.ADDED):
        return Basis.NET
    include = ctx.mapping.settings.source.prices_include_tax
    if include == "b2c":
        include = order.store_type != "b2b"
    return Basis.GROSS if include else Basis.NET


def _is_in_range(order: Order) -> bool:
    for _, amount in extra_amounts(order):
        if not -LARGEST_AMOUNT < amount < LARGEST_AMOUNT:
            return False
    return all(is_line_in_range(line) for line in order.lines)


def is_line_in_range(line: Line) -> bool:
    """Whether all of a line may be counted with; a bundle at price 0 may be charged at its original price."""
    price = line.unit_price or (line.is_bundle and line.original_price) or ZERO
    return (
        -LARGEST_AMOUNT < price < LARGEST_AMOUNT
        and -LARGEST_COUNT <= line.qty <= LARGEST_COUNT
        and (line.vat_percent is None or -LARGEST_PERCENT < line.vat_percent < LARGEST_PERCENT)
    )


def _vouchers(order: Order) -> list[Voucher]:
    if order.vouchers:
        return sorted(order.vouchers, key=lambda one: (one.code, one.name, one.value, one.is_credit))
    if order.voucher_value:
        return [Voucher(order.voucher_code, order.voucher_value)]
    return []
