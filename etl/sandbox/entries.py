"""The rules that every entry keeps, whatever it stands on: its amount, tax codes, category and identifier.

Refused as `etl.sandbox.writes` says: an id that names nothing is malformed (400), what may not be used is a rule (403).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
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
    call: Call,
    enterprise: Enterprise,
    amount: dict[str, Any],
    count: int,
    consumed: datetime,
    *,
    is_payment: bool = False,
) -> tuple[Booked, Booked]:
    """What Mews books for one unit, and for all `count` of them together; payments are no rebates."""
    if count < 1:
        raise RefusedError(403, "The count must be positive; a rebate has a negative unit amount.")
    value, rates, digits = checked_amount(call, enterprise, amount, consumed)
    if value < 0 and not is_payment and not enterprise.allow_rebates:
        raise RefusedError(403, "Negative amounts are not allowed: this integration may not post rebates.")
    unit, booked = _unit_and_entry(
        enterprise.pricing, value, count, tuple(rates), _tax_digits(enterprise, digits), digits
    )
    return unit, shifted(booked, call.quirks.extra_cents, digits)


def shifted(booked: Booked, cents: int, digits: int) -> Booked:
    """The amount as a Mews books it that adds `cents` (of the last of `digits` decimals) to every entry."""
    if not cents:
        return booked
    extra = Decimal(cents).scaleb(-digits)
    return Booked(booked.net + extra, booked.gross + extra, booked.taxes)


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
    return _book(enterprise.pricing, value, count, rates, _tax_digits(enterprise, digits))


def _tax_digits(enterprise: Enterprise, digits: int) -> int:
    return digits if enterprise.tax_precision is None else enterprise.tax_precision


def _book(pricing: str, value: Decimal, count: int, rates: Sequence[Rate], tax_digits: int) -> Booked:
    if pricing == "Gross":
        return book_gross(value, count, rates[0] if rates else None, tax_digits)
    return book_net(value, count, rates, tax_digits)


@lru_cache(65_536)
def _unit_and_entry(
    pricing: str,
    value: Decimal,
    count: int,
    rates: tuple[Rate, ...],
    tax_digits: int,
    digits: int,  # noqa: ARG001 - equal values of two currencies have other decimals
) -> tuple[Booked, Booked]:
    """Prices of a shop repeat: computed once, and kept once in a history of a million entries."""
    unit = _book(pricing, value, 1, rates, tax_digits)
    return unit, unit if count == 1 else _book(pricing, value * count, count, rates, tax_digits)


def lower(key: str | None) -> str | None:
    """An optional id as it is kept."""
    return None if key is None else key.lower()
