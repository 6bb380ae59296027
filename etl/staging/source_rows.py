"""The rows of an order as a person sees them in the file: for reports, never for reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from etl.model.export import plain
from etl.staging.loaded import LoadedFile
from etl.staging.raw_part import RawPart
from etl.staging.spool import ParsedPart

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
Groups = list[tuple[Sequence[str], list[tuple[int, Sequence[str]]]]]
"""(order-level cells, [(row, line-level cells), ..]), as the file gave them."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """What one file holds of an order. `order_headers` and `line_headers` name the cells of `groups`.

    `below`: how many of the rows stand below it and name no order. `is_correction`: of a --corrections file.
    """

    where: str
    order_headers: tuple[str, ...]
    line_headers: tuple[str, ...]
    groups: Groups
    below: int = 0
    is_correction: bool = False


@dataclass(frozen=True, slots=True)
class FileText:
    """The rows of an order of one flat file. `groups`: as those of `FileRows`, as JSON."""

    where: str
    order_headers: tuple[str, ...]
    line_headers: tuple[str, ...]
    groups: str


class PlainRows:
    """The rows of orders of flat files as JSON: orders without objects, rows below, or several files."""

    def __init__(self, files: Sequence[LoadedFile]) -> None:
        self._files = files
        self._heads: dict[int, tuple[str, tuple[str, ...], tuple[str, ...]]] = {}

    def of(self, parts: Sequence[ParsedPart | RawPart]) -> FileText:
        """All rows of an order."""
        index = parts[0].file
        heads = self._heads.get(index)
        if heads is None:
            heads = self._heads[index] = heads_of(self._files[index])
        groups: list[Any] = []
        for part in parts:
            groups += part.content()[0]
        text = _encode(groups)
        if "\\u00" in text:
            # Perhaps a mark of a cell's kind, which are control characters.
            text = _encode([(_plain(cells), [(row, _plain(line)) for row, line in rows]) for cells, rows in groups])
        return FileText(*heads, text)


def heads_of(file: LoadedFile) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The name of a flat file, and the headers of its order-level and line-level cells."""
    layout = file.layout
    names = (layout.order, (*layout.line, *layout.other))
    order, lines = (tuple(column.header for column in columns) for columns in names)
    return file.name, order, lines


def rows_hash(file: LoadedFile, groups: Sequence[tuple[Sequence[str], Sequence[tuple[int, Sequence[str]]]]]) -> str:
    """A hash of rows and of what their columns and cells mean."""
    layout = file.layout
    columns = [(column.header, column.field) for column in (*layout.order, *layout.line, *layout.other)]
    style = (file.style.numbers.value, file.style.day_first, file.style.dates)
    how = f"{layout.vocabulary.value}{columns}{len(layout.order)}{style}"
    cells = _encode([(cells, [line for _, line in rows]) for cells, rows in groups])
    return sha256(f"{how}{cells}".encode(errors="surrogatepass")).hexdigest()


def file_rows(files: Sequence[LoadedFile], parts: Iterable[ParsedPart | RawPart]) -> list[FileRows]:
    """The parts of an order, each with the headers of its file; parts of one flat file that follow each other are one."""
    found: list[FileRows] = []
    for part in parts:
        rows = _rows_of(files[part.file], part)
        last = found[-1] if found else None
        if last is not None and files[part.file].objects is None and last.where == rows.where:
            found[-1] = FileRows(
                *(last.where, last.order_headers, last.line_headers),
                last.groups + rows.groups,
                last.below + rows.below,
                last.is_correction,
            )
        else:
            found.append(rows)
    return found


def _rows_of(file: LoadedFile, part: ParsedPart | RawPart) -> FileRows:
    layout = file.layout
    order = tuple(column.header for column in layout.order)
    lines = tuple(column.header for column in (*layout.line, *layout.other))
    content: Any = part.content()
    if file.objects is not None:
        return FileRows(file.name, order, lines, _object_groups(file, part, content), 0, file.is_correction)
    groups, _, below = content
    shown: Groups = [(_plain(cells), [(row, _plain(line)) for row, line in rows]) for cells, rows in groups]
    if below:
        shown.append(((), [(row, _plain(line)) for row, line, _ in below]))
    return FileRows(file.name, order, lines, shown, len(below), file.is_correction)


def _object_groups(file: LoadedFile, part: ParsedPart | RawPart, content: Any) -> Groups:
    row, record = content
    objects = file.objects
    if objects is None or part.copy < 0:
        # A return of get-returns: its own few names are told with the order's problems.
        return [((), [(row, ())])]
    flat = objects.flatten(record)
    nested = [cells for _, contents in flat.contents for cells in contents]
    return [(_plain(flat.order), [(row, _plain(line)) for line in (*flat.lines, *nested)] or [(row, ())])]


def _plain(cells: Sequence[str]) -> tuple[str, ...]:
    """The cells without the marks of their kind; most have none."""
    joined = "".join(cells)
    # Marks are control characters, which are not printable.
    return tuple(cells) if joined.isprintable() else tuple(map(plain, cells))
