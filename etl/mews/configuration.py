"""`configuration/get`: the enterprise, and Mews's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etl.mews import entities
from etl.mews.fields import Json
from etl.model.reference import Pricing


@dataclass(frozen=True, slots=True)
class Configuration:
    """The enterprise behind the access token (with a portfolio token: the one asked for).

    `now` is Mews's time when it answered. Intervals are ISO 8601 durations. `tax_environment` is "" where the enterprise has none. `currencies` are (code, enabled, default).
    """

    now: datetime
    enterprise_id: str
    enterprise_name: str
    chain_id: str
    timezone: str
    pricing: Pricing
    tax_environment: str
    tax_precision: int | None
    accounting_interval: str
    operational_interval: str
    currencies: tuple[tuple[str, bool, bool], ...]
    payment_types: tuple[str, ...]
    legal_environment: str
    is_portfolio: bool = False


def configuration(body: Json) -> Configuration:
    """The answer as a value. Raises MewsError naming what is missing."""
    found = entities.Configuration.read(body)
    enterprise = entities.Enterprise.read(found.enterprise)
    interval = enterprise.editable_history_interval
    return Configuration(
        now=found.now_utc,
        enterprise_id=enterprise.id,
        enterprise_name=enterprise.name,
        chain_id=enterprise.chain_id,
        timezone=enterprise.time_zone_identifier,
        pricing=enterprise.pricing,
        tax_environment=enterprise.tax_environment_code,
        tax_precision=enterprise.tax_precision,
        accounting_interval=enterprise.accounting_editable_history_interval or interval,
        operational_interval=enterprise.operational_editable_history_interval or interval,
        currencies=tuple((one.currency, one.is_enabled, one.is_default) for one in enterprise.currencies),
        payment_types=enterprise.accounting_configuration.enabled_external_payment_types,
        legal_environment=enterprise.legal_environment_code,
        is_portfolio=enterprise.is_portfolio,
    )


def entries(body: Json, name: str) -> list[Json]:
    """The entries of an answer without pages."""
    return [entry for entry in body[name] if isinstance(entry, dict)]


def currency_precisions(body: Json) -> dict[str, int]:
    """`Currencies` of `currencies/getAll`: code -> count of decimals."""
    found = map(entities.Currency.read, entries(body, "Currencies"))
    return {currency.code: currency.precision for currency in found}
