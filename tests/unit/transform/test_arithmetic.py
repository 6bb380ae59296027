"""What Mews books, and the way into the other tax basis."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from builders import US_RATES, a_rate, a_reference

from etl.model.reference import Pricing, Strategy
from etl.transform.arithmetic import Arithmetic
from etl.transform.conversion import Conversion

NET = Arithmetic(a_reference(pricing=Pricing.NET))
GROSS = Arithmetic(a_reference())
ALL = ("STATE", "CITY", "LEVY", "FEE")


def ways(arithmetic: Arithmetic, amount: str, count: int, *codes: str, rounding: str = "0") -> list[tuple[int, str]]:
    found = Conversion(arithmetic).best(D(amount), count, codes, 2, D(rounding))
    return [(number, str(unit)) for number, unit in found.entries]


@pytest.mark.parametrize(
    ("count", "unit", "code", "net", "tax"),
    [
        (3, "19.98", "UK-20%", "49.95", "9.99"),
        (5, "5.99", "UK-5%", "28.52", "1.43"),
        (1, "-6.67", "UK-20%", "-5.56", "-1.11"),
        (1, "11.75", "UK-17.5%", "10.00", "1.75"),
        (2, "15.00", "UK-0%", "30.00", "0.00"),
    ],
)
def test_gross_pricing_takes_tax_out_of_the_entry(count: int, unit: str, code: str, net: str, tax: str) -> None:
    """Per entry on count x unit amount, as the worked examples book it."""
    booked = GROSS.predict(count, D(unit), (code,), 2)
    assert (str(booked.net), str(booked.tax)) == (net, tax)
    assert booked.gross == count * D(unit)
    assert booked.taxes == ((code, D(tax)),)


def test_net_pricing_adds_each_codes_tax() -> None:
    """Dependent on rounded taxes, flat by the piece: the worked example of two tyres."""
    booked = NET.predict(2, D("50.00"), ALL, 2)
    assert booked.taxes == (("STATE", D("6.00")), ("CITY", D("4.00")), ("LEVY", D("1.06")), ("FEE", D("4.00")))
    assert (booked.net, booked.tax, booked.gross) == (D("100.00"), D("15.06"), D("115.06"))


def test_a_dependent_tax_follows_its_base_in_any_order_of_codes() -> None:
    """A cell with LEVY before STATE must not lose the tax on the tax."""
    assert NET.predict(2, D("50.00"), ALL[::-1], 2).gross == D("115.06")
    assert NET.combined_rate(ALL[::-1]) == D("0.1106")


def test_a_dependent_tax_is_taken_on_rounded_taxes() -> None:
    """10.08 x 6 % is 0.6048 -> 0.60; the levy is on 10.68."""
    rates = (a_rate("STATE", "0.06"), a_rate("LEVY", "0.5", strategy=Strategy.DEPENDENT, base=("STATE",)))
    booked = Arithmetic(a_reference(pricing=Pricing.NET, rates=rates)).predict(1, D("10.07"), ("STATE", "LEVY"), 2)
    assert booked.taxes == (("STATE", D("0.60")), ("LEVY", D("5.34")))


def test_exempt_has_no_tax() -> None:
    """No codes, no tax, no difference of bases."""
    booked = NET.predict(3, D("1.50"), (), 2)
    assert (booked.net, booked.tax, booked.gross) == (D("4.50"), D(0), D("4.50"))


def test_tax_precision_overrides_the_currencys() -> None:
    """With four digits the tax of 9.99 at 20 % is 1.998."""
    fine = Arithmetic(a_reference(pricing=Pricing.NET, tax_precision=4))
    assert fine.predict(1, D("9.99"), ("UK-20%",), 2).tax == D("1.9980")
    assert Arithmetic(a_reference(tax_precision=4)).predict(1, D("9.99"), ("UK-20%",), 2).net == D("8.3250")


def test_flat_codes_leave_the_rate_alone() -> None:
    """A fee a piece is no percentage, and rebates don't give it back."""
    assert NET.combined_rate(ALL) == NET.combined_rate(ALL[:3]) == D("0.1106")
    assert NET.constant(ALL, 3) == D("6.00")
    assert NET.without_flat(ALL) == ALL[:3]


def test_an_exact_answer_is_taken() -> None:
    """10.00 with 20 % is 8.33 + 1.67."""
    assert ways(NET, "10.00", 1, "UK-20%") == [(1, "8.33")]
    assert ways(NET, "57.53", 1, *ALL) == [(1, "50.00")]
    assert ways(GROSS, "20.04", 1, "UK-20%") == [(1, "24.05")]


def test_a_tie_goes_to_the_order_then_to_the_lower() -> None:
    """Nobody can book 9.99 at 20 %; what the order is short of decides, then the lower."""
    assert ways(NET, "9.99", 1, "UK-20%") == [(1, "8.32")]
    assert ways(NET, "9.99", 1, "UK-20%", rounding="0.01") == [(1, "8.33")]
    assert ways(NET, "9.99", 1, "UK-20%", rounding="-0.01") == [(1, "8.32")]


def test_two_entries_reach_what_one_cannot() -> None:
    """Neighbouring units whose taxes round apart meet the source to the penny; the lower total wins the tie."""
    assert ways(NET, "19.98", 2, "UK-20%") == [(1, "8.32"), (1, "8.33")]
    assert ways(NET, "29.97", 3, "UK-20%") == [(2, "8.32"), (1, "8.33")]


def test_equal_units_in_two_entries_are_tried() -> None:
    """2 x 0.10 at 5 % is 0.21 as one entry, and 0.22 as two, whose half pennies of tax round apart."""
    assert ways(NET, "0.22", 2, "UK-5%") == [(1, "0.10"), (1, "0.10")]
    assert Conversion(NET).best(D("0.22"), 2, ("UK-5%",), 2, D(0)).rounding == 0


def test_nothing_costs_nothing() -> None:
    """Zero-priced lines are kept."""
    assert ways(NET, "0.00", 7, "UK-20%") == [(7, "0.00")]
    assert ways(GROSS, "0.00", 7, "UK-20%") == [(7, "0.00")]


def test_less_than_its_flat_tax_is_answered_all_the_same() -> None:
    """A price below the fee that it includes has no answer, but must not break the run."""
    found = Conversion(NET).best(D("0.50"), 1, ALL, 2, D(0))
    assert found.rounding == D("-1.50")


def test_coarse_tax_digits_are_searched_widely_enough() -> None:
    """With whole pounds of tax the nearest answer may lie far from the exact conversion."""
    coarse = Arithmetic(a_reference(pricing=Pricing.NET, tax_precision=0))
    assert Conversion(coarse).best(D("9.99"), 1, ("UK-20%",), 2, D(0)).rounding == D("0.00")


def test_other_currencies_digits_are_kept() -> None:
    """Yen without decimals, dinars with three."""
    yen = Conversion(NET).best(D(1100), 3, ("UK-20%",), 0, D(0))
    assert all(unit == unit.to_integral_value() for _, unit in yen.entries)
    dinar = Conversion(NET).best(D("1.234"), 1, ("UK-5%",), 3, D(0))
    assert (dinar.entries, dinar.rounding) == (((1, D("1.175")),), D("0.000"))


def test_codes_are_sent_in_the_tables_order() -> None:
    """Predicted taxes are named by code, in the order in which they are sent."""
    assert [code for code, _ in NET.predict(1, D("1.00"), ("LEVY", "STATE"), 2).taxes] == ["LEVY", "STATE"]
    assert [rate.code for rate in US_RATES] == list(ALL)
