"""What is decided once for each distinct key: taxes by country, day and rate, articles by their texts, accounts. Pure.

Rule: design section 5; every answer is one of `etl.transform`, and one with a problem is none here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from json.encoder import encode_basestring as text_as_json
from typing import Any, NamedTuple

from etl.columns.cells import KEPT
from etl.columns.moments import When
from etl.model.order import Line, Order, Voucher
from etl.model.place import Place
from etl.model.plan import Basis, EntryKind
from etl.model.problem import Problem
from etl.transform.accounts import Charged, charged_for
from etl.transform.booking import Booking
from etl.transform.context import Context, Findings
from etl.transform.conversion import Candidate
from etl.transform.products import article_of, name_of, usable_category
from etl.transform.remainders import half_up
from etl.transform.taxes import LineTaxes, TaxAnswer, TaxCase, shipping_without_goods
from etl.transform.vouchers import near_voucher, policy_of, voucher_name

DIGITS = 4
"""Prices and rates are compared in units of 10**-4."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(value: object) -> str:
    """The value as it stands in a plan line."""
    return _encode(value)


_PRODUCT, _ITEM = as_json(EntryKind.PRODUCT.value), as_json(EntryKind.ITEM.value)
_NOWHERE, _NOTHING = Place(), Decimal(0)


class Tax(NamedTuple):
    """A tax-code set, and its number. Its net of an amount with tax is amount * under / over; `over` is 0 for none.

    `rule`: the row of the mapping that answered. `is_many`: each of its codes is rounded by itself.
    """

    codes: tuple[str, ...]
    text: str
    over: int
    under: int
    at: int
    rule: str = ""
    is_many: bool = False

    def net_of(self, amount: int) -> int:
        """What Mews books of an amount with tax without it."""
        return half_up(amount * self.under, self.over) if self.over else amount


