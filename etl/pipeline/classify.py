"""Plan and ledger seen together: the one state in which an order is reported, and its money. Pure.

Rule: design sections 2 and 7.4. Every command and report asks here: dry-run and run with the plan of the export,
report and reconcile with the newest reading that the ledger keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.columns.quick import Booked as BookedUnits
from etl.columns.quick import Held, Report
from etl.errors import InternalError
from etl.ledger.corrections import is_original
from etl.ledger.plan_rows import by_category
from etl.ledger.records import ORDER_PART, RECOVERED_RUN, LedgerOrder, Part, PartKind, loads
from etl.ledger.standing import change, notices_of, standing
from etl.model.money import ZERO
from etl.model.plan import Basis, Booked, PlannedOrder, RoundingCause, Verdict
from etl.model.problem import Problem
from etl.model.route import Route
from etl.model.shares import CREDIT, Amounts, BridgeLine, Fate, Line, OrderMoney, SourceReading
from etl.model.states import State
from etl.model.status import CategorySum, OrderStatus, ReportState, TaxSum

_FATES = {
    State.BLOCKED: Fate.BLOCKED,
    State.SKIPPED: Fate.SKIPPED,
    State.READY: Fate.READY,
    State.IN_FLIGHT: Fate.UNKNOWN,
    State.UNKNOWN: Fate.UNKNOWN,
    State.POSTED: Fate.POSTED,
    State.DIFFERENT: Fate.POSTED,
    State.REJECTED: Fate.REJECTED,
    State.UNDONE: Fate.UNDONE,
}
_WHOLE = {
    ReportState.BLOCKED: Fate.BLOCKED,
    ReportState.SKIPPED: Fate.SKIPPED,
    ReportState.REJECTED: Fate.REJECTED,
    ReportState.UNDONE: Fate.UNDONE,
}
"""Reported so, nothing of an order is in Mews or on its way there."""
_CODES = {
    ReportState.REJECTED: "mews.refused",
    ReportState.UNKNOWN: "send.unknown",
    ReportState.CHANGED: "changed",
}

CHANGED_BILL = (
    "Read in what it differs; it is never sent again by itself, and nobody can change a bill in Mews. Only if the export "
    "is right: reverse it with `centra-mews undo --only ORDER`, then run with --repost-undone."
)
"""What to do about an outlet bill that is changed."""


def needs_parts(held: LedgerOrder) -> bool:
    """Whether the ledger's parts say more of an order than its state: not where all of it was posted by a run."""
    return held.state is not State.POSTED or held.posted_run_id == RECOVERED_RUN


def status_of(
    order: PlannedOrder | None,
    held: LedgerOrder | None,
    store: str,
    *,
    parts: Sequence[Part] = (),
    run_id: str = "",
) -> OrderStatus:
    """The order in a report of run `run_id` ("" in a dry run).

    `order`: today's plan, None where the export is not read; `held`: the ledger's, None where it knows nothing; one of
    them is given. `parts`: the ledger's parts of the order, asked for where `needs_parts` says so.
    """
    state = standing(held, order, store, run_id)
    money = money_of(order, held, store, state, parts)
    if held is None:
        if order is None:
            raise InternalError("an order without plan and ledger", code="internal.count")
        return _planned(order, state, money)
    if order is not None and (money.amounts is None or money.items is Fate.READY) and state is not ReportState.UNDONE:
        return _planned(order, state, money, held, run_id)
    return _in_ledger(order, held, state, money, store)


def planned_status(order: PlannedOrder) -> OrderStatus:
    """How the order is reported where the ledger does not know it, in whatever run."""
    state = ReportState(order.verdict.value)
    return _planned(order, state, money_of(order, None, "", state, ()))


def quick_status(report: Report, problems: tuple[Problem, ...] = ()) -> OrderStatus:
    """How an order that was planned by columns is reported: as `planned_status` of the same order by the rules."""
    return _plain_status(report, problems, ReportState.READY, Fate.READY)


