"""Inputs of our own in the form of `../shared/cases`: each is a kind of file that people have, and what a clerk wants.

A case is a function that writes its files into a folder, with writers that share nothing with our readers, and gives
the steps of its `expect.json` (form: README of the shared cases). Its docstring says why.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter
import xlwt

Steps = list[dict[str, Any]]
BASE = Path(__file__).parents[1] / "own_cases" / "_base"
CASES: dict[str, Callable[[Path], Steps]] = {}

HEADER = (
    "orderNumber",
    "orderDate",
    "status",
    "currency",
    "deliveryAddress.country",
    "shippingValue",
    "orderTotal",
    "products.sku",
    "products.qty",
    "products.unitPrice",
    "products.vatPercent",
    "products.itemText.product",
    "products.itemText.size",
    "comment",
)
ITEM = {"kind": "item", "name": "^Bowl$", "count": 1, "unit": "6.00", "codes": ["UK-20%"]}
CUP = {"kind": "product", "product": "CUP", "count": 1, "unit": "6.00", "codes": ["UK-20%"]}


def case(write: Callable[[Path], Steps]) -> Callable[[Path], Steps]:
    """Adds a case under its function's name."""
    CASES[write.__name__.replace("_", "-")] = write
    return write


def make(name: str, folder: Path) -> Path:
    """The case as a folder: base, mapping, files, expect.json."""
    folder.mkdir(exist_ok=True)
    if not (folder / "_base").exists():
        shutil.copytree(BASE, folder / "_base")
    place = folder / name
    place.mkdir()
    steps = CASES[name](place)
    (place / "expect.json").write_text(json.dumps({"steps": steps}), encoding="utf-8")
    return place


def row(number: object, **more: object) -> dict[str, object]:
    """A completed order of one bowl to Britain; keywords are the last parts of the columns' names."""
    values: dict[str, object] = {
        "orderNumber": number,
        "orderDate": "2011-03-05 10:15:00",
        "status": "Completed",
        "currency": "GBP",
        "deliveryAddress.country": "GB",
        "shippingValue": "0.00",
        "orderTotal": "6.00",
        "products.sku": "B-1",
        "products.qty": "1",
        "products.unitPrice": "6.00",
        "products.vatPercent": "20",
        "products.itemText.product": "Bowl",
        "products.itemText.size": "",
        "comment": "",
    }
    for name, value in more.items():
        (column,) = [one for one in HEADER if one.rpartition(".")[2] == name]
        values[column] = value
    return values


def cells(*rows: dict[str, object], header: Sequence[str] = HEADER) -> list[list[object]]:
    """The header and the rows as a grid."""
    return [list(header), *[[one.get(name, "") for name in header] for one in rows]]


def write_csv(path: Path, grid: Iterable[Iterable[object]], *, encoding: str = "utf-8", **dialect: Any) -> None:
    """A grid as text."""
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows(grid)
    path.write_bytes(stream.getvalue().encode(encoding))


def own_mapping(folder: Path, *, settings: str = "", **tables: str) -> None:
    """A mapping folder of the case's own: `settings` go into [source], `tables` are files by name."""
    shutil.copytree(BASE / "mapping", folder / "mapping")
    toml = folder / "mapping" / "migration.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("[source]\n", f"[source]\n{settings}\n"), encoding="utf-8")
    for name, text in tables.items():
        (folder / "mapping" / f"{name}.csv").write_text(text, encoding="utf-8")


def ready(*, planned: str = "6.00", items: Sequence[dict[str, Any]] = (ITEM,), **more: Any) -> dict[str, Any]:
    """An order that goes."""
    return {"state": "ready", "planned": planned, "items": list(items), **more}


def blocked(*says: str, **more: Any) -> dict[str, Any]:
    """An order that does not, and what is said of it."""
    return {"state": "blocked", "says": list(says), **more}


