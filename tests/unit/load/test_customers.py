"""People are made once: whatever the answer, whenever the process dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from load_fakes import Killed, SmallMews, VirtualTime, a_payment, a_poster, an_order, open_ledger, recover_into
from small_mews import Fate

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.ledger.standing import standing
from etl.load.result import LoadResult
from etl.load.stop import StopFlag
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation
from etl.model.plan import PlannedOrder
from etl.model.reference import Account
from etl.model.states import CustomerState, State
from etl.model.status import ReportState
from etl.sandbox.core import Answer
from etl.sandbox.state import Entry, Person


class People(SmallMews):
    """A Mews that never deduplicates customers itself. `welcome` answers each customers/add as `script` does.

    `person_lag`: seconds until a customer is found by e-mail.
    """

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(time, "twin-customers")
        self.welcomes: list[dict[str, Any]] = []
        self.welcome: Callable[[dict[str, Any], int], Fate] = lambda _p, _n: None
        self.person_lag = 0.0
        self._first = {person.id for person in self.sandbox.customers}

    def _note(self, operation: Operation, payload: dict[str, Any]) -> tuple[str, int]:
        if operation is not Operation.ADD_CUSTOMER:
            return super()._note(operation, payload)
        self.welcomes.append(payload)
        return "person", len(self.welcomes)

    def fate_of(self, kind: str, number: int) -> Fate:
        return self.welcome(self.welcomes[number - 1], number) if kind == "person" else super().fate_of(kind, number)

    def as_shown(self, operation: str, answer: Answer) -> Answer:
        answer = super().as_shown(operation, answer)
        if operation != "customers/getAll" or not self.person_lag:
            return answer
        body = json.loads(answer.body)
        since = self.mews_now(self.time.seconds - self.person_lag)
        body["Customers"] = [row for row in body["Customers"] if datetime.fromisoformat(row["CreatedUtc"]) <= since]
        return replace(answer, body=json.dumps(body).encode())

    @property
    def people(self) -> list[Person]:
        """The customers that were made here."""
        self._held()
        return [person for person in self.sandbox.customers if person.id not in self._first]

    def add(self, key: str, email: str, **more: Any) -> None:
        """The desk makes a customer."""
        created = self.mews_now(self.time.seconds).replace(microsecond=0)
        store = self.sandbox._store
        values: dict[str, Any] = {"details": {"FirstName": "Zoe", "LastName": "Quick"}}
        values |= {
            "classifications": (),
            "is_active": True,
            "merged_into": None,
            "created": created,
            "updated": created,
        }
        person = Person(seq=store.next_seq(), id=self.id(key), email=email, **{**values, **more})
        store.commit(Entry(person=person))

    def move_away(self) -> None:
        """Everybody who was made here has another address from now on."""
        for index, person in enumerate(self.people):
            self.sandbox._store.commit(Entry(person=replace(person, email=f"moved{index}@example.com")))

    async def customers_by_email(self, emails: Any) -> list[Account]:
        self._read()
        return [replace(one, id=self.name(one.id)) for one in await self._client().customers_by_email(emails)]

    def named(self, email: str) -> list[str]:
        """The ids of everybody with the address."""
        return [self.name(one.id) for one in self.people if (one.email or "").lower() == email]

    def account_of(self, number: str) -> str:
        """Whom Mews holds an order on."""
        (account,) = {row.account_id for _, row in self.items if row.notes.startswith(f"[centra:uk:{number}]")}
        return account


def new(number: str, email: str = "zoe@example.com", **more: Any) -> PlannedOrder:
    """An order of somebody whom Mews does not know."""
    fields = (("Email", email), ("LastName", "Quick"))
    return an_order(number, account_id="", account_key="create", create_customer=fields, **more)


def load(
    path: Path, mews: People, orders: list[PlannedOrder], *, kill: Any = None, no_wait: bool = False, **more: Any
) -> LoadResult | None:
    """One run; None where the checkpoint killed it."""
    time = mews.time
    ledger = open_ledger(path, time)
    check = kill or (lambda _: None)
    ledger._checkpoint = ledger.fatal(check)

    async def main() -> LoadResult:
        run = {name: more.pop(name) for name in ("retry_rejected",) if name in more}
        poster = a_poster(ledger, mews, time, checkpoint=check, people=mews, **more)
        done: LoadResult = await time.drive(asyncio.ensure_future(poster.run(iter(orders), no_wait=no_wait, **run)))
        return done

    try:
        return asyncio.run(main())
    except Killed:
        return None
    finally:
        ledger._checkpoint = lambda _: None
        if kill is None:
            ledger.close()
        ledger.abandon()


@pytest.fixture
def mews() -> People:
    return People(VirtualTime())


def test_one_customer_for_all_orders_of_a_person(mews: People, path: Path) -> None:
    """Orders of one address go to one profile, whatever the case, and their payments follow them."""
    orders = [new("1"), new("2", "ZOE@example.com", payments=(a_payment(),)), new("3", "bo@example.com"), an_order("4")]
    result = load(path, mews, orders)
    assert result is not None
    assert result.exit_code is ExitCode.DONE
    assert len(mews.welcomes) == 2
    assert (
        mews.account_of("1") == mews.account_of("2") == mews.paid[0][1].account_id == mews.named("zoe@example.com")[0]
    )
    assert all(payload["OverwriteExisting"] is False for payload in mews.welcomes)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").account_id == mews.account_of("2")


def test_orders_of_a_person_at_the_same_moment_make_one_customer(mews: People, path: Path) -> None:
    """The first order is somebody else's; then all workers meet the same address at once."""
    orders = [an_order("1"), *(new(str(number)) for number in range(2, 8))]
    passed: list[str] = []
    result = load(path, mews, orders, kill=passed.append)
    assert result is not None
    assert result.exit_code is ExitCode.DONE
    assert len(mews.welcomes) == 1
    # Those who waited for the answer asked for no slot of the limit meanwhile.
    assert passed.count("slot.granted") == len(mews.welcomes) + len(orders)


