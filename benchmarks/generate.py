"""Generated exports of any size, for speed and memory: seeded, create-order names, two VAT rates, prices with tax or without.

Rows of one order stand together, or, with `shuffled`, anywhere in the file. A share of the orders may be odd: with a voucher,
cancelled, without an amount of shipping, with a total that does not foot, a return, with lines taken back or without names.
"""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

HEADER = [
    "orderNumber", "orderDate", "status", "storeType", "currency", "invoiceAddress.email", "invoiceAddress.country",
    "deliveryAddress.country", "shippingValue", "voucherCode", "voucherValue", "orderTotal", "createdFromOrigin.type", "products.sku",
    "products.itemText.product", "products.qty", "products.unitPrice", "products.vatPercent",
]  # fmt: skip
START = datetime(2011, 2, 1, 8)  # noqa: DTZ001 - local wall time, as exports have it


Cells = dict[str, str]


def write(
    path: Path,
    lines: int,
    *,
    lines_per_order: int = 10,
    shuffled: bool = False,
    odd: float = 0,
    net: bool = False,
    seed: int = 7,
) -> int:
    """Writes about `lines` lines; gives the number of orders. `odd`: the share of orders that are not plain.

    `net`: prices are without tax, and totals with it, rounded once.
    """
    rng = random.Random(seed)
    orders = max(1, lines // lines_per_order)
    rows = _rows(rng, orders, lines_per_order, odd, net=net)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        if shuffled:
            whole = list(rows)
            rng.shuffle(whole)
            writer.writerows(whole)
        else:
            writer.writerows(rows)
    return orders


def _voucher(order: list[Cells]) -> None:
    for row in order:
        row["voucherCode"], row["voucherValue"] = "SPRING", "0.50"
        row["orderTotal"] = _money(_cents(row["orderTotal"]) - 50)


def _cancelled(order: list[Cells]) -> None:
    for row in order:
        row["status"] = "Cancelled"


def _without_shipping(order: list[Cells]) -> None:
    for row in order:
        row["orderTotal"] = _money(_cents(row["orderTotal"]) - _cents(row["shippingValue"]))
        row["shippingValue"] = ""


def _wrong(order: list[Cells]) -> None:
    for row in order:
        row["orderTotal"] = _money(_cents(row["orderTotal"]) + 1)


def _return(order: list[Cells]) -> None:
    for row in order:
        row["createdFromOrigin.type"], row["products.qty"] = "return", f"-{row['products.qty']}"
        row["shippingValue"], row["orderTotal"] = f"-{row['shippingValue']}", f"-{row['orderTotal']}"


def _taken_back(order: list[Cells]) -> None:
    back = order[-1]
    twice = 2 * int(back["products.qty"]) * _cents(back["products.unitPrice"])
    back["products.qty"] = f"-{back['products.qty']}"
    for row in order:
        row["orderTotal"] = _signed(_cents(row["orderTotal"]) - twice)


def _nameless(order: list[Cells]) -> None:
    order[0]["products.itemText.product"] = ""


ODD = (_voucher, _cancelled, _without_shipping, _wrong, _return, _taken_back, _nameless)


def _rows(rng: random.Random, orders: int, lines_per_order: int, odd: float, *, net: bool):
    kinds = random.Random(11)
    for index, order in enumerate(_orders(rng, orders, lines_per_order)):
        is_odd = kinds.random() < odd
        if is_odd or net:
            cells = [dict(zip(HEADER, row, strict=True)) for row in order]
            if is_odd:
                ODD[index % len(ODD)](cells)
            if net:
                _add_tax(cells)
            order = [tuple(row.values()) for row in cells]  # noqa: PLW2901
        yield from order


def _add_tax(order: list[Cells]) -> None:
    """Takes the prices as being without tax; a total that is wrong stays so by as much."""
    head = order[0]
    is_return = head["createdFromOrigin.type"] == "return"
    amounts: dict[int, int] = {}
    weights: dict[int, int] = {}
    for row in order:
        rate, amount = int(row["products.vatPercent"]), int(row["products.qty"]) * _cents(row["products.unitPrice"])
        amounts[rate] = amounts.get(rate, 0) + amount
        if amount > 0 or is_return:
            weights[rate] = weights.get(rate, 0) + abs(amount)
    wrong = _cents(head["orderTotal"]) - sum(amounts.values())
    for beside in (_cents(head["shippingValue"] or "0"), -_cents(head["voucherValue"])):
        wrong -= beside
        for rate, part in _shared(beside, weights).items():
            amounts[rate] += part
    exact = sum(amount * (100 + rate) for rate, amount in amounts.items())
    total = (abs(exact) + 50) // 100 * (-1 if exact < 0 else 1)
    for row in order:
        row["orderTotal"] = _signed(total + wrong)


def _shared(cents: int, weights: dict[int, int]) -> dict[int, int]:
    """In proportion to the weights of two rates at most, to the cent; the larger remainder, then the larger weight, takes the odd one."""
    whole, sign = sum(weights.values()), -1 if cents < 0 else 1
    parts = {rate: divmod(abs(cents) * weight, whole) for rate, weight in weights.items()}
    found = {rate: part for rate, (part, _) in parts.items()}
    if left := abs(cents) - sum(found.values()):
        found[max(parts, key=lambda rate: (parts[rate][1], weights[rate]))] += left
    return {rate: sign * part for rate, part in found.items()}


def _orders(rng: random.Random, orders: int, lines_per_order: int):
    for index in range(orders):
        number = 100_000 + index
        when = (START + timedelta(seconds=97 * index % 25_000_000)).strftime("%Y-%m-%d %H:%M:%S")
        lines = []
        total = 0
        for _ in range(lines_per_order):
            qty, cents, vat = rng.randint(1, 6), rng.randint(50, 9_999), rng.choice(("20", "20", "5"))
            total += qty * cents
            sku = rng.randint(1, 4_000)
            lines.append((f"SKU-{sku}", f"Article number {sku}", str(qty), _money(cents), vat))
        shipping = rng.choice((0, 395, 495))
        head = (
            str(number), when, "Completed", "b2c", "GBP", f"guest{index % 50_000}@example.com", "GB", "GB",
            _money(shipping), "", "0.00", _money(total + shipping), "",
        )  # fmt: skip
        yield [head + line for line in lines]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _signed(cents: int) -> str:
    return f"{'-' * (cents < 0)}{_money(abs(cents))}"


def _cents(amount: str) -> int:
    return int(amount.replace(".", ""))
