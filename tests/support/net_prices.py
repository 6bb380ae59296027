"""A flat export whose prices are taken as being without tax: its orderTotals and captures then have the tax on top."""

from __future__ import annotations

import csv
import gzip
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from pathlib import Path

CENT = Decimal("0.01")


def with_tax_on_top(export: Path, target: Path) -> Path:
    """Writes the export anew: one rate an order, the tax of all of it rounded once. Raises ValueError for an order of two rates."""
    opener = gzip.open if export.suffix == ".gz" else open
    with (
        opener(export, "rt", newline="", encoding="utf-8") as source,
        target.open("w", newline="", encoding="utf-8") as file,
    ):
        reader = csv.DictReader(source)
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        for number, its in groupby(reader, key=lambda row: row["orderNumber"]):
            rows = list(its)
            rates = {row["products.vatPercent"] for row in rows if row["products.vatPercent"]}
            if len(rates) > 1:
                raise ValueError(f"order {number} has {len(rates)} rates")
            before, rate = rows[0]["orderTotal"], Decimal(min(rates, default="0"))
            total = str((Decimal(before) * (100 + rate) / 100).quantize(CENT, ROUND_HALF_UP)) if before else ""
            for row in rows:
                row["orderTotal"] = total
                if row["payment.capture.amount"] == before:
                    row["payment.capture.amount"] = total
                writer.writerow(row)
    return target
