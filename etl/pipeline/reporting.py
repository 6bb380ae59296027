"""Statuses to summary and report: counted once, checked, then written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.model.mapping import Settings
from etl.model.problem import Problem
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.status import OrderStatus
from etl.model.words import counted
from etl.pipeline.order_details import planned_details
from etl.pipeline.prepare import Prepared, summarise
from etl.reading.encoding import look_at
from etl.report.spool import LIMIT
from etl.report.summary import Summary
from etl.report.tables import PlainOrder

ORDERS_SHOWN = LIMIT
"""Orders that the page holds at most."""
BALANCES_SHOWN = 1000
"""Accounts in the `--json` document; the report folder has all."""


Progress = Callable[[str, int, int | None], None]
Details = Callable[[Collection[str]], Iterator[Any]]
TWICE_SHOWN = 10
_TOLD_EVERY = 500
T = TypeVar("T")


def silent(_stage: str, _done: int, _total: int | None) -> None:
    """Progress for nobody."""


def told_every(values: Iterator[T], progress: Progress, stage: str, total: int) -> Iterator[T]:
    """The values, and every few hundred of them a word about how far they are; lists count as all that they hold."""
    done = told = 0
    for value in values:
        if done >= told:
            progress(stage, done, total)
            told = done + _TOLD_EVERY
        done += len(value) if isinstance(value, list) else 1
        yield value


def told_details(details: Details, progress: Progress, total: int) -> Details:
    """The details, and a word about each lot that is asked for; the page has a bound of its own."""
    done = 0

    def of(numbers: Collection[str]) -> Iterator[Any]:
        nonlocal done
        progress("page", min(done, total), min(total, ORDERS_SHOWN))
        done += len(numbers)
        yield from details(numbers)

    return of


PROBLEMS_TOLD = 5
"""Problems of one order that are named beside its rows in attention.csv; problems.csv has all."""
CELLS_TOLD = 50_000
"""Orders whose bad cells are named in attention.csv; of further ones the codes and what to do about them."""


class Reasons:
    """Gathers, for attention.csv, which orders need attention and why."""

    def __init__(self) -> None:
        self.by_order: dict[str, str] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}

    def add(self, order: OrderStatus) -> None:
        """Keeps the reason of an order that needs attention."""
        if order.needs_attention:
            errors = [problem for problem in order.problems if problem.is_error]
            codes = [problem.code for problem in errors]
            self.by_order[order.number] = " ".join(dict.fromkeys(codes)) or order.state.value
            if errors and len(self.problems) < CELLS_TOLD:
                self.problems[order.number] = tuple(errors[:PROBLEMS_TOLD])


def report_on(
    prepared: Prepared,
    orders: Iterator[OrderStatus | list[PlainOrder]],
    folder: Path | None,
    *,
    command: str,
    run_id: str,
    exit_code: ExitCode | None,
    more: dict[str, Any],
    ledger: Ledger | None,
    alike: Iterable[tuple[OrderStatus, int]] = (),
    progress: Progress = silent,
) -> tuple[Summary, list[Path], dict[str, Any]]:
    """Summary, written files and `--json` document. `exit_code` None: as the orders say.

    `alike`: sums of the plain ones among `orders`, and of how many.
    """
    reasons = Reasons()
    writer = None
    if folder is not None:
        from etl.report.writer import ReportWriter

        precisions = {code: currency.precision for code, currency in prepared.reference.currencies.items()}
        inputs = [file.path for file in prepared.facts.files]
        zone = ZoneInfo(prepared.reference.timezone)
        writer = ReportWriter(folder, currency_precisions=precisions, inputs=inputs, timezone=zone)
    try:
        told = told_every(orders, progress, "report", prepared.store.count)
        summary = summarise(prepared, told, *([writer, reasons] if writer else []), alike=alike)
        document = summary.document(
            command,
            plan=prepared.plan.plan,
            run_id=run_id,
            exit_code=int(summary.exit_code if exit_code is None else exit_code),
            **more,
        )
        document["balances"] = summary.balances()[:BALANCES_SHOWN]
        if command == "run":
            document["halted"] = halted(document["stopped"], document["exit_code"], document["duplicated"])
        details = told_details(planned_details(prepared, ledger), progress, prepared.store.count) if writer else None
        paths = _write(writer, reasons, folder, prepared, summary, document, details) if writer and folder else []
    except BaseException:
        if writer:
            writer.abort()
        raise
    return summary, paths, document


def _sections(document: dict[str, Any]) -> list[Any]:
    from etl.report.bills import bill_section
    from etl.report.facts import PagePart, Section

    sections = [one for one in [bill_section(document)] if one is not None]
    if document["controls"]:
        names = ["month", "currency", "figure", "control", "export", "difference"]
        rows = [tuple(row[name] for name in names) for row in document["controls"]]
        text = "Typed from the shop's own report (controls.csv) against what the export holds."
        sections.append(Section("Controls", [name.capitalize() for name in names], rows, text))
    if document["waivers"]:
        names = ["order", "code", "by", "reason"]
        rows = [tuple(row[name] for name in names) for row in document["waivers"]]
        sections.append(
            Section(
                "Waivers",
                [name.capitalize() for name in names],
                rows,
                "Accepted by a person in waivers.csv.",
                PagePart.CERTIFICATE,
            )
        )
    return sections


def account_names(reference: Reference) -> dict[str, str]:
    """Names of the accounts that the mapping names, by id."""
    return {one.id: one.name or one.email for one in reference.accounts.values()}


def category_names(reference: Reference) -> dict[str, str]:
    """Names of accounting categories, by id."""
    return {one.id: one.name for one in reference.categories.values()}


def halted(stopped: Mapping[str, Any] | None, exit_code: int | None, duplicated: Collection[str] = ()) -> str:
    """That a run did not come to its end, and why, and what stands in Mews twice; "" where nothing is to be told.

    `exit_code` None: it wrote none.
    """
    return " ".join(told for told in (_halted(stopped, exit_code), _twice(duplicated)) if told)


def _twice(duplicated: Collection[str]) -> str:
    """Which orders stand in Mews more than once: no state of an order tells it, and somebody is charged twice."""
    if not duplicated:
        return ""
    shown = ", ".join([*islice(duplicated, TWICE_SHOWN), *([".."] if len(duplicated) > TWICE_SHOWN else [])])
    return f"{counted(len(duplicated), 'order|orders stands|stand')} in Mews more than once: {shown}."


def _halted(stopped: Mapping[str, Any] | None, exit_code: int | None) -> str:
    if stopped:
        return f"The run stopped before its end: {stopped['message'].rstrip('.')}."
    if exit_code is None:
        return "The run has not come to its end: it is still at work, or was killed. What was sent is recorded."
    if exit_code == ExitCode.INTERRUPTED:
        return "The run was interrupted before its end. What was sent is recorded."
    return ""


def next_steps(document: dict[str, Any], *, has_attention: bool) -> list[str]:
    """What to do now, the first thing first: nothing that is not safe."""
    orders, stopped = document["orders"], document.get("stopped")
    steps = [stopped["hint"]] if stopped and stopped["hint"] else []
    if document.get("duplicated"):
        steps.append(
            "Reverse one copy of each order that stands in Mews more than once: `centra-mews undo --order-id ID`; "
            "`centra-mews reconcile` lists their OrderIds."
        )
    if orders["unknown"]:
        steps.append(
            "Start the same run again: it first finds out what became of the unknown orders. Nothing is sent twice."
        )
    if has_attention:
        steps.append(
            "Look at the problems below, most money first. Correct the orders in "
            f"{'the attention.csv of the last run' if document['command'] == 'report' else 'attention.csv'} and give it with --corrections."
        )
    if orders["ready"] and document["command"] == "dry-run":
        fixed = "".join(f" --corrections {name}" for name in document.get("corrections", ()))
        steps.append(f"Post exactly this plan: `centra-mews run EXPORT...{fixed} --expect {document['plan']}`")
    elif orders["ready"] and not stopped:
        steps.append("Start the same run again: it posts what is still ready.")
    if document["command"] in ("run", "report"):
        steps.append("Read everything back from Mews: `centra-mews reconcile --report DIR`")
    return steps


def _posts_payments(settings: Settings) -> bool:
    """Whether external payments are posted; those of an outlet bill have the bill's date."""
    return settings.payments.post and settings.route is Route.ORDERS


