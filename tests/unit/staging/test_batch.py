"""A batch: rows and objects become orders, every fault names its place, and nothing is lost in counting."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from etl.errors import InputError, MappingError, UsageError
from etl.model.order import Order, TaxMode
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts

D = Decimal
COLUMNS = "orderNumber,orderDate,currency,invoiceAddress.email,deliveryAddress.country,shippingValue,voucherValue,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent"
DEFAULTS: dict[str, str] = {
    "orderNumber": "1",
    "orderDate": "2011-06-15 12:00:00",
    "currency": "GBP",
    "invoiceAddress.email": "ann@example.com",
    "deliveryAddress.country": "GB",
    "shippingValue": "0.00",
    "voucherValue": "0.00",
    "orderTotal": "",
    "products.sku": "CUP",
    "products.qty": "1",
    "products.unitPrice": "10.00",
    "products.vatPercent": "20",
}


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n\r') else cell


def csv_text(*rows: dict[str, str]) -> str:
    """A csv export; a row names only what differs from the defaults."""
    headers = list(DEFAULTS) + [name for row in rows for name in row if name not in DEFAULTS]
    headers = list(dict.fromkeys(headers))
    lines = [",".join(headers)]
    lines += [",".join(quoted({**DEFAULTS, **row}.get(name, "")) for name in headers) for row in rows]
    return "\n".join(lines) + "\n"


class Staged:
    """What a batch made of some files."""

    def __init__(self, facts: BatchFacts, orders: list[Order]) -> None:
        self.facts, self.orders = facts, orders
        self.by_number = {order.number: order for order in orders}

    def __getitem__(self, number: str) -> Order:
        return self.by_number[number]


def stage(tmp_path: Path, *files: tuple[str, str | bytes], **options: Any) -> Staged:
    paths = []
    for name, content in files:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(path)
    with Batch(paths, open_export=open_export, **options) as batch:
        facts = batch.load()
        orders = list(batch.orders())
        assert orders == list(batch.orders())
    return Staged(facts, orders)


def one(tmp_path: Path, **cells: str) -> Order:
    """The only order of an export with one row (and a second, plain one that shows the decimal point)."""
    row = {name.replace("__", "."): value for name, value in cells.items()}
    staged = stage(tmp_path, ("x.csv", csv_text({"orderNumber": "1", **row}, {"orderNumber": "999"})))
    return staged.orders[0]


def codes(order: Order) -> list[str]:
    return [problem.code for problem in order.problems]


def errors(order: Order) -> list[Problem]:
    return [problem for problem in order.problems if problem.is_error]


def bare(order: Order) -> Order:
    lines = tuple(replace(line, place=Place()) for line in order.lines)
    return replace(order, place=Place(), lines=lines, rows=0, problems=())


MONTH = "online-retail-2010-12"


@pytest.mark.slow
def test_the_four_real_files_hold_the_same_orders_and_the_known_sums(shared: Path) -> None:
    """A spreadsheet's dialect must not change one order, one cent or one text."""
    names = [f"{MONTH}.csv", f"{MONTH}-eu.csv", f"{MONTH}.xlsx", f"{MONTH}.ndjson"]
    read: list[list[Order]] = []
    for name in names:
        with Batch([shared / "data" / name], open_export=open_export) as batch:
            facts = batch.load()
            assert (facts.orders, facts.lines, facts.unassigned_count) == (2025, 42340, 0)
            assert facts.files[0].columns.unknown == ()
            read.append([bare(order) for order in batch.orders()])
            assert all(order.is_readable for order in read[-1])
    for other in read[1:]:
        assert other == read[0]
    orders = read[0]
    assert sum(order.shipping for order in orders) == D("29657.19")
    assert sum(order.voucher_value for order in orders) == D("693.98")
    assert sum(order.order_total or 0 for order in orders) == D("748957.02")
    assert sum(line.total for order in orders for line in order.lines) == D("719993.81")
    assert sum(payment.amount or 0 for order in orders for payment in order.payments) == D("823746.14")
    assert sum(line.qty for order in orders for line in order.lines) == 341957
    assert sum(order.is_return for order in orders) == 326
    assert sum(not order.email for order in orders) == 317
    assert sum(not order.lines for order in orders) == 13
    assert sum(line.unit_price == 0 for order in orders for line in order.lines) == 273
    assert [order.number for order in orders] == sorted((order.number for order in orders), key=int)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("536365", "536365"), (" 536365 ", "536365"), ("000536365", "536365"), ("536365.0", "536365"), ("0", "0"),
     ("9" * 60, "9" * 60)],
)  # fmt: skip
def test_order_numbers_are_cleaned(tmp_path: Path, cell: str, number: str) -> None:
    """The key of the ledger does not depend on how a spreadsheet shows it."""
    assert stage(tmp_path, ("x.csv", csv_text({"orderNumber": cell}))).orders[0].number == number


@pytest.mark.parametrize("cell", ["", "  ", "C12", "5.36E+05", "1e5", "-5", "１２３", "12 34", "12.5", "1\x002"])
def test_rows_without_a_readable_number_are_reported_one_by_one(tmp_path: Path, cell: str) -> None:
    """A row that belongs to no order is never dropped silently."""
    staged = stage(tmp_path, ("x.csv", csv_text({}, {"orderNumber": cell}, {"orderNumber": "2"})))
    assert [order.number for order in staged.orders] == ["1", "2"]
    assert staged.facts.unassigned_count == 1
    problem = staged.facts.unassigned[0]
    assert (problem.code, problem.place.row, problem.place.column) == ("order.number_missing", 3, "orderNumber")


def test_differently_written_numbers_are_one_order(tmp_path: Path) -> None:
    """05 and 5.0 are the same order, wherever their rows lie."""
    rows = [{"orderNumber": n} for n in ("5", "7", "05", "5.0")]
    staged = stage(tmp_path, ("x.csv", csv_text(*rows)))
    assert [(order.number, len(order.lines)) for order in staged.orders] == [("5", 3), ("7", 1)]
    assert not staged["5"].problems


