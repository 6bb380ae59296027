"""Orders of one flat file to their plan by the cells of their columns, or to the reason why not. Pure.

Rule: design sections 5 and 6, for prices with tax in an enterprise with prices with tax: an order of plain lines and
shipping, booked as the source has it. Each test below is one rule of the contract that would need more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from etl.columns.cells import KEPT, Units, clean, is_clean, text_of
from etl.columns.decided import DIGITS, Article, Decided, Tax, When, as_json
from etl.columns.known import KEYED, PASSIVE, SINGLE
from etl.columns.quick import Booked, Quick, Report
from etl.model.identity import RECIPE_VERSION, Identity
from etl.model.kinds import COMPANY, REBATES
from etl.model.money import share_units
from etl.model.order import LocalTime
from etl.model.rules import check_enabled
from etl.staging.plain import PlainTable
from etl.transform.accounts import Charged
from etl.transform.context import Context
from etl.transform.order_context import LARGEST_AMOUNT, LARGEST_COUNT, LARGEST_PERCENT
from etl.transform.products import fill
from etl.transform.remainders import half_up

_ORDERED = itemgetter(0, 1, 2, 3, 4)
_NUMBER = "\0"
_REBATES, _COMPANY = ((), (REBATES,)), ((), (COMPANY,))
_NOTHING: Booked = (0, 0, False)

Rows = Sequence[tuple[tuple[str, ...], Sequence[tuple[int, tuple[str, ...]]]]]
"""(order-level cells, their rows as (row, line-level cells))."""


class Head(NamedTuple):
    """What the cells of the keyed fields decide. `shipping`: the end of a shipping entry and its category."""

    store: str
    currency: str
    country: str
    market: str
    sign: int
    """-1 in returns."""
    precision: int
    decided: Decided
    amounts: Units
    shipping: tuple[str, str] | None


class Row(NamedTuple):
    """A line; the first five fields are its canonical order."""

    keys: tuple[str, ...]
    price: int
    qty: int
    percent: int
    names: tuple[str, ...]
    amount: int
    article: Article
    tax: Tax


class Lane:
    """Takes the orders of one file. Every answer is a `Quick`, or the reason why the rules have to plan the order."""

    def __init__(self, ctx: Context, table: PlainTable) -> None:
        self._ctx, self._table = ctx, table
        settings = ctx.mapping.settings
        self._statuses = {"", *settings.source.import_statuses}
        self._decided: dict[str, tuple[Decided, Units, tuple[str, str] | None]] = {}
        readers = table.readers
        self._at = {column.field: index for index, column in enumerate(table.order)}
        self._kind = {column.field: readers.by_kind[column.kind] for column in table.order}
        keyed = [name for name in KEYED if name in self._at]
        self._keyed = keyed
        self._key_of = itemgetter(*(self._at[name] for name in keyed)) if keyed else None
        self._heads: dict[Any, Head | str] = {}
        self._passive = [
            (index, self._kind[column.field]) for index, column in enumerate(table.order) if column.field in PASSIVE
        ]
        known = {*KEYED, *SINGLE, *PASSIVE}
        self._others = [(self._at[name], name) for name in self._at if name not in known]
        self._stated_at = table.stated_at
        self._articles: dict[tuple[str, ...], Article | None] = {}
        self._words: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._quantities = Units(readers.qty, 0, below=LARGEST_COUNT + 1)
        self._percents = Units(readers.percent, DIGITS, below=int(LARGEST_PERCENT))
        self._original = readers.amount
        template = fill(settings.target.notes, {"orderNumber": _NUMBER}).replace("[centra:", "(centra:")
        self._notes = [as_json(part)[1:-1] for part in template.split(_NUMBER)]
        self._store = settings.source.store
        self._target = (as_json(ctx.reference.service.id), as_json(settings.target.enterprise_id))
        self._grouping = as_json(settings.target.disable_item_grouping)

    def take(self, number: str, groups: Rows) -> Quick | str:
        """The order of that number, all of whose rows are in `groups`, none of them with a fault."""
        cells = groups[0][0]
        if any(other[0] != cells for other in groups[1:]):
            return "order-level cells that differ"
        head = self._head(cells)
        if isinstance(head, str):
            return head
        at = self._at
        if cells[at["orderNumber"]] != number:
            return "an order number with blanks or zeros"
        for index, reader in self._passive:
            if (cell := cells[index]) and not is_clean(reader, cell):
                return "a text with a remark"
        for index, name in self._others:
            if cells[index]:
                return f"the field {name}"
        ctx = self._ctx
        if number in ctx.waivers or number in ctx.mapping.bills or number in ctx.mapping.reservations:
            return "a row of its own in the mapping"
        when = self._when(cells, head)
        if when is None:
            return "a date that is not plain, or outside the window"
        charged = self._charged(cells, head)
        if charged is None or not charged.account_id:
            return "an account with a remark"
        shipping = 0
        if "shippingValue" in at:
            cell = cells[at["shippingValue"]]
            found = head.amounts[cell] if cell else None
            if found is None or found * head.sign < 0:
                return "shipping that is empty, of the other sign or not plain"
            shipping = found
        lines = self._lines(groups, head, when)
        if isinstance(lines, str):
            return lines
        goods = sum([line.amount for line in lines])
        total = goods + shipping
        cell = cells[at["orderTotal"]] if "orderTotal" in at else ""
        if cell and head.amounts[cell] != total:
            return "an orderTotal that differs"
        if not self._is_captured(cells, head, total if cell else None):
            return "a capture that is not plain"
        if not lines and not shipping:
            return "nothing to send"
        if not total and ctx.mapping.settings.source.zero_orders == "skip":
            return "all amounts zero"
        return self._quick(number, head, when, charged, lines, shipping, total)

    # Order-level cells

    def _head(self, cells: tuple[str, ...]) -> Head | str:
        key = self._key_of(cells) if self._key_of else ()
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= KEPT:
                self._heads.clear()
            head = self._heads[key] = self._make_head(cells)
        return head

    def _make_head(self, cells: tuple[str, ...]) -> Head | str:
        values: dict[str, Any] = {}
        for name in self._keyed:
            cell = cells[self._at[name]]
            if not cell:
                continue
            if not is_clean(self._kind[name], cell):
                return f"the field {name} with a remark"
            value = clean(self._kind[name], cell)
            values[name] = value.strip() if isinstance(value, str) else value
        get = values.get
        settings, ctx = self._ctx.mapping.settings, self._ctx
        if (get("status") or "") not in self._statuses:
            return "a status that is not imported"
        for name in (
            "hold",
            "waitingForPayment",
            "suspect",
            "internalOrder",
            "taxAdded",
            "taxDeducted",
            "handlingCost",
        ):
            if get(name):
                return f"the field {name}"
        if get("voucherValue"):
            return "a voucher"
        store = get("storeType") or ""
        include = settings.source.prices_include_tax
        if not (include is True or (include == "b2c" and store != "b2b")):
            return "prices without tax"
        currency = get("currency") or settings.source.default_currency
        known = ctx.reference.currencies.get(currency)
        if known is None or list(check_enabled(currency, ctx.reference)):
            return "a currency that is not enabled"
        country = (
            get("deliveryAddress.country") or get("address.country")
            or get("invoiceAddress.country") or ""
        )  # fmt: skip
        if not country:
            return "no country"
        market = get("market") or ""
        if market in ctx.mapping.segments:
            return "a business segment"
        sign = -1 if get("createdFromOrigin.type") == "return" else 1
        return Head(
            store, currency, country, market, sign, known.precision, *self._of_currency(currency, known.precision)
        )

    def _of_currency(self, currency: str, precision: int) -> tuple[Decided, Units, tuple[str, str] | None]:
        if currency not in self._decided:
            decided = Decided(self._ctx, currency, precision)
            amounts = Units(self._table.readers.amount, precision, below=int(LARGEST_AMOUNT))
            self._decided[currency] = (decided, amounts, decided.shipping())
        return self._decided[currency]

    def _when(self, cells: tuple[str, ...], head: Head) -> When | None:
        if "orderDate" not in self._at:
            return None
        value = clean(self._kind["orderDate"], cells[self._at["orderDate"]])
        return head.decided.when(value) if isinstance(value, LocalTime) else None

    def _charged(self, cells: tuple[str, ...], head: Head) -> Charged | None:
        keys = []
        for name in ("invoiceAddress.email", "address.email", "customerId", "accountId", "buyerId"):
            cell = cells[self._at[name]] if name in self._at else ""
            value = clean(self._kind[name], cell) if cell else ""
            if not isinstance(value, str):
                return None
            keys.append(value.strip())
        return head.decided.charged((keys[0] or keys[1], keys[2], keys[3], keys[4], head.market))

    def _is_captured(self, cells: tuple[str, ...], head: Head, total: int | None) -> bool:
        """Whether nothing was captured, or all of the stated total."""
        cell = cells[self._at["payment.capture.amount"]] if "payment.capture.amount" in self._at else ""
        status = cells[self._at["payment.capture.status"]] if "payment.capture.status" in self._at else ""
        if status and not is_clean(self._kind["payment.capture.status"], status):
            return False
        return not cell or (bool(status.strip()) and total is not None and head.amounts[cell] == total)

    # Lines

    def _lines(self, groups: Rows, head: Head, when: When) -> list[Row] | str:
        """The lines in canonical order."""
        found = []
        cells_of, articles, prices = self._table.cells_of, self._articles, head.amounts
        tax_of, country, store, sign = head.decided.tax, head.country, head.store, head.sign
        for _, rows in groups:
            for _, cells in rows:
                own = cells_of(("", *cells))
                words = own[4:]
                article = articles.get(words)
                if article is None:
                    if not any(own):
                        continue
                    article = self._article(words, head)
                    if article is None:
                        return "a line whose texts are not plain"
                count, price, percent = self._quantities[own[0]], prices[own[1]], self._percents[own[2]]
                if not count or price is None or percent is None or count * sign < 0 or price < 0:
                    return "a line with a quantity, price or rate that is not plain"
                if own[3] and not is_clean(self._original, own[3]):
                    return "a line with a remark"
                if self._stated_at is not None and not self._is_stated(cells[self._stated_at], head, count * price):
                    return "a stated line total that differs"
                tax = tax_of(country, when, store, percent, article.sku)
                if tax is None:
                    return "a tax that is not plain"
                found.append(Row(article.keys, price, count, percent, article.names, count * price, article, tax))
        if len(found) > 1:
            found.sort(key=_ORDERED)
        return found

    def _is_stated(self, cell: str, head: Head, amount: int) -> bool:
        """Whether the file says nothing of what the line comes to, or just that."""
        return not cell or head.amounts[cell] == amount

    def _article(self, words: tuple[str, ...], head: Head) -> Article | None:
        if len(self._articles) >= KEPT:
            self._articles.clear()
        names = self._table.words_of(words)
        article = head.decided.article(names) if names is not None else None
        if article is not None:
            self._articles[words] = article
        return article

    # The plan

    def _quick(
        self, number: str, head: Head, when: When, charged: Charged, rows: list[Row], shipping: int, total: int
    ) -> Quick | str:
        precision = head.precision
        entries: list[str] = []
        booked: list[tuple[Tax, str, int]] = []
        weights: dict[Tax, int] = {}
        for place, (_, price, count, _, _, amount, article, tax) in enumerate(rows, 1):
            unit = text_of(price if amount >= 0 else -price, precision)
            entries.append(f'["p{place}",{article.kind},{abs(count)},"{unit}","gross",{tax.text},{article.what}]')
            booked.append((tax, article.category, amount))
            weights[tax] = weights.get(tax, 0) + abs(amount)
        if shipping:
            parts = self._shared(shipping, weights)
            if parts is None or head.shipping is None:
                return "shipping without goods of value, or taxed in a way of its own"
            what, category = head.shipping
            for place, (tax, amount) in enumerate(parts, 1):
                unit = text_of(amount, precision)
                entries.append(f'["s{place}","item",1,"{unit}","gross",{tax.text},{what}]')
                booked.append((tax, category, amount))
        is_negative = any(amount < 0 for _, _, amount in booked)
        if is_negative and self._ctx.mapping.settings.target.rebates == "block":
            return "negative amounts"
        taxes: dict[tuple[str, ...], Booked] = {}
        categories: dict[str, Booked] = {}
        for tax, category, amount in booked:
            codes = tax.codes
            net = half_up(amount * tax.under, tax.over) if codes else amount
            sums = taxes.get(codes, _NOTHING)
            taxes[codes] = (sums[0] + net, sums[1] + amount, bool(codes))
            sums = categories.get(category, _NOTHING)
            categories[category] = (sums[0] + net, sums[1] + amount, sums[2] or bool(codes))
        report = Report(
            number,
            head.currency,
            precision,
            total,
            charged.account_id,
            when.iso,
            when.month,
            len(rows),
            tuple(taxes.items()),
            tuple(categories.items()),
            (*_REBATES[is_negative], *_COMPANY[charged.is_company]),
        )
        signature = (*head[:3], head.sign, charged.key, tuple(taxes), bool(shipping), bool(rows), is_negative)
        return Quick(self._line(number, head, when, charged, entries), report, signature)

    def _shared(self, shipping: int, weights: dict[Tax, int]) -> list[tuple[Tax, int]] | None:
        sets = sorted(((-weight, tax.codes, tax) for tax, weight in weights.items() if weight), key=itemgetter(0, 1))
        if not sets or self._ctx.mapping.settings.shipping.tax != "proportional":
            return None
        sign = -1 if shipping < 0 else 1
        parts = share_units(abs(shipping), [-one[0] for one in sets], tie_keys=[one[1] for one in sets])
        return [(one[2], sign * part) for one, part in zip(sets, parts, strict=True) if part]

    def _line(self, number: str, head: Head, when: When, charged: Charged, entries: list[str]) -> bytes:
        """As `etl.model.plan.plan_line`."""
        notes = number.join(self._notes)
        service, enterprise = self._target
        return (
            f'[{RECIPE_VERSION},"{number}","ready","{Identity(self._store, number).marker}",{service},{enterprise},'
            f'{as_json(charged.account_id)},[],"{when.text}","{notes}",{self._grouping},"{head.currency}","","","",'
            f"[{','.join(entries)}],[]]\n"
        ).encode()
