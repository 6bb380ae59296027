"""Group commit: what concurrent workers want recorded at the same moment shares one transaction.

Everything queued in one turn of the event loop is written in the next; an awaiter resumes only after the commit
that holds its step. A step that does not apply fails alone; a failing disk fails all, and nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from etl.errors import EtlError, LedgerError
from etl.ledger.ledger import Ledger
from etl.ledger.lock import LockLost
from etl.ledger.steps import NotReady, Steps

T = TypeVar("T")


@dataclass(slots=True)
class _Queued:
    numbers: tuple[str, ...]
    people: tuple[str, ...]
    step: Callable[[Steps], Any]
    done: asyncio.Future[Any]
    is_answer: bool


class Committer:
    """Collects steps and commits them together, inline in the loop. One for each open ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue: list[_Queued] = []
        self._failure: BaseException | None = None

    async def do(
        self, step: Callable[[Steps], T], *numbers: str, people: tuple[str, ...] = (), is_answer: bool = False
    ) -> T:
        """The step's result, once it is on disk; `numbers`, `people`: the orders and customers that it concerns.

        `is_answer`: it is what Mews said, which is kept also where the lease was lost meanwhile.

        Raises: NotReady, LockLost, LedgerError.
        """
        if self._failure is not None:
            raise self._failure
        loop = asyncio.get_running_loop()
        queued = _Queued(numbers, people, step, loop.create_future(), is_answer)
        if not self._queue:
            loop.call_soon(self._gather, loop, 0)
        self._queue.append(queued)
        result: T = await queued.done
        return result

    def _gather(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        """Waits as long as each turn of the loop brings more: a commit costs the same for one and for thirty."""
        if len(self._queue) > seen:
            loop.call_soon(self._gather, loop, len(self._queue))
        else:
            self._flush()

    def _flush(self) -> None:
        batch, self._queue = self._queue, []
        results: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        try:
            numbers = [number for queued in batch for number in queued.numbers]
            with self._ledger.steps(numbers, [email for queued in batch for email in queued.people]) as steps:
                for queued in batch:
                    try:
                        results.append((queued.done, queued.step(steps), None))
                    except NotReady as error:
                        results.append((queued.done, None, error))
        except LockLost as error:
            if self._ledger.keeps_late_answers:
                self._keep_answers([queued for queued in batch if queued.is_answer])
            self._fail(batch, error)
            return
        except BaseException as error:
            # Also what stands for a kill: it must reach the workers, not vanish in the loop's handler.
            self._fail(batch, error)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return
        for done, value, failure in results:
            if done.done():
                continue
            if failure is None:
                done.set_result(value)
            else:
                done.set_exception(failure)

    def _keep_answers(self, batch: list[_Queued]) -> None:
        """A late answer counts; where it can't be kept, the next look at Mews finds the same."""
        with suppress(LedgerError):
            for queued in batch:
                with suppress(NotReady), self._ledger.late_steps(queued.numbers) as steps:
                    queued.step(steps)

    def _fail(self, batch: list[_Queued], error: BaseException) -> None:
        if isinstance(error, LedgerError) or not isinstance(error, EtlError):
            self._failure = error
        for queued in batch:
            if not queued.done.done():
                queued.done.set_exception(error)
                # A worker that was cancelled meanwhile never looks at it.
                queued.done.exception()
