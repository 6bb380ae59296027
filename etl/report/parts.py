"""The tables of the report, made of the `--json` document and the tally. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from etl.model.codes import CODES
from etl.model.kinds import is_payment_kind, payment_type_of
from etl.model.money import digits_of
from etl.model.shares import ENDS, EXPLAINING, BridgeLine
from etl.model.shares import Column as MoneyColumn
from etl.model.status import ReportState
from etl.report.cells import amount_text
from etl.report.facts import PagePart, ReportFacts
from etl.report.grids import (
    Column,
    Grid,
    Kind,
    basis_words,
    by_currency,
    columns,
    free,
    grouped,
    key_words,
    totals_rows,
)
from etl.report.tally import GROUPS, Tally

NO_MONTH = "(no date)"
_HELD_BY_LEDGER = "What the ledger knew of before Mews was read back"
NO_CURRENCY = "(none)"
SHOWN_BALANCES = 25

UNPROVED = {
    "rebates": "Whether Mews lets the integration post negative amounts (rebates)",
    "company": "Whether Mews lets the integration bill a company",
    "reservation": "Whether Mews accepts the link to the reservation",
    "old": "Whether Mews takes outlet bills older than the editable window",
    "bill": "Whether Mews lets the integration post to the bill",
}
LINES = {
    BridgeLine.SOURCE: "Sold by the shop",
    BridgeLine.SKIPPED: "Skipped by a rule",
    BridgeLine.BLOCKED: "Blocked, not sent",
    BridgeLine.REJECTED: "Refused by Mews",
    BridgeLine.READY: "Ready, not sent yet",
    BridgeLine.UNKNOWN: "Unknown, being settled",
    BridgeLine.UNDONE: "Undone",
    BridgeLine.CHANGED: "Changed in the source since",
    BridgeLine.ROUNDING: "Rounding",
    BridgeLine.CREDITS: "Credits booked as payments",
    BridgeLine.OTHERWISE: "Booked otherwise by Mews",
    BridgeLine.NOT_READ: "Posted meanwhile, not read back",
    BridgeLine.MISSING: "Missing in Mews",
    BridgeLine.TWICE: "Booked twice",
    BridgeLine.UNEXPECTED: "Unexpected in Mews",
    BridgeLine.LEFT: "Left by undo",
    BridgeLine.IN_MEWS: "Items in Mews",
}
"""The lines of the bridge in words."""


def all_grids(
    document: Mapping[str, Any], facts: ReportFacts, tally: Tally, precisions: Mapping[str, int]
) -> dict[str, Grid]:
    """Every table by its key, in reading order."""
    grids = [
        bridge(document),
        totals(document),
        rounding(document),
        months(document, precisions),
        taxes(document, precisions),
        categories(document, facts, precisions),
        states(tally, precisions),
        problems(document),
        words(document),
        unproved(document),
        balances(facts, precisions),
        sources(facts),
        *(free(section, number) for number, section in enumerate(facts.sections, 1)),
    ]
    return {grid.key: grid for grid in grids}


def bridge(document: Mapping[str, Any]) -> Grid:
    """From what the shop sold to what Mews holds: first and last line of each currency, and what is not zero between."""
    rows = tuple(
        (row["currency"] or NO_CURRENCY, basis_words(row["basis"]), LINES[BridgeLine(row["line"])], row["amount"])
        for row in document.get("bridge", ())
        if row["line"] in ENDS or Decimal(row["amount"])
    )
    return Grid(
        "bridge",
        "From the shop's sales to what Mews holds",
        columns("Currency, Basis, Line, Amount:money"),
        rows,
        _beside_the_bridge(document),
        part=PagePart.BRIDGE,
    )


def _beside_the_bridge(document: Mapping[str, Any]) -> str:
    held = "as Mews showed them" if document.get("command") == "reconcile" else "as the ledger holds them"
    text = f"Each line is the sum of its own orders, signed from the shop's sales to the items in Mews, {held}."
    paid = [f"{row['kind']} {by_currency({row['currency']: row['amount']})}" for row in document.get("payments", ())]
    if paid:
        text += f" Payments stand beside it, not in the sum: {', '.join(paid)}."
    if unreadable := document.get("unreadable_totals"):
        text += f" Orders without a readable total, counted but in no sum: {unreadable:,}."
    return text


def totals(document: Mapping[str, Any]) -> Grid:
    """One row per currency and basis: source is the sum of the columns that follow it, up to posted."""
    given = document.get("totals", ())
    always = {MoneyColumn.SOURCE, MoneyColumn.PLANNED, MoneyColumn.ROUNDING, MoneyColumn.POSTED}
    names = [one.value for one in MoneyColumn if one in always or any(Decimal(row[one.value]) for row in given)]
    shown = " + ".join(name for name in names if name in EXPLAINING)
    note = f"Source = {shown}. Posted is the part of planned known to be in Mews."
    if document.get("command") == "reconcile":
        note += " All of it as the ledger knew it before Mews was read back; what Mews showed stands in the bridge."
    if unreadable := document.get("unreadable_totals"):
        note += f" Orders without a readable total, counted but in no sum: {unreadable:,}."
    return Grid(
        "totals",
        "By currency",
        columns("Currency, Basis, " + ", ".join(f"{name.capitalize()}:money" for name in names)),
        tuple(
            (row["currency"] or NO_CURRENCY, basis_words(row["basis"]), *(row[name] for name in names)) for row in given
        ),
        note,
        "No order has an amount.",
    )


def rounding(document: Mapping[str, Any]) -> Grid:
    """Why source and plan differ, by cause."""
    rows = tuple(
        (row["cause"], row["currency"] or NO_CURRENCY, basis_words(row["basis"]), str(row["orders"]), row["amount"])
        for row in document.get("rounding", ())
    )
    heads = columns("Cause, Currency, Basis, Orders:count, Amount:money")
    return Grid("rounding", "Rounding by cause", heads, rows)


def months(document: Mapping[str, Any], precisions: Mapping[str, int]) -> Grid:
    """Orders and amounts by month of consumption."""
    heads = columns("Month, Currency, Basis, Orders:count, Source:money, Planned:money, Not planned:money")
    rows = tuple(
        (
            row["month"] or NO_MONTH,
            row["currency"] or NO_CURRENCY,
            basis_words(row["basis"]),
            str(row["orders"]),
            row["source"],
            row["planned"],
            f"{Decimal(row['source']) - Decimal(row['planned']):f}",
        )
        for row in document.get("months", ())
    )
    return Grid(
        "months",
        "By month",
        heads,
        rows,
        "Calendar months of the enterprise, by the time of consumption that Mews sees.",
        "No order has a month.",
        foot=totals_rows(heads, rows, (1, 2), precisions),
    )


def taxes(document: Mapping[str, Any], precisions: Mapping[str, int]) -> Grid:
    """Net, tax and gross by tax code."""
    heads = columns("Tax codes, Currency, Net:money, Tax:money, Gross:money")
    rows = tuple(
        (row["tax_codes"], row["currency"], row["net"], row["tax"], row["gross"]) for row in document.get("taxes", ())
    )
    return Grid(
        "taxes",
        "By tax code",
        heads,
        rows,
        f"{_HELD_BY_LEDGER if document.get('command') == 'reconcile' else 'What Mews holds or will hold'}, by Mews's own "
        "arithmetic: items of orders ready, unknown or posted, credits not taken off. Orders sold without tax carry the tax that Mews adds.",
        foot=totals_rows(heads, rows, (1,), precisions),
    )


def categories(document: Mapping[str, Any], facts: ReportFacts, precisions: Mapping[str, int]) -> Grid:
    """Net, tax and gross by accounting category."""
    heads = columns("Accounting category, Currency, Net:money, Tax:money, Gross:money")
    rows = tuple(
        (
            facts.categories.get(row["category_id"], row["category_id"] or "(left to Mews)"),
            row["currency"],
            row["net"],
            row["tax"],
            row["gross"],
        )
        for row in document.get("categories", ())
    )
    return Grid(
        "categories",
        "By accounting category",
        heads,
        rows,
        "The category that Mews books to; products have their own.",
        foot=totals_rows(heads, rows, (1,), precisions),
    )


def states(tally: Tally, precisions: Mapping[str, int]) -> Grid:
    """Orders and amounts by state, currency and basis; the counts add up to the orders read."""
    heads = columns("State, Meaning, Orders:count, Currency, Basis, Source:money, Planned:money")
    rows: list[tuple[str, ...]] = []
    for state in ReportState:
        for key in sorted(key for key in tally.amounts if key[0] is state):
            _, currency, basis = key
            source, planned = (amount_text(a, digits_of(currency, precisions)) for a in tally.amounts[key])
            where = (currency or NO_CURRENCY, basis_words(basis))
            rows.append(
                (state.value.replace("_", " "), GROUPS[state].value, str(tally.counts[key]), *where, source, planned)
            )
    return Grid(
        "states",
        "By state",
        heads,
        tuple(rows),
        f"Every order read is in exactly one state: {tally.read:,} in all.",
        "No order was read.",
        foot=totals_rows(heads, rows, (3, 4), precisions),
    )


def problems(document: Mapping[str, Any]) -> Grid:
    """Problem codes with what to do and examples: errors first, most money first, charges and refunds not netted."""
    rows: list[tuple[str, ...]] = []
    for row in document.get("problems", ()):
        code = row["code"]
        title = CODES[code].title if code in CODES else ""
        counts = dict(row.get("counts", {}))
        # Rows that belong to no order have no money.
        if rest := row["orders"] - sum(counts.values()):
            counts[""] = rest
        for first, (currency, count) in enumerate(counts.items()):
            head = ("", "", "", str(count)) if first else (code, row["severity"], title, str(count))
            tail = ("", "") if first else (row["hint"], ", ".join(row["examples"]))
            plus, minus = (row.get(sign, {}).get(currency, "") for sign in ("plus", "minus"))
            rows.append((*head, key_words(currency), plus, minus, *tail))
    return Grid(
        "problems",
        "Problems and notices, by money",
        columns(
            "Code:code, Severity, What, Orders:count, Currency, Charged:money, Refunded:money, What to do, Examples"
        ),
        tuple(rows),
        "An error needs a person: its order is not posted, or stands in Mews otherwise than the shop has it now. A notice only "
        "tells. Charges and refunds are not netted, amounts without tax are told apart. An order with several problems counts "
        "under each. Every single one is in problems.csv.",
        part=PagePart.PROBLEMS,
    )


def words(document: Mapping[str, Any]) -> Grid:
    """Mews's own words for what it refused, most frequent first."""
    rows = tuple(
        (row["code"], one["example"], str(one["orders"]))
        for row in document.get("problems", ())
        for one in row.get("words", ())
    )
    return Grid(
        "words",
        "What Mews said of what it refused",
        columns("Code:code, In Mews's own words, Orders:count"),
        rows,
        "Refusals that differ by numbers and ids at most stand together; the first of them is told whole.",
        part=PagePart.PROBLEMS,
    )


