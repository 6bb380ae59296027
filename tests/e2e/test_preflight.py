"""preflight: everything that is wrong with mapping and account is told before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli_run import Done
from shop_settings import HOUSE, bad_day, change_enterprise, configure
from small_shop import SmallShop, row

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]
WEB_SHOP = "5e000000-0000-4000-a000-000000000001"
HEAD = "country,vat_percent,valid_from,valid_before,tax_codes\n"


def checks(done: Done) -> dict[str, list[dict[str, str]]]:
    """The checks of the document by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for check in done.json["checks"]:
        found.setdefault(check["check"], []).append(check)
    return found


def worst(done: Done, name: str) -> dict[str, str]:
    """The check of that name that needs attention most."""
    order = ["error", "warning", "unproved", "ok"]
    return min(checks(done)[name], key=lambda check: order.index(check["result"]))


def test_a_sound_mapping_passes(shop: SmallShop) -> None:
    """Exit code 0, nothing wrong, and nothing changed in Mews."""
    tables = {
        "products": "key_type,key,product\nsku,CUP,eid:22423\n",
        "accounts": "key_type,key,account\nbuyerId,7,eid:TRADE-1\n",
        "segments": "market,business_segment\nUK,b5000000-0000-4000-a000-000000000001\n",
        "bills": "order_number,bill\n1,b1000000-0000-4000-a000-000000000001\n",
    }
    configure(shop, tables)
    done = shop.shell.run("preflight")
    assert done.code == 0, done.json
    assert {check["result"] for check in done.json["checks"]} <= {"ok", "warning", "unproved"}
    for name in ("products", "accounts", "tax codes", "business segments", "bills", "currencies", "editable window"):
        assert checks(done)[name][0]["result"] == "ok", name
    assert worst(done, "companies")["result"] == "unproved"
    assert worst(done, "linked reservation")["result"] == "unproved"
    assert all(check["next"] for check in done.json["checks"] if check["result"] == "error")


BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("inactive product", {"products": "key_type,key,product\nsku,CUP,eid:OLD-MUG\n"}, "products", "Discontinued mug"),
    (
        "another service's product",
        {"products": "key_type,key,product\nsku,CUP,eid:BREAKFAST\n"},
        "products",
        "BREAKFAST",
    ),
    ("unknown product", {"products": "key_type,key,product\nsku,CUP,eid:NOTHING\n"}, "products", "NOTHING"),
    ("unknown code", {"taxes": f"{HEAD}*,20,,,UK-21%\n"}, "tax codes", "UK-21%"),
    ("code of another environment", {"taxes": f"{HEAD}DE,19,,,DE-19%\n"}, "tax codes", "DE-19%"),
    ("code not valid on the first day", {"taxes": f"{HEAD}*,20,2010-06-01,,UK-20%\n"}, "tax codes", "2010-06-01"),
    ("code not valid on the last day", {"taxes": f"{HEAD}*,17.5,,2011-02-01,UK-17.5%\n"}, "tax codes", "2011-01-31"),
    ("another rate", {"taxes": f"{HEAD}*,20,,,UK-5%\n"}, "tax codes", "5 %"),
    ("two codes in a gross enterprise", {"taxes": f"{HEAD}*,25,,,UK-20% UK-5%\n"}, "tax codes", "takes one an item"),
    ("closed bill", {"bills": "order_number,bill\n1,b1000000-0000-4000-a000-000000000002\n"}, "bills", "000002"),
    ("unknown bill", {"bills": "order_number,bill\n1,b1000000-0000-4000-a000-0000000000ff\n"}, "bills", "0000ff"),
    (
        "cash list",
        {"accounts": "key_type,key,account\nmarket,UK,ac000000-0000-4000-a000-000000000004\n"},
        "accounts",
        "cash list",
    ),
    (
        "merged account",
        {"accounts": "key_type,key,account\nmarket,UK,ac000000-0000-4000-a000-000000000008\n"},
        "accounts",
        "merged",
    ),
    ("closed company", {"accounts": "key_type,key,account\nbuyerId,1,eid:TRADE-OLD\n"}, "accounts", "TRADE-OLD"),
    ("unknown company", {"accounts": "key_type,key,account\nbuyerId,1,eid:NOBODY\n"}, "accounts", "NOBODY"),
    (
        "unknown segment",
        {"segments": "market,business_segment\nUK,b5000000-0000-4000-a000-0000000000ff\n"},
        "business segments",
        "does not exist",
    ),
    (
        "inactive category",
        {"categories": "key_type,key,accounting_category\nsku,CUP,ca000000-0000-4000-a000-000000000005\n"},
        "accounting categories",
        "not active",
    ),
    (
        "type not enabled",
        {"payments": "method,type,accounting_category\ncard,Bancontact,\n"},
        "payment types",
        "Bancontact",
    ),
]


