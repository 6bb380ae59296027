"""The month read a second way, by pandas: another reader, the same orders and the same money."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
from cli_run import Shell


def test_inspect_agrees_with_another_reader(shell: Shell, shared: Path) -> None:
    """A row that our reader dropped or doubled would show here, whatever our own sums say."""
    export = shared / "data" / "online-retail-2010-12.csv"
    rows = pd.read_csv(export, dtype=str, keep_default_na=False)
    lines = rows[rows["products.qty"] != ""]
    orders = rows.drop_duplicates("orderNumber")
    found = shell.run("inspect", export).json
    assert found["orders"]["read"] == len(orders)
    assert found["lines"]["read"] == len(lines)
    pairs = zip(lines["products.qty"], lines["products.unitPrice"], strict=True)
    total = sum(Decimal(qty) * Decimal(price) for qty, price in pairs)
    sums = found["sums"]["GBP"]
    assert Decimal(sums["lines"]) == total
    for column, name in (("shippingValue", "shipping"), ("voucherValue", "voucher"), ("orderTotal", "orderTotal")):
        assert Decimal(sums[name]) == sum(map(Decimal, orders[column]))
