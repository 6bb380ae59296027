"""What dry-run and run have in common up to the first mutating call: mapping, batch, reference data, plan.

Opening files and asking Mews happens here; deciding happens in `planning` and `transform`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.errors import MappingError, MewsError, UsageError
from etl.ledger.corrections import held_back
from etl.ledger.kind_record import KindStanding
from etl.ledger.ledger import Ledger
from etl.ledger.records import Home, LedgerOrder, Part
from etl.mapping.folder import read_mapping
from etl.mews.reference_data import read_reference
from etl.model.kinds import KindState
from etl.model.mapping import ColumnRule, Mapping, Source, Sure, ValueRule
from etl.model.plan import PlannedOrder
from etl.model.problem import Severity
from etl.model.reference import Reference, dump_reference, load_reference
from etl.model.route import Route
from etl.model.status import OrderStatus, ReportState
from etl.pipeline.accepted import waived_in, with_waivers
from etl.pipeline.both_ways import is_switched_off
from etl.pipeline.classify import needs_parts, planned_status, status_of
from etl.pipeline.connect import Link, connect
from etl.pipeline.finished import Finished, is_possible, key_of
from etl.pipeline.kinds import with_kinds
from etl.pipeline.needs import needs_of
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.planning import PlanFacts, Progress, Span, make_context, plan_batch
from etl.pipeline.shipping_trials import WATCHED
from etl.reading.identify import open_export
from etl.reading.names import ORDER_NUMBER
from etl.reading.options import ReadOptions
from etl.report.summary import Summary
from etl.report.tables import PlainOrder
from etl.settings import Connection, Settings
from etl.staging.batch import Batch
from etl.staging.facts import BatchFacts
from etl.staging.vocabulary import Vocabulary

_OWN_NAMES = frozenset({"ordernumber", "orderid"})

TAX_MODE_FIELDS = frozenset({"taxDeducted", "taxAdded"})
"""Fields that give an order a basis of its own."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An export that is read and planned, ready to be reported or posted."""

    mapping: Mapping
    reference: Reference
    batch: Batch
    facts: BatchFacts
    store: PlanStore
    plan: PlanFacts
    span: Span = Span()
    finished: Finished | None = None


_REFERENCE_OF = "reference_of"
"""Key of the ledger: digest of the mapping folder that the reference data was read for."""


@dataclass(frozen=True, slots=True)
class Export:
    """The export files of a command, its files of corrections, and the local dates it is narrowed to."""

    paths: Sequence[Path]
    span: Span = Span()
    corrections: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """What a run is told to send once more: what Mews refused, with the kinds held for it, and what was undone."""

    rejected: bool = False
    undone: bool = False

    def holds(self, kind: KindStanding) -> bool:
        """Whether a kind is not tried."""
        return kind.state is not KindState.HELD or not self.rejected

    def sees(self, status: OrderStatus, held: LedgerOrder, order: PlannedOrder) -> OrderStatus:
        """The order as the plan has it, where it is sent again as a whole."""
        is_refused = self.rejected and status.state is ReportState.REJECTED and not held.has_posted
        is_undone = self.undone and status.state is ReportState.UNDONE
        return planned_status(order) if is_refused or is_undone else status


_NOTHING_AGAIN = Again()


def link_to_mews(
    settings: Settings, mapping: Mapping, connection: Connection, *, writes: bool
) -> AbstractAsyncContextManager[Link]:
    """The way to Mews as mapping and ledger want it; without `writes` it can't change anything there."""
    return connect(
        connection,
        mapping.settings.mews,
        enterprise_id=mapping.settings.target.enterprise_id,
        ledger=settings.ledger,
        writes=writes,
    )


def home_of(mapping: Mapping, reference: Reference) -> Home:
    """The one place that the ledger belongs to."""
    return Home(reference.platform, reference.enterprise_id, reference.place.id, mapping.settings.source.store)


@contextmanager
def open_batch(export: Export, mapping: Mapping | None, progress: Progress) -> Iterator[tuple[Batch, BatchFacts]]:
    """The staged batch of the export. Raises InputError for a file that can't be read at all."""
    options = read_options(mapping) if mapping else ReadOptions()
    with open_with(export, options, progress) as opened:
        yield opened


@contextmanager
def open_with(export: Export, options: ReadOptions, progress: Progress) -> Iterator[tuple[Batch, BatchFacts]]:
    """As `open_batch`, for a folder that is not whole yet."""
    with Batch(
        export.paths, open_export=open_export, corrections=export.corrections, options=options, progress=progress
    ) as batch:
        yield batch, batch.load()