@pytest.mark.parametrize(("tables", "name", "word"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_is_broken_is_named(shop: SmallShop, tables: dict[str, str], name: str, word: str) -> None:
    """One error, the thing named, what to do; exit code 2; Mews unchanged."""
    configure(shop, tables)
    done = shop.shell.run("preflight")
    assert done.code == 2, done.json
    found = worst(done, name)
    assert found["result"] == "error"
    assert word in found["detail"]
    assert found["next"]
    assert [check["check"] for check in done.json["checks"] if check["result"] == "error"] == [name]


SETTINGS = [
    ({"accounts": "", "source": 'default_currency = "USD"'}, "currencies", "USD"),
    ({"payments": 'post = true\ntype = "Bancontact"'}, "payment types", "Bancontact"),
    ({"shipping": 'tax = "UK-99%"'}, "tax codes", "UK-99%"),
]


@pytest.mark.parametrize(("sections", "name", "word"), SETTINGS, ids=[case[1] for case in SETTINGS])
def test_settings_are_checked(shop: SmallShop, sections: dict[str, str], name: str, word: str) -> None:
    """What migration.toml names must exist and be enabled too."""
    configure(shop, None, **{key: text for key, text in sections.items() if text and key != "source"})
    path = shop.mapping / "migration.toml"
    if "source" in sections:
        path.write_text(path.read_text("utf-8").replace('default_currency = "GBP"', sections["source"]), "utf-8")
    done = shop.shell.run("preflight")
    assert done.code == 2, done.json
    assert worst(done, name)["result"] == "error"
    assert word in worst(done, name)["detail"]


def test_a_fallback_on_the_cash_list_is_refused(shop: SmallShop) -> None:
    """The house account takes most orders: a wrong one would stop them all."""
    configure(shop)
    path = shop.mapping / "migration.toml"
    path.write_text(path.read_text("utf-8").replace(HOUSE, "ac000000-0000-4000-a000-000000000004"), "utf-8")
    done = shop.shell.run("preflight")
    assert (done.code, worst(done, "accounts")["result"]) == (2, "error")
    assert shop.shell.run("run", shop.export([row(1)])).json["orders"]["blocked"] == 1
    assert not shop.held()


@pytest.mark.parametrize(
    ("service", "word"),
    [
        ("5e000000-0000-4000-a000-000000000002", "bookable"),
        ("5e000000-0000-4000-a000-000000000003", "not active"),
        ("eid:WEB-SHIP", "WEB-SHOP"),
    ],
)
def test_a_service_that_takes_no_orders_is_a_finding(shop: SmallShop, service: str, word: str) -> None:
    """preflight lists the services that take orders, by name and Id, and looks on; a run refuses."""
    shop.map(service=service)
    done = shop.shell.run("preflight")
    assert done.code == 2
    found = worst(done, "service")
    assert found["result"] == "error"
    assert word in found["detail"]
    assert f"Web shop ({WEB_SHOP})" in found["detail"]
    assert "target.service" in found["next"]
    assert (shop.mapping / "mews" / "tax_codes.csv").is_file()
    done = shop.shell.run("run", shop.export([row(1)]))
    assert done.code == 2
    assert word in done.json["error"]["message"]
    assert not shop.held()


def test_undecided_cells_and_missing_categories_are_warnings(shop: SmallShop) -> None:
    """An incomplete mapping is work in progress, not an error."""
    configure(shop, {"accounts": "key_type,key,account\nmarket,UK,\n", "products": "key_type,key,product\nsku,CUP,\n"})
    path = shop.mapping / "migration.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('accounting_category = "ca000000-0000-4000-a000-000000000001"', ""), "utf-8")
    done = shop.shell.run("preflight")
    assert done.code == 0
    for name in ("accounts", "products", "tax codes", "accounting categories"):
        assert worst(done, name)["result"] == "warning", name


def test_the_history_is_told_to_be_feasible_or_not(tmp_path: Path) -> None:
    """How many orders can be booked at their own date, how many can't, and from which date on."""
    world = change_enterprise(lambda one: one)
    window = world.enterprise.accounting_window
    short = change_enterprise(
        lambda one: replace(one, accounting_window=replace(window, text="P0Y0M90DT0H0M0S", months=0, days=90))
    )
    short = replace(short, now=datetime(2024, 6, 1, 12, tzinfo=UTC))
    with bad_day(tmp_path, world=short) as shop:
        configure(shop)
        lines = [
            row(number, orderDate=day) for number, day in ((1, "2024-05-01"), (2, "2024-04-01"), (3, "2023-12-24"))
        ]
        export = shop.export(lines)
        done = shop.shell.run("preflight", export)
        assert done.code == 3, done.json
        (history,) = checks(done)["history"]
        assert history["result"] == "warning"
        assert "2 of 3 orders" in history["detail"]
        assert "2024-03-0" in history["detail"]
        assert (done.json["orders"]["ready"], done.json["orders"]["blocked"]) == (2, 1)
        configure(shop, target='outside_editable_window = "clamp"\nclamped_vat = "declare"')
        clamped = shop.shell.run("preflight", export)
        assert (clamped.code, clamped.json["orders"]["ready"]) == (0, 3)
        assert checks(clamped)["history"][0]["result"] == "warning"
        done = shop.shell.run("run", export)
        assert (done.code, done.json["orders"]["posted"]) == (0, 3), done.err


def test_rebates_that_are_needed_and_not_allowed_are_counted(shop: SmallShop) -> None:
    """With the export, preflight says which orders need them; without permission they stay here."""
    configure(shop, target='rebates = "block"')
    done = shop.shell.run("preflight", shop.export([row(1), row(2, qty=-1)]))
    assert done.code == 3
    assert {problem["code"]: problem["orders"] for problem in done.json["problems"]}["rebate.not_allowed"] == 1
    configure(shop)
    allowed = shop.shell.run("preflight", shop.export([row(1), row(2, qty=-1)]))
    assert allowed.code == 0
    assert worst(allowed, "rebates")["result"] == "unproved"
    assert [one["what"] for one in allowed.json["unproved"]] == ["rebates"]


def test_disabled_currencies_block_their_orders(shop: SmallShop) -> None:
    """USD is known to Mews and switched off in this enterprise."""
    configure(shop)
    done = shop.shell.run("preflight", shop.export([row(1), row(2, currency="USD")]))
    assert done.code == 3
    assert "currency.not_enabled" in {problem["code"] for problem in done.json["problems"]}


def test_the_people_of_the_export_are_counted(shop: SmallShop) -> None:
    """How many addresses Mews knows, how many belong to several, how many people would be made."""
    configure(shop, accounts="create_customers = true")
    emails = ["ann@example.com", "twin@example.com", "new1@example.com", "NEW1@example.com", "new2@example.com"]
    done = shop.shell.run("preflight", shop.export([row(n, email=email) for n, email in enumerate(emails, 1)]))
    assert done.code == 3
    (people,) = checks(done)["customers"]
    assert people["result"] == "warning"
    assert [part.rpartition(": ")[2] for part in people["detail"].split("; ")] == ["1", "2", "1"]
    assert worst(done, "new customers")["result"] == "unproved"
    assert not shop.sandbox.requests("customers/add")
