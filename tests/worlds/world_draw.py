"""Worlds from seeds: an enterprise, a mapping folder, and exports of a shop, with what each order means.

A world is drawn as plain values; its files are what a user would have. `shuffled` gives the same orders in other rows.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any

from world_oracle import Coupon, Goods, Rate, Rules, Sale, decide_footing, footed, half_away

SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
CURRENCIES = {"GBP": 2, "JPY": 0, "KWD": 3}
OFTEN = ("GBP", "GBP", "JPY", "KWD")
COLUMNS = [
    "orderNumber",
    "orderDate",
    "status",
    "storeType",
    "currency",
    "invoiceAddress.email",
    "deliveryAddress.country",
    "shippingValue",
    "voucherValue",
    "voucherCode",
    "orderTotal",
    "createdFromOrigin.type",
    "products.qty",
    "products.sku",
    "products.unitPrice",
    "products.vatPercent",
    "products.itemText.product",
]
ZERO = Fraction(0)
Row = dict[str, str]


@dataclass
class World:
    """`rows` of the create-order file, `objects` of the get-orders file, and the `sales` that both hold."""

    seed: int
    rules: Rules
    enterprise: dict[str, Any]
    migration: str
    tables: dict[str, str]
    currency: str
    sales: dict[str, Sale] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)

    def exports(self, random: Random | None = None) -> dict[str, str]:
        """The files, by name; with `random` their rows, objects and lists in another order."""
        rows, objects = list(self.rows), json.loads(json.dumps(self.objects))
        if random is not None:
            random.shuffle(rows)
            random.shuffle(objects)
            for one in objects:
                for part in (one["products"], one["discounts"]["vouchers"], one["returns"]):
                    random.shuffle(part)
                for back in one["returns"]:
                    random.shuffle(back["products"])
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        found = {"history.csv": text.getvalue()} if rows else {}
        if objects:
            found["orders.json"] = json.dumps({"status": "ok", "orders": objects})
        return found


def draw(seed: int, orders: int = 24) -> World:
    """The world of a seed."""
    random = Random(f"world {seed}")
    currency = random.choice(OFTEN)
    rules, rates = _rules(random, CURRENCIES[currency], currency)
    world = World(
        seed, rules, _enterprise(rules, rates, currency), _migration(rules, currency), _tables(rules), currency
    )
    for number in range(1, orders + 1):
        drawn = random.random()
        if drawn < 0.5:
            _create_order(random, world, str(1000 + number))
        else:
            _get_order(random, world, str(1000 + number))
    world.rules = decide_footing(list(world.sales.values()), rules)
    return world


def text(value: Fraction, digits: int = 4) -> str:
    """Four decimals, so that no reader can take a point for a thousands separator."""
    scaled = value * 10**digits
    assert scaled.denominator == 1, value
    sign = "-" if scaled < 0 else ""
    whole = f"{abs(scaled.numerator):0{digits + 1}d}"
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}"


def _rules(random: Random, digits: int, currency: str) -> tuple[Rules, list[dict[str, Any]]]:
    is_gross = random.random() < 0.5
    rates: dict[str, Rate] = {
        "R20": Rate("relative", Fraction(1, 5)),
        "R5": Rate("relative", Fraction(1, 20)),
        "RX": Rate("relative", Fraction(random.choice([88, 175, 1900, 6, 55]), 1000)),
        "FEE": Rate("flat", Fraction(random.choice([1, 5, 25, 200]), 10**digits)),
        "FINE": Rate("flat", Fraction(random.choice([55, 125]), 10 ** (digits + 1))),
    }
    if is_gross:
        codes_of = {Fraction(20): ("R20",), Fraction(5): ("R5",), Fraction(0): (), Fraction(1): ("FEE",)}
    else:
        rates["ON20"] = Rate("dependent", Fraction(random.choice([1, 10, 50]), 100), frozenset({"R20"}))
        rates["ONFEE"] = Rate("dependent", Fraction(1, 10), frozenset({"FEE"}))
        rates["ONON"] = Rate("dependent", Fraction(1, 4), frozenset({"ONFEE", "R5"}))
        codes_of = {
            Fraction(20): ("R20",),
            Fraction(0): (),
            Fraction(31): ("R5", "R20"),
            Fraction(32): ("R20", "R5"),
            Fraction(33): ("ON20", "R20", "R5"),
            Fraction(34): ("ONFEE", "FEE"),
            Fraction(35): ("FEE", "ONON", "R5", "ONFEE"),
            Fraction(36): ("R20", "FEE"),
            Fraction(37): ("FINE", "R5"),
        }
        for percent in random.sample(list(codes_of), random.randint(3, 6)):
            del codes_of[percent]
    codes_of[Fraction(7)] = ("RX",)
    tax_digits = random.choice([digits, digits, digits, digits + 2, max(0, digits - 1)])
    rules = Rules(
        is_gross_enterprise=is_gross,
        is_gross_source=random.random() < 0.5,
        digits=digits,
        tax_digits=tax_digits,
        rates=rates,
        codes_of=codes_of,
        shipping_tax=random.choice(["proportional", "proportional", "highest", "R5"]),
        shipping_codes=("R20",),
        policies={"RE1": "rebate", "RE2": "rebate", "SP1": "spread", "SP2": "spread", "GC1": "payment"},
        default_policy=random.choice(["rebate", "spread", "payment"]),
        allow_rebates=random.random() < 0.85,
        tolerance=random.choice([ZERO, ZERO, Fraction(2, 10**digits)]),
        footing=random.choice(["without", "without", "once", "rate", "line"]),
    )
    return rules, [_rate_row(code, rate, currency) for code, rate in rates.items()]


def _rate_row(code: str, rate: Rate, currency: str) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "taxation": code, "valid_from": None, "valid_before": None}
    if rate.kind == "flat":
        return row | {"flat": text(rate.value), "currency": currency}
    return row | (
        {"relative": text(rate.value)}
        if rate.kind == "relative"
        else {"dependent": text(rate.value), "base": sorted(rate.base)}
    )


def _enterprise(rules: Rules, rates: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    return {
        "pricing": "Gross" if rules.is_gross_enterprise else "Net",
        "timezone": "Europe/London",
        "now": "2012-01-10T09:00:00Z",
        "editable_window": "P0Y40M0DT0H0M0S",
        "currencies": {currency: rules.digits},
        "tax_precision": None if rules.tax_digits == rules.digits else rules.tax_digits,
        "rates": rates,
        "service": {"id": SERVICE, "name": "Web shop", "external_identifier": "WEB-SHOP"},
        "products": [],
        "accounting_categories": [],
        "accounts": [{"id": ACCOUNT, "email": "webshop@example.com", "classification": "PaymasterAccount"}],
        "companies": [],
        "allow_rebates": True,
        "payment_types": ["Cash", "GiftCard"],
    }


def _migration(rules: Rules, currency: str) -> str:
    return f"""
