"""The real month on the outlet route: planned from every format, booked by the local Mews, every cent of every bill."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from outlet_shop import booked_on_bills, predicted, send_bills, with_outlet, write_outlet_mapping

from etl.model.plan import Verdict
from etl.pipeline.dry_run import DryRun, dry_run
from etl.pipeline.prepare import Export
from etl.sandbox.core import Sandbox
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.settings import ACCESS_TOKEN as ACCESS
from etl.settings import ADDRESS, Settings, connection
from etl.settings import CLIENT_TOKEN as CLIENT

HERE = Path(__file__).parent
FILES = ("online-retail-2010-12.csv", "online-retail-2010-12.ndjson")
ORDERS, BLOCKED, TOTAL, BLOCKED_TOTAL = 2025, 3, Decimal("748957.02"), Decimal("510.00")
OUTLET = "01000000-0000-4000-a000-0000000000aa"
CATEGORY = "ca000000-0000-4000-a000-0000000000aa"
STORE = "uk"
AT_ONCE = 300

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planned(shared: Path, tmp_path_factory: pytest.TempPathFactory):
    """The dry run of each format on the balance of each bill, and the Mews that it was planned against."""
    folder = tmp_path_factory.mktemp("bills")
    shutil.copytree(HERE / "mapping", folder / "mapping")
    write_outlet_mapping(folder / "mapping", OUTLET, CATEGORY, payments="balance")
    world = json.loads((HERE / "world.json").read_text("utf-8"))
    # A week: on the other route none of the month could be booked.
    world |= {"editable_window": "P0M7DT0H0M0S"}
    (folder / "world.json").write_text(json.dumps(with_outlet(world, OUTLET, [CATEGORY])), "utf-8")
    found: dict[str, DryRun] = {}
    with running_sandbox(str(folder / "world.json")) as mews, ExitStack() as stack:
        way = connection({ADDRESS: mews.url, CLIENT: CLIENT_TOKEN, ACCESS: ACCESS_TOKEN})
        for name in FILES:
            settings = Settings(folder / "mapping", str(folder / f"{name}.sqlite"))
            export = Export([shared / "data" / name])
            found[name] = asyncio.run(dry_run(stack, settings, export, way, report=None, progress=lambda *_: None))
        yield found, mews.sandbox


def test_the_formats_give_one_plan_of_bills(planned: tuple[dict[str, DryRun], Sandbox]) -> None:
    """Orders, money and what is blocked are those of the other route; the window holds nothing back."""
    found, _ = planned
    assert len({one.document["plan"] for one in found.values()}) == 1
    for one in found.values():
        document = one.document
        assert document["orders"]["read"] == ORDERS
        assert (document["orders"]["ready"], document["orders"]["blocked"]) == (ORDERS - BLOCKED, BLOCKED)
        (total,) = document["totals"]
        assert (Decimal(total["source"]), Decimal(total["planned"])) == (TOTAL, TOTAL - BLOCKED_TOTAL)
        assert document["feasibility"]["older_than_the_editable_window"] == ORDERS
        assert [row["what"] for row in document["unproved"]] == ["old", "rebates"]


def test_every_bill_comes_to_zero_and_says_what_is_assumed(planned: tuple[dict[str, DryRun], Sandbox]) -> None:
    """The export names no payments: the whole sum is assumed, not recorded, and told so."""
    found, _ = planned
    bills = found[FILES[0]].document["bills"]
    assert (bills["count"], bills["not_to_zero"]) == (ORDERS - BLOCKED, 0)
    rows = {row["what"]: Decimal(row["amount"]) for row in bills["rows"]}
    assert rows["Revenue"] == -rows["Paid: balance, assumed and not recorded"] == TOTAL - BLOCKED_TOTAL
    assert rows["Sum of the bills"] == 0
    assert found[FILES[0]].document["balances"] == []


def test_mews_books_every_cent_as_planned(planned: tuple[dict[str, DryRun], Sandbox]) -> None:
    """Net, tax and gross of every entry of every bill; bills of twenty lines fill a request long before a thousand do."""
    found, sandbox = planned
    orders = [one for one in found[FILES[0]].prepared.store.by_number() if one.verdict is Verdict.READY]
    for start in range(0, len(orders), AT_ONCE):
        send_bills(sandbox, orders[start : start + AT_ONCE], STORE)
    assert booked_on_bills(sandbox, STORE) == {order.number: predicted(order) for order in orders}
