"""`recover` and `settle`: the ledger from Mews, and a person's decision checked against it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_copy import copy_ledger
from load_fakes import HOME, SERVICE, SmallMews, VirtualTime, a_payment, an_order, open_ledger, recover_into, run_poster
from undo_fakes import UndoMews, undo_in, with_lines

from etl.errors import ExitCode, MewsError, UsageError
from etl.ledger.ledger import Ledger
from etl.load.settling import settle
from etl.model.outcome import Kind, Outcome
from etl.model.plan import Verdict
from etl.model.states import State
from etl.model.status import ReportState


def settle_in(path: Path, mews: SmallMews, time: VirtualTime, number: str, **more):
    async def main():
        work = settle(
            ledger,
            mews,
            number,
            service_id=SERVICE,
            store="uk",
            settle_seconds=Decimal(180),
            clock=time,
            run_id="settle-1",
            **more,
        )
        return await time.drive(asyncio.ensure_future(work))

    with open_ledger(path, time) as ledger:
        return asyncio.run(main())


def orders(count: int, **more) -> list:
    return [an_order(str(number), **more) for number in range(1, count + 1)]


def test_a_lost_ledger_is_rebuilt_and_a_run_posts_only_what_is_missing(tmp_path, mews, time):
    """Orders and payments come back; a payment that never arrived is sent, nothing else twice."""
    batch = [an_order("1"), an_order("2", payments=(a_payment("gift1"), a_payment("pay1"))), an_order("3")]
    mews.script = lambda p, _: Outcome(Kind.REFUSED, status=403) if p.get("Notes", "").endswith("pay1") else None
    run_poster(tmp_path / "lost.sqlite", mews, time, batch)
    mews.script = lambda _p, _n: None
    found = recover_into(tmp_path / "new.sqlite", mews, time)
    assert (found.found, found.payments, found.different, found.duplicated) == (3, 1, {}, {})
    with Ledger.open(tmp_path / "new.sqlite", read_only=True) as ledger:
        assert ledger.counts()[State.POSTED] == 3
        assert ledger.order("1").posted_run_id == "recovered"
    batch.append(an_order("4"))
    result = run_poster(tmp_path / "new.sqlite", mews, time, batch, run_id="run-2")
    assert result.counts == {ReportState.ALREADY_POSTED: 2, ReportState.POSTED: 2}
    assert [mews.times_posted(number) for number in "1234"] == [1, 1, 1, 1]
    assert (mews.times_paid("2", "gift1"), mews.times_paid("2", "pay1")) == (1, 1)


def test_recovered_orders_that_differ_from_the_source_are_changed(tmp_path, mews, time):
    """What Mews holds decides for orders whose attempt nobody has any more; clamped times aside."""
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(4))
    recover_into(tmp_path / "new.sqlite", mews, time)
    batch = orders(4)
    batch[1] = an_order("2", amount="12.50")
    batch[2] = an_order("3", account_id="other")
    batch[3] = an_order("4", day=5, is_clamped=True)
    result = run_poster(tmp_path / "new.sqlite", mews, time, batch, run_id="run-2")
    assert result.counts == {ReportState.ALREADY_POSTED: 2, ReportState.CHANGED: 2}
    assert len(mews.calls) == 4
    again = run_poster(tmp_path / "new.sqlite", mews, time, orders(4, account_id="moved"), run_id="run-3")
    assert again.counts[ReportState.ALREADY_POSTED] == 2, "adopted orders go by their fingerprint: mapping is no change"


def test_recover_waits_for_what_is_still_on_its_way(tmp_path, mews, time):
    """An order that commits after the first scan is found by the second."""
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(1))
    mews.book(dict(mews.calls[0], Notes="[centra:uk:9] x"), "late-1", 100.0)
    at, row = mews.items[-1]
    mews.items[-1] = (at, replace(row, external_identifier="centra:uk:9:p1"))
    found = recover_into(tmp_path / "new.sqlite", mews, time)
    assert found.found == 2


def test_recover_leaves_room_for_reads_that_lag(tmp_path, mews, time):
    """What another ledger posts while it reads may show only later: the next run looks from before that."""
    path = tmp_path / "new.sqlite"
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(1))
    mews.lag = 85.0
    mews.book(dict(mews.calls[0], Notes="[centra:uk:9] x"), "late-1", 170.0)
    assert recover_into(path, mews, time).found == 1
    time.seconds += 100
    result = run_poster(path, mews, time, orders(2), run_id="run-2")
    assert result.exit_code is ExitCode.USAGE
    assert result.sent == 0


def test_recover_takes_in_nothing_of_another_store(tmp_path, mews, time):
    """A store's order of the same number, on the same service, is another order."""
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(2))
    mews.items = [
        (
            at,
            replace(
                row,
                notes=row.notes.replace(":uk:2]", ":se:2]"),
                external_identifier=row.external_identifier.replace(":uk:2:", ":se:2:"),
            ),
        )
        for at, row in mews.items
    ]
    path = tmp_path / "new.sqlite"
    assert recover_into(path, mews, time).found == 1
    assert run_poster(path, mews, time, orders(2), run_id="run-2").sent == 1


