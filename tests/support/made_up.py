"""Made-up orders in Centra's flat columns: the same ones each time, with what makes histories hard to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle

Row = Mapping[str, str]
_GOODS = (("TEA-01", "Assam tea, 250 g", "6.45"), ("CUP-2", "Cup, blue", "12.95"), ("POT-7", "Teapot", "39.00"),
          ("0017", "Tea strainer", "4.10"), ("SPN", 'Spoon "long"', "2.35"))  # fmt: skip
_COUNTRIES = ("GB", "GB", "DE", "GB", "FR", "IE", "GB", "NL")


def made_up_rows(orders: int = 36) -> list[Row]:
    """The rows of so many orders of 1 to 4 lines over three weeks: some with shipping, every seventh with a voucher."""
    goods, countries, rows = cycle(_GOODS), cycle(_COUNTRIES), []
    for index in range(orders):
        lines = [(next(goods), 1 + (index + at) % 3) for at in range(1 + index % 4)]
        shipping = Decimal("0.00") if index % 3 == 0 else Decimal("4.95")
        voucher = Decimal("2.50") if index % 7 == 3 else Decimal("0.00")
        total = sum((Decimal(price) * qty for (_, _, price), qty in lines), shipping - voucher)
        who, country = index % 11, next(countries)
        when = datetime(2011, 3, 5, 9, 15) + timedelta(hours=13 * index)  # noqa: DTZ001 - a shop's wall clock
        order = {
            "orderNumber": str(70_001 + index),
            "orderDate": f"{when:%Y-%m-%d %H:%M:%S}",
            "currency": "GBP",
            "customerId": str(500 + who),
            "invoiceAddress.email": f"guest{who}@example.com",
            "invoiceAddress.firstName": "Guest",
            "invoiceAddress.lastName": f"Number {who}",
            "invoiceAddress.country": country,
            "deliveryAddress.country": country,
            "shippingValue": f"{shipping}",
            "voucherCode": "SPRING" if voucher else "",
            "voucherValue": f"{voucher}",
            "comment": "",
            "orderTotal": f"{total}",
        }
        rows += [
            order
            | {
                "products.qty": str(qty),
                "products.sku": sku,
                "products.unitPrice": price,
                "products.vatPercent": "20.0",
                "products.itemText.product": name,
            }
            for (sku, name, price), qty in lines
        ]
    return rows
