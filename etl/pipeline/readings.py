"""What the columns mean, proved by orderTotal: how many orders foot in the contract's reading, and in others. Pure.

Rule: design section 6: a reading must foot to orderTotal. Nothing here decides: `inspect` tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from decimal import Decimal

from etl.model.money import ZERO, round_money
from etl.model.order import Line, Order

CONTRACT = "lines + shipping - voucher"
CENT = Decimal("0.01")


def _lines(order: Order) -> Decimal:
    return sum((line.total for line in order.lines), ZERO)


def _with_tax(order: Order) -> Decimal:
    """Lines with their own VAT on top; shipping and voucher shared over the lines, or else at the order's highest rate.

    Where the order's own column of tax makes up the difference, that is its tax.
    """
    bare = _lines(order) + order.beside_goods
    if order.tax_total and foots(order, bare + order.tax_total):
        return bare + order.tax_total
    rates = [line.vat_percent or ZERO for line in order.lines]
    lines, goods = sum((_taxed(line.total, line.vat_percent) for line in order.lines), ZERO), _lines(order)
    shared = lines + order.beside_goods * lines / goods if goods else ZERO
    if goods and foots(order, shared):
        return shared
    return lines + _taxed(order.beside_goods, max(rates, default=ZERO))


def _taxed(amount: Decimal, percent: Decimal | None) -> Decimal:
    return amount * (100 + (percent or ZERO)) / 100


def _original(line: Line) -> Decimal:
    return line.qty * (line.unit_price if line.original_price is None else line.original_price)


READINGS: dict[str, Callable[[Order], Decimal]] = {
    CONTRACT: lambda order: _lines(order) + order.beside_goods,
    "lines + shipping - voucher, with tax on top": _with_tax,
    "lines + shipping (voucher already inside the prices)": lambda order: _lines(order) + order.shipping,
    "lines + shipping + voucher (voucher with the other sign)": lambda order: (
        _lines(order) + order.shipping + order.voucher_value
    ),
    "lines - voucher (shipping already inside, or not charged)": lambda order: _lines(order) - order.voucher_value,
    "original prices + shipping - voucher (unitPrice is after a discount that was not given)": lambda order: (
        sum((_original(line) for line in order.lines), ZERO) + order.shipping - order.voucher_value
    ),
    "contents of bundles left out": lambda order: (
        sum((line.total for line in order.lines if not line.bundle), ZERO) + order.shipping - order.voucher_value
    ),
    "bundles left out, their contents charged": lambda order: (
        sum((line.total for line in order.lines if not line.is_bundle), ZERO) + order.shipping - order.voucher_value
    ),
}


def amounts_are_read(order: Order, words: Collection[str] = ()) -> bool:
    """Whether all that keeps the order out is in columns of `words` (statuses, countries, ..): its amounts stand."""
    return all(problem.place.column in words for problem in order.problems if problem.is_error)


class Proof:
    """Counts, over an export, which readings foot to orderTotal."""

    def __init__(self, words: Collection[str] = ()) -> None:
        """`words`: headers of columns that hold no amount; what can't be read there does not touch the sum."""
        self._words = words
        self.orders = 0
        self.foots: Counter[str] = Counter()
        self.failing: list[str] = []

    def add(self, order: Order) -> None:
        """Counts an order that has an orderTotal and whose amounts can be read."""
        if order.order_total is None or not amounts_are_read(order, self._words):
            return
        self.orders += 1
        proved = [name for name, total in READINGS.items() if foots(order, total(order))]
        self.foots.update(proved)
        if not proved and len(self.failing) < 10:
            self.failing.append(order.number)

    @property
    def better(self) -> list[tuple[str, int]]:
        """Other readings that more orders prove than the contract's, best first."""
        mine = self.foots[CONTRACT]
        return [(name, count) for name, count in self.foots.most_common() if name != CONTRACT and count > mine]


def foots(order: Order, total: Decimal) -> bool:
    """Whether `total`, rounded to the cent, is the order's own."""
    return order.order_total is not None and abs(round_money(total, 2) - order.order_total) < CENT
