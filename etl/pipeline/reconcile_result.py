"""What a reconciliation found, told: the `--json` document, the bridge over the whole source, the report.

Everything that the ledger knows is met once, beside what Mews showed of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from etl.errors import ExitCode
from etl.evidence.values import What
from etl.ledger.ledger import Ledger
from etl.ledger.records import LedgerOrder, Part, PartKind
from etl.model.mapping import Mapping
from etl.model.plan import BALANCE, Basis
from etl.model.problem import Problem
from etl.model.reference import Pricing, Reference
from etl.model.shares import BridgeLine
from etl.model.states import State
from etl.model.status import OrderStatus, ReportState
from etl.pipeline.accepted import as_accepted, codes_of, waived_in
from etl.pipeline.classify import money_of, status_of
from etl.pipeline.order_details import ledger_details
from etl.pipeline.planning import Progress
from etl.pipeline.reporting import account_names, told_details
from etl.pipeline.source_again import SourceAgain
from etl.pipeline.source_files import Sources
from etl.pipeline.workers import at_work
from etl.reconcile.bridge import Bridge, Shown
from etl.reconcile.certificate import Certificate, RunFact
from etl.reconcile.completeness import NOT_THERE, Completeness, Judged
from etl.reconcile.controls import ControlFinding
from etl.reconcile.document import (
    CSV_COLUMNS,
    control_rows,
    control_table,
    csv_cells,
    difference_rows,
    total_rows,
    total_table,
    words,
)
from etl.reconcile.notebook import Notebook, Noted
from etl.reconcile.presence import Held
from etl.reconcile.totals import ControlTotals
from etl.reconcile.values import Klass
from etl.report.bills import KINDS, BillSums, bill_section
from etl.report.facts import PagePart, ReportFacts, Section
from etl.report.summary import Summary

T = TypeVar("T")
CHUNK = 500
SHOWN = 10_000
"""Most differences and notices of the `--json` document; reconciliation.csv holds all."""
SHOWN_ON_PAGE = 1000
_PARTS = {
    "Certificate": PagePart.CERTIFICATE,
    "Sums of both sides": PagePart.TOTALS,
    "Runs, plans and sources": PagePart.PROVENANCE,
    "Waivers": PagePart.CERTIFICATE,
}
"""Where the tables of the certificate stand; the lines to sign are the page's own."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation found."""

    document: dict[str, Any]
    exit_code: ExitCode
    report: list[Path]


@dataclass(slots=True)
class Found:
    """What was read, and where the rest of it stands. `generated`: Mews's time of the read-back.

    `paid`: what Mews holds of our payments by currency and kind: credits, captures, and what is assumed.
    """

    ledger: Ledger
    notebook: Notebook
    mapping: Mapping
    reference: Reference
    totals: ControlTotals
    controls: Sequence[ControlFinding]
    generated: datetime
    not_posted: int
    posted_meanwhile: int
    unsettled_seen: Sequence[str]
    paid: dict[tuple[str, str], Decimal]
    sources: Sources
    progress: Progress


class _Sink(Protocol):
    def add(self, order: OrderStatus) -> None:
        """Takes one order."""


@dataclass(slots=True)
class _Account:
    """The whole source, added up."""

    bridge: Bridge
    completeness: Completeness
    not_there: Counter[tuple[ReportState, str, str]] = field(default_factory=Counter)
    bills: BillSums = field(default_factory=BillSums)
    orders: int = 0


def tell(found: Found, report: Path | None) -> Reconciled:
    """The document, the exit code and the report's files. Effects: writes the report folder."""
    if report is None:
        account, bridge = _account_for(found, ())
        return Reconciled(*_result(found, account, bridge), [])
    return _written(found, report)


# Adding up


def _account_for(found: Found, sinks: Iterable[_Sink]) -> tuple[_Account, list[dict[str, str]]]:
    basis = Basis.GROSS if found.reference.pricing is Pricing.GROSS else Basis.NET
    sources = found.sources
    precisions = {code: currency.precision for code, currency in found.reference.currencies.items()}
    account = _Account(Bridge(basis, precisions), Completeness(waived_in(found.mapping), unassigned=sources.unassigned))
    for orders in _grouped(found.ledger.orders(), CHUNK):
        _add_chunk(found, account, orders, sinks)
    for batch in found.notebook.sightings(CHUNK):
        known = found.ledger.lookup(batch)
        for number in batch.keys() - known.keys():
            account.bridge.add_unknown(Shown(None, batch[number]))
    account.completeness.unexpected = found.notebook.counts()[Klass.UNEXPECTED]
    differing = sum(not one.is_equal for one in found.controls)
    account.completeness.more += [f"{differing} figures of controls.csv differ"] if differing else []
    return account, account.bridge.finish()


