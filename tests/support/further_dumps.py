"""Five more dumps, of shops that tell tax, shipping and numbers in ways of their own.

Taxes of lines beside rates of the order, a rate that stands once an order, numbers with month and year in them, a total
made by the tax that a column tells, prices in two columns: each writer as those of `strange_dumps`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from foreign_dumps import NAMES_EN, write_table
from strange_dumps import CENT, Item, Sale, Written, _continental, rounded

ZERO = Decimal(0)
FEE = Decimal("1.50")


def woo_answers(orders: Sequence[Sale], folder: Path) -> Written:
    """WooCommerce's REST API as it answers: net totals, taxes in amounts, rates on tax_lines only, a fee in a list."""
    records, totals, sold = [], {}, {}
    for at, order in enumerate(orders):
        lines, taxes = [], dict[Decimal, Decimal]()
        net = ZERO
        for number, item in enumerate(order.items):
            total = item.qty * item.net
            tax = rounded(total * item.rate / 100)
            net += total
            taxes[item.rate] = taxes.get(item.rate, ZERO) + tax
            lines.append({
                "id": number, "name": item.name, "sku": item.sku, "quantity": item.qty, "tax_class": "",
                "subtotal": f"{total}", "total": f"{total}", "total_tax": f"{tax}", "price": str(item.net),
                "taxes": [{"id": int(item.rate), "total": f"{tax}", "subtotal": ""}],
            })  # fmt: skip
        shipping = rounded(order.shipping / (1 + order.rate / 100))
        fee = FEE if at % 7 == 3 and order.items else ZERO
        shipping_tax, fee_tax = (rounded(one * order.rate / 100) for one in (shipping, fee))
        taxes[order.rate] = taxes.get(order.rate, ZERO) + shipping_tax + fee_tax
        tax = sum(taxes.values(), ZERO)
        totals[order.number] = net + shipping + fee + tax
        sold[order.number] = net + shipping + fee
        records.append({
            "id": int(order.number), "number": order.number, "status": "wc-completed", "currency": order.currency,
            "date_created": order.when.isoformat(), "prices_include_tax": False, "customer_id": 0,
            "shipping_total": f"{shipping}", "shipping_tax": f"{shipping_tax}", "cart_tax": f"{tax - shipping_tax}",
            "total": f"{totals[order.number]}", "total_tax": f"{tax}", "line_items": lines,
            "billing": {"email": order.email, "country": order.country}, "shipping": {"country": order.country},
            "payment_method": "stripe", "meta_data": [{"id": 1, "key": "_k", "value": "7"}],
            "tax_lines": [{"id": 9, "rate_code": f"R-{rate}", "rate_id": int(rate), "label": "VAT", "compound": False,
                           "tax_total": f"{amount}", "shipping_tax_total": "0.00", "rate_percent": str(rate)}
                          for rate, amount in taxes.items() if rate],
            "shipping_lines": [{"id": 3, "method_title": "Post", "total": f"{shipping}", "total_tax": f"{shipping_tax}"}],
            "fee_lines": [{"id": 4, "name": "Invoice", "total": f"{fee}", "total_tax": f"{fee_tax}"}] if fee else [],
            "coupon_lines": [],
        })  # fmt: skip
    path = folder / "orders.json"
    path.write_text(json.dumps(records), "utf-8")
    return Written([path], {**totals}, sold, is_net=True)


def _is_book(item: Item) -> bool:
    return item.sku[-1:] == "5"


def shopify_taxes(orders: Sequence[Sale], folder: Path) -> Written:
    """Shopify with its tax: order-level cells and `Tax 1 Name` on the first row only, some goods without tax."""
    header = ["Name", "Email", "Financial Status", "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code",
              "Discount Amount", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku",
              "Lineitem requires shipping", "Lineitem taxable", "Billing Country", "Shipping Country", "Tax 1 Name",
              "Tax 1 Value", "Tax 2 Name", "Tax 2 Value"]  # fmt: skip
    rows = []
    for order in orders:
        goods = sum((item.total for item in order.items), ZERO)
        taxed = sum((item.total for item in order.items if not _is_book(item)), ZERO)
        left = (goods - order.discount) / goods if goods else ZERO
        rate = order.rate
        base = taxed * left + order.shipping
        tax = rounded(base * rate / (100 + rate))
        first = [order.email, "paid", order.currency, f"{goods - order.discount}", f"{order.shipping}", f"{tax}",
                 f"{order.total}", order.voucher, f"{order.discount}", f"{order.when:%Y-%m-%d %H:%M:%S} +0000"]  # fmt: skip
        last = [
            order.country,
            order.country,
            f"GB VAT {rate.normalize():f}%" if tax else "",
            f"{tax}" if tax else "",
            "",
            "",
        ]
        for number, item in enumerate(order.items or (Item("", "", 0, ZERO, rate),)):
            line = [str(item.qty), item.name, f"{item.price}", item.sku, "true", str(not _is_book(item)).lower()]
            line = line if item.qty else [""] * 6
            rows.append(
                [f"#{order.number}", *(first if not number else [""] * 10), *line, *(last if not number else [""] * 6)]
            )
    path = folder / "orders_export.csv"
    write_table(path, header, rows)
    totals = {order.number: order.total for order in orders}
    return Written([path], {**totals}, totals)


