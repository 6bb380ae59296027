from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.model.attention import COLUMNS, DAMAGED, HINT, MET, PROBLEM, STYLE, WRITTEN
from etl.model.export import Dialect
from etl.model.order import Order
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.identify import open_export
from etl.report.attention import hints_for, write_attention
from etl.staging.batch import Batch

HEADER = "orderNumber;orderDate;currency;orderTotal;invoiceAddress.country;products.qty;products.sku;products.unitPrice;products.itemText.product"
ROWS = (
    "1;01.12.2010 08:26;EUR;5,00;DE;2;85123A;2,50;Windlicht „Größe“",
    "2;02.12.2010 09:00;EUR;-7,50;DE;-3;71053;2,50;=HYPERLINK(1)",
    '1;;;;;1;22;0,00;"zwei\nZeilen; ""so"""',
    "3;03.12.2010 09:00;EUR;1,00;DE;1;9;1,00;übrig",
)


@dataclass
class Rows:
    """Rows of a made-up export file."""

    path: Path
    columns: tuple[str, ...]
    rows: Iterator[tuple[str, int, list[str]]] = field(default_factory=lambda: iter(()))
    objects: Iterator[tuple[str, int, str]] = field(default_factory=lambda: iter(()))
    dialect: Dialect = Dialect()
    style: str = "numbers:none dates:-"


def flat(path: Path, *cells: tuple[str, list[str]], **changes: object) -> Rows:
    rows = ((number, at, row) for at, (number, row) in enumerate(cells, 2))
    return Rows(path, ("orderNumber", "name"), rows, **changes)  # type: ignore[arg-type]


def orders_of(*paths: Path) -> dict[str, Order]:
    with Batch(list(paths), open_export=open_export) as batch:
        return {order.number: order for order in batch.orders()}


def attention_of(folder: Path, export: Path, reasons: dict[str, str]) -> list[Path]:
    with Batch([export], open_export=open_export) as batch:
        return write_attention(folder, batch.raw_rows(reasons), reasons)


def content(order: Order) -> tuple[object, ...]:
    lines = tuple((line.sku, line.qty, line.unit_price, line.product) for line in order.lines)
    return order.order_date, order.currency, order.order_total, order.invoice_country, lines, order.is_readable


@pytest.mark.parametrize(
    ("encoding", "newline"), [("cp1252", "\r\n"), ("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n")]
)
def test_attention_comes_back_as_the_same_orders(tmp_path: Path, encoding: str, newline: str) -> None:
    """What a person corrects and feeds again must be their own rows: same dialect, whole orders, same amounts."""
    export = tmp_path / "export.csv"
    export.write_bytes((newline.join([HEADER, *ROWS]) + newline).encode(encoding))
    (path,) = attention_of(
        tmp_path / "report", export, {"1": "tax.unmapped", "2": "rebate.not_allowed account.unmapped"}
    )
    before, after = orders_of(export), orders_of(path)
    assert list(after) == ["1", "2"]
    assert content(after["1"]) == content(before["1"])
    assert after["2"].order_total == before["2"].order_total
    assert after["2"].lines[0].qty == -3
    data = path.read_bytes()
    assert data[:3] == export.read_bytes()[:3]
    text = data.decode(encoding)
    assert text.split(newline)[0] == ";".join([HEADER, *COLUMNS])
    assert ";'=HYPERLINK(1);" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_attention_of_attention_is_the_same_file(tmp_path: Path) -> None:
    """Feeding the file again must not add the remarks a second time, nor touch the file that is being read."""
    export = tmp_path / "export.csv"
    export.write_text("\n".join([HEADER, *ROWS]) + "\n", encoding="utf-8")
    reasons = {"1": "tax.unmapped"}
    (first,) = attention_of(tmp_path, export, reasons)
    before = first.read_bytes()
    (second,) = attention_of(tmp_path, first, reasons)
    assert second != first
    assert (first.read_bytes(), second.read_bytes()) == (before, before)


def test_numbers_of_json_orders_keep_their_digits(tmp_path: Path) -> None:
    """A JSON export comes back as JSON, one object a line, its amounts digit by digit."""
    export = tmp_path / "export.ndjson"
    order = '{"orderNumber": 7, "currency": "GBP", "orderTotal": 2.50, "products": [{"qty": 1, "sku": "a", "unitPrice": 2.50}]}'
    export.write_text(order + "\n" + order.replace("7", "8", 1) + "\n", encoding="utf-8")
    (path,) = attention_of(tmp_path / "report", export, {"7": "tax.unmapped"})
    assert path.name == "attention.ndjson"
    text = path.read_text(encoding="utf-8")
    assert text.count("2.50") == 2
    (line,) = text.splitlines()
    assert json.loads(line)[PROBLEM] == "tax.unmapped"
    (again,) = attention_of(tmp_path / "report", path, {"7": "tax.unmapped"})
    assert again.read_text(encoding="utf-8") == text
    assert content(orders_of(path)["7"]) == content(orders_of(export)["7"])


