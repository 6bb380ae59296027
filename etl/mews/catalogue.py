"""Reading the catalogue: everything that a mapping may name, whatever the mapping lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TypeVar

from etl.errors import MewsError
from etl.mews.api import MewsReader
from etl.mews.house_accounts import house_accounts
from etl.mews.taxes import tax_country, usable_rates
from etl.model.catalogue import Catalogue
from etl.model.reference import Account, Product, Service, external_identifier

T = TypeVar("T")


async def read_catalogue(
    reader: MewsReader,
    *,
    service: str = "",
    emails: Iterable[str] = (),
    accounts: Iterable[str] = (),
    wants_fallback: bool = False,
) -> Catalogue:
    """The catalogue of the enterprise. Needs no mapping at all.

    `service` (id or `eid:`) narrows the products; without one they are those of every orderable service. `emails` and
    `accounts` (ids) are the accounts asked for, with `wants_fallback` also those that may be charged for everybody else
    (`house_accounts`). Raises MewsError where Mews does not answer, or refuses what every
    command needs (configuration, services, taxes); what else it refuses stands in `Catalogue.unread`.
    """
    configuration = await reader.configuration()
    services = await reader.services()
    environments = await reader.tax_environments()
    unread: list[str] = []
    since: datetime | None = None

    async def optional(what: str, read: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """Rows that a token may not be permitted to read; a Mews that is gone is still an error."""
        try:
            return await read()
        except MewsError as error:
            if error.code not in _REFUSALS:
                raise
            unread.append(f"{what}: {error.message}")
            return []

    async def people() -> list[Account]:
        ids = {one for one in accounts if one and not external_identifier(one)}
        found = [*await reader.customers_by_email(emails)]
        known = {one.id.lower() for one in found}
        found += await reader.customers_by_id(ids - known) if ids else []
        known |= {one.id.lower() for one in found}
        rest = {one for one in ids if one.lower() not in known}
        found += await reader.companies_by_id(rest) if rest else []
        eids = set(filter(None, map(external_identifier, accounts)))
        return found + (await reader.companies_by_external_identifier(eids) if eids else [])

    async def house() -> list[Account]:
        nonlocal since
        found = await house_accounts(reader)
        since = found.since
        return [*found.accounts]

    async def goods() -> list[Product]:
        chosen = _services(service, services)
        return [product for one in chosen for product in await reader.products(one.id)]

    accounts = [*accounts]
    known = {one.id.lower(): one for one in await optional("accounts", people)}
    if wants_fallback:
        for one in await optional("paymaster accounts", house):
            known.setdefault(one.id.lower(), one)
    return Catalogue(
        enterprise_name=configuration.enterprise_name,
        timezone=configuration.timezone,
        tax_country=tax_country(configuration.tax_environment, environments),
        tax_rates=usable_rates(configuration.tax_environment, environments, await reader.taxations()),
        services=tuple(services),
        outlets=tuple(await optional("outlets", reader.outlets)),
        products=tuple(await optional("products", goods)),
        categories=tuple(await optional("accounting categories", reader.accounting_categories)),
        segments=tuple(await optional("business segments", reader.business_segments)),
        accounts=tuple(known.values()),
        accounts_since=since,
        payment_types=configuration.payment_types,
        currencies=tuple(code for code, is_enabled, _ in configuration.currencies if is_enabled),
        unread=tuple(unread),
        accounting_interval=configuration.accounting_interval,
        operational_interval=configuration.operational_interval,
        now=configuration.now,
    )


_REFUSALS = frozenset({"mews.refused", "mews.address", "mews.credentials"})
"""Codes of a request that Mews answered and would not serve (400, 401, 403, 404)."""


def _services(wanted: str, services: Iterable[Service]) -> list[Service]:
    orderable = [one for one in services if one.is_active and one.is_orderable]
    return [one for one in services if one.is_named(wanted)] or orderable
