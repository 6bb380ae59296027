"""Which version of an order took the place of which, and what follows from it. Pure.

Rule: design section 7.1, "Corrections". A version is a hash of what the source says (`PlannedOrder.version`).
"""

from __future__ import annotations

from dataclasses import replace

from etl.ledger.records import Correction, LedgerOrder
from etl.model.plan import PlannedOrder, Verdict
from etl.model.problem import Problem
from etl.model.states import State

_UNSENT = frozenset({State.BLOCKED, State.REJECTED})


def is_original(row: LedgerOrder, order: PlannedOrder) -> bool:
    """Whether the order is met exactly as it was before the correction that was posted."""
    if not order.version or not row.posted_fingerprint:
        return False
    return any(
        one.original == order.version
        and one.corrected == row.posted_fingerprint
        # What the source skips now was not met so, unless it was skipped then for the same reason.
        and (order.verdict is not Verdict.SKIPPED or one.skip_fingerprint == order.skip_fingerprint)
        for one in row.corrections
    )


def newest_given(row: LedgerOrder) -> Correction | None:
    """The last correction that a file gave for the order."""
    return max((one for one in row.corrections if one.is_given), key=lambda one: one.given_at, default=None)


def held_back(row: LedgerOrder, order: PlannedOrder) -> PlannedOrder:
    """The order, blocked where it was corrected once and comes uncorrected now.

    This rests on the ledger, so it enters no plan id. What blocks it already is told beside it.
    """
    newest = newest_given(row)
    is_sent = order.verdict is not Verdict.SKIPPED and not row.has_posted
    if newest is None or not is_sent or order.replaces or order.version == newest.corrected:
        return order
    problem = Problem(
        "order.correction_missing",
        order.number,
        message=f"Order {order.number} was corrected on {newest.given_at[:10]}; this export has it uncorrected.",
    )
    return replace(order, verdict=Verdict.BLOCKED, problems=(*order.problems, problem))


def new_corrections(row: LedgerOrder | None, order: PlannedOrder, given_at: str) -> list[Correction]:
    """What the order, as it is planned now, takes the place of.

    A correction given by a file stands for every earlier version that was corrected, too: whichever of them is met
    again is known. So does the version that follows one which the ledger saw blocked or rejected.
    """
    own = order.version
    originals = {one.version: one.skip_fingerprint for one in order.replaces}
    is_given = bool(originals)
    if row is not None and not originals and _follows_unsent(row, order):
        originals[row.version] = row.skip_fingerprint
    if not originals or not own:
        return []
    for one in row.corrections if row is not None else ():
        originals.setdefault(one.original, one.skip_fingerprint)
        originals.setdefault(one.corrected, "")
    return [
        Correction(version, own, is_given, skipped, given_at)
        for version, skipped in originals.items()
        if version != own
    ]


def _follows_unsent(row: LedgerOrder, order: PlannedOrder) -> bool:
    return (
        row.state in _UNSENT
        and not row.has_posted
        and row.version not in ("", order.version)
        and order.verdict is not Verdict.SKIPPED
        and "order.correction_missing" not in order.codes
    )
