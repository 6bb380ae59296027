"""Amounts under names that nobody knows: told with their sum and the orders they touch, in flat files and JSON."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from staged import get_order, stage

from etl.staging.unread import amount_in

D = Decimal


@pytest.mark.parametrize(
    ("name", "cell", "amount"),
    [
        ("giftWrap", "2.50", "2.5"),
        ("giftWrapFee", "3", "3"),
        ("gift_wrap_cost", "\x013.10", "3.1"),
        ("Versandkosten", "4,90", "4.9"),
        ("x", "2.50 GBP", "2.5"),
        ("surcharge", "-1.00", "-1"),
        ("fee", "0.00", None),
        ("fee", "", None),
        ("fee", "none", None),
        ("customerId", "4711", None),
        ("weightKg", "2.50", None),
        ("discountPercent", "12.5", None),
        ("created", "2011-03-05", None),
        ("ean", "04006381333931", None),
        ("total", "007", None),
        ("remark", "2.50 for wrapping", None),
    ],
)
def test_what_tells_an_amount_from_a_number(name: str, cell: str, amount: str | None) -> None:
    """By its sign, its name, or two decimals; ids, measures, rates and keys are none."""
    assert amount_in(name, cell) == (None if amount is None else D(amount))


HEADER = "orderNumber,orderDate,currency,orderTotal,giftWrap,note,products.sku,products.qty,products.unitPrice,products.fee\n"


def test_flat_columns_of_amounts_are_summed(tmp_path: Path) -> None:
    """An order's amount that is repeated on its rows counts once, a line's on every row; words are no amounts."""
    rows = [
        "1,2011-03-05,GBP,,2.50,x,A,1,1.00,0.10", "1,2011-03-05,GBP,,2.50,x,B,1,1.00,0.20",
        "2,2011-03-05,GBP,,,2.50,A,1,1.00,0.30", *[f"{n},2011-03-05,GBP,,0.00,word,A,1,1.00," for n in range(3, 40)],
    ]  # fmt: skip
    facts = stage(tmp_path, {"x.csv": HEADER + "\n".join(rows) + "\n"}).facts
    assert {(one.name, one.total, one.orders) for one in facts.files[0].unread} == {
        ("giftWrap", D("2.50"), 1),
        ("products.fee", D("0.60"), 2),
    }


def test_declared_columns_are_not_told(tmp_path: Path) -> None:
    """A column that columns.csv gives - is left out on purpose."""
    text = HEADER + "1,2011-03-05,GBP,,2.50,x,A,1,1.00,0.10\n"
    staged = stage(tmp_path, {"x.csv": text}, {"giftWrap": "-", "products.fee": "-"})
    assert staged.facts.files[0].unread == ()
    assert not staged["1"].problems


def test_unread_parts_of_objects_are_summed(tmp_path: Path) -> None:
    """Nested amounts, lists, and amounts that stand on the order or a line as a column would."""
    line = {**get_order()["products"][0], "fee": 0.25}
    orders = [get_order(str(n), extra=[{"amount": 1.5}], wrap={"cost": 2}, tip=1, products=[line]) for n in (1, 2)]
    facts = stage(tmp_path, {"x.json": orders}).facts
    assert {(one.name, one.total, one.orders, one.is_list) for one in facts.files[0].unread} == {
        ("extra", D(3), 2, True),
        ("wrap.cost", D(4), 2, False),
        ("tip", D(2), 2, False),
        ("products.fee", D("0.5"), 2, False),
    }