def test_orders_come_by_number_not_by_text(tmp_path: Path) -> None:
    """10 follows 9."""
    rows = [{"orderNumber": n} for n in ("10", "9", "100", "2")]
    assert [order.number for order in stage(tmp_path, ("x.csv", csv_text(*rows))).orders] == ["2", "9", "10", "100"]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("products.unitPrice", "abc", "value.invalid"),
        ("products.unitPrice", "NaN", "value.invalid"),
        ("products.unitPrice", "inf", "value.invalid"),
        ("products.unitPrice", "1e5", "value.invalid"),
        ("products.unitPrice", "--", "value.invalid"),
        ("products.unitPrice", "１0.00", "value.invalid"),
        ("products.unitPrice", "1.2.3", "value.invalid"),
        ("products.unitPrice", "12,50", "value.ambiguous"),
        ("products.unitPrice", "1.234,50", "value.ambiguous"),
        ("products.unitPrice", "10%", "value.invalid"),
        ("products.unitPrice", "10.00 EUR", "value.invalid"),
        ("products.unitPrice", "€10.00", "value.invalid"),
        ("products.unitPrice", "9" * 30, "value.invalid"),
        ("products.unitPrice", "", "value.missing"),
        ("products.unitPrice", "1\x000", "value.invalid"),
        ("products.qty", "1.5", "value.invalid"),
        ("products.qty", "", "value.missing"),
        ("products.qty", "3000000000", "value.invalid"),
        ("products.vatPercent", "-5", "value.invalid"),
        ("products.vatPercent", "120", "value.invalid"),
        ("products.sku", "", "value.missing"),
        ("products.sku", "8.5123E+12", "value.invalid"),
        ("products.sku", "A\x00B", "value.invalid"),
        ("products.ean", "4.00638E+12", "value.invalid"),
        ("products.ean", "４006381333931", "value.invalid"),
        ("orderDate", "2011-02-30", "value.invalid"),
        ("orderDate", "15-06-11", "value.ambiguous"),
        ("orderDate", "15/6/11 13:05 PM", "value.invalid"),
        ("orderDate", "2011-06-15T12:00:00+02:00", "value.invalid"),
        ("orderDate", "2011-06-15T12:00:00Z", "value.invalid"),
        ("orderDate", "40709", "value.invalid"),
        ("orderDate", "yesterday", "value.invalid"),
        ("currency", "Pounds", "currency.invalid"),
        ("deliveryAddress.country", "UK", "country.invalid"),
        ("deliveryAddress.country", "Germany", "country.invalid"),
        ("invoiceAddress.email", "ann at example.com", "value.invalid"),
        ("invoiceAddress.email", "ann@example", "value.invalid"),
        ("voucherValue", "-5.00", "value.invalid"),
        ("shippingValue", "#N/A", "value.invalid"),
        ("status", "Done", "status.unknown"),
        ("status", "completed", "status.unknown"),
        ("storeType", "b2x", "value.invalid"),
        ("customerId", "x17", "value.invalid"),
        ("createdFromOrigin.type", "gift", "value.invalid"),
        ("internalOrder", "perhaps", "value.invalid"),
        ("payment.capture.status", "9", "value.invalid"),
        ("comment", "bell\x07", "value.invalid"),
    ],
)
def test_a_value_that_can_not_be_read_blocks_its_order_only(tmp_path: Path, column: str, cell: str, code: str) -> None:
    """The fault names file, row, column and value; the next order goes on."""
    rows = [{"orderNumber": "1"}, {"orderNumber": "2", column: cell}, {"orderNumber": "3"}]
    staged = stage(tmp_path, ("x.csv", csv_text(*rows)))
    assert [order.is_readable for order in staged.orders] == [True, False, True]
    problem = next(problem for problem in errors(staged["2"]) if problem.code == code)
    assert problem.place == Place(str(tmp_path / "x.csv"), "", 3, column)
    assert problem.order == "2"
    assert problem.message
    if cell:
        assert problem.value == cell


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("products.unitPrice", "£10.00", "number.symbol"),
        ("products.unitPrice", "10.00 GBP", "number.symbol"),
        ("products.unitPrice", "1'234.50", "number.symbol"),
        ("products.unitPrice", "1\u00a0234.50", "number.symbol"),
        ("products.unitPrice", "1,234.50", "number.symbol"),
        ("products.vatPercent", "20 %", "number.symbol"),
        ("deliveryAddress.country", "gb", "country.lowercase"),
        ("currency", "gbp", "currency.lowercase"),
        ("shippingValue", "", "shipping.empty"),
        ("comment", "x" * 256, "text.long"),
        ("comment", "abc\u202edef", "text.bidi"),
        ("products.ean", "4006381333932", "ean.invalid"),
        ("products.ean", "400638133393", "ean.invalid"),
        ("products.sku", "'00123", "sku.cleaned"),
        ("products.sku", "71053.0", "sku.cleaned"),
    ],
)
def test_what_is_read_with_a_notice(tmp_path: Path, column: str, cell: str, code: str) -> None:
    """A harmless oddity is told and blocks nothing."""
    rows = [{"orderNumber": "2", column: cell}, {"orderNumber": "3"}]
    order = stage(tmp_path, ("x.csv", csv_text(*rows)))["2"]
    assert codes(order) == [code]
    assert order.is_readable


def test_cleaned_values(tmp_path: Path) -> None:
    """What a notice tells is also what was read."""
    order = one(tmp_path, products__unitPrice="£1,234.50", products__sku="'0071.0", products__vatPercent="17.5 %",
                deliveryAddress__country="gb", products__qty="-2")  # fmt: skip
    line = order.lines[0]
    assert (line.unit_price, line.sku, line.vat_percent, line.qty) == (D("1234.50"), "0071", D("17.5"), -2)
    assert order.delivery_country == "GB"


