"""Who is charged, and people who are made: the real commands against a real Mews."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from shop_settings import ANN, HOUSE, accounts_charged, bad_day, change_enterprise, configure, people
from small_shop import SmallShop, check_counts, row, write_export

from etl.sandbox.world import Customer

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]
COMPANY = "c0000000-0000-4000-a000-000000000001"
TRADE_HEADER = ("orderNumber", "orderDate", "status", "storeType", "currency", "buyerId", "deliveryAddress.country")
LINE_HEADER = ("products.sku", "products.qty", "products.unitPrice", "products.vatPercent", "products.itemText.product")


def problems_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    """problems.csv by order."""
    found: dict[str, list[dict[str, str]]] = {}
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found.setdefault(line["order"], []).append(line)
    return found


def test_customers_are_found_by_email(shop: SmallShop) -> None:
    """Whatever the case; merged profiles lead to their target, deleted ones to the fallback, others are held back."""
    configure(shop, accounts="lookup_email = true")
    emails = ["Ann@Example.COM", "merged@example.com", "gone@example.com", "nobody@example.com", "cash@example.com"]
    emails.append("twin@example.com")
    export = shop.export([row(1000 + index, email=email) for index, email in enumerate(emails)])
    report = shop.folder / "report"
    dry = shop.shell.run("dry-run", export, "--report", report)
    done = shop.shell.run("run", export, "--expect", dry.json["plan"])
    assert (dry.code, done.code) == (3, 3)
    assert accounts_charged(shop) == {"1000": ANN, "1001": ANN, "1002": HOUSE, "1003": HOUSE}
    found = problems_of(report)
    codes = {number: [line["code"] for line in lines] for number, lines in found.items()}
    assert codes["1001"] == ["account.merged"]
    assert codes["1002"] == ["account.inactive"]
    assert codes["1004"] == ["account.cashlist"]
    assert codes["1005"] == ["account.ambiguous"]
    twins = people(shop, ["twin@example.com"])["twin@example.com"]
    assert len(twins) == 2
    assert all(one in found["1005"][0]["hint"] + found["1005"][0].get("message", "") for one in twins)
    assert done.json["orders"]["posted"] == 4
    check_counts(done.json)


def test_merges_are_followed_to_people_whom_no_order_names(tmp_path: Path) -> None:
    """The target of a merge, and of its merge, is read from Mews although no address leads there."""
    last = Customer("ac000000-0000-4000-a000-0000000000b2", "kept@example.com", (), "Mia", "Kept", True, None)
    middle = replace(last, id="ac000000-0000-4000-a000-0000000000b1", is_active=False, merged_into=last.id, email=None)
    first = replace(middle, id="ac000000-0000-4000-a000-0000000000b0", merged_into=middle.id, email="old@example.com")
    more = {one.id: one for one in (first, middle, last)}
    world = change_enterprise(lambda one: replace(one, customers={**one.customers, **more}))
    with bad_day(tmp_path, world=world) as shop:
        configure(shop, accounts="lookup_email = true")
        done = shop.shell.run("run", shop.export([row(1, email="OLD@example.com"), row(2, email="merged@example.com")]))
        assert done.code == 0, done.err
        assert accounts_charged(shop) == {"1": last.id, "2": ANN}
        offline = shop.shell.run("dry-run", "--offline", shop.folder / "orders.csv")
        assert offline.json["plan"] == done.json["plan"]


def test_companies_are_named_by_their_external_identifier(shop: SmallShop) -> None:
    """A wholesale buyer's orders go to the company; one that was closed is not charged."""
    table = "key_type,key,account\nbuyerId,7,eid:TRADE-1\nbuyerId,8,eid:TRADE-OLD\nbuyerId,9,eid:TRADE-9\n"
    configure(shop, {"accounts": table})
    lines = [
        {
            **row(number),
            "storeType": "b2b",
            "buyerId": str(buyer),
        }
        for number, buyer in ((1, 7), (2, 8), (3, 9))
    ]
    export = write_export(shop.folder / "trade.csv", lines, header=(*lines[0],))
    done = shop.shell.run("run", export)
    assert accounts_charged(shop) == {"1": COMPANY}
    assert {problem["code"] for problem in done.json["problems"]} == {"account.inactive", "account.unknown"}


