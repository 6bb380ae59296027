"""How Mews rounds its taxes where it differs from what was assumed, and predictions that follow it. Pure.

Rule: design section 7.6: a difference in the last digit of an entry's tax is taken over into the predictions. Only
they follow: what is sent, and so the plan id, rests on the assumption of `etl.transform.arithmetic` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etl.model.money import ZERO
from etl.model.observed import Observed
from etl.model.plan import Basis, Entry, PlannedOrder, RoundingCause
from etl.model.reference import Reference
from etl.transform.arithmetic import Arithmetic, TaxRounding


def observe(seen: Sequence[Observed], reference: Reference) -> TaxRounding | None:
    """The likeliest way of rounding that reproduces every amount; None where none does, or nothing was observed."""
    if not seen:
        return None
    for rounding in TaxRounding:
        arithmetic = Arithmetic(reference, rounding)
        if all(_explains(arithmetic, one, reference) for one in seen):
            return rounding
    return None


def as_booked(order: PlannedOrder, rounding: TaxRounding, reference: Reference) -> PlannedOrder:
    """The order with predictions that follow `rounding`; the same object where nothing differs.

    Total and rounding of the order follow too, so that source = planned + rounding still holds.
    """
    if rounding is TaxRounding.HALF_UP or not order.entries:
        return order
    arithmetic = Arithmetic(reference, rounding)
    precision = _precision(order.currency, reference)
    entries = tuple(_entry(entry, order.basis, arithmetic, precision) for entry in order.entries)
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


def _entry(entry: Entry, source: Basis, arithmetic: Arithmetic, precision: int) -> Entry:
    booked = arithmetic.predict(entry.count, entry.unit, entry.codes, precision)
    if booked == entry.predicted:
        return entry
    seen = booked.gross if source is Basis.GROSS else booked.net
    return replace(entry, predicted=booked, rounding=entry.source_amount - seen)


def _explains(arithmetic: Arithmetic, seen: Observed, reference: Reference) -> bool:
    if not all(arithmetic.knows(entry.codes) for entry in seen.entries):
        return False
    precision = _precision(seen.currency, reference)
    booked = [arithmetic.predict(one.count, one.unit, one.codes, precision) for one in seen.entries]
    return (sum((one.net for one in booked), ZERO), sum((one.gross for one in booked), ZERO)) == (seen.net, seen.gross)


def _precision(currency: str, reference: Reference) -> int:
    known = reference.currencies.get(currency)
    return known.precision if known else 2
