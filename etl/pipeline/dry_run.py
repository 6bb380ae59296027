"""The job of `dry-run`: the whole plan without one mutating call, and its report."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.mews.http import check_address
from etl.pipeline.both_ways import is_switched_off
from etl.pipeline.facts import facts_document
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import (
    Export,
    Prepared,
    check_reading,
    check_route,
    check_store,
    finished_statuses,
    keep_reference,
    link_to_mews,
    open_batch,
    plan_export,
    read_mapping_of,
    reference_offline,
    reference_online,
    statuses,
    unknown_statuses,
)
from etl.pipeline.reporting import ORDERS_SHOWN, report_on, silent
from etl.report.summary import Summary
from etl.settings import Connection, Settings


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a dry run found."""

    document: dict[str, Any]
    summary: Summary
    prepared: Prepared
    exit_code: ExitCode
    report: list[Path]


async def dry_run(
    stack: ExitStack,
    settings: Settings,
    export: Export,
    connection: Connection | None,
    *,
    report: Path | None,
    progress: Progress,
) -> DryRun:
    """Plans the export; `connection` None works offline with the reference data stored last.

    Effects: reads Mews (never writes there), stores the reference data in the ledger, writes the report.
    """
    mapping = read_mapping_of(settings)
    batch, facts = stack.enter_context(open_batch(export, mapping, progress))
    ledger = stack.enter_context(Ledger.open(settings.ledger, create=connection is not None))
    if connection is None:
        reference = reference_offline(ledger)
        check_route(reference, mapping)
        check_store(ledger, mapping)
    else:
        check_address(connection.address)
        async with link_to_mews(settings, mapping, connection, writes=False) as link:
            reference = await reference_online(link, mapping, batch, export.span)
        keep_reference(ledger, mapping, reference)
    check_reading(ledger, mapping, facts)
    is_known = any(ledger.counts().values())
    prepared = plan_export(
        stack,
        batch,
        facts,
        mapping,
        reference,
        span=export.span,
        progress=progress,
        is_fast=not is_switched_off(),
        # Orders that the ledger knows are compared whole.
        is_sent=is_known,
        ledger=ledger if is_known and report is None else None,
        opened=ORDERS_SHOWN if report is not None else 0,
    )
    return finish(prepared, ledger, report, "dry-run", progress)


def finish(
    prepared: Prepared, ledger: Ledger | None, report: Path | None, command: str, progress: Progress = silent
) -> DryRun:
    """The dry run's document and report."""
    # Where no ledger knows any, orders that nothing tells apart are added up, and shown as what columns gave of them.
    is_summed = not (ledger and (any(ledger.counts().values()) or ledger.kinds()))
    summary, paths, document = report_on(
        prepared,
        unknown_statuses(prepared, is_listed=report is not None) if is_summed else statuses(prepared, ledger),
        report,
        command=command,
        run_id="",
        exit_code=None,
        more=facts_document(prepared),
        ledger=ledger,
        alike=prepared.store.alike.statuses() if is_summed else finished_statuses(prepared, ledger),
        progress=progress,
    )
    return DryRun(document, summary, prepared, summary.exit_code, paths)
