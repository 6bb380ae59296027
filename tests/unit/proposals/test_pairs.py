"""Orders in one file or sheet and their lines in another: proposed, proved and read as one batch, whatever holds them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import xlsxwriter

from etl.mapping.partial import read_partial
from etl.model.order import Order
from etl.pipeline.init import Begun, init
from etl.pipeline.prepare import Export, open_with, options_of
from etl.settings import Settings

Row = list[str]
GOODS = [
    ("100-01", "Blanket", "45.00", "0.2"),
    ("200-01", "Cookery book", "20.00", "0"),
    ("200-09", "Seat", "96.05", "0.05"),
]
ORDERS = [
    "Doc no.",
    "Doc date",
    "State",
    "E-mail",
    "Ship-to country",
    "Curr.",
    "Freight net",
    "VAT total",
    "Gross total",
]
LINES = ["Doc no.", "Pos", "Item no.", "Description", "Qty", "Net price", "VAT %", "Net amount"]


def sales(count: int = 30) -> tuple[list[Row], list[Row]]:
    """Orders with their headers and lines: prices without tax, rates as shares, tax of the goods on top, no freight."""
    headers, lines = [ORDERS], [LINES]
    for number in range(count):
        name = f"SO-{500 + number:06}"
        net = tax = Decimal(0)
        for place in range(1 + number % 3):
            sku, text, price, share = GOODS[(number + place) % 3]
            amount = (1 + number % 4) * Decimal(price)
            net, tax = net + amount, tax + amount * Decimal(share)
            lines.append([name, f"{place + 1}0", sku, text, f"{1 + number % 4}", price, share, f"{amount}"])
        tax = tax.quantize(Decimal("0.01"), ROUND_HALF_UP)
        day = f"2026-07-{1 + number % 28:02}"
        headers.append([name, day, "Completed", f"b{number}@example.org", "GB", "GBP", "0", f"{tax}", f"{net + tax}"])
    return headers, lines


def without(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """The table without some columns."""
    kept = [at for at, name in enumerate(rows[0]) if name not in names]
    return [[row[at] for at in kept] for row in rows]


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    """A csv file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