def test_each_export_file_has_its_own(tmp_path: Path) -> None:
    """Files in different dialects can't share one; each order stays in the file that it came from."""
    files = [
        flat(tmp_path / "a.csv", ("1", ["1", "x"])),
        flat(
            tmp_path / "b.csv",
            ("2", ["2", "y"]),
            dialect=Dialect("utf-16-le", bom=True, delimiter="\t", newline="\r\n"),
        ),
        Rows(tmp_path / "c.json", (), objects=iter([("3", 1, "{}")])),
    ]
    paths = write_attention(tmp_path / "r", files, {"1": "a", "2": "tax.unmapped", "3": "c"})
    assert [path.name for path in paths] == ["attention.csv", "attention-2.csv", "attention-3.ndjson"]
    text = paths[1].read_bytes().decode("utf-16")
    assert next(csv.DictReader(text.splitlines(), delimiter="\t"))[HINT] == hints_for("tax.unmapped")
    assert json.loads(paths[2].read_text()) == {
        PROBLEM: "c",
        HINT: "",
        MET: "",
        STYLE: "numbers:none dates:-",
        WRITTEN: "",
        DAMAGED: "",
    }


def test_a_nested_return_speaks_for_the_rows_of_its_order(tmp_path: Path) -> None:
    """A return has no rows of its own: its reason must stand at the order that holds it."""
    (path,) = write_attention(
        tmp_path, [flat(tmp_path / "a.csv", ("5", ["5", "x"]))], {"5-R1": "tax.unmapped", "5-R2": "account.unmapped"}
    )
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert row[PROBLEM] == "5-R1: tax.unmapped 5-R2: account.unmapped"
    assert row[HINT] == hints_for("tax.unmapped account.unmapped") != ""


def test_the_bad_cell_is_named_beside_its_row(tmp_path: Path) -> None:
    """A quantity is not mended like a date; what stands in another row or in the mapping is told with its place."""
    here = Place(str(tmp_path / "a.csv"), row=3)
    problems = (
        Problem("value.invalid", "5", Place("a.csv", row=2, column="date"), "1.13.24", hint="Write YYYY-MM-DD."),
        Problem("value.invalid", "5", here.at("=qty"), "zwölf\n€", hint="Write digits."),
        Problem("tax.undecided", "5", Place("taxes.csv", row=7, column="tax_codes"), hint="Fill it in."),
    )
    rows = [("5", ["5", "x"]), ("5", ["5", "y"]), ("6", ["6", "z"])]
    file = flat(tmp_path / "a.csv", *rows, dialect=Dialect("latin-1"))
    (path,) = write_attention(
        tmp_path / "r", [file], {"5": "value.invalid tax.undecided", "6": "value.invalid"}, problems={"5": problems}
    )
    first, second, third = csv.DictReader(path.read_bytes().decode("latin-1").splitlines())
    mapped = "taxes.csv, row 7, column tax_codes: Fill it in."
    assert first[HINT] == f"date (1.13.24): Write YYYY-MM-DD. row 3, column =qty (zwölf ?): Write digits. {mapped}"
    assert second[HINT] == f"'=qty (zwölf ?): Write digits. row 2, column date (1.13.24): Write YYYY-MM-DD. {mapped}"
    assert third[HINT] == hints_for("value.invalid")


def test_cells_beyond_the_header_stay_beyond_it(tmp_path: Path) -> None:
    """A row with too many cells must be noticed again, not be healed by our own columns."""
    (path,) = write_attention(tmp_path, [flat(tmp_path / "a.csv", ("5", ["5", "x", "extra"]))], {"5": "value.invalid"})
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert [len(row) for row in rows] == [8, 9]
    assert rows[1][-1] == "extra"


def test_a_file_that_somebody_corrects_is_kept(tmp_path: Path) -> None:
    """The second report must not throw away an evening's corrections."""
    write_attention(tmp_path, [flat(tmp_path / "a.csv", ("5", ["5", "x"]))], {"5": "value.invalid"})
    (tmp_path / "attention.csv").write_text("my corrections")
    write_attention(tmp_path, [flat(tmp_path / "a.csv", ("6", ["6", "x"]))], {"6": "value.invalid"})
    assert (tmp_path / "attention.earlier-1.csv").read_text() == "my corrections"
    assert "6,x" in (tmp_path / "attention.csv").read_text()


def test_a_failure_half_way_leaves_no_file(tmp_path: Path) -> None:
    """Half an attention file looks like a whole one."""

    def broken() -> Iterator[Rows]:
        yield flat(tmp_path / "a.csv", ("5", ["5", "x"]))
        raise OSError(28, "No space left on device")

    with pytest.raises(UsageError):
        write_attention(tmp_path / "r", broken(), {"5": "value.invalid"})
    assert not (tmp_path / "r").exists()
