"""Workbooks of every format: which sheets hold orders, where their header is, and what a clerk must know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etl.errors import InputError
from etl.model.export import BadRow, HeaderTest, Table, plain
from etl.reading.encoding import digest, stamp
from etl.reading.package import DamagedPartError, translated
from etl.reading.sheet import Book, Findings, Rows, Sheet, address, letters

_HEADER_SEARCH = 30
_WIDEST_GAP = 256
"""So many empty cells in a header end it: what stands beyond was not meant as a column."""
_OLD_LAST_ROW = 65_536
_NAMED = 20
_SHOWN = 60
_ALIKE = 0.5


@dataclass(slots=True)
class _Head:
    """The beginning of a sheet. `above` are rows over the header, `stray` header cells beyond a wide gap."""

    sheet: Sheet
    findings: Findings
    rows: Rows
    row: int = 0
    header: list[str] = field(default_factory=list)
    above: list[int] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)
    is_export: bool = False

    @property
    def columns(self) -> frozenset[str]:
        """The header's names, without regard to case and order."""
        return frozenset(plain(cell).strip().casefold() for cell in self.header) - {""}


def read_workbook(
    path: Path,
    format_: str,
    open_book: Callable[[Path], Book],
    is_header: HeaderTest,
    sheets: Sequence[str] = (),
) -> list[Table]:
    """A table for every sheet of the workbook that holds orders.

    Rule: design section 3. The first visible sheet with an order number has the header; sheets with the same one, or
    most of it, are read with it, others are told. `sheets` names those to read, hidden ones included. Raises InputError
    where no sheet qualifies or the workbook is damaged.
    """
    before = stamp(path)
    with translated(path):
        book = open_book(path)
    try:
        with translated(path):
            heads = [_head(sheet, is_header) for sheet in _wanted(path, book.sheets, sheets)]
            chosen, notices = _choose(path, heads, named=bool(sheets))
        notices += _left_hidden(path, book.sheets, sheets)
        reader = _Reader(path, format_, book, digest(path), len(chosen), before)
        return [reader.table(head, notices if head is chosen[0] else []) for head in chosen]
    except BaseException:
        book.close()
        raise


def sheets_with(book: Book, is_header: HeaderTest) -> list[str]:
    """The visible sheets that have such a header among their first rows."""
    found = []
    for sheet in book.sheets:
        if not sheet.is_hidden:
            head = _head(sheet, is_header)
            _close(head.rows)
            found += [sheet.name] if head.is_export else []
    return found


def password_error(path: Path) -> InputError:
    """What to say of an encrypted workbook."""
    return InputError(
        f"{path} is protected by a password.",
        code="input.password",
        place=str(path),
        hint="Save a copy without a password and use that.",
    )


def _wanted(path: Path, sheets: Sequence[Sheet], names: Sequence[str]) -> list[Sheet]:
    if not names:
        visible = [sheet for sheet in sheets if not sheet.is_hidden]
        if not visible:
            raise InputError(
                f"{path} has no visible sheet with cells; hidden: {_list([sheet.name for sheet in sheets])}.",
                place=str(path),
                hint="Show the sheet with the orders, or name it in source.sheets of migration.toml.",
            )
        return visible
    wanted = {name.strip().casefold() for name in names}
    found = [sheet for sheet in sheets if sheet.name.strip().casefold() in wanted]
    if not found:
        raise InputError(
            f"{path} has none of the sheets that source.sheets names; it has {_list([s.name for s in sheets])}.",
            place=str(path),
            hint="Correct source.sheets in migration.toml.",
        )
    return found


def _head(sheet: Sheet, is_header: HeaderTest) -> _Head:
    findings = Findings()
    rows = _counted(sheet, findings)
    head = _Head(sheet, findings, rows)
    met: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        if not any(plain(cell).strip() for cell in cells):
            continue
        if is_header([plain(cell).strip() for cell in cells]):
            head.row, head.above, head.is_export = number, [row for row, _ in met], True
            _set_header(head, cells)
            return head
        met.append((number, cells))
        if len(met) >= _HEADER_SEARCH:
            break
    if met:
        head.row = met[0][0]
        _set_header(head, met[0][1])
    return head


