"""Exact money: rounding and dividing amounts so that no cent vanishes. Pure.

Rule: design section 6. All amounts are Decimal; `precision` is the currency's count of decimals.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

ZERO = Decimal(0)
DIGITS = 60
"""Working precision: an int32 count times the largest amount that is read stays exact."""


def ulp(precision: int) -> Decimal:
    """The smallest amount of a currency: 0.01 for precision 2."""
    return Decimal(1).scaleb(-precision)


def round_money(amount: Decimal, precision: int) -> Decimal:
    """`amount` at `precision` decimals, half away from zero; never a negative zero."""
    with localcontext(prec=DIGITS):
        return amount.quantize(ulp(precision), rounding=ROUND_HALF_UP) + ZERO


def decimals(amount: Decimal) -> int:
    """Count of decimals that are not trailing zeros: 2 for 1.250, 0 for 100."""
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def round_together(
    amounts: Sequence[Decimal], precision: int, *, tie_keys: Sequence[Any] | None = None
) -> list[Decimal]:
    """`amounts` rounded so that they add up to their exact sum rounded once.

    Largest remainder; ties go to the larger amount, then to the lower tie key (default: position).
    A return is the mirror image of its sale.
    """
    with localcontext(prec=DIGITS):
        total = sum(amounts, ZERO)
        target = round_money(total, precision)
        if target < 0 or (target == 0 and total < 0):
            return [-part + ZERO for part in round_together([-a for a in amounts], precision, tie_keys=tie_keys)]
        step = ulp(precision)
        floors = [amount.quantize(step, rounding=ROUND_FLOOR) for amount in amounts]
        return _hand_out(
            floors,
            [amount - floor for amount, floor in zip(amounts, floors, strict=True)],
            [abs(amount) for amount in amounts],
            tie_keys or range(len(amounts)),
            target - sum(floors, ZERO),
            step,
        )


def share(
    amount: Decimal, weights: Sequence[Decimal], precision: int, *, tie_keys: Sequence[Any] | None = None
) -> list[Decimal]:
    """`amount` (at `precision`) divided in proportion to `weights` (none negative, not all zero).

    Largest remainder; ties go to the larger weight, then to the lower tie key. A negative amount is
    shared like its absolute value. Raises ZeroDivisionError where all weights are zero.
    """
    with localcontext(prec=DIGITS):
        if amount < 0:
            return [-part + ZERO for part in share(-amount, weights, precision, tie_keys=tie_keys)]
        whole = sum(weights, ZERO)
        if not whole:
            raise ZeroDivisionError("nothing to share over")
        step = ulp(precision)
        # Exact integers instead of a rounded quotient, so that equal remainders really tie.
        scale = _common_scale(weights)
        scaled = [int(weight * scale) for weight in weights]
        units = int(amount / step)
        divisor = sum(scaled)
        floors = [step * (units * weight // divisor) for weight in scaled]
        remainders = [Decimal(units * weight % divisor) for weight in scaled]
        return _hand_out(
            floors, remainders, list(weights), tie_keys or range(len(weights)), amount - sum(floors, ZERO), step
        )


def share_capped(
    amount: Decimal,
    weights: Sequence[Decimal],
    caps: Sequence[Decimal],
    precision: int,
    *,
    tie_keys: Sequence[Any] | None = None,
) -> tuple[list[Decimal], Decimal]:
    """As `share` for a positive amount, but no part beyond its cap.

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
        portion = share(left, open_weights, precision, tie_keys=tie_keys)
        taken = [min(wanted, space) for wanted, space in zip(portion, room, strict=True)]
        if not any(taken):
            break
        parts = [part + more for part, more in zip(parts, taken, strict=True)]
        left -= sum(taken, ZERO)
    return parts, left


def split_units(total: Decimal, count: int, precision: int) -> list[tuple[int, Decimal]]:
    """(count, unit) entries, one or two with neighbouring units, that add up to `total` exactly.

    Shape: the lower absolute unit first. Units: `total` at `precision`, `count` > 0.
    """
    step = ulp(precision)
    sign = -1 if total < 0 else 1
    with localcontext(prec=DIGITS):
        low, extra = divmod(int(abs(total) / step), count)
        entries = [(count - extra, sign * low * step), (extra, sign * (low + 1) * step)]
    return [(number, unit + ZERO) for number, unit in entries if number]


def _hand_out(
    floors: list[Decimal],
    remainders: Sequence[Decimal],
    sizes: Sequence[Decimal],
    tie_keys: Sequence[Hashable],
    left: Decimal,
    step: Decimal,
) -> list[Decimal]:
    ranking: list[Any] = sorted(range(len(floors)), key=lambda i: (-remainders[i], -sizes[i], tie_keys[i], i))
    units = int((left / step).to_integral_value(rounding=ROUND_DOWN))
    for index in ranking[:units]:
        floors[index] += step
    return floors


def _common_scale(weights: Sequence[Decimal]) -> int:
    return int(10 ** max((decimals(weight) for weight in weights), default=0))
