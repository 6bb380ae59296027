"""The job of `next`: the one thing to do now, and what it sets free, from mapping, plan and ledger. No network.

Rule: design section 2. The order is that of a migration: mapping folder, rows to confirm, connection, cells by money,
comparison with Mews, run, what the run left, reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

from etl.errors import InputError, LedgerError, MappingError
from etl.ledger.holder import this_process
from etl.ledger.kind_record import KindStanding
from etl.ledger.ledger import Ledger
from etl.mapping.folder import FaultyMappingError
from etl.mapping.settings import FILE
from etl.mapping.whereabouts import open_words, row_of_setting
from etl.model.kinds import OLD, KindState
from etl.model.ledger_place import is_server, shown
from etl.model.mapping import Mapping as MappingFolder
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.states import PLANNED, State
from etl.model.status import ReportState
from etl.model.words import counted
from etl.pipeline.aftermath import Left, after_decisions, aftermath, halted
from etl.pipeline.assumed import assumed_reference
from etl.pipeline.catalogue import has_catalogue, is_orderable
from etl.pipeline.causes import ASK_MEWS, DECISIONS, MAY_STAY, Causes
from etl.pipeline.deciding import SERVICE, THE_SERVICE, Knowledge, decision, first_fault, how_paid
from etl.pipeline.from_ledger import ledger_statuses
from etl.pipeline.planning import Progress, Span
from etl.pipeline.prepare import (
    Export,
    is_of_route,
    open_batch,
    plan_export,
    read_mapping_of,
    reference_is_of,
    reference_offline,
    statuses,
)
from etl.pipeline.reach import Reach
from etl.pipeline.reconciled import last_trace
from etl.pipeline.source_again import files_of
from etl.pipeline.step import Desk, Step, with_effect
from etl.pipeline.unconfirmed import likely_rows
from etl.pipeline.workers import at_work
from etl.settings import Settings
from etl.staging.facts import BatchFacts


def next_step(
    stack: ExitStack,
    settings: Settings,
    paths: Iterable[Path],
    environ: Mapping[str, str],
    progress: Progress,
    corrected: Iterable[Path] = (),
) -> Step:
    """What to do now. `paths` empty: the files of the last run where they lie here, else the ledger alone.

    `corrected`: files of corrections, those of the last run if there are none.

    Raises InputError, MappingError and LedgerError only where what they tell is no step of a migration.
    Effects: reads the files, never writes.
    """
    ledger = _ledger(stack, settings)
    typed = [*paths]
    known, corrections = _files_of_runs(ledger)
    exports = typed or known
    if not {path.name for path in exports} & {path.name for path in known}:
        corrections = []
    corrections = [*corrected] or corrections
    for path in (*exports, *corrections):
        if not path.exists():
            raise InputError(f"{path} does not exist.", place=str(path), hint="Check the name and the folder.")
    desk = Desk(settings, exports, environ, progress, corrections)
    if ledger is not None and (busy := _busy(desk, ledger)) is not None:
        return busy
    try:
        mapping = read_mapping_of(settings)
    except FaultyMappingError as error:
        return desk.with_everything(stack, first_fault(error.faults[0], len(error.faults) - 1, desk))
    except MappingError as error:
        if error.code != "mapping.missing":
            raise
        return _begin(stack, desk)
    if ledger is not None and (stopped := halted(desk, ledger)) is not None:
        return stopped
    if not exports:
        return _from_ledger(desk, ledger, mapping)
    try:
        return _planned(stack, desk, mapping, ledger)
    except InputError as error:
        return Step(
            f"{error.message} {error.hint}".strip().rstrip("."),
            file=error.place,
            type=desk.typed("inspect", *desk.files),
        )


def _begin(stack: ExitStack, desk: Desk) -> Step:
    """Nothing is there yet but, perhaps, the export."""
    if not desk.exports:
        what = "Look at your export; then name it here, too: `centra-mews next EXPORT...` leads on"
        return Step(what, type=desk.typed("inspect", "EXPORT..."))
    what = (
        "Write a mapping folder from the export; --store NAME and --timezone ZONE say which shop it is and where its clock "
        "hangs (shop and Europe/London without them)"
    )
    return desk.with_everything(stack, Step(what, type=desk.typed("init", *desk.files)))


def _busy(desk: Desk, ledger: Ledger) -> Step | None:
    """The step while somebody works on the ledger; a process that died on this machine holds nobody up."""
    working = at_work(ledger)
    if not working:
        return None
    one = next((one for one in working if one.host == this_process().host), working[0])
    if one.host == this_process().host:
        return Step(f"A command is at work on the ledger (process {one.pid}): let it end", type=desk.typed("status"))
    what = f"The ledger is held by process {one.pid} on {one.host}: let it end, or make sure that it is dead"
    return Step(what, type=desk.typed("run", *(desk.plan_files or ("EXPORT...",)), "--take-over", one.host))


def _ledger(stack: ExitStack, settings: Settings) -> Ledger | None:
    try:
        return stack.enter_context(Ledger.open(settings.ledger, create=False, read_only=True))
    except LedgerError as error:
        if error.code == "ledger.missing":
            return None
        raise


def _files_of_runs(ledger: Ledger | None) -> tuple[list[Path], list[Path]]:
    """The exports and the corrections of the last run, where all of them still lie where it read them, or here."""
    runs = [run for run in ledger.runs() if run.command == "run"] if ledger else []
    files = files_of(runs[-1]) if runs else ()
    places = [file.place() for file in files]
    if None in places:
        return [], []
    found = [(path, file.is_correction) for path, file in zip(places, files, strict=True) if path is not None]
    return [path for path, is_correction in found if not is_correction], [path for path, yes in found if yes]


def _planned(stack: ExitStack, desk: Desk, mapping: MappingFolder, ledger: Ledger | None) -> Step:
    stored = reference_offline(ledger) if ledger and ledger.load_reference() else None
    if ledger is not None and stored is not None and (step := _elsewhere(desk, mapping, ledger, stored)) is not None:
        return step
    reference = stored if stored is not None and is_of_route(stored, mapping) else None
    batch, facts = stack.enter_context(
        open_batch(Export(desk.exports, corrections=desk.corrections), mapping, desk.progress)
    )
    assumed = reference or assumed_reference(mapping, datetime.now(UTC))
    prepared = plan_export(stack, batch, facts, mapping, assumed, span=Export(()).span, progress=desk.progress)
    kinds = ledger.kinds() if ledger else {}
    held = _held(kinds)
    ignored = _unknowable(mapping) if reference is None else ()
    causes = Causes(ignored, held, _meant(mapping), open_words(desk.settings.mappings))
    reach = _reach_of(kinds, mapping)
    for status in statuses(prepared, ledger):
        causes.add(status)
        if reach is not None:
            reach.add(status)
    if not causes.everything.orders and facts.unassigned_count:
        return _renamed(desk, facts.unassigned_count)
    if mapping.likely and not desk.is_rehearsal(ledger):
        return with_effect(_confirm(mapping, facts), causes.everything, "the run waits with")
    if reference is None and (step := _connect(desk, mapping)) is not None:
        return with_effect(step, causes.everything)
    decisions = causes.decisions()
    if decisions:
        is_fresh = ledger is not None and reference_is_of(ledger, mapping)
        return decision(desk, decisions[0], causes, Knowledge(mapping, reference, is_fresh))
    if causes.unpaid.orders:
        return how_paid(desk, causes.unpaid)
    if reference is None:
        return with_effect(_compare(desk), causes.everything)
    start = reach.start(is_held=OLD in held) if reach else None
    if start is not None:
        span = Span(start)
        prepared = plan_export(stack, batch, facts, mapping, assumed, span=span, progress=desk.progress)
    run = desk.typed("run", *desk.plan_files, *_from(start), "--expect", prepared.plan.plan)
    trace = last_trace(ledger, mapping.digest) if ledger else None
    return after_decisions(desk, Left(causes, run, ledger, mapping, trace, facts.unassigned_count, reach, start))


def _renamed(desk: Desk, rows: int) -> Step:
    """Not one order was read: what is called otherwise is named once in columns.csv, not corrected in each row."""
    what = (
        f"None of the {counted(rows, 'row|rows')} of the export has an order number: {desk.settings.mappings} was written for "
        "an export with other names. Add those of this one, then look at the rows of columns.csv that are new"
    )
    return Step(what, file="columns.csv", type=desk.typed("init", *desk.files))


def _held(kinds: Mapping[str, KindStanding]) -> list[str]:
    """The kinds that Mews refused."""
    return [name for name, kind in kinds.items() if kind.state is KindState.HELD]


def _reach_of(kinds: Mapping[str, KindStanding], mapping: MappingFolder) -> Reach | None:
    """What is to tell how far back Mews takes bills; None where none older than the window was ever tried."""
    return Reach(mapping.settings.source.timezone) if OLD in kinds else None


def _from(start: date | None) -> tuple[str, ...]:
    return ("--from", start.isoformat()) if start else ()


def _elsewhere(desk: Desk, mapping: MappingFolder, ledger: Ledger, stored: Reference) -> Step | None:
    """Where the ledger belongs to another service or outlet than the mapping names by now; None where it does not."""
    wanted = mapping.settings.target.service.lower()
    is_other_service = stored.outlet is None and not wanted.startswith("eid:") and wanted != stored.service.id.lower()
    if is_of_route(stored, mapping) and not is_other_service:
        return None
    place = f"{'service' if stored.outlet is None else 'outlet'} {stored.place.name or stored.place.id}"
    what = f"The ledger {shown(desk.settings.ledger)} belongs to the {place}, and {FILE} names another place by now"
    if any(orders for state, orders in ledger.counts().items() if state not in {*PLANNED, State.UNDONE}):
        what += ": what was posted stands there, and posted elsewhere too it would count twice. Undo it first, or name that place again"
        return Step(what, file=FILE)
    what += "; nothing of it is in Mews. Begin another ledger, and name it with --ledger in each command from now on"
    other = _free_name(desk.settings.ledger)
    return Step(what, type=replace(desk.settings, ledger=other).typed("preflight", *desk.files) if other else "")


def _free_name(ledger: str) -> str:
    """A file beside the ledger that is not there yet; "" for one on a server."""
    if is_server(ledger):
        return ""
    path = Path(ledger)
    return str(next(one for at in count(2) if not (one := path.with_stem(f"{path.stem}-{at}")).exists()))


def _confirm(mapping: MappingFolder, facts: BatchFacts) -> Step:
    """The first row that is only likely, with what it says and samples of what it is applied to."""
    place = mapping.likely[0].place
    (row, *more) = likely_rows(mapping, facts)
    samples = f" (such as {', '.join(row['samples'][:3])})" if row["samples"] else ""
    rest = f" ({counted(len(more), 'more row|rows')} after it)" if more else ""
    what = f"{place.table} row {place.row}: {row['says']}{samples}: if that is right, write yes into sure{rest}"
    return Step(what, place.file, place.row, "sure", ("yes",), sheet=place.sheet)


def _connect(desk: Desk, mapping: MappingFolder) -> Step | None:
    """What comes before the cells: the catalogue, whose candidates they need, and a service that takes orders."""
    if desk.has_tokens and not has_catalogue(desk.settings.mappings):
        return _compare(desk)
    if mapping.settings.route is Route.OUTLET:
        return None
    if is_orderable(desk.settings.mappings, mapping.settings.target.service) is False:
        row = row_of_setting(desk.settings.mappings, SERVICE)
        step = THE_SERVICE.step(desk, row)
        what = f"{FILE} row {row}: {mapping.settings.target.service} takes no orders. {step.what}"
        return replace(step, what=what, type=desk.typed("preflight", *desk.files))
    return None


def _compare(desk: Desk) -> Step:
    """Mews's own word on the mapping, once every cell is filled in, or before it where it has the candidates."""
    if not desk.has_tokens:
        what = "Write the three MEWS_ variables into .env, then compare the mapping with Mews"
        return Step(what, file=".env", type=desk.typed("preflight", *desk.files))
    what = "Compare the mapping with Mews, which also tells the candidates"
    return Step(what, type=desk.typed("preflight", *desk.files))


