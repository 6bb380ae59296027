"""Dumps of other shops' making, from orders in Centra's flat columns: other headers, dialects, words and shapes.

Each writer takes the rows of a flat export (dicts by Centra's names, rows of an order together) and writes one dump.
The total and number of each order stay what they were, so that a reading of the dump can be compared to the cent.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import xlsxwriter

Row = Mapping[str, str]
NAMES_DE = {"GB": "Vereinigtes Königreich", "DE": "Deutschland", "FR": "Frankreich", "IE": "Irland", "NL": "Niederlande",
            "ES": "Spanien", "PT": "Portugal", "BE": "Belgien", "SE": "Schweden", "NO": "Norwegen", "CH": "Schweiz"}  # fmt: skip
NAMES_EN = {"GB": "United Kingdom", "DE": "Germany", "FR": "France", "IE": "Ireland", "NL": "Netherlands", "ES": "Spain",
            "PT": "Portugal", "BE": "Belgium", "SE": "Sweden", "NO": "Norway", "CH": "Switzerland", "AU": "Australia",
            "LT": "Lithuania", "IT": "Italy", "JP": "Japan", "AT": "Austria", "PL": "Poland", "IS": "Iceland", "JE": "Jersey",
            "DK": "Denmark", "CY": "Cyprus", "IL": "Israel", "FI": "Finland", "BH": "Bahrain"}  # fmt: skip


def read_flat(path: Path) -> list[Row]:
    """The rows of a flat export with Centra's names."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def truth(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Order number -> orderTotal."""
    return {row["orderNumber"]: Decimal(row["orderTotal"]) for row in rows}


def _comma(text: str) -> str:
    return text.replace(".", ",")


def _when(row: Row) -> datetime:
    return datetime.fromisoformat(row["orderDate"])


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], **dialect: Any) -> None:
    encoding = dialect.pop("encoding", "utf-8")
    with path.open("w", encoding=encoding, newline="", errors="replace") as stream:
        writer = csv.writer(stream, **dialect)
        writer.writerow(header)
        writer.writerows(rows)


