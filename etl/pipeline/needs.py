"""What the mapping names in Mews, so that one reading of reference data answers every rule. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from etl.mews.reference_data import Needs
from etl.model.mapping import Mapping
from etl.model.route import Route


def needs_of(mapping: Mapping, emails: Iterable[str] = ()) -> Needs:
    """Ids and `eid:` values of the mapping, and the e-mail addresses to look up."""
    settings = mapping.settings
    categories = [
        settings.products.accounting_category,
        settings.shipping.accounting_category,
        settings.vouchers.accounting_category,
        settings.payments.accounting_category,
        settings.outlet.balance_category,
        *(rule.target for rule in mapping.categories),
        *(rule.accounting_category for rule in mapping.vouchers),
        *(rule.accounting_category for rule in mapping.payments),
    ]
    accounts = [*(rule.target for rule in mapping.accounts.values()), settings.accounts.fallback]
    is_charged = settings.route is Route.ORDERS
    return Needs(
        service=settings.target.service,
        products=_present(rule.target for rule in mapping.products.values()),
        accounts=_present(accounts) if settings.names_accounts else frozenset(),
        categories=_present(categories),
        segments=_present(rule.target for rule in mapping.segments.values()) if is_charged else frozenset(),
        bills=_present(rule.target for rule in mapping.bills.values()) if is_charged else frozenset(),
        emails=frozenset(emails),
        outlet="" if is_charged else settings.outlet.outlet,
    )


def _present(values: Iterable[str | None]) -> frozenset[str]:
    return frozenset(value for value in values if value)