[source]
store = "shop"
timezone = "Europe/London"
prices_include_tax = {str(rules.is_gross_source).lower()}
total_tolerance = "{text(rules.tolerance)}"
default_currency = "{currency}"
[target]
service = "eid:WEB-SHOP"
rebates = "{"allow" if rules.allow_rebates else "block"}"
[accounts]
fallback = "{ACCOUNT}"
[shipping]
tax = "{rules.shipping_tax}"
[vouchers]
policy = "{rules.default_policy}"
[payments]
refunds = "post"
"""


def _tables(rules: Rules) -> dict[str, str]:
    rows = ["country,vat_percent,valid_from,valid_before,tax_codes,accept_rate_difference"]
    rows += [f"*,{percent},,,{' '.join(codes) or 'exempt'},yes" for percent, codes in rules.codes_of.items()]
    rows.append(f"*,shipping,,,{' '.join(rules.shipping_codes)},yes")
    policies = ["code,policy,accounting_category", *(f"{code},{policy}," for code, policy in rules.policies.items())]
    return {"taxes.csv": "\n".join(rows) + "\n", "vouchers.csv": "\n".join(policies) + "\n"}


def _goods(random: Random, rules: Rules, *, is_negative: Callable[[], bool]) -> Goods:
    digits = rules.digits if random.random() < 0.7 else 4
    dear = 10 ** random.choice([1, 2, 3]) * 10**digits
    price = Fraction(random.choice([0, *([random.randint(1, dear)] * 8)]), 10**digits)
    qty = random.choice([1, 1, 1, 2, 3, 5, 7, 12])
    return Goods(random.choice("ABCDEF"), -qty if is_negative() else qty, price, random.choice(list(rules.codes_of)))


def _amount(random: Random, rules: Rules, most: int = 30) -> Fraction:
    return Fraction(random.randint(0, most * 10**rules.digits), 10**rules.digits)


def _total(random: Random, world: World, sale: Sale) -> Fraction | None:
    """The control: as it should be, not given, or off."""
    rules = world.rules
    drawn = random.random()
    if drawn < 0.25:
        return None
    off = ZERO if drawn < 0.85 else Fraction(random.choice([-3, -1, 1, 2, 50]), 10**rules.digits)
    return footed(sale, rules) + off


def _coupon_value(random: Random, rules: Rules, room: Fraction) -> Fraction:
    if room <= 0:
        return ZERO
    return half_away(
        room * random.choice([random.randint(1, 60), random.randint(1, 100), 100, 110]) / 100, rules.digits
    )


def _create_order(random: Random, world: World, number: str) -> None:
    """A sale, with negative lines at times, or a return, with positive ones at times."""
    rules = world.rules
    is_return = random.random() < 0.4
    share = random.choice([0.0, 0.0, 0.3])
    goods = tuple(
        _goods(random, rules, is_negative=lambda: (random.random() < share) != is_return)
        for _ in range(random.choice([0, 1, 1, 2, 3, 5]))
    )
    shipping = random.choice([ZERO, _amount(random, rules)]) * (-1 if is_return else 1)
    sale = Sale(number, goods, shipping, is_return=is_return)
    coupons: tuple[Coupon, ...] = ()
    if random.random() < 0.6 or not (goods or shipping):
        code = random.choice(["RE1", "SP1", "GC1", "OTHER", "SP2"])
        value = _amount(random, rules) + rules.step if is_return else _coupon_value(random, rules, sale.exact)
        coupons = (Coupon(code, value),) if value else ()
    if not (goods or shipping or coupons):
        goods = (Goods("A", 1, Fraction(5), next(iter(rules.codes_of))),)
    sale = Sale(number, goods, shipping, coupons=coupons, is_return=is_return)
    sale = Sale(number, goods, shipping, coupons=coupons, is_return=is_return, total=_total(random, world, sale))
    world.sales[number] = sale
    head = {
        "orderNumber": number,
        "orderDate": "2011-06-15 12:00:00",
        "status": "Completed",
        "storeType": "b2c",
        "currency": world.currency,
        "invoiceAddress.email": "ann@example.com",
        "deliveryAddress.country": "GB",
        "shippingValue": text(shipping),
        "voucherValue": text(coupons[0].value) if coupons else "0.0000",
        "voucherCode": coupons[0].code if coupons else "",
        "orderTotal": "" if sale.total is None else text(sale.total),
        "createdFromOrigin.type": "return" if is_return else "",
    }
    for one in goods:
        world.rows.append(
            head
            | {
                "products.qty": str(one.qty),
                "products.sku": one.sku,
                "products.unitPrice": text(one.price),
                "products.vatPercent": str(one.percent),
                "products.itemText.product": f"Name {one.sku}",
            }
        )
    if not goods:
        world.rows.append(head)


def _get_order(random: Random, world: World, number: str) -> None:
    """A sale as get-orders tells it: bundles, credit, handling, and a return nested in it."""
    rules = world.rules
    lines: list[dict[str, Any]] = []
    charged: list[tuple[str, Goods]] = []
    for _ in range(random.choice([1, 1, 2, 3, 4])):
        one = _goods(random, rules, is_negative=lambda: False)
        lines.append(_product(len(lines) + 1, one))
        charged.append((str(len(lines)), one))
    has_bundle = random.random() < 0.25
    if has_bundle:
        charged += _bundles(random, rules, lines)
    goods = tuple(one for _, one in charged)
    shipping, handling = (random.choice([ZERO, _amount(random, rules)]) for _ in range(2))
    coupons = _vouchers(random, rules, Sale(number, goods, shipping))
    sale = Sale(number, goods, shipping, handling, coupons=coupons)
    total = footed(sale, rules) if has_bundle else _total(random, world, sale)
    sale = Sale(number, goods, shipping, handling, coupons=coupons, total=total)
    world.sales[number] = sale
    order = {
        "orderId": number,
        "orderStatus": 4,
        "orderDate": "2011-06-15 12:00:00",
        "orderCurrency": world.currency,
        "orderStore": "b2c",
        "billingEmail": "ann@example.com",
        "deliveryCountry": "GB",
        "shippingValue": text(shipping),
        "handlingCost": text(handling),
        "voucherValue": text(sum((one.value for one in coupons), ZERO)),
        "products": lines,
        "discounts": {"vouchers": [_voucher(one) for one in coupons]},
        "returns": [],
    }
    if total is not None:
        order["grandTotalValue"] = text(total)
    if not has_bundle and random.random() < 0.4:
        _nested(random, world, order, sale, charged)
    world.objects.append(order)


def _product(at: int, one: Goods, **more: Any) -> dict[str, Any]:
    return {
        "lineId": str(at),
        "qty": one.qty,
        "price": text(one.price),
        "taxPercent": str(one.percent),
        "sku": one.sku,
        "name": f"Name {one.sku}",
        **more,
    }


def _bundles(random: Random, rules: Rules, lines: list[dict[str, Any]]) -> list[tuple[str, Goods]]:
    """One or two bundles with their contents, all priced in the same of the two ways; the other way is dearer."""
    # Which way orders with tax on top foot is voted on before bundles are read.
    by_bundle = rules.has_tax_on_top or random.random() < 0.5
    count = random.choice([1, 1, 2])
    charged = []
    for at in range(count):
        percent = random.choice(list(rules.codes_of))
        price = _amount(random, rules) + 2 * rules.step
        ref = str(len(lines) + 1) if count > 1 or random.random() < 0.5 else random.choice(["1", "true", "217"])
        bundle = Goods(f"SET{at}", 1, price if by_bundle else 4 * price + 100, percent)
        lines.append(_product(len(lines) + 1, bundle, isBundle=True))
        if by_bundle:
            charged.append((str(len(lines)), bundle))
        for sku in ("X", "Y"):
            worth = random.choice([ZERO, price + 50]) if by_bundle else price
            part = Goods(f"{sku}{at}", random.choice([1, 2]), worth, percent)
            lines.append(_product(len(lines) + 1, part, isPartOfBundle=ref))
            if not by_bundle:
                charged.append((str(len(lines)), part))
    return charged


def _vouchers(random: Random, rules: Rules, sale: Sale) -> tuple[Coupon, ...]:
    found = []
    room = sale.exact
    for code in random.sample(["RE1", "RE2", "SP1", "SP2", "GC1", "OTHER"], random.choice([0, 0, 1, 1, 2, 3])):
        value = _coupon_value(random, rules, room)
        if value:
            found.append(Coupon(code, value, random.random() < 0.15))
            room -= value
    return tuple(found)


def _voucher(one: Coupon) -> dict[str, Any]:
    return {"voucher": one.code, "name": "", "priceOffAsANumber": text(-one.value), "isCredit": one.is_credit}


def _nested(random: Random, world: World, order: dict[str, Any], sale: Sale, charged: list[tuple[str, Goods]]) -> None:
    rules = world.rules
    back = random.sample(charged, random.randint(0, len(charged)))
    goods, products = [], []
    for line_id, one in back:
        qty = random.randint(1, one.qty)
        goods.append(Goods(one.sku, -qty, one.price, one.percent))
        products.append({"orderLineId": line_id, "quantity": qty, "price": text(one.price)})
    shipping, handling, fee = (random.choice([ZERO, _amount(random, rules, 5)]) for _ in range(3))
    value = random.choice([ZERO, _amount(random, rules, 10)])
    coupons: tuple[Coupon, ...] = ()
    if value:
        one_given = sale.coupons[0] if len(sale.coupons) == 1 else Coupon("", ZERO)
        coupons = (Coupon(one_given.code, -value, one_given.is_credit),)
    if not (goods or shipping or handling or fee or coupons):
        return
    number = f"{sale.number}-R7"
    world.sales[number] = Sale(
        number, tuple(goods), -shipping, -handling, fee, coupons, is_return=True, parent=sale.number
    )
    order["returns"].append(
        {
            "returnId": 7,
            "completed": True,
            "date": "2011-07-01 12:00:00",
            "shippingCost": text(shipping),
            "handlingCost": text(handling),
            "returnCost": text(fee),
            "voucherValue": text(value),
            "products": products,
        }
    )