def step(file: str | list[str], orders: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One step, posted."""
    found = {"files": [file] if isinstance(file, str) else file, "post": True, **more}
    return found if orders is None else {**found, "orders": orders}


# A. Cells that hold something


@case
def error_in_an_order_number(folder: Path) -> Steps:
    """`#REF!` where the number stood: the row belongs to nobody, and is told with its cell; the others go."""
    book = openpyxl.Workbook()
    for line in cells(row(101), row("x"), row(103)):
        book.active.append(line)
    cell = book.active["A3"]
    cell.value, cell.data_type = "#REF!", "e"
    book.save(folder / "orders.xlsx")
    return [step("orders.xlsx", {"101": ready(), "103": ready()}, unassigned=1, told=[r"#REF!", r"A3|row.{0,9}3"])]


@case
def formulas_with_results(folder: Path) -> Steps:
    """A calculated price, and a SKU joined by a formula, hold results that everybody has seen: they are read."""
    book = xlsxwriter.Workbook(folder / "orders.xlsx")
    sheet = book.add_worksheet()
    for at, line in enumerate(cells(row(111), row(112, sku="CUP-1"))):
        sheet.write_row(at, 0, [str(value) for value in line])
    sheet.write_formula(1, HEADER.index("products.unitPrice"), "=12/2", None, 6)
    sheet.write_formula(2, HEADER.index("products.sku"), '="CUP"&"-1"', None, "CUP-1")
    book.close()
    return [step("orders.xlsx", {"111": ready(), "112": ready(items=[CUP])})]


@case
def rich_and_inline_texts(folder: Path) -> Steps:
    """A name of which one word is bold is one text, and so is one that the writer put into the cell itself."""
    book = xlsxwriter.Workbook(folder / "orders.xlsx", {"in_memory": True})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for at, line in enumerate(cells(row(121))):
        sheet.write_row(at, 0, [str(value) for value in line])
    sheet.write_rich_string(1, HEADER.index("products.itemText.product"), "Bowl ", bold, "large", " blue")
    book.close()
    inline = xlsxwriter.Workbook(folder / "inline.xlsx", {"constant_memory": True})
    sheet = inline.add_worksheet()
    for at, line in enumerate(cells(row(122))):
        sheet.write_row(at, 0, [str(value) for value in line])
    inline.close()
    name = {**ITEM, "name": "^Bowl large blue$"}
    return [step("orders.xlsx", {"121": ready(items=[name])}), step("inline.xlsx", {"122": ready()})]


@case
def open_document_cells(folder: Path) -> Steps:
    """An .ods with a percentage, a currency cell, repeated cells and an error: read like any workbook, or refused."""
    number = 'office:value-type="{0}" office:value="{1}"'
    kinds = {
        "products.vatPercent": number.format("percentage", "0.2"),
        "products.unitPrice": number.format("currency", "6") + ' office:currency="GBP"',
        "products.qty": number.format("float", "1"),
    }
    lines = []
    for at, line in enumerate(cells(row(131), row(132))):
        made = []
        for name, value in zip(HEADER, line, strict=True):
            if at and name in kinds:
                made.append(f"<table:table-cell {kinds[name]}><text:p>{value}</text:p></table:table-cell>")
            elif at == 2 and name == "shippingValue":
                made.append(
                    '<table:table-cell table:formula="of:=[.A1]/0" office:value-type="string" '
                    'office:string-value="" calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>'
                )
            else:
                text = f"<text:p>{value}</text:p>" if value != "" else ""
                made.append(f'<table:table-cell office:value-type="string">{text}</table:table-cell>')
        lines.append(f"<table:table-row>{''.join(made)}</table:table-row>")
    spaces = " ".join(
        f'xmlns:{name}="urn:{urn}"'
        for name, urn in {
            "office": "oasis:names:tc:opendocument:xmlns:office:1.0",
            "table": "oasis:names:tc:opendocument:xmlns:table:1.0",
            "text": "oasis:names:tc:opendocument:xmlns:text:1.0",
            "calcext": "org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
        }.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="Orders">{"".join(lines)}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(folder / "orders.ods", "w") as archive:
        archive.writestr("mimetype", mime)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
            '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
        )
    orders = {"131": ready(), "132": blocked("shippingValue", r"#DIV/0!|error")}
    return [{**step("orders.ods"), "one_of": [{"orders": orders}, {"refused": {"exit": 2, "says": ["OpenDocument"]}}]}]


# B. What a person sees


@case
def numbers_dressed_by_a_format(folder: Path) -> Steps:
    """`1 pcs`, `6.00 GBP`, a price stored finer than it is shown: the stored amounts count, and the cent is told."""
    book = xlsxwriter.Workbook(folder / "orders.xlsx")
    sheet = book.add_worksheet()
    for at, line in enumerate(cells(row(201), row(202, orderTotal="", qty=""))):
        sheet.write_row(at, 0, [str(value) for value in line])
    quantity, price = HEADER.index("products.qty"), HEADER.index("products.unitPrice")
    sheet.write_number(1, quantity, 1, book.add_format({"num_format": '0" pcs"'}))
    sheet.write_number(1, price, 6, book.add_format({"num_format": "#,##0.00 [$GBP]"}))
    sheet.write_number(2, quantity, 2)
    sheet.write_number(2, price, 4.2455, book.add_format({"num_format": "0.00"}))
    book.close()
    orders = {
        "201": ready(),
        "202": [
            {"state": "ready", "planned": "8.49", "says": [r"4\.2455", r"4\.25|shown|format"]},
            blocked(r"4\.2455|unitPrice"),
        ],
    }
    return [step("orders.xlsx", orders)]


@case
def dates_where_texts_belong(folder: Path) -> Steps:
    """Excel made a date of size `10-12` and of a SKU: the size is told or blocked, the SKU blocks; no bill says 00:00."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders", cell_overwrite_ok=True)
    style = xlwt.easyxf(num_format_str="D-MMM")
    for at, line in enumerate(cells(row(211), row(212), row(213))):
        for column, value in enumerate(line):
            sheet.write(at, column, str(value))
    sheet.write(2, HEADER.index("products.itemText.size"), 40887, style)
    sheet.write(3, HEADER.index("products.sku"), 40887, style)
    book.save(folder / "orders.xls")
    size = [
        {"state": "ready", "planned": "6.00", "says": [r"size", r"date"], "says_not": [r"00:00:00.{0,40}ready"]},
        blocked("size", "date"),
    ]
    return [step("orders.xls", {"211": ready(), "212": size, "213": blocked("sku", "date")})]


