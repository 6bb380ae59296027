"""What only a person can decide in the folder that `init` wrote: service, account, statuses that count, tax codes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

HOUSE = "ac000000-0000-4000-a000-000000000001"
CODES = {"17.5": "UK-17.5%", "20": "UK-20%", "5": "UK-5%", "0": "UK-0%"}


def decide(folder: Path, codes: Mapping[str, str] = CODES) -> None:
    """Fills in the decisions, and nothing else: every unknown status counts, each rate has one code."""
    decide_settings(folder)
    _fill(folder / "values.csv", lambda row: {"means": "Completed", "sure": "yes"} if row["field"] == "status" else {})
    _fill(folder / "taxes.csv", lambda row: {"tax_codes": codes[row["vat_percent"]]})


def decide_settings(folder: Path) -> None:
    """Service, account and rebates; that prices are with tax where too few orders prove it."""
    path = folder / "migration.toml"
    text = path.read_text("utf-8").replace('service = ""', 'service = "eid:WEB-SHOP"')
    text = text.replace('# fallback = ""', f'fallback = "{HOUSE}"').replace('# rebates = "block"', 'rebates = "allow"')
    text = text.replace('prices_include_tax = ""', "prices_include_tax = true")
    path.write_text(text, "utf-8")


def _fill(path: Path, answer: object) -> None:
    text = path.read_text("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    at = next(number for number, cells in enumerate(lines) if not cells[0].startswith("#"))
    header = lines[at]
    for cells in lines[at + 1 :]:
        if not cells[0].startswith("#"):
            more = answer(dict(zip(header, cells, strict=False)))  # type: ignore[operator]
            cells[:] = [more.get(name, cell) for name, cell in zip(header, cells, strict=False)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    path.write_text(out.getvalue(), "utf-8")
