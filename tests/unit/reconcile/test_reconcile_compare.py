"""One order against what Mews returns of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import ACCOUNT, CATEGORY
from reconcile_fakes import CONSUMED, SENT, STORE, a_payment, a_plan, an_entry, payment_row, rows_of

from etl.evidence.observed import observed_entries, observed_moment
from etl.evidence.sent import payload_currency, sent_entries, sent_payment
from etl.evidence.values import Expected, What
from etl.model.identity import Identity
from etl.model.plan import Basis, Booked, PlannedOrder, order_payload, payment_payload
from etl.reconcile.compare import compare_order
from etl.reconcile.values import Klass, sums

TWO = (an_entry("p1", "12.00", 2, "4.00"), an_entry("s1", "6.00", 1, "1.00"))


def expected_of(order: PlannedOrder, basis: Basis = Basis.GROSS) -> Expected:
    """As the ledger has it."""
    identity = Identity(STORE, order.number)
    payload = order_payload(order, identity)
    predicted = [(one.line, one.predicted.net, one.predicted.tax, one.predicted.gross) for one in order.entries]
    return Expected(
        order.number,
        1,
        "o-1",
        order.account_id,
        order.consumption,
        payload_currency(payload),
        basis,
        sent_entries(payload, basis, predicted, identity.stem),
        tuple(
            sent_payment(one.part, "m-1", payment_payload(order, one, identity, basis), basis) for one in order.payments
        ),
    )


def test_what_stands_as_sent_matches() -> None:
    """An untouched order is told matched, and both sides book the same."""
    order = a_plan("10001", *TWO)
    finding = compare_order(expected_of(order), rows_of(order, "o-1"))
    assert finding.klass is Klass.MATCHED
    assert finding.differences == finding.notices == ()
    assert sums(finding.ledger) == sums(finding.mews) == (Decimal("25.00"), Decimal("30.00"))
    assert finding.ledger == finding.mews


def test_an_order_without_items_is_missing() -> None:
    """Money that the ledger believes in and Mews does not have."""
    finding = compare_order(expected_of(a_plan("10001", *TWO)), [])
    assert finding.klass is Klass.MISSING
    assert [one.what for one in finding.differences] == [What.ORDER]
    assert sums(finding.ledger)[1] == Decimal("30.00")
    assert finding.mews == ()


LATER = SENT + timedelta(days=3)


@pytest.mark.parametrize(
    ("change", "what", "found"),
    [
        ({"gross": Decimal("25.00"), "net": Decimal("21.00")}, What.AMOUNT, "25.00"),
        ({"count": 3}, What.COUNT, "3"),
        ({"net": Decimal("19.00"), "taxes": (("UK-20%", Decimal("5.00")),)}, What.TAX, "5.00"),
        ({"taxes": (("UK-5%", Decimal("4.00")),)}, What.TAX, "UK-5%"),
        ({"consumed": CONSUMED + timedelta(days=1)}, What.DATE, "2011-06-16"),
        ({"account_id": "ac-other"}, What.ACCOUNT, "ac-other"),
        ({"category_id": "ca-other"}, What.CATEGORY, "ca-other"),
        ({"currency": "EUR", "original_currency": "EUR"}, What.CURRENCY, "EUR"),
        ({"canceled": LATER, "state": "Canceled"}, What.CANCELLED, "2012-01-12"),
        ({"external_identifier": "till 7"}, What.IDENTIFIER, "till 7"),
    ],
)
def test_each_kind_of_change_is_named(change: dict[str, Any], what: What, found: str) -> None:
    """An accountant must see what staff changed, not only that something differs."""
    order = a_plan("10001", *TWO)
    rows = rows_of(order, "o-1")
    rows[0] = replace(rows[0], updated=LATER, **change)
    finding = compare_order(expected_of(order), rows)
    assert finding.klass is Klass.DIFFERENT
    assert [one.what for one in finding.differences] == [what]
    assert found in finding.differences[0].found
    if what is not What.CANCELLED:
        assert "changed in Mews on 2012-01-12" in finding.differences[0].found


def test_cancelled_items_stand_for_nothing() -> None:
    """A cancelled charge must not count in Mews's sums, whatever amount it still shows."""
    order = a_plan("10001", *TWO)
    rows = rows_of(order, "o-1")
    rows[0] = replace(rows[0], canceled=LATER, state="Canceled")
    finding = compare_order(expected_of(order), rows)
    assert sums(finding.ledger)[1] == Decimal("30.00")
    assert sums(finding.mews)[1] == Decimal("6.00")


