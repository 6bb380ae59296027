"""The rules that every entry keeps, whatever it stands on: its amount, tax codes, category and identifier.

Refused as `etl.sandbox.writes` says: an id that names nothing is malformed (400), what may not be used is a rule (403).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.sandbox.call import Call, RefusedError
from etl.sandbox.taxes import Booked, book_gross, book_net, is_finer, round_to
from etl.sandbox.world import Enterprise, Named, Rate


def find_category(enterprise: Enterprise, key: str | None) -> Named | None:
    """The active accounting category of that id; None, and the report's "None", without an id."""
    if key is None:
        return None
    category = enterprise.categories.get(key.lower())
    if category is None:
        raise RefusedError(400, "Invalid AccountingCategoryId: there is no such accounting category.")
    if not category.is_active:
        raise RefusedError(403, f"The accounting category {category.name} is not active.")
    return category


def external_identifier(call: Call, sent: dict[str, Any]) -> str | None:
    """The identifier as sent, where this Mews knows the property."""
    given: str | None = sent.get("ExternalIdentifier")
    if "ExternalIdentifier" in sent and call.quirks.identifiers == "refused":
        raise RefusedError(400, "Invalid ExternalIdentifier: the property is unknown.")
    return given


def booked_entry(
    call: Call, enterprise: Enterprise, amount: dict[str, Any], count: int, consumed: datetime
) -> tuple[Booked, Booked]:
    """What Mews books for one unit, and for all `count` of them together."""
    if count < 1:
        raise RefusedError(403, "The count must be positive; a rebate has a negative unit amount.")
    value, rates, digits = checked_amount(call, enterprise, amount, consumed)
    if value < 0 and not enterprise.allow_rebates:
        raise RefusedError(403, "Negative amounts are not allowed: this integration may not post rebates.")
    unit = book(enterprise, value, 1, rates, digits)
    booked = book(enterprise, value * count, count, rates, digits)
    if call.quirks.extra_cents:
        extra = Decimal(call.quirks.extra_cents).scaleb(-digits)
        booked = Booked(booked.net + extra, booked.gross + extra, booked.taxes)
    return unit, booked


def checked_amount(
    call: Call, enterprise: Enterprise, amount: dict[str, Any], consumed: datetime
) -> tuple[Decimal, list[Rate], int]:
    """The value in the enterprise's basis, its rates and the currency's decimals."""
    currency = amount["Currency"]
    if currency not in call.world.currencies:
        raise RefusedError(400, f"Invalid Currency: {currency} is unknown.")
    digits = enterprise.currencies.get(currency)
    if digits is None:
        raise RefusedError(403, f"The currency {currency} is not enabled in this enterprise.")
    value = _value(enterprise, amount)
    if is_finer(value, digits):
        raise RefusedError(403, f"The amount {value} has more than the {digits} decimals of {currency}.")
    rates = _rates(call, enterprise, amount["TaxCodes"], currency, consumed)
    return round_to(value, digits), rates, digits


def _value(enterprise: Enterprise, amount: dict[str, Any]) -> Decimal:
    gross, net = amount.get("GrossValue"), amount.get("NetValue")
    if gross is not None and net is not None:
        raise RefusedError(403, "Only one of GrossValue and NetValue may be given.")
    if enterprise.pricing == "Gross":
        if gross is None:
            raise RefusedError(403, "GrossValue is required: the enterprise has gross pricing.")
        if len(amount["TaxCodes"]) > 1:
            raise RefusedError(403, "Only one tax code may be given with GrossValue.")
        return Decimal(gross)
    if net is None:
        raise RefusedError(403, "NetValue is required: the enterprise has net pricing.")
    return Decimal(net)


def _rates(call: Call, enterprise: Enterprise, codes: Sequence[str], currency: str, consumed: datetime) -> list[Rate]:
    environment = call.world.tax_environments[enterprise.tax_environment]
    if len(set(codes)) != len(codes):
        raise RefusedError(403, "A tax code is given twice.")
    rates = []
    for code in codes:
        rate = call.world.rates.get(code)
        if rate is None or rate.taxation not in environment.taxations:
            raise RefusedError(403, f"The tax code {code} does not exist in the tax environment {environment.code}.")
        if not rate.is_valid(consumed) or not environment.validity.holds(consumed):
            raise RefusedError(403, f"The tax code {code} is not valid at the time of consumption.")
        if rate.kind == "Flat" and rate.currency != currency:
            raise RefusedError(403, f"The tax code {code} is an amount in {rate.currency}, not in {currency}.")
        rates.append(rate)
    return rates


def book(enterprise: Enterprise, value: Decimal, count: int, rates: list[Rate], digits: int) -> Booked:
    """The value of all `count` pieces as this enterprise books it; `digits` are the currency's decimals."""
    digits = digits if enterprise.tax_precision is None else enterprise.tax_precision
    if enterprise.pricing == "Gross":
        return book_gross(value, count, rates[0] if rates else None, digits)
    return book_net(value, count, rates, digits)


def lower(key: str | None) -> str | None:
    """An optional id as it is kept."""
    return None if key is None else key.lower()
