"""Which reading of the columns orderTotal proves."""

from __future__ import annotations

from decimal import Decimal as D

from builders import a_line, an_order

from etl.pipeline.readings import CONTRACT, Proof


def proof(*orders: object) -> Proof:
    found = Proof()
    for order in orders:
        found.add(order)  # type: ignore[arg-type]
    return found


def test_the_contracts_reading_is_proved_by_its_own_totals() -> None:
    """A user must see that the configured reading is the export's."""
    order = an_order(a_line("10.00", 2), shipping=D("4.00"), voucher_value=D("3.00"), order_total=D("21.00"))
    assert proof(order).foots[CONTRACT] == 1
    assert proof(order).better == []


def test_another_reading_that_more_orders_prove_is_named() -> None:
    """A discount already inside the prices would be taken off twice."""
    order = an_order(a_line("10.00", 2), voucher_value=D("3.00"), order_total=D("20.00"))
    assert [name for name, _ in proof(order).better] == ["lines + shipping (voucher already inside the prices)"]


def test_prices_without_tax_are_recognised() -> None:
    """Wholesale prices read as gross would book 20 % too little."""
    order = an_order(a_line("10.00", 1), order_total=D("12.00"))
    assert [name for name, _ in proof(order).better] == ["lines + shipping - voucher, with tax on top"]


def test_what_foots_in_no_reading_is_listed() -> None:
    """An order that nothing explains needs a person."""
    assert proof(an_order(a_line("10.00"), order_total=D("77.00"))).failing == ["10001"]
