"""What blocks an order is told whole: no reason hides another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from builders import UK_TAXES, a_context, a_line, a_mapping, a_tax, an_order
from hypothesis import given
from hypothesis import strategies as st

from etl.model.order import Line
from etl.model.plan import PlannedOrder
from etl.model.problem import Problem
from etl.transform.consumption import Window
from etl.transform.order import plan_order

TAXES = (*UK_TAXES, a_tax("7", undecided=True))
LATE = Window(datetime(2012, 1, 1, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))


def plan(*lines: Line, settings: dict[str, Any] | None = None, **order: Any) -> PlannedOrder:
    sections: dict[str, Any] = {"target": {"rebates": "block"}} | (settings or {})
    return plan_order(an_order(*lines, **order), a_context(a_mapping(taxes=TAXES, **sections)))


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({}, "tax.undecided"),
        ({"delivery_country": ""}, "country.missing"),
        ({"order_date": None}, "date.missing"),
        ({"currency": "SEK"}, "currency.not_enabled"),
    ],
)
def test_a_missing_tax_code_hides_no_rebate(order: dict[str, Any], reason: str) -> None:
    """Whoever fills in the cell learns now that the voucher can't go out either."""
    vat = "7" if not order else "20"
    result = plan(a_line("10.00", 1, vat), a_line("5.00", 1, "5", sku="TEA"), voucher_value="2.00", **order)
    assert set(result.codes) == {reason, "rebate.not_allowed"}
    assert (result.entries, result.planned_total) == ((), 0)


def test_what_a_spread_voucher_never_needed_is_no_reason() -> None:
    """Entries are tried by the order's own policy, not feared."""
    spread = {"vouchers": {"policy": "spread"}}
    assert plan(a_line("10.00", 1, "7"), voucher_value="2.00", settings=spread).codes == ("tax.undecided",)


def test_a_line_without_codes_hides_no_vat_of_an_old_order() -> None:
    """7 % will be VAT whatever its code."""
    clamp = {"target": {"outside_editable_window": "clamp"}}
    ctx = a_context(a_mapping(taxes=TAXES, **clamp), window=LATE)
    assert plan_order(an_order(a_line("10.00", 1, "7")), ctx).codes == ("tax.undecided", "window.vat_undeclared")
    assert plan_order(an_order(a_line("10.00", 1, "0")), ctx).codes == ()


def test_an_amount_beyond_arithmetic_hides_nothing_else() -> None:
    """The account is asked for all the same."""
    ctx = a_context(a_mapping(accounts={"fallback": ""}))
    assert plan_order(an_order(a_line("1e12")), ctx).codes == ("account.unmapped", "value.invalid")


def test_lines_that_are_wrong_in_themselves_are_no_rebates() -> None:
    """A negative price is one fault, not two."""
    assert plan(a_line("-5.00"), a_line("9.00")).codes == ("price.negative",)
    assert plan(a_line("5.00", 0), a_line("9.00")).codes == ("quantity.zero",)


def test_a_payment_that_is_not_possible_is_told_beside_a_tax_that_is_missing() -> None:
    """Store credit needs the type GiftCard."""
    blocked = plan(
        a_line("10.00", -1, "7"),
        is_return=True,
        voucher_value="-2.00",
        settings={"vouchers": {"policy": "payment"}, "payments": {"refunds": "none"}},
    )
    assert set(blocked.codes) == {"tax.undecided", "rebate.not_allowed", "payment.not_supported"}


@given(
    st.lists(st.tuples(st.sampled_from(["20", "5", "7", "99", None]), st.integers(-3, 3)), max_size=4),
    st.sampled_from(["0", "4.00", "-4.00"]),
    st.sampled_from(["0", "3.00"]),
    st.booleans(),
)
def test_a_decided_tax_never_uncovers_a_reason(
    goods: list[tuple[str | None, int]], shipping: str, value: str, is_return: bool
) -> None:
    """Orders that only lack tax rows: the plan with the rows has no reason that the plan without them did not tell."""
    lines = [a_line("8.00", qty, vat, sku=f"S{index}") for index, (vat, qty) in enumerate(goods)]
    order = an_order(*lines, shipping=D(shipping), voucher_value=D(value), is_return=is_return)
    sections: dict[str, Any] = {"target": {"rebates": "block"}}
    before = plan_order(order, a_context(a_mapping(taxes=TAXES, **sections))).codes
    rows = (a_tax("*", "UK-20%", accept=True), a_tax("shipping", "UK-20%"))
    after = plan_order(order, a_context(a_mapping(taxes=rows, **sections))).codes
    assert set(after) <= set(before)


def test_an_order_of_which_a_line_could_not_be_read_is_not_called_empty() -> None:
    """`order.empty` says that there may be nothing to do; here there is."""
    fault = Problem("value.invalid", "10001", an_order().place.at("products.unitPrice"))
    result = plan_order(replace(an_order(), lines=(), problems=(fault,)), a_context())
    assert result.codes == ("value.invalid",)


def test_while_codes_are_undecided_no_total_with_tax_is_called_wrong() -> None:
    """The first dry run, before anybody has filled in taxes.csv, blames no order for the tax in its total."""
    net = {"source": {"prices_include_tax": False}}
    assert plan(a_line("10.00", vat="7"), settings=net, order_total="10.70").codes == ("tax.undecided",)
    assert plan(a_line("10.00", vat="20"), settings=net, order_total="10.70").codes == ("total.mismatch",)
    assert plan(a_line("10.00", vat="7"), order_total="10.70").codes == ("tax.undecided", "total.mismatch")
