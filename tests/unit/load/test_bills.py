"""Posting on the outlet route: many orders in one request, each once, whatever happens to the request."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from bill_world import OUTLET, START, Killed, OutletShop, an_order, facts_of, open_ledger, post
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.ledger.send_steps import SendSteps
from etl.ledger.steps import KindBusyError
from etl.load import refusals
from etl.load.bills import BatchRecord, Bill, batches
from etl.load.breaker import Breaker
from etl.load.traffic import Traffic
from etl.mews.outlets import OutletReader
from etl.model.outcome import Kind, Outcome
from etl.model.states import State
from etl.model.status import ReportState


def orders(count: int, **more):
    return [an_order(str(number), day=number % 100, **more) for number in range(1, count + 1)]


def numbers(count: int):
    return [str(number) for number in range(1, count + 1)]


def states(path) -> Counter:
    with Ledger.open(path, read_only=True) as ledger:
        return Counter(order.state for order in ledger.orders())


def test_many_orders_are_few_requests(tmp_path):
    """The first goes alone and is read back, the others as many at once as fit; each knows its bill at the end."""
    shop, path = OutletShop(), tmp_path / "ledger"
    result = post(path, shop, orders(2501), most=1000)
    assert result.exit_code is ExitCode.DONE, result
    assert result.counts == {ReportState.POSTED: 2501}
    assert shop.times_posted(numbers(2501)) == {1}
    assert shop.requests() == [200] * 4
    with Ledger.open(path, read_only=True) as ledger:
        for number in ("1", "2", "1500", "2501"):
            assert [ledger.order(number).mews_order_id] == shop.bills_of(number)
        assert not ledger.lacks_ids()
    again = post(path, shop, orders(2501), "run-2")
    assert again.counts == {ReportState.ALREADY_POSTED: 2501}
    assert shop.requests() == [200] * 4


@pytest.mark.parametrize("most", [1, 10])
def test_a_bill_whose_kind_another_run_tries_waits_for_it(tmp_path, monkeypatch, most):
    """On a shared ledger: it stays out of its request, which goes, and is sent once the kind is known."""
    shop, path, check = OutletShop(), tmp_path / "ledger", SendSteps._check_ready
    busy = [("7", KindBusyError)] * 4

    def check_ready(steps, intent):
        if busy and intent.number == busy[0][0]:
            raise busy.pop()[1]("another run tries it")
        check(steps, intent)

    monkeypatch.setattr(SendSteps, "_check_ready", check_ready)
    result = post(path, shop, orders(20), most=most)
    assert (result.exit_code, result.counts) == (ExitCode.DONE, {ReportState.POSTED: 20})
    assert not busy
    assert shop.times_posted(numbers(20)) == {1}


def test_a_bill_that_waits_for_its_customer_does_not_wait_for_a_kind_as_well(tmp_path, monkeypatch):
    """In one request's stretch are a bill of a kind that another run tries and one whose customer is in doubt: each goes once."""
    path, check = tmp_path / "ledger", SendSteps._check_ready
    shop = OutletShop("reset-after-commit:on=customers/add:at=1")
    person = {"create_customer": (("Email", "zoe@example.com"), ("LastName", "Quick")), "account_key": "create"}
    plan = [replace(order, **person) if order.number == "5" else order for order in orders(20)]
    busy = ["another run tries it"] * 6

    def check_ready(steps, intent):
        if busy and intent.number == "7":
            raise KindBusyError(busy.pop())
        check(steps, intent)

    monkeypatch.setattr(SendSteps, "_check_ready", check_ready)
    result = post(path, shop, plan, most=30)
    assert (result.stop, result.exit_code, result.counts) == (None, ExitCode.DONE, {ReportState.POSTED: 20})
    assert shop.times_posted(numbers(20)) == {1}


def test_what_refusals_keep_is_judged_by_whoever_has_them_in_hand():
    """Another run may have sent one of them again by now: there it would be taken for kept by Mews."""
    facts = {refusals.PENDING: '[["1", 1, "order"]]', refusals.FIRST: '["1", 1, "order", "sha256:1"]'}
    written = {}
    steps = SimpleNamespace(part_state=lambda *_: State.POSTED, meta=written.__setitem__)
    ledger = SimpleNamespace(meta=facts.get, elsewhere=frozenset)
    assert refusals.judge(steps, ledger, ()) is None
    assert written == {}
    ledger.elsewhere = lambda _: frozenset()
    assert refusals.judge(steps, ledger, ()) is refusals.Keep.SOME


