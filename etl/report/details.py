"""What orders open to, packed into the page: compressed in chunks, so that a year of them opens as quickly as a day.

A chunk is JSON, deflated (RFC 1951) and in base64, in a script element of its own; the page unpacks the one that holds
the order which somebody opens. Orders that were planned as columns stay columns (`packed_orders`).
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from operator import attrgetter

from markupsafe import Markup

from etl.report.cells import printable
from etl.report.facts import Details, EntryRow, Opened, OrderDetail, PackedOrders, SourceRows
from etl.report.plain_detail import PlainDetail, Shared
from etl.report.spool import script_safe

LEVEL = 4
"""Of compression: 6 makes a year's page a tenth smaller and takes more than twice as long."""
ENTRY = (
    "line",
    "name",
    "count",
    "unit",
    "codes",
    "net",
    "tax",
    "gross",
    "booked_tax",
    "booked_gross",
    "origin",
    "rule",
)
"""The fields of an entry, in their order in the chunks."""
_ENTRY = attrgetter(*ENTRY)


def packed(details: Details, chunks: Sequence[Sequence[str]], columns: Sequence[PackedOrders] = ()) -> Iterator[Markup]:
    """Script elements `details-0`, `details-1`, .. for `columns` and the numbers of `chunks`, and `detail-facts`.

    The numbers of `chunks` go by number.
    """
    shared = Shared()
    for at, one in enumerate(columns):
        yield _element(at, one.data(), "application/octet-stream")
    for at, numbers in enumerate(chunks, len(columns)):
        orders = [f"{_text(detail.number)}:{_packed(detail, shared)}" for detail in details(numbers)]
        if not orders:
            continue
        text = printable(f"{{{','.join(orders)}}}")
        squeeze = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
        data = squeeze.compress(text.encode()) + squeeze.flush()
        yield _element(at, data, "text/plain")
    if not shared.is_empty:
        facts = script_safe(printable(_text(shared.document())))
        yield Markup(f'<script type="application/json" id="detail-facts">{facts}</script>\n')  # noqa: S704 - made safe


def _element(at: int, data: bytes, kind: str) -> Markup:
    # base64 holds nothing that HTML reads, and number and kind are our own.
    return Markup(f'<script type="{kind}" id="details-{at}">{b64encode(data).decode()}</script>\n')  # noqa: S704


_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _packed(detail: Opened, shared: Shared) -> str:
    text = shared.text(detail) if isinstance(detail, PlainDetail) else None
    return _text(as_json(detail.whole)) if text is None else text


def as_json(detail: OrderDetail) -> list[object]:
    """[joined, sources, entries] of plain lists; a source is [where, order headers, line headers, groups]."""
    return [detail.joined, [_source(one) for one in detail.sources], [_ENTRY(entry) for entry in detail.entries]]


def _source(one: SourceRows) -> list[object]:
    return [one.where, *one.columns, one.groups]


def filled_columns(one: SourceRows) -> list[tuple[int, str]]:
    """Index and header of the line-level columns that hold anything in these rows."""
    rows = [cells for _, lines in one.groups for _, cells in lines]
    heads = one.columns[1]
    widest = max((len(cells) for cells in rows), default=0)
    names = [*heads, *(f"(column {at + 1})" for at in range(len(heads), widest))]
    return [(at, name) for at, name in enumerate(names) if any(at < len(cells) and cells[at] for cells in rows)]


def has_booked(entries: Sequence[EntryRow]) -> bool:
    """Whether Mews was read back for these entries."""
    return any(entry.booked_gross for entry in entries)
