"""Several workers that make customers on one ledger: one person is one customer, whoever meets him, dies, or answers late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from load_fakes import HOME, VirtualTime, a_poster, an_order
from pg_cluster import Cluster
from test_customers import People, new
from test_server_ledger import THERE, an_intent, run_out

from etl.errors import ExitCode
from etl.ledger.commit import Committer
from etl.ledger.customer_steps import NOT_CREATED, Refusal
from etl.ledger.ledger import Ledger
from etl.ledger.lock import LockLost
from etl.ledger.records import Customer
from etl.ledger.steps import NotReady, Steps
from etl.load.result import LoadResult
from etl.model.outcome import Kind, Outcome
from etl.model.plan import PlannedOrder
from etl.model.states import CustomerState, State

ZOE = "zoe@example.com"
SETTLE = 60
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = (CustomerState.READY, 0)
DONE = Outcome(Kind.DONE, {"CustomerId": "made-1"}, 200)
LOST = Outcome(Kind.UNKNOWN, message="reset")


@pytest.fixture
def url(postgres: Cluster, tmp_path) -> str:
    return postgres.new_database(f"c_{tmp_path.name}")


def worker(url: str, *, elsewhere: bool = False, time: VirtualTime | None = None) -> Ledger:
    """A run's ledger, one of several."""
    ledger = Ledger.open(url, **({"wall": time.wall} if time else {}))
    ledger.bind(HOME)
    ledger.take_lock("run", shared=True, me=THERE if elsewhere else None)
    return ledger


def begin(ledger: Ledger, email: str = ZOE, seen: tuple[CustomerState, int] = NOBODY) -> int:
    """The request that makes the person is about to leave."""
    with ledger.steps(people=[email]) as steps:
        return steps.intend_customer(email, seen, "sha256:p", "run-1")


def conclude(ledger: Ledger, attempt: int, outcome: Outcome, customer_id: str = "") -> None:
    """Mews answered."""
    with ledger.steps(people=[ZOE]) as steps:
        steps.conclude_customer(ZOE, attempt, outcome, at=AT, customer_id=customer_id)


def zoe(ledger: Ledger) -> Customer:
    return ledger.customers([ZOE])[ZOE]


def test_a_person_is_made_by_one(url):
    """Whoever has the intent on disk makes him: the other sends nothing, and a third who comes takes him for nobody's."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        attempt = begin(first)
        with pytest.raises(NotReady):
            begin(second)
        with worker(url) as third:
            assert third.bury() is False
            assert zoe(third).state is CustomerState.IN_FLIGHT
        conclude(first, attempt, DONE, "made-1")
        assert (zoe(second).state, zoe(second).customer_id) == (CustomerState.CREATED, "made-1")


def test_whom_another_tried_since_is_decided_on_anew(url):
    """Refused to one, he is not sent again by the other who looked before: one refusal tells as much as two."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        conclude(first, begin(first), Outcome(Kind.REFUSED, {}, 400, message="odd name"))
        assert zoe(first).state is CustomerState.REJECTED
        with pytest.raises(NotReady):
            begin(second)
        assert zoe(second).attempts == 1


def test_whom_a_dead_worker_was_making_is_in_doubt(url):
    """Design 10: unknown, settling from the lease's end plus five seconds; who had no intent is anybody's."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        begin(first)
        run_out(first)
        assert second.bury() is True
        since = second.seconds_since_last_byte()
        assert since is not None
        assert 20 < since < 30
        assert (zoe(second).state, zoe(second).settle_from) == (CustomerState.UNKNOWN, None)
        with second.steps() as steps:
            steps.start_settling(AT)
        assert zoe(second).settle_from == AT
        assert second.bury() is False
        begin(second, "bo@example.com")
        first._token = ""


def test_who_is_in_doubt_already_settles_from_his_own_time(url):
    """The dead sent their last byte before: two looks that count from there would prove absent what was sent since."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order("1"), an_order("2")])
        for at, (ledger, number) in enumerate(((first, "1"), (second, "2"))):
            ledger.claim([number])
            with ledger.steps([number]) as steps:
                seq = steps.intend(an_intent(number))
                if at:
                    steps.conclude(number, 1, "order", seq, LOST, at=AT)
        begin(first, "bo@example.com")
        conclude(second, begin(second), LOST)
        run_out(first)
        assert second.bury() is True
        before = AT - timedelta(seconds=SETTLE)
        with second.steps() as steps:
            steps.start_settling(before)
        assert {part.number: part.settle_from for part in second.unsettled()} == {"1": before, "2": AT}
        people = second.customers([ZOE, "bo@example.com"])
        assert {email: row.settle_from for email, row in people.items()} == {ZOE: AT, "bo@example.com": before}
        first._token = ""


