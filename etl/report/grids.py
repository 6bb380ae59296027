"""The tables of the report as values: built once from the document, shown by both the page and the workbook. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from etl.model.codes import CODES
from etl.model.kinds import is_payment_kind, payment_type_of
from etl.model.shares import EXPLAINING
from etl.model.shares import Column as MoneyColumn
from etl.model.status import ReportState
from etl.report.cells import amount_text
from etl.report.facts import ReportFacts, Section
from etl.report.tally import GROUPS, Group, Tally

NO_MONTH = "(no date)"
SHOWN_BALANCES = 25
_AMOUNT = re.compile(r"-?\d+\.\d{2,}")

UNPROVED = {
    "rebates": "Whether Mews lets the integration post negative amounts (rebates)",
    "company": "Whether Mews lets the integration bill a company",
    "reservation": "Whether Mews accepts the link to the reservation",
    "bill": "Whether Mews lets the integration post to the bill",
}


class Kind(StrEnum):
    """How the cells of a column are shown."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells are shown."""

    title: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: `rows` hold texts; amounts plain with a point, counts as digits. `empty` is said without rows."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    empty: str = ""


def _columns(text: str) -> tuple[Column, ...]:
    """`Title, Title:kind, ..` as columns."""
    parts = (part.strip().partition(":") for part in text.split(","))
    return tuple(Column(title, Kind(kind) if kind else Kind.TEXT) for title, _, kind in parts)


def totals(document: Mapping[str, Any]) -> Grid:
    """One row per currency and basis: source is the sum of the columns that follow it, up to posted."""
    names = tuple(column.value for column in MoneyColumn)
    note = f"Source = {' + '.join(EXPLAINING)}. Posted is the part of planned known to be in Mews."
    if unreadable := document.get("unreadable_totals"):
        note += f" Orders without a readable total, counted but in no sum: {unreadable:,}."
    return Grid(
        "totals",
        "Totals by currency",
        _columns("Currency, Basis, " + ", ".join(f"{name.capitalize()}:money" for name in names)),
        tuple(
            (row["currency"] or "(none)", _basis(row["basis"]), *(row[name] for name in names))
            for row in document.get("totals", ())
        ),
        note,
        "No order has an amount.",
    )


def months(document: Mapping[str, Any]) -> Grid:
    """Orders and amounts by month of consumption."""
    return Grid(
        "months",
        "By month",
        _columns("Month, Currency, Basis, Orders:count, Source:money, Planned:money, Not planned:money"),
        tuple(
            (
                row["month"] or NO_MONTH,
                row["currency"] or "(none)",
                _basis(row["basis"]),
                str(row["orders"]),
                row["source"],
                row["planned"],
                _less(row["source"], row["planned"]),
            )
            for row in document.get("months", ())
        ),
        "Calendar months of the enterprise, by the time of consumption that Mews sees.",
        "No order has a month.",
    )


def taxes(document: Mapping[str, Any]) -> Grid:
    """Net, tax and gross by tax code."""
    return Grid(
        "taxes",
        "By tax code",
        _columns("Currency, Tax codes, Net:money, Tax:money, Gross:money"),
        tuple(
            (row["currency"], row["tax_codes"], row["net"], row["tax"], row["gross"])
            for row in document.get("taxes", ())
        ),
        "What Mews holds or will hold by its own arithmetic, orders ready or posted.",
        "Nothing is planned or posted.",
    )


def states(tally: Tally, precisions: Mapping[str, int]) -> Grid:
    """Orders and amounts by state; the counts add up to the orders read."""
    rows: list[tuple[str, ...]] = []
    for state in ReportState:
        keys = sorted(key for key in tally.amounts if key[0] is state)
        for first, key in enumerate(keys):
            _, currency, basis = key
            source, planned = (amount_text(a, precisions.get(currency, 2)) for a in tally.amounts[key])
            count = str(tally.states[state]) if not first else ""
            rows.append((state.value, GROUPS[state].value, count, currency or "(none)", _basis(basis), source, planned))
    return Grid(
        "states",
        "By state",
        _columns("State, Meaning, Orders:count, Currency, Basis, Source:money, Planned:money"),
        tuple(rows),
        "Every order read is in exactly one state.",
        "No order was read.",
    )


def problems(document: Mapping[str, Any]) -> Grid:
    """Problem codes with what to do and examples, errors first."""
    return Grid(
        "problems",
        "Problems and notices",
        _columns("Code:code, Severity, What, Orders:count, Amounts, What to do, Examples"),
        tuple(
            (
                row["code"],
                row["severity"],
                CODES[row["code"]].title if row["code"] in CODES else "",
                str(row["orders"]),
                _by_currency(row.get("amounts", {})),
                row["hint"],
                ", ".join(row["examples"]),
            )
            for row in document.get("problems", ())
        ),
        "An error keeps its order from being posted; a notice only tells. Every single one is in problems.csv.",
        "No problem and no notice.",
    )