# C. The extent of a sheet


@case
def rows_that_only_look_used(folder: Path) -> Steps:
    """Two orders and 200,000 rows of bordered, empty cells: somebody formatted the whole column."""
    book = xlsxwriter.Workbook(folder / "orders.xlsx", {"constant_memory": True})
    sheet = book.add_worksheet()
    frame = book.add_format({"border": 1})
    for at, line in enumerate(cells(row(301), row(302))):
        sheet.write_row(at, 0, [str(value) for value in line])
    for at in range(3, 200_000):
        sheet.write_blank(at, 0, None, frame)
        sheet.write_blank(at, 5, None, frame)
    book.close()
    return [step("orders.xlsx", {"301": ready(), "302": ready()}, max_rss_mib=400, max_seconds=60)]


# D. Quotes


@case
def a_quote_that_never_ends(folder: Path) -> Steps:
    """A quote opens in the third order and never closes: the orders before it go, and no order behind it is lost."""
    grid = cells(*(row(number) for number in range(401, 407)))
    lines = [",".join(map(str, line)) for line in grid]
    lines[3] = lines[3].replace("Bowl", '"Bowl')
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    good = {str(number): ready() for number in (401, 402, 404, 405, 406)}
    odd = [blocked("quot"), {"state": "ready", "planned": "6.00", "says": ["quot"]}]
    return [step("orders.csv", {**good, "403": odd})]


@case
def line_breaks_that_are_meant(folder: Path) -> Steps:
    """A comment of several lines, with commas in it, in a file that quotes its texts: nothing is wrong with it."""
    comment = "Please ring twice,\nthen leave it, thanks,\n\nAnn"
    grid = cells(row(411, comment=comment), row(412, comment="none, really"), row(413, comment='12" wide'))
    write_csv(folder / "orders.csv", grid, quoting=csv.QUOTE_ALL)
    return [step("orders.csv", {"411": ready(), "412": ready(), "413": ready()})]


