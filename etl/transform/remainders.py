"""Whole numbers: rounding a fraction, and the first multiple whose remainder lies in a range. Pure."""

from __future__ import annotations


def half_up(numerator: int, denominator: int) -> int:
    """The fraction rounded half away from zero; `denominator` above 0."""
    if numerator < 0:
        return -((denominator - 2 * numerator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def first_within(factor: int, start: int, modulus: int, low: int, high: int) -> int | None:
    """The smallest n >= 0 with low <= (factor * n + start) % modulus <= high; None where there is none.

    0 <= low <= high < modulus. Takes as many steps as the greatest common divisor does.
    """
    if high - low + 1 >= modulus:
        return 0
    low, high = (low - start) % modulus, (high - start) % modulus
    if low == 0 or low > high:  # a range across zero holds the remainder of n = 0
        return 0
    return _first(factor % modulus, modulus, low, high)


def _first(factor: int, modulus: int, low: int, high: int) -> int | None:
    """The same without start, for 0 < low <= high."""
    if 2 * factor > modulus:
        # Counted downwards, the same remainders; the smaller factor halves what is left.
        factor, low, high = modulus - factor, modulus - high, modulus - low
    if factor == 0:
        return None
    times = -(-low // factor)
    if times * factor <= high:
        return times
    # No multiple of the factor lies between: how often to go round is the same question, one size smaller.
    rounds = _first(-modulus % factor, factor, low % factor, high % factor)
    return None if rounds is None else -(-(low + modulus * rounds) // factor)
