"""What orders open to, read from the columns that a page holds (`report/packed_orders.py`), as the page reads them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from etl.model.money import units_text
from etl.report.facts import EntryRow, OrderDetail, SourceRows

_NAMES = ("letter", "place", "row", "quantity", "unit", "booked", "name", "tax")


def unpacked(data: bytes) -> dict[str, OrderDetail]:
    """Every order by its number."""
    head, arrays = _read(zlib.decompress(data, wbits=-zlib.MAX_WBITS))
    first, rows = next(arrays), next(arrays)
    order, line = ([(texts, next(arrays)) for texts in head[name]] for name in ("order", "line"))
    entry_first = next(arrays)
    columns = {name: next(arrays) for name in _NAMES}
    assert next(arrays, None) is None
    found = {}
    for at, number in enumerate(head["numbers"]):
        cells = _cells(order, at)
        lines = [(int(rows[here]), _cells(line, here)) for here in range(first[at], first[at + 1])]
        where, order_heads, line_heads = head["source"]
        source = SourceRows(where, (tuple(order_heads), tuple(line_heads)), [(cells, lines)])
        entries = [_entry(head, columns, here) for here in range(entry_first[at], entry_first[at + 1])]
        found[number] = OrderDetail(number, number.join(head["joined"]), [source], entries)
    return found


def _read(whole: bytes) -> tuple[dict[str, Any], Iterator[Any]]:
    at = 4 + int.from_bytes(whole[:4], "little")
    head = json.loads(whole[4:at])
    found = []
    for kind, count in head["arrays"]:
        size = count * int(kind[1])
        found.append(np.frombuffer(whole[at : at + size], f"<{kind}"))
        at += size
    assert at == len(whole)
    return head, iter(found)


def _cells(columns: list[tuple[list[str], Any]], at: int) -> tuple[str, ...]:
    return tuple(texts[codes[at]] for texts, codes in columns)


def _entry(head: dict[str, Any], columns: dict[str, Any], at: int) -> EntryRow:
    letter, place, row, quantity, unit, booked, name, tax = (int(columns[one][at]) for one in _NAMES)
    letters, digits = head["letters"][letter], head["digits"]
    codes, rule = head["taxes"][tax]
    origin, own = head["parts"].get(letters, ("", ""))
    net, gross = (quantity * unit, booked) if head["isNet"] else (booked, quantity * unit)
    amounts = [units_text(one, digits) for one in (net, gross - net, gross)]
    return EntryRow(
        *(
            f"{letters}{place}",
            head["names"][name],
            str(quantity),
            units_text(unit, digits),
            codes or "exempt",
            *amounts,
        ),
        origin=f"row {row}" if row else origin,
        rule=rule or own,
    )
