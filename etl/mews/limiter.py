"""How many requests may leave in a sliding window, over all processes that share the store.

A slot counts from the moment it is granted until S seconds after the last moment at which its request can
have arrived: its answer, or the end of its time-out where none came. Mews measures arrival, not our grant; so no
observer between us and the server sees more than N requests in any S seconds. A slot that is not used at once is
given back, or renewed just before the byte leaves. Where rows are kept is `slots.py` and `slot_file.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from etl.errors import LedgerError
from etl.mews.clock import Clock, Sleep, SystemClock
from etl.mews.slots import MemorySlots, Row, SlotStore
from etl.model.pace import Pace

__all__ = ["Backoff", "Clock", "Limiter", "MemorySlots", "Slot", "SlotStore", "SystemClock"]

TIMEOUT_SECONDS = 100.0
"""A request without an answer may arrive until this long after its first byte, unless the caller's time-out is told."""
LEASE_SECONDS = 5.0
"""A granted slot is used within this time, or renewed before the byte leaves."""
THROTTLED = Pace(first=1.0, longest=60.0)
"""Pauses after 429 without Retry-After."""
LONGEST_PAUSE = 900.0
"""A longer wait than this is not believed: ask again after it."""
CREDIT_SHARE = 0.02
"""The most of a window that a steady way to Mews and back is worth; see `Way`."""
_CLOCK_DRIFT = 1e-4
_MARGIN = 0.001
_SHORTEST_SLEEP = 0.0005
_FLUSH_SECONDS = 0.05
"""What other processes may use earlier is told them at the next slot, or this late."""


class Slot:
    """Leave to send one request. `sent` when its first byte leaves, `release` when the answer came.

    Whoever did not use it says `give_back`. One that is never heard of again counts to the end of its time-out.
    """

    __slots__ = ("_is_over", "_limiter", "_sent_at", "block", "granted")

    def __init__(self, limiter: Limiter, block: _Block, granted: float) -> None:
        self._limiter = limiter
        self.block = block
        self._sent_at: float | None = None
        self._is_over = False
        self.granted = granted

    def is_fresh(self, now: float) -> bool:
        """Whether its request may leave now: the store counts it for longer than that request can take."""
        return self.granted <= now <= self.granted + LEASE_SECONDS

    def sent(self, now: float) -> None:
        """The first byte leaves now; said again where it turns out to leave later."""
        if self._sent_at is None:
            self.block.sent += 1
        self._sent_at = now

    def release(self, now: float | None) -> None:
        """The request is over. It arrived no later than `now`, its answer; None: nobody knows, to the end of its time-out."""
        if self._sent_at is None:
            self.give_back()
        elif now is None:
            self._end(self._limiter.last_arrival(self._sent_at))
        else:
            self._limiter.way.note(self._sent_at, now)
            self._end(now)

    def give_back(self) -> None:
        """No byte of it left: somebody else may have it. Nothing where the request is over already."""
        if not self._is_over:
            self.block.row.size -= 1
            self._end(-math.inf)

    def _end(self, until: float) -> None:
        if not self._is_over:
            self._is_over = True
            self.block.sent -= self._sent_at is not None
            self._limiter.note_over(self.block, until)


@dataclass(slots=True, eq=False)
class _Block:
    """A row of the store with the slots that share it. `spare`: not granted yet; `open`: granted and not over, `sent` of them."""

    row: Row
    stored: float
    """`row.until` as the store has it; other processes go by that."""
    spare: int
    open: int = 0
    sent: int = 0
    is_known: bool = True
    """Whether the store has had it all the time: a row that others forgot meanwhile vouches for no request to come."""
    over: float = -math.inf
    """The last moment at which any request of it that is over can have arrived."""