# E. Whole orders


@case
def lines_under_a_name_nobody_knows(folder: Path) -> Steps:
    """Lines under `positions` with names of their own: read, or the order is blocked; never the shipping alone."""
    order = {
        "orderNumber": 501,
        "orderDate": "2011-03-05 10:15:00",
        "status": "Completed",
        "currency": "GBP",
        "deliveryAddress": {"country": "GB"},
        "shippingValue": "3.50",
        "positions": [{"article": "B-1", "pieces": 1, "amount": "6.00", "vat": 20}],
    }
    (folder / "orders.json").write_text(json.dumps([order]), encoding="utf-8")
    return [step("orders.json", {"501": blocked("positions")}, inspect=["positions"], told=["positions"])]


@case
def an_amount_nested_in_a_return(folder: Path) -> Steps:
    """A restocking fee that no contract knows stands in a return: its money is somewhere, so the return waits."""
    line = {"lineId": 1, "qty": 2, "price": "6.00", "taxPercent": 20, "sku": "B-1", "name": "Bowl"}
    order = {
        "orderId": "511",
        "orderStatus": 4,
        "orderDate": "2011-03-05 10:15:00",
        "orderCurrency": "GBP",
        "deliveryCountry": "GB",
        "grandTotalValue": "12.00",
        "products": [line],
        "returns": [
            {
                "returnId": 9,
                "completed": 1,
                "date": "2011-04-01 09:00:00",
                "restockingFee": "1.25",
                "products": [{"orderLineId": 1, "quantity": 1, "price": "6.00"}],
            }
        ],
    }
    (folder / "orders.json").write_text(json.dumps({"orders": [order]}), encoding="utf-8")
    two = {**ITEM, "count": 2}
    orders = {"511": ready(planned="12.00", items=[two]), "511-R9": blocked("restockingFee")}
    return [step("orders.json", orders, told=["restockingFee"], inspect=["restockingFee"])]


@case
def an_order_whose_second_row_lost_its_number(folder: Path) -> Steps:
    """The total says 12.00 and the row below the order makes it so: its line, with a notice, or the order waits."""
    grid = cells(row(521, orderTotal="12.00"), row(522))
    grid.insert(
        2,
        [
            "" if name.count(".") == 0 or name.startswith("delivery") else value
            for name, value in zip(HEADER, grid[1], strict=True)
        ],
    )
    write_csv(folder / "orders.csv", grid)
    both = [
        ready(planned="12.00", items=[ITEM, ITEM], says=["row"]),
        ready(planned="12.00", items=[{**ITEM, "count": 2}], says=["row"]),
        blocked("row"),
    ]
    return [step("orders.csv", {"521": both, "522": ready()}, unassigned="*")]


# G. Centra's own shapes


@case
def the_integration_api(folder: Path) -> Steps:
    """An order as Centra's GraphQL API answers it, in connections: read by its own names."""
    money = lambda value: {"value": value, "currency": {"code": "GBP"}}  # noqa: E731
    line = {
        "id": 1,
        "quantity": 1,
        "taxPercent": 20,
        "unitPrice": money(6.0),
        "lineValue": money(6.0),
        "productName": "Bowl",
        "productSize": {"SKU": "B-1", "GTIN": None},
    }
    order = {
        "number": 601,
        "id": "5f3d",
        "status": "COMPLETED",
        "orderDate": "2011-03-05T10:15:00+00:00",
        "grandTotal": money(6.0),
        "shippingAddress": {"firstName": "Ann", "country": {"code": "GB"}},
        "lines": [line],
    }
    document = {"data": {"orders": {"edges": [{"node": order}]}}}
    (folder / "orders.json").write_text(json.dumps(document), encoding="utf-8")
    return [step("orders.json", {"601": ready()})]


# H. Texts and keys


