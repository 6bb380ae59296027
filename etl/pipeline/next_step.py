"""The job of `next`: the one thing to do now, and what it sets free, from mapping, plan and ledger. No network.

Rule: design section 2. The order is that of a migration: mapping folder, rows to confirm, connection, cells by money,
run, what the run left, reconciliation.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etl.errors import InputError, LedgerError, MappingError, UsageError
from etl.load.ledger import Ledger
from etl.load.lock import is_alive, this_process
from etl.mapping.folder import FaultyMappingError
from etl.mapping.tables import place_of
from etl.mews.http import is_loopback
from etl.model.faults import Fault
from etl.model.mapping import Mapping as MappingFolder
from etl.model.reference import Reference
from etl.model.rules import RateKind, TaxRule
from etl.model.status import ReportState
from etl.pipeline.assumed import assumed_reference
from etl.pipeline.catalogue import stored_services
from etl.pipeline.causes import ASK_MEWS, DECISIONS, Cause, Causes, Effect
from etl.pipeline.from_ledger import ledger_statuses
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import Export, open_batch, plan_export, read_mapping_of, reference_offline, statuses
from etl.pipeline.reconciled import Trace, last_trace
from etl.pipeline.tax_candidates import TaxCandidates, tax_candidates
from etl.settings import ADDRESS, Settings, connection


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `file` and `row` name where, `orders` and `money` what it sets free, `type` the command, if any."""

    what: str
    file: str = ""
    row: int | None = None
    orders: int = 0
    money: tuple[tuple[str, Decimal], ...] = ()
    type: str = ""

    def document(self) -> dict[str, Any]:
        """The `next --json` document."""
        return {
            "command": "next",
            "what": self.what,
            "file": self.file,
            "row": self.row,
            "orders": self.orders,
            "money": [{"currency": currency, "amount": f"{amount:.2f}"} for currency, amount in self.money],
            "type": self.type,
            "exit_code": 0,
        }


def next_step(
    stack: ExitStack, settings: Settings, paths: Iterable[Path], environ: Mapping[str, str], progress: Progress
) -> Step:
    """What to do now. `paths` empty: the files of the last run where they lie here, else the ledger alone.

    Raises InputError, MappingError and LedgerError only where what they tell is no step of a migration.
    Effects: reads the files, never writes.
    """
    ledger = _ledger(stack, settings)
    typed = [*paths]
    known, corrections = _files_of_runs(ledger)
    exports = typed or known
    if not {path.name for path in exports} & {path.name for path in known}:
        corrections = []
    for path in exports:
        if not path.exists():
            raise InputError(f"{path} does not exist.", place=str(path), hint="Check the name and the folder.")
    desk = _Desk(settings, exports, environ, progress, corrections)
    if ledger is not None and (busy := _busy(desk, ledger)) is not None:
        return busy
    try:
        mapping = read_mapping_of(settings)
    except FaultyMappingError as error:
        return desk.with_everything(stack, _first_fault(error, desk))
    except MappingError:
        if not exports:
            return Step("Look at your export", type=desk.typed("inspect", "EXPORT..."))
        return desk.with_everything(
            stack, Step("Write a mapping folder from the export", type=desk.typed("init", *desk.files))
        )
    if not exports:
        return (
            _from_ledger(desk, ledger, mapping)
            if ledger
            else Step("Look at your export", type=desk.typed("inspect", "EXPORT..."))
        )
    try:
        return _planned(stack, desk, mapping, ledger)
    except InputError as error:
        return Step(
            f"{error.message} {error.hint}".strip().rstrip("."),
            file=error.place,
            type=desk.typed("inspect", *desk.files),
        )


def _busy(desk: _Desk, ledger: Ledger) -> Step | None:
    """The step while somebody works on the ledger; a process that died on this machine holds nobody up."""
    held = ledger.holder()
    if held is None:
        return None
    holder = held.holder
    if holder.host == this_process().host:
        if not is_alive(holder):
            return None
        return Step(f"A command is at work on the ledger (process {holder.pid}): let it end", type=desk.typed("status"))
    what = f"The ledger is held by process {holder.pid} on {holder.host}: let it end, or make sure that it is dead"
    return Step(what, type=desk.typed("run", *(desk.plan_files or ("EXPORT...",)), "--take-over", holder.host))


