"""The outlet route by the commands, up to the plan: what each says of outlet, history, bills and payments."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_process import in_process
from shop_settings import configure
from small_shop import SmallShop, check_counts, open_shop, row, unlimited, write_export

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import Window, World

CATEGORY = "ca000000-0000-4000-a000-000000000001"
LOBBY = "01000000-0000-4000-a000-000000000001"
WEEK = Window("P0Y0M7DT0H0M0S", 0, 7, 0)
CAPTURED = ("payment.capture.status", "payment.capture.amount", "payment.method")
OUTLET = {
    "target": 'route = "outlet"\nrebates = "allow"',
    "outlet": f'outlet = "Shop in the lobby"\nbalance_category = "{CATEGORY}"',
    "vouchers": f'accounting_category = "{CATEGORY}"',
    "payments": f'accounting_category = "{CATEGORY}"',
}


def world_of_a_week() -> World:
    """Nothing older than seven days may be posted as an order."""
    world = unlimited()
    enterprise = replace(world.enterprise, accounting_window=WEEK, operational_window=WEEK)
    return replace(world, enterprises={enterprise.id: enterprise})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    with running_sandbox(world_of_a_week()) as mews:
        made = open_shop(tmp_path, mews, "shop")
        made.shell = in_process(made.shell)
        yield made


def export(shop: SmallShop) -> Path:
    """Three paid orders of years ago, one of them short of a pound."""
    lines = [row(1001), row(1002, price="20.00"), row(1003, price="8.00")]
    paid = dict(zip(("1001", "1002", "1003"), ("12.00", "19.00", "8.00"), strict=True))
    for line in lines:
        line |= dict(zip(CAPTURED, ("1", paid[line["orderNumber"]], "card"), strict=True))
    return write_export(shop.folder / "orders.csv", lines, header=tuple(lines[0]))


def check_of(document: dict[str, Any], name: str) -> dict[str, str]:
    return next(check for check in document["checks"] if check["check"] == name)


def test_a_history_too_old_for_orders_leads_to_the_outlet(shop: SmallShop) -> None:
    """On the orders route: blocked, and both numbers told by dry-run and preflight."""
    shop.map()
    done = shop.shell.run("preflight", export(shop))
    assert "can't be booked by orders/add" in check_of(done.json, "history")["detail"]
    assert "3 of 3 orders are older" in check_of(done.json, "history")["detail"]
    assert 'target.route = "outlet"' in check_of(done.json, "history")["next"]
    dry = shop.shell.run("dry-run", shop.folder / "orders.csv")
    assert (dry.code, dry.json["orders"]["blocked"]) == (3, 3)
    assert "window of 7 days" in dry.json["feasibility"]["told"]
    assert "window of 7 days" in dry.err.replace("\n", " ")


def test_init_and_next_lead_to_the_outlet(shop: SmallShop) -> None:
    """The route is the first decision: init says what orders/add can't book, next where to write it."""
    begun = shop.shell.run("init", export(shop), "--store", "shop", "--timezone", "Europe/London")
    assert begun.code == 0, begun.err
    (told,) = [one for one in begun.json["filled"] if "orders/add" in one]
    assert "window of 7 days): 3 of 3 orders are older. The outlet route can: all 3" in told
    configure(shop, **(OUTLET | {"outlet": ""}))
    again = shop.shell.run("init", shop.folder / "orders.csv")
    assert "orders/add" not in again.out
    assert "Shop in the lobby" in again.out
    listed = (shop.mapping / "mews" / "outlets.csv").read_text("utf-8-sig")
    assert LOBBY in listed
    shop.map()
    shop.ledger.unlink(missing_ok=True)
    assert shop.shell.run("dry-run", shop.folder / "orders.csv").code == 3
    step = shop.shell.run("next", shop.folder / "orders.csv").json
    assert (step["column"], step["orders"]) == ("target.outside_editable_window", 3)
    assert 'target.route = "outlet"' in step["what"]


