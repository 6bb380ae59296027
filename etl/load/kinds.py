"""One of each kind first: which order may try a need that only Mews can tell, and which wait for what it finds out.

Rule: design section 7.1. What is known of kinds stands in the ledger (`kind_record.py`); this is one run's view of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from etl.ledger.kind_record import KindStanding
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Part
from etl.load.jobs import Job, needs_of_part
from etl.model.kinds import KindState
from etl.model.states import State

_IN_DOUBT = (State.UNKNOWN, State.IN_FLIGHT)


def needs_of(job: Job) -> list[str]:
    """The kinds that a job needs, the order's before its payments'."""
    if not job.order.unproved:
        return []
    parts = [*([ORDER_PART] if job.send_order else []), *job.payments]
    return list(dict.fromkeys(kind for part in parts for kind in needs_of_part(job.order, part)))


class Kinds:
    """The kinds of one run. `retries`: what an earlier run saw held is tried once more (`--retry-rejected`)."""

    def __init__(self, ledger: Ledger, run_id: str, *, retries: bool = False) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._retries = retries
        self._known: dict[str, KindStanding] = {}
        self._tests: dict[str, set[str]] = {}
        self._running: set[str] = set()
        self._waiting: dict[str, Job] = {}

    def begin(self) -> None:
        """Reads the ledger: what is known, and which orders in doubt hold their kinds until they are settled."""
        self.reload()
        for part in self._ledger.unsettled():
            for kind in self._unproved(part.needs):
                self._tests.setdefault(kind, set()).add(part.number)

    def reload(self) -> None:
        """Takes in what this run, or a look at Mews, has recorded."""
        self._known = self._ledger.kinds()

    # What a job meets

    def holding(self, job: Job) -> KindStanding | None:
        """The held kind that keeps a job from being sent; None where there is none."""
        return next((self._known[kind] for kind in needs_of(job) if self._holds(kind)), None)

    @property
    def held(self) -> frozenset[str]:
        """All kinds that are not tried now."""
        return frozenset(kind for kind in self._known if self._holds(kind))

    def trim(self, job: Job) -> bool:
        """Leaves out the payments of held kinds, where the order itself is in Mews. Shape: whether any is left."""
        held = self.held
        job.payments = [part for part in job.payments if not held & set(needs_of_part(job.order, part))]
        return bool(job.payments)

    def to_reopen(self, job: Job) -> list[str]:
        """The held kinds of a job that this run is to try once more."""
        return [kind for kind in needs_of(job) if self._is_held(kind) and not self._holds(kind)]

    def admit(self, job: Job) -> bool:
        """Whether a job may go now; else it waits for those that try its kinds. Call `end` when it is through."""
        unproved = self._unproved(needs_of(job))
        if len(unproved) > 1 or self._is_tried_by_others(job, unproved):
            self._waiting[job.number] = job
            return False
        self._begin_test(job, unproved)
        return True

    def is_open(self, job: Job) -> bool:
        """Whether a job needs a kind that nobody has proved."""
        return bool(self._unproved(needs_of(job)))

    def is_test(self, job: Job) -> bool:
        """Whether a job tries kinds for all others."""
        return job.number in self._running

    def park(self, job: Job) -> None:
        """The job waits, whatever its kinds."""
        self._waiting[job.number] = job

    def end(self, job: Job) -> None:
        """A job is through, its outcome on disk; where nobody knows it, the order goes on holding its kinds."""
        self._running.discard(job.number)
        self.settle()

    def settle(self) -> None:
        """Frees the kinds of orders that are in doubt no more."""
        self.reload()
        numbers = set().union(*self._tests.values()) - self._running if self._tests else set()
        parts = self._ledger.parts(numbers) if numbers else {}
        doubtful = {number for number in numbers if _is_in_doubt(parts.get(number, ()))}
        for kind in list(self._tests):
            self._tests[kind] &= self._running | doubtful
            if not self._tests[kind] or not self._unproved([kind]):
                del self._tests[kind]

    # Those who wait

    def take_waiting(self) -> list[Job]:
        """All jobs that waited, oldest first: each is to be offered again."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())

    def take_stuck(self) -> Job | None:
        """The oldest job that waits for several kinds which nobody else can try; it tries them all."""
        for number, job in self._waiting.items():
            unproved = self._unproved(needs_of(job))
            if not self._is_tried_by_others(job, unproved):
                del self._waiting[number]
                self._begin_test(job, unproved)
                return job
        return None

    def _begin_test(self, job: Job, unproved: list[str]) -> None:
        for kind in unproved:
            self._tests.setdefault(kind, set()).add(job.number)
        if unproved:
            self._running.add(job.number)

    def _unproved(self, kinds: Iterable[str]) -> list[str]:
        return [kind for kind in kinds if self._state(kind) is not KindState.PROVED]

    def _is_tried_by_others(self, job: Job, kinds: Iterable[str]) -> bool:
        return any(self._tests.get(kind, set()) - {job.number} for kind in kinds)

    def _holds(self, kind: str) -> bool:
        return self._is_held(kind) and (not self._retries or self._known[kind].run_id == self._run_id)

    def _is_held(self, kind: str) -> bool:
        return self._state(kind) is KindState.HELD

    def _state(self, kind: str) -> KindState:
        known = self._known.get(kind)
        return KindState.OPEN if known is None else known.state


def _is_in_doubt(parts: Iterable[Part]) -> bool:
    return any(part.state in _IN_DOUBT for part in parts)