@case
def invisible_characters_in_keys(folder: Path) -> Steps:
    """A zero-width space, a byte order mark and a soft hyphen came along when the SKU was pasted from a web page."""
    write_csv(
        folder / "orders.csv",
        cells(
            row(701, sku="CUP\u200b-1"), row(702, sku="\ufeffCUP-1"), row(703, sku="CUP\u00ad-1"), row(704, sku="CUP-1")
        ),
    )
    told = [{"state": "ready", "planned": "6.00", "items": [CUP], "says": ["sku"]}, blocked("sku")]
    return [step("orders.csv", {"701": told, "702": told, "703": told, "704": ready(items=[CUP])})]


@case
def words_for_nothing(folder: Path) -> Steps:
    """`n/a` in a size is empty, with a notice; as a quantity or a date it blocks, and nothing is suggested for it."""
    write_csv(
        folder / "orders.csv",
        cells(row(711, size="n/a"), row(712, qty="n/a"), row(713, orderDate="NULL"), row(714, sku="None")),
    )
    orders = {
        "711": ready(says=["n/a"]),
        "712": blocked("qty", "n/a"),
        "713": blocked("orderDate", "NULL"),
        "714": blocked("sku", "None"),
    }
    return [step("orders.csv", orders)]


# I. Encodings


@case
def an_encoding_that_is_named(folder: Path) -> Steps:
    """œ and € of ISO-8859-15 are ½ and ¤ to whoever guesses; `source.encoding` decides."""
    grid = cells(*(row(number, product="Cœur à l'œil") for number in range(801, 806)))
    write_csv(folder / "orders.csv", grid, encoding="iso-8859-15")
    own_mapping(folder, settings='encoding = "iso-8859-15"')
    name = {**ITEM, "name": "^Cœur à l'œil$"}
    return [step("orders.csv", {str(number): ready(items=[name]) for number in range(801, 806)})]


@case
def utf_16_without_a_mark(folder: Path) -> Steps:
    """An old export program writes UTF-16 and no byte order mark."""
    write_csv(folder / "orders.csv", cells(row(811, product="Schale Größe Ü")), encoding="utf-16-le", delimiter=";")
    return [step("orders.csv", {"811": ready(items=[{**ITEM, "name": "^Schale Größe Ü$"}])})]


# J. What is no export


@case
def messages_of_other_tools(folder: Path) -> Steps:
    """Singer and Airbyte wrap each record in a message: refused by name, with the way out."""
    record = {"orderNumber": 901, "products": [{"sku": "B-1", "qty": 1, "unitPrice": "6.00"}]}
    singer = [
        {"type": "SCHEMA", "stream": "orders", "schema": {}, "key_properties": ["orderNumber"]},
        {"type": "RECORD", "stream": "orders", "record": record},
        {"type": "STATE", "value": {}},
    ]
    airbyte = [{"_airbyte_ab_id": "1", "_airbyte_emitted_at": 1, "_airbyte_data": record}]
    for name, messages in (("singer.ndjson", singer), ("airbyte.ndjson", airbyte)):
        (folder / name).write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
    return [
        step("singer.ndjson", refused={"exit": 2, "says": ["Singer", "record"]}),
        step("airbyte.ndjson", refused={"exit": 2, "says": ["Airbyte", "_airbyte_data|record|data"]}),
    ]


@case
def files_beside_the_export(folder: Path) -> Steps:
    """Excel's lock file, a database dump and a saved mail stand in the same folder and end up in the same command."""
    (folder / "~$orders.xlsx").write_bytes(b"\x03Ann" + b" " * 51 + b"\x03\x00A\x00n\x00n" + b" \x00" * 51)
    (folder / "dump.sql").write_text(
        "-- MySQL dump 10.13\nDROP TABLE IF EXISTS `orders`;\nCREATE TABLE `orders` (`id` int);\n"
        "INSERT INTO `orders` VALUES (1,'a'),(2,'b');\n",
        encoding="utf-8",
    )
    (folder / "order.eml").write_text(
        "From: shop@example.com\nTo: ann@example.com\nSubject: Your order 901\nMIME-Version: 1.0\n\nThank you!\n",
        encoding="utf-8",
    )
    return [
        step("~$orders.xlsx", refused={"exit": 2, "says": ["lock|open in Excel|temporary"]}),
        step("dump.sql", refused={"exit": 2, "says": ["SQL"], "says_not": ["VALUES"]}),
        step("order.eml", refused={"exit": 2, "says": ["mail"], "says_not": ["Thank you"]}),
    ]


