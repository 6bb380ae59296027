"""Undo on the outlet route: opposite bills go many in one request, each once, down to the one that Mews refuses."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from bill_world import CATEGORY, Killed, OutletShop, an_order, post, recovered, undo, undo_beside
from test_bills import KillAt, numbers, orders, states

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.load import refusals
from etl.load.undo import Ending, UndoRules
from etl.model.plan import Booked
from etl.model.states import State
from etl.sandbox.faults import FaultPlan, parse_fault

SPECIAL = "ca000000-0000-4000-a000-000000000009"


def a_shop(*faults: str, **changes) -> OutletShop:
    """A shop with a category that can be taken away: then Mews refuses the opposite of what stands under it."""
    names = {CATEGORY: "Goods", "ca000000-0000-4000-a000-000000000002": "Paid", SPECIAL: "Special"}
    categories = [{"id": one, "name": name} for one, name in names.items()]
    return OutletShop(*faults, accounting_categories=categories, **changes)


def special(order):
    """The order under the special category."""
    first, *rest = order.entries
    return replace(order, entries=(replace(first, category_id=SPECIAL), *rest))


def exempt(order):
    """The order without any tax."""
    entries = []
    for entry in order.entries:
        gross = entry.predicted.gross
        entries.append(replace(entry, codes=(), predicted=Booked(gross, Decimal(0), gross)))
    return replace(order, entries=tuple(entries))


def forbid_special(shop: OutletShop) -> None:
    del shop.sandbox.world.enterprise.categories[SPECIAL]


def storm(shop: OutletShop, *faults: str) -> None:
    """From here on Mews fails so."""
    shop.sandbox.plan = FaultPlan(tuple(parse_fault(fault) for fault in faults))


def undos(shop: OutletShop, given) -> Counter:
    """How often the opposite of each number stands there, by how often."""
    return Counter(len(shop.bills_of(f"{number}:undo")) for number in given)


def sums(shop: OutletShop) -> set[Decimal]:
    """What is left of each order, by number: bill and opposite together."""
    found: dict[str, Decimal] = {}
    for item in shop.sandbox.outlets.items:
        number = shop.sandbox.outlets.bills[item.bill_id].number.removesuffix(":undo")
        if item.type == "Revenue":
            found[number] = found.get(number, Decimal(0)) + item.amount.gross
    return set(found.values())


def endings(result) -> Counter:
    return Counter(one.result for one in result.details)


def test_many_opposites_are_few_requests(tmp_path):
    """The first goes alone: it shows whether Mews takes rebates; each opposite is known by its id at the end."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(301), most=100)
    before = len(shop.requests())
    result = undo(path, shop, run="run-1", most=100)
    assert endings(result) == {Ending.REVERSED: 301}, result
    assert shop.requests()[before:] == [200] * 4
    assert undos(shop, numbers(301)) == {1: 301}
    assert sums(shop) == {Decimal(0)}
    assert states(path) == {State.UNDONE: 301}
    with Ledger.open(path, read_only=True) as ledger:
        assert not ledger.lacks_ids()
        for number in ("1", "150", "301"):
            (part,) = [part for part in ledger.parts([number])[number] if part.part == "undo:order"]
            assert [part.mews_id] == shop.bills_of(f"{number}:undo")
    again = undo(path, shop, run="run-1", most=100)
    assert endings(again) == {Ending.ALREADY: 301}
    assert len(shop.requests()) == before + 4


def test_opposites_of_what_closed_together_go_together(tmp_path):
    """Bills are found around their closing only: in the order of numbers each request would read the whole history."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, [an_order(number, day=int(number) * 37 % 100) for number in numbers(40)])
    undo(path, shop, run="run-1", most=10)
    sent = [bill for bill in shop.sandbox.outlets.bills.values() if bill.number.endswith(":undo")]
    closings = [sorted(one.closed for one in sent if one.created == at) for at in sorted({one.created for one in sent})]
    assert len(closings) > 4
    assert all(earlier[-1] <= later[0] for earlier, later in pairwise(closings))


@pytest.mark.parametrize(
    "fault",
    [
        "reset-after-commit:on=outletBills/add:at=2",
        "reset-before-commit:on=outletBills/add:at=2",
        "status-500-after:on=outletBills/add:at=2",
        "delayed-commit:on=outletBills/add:at=2:seconds=40",
        "status-409:on=outletBills/add:at=2+3+4+5+6",
        "partly-committed:at=2",
        "wrong-bill-ids:at=2",
    ],
)
def test_opposites_in_doubt_are_settled_each_by_itself(tmp_path, fault):
    """What is there is not sent again, what is not there goes; everything comes to zero."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(30))
    storm(shop, fault)
    result = undo(path, shop, run="run-1", most=10)
    assert endings(result) == {Ending.REVERSED: 30}, result
    assert result.exit_code is ExitCode.DONE
    assert undos(shop, numbers(30)) == {1: 30}
    assert sums(shop) == {Decimal(0)}
    assert states(path) == {State.UNDONE: 30}


