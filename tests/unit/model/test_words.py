"""Numbers in sentences."""

from __future__ import annotations

import pytest

from etl.model.words import counted


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 orders are blocked."),
        (1, "1 order is blocked."),
        (2, "2 orders are blocked."),
        (25_897, "25,897 orders are blocked."),
    ],
)
def test_one_order_is_no_orders(count: int, text: str) -> None:
    """`1 orders` makes people doubt the figures beside it."""
    assert counted(count, "order|orders is|are blocked.") == text
