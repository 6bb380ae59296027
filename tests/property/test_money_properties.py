"""Money: whatever the amounts, nothing vanishes and nothing is off by more than a unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from builders import US_RATES, a_rate, a_reference
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.money import round_money, round_together, share, share_capped, split_units, ulp
from etl.model.plan import Basis
from etl.model.reference import Pricing, Strategy, TaxRate
from etl.transform.arithmetic import Arithmetic
from etl.transform.conversion import Conversion

precisions = st.integers(0, 3)
prices = st.decimals(-10_000, 10_000, places=4)
weights = st.lists(st.decimals(0, 10_000, places=4), min_size=1, max_size=8).filter(any)


@given(st.lists(prices, max_size=10), precisions)
def test_rounded_together_is_the_sum_rounded_once(amounts: list[Decimal], precision: int) -> None:
    """No cent of an order vanishes, and no part moves by a whole unit."""
    parts = round_together(amounts, precision)
    assert sum(parts) == round_money(sum(amounts, Decimal(0)), precision)
    assert all(abs(part - amount) < ulp(precision) for part, amount in zip(parts, amounts, strict=True))
    assert all(part == round_money(part, precision) for part in parts)


@given(st.lists(prices, max_size=10), precisions)
def test_rounding_a_return_mirrors_its_sale(amounts: list[Decimal], precision: int) -> None:
    """What was charged is given back."""
    assert round_together([-a for a in amounts], precision) == [-part for part in round_together(amounts, precision)]


@given(st.lists(prices, min_size=1, max_size=8, unique_by=abs), precisions, st.randoms(use_true_random=False))
def test_rounding_does_not_depend_on_the_order(amounts: list[Decimal], precision: int, random: object) -> None:
    """A re-sorted export gives every line the same total."""
    before = dict(zip(amounts, round_together(amounts, precision), strict=True))
    shuffled = list(amounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert dict(zip(shuffled, round_together(shuffled, precision), strict=True)) == before


@given(st.data(), weights, precisions)
def test_shares_add_up_and_are_fair(data: st.DataObject, parts: list[Decimal], precision: int) -> None:
    """Never off by a whole unit from the exact quotient; a set without weight gets nothing."""
    amount = data.draw(st.integers(-(10**6), 10**6)) * ulp(precision)
    shares = share(amount, parts, precision)
    total = sum(map(Fraction, parts))
    assert sum(shares) == amount
    for one, weight in zip(shares, parts, strict=True):
        assert abs(Fraction(one) - Fraction(amount) * Fraction(weight) / total) < Fraction(ulp(precision))
        assert weight or not one


@given(st.data(), weights, precisions, st.randoms(use_true_random=False))
def test_shares_do_not_depend_on_the_order(
    data: st.DataObject, parts: list[Decimal], precision: int, random: object
) -> None:
    """Ties are decided by weight and code, never by position."""
    amount = data.draw(st.integers(0, 10**6)) * ulp(precision)
    codes = [f"C{index}" for index in range(len(parts))]
    before = dict(zip(codes, share(amount, parts, precision, tie_keys=codes), strict=True))
    order = list(range(len(parts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    keys = [codes[index] for index in order]
    after = share(amount, [parts[index] for index in order], precision, tie_keys=keys)
    assert dict(zip(keys, after, strict=True)) == before


@given(st.data(), precisions)
def test_capped_shares_lose_nothing(data: st.DataObject, precision: int) -> None:
    """No part beyond its cap, none negative; what is left over is left only when every cap is full."""
    size = data.draw(st.integers(0, 6))
    amounts = st.integers(0, 10_000).map(lambda units: units * ulp(precision))
    caps = data.draw(st.lists(amounts, min_size=size, max_size=size))
    parts = data.draw(st.lists(amounts, min_size=size, max_size=size))
    amount = data.draw(amounts)
    taken, left = share_capped(amount, parts, caps, precision)
    assert sum(taken, left) == amount
    assert all(0 <= one <= cap for one, cap in zip(taken, caps, strict=True))
    assert left >= 0
    assert not left or taken == caps


@given(st.integers(-(10**7), 10**7), st.integers(1, 5000), precisions)
def test_split_units_add_up(total: int, count: int, precision: int) -> None:
    """One or two entries with neighbouring units, positive counts, the lower first."""
    amount = total * ulp(precision)
    entries = split_units(amount, count, precision)
    assert sum(number * unit for number, unit in entries) == amount
    assert sum(number for number, _ in entries) == count
    assert all(number > 0 for number, _ in entries)
    assert 1 <= len(entries) <= 2
    assert all(abs(high) - abs(low) == ulp(precision) for (_, low), (_, high) in pairwise(entries))


# Conversion against an exhaustive search that shares no code with it

RATES = (
    a_rate("R20", "0.2"),
    a_rate("R8.875", "0.08875"),
    a_rate("R0", "0"),
    a_rate("R100", "1"),
    *US_RATES,
    a_rate("CENT", "0.01", strategy=Strategy.FLAT, currency="GBP"),
)
BY_CODE: dict[str, TaxRate] = {rate.code: rate for rate in RATES}


def rounded(value: Fraction, digits: int) -> Fraction:
    scaled = abs(value) * 10**digits
    whole = scaled.numerator // scaled.denominator
    whole += scaled - whole >= Fraction(1, 2)
    return Fraction(whole, 10**digits) * (1 if value >= 0 else -1)


def taxes_of(net: Fraction, count: int, codes: tuple[str, ...], digits: int | None) -> Fraction:
    """Tax of all codes; `digits` None: exactly."""
    found: dict[str, Fraction] = {}
    for code in sorted(codes, key=lambda code: len(BY_CODE[code].base)):
        rate = BY_CODE[code]
        if rate.strategy is Strategy.FLAT:
            found[rate.taxation] = Fraction(rate.value) * count
            continue
        base = net + sum(found.get(taxation, Fraction(0)) for taxation in rate.base)
        tax = base * Fraction(rate.value)
        found[rate.taxation] = tax if digits is None else rounded(tax, digits)
    return sum(found.values(), Fraction(0))


def booked(count: int, unit: Fraction, codes: tuple[str, ...], digits: int, source: Basis) -> Fraction:
    """What an entry comes to in the source's basis; the enterprise has the other one."""
    value = count * unit
    if source is Basis.GROSS:
        return value + taxes_of(value, count, codes, digits)
    rate = taxes_of(Fraction(1), 0, codes, None)
    flat = taxes_of(Fraction(0), count, codes, None)
    if all(BY_CODE[code].strategy is Strategy.FLAT for code in codes):
        # A flat tax is value x count, not rounded at TaxPrecision, and so is what is left of the price.
        return value - flat
    return rounded((value - flat) / (1 + rate), digits)