def _write(
    writer: Any,
    reasons: Reasons,
    folder: Path,
    prepared: Prepared,
    summary: Summary,
    document: dict[str, Any],
    details: Any,
) -> list[Path]:
    from etl.pipeline.facts import PAYMENT_NOTE, file_notices
    from etl.pipeline.sources import sections
    from etl.report.attention import write_attention
    from etl.report.writer import ReportFacts

    notices = file_notices(prepared)
    for problem in (*notices, *prepared.facts.unassigned):
        writer.add_unassigned(problem)
    facts = ReportFacts(
        command=document["command"],
        plan=document["plan"],
        run_id=document["run_id"],
        exit_code=document["exit_code"],
        generated=datetime.now(UTC),
        enterprise_name=prepared.reference.enterprise_name,
        platform=prepared.reference.platform,
        store=document["store"],
        files=document["sources"],
        mapping_digest=prepared.mapping.digest,
        feasibility=document["feasibility"],
        footing=document["footing"],
        balances=summary.balances(),
        notes=[PAYMENT_NOTE] if _posts_payments(prepared.mapping.settings) else [],
        sections=[*_sections(document), *sections(prepared.facts, notices)],
        accounts=account_names(prepared.reference),
        categories=category_names(prepared.reference),
        next_steps=next_steps(document, has_attention=bool(reasons.by_order)),
    )
    paths: list[Path] = list(writer.close(document, facts, details, prepared.store.packed))
    if reasons.by_order:
        inputs = [file.path for file in prepared.facts.files]
        batch, why = prepared.batch, reasons.by_order
        written = f"{facts.generated:%Y-%m-%dT%H:%M:%S.%fZ}"
        paths += write_attention(
            folder,
            batch.raw_rows(why),
            why,
            problems=reasons.problems,
            met=batch.met(why),
            written=written,
            inputs=inputs,
            encoding_of=lambda path: look_at(path, batch.options.encoding).encoding,
        )
    return paths
