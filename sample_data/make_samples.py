"""Writes the sample exports of an invented shop, the same bytes on every run.

python sample_data/make_samples.py [DIR]    needs simplejson and xlsxwriter, which the importer installs
"""

from __future__ import annotations

import csv
import io
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import simplejson
import xlsxwriter

SEED = 20261121
CENT = Decimal("0.01")
ZERO = Decimal("0.00")
PAPER = "Pine & Paper"

ORDER_COLUMNS = (
    "orderNumber",
    "orderDate",
    "status",
    "storeType",
    "currency",
    "market",
    "pricelist",
    "customerId",
    "accountId",
    "buyerId",
    "buyerName",
    "createdFromOrigin.type",
    "createdFromOrigin.id",
    "invoiceAddress.email",
    "invoiceAddress.firstName",
    "invoiceAddress.lastName",
    "invoiceAddress.city",
    "invoiceAddress.zipcode",
    "invoiceAddress.country",
    "deliveryAddress.country",
    "shippingValue",
    "voucherCode",
    "voucherValue",
    "comment",
    "poNumber",
    "payment.method",
    "payment.capture.status",
    "payment.capture.amount",
    "payment.capture.transaction",
    "orderTotal",
)
LINE_COLUMNS = (
    "products.sku",
    "products.ean",
    "products.qty",
    "products.unitPrice",
    "products.originalPrice",
    "products.vatPercent",
    "products.itemText.brand",
    "products.itemText.product",
    "products.itemText.variant",
    "products.itemText.size",
)
COLUMNS = ORDER_COLUMNS + LINE_COLUMNS
TEXT_COLUMNS = {"products.sku", "products.ean", "invoiceAddress.zipcode", "poNumber", "voucherCode"}


@dataclass(frozen=True)
class Article:
    """Something the shop sells; `vat` is the British rate."""

    sku: str
    ean: str
    brand: str
    name: str
    variant: str
    size: str
    price: Decimal
    vat: str


@dataclass(frozen=True)
class Person:
    """A made-up customer."""

    number: int
    first: str
    last: str
    city: str
    zipcode: str
    country: str

    @property
    def email(self) -> str:
        """An address of a reserved domain."""
        if self.last == "Example":
            return f"{self.first.lower()}@example.com"
        plain = f"{self.first}.{self.last}".lower().translate(str.maketrans("äëéøöúüñ", "aeeoouun"))
        return f"{plain}@example.com"


@dataclass
class Order:
    """One order: order-level values by column, and its lines."""

    values: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)


def ean(index: int) -> str:
    """An EAN of a range that no shop uses, with a right check digit."""
    body = f"200{index:09d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


