"""The first Ctrl-C says what happens now; the second leaves, and says nothing more."""

from __future__ import annotations

import asyncio
import os
import signal

import structlog

from etl.load.stop import StopFlag
from etl.pipeline.run import signals


def test_the_first_ctrl_c_is_answered_at_once() -> None:
    async def interrupted() -> StopFlag:
        stop = StopFlag()
        with signals(stop):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
        return stop

    with structlog.testing.capture_logs() as told:
        stop = asyncio.run(interrupted())
    assert stop.leaving.is_set()
    (line,) = told
    assert line["log_level"] == "warning"
    assert "a second Ctrl-C leaves at once" in line["event"]
