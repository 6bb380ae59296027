"""How Mews rounds its taxes where it differs from what was assumed, and predictions that follow it. Pure.

Rule: design section 7.6: a difference in the last digit of an entry's tax is taken over into the predictions. Only
they follow: what is sent, and so the plan id, rests on the assumption of `etl.transform.arithmetic` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from etl.model.observed import ObservedEntry
from etl.model.plan import Basis, Booked, Entry, PlannedOrder, RoundingCause
from etl.model.reference import Pricing, Reference, Strategy, TaxRate

ZERO = Decimal(0)


class TaxRounding(StrEnum):
    """The ways of rounding that are known, likeliest first. The first is what is assumed.

    `net`: what is rounded in gross pricing is the net, the tax is the rest; else the tax itself is rounded.
    `piece`: the tax of one piece is rounded and taken times the count.
    """

    HALF_UP = "half up"
    HALF_EVEN = "half even"
    HALF_DOWN = "half down"
    TAX_HALF_UP = "tax half up"
    TAX_HALF_EVEN = "tax half even"
    PIECE_HALF_UP = "piece half up"
    PIECE_HALF_EVEN = "piece half even"
    DOWN = "down"
    TAX_DOWN = "tax down"
    FLOOR = "floor"
    CEILING = "ceiling"


_MODES = {
    "half up": ROUND_HALF_UP,
    "half even": ROUND_HALF_EVEN,
    "half down": ROUND_HALF_DOWN,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


def observe(entries: Sequence[ObservedEntry], reference: Reference) -> TaxRounding | None:
    """The likeliest way of rounding that reproduces every entry; None where none does, or nothing was observed."""
    if not entries:
        return None
    for rounding in TaxRounding:
        if all(_explains(rounding, entry, reference) for entry in entries):
            return rounding
    return None


def as_booked(order: PlannedOrder, rounding: TaxRounding, reference: Reference) -> PlannedOrder:
    """The order with predictions that follow `rounding`; the same object where nothing differs.

    Total and rounding of the order follow too, so that source = planned + rounding still holds.
    """
    if rounding is TaxRounding.HALF_UP or not order.entries:
        return order
    digits = _digits(order.currency, reference)
    entries = tuple(_entry(entry, order.basis, rounding, reference, digits) for entry in order.entries)
    if entries == order.entries:
        return order
    more = sum((new.rounding - old.rounding for new, old in zip(entries, order.entries, strict=True)), ZERO)
    causes = dict(order.rounding_causes)
    causes[RoundingCause.MEWS] = causes.get(RoundingCause.MEWS, ZERO) + more
    return replace(
        order,
        entries=entries,
        planned_total=order.planned_total - more,
        rounding=order.rounding + more,
        rounding_causes=tuple((cause, amount) for cause, amount in causes.items() if amount),
    )


def _entry(entry: Entry, source: Basis, rounding: TaxRounding, reference: Reference, digits: int) -> Entry:
    if not entry.codes:
        return entry
    booked = _book(entry.count, entry.unit, entry.codes, rounding, reference, digits)
    if booked == entry.predicted:
        return entry
    seen = booked.gross if source is Basis.GROSS else booked.net
    return replace(entry, predicted=booked, rounding=entry.source_amount - seen)


def _explains(rounding: TaxRounding, entry: ObservedEntry, reference: Reference) -> bool:
    if any(code not in reference.tax_rates for code in entry.codes):
        return False
    digits = _digits(entry.currency, reference)
    booked = _book(entry.count, entry.unit, entry.codes, rounding, reference, digits)
    return (booked.net, booked.gross) == (entry.net, entry.gross)


def _digits(currency: str, reference: Reference) -> int:
    if reference.tax_precision is not None:
        return reference.tax_precision
    known = reference.currencies.get(currency)
    return known.precision if known else 2


def _book(
    count: int, unit: Decimal, codes: tuple[str, ...], rounding: TaxRounding, reference: Reference, digits: int
) -> Booked:
    if not codes:
        return Booked(count * unit, ZERO, count * unit)
    what, _, mode = rounding.value.partition(" ")
    if what not in ("tax", "piece"):
        what, mode = "", rounding.value
    if what == "piece":
        one = _taxed(unit, 1, codes, what, _MODES[mode], reference, digits)
        taxes = tuple((code, count * amount) for code, amount in one.taxes)
        return Booked(count * one.net, count * one.tax, count * one.gross, taxes)
    return _taxed(count * unit, count, codes, what, _MODES[mode], reference, digits)


def _taxed(
    value: Decimal, count: int, codes: tuple[str, ...], what: str, mode: str, reference: Reference, digits: int
) -> Booked:
    step = Decimal(1).scaleb(-digits)
    rates = [reference.tax_rates[code] for code in codes]
    if reference.pricing is Pricing.GROSS:
        flat = sum((rate.value * count for rate in rates if rate.strategy is Strategy.FLAT), ZERO)
        relative = sum((rate.value for rate in rates if rate.strategy is not Strategy.FLAT), ZERO)
        exact = (value - flat) / (1 + relative)
        net = value - (value - exact).quantize(step, mode) if what == "tax" else exact.quantize(step, mode)
        return Booked(net, value - net, value, ((codes[0], value - net),))
    taxes: dict[str, Decimal] = {}
    for rate in sorted(rates, key=lambda one: _depth(one, rates)):
        if rate.strategy is Strategy.FLAT:
            exact = rate.value * count
        else:
            base = [taxes[one.code] for one in rates if one.code in taxes and one.taxation in rate.base]
            exact = (value + sum(base, ZERO)) * rate.value
        taxes[rate.code] = exact.quantize(step, mode)
    tax = sum(taxes.values(), ZERO)
    return Booked(value, tax, value + tax, tuple((code, taxes[code]) for code in codes))


def _depth(rate: TaxRate, rates: Sequence[TaxRate], seen: tuple[str, ...] = ()) -> int:
    """How many taxes deep a dependent one rests on others."""
    below = [one for one in rates if one.taxation in rate.base and one.code not in (*seen, rate.code)]
    return 1 + max((_depth(one, rates, (*seen, rate.code)) for one in below), default=0)