def write_book(path: Path, sheets: dict[str, list[Row]]) -> Path:
    """A workbook with number cells: amounts formatted #,##0.00, shares formatted 0%."""
    book = xlsxwriter.Workbook(str(path))
    money, percent = book.add_format({"num_format": "#,##0.00"}), book.add_format({"num_format": "0%"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        header = next(row for row in rows if len(row) > 1)
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                is_price = len(row) == len(header) and header[column] in ("Net price", "VAT total", "Gross total")
                style = percent if cell.startswith("0.") else money if is_price else None
                if column and cell.replace(".", "").isdigit():
                    sheet.write_number(at, column, float(cell), style)
                elif cell:
                    sheet.write_string(at, column, cell)
    book.close()
    return path


def csv_pair(folder: Path, headers: list[Row], lines: list[Row]) -> list[Path]:
    """Two csv files."""
    return [write_csv(folder / "orders.csv", headers), write_csv(folder / "lines.csv", lines)]


def sheet_pair(folder: Path, headers: list[Row], lines: list[Row]) -> list[Path]:
    """A workbook of an ERP: a title above the orders, their lines on the second sheet, a note on the third."""
    tables = {"Sales orders": [["Harbour Ltd"], [], *headers], "Lines": lines}
    return [write_book(folder / "sales.xlsx", tables | {"Info": [["Printed by", "ERP 7.2"]]})]


def beside_masters(folder: Path, headers: list[Row], lines: list[Row]) -> list[Path]:
    """The same beside sheets of items and customers, which have no order's number."""
    items = [
        ["Item no.", "Description", "Stock", "Warehouse", "Buyer"],
        *([sku, name, "7", "A1", "Ann"] for sku, name, *_ in GOODS),
    ]
    people = [["E-mail", "Full name", "Town", "Phone"], *([row[3], "Ann Lee", "Ely", "01353 1"] for row in headers[1:])]
    tables = {"Items": items, "Orders": headers, "Lines": lines, "Customers": people}
    return [write_book(folder / "sales.xlsx", tables)]


def two_books(folder: Path, headers: list[Row], lines: list[Row]) -> list[Path]:
    """Two workbooks."""
    return [
        write_book(folder / "orders.xlsx", {"Orders": headers}),
        write_book(folder / "lines.xlsx", {"Lines": lines, "Info": [["Printed by", "ERP 7.2"]]}),
    ]


def book_and_csv(folder: Path, headers: list[Row], lines: list[Row]) -> list[Path]:
    """The orders as a workbook, the lines as csv."""
    book = write_book(folder / "orders.xlsx", {"Orders": headers})
    return [book, write_csv(folder / "lines.csv", lines)]


def begin(folder: Path, paths: list[Path]) -> tuple[Begun, list[Order]]:
    """What init makes of the files, and the orders as the folder that it wrote has them read."""
    with ExitStack() as stack:
        begun = init(stack, Settings(folder, ""), Export(paths), store="shop", timezone="UTC", progress=lambda *_: None)
    partial = read_partial(folder)
    with ExitStack() as stack:
        options = options_of(partial.source, partial.columns, partial.values)
        batch, facts = stack.enter_context(open_with(Export(paths), options, lambda *_: None))
        assert facts.unassigned_count == 0, facts.unassigned[:3]
        return begun, list(batch.orders())


PAIRS = [csv_pair, sheet_pair, beside_masters, two_books, book_and_csv]


@pytest.mark.parametrize("lack", [(), ("VAT total",)], ids=["with a column of tax", "without one"])
@pytest.mark.parametrize("write", PAIRS)
def test_a_pair_is_proved_and_read_as_one(
    tmp_path: Path, write: Callable[..., list[Path]], lack: tuple[str, ...]
) -> None:
    """Every order with its own lines and rates in percent, prices proved to be without tax, nothing unassigned."""
    headers, lines = sales()
    begun, orders = begin(tmp_path / "m", write(tmp_path, without(headers, lack), lines))
    columns = {one.header: (one.field, one.sure) for one in begun.proposed.proposals.columns}
    assert columns["Net price"] == ("products.unitPrice", "proved")
    assert begun.proved["prices_include_tax"] is False
    assert (begun.verdict.orders, begun.verdict.good) == (30, 30), begun.verdict.causes
    assert [problem for order in orders for problem in order.problems if problem.is_error] == []
    assert sum(len(order.lines) for order in orders) == len(lines) - 1
    assert {line.vat_percent for order in orders for line in order.lines} == {Decimal(0), Decimal(5), Decimal(20)}


def test_shares_are_proved_where_the_tax_on_top_is_theirs(tmp_path: Path) -> None:
    """0.2 is 20 % as surely as the orders foot with it; beside prices with tax it stays likely."""
    headers, lines = sales()
    begun, _ = begin(tmp_path / "m", csv_pair(tmp_path, headers, lines))
    assert {(one.value, one.means, one.sure) for one in begun.proposed.values} == {
        ("0.2", "20", "proved"),
        ("0.05", "5", "proved"),
    }
    columns = {one.header: one.sure for one in begun.proposed.proposals.columns}
    assert columns["VAT %"] == "proved"
    totals: dict[str, Decimal] = {}
    for row in lines[1:]:
        totals[row[0]] = totals.get(row[0], Decimal(0)) + Decimal(row[-1])
    for row in headers[1:]:
        row[-1], row[-2] = f"{totals[row[0]]}", ""
    begun, _ = begin(tmp_path / "gross", csv_pair(tmp_path, headers, lines))
    assert {(one.value, one.sure) for one in begun.proposed.values} == {("0.2", "likely"), ("0.05", "likely")}


def test_sheets_without_order_numbers_are_not_named(tmp_path: Path) -> None:
    """A sheet of items or customers holds no part of an order."""
    begun, _ = begin(tmp_path / "m", beside_masters(tmp_path, *sales()))
    assert begun.proved["sheets"] == ("Orders", "Lines")


@pytest.mark.parametrize("write", [sheet_pair, beside_masters])
def test_lines_that_prove_nothing_are_read_all_the_same(tmp_path: Path, write: Callable[..., list[Path]]) -> None:
    """Without the sheet of lines no order has anything to import: few orders, or totals that don't foot, change nothing."""
    headers, lines = sales(8)
    for row in headers[1:4]:
        row[-1] = "1.23"
    begun, orders = begin(tmp_path / "m", write(tmp_path, headers, lines))
    assert {"Lines"} < {*begun.proved["sheets"]}
    assert "prices_include_tax" not in begun.proved
    assert sum(len(order.lines) for order in orders) == len(lines) - 1


def test_an_order_whose_parts_do_not_foot_says_which_parts(tmp_path: Path) -> None:
    """Header and lines stand in one file each: there is no copy to keep, and no line goes uncounted."""
    headers, lines = sales()
    headers[1][-1] = "1.23"
    _, orders = begin(tmp_path / "m", csv_pair(tmp_path, headers, lines))
    [problem] = [problem for order in orders for problem in order.problems if problem.is_error]
    assert problem.code == "order.overlap"
    assert "lines.csv" in problem.message
    assert "1.23" in problem.message
    assert "copy" not in problem.hint
    assert "columns.csv" in problem.hint
    assert sum(len(order.lines) for order in orders) == len(lines) - 1


def test_of_long_files_the_orders_are_compared_that_both_still_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of orders longer than what is looked at leaves its share to the lines behind it."""
    monkeypatch.setattr("etl.pipeline.dumps.ROWS_HELD", 120)
    headers, lines = sales(200)
    begun, orders = begin(tmp_path / "m", csv_pair(tmp_path, headers, lines))
    assert begun.proposed.rows == 120
    assert begun.proved["prices_include_tax"] is False
    assert len(orders) == begun.verdict.good == 200
    assert sum(len(order.lines) for order in orders) == len(lines) - 1


def test_freight_shared_over_goods_of_several_rates_proves_them(tmp_path: Path) -> None:
    """No column of tax tells it: the totals foot with the lines' rates where freight has the tax of the goods beside it."""
    headers, lines = sales()
    for row in headers[1:]:
        mine = [line for line in lines[1:] if line[0] == row[0]]
        net = sum((Decimal(line[-1]) for line in mine), Decimal(0))
        tax = sum((Decimal(line[-1]) * Decimal(line[-2]) for line in mine), Decimal(0))
        total = (net + tax) * (1 + Decimal("7.50") / net)
        row[6], row[-1] = "7.50", f"{total.quantize(Decimal('0.01'), ROUND_HALF_UP)}"
    begun, _ = begin(tmp_path / "m", csv_pair(tmp_path, without(headers, ["VAT total"]), lines))
    columns = {one.header: one.sure for one in begun.proposed.proposals.columns}
    assert (columns["Net price"], columns["Freight net"], columns["VAT %"]) == ("proved", "proved", "proved")
    assert begun.verdict.good == 30