def _set_header(head: _Head, cells: list[str]) -> None:
    """The header ends at its last name before a wide gap."""
    filled = [index for index, cell in enumerate(cells) if plain(cell).strip()]
    end = filled[0]
    for index in filled:
        if index - end > _WIDEST_GAP:
            break
        end = index
    head.header = [plain(cell).strip() for cell in cells[: end + 1]]
    head.stray = [index for index in filled if index > end]
    head.findings.width = end + 1


def _choose(path: Path, heads: list[_Head], *, named: bool) -> tuple[list[_Head], list[str]]:
    filled = [head for head in heads if head.header]
    exports = [head for head in filled if head.is_export] or filled
    if not exports:
        raise InputError(
            f"{path} holds no cells in {_list([head.sheet.name for head in heads])}.",
            place=str(path),
            hint="Export the orders again.",
        )
    first = exports[0]
    if named:
        chosen = exports
    else:
        chosen = [head for head in exports if head.is_export == first.is_export and _is_alike(head, first)]
    others = [head.sheet.name for head in filled if head not in chosen]
    notices = []
    if len(chosen) > 1:
        notices.append(f"{path}: {len(chosen)} sheets were read as one batch: {_list([h.sheet.name for h in chosen])}.")
    notices += [_difference(path, head, first) for head in chosen if head.columns != first.columns]
    if others:
        what = "another header" if any(head.is_export for head in filled if head not in chosen) else "no order number"
        verb = "has" if len(others) == 1 else "have"
        left_out = "was left out" if len(others) == 1 else "were left out"
        notices.append(
            f"{path}: {_sheets_of(others)} {verb} {what} and {left_out}; source.sheets can name the sheets to read."
        )
    for head in heads:
        if head not in chosen:
            _close(head.rows)
    return chosen, notices


def _is_alike(head: _Head, first: _Head) -> bool:
    """Whether a sheet has the header of the first one, or most of it: a month with one column more is a month."""
    if not first.is_export:
        return head.columns == first.columns
    shared = len(head.columns & first.columns)
    return shared > _ALIKE * max(len(head.columns), len(first.columns))


def _difference(path: Path, head: _Head, first: _Head) -> str:
    more = [name for name in head.header if name and name.casefold() not in first.columns]
    less = [name for name in first.header if name and name.casefold() not in head.columns]
    parts = [f"has {_list(more)}"] if more else []
    parts += [f"lacks {_list(less)}"] if less else []
    return f"{path}: sheet {head.sheet.name} {' and '.join(parts)}, otherwise than sheet {first.sheet.name}."


def _left_hidden(path: Path, sheets: Sequence[Sheet], names: Sequence[str]) -> list[str]:
    read = {name.strip().casefold() for name in names}
    hidden = [sheet.name for sheet in sheets if sheet.is_hidden and sheet.name.strip().casefold() not in read]
    if not hidden:
        return []
    left_out = "was left out" if len(hidden) == 1 else "were left out"
    return [f"{path}: hidden {_sheets_of(hidden)} {left_out}; source.sheets can name hidden sheets to read."]


@dataclass(slots=True)
class _Reader:
    """Makes the tables of one workbook; the last one closed closes the book."""

    path: Path
    format: str
    book: Book
    sha256: str
    open_tables: int
    before: tuple[int, int]

    def table(self, head: _Head, notices: list[str]) -> Table:
        """The table of a sheet; what is only known at its end comes from `remarks`."""
        where = f"{self.path}, sheet {head.sheet.name}"
        if head.above:
            notices = [*notices, f"{where}: the header is row {head.row}; {_above(head.above)} above it was left out."]
        if head.stray:
            cells = _list([address(head.row, index) for index in head.stray])
            notices = [*notices, f"{where}: {cells} stand far right of the header and are no columns of it."]
        return Table(
            path=self.path,
            format=self.format,
            size=self.path.stat().st_size,
            sha256=self.sha256,
            columns=tuple(head.header),
            rows=self._rows(head),
            sheet=head.sheet.name,
            header_row=head.row or 1,
            notices=tuple(notices),
            close=self._close(head),
            remarks=lambda: tuple(_remarks(where, head, self.book.last_row)),
        )

    def _rows(self, head: _Head) -> Rows:
        if not head.is_export:
            # The header is the first filled row; the search has gone further, so the sheet is begun again.
            _close(head.rows)
            head.findings = Findings(width=len(head.header))
            head.rows = _counted(head.sheet, head.findings)
        findings, width = head.findings, len(head.header)
        with translated(self.path):
            for number, cells in head.rows:
                if number <= head.row and not head.is_export:
                    continue
                row = _far(number, cells, findings) if findings.far else cells
                if len(row) < width:
                    row += [""] * (width - len(row))
                if any(row) or row.__class__ is BadRow:
                    findings.rows += 1
                    findings.last_row = number
                    yield number, row
            _compare(head)
        if stamp(self.path) != self.before:
            raise InputError(
                f"{self.path} changed while it was read.",
                place=str(self.path),
                hint="Save it, close it, and start again.",
            )

    def _close(self, head: _Head) -> Callable[[], None]:
        is_open = True

        def close() -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                _close(head.rows)
                self.open_tables -= 1
                if not self.open_tables:
                    self.book.close()

        return close


