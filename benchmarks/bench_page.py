"""docs/benchmarks.md, its plot, and the figures of docs/scale.md, from rows that are kept in docs/benchmarks.json with their dates."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
KEPT, PAGE, PLOT, SCALE = (DOCS / name for name in ("benchmarks.json", "benchmarks.md", "benchmarks.svg", "scale.md"))
PASSES, MEMORY, CONVERSION, STARTS, POSTING = "passes", "memory", "conversion", "starts", "posting"
_WHEN = ("measured", "load")
_COMMAND = (
    "command",
    "lines",
    "passes of csv.reader",
    "lines a CPU second",
    "start",
    "CPU",
    "time",
    "peak memory",
    *_WHEN,
)
TITLES = {
    PASSES: _COMMAND,
    MEMORY: _COMMAND,
    CONVERSION: ("what", "distinct lines", "a CPU second", *_WHEN),
    STARTS: ("command", "CPU", *_WHEN),
    POSTING: ("command", "orders", "orders a second", "time", "peak memory", "orders in the sandbox", "twice", *_WHEN),
}
_SECTIONS = {
    PASSES: (
        "Speed",
        (
            "Odd orders are with a voucher, cancelled, without an amount of shipping, with a total that does not foot, returns, with "
            "lines taken back or without names, in equal parts. `again` meets a history that an earlier run has posted."
        ),
    ),
    MEMORY: ("Memory", "Dry runs of orders of 5 lines, rows of an order together or anywhere in the file."),
    CONVERSION: (
        "Conversion between tax bases",
        "Prices with 20, 17.5 or 5 % tax into an enterprise with prices without tax; 1 to 12 pieces; no total, count and codes twice.",
    ),
    STARTS: ("What answers at once", ""),
    POSTING: (
        "Posting",
        "Against the sandbox, which looks at all that it is sent. `make bench-post` measures posting by itself.",
    ),
}
_FIGURES = re.compile(r"(<!-- figures: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
_MACHINE = "machine"
REPORT = ", with the report"
"""How the names of rows end that measure a dry run with its report."""
_PEAK = _COMMAND.index("peak memory") - 1


@dataclass(frozen=True)
class Row:
    """Cells of a row behind its name. `passes`: of csv.reader, where these were counted. `measured`: UTC; `load` of the machine."""

    cells: list[str]
    passes: float | None
    measured: str
    load: str

    @property
    def shown(self) -> list[str]:
        """All cells behind the name."""
        return [*self.cells, self.measured, self.load]


@dataclass
class Book:
    """All rows by their names."""

    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Book:
        """As it was written last; empty where it never was."""
        if not KEPT.exists():
            return cls()
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
        return cls({name: Row(**row) for name, row in kept.items() if name != _MACHINE})

    def write(self, names: Sequence[tuple[str, str]]) -> None:
        """Writes it, and the pages made of it. `names`: (section, name) of the rows that there are, in their order."""
        known = {name for _, name in names}
        self.rows = {name: row for name, row in self.rows.items() if name in known}
        kept = {name: asdict(row) for name, row in self.rows.items()}
        KEPT.write_text(json.dumps({_MACHINE: _machine(), **kept}, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(self._page(names), encoding="utf-8")
        PLOT.write_text(self._plot([name for section, name in names if section == PASSES]), encoding="utf-8")
        SCALE.write_text(_FIGURES.sub(self._figures, SCALE.read_text(encoding="utf-8")), encoding="utf-8")

    def _page(self, names: Sequence[tuple[str, str]]) -> str:
        lines = [
            "# Benchmarks",
            "",
            (
                "Written by `make bench`; nobody edits it. Figures are of one machine, and no promise. What to hold on to are the passes: CPU "
                "seconds of the command, without its start, in passes of a bare `csv.reader` over the same file in the same run. "
                "A row keeps the time (UTC) at which it was measured, and the load of the machine then: more than 2 on two cores says "
                "that others worked beside it."
            ),
            "",
        ]
        for section, titles in TITLES.items():
            mine = [name for its, name in names if its == section]
            title, text = _SECTIONS[section]
            lines += [f"## {title}", "", *([text, ""] if text else [])]
            lines += table(titles, [[name, *self.rows[name].shown] for name in mine if name in self.rows])
            if missing := [name for name in mine if name not in self.rows]:
                lines += ["", f"Not measured: {'; '.join(missing)}."]
            ratios = {PASSES: self._with_report, MEMORY: self._growth}.get(section)
            if ratios and (told := ratios(mine)):
                lines += ["", told]
            if section == PASSES:
                lines += ["", "![CPU of commands in passes of csv.reader](benchmarks.svg)"]
            lines.append("")
        return "\n".join([*lines, f"Machine: {_machine()}", ""])

    def _with_report(self, names: Sequence[str]) -> str:
        """How many times the work a report makes of each dry run, in a sentence; "" where there is nothing to compare."""
        found = []
        for name in names:
            one, whole = self.rows.get(name), self.rows.get(f"{name}{REPORT}")
            if one and whole and one.passes and whole.passes:
                found.append(f"{whole.passes / one.passes:.2f} ({name})")
        return f"With the report in that without it: {'; '.join(found)}." if found else ""

    def _growth(self, names: Sequence[str]) -> str:
        """The peaks in the least of them, in a sentence."""
        peaks = {name: int(self.rows[name].cells[_PEAK].split()[0]) for name in names if name in self.rows}
        if len(peaks) < 2:
            return ""
        least = min(peaks, key=peaks.__getitem__)
        found = [f"{peak / peaks[least]:.2f} ({name})" for name, peak in peaks.items() if name != least]
        return f"Peaks in that of {least}: {'; '.join(found)}."

    def _plot(self, names: Sequence[str]) -> str:
        """The passes as bars, in SVG."""
        found = [(name, one.passes) for name in names if (one := self.rows.get(name)) and one.passes is not None]
        height, left, widest = 26, 360, 380
        most = max((passes for _, passes in found), default=1)
        rows = []
        for at, (name, passes) in enumerate(found):
            y = at * height
            wide = widest * passes / most
            rows.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{name}</text>')
            rows.append(f'<rect x="{left}" y="{y + 4}" width="{wide:.1f}" height="{height - 8}" fill="#3b6ea5"/>')
            rows.append(f'<text x="{left + wide + 6:.1f}" y="{y + 17}">{passes:.1f}</text>')
        size = f'viewBox="0 0 {left + widest + 60} {len(found) * height + 4}"'
        style = 'font-family="sans-serif" font-size="12"'
        title = "<title>CPU of commands in passes of csv.reader over the same file</title>"
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}{"".join(rows)}</svg>\n'

    def _figures(self, found: re.Match[str]) -> str:
        """A table of the rows whose names begin as told."""
        rows = [[name, *row.cells, row.measured] for name, row in self.rows.items() if name.startswith(found[2])]
        if not rows:
            return found[0]
        section = next(titles for titles in TITLES.values() if len(titles) == len(rows[0]) + 1)
        return "\n".join([found[1].rstrip("\n"), *table(section[:-1], rows), "", found[3]])


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns are figures, but for the first."""
    rule = ("---", *(["---:"] * (len(titles) - 1)))
    return [f"| {' | '.join(row)} |" for row in (titles, rule, *rows)]


def _machine() -> str:
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "SQLAlchemy", "pydantic", "httpx", "xlsxwriter")
    )
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}. Python {platform.python_version()}, {versions}."
