"""Counts and plan ids: nothing is lost in counting, and what does not change a posting does not change the plan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from cli_run import Done
from small_shop import HEADER, TAXES, SmallShop, check_counts, row, rows, write_export

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]


def january_and_may() -> list[dict[str, str]]:
    """Ten orders of every kind: ready, blocked, skipped, a return, and rows without a number."""
    lines = rows(4)
    lines += [row(2000 + n, orderDate=f"2024-01-{n:02d}", shippingValue="5.00") for n in range(1, 4)]
    lines += [row(3001, country="CH"), row(3002, status="Cancelled"), row(3003, qty=-1, orderTotal="-12.00")]
    return lines


@pytest.fixture(scope="module")
def counted(open_module_shop: OpenShop) -> dict[str, Done]:
    """Dry runs and runs over parts of one history, in the order in which a careful person works."""
    shop = open_module_shop()
    export = shop.export([*january_and_may(), row("", price="1.00")])
    dated = ("--from", "2024-01-01", "--to", "2024-01-03")
    return {
        "inspect": shop.shell.run("inspect", export),
        "whole": shop.shell.run("dry-run", export),
        "dated dry": shop.shell.run("dry-run", export, *dated),
        "only": shop.shell.run("run", export, "--only", "1002", "--only", "01003.0"),
        "limit": shop.shell.run("run", export, "--limit", "2"),
        "dated": shop.shell.run("run", export, *dated),
        "after": shop.shell.run("dry-run", export),
        "all": shop.shell.run("run", export),
        "status": shop.shell.run("status"),
    }


def test_every_command_counts_the_same_orders(counted: dict[str, Done]) -> None:
    """Orders read equal the sum over all states, whatever part of them was worked on."""
    for name in ("whole", "only", "limit", "after", "all"):
        document = counted[name].json
        check_counts(document)
        assert document["orders"]["read"] == counted["inspect"].json["orders"]["read"] == 10, name
        assert document["lines"]["unassigned"] == counted["inspect"].json["lines"]["unassigned"] == 1
    for name in ("dated dry", "dated"):
        check_counts(counted[name].json)
        assert counted[name].json["orders"]["read"] == 2, name
    assert sum(counted["status"].json["orders"].values()) == 10


def test_only_and_limit_leave_the_rest_ready(counted: dict[str, Done]) -> None:
    """A careful start posts what was named and leaves the rest as it was; nothing of it is an error."""
    only, limit, dated, everything = (counted[name].json["orders"] for name in ("only", "limit", "dated", "all"))
    assert (only["posted"], only["ready"], only["already_posted"]) == (2, 6, 0)
    assert (limit["posted"], limit["ready"], limit["already_posted"]) == (2, 4, 2)
    # The limit took the oldest: the two of January that the dates name are there already.
    assert (dated["posted"], dated["already_posted"]) == (0, 2)
    assert counted["dated"].code == 3, "a row without an order number is part of no date"
    assert (everything["posted"], everything["already_posted"], everything["ready"]) == (4, 4, 0)


def test_the_plan_does_not_know_what_was_posted(counted: dict[str, Done]) -> None:
    """The reviewed plan id stays valid for every later run of the same export."""
    plans = {counted[name].json["plan"] for name in ("whole", "only", "limit", "after", "all")}
    assert len(plans) == 1
    assert counted["dated"].json["plan"] == counted["dated dry"].json["plan"] not in plans


@pytest.fixture(scope="module")
def planned(open_module_shop: OpenShop) -> SmallShop:
    """A shop whose reference data is stored, so that plans are made offline."""
    shop = open_module_shop()
    assert shop.shell.run("preflight").code == 0
    return shop


@pytest.fixture(scope="module")
def plan(planned: SmallShop) -> str:
    """The plan of the history as CSV in order."""
    return plan_of(planned, planned.export(january_and_may()))


def plan_of(shop: SmallShop, *exports: Path) -> str:
    """The plan id of an offline dry run."""
    done = shop.shell.run("dry-run", "--offline", *exports)
    assert done.code in (0, 3), done.err
    return str(done.json["plan"])


def as_xlsx(folder: Path) -> Path:
    """The history as a workbook with numbers as numbers."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER)
    for line in january_and_may():
        numbers = {"orderNumber", "products.qty"}
        sheet.append([int(value) if name in numbers and value else value for name, value in line.items()])
    book.save(folder / "orders.xlsx")
    return folder / "orders.xlsx"


