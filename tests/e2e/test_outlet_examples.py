"""The worked examples on the outlet route: planned by the real dry run, booked by the local Mews, to the cent.

The planned bills go straight to the sandbox, whose arithmetic is its own: what it books is what the plan predicted, and of
what was sold it is what the examples say of the other route.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from example_check import is_same, split_lines
from outlet_shop import booked_on_bills, predicted, send_bills, with_outlet, write_outlet_mapping

from etl.mapping.folder import read_mapping
from etl.model.plan import EntryKind, PlannedOrder, Verdict
from etl.pipeline.dry_run import DryRun, dry_run
from etl.pipeline.order_details import planned_details
from etl.pipeline.prepare import Export
from etl.sandbox.core import Sandbox
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN
from etl.settings import ACCESS_TOKEN as ACCESS
from etl.settings import ADDRESS, Settings, connection
from etl.settings import CLIENT_TOKEN as CLIENT

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "examples"
CASES = sorted(path.parent.name for path in EXAMPLES.glob("*/expect.json")) or ["none"]
OUTLET = "01000000-0000-4000-a000-0000000000aa"
CATEGORY = "ca000000-0000-4000-a000-0000000000aa"
CLAMPED = "31-window-clamp-declared"


@contextmanager
def planned(case: str, folder: Path, **outlet: str) -> Iterator[tuple[DryRun, Sandbox]]:
    """A dry run of an example whose mapping was turned to the outlet route, and the Mews that it was planned against."""
    example = EXAMPLES / case
    shutil.copytree(example / "mapping", folder / "mapping")
    write_outlet_mapping(folder / "mapping", OUTLET, CATEGORY, **outlet)
    world = json.loads((example / "world.json").read_text("utf-8"))
    (folder / "world.json").write_text(json.dumps(with_outlet(world, OUTLET, [CATEGORY])), "utf-8")
    settings = Settings(folder / "mapping", str(folder / "ledger.sqlite"))
    with running_sandbox(str(folder / "world.json")) as mews, ExitStack() as stack:
        way = connection({ADDRESS: mews.url, CLIENT: CLIENT_TOKEN, ACCESS: ACCESS_TOKEN})
        export = Export([next(example.glob("orders.*"))])
        done = asyncio.run(dry_run(stack, settings, export, way, report=None, progress=lambda *_: None))
        yield done, mews.sandbox


def sold(order: PlannedOrder) -> list[tuple[str, tuple[Any, ...]]]:
    """Entries of what was sold, in the words of expect.json; an item of a bill is no product."""
    return [
        (
            one.line,
            (
                one.count,
                one.unit,
                one.basis.value,
                tuple(sorted(one.codes)),
                one.predicted.net,
                one.predicted.tax,
                one.predicted.gross,
            ),
        )
        for one in order.entries
        if one.kind is EntryKind.ITEM
    ]


def wanted(item: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    amounts = [Decimal(item[name]) for name in ("booked_net", "booked_tax", "booked_gross")]
    return item["line"], (item["count"], Decimal(item["unit"]), item["basis"], tuple(sorted(item["codes"])), *amounts)


@pytest.mark.parametrize("payments", ["captures", "balance"])
@pytest.mark.parametrize("case", CASES)
def test_an_example_is_booked_as_planned(case: str, payments: str, tmp_path: Path, shared: Path) -> None:
    """Net, tax and gross of every entry of every bill; of what was sold, line by line what the example says."""
    told = json.loads((shared / "examples" / case / "expect.json").read_text("utf-8"))
    expect = told["orders"]
    with planned(case, tmp_path, payments=payments) as (done, sandbox):
        orders = {order.number: order for order in done.prepared.store.by_number()}
        store = read_mapping(tmp_path / "mapping").settings.source.store
        sent = send_bills(sandbox, orders.values(), store)
        booked = booked_on_bills(sandbox, store)
    ready = {number: order for number, order in orders.items() if order.verdict is Verdict.READY}
    assert booked == {number: predicted(order) for number, order in ready.items()}
    assert sent == len(ready) > 0
    assert set(orders) == set(expect)
    for number, order in expect.items():
        check_order(case, orders[number], order)
    if case != CLAMPED:
        check_totals(done.document["totals"], told["totals"])
    if payments == "balance":
        assert {order.gross_balance for order in ready.values()} == {0}


def check_totals(rows: list[dict[str, str]], wanted_rows: list[dict[str, str]]) -> None:
    """The money is that of the other route, what was sent there aside."""
    found = {(row["currency"], row["basis"]): row for row in rows}
    for told in wanted_rows:
        for name, value in told.items():
            assert name == "posted" or found[told["currency"], told["basis"]][name] in value.split("|"), (name, told)


def check_order(case: str, order: PlannedOrder, expected: dict[str, Any]) -> None:
    """An order beside what the example says of the other route, the window aside."""
    states = {"posted": Verdict.READY, "blocked": Verdict.BLOCKED, "skipped": Verdict.SKIPPED}
    if case == CLAMPED:
        # Here bills keep their own date, and so the codes of that day.
        assert not order.is_clamped
        return
    allowed = {states[state] for state in expected["state"].split("|")}
    assert order.verdict in allowed, (order.number, order.problems)
    if order.verdict is Verdict.READY:
        lists = [expected["items"], *([expected["or"]] if "or" in expected else [])]
        found = split_lines(sold(order))
        assert any(is_same(found, split_lines(map(wanted, items))) for items in lists), (order.number, found)
        payments = {row["part"]: Decimal(row["gross"]) for row in expected.get("payments", [])}
        gifts = {part: amount for part, _, amount in order.paid if part.startswith("gift")}
        assert gifts == {part: amount for part, amount in payments.items() if part.startswith("gift")}


def test_captures_of_the_example_are_payments_of_the_bill(tmp_path: Path, shared: Path) -> None:
    """The same captures that the other route posts one by one, with its names of parts."""
    case = "43-payments-captures"
    expect = json.loads((shared / "examples" / case / "expect.json").read_text("utf-8"))["orders"]
    with planned(case, tmp_path) as (done, _):
        for order in done.prepared.store.by_number():
            posted = {row["part"]: Decimal(row["gross"]) for row in expect[order.number].get("payments", [])}
            assert {part: amount for part, _, amount in order.paid} == posted, order.number


def test_a_bill_opens_to_its_items_and_payments(tmp_path: Path, shared: Path) -> None:
    """With where each comes from: a gift card is no fee, and a payment is not exempt from tax, it has none to bear."""
    assert (shared / "examples").is_dir()
    with planned("04-gift-card-part", tmp_path, payments="balance") as (done, _):
        numbers = [order.number for order in done.prepared.store.ready()]
        rows = [row for detail in planned_details(done.prepared, None)(numbers) for row in detail.entries]
    told = {row.line: (row.codes, row.origin) for row in rows}
    assert told["gift1"] == ("(payment)", "gift card or credit")
    assert told["bal1"] == ("(payment)", "the rest of the bill, assumed to be paid")
    assert told["p1"][0] != "(payment)"
    assert told["p1"][1].startswith("row ")