def _counted(sheet: Sheet, findings: Findings) -> Rows:
    """The rows of a sheet, counted by whether they hold anything."""
    for number, cells in sheet.open(findings):
        if findings.far or any(cells):
            findings.given += 1
        else:
            findings.blank += 1
        yield number, cells


def _compare(head: _Head) -> None:
    """Raises DamagedPartError where a second count of the sheet's rows finds others than were read."""
    findings = head.findings
    held = findings.held() if findings.held else None
    if held is not None and held.differs(findings.given, findings.blank):
        counts = f"{held.rows:,}" if held.rows is not None else f"{held.surely:,} to {held.perhaps:,} filled"
        raise DamagedPartError(
            f"in its sheet {head.sheet.name} stand {counts} rows, and {findings.given:,} filled and "
            f"{findings.blank:,} empty ones could be read"
        )
    findings.is_recounted = held is not None


def _far(number: int, cells: list[str], findings: Findings) -> list[str]:
    """A row with cells right of the header: what they hold is a fault of its order, blanks are nothing."""
    held = [(column, cell) for column, cell in findings.far if plain(cell).strip()]
    findings.far = []
    if not held:
        return cells
    shown = "; ".join(f"{address(number, column)} holds {plain(cell)[:_SHOWN]!r}" for column, cell in held[:3])
    more = f" and {len(held) - 3} more" if len(held) > 3 else ""
    return BadRow(cells, f"Cells right of the header's last column: {shown}{more}.")


def _remarks(where: str, head: _Head, last_row: int) -> Iterator[str]:
    findings = head.findings
    if findings.rows:
        right = max(len(head.header), 1) - 1
        yield (
            f"{where}: rows {head.row + 1} to {findings.last_row} were read, columns A to {letters(right)}, "
            f"{findings.rows} rows with cells{_again(findings)}."
        )
    if findings.hidden_rows:
        filtered = " by a filter" if findings.is_filtered else ""
        yield (
            f"{where}: {_count(findings.hidden_rows, 'row')} hidden{filtered} "
            f"(the first is row {findings.first_hidden}); hidden rows are read like the others."
        )
    hidden = sorted(column for column in findings.hidden_columns if column < len(head.header))
    if hidden:
        names = [f"{letters(column)} ({head.header[column] or 'no name'})" for column in hidden]
        yield f"{where}: {_count(len(hidden), 'column')} hidden: {_list(names)}; hidden columns are read like the others."
    if findings.last_row >= last_row and findings.rows > last_row * 0.9:
        yield (
            f"{where}: the sheet is full to row {last_row}, the last one that this format has; what came after it "
            "may be missing. Compare the number of orders with the shop's."
        )
    elif findings.last_row == _OLD_LAST_ROW and findings.rows > _OLD_LAST_ROW * 0.9:
        yield (
            f"{where}: the sheet ends at row {_OLD_LAST_ROW:,}, the last one that an .xls has; if it was made from one, "
            "what came after it may be missing. Compare the number of orders with the shop's."
        )


def _again(findings: Findings) -> str:
    """How a second count is told."""
    if not findings.is_recounted:
        return ""
    return "; no other row with anything in it stands in the file, counted a second way"


def _above(rows: list[int]) -> str:
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} rows"


def _count(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"


def _sheets_of(names: list[str]) -> str:
    return f"sheet {names[0]}" if len(names) == 1 else f"sheets {_list(names)}"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(name[:_SHOWN] for name in names[:_NAMED]) + more


def _close(rows: Rows) -> None:
    close = getattr(rows, "close", None)
    if close:
        close()