def test_style_is_decided_over_the_whole_file(tmp_path: Path) -> None:
    """1,234 is a thousand where the file writes a decimal point, and a decimal where it writes a comma."""
    point = csv_text({"orderNumber": "1", "products.unitPrice": "1,234"}, {"orderNumber": "2"})
    comma = point.replace("0.00", '"0,00"').replace('10"0,00"', '"10,00"').replace("1,234", "1,234")
    assert stage(tmp_path, ("p.csv", point))["1"].lines[0].unit_price == 1234
    assert stage(tmp_path, ("c.csv", comma))["1"].lines[0].unit_price == D("1.234")


def test_only_a_file_with_no_decisive_evidence_is_refused(tmp_path: Path) -> None:
    """Nobody guesses whether 1,234 is a thousand; the refusal says where it stands and what to do."""
    plain = {"shippingValue": "0", "voucherValue": "0", "products.unitPrice": "1"}
    with pytest.raises(InputError) as caught:
        stage(tmp_path, ("x.csv", csv_text(plain, {**plain, "products.unitPrice": "1,234"})))
    assert caught.value.code == "input.ambiguous"
    assert "products.unitPrice" in caught.value.message
    assert "1,234" in caught.value.message
    staged = stage(tmp_path, ("y.csv", csv_text(plain)))
    assert staged.orders[0].is_readable


def test_slashed_dates_are_decided_over_the_whole_file(tmp_path: Path) -> None:
    """05/06/2011 is June where another row says 25/06/2011."""
    rows = [{"orderNumber": "1", "orderDate": "05/06/2011"}, {"orderNumber": "2", "orderDate": "25/06/2011"}]
    order = stage(tmp_path, ("x.csv", csv_text(*rows)))["1"]
    assert order.order_date is not None
    assert order.order_date.wall == datetime.fromisoformat("2011-06-05")
    assert not order.order_date.has_time
    with pytest.raises(InputError):
        stage(tmp_path, ("y.csv", csv_text(rows[0])))


@pytest.mark.parametrize("cell", ["", "0000-00-00 00:00:00", "0000-00-00"])
def test_centras_zero_date_is_no_date(tmp_path: Path, cell: str) -> None:
    """It means none, not a broken value."""
    order = one(tmp_path, orderDate=cell)
    assert order.order_date is None
    assert not order.problems


def test_order_level_values_may_stand_on_the_first_row_only(tmp_path: Path) -> None:
    """First non-empty value wins, in any row order; equal values written differently agree."""
    blank = dict.fromkeys(("orderDate", "currency", "invoiceAddress.email", "shippingValue", "orderTotal"), "")
    rows = [
        {"orderNumber": "1", **blank, "products.sku": "B"},
        {"orderNumber": "2"},
        {"orderNumber": "1", "shippingValue": "4.50", "currency": "GBP"},
        {"orderNumber": "1", "shippingValue": "4.5", "currency": "gbp"},
    ]
    order = stage(tmp_path, ("x.csv", csv_text(*rows)))["1"]
    assert (order.shipping, order.currency, order.email) == (D("4.50"), "GBP", "ann@example.com")
    assert order.is_readable
    assert len(order.lines) == 3


def test_contradicting_rows_block_and_name_both(tmp_path: Path) -> None:
    """Two shipping costs: nobody knows which is right."""
    rows = [{"shippingValue": "4.50"}, {"shippingValue": "5.50"}, {"shippingValue": "5.50"}]
    order = stage(tmp_path, ("x.csv", csv_text(*rows))).orders[0]
    assert [problem.code for problem in errors(order)] == ["order.conflict"]
    problem = errors(order)[0]
    assert problem.place.row == 3
    assert "row 2" in problem.message
    assert problem.place.column == "shippingValue"


def test_equal_lines_are_all_kept(tmp_path: Path) -> None:
    """A customer may buy the same thing twice."""
    assert len(stage(tmp_path, ("x.csv", csv_text({}, {}, {}))).orders[0].lines) == 3


def test_a_row_without_product_is_an_order_without_line(tmp_path: Path) -> None:
    """Postage alone is an order."""
    nothing = dict.fromkeys(("products.sku", "products.qty", "products.unitPrice", "products.vatPercent"), "")
    staged = stage(tmp_path, ("x.csv", csv_text({**nothing, "shippingValue": "5.00"})))
    assert (staged.facts.lines, staged.orders[0].lines, staged.orders[0].shipping) == (0, (), D("5.00"))
    assert staged.orders[0].is_readable


@pytest.mark.parametrize(("change", "shown"), [(",extra", "extra"), (None, "")])
def test_ragged_rows_block_their_order(tmp_path: Path, change: str | None, shown: str) -> None:
    """A row cut short or with a cell too many has its values in the wrong columns."""
    lines = csv_text({}, {"orderNumber": "2"}, {"orderNumber": "3"}).splitlines()
    lines[2] = lines[2] + change if change else lines[2].rpartition(",")[0]
    staged = stage(tmp_path, ("x.csv", "\n".join(lines)))
    assert [order.is_readable for order in staged.orders] == [True, False, True]
    problem = errors(staged["2"])[0]
    assert problem.place.row == 3
    assert shown in problem.value


def test_a_stray_quote_blocks_its_order_only(tmp_path: Path) -> None:
    """The orders after an open quote are still there."""
    text = csv_text({}, {"orderNumber": "2", "products.sku": "QUOTE"}, {"orderNumber": "3"})
    staged = stage(tmp_path, ("x.csv", text.replace("QUOTE", '"QUOTE')))
    assert [(order.number, order.is_readable) for order in staged.orders] == [("1", True), ("2", False), ("3", True)]


def test_repeated_header_lines_are_skipped_with_a_notice(tmp_path: Path) -> None:
    """Files glued together keep their second header."""
    text = csv_text({}) + csv_text({"orderNumber": "2"})
    staged = stage(tmp_path, ("x.csv", text))
    assert len(staged.orders) == 2
    assert staged.facts.unassigned_count == 0
    assert "row 3" in staged.facts.files[0].notices[0]