def test_what_is_known_of_refusals_is_not_judged_again():
    """A bill of the request that proved them whole was sent again since: it is none that Mews kept."""
    facts = {refusals.PENDING: '[["1", 1, "order"]]', refusals.WHOLE: '["1",1,"order","sha256:1"]'}
    written = {}
    steps = SimpleNamespace(part_state=lambda *_: State.POSTED, meta=written.__setitem__)
    ledger = SimpleNamespace(meta=facts.get, elsewhere=lambda _: frozenset())
    assert refusals.judge(steps, ledger, ()) is None
    assert written == {}


@pytest.mark.parametrize("count", [1, 2])
def test_an_answer_to_several_bills_is_no_last_word_on_each(count):
    """409 is settled bill by bill, and what is refused of several is counted where each is looked up."""
    told = []
    steps = SimpleNamespace(
        meta=lambda *_: None,
        conclude=lambda *_, is_last_try, **__: told.append(is_last_try),
        is_refusal_of_kind=lambda *_: False,
    )
    intents = [SimpleNamespace(key=(str(one), 1, "order"), payload_hash="sha256:x") for one in range(count)]
    record = BatchRecord(intents, SimpleNamespace(meta=lambda _: None), [1] * count)

    def concluded(outcome):
        return record.conclude(steps, record.judge(outcome), at=None, is_last_try=True)

    is_counted = concluded(Outcome(Kind.CONFLICT, status=409, message="changed"))
    assert told == [count == 1] * count
    assert is_counted is (count > 1)
    assert concluded(Outcome(Kind.REFUSED, status=403, message="no")) is (count > 1)
    assert not concluded(Outcome(Kind.UNKNOWN, message="reset"))


def test_what_is_counted_elsewhere_ends_no_run():
    """Refusals of a kind, and of several bills: any number of them; of the rest, twenty in the same words."""
    halt = SimpleNamespace(stop=lambda error: ended.append(error.code))
    traffic, ended = Traffic(SimpleNamespace(pause=ended_by), SimpleNamespace(), random.Random(1), halt), []
    for kind in (Kind.REFUSED, Kind.UNKNOWN):
        for _ in range(40):
            traffic.heed(Outcome(kind, status=403, message="no"), is_expected=True)
    assert ended == []
    for _ in range(20):
        traffic.heed(Outcome(Kind.REFUSED, status=403, message="no"))
    assert ended == ["run.refusals"]


def ended_by(seconds):
    raise AssertionError(f"everybody rests for {seconds} s")


def test_the_first_refused_request_is_judged_to_its_end():
    """A second one, refused while two looks are still open, does not take its place: what it kept would be forgotten."""
    facts = {}
    steps, ledger = SimpleNamespace(meta=facts.__setitem__), SimpleNamespace(meta=facts.get)
    refusals.note(steps, ledger, [("1", 1, "order"), ("2", 1, "order")], "sha256:1")
    noted = dict(facts)
    refusals.note(steps, ledger, [("3", 1, "order")], "sha256:3")
    assert facts == noted
    facts[refusals.PENDING] = "[]"
    refusals.note(steps, ledger, [("3", 1, "order")], "sha256:3")
    assert facts[refusals.FIRST] == '["3",1,"order","sha256:3"]'


def test_a_bill_is_what_was_planned(tmp_path):
    """Number, outlet, closing, marker, payments as items; of several units Mews shows one, and the prediction stands."""
    shop, path = OutletShop(), tmp_path / "ledger"
    result = post(path, shop, [an_order("1", amount="1.25", count=12, gift="5.00"), an_order("2")])
    assert result.exit_code is ExitCode.DONE, result
    (bill_id,) = shop.bills_of("1")
    bill = shop.sandbox.outlets.bills[bill_id]
    assert (bill.outlet_id, bill.notes) == (OUTLET, "[centra:uk:1] Centra order 1")
    items = shop.sandbox.outlets.items_of(bill_id)
    assert [item.type for item in items] == ["Revenue", "Revenue", "Payment", "Payment"]
    assert sum(item.amount.gross for item in items) == 0


