"""Reads the file of a world.

A world file is a JSON object whose keys `etl.sandbox.world_keys` lists. Required is nothing but `pricing`, `currencies`
and `service`; all other keys have defaults. `enterprises` (a list of such objects, each with an `enterprise` id and name)
makes a portfolio.
"""

from __future__ import annotations

import difflib
import json
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from etl.errors import UsageError
from etl.sandbox.requests import BILL, CLASSIFICATIONS, PAYMENT_TYPES
from etl.sandbox.shapes import ShapeError
from etl.sandbox.world import (
    ACCESS_TOKEN,
    CLIENT_TOKEN,
    LARGEST_BODY,
    WORLD_BEGAN,
    Bill,
    Company,
    Customer,
    Enterprise,
    Named,
    Outlet,
    Product,
    Rate,
    Service,
    TaxEnvironment,
    Validity,
    World,
)
from etl.sandbox.world_keys import unknown_keys
from etl.sandbox.world_values import (
    WrongKeyError,
    as_list,
    as_mapping,
    optional_id,
    read_decimal,
    read_digits,
    read_flag,
    read_id,
    read_limit,
    read_moment,
    read_refused_bills,
    read_size,
    read_window,
    row_id,
)

_HINT = "Correct it; `centra-mews sandbox --help` lists the keys, `--write-world FILE` writes a world to start from."
BUILT_IN = ("gross-uk", "net-us")

