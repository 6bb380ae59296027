"""What a transaction leaves of orders under way is used by the next one only while nothing else was written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from load_fakes import SERVICE, an_order, open_ledger
from sqlalchemy import update

from etl.errors import LedgerError
from etl.ledger import schema, unit_of_work
from etl.ledger.records import PartKind
from etl.ledger.steps import Intent, NotReady, Steps
from etl.model.outcome import Kind, Outcome
from etl.model.states import State

pytestmark = pytest.mark.sqlite

DONE = Outcome(Kind.DONE, body={"OrderId": "o-1"}, status=200)


@pytest.fixture
def ledger(path, time):
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1"), an_order("2")])
        yield ledger


@pytest.fixture
def asked(monkeypatch):
    """The numbers whose rows were read, transaction by transaction."""
    found = []
    rows = unit_of_work._ORDERS.rows
    monkeypatch.setattr(
        unit_of_work._ORDERS, "rows", lambda connection, wanted: found.append(wanted) or rows(connection, wanted)
    )
    return found


def intend(ledger, time, number="1"):
    texts = ("run-1", "{}", "sha256:x", f"centra:uk:{number}", f"[centra:uk:{number}]", SERVICE, "account-1")
    with ledger.steps([number]) as steps:
        return steps.intend(
            Intent(number, 1, "order", PartKind.ORDER, *texts, None, "gross", "sha256:f", "", 1, "", time.wall())
        )


def conclude(ledger, time, seq, number="1"):
    with ledger.steps([number]) as steps:
        return steps.conclude(number, 1, "order", seq, DONE, at=time.wall(), mews_id="o-1")


def test_an_outcome_needs_no_look_at_what_the_intent_has_just_written(ledger, time, asked):
    seq = intend(ledger, time)
    intend(ledger, time, "2")
    assert conclude(ledger, time, seq) is State.POSTED
    assert conclude(ledger, time, 1, "2") is State.POSTED
    assert asked == [["1"], ["2"]]


def test_what_is_remembered_is_what_the_file_holds(ledger, time):
    for number in ("1", "2"):
        intend(ledger, time, number)
        with ledger.transaction() as connection:
            fresh = Steps(connection, time.wall())
            fresh.load([number])
            order, parts = ledger._memory._rows[number]
            # Written with whatever else changes, and never read.
            assert (replace(order, updated_at=""), parts) == fresh.under_way()[number]


def test_what_is_under_way_no_more_is_forgotten(ledger, time, asked):
    """Memory does not grow with the history."""
    conclude(ledger, time, intend(ledger, time))
    assert not ledger._memory._rows


def test_what_another_process_wrote_meanwhile_is_seen(ledger, time, path):
    """Whatever the lock says."""
    seq = intend(ledger, time)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE parts SET state = 'unknown' WHERE number = '1'")
    with pytest.raises(NotReady):
        conclude(ledger, time, seq)


def test_what_this_process_wrote_meanwhile_in_another_way_is_seen(ledger, time):
    seq = intend(ledger, time)
    with ledger.transaction() as connection:
        connection.execute(update(schema.parts).values(state="unknown"))
    with pytest.raises(NotReady):
        conclude(ledger, time, seq)


def test_what_was_written_beside_the_steps_in_one_transaction_is_seen(ledger, time):
    seq = intend(ledger, time)
    with ledger.steps() as steps:
        steps._connection.execute(update(schema.parts).values(state="unknown"))
    with pytest.raises(NotReady):
        conclude(ledger, time, seq)


def test_what_was_not_committed_is_not_remembered(ledger, time):
    """The disk may refuse an outcome: the order is under way still."""
    seq = intend(ledger, time)

    def broken(_):
        raise LedgerError("no room", code="ledger.disk_full")

    check, ledger._checkpoint = ledger._checkpoint, broken
    with pytest.raises(LedgerError):
        conclude(ledger, time, seq)
    ledger._checkpoint = check
    assert ledger.parts(["1"])["1"][0].state is State.IN_FLIGHT
    assert conclude(ledger, time, seq) is State.POSTED


def test_a_new_connection_knows_nothing_of_the_last_one(ledger, time, asked):
    """It begins to count anew, and may come to the same figures."""
    seq = intend(ledger, time)
    ledger._writer.close()
    ledger._writer = None
    conclude(ledger, time, seq)
    assert asked == [["1"], ["1"]]