@pytest.mark.parametrize("untold", ["closed", "category", "taxes", "consumed"])
def test_what_mews_does_not_tell_is_no_difference(untold: str) -> None:
    """A closed bill, and what Mews leaves out, must not make a sound order look wrong."""
    changes: dict[str, dict[str, Any]] = {
        "closed": {"closed": LATER, "state": "Closed", "bill_id": "bi-1", "updated": LATER},
        "category": {"category_id": ""},
        "taxes": {"taxes": ()},
        "consumed": {"consumed": None},
    }
    order = a_plan("10001", *TWO)
    rows = [replace(row, **changes[untold]) for row in rows_of(order, "o-1")]
    finding = compare_order(expected_of(order), rows)
    assert finding.klass is Klass.MATCHED
    assert [(one.codes, one.category_id) for one in finding.mews] == [(("UK-20%",), CATEGORY)] * 2


def test_a_category_left_to_mews_is_taken_over() -> None:
    """Who left the category to Mews can't call Mews's choice a difference."""
    order = a_plan("10001", an_entry(category_id=""))
    rows = [replace(rows_of(order, "o-1")[0], category_id="ca-house")]
    finding = compare_order(expected_of(order), rows)
    assert finding.klass is Klass.MATCHED
    assert finding.ledger == finding.mews


@pytest.mark.parametrize(
    ("net", "klass", "what"),
    [
        ("10.01", Klass.MATCHED, What.ROUNDING),
        ("9.99", Klass.MATCHED, What.ROUNDING),
        ("10.02", Klass.DIFFERENT, What.TAX),
    ],
)
def test_the_last_digit_of_a_tax_is_told_and_no_more(net: str, klass: Klass, what: What) -> None:
    """Mews may round the last digit elsewhere; two cents are no rounding."""
    order = a_plan("10001", an_entry())
    rows = [replace(rows_of(order, "o-1")[0], net=Decimal(net))]
    finding = compare_order(expected_of(order), rows)
    assert finding.klass is klass
    assert [one.what for one in (*finding.differences, *finding.notices)] == [what]


def test_items_that_nobody_sent_are_extra() -> None:
    """What staff (or Mews) added to our order is money that the ledger does not know."""
    order = a_plan("10001", *TWO)
    rows = rows_of(order, "o-1")
    more = replace(rows[0], id="x", external_identifier="", name="Rebate", gross=Decimal("-5.00"), net=Decimal("-4.17"))
    finding = compare_order(expected_of(order), [*rows, more])
    assert [one.what for one in finding.differences] == [What.EXTRA_ITEM]
    assert sums(finding.mews)[1] == Decimal("25.00")


def test_items_that_are_gone_are_missing_items() -> None:
    """Part of an order is not the order."""
    order = a_plan("10001", *TWO)
    finding = compare_order(expected_of(order), rows_of(order, "o-1")[:1])
    assert [(one.what, one.item) for one in finding.differences] == [(What.MISSING_ITEM, "centra:shop:10001:s1")]


def test_without_identifiers_unit_amounts_decide() -> None:
    """An older API returns no ExternalIdentifier; sound orders must match all the same, and wrong ones not."""
    order = a_plan("10001", *TWO, an_entry("p2", "12.00", 1, "2.00"))
    rows = [replace(row, external_identifier="") for row in rows_of(order, "o-1")]
    merged = replace(rows[0], count=3, gross=Decimal("36.00"), net=Decimal("30.00"))
    assert compare_order(expected_of(order), rows).klass is Klass.MATCHED
    assert compare_order(expected_of(order), [merged, rows[1]]).klass is Klass.MATCHED
    short = compare_order(expected_of(order), rows[1:])
    assert [one.what for one in short.differences] == [What.COUNT, What.AMOUNT]


