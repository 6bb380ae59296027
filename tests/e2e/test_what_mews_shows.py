"""An order that Mews holds otherwise than it was sent counts with what Mews shows: design section 2, through the CLI."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop_settings import bad_day, change_enterprise, configure
from small_shop import SmallShop, check_counts, row, write_export

pytestmark = pytest.mark.slow

GIFTS = {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"}


def figures(document: dict[str, Any]) -> dict[str, str]:
    """The columns of the one row of totals that are not zero."""
    check_counts(document)
    (found,) = document["totals"]
    return {name: value for name, value in found.items() if name not in ("currency", "basis") and Decimal(value)}


def bridge(document: dict[str, Any]) -> dict[str, str]:
    """The lines of the bridge that are not zero."""
    return {row["line"]: row["amount"] for row in document["bridge"] if Decimal(row["amount"])}


def items_of(shop: SmallShop, number: str) -> list[Any]:
    mark = f"centra:{shop.store}:{number}:"
    return [item for item in shop.sandbox.items if (item.external_identifier or "").startswith(mark)]


@pytest.mark.parametrize("is_ledger_lost", [False, True])
def test_what_staff_cancelled_is_not_planned_any_more(tmp_path: Path, *, is_ledger_lost: bool) -> None:
    """One of two items is cancelled in Mews: `recover` takes it in, and what is left counts, here and in the bridge."""
    with bad_day(tmp_path) as shop:
        file = shop.export([row(1), row(2, price="5.00"), row(2, price="7.00", sku="BOWL", product="Bowl")])
        assert shop.shell.run("run", file).code == 0
        gone = next(item for item in items_of(shop, "2") if item.amount.gross == Decimal("7.00"))
        shop.sandbox.cancel_item(gone.id)
        if is_ledger_lost:
            shop.ledger.unlink()
        assert shop.shell.run("run", file).code == 2
        assert shop.shell.run("recover").code == 3
        wanted = {"source": "24.00", "planned": "17.00", "changed": "7.00", "posted": "17.00"}
        for command in ("dry-run", "run"):
            done = shop.shell.run(command, file)
            assert (figures(done.json), done.code) == (wanted, 3)
        told = shop.shell.run("reconcile")
        assert bridge(told.json) == {"source": "24.00", "changed": "-7.00", "items in Mews": "17.00"}
        assert told.json["orders"]["different"] == 1
        if not is_ledger_lost:
            # Accepted by a person: nothing is left to decide, and Mews holds no more for that.
            assert shop.shell.run("settle", "2", "--posted", gone.order_id).code == 0
            done = shop.shell.run("run", file)
            assert (figures(done.json), done.code, done.json["orders"]["already_posted"]) == (wanted, 0, 2)


@pytest.mark.parametrize("is_negative", [True, False])
def test_a_payment_counts_with_the_amount_that_mews_shows(tmp_path: Path, *, is_negative: bool) -> None:
    """A gift card that was booked unseen, and changed by staff before anybody looked; Mews shows it with either sign."""
    world = change_enterprise(lambda one: replace(one, payments_negative=is_negative))
    fault = "delayed-commit:1:on=payments/addExternal:at=1:seconds=4:answer=reset"
    with bad_day(tmp_path, fault, world=world) as shop:
        configure(shop, GIFTS)
        lines = [row(1) | {"voucherCode": "", "voucherValue": ""}]
        lines.append(row(2, price="30.00", orderTotal="20.00") | {"voucherCode": "GC-2", "voucherValue": "10.00"})
        file = write_export(tmp_path / "orders.csv", lines, header=(*lines[0],))
        shop.map(settle=60)
        shop.shell.run("run", file, "--no-wait")
        until = time.monotonic() + 60
        while not shop.sandbox.payments and time.monotonic() < until:
            time.sleep(0.2)
        (paid,) = shop.sandbox.payments
        shop.sandbox._store.payments[paid.id] = replace(paid, amount=replace(paid.amount, **halved(paid.amount)))
        configure(shop, GIFTS)
        done = shop.shell.run("run", file)
        assert done.json["orders"]["changed"] == 1, done.err
        wanted = {"source": "32.00", "planned": "37.00", "changed": "-5.00", "posted": "37.00"}
        assert (figures(done.json), done.code) == (wanted, 3)
        told = bridge(shop.shell.run("reconcile").json)
        assert told == {
            "source": "32.00",
            "changed": "5.00",
            "credits booked as payments": "5.00",
            "items in Mews": "42.00",
        }


def halved(amount: Any) -> dict[str, Decimal]:
    """The amounts of a payment, each by half."""
    return {name: getattr(amount, name) / 2 for name in ("net", "gross")}


def test_a_duplicate_is_told_until_it_is_reversed(tmp_path: Path) -> None:
    """Mews commits long after `settle_seconds`: the order is there twice, and no later run is done with that."""
    with bad_day(tmp_path, "delayed-commit:1:on=orders/add:at=1:seconds=6:answer=reset") as shop:
        file = shop.export([row(1), row(2)])
        shop.shell.run("run", file)
        until = time.monotonic() + 60
        while len(shop.sandbox.orders) < 3 and time.monotonic() < until:
            time.sleep(0.2)
        (number,) = [number for number, count in shop.held().items() if count == 2]
        for command in ("run", "run", "recover", "run"):
            done = shop.shell.run(*([command] if command == "recover" else [command, file]))
            assert (done.code, set(done.json["duplicated"])) == (3, {number}), (command, done.err)
        for command, *arguments in (("run", file), ("report",)):
            shop.shell.run(command, *arguments, "--report", command)
            page = (shop.folder / command / "report.html").read_text("utf-8")
            assert f"1 order stands in Mews more than once: {number}." in page, command
            assert "none needs attention" not in page
            assert json.loads((shop.folder / command / "summary.json").read_text("utf-8"))["exit_code"] == 3
        own = shop.ledger_value(f"select mews_order_id from orders where number = '{number}'")
        for item in items_of(shop, number):
            if item.order_id != own:
                shop.sandbox.cancel_item(item.id)
        assert shop.shell.run("recover").json["duplicated"] == {}
        assert shop.shell.run("run", file, "--report", "run").code == 0
        assert "more than once" not in (shop.folder / "run" / "report.html").read_text("utf-8")