@pytest.mark.parametrize(
    "fault",
    [
        "reset-after-commit:on=outletBills/add:at=2",
        "reset-before-commit:on=outletBills/add:at=2",
        "timeout-after-commit:on=outletBills/add:at=2",
        "status-500-after:on=outletBills/add:at=2",
        "delayed-commit:on=outletBills/add:at=2:seconds=40",
        "truncate:on=outletBills/add:at=2",
        "no-order-id:on=outletBills/add:at=2",
        "status-409:on=outletBills/add:at=2+3+4+5+6",
        "partly-committed:at=2",
        "wrong-bill-ids:at=2",
    ],
)
def test_a_request_in_doubt_is_settled_bill_by_bill(tmp_path, fault):
    """Each order of it is looked up by itself; what is not there goes again, what is there does not."""
    shop, path = OutletShop(fault), tmp_path / "ledger"
    result = post(path, shop, orders(60), most=20)
    assert result.exit_code is ExitCode.DONE, result
    assert shop.times_posted(numbers(60)) == {1}
    assert states(path) == {State.POSTED: 60}


@pytest.mark.parametrize("kept", ["whole", "partial", "others"])
def test_one_bad_bill_does_not_keep_the_others(tmp_path, kept):
    """Down to the one that Mews refuses, whatever a refusal of several leaves there."""
    shop, path = OutletShop(f"refused-bills:commit={kept}"), tmp_path / "ledger"
    given = orders(100)
    given[41] = replaced(given[41])
    result = post(path, shop, given, most=50)
    assert result.exit_code is ExitCode.ATTENTION, result
    assert result.counts[ReportState.REJECTED] == 1
    # Those that a refused request left there are found by looking.
    recovered = result.counts[ReportState.RECOVERED]
    assert result.counts[ReportState.POSTED] + recovered == 99
    assert bool(recovered) == (kept != "whole")
    assert shop.times_posted([number for number in numbers(100) if number != "42"]) == {1}
    assert shop.times_posted(["42"]) == {0}
    with Ledger.open(path, read_only=True) as ledger:
        found = refusals.verdict(ledger)
        assert found is (refusals.Keep.NOTHING if kept == "whole" else refusals.Keep.SOME)
        row = ledger.order("42")
        assert row.code == "mews.refused"
        assert "together" not in row.message


@pytest.mark.parametrize("kept", ["whole", "partial", "others"])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_bad_bill_at_the_head_proves_nothing(tmp_path, kept, concurrency):
    """Of a request that begins with it, a Mews that keeps what stands before the bad bill keeps nothing, either."""
    shop, path = OutletShop(f"refused-bills:commit={kept}"), tmp_path / "ledger"
    given = orders(100)
    bad = {"2", "12", "26", "38", "49", "77"}
    given = [replaced(one) if one.number in bad else one for one in given]
    result = post(path, shop, given, most=10, concurrency=concurrency)
    assert result.exit_code is ExitCode.ATTENTION, result
    assert not result.duplicated
    assert result.counts[ReportState.REJECTED] == len(bad)
    assert shop.times_posted(set(numbers(100)) - bad) == {1}
    assert shop.times_posted(bad) == {0}
    with Ledger.open(path, read_only=True) as ledger:
        assert (refusals.verdict(ledger) is refusals.Keep.NOTHING) == (kept == "whole")


def replaced(order):
    """The order, of which Mews refuses a tax code."""
    first, *rest = order.entries
    return replace(order, entries=(replace(first, codes=("NO-SUCH",)), *rest))


def test_refusals_are_found_out_once(tmp_path):
    """From then on a refused request is halved at once, without a scan."""
    shop, path = OutletShop(), tmp_path / "ledger"
    given = orders(40)
    given[20] = replaced(given[20])
    post(path, shop, given, most=20, concurrency=1)
    waited = shop.timeline.now
    assert waited >= 60
    more = [an_order(str(number)) for number in range(101, 141)]
    more[7] = replaced(more[7])
    result = post(path, shop, [*given, *more], "run-2", most=20)
    assert result.counts[ReportState.REJECTED] == 2
    assert shop.timeline.now - waited < 20
    assert shop.times_posted([order.number for order in more if order.number != "108"]) == {1}