def polish_numbers(orders: Sequence[Sale], folder: Path) -> Written:
    """A Polish shop: `ZAM/536365/12/2010`, Windows-1250, decimal commas with the rate as a word of percent."""
    header = ["Nr zamówienia", "Data zamówienia", "Status", "E-mail", "Kraj", "Waluta", "Symbol", "Nazwa towaru", "Ilość",
              "Cena brutto", "Stawka VAT", "Wartość brutto", "Koszt dostawy", "Rabat", "Razem brutto"]  # fmt: skip
    rows, totals, known_as = [], {}, {}
    for order in orders:
        known_as[f"{order.when:%Y%m}{order.number}"] = order.number
        number = f"ZAM/{order.number}/{order.when:%m/%Y}"
        totals[f"{order.when:%Y%m}{order.number}"] = order.total
        rows += [
            [number, f"{order.when:%d.%m.%Y}", "Zrealizowane", order.email,
                         NAMES_EN.get(order.country, order.country), order.currency, item.sku, item.name, str(item.qty),
                         _continental(item.price), f"{item.rate.normalize():f}%".replace(".", ","), _continental(item.total),
                         _continental(order.shipping), _continental(order.discount), _continental(order.total)]
            for item in order.items
        ]  # fmt: skip
    path = folder / "zamowienia.csv"
    write_table(path, header, rows, delimiter=";", encoding="cp1250")
    return Written([path], {**totals}, totals, known_as=known_as)


def danish_cut_tax(orders: Sequence[Sale], folder: Path) -> Written:
    """A Danish ERP: prices without tax, its tax cut at the cent, shipping with a rate of its own, a row of totals below."""
    header = ["Ordrenr.", "Ordredato", "Status", "E-mail", "Land", "Valuta", "Varenr.", "Varebeskrivelse", "Antal", "Pris ekskl. moms",
              "Moms %", "Fragt", "Fragt moms %", "Momsbeløb", "Total inkl. moms"]  # fmt: skip
    rows, totals, sold, sum_ = [], {}, {}, ZERO
    for order in orders:
        shipping = rounded(order.shipping / (1 + order.rate / 100))
        net = sum((item.qty * item.net for item in order.items), ZERO) + shipping
        exact = sum((item.qty * item.net * item.rate / 100 for item in order.items), ZERO) + shipping * order.rate / 100
        tax = exact.quantize(CENT, ROUND_DOWN)
        totals[order.number], sold[order.number] = net + tax, net
        sum_ += net + tax
        rows += [
            [f"SO-10-{order.number}", f"{order.when:%d-%m-%Y}", "Afsluttet", order.email, order.country, order.currency,
                         item.sku, item.name, str(item.qty), _continental(item.net), _continental(item.rate), _continental(shipping),
                         _continental(order.rate), _continental(tax), _continental(net + tax)]
            for item in order.items
        ]  # fmt: skip
    rows.append(["I alt", *[""] * 13, _continental(sum_)])
    path = folder / "ordrer.csv"
    write_table(path, header, rows, delimiter=";", encoding="cp1252")
    return Written([path], {**totals}, sold, is_net=True)


def presta_json(orders: Sequence[Sale], folder: Path) -> Written:
    """PrestaShop's web service: lines below `associations`, prices with and without tax, the carrier's rate on the order."""
    records = []
    for order in orders:
        rows = [
            {"id": at, "product_id": str(at + 1), "product_reference": item.sku, "product_name": item.name,
             "product_quantity": str(item.qty), "unit_price_tax_incl": f"{item.price:.6f}",
             "unit_price_tax_excl": f"{item.price / (1 + item.rate / 100):.6f}", "tax_rate": f"{item.rate:.3f}"}
            for at, item in enumerate(order.items)
        ]  # fmt: skip
        records.append({
            "id": int(order.number), "reference": f"REF{order.number}", "date_add": f"{order.when:%Y-%m-%d %H:%M:%S}",
            "current_state": "Delivered", "currency_iso": order.currency, "customer_email": order.email,
            "delivery_country_iso": order.country, "payment": "Bank wire",
            "total_paid_tax_incl": f"{order.total:.6f}", "total_shipping_tax_incl": f"{order.shipping:.6f}",
            "carrier_tax_rate": f"{order.rate:.3f}", "total_discounts_tax_incl": f"{order.discount:.6f}",
            "associations": {"order_rows": rows},
        })  # fmt: skip
    path = folder / "presta.json"
    path.write_text(json.dumps({"orders": records}), "utf-8")
    totals = {order.number: order.total for order in orders}
    return Written([path], {**totals}, totals)


def without(names: str, writer: Callable[[Sequence[Sale], Path], Written]) -> Callable[[Sequence[Sale], Path], Written]:
    """The writer for a shop that has no discounts, or no orders without goods either."""

    def write(orders: Sequence[Sale], folder: Path) -> Written:
        kept = [order for order in orders if order.items or "empty" not in names]
        plain = [replace(one, discount=ZERO, voucher="", total=one.total + one.discount) for one in kept]
        return writer(plain if "discount" in names else kept, folder)

    return write


FURTHER: dict[str, Callable[[Sequence[Sale], Path], Written]] = {
    "woo_answers": without("discount", woo_answers),
    "shopify_taxes": shopify_taxes,
    "polish_numbers": without("empty", polish_numbers),
    "danish_cut_tax": without("discount empty", danish_cut_tax),
    "presta_json": presta_json,
}
