"""Exports written as text and staged in process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.model.order import Order
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts


class Staged:
    """What a batch made of some files."""

    def __init__(self, facts: BatchFacts, orders: list[Order]) -> None:
        self.facts, self.orders = facts, orders

    def __getitem__(self, number: str) -> Order:
        return next(order for order in self.orders if order.number == number)

    def codes(self, number: str) -> set[str]:
        """Problem codes of an order."""
        return {problem.code for problem in self[number].problems}

    def says(self, number: str) -> str:
        """All messages of an order."""
        return "\n".join(f"{one.place.column}: {one.message}" for one in self[number].problems)


def stage(tmp_path: Path, files: Mapping[str, Any], columns: Mapping[str, str] | None = None, **more: Any) -> Staged:
    """The orders of files: text as it is, anything else as JSON."""
    paths = []
    for name, content in files.items():
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8", newline="")
        paths.append(path)
    options = ReadOptions(columns=columns or {}, **more)
    with Batch(paths, open_export=open_export, options=options, spool_dir=tmp_path) as batch:
        facts = batch.load()
        return Staged(facts, list(batch.orders()))


def get_order(number: str = "77", **more: Any) -> dict[str, Any]:
    """An order of get-orders: two mugs at 4.25 and shipping of 3.50."""
    order = {
        "orderId": number,
        "orderStatus": 4,
        "orderDate": "2011-03-05 10:15:00",
        "orderCurrency": "GBP",
        "orderStore": "b2c",
        "billingEmail": "ann@example.com",
        "billingCountry": "GB",
        "deliveryCountry": "GB",
        "shippingValue": 3.5,
        "voucherValue": 0,
        "grandTotalValue": 12.0,
        "products": [{"lineId": 1, "qty": 2, "price": 4.25, "taxPercent": 20, "sku": "MUG", "name": "Mug"}],
    } | more
    return {key: value for key, value in order.items() if value is not None}
