"""Payments that stand in Mews beside those that were read back of the ledger's own orders."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from reconcile_fakes import a_plan, rows_of

from etl.ledger.records import ORDER_PART, Part, PartKind
from etl.model.plan import Basis
from etl.model.rows import PAYMENT, OrderItemRow
from etl.model.states import State
from etl.pipeline.paid_in_mews import PaidInMews
from etl.reconcile.notebook import Booked, Noted, Sighting
from etl.reconcile.values import UNDO_PART, Klass, OrderFinding

D = Decimal
NOTED = Noted("1", "b-1", Klass.MATCHED, "GBP", booked=(Booked("GBP", D("10.00"), D("12.00")),))


def sighting(part: str, mews_id: str, gross: str = "12.00") -> Sighting:
    return Sighting("1", 1, part, mews_id, 1, D(gross), "GBP", D(gross))


def paying(line: str, gross: str) -> OrderItemRow:
    """An item of a bill that pays it."""
    (row,) = rows_of(a_plan("1"), "b-1")
    name = f"centra:shop:1:{line}"
    return replace(row, external_identifier=name, net=D(gross), gross=D(gross), type=PAYMENT, is_by_unit=True)


def test_the_bill_of_an_undo_that_nobody_is_sure_of_takes_its_payments_away() -> None:
    """Killed while it reversed: the order's own bill was read back, the reversal is to be read by its id."""
    paid = PaidInMews(Basis.GROSS)
    paid.add(OrderFinding(Klass.MATCHED, credits=D("2.00"), captures=D("7.00"), assumed=D("3.00")), "GBP")
    parts = [Part("1", 1, ORDER_PART, State.POSTED, PartKind.ORDER, "b-1")]
    seen = [sighting(ORDER_PART, "b-1"), sighting(UNDO_PART, "b-2", "-12.00")]
    paid.see(seen, parts, NOTED, is_open=True)
    assert paid.open_bills == ["b-2"]
    assert set(paid.amounts().values()) == {D("2.00"), D("7.00"), D("3.00")}
    paid.add_items([paying("undo:gift1", "2.00"), paying("undo:pay1", "7.00"), paying("undo:bal1", "3.00")])
    assert paid.amounts() == {}


@pytest.mark.parametrize("own", [NOTED, None], ids=["read back", "in doubt"])
def test_a_bill_counts_once(own: Noted | None) -> None:
    """What was read back is not read again; what was not, as nobody knows whether it arrived, is."""
    paid = PaidInMews(Basis.GROSS)
    state = State.POSTED if own else State.UNKNOWN
    paid.see([sighting(ORDER_PART, "b-1")], [Part("1", 1, ORDER_PART, state, PartKind.ORDER, "b-1")], own, is_open=True)
    assert paid.open_bills == ([] if own else ["b-1"])


def test_a_payment_that_nobody_read_back_counts_by_its_kind() -> None:
    """A gift card lowers what is open as a capture does, under its own name."""
    paid = PaidInMews(Basis.GROSS)
    paid.see([sighting("gift1", "m-1", "-5.00"), sighting("pay1", "m-2", "-7.00")], [], None, is_open=False)
    assert paid.amounts() == {("GBP", "credits"): D("5.00"), ("GBP", "captures"): D("7.00")}