class Way:
    """How long the way to Mews and back takes for certain. Units: seconds.

    Two requests a window apart by our clock (the first's answer, the second's first byte) are further apart at Mews: by
    the way back of the first and the way there of the second. Nothing tells how a round trip is made of the two: a
    starved server that counts behind its own queue has all of it on the way there, and none of it once it is quick. So
    a credit is given only where it is worth a slot kept back, where round trips are long, many and alike; any shorter one
    ends it; and it is used only while an answer shows how the way was a moment ago (`fresh_for`). What is assumed then:
    between that answer's request and the next one, a round trip does not become shorter by more than `1 - SHARE` of itself.
    """

    LEAST = 100
    """Round trips in a row that are alike."""
    MOST = 200
    ALIKE = 0.8
    """The shortest one beside the usual one."""
    SHARE = 0.6
    """Of the shortest one, that counts."""
    FRESH = 2.5
    """Usual round trips since a request whose answer shows the way."""
    AHEAD = 1.1
    """Usual round trips from the request that shows the way to the moment from which it is of use."""

    def __init__(self, seconds: float) -> None:
        self._most = CREDIT_SHARE * seconds
        self._worth = seconds / 60
        self._age = 2 * seconds + 60.0
        self._trips: deque[tuple[float, float]] = deque(maxlen=self.MOST)
        self._shown = -math.inf
        self._uses = 0
        self.usual = 0.0
        """The median."""
        self.credit = 0.0
        """How much earlier than a window after its answer a request stops to count."""

    def note(self, sent: float, answered: float) -> None:
        """A request was answered."""
        trip = max(0.0, answered - sent)
        if trip < self.ALIKE * self.usual:
            self.forget()
        self._trips.append((answered, trip))
        self._shown = max(self._shown, sent)
        self._uses += 1
        if self._uses >= self.LEAST // 5:
            self._uses = 0
            self._learn(answered)

    def forget(self) -> None:
        """Nothing is known any more."""
        self._trips.clear()
        self.credit = self.usual = 0.0

    def fresh_for(self, now: float) -> float:
        """Seconds for which what is known of the way is fresh; negative where it is not."""
        return self._shown + self.FRESH * self.usual - now

    def _learn(self, now: float) -> None:
        trips = [trip for at, trip in self._trips if at > now - self._age]
        self.usual, shortest = median(trips), min(trips)
        is_sure = len(trips) >= self.LEAST and shortest >= max(self._worth, self.ALIKE * self.usual)
        self.credit = min(self._most, self.SHARE * shortest) if is_sure else 0.0


