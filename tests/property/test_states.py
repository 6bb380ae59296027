"""The state machine: whatever happens in whatever order, an order is in Mews once, and states stay true."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from etl.errors import InternalError
from etl.ledger.holder import Holder
from etl.ledger.ledger import Home, Ledger
from etl.ledger.records import PartKind
from etl.ledger.steps import Intent, NotReady
from etl.model.outcome import Kind, Outcome
from etl.model.plan import PlannedOrder, Verdict
from etl.model.states import IN_MEWS, TRANSITIONS, State, after, check, worst

START = datetime(2026, 3, 1, tzinfo=UTC)
NUMBERS = ("1", "2", "3")


def test_only_listed_transitions_exist():
    """A state that can't follow is an internal error, never a guess."""
    for old, new in product(State, State):
        if new in TRANSITIONS[old]:
            assert check(old, new) is new
        else:
            with pytest.raises(InternalError):
                check(old, new)


def test_nothing_in_mews_becomes_sendable_by_itself():
    """POSTED and DIFFERENT never lead to READY or IN_FLIGHT; in flight is reached from READY alone."""
    for state in (State.POSTED, State.DIFFERENT):
        assert not TRANSITIONS[state] & {State.READY, State.IN_FLIGHT, State.UNKNOWN, State.BLOCKED}
    assert [old for old in State if State.IN_FLIGHT in TRANSITIONS[old]] == [State.READY]


@given(st.sampled_from(Kind), st.booleans())
def test_every_outcome_leads_out_of_flight(kind, is_last_try):
    """No answer leaves a part in flight, and only what may have been processed becomes unknown."""
    state = after(kind, is_last_try=is_last_try)
    assert state in TRANSITIONS[State.IN_FLIGHT]
    assert (state is State.UNKNOWN) == (kind is Kind.UNKNOWN)


@given(st.lists(st.sampled_from(State), min_size=1))
def test_the_worst_part_speaks_for_the_order(states):
    """An order is posted only if all its parts are; the order of parts does not matter."""
    assert (worst(states) is State.POSTED) == (set(states) == {State.POSTED})
    assert worst(states) is worst(reversed(states))


class Life(RuleBasedStateMachine):
    """Drives the named steps at random against a model of what Mews really holds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.sqlite"
        self.now = START
        self.booked = dict.fromkeys(NUMBERS, 0)
        self.maybe: set[str] = set()
        self.ledger = self.reopen()

    def reopen(self) -> Ledger:
        ledger = Ledger.open(self.path, wall=lambda: self.now)
        ledger.bind(Home("p", "e", "s", "uk"))
        ledger.take_lock("run", me=Holder("h", "b", 1, "t"), alive=lambda _: False)
        return ledger

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def state(self, number: str) -> State | None:
        row = self.ledger.order(number)
        return None if row is None else row.state

    @rule(number=st.sampled_from(NUMBERS), verdict=st.sampled_from(Verdict))
    def plan(self, number, verdict):
        before = self.state(number)
        self.ledger.record_plan("r", [PlannedOrder(number, verdict, fingerprint="f", planned_total=Decimal(1))])
        if before in IN_MEWS | {State.UNKNOWN, State.IN_FLIGHT}:
            assert self.state(number) is before
        elif before is State.REJECTED and verdict in (Verdict.READY, Verdict.BLOCKED):
            assert self.state(number) is State.REJECTED
        else:
            assert self.state(number) == State(verdict.value)

    @rule(number=st.sampled_from(NUMBERS), kind=st.sampled_from(Kind), lost=st.booleans())
    def send(self, number, kind, lost):
        """A request: Mews books on DONE, perhaps on UNKNOWN; with `lost` the process dies before the answer."""
        before = self.state(number)
        intent = Intent(
            number, 1, "order", PartKind.ORDER, "r", "{}", "h", f"centra:uk:{number}", "m", "s", "a", None,
            "gross", "f", "k", 1, "[]", self.now,
        )  # fmt: skip
        try:
            with self.ledger.steps([number]) as steps:
                seq = steps.intend(intent)
        except (NotReady, InternalError):
            assert before is not State.READY
            return
        assert before is State.READY
        assert self.booked[number] == 0, "about to send what is there"
        books = kind is Kind.DONE or (kind is Kind.UNKNOWN and lost)
        self.booked[number] += books
        if lost:
            self.ledger.abandon()
            self.ledger = self.reopen()
            assert self.state(number) is State.UNKNOWN
            return
        with self.ledger.steps([number]) as steps:
            state = steps.conclude(number, 1, "order", seq, Outcome(kind), at=self.now, mews_id="id")
        assert state is after(kind)

    @precondition(lambda self: any(self.state(number) is State.UNKNOWN for number in NUMBERS))
    @rule(data=st.data())
    def look(self, data):
        """A pair of complete scans, which tell the truth."""
        number = data.draw(st.sampled_from([n for n in NUMBERS if self.state(n) is State.UNKNOWN]))
        (part,) = [part for part in self.ledger.unsettled() if part.number == number]
        self.now += timedelta(minutes=5)
        with self.ledger.steps([number]) as steps:
            if self.booked[number]:
                steps.find(number, 1, "order", mews_id="id", differences=(), fingerprint="f", run_id="r", sent_by="r")
            else:
                steps.miss(number, 1, "order", part.seq, proved=False, at=self.now)
                steps.miss(number, 1, "order", part.seq, proved=True, at=self.now)
        expected = State.POSTED if self.booked[number] else (State.READY, State.REJECTED)
        assert self.state(number) is expected or self.state(number) in expected

    @rule(number=st.sampled_from(NUMBERS))
    def retry(self, number):
        if self.state(number) is State.REJECTED:
            with self.ledger.steps([number]) as steps:
                steps.reopen(number, 1, "order")
            assert self.state(number) is State.READY

    @rule()
    def restart(self):
        self.ledger.close()
        self.ledger = self.reopen()

    @invariant()
    def never_two(self):
        assert all(count <= 1 for count in self.booked.values())

    @invariant()
    def counts_add_up(self):
        rows = list(self.ledger.orders())
        assert sum(self.ledger.counts().values()) == len(rows)
        for row in rows:
            if row.state is State.POSTED:
                assert self.booked[row.number] == 1
            if row.state in (State.READY, State.BLOCKED, State.SKIPPED):
                assert self.booked[row.number] == 0


Life.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase
