"""Rates that a shop tells by the order, or by amounts of tax: whose line they are, and which rate the shipping has.

Shops that tell tax by the order (Shopify's `Tax 1 Name`, WooCommerce's `tax_lines`) have no rate of the line. What is a
line's own is shown by its tax, or by the tax of the whole order; what neither proves is given to no line. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from etl.model.money import round_money, tax_in
from etl.model.order import Line
from etl.reading.names import TAX_RATES
from etl.staging.draft import Draft

CODE = "tax.rate_assumed"
_CENT = Decimal("0.01")
_HALF = Decimal("0.005")
_ZERO = Decimal(0)
_SHIPPING, _HANDLING = "shippingVatPercent", "handlingVatPercent"


def spread_rate(draft: Draft) -> None:
    """Gives the rate of the first line to all lines, or to none, where it alone has one and the order states its tax.

    It is that of all where the stated tax is what it makes of the total, within a cent a line.
    """
    if len(draft.lines) < 2:
        return
    first, *rest = draft.lines
    tax, total = draft.values.get("taxTotal"), draft.values.get("orderTotal")
    if first.vat_percent is None or any(line.vat_percent is not None for line in rest) or tax is None or total is None:
        return
    rate = first.vat_percent
    is_of_all = abs(total * rate / (100 + rate) - tax) <= _CENT * len(draft.lines)
    draft.lines = [replace(line, vat_percent=rate if is_of_all else None) for line in draft.lines]
    stands = f"The rate {rate.normalize():f} stands on the order's first row only"
    text = f"{stands}; its tax {tax:f} proves that it holds for all lines." if is_of_all else (
        f"{stands}, and its tax {tax:f} is not what that makes of the total: no line was given it."
    )  # fmt: skip
    draft.tell(CODE, text, first.place.at("products.vatPercent"), f"{rate:f}")


def prove_rates(draft: Draft) -> None:
    """Gives lines without a rate, the shipping and the fee the rates that the order's stated taxes prove.

    A line's rate is the one stated rate (or none at all, 0) that makes its stated tax of what it comes to; without a tax
    of its own the one way to give out the order's rates that makes the order's tax. Twice told is not proved twice:
    doing it again changes nothing.
    """
    taxes = _Taxes.of(draft)
    if taxes is None:
        return
    draft.lines = [taxes.with_own_rate(line) for line in draft.lines]
    if any(line.vat_percent is None for line in draft.lines):
        _give_out(draft, taxes)
    draft.lines = _free_lines(draft.lines)
    if all(line.vat_percent is not None for line in draft.lines):
        _rate_beside(draft, taxes)


@dataclass(frozen=True, slots=True)
class _Taxes:
    """What an order states of its tax.

    `rates`: the rates that it names, and 0. `bases`: whether its amounts are with tax (True), without (False), or may be
    either. `total` and `shipping`: the tax of the order, and of its shipping.
    """

    rates: frozenset[Decimal]
    bases: tuple[bool, ...]
    total: Decimal | None
    shipping: Decimal | None
    handling: Decimal | None

    @classmethod
    def of(cls, draft: Draft) -> _Taxes | None:
        """None where the order states no tax and no rate of its own."""
        get = draft.values.get
        named = [get(name) for name in TAX_RATES] + [row.percent for row in draft.tax_breakdown]
        stated = [get("taxTotal"), get("shippingTax"), get("handlingTax"), *(line.tax_total for line in draft.lines)]
        if not any(one is not None for one in (*named, *stated)):
            return None
        rates = {one for one in (*named, *(line.vat_percent for line in draft.lines)) if one is not None}
        return cls(frozenset({*rates, _ZERO}), _bases(draft), *stated[:3])

    def with_own_rate(self, line: Line) -> Line:
        """The line, with the rate that its own tax proves."""
        if line.vat_percent is not None or line.tax_total is None or not line.total:
            return line
        rate = self.rate_of(line.total, line.tax_total, abs(line.qty))
        return line if rate is None else replace(line, vat_percent=rate)

    def rate_of(self, amount: Decimal, tax: Decimal, count: int = 1) -> Decimal | None:
        """The one rate that makes `tax` of `amount`, rounded once or piece by piece; None where none or several do."""
        for slack in (_HALF, _HALF * count):
            fitting = self._fitting(amount, tax, slack)
            if fitting:
                return fitting.pop() if len(fitting) == 1 else None
        return None

    def _fitting(self, amount: Decimal, tax: Decimal, slack: Decimal) -> set[Decimal]:
        return {
            rate
            for rate in self.rates
            if any(abs(tax_in(amount, rate, is_gross=one) - tax) <= slack for one in self.bases)
        }


def _bases(draft: Draft) -> tuple[bool, ...]:
    """Whether the order's amounts are with tax: its total is their sum, or their sum with its tax on top."""
    total, tax = draft.values.get("orderTotal"), draft.values.get("taxTotal")
    if total is None or not tax:
        return (True, False)
    bare = round_money(sum((line.total for line in draft.lines), _ZERO) + _beside(draft) - draft.voucher_value, 2)
    found = tuple(is_gross for is_gross in (True, False) if abs(bare + (0 if is_gross else tax) - total) <= _CENT)
    return found or (True, False)


def _beside(draft: Draft) -> Decimal:
    return sum((draft.values.get(name) or _ZERO for name in ("shippingValue", "handlingCost")), _ZERO)


