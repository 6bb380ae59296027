"""Every column of the totals is summed from its own orders, part by part: design sections 2 and 5, through the CLI."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop_settings import bad_day, change_enterprise, configure
from small_shop import SmallShop, check_counts, row, write_export

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
GIFTS = {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"}


def gift_order(number: object, price: str, gift: str, total: str) -> dict[str, str]:
    """One cup, paid in part with a gift card."""
    return {**row(number, price=price, orderTotal=total), "voucherCode": f"GC-{number}", "voucherValue": gift}


def export(shop: SmallShop, lines: Iterable[dict[str, str]]) -> Path:
    """The lines as a CSV file, with the columns of the first."""
    rows = list(lines)
    return write_export(shop.folder / "orders.csv", rows, header=(*rows[0],))


def totals_of(document: dict[str, Any]) -> dict[str, Decimal]:
    """The one row of totals."""
    (found,) = document["totals"]
    return {name: Decimal(value) for name, value in found.items() if name not in ("currency", "basis")}


def columns(**amounts: str) -> dict[str, Decimal]:
    """A row of totals; what is not named is zero."""
    names = ("source", "planned", "rounding", "rejected", "blocked", "skipped", "changed", "undone", "posted")
    return {name: Decimal(amounts.get(name, "0.00")) for name in names}


def test_what_was_refused_and_is_blocked_now_is_rejected(tmp_path: Path) -> None:
    """Returns refused, then rebates = "block": they stay rejected, with their money, in every command."""
    world = change_enterprise(lambda one: replace(one, allow_rebates=False))
    with bad_day(tmp_path, world=world) as shop:
        lines = [row(number, price="10.00") for number in range(1, 6)]
        returns = [row(100 + n, qty=-1, price=f"{n}.10", orderTotal=f"-{n}.10") for n in range(1, 4)]
        file = shop.export([*lines, *returns])
        first = shop.shell.run("run", file)
        refused = sum((Decimal(line["orderTotal"]) for line in returns), Decimal(0))
        wanted = columns(source=str(50 + refused), planned="50.00", rejected=str(refused), posted="50.00")
        assert totals_of(first.json) == wanted, first.err
        shop.map(target='rebates = "block"')
        dry = shop.shell.run("dry-run", file)
        again = shop.shell.run("run", file)
        for done in (dry, again):
            check_counts(done.json)
            assert (done.json["orders"]["rejected"], done.json["orders"]["blocked"]) == (3, 0)
            assert totals_of(done.json) == wanted
        codes = {problem["code"] for problem in dry.json["problems"]}
        assert {"mews.refused", "rebate.not_allowed"} <= codes, "both reasons are told"
        assert shop.shell.run("status").json["orders"] == {"posted": 5, "rejected": 3}
        report = shop.shell.run("report", "--report", shop.folder / "report").json
        assert totals_of(report) == wanted
        # A rule that skips them now comes first.
        skipped = shop.shell.run("dry-run", shop.export([*lines, *({**one, "status": "Cancelled"} for one in returns)]))
        assert (skipped.json["orders"]["skipped"], skipped.json["orders"]["rejected"]) == (3, 0)
        assert totals_of(skipped.json)["skipped"] == refused


def test_a_refused_gift_card_counts_part_by_part(tmp_path: Path) -> None:
    """12.00 = 32.00 - 20.00: the items are booked, the credit was refused."""
    with bad_day(tmp_path, "status-409:1:on=payments/addExternal") as shop:
        configure(shop, GIFTS)
        file = export(shop, [gift_order(1, "32.00", "20.00", "12.00")])
        wanted = columns(source="12.00", planned="32.00", rejected="-20.00", posted="32.00")
        for arguments in (("run", file), ("dry-run", file), ("report", "--report", shop.folder / "report")):
            done = shop.shell.run(*arguments)
            assert totals_of(done.json) == wanted, arguments
            assert done.json["orders"]["rejected"] == 1


def test_a_refused_capture_takes_nothing_from_what_is_posted(tmp_path: Path) -> None:
    """Captures lower no order's worth: Mews holds the 12.00."""
    with bad_day(tmp_path, "status-409:1:on=payments/addExternal") as shop:
        configure(shop, payments='post = true\ntype = "CreditCard"')
        paid = {"payment.capture.status": "1", "payment.capture.amount": "12.00", "payment.capture.method": "card"}
        done = shop.shell.run("run", export(shop, [{**row(1, orderTotal="12.00"), **paid}]))
        assert done.json["orders"]["rejected"] == 1
        assert totals_of(done.json) == columns(source="12.00", planned="12.00", posted="12.00")