class Limiter:
    """At most `count` requests in any `seconds`, and nearly all of that while there is work. FIFO."""

    def __init__(
        self,
        count: int,
        seconds: Decimal,
        *,
        store: SlotStore,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        pausing: Sleep | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """`pausing`: how to sleep where Mews asked for a pause; `timeout`: seconds until a request is given up."""
        if count < 1 or seconds <= 0:
            raise ValueError("a rate limit needs at least one request and a time")
        self.count = count
        self.seconds = float(seconds)
        self.timeout = timeout
        self.way = Way(self.seconds)
        self._window = self.seconds * (1 + _CLOCK_DRIFT) + min(_MARGIN, 0.002 * self.seconds)
        # A large limit is taken in blocks, so that the disk is not touched for every request.
        self._want = max(1, count // 200)
        self._block_life = min(0.25, 0.01 * self.seconds)
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._pausing = pausing or sleep
        self._turn = asyncio.Lock()
        self._block: _Block | None = None
        self._probe: _Block | None = None
        self._open: dict[int, _Block] = {}
        self._moved: dict[int, _Block] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._paused_until = -math.inf

    async def slot(self) -> Slot:
        """The next slot; waits for it, first come, first served. Raises LedgerError where the store fails."""
        async with self._turn:
            while True:
                now = self._clock.monotonic()
                pause = self._paused_until - now
                if pause > 0:
                    await self._pausing(pause)
                    continue
                block = self._usable_block(now)
                if isinstance(block, _Block):
                    return self._grant(block, now)
                await self._sleep(max(block, _SHORTEST_SLEEP))

    async def renew(self, slot: Slot) -> Slot:
        """A slot for a request that was held up before its first byte.

        The old one, counting for longer, while the store certainly knows it; else it is given back, and another waited for.
        Raises LedgerError where the store fails.
        """
        block, now = slot.block, self._clock.monotonic()
        known_until = block.stored + self.seconds
        if block.is_known and slot.granted <= now < known_until:
            self._lengthen(block, now)
            # Stopped in the middle of it (SIGSTOP, a machine asleep): others may have forgotten the row before it was written.
            if (later := self._clock.monotonic()) < known_until and later <= now + LEASE_SECONDS:
                slot.granted = now
                return slot
        slot.give_back()
        return await self.slot()

    def pause(self, seconds: float) -> None:
        """Nobody gets a slot for that long (429). A pause under way is never shortened."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))
        self.way.forget()

    def last_arrival(self, sent: float) -> float:
        """When a request without an answer can have arrived at the latest: at the end of its time-out.

        Where that is long over, the machine slept: what stood in its buffers leaves once it wakes.
        """
        now, end = self._clock.monotonic(), sent + self.timeout
        return end if now <= end + LEASE_SECONDS else now + self.timeout

    def note_over(self, block: _Block, until: float) -> None:
        """A request of the block is over; the row is final when all are."""
        block.open -= 1
        block.over = max(block.over, until)
        self._finish(block)

    def close(self) -> None:
        """Effects: writes what is known of the last requests, closes the store."""
        if self._flush is not None:
            self._flush.cancel()
        if self._block is not None:
            self._drop(self._block)
        self._store.close([block.row for block in self._moved.values()])
        self._moved = {}

    def _finish(self, block: _Block) -> None:
        if block.spare or block.open:
            return
        self._open.pop(block.row.id, None)
        block.row.until = block.over
        self._moved[block.row.id] = block
        self._flush_soon()

    def _lengthen(self, block: _Block, now: float) -> None:
        """That a row counts for less may be told later, that it counts for longer may not."""
        until = now + LEASE_SECONDS + self.timeout
        if until > block.stored:
            block.row.until = until
            self._store.write([block.row])
            block.stored = until

    def _flush_soon(self) -> None:
        """Other processes wait for what this one has no use for. The next slot tells them, or a timer where none is taken."""
        if self._flush is None:
            with contextlib.suppress(RuntimeError):
                self._flush = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        moved = list(self._moved.values())
        if not moved:
            return
        # What can't be written now stays for the next slot, which says so.
        with contextlib.suppress(LedgerError):
            self._store.write([block.row for block in moved])
            self._written(moved)

    def _written(self, moved: list[_Block]) -> None:
        now = self._clock.monotonic()
        for block in moved:
            block.is_known = block.is_known and now < block.stored + self.seconds
            block.stored = block.row.until
            if self._moved.get(block.row.id) is block:
                del self._moved[block.row.id]

    def _usable_block(self, now: float) -> _Block | float:
        block = self._block
        if block is not None and block.spare:
            if 0 <= now - block.row.granted <= self._block_life:
                return block
            self._drop(block)
        self._keep_alive(now)
        if not self.way.credit or self.count < Way.LEAST:
            return self._take(now, self._window, self.count, self._want)
        return self._early_block(now)

    def _early_block(self, now: float) -> _Block | float:
        """On credit. One slot is kept back for a request that is early enough without it, and shows the way after a pause."""
        credit, ahead = self.way.credit, Way.AHEAD * self.way.usual
        fresh = self.way.fresh_for(now)
        if fresh >= 0:
            block = self._take(now, self._window - credit, self.count - 1, self._want)
            if isinstance(block, _Block) or block <= fresh:
                return block
            return max(block - ahead, fresh + _MARGIN)
        block = self._take(now, self._window, self.count - 1, self._want)
        if isinstance(block, _Block):
            return block
        if block > credit + ahead:
            return block - credit - ahead
        if self._probe is None or not (self._probe.spare or self._probe.open):
            probe = self._take(now, self._window, self.count, 1)
            if isinstance(probe, _Block):
                self._probe = probe
                return probe
        # The answer that is waited for wakes nobody.
        return min(block, credit / 50)

    def _take(self, now: float, window: float, count: int, want: int) -> _Block | float:
        moved = list(self._moved.values())
        taken = self._store.take(
            now=now,
            window=window,
            keep=self._window,
            count=count,
            want=want,
            lease=LEASE_SECONDS + self.timeout + self._block_life,
            moved=[block.row for block in moved],
        )
        if taken.is_written:
            self._written(moved)
        if taken.row is None:
            return taken.wait
        self._block = self._open[taken.row.id] = _Block(taken.row, taken.row.until, spare=taken.row.size)
        return self._block

    def _keep_alive(self, now: float) -> None:
        """A request that outlived its time-out (the machine slept) is still under way, and counts."""
        for block in self._open.values():
            if block.sent and block.row.until <= now:
                block.row.until = now + self.timeout
                self._moved[block.row.id] = block

    def _grant(self, block: _Block, now: float) -> Slot:
        block.spare -= 1
        block.open += 1
        return Slot(self, block, now)

    def _drop(self, block: _Block) -> None:
        """What is left of a block is given up: its time is over."""
        block.row.size -= block.spare
        block.spare = 0
        self._block = None
        self._moved[block.row.id] = block
        self._finish(block)


class Backoff:
    """Growing pauses with jitter for 429 without Retry-After, one for all workers.

    Answers of requests that were under way when the pause began count as one failure, not as many.
    """

    def __init__(self, clock: Clock, rng: random.Random, pace: Pace = THROTTLED) -> None:
        self._clock = clock
        self._rng = rng
        self._pace = pace
        self._failures = 0
        self._until = -math.inf

    def failed(self) -> float:
        """Seconds to wait from now on, between half and all of the doubled step."""
        now = self._clock.monotonic()
        if now < self._until:
            return self._until - now
        pause = self._pace.pause(self._failures, self._rng.random())
        self._failures += 1
        self._until = now + pause
        return pause

    def succeeded(self) -> None:
        """Mews processed a request: the next failure is a first one again."""
        if self._clock.monotonic() >= self._until:
            self._failures = 0