def unproved(document: Mapping[str, Any]) -> Grid:
    """What only Mews can tell."""
    return Grid(
        "unproved",
        "Not proved beforehand",
        _columns("What only Mews can tell, Orders:count, Amounts"),
        tuple(
            (_kind_in_words(row["what"]), str(row["orders"]), _by_currency(row["amounts"]))
            for row in document.get("unproved", ())
        ),
        "Mews's interface does not reveal these before the first order of its kind is sent; one of each goes first, alone.",
        "Everything that these orders need could be checked.",
    )


def _kind_in_words(kind: str) -> str:
    if is_payment_kind(kind):
        return f"Whether Mews accepts external payments of type {payment_type_of(kind)}"
    return UNPROVED.get(kind, kind)


def balances(facts: ReportFacts) -> Grid:
    """The open balance left on each account, largest first."""
    rows = tuple((row["account_id"] or "(new account)", row["currency"], row["balance"]) for row in facts.balances)
    sums: dict[str, Decimal] = {}
    for _, currency, balance in rows:
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(balance)
    total = _by_currency({currency: f"{amount:f}" for currency, amount in sorted(sums.items())})
    return Grid(
        "balances",
        "Open balances",
        _columns("Account, Currency, Open balance:money"),
        rows,
        f"What planned and posted orders leave open, with tax and less their payments. {len(rows):,} accounts and "
        f"currencies, in all {total}.",
        "No order leaves an open balance.",
    )


def sources(facts: ReportFacts) -> Grid:
    """The files read, with their hashes."""
    return Grid(
        "sources",
        "Files",
        _columns("File, Format, Rows:count, SHA-256:code"),
        tuple(
            (str(row.get("file", "")), str(row.get("format", "")), _count(row.get("rows")), str(row.get("sha256", "")))
            for row in facts.files
        ),
        "",
        "This report was written from the ledger; no file was read.",
    )


def free(section: Section, number: int) -> Grid:
    """A free section as a grid; each column is shown by the type of its cells."""
    columns = tuple(
        Column(title, _kind([row[at] for row in section.rows if at < len(row)]))
        for at, title in enumerate(section.columns)
    )
    rows = tuple(tuple(_text(cell) for cell in row) for row in section.rows)
    return Grid(
        f"section-{number}", section.title, columns, rows, section.text, "" if section.text else "Nothing to show."
    )


def all_grids(
    document: Mapping[str, Any], facts: ReportFacts, tally: Tally, precisions: Mapping[str, int]
) -> dict[str, Grid]:
    """Every table by its key, in reading order."""
    grids = [
        totals(document),
        states(tally, precisions),
        months(document),
        taxes(document),
        problems(document),
        unproved(document),
        balances(facts),
        sources(facts),
        *(free(section, number) for number, section in enumerate(facts.sections, 1)),
    ]
    return {grid.key: grid for grid in grids}


def month_groups(tally: Tally) -> list[tuple[str, dict[Group, int]]]:
    """Orders by month and group, oldest first; orders without a month last."""
    keys = sorted(tally.months, key=lambda month: (not month, month))
    return [(month or NO_MONTH, {group: tally.months[month][group] for group in Group}) for month in keys]


def _kind(cells: Sequence[object]) -> Kind:
    filled = [cell for cell in cells if cell not in (None, "")]
    if filled and all(
        isinstance(cell, Decimal) or (isinstance(cell, str) and _AMOUNT.fullmatch(cell)) for cell in filled
    ):
        return Kind.MONEY
    if filled and all(isinstance(cell, int) for cell in filled):
        return Kind.COUNT
    return Kind.TEXT


def _text(cell: object) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return "" if cell is None else str(cell)


def _count(value: object) -> str:
    return "" if value is None else str(value)


def _basis(basis: str) -> str:
    return {"gross": "with tax", "net": "without tax"}.get(basis, basis)


def _less(source: str, planned: str) -> str:
    return f"{Decimal(source) - Decimal(planned):f}"


def _by_currency(amounts: Mapping[str, str]) -> str:
    return "; ".join(f"{currency}\u00a0{grouped(amount)}" for currency, amount in amounts.items())


def grouped(text: str) -> str:
    """Digits in groups of three, for reading: `1234567.50` is `1,234,567.50`."""
    sign = "-" if text.startswith("-") else ""
    whole, point, rest = text.removeprefix("-").partition(".")
    if not whole.isdigit():
        return text
    return f"{sign}{int(whole):,}{point}{rest}"
