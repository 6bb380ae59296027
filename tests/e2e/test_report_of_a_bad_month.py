"""A month of refusals, a held kind, a changed order and an undone one: every report tells the same of it, and nothing untrue."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop_settings import bad_day, change_enterprise, configure
from small_shop import SmallShop, row, rows, write_export

pytestmark = pytest.mark.slow
VOUCHER = ("voucherCode", "voucherValue")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallShop, dict[str, dict[str, Any]]]]:
    """The shop, and what the commands said: run, again (another export), report, reconcile."""
    folder = tmp_path_factory.mktemp("bad-month")
    world = change_enterprise(lambda one: replace(one, allow_rebates=False))
    with bad_day(folder, "refuses-payments:type=GiftCard", world=world) as shop:
        configure(shop, {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"})
        lines = [{**one, **dict.fromkeys(VOUCHER, "")} for one in rows(4)]
        lines += [{**row(5001 + at, qty=-1), **dict.fromkeys(VOUCHER, "")} for at in range(6)]
        lines.append({**row(6001, price="30.00", orderTotal="18.00"), "voucherCode": "GC-1", "voucherValue": "12.00"})
        export = write_export(shop.folder / "orders.csv", lines, header=(*lines[0],))
        said = {"run": shop.shell.run("run", export, "--report", "run").json}
        shop.shell.run("undo", "--run", said["run"]["run_id"], "--only", "1001", "--yes")
        for line in lines:
            if line["orderNumber"] == "1002" and line["products.sku"] == "BOWL":
                line["products.unitPrice"] = "4.50"
        write_export(export, lines, header=(*lines[0],))
        said["again"] = shop.shell.run("run", export, "--report", "again").json
        said["report"] = shop.shell.run("report", "--report", "report").json
        said["reconcile"] = shop.shell.run("reconcile", "--report", "reconcile").json
        yield shop, said


def problems_of(folder: Path) -> Counter[tuple[str, str]]:
    """Severity and code of every order's problems in problems.csv."""
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as stream:
        return Counter((one["severity"], one["code"]) for one in csv.DictReader(stream) if one["order"])


def test_the_month_is_as_bad_as_it_is_meant(month: tuple[SmallShop, dict[str, dict[str, Any]]]) -> None:
    """Three refusals in equal words hold the kind; the gift card is refused beside its order; one changed, one is undone."""
    orders = month[1]["again"]["orders"]
    shown = {name: orders[name] for name in ("already_posted", "rejected", "blocked", "changed", "undone")}
    assert shown == {"already_posted": 2, "rejected": 4, "blocked": 3, "changed": 1, "undone": 1}


def test_every_report_names_why_an_order_is_not_there(month: tuple[SmallShop, dict[str, dict[str, Any]]]) -> None:
    """Blocked orders without a code are money that nobody can explain."""
    shop, _ = month
    expected = problems_of(shop.folder / "again")
    assert expected[("error", "kind.refused")] == 3
    assert problems_of(shop.folder / "report") == expected
    assert problems_of(shop.folder / "reconcile") == expected
    for name in ("again", "report", "reconcile"):
        with (shop.folder / name / "orders.csv").open(encoding="utf-8", newline="") as stream:
            assert all(
                one["problem"] for one in csv.DictReader(stream) if one["state"] in ("blocked", "rejected", "changed")
            )


def test_the_open_balance_is_what_mews_holds_less_what_is_paid(
    month: tuple[SmallShop, dict[str, dict[str, Any]]],
) -> None:
    """What a changed order, or one whose gift card was refused, leaves on the guest's account is owed all the same."""
    shop, said = month
    assert shop.sandbox.payments == []
    (held,) = {one["amount"] for one in said["reconcile"]["bridge"] if one["line"] == "items in Mews"}
    items = [one for one in shop.sandbox.items if one.external_identifier and not one.canceled]
    assert Decimal(held) == sum(Decimal(one.amount.gross) for one in items)
    for name in ("again", "report"):
        balances = sum((Decimal(one["balance"]) for one in said[name]["balances"]), Decimal(0))
        assert balances == Decimal(held), name


def test_the_terminal_ends_with_what_is_safe_and_what_comes_next(
    month: tuple[SmallShop, dict[str, dict[str, Any]]],
) -> None:
    """At night nobody reads a manual: is it safe to type it again, and what is to be typed?"""
    shop, _ = month
    said = shop.plain("run", "orders.csv").err.splitlines()
    safe = next(at for at, line in enumerate(said) if line.startswith("Safe: what is posted is never sent again"))
    assert any(line.startswith("Next: ") for line in said[safe:])
    assert any("Errors: these orders need attention" in line for line in said[:safe])
    status = shop.plain("status").err
    assert re.search(r"Last run \w+: ended with exit code 3, started \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", status)


def test_the_bridges_agree(month: tuple[SmallShop, dict[str, dict[str, Any]]]) -> None:
    """Run, report and reconcile lead over the same lines to the same end."""
    _, said = month
    lines = [{one["line"]: one["amount"] for one in said[name]["bridge"]} for name in ("again", "report", "reconcile")]
    assert lines[0] == lines[1] == lines[2]
