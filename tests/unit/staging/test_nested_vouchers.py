"""Returns of orders with a voucher: what comes back is of the kind that was given."""

from __future__ import annotations

import json
from decimal import Decimal as D
from pathlib import Path

from etl.reading.identify import open_export
from etl.staging.batch import Batch


def test_a_returned_credit_stays_a_credit(tmp_path: Path) -> None:
    """Store credit given back as a rebate would lower revenue and VAT that were never lowered."""
    order = {
        "orderId": "1", "orderStatus": 4, "orderDate": "2011-06-01 10:00:00", "orderCurrency": "GBP",
        "deliveryCountry": "GB", "shippingValue": 0, "voucherValue": 5, "grandTotalValue": 15,
        "products": [{"lineId": 1, "sku": "A", "qty": 1, "price": 20, "taxPercent": 20}],
        "discounts": {"vouchers": [{"voucher": "GC-1", "priceOffAsANumber": -5, "isCredit": True}]},
        "returns": [{
            "returnId": 7, "completed": 1, "date": "2011-06-20 10:00:00", "returnCost": 0, "shippingCost": 0,
            "voucherValue": 5, "products": [{"orderLineId": 1, "quantity": 1, "price": 20}],
        }],
    }  # fmt: skip
    path = tmp_path / "orders.json"
    path.write_text(json.dumps({"orders": [order]}), encoding="utf-8")
    with Batch([path], open_export=open_export) as batch:
        _, back = batch.orders()
    assert (back.number, back.voucher_value, back.voucher_code) == ("1-R7", D(-5), "GC-1")
    assert [(one.code, one.value, one.is_credit) for one in back.vouchers] == [("GC-1", D(-5), True)]
