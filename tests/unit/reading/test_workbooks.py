"""Workbooks: a cell that holds something is never read as empty, and what a clerk must know of a sheet is told."""

from __future__ import annotations

import datetime as dt
import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
import xlwt
from python_calamine import CalamineWorkbook
from workbooks import (
    by_hand,
    by_openpyxl,
    inline,
    notices_of,
    ods,
    ods_cell,
    rows_of,
    tables,
    wide,
    xlsb,
    xlsb_cell,
    xlsb_row,
)

from etl.errors import InputError
from etl.model.export import BROKEN, DATE, NUMBER, BadRow, plain, reason_of, stored

HEADER = f'<row r="1">{inline("A1", "orderNumber")}{inline("B1", "price")}</row>'


def held(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows by what their cells hold, marks kept."""
    return [
        (row, [cell[:1] + stored(cell) if cell[:1] in (NUMBER, DATE) else cell for cell in cells])
        for row, cells in rows
    ]


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        rows_of(path)
    return caught.value


def test_workbook_cells_read_as_excel_shows_them(tmp_path: Path) -> None:
    """Numbers at 15 digits, dates as dates, whole numbers without .0, text with its leading zeros."""
    when = dt.datetime.fromisoformat("2010-12-01 08:26")
    by_openpyxl(tmp_path / "x.xlsx", ("S", [["orderNumber", "b", "c", "d", "e"], [71053, 9.949999999999999, when, "0071", True],
                          [1, -2.5, 1e21, 0.00001, dt.date(2010, 12, 1)]]))  # fmt: skip
    assert held(rows_of(tmp_path / "x.xlsx")) == [
        (2, ["71053", f"{NUMBER}9.95", f"{DATE}2010-12-01 08:26:00", "0071", "TRUE"]),
        (3, ["1", f"{NUMBER}-2.5", f"{NUMBER}1e+21", f"{NUMBER}0.00001", f"{DATE}2010-12-01 00:00:00"]),
    ]


def test_workbook_errors_and_percent_formats_are_seen(tmp_path: Path) -> None:
    """#N/A is no empty cell but names its address, and 0.2 shown as 20% is 20."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "price", "vat"])
    sheet.append([1, "#N/A", 0.2])
    sheet.append([2, 1.5, 0.175])
    sheet["B2"].data_type = "e"
    sheet["C2"].number_format = "0%"
    sheet["C3"].number_format = '0.0" of "%'
    book.save(tmp_path / "x.xlsx")
    (_, first), (_, second) = rows_of(tmp_path / "x.xlsx")
    assert first[1][0] == BROKEN
    assert plain(first[1]) == "#N/A"
    assert "B2" in reason_of(first[1])
    assert (first[2], stored(second[2])) == (f"{NUMBER}20%", "17.5%")


def test_a_column_left_empty_stays_a_column(tmp_path: Path) -> None:
    """Rows and columns left empty do not shift the row a person looks for; rows above the header are told."""
    path = tmp_path / "x.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A2"] = "Orders of 2010"
    sheet["C4"], sheet["D4"] = "orderNumber", "price"
    sheet["C5"], sheet["D5"] = 1, 2
    sheet["C8"], sheet["D8"] = 3, 4
    book.save(path)
    (table,) = tables(path)
    assert table.header_row == 4
    assert table.columns == ("", "", "orderNumber", "price")
    table.close()
    assert rows_of(path) == [(5, ["", "", "1", "2"]), (8, ["", "", "3", "4"])]
    assert "header is row 4; row 2 above it" in notices_of(path)


ERROR_CELLS = {
    "error": '<c r="B2" t="e"><v>#DIV/0!</v></c>',
    "error of a formula": '<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>',
    "formula without a result": '<c r="B2"><f>1+1</f></c>',
    "formula with an empty result": '<c r="B2"><f>1+1</f><v></v></c>',
    "formula with an empty value": '<c r="B2"><f>1+1</f><v/></c>',
    "text formula without a result": '<c r="B2" t="str"><f>A1</f></c>',
    "shared formula without a result": '<c r="B2"><f t="shared" si="0"/></c>',
    "no number": '<c r="B2"><v>abc</v></c>',
    "not finite": '<c r="B2"><v>INF</v></c>',
    "no truth": '<c r="B2" t="b"><v>maybe</v></c>',
    "unknown type": '<c r="B2" t="x"><v>1</v></c>',
    "date that is none": '<c r="B2" t="d"><v>yesterday</v></c>',
    "twice": '<c r="B2"><v>1</v></c><c r="B2"><v>2</v></c>',
}


