"""Walking through long answers: cursors, batches of ids, windows of time. Complete, or an error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from etl.errors import MewsError

PAGE = 1000
"""`Limitation.Count`: the most that Mews gives at once."""

Interval = tuple[datetime | None, datetime | None]
"""`[from, to)`, aware; None is open."""


class Reads(Protocol):
    """What sends a read operation (`etl.mews.transport.Transport`)."""

    async def read(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, or MewsError."""


async def walk(
    transport: Reads, operation: str, key: str, body: Mapping[str, Any], *, expected: int | None = None
) -> AsyncIterator[list[dict[str, Any]]]:
    """The entries of all pages. Shape: as `pages`."""
    async for entries, _ in pages(transport, operation, key, body, expected=expected):
        yield entries


async def pages(
    transport: Reads, operation: str, key: str, body: Mapping[str, Any], *, expected: int | None = None
) -> AsyncIterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """The entries of all pages, newest first, no entry twice where pages overlap, each with its whole answer.

    A cursor leads to older entries only, so what is created meanwhile moves nothing. The walk ends where Mews gives
    no cursor or no entry, or where `expected` entries came. A short page with a cursor is followed: one request more
    is cheaper than an entry that was not seen. Raises MewsError where the cursor goes in circles.
    """
    limitation: dict[str, Any] = {"Count": PAGE}
    seen_cursors: set[str] = set()
    previous: set[str] = set()
    count = 0
    while True:
        answer = await transport.read(operation, {**body, "Limitation": limitation})
        entries = answer[key]
        if not all(isinstance(entry, dict) for entry in entries):
            raise MewsError(f"{operation}: an entry of {key} is no object", code="mews.answer", hint="Ask Mews.")
        fresh = [entry for entry in entries if entry.get("Id") not in previous]
        count += len(fresh)
        if fresh:
            yield fresh, answer
        cursor = answer.get("Cursor")
        if not cursor or not entries or (expected is not None and count >= expected):
            return
        if not fresh and len(entries) < PAGE:
            # A server that counts the cursor in: its last page holds nothing else.
            return
        if cursor in seen_cursors:
            raise MewsError(
                f"{operation}: the pages go in circles, so nobody knows what is missing",
                code="mews.answer",
                hint="Try again; ask Mews if it stays so.",
            )
        seen_cursors.add(cursor)
        previous = {entry["Id"] for entry in entries if isinstance(entry.get("Id"), str)}
        limitation = {"Count": PAGE, "Cursor": cursor}


def batches(values: Sequence[str], size: int) -> Iterator[list[str]]:
    """`values` in lists of at most `size`."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def interval(start: datetime, end: datetime) -> dict[str, str]:
    """A TimeFilterInterval."""
    return {"StartUtc": utc_text(start), "EndUtc": utc_text(end)}


def utc_text(moment: datetime) -> str:
    """`moment` (aware) as Mews writes it: `2026-08-01T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
