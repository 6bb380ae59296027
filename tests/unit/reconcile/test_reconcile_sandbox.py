"""The real command against the real sandbox, whose orders are changed over its own API as staff or a fault would."""

from __future__ import annotations

import csv
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cli_run import Shell

from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

REPO = Path(__file__).resolve().parents[3]


class Staff:
    """Somebody else who uses the same Mews."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, operation: str, **body: Any) -> dict[str, Any]:
        tokens = {"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "Staff 1.0"}
        request = urllib.request.Request(
            f"{self._url}/api/connector/v1/{operation}",
            json.dumps({**tokens, **body}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def add(self, like: Any, number: str, **changes: Any) -> str:
        """An order of one item, with the identifier and marker of that number ("" for none of ours)."""
        item = {
            "Name": like.name,
            "UnitCount": 1,
            "UnitAmount": {"Currency": like.currency, "GrossValue": 12.0, "TaxCodes": [like.amount.taxes[0][0]]},
            "AccountingCategoryId": like.category_id,
        }
        if number:
            item["ExternalIdentifier"] = f"centra:shop:{number}:p1"
        body = {
            "ServiceId": like.service_id,
            "AccountId": like.account_id,
            "ConsumptionUtc": like.consumed.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Items": [item],
            **changes,
        }
        if number:
            body["Notes"] = f"[centra:shop:{number}]"
        return str(self.call("orders/add", **body)["OrderId"])


@pytest.mark.slow
def test_reconcile_tells_what_happened_in_mews(tmp_path: Path, shared: Path) -> None:
    """From a clean migration to one that staff cancelled, a fault doubled and somebody else's ledger joined."""
    case = shared / "examples" / "04-gift-card-part"
    shutil.copytree(case / "mapping", tmp_path / "mapping")
    with running_sandbox(str(case / "world.json")) as mews:
        shell = Shell(tmp_path, mews.url, tmp_path / "mapping")
        posted = shell.run("run", next(case.glob("orders.*")))
        assert posted.code == 0, posted.err
        clean = shell.run("reconcile")
        assert (clean.code, clean.json["orders"]["matched"]) == (0, posted.json["orders"]["posted"]), clean.err
        staff = Staff(mews.url)
        items = {item.external_identifier: item for item in mews.sandbox.items}
        first = items["centra:shop:10006:p1"]
        second = next(item for identifier, item in items.items() if identifier.startswith("centra:shop:10007:"))
        staff.call("orderItems/cancel", OrderItemIds=[first.id])
        copy = staff.add(second, "10007")
        stranger = staff.add(second, "77777")
        staff.add(second, "")
        after = shell.run("reconcile", "--report", tmp_path / "report")
    assert after.code == 3, after.err
    document = after.json
    assert document["orders"] == {"matched": 0, "missing": 0, "different": 1, "duplicated": 1, "unexpected": 1}
    assert document["foreign_orders"] == 1
    found = {(row["order"], row["class"], row["what"]): row for row in document["differences"]}
    assert "cancelled in Mews on" in found["10006", "different", "cancelled"]["found"]
    assert copy in found["10007", "duplicated", "order"]["found"]
    assert found["77777", "unexpected", "order"]["mews_order_id"] == stranger
    with (tmp_path / "report" / "reconciliation.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["order"]: row["class"] for row in csv.DictReader(stream)} == {
            "10006": "different",
            "10007": "duplicated",
            "77777": "unexpected",
        }
    assert "Not complete" in document["certificate"]["statement"]


@pytest.mark.slow
def test_without_a_ledger_there_is_nothing_to_reconcile(tmp_path: Path) -> None:
    """A wrong --ledger must not read as "all fine", nor leave an empty ledger behind."""
    with running_sandbox("gross-uk") as mews:
        done = Shell(tmp_path, mews.url, REPO / "mappings").run("reconcile")
    assert done.code == 2
    assert done.json["error"]["code"] == "ledger.missing"
    assert not (tmp_path / "ledger.sqlite").exists()
