"""What many orders open to, packed as columns: no text or figure of an order is touched by itself, neither here nor by the page
until somebody opens the order (`ofColumns` in table.js).

Shape, deflated (RFC 1951): the length of a header (4 bytes, little-endian), the header as JSON, and the arrays that it lists as
[kind, count], one behind the other: whole numbers, little-endian.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from etl.report.cells import printable

if TYPE_CHECKING:
    # Only what plans by columns loads numpy; here its arrays are but asked for their bytes.
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

LEVEL = 1
"""Of compression: codes of columns hardly get smaller by more of it."""
_KINDS = (("u1", 2**8), ("u2", 2**16), ("i4", 2**31))
_WIDEST = "i8"
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Texts(NamedTuple):
    """A column of cells: its distinct texts, and which of them stands where."""

    texts: Sequence[str]
    codes: Numbers


class OpenedRows(NamedTuple):
    """The rows of orders of one flat file. `joined`: the sentence before and after a number. `source`: where, and the
    headers of orders and lines. `first`: where each order's rows begin, and where the last one's end; `rows` of the export.
    """

    joined: tuple[str, str]
    source: tuple[str, Sequence[str], Sequence[str]]
    numbers: Sequence[str]
    order: Sequence[Texts]
    first: Numbers
    rows: Numbers
    line: Sequence[Texts]


class OpenedEntries(NamedTuple):
    """Their entries. `first` as of rows. An entry is named by one of `letters` and its `place`; it comes from a `row` (0 for none)
    and has `quantity`, `unit` and `booked` in units of 10**-`digits`, one of `names`, and one of `taxes` (codes as a text, rule).
    `is_net`: units are without tax, and with it is what is booked; else the other way round. `parts`: origin and rule by the letters of entries that no row stands for.
    """

    digits: int
    letters: Sequence[str]
    names: Sequence[str]
    taxes: Sequence[tuple[str, str]]
    parts: Mapping[str, tuple[str, str]]
    is_net: bool
    first: Numbers
    letter: Numbers
    place: Numbers
    row: Numbers
    quantity: Numbers
    unit: Numbers
    booked: Numbers
    name: Numbers
    tax: Numbers


_ARRAYS = OpenedEntries._fields[OpenedEntries._fields.index("first") :]


def packed_orders(rows: OpenedRows, entries: OpenedEntries) -> bytes:
    """The orders as the page unpacks them."""
    arrays = [_packed(one) for one in _arrays(rows, entries)]
    header = {
        "joined": rows.joined,
        "source": rows.source,
        "numbers": rows.numbers,
        "order": [one.texts for one in rows.order],
        "line": [one.texts for one in rows.line],
        "digits": entries.digits,
        "letters": entries.letters,
        "names": entries.names,
        "taxes": entries.taxes,
        "parts": entries.parts,
        "isNet": entries.is_net,
        "arrays": [(kind, count) for kind, count, _ in arrays],
    }
    told = printable(_encode(header)).encode()
    squeeze = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
    pieces = chain((len(told).to_bytes(4, "little"), told), (data for _, _, data in arrays))
    return b"".join([*map(squeeze.compress, pieces), squeeze.flush()])


def _arrays(rows: OpenedRows, entries: OpenedEntries) -> Iterator[Numbers]:
    """In the order in which the page reads them."""
    yield rows.first
    yield rows.rows
    for column in (*rows.order, *rows.line):
        yield column.codes
    for name in _ARRAYS:
        yield getattr(entries, name)


def _packed(array: Numbers) -> tuple[str, int, bytes]:
    """(kind, count, bytes) of whole numbers, as narrow as they fit."""
    count = len(array)
    least, most = (int(array.min()), int(array.max())) if count else (0, 0)
    kind = next(
        (kind for kind, size in _KINDS if most < size and least >= (-size if kind.startswith("i") else 0)), _WIDEST
    )
    return kind, count, array.astype(f"<{kind}").tobytes()
