"""How the ledger writes times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def stamp(moment: datetime | None) -> str:
    """A time as the ledger stores it: ISO, UTC, microseconds, so that texts sort like times. What travels together has the same ones."""
    return "" if moment is None else f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