def _add_chunk(found: Found, account: _Account, orders: list[LedgerOrder], sinks: Iterable[_Sink]) -> None:
    numbers = [order.number for order in orders]
    store = found.mapping.settings.source.store
    parts, noted, seen = found.ledger.parts(numbers), found.notebook.noted(numbers), found.notebook.seen_of(numbers)
    for order in orders:
        mine, own = parts.get(order.number, []), noted.get(order.number)
        status = status_of(None, order, store, parts=mine)
        money = money_of(None, order, store, status.state, mine)
        shown = Shown(own.booked if own is not None else None, seen.get(order.number, ()))
        lines = account.bridge.add(money, shown, _held(mine))
        judged = _judged(order, status, own, store)
        account.completeness.add(judged)
        account.orders += 1
        if status.state in NOT_THERE:
            account.not_there[status.state, status.currency, str(status.basis)] += 1
        told = replace(_beside(status, own), bridge=lines)
        if account.completeness.accepts(judged):
            told = as_accepted(told)
        account.bills.add(told)
        for sink in sinks:
            sink.add(told)


def _held(parts: Iterable[Part]) -> dict[tuple[int, str], Held]:
    return {
        (part.generation, part.part): Held(part.state, part.mews_id) for part in parts if part.kind is not PartKind.UNDO
    }


def _judged(order: LedgerOrder, status: OrderStatus, own: Noted | None, store: str) -> Judged:
    klass = own.klass if own is not None else None
    codes = codes_of(status, order, None, store)
    if klass is Klass.DIFFERENT and status.state not in (ReportState.BLOCKED, ReportState.REJECTED):
        codes |= {"different"}
    readable = status.source_total is not None
    return Judged(order.number, status.state, klass, codes, status.is_read, readable, order.is_settled_as_seen)


def _beside(status: OrderStatus, own: Noted | None) -> OrderStatus:
    """The order as the report tells it, beside what Mews showed of it."""
    if own is None or own.klass is Klass.MATCHED:
        return status
    message = f"{own.klass.value}: {words(own.differences)}"
    return replace(
        status,
        state=ReportState.CHANGED if status.state.is_in_mews else status.state,
        problems=(Problem("different", status.number, message=message), *status.problems),
        message=message,
    )


# The document


def _result(found: Found, account: _Account, bridge: list[dict[str, str]]) -> tuple[dict[str, Any], ExitCode]:
    counts = found.notebook.counts()
    unsettled = _unsettled(found)
    certificate = _certificate(found, account, counts)
    code = ExitCode.DONE if certificate.is_clean else ExitCode.ATTENTION
    document = {
        "command": "reconcile",
        "exit_code": int(code),
        "complete": certificate.is_clean,
        "open": account.completeness.reasons,
        "accepted": account.completeness.accepted,
        "settled": account.completeness.settled,
        "to_compare": account.completeness.to_compare,
        "in_no_export": account.completeness.only_in_mews,
        "orders": {klass.value: count for klass, count in counts.items()},
        "not_in_mews": _not_in_mews(account),
        "bridge": bridge,
        "payments": [
            {"currency": currency, "kind": kind, "amount": account.bridge.text(amount, currency)}
            for (currency, kind), amount in sorted(found.paid.items())
        ],
        **({"bills": account.bills.document(account.bridge.text)} if account.bills.count else {}),
        "source": _source(found, account),
        "foreign_orders": found.notebook.strangers,
        "unsettled": unsettled,
        "not_posted": found.not_posted,
        "posted_meanwhile": found.posted_meanwhile,
        **_listed(found.notebook),
        "totals": total_rows(found.totals, _categories(found.reference)),
        "controls": control_rows(found.controls),
        "certificate": certificate.document(),
    }
    return document, code


def _not_in_mews(account: _Account) -> list[dict[str, Any]]:
    """What of the source is not in Mews, by state, currency and basis; a refused part of an order counts with its amount."""
    keys = set(account.not_there)
    for row, lines in account.bridge.rows.items():
        keys |= {(state, *row) for state in NOT_THERE if lines.get(BridgeLine(state.value))}
    order = {state: at for at, state in enumerate(NOT_THERE)}
    return [
        {
            "state": state.value,
            "orders": account.not_there[state, currency, basis],
            "currency": currency,
            "basis": basis,
            "amount": account.bridge.text(-account.bridge.amount(BridgeLine(state.value), currency, basis), currency),
        }
        for state, currency, basis in sorted(keys, key=lambda key: (order[key[0]], *key[1:]))
    ]


