"""The currencies that amounts of an object say beside their values: GraphQL's `{value, currency {code}}` and its like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.model.export import plain
from etl.model.place import Place
from etl.reading.parse import Reader
from etl.reading.remarks import RemarkedValue
from etl.staging.draft import Draft, Source
from etl.staging.fields import DECLARED, Column, Layout

_TAILS = (".currency.code", ".currency")


def amount_before(name: str) -> str:
    """The name of the amount whose currency a (dotted) name is, or "" where it is none."""
    folded = name.casefold()
    tail = next((tail for tail in _TAILS if folded.endswith(tail)), "")
    return name.removesuffix(name[len(name) - len(tail) :]) if tail else ""


class Currencies:
    """The columns of one flat file that say the currency of an amount which is read from another column."""

    def __init__(self, layout: Layout) -> None:
        left_out = {header for header, why in layout.not_migrated.items() if why == DECLARED}
        amounts = {column.header.casefold().removesuffix(".value") for column in (*layout.order, *layout.line)}
        self._columns = [
            (at, column.header)
            for at, column in enumerate(layout.other, len(layout.line))
            if column.header not in left_out and amount_before(column.header).casefold() in amounts
        ]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def collect(self, draft: Draft, place: Place, cells: Sequence[str]) -> None:
        """Keeps what a row's line-level cells say with its order, each currency once."""
        for at, header in self._columns:
            cell = cells[at] if at < len(cells) else ""
            if cell.strip() and all(cell != known for _, known in draft.currencies):
                draft.currencies.append((place.at(header), cell))


def check_currencies(draft: Draft, said: Sequence[tuple[Place, str]], reader: Reader[Any]) -> None:
    """Holds what amounts say against the order's currency, which is theirs where nothing else names it.

    `said`: where, and the cell. A currency that can't be read is no control, as a total that can't is none.
    """
    for at, cell in said:
        currency = _read(reader, cell)
        known = draft.values.get("currency")
        if not currency or currency == known:
            continue
        if known is not None:
            text = f"The currency of an amount is {currency}, that of the order {known}."
            draft.fault("order.conflict", text, at, plain(cell))
            return
        if "currency" in draft.sources:
            return  # what the order says can't be read, and is told
        draft.values["currency"] = draft.texts["currency"] = currency
        draft.sources["currency"] = Source(at.row or 0, Column(-1, at.column, "currency"))


def _read(reader: Reader[Any], cell: str) -> str:
    try:
        return str(reader[cell] or "")
    except RemarkedValue as odd:
        return "" if odd.is_error else str(odd.value or "")
