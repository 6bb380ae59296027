"""The main job on a real month, end to end: four formats, one plan, every order once, every cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Shell

from etl.model.identity import parse_identifier
from etl.sandbox.server import RunningSandbox

FILES = (
    "online-retail-2010-12.csv",
    "online-retail-2010-12-eu.csv",
    "online-retail-2010-12.xlsx",
    "online-retail-2010-12.ndjson",
)
# The facts table of the data's README.
ORDERS, LINES, RETURNS = 2025, 42340, 326
TOTAL = "748957.02"
# Of the orders without goods, two from Germany and one return of such have no row that says how to tax them.
BLOCKED, BLOCKED_TOTAL = 3, "510.00"


@pytest.fixture(scope="module")
def plans(shell: Shell, shared: Path) -> dict[str, dict]:
    """The dry run of every format."""
    found = {}
    for name in FILES:
        done = shell.run("dry-run", shared / "data" / name, timeout=600)
        assert done.code == 3, done.err
        found[name] = done.json
    return found


def test_the_four_formats_give_the_same_plan(plans: dict[str, dict]) -> None:
    """What is sent may not depend on the format in which somebody saved the export."""
    assert len({plan["plan"] for plan in plans.values()}) == 1


@pytest.mark.parametrize("name", FILES)
def test_the_counts_are_the_facts(plans: dict[str, dict], name: str) -> None:
    """Orders, lines and money equal what the data's authors counted."""
    plan = plans[name]
    assert plan["orders"]["read"] == ORDERS
    assert plan["lines"] == {"read": LINES, "unassigned": 0}
    assert (plan["orders"]["ready"], plan["orders"]["blocked"]) == (ORDERS - BLOCKED, BLOCKED)
    (total,) = plan["totals"]
    assert (total["source"], total["blocked"], total["rounding"]) == (TOTAL, BLOCKED_TOTAL, "0.00")


def test_every_ready_order_is_posted_once(
    plans: dict[str, dict], shell: Shell, mews: RunningSandbox, shared: Path, tmp_path: Path
) -> None:
    """The dry run is an oracle: what it called ready is in Mews, once, and the sums agree to the cent."""
    plan = plans[FILES[0]]
    done = shell.run(
        "run", shared / "data" / FILES[0], "--expect", plan["plan"], "--report", tmp_path / "report", timeout=900
    )
    assert done.code == 3, done.err
    assert done.json["orders"]["posted"] == plan["orders"]["ready"]
    numbers = {parse_identifier(item.external_identifier)[0].number for item in mews.sandbox.items}  # type: ignore[index]
    assert len(numbers) == len(mews.sandbox.orders) == plan["orders"]["ready"]
    assert mews.sandbox.duplicates() == {}
    held = sum((Decimal(item.amount.gross) for item in mews.sandbox.items), Decimal(0))
    assert f"{held:.2f}" == plan["totals"][0]["planned"] == done.json["totals"][0]["posted"]


def test_a_rerun_from_another_format_posts_nothing(
    plans: dict[str, dict], shell: Shell, mews: RunningSandbox, shared: Path
) -> None:
    """A re-export in another format is the same history, not a second one."""
    before = len(mews.sandbox.orders)
    again = shell.run("run", shared / "data" / FILES[2], timeout=900)
    assert again.json["orders"]["already_posted"] == plans[FILES[0]]["orders"]["ready"]
    assert again.json["orders"]["posted"] == again.json["orders"]["changed"] == 0
    assert len(mews.sandbox.orders) == before
