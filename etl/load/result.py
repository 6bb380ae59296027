"""What one run did with the orders it was given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from etl.errors import EtlError, ExitCode
from etl.load.standing import Standing

_ATTENTION = (Standing.BLOCKED, Standing.REJECTED, Standing.UNKNOWN, Standing.CHANGED, Standing.DIFFERENT)


@dataclass(slots=True)
class LoadResult:
    """What one run did with the orders it was given. `counts` has each of them in one standing.

    `begun`: how many were begun, which is what `--limit` bounds; `sent`: how many Mews took.
    `stop`: why it ended early; None where it did not. `is_counted` is false where it was left before all
    orders were counted (second Ctrl-C). `duplicated`: orders that Mews holds more than once, with OrderIds.
    `first_check`: how the first order's booked amounts differ in the last digit of a tax.
    """

    counts: Counter[Standing] = field(default_factory=Counter)
    sent: int = 0
    begun: int = 0
    stop: EtlError | None = None
    is_interrupted: bool = False
    is_counted: bool = True
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first_check: tuple[str, ...] = ()
    strangers: int = 0
    surveys: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """What the run's orders and its end say; the command adds what it knows besides."""
        if self.stop is not None:
            return self.stop.exit_code
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        if self.duplicated or any(self.counts[name] for name in _ATTENTION):
            return ExitCode.ATTENTION
        return ExitCode.DONE