# K., L. What is told


@case
def a_totals_row_below(folder: Path) -> Steps:
    """The report program adds a row of sums: it is a control, and it does not match (one order was filtered away)."""
    total = {**dict.fromkeys(HEADER, ""), "orderNumber": "Total", "orderTotal": "18.00"}
    write_csv(folder / "orders.csv", cells(row(1001), row(1002), total))
    return [step("orders.csv", {"1001": ready(), "1002": ready()}, unassigned="*", told=[r"18\.00", r"12\.00|total"])]


@case
def a_renamed_header_that_is_gone(folder: Path) -> Steps:
    """columns.csv still names a header of last month's export; dry-run says so, not inspect alone."""
    write_csv(folder / "orders.csv", cells(row(1011)))
    own_mapping(folder, columns="header,field\nBestellnummer,orderNumber\n")
    return [step("orders.csv", {"1011": ready()}, told=["Bestellnummer"])]


# M. One cell costs one order


@case
def one_date_that_could_be_two(folder: Path) -> Steps:
    """Among ISO dates stands 03/04/2011: its order waits, the others go."""
    write_csv(
        folder / "orders.csv", cells(*(row(number) for number in range(1101, 1111)), row(1120, orderDate="03/04/2011"))
    )
    good = {str(number): ready() for number in range(1101, 1111)}
    return [step("orders.csv", {**good, "1120": blocked("orderDate", "03/04/2011")})]


@case
def a_row_moved_by_a_comma(folder: Path) -> Steps:
    """`Bowl, blue` without quotes: the row is one cell wider, and its last cell is empty. It does not go as it stands."""
    lines = [",".join(map(str, line)) for line in cells(row(1131), row(1132), row(1133))]
    lines[2] = lines[2].replace("Bowl", "Bowl, blue")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [step("orders.csv", {"1131": ready(), "1132": blocked(r"\b3\b", "cells|wide|column"), "1133": ready()})]


@case
def a_byte_that_does_not_fit(folder: Path) -> Steps:
    """One order was edited with another program: its pound sign is Windows-1252 in a file of UTF-8."""
    lines = [
        ",".join(map(str, line)) for line in cells(*(row(number, product="Schüssel") for number in range(1141, 1151)))
    ]
    data = ("\n".join(lines) + "\n").encode()
    first = data.index(b"\n", data.index(b"1145,"))
    data = data[:first] + b"\xa3" + data[first:]
    (folder / "orders.csv").write_bytes(data)
    name = {**ITEM, "name": "^Schüssel$"}
    good = {str(number): ready(items=[name]) for number in range(1141, 1151) if number != 1145}
    return [step("orders.csv", {**good, "1145": blocked(r"\b6\b", "encod|UTF-8|byte|character")})]


# N. Words of the shop, sheets, numbers


@case
def a_shop_with_words_of_its_own(folder: Path) -> Steps:
    """`#1201`, `bezahlt`, `Suisse`: two settings and a table say what they mean; an order of another prefix is told."""
    grid = cells(
        row("#1201", status="bezahlt"),
        row("#1202", status="bezahlt", country="Suisse"),
        row("#1203", status="storniert"),
    )
    write_csv(folder / "orders.csv", grid)
    own_mapping(
        folder,
        settings='order_number = "#{number}"',
        values="field,value,means\nstatus,bezahlt,Completed\nstatus,storniert,Cancelled\n"
        "deliveryAddress.country,Suisse,CH\n",
    )
    return [step("orders.csv", {"1201": ready(), "1202": ready(), "1203": "skipped"})]


