"""Further lines of an order in the same row: in columns that are numbered, or all of them in one cell.

Rule: design section 3: never the rest of an order as the whole. Of a table one line is read from a row, so an order that
has more of them in it is not whole, and that is said once, as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from etl.model.export import plain
from etl.staging.fields import DECLARED, Column, Layout

_NUMBERED = re.compile(r"(\D*)(\d+)(.*)", re.DOTALL)
_PRODUCT = ("products.qty", "products.unitPrice", "products.sku", "products.itemText.product", "products.ean")
_NOTHING = re.compile(r"[0.,\s]*")
_COUNTED = re.compile(r"(?<![\w.,])\d{1,4}\s*(?:[x×*]|stk\.?|pcs?\.?|st\.?)\s*\S", re.IGNORECASE)
_PARTED = re.compile(r"[;|\n]|,\s")
_LEAST_FIELDS = 2
HINT = (
    "Export the lines one row each, with quantity, price and article in columns of their own (a line item export, or a pair "
    "of one file with the orders and one with their lines)."
)


class FurtherLines:
    """The columns of one flat file in which more lines than one of a row may stand."""

    def __init__(self, layout: Layout) -> None:
        left_out = {header for header, why in layout.not_migrated.items() if why == DECLARED}
        others = [
            (at, column) for at, column in enumerate(layout.other, len(layout.line)) if column.header not in left_out
        ]
        self._beside = list(_numbered(layout.line, others))
        fields = {column.field for column in layout.line}
        self._packed = [] if fields & {"products.qty", "products.unitPrice"} else others

    @property
    def is_packed(self) -> bool:
        """Whether nothing else of the row says what was sold, so that it has no line to read."""
        return bool(self._packed)

    def __bool__(self) -> bool:
        return bool(self._beside or self._packed)

    def in_row(self, cells: Sequence[str]) -> tuple[str, str, str] | None:
        """(column, what it shows, what is wrong) of a row's line-level cells; None where nothing is."""
        for at, column in self._beside:
            if at < len(cells) and not _NOTHING.fullmatch(plain(cells[at])):
                return column.header, plain(cells[at]), (
                    f"The row holds further lines of the order, in {column.header} and the like; of a table one line is read "
                    "from a row."
                )  # fmt: skip
        for at, column in self._packed:
            if at < len(cells) and is_packed(shown := plain(cells[at])):
                return column.header, shown, (
                    f"{column.header} seems to hold all lines of the order in one cell ({shown[:80]!r}); lines are read from "
                    "rows of their own."
                )  # fmt: skip
        return None


def is_packed(text: str) -> bool:
    """Whether a text is a list of goods: counts with what they count, parted from each other."""
    counts = _COUNTED.findall(text)
    return bool(counts) and (len(counts) > 1 or not _PARTED.search(text)) and len(text) >= 5


def _numbered(lines: Sequence[Column], others: Collection[tuple[int, Column]]) -> Iterator[tuple[int, Column]]:
    """Columns named like those of the line but for their number, where two fields of a line at least have such twins."""
    wanted = {}
    for column in lines:
        match = _NUMBERED.fullmatch(column.header)
        if match and column.field in _PRODUCT:
            wanted[match[1].casefold(), match[3].casefold()] = (column.field, match[2])
    found: dict[str, list[tuple[str, int, Column]]] = {}
    for at, column in others:
        match = _NUMBERED.fullmatch(column.header)
        known = wanted.get((match[1].casefold(), match[3].casefold())) if match else None
        if match and known and known[1] != match[2]:
            found.setdefault(match[2], []).append((known[0], at, column))
    for twins in found.values():
        if len({field for field, _, _ in twins}) >= _LEAST_FIELDS:
            yield from ((at, column) for _, at, column in twins)
