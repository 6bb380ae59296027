"""Orders corrected through attention.csv: the whole loop, both ways, and what the original is when it is met again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Done
from small_shop import HEADER, SmallShop, check_counts, rows

from etl.model.attention import MET

pytestmark = pytest.mark.slow

Edit = Callable[[dict[str, str]], None]


def lines_with_a_fault() -> list[dict[str, str]]:
    """1002 has a price that nobody can read, 1003 a total that its lines do not give."""
    found = rows(4)
    found[2]["products.unitPrice"] = "much"
    for line in found[4:6]:
        line["orderTotal"] = "99.00"
    return found


def edit(path: Path, change: Edit, name: str = "fixed.csv") -> Path:
    """attention.csv with some cells corrected, as a spreadsheet saves it."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        found = list(reader)
        header = list(reader.fieldnames or ())
    for line in found:
        change(line)
    target = path.with_name(name)
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header)
        writer.writeheader()
        writer.writerows(found)
    return target


def right(line: dict[str, str]) -> None:
    if line["products.unitPrice"] == "much":
        line["products.unitPrice"] = "25.00"
    line["orderTotal"] = ""


def of(done: Done) -> dict[str, int]:
    """The states that any order is in."""
    check_counts(done.json)
    return {name: count for name, count in done.json["orders"].items() if count and name != "read"}


def problem(done: Done, code: str) -> dict:
    (found,) = [one for one in done.json["problems"] if one["code"] == code]
    return found


def rows_of(report: Path, name: str = "problems.csv") -> list[dict[str, str]]:
    with (report / name).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def export(shop: SmallShop) -> Path:
    return shop.export(lines_with_a_fault())


@pytest.fixture
def fixed(shop: SmallShop, export: Path) -> Path:
    """The corrected attention.csv of a dry run."""
    done = shop.shell.run("dry-run", export, "--report", shop.folder / "r")
    assert of(done) == {"ready": 2, "blocked": 2}
    assert "--corrections" in done.err
    return edit(shop.folder / "r" / "attention.csv", right)


def test_the_whole_loop(shop: SmallShop, export: Path, fixed: Path) -> None:
    """Fix, feed with --corrections, reconcile; then the original export alone says nothing new."""
    planned = shop.shell.run("dry-run", export, "--corrections", fixed, "--report", shop.folder / "r2")
    assert of(planned) == {"ready": 4}
    assert planned.code == 0
    told = {
        one["order"]: one["hint"] + str(one) for one in rows_of(shop.folder / "r2") if one["code"] == "order.corrected"
    }
    assert set(told) == {"1002", "1003"}
    done = shop.shell.run("run", export, "--corrections", fixed, "--expect", planned.json["plan"])
    assert (done.code, of(done)) == (0, {"posted": 4})
    (total,) = done.json["totals"]
    again = shop.shell.run("run", export)
    assert (again.code, of(again)) == (0, {"already_posted": 4}), again.json["problems"]
    assert problem(again, "order.corrected")["examples"] == ["1002", "1003"]
    assert [{**total, "source": one["source"], "posted": one["posted"]} for one in again.json["totals"]] == [total]
    assert total["source"] == again.json["totals"][0]["source"], "counts with what was corrected"
    with_them = shop.shell.run("run", export, "--corrections", fixed)
    assert (with_them.code, of(with_them)) == (0, {"already_posted": 4})
    assert shop.shell.run("reconcile").code == 0
    assert max(shop.held().values()) == 1


def test_the_old_way(shop: SmallShop, export: Path, fixed: Path) -> None:
    """The fixed file fed alone, then the original export: nobody is told to correct Mews by hand."""
    assert of(shop.shell.run("run", export)) == {"posted": 2, "blocked": 2}
    assert of(shop.shell.run("run", fixed)) == {"posted": 2}
    done = shop.shell.run("run", export)
    assert (done.code, of(done)) == (0, {"already_posted": 4}), done.json["problems"]
    assert problem(done, "order.corrected")["orders"] == 2