def _ledger(stack: ExitStack, settings: Settings) -> Ledger | None:
    try:
        return stack.enter_context(Ledger.open(settings.ledger, create=False, read_only=True))
    except LedgerError as error:
        if error.code == "ledger.missing":
            return None
        raise


def _files_of_runs(ledger: Ledger | None) -> tuple[list[Path], list[Path]]:
    """The exports and the corrections of the last run, where they still lie here."""
    runs = [run for run in ledger.runs() if run.command == "run"] if ledger else []
    if not runs:
        return [], []
    corrections = [Path(name) for name in runs[-1].summary.get("corrections", ())]
    exports = [Path(name) for name in sorted({*runs[-1].sources} - {path.name for path in corrections})]
    return (exports, corrections) if all(path.is_file() for path in (*exports, *corrections)) else ([], [])


def _first_fault(error: FaultyMappingError, desk: _Desk) -> Step:
    fault = error.faults[0]
    if fault.place.column == "target.service":
        return _service(fault, desk)
    more = f" ({len(error.faults) - 1} more after it)" if len(error.faults) > 1 else ""
    return Step(f"{fault}{more}", fault.place.file, fault.place.row)


def _service(fault: Fault, desk: _Desk) -> Step:
    """The service that nobody can guess: one of the catalogue's, else Mews is asked for them."""
    known = stored_services(desk.settings.mappings)
    if known:
        what = f"{fault.place.file} row {fault.place.row}: write the Id of a service into target.service (candidates "
        return Step(f"{what}{', '.join(known)})", fault.place.file, fault.place.row)
    ask = desk.typed("preflight", *desk.files)
    if desk.has_tokens:
        return Step("Ask Mews which services it has, for target.service", fault.place.file, fault.place.row, type=ask)
    return Step("Write the three MEWS_ variables into .env, then let preflight list the services", ".env", type=ask)


@dataclass(frozen=True, slots=True)
class _Desk:
    """The command's own surroundings."""

    settings: Settings
    exports: list[Path]
    environ: Mapping[str, str]
    progress: Progress
    corrections: list[Path] = field(default_factory=list)

    @property
    def plan_files(self) -> tuple[str, ...]:
        """The exports, with the corrections that were given beside them."""
        return (*self.files, *(word for path in self.corrections for word in ("--corrections", str(path))))

    @property
    def files(self) -> tuple[str, ...]:
        """The exports as they were typed."""
        return tuple(map(str, self.exports))

    def typed(self, *words: str) -> str:
        """A command with the global options that this one was given."""
        given = []
        if self.settings.mappings != Path("mappings"):
            given += ["--mappings", str(self.settings.mappings)]
        if self.settings.ledger != "ledger.sqlite":
            given += ["--ledger", self.settings.ledger]
        text = shlex.join(["centra-mews", *given, *(word for word in words if word != "EXPORT...")])
        return f"{text} EXPORT..." if "EXPORT..." in words else text

    def is_rehearsal(self, ledger: Ledger | None) -> bool:
        """Whether the Mews in question is one of this machine."""
        home = ledger.home() if ledger else None
        address = home.platform if home else self.environ.get(ADDRESS, "")
        return is_loopback(urlsplit(address).hostname or "")

    @property
    def has_tokens(self) -> bool:
        """Whether Mews could be asked."""
        try:
            connection(self.environ)
        except UsageError:
            return False
        return True

    def with_everything(self, stack: ExitStack, step: Step) -> Step:
        """The step with all that the export holds: while it is undone, nothing can be planned."""
        whole = Effect()
        try:
            batch, _ = stack.enter_context(open_batch(Export(self.exports), None, self.progress))
            for order in batch.orders() if self.exports else ():
                whole.count(order.currency, order.order_total)
        except InputError:
            # A dump that only the mapping makes readable: its orders are not known yet.
            whole = Effect()
        return _told(step, whole)