def exhaustive(
    amount: Fraction, count: int, codes: tuple[str, ...], source: Basis, precision: int, digits: int, so_far: Fraction
) -> tuple[Fraction, Fraction, Fraction, int, Fraction]:
    """The best key (nearest, then as design section 6 lists) over every way of one or two entries."""
    step = Fraction(1, 10**precision)
    rate, flat = taxes_of(Fraction(1), 0, codes, None), taxes_of(Fraction(0), count, codes, None)
    exact = (amount - flat) / (1 + rate) if source is Basis.GROSS else amount * (1 + rate) + flat
    top = int(amount * 3 / step / count) + 3 * 10 ** max(0, precision - digits) + 3
    keys = []
    for units in range(top + 1):
        low = units * step
        ways = [[(count, low)]]
        for part in range(1, count):
            ways += [[(part, low), (count - part, low)], [(part, low), (count - part, low + step)]]
        for way in ways:
            result = sum((booked(number, unit, codes, digits, source) for number, unit in way), Fraction(0))
            total = sum((number * unit for number, unit in way), Fraction(0))
            off = amount - result
            keys.append((abs(off), abs(total - exact), abs(so_far + off), len(way), total))
    return min(keys)


CODES = (
    (),
    ("R20",),
    ("R8.875",),
    ("R0",),
    ("R100",),
    ("STATE", "CITY"),
    ("LEVY", "STATE"),
    ("STATE", "CITY", "LEVY", "CENT"),
    ("CENT",),
)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 300),
    st.integers(1, 5),
    st.sampled_from(CODES),
    st.sampled_from([Basis.GROSS, Basis.NET]),
    st.integers(0, 3),
    st.sampled_from([None, -1, 2]),
    st.integers(-2, 2),
)
def test_conversion_is_the_best_of_all_ways(
    units: int,
    count: int,
    codes: tuple[str, ...],
    source: Basis,
    precision: int,
    tax_digits: int | None,
    so_far: int,
) -> None:
    """The same choice as an exhaustive search: nearest, exact, accumulated, fewer, lower."""
    if source is Basis.NET:
        codes = codes[:1]
    step = ulp(precision)
    flat = sum((BY_CODE[c].value for c in codes if BY_CODE[c].strategy is Strategy.FLAT), Decimal(0)) * count
    amount = max(units * step, round_money(flat, precision))
    digits = precision if tax_digits is None else max(0, precision + tax_digits)
    pricing = Pricing.NET if source is Basis.GROSS else Pricing.GROSS
    arithmetic = Arithmetic(
        a_reference(pricing=pricing, rates=RATES, tax_precision=None if tax_digits is None else digits)
    )
    if digits < 2 and "CENT" in codes:
        return  # an amount a piece finer than the tax digits: Mews would not define one
    found = Conversion(arithmetic).best(amount, count, codes, precision, so_far * step)
    assert sum(number for number, _ in found.entries) == count
    low, high = min(unit for _, unit in found.entries), max(unit for _, unit in found.entries)
    assert high - low <= step
    best = exhaustive(Fraction(amount), count, codes, source, precision, digits, Fraction(so_far * step))
    key = (abs(found.rounding), abs(so_far * step + found.rounding), len(found.entries), found.total)
    assert [Fraction(part) for part in key] == [best[0], best[2], best[3], best[4]]
    result = sum((booked(number, Fraction(unit), codes, digits, source) for number, unit in found.entries), Fraction(0))
    assert result == Fraction(amount - found.rounding)
