"""Delimited text: the dialect is found by looking, rows are read as a stream, a broken row stays one row.

No row may vanish in a quoted cell. A quote that was never meant as one swallows the rows up to the next quote, and the
width may still fit. The evidence is in the cell: lines within it that are rows of the file by themselves. Such a record
is taken apart again: its first line is the broken one, the lines after it are read as rows of their own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from etl.errors import InputError, InternalError
from etl.model.export import REPLACEMENT, BadRow, Dialect, HeaderTest, RowBlock, RowCount, Table, text_cell
from etl.reading.encoding import TextFacts, closer, open_bytes, open_text, stamp
from etl.reading.line_source import LineSource, Pieces, Stream, may_come_in_pieces
from etl.reading.texts import bare

DELIMITERS = (",", ";", "\t", "|")
CELL_LIMIT = 8 << 20
"""Longest cell in characters; beyond it a quote was opened and never closed."""
LINE_LIMIT = 16 << 20
"""Longest line in bytes; beyond it a file is not read line by line."""
WIDTH_LIMIT = 16_384
"""Most columns, as in Excel."""
_SHEET_ENDS = frozenset({65_536, 1_048_576})
_HEADER_SEARCH = 30
_HEAD_LINES = 200
_SAMPLE = 200_000

csv.field_size_limit(max(CELL_LIMIT, csv.field_size_limit()))


@dataclass(frozen=True, slots=True)
class Quoting:
    """How a file separates and quotes: blanks may stand before a quote, a quote in a cell may have a backslash."""

    delimiter: str = ","
    has_blanks: bool = False
    has_backslash: bool = False


@dataclass(slots=True)
class _Lines:
    """The physical lines of a file, with those of the record being read kept for repair."""

    more: Callable[[], Iterator[str] | None]
    stream: Iterator[str] = field(default_factory=lambda: iter(()))
    pending: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        while self.again:
            line = self.again.pop()
            self.pending.append(line)
            yield line
        keep = self.pending.append
        while True:
            for line in self.stream:
                keep(line)
                yield line
            if not self.pending or (more := self.more()) is None:
                return
            # A record goes on beyond these lines.
            self.stream = more


def _none(_cells: Sequence[str]) -> bool:
    return False


def read_csv(path: Path, facts: TextFacts, is_header: HeaderTest, is_comment: HeaderTest = _none) -> Table:
    """The table of a delimited text file. `is_comment` tells rows that are no header, however many stand above it.

    Raises InputError where it can't be read line by line. A row that there is something to say about comes as BadRow.
    """
    if facts.longest > LINE_LIMIT:
        raise InputError(
            f"{path} has a line of more than {facts.longest >> 20} MiB, so it is no table of orders.",
            place=str(path),
            hint="Export the orders as .csv with one row a line.",
        )
    first = _sep_line(facts.head)
    quoting = find_quoting(facts.head, is_header, first[1] if first else "")
    source, raw, close = _source(path, facts, quoting)
    count = RowCount(lines=facts.lines)
    reader = _Rows(path, facts, source, quoting, count)
    rows = reader.run()
    try:
        header_row, header, skipped = _header(rows, is_header, is_comment, 1 if first else 0)
    except BaseException:
        close()
        raise
    columns = tuple(map(bare, header))
    if len(columns) > WIDTH_LIMIT:
        close()
        raise InputError(
            f"{path} has {len(columns):,} columns; no export of orders has more than {WIDTH_LIMIT:,}.",
            place=f"{path}, row {header_row}",
            hint="Look at the header, and export the orders again.",
        )
    reader.begin(columns, header_row)
    return Table(
        path=path,
        format="csv",
        size=facts.size,
        sha256=facts.sha256,
        columns=columns,
        rows=rows,
        dialect=Dialect(facts.encoding, facts.bom, quoting.delimiter, '"', facts.newline),
        header_row=header_row,
        notices=(*facts.notices, *_notices(path, header_row, skipped, quoting)),
        position=_teller(raw),
        close=close,
        count=count,
        remarks=lambda: tuple(_full(path, count)),
        in_blocks=reader.in_blocks,
    )


def _source(path: Path, facts: TextFacts, quoting: Quoting) -> tuple[LineSource, IO[bytes], Callable[[], None]]:
    """What gives the lines of the file, its raw bytes, and what closes it."""
    if may_come_in_pieces(facts) and not quoting.has_backslash and not quoting.has_blanks:
        stream, raw = open_bytes(path, facts)
        return Pieces(stream, facts), raw, closer(stream, raw)
    text, raw = open_text(path, facts)
    return Stream(text), raw, closer(text, raw)


def _full(path: Path, count: RowCount) -> Iterator[str]:
    """Whether the file ends where a spreadsheet does: what was opened in one and saved again is cut there in silence."""
    rows = count.lines - count.inside
    if rows in _SHEET_ENDS:
        yield (
            f"{path} has exactly {rows:,} rows, as many as a spreadsheet holds; if a spreadsheet program has written it, "
            "what came after them may be missing. Compare the number of orders with the shop's."
        )


def _notices(path: Path, header_row: int, skipped: list[list[str]], quoting: Quoting) -> Iterator[str]:
    if skipped:
        yield f"{path}: the header is row {header_row}; what stands above it was left out."
    if quoting.has_backslash:
        yield f'{path}: quotes within cells are written with a backslash (\\"), and were read so.'


def find_quoting(head: str, is_header: HeaderTest, delimiter: str = "") -> Quoting:
    """The dialect under which the beginning of the file is an export, else most consistent."""
    lines = head.splitlines(keepends=True)
    lines = lines[:_HEAD_LINES] if len(lines) > _HEAD_LINES else lines[: max(1, len(lines) - 1)]
    marks = (delimiter,) if delimiter else DELIMITERS
    best = Quoting(max(marks, key=lambda mark: _score(lines, Quoting(mark), is_header)))
    if re.search(rf'{re.escape(best.delimiter)} +"', head):
        best = _better(lines, best, replace(best, has_blanks=True), is_header)
    return replace(best, has_backslash=_has_backslashes(head, best.delimiter))


def _has_backslashes(head: str, delimiter: str) -> bool:
    """Whether quoted cells hold quotes with a backslash: such a cell ends at a later quote, not at the first one."""
    if '\\"' not in head:
        return False
    mark = re.escape(delimiter)
    cell = re.compile(rf'(?:^|{mark} *)"((?:[^"\\\n]|\\.){{0,1000}})"(?={mark}|\r?$)', re.MULTILINE)
    return any('\\"' in match[1] for match in cell.finditer(head[:_SAMPLE]))


def _better(lines: list[str], plain: Quoting, other: Quoting, is_header: HeaderTest) -> Quoting:
    return max((plain, other), key=lambda one: (_score(lines, one, is_header)[:2], one is plain))


def _score(lines: list[str], quoting: Quoting, is_header: HeaderTest) -> tuple[bool, float, int, int]:
    rows = [row for line in _whole(lines, quoting) if (row := _cells(line, quoting))]
    at = next((i for i, row in enumerate(rows[:_HEADER_SEARCH]) if is_header(list(map(bare, row)))), None)
    body = rows[at or 0 :]
    if not body:
        return False, 0.0, 0, 0
    width = len(body[0])
    alike = sum(len(row) == width for row in body) / len(body) if width > 1 else 0.0
    return at is not None, alike, width, -DELIMITERS.index(quoting.delimiter)


def _whole(lines: list[str], quoting: Quoting) -> Iterator[str]:
    """Lines joined where a quote is open, so far as that helps to compare dialects."""
    held = ""
    for line in lines:
        held += line
        if held.count('"') % 2 == 0 or quoting.has_backslash or len(held) > _HEAD_LINES * 500:
            yield held
            held = ""
    if held:
        yield held


def _cells(line: str, quoting: Quoting) -> list[str]:
    """The cells of one line or record by itself; none where its quotes are broken."""
    if quoting.has_backslash:
        line = unescaped(line)
    try:
        return next(
            csv.reader(
                line.splitlines(keepends=True),
                delimiter=quoting.delimiter,
                strict=True,
                skipinitialspace=quoting.has_blanks,
            ),
            [],
        )
    except csv.Error:
        return ["", "", ""]


_ESCAPED = re.compile(r'\\([\\"])')


def unescaped(line: str) -> str:
    """A line whose quotes have backslashes, with doubled quotes instead."""
    return _ESCAPED.sub(lambda match: '""' if match[1] == '"' else "\\", line)


def _sep_line(head: str) -> tuple[str, str] | None:
    match = re.match(r'"?sep=([,;\t|])"?\r?\n', head, re.IGNORECASE)
    return (match[0], match[1]) if match else None


def _header(
    rows: Iterator[tuple[int, list[str]]], is_header: HeaderTest, is_comment: HeaderTest, skip: int
) -> tuple[int, list[str], list[list[str]]]:
    """The header row: the first that names an order number, else the first that is not blank."""
    met: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        if number <= skip or not any(cell.strip() for cell in cells) or is_comment(cells):
            continue
        if is_header(list(map(bare, cells))):
            return number, cells, [row for _, row in met]
        met.append((number, cells))
        if len(met) >= _HEADER_SEARCH:
            break
    if not met:
        return 1, [], []
    return met[0][0], met[0][1], []


def _teller(raw: IO[bytes]) -> Callable[[], int]:
    return lambda: 0 if raw.closed else int(raw.tell())


_OTHER_MARKS = re.compile(r"[\w.]+(?: *([~^¦§#*:/\\\x1e\x1f]|::|\|\|) *[\w.]+){3,}")


def unread_dialect(columns: Sequence[str]) -> str:
    """What a header without an order number shows of how its file separates cells otherwise; "" for nothing."""
    named = [column.strip() for column in columns if column.strip()]
    header = " ".join(named)
    if len(named) > 1 and all(re.fullmatch(r"'[^']*'", name) for name in named):
        return "Its cells stand in single quotes ('); export it with double quotes, or with none."
    found = _OTHER_MARKS.fullmatch(header)
    if found:
        return f"Its cells seem to be separated by {found[1]!r}; export it with commas, semicolons or tabs."
    if len(named) == 1 and len(re.split(r" {2,}", header)) > 3:
        return "Its columns seem to have fixed widths; export it with commas, semicolons or tabs."
    return ""


class _Rows:
    """Reads the records of a file one by one, and accounts for every line."""

    def __init__(self, path: Path, facts: TextFacts, source: LineSource, quoting: Quoting, count: RowCount) -> None:
        self._path, self._facts, self._quoting, self._count = path, facts, quoting, count
        self._source = source
        self._lines = _Lines(source.more)
        self._is_escaped = False
        self._columns: tuple[str, ...] = ()
        self._row = 1
        self._is_begun = False

    def begin(self, columns: tuple[str, ...], header_row: int) -> None:
        """What has been read so far is the header and what stands above it."""
        self._columns, self._is_begun = columns, True
        count = self._count
        count.above = header_row - 1
        count.header = self._row - header_row
        count.rows = count.inside = count.blank = 0
        if isinstance(self._source, Pieces):
            self._source.begin()

    def in_blocks(self) -> bool:
        """From here on plain rows come together; false where the file's can't."""
        if not isinstance(self._source, Pieces) or len(self._columns) < 2:
            return False
        self._source.in_blocks(self._quoting.delimiter, len(self._columns))
        return True

    def _unescape(self, line: str) -> str:
        changed = unescaped(line) if "\\" in line else line
        self._is_escaped = self._is_escaped or changed != line
        return changed

    def run(self) -> Iterator[tuple[int, list[str]]]:
        """(line on which the record starts, cells). Raises InputError where the file changes meanwhile."""
        while (found := self._source.take()) is not None:
            if isinstance(found, RowBlock):
                start, rows = self._row, found.grid.count
                self._row += rows
                self._count.rows += rows
                yield start, found
            else:
                self._lines.stream = map(self._unescape, found) if self._quoting.has_backslash else found
                yield from self._records()
        self._check()

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        lines, count = self._lines, self._count
        pending = lines.pending
        quoting, has_marks, is_odd = self._quoting, self._facts.has_marks, self._facts.has_damage
        while True:
            reader = csv.reader(
                iter(lines), delimiter=quoting.delimiter, strict=True, skipinitialspace=quoting.has_blanks
            )
            base = start = self._row
            is_broken = False
            try:
                for cells in reader:
                    end = base + reader.line_num
                    if end - start != 1:
                        if self._swallows(pending):
                            is_broken = True
                            break
                        count.inside += end - start - 1 if cells else 0
                    self._row = end
                    if cells:
                        count.rows += 1
                        if has_marks or is_odd or self._is_escaped:
                            cells = self._looked_at(cells)  # noqa: PLW2901
                        yield start, cells
                    else:
                        count.blank += 1
                    start = end
                    pending.clear()
                else:
                    break
            except csv.Error as error:
                is_broken = True
                reason = _reason(str(error))
            else:
                reason = "A quotation mark that opens here is never closed: rows below stand within it."
            if is_broken:
                yield self._broken(start, reason)

    def _swallows(self, pending: list[str]) -> bool:
        """Whether lines within a quoted cell are rows of the file by themselves, as the first one is."""
        width = len(self._columns)
        if width < 2:
            return False
        is_whole = pending[0].count(self._quoting.delimiter) >= width - 1
        return is_whole and any(self._is_row(line, width) for line in pending[1:])

    def _is_row(self, line: str, width: int) -> bool:
        bare = line.rstrip("\r\n")
        return bare.count(self._quoting.delimiter) == width - 1 or len(_cells(bare, self._quoting)) == width > 3

    def _broken(self, start: int, reason: str) -> tuple[int, list[str]]:
        """The first line as a broken row; what its quote swallowed is read again."""
        pending = self._lines.pending
        broken, rest = pending[0], pending[1:]
        pending.clear()
        self._lines.again.extend(reversed(rest))
        self._row = start + 1
        self._count.rows += 1
        cells = [text_cell(cell) for cell in _unquoted(broken, self._quoting.delimiter)]
        return start, BadRow(cells, reason)

    def _looked_at(self, cells: list[str]) -> list[str]:
        """The cells, escaped where they read as marks; a bad row where bytes of it are no text."""
        escaped = [text_cell(cell) for cell in cells]
        at = (
            next((at for at, cell in enumerate(escaped) if REPLACEMENT in cell), None)
            if self._facts.has_damage
            else None
        )
        if at is None and self._is_escaped:
            self._is_escaped = False
            return BadRow(escaped, "Quotes of this row have a backslash, and were read as quotes.", "", "text.quotes")
        if at is None:
            return escaped
        header = self._columns[at] if at < len(self._columns) else ""
        return BadRow(
            escaped,
            f"Bytes of {escaped[at][:80]!r} are no character of the file's encoding ({self._facts.encoding}).",
            header,
        )

    def _check(self) -> None:
        if stamp(self._path) != self._facts.stamp:
            raise InputError(f"{self._path} changed while it was read.", place=str(self._path), hint="Start again.")
        count = self._count
        if self._is_begun and count.counted != count.lines:
            raise InternalError(
                f"{self._path} has {count.lines} lines, and {count.counted} were accounted for.", place=str(self._path)
            )


def _reason(error: str) -> str:
    if "unexpected end of data" in error or "field larger" in error:
        return "A quotation mark that opens here is never closed."
    return 'A quotation mark stands inside a quoted cell. Write it twice ("").'


def _unquoted(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.rstrip("\r\n").split(delimiter)]