@pytest.mark.parametrize("strict", [False, True], ids=["transitional", "strict"])
@pytest.mark.parametrize("prefix", ["", "x"], ids=["plain", "prefixed"])
@pytest.mark.parametrize("cell", ERROR_CELLS.values(), ids=ERROR_CELLS.keys())
def test_what_can_not_be_read_is_never_empty(tmp_path: Path, cell: str, prefix: str, strict: bool) -> None:
    """In either namespace, with or without a prefix, by pattern or by parser."""
    rows = f'{HEADER}<row r="2"><c r="A2"><v>1</v></c>{cell}</row><row r="3"><c r="A3"><v>2</v></c><c r="B3"><v>9.5</v></c></row>'
    if prefix:
        rows = rows.replace("</", "</\x00").replace("<", "<x:").replace("<x:/\x00", "</x:")
    path = by_hand(tmp_path / "x.xlsx", rows, strict=strict, prefix=prefix)
    (_, bad), good = rows_of(path)
    assert bad[0] == "1"
    assert bad[1][0] == BROKEN
    assert good == (3, ["2", f"{NUMBER}9.5"])


READABLE = {
    "number": ('<c r="B2"><v>9.5</v></c>', f"{NUMBER}9.5"),
    "number of type n": ('<c r="B2" t="n"><v>9.5</v></c>', f"{NUMBER}9.5"),
    "other order of attributes": ('<c t="n" r="B2"><v>9.5</v></c>', f"{NUMBER}9.5"),
    "blanks in the tags": ('<c r="B2" ><v >9.5</v ></c >', f"{NUMBER}9.5"),
    "formula": ('<c r="B2"><f>19/2</f><v>9.5</v></c>', f"{NUMBER}9.5"),
    "text formula": ('<c r="B2" t="str"><f>A1</f><v>a_x000D_b</v></c>', "a\rb"),
    "empty text of a formula": ('<c r="B2" t="str"><f>""</f><v></v></c>', ""),
    "rich text": ('<c r="B2" t="inlineStr"><is><r><t>a</t></r><r><t xml:space="preserve"> b</t></r></is></c>', "a b"),
    "phonetic": ('<c r="B2" t="inlineStr"><is><t>a</t><rPh sb="0" eb="1"><t>x</t></rPh></is></c>', "a"),
    "escapes": ('<c r="B2" t="inlineStr"><is><t>&lt;a&amp;b&gt;&#233;&#x41;</t></is></c>', "<a&b>éA"),
    "a literal that looks like an escape": ('<c r="B2" t="inlineStr"><is><t>_x005F_x0041_</t></is></c>', "_x0041_"),
    "comment": ('<c r="B2"><!-- <c r="B2"><v>1</v></c> --><v>9.5</v></c>', f"{NUMBER}9.5"),
    "character data section": ('<c r="B2" t="inlineStr"><is><t><![CDATA[<b>]]></t></is></c>', "<b>"),
    "true": ('<c r="B2" t="b"><v>1</v></c>', "TRUE"),
    "iso date": ('<c r="B2" t="d"><v>2010-12-01T08:26:00</v></c>', f"{DATE}2010-12-01 08:26:00"),
    "iso day": ('<c r="B2" t="d"><v>2010-12-01</v></c>', f"{DATE}2010-12-01 00:00:00"),
    "no address": ("<c><v>9.5</v></c>", f"{NUMBER}9.5"),
    "styled and empty": ('<c r="B2" s="0"/>', ""),
    "a mark in the text": ('<c r="B2" t="inlineStr"><is><t>_x0001_5</t></is></c>', "\x04\x015"),
}


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
@pytest.mark.parametrize(("cell", "expected"), READABLE.values(), ids=READABLE.keys())
def test_every_form_of_a_cell_is_read(tmp_path: Path, cell: str, expected: str, encoding: str) -> None:
    """Whatever program wrote it."""
    path = by_hand(tmp_path / "x.xlsx", f'{HEADER}<row r="2"><c r="A2"><v>1</v></c>{cell}</row>', encoding=encoding)
    assert rows_of(path) == [(2, ["1", expected])]