def articles() -> dict[str, Article]:
    """The catalogue by SKU."""
    rows = [
        ("HOLDER-HEART", "Harbour & Lane", "Hanging heart light holder", "White", "", "2.95", "20"),
        ("CAKESTAND-3", "Harbour & Lane", "Cake stand, three tiers", "Regency", "", "12.75", "20"),
        ("BUNTING-PARTY", "Harbour & Lane", "Party bunting", "Multicolour", "4 m", "4.95", "20"),
        ("BIRD-ORNAMENT", "Harbour & Lane", "Bird ornament", "Assorted", "", "1.69", "20"),
        ("LUNCHBAG-RED", "Harbour & Lane", "Lunch bag", "Red spots", "", "1.65", "20"),
        ("MUG-OLD", "Harbour & Lane", "Enamel mug", "Discontinued", "", "5.00", "20"),
        ("CUP-1", "Kiln", "Stoneware cup", "Blue", "250 ml", "19.98", "20"),
        ("CUP-2", "Kiln", "Stoneware cup", "Grey", "250 ml", "19.98", "20"),
        ("BOWL-1", "Kiln", "Cereal bowl", "Blue", "16 cm", "14.50", "20"),
        ("PLATE-1", "Kiln", "Dinner plate", "Blue", "27 cm", "17.25", "20"),
        ("TEAPOT-1", "Kiln", "Teapot", "Grey", "1 l", "44.00", "20"),
        ("BAG-1", "Weft", "Linen bag", "Natural", "", "25.20", "20"),
        ("THROW-1", "Weft", "Wool throw", "Moss", "130 x 180 cm", "89.00", "20"),
        ("CUSHION-1", "Weft", "Cushion", "Ochre", "45 x 45 cm", "32.40", "20"),
        ("NAPKIN-4", "Weft", "Napkins, set of 4", "White", "", "21.60", "20"),
        ("CANDLE-1", "Ember", "Beeswax candle", "", "20 cm", "8.40", "20"),
        ("CANDLE-6", "Ember", "Beeswax candles, box of 6", "", "20 cm", "42.00", "20"),
        ("SOAP-1", "Ember", "Oat soap", "Unscented", "100 g", "5.49", "20"),
        ("CLOCK-1", "Ember", "Wall clock", "Oak", "30 cm", "64.99", "20"),
        ("SCREW-1", "Ember", "Brass hook", "", "", "0.085", "20"),
        ("CANE-1", "Stride", "Walking stick", "Ash", "92 cm", "27.50", "5"),
        ("CANE-2", "Stride", "Folding walking stick", "Black", "", "31.99", "5"),
        ("RAIL-1", "Stride", "Grab rail", "White", "45 cm", "18.75", "5"),
        ("BOOK-1", PAPER, "The Potter's Year", "Hardback", "", "22.00", "0"),
        ("BOOK-2", PAPER, 'Knitting "by heart"', "Paperback", "", "12.99", "0"),
        ("BOOK-3", PAPER, "Bread, butter & jam", "Paperback", "", "14.99", "0"),
        ("MAP-1", PAPER, "Coast path map", "Folded", "", "9.50", "0"),
        ("ROMPER-1", "Weft", "Baby romper", "Oat", "3-6 months", "16.00", "0"),
    ]
    return {
        sku: Article(sku, ean(index), brand, name, variant, size, Decimal(price), vat)
        for index, (sku, brand, name, variant, size, price, vat) in enumerate(rows, 1)
    }


def people(rng: random.Random) -> list[Person]:
    """Customers, most of them British."""
    first = [
        "Ada",
        "Ben",
        "Cleo",
        "Dan",
        "Edith",
        "Finn",
        "Greta",
        "Hugo",
        "Iris",
        "Jonas",
        "Kit",
        "Lena",
        "Milo",
        "Nora",
        "Otto",
        "Pia",
        "Quinn",
        "René",
        "Søren",
        "Zoë",
    ]
    last = [
        "Ashdown",
        "Brück",
        "Carrow",
        "Dévaux",
        "Elmstead",
        "Farrow",
        "Grün",
        "Hollis",
        "Ibsen",
        "Jörgensen",
        "Kestrel",
        "Lockwood",
        "Marlow",
        "Núñez",
    ]
    places = {
        "GB": [("Hastings", "TN34 9ZZ"), ("Leeds", "LS1 9ZZ"), ("Truro", "TR1 9ZZ"), ("Norwich", "NR1 9ZZ")],
        "DE": [("Köln", "50667"), ("Lübeck", "23552")],
        "FR": [("Besançon", "25000"), ("Nîmes", "30000")],
        "NL": [("Delft", "2611")],
        "US": [("Portland", "04101")],
        "AU": [("Hobart", "7000")],
    }
    countries = ["GB"] * 36 + ["DE"] * 4 + ["FR"] * 3 + ["NL"] * 2 + ["US"] * 3 + ["AU"] * 2
    names = [(one, two) for one in first for two in last]
    rng.shuffle(names)
    found = []
    for index, country in enumerate(countries):
        city, zipcode = rng.choice(places[country])
        found.append(Person(7100 + index, *names[index], city, zipcode, country))
    return found


ANN = Person(7001, "Ann", "Example", "Hastings", "TN34 9ZZ", "GB")
MARKETS = {"GB": "United Kingdom", "DE": "Europe", "FR": "Europe", "NL": "Europe", "CH": "Europe"}


