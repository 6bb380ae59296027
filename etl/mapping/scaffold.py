"""The mapping folder that `init` writes: everything found in the export, ready to be decided in a spreadsheet.

What a person must decide stands there as a row: undecided (taxes) where every order needs it, or as a `#`
comment row where leaving it out is a decision as good (products, accounts, vouchers, ...).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from etl.mapping.settings import FILE as SETTINGS_FILE
from etl.model.mapping import (
    ACCOUNT_KEYS,
    DECIDED,
    EXTERNAL_PAYMENT_TYPES,
    PRODUCT_KEYS,
    VOUCHER_POLICIES,
    Section,
    Settings,
)
from etl.model.mapping_tables import TABLES
from etl.model.money import about_words

Rows = Iterable[Sequence[str]]
COLUMN_COMMENTS = ("# evidence", "# candidates", "# samples")
VALUE_COMMENTS = ("# evidence", "# candidates", "# orders", "# money")
_GLOB = re.compile(r"([*?\[])")
_FORMULA_STARTS = ("=", "+", "-", "@")


Money = Mapping[str, Decimal]
"""Currency -> amount."""


@dataclass(frozen=True, slots=True)
class Found:
    """How often a key was met, with an example, and the money that stands behind it."""

    note: str = ""
    count: int = 0
    money: Money = field(default_factory=dict)

    @property
    def weight(self) -> Decimal:
        """What the rows of a table are sorted by."""
        return sum(map(abs, self.money.values()), Decimal(0))


@dataclass(frozen=True, slots=True)
class RateFact:
    """A country and VAT rate met on lines: None for lines without a rate, "" for orders without a country.

    Days are local order dates, both inclusive.
    """

    country: str
    vat_percent: Decimal | None
    first_day: date | None
    last_day: date | None
    lines: int
    money: Money = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DumpFacts:
    """What the export holds that a mapping may name.

    `columns` and `values` are rows of columns.csv and values.csv as `init` proposes them, comment cells included;
    `products` are the names of those sold without a brand; `proved` are settings of [source] that the orders prove; `signs` are the currency signs beside the amounts.
    `own_shipping`: orders whose shipping has a rate of its own, other than that of their goods. `days`: orders of each day.
    """

    skus: Mapping[str, Found] = field(default_factory=dict)
    eans: Mapping[str, Found] = field(default_factory=dict)
    ids: Mapping[str, Found] = field(default_factory=dict)
    items: Mapping[str, Found] = field(default_factory=dict)
    countries_rates: Sequence[RateFact] = ()
    emails: Mapping[str, Found] = field(default_factory=dict)
    customer_ids: Mapping[str, Found] = field(default_factory=dict)
    account_ids: Mapping[str, Found] = field(default_factory=dict)
    buyer_ids: Mapping[str, Found] = field(default_factory=dict)
    markets: Mapping[str, Found] = field(default_factory=dict)
    currencies: Sequence[str] = ()
    voucher_codes: Sequence[str] = ()
    payment_methods: Sequence[str] = ()
    brands: Mapping[str, Found] = field(default_factory=dict)
    products: Mapping[str, Found] = field(default_factory=dict)
    store_types: Sequence[str] = ()
    statuses: Sequence[str] = ()
    columns: Sequence[Sequence[str]] = ()
    values: Sequence[Sequence[str]] = ()
    proved: Mapping[str, Any] = field(default_factory=dict)
    signs: frozenset[str] = frozenset()
    own_shipping: int = 0
    days: Mapping[date, int] = field(default_factory=dict)


def scaffold_files(facts: DumpFacts, *, store: str, timezone: str) -> dict[str, str]:
    """File name to text of a mapping folder for the export. Pure; sorted, so that equal exports give equal files."""
    return {
        SETTINGS_FILE: _settings(facts, store, timezone),
        "taxes.csv": _taxes(facts),
        "products.csv": _products(facts),
        "accounts.csv": _accounts(facts),
        "categories.csv": _categories(facts),
        "vouchers.csv": _table(
            "vouchers.csv",
            "Without a row, vouchers.policy of migration.toml holds. To use a row: delete the # and fill in the policy:\n"
            f"{', '.join(VOUCHER_POLICIES)}. A pattern such as GC-* may stand for many codes.",
            ((f"# {code}", "", "") for code in sorted(facts.voucher_codes)),
        ),
        "payments.csv": _table(
            "payments.csv",
            "Used with payments.post = true, and on bills of an outlet, where the type is the payment's name. Without a row,\n"
            "payments.type of migration.toml holds.\n"
            f"To use a row: delete the # and fill in the type: {', '.join(EXTERNAL_PAYMENT_TYPES)}.",
            ((f"# {method}", "", "") for method in sorted(facts.payment_methods)),
        ),
        "segments.csv": _table(
            "segments.csv",
            "Without a row, the order gets no business segment. To use a row: delete the # and fill in the id.",
            ((f"# {market}", "") for market, _ in by_money(facts.markets)),
        ),
        "columns.csv": _table(
            "columns.csv",
            "Which header is which field. sure: proved by the orders; likely: look at the samples, then write yes.\n"
            "An empty field is open: write one of the candidates, another field, or - for a column that is not migrated.",
            facts.columns,
            COLUMN_COMMENTS,
        ),
        "values.csv": _table(
            "values.csv",
            "Words of the shop that are not Centra's own, such as status, paid, Completed. Only whole cells are translated.\n"
            "sure: proved; likely: look at it, then write yes. Empty means is open: write one of the candidates or another word.\n"
            "Of statuses only those in source.import_statuses are imported (Completed, Archived).",
            facts.values,
            VALUE_COMMENTS,
        ),
        "bills.csv": _table("bills.csv", "One row an order. Without a row, Mews puts the order on a bill itself.", ()),
        "reservations.csv": _table("reservations.csv", "One row an order. Without a row, none is linked by us.", ()),
        "controls.csv": _table(
            "controls.csv",
            "Type one row a month from the shop's own report; the export can't prove itself complete.",
            (),
        ),
        "waivers.csv": _table("waivers.csv", "One row for each problem of an order that you accept as it is.", ()),
    }


def _taxes(facts: DumpFacts) -> str:
    rates = sorted(
        facts.countries_rates,
        key=lambda fact: (
            -sum(map(abs, fact.money.values())),
            fact.country,
            fact.vat_percent is None,
            fact.vat_percent or Decimal(0),
            fact.first_day or date.min,
        ),
    )
    rows: list[Sequence[str]] = []
    rated = {fact.country for fact in rates if fact.vat_percent is not None}
    for fact in rates:
        percent = "" if fact.vat_percent is None else f"{fact.vat_percent.normalize():f}"
        seen = f"{fact.lines} {'line' if fact.lines == 1 else 'lines'} {_days(fact)}".rstrip()
        if fact.country and percent:
            row = (fact.country, percent, "", "", "", "", "", "", seen, money_of(fact.money))
            if row[:8] in (other[:8] for other in rows):
                # One rate in two periods: one row answers both, and two equal ones would only be noise.
                row = (f"# {fact.country}", *row[1:])
            rows.append(row)
        else:
            what = "no readable country: see source.default_country" if not fact.country else "line without VAT rate"
            # Where the country has rates of its own, one of them may fit such lines; where it has none, nothing else will.
            mark = "" if fact.country and fact.country not in rated else "# "
            found = (f"{seen}, {what}", money_of(fact.money))
            rows.append((f"{mark}{fact.country or '?'}", percent or "*", "", "", "", "", "", "", *found))
    head = (
        "Fill in tax_codes: the Mews tax codes, separated by blanks, or the word exempt. `centra-mews preflight` lists\n"
        "the codes of your enterprise. An empty cell is not decided yet and blocks the orders that need it.\n"
        "Rows can be put together: * as country or vat_percent stands for any; the more specific row wins.\n"
        "Where a code changed on a day, write the row twice, with valid_before and valid_from on that day (2011-01-04).\n"
        "Shipping without goods needs a row with vat_percent shipping, or a country with a single rate."
    )
    return _table("taxes.csv", head, rows, ("# found in the export", "# revenue"))


def _days(fact: RateFact) -> str:
    if fact.first_day is None or fact.last_day is None:
        return ""
    return f"from {fact.first_day} to {fact.last_day}"


def _products(facts: DumpFacts) -> str:
    kinds = {"sku": facts.skus, "ean": facts.eans, "id": facts.ids, "item": facts.items}
    rows = [
        (f"# {kind}", key, "", one.note, _count(one.count), money_of(one.money))
        for kind in PRODUCT_KEYS
        for key, one in by_money(kinds[kind])
    ]
    head = (
        "A line becomes a product of Mews if its key stands here; without a row it becomes a custom Item with the\n"
        "name of products.item_name (or blocks its order, with products.unmapped = block).\n"
        "To use a row: delete the # and fill in product. A row without # and without product blocks its orders."
    )
    return _table("products.csv", head, rows, ("# name", "# lines", "# revenue"))


def _categories(facts: DumpFacts) -> str:
    kinds = {"brand": facts.brands, "product": facts.products}
    rows = [
        (f"# {kind}", _as_pattern(key), "", _count(one.count), money_of(one.money))
        for kind in kinds
        for key, one in by_money(kinds[kind])
    ]
    head = (
        "For lines that are no product of Mews. Without a row, products.accounting_category of migration.toml holds.\n"
        "Bills of an outlet need a category for every item. To use a row: delete the # and fill in accounting_category."
    )
    return _table("categories.csv", head, rows, ("# lines", "# revenue"))


def _as_pattern(key: str) -> str:
    """A key as a pattern that fits nothing else."""
    return _GLOB.sub(r"[\1]", key)


def _accounts(facts: DumpFacts) -> str:
    kinds: dict[str, Mapping[str, Found]] = {
        "email": facts.emails,
        "customerId": facts.customer_ids,
        "accountId": facts.account_ids,
        "buyerId": facts.buyer_ids,
        "market": facts.markets,
    }
    rows = [
        (f"# {kind}", key, "", one.note, _count(one.count), money_of(one.money))
        for kind in ACCOUNT_KEYS
        for key, one in by_money(kinds[kind])
    ]
    head = (
        "Without a row, the settings of [accounts] in migration.toml say who is charged.\n"
        "To use a row: delete the # and fill in account. A row without # and without account blocks its orders.\n"
        "This file holds people's addresses. Keep it as safe as the export."
    )
    return _table("accounts.csv", head, rows, ("# name", "# orders", "# revenue"))


def by_money(found: Mapping[str, Found]) -> list[tuple[str, Found]]:
    """Keys with most revenue first, so that a person does the ten rows that matter."""
    return sorted(found.items(), key=lambda item: (-item[1].weight, -item[1].count, item[0]))


def money_of(money: Money) -> str:
    """Amounts for a comment column, each with its currency."""
    return ", ".join(
        f"{currency} {about_words(amount, currency)}".strip() for currency, amount in sorted(money.items()) if amount
    )


def _count(count: int) -> str:
    return f"{count:,}" if count else ""


def _table(file: str, head: str, rows: Rows, comments: Sequence[str] = ()) -> str:
    spec = TABLES[file]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    lines = [f"{file}: {spec.purpose}", *head.split("\n"), *(f"{one.name}: {one.description}" for one in spec.columns)]
    for line in lines:
        writer.writerow([f"# {line}"])
    writer.writerow([*spec.names, *comments])
    for row in rows:
        writer.writerow([_cell(cell) for cell in row])
    return text.getvalue()


def _cell(value: str) -> str:
    """One line of text that no spreadsheet runs as a formula; reading takes the apostrophe off again."""
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _settings(facts: DumpFacts, store: str, timezone: str) -> str:
    values: dict[tuple[str, str], Any] = {
        ("source", "store"): store,
        ("source", "timezone"): timezone,
        ("target", "service"): "",
    }
    if len(facts.currencies) == 1:
        values["source", "default_currency"] = facts.currencies[0]
    # Required, and never a default: an empty one is refused until a person has written what the prices are.
    values["source", "prices_include_tax"] = ""
    values.update({("source", key): value for key, value in facts.proved.items()})
    if facts.own_shipping:
        values["shipping", "tax"] = "stated"
    lines = [
        "# The settings of this migration. A line that begins with # is a comment: the keys below that have one",
        "# hold their default value. To change one, delete the # and write another value. Texts stand in quotation",
        "# marks, numbers and true or false do not. An empty text is the same as leaving the key out.",
    ]
    if facts.statuses:
        lines.append(f"# Statuses found in the export: {', '.join(sorted(facts.statuses))}.")
    if facts.currencies:
        lines.append(f"# Currencies found in the export: {', '.join(sorted(facts.currencies))}.")
    for section, info in Settings.model_fields.items():
        lines += ["", f"[{section}]"]
        model = info.annotation
        if isinstance(model, type) and issubclass(model, Section):
            for key, one in model.model_fields.items():
                lines += _key(key, one, values.get((section, key)), is_required=(section, key) in DECIDED)
    return "\n".join(lines) + "\n"


def _key(key: str, info: FieldInfo, value: Any, *, is_required: bool) -> list[str]:
    comment = f"# {info.description}"
    if allowed := _allowed(info.annotation):
        comment += f": {' | '.join(_toml(one) for one in allowed)}"
    if is_required or info.default is PydanticUndefined:
        comment += " (required)"
    if value is not None:
        return [comment, f"{key} = {_toml(value)}"]
    return [comment, f"# {key} = {_toml(info.default)}"]


def _allowed(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in _allowed(part)]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
