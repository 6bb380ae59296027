"""Everything the pure transform must know of the enterprise, read in as few requests as there are questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Protocol, TypeVar

from etl.errors import MappingError
from etl.mews.api import MewsReader
from etl.mews.configuration import Configuration
from etl.mews.taxes import tax_country, usable_rates
from etl.model.reference import EID, Account, Bill, Currency, Named, Product, Reference, Service, external_identifier

ANY_SERVICE = Service("", "", is_active=True, is_orderable=True)
"""Stands for the service where an outlet is the target and no service is named."""
LONGEST_MERGE = 5
"""So many merges of merged profiles are followed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What mapping and orders name: ids, or `eid:` values for service, products and accounts (companies)."""

    service: str
    products: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    bills: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    outlet: str = ""
    """Id or name of the outlet of the outlet route, which needs every category, too; "" on the other route."""


async def read_reference(reader: MewsReader, needs: Needs, *, platform: str) -> Reference:
    """The enterprise, its codes, and every entity that `needs` names and Mews has.

    What does not exist is left out of the dictionaries and of `eids`: the orders that need it are blocked.
    Requests: 5 (configuration, unless the reader has read it already, services, currencies, tax environments, taxations), and one per kind of thing
    needed and 1,000 of it. Raises MappingError where the service or the outlet can't be found, or an `eid:` fits several;
    MewsError where Mews does not answer.
    """
    configuration = await reader.known_configuration()
    services = await reader.services()
    is_any = bool(needs.outlet) and not needs.service
    service = ANY_SERVICE if is_any else _service(needs.service, services)
    outlet = _outlet(needs.outlet, await reader.outlets()) if needs.outlet else None
    precisions = await reader.currencies()
    environments = await reader.tax_environments()
    rates = usable_rates(configuration.tax_environment, environments, await reader.taxations())
    found = _Found({f"service:{eid}": service.id for eid in _eids([needs.service])})
    await _read_products(reader, needs, [one for one in services if one.is_active] if is_any else [service], found)
    if any(needs.categories) or needs.outlet:
        found.categories = _spelled(needs.categories, await reader.accounting_categories())
    if any(needs.segments):
        found.segments = _spelled(needs.segments, await reader.business_segments())
    await _read_accounts(reader, needs, found)
    if any(needs.bills):
        found.bills = _spelled(needs.bills, await reader.bills_by_id(needs.bills))
    return Reference(
        platform=platform,
        enterprise_id=configuration.enterprise_id,
        enterprise_name=configuration.enterprise_name,
        timezone=configuration.timezone,
        pricing=configuration.pricing,
        tax_precision=configuration.tax_precision,
        tax_environment=configuration.tax_environment,
        accounting_interval=configuration.accounting_interval,
        operational_interval=configuration.operational_interval,
        now=reader.now(),
        service=service,
        currencies=_currencies(configuration, precisions),
        tax_rates=rates,
        products=found.products,
        categories=found.categories,
        segments=found.segments,
        accounts=found.accounts,
        accounts_by_email=found.by_email,
        bills=found.bills,
        payment_types=configuration.payment_types,
        eids=found.eids,
        chain_id=configuration.chain_id,
        legal_environment=configuration.legal_environment,
        tax_country=tax_country(configuration.tax_environment, environments),
        outlet=outlet,
    )


@dataclass(slots=True)
class _Found:
    """What was read so far."""

    eids: dict[str, str]
    products: dict[str, Product] = field(default_factory=dict)
    categories: dict[str, Named] = field(default_factory=dict)
    segments: dict[str, Named] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    by_email: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)


def _service(wanted: str, services: Sequence[Service]) -> Service:
    matches = _in_use([service for service in services if service.is_named(wanted)])
    if not matches:
        raise MappingError(
            f"the service {wanted} does not exist in this enterprise{_suggestion(wanted, services)}",
            code="service.unknown",
            place="migration.toml, target.service",
            hint="Set target.service to the id, or eid: and the ExternalIdentifier, of an additional service.",
        )
    _refuse_several(wanted, matches, "target.service")
    return matches[0]


def _suggestion(wanted: str, services: Sequence[Service]) -> str:
    names = {service.id: service.name for service in services}
    names |= {EID + service.external_identifier: service.name for service in services if service.external_identifier}
    close = get_close_matches(wanted, names, n=1)
    if close:
        return f"; did you mean {close[0]} ({names[close[0]]})?"
    orderable = [f"{service.name} {service.id}" for service in services if service.is_orderable and service.is_active]
    return f"; orderable are: {', '.join(orderable[:10])}" if orderable else "; it has no orderable service"


def _outlet(wanted: str, outlets: Sequence[Named]) -> Named:
    """The outlet by Id, else the one of that name; of several names the active one."""
    by_id = [one for one in outlets if one.id.lower() == wanted.lower()]
    matches = by_id or _in_use([one for one in outlets if one.name == wanted])
    if not matches:
        close = get_close_matches(wanted, {word for one in outlets for word in (one.name, one.id)}, n=1)
        listed = ", ".join(f"{one.name} {one.id}" for one in outlets[:10] if one.is_active)
        near = f"; did you mean {close[0]}?" if close else ""
        raise MappingError(
            f"the outlet {wanted} does not exist in this enterprise, or the integration may not use it{near}",
            code="outlet.unknown",
            place="migration.toml, outlet.outlet",
            hint=f"Set outlet.outlet to the Id or the name of one of these: {listed}."
            if listed
            else "Mews lists no active outlet for this integration: ask the hotel to set one up, and Mews to open it.",
        )
    _refuse_several(wanted, matches, "migration.toml, outlet.outlet")
    return matches[0]


async def _read_products(reader: MewsReader, needs: Needs, services: Sequence[Service], found: _Found) -> None:
    if not any(needs.products):
        return
    products = [product for service in services for product in await reader.products(service.id)]
    found.products = _spelled(needs.products, products) | {product.id: product for product in products}
    for eid in _eids(needs.products):
        matches = _in_use([product for product in products if product.external_identifier == eid])
        _refuse_several(EID + eid, matches, "products.csv")
        found.eids |= {f"product:{eid}": product.id for product in matches}


async def _read_accounts(reader: MewsReader, needs: Needs, found: _Found) -> None:
    ids = {account for account in needs.accounts if account and not account.startswith(EID)}
    if ids:
        customers = await reader.customers_by_id(ids)
        known = {customer.id.lower() for customer in customers}
        rest = {account for account in ids if account.lower() not in known}
        companies = await reader.companies_by_id(rest) if rest else []
        found.accounts = _spelled(ids, [*customers, *companies])
    eids = _eids(needs.accounts)
    if eids:
        companies = await reader.companies_by_external_identifier(eids)
        for eid in eids:
            matches = _in_use([company for company in companies if company.external_identifier == eid])
            _refuse_several(EID + eid, matches, "accounts.csv")
            found.eids |= {f"account:{eid}": company.id for company in matches}
            found.accounts |= {company.id: company for company in matches}
    if any(needs.emails):
        _add_by_email(await reader.customers_by_email(needs.emails), found)
        await _follow_merges(reader, found)


async def _follow_merges(reader: MewsReader, found: _Found) -> None:
    """Reads the profiles that merged ones lead to: whom an address means now."""
    for _ in range(LONGEST_MERGE):
        targets = {account.merged_into for account in found.accounts.values()} - found.accounts.keys() - {""}
        customers = await reader.customers_by_id(targets) if targets else []
        if not customers:
            return
        found.accounts |= {customer.id: customer for customer in customers}


def _add_by_email(customers: Iterable[Account], found: _Found) -> None:
    by_email: dict[str, list[Account]] = {}
    for customer in customers:
        by_email.setdefault(customer.email.lower(), []).append(customer)
        found.accounts.setdefault(customer.id, customer)
    # A deleted or merged profile is no rival of the one in use.
    found.by_email = {
        email: tuple(sorted(customer.id for customer in _in_use(candidates)))
        for email, candidates in sorted(by_email.items())
    }


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


class _CanBeActive(_HasId, Protocol):
    @property
    def is_active(self) -> bool: ...

    @property
    def name(self) -> str: ...


Entity = TypeVar("Entity", bound=_HasId)
InUse = TypeVar("InUse", bound=_CanBeActive)


def _spelled(wanted: Iterable[str], entities: Sequence[Entity]) -> dict[str, Entity]:
    """Entities by their id, and by the id as the mapping spells it (capitals)."""
    by_id = {entity.id.lower(): entity for entity in entities}
    spellings = {name: by_id[name.lower()] for name in wanted if name.lower() in by_id}
    return {entity.id: entity for entity in entities} | spellings


def _eids(values: Iterable[str]) -> list[str]:
    return sorted(filter(None, set(map(external_identifier, values))))


def _in_use(matches: Sequence[InUse]) -> list[InUse]:
    """The active ones, where there are any."""
    return [match for match in matches if match.is_active] or list(matches)


def _refuse_several(wanted: str, matches: Sequence[_CanBeActive], where: str) -> None:
    if len(matches) > 1:
        names = ", ".join(f"{match.name} {match.id}" for match in matches[:5])
        raise MappingError(
            f"{wanted} fits several entities in Mews: {names}",
            code="eid.ambiguous",
            place=where,
            hint="Name the right one by its id.",
        )


def _currencies(configuration: Configuration, precisions: dict[str, int]) -> dict[str, Currency]:
    # Without its count of decimals no amount of a currency can be rounded: it counts as not enabled.
    return {
        code: Currency(code, precisions[code], is_enabled, is_default)
        for code, is_enabled, is_default in configuration.currencies
        if code in precisions
    }
