"""Ten more dumps, unlike each other and those of `foreign_dumps`: sheets that belong together, prices without tax, shipping as a
line, totals that are missing, numbers with a year in front, lists in lists, words that nobody has translated yet.

Each writer takes the rows of a flat export with Centra's names, and gives the paths with the totals that it wrote: where
a shop counts without tax, its totals are not those of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import xlsxwriter
from foreign_dumps import NAMES_DE, NAMES_EN, Row, write_table

CENT = Decimal("0.01")
NAMES_FR = {
    "GB": "Royaume-Uni",
    "DE": "Allemagne",
    "FR": "France",
    "IE": "Irlande",
    "NL": "Pays-Bas",
    "ES": "Espagne",
    "BE": "Belgique",
}
NAMES_IT = {
    "GB": "Regno Unito",
    "DE": "Germania",
    "FR": "Francia",
    "IE": "Irlanda",
    "NL": "Paesi Bassi",
    "ES": "Spagna",
}


@dataclass(frozen=True)
class Item:
    """A line of an order; `price` with tax."""

    sku: str
    name: str
    qty: int
    price: Decimal
    rate: Decimal

    @property
    def total(self) -> Decimal:
        """With tax."""
        return self.qty * self.price

    @property
    def net(self) -> Decimal:
        """The price without tax, as a shop that counts so would have set it."""
        return rounded(self.price / (1 + self.rate / 100))


@dataclass(frozen=True)
class Sale:
    """An order, as any shop would know it."""

    number: str
    when: datetime
    currency: str
    customer: str
    email: str
    country: str
    shipping: Decimal
    voucher: str
    discount: Decimal
    total: Decimal
    items: tuple[Item, ...]

    @property
    def rate(self) -> Decimal:
        """The highest rate of its lines."""
        return max((item.rate for item in self.items), default=Decimal("17.5"))


@dataclass(frozen=True)
class Written:
    """A dump: its files, the total of each order (None where the dump has none), and what the shop sold in its own basis.

    `known_as`: order number -> the shop's own, where numbers are written with more digits. `rates`: country -> rate, for a person to write where lines have none. `sold`: the total where prices are with tax, else the sum without it, as design section 6 counts the source.
    """

    paths: list[Path]
    totals: dict[str, Decimal | None]
    sold: dict[str, Decimal]
    is_net: bool = False
    rates: dict[str, str] = field(default_factory=dict)
    known_as: dict[str, str] = field(default_factory=dict)


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def sales(rows: Sequence[Row]) -> list[Sale]:
    """The orders of flat rows."""
    return [_sale(list(group)) for _, group in groupby(rows, key=lambda row: row["orderNumber"])]


def _sale(rows: Sequence[Row]) -> Sale:
    one = rows[0]
    items = [
        Item(row["products.sku"], row["products.itemText.product"], int(row["products.qty"]),
             Decimal(row["products.unitPrice"]), Decimal(row["products.vatPercent"] or 0))
        for row in rows if row["products.qty"]
    ]  # fmt: skip
    return Sale(
        number=one["orderNumber"],
        when=datetime.fromisoformat(one["orderDate"]),
        currency=one["currency"],
        customer=one["customerId"],
        email=one["invoiceAddress.email"],
        country=one["deliveryAddress.country"],
        shipping=Decimal(one["shippingValue"]),
        voucher=one["voucherCode"],
        discount=Decimal(one["voucherValue"]),
        total=Decimal(one["orderTotal"]),
        items=tuple(items),
    )


def _gross(paths: list[Path], orders: Sequence[Sale]) -> Written:
    totals = {order.number: order.total for order in orders}
    return Written(paths, {**totals}, totals)


def _continental(amount: Decimal) -> str:
    """1.234,50"""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def german_invoices(orders: Sequence[Sale], folder: Path) -> Written:
    """An ERP's list of invoices: a year in the number, thousands with points, shipping as a line, a row of sums below."""
    header = ["Rechnung Nr.", "vom", "Zustand", "Kd.-Nr.", "Kundengruppe", "Lieferland", "Pos.", "Art.-Nr.", "Artikelbezeichnung",
              "Anzahl", "Einzelpreis (brutto)", "USt.-Satz", "Betrag (brutto)", "Nachlass", "Rechnungsbetrag (brutto)", "Whg."]  # fmt: skip
    lines = []
    for order in orders:
        items = [*order.items]
        if order.shipping:
            items.append(Item("PORTO", "Versand", 1, order.shipping, order.rate))
        own = ["RE2010-" + order.number, f"{order.when:%d.%m.%Y}", "Rechnung gestellt", order.customer, "Endverbraucher",
               NAMES_DE.get(order.country, order.country)]  # fmt: skip
        for at, item in enumerate(items or [None], 1):  # type: ignore[list-item]
            part = ([str(at), item.sku, item.name, str(item.qty), _continental(item.price), f"{_continental(item.rate)} %",
                     _continental(item.total)] if item else [""] * 7)  # fmt: skip
            lines.append([*own, *part, _continental(order.discount), _continental(order.total), order.currency])
    sums = ["Summe", *[""] * 13, _continental(sum((order.total for order in orders), Decimal(0))), ""]
    path = folder / "Rechnungen Dezember.csv"
    write_table(path, header, [*lines, sums], delimiter=";", lineterminator="\r\n", encoding="cp1252")
    return _gross([path], orders)


