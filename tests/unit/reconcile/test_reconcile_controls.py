"""controls.csv against what the ledger read of the export and what Mews shows: nothing untrue is said of either."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reconcile_fakes import House, a_plan, an_entry

from etl.model.mapping import ControlRow
from etl.model.plan import Verdict
from etl.model.problem import Problem

D = Decimal


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A ledger and its Mews."""
    return House(tmp_path)


def figures(house: House, **control: Any) -> dict[str, str]:
    """What is said of each figure of June 2011 in GBP; "" where all agree."""
    row = ControlRow("2011-06", "GBP", control.get("orders"), control.get("total"), control.get("tax"))
    house.mapping = replace(house.mapping, controls=(row,))
    return {one["figure"]: one["difference"] for one in house.reconcile().document["controls"]}


def blocked(number: str, total: str, code: str = "tax.undecided") -> Any:
    """An order that can't be sent."""
    return a_plan(
        number,
        verdict=Verdict.BLOCKED,
        entries=(),
        source_total=D(total),
        planned_total=D(0),
        problems=(Problem(code, number),),
    )


def test_the_newest_reading_stands_against_the_control(house: House) -> None:
    """Posted as 12.00, and the shop's report and export say 15.00 since: Mews lacks 3.00, the export nothing."""
    house.post(a_plan("1"))
    house.plan(a_plan("1", an_entry(unit="15.00", tax="2.50"), fingerprint="sha256:other"))
    assert figures(house, orders=1, total=D("15.00")) == {
        "orders": "",
        "total": "Mews has -3.00 against the control",
    }


def test_what_the_source_skips_now_is_none_of_its_orders(house: House) -> None:
    """Cancelled at the shop after it was posted."""
    house.post(a_plan("1"), a_plan("2"))
    house.plan(replace(a_plan("2"), verdict=Verdict.SKIPPED, skip_reason="status Cancelled", fingerprint="sha256:off"))
    assert figures(house, orders=1) == {"orders": "Mews has +1 against the control"}


def test_the_tax_of_blocked_orders_is_not_guessed(house: House) -> None:
    """It is not known, and not 0.00; that of an order which sold nothing is."""
    house.post(a_plan("1"))
    house.plan(blocked("2", "0.00", "order.empty"))
    assert figures(house, tax=D("2.00")) == {"tax": ""}
    house.plan(blocked("3", "12.00"))
    assert figures(house, orders=3, tax=D("4.00")) == {"orders": "Mews has -2 against the control"}