def new_people(count: int, *, orders: int = 2) -> list[dict[str, str]]:
    """That many people with some orders each, their addresses in changing case."""
    lines = []
    for person in range(count):
        for order in range(orders):
            email = f"new{person}@example.com"
            lines.append(row(1000 + person * orders + order, email=email.upper() if order % 2 else email))
    return lines


def emails_of(count: int) -> list[str]:
    """Their addresses."""
    return [f"new{person}@example.com" for person in range(count)]


def check_each_once(shop: SmallShop, count: int, orders: int = 2) -> None:
    """Every person is there once, and every order is charged to its own person."""
    made = people(shop, emails_of(count))
    assert all(len(ids) == 1 for ids in made.values()), made
    charged = accounts_charged(shop)
    assert charged == {
        str(1000 + person * orders + order): made[f"new{person}@example.com"][0]
        for person in range(count)
        for order in range(orders)
    }
    assert set(shop.held().values()) == {1}


def test_each_person_is_made_once(shop: SmallShop) -> None:
    """Two orders of one person make one customer; the plan stays the same before, after and on a rerun."""
    configure(shop, accounts="create_customers = true")
    export = shop.export([*new_people(3), row(2000, email="ANN@example.com")])
    dry = shop.shell.run("dry-run", export)
    plan = dry.json["plan"]
    assert (dry.code, dry.json["orders"]["ready"]) == (0, 7)
    first = shop.shell.run("run", export, "--expect", plan, "--only", "1000")
    assert (first.code, first.json["orders"]["posted"]) == (0, 1), first.err
    done = shop.shell.run("run", export, "--expect", plan, "--report", shop.folder / "report")
    again = shop.shell.run("run", export, "--expect", plan)
    assert (done.code, again.code) == (0, 0), done.err
    assert again.json["orders"]["already_posted"] == 7
    assert accounts_charged(shop).pop("2000") == ANN
    made = people(shop, emails_of(3))
    assert all(len(ids) == 1 for ids in made.values())
    assert all(accounts_charged(shop)[str(1000 + n)] == made[f"new{n // 2}@example.com"][0] for n in range(6))
    with (shop.folder / "report" / "orders.csv").open(encoding="utf-8", newline="") as file:
        shown = {line["order"]: line["account_id"] for line in csv.DictReader(file)}
    assert shown == accounts_charged(shop)
    assert shop.shell.run("reconcile").code == 0


def test_people_are_made_with_what_is_known_of_them(shop: SmallShop) -> None:
    """Name and phone of the export; the address stands in for a name that nobody knows."""
    configure(shop, accounts="create_customers = true")
    more = {"invoiceAddress.firstName": "Zoë", "invoiceAddress.lastName": "Quick", "invoiceAddress.tele": "+44 20 1"}
    lines = [
        {**row(1, email="zoe@example.com"), **more},
        {**row(2, email="bare@example.com"), **dict.fromkeys(more, "")},
    ]
    assert shop.shell.run("run", write_export(shop.folder / "people.csv", lines, header=(*lines[0],))).code == 0
    found = {one.email: one.details for one in shop.sandbox.customers}
    assert [found["zoe@example.com"][name] for name in ("FirstName", "LastName", "Phone")] == [
        "Zoë",
        "Quick",
        "+44 20 1",
    ]
    assert found["bare@example.com"]["LastName"] == "bare"


@pytest.mark.parametrize(
    "fault",
    [
        "reset-after-commit:1:on=customers/add:at=1+3",
        "reset-before-commit:1:on=customers/add:at=1+3",
        "status-500-after:1:on=customers/add:at=2",
        "status-503-before:1:on=customers/add:at=2",
        "truncate:1:on=customers/add:at=1+2+3",
        "no-order-id:1:on=customers/add:at=1",
        "delayed-commit:1:on=customers/add:at=1+2:seconds=0.3",
        "status-409:1:on=customers/add:at=1+2",
    ],
)
def test_people_are_made_once_whatever_the_answer(tmp_path: Path, fault: str) -> None:
    """A lost, late or broken answer makes nobody twice and loses no order."""
    with bad_day(tmp_path, fault, settle=1) as shop:
        configure(shop, accounts="create_customers = true")
        text = (
            (shop.mapping / "migration.toml").read_text("utf-8").replace("settle_seconds = 0.5", "settle_seconds = 1")
        )
        (shop.mapping / "migration.toml").write_text(text, "utf-8")
        export = shop.export(new_people(4))
        done = shop.shell.run("run", export)
        assert (done.code, done.json["orders"]["posted"]) == (0, 8), done.err
        check_each_once(shop, 4)


