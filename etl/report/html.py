"""report.html: one page that needs nothing but itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from etl.model.money import digits_of
from etl.model.problem import HEADINGS
from etl.model.shares import ENDS, BridgeLine
from etl.model.status import ReportState
from etl.model.words import moment_words
from etl.report.cells import amount_text
from etl.report.charts import css_of, money_charts, problem_charts, tax_charts, waterfalls
from etl.report.details import filled_columns, has_booked, packed
from etl.report.facts import Details, OrderDetail, PagePart, ReportFacts
from etl.report.grids import Grid, basis_words, grouped, row_words
from etl.report.parts import LINES, NO_CURRENCY, SHOWN_BALANCES
from etl.report.spool import OrderSpool
from etl.report.tally import Group, Tally

TITLES = {
    "dry-run": "Dry run: what would be posted to Mews",
    "run": "Run: what was posted to Mews",
    "report": "State of the migration to Mews",
    "reconcile": "Reconciliation with Mews",
    "undo": "Undo: what was reversed in Mews",
}
OPENED = 500
"""Orders needing attention that are written out whole for readers without scripts; the others as a line each."""
_NOT_IN_CSS = re.compile(r"[^A-Za-z0-9:._-]")
_AMOUNTS = re.compile(
    r"\b\d{4}-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z| UTC)?)?)?\b"
    r"|\b[A-Z]{3}[ \u00a0]-?\d[\d,]*(?:\.\d+)?|-?\d[\d,]*(?:\.\d+)?[ \u00a0][A-Z]{3}\b|-?\d[\d,]*\.\d+"
)


@dataclass(frozen=True, slots=True)
class Content:
    """All that the page tells. *Shape*: `grids` by key in reading order; the spool is closed."""

    document: Mapping[str, Any]
    facts: ReportFacts
    grids: Mapping[str, Grid]
    tally: Tally
    spool: OrderSpool
    precisions: Mapping[str, int]
    details: Details


def write_page(stream: IO[str], content: Content) -> None:
    """Writes the page piece by piece. *Effects*: reads the closed spool, asks for the details of the orders shown."""
    for piece in page_environment().get_template("report.html.j2").generate(**_values(content)):
        stream.write(piece)


def _values(content: Content) -> dict[str, Any]:
    document, facts, tally, spool = content.document, content.facts, content.tally, content.spool
    return {
        "title": TITLES.get(facts.command, facts.command),
        "document": document,
        "facts": facts,
        "generated": facts.generated.strftime("%Y-%m-%d %H:%M:%S UTC"),
        # Into the printed margin, where a style sheet and not HTML would have to be escaped.
        "print_plan": _NOT_IN_CSS.sub("", facts.plan),
        "print_run": _NOT_IN_CSS.sub("", facts.run_id),
        "grids": content.grids,
        "in_part": {part.value: _grids_of(content.grids, part) for part in PagePart},
        "tally": tally,
        "Group": Group,
        "words_of": row_words,
        "tiles": _tiles(content),
        "equation": [
            (state.value.replace("_", " "), tally.states[state]) for state in ReportState if tally.states[state]
        ],
        "unassigned": _unassigned(document),
        "verdict_css": _verdict_css(content),
        "halted": content.document.get("halted", ""),
        "is_twice": bool(content.document.get("duplicated")),
        "bridge_rows": _bridge_rows(content),
        "zero": lambda amount: not Decimal(amount),
        "severities": [(severity.value, heading) for severity, heading in HEADINGS.items()],
        "entries_title": "Entries for Mews, and what they come from",
        "money_charts": money_charts(tally, content.precisions),
        "waterfalls": waterfalls(document, list(tally.money())),
        "tax_charts": tax_charts(document),
        "problem_charts": problem_charts(document),
        "line_orders": _line_orders(spool),
        "line_names": {words: line.value for line, words in LINES.items()},
        "ends": {LINES[line] for line in ENDS},
        "feasibility": _feasibility(facts.feasibility),
        "footing": _footing(facts.footing),
        "shown": spool.shown,
        "shown_balances": SHOWN_BALANCES,
        "written_out": _written_out(content),
        "more_attention": islice(spool.attention_rows(), OPENED, None),
        "opened": OPENED,
        "order_data": spool.json_text(facts.accounts),
        "order_details": packed(content.details, spool.chunks(), spool.packed),
    }


def _line_orders(spool: OrderSpool) -> dict[str, list[tuple[str, str]]]:
    """As the rows of the bridge's table name them: line, currency and basis in words."""
    return {
        f"{LINES[BridgeLine(line)]}|{currency or NO_CURRENCY}|{basis_words(basis)}": orders
        for (line, currency, basis), orders in spool.line_orders().items()
    }


