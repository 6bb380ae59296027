"""Generated exports of any size, for speed and memory: seeded, create-order names, gross prices, two VAT rates.

Rows of one order stand together, or, with `shuffled`, anywhere in the file.
"""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

HEADER = [
    "orderNumber", "orderDate", "status", "storeType", "currency", "invoiceAddress.email", "invoiceAddress.country",
    "deliveryAddress.country", "shippingValue", "voucherCode", "voucherValue", "orderTotal", "products.sku",
    "products.itemText.product", "products.qty", "products.unitPrice", "products.vatPercent",
]  # fmt: skip
START = datetime(2011, 2, 1, 8)  # noqa: DTZ001 - local wall time, as exports have it


def write(path: Path, lines: int, *, lines_per_order: int = 10, shuffled: bool = False, seed: int = 7) -> int:
    """Writes about `lines` lines; gives the number of orders."""
    rng = random.Random(seed)
    orders = max(1, lines // lines_per_order)
    rows = _rows(rng, orders, lines_per_order)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        if shuffled:
            whole = list(rows)
            rng.shuffle(whole)
            writer.writerows(whole)
        else:
            writer.writerows(rows)
    return orders


def _rows(rng: random.Random, orders: int, lines_per_order: int):
    for index in range(orders):
        number = 100_000 + index
        when = (START + timedelta(seconds=97 * index % 25_000_000)).strftime("%Y-%m-%d %H:%M:%S")
        lines = []
        total = 0
        for _ in range(lines_per_order):
            qty, cents, vat = rng.randint(1, 6), rng.randint(50, 9_999), rng.choice(("20", "20", "5"))
            total += qty * cents
            sku = rng.randint(1, 4_000)
            lines.append((f"SKU-{sku}", f"Article number {sku}", str(qty), _money(cents), vat))
        shipping = rng.choice((0, 395, 495))
        head = (
            str(number), when, "Completed", "b2c", "GBP", f"guest{index % 50_000}@example.com", "GB", "GB",
            _money(shipping), "", "0.00", _money(total + shipping),
        )  # fmt: skip
        for line in lines:
            yield head + line


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
