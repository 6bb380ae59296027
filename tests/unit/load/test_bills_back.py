"""Bills of the outlet route looked at again: reversed, recovered into a new ledger, decided by a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from bill_world import (
    START,
    STORE,
    Killed,
    OutletShop,
    an_order,
    open_ledger,
    outlet_reader,
    post,
    recovered,
    settled,
    undo,
)
from test_bills import KillAt, numbers, orders, states

from etl.errors import ExitCode, UsageError
from etl.ledger.ledger import Ledger
from etl.load.undo import Ending, UndoRules
from etl.mews.outlets import OutletReader
from etl.model.bill import bill_payload
from etl.model.identity import Identity
from etl.model.states import State
from etl.model.status import ReportState
from etl.pipeline.outlet import read_missing_ids


def sums(shop: OutletShop, *bills: str) -> Counter:
    """What stands there, by type and name."""
    found: Counter = Counter()
    for number in bills:
        for bill_id in shop.bills_of(number):
            for item in shop.sandbox.outlets.items_of(bill_id):
                found[item.type, item.name] += item.amount.gross
    return found


def endings(result) -> list[Ending]:
    return [one.result for one in result.details]


def hide_marks(shop: OutletShop) -> None:
    """From now on Mews returns neither identifiers nor notes."""
    shop.sandbox._quirks = replace(shop.sandbox._quirks, identifiers="ignored", keeps_notes=False)


def ids_of(path, count: int) -> list[str]:
    """The ids that the ledger has of orders 1 to `count`."""
    with Ledger.open(path, read_only=True) as ledger:
        return [ledger.order(number).mews_order_id for number in numbers(count)]


def cut_off(path, shop: OutletShop, count: int) -> None:
    """Posts so many orders, and ends before anybody reads which bill is whose."""
    with pytest.raises(Killed):
        post(path, shop, orders(count), checkpoint=KillAt("outcome.recorded", 1))


def test_a_bill_is_balanced_by_its_opposite(tmp_path):
    """Number `{number}:undo` at the original times, every item opposite, once; and it reconciles to zero."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, [an_order("1", amount="1.25", count=12, gift="5.00"), *orders(5)[1:]])
    result = undo(path, shop, "1", "3")
    assert endings(result) == [Ending.REVERSED] * 2, result.details
    (bill_id,), (undo_id,) = shop.bills_of("1"), shop.bills_of("1:undo")
    bill, opposite = shop.sandbox.outlets.bills[bill_id], shop.sandbox.outlets.bills[undo_id]
    assert opposite.closed == bill.closed
    assert opposite.notes == f"[centra:uk:1:undo] Reverses Centra order 1, OrderId {bill_id}"
    items, opposites = shop.sandbox.outlets.items_of(bill_id), shop.sandbox.outlets.items_of(undo_id)
    assert [one.consumed for one in opposites] == [bill.closed] * 4
    shown = {one.external_identifier.removeprefix("centra:uk:1:undo:"): one for one in opposites}
    for item in items:
        other = shown[item.external_identifier.removeprefix("centra:uk:1:")]
        assert (other.type, other.name, other.count, other.category_id) == (
            item.type,
            item.name,
            item.count,
            item.category_id,
        )
        assert other.amount.gross == -item.amount.gross
        assert other.amount.net == -item.amount.net
    assert set(sums(shop, "1", "1:undo").values()) == {Decimal(0)}
    assert states(path) == {State.UNDONE: 2, State.POSTED: 3}
    assert endings(undo(path, shop, "1")) == [Ending.ALREADY]
    assert len(shop.bills_of("1:undo")) == 1


