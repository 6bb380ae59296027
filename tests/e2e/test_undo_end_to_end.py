"""Undo as users type it: a whole run against a Mews that lets items be cancelled, and against one that does not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from small_shop import SmallShop, open_shop, row, rows, unlimited

from etl.model.identity import parse_identifier
from etl.sandbox.core import PREFIX
from etl.sandbox.server import RunningSandbox, running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN, World

pytestmark = pytest.mark.slow

_COUNT = itertools.count(1)


def world(*, cancel: bool, rebates: bool = True) -> World:
    """A gross enterprise with or without the permission to cancel."""
    base = unlimited()
    enterprises = {
        key: replace(enterprise, cancel_allowed=cancel, allow_rebates=rebates)
        for key, enterprise in base.enterprises.items()
    }
    return replace(base, enterprises=enterprises)


@pytest.fixture(scope="module", params=[True, False], ids=["cancel", "opposite"])
def undo_mews(request: pytest.FixtureRequest) -> Iterator[RunningSandbox]:
    """A Mews that lets items be cancelled, then one that does not."""
    with running_sandbox(world(cancel=request.param)) as running:
        yield running


@pytest.fixture
def undo_shop(tmp_path: Path, undo_mews: RunningSandbox) -> SmallShop:
    """An empty working folder with a mapping, and a store of its own."""
    return open_shop(tmp_path, undo_mews, f"undo{next(_COUNT)}")


def live_sum(shop: SmallShop) -> Decimal:
    """Gross of everything of this store that was not cancelled."""
    total = Decimal(0)
    for item in shop.sandbox.items:
        parsed = parse_identifier(item.external_identifier or "")
        if parsed is not None and parsed[0].store == shop.store and item.canceled is None:
            total += item.amount.gross
    return total


def order_id_of(shop: SmallShop, number: str) -> str:
    (found,) = {
        item.order_id for item in shop.sandbox.items if item.external_identifier == f"centra:{shop.store}:{number}:p1"
    }
    return found


def test_a_run_is_undone_posted_again_and_undone_again(undo_shop: SmallShop) -> None:
    """The whole life of an order: no generation is taken for another by run, reconcile, recover or undo."""
    shop, shell = undo_shop, undo_shop.shell
    export = shop.export(rows(3))
    run = shell.run("run", export).json
    first = live_sum(shop)
    undone = shell.run("undo", "--run", run["run_id"], "--yes")
    assert undone.code == 0, undone.err
    assert undone.json["command"] == "undo"
    assert undone.json["orders"]["reversed"] == 3
    assert {detail["order"] for detail in undone.json["details"]} == {"1001", "1002", "1003"}
    assert live_sum(shop) == 0
    assert shell.run("status").json["orders"] == {"undone": 3}
    for command in ("dry-run", "run"):
        document = shell.run(command, export).json
        assert (document["exit_code"], document["orders"]["undone"]) == (0, 3)
    assert live_sum(shop) == 0
    reconciled = shell.run("reconcile")
    assert (reconciled.code, reconciled.json["complete"], reconciled.json["differences"]) == (3, False, [])
    assert [(row["state"], row["orders"]) for row in reconciled.json["not_in_mews"]] == [("undone", 3)]

    second = shell.run("run", export, "--repost-undone")
    assert (second.code, second.json["orders"]["posted"]) == (0, 3)
    assert live_sum(shop) == first
    reconciled = shell.run("reconcile")
    assert (reconciled.code, reconciled.json["orders"]["matched"]) == (0, 3)
    assert shell.run("recover").json["undone"] == 0
    assert shell.run("status").json["orders"] == {"posted": 3}

    assert shell.run("undo", "--run", second.json["run_id"], "--only", "1002", "--yes").json["orders"]["reversed"] == 1
    reconciled = shell.run("reconcile")
    assert (reconciled.code, reconciled.json["orders"]["matched"]) == (3, 2)

    shop.ledger.rename(shop.folder / "lost.sqlite")
    assert shell.run("recover").code == 0
    assert shell.run("status").json["orders"] == {"posted": 2, "undone": 1}
    assert shell.run("run", export).json["orders"]["already_posted"] == 2
    reconciled = shell.run("reconcile")
    assert (reconciled.code, reconciled.json["orders"]["matched"]) == (3, 2), reconciled.out


def test_mixed_fates_are_told_order_by_order(undo_shop: SmallShop) -> None:
    """A closed bill keeps its order with the reason and exit code 3; the others are reversed."""
    shop, shell = undo_shop, undo_shop.shell
    run = shell.run("run", shop.export(rows(3))).json["run_id"]
    kept = order_id_of(shop, "1002")
    shop.sandbox.close_item(shop.sandbox.items_of(kept)[0].id)
    done = shell.run("undo", "--run", run, "--yes")
    assert done.code == 3
    orders = done.json["orders"]
    assert (orders["reversed"], orders["kept"], orders["failed"]) == (2, 1, 0)
    (detail,) = [one for one in done.json["details"] if one["result"] == "kept"]
    assert (detail["order"], detail["order_id"]) == ("1002", kept)
    assert "closed bill" in detail["message"]
    assert all(item.canceled is None for item in shop.sandbox.items_of(kept))
    assert shell.run("status").json["orders"] == {"posted": 1, "undone": 2}
    assert shell.run("reconcile").json["orders"]["matched"] == 1


def test_one_of_two_copies_goes(undo_shop: SmallShop) -> None:
    """An order that is there twice: after the undo of one OrderId everything agrees again."""
    shop, shell = undo_shop, undo_shop.shell
    export = shop.export(rows(2))
    shell.run("run", export)
    first = order_id_of(shop, "1001")
    _post_again(shop, first)
    assert shop.held()["1001"] == 2
    duplicated = shell.run("recover")
    assert set(duplicated.json["duplicated"]) == {"1001"}
    assert shell.run("reconcile").json["orders"]["duplicated"] == 1
    done = shell.run("undo", "--order-id", first, "--yes")
    assert (done.code, done.json["orders"]["reversed"]) == (0, 1), done.err
    assert "Next: centra-mews reconcile" in done.err
    assert shell.run("status").json["orders"] == {"posted": 2}
    reconciled = shell.run("reconcile")
    assert (reconciled.code, reconciled.json["orders"]["matched"], reconciled.json["orders"]["duplicated"]) == (0, 2, 0)
    again = shell.run("run", export)
    assert (again.code, again.json["duplicated"]) == (0, {})


def _post_again(shop: SmallShop, order_id: str) -> None:
    """Sends an order once more, past every guard: straight into the sandbox."""
    items = shop.sandbox.items_of(order_id)
    body = {
        "ClientToken": CLIENT_TOKEN,
        "AccessToken": ACCESS_TOKEN,
        "Client": "test 1.0",
        "ServiceId": items[0].service_id,
        "AccountId": items[0].account_id,
        "ConsumptionUtc": items[0].consumed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Notes": items[0].notes,
        "Items": [
            {
                "Name": item.name,
                "UnitCount": item.count,
                "UnitAmount": {
                    "Currency": item.currency,
                    "TaxCodes": [code for code, _ in item.unit.taxes],
                    "GrossValue": float(item.unit.gross),
                },
                "ExternalIdentifier": item.external_identifier,
            }
            for item in items
        ],
    }
    answer = shop.sandbox.handle(f"{PREFIX}orders/add", json.dumps(body).encode(), datetime.now(UTC))
    assert answer.status == 200, answer.body


def test_nobody_is_asked_nothing_is_undone(undo_shop: SmallShop) -> None:
    """Without --yes and without a terminal to type on, the command refuses and changes nothing."""
    shell = undo_shop.shell
    run = shell.run("run", undo_shop.export(rows(1))).json["run_id"]
    before = live_sum(undo_shop)
    done = shell.run("undo", "--run", run)
    assert (done.code, done.json["error"]["code"]) == (2, "undo.unconfirmed")
    assert live_sum(undo_shop) == before
    assert shell.run("status").json["orders"] == {"posted": 1}


@pytest.mark.parametrize(
    "arguments", [[], ["--run", "nothing"], ["--only", "9"], ["--order-id", "5a921187-19c7-4df4-8f4f-f31e78de5857"]]
)
def test_names_that_mean_nothing_end_with_2(undo_shop: SmallShop, arguments: list[str]) -> None:
    """A mistyped name is a usage problem with a sentence, not a silent success."""
    undo_shop.shell.run("run", undo_shop.export(rows(1)))
    done = undo_shop.shell.run("undo", *arguments, "--yes")
    assert done.code == 2
    assert done.json["error"]["message"]
    assert "Traceback" not in done.err


def test_rebates_that_are_not_allowed_keep_the_order(tmp_path: Path) -> None:
    """Neither cancelling nor negative amounts: the order stays posted, and the reason names the setting."""
    with running_sandbox(world(cancel=False, rebates=False)) as mews:
        for target, words in (("", "rebates"), ('rebates = "allow"', "Negative amounts are not allowed")):
            folder = tmp_path / str(len(target))
            folder.mkdir()
            shop = open_shop(folder, mews, f"undo{next(_COUNT)}", target=target)
            run = shop.shell.run("run", shop.export([row(1)])).json["run_id"]
            done = shop.shell.run("undo", "--run", run, "--yes")
            assert (done.code, done.json["orders"]["kept"]) == (3, 1), done.err
            assert words in done.json["details"][0]["message"]
            assert shop.shell.run("status").json["orders"] == {"posted": 1}
