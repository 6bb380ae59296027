"""A discount of a line is taken off its price: what was paid is what is sent, to the cent."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from decisions import decide_settings
from hypothesis import given
from hypothesis import strategies as st
from made_up import made_up_rows
from more_dumps import dutch_till
from strange_dumps import sales

from etl.mapping.folder import read_mapping
from etl.pipeline.init import init
from etl.pipeline.prepare import Export, open_batch
from etl.settings import Settings
from etl.staging.lines import price_less

CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("price", "qty", "discount", "less"),
    [
        ("6.45", 1, "0.50", "5.95"),
        ("12.95", 2, "0.50", "12.70"),
        ("4.10", 3, "0.50", "3.9333"),
        ("4.10", -3, "-0.50", "3.9333"),
        ("4.10", 3, "12.30", "0.0000"),
        ("4.10", 3, "0", "4.10"),
    ],
)
def test_the_price_is_what_was_paid_for_one(price: str, qty: int, discount: str, less: str) -> None:
    """Of either sign; a line that was given away costs nothing."""
    assert price_less(Decimal(price), qty, Decimal(discount)) == Decimal(less)


@pytest.mark.parametrize(("qty", "discount"), [(3, "12.31"), (0, "1.00"), (700, "0.03")])
def test_a_discount_that_cannot_be_is_none(qty: int, discount: str) -> None:
    """More than the line, of no goods, or one that no price of four decimals comes to within half a cent."""
    assert price_less(Decimal("4.10"), qty, Decimal(discount)) is None


@given(st.decimals("0.01", "500", places=2), st.integers(1, 99), st.decimals("0", "500", places=2))
def test_the_line_comes_to_what_was_paid(price: Decimal, qty: int, discount: Decimal) -> None:
    """Price times quantity, rounded once, is the line less its discount; or there is no such price."""
    less = price_less(price, qty, discount)
    paid = price * qty - discount
    if paid < 0:
        assert less is None
    else:
        assert less is not None
        assert abs(less * qty - paid) < CENT / 2


def silent(_what: str, _done: int, _total: int | None) -> None:
    """No progress."""


def test_a_till_with_discounts_by_line_is_read_to_the_cent(tmp_path: Path) -> None:
    """Nothing but init: the discounts are proved, and each order comes to the total of its receipt."""
    dump = dutch_till(sales(made_up_rows()), tmp_path)
    folder = tmp_path / "mappings"
    with ExitStack() as stack:
        begun = init(stack, Settings(folder, ""), Export(dump.paths), store="s", timezone="UTC", progress=silent)
    taken = {one.field: (one.header, str(one.sure)) for one in begun.proposed.proposals.columns}
    assert taken["products.lineDiscount"] == ("Korting", "proved")
    assert begun.verdict.document()["orders"]["good"] == 36
    decide_settings(folder)
    with open_batch(Export(dump.paths), read_mapping(folder), silent) as (batch, _):
        orders = list(batch.orders())
    assert [one.number for one in orders if not one.is_readable] == []
    sums = {one.number: sum((line.total for line in one.lines), Decimal(0)).quantize(CENT) for one in orders}
    assert sums == dump.sold == {one.number: one.order_total for one in orders}
