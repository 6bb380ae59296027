"""What was found, as data for `--json` and as rows of tables and files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from etl.evidence.values import Difference
from etl.reconcile.certificate import total_document
from etl.reconcile.controls import ControlFinding
from etl.reconcile.notebook import Amounts, Noted
from etl.reconcile.totals import ControlTotals

CSV_COLUMNS = (
    "order",
    "class",
    "mews_order_id",
    "currency",
    "ledger_net",
    "ledger_tax",
    "ledger_gross",
    "mews_net",
    "mews_tax",
    "mews_gross",
    "difference",
    "notices",
)
Cell = str | int | Decimal | None


def difference_rows(one: Noted, differences: Iterable[Difference]) -> list[dict[str, str]]:
    """Differences (or notices) of one order as rows of `--json`."""
    return [
        {
            "order": one.number,
            "class": one.klass.value,
            "mews_order_id": one.order_id,
            "what": difference.what.value,
            "item": difference.item,
            "expected": difference.expected,
            "found": difference.found,
        }
        for difference in differences
    ]


def total_rows(totals: ControlTotals, categories: Mapping[str, str]) -> list[dict[str, Any]]:
    """The control totals of both sides. `categories`: names by AccountingCategoryId."""
    return [
        {
            "month": month,
            "currency": currency,
            "tax_codes": " ".join(codes) or "exempt",
            "accounting_category_id": category_id,
            "accounting_category": categories.get(category_id, ""),
            **total_document(row),
        }
        for (month, currency, codes, category_id), row in totals.ordered()
    ]


def control_rows(findings: Iterable[ControlFinding]) -> list[dict[str, Any]]:
    """The figures of controls.csv beside ledger and Mews."""
    return [
        {
            "month": one.month,
            "currency": one.currency,
            "figure": one.figure,
            "control": f"{one.control:f}",
            "ledger": f"{one.ledger:f}",
            "mews": f"{one.mews:f}",
            "explained_rounding": f"{one.rounding:f}",
            "equal": one.is_equal,
            "difference": one.difference,
            "place": one.place,
        }
        for one in findings
    ]


def csv_cells(one: Noted) -> tuple[str, ...]:
    """The row of one order in reconciliation.csv."""
    return (
        one.number,
        one.klass.value,
        one.order_id,
        one.currency,
        *_side(one.ledger),
        *_side(one.mews),
        words(one.differences),
        words(one.notices),
    )


def words(differences: Sequence[Difference]) -> str:
    """Differences as one text: what, both sides, and the item concerned."""
    return "; ".join(
        f"{one.what.value}{f' of {one.item}' if one.item else ''}: expected {one.expected}, found {one.found}"
        for one in differences
    )


def total_table(totals: ControlTotals, categories: Mapping[str, str]) -> tuple[Sequence[str], list[Sequence[Cell]]]:
    """Columns and rows of the control totals for people."""
    columns = (
        "Month",
        "Currency",
        "Tax codes",
        "Accounting category",
        "Ledger net",
        "Ledger tax",
        "Ledger gross",
        "Mews net",
        "Mews tax",
        "Mews gross",
        "Difference",
    )
    rows: list[Sequence[Cell]] = [
        (
            month,
            currency,
            " ".join(codes) or "exempt",
            categories.get(category_id, category_id),
            row.ledger.net,
            row.ledger.tax,
            row.ledger.gross,
            row.mews.net,
            row.mews.tax,
            row.mews.gross,
            row.mews.gross - row.ledger.gross,
        )
        for (month, currency, codes, category_id), row in totals.ordered()
    ]
    return columns, rows


def control_table(findings: Iterable[ControlFinding]) -> tuple[Sequence[str], list[Sequence[Cell]]]:
    """Columns and rows of controls.csv for people."""
    columns = ("Month", "Currency", "Figure", "Control", "Ledger", "Mews", "Difference")
    rows: list[Sequence[Cell]] = [
        (one.month, one.currency, one.figure, f"{one.control:f}", f"{one.ledger:f}", f"{one.mews:f}", one.difference)
        for one in findings
    ]
    return columns, rows


def _side(amounts: Amounts | None) -> tuple[str, str, str]:
    if amounts is None:
        return "", "", ""
    return f"{amounts.net:f}", f"{amounts.gross - amounts.net:f}", f"{amounts.gross:f}"
