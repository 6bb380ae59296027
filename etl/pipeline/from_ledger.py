"""The job of `report`: the report again, from the ledger alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from etl.errors import UsageError
from etl.load.ledger import Ledger
from etl.load.records import LedgerOrder, RunRecord
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.model.reference import load_reference
from etl.model.states import State
from etl.model.status import OrderStatus, ReportState, TaxSum
from etl.report.summary import Summary
from etl.report.writer import ReportFacts, ReportWriter


def report_from_ledger(ledger_url: str, folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """The document and files of the last run, as the ledger tells them now.

    Raises UsageError where nothing was run yet. Effects: writes the report folder.
    """
    with Ledger.open(ledger_url, create=False, read_only=True) as ledger:
        runs = [run for run in ledger.runs() if run.command == "run"]
        text = ledger.load_reference()
        if not runs or text is None:
            raise UsageError(
                "The ledger holds no run yet.",
                code="report.empty",
                hint="`centra-mews dry-run --report DIR` writes one.",
            )
        last, reference = runs[-1], load_reference(text)
        precisions = {code: currency.precision for code, currency in reference.currencies.items()}
        summary = Summary()
        summary.precisions = precisions
        writer = ReportWriter(folder, currency_precisions=precisions)
        try:
            for order in ledger.orders():
                status = _status(order, last.run_id)
                summary.add(status)
                writer.add(status)
            summary.check(sum(ledger.counts().values()))
            earlier = dict(last.summary)
            document = {
                **earlier,
                **summary.document("report", plan=last.plan_id, run_id=last.run_id, exit_code=int(summary.exit_code)),
            }
            document["balances"] = summary.balances()[:1000]
            paths = list(writer.close(document, _facts(document, last, summary, reference.enterprise_name, ledger)))
        except BaseException:
            writer.abort()
            raise
        return document, paths


def _status(order: LedgerOrder, run_id: str) -> OrderStatus:
    state = _state(order, run_id)
    in_mews = state.is_in_mews
    problems = list(order.problems)
    if order.code or state in (ReportState.REJECTED, ReportState.UNKNOWN, ReportState.CHANGED):
        codes = {ReportState.REJECTED: "mews.refused", ReportState.UNKNOWN: "send.unknown"}
        code = order.code or codes.get(state) or ("different" if order.state is State.DIFFERENT else "changed")
        problems.insert(0, Problem(code, order.number, message=order.changed or order.message))
    basis = Basis(order.basis) if order.basis else Basis.GROSS
    counts = state not in (ReportState.BLOCKED, ReportState.SKIPPED, ReportState.UNDONE)
    now = order.facts.get("now", {})
    source = now.get("source_total", order.source_total) if state is ReportState.CHANGED else order.source_total
    return OrderStatus(
        number=order.number,
        state=state,
        currency=order.currency,
        basis=basis,
        source_total=None if source is None else Decimal(source),
        planned_total=order.planned_total if counts else Decimal(0),
        planned_currency=order.currency,
        planned_basis=basis,
        rounding=order.rounding,
        problems=tuple(problems),
        account_id=order.account_id,
        mews_order_id=order.mews_order_id,
        message=order.changed or order.message or order.skip_reason,
        month=order.month,
        consumption=order.consumption,
        is_clamped=order.is_clamped,
        line_count=order.line_count,
        balance=sum((Decimal(row[2]) for row in order.facts.get("by_codes", {}).values()), Decimal(0))
        if in_mews
        else Decimal(0),
        taxes=tuple(
            TaxSum(tuple(codes.split()), *(Decimal(amount) for amount in row))
            for codes, row in order.facts.get("by_codes", {}).items()
        )
        if counts
        else (),
    )


def _state(order: LedgerOrder, run_id: str) -> ReportState:
    if order.state is State.DIFFERENT or (order.has_posted and order.changed):
        return ReportState.CHANGED
    if order.state is State.IN_FLIGHT:
        return ReportState.UNKNOWN
    if order.state is State.POSTED:
        if order.resolved_run_id == run_id:
            return ReportState.RECOVERED
        return ReportState.POSTED if order.posted_run_id == run_id else ReportState.ALREADY_POSTED
    return ReportState(order.state.value)


def _facts(document: dict[str, Any], run: RunRecord, summary: Summary, enterprise: str, ledger: Ledger) -> ReportFacts:
    home = ledger.home()
    return ReportFacts(
        command="report",
        plan=run.plan_id,
        run_id=run.run_id,
        exit_code=document["exit_code"],
        generated=datetime.now(UTC),
        enterprise_name=enterprise,
        platform=home.platform if home else "",
        store=home.store if home else "",
        files=document.get("sources", []),
        mapping_digest=str(run.mapping.get("digest", "")),
        feasibility=document.get("feasibility", {}),
        footing=document.get("footing", {}),
        balances=summary.balances(),
        notes=["Written again from the ledger; the export was not read."],
        sections=[],
    )
