"""attention.csv there and back: unchanged it gives the orders of the export, whatever that looks like."""

from __future__ import annotations

import codecs
import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import InputError
from etl.model.attention import met_text, met_versions, quoted, unquoted
from etl.model.content import version_of
from etl.model.order import Order
from etl.reading.encoding import look_at
from etl.reading.identify import open_export
from etl.report.attention import write_attention
from etl.staging.batch import Batch

HEADER = (
    "orderNumber",
    "orderDate",
    "currency",
    "orderTotal",
    "invoiceAddress.country",
    "products.sku",
    "products.qty",
    "products.unitPrice",
    "products.itemText.product",
    "note",
)
_TEXTS = st.text(st.characters(codec="cp1252", exclude_characters="\r\n", exclude_categories=("Cc",)), max_size=12)
_NAMES = st.one_of(
    _TEXTS,
    st.sampled_from(["=1+1", "'=1+1", "''@x", "+44 1", "-", "- cup", "@home", "'cup", " =x", 'say "so"', "a;b,c"]),
)
_DATES = st.sampled_from(
    ["2010-12-01", "2010-12-01 08:26:00", "{d:02}/{m:02}/2010", "{d:02}.{m:02}.2010 10:00", "soon"]
)


@st.composite
def _rows(draw: st.DrawFn) -> list[list[str]]:
    """Rows of some orders in the style of one export; here and there a cell that nobody can read."""
    comma = draw(st.booleans())
    thousands = draw(st.booleans())
    date = draw(_DATES)

    def amount() -> str:
        if draw(st.integers(0, 19)) == 0:
            return draw(st.sampled_from(["much", "1.2.3", "", "1,23,4"]))
        cents, decimals = draw(st.integers(0, 9_999_999)), draw(st.sampled_from([0, 2, 3]))
        text = f"{cents / 10**decimals:{',' if thousands else ''}.{decimals}f}"
        return text.translate(str.maketrans(",.", ".,")) if comma else text

    rows = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        day = date.format(d=draw(st.integers(1, 28)), m=draw(st.integers(1, 12)))
        order = [str(number), day, draw(st.sampled_from(["GBP", "EUR", "gbp", "??"])), amount(), "GB"]
        for _ in range(draw(st.integers(1, 3))):
            line = [draw(st.sampled_from(["CUP", "0022469", "'0022469", "=CUP"])), str(draw(st.integers(1, 9)))]
            rows.append([*order, *line, amount(), draw(_NAMES), draw(_NAMES)])
    return rows


