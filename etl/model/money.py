"""Exact money: rounding and dividing amounts so that no cent vanishes. Pure.

Rule: design section 6. All amounts are Decimal; `precision` is the currency's count of decimals.
Amounts stay below 10**20 units of the last digit (the transform refuses larger ones), so that the
28 digits of the default decimal context keep every sum and product exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, TypeVar

N = TypeVar("N", Decimal, int)

ZERO = Decimal(0)


@cache
def ulp(precision: int) -> Decimal:
    """The smallest amount of a currency: 0.01 for precision 2."""
    return Decimal(1).scaleb(-precision)


def round_money(amount: Decimal, precision: int) -> Decimal:
    """`amount` at `precision` decimals, half away from zero; never a negative zero."""
    rounded = amount.quantize(ulp(precision), rounding=ROUND_HALF_UP)
    return rounded or abs(rounded)


def is_finer(amount: Decimal, precision: int) -> bool:
    """Whether `amount` has more decimals than `precision`, trailing zeros aside."""
    return amount != amount.quantize(ulp(precision))


def decimals(amount: Decimal) -> int:
    """Count of decimals that are not trailing zeros: 2 for 1.250, 0 for 100."""
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def round_together(
    amounts: Sequence[Decimal], precision: int, *, tie_keys: Sequence[Any] | None = None
) -> list[Decimal]:
    """`amounts` rounded so that they add up to their exact sum rounded once.

    Largest remainder; ties go to the larger amount, then to the lower tie key (default: position).
    A return is the mirror image of its sale. An amount without a remainder is never touched.
    """
    step = ulp(precision)
    whole = [amount.quantize(step) for amount in amounts]
    if whole == list(amounts):  # nearly all orders: nothing to round
        return [_positive_zero(amount) for amount in whole]
    total = sum(amounts, ZERO)
    if total < 0:
        return [_positive_zero(-part) for part in round_together([-a for a in amounts], precision, tie_keys=tie_keys)]
    floors = [amount.quantize(step, rounding=ROUND_FLOOR) for amount in amounts]
    parts = _hand_out(
        floors,
        [amount - floor for amount, floor in zip(amounts, floors, strict=True)],
        [abs(amount) for amount in amounts],
        tie_keys,
        round_money(total, precision) - sum(floors, ZERO),
        step,
    )
    return [_positive_zero(part) for part in parts]


def share(
    amount: Decimal, weights: Sequence[Decimal], precision: int, *, tie_keys: Sequence[Any] | None = None
) -> list[Decimal]:
    """`amount` (at `precision`) divided in proportion to `weights` (none negative, not all zero).

    Largest remainder; ties go to the larger weight, then to the lower tie key. A negative amount is
    shared like its absolute value. Raises ZeroDivisionError where all weights are zero.
    """
    if amount < 0:
        return [_positive_zero(-part) for part in share(-amount, weights, precision, tie_keys=tie_keys)]
    step = ulp(precision)
    # Exact integers instead of rounded quotients, so that equal remainders really tie.
    scale = 10 ** max((decimals(weight) for weight in weights), default=0)
    units = share_units(int(amount / step), [int(weight * scale) for weight in weights], tie_keys=tie_keys)
    return [step * part for part in units]


def share_units(units: int, weights: Sequence[int], *, tie_keys: Sequence[Any] | None = None) -> list[int]:
    """As `share`, of at least 0 units by whole weights."""
    divisor = sum(weights)
    floors = [units * weight // divisor for weight in weights]
    remainders = [units * weight % divisor for weight in weights]
    return _hand_out(floors, remainders, weights, tie_keys, units - sum(floors), 1)


def share_capped(
    amount: Decimal,
    weights: Sequence[Decimal],
    caps: Sequence[Decimal],
    precision: int,
    *,
    tie_keys: Sequence[Any] | None = None,
) -> tuple[list[Decimal], Decimal]:
    """As `share` for an amount of at least 0, but no part beyond its cap.

    Shape: the parts, and what no cap could take. What one part can't take is shared over the others in
    proportion to their weights, and where these are all zero, to the room they have left.
    """
    parts = [ZERO] * len(weights)
    left = amount
    while left > 0:
        room = [max(ZERO, cap - part) for cap, part in zip(caps, parts, strict=True)]
        open_weights = [weight if space > 0 else ZERO for weight, space in zip(weights, room, strict=True)]
        if not any(open_weights):
            open_weights = room
        if not any(open_weights):
            break
        wanted = share(left, open_weights, precision, tie_keys=tie_keys)
        taken = [min(part, space) for part, space in zip(wanted, room, strict=True)]
        parts = [part + more for part, more in zip(parts, taken, strict=True)]
        left -= sum(taken, ZERO)
    return parts, left


def split_units(total: Decimal, count: int, precision: int) -> list[tuple[int, Decimal]]:
    """(count, unit) entries, one or two with neighbouring units, that add up to `total` exactly.

    Shape: the lower absolute unit first. Units: `total` at `precision`, `count` > 0.
    """
    if count == 1:
        return [(1, total)]
    step = ulp(precision)
    even = (total / count).quantize(step)
    if even * count == total:
        return [(count, even)]
    low, extra = divmod(int(abs(total) / step), count)
    signed = -step if total < 0 else step
    entries = [(count - extra, low * signed), (extra, (low + 1) * signed)]
    return [(number, _positive_zero(unit)) for number, unit in entries if number]


def _positive_zero(amount: Decimal) -> Decimal:
    return amount or abs(amount)


def _hand_out(
    floors: list[N], remainders: Sequence[Any], sizes: Sequence[Any], tie_keys: Sequence[Any] | None, left: N, step: N
) -> list[N]:
    units = int(left / step)
    if units:
        keys = tie_keys if tie_keys is not None else range(len(floors))
        ranking = sorted(range(len(floors)), key=lambda i: (-remainders[i], -sizes[i], keys[i], i))
        for index in ranking[:units]:
            floors[index] += step
    return floors


def units_text(units: int, digits: int) -> str:
    """An amount in units of 10**-digits with so many decimals: 12.30."""
    if not digits:
        return str(units)
    whole, rest = divmod(abs(units), 10**digits)
    return f"{'-' * (units < 0)}{whole}.{rest:0{digits}d}"


def units_texts(units: Iterable[int], digits: int) -> list[str]:
    """`units_text` of each of many."""
    if not 0 < digits <= _MOST_TAILS:
        return [units_text(one, digits) for one in units]
    size, tails = 10**digits, _tails(digits)
    return [f"{one // size}{tails[one % size]}" if one >= 0 else units_text(one, digits) for one in units]


_MOST_TAILS = 4
"""Decimals up to which all that can stand behind the point is kept."""


@cache
def _tails(digits: int) -> tuple[str, ...]:
    """What stands behind the whole of an amount, by its rest."""
    return tuple([f".{rest:0{digits}d}" for rest in range(10**digits)])


def tax_in(amount: Decimal, percent: Decimal, *, is_gross: bool) -> Decimal:
    """The tax in an amount with tax, or on one without it, not rounded."""
    return amount * percent / (100 + percent if is_gross else 100)


_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_USUAL = {
    **dict.fromkeys(_WHOLE.split(" "), 0),
    **dict.fromkeys(_THOUSANDTHS.split(" "), 3),
}
"""Minor units of ISO 4217, where they are not 2."""


def usual_digits(currency: str) -> int:
    """Decimals of a currency by ISO 4217, for amounts of which nobody has asked Mews; 2 for what is no currency."""
    return _USUAL.get(currency, 2)


def digits_of(currency: str, precisions: Mapping[str, int]) -> int:
    """Decimals of a currency as Mews has them, else the usual ones: also of one that is not enabled amounts are told."""
    found = precisions.get(currency)
    return usual_digits(currency) if found is None else found


def usual_text(amount: Decimal, currency: str) -> str:
    """An amount with the usual decimals of its currency; finer ones are never rounded away."""
    return money_text(amount, usual_digits(currency))


def about_text(amount: Decimal, currency: str) -> str:
    """An amount that says how much is at stake, rounded to the usual decimals of its currency."""
    return f"{amount:.{usual_digits(currency)}f}"


def about_words(amount: Decimal, currency: str) -> str:
    """As `about_text`, its digits in groups of three."""
    return f"{amount:,.{usual_digits(currency)}f}"


def money_text(amount: Decimal, precision: int) -> str:
    """Plain text without exponent, with at least `precision` decimals and no trailing zeros beyond."""
    exponent = amount.normalize().as_tuple().exponent
    digits = max(precision, -exponent if isinstance(exponent, int) else 0)
    text = f"{amount:.{digits}f}"
    return text.removeprefix("-") if not amount else text