class KillAt:
    """Raises at the n-th checkpoint of all."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.mark.slow
def test_a_kill_at_any_moment_makes_nobody_twice(tmp_path: Path) -> None:
    """Killed at every checkpoint, one run after the other: one customer, one order each, on that customer."""
    orders = [new("1"), new("2")]
    count = 0
    while True:
        count += 1
        mews = People(VirtualTime())
        path = tmp_path / f"{count}.sqlite"
        is_over = load(path, mews, orders, kill=KillAt(count)) is not None
        result = load(path, mews, orders, run_id="run-2")
        assert result is not None
        assert result.exit_code is ExitCode.DONE, count
        assert len(mews.named("zoe@example.com")) == 1, count
        assert {mews.account_of(number) for number in "12"} == set(mews.named("zoe@example.com"))
        assert [mews.times_posted(number) for number in "12"] == [1, 1]
        if is_over:
            break
    assert count > 15, "there were fewer steps than there are checkpoints"


def test_whom_a_dead_process_made_is_looked_up_twice(mews: People, path: Path) -> None:
    """Killed with the answer in hand, before Mews shows the person: the next run waits, and makes nobody."""
    mews.person_lag = 80.0

    def die(name: str) -> None:
        if name == "answer.received" and mews.welcomes:
            raise Killed

    assert load(path, mews, [new("1")], kill=die) is None
    result = load(path, mews, [new("1")], run_id="run-2")
    assert result is not None
    assert (result.sent, len(mews.welcomes)) == (1, 1)
    assert mews.account_of("1") == mews.named("zoe@example.com")[0]


@pytest.mark.parametrize("delay", [0.0, 60.0, 179.0])
def test_a_customer_in_doubt_is_looked_up_twice(mews: People, path: Path, delay: float) -> None:
    """A customer that lands after the answer was lost is found, never made again; the orders wait for it."""
    mews.welcome = lambda _p, n: ("lost", delay) if n == 1 else None
    mews.person_lag = 80.0
    result = load(path, mews, [new("1"), new("2"), an_order("3")])
    assert result is not None
    assert (result.exit_code, result.sent) == (ExitCode.DONE, 3)
    assert len(mews.named("zoe@example.com")) == len(mews.welcomes) == 1


def test_who_was_never_made_is_made_after_two_looks(mews: People, path: Path) -> None:
    """Nothing is sent again before the settling time and half of it have passed."""
    sent_at: list[float] = []

    def lost_once(_: dict[str, Any], number: int) -> Fate:
        sent_at.append(mews.time.seconds)
        return Outcome(Kind.UNKNOWN, message="reset") if number == 1 else None

    mews.welcome = lost_once
    result = load(path, mews, [new("1")])
    assert result is not None
    assert result.exit_code is ExitCode.DONE
    assert len(mews.named("zoe@example.com")) == 1
    assert sent_at[1] - sent_at[0] >= 270


def test_without_waiting_the_order_stays_ready(mews: People, path: Path) -> None:
    """--no-wait: the next run finds out; nothing is sent before."""
    mews.welcome = lambda _p, n: ("lost", 30.0) if n == 1 else None
    first = load(path, mews, [new("1"), an_order("2")], no_wait=True)
    assert first is not None
    assert (first.sent, len(mews.welcomes)) == (1, 1)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("1").state is State.READY
    second = load(path, mews, [new("1"), an_order("2")], run_id="run-2")
    assert second is not None
    assert (second.sent, second.exit_code, len(mews.welcomes)) == (1, ExitCode.DONE, 1)


def test_the_first_order_goes_alone_even_after_its_customer_was_in_doubt(mews: People, path: Path) -> None:
    """Design 7.6 holds for orders that waited for their customer: what Mews books wrong, it books once."""
    mews.welcome = lambda _p, n: ("lost", 1.0) if n == 1 else None
    mews.tax_error = Decimal(1)
    result = load(path, mews, [new("1"), new("2"), new("3")])
    assert result is not None
    assert (result.exit_code, len(mews.calls)) == (ExitCode.ATTENTION, 1)
    assert result.stop is not None
    assert result.stop.code == "run.first_order"


def test_who_comes_meanwhile_is_taken(mews: People, path: Path) -> None:
    """Somebody made the profile after planning: no request to make a second one."""
    mews.add("desk-1", "Zoe@Example.com")
    mews.add("old-1", "zoe@example.com", is_active=False)
    result = load(path, mews, [new("1")])
    assert result is not None
    assert result.exit_code is ExitCode.DONE
    assert (mews.welcomes, mews.account_of("1")) == ([], "desk-1")


def test_who_was_merged_into_another_is_not_charged(mews: People, path: Path) -> None:
    """The desk tidied up: of two profiles the one that is left is meant, and there is nothing to decide."""
    mews.add("desk-1", "zoe@example.com")
    mews.add("old-1", "zoe@example.com", merged_into=mews.id("desk-1"))
    result = load(path, mews, [new("1")])
    assert result is not None
    assert (result.exit_code, mews.welcomes, mews.account_of("1")) == (ExitCode.DONE, [], "desk-1")


def test_who_was_made_here_is_charged_whoever_comes_later(mews: People, path: Path) -> None:
    """All orders of a person are on one account, though the desk makes another profile between two runs."""
    assert load(path, mews, [new("1")]) is not None
    mews.add("desk-1", "zoe@example.com")
    result = load(path, mews, [new("1"), new("2")], run_id="run-2")
    assert result is not None
    assert (result.exit_code, mews.account_of("2")) == (ExitCode.DONE, mews.account_of("1"))


def test_two_looks_of_runs_that_do_not_wait_lie_apart(mews: People, path: Path) -> None:
    """The second proves nothing before half of the settling time has passed since the first."""
    mews.welcome = lambda _p, n: Outcome(Kind.UNKNOWN, message="reset") if n == 1 else None
    for count, (pause, made) in enumerate([(0, 1), (200, 1), (5, 1), (90, 2)]):
        mews.time.seconds += pause
        assert load(path, mews, [new("1")], no_wait=True, run_id=f"run-{count}") is not None
        assert len(mews.welcomes) == made, count


def test_a_look_counts_from_its_begin_and_the_next_from_its_end(mews: People, path: Path) -> None:
    """What is read takes its time, and whoever came while it was read is not in it."""
    mews.welcome = lambda _p, n: Outcome(Kind.UNKNOWN, message="reset") if n == 1 else None
    honest = mews.customers_by_email

    async def slow(emails: Any) -> list[Account]:
        found = await honest(emails)
        await mews.time.sleep(60.0 if mews.welcomes else 0.0)
        return found

    mews.customers_by_email = slow  # type: ignore[method-assign]
    # Settled after 180 s: begun before, the look from 150 to 210 is none. That from 250 to 310 is the first; 90 s later is 400.
    for count, (at, made) in enumerate([(0, 1), (150, 1), (250, 1), (380, 1), (450, 2)]):
        mews.time.seconds = max(mews.time.seconds, at)
        assert mews.time.seconds < at + 30
        assert load(path, mews, [new("1")], no_wait=True, run_id=f"run-{count}") is not None
        assert len(mews.welcomes) == made, at


def test_a_refusal_because_somebody_has_the_address_finds_him(mews: People, path: Path) -> None:
    """The look before came too early; the refusal says that there is somebody."""

    def refuse(_payload: dict[str, Any], _number: int) -> Outcome:
        mews.add("desk-1", "zoe@example.com")
        return Outcome(Kind.REFUSED, status=403, message="exists already")

    mews.welcome = refuse
    result = load(path, mews, [new("1")])
    assert result is not None
    assert (result.exit_code, mews.account_of("1")) == (ExitCode.DONE, "desk-1")


@pytest.mark.parametrize(
    ("profiles", "code"),
    [
        ([{"classifications": ("Cashlist",)}], "account.cashlist"),
        ([{}, {}], "account.ambiguous"),
    ],
)
def test_who_may_not_be_charged_holds_the_order_back(
    mews: People, path: Path, profiles: list[dict[str, Any]], code: str
) -> None:
    """Found after planning, the rules are the same; once staff cleared it up, the order goes."""
    for index, more in enumerate(profiles):
        mews.add(f"desk-{index}", "zoe@example.com", **more)
    result = load(path, mews, [new("1")])
    assert result is not None
    assert (result.exit_code, mews.welcomes, mews.items) == (ExitCode.ATTENTION, [], [])
    with Ledger.open(path, read_only=True) as ledger:
        assert (ledger.order("1").state, ledger.order("1").code) == (State.BLOCKED, code)
    mews.move_away()
    again = load(path, mews, [new("1")], run_id="run-2")
    assert again is not None
    assert (again.exit_code, len(mews.welcomes)) == (ExitCode.DONE, 1)


def test_a_refused_customer_is_not_sent_again_unchanged(mews: People, path: Path) -> None:
    """Mews's message holds the order back; changed content or --retry-rejected tries again; others go on."""
    mews.welcome = lambda p, _n: (
        Outcome(Kind.REFUSED, status=400, message="odd name") if p["LastName"] == "Quick" else None
    )
    first = load(path, mews, [new("1"), an_order("2")])
    assert first is not None
    assert (first.exit_code, first.sent, len(mews.welcomes)) == (ExitCode.ATTENTION, 1, 1)
    with Ledger.open(path, read_only=True) as ledger:
        held = ledger.order("1")
        assert (held.state, held.code) == (State.BLOCKED, "account.not_created")
        assert "odd name" in held.message
    load(path, mews, [new("1")], run_id="run-2")
    assert len(mews.welcomes) == 1
    load(path, mews, [new("1"), new("3"), new("4")], run_id="run-3", retry_rejected=True)
    assert len(mews.welcomes) == 2
    corrected = replace(new("1"), create_customer=(("Email", "zoe@example.com"), ("LastName", "Slow")))
    last = load(path, mews, [corrected], run_id="run-4")
    assert last is not None
    assert (last.exit_code, last.sent) == (ExitCode.DONE, 1)


