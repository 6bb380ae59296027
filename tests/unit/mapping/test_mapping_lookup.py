"""Which row answers: the order of design section 4."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from etl.mapping.check import globs_meet
from etl.mapping.lookup import TaxTable, find_glob, find_payment, find_voucher
from etl.model.rules import CategoryRule, PaymentRule, RateKind, TaxRule, VoucherRule

DAY = date(2011, 6, 15)


def rule(code: str, country: str = "*", rate: str = "*", **other: str) -> TaxRule:
    """A rule whose only code is `code`."""
    percent = None if rate in ("*", "shipping") else Decimal(rate)
    day = {name: date.fromisoformat(other[name]) if name in other else None for name in ("start", "before")}
    return TaxRule(
        country,
        RateKind.PERCENT if percent is not None else RateKind(rate),
        percent,
        day["start"],
        day["before"],
        other.get("store_type", ""),
        other.get("sku", ""),
        (code,),
    )


def found(table: TaxTable, country: str = "GB", percent: str = "20", day: date = DAY, **other: str) -> str | None:
    """The code of the row that answers."""
    answer = table.find(
        country=country,
        percent=Decimal(percent),
        day=day,
        store_type=other.get("store_type", "b2c"),
        sku=other.get("sku", "CUP-1"),
    )
    return answer.tax_codes[0] if answer and answer.tax_codes else None


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (rule("W", "GB"), rule("L", "*", "20", store_type="b2c", sku="CUP-1", start="2011-06-15", before="2011-06-16")),
        (rule("W", "GB", "20"), rule("L", "GB", "*", sku="CUP-1", start="2011-06-15", before="2011-06-16")),
        (rule("W", sku="CUP-*"), rule("L", start="2011-06-15", before="2011-06-16")),
        (rule("W", store_type="b2c"), rule("L", start="2011-06-15", before="2011-06-16")),
        (rule("W", store_type="b2c", sku="CUP-*"), rule("L", sku="CUP-1")),
        (rule("W", start="2011-06-01", before="2011-07-01"), rule("L", start="2011-01-01", before="2012-01-01")),
        (rule("W", start="2011-06-01", before="2020-01-01"), rule("L", start="2011-06-02")),
        (rule("W", start="2011-06-01"), rule("L")),
        (rule("W", start="2011-06-01"), rule("L", start="2011-01-01")),
        (rule("W", sku="CUP-1"), rule("L", sku="CUP-*")),
        (rule("W", sku="CUP-*"), rule("L", sku="C*")),
    ],
)
def test_the_more_specific_row_answers(winner: TaxRule, loser: TaxRule) -> None:
    """Country, then rate, then store type or SKU, then period; never the order of the file."""
    assert found(TaxTable([winner, loser])) == "W"
    assert found(TaxTable([loser, winner])) == "W"


def test_rows_that_do_not_fit_do_not_answer() -> None:
    """A period ends before its end, other SKUs and store types are other orders, shipping is no rate."""
    table = TaxTable(
        [
            rule("OLD", "GB", "20", before="2011-06-15"),
            rule("NEXT", "GB", "20", start="2011-06-16"),
            rule("TRADE", "GB", "20", store_type="b2b"),
            rule("TEA", "GB", "20", sku="TEA-*"),
            rule("SHIP", "GB", "shipping"),
            rule("FIVE", "GB", "5"),
        ]
    )
    assert found(table) is None
    assert found(table, day=date(2011, 6, 14)) == "OLD"
    assert found(table, day=date(2011, 6, 16)) == "NEXT"
    assert found(table, store_type="b2b") == "TRADE"
    assert found(table, sku="TEA-9") == "TEA"
    assert found(table, sku="tea-9") is None
    assert found(table, percent="5.00") == "FIVE"


def test_an_order_without_store_type_is_b2c() -> None:
    """The design reads no storeType as b2c."""
    table = TaxTable([rule("B2C", store_type="b2c"), rule("B2B", store_type="b2b")])
    assert found(table, store_type="") == "B2C"


def test_any_country_needs_a_country() -> None:
    """`*` stands for any country that is given, not for none."""
    assert found(TaxTable([rule("X")]), country="") is None
    assert TaxTable([rule("X")]).find_without_rate(country="", day=DAY, store_type="", sku="") == []
    assert TaxTable([rule("X", rate="shipping")]).find_shipping(country="", day=DAY, store_type="") is None


def test_a_line_without_rate_gets_every_distinct_answer() -> None:
    """One candidate may be assumed, several block: so none may be lost or doubled."""

    def codes(*rules: TaxRule, day: date = DAY) -> set[str]:
        rows = TaxTable(rules).find_without_rate(country="GB", day=day, store_type="", sku="CUP-1")
        assert len(rows) == len({row.tax_codes for row in rows})
        return {row.tax_codes[0] for row in rows if row.tax_codes}

    old, new = rule("A", "GB", "17.5", before="2011-01-04"), rule("B", "GB", "20", start="2011-01-04")
    assert codes(old, new, rule("C", rate="0")) == {"B"}
    assert codes(old, new, rule("C", rate="0"), day=date(2011, 1, 3)) == {"A"}
    assert codes(rule("A", "DE", "19"), rule("B", rate="20"), rule("C", rate="5")) == {"B", "C"}
    assert codes(new, rule("S", "GB", "shipping"), rule("T", "GB", "5", sku="TEA-*")) == {"B"}
    assert codes(new, rule("N", "GB", "20", sku="CUP-*")) == {"N"}
    assert codes(new, rule("B", "GB", "*")) == {"B"}
    assert codes(new, rule("X", "GB", "*")) == {"B", "X"}


def test_shipping_without_goods() -> None:
    """The shipping row is chosen as any row is; without it the rates that name the country are asked for."""
    table = TaxTable(
        [
            rule("ANY", rate="shipping"),
            rule("GB", "GB", "shipping", before="2011-01-04"),
            rule("R", "GB", "20"),
            rule("R2", "GB", "20", sku="CUP-1"),
            rule("W", rate="0"),
        ]
    )
    shipping = table.find_shipping(country="GB", day=DAY, store_type="b2c")
    assert shipping is not None
    assert shipping.tax_codes == ("ANY",)
    early = table.find_shipping(country="GB", day=date(2010, 1, 1), store_type="")
    assert early is not None
    assert early.tax_codes == ("GB",)
    named = table.named_country_rates(country="GB", day=DAY, store_type="b2c")
    assert [row.tax_codes for row in named] == [("R",)]
    assert table.named_country_rates(country="FR", day=DAY, store_type="b2c") == []


def test_globs_prefer_what_is_said_more_exactly() -> None:
    """Exact beats pattern, longer beats shorter, whatever the order; keys are case-sensitive."""
    rules = tuple(
        CategoryRule(kind, key, key)
        for kind, key in [
            ("sku", "*"),
            ("sku", "CUP-*"),
            ("sku", "CUP-1*"),
            ("sku", "CUP-12"),
            ("brand", "CUP-123"),
            ("sku", "A[1]"),
        ]
    )
    for order in (rules, rules[::-1], list(rules)):
        for value, key in [
            ("CUP-12", "CUP-12"),
            ("CUP-123", "CUP-1*"),
            ("CUP-2", "CUP-*"),
            ("cup-2", "*"),
            ("A[1]", "A[1]"),
        ]:
            answer = find_glob(order, "sku", value)
            assert answer is not None
            assert answer.key == key
        assert find_glob(order, "product", "CUP-12") is None


def test_vouchers_and_payments() -> None:
    """Voucher codes are patterns; payment methods are not."""
    vouchers = [VoucherRule("*", "rebate"), VoucherRule("GC-*", "payment"), VoucherRule("GC-1", "spread")]
    assert [(found_ := find_voucher(vouchers, code)) and found_.policy for code in ("GC-1", "GC-2", "", "gc-1")] == [
        "spread",
        "payment",
        "rebate",
        "rebate",
    ]
    assert find_voucher(vouchers[1:], "X") is None
    payments = [PaymentRule("card", "CreditCard"), PaymentRule("c*", "Cash")]
    answer = find_payment(payments, "card")
    assert answer is not None
    assert answer.type == "CreditCard"
    assert find_payment(payments, "cash") is None


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("CUP-*", "*-RED", True),
        ("CUP-*", "TEA-*", False),
        ("C?P", "CUP", True),
        ("C?P", "CP", False),
        ("*", "", True),
        ("A*B*C", "*X*", True),
        ("[ab]1", "[bc]1", True),
        ("[ab]1", "[cd]1", False),
        ("*a", "*b", False),
        ("a*", "*", True),
    ],
)
def test_patterns_that_can_fit_one_value(first: str, second: str, meet: bool) -> None:
    """A clash between patterns is found although neither contains the other."""
    assert globs_meet(first, second) is meet
    assert globs_meet(second, first) is meet
