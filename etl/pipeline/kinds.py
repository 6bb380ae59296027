"""What the ledger knows of kinds, in every report: what is proved is open no more, what is held is blocked.

Rule: design sections 7.1 and 8 (`unproved`). Kinds enter no plan id, so they are laid over the plan here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from etl.ledger.kind_record import KindStanding, refusal_of
from etl.ledger.records import LedgerOrder
from etl.model.kinds import KindState
from etl.model.problem import Problem
from etl.model.shares import Fate, OrderMoney, SourceReading
from etl.model.status import OrderStatus, ReportState

KIND_REFUSED = "kind.refused"


def with_kinds(status: OrderStatus, row: LedgerOrder | None, kinds: Mapping[str, KindStanding]) -> OrderStatus:
    """The status as a run would make it. `row`: the ledger's, None where it knows nothing of the order."""
    if not status.unproved:
        return status
    unsent = status.state is ReportState.READY and not (row is not None and row.has_posted)
    held = next((kinds[kind] for kind in status.unproved if _is(kinds, kind, KindState.HELD)), None)
    if unsent and held is not None:
        message = refusal_of(held)
        return replace(
            status,
            state=ReportState.BLOCKED,
            planned_total=Decimal(0),
            money=tuple(_blocked(status).shares()),
            problems=(*status.problems, Problem(KIND_REFUSED, status.number, message=message)),
            message=message,
        )
    unproved = tuple(kind for kind in status.unproved if not _is(kinds, kind, KindState.PROVED))
    return status if unproved == status.unproved else replace(status, unproved=unproved)


def _blocked(status: OrderStatus) -> OrderMoney:
    return OrderMoney(SourceReading(status.currency, status.basis, status.source_total), Fate.BLOCKED)


def _is(kinds: Mapping[str, KindStanding], kind: str, state: KindState) -> bool:
    return kind in kinds and kinds[kind].state is state
