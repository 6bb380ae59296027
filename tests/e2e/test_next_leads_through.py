"""`next` leads through a whole migration: what it says to type is typed, until everything stands in Mews."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from in_process import in_process
from small_shop import SmallShop, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(shop: SmallShop) -> SmallShop:
    """The module's shop, its commands run in this process."""
    shop.shell = in_process(shop.shell)
    return shop


def ask(shop: SmallShop, *exports: Path) -> dict[str, Any]:
    """The document; always exit code 0."""
    done = shop.shell.run("next", *exports)
    assert done.code == 0, done.err
    assert done.json["what"] in done.err
    return done.json


def do(shop: SmallShop, step: dict[str, Any]) -> int:
    """Types the command that the step names, without its global options, which the shell gives itself."""
    words = shlex.split(step["type"])
    assert words[0] == "centra-mews"
    at = next(index for index, word in enumerate(words) if word in {"preflight", "run", "reconcile", "dry-run"})
    return shop.shell.run(*words[at:]).code


def test_from_tokens_to_the_green_banner(shop: SmallShop) -> None:
    """preflight, run with the plan id, reconcile; each step as the one before left it."""
    export = shop.export(rows(3))
    seen = []
    for _ in range(3):
        step = ask(shop, export)
        seen.append((step["type"].split()[5], step["orders"]))
        assert do(shop, step) == 0
    assert seen == [("preflight", 3), ("run", 3), ("reconcile", 3)]
    assert sum(shop.held().values()) == 3
    # A reconciliation leaves its trace: what was proved is named again only after something has moved.
    for exports in ([export], []):
        step = ask(shop, *exports)
        assert "Nothing is left to do: reconcile of 20" in step["what"]
        assert "all 3 orders complete" in step["what"]
        assert "the certificate, the last part of reconciled/report.html" in step["what"]
        assert step["type"] == ""
    # Without --report there is no certificate yet: that is what is left.
    assert shop.shell.run("reconcile").code == 0
    step = ask(shop, export)
    assert "certificate" in step["what"]
    assert do(shop, step) == 0
    assert "Nothing is left to do" in ask(shop, export)["what"]
    assert shop.shell.run("run", export).code == 0
    assert "reconcile" in ask(shop, export)["type"].split()


def test_what_reconcile_left_open_is_the_step(shop: SmallShop) -> None:
    """Not complete: the first reason, until waivers.csv or Mews is another; what was undone is posted again."""
    export = shop.export(rows(2))
    assert shop.shell.run("run", export).code == 0
    gone = next(item for item in shop.sandbox.items if f":{shop.store}:1001:p2" in (item.external_identifier or ""))
    shop.sandbox.cancel_item(gone.id)
    assert shop.shell.run("recover").code == 3
    assert shop.shell.run("settle", "1001", "--posted", gone.order_id).code == 0
    assert "reconcile" in ask(shop, export)["type"].split()
    assert shop.shell.run("reconcile").code == 3
    step = ask(shop, export)
    assert "is not complete: 1 order was settled by a person" in step["what"]
    assert (step["file"], "reconcile" in step["type"].split()) == ("waivers.csv", True)
    text = "order_number,problem_code,reason,by,date\n1001,different,seen,Ann,2026-11-01\n"
    (shop.mapping / "waivers.csv").write_text(text, "utf-8")
    assert do(shop, ask(shop, export)) == 0
    assert "Nothing is left to do" in ask(shop, export)["what"]
    run_id = shop.shell.run("status").json["run"]["run_id"]
    assert shop.shell.run("undo", "--run", run_id, "--only", "1002", "--yes").code == 0
    assert shop.shell.run("reconcile").code == 3
    step = ask(shop, export)
    assert (step["type"].endswith("--repost-undone"), step["orders"]) == (True, 1)
    assert do(shop, step) == 0


def test_after_recover_the_export_is_run_before_anything_is_reconciled(shop: SmallShop) -> None:
    """A ledger filled from Mews knows no source: reconciling it, however often, ends with "nothing was read yet"."""
    export = shop.export(rows(2))
    assert shop.shell.run("run", export).code == 0
    for path in shop.folder.glob(f"{shop.ledger.name}*"):
        path.unlink()
    assert shop.shell.run("recover").code == 0
    assert shop.shell.run("reconcile").code == 3
    step = ask(shop, export)
    assert (step["orders"], "run" in step["type"].split()) == (2, True)
    assert "what recover found" in step["what"]
    assert do(shop, step) == 0
    step = ask(shop, export)
    assert "reconcile" in step["type"].split()
    assert do(shop, step) == 0
    assert "Nothing is left to do" in ask(shop, export)["what"]


def test_a_ledger_that_cannot_be_written_is_reconciled_all_the_same(shop: SmallShop) -> None:
    """The trace is a help, no condition."""
    assert shop.shell.run("run", shop.export(rows(1))).code == 0
    with sqlite3.connect(shop.ledger) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'full'); END")
    other.close()
    assert shop.shell.run("reconcile").code == 0


def test_what_a_run_left_comes_before_reconciliation(shop: SmallShop) -> None:
    """A cell that is empty, a fault of the export, an order that changed after it was posted."""
    lines = rows(4)
    lines[2]["products.unitPrice"] = "much"
    export = shop.export(lines)
    assert shop.shell.run("run", export).code == 3
    step = ask(shop, export)
    assert (step["file"], step["orders"]) == ("attention.csv", 1)
    assert "value.invalid" in step["what"]
    assert "dry-run" in step["type"]
    lines[2]["products.unitPrice"] = "25.00"
    lines[0]["products.unitPrice"] = "13.00"
    lines[0]["orderTotal"] = ""
    lines[1]["orderTotal"] = ""
    export = shop.export(lines)
    step = ask(shop, export)
    assert "run" in step["type"].split()
    assert do(shop, step) == 3
    step = ask(shop, export)
    assert step["file"] == "waivers.csv"
    assert "Order 1001 was posted and reads differently now" in step["what"]


def test_without_an_export_the_ledger_speaks(shop: SmallShop) -> None:
    """After a run that posted everything, from any folder."""
    export = shop.export(rows(2))
    assert shop.shell.run("run", export).code == 0
    export.rename(shop.folder / "moved.csv")
    step = ask(shop)
    assert "reconcile" in step["type"].split()
    assert step["orders"] == 2
