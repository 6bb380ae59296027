"""The job of `report`: the report again, from the ledger, without Mews."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from etl.errors import ExitCode, UsageError
from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.model.reference import Reference, load_reference
from etl.model.status import OrderStatus
from etl.pipeline.accepted import Waived, waived_by_order, with_waivers
from etl.pipeline.classify import needs_parts, status_of
from etl.pipeline.order_details import ledger_details
from etl.pipeline.planning import Progress
from etl.pipeline.reporting import account_names, category_names, halted, next_steps, silent, told_details, told_every
from etl.pipeline.source_again import SourceAgain
from etl.pipeline.source_files import row_documents, sources_of
from etl.report.bills import bill_section
from etl.report.summary import Summary
from etl.report.writer import ReportFacts, ReportWriter

_CHUNK = 500
"""Orders whose parts are read at once."""


def report_from_ledger(ledger_url: str, folder: Path, progress: Progress = silent) -> tuple[dict[str, Any], list[Path]]:
    """The document and files of the last run, as the ledger tells them now.

    Raises UsageError where nothing was run yet. Effects: writes the report folder; reads the export again, where it
    still is what the run read.
    """
    with Ledger.open(ledger_url, create=False, read_only=True) as ledger, ExitStack() as stack:
        runs = [run for run in ledger.runs() if run.command == "run"]
        text = ledger.load_reference()
        if not runs or text is None:
            raise UsageError(
                "The ledger holds no run yet.",
                code="report.empty",
                hint="`centra-mews dry-run EXPORT... --report DIR` writes one of the plan; `centra-mews run` makes it history.",
            )
        last, reference, home = runs[-1], load_reference(text), ledger.home()
        precisions = {code: currency.precision for code, currency in reference.currencies.items()}
        summary = Summary()
        summary.precisions = precisions
        writer = ReportWriter(folder, currency_precisions=precisions, timezone=ZoneInfo(reference.timezone))
        try:
            waived = waived_by_order((row["order"], row["code"]) for row in last.summary.get("waivers", ()))
            orders = sum(ledger.counts().values())
            statuses = ledger_statuses(ledger, home.store if home else "", last.run_id, waived)
            for status in told_every(statuses, progress, "report", orders):
                summary.add(status)
                writer.add(status)
            sources = sources_of(runs, ledger.planners())
            summary.add_unassigned(sources.rows, sources.unassigned)
            for row in sources.rows:
                writer.add_unassigned(row)
            summary.check(orders)
            earlier = dict(last.summary) | {"duplicated": dict(ledger.duplicated())}
            code = ExitCode.ATTENTION if earlier["duplicated"] else summary.exit_code
            document = {
                **earlier,
                **summary.document("report", plan=last.plan_id, run_id=last.run_id, exit_code=int(code)),
            }
            document["unassigned_rows"] = row_documents(sources.rows)
            document["balances"] = summary.balances()[:1000]
            document["halted"] = halted(last.summary.get("stopped"), last.exit_code, document["duplicated"])
            facts = _facts(document, last, summary, reference, ledger)
            details = ledger_details(ledger, precisions, SourceAgain(stack, runs, progress))
            paths = list(writer.close(document, facts, told_details(details, progress, orders)))
        except BaseException:
            writer.abort()
            raise
        return document, paths


def ledger_statuses(ledger: Ledger, store: str, run_id: str, waived: Waived | None = None) -> Iterator[OrderStatus]:
    """Every order of the ledger by number, as a report of run `run_id` tells it. `waived`: what a person accepted."""
    orders = ledger.orders()
    while chunk := list(islice(orders, _CHUNK)):
        parts = ledger.parts(order.number for order in chunk if needs_parts(order))
        for order in chunk:
            status = status_of(None, order, store, parts=parts.get(order.number, ()), run_id=run_id)
            yield with_waivers(status, order, None, store, waived or {})


def _facts(
    document: dict[str, Any], run: RunRecord, summary: Summary, reference: Reference, ledger: Ledger
) -> ReportFacts:
    home = ledger.home()
    return ReportFacts(
        command="report",
        plan=run.plan_id,
        run_id=run.run_id,
        exit_code=document["exit_code"],
        generated=datetime.now(UTC),
        enterprise_name=reference.enterprise_name,
        platform=home.platform if home else "",
        store=home.store if home else "",
        files=document.get("sources", []),
        mapping_digest=str(run.mapping.get("digest", "")),
        feasibility=document.get("feasibility", {}),
        footing=document.get("footing", {}),
        balances=summary.balances(),
        notes=["Written again from the ledger, as it stands now."],
        sections=[one for one in [bill_section(document)] if one is not None],
        accounts=account_names(reference),
        categories=category_names(reference),
        next_steps=next_steps(document, has_attention=summary.attention > 0),
    )
