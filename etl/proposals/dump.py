"""A dump of whatever shape as one table of raw cells: what proposals are made from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from etl.model.export import BROKEN
from etl.proposals.names import fields_named

Cells = tuple[str, ...]
_LONGEST = 1_000
"""Cells are cut here: what a column is shows in less, and a hundred thousand long texts would not fit."""
_LOOKED_AT = 200
"""So many objects tell which list holds the lines."""
_LINE_FIELDS = frozenset({"products.qty", "products.unitPrice", "products.sku", "products.itemText.product"})


@dataclass(frozen=True, slots=True)
class DumpTable:
    """A table within a dump: its first row, its sheet ("" for other files), its headers, and whether its end is cut."""

    start: int
    sheet: str = ""
    headers: frozenset[str] = frozenset()
    is_cut: bool = False


@dataclass(slots=True)
class Dump:
    """The rows of all files as text cells with their marks (`etl.model.export`).

    Shape: `rows` under `headers`, a header that several files have is one column. `line_headers`: of objects, the
    names inside the list of lines; None for tables, where only the content tells. `lists`: the names of other lists.
    `parts`: the tables that it was collected from.
    """

    headers: tuple[str, ...]
    rows: list[Cells]
    line_headers: frozenset[str] | None = None
    lists: tuple[str, ...] = ()
    parts: tuple[DumpTable, ...] = ()
    nested: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)
    """Name inside a list that is none of lines (`fee_lines.total`) -> row -> what its elements say."""

    @property
    def starts(self) -> tuple[int, ...]:
        """The first row of each table."""
        return tuple(part.start for part in self.parts)

    @property
    def is_whole(self) -> bool:
        """Whether all rows of the files are here."""
        return not any(part.is_cut for part in self.parts)


class Grid:
    """Collects rows of several tables under the union of their headers."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._rows: list[Cells] = []
        self._shared: dict[str, str] = {}
        self._line_headers: set[str] | None = None
        self._lists: dict[str, None] = {}
        self._parts: list[DumpTable] = []
        self._nested: dict[str, dict[int, tuple[str, ...]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add_table(self, headers: Sequence[str], rows: Iterable[Sequence[str]], limit: int, sheet: str = "") -> None:
        """Takes rows of a flat file, at most `limit` of them."""
        at = [self._index(header) for header in headers]
        part = DumpTable(len(self._rows), sheet, frozenset(header.strip() for header in headers))
        self._parts.append(part)
        for count, cells in enumerate(rows):
            if count >= limit:
                self._parts[-1] = replace(part, is_cut=True)
                return
            self._add({index: cell for index, cell in zip(at, cells, strict=False) if cell and not cell.isspace()})

    def add_objects(self, records: Iterable[Any], limit: int) -> None:
        """Takes order objects, until `limit` rows are held: a row for each element of the list that holds the lines."""
        found = (record for record in records if isinstance(record, dict))
        head = list(islice(found, _LOOKED_AT))
        name = _line_list(head)
        self._line_headers = self._line_headers or set()
        part = DumpTable(len(self._rows))
        self._parts.append(part)
        for record in chain(head, found):
            if len(self._rows) >= part.start + limit:
                self._parts[-1] = replace(part, is_cut=True)
                return
            self._add_object(record, name, self._line_headers)

    def _add_object(self, record: Mapping[str, Any], name: str, line_headers: set[str]) -> None:
        flat = flattened(record)
        order = {self._index(path): value for path, value in flat.cells.items() if value}
        self._lists.update(dict.fromkeys(path for path in flat.lists if path != name))
        self._add_nested(flat.lists, name)
        for element in flat.lists.get(name) or [{}]:
            inside = flattened(element, f"{name}.") if isinstance(element, dict) else Flat()
            line_headers.update(inside.cells)
            self._lists.update(dict.fromkeys(inside.lists))
            self._add(order | {self._index(path): value for path, value in inside.cells.items() if value})

    def _add_nested(self, lists: Mapping[str, Sequence[Any]], lines: str) -> None:
        """What the elements of the other lists say, under the row that comes next."""
        for path, values in lists.items():
            for value in values if path != lines else ():
                for name, cell in flattened(value, f"{path}.").cells.items() if isinstance(value, dict) else ():
                    if cell:
                        rows = self._nested.setdefault(name, {})
                        rows[len(self._rows)] = (*rows.get(len(self._rows), ()), cell[:_LONGEST])

    def dump(self) -> Dump:
        """What was collected."""
        width = len(self._at)
        rows = [row if len(row) == width else (*row, *[""] * (width - len(row))) for row in self._rows]
        lines = None if self._line_headers is None else frozenset(self._line_headers)
        return Dump(tuple(self._at), rows, lines, tuple(self._lists), tuple(self._parts), self._nested)

    def _add(self, row: Mapping[int, str]) -> None:
        """Keeps a row; cells that were met before are kept once."""
        share = self._shared.setdefault
        cut = {index: cell if len(cell) <= _LONGEST else cell[:_LONGEST] for index, cell in row.items()}
        self._rows.append(
            tuple(share(cell, cell) if (cell := cut.get(index, "")) else "" for index in range(len(self._at)))
        )

    def _index(self, header: str) -> int:
        return self._at.setdefault(header.strip(), len(self._at))


@dataclass(slots=True)
class Flat:
    """An object: dotted name -> cell, and dotted name -> list of objects."""

    cells: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)


def flattened(record: Mapping[str, Any], path: str = "") -> Flat:
    """The values and lists of an object by their dotted names."""
    flat = Flat()
    _flatten(record, path, flat)
    return flat


def _flatten(record: Mapping[str, Any], path: str, flat: Flat) -> None:
    for key, value in record.items():
        name = path + key
        if isinstance(value, dict):
            _flatten(value, f"{name}.", flat)
        elif isinstance(value, list):
            flat.lists[name] = value
        elif isinstance(value, str):
            flat.cells[name] = value
        elif value is not None:
            flat.cells[name] = f"{BROKEN}{value}" if value is not True and value is not False else str(value).lower()
        else:
            flat.cells.setdefault(name, "")


def _line_list(records: Sequence[Mapping[str, Any]]) -> str:
    """The name of the list that holds the lines: the one whose elements have most names of lines."""
    votes: dict[str, int] = {}
    for record in records:
        for path, values in flattened(record).lists.items():
            votes[path] = votes.get(path, 0) + sum(_likeness(value) for value in values[:20])
    return max(votes, key=lambda path: votes[path], default="")


def _likeness(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return len({name for key in value for name in fields_named(key)} & _LINE_FIELDS)