def test_the_old_way_before_any_run(shop: SmallShop, export: Path, fixed: Path) -> None:
    """The ledger never met the original: the file itself says how it was met."""
    assert of(shop.shell.run("run", fixed)) == {"posted": 2}
    assert of(shop.shell.run("run", export)) == {"posted": 2, "already_posted": 2}


def test_the_old_way_without_our_columns(shop: SmallShop, export: Path, fixed: Path) -> None:
    """Somebody deleted the extra columns: the ledger's newest unsent version tells."""
    assert of(shop.shell.run("run", export)) == {"posted": 2, "blocked": 2}
    with fixed.open(encoding="utf-8", newline="") as stream:
        plain = [{name: line[name] for name in HEADER} for line in csv.DictReader(stream)]
    assert of(shop.shell.run("run", shop.export(plain, "plain.csv"))) == {"posted": 2}
    done = shop.shell.run("run", export)
    assert (done.code, of(done)) == (0, {"already_posted": 4}), done.json["problems"]


def test_another_version_than_the_original_is_changed(shop: SmallShop, export: Path, fixed: Path) -> None:
    """Met exactly so: a third version is none that anybody corrected."""
    shop.shell.run("run", export, "--corrections", fixed)
    third = lines_with_a_fault()
    third[2]["products.qty"] = "7"
    third[5]["products.qty"] = "7"
    done = shop.shell.run("run", shop.export(third, "third.csv"))
    assert (done.code, of(done)) == (3, {"already_posted": 2, "changed": 2})


def test_a_corrected_order_is_not_sent_uncorrected(shop: SmallShop) -> None:
    """Corrected and planned, then the original alone: a reading error would be charged after all."""
    lines = rows(3)
    export = shop.export(lines)
    right_lines = [line | {"products.qty": "9"} for line in lines[:2]]
    correction = shop.export(right_lines, "correction.csv")
    assert of(shop.shell.run("run", export, "--corrections", correction, "--only", "1003")) == {"posted": 1, "ready": 2}
    dry = shop.shell.run("dry-run", export)
    assert (dry.code, of(dry)) == (3, {"blocked": 1, "already_posted": 1, "ready": 1})
    fresh = shop.shell.run("dry-run", export, "--report", shop.folder / "r")
    assert fresh.json["plan"] == dry.json["plan"]
    done = shop.shell.run("run", export)
    assert (done.code, of(done)) == (3, {"blocked": 1, "already_posted": 1, "posted": 1})
    assert problem(done, "order.correction_missing")["examples"] == ["1001"]
    assert of(shop.shell.run("run", export, "--corrections", correction)) == {"posted": 1, "already_posted": 2}
    # Undone, and wanted again: not the original.
    run_id = shop.ledger_value("select posted_run_id from orders where number = '1001'")
    assert shop.shell.run("undo", "--run", str(run_id), "--yes").code == 0
    undone = shop.shell.run("run", export, "--repost-undone")
    assert of(undone) == {"already_posted": 2, "undone": 1}
    assert problem(undone, "order.correction_missing")["examples"] == ["1001"]
    # The source is what it said last, in every command: nothing of the correction stands in Mews any more.
    (totals,) = undone.json["totals"]
    told = {row["line"]: row["amount"] for row in shop.shell.run("reconcile").json["bridge"]}
    assert (told["source"], told["undone"]) == (totals["source"], "-" + totals["undone"])
    reposted = shop.shell.run("run", export, "--corrections", correction, "--repost-undone")
    assert of(reposted) == {"already_posted": 2, "posted": 1}


def test_a_correction_of_a_posted_order_can_only_be_changed(shop: SmallShop) -> None:
    """What is charged is charged."""
    lines = rows(2)
    export = shop.export(lines)
    assert of(shop.shell.run("run", export)) == {"posted": 2}
    before = shop.held_sum()
    correction = shop.export([line | {"products.qty": "9"} for line in lines[:2]], "correction.csv")
    done = shop.shell.run("run", export, "--corrections", correction)
    assert (done.code, of(done)) == (3, {"already_posted": 1, "changed": 1})
    assert shop.held_sum() == before
    assert of(shop.shell.run("run", export)) == {"already_posted": 2}