def german(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A German ERP: semicolons, decimal comma, dd.mm.yyyy, Windows-1252, statuses and countries in words."""
    header = ["Belegnummer", "Belegdatum", "Status", "Währung", "Kundennummer", "E-Mail", "Land", "Versandkosten", "Gutscheincode",
              "Rabatt", "Gesamtbetrag", "Menge", "Artikelnummer", "Bezeichnung", "Einzelpreis", "MwSt. %", "Positionssumme"]  # fmt: skip
    path = folder / "belege.csv"
    write_table(path, header, (
        [r["orderNumber"], _when(r).strftime("%d.%m.%Y %H:%M"), "Kunde bezahlt", r["currency"], r["customerId"],
         r["invoiceAddress.email"], NAMES_DE.get(r["deliveryAddress.country"], r["deliveryAddress.country"]),
         _comma(r["shippingValue"]), r["voucherCode"], _comma(r["voucherValue"]), _comma(r["orderTotal"]), r["products.qty"],
         r["products.sku"], r["products.itemText.product"], _comma(r["products.unitPrice"]), _comma(r["products.vatPercent"]),
         _comma(_line_total(r))] for r in rows), delimiter=";", lineterminator="\r\n", encoding="cp1252")  # fmt: skip
    return [path]


def _line_total(row: Row) -> str:
    if not row["products.qty"]:
        return ""
    return f"{int(row['products.qty']) * Decimal(row['products.unitPrice']):.2f}"


def shopify(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Shopify's export in two files: order-level cells on the first row of an order only, `#1001`, `+0000`."""
    header = ["Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Currency", "Subtotal", "Shipping", "Taxes",
              "Total", "Discount Code", "Discount Amount", "Shipping Method", "Created at", "Lineitem quantity", "Lineitem name",
              "Lineitem price", "Lineitem compare at price", "Lineitem sku", "Billing Name", "Billing Country", "Shipping Country",
              "Notes", "Payment Method", "Tax 1 Name", "Tax 1 Value", "Id"]  # fmt: skip
    paths = []
    orders = [list(group) for _, group in groupby(rows, key=lambda row: row["orderNumber"])]
    for part, some in enumerate((orders[: len(orders) // 2], orders[len(orders) // 2 :]), 1):
        path = folder / f"orders_export_{part}.csv"
        write_table(path, header, (line for order in some for line in _shopify(order)), lineterminator="\n")
        paths.append(path)
    return paths


def _shopify(order: Sequence[Row]) -> Iterator[list[str]]:
    first = order[0]
    goods = sum((Decimal(_line_total(row) or 0) for row in order), Decimal(0))
    tax = _tax(order)
    rates = {row["products.vatPercent"] for row in order if row["products.vatPercent"]}
    rate = f"VAT {Decimal(rates.pop()).normalize():f}%" if len(rates) == 1 else ""
    when = f"{_when(first):%Y-%m-%d %H:%M:%S} +0000"
    for number, row in enumerate(order):
        name = "#" + row["orderNumber"]
        line = [
            row["products.qty"],
            row["products.itemText.product"],
            row["products.unitPrice"],
            "",
            row["products.sku"],
        ]
        if number:
            yield [name, row["invoiceAddress.email"], *[""] * 11, when, *line, *[""] * 5, rate, "", ""]
        else:
            who = f"{row['invoiceAddress.firstName']} {row['invoiceAddress.lastName']}".strip()
            yield [
                *(name, row["invoiceAddress.email"], "paid", when, "fulfilled", row["currency"], f"{goods:.2f}"),
                *(
                    row["shippingValue"],
                    f"{tax:.2f}",
                    row["orderTotal"],
                    row["voucherCode"],
                    row["voucherValue"],
                    "Standard",
                    when,
                ),
                *line,
                *(
                    who,
                    row["invoiceAddress.country"],
                    row["deliveryAddress.country"],
                    row["comment"],
                    "manual",
                    rate,
                    f"{tax:.2f}",
                ),
                f"44{row['orderNumber']}99",
            ]


def _tax(order: Sequence[Row]) -> Decimal:
    tax = Decimal(0)
    for row in order:
        percent = Decimal(row["products.vatPercent"] or 0)
        tax += Decimal(_line_total(row) or 0) * percent / (100 + percent)
    return tax


def erp_workbook(rows: Sequence[Row], folder: Path) -> list[Path]:
    """An ERP's report as a workbook: title rows above the header, real dates and numbers, a second sheet of no orders."""
    header = ["Sales Order No.", "Document Date", "Order Status", "Currency Code", "Customer No.", "Customer Name", "Ship-to Country",
              "Item No.", "Description", "Quantity", "Unit Price", "VAT %", "Line Amount", "Freight Amount", "Order Discount",
              "Total Amount"]  # fmt: skip
    path = folder / "sales.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet, dates = book.add_worksheet("Report"), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet.write_string(0, 0, "Sales by order")
    sheet.write_string(1, 0, "Printed by the back office")
    sheet.write_row(3, 0, header)
    for at, row in enumerate(rows, 4):
        texts = {0: "SO-" + row["orderNumber"], 2: "Posted", 3: row["currency"], 4: row["customerId"],
                 5: row["invoiceAddress.lastName"], 6: NAMES_EN.get(row["deliveryAddress.country"], ""), 7: row["products.sku"],
                 8: row["products.itemText.product"]}  # fmt: skip
        figures = {9: row["products.qty"], 10: row["products.unitPrice"], 11: row["products.vatPercent"], 12: _line_total(row),
                   13: row["shippingValue"], 14: row["voucherValue"], 15: row["orderTotal"]}  # fmt: skip
        sheet.write_datetime(at, 1, _when(row), dates)
        for column, text in texts.items():
            sheet.write_string(at, column, text)
        for column, text in figures.items():
            if text:
                sheet.write_number(at, column, float(text))
    book.add_worksheet("Legend").write_row(0, 0, ["Posted", "the invoice is in the ledger"])
    book.close()
    return [path]


def business_central(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Posted sales invoice lines of Business Central as a workbook."""
    header = ["Document No.", "Posting Date", "Status", "Currency Code", "Bill-to Customer No.", "Sell-to E-Mail",
              "Ship-to Country/Region Code", "No.", "Description", "Quantity", "Unit Price Incl. VAT", "VAT %",
              "Line Amount Incl. VAT", "Shipping Charge", "Inv. Discount Amount", "Amount Including VAT", "Unit of Measure"]  # fmt: skip
    path = folder / "bc.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet, dates = book.add_worksheet("Sales Lines"), book.add_format({"num_format": "dd/mm/yyyy"})
    sheet.write_row(0, 0, header)
    for at, row in enumerate(rows, 1):
        texts = {0: "PSI" + row["orderNumber"], 2: "Released", 3: row["currency"], 4: row["customerId"],
                 5: row["invoiceAddress.email"], 6: row["deliveryAddress.country"], 7: row["products.sku"],
                 8: row["products.itemText.product"], 16: "PCS"}  # fmt: skip
        figures = {9: row["products.qty"], 10: row["products.unitPrice"], 11: row["products.vatPercent"], 12: _line_total(row),
                   13: row["shippingValue"], 14: row["voucherValue"], 15: row["orderTotal"]}  # fmt: skip
        sheet.write_datetime(at, 1, _when(row), dates)
        for column, text in texts.items():
            if text:
                sheet.write_string(at, column, text)
        for column, text in figures.items():
            if text:
                sheet.write_number(at, column, float(text))
    book.close()
    return [path]


def swedish(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A Swedish shop: tabs, decimal comma, UTF-16."""
    header = ["Ordernummer", "Orderdatum", "Orderstatus", "Valuta", "Kundnummer", "E-post", "Leveransland", "Frakt", "Rabattkod",
              "Rabatt", "Totalbelopp", "Antal", "Artikelnummer", "Benämning", "À-pris", "Momssats", "Radsumma"]  # fmt: skip
    path = folder / "ordrar.csv"
    write_table(path, header, (
        [r["orderNumber"], f"{_when(r):%Y-%m-%d %H:%M}", "Betald", r["currency"], r["customerId"], r["invoiceAddress.email"],
         r["deliveryAddress.country"], _comma(r["shippingValue"]), r["voucherCode"], _comma(r["voucherValue"]),
         _comma(r["orderTotal"]), r["products.qty"], r["products.sku"], r["products.itemText.product"],
         _comma(r["products.unitPrice"]), (_comma(r["products.vatPercent"]) + " %").lstrip(" %"), _comma(_line_total(r))]
        for r in rows), delimiter="\t", lineterminator="\r\n", encoding="utf-16")  # fmt: skip
    return [path]


def french(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A French shop: the amounts of an order on its first row only, dates with slashes, `TVA 17,5 %`."""
    header = ["N° de commande", "Date de commande", "Statut de la commande", "Devise", "Adresse e-mail", "Pays de livraison",
              "Réf. article", "Désignation", "Quantité", "Prix unitaire TTC", "Taux de TVA", "Frais de port TTC", "Code promo",
              "Montant de la remise", "Montant total TTC"]  # fmt: skip
    path = folder / "commandes.csv"
    last = ""
    lines = []
    for r in rows:
        is_first, last = r["orderNumber"] != last, r["orderNumber"]
        money = [_comma(r["shippingValue"]), r["voucherCode"], _comma(r["voucherValue"]), _comma(r["orderTotal"])]
        lines.append(
            [f"CMD{r['orderNumber']}", f"{_when(r):%d/%m/%Y %H:%M}", "Payée", r["currency"], r["invoiceAddress.email"],
             r["deliveryAddress.country"], r["products.sku"], r["products.itemText.product"], r["products.qty"],
             _comma(r["products.unitPrice"]), f"TVA {_comma(r['products.vatPercent'])} %" if r["products.vatPercent"] else "",
             *(money if is_first else [""] * 4)]
        )  # fmt: skip
    write_table(path, header, lines, delimiter=";", lineterminator="\r\n")
    return [path]


def spanish(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A Spanish shop: prices without tax are nowhere; the number's header is its language's, pipes between cells."""
    header = ["Nº de pedido", "Fecha de pedido", "Estado del pedido", "Moneda", "Correo electrónico", "País de envío", "Referencia",
              "Descripción", "Cantidad", "Precio unitario", "Tipo de IVA", "Gastos de envío", "Descuento", "Importe total"]  # fmt: skip
    path = folder / "pedidos.csv"
    write_table(path, header, (
        [r["orderNumber"], f"{_when(r):%d-%m-%Y %H:%M:%S}", "Pagado", r["currency"], r["invoiceAddress.email"],
         r["deliveryAddress.country"], r["products.sku"], r["products.itemText.product"], r["products.qty"],
         r["products.unitPrice"], r["products.vatPercent"], r["shippingValue"], r["voucherValue"], r["orderTotal"]]
        for r in rows), delimiter="|", lineterminator="\n")  # fmt: skip
    return [path]


def woocommerce(rows: Sequence[Row], folder: Path) -> list[Path]:
    """WooCommerce's REST answer, kept as one list of objects."""
    orders = [_woo(list(group)) for _, group in groupby(rows, key=lambda row: row["orderNumber"])]
    path = folder / "wc_orders.json"
    path.write_text(json.dumps(orders), "utf-8")
    return [path]


def _woo(order: Sequence[Row]) -> dict[str, Any]:
    first = order[0]
    return {
        "id": 900_000 + int(first["orderNumber"]) % 100_000,
        "number": first["orderNumber"],
        "status": "completed",
        "currency": first["currency"],
        "date_created": first["orderDate"].replace(" ", "T"),
        "prices_include_tax": True,
        "shipping_total": first["shippingValue"],
        "discount_total": first["voucherValue"],
        "total": first["orderTotal"],
        "customer_id": int(first["customerId"] or 0),
        "billing": {"first_name": first["invoiceAddress.firstName"], "last_name": first["invoiceAddress.lastName"],
                    "email": first["invoiceAddress.email"], "country": first["invoiceAddress.country"]},
        "shipping": {"country": first["deliveryAddress.country"]},
        "payment_method": "stripe",
        "line_items": [
            {"id": at, "name": row["products.itemText.product"], "product_id": at, "quantity": int(row["products.qty"]),
             "sku": row["products.sku"], "price": float(row["products.unitPrice"]), "total": _line_total(row),
             "tax_rate": float(row["products.vatPercent"]), "taxes": [{"id": 1, "total": "0.10"}], "meta_data": []}
            for at, row in enumerate(order) if row["products.qty"]
        ],
        "tax_lines": [{"id": 7, "rate_percent": 17.5, "tax_total": "1.00"}],
    }  # fmt: skip


def magento(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Magento's REST answer: `items` in an envelope, amounts with and without tax side by side."""
    orders = [_magento(list(group)) for _, group in groupby(rows, key=lambda row: row["orderNumber"])]
    path = folder / "magento.json"
    path.write_text(json.dumps({"items": orders, "total_count": len(orders)}), "utf-8")
    return [path]


def _magento(order: Sequence[Row]) -> dict[str, Any]:
    first = order[0]
    return {
        "entity_id": int(first["orderNumber"]) % 100_000,
        "increment_id": f"{int(first['orderNumber']):09d}",
        "state": "complete",
        "status": "complete",
        "created_at": first["orderDate"],
        "order_currency_code": first["currency"],
        "grand_total": float(first["orderTotal"]),
        "shipping_incl_tax": float(first["shippingValue"]),
        "discount_amount": float(first["voucherValue"]),
        "customer_email": first["invoiceAddress.email"],
        "billing_address": {"country_id": first["deliveryAddress.country"], "city": "", "telephone": ""},
        "items": [
            {"item_id": at, "sku": row["products.sku"], "name": row["products.itemText.product"],
             "qty_ordered": int(row["products.qty"]), "price_incl_tax": float(row["products.unitPrice"]),
             "tax_percent": float(row["products.vatPercent"]), "row_total_incl_tax": float(_line_total(row)), "weight": 0.1}
            for at, row in enumerate(order) if row["products.qty"]
        ],
        "status_histories": [{"comment": "ok", "status": "complete"}],
    }  # fmt: skip


def integration_api(rows: Sequence[Row], folder: Path) -> list[Path]:
    """The answer of Centra's own Integration API (GraphQL)."""
    orders = [_graphql(list(group)) for _, group in groupby(rows, key=lambda row: row["orderNumber"])]
    path = folder / "graphql.json"
    path.write_text(json.dumps({"data": {"orders": orders}}), "utf-8")
    return [path]


def _graphql(order: Sequence[Row]) -> dict[str, Any]:
    first = order[0]
    code = {"code": first["currency"]}
    return {
        "number": int(first["orderNumber"]),
        "status": "COMPLETED",
        "orderDate": first["orderDate"].replace(" ", "T") + "+00:00",
        "grandTotal": {"value": float(first["orderTotal"]), "currency": code},
        "totals": {"shipping": {"value": float(first["shippingValue"])}, "discounts": {"value": float(first["voucherValue"])}},
        "store": {"type": "DIRECT_TO_CONSUMER"},
        "customer": {"email": first["invoiceAddress.email"]},
        "shippingAddress": {"country": {"code": first["deliveryAddress.country"]}},
        "lines": [
            {"id": at, "quantity": int(row["products.qty"]), "taxPercent": float(row["products.vatPercent"]),
             "unitPrice": {"value": float(row["products.unitPrice"])}, "productName": row["products.itemText.product"],
             "productNumber": row["products.sku"]}
            for at, row in enumerate(order) if row["products.qty"]
        ],
    }  # fmt: skip


DUMPS: dict[str, Callable[[Sequence[Row], Path], list[Path]]] = {
    "german": german,
    "shopify": shopify,
    "erp_workbook": erp_workbook,
    "business_central": business_central,
    "swedish": swedish,
    "french": french,
    "spanish": spanish,
    "woocommerce": woocommerce,
    "magento": magento,
    "integration_api": integration_api,
}


def abbreviated(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A German list with headers that no two shops share, currency signs, two-digit years and negative discounts."""
    header = ["Auftragsnr.", "Datum", "Auftragsstatus", "Kunde", "Mail", "Lieferland", "Kundentyp", "ArtNr", "Text", "Anz.",
              "VK brutto", "USt", "Versand", "Rabatt", "Summe brutto"]  # fmt: skip
    path = folder / "liste.csv"
    write_table(path, header, (
        [r["orderNumber"], f"{_when(r):%d.%m.%y}", "bezahlt", "Gast", r["invoiceAddress.email"], r["deliveryAddress.country"],
         "Privat", r["products.sku"], r["products.itemText.product"], r["products.qty"], _comma(r["products.unitPrice"]) + " £",
         "20 %", _comma(r["shippingValue"]) + " £", ("-" if Decimal(r["voucherValue"]) else "") + _comma(r["voucherValue"]) + " £",
         _comma(r["orderTotal"]) + " £"] for r in rows), delimiter=";", lineterminator="\r\n")  # fmt: skip
    return [path]


def danish(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A Danish workbook saved as csv: the order's own cells, number included, on its first row only."""
    header = ["Ordrenr.", "Ordredato", "Ordrestatus", "Valuta", "Leveringsland", "Fragt", "Rabat", "I alt inkl. moms",
              "Varenr.", "Varenavn", "Antal", "Stykpris", "Moms %"]  # fmt: skip
    path = folder / "ordrer.csv"
    last, lines = "", []
    for r in rows:
        own = [r["orderNumber"], f"{_when(r):%Y-%m-%d}", "Betalt", r["currency"], r["deliveryAddress.country"],
               _comma(r["shippingValue"]), _comma(r["voucherValue"]), _comma(r["orderTotal"])]  # fmt: skip
        is_first, last = r["orderNumber"] != last, r["orderNumber"]
        line = [
            r["products.sku"],
            r["products.itemText.product"],
            r["products.qty"],
            _comma(r["products.unitPrice"]),
            "20",
        ]
        lines.append([*(own if is_first else [""] * len(own)), *line])
    write_table(path, header, lines, delimiter=";", lineterminator="\r\n")
    return [path]


def shopify_pair(rows: Sequence[Row], folder: Path) -> list[Path]:
    """One file with the orders, one with their lines."""
    orders, lines = folder / "orders.csv", folder / "line_items.csv"
    first = {row["orderNumber"]: row for row in reversed(rows)}
    write_table(orders, ["Name", "Email", "Financial Status", "Currency", "Shipping", "Discount Amount", "Total", "Created at",
                    "Shipping Country"], (
        ["#" + r["orderNumber"], r["invoiceAddress.email"], "paid", r["currency"], r["shippingValue"], r["voucherValue"],
         r["orderTotal"], f"{r['orderDate']} +0000", r["deliveryAddress.country"]] for r in reversed(first.values())))  # fmt: skip
    write_table(lines, ["Name", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku", "Tax Rate"], (
        ["#" + r["orderNumber"], r["products.qty"], r["products.itemText.product"], r["products.unitPrice"], r["products.sku"],
         "VAT 20%"] for r in rows))  # fmt: skip
    return [orders, lines]


ODD: dict[str, Callable[[Sequence[Row], Path], list[Path]]] = {
    "abbreviated": abbreviated,
    "danish": danish,
    "shopify_pair": shopify_pair,
}
"""Shapes with a trap of their own; they fit orders that have lines, at 20 %."""


def dutch_net(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A Dutch trade shop: prices without tax, totals with it."""
    header = ["Bestelnummer", "Besteldatum", "Status", "Valuta", "Land", "Productcode", "Productnaam", "Aantal",
              "Prijs per stuk excl. btw", "Btw %", "Verzendkosten", "Korting", "Btw-bedrag", "Totaal incl. btw"]  # fmt: skip
    path = folder / "bestellingen.csv"
    write_table(path, header, (
        [r["orderNumber"], f"{_when(r):%d-%m-%Y %H:%M}", "Betaald", r["currency"], r["deliveryAddress.country"], r["products.sku"],
         r["products.itemText.product"], r["products.qty"], _comma(r["products.unitPrice"]), "20", _comma(r["shippingValue"]),
         _comma(r["voucherValue"]), _comma(f"{Decimal(r['orderTotal']) / 5:.2f}"), _comma(f"{Decimal(r['orderTotal']) * 6 / 5:.2f}")]
        for r in rows), delimiter=";", lineterminator="\r\n")  # fmt: skip
    return [path]
