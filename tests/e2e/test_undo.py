"""Reversing what was posted, at a Mews that lets the integration cancel and at one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from small_shop import SmallShop, check_counts, open_shop, rows, unlimited

from etl.sandbox.server import running_sandbox


def balance(shop: SmallShop) -> Decimal:
    """What the accounts still owe for this sandbox's orders."""
    items = [item for item in shop.sandbox.items if item.canceled is None]
    return sum((Decimal(item.amount.gross) for item in items), Decimal(0))


@pytest.fixture(params=[True, False], ids=["cancelling", "posting the opposite"])
def posted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SmallShop, str]]:
    """A shop with three posted orders and the id of their run, at a Mews that allows cancelling or does not."""
    world = unlimited()
    enterprise = replace(world.enterprise, cancel_allowed=request.param)
    with running_sandbox(replace(world, enterprises={enterprise.id: enterprise})) as mews:
        shop = open_shop(tmp_path, mews, "undo")
        done = shop.shell.run("run", shop.export(rows(3)))
        assert done.code == 0, done.err
        yield shop, done.json["run_id"]


def test_a_run_is_reversed_and_posted_again_only_on_demand(posted: tuple[SmallShop, str]) -> None:
    """Undone is undone: the next run leaves it so, and --repost-undone is a generation of its own."""
    shop, run_id = posted
    export = shop.folder / "orders.csv"
    assert run_id in [run["run_id"] for run in shop.shell.run("status").json["runs"]]
    unasked = shop.shell.run("undo", "--run", run_id)
    assert unasked.code == 2, "without a terminal nobody can say yes"
    assert balance(shop) > 0
    done = shop.shell.run("undo", "--run", run_id, "--yes")
    assert done.code == 0, done.err
    assert done.json["orders"]["reversed"] == 3
    assert balance(shop) == 0
    assert shop.shell.run("status").json["orders"] == {"undone": 3}
    again = shop.shell.run("run", export)
    assert again.code == 0, again.err
    check_counts(again.json)
    assert (again.json["orders"]["undone"], again.json["orders"]["posted"]) == (3, 0)
    assert balance(shop) == 0
    repeated = shop.shell.run("undo", "--run", run_id, "--yes")
    assert repeated.code in (0, 2), repeated.err
    assert balance(shop) == 0
    reposted = shop.shell.run("run", export, "--repost-undone")
    assert reposted.code == 0, reposted.err
    check_counts(reposted.json)
    assert reposted.json["orders"]["posted"] == 3
    (total,) = reposted.json["totals"]
    assert balance(shop) == Decimal(total["posted"]) == Decimal(total["source"])


def test_one_order_is_reversed_and_the_others_stay(posted: tuple[SmallShop, str]) -> None:
    """A wrong order is taken back without touching its neighbours, and reconcile knows of it."""
    shop, _ = posted
    before = balance(shop)
    done = shop.shell.run("undo", "--only", "1002", "--yes")
    assert done.code == 0, done.err
    assert shop.shell.run("status").json["orders"] == {"posted": 2, "undone": 1}
    amount = sum((Decimal(line["products.unitPrice"]) * int(line["products.qty"]) for line in rows(3)[2:4]), Decimal(0))
    assert balance(shop) == before - amount
    reconciled = shop.shell.run("reconcile")
    assert reconciled.code == 0, reconciled.err
    assert reconciled.json["orders"]["matched"] >= 2


def test_names_that_mean_nothing_are_refused(posted: tuple[SmallShop, str]) -> None:
    """A mistyped run or order reverses nothing, and is not called done."""
    shop, _ = posted
    before = balance(shop)
    for names in (["--run", "nonsense"], ["--only", "4711"], ["--order-id", "00000000-0000-4000-a000-00000000dead"]):
        done = shop.shell.run("undo", *names, "--yes")
        assert done.code == 2, (names, done.err)
        assert done.json["error"]["message"]
    assert balance(shop) == before