_SHOPIFY_HEADER = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,"
    "Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,Billing Name,"
    "Billing Street,Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,"
    "Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,"
    "Payment Reference,Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,Id,Tags,Risk Level,Source,"
    "Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Receipt Number,Duties,Billing Province Name,"
    "Shipping Province Name,Payment ID,Payment Terms Name,Next Payment Due At,Payment References"
)
SHOPIFY = _SHOPIFY_HEADER.split(",")


def shopify_full(orders: Sequence[Sale], folder: Path) -> Written:
    """Shopify's export with all of its columns: the tax on an order's first row only, orders at the seam in both files."""
    paths = []
    half = len(orders) // 2
    for name, some in (("orders_export_1.csv", orders[: half + 2]), ("orders_export_2.csv", orders[half:])):
        rows = [
            [cells.get(column, "") for column in SHOPIFY]
            for order in some
            for cells in _shopify_rows(order)
        ]  # fmt: skip
        write_table(folder / name, SHOPIFY, rows, lineterminator="\n")
        paths.append(folder / name)
    return _gross(paths, orders)


def _shopify_rows(order: Sale) -> list[dict[str, str]]:
    goods = sum((item.total for item in order.items), Decimal(0))
    tax = rounded(order.total * order.rate / (100 + order.rate))
    when = f"{order.when:%Y-%m-%d %H:%M:%S} +0000"
    first = {
        "Financial Status": "paid", "Paid at": when, "Fulfillment Status": "fulfilled", "Fulfilled at": when,
        "Accepts Marketing": "no", "Currency": order.currency, "Subtotal": f"{goods - order.discount:.2f}",
        "Shipping": f"{order.shipping:.2f}", "Taxes": f"{tax:.2f}", "Total": f"{order.total:.2f}", "Discount Code": order.voucher,
        "Discount Amount": f"{order.discount:.2f}", "Shipping Method": "Standard", "Billing Name": "A. Guest",
        "Billing Country": order.country, "Shipping Country": order.country, "Payment Method": "Shopify Payments",
        "Payment Reference": f"c{order.number}.1", "Refunded Amount": "0.00", "Outstanding Balance": "0.00",
        "Id": f"41{order.number}0007", "Risk Level": "Low", "Source": "web", "Tax 1 Name": f"GB VAT {order.rate.normalize():f}%",
        "Tax 1 Value": f"{tax:.2f}", "Payment ID": f"c{order.number}.1",
    }  # fmt: skip
    rows = [
        {"Lineitem quantity": str(item.qty), "Lineitem name": item.name, "Lineitem price": f"{item.price:.2f}",
         "Lineitem sku": item.sku, "Lineitem requires shipping": "true", "Lineitem taxable": "true",
         "Lineitem fulfillment status": "fulfilled", "Vendor": "Gift Co", "Lineitem discount": "0.00"}
        for item in order.items
    ] or [{}]  # fmt: skip
    same = {"Name": f"#{order.number}", "Email": order.email, "Created at": when}
    return [same | (first if not at else {}) | row for at, row in enumerate(rows)]