def test_recover_tells_what_is_there_twice_or_in_part(tmp_path, mews, time):
    """A person has to look at these; they are never sent."""
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(3))
    at, row = mews.items[1]
    mews.items.append((at, replace(row, id="twin", order_id="twin-order")))
    at, row = mews.items[2]
    mews.items[2] = (at, replace(row, external_identifier="centra:uk:3:p2"))
    found = recover_into(tmp_path / "new.sqlite", mews, time)
    assert set(found.duplicated) == {"2"}
    assert set(found.different) == {"3"}
    result = run_poster(tmp_path / "new.sqlite", mews, time, orders(3), run_id="run-2")
    assert result.counts == {ReportState.ALREADY_POSTED: 2, ReportState.CHANGED: 1}
    assert len(mews.calls) == 3


@pytest.mark.parametrize("is_known", [True, False])
def test_recover_tells_what_the_staff_cancelled_of_an_order(tmp_path, mews, time, is_known):
    """One of two items is gone: the order is no longer there as it was posted, and is told once."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, [with_lines("1", 2), an_order("2")])
    mews.items = [
        (at, replace(row, canceled=mews.now(), state="Canceled") if row.id == "OrderId-1-0" else row)
        for at, row in mews.items
    ]
    ledger = path if is_known else tmp_path / "b.sqlite"
    result = recover_into(ledger, mews, time)
    assert result.different == {"1": "1 of its items are cancelled in Mews"}
    with Ledger.open(ledger, read_only=True) as held:
        assert [held.order(number).state for number in "12"] == [State.DIFFERENT, State.POSTED]


def test_recover_completes_an_old_ledger(tmp_path, mews, time):
    """An old copy gets what it missed, and then runs on."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, orders(2))
    copy = tmp_path / "b.sqlite"
    copy_ledger(path, copy)
    run_poster(path, mews, time, orders(5), run_id="run-2")
    found = recover_into(copy, mews, time)
    assert (found.found, found.known) == (3, 2)
    result = run_poster(copy, mews, time, orders(6), run_id="run-3")
    assert result.counts == {ReportState.ALREADY_POSTED: 5, ReportState.POSTED: 1}


def test_a_broken_walk_changes_nothing(tmp_path, mews, time):
    """Half a scan must not look like a whole ledger."""
    run_poster(tmp_path / "lost.sqlite", mews, time, orders(2))
    mews.failing_reads = 99
    with pytest.raises(MewsError):
        recover_into(tmp_path / "new.sqlite", mews, time)
    with Ledger.open(tmp_path / "new.sqlite", read_only=True) as ledger:
        assert ledger.counts()[State.POSTED] == 0
        assert ledger.watermark() is None


