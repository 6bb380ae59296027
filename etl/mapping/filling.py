"""Filling in cells of a table that stands, and leaving everything else of the file as it is, byte for byte.

Rule: design sections 2 (`init`) and 3a.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from etl.mapping.additions import KEYS, replace_file
from etl.mapping.table import read_table
from etl.model.mapping_tables import TABLES
from etl.reading.encoding import read_text

CANDIDATES = "# candidates"
"""Header of the comment column for a person to choose from."""
Change = Callable[[int, Mapping[str, str]], Mapping[str, str]]
"""Line number and cells by header (of comment rows too) to the cells that change; `{}` for none."""

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_MARKS = (("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE))


def fill_table(path: Path, change: Change) -> int:
    """Applies `change` to every row of one line below the header; gives how many rows changed.

    A table with a fault, and one whose encoding can't hold the new cells, is left as it is. The column `# candidates` is
    added at the end where a row needs it. Effects: replaces the file in one step.
    """
    table = read_table(path, TABLES[path.name])
    if table.faults:
        return 0
    text, facts = read_text(path)
    lines = _LINES.findall(text.removeprefix("\ufeff"))
    changed = _changed(lines, table.delimiter, KEYS[path.name][0], change)
    if not changed:
        return 0
    held = path.read_bytes()
    encoding, mark = next(((name, mark) for name, mark in _MARKS if held.startswith(mark)), (facts.encoding, b""))
    for number, line in changed.items():
        lines[number - 1] = line
    try:
        content = mark + "".join(lines).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return 0
    replace_file(path, content)
    return sum(1 for line in changed if line)


def _changed(lines: list[str], delimiter: str, key: str, change: Change) -> dict[int, str]:
    """Line number to new line."""
    header: list[str] = []
    at, before, found = 0, 0, dict[int, list[str]]()
    reader = csv.reader(lines, delimiter=delimiter)
    for cells in reader:
        first, before = before + 1, reader.line_num
        trimmed = [cell.strip() for cell in cells]
        if not header:
            header, at = (trimmed, first) if key in trimmed else ([], 0)
        elif any(trimmed) and first == reader.line_num:
            new = change(first, dict(zip(header, cells, strict=False)))
            if new:
                header += [CANDIDATES] if CANDIDATES in new and CANDIDATES not in header else []
                found[first] = _with(cells, header, new)
    if found and len(header) > len(next(csv.reader([lines[at - 1]], delimiter=delimiter))):
        found[at] = header
    return {number: _line(cells, delimiter, lines[number - 1]) for number, cells in found.items()}


def _with(cells: list[str], header: list[str], new: Mapping[str, str]) -> list[str]:
    row = cells + [""] * (len(header) - len(cells))
    for name, value in new.items():
        row[header.index(name)] = value
    return row


def _line(cells: list[str], delimiter: str, old: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue() + old[len(old.rstrip("\r\n")) :]