def _told(step: Step, effect: Effect, words: str = "unlocks") -> Step:
    """The step with what it unlocks, in figures and as a sentence."""
    what = step.what.rstrip(".")
    if effect.orders:
        what = f"{what}; {words} {_counted(effect)}"
    return Step(what, step.file, step.row, effect.orders, effect.amounts, step.type)


def _counted(effect: Effect) -> str:
    count = f"{effect.orders:,} order{'' if effect.orders == 1 else 's'}"
    return ", ".join([count, *(f"{currency or '(no currency)'} {amount:,.2f}" for currency, amount in effect.amounts)])


def _planned(stack: ExitStack, desk: _Desk, mapping: MappingFolder, ledger: Ledger | None) -> Step:
    reference = reference_offline(ledger) if ledger and ledger.load_reference() else None
    batch, facts = stack.enter_context(
        open_batch(Export(desk.exports, corrections=desk.corrections), mapping, desk.progress)
    )
    known = reference or assumed_reference(mapping, datetime.now(UTC))
    prepared = plan_export(stack, batch, facts, mapping, known, span=Export(()).span, progress=desk.progress)
    causes = Causes(_unknowable(mapping) if reference is None else ())
    for status in statuses(prepared, ledger):
        causes.add(status)
    if mapping.likely and not desk.is_rehearsal(ledger):
        place = mapping.likely[0].place
        step = Step(
            f"{place.table} row {place.row}: look whether it is right, then write yes into sure", place.file, place.row
        )
        return _told(step, causes.everything, "the run waits with")
    if reference is None and desk.has_tokens:
        step = Step(
            "Compare the mapping with Mews, which also tells the candidates", type=desk.typed("preflight", *desk.files)
        )
        return _told(step, causes.everything)
    decisions = causes.decisions()
    if decisions:
        return _decision(desk, decisions[0], causes, mapping, reference)
    if reference is None:
        what = "Write the three MEWS_ variables into .env, then compare the mapping with Mews"
        return _told(Step(what, file=".env", type=desk.typed("preflight", *desk.files)), causes.everything)
    trace = last_trace(ledger, mapping.digest) if ledger else None
    return _after_decisions(desk, causes, prepared.plan.plan, facts.unassigned_count, ledger, trace)


def _unknowable(mapping: MappingFolder) -> frozenset[str]:
    """Codes that say nothing while Mews was never asked."""
    found = {*ASK_MEWS, "currency.not_enabled", "window.outside", "window.vat_undeclared"}
    return frozenset({*found, "account.unmapped"} if mapping.settings.accounts.lookup_email else found)


def _decision(
    desk: _Desk, chosen: tuple[Cause, Effect], causes: Causes, mapping: MappingFolder, reference: Reference | None
) -> Step:
    cause, alone = chosen
    effect = alone if alone.orders else causes.touched[cause]
    verb = DECISIONS[cause.code][1]
    is_tax = cause.file == "taxes.csv"
    rule = next((one for one in mapping.taxes if is_tax and one.place.row == cause.row), None)
    place = place_of(desk.settings.mappings, cause.file)
    where = f"{place.table} row {cause.row}" if cause.row else place.table
    subject = _subject(cause, rule)
    parts = [where, subject, _years(effect.months) if subject else ""]
    what = f"{', '.join(part for part in parts if part)}: {verb}{_candidates(cause, rule, effect, reference)}"
    command = desk.typed("preflight", *desk.files) if cause.code in ASK_MEWS else ""
    if cause.code == "tax.unmapped":
        store, zone = mapping.settings.source.store, mapping.settings.source.timezone
        command = desk.typed("init", *desk.files, "--store", store, "--timezone", zone)
    if cause.code in ASK_MEWS:
        what += " (first ask Mews again: what was stored last may be older than the cell)"
    words = "unlocks" if alone.orders else "with other decisions it keeps back"
    return _told(Step(what, place.file, cause.row, type=command), effect, words)


