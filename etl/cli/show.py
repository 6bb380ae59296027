"""How plans and runs are shown to a person: short tables and the next command."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from etl.cli.console import Console
from etl.model.problem import HEADINGS
from etl.model.shares import ENDS
from etl.model.words import counted, moment_words
from etl.report.bills import zero_words

PROBLEMS_SHOWN = 12
TOLD_SHOWN = 20
DUPLICATES_SHOWN = 200
TOTALS = ("source", "planned", "rounding", "rejected", "blocked", "skipped", "changed", "undone", "posted")
ALWAYS = frozenset({"source", "planned", "rounding", "posted"})
"""Columns of the totals that are shown also where nothing is in them."""


def plan(console: Console, document: dict[str, Any]) -> None:
    """Enterprise, feasibility, counts, money and problems of a plan or run."""
    enterprise = document["enterprise"]
    console.text(
        f"{enterprise['name']} ({enterprise['pricing']} pricing, {enterprise['timezone']}) at {enterprise['platform']}"
    )
    likely(console, document["likely"])
    _dates(console, document)
    if document["footing"]["without_tax_orders"]:
        console.text(f"orderTotal of orders without tax foots {document['footing']['without_tax_orders']}.")
    for text in document["told"][:TOLD_SHOWN]:
        console.text(text)
    if len(document["told"]) > TOLD_SHOWN:
        console.text(
            f"{len(document['told']) - TOLD_SHOWN} more notices about the files are in problems.csv (--report DIR)."
        )
    for text in document["mapping_notices"]:
        console.text(f"Mapping: {text}")
    states(console, document)
    totals(console, document["totals"])
    stated(console, document["stated"])
    bills(console, document)
    problems(console, document["problems"])
    controls(console, document["controls"])
    _unproved(console, document["unproved"])


def _dates(console: Console, document: dict[str, Any]) -> None:
    """How many orders can be booked at their own date."""
    feasible = document["feasibility"]
    if not document["orders"]["read"]:
        console.text("There is no order in the export, or none between --from and --to.")
    elif feasible["route"] == "outlet":
        own = counted(feasible["at_their_own_date"], "order|orders is|are")
        console.text(feasible["told"] or f"{own} within the editable window, none is older.")
    elif feasible["older_than_the_editable_window"]:
        console.text(
            f"{counted(feasible['at_their_own_date'], 'order|orders')} can be booked at their own date, "
            f"{feasible['older_than_the_editable_window']:,} can't: Mews takes consumption from "
            f"{moment_words(feasible['bookable_from_utc'])} on."
        )
        console.text(feasible["told"])
    else:
        console.text(
            f"{counted(feasible['at_their_own_date'], 'order|orders')} can be booked at their own date, none is too old."
        )


def step(console: Console, what: str, command: str) -> None:
    """What to do next; a command stands on a line of its own, to be copied."""
    console.text(f"Next: {what}:" if command else f"Next: {what}")
    if command:
        console.text(f"  {command}")


def likely(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """What the reading rests on without a person's word."""
    if rows:
        console.table(
            "Likely, not confirmed: write yes into the column sure of each row that is right",
            ["row", "says", "samples"],
            [(row["place"], row["says"], ", ".join(row["samples"])) for row in rows],
        )


def attention(console: Console, report: Sequence[Path], exports: Sequence[str | Path]) -> None:
    """How the orders of attention.csv are corrected, where the report has one."""
    files = [path for path in report if path.name.startswith("attention")]
    if files:
        given = [word for path in files for word in ("--corrections", path)]
        console.text(f"Orders to correct are in {', '.join(map(str, files))}. Once they are right:")
        console.text(f"  {console.typed('dry-run', *exports, *given)}")


def states(console: Console, document: dict[str, Any]) -> None:
    """Orders and their money by state."""
    money = document.get("states", ())
    rows = [("read", f"{document['orders']['read']:,}", *_by_row(document["totals"], "source"))]
    for name, count in document["orders"].items():
        if count and name != "read":
            mine = [row for row in money if row["state"] == name]
            rows.append((name.replace("_", " "), f"{count:,}", *_by_row(mine, "source", _rows_of(document["totals"]))))
    empty = [""] * len(_rows_of(document["totals"]))
    if document["lines"]["unassigned"]:
        rows.append(("rows without order number", f"{document['lines']['unassigned']:,}", *empty))
    if document.get("accepted"):
        rows.append(("of them accepted by name", f"{document['accepted']:,}", *empty))
    heads = [_row_words(*key) for key in _rows_of(document["totals"])]
    console.table(
        "Orders, and what the shop sold in them", ["state", "orders", *heads], rows, right=range(1, 2 + len(heads))
    )


