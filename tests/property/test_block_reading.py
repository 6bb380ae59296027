"""Rows read in blocks = rows read one by one: whatever stands in a file, and wherever a block ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from small_blocks import blocks

from etl.errors import EtlError
from etl.model.export import NUMBER
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.staging.batch import Batch
from etl.staging.blocks import BlockOrders
from etl.staging.raw_part import RawPart

HEADER = [
    "orderNumber",
    "orderDate",
    "orderTotal",
    "comment",
    "products.sku",
    "products.qty",
    "products.unitPrice",
    "Fee",
]
ODD_CELLS = [
    *(
        "",
        " ",
        "x",
        '"',
        '""',
        'a "b" c',
        'a""b',
        "a,b",
        "a;b",
        "line\nbreak",
        "line\r\nbreak",
        "\r",
        "\0",
        "\x1a",
        "é",
        "€",
    ),
    *(
        "\ufeff",
        "\u2028",
        "\x85",
        "\x0b",
        "Total",
        "Summe",
        "orderNumber",
        " 12",
        "x" * 150,
        "é" * 70,
        NUMBER + "5",
        '",',
        ',"',
    ),
]
NUMBERS = ["1", "2", "3", "10", "11", "12", "01", "1.0", " 3", "0", "000", "1234567890123456789", "'7", "12a", "1e5"]
DATES = [
    *(
        "2024-03-01 10:00:00",
        "2024-03-01",
        "2024-02-30",
        "0000-00-00 00:00:00",
        "01/02/2024",
        "13/02/2024",
        "02/13/2024",
    ),
    *("1.2.2024", "2024-03-01T10:00:00+01:00", "11-03-14", "3 Mar 2024", "2024-13-01"),
]
AMOUNTS = [
    "1.25",
    "12.00",
    "0.99",
    "1,234",
    "1.234",
    "1,234.50",
    "1.234,50",
    "0.123",
    "12,5",
    "100",
    "-3.10",
    "EUR 5",
    "x",
    "",
]


@st.composite
def rows(draw: st.DrawFn) -> list[list[str]]:
    """Rows of some orders, most of them plain."""
    oddly = draw(st.sampled_from([3, 50, 500, 500]))

    def cell(choices: list[str]) -> str:
        is_odd = draw(st.integers(0, oddly)) == 0
        return draw(st.sampled_from(ODD_CELLS if is_odd else choices))

    found = []
    numbers = NUMBERS if oddly == 3 else [str(number) for number in range(1, draw(st.integers(2, 30)))]
    dates, amounts = draw(st.sampled_from([(DATES, AMOUNTS), (DATES[:2], AMOUNTS[:3])]))
    for number in draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=12)):
        head = [draw(st.sampled_from(dates)), draw(st.sampled_from(amounts)), ""]
        for _ in range(draw(st.integers(1, 4))):
            line = [cell(["A", "B-2", ""]), cell(["1", "2", "-1"]), cell(amounts), cell(["", "2.50", "x"])]
            own = [cell(one) for one in ([number, number, number], [head[0]], [head[1]], ["", "red, blue", head[2]])]
            row = [*own, *line]
            match draw(st.integers(0, 3 * oddly)):
                case 0:
                    row = row[: draw(st.integers(0, len(row)))]
                case 1:
                    row += draw(st.lists(st.sampled_from(["", "more"]), min_size=1, max_size=2))
                case 2:
                    row = [""] * len(row)
                case 3:
                    row[0] = ""
                case 4:
                    row[:4] = [""] * 4
                case 5:
                    row = HEADER
                case 6:
                    row = [HEADER[0], "other", *HEADER[2:]]
            found.append(row)
    return draw(st.permutations(found)) if draw(st.booleans()) else found


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """The bytes of an export, most of them as a program writes them."""
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from(["needed", "needed", "all", "none"]))
    lines = [delimiter.join(HEADER)]
    for row in draw(rows()):
        lines.append(delimiter.join(_quoted(cell, delimiter, quoting) for cell in row))
        if draw(st.integers(0, 6 * 60)) == 0:
            lines.append(draw(st.sampled_from(["", "", " ", '"', '"a"b', "\r", delimiter, delimiter * 7])))
    text = newline.join(lines) + draw(st.sampled_from([newline, newline, "", "\n\n"]))
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "cp1252", "utf-16", "latin-1"]))
    return text.encode(encoding, "replace")


def _quoted(cell: str, delimiter: str, quoting: str) -> str:
    is_needed = any(sign in cell for sign in (delimiter, '"', "\n", "\r"))
    if quoting == "all" or (quoting == "needed" and is_needed):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def read(path: Path, options: ReadOptions) -> tuple[dict[str, Any], int]:
    """All that can be asked of a batch, and how many parts of orders were kept as they stand."""
    found: dict[str, Any] = {}
    raw = 0
    try:
        with Batch([path], open_export=open_export, options=options) as batch:
            found["facts"] = batch.load()
            parts = list(batch.parts())
            raw = sum(isinstance(part, RawPart) for _, its in parts for part in its)
            found["contents"] = [(number, _content(its)) for number, its in parts]
            found["hashes"] = [(number, batch.rows_hash(its)) for number, its in parts]
            found["orders"] = [repr(order) for order in batch.orders()]
            numbers = [number for number, _ in parts]
            if batch.has_blocks:
                widths = next(
                    (len(part.how.order_at), len(part.how.line_at))
                    for _, its in parts
                    for part in its
                    if isinstance(part, RawPart)
                )
                assert [one for block in batch.blocks() for one in _seen(block, widths)] == found["contents"]
            found["again"] = [(number, _content(its)) for number, its in batch.parts()]
            found["raw"] = [(one.columns, list(one.rows)) for one in batch.raw_rows(numbers)]
            found["some"] = [(one.columns, list(one.rows)) for one in batch.raw_rows(numbers[::2])]
            found["shown"] = list(batch.source_rows(numbers[1::2]))
            found["named"] = [repr(order) for order in batch.named(numbers[::3])]
    except EtlError as error:
        found["error"] = (type(error), str(error), error.place, error.hint)
    return found, raw


def _content(parts: Any) -> tuple[list[Any], ...]:
    contents = [part.content() for part in parts]
    return tuple([one for content in contents for one in content[at]] for at in range(3))


def _seen(orders: BlockOrders, widths: tuple[int, int]) -> Iterator[tuple[str, tuple[list[Any], ...]]]:
    """(number, content) of the orders of a block, from its columns where they have any."""
    block, first = orders.block, orders.block.first.tolist()
    heads, lines = (
        list(zip(*([column.texts[code] for code in column.codes] for column in map(make, range(width))), strict=True))
        for make, width in ((block.order, widths[0]), (block.line, widths[1]))
    )
    for at, (number, parts) in enumerate(orders):
        content = _content(parts)
        groups, faults, below = content
        if rows := list(
            zip(block.rows[first[at] : first[at + 1]].tolist(), lines[first[at] : first[at + 1]], strict=True)
        ):
            assert (faults, below) == ([], [])
            assert [row for _, own in groups for row in own] == rows
            assert groups[0][0] == heads[at]
            assert bool(block.is_same[at]) == all(cells == groups[0][0] for cells, _ in groups)
        yield number, content


@settings(max_examples=60, deadline=None)
@given(files(), st.sampled_from([61, 100, 256, 999, 5000]), st.sampled_from(["{number}", "{number}", "#{number}"]))
def test_blocks_are_read_as_rows(data: bytes, size: int, pattern: str) -> None:
    """Facts, orders, rows with their numbers, faults, hashes, notices, errors: blocks show in nothing."""
    if pattern != "{number}":
        data = data.replace(b"\n1", b"\n#1").replace(b"\n2", b"\n#2")
    options = ReadOptions(order_number=pattern)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(data)
        with blocks(size, in_blocks=False):
            one_by_one, none = read(path, options)
        with blocks(size, in_blocks=True):
            together, raw = read(path, options)
    assert none == 0
    assert together == one_by_one
    event("an error" if "error" in together else f"{min(raw, 3)} parts or more kept as they stand")