def test_people_who_skip_a_posted_order_see_it_as_changed(tmp_path, mews, time):
    """The source now skips it, but Mews has it: reported, not forgotten."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, orders(2))
    with open_ledger(path, time) as ledger:
        skipped = an_order("1", verdict=Verdict.SKIPPED, skip_fingerprint="sha256:cancelled", skip_reason="status")
        ledger.record_plan("run-2", [skipped, an_order("2", verdict=Verdict.BLOCKED, entries=())])
        assert ledger.order("1").changed
        assert not ledger.order("2").changed, "a mapping that blocks now is no change of the source"


def an_unknown(path, mews, time, *, lost: bool) -> None:
    """A ledger whose order 2 is unknown, hidden behind missing marks."""
    run_poster(path, mews, time, orders(1))
    mews.script = lambda _, n: (("lost", 0.0) if lost else Outcome(Kind.UNKNOWN, message="reset")) if n == 2 else None
    mews.hides_identifiers = mews.hides_notes = lost
    extra = an_order("2", amount="99.00", account_id="account-2")
    result = run_poster(path, mews, time, [*orders(1), extra], run_id="run-2", run={"no_wait": True})
    assert result.exit_code is ExitCode.ATTENTION


def test_settle_posted_is_checked_against_mews(tmp_path, mews, time):
    """Only an OrderId that carries what was sent, and is nobody else's, is taken."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=True)
    for wrong in ("OrderId-1", "OrderId-77"):
        with pytest.raises(UsageError) as caught:
            settle_in(path, mews, time, "2", posted_order_id=wrong)
        assert caught.value.code == "settle.contradicted"
    assert settle_in(path, mews, time, "2", posted_order_id="OrderId-2") is State.POSTED
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").mews_order_id == "OrderId-2"


@pytest.mark.parametrize(
    ("order_id", "change", "shows", "said"),
    [
        ("OrderId-77", {}, False, "Mews has no items of OrderId OrderId-77"),
        ("OrderId-2", {"service_id": "another"}, False, "belongs to another service"),
        ("OrderId-1", {}, True, "carries the mark of order 1"),
        ("OrderId-1", {}, False, "OrderId OrderId-1 is order 1"),
        ("OrderId-2", {"gross": Decimal("98.00"), "net": Decimal("81.67")}, False, "is not what was sent"),
    ],
)
def test_settle_posted_says_what_speaks_against_it(tmp_path, mews, time, order_id, change, shows, said):
    """Each ground alone is enough: a wrong OrderId would leave the order unsent, or reverse another one later."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=True)
    mews.hides_identifiers = mews.hides_notes = not shows
    mews.items = [(at, replace(row, **change) if row.order_id == "OrderId-2" else row) for at, row in mews.items]
    with pytest.raises(UsageError) as caught:
        settle_in(path, mews, time, "2", posted_order_id=order_id)
    assert (caught.value.code, said in caught.value.message) == ("settle.contradicted", True), caught.value.message
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is State.UNKNOWN


def test_settle_absent_is_checked_against_mews(tmp_path, mews, time):
    """Nobody may call absent what is there, or may still arrive."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=False)
    with pytest.raises(UsageError):
        settle_in(path, mews, time, "2", absent=True)
    time.seconds += 200
    assert settle_in(path, mews, time, "2", absent=True) is State.READY
    with pytest.raises(UsageError) as caught:
        settle_in(path, mews, time, "1", absent=True)
    assert caught.value.code == "settle.not_open"