def _source(found: Found, account: _Account) -> dict[str, Any]:
    sources = found.sources
    return {
        "orders": account.completeness.read,
        "unreadable_totals": account.completeness.unreadable,
        "unassigned": sources.unassigned,
        "files": [
            {
                "file": one.file,
                "sha256": one.sha256,
                "format": one.format,
                "rows": one.rows,
                "run_id": one.run_id,
                "read_at": one.read_at,
            }
            for one in sources.files
        ],
        "narrowed": [{"from": start or None, "to": end or None} for start, end in sources.narrowed],
    }


def _unsettled(found: Found) -> dict[str, Any]:
    """Orders of which the ledger itself is not sure. In flight is normal only while somebody sends."""
    counts = found.ledger.counts()
    return {
        "in_flight": counts[State.IN_FLIGHT],
        "unknown": counts[State.UNKNOWN],
        "in_progress": bool(at_work(found.ledger)),
        "seen_in_mews": len(found.unsettled_seen),
        "examples": list(found.unsettled_seen[:10]),
    }


def _listed(notebook: Notebook) -> dict[str, Any]:
    differences: list[dict[str, str]] = []
    notices: list[dict[str, str]] = []
    left_out = 0
    for one in notebook.all():
        if len(differences) + len(notices) >= SHOWN:
            left_out += len(one.differences) + len(one.notices)
            continue
        differences += difference_rows(one, one.differences)
        notices += difference_rows(one, one.notices)
    return {"differences": differences, "notices": notices, "left_out": left_out}


def _certificate(found: Found, account: _Account, counts: dict[Klass, int]) -> Certificate:
    runs = [run for run in found.ledger.runs() if run.command in ("run", "undo", "recover")]
    home, reference = found.ledger.home(), found.reference
    return Certificate(
        generated=found.generated,
        enterprise=reference.enterprise_name,
        enterprise_id=reference.enterprise_id,
        service=reference.place.name or reference.place.id,
        store=found.mapping.settings.source.store,
        platform=home.platform if home else reference.platform,
        mapping=found.mapping.digest,
        runs=tuple(
            RunFact(run.run_id, run.command, run.plan_id, run.started, run.sources, str(run.mapping.get("digest", "")))
            for run in runs
        ),
        counts=counts,
        sums=found.totals.by_currency(),
        source_orders=account.completeness.read,
        accepted=account.completeness.accepted,
        reasons=tuple(account.completeness.reasons),
        narrowed=_narrowed_words(found.sources),
        not_posted=found.not_posted,
        control_differences=sum(not one.is_equal for one in found.controls),
        rounded_orders=sum(any(one.what is What.ROUNDING for one in noted.notices) for noted in found.notebook.all()),
        foreign_orders=found.notebook.strangers,
        waivers=found.mapping.waivers,
        route=found.mapping.settings.route,
        payments=tuple((kind, _amounts(found, account, kind)) for kind in dict.fromkeys(key[1] for key in found.paid)),
        assumed=_amounts(found, account, KINDS[BALANCE]),
    )


def _amounts(found: Found, account: _Account, kind: str) -> str:
    """What Mews holds of one kind of payments, in each currency; "" for none."""
    held = sorted((currency, amount) for (currency, name), amount in found.paid.items() if name == kind)
    return ", ".join(f"{account.bridge.text(amount, currency)} {currency}" for currency, amount in held)


def _narrowed_words(sources: Sources) -> str:
    spans = [f"from {start or 'the first'} to before {end or 'the end'}" for start, end in sources.narrowed]
    return f"Only orders dated {' and '.join(spans)} were read." if spans else ""


def _categories(reference: Reference) -> dict[str, str]:
    return {category.id: category.name for category in reference.categories.values()}


# The report


def _written(found: Found, path: Path) -> Reconciled:
    import simplejson

    from etl.report.cells import CsvRows, safe_cell
    from etl.report.folder import SUMMARY, ReportFolder, private_text
    from etl.report.writer import ReportWriter

    names = ("reconciliation.csv", SUMMARY)
    precisions = {code: currency.precision for code, currency in found.reference.currencies.items()}
    folder = ReportFolder(path, names)
    try:
        writer = ReportWriter(path, currency_precisions=precisions, timezone=ZoneInfo(found.reference.timezone))
        summary = Summary()
        summary.precisions = precisions
        try:
            account, bridge = _account_for(found, (writer, summary))
            lost = found.sources.rows
            summary.add_unassigned(lost, account.completeness.unassigned)
            for row in lost:
                writer.add_unassigned(row)
            summary.check(account.orders)
            document, code = _result(found, account, bridge)
            with private_text(folder.scratch / names[0]) as stream:
                rows = CsvRows(stream)
                rows.write(CSV_COLUMNS)
                for one in found.notebook.all():
                    rows.write([safe_cell(cell) for cell in csv_cells(one)])
            held = {"bridge": bridge, "payments": document["payments"]}
            page = {**summary.document("reconcile", exit_code=document["exit_code"]), **held}
            with ExitStack() as stack:
                again = SourceAgain(stack, found.ledger.runs(), found.progress)
                details = ledger_details(found.ledger, precisions, again, found.notebook.entries_of)
                told = told_details(details, found.progress, account.orders)
                paths: list[Path] = list(writer.close(page, _facts(found, account, document, summary), told))
        except BaseException:
            writer.abort()
            raise
        with private_text(folder.scratch / SUMMARY) as stream:
            simplejson.dump(document, stream, indent=2, ensure_ascii=False, default=str)
        # The page's own summary.json gives way to the reconciliation's.
        return Reconciled(document, code, list(dict.fromkeys([*paths, *folder.publish(names)])))
    finally:
        folder.discard()


