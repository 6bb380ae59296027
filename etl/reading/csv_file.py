"""Delimited text: the delimiter is found by looking, rows are read as a stream, a broken row stays one row."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from etl.errors import InputError
from etl.model.export import BadRow, Dialect, HeaderTest, Table, text_cell
from etl.reading.encoding import TextFacts, closer, open_text, stamp

DELIMITERS = (",", ";", "\t", "|")
CELL_LIMIT = 8 << 20
"""Longest cell in characters; beyond it a quote was opened and never closed."""
_HEADER_SEARCH = 30

csv.field_size_limit(max(CELL_LIMIT, csv.field_size_limit()))


@dataclass(slots=True)
class _Lines:
    """The physical lines of a file, with those of the record being read kept for repair."""

    stream: Iterator[str]
    pending: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        while self.again:
            line = self.again.pop()
            self.pending.append(line)
            yield line
        keep = self.pending.append
        for line in self.stream:
            keep(line)
            yield line


def read_csv(path: Path, facts: TextFacts, is_header: HeaderTest) -> Table:
    """The table of a delimited text file.

    Raises InputError where the text can't be decoded. A row that breaks the quoting comes as BadRow.
    """
    first = _sep_line(facts.head)
    delimiter = first[1] if first else find_delimiter(facts.head, is_header)
    stream, raw = open_text(path, facts)
    rows = _rows(path, facts, stream, delimiter)
    close = closer(stream, raw)
    try:
        header_row, header, skipped = _header(rows, is_header, 1 if first else 0)
    except BaseException:
        close()
        raise
    notices = []
    if skipped:
        notices.append(f"{path}: the header is row {header_row}; what stands above it was left out.")
    return Table(
        path=path,
        format="csv",
        size=facts.size,
        sha256=facts.sha256,
        columns=tuple(cell.strip() for cell in header),
        rows=rows,
        dialect=Dialect(facts.encoding, facts.bom, delimiter, '"', facts.newline),
        header_row=header_row,
        notices=tuple(notices),
        position=_teller(raw),
        close=close,
    )


def find_delimiter(head: str, is_header: HeaderTest) -> str:
    """The delimiter under which the beginning of the file is an export, else most consistent."""
    lines = head.splitlines(keepends=True)
    lines = lines[:200] if len(lines) > 200 else lines[: max(1, len(lines) - 1)]
    return max(DELIMITERS, key=lambda delimiter: _score(lines, delimiter, is_header))


def _score(lines: list[str], delimiter: str, is_header: HeaderTest) -> tuple[bool, float, int, int]:
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return False, 0.0, 0, 0
    at = next((i for i, row in enumerate(rows[:_HEADER_SEARCH]) if is_header([c.strip() for c in row])), None)
    body = rows[at or 0 :]
    if not body:
        return False, 0.0, 0, 0
    width = len(body[0])
    alike = sum(len(row) == width for row in body) / len(body) if width > 1 else 0.0
    return at is not None, alike, width, -DELIMITERS.index(delimiter)


def _sep_line(head: str) -> tuple[str, str] | None:
    match = re.match(r'"?sep=([,;\t|])"?\r?\n', head, re.IGNORECASE)
    return (match[0], match[1]) if match else None


def _header(
    rows: Iterator[tuple[int, list[str]]], is_header: HeaderTest, skip: int
) -> tuple[int, list[str], list[list[str]]]:
    """The header row: the first that names an order number, else the first that is not blank."""
    met: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        if number <= skip or not any(cell.strip() for cell in cells):
            continue
        if is_header([cell.strip() for cell in cells]):
            return number, cells, [row for _, row in met]
        met.append((number, cells))
        if len(met) >= _HEADER_SEARCH:
            break
    if not met:
        return 1, [], []
    return met[0][0], met[0][1], []


def _teller(raw: object) -> Callable[[], int]:
    def tell() -> int:
        return 0 if raw.closed else int(raw.tell())  # type: ignore[attr-defined]

    return tell


def _rows(path: Path, facts: TextFacts, stream: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = _Lines(stream)
    row = 1
    while True:
        reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
        base = row
        pending = lines.pending
        try:
            for cells in reader:
                if cells:
                    yield row, [text_cell(cell) for cell in cells] if facts.has_marks else cells
                row = base + reader.line_num
                pending.clear()
            break
        except csv.Error as error:
            # The first line is the broken one; what the open quote swallowed after it is read again.
            broken, rest = pending[0], pending[1:]
            pending.clear()
            lines.again.extend(reversed(rest))
            yield (
                row,
                BadRow(
                    [text_cell(cell) for cell in _unquoted(broken, delimiter)],
                    f"The quotes of this row are not closed or stand inside a cell ({error}).",
                ),
            )
            row += 1
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} can't be read as {facts.encoding} near row {row}: {error.reason}.",
                place=f"{path}, row {row}",
                hint="Save the file again as UTF-8.",
            ) from error
    if stamp(path) != facts.stamp:
        raise InputError(f"{path} changed while it was read.", place=str(path), hint="Start again.")


def _unquoted(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.rstrip("\r\n").split(delimiter)]