class Shop:
    """Takes the orders, numbering them as it goes."""

    def __init__(self) -> None:
        self.rng = random.Random(SEED)
        self.articles = articles()
        self.people = people(self.rng)
        self.orders: list[Order] = []
        self.number = 0

    def line(self, sku: str, qty: int = 1, *, vat: str | None = None, price: str | None = None) -> dict[str, Any]:
        """One line; `vat` and `price` where they are not the catalogue's."""
        article = self.articles[sku]
        return {
            "products.sku": sku,
            "products.ean": article.ean,
            "products.qty": qty,
            "products.unitPrice": Decimal(price) if price is not None else article.price,
            "products.originalPrice": article.price,
            "products.vatPercent": Decimal(vat if vat is not None else article.vat),
            "products.itemText.brand": article.brand,
            "products.itemText.product": article.name,
            "products.itemText.variant": article.variant,
            "products.itemText.size": article.size,
        }

    def order(
        self,
        when: str | datetime,
        person: Person | None,
        lines: list[dict[str, Any]],
        *,
        shipping: str = "0.00",
        voucher: tuple[str, str] = ("", "0.00"),
        total: str | None = None,
        **other: Any,
    ) -> Order:
        """One order, added to the shop's; `other` replaces values by column, with __ for the dot."""
        moment = datetime.fromisoformat(when).replace(tzinfo=UTC) if isinstance(when, str) else when
        code, value = voucher[0], Decimal(voucher[1])
        goods = sum((line["products.unitPrice"] * line["products.qty"] for line in lines), ZERO)
        paid = (goods + Decimal(shipping) - value).quantize(CENT, ROUND_HALF_UP)
        amount = Decimal(total) if total is not None else paid
        self.number += 1
        number = self.number
        country = person.country if person else "GB"
        values: dict[str, Any] = {
            "orderNumber": number,
            "orderDate": moment,
            "status": "Completed",
            "storeType": "b2c",
            "currency": "GBP",
            "market": MARKETS.get(country, "Rest of the world"),
            "pricelist": "Standard",
            "customerId": person.number if person else "",
            "invoiceAddress.email": person.email if person else "",
            "invoiceAddress.firstName": person.first if person else "",
            "invoiceAddress.lastName": person.last if person else "",
            "invoiceAddress.city": person.city if person else "",
            "invoiceAddress.zipcode": person.zipcode if person else "",
            "invoiceAddress.country": country,
            "deliveryAddress.country": country,
            "shippingValue": Decimal(shipping),
            "voucherCode": code,
            "voucherValue": value,
            "payment.method": "card",
            "orderTotal": amount,
        }
        if amount > 0:
            values["payment.capture.status"] = 1
            values["payment.capture.amount"] = amount
            values["payment.capture.transaction"] = f"tx-{number}"
        values |= {key.replace("__", "."): value for key, value in other.items()}
        order = Order({column: values.get(column, "") for column in ORDER_COLUMNS}, lines)
        self.orders.append(order)
        return order

    def everyday(self, moment: datetime) -> None:
        """An order such as most are."""
        rng = self.rng
        person = rng.choice(self.people)
        home = person.country == "GB"
        skus = rng.sample(
            [sku for sku in self.articles if sku not in ("MUG-OLD", "SCREW-1")], rng.choice((1, 2, 3, 3, 4, 5))
        )
        lines = [self.line(sku, rng.choice((1, 1, 1, 2, 3)), vat=None if home else "0") for sku in skus]
        goods = sum((line["products.unitPrice"] * line["products.qty"] for line in lines), ZERO)
        shipping = "0.00" if goods > 80 else ("3.95" if home else "12.50")
        voucher = ("", "0.00")
        if rng.random() < 0.08:
            voucher = ("AUTUMN10", str((goods / 10).quantize(CENT, ROUND_HALF_UP)))
        currency = "EUR" if person.country in ("DE", "FR", "NL") else "GBP"
        method = rng.choice(("card", "card", "card", "paypal"))
        status = rng.choice(("Completed",) * 9 + ("Archived",))
        self.order(
            moment,
            person,
            lines,
            shipping=shipping,
            voucher=voucher,
            currency=currency,
            pricelist="Europe" if currency == "EUR" else "Standard",
            payment__method=method,
            status=status,
            comment=rng.choice(("",) * 12 + ("Please ring twice", "Gift wrap, no invoice")),
        )


def vat_change(shop: Shop) -> None:
    """The days around 4 January 2011, when the British rate went from 17.5 to 20 %."""
    shop.number = 10230
    for when, rate, price in (
        ("2010-12-30 10:15:00", "17.5", "11.75"),
        ("2010-12-31 16:40:00", "17.5", "23.50"),
        ("2011-01-03 23:59:00", "17.5", "11.75"),
        ("2011-01-04 00:00:00", "20", "12.00"),
        ("2011-01-04 09:30:00", "20", "24.00"),
        ("2011-01-05 11:05:00", "20", "12.00"),
    ):
        shop.order(when, ANN, [shop.line("BOWL-1", 2, vat=rate, price=price)], shipping="0.00")
    shop.order(
        "2011-01-06 14:20:00",
        ANN,
        [shop.line("BOWL-1", -1, vat="20", price="12.00")],
        createdFromOrigin__type="return",
        createdFromOrigin__id=10234,
    )


