"""Three more dumps of other programs, unlike the others: a till, PrestaShop with each price twice, BigCommerce's API."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from foreign_dumps import NAMES_EN, write_table
from strange_dumps import Sale, Written, rounded

_OFF = Decimal("0.50")


def _comma(amount: Decimal) -> str:
    return f"{amount:.2f}".replace(".", ",")


def dutch_till(orders: Sequence[Sale], folder: Path) -> Written:
    """A Dutch till: semicolons, day and time in two columns, a discount on some lines, no status, currency or country."""
    header = ["Bonnummer", "Datum", "Tijd", "Filiaal", "Kassier", "Artikelcode", "Omschrijving", "Aantal", "Prijs", "Korting",
              "BTW %", "Regelbedrag", "Totaal bon", "Betaalwijze"]  # fmt: skip
    rows: list[Sequence[str]] = []
    totals: dict[str, Decimal | None] = {}
    for at, order in enumerate(orders):
        lines = []
        for place, item in enumerate(order.items):
            off = _OFF if (at + place) % 4 == 0 else Decimal(0)
            lines.append((item, off, item.total - off))
        total = sum((amount for _, _, amount in lines), Decimal(0))
        totals[order.number] = total
        rows += [
            [order.number, f"{order.when:%d-%m-%Y}", f"{order.when:%H:%M}", "Hotelwinkel", "Anneke", item.sku, item.name,
             str(item.qty), _comma(item.price), _comma(off), f"{item.rate:.0f}", _comma(amount), _comma(total), "PIN"]
            for item, off, amount in lines
        ]  # fmt: skip
    path = folder / "kassabonnen.csv"
    write_table(path, header, rows, delimiter=";", lineterminator="\r\n", encoding="cp1252")
    return Written([path], totals, {number: total or Decimal(0) for number, total in totals.items()})


def prestashop(orders: Sequence[Sale], folder: Path) -> Written:
    """PrestaShop's orders with their details: every amount with and without tax, six decimals."""
    header = ["id_order", "reference", "date_add", "order_state", "payment", "iso_code", "id_customer", "email", "country_iso",
              "total_paid_tax_incl", "total_paid_tax_excl", "total_products", "total_products_wt", "total_shipping_tax_incl",
              "total_shipping_tax_excl", "total_discounts_tax_incl", "total_discounts_tax_excl", "product_id", "product_reference",
              "product_name", "product_quantity", "unit_price_tax_incl", "unit_price_tax_excl", "total_price_tax_incl",
              "total_price_tax_excl", "tax_rate"]  # fmt: skip
    rows: list[Sequence[str]] = []
    for order in orders:
        share = 1 + order.rate / 100
        goods = sum((item.total for item in order.items), Decimal(0))
        net_goods = sum((item.qty * item.net for item in order.items), Decimal(0))
        head = [order.number, f"REF{order.number}", f"{order.when:%Y-%m-%d %H:%M:%S}", "Delivered", "Payment by check", order.currency,
                order.customer, order.email, order.country, _six(order.total), _six(order.total / share), _six(net_goods),
                _six(goods), _six(order.shipping), _six(order.shipping / share), _six(order.discount),
                _six(order.discount / share)]  # fmt: skip
        rows += [
            [*head, str(100 + at), item.sku, item.name, str(item.qty), _six(item.price), _six(item.price / (1 + item.rate / 100)),
             _six(item.total), _six(item.total / (1 + item.rate / 100)), f"{item.rate:.3f}"]
            for at, item in enumerate(order.items)
        ]  # fmt: skip
    path = folder / "ps_orders.csv"
    write_table(path, header, rows, delimiter=";", lineterminator="\n", quoting=1)
    return Written([path], {o.number: o.total for o in orders}, {o.number: o.total for o in orders})


def _six(amount: Decimal) -> str:
    return f"{amount:.6f}"


def bigcommerce(orders: Sequence[Sale], folder: Path) -> Written:
    """BigCommerce's V2 orders with their products: dates of letters, four decimals as text, no rate on lines."""
    path = folder / "bc_orders.json"
    path.write_text(json.dumps([_bigcommerce(order) for order in orders]), "utf-8")
    totals: dict[str, Decimal | None] = {order.number: order.total for order in orders}
    rates = {order.country: f"{order.rate.normalize():f}" for order in orders}
    return Written([path], totals, {order.number: order.total for order in orders}, rates=rates)


def _bigcommerce(order: Sale) -> dict[str, Any]:
    share = 1 + order.rate / 100
    goods = sum((item.total for item in order.items), Decimal(0))

    def pair(name: str, amount: Decimal) -> dict[str, str]:
        net = rounded(amount / share)
        return {
            f"{name}_ex_tax": f"{net:.4f}",
            f"{name}_inc_tax": f"{amount:.4f}",
            f"{name}_tax": f"{amount - net:.4f}",
        }

    return {
        "id": int(order.number), "customer_id": int(order.customer or 0), "date_created": f"{order.when:%a, %d %b %Y %H:%M:%S} +0000",
        "date_modified": f"{order.when:%a, %d %b %Y %H:%M:%S} +0000", "status_id": 2, "status": "Shipped", "cart_id": f"c-{order.number}",
        **pair("subtotal", goods), **pair("shipping_cost", order.shipping), **pair("total", order.total),
        "handling_cost_inc_tax": "0.0000", "items_total": sum(item.qty for item in order.items), "payment_method": "Manual",
        "payment_status": "captured", "refunded_amount": "0.0000", "store_credit_amount": "0.0000", "gift_certificate_amount": "0.0000",
        "currency_code": order.currency, "default_currency_code": order.currency, "discount_amount": "0.0000",
        "coupon_discount": f"{order.discount:.4f}", "is_deleted": False, "staff_notes": "",
        "billing_address": {"first_name": "A", "last_name": "Guest", "email": order.email,
                            "country": NAMES_EN.get(order.country, ""), "country_iso2": order.country},
        "products": [
            {"id": at, "order_id": int(order.number), "product_id": 70 + at, "name": item.name, "sku": item.sku, "type": "physical",
             "base_price": f"{item.price:.4f}", "price_ex_tax": f"{item.net:.4f}", "price_inc_tax": f"{item.price:.4f}",
             "price_tax": f"{item.price - item.net:.4f}", "total_inc_tax": f"{item.total:.4f}", "quantity": item.qty, "refund_amount": "0.0000"}
            for at, item in enumerate(order.items, 1)
        ],
    }  # fmt: skip


MORE: dict[str, Callable[[Sequence[Sale], Path], Written]] = {
    "dutch_till": dutch_till,
    "prestashop": prestashop,
    "bigcommerce": bigcommerce,
}
