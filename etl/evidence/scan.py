"""Walking over Mews to see what of ours is there. A scan counts only if every page of it was read.

Presence is judged against the stored attempts: any item with an identifier or marker of that generation,
cancelled ones included. Undo entries never prove presence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.evidence.marks import identity_of
from etl.evidence.reader import Reader
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.windows import windows

MARGIN = timedelta(minutes=5)
"""Scans start this much before the first attempt: Mews tells its time in whole seconds, and clocks are set."""

AHEAD = timedelta(hours=1)
"""Scans end this much after Mews's now, for the same reason."""

OrderKey = tuple[str, int]
"""Number and generation."""

CandidateKey = tuple[str, datetime]
"""Account and consumption of an unmarked item."""


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
                rows = seen.candidates.setdefault(row.order_id, [])
                # Met on two walks, or moved to a later page: an item counted twice would not look like what was sent.
                if all(one.id != row.id for one in rows):
                    rows.append(row)
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


Progress = Callable[[str, int, int], None]
"""Told what is going on: stage, done, total (0 where unknown)."""
