"""The user's own rows again, as they stood in the export: what attention.csv is made of."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import simplejson

from etl.model.export import BROKEN, DATE, NUMBER, SHOWN, Dialect, plain, stored
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.style import NumberStyle
from etl.staging.fields import Layout


@dataclass(slots=True)
class RawFile:
    """The rows of some orders from one file.

    Shape: `rows` yields (order number, row, cells) in file order for flat files, `columns` is their
    header; `objects` yields (order number, row, JSON text of the object) for JSON files. Each can be
    read once. `dialect` is the file's; for workbooks UTF-8 with BOM, comma. `style`: how numbers and dates are
    written, for the STYLE column.
    """

    path: Path
    format: str
    dialect: Dialect
    columns: tuple[str, ...]
    rows: Iterator[tuple[str, int, list[str]]]
    objects: Iterator[tuple[str, int, str]]
    style: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether the file has rows and columns; otherwise write `objects`, one a line."""
        return bool(self.columns)

    def encode(self, cells: Sequence[str]) -> bytes:
        """A row in the file's own delimiter, newline and encoding (a byte order mark is left to the writer)."""
        buffer = io.StringIO(newline="")
        csv.writer(
            buffer, delimiter=self.dialect.delimiter, quotechar=self.dialect.quote, lineterminator=self.dialect.newline
        ).writerow(cells)
        return buffer.getvalue().encode(self.dialect.encoding, "replace")


_AMBIGUOUS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}", re.ASCII)


def raw_cells(
    headers: tuple[str, ...],
    wanted: tuple[str, ...],
    layout: Layout,
    cells: tuple[tuple[str, ...], tuple[str, ...]],
    style: NumberStyle,
) -> list[str]:
    """The cells of a row in the order of its file's columns; cells beyond the header follow at the end."""
    order, line = cells
    row = [""] * len(headers)
    columns = (*layout.line, *layout.other)
    for column, cell in chain(zip(layout.order, order, strict=True), zip(columns, line, strict=False)):
        row[column.index] = _held(cell) if column.kind in AS_STORED else cell
    kept = set(wanted)
    shown = [_shown(cell, style) for header, cell in zip(headers, row, strict=True) if header in kept]
    return [*shown, *(_shown(cell, style) for cell in line[len(columns) :])]


AS_STORED = NUMERIC | {Kind.DATE}
"""Kinds whose cells are written as the workbook holds them: what its format shows may hide a cent or the year."""


def _held(cell: str) -> str:
    return cell[0] + stored(cell) if cell[:1] in (NUMBER, DATE) and cell else cell


def _shown(cell: str, style: NumberStyle) -> str:
    if cell[:1] != NUMBER or SHOWN in cell:
        return plain(cell)
    # 1.234 of a number cell is no thousand, and as a text it could be one: a fourth decimal decides.
    literal = cell[1:] + "0" if _AMBIGUOUS.fullmatch(cell[1:]) else cell[1:]
    return literal.replace(".", ",") if style is NumberStyle.COMMA else literal


def object_text(record: dict[str, Any]) -> str:
    """The JSON text of an order object, on one line."""
    return simplejson.dumps(_plain(record), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, str) and value[:1] == NUMBER:
        return simplejson.RawJSON(value[1:])
    if isinstance(value, str) and value[:1] in (BROKEN, DATE):
        return plain(value)
    return plain(value) if isinstance(value, str) else value