def held_status(held: Held) -> OrderStatus:
    """How an order that was not taken into the plan by columns is reported: as `planned_status`, likewise."""
    total, basis = Decimal(held.total).scaleb(-held.precision), _basis_of(is_net=held.is_net)
    state = ReportState(held.verdict.value)
    money = OrderMoney(SourceReading(held.currency, basis, total), _WHOLE[state])
    errors = [problem.message for problem in held.problems if problem.is_error]
    return OrderStatus(
        number=held.number,
        state=state,
        currency=held.currency,
        basis=basis,
        source_total=total,
        planned_total=money.planned,
        planned_currency=held.currency,
        planned_basis=basis,
        rounding=ZERO,
        problems=held.problems,
        message=held.skip_reason or (errors[0] if errors else ""),
        month=held.month,
        consumption=datetime.fromisoformat(held.consumption) if held.consumption else None,
        line_count=held.line_count,
        balance=ZERO,
        money=tuple(money.shares()),
        bridge=tuple(_bridge(money)),
        is_bill=held.is_bill,
    )


def posted_status(report: Report) -> OrderStatus:
    """How an order is reported that an earlier run posted and that has not changed: as `status_of`, without Mews's id."""
    return _plain_status(report, (), ReportState.ALREADY_POSTED, Fate.POSTED)


def _plain_status(report: Report, problems: tuple[Problem, ...], state: ReportState, fate: Fate) -> OrderStatus:
    currency, digits, basis = report.currency, -report.precision, _basis_of(is_net=report.is_net)
    total = Decimal(report.total).scaleb(digits)
    paid = tuple([(part, name, Decimal(units).scaleb(digits)) for part, name, units in report.paid])
    credit = tuple([(part, amount) for part, _, amount in paid if part.startswith(CREDIT)])
    rounding = Decimal(report.rounding).scaleb(digits) if report.rounding else ZERO
    items = total - rounding + sum([amount for _, amount in credit], ZERO)
    causes = ((RoundingCause.CONVERSION, rounding),) if rounding else ()
    amounts = Amounts(currency, basis, total, items, credit, causes)
    money = OrderMoney(SourceReading(currency, basis, total), fate, amounts)
    # What is charged is with tax, whatever the source's prices are.
    charged = Decimal(report.gross).scaleb(digits) if report.is_net else items
    return OrderStatus(
        number=report.number,
        state=state,
        currency=currency,
        basis=basis,
        source_total=total,
        planned_total=money.planned,
        planned_currency=currency,
        planned_basis=basis,
        rounding=rounding,
        problems=problems,
        account_id=report.account_id,
        month=report.month,
        consumption=datetime.fromisoformat(report.consumption),
        line_count=report.line_count,
        balance=charged - sum([amount for _, _, amount in paid], ZERO),
        taxes=tuple([TaxSum(codes, *_amounts_of(sums, report.precision)) for codes, sums in report.taxes]),
        unproved=report.unproved,
        money=tuple(money.shares()),
        bridge=tuple(_bridge(money)),
        categories=tuple([(name, *_amounts_of(sums, report.precision)) for name, sums in report.categories]),
        is_bill=report.is_bill,
        paid=paid if report.is_bill else (),
    )


def _basis_of(*, is_net: bool) -> Basis:
    return Basis.NET if is_net else Basis.GROSS


def _amounts_of(sums: BookedUnits, precision: int) -> tuple[Decimal, Decimal, Decimal]:
    """Net, tax and gross; no tax is 0 without decimals, as of entries without a code."""
    net, gross, has_codes = sums
    tax = Decimal(gross - net).scaleb(-precision) if has_codes else ZERO
    return Decimal(net).scaleb(-precision), tax, Decimal(gross).scaleb(-precision)


# Money


