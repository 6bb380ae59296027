"""Damages workbooks at random and reads them: `python tests/fuzz_reading/fuzz_workbooks.py SEED COUNT`.

Every one must end in orders or in an InputError, each within its time and the memory that the process may take. The
seed of the first failure is printed with its traceback; the same seed damages the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import random
import resource
import signal
import struct
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import openpyxl
import xlsxwriter
import xlwt
from workbooks import ods, ods_cell, wide, xlsb, xlsb_cell, xlsb_row

from etl.errors import InputError
from etl.reading.identify import open_export
from etl.staging.batch import Batch

HEADER = ["orderNumber", "orderDate", "currency", "voucherValue", "products.sku", "products.qty", "products.unitPrice"]
WHEN = dt.datetime.fromisoformat("2010-12-01 08:26")
ROWS: list[list[object]] = [[number, WHEN, "GBP", 0.5, f"SKU {number}", 2, 4.25] for number in range(71053, 71073)]
MEMORY = 1 << 30
SECONDS = 60


def by_xlsxwriter(path: Path) -> None:
    """An .xlsx with shared strings."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Orders")
    dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet.write_row(0, 0, HEADER)
    for at, cells in enumerate(ROWS, 1):
        sheet.write_row(at, 0, [cells[0], None, *cells[2:]])
        sheet.write_datetime(at, 1, WHEN, dates)
    book.close()


def by_openpyxl(path: Path) -> None:
    """An .xlsx of another writer's, with a hidden row and a filter."""
    book = openpyxl.Workbook()
    sheet = book.active
    for cells in (HEADER, *ROWS):
        sheet.append(cells)
    sheet.row_dimensions[3].hidden = True
    sheet.auto_filter.ref = "A1:G9"
    book.save(path)


def by_xlwt(path: Path) -> None:
    """An .xls."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    style = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for row, cells in enumerate((HEADER, *ROWS)):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell, style if isinstance(cell, dt.datetime) else xlwt.Style.default_style)
    sheet.write(3, 8, xlwt.Formula("1+1"))
    book.save(str(path))


def as_ods(path: Path) -> None:
    """An .ods by hand."""
    rows = "".join(
        "<table:table-row>"
        + ods_cell(str(cells[0]), "float", str(cells[0]))
        + ods_cell("01/12/10", "date", "2010-12-01T08:26:00")
        + "".join(ods_cell(str(cell), "string" if isinstance(cell, str) else "float", str(cell)) for cell in cells[2:])
        + "</table:table-row>"
        for cells in ROWS
    )
    head = "<table:table-row>" + "".join(map(ods_cell, HEADER)) + "</table:table-row>"
    ods(path, ('table:name="Orders"', head + rows))


def as_xlsb(path: Path) -> None:
    """An .xlsb by hand."""
    cells = [xlsb_row(1), *(xlsb_cell(6, at, wide(name)) for at, name in enumerate(HEADER))]
    for row, values in enumerate(ROWS, 2):
        cells.append(xlsb_row(row))
        for at, value in enumerate(values):
            if isinstance(value, str):
                cells.append(xlsb_cell(6, at, wide(value)))
            else:
                number = 40513.35 if isinstance(value, dt.datetime) else float(str(value))
                cells.append(xlsb_cell(5, at, struct.pack("<d", number), int(at == 1)))
    xlsb(path, cells, formats=["yyyy-mm-dd"], strings=["a"])


WRITERS: dict[str, Callable[[Path], None]] = {
    "writer.xlsx": by_xlsxwriter, "openpyxl.xlsx": by_openpyxl, "old.xls": by_xlwt, "open.ods": as_ods,
    "binary.xlsb": as_xlsb,
}  # fmt: skip


def damaged(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The bytes truncated, flipped, spliced, doubled or filled, once to four times."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content) + 1)
        end = min(len(content), at + chance.choice([1, 1, 2, 4, 30, 400]))
        match chance.randrange(7):
            case 0:
                content = content[:at]
            case 1:
                content = (
                    content[:at] + bytes(byte ^ 1 << chance.randrange(8) for byte in content[at:end]) + content[end:]
                )
            case 2:
                content = content[:at] + content[end:]
            case 3:
                content = content[:at] + content[at:end] * chance.choice([2, 3, 1000]) + content[end:]
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                content = content[:at] + other[start : start + chance.choice([4, 100, 5000])] + content[end:]
            case 5:
                content = content[:at] + chance.randbytes(end - at) + content[end:]
            case _:
                filler = chance.choice(
                    [b"0", b"9" * 40, b"\xff\xff\xff\xff", b"\0\0\0\0", b"<", b"&", b"<!--", b"-1", b"e9"]
                )
                content = content[:at] + filler + content[at + len(filler) :]
    return content


def inside(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The package with one of its parts damaged, and packed as if it were whole."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(parts))
    parts[name] = damaged(parts[name], others, chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return buffer.getvalue()


def read(path: Path, spool: Path) -> str:
    """What reading ends in: the number of orders, or the sentence."""
    try:
        with Batch([path], open_export=open_export, spool_dir=spool) as batch:
            batch.load()
            return f"{len(list(batch.orders()))} orders"
    except InputError as error:
        return error.message


def main(seed: int, count: int) -> int:
    """Reads `count` damaged workbooks."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        whole: dict[str, bytes] = {}
        for name, write in WRITERS.items():
            write(Path(folder) / name)
            whole[name] = (Path(folder) / name).read_bytes()
            assert read(Path(folder) / name, Path(folder)) == f"{len(ROWS)} orders", name
        others = list(whole.values())
        ends: dict[str, int] = {}
        for number in range(seed, seed + count):
            chance = random.Random(number)
            name, content = chance.choice(list(whole.items()))
            is_inside = name[-4:] != ".xls" and chance.random() < 0.8
            path = Path(folder) / f"damaged-{name}"
            path.write_bytes((inside if is_inside else damaged)(content, others, chance))
            signal.alarm(SECONDS)
            try:
                end = read(path, Path(folder))
            except BaseException:
                traceback.print_exc()
                sys.stderr.write(f"seed {number}: {name}\n")
                return 1
            signal.alarm(0)
            kind = "orders" if end.endswith(" orders") else "sentence"
            ends[kind] = ends.get(kind, 0) + 1
    sys.stdout.write(f"{ends}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