@pytest.mark.parametrize("kept", ["partial", "others"])
def test_what_an_earlier_version_noted_without_a_proof_does_not_count(tmp_path, kept):
    """Its note says that refusals are whole, of a Mews that keeps a part: halved at once, bills would stand twice."""
    shop, path = OutletShop(f"refused-bills:commit={kept}"), tmp_path / "ledger"
    post(path, shop, orders(5))
    with open_ledger(path, shop) as ledger:
        ledger.set_meta("refusals_of_several", "nothing")
    given = orders(60)
    given[41] = replaced(given[41])
    result = post(path, shop, given, "run-2", most=30, concurrency=1)
    assert result.counts[ReportState.REJECTED] == 1
    assert not result.duplicated
    assert shop.times_posted([number for number in numbers(60) if number != "42"]) == {1}
    with Ledger.open(path, read_only=True) as ledger:
        assert refusals.verdict(ledger) is refusals.Keep.SOME


def test_refusals_of_several_do_not_stop_the_run():
    """Twenty equal refusals in a row stop a run, and so do many faults; those of several are neither."""
    breaker = Breaker(random.Random(1))
    for _ in range(100):
        assert breaker.see(Outcome(Kind.SPLIT, status=400, message="no"), is_expected=True) is None
        assert breaker.see(Outcome(Kind.UNKNOWN, status=400, message="no"), is_expected=True) is None
    assert breaker.faults == breaker.refusals == 0


def test_a_request_too_large_is_halved(tmp_path):
    """413 is about the request's size and nothing else: definite, without a look."""
    shop, path = OutletShop(largest_body=20_000), tmp_path / "ledger"
    result = post(path, shop, orders(100), most=100)
    assert result.exit_code is ExitCode.DONE, result
    assert shop.times_posted(numbers(100)) == {1}
    assert Counter(shop.requests())[413] <= 4
    with Ledger.open(path, read_only=True) as ledger:
        assert refusals.verdict(ledger) is None


def test_no_request_is_larger_than_mews_takes(tmp_path):
    """4 MiB, tokens and all: nothing is tried that would be refused. A bill larger than that alone is refused by itself."""
    shop, path = OutletShop(), tmp_path / "ledger"
    given = [replace(one, notes="x" * 60_000) for one in orders(150)]
    given[70] = replace(given[70], notes="x" * 5_000_000)
    result = post(path, shop, given)
    assert result.counts == {ReportState.POSTED: 149, ReportState.REJECTED: 1}, result
    assert Counter(shop.requests()) == {200: 5, 413: 1}
    assert shop.times_posted([one.number for one in given if one.number != "71"]) == {1}
    assert states(path) == {State.POSTED: 149, State.REJECTED: 1}


@given(
    sizes=st.lists(st.integers(1, 120), max_size=40),
    limits=st.lists(st.integers(1, 9), min_size=40, max_size=40),
    largest=st.integers(50, 300),
)
def test_bills_are_cut_into_requests_in_their_order(sizes, limits, largest):
    """Each once, so many as each of them may travel with, so many bytes as a request may have."""
    frame = 1024
    bills = [Bill(b"x" * size, SimpleNamespace(number=at)) for at, size in enumerate(sizes)]
    found = batches(bills, lambda bill: limits[bill.intent.number], largest + frame)
    assert [bill for batch in found for bill in batch] == bills
    for batch in found:
        assert len(batch) <= min(limits[bill.intent.number] for bill in batch)
        assert len(batch) == 1 or sum(len(bill.content) + 1 for bill in batch) <= largest


class KillAt:
    """Raises at the n-th checkpoint of that name."""

    def __init__(self, name: str, count: int = 1) -> None:
        self.name, self.left = name, count

    def __call__(self, name: str) -> None:
        if not self.name or name == self.name:
            self.left -= 1
            if self.left == 0:
                raise Killed