def test_whoever_comes_next_settles_what_was_buried(url):
    """One dies; who buries him dies before saying since when it settles: the third does not leave it for another day."""
    with worker(url, elsewhere=True) as first, worker(url, elsewhere=True) as second, worker(url) as third:
        first.record_plan("run-1", [an_order("1")])
        first.claim(["1"])
        with first.steps(["1"]) as steps:
            steps.intend(an_intent("1"))
        run_out(first)
        assert second.bury() is True
        run_out(second)
        assert third.bury() is True
        assert -5 <= (third.seconds_since_last_byte() or 0) < 0
        with third.steps() as steps:
            steps.start_settling(AT)
        (part,) = third.unsettled()
        assert (part.settle_from, third.bury()) == (AT, False)
        first._token = second._token = ""


@pytest.mark.parametrize(
    ("outcome", "after", "state"),
    [
        (DONE, None, CustomerState.CREATED),
        (Outcome(Kind.REFUSED, {}, 400, message="odd name"), None, CustomerState.REJECTED),
        (LOST, None, CustomerState.UNKNOWN),
        (DONE, lambda steps: steps.find_customer(ZOE, "desk-1"), CustomerState.CREATED),
        (DONE, lambda steps: steps.refuse_customer(ZOE, Refusal("account.ambiguous", "two")), CustomerState.CREATED),
        (
            Outcome(Kind.REFUSED, {}, 400, message="odd name"),
            lambda steps: steps.find_customer(ZOE, "desk-1"),
            CustomerState.CREATED,
        ),
    ],
)
def test_a_late_answer_about_a_person_counts(
    url, outcome: Outcome, after: Callable[[Steps], object] | None, state: CustomerState
):
    """Who lost the lease sends nothing more; what Mews answered it is kept, unless somebody found the person since."""
    with worker(url, elsewhere=True) as first:
        attempt = begin(first)
        run_out(first)
        with worker(url) as second:
            if after is not None:
                with second.steps(people=[ZOE]) as steps:
                    after(steps)
            before = zoe(second)
            step = lambda steps: steps.conclude_customer(ZOE, attempt, outcome, at=AT, customer_id="made-1")  # noqa: E731
            with pytest.raises(LockLost):
                asyncio.run(Committer(first).do(step, people=(ZOE,), is_answer=True))
            row = zoe(second)
            assert row.state is state
            if before.state is CustomerState.CREATED:
                assert row == before
            elif state is CustomerState.CREATED:
                assert row.customer_id == "made-1"
        first._token = ""


def test_a_look_proves_nothing_about_what_was_sent_since(url):
    """Both look at whom nobody knows; one proves him absent and makes him again, unheard: the other's look is too old."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        conclude(first, begin(first), LOST)
        with first.steps(people=[ZOE]) as steps:
            steps.miss_customer(zoe(first), proved=False, at=AT)
        seen = zoe(second)
        assert seen.unseen_at == AT
        with first.steps(people=[ZOE]) as steps:
            steps.miss_customer(zoe(first), proved=True, at=AT)
        conclude(first, begin(first, seen=(CustomerState.READY, 1)), LOST)
        sent_again = zoe(first)
        for proved in (True, False):
            with second.steps(people=[ZOE]) as steps:
                assert steps.miss_customer(seen, proved=proved, at=AT + timedelta(seconds=9)) is None
            assert zoe(second) == sent_again


def test_absence_is_counted_once_by_two(url):
    """Three proofs give a person up, whoever has them: two workers who have the same one do not count it twice."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        for attempt in range(3):
            conclude(first, begin(first, seen=(CustomerState.READY, attempt)), LOST)
            seen = zoe(second)
            for ledger in (first, second):
                with ledger.steps(people=[ZOE]) as steps:
                    steps.miss_customer(seen, proved=True, at=AT)
            assert zoe(first).absents == attempt + 1
        assert (zoe(first).state, zoe(first).code) == (CustomerState.REJECTED, NOT_CREATED)


