"""Prices without tax and totals with it, while the taxes are still being decided and where a line can't be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from in_process import in_process
from small_shop import SmallShop, row

DECIDED = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,UK-20%\n*,0,,,UK-0%\n"
EMPTY = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,\n*,0,,,UK-0%\n"


@pytest.fixture
def shop(shop: SmallShop) -> SmallShop:
    """The module's shop, its commands run in this process."""
    shop.shell = in_process(shop.shell)
    return shop


def plan(shop: SmallShop, taxes: str, *lines: dict[str, str]) -> dict[str, Any]:
    shop.map(taxes=taxes)
    path = shop.mapping / "migration.toml"
    path.write_text(path.read_text("utf-8").replace("prices_include_tax = true", "prices_include_tax = false"), "utf-8")
    return shop.shell.run("dry-run", shop.export(lines)).json


TAXED = [
    row(number, price=f"{number - 1000}0.00", orderTotal=f"{(number - 1000) * 12}.00") for number in range(1001, 1005)
]
EXEMPT = row("1009", price="7.00", vatPercent="0", orderTotal="7.00")


@pytest.mark.parametrize("beside", [[], [EXEMPT]])
def test_an_open_tax_is_no_fault_of_the_total(shop: SmallShop, beside: list[dict[str, str]]) -> None:
    """In the first dry run nobody can have filled in taxes.csv: what is missing is told, and the export is not blamed.

    An order at 0 % foots with and without tax, so it proves neither for the others.
    """
    codes = {one["code"] for one in plan(shop, EMPTY, *TAXED, *beside)["problems"]}
    assert "tax.undecided" in codes
    assert "total.mismatch" not in codes
    filled = plan(shop, DECIDED, *TAXED, *beside)
    assert filled["orders"]["ready"] == 4 + len(beside)
    assert filled["footing"]["without_tax_orders"] == "with tax, rounded once"


def test_a_total_without_tax_is_a_control_while_other_taxes_are_open(shop: SmallShop) -> None:
    """Once decided orders prove how totals foot, an order whose own tax is open is held to it as well."""
    plain = [row(number, price="10.00", orderTotal="10.00") for number in range(1001, 1004)]
    wrong = row("1008", price="10.00", orderTotal="11.00", vatPercent="17")
    codes = {one["code"]: one["orders"] for one in plan(shop, DECIDED, *plain, wrong)["problems"]}
    assert codes["total.mismatch"] == 1
    assert codes["tax.unmapped"] == 1


@pytest.mark.parametrize("status", ["Completed", "Cancelled"])
def test_a_total_with_tax_never_counts_as_one_without(shop: SmallShop, status: str) -> None:
    """How much of it is tax can't be known where a line can't be read: counted as unreadable, not added to net sums."""
    bad = row("1008", price="1O.00", orderTotal="12.00", status=status)
    document = plan(shop, DECIDED, *TAXED, bad)
    (totals,) = document["totals"]
    assert totals["basis"] == "net"
    assert Decimal(totals["source"]) == 10 + 20 + 30 + 40
    assert Decimal(totals["blocked"]) == Decimal(totals["skipped"]) == 0
    assert document["unreadable_totals"] == 1
