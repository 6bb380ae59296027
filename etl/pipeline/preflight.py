"""The job of `preflight`: mapping and account against the live enterprise, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl.errors import ExitCode, MappingError, MewsError
from etl.ledger.ledger import Ledger
from etl.mapping.folder import SeenMapping, look_at_mapping
from etl.mews.catalogue import read_catalogue
from etl.model.catalogue import Catalogue
from etl.model.mapping import Mapping
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.rules import check_enabled
from etl.pipeline.candidates import other_clock, outlet_check, service_check, with_candidates
from etl.pipeline.catalogue import write_catalogue
from etl.pipeline.check import Check, Result
from etl.pipeline.connect import Link, connect
from etl.pipeline.dry_run import finish
from etl.pipeline.feasible import feasibility
from etl.pipeline.filling import empty_strange_candidates
from etl.pipeline.needs import needs_of
from etl.pipeline.outlet_checks import outlet_checks
from etl.pipeline.planning import Progress, Span, earliest_consumption
from etl.pipeline.prepare import (
    Export,
    Prepared,
    keep_reference,
    known_enterprise,
    open_batch,
    plan_export,
    reference_online,
)
from etl.pipeline.rule_checks import rule_checks
from etl.settings import Connection, Settings
from etl.staging.batch import Batch
from etl.transform.accounts import customers_of

CLOCK_TOLERANCE = timedelta(seconds=60)


async def preflight(
    stack: ExitStack, settings: Settings, export: Export, connection: Connection, progress: Progress
) -> dict[str, Any]:
    """The `preflight --json` document. Effects: reads Mews, writes the catalogue, stores the reference data in the ledger.

    What the mapping lacks is a finding. Raises LedgerError for a foreign ledger, MewsError where Mews does not answer,
    MappingError where even the enterprise is unknown.
    """
    seen = look_at_mapping(settings.mappings)
    mapping = seen.mapping
    batch = stack.enter_context(open_batch(export, mapping, progress)) if export.paths and mapping else None
    ledger = stack.enter_context(Ledger.open(settings.ledger))
    way = connect(
        connection,
        seen.mews,
        enterprise_id=seen.enterprise_id,
        ledger=settings.ledger,
        writes=False,
    )
    async with way as link:
        catalogue = await _catalogue(link, seen)
        reference, checks = await _reference(link, seen, batch[0] if batch else None, export.span, catalogue)
    paths = write_catalogue(settings.mappings, catalogue)
    empty_strange_candidates(settings.mappings, catalogue)
    if mapping is not None and reference is not None:
        checks += _kept(ledger, mapping, reference, catalogue)
        checks += with_candidates(run_checks(mapping, reference, datetime.now(UTC)), mapping, catalogue)
    checks.append(_told_of(catalogue, paths))
    code = ExitCode.USAGE if any(check.result is Result.ERROR for check in checks) else ExitCode.DONE
    document: dict[str, Any] = {"command": "preflight", "checks": [asdict(check) for check in checks]}
    document["catalogue"] = [str(path) for path in paths]
    if batch and mapping is not None and reference is not None:
        prepared = plan_export(
            stack, *batch, mapping, reference, span=Span(export.span.start, export.span.end), progress=progress
        )
        planned = finish(prepared, ledger, None, "preflight")
        history = [*_history(prepared), *_people(prepared)]
        document = {**planned.document, **document}
        document["checks"] += [asdict(check) for check in history]
        code = code or planned.exit_code
    document["exit_code"] = int(code)
    return document


async def _catalogue(link: Link, seen: SeenMapping) -> Catalogue:
    """Everything that the enterprise has to choose from, and the accounts that the mapping asks for."""
    accounts, emails = set[str](), set[str]()
    if seen.mapping is not None:
        accounts = set(needs_of(seen.mapping).accounts)
        rules = seen.mapping.accounts.values()
        emails = {rule.key for rule in rules if rule.key_type == "email" and rule.target is None}
    with known_enterprise(seen.enterprise_id):
        return await read_catalogue(
            link.reader, service=seen.service, emails=emails, accounts=accounts, wants_fallback=seen.wants_fallback
        )


async def _reference(
    link: Link, seen: SeenMapping, batch: Batch | None, span: Span, catalogue: Catalogue
) -> tuple[Reference | None, list[Check]]:
    """The reference data that the mapping needs; None with the findings where it lacks something."""
    if seen.mapping is None:
        return None, [*_mapping_faults(seen, catalogue)]
    try:
        return await reference_online(link, seen.mapping, batch, span), []
    except MappingError as error:
        if error.code == "service.unknown":
            return None, [service_check(catalogue, error.message)]
        if error.code == "outlet.unknown":
            return None, [outlet_check(catalogue, error.message)]
        return None, [Check("mapping", Result.ERROR, f"{error.place}: {error.message}", error.hint)]
    except MewsError as error:
        if error.operation != "outlets/getAll" or not catalogue.unread:
            raise
        return None, [outlet_check(catalogue, f"outlet {seen.outlet} can't be looked up")]


def _mapping_faults(seen: SeenMapping, catalogue: Catalogue) -> Iterator[Check]:
    """Each fault of the folder, and the services (or outlets) to choose from where none is named."""
    if seen.route is Route.OUTLET:
        if not seen.outlet:
            yield outlet_check(catalogue, "outlet.outlet is not set")
        elif not any(
            seen.outlet.lower() == one.id.lower() or seen.outlet == one.name
            for one in catalogue.outlets
            if one.is_active
        ):
            yield outlet_check(catalogue, f"{seen.outlet} takes no bills")
    elif not seen.service:
        yield service_check(catalogue, "target.service is not set")
    elif not any(one.is_named(seen.service) for one in catalogue.orderable):
        yield service_check(catalogue, f"{seen.service} takes no orders")
    if not seen.faults:
        yield Check("mapping", Result.ERROR, seen.missing, seen.hint)
    for fault in seen.faults:
        if fault.place.column not in ("target.service", "outlet.outlet"):
            yield Check("mapping", Result.ERROR, str(fault), "Correct the cell, or the line, and run preflight again.")


def _kept(ledger: Ledger, mapping: Mapping, reference: Reference, catalogue: Catalogue) -> Iterator[Check]:
    """Stores the reference data for offline use; nothing where the service is sound."""
    try:
        keep_reference(ledger, mapping, reference)
    except MappingError as error:
        if error.code == "outlet.inactive":
            yield outlet_check(catalogue, error.message)
            return
        yield service_check(catalogue, error.message)


def _told_of(catalogue: Catalogue, paths: Sequence[Path]) -> Check:
    folder = paths[0].parent
    if catalogue.unread:
        detail = f"{folder}; Mews did not tell {'; '.join(catalogue.unread)}"
        return Check("catalogue", Result.WARNING, detail, "Ask Mews for the permission if the mapping needs these.")
    return Check("catalogue", Result.OK, f"{folder}: services, outlets, products, accounts, tax codes, categories, ..")


def run_checks(mapping: Mapping, reference: Reference, machine_now: datetime) -> Iterator[Check]:
    """Every check of the mapping against the enterprise, in the order in which a person would look. Pure."""
    yield Check(
        "enterprise",
        Result.OK,
        f"{reference.enterprise_name}, {reference.pricing.value} pricing, {reference.timezone}, "
        f"tax environment {reference.tax_environment or '(none)'}",
    )
    yield _clock(reference, machine_now)
    if other := other_clock(mapping.settings.source.timezone, reference.timezone, reference.now):
        then = "Nothing if that is the shop's clock; else correct source.timezone: it decides the day of an order, and its VAT."
        yield Check("timezone", Result.WARNING, other, then)
    service = reference.service
    if reference.outlet is None and service.is_active and service.is_orderable:
        yield Check("service", Result.OK, f"{service.name} is active and takes orders")
    yield from rule_checks(mapping, reference)
    yield _currencies(mapping, reference)
    yield from outlet_checks(mapping, reference)
    if reference.outlet is None:
        yield from _payments(mapping)
        yield _window(mapping, reference)
    yield from _unproved(mapping, reference)
    for text in mapping.notices:
        yield Check("mapping", Result.WARNING, text, "Look at the rows named.")


def _history(prepared: Prepared) -> Iterator[Check]:
    """Whether the whole history can be booked, before anything is sent."""
    plan = prepared.plan
    told = str(feasibility(plan, prepared.mapping, prepared.reference)["told"])
    total = plan.inside_window + plan.outside_window
    if prepared.mapping.settings.route is Route.OUTLET:
        yield Check(
            "history", Result.UNPROVED if told else Result.OK, told or f"all {total:,} orders are within the window"
        )
        return
    start = f"{plan.earliest:%Y-%m-%d %H:%M} UTC" if plan.earliest else "any time"
    detail = f"{plan.inside_window:,} of {total:,} orders can be booked at their own date (from {start} on)"
    if not plan.outside_window:
        yield Check("history", Result.OK, detail)
    elif prepared.mapping.settings.target.outside_editable_window == "clamp":
        yield Check(
            "history",
            Result.WARNING,
            f"{detail}; {plan.outside_window:,} are older and would be booked at the window's start. {told}",
            "Ask Mews for a longer editable window if their own dates matter.",
        )
    else:
        yield Check(
            "history",
            Result.WARNING,
            f"{detail}; {plan.outside_window:,} are older and blocked. {told}",
            'Ask Mews for a longer editable window, set target.route = "outlet", or '
            'target.outside_editable_window = "clamp".',
        )


def _people(prepared: Prepared) -> Iterator[Check]:
    """What looking up the e-mail addresses of the export came to."""
    accounts, reference = prepared.mapping.settings.accounts, prepared.reference
    if not prepared.mapping.settings.names_accounts or not (accounts.lookup_email or accounts.create_customers):
        return
    found = several = 0
    for email in reference.accounts_by_email:
        count = len(customers_of(email, reference))
        found += count == 1
        several += count > 1
    made = len(
        {dict(order.create_customer)["Email"].lower() for order in prepared.store.ready() if order.is_charge_open}
    )
    detail = f"addresses of one customer: {found:,}" + (f"; customers to be made: {made:,}" if made else "")
    if several:
        yield Check(
            "customers",
            Result.WARNING,
            f"{detail}; addresses of several customers, whose orders are blocked: {several:,}",
            "Name the right customers in accounts.csv, or merge the profiles in Mews.",
        )
    else:
        yield Check("customers", Result.OK, detail)


def _clock(reference: Reference, machine_now: datetime) -> Check:
    offset = machine_now - reference.now
    detail = f"Mews says {reference.now:%Y-%m-%d %H:%M:%S} UTC; everything is compared with that clock"
    if abs(offset) > CLOCK_TOLERANCE:
        way = "ahead" if offset > timedelta(0) else "behind"
        return Check(
            "clock",
            Result.WARNING,
            f"{detail}. This machine is {timedelta(seconds=round(abs(offset).total_seconds()))} {way}.",
            "Nothing; correct the machine's clock if you can.",
        )
    return Check("clock", Result.OK, detail)


def _currencies(mapping: Mapping, reference: Reference) -> Check:
    enabled = sorted(code for code, currency in reference.currencies.items() if currency.is_enabled)
    default = mapping.settings.source.default_currency
    for problem in check_enabled(default, reference) if default else ():
        return Check(
            "currencies",
            Result.ERROR,
            f"{problem.message} It takes {', '.join(enabled)}",
            "Enable it in Mews, or correct source.default_currency.",
        )
    return Check("currencies", Result.OK, f"enabled: {', '.join(enabled)}")


def _payments(mapping: Mapping) -> Iterator[Check]:
    if mapping.payments or mapping.payment_types:
        yield Check(
            "payments", Result.WARNING, "Mews books external payments when they are posted, whatever the order's date"
        )


def _window(mapping: Mapping, reference: Reference) -> Check:
    start = earliest_consumption(mapping, reference)(reference.now)
    return Check(
        "editable window",
        Result.OK,
        f"consumption from {start:%Y-%m-%d %H:%M} UTC on (accounting {reference.accounting_interval}, "
        f"operational {reference.operational_interval}; {mapping.settings.target.editable_window} is assumed to bind)",
    )


def _unproved(mapping: Mapping, reference: Reference) -> Iterator[Check]:
    target = mapping.settings.target
    if any(account.kind == "Company" for account in reference.accounts.values()):
        yield Check(
            "companies",
            Result.UNPROVED,
            "Mews does not tell whether the integration may charge companies",
            "The run sends one order of a company first.",
        )
    if mapping.settings.names_accounts and mapping.settings.accounts.create_customers:
        yield Check(
            "new customers",
            Result.UNPROVED,
            "Mews does not tell whether the integration may add customers",
            "Post one order of a new customer first (--only).",
        )
    if target.rebates == "allow":
        yield Check(
            "rebates",
            Result.UNPROVED,
            "Mews does not tell whether the integration may post negative amounts",
            "Ask Mews; the run sends one such order first.",
        )
    else:
        yield Check("rebates", Result.OK, 'target.rebates is "block": orders with negative amounts stay here')
    if reference.outlet is not None:
        return
    if mapping.reservations:
        yield Check(
            "reservations",
            Result.UNPROVED,
            f"{len(mapping.reservations)} reservations can't be looked up",
            "The run sends one such order first.",
        )
    yield Check(
        "linked reservation",
        Result.UNPROVED,
        "Mews may link an order to a reservation of the account by itself; the first order is read back to see",
    )
    grouping = "switched off" if target.disable_item_grouping else "left on: Mews may merge items"
    yield Check("item grouping", Result.OK if target.disable_item_grouping else Result.WARNING, grouping)