def _meant(mapping: MappingFolder) -> frozenset[str]:
    """Codes of keys that a person has written, their default too: what those keep out is meant."""
    given = {f"{name}.{key}" for name, section in mapping.settings for key in section.model_fields_set}
    return frozenset(code for code in MAY_STAY if DECISIONS[code].column in given)


def _unknowable(mapping: MappingFolder) -> frozenset[str]:
    """Codes that say nothing while Mews was never asked."""
    found = {*ASK_MEWS, "currency.not_enabled", "window.outside", "window.vat_undeclared"}
    return frozenset({*found, "account.unmapped"} if mapping.settings.accounts.lookup_email else found)


def _from_ledger(desk: Desk, ledger: Ledger | None, mapping: MappingFolder) -> Step:
    """Without an export: what the ledger alone tells."""
    home = ledger.home() if ledger else None
    kinds = ledger.kinds() if ledger else {}
    held = _held(kinds)
    causes = Causes(held=held)
    reach = _reach_of(kinds, mapping)
    for status in ledger_statuses(ledger, home.store if home else "", "") if ledger else ():
        causes.add(status)
        if reach is not None:
            reach.add(status)
    if (
        ledger is None
        or not causes.everything.orders
        or ReportState.READY in causes.states
        or ReportState.BLOCKED in causes.states
    ):
        step = Step("Name the export, so that it can be planned", type=desk.typed("next", "EXPORT..."))
        return with_effect(step, causes.everything, "the ledger knows")
    named = replace(desk, exports=[Path("EXPORT...")])
    start = reach.start(is_held=OLD in held) if reach else None
    run = named.typed("run", "EXPORT...") + "".join(f" {word}" for word in _from(start))
    return aftermath(named, Left(causes, run, ledger, mapping, last_trace(ledger, mapping.digest), 0, reach, start))
