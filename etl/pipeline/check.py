"""What `preflight` finds out, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How a check came out; `unproved` is what Mews does not reveal beforehand."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `next` says what to do unless it is ok."""

    check: str
    result: Result
    detail: str
    next: str = ""
