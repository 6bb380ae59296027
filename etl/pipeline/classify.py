"""Plan and ledger seen together: the one state in which each order is reported. Pure.

Rule: design section 7.4: a posted order is only ever already_posted, changed or undone.
"""

from __future__ import annotations

from decimal import Decimal

from etl.errors import InternalError
from etl.load.corrections import is_original
from etl.load.records import LedgerOrder
from etl.load.standing import Standing, change, standing, told
from etl.model.money import ZERO
from etl.model.plan import Basis, Booked, PlannedOrder, Verdict
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState, TaxSum


def status_of(order: PlannedOrder, held: LedgerOrder | None, store: str, *, run_id: str = "") -> OrderStatus:
    """The order's state in a report of run `run_id` ("" in a dry run)."""
    where = standing(held, order, store, run_id)
    if where is Standing.DIFFERENT:
        return _in_ledger(order, held, ReportState.CHANGED, "different", store)
    state = ReportState(where.value)
    if held is None or state in (ReportState.READY, ReportState.BLOCKED, ReportState.SKIPPED, ReportState.REJECTED):
        return _planned(order, state, held, run_id)
    return _in_ledger(order, held, state, "changed", store)


def planned_status(order: PlannedOrder) -> OrderStatus:
    """How the order is reported where the ledger does not know it, in whatever run."""
    return _planned(order, ReportState(order.verdict.value), None, "")


def _planned(order: PlannedOrder, state: ReportState, held: LedgerOrder | None, run_id: str) -> OrderStatus:
    message = order.skip_reason
    problems = order.problems
    if held is not None and held.code and (state is ReportState.REJECTED or _stopped_here(order, state, run_id)):
        # Refused by Mews, or held back just before sending (window.passed).
        message = held.message
        problems = (*problems, Problem(held.code, order.number, message=held.message))
    errors = [problem for problem in problems if problem.is_error]
    return OrderStatus(
        number=order.number,
        state=state,
        currency=order.currency,
        basis=order.basis,
        source_total=order.source_total,
        planned_total=order.planned_total if state not in (ReportState.BLOCKED, ReportState.SKIPPED) else Decimal(0),
        planned_currency=order.currency,
        planned_basis=order.basis,
        rounding=order.rounding,
        problems=problems,
        account_id=order.account_id,
        message=message or (errors[0].message if errors else ""),
        month=order.month,
        consumption=order.consumption,
        is_clamped=order.is_clamped,
        line_count=order.line_count,
        balance=order.gross_balance,
        taxes=_tax_sums(order),
        unproved=order.unproved,
    )


def _tax_sums(order: PlannedOrder) -> tuple[TaxSum, ...]:
    booked: dict[tuple[str, ...], list[Booked]] = {}
    for entry in order.entries:
        booked.setdefault(entry.codes, []).append(entry.predicted)
    return tuple(
        TaxSum(
            codes,
            sum([one.net for one in found], ZERO),
            sum([one.tax for one in found], ZERO),
            sum([one.gross for one in found], ZERO),
        )
        for codes, found in booked.items()
    )


def _stopped_here(order: PlannedOrder, state: ReportState, run_id: str) -> bool:
    return run_id != "" and state is ReportState.BLOCKED and order.verdict is Verdict.READY


def _in_ledger(order: PlannedOrder, held: LedgerOrder | None, state: ReportState, code: str, store: str) -> OrderStatus:
    if held is None:
        raise InternalError(f"order {order.number} is {state} without a row in the ledger")
    facts = held.facts
    problems = [problem for problem in order.problems if not problem.is_error]
    message = held.message
    # Its correction was posted: that counts, not what the export still says.
    is_corrected = held.has_posted and is_original(held, order)
    if state is ReportState.CHANGED:
        message = change(held, order, store) or held.changed or held.message
        problems = [Problem(code, order.number, message=message), *order.problems]
    elif state is ReportState.UNKNOWN:
        problems = [Problem("send.unknown", order.number, message=message), *problems]
    elif state is ReportState.UNDONE:
        problems += [problem for problem in order.problems if problem.code == "order.correction_missing"]
    else:
        problems += told(held, order)
    is_held = state is not ReportState.UNDONE
    return OrderStatus(
        number=order.number,
        state=state,
        currency=held.currency if is_corrected else order.currency,
        basis=Basis(held.basis) if is_corrected else order.basis,
        source_total=held.source_total if is_corrected else order.source_total,
        planned_total=held.planned_total if is_held else Decimal(0),
        planned_currency=held.currency or order.currency,
        planned_basis=Basis(held.basis) if held.basis else order.basis,
        rounding=held.rounding,
        problems=tuple(problems),
        account_id=held.account_id,
        mews_order_id=held.mews_order_id,
        message=message,
        month=held.month or order.month,
        consumption=held.consumption,
        is_clamped=held.is_clamped,
        line_count=order.line_count,
        balance=order.gross_balance if is_held else Decimal(0),
        taxes=tuple(
            TaxSum(tuple(codes.split()), *(Decimal(amount) for amount in row))
            for codes, row in facts.get("by_codes", {}).items()
        )
        if is_held
        else (),
    )
