"""Whether Mews keeps something of a request of several bills that it refuses: found out once for each ledger.

Rule: design section 9. The documentation does not say it. The bills of the first such request are in doubt until two
scans have looked for each of them: if they find one, each refusal of several is settled so. If they find none, refusals
are whole, provided that there was something to keep: a Mews that keeps the bills before the bad one keeps nothing of a
request that begins with it. So it counts once the first bill of that request, sent again as it was, is accepted; until
then each refusal of several is settled by two scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from etl.ledger.records import dumps, loads
from etl.ledger.steps import PartKey, Steps
from etl.model.states import IN_MEWS, State

VERDICT = "refusals_of_several"
WHOLE = "refusals_of_several_whole"
"""The bill that proved that refusals are whole. An earlier version noted that under VERDICT, without a proof."""
PENDING = "refused_together"
FIRST = "refused_together_first"
"""The first bill of that request: its key and the hash of what was sent."""
NOTHING_FOUND = "refused_together_nothing_found"
"""The first bill of a refused request of which two scans found nothing."""


class Keep(StrEnum):
    """What a refusal of several bills leaves in Mews."""

    NOTHING = "nothing"
    SOME = "some"


class Meta(Protocol):
    """What knows the ledger's single facts."""

    def meta(self, key: str) -> str | None:
        """A stored text."""
        ...


class Shared(Meta, Protocol):
    """What also knows who has which orders in hand."""

    def elsewhere(self, numbers: Iterable[str]) -> frozenset[str]:
        """Those of the orders that another worker has in hand."""
        ...


def verdict(ledger: Meta) -> Keep | None:
    """What this ledger has found out; None while nobody knows."""
    if ledger.meta(VERDICT) == Keep.SOME:
        return Keep.SOME
    return Keep.NOTHING if ledger.meta(WHOLE) else None


def note(steps: Steps, ledger: Meta, keys: Sequence[PartKey], first_hash: str) -> None:
    """Keeps the parts of a refused request, in the transaction that records what became of them.

    `keys`: in the order in which the bills stood; `first_hash`: of what was sent as the first of them.
    """
    if verdict(ledger) is None and ledger.meta(PENDING) in (None, "[]"):
        steps.meta(PENDING, dumps([list(key) for key in keys]))
        steps.meta(FIRST, _bill(keys[0], first_hash))


def accepted(steps: Steps, ledger: Meta, bills: Iterable[tuple[PartKey, str]]) -> None:
    """Mews took these bills (key and hash): with the one that proves it among them, refusals are whole."""
    proof = ledger.meta(NOTHING_FOUND)
    if proof and verdict(ledger) is None and any(_bill(*bill) == proof for bill in bills):
        steps.meta(WHOLE, proof)


def proving(ledger: Meta) -> PartKey | None:
    """The bill whose acceptance would prove that refusals are whole."""
    proof = ledger.meta(NOTHING_FOUND)
    if not proof or verdict(ledger) is not None:
        return None
    number, generation, part, _ = loads(proof, [])
    return number, generation, part


def _bill(key: PartKey, content_hash: str) -> str:
    return dumps([*key, content_hash])


def judge(steps: Steps, ledger: Shared, absent: Iterable[PartKey]) -> Keep | None:
    """What a look has found out, recorded with its decisions; None where that is open, unproved, or was known before.

    `absent`: the parts that this look proved absent.
    """
    pending = [(number, generation, part) for number, generation, part in loads(ledger.meta(PENDING) or "[]", [])]
    if not pending or verdict(ledger) is not None:
        return None
    if ledger.elsewhere({number for number, _, _ in pending}):
        # Whose they are knows what became of them: a bill that was sent again since is none that Mews kept.
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
    if found is not None:
        steps.meta(VERDICT, found.value)
    elif not left:
        steps.meta(NOTHING_FOUND, ledger.meta(FIRST) or "")
    steps.meta(PENDING, "[]" if found is not None else dumps([list(key) for key in left]))
    return found