def _csv(path: Path, rows: Sequence[Sequence[str]], delimiter: str, encoding: str) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(HEADER)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def _xlsx(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Amounts that read as numbers are number cells, as a shop's workbook has them; the rest is text."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER)
    for at, row in enumerate(rows, 2):
        for column, text in enumerate(row, 1):
            cell = sheet.cell(at, column)
            if HEADER[column - 1] in {"orderTotal", "products.unitPrice"} and text.replace(".", "", 1).isdigit():
                cell.value = float(text)
            else:
                cell.value = text or None
                cell.data_type = "s"
    book.save(path)
    return path


def _ndjson(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    orders: dict[str, dict[str, object]] = {}
    for row in rows:
        cells = dict(zip(HEADER, row, strict=True))
        order = orders.setdefault(
            row[0],
            {name: cells[name] for name in HEADER if not name.startswith(("products", "invoice"))}
            | {"invoiceAddress": {"country": "GB"}, "products": []},
        )
        line = {name.partition(".")[2]: cells[name] for name in HEADER if name.startswith("products.")}
        product = line.pop("itemText.product")
        order["products"].append({**line, "itemText": {"product": product}})  # type: ignore[attr-defined]
    path.write_text("\n".join(map(json.dumps, orders.values())), "utf-8")
    return path


def _orders(*exports: Path, corrections: Sequence[Path] = ()) -> dict[str, Order]:
    with Batch(list(exports), open_export=open_export, corrections=corrections) as batch:
        return {order.number: order for order in batch.orders()}


def _write(folder: Path, batch: Batch, some: set[str], reasons: dict[str, str]) -> list[Path]:
    return write_attention(
        folder,
        batch.raw_rows(some),
        reasons,
        met=batch.met(some),
        written="2026",
        encoding_of=lambda path: look_at(path).encoding,
    )


def _said(order: Order) -> tuple[object, ...]:
    """What an order says, places and what is only told aside."""
    lines = sorted((one.sku, one.qty, str(one.unit_price.normalize()), one.product) for one in order.lines)
    faults = sorted(problem.code for problem in order.problems if problem.is_error)
    return order.order_date, order.currency, order.order_total, lines, faults, version_of(order), order.replaces


@settings(max_examples=25, deadline=None)
@given(
    _rows(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(",;\t|"),
    st.sampled_from(["csv", "csv", "xlsx", "ndjson"]),
    st.data(),
)
def test_what_comes_back_unchanged_is_what_was_there(
    rows: list[list[str]], encoding: str, delimiter: str, kind: str, data: st.DataObject
) -> None:
    """A person corrects one cell: every other one has to mean what it meant, however few rows are left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        match kind:
            case "csv":
                export = _csv(folder / "e.csv", rows, delimiter, encoding)
            case "xlsx":
                export = _xlsx(folder / "e.xlsx", rows)
            case _:
                export = _ndjson(folder / "e.ndjson", rows)
        try:
            before = _orders(export)
        except InputError:
            return  # nothing in the whole file decides how it is written
        some = data.draw(st.sets(st.sampled_from(sorted(before)), min_size=1))
        with Batch([export], open_export=open_export) as batch:
            reasons = dict.fromkeys(some, "value.invalid")
            paths = _write(folder / "r", batch, some, reasons)
        alone = _orders(*paths)
        assert {number: _said(order) for number, order in alone.items()} == {
            number: _said(before[number]) for number in some
        }
        given_ = _orders(export, corrections=paths)
        assert {number: _said(order) for number, order in given_.items()} == {
            number: _said(order) for number, order in before.items()
        }
        told = [number for number, order in given_.items() for one in order.problems if one.code == "order.corrected"]
        assert sorted(told) == sorted(some)


def test_rows_that_do_not_show_their_encoding_alone_are_written_with_a_mark(tmp_path: Path) -> None:
    """One capital with an accent at a word's end is read otherwise than among the whole export's other letters."""
    name = "a\u00c1"
    rows = [[str(at), "2010-12-01", "GBP", "5.00", "GB", "CUP", "1", "5.00", "", "0\xa0"] for at in range(1, 5)]
    rows[0][8:] = [name, ""]
    export = _csv(tmp_path / "e.csv", rows, ",", "cp1252")
    assert _orders(export)["1"].lines[0].product == name
    with Batch([export], open_export=open_export) as batch:
        paths = _write(tmp_path / "r", batch, {"1"}, {"1": "value.invalid"})
    assert _orders(*paths)["1"].lines[0].product == name
    assert paths[0].read_bytes().startswith(codecs.BOM_UTF8)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp1250"])
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_byte_that_is_no_character_stays_one_until_somebody_corrects_it(
    tmp_path: Path, kind: str, encoding: str
) -> None:
    """Written with `?` it would pass for what the shop wrote; the cell beside it says what it was."""
    bad = b"\x81" if encoding != "utf-8" else b"\xff"
    names = ["Käthe", "Grün", "Weiß", "M@ller"]
    if kind == "csv":
        rows = [f"{at};GBP;CUP;1;5.00;{name}" for at, name in enumerate(names, 1)]
        text = (
            "orderNumber;currency;products.sku;products.qty;products.unitPrice;products.itemText.product\n"
            + "\n".join(rows)
        )
    else:
        text = "\n".join(
            f'{{"orderNumber": {at}, "currency": "GBP", "products": [{{"sku": "CUP", "qty": 1, "unitPrice": 5, '
            f'"itemText": {{"product": "{name}"}}}}]}}'
            for at, name in enumerate(names, 1)
        )
    export = tmp_path / f"e.{kind}"
    export.write_bytes(text.encode(encoding).replace(b"@", bad))
    before = _orders(export)
    assert [number for number, order in before.items() if not order.is_readable] == ["4"]
    with Batch([export], open_export=open_export) as batch:
        met = batch.met(["4"])
        paths = write_attention(tmp_path / "r", batch.raw_rows(["4"]), {"4": "value.invalid"}, met=met, written="2026")
    alone, beside = _orders(*paths), _orders(export, corrections=paths)
    assert _said(alone["4"]) == _said(beside["4"]) == _said(before["4"])
    assert not beside["4"].is_readable
    again = Path(paths[0])
    shown = again.read_bytes().decode(encoding)
    mended = "Mueller"
    corrected = "\n".join(
        part.replace("M?ller", mended, 1).replace("M\ufffdller", mended, 1) for part in shown.split("\n")
    )
    again.write_bytes(corrected.encode(encoding))
    fixed = _orders(export, corrections=[again])["4"]
    assert fixed.is_readable
    assert fixed.lines[0].product == mended


@given(st.text(max_size=8) | st.text("'=+-@ 1x\t", max_size=6))
def test_an_apostrophe_is_taken_off_where_it_was_put(text: str) -> None:
    """And only there: the user's own stays."""
    assert unquoted(quoted(text)) == text


@given(
    st.dictionaries(st.from_regex(r"[1-9][0-9]{0,5}(-R[0-9]{1,3})?", fullmatch=True), st.just(["sha256:a", "unread:b"]))
)
def test_how_orders_were_met_is_read_as_written(versions: dict[str, list[str]]) -> None:
    """Together with what somebody typed beside it."""
    assert met_versions([met_text(versions), "looks odd =1", ""]) == versions
