"""Geometry of the charts, drawn as SVG by the page's template. Pure; every value also stands in a table.

All widths and places are percents, so that a chart fits a phone without its letters shrinking; the colours are the
page's own variables, so that it follows dark mode and print. That, and no library to carry, is why no charting library
draws them. Floats are pixels here, never money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from etl.model.money import digits_of
from etl.model.shares import ENDS, BridgeLine
from etl.report.cells import amount_text
from etl.report.grids import basis_words, grouped, key_words, row_words
from etl.report.parts import LINES, NO_CURRENCY, NO_MONTH
from etl.report.tally import Group, Row, Signed, Tally, When

HEIGHT = 220
TOP = 12
"""Pixels of the money chart, and the room above its highest column."""
LABELS = 6
"""Most labels along the axis: what fits on a phone."""
FEW_MONTHS = 3
"""With fewer months the columns are days: one lonely bar tells nothing."""
_CSS = {
    BridgeLine.SOURCE: "g-end",
    BridgeLine.IN_MEWS: "g-mews",
    BridgeLine.READY: "g-post",
    **dict.fromkeys((BridgeLine.SKIPPED, BridgeLine.UNDONE, BridgeLine.ROUNDING, BridgeLine.CREDITS), "g-out"),
}
"""Colours of the bridge's lines: what needs nobody is grey or blue."""
CHARTS = 4
"""Currencies that have charts, most money first."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `label` is what it says to a pointer or a screen reader. Percents, but `y` and `height` pixels."""

    x: float
    width: float
    css: str
    label: str = ""
    y: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis and where it stands."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class MoneyChart:
    """Stacked columns of money over time by state: charges above the line, refunds below."""

    title: str
    currency: str
    height: int
    zero: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Tick, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class BarRow:
    """One line of a bar chart: a name, bars on one track, the amount at the end."""

    name: str
    bars: tuple[Bar, ...]
    amount: str
    zero: float = 0.0
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars of one currency."""

    currency: str
    rows: tuple[BarRow, ...]


def money_charts(tally: Tally, precisions: Mapping[str, int]) -> list[MoneyChart]:
    """Money over time by state: by month, or by day where the history is short."""
    charts = []
    for row in list(tally.money())[:CHARTS]:
        months = {when[1] for when in tally.months if when[0] == row}
        source, title = (tally.days, "Money by day") if len(months) < FEW_MONTHS else (tally.months, "Money by month")
        found = {when: groups for when, groups in source.items() if when[0] == row}
        charts.append(_money_chart(title, row, found, digits_of(row[0], precisions)))
    return charts


def _money_chart(title: str, row: Row, found: Mapping[When, Mapping[Group, Signed]], precision: int) -> MoneyChart:
    keys = sorted(found, key=lambda when: (not when[1], when[1]))
    high = max((_sum(found[key], 0) for key in keys), default=Decimal(0))
    low = min((_sum(found[key], 1) for key in keys), default=Decimal(0))
    step = nice_step(max(high, -low))
    # Decimal's // cuts towards zero: a column would stand out above the axis.
    top = (high / step).to_integral_value(ROUND_CEILING) * step
    bottom = (low / step).to_integral_value(ROUND_FLOOR) * step
    unit = (HEIGHT - 2 * TOP) / float(top - bottom or step)
    zero = TOP + float(top) * unit
    slot = 100 / max(1, len(keys))
    bars = [
        bar for at, key in enumerate(keys) for bar in _columns(at * slot, slot, zero, unit, key, found[key], precision)
    ]
    ticks = []
    value = bottom
    while value <= top:
        ticks.append(Tick(r(zero - float(value) * unit), short(value)))
        value += step
    every = max(1, -(-len(keys) // LABELS))
    labels = [Tick(r(slot * (at + 0.5)), keys[at][1] or NO_MONTH) for at in range(0, len(keys), every)]
    groups = tuple(group for group in Group if any(group in found[key] for key in keys))
    return MoneyChart(title, row_words(*row), HEIGHT, r(zero), tuple(bars), tuple(ticks), tuple(labels), groups)


def _sum(groups: Mapping[Group, Signed], sign: int) -> Decimal:
    return sum((sums[sign] for sums in groups.values()), Decimal(0))


def _columns(
    x: float, slot: float, zero: float, unit: float, when: When, groups: Mapping[Group, Signed], precision: int
) -> list[Bar]:
    bars = []
    ends = [zero, zero]
    for group in Group:
        for sign, amount in enumerate(groups.get(group, ())):
            if amount:
                size = float(abs(amount)) * unit
                y = ends[sign] if sign else ends[sign] - size
                ends[sign] += size if sign else -size
                label = f"{when[1] or NO_MONTH}: {row_words(*when[0])} {grouped(amount_text(amount, precision))} {group.value}"
                bars.append(Bar(r(x + slot * 0.12), r(slot * 0.76), css_of(group), label, r(y), r(max(size, 0.5))))
    return bars


def waterfalls(document: Mapping[str, Any], first: Sequence[Row]) -> list[BarChart]:
    """The bridge as bars that hang where the one before ends, a chart for each currency and basis, those of `first` first."""
    rows: dict[tuple[str, str], list[tuple[BridgeLine, Decimal]]] = {}
    for row in document.get("bridge", ()):
        line, amount = BridgeLine(row["line"]), Decimal(row["amount"])
        if amount or line in ENDS:
            rows.setdefault((row["currency"], row["basis"]), []).append((line, amount))
    keys = sorted(rows, key=lambda key: (first.index(key) if key in first else len(first), key))
    return [_waterfall(key, rows[key]) for key in keys if any(amount for _, amount in rows[key])]


def _waterfall(key: tuple[str, str], lines: Sequence[tuple[BridgeLine, Decimal]]) -> BarChart:
    spans = []
    total = Decimal(0)
    for line, amount in lines:
        start = Decimal(0) if line is BridgeLine.IN_MEWS else total
        total = start + amount
        spans.append((line, amount, start, total))
    low = min([Decimal(0), *(min(start, end) for _, _, start, end in spans)])
    high = max([Decimal(0), *(max(start, end) for _, _, start, end in spans)])
    scale = 100 / float(high - low or 1)
    rows = []
    for line, amount, start, end in spans:
        is_end = line in ENDS
        bar = Bar(
            r(float(min(start, end) - low) * scale),
            r(max(float(abs(amount)) * scale, 0.3)),
            _CSS.get(line, "g-attention"),
        )
        rows.append(BarRow(LINES[line], (bar,) if amount else (), f"{amount:f}", r(float(-low) * scale), is_end))
    return BarChart(f"{key[0] or NO_CURRENCY}, {basis_words(key[1])}", tuple(rows))


def tax_charts(document: Mapping[str, Any]) -> list[BarChart]:
    """The tax mix: what each tax code holds, its tax apart from the net."""
    found: dict[str, list[tuple[str, Decimal, Decimal]]] = {}
    for row in document.get("taxes", ()):
        found.setdefault(row["currency"], []).append((row["tax_codes"], Decimal(row["net"]), Decimal(row["tax"])))
    charts = []
    for currency, rows in list(found.items())[:CHARTS]:
        longest = max((abs(net) + abs(tax) for _, net, tax in rows), default=Decimal(0)) or Decimal(1)
        bars = []
        for codes, net, tax in sorted(rows, key=lambda row: (-abs(row[1] + row[2]), row[0])):
            first, second = (float(abs(amount) / longest * 100) for amount in (net, tax))
            parts = (Bar(0.0, r(first), "g-post"), Bar(r(first), r(second), "g-tax"))
            bars.append(BarRow(codes, parts, f"{net + tax:f}"))
        charts.append(BarChart(currency or NO_CURRENCY, tuple(bars)))
    return charts


def problem_charts(document: Mapping[str, Any]) -> list[BarChart]:
    """Money at stake by error, charges to the right of the line and refunds to its left, one chart a currency."""
    found: dict[str, list[tuple[str, Decimal, Decimal]]] = {}
    for row in document.get("problems", ()):
        if row["severity"] == "error":
            for currency in row.get("amounts", {}):
                plus, minus = (Decimal(row.get(sign, {}).get(currency, 0)) for sign in ("plus", "minus"))
                if plus or minus:
                    found.setdefault(currency, []).append((row["code"], plus, minus))
    charts = []
    for currency, rows in list(found.items())[:CHARTS]:
        low, high = min(row[2] for row in rows), max(row[1] for row in rows)
        scale = 100 / float(high - low or 1)
        zero = float(-low) * scale
        bars = []
        for code, plus, minus in sorted(rows, key=lambda row: (row[2] - row[1], row[0])):
            left, right = float(-minus) * scale, float(plus) * scale
            parts = (Bar(r(zero - left), r(left), "g-refund"), Bar(r(zero), r(right), "g-attention"))
            amount = " / ".join(f"{one:f}" for one in (plus, minus) if one)
            bars.append(BarRow(code, tuple(part for part in parts if part.width), amount, r(zero)))
        charts.append(BarChart(key_words(currency), tuple(bars)))
    return charts


def css_of(group: Group) -> str:
    """The class of a group's colour."""
    return f"g-{group.value.split()[-1].lower()}"


def nice_step(largest: Decimal) -> Decimal:
    """A step of 1, 2 or 5 times a power of ten that divides the axis into at most four parts."""
    step = Decimal("0.001")
    while True:
        for factor in (1, 2, 5):
            if largest <= step * factor * 4:
                return step * factor
        step *= 10


def short(value: Decimal) -> str:
    """An amount for an axis: `2M`, `250k`, `1.5`."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        if abs(value) >= size:
            return f"{(value / size).normalize():f}{letter}"
    return f"{value.normalize():f}" if value else "0"


def r(value: float) -> float:
    """Pixels and percents to a hundredth."""
    return round(value, 2)
