"""Flat taxes, and taxes on them, through the real commands: what the dry run promised is what Mews holds, to the cent."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest
from in_process import in_process
from shop_settings import bad_day
from small_shop import SmallShop, check_counts, row, write_export

from etl.model.identity import parse_identifier
from etl.sandbox.world import World
from etl.sandbox.world_file import parse_world

pytestmark = pytest.mark.slow

TAXES = """country,vat_percent,valid_from,valid_before,tax_codes,accept_rate_difference,sku
*,10,,,US-STATE US-CITY,,
*,10,,,US-FEE US-ONFEE,,F*
*,7.06,,,US-STATE US-LEVY,,
*,6,,,US-STATE US-FEE,,
*,17.06,,,US-STATE US-CITY US-LEVY US-FEE US-ONFEE,yes,A*
*,0,,,exempt,,
"""
"""Relative; flat and 10 % on net and fee; 1 % on net and state tax; relative and flat; all of them; none."""


def world(precision: int | None) -> World:
    """The net enterprise with one more tax: 10 % of the net and of the fee of 2.00 a piece."""
    text = resources.files("etl.sandbox").joinpath("worlds", "net-us.json").read_text("utf-8")
    told = json.loads(text, parse_float=Decimal)
    told["rates"].append(
        {
            "code": "US-ONFEE",
            "taxation": "ONFEE",
            "dependent": "0.10",
            "base": ["FEE"],
            "valid_from": None,
            "valid_before": None,
        }
    )
    told["tax_environments"][0]["taxations"].append("ONFEE")
    told["tax_precision"] = precision
    return replace(parse_world(told, "net-us"), limit=None)


def prepare(shop: SmallShop, *, with_tax: bool) -> None:
    """The mapping folder for dollars in New York."""
    shop.shell = in_process(shop.shell)
    shop.map(taxes=TAXES)
    path = shop.mapping / "migration.toml"
    text = path.read_text("utf-8").replace("Europe/London", "America/New_York").replace('"GBP"', '"USD"')
    text = text.replace("prices_include_tax = true", f"prices_include_tax = {str(with_tax).lower()}")
    path.write_text(f'{text}\n[vouchers]\npolicy = "rebate"\n', "utf-8")


def order(number: int, vat: str, sku: str, price: str, qty: int = 1, ship: str = "0.00", off: str = "") -> dict:
    """One line, shipping and a voucher."""
    line = row(number, price=price, qty=qty, currency="USD", vatPercent=vat, sku=sku, shippingValue=ship)
    return line | {"voucherCode": "V" if off else "", "voucherValue": off}


def total_of(line: dict) -> Decimal:
    """What the shop sold."""
    goods = Decimal(line["products.unitPrice"]) * int(line["products.qty"])
    return goods + Decimal(line["shippingValue"]) - Decimal(line["voucherValue"] or 0)


KNOWN = [
    ("10", "F1", "66.00", 4),
    ("10", "F1", "5.50"),
    ("10", "F1", "5.20"),
    ("10", "F1", "2.20"),
    ("10", "F1", "2.19"),
    ("10", "F1", "0.00"),
    ("6", "C", "1.99"),
    ("6", "C", "33.33", 3),
    ("7.06", "C", "1.07", 100),
    ("17.06", "A1", "50.00", 2, "5.00", "10.00"),
    ("10", "F1", "10.00", -1),
]


def drawn(count: int, seed: int) -> list[tuple]:
    """Orders of all sorts."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        vat, sku = rng.choice([("10", "F1"), ("10", "C"), ("6", "C"), ("7.06", "C"), ("17.06", "A1"), ("0", "Z")])
        price, qty = rng.randint(1, 9999), rng.randint(1, 9)
        off = rng.choice([0, min(rng.randint(1, 500), price * qty)])
        ship = f"{rng.choice([0, rng.randint(1, 999)]) / 100:.2f}"
        found.append((vat, sku, f"{price / 100:.2f}", qty, ship, f"{off / 100:.2f}" if off else ""))
    return found


@pytest.mark.parametrize(("precision", "with_tax"), [(None, True), (3, True), (0, True), (None, False)])
def test_the_dry_run_promised_what_mews_holds(tmp_path: Path, precision: int | None, *, with_tax: bool) -> None:
    """Every order is there with what was planned, its difference to the source told; what can't hold its fee is blocked."""
    with bad_day(tmp_path, world=world(precision)) as shop:
        prepare(shop, with_tax=with_tax)
        lines = [order(number, *what) for number, what in enumerate([*KNOWN, *drawn(30, 7)], 1)]
        file = write_export(tmp_path / "orders.csv", lines, header=(*lines[0],))
        dry = shop.shell.run("dry-run", file, "--report", tmp_path / "report")
        rows = csv.DictReader((tmp_path / "report" / "orders.csv").read_text("utf-8-sig").splitlines())
        planned = {one["order"]: one for one in rows}
        done = shop.shell.run("run", file)
        check_counts(done.json)
        assert done.json["stopped"] is None, done.err
        assert dry.json["orders"]["ready"] == done.json["orders"]["posted"] == len(shop.held())
        held: dict[str, Decimal] = defaultdict(Decimal)
        for item in shop.sandbox.items:
            identity, _ = parse_identifier(item.external_identifier)  # type: ignore[misc, arg-type]
            held[identity.number] += item.amount.gross if with_tax else item.amount.net
        for line in lines:
            number = line["orderNumber"]
            told = planned[number]
            if told["state"] == "blocked":
                assert (told["problem"], with_tax) == ("tax.rate_differs", True)
                continue
            assert held[number] == Decimal(told["planned_total"])
            assert total_of(line) - held[number] == Decimal(told["difference"])
        assert {planned["5"]["state"], planned["6"]["state"], planned["7"]["state"]} == (
            {"blocked"} if with_tax else {"ready"}
        )
        found = shop.shell.run("reconcile")
        assert found.json["orders"]["matched"] == len(shop.held())
        assert found.json["orders"]["different"] == 0