def stated(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """From the source without tax to the totals that the shop's own reports show."""
    from etl.pipeline.stated_totals import in_words

    console.text(*in_words(rows))


def totals(console: Console, rows: Sequence[dict[str, str]]) -> None:
    """Money by currency and basis: a column each, so that no figure needs two lines."""
    names = [name for name in TOTALS if name in ALWAYS or any(Decimal(row[name]) for row in rows)]
    keys = _rows_of(rows)
    console.table(
        "Totals: source is the sum of what follows; posted is the part of planned in Mews",
        ["", *(_row_words(*key) for key in keys)],
        [(name, *_by_row(rows, name)) for name in names] if rows else [],
        right=range(1, 1 + len(keys)),
    )


def bridge(console: Console, rows: Sequence[dict[str, str]]) -> None:
    """From what the shop sold to what Mews holds; lines without money only at the ends."""
    console.table(
        "From the shop's sales to what Mews holds",
        ["currency", "basis", "line", "amount"],
        [
            (row["currency"] or "(none)", row["basis"], row["line"], grouped(row["amount"]))
            for row in rows
            if row["line"] in ENDS or Decimal(row["amount"])
        ],
        right=[3],
    )


def bills(console: Console, document: dict[str, Any]) -> None:
    """What the bills of the outlet come to; nothing on the other route."""
    found = document.get("bills")
    if not found:
        return
    rows = [(row["what"], f"{row['bills']:,}", money([row])) for row in found["rows"]]
    title = f"Bills of the outlet, with tax: {zero_words(found).replace(' bills', '', 1)}"
    console.table(title, ["", "bills", "amount"], rows, right=[1, 2])


def _rows_of(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["currency"], row["basis"]) for row in rows]


def _row_words(currency: str, basis: str) -> str:
    return f"{currency or '(none)'}{' net' if basis == 'net' else ''}"


def _by_row(
    rows: Sequence[dict[str, Any]], name: str, keys: Sequence[tuple[str, str]] | None = None
) -> tuple[str, ...]:
    """The amounts under `name` in the order of `keys` (default: of the rows), digits in groups."""
    found = {(row["currency"], row["basis"]): f"{Decimal(row[name]):,f}" for row in rows}
    return tuple(found.get(key, "") for key in (_rows_of(rows) if keys is None else keys))