@pytest.mark.parametrize("kept", ["whole", "partial", "others"])
@pytest.mark.parametrize("at", [2, 9, 16])
def test_one_bad_opposite_does_not_keep_the_others(tmp_path, kept, at):
    """Down to the one that Mews refuses, whatever a refusal of several leaves there; it is kept whole, with the reason."""
    shop, path = a_shop(f"refused-bills:commit={kept}"), tmp_path / "ledger"
    given = [special(one) if one.number == str(at) else one for one in orders(16)]
    post(path, shop, given)
    forbid_special(shop)
    result = undo(path, shop, run="run-1", most=15)
    assert endings(result) == {Ending.REVERSED: 15, Ending.KEPT: 1}, result
    (bad,) = [one for one in result.details if one.result is Ending.KEPT]
    assert bad.order == str(at)
    assert "no such accounting category" in bad.message
    assert "together" not in bad.message
    assert result.exit_code is ExitCode.ATTENTION
    assert undos(shop, numbers(16)) == {1: 15, 0: 1}
    assert states(path) == {State.UNDONE: 15, State.POSTED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        assert (refusals.verdict(ledger) is refusals.Keep.SOME) == (
            kept != "whole" and not (kept == "partial" and at == 2)
        )


def test_rebates_that_mews_refuses_are_tried_one_by_one(tmp_path):
    """No request of many is put in doubt by what one alone tells; after twenty equal refusals the undo stops."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(30))
    enterprise = shop.sandbox.world.enterprise
    shop.sandbox.world.enterprises[enterprise.id] = replace(enterprise, allow_rebates=False)
    before = len(shop.requests())
    result = undo(path, shop, run="run-1")
    assert result.stop is not None
    assert shop.requests()[before:] == [403] * 20
    assert undos(shop, numbers(30)) == {0: 30}
    assert states(path) == {State.POSTED: 30}


KILLS = [
    # checkpoint, which of them, opposites in Mews after the kill
    ("slot.granted", 2, 1),
    ("intent.recorded", 2, 1),
    ("answer.received", 2, 12),
    ("outcome.recorded", 2, 12),
    ("undo.finished", 2, 12),
    ("survey.complete", 2, 12),
    ("survey.recorded", 2, 12),
]


@pytest.mark.parametrize(("name", "count", "there"), KILLS, ids=[row[0] for row in KILLS])
def test_a_kill_at_each_window_costs_nothing(tmp_path, name, count, there):
    """The disk says what happened to all of them; the next undo reverses what is left, each once."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(12))
    with pytest.raises(Killed):
        undo(path, shop, run="run-1", checkpoint=KillAt(name, count))
    assert sum(one.number.endswith(":undo") for one in shop.sandbox.outlets.bills.values()) == there
    result = undo(path, shop, run="run-1")
    assert set(endings(result)) <= {Ending.REVERSED, Ending.ALREADY}, result
    assert undos(shop, numbers(12)) == {1: 12}
    assert states(path) == {State.UNDONE: 12}
    with Ledger.open(path, read_only=True) as ledger:
        assert not ledger.lacks_ids()


def test_a_kill_before_ids_were_read_is_recovered(tmp_path):
    """A ledger that knows of opposites, not of their ids: recover, run and a lost ledger agree that all is undone."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(12))
    with pytest.raises(Killed):
        undo(path, shop, run="run-1", checkpoint=KillAt("outcome.recorded", 2))
    shutil.copy(path, tmp_path / "two")
    recovered(path, shop)
    assert states(path) == {State.UNDONE: 12}
    again = post(tmp_path / "two", shop, orders(12), "run-2")
    assert again.stop is None, again.stop
    assert not again.duplicated
    assert endings(undo(tmp_path / "two", shop, run="run-1")) in (
        {Ending.REVERSED: 12},
        {Ending.REVERSED: 11, Ending.ALREADY: 1},
    )
    recovered(tmp_path / "three", shop)
    assert states(tmp_path / "three") == {State.UNDONE: 12}
    assert undos(shop, numbers(12)) == {1: 12}


@pytest.mark.slow
def test_a_kill_anywhere_costs_nothing(tmp_path):
    """An undo of batches with a bad opposite and a request kept in part, killed at every checkpoint."""
    at = 0
    while True:
        at += 1
        shop, path = a_shop("refused-bills:commit=partial"), tmp_path / f"ledger{at}"
        given = [special(one) if one.number == "6" else one for one in orders(9)]
        post(path, shop, given)
        forbid_special(shop)
        storm(shop, "partly-committed:at=2")
        try:
            undo(path, shop, run="run-1", most=4, checkpoint=KillAt("", at))
        except Killed:
            pass
        else:
            break
        result = undo(path, shop, run="run-1", most=4)
        assert result.stop is None, (at, result.stop)
        assert undos(shop, numbers(9)) == {1: 8, 0: 1}, at
        assert states(path) == {State.UNDONE: 8, State.POSTED: 1}, at
    assert at > 20


def test_a_reversed_copy_is_said_to_be_that(tmp_path):
    """A bill that stands twice, beside its opposite: the copy that went is not called reversed once more."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(2))
    (bill_id,) = shop.bills_of("1")
    bill = shop.sandbox.outlets.bills[bill_id]
    copy_id = shop.till("1", bill.closed, notes=bill.notes or "", identifier="centra:uk:1:p1")
    assert endings(undo(path, shop, order_ids=[copy_id])) == {Ending.REVERSED: 1}
    for again in range(2):
        result = undo(path, shop, order_ids=[copy_id])
        assert endings(result) == {Ending.ALREADY: 1}, again
        assert result.exit_code is ExitCode.DONE
    assert states(path) == {State.POSTED: 2}
    assert endings(undo(path, shop, order_ids=[copy_id, bill_id])) == {Ending.ALREADY: 1, Ending.REVERSED: 1}
    assert endings(undo(path, shop, order_ids=[copy_id, bill_id])) == {Ending.ALREADY: 2}
    assert undos(shop, ["1"]) == {2: 1}
    assert states(path) == {State.POSTED: 1, State.UNDONE: 1}


def test_an_order_with_an_entry_that_can_not_be_reversed_is_kept_whole(tmp_path):
    """A tax that is an amount a piece would be charged on the reversal too: no entry of it goes, the others do."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, [exempt(one) if one.number != "4" else one for one in orders(6)])
    result = undo(path, shop, run="run-1", rules=UndoRules(may_rebate=True, flat_codes=frozenset({"UK-20%"})))
    assert endings(result) == {Ending.REVERSED: 5, Ending.KEPT: 1}
    (kept,) = [one for one in result.details if one.result is Ending.KEPT]
    assert (kept.order, kept.how) == ("4", "")
    assert "an amount a piece" in kept.message
    assert undos(shop, numbers(6)) == {1: 5, 0: 1}
    assert states(path) == {State.UNDONE: 5, State.POSTED: 1}


def test_two_undos_at_once_are_told(tmp_path):
    """Two copies of one ledger: neither knows of the other's requests; what stands twice is told, and found again."""
    shop, one, two = OutletShop(), tmp_path / "one", tmp_path / "two"
    post(one, shop, orders(12))
    shutil.copy(one, two)
    ended = undo_beside((one, two), shop)
    twice = {number for number in numbers(12) if len(shop.bills_of(f"{number}:undo")) > 1}
    assert twice, "the two did not meet"
    told = set()
    for result in ended:
        told.update(result.duplicated)
        assert result.exit_code is ExitCode.USAGE
    assert told == twice
    for path in (one, two):
        assert set(recovered(path, shop).duplicated) == twice


def test_an_undo_beside_a_run_with_a_copy_of_the_ledger(tmp_path):
    """The run posts what the undo's ledger never sent: whoever looks last stops; nothing is there or reversed twice."""
    shop, one, two = OutletShop(), tmp_path / "one", tmp_path / "two"
    post(one, shop, orders(12))
    shutil.copy(one, two)
    more = [*orders(12), *(an_order(str(number)) for number in range(100, 130))]
    undone, run = undo_beside((one, two), shop, more)
    codes = {one.exit_code for one in (undone, run)}
    assert ExitCode.USAGE in codes
    assert max(undos(shop, numbers(12))) <= 1
    assert shop.times_posted([order.number for order in more]) <= {0, 1}
    recovered(one, shop)
    assert set(endings(undo(one, shop, run="run-1"))) <= {Ending.REVERSED, Ending.ALREADY}
    assert undos(shop, numbers(12)) == {1: 12}


def test_an_undo_holds_off_a_run_on_its_own_ledger(tmp_path):
    """What an undo left in doubt stands on disk: a run settles it and sends nothing of it again."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(12))
    with pytest.raises(Killed):
        undo(path, shop, run="run-1", checkpoint=KillAt("answer.received", 2))
    again = post(path, shop, orders(12), "run-2")
    assert again.stop is None, again.stop
    assert shop.times_posted(numbers(12)) == {1}
    result = undo(path, shop, run="run-1")
    assert set(endings(result)) <= {Ending.REVERSED, Ending.ALREADY}
    assert undos(shop, numbers(12)) == {1: 12}


def test_opposites_that_come_too_late_are_told(tmp_path):
    """Mews commits beyond the settling time what two looks proved absent: the copies are told, never silent."""
    shop, path = OutletShop(), tmp_path / "ledger"
    post(path, shop, orders(12))
    storm(shop, "delayed-commit:on=outletBills/add:at=2:seconds=500")
    result = undo(path, shop, run="run-1")
    assert endings(result) == {Ending.REVERSED: 12}
    shop.timeline.pass_until(shop.timeline.now + 600)
    again = post(path, shop, orders(12), "run-2")
    assert undos(shop, numbers(12)) == {2: 11, 1: 1}
    assert len(again.duplicated) == 11
    assert set(recovered(path, shop).duplicated) == set(again.duplicated)
    assert shop.times_posted(numbers(12)) == {1}
