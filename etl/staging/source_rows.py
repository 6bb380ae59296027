"""The rows of an order as a person sees them in the file: for reports, never for reading."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from etl.model.export import plain
from etl.staging.loaded import LoadedFile
from etl.staging.spool import Part

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


def file_rows(files: Sequence[LoadedFile], parts: Iterable[Part]) -> list[FileRows]:
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


def _rows_of(file: LoadedFile, part: Part) -> FileRows:
    layout = file.layout
    order = tuple(column.header for column in layout.order)
    lines = tuple(column.header for column in (*layout.line, *layout.other))
    content: Any = marshal.loads(part.data)  # noqa: S302 - written by this process, in a file that only it can read
    if file.objects is not None:
        return FileRows(file.name, order, lines, _object_groups(file, part, content), 0, file.is_correction)
    groups, _, below = content
    shown: Groups = [(_plain(cells), [(row, _plain(line)) for row, line in rows]) for cells, rows in groups]
    if below:
        shown.append(((), [(row, _plain(line)) for row, line, _ in below]))
    return FileRows(file.name, order, lines, shown, len(below), file.is_correction)


def _object_groups(file: LoadedFile, part: Part, content: Any) -> Groups:
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
