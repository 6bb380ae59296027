"""Thousands of plain orders go into a report as they would one by one: the largest of a line, texts as cells, amounts."""

from __future__ import annotations

import csv
import random
from io import StringIO
from pathlib import Path

import pytest

from etl.columns.quick import Report
from etl.model.money import units_text, units_texts
from etl.pipeline.classify import quick_status
from etl.pipeline.plain_rows import plain_order
from etl.report.cells import are_simple
from etl.report.spool import OrderSpool
from etl.report.tables import OrderTable, order_row

DECIMALS = {"GBP": 2, "JPY": 0, "KWD": 3}


def _report(number: str, currency: str, units: int, **more: str) -> Report:
    booked = (units, units, True)
    return Report(
        number,
        currency,
        DECIMALS[currency],
        units,
        more.get("account", "acc-1"),
        "2026-03-01T10:00:00+00:00",
        "2026-03",
        1,
        (((more.get("code", "UK-S"),), booked),),
        (("cat", booked),),
        tuple(more.get("unproved", "").split()),
    )


@pytest.mark.parametrize("size", [1, 26, 999])
def test_the_same_orders_stand_under_a_line_however_many_come_at_once(tmp_path: Path, size: int) -> None:
    """Of thousands, many of them as large as the twentieth: the amount decides, then the number."""
    draw = random.Random(7)
    numbers = [str(number) for number in range(1, 4001)]
    draw.shuffle(numbers)
    reports = [_report(one, draw.choice(["GBP", "KWD"]), draw.choice([-400, 0, 300, 399, 400])) for one in numbers]
    whole, plain = (OrderSpool(_made(tmp_path / name), DECIMALS) for name in ("whole", "plain"))
    for report in reports:
        status = quick_status(report)
        whole.add(status, order_row(status, DECIMALS))
    orders = list(map(plain_order, reports))
    for at in range(0, len(orders), size):
        plain.add_plain(orders[at : at + size])
    for spool in (whole, plain):
        spool.close()
    found = plain.line_orders()
    assert found == whole.line_orders()
    assert any(len(some) == 20 and {amount.lstrip("-") for _, amount in some} == {"4.00"} for some in found.values())


@pytest.mark.parametrize(
    "texts",
    [
        {"account": "a,b"},
        {"account": 'a"b'},
        {"account": "a\rb"},
        {"account": "a\nb"},
        {"account": "-1"},
        {"code": "=1+1"},
        {"code": "@x"},
        {"code": "UK,S"},
        {"account": ""},
        {"account": " a"},
        {"account": "ä;b c_d.e%"},
        {"unproved": "rebates company"},
    ],
)
@pytest.mark.parametrize("number", ["1", "-5", "A 7", "=1", "a,b", 'a"b', "é", "٣", "1\n2", "x" * 300])
def test_lines_of_plain_orders_are_what_csv_writes(number: str, texts: dict[str, str]) -> None:
    """Also beside others whose texts are plain, and after them."""
    reports = [_report("7", "GBP", 100), _report(number, "JPY", -5, **texts)]
    whole, plain = StringIO(newline=""), StringIO(newline="")
    one_by_one, at_once = OrderTable(whole), OrderTable(plain)
    for report in [*reports, *reports]:
        one_by_one.add(order_row(quick_status(report), DECIMALS))
    for _ in range(2):
        at_once.add_plain(list(map(plain_order, reports)))
    assert plain.getvalue() == whole.getvalue()
    if "\n" not in number and "\r" not in "".join(texts.values()):
        assert len(list(csv.reader(StringIO(plain.getvalue(), newline="")))) == 5


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "A7"], True),
        (["1", ""], False),
        ([], False),
        (["1", "-5"], False),
        (["1", "٣"], False),
        (["é"], False),
        (["1", "x" * 201], False),
        (["1 2"], False),
        (["1_2"], False),
    ],
)
def test_simple_texts(texts: list[str], expected: bool) -> None:
    """Whatever needs a mark of CSV, JSON, XML or a spreadsheet is not simple."""
    assert are_simple(texts) is expected


@pytest.mark.parametrize("digits", [0, 1, 2, 3, 4, 5, 8])
def test_amounts_of_many_are_those_of_each(digits: int) -> None:
    """Down to the smallest unit, up and down."""
    units = [0, 1, -1, 9, 10, -10, 99, 100, -101, 12345, -99999, 10**15, -(10**15) - 7]
    assert units_texts(units, digits) == [units_text(one, digits) for one in units]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