def _give_out(draft: Draft, taxes: _Taxes) -> None:
    """The order's rates to its lines, where one way to do so makes the stated tax."""
    ways = list(_ways(draft.lines, taxes.rates, is_proved=taxes.total is not None))
    if taxes.total is None:
        fitting, proof = ways if len(taxes.rates) == 2 else [], "it names no other, and states no tax"
    else:
        fitting = [way for way in ways if _makes(draft, way, taxes, taxes.total)]
        proof = f"its tax {taxes.total:f} proves it"
    named = sorted(rate for rate in taxes.rates if rate)
    shown = " and ".join(f"{rate.normalize():f}" for rate in named) or "0"
    column = draft.sources["taxRate1"].column.header if "taxRate1" in draft.sources else "products.vatPercent"
    place = draft.place.at(column, "products.vatPercent")
    if len(fitting) == 1:
        given = fitting[0]
        draft.lines = [replace(line, vat_percent=rate) for line, rate in zip(draft.lines, given, strict=True)]
        whose = "all lines" if len(set(given)) == 1 else "the lines that are taxable"
        rate = max(given, default=_ZERO).normalize()
        draft.tell(
            CODE, f"The order tells its rates, not those of its lines: {rate:f} holds for {whose}; {proof}.", place
        )
    elif named and taxes.total is not None:
        draft.tell(
            CODE,
            f"The order tells its rates ({shown}), not those of its lines, and its tax {taxes.total:f} does not prove "
            "whose they are: no line was given one.",
            place,
            shown,
        )


def _ways(lines: Sequence[Line], rates: Collection[Decimal], *, is_proved: bool) -> Iterator[tuple[Decimal, ...]]:
    """The ways to give out the rates: one for the lines that are taxable and 0 for the others; known rates stay.

    `is_proved`: the order's tax decides, so that it may be one for all lines too, whatever is said to be taxable.
    """
    met = set()
    has_taxable = any(line.is_taxable for line in lines)
    for by_flag in (True, False) if is_proved else (True,):
        for rate in sorted(rates):
            way = tuple(_rate(line, rate, by_flag=by_flag) for line in lines)
            if way not in met and (rate or not has_taxable or len(rates) == 1 or not by_flag):
                met.add(way)
                yield way


def _rate(line: Line, rate: Decimal, *, by_flag: bool) -> Decimal:
    if line.vat_percent is not None:
        return line.vat_percent
    return _ZERO if by_flag and line.is_taxable is False else rate


def _makes(draft: Draft, way: Sequence[Decimal], taxes: _Taxes, wanted: Decimal) -> bool:
    """Whether these rates make the order's tax, whichever way its shipping is taxed."""
    return bool(_rates_beside(draft, way, taxes, wanted, _CENT * len(draft.lines)))


def _rates_beside(
    draft: Draft, rates: Sequence[Decimal], taxes: _Taxes, wanted: Decimal, slack: Decimal
) -> set[Decimal]:
    """The rates of what stands beside the goods (`_SHARED` too) with which these of the lines make the wanted tax."""
    found = set()
    for is_gross in taxes.bases:
        goods, besides = _tax_of(draft, rates, taxes, is_gross=is_gross)
        found |= {rate for rate, tax in besides.items() if abs(goods + tax - wanted) <= slack}
    return found


_SHARED = Decimal(-1)
"""Stands among the rates of the shipping for the mix of those of the goods."""


def _tax_of(
    draft: Draft, rates: Sequence[Decimal], taxes: _Taxes, *, is_gross: bool
) -> tuple[Decimal, Mapping[Decimal, Decimal]]:
    """The tax of the goods less the voucher, and that of what stands beside them by its rate (`_SHARED`: as the goods)."""
    totals = [line.total for line in draft.lines]
    goods = sum(totals, _ZERO)
    tax = sum((tax_in(total, rate, is_gross=is_gross) for total, rate in zip(totals, rates, strict=True)), _ZERO)
    beside = _beside(draft)
    if taxes.shipping is not None and not draft.values.get("handlingCost"):
        besides = {_SHARED: taxes.shipping}
    else:
        besides = {rate: tax_in(beside, rate, is_gross=is_gross) for rate in taxes.rates}
        besides[_SHARED] = beside * tax / goods if goods else _ZERO
    left = (goods - draft.voucher_value) / goods if goods else _ZERO
    return tax * left, besides


def _free_lines(lines: Sequence[Line]) -> list[Line]:
    """Lines that cost nothing carry no tax, whatever their rate: they have that of the dearest line."""
    rated = [line for line in lines if line.vat_percent is not None and line.total]
    if not rated or all(line.vat_percent is not None or line.total for line in lines):
        return list(lines)
    rate = max(rated, key=lambda line: (abs(line.total), line.vat_percent or _ZERO)).vat_percent
    return [line if line.vat_percent is not None or line.total else replace(line, vat_percent=rate) for line in lines]


def _rate_beside(draft: Draft, taxes: _Taxes) -> None:
    """The rates of shipping and fee, by their own tax, or by what the order's tax leaves for the shipping."""
    values = draft.values
    for amount, tax, name in (
        (values.get("shippingValue"), taxes.shipping, _SHIPPING),
        (values.get("handlingCost"), taxes.handling, _HANDLING),
    ):
        if amount and tax is not None and name not in values and (rate := taxes.rate_of(amount, tax)) is not None:
            draft.proved[name] = rate
    if values.get("shippingValue") and not values.get("handlingCost") and taxes.shipping is None and taxes.total:
        _rate_left(draft, taxes, taxes.total)


def _rate_left(draft: Draft, taxes: _Taxes, wanted: Decimal) -> None:
    """The one rate of shipping with which all of the order's tax is there, where the goods' mix does not do as well."""
    rates = [line.vat_percent or _ZERO for line in draft.lines]
    fitting = _rates_beside(draft, rates, taxes, wanted, _HALF * (len(rates) + 1))
    if len(fitting) == 1 and _SHARED not in fitting and _SHIPPING not in draft.values:
        draft.proved[_SHIPPING] = fitting.pop()