def test_what_was_posted_counts_with_the_ledgers_amounts(tmp_path: Path) -> None:
    """Posted as 12.00, the source says 15.00 now, or nothing: the difference is in `changed`; undone is a column."""
    with bad_day(tmp_path) as shop:
        file = shop.export([row(1), row(2), row(3)])
        first = shop.shell.run("run", file).json
        assert shop.shell.run("undo", "--run", first["run_id"], "--only", "3", "--yes").code == 0
        file = shop.export([row(1, price="15.00"), row(2, price="x"), row(3)])
        for command in ("dry-run", "run"):
            done = shop.shell.run(command, file)
            check_counts(done.json)
            assert (done.json["orders"]["changed"], done.json["orders"]["undone"]) == (2, 1)
            assert done.json["unreadable_totals"] == 1
            assert totals_of(done.json) == columns(
                source="27.00", planned="24.00", changed="-9.00", undone="12.00", posted="24.00"
            )
        report = shop.shell.run("report", "--report", shop.folder / "report").json
        assert totals_of(report) == totals_of(done.json), "the ledger keeps the newest reading of what is frozen"


def test_unknown_orders_are_planned_and_not_posted(tmp_path: Path) -> None:
    """Nobody knows: the money is planned, none of it is called posted; a source that moved is in `changed`."""
    with bad_day(tmp_path, "status-502-before:1:on=orders/add") as shop:
        shop.map(settle=60)
        done = shop.shell.run("run", shop.export([row(1)]), "--no-wait")
        assert totals_of(done.json) == columns(source="12.00", planned="12.00")
        moved = shop.shell.run("dry-run", shop.export([row(1, price="14.00")]))
        assert (moved.json["orders"]["unknown"], moved.code) == (1, 3)
        assert totals_of(moved.json) == columns(source="14.00", planned="12.00", changed="2.00")


def test_a_different_order_counts_with_what_mews_shows(tmp_path: Path) -> None:
    """Half of it was cancelled in Mews before anybody knew that it was there."""
    with bad_day(tmp_path, "delayed-commit:1:on=orders/add:at=1:seconds=8:answer=reset") as shop:
        file = shop.export([row(1), row(1, price="3.50", qty=2, sku="BOWL", product="Bowl")])
        shop.map(settle=60)
        shop.shell.run("run", file, "--no-wait")
        until = time.monotonic() + 60
        while not shop.sandbox.items and time.monotonic() < until:
            time.sleep(0.2)
        item = next(one for one in shop.sandbox.items if one.count == 2)
        shop.sandbox.change_item(item.id, count=1, amount=item.unit)
        shop.map()
        done = shop.shell.run("run", file)
        assert (done.json["orders"]["changed"], done.code) == (1, 3), done.json["problems"]
        assert totals_of(done.json) == columns(source="19.00", planned="15.50", changed="3.50", posted="15.50")


DISHONEST = """
from decimal import Decimal
from etl.transform import order
honest = order._money
order._money = lambda *given: {**honest(*given), "rounding_causes": (("conversion", Decimal("0.01")),)}
from etl.cli import main
main()
"""


def test_the_equation_ends_the_command(tmp_path: Path) -> None:
    """A plan whose rounding does not explain what it plans: exit code 1, and no sums are shown.

    By the rules alone: what plans by columns as well notices before any sum is drawn.
    """
    with bad_day(tmp_path) as shop:
        _, _, _, *arguments = shop.shell.command("dry-run", shop.export([row(1)]))
        done = subprocess.run(
            [sys.executable, "-c", DISHONEST, "--json", *arguments],
            cwd=shop.folder,
            env=shop.shell.environment() | {"PYTHONPATH": str(ROOT), "CENTRA_MEWS_PLAN": "rules"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1
        assert "totals in GBP gross do not add up" in done.stderr + done.stdout + details(done.stderr)
        assert '"totals"' not in done.stdout


def details(text: str) -> str:
    """The trace file that an internal error names."""
    name = text.partition("Details: ")[2].partition(" (")[0]
    return Path(name).read_text("utf-8") if name else ""