def test_a_comment_between_rows_hides_none(tmp_path: Path) -> None:
    """What stands between the rows is left to the parser, and so is all that follows."""
    more = "".join(f'<row r="{row}"><c r="A{row}"><v>{row}</v></c></row><!-- {row} -->' for row in range(2, 40))
    assert [row for row, _ in rows_of(by_hand(tmp_path / "x.xlsx", HEADER + more))] == list(range(2, 40))


def test_a_zero_that_no_program_calculated_is_no_zero(tmp_path: Path) -> None:
    """XlsxWriter stores 0 under every formula and asks for calculation; a result it was given is taken."""
    path = tmp_path / "x.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["orderNumber", "price", "voucher"])
    sheet.write(1, 0, 1)
    sheet.write_formula(1, 1, "=2+2")
    sheet.write_formula(1, 2, "=2+2", None, 4)
    book.close()
    ((_, cells),) = rows_of(path)
    assert cells[1][0] == BROKEN
    assert "formula" in reason_of(cells[1])
    assert cells[2] == "4"


def test_shared_strings_of_every_form(tmp_path: Path) -> None:
    """Plain ones by pattern, others by the parser, in one list."""
    strings = (
        "<si><t>orderNumber</t></si><si><t>price</t></si>"
        '<si><t xml:space="preserve"> a </t></si><si><r><t>b</t></r><r><t>c</t></r><rPh sb="0" eb="1"><t>x</t></rPh></si>'
        "<si><t/></si><si><t>d&amp;e_x000A_</t></si>"
    )
    cells = "".join(
        f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c><c r="B{row}" t="s"><v>{index}</v></c></row>'
        for row, index in enumerate([1, 2, 3, 4, 5], 1)
    )
    path = by_hand(tmp_path / "x.xlsx", cells, strings=strings)
    assert [cells[1] for _, cells in rows_of(path)] == [" a ", "bc", "", "d&e\n"]
    assert (
        "text 9"
        in refused(by_hand(tmp_path / "y.xlsx", HEADER + '<row r="2"><c r="A2" t="s"><v>9</v></c></row>')).message
    )


def test_leading_zeros_of_a_number_format(tmp_path: Path) -> None:
    """The key is what a person sees, the number what the cell holds."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "sku"])
    sheet.append([1, 22469])
    sheet["B2"].number_format = "0000000"
    book.save(tmp_path / "x.xlsx")
    ((_, cells),) = rows_of(tmp_path / "x.xlsx")
    assert (plain(cells[1]), stored(cells[1])) == ("0022469", "22469")


# .xls


def xls(path: Path, *rows: list[object], formats: dict[tuple[int, int], str] | None = None) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            code = (formats or {}).get((row, column))
            style = xlwt.easyxf(num_format_str=code) if code else xlwt.Style.default_style
            sheet.write(row, column, cell, style)
    book.save(str(path))
    return path


def test_old_xls(tmp_path: Path) -> None:
    """The old workbook format reads like the new one."""
    when = dt.datetime.fromisoformat("2010-12-01 08:26")
    path = xls(
        tmp_path / "x.csv",
        ["orderNumber", "orderDate", "price", "sku", "vat", "ok", "text"],
        [5, when, 2.5, 22469, 0.2, True, "\x01a"],
        formats={(1, 1): "YYYY-MM-DD HH:MM", (1, 3): "0000000", (1, 4): "0%"},
    )
    ((row, cells),) = rows_of(path)
    assert row == 2
    assert cells[0] == "5"
    assert stored(cells[1]) == "2010-12-01 08:26:00"
    assert cells[2] == f"{NUMBER}2.5"
    assert plain(cells[3]) == "0022469"
    assert cells[4:] == [f"{NUMBER}20%", "TRUE", "\x04\x01a"]


def test_xls_formulas_without_a_result_are_no_empty_texts(tmp_path: Path) -> None:
    """A formula that says "" itself is empty; one that nobody calculated is a fault; errors name their cell."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for column, name in enumerate(["orderNumber", "price", "voucher", "note"]):
        sheet.write(0, column, name)
    sheet.write(1, 0, 1)
    sheet.write(1, 1, xlwt.Formula("1+1"))
    sheet.write(1, 2, xlwt.Formula('IF(A2>5;1;"")'))
    sheet.row(1).set_cell_error(3, 0x2A)
    book.save(str(tmp_path / "x.xls"))
    ((_, cells),) = rows_of(tmp_path / "x.xls")
    assert cells[1][0] == BROKEN
    assert "B2" in reason_of(cells[1])
    assert cells[2] == ""
    assert plain(cells[3]) == "#N/A"
    assert "D2" in reason_of(cells[3])


