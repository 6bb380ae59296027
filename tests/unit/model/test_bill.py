"""A planned order as one element of `Bills`, and as the bytes that are kept and sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from builders import a_line, an_order
from hypothesis import given
from hypothesis import strategies as st
from outlet_shop import outlet_context

from etl.model.bill import bill_fragment, bill_number, bill_payload, bills_body
from etl.model.identity import Identity
from etl.model.kinds import OLD, is_about
from etl.model.order import Payment
from etl.model.plan import PlannedOrder
from etl.transform.order import plan_order

PAID = Payment(method="card", status="success", amount=D("24.00"))
ORDER = plan_order(an_order(a_line("12.00", 2), payments=(PAID,)), outlet_context())
FIRST = Identity("uk", "10001")


def test_a_bill_is_what_the_connector_api_takes() -> None:
    """Number, times, marker and template, items with type, identifier and category; amounts as Decimal."""
    assert bill_payload(ORDER, FIRST) == {
        "OutletId": "ou-shop",
        "Number": "10001",
        "ClosedUtc": "2011-06-15T11:00:00Z",
        "Notes": "[centra:uk:10001] Centra order 10001",
        "Items": [
            {
                "Type": "Revenue",
                "Name": "Cup",
                "UnitCount": 2,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": D("12.00")},
                "ConsumedUtc": "2011-06-15T11:00:00Z",
                "ExternalIdentifier": "centra:uk:10001:p1",
                "AccountingCategoryId": "ca-shop",
            },
            {
                "Type": "Payment",
                "Name": "card",
                "UnitCount": 1,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": [], "GrossValue": D("-24.00")},
                "ConsumedUtc": "2011-06-15T11:00:00Z",
                "ExternalIdentifier": "centra:uk:10001:pay1",
                "AccountingCategoryId": "ca-paid",
            },
        ],
    }


def test_an_account_stands_on_the_bill_only_where_one_is_mapped() -> None:
    """An empty AccountId would be refused."""
    assert bill_payload(replace(ORDER, account_id="ac-1"), FIRST)["AccountId"] == "ac-1"


@pytest.mark.parametrize(
    ("identity", "number"),
    [
        (FIRST, "10001"),
        (Identity("uk", "10001", 2), "10001~2"),
        (Identity("uk", "10001", is_undo=True), "10001:undo"),
        (Identity("uk", "10001", 2, is_undo=True), "10001~2:undo"),
        (Identity("a-b", "7-R1"), "7-R1"),
    ],
)
def test_the_number_tells_generation_and_undo(identity: Identity, number: str) -> None:
    """Design section 9; Number is what a person finds in the outlet report."""
    assert bill_number(identity) == number


def test_the_second_generation_is_another_bill() -> None:
    """Number, marker and every identifier."""
    bill = bill_payload(ORDER, Identity("uk", "10001", 2))
    assert (bill["Number"], bill["Notes"]) == ("10001~2", "[centra:uk:10001~2] Centra order 10001")
    assert [item["ExternalIdentifier"] for item in bill["Items"]] == ["centra:uk:10001~2:p1", "centra:uk:10001~2:pay1"]


def test_an_order_without_consumption_is_no_bill() -> None:
    """Mews would book it now."""
    with pytest.raises(ValueError, match="no consumption"):
        bill_payload(replace(ORDER, consumption=None), FIRST)


def numbered(number: int, notes: str) -> PlannedOrder:
    return replace(ORDER, number=str(number), notes=notes, consumption=datetime(2011, 1, 1, tzinfo=UTC))


@given(st.lists(st.tuples(st.integers(1, 10**9), st.text(max_size=20).filter(str.isprintable)), max_size=5))
def test_a_body_is_its_bills_side_by_side(rows: list[tuple[int, str]]) -> None:
    """Joined bytes are the JSON of all of them, digit by digit."""
    orders = [numbered(number, notes) for number, notes in rows]
    fragments = [bill_fragment(order, Identity("uk", order.number)) for order in orders]
    body = bills_body(fragments)
    assert json.loads(body, parse_float=D) == {
        "Bills": [bill_payload(order, Identity("uk", order.number)) for order in orders]
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("ConsumedUtc is before the editable history interval.", True),
        ("The bill is too old.", True),
        ("Forbidden", True),
        ("The tax code UK-S is not valid at the time of consumption.", False),
        ("Negative amounts are not allowed: this integration may not post rebates.", False),
        ("AccountingCategoryId is unknown.", False),
    ],
)
def test_the_words_of_a_refusal_that_speak_of_age(message: str, expected: bool) -> None:
    """Three in such words hold the kind of bills that are older than the window; others are nothing of it."""
    assert is_about(OLD, message) is expected
