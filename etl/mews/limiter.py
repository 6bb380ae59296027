"""How many requests may leave in a sliding window, over all processes that share the store.

A slot counts from the moment it is granted until S seconds after the last moment at which its request can
have arrived: Mews measures arrival, not our grant. So no observer between us and the server sees more than
N requests in any S seconds. Where rows are kept is `slots.py`.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass
from decimal import Decimal

from etl.mews.clock import Clock, Sleep, SystemClock
from etl.mews.slots import MemorySlots, Row, SlotStore, SqliteSlots
from etl.model.pace import Pace

__all__ = ["Backoff", "Clock", "Limiter", "MemorySlots", "Slot", "SlotStore", "SqliteSlots", "SystemClock"]

ARRIVAL_SECONDS = 0.5
"""A request has arrived this long after it was sent, answered or not: 98.4 % of a window of 30 s stay usable."""
ARRIVAL_SHARE = 0.02
"""The same for short windows, as a share of them."""
LEASE_SECONDS = 5.0
"""A granted slot whose request was not sent yet counts as if it left this late (a crashed process leaves such)."""
THROTTLED = Pace(first=1.0, longest=60.0)
"""Pauses after 429 without Retry-After."""
LONGEST_PAUSE = 900.0
"""A longer wait than this is not believed: ask again after it."""
_CLOCK_DRIFT = 1e-4
_MARGIN = 0.001
_SHORTEST_SLEEP = 0.0005


class Slot:
    """Leave to send one request. `sent` when its first byte leaves, `release` when the answer came."""

    __slots__ = ("_block", "_is_sent", "_limiter", "granted", "until")

    def __init__(self, limiter: Limiter, block: _Block, granted: float) -> None:
        self._limiter = limiter
        self._block = block
        self._is_sent = False
        self.granted = granted
        self.until = block.row.until
        """The last moment at which the request can arrive."""

    def sent(self, now: float) -> None:
        """The first byte leaves now; said again where it turns out to leave later."""
        if not self._is_sent:
            self._is_sent = True
            self._block.unsent -= 1
        self.until = now + self._limiter.arrival_seconds
        self._limiter.note_sent(self._block, self.until)

    def release(self, now: float | None = None) -> None:
        """The request is over: it arrived no later than `now` (None: nobody knows, the assumption stays)."""
        if not self._is_sent:
            self._is_sent = True
            self._block.unsent -= 1
        if now is not None and now < self.until:
            self.until = now
        self._limiter.note_over(self._block, self.until)


@dataclass(slots=True, eq=False)
class _Block:
    """A row of the store with the slots that share it."""

    row: Row
    stored: float
    """`row.until` as the store has it; other processes go by that."""
    spare: int
    unsent: int
    under_way: int = 0
    last_sent: float = -math.inf
    last_over: float = -math.inf


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
    ) -> None:
        """`pausing`: how to sleep where Mews asked for a pause, for those who tell it apart."""
        if count < 1 or seconds <= 0:
            raise ValueError("a rate limit needs at least one request and a time")
        self.count = count
        self.seconds = float(seconds)
        self.arrival_seconds = min(ARRIVAL_SECONDS, ARRIVAL_SHARE * self.seconds)
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
        self._moved: dict[int, _Block] = {}
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
        """A slot for a request that was held up before its first byte: the old one while it still counts."""
        if self._clock.monotonic() < slot.until + self.seconds:
            return slot
        slot.release()
        return await self.slot()

    def pause(self, seconds: float) -> None:
        """Nobody gets a slot for that long (429). A pause under way is never shortened."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))

    def note_sent(self, block: _Block, until: float) -> None:
        """A request of the block leaves, and arrives at `until` at the latest."""
        block.last_sent = max(block.last_sent, until)
        if not block.unsent:
            self._move(block, max(block.last_sent, block.last_over))
        elif until > block.row.until:
            self._move(block, until)

    def note_over(self, block: _Block, until: float) -> None:
        """A request of the block is over; the row is final when all are."""
        block.under_way -= 1
        block.last_over = max(block.last_over, until)
        if not block.under_way and not block.unsent:
            self._move(block, block.last_over)

    def close(self) -> None:
        """Effects: writes what is known of the last requests, closes the store."""
        if self._block is not None:
            self._drop(self._block)
        self._store.close([block.row for block in self._moved.values()])
        self._moved = {}

    def _move(self, block: _Block, until: float) -> None:
        block.row.until = until
        self._moved[block.row.id] = block
        # That a slot counts for less may be told later, that it counts for longer may not.
        if until > block.stored:
            self._store.write([block.row])
            block.stored = until

    def _usable_block(self, now: float) -> _Block | float:
        block = self._block
        if block is not None and block.spare:
            if now - block.row.granted <= self._block_life:
                return block
            self._drop(block)
        moved = list(self._moved.values())
        taken = self._store.take(
            now=now,
            window=self._window,
            count=self.count,
            want=self._want,
            lease=LEASE_SECONDS + self.arrival_seconds + self._block_life,
            moved=[block.row for block in moved],
        )
        if taken.is_written:
            for block in moved:
                block.stored = block.row.until
            self._moved.clear()
        if taken.row is None:
            return taken.wait
        self._block = _Block(taken.row, taken.row.until, spare=taken.row.size, unsent=taken.row.size)
        return self._block

    def _grant(self, block: _Block, now: float) -> Slot:
        block.spare -= 1
        block.under_way += 1
        return Slot(self, block, now)

    def _drop(self, block: _Block) -> None:
        """What is left of a block is given up: its time is over."""
        block.unsent -= block.spare
        block.spare = 0
        self._block = None
        if not block.unsent:
            self._move(block, max(block.last_over, block.last_sent if block.under_way else -math.inf))


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
