"""Whether Mews keeps something of a request of several bills that it refuses: found out once for each ledger.

Rule: design section 9. The documentation does not say it. The bills of the first such request are in doubt until two
scans have looked for each of them: if they find none, refusals are whole; if they find one, each refusal of several
is settled so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from etl.ledger.records import dumps, loads
from etl.ledger.steps import PartKey, Steps
from etl.model.states import IN_MEWS, State

VERDICT = "refusals_of_several"
PENDING = "refused_together"


class Keep(StrEnum):
    """What a refusal of several bills leaves in Mews."""

    NOTHING = "nothing"
    SOME = "some"


class Meta(Protocol):
    """What knows the ledger's single facts."""

    def meta(self, key: str) -> str | None:
        """A stored text."""
        ...


def verdict(ledger: Meta) -> Keep | None:
    """What this ledger has found out; None while nobody knows."""
    found = ledger.meta(VERDICT)
    return Keep(found) if found else None


def note(steps: Steps, ledger: Meta, keys: Sequence[PartKey]) -> None:
    """Keeps the parts of the first refused request, in the transaction that records what became of them."""
    if ledger.meta(VERDICT) is None and ledger.meta(PENDING) in (None, "[]"):
        steps.meta(PENDING, dumps([list(key) for key in keys]))


def judge(steps: Steps, ledger: Meta, absent: Iterable[PartKey]) -> Keep | None:
    """What a look has found out, recorded with its decisions; None where that is open, or was known before.

    `absent`: the parts that this look proved absent.
    """
    pending = [(number, generation, part) for number, generation, part in loads(ledger.meta(PENDING) or "[]", [])]
    if not pending or ledger.meta(VERDICT):
        return None
    gone = set(absent)
    left: list[PartKey] = []
    found = None
    for key in pending:
        state = steps.part_state(*key)
        if state in IN_MEWS:
            found = Keep.SOME
        elif key not in gone and state in (State.UNKNOWN, State.IN_FLIGHT):
            left.append(key)
    if found is None and not left:
        found = Keep.NOTHING
    if found is not None:
        steps.meta(VERDICT, found.value)
    steps.meta(PENDING, "[]" if found is not None else dumps([list(key) for key in left]))
    return found
