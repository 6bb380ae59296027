"""The currencies that amounts of an object say beside their values: GraphQL's `{value, currency {code}}` and its like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.model.export import plain
from etl.model.place import Place
from etl.reading.parse import Reader
from etl.reading.remarks import RemarkedValue
from etl.staging.draft import Draft, Source
from etl.staging.fields import Column

_TAILS = (".currency.code", ".currency")


def amount_before(name: str) -> str:
    """The name of the amount whose currency a (dotted) name is, or "" where it is none."""
    folded = name.casefold()
    tail = next((tail for tail in _TAILS if folded.endswith(tail)), "")
    return name.removesuffix(name[len(name) - len(tail) :]) if tail else ""


def check_currencies(draft: Draft, said: Sequence[tuple[str, str]], reader: Reader[Any], place: Place) -> None:
    """Holds what amounts say against the order's currency, which is theirs where nothing else names it.

    `said`: (name, cell) of the order's amounts. A currency that can't be read is no control, as a total that can't is none.
    """
    for name, cell in said:
        currency = _read(reader, cell)
        known = draft.values.get("currency")
        if not currency or currency == known:
            continue
        at = place.at(name)
        if known is not None:
            draft.fault(
                "order.conflict",
                f"The currency of an amount is {currency}, that of the order {known}.",
                at,
                plain(cell),
            )
            return
        if "currency" in draft.sources:
            return  # what the order says can't be read, and is told
        draft.values["currency"] = draft.texts["currency"] = currency
        draft.sources["currency"] = Source(at.row or 0, Column(-1, name, "currency"))


def _read(reader: Reader[Any], cell: str) -> str:
    try:
        return str(reader[cell] or "")
    except RemarkedValue as odd:
        return "" if odd.is_error else str(odd.value or "")
