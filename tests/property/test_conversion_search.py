"""The search for the best conversion finds what looking at every total and every split finds, for every kind of tax."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import a_reference
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scanned_conversion import ScannedConversion

from etl.model.money import round_money, ulp
from etl.model.reference import Pricing, Strategy, TaxRate
from etl.transform.arithmetic import Arithmetic
from etl.transform.booking import Booking
from etl.transform.conversion import Conversion
from etl.transform.remainders import first_within, half_up

RATES = (
    TaxRate("R20", "R20", Strategy.RELATIVE, Decimal("0.2")),
    TaxRate("R175", "R175", Strategy.RELATIVE, Decimal("0.175")),
    TaxRate("R5", "R5", Strategy.RELATIVE, Decimal("0.05")),
    TaxRate("R0", "R0", Strategy.RELATIVE, Decimal(0)),
    TaxRate("R250", "R250", Strategy.RELATIVE, Decimal("2.5")),
    TaxRate("D3", "D3", Strategy.DEPENDENT, Decimal("0.03"), base=("R20",)),
    TaxRate("D9", "D9", Strategy.DEPENDENT, Decimal("0.0975"), base=("R5", "F150")),
    TaxRate("DF", "DF", Strategy.DEPENDENT, Decimal("0.125"), base=("F150",)),
    TaxRate("F150", "F150", Strategy.FLAT, Decimal("1.5"), currency="GBP"),
    TaxRate("F1", "F1", Strategy.FLAT, Decimal("0.01"), currency="GBP"),
)
SETS = (
    *((rate.code,) for rate in RATES if rate.strategy is not Strategy.DEPENDENT),
    *(
        ("R20", "D3"),
        ("R5", "D9"),
        ("F150", "R5", "D9"),
        ("R20", "F1"),
        ("R20", "R5"),
        ("R175", "R5", "F150"),
        ("F150", "DF"),
        (),
    ),
)
amounts = st.one_of(st.integers(0, 400), st.integers(0, 300_000))
counts = st.one_of(st.integers(1, 4), st.integers(1, 60))


@settings(max_examples=400, deadline=None)
@given(amounts, counts, st.sampled_from(SETS), st.booleans(), st.integers(0, 3), st.sampled_from([None, 0, 1, 2, 4]))
def test_search_finds_what_a_scan_finds(units, count, codes, is_net, precision, tax_digits):
    """The same entries to the digit, whatever an order has left over so far."""
    codes = codes if is_net else codes[:1]
    if not is_net and codes and codes[0].startswith("D"):
        codes = ()
    arithmetic = Arithmetic(
        a_reference(pricing=Pricing.NET if is_net else Pricing.GROSS, rates=RATES, tax_precision=tax_digits)
    )
    amount = units * ulp(precision)
    if is_net:
        amount = max(amount, round_money(arithmetic.constant(codes, count) + ulp(precision), precision))
    found, scanned = Conversion(arithmetic), ScannedConversion(arithmetic)
    for so_far in (Decimal(0), ulp(precision), -ulp(precision), Decimal("0.5")):
        new, old = (one.best(amount, count, codes, precision, so_far) for one in (found, scanned))
        assert (new.entries, new.total, new.rounding) == (old.entries, old.total, old.rounding)
        assert [str(unit) for _, unit in new.entries] == [str(unit) for _, unit in old.entries]
        if exact := found.exactly(int(amount / ulp(precision)), count, codes, precision):
            event("booked to the last digit")
            assert tuple((number, unit * ulp(precision)) for number, unit, _ in exact) == new.entries
            booked = [arithmetic.predict(number, unit, codes, precision) for number, unit in new.entries]
            its = [one.gross if is_net else one.net for one in booked]
            assert [amount * ulp(precision) for _, _, amount in exact] == its


@settings(max_examples=300)
@given(st.integers(0, 200), st.integers(-300, 300), st.integers(1, 120), st.data())
def test_first_multiple_with_a_remainder_in_a_range(factor, start, modulus, data):
    low = data.draw(st.integers(0, modulus - 1))
    high = data.draw(st.integers(low, modulus - 1))
    tried = [n for n in range(modulus) if low <= (factor * n + start) % modulus <= high]
    assert first_within(factor, start, modulus, low, high) == (tried[0] if tried else None)


@given(st.integers(-1000, 1000), st.integers(1, 60))
def test_halves_go_away_from_zero(numerator, denominator):
    exact = Decimal(numerator) / Decimal(denominator)
    assert half_up(numerator, denominator) == round_money(exact, 0)


@pytest.mark.parametrize("tax_digits", [None, 0, 4])
@pytest.mark.parametrize("codes", [("R20",), ("R175",), ("R20", "D3")])
@pytest.mark.parametrize("is_net", [True, False])
def test_few_entries_are_booked_to_find_the_best(tax_digits, codes, is_net, monkeypatch):
    """A scan books thousands of entries a line where taxes are rounded to whole units; no clock is asked here."""
    booked = 0
    real = Booking.result

    def counted(self, value, count):
        nonlocal booked
        booked += 1
        return real(self, value, count)

    monkeypatch.setattr(Booking, "result", counted)
    pricing = Pricing.NET if is_net else Pricing.GROSS
    arithmetic = Arithmetic(a_reference(pricing=pricing, rates=RATES, tax_precision=tax_digits))
    conversion = Conversion(arithmetic)
    lines = [(Decimal(100 + 37 * n) / 100, 1 + n % 12) for n in range(500)]
    for amount, count in lines:
        conversion.best(amount, count, codes if is_net else codes[:1], 2, Decimal(0))
    assert booked < 40 * len(lines)
