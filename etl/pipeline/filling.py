"""What `init` takes over from Mews once there are tokens: tax cells and products that are certain, candidates for the rest.

Rule: design section 3a. Accounts are never filled in. In a table that stood before, only empty tax cells are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from etl.errors import EtlError
from etl.mapping.additions import write_folder
from etl.mapping.filling import CANDIDATES, Change, fill_table
from etl.mapping.folder import look_at_mapping
from etl.mapping.homes import Home
from etl.mapping.partial import read_partial
from etl.mapping.rows import Reading, read_taxes
from etl.mapping.scaffold import DumpFacts, Money, RateFact
from etl.mapping.settings import FILE
from etl.model.catalogue import Catalogue, named
from etl.model.mapping import PRODUCT_KEYS
from etl.model.route import Route
from etl.model.rules import TaxRule
from etl.pipeline.candidates import fallback_words, other_clock, tax_case
from etl.pipeline.catalogue import catalogue_online, stored_catalogue, write_catalogue
from etl.pipeline.feasible import history_told
from etl.pipeline.prepare import known_enterprise
from etl.pipeline.tax_candidates import NOT_ALWAYS, tax_candidates
from etl.report.cells import printable, safe_cell
from etl.settings import Connection, Settings

MOST_ADDRESSES = 20_000
"""So many addresses are looked up for candidates: 1,000 go into one request."""
_COMMENT = "# "
_ID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A cell that only a person can decide: where it is, what Mews has for it, and the money of the export behind it."""

    what: str
    candidates: str
    lines: int = 0
    money: Money = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was taken over: a sentence for each tax cell, counts for the rest; what is left open; the catalogue's paths."""

    told: Sequence[str]
    open: Sequence[OpenCell] = ()
    catalogue: Sequence[Path] = ()


async def fill_from_mews(settings: Settings, connection: Connection, facts: DumpFacts, home: Home) -> Filled:
    """Reads the catalogue, writes it, and fills the tables as far as section 3a lets it.

    `home`: where `init` has put them. A Mews that can't be asked is told, not raised: the folder
    stands without it. Effects: reads Mews, writes `mappings/mews/` and cells of the tables.
    """
    seen = look_at_mapping(settings.mappings)
    emails = sorted(facts.emails)[:MOST_ADDRESSES]
    try:
        with known_enterprise(seen.enterprise_id):
            catalogue = await catalogue_online(
                *(settings, connection),
                service=seen.service,
                enterprise_id=seen.enterprise_id,
                emails=emails,
                wants_fallback=seen.wants_fallback,
            )
    except EtlError as error:
        return Filled([f"Mews was not asked: {error.message}. {error.hint}".strip()])
    paths = write_catalogue(settings.mappings, catalogue)
    told = fill_currency(settings.mappings, catalogue, facts)
    taxes, left = fill_taxes(home, catalogue, facts)
    told += taxes
    for file, change, words in (
        ("products.csv", _products(catalogue), "rows with a product, or candidates, from Mews."),
        ("accounts.csv", _accounts(catalogue), "rows with candidates by e-mail; none was filled in."),
        ("categories.csv", _categories(catalogue), "rows with candidates by brand or product; none was filled in."),
    ):
        # In a table that stood before, only what init itself has put there for people to choose from is renewed.
        count = home.fill(file, change if file in home.new else only_candidates(change))
        told += [f"{file}: {count:,} {words}"] if count and file in home.new else []
    usable = named(one for one in catalogue.outlets if one.is_active) or "none takes bills"
    if seen.route is Route.ORDERS:
        usable = named(catalogue.orderable) or "none takes orders"
    place = [OpenCell(f"{FILE}: {seen.lacks}", usable)] if seen.lacks else []
    house = [] if not seen.wants_fallback else [OpenCell(f"{FILE}: accounts.fallback", fallback_words(catalogue))]
    clock = other_clock(read_partial(settings.mappings).source.timezone, catalogue.timezone, datetime.now(UTC))
    told += [f"{FILE}: {clock}; it decides the day of an order, and its VAT."] if clock else []
    history = history_told(catalogue, facts.days) if seen.route is Route.ORDERS else ""
    told += [history] if history else []
    return Filled(told, [*place, *house, *left], paths)


def fill_currency(folder: Path, catalogue: Catalogue, facts: DumpFacts) -> list[str]:
    """Writes `source.default_currency` where the export has a sign instead, which one enabled currency alone has.

    Without a sign it is a person's word: a shop's currency need not be the hotel's. Effects: adds a key to migration.toml.
    """
    own = [code for code in catalogue.currencies if facts.signs == {_SIGN.get(code)}]
    if facts.currencies or len(own) != 1:
        return []
    written = write_folder(folder, {FILE: f'[source]\ndefault_currency = "{own[0]}"\n'})
    if not any(one.added for one in written):
        return []
    sign = "".join(facts.signs)
    return [
        f"{FILE}: default_currency = {own[0]} was written: the export has {sign} and no code, and Mews takes no other."
    ]


_SIGN = {
    "GBP": "£",
    "PLN": "zł",
    "CZK": "Kč",
    "HUF": "Ft",
    "SEK": "kr",
    "NOK": "kr",
    "DKK": "kr",
    "EUR": "€",
    "USD": "$",
    "AUD": "$",
    "CAD": "$",
    "NZD": "$",
    "SGD": "$",
    "JPY": "¥",
    "CNY": "¥",
    "EGP": "£",
}