def test_settle_absent_refuses_what_carries_our_mark(tmp_path, mews, time):
    """The mark in Mews beats the person."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=True)
    mews.hides_notes = False
    time.seconds += 200
    with pytest.raises(UsageError) as caught:
        settle_in(path, mews, time, "2", absent=True)
    assert caught.value.code == "settle.contradicted"


def an_unknown_payment(path, mews, time, *, lost: bool) -> None:
    """A ledger whose order 2 is posted and its gift card in doubt; Mews returns no mark of payments."""
    run_poster(path, mews, time, orders(1))
    # Order 1, order 2, then the gift card of order 2.
    mews.script = lambda _, n: (("lost", 0.0) if lost else Outcome(Kind.UNKNOWN, message="reset")) if n == 3 else None
    mews.hides_identifiers = mews.hides_notes = True
    paid = an_order("2", payments=(a_payment("gift1", "5.00"),))
    run_poster(path, mews, time, [*orders(1), paid], run_id="run-2", run={"no_wait": True})
    mews.script = lambda _p, _n: None
    time.seconds += 400
    run_poster(path, mews, time, [*orders(1), paid], run_id="run-3")


def test_a_payment_without_any_mark_is_never_paid_twice(tmp_path, mews, time):
    """Same account and amount but no mark: a person decides, for a gift card counted twice is the hotel's money."""
    path = tmp_path / "a.sqlite"
    an_unknown_payment(path, mews, time, lost=True)
    assert mews.times_paid("2", "gift1") == 1
    with Ledger.open(path, read_only=True) as ledger:
        gift = next(part for part in ledger.parts(["2"])["2"] if part.part == "gift1")
    assert gift.state is State.UNKNOWN
    ((_, payment),) = mews.paid
    assert payment.id in gift.held
    with pytest.raises(UsageError):
        settle_in(path, mews, time, "2", posted_order_id="nobody's")
    assert settle_in(path, mews, time, "2", posted_order_id=payment.id) is State.POSTED
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is State.POSTED


def test_settle_says_what_speaks_against_a_payment(tmp_path, mews, time):
    """On its way, another payment, or there with its mark: each keeps a person from deciding it wrongly."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, orders(1))
    mews.script = lambda _, n: ("lost", 0.0) if n == 3 else None
    mews.hides_identifiers = mews.hides_notes = True
    paid = an_order("2", payments=(a_payment("gift1", "5.00"),))
    run_poster(path, mews, time, [*orders(1), paid], run_id="run-2", run={"no_wait": True})
    mews.hides_identifiers = mews.hides_notes = False
    ((at, payment),) = mews.paid
    with pytest.raises(UsageError, match="may still be on its way"):
        settle_in(path, mews, time, "2", posted_order_id=payment.id)
    time.seconds += 400
    with pytest.raises(UsageError, match=f"is in Mews as {payment.id}"):
        settle_in(path, mews, time, "2", absent=True)
    mews.paid = [(at, replace(payment, gross=Decimal("-4.00"), net=Decimal("-4.00")))]
    with pytest.raises(UsageError, match="is not what was sent"):
        settle_in(path, mews, time, "2", posted_order_id=payment.id)


def test_a_payment_that_is_not_there_is_sent_again(tmp_path, mews, time):
    """Nothing of that amount on the account: the gift card never arrived, and the balance would stay open."""
    path = tmp_path / "a.sqlite"
    an_unknown_payment(path, mews, time, lost=False)
    assert mews.times_paid("2", "gift1") == 1
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is State.POSTED


def test_home_is_checked(tmp_path, time):
    """A ledger used against another property refuses and names both."""
    with open_ledger(tmp_path / "a.sqlite", time) as ledger, pytest.raises(UsageError) as caught:
        ledger.bind(replace(HOME, enterprise_id="enterprise-2"))
    assert "enterprise-1" in caught.value.message
    assert "enterprise-2" in caught.value.message


@pytest.mark.parametrize("choice", [{}, {"posted_order_id": "OrderId-1", "absent": True}], ids=["neither", "both"])
def test_a_person_says_one_thing(tmp_path, mews, time, choice):
    """Neither word, or both: nothing is decided."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=False)
    time.seconds += 200
    with pytest.raises(UsageError) as caught:
        settle_in(path, mews, time, "2", **choice)
    assert caught.value.code == "settle.choice"


