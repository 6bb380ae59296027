"""Damaged and hostile workbooks end in orders or in a sentence, within a minute and 1 GiB."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlwt
from workbooks import by_hand, inline, ods, ods_cell

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("fuzz_workbooks.py")
COUNT = int(os.environ.get("FUZZ_WORKBOOKS", "400"))
HEADER = (
    f'<row r="1">{inline("A1", "orderNumber")}{inline("B1", "products.qty")}{inline("C1", "products.unitPrice")}</row>'
)
ROW = '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c><c r="C2"><v>4.25</v></c></row>'
READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from etl.errors import InputError
from etl.reading.identify import open_export
from etl.staging.batch import Batch
try:
    with Batch([Path(sys.argv[1])], open_export=open_export) as batch:
        end = f"{sum(1 for _ in batch.orders())} orders"
except InputError as error:
    end = error.message
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, end)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # The most memory of a process begins at that of whoever started it: a small one, not this one.
    small = [sys.executable, "-S", "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]
    return subprocess.run(
        [*small, sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
        cwd=ROOT,
    )


def read(path: Path) -> tuple[int, str]:
    """(most memory in MiB, what reading ends in)."""
    done = run("-c", READ, str(path))
    assert done.returncode == 0, done.stderr
    memory, _, end = done.stdout.partition(" ")
    return int(memory), end.strip()


@pytest.mark.slow
def test_damaged_workbooks_end_in_orders_or_in_a_sentence() -> None:
    """Truncated, flipped, spliced, doubled, on the outside and in the parts of the package."""
    done = run(str(SCRIPT), str(int(os.environ.get("FUZZ_SEED", "1"))), str(COUNT))
    assert done.returncode == 0, done.stderr


def far_cell(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["orderNumber", "products.qty", "products.unitPrice"])
    sheet.append([1, 2, 4.25])
    sheet["XFD1048576"] = " "
    book.save(path)


def far_cell_of_the_old_format(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for row, cells in enumerate([["orderNumber", "products.qty", "products.unitPrice"], [1, 2, 4.25]]):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    sheet.write(65535, 255, " ")
    book.save(str(path))


def far_cell_of_open_document(path: Path) -> None:
    rows = [[ods_cell(name) for name in ("orderNumber", "products.qty", "products.unitPrice")]]
    rows.append([ods_cell(text, "float", text) for text in ("1", "2", "4.25")])
    xml = "".join(f"<table:table-row>{''.join(cells)}</table:table-row>" for cells in rows)
    empty = ods_cell("", "", more=' table:number-columns-repeated="16383"')
    gap = f'<table:table-row table:number-rows-repeated="1048573">{empty}</table:table-row>'
    ods(path, ('table:name="Orders"', f"{xml}{gap}<table:table-row>{empty}{ods_cell(' ')}</table:table-row>"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"),
    [("x.xlsx", far_cell), ("x.xls", far_cell_of_the_old_format), ("x.ods", far_cell_of_open_document)],
)
def test_a_stray_far_cell_takes_no_memory(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    """One order is read, within what one order takes."""
    write(tmp_path / name)
    memory, end = read(tmp_path / name)
    assert end == "1 orders"
    assert memory < 300


def packed(path: Path, part: str, head: bytes, filler: bytes, count: int, tail: bytes = b"") -> Path:
    """The workbook with one part replaced by many times the same."""
    by_hand(path.with_name("base.xlsx"), HEADER + ROW)
    with (
        zipfile.ZipFile(path.with_name("base.xlsx")) as base,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in base.namelist():
            if name != part:
                archive.writestr(name, base.read(name))
                continue
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(head)
                for _ in range(count):
                    stream.write(filler)
                stream.write(tail)
    return path


SHEET = "xl/worksheets/sheet1.xml"
OPEN = f"<worksheet><sheetData>{HEADER}".encode()
BOMBS: dict[str, tuple[str, bytes, bytes, int, bytes]] = {
    "gigabytes of blanks": (SHEET, OPEN, b" " * (1 << 20), 300, b""),
    "a row without an end": (SHEET, OPEN + b'<row r="2">', b"<c><v>1</v></c>" * 70_000, 40, b""),
    "a million cells in a row": (SHEET, OPEN + b'<row r="2">', b"<c><v>1</v></c>" * 1000, 1000, b"</row></sheetData></worksheet>"),
    "a million levels": (SHEET, OPEN + b'<row r="2"><c r="A2">', b"<a>" * 1000, 1000, b""),
    "a long cell": (SHEET, OPEN + b'<row r="2"><c t="str"><f>1</f><v>', b"1" * (1 << 20), 40, b"</v></c></row></sheetData></worksheet>"),
    "a million styles": ("xl/styles.xml", b"<styleSheet><cellXfs>", b'<xf numFmtId="0"/>' * 1000, 1000, b"</cellXfs></styleSheet>"),
    "ten million strings": ("xl/sharedStrings.xml", b"<sst>", b"<si><t>a</t></si>" * 1000, 10_000, b"</sst>"),
    "a long string": ("xl/sharedStrings.xml", b"<sst><si><t>", b"a" * (1 << 20), 60, b"</t></si></sst>"),
    "a million sheets": ("xl/workbook.xml", b"<workbook><sheets>", b'<sheet name="a" r:id="rId1"/>' * 1000, 1000, b"</sheets></workbook>"),
    "a million relations": (
        "xl/_rels/workbook.xml.rels", b"<Relationships>", b'<Relationship Id="a" Type="b/c" Target="d"/>' * 1000, 1000, b"</Relationships>",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_ends_in_a_sentence(tmp_path: Path, bomb: tuple[str, bytes, bytes, int, bytes]) -> None:
    """Or in the order that it holds."""
    part, head, filler, count, tail = bomb
    memory, end = read(packed(tmp_path / "x.xlsx", part, head, filler, count, tail))
    assert memory < 1000
    assert str(tmp_path) in end or end == "1 orders"


@pytest.mark.slow
def test_repeats_of_open_document_end_in_a_sentence(tmp_path: Path) -> None:
    """A row repeated a million times is no million lines."""
    head = f"<table:table-row>{ods_cell('orderNumber')}{ods_cell('products.qty')}</table:table-row>"
    more = f"<table:table-row table:number-rows-repeated='1048575'>{ods_cell('1', 'float', '1') * 2}</table:table-row>"
    memory, end = read(ods(tmp_path / "x.ods", ('table:name="Orders"', head + more)))
    assert memory < 1000
    assert "repeated" in end
