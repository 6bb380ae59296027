"""What is to be undone, and what became of it. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from etl.errors import EtlError, ExitCode


class Ending(StrEnum):
    """What became of one order."""

    REVERSED = "reversed"
    ALREADY = "already_reversed"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Target:
    """One order that is to be reversed: the copies that go, and those that stay.

    Nothing of a generation is left once no copy of it stays.
    """

    number: str
    generation: int
    order_ids: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the order itself goes, with its payments."""
        return not self.left


@dataclass(frozen=True, slots=True)
class Detail:
    """What was done about one order. `how`: cancelled, opposite, or both; "" for nothing."""

    order: str
    order_id: str
    how: str
    result: Ending
    message: str = ""


@dataclass(slots=True)
class Selection:
    """What would be undone. `money`: by currency, as the ledger has it, in the source's basis."""

    targets: list[Target] = field(default_factory=list)
    already: list[tuple[str, str]] = field(default_factory=list)
    money: dict[str, Decimal] = field(default_factory=dict)
    returns: dict[str, set[str]] = field(default_factory=dict)


@dataclass(slots=True)
class UndoResult:
    """What one undo did. `left`: orders that nothing was done about, because it ended early.

    `duplicated`: what its looks at Mews found there more than once, ids by order number.
    """

    details: list[Detail] = field(default_factory=list)
    left: int = 0
    stop: EtlError | None = None
    is_interrupted: bool = False
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def count(self, ending: Ending) -> int:
        """How many orders ended so."""
        return sum(detail.result is ending for detail in self.details)

    @property
    def exit_code(self) -> ExitCode:
        """0 only where everything chosen is reversed."""
        if self.stop is not None:
            return self.stop.exit_code
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.ATTENTION if self.count(Ending.KEPT) or self.count(Ending.FAILED) else ExitCode.DONE