@pytest.mark.parametrize("retries", [False, True])
def test_what_never_arrives_is_given_up(mews: People, path: Path, *, retries: bool) -> None:
    """Proved absent three times, the order is held back with the reason, and the run ends."""
    mews.welcome = lambda _p, _n: Outcome(Kind.UNKNOWN, message="no answer")
    result = load(path, mews, [new("1")], retry_rejected=retries)
    assert result is not None
    assert (result.exit_code, len(mews.welcomes)) == (ExitCode.ATTENTION, 3)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("1").code == "account.not_created"


def test_credentials_that_are_refused_stop_the_run(mews: People, path: Path) -> None:
    """401 to a customer ends the run like any other; the customer and the order are as if never sent."""
    mews.welcome = lambda _p, _n: Outcome(Kind.STOP, status=401, message="no")
    result = load(path, mews, [new("1"), new("2", "bo@example.com")])
    assert result is not None
    assert (result.exit_code, mews.items) == (ExitCode.MEWS, [])
    mews.welcome = lambda _p, _n: None
    again = load(path, mews, [new("1"), new("2", "bo@example.com")], run_id="run-2")
    assert again is not None
    assert (again.exit_code, again.sent) == (ExitCode.DONE, 2)


@pytest.mark.parametrize("kind", [Kind.WAIT, Kind.NOT_SENT, Kind.CONFLICT])
def test_what_was_not_processed_is_tried_again(mews: People, path: Path, kind: Kind) -> None:
    """429, a refused connection and 409 make nobody, and cost nothing but time."""
    mews.welcome = lambda _p, n: Outcome(kind, message="later") if n < 3 else None
    result = load(path, mews, [new("1")])
    assert result is not None
    assert (result.exit_code, len(mews.welcomes), len(mews.people)) == (ExitCode.DONE, 3, 1)
    assert mews.time.seconds < 60