def test_who_was_made_or_found_stays(url):
    """All orders of a person go to one account, whatever another worker's older look shows."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        conclude(first, begin(first), DONE, "made-1")
        for step in (
            lambda steps: steps.find_customer(ZOE, "desk-1"),
            lambda steps: steps.refuse_customer(ZOE, Refusal("account.ambiguous", "two")),
        ):
            with second.steps(people=[ZOE]) as steps:
                assert step(steps) == zoe(first)
        assert zoe(first).customer_id == "made-1"


def test_whom_somebody_is_making_is_neither_found_nor_refused(url):
    """What a look shows while the request is under way may be what it makes: its answer says whom to charge."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        attempt = begin(first)
        for step in (
            lambda steps: steps.find_customer(ZOE, "desk-1"),
            lambda steps: steps.refuse_customer(ZOE, Refusal("account.ambiguous", "two")),
        ):
            with second.steps(people=[ZOE]) as steps:
                assert step(steps).state is CustomerState.IN_FLIGHT
        conclude(first, attempt, DONE, "made-1")
        assert (zoe(second).state, zoe(second).customer_id) == (CustomerState.CREATED, "made-1")


def test_who_was_refused_since_is_not_freed(url):
    """One looks at whom the cash list holds back; another has him tried and refused before that look is written."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        with first.steps(people=[ZOE]) as steps:
            seen = steps.refuse_customer(ZOE, Refusal("account.cashlist", "on the cash list"))
        with first.steps(people=[ZOE]) as steps:
            steps.free_customer(seen)
        conclude(first, begin(first), Outcome(Kind.REFUSED, {}, 400, message="odd name"))
        with second.steps(people=[ZOE]) as steps:
            steps.free_customer(seen)
        assert (zoe(second).state, zoe(second).code) == (CustomerState.REJECTED, NOT_CREATED)


def test_who_joins_leaves_the_account_of_an_order_in_hand(url):
    """The plan names nobody; the worker who is about to send the order has booked whom it charges."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [new("1"), new("2")])
        first.claim(["1"])
        with first.steps(["1", "2"]) as steps:
            steps.book_account("1", "made-1")
            steps.book_account("2", "made-1")
        second.record_plan("run-2", [new("1"), new("2")])
        assert [second.order(number).account_id for number in "12"] == ["made-1", ""]