def special_cases(shop: Shop) -> Iterator[Callable[[datetime], Any]]:
    """Orders that show a rule each; they are strewn among the everyday ones."""
    line, order, ann = shop.line, shop.order, ANN
    # Vouchers: two rates, lower unit prices, a gift card for a part and for the whole.
    yield lambda at: order(
        at, ann, [line("CUP-1", 3), line("CANE-1", 2)], shipping="4.95", voucher=("SUMMER10", "10.00")
    )
    yield lambda at: order(
        at, ann, [line("CUP-1", 3), line("RAIL-1", 2)], shipping="4.95", voucher=("SPREAD-5", "5.00")
    )
    yield lambda at: order(at, ann, [line("BAG-1", 2)], shipping="4.80", voucher=("GC-7701", "20.00"))
    yield lambda at: order(at, ann, [line("BOOK-1"), line("SOAP-1", 2)], voucher=("GC-7702", "32.98"))
    # A sale with a line taken back, a gift, an order worth nothing, prices finer than a penny.
    yield lambda at: order(at, shop.people[0], [line("THROW-1"), line("SOAP-1", 3), line("CANDLE-1", -1)])
    yield lambda at: order(
        at, shop.people[1], [line("TEAPOT-1"), line("SOAP-1", price="0.00")], comment="Soap is a gift"
    )
    yield lambda at: order(at, shop.people[2], [line("SOAP-1", price="0.00"), line("CANDLE-1", price="0.00")])
    yield lambda at: order(at, shop.people[3], [line("SCREW-1", 1000), line("SCREW-1", 7)])
    # Shipping without goods, nobody's name, an address in small letters, two equal lines, a remark of two rows.
    yield lambda at: order(at, shop.people[4], [], shipping="3.95", comment="Second delivery")
    yield lambda at: order(at, None, [line("CANDLE-6")], shipping="3.95", customerId="")
    yield lambda at: order(
        at, shop.people[5], [line("MAP-1")], invoiceAddress__country="gb", deliveryAddress__country="gb"
    )
    yield lambda at: order(at, shop.people[6], [line("CUP-2"), line("CUP-2")], shipping="3.95")
    yield lambda at: order(at, shop.people[7], [line("CLOCK-1")], comment='Leave with "No. 7";\nthank you')
    # Wholesale: prices without tax, total with tax, charged to a company.
    for quantity in (10, 24, 50, 12):
        yield lambda at, q=quantity: _wholesale(shop, at, q)
    # Returns: goods with shipping back, a fee kept, a voucher given back.
    yield lambda at: _back(shop, at, [line("BAG-1", -2), line("CANE-1", -1)], "-4.80")
    yield lambda at: _back(shop, at, [line("CUP-1", -1)], "3.00")
    yield lambda at: _back(shop, at, [line("PLATE-1", -4)], "0.00")
    # Skipped: not imported by their status.
    yield lambda at: order(at, shop.people[8], [line("CUSHION-1")], status="Cancelled")
    yield lambda at: order(at, shop.people[9], [line("NAPKIN-4")], status="Cancelled")
    yield lambda at: order(at, shop.people[10], [line("NAPKIN-4")], status="Pending")
    # Blocked: an undecided tax cell, a country that is none, a product taken off sale, a total off by a pound.
    swiss = Person(7090, "Urs", "Matter", "Chur", "7000", "CH")
    yield lambda at: order(at, swiss, [line("THROW-1", vat="0")], shipping="18.00")
    yield lambda at: order(at, swiss, [line("CUP-1", 2, vat="0")], shipping="18.00")
    yield lambda at: order(
        at, shop.people[11], [line("BOWL-1", 2)], invoiceAddress__country="UK", deliveryAddress__country="UK"
    )
    yield lambda at: order(at, shop.people[12], [line("MUG-OLD", 2)], shipping="3.95")
    yield lambda at: order(at, shop.people[13], [line("CLOCK-1")], total="63.99")
    # Off by a penny, and accepted in waivers.csv.
    yield lambda at: order(at, shop.people[14], [line("CUSHION-1")], total="32.39")