def _subject(cause: Cause, rule: TaxRule | None) -> str:
    if rule is None:
        named = f"{cause.field} {cause.subject}" if cause.file == "values.csv" else cause.subject
        return named.strip()
    rate = f"{rule.percent.normalize():f} %" if rule.percent is not None else rule.rate.value
    return " ".join(part for part in (rule.country, rate, rule.store_type, rule.sku) if part)


def _years(months: Iterable[str]) -> str:
    years = sorted({month[:4] for month in months})
    return years[0] if len(years) == 1 else f"{years[0]} to {years[-1]}" if years else ""


def _candidates(cause: Cause, rule: TaxRule | None, effect: Effect, reference: Reference | None) -> str:
    """` (candidates ..)` for a tax cell, with codes of the row's period, or of that of its orders."""
    if rule is None or reference is None or rule.rate is not RateKind.PERCENT or cause.code not in _TAX_CELLS:
        return ""
    first, last = _span(effect.months)
    found: TaxCandidates = tax_candidates(
        reference,
        country=rule.country,
        percent=rule.percent,
        start=rule.valid_from or first,
        end=rule.valid_before or last,
    )
    return f" (candidates {found.comment})" if found.comment else " (no code of that rate is valid then)"


_TAX_CELLS = frozenset({"tax.undecided", "tax.rate_differs", "tax.code_not_valid", "tax.code_unknown"})


def _span(months: Iterable[str]) -> tuple[date | None, date | None]:
    """First day of the first month, and of the month after the last."""
    known = sorted(months)
    if not known:
        return None, None
    end = date.fromisoformat(f"{known[-1]}-01") + timedelta(days=32)
    return date.fromisoformat(f"{known[0]}-01"), end.replace(day=1)


def _after_decisions(
    desk: _Desk, causes: Causes, plan: str, unassigned: int, ledger: Ledger | None, trace: Trace | None
) -> Step:
    """Nothing is left to decide: run, what the run left, corrections, reconciliation."""
    run = desk.typed("run", *desk.plan_files, "--expect", plan)
    out = causes.states.get(ReportState.BLOCKED, Effect()).orders
    ready = causes.states.get(ReportState.READY)
    if ready:
        rest = f" ({out:,} stay out until corrected)" if out else ""
        step = Step(f"Review the dry run's report, then post what is ready{rest}", type=run)
        return _told(step, ready, "posts")
    return _aftermath(desk, causes, run, unassigned, ledger, trace)


def _aftermath(
    desk: _Desk, causes: Causes, run: str, unassigned: int, ledger: Ledger | None, trace: Trace | None
) -> Step:
    states = causes.states
    held = next((part for part in ledger.unsettled() if part.held), None) if ledger else None
    if held is not None:
        what = f"Order {held.number}: look in Mews whether it is there, then decide it: --posted ORDERID, or --absent"
        return Step(what, orders=1, type=desk.typed("settle", held.number, "--help"))
    if unknown := states.get(ReportState.UNKNOWN):
        return _told(Step("Let the run find out what became of orders in doubt", type=run), unknown, "settles")
    if rejected := states.get(ReportState.REJECTED):
        words = _words(causes, ReportState.REJECTED)
        step = Step(
            f"Mews refused orders{words}: clear the cause, then send them again", type=f"{run} --retry-rejected"
        )
        return _told(step, rejected)
    if changed := states.get(ReportState.CHANGED):
        return _told(_changed(desk, causes), changed, "about")
    if (blocked := states.get(ReportState.BLOCKED)) or unassigned:
        return _corrections(desk, causes, blocked or Effect(), unassigned)
    done = _sum(states, (ReportState.ALREADY_POSTED, ReportState.POSTED, ReportState.RECOVERED))
    undone = states.get(ReportState.UNDONE)
    if done.orders and trace is None:
        return _told(Step("Read everything back from Mews and compare it", type=_reconcile(desk)), done, "proves")
    if undone and (trace is None or not trace.is_complete):
        what = "Orders were undone: once the cause is mended, post them again"
        return _told(Step(what, type=f"{run} --repost-undone"), undone, "posts")
    if done.orders and trace is not None:
        return _reconciled(desk, trace)
    return Step("Nothing is left to do: no order of the export is to be sent")