def _facts(found: Found, account: _Account, document: dict[str, Any], summary: Summary) -> ReportFacts:
    certificate = _certificate(found, account, found.notebook.counts())
    # The statement itself stands on top of the page and above the lines to sign.
    sections = [
        Section(title, columns, rows, "" if title == "Certificate" else text, _PARTS[title])
        for title, columns, rows, text in certificate.tables()
        if title in _PARTS and (rows or title != "Waivers")
    ]
    shown = document["differences"][:SHOWN_ON_PAGE]
    heads = ("Order", "Class", "What", "Line", "Expected", "Found", "Mews order")
    columns = ("order", "class", "what", "item", "expected", "found", "mews_order_id")
    controls = found.controls
    if (bills := bill_section(document)) is not None:
        sections.append(bills)
    sections += [
        Section(
            "Differences",
            heads,
            [tuple(row[name] for name in columns) for row in shown],
            "reconciliation.csv holds every order with both sides.",
            PagePart.PROBLEMS,
        ),
        Section("Control totals", *total_table(found.totals, _categories(found.reference))),
    ]
    if controls:
        sections.append(Section("Controls", *control_table(controls)))
    plans = certificate.document()["plans"]
    step = next_words(document)
    return ReportFacts(
        command="reconcile",
        generated=datetime.now(UTC),
        plan=plans[-1] if plans else "",
        exit_code=document["exit_code"],
        enterprise_name=certificate.enterprise,
        platform=certificate.platform,
        store=found.mapping.settings.source.store,
        files=[
            {"file": one["file"], "sha256": one["sha256"], "format": one["format"], "rows": one["rows"] or 0}
            for one in document["source"]["files"]
        ],
        mapping_digest=found.mapping.digest,
        balances=summary.balances(),
        sections=sections,
        verdict=certificate.statement,
        is_good=certificate.is_clean,
        accounts=account_names(found.reference),
        categories=_categories(found.reference),
        next_steps=[step[:1].upper() + step[1:]] if document["exit_code"] else [],
    )


def next_words(document: dict[str, Any]) -> str:
    """The one next step: what the ledger lacks, then differences in Mews, then what is not there yet."""
    if document["orders"]["unexpected"]:
        return (
            "`centra-mews recover` takes in the orders of this store that the ledger does not know; "
            "or name the right file with --ledger."
        )
    if not document["source"]["orders"]:
        return (
            "this ledger knows no order of an export yet: `centra-mews next EXPORT...` says what comes before, "
            "or name the right file with --ledger."
        )
    if document["to_compare"]:
        return "compare the orders that differ in Mews; `centra-mews settle` or `centra-mews undo` decides single ones."
    if document["in_no_export"]:
        return "`centra-mews run EXPORT...` with the export of the orders that `recover` found compares them with it; none is sent twice."
    states = {row["state"] for row in document["not_in_mews"]}
    if states & {"ready", "unknown"}:
        return "`centra-mews run EXPORT...` posts what is ready, and finds out about what is unknown."
    if "undone" in states:
        return "`centra-mews run EXPORT... --repost-undone` posts again what was undone; if it is to stay out, the history is open."
    if document["settled"]:
        return "accept the orders settled by a person in waivers.csv (different), or correct them in Mews."
    rows, months = document["source"]["unassigned"] > 0, any(not row["equal"] for row in document["controls"])
    if len(document["open"]) > rows + months:
        return "clear what is left open, or accept single orders by name in waivers.csv."
    if rows:
        return "give the rows without an order number one in the export, and run it again; problems.csv of --report names each."
    return (
        "find out why the months of controls.csv differ: the export may lack orders, or a figure was typed otherwise."
    )


def _grouped(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