def _wholesale(shop: Shop, at: datetime, quantity: int) -> None:
    lines = [shop.line("CUP-1", quantity, price="9.95"), shop.line("BAG-1", quantity // 2, price="12.60")]
    for one in lines:
        one["products.originalPrice"] = one["products.unitPrice"]
    net = sum((one["products.unitPrice"] * one["products.qty"] for one in lines), ZERO) + 15
    shop.order(
        at,
        Person(0, "Ted", "Trader", "Leeds", "LS1 9ZZ", "GB"),
        lines,
        shipping="15.00",
        total=str((net * Decimal("1.2")).quantize(CENT, ROUND_HALF_UP)),
        storeType="b2b",
        customerId="",
        pricelist="Trade",
        accountId=501,
        buyerId=9001,
        buyerName="Example Trade Ltd",
        poNumber=f"PO-{quantity:04d}",
        payment__method="invoice",
        payment__capture__status="",
        payment__capture__amount="",
        payment__capture__transaction="",
    )


def _back(shop: Shop, at: datetime, lines: list[dict[str, Any]], shipping: str) -> None:
    sale = next(order for order in shop.orders if order.values["voucherCode"] == "SUMMER10")
    shop.order(
        at,
        ANN,
        lines,
        shipping=shipping,
        createdFromOrigin__type="return",
        createdFromOrigin__id=sale.values["orderNumber"],
    )


def orders() -> list[Order]:
    """All orders of the main files, oldest first."""
    shop = Shop()
    vat_change(shop)
    shop.number = 48000
    special = list(special_cases(shop))
    count = 300 - len(shop.orders) - len(special)
    start = datetime(2026, 6, 1, 8, tzinfo=UTC)
    steps = sorted(shop.rng.randrange(150 * 14 * 60) for _ in range(count + len(special)))
    at_special = {index * len(steps) // len(special) + 5: one for index, one in enumerate(special)}
    for index, step in enumerate(steps):
        day, minute = divmod(step, 14 * 60)
        moment = start + timedelta(days=day, minutes=minute)
        make = at_special.get(index)
        if make is None:
            shop.everyday(moment)
        else:
            make(moment)
    return shop.orders


def rows(found: list[Order]) -> Iterator[dict[str, Any]]:
    """One row per line, order values on each; an order without lines has one row."""
    for order in found:
        for line in order.lines or [dict.fromkeys(LINE_COLUMNS, "")]:
            yield order.values | line


def as_text(value: Any, date_format: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A value as the comma file writes it."""
    return value.strftime(date_format) if isinstance(value, datetime) else str(value)


def write_csv(path: Path, found: list[Order]) -> None:
    """UTF-8, comma, decimal point, ISO dates."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(found):
        writer.writerow([as_text(row[column]) for column in COLUMNS])
    path.write_bytes(text.getvalue().encode("utf-8"))


def write_continental(path: Path, found: list[Order]) -> None:
    """Windows-1252, semicolon, decimal comma, dd.mm.yyyy: as a continental spreadsheet saves it."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows(found):
        cells = [row[column] for column in COLUMNS]
        writer.writerow(
            [
                str(cell).replace(".", ",") if isinstance(cell, Decimal) else as_text(cell, "%d.%m.%Y %H:%M")
                for cell in cells
            ]
        )
    path.write_bytes(text.getvalue().encode("cp1252"))


def write_workbook(path: Path, found: list[Order]) -> None:
    """A workbook with number and date cells; codes that must keep their form are text."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"title": "Orders", "created": datetime(2026, 11, 21, tzinfo=UTC).replace(tzinfo=None)})
        sheet = book.add_worksheet("Orders")
        date_format = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, COLUMNS)
        for number, row in enumerate(rows(found), 1):
            for column, name in enumerate(COLUMNS):
                value = row[name]
                if isinstance(value, datetime):
                    sheet.write_datetime(number, column, value.replace(tzinfo=None), date_format)
                elif isinstance(value, (int, Decimal)) and name not in TEXT_COLUMNS:
                    sheet.write_number(number, column, float(value))
                elif value != "":
                    sheet.write_string(number, column, str(value))


def write_objects(path: Path, found: list[Order]) -> None:
    """One create-order object a line; empty values are left out."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for order in found:
            document = nested(order.values)
            document["products"] = [
                nested({name.removeprefix("products."): value for name, value in line.items()}) for line in order.lines
            ]
            stream.write(simplejson.dumps(document, ensure_ascii=False, use_decimal=True) + "\n")


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Dotted names as objects in objects."""
    document: dict[str, Any] = {}
    for name, value in values.items():
        if value == "":
            continue
        place = document
        *parents, leaf = name.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = as_text(value) if isinstance(value, datetime) else value
    return document


def get_orders() -> Iterator[dict[str, Any]]:
    """Orders in the get-orders vocabulary, some with returns nested in them."""
    shop = Shop()
    for index in range(24):
        person = shop.rng.choice([one for one in shop.people if one.country == "GB"])
        skus = shop.rng.sample(
            ["CUP-1", "BOWL-1", "CANDLE-1", "CANE-1", "BOOK-2", "CAKESTAND-3"], shop.rng.choice((1, 2, 3))
        )
        lines = [shop.line(sku, shop.rng.choice((1, 2, 3))) for sku in skus]
        goods = sum((line["products.unitPrice"] * line["products.qty"] for line in lines), ZERO)
        voucher = Decimal("5.00") if index % 6 == 5 and goods > 20 else ZERO
        shipping = Decimal("3.95")
        moment = datetime(2026, 10, 1, 9, tzinfo=UTC) + timedelta(hours=29 * index)
        document: dict[str, Any] = {
            "orderId": str(61001 + index),
            "orderStatus": 6 if index == 7 else 4,
            "hold": 1 if index == 11 else 0,
            "waitingForPayment": 0,
            "suspect": 0,
            "internalOrder": 0,
            "orderDate": as_text(moment),
            "cancelDate": "0000-00-00 00:00:00",
            "orderCurrency": "GBP",
            "orderStore": "b2c",
            "market": "United Kingdom",
            "billingName": f"{person.first} {person.last}",
            "billingEmail": person.email,
            "billingCity": person.city,
            "billingZipcode": person.zipcode,
            "billingCountry": person.country,
            "deliveryCountry": person.country,
            "shippingValue": shipping,
            "voucherValue": voucher,
            "grandTotalValue": goods + shipping - voucher,
            "paymentType": "cc",
            "paymentMethod": "card",
            "products": [
                {
                    "lineId": number,
                    "sku": line["products.sku"],
                    "ean": line["products.ean"],
                    "brand": line["products.itemText.brand"],
                    "name": line["products.itemText.product"],
                    "variant": line["products.itemText.variant"],
                    "size": line["products.itemText.size"],
                    "qty": line["products.qty"],
                    "price": line["products.unitPrice"],
                    "originalPrice": line["products.originalPrice"],
                    "taxPercent": line["products.vatPercent"],
                }
                for number, line in enumerate(lines, 1)
            ],
        }
        if voucher:
            document["discounts"] = {
                "vouchers": [
                    {"voucher": "WELCOME5", "name": "Welcome", "priceOffAsANumber": -voucher, "isCredit": False}
                ]
            }
        if index % 5 == 2:
            document["returns"] = [_nested_return(index, moment, lines[0])]
        yield document


def _nested_return(index: int, moment: datetime, line: dict[str, Any]) -> dict[str, Any]:
    return {
        "returnId": 300 + index,
        # One of them is still on its way and must not be imported.
        "completed": 0 if index == 12 else 1,
        "date": as_text(moment + timedelta(days=6)),
        "returnCost": Decimal("2.50") if index == 17 else ZERO,
        "shippingCost": Decimal("3.95") if index == 2 else ZERO,
        "voucherValue": ZERO,
        "products": [{"orderLineId": 1, "quantity": 1, "price": line["products.unitPrice"]}],
    }


def write_get_orders(path: Path) -> None:
    """One get-orders object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for document in get_orders():
            stream.write(simplejson.dumps(document, ensure_ascii=False, use_decimal=True) + "\n")


def main(folder: Path) -> None:
    """Writes all sample files into `folder`."""
    found = orders()
    write_csv(folder / "orders.csv", found)
    write_continental(folder / "orders-eu.csv", found)
    write_workbook(folder / "orders.xlsx", found)
    write_objects(folder / "orders.ndjson", found)
    write_get_orders(folder / "get-orders.ndjson")
    print(f"{len(found)} orders, {sum(len(order.lines) for order in found)} lines in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