def test_what_is_undone_goes_again_as_generation_two(tmp_path):
    """Its opposite never proves presence; Number and identifiers are of generation 2."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(3))
    undo(path, shop, "2")
    again = post(path, shop, orders(3), "run-2")
    assert again.counts == {ReportState.ALREADY_POSTED: 2, ReportState.UNDONE: 1}
    again = post(path, shop, orders(3), "run-3", repost_undone=True)
    assert again.counts == {ReportState.ALREADY_POSTED: 2, ReportState.POSTED: 1}
    (bill_id,) = shop.bills_of("2~2")
    assert {one.external_identifier for one in shop.sandbox.outlets.items_of(bill_id)} == {
        "centra:uk:2~2:p1",
        "centra:uk:2~2:s1",
        "centra:uk:2~2:pay1",
    }
    undo(path, shop, "2")
    assert len(shop.bills_of("2~2:undo")) == 1


def test_an_order_that_can_not_be_reversed_is_kept_whole(tmp_path):
    """Where Mews takes no rebates, nothing of it is sent."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(3))
    result = undo(path, shop, "2", rules=UndoRules(may_rebate=False))
    assert endings(result) == [Ending.KEPT]
    assert "rebate" in result.details[0].message
    assert shop.bills_of("2:undo") == []
    assert states(path) == {State.POSTED: 3}


@pytest.mark.parametrize(
    "fault", ["reset-after-commit:on=outletBills/add:at=5", "status-500-before:on=outletBills/add:at=5"]
)
def test_a_reversal_in_doubt_is_settled_first(tmp_path, fault):
    """Two looks decide whether the opposite is there; it is there once."""
    shop, path = OutletShop(fault), tmp_path / "ledger"
    for at in range(3):
        post(path, shop, [an_order(str(at + 1))], f"run-{at}")
    result = undo(path, shop, "1", "2", "3")
    assert endings(result) == [Ending.REVERSED] * 3, result.details
    assert [len(shop.bills_of(f"{number}:undo")) for number in "123"] == [1, 1, 1]