def test_a_correction_is_told_with_both_figures(shop: SmallShop) -> None:
    """A line that a filter hid when the file was saved is money gone."""
    lines = [line | {"orderTotal": "50.00"} for line in rows(1)]
    export = shop.export(lines)
    correction = shop.export([lines[1] | {"orderTotal": "7.00"}], "correction.csv")
    shop.shell.run("dry-run", export, "--corrections", correction, "--report", shop.folder / "r")
    (told,) = [one for one in rows_of(shop.folder / "r") if one["code"] == "order.corrected"]
    text = " ".join(told.values())
    assert "1 line where the export has 2" in text
    assert "7.00" in text
    assert "50.00" in text


def test_a_correction_of_an_order_that_no_export_holds_is_blocked(shop: SmallShop) -> None:
    """A correction never makes a new order: its number was mistyped."""
    export = shop.export(rows(1))
    correction = shop.export(rows(1, first=2001), "correction.csv")
    done = shop.shell.run("run", export, "--corrections", correction)
    assert (done.code, of(done)) == (3, {"posted": 1, "blocked": 1})
    assert problem(done, "order.correction_unmatched")["examples"] == ["2001"]


def test_rows_under_another_number_are_blocked(shop: SmallShop, export: Path, fixed: Path) -> None:
    """Renumbered in the spreadsheet, an order would be charged twice: here, and as it stands in the export."""
    renumbered = edit(fixed, lambda line: line.update(orderNumber="77"), "renumbered.csv")
    done = shop.shell.run("run", renumbered)
    assert (done.code, of(done)) == (3, {"blocked": 1})
    assert problem(done, "order.correction_unmatched")


def test_corrections_of_corrections(shop: SmallShop, export: Path, fixed: Path) -> None:
    """Two evenings: what Monday's file left wrong stands in Tuesday's, and both are given."""
    half = edit(
        fixed,
        lambda line: line.update({"products.vatPercent": "x" if line["orderNumber"] == "1003" else "20"}),
        "monday.csv",
    )
    first = shop.shell.run("dry-run", export, "--corrections", half, "--report", shop.folder / "tuesday")
    assert of(first) == {"ready": 3, "blocked": 1}
    tuesday = edit(shop.folder / "tuesday" / "attention.csv", lambda line: line.update({"products.vatPercent": "20"}))
    done = shop.shell.run("run", export, "--corrections", half, "--corrections", tuesday)
    assert (done.code, of(done)) == (0, {"posted": 4}), done.json["problems"]
    assert of(shop.shell.run("run", export)) == {"already_posted": 4}
    # What Monday had is an earlier version of a corrected order, too.
    assert of(shop.shell.run("run", half)) == {"already_posted": 2}


def test_an_unchanged_attention_file_gives_the_same_orders(shop: SmallShop, export: Path) -> None:
    """Nothing was corrected, so nothing is, and the plan is the same."""
    plain = shop.shell.run("dry-run", export, "--report", shop.folder / "r")
    attention = shop.folder / "r" / "attention.csv"
    given = shop.shell.run("dry-run", export, "--corrections", attention)
    assert given.json["plan"] == plain.json["plan"]
    assert MET in attention.read_text("utf-8")
    assert of(shop.shell.run("run", attention)) == {"blocked": 2}
    fixed_export = shop.export(rows(4), "fixed_export.csv")
    done = shop.shell.run("run", fixed_export)
    assert (done.code, of(done)) == (0, {"posted": 4}), "the shop corrected them itself; nobody else did"
    assert Decimal(done.json["totals"][0]["posted"]) == shop.held_sum()


def test_next_knows_the_corrections_of_the_last_run(shop: SmallShop, export: Path, fixed: Path) -> None:
    """With the files or without them: what was corrected is planned so, and the command to type names the corrections."""
    shop.shell.run("run", export.name, "--corrections", fixed.relative_to(shop.folder), "--limit", "1")
    for typed in ((), (export.name,)):
        step = shop.shell.run("next", *typed).json
        assert " run orders.csv --corrections r/fixed.csv --expect sha256:" in step["type"]
        assert step["orders"] == 3
    other = shop.export(rows(1), "other.csv")
    assert "fixed.csv" not in shop.shell.run("next", other.name).json["type"]
