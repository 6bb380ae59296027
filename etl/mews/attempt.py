"""One request on its way to Mews: slot, intent, byte, each looked at in the step in which the next may happen.

How a request is made and what its answer means is `transport.py` and `answers.py`.
"""

from __future__ import annotations

import asyncio
import math
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from datetime import datetime
from typing import Any

import httpx

from etl.mews.clock import Clock
from etl.mews.http import KEEPALIVE_SECONDS
from etl.mews.limiter import Limiter, Slot
from etl.model.outcome import Kind, Outcome

BeforeSend = Callable[[], Awaitable[None]]
"""Writes the intent durably; whatever it raises, no byte leaves."""

STALE_SECONDS = 5.0
"""An intent older than this is written anew before the first byte leaves (design section 7.2)."""

BODY_PIECE = 1 << 16
"""Bytes of a body that leave under one look at the age of its intent."""

_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete", "proxy.start_tls.complete"})
"""Events of httpcore after which a connection is known to live."""
_NAP_SECONDS = 1.0
"""The boot clock ahead by more than this since the last look: the machine slept."""


class IdleConnectionError(Exception):
    """Nothing was sent: the connection in hand was idle for too long to be trusted. The library closes it."""


class Rest:
    """Whether the machine has just slept: its boot clock went on, the one that the loop and the pool of connections have did not.

    What the pool takes for fresh then may be dead for hours.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gap: float | None = None
        self._woke = -math.inf

    def is_recent(self) -> bool:
        """For as long as the pool may still hold a connection from before."""
        now = asyncio.get_running_loop().time()
        gap = self._clock.monotonic() - now
        if self._gap is not None and gap - self._gap > _NAP_SECONDS:
            self._woke = now
        self._gap = gap
        return now - self._woke <= KEEPALIVE_SECONDS


class Attempt:
    """One request on its way: knows its slot, how old the intent is, and the moment of the first byte.

    The order is the proof: slot, intent, byte. Slot and intent are looked at once more with the connection in hand, and
    again in the step in which the body would leave, without which Mews acts on nothing; whatever was too old by then (a
    machine asleep, a stopped process, a slow connection) is renewed first.
    """

    __slots__ = (
        "_before_send",
        "_clock",
        "_intent_at",
        "_is_held",
        "_is_new",
        "_limiter",
        "_read_seconds",
        "_ready_at",
        "_rest",
        "_slot",
        "deadline",
        "failure",
        "has_left",
        "is_handed_over",
        "is_letting_go",
    )

    def __init__(
        self,
        clock: Clock,
        limiter: Limiter,
        slot: Slot,
        before_send: BeforeSend | None,
        read_seconds: float | None,
        rest: Rest,
    ) -> None:
        self._clock = clock
        self._limiter = limiter
        self._slot = slot
        self._before_send = before_send
        self._read_seconds = read_seconds
        self._rest = rest
        self._intent_at: tuple[float, datetime | None] = (clock.monotonic(), None)
        self._ready_at = clock.monotonic()
        self._is_new = self._is_held = self.has_left = False
        self.deadline: asyncio.Timeout | None = None
        self.failure: Exception | None = None
        self.is_handed_over = self.is_letting_go = False
        """`is_letting_go`: the last look is over, the write comes next."""

    async def write_intent(self) -> None:
        """The request is ours again, and its intent is of now. Raises what `before_send` raises."""
        self.is_handed_over = False
        await self._write_intent()

    async def _write_intent(self) -> None:
        if self._before_send is not None:
            await self._before_send()
        self._intent_at = (self._clock.monotonic(), self._clock.wall())

    async def pieces(self, content: bytes) -> AsyncIterator[bytes]:
        """A large body: no piece leaves under an intent that is too old, as no first byte does.

        A process that was stopped in the middle may have lost its lease meanwhile, and its orders to others: where the
        intent can't be written anew, the body is broken off, and what is not whole can't be taken.
        """
        for start in range(0, len(content), BODY_PIECE):
            if start and self._is_stale():
                try:
                    await self._write_intent()
                except Exception as error:
                    # Part of it has left: not for the caller to take as held back.
                    raise httpx.WriteError("broken off: the intent could not be written anew") from error
            yield content[start : start + BODY_PIECE]

    def hand_over(self) -> None:
        """To the library: from now on only it knows whether the byte has left."""
        self.is_handed_over, self._is_new = True, False
        self._ready_at = self._clock.monotonic()
        self._slot.sent(self._ready_at)

    def end(self, outcome: Outcome) -> None:
        """There is an outcome. Where nothing came back, the request may still be on its way."""
        if outcome.kind is Kind.NOT_SENT:
            self._slot.give_back()
        else:
            self._slot.release(None if outcome.status is None else self._clock.monotonic())

    def give_up(self) -> None:
        """There is none: cancelled, or the intent could not be written."""
        if self.is_handed_over and not self._is_held:
            self._slot.release(None)
        else:
            self._slot.give_back()

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """The `trace` extension of httpcore. A real transport tells here that the first byte is about to leave."""
        if event in _CONNECTED:
            self._is_new, self._ready_at = True, self._clock.monotonic()
        if _is_tunnel(info):
            return
        if event.endswith(".send_request_headers.started"):
            await self._look()
        elif event.endswith(".send_request_body.started"):
            if not self._is_ready():
                # Nothing left that Mews could act on: what is not whole can't be taken.
                self.has_left = False
                if self.deadline is not None:
                    self.deadline.reschedule(None)
                await self._look()
            self.is_letting_go = True

    async def _look(self) -> None:
        """Slot, intent and connection are as they must be when this returns, and count from then on."""
        self._is_held = True
        try:
            await self._renew()
        except Exception as error:
            self.failure = error
            raise
        if self._is_idle():
            raise IdleConnectionError
        self._is_held, self.has_left = False, True
        self._slot.sent(self._clock.monotonic())
        if self.deadline is not None and self._read_seconds is not None:
            # httpx's own timeout starts again with every byte; a trickle must not hold an order for hours.
            self.deadline.reschedule(asyncio.get_running_loop().time() + self._read_seconds)

    def _is_ready(self) -> bool:
        return self._slot.is_fresh(self._clock.monotonic()) and not self._is_stale()

    async def _renew(self) -> None:
        """Until slot and intent are both fresh: each may grow old while the other is renewed."""
        while not self._is_ready():
            is_stale = self._is_stale()
            if not self._slot.is_fresh(self._clock.monotonic()):
                slot = await self._limiter.renew(self._slot)
                is_stale = is_stale or slot is not self._slot or self._is_stale()
                self._slot = slot
            if is_stale:
                await self.write_intent()
                self.is_handed_over = True

    def _is_idle(self) -> bool:
        """Whether the connection may be dead: nobody used it for seconds, by the clock that goes on in sleep."""
        has_slept = self._rest.is_recent()
        waited = self._clock.monotonic() - self._ready_at
        return waited > KEEPALIVE_SECONDS or (has_slept and not self._is_new)

    def _is_stale(self) -> bool:
        """By either clock: the monotonic one may have stood still while the machine slept."""
        ticks, wall = self._intent_at
        if self._clock.monotonic() - ticks >= STALE_SECONDS:
            return True
        return wall is not None and abs((self._clock.wall() - wall).total_seconds()) >= STALE_SECONDS


@types.coroutine
def in_one_step(doing: Coroutine[Any, Any, httpx.Response], attempt: Attempt) -> Generator[Any, Any, httpx.Response]:
    """Awaits a request; between its last look and the write that follows, nobody else gets a turn of the loop.

    anyio, under httpcore, gives one away before each write. In it others may write the ledger, for as long as that takes.
    """
    value: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            waits_for = doing.send(value) if thrown is None else doing.throw(thrown)
        except StopIteration as end:
            response: httpx.Response = end.value
            return response
        value, thrown = None, None
        if waits_for is None and attempt.is_letting_go:
            # A turn given away, and nothing that is waited for.
            continue
        attempt.is_letting_go = False
        try:
            value = yield waits_for
        except BaseException as error:
            thrown = error


def _is_tunnel(info: Mapping[str, Any]) -> bool:
    """A proxy's CONNECT carries nothing of the request yet."""
    return getattr(info.get("request"), "method", b"") == b"CONNECT"
