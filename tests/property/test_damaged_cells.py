"""One damaged cell in any workbook: its order is blocked or reads as it was written; all others are never touched."""

from __future__ import annotations

import struct
import tempfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
import xlwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import by_hand, inline, ods, ods_cell, wide, xlsb, xlsb_cell, xlsb_row

from etl.model.order import Order
from etl.reading.identify import open_export
from etl.staging.batch import Batch

HEADER = (
    "orderNumber",
    "currency",
    "voucherValue",
    "products.sku",
    "products.qty",
    "products.unitPrice",
    "products.itemText.product",
)
Cells = list[list[object]]
amounts = st.integers(0, 10**9).map(lambda cents: Decimal(cents) / 100)
texts = st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Cf", "Cs"]), max_size=8).map(
    lambda text: f"x{text}".strip()
)
orders = st.lists(st.tuples(amounts, texts, st.integers(1, 99), amounts, texts), min_size=2, max_size=6)

DAMAGE = ("error", "formula", "word", "date")
"""What stands in the cell instead: an error value, a formula that nobody calculated, a word, a date."""
COLUMNS = {"voucherValue": 2, "products.sku": 3, "products.qty": 4, "products.unitPrice": 5}


def grid(data: list[tuple[Decimal, str, int, Decimal, str]]) -> Cells:
    return [
        [number, "GBP", voucher, f"SKU{sku}", qty, price, text]
        for number, (voucher, sku, qty, price, text) in enumerate(data, 71053)
    ]


def write_openpyxl(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (HEADER, *cells):
        sheet.append(list(row))
    cell = sheet.cell(at[0] + 2, at[1] + 1)
    match damage:
        case "error":
            cell.value, cell.data_type = "#REF!", "e"
        case "formula":
            cell.value = "=1+1"
        case "word":
            cell.value = "many"
        case _:
            cell.value, cell.number_format = 40887, "d-mmm"
    book.save(path)


def write_xlsxwriter(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    for row, values in enumerate((HEADER, *cells)):
        for column, value in enumerate(values):
            if (row - 1, column) != at or damage == "word":
                sheet.write(row, column, "many" if (row - 1, column) == at else value)
            elif damage == "date":
                sheet.write(row, column, 40887, book.add_format({"num_format": "d-mmm"}))
            else:
                sheet.write_formula(row, column, "=1/0", None, "#DIV/0!" if damage == "error" else 0)
    book.close()


def write_xlwt(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for row, values in enumerate((HEADER, *cells)):
        for column, value in enumerate(values):
            if (row - 1, column) != at:
                sheet.write(row, column, value)
            elif damage == "error":
                sheet.row(row).set_cell_error(column, 0x2A)
            elif damage == "date":
                sheet.write(row, column, 40887, xlwt.easyxf(num_format_str="d-mmm"))
            else:
                sheet.write(row, column, xlwt.Formula("1+1") if damage == "formula" else "many")
    book.save(str(path))


def write_ods(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    bad = {
        "error": ods_cell("#N/A", "string", more=' calcext:value-type="error"'),
        "formula": ods_cell("", "", more=' table:formula="of:=1+1"'),
        "word": ods_cell("many"),
        "date": ods_cell("10-Dec", "date", "2011-12-10"),
    }[damage]
    rows = []
    for row, values in enumerate((HEADER, *cells), -1):
        made = [
            bad if (row, column) == at
            else ods_cell(escaped(value)) if isinstance(value, str) else ods_cell(str(value), "float", str(value))
            for column, value in enumerate(values)
        ]  # fmt: skip
        rows.append(f"<table:table-row>{''.join(made)}</table:table-row>")
    ods(path, ('table:name="Orders"', "".join(rows)))


def write_strict(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    rows = []
    for row, values in enumerate((HEADER, *cells), -1):
        made = []
        for column, value in enumerate(values):
            where = f"{chr(65 + column)}{row + 2}"
            bad = {
                "error": f'<c r="{where}" t="e"><v>#N/A</v></c>',
                "formula": f'<c r="{where}"><f>1+1</f></c>',
                "word": inline(where, "many"),
                "date": f'<c r="{where}" t="d"><v>2011-12-10</v></c>',
            }[damage]
            given_ = inline(where, value) if isinstance(value, str) else f'<c r="{where}"><v>{value}</v></c>'
            made.append(bad if (row, column) == at else given_)
        rows.append(f'<row r="{row + 2}">{"".join(made)}</row>')
    by_hand(path, "".join(rows), strict=True)


def write_xlsb(path: Path, cells: Cells, at: tuple[int, int], damage: str) -> None:
    made: list[tuple[int, bytes]] = []
    for row, values in enumerate((HEADER, *cells), -1):
        made.append(xlsb_row(row + 2))
        for column, value in enumerate(values):
            if (row, column) == at and damage in ("error", "formula"):
                made.append(xlsb_cell(11, column, b"\x2a" + bytes(6)))
            elif (row, column) == at and damage == "date":
                made.append(xlsb_cell(5, column, struct.pack("<d", 40887.0), 1))
            elif (row, column) == at or isinstance(value, str):
                made.append(xlsb_cell(6, column, wide("many" if (row, column) == at else str(value))))
            else:
                made.append(xlsb_cell(5, column, struct.pack("<d", float(str(value)))))
    xlsb(path, made, formats=["d-mmm"])


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


WRITERS = {
    "openpyxl.xlsx": write_openpyxl, "xlsxwriter.xlsx": write_xlsxwriter, "strict.xlsx": write_strict,
    "xlwt.xls": write_xlwt, "hand.ods": write_ods, "hand.xlsb": write_xlsb,
}  # fmt: skip


def staged(path: Path) -> dict[str, Order]:
    with Batch([path], open_export=open_export) as batch:
        return {order.number: order for order in batch.orders()}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=orders, row=st.integers(0, 5), column=st.sampled_from(list(COLUMNS)), damage=st.sampled_from(DAMAGE))
def test_one_damaged_cell_costs_its_order_and_no_other(
    name: str, data: list[tuple[Decimal, str, int, Decimal, str]], row: int, column: str, damage: str
) -> None:
    """Its order names row and column; a word is a key like another; the others read exactly as written."""
    cells = grid(data)
    at = row % len(cells), COLUMNS[column]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{name.rpartition('.')[2]}"
        WRITERS[name](path, cells, at, damage)
        found = staged(path)
    assert set(found) == {str(values[0]) for values in cells}
    for index, values in enumerate(cells):
        order = found[str(values[0])]
        errors = [problem for problem in order.problems if problem.is_error]
        if index != at[0]:
            assert not errors
            read(order, values)
        elif damage == "word" and column == "products.sku":
            assert [line.sku for line in order.lines] == ["many"]
        else:
            assert [(error.place.row, error.place.column) for error in errors] == [(index + 2, column)]


def read(order: Order, values: list[object]) -> None:
    _, currency, voucher, sku, qty, price, text = values
    (line,) = order.lines
    assert (order.currency, line.product) == (currency, text)
    assert (line.sku, line.qty, line.unit_price) == (sku, qty, price)
    assert (order.voucher_value or Decimal(0)) == voucher