def test_columns_are_used_not_migrated_or_unknown(tmp_path: Path) -> None:
    """No column is ignored silently."""
    row = {"adjustStock": "1", "shippingvalu": "4", "ipAddress": "10.0.0.1", "centra_mews_problem": "x"}
    staged = stage(tmp_path, ("x.csv", csv_text(row)))
    columns = staged.facts.files[0].columns
    assert {header for header, _ in columns.not_migrated} == {"adjustStock", "ipAddress", "centra_mews_problem"}
    assert columns.unknown == (("shippingvalu", "shippingValue"),)
    assert "status" in columns.missing
    assert "10.0.0.1" not in repr(staged.orders)


def test_the_ip_address_never_reaches_the_disk(tmp_path: Path) -> None:
    """Personal data that is not needed is not stored, not even for a moment."""
    table = csv_text({"ipAddress": "203.0.113.77"})
    nested = json.dumps({"orderId": "5", "ipAddress": "203.0.113.77", "client": {"ip": "203.0.113.77"}, "products": []})
    for name, content in [("a.csv", table), ("b.json", nested)]:
        path = tmp_path / name
        path.write_text(content)
        with Batch([path], open_export=open_export) as batch:
            batch.load()
            assert not any(b"203.0.113.77" in part.data for _, parts in batch._spool.groups() for part in parts)


def test_columns_csv_renames_headers(tmp_path: Path) -> None:
    """Other people's headers are read by the field they are given; a wrong field is refused with a suggestion."""
    text = csv_text({}).replace("orderNumber", "Bestellnummer").replace("products.sku", "Artikel")
    names = {"Bestellnummer": "orderNumber", "Artikel": "products.sku", "Nie": "comment"}
    staged = stage(tmp_path, ("x.csv", text), options=ReadOptions(columns=names))
    assert (staged.orders[0].number, staged.orders[0].lines[0].sku) == ("1", "CUP")
    assert dict(staged.facts.files[0].columns.renamed) == {"Bestellnummer": "orderNumber", "Artikel": "products.sku"}
    assert "Nie" in staged.facts.notices[0]
    with pytest.raises(MappingError) as caught:
        stage(tmp_path, ("x.csv", text), options=ReadOptions(columns={"Bestellnummer": "orderNumbr"}))
    assert "orderNumber" in caught.value.hint
    with pytest.raises(InputError) as refused:
        stage(tmp_path, ("x.csv", text))
    assert refused.value.code == "input.no_order_number"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """Which of two shippingValue columns is right is a person's question."""
    with pytest.raises(InputError) as caught:
        stage(tmp_path, ("x.csv", "orderNumber,comment,comment\n1,a,b\n"))
    assert caught.value.code == "input.duplicate_column"


def test_the_same_order_in_two_files_counts_once(tmp_path: Path) -> None:
    """Overlapping exports do not double an order; the overlap is told."""
    text = csv_text({"orderTotal": "20.00"}, {"orderTotal": "20.00"})
    staged = stage(tmp_path, ("a.csv", text), ("b.csv", text))
    order = staged.orders[0]
    assert (staged.facts.orders, len(order.lines), order.is_readable) == (1, 2, True)
    assert codes(order) == ["file.overlap"]


def test_parts_of_an_order_are_joined_only_if_the_whole_foots(tmp_path: Path) -> None:
    """Two halves make an order where they add up to its total, else a person has to look."""
    first, second = {"orderTotal": "25.00"}, {"orderTotal": "25.00", "products.unitPrice": "15.00"}
    joined = stage(tmp_path, ("a.csv", csv_text(first)), ("b.csv", csv_text(second))).orders[0]
    assert [line.unit_price for line in joined.lines] == [D("10.00"), D("15.00")]
    assert codes(joined) == ["file.overlap"]
    shared_line = stage(tmp_path, ("a.csv", csv_text(first)), ("b.csv", csv_text(first, second))).orders[0]
    assert len(shared_line.lines) == 2
    wrong = stage(
        tmp_path, ("a.csv", csv_text({"orderTotal": "24.00"})), ("b.csv", csv_text({**second, "orderTotal": "24.00"}))
    )
    assert codes(wrong.orders[0]) == ["order.overlap"]
    untotalled = stage(tmp_path, ("a.csv", csv_text({})), ("b.csv", csv_text({"products.unitPrice": "15.00"})))
    assert codes(untotalled.orders[0]) == ["order.overlap"]


def test_copies_that_contradict_each_other_block(tmp_path: Path) -> None:
    """An older export of the same order with another total is no copy."""
    a, b = csv_text({"orderTotal": "10.00"}), csv_text({"orderTotal": "11.00"})
    assert {"order.conflict", "order.overlap"} == set(codes(stage(tmp_path, ("a.csv", a), ("b.csv", b)).orders[0]))


def test_date_range_keeps_orders_without_a_readable_date(tmp_path: Path) -> None:
    """--from and --to narrow by the local order date; what can't be judged stays in."""
    path = tmp_path / "x.csv"
    rows = [{"orderNumber": str(n), "orderDate": day} for n, day in enumerate(
        ("2011-05-31 23:59:59", "2011-06-01", "2011-06-30 23:59:59", "2011-07-01 00:00:00", "", "bad"))]  # fmt: skip
    path.write_text(csv_text(*rows))
    with Batch([path], open_export=open_export) as batch:
        kept = [order.number for order in batch.orders(start=date(2011, 6, 1), end=date(2011, 7, 1))]
    assert kept == ["1", "2", "4", "5"]


