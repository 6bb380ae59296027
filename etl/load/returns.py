"""Returns that wait until the order that they belong to is in Mews. Rule: design section 5."""

from __future__ import annotations

from collections.abc import Callable, Collection

from etl.ledger.ledger import Ledger
from etl.ledger.records import LedgerOrder
from etl.load.jobs import Job
from etl.load.reversal import is_being_reversed
from etl.model.states import State

_MISSING = "its order {parent} is not in Mews"
_REVERSED = "its order {parent} is being reversed: `centra-mews undo --only {parent}` ends that"
_DIFFERENT = "its order {parent} is in Mews otherwise than it was sent: decide on that one first"


class Returns:
    """The returns of one run that were put aside, by the number of their own order."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[str, list[Job]] = {}

    def may_go(self, job: Job) -> bool:
        """Whether the order that a return belongs to stands in Mews; else the return is put aside."""
        if not job.order.parent or not job.send_order:
            return True
        parent = self._ledger.order(job.order.parent)
        is_there = parent is not None and parent.has_posted and parent.state is not State.DIFFERENT
        # An undo that was cut short may have taken it back: the return alone would be a gift.
        if parent is not None and is_there and not self._is_being_reversed(parent):
            return True
        self._held.setdefault(job.order.parent, []).append(job)
        return False

    def take_of(self, number: str) -> list[Job]:
        """The returns of an order that is in Mews now."""
        return self._held.pop(number, [])

    def take_ready(self) -> list[Job]:
        """The returns whose own order is in Mews by now, whoever sent it."""
        held, self._held = self._held, {}
        return [job for jobs in held.values() for job in jobs if self.may_go(job)]

    def take_decided(self) -> list[tuple[str, Job]]:
        """The returns whose own order will not be in Mews as it was sent, each with that in words; the others stay."""
        orphans = []
        for parent in [*self._held]:
            row = self._ledger.order(parent)
            if row is None or row.state not in (State.READY, State.UNKNOWN, State.IN_FLIGHT):
                why = _MISSING if row is None else self._why(row)
                orphans += [(why.format(parent=parent), job) for job in self._held.pop(parent)]
        return orphans

    def _why(self, parent: LedgerOrder) -> str:
        if parent.state is State.DIFFERENT:
            return _DIFFERENT
        return _REVERSED if parent.state is State.POSTED and self._is_being_reversed(parent) else _MISSING

    def _is_being_reversed(self, order: LedgerOrder) -> bool:
        parts = self._ledger.parts([order.number]).get(order.number, ())
        return is_being_reversed(parts, order.generation)

    def take_orphans(self) -> list[tuple[str, Job]]:
        """The returns whose own order will not be in Mews as it was sent after this run, each with that in words.

        Those whose order is left for a later run are left likewise.
        """
        orphans = self.take_decided()
        self._held = {}
        return orphans

    def keep(self, may_come: Callable[[Collection[str]], Collection[str]]) -> list[str]:
        """Leaves for a later run the returns of whose order nobody will make more now. Shape: the numbers of the others."""
        living = may_come(self._held.keys())
        self._held = {parent: jobs for parent, jobs in self._held.items() if parent in living}
        return [job.number for jobs in self._held.values() for job in jobs]