@pytest.mark.parametrize(
    "name", ["slot.granted", "intent.recorded", "answer.received", "outcome.recorded", "undo.finished"]
)
def test_a_kill_of_an_undo_costs_nothing(tmp_path, name):
    """The next undo goes on from the disk."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(3))
    with pytest.raises(Killed):
        undo(path, shop, "2", checkpoint=KillAt(name))
    result = undo(path, shop, "2")
    assert endings(result) in ([Ending.REVERSED], [Ending.ALREADY])
    assert len(shop.bills_of("2:undo")) == 1
    assert states(path) == {State.POSTED: 2, State.UNDONE: 1}


def test_a_lost_ledger_is_built_anew(tmp_path):
    """Everything since the oldest outlet is read; what is there is posted, payments are no revenue of it."""
    shop = OutletShop()
    post(tmp_path / "one", shop, [*orders(30), an_order("31", gift="5.00")])
    undo(tmp_path / "one", shop, "7")
    shop.till("TILL-9", START)
    result = recovered(tmp_path / "two", shop)
    assert (result.found, result.undone) == (31, 1)
    assert states(tmp_path / "two") == {State.POSTED: 30, State.UNDONE: 1}
    with Ledger.open(tmp_path / "two", read_only=True) as ledger:
        assert ledger.order("1").planned_total == Decimal("15.90")
        assert ledger.order("31").planned_total == Decimal("10.90")
        assert ledger.order("1").mews_order_id == shop.bills_of("1")[0]
    again = post(tmp_path / "two", shop, [*orders(30), an_order("31", gift="5.00")], "run-2")
    assert again.counts == {ReportState.ALREADY_POSTED: 30, ReportState.UNDONE: 1}
    assert shop.times_posted(numbers(31)) == {1}


def test_what_a_killed_run_left_is_recovered(tmp_path):
    """A request without an answer: each order is found, or stays in doubt for the next run."""
    shop, path = OutletShop("partly-committed:at=2"), tmp_path / "ledger"
    with pytest.raises(Killed):
        post(path, shop, orders(21), checkpoint=KillAt("outcome.recorded", 2))
    result = recovered(path, shop)
    assert result.resolved + states(path)[State.UNKNOWN] == 20
    done = post(path, shop, orders(21), "run-2")
    assert done.exit_code is ExitCode.DONE
    assert shop.times_posted(numbers(21)) == {1}


def test_a_person_decides_after_mews_was_asked(tmp_path):
    """Absent only where the bill is not where it must have closed; posted only by the id that is there."""
    shop, path = OutletShop("delayed-commit:on=outletBills/add:at=2:seconds=50"), tmp_path / "ledger"
    post(path, shop, orders(3), no_wait=True)
    assert states(path) == {State.POSTED: 1, State.UNKNOWN: 2}
    shop.timeline.pass_until(shop.timeline.now + 100)
    with pytest.raises(UsageError) as told:
        settled(path, shop, "2", absent=True)
    assert told.value.code == "settle.contradicted"
    assert settled(path, shop, "2", posted_order_id=shop.bills_of("2")[0]) is State.POSTED
    with pytest.raises(UsageError):
        settled(path, shop, "3", posted_order_id=shop.bills_of("2")[0])


def test_a_bill_that_moves_past_every_page_is_not_settled_as_absent(tmp_path, monkeypatch):
    """It was touched while bills were read by their last change: it is looked for where it closed, too."""
    by_last_change = OutletReader._since

    async def moved_past(self, given, outlets):
        async for page in by_last_change(self, given, outlets):
            yield [row for row in page if row.number != "2"]

    shop, path = OutletShop("delayed-commit:on=outletBills/add:at=2:seconds=50"), tmp_path / "ledger"
    post(path, shop, orders(3), no_wait=True)
    shop.timeline.pass_until(shop.timeline.now + 100)
    monkeypatch.setattr(OutletReader, "_since", moved_past)
    with pytest.raises(UsageError) as told:
        settled(path, shop, "2", absent=True)
    assert told.value.code == "settle.contradicted"
    assert states(path) == {State.POSTED: 1, State.UNKNOWN: 2}


def test_unmarked_bills_hold_an_order_for_a_person(tmp_path):
    """Where neither mark comes back, number, outlet, time and amounts make it likely, and nothing is sent again."""
    shop, path = OutletShop("timeout-after-commit:on=outletBills/add:at=2"), tmp_path / "ledger"
    post(path, shop, [an_order("1")])
    hide_marks(shop)
    result = post(path, shop, [an_order("1"), an_order("2")], "run-2")
    assert result.counts[ReportState.UNKNOWN] == 1
    assert len(shop.bills_of("2")) == 1
    with open_ledger(path, shop) as ledger:
        assert "looks like this order" in ledger.order("2").message


def test_recover_reads_ids_back(tmp_path):
    """Posted among many by a run that did not look again: recover learns which bill is whose."""
    shop, path = OutletShop("lagging-reads:seconds=20"), tmp_path / "ledger"
    post(path, shop, orders(5), no_wait=True)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.lacks_ids()
    recovered(path, shop)
    assert ids_of(path, 5) == [shop.bills_of(number)[0] for number in numbers(5)]


def test_unmarked_bills_that_are_met_on_two_walks_hold_an_order_too(tmp_path):
    """Once it is due, a bill in doubt is read by its last change and around its closing: its items count once."""
    shop, path = OutletShop("delayed-commit:on=outletBills/add:at=2:seconds=40"), tmp_path / "ledger"
    post(path, shop, [an_order("1")])
    post(path, shop, [an_order("1"), an_order("2")], "run-2", no_wait=True)
    shop.timeline.pass_until(shop.timeline.now + 300)
    hide_marks(shop)
    result = post(path, shop, [an_order("1"), an_order("2")], "run-3")
    assert result.counts[ReportState.UNKNOWN] == 1
    assert len(shop.bills_of("2")) == 1


def test_payments_of_a_recovered_bill_are_told_by_their_type(tmp_path):
    """Where no identifier comes back, a bill is worth what was sold on it; which payment is a gift card, nobody can tell."""
    shop, path = OutletShop(), tmp_path / "two"
    history = [an_order("1"), an_order("2", paid="5.00"), an_order("3", gift="5.00")]
    post(tmp_path / "one", shop, history)
    shop.sandbox._quirks = replace(shop.sandbox._quirks, identifiers="ignored")
    recovered(path, shop)
    with Ledger.open(path, read_only=True) as ledger:
        assert [ledger.order(number).planned_total for number in "123"] == [Decimal("15.90")] * 3
        paid = [[(line, amount) for line, _, amount in ledger.order(number).facts["payments"]] for number in "123"]
    gift_card = [("pay1", Decimal("10.90")), ("pay2", Decimal("5.00"))]
    assert paid == [[("pay1", Decimal("15.90"))], [("pay1", Decimal("5.00"))], gift_card]


@pytest.mark.parametrize("again", ["the same run", "a later run", "recover"])
def test_ids_of_unmarked_bills_are_read_back(tmp_path, again):
    """Posted among many, and no mark comes back: number, closing and amounts tell which bill is whose; so undo works."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(1))
    hide_marks(shop)
    shop.till("2", START)
    shop.till("3", orders(3)[2].consumption)
    if again == "the same run":
        post(path, shop, orders(5))
    else:
        cut_off(path, shop, 5)
        assert ids_of(path, 5)[1:] == [""] * 4
        _ = recovered(path, shop) if again == "recover" else post(path, shop, orders(5), "run-2")
    assert ids_of(path, 5) == [shop.bills_of(number)[-1] for number in numbers(5)]
    result = undo(path, shop, run="run-1")
    assert endings(result) == [Ending.REVERSED] * 5, result
    assert states(path) == {State.UNDONE: 5}
    with Ledger.open(path, read_only=True) as ledger:
        assert not ledger.lacks_ids()
    assert shop.times_posted(f"{number}:undo" for number in numbers(5)) == {1}
    assert endings(undo(path, shop, run="run-1")) == [Ending.ALREADY] * 5