def test_two_who_meet_the_same_people_wait_for_each_other_in_one_order(url):
    """Each writes many people in one transaction, some of whom nobody has on record: neither is ended by the server."""
    people = [f"{name}@example.com" for name in ("ann", "bob", "cid", "dot")]
    failed: list[BaseException] = []
    with worker(url, elsewhere=True) as first, worker(url) as second:
        meeting = threading.Barrier(2)

        def meet(ledger: Ledger, backwards: bool) -> None:
            try:
                for turn in range(25):
                    emails = [f"{turn}-{email}" for email in people] + people
                    emails = emails[::-1] if backwards else emails
                    meeting.wait(30)
                    with ledger.steps(people=emails) as steps:
                        for email in emails:
                            steps.find_customer(email, f"of {ledger.token}")
            except BaseException as error:
                failed.append(error)
                meeting.abort()

        threads = [threading.Thread(target=meet, args=(one, one is second)) for one in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(first.customers([f"{turn}-{email}" for email in people for turn in range(25)])) == 100


# Whole runs


class Runs:
    """Runs of one plan on one ledger, in one stretch of virtual time; the server's clock is its own."""

    def __init__(self, url: str, mews: People, *ledgers: Ledger) -> None:
        self.url, self.mews, self.time = url, mews, mews.time
        self.ledgers = ledgers

    def post(self, orders: list[PlannedOrder], *beside: Any, no_wait: bool = False, **more: Any) -> list[LoadResult]:
        """What all of them come to. `beside`: what happens meanwhile."""

        async def main() -> list[LoadResult]:
            runs = []
            for at, ledger in enumerate(self.ledgers):
                ledger.record_plan(f"run-{at}", orders)
                poster = a_poster(
                    ledger,
                    self.mews,
                    self.time,
                    people=self.mews,
                    run_id=f"run-{at}",
                    settle=timedelta(seconds=SETTLE),
                    **more,
                )
                runs.append(poster.run(iter(orders), no_wait=no_wait))
            work = asyncio.gather(*runs, *(one() for one in beside))
            done: list[LoadResult] = (await self.time.drive(asyncio.ensure_future(work), limit=2000))[: len(runs)]
            return done

        return asyncio.run(main())

    def checked(self) -> None:
        """The ledger's first order is behind them."""
        self.ledgers[0].set_meta("first_check", "{}")


@pytest.fixture
def mews() -> People:
    return People(VirtualTime())


def orders_of(*emails: str) -> list[PlannedOrder]:
    return [new(str(at), email) if email else an_order(str(at)) for at, email in enumerate(emails, 1)]


@pytest.mark.parametrize("is_checked", [True, False])
@pytest.mark.parametrize("fate", ["made", "lost", "late", "never"])
def test_two_runs_make_each_person_once(url, mews: People, fate: str, *, is_checked: bool):
    """Both have orders of the same people at the same moment, and Mews answers at once, or not at all."""
    mews.welcome = {
        "made": lambda _p, _n: None,
        "lost": lambda _p, n: ("lost", 0.0) if n < 3 else None,
        "late": lambda _p, n: ("lost", SETTLE - 10.0) if n < 3 else None,
        "never": lambda _p, n: LOST if n < 3 else None,
    }[fate]
    orders = orders_of(*[ZOE, "bo@example.com", ""] * 10)
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, first, second)
        if is_checked:
            runs.checked()
        results = runs.post(orders, concurrency=3)
        assert [one.exit_code for one in results] == [ExitCode.DONE] * 2
        assert sum(one.sent for one in results) == len(orders)
        assert len(mews.welcomes) == (4 if fate == "never" else 2)
        for email in (ZOE, "bo@example.com"):
            (made,) = mews.named(email)
            assert {
                mews.account_of(order.number) for order in orders if email in dict(order.create_customer).values()
            } == {made}
        assert {mews.times_posted(order.number) for order in orders} == {1}


def test_orders_of_whom_another_is_making_hold_up_no_others(url, mews: People):
    """They are put off until the other has his answer; then they go to that customer, and nobody is made."""
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, second)
        runs.checked()
        attempt = begin(first)
        posted: list[int] = []

        async def answer() -> None:
            await mews.time.sleep(40)
            posted.append(len({row.notes for _, row in mews.items}))
            mews.add("made-1", ZOE)
            conclude(first, attempt, DONE, "made-1")

        (result,) = runs.post(orders_of(*[ZOE, ""] * 8), answer, concurrency=2)
        assert (result.exit_code, result.sent, posted) == (ExitCode.DONE, 16, [8])
        assert (mews.welcomes, mews.account_of("1")) == ([], "made-1")
        assert mews.time.seconds < 100


def test_whom_another_begins_in_the_last_moment_is_waited_for(url, mews: People):
    """Nobody had him on record when it was decided to make him; with the slot granted, another has begun."""
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, second)
        runs.checked()
        attempts: list[int] = []

        def begin_first(name: str) -> None:
            if name == "slot.granted" and not attempts:
                attempts.append(begin(first))

        async def answer() -> None:
            await mews.time.sleep(40)
            mews.add("made-1", ZOE)
            conclude(first, attempts[0], DONE, "made-1")

        (result,) = runs.post(orders_of(ZOE, ZOE), answer, checkpoint=begin_first)
        assert (result.exit_code, result.sent, mews.welcomes) == (ExitCode.DONE, 2, [])
        assert {mews.account_of(number) for number in "12"} == {"made-1"}


