"""The last moment before the byte: written anew, called off, or never come, as the one sender takes each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from load_fakes import VirtualTime, an_order, open_ledger, run_poster
from undo_fakes import UndoMews

from etl.errors import ExitCode
from etl.ledger.records import Attempt
from etl.load.stop import StopFlag
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation
from etl.model.states import State


class SlowToLeave(UndoMews):
    """Its client asks for the last look of order 1 once more, with `between` before that, or answers by itself."""

    between: Callable[[], Awaitable[None]] | None = None
    answers: list[Outcome]

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        if operation is Operation.ADD_ORDER and b"[centra:uk:1]" in content:
            if self.answers:
                return self.answers.pop(0)
            if self.between is not None:
                await before_send()
                await self.between()
        return await super().send(operation, content, before_send=before_send)


@pytest.fixture
def mews(path: Path, time: VirtualTime) -> SlowToLeave:
    mews = SlowToLeave(time)
    mews.answers = []
    run_poster(path, mews, time, [an_order("0")])
    return mews


def sent(path: Path, time: VirtualTime) -> tuple[State, list[Attempt]]:
    """What the ledger holds of order 1."""
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        return row.state, ledger.attempts("1")


def test_an_intent_written_anew_is_the_same_attempt(path: Path, mews: SlowToLeave, time: VirtualTime) -> None:
    """The byte took long: the intent on disk is of the moment in which it left, and nothing is sent twice."""
    left: list[datetime] = []

    async def a_while() -> None:
        time.seconds += 60
        left.append(mews.mews_now(time.seconds))

    mews.between = a_while
    run_poster(path, mews, time, [an_order("1")], run_id="run-2")
    state, attempts = sent(path, time)
    assert (state, mews.times_posted("1"), len(attempts)) == (State.POSTED, 1, 1)
    assert attempts[0].sent_at >= left[0] - timedelta(seconds=1)


def test_what_is_called_off_at_the_last_moment_is_not_on_its_way(
    path: Path, mews: SlowToLeave, time: VirtualTime
) -> None:
    """Ctrl-C while the byte of an intent waits: it does not leave, and nobody has to look for it."""
    stop = StopFlag()

    async def ctrl_c() -> None:
        stop.request()
        for _ in range(5):
            await asyncio.sleep(0)

    mews.between = ctrl_c
    result = run_poster(path, mews, time, [an_order("1")], run_id="run-2", stop=stop)
    assert result.exit_code is ExitCode.INTERRUPTED
    assert (sent(path, time)[0], mews.times_posted("1")) == (State.READY, 0)


def test_what_never_came_to_its_intent_is_tried_again(path: Path, mews: SlowToLeave, time: VirtualTime) -> None:
    """No connection, before anything was written: there is no attempt to conclude."""
    mews.answers = [Outcome(Kind.NOT_SENT, message="no connection")]
    run_poster(path, mews, time, [an_order("1")], run_id="run-2")
    state, attempts = sent(path, time)
    assert (state, mews.times_posted("1"), len(attempts)) == (State.POSTED, 1, 1)


def test_an_answer_to_what_is_not_on_disk_ends_the_run(path: Path, mews: SlowToLeave, time: VirtualTime) -> None:
    """Something left unwritten: no rerun could know of it."""
    mews.answers = [Outcome(Kind.DONE, body={"OrderId": "somewhere"})]
    result = run_poster(path, mews, time, [an_order("1"), an_order("2")], run_id="run-2")
    assert result.stop is not None
    assert result.stop.code == "internal.no_intent"
