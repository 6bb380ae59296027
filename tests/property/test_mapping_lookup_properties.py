"""Searching taxes.csv: the fast table against a plain reading of the rule."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from etl.mapping.check import check_taxes, globs_meet
from etl.mapping.lookup import TaxTable
from etl.model.place import Place
from etl.model.rules import RateKind, TaxRule

FIRST = date(2011, 1, 1)
days = st.integers(0, 6).map(lambda offset: FIRST + timedelta(days=offset))
globs = st.text("ab*?", min_size=1, max_size=4)


@st.composite
def rules(draw: st.DrawFn) -> TaxRule:
    percent = draw(st.sampled_from([None, Decimal(5), Decimal(20)]))
    start, end = draw(st.none() | days), draw(st.none() | days)
    if start and end and start >= end:
        start = None
    return TaxRule(
        draw(st.sampled_from(["*", "GB"])),
        RateKind.ANY if percent is None else RateKind.PERCENT,
        percent,
        start,
        end,
        draw(st.sampled_from(["", "b2b"])),
        draw(st.just("") | globs),
        (draw(st.sampled_from("XYZ")),),
        place=Place("taxes.csv", row=draw(st.integers(2, 999))),
    )


orders = st.fixed_dictionaries(
    {
        "country": st.sampled_from(["GB", "FR"]),
        "percent": st.sampled_from([Decimal("5.0"), Decimal(20)]),
        "day": days,
        "store_type": st.sampled_from(["b2b", "b2c"]),
        "sku": st.text("ab", max_size=3),
    }
)


def _fits(rule: TaxRule, order: dict[str, object]) -> bool:
    return (
        rule.country in ("*", order["country"])
        and rule.percent in (None, order["percent"])
        and (rule.valid_from is None or rule.valid_from <= order["day"])  # type: ignore[operator]
        and (rule.valid_before is None or order["day"] < rule.valid_before)  # type: ignore[operator]
        and rule.store_type in ("", order["store_type"])
        and (not rule.sku or fnmatchcase(str(order["sku"]), rule.sku))
    )


@given(st.lists(rules(), max_size=6), st.lists(orders, max_size=4), st.randoms(use_true_random=False))
def test_a_table_without_faults_answers_alike_in_any_order(
    table: list[TaxRule], asked: list[dict[str, object]], rng
) -> None:
    """What check_taxes lets pass has one answer: neither row order nor the cache may change an order's tax."""
    faults, _ = check_taxes(table)
    shuffled = list(table)
    rng.shuffle(shuffled)
    one, two = TaxTable(table), TaxTable(shuffled)
    for order in asked + asked:
        first, second = one.find(**order), two.find(**order)  # type: ignore[arg-type]
        assert (first is None) == (not any(_fits(rule, order) for rule in table))
        if first is not None and second is not None:
            assert _fits(first, order)
            if not faults:
                assert first.tax_codes == second.tax_codes
            best = [rule for rule in table if _fits(rule, order)]
            assert (first.country != "*") == any(rule.country != "*" for rule in best)


@given(globs, globs, st.text("ab", max_size=4))
def test_patterns_that_share_a_value_are_seen_to_meet(first: str, second: str, value: str) -> None:
    """A clash that is not seen would let the order of the file decide."""
    if fnmatchcase(value, first) and fnmatchcase(value, second):
        assert globs_meet(first, second)