def test_a_rejected_order_of_a_made_customer_stays_rejected(mews: People, path: Path) -> None:
    """The account that was made meanwhile is no change of the payload: nothing is sent again unasked."""
    mews.script = lambda _p, _n: Outcome(Kind.REFUSED, status=403, message="no")
    load(path, mews, [new("1")])
    calls = len(mews.calls)
    assert calls == 1
    load(path, mews, [new("1")], run_id="run-2")
    assert (len(mews.calls), len(mews.welcomes)) == (calls, 1)


def test_a_payment_follows_its_order_whoever_is_the_customer_by_now(mews: People, path: Path) -> None:
    """The order stands on the account that it was posted to: there its payment belongs, not on that of a later profile."""
    mews.script = lambda payload, _: Outcome(Kind.REFUSED, status=403) if "gift1" in str(payload) else None
    order = new("1", payments=(a_payment(),))
    load(path, mews, [order])
    mews.script = lambda _p, _n: None
    own = mews.account_of("1")
    with open_ledger(path, mews.time) as ledger:
        with ledger.steps() as steps:
            steps._move_customer(steps._customer("zoe@example.com"), CustomerState.CREATED, customer_id="another")
        ledger.record_plan("run-2", [order])
    load(path, mews, [order], run_id="run-2", retry_rejected=True)
    assert [row.account_id for _, row in mews.paid] == [own] == ["person-1"]


