"""One export planned by columns and by the rules, for tests that hold both against each other."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.model.plan import PlannedOrder
from etl.pipeline import both_ways
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.planning import PlanFacts, Span, plan_batch
from etl.reading.identify import open_export
from etl.staging.batch import Batch
from etl.transform.context import Context

PLAIN = {
    "orderNumber": "1001",
    "orderDate": "2024-03-01 10:00:00",
    "status": "Completed",
    "storeType": "b2c",
    "currency": "GBP",
    "market": "",
    "customerId": "17",
    "createdFromOrigin.type": "",
    "invoiceAddress.email": "guest@example.com",
    "invoiceAddress.city": "Leeds",
    "invoiceAddress.country": "GB",
    "deliveryAddress.country": "GB",
    "shippingValue": "4.95",
    "voucherCode": "",
    "voucherValue": "0.00",
    "payment.method": "card",
    "payment.capture.status": "1",
    "payment.capture.amount": "28.95",
    "orderTotal": "28.95",
    "products.sku": "A-1",
    "products.itemText.product": "Cup",
    "products.qty": "2",
    "products.unitPrice": "12.00",
    "products.vatPercent": "20",
}


@dataclass
class Outcome:
    """What a plan gave: the facts, every status as text, all orders by number and those to be sent."""

    facts: PlanFacts
    statuses: list[str]
    orders: list[PlannedOrder]
    ready: list[PlannedOrder]
    reasons: dict[str, int]
    admitted: int = 0
    closed: str = ""


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """An export of these rows, whose columns are those of the first."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def planned(paths: list[Path], ctx: Context, *, is_fast: bool, is_sent: bool = False, opened: int = 0) -> Outcome:
    """The plan of these files; so many orders keep their entries for a page. `is_sent`: as a run makes it."""
    lanes: list[both_ways.FastLane] = []
    with ExitStack() as stack:
        batch = stack.enter_context(Batch(paths, open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        if opened:
            store.keep_entries(opened)
        made = both_ways.FastLane.__init__

        def watched(self: both_ways.FastLane, *given: Any, **how: Any) -> None:
            made(self, *given, **how)
            lanes.append(self)

        both_ways.FastLane.__init__ = watched  # type: ignore[method-assign]
        try:
            facts = plan_batch(
                batch,
                ctx,
                store,
                span=Span(),
                has_tax_modes=True,
                expected=1,
                progress=lambda *_: None,
                is_fast=is_fast,
                is_sent=is_sent,
            )
        finally:
            both_ways.FastLane.__init__ = made  # type: ignore[method-assign]
        statuses = [repr(status) for some in store.batches() for status in some.statuses]
        reasons = dict(lanes[0].reasons) if lanes else {}
        admitted = lanes[0].admitted if lanes else 0
        closed = lanes[0].why_closed if lanes and not lanes[0].is_open else ""
        assert not any(lane.fault for lane in lanes), lanes[0].fault
        return Outcome(facts, statuses, list(store.by_number()), list(store.ready()), reasons, admitted, closed)


def same(paths: list[Path], ctx: Context, *, opened: int = 0) -> Outcome:
    """The plan by columns, once it was found to be that by the rules; `opened` as of `planned`."""
    fast, rules = (planned(paths, ctx, is_fast=is_fast, opened=opened) for is_fast in (True, False))
    sent = planned(paths, ctx, is_fast=True, is_sent=True)
    assert fast.facts == sent.facts == rules.facts
    assert sent.statuses == rules.statuses
    assert list(map(both_ways.exact, sent.orders)) == list(map(both_ways.exact, rules.orders))
    assert list(map(both_ways.exact, sent.ready)) == list(map(both_ways.exact, rules.ready))
    assert fast.statuses == rules.statuses
    assert fast.orders == rules.orders
    assert fast.ready == rules.ready
    return fast