def money_of(
    order: PlannedOrder | None, held: LedgerOrder | None, store: str, state: ReportState, parts: Sequence[Part]
) -> OrderMoney:
    """What the order adds to totals and bridge. `state`: the one in which it is reported."""
    if order is not None and held is not None and held.has_posted and is_original(held, order):
        # Its correction was posted: that counts, not what the export still says.
        reading = SourceReading(held.currency, _basis(held), held.source_total)
    elif order is not None:
        reading = SourceReading(order.currency, order.basis, order.source_total)
    elif held is not None:
        reading = held.newest
    else:
        raise InternalError("an order without plan and ledger", code="internal.count")
    mine = {
        part.part: _FATES[part.state]
        for part in parts
        if held is not None and part.generation == held.generation and part.kind is not PartKind.UNDO
    }
    items = mine.pop(ORDER_PART, None) or (Fate.READY if held is None else _FATES[held.state])
    if held is not None and items in (Fate.POSTED, Fate.UNKNOWN, Fate.UNDONE):
        amounts = _ledger_amounts(held, order, store, reading, is_different=_is_different(held, parts))
        # Where the parts were asked for, a credit without one was never sent; those of a bill are where the bill is.
        is_apart = bool(parts) and not held.is_bill
        credit_fates = dict.fromkeys((part for part, _ in amounts.credits), Fate.READY) if is_apart else {}
        return OrderMoney(reading, items, amounts, {**credit_fates, **mine})
    if state is not ReportState.READY:
        return OrderMoney(reading, _WHOLE.get(state, items))
    if order is not None:
        return OrderMoney(reading, Fate.READY, plan_amounts(order))
    if held is None:
        raise InternalError("an order without plan and ledger", code="internal.count")
    return OrderMoney(reading, Fate.READY, _facts(held))


def plan_amounts(order: PlannedOrder) -> Amounts:
    """What Mews would book of a ready order: its entries as predicted, less credits."""
    booked = [one.predicted.gross if order.basis is Basis.GROSS else one.predicted.net for one in order.revenue]
    return Amounts(
        order.currency,
        order.basis,
        ZERO if order.source_total is None else order.source_total,
        sum(booked, ZERO),
        tuple((part, amount) for part, _, amount in order.paid if part.startswith(CREDIT)),
        order.rounding_causes,
    )


def _is_different(held: LedgerOrder, parts: Sequence[Part]) -> bool:
    """Whether the items of the order are what differs, not a payment of it."""
    own = (part.state for part in parts if (part.part, part.generation) == (ORDER_PART, held.generation))
    return next(own, held.state) is State.DIFFERENT


def _ledger_amounts(
    held: LedgerOrder, order: PlannedOrder | None, store: str, reading: SourceReading, *, is_different: bool
) -> Amounts:
    # A person may have accepted the difference: Mews holds no more for that.
    if held.observed and (is_different or held.is_settled_as_seen):
        return _seen(held, reading)
    if held.verdict:
        return _facts(held)
    # `recover` found it, and no run has compared it with a plan yet.
    if order is not None and order.verdict is Verdict.READY and not change(held, order, store):
        return plan_amounts(order)
    return _seen(held, reading) if held.observed else _facts(held)


def _facts(held: LedgerOrder) -> Amounts:
    """The plan that was frozen with what was sent."""
    credit = _credits(held)
    booked = _seen_credits(held, credit)
    causes = held.facts.get("rounding_causes")
    if causes is None:
        causes = [(RoundingCause.CONVERSION, held.rounding)] if held.rounding else []
    source = held.planned_total + held.rounding if held.source_total is None else held.source_total
    return Amounts(
        held.currency,
        _basis(held),
        source + _sum(credit) - _sum(booked),
        held.planned_total + _sum(credit),
        booked,
        tuple((str(cause), Decimal(amount)) for cause, amount in causes),
    )


def _seen(held: LedgerOrder, reading: SourceReading) -> Amounts:
    """What Mews showed of the order, in the source's basis."""
    shown = loads(held.observed, {})
    # Cancelled items count as first booked there; what reverses an order lowers it.
    items = [one for one in (*shown.get("items", ()), *shown.get("undo", ())) if not one.get("canceled")]
    # What pays an outlet bill is an item of it, and nothing that was sold.
    booked = sum((Decimal(str(item[reading.basis.value])) for item in items if not item.get("payment")), ZERO)
    credit = _seen_credits(held, _credits(held))
    currency = next((str(item["currency"]) for item in items), held.currency)
    return Amounts(currency, reading.basis, booked - _sum(credit), booked, credit)