def test_the_same_history_is_planned_as_bills(shop: SmallShop) -> None:
    """Ready at their own dates, old as unproved, every bill's sum told in document, terminal and report."""
    configure(shop, **OUTLET)
    found = shop.shell.run("preflight", export(shop))
    assert check_of(found.json, "outlet")["detail"] == "Shop in the lobby is active and takes bills"
    assert check_of(found.json, "history")["result"] == "unproved"
    done = shop.shell.run("dry-run", shop.folder / "orders.csv", "--report", shop.folder / "report")
    assert (done.code, done.json["orders"]["ready"]) == (0, 3), done.err
    check_counts(done.json)
    assert [row["what"] for row in done.json["unproved"]] == ["old"]
    assert (done.json["bills"]["count"], done.json["bills"]["not_to_zero"]) == (3, 1)
    assert done.json["payments"] == [{"currency": "GBP", "kind": "captures", "amount": "39.00"}]
    assert done.json["balances"] == []
    notices = {row["code"]: row for row in done.json["problems"]}
    assert (notices["bill.not_zero"]["orders"], notices["bill.not_zero"]["examples"]) == (1, ["1002"])
    assert "2 of 3 add up to zero" in done.err
    page = (shop.folder / "report" / "report.html").read_text("utf-8")
    assert "Bills of the outlet" in page
    assert "Whether Mews takes outlet bills older than the editable window" in page
    with (shop.folder / "report" / "orders.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {one["state"] for one in csv.DictReader(file)} == {"ready"}
    again = shop.shell.run("dry-run", shop.folder / "orders.csv", "--offline")
    assert again.json["plan"] == done.json["plan"]


def test_bills_can_be_brought_to_zero_and_say_so(shop: SmallShop) -> None:
    """The rest of each is assumed, and its sum told."""
    configure(shop, **(OUTLET | {"outlet": f'{OUTLET["outlet"]}\npayments = "balance"'}))
    done = shop.shell.run("dry-run", export(shop))
    assert (done.code, done.json["bills"]["not_to_zero"]) == (0, 0)
    assert done.json["payments"] == [
        {"currency": "GBP", "kind": "balance, assumed and not recorded", "amount": "40.00"}
    ]
    assert "assumed and not recorded" in done.err.replace("\n", " ")


@pytest.mark.parametrize("outlet", ["", 'outlet = "Shop in the loby"', 'outlet = "Closed kiosk"'])
def test_a_missing_or_wrong_outlet_is_told_with_those_there_are(shop: SmallShop, outlet: str) -> None:
    """By preflight as a finding; a dry run ends with exit code 2."""
    configure(shop, **(OUTLET | {"outlet": outlet}))
    found = shop.shell.run("preflight", export(shop))
    told = check_of(found.json, "outlet")
    assert (found.code, told["result"]) == (2, "error")
    assert LOBBY in told["detail"]
    assert shop.shell.run("dry-run", shop.folder / "orders.csv").code == 2


def test_a_ledger_of_one_route_refuses_the_other(shop: SmallShop) -> None:
    """It belongs to one service or outlet; another file with --ledger is the way out."""
    configure(shop, **OUTLET)
    assert shop.shell.run("dry-run", export(shop)).code == 0
    shop.map()
    done = shop.shell.run("dry-run", shop.folder / "orders.csv")
    assert done.code == 2
    assert "--ledger" in done.err


def test_a_token_that_may_not_read_outlets_is_a_finding(tmp_path: Path) -> None:
    """preflight says so and goes on to list the rest; what is planned for nobody's outlet is not planned."""
    with running_sandbox(world_of_a_week(), faults=[parse_fault("no-permission:on=outlets/getAll")]) as mews:
        shop = open_shop(tmp_path, mews, "shop")
        shop.shell = in_process(shop.shell)
        configure(shop, **OUTLET)
        found = shop.shell.run("preflight", export(shop))
        told = check_of(found.json, "outlet")
        assert (found.code, told["result"]) == (2, "error")
        assert "does not have the permission" in told["detail"]
        assert "Ask Mews for the permission" in told["next"]
        assert shop.shell.run("dry-run", shop.folder / "orders.csv").code == 4


def test_inspect_tells_what_was_captured(shop: SmallShop) -> None:
    """By which the payments of the bills are chosen: orders and money by the capture's status, those without by their total."""
    path = export(shop)
    lines = path.read_text("utf-8").splitlines()
    lines[3] = lines[3].replace(",1,8.00,card", ",0,8.00,card")
    path.write_text(
        "\n".join([*lines, lines[1].replace("1001", "1004").replace(",1,12.00,card", ",,,")]) + "\n", "utf-8"
    )
    done = shop.shell.run("inspect", path)
    assert done.code == 0, done.err
    found = done.json
    assert found["captures"] == {"success": 2, "pending": 1, "(none)": 1}
    assert found["money"]["captures"]["success"] == [{"currency": "GBP", "amount": "31.00"}]