def fill_taxes(home: Home, catalogue: Catalogue, facts: DumpFacts) -> tuple[list[str], list[OpenCell]]:
    """Fills empty `tax_codes` where one code is certain, and gives a sentence for each, and the cells that stay open.

    Effects: changes the table.
    """
    table = home.table("taxes.csv")
    if table is None:
        return [], []
    rules = {rule.place.row: rule for rule in read_taxes(table, Reading())}
    with_candidates = "taxes.csv" in home.new
    told: list[str] = []
    left: list[OpenCell] = []
    found_on = {(one.country, one.vat_percent): one for one in facts.countries_rates}

    def change(line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        rule = rules.get(line)
        if rule is None or rule.tax_codes is not None or cells.get("tax_codes", "").strip():
            return {}
        start, end = _period(rule, facts)
        found = tax_candidates(catalogue, country=rule.country, percent=rule.percent, start=start, end=end)
        if found.decided:
            told.append(f"{rule.place.table} row {line}, {tax_case(rule)}: {found.decided} was filled in.")
            return {"tax_codes": found.decided} | ({CANDIDATES: ""} if cells.get(CANDIDATES) else {})
        fact = found_on.get((rule.country, rule.percent), RateFact("", None, None, None, 0))
        where = f"{rule.place.table} row {line}, {tax_case(rule)}"
        left.append(OpenCell(where, found.comment or "no code of that rate then", fact.lines, fact.money))
        if CANDIDATES in cells:
            return {CANDIDATES: found.comment} if cells[CANDIDATES] != found.comment else {}
        return {CANDIDATES: found.comment} if with_candidates and found.comment else {}

    home.fill("taxes.csv", change)
    return told, left


def _period(rule: TaxRule, facts: DumpFacts) -> tuple[date | None, date | None]:
    """The row's period; where it is open, it is that of the lines in the export (`end` exclusive)."""
    first, last = days_of(facts).get((rule.country, rule.percent), (None, None))
    return rule.valid_from or first, rule.valid_before or (last and last + timedelta(days=1))


def offer_choices(settings: Settings, home: Home, facts: DumpFacts) -> None:
    """Gives the home of the tables what the catalogue has to choose from, as it was written last. Effects: may write it."""
    days = {
        (country, "" if percent is None else f"{percent.normalize():f}"): span
        for (country, percent), span in days_of(facts).items()
    }
    home.finish(stored_catalogue(settings.mappings), days)


def days_of(facts: DumpFacts) -> dict[tuple[str, Decimal | None], tuple[date | None, date | None]]:
    """(country, VAT percent) -> first and last day of its lines in the export; None where some have no date."""
    found: dict[tuple[str, Decimal | None], tuple[date | None, date | None]] = {}
    for one in facts.countries_rates:
        key = (one.country, one.vat_percent)
        known = found.get(key, (one.first_day, one.last_day))
        # Lines without a date leave the period open, so that no code is certain.
        first = min(known[0], one.first_day) if known[0] and one.first_day else None
        last = max(known[1], one.last_day) if known[1] and one.last_day else None
        found[key] = (first, last)
    return found


def only_candidates(change: Change) -> Change:
    """The change without what decides anything: a cell of candidates is renewed, or emptied, where there is one."""

    def renewed(line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        if CANDIDATES not in cells:
            return {}
        new = change(line, cells).get(CANDIDATES, "")
        return {CANDIDATES: new} if new != cells[CANDIDATES] else {}

    return renewed


def empty_strange_candidates(folder: Path, catalogue: Catalogue) -> None:
    """Empties cells of candidates that name what this Mews does not have: they are of another enterprise, or gone.

    `init` puts others there; accounts are looked up by `init` alone, and a workbook is renewed by it. Effects: changes
    taxes.csv and products.csv where they have such cells and can be written.
    """
    ids = {product.id.lower() for product in catalogue.products}

    def strange_codes(_line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        codes = cells.get(CANDIDATES, "").replace(NOT_ALWAYS, "").split()
        return {} if set(codes) <= catalogue.tax_rates.keys() else {CANDIDATES: ""}

    def strange_products(_line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        named_ids = {found.lower() for found in _ID.findall(cells.get(CANDIDATES, ""))}
        return {} if named_ids <= ids else {CANDIDATES: ""}

    for file, change in (("taxes.csv", strange_codes), ("products.csv", strange_products)):
        if (folder / file).is_file():
            with contextlib.suppress(OSError):
                fill_table(folder / file, change)


def _products(catalogue: Catalogue) -> Change:
    def change(_line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        kind, key = cells.get("key_type", "").removeprefix(_COMMENT).strip(), cells.get("key", "").strip()
        if kind not in PRODUCT_KEYS or cells.get("product", "").strip():
            return {}
        product = catalogue.product_of([key])
        if product is not None:
            return {"key_type": kind, "product": product.id}
        found = catalogue.products_named(cells.get("# name", ""))
        return {CANDIDATES: _cell(named(found))} if found else {}

    return change


def _categories(catalogue: Catalogue) -> Change:
    def change(_line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        kind, key = cells.get("key_type", "").removeprefix(_COMMENT).strip(), cells.get("key", "").strip()
        if kind not in ("brand", "product") or cells.get("accounting_category", "").strip():
            return {}
        found = catalogue.categories_for(key)
        return {CANDIDATES: _cell(named(found))} if found else {}

    return change


def _accounts(catalogue: Catalogue) -> Change:
    def change(_line: int, cells: Mapping[str, str]) -> Mapping[str, str]:
        if cells.get("key_type", "").removeprefix(_COMMENT).strip() != "email":
            return {}
        found = catalogue.accounts_of(cells.get("key", ""))
        return {CANDIDATES: _cell(named(found))} if found else {}

    return change


def _cell(text: str) -> str:
    return safe_cell(printable(" ".join(text.split())))