def read_options(mapping: Mapping) -> ReadOptions:
    """What the mapping folder says about reading an export."""
    return options_of(mapping.settings.source, mapping.columns, mapping.values)


def options_of(source: Source, columns: Sequence[ColumnRule], rules: Sequence[ValueRule]) -> ReadOptions:
    """What settings, columns.csv and values.csv say about reading an export."""
    values: dict[str, dict[str, str]] = {}
    for rule in rules:
        values.setdefault(rule.field, {})[rule.value] = rule.means
    return ReadOptions(
        encoding=source.encoding,
        date_format=source.date_format,
        timezone=source.timezone,
        order_number=source.order_number,
        empty_words=frozenset(source.empty_words),
        sheets=source.sheets,
        continuation_rows=source.continuation_rows,
        columns={rule.header: rule.field for rule in columns},
        values=values,
        likely=frozenset(rule.header for rule in columns if rule.sure is Sure.LIKELY),
    )


async def reference_online(link: Link, mapping: Mapping, batch: Batch | None, span: Span) -> Reference:
    """The reference data that the mapping (and, with e-mail look-up or creation, the batch) needs."""
    emails: set[str] = set()
    accounts, names = mapping.settings.accounts, mapping.settings.names_accounts
    if batch is not None and names and (accounts.lookup_email or accounts.create_customers):
        emails = {order.email for order in batch.orders(start=span.start, end=span.end) if order.email}
    with known_enterprise(mapping.settings.target.enterprise_id):
        return await read_reference(link.reader, needs_of(mapping, emails), platform=link.platform)


@contextmanager
def known_enterprise(enterprise_id: str) -> Iterator[None]:
    """Raises MappingError where Mews does not know the enterprise that the first request inside the block names."""
    try:
        yield
    except MewsError as error:
        # The first request names nothing but tokens and enterprise, so what is malformed is the enterprise.
        if (error.operation, error.status) == ("configuration/get", 400):
            raise _wrong_enterprise(error, enterprise_id) from error
        raise


def _wrong_enterprise(error: MewsError, enterprise_id: str) -> MappingError:
    named = (
        f"Mews does not know enterprise {enterprise_id!r}" if enterprise_id else "Mews wants to know which enterprise"
    )
    return MappingError(
        f"{named}: {error.message}",
        code="enterprise.unknown",
        place="migration.toml, target.enterprise_id",
        hint="With a token for several enterprises, write the EnterpriseId of this property into target.enterprise_id.",
        request_id=error.request_id,
    )


def reference_offline(ledger: Ledger) -> Reference:
    """The reference data that was stored last, its clock moved on. Raises UsageError where there is none."""
    text, saved = ledger.load_reference(), ledger.reference_saved_at()
    if text is None or saved is None:
        raise UsageError(
            "This ledger holds no reference data of Mews yet.",
            code="reference.missing",
            hint="Run `centra-mews preflight` once with a connection, then --offline works.",
        )
    reference = load_reference(text)
    return replace(reference, now=reference.now + (datetime.now(UTC) - saved))


def is_of_route(reference: Reference, mapping: Mapping) -> bool:
    """Whether reference data was read for the route of the mapping, and on the outlet route for its outlet."""
    outlet, wanted = reference.outlet, mapping.settings.outlet.outlet
    if mapping.settings.route is Route.ORDERS or outlet is None:
        return (mapping.settings.route is Route.ORDERS) == (outlet is None)
    return wanted.lower() == outlet.id.lower() or wanted == outlet.name


def check_route(reference: Reference, mapping: Mapping) -> None:
    """Raises UsageError where the reference data stored last is of another route or outlet than the mapping's."""
    if not is_of_route(reference, mapping):
        raise UsageError(
            "The reference data of Mews in this ledger was read for another route or outlet than migration.toml names now.",
            code="reference.missing",
            hint="Run `centra-mews preflight` once with a connection, then --offline works.",
        )


def reading_of(mapping: Mapping) -> dict[str, dict[str, Any]]:
    """What the source is read through: table to key to meaning, as the ledger keeps it with a run."""
    source = mapping.settings.source.model_dump(mode="json", exclude={"store"})
    return {
        "columns.csv": {rule.header: rule.field for rule in mapping.columns},
        "values.csv": {f"{rule.field} {rule.value!r}": rule.means for rule in mapping.values},
        "migration.toml": {f"source.{key}": value for key, value in source.items()},
    }


