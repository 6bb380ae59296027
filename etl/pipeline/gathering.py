"""What an export holds that a mapping may name: keys with their count and money, rates with their periods. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from etl.mapping.scaffold import DumpFacts, Found, RateFact
from etl.model.order import Line, Order

_KEYS = ("sku", "ean", "id", "item")


@dataclass(slots=True)
class _Heap:
    """One key while it is counted."""

    note: str = ""
    count: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)

    def add(self, currency: str, amount: Decimal, note: str = "") -> None:
        self.note = self.note or note
        self.count += 1
        self.money[currency] = self.money.get(currency, Decimal(0)) + amount


class Gathered:
    """Every SKU, country x VAT rate x period, market, account key, code and method of the orders, with their money."""

    def __init__(self, default_country: str = "") -> None:
        """`default_country`: that of orders without one (`source.default_country`)."""
        self._default_country = default_country
        self._keys: dict[str, dict[str, _Heap]] = defaultdict(dict)
        self._rates: dict[tuple[str, Decimal | None], list[Any]] = {}
        self._named: dict[str, Counter[str]] = defaultdict(Counter)
        self._own_shipping = 0
        self._days: Counter[date] = Counter()

    def add(self, order: Order) -> None:
        """Counts one order."""
        country = order.delivery_country or order.invoice_country or self._default_country
        day = order.order_date.wall.date() if order.order_date else None
        if day is not None:
            self._days[day] += 1
        for line in order.lines:
            self._add_line(line, order.currency, country, day)
        self._add_shipping(order, country, day)
        for name, text in _texts(order):
            if text:
                self._named[name][text] += 1
        total = order.order_total
        if total is None:
            total = sum((line.total for line in order.lines), order.beside_goods)
        who = f"{order.first_name} {order.last_name}".strip()
        for name, key in (
            ("email", order.email),
            ("customerId", order.customer_id),
            ("accountId", order.account_id),
            ("buyerId", order.buyer_id),
            ("market", order.market),
        ):
            if key:
                self._heap(name, key).add(order.currency, total, "" if name == "market" else who)

    def _heap(self, name: str, key: str) -> _Heap:
        return self._keys[name].setdefault(key, _Heap())

    def _add_line(self, line: Line, currency: str, country: str, day: date | None) -> None:
        for name in _KEYS:
            if key := getattr(line, name):
                self._heap(name, key).add(currency, line.total, line.product)
        # What its accounting category may go by: the brand, else the product.
        if key := line.brand or line.product:
            self._heap("brand" if line.brand else "product", key).add(currency, line.total)
        row = self._rate(country, line.vat_percent, day)
        row[2] += 1
        row[3][currency] = row[3].get(currency, Decimal(0)) + line.total

    def _add_shipping(self, order: Order, country: str, day: date | None) -> None:
        """Counts a rate of the shipping that no line of the order has: it needs a row of taxes.csv too."""
        percent = order.shipping_percent
        if order.shipping and percent is not None and {line.vat_percent for line in order.lines} != {percent}:
            self._own_shipping += 1
            self._rate(country, percent, day)

    def _rate(self, country: str, percent: Decimal | None, day: date | None) -> list[Any]:
        row = self._rates.setdefault((country, percent), [day, day, 0, {}])
        if day is not None:
            row[0], row[1] = min(row[0] or day, day), max(row[1] or day, day)
        return row

    def facts(self) -> DumpFacts:
        """All of it."""
        rates = sorted(self._rates.items(), key=lambda item: (item[0][0], item[0][1] is not None, item[0][1] or 0))
        found = {
            name: {key: Found(heap.note, heap.count, heap.money) for key, heap in heaps.items()}
            for name, heaps in self._keys.items()
        }
        return DumpFacts(
            skus=found.get("sku", {}),
            eans=found.get("ean", {}),
            ids=found.get("id", {}),
            items=found.get("item", {}),
            countries_rates=[RateFact(country, percent, *row) for (country, percent), row in rates],
            emails=found.get("email", {}),
            customer_ids=found.get("customerId", {}),
            account_ids=found.get("accountId", {}),
            buyer_ids=found.get("buyerId", {}),
            markets=found.get("market", {}),
            currencies=[code for code, _ in self._named["currency"].most_common()],
            voucher_codes=list(self._named["voucher"]),
            payment_methods=list(self._named["method"]),
            brands=found.get("brand", {}),
            products=found.get("product", {}),
            store_types=list(self._named["store_type"]),
            statuses=list(self._named["status"]),
            own_shipping=self._own_shipping,
            days=self._days,
        )


def _texts(order: Order) -> Iterator[tuple[str, str]]:
    yield from (("currency", order.currency), ("store_type", order.store_type), ("status", order.status))
    yield "voucher", order.voucher_code
    yield from (("voucher", voucher.code) for voucher in order.vouchers)
    yield from (("method", payment.method) for payment in order.payments)


def gather(orders: Iterable[Order]) -> DumpFacts:
    """What the orders hold."""
    gathered = Gathered()
    for order in orders:
        gathered.add(order)
    return gathered.facts()