def test_nobody_decides_on_an_order_that_the_ledger_does_not_know(tmp_path, mews, time):
    """A slip of the pen in the number is told as that; so is an order of which nothing was ever sent."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, orders(1))
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-2", [an_order("3")])
    for number, why in (("77", "knows no order 77"), ("3", "order 3 is ready")):
        with pytest.raises(UsageError, match=why) as caught:
            settle_in(path, mews, time, number, absent=True)
        assert caught.value.code == "settle.not_open"


def test_a_person_decides_on_the_generation_that_is_in_doubt(tmp_path, time):
    """The order was undone and is on its way again: the first generation is decided long since."""
    path, mews = tmp_path / "a.sqlite", UndoMews(time)
    run_poster(path, mews, time, orders(2))
    undo_in(path, mews, time, only=["2"])
    mews.script = lambda _payload, _number: Outcome(Kind.UNKNOWN, message="reset")
    again = {"no_wait": True, "repost_undone": True}
    run_poster(path, mews, time, orders(2), run_id="run-2", run=again)
    time.seconds += 200
    assert settle_in(path, mews, time, "2", absent=True) is State.READY
    with Ledger.open(path, read_only=True) as ledger:
        assert {part.generation: part.state for part in ledger.parts(["2"])["2"] if part.part == "order"} == {
            1: State.UNDONE,
            2: State.READY,
        }


def test_a_person_decides_on_an_order_before_its_payments(tmp_path, mews, time):
    """Its gift card waits for it, and is not what is in doubt."""
    path = tmp_path / "a.sqlite"
    mews.script = lambda _payload, number: Outcome(Kind.UNKNOWN, message="reset") if number == 2 else None
    paid = an_order("2", payments=(a_payment("gift1", "5.00"),))
    run_poster(path, mews, time, [*orders(1), paid], run={"no_wait": True})
    time.seconds += 200
    assert settle_in(path, mews, time, "2", absent=True) is State.READY


def test_nothing_is_decided_of_what_is_certain(tmp_path, time):
    """Posted and there, with its gift card; and a reversal in doubt is for an undo to settle, not for a person."""
    path, mews = tmp_path / "a.sqlite", UndoMews(time)
    run_poster(path, mews, time, [an_order("1", payments=(a_payment("gift1"),)), an_order("2")])
    time.seconds += 400
    for number in "12":
        with pytest.raises(UsageError, match="there is nothing to decide") as caught:
            settle_in(path, mews, time, number, absent=True)
        assert caught.value.code == "settle.not_open"
    mews.may_cancel = False
    mews.script = lambda _payload, _number: Outcome(Kind.UNKNOWN, message="reset")
    undo_in(path, mews, time, only=["2"])
    time.seconds += 400
    with pytest.raises(UsageError, match="there is nothing to decide"):
        settle_in(path, mews, time, "2", absent=True)


def test_a_posted_order_that_mews_does_not_know_is_for_a_person(tmp_path, mews, time):
    """Its OrderId leads nowhere: it may go again once somebody says that nothing of it is there, and not before."""
    path = tmp_path / "a.sqlite"
    run_poster(path, mews, time, orders(2))
    mews.items = [(at, row) for at, row in mews.items if row.order_id != "OrderId-2"]
    with pytest.raises(UsageError, match="may still be on its way"):
        settle_in(path, mews, time, "2", absent=True)
    time.seconds += 400
    assert settle_in(path, mews, time, "2", absent=True) is State.READY
    run_poster(path, mews, time, orders(2), run_id="run-2")
    assert mews.times_posted("2") == 1


def test_what_carries_the_orders_own_mark_may_be_named(tmp_path, mews, time):
    """Mews shows marks again: an OrderId that bears the order's own is the likeliest of all."""
    path = tmp_path / "a.sqlite"
    an_unknown(path, mews, time, lost=True)
    mews.hides_identifiers = mews.hides_notes = False
    assert settle_in(path, mews, time, "2", posted_order_id="OrderId-2") is State.POSTED