def _recovered(mews: People, tmp_path: Path, *, on: str) -> Path:
    """A ledger that `recover` made of an order whose payment never arrived; staff moved its items to account `on`."""
    mews.script = lambda payload, _: Outcome(Kind.REFUSED, status=403) if "gift1" in str(payload) else None
    load(tmp_path / "lost.sqlite", mews, [new("1", payments=(a_payment(),))])
    mews.script = lambda _p, _n: None
    mews.items = [(at, replace(row, account_id=on or row.account_id)) for at, row in mews.items]
    recover_into(tmp_path / "new.sqlite", mews, mews.time)
    return tmp_path / "new.sqlite"


@pytest.mark.parametrize("runs", [1, 2])
def test_a_recovered_order_that_staff_moved_is_told_once_its_customer_is_known(
    mews: People, tmp_path: Path, runs: int
) -> None:
    """The plan names nobody before the run has looked: what it finds out is on record, and in every report after it."""
    path, order = _recovered(mews, tmp_path, on="moved"), new("1", payments=(a_payment(),))
    for _ in range(runs):
        with open_ledger(path, mews.time) as ledger:
            # As `run` does before it sends: the whole plan, customers still open.
            ledger.record_plan("run-2", [order])
        load(path, mews, [order], run_id="run-2")
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("1")
        assert row.changed == "Mews has account moved, the plan says person-1"
        assert row.account_id == "moved", "what Mews holds stays on record"
        assert standing(row, order, "uk") is standing(row, order, "uk", "run-2") is ReportState.CHANGED
    assert mews.times_paid("1", "gift1") == 0
    assert len(mews.welcomes) == 1


def test_a_recovered_order_whose_customer_is_gone_is_paid_where_it_stands(mews: People, tmp_path: Path) -> None:
    """Nobody has the address any more: no customer is made anew, and the payment follows the order."""
    path, order = _recovered(mews, tmp_path, on=""), new("1", payments=(a_payment(),))
    mews.move_away()
    with open_ledger(path, mews.time) as ledger:
        ledger.record_plan("run-2", [order])
    load(path, mews, [order], run_id="run-2")
    assert [row.account_id for _, row in mews.paid] == ["person-1"]
    assert len(mews.welcomes) == 1
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("1")
        assert (row.state, row.changed, row.account_id) == (State.POSTED, "", "person-1")


def test_nobody_is_looked_for_once_the_run_ends(mews: People, path: Path) -> None:
    """A read that waits before it asks again, as after a broken connection, asks nothing more after the end."""
    mews.welcome = lambda _p, n: ("lost", 500.0) if n == 1 else None
    stop, asked = StopFlag(), []
    honest = mews.customers_by_email

    async def slow(emails: Any) -> list[Account]:
        if mews.welcomes:
            stop.request()
            await mews.time.sleep(30.0)
            asked.append(emails)
        return await honest(emails)

    mews.customers_by_email = slow  # type: ignore[method-assign]
    result = load(path, mews, [new("1")], stop=stop)
    assert result is not None
    assert (result.exit_code, asked) == (ExitCode.INTERRUPTED, [])