@case
def a_hidden_sheet(folder: Path) -> Steps:
    """Last year's orders on a hidden sheet of the same header are told, and not read."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "2011"
    for line in cells(row(1211)):
        sheet.append(line)
    hidden = book.create_sheet("2010 old")
    for line in cells(row(1212)):
        hidden.append(line)
    hidden.sheet_state = "hidden"
    book.save(folder / "orders.xlsx")
    return [step("orders.xlsx", {"1211": ready()}, told=["2010 old", "hidden"], inspect=["2010 old"])]


@case
def an_order_on_two_sheets(folder: Path) -> Steps:
    """Sheets of one header are files of a batch: an order that stands in both, equal, is taken once."""
    book = openpyxl.Workbook()
    book.active.title = "March"
    other = book.create_sheet("April")
    for sheet, numbers in ((book.active, (1221, 1222)), (other, (1222, 1223))):
        for line in cells(*(row(number) for number in numbers)):
            sheet.append(line)
    book.save(folder / "orders.xlsx")
    return [step("orders.xlsx", {"1221": ready(), "1222": ready(), "1223": ready()})]


@case
def a_packed_file_of_two_parts(folder: Path) -> Steps:
    """Two days' logs, packed one by one and joined; each begins with the header."""
    parts = []
    for number in (1231, 1232):
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows(cells(row(number)))
        parts.append(gzip.compress(stream.getvalue().encode()))
    (folder / "orders.csv.gz").write_bytes(b"".join(parts))
    return [step("orders.csv.gz", {"1231": ready(), "1232": ready()}, told=["header"])]


# O. What stands beside an order


@case
def a_number_merged_over_its_lines(folder: Path) -> Steps:
    """One merged cell holds the number of two rows, all else is repeated: without a total nothing proves the order whole."""
    book = openpyxl.Workbook()
    sheet = book.active
    for line in cells(row(1301, orderTotal=""), row(1301, orderTotal=""), row(1302), row("", orderDate="2011-03-06")):
        sheet.append(line)
    sheet.merge_cells("A2:A3")
    book.save(folder / "orders.xlsx")
    orders = {"1301": blocked(r"\b3\b", "number"), "1302": ready()}
    return [step("orders.xlsx", orders, unassigned=2)]


@case
def two_exports_in_one_file(folder: Path) -> Steps:
    """Joined with `cat`: first the same header with a mark of its own, then one of other columns, whose rows are not read."""
    other = [*HEADER[:5], "orderTotal", "shippingValue", *HEADER[7:]]
    texts = []
    for number, header in ((1311, HEADER), (1312, HEADER), (1313, other)):
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows([header, *cells(row(number), header=header)[1:]])
        texts.append(f"\ufeff{stream.getvalue()}".encode())
    (folder / "orders.csv").write_bytes(b"".join(texts))
    orders = {"1311": ready(), "1312": ready(), "1313": blocked("header", r"\b6\b")}
    return [step("orders.csv", orders, told=["header"])]


@case
def keys_that_look_alike(folder: Path) -> Steps:
    """A hyphen that does not break, another case, a zero that Excel took: items, but not without the mapped key's name."""
    write_csv(folder / "orders.csv", cells(row(1321, sku="CUP\u20111"), row(1322, sku="cup-1"), row(1323, sku="CUP-2")))
    near = ready(says=["CUP-1"])
    return [step("orders.csv", {"1321": near, "1322": near, "1323": ready(says_not=["CUP-1"])})]


@case
def one_page_of_the_interface(folder: Path) -> Steps:
    """The answer says that more pages follow, a line was cancelled as a whole, and an order's tax is not its lines'."""
    money = lambda value: {"value": value, "currency": {"code": "GBP"}}  # noqa: E731
    line = {"id": 1, "quantity": 1, "taxPercent": 20, "unitPrice": money(6.0), "productName": "Bowl"}
    line["productSize"] = {"SKU": "B-1"}
    gone = {**line, "id": 2, "quantity": 0, "cancelledQuantity": 1}
    order = {
        "number": 1331,
        "status": "COMPLETED",
        "orderDate": "2011-03-05T10:15:00+00:00",
        "grandTotal": money(6.0),
        "totals": {"taxIncluded": money(1.0)},
        "shippingAddress": {"country": {"code": "GB"}},
        "lines": [line, gone],
    }
    other = {**order, "number": 1332, "lines": [line], "totals": {"taxIncluded": money(0)}}
    page = {"nodes": [order, other], "pageInfo": {"hasNextPage": True}}
    (folder / "orders.json").write_text(json.dumps({"data": {"orders": page}}), encoding="utf-8")
    orders = {"1331": ready(says=["cancel"]), "1332": ready(says=["tax", r"1\.00"])}
    return [step("orders.json", orders, told=["page"], inspect=["page"])]