def problems(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """What keeps orders back, and apart from it what is only told; most money first, with what to do."""
    for severity, title in HEADINGS.items():
        _problems(console, title, [row for row in rows if row["severity"] == severity])


def _problems(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    shown = rows[:PROBLEMS_SHOWN]
    console.table(
        title,
        ["code", "orders", "charged", "refunded", "for example"],
        [
            (
                row["code"],
                f"{row['orders']:,}",
                _amounts(row.get("plus", {})),
                _amounts(row.get("minus", {})),
                ", ".join(row["examples"][:2]),
            )
            for row in shown
        ],
        right=[1, 2, 3],
        whole=[0],
    )
    for row in shown:
        for one in row.get("words", ())[:3]:
            such = "" if one["message"] == one["example"] else ", for example"
            console.text(f"  {row['code']}, in Mews's words ({one['orders']:,}){such}: {one['example']}")
        if row["hint"] and row["hint"] != "Nothing to do.":
            console.text(f"  {row['code']}: {row['hint']}")
    if len(rows) > len(shown):
        console.text(f"  {counted(len(rows) - len(shown), 'more code|codes')} in the report (--report DIR).")


def _amounts(amounts: dict[str, str]) -> str:
    """An amount for each currency, one below the other."""
    return "\n".join(f"{Decimal(amount):,f} {code}" for code, amount in amounts.items() if Decimal(amount))


def grouped(amount: str) -> str:
    """An amount with its digits in groups of three; what is no number stays."""
    try:
        return f"{Decimal(amount):,f}"
    except InvalidOperation:
        return amount


def controls(console: Console, rows: Sequence[dict[str, str]]) -> None:
    """Where the export differs from the shop's own report (controls.csv)."""
    differing = [row for row in rows if Decimal(row["difference"])]
    if rows and not differing:
        console.text(counted(len(rows), "figure|figures of controls.csv agrees|agree with the export."))
    console.table(
        "The export differs from controls.csv",
        ["month", "currency", "figure", "control", "export", "difference"],
        [tuple(row.values()) for row in differing],
        right=[3, 4, 5],
    )


def report_paths(console: Console, paths: Sequence[Path]) -> None:
    """Where the report is."""
    page = next((path for path in paths if path.name == "report.html"), None)
    if page:
        console.text(f"Report: {page} (and {len(paths) - 1} more files beside it)")
    elif paths:
        console.text(f"Report: {paths[0].parent}")


def duplicates(console: Console, duplicated: dict[str, Sequence[str]]) -> None:
    """What Mews holds more than once, with every OrderId and PaymentId."""
    for number, ids in list(duplicated.items())[:DUPLICATES_SHOWN]:
        console.text(f"  twice in Mews: {number}: {', '.join(ids)}")
    if len(duplicated) > DUPLICATES_SHOWN:
        console.text(f"  and {len(duplicated) - DUPLICATES_SHOWN:,} more; --json and `centra-mews reconcile` list all")
    if duplicated:
        console.text(
            "  centra-mews undo --order-id ID reverses one copy of an order; recover sees what others reversed"
        )


def _unproved(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    console.table(
        "Only Mews can tell (not provable beforehand)",
        ["what", "orders", "amounts"],
        [(row["what"], f"{row['orders']:,}", _amounts(row["amounts"])) for row in rows],
        right=[1, 2],
    )


def money(rows: Sequence[dict[str, str]]) -> str:
    """Amounts, each with its currency."""
    return ", ".join(f"{grouped(row['amount'])} {row['currency']}".strip() for row in rows)


def verdict(console: Console, document: dict[str, Any]) -> None:
    """Which orders can be read and foot, and what keeps the others out: one line a cause, most money first."""
    orders, sums = document["orders"], document["money"]
    waiting = document["waiting_for_words"]
    if waiting:
        words = sum(row["kinds"] for row in document["causes"])
        console.text(
            f"{orders['good'] + waiting:,} of {orders['read']:,} orders foot; {counted(waiting, 'of them waits|wait')} for the meaning of "
            f"{counted(words, 'word|words')}."
        )
    console.text(
        f"{orders['good']:,} of {orders['read']:,} orders can be read and foot"
        + (f": {money(sums['good'])} of {money(sums['read'])}." if sums["read"] else ".")
    )
    if document["without_total"]:
        console.text(f"{document['without_total']:,} of them have no total that could prove them.")
    if document.get("rows_without_order"):
        console.text(f"{document['rows_without_order']:,} rows belong to no order.")
    console.table(
        "What keeps the others out",
        ["what", "orders", "money", "for example", "what to do"],
        [
            (
                _cause(row),
                f"{row['orders']:,}",
                money(row["money"]) or "unknown",
                ", ".join(row["values"][:3]) or ", ".join(row["examples"]),
                row["hint"],
            )
            for row in document["causes"][:PROBLEMS_SHOWN]
        ],
        right=[1, 2],
    )
    if len(document["causes"]) > PROBLEMS_SHOWN:
        console.text(f"{len(document['causes']) - PROBLEMS_SHOWN} more causes are in --json.")


def _cause(row: dict[str, Any]) -> str:
    where = f"{row['code']} in {row['column']}" if row["column"] else row["code"]
    return f"{where}, {row['kinds']:,} values" if row["kinds"] > 1 else where


def proposals(console: Console, document: dict[str, Any]) -> None:
    """What the columns and words of a foreign dump are taken for, the proved ones in a line, the others with samples."""
    columns = document["columns"]
    if document["rows"]:
        console.text(
            f"The first {document['rows']:,} rows were looked at; words that only later rows hold are not proposed."
        )
    proved = [
        f"{row['header']} is {row['field']}" for row in columns if row["sure"] == "proved" and row["field"] != "-"
    ]
    footing = document["footing"]
    if proved and footing:
        console.text(
            f"Proved, {footing['foot']:,} of {footing['orders_with_total']:,} orders foot: {'; '.join(proved)}."
        )
    left = [row["header"] for row in columns if row["sure"] == "proved" and row["field"] == "-"]
    if left:
        console.text(f"Not needed, the orders foot without: {', '.join(left)}")
    console.table(
        "Likely by name or content: look at the samples",
        ["column", "is", "samples"],
        [(row["header"], row["field"], ", ".join(row["samples"])) for row in columns if row["sure"] == "likely"],
    )
    open_ = [row["header"] for row in columns if not row["sure"]]
    if open_:
        console.text(f"Open columns, which are not read: {', '.join(open_)}")
    if document["order_number"] != "{number}":
        console.text(f"Order numbers are written {document['order_number']}.")
    words = [*dict.fromkeys(f"{row['value']} is {row['means']}" for row in document["values"] if row["means"])]
    if words:
        console.text(f"Words: {', '.join(words[:PROBLEMS_SHOWN])}{' ..' if len(words) > PROBLEMS_SHOWN else ''}.")
