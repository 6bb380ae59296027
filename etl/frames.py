"""The ledger as pandas DataFrames, for people with a notebook: `orders`, `entries`, `problems`, `ledger`.

Money is `decimal.Decimal` in columns of dtype object, exact as the ledger holds it: `frame["planned_total"].sum()` is a
Decimal; a column turned into float is no longer exact. Times are UTC. Texts are texts, "" where there is none. Nothing
is written; a run may be going on. pandas is imported here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import simplejson

from etl.ledger.ledger import Ledger
from etl.ledger.views import COLUMNS
from etl.model.identity import parse_identifier
from etl.model.payload import entries_of

_MONEY = frozenset({"source_total", "planned_total", "rounding", "unit_amount", "net", "tax", "gross"})
_TIMES = frozenset({"consumed_utc", "original_utc", "updated_utc", "sent_utc", "answered_utc"})
_ENTRIES = ("order_number", "mews_order_id", "line", "name", "product_id", "count", "currency", "unit_amount",
            "tax_codes", "net", "tax", "gross", "accounting_category_id", "identifier")  # fmt: skip
_BY_NUMBER = "length(order_number), order_number"
_SENT = """
SELECT a.order_number, a.mews_id, a.payload, a.predicted FROM v_attempts a JOIN v_orders o
ON o.order_number = a.order_number AND o.generation = a.generation AND o.mews_order_id = a.mews_id
WHERE a.part = 'order' AND a.mews_id <> '' ORDER BY length(a.order_number), a.order_number
"""


def orders(ledger: str | Path = "ledger.sqlite") -> pd.DataFrame:
    """One row for each order that the ledger knows; the columns of the view `v_orders`.

    Raises LedgerError where there is no ledger, or where it can't be read.
    """
    return _frame(ledger, "v_orders", _BY_NUMBER)


def problems(ledger: str | Path = "ledger.sqlite") -> pd.DataFrame:
    """One row for each problem and notice of an order; the columns of the view `v_problems`. Raises LedgerError."""
    return _frame(ledger, "v_problems", _BY_NUMBER)


def ledger(ledger: str | Path = "ledger.sqlite") -> pd.DataFrame:
    """One row for each request that may have left; the columns of the view `v_attempts`. Raises LedgerError."""
    return _frame(ledger, "v_attempts", f"{_BY_NUMBER}, generation, part, attempt")


def entries(ledger: str | Path = "ledger.sqlite") -> pd.DataFrame:
    """One row for each entry of the orders in Mews as it was sent, with the amounts that Mews was predicted to book.

    Orders that only `recover` knows have none: nobody keeps what was sent. Raises LedgerError.
    """
    with _opened(ledger) as opened:
        rows = [entry for row in opened.query(_SENT, {}) for entry in _entries(*row)]
    return _typed(pd.DataFrame(rows, columns=pd.Index(_ENTRIES), dtype=object))


def _entries(number: str, order_id: str, payload: str, predicted: str) -> Iterator[tuple[Any, ...]]:
    sent = simplejson.loads(payload or "{}", use_decimal=True)
    amounts = {line: rest for line, *rest in simplejson.loads(predicted or "[]")}
    for entry, count in entries_of(sent):
        unit = entry["UnitAmount"]
        identifier = str(entry.get("ExternalIdentifier", ""))
        parsed = parse_identifier(identifier)
        line = parsed[1] if parsed else ""
        net, tax, gross = amounts.get(line, (None, None, None))
        yield (
            *(number, order_id, line, entry.get("Name", ""), entry.get("ProductId", ""), count),
            *(unit["Currency"], str(unit.get("GrossValue", unit.get("NetValue")))),
            *(" ".join(unit["TaxCodes"]), net, tax, gross, entry.get("AccountingCategoryId", ""), identifier),
        )


def _opened(path: str | Path) -> Ledger:
    return Ledger.open(str(path), create=False, read_only=True)


def _frame(path: str | Path, view: str, order: str) -> pd.DataFrame:
    names = COLUMNS[view]
    with _opened(path) as opened:
        rows = opened.query(f"SELECT {', '.join(names)} FROM {view} ORDER BY {order}", {})
    return _typed(pd.DataFrame([tuple(row) for row in rows], columns=pd.Index(names), dtype=object))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Money as Decimal, times as UTC, all else as the ledger has it."""
    for name in frame.columns:
        if name in _MONEY:
            frame[name] = pd.Series([_amount(value) for value in frame[name]], dtype=object)
        elif name in _TIMES:
            texts = pd.Series([value or None for value in frame[name]], dtype=object)
            frame[name] = pd.to_datetime(texts, utc=True, format="ISO8601")
    return frame


def _amount(value: object) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))
