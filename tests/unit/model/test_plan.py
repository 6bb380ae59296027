"""Payloads and the plan id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from builders import a_context, a_line, a_mapping, an_order

from etl.model.identity import Identity
from etl.model.plan import (
    Basis,
    PlannedOrder,
    PlannedPayment,
    Verdict,
    order_payload,
    payment_payload,
    plan_id,
    plan_line,
)
from etl.model.problem import Problem
from etl.transform.order import plan_order


def planned(**more: object) -> PlannedOrder:
    order = an_order(a_line("5.00", 2), a_line("1.00", sku="TEA"), shipping="4.95", **more)
    context = a_context(a_mapping(tables={"products": {("sku", "TEA"): "pr-cup"}}))
    return plan_order(order, context)


def test_payload_is_what_mews_documents() -> None:
    """One body: products and items apart, positive integer counts, the time of consumption always there."""
    payload = order_payload(planned(), Identity("shop", "10001"))
    assert payload == {
        "ServiceId": "se-shop",
        "AccountId": "ac-house",
        "ConsumptionUtc": "2011-06-15T11:00:00Z",
        "Notes": "[centra:shop:10001] Centra order 10001",
        "Options": {"DisableItemGrouping": True},
        "ProductOrders": [
            {
                "ProductId": "pr-cup",
                "Count": 1,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("1.00")},
                "ExternalIdentifier": "centra:shop:10001:p2",
            }
        ],
        "Items": [
            {
                "Name": "Cup",
                "UnitCount": 2,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("5.00")},
                "ExternalIdentifier": "centra:shop:10001:p1",
                "AccountingCategoryId": "ca-shop",
            },
            {
                "Name": "Shipping",
                "UnitCount": 1,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("4.95")},
                "ExternalIdentifier": "centra:shop:10001:s1",
            },
        ],
    }


def test_optional_fields_are_sent_only_where_given() -> None:
    """Mews refuses empty ids, and an unasked reservation would be linked."""
    order = replace(planned(), enterprise_id="en", segment_id="seg", bill_id="bill", reservation_id="res")
    payload = order_payload(order, Identity("shop", "10001"))
    assert {name: payload[name] for name in ("EnterpriseId", "BusinessSegmentId", "BillId", "LinkedReservationId")} == {
        "EnterpriseId": "en",
        "BusinessSegmentId": "seg",
        "BillId": "bill",
        "LinkedReservationId": "res",
    }


def test_an_order_without_consumption_has_no_payload() -> None:
    """Mews would book it now."""
    with pytest.raises(ValueError, match="consumption"):
        order_payload(replace(planned(), consumption=None), Identity("shop", "10001"))


def test_payments_carry_the_enterprises_basis() -> None:
    """A net enterprise refuses GrossValue."""
    order, payment = planned(), PlannedPayment("gift1", "GiftCard", Decimal("20.00"), "ca")
    gross = payment_payload(order, payment, Identity("shop", "10001"), Basis.GROSS)
    net = payment_payload(order, payment, Identity("shop", "10001"), Basis.NET)
    assert gross["Amount"] == {"Currency": "GBP", "GrossValue": Decimal("20.00")}
    assert net["Amount"] == {"Currency": "GBP", "NetValue": Decimal("20.00")}
    assert gross["ExternalIdentifier"] == "centra:shop:10001:gift1"


def test_everything_that_is_sent_enters_the_plan_id() -> None:
    """A reviewed plan is the plan that runs: any other payload must have another id."""
    order = planned()
    first = order.entries[0]
    variants = [
        order,
        replace(order, number="10002"),
        replace(order, account_id="other"),
        replace(order, currency="EUR"),
        replace(order, notes="else"),
        replace(order, consumption=datetime(2011, 6, 16, tzinfo=UTC)),
        replace(order, is_clamped=True),
        replace(order, segment_id="seg"),
        replace(order, bill_id="seg"),
        replace(order, reservation_id="seg"),
        replace(order, disable_item_grouping=False),
        replace(order, create_customer=(("Email", "a@example.com"),)),
        replace(order, payments=(PlannedPayment("gift1", "GiftCard", Decimal(1)),)),
        replace(order, payments=(PlannedPayment("gift1", "GiftCard", Decimal(2)),)),
        *(
            replace(order, entries=(replace(first, **change), *order.entries[1:]))
            for change in (
                {"count": 3},
                {"unit": Decimal("5.01")},
                {"codes": ()},
                {"name": "Mug"},
                {"line": "p9"},
                {"category_id": "x"},
            )
        ),
        replace(order, verdict=Verdict.BLOCKED),
        replace(order, verdict=Verdict.SKIPPED, skip_reason="status Pending"),
        replace(order, verdict=Verdict.BLOCKED, problems=(Problem("tax.unmapped"),)),
    ]
    ids = [plan_id([plan_line(variant, "shop")]) for variant in variants]
    assert len(set(ids)) == len(ids)


def test_what_is_not_sent_does_not_enter_the_plan_id() -> None:
    """Another clock, file or report text must not ask for another review."""
    order = planned()
    clamped = replace(order, is_clamped=True)
    later = replace(clamped, consumption=datetime(2012, 1, 6, tzinfo=UTC))
    assert plan_line(clamped, "shop") == plan_line(later, "shop")
    assert plan_line(order, "shop") == plan_line(replace(order, line_count=9, fingerprint="x", month="y"), "shop")


def test_amounts_enter_the_plan_id_as_values() -> None:
    """35.2 of one format and 35.20 of another are one plan."""
    order = planned()
    one, two = (replace(order, payments=(PlannedPayment("pay1", "Cash", Decimal(text)),)) for text in ("35.2", "35.20"))
    assert plan_line(one, "shop") == plan_line(two, "shop")


def test_balance_is_what_the_guest_owes() -> None:
    """Gross of the items less what was paid."""
    order = replace(planned(), payments=(PlannedPayment("gift1", "GiftCard", Decimal("5.00")),))
    assert order.gross_balance == Decimal("10.95")


def test_codes_name_each_reason_once() -> None:
    """Counts by problem would be wrong with repeats."""
    problems = (Problem("b"), Problem("a"), Problem("b", "x"))
    codes = PlannedOrder("1", Verdict.BLOCKED, problems=problems).codes
    assert codes == ("a", "b")
    assert all(left < right for left, right in pairwise(codes))
