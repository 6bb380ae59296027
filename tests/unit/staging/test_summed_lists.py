"""Lists of an order object of which columns.csv makes an amount of the order: what the elements say is added up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from staged import Staged, get_order, stage

COLUMNS = {"fee_lines.total": "handlingCost", "fee_lines.total_tax": "handlingTax"}


def read(tmp_path: Path, fees: Any, columns: dict[str, str] = COLUMNS, **more: Any) -> Staged:
    return stage(tmp_path, {"x.json": [get_order(fee_lines=fees, grandTotalValue=None, **more)]}, columns)


@pytest.mark.parametrize(
    ("fees", "sum_"),
    [
        ([{"total": "2.00", "total_tax": "0.40"}], "2.00"),
        ([{"total": "2.00"}, {"total": 1.5}, {"total": "0.2500"}], "3.75"),
        ([], "0"),
        ([{"total": ""}], "0"),
    ],
)
def test_what_the_elements_say_is_added_up(tmp_path: Path, fees: list[Any], sum_: str) -> None:
    staged = read(tmp_path, fees)
    assert staged["77"].handling == Decimal(sum_)
    assert staged["77"].is_readable


@pytest.mark.parametrize("fees", [["2.00"], [{"total": "1.000"}, {"total": "2.00"}], [{"total": "two"}]])
def test_what_is_no_plain_amount_blocks(tmp_path: Path, fees: list[Any]) -> None:
    """1.000 may be a thousand, and what is no object has no total."""
    staged = read(tmp_path, fees)
    assert staged.codes("77") & {"value.invalid", "order.incomplete"}
    assert not staged["77"].is_readable


def test_an_amount_of_the_element_that_nobody_reads_blocks_the_order(tmp_path: Path) -> None:
    """A fee is not whole without it; `-` says that it is known."""
    fees = [{"total": "2.00", "surcharge": "5.00"}]
    assert "order.incomplete" in read(tmp_path, fees).codes("77")
    known = COLUMNS | {"fee_lines.surcharge": "-"}
    assert read(tmp_path, fees, known)["77"].handling == 2
    assert read(tmp_path, fees, known)["77"].is_readable


def test_a_list_that_nothing_names_is_no_amount(tmp_path: Path) -> None:
    assert "order.incomplete" in read(tmp_path, [{"total": "2.00"}], {}).codes("77")
