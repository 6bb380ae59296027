"""Grouping: whatever the order of the rows and the dialect of the file, the same orders come out."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.order import Order, number_key
from etl.model.place import Place
from etl.reading.identify import open_export
from etl.reading.numbers import parse_amount
from etl.reading.options import ReadOptions
from etl.reading.remarks import RemarkedValue
from etl.reading.style import NumberStyle
from etl.staging.batch import Batch

COLUMNS = ("orderNumber", "orderDate", "currency", "shippingValue", "orderTotal", "comment")
LINE = ("products.sku", "products.qty", "products.unitPrice")
amounts = st.decimals(min_value=-9_999_999, max_value=9_999_999, places=2)
texts = st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Cs"]), max_size=20).map(str.strip)
lines = st.tuples(st.sampled_from(["CUP", "0071", "a;b", 'say "x"']), st.integers(-99, 99), amounts)
orders = st.dictionaries(
    st.integers(1, 10**12), st.tuples(amounts, amounts, texts, st.lists(lines, min_size=1, max_size=4)), max_size=6
).filter(bool)


def rows_of(data: dict[int, tuple[Decimal, Decimal, str, list[tuple[str, int, Decimal]]]]) -> list[list[str]]:
    return [
        [str(number), "2011-06-15 12:00:00", "GBP", str(ship), str(total), text, sku, str(qty), str(price)]
        for number, (ship, total, text, lines_) in data.items()
        for sku, qty, price in lines_
    ]


def written(rows: list[list[str]], delimiter: str, encoding: str, comma: bool) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow([*COLUMNS, *LINE])
    for row in rows:
        writer.writerow([cell.replace(".", ",") if comma and at in {3, 4, 8} else cell for at, cell in enumerate(row)])
    return buffer.getvalue().encode(encoding)


def staged(content: bytes, name: str = "x.csv", encoding: str = "") -> list[Order]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with Batch([path], open_export=open_export, options=ReadOptions(encoding=encoding)) as batch:
            return list(batch.orders())


def content(order: Order) -> tuple[object, ...]:
    lines_ = Counter(replace(line, place=Place()) for line in order.lines)
    return (
        replace(order, place=Place(), lines=(), problems=(), texts={}, rows=0).number,
        order.texts,
        lines_,
        order.shipping,
    )


@settings(max_examples=60, deadline=None)
@given(
    data=orders,
    random=st.randoms(use_true_random=False),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    comma=st.booleans(),
)
def test_row_order_and_dialect_do_not_change_the_orders(data, random, delimiter, encoding, comma) -> None:
    """A re-sorted export in another spreadsheet's dialect is the same batch."""
    rows = rows_of(data)
    shuffled = random.sample(rows, len(rows))
    first = staged(written(rows, ",", "utf-8", comma=False))
    # Words made of chance tell no encoding: a person says which it is.
    second = staged(written(shuffled, delimiter, encoding, comma=comma), encoding="cp1252" * (encoding == "cp1252"))
    assert [content(order) for order in first] == [content(order) for order in second]
    assert [order.number for order in first] == [str(number) for number in sorted(data)]
    assert sum(len(order.lines) for order in first) == len(rows)
    assert all(order.is_readable for order in (*first, *second))


@settings(max_examples=40, deadline=None)
@given(data=orders)
def test_json_gives_what_the_table_gives(data) -> None:
    """The two shapes of an export hold the same orders."""
    records = [
        {"orderNumber": number, "orderDate": "2011-06-15 12:00:00", "currency": "GBP", "shippingValue": str(ship),
         "orderTotal": str(total), "comment": text,
         "products": [{"sku": sku, "qty": qty, "unitPrice": str(price)} for sku, qty, price in lines_]}
        for number, (ship, total, text, lines_) in data.items()
    ]  # fmt: skip
    table = staged(written(rows_of(data), ",", "utf-8", comma=False))
    found = staged("\n".join(json.dumps(record) for record in records).encode(), "x.ndjson")
    assert [content(order) for order in found] == [content(order) for order in table]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("0123456789.,'- £%e()\u00a0+"), max_size=12), st.sampled_from(NumberStyle))
def test_an_amount_is_exact_or_refused(text: str, style: NumberStyle) -> None:
    """Whatever stands in a cell: a value has exactly the cell's digits, or there is none."""
    try:
        value = parse_amount(text, style)
    except RemarkedValue as odd:
        value = odd.value
        assert odd.remarks  # noqa: PT017 - both ways out are fine, but not without a word
    if value is not None:
        assert value.is_finite()
        digits = "".join(char for char in text if char.isdigit())
        assert "".join(map(str, value.as_tuple().digits)).lstrip("0") == digits.lstrip("0")
        assert (value < 0) == ("-" in text and value != 0)


@given(st.lists(st.integers(0, 10**30).map(str), max_size=30))
def test_number_keys_sort_by_value(numbers: list[str]) -> None:
    """Orders come in the same sequence whatever their numbers' length."""
    assert sorted(numbers, key=number_key) == sorted(numbers, key=int)
