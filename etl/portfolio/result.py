"""What became of the properties: the worst exit code, sums by currency, one document. Pure.

Rule: design section 10. Each property's figures are its process's own; what has none is named, never counted as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.errors import ExitCode
from etl.model.shares import BridgeLine
from etl.model.words import counted
from etl.portfolio.file import Property

WORST_FIRST = (
    *(ExitCode.INTERNAL, ExitCode.MEWS, ExitCode.USAGE),
    *(ExitCode.ATTENTION, ExitCode.INTERRUPTED, ExitCode.DONE),
)
_MAY_SEND = frozenset({ExitCode.DONE, ExitCode.ATTENTION})
"""Ends of a preflight after which orders are sent: findings block their own orders in the run itself."""
_WORDS = {
    ExitCode.DONE: "done",
    ExitCode.INTERNAL: "internal error",
    ExitCode.USAGE: "refused",
    ExitCode.ATTENTION: "needs attention",
    ExitCode.MEWS: "Mews can't be reached or refuses the credentials",
    ExitCode.INTERRUPTED: "interrupted",
}
SUMMED = {
    **dict.fromkeys(("preflight", "dry-run", "run", "report"), "totals"),
    "reconcile": "bridge",
}
"""The table of each command's document that is summed over the properties."""
_AFTER = {
    "preflight": ("plan all of them", "dry-run"),
    "run": ("read all of them back", "reconcile"),
}
"""The command after one that was done: its words, its name."""
KEYS = ("currency", "basis", "line")
"""What tells its rows apart; all else in a row is an amount."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one property ended: at which `stage` (a command), and the document of that command's process."""

    whose: Property
    exit_code: ExitCode
    document: Mapping[str, Any]
    stage: str

    @property
    def may_send(self) -> bool:
        """Whether orders may be sent after this preflight."""
        return self.exit_code in _MAY_SEND

    @property
    def words(self) -> str:
        """The end in words, with the counts of orders where there are some."""
        orders = self.document.get("orders")
        counts = [f"{count:,} {state.replace('_', ' ')}" for state, count in (orders or {}).items() if count]
        return f"{_WORDS[self.exit_code]}{': ' if counts else ''}{', '.join(counts)}"

    @property
    def error(self) -> Mapping[str, Any]:
        """What stopped it, or what its preflight found: code, message, hint; {} where nothing did."""
        found = self.document.get("error") or self.document.get("stopped") or {}
        if not found and self.stage == "preflight" and self.exit_code is not ExitCode.DONE:
            return _found(self.document.get("checks", ()))
        return found if isinstance(found, Mapping) else {}


def _found(checks: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """The gravest check that did not pass, and how many others there are like it."""
    for grave in ("error", "warning"):
        rows = [one for one in checks if one.get("result") == grave]
        if rows:
            more = f" (and {len(rows) - 1:,} more)" if len(rows) > 1 else ""
            return {
                "code": "preflight.findings",
                "message": f"{rows[0]['detail']}{more}",
                "hint": rows[0].get("next", ""),
            }
    return {}


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """One exit code for all; done where there is none."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.DONE)


def document_of(command: str, results: Sequence[Result]) -> dict[str, Any]:
    """The `--json` document, which summary.json holds too.

    *Shape*: `command`, `exit_code`, `properties` (name, exit_code and the keys of the command's own document), the sums
    `orders`, `totals`, `bridge` where the command has them, and `not_in_sums`: properties without figures; of a dry run
    also `plans`: property, plan, the `line` to write into it, and whether it `is_there`.
    """
    counted_in = [one for one in results if has_figures(command, one)]
    found: dict[str, Any] = {
        "command": f"portfolio {command}",
        "exit_code": int(worst(one.exit_code for one in results)),
        "properties": [_entry(command, one) for one in results],
    }
    if any("orders" in one.document for one in counted_in):
        found["orders"] = _counts(one.document.get("orders", {}) for one in counted_in)
    if (name := SUMMED.get(command)) and any(name in one.document for one in counted_in):
        found[name] = _sums([row for one in counted_in for row in one.document.get(name, ())])
    if command == "reconcile":
        found["complete"] = all(one.document.get("complete") is True for one in results)
    found["not_in_sums"] = [one.whose.name for one in results if one not in counted_in]
    if command == "dry-run":
        found["plans"] = [_planned(one) for one in results if _plan(one)]
    return found


def next_step(command: str, results: Sequence[Result]) -> tuple[str, str]:
    """What to do now in words, and the command of the portfolio to type then; "" for none."""
    code = worst(one.exit_code for one in results)
    if code is ExitCode.INTERRUPTED:
        return "start the same command again; what was sent is recorded, and nothing is sent twice", command
    if code in (ExitCode.INTERNAL, ExitCode.MEWS, ExitCode.USAGE):
        return "mend what is named above, and start the same command again; it does only what is missing", command
    if command == "dry-run":
        if any(_plan(one) != one.whose.expect for one in results):
            return "review the reports, write each plan id into its property as shown, then type", "run"
        return "every property has the plan id of this dry run as its expect: type", "run"
    if command == "run" and code is ExitCode.ATTENTION:
        return "look at what needs attention in each report; what was posted is compared with Mews by", "reconcile"
    return _AFTER.get(command, ("", ""))


def _plan(one: Result) -> str:
    return str(one.document.get("plan") or "") if has_figures("dry-run", one) else ""


def _planned(one: Result) -> dict[str, Any]:
    plan = _plan(one)
    is_there = plan == one.whose.expect
    return {"property": one.whose.name, "plan": plan, "line": f'expect = "{plan}"', "is_there": is_there}


def verdict(results: Sequence[Result]) -> str:
    """How many of the properties ended how, the worst first."""
    codes = [one.exit_code for one in results]
    ends = [
        f"{codes.count(code):,} {_WORDS[code] if code is not ExitCode.MEWS else 'without Mews'}"
        for code in WORST_FIRST
        if code in codes
    ]
    return f"{counted(len(codes), 'property|properties')}: {', '.join(ends)}."


def has_figures(command: str, one: Result) -> bool:
    """Whether the command itself came to figures for this property; a preflight before it has others.

    A preflight that finds the mapping faulty has findings, and counts no order.
    """
    return one.stage == command and "error" not in one.document and "orders" in one.document


def _entry(command: str, one: Result) -> dict[str, Any]:
    document = dict(one.document)
    if one.stage != command:
        # What a preflight counts is a plan, not what this command did.
        document = {key: document[key] for key in ("error", "checks") if key in document}
    return {"name": one.whose.name, **document, "exit_code": int(one.exit_code), "stage": one.stage}


def _counts(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for table in tables:
        for state, count in table.items():
            found[state] = found.get(state, 0) + count
    return found


def _sums(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows added up by their keys, in the order in which these are met. Amounts are decimal texts."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(str(row[key]) for key in KEYS if key in row), []).append(row)
    found = [dict(_added(group)) for group in groups.values()]
    rows_met = list(dict.fromkeys(_row_of(row) for row in found))
    return sorted(found, key=lambda row: (rows_met.index(_row_of(row)), _rank(row)))


def _row_of(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["currency"], row.get("basis", "")


def _rank(row: Mapping[str, str]) -> int:
    """Lines of a bridge in their order: one that only some properties have stands where it stands in theirs."""
    return list(BridgeLine).index(BridgeLine(row["line"])) if "line" in row else 0


def _added(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, value in rows[0].items():
        yield name, value if name in KEYS else str(sum((Decimal(row[name]) for row in rows), Decimal(0)))