def erp_two_sheets(orders: Sequence[Sale], folder: Path) -> Written:
    """An ERP's workbook: headers on one sheet, lines on another, a sheet that explains the codes."""
    path = folder / "Posted Sales Invoices.xlsx"
    with xlsxwriter.Workbook(path) as book:
        days = book.add_format({"num_format": "dd-mm-yyyy"})
        heads, lines = book.add_worksheet("Sales Invoice Header"), book.add_worksheet("Sales Invoice Line")
        heads.write_row(0, 0, ["No.", "Sell-to Customer No.", "Posting Date", "Document Status", "Currency Code", "Ship-to Country/Region Code",
                               "Sell-to E-Mail", "Freight", "Invoice Discount Amount", "Amount Including VAT"])  # fmt: skip
        lines.write_row(0, 0, ["Document No.", "Line No.", "Type", "Item No.", "Description", "Quantity", "Unit of Measure",
                               "Unit Price Incl. VAT", "VAT %", "Amount Including VAT (line)"])  # fmt: skip
        row = 0
        for at, order in enumerate(orders, 1):
            number = f"PSI-{order.number}"
            heads.write_row(at, 0, [number, order.customer])
            heads.write_datetime(at, 2, order.when.replace(hour=0, minute=0, second=0), days)
            heads.write_row(at, 3, ["Released", order.currency, order.country, order.email])
            for column, amount in enumerate((order.shipping, order.discount, order.total), 7):
                heads.write_number(at, column, float(amount))
            for place, item in enumerate(order.items, 1):
                row += 1
                lines.write_row(row, 0, [number, place * 10000, "Item"])
                lines.write_string(row, 3, item.sku)
                lines.write_string(row, 4, item.name)
                lines.write_row(row, 5, [item.qty, "PCS", float(item.price), float(item.rate), float(item.total)])
        book.add_worksheet("Codes").write_row(0, 0, ["Released", "the invoice is in the ledger"])
    return _gross([path], orders)


def french_net(orders: Sequence[Sale], folder: Path) -> Written:
    """A French trade shop: prices without tax, each order's total with it, the tax as an amount of the order."""
    header = ["N° facture", "Date de facturation", "État", "Devise", "Client", "Courriel", "Pays", "Code article", "Libellé", "Qté",
              "P.U. HT", "Taux TVA", "Total ligne HT", "Port HT", "Remise HT", "Total HT", "Montant TVA", "Net à payer TTC"]  # fmt: skip
    rows, totals, sold = [], dict[str, Decimal | None](), dict[str, Decimal]()
    for order in orders:
        factor = 1 + order.rate / 100
        shipping, discount = rounded(order.shipping / factor), rounded(order.discount / factor)
        goods = sum((item.qty * item.net for item in order.items), Decimal(0))
        taxed = sum((item.qty * item.net * (1 + item.rate / 100) for item in order.items), Decimal(0))
        net, total = goods + shipping - discount, rounded(taxed + (shipping - discount) * factor)
        totals[order.number], sold[order.number] = total, net
        own = [f"FA-{order.number}", f"{order.when:%d/%m/%Y}", "Réglée", order.currency, order.customer, order.email,
               NAMES_FR.get(order.country, order.country)]  # fmt: skip
        sums = [_comma(shipping), _comma(discount), _comma(net), _comma(total - net), _comma(total)]
        rows += [
            [*own, item.sku, item.name, str(item.qty), _comma(item.net), f"{_comma(item.rate)}%", _comma(item.qty * item.net), *sums]
            for item in order.items
        ]  # fmt: skip
        if not order.items:
            rows.append([*own, *[""] * 6, *sums])
    path = folder / "factures.csv"
    write_table(path, header, rows, delimiter=";", lineterminator="\r\n", encoding="utf-8-sig")
    return Written([path], totals, sold, is_net=True)


def _comma(amount: Decimal) -> str:
    return f"{amount:.2f}".replace(".", ",")


def italian(orders: Sequence[Sale], folder: Path) -> Written:
    """An Italian shop: a currency sign before each amount, months in words, empty totals on some orders."""
    months = ("gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic")
    header = ["N. ordine", "Data ordine", "Stato ordine", "Paese", "Indirizzo e-mail", "Codice articolo", "Descrizione", "Quantità",
              "Prezzo unitario (IVA inclusa)", "Aliquota IVA", "Spese di spedizione", "Sconto", "Totale ordine", "Metodo di pagamento"]  # fmt: skip
    rows, totals, sold = [], dict[str, Decimal | None](), dict[str, Decimal]()
    for at, order in enumerate(orders):
        is_missing = at % 40 == 7
        totals[order.number], sold[order.number] = None if is_missing else order.total, order.total
        own = [order.number, f"{order.when.day} {months[order.when.month - 1]} {order.when.year}", "Pagato",
               NAMES_IT.get(order.country, NAMES_EN.get(order.country, order.country)), order.email]  # fmt: skip
        sums = [
            _euro(order.shipping),
            _euro(order.discount),
            "" if is_missing else _euro(order.total),
            "Carta di credito",
        ]
        rows += [
            [*own, item.sku, item.name, str(item.qty), _euro(item.price), _comma(item.rate), *sums]
            for item in order.items
        ]
        if not order.items:
            rows.append([*own, *[""] * 5, *sums])
    path = folder / "ordini.csv"
    write_table(path, header, rows, delimiter=",", lineterminator="\n")
    return Written([path], totals, sold)


