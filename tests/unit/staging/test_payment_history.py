"""Entries of the Integration API's payment history: what was taken and given back, and what was only asked for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from staged import stage


def paid(tmp_path: Path, *entries: tuple[str, str, float]) -> list[tuple[str, str, Decimal | None]]:
    """Kind, status and amount of the payments of an order with these entries: (type, status, value)."""
    history = [{"entryType": kind, "status": status, "value": {"value": value}} for kind, status, value in entries]
    order: dict[str, Any] = {
        "number": 77,
        "status": "COMPLETED",
        "orderDate": "2011-03-05T10:15:00",
        "grandTotal": {"value": 20, "currency": {"code": "GBP"}},
        "paymentHistory": history,
        "lines": [{"quantity": 1, "taxPercent": 20, "unitPrice": {"value": 20}, "productNumber": "MUG"}],
    }
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [order]}}})
    return [(one.kind, one.status, one.amount) for one in staged["77"].payments]


@pytest.mark.parametrize("asked", ["CAPTURE_REQUEST", "CAPTURE_PENDING", "CAPTURE_FAILED", "AUTH", "CANCEL", "OTHER"])
def test_only_a_capture_is_money_taken(tmp_path: Path, asked: str) -> None:
    """A capture is asked for before it is made; both entries succeed, and the money came once."""
    found = paid(tmp_path, (asked, "SUCCESS", 20), ("CAPTURE", "SUCCESS", 20))
    assert [one for one in found if one[0] == "capture"] == [("capture", "success", 20)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["REFUND", "REFUND_GIFT_CARD"])
def test_a_refund_is_money_given_back(tmp_path: Path, kind: str, sign: int) -> None:
    """Whatever sign it is written with."""
    found = paid(tmp_path, ("CAPTURE", "SUCCESS", 20), (kind, "SUCCESS", 5 * sign))
    assert found == [("capture", "success", 20), ("capture", "success", -5)]


@pytest.mark.parametrize("asked", ["REFUND_REQUEST", "REFUND_FAILED"])
def test_a_refund_that_was_only_asked_for_is_none(tmp_path: Path, asked: str) -> None:
    """As it is with captures."""
    found = paid(tmp_path, ("CAPTURE", "SUCCESS", 20), (asked, "SUCCESS", 5))
    assert [amount for kind, _, amount in found if kind == "capture"] == [20]


def test_what_a_gift_card_paid_is_taken(tmp_path: Path) -> None:
    """Beside what the card paid."""
    found = paid(tmp_path, ("CAPTURE_GIFT_CARD", "SUCCESS", 8), ("CAPTURE", "SUCCESS", 12))
    assert [amount for kind, _, amount in found if kind == "capture"] == [8, 12]


@pytest.mark.parametrize(("own", "method"), [({}, "klarna"), ({"paymentMethod": {"uri": "card"}}, "card")])
def test_the_order_tells_the_method_where_an_entry_does_not(tmp_path: Path, own: dict[str, Any], method: str) -> None:
    """The contract's table has it beside the history; payments.csv makes a type of it."""
    order: dict[str, Any] = {
        "number": 77,
        "status": "COMPLETED",
        "paymentMethod": {"uri": "klarna"},
        "paymentHistory": [{"entryType": "CAPTURE", "status": "SUCCESS", "value": {"value": 20}} | own],
    }
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [order]}}})
    assert [one.method for one in staged["77"].payments] == [method]