def test_payments(tmp_path: Path) -> None:
    """A capture is read whole; an amount without a status blocks, another amount than the total is told."""
    names = ("payment.capture.status", "payment.capture.amount", "payment.capture.transaction", "payment.method")
    full = dict(zip(names, ("1", "9.00", "tx-1", "card"), strict=True))
    order = stage(tmp_path, ("x.csv", csv_text({**full, "orderTotal": "10.00"}))).orders[0]
    payment = order.payments[0]
    assert (payment.status, payment.amount, payment.transaction, payment.method) == (
        "success",
        D("9.00"),
        "tx-1",
        "card",
    )
    assert codes(order) == ["payment.capture_differs"]
    failed = stage(tmp_path, ("x.csv", csv_text({**full, names[0]: "2", "orderTotal": "10.00"}))).orders[0]
    assert not failed.problems
    blank = stage(tmp_path, ("x.csv", csv_text({**full, names[0]: ""}))).orders[0]
    assert [problem.place.column for problem in errors(blank)] == [names[0]]


def test_workbook_text_amounts_and_error_cells(tmp_path: Path) -> None:
    """Number cells need no style; a text that is ambiguous beside them blocks its own order, #N/A too."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "orderDate", "products.sku", "products.qty", "products.unitPrice"])
    when = datetime.fromisoformat("2011-06-15 12:00")
    for number, sku, price in [(1, 71053, 2.55), (2, "0071", "1,234"), (3, "A", "#N/A"), (4, "A", 3)]:
        sheet.append([number, when, sku, 1, price])
    sheet["E4"].data_type = "e"
    book.save(tmp_path / "x.xlsx")
    with Batch([tmp_path / "x.xlsx"], open_export=open_export) as batch:
        orders = {order.number: order for order in batch.orders()}
    assert (orders["1"].lines[0].sku, orders["1"].lines[0].unit_price) == ("71053", D("2.55"))
    assert codes(orders["2"]) == ["value.ambiguous"]
    assert codes(orders["3"]) == ["value.invalid"]
    assert orders["3"].problems[0].value == "#N/A"
    assert orders["3"].problems[0].place == Place(str(tmp_path / "x.xlsx"), "Sheet", 4, "products.unitPrice")
    assert orders["4"].lines[0].unit_price == 3


def get_order(**more: Any) -> dict[str, Any]:
    return {
        "orderId": "77", "orderStatus": 4, "orderDate": "2011-06-01 10:00:00", "orderCurrency": "USD",
        "orderStore": "b2c", "billingEmail": "ann@example.com", "billingCountry": "US", "deliveryCountry": "US",
        "shippingValue": "0.00 USD", "voucherValue": 0, "grandTotalValue": "30.00",
        "products": [
            {"lineId": 1, "sku": "BAG", "variantSku": "-RED", "sizeSku": "-M", "name": "Bag", "qty": 1, "price": "20.00",
             "taxPercent": 20},
            {"lineId": "2", "sku": "TEA", "name": "Tea", "qty": "1", "price": 10, "taxPercent": 5},
        ],
        **more,
    }  # fmt: skip


def staged_json(tmp_path: Path, *orders: dict[str, Any]) -> list[Order]:
    return stage(tmp_path, ("x.json", json.dumps({"status": "ok", "orders": orders}))).orders


def test_get_orders_vocabulary(tmp_path: Path) -> None:
    """Centra's own API answer reads like the export: numbers as text, amounts with a currency, SKUs in parts."""
    (order,) = staged_json(tmp_path, get_order(hold=1, suspect="0", taxDeducted=1, internalOrder=1))
    assert (order.number, order.status, order.currency, order.order_total) == ("77", "Completed", "USD", D("30.00"))
    assert [line.sku for line in order.lines] == ["BAG-RED-M", "TEA"]
    assert [line.vat_percent for line in order.lines] == [20, 5]
    assert (order.flags, order.internal, order.tax_mode) == (("hold",), True, TaxMode.DEDUCTED)
    assert codes(order) == ["number.symbol"]


@pytest.mark.parametrize("sign", [1, -1])
def test_discounts_of_get_orders_reduce_whatever_their_sign(tmp_path: Path, sign: int) -> None:
    """Voucher amounts come positive in one call and negative in another."""
    discounts = {
        "vouchers": [{"voucher": "GC-1", "name": "Gift", "priceOffAsANumber": -5 * sign, "isCredit": True}],
        "automaticDiscounts": [{"name": "Spring", "priceOffAsNumber": -2.5 * sign}],
    }
    (order,) = staged_json(tmp_path, get_order(voucherValue=-7.5 * sign, discounts=discounts))
    assert order.voucher_value == D("7.5")
    assert [(voucher.code, voucher.value, voucher.is_credit) for voucher in order.vouchers] == [
        ("GC-1", 5, True), ("", D("2.5"), False),
    ]  # fmt: skip
    assert order.voucher_code == "GC-1"
    assert order.is_readable


def test_nested_returns_become_orders_of_their_own(tmp_path: Path) -> None:
    """A return carries its own date and amounts, the rates of the original lines, and follows its order."""
    returns = [
        {"returnId": 8, "completed": 0, "date": "2011-06-21 10:00:00", "products": [{"orderLineId": 9, "quantity": 1}]},
        {"returnId": "7", "completed": 1, "date": "2011-06-20 10:00:00", "returnCost": 2.5, "shippingCost": "6.00",
         "voucherValue": 1, "products": [{"orderLineId": "1", "quantity": 1, "price": 20.0}]},
    ]  # fmt: skip
    orders = staged_json(tmp_path, get_order(returns=returns), get_order(orderId="770"), get_order(orderId=8))
    assert [order.number for order in orders] == ["8", "77", "77-R7", "77-R8", "770"]
    seven, eight = orders[2], orders[3]
    line = seven.lines[0]
    assert (line.qty, line.unit_price, line.vat_percent, line.sku) == (-1, 20, 20, "BAG-RED-M")
    assert (seven.shipping, seven.return_cost, seven.voucher_value) == (D("-6.00"), D("2.5"), -1)
    assert (seven.is_return, seven.parent, seven.currency, seven.order_total) == (True, "77", "USD", None)
    assert seven.order_date is not None
    assert seven.order_date.wall == datetime.fromisoformat("2011-06-20 10:00")
    assert seven.is_complete
    assert not eight.is_complete
    assert codes(eight) == ["value.invalid"]


