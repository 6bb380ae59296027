"""What is left open of a history, order by order."""

from __future__ import annotations

import pytest

from etl.model.status import ReportState
from etl.reconcile.completeness import Completeness, Judged
from etl.reconcile.values import Klass


def judged(state: ReportState, *codes: str, is_read: bool = True, klass: Klass | None = None) -> Judged:
    """One order of the ledger."""
    return Judged("1", state, klass, frozenset(codes), is_read, is_readable=True)


@pytest.mark.parametrize(
    ("state", "is_open"), [(ReportState.ALREADY_POSTED, True), (ReportState.CHANGED, True), (ReportState.UNDONE, False)]
)
def test_what_recover_found_is_open_while_it_stands_in_mews(state: ReportState, is_open: bool) -> None:
    """An order that no export holds can be undone; then nothing of it is left to explain."""
    found = Completeness({})
    found.add(judged(ReportState.ALREADY_POSTED, klass=Klass.MATCHED))
    found.add(judged(state, is_read=False, klass=None if state is ReportState.UNDONE else Klass.MATCHED))
    assert bool(found.reasons) is is_open


def test_an_order_is_accepted_only_by_every_code_that_it_has() -> None:
    """A waiver names a problem, not an order."""
    found = Completeness({"1": frozenset({"changed"})})
    assert found.accepts(judged(ReportState.CHANGED, "changed"))
    assert not found.accepts(judged(ReportState.CHANGED, "changed", "different"))
    assert not found.accepts(judged(ReportState.UNDONE, "changed"))
