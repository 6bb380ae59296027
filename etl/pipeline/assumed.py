"""A Mews as the mapping takes it to be, to plan with before any connection: only for counting what waits for a decision."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pycountry

from etl.model.mapping import Mapping
from etl.model.reference import (
    Account,
    Currency,
    Named,
    Pricing,
    Product,
    Reference,
    Service,
    Strategy,
    TaxRate,
    external_identifier,
)
from etl.pipeline.needs import needs_of

_FOREVER = "P100Y0M0DT0H0M0S"


def assumed_reference(mapping: Mapping, now: datetime) -> Reference:
    """Reference data in which everything exists that the mapping names; nothing of it is known of Mews."""
    needs, source = needs_of(mapping), mapping.settings.source
    eids: dict[str, str] = {}

    def known(kind: str, names: frozenset[str]) -> list[str]:
        for name in names:
            if eid := external_identifier(name):
                eids[f"{kind}:{eid}"] = name
        return sorted(names)

    accounts = known("account", needs.accounts)
    products = known("product", needs.products)
    is_net = any(len(rule.tax_codes or ()) > 1 for rule in mapping.taxes)
    return Reference(
        platform="",
        enterprise_id=mapping.settings.target.enterprise_id,
        enterprise_name="",
        timezone=source.timezone,
        pricing=Pricing.NET if is_net else Pricing.GROSS,
        tax_precision=None,
        tax_environment="",
        accounting_interval=_FOREVER,
        operational_interval=_FOREVER,
        now=now,
        service=Service(needs.service, needs.service, is_active=True, is_orderable=True),
        currencies={one.alpha_3: Currency(one.alpha_3, 2, is_enabled=True) for one in pycountry.currencies},
        tax_rates=_rates(mapping),
        products={name: Product(name, name, is_active=True, service_id=needs.service) for name in products},
        categories={name: Named(name, name, is_active=True) for name in needs.categories},
        segments={name: Named(name, name, is_active=True) for name in needs.segments},
        accounts={name: Account(name, "Customer", name, is_active=True) for name in accounts},
        eids=eids,
        outlet=Named(needs.outlet, needs.outlet, is_active=True) if needs.outlet else None,
    )


def _rates(mapping: Mapping) -> dict[str, TaxRate]:
    rates: dict[str, TaxRate] = {}
    for rule in mapping.taxes:
        for code in rule.tax_codes or ():
            value = (rule.percent or Decimal(0)) / 100
            rates.setdefault(code, TaxRate(code, code, Strategy.RELATIVE, value))
    for code in mapping.settings.shipping.tax.split():
        rates.setdefault(code, TaxRate(code, code, Strategy.RELATIVE, Decimal(0)))
    return rates
