"""Orders of very many rows, and rows of very much text: read in parts, bounded, never in part without a word."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from small_blocks import blocks
from staged import Staged, stage

from etl.reading.identify import open_export
from etl.staging import raw_store, spool, table_rows
from etl.staging.batch import Batch

HEADER = "orderNumber,orderDate,currency,shippingValue,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent"


def first(number: str, total: str = "", sku: str = "A-1") -> str:
    return f"{number},2011-03-05,GBP,1.00,{total},{sku},1,4.25,20"


def read(tmp_path: Path, *rows: str) -> Staged:
    return stage(tmp_path, {"x.csv": "\n".join([HEADER, *rows]) + "\n"})


SHAPES = {
    "together": [first("1", "14.75"), first("1", "14.75"), first("1"), first("2", "5.25")],
    "contradicting": [first("1", "14.75"), first("1", "9.00"), first("1"), first("2", "5.25")],
    "below": [first("1", "23.00"), *[",,,,,A-2,1,6.00,20"] * 3, first("2", "5.25")],
    "beside": [first("1"), first("1"), ",2011-03-05,GBP,1.00,,A-3,1,4.25,20", first("2", "5.25")],
    "beside far below": [first("1"), first("1"), first("1", "9.00"), ",2011-03-05,GBP,1.00,,A-3,1,4.25,20"],
    "scattered": [first("1", "14.75"), first("2", "5.25"), first("1", "14.75"), first("1")],
    "broken": [first("1"), first("1") + ",x", first("1"), first("2", "5.25")],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_order_stored_in_parts_is_the_same(tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, problems and counts do not depend on how many rows are held at once."""
    whole = read(tmp_path, *SHAPES[shape])
    monkeypatch.setattr(table_rows, "_TOGETHER", 1)
    parts = read(tmp_path, *SHAPES[shape])
    assert parts.orders == whole.orders
    assert parts.facts == whole.facts


def test_a_row_beside_the_last_order_blocks_it(tmp_path: Path) -> None:
    """The last row has no number and no product, repeats the order and holds a price: perhaps a part of it."""
    staged = read(tmp_path, first("1", "5.25"), first("2"), ",2011-03-05,GBP,1.00,,,,4.25,")
    assert staged.codes("2") == {"order.incomplete"}
    assert not staged["1"].problems
    assert staged.facts.unassigned_count == 1


def test_an_order_of_too_many_rows_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a file under one number: it is no order number, and not all of them fit."""
    monkeypatch.setattr(spool, "LONGEST_ORDER", 2_000)
    monkeypatch.setattr(table_rows, "_TOGETHER", 10)
    staged = read(tmp_path, first("1", "5.25"), *[first("2", sku=f"A-{at}") for at in range(500)], first("3", "5.25"))
    assert "order.incomplete" in staged.codes("2")
    assert "no order numbers" in staged.says("2")
    assert not staged["1"].problems
    assert not staged["3"].problems
    (file,) = staged.facts.files
    assert file.rows_of_orders == 502


def test_rows_without_number_cost_no_more_than_orders(tmp_path: Path) -> None:
    """A quote that is never closed leaves its text as rows, perhaps a million: each must cost little."""
    text = "y" * 1_000

    def seconds(rows: list[str]) -> float:
        path = tmp_path / "x.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        started = time.process_time()
        with Batch([path], open_export=open_export, spool_dir=tmp_path) as batch:
            batch.load()
        return time.process_time() - started

    orders = min(seconds([f"{first(str(at))[:-3]}{text}" for at in range(1, 10_001)]) for _ in range(3))
    swallowed = min(seconds([f'{first("1")[:-3]}"', *[text] * 10_000, '"']) for _ in range(3))
    assert swallowed < 2 * orders


def test_long_rows_without_number_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows at the end wait for what follows them, but not fifty of several megabytes each."""
    monkeypatch.setattr(table_rows, "_PENDING_LENGTH", 1_000)
    held: list[int] = []
    place = table_rows.TableLoader.place
    monkeypatch.setattr(
        table_rows.TableLoader, "place", lambda self, below: (held.append(len(self._pending)), place(self, below))
    )
    staged = read(tmp_path, first("1", "5.25"), *["z" * 400] * 20)
    assert max(held) <= 3
    assert staged.facts.unassigned_count == 20


@pytest.mark.parametrize("in_blocks", [False, True])
@pytest.mark.parametrize("is_scattered", [False, True])
def test_a_number_with_too_many_rows_blocks_its_order_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_blocks: bool, is_scattered: bool
) -> None:
    """Read in blocks as row by row: what is held of it is bounded, and the orders among its rows are whole."""
    monkeypatch.setattr(spool, "LONGEST_ORDER", 2_000)
    monkeypatch.setattr(raw_store, "LONGEST_ORDER", 2_000)
    rows = [f"7,2024-03-01,S-{at},1,1.00" for at in range(400)]
    others = [f"{number},2024-03-01,T-{at},1,2.00" for number in range(100, 200) for at in range(2)]
    every = [row for pair in zip(rows, others * 2, strict=True) for row in pair] if is_scattered else rows + others
    text = "\n".join(["orderNumber,orderDate,products.sku,products.qty,products.unitPrice", *every, ""])
    with blocks(500, in_blocks=in_blocks):
        staged = stage(tmp_path, {"a.csv": text})
    assert staged.codes("7") == {"order.incomplete"}
    assert {len(order.lines) for order in staged.orders if order.number != "7"} == {4 if is_scattered else 2}
    assert len(staged.orders) == 101
    assert 0 < len(staged["7"].lines) < 300