WINDOWS = [
    # checkpoint, which of them, states of the 19 after the kill, bills in Mews besides the first
    ("slot.granted", 2, State.READY, 0),
    ("intent.recorded", 2, State.IN_FLIGHT, 0),
    ("answer.received", 2, State.IN_FLIGHT, 19),
    ("outcome.recorded", 2, State.POSTED, 19),
]


@pytest.mark.parametrize(("name", "count", "state", "there"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_the_disk_says_what_happened_to_all_of_them(tmp_path, name, count, state, there):
    """The intents of all stand there before the first byte, the outcomes after the answer; the rerun posts each once."""
    shop, path = OutletShop(), tmp_path / "ledger"
    with pytest.raises(Killed):
        post(path, shop, orders(20), checkpoint=KillAt(name, count))
    assert states(path) == Counter({State.POSTED: 1}) + Counter({state: 19})
    assert len(shop.sandbox.outlets.bills) == 1 + there
    result = post(path, shop, orders(20), "run-2")
    assert result.exit_code is ExitCode.DONE, result
    assert shop.times_posted(numbers(20)) == {1}


@pytest.mark.slow
def test_a_kill_anywhere_costs_nothing(tmp_path):
    """A run of batches with a bad bill and a lost answer is killed at every checkpoint, then run to its end."""
    at = 0
    while True:
        at += 1
        shop, path = OutletShop("partly-committed:at=3", "refused-bills:commit=partial"), tmp_path / f"ledger{at}"
        given = orders(12)
        given[7] = replaced(given[7])
        try:
            post(path, shop, given, most=4, checkpoint=KillAt("", at))
        except Killed:
            pass
        else:
            break
        result = post(path, shop, given, "run-2", most=4)
        assert result.stop is None, (at, result.stop)
        assert result.counts == {ReportState.POSTED: 11, ReportState.REJECTED: 1} or (
            result.counts[ReportState.REJECTED] == 1 and sum(result.counts.values()) == 12
        ), (at, result.counts)
        assert shop.times_posted([one for one in numbers(12) if one != "8"]) == {1}, at
    assert at > 20


def test_reads_that_lag_prove_nothing_too_early(tmp_path):
    """A bill that is there and not shown yet is not sent again."""
    shop, path = (
        OutletShop("reset-after-commit:on=outletBills/add:at=2", "lagging-reads:seconds=25"),
        tmp_path / "ledger",
    )
    result = post(path, shop, orders(30))
    assert result.exit_code is ExitCode.DONE, result
    assert shop.times_posted(numbers(30)) == {1}


def test_bills_that_move_while_they_are_read(tmp_path):
    """Their UpdatedUtc changes between two pages: what is missed there is not called absent."""
    shop, path = OutletShop("reset-after-commit:on=outletBills/add:at=2", "moving-bills"), tmp_path / "ledger"
    for number in range(900):
        shop.till(f"T{number}", START)
    result = post(path, shop, orders(300))
    assert result.exit_code is ExitCode.DONE, result
    assert shop.times_posted(numbers(300)) == {1}


def test_a_bill_that_moves_past_every_page_is_found_where_it_closed(tmp_path, monkeypatch):
    """Touched while pages by the last change are read, it is on none of them: that proves no absence."""
    by_last_change = OutletReader._since

    async def moved_past(self, given, outlets):
        async for page in by_last_change(self, given, outlets):
            yield [row for row in page if row.number != "2"]

    monkeypatch.setattr(OutletReader, "_since", moved_past)
    shop, path = OutletShop("reset-after-commit:on=outletBills/add:at=2"), tmp_path / "ledger"
    result = post(path, shop, orders(3))
    assert shop.times_posted(numbers(3)) == {1}
    assert result.exit_code is ExitCode.DONE, result


def test_orders_of_a_lost_ledger_are_met(tmp_path):
    """A fresh ledger looks at everything since the oldest outlet: what it never sent stops it."""
    shop = OutletShop()
    post(tmp_path / "one", shop, orders(50))
    result = post(tmp_path / "two", shop, orders(50), "run-2")
    assert result.exit_code is ExitCode.USAGE, result
    assert result.stop.code == "ledger.incomplete"
    assert shop.times_posted(numbers(50)) == {1}


def test_a_copy_at_work_is_met(tmp_path):
    """Two copies of one ledger: the closing look finds what is there twice."""
    import shutil

    shop = OutletShop()
    post(tmp_path / "one", shop, orders(5))
    shutil.copy(tmp_path / "one", tmp_path / "two")
    post(tmp_path / "one", shop, orders(25), "run-2")
    result = post(tmp_path / "two", shop, orders(25), "run-3")
    assert result.exit_code is ExitCode.USAGE
    assert shop.times_posted(numbers(25)) == {1}


def test_a_kind_is_tried_alone(tmp_path):
    """Older than the window: one first, alone in its request; refused three times, the others are held."""
    shop, path = OutletShop(outlet_window="P0Y0M150DT0H0M0S"), tmp_path / "ledger"
    old = [an_order(str(number), day=number, unproved=("old",)) for number in range(1, 31)]
    new = [an_order(str(number), day=100 + number % 90) for number in range(100, 130)]
    result = post(path, shop, [*new[:1], *old, *new[1:]])
    assert result.counts[ReportState.POSTED] == 30
    assert result.counts[ReportState.REJECTED] == 3
    assert result.counts[ReportState.BLOCKED] == 27
    assert shop.times_posted(order.number for order in old) == {0}
    with open_ledger(path, shop) as ledger:
        assert ledger.order("20").code == "kind.refused"
        # Together with others its refusal would have left all of them in doubt.
        assert ledger.meta(refusals.PENDING) is None


def test_a_return_follows_a_bill_whose_id_is_not_read_yet(tmp_path):
    """Posted among many, its own order has no id until the closing look: it is in Mews all the same."""
    shop, path = OutletShop(), tmp_path / "ledger"
    back = an_order("3-R1", amount="-12.00", paid="0", parent="3", unproved=("rebates",))
    result = post(path, shop, [*orders(6), back])
    assert result.counts == {ReportState.POSTED: 7}
    assert shop.times_posted(["3", "3-R1"]) == {1}


def test_a_return_does_not_travel_with_an_order_that_mews_refuses(tmp_path):
    """Both would fit into one request: the return waits until its own order is posted, and goes nowhere without it."""
    shop, path = OutletShop(), tmp_path / "ledger"
    back = an_order("3-R1", amount="-12.00", paid="0", parent="3")
    given = [replaced(one) if one.number == "3" else one for one in orders(6)]
    result = post(path, shop, [*given, back])
    assert shop.times_posted(["3", "3-R1"]) == {0}
    assert result.counts == {ReportState.POSTED: 5, ReportState.REJECTED: 1, ReportState.BLOCKED: 1}


def test_a_bill_without_an_id_is_posted(tmp_path):
    """For all who ask: whoever goes by its id alone takes it for unsent, or a return of it for gone."""
    shop, path = OutletShop("lagging-reads:seconds=20"), tmp_path / "ledger"
    given = [*orders(3), an_order("3-R1", amount="-12.00", paid="0", parent="3")]
    post(path, shop, given, no_wait=True)
    with Ledger.open(path, read_only=True) as ledger:
        rows = ledger.lookup([one.number for one in given])
        assert any(not row.mews_order_id for row in rows.values())
        assert all(row.has_posted for row in rows.values() if row.state is State.POSTED)
        assert rows["3-R1"].state is State.POSTED
        assert ledger.standing_returns() == ["3-R1"]


@pytest.mark.parametrize("ids", [["a"], ["a", "a"], ["a", "b", "c"], []])
def test_ids_that_do_not_fit_the_request_settle_nothing(tmp_path, ids):
    """As many distinct ids as bills say that all are there; fewer may be a part of them, more are none of ours."""
    from etl.load.bills import BatchRecord, freeze_bill
    from etl.load.jobs import Job

    with open_ledger(tmp_path / "ledger", OutletShop()) as ledger:
        two = [freeze_bill(Job(one, 1, True, [], {}), facts_of()).intent for one in orders(2)]
        record = BatchRecord(two, ledger)
        done = Outcome(Kind.DONE, status=200, body={"OutletBillIds": ids})
        assert record.judge(done).kind is Kind.UNKNOWN
        assert record.judge(Outcome(Kind.DONE, status=200, body={"OutletBillIds": ["a", "b"]})).kind is Kind.DONE
