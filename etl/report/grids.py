"""Tables as values: built once, shown by both the page and the workbook. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from etl.model.money import digits_of
from etl.report.cells import amount_text
from etl.report.facts import Cell, PagePart, Section

_AMOUNT = re.compile(r"-?\d+\.\d{2,}")


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
    """A table of a part of the report: `rows` hold texts; amounts plain with a point, counts as digits.

    `foot`: rows of totals. `empty` is said without rows; a grid without rows and words is left out.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    empty: str = ""
    foot: tuple[tuple[str, ...], ...] = ()
    part: PagePart = PagePart.TOTALS

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.rows and not self.empty and not (self.note and not self.columns)


def columns(text: str) -> tuple[Column, ...]:
    """`Title, Title:kind, ..` as columns."""
    parts = (part.strip().partition(":") for part in text.split(","))
    return tuple(Column(title, Kind(kind) if kind else Kind.TEXT) for title, _, kind in parts)


def totals_rows(
    heads: tuple[Column, ...], rows: Iterable[tuple[str, ...]], keys: Sequence[int], precisions: Mapping[str, int]
) -> tuple[tuple[str, ...], ...]:
    """One row of totals for each value of the columns `keys` (currency first, then basis), where it sums several rows.

    Shape: the first column says All; other texts are empty.
    """
    sums: dict[tuple[str, ...], list[Decimal]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row[at] for at in keys)
        found = sums.setdefault(key, [Decimal(0)] * len(heads))
        counts[key] = counts.get(key, 0) + 1
        for at, head in enumerate(heads):
            if head.kind in (Kind.MONEY, Kind.COUNT) and row[at]:
                found[at] += Decimal(row[at])
    return tuple(
        tuple(_total_cell(head, at, key, keys, found, precisions) for at, head in enumerate(heads))
        for key, found in sums.items()
        if counts[key] > 1
    )


def _total_cell(
    head: Column,
    at: int,
    key: tuple[str, ...],
    keys: Sequence[int],
    found: Sequence[Decimal],
    precisions: Mapping[str, int],
) -> str:
    if head.kind is Kind.COUNT:
        return str(int(found[at]))
    if head.kind is Kind.MONEY:
        return amount_text(found[at], digits_of(key[0], precisions))
    if at in keys:
        return key[list(keys).index(at)]
    return "All" if at == 0 else ""


def free(section: Section, number: int) -> Grid:
    """A free section as a grid; each column is shown by the type of its cells."""
    heads = tuple(
        Column(title, _kind([row[at] for row in section.rows if at < len(row)]))
        for at, title in enumerate(section.columns)
    )
    rows = tuple(_texts(row) for row in section.rows)
    empty = "" if section.text and not heads else section.text or "Nothing to show."
    return Grid(f"section-{number}", section.title, heads, rows, section.text, empty, part=section.part)


def _kind(cells: Sequence[object]) -> Kind:
    filled = [cell for cell in cells if cell not in (None, "")]
    if filled and all(
        isinstance(cell, Decimal) or (isinstance(cell, str) and _AMOUNT.fullmatch(cell)) for cell in filled
    ):
        return Kind.MONEY
    if filled and all(isinstance(cell, int) for cell in filled):
        return Kind.COUNT
    return Kind.TEXT


def _texts(row: Sequence[Cell]) -> tuple[str, ...]:
    """The cells as texts; the amounts of a row, which are of one currency, all with as many decimals."""
    amounts = [cell for cell in row if isinstance(cell, Decimal)]
    places = max(0, *(-int(one.as_tuple().exponent) for one in amounts), 0)
    return tuple(
        amount_text(cell, places) if isinstance(cell, Decimal) else "" if cell is None else str(cell) for cell in row
    )


def basis_words(basis: str) -> str:
    """The basis of an amount, as people say it."""
    return {"gross": "with tax", "net": "without tax"}.get(basis, basis)


def row_words(currency: str, basis: str) -> str:
    """A currency, and that its amounts are without tax where they are."""
    return f"{currency or '(none)'}{' without tax' if basis == 'net' else ''}"


def key_words(key: str) -> str:
    """A key of amounts by currency and basis, as people say it."""
    return f"{key.removesuffix(' net')} without tax" if key.endswith(" net") else key


def by_currency(amounts: Mapping[str, str]) -> str:
    """Amounts of several currencies in one text, none broken inside."""
    return "; ".join(f"{currency}\u00a0{grouped(amount)}" for currency, amount in amounts.items())


def grouped(text: str) -> str:
    """Digits in groups of three, for reading: `1234567.50` is `1,234,567.50`."""
    sign = "-" if text.startswith("-") else ""
    whole, point, rest = text.removeprefix("-").partition(".")
    if not whole.isdigit():
        return text
    return f"{sign}{int(whole):,}{point}{rest}"
