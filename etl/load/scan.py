"""Walking over Mews to see what of ours is there. A scan counts only if every page of it was read.

Presence is judged against the stored attempts: any item with an identifier or marker of that generation,
cancelled ones included. Undo entries never prove presence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.errors import MewsError
from etl.load.ports import Reader
from etl.load.records import Attempt, Clock
from etl.model.identity import Identity, parse_identifier, parse_marker
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.windows import windows

MARGIN = timedelta(minutes=5)
"""Scans start this much before the first attempt: Mews tells its time in whole seconds, and clocks are set."""

AHEAD = timedelta(hours=1)
"""Scans end this much after Mews's now, for the same reason."""

ID_CHUNK = 500

OrderKey = tuple[str, int]
"""Number and generation."""

CandidateKey = tuple[str, datetime]
"""Account and consumption of an unmarked item."""


RESOLUTION = 1.0
"""Seconds: Mews tells its time in whole ones, so it is up to this much later there than it says."""


class MewsTime:
    """Mews's clock between two readings of it, carried on by a clock that never jumps.

    What it says is old by the answer's way and cut to the second: `now` is never ahead of Mews, `latest` never behind.
    Waits count from `latest` to `now`, so that none is a moment too short.
    """

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._anchor: tuple[datetime, float] | None = None
        self._slack = timedelta(seconds=RESOLUTION)

    async def sync(self) -> datetime:
        """Mews's time, asked for; it is not earlier there. Raises MewsError."""
        asked = self._clock.monotonic()
        await self._reader.configuration()
        self._anchor = (self._reader.now(), self._clock.monotonic())
        self._slack = timedelta(seconds=RESOLUTION + self._anchor[1] - asked)
        return self._anchor[0]

    def latest(self) -> datetime:
        """The time that it can be in Mews at the latest."""
        return self.now() + self._slack

    def now(self) -> datetime:
        """Mews's time, carried on since it was asked for; it is not earlier there."""
        if self._anchor is None:
            return self._reader.now()
        then, at = self._anchor
        return then + timedelta(seconds=self._clock.monotonic() - at)


def identity_of(row: OrderItemRow | PaymentRow) -> Identity | None:
    """Whose posting an item is, by identifier, else by marker; None for other people's."""
    parsed = parse_identifier(row.external_identifier)
    return parsed[0] if parsed is not None else parse_marker(row.notes)


def payment_part(row: PaymentRow) -> tuple[Identity, str] | None:
    """Identity and part of a payment of ours. Our notes are the marker and the part's name."""
    parsed = parse_identifier(row.external_identifier)
    if parsed is not None:
        return parsed
    identity = parse_marker(row.notes)
    words = row.notes.split()
    return None if identity is None or not words else (identity, words[-1])


@dataclass(slots=True)
class Sighted:
    """What one walk has seen. `orders`: OrderIds by number and generation; `rows` of those asked for.

    `strangers`: items of other people; `candidates`: unmarked rows whose account and consumption are those of
    an unknown attempt, by OrderId.
    """

    orders: dict[OrderKey, dict[str, None]] = field(default_factory=dict)
    rows: dict[str, list[OrderItemRow]] = field(default_factory=dict)
    candidates: dict[str, list[OrderItemRow]] = field(default_factory=dict)
    strangers: int = 0
    items: int = 0


def sight(
    page: Iterable[OrderItemRow], store: str, seen: Sighted, candidate_keys: frozenset[CandidateKey]
) -> dict[OrderKey, dict[str, None]]:
    """What of ours stands on one page: OrderIds by number and generation; the rest is noted in `seen`."""
    found: dict[OrderKey, dict[str, None]] = {}
    for row in page:
        seen.items += 1
        identity = identity_of(row)
        if identity is None:
            seen.strangers += 1
            if row.consumed is not None and (row.account_id, row.consumed.replace(microsecond=0)) in candidate_keys:
                seen.candidates.setdefault(row.order_id, []).append(row)
        elif identity.store == store and not identity.is_undo:
            found.setdefault((identity.number, identity.generation), {})[row.order_id] = None
    return found


async def walk_items(
    reader: Reader, service_id: str, start: datetime | None, now: datetime
) -> AsyncIterator[list[OrderItemRow]]:
    """All items of the service created since `start` (None: ever), in windows that Mews takes. Raises MewsError."""
    if start is None:
        async for page in reader.order_items(service_ids=[service_id]):
            yield page
        return
    for window in windows(start, now + AHEAD):
        async for page in reader.order_items(service_ids=[service_id], created=window):
            yield page


async def walk_cancelled(
    reader: Reader, service_id: str, start: datetime, now: datetime
) -> AsyncIterator[list[OrderItemRow]]:
    """All items of the service cancelled since `start`, whenever they were created. Raises MewsError."""
    for window in windows(start, now + AHEAD):
        async for page in reader.order_items(service_ids=[service_id], canceled=window):
            yield page


async def walk_payments(reader: Reader, start: datetime, now: datetime) -> AsyncIterator[list[PaymentRow]]:
    """All payments created since `start`. Raises MewsError."""
    for window in windows(start, now + AHEAD):
        async for page in reader.payments(created=window):
            yield page


async def items_of(reader: Reader, order_ids: Sequence[str]) -> dict[str, list[OrderItemRow]]:
    """The items of these orders, by OrderId. Raises MewsError."""
    found: dict[str, dict[str, OrderItemRow]] = {}
    for start in range(0, len(order_ids), ID_CHUNK):
        async for page in reader.order_items(order_ids=order_ids[start : start + ID_CHUNK]):
            for row in page:
                found.setdefault(row.order_id, {})[row.id] = row
    return {order_id: list(rows.values()) for order_id, rows in found.items()}


async def known_items(reader: Reader, order_id: str) -> list[OrderItemRow]:
    """The items under one OrderId; none where Mews refuses to know it. Raises MewsError for any other fault."""
    try:
        return (await items_of(reader, [order_id])).get(order_id, [])
    except MewsError as error:
        if error.code != "mews.refused":
            raise
        return []


def candidate_keys(attempts: Iterable[Attempt]) -> frozenset[CandidateKey]:
    """Under what an unmarked item of one of these attempts would be found."""
    return frozenset(
        (attempt.account_id, attempt.consumption.replace(microsecond=0))
        for attempt in attempts
        if attempt.consumption is not None
    )


Progress = Callable[[str, int, int], None]
"""Told what is going on: stage, done, total (0 where unknown)."""
