"""Orders of get-orders saved as rows: their names, words and their own tax modes, by columns as by the rules."""

from __future__ import annotations

import pytest
from builders import CATEGORY, a_context, a_mapping, a_reference
from two_ways import same, write_rows

from etl.model.plan import Basis
from etl.model.reference import Pricing
from etl.pipeline.both_ways import BOTH, SWITCH

PLAIN = {
    "orderId": "1001",
    "orderDate": "2024-03-01 10:00:00",
    "orderCurrency": "GBP",
    "billingEmail": "guest@example.com",
    "billingCountry": "GB",
    "deliveryCountry": "GB",
    "shippingValue": "4.95",
    "voucherValue": "0.00",
    "taxAdded": "0",
    "taxDeducted": "0",
    "grandTotalValue": "28.95",
    "products.sku": "A-1",
    "products.name": "Cup",
    "products.qty": "2",
    "products.price": "12.00",
    "products.taxPercent": "20",
}


@pytest.mark.parametrize("pricing", Pricing)
def test_orders_with_a_basis_of_their_own_are_taken(pricing, tmp_path, monkeypatch):
    """With tax, with tax on top of it, and without any at a rate of 0; some of each foot with their tax."""
    monkeypatch.setenv(SWITCH, BOTH)
    rows = [
        PLAIN | {"orderId": "1"},
        PLAIN | {"orderId": "2", "taxAdded": "1", "grandTotalValue": "34.74"},
        PLAIN | {"orderId": "3", "taxDeducted": "1"},
        PLAIN | {"orderId": "4", "taxAdded": "1", "taxDeducted": "1"},
        PLAIN | {"orderId": "5", "taxAdded": "1", "grandTotalValue": "34.74", "products.qty": "1"},
        PLAIN
        | {"orderId": "5", "taxAdded": "1", "grandTotalValue": "34.74", "products.sku": "B-2", "products.qty": "1"},
        PLAIN | {"orderId": "6", "voucherValue": "-2.00", "grandTotalValue": "26.95"},
        PLAIN | {"orderId": "7", "voucherValue": "2.00", "grandTotalValue": "26.95"},
    ]
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}), a_reference(pricing=pricing))
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert [one.basis for one in found.orders] == [Basis.GROSS, *[Basis.NET] * 4, Basis.GROSS, Basis.GROSS]
    assert [one.codes for one in found.orders] == [()] * 7
    assert {entry.codes for entry in found.orders[2].entries} == {("UK-0%",)}
    assert found.reasons == {"a voucher": 1}, "a discount below zero is the rules' to read"
