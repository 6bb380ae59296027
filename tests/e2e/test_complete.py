"""Reconcile over the whole source: what the shop sold is led to what Mews holds, and green means all of it."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop_settings import bad_day, configure
from small_shop import SmallShop, row, rows, write_export

pytestmark = pytest.mark.slow

HEAD = "order_number,problem_code,reason,by,date\n"


def bridge_of(document: dict[str, Any]) -> dict[str, Decimal]:
    """The lines that are not zero; they lead to the last."""
    amounts = {line["line"]: Decimal(line["amount"]) for line in document["bridge"]}
    *_, last = amounts
    assert (last, sum(amounts[line] for line in amounts if line != last)) == ("items in Mews", amounts[last])
    return {line: amount for line, amount in amounts.items() if amount}


def test_sixty_of_three_hundred_are_not_green(tmp_path: Path) -> None:
    """60 posted, 240 left by --limit: everything agrees, and it is not complete."""
    with bad_day(tmp_path) as shop:
        file = shop.export(rows(300))
        done = shop.shell.run("run", file, "--limit", "60").json
        found = shop.shell.run("reconcile")
        document = found.json
        assert (found.code, document["complete"], document["orders"]["matched"]) == (3, False, 60)
        (total,) = done["totals"]
        lines = bridge_of(document)
        assert lines["source"] == Decimal(total["source"])
        assert lines["items in Mews"] == Decimal(total["posted"]) == shop.held_sum()
        (left,) = document["not_in_mews"]
        assert (left["state"], left["orders"], left["currency"]) == ("ready", 240, "GBP")
        assert Decimal(left["amount"]) == -lines["ready"] == Decimal(total["source"]) - Decimal(total["posted"])
        assert [one["file"] for one in document["source"]["files"]] == ["orders.csv"]
        assert "Not complete: 240 orders are ready" in found.err
        assert "items in Mews" in found.err
        assert shop.shell.run("run", file).code == 0
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["complete"], found.json["not_in_mews"]) == (0, True, [])
        assert "Complete: each of the 300 orders" in " ".join(found.err.split())


def test_posted_leads_to_what_mews_holds_over_gift_cards(tmp_path: Path) -> None:
    """Posted 14.00 of a run, 34.00 in Mews: the two gift cards between them are a line, and payments stand below."""
    with bad_day(tmp_path) as shop:
        configure(shop, {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"})
        lines = [
            {**row(1, orderTotal="2.00"), "voucherCode": "GC-1", "voucherValue": "10.00"},
            {**row(2, price="22.00", orderTotal="12.00"), "voucherCode": "GC-2", "voucherValue": "10.00"},
        ]
        done = shop.shell.run("run", write_export(shop.folder / "orders.csv", lines, header=(*lines[0],))).json
        assert done["totals"][0]["posted"] == "14.00"
        found = shop.shell.run("reconcile")
        assert found.code == 0, found.json["open"]
        assert bridge_of(found.json) == {
            "source": Decimal("14.00"),
            "credits booked as payments": Decimal("20.00"),
            "items in Mews": Decimal("34.00"),
        }
        assert found.json["payments"] == [{"currency": "GBP", "kind": "credits", "amount": "20.00"}]


def test_rows_without_a_number_keep_it_open(tmp_path: Path) -> None:
    """Until the corrected file of that name is read."""
    with bad_day(tmp_path) as shop:
        shop.shell.run("run", shop.export([row(1), row("", price="1.00")]))
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["complete"], found.json["source"]["unassigned"]) == (3, False, 1)
        assert shop.shell.run("report", "--report", shop.folder / "report").json["lines"]["unassigned"] == 1
        shop.shell.run("run", shop.export([row(1), row(2, price="1.00")]))
        assert shop.shell.run("reconcile").json["complete"] is True


def test_a_narrowed_batch_says_so(tmp_path: Path) -> None:
    """Complete, but of January only."""
    with bad_day(tmp_path) as shop:
        file = shop.export([row(1, orderDate="2024-01-05"), row(2)])
        done = shop.shell.run("run", file, "--from", "2024-01-01", "--to", "2024-02-01")
        assert done.json["narrowed"] == {"from": "2024-01-01", "to": "2024-02-01"}
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["source"]["orders"]) == (0, 1)
        assert found.json["source"]["narrowed"] == [{"from": "2024-01-01", "to": "2024-02-01"}]
        assert "Only orders dated from 2024-01-01 to before 2024-02-01 were read." in found.err


def waive(shop: SmallShop, *rows_of_table: str) -> None:
    (shop.mapping / "waivers.csv").write_text(HEAD + "".join(f"{one}\n" for one in rows_of_table), "utf-8")


def test_a_person_accepts_what_is_left_by_name(tmp_path: Path) -> None:
    """A blocked, a changed and a skipped order: green once each is named with its code."""
    with bad_day(tmp_path) as shop:
        shop.shell.run("run", shop.export([row(1), row(2)]))
        empty = row(3, sku="", qty="", price="", vatPercent="", product="", shippingValue="0.00")
        shop.shell.run("run", shop.export([row(1), row(2, price="13.00"), empty, row(4, status="Cancelled")]))
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["complete"]) == (3, False)
        assert bridge_of(found.json)["changed"] == Decimal("-1.00")
        code = next(
            row["code"]
            for row in shop.shell.run("dry-run", shop.folder / "orders.csv").json["problems"]
            if "3" in row["examples"]
        )
        assert code == "order.empty"
        waive(shop, "2,changed,booked by hand,Ann,2026-11-01", "3,order.empty,nothing was sold,Ann,2026-11-01")
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["complete"], found.json["accepted"]) == (0, True, 2), found.json["open"]


def lost_rows(folder: Path) -> list[tuple[str, str]]:
    """File and row of what belongs to no order, as problems.csv of a report names them."""
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as stream:
        found = [one for one in csv.DictReader(stream) if one["code"] == "order.number_missing"]
    assert all(one["hint"] and one["column"] == "orderNumber" for one in found)
    return [(Path(one["file"]).name, one["row"]) for one in found]


def test_rows_of_no_order_are_named_one_by_one_in_every_report(tmp_path: Path) -> None:
    """A report that counts an error names its row, also when it is written from the ledger; a mended file clears its own."""
    with bad_day(tmp_path) as shop:
        first = shop.export([row(1), row(""), row(2)], "a.csv")
        second = shop.export([row(3), row("")], "b.csv")
        shop.shell.run("run", first, second, "--report", "run")
        shop.shell.run("report", "--report", "report")
        shop.shell.run("reconcile", "--report", "reconcile")
        for name in ("run", "report", "reconcile"):
            assert lost_rows(shop.folder / name) == [("a.csv", "3"), ("b.csv", "3")], name
        assert shop.shell.run("run", shop.export([row(1), row(4), row(2)], "a.csv")).code == 0
        found = shop.shell.run("reconcile", "--report", "reconcile")
        assert found.json["source"]["unassigned"] == 1
        assert lost_rows(shop.folder / "reconcile") == [("b.csv", "3")]
        shop.export([row(3), row(5)], "b.csv")
        assert shop.shell.run("run", second).code == 0
        assert shop.shell.run("reconcile").code == 0


def test_a_page_says_of_what_was_accepted_that_it_is_no_error(tmp_path: Path) -> None:
    """Green, exit code 0, and "these orders need attention" may not stand on one page, nor in one terminal."""
    with bad_day(tmp_path) as shop:
        file = shop.export([row(1), row(2)])
        assert shop.shell.run("run", file).code == 0
        shop.export([row(1, price="13.00"), row(2)])
        (shop.mapping / "waivers.csv").write_text(f"{HEAD}1,changed,refunded by hand,Ann,2026-01-01\n")
        for command in ("dry-run", "run", "report", "reconcile"):
            arguments = [file] if command.endswith("run") else []
            done = shop.shell.run(command, *arguments, "--report", command)
            assert done.code == 0
            assert "need attention" not in done.err, command
            page = (shop.folder / command / "report.html").read_text("utf-8")
            assert "Errors: these orders need attention" not in page, command
            with (shop.folder / command / "problems.csv").open(encoding="utf-8", newline="") as stream:
                (told,) = [one for one in csv.DictReader(stream) if one["code"] == "changed"]
            assert told["severity"] == "notice", command
            assert told["message"].endswith("Accepted by name in waivers.csv."), command
            with (shop.folder / command / "orders.csv").open(encoding="utf-8", newline="") as stream:
                (held,) = [one for one in csv.DictReader(stream) if one["state"] == "changed"]
            assert (held["order"], held["problem"]) == ("1", "changed")
            assert held["message"]