Credits = tuple[tuple[str, Decimal], ...]


def _sum(credit: Credits) -> Decimal:
    return sum((amount for _, amount in credit), ZERO)


def _seen_credits(held: LedgerOrder, credit: Credits) -> Credits:
    """Those that Mews holds with another amount count as it was seen."""
    seen = loads(held.observed, {}).get("payments", {}) if credit and held.observed else {}
    return tuple((part, Decimal(seen.get(part, amount))) for part, amount in credit)


def _credits(held: LedgerOrder) -> Credits:
    return tuple(
        (str(part), Decimal(amount))
        for part, _, amount in held.facts.get("payments", ())
        if str(part).startswith(CREDIT)
    )


def _basis(held: LedgerOrder) -> Basis:
    return Basis(held.basis) if held.basis else Basis.GROSS


# The order as it is shown


def _planned(
    order: PlannedOrder, state: ReportState, money: OrderMoney, held: LedgerOrder | None = None, run_id: str = ""
) -> OrderStatus:
    message = order.skip_reason
    problems = order.problems
    if held is not None and (state is ReportState.REJECTED or (held.code and _stopped_here(order, state, run_id))):
        # Refused by Mews, or held back just before sending (window.passed).
        message = held.message
        problems = (*problems, Problem(held.code or _CODES[ReportState.REJECTED], order.number, message=held.message))
    errors = [problem for problem in problems if problem.is_error]
    return OrderStatus(
        number=order.number,
        state=state,
        currency=order.currency,
        basis=order.basis,
        source_total=order.source_total,
        planned_total=money.planned,
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
        money=tuple(money.shares()),
        bridge=tuple(_bridge(money)),
        categories=_category_sums(order),
        is_bill=order.route is Route.OUTLET,
        paid=order.paid if order.route is Route.OUTLET else (),
    )


def _bridge(money: OrderMoney) -> Iterator[Line]:
    """The order's lines of the bridge, and the items that the ledger knows to be in Mews as the last."""
    yield from (line for line in money.bridge() if line[3] or line[0] == BridgeLine.SOURCE)
    if money.items is Fate.POSTED and money.amounts is not None:
        yield (BridgeLine.IN_MEWS, money.amounts.currency, money.amounts.basis, money.expected_items)


def _category_sums(order: PlannedOrder) -> tuple[CategorySum, ...]:
    return tuple((category, net, tax, gross) for category, (net, tax, gross) in by_category(order).items())


def _tax_sums(order: PlannedOrder) -> tuple[TaxSum, ...]:
    booked: dict[tuple[str, ...], list[Booked]] = {}
    for entry in order.revenue:
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


def _in_ledger(
    order: PlannedOrder | None, held: LedgerOrder, state: ReportState, money: OrderMoney, store: str
) -> OrderStatus:
    reading, amounts = money.reading, money.amounts
    message = held.message
    if state is ReportState.CHANGED:
        message = (change(held, order, store) if order is not None else "") or held.changed or held.message
    is_held = money.is_planned
    return OrderStatus(
        number=held.number,
        state=state,
        currency=reading.currency,
        basis=reading.basis,
        source_total=reading.total,
        planned_total=money.planned,
        planned_currency=amounts.currency if amounts else reading.currency,
        planned_basis=amounts.basis if amounts else reading.basis,
        rounding=sum((amount for _, amount in amounts.rounding), ZERO) if amounts else ZERO,
        problems=_problems(order, held, state, message),
        account_id=held.account_id,
        mews_order_id=held.mews_order_id,
        message=message or held.skip_reason,
        month=held.month or (order.month if order else ""),
        consumption=held.consumption,
        is_clamped=held.is_clamped,
        line_count=order.line_count if order is not None else held.line_count,
        balance=_balance(order, held, money) if is_held else ZERO,
        taxes=ledger_taxes(held.facts) if is_held else (),
        money=tuple(money.shares()),
        bridge=tuple(_bridge(money)),
        categories=ledger_categories(held.facts) if is_held else (),
        is_read=order is not None or held.is_read,
        is_bill=_is_bill(order, held),
        paid=_paid(order, held) if is_held else (),
    )