def _euro(amount: Decimal) -> str:
    return f"£ {_continental(amount)}" if amount >= 0 else f"-£ {_continental(-amount)}"


def sheet_of_a_clerk(orders: Sequence[Sale], folder: Path) -> Written:
    """A table from an online spreadsheet as tabs: a title, the order's cells on its first row, sums between and below."""
    header = ["Order #", "Placed", "Order state", "Ship to", "Item", "SKU / code", "Units", "Unit price", "VAT", "Postage", "Money off",
              "Order total"]  # fmt: skip
    rows: list[Sequence[str]] = []
    for order in orders:
        own = [order.number, f"{order.when:%d %b %Y}", "Sent", NAMES_EN.get(order.country, order.country)]
        sums = [f"{order.shipping:.2f}", f"{order.discount:.2f}", f"{order.total:,.2f}"]
        parts = [
            [item.name, item.sku, str(item.qty), f"{item.price:,.2f}", f"{item.rate.normalize():f}%"]
            for item in order.items
        ]
        for at, part in enumerate(parts or [[""] * 5]):
            rows.append([*(own if not at else [order.number, "", "", ""]), *part, *(sums if not at else [""] * 3)])
    rows.append(["Total", *[""] * 10, f"{sum((order.total for order in orders), Decimal(0)):,.2f}"])
    path = folder / "Web shop - December.tsv"
    write_table(path, ["Web shop orders"], [[], header, *rows], delimiter="\t", lineterminator="\n")
    return _gross([path], orders)


def woocommerce_rest(orders: Sequence[Sale], folder: Path) -> Written:
    """WooCommerce's real answer: lines without tax, tax as amounts, shipping and coupons as lists of their own."""
    totals: dict[str, Decimal | None] = {}
    sold: dict[str, Decimal] = {}
    objects = []
    for order in orders:
        factor = 1 + order.rate / 100
        shipping = rounded(order.shipping / factor)
        lines = []
        tax = rounded(shipping * order.rate / 100)
        total = shipping + tax
        for at, item in enumerate(order.items, 1):
            net = item.qty * item.net
            line_tax = rounded(net * item.rate / 100)
            tax += line_tax
            total += net + line_tax
            lines.append({"id": at, "name": item.name, "product_id": 10 + at, "variation_id": 0, "quantity": item.qty, "tax_class": "",
                          "subtotal": f"{net:.2f}", "subtotal_tax": f"{line_tax:.2f}", "total": f"{net:.2f}", "total_tax": f"{line_tax:.2f}",
                          "taxes": [{"id": 75, "total": f"{line_tax:.2f}", "subtotal": f"{line_tax:.2f}"}], "meta_data": [],
                          "sku": item.sku, "price": float(item.net)})  # fmt: skip
        totals[order.number], sold[order.number] = total, total - tax
        objects.append({
            "id": int(order.number), "parent_id": 0, "number": order.number, "order_key": f"wc_order_{order.number}",
            "created_via": "checkout", "version": "8.1.0", "status": "completed", "currency": order.currency,
            "date_created": f"{order.when:%Y-%m-%dT%H:%M:%S}", "date_created_gmt": f"{order.when:%Y-%m-%dT%H:%M:%S}",
            "date_modified": f"{order.when:%Y-%m-%dT%H:%M:%S}", "discount_total": "0.00", "discount_tax": "0.00",
            "shipping_total": f"{shipping:.2f}", "shipping_tax": f"{rounded(shipping * order.rate / 100):.2f}",
            "cart_tax": f"{tax - rounded(shipping * order.rate / 100):.2f}", "total": f"{total:.2f}", "total_tax": f"{tax:.2f}",
            "prices_include_tax": False, "customer_id": int(order.customer or 0), "customer_ip_address": "10.0.0.1",
            "customer_note": "", "billing": {"first_name": "A", "last_name": "Guest", "email": order.email, "country": order.country},
            "shipping": {"first_name": "A", "last_name": "Guest", "country": order.country}, "payment_method": "bacs",
            "payment_method_title": "Bank", "transaction_id": "", "date_paid": f"{order.when:%Y-%m-%dT%H:%M:%S}", "cart_hash": "",
            "meta_data": [], "line_items": lines,
            "tax_lines": [{"id": 9, "rate_code": "GB-VAT-1", "rate_id": 75, "label": "VAT", "compound": False, "tax_total": f"{tax:.2f}",
                           "shipping_tax_total": "0.00", "rate_percent": float(order.rate)}],
            "shipping_lines": [{"id": 8, "method_title": "Flat rate", "method_id": "flat_rate", "total": f"{shipping:.2f}"}],
            "fee_lines": [], "coupon_lines": [], "refunds": [],
        })  # fmt: skip
    path = folder / "orders.json"
    path.write_text(json.dumps(objects, indent=1), "utf-8")
    rates = {order.country: f"{order.rate.normalize():f}" for order in orders if order.items}
    return Written([path], totals, sold, is_net=True, rates=rates)


