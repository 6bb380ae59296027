"""What `recover` makes of items of which Mews tells one unit alone: the arithmetic of whole entries."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from builders import a_reference
from hypothesis import given
from hypothesis import strategies as st
from reconcile_fakes import a_plan, an_entry, rows_of

from etl.model.rows import OrderItemRow
from etl.pipeline.whole_entries import whole_entries
from etl.transform.arithmetic import Arithmetic

CODE = "UK-20%"


def of_one_unit(count: int, unit: Decimal, code: str = CODE) -> OrderItemRow:
    """An item as an outlet bill shows it: count times what one unit came to."""
    one = Arithmetic(a_reference()).predict(1, unit, (CODE,), 2)
    (row,) = rows_of(a_plan("1", an_entry("p1", str(unit), count)), "o-1")
    net, gross = count * one.net, count * one.gross
    return replace(
        row,
        count=count,
        unit_net=one.net,
        unit_gross=one.gross,
        net=net,
        gross=gross,
        original_net=net,
        original_gross=gross,
        taxes=((code, gross - net),),
        type="Revenue",
        is_by_unit=True,
    )


@given(st.integers(1, 500), st.integers(-99_999, 99_999))
def test_the_whole_is_booked_as_it_was_predicted(count: int, cents: int) -> None:
    """Per entry on count x unit amount, whatever the units add up to."""
    unit = Decimal(cents).scaleb(-2)
    booked = Arithmetic(a_reference()).predict(count, unit, (CODE,), 2)
    (row,) = whole_entries(a_reference())([of_one_unit(count, unit)])
    assert (row.net, row.gross, row.taxes) == (booked.net, booked.gross, ((CODE, booked.tax),))


def test_what_the_enterprise_does_not_explain_stays_as_it_is() -> None:
    """A code that is gone, and an order's own item: nothing is made up."""
    for row in (of_one_unit(7, Decimal("1.13"), "GONE"), replace(of_one_unit(7, Decimal("1.13")), is_by_unit=False)):
        assert whole_entries(a_reference())([row]) == [row]