def test_xls_tells_hidden_rows_columns_and_sheets(tmp_path: Path) -> None:
    """The old format hides as the new one does."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for row, cells in enumerate([["orderNumber", "price"], [1, 2], [3, 4]]):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    sheet.row(2).hidden = True
    sheet.col(1).hidden = True
    other = book.add_sheet("Old")
    other.write(0, 0, "orderNumber")
    other.visibility = 1
    book.save(str(tmp_path / "x.xls"))
    told = notices_of(tmp_path / "x.xls")
    assert "1 row is hidden (the first is row 3)" in told
    assert "B (price)" in told
    assert "hidden sheet Old was left out" in told
    assert len(rows_of(tmp_path / "x.xls")) == 2


# .ods

ODS_HEADER = f"<table:table-row>{ods_cell('orderNumber')}{ods_cell('price')}</table:table-row>"


def ods_row(*cells: str, more: str = "") -> str:
    return f"<table:table-row{more}>{''.join(cells)}</table:table-row>"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (ods_cell("#N/A", "string", more=' calcext:value-type="error"'), "#N/A"),
        (ods_cell("Err:508", "float", "0", more=' table:formula="of:=1/0"'), "Err:508"),
        (ods_cell("#DIV/0!", "string", more=' table:formula="of:=1/0"'), "#DIV/0!"),
        (ods_cell("", "", more=' table:formula="of:=[.A1]"'), "formula"),
        (ods_cell("x", "float", "x"), "x"),
        (ods_cell("x", "date", "yesterday"), "x"),
        (ods_cell("x", "boolean", "maybe"), "maybe"),
        (ods_cell("x", "colour", "red"), "x"),
    ],
)
def test_ods_cells_that_can_not_be_read(tmp_path: Path, cell: str, shown: str) -> None:
    """Errors and formulas without a result are faults, with their address."""
    rows = ODS_HEADER + ods_row(ods_cell("1", "float", "1"), cell)
    ((row, cells),) = rows_of(ods(tmp_path / "x.ods", ('table:name="Orders"', rows)))
    assert (row, cells[0], cells[1][0], plain(cells[1])) == (2, "1", BROKEN, shown)
    assert "B2" in reason_of(cells[1])


def test_ods_values_and_what_is_seen_of_them(tmp_path: Path) -> None:
    """Numbers at 15 digits, percentages, dates, booleans, texts with blanks and paragraphs; annotations are none."""
    rows = ODS_HEADER + ods_row(
        ods_cell("0022469", "float", "22469"),
        ods_cell("9.95", "float", "9.949999999999999"),
        ods_cell("20 %", "percentage", "0.2"),
        ods_cell("01/12/10", "date", "2010-12-01T08:26:00"),
        ods_cell("TRUE", "boolean", "true"),
        ods_cell('a<text:s text:c="2"/>b</text:p><text:p>c<text:line-break/>d', "string"),
        '<table:table-cell office:value-type="string"><office:annotation><text:p>no</text:p></office:annotation>'
        "<text:p>yes</text:p></table:table-cell>",
        ods_cell("10:12", "time", "PT10H12M00S"),
    )
    head = ODS_HEADER.replace("</table:table-row>", "".join(ods_cell(c) for c in "cdefgh") + "</table:table-row>")
    ((_, cells),) = rows_of(ods(tmp_path / "x.ods", ('table:name="O"', rows.replace(ODS_HEADER, head))))
    assert [stored(cell) for cell in cells] == [
        "22469", "9.95", "20%", "2010-12-01 08:26:00", "TRUE", "a  b\nc\nd", "yes", "10:12:00",
    ]  # fmt: skip
    assert [plain(cells[index]) for index in (0, 2, 3)] == ["0022469", "20 %", "01/12/10"]


def test_ods_repeats_and_hiding(tmp_path: Path) -> None:
    """Repeated rows and cells count as they do on the screen; a million empty ones cost nothing."""
    rows = (
        ODS_HEADER
        + ods_row(ods_cell("1", "float", "1", more=' table:number-columns-repeated="2"'))
        + ods_row(ods_cell(), more=' table:number-rows-repeated="3"')
        + ods_row(ods_cell("2", "float", "2"), more=' table:number-rows-repeated="2" table:visibility="filter"')
        + ods_row(
            ods_cell("", "", more=' table:number-columns-repeated="16384"'),
            more=' table:number-rows-repeated="1048000"',
        )
    )
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/>'
    hidden = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    path = ods(
        tmp_path / "x.ods",
        ('table:name="Orders"', columns + rows),
        ('table:name="Old" table:style-name="h"', ODS_HEADER),
        styles=hidden,
    )
    assert rows_of(path) == [(2, ["1", "1"]), (6, ["2", ""]), (7, ["2", ""])]
    told = notices_of(path)
    assert "2 rows are hidden by a filter (the first is row 6)" in told
    assert "B (price)" in told
    assert "hidden sheet Old was left out" in told


# .xlsb


def test_xlsb_reads_every_kind_of_cell_as_another_reader_does(tmp_path: Path) -> None:
    """Numbers of each kind, texts, truths, dates under a format, what a format shows; errors are faults."""
    number = struct.Struct("<d").pack
    path = xlsb(
        tmp_path / "x.xlsb",
        [
            xlsb_row(1),
            *(xlsb_cell(6, at, wide(name)) for at, name in enumerate(["orderNumber", *"bcdefghijk"])),
            xlsb_row(3),
            xlsb_cell(2, 0, struct.pack("<I", 7 << 2 | 2)),
            xlsb_cell(2, 1, struct.pack("<I", 995 << 2 | 3)),
            xlsb_cell(5, 2, number(9.949999999999999)),
            xlsb_cell(5, 3, number(40513.35138888889), 1),
            xlsb_cell(7, 4, struct.pack("<I", 1)),
            xlsb_cell(4, 5, b"\x01"),
            xlsb_cell(9, 6, number(2.5) + bytes(6)),
            xlsb_cell(8, 7, wide("text of a formula") + bytes(6)),
            xlsb_cell(5, 8, number(22469), 2),
            xlsb_cell(3, 9, b"\x2a"),
            xlsb_cell(62, 10, b"\0" + wide("rich")),
        ],
        formats=["yyyy-mm-dd hh:mm", "0000000"],
        strings=["no", "a_x000D_b"],
    )
    ((row, cells),) = rows_of(path)
    assert row == 3
    assert [stored(cell) for cell in cells] == [
        "7", "9.95", "9.95", "2010-12-01 08:26:00", "a_x000D_b", "TRUE", "2.5", "text of a formula", "22469", "#N/A", "rich",
    ]  # fmt: skip
    assert plain(cells[8]) == "0022469"
    assert "J3" in reason_of(cells[9])
    # The hand-made file is one to another reader, too, which reads what it can the same way.
    other = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[2]
    assert other[:9] == [7, 9.95, 9.949999999999999, dt.datetime.fromisoformat("2010-12-01 08:26"), "a_x000D_b", True, 2.5,
                         "text of a formula", 22469]  # fmt: skip


def test_xlsb_tells_hidden_rows_and_far_cells_and_refuses_damage(tmp_path: Path) -> None:
    """As other workbooks do."""
    head = [xlsb_row(1), xlsb_cell(6, 0, wide("orderNumber"))]
    cell = xlsb_cell(2, 0, struct.pack("<I", 7 << 2 | 2))
    path = xlsb(tmp_path / "x.xlsb", [*head, xlsb_row(2, is_hidden=True), cell, xlsb_cell(6, 16383, wide("note"))])
    ((_, cells),) = rows_of(path)
    assert isinstance(cells, BadRow)
    assert "XFD2 holds 'note'" in cells.message
    assert "1 row is hidden (the first is row 2)" in notices_of(path)
    assert (
        refused(xlsb(tmp_path / "y.xlsb", [*head, xlsb_row(2), xlsb_cell(6, 16384, wide("x"))])).code == "input.damaged"
    )
    assert refused(xlsb(tmp_path / "z.xlsb", [*head, xlsb_row(2), xlsb_cell(5, 0, b"123")])).code == "input.damaged"


# Several sheets


def test_the_sheet_with_orders_is_chosen(tmp_path: Path) -> None:
    """A cover sheet is told and left out."""
    by_openpyxl(tmp_path / "a.xlsx", ("Cover", [["Orders 2010"]]), ("Data", [["orderNumber"], [1]]))
    (table,) = tables(tmp_path / "a.xlsx")
    table.close()
    assert table.sheet == "Data"
    assert "sheet Cover has no order number" in table.notices[0]


def test_sheets_with_one_header_are_read_like_files(tmp_path: Path) -> None:
    """One sheet a month; a column more is told and read, a sheet of something else is told and left out."""
    header = ["orderNumber", "price", "qty"]
    by_openpyxl(
        tmp_path / "a.xlsx",
        ("March", [header, [1, 2, 1]]),
        ("April", [[*header, "comment"], [3, 4, 1, "x"]]),
        ("Payments", [["orderNumber", "method", "amount", "date", "fee"], [1, "card", 2, 3, 4]]),
    )
    march, april = tables(tmp_path / "a.xlsx")
    assert (march.sheet, april.sheet) == ("March", "April")
    assert list(march.rows) == [(2, ["1", "2", "1"])]
    march.close()
    assert list(april.rows) == [(2, ["3", "4", "1", "x"])]
    april.close()
    told = "\n".join(march.notices)
    assert "2 sheets were read as one batch: March, April" in told
    assert "sheet April has comment" in told
    assert "sheet Payments has another header and was left out" in told


def test_hidden_sheets_are_read_only_where_they_are_named(tmp_path: Path) -> None:
    """source.sheets names them; a name that is not there is refused with those that are."""
    book = by_openpyxl(tmp_path / "a.xlsx", ("May", [["orderNumber"], [1]]), ("June", [["orderNumber"], [2]]))
    book["June"].sheet_state = "veryHidden"
    book.save(tmp_path / "a.xlsx")
    assert rows_of(tmp_path / "a.xlsx") == [(2, ["1"])]
    assert "hidden sheet June was left out" in notices_of(tmp_path / "a.xlsx")
    assert rows_of(tmp_path / "a.xlsx", "june") == [(2, ["2"])]
    with pytest.raises(InputError, match="May, June"):
        rows_of(tmp_path / "a.xlsx", "July")
    book["May"].sheet_state = "hidden"
    book["June"].sheet_state = "visible"
    book["June"]["A1"] = "something"
    book.save(tmp_path / "b.xlsx")
    assert "hidden sheet May" in notices_of(tmp_path / "b.xlsx")


# The extent of a sheet


def test_a_stray_cell_does_not_lay_the_grid_out(tmp_path: Path) -> None:
    """A blank one is nothing, a text is a fault of its row with its address."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "price"])
    sheet.append([1, 2])
    sheet["XFD1048576"] = " "
    sheet["XFD2"] = "note"
    book.save(tmp_path / "x.xlsx")
    first, *rest = rows_of(tmp_path / "x.xlsx")
    assert isinstance(first[1], BadRow)
    assert first[1] == ["1", "2"]
    assert "XFD2 holds 'note'" in first[1].message
    assert rest == []