def order_number_headers(facts: BatchFacts) -> list[str]:
    """The headers that order numbers are read from; Centra's own names for them are one."""
    found = set()
    for file in facts.files:
        renamed = {header for header, field in file.columns.renamed if field == ORDER_NUMBER}
        for header, field in file.columns.used:
            if field == ORDER_NUMBER:
                is_own = header in renamed and header.strip().casefold() not in _OWN_NAMES
                found.add(header.strip().casefold() if is_own else ORDER_NUMBER)
    return sorted(found)


def check_reading(ledger: Ledger, mapping: Mapping, facts: BatchFacts) -> None:
    """Makes sure that order numbers are read as this ledger's were, and tells it what the source is read through.

    Rule: design section 3a. Raises LedgerError where they are read otherwise: another number would be posted again.
    """
    ledger.reading = reading_of(mapping)
    ledger.keep_order_numbers(mapping.settings.source.order_number, order_number_headers(facts))


def check_store(ledger: Ledger, mapping: Mapping) -> None:
    """Raises LedgerError where the ledger belongs to another store; for work without a connection."""
    home = ledger.home()
    if home is not None:
        ledger.bind(replace(home, store=mapping.settings.source.store))


@contextmanager
def locked(ledger: Ledger, purpose: str, *, take_over: str = "", shared: bool = False) -> Iterator[int]:
    """Makes this process the ledger's one writer (`shared`: one of several on a server); gives how many requests a dead predecessor left in flight.

    Raises LedgerError naming the holder.
    """
    orphans = ledger.take_lock(purpose, take_over=take_over, shared=shared)
    try:
        yield orphans
    finally:
        ledger.release_lock()


def keep_reference(ledger: Ledger, mapping: Mapping, reference: Reference) -> None:
    """Binds the ledger to its home and stores the reference data.

    Raises LedgerError for a foreign ledger, MappingError where the service takes no orders, or the outlet no bills.
    """
    service, outlet = reference.service, reference.outlet
    if outlet is not None and not outlet.is_active:
        raise MappingError(
            f"Outlet {outlet.name} is not active: Mews takes no bills for it.",
            code="outlet.inactive",
            place="migration.toml, outlet.outlet",
            hint="Name an active outlet in outlet.outlet.",
        )
    if outlet is None and (not service.is_active or not service.is_orderable):
        raise MappingError(
            f"Service {service.name} is {'not active' if service.is_orderable else 'bookable, not additional'}: "
            "Mews takes no orders for it.",
            code="service.not_orderable",
            place="migration.toml, target.service",
            hint="Name an active additional service in target.service.",
        )
    ledger.bind(home_of(mapping, reference))
    ledger.save_reference(dump_reference(reference))
    ledger.set_meta(_REFERENCE_OF, mapping.digest)


def reference_is_of(ledger: Ledger, mapping: Mapping) -> bool:
    """Whether the reference data that was stored last was read for the mapping as it stands now."""
    return ledger.meta(_REFERENCE_OF) == mapping.digest


def plan_export(
    stack: ExitStack,
    batch: Batch,
    facts: BatchFacts,
    mapping: Mapping,
    reference: Reference,
    *,
    span: Span,
    progress: Progress,
    is_fast: bool = False,
    is_sent: bool = False,
    opened: int = 0,
    ledger: Ledger | None = None,
) -> Prepared:
    """Plans the whole batch; the store lives as long as `stack`. `is_fast`: plain orders may be planned by columns.

    `is_sent`: whole, since they are sent, or held against a ledger. `opened`: how many orders are shown with their entries. `ledger`: takes out what is posted and as it was.
    """
    expected = facts.orders + facts.nested_returns
    ctx = make_context(mapping, reference, now=reference.now, orders=expected)
    store = stack.enter_context(PlanStore())
    if opened:
        store.keep_entries(opened)
    has_tax_modes = any(
        file.vocabulary is Vocabulary.GET_ORDERS
        or TAX_MODE_FIELDS.intersection(field for _, field in file.columns.used)
        for file in facts.files
    )
    finished = None
    if ledger is not None and span == Span() and not has_tax_modes and is_possible(mapping) and not is_switched_off():
        finished = Finished(ledger, batch, key_of(mapping, reference))
    plan = plan_batch(
        batch,
        ctx,
        store,
        span=span,
        has_tax_modes=has_tax_modes,
        expected=expected,
        progress=progress,
        is_fast=is_fast,
        is_sent=is_sent,
        finished=finished,
    )
    return Prepared(mapping, reference, batch, facts, store, plan, span, finished)


