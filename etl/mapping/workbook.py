"""mapping.xlsx: the tables of the mapping folder as sheets of one workbook.

Rule: design section 4. Cells are taken by the rules of `etl.reading`, so that a sheet and a CSV table with the same
content are the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from etl.errors import InputError
from etl.mapping.table import Table, is_comment, is_header, table_of, trim
from etl.model.export import BROKEN, DATE, NUMBER, plain, stored
from etl.model.faults import Fault, nearest
from etl.model.mapping_tables import TABLES, TableSpec
from etl.model.place import Place
from etl.reading.office import open_workbook
from etl.reading.remarks import RemarkedValue
from etl.reading.sheet import Findings, Sheet, address
from etl.reading.shown import Role, taken

WORKBOOK = "mapping.xlsx"
REFERENCE = "mews "
"""Sheets whose name begins so show what Mews has to choose from; like the folder `mews/` they are never read as tables."""
BESIDE = frozenset({"guide", "lists"})
"""Sheets that `init` writes for people and for the drop-down lists."""
_WIDEST = 256
_ROLES = {
    **dict.fromkeys(("vat_percent", "total", "tax", "orders"), Role.NUMBER),
    **dict.fromkeys(("valid_from", "valid_before", "date", "month"), Role.HELD),
    **dict.fromkeys(("key", "code", "method", "market", "header", "value", "order_number", "sku"), Role.KEY),
}
"""What a column takes of a cell whose format shows something else than it holds; all others take the text."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A sheet as a person sees it: rows of text cells, the row of the header (from 1, 0 where there is none) among them."""

    rows: tuple[tuple[str, ...], ...] = ()
    header: int = 0


@dataclass(slots=True)
class WorkbookTables:
    """The tables of mapping.xlsx by their CSV names, and every sheet as it is seen, by its own name."""

    tables: dict[str, Table] = field(default_factory=dict)
    sheets: dict[str, Lines] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def sheet_of(file: str) -> str:
    """The sheet that holds a table: `taxes` for taxes.csv."""
    return file.removesuffix(".csv")


def table_named(sheet: str) -> str:
    """The table that a sheet holds: `taxes.csv` for taxes, Taxes and taxes.csv; "" for another sheet."""
    name = f"{sheet.strip().casefold().removesuffix('.csv')}.csv"
    return name if name in TABLES else ""


def read_workbook_tables(path: Path) -> WorkbookTables:
    """The tables of the workbook. Faults are part of the answer, never raised. Effects: reads the file."""
    found = WorkbookTables()
    try:
        with closing(open_workbook(path)) as book:
            for sheet in book.sheets:
                _take(sheet, found)
    except InputError as error:
        found.faults.append(Fault(Place(WORKBOOK), f"{error.message.replace(str(path), 'The file')} {error.hint}"))
    except OSError as error:
        found.faults.append(Fault(Place(WORKBOOK), f"The file can't be read: {error.strerror or error}."))
    return found


def _take(sheet: Sheet, found: WorkbookTables) -> None:
    place = Place(WORKBOOK, sheet=sheet.name)
    file = table_named(sheet.name)
    if not file:
        found.sheets[sheet.name] = Lines(tuple(tuple(map(_held, cells)) for _, cells in sheet.open(Findings(_WIDEST))))
        _unknown(sheet.name, place, found)
        return
    if file in found.tables:
        found.faults.append(Fault(place, f"A sheet for {file} stands in the workbook already. Keep one of the two."))
        return
    if sheet.is_hidden:
        found.notices.append(f"{place}: the sheet is hidden; it was read like the others.")
    reader = _SheetRows(place, TABLES[file])
    table = reader.read(sheet)
    found.tables[file] = replace(
        table, faults=(*table.faults, *reader.faults), notices=(*table.notices, *reader.notices)
    )
    found.sheets[sheet.name] = Lines(tuple(reader.seen), reader.header)


def _unknown(name: str, place: Place, found: WorkbookTables) -> None:
    """A table under a wrong name would be left out in silence, and its decisions with it."""
    if name.startswith(REFERENCE) or name in BESIDE:
        return
    near = nearest(name.strip(), [sheet_of(file) for file in TABLES], cutoff=0.8)
    if near:
        found.faults.append(Fault(place, f"There is no such table. Did you mean {near}? Rename the sheet."))
    else:
        found.notices.append(f"{place}: is no table of the mapping and was not read.")


def _held(cell: str) -> str:
    """The text of a cell of which nobody asks what it means."""
    return stored(cell).removesuffix(" 00:00:00") if cell[:1] == DATE else plain(cell)


class _SheetRows:
    """Reads one sheet; `faults` and `notices` are those of its cells, `seen` all its rows as text."""

    def __init__(self, place: Place, spec: TableSpec) -> None:
        self._place = place
        self._spec = spec
        self._names: list[str] = []
        self._findings = Findings(_WIDEST)
        self.header = 0
        self.seen: list[tuple[str, ...]] = []
        self.faults: list[Fault] = []
        self.notices: list[str] = []

    def read(self, sheet: Sheet) -> Table:
        """The table; one without a header has a fault."""
        rows = sheet.open(self._findings)
        above = 0
        for number, cells in rows:
            names = [trim(plain(cell)) for cell in cells]
            self.seen.append(tuple(names))
            if is_header(self._spec, names):
                self._names, self.header, above = names, len(self.seen), number
                break
        while self._names and not self._names[-1]:
            self._names.pop()
        return table_of(replace(self._place, row=above or None), self._names, self._lines(rows), self._spec)

    def _lines(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        for number, cells in rows:
            here = replace(self._place, row=number)
            texts = [_held(cell) for cell in cells]
            if not is_comment(texts):
                texts = [self._text(here, at, cell) for at, cell in enumerate(cells)]
                self._far(here)
            self._findings.far = []
            self.seen.append(tuple(texts))
            yield number, texts

    def _text(self, here: Place, at: int, cell: str) -> str:
        """The text that stands for a cell; one that holds no value is a fault."""
        name = self._names[at] if at < len(self._names) else ""
        if cell[:1] not in (NUMBER, DATE, BROKEN) or not cell or name.startswith("#"):
            return plain(cell)
        here = here.at(name) if name else here
        try:
            cell, remarks = taken(cell, _ROLES.get(name, Role.TEXT))
        except RemarkedValue as odd:
            remark = odd.remarks[0]
            self.faults.append(Fault(here, f"{remark.message} {remark.hint}".rstrip()))
            return ""
        if cell[:1] == BROKEN:
            self.faults.append(Fault(here, f"{plain(cell)!r} is no value. Write the value itself."))
            return ""
        self.notices += [f"{here}: {remark.message}" for remark in remarks]
        text = stored(cell).removesuffix(" 00:00:00") if cell[:1] in (NUMBER, DATE) else plain(cell)
        # A spreadsheet makes the first of the month out of 2010-12.
        return text[:7] if name == "month" and text.endswith("-01") and len(text) == len("2010-12-01") else text

    def _far(self, here: Place) -> None:
        held = [address(here.row or 0, column) for column, cell in self._findings.far if plain(cell).strip()]
        if held:
            self.faults.append(Fault(here, f"{', '.join(held[:3])} stands far right of the header, in no column."))


def names_of(lines: Lines) -> Sequence[str]:
    """The cells of the header."""
    return lines.rows[lines.header - 1] if lines.header else ()