# P. Nearly exports


@case
def a_line_total_that_contradicts(folder: Path) -> Steps:
    """9.00 stands where 1 x 6.00 is 6.00: told where the order's total decides, else nothing says which is meant."""
    header = (*HEADER, "products.totalPrice")
    more = {"products.totalPrice": "9.00"}
    fits = {"products.totalPrice": "6.00"}
    grid = cells(
        {**row(1401), **fits}, {**row(1402), **more}, {**row(1403, orderTotal=""), **more}, row(1404), header=header
    )
    write_csv(folder / "orders.csv", grid)
    orders = {
        "1401": ready(says_not=["comes to"]),
        "1402": ready(says=[r"9\.00", r"1 x 6\.00"]),
        "1403": blocked(r"9\.00", r"1 x 6\.00"),
        "1404": ready(),
    }
    return [step("orders.csv", orders)]


@case
def a_file_that_was_not_written_to_its_end(folder: Path) -> Steps:
    """The disk filled, or the machine went off: zeros to the end of the block. No row of nobody, but a word."""
    write_csv(folder / "orders.csv", cells(row(1411), row(1412)))
    path = folder / "orders.csv"
    path.write_bytes(path.read_bytes() + b"\0" * 700)
    return [step("orders.csv", {"1411": ready(), "1412": ready()}, told=["NUL", "700"], inspect=["NUL"])]


@case
def numbers_kept_as_text_by_an_apostrophe(folder: Path) -> Steps:
    """`'1421` and `'00022`: typed so that a spreadsheet keeps them; a price so written is no number."""
    write_csv(folder / "orders.csv", cells(row("'1421"), row("'0001422"), row(1423, unitPrice="'6.00")))
    return [step("orders.csv", {"1421": ready(), "1422": ready(), "1423": blocked("unitPrice")})]


@case
def separators_that_nobody_expects(folder: Path) -> Steps:
    """Tildes, carets, single quotes, columns of fixed width: refused by what they are, with the way out."""
    grid = cells(row(1431), row(1432))
    for name, mark in (("tilde.csv", "~"), ("caret.csv", "^")):
        (folder / name).write_text("\n".join(mark.join(map(str, line)) for line in grid), encoding="utf-8")
    quoted = "\n".join(",".join(f"'{value}'" for value in line) for line in grid)
    (folder / "quoted.csv").write_text(quoted, encoding="utf-8")
    fixed = "\n".join("".join(str(value).ljust(28) for value in line) for line in grid)
    (folder / "fixed.txt").write_text(fixed, encoding="utf-8")
    says = {"tilde.csv": "separated by '~'", "caret.csv": r"separated by '\^'"}
    says |= {"quoted.csv": "single quotes", "fixed.txt": "fixed width"}
    return [step(name, refused={"exit": 2, "says": [text, "export it"]}) for name, text in says.items()]


@case
def an_export_without_orders(folder: Path) -> Steps:
    """The filter matched nothing: only the header came. Nothing is wrong, and it is said."""
    write_csv(folder / "empty.csv", cells())
    write_csv(folder / "orders.csv", cells(row(1441)))
    return [step(["empty.csv", "orders.csv"], {"1441": ready()}, told=["holds no orders"], inspect=["holds no orders"])]


@case
def a_total_in_german(folder: Path) -> Steps:
    """The totals row of a table of Excel's, in German: a control that fits, and no row of nobody."""
    total = {**dict.fromkeys(HEADER, ""), "orderNumber": "Ergebnis", "orderTotal": "12.00"}
    write_csv(folder / "orders.csv", cells(row(1451), row(1452), total))
    return [step("orders.csv", {"1451": ready(), "1452": ready()}, told=["totals row", "agree"])]
