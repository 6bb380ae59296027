"""Whether every order of the source stands in Mews as planned, or was accepted by name. Pure.

Rule: design section 2, `complete`: the green banner and exit code 0 of reconcile say exactly this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from etl.model.status import ReportState
from etl.model.words import counted
from etl.reconcile.values import Klass

NOT_THERE = (ReportState.BLOCKED, ReportState.REJECTED, ReportState.READY, ReportState.UNKNOWN, ReportState.UNDONE)
"""States of orders that are not in Mews, or not whole; `skipped` ones are not meant to be."""

_STANDS = frozenset({ReportState.POSTED, ReportState.RECOVERED, ReportState.ALREADY_POSTED})
_BY_CODE = frozenset({ReportState.BLOCKED, ReportState.REJECTED})


@dataclass(frozen=True, slots=True)
class Judged:
    """One order of the ledger. `codes`: what holds it back, or in what it differs; `klass`: of its read-back, if any.

    `is_settled`: a person took what stands in Mews for the order, though other amounts were sent.
    """

    number: str
    state: ReportState
    klass: Klass | None
    codes: frozenset[str]
    is_read: bool
    is_readable: bool
    is_settled: bool = False


@dataclass(slots=True)
class Completeness:
    """Adds up order by order. `waived`: accepted codes by order number; `unassigned`: rows without a number."""

    waived: Mapping[str, frozenset[str]]
    unassigned: int = 0
    read: int = 0
    unreadable: int = 0
    only_in_mews: int = 0
    unexpected: int = 0
    accepted: int = 0
    settled: int = 0
    meanwhile: int = 0
    states: Counter[ReportState] = field(default_factory=Counter)
    classes: Counter[Klass] = field(default_factory=Counter)
    more: list[str] = field(default_factory=list)

    def add(self, order: Judged) -> None:
        """Counts one order that the ledger knows."""
        self.read += order.is_read
        if not order.is_read:
            self.only_in_mews += order.state is not ReportState.UNDONE
            return
        self.unreadable += not order.is_readable
        if order.state is ReportState.SKIPPED or (order.state in _STANDS and order.klass is Klass.MATCHED):
            return
        if self.accepts(order):
            self.accepted += 1
        elif order.state in _STANDS and order.klass is None:
            self.meanwhile += 1
        elif order.state in _STANDS and order.klass is Klass.DIFFERENT and order.is_settled:
            self.settled += 1
        elif order.state in _STANDS and order.klass is not None:
            self.classes[order.klass] += 1
        else:
            self.states[order.state] += 1

    def accepts(self, order: Judged) -> bool:
        """Whether a person named every code of it; what is unknown, left or undone has none to accept."""
        by_name = self.waived.get(order.number, frozenset())
        if order.klass in (Klass.MISSING, Klass.DUPLICATED, Klass.UNEXPECTED):
            return False
        may_be = order.state in _BY_CODE or order.state is ReportState.CHANGED or order.state in _STANDS
        return may_be and bool(order.codes) and order.codes <= by_name

    @property
    def to_compare(self) -> int:
        """Orders of which Mews shows something else than was sent, and nobody has decided that yet."""
        return sum(self.classes.values()) + self.unexpected

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left open."""
        return not self.reasons

    @property
    def reasons(self) -> list[str]:
        """What is left open, in sentences' parts."""
        counts: Iterable[tuple[int, str]] = (
            *((self.states[state], f"order|orders {_WORDS[state]}") for state in ReportState if state in _WORDS),
            (self.classes[Klass.MISSING], "order|orders that the ledger holds as posted is|are not in Mews"),
            (self.classes[Klass.DIFFERENT], "order|orders stands|stand in Mews otherwise than sent"),
            (
                self.settled,
                f"order|orders was|were settled by a person with other amounts than sent: {_ACCEPT_DIFFERENT}",
            ),
            (self.classes[Klass.DUPLICATED], "order|orders stands|stand in Mews more than once"),
            (self.meanwhile, "order|orders was|were posted while this looked, and not read back: reconcile again"),
            (self.unexpected, "order|orders in Mews carries|carry this store's mark and is|are unknown to the ledger"),
            (self.only_in_mews, "order|orders that `recover` found in Mews stands|stand in no export that was run"),
            (self.unreadable, "order|orders has|have no readable total"),
            (self.unassigned, "row|rows has|have no readable order number"),
        )
        nothing = [] if self.read else ["nothing was read yet"]
        return [*nothing, *(counted(count, words) for count, words in counts if count), *self.more]


_ACCEPT_DIFFERENT = "accept them by name in waivers.csv (different)"
_WORDS = {
    ReportState.BLOCKED: "is|are blocked",
    ReportState.REJECTED: "was|were refused by Mews, in whole or in part",
    ReportState.READY: "is|are ready and not in Mews, in whole or in part",
    ReportState.UNKNOWN: "is|are unknown: nobody knows yet whether Mews holds it|them",
    ReportState.UNDONE: "was|were undone",
    ReportState.CHANGED: "has|have changed in the source since, or stands|stand in Mews otherwise than sent",
}