def test_converted_amounts_are_compared_in_the_currency_sent() -> None:
    """Mews may show an amount in the enterprise's own currency and keep the original beside it."""
    order = a_plan("10001", an_entry(), currency="EUR")
    row = rows_of(order, "o-1")[0]
    shown = replace(row, currency="GBP", net=Decimal("8.50"), gross=Decimal("10.20"))
    finding = compare_order(expected_of(order), [shown])
    assert finding.klass is Klass.MATCHED
    assert sums(finding.mews) == (Decimal("10.00"), Decimal("12.00"))


def test_net_enterprises_compare_net() -> None:
    """In net pricing the net amount was sent, and tax is Mews's own arithmetic."""
    entry = an_entry(
        "p1", "10.00", 1, "2.00", basis=Basis.NET, predicted=Booked(Decimal("10.00"), Decimal("2.00"), Decimal("12.00"))
    )
    order = a_plan("10001", entry)
    rows = rows_of(order, "o-1")
    assert compare_order(expected_of(order, Basis.NET), rows).klass is Klass.MATCHED
    wrong = [replace(rows[0], net=Decimal("9.00"), gross=Decimal("11.00"))]
    assert [one.what for one in compare_order(expected_of(order, Basis.NET), wrong).differences] == [What.AMOUNT]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gross": Decimal("-3.00"), "net": Decimal("-3.00")}, "-3.00"),
        ({"state": "Canceled"}, "cancelled"),
        ({"external_type": "Cash"}, "Cash"),
        ({"account_id": "ac-other"}, "ac-other"),
        (None, "not in Mews"),
    ],
)
def test_payments_are_compared_too(change: dict[str, Any] | None, words: str) -> None:
    """A gift card that is not in Mews leaves the guest to pay twice."""
    order = a_plan("10001", *TWO, payments=(a_payment(),))
    expected = expected_of(order)
    good = payment_row(order, order.payments[0], "m-1")
    assert compare_order(expected, rows_of(order, "o-1"), {"m-1": good}).klass is Klass.MATCHED
    assert compare_order(expected, rows_of(order, "o-1"), {"m-1": good}).credits == Decimal("2.00")
    paid = {} if change is None else {"m-1": replace(good, **change)}
    finding = compare_order(expected, rows_of(order, "o-1"), paid)
    assert finding.klass is Klass.DIFFERENT
    assert words in finding.differences[0].found


def test_recovered_orders_are_compared_with_what_was_read() -> None:
    """No payload proves a recovered order: later changes must be seen against what `recover` read."""
    items = [
        {"identifier": "centra:shop:7:p1", "count": 1, "net": Decimal(10), "gross": Decimal(12), "codes": ["UK-20%"]},
        {"identifier": "centra:shop:7:p1", "count": 1, "net": Decimal(10), "gross": Decimal(12), "codes": ["UK-20%"]},
    ]
    entries = observed_entries({"items": items}, Basis.GROSS)
    assert [(one.count, one.total, one.codes) for one in entries] == [(2, Decimal(24), ("UK-20%",))]
    assert observed_moment({"consumed": "2011-06-15T11:00:00Z"}) == datetime(2011, 6, 15, 11, tzinfo=UTC)
    assert observed_moment({}) is None
    order = a_plan("7", an_entry("p1", "12.00", 2, "4.00"))
    expected = Expected("7", 1, "o-1", ACCOUNT, CONSUMED, "GBP", Basis.GROSS, entries)
    assert compare_order(expected, rows_of(order, "o-1")).klass is Klass.MATCHED
    changed = [replace(row, gross=Decimal("23.00")) for row in rows_of(order, "o-1")]
    assert compare_order(expected, changed).klass is Klass.DIFFERENT