def unproved(document: Mapping[str, Any]) -> Grid:
    """What only Mews can tell."""
    rows = tuple(
        (_kind_in_words(row["what"]), str(row["counts"].get(currency, 0)), key_words(currency), amount)
        for row in document.get("unproved", ())
        for currency, amount in row["amounts"].items()
    )
    return Grid(
        "unproved",
        "Not proved beforehand",
        columns("What only Mews can tell, Orders:count, Currency, Amount:money"),
        rows,
        "Mews's interface does not reveal these before the first order of its kind is sent; one of each goes first, alone.",
        part=PagePart.UNPROVED,
    )


def _kind_in_words(kind: str) -> str:
    if is_payment_kind(kind):
        return f"Whether Mews accepts external payments of type {payment_type_of(kind)}"
    return UNPROVED.get(kind, kind)


def balances(facts: ReportFacts, precisions: Mapping[str, int]) -> Grid:
    """The open balance left on each account by its name, largest first."""
    heads = (Column("Account"), Column("Currency"), Column("Open balance", Kind.MONEY), Column("Id", Kind.CODE))
    rows = tuple(
        (
            facts.accounts.get(row["account_id"]) or ("(new account)" if not row["account_id"] else "(name not read)"),
            row["currency"],
            row["balance"],
            row["account_id"],
        )
        for row in facts.balances
    )
    foot = totals_rows(heads, rows, (1,), precisions)
    total = _in_all(rows)
    return Grid(
        "balances",
        "Open balances",
        heads,
        rows,
        f"What orders ready, in doubt or in Mews leave open, with tax and less their payments. {len(rows):,} "
        f"{'accounts and currencies' if len(rows) != 1 else 'account'}, in all {total}.",
        foot=foot,
        part=PagePart.BALANCES,
    )


def _in_all(rows: Iterable[tuple[str, ...]]) -> str:
    sums: dict[str, Decimal] = {}
    for _, currency, balance, _ in rows:
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(balance)
    return by_currency({currency: f"{amount:f}" for currency, amount in sorted(sums.items())})


def sources(facts: ReportFacts) -> Grid:
    """The files read, with their hashes."""
    return Grid(
        "sources",
        "Files",
        columns("File, Format, Rows:count, SHA-256:code"),
        tuple(
            (
                str(row.get("file", "")),
                str(row.get("format", "")),
                "" if row.get("rows") is None else str(row["rows"]),
                str(row.get("sha256", "")),
            )
            for row in facts.files
        ),
        "",
        "No file was read for this report.",
        part=PagePart.PROVENANCE,
    )


__all__ = ["LINES", "SHOWN_BALANCES", "all_grids", "grouped"]