def test_bundles_keep_their_contents_apart(tmp_path: Path) -> None:
    """Only one of bundle and contents may be charged, so each content names its bundle."""
    flat = [
        {"lineId": 1, "sku": "SET", "qty": 1, "price": 30, "isBundle": True},
        {"lineId": 2, "sku": "A", "qty": 1, "price": 10, "isPartOfBundle": 1},
        {"lineId": 3, "sku": "B", "qty": 2, "price": 10, "isPartOfBundle": 1},
    ]
    (order,) = staged_json(tmp_path, get_order(products=flat))
    assert [(line.sku, line.is_bundle, line.bundle) for line in order.lines] == [
        ("SET", True, ""), ("A", False, "1"), ("B", False, "1"),
    ]  # fmt: skip
    nested = [{"lineId": 1, "sku": "SET", "qty": 1, "price": 30, "isBundle": True, "bundle": flat[1:]}]
    (again,) = staged_json(tmp_path, get_order(products=nested))
    assert [(line.sku, line.bundle) for line in again.lines] == [("SET", ""), ("A", "1"), ("B", "1")]
    unpriced = [{**nested[0], "bundle": [{"sku": "A", "qty": 1}]}]
    (inform,) = staged_json(tmp_path, get_order(products=unpriced))
    assert [line.sku for line in inform.lines] == ["SET"]


@pytest.mark.parametrize("step", [1, -1])
def test_contents_above_their_bundle_are_its_contents_all_the_same(tmp_path: Path, step: int) -> None:
    """A re-sorted file lists the same bundle."""
    head = "orderId,orderCurrency,grandTotalValue,products.sku,qty,price,isBundle,isPartOfBundle\n"
    rows = ["7,GBP,30,SET,1,30,1,0\n", "7,GBP,30,A,1,10,0,1\n", "7,GBP,30,B,1,20,0,1\n"]
    (order,) = stage(tmp_path, ("orders.csv", head + "".join(rows[::step]))).orders
    assert sorted((line.sku, line.is_bundle, line.bundle) for line in order.lines) == [
        ("A", False, "1"), ("B", False, "1"), ("SET", True, ""),
    ]  # fmt: skip


def test_flat_get_orders(tmp_path: Path) -> None:
    """The API's names are known in flat files too, with and without the products prefix."""
    text = "orderId,orderStatus,orderCurrency,billingEmail,grandTotalValue,voucherValue,products.sku,qty,price,taxPercent\n"
    staged = stage(tmp_path, ("x.csv", text + "5,4,GBP,a@example.com,19.00,-1.00,CUP,2,10.00,20\n"))
    order = staged.orders[0]
    assert (order.status, order.voucher_value, order.lines[0].total) == ("Completed", 1, 20)
    assert staged.facts.files[0].vocabulary.value == "get-orders"


def test_address_stands_for_both_addresses(tmp_path: Path) -> None:
    """One address object serves as invoice and delivery address."""
    record = {"orderNumber": 5, "address": {"email": "a@example.com", "country": "SE"}, "products": []}
    (order,) = stage(tmp_path, ("x.json", json.dumps(record))).orders
    assert (order.email, order.invoice_country, order.delivery_country) == ("a@example.com", "SE", "SE")


@pytest.mark.parametrize(
    "record",
    [
        {"products": []},
        {"orderNumber": {"a": 1}},
        {"orderNumber": None},
        {"orderNumber": "1e5"},
        {"orderNumber": True},
        {"orderNumber": []},
    ],
)
def test_objects_without_a_readable_number_are_unassigned(tmp_path: Path, record: dict[str, Any]) -> None:
    """An object that belongs to no order is counted and named."""
    staged = stage(tmp_path, ("x.json", json.dumps([record, {"orderNumber": 2}])))
    assert staged.facts.unassigned_count == 1
    assert [order.number for order in staged.orders] == ["2"]


def test_nested_values_where_one_belongs_block(tmp_path: Path) -> None:
    """An object in the place of an amount is not an amount of zero."""
    record = {
        "orderNumber": 1,
        "shippingValue": {"amount": 5},
        "products": [{"sku": "A", "qty": [1], "unitPrice": 2}, 7],
    }
    (order,) = stage(tmp_path, ("x.json", json.dumps(record))).orders
    assert {problem.place.column for problem in errors(order)} == {"shippingValue", "products.qty", "products"}


def test_attention_rows_are_the_users_own(tmp_path: Path) -> None:
    """What has to be corrected comes back as it was written, whole orders only, and can be fed again."""
    rows = [{"orderNumber": "01", "comment": 'say "5,00"', "ipAddress": "10.1.1.1", "own": "x"}, {"orderNumber": "2"},
            {"orderNumber": "1", "products.qty": "abc"}]  # fmt: skip
    path = tmp_path / "x.csv"
    text = csv_text(*rows).replace(",", ";").encode("utf-16")
    path.write_bytes(text)
    with Batch([path], open_export=open_export) as batch:
        found = [(raw, list(raw.rows)) for raw in batch.raw_rows(["1"])]
    raw, cells = found[0]
    assert [(number, row) for number, row, _ in cells] == [("1", 2), ("1", 4)]
    assert "ipAddress" not in raw.columns
    assert dict(zip(raw.columns, cells[0][2], strict=True))["comment"] == 'say "5;00"'
    assert cells[1][2][raw.columns.index("products.qty")] == "abc"
    assert raw.encode(["a;b", "c"]).decode("utf-16-le") == '"a;b";c\n'


def test_attention_objects_round_trip(tmp_path: Path) -> None:
    """JSON orders come back as they were, numbers as numbers, without the IP address."""
    record = get_order(ipAddress="10.1.1.1", returns=[{"returnId": 1, "products": []}])
    path = tmp_path / "x.json"
    path.write_text(json.dumps([record]))
    with Batch([path], open_export=open_export) as batch:
        (raw,) = batch.raw_rows(["77-R1"])
        ((number, row, text),) = raw.objects
    record.pop("ipAddress")
    assert (number, row, json.loads(text)) == ("77", 1, record)


