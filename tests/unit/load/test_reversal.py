"""The opposite of what stands in Mews: exact, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from load_fakes import START, SmallMews, VirtualTime, an_order

from etl.ledger.records import Part, PartKind
from etl.load.reversal import (
    CantReverseError,
    Rules,
    copy_of,
    is_gone,
    opposite_order,
    parent_of,
    target_of,
    travels_as,
    undo_part,
)
from etl.model.identity import Identity, parse_marker
from etl.model.plan import Basis, order_payload
from etl.model.rows import OrderItemRow
from etl.model.states import State

IDENTITY = Identity("uk", "1", is_undo=True)
RULES = Rules(Basis.GROSS, may_rebate=True, window_start=START - timedelta(days=400))


def rows(**more: object) -> list[OrderItemRow]:
    """The items of an order of one item, as Mews returns them."""
    mews = SmallMews(VirtualTime())
    mews.book(order_payload(an_order("1"), Identity("uk", "1")), "order-1", 0.0)
    return [replace(row, **more) for _, row in mews.items]


def opposite(items: list[OrderItemRow], original: dict | None = None, rules: Rules = RULES) -> dict:
    return opposite_order(items, original or {}, IDENTITY, "order-1", rules)


def test_products_stay_products_and_items_keep_their_category() -> None:
    """Revenue goes back where it came from: the product's own account, or the item's category."""
    (product,) = opposite(rows(product_id="cup", count=3, gross=Decimal("36.00")))["ProductOrders"]
    assert (product["ProductId"], product["Count"]) == ("cup", 3)
    assert product["UnitAmount"]["GrossValue"] == Decimal("-12.00")
    (item,) = opposite(rows(category_id="shop"))["Items"]
    assert item["AccountingCategoryId"] == "shop"


def test_net_enterprises_get_the_net_value_and_all_codes() -> None:
    """Several codes on one item, in the enterprise's basis."""
    items = rows(taxes=(("US-S", Decimal(1)), ("US-C", Decimal(1))), unit_net=Decimal(10), net=Decimal(10))
    (item,) = opposite(items, rules=replace(RULES, basis=Basis.NET))["Items"]
    assert item["UnitAmount"] == {"Currency": "GBP", "TaxCodes": ["US-S", "US-C"], "NetValue": Decimal(-10)}


def test_codes_that_leave_no_trace_are_those_that_were_sent() -> None:
    """Mews may show no tax value for a rate of 0; the code still belongs on the reversal."""
    original = order_payload(an_order("1"), Identity("uk", "1"))
    (item,) = opposite(rows(taxes=()), original)["Items"]
    assert item["UnitAmount"]["TaxCodes"] == ["UK-S"]


def test_changed_amounts_go_as_they_stand() -> None:
    """The staff lowered an item by hand: what is there now is what goes, as one piece."""
    (item,) = opposite(rows(count=3, gross=Decimal("10.00")))["Items"]
    assert (item["UnitCount"], item["UnitAmount"]["GrossValue"]) == (1, Decimal("-10.00"))


def test_returns_are_reversed_by_charges() -> None:
    """The opposite of a rebate is positive and needs no permission."""
    items = rows(unit_gross=Decimal(-12), gross=Decimal(-12))
    (item,) = opposite(items, rules=replace(RULES, may_rebate=False))["Items"]
    assert item["UnitAmount"]["GrossValue"] == Decimal(12)


@pytest.mark.parametrize("unit", ["0.00", "-1.00", "12.00"])
def test_a_tax_a_piece_has_no_opposite_at_any_price(unit: str) -> None:
    """A fee of 0.10 on a piece that costs nothing: its opposite would be a second fee of 0.10."""
    price = Decimal(unit)
    fee = (("US-FEE", Decimal("0.10")),)
    items = rows(unit_net=price, net=price, unit_gross=price, gross=price + Decimal("0.10"), taxes=fee)
    rules = replace(RULES, basis=Basis.NET, flat_codes=frozenset({"US-FEE"}))
    with pytest.raises(CantReverseError, match="US-FEE"):
        opposite(items, rules=rules)


@pytest.mark.parametrize("field", ["account_id", "currency", "consumed"])
def test_an_order_that_was_torn_apart_is_left_to_people(field: str) -> None:
    """One request has one account, time and currency: anything else would put money elsewhere."""
    other = START if field == "consumed" else "other"
    with pytest.raises(CantReverseError):
        opposite([*rows(), *rows(id="second", **{field: other})])


def test_notes_name_what_they_reverse() -> None:
    """Two copies carry the same identifiers: only the Notes tell their reversals apart."""
    notes = opposite(rows())["Notes"]
    assert target_of(notes) == "order-1"
    assert parse_marker(notes) == IDENTITY
    assert target_of("[centra:uk:1:undo]") == ""


def test_zero_valued_leftovers_are_no_order() -> None:
    """An order whose money is cancelled is gone; one that never had any is not, until something of it is cancelled."""
    zero = rows(id="zero", gross=Decimal(0), net=Decimal(0))
    assert is_gone([*rows(state="Canceled"), *zero])
    assert not is_gone([*rows(), *zero])
    assert not is_gone(zero)
    assert not is_gone([])


def test_copies_keep_their_names() -> None:
    """A target met again has the parts it had; a new one the next number; payments are counted on their own."""
    parts = [
        Part("1", 1, undo_part("cancel1"), State.POSTED, PartKind.UNDO, target="a"),
        Part("1", 1, undo_part("order", 2), State.POSTED, PartKind.UNDO, target="b"),
        Part("1", 1, undo_part("gift1"), State.POSTED, PartKind.UNDO, target="p"),
    ]
    assert [copy_of(parts, target) for target in ("a", "b", "c")] == [1, 2, 3]
    assert (copy_of(parts, "p", "gift1"), copy_of(parts, "q", "gift1"), copy_of(parts, "q", "pay1")) == (1, 2, 1)
    assert [travels_as(part) for part in parts] == [PartKind.ORDER, PartKind.ORDER, PartKind.PAYMENT]


def test_returns_belong_to_the_order_before_the_r() -> None:
    """Numbers of nested returns are `{orderId}-R{returnId}`."""
    assert (parent_of("12-R3"), parent_of("12")) == ("12", "")
