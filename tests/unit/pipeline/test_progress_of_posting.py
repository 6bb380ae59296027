"""How far posting is: against what of this plan is to stand in Mews, at the pace of what is sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from etl.pipeline.run import RunOptions, _of_all


def told(ready: int, posted: int, **options: Any) -> list[tuple[str, int, int | None]]:
    """What is shown where the orders of a plan are met one after the other, posted ones first."""
    seen: list[tuple[str, int, int | None]] = []
    prepared: Any = SimpleNamespace(store=SimpleNamespace(ready_count=ready), finished=None)
    tell = _of_all(prepared, RunOptions(**options), lambda *one: seen.append(one), posted)
    for done in range(1, ready + 1):
        tell("post", done, 0)
    tell("scan items", 7, None)
    return seen


def test_what_is_there_already_is_no_pace() -> None:
    """331 orders that another run has posted are passed in a moment: the end by the clock would be a dream."""
    seen = told(10, 6)
    assert seen[:8] == [("post", 6, 10)] * 7 + [("post", 7, 10)]
    assert seen[-2:] == [("post", 10, 10), ("scan items", 7, None)]


@pytest.mark.parametrize(
    ("options", "end"),
    [({}, ("post", 10, 10)), ({"limit": 2}, ("post", 5, 5)), ({"limit": 90}, ("post", 10, 10)),
     ({"only": frozenset("ab")}, ("post", 2, 2))],
)  # fmt: skip
def test_the_end_is_what_this_run_may_reach(options: dict[str, Any], end: tuple[str, int, int]) -> None:
    """A bar that stops at a tenth of its length looks like a fault."""
    assert told(10, 3, **options)[-2] == end
