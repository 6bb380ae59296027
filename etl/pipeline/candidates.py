"""What fits where the mapping is open or wrong: candidates by name and Id, put beside each check. Pure.

Rule: design section 3a. Nothing is decided here: a person reads and chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from etl.model.catalogue import Catalogue, named
from etl.model.mapping import Mapping
from etl.model.reference import Product, external_identifier
from etl.model.rules import RateKind, TaxRule, plain
from etl.model.words import counted
from etl.pipeline.check import Check, Result
from etl.pipeline.tax_candidates import tax_candidates
from etl.transform.consumption import zone

SHOWN = 10
"""Rows that are shown with their candidates; the catalogue holds the rest."""


def service_check(catalogue: Catalogue, fault: str) -> Check:
    """The finding of a service that is missing or takes no orders, with those that do."""
    orderable = catalogue.orderable
    if not orderable:
        return Check(
            "service",
            Result.ERROR,
            f"{fault}; {catalogue.enterprise_name} has no active additional service",
            "Ask Mews, or the hotel, to set one up for the shop.",
        )
    return Check(
        "service",
        Result.ERROR,
        f"{fault}; services that take orders: {named(orderable)}",
        "Write the Id of one of them into target.service in migration.toml.",
    )


def outlet_check(catalogue: Catalogue, fault: str) -> Check:
    """The finding of an outlet that is missing, with those that the integration may use."""
    outlets = [one for one in catalogue.outlets if one.is_active]
    if not outlets:
        untold = next((one for one in catalogue.unread if one.startswith("outlets: ")), "")
        if untold:
            ask = "Ask Mews for the permission to read outlets and to add outlet bills."
            return Check("outlet", Result.ERROR, f"{fault}; Mews did not tell {untold}", ask)
        return Check(
            "outlet",
            Result.ERROR,
            f"{fault}; {catalogue.enterprise_name} has no active outlet for this integration",
            "Ask the hotel to set one up for the shop, and Mews to associate it with the integration.",
        )
    return Check(
        "outlet",
        Result.ERROR,
        f"{fault}; outlets that take bills: {named(outlets)}",
        "Write the Id or the name of one of them into outlet.outlet in migration.toml.",
    )


def other_clock(shop: str, hotel: str, now: datetime) -> str:
    """What there is to say where the clocks of shop and hotel (IANA names) differ at any time of the year; "" for nothing."""
    times = [now - timedelta(days=days) for days in range(0, 365, 30)]
    if all(one.astimezone(zone(shop)).utcoffset() == one.astimezone(zone(hotel)).utcoffset() for one in times):
        return ""
    return f"source.timezone is {shop}; the hotel's clock hangs in {hotel}"


def with_candidates(checks: Iterable[Check], mapping: Mapping, catalogue: Catalogue) -> Iterator[Check]:
    """The checks; what is open or wrong has the candidates in its `next`."""
    for check in checks:
        of = _CANDIDATES.get(check.check)
        words = of(check, mapping, catalogue) if of and check.result in (Result.ERROR, Result.WARNING) else ""
        yield replace(check, next=f"{check.next} {words}".strip()) if words else check


def _tax_codes(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    if check.result is Result.ERROR:
        return _listed("Codes of the tax environment", sorted(catalogue.tax_rates))
    open_rows = [rule for rule in mapping.taxes if rule.tax_codes is None]
    return _listed(
        "Candidates", [f"row {rule.place.row}, {tax_case(rule)}: {_codes(rule, catalogue)}" for rule in open_rows]
    )


def tax_case(rule: TaxRule) -> str:
    """A row of taxes.csv in words: `GB 17.5 % before 2011-01-04`."""
    words = [tax_subject(rule)]
    words += [f"from {rule.valid_from}"] if rule.valid_from else []
    words += [f"before {rule.valid_before}"] if rule.valid_before else []
    return " ".join(words)


def tax_subject(rule: TaxRule) -> str:
    """The same without its dates."""
    rate = f"{plain(rule.percent)} %" if rule.percent is not None else rule.rate.value
    return " ".join(filter(None, (rule.country, rate, rule.store_type, rule.sku)))


def _codes(rule: TaxRule, catalogue: Catalogue) -> str:
    if rule.rate is not RateKind.PERCENT:
        return "any code"
    found = tax_candidates(
        catalogue, country=rule.country, percent=rule.percent, start=rule.valid_from, end=rule.valid_before
    )
    return found.comment or "no code of that rate"


def _products(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    if check.result is Result.ERROR:
        targets = [rule.target for rule in mapping.products.values() if rule.target]
        wanted = [external_identifier(target) or target for target in targets]
        return _nearest(wanted, catalogue)
    rows = []
    for rule in mapping.products.values():
        found = catalogue.product_of([rule.key]) if rule.target is None else None
        if found is not None:
            rows.append(f"{rule.key_type} {rule.key}: {named([found])} by its ExternalIdentifier")
    return _listed("Candidates", rows) or f"{len(catalogue.products):,} products stand in mappings/mews/products.csv."


def _nearest(wanted: Iterable[str], catalogue: Catalogue) -> str:
    known: dict[str, Product] = {}
    for product in catalogue.products:
        if product.is_active:
            known |= {word: product for word in (product.external_identifier, product.id) if word}
    near = [
        f"{word}: {named([known[match]])}"
        for word in dict.fromkeys(wanted)
        if word not in known
        for match in get_close_matches(word, known, n=1, cutoff=0.8)
    ]
    return _listed("Nearest", near)


def _accounts(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    if check.result is Result.ERROR:
        return ""
    rows = [
        f"{rule.key}: {named(found)}"
        for rule in mapping.accounts.values()
        if rule.key_type == "email" and rule.target is None and (found := catalogue.accounts_of(rule.key))
    ]
    return _listed("Candidates by e-mail", rows)


def fallback_words(catalogue: Catalogue) -> str:
    """Who may be charged for everybody without an account of their own: paymaster accounts by name and Id."""
    since = catalogue.accounts_since
    known = f"; customers made before {since:%Y-%m-%d} were not looked at" if since else ""
    companies = len(catalogue.companies)
    rest = f"; {counted(companies, 'company|companies is|are')} in accounts.csv of the catalogue" if companies else ""
    if any(one.startswith("paymaster accounts") for one in catalogue.unread):
        return "Mews did not list the accounts"
    return f"{named(catalogue.paymasters) or 'no customer has the classification PaymasterAccount'}{known}{rest}"


def _fallback(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    del check, mapping
    return f"Candidates: {fallback_words(catalogue)}."


def _categories(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    del check, mapping
    return _listed("Active", [named([one]) for one in catalogue.categories if one.is_active])


def _segments(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    del check, mapping
    return _listed("Active", [named([one]) for one in catalogue.segments if one.is_active])


def _payment_types(check: Check, mapping: Mapping, catalogue: Catalogue) -> str:
    del check, mapping
    return _listed("Enabled", sorted(catalogue.payment_types))


_CANDIDATES: dict[str, Callable[[Check, Mapping, Catalogue], str]] = {
    "tax codes": _tax_codes,
    "products": _products,
    "accounts": _accounts,
    "fallback account": _fallback,
    "accounting categories": _categories,
    "business segments": _segments,
    "payment types": _payment_types,
}


def _listed(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    more = f"; {len(rows) - SHOWN} more in mappings/mews" if len(rows) > SHOWN else ""
    return f"{title}: {'; '.join(rows[:SHOWN])}{more}."
