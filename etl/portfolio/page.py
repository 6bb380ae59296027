"""The report of all properties: index.html, which needs nothing but itself, and summary.json.

A property's own report lies in a folder beside them and is written by its own process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import simplejson

from etl.errors import ExitCode
from etl.model.shares import ENDS, BridgeLine
from etl.portfolio.result import KEYS, SUMMED, Result, has_figures, verdict, worst
from etl.report.folder import PAGE, SUMMARY, ReportFolder, explained, private_text
from etl.report.grids import Column, Grid, Kind, grouped, row_words
from etl.report.html import page_environment
from etl.report.parts import LINES

INDEX = "index.html"
OUTPUTS = (INDEX, SUMMARY)
_TITLES = {"totals": "Totals of all properties", "bridge": "From what the shops sold to what Mews holds"}


@dataclass(frozen=True, slots=True)
class Row:
    """A property as the page shows it. `link` is "" where this command wrote no report for it."""

    name: str
    link: str
    words: str
    exit_code: int
    message: str
    hint: str
    money: tuple[str, ...]


def open_folder(folder: Path) -> ReportFolder:
    """The folder of the report. Raises UsageError, before anything is done, where somebody else's files lie there."""
    return ReportFolder(folder, OUTPUTS)


def write(
    folder: ReportFolder, command: str, document: Mapping[str, Any], results: Sequence[Result], since: datetime
) -> Path:
    """The path of the page. `since`: when the command began; a report that is older is not this command's.

    Effects: writes both files. Raises UsageError `report.unwritable`.
    """
    code = worst(one.exit_code for one in results)
    values = {
        "command": command,
        "verdict": verdict(results),
        "verdict_css": _css(code),
        "generated": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "exit_code": int(code),
        "rows": [_row(folder.path, command, one, since) for one in results],
        "orders": [(state.replace("_", " "), count) for state, count in document.get("orders", {}).items() if count],
        "grids": [_grid(name, _telling(document[name])) for name in _TITLES if document.get(name)],
        "not_in_sums": document["not_in_sums"],
        "plans": document.get("plans", ()),
        "next": document.get("next", {"what": "", "type": ""}),
    }
    with explained(folder.path):
        with private_text(folder.scratch / INDEX) as stream:
            for piece in page_environment().get_template("portfolio.html.j2").generate(**values):
                stream.write(piece)
        with private_text(folder.scratch / SUMMARY) as stream:
            stream.write(simplejson.dumps(document, indent=2, default=str, ensure_ascii=False))
    return folder.publish(OUTPUTS)[0]


def _row(folder: Path, command: str, one: Result, since: datetime) -> Row:
    page = folder / one.whose.folder / PAGE
    is_new = page.is_file() and page.stat().st_mtime >= since.timestamp()
    return Row(
        name=one.whose.name,
        link=f"{one.whose.folder}/{PAGE}" if is_new else "",
        words=one.words,
        exit_code=int(one.exit_code),
        message=str(one.error.get("message", "")),
        hint=str(one.error.get("hint", "")),
        money=tuple(_money(command, one.document)) if has_figures(command, one) else (),
    )


def _money(command: str, document: Mapping[str, Any]) -> Iterator[str]:
    """What was sold and what Mews holds of it, by currency."""
    if SUMMED.get(command) == "totals":
        for row in document.get("totals", ()):
            yield f"{row_words(row['currency'], row['basis'])} {grouped(row['source'])} sold, {grouped(row['posted'])} posted"
    elif SUMMED.get(command) == "bridge":
        for row in document.get("bridge", ()):
            if row["line"] in ENDS:
                words = LINES[BridgeLine(row["line"])]
                yield f"{row_words(row['currency'], row['basis'])} {grouped(row['amount'])} {words[:1].lower()}{words[1:]}"


def _css(code: ExitCode) -> str:
    return {ExitCode.DONE: "good", ExitCode.INTERRUPTED: "open"}.get(code, "bad")


def _telling(rows: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """Of a bridge its ends, and the lines between them that hold money."""
    return [row for row in rows if row.get("line", ENDS[0]) in ENDS or Decimal(row["amount"])]


def _grid(name: str, rows: Sequence[Mapping[str, str]]) -> Grid:
    """A row per currency (and line), a column per sum."""
    sums = [key for key in rows[0] if key not in KEYS]
    has_line = "line" in rows[0]
    columns = [Column("Currency"), *([Column("Line")] if has_line else [])]
    columns += [Column(one.replace("_", " ").capitalize(), Kind.MONEY) for one in sums]
    cells = tuple(
        (
            row_words(row["currency"], row["basis"]),
            *([LINES[BridgeLine(row["line"])]] if has_line else []),
            *(row[one] for one in sums),
        )
        for row in rows
    )
    return Grid(name, _TITLES[name], tuple(columns), cells)