def _reconcile(desk: _Desk) -> str:
    return desk.typed("reconcile", "--report", "reconciled")


def _reconciled(desk: _Desk, trace: Trace) -> Step:
    """What follows from a reconciliation of which nothing has moved since."""
    at = f"{trace.at[:10]} {trace.at[11:16]} UTC"
    if trace.is_complete:
        what = f"Nothing is left to do: reconcile of {at} found all {trace.orders:,} orders complete"
        return Step(f"{what}; keep the ledger and the certificate as long as the books")
    first, *more = trace.reasons
    what = f"Reconcile of {at} is not complete: {first}{f' ({len(more)} more reasons)' if more else ''}"
    what += "; correct that in Mews, or accept it by name in waivers.csv, then reconcile again"
    return Step(what, file="waivers.csv", type=_reconcile(desk))


def _sum(states: Mapping[ReportState, Effect], wanted: Iterable[ReportState]) -> Effect:
    total = Effect()
    for effect in (states[state] for state in wanted if state in states):
        total.orders += effect.orders
        for currency, amount in effect.money.items():
            total.money[currency] += amount
    return total


def _words(causes: Causes, state: ReportState) -> str:
    found = next((status for (known, _), status in causes.examples.items() if known is state), None)
    return f" ({found.message.rstrip('.')})" if found and found.message else ""


def _changed(desk: _Desk, causes: Causes) -> Step:
    different = causes.examples.get((ReportState.CHANGED, "different"))
    if different is not None:
        what = f"Order {different.number} stands in Mews with other amounts: compare both sides, then decide it"
        return Step(what, type=desk.typed("settle", different.number, "--help"))
    found = next((one for (state, _), one in causes.examples.items() if state is ReportState.CHANGED), None)
    number = found.number if found else ""
    what = (
        f"Order {number} was posted and reads differently now{_words(causes, ReportState.CHANGED)}: correct the export"
    )
    return Step(f"{what}, or accept it in waivers.csv", file="waivers.csv")


def _corrections(desk: _Desk, causes: Causes, blocked: Effect, unassigned: int) -> Step:
    others = causes.others()
    why = f" ({', '.join(dict.fromkeys(cause.code for cause, _ in others[:3]))})" if others else ""
    rows = f"; {unassigned:,} rows have no readable order number" if unassigned else ""
    is_json = all({*path.suffixes} & {".json", ".ndjson", ".jsonl"} for path in desk.exports)
    file = "attention.ndjson" if desk.exports and is_json else "attention.csv"
    what = f"Correct the orders of {file}{why}, and give the file with --corrections{rows}"
    command = desk.typed("dry-run", *desk.plan_files, "--report", "dry-run")
    return _told(Step(what, file=file, type=command), blocked)


def _from_ledger(desk: _Desk, ledger: Ledger, mapping: MappingFolder) -> Step:
    """Without an export: what the ledger alone tells."""
    home = ledger.home()
    causes = Causes()
    for status in ledger_statuses(ledger, home.store if home else "", ""):
        causes.add(status)
    if not causes.everything.orders or ReportState.READY in causes.states or ReportState.BLOCKED in causes.states:
        step = Step("Name the export, so that it can be planned", type=desk.typed("next", "EXPORT..."))
        return _told(step, causes.everything, "the ledger knows")
    named = _Desk(desk.settings, [Path("EXPORT...")], desk.environ, desk.progress)
    trace = last_trace(ledger, mapping.digest)
    return _aftermath(named, causes, named.typed("run", "EXPORT..."), 0, ledger, trace)