def page_environment() -> Environment:
    """The templates of pages, with the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["grouped"] = grouped
    environment.filters["thousands"] = "{:,}".format
    environment.filters["css"] = css_of
    environment.filters["whole"] = whole
    environment.filters["typed"] = typed
    environment.globals["filled_columns"] = filled_columns
    environment.globals["has_booked"] = has_booked
    environment.globals["amount_text"] = amount_text
    return environment


def whole(text: str) -> Markup:
    """Prose as HTML in which no amount, date or month is broken inside, nor an amount parted from its currency."""
    pieces, end = [], 0
    for found in _AMOUNTS.finditer(text):
        pieces.append(escape(text[end : found.start()]))
        pieces.append(Markup('<span class="n">{}</span>').format(found[0]))
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])


def typed(text: str) -> Markup:
    """A step in words, what is to be typed (between backquotes) as code."""
    parts = (text[:1].upper() + text[1:]).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else whole(part) for at, part in enumerate(parts)
    )


def _bridge_rows(content: Content) -> list[tuple[str, ...]]:
    """The rows of the bridge in the order of its pictures: the currency of most orders first."""
    first = [(currency or NO_CURRENCY, basis_words(basis)) for currency, basis in content.tally.money()]
    rank = {key: at for at, key in enumerate(first)}
    return sorted(content.grids["bridge"].rows, key=lambda row: rank.get((row[0], row[1]), len(rank)))


def _grids_of(grids: Mapping[str, Grid], part: PagePart) -> list[Grid]:
    return [grid for grid in grids.values() if grid.part is part and not grid.is_empty]


def _verdict_css(content: Content) -> str:
    """Green says complete and nothing else; what is neither complete nor in trouble is open."""
    facts, tally = content.facts, content.tally
    if facts.is_good or content.document.get("complete") is True:
        return "good"
    if (
        content.document.get("halted")
        or facts.verdict
        or tally.attention
        or _unassigned(content.document)
        or facts.exit_code
    ):
        return "bad"
    return "open"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure on top: orders, and their money as (currency, charged, refunded or "")."""

    label: str
    count: int
    css: str
    money: tuple[tuple[str, str, str], ...]


def _tiles(content: Content) -> list[Tile]:
    """What was sold and where it stands; all but the first add up to it."""
    groups = content.tally.groups()
    shown: list[tuple[str, int, str, Group | None]] = [
        ("sold by the shop", content.tally.read, "", None),
        ("in Mews, unchanged", groups[Group.IN_MEWS], "mews", Group.IN_MEWS),
        ("ready to post", groups[Group.READY], "post", Group.READY),
        ("need attention", groups[Group.ATTENTION], "attention", Group.ATTENTION),
        ("skipped or undone", groups[Group.LEFT_OUT], "out", Group.LEFT_OUT),
    ]
    return [
        Tile(label, count, css if count or not css else f"{css} none", _tile_money(content, group))
        for label, count, css, group in shown
        if count or group in (None, Group.ATTENTION)
    ]


def _tile_money(content: Content, group: Group | None) -> tuple[tuple[str, str, str], ...]:
    found = []
    for (currency, basis), (plus, minus) in content.tally.money(group).items():
        precision = digits_of(currency, content.precisions)
        refunded = amount_text(minus, precision) if minus else ""
        found.append((row_words(currency, basis), amount_text(plus + minus, precision), refunded))
    return tuple(found)


def _unassigned(document: Mapping[str, Any]) -> int:
    lines = document.get("lines")
    return int(lines.get("unassigned", 0)) if isinstance(lines, Mapping) else 0


def _written_out(content: Content) -> Iterator[tuple[dict[str, Any], OrderDetail]]:
    """The first orders that need attention, with what they open to; fifty at once in memory."""
    rows = islice(content.spool.attention_rows(), OPENED)
    while some := list(islice(rows, 50)):
        found = {one.number: one.whole for one in content.details([row["order"] for row in some])}
        yield from ((row, found.get(row["order"], OrderDetail(row["order"]))) for row in some)


def _feasibility(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Orders that can be booked at their own date, that can't, and from which moment on; None where not known."""
    if not facts:
        return None
    inside = int(facts.get("at_their_own_date", 0) or 0)
    outside = int(facts.get("older_than_the_editable_window", 0) or 0)
    earliest = str(facts.get("bookable_from_utc") or "")
    return {
        "inside": inside,
        "outside": outside,
        "earliest": moment_words(earliest) if earliest else "",
        "percent": _percent(inside, inside + outside),
        "told": str(facts.get("told") or ""),
        "is_outlet": facts.get("route") == "outlet",
    }


def _percent(part: int, whole_: int) -> str:
    """A share in percent to one decimal; "" of nothing. All but one of very many is not 100."""
    return f"{(Decimal(part) * 1000 // whole_) / 10}" if whole_ else ""


def _footing(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not facts or not facts.get("without_tax_orders"):
        return None
    votes = facts.get("votes") or {}
    return {"reading": facts["without_tax_orders"], "votes": votes if isinstance(votes, Mapping) else {"orders": votes}}
