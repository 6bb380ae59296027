"""The one next step after a reconciliation that is not complete: one that can close what is open."""

from __future__ import annotations

from typing import Any

import pytest

from etl.pipeline.reconcile_result import next_words

SETTLED: dict[str, Any] = {
    "orders": {"unexpected": 0},
    "source": {"orders": 3, "unassigned": 0},
    "to_compare": 0,
    "in_no_export": 0,
    "not_in_mews": [],
    "settled": 0,
    "open": [],
    "controls": [{"equal": True}],
}
ROWS = {"source": {"orders": 3, "unassigned": 2}}
MONTHS = {"controls": [{"equal": True}, {"equal": False}]}
BLOCKED = {"not_in_mews": [{"state": "blocked"}]}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"in_no_export": 2, "open": ["2 orders", "1 row"], **ROWS}, "`centra-mews run EXPORT...` with the export of the orders"),
        ({"open": ["2 rows"], **ROWS}, "give the rows without an order number one in the export"),
        ({"open": ["2 rows", "1 figure"], **ROWS, **MONTHS}, "give the rows without an order number one in the export"),
        ({"open": ["1 figure"], **MONTHS}, "find out why the months of controls.csv differ"),
        ({"open": ["1 order", "2 rows", "1 figure"], **ROWS, **MONTHS, **BLOCKED}, "accept single orders by name"),
        ({"open": ["1 order has changed"]}, "accept single orders by name"),
    ],
)  # fmt: skip
def test_what_no_waiver_closes_is_not_left_to_one(found: dict[str, Any], words: str) -> None:
    """Rows of no order, months and orders of no export can't be named in waivers.csv."""
    assert words in next_words({**SETTLED, **found})