_KNOWN_CURRENCIES = {
    **dict.fromkeys(("AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "NOK", "PLN", "SEK", "USD"), 2),
    **dict.fromkeys(("ISK", "JPY", "KRW"), 0),
    **dict.fromkeys(("BHD", "KWD"), 3),
}


def load_world(name_or_path: str) -> World:
    """The world of that built-in name or file.

    Raises:
        UsageError: no such world, no JSON, or a value that makes no sense; names file and key.

    """
    if name_or_path in BUILT_IN:
        return parse_world(json.loads(_built_in(name_or_path), parse_float=Decimal), name_or_path)
    path = Path(name_or_path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        near = difflib.get_close_matches(name_or_path, BUILT_IN, 1)
        raise UsageError(
            f"The world {name_or_path} can't be read: {getattr(fault, 'strerror', None) or fault}.",
            place=name_or_path,
            hint=f"Use {near[0]}." if near else f"Name a world file, or one of {', '.join(BUILT_IN)}.",
        ) from fault
    try:
        data = json.loads(text, parse_float=Decimal)
    except ValueError as fault:
        raise UsageError(f"The world is no JSON: {fault}.", place=name_or_path, hint=_HINT) from fault
    return parse_world(data, name_or_path)


def write_world(name: str, path: Path) -> None:
    """Writes a built-in world as a file to change. Raises UsageError where it is none, or the file is there already."""
    if name not in BUILT_IN:
        raise UsageError(f"{name} is a file already.", place=name, hint=f"Write one of {', '.join(BUILT_IN)}.")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(_built_in(name))
    except OSError as fault:
        raise UsageError(
            f"The world can't be written into {path}: {fault.strerror or fault}.",
            place=str(path),
            hint="Name a file that is not there yet.",
        ) from fault


def _built_in(name: str) -> str:
    return resources.files("etl.sandbox").joinpath("worlds", f"{name}.json").read_text("utf-8")


def parse_world(data: Any, name: str = "world") -> World:
    """The world that the JSON object describes. Raises UsageError naming the key."""
    try:
        return _world(data, name)
    except WrongKeyError as fault:
        raise UsageError(f"The world is not usable: {fault}.", place=name, hint=_HINT) from fault


def _world(data: Any, name: str) -> World:
    top = as_mapping(data, "world")
    several = top.get("enterprises")
    parts = [as_mapping(part, "enterprises") for part in several] if several else [top]
    shared = {key: value for key, value in top.items() if key != "enterprises"} if several else {}
    parts = [{**shared, **part} for part in parts]
    rates: dict[str, Rate] = {}
    environments: dict[str, TaxEnvironment] = {}
    enterprises: dict[str, Enterprise] = {}
    for part in parts:
        own = [_rate(each) for each in as_list(part, "rates")]
        rates.update({rate.code: rate for rate in own})
        fallback = f"SANDBOX-{len(enterprises) + 1}" if enterprises else "SANDBOX"
        mine = _environments(part, own, fallback)
        for environment in mine:
            environments.setdefault(environment.code, environment)
        enterprise = _enterprise(part, str(part.get("tax_environment") or mine[0].code))
        if enterprise.tax_environment not in environments:
            raise WrongKeyError(f"`tax_environment` {enterprise.tax_environment!r} is not among `tax_environments`")
        if enterprise.id in enterprises:
            raise WrongKeyError(f"two enterprises have the id {enterprise.id}; give each an `enterprise` with `id`")
        enterprises[enterprise.id] = enterprise
    _check_dependents(rates)
    chain = top.get("chain") or {}
    return World(
        name=str(top.get("name") or name),
        chain_id=read_id(chain.get("id") or "c4a10000-0000-4000-a000-000000000001", "chain.id"),
        chain_name=str(chain.get("name") or "Sandbox chain"),
        enterprises=enterprises,
        rates=rates,
        tax_environments=environments,
        currencies={**_KNOWN_CURRENCIES, **{c: d for e in enterprises.values() for c, d in e.currencies.items()}},
        is_portfolio=bool(top.get("portfolio", several is not None)),
        client_token=str(top.get("client_token") or CLIENT_TOKEN),
        access_token=str(top.get("access_token") or ACCESS_TOKEN),
        access_tokens=_access_tokens(top),
        limit=read_limit(top.get("rate_limit", "200/30s")),
        now=read_moment(top.get("now"), "now"),
        notices=tuple(dict.fromkeys(notice for part in parts for notice in unknown_keys(part))),
        outlet_bills=tuple(row for part in (top, *(several or ())) for row in _outlet_bills(part)),
        refused_bills=read_refused_bills(top.get("refused_bills", "whole")),
        largest_body=read_size(top.get("largest_body", LARGEST_BODY)),
    )


def _enterprise(part: dict[str, Any], environment: str) -> Enterprise:
    about = as_mapping(part.get("enterprise") or {}, "enterprise")
    services = _services(part)
    first_service = next(iter(services))
    currencies = {
        code: read_digits(digits, code) for code, digits in as_mapping(part.get("currencies"), "currencies").items()
    }
    if not currencies:
        raise WrongKeyError("`currencies` is empty")
    default = str(part.get("default_currency") or next(iter(currencies)))
    window = part.get("editable_window", "P0Y0M7DT0H0M0S")
    timezone = str(part.get("timezone", "Europe/London"))
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as fault:
        raise WrongKeyError(f"`timezone` {timezone!r} is no IANA time zone") from fault
    if (pricing := part.get("pricing")) not in ("Gross", "Net"):
        raise WrongKeyError(f"`pricing` is {pricing!r}; Gross or Net is expected")
    precision = part.get("tax_precision")
    flags = {
        key: read_flag(part, key)
        for key in (
            *("allow_rebates", "company_billing", "cancel_allowed", "refuse_cashlist", "external_identifiers"),
            *("links_reservations", "adds_items", "payments_negative"),
        )
        if part.get(key) is not None
    }
    return Enterprise(
        id=read_id(about.get("id") or "e0000000-0000-4000-a000-000000000001", "enterprise.id"),
        name=str(about.get("name") or "Sandbox Hotel"),
        pricing=pricing,
        timezone=timezone,
        tax_environment=environment,
        tax_precision=None if precision is None else read_digits(precision, "tax_precision"),
        accounting_window=read_window(part.get("accounting_editable_window", window), "accounting_editable_window"),
        operational_window=read_window(part.get("operational_editable_window", window), "operational_editable_window"),
        currencies=currencies,
        default_currency=default,
        disabled_currencies=tuple(part.get("disabled_currencies") or ()),
        services=services,
        products=_products(part, first_service, default),
        categories=_named(part, "accounting_categories", first_service),
        segments=_named(part, "business_segments", first_service),
        outlets=_outlets(part),
        customers=_customers(part),
        companies=_companies(part),
        bills=_bills(part),
        reservations=tuple(
            read_id(each["id"] if isinstance(each, dict) else each, "reservations")
            for each in as_list(part, "reservations")
        ),
        payment_types=_payment_types(part),
        legal_environment=str(part.get("legal_environment") or "SANDBOX"),
        outlet_window=None
        if part.get("outlet_window") is None
        else read_window(part["outlet_window"], "outlet_window"),
        **flags,
    )


def _access_tokens(top: dict[str, Any]) -> tuple[str, ...]:
    tokens = tuple(str(each) for each in as_list(top, "access_tokens"))
    if len({str(top.get("access_token") or ACCESS_TOKEN), *tokens}) <= len(tokens) or "" in tokens:
        raise WrongKeyError("`access_tokens` names a token twice, or an empty one")
    return tokens


def _services(part: dict[str, Any]) -> dict[str, Service]:
    rows = [part["service"]] if part.get("service") else []
    rows += as_list(part, "services")
    services = {}
    for row in rows:
        kind = row.get("type", "Additional")
        if kind not in ("Additional", "Bookable"):
            raise WrongKeyError(f"`service.type` is {kind!r}; Additional or Bookable is expected")
        key = row_id(row, "service")
        services[key] = Service(
            key, str(row.get("name", "Service")), row.get("external_identifier"), bool(row.get("active", True)), kind
        )
    if not services:
        raise WrongKeyError("`service` is missing")
    return services


def _products(part: dict[str, Any], service: str, currency: str) -> dict[str, Product]:
    products = {}
    for row in as_list(part, "products"):
        key = row_id(row, "products")
        products[key] = Product(
            id=key,
            name=str(row.get("name", "Product")),
            external_identifier=row.get("external_identifier"),
            is_active=bool(row.get("active", True)),
            service_id=read_id(row.get("service", service), "products.service"),
            category_id=optional_id(row.get("accounting_category"), "products.accounting_category"),
            price=read_decimal(row.get("price", 0), "products.price"),
            currency=str(row.get("currency", currency)),
            tax_codes=tuple(row.get("tax_codes") or ()),
        )
    return products


def _named(part: dict[str, Any], key: str, service: str) -> dict[str, Named]:
    rows = {}
    for row in as_list(part, key):
        own = row_id(row, key)
        rows[own] = Named(
            own,
            str(row.get("name", key)),
            bool(row.get("active", True)),
            row.get("code"),
            read_id(row.get("service", service), f"{key}.service"),
        )
    return rows


def _outlets(part: dict[str, Any]) -> dict[str, Outlet]:
    outlets = {}
    for row in as_list(part, "outlets"):
        key = row_id(row, "outlets")
        created = read_moment(row.get("created"), "outlets.created") or WORLD_BEGAN
        outlets[key] = Outlet(key, str(row.get("name", "Outlet")), bool(row.get("active", True)), created)
    return outlets


def _outlet_bills(part: dict[str, Any]) -> list[dict[str, Any]]:
    rows = as_list(part, "outlet_bills")
    for place, row in enumerate(rows):
        try:
            BILL(row, f"outlet_bills[{place}]")
        except ShapeError as fault:
            raise WrongKeyError(f"`outlet_bills`: {fault}") from fault
    return rows


def _customers(part: dict[str, Any]) -> dict[str, Customer]:
    customers = {}
    for row in as_list(part, "accounts"):
        key = row_id(row, "accounts")
        given = row.get("classifications", row.get("classification"))
        classes = (given,) if isinstance(given, str) else tuple(given or ())
        if unknown := [each for each in classes if each not in CLASSIFICATIONS]:
            raise WrongKeyError(f"`accounts.classification` {unknown[0]!r} is none of Mews's")
        email = row.get("email")
        customers[key] = Customer(
            id=key,
            email=email,
            classifications=classes,
            first_name=row.get("first_name"),
            last_name=str(row.get("last_name") or row.get("name") or (email or "Guest").partition("@")[0]),
            is_active=bool(row.get("active", True)),
            merged_into=optional_id(row.get("merged_into"), "accounts.merged_into"),
        )
    return customers


def _companies(part: dict[str, Any]) -> dict[str, Company]:
    companies = {}
    for row in as_list(part, "companies"):
        key = row_id(row, "companies")
        companies[key] = Company(
            key, str(row.get("name", "Company")), row.get("external_identifier"), bool(row.get("active", True))
        )
    return companies


def _bills(part: dict[str, Any]) -> dict[str, Bill]:
    bills = {}
    for row in as_list(part, "bills"):
        key = row_id(row, "bills")
        account = row.get("account", row.get("account_id"))
        is_open = row.get("state", "Open") == "Open" and row.get("open", True)
        bills[key] = Bill(key, read_id(account, "bills.account"), bool(is_open))
    return bills


def _payment_types(part: dict[str, Any]) -> tuple[str, ...]:
    types = tuple(part.get("payment_types") or ())
    if unknown := [each for each in types if each not in PAYMENT_TYPES]:
        raise WrongKeyError(f"`payment_types` {unknown[0]!r} is none of Mews's")
    return types


def _rate(row: Any) -> Rate:
    row = as_mapping(row, "rates")
    code = str(row.get("code") or "")
    kinds = [kind for kind in ("relative", "flat", "dependent") if row.get(kind) is not None]
    if not code or len(kinds) != 1:
        raise WrongKeyError(f"`rates` {code!r} needs a code and one of relative, flat, dependent")
    spans = row.get("validity") or [row]
    validity = [
        Validity(
            read_moment(span.get("valid_from"), f"{code}.valid_from"),
            read_moment(span.get("valid_before"), f"{code}.valid_before"),
        )
        for span in spans
    ]
    if kinds == ["flat"] and not row.get("currency"):
        raise WrongKeyError(f"`rates` {code!r} is flat and needs a currency")
    return Rate(
        code=code,
        taxation=str(row.get("taxation", "VAT")),
        kind=kinds[0].capitalize(),
        value=read_decimal(row[kinds[0]], f"rates.{code}"),
        base=tuple(row.get("base") or ()),
        currency=str(row.get("currency") or ""),
        validity=() if validity == [Validity(None, None)] else tuple(validity),
    )


def _check_dependents(rates: dict[str, Rate]) -> None:
    """Refuse dependent rates that depend on each other in a circle: no order of computing them exists."""
    bases = {taxation: set[str]() for taxation in (rate.taxation for rate in rates.values())}
    for rate in rates.values():
        if rate.kind == "Dependent":
            bases[rate.taxation].update(base for base in rate.base if base in bases)
    done: set[str] = set()
    while ready := [taxation for taxation in bases if taxation not in done and bases[taxation] <= done]:
        done.update(ready)
    if circle := sorted(set(bases) - done):
        raise WrongKeyError(f"the taxations {', '.join(circle)} depend on each other")


def _country(code: str) -> str:
    """The alpha-3 code of the country that a tax environment is named after, of the United Kingdom where it is none."""
    import pycountry

    found = pycountry.countries.get(alpha_2=code)
    return str(found.alpha_3) if found is not None else "GBR"


def _environments(part: dict[str, Any], rates: list[Rate], fallback: str) -> list[TaxEnvironment]:
    given = as_list(part, "tax_environments")
    if not given:
        taxations = tuple(dict.fromkeys(rate.taxation for rate in rates))
        code = str(part.get("tax_environment") or fallback)
        return [TaxEnvironment(code, _country(code), Validity(None, None), taxations)]
    return [
        TaxEnvironment(
            code=str(row.get("code") or ""),
            country=str(row.get("country") or "GBR"),
            validity=Validity(
                read_moment(row.get("valid_from"), "valid_from"), read_moment(row.get("valid_before"), "valid_before")
            ),
            taxations=tuple(row.get("taxations") or ()),
        )
        for row in given
    ]
