"""Order objects of JSON exports as cells: the same columns a flat file would have, in dotted names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etl.model.export import BROKEN
from etl.staging.fields import (
    LINE,
    NOT_MIGRATED,
    Column,
    Layout,
    Names,
    Vocabulary,
    is_secret,
)

NESTED = frozenset({"products", "returns", "discounts", "taxBreakdown"})
BUNDLE = "bundle"
_DEPTH = 4


@dataclass(slots=True)
class Flat:
    """One order object as cells. `bundles` holds (index of the line, its contents' cells)."""

    order: list[str]
    lines: list[list[str]]
    contents: list[tuple[int, list[list[str]]]] = field(default_factory=list)
    nested: dict[str, Any] = field(default_factory=dict)
    blank: frozenset[str] = frozenset()
    broken: tuple[str, ...] = ()


class Objects:
    """Turns the objects of one file into cells; its layout grows with the names it meets."""

    def __init__(self, names: Names, vocabulary: Vocabulary) -> None:
        self.layout = Layout(vocabulary)
        self._names = names
        self._columns: dict[str, Column | None] = {}
        self._secret: dict[str, bool] = {}
        self.nested: set[str] = set()
        """Nested parts met: returns, discounts, taxBreakdown."""

    def clean(self, value: Any) -> Any:
        """The object without personal data that must not be stored."""
        if isinstance(value, dict):
            return {key: self.clean(part) for key, part in value.items() if not self._is_secret(key)}
        if isinstance(value, list):
            return [self.clean(part) for part in value]
        return value

    def flatten(self, record: dict[str, Any]) -> Flat:
        """The cells of an order object, in the layout's order as it is now."""
        order: dict[int, str] = {}
        blank = set()
        for path, value in self._leaves(record, ""):
            column = self._column(path)
            if column is not None and column.field:
                cell = _cell(value)
                if cell:
                    order[column.index] = cell
                else:
                    blank.add(column.field)
        flat = Flat(_row(order, len(self.layout.order)), [], blank=frozenset(blank))
        flat.nested = {name: record[name] for name in NESTED - {"products"} if record.get(name)}
        self.nested.update(flat.nested)
        broken = []
        for product in elements(record.get("products")):
            if not isinstance(product, dict):
                broken.append(str(product))
                continue
            contents = [part for part in elements(product.get(BUNDLE)) if isinstance(part, dict)]
            if contents:
                flat.contents.append((len(flat.lines), [self._line(part) for part in contents]))
            flat.lines.append(self._line(product))
        flat.broken = tuple(broken)
        return flat

    def _line(self, product: dict[str, Any]) -> list[str]:
        cells: dict[int, str] = {}
        for path, value in self._leaves(product, LINE):
            column = self._column(path)
            if column is not None and column.field:
                cells[column.index] = _cell(value)
        return _row(cells, len(self.layout.line))

    def _leaves(self, value: dict[str, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
        for key, part in value.items():
            path = prefix + key
            if (not prefix and key in NESTED) or (prefix == LINE and key == BUNDLE):
                continue
            if isinstance(part, dict) and part and depth < _DEPTH and not self._is_known(path):
                yield from self._leaves(part, f"{path}.", depth + 1)
            else:
                yield path, part

    def _is_known(self, path: str) -> bool:
        column = self._column(path, enter=False)
        return path in NOT_MIGRATED or (column is not None and bool(column.field))

    def _column(self, path: str, *, enter: bool = True) -> Column | None:
        if path in self._columns:
            return self._columns[path]
        layout = self.layout
        if not enter:
            found = self._names.field(path, layout.vocabulary, is_flat=False)
            return Column(-1, path, found) if found else None
        column = self._names.column(0, path, layout.vocabulary, layout, is_flat=False)
        if column is not None and column.field:
            lists = layout.line if column.field.startswith(LINE) else layout.order
            column = lists[-1] = Column(len(lists) - 1, path, column.field, column.kind)
        self._columns[path] = column
        return column

    def _is_secret(self, key: str) -> bool:
        known = self._secret.get(key)
        if known is None:
            known = self._secret[key] = is_secret(key)
            if known:
                self.layout.not_migrated[key] = NOT_MIGRATED["ipAddress"]
        return known


def elements(value: Any) -> list[Any]:
    """The elements of a list, or of an object that numbers its elements; empty for nothing."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return [] if value in (None, "") else [value]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or not value else f"{BROKEN}{str(value)[:80]}"


def _row(cells: dict[int, str], width: int) -> list[str]:
    row = [""] * width
    for index, cell in cells.items():
        row[index] = cell
    return row