class Article(NamedTuple):
    """How a line is sent: its keys and names as they sort, the parts of its entry before and after the numbers.

    `is_told`: there is something to say of each line of it. `name`: as a person is shown it.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    kind: str
    what: str
    category: str
    sku: str
    is_told: bool
    name: str
    is_product: bool


class Item(NamedTuple):
    """An item beside the goods, shipping or a voucher: its name, the parts of its entry after the numbers, its category."""

    name: str
    what: str
    category: str


Way = tuple[int, tuple[tuple[int, int, int], ...]]
"""How an amount is sent in the other basis: its rounding, and (count, unit, booked in the source's basis) of one entry or two; in
smallest units."""
OPEN = "open"
"""Stands for the way of an amount that the order's rounding so far may decide on."""


class Taxes(dict[Any, Tax | None]):
    """Rate, or (rate, SKU) where rows of taxes.csv name SKUs, to the tax of goods; the rest of the key is the same for all."""

    def __init__(self, decided: Decided, case: TaxCase, *, has_skus: bool) -> None:
        super().__init__()
        self.is_deducted = case.is_deducted
        self._decided, self._case, self.has_skus = decided, case, has_skus
        self._without: Tax | None = None
        self._is_asked = False

    def __missing__(self, key: Any) -> Tax | None:
        if len(self) >= KEPT:
            self.clear()
        percent, sku = key if self.has_skus else (key, "")
        found = self[key] = self._decided.tax_of(self._case, percent, sku)
        return found

    @property
    def without_goods(self) -> Tax | None:
        """The tax of shipping without goods of value."""
        if not self._is_asked:
            self._is_asked = True
            self._without = self._decided.tax_without_goods(self._case)
        return self._without


class Decided:
    """The answers of one mapping and enterprise for a currency of `precision`; None stands for one that is not plain.

    `source`: the basis of the prices that are asked of.
    """

    def __init__(self, ctx: Context, currency: str, precision: int, source: Basis) -> None:
        self._ctx, self.source = ctx, source
        self._currency, self._precision = currency, precision
        self._has_skus = any(rule.sku for rule in ctx.mapping.taxes)
        self._taxes: dict[tuple[Any, ...], Taxes] = {}
        self._sets: dict[tuple[str, ...], Tax | None] = {}
        self._charged: dict[tuple[str, ...], Charged | None] = {}
        self._vouchers: dict[str, Item | None] = {}
        self._every_item = self._category_of_all()
        self.is_converted = source is not ctx.arithmetic.basis
        """Whether amounts with tax are sent without, or those without with it."""
        self.is_sent_net = ctx.arithmetic.basis is Basis.NET

    def taxes(self, country: str, when: When, store: str, *, is_deducted: bool = False) -> Taxes:
        """The taxes of an order's goods by their rates in units of 10**-4; `is_deducted`: of one that was sold at a rate of 0."""
        key = (country, when.day, when.period, store, is_deducted)
        known = self._taxes.get(key)
        if known is None:
            if len(self._taxes) >= KEPT:
                self._taxes.clear()
            case = TaxCase(country, when.day, when.utc, store, self._currency, is_deducted)
            known = self._taxes[key] = Taxes(self, case, has_skus=self._has_skus)
        return known

    def tax_of(self, case: TaxCase, percent: int, sku: str) -> Tax | None:
        """The tax of a line."""
        found = Findings("")
        line = Line(1, Decimal(0), Decimal(percent).scaleb(-DIGITS), sku=sku)
        return self._plain(LineTaxes(case, self._ctx, found).of(line), found)

    def tax_without_goods(self, case: TaxCase) -> Tax | None:
        """The tax of shipping that no goods carry."""
        found = Findings("")
        if self._ctx.mapping.settings.shipping.tax != "proportional":
            return None
        return self._plain(shipping_without_goods(case, self._ctx, found), found)

    def _plain(self, answer: TaxAnswer | None, found: Findings) -> Tax | None:
        if answer is None or found.problems:
            return None
        if answer.codes not in self._sets:
            self._sets[answer.codes] = self._tax(answer.codes, len(self._sets))
        known = self._sets[answer.codes]
        return known and known._replace(rule=answer.rule)

    def _tax(self, codes: tuple[str, ...], at: int) -> Tax | None:
        if not codes:
            return Tax((), "[]", 0, 1, at)
        booking = Booking(self._ctx.arithmetic, codes, self._precision, self._precision)
        # Whole units are enough only where a tax is rounded as an amount is, and nothing is counted by the piece.
        if (booking.scale, booking.step, booking.flat, booking.is_rounded) != (self._precision, 1, 0, True):
            return None
        if self.is_converted:
            # What is booked without them is what is sent.
            return Tax(codes, as_json(codes), 0, 1, at)
        over, under = booking.ratio
        return Tax(codes, as_json(codes), over, under, at, is_many=len(codes) > 1)

    def gross_of(self, amount: int, codes: tuple[str, ...]) -> int:
        """What Mews books with tax of an amount that is sent without."""
        return self._units(self._ctx.arithmetic.predict(1, self._money(amount), codes, self._precision).gross)

    def settled(self, amount: int, count: int, codes: tuple[str, ...]) -> Way | str | None:
        """How an amount of so many pieces is sent in the other basis; `OPEN`, or None where it is not plain."""
        if entries := self._ctx.conversion.exactly(amount, count, codes, self._precision):
            return 0, entries
        found = self._ctx.conversion.settled(self._money(amount), count, codes, self._precision)
        return OPEN if found is None else self._way(found, amount, codes)

    def way(self, amount: int, count: int, codes: tuple[str, ...], accumulated: int) -> Way | None:
        """The same in an order with that rounding so far, its sign turned with that of the amount."""
        conversion = self._ctx.conversion
        found = conversion.best(self._money(amount), count, codes, self._precision, self._money(accumulated))
        return self._way(found, amount, codes)

    def _way(self, found: Candidate, amount: int, codes: tuple[str, ...]) -> Way | None:
        entries = [(number, self._units(unit), self._booked(number, unit, codes)) for number, unit in found.entries]
        rounding = amount - sum([booked for _, _, booked in entries])
        # More than a smallest unit is told of its order.
        return (rounding, tuple(entries)) if abs(rounding) <= 1 else None

    def _booked(self, count: int, unit: Decimal, codes: tuple[str, ...]) -> int:
        booked = self._ctx.arithmetic.predict(count, unit, codes, self._precision)
        return self._units(booked.gross if self.source is Basis.GROSS else booked.net)

    def _money(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self._precision)

    def _units(self, amount: Decimal) -> int:
        return int(amount.scaleb(self._precision))

    def article(self, key_and_names: tuple[str, ...]) -> Article | None:
        """The article of these four keys and six names."""
        sku, ean, id_, item, brand, product, variant, size, text_sku, comment = key_and_names
        if not (sku or ean or id_ or item):
            return None
        keys, names = (sku, ean, id_, item), (brand, product, variant, size, text_sku, comment)
        if self._every_item is not None:
            # One category for all, and no product: nothing is left to ask but the name.
            category, its = self._every_item
            name, is_told = name_of(keys, names, self._ctx)
            what = f"[{text_as_json(name)},{its}]"
            return Article(keys, names, _ITEM, what, category, sku, is_told, name, is_product=False)
        found = Findings("")
        article = article_of(_line(key_and_names, _NOWHERE), self._ctx, found)
        if found.problems and found.blocks:
            return None
        category, is_told = article.category_id, bool(found.problems)
        if article.kind is EntryKind.PRODUCT:
            what = as_json([article.product_id])
            return Article(keys, names, _PRODUCT, what, category, sku, is_told, article.name, is_product=True)
        what = f"[{text_as_json(article.name)},{text_as_json(category)}]"
        return Article(keys, names, _ITEM, what, category, sku, is_told, article.name, is_product=False)

    def _category_of_all(self) -> tuple[str, str] | None:
        """The category of every article, and as it stands in a plan line, where nothing of an article decides on it."""
        mapping, found = self._ctx.mapping, Findings("")
        if mapping.products or mapping.categories or mapping.settings.products.unmapped != "item":
            return None
        category = usable_category(mapping.default_category("products"), self._ctx, found)
        return None if found.problems else (category, text_as_json(category))

    def notices(self, number: str, articles: list[tuple[Article, Place]]) -> tuple[Problem, ...]:
        """What there is to say of the lines of an order, in canonical order: (article, where the line stands)."""
        found = Findings(number)
        for article, place in articles:
            article_of(_line((*article.keys, *article.names), place), self._ctx, found)
        return tuple(found.problems)

    def shipping(self) -> Item | None:
        """How shipping is sent; None where its category has a problem."""
        found = Findings("")
        category = usable_category(self._ctx.mapping.default_category("shipping"), self._ctx, found)
        return None if found.problems else _item(self._ctx.mapping.settings.shipping.name, category)

    def voucher(self, code: str) -> Item | None:
        """How a voucher of that code is sent, where it is an item of its own."""
        if code not in self._vouchers:
            if len(self._vouchers) >= KEPT:
                self._vouchers.clear()
            self._vouchers[code] = self._rebate(Voucher(code, Decimal(1)))
        return self._vouchers[code]

    def is_spread(self, code: str) -> bool:
        """Whether a voucher of that code lowers the prices."""
        voucher = Voucher(code, Decimal(1))
        return policy_of(self._ctx, voucher)[0] == "spread" and not near_voucher(self._ctx, voucher)

    def _rebate(self, voucher: Voucher) -> Item | None:
        found = Findings("")
        policy, category = policy_of(self._ctx, voucher)
        its = usable_category(category, self._ctx, found)
        fields = set(fields_of(self._ctx.mapping.settings.vouchers.name))
        is_told = found.problems or near_voucher(self._ctx, voucher)
        if policy != "rebate" or is_told or not fields <= {"voucherCode", "voucherName"}:
            return None
        return _item(voucher_name(self._ctx, voucher, {}), its)

    def charged(self, keys: tuple[str, ...]) -> Charged | None:
        """The account of an e-mail address, customer, account, buyer and market; of first and last name and telephone, where one
        may be made.
        """
        if keys not in self._charged:
            if len(self._charged) >= KEPT:
                self._charged.clear()
            self._charged[keys] = self._account(keys)
        return self._charged[keys]

    def _account(self, keys: tuple[str, ...]) -> Charged | None:
        email, customer, account, buyer, market, *person = keys
        found = Findings("")
        order = Order("", email=email, customer_id=customer, account_id=account, buyer_id=buyer, market=market)
        if person:
            first, last, phone = person
            order = replace(order, first_name=first, last_name=last, phone=phone)
        charged = charged_for(order, self._ctx, found)
        return None if found.problems else charged


def fields_of(template: str) -> list[str]:
    """The fields that a template names."""
    return [part.split("}")[0] for part in template.split("{")[1:]]


def _item(name: str, category: str) -> Item:
    return Item(name, as_json([name, category]), category)


def _line(key_and_names: tuple[str, ...], place: Place) -> Line:
    sku, ean, id_, item, brand, product, variant, size, text_sku, comment = key_and_names
    names = (brand, product, variant, size, text_sku, comment)
    return Line(1, _NOTHING, None, sku, ean, id_, item, *names, place=place)
