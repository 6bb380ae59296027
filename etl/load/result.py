"""What one run did: what it sent, what it met, and why it ended. What became of each order, the ledger says."""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.errors import EtlError


@dataclass(slots=True)
class LoadResult:
    """What one run did with the orders it was given.

    `begun`: how many were begun, which is what `--limit` bounds; `sent`: how many Mews took.
    `stop`: why it ended early; None where it did not. `has_left`: a person left at once (second Ctrl-C), what was in
    flight is so on disk. `duplicated`: orders that Mews holds more than once, with OrderIds.
    `first_check`: how the first order's booked amounts differ in the last digit of a tax.
    """

    sent: int = 0
    begun: int = 0
    stop: EtlError | None = None
    is_interrupted: bool = False
    has_left: bool = False
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first_check: tuple[str, ...] = ()
    strangers: int = 0
    surveys: int = 0
