"""The repository's own sample exports and mapping folder."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pytest

from etl.mapping.folder import read_mapping

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "sample_data"
TEXT_FILES = ("orders.csv", "orders-eu.csv", "orders.ndjson", "get-orders.ndjson")


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script that writes the samples."""
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["make_samples"]


def rows_of_text(text: str, delimiter: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def plain(row: dict[str, Any]) -> dict[str, str]:
    """A row in one spelling: numbers without trailing zeros, dates to the minute, empty values left out."""
    return {key: _spelled(value) for key, value in row.items() if value not in ("", None)}


def _spelled(value: Any) -> str:
    text = str(value)
    try:
        return f"{Decimal(text.replace(',', '.')).normalize():f}"
    except ArithmeticError:
        pass
    if text[2:3] == "." and text[5:6] == ".":
        text = f"{text[6:10]}-{text[3:5]}-{text[:2]}{text[10:]}"
    return text.removesuffix(":00") if len(text) == 19 and text[10] == " " else text


def rows_of_objects(text: str) -> Iterator[dict[str, Any]]:
    for document in text.splitlines():
        order = json.loads(document, parse_float=Decimal)
        lines = order.pop("products")
        for line in lines or [{}]:
            yield dict(_flat(order)) | dict(_flat(line, "products."))


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield prefix + key, inner


def test_the_script_writes_the_committed_files(script: ModuleType, tmp_path: Path) -> None:
    """Samples edited by hand would drift from their source."""
    script.main(tmp_path)
    for name in TEXT_FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), name
    assert _workbook(tmp_path / "orders.xlsx") == _workbook(SAMPLES / "orders.xlsx")


def _workbook(path: Path) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(path)["Orders"]
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def test_the_four_files_hold_the_same_orders() -> None:
    """The demo's promise, that any format gives the same plan, starts with equal files."""
    comma = [plain(row) for row in rows_of_text((SAMPLES / "orders.csv").read_text("utf-8"), ",")]
    semicolon = [plain(row) for row in rows_of_text((SAMPLES / "orders-eu.csv").read_bytes().decode("cp1252"), ";")]
    objects = [plain(row) for row in rows_of_objects((SAMPLES / "orders.ndjson").read_text("utf-8"))]
    workbook = [plain(row) for row in _workbook(SAMPLES / "orders.xlsx")]
    assert len({row["orderNumber"] for row in comma}) == 300
    assert comma == semicolon
    assert comma == objects
    assert comma == workbook


def test_all_addresses_are_reserved_ones() -> None:
    """Nobody real may get an account from a rehearsal."""
    for row in rows_of_text((SAMPLES / "orders.csv").read_text("utf-8"), ","):
        assert row["invoiceAddress.email"].endswith("@example.com") or not row["invoiceAddress.email"]
        assert row["invoiceAddress.email"].isascii()


def test_totals_foot_except_where_a_case_says_so() -> None:
    """Sample orders that do not foot by accident would be blocked in the demo."""
    orders: dict[str, list[dict[str, str]]] = {}
    for row in rows_of_text((SAMPLES / "orders.csv").read_text("utf-8"), ","):
        orders.setdefault(row["orderNumber"], []).append(row)
    off = {}
    for number, rows in orders.items():
        goods = sum(
            (Decimal(row["products.unitPrice"]) * int(row["products.qty"]) for row in rows if row["products.qty"]),
            Decimal(0),
        )
        total = goods + Decimal(rows[0]["shippingValue"]) - Decimal(rows[0]["voucherValue"])
        if rows[0]["storeType"] == "b2b":
            total *= Decimal("1.2")
        difference = Decimal(rows[0]["orderTotal"]) - total
        if abs(difference) > Decimal("0.005"):
            off[number] = difference
    assert sorted(off.values()) == [Decimal("-1.00"), Decimal("-0.01")]


def test_the_mapping_folder_is_clean_and_fits() -> None:
    """The repository's own mapping must read without a word, and waive the order that the samples have for it."""
    mapping = read_mapping(ROOT / "mappings")
    assert mapping.notices == ()
    rows = {row["orderNumber"]: row for row in rows_of_text((SAMPLES / "orders.csv").read_text("utf-8"), ",")}
    (waiver,) = mapping.waivers
    assert rows[waiver.order_number]["products.unitPrice"] == "32.40"
    assert rows[waiver.order_number]["orderTotal"] == "32.39"
    assert {row["market"] for row in rows.values()} == set(mapping.segments)
    skus = {row["products.sku"] for row in rows_of_text((SAMPLES / "orders.csv").read_text("utf-8"), ",")}
    assert {key for _, key in mapping.products} <= skus