def test_an_id_is_read_back_only_where_one_bill_can_be_meant(tmp_path):
    """Two unmarked bills of that number, time and amounts: which is the order's, a person says."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(1))
    hide_marks(shop)
    cut_off(path, shop, 3)
    given = shop.sandbox.outlets.bills[shop.bills_of("2")[0]]
    shop.post([bill_payload(orders(2)[1], Identity("other", "2"))])
    post(path, shop, orders(3), "run-2")
    assert ids_of(path, 3)[1:] == ["", shop.bills_of("3")[0]]
    (kept,) = undo(path, shop, "2").details
    assert (kept.result, kept.message.partition(":")[0]) == (Ending.KEPT, "which of Mews's bills it is, is not known")
    assert settled(path, shop, "2", posted_order_id=given.id) is State.POSTED
    assert endings(undo(path, shop, "2")) == [Ending.REVERSED]


def test_where_marks_come_back_a_bill_without_one_is_nobodys(tmp_path):
    """A posted bill that reads do not show yet, and another's that is alike to the cent: its id is not taken."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(1))
    cut_off(path, shop, 3)
    bill = bill_payload(orders(3)[1], Identity(STORE, "2"))
    items = [{key: value for key, value in item.items() if key != "ExternalIdentifier"} for item in bill["Items"]]
    (other,) = shop.post([{**bill, "Notes": "", "Items": items}])
    mine = next(one for one in shop.bills_of("2") if one != other)
    lagging = shop.sandbox.outlets.bills.pop(mine)
    held, shop.sandbox.outlets.items[:] = (
        [*shop.sandbox.outlets.items],
        [item for item in shop.sandbox.outlets.items if item.bill_id != mine],
    )
    post(path, shop, orders(3), "run-2")
    assert ids_of(path, 3)[1] == ""
    shop.sandbox.outlets.bills[mine], shop.sandbox.outlets.items[:] = lagging, held
    post(path, shop, orders(3), "run-3")
    assert ids_of(path, 3)[1] == mine


def test_reconcile_knows_unmarked_bills_too(tmp_path):
    """It writes nothing, and finds by number, closing and amounts which bills to compare; so nothing is missing."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(1))
    hide_marks(shop)
    cut_off(path, shop, 3)
    with Ledger.open(path, read_only=True) as ledger:

        async def work(writer, _limiter):
            await writer.configuration()
            await read_missing_ids(outlet_reader(writer, closed_of=ledger.closings), ledger, STORE)

        shop.run(work)
        assert [ledger.order(number).mews_order_id for number in numbers(3)] == [
            shop.bills_of(number)[0] for number in numbers(3)
        ]
    assert ids_of(path, 3)[1:] == ["", ""]
