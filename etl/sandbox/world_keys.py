"""The keys of a world file: known ones with what they mean, for `--help`, the manual, and whoever mistypes one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

MEANINGS: Mapping[str, str] = {
    "name": "what the sandbox calls the world",
    "enterprise": "`id` and `name` of the hotel",
    "pricing": "Gross or Net (required)",
    "timezone": "IANA name; Europe/London",
    "currencies, default_currency, disabled_currencies": "decimals by code (required); the first is the default",
    "service, services": "`id`, `name`, `external_identifier`, `active`, `type` (Additional, Bookable); one is required",
    "rates": "tax codes: `code`, `taxation`, one of `relative` (0.22 for 22 %), `flat` with `currency`, `dependent` with `base`; "
    "`valid_from`, `valid_before`, or `validity`, a list of those",
    "tax_environment": "the enterprise's: the code of its country, such as IT (UK for the United Kingdom)",
    "tax_environments": "where there are several: `code`, `country` (ITA), `valid_from`, `valid_before`, `taxations`",
    "tax_precision": "decimals of taxes; null: the currency's",
    "editable_window, accounting_editable_window, operational_editable_window": "how old an order may be (ISO 8601): both "
    "intervals, or each; P0Y0M7DT0H0M0S, a week, so that most history is outside",
    "now": "what Mews's clock says at the start (UTC); without it the real time",
    "accounts": "customers: `id`, `email`, `classification` (PaymasterAccount, Cashlist, ..), `first_name`, `last_name`, `active`, "
    "`merged_into`",
    "companies": "`id`, `name`, `external_identifier`, `active`",
    "products": "`id`, `name`, `external_identifier`, `active`, `service`, `accounting_category`, `price`, `currency`, `tax_codes`",
    "accounting_categories, business_segments": "`id`, `name`, `active`, `code`, `service`",
    "payment_types": "the enabled external payment types, such as CreditCard",
    "bills": "`id`, `account`, `state` (Open, Closed)",
    "reservations": "ids that orders may be linked to",
    "allow_rebates, company_billing, cancel_allowed": "what the integration may do: false, true, true",
    "refuse_cashlist": "whether customers of classification Cashlist can't be charged (true)",
    "external_identifiers": "false: an older API that ignores and never returns ExternalIdentifier",
    "links_reservations, adds_items": "Mews links a reservation, or adds an item, that nobody asked for (false)",
    "payments_negative": "payments read back with the sign Mews shows them with (true: negative)",
    "outlets": "`id`, `name`, `active`, `created` (UTC)",
    "outlet_bills": "what the outlets hold already, in the form of `Bills` of outletBills/add, created when they were closed",
    "outlet_window": "how old an outlet bill may be (ISO 8601); without it as old as it likes",
    "refused_bills": "what a refused request of several outlet bills leaves: whole (nothing), partial (the bills before the bad "
    "one), others (all but the bad ones)",
    "rate_limit, largest_body": "requests in a sliding window, 200/30s, or null for none; bytes of a request",
    "client_token, access_token": "the tokens it accepts",
    "access_tokens": "a list of further ones: each reaches a hotel like this one, with orders, limit and id of its own",
    "legal_environment": "the enterprise's",
    "enterprises, portfolio, chain": "a list of objects with these keys, each with an `enterprise` of its own: a portfolio",
}
"""Key, or keys, of the file -> what stands there; what is in parentheses or behind a semicolon holds without it."""

WORLD = frozenset(key for keys in MEANINGS for key in keys.split(", "))

_SERVICE = frozenset({"id", "name", "external_identifier", "active", "type"})
_NAMED = frozenset({"id", "name", "active", "code", "service"})
ROWS: Mapping[str, frozenset[str]] = {
    "enterprise": frozenset({"id", "name"}),
    "chain": frozenset({"id", "name"}),
    "service": _SERVICE,
    "services": _SERVICE,
    "rates": frozenset({"code", "taxation", "relative", "flat", "dependent", "currency", "base"})
    | {"valid_from", "valid_before", "validity"},
    "tax_environments": frozenset({"code", "country", "valid_from", "valid_before", "taxations"}),
    "accounts": frozenset(
        {"id", "email", "classification", "classifications", "first_name", "last_name", "name", "active"}
    )
    | {"merged_into"},
    "companies": frozenset({"id", "name", "external_identifier", "active"}),
    "products": _SERVICE - {"type"} | {"service", "accounting_category", "price", "currency", "tax_codes"},
    "accounting_categories": _NAMED,
    "business_segments": _NAMED,
    "bills": frozenset({"id", "account", "account_id", "state", "open"}),
    "outlets": frozenset({"id", "name", "active", "created"}),
}
"""Key -> the keys that its object, or each of its objects, may have."""

_OTHER_NAMES = {
    "tax_codes": "rates",
    "taxes": "rates",
    "vat": "rates",
    "customers": "accounts",
    "categories": "accounting_categories",
}


def unknown_keys(part: Mapping[str, Any]) -> Iterator[str]:
    """What is ignored of a world's object, each once, with the nearest known key, or all known ones of its row."""
    yield from (_ignored(key, WORLD) for key in part if key not in WORLD)
    for name, known in ROWS.items():
        found = part.get(name)
        rows = found if isinstance(found, list) else [found]
        keys = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
        yield from (f"{name}: {_ignored(key, known)}" for key in keys if key not in known)


def _ignored(key: str, known: frozenset[str]) -> str:
    near = [_OTHER_NAMES[key]] if _OTHER_NAMES.get(key) in known else difflib.get_close_matches(key, sorted(known), 1)
    # `rebates` is nearest to `rates`, and means `allow_rebates`.
    near += [word for word in sorted(known) if key in word.split("_") and word not in near]
    if near:
        return f"{key} is ignored; did you mean {' or '.join(near[:3])}?"
    return f"{key} is ignored; known are {', '.join(sorted(known))}"
