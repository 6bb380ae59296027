"""The outlet route as users type it: run, rerun, reconcile, report, undo, recover, and what a ledger belongs to."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from in_process import in_process
from outlet_shop import write_outlet_mapping
from small_shop import HEADER, SmallShop, check_counts, open_shop, row, rows, unlimited, write_export

from etl.model.identity import parse_identifier
from etl.sandbox.server import RunningSandbox, running_sandbox

OUTLET = "01000000-0000-4000-a000-000000000001"
PAID = "ca000000-0000-4000-a000-000000000004"
_COUNT = itertools.count(1)


@pytest.fixture(scope="module")
def mews() -> Iterator[RunningSandbox]:
    """One Mews for all of these tests."""
    with running_sandbox(unlimited()) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, mews: RunningSandbox) -> SmallShop:
    """A shop of a store of its own, on the outlet route; the rest of each bill is paid."""
    shop = open_shop(tmp_path, mews, f"till{next(_COUNT)}")
    shop.shell = in_process(shop.shell)
    write_outlet_mapping(shop.mapping, OUTLET, PAID, payments="balance")
    return shop


def bills(shop: SmallShop) -> dict[str, Decimal]:
    """Number to the sum of all bills of the store under it."""
    found: dict[str, Decimal] = {}
    for item in shop.sandbox.outlets.items:
        parsed = parse_identifier(item.external_identifier or "")
        if parsed is not None and parsed[0].store == shop.store:
            number = shop.sandbox.outlets.bills[item.bill_id].number
            found[number] = found.get(number, Decimal(0)) + item.amount.gross
    return found


def test_a_history_goes_as_bills(shop: SmallShop) -> None:
    """Posted, counted, told, reconciled to the cent; what was sold and what was paid stand apart."""
    export = shop.export([*rows(30), row(5000, price="1.13", qty=7)])
    done = shop.shell.run("run", export, "--report", shop.folder / "report")
    assert done.code == 0, done.err
    check_counts(done.json)
    assert done.json["orders"]["posted"] == 31
    assert set(bills(shop)) == {*(str(number) for number in range(1001, 1031)), "5000"}
    assert set(bills(shop).values()) == {Decimal(0)}
    again = shop.shell.run("run", export)
    assert (again.code, again.json["orders"]["already_posted"]) == (0, 31), again.err

    back = shop.shell.run("reconcile", "--report", shop.folder / "back")
    assert back.code == 0, (back.out, back.err)
    assert back.json["orders"] == {"matched": 31, "missing": 0, "different": 0, "duplicated": 0, "unexpected": 0}
    assert back.json["complete"] is True
    (total,) = done.json["totals"]
    bridge = {line["line"]: Decimal(line["amount"]) for line in back.json["bridge"]}
    assert bridge["items in Mews"] == Decimal(total["source"])
    assert shop.shell.run("status").json["orders"]["posted"] == 31


def test_gift_cards_lower_what_is_paid(shop: SmallShop) -> None:
    """They are payments of the bill; the bridge has them apart from what was sold."""
    text = (shop.mapping / "migration.toml").read_text("utf-8")
    (shop.mapping / "migration.toml").write_text(text.replace("[vouchers]", '[vouchers]\npolicy = "payment"'), "utf-8")
    lines = [row(1, price="20.00") | {"voucherCode": "GC-1", "voucherValue": "5.00", "orderTotal": "15.00"}]
    export = write_export(shop.folder / "orders.csv", lines, header=(*HEADER, "voucherCode", "voucherValue"))
    done = shop.shell.run("run", export)
    assert done.code == 0, done.err
    assert bills(shop) == {"1": Decimal(0)}
    back = shop.shell.run("reconcile")
    assert back.code == 0, (back.out, back.err)
    bridge = {line["line"]: Decimal(line["amount"]) for line in back.json["bridge"]}
    assert bridge["source"] == Decimal("15.00")
    assert bridge["credits booked as payments"] == Decimal("5.00")
    assert bridge["items in Mews"] == Decimal("20.00")


def test_undone_bills_reconcile_to_zero(shop: SmallShop) -> None:
    """The opposite bill, once; what is left are the others."""
    export = shop.export(rows(5))
    run_id = shop.shell.run("run", export).json["run_id"]
    undone = shop.shell.run("undo", "--only", "1002", "--only", "1004", "--yes")
    assert undone.code == 0, (undone.out, undone.err)
    assert undone.json["orders"]["reversed"] == 2
    assert bills(shop)["1002:undo"] == 0
    back = shop.shell.run("reconcile")
    bridge = {line["line"]: Decimal(line["amount"]) for line in back.json["bridge"]}
    assert bridge["left by undo"] == 0
    assert back.json["orders"]["matched"] == 3
    assert shop.shell.run("undo", "--run", run_id, "--yes").json["orders"] == {
        "reversed": 3,
        "kept": 0,
        "failed": 0,
        "already_reversed": 2,
        "left": 0,
    }
    assert len(bills(shop)) == 10


def test_a_new_ledger_is_recovered(shop: SmallShop) -> None:
    """Without it, the run stops; with it, nothing is sent twice."""
    export = shop.export(rows(5))
    assert shop.shell.run("run", export).code == 0
    shop.ledger.unlink()
    lost = shop.shell.run("run", export)
    assert lost.code == 2, (lost.code, lost.err)
    assert "recover" in lost.err
    found = shop.shell.run("recover")
    assert (found.code, found.json["found"]) == (0, 5), found.err
    assert shop.shell.run("run", export).json["orders"]["already_posted"] == 5
    assert shop.shell.run("reconcile").json["orders"]["matched"] == 5
    assert len(bills(shop)) == 5


@pytest.mark.parametrize("how", ["changed", "blocked"])
def test_what_mews_holds_of_a_recovered_bill_is_what_was_found_there(shop: SmallShop, how: str) -> None:
    """The source changed after the ledger was lost: revenue, payments, taxes and categories are the bills', not its own."""
    history = [row(1, price="1.13", qty=7), row(2, price="1.13", qty=7)]
    posted = shop.shell.run("run", shop.export(history)).json
    sums = shop.shell.run("reconcile").json["totals"]
    shop.ledger.unlink()
    assert shop.shell.run("recover").json["found"] == 2
    changed = {"qty": "100"} if how == "changed" else {"orderTotal": "999.00"}
    history[1] |= {name: changed[part] for name in history[1] if (part := name.rpartition(".")[2]) in changed}
    told = shop.shell.run("run", shop.export(history)).json
    assert told["orders"]["changed"] == (how == "changed")
    report = shop.shell.run("report", "--report", shop.folder / "again").json
    for one in (told, report):
        assert one["bills"] == posted["bills"]
        assert one["taxes"] == posted["taxes"]
        assert one["categories"] == posted["categories"]
        assert one["totals"][0]["posted"] == "15.82"
    # Mews tells amounts of one unit alone: 0.94 seven times is not the net of seven.
    assert shop.shell.run("reconcile").json["totals"] == sums
    assert sums[0]["mews"]["net"] == "13.18"