def magento_lines(orders: Sequence[Sale], folder: Path) -> Written:
    """Magento, one order a line: amounts of the base currency beside them, discounts below zero, a list in a list."""
    path = folder / "sales_order.ndjson"
    path.write_text("".join(json.dumps(_magento(order)) + "\n" for order in orders), "utf-8")
    return _gross([path], orders)


def _magento(order: Sale) -> dict[str, Any]:
    tax = rounded(order.total * order.rate / (100 + order.rate))
    return {
        "increment_id": f"{int(order.number):09d}", "entity_id": int(order.number) % 90_000, "store_name": "Main Website\nEnglish",
        "created_at": f"{order.when:%Y-%m-%d %H:%M:%S}", "status": "complete", "state": "complete", "is_virtual": 0,
        "order_currency_code": order.currency, "base_currency_code": order.currency, "base_grand_total": float(order.total),
        "grand_total": float(order.total), "subtotal_incl_tax": float(sum((item.total for item in order.items), Decimal(0))),
        "shipping_amount": float(rounded(order.shipping / (1 + order.rate / 100))), "shipping_incl_tax": float(order.shipping),
        "discount_amount": float(-order.discount), "tax_amount": float(tax), "total_paid": float(order.total), "total_due": 0,
        "customer_email": order.email or None, "customer_id": int(order.customer) if order.customer else None,
        "billing_address": {"country_id": order.country, "firstname": "A", "lastname": "Guest", "street": ["1 High Street"]},
        "items": [
            {"item_id": at, "sku": item.sku, "name": item.name, "product_type": "simple", "qty_ordered": item.qty, "qty_invoiced": item.qty,
             "price": float(item.net), "price_incl_tax": float(item.price), "base_price": float(item.net),
             "tax_percent": float(item.rate), "row_total": float(item.net * item.qty), "row_total_incl_tax": float(item.total),
             "discount_amount": 0}
            for at, item in enumerate(order.items, 1)
        ],
        "payment": {"method": "checkmo", "amount_ordered": float(order.total), "additional_information": ["Check / Money order"]},
        "extension_attributes": {"shipping_assignments": [{"shipping": {"address": {"country_id": order.country}, "method": "flat"},
                                                           "items": [{"sku": item.sku} for item in order.items]}]},
    }  # fmt: skip


def integration_edges(orders: Sequence[Sale], folder: Path) -> Written:
    """Centra's Integration API asked for connections: nodes in edges, totals and discounts as lists, fields left out."""
    nodes = [{"node": _edge(order), "cursor": order.number} for order in orders]
    path = folder / "orders-page.json"
    path.write_text(json.dumps({"data": {"orderConnection": {"totalCount": len(nodes), "edges": nodes}}}), "utf-8")
    return _gross([path], orders)


