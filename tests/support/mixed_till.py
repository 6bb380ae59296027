"""A US shop of retail (with tax) and trade (without) whose history goes to an outlet, and what Mews holds of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

from etl.sandbox.core import Sandbox
from etl.sandbox.world import World
from etl.sandbox.world_file import parse_world

OUTLET = "01000000-0000-4000-a000-000000000001"
FIRST, SECOND = "e0000000-0000-4000-a000-000000000001", "e0000000-0000-4000-a000-0000000000ff"
GOODS, VOUCHERS, PAID, ASSUMED = (f"ca000000-0000-4000-a000-00000000000{number}" for number in range(1, 5))
ZERO = Decimal(0)
HEADER = (
    "orderNumber",
    "orderDate",
    "status",
    "storeType",
    "currency",
    "createdFromOrigin.type",
    "deliveryAddress.country",
    "shippingValue",
    "voucherCode",
    "voucherValue",
    "orderTotal",
    "payment.method",
    "payment.capture.status",
    "payment.capture.amount",
    "products.sku",
    "products.itemText.product",
    "products.qty",
    "products.unitPrice",
    "products.vatPercent",
)
MIGRATION = """
[source]
store = "till"
timezone = "America/New_York"
prices_include_tax = "b2c"
[target]
route = "outlet"
rebates = "allow"
{target}
[products]
accounting_category = "{goods}"
[shipping]
accounting_category = "{goods}"
[vouchers]
policy = "rebate"
accounting_category = "{vouchers}"
[payments]
accounting_category = "{paid}"
refunds = "post"
[outlet]
outlet = "Shop"
payments = "{payments}"
balance_category = "{assumed}"
bills_per_request = {most}
[mews]
rate_limit = "100000/1s"
settle_seconds = 1
timeout_seconds = 3
"""
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\nUS,10,,,STATE\nUS,7,,,FOOD\n"


def till_world(pricing: str, *, is_portfolio: bool) -> World:
    """One hotel, or two behind one token, of which the second comes first and has an outlet of the same name."""
    rates = [("STATE", "STATE", "0.10"), ("FOOD", "STATE", "0.07")]
    rates += [("CITY", "CITY", "0.04")] if pricing == "Net" else []
    world = parse_world(
        {
            "pricing": pricing,
            "timezone": "America/New_York",
            "editable_window": "P0Y0M7DT0H0M0S",
            "currencies": {"USD": 2},
            "rates": [{"code": code, "taxation": kind, "relative": rate} for code, kind, rate in rates],
            "enterprise": {"id": FIRST, "name": "Hotel One"},
            "service": {"id": "5e000000-0000-4000-a000-000000000001", "name": "Web shop"},
            "outlets": [{"id": OUTLET, "name": "Shop", "created": "2020-06-01T00:00:00Z"}],
            "accounts": [{"id": "ac000000-0000-4000-a000-000000000001", "email": "webshop@example.com"}],
            "accounting_categories": [{"id": one, "name": one[-4:]} for one in (GOODS, VOUCHERS, PAID, ASSUMED)],
            "payment_types": ["Cash", "GiftCard"],
            "allow_rebates": True,
            "rate_limit": None,
        }
    )
    if not is_portfolio:
        return world
    one = world.enterprise
    other = replace(one.outlets[OUTLET], id="01000000-0000-4000-a000-000000000002")
    two = replace(one, id=SECOND, name="Hotel Two", outlets={other.id: other})
    return replace(world, is_portfolio=True, enterprises={two.id: two, one.id: one})


@dataclass(frozen=True, slots=True)
class Sale:
    """One order of the export. `captured`: money that came in, or went back; `gift`: paid by gift card."""

    is_retail: bool
    captured: Decimal
    gift: Decimal


def write_till(
    folder: Path, rng: Random, count: int, pricing: str, payments: str, *, is_portfolio: bool
) -> dict[str, Sale]:
    """Mapping folder and export. Shape: the orders by number."""
    mapping = folder / "mapping"
    mapping.mkdir()
    target = f'enterprise_id = "{FIRST}"' if is_portfolio else ""
    names = {"goods": GOODS, "vouchers": VOUCHERS, "paid": PAID, "assumed": ASSUMED}
    text = MIGRATION.format(target=target, payments=payments, most=rng.choice([3, 10, 50]), **names)
    (mapping / "migration.toml").write_text(text, "utf-8")
    (mapping / "taxes.csv").write_text(TAXES + ("US,14,,,STATE CITY\n" if pricing == "Net" else ""), "utf-8")
    (mapping / "vouchers.csv").write_text("code,policy\nGC-*,payment\nCPN-*,rebate\n", "utf-8")
    rates = ["10", "7", *(["14"] if pricing == "Net" else [])]
    found: dict[str, Sale] = {}
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(5000, 5000 + count):
            found[str(number)], lines = _an_order(str(number), rng, rates)
            writer.writerows(lines)
    return found


def _an_order(number: str, rng: Random, rates: list[str]) -> tuple[Sale, list[list[object]]]:
    is_retail, is_return = rng.random() < 0.6, rng.random() < 0.12
    sign = -1 if is_return else 1
    goods = [
        (rng.choice(["CUP", "BAG", "TEA"]), sign * rng.randint(1, 6), _money(rng.randint(1, 20000)), rng.choice(rates))
        for _ in range(rng.randint(1, 4))
    ]
    freight = sign * _money(rng.choice([0, 0, 490, 1295]))
    total = sum((count * price for _, count, price, _ in goods), freight)
    code, off = "", ZERO
    if not is_return and rng.random() < 0.4:
        code, off = rng.choice(["GC-1", "CPN-1"]), min(_money(rng.randint(1, 3000)), total)
    total -= off
    status = rng.choice(["1", "1", "1", "0", "2", ""])
    part = Decimal(rng.choice(["1", "1", "1", "0.37"]))
    captured = (total * part).quantize(Decimal("0.01"), ROUND_HALF_UP)
    when = f"20{rng.randint(21, 24)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(8, 22):02}:30:00"
    head = [number, when, "Completed", "b2c" if is_retail else "b2b", "USD", "return" if is_return else "", "US"]
    paid = ["card", status, captured] if status else ["", "", ""]
    money = [freight, code, off if code else "", total, *paid]
    lines = [[*head, *money, sku, f"Name {sku}", count, price, rate] for sku, count, price, rate in goods]
    return Sale(is_retail, captured if status == "1" else ZERO, off if code.startswith("GC") else ZERO), lines


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


@dataclass(frozen=True, slots=True)
class Held:
    """What the outlet holds: by number how many bills, and the sums of revenue (net, gross) and of payments received."""

    bills: dict[str, int]
    revenue: dict[str, tuple[Decimal, Decimal]]
    paid: dict[str, Decimal]

    def in_mews(self, sales: Mapping[str, Sale], basis: str) -> Decimal:
        """Revenue of the orders of one basis, in it."""
        at = 1 if basis == "gross" else 0
        return sum((sums[at] for one, sums in self.revenue.items() if sales[one].is_retail == bool(at)), ZERO)


def in_two_currencies(folder: Path) -> None:
    """Every third order in euro, four customers, and bills that name their accounts."""
    path, mapping = folder / "orders.csv", folder / "mapping" / "migration.toml"
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    at = header.index("currency")
    for line in lines:
        line[at] = "EUR" if int(line[0]) % 3 == 0 else "USD"
        line.append(f"p{int(line[0]) % 4}@example.com")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*header, "invoiceAddress.email"], *lines])
    accounts = '[accounts]\nlookup_email = true\nfallback = "ac000000-0000-4000-a000-000000000001"\n'
    text = mapping.read_text("utf-8").replace("[outlet]\n", f'{accounts}[outlet]\naccount = "mapped"\n')
    mapping.write_text(text, "utf-8")


def taking_euro(world: World) -> World:
    """The world, whose hotels take euro too."""
    currencies = {"USD": 2, "EUR": 2}
    enterprises = {key: replace(one, currencies=currencies) for key, one in world.enterprises.items()}
    return replace(world, currencies=currencies, enterprises=enterprises)


def held(sandbox: Sandbox) -> Held:
    """Bill and opposite count under their own numbers, their money under the order's."""
    found = Held({}, {}, {})
    for bill in sandbox.outlets.bills.values():
        found.bills[bill.number] = found.bills.get(bill.number, 0) + 1
        number = bill.number.removesuffix(":undo")
        for item in sandbox.outlets.items_of(bill.id):
            if item.type == "Revenue":
                net, gross = found.revenue.get(number, (ZERO, ZERO))
                found.revenue[number] = (net + item.amount.net, gross + item.amount.gross)
            else:
                found.paid[number] = found.paid.get(number, ZERO) - item.amount.gross
    return found


def check_nowhere_else(sandbox: Sandbox) -> None:
    """No account, and no other outlet, holds anything."""
    assert not list(sandbox.items)
    assert not list(sandbox.payments)
    assert {bill.outlet_id for bill in sandbox.outlets.bills.values()} <= {OUTLET}


def bridge_of(document: dict[str, Any]) -> dict[tuple[str, str], Decimal]:
    """The bridge's lines, by basis and name."""
    return {(line["basis"], line["line"]): Decimal(line["amount"]) for line in document["bridge"]}