def spool_files(folder: Path) -> Iterator[Path]:
    return folder.glob("centra-mews-*")


def test_the_spool_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    """Customers' data must not stay behind in a temporary folder."""
    path, folder = tmp_path / "x.csv", tmp_path / "spool"
    folder.mkdir()
    path.write_text(csv_text({}))
    with Batch([path], open_export=open_export, spool_dir=folder) as batch:
        batch.load()
        assert all(stat.S_IMODE(found.stat().st_mode) == 0o600 for found in spool_files(folder))
        assert len(list(batch.orders())) == 1
    assert list(spool_files(folder)) == []


def test_every_problem_code_is_known(tmp_path: Path) -> None:
    """Codes are a fixed list that documents and tests share."""
    from etl.model.codes import CODES

    row = {"currency": "X", "deliveryAddress.country": "UK", "products.qty": "a", "status": "?", "comment": "x" * 999}
    order = one(tmp_path, **{name.replace(".", "__"): cell for name, cell in row.items()})
    assert {problem.code for problem in order.problems} <= set(CODES)
    assert len(errors(order)) == 4


def test_voucher_text_of_get_orders_loses_its_sign(tmp_path: Path) -> None:
    """A voucher of "-5.00 USD" reduces the order, it does not raise it."""
    (order,) = staged_json(tmp_path, get_order(voucherValue="-5.00 USD"))
    assert order.voucher_value == 5
    assert order.is_readable


def test_a_key_that_excel_made_a_date_blocks(tmp_path: Path) -> None:
    """SKU MAY-10 saved as the 10th of May would name another product."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "products.sku", "products.qty", "products.unitPrice"])
    sheet.append([1, datetime.fromisoformat("2011-05-10"), 1, 2.5])
    book.save(tmp_path / "x.xlsx")
    with Batch([tmp_path / "x.xlsx"], open_export=open_export) as batch:
        (order,) = batch.orders()
    assert [problem.place.column for problem in errors(order)] == ["products.sku"]


def test_the_same_return_twice_counts_once(tmp_path: Path) -> None:
    """A refund listed twice is paid once; two different ones of one number are a person's question."""
    one_return = {"returnId": 1, "completed": 1, "date": "2011-06-20", "products": [{"orderLineId": 1, "quantity": 1}]}
    orders = staged_json(tmp_path, get_order(returns=[one_return, one_return]))
    assert [order.number for order in orders] == ["77", "77-R1"]
    assert orders[1].is_readable
    assert orders[1].lines[0].unit_price == 20
    orders = staged_json(tmp_path, get_order(returns=[one_return, {**one_return, "returnCost": 3}]))
    assert codes(orders[1]) == ["order.overlap"]


def test_the_same_object_twice_counts_once(tmp_path: Path) -> None:
    """Pages of an API that overlap hold an order twice."""
    orders = staged_json(tmp_path, get_order(), get_order(orderId=78), get_order())
    assert [(order.number, len(order.lines)) for order in orders] == [("77", 2), ("78", 2)]
    assert "file.overlap" in codes(orders[0])


def test_the_vocabulary_survives_a_broken_first_line(tmp_path: Path) -> None:
    """One cut line must not hide what all other lines are."""
    text = "{cut\n" + json.dumps({"note": 1}) + "\n" + json.dumps(get_order())
    staged = stage(tmp_path, ("x.ndjson", text))
    assert [order.number for order in staged.orders] == ["77"]
    assert [problem.place.row for problem in staged.facts.unassigned] == [1, 2]


def test_a_zero_date_does_not_contradict_a_date(tmp_path: Path) -> None:
    """0000-00-00 on one row says nothing against the date on another."""
    rows = [{"orderDate": "0000-00-00 00:00:00"}, {"orderDate": "2011-06-15"}]
    order = stage(tmp_path, ("x.csv", csv_text(*rows))).orders[0]
    assert not order.problems
    assert str(order.order_date) == "2011-06-15"


def test_texts_are_the_same_in_every_style(tmp_path: Path) -> None:
    """Notes are part of what is sent, so they must not depend on the spreadsheet's way of writing."""
    point = csv_text({"orderDate": "2011-06-15 00:00:00", "shippingValue": "1,234.50"})
    comma = csv_text({"orderDate": "15.06.2011", "shippingValue": "1234,5", "voucherValue": "0",
                      "products.unitPrice": "10"})  # fmt: skip
    texts = [stage(tmp_path, ("x.csv", text)).orders[0].texts for text in (point, comma)]
    assert texts[0] == texts[1]
    assert (texts[0]["orderDate"], texts[0]["shippingValue"]) == ("2011-06-15", "1234.50")


def test_a_missing_temporary_folder_is_said_in_words(tmp_path: Path) -> None:
    """No traceback where the disk is at fault."""
    with pytest.raises(UsageError) as caught:
        Batch([tmp_path / "x.csv"], open_export=open_export, spool_dir=tmp_path / "nowhere")
    assert caught.value.code == "spill.unusable"


def test_unassigned_rows_are_counted_exactly_but_not_all_kept(tmp_path: Path) -> None:
    """A million bad rows must not fill the memory, and none may be missing in the count."""
    text = "orderNumber,comment\n" + "x,y\n" * 10_050
    staged = stage(tmp_path, ("x.csv", text))
    assert (staged.facts.unassigned_count, len(staged.facts.unassigned), staged.facts.rows) == (10_050, 10_000, 10_050)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    """A long read shows how far it is."""
    steps: list[tuple[str, int, int | None]] = []
    path = tmp_path / "x.csv"
    path.write_text(csv_text({}))
    with Batch([path], open_export=open_export, progress=lambda *step: steps.append(step)) as batch:
        batch.load()
    assert (str(path), path.stat().st_size, path.stat().st_size) in steps


