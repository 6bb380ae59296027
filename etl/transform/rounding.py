"""Why source and plan of an order differ, by cause. Pure.

Rule: design sections 2 and 6: no cent vanishes, and none is a remainder: every cause is summed from what caused it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from etl.model.money import ZERO
from etl.model.plan import Entry, RoundingCause

Causes = tuple[tuple[RoundingCause, Decimal], ...]


def causes_of(source: Decimal, credit: Decimal, entries: Sequence[Entry], *, is_waived: bool) -> Causes:
    """The rounding of a ready order by cause, those of nothing left out.

    What the source's total is more than its own lines comes from the source, within the tolerance or waived; what an
    entry's share of the source is more than what Mews books of it, from conversion.
    """
    stated = source - (sum([entry.source_amount for entry in entries], ZERO) - credit)
    conversion = sum([entry.rounding for entry in entries], ZERO)
    cause = RoundingCause.WAIVED if is_waived else RoundingCause.SOURCE
    return tuple((name, amount) for name, amount in ((cause, stated), (RoundingCause.CONVERSION, conversion)) if amount)
