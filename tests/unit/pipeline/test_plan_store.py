"""The plan on disk: what is stored comes back, and the quick statuses are those of the whole orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from builders import a_context, a_line, a_mapping, a_reference, an_order

from etl.model.order import LocalTime
from etl.model.plan import PlannedOrder, Verdict
from etl.model.reference import Pricing
from etl.pipeline.classify import status_of
from etl.pipeline.plan_store import BATCH, PlanStore
from etl.transform.order import plan_order


def planned(number: str, *, day: int = 15, parent: str = "", price: str = "10.01") -> PlannedOrder:
    """A ready order of three lines in a net enterprise, so that entries are split and rounding is not zero."""
    ctx = a_context(a_mapping(target={"rebates": "allow"}), a_reference(pricing=Pricing.NET))
    lines = (a_line(price, 7), a_line("0.00", 1, product=""), a_line("3.5", 2, "5"))
    order = an_order(*lines, number=number, parent=parent, order_date=LocalTime(datetime(2011, 6, day, 12)))  # noqa: DTZ001
    return plan_order(order, ctx)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlanStore]:
    with PlanStore(tmp_path) as one:
        yield one


def test_orders_come_back_as_they_were(store: PlanStore) -> None:
    """What is sent is what was planned: no digit, exponent, code or problem is lost on disk."""
    orders = [planned("1"), replace(planned("2"), verdict=Verdict.BLOCKED, entries=()), planned("3", price="0.0050")]
    store.fill(orders)
    read = list(store.by_number())
    assert orders[0].verdict is Verdict.READY
    assert orders[0].entries
    assert read == orders
    assert repr(read) == repr(orders)


def test_statuses_are_those_of_the_whole_orders(store: PlanStore) -> None:
    """A dry run reports from the short form: it must say the same as the plan that a run would send."""
    orders = [planned(str(number)) for number in range(1, 4)]
    orders[1] = replace(orders[1], verdict=Verdict.SKIPPED, skip_reason="status Pending", entries=())
    store.fill(orders)
    (batch,) = store.batches()
    assert batch.statuses == [status_of(order, None, "uk") for order in orders]
    assert batch.statuses[0].planned_total > Decimal(0)
    assert batch.planned({"2"}) == {"2": orders[1]}


def test_batches_hold_every_order_once(store: PlanStore) -> None:
    """Orders on the edge of two batches are neither lost nor counted twice, and are found in their own batch."""
    one = planned("1")
    orders = [replace(one, number=str(number)) for number in range(1, BATCH + 3)]
    store.fill(orders)
    batches = list(store.batches())
    numbers = [status.number for batch in batches for status in batch.statuses]
    assert numbers == [order.number for order in orders]
    assert store.count == len(orders)
    first, second = str(BATCH), str(BATCH + 1)
    assert [set(batch.planned({first, second})) for batch in batches] == [{first}, {second}]


def test_ready_orders_come_oldest_first_and_returns_after_their_order(store: PlanStore) -> None:
    """The window closes on the oldest orders first; a return that overtakes its order would have nothing to follow."""
    orders = [planned("1", day=20), planned("1-R1", day=10, parent="1"), planned("2", day=12)]
    store.fill([*orders, replace(planned("3", day=1), verdict=Verdict.BLOCKED)])
    assert [order.number for order in store.ready()] == ["2", "1", "1-R1"]