def test_payments_of_copies_and_unknown_reversals_are_in_what_mews_holds(shop: SmallShop) -> None:
    """An older ledger knows neither the reversal nor the bill of generation 2: what stands is told, as it is of items."""
    export = shop.export([row(1), row(2, price="7.00")])
    run_id = shop.shell.run("run", export).json["run_id"]
    kept = shop.ledger.read_bytes()
    before = shop.shell.run("reconcile").json["payments"]
    assert [one["amount"] for one in before] == ["19.00"]
    assert shop.shell.run("undo", "--run", run_id, "--only", "2", "--yes").code == 0
    assert shop.shell.run("reconcile").json["payments"][0]["amount"] == "12.00"
    shop.ledger.write_bytes(kept)
    assert [one["amount"] for one in shop.shell.run("reconcile").json["payments"]] == ["12.00"]
    assert shop.shell.run("recover").code == 0
    assert shop.shell.run("run", export, "--repost-undone").json["orders"]["posted"] == 1
    shop.ledger.write_bytes(kept)
    # The bill of generation 2 is unknown to this ledger, and stands in Mews.
    assert [one["amount"] for one in shop.shell.run("reconcile").json["payments"]] == ["19.00"]


def test_a_ledger_belongs_to_one_route(shop: SmallShop) -> None:
    """Route and outlet, as it does to one service; and numbers of the plan on the other route stop a run."""
    export = shop.export(rows(3))
    assert shop.shell.run("run", export).code == 0
    shop.map()
    other = shop.shell.run("run", export)
    assert other.code == 2
    assert "outlet" in other.err
    shop.ledger.unlink()
    fresh = shop.shell.run("run", export)
    assert fresh.code == 2, fresh.err
    assert "bills of outlets" in fresh.err
    assert not shop.held()


def test_orders_of_the_route_orders_are_met(shop: SmallShop) -> None:
    """The other way round."""
    text = (shop.mapping / "migration.toml").read_text("utf-8")
    shop.map()
    assert shop.shell.run("run", shop.export(rows(3))).code == 0
    shop.ledger.unlink()
    (shop.mapping / "migration.toml").write_text(text, "utf-8")
    met = shop.shell.run("run", shop.export(rows(4)))
    assert met.code == 2, met.err
    assert "1001" in met.err
    assert not bills(shop)
    assert shop.shell.run("run", shop.export(rows(4, first=2001))).code == 0


def test_a_canary_of_bills(shop: SmallShop) -> None:
    """The first ones go and are compared before the others."""
    done = shop.shell.run("run", shop.export(rows(12)), "--canary", "2")
    assert done.code == 0, done.err
    assert done.json["orders"]["posted"] == 12


def test_bills_whose_ids_nobody_read_back_are_reconciled(shop: SmallShop) -> None:
    """A run that was killed before its closing look: which bill is whose is read, and nothing is different."""
    assert shop.shell.run("run", shop.export(rows(6))).code == 0
    with sqlite3.connect(shop.ledger) as connection:
        connection.execute("UPDATE orders SET mews_order_id = '' WHERE number > '1002'")
        connection.execute("UPDATE parts SET mews_id = '' WHERE number > '1002'")
        connection.execute("UPDATE attempts SET mews_id = '' WHERE number > '1002'")
    connection.close()
    back = shop.shell.run("reconcile")
    assert (back.code, back.json["orders"]["matched"]) == (0, 6), (back.out, back.err)
    assert shop.ledger_value("SELECT count(*) FROM orders WHERE mews_order_id = ''") == 4
    assert shop.shell.run("run", shop.folder / "orders.csv").code == 0
    assert shop.ledger_value("SELECT count(*) FROM orders WHERE mews_order_id = ''") == 0
