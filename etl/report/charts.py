"""Geometry of the two charts, for the SVG in the page's template. Pure; every value also stands in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.model.status import ReportState
from etl.report.tally import GROUPS, Group, Tally

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 960, 260, 64, 34, 10
LABEL_WIDTH = 52
"""Room that a month's label takes along the axis."""


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle; `label` is what it says to a pointer or a screen reader."""

    x: float
    y: float
    width: float
    height: float
    group: Group
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis and where it stands."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class MonthChart:
    """Stacked columns of orders by month."""

    width: int
    height: int
    left: int
    base: float
    parts: tuple[Part, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Tick, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class StateBar:
    """One bar of orders by state; `share` in percent of all, `width` in percent of the longest."""

    state: str
    group: Group
    count: int
    share: str
    width: float


def month_chart(months: Sequence[tuple[str, dict[Group, int]]]) -> MonthChart | None:
    """Columns for the months, or None where there is nothing to draw."""
    if not months:
        return None
    step = nice_step(max(sum(counts.values()) for _, counts in months))
    top = step * max(1, -(-max(sum(counts.values()) for _, counts in months) // step))
    base = HEIGHT - BOTTOM
    unit = (base - TOP) / top
    slot = (WIDTH - LEFT) / len(months)
    width = min(slot * 0.78, 64)
    parts: list[Part] = []
    for at, (month, counts) in enumerate(months):
        y = float(base)
        for group in Group:
            if count := counts[group]:
                y -= count * unit
                x = LEFT + slot * at + (slot - width) / 2
                parts.append(Part(r(x), r(y), r(width), r(count * unit), group, f"{month}: {count:,} {group.value}"))
    every = max(1, -(-LABEL_WIDTH // int(slot))) if slot >= 1 else len(months)
    return MonthChart(
        WIDTH,
        HEIGHT,
        LEFT,
        base,
        tuple(parts),
        tuple(Tick(r(base - value * unit), f"{value:,}") for value in range(0, top + 1, step)),
        tuple(Tick(r(LEFT + slot * (at + 0.5)), months[at][0]) for at in range(0, len(months), every)),
        tuple(group for group in Group if any(counts[group] for _, counts in months)),
    )


def state_bars(tally: Tally) -> list[StateBar]:
    """A bar for each state that has orders."""
    met = [(state, tally.states[state]) for state in ReportState if tally.states[state]]
    longest = max((count for _, count in met), default=1)
    return [
        StateBar(state.value, GROUPS[state], count, _percent(count, tally.read), r(100 * count / longest))
        for state, count in met
    ]


def nice_step(largest: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that divides the axis into at most six parts."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if largest <= step * factor * 6:
                return step * factor
        step *= 10


def r(value: float) -> float:
    """Pixels to a tenth."""
    return round(value, 1)


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return f"{share:.1f} %" if 0.05 <= share <= 99.95 or share in (0, 100) else ("< 0.1 %" if share < 1 else "> 99.9 %")
