"""What the ledger keeps of a plan, and of what Mews shows in its place, as columns. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.ledger.records import dumps, stamp
from etl.model.identity import parse_identifier
from etl.model.place import Place
from etl.model.plan import CAPTURE, PlannedOrder
from etl.model.problem import Problem
from etl.model.route import Route
from etl.model.rows import OrderItemRow, PaymentRow

_ZERO = Decimal(0)


def plan_facts(order: PlannedOrder, run_id: str) -> dict[str, Any]:
    """The columns of `orders` that a plan fills."""
    return {
        "verdict": order.verdict.value,
        "plan_run_id": run_id,
        "currency": order.currency,
        "basis": order.basis.value,
        "source_total": None if order.source_total is None else str(order.source_total),
        "planned_total": str(order.planned_total),
        "rounding": str(order.rounding),
        "month": order.month,
        "consumption": stamp(order.consumption),
        "true_consumption": stamp(order.true_consumption),
        "is_clamped": order.is_clamped,
        "account_id": order.account_id,
        "account_key": order.account_key,
        "parent": order.parent,
        "line_count": order.line_count,
        "fingerprint": order.fingerprint,
        "version": order.version,
        "skip_fingerprint": order.skip_fingerprint,
        "skip_reason": order.skip_reason,
        "codes": " ".join(order.codes),
        "problems": dumps([_problem_row(problem) for problem in order.problems]) if order.problems else "",
        "facts": dumps(_more_facts(order)),
    }


def reading_of(order: PlannedOrder) -> str:
    """The column `reading`: currency, basis, total, verdict."""
    total = None if order.source_total is None else str(order.source_total)
    return dumps([order.currency, order.basis.value, total, order.verdict.value])


def current_facts(order: PlannedOrder) -> dict[str, Any]:
    """What the source says now of an order that was posted as something else."""
    return {
        "verdict": order.verdict.value,
        "currency": order.currency,
        "source_total": order.source_total,
        "planned_total": order.planned_total,
        "codes": list(order.codes),
        "skip_reason": order.skip_reason,
    }


def _more_facts(order: PlannedOrder) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if order.rounding_causes:
        facts["rounding_causes"] = order.rounding_causes
    if order.paid:
        facts["payments"] = order.paid
    if order.route is not Route.ORDERS:
        facts["route"] = order.route.value
    if order.unproved:
        facts["unproved"] = order.unproved
    by_codes: dict[str, list[Decimal]] = {}
    for entry in order.revenue:
        sums = by_codes.setdefault(" ".join(entry.codes), [Decimal(0), Decimal(0), Decimal(0)])
        for index, amount in enumerate((entry.predicted.net, entry.predicted.tax, entry.predicted.gross)):
            sums[index] += amount
    if by_codes:
        facts["by_codes"] = by_codes
        facts["by_category"] = by_category(order)
        facts["origin"] = _origin(order)
    return facts


def seen_facts(items: Sequence[OrderItemRow], payments: Iterable[tuple[str, str, Decimal]]) -> dict[str, Any]:
    """As `_more_facts`, of an order that `recover` read: what Mews holds, until a plan is found to be the same.

    `payments`: those beside the items, as `PlannedOrder.paid`.
    """
    paid = [*payments, *bill_payments(items)]
    facts: dict[str, Any] = {"payments": paid} if paid else {}
    if any(item.is_by_unit for item in items):
        facts["route"] = Route.OUTLET.value
    by_codes: dict[str, list[Decimal]] = {}
    categories: dict[str, list[Decimal]] = {}
    for item in items:
        if not item.is_payment:
            net, gross = item.first_booked
            codes = " ".join(sorted({code for code, _ in item.taxes}))
            for sums in (by_codes.setdefault(codes, [_ZERO] * 3), categories.setdefault(item.category_id, [_ZERO] * 3)):
                sums[:] = [one + more for one, more in zip(sums, (net, gross - net, gross), strict=True)]
    return {**facts, "by_codes": by_codes, "by_category": categories} if by_codes else facts


def bill_payments(items: Iterable[OrderItemRow]) -> list[tuple[str, str, Decimal]]:
    """What the items of a bill pay, as `PlannedOrder.paid`. Only the identifier tells a gift card, and it may be hidden."""
    paid: list[tuple[str, str, Decimal]] = []
    for item in items:
        if item.is_payment:
            parsed = parse_identifier(item.external_identifier)
            paid.append((parsed[1] if parsed else f"{CAPTURE}{len(paid) + 1}", item.name, -item.first_booked[1]))
    return paid


def _problem_row(problem: Problem) -> list[Any]:
    place = problem.place
    return [
        problem.code,
        problem.order,
        [place.file, place.sheet, place.row, place.column],
        problem.value,
        problem.message,
        problem.hint,
        problem.severity.value,
    ]


def observed_items(rows: Iterable[OrderItemRow]) -> dict[str, Any]:
    """For the column `observed` of an order that Mews holds with other amounts: its items, cancelled ones aside."""
    items = [
        {"identifier": row.external_identifier, "count": row.count, "net": row.net, "gross": row.gross,
         "currency": row.currency, "codes": [code for code, _ in row.taxes], **_payment_mark(row)}
        for row in rows
        if not row.is_canceled
    ]  # fmt: skip
    return {"items": items}


def recovered_item(row: OrderItemRow) -> dict[str, Any]:
    """One item in the column `observed` of an order that `recover` read; cancelled ones count as first booked."""
    net, gross = row.first_booked
    return {
        "id": row.id,
        "identifier": row.external_identifier,
        "count": row.count,
        "net": net,
        "gross": gross,
        "currency": row.currency,
        "codes": [code for code, _ in row.taxes],
        "account": row.account_id,
        "consumed": stamp_seconds(row.consumed),
        "canceled": row.is_canceled,
        **_payment_mark(row),
    }


def _payment_mark(row: OrderItemRow) -> dict[str, bool]:
    """What tells an item that pays an outlet bill from what was sold; nothing on the other route."""
    return {"payment": True} if row.is_payment else {}


def stamp_seconds(moment: datetime | None) -> str:
    """A time of Mews as it tells it; "" for none."""
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def observed_payment(row: PaymentRow, payload: Mapping[str, Any]) -> str:
    """What a payment that differs from what was sent pays in Mews, as JSON, with the sign that was sent.

    Mews may show what was received as negative.
    """
    amount = payload["Amount"]
    sent = Decimal(str(amount.get("GrossValue", amount.get("NetValue", 0))))
    return dumps(Decimal(0) if row.is_canceled else abs(row.gross).copy_sign(sent))


def _origin(order: PlannedOrder) -> dict[str, Any]:
    """For reports that read no export: the file, and by row the names of the entries that come from it; so their rules."""
    files: dict[str, dict[str, list[int]]] = {}
    rules: dict[str, list[str]] = {}
    for entry in order.entries:
        if entry.place.row is not None:
            where = Place(entry.place.file, entry.place.sheet)
            files.setdefault(str(where), {}).setdefault(entry.line, []).append(entry.place.row)
        if entry.rule:
            rules.setdefault(entry.rule, []).append(entry.line)
    return {"files": files, "rules": rules}


def by_category(order: PlannedOrder) -> dict[str, list[Decimal]]:
    """What Mews is predicted to book of what was sold: net, tax and gross by AccountingCategoryId ("" where Mews chooses)."""
    found: dict[str, list[Decimal]] = {}
    for entry in order.revenue:
        sums = found.get(entry.category_id)
        booked = entry.predicted
        if sums is None:
            found[entry.category_id] = [booked.net, booked.tax, booked.gross]
        else:
            sums[0] += booked.net
            sums[1] += booked.tax
            sums[2] += booked.gross
    return found