def test_a_stray_cell_beside_the_header_is_told(tmp_path: Path) -> None:
    """It is no column of 16,384."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "price"])
    sheet.append([1, 2])
    sheet["XFD1"] = "printed 2011"
    book.save(tmp_path / "x.xlsx")
    assert rows_of(tmp_path / "x.xlsx") == [(2, ["1", "2"])]
    assert "XFD1 stand far right of the header" in notices_of(tmp_path / "x.xlsx")


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1048577"><c r="A1048577"><v>1</v></c></row>',
        '<row r="2"><c r="XFE2"><v>1</v></c></row>',
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="2"><c r="A2"><v>1</v></c></row>',
        '<row r="2">' + "<c><v>1</v></c>" * 16385 + "</row>",
        '<row r="2"><c r="A2"><v>1</v></row>',
    ],
)
def test_cells_beyond_the_format_are_damage(tmp_path: Path, rows: str) -> None:
    """Rows and columns that no sheet has, rows twice, broken XML."""
    assert refused(by_hand(tmp_path / "x.xlsx", HEADER + rows)).code == "input.damaged"


def test_hidden_rows_columns_and_a_filter_are_told(tmp_path: Path) -> None:
    """All of them are read."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["orderNumber", "price"], [1, 2], [3, 4]):
        sheet.append(row)
    sheet.row_dimensions[2].hidden = True
    sheet.column_dimensions["B"].hidden = True
    sheet.auto_filter.ref = "A1:B3"
    sheet.auto_filter.add_filter_column(0, ["3"])
    book.save(tmp_path / "x.xlsx")
    told = notices_of(tmp_path / "x.xlsx")
    assert "1 row is hidden by a filter (the first is row 2)" in told
    assert "1 column is hidden: B (price)" in told
    assert "rows 2 to 3 were read, columns A to B" in told
    assert len(rows_of(tmp_path / "x.xlsx")) == 2


