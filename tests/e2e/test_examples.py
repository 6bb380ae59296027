"""The worked examples, item by item, through the real commands against the real sandbox."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_run import Shell

from etl.model.identity import parse_identifier
from etl.sandbox.core import Sandbox
from etl.sandbox.server import running_sandbox

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "examples"
CASES = sorted(path.name for path in EXAMPLES.glob("*/expect.json") for path in [path.parent]) or ["none"]


@pytest.mark.parametrize("case", CASES)
def test_example(case: str, tmp_path: Path, shared: Path) -> None:
    """A rule of sections 3 to 6, exact to the cent: the contract's own arithmetic."""
    folder = shared / "examples" / case
    expect = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
    export = next(folder.glob("orders.*"))
    shutil.copytree(folder / "mapping", tmp_path / "mapping")
    with running_sandbox(str(folder / "world.json")) as mews:
        shell = Shell(tmp_path, mews.url, tmp_path / "mapping")
        dry = shell.run("dry-run", export)
        done = shell.run("run", export, "--report", tmp_path / "report")
        again = shell.run("run", export)
        posted = sorted(number for number, order in expect["orders"].items() if order["state"] == "posted")
        check_report(tmp_path / "report", expect)
        check_totals(done.json, expect)
        code = 3 if any(order["state"] == "blocked" for order in expect["orders"].values()) else 0
        assert (dry.code, done.code, again.code) == (code, code, code), done.err
        assert dry.json["plan"] == done.json["plan"]
        assert dry.json["orders"]["ready"] == done.json["orders"]["posted"] == len(posted)
        assert again.json["orders"]["already_posted"] == len(posted)
        assert again.json["orders"]["posted"] == 0
        check_mews(mews.sandbox, expect, posted)


def check_report(folder: Path, expect: dict[str, Any]) -> None:
    """States and problem codes as orders.csv tells them."""
    import csv

    with (folder / "orders.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["order"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(expect["orders"])
    for number, order in expect["orders"].items():
        assert rows[number]["state"] in order["state"].split("|"), number
        if order["state"] == "blocked":
            codes = rows[number]["problem"].split()
            assert codes, number
            if not order.get("free"):
                assert order["problem"] in codes, number


def check_totals(document: dict[str, Any], expect: dict[str, Any]) -> None:
    """The rows of totals, as far as the example names them."""
    rows = {(row["currency"], row["basis"]): row for row in document["totals"]}
    for wanted in expect["totals"]:
        row = rows[wanted["currency"], wanted["basis"]]
        for name, value in wanted.items():
            assert row[name] in value.split("|"), (name, row)


def check_mews(mews: Sandbox, expect: dict[str, Any], posted: list[str]) -> None:
    """Everything that Mews holds, and nothing else."""
    held: dict[str, list[Any]] = {}
    basis = mews.world.enterprise.pricing.lower()
    for item in mews.items:
        identity, line = parse_identifier(item.external_identifier)  # type: ignore[misc]
        held.setdefault(identity.number, []).append((line, item))
    assert sorted(held) == posted
    for number in posted:
        wanted = expect["orders"][number]
        found = sorted(describe(line, item, basis) for line, item in held[number])
        lists = [wanted["items"], *([wanted["or"]] if "or" in wanted else [])]
        assert found in [sorted(describe_wanted(item) for item in items) for items in lists], number
        item = held[number][0][1]
        if "consumption" in wanted:
            assert item.consumed.strftime("%Y-%m-%dT%H:%M:%SZ") == wanted["consumption"]
        if "account" in wanted:
            assert item.account_id == wanted["account"]
        for text in wanted.get("notes", ()):
            assert text in (item.notes or "").partition("]")[2]
        check_payments(mews, number, wanted.get("payments", []))


def check_payments(mews: Sandbox, number: str, wanted: list[dict[str, str]]) -> None:
    """The payment parts of one order."""
    found = []
    for payment in mews.payments:
        identity, part = parse_identifier(payment.external_identifier)  # type: ignore[misc]
        if identity.number == number:
            found.append((part, payment.type, Decimal(payment.amount.gross)))
    assert sorted(found) == sorted((row["part"], row["type"], Decimal(row["gross"])) for row in wanted)


def describe(line: str, item: Any, basis: str) -> tuple[Any, ...]:
    """What Mews booked, with the letter of the line only: numbers are up to the canonical order."""
    unit = item.unit.gross if basis == "gross" else item.unit.net
    return (
        line[0] if line[0] != "f" else "*",
        "product" if item.product_id else "item",
        item.count,
        Decimal(unit),
        basis,
        sorted(code for code, _ in item.amount.taxes),
        Decimal(item.amount.net),
        Decimal(item.amount.gross) - Decimal(item.amount.net),
        Decimal(item.amount.gross),
    )


def describe_wanted(item: dict[str, Any]) -> tuple[Any, ...]:
    """The same of the example."""
    return (
        item["line"][0],
        item["kind"],
        item["count"],
        Decimal(item["unit"]),
        item["basis"],
        sorted(item["codes"]),
        Decimal(item["booked_net"]),
        Decimal(item["booked_tax"]),
        Decimal(item["booked_gross"]),
    )