def _problems(order: PlannedOrder | None, held: LedgerOrder, state: ReportState, message: str) -> tuple[Problem, ...]:
    """What the ledger says first, then what the plan says of the same order."""
    code = held.code or _CODES.get(state, "")
    if state is ReportState.CHANGED:
        code = "different" if held.state is State.DIFFERENT else "changed"
    hint = CHANGED_BILL if code == "changed" and _is_bill(order, held) else ""
    mine = [Problem(code, held.number, message=message, hint=hint)] if code and state in _CODES else []
    if order is None:
        if state is ReportState.BLOCKED and held.code:
            # Held back by the run, not by the plan: a kind that Mews refused, a window that passed.
            mine = [Problem(held.code, held.number, message=message)]
        return (*mine, *held.problems)
    # What a plan of today would block is none of an order that was sent.
    if state is ReportState.CHANGED:
        return (*mine, *order.problems)
    notices = [problem for problem in order.problems if not problem.is_error]
    if state is ReportState.UNDONE:
        return (*notices, *(problem for problem in order.problems if problem.code == "order.correction_missing"))
    return (*mine, *notices, *(notices_of(held, order) if state is not ReportState.UNKNOWN else ()))


def _balance(order: PlannedOrder | None, held: LedgerOrder, money: OrderMoney) -> Decimal:
    """What the order leaves open as it was sent, whatever the export says now; refused payments pay nothing."""
    amounts = money.amounts
    if amounts is not None and amounts.basis is Basis.GROSS:
        gross = amounts.items
    elif "by_codes" in held.facts:
        gross = sum((one.gross for one in ledger_taxes(held.facts)), ZERO)
    else:
        return order.gross_balance if order is not None else ZERO
    return gross - sum(
        (Decimal(amount) for part, _, amount in held.facts.get("payments", ()) if money.is_paid(str(part))), ZERO
    )


def _paid(order: PlannedOrder | None, held: LedgerOrder) -> tuple[tuple[str, str, Decimal], ...]:
    """The payments of a bill: those frozen with it, else the plan's; none of the other route's orders."""
    if _is_frozen_bill(held):
        return tuple((str(line), str(name), Decimal(amount)) for line, name, amount in held.facts.get("payments", ()))
    return order.paid if order is not None and order.route is Route.OUTLET else ()


def _is_bill(order: PlannedOrder | None, held: LedgerOrder) -> bool:
    return held.is_bill or (order is not None and order.route is Route.OUTLET)


def _is_frozen_bill(held: LedgerOrder) -> bool:
    """Whether the ledger knows what the bill holds: an edited mapping changes the next plan, not the bill."""
    return held.is_bill and "by_codes" in held.facts


def ledger_taxes(facts: Any) -> tuple[TaxSum, ...]:
    """The sums by tax-code set that were frozen with the plan."""
    return tuple(
        TaxSum(tuple(codes.split()), *(Decimal(amount) for amount in row))
        for codes, row in facts.get("by_codes", {}).items()
    )


def ledger_categories(facts: Any) -> tuple[CategorySum, ...]:
    """The sums by accounting category that were frozen with the plan; those of older ledgers under ""."""
    found = facts.get("by_category")
    if found is not None:
        return tuple((str(category), *_three(row)) for category, row in found.items())
    taxes = ledger_taxes(facts)
    net, tax, gross = (sum([one[at] for one in map(astuple, taxes)], ZERO) for at in (1, 2, 3))
    return (("", net, tax, gross),) if taxes else ()


def _three(row: Sequence[Any]) -> tuple[Decimal, Decimal, Decimal]:
    net, tax, gross = map(Decimal, row)
    return net, tax, gross
