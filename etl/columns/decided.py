"""What is decided once for each distinct key: taxes by country, day and rate, articles by their texts, accounts. Pure.

Rule: design section 5; every answer is one of `etl.transform`, and one with a problem or notice is none here.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from etl.columns.cells import KEPT
from etl.model.order import Line, LocalTime, Order
from etl.model.plan import EntryKind
from etl.transform.accounts import Charged, account_of
from etl.transform.booking import Booking
from etl.transform.consumption import local_day, utc_of
from etl.transform.context import Context, Findings
from etl.transform.products import article_of, usable_category
from etl.transform.taxes import LineTaxes, TaxCase

_TEXTS = ("sku", "ean", "id", "item", "brand", "product", "variant", "size", "text_sku", "comment")
DIGITS = 4
"""Prices and rates are compared in units of 10**-4."""


def as_json(value: object) -> str:
    """The value as it stands in a plan line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class When(NamedTuple):
    """A time of consumption: UTC, its day and month at the hotel, its text in a plan line and in ISO, and the period of tax codes."""

    utc: datetime
    day: date
    month: str
    text: str
    iso: str
    period: int


class Tax(NamedTuple):
    """A tax-code set. Its net of an amount with tax is amount * under / over; `over` is 0 for none."""

    codes: tuple[str, ...]
    text: str
    over: int
    under: int


class Article(NamedTuple):
    """How a line is sent: its keys and names as they sort, the parts of its entry before and after the numbers."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    kind: str
    what: str
    category: str
    sku: str


class Decided:
    """The answers of one mapping and enterprise for a currency of `precision`; None stands for one that is not plain."""

    def __init__(self, ctx: Context, currency: str, precision: int) -> None:
        self._ctx = ctx
        self._currency, self._precision = currency, precision
        rates = ctx.reference.tax_rates.values()
        ends = {end for rate in rates for one in rate.validity for end in (one.start, one.end)}
        self._ends = sorted(end for end in ends if end is not None)
        """Where the validity of any tax code begins or ends: between two of them, Mews takes the same codes."""
        self._has_skus = any(rule.sku for rule in ctx.mapping.taxes)
        self._taxes: dict[tuple[Any, ...], Tax | None] = {}
        self._charged: dict[tuple[str, ...], Charged | None] = {}

    def when(self, local: LocalTime) -> When | None:
        """The consumption; None where it is skipped, occurs twice or lies outside the window."""
        utc, is_twice = utc_of(local, self._ctx.mapping.settings.source.timezone)
        if utc is None or is_twice or utc < self._ctx.window.start:
            return None
        day = local_day(utc, self._ctx.reference.timezone)
        return When(utc, day, day.isoformat()[:7], str(utc), utc.isoformat(), bisect_right(self._ends, utc))

    def tax(self, country: str, when: When, store: str, percent: int, sku: str) -> Tax | None:
        """The tax of a rate in units of 10**-4."""
        key = (country, when.day, when.period, store, percent, sku if self._has_skus else "")
        if key not in self._taxes:
            if len(self._taxes) >= KEPT:
                self._taxes.clear()
            case = TaxCase(country, when.day, when.utc, store, self._currency)
            self._taxes[key] = self._tax(case, percent, sku)
        return self._taxes[key]

    def _tax(self, case: TaxCase, percent: int, sku: str) -> Tax | None:
        found = Findings("")
        line = Line(1, Decimal(0), Decimal(percent).scaleb(-DIGITS), sku=sku)
        answer = LineTaxes(case, self._ctx, found).of(line)
        if answer is None or found.problems:
            return None
        if not answer.codes:
            return Tax((), "[]", 0, 1)
        booking = Booking(self._ctx.arithmetic, answer.codes, self._precision, self._precision)
        # Whole units are enough only where a tax is rounded as an amount is, and nothing is counted by the piece.
        if (booking.scale, booking.step, booking.flat, booking.is_rounded) != (self._precision, 1, 0, True):
            return None
        over, under = booking.ratio
        return Tax(answer.codes, as_json(answer.codes), over, under)

    def article(self, key_and_names: tuple[str, ...]) -> Article | None:
        """The article of these four keys and six names."""
        sku, ean, id_, item, brand, product, variant, size, text_sku, comment = key_and_names
        if not (sku or ean or id_ or item):
            return None
        found = Findings("")
        texts = dict(zip(_TEXTS, key_and_names, strict=True))
        line = Line(1, Decimal(0), None, **texts)  # type: ignore[arg-type]
        article = article_of(line, self._ctx, found)
        if found.problems:
            return None
        is_product = article.kind is EntryKind.PRODUCT
        what = [article.product_id] if is_product else [article.name, article.category_id]
        keys, names = (sku, ean, id_, item), (brand, product, variant, size, text_sku, comment)
        return Article(keys, names, as_json(article.kind.value), as_json(what), article.category_id, sku)

    def shipping(self) -> tuple[str, str] | None:
        """The parts of a shipping entry after its numbers, and its category; None where that has a problem."""
        found = Findings("")
        category = usable_category(self._ctx.mapping.default_category("shipping"), self._ctx, found)
        name = self._ctx.mapping.settings.shipping.name
        return None if found.problems else (as_json([name, category]), category)

    def charged(self, keys: tuple[str, str, str, str, str]) -> Charged | None:
        """The account of an e-mail address, customer, account, buyer and market."""
        if not self._ctx.mapping.accounts:
            keys = ("", "", "", "", "")
        if keys not in self._charged:
            if len(self._charged) >= KEPT:
                self._charged.clear()
            self._charged[keys] = self._account(keys)
        return self._charged[keys]

    def _account(self, keys: tuple[str, ...]) -> Charged | None:
        email, customer, account, buyer, market = keys
        found = Findings("")
        order = Order("", email=email, customer_id=customer, account_id=account, buyer_id=buyer, market=market)
        charged = account_of(order, self._ctx, found)
        return None if found.problems or charged.create else charged