def test_without_waiting_the_next_run_finds_out(tmp_path: Path) -> None:
    """--no-wait leaves the orders of a customer in doubt ready; nothing is sent twice later."""
    # Longer than a run without waiting takes on a busy machine, and shorter than settle_seconds.
    with bad_day(tmp_path, "delayed-commit:1:on=customers/add:at=1:seconds=6") as shop:
        configure(shop, accounts="create_customers = true")
        settings = shop.mapping / "migration.toml"
        settings.write_text(settings.read_text("utf-8").replace("settle_seconds = 0.5", "settle_seconds = 7"), "utf-8")
        export = shop.export(new_people(2))
        plan = shop.shell.run("dry-run", export).json["plan"]
        left = shop.shell.run("run", export, "--no-wait", "--expect", plan)
        assert left.json["orders"]["ready"] >= 1
        check_counts(left.json)
        done = shop.shell.run("run", export, "--expect", plan)
        assert (done.code, done.json["orders"]["ready"]) == (0, 0), done.err
        check_each_once(shop, 2)


def test_a_customer_who_comes_to_mews_meanwhile_is_taken(tmp_path: Path) -> None:
    """Between dry run and run the front desk made the profile: same plan, no second one."""
    late = Customer("ac000000-0000-4000-a000-0000000000aa", "New0@example.com", (), "Nora", "New", True, None)
    with bad_day(tmp_path) as shop:
        configure(shop, accounts="create_customers = true")
        export = shop.export(new_people(1))
        plan = shop.shell.run("dry-run", export).json["plan"]
    world = change_enterprise(lambda one: replace(one, customers={**one.customers, late.id: late}))
    with bad_day(tmp_path, world=world) as shop:
        configure(shop, accounts="create_customers = true")
        (tmp_path / "ledger.sqlite").unlink()
        done = shop.shell.run("run", export, "--expect", plan)
        assert (done.code, done.json["orders"]["posted"]) == (0, 2), done.err
        assert accounts_charged(shop) == {"1000": late.id, "1001": late.id}


def test_a_portfolio_makes_people_in_its_chain(tmp_path: Path) -> None:
    """With a portfolio token customers belong to the chain, and the orders to the enterprise named."""
    world = change_enterprise(lambda one: one)
    other = replace(world.enterprise, id="e0000000-0000-4000-a000-000000000002", name="The other hotel", services={})
    enterprises = {world.enterprise.id: world.enterprise, other.id: other}
    with bad_day(tmp_path, world=replace(world, enterprises=enterprises, is_portfolio=True)) as shop:
        configure(
            shop,
            accounts="create_customers = true",
            target=f'rebates = "allow"\nenterprise_id = "{world.enterprise.id}"',
        )
        done = shop.shell.run("run", shop.export(new_people(2)))
        assert (done.code, done.json["orders"]["posted"]) == (0, 4), done.err
        check_each_once(shop, 2)


@pytest.mark.parametrize("answers", [1, 2, 5])
def test_a_killed_process_makes_nobody_twice(tmp_path: Path, answers: int) -> None:
    """kill -9 while people are being made, with answers under way: the next run finds whom Mews has."""
    with bad_day(tmp_path, "slow:1:on=customers/add:seconds=0.3") as shop:
        configure(shop, accounts="create_customers = true")
        export = shop.export(new_people(6))
        plan = shop.shell.run("dry-run", export).json["plan"]
        running = subprocess.Popen(
            shop.shell.command("run", export),
            cwd=tmp_path,
            env=shop.shell.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + 60
            while len(shop.sandbox.requests("customers/add")) < answers and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            running.kill()
            running.wait()
        done = shop.shell.run("run", export, "--expect", plan)
        assert done.code == 0, done.err
        check_each_once(shop, 6)