def as_ndjson(folder: Path) -> Path:
    """The history as nested create-order objects, one a line."""
    orders: dict[str, dict] = {}
    for line in january_and_may():
        order = orders.setdefault(line["orderNumber"], {"products": []})
        product: dict = {}
        for name, value in line.items():
            target = product if name.startswith("products.") else order
            *path, last = name.removeprefix("products.").split(".")
            for part in path:
                target = target.setdefault(part, {})
            if value:
                target[last] = value
        order["products"].append(product)
    path = folder / "orders.ndjson"
    path.write_text("".join(json.dumps(order) + "\n" for order in orders.values()), "utf-8")
    return path


def reversed_rows(folder: Path) -> Path:
    """Rows of all orders in the opposite order."""
    return write_export(folder / "reversed.csv", reversed(january_and_may()))


def other_dialect(folder: Path) -> Path:
    """Semicolons, Windows-1252, other column order, and the order level on the first row only."""
    header = list(reversed(HEADER))
    text = [";".join(header)]
    seen = set()
    for line in january_and_may():
        number = line["orderNumber"]
        kept = {"orderNumber"} | {name for name in HEADER if name.startswith("products.")}
        text.append(";".join(line[name] if name in kept or number not in seen else "" for name in header))
        seen.add(number)
    path = folder / "other.csv"
    path.write_bytes("\r\n".join(text).encode("cp1252"))
    return path


@pytest.mark.parametrize("write", [as_xlsx, as_ndjson, reversed_rows, other_dialect])
def test_the_plan_does_not_depend_on_the_file(
    planned: SmallShop, plan: str, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    """However somebody saved the same orders, the same thing would be sent."""
    assert plan_of(planned, write(tmp_path)) == plan


def test_the_plan_ignores_comments_and_pacing(planned: SmallShop, plan: str) -> None:
    """Comments in the mapping and the [mews] section say nothing about what is sent."""
    kept = planned.mapping.with_name("kept")
    shutil.copytree(planned.mapping, kept)
    try:
        planned.map(taxes="# decided by the accountant\n\n" + TAXES, settle=77, timeout=12, concurrency=3)
        assert plan_of(planned, planned.folder / "orders.csv") == plan
    finally:
        shutil.rmtree(planned.mapping)
        kept.rename(planned.mapping)


@pytest.mark.parametrize(
    "change",
    [
        {"taxes": TAXES.replace("*,20,,,UK-20%", "*,20,,,UK-20%\nGB,20,,,UK-5%")},
        {"taxes": TAXES.replace("CH,20,,,", "CH,20,,,UK-20%")},
        {"target": 'rebates = "block"'},
        {"target": 'rebates = "allow"\nnotes = "Order {orderNumber}"'},
    ],
    ids=["another code", "a cell filled in", "rebates blocked", "other notes"],
)
def test_the_plan_changes_with_what_is_sent(planned: SmallShop, plan: str, change: dict[str, str]) -> None:
    """A reviewed plan does not cover a posting that looks different, or an order that is sent though it was blocked."""
    kept = planned.mapping.with_name("kept")
    shutil.copytree(planned.mapping, kept)
    try:
        planned.map(**change)
        assert plan_of(planned, planned.folder / "orders.csv") != plan
    finally:
        shutil.rmtree(planned.mapping)
        kept.rename(planned.mapping)


def test_the_plan_changes_with_an_amount(planned: SmallShop, plan: str, tmp_path: Path) -> None:
    """One penny is another plan."""
    lines = january_and_may()
    lines[0]["products.unitPrice"] = str(float(lines[0]["products.unitPrice"]) + 1)
    assert plan_of(planned, write_export(tmp_path / "orders.csv", lines)) != plan
