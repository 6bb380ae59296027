"""Which copy of an order a reversal took back: the one that its notes or the ledger name, else one that it balances."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from test_reversal import rows

from etl.ledger.records import Part, PartKind
from etl.load.balance import balances, lonely, reversed_by
from etl.model.rows import OrderItemRow
from etl.model.states import State

(ITEM,) = rows()
NOTHING = replace(ITEM, net=Decimal(0), gross=Decimal(0))
CANCELLED = replace(ITEM, canceled=ITEM.created, state="Canceled")


def undo(target: str = "", **more: object) -> list[OrderItemRow]:
    """The opposite of an order, with notes that name what it reverses, or without any."""
    notes = f"[centra:uk:1:undo] Reverses Centra order 1, OrderId {target}" if target else ""
    return [replace(ITEM, notes=notes, gross=-ITEM.gross, net=-ITEM.net, **more)]


def part(mews_id: str, target: str) -> Part:
    return Part("1", 1, "undo:order", State.POSTED, PartKind.UNDO, mews_id, target=target)


COPIES = {"A": [ITEM], "B": [ITEM]}


@pytest.mark.parametrize(
    ("orders", "undos", "own", "known", "expected"),
    [
        (COPIES, {"u": undo("B")}, "B", (), {"B": "u"}),
        (COPIES, {"u": undo()}, "B", (part("u", "B"),), {"B": "u"}),
        (COPIES, {"u": undo()}, "B", (), {"A": "u"}),
        (COPIES, {"u": undo()}, "B", (part("", "B"),), {"B": "u"}),
        (COPIES, {"u": undo()}, "B", (part("other", "B"),), {"A": "u"}),
        (COPIES, {"u": undo("Z")}, "B", (), {}),
        (COPIES, {"u": undo(account_id="other")}, "B", (), {}),
        ({"A": [ITEM]}, {"u": undo(account_id="other")}, "A", (), {"A": "u"}),
        ({"A": [CANCELLED], "B": [ITEM]}, {"u": undo()}, "A", (), {"A": "", "B": "u"}),
        ({"A": [CANCELLED]}, {"u": undo("A")}, "A", (), {"A": ""}),
        (COPIES, {"u": undo("A"), "v": undo("A")}, "A", (), {"A": "u"}),
        ({"A": [NOTHING]}, {"u": [replace(undo()[0], canceled=ITEM.created, state="Canceled")]}, "A", (), {}),
        ({"A": [ITEM]}, {"u": [replace(undo()[0], gross=Decimal("-6.00"), net=Decimal("-5.00"))]}, "A", (), {}),
    ],
    ids=[
        *(
            "notes",
            "ledger",
            "other copy first",
            "aimed at",
            "known to be another's",
            "of what is gone",
            "other account",
        ),
        *("alone on any account", "one cancelled", "cancelled and reversed", "twice", "cancelled reversal", "half"),
    ],
)
def test_a_reversal_serves_one_copy(orders, undos, own, known, expected):
    """Never two, never one that it does not balance; whatever is named goes before whatever is guessed."""
    assert reversed_by(orders, undos, own, known) == expected
    standing = {one for one, items in undos.items() if not items[0].is_canceled}
    assert set(lonely(undos, expected)) == standing - set(expected.values())


@pytest.mark.parametrize(
    ("net", "gross", "is_balanced"),
    [("0", "0", True), ("0.01", "0", True), ("0", "-0.01", True), ("0.03", "0", False), ("0.01", "0.01", False)],
)
def test_what_was_sent_balances_exactly_and_the_rest_by_a_cent_an_item(net, gross, is_balanced):
    """One of both sums is the basis, and must be zero."""
    opposite = replace(undo()[0], net=-ITEM.net + Decimal(net), gross=-ITEM.gross + Decimal(gross))
    assert balances([ITEM], [opposite]) is is_balanced
