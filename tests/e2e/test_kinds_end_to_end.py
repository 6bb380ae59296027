"""One of each kind first, through the real commands: three returns are refused, 17 are not sent, sales go on."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from shop_settings import bad_day, change_enterprise
from small_shop import SmallShop, check_counts, open_shop, row, rows

from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow


def no_rebates():
    return change_enterprise(lambda one: replace(one, allow_rebates=False))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def returns(count: int, first: int = 5001) -> list[dict[str, str]]:
    """That many returns of 12.00, one after the other, in the middle of the sales."""
    return [row(first + at, qty=-1, orderDate=f"2024-05-01 11:{at:02d}:00") for at in range(count)]


def late_sales(count: int) -> list[dict[str, str]]:
    return [row(8001 + at, orderDate="2024-06-01 10:00:00") for at in range(count)]


def problem(document: dict, code: str) -> dict:
    return next((one for one in document["problems"] if one["code"] == code), {})


def test_a_month_with_refused_returns(tmp_path: Path) -> None:
    """Run, dry run, run again, and again once Mews allows it: counts, money, words and plan id all the way."""
    world = no_rebates()
    with bad_day(tmp_path, world=world) as shop:
        export = shop.export([*rows(3), *returns(20), *late_sales(30)])
        before = shop.shell.run("dry-run", export)
        assert [one["what"] for one in before.json["unproved"]] == ["rebates"]
        assert before.json["unproved"][0]["orders"] == 20
        done = shop.shell.run("run", export)
        assert (done.code, done.json["stopped"]) == (3, None), done.err
        orders = done.json["orders"]
        assert (orders["posted"], orders["rejected"], orders["blocked"]) == (33, 3, 17)
        check_counts(done.json)
        held = problem(done.json, "kind.refused")
        assert (held["orders"], "--retry-rejected" in held["hint"]) == (17, True)
        (total,) = [one for one in done.json["totals"] if one["currency"] == "GBP"]
        assert "-204.00" in total["blocked"]
        dry = shop.shell.run("dry-run", export)
        assert (dry.json["orders"]["blocked"], dry.json["orders"]["rejected"]) == (17, 3)
        assert dry.json["plan"] == before.json["plan"] == done.json["plan"]
        check_counts(dry.json)
        assert dry.json["unproved"] == []
        offline = shop.shell.run("dry-run", export, "--offline", "--report", tmp_path / "report")
        assert offline.json["orders"]["blocked"] == 17
        assert "Negative amounts are not allowed" in (tmp_path / "report" / "orders.csv").read_text("utf-8-sig")
        again = shop.shell.run("run", export)
        assert (again.json["sent"], again.json["orders"]["blocked"]) == (0, 17)
        assert set(shop.held().values()) == {1}
        assert len(shop.held()) == 33


def test_what_is_proved_is_not_listed_as_unproved(shop: SmallShop) -> None:
    """The first return is accepted; the second half of the history needs no warning."""
    export = shop.export([*rows(2), *returns(2)])
    assert shop.shell.run("run", export).code == 0
    more = shop.export([*rows(2), *returns(5)], "more.csv")
    dry = shop.shell.run("dry-run", more)
    assert (dry.json["orders"]["ready"], dry.json["unproved"]) == (3, [])


def test_a_canary_takes_the_first_of_each_kind_with_it(tmp_path: Path) -> None:
    """The first return comes long after the first three orders, and is tried and read back with them."""
    with bad_day(tmp_path) as shop:
        export = shop.export([*rows(10), *returns(4), *late_sales(2)])
        done = shop.shell.run("run", export, "--canary", "3", "--limit", "5")
        assert (done.code, done.json["orders"]["posted"], done.json["canary"]["orders"]) == (0, 5, 4), done.err
        assert shop.held()["5001"] == 1
        assert done.json["canary"]["held"] == {}


def test_a_held_kind_does_not_fail_the_canary(tmp_path: Path) -> None:
    """Mews refuses returns: that is found out, told, and the sales go on."""
    with bad_day(tmp_path, world=no_rebates()) as shop:
        export = shop.export([*rows(10), *returns(6), *late_sales(2)])
        done = shop.shell.run("run", export, "--canary", "3")
        orders = done.json["orders"]
        assert (done.code, orders["posted"], orders["rejected"], orders["blocked"]) == (3, 12, 3, 3), done.err
        assert done.json["stopped"] is None
        assert "Negative amounts" in done.json["canary"]["held"]["rebates"]
        retried = shop.shell.run("run", export, "--canary", "3", "--retry-rejected")
        orders = retried.json["orders"]
        assert (orders["already_posted"], orders["rejected"], orders["blocked"]) == (12, 3, 3), retried.err


def test_they_go_once_mews_allows_them(tmp_path: Path) -> None:
    """With --retry-rejected one return goes first; it is taken, and the others follow."""
    port, state = free_port(), tmp_path / "mews.jsonl"
    with running_sandbox(no_rebates(), port=port, state=state) as mews:
        shop = open_shop(tmp_path, mews, "shop")
        export = shop.export([*rows(2), *returns(8)])
        assert shop.shell.run("run", export).json["orders"]["blocked"] == 5
    allowed = change_enterprise(lambda one: replace(one, allow_rebates=True))
    with running_sandbox(allowed, port=port, state=state) as mews:
        shop = replace(shop, mews=mews)
        assert shop.shell.run("run", export).json["sent"] == 0
        done = shop.shell.run("run", export, "--retry-rejected")
        assert (done.code, done.json["orders"]["posted"]) == (0, 8), done.err
        check_counts(done.json)
