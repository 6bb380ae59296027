"""Readers: whatever the bytes are, rows come with the row a person sees, or the file is refused in words."""

from __future__ import annotations

import codecs
import gzip
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from etl.errors import InputError
from etl.model.export import BROKEN, NUMBER, BadRow, Records, Table
from etl.reading.identify import open_export

HEADER = "orderNumber,orderDate,comment,products.qty"
ROWS = "1,2010-12-01,a,1\n2,2010-12-02,b,2\n"


def is_header(cells: list[str]) -> bool:
    return "orderNumber" in cells


def table(path: Path, content: bytes | str) -> tuple[Table, list[tuple[int, list[str]]]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (export,) = open_export(path, is_header)
    assert isinstance(export, Table)
    rows = list(export.rows)
    export.close()
    return export, rows


def records(path: Path, content: bytes | str) -> list[tuple[int, object]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (export,) = open_export(path, is_header)
    assert isinstance(export, Records)
    try:
        return list(export.records)
    finally:
        export.close()


def read_all(path: Path) -> None:
    (export,) = open_export(path, is_header)
    try:
        list(export.rows if isinstance(export, Table) else export.records)
    finally:
        export.close()


def refused(path: Path, content: bytes | None = None) -> InputError:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_all(path)
    assert str(path) in caught.value.message
    assert caught.value.place
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
     ("utf-16-le", b""), ("cp1252", b"")],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_dialect_gives_the_same_rows(
    tmp_path: Path, delimiter: str, encoding: str, bom: bytes, newline: str
) -> None:
    """A spreadsheet's way of saving must not change what is read."""
    text = f"{HEADER}\n1,2010-12-01,Käse £5,1\n2,2010-12-02,b,2\n".replace(",", delimiter).replace("\n", newline)
    export, rows = table(tmp_path / "x.csv", bom + text.encode(encoding))
    assert export.columns == ("orderNumber", "orderDate", "comment", "products.qty")
    assert rows == [(2, ["1", "2010-12-01", "Käse £5", "1"]), (3, ["2", "2010-12-02", "b", "2"])]
    assert export.dialect is not None
    assert (export.dialect.encoding, export.dialect.bom) == (encoding, bool(bom))
    assert (export.dialect.delimiter, export.dialect.newline) == (delimiter, newline)


def test_gzip_is_found_by_its_bytes(tmp_path: Path) -> None:
    """A compressed export may carry any name."""
    _, rows = table(tmp_path / "x.csv", gzip.compress(f"{HEADER}\n{ROWS}".encode()))
    assert [row for row, _ in rows] == [2, 3]


def test_row_is_the_line_on_which_the_record_starts(tmp_path: Path) -> None:
    """A person finds the row in an editor, also after cells with line breaks and blank lines."""
    _, rows = table(tmp_path / "x.csv", f'{HEADER}\n1,,"a\nb\nc",1\n\n2,,b,2\n')
    assert [(row, cells[2]) for row, cells in rows] == [(2, "a\nb\nc"), (6, "b")]


def test_sep_line_and_title_rows_before_the_header(tmp_path: Path) -> None:
    """What Excel and people put above the header does not hide it."""
    export, rows = table(tmp_path / "x.csv", "sep=;\nOrders of May;;;\n" + f"{HEADER}\n{ROWS}".replace(",", ";"))
    assert export.header_row == 3
    assert [row for row, _ in rows] == [4, 5]
    assert export.notices


@pytest.mark.parametrize(
    "broken",
    ['2,,"15" frame",2', '2,,"never closed,2', '2,,"a"b",2'],
)
def test_a_broken_quote_stays_one_row(tmp_path: Path, broken: str) -> None:
    """One stray quote must not swallow the orders after it."""
    _, rows = table(tmp_path / "x.csv", f"{HEADER}\n1,,a,1\n{broken}\n3,,c,3\n4,,d,4\n")
    assert [(row, cells[0], isinstance(cells, BadRow)) for row, cells in rows] == [
        (2, "1", False), (3, "2", True), (4, "3", False), (5, "4", False),
    ]  # fmt: skip


def test_cells_longer_than_the_csv_default_limit(tmp_path: Path) -> None:
    """A long comment is read, not a crash of the csv module."""
    _, rows = table(tmp_path / "x.csv", f"{HEADER}\n1,,{'x' * 300_000},1\n")
    assert len(rows[0][1][2]) == 300_000


def test_cells_that_look_like_marks_stay_text(tmp_path: Path) -> None:
    """A control character in a cell can't pass for a number cell."""
    _, rows = table(tmp_path / "x.csv", f"{HEADER}\n1,,\x01x,1\n")
    assert rows[0][1][2] == "\x04\x01x"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("blank.csv", b"  \n\n"),
        ("page.xls", b"<html><table><tr><td>orderNumber</td></tr></table></html>"),
        ("doc.csv", b"%PDF-1.7 ..."),
        ("picture.xlsx", b"\x89PNG\r\n\x1a\n"),
        ("cut.csv.gz", gzip.compress(f"{HEADER}\n{ROWS}".encode() * 500)[:-20]),
        ("cut.xlsx", b"PK\x03\x04 nothing more"),
        ("cut.json", b'{"orders": [{"orderNumber": 1}, {"orderN'),
        ("ole.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    ],
)
def test_files_nobody_can_read_are_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    """A wrong file ends with a sentence that names it, never a traceback."""
    assert refused(tmp_path / name, content).hint


def test_folder_missing_file_and_foreign_zip(tmp_path: Path) -> None:
    """Wrong paths are told apart."""
    assert "folder" in refused(tmp_path).message
    assert "does not exist" in refused(tmp_path / "nope.csv").message
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("orders.csv", HEADER)
    assert "ZIP" in refused(tmp_path / "a.xlsx").message


def test_password_protected_workbook(tmp_path: Path) -> None:
    """An encrypted workbook says that it is one."""
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
    assert refused(tmp_path / "secret.xlsx", content).code == "input.password"


def test_mixed_encoding_in_the_far_end_is_seen(tmp_path: Path) -> None:
    """The encoding is decided over the whole file, not its beginning."""
    body = "1,,a,1\n" * 300_000
    export, rows = table(tmp_path / "x.csv", f"{HEADER}\n{body}".encode() + b"2,,\xe4,1\n")
    assert export.dialect is not None
    assert export.dialect.encoding == "cp1252"
    assert rows[-1][1][2] == "ä"


def workbook(path: Path, *sheets: tuple[str, list[list[object]]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def excel_rows(path: Path) -> tuple[Table, list[tuple[int, list[str]]]]:
    (export,) = open_export(path, is_header)
    assert isinstance(export, Table)
    try:
        return export, list(export.rows)
    finally:
        export.close()


@pytest.mark.parametrize(
    "wrap",
    [
        json.dumps,
        lambda orders: json.dumps({"orders": orders}),
        lambda orders: json.dumps({"status": "ok", "orders": orders, "count": 2}, indent=1),
        lambda orders: "\n".join(map(json.dumps, orders)),
        lambda orders: "\n".join(json.dumps(order, indent=2) for order in orders),
        lambda orders: json.dumps({"orders": orders[:1]}) + "\n" + json.dumps({"orders": orders[1:]}),
    ],
)
def test_every_json_wrapping_gives_the_same_objects(tmp_path: Path, wrap: object) -> None:
    """One list, one envelope, one object a line, or objects one after the other."""
    orders = [{"orderNumber": 1, "item": {"a": 2.50}}, {"orderNumber": "2", "products": [{"qty": 1}]}]
    found = [record for _, record in records(tmp_path / "x.json", wrap(orders))]  # type: ignore[operator]
    assert found == [
        {"orderNumber": f"{NUMBER}1", "item": {"a": f"{NUMBER}2.5"}},
        {"orderNumber": "2", "products": [{"qty": f"{NUMBER}1"}]},
    ]


def test_one_object_and_encodings_of_json(tmp_path: Path) -> None:
    """A single order in UTF-16 or with a byte order mark is read as well."""
    text = '{"orderNumber": 7, "comment": "ä"}'
    for name, content in [
        ("a", codecs.BOM_UTF8 + text.encode()),
        ("b", codecs.BOM_UTF16_LE + text.encode("utf-16-le")),
    ]:
        assert records(tmp_path / f"{name}.json", content) == [(1, {"orderNumber": f"{NUMBER}7", "comment": "ä"})]


def test_bad_ndjson_lines_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """One cut line does not stop the batch; NaN, a key named twice and deep nesting hold no value."""
    lines = ['{"orderNumber": 1}', "{broken", "[" * 100_000, '{"orderNumber": 2, "a": NaN, "b": 1, "b": 2}', "7"]
    found = records(tmp_path / "x.ndjson", "\n".join(lines))
    assert found[0] == (1, {"orderNumber": f"{NUMBER}1"})
    assert [row for row, record in found if isinstance(record, str)] == [2, 3, 5]
    last = next(record for row, record in found if row == 4)
    assert isinstance(last, dict)
    assert last["a"].startswith(BROKEN)
    assert last["b"].startswith(BROKEN)


def test_large_json_is_read_piece_by_piece(tmp_path: Path) -> None:
    """Objects and numbers that a buffer cuts in two come out whole."""
    orders = [{"orderNumber": number, "comment": "é" * (number % 97), "total": number / 8} for number in range(5000)]
    found = records(tmp_path / "x.json", json.dumps({"status": "ok", "orders": orders}, ensure_ascii=False))
    assert [row for row, _ in found] == list(range(1, 5001))
    assert [record["comment"] for _, record in found] == [order["comment"] for order in orders]  # type: ignore[index]
    assert [record["total"] for _, record in found] == [f"{NUMBER}{order['total']}" for order in orders]  # type: ignore[index]
    numbers = [record for _, record in records(tmp_path / "y.json", "[" + ",".join(map(str, range(30_000))) + "]")]
    assert numbers[-1] == "29999 is no order object."


@pytest.mark.parametrize(
    "text",
    ['[{"orderNumber": 1}, {"orderNumber": }' + " " * 300_000 + "]", '[{"orderNumber": 1} 2]', '{"orderNumber": 1',
     "{7: 1}", '["open', '[{"orderNumber": 1}]]', "[" * 90_000, '{"orders": [1,]}'],
)  # fmt: skip
def test_broken_json_is_refused_where_it_breaks(tmp_path: Path, text: str) -> None:
    """A cut or mistyped dump is refused in words, whatever is wrong with it."""
    refused(tmp_path / "x.json", text.encode())


def test_an_integer_of_thousands_of_digits_is_only_a_bad_value(tmp_path: Path) -> None:
    """One absurd number must not end the process."""
    found = records(tmp_path / "x.json", '[{"orderNumber": ' + "9" * 50_000 + '}, {"orderNumber": 2}]')
    assert len(found) == 2
