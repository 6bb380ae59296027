"""`configuration/get`: the enterprise, and Mews's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etl.mews.fields import Json, MissingFieldError, essential, essential_moment, integer, objects, part, text, texts
from etl.model.reference import Pricing


@dataclass(frozen=True, slots=True)
class Configuration:
    """The enterprise behind the access token (with a portfolio token: the one asked for).

    `now` is Mews's time when it answered; `ahead` is how far Mews's clock is ahead of ours. Intervals are ISO 8601
    durations. `tax_environment` is "" where the enterprise has none. `currencies` are (code, enabled, default).
    """

    now: datetime
    ahead: timedelta
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


def configuration(body: Json, wall: datetime) -> Configuration:
    """The answer as a value; `wall` is our clock at its arrival. Raises MewsError naming what is missing."""
    now = essential_moment(body, "NowUtc", "Configuration")
    enterprise = part(body, "Enterprise")
    owner = "Enterprise"
    # Older servers know only the one interval.
    interval = text(enterprise, "EditableHistoryInterval")
    precision = enterprise.get("TaxPrecision")
    return Configuration(
        now=now,
        ahead=now - wall,
        enterprise_id=essential(enterprise, "Id", owner),
        enterprise_name=text(enterprise, "Name"),
        chain_id=text(enterprise, "ChainId"),
        timezone=essential(enterprise, "TimeZoneIdentifier", owner),
        pricing=_pricing(enterprise),
        tax_environment=text(enterprise, "TaxEnvironmentCode"),
        tax_precision=int(precision) if precision is not None else None,
        accounting_interval=text(enterprise, "AccountingEditableHistoryInterval") or interval,
        operational_interval=text(enterprise, "OperationalEditableHistoryInterval") or interval,
        currencies=tuple(
            (
                essential(row, "Currency", "Enterprise.Currencies"),
                row.get("IsEnabled") is True,
                row.get("IsDefault") is True,
            )
            for row in objects(enterprise, "Currencies")
        ),
        payment_types=texts(part(enterprise, "AccountingConfiguration"), "EnabledExternalPaymentTypes"),
        legal_environment=text(enterprise, "LegalEnvironmentCode"),
        is_portfolio=enterprise.get("IsPortfolio") is True,
    )


def _pricing(enterprise: Json) -> Pricing:
    value = essential(enterprise, "Pricing", "Enterprise")
    try:
        return Pricing(value)
    except ValueError:
        raise MissingFieldError("Enterprise", "Pricing", value) from None


def entries(body: Json, name: str) -> list[Json]:
    """The entries of an answer without pages."""
    return objects(body, name)


def currency_precisions(body: Json) -> dict[str, int]:
    """`Currencies` of `currencies/getAll`: code -> count of decimals."""
    return {
        essential(row, "Code", "Currency"): integer(row, "Precision", "Currency") for row in objects(body, "Currencies")
    }