def test_who_is_found_in_the_last_moment_is_charged(url, mews: People):
    """With the slot granted to make him, a look for later orders has found whom the desk has made: no internal error."""
    mews.add("desk-1", "other@example.com")
    with worker(url, time=mews.time) as ledger:
        runs = Runs(url, mews, ledger)
        runs.checked()
        found: list[Customer] = []

        def find(name: str) -> None:
            if name == "slot.granted" and not found:
                with ledger.steps(people=[ZOE]) as steps:
                    found.append(steps.find_customer(ZOE, "desk-1"))

        (result,) = runs.post(orders_of(ZOE), checkpoint=find)
        assert (result.stop, result.sent, mews.welcomes) == (None, 1, [])
        assert mews.account_of("1") == "desk-1"


def test_whom_another_knows_does_not_wait_for_whom_nobody_knows(url, mews: People):
    """Two people are put off: the orders of one go as soon as he is there, not when the other has settled."""
    mews.welcome = lambda p, _n: ("lost", SETTLE - 10.0) if p["Email"] == "bo@example.com" else None
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, second)
        runs.checked()
        attempt = begin(first)
        seen: list[int] = []

        async def answer() -> None:
            await mews.time.sleep(20)
            mews.add("made-1", ZOE)
            conclude(first, attempt, DONE, "made-1")
            await mews.time.sleep(20)
            seen.append(mews.times_posted("1"))

        (result,) = runs.post(orders_of(ZOE, "bo@example.com"), answer)
        assert (result.sent, seen, len(mews.welcomes)) == (2, [1], 1)
        assert mews.time.seconds >= SETTLE - 10


@pytest.mark.parametrize("was_made", [True, False])
def test_whom_a_dead_worker_was_making_is_settled_by_the_living(url, mews: People, *, was_made: bool):
    """At work already when the other's lease ends: two looks, then he is taken, or made once more."""
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, second)
        runs.checked()
        begin(first)

        async def die() -> None:
            await mews.time.sleep(10)
            run_out(first)
            if was_made:
                await mews.time.sleep(50)
                mews.add("made-1", ZOE)

        (result,) = runs.post(orders_of(ZOE, ""), die)
        assert (result.exit_code, result.sent) == (ExitCode.DONE, 2)
        assert len(mews.welcomes) == (not was_made)
        assert mews.account_of("1") == mews.named(ZOE)[0]
        # The lease was over half a minute before; settling counts from five seconds later.
        assert mews.time.seconds >= (60 if was_made else 10 - 25 + SETTLE * 1.5)
        first._token = ""


@pytest.mark.parametrize("is_person", [True, False])
def test_a_run_at_work_settles_what_a_dead_undertaker_left(url, mews: People, *, is_person: bool):
    """One dies with a request under way; who buries him dies before saying since when it settles: not for the next run."""
    at = mews.time
    with (
        worker(url, elsewhere=True, time=at) as first,
        worker(url, elsewhere=True, time=at) as second,
        worker(url, time=at) as third,
    ):
        runs = Runs(url, mews, third)
        runs.checked()
        orders = orders_of(ZOE if is_person else "", "")
        first.record_plan("run-1", orders)
        if is_person:
            begin(first)
        else:
            first.claim(["1"])
            with first.steps(["1"]) as steps:
                steps.intend(an_intent("1"))

        async def die() -> None:
            await at.sleep(10)
            run_out(first)
            assert second.bury()
            run_out(second)

        (result,) = runs.post(orders, die)
        assert (result.exit_code, result.sent) == (ExitCode.DONE, 2)
        first._token = second._token = ""


def test_without_waiting_whom_another_is_making_is_left(url, mews: People):
    """--no-wait: his orders stay ready for the next run, and others may take them."""
    with worker(url, elsewhere=True, time=mews.time) as first, worker(url, time=mews.time) as second:
        runs = Runs(url, mews, second)
        runs.checked()
        begin(first)
        (result,) = runs.post(orders_of(ZOE, ""), no_wait=True)
        assert (result.sent, mews.welcomes) == (1, [])
        assert second.order("1").state is State.READY