def _edge(order: Sale) -> dict[str, Any]:
    def money(amount: Decimal) -> dict[str, Any]:
        return {
            "value": float(amount),
            "formattedValue": f"{amount:.2f} {order.currency}",
            "currency": {"code": order.currency},
        }

    return {
        "id": f"a1b2c3{order.number}", "number": int(order.number), "status": "ARCHIVED", "isOnHold": False, "isInternal": False,
        "createdAt": f"{order.when:%Y-%m-%dT%H:%M:%S}+00:00", "store": {"id": 1, "name": "Retail", "type": "DIRECT_TO_CONSUMER"},
        "market": {"id": 1, "name": "World"}, "grandTotal": money(order.total),
        "totals": {"shipping": money(order.shipping), "discounts": money(-order.discount), "handling": money(Decimal(0))},
        "customer": {"id": int(order.customer or 0), "email": order.email} if order.email else None,
        "shippingAddress": {"firstName": "A", "lastName": "Guest", "country": {"code": order.country, "name": NAMES_EN.get(order.country, "")}},
        "billingAddress": {"country": {"code": order.country}, "email": order.email},
        "discountsApplied": [{"value": money(-order.discount), "discount": {"name": "Off", "code": order.voucher, "type": "VOUCHER"}}]
        if order.discount else [],
        "lines": [
            {"__typename": "ProductOrderLine", "id": at, "quantity": item.qty, "taxPercent": float(item.rate), "unitPrice": money(item.price),
             "unitOriginalPrice": money(item.price), "lineValue": money(item.total), "productName": item.name,
             "productSize": {"SKU": item.sku, "GTIN": None}, "productBrand": {"name": "Gift Co"}}
            for at, item in enumerate(order.items, 1)
        ],
    }  # fmt: skip


def keyed_by_number(orders: Sequence[Sale], folder: Path) -> Written:
    """A document store's dump: objects under their numbers, Spanish names, lines by position, amounts as text."""
    objects = {
        order.number: {
            "fecha": f"{order.when:%d/%m/%Y %H:%M}", "estado": "Entregado", "divisa": order.currency,
            "cliente": {"correo": order.email, "pais": order.country},
            "lineas": [
                {"referencia": item.sku, "descripcion": item.name, "cantidad": item.qty, "precio": _comma(item.price), "iva": _comma(item.rate)}
                for item in order.items
            ],
            "gastos_envio": _comma(order.shipping), "descuento": _comma(order.discount), "importe_total": _comma(order.total),
        }
        for order in orders
    }  # fmt: skip
    path = folder / "pedidos.json"
    path.write_text(json.dumps({"pedidos": objects}, ensure_ascii=False), "utf-8")
    return _gross([path], orders)


def swedish_net_lines(orders: Sequence[Sale], folder: Path) -> Written:
    """A Swedish workbook: two sheets of the same header, one a half of the month, prices without tax, freight as a line."""
    header = ["Fakturanr", "Fakturadatum", "Status", "Kundnr", "E-postadress", "Land", "Art.nr", "Artikel", "Antal", "À-pris exkl. moms",
              "Moms %", "Summa exkl. moms", "Totalt inkl. moms", "Valuta"]  # fmt: skip
    totals: dict[str, Decimal | None] = {}
    sold: dict[str, Decimal] = {}
    path = folder / "fakturor.xlsx"
    with xlsxwriter.Workbook(path) as book:
        days = book.add_format({"num_format": "yyyy-mm-dd"})
        half = len(orders) // 2
        for name, some in (("Del 1", orders[:half]), ("Del 2", orders[half:])):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, header)
            row = 0
            for order in some:
                items = [*order.items]
                if order.shipping:
                    items.append(Item("FRAKT", "Frakt", 1, order.shipping, order.rate))
                if order.discount:
                    items.append(Item("RABATT", "Rabatt", -1, order.discount, order.rate))
                total = rounded(sum((item.qty * item.net * (1 + item.rate / 100) for item in items), Decimal(0)))
                totals[order.number] = total
                sold[order.number] = sum((item.qty * item.net for item in items), Decimal(0))
                for item in items:
                    row += 1
                    sheet.write_string(row, 0, order.number)
                    sheet.write_datetime(row, 1, order.when.replace(hour=0, minute=0, second=0), days)
                    for column, text in enumerate(
                        ("Betald", order.customer, order.email, order.country, item.sku, item.name), 2
                    ):
                        sheet.write_string(row, column, text)
                    for column, amount in enumerate((item.qty, item.net, item.rate, item.qty * item.net, total), 8):
                        sheet.write_number(row, column, float(amount))
                    sheet.write_string(row, 13, order.currency)
    return Written([path], totals, sold, is_net=True)


STRANGE: dict[str, Callable[[Sequence[Sale], Path], Written]] = {
    "german_invoices": german_invoices,
    "shopify_full": shopify_full,
    "erp_two_sheets": erp_two_sheets,
    "french_net": french_net,
    "italian": italian,
    "sheet_of_a_clerk": sheet_of_a_clerk,
    "woocommerce_rest": woocommerce_rest,
    "magento_lines": magento_lines,
    "integration_edges": integration_edges,
    "keyed_by_number": keyed_by_number,
    "swedish_net_lines": swedish_net_lines,
}
