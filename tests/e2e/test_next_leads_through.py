"""`next` leads through a whole migration: what it says to type is typed, until everything stands in Mews."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from small_shop import SmallShop, rows

pytestmark = pytest.mark.slow


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