def test_words_of_the_shop_are_read_as_values_csv_says(tmp_path: Path) -> None:
    """Only whole cells are translated; rows that say the same in other words do not contradict each other."""
    rows = [{"orderNumber": "#1", "status": "paid", "deliveryAddress.country": "Suisse", "products.vatPercent": "reduced"},
            {"orderNumber": "#1", "status": "Completed", "deliveryAddress.country": "CH", "products.sku": "MUG"}, {"orderNumber": "2", "status": "paid "}]  # fmt: skip
    options = ReadOptions(
        order_number="#{number}",
        values={
            "status": {"paid": "Completed"},
            "deliveryAddress.country": {"Suisse": "CH"},
            "products.vatPercent": {"reduced": "5"},
            "storeType": {"": "b2b"},
        },
    )
    staged = stage(tmp_path, ("x.csv", csv_text(*rows)), options=options)
    order = staged.orders[0]
    assert (order.number, order.status, order.delivery_country, order.store_type) == ("1", "Completed", "CH", "b2b")
    assert order.lines[0].vat_percent == 5
    assert order.is_readable
    assert [problem.value for problem in staged.facts.unassigned] == ["2"]


def test_an_empty_payment_status_means_something_only_beside_an_amount(tmp_path: Path) -> None:
    """Without an amount there is no payment, whatever its status."""
    text = csv_text(
        {"orderNumber": "1", "payment.capture.amount": "10.00", "payment.capture.status": ""}, {"orderNumber": "2"}
    )
    options = ReadOptions(values={"payment.capture.status": {"": "1"}})
    paid, other = stage(tmp_path, ("x.csv", text), options=options).orders
    assert [(payment.status, payment.amount) for payment in paid.payments] == [("success", Decimal("10.00"))]
    assert (paid.is_readable, other.payments) == (True, ())


def test_one_date_that_could_be_two_blocks_its_order_only(tmp_path: Path) -> None:
    """Most of a file is evidence for the rest; only a file with no decisive evidence is refused."""
    rows = [{"orderNumber": str(number), "orderDate": "2010-03-04"} for number in range(1, 6)]
    rows[2]["orderDate"] = "03/04/2010"
    staged = stage(tmp_path, ("x.csv", csv_text(*rows)))
    assert [order.is_readable for order in staged.orders] == [True, True, False, True, True]
    assert staged.orders[2].problems[0].code == "value.ambiguous"
    with pytest.raises(InputError, match="two ways") as refused:
        stage(tmp_path, ("x.csv", csv_text({"orderDate": "03/04/2010"})))
    assert "source.date_format" in refused.value.hint
    decided = stage(
        tmp_path, ("x.csv", csv_text({"orderDate": "03/04/2010"})), options=ReadOptions(date_format="DD/MM/YYYY")
    )
    assert str(decided.orders[0].order_date) == "2010-04-03"


def test_an_empty_word_contradicts_nothing(tmp_path: Path) -> None:
    """The order-level cells of an order's later rows may be NULL."""
    rows = [{"orderNumber": "1", "comment": "NULL"}, {"orderNumber": "1", "comment": "gift"}]
    (order,) = stage(tmp_path, ("x.csv", csv_text(*rows)), options=ReadOptions(empty_words=frozenset({"NULL"}))).orders
    assert order.is_readable
    assert order.texts["comment"] == "gift"


def test_a_header_with_what_a_program_put_there_is_known(tmp_path: Path) -> None:
    """A zero-width blank before the first name, a name wrapped for Excel."""
    text = (
        csv_text({"orderNumber": "1"}).replace("orderNumber", "\u200borderNumber").replace("orderDate", '="orderDate"')
    )
    (order,) = stage(tmp_path, ("x.csv", text)).orders
    assert (order.number, order.order_date is not None) == ("1", True)


@pytest.mark.parametrize(
    ("cells", "texts", "is_told"),
    [
        ((date(2011, 5, 3), date(2011, 7, 3)), ("14/03/2011", "31/03/2011"), True),
        ((date(2011, 5, 3), date(2011, 7, 3)), ("03/14/2011",), True),
        ((date(2011, 5, 3), date(2011, 7, 23)), ("14/03/2011",), False),  # a 23rd was not swapped
        ((date(2011, 5, 3),), ("2011-03-14",), False),
        ((date(2011, 5, 3),), ("14/03/2011", "01/02/2011"), False),  # a spreadsheet would have taken 01/02 too
    ],
)
def test_dates_that_a_spreadsheet_may_have_swapped_are_told(
    tmp_path: Path, cells: tuple[date, ...], texts: tuple[str, ...], is_told: bool
) -> None:
    """What could be a month became one, and what could not stayed a text."""
    book = openpyxl.Workbook()
    book.active.append(["orderNumber", "orderDate", "products.sku", "products.qty", "products.unitPrice"])
    for number, day in enumerate((*cells, *texts), 1):
        book.active.append([number, day, "A-1", 1, 4.25])
    book.save(tmp_path / "x.xlsx")
    with Batch([tmp_path / "x.xlsx"], open_export=open_export) as batch:
        notices = batch.load().files[0].notices
    assert any("days for months" in text for text in notices) is is_told


def test_a_refusal_names_the_hidden_sheet_that_may_hold_the_orders(tmp_path: Path) -> None:
    """The visible sheet has no orders; the way out is to name the other one."""
    book = openpyxl.Workbook()
    book.active.append(["Nothing", "here"])
    hidden = book.create_sheet("Data")
    hidden.append(["orderNumber", "products.sku"])
    hidden.sheet_state = "veryHidden"
    book.save(tmp_path / "x.xlsx")
    with (
        Batch([tmp_path / "x.xlsx"], open_export=open_export) as batch,
        pytest.raises(
            InputError, match=r"no column with the order number.*Hidden sheet Data was left out; source\.sheets"
        ),
    ):
        batch.load()
