"""Whether a person accepted by name, in waivers.csv, all that an order needs attention for. Pure.

Rule: design section 2, `complete`. Every command asks here, so that what is accepted for `reconcile` is for `run`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import replace

from etl.ledger.records import LedgerOrder
from etl.ledger.standing import change
from etl.model.mapping import Mapping
from etl.model.plan import PlannedOrder
from etl.model.problem import Problem, Severity
from etl.model.states import State
from etl.model.status import OrderStatus, ReportState

Waived = Table[str, frozenset[str]]
"""Accepted problem codes by order number."""


def waived_by_order(rows: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Order numbers and codes of waivers.csv, by order number."""
    found: dict[str, frozenset[str]] = {}
    for number, code in rows:
        found[number] = found.get(number, frozenset()) | {code}
    return found


def waived_in(mapping: Mapping) -> dict[str, frozenset[str]]:
    """What waivers.csv of the mapping folder accepts."""
    return waived_by_order((waiver.order_number, waiver.problem_code) for waiver in mapping.waivers)


def codes_of(status: OrderStatus, held: LedgerOrder | None, order: PlannedOrder | None, store: str) -> frozenset[str]:
    """What a person would have to accept of an order that needs attention; empty where nothing can be accepted.

    `held`: the ledger's order, None where it knows nothing; `order`: today's plan, None where the export is not read.
    """
    codes: set[str] = set()
    if status.state is ReportState.BLOCKED:
        codes = {problem.code for problem in status.problems if problem.is_error} or {held.code if held else ""}
    elif status.state is ReportState.REJECTED:
        codes = {held.code if held and held.code else "mews.refused"}
    elif held is not None and held.has_posted and held.state not in (State.UNKNOWN, State.IN_FLIGHT):
        codes |= {held.code or "mews.refused"} if held.state is State.REJECTED else set()
        codes |= {"different"} if held.state is State.DIFFERENT else set()
        codes |= {"changed"} if (change(held, order, store) if order is not None else held.changed) else set()
    return frozenset(codes - {""})


def with_waivers(
    status: OrderStatus, held: LedgerOrder | None, order: PlannedOrder | None, store: str, waived: Waived
) -> OrderStatus:
    """The status, marked where all that it needs attention for was accepted; a total that can't be read never is."""
    mine = waived.get(status.number)
    if not mine or not status.needs_attention or status.source_total is None:
        return status
    codes = codes_of(status, held, order, store)
    return as_accepted(status) if codes and codes <= mine else status


def as_accepted(status: OrderStatus) -> OrderStatus:
    """The status of which a person accepted everything: what would need attention is told, and no error any more."""
    first = next((problem.message for problem in status.problems if problem.is_error), "")
    problems = (_told(problem) if problem.is_error else problem for problem in status.problems)
    return replace(status, is_accepted=True, problems=tuple(problems), message=status.message or first)


def _told(problem: Problem) -> Problem:
    message = f"{problem.message} Accepted by name in waivers.csv.".lstrip()
    return replace(problem, severity=Severity.NOTICE, message=message)