def test_a_sheet_cut_off_is_refused(tmp_path: Path) -> None:
    """Half a sheet is not taken for the whole."""
    path = by_hand(tmp_path / "x.xlsx", HEADER + '<row r="2"><c r="A2"><v>1</v></c></row>')
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].partition(b"</sheetData>")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "cut off" in refused(path).message


# What else comes as a workbook


def archive(path: Path, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


@pytest.mark.parametrize(
    ("name", "parts", "says"),
    [
        ("o.numbers", {"Index__Document_dot_iwa": "x"}, "Apple Numbers"),
        ("o.docx", {"word__document_dot_xml": "x"}, "Word"),
        ("o.pptx", {"ppt__presentation_dot_xml": "x"}, "PowerPoint"),
        ("o.odt", {"mimetype": "application/vnd.oasis.opendocument.text"}, "OpenDocument text"),
        ("o.zip", {"orders_dot_csv": "x"}, "ZIP archive that is no workbook; it holds orders.csv"),
    ],
)
def test_other_archives_are_refused_by_their_name(tmp_path: Path, name: str, parts: dict[str, str], says: str) -> None:
    """Each says what it is."""
    assert says in refused(archive(tmp_path / name, **parts)).message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("~$orders.xlsx", b"\x05Maria" + bytes(160), "lock file"),
        (".~lock.orders.ods#", b",maria,host;", "lock file"),
        ("orders.gsheet", b'{"url": "https://docs.google.com/open?id=1"}', "Google Sheets"),
        ("orders.wk1", b"\x00\x00\x02\x00\x06\x04" + bytes(99), "Lotus"),
        ("orders.xls", b"\x09\x04\x06\x00\x00\x00\x10\x00" + bytes(99), "Excel 4"),
        ("orders.dbf", b"\x03\x5f\x07\x1a" + bytes(4) + b"\x41\x00\x21\x00" + bytes(20) + b"A" * 32 + b"\r", "dBase"),
        ("orders.mdb", b"\x00\x01\x00\x00Standard Jet DB\x00", "Access"),
    ],
)
def test_other_files_are_refused_by_their_name(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    """Each says what it is."""
    path = tmp_path / name
    path.write_bytes(content)
    assert says in refused(path).message


def test_password_protected_archive(tmp_path: Path) -> None:
    """An encrypted OpenDocument names its password."""
    path = ods(tmp_path / "x.ods", ('table:name="Orders"', ODS_HEADER))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>")
    assert refused(path).code == "input.password"


# Bombs


def test_entities_are_refused(tmp_path: Path) -> None:
    """A document type is how XML becomes a bomb."""
    path = by_hand(tmp_path / "x.xlsx", HEADER)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml"):
        with zipfile.ZipFile(path, "w") as file:
            for part, content in parts.items():
                start = content.index(b"?>") + 2 if content.startswith(b"<?xml") else 0
                file.writestr(part, content[:start] + bomb + content[start:] if part == name else content)
        assert "document type" in refused(path).message, name


def test_a_part_of_nothing_but_blanks_is_refused(tmp_path: Path) -> None:
    """A part that unpacks a thousandfold is no export."""
    path = by_hand(tmp_path / "x.xlsx", HEADER + " " * (80 << 20))
    assert "as no export does" in refused(path).message
