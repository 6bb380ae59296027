"""Which orders the ledger gives back as finished: posted by a run, whole, and nothing is to be said of them."""

from __future__ import annotations

import pytest
from load_fakes import an_order, open_ledger, run_poster
from small_mews import START
from sqlalchemy import text

from etl.ledger.records import stamp

KEY = "sha256:key"


def found(path, time, change: str = "", *, key: str = KEY) -> tuple[dict, list[str]]:
    """What is remembered of order 1 under a key, and the numbers to be summed up, after a change on disk."""
    order = an_order("1")
    with open_ledger(path, time) as ledger:
        with ledger.steps() as steps:
            steps.remember(KEY, [("1", "older", "older rows", b"older")])
        with ledger.steps() as steps:
            steps.remember(KEY, [("1", order.fingerprint, "rows", b"line")])
        if change:
            with ledger.transaction() as connection:
                connection.execute(text(f"UPDATE orders SET {change}"))
        return ledger.remembered(["1"], key), [*ledger.posted_orders(["1"])]


def test_a_posted_order_is_remembered_as_it_was_planned_last(path, mews, time):
    run_poster(path, mews, time, [an_order("1", true_consumption=START)])
    kept, posted = found(path, time)
    assert posted == ["1"]
    assert [tuple(one) for one in kept.values()] == [("rows", b"line", stamp(START))]
    assert found(path, time, key="sha256:another")[0] == {}


@pytest.mark.parametrize(
    "change",
    [
        "state = 'different'",
        "verdict = 'blocked'",
        "posted_run_id = 'recovered'",
        "posted_run_id = ''",
        "posted_fingerprint = 'sha256:another'",
        *(f"{name} = 'x'" for name in ("rejected_hash", "changed", "duplicates", "code", "message")),
        "observed = '{}'",
        "problems = '[]'",
    ],
)
def test_nothing_that_more_is_to_be_said_of_is_finished(path, mews, time, change):
    """It would be told as posted and well, and what Mews, the source or a person says against it would be lost."""
    run_poster(path, mews, time, [an_order("1")])
    assert found(path, time, change) == ({}, [])


def test_what_was_not_sent_is_not_finished(path, mews, time):
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
    assert found(path, time) == ({}, [])