class _AsReported:
    """How a command reports an order that the ledger knows, or a plan alone."""

    def __init__(self, prepared: Prepared, ledger: Ledger | None, run_id: str, again: Again) -> None:
        kinds = ledger.kinds() if ledger else {}
        self._kinds = {name: kind for name, kind in kinds.items() if again.holds(kind)}
        self._store = prepared.mapping.settings.source.store
        self._waived = waived_in(prepared.mapping)
        self._run_id, self._again = run_id, again

    def known(self, planned: PlannedOrder, held: LedgerOrder, parts: Sequence[Part]) -> OrderStatus:
        """Of which plan, ledger and the ledger's parts say this."""
        order = held_back(held, planned)
        seen = status_of(order, held, self._store, parts=parts, run_id=self._run_id)
        return self._told(self._again.sees(seen, held, order), held, order)

    def planned(self, status: OrderStatus) -> OrderStatus:
        """Of which the ledger knows nothing."""
        return self._told(status, None, None)

    def _told(self, status: OrderStatus, held: LedgerOrder | None, order: PlannedOrder | None) -> OrderStatus:
        return with_waivers(with_kinds(status, held, self._kinds), held, order, self._store, self._waived)


def statuses(
    prepared: Prepared, ledger: Ledger | None, *, run_id: str = "", again: Again = _NOTHING_AGAIN
) -> Iterator[OrderStatus]:
    """Every planned order by number, as it is to be reported. `again`: what counts as unsent before a run."""
    told = _AsReported(prepared, ledger, run_id, again)
    for batch in prepared.store.batches():
        held = ledger.lookup([status.number for status in batch.statuses]) if ledger else {}
        planned = batch.planned(held) if held else {}
        parts = ledger.parts(order.number for order in held.values() if needs_parts(order)) if ledger else {}
        for status in batch.statuses:
            number, known = status.number, held.get(status.number)
            yield (told.planned(status) if known is None else told.known(planned[number], known, parts.get(number, ())))


def finished_statuses(
    prepared: Prepared, ledger: Ledger | None, *, run_id: str = "", again: Again = _NOTHING_AGAIN
) -> Iterator[tuple[OrderStatus, int]]:
    """Those that were posted before and met again as they were, summed up, and of how many; see `statuses`."""
    return prepared.plan.finished(_AsReported(prepared, ledger, run_id, again).known)


def unknown_statuses(prepared: Prepared, *, is_listed: bool) -> Iterator[OrderStatus | list[PlainOrder]]:
    """As `statuses` where no ledger knows any order: those that `store.alike` has added up as rows, if `is_listed`."""
    store, waived = prepared.mapping.settings.source.store, waived_in(prepared.mapping)
    for one in prepared.store.mixed() if is_listed else prepared.store.statuses():
        yield one if isinstance(one, list) else with_waivers(one, None, None, store, waived)


def summarise(
    prepared: Prepared,
    orders: Iterable[OrderStatus | list[PlainOrder]],
    *sinks: Any,
    alike: Iterable[tuple[OrderStatus, int]] = (),
) -> Summary:
    """Counts and sums of the statuses, handed on to `sinks` one by one; checked before anybody sees them.

    `alike`: the sums of the plain orders, and of how many; only the first of `sinks` is given these as rows.
    """
    summary = Summary()
    summary.precisions = {code: currency.precision for code, currency in prepared.reference.currencies.items()}
    for status, count in alike:
        summary.add(status, count)
    for order in orders:
        if isinstance(order, list):
            for sink in sinks[:1]:
                sink.add_plain(order)
            continue
        summary.add(order)
        for sink in sinks:
            sink.add(order)
    summary.add_unassigned(prepared.facts.unassigned, prepared.facts.unassigned_count)
    _hint_at_shipping(summary, prepared.plan)
    summary.check(prepared.store.count)
    return summary


def _hint_at_shipping(summary: Summary, plan: PlanFacts) -> None:
    """Which `shipping.tax` the export agrees with, said where its totals do not agree with the one that is set."""
    hint = plan.shipping.hint() if plan.shipping else ""
    for code in WATCHED if hint else ():
        if row := summary.problems.get((code, Severity.ERROR)):
            row.first_hint = hint


def read_mapping_of(settings: Settings) -> Mapping:
    """The mapping folder of the command, whole and checked."""
    return read_mapping(settings.mappings)
