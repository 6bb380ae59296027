"""An order in several files, formats and objects: equal parts once, different ones only where the whole foots."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from staged import Staged, get_order, stage

D = Decimal
HEADER = "orderNumber,orderDate,status,currency,storeType,invoiceAddress.email,invoiceAddress.country,deliveryAddress.country,"
HEADER += "shippingValue,voucherValue,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent,products.itemText.product"
MUG = "77,2011-03-05 10:15:00,Completed,GBP,b2c,ann@example.com,GB,GB,3.50,0.00,{total},MUG,2,4.25,20,Mug"
CUP = MUG.replace("MUG,2,4.25", "CUP,1,6.00")


def table(*rows: str, total: str = "12.00") -> str:
    return "\n".join([HEADER, *(row.format(total=total) for row in rows)]) + "\n"


RETURN = {"returnId": 9, "orderId": 77, "completed": True, "date": "2011-04-01 09:00:00",
          "products": [{"orderLineId": 1, "quantity": 1, "price": 4.25}]}  # fmt: skip


def said(staged: Staged) -> list[Any]:
    return [
        (o.number, sum(line.total for line in o.lines), o.shipping, o.order_total, o.is_readable) for o in staged.orders
    ]


@pytest.mark.parametrize("order", list(permutations(["a.csv", "b.json", "c.ndjson"])))
def test_the_same_order_in_every_format_is_one(tmp_path: Path, order: tuple[str, ...]) -> None:
    """Line ids that only JSON tells make no difference, and returns of a further file find their lines."""
    files = {"a.csv": table(MUG), "b.json": {"orders": [get_order()]}, "c.ndjson": json.dumps(get_order())}
    staged = stage(tmp_path, {**{name: files[name] for name in order}, "r.json": {"returns": [RETURN]}})
    assert said(staged) == [("77", D("8.50"), D("3.5"), D(12), True), ("77-R9", D("-4.25"), 0, None, True)]
    assert staged.codes("77") == {"file.overlap"}


def test_different_parts_are_joined_where_the_whole_foots(tmp_path: Path) -> None:
    """One line in a table, the other in an object: 18.00 in all proves that they are parts of one order."""
    staged = stage(tmp_path, {"a.csv": table(CUP, total="18.00"), "b.json": [get_order(grandTotalValue=18)]})
    assert said(staged) == [("77", D("14.50"), D("3.5"), D(18), True)]
    assert "joined" in staged.says("77")


@pytest.mark.parametrize("total", ["12.00", "20.00", ""])
def test_different_parts_that_do_not_foot_block(tmp_path: Path, total: str) -> None:
    """Nobody knows which of the two is the order."""
    grand = float(total) if total else None
    staged = stage(tmp_path, {"a.csv": table(CUP, total=total), "b.json": [get_order(grandTotalValue=grand)]})
    assert "order.overlap" in staged.codes("77")


def test_copies_that_contradict_each_other_name_both_places(tmp_path: Path) -> None:
    """Another shipping in the second file: blocked, with both values and both files."""
    staged = stage(tmp_path, {"a.csv": table(MUG), "b.csv": table(MUG.replace("3.50", "4.50"))})
    assert {"order.conflict", "order.overlap"} <= staged.codes("77")
    assert "a.csv" in staged.says("77")
    assert "b.csv" in staged.says("77")


def test_equal_lines_of_one_file_are_all_kept(tmp_path: Path) -> None:
    """Twice the same line in one file is two lines; the same two in a second file are the same two."""
    text = table(MUG, MUG, total="20.50")
    assert len(stage(tmp_path, {"a.csv": text, "b.csv": text})["77"].lines) == 2


def test_an_object_met_twice_in_one_file_is_one(tmp_path: Path) -> None:
    """Pages of an answer overlap; the second copy is told."""
    staged = stage(tmp_path, {"a.json": [get_order(), get_order(), get_order("78")]})
    assert [order.number for order in staged.orders] == ["77", "78"]
    assert staged.codes("77") == {"file.overlap"}


def test_what_is_incomplete_in_one_copy_blocks_the_whole(tmp_path: Path) -> None:
    """An unread list in either copy could be a part of the order."""
    odd = get_order(grandTotalValue=None, varor=[{"pris": 5}])
    assert "order.incomplete" in stage(tmp_path, {"a.json": [get_order(grandTotalValue=None)], "b.json": [odd]}).codes(
        "77"
    )
