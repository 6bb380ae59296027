"""Delimited text with damage: every order is read exactly as written, or blocked with its row; rows always add up.

The files are written by an independent writer; the damage is of the kinds that people's files have.
"""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.order import Order
from etl.reading.identify import open_export
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts

COLUMNS = [
    *("orderNumber", "orderDate", "status", "currency", "deliveryAddress.country", "shippingValue", "comment"),
    *("products.sku", "products.qty", "products.unitPrice", "products.vatPercent", "products.itemText.product"),
]
PRICE, PRODUCT, COMMENT = 9, 11, 6
TEXTS = [
    "Cup",
    "Crème brûlée",
    'Frame 12"',
    "Smith, John; & Co | x",
    "two\nlines",
    "",
    "Blåbärsskal",
    'say "hi"',
    "C:\\a\\",
]


@dataclass(frozen=True)
class Written:
    """A file, and the (sku, price, name) of the lines of each order as they were written."""

    rows: list[list[str]]
    delimiter: str
    encoding: str
    newline: str
    is_all_quoted: bool

    def line(self, row: list[str]) -> bytes:
        """One row as an independent writer puts it."""
        buffer = io.StringIO(newline="")
        quoting = csv.QUOTE_ALL if self.is_all_quoted else csv.QUOTE_MINIMAL
        csv.writer(buffer, delimiter=self.delimiter, quoting=quoting, lineterminator=self.newline).writerow(row)
        return buffer.getvalue().encode(self.encoding)

    def lines(self) -> list[bytes]:
        """All lines, the header first."""
        return [self.line(row) for row in (COLUMNS, *self.rows)]

    def expected(self) -> dict[str, list[tuple[str, str, str]]]:
        """What each order holds."""
        orders: dict[str, list[tuple[str, str, str]]] = {}
        for row in self.rows:
            orders.setdefault(row[0], []).append((row[7], row[PRICE], row[PRODUCT]))
        return orders


@st.composite
def files(draw: st.DrawFn) -> Written:
    """Some orders of one to three rows, in any dialect."""
    rows = []
    for number in range(1, draw(st.integers(4, 9))):
        comment = draw(st.sampled_from(TEXTS))
        for line in range(draw(st.integers(1, 3))):
            name = draw(st.sampled_from(TEXTS))
            row = [str(number), "2011-03-05 10:15:00", "Completed", "GBP", "GB", "0.00", comment]
            rows.append([*row, f"SKU{line}", "1", f"{draw(st.integers(1, 9999))}.50", "20", name])
    return Written(
        rows,
        draw(st.sampled_from([",", ";", "\t", "|"])),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])) if draw(st.booleans()) else "utf-8",
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.booleans()),
    )


def staged(content: bytes) -> tuple[BatchFacts, dict[str, Order]]:
    """The facts and orders of a file with these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(content)
        with Batch([path], open_export=open_export) as batch:
            facts = batch.load()
            orders = {order.number: order for order in batch.orders()}
    for file in facts.files:
        assert file.count is not None
        assert file.count.counted == file.count.lines
        assert file.rows == file.rows_of_orders + file.unassigned + file.totals_rows + file.repeated_headers
        assert file.count.rows >= file.rows
    return facts, orders


def said(order: Order) -> list[tuple[str, str, str]]:
    """The lines of an order as they were read."""
    return [(line.sku, f"{line.unit_price:.2f}", line.product) for line in order.lines]


def check(facts: BatchFacts, orders: dict[str, Order], written: Written, touched: set[str]) -> None:
    """Orders without damage are as they were written; damaged ones too, or blocked with a row."""
    expected = written.expected()
    for number, lines in expected.items():
        order = orders.get(number)
        if number not in touched:
            assert order is not None
            assert order.is_readable, order.problems
            assert said(order) == lines
        elif order is not None and said(order) != lines:
            errors = [problem for problem in order.problems if problem.is_error]
            # Where nothing else is outside ASCII, one byte may be a letter of an 8-bit encoding, which is told.
            is_told = any("encoding" in notice for notice in facts.files[0].notices)
            assert errors or facts.unassigned_count or is_told
            assert all(problem.place.row for problem in errors)
    for number, order in orders.items():
        assert number in expected or not order.is_readable or number in touched


@settings(max_examples=60, deadline=None)
@given(written=files())
def test_undamaged_files_are_read_exactly(written: Written) -> None:
    """Whatever the dialect, and whatever stands in the texts."""
    content = b"".join(written.lines())
    if written.encoding != "utf-8":
        content = b"".join(
            line.decode(written.encoding).removeprefix("\ufeff").encode("utf-8") for line in written.lines()
        )
        content = content.decode().encode(written.encoding)
    facts, orders = staged(content)
    check(facts, orders, written, set())
    assert facts.unassigned_count == 0


def _damage(written: Written, random: Random, kind: str) -> tuple[bytes, set[str]]:
    """The file with one thing damaged, and the orders whose rows it touches."""
    lines = [line.decode(written.encoding).removeprefix("\ufeff").encode("utf-8") for line in written.lines()]
    at = random.randrange(1, len(lines))
    touched = {written.rows[at - 1][0]}
    line = lines[at]
    match kind:
        case "byte":
            spot = random.randrange(len(line) - 2)
            lines[at] = line[:spot] + b"\xff" + line[spot + 1 :]
        case "cut":
            # Within the last cell nobody could tell that anything is missing.
            short = written.line(written.rows[at - 1][:-1]).decode(written.encoding).removeprefix("\ufeff").encode()
            lines[at] = line[: random.randrange(1, len(short.rstrip(b"\r\n")))] + written.newline.encode()
        case "quote":
            row = [*written.rows[at - 1]]
            row[PRODUCT] = "\0"
            lines[at] = (
                written.line(row).decode(written.encoding).removeprefix("\ufeff").encode().replace(b"\0", b'"open')
            )
            if written.is_all_quoted:
                lines[at] = lines[at].replace(b'"\0"', b'"open')
        case "delimiter":
            row = [*written.rows[at - 1]]
            row[COMMENT] = "\0"
            text = written.line(row).decode(written.encoding).removeprefix("\ufeff").encode()
            lines[at] = text.replace(b"\0", f"a{written.delimiter}b".encode()) if not written.is_all_quoted else text
        case "trailing":
            lines[at] = line.rstrip(b"\r\n") + written.delimiter.encode() + written.newline.encode()
        case _:
            raise AssertionError(kind)
    return b"".join(lines), touched


@pytest.mark.parametrize("kind", ["byte", "cut", "quote", "delimiter", "trailing"])
@settings(max_examples=30, deadline=None)
@given(written=files(), seed=st.integers(0, 2**32))
def test_one_damage_costs_its_order_only(kind: str, written: Written, seed: int) -> None:
    """A byte, a cut row, a stray quote, a stray delimiter: the rest of the file is read as it was written."""
    content, touched = _damage(written, Random(seed), kind)
    facts, orders = staged(content)
    check(facts, orders, written, touched)
