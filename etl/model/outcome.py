"""What became of one request, by what the run does next: the only thing `mews/` tells about an answer.

Rule: design section 7.3. Whether Mews may have acted decides, not the status code as such.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from etl.model.quick import quick


class Kind(StrEnum):
    """Consequence of an answer or its absence."""

    DONE = "done"
    """Mews acted and said so."""
    REFUSED = "refused"
    """400, 403, 413: Mews did not act and never will on this payload."""
    SPLIT = "split"
    """Refused together with others, and nothing of it is there: it goes again in a smaller request."""
    CONFLICT = "conflict"
    """409: not done; tried again a few times."""
    WAIT = "wait"
    """429: not processed; everybody waits."""
    NOT_SENT = "not_sent"
    """Connect and pool faults: no byte reached Mews."""
    UNKNOWN = "unknown"
    """408, 5xx, read timeout, reset after send, truncated or foreign body: perhaps processed."""
    STOP = "stop"
    """401, 404: credentials or address are wrong; the run stops with exit code 4."""


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """One request's fate. `body` is the parsed answer (numbers as Decimal) of a DONE outcome.

    `retry_after` in seconds where Mews gave one. `message` is Mews's own, or what happened on the wire;
    it never contains a token.
    """

    kind: Kind
    body: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    message: str = ""
    request_id: str = ""
    retry_after: float | None = None
    details: str = ""
