"""report.html: one page that needs nothing but itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from etl.model.status import ReportState
from etl.report.charts import month_chart, state_bars
from etl.report.facts import ReportFacts
from etl.report.grids import SHOWN_BALANCES, Grid, grouped, month_groups
from etl.report.spool import OrderSpool
from etl.report.tally import Group, Tally

TITLES = {
    "dry-run": "Dry run: what would be posted to Mews",
    "run": "Run: what was posted to Mews",
    "report": "State of the migration to Mews",
    "reconcile": "Reconciliation with Mews",
    "undo": "Undo: what was reversed in Mews",
}
_NOT_IN_CSS = re.compile(r"[^A-Za-z0-9:._-]")


def write_page(
    stream: IO[str],
    *,
    document: Mapping[str, Any],
    facts: ReportFacts,
    grids: Mapping[str, Grid],
    tally: Tally,
    spool: OrderSpool,
) -> None:
    """Writes the page. *Effects*: reads the closed spool."""
    for piece in (
        _environment()
        .get_template("report.html.j2")
        .generate(
            title=TITLES.get(facts.command, facts.command),
            document=document,
            facts=facts,
            generated=facts.generated.strftime("%Y-%m-%d %H:%M:%S UTC"),
            # Into the printed margin, where a style sheet and not HTML would have to be escaped.
            print_plan=_NOT_IN_CSS.sub("", facts.plan),
            print_run=_NOT_IN_CSS.sub("", facts.run_id),
            grids=grids,
            free=[grid for key, grid in grids.items() if key.startswith("section-")],
            tally=tally,
            tiles=_tiles(tally),
            equation=[(state.value, tally.states[state]) for state in ReportState if tally.states[state]],
            unassigned=_unassigned(document),
            chart=month_chart(month_groups(tally)),
            bars=state_bars(tally),
            Group=Group,
            feasibility=_feasibility(facts.feasibility),
            footing=_footing(facts.footing),
            shown=spool.shown,
            shown_balances=SHOWN_BALANCES,
            order_data=spool.json_text(),
        )
    ):
        stream.write(piece)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["grouped"] = grouped
    environment.filters["thousands"] = "{:,}".format
    environment.filters["slug"] = lambda group: str(group).split()[-1].lower()
    return environment


def _tiles(tally: Tally) -> list[tuple[str, int, str]]:
    """Label, count and CSS class of the figures on top; all but the first add up to it."""
    groups = tally.groups()
    return [
        ("orders read", tally.read, ""),
        ("in Mews, unchanged", groups[Group.IN_MEWS], "mews"),
        ("ready to post", groups[Group.READY], "post"),
        ("need attention", tally.attention, "attention" if tally.attention else ""),
        ("skipped or undone", groups[Group.LEFT_OUT], "out"),
    ]


def _unassigned(document: Mapping[str, Any]) -> int:
    lines = document.get("lines")
    return int(lines.get("unassigned", 0)) if isinstance(lines, Mapping) else 0


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
        "earliest": earliest.replace("T", " ").replace("+00:00", " UTC"),
        "percent": round(100 * inside / (inside + outside), 1) if inside + outside else None,
    }


def _footing(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not facts or not facts.get("without_tax_orders"):
        return None
    votes = facts.get("votes") or {}
    return {"reading": facts["without_tax_orders"], "votes": votes if isinstance(votes, Mapping) else {"orders": votes}}
