"""mapping.xlsx as `init` writes it: a sheet a table, drop-down lists, and what Mews has to choose from.

Rule: design section 4. All cells are text, so that no spreadsheet makes a date of a key or a formula of a name.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from etl.mapping.fields import FIELDS
from etl.mapping.workbook import REFERENCE, Lines, names_of, table_named
from etl.model.mapping import STORE_TYPES
from etl.model.mapping_tables import TABLES
from etl.reading.numbers import plain_rate
from etl.reading.parse import ORDER_STATUSES

Grid = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Header and rows of text."""
Days = Mapping[tuple[str, str], tuple[date | None, date | None]]
"""(country, plain VAT percent) -> first and last local day of its lines in the export."""

_MEANINGS = {"status": ORDER_STATUSES, "storeType": STORE_TYPES}
"""What words of a field may mean, where that is a closed list."""
_LISTS = "lists"
_GUIDE = "guide"
_CELL = 32_767
_SPARE_ROWS = 500
"""So many rows below the last one have the drop-downs too."""
_WIDE, _NARROW = 44, 16
_INLINE = 250
"""A list that is written into the cell's rule may have 255 characters; a longer one stands on a sheet."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the drop-down lists offer. `catalogue`: the tables of `mappings/mews/` by file name; `days` of the export."""

    catalogue: Mapping[str, Grid] = field(default_factory=dict)
    days: Days = field(default_factory=dict)


def workbook_bytes(sheets: Mapping[str, Lines], guide: Mapping[str, Sequence[str]], reference: Reference) -> bytes:
    """The workbook with the sheets in their order, the guide, the lists and a sheet for each table of the catalogue.

    `guide`: file name of a table to the lines that explain it. Pure but for its bytes.
    """
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_urls": False}) as book:
        _Writer(book, reference).write(sheets, guide)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class _Looks:
    """Formats: text cells, and the header in bold."""

    text: Format
    head: Format
    note: Format


class _Writer:
    """Writes one workbook."""

    def __init__(self, book: xlsxwriter.Workbook, reference: Reference) -> None:
        self._book = book
        self._reference = reference
        self._looks = _Looks(
            book.add_format({"num_format": "@"}),
            book.add_format({"num_format": "@", "bold": True, "bottom": 1, "bg_color": "#DCE6F1"}),
            book.add_format({"num_format": "@", "font_color": "#7F7F7F"}),
        )
        self._lists: dict[tuple[str, ...], str] = {}
        self._choices = _choices(reference.catalogue)
        self._codes = [*_codes(reference.catalogue)]

    def write(self, sheets: Mapping[str, Lines], guide: Mapping[str, Sequence[str]]) -> None:
        """All sheets. The lists come last, once it is known which there are."""
        written = {name: self._sheet(name, lines) for name, lines in sheets.items()}
        self._guide(guide)
        for file, (header, rows) in self._reference.catalogue.items():
            self._grid(REFERENCE + file.removesuffix(".csv"), header, rows)
        lists = self._book.add_worksheet(_LISTS)
        lists.hide()
        for name, lines in sheets.items():
            if file := table_named(name):
                self._drop_downs(written[name], file, lines)
        for column, values in enumerate(self._lists):
            lists.write_column(0, column, values, self._looks.text)

    def _sheet(self, name: str, lines: Lines) -> Worksheet:
        sheet = self._book.add_worksheet(name)
        header = names_of(lines)
        for column, title in enumerate(header):
            width = _WIDE if title in ("key", "product", "account", "accounting_category") else _NARROW
            is_note = title.startswith("#")
            sheet.set_column(
                column, column, _WIDE if is_note else width, self._looks.note if is_note else self._looks.text
            )
        for row, cells in enumerate(lines.rows):
            is_head = row + 1 == lines.header
            for column, cell in enumerate(cells):
                if cell:
                    style = self._looks.head if is_head else None
                    sheet.write_string(row, column, cell[:_CELL], style)
        if header:
            sheet.freeze_panes(lines.header, 0)
            sheet.autofilter(lines.header - 1, 0, max(len(lines.rows) - 1, lines.header), len(header) - 1)
        return sheet

    def _guide(self, guide: Mapping[str, Sequence[str]]) -> None:
        rows = [(file.removesuffix(".csv"), line) for file, lines in guide.items() for line in lines]
        self._grid(_GUIDE, ("sheet", "what it is for"), rows)

    def _grid(self, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, len(header) - 1, 36, self._looks.text)
        sheet.write_row(0, 0, header, self._looks.head)
        for at, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell[:_CELL])
        sheet.freeze_panes(1, 0)

    def _drop_downs(self, sheet: Worksheet, file: str, lines: Lines) -> None:
        header = names_of(lines)
        last = len(lines.rows) + _SPARE_ROWS
        for column, name in enumerate(header):
            for first, end, rule in self._rules(file, name, lines, last):
                sheet.data_validation(first, column, end, column, rule)

    def _rules(self, file: str, name: str, lines: Lines, last: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """(first row, last row, rule) of a column; rows from 0."""
        if (file, name) == ("taxes.csv", "tax_codes"):
            header = names_of(lines)
            for row in range(lines.header, len(lines.rows)):
                cells = dict(zip(header, lines.rows[row], strict=False))
                yield row, row, self._open(self._codes_then(cells))
            yield len(lines.rows), last, self._open(_listed(code.code for code in self._codes))
        elif (file, name) == ("values.csv", "means"):
            header = names_of(lines)
            for row in range(lines.header, len(lines.rows)):
                if words := _MEANINGS.get(dict(zip(header, lines.rows[row], strict=False)).get("field", "")):
                    yield row, row, self._rule(words, "stop")
        elif closed := _closed(file, name):
            yield lines.header, last, self._rule(closed, "stop")
        elif (file, name) == ("columns.csv", "field"):
            yield lines.header, last, self._open((*FIELDS, "-"))
        elif values := self._choices.get(name):
            yield lines.header, last, self._open(values)

    def _codes_then(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """The codes that Mews takes throughout the row's period, those of its rate first; else those of a part of it."""
        start, end = self._period(cells)
        whole = [code for code in self._codes if code.is_valid_throughout(start, end)]
        some = whole or [code for code in self._codes if code.is_valid_within(start, end)]
        percent = plain_rate(cells.get("vat_percent", ""))
        return _listed(code.code for code in sorted(some, key=lambda code: code.percent != percent))

    def _period(self, cells: Mapping[str, str]) -> tuple[str, str]:
        """First and last day of a row, ISO; "" is open."""
        rate = plain_rate(cells.get("vat_percent", ""))
        key = (cells.get("country", "").removeprefix("# "), "" if rate is None else f"{rate.normalize():f}")
        first, last = self._reference.days.get(key, (None, None))
        start, before = cells.get("valid_from", ""), cells.get("valid_before", "")
        return start or str(first or ""), before or str(last or "")

    def _open(self, values: Sequence[str]) -> dict[str, Any]:
        """A list that other values may stand beside: several codes, `eid:`, an entity newer than the list."""
        return self._rule(values, "")

    def _rule(self, values: Sequence[str], error: str) -> dict[str, Any]:
        rule: dict[str, Any] = {"validate": "list", "show_error": bool(error), "source": self._source(values)}
        if error:
            rule |= {
                "error_type": error,
                "error_title": "Not in the list",
                "error_message": "Choose one from the list.",
            }
        return rule

    def _source(self, values: Sequence[str]) -> Any:
        if len(",".join(values)) <= _INLINE and not any("," in value for value in values):
            return list(values)
        name = self._lists.setdefault(tuple(values), xl_col_to_name(len(self._lists)))
        return f"={_LISTS}!${name}$1:${name}${len(values)}"


def _listed(codes: Iterable[str]) -> tuple[str, ...]:
    return (*dict.fromkeys(codes), "exempt")


def _closed(file: str, name: str) -> tuple[str, ...]:
    """The closed list of a column; a `#` before a word keeps the row a comment."""
    spec = next((one for one in TABLES[file].columns if one.name == name), None)
    if spec is None or not spec.allowed or (file, name) == ("payments.csv", "type"):
        return ()
    is_first = TABLES[file].names[0] == name
    return (*spec.allowed, *(f"# {value}" for value in spec.allowed)) if is_first else spec.allowed


def _choices(catalogue: Mapping[str, Grid]) -> dict[str, tuple[str, ...]]:
    """Column of a table -> what Mews has for it, by name and Id; entities in use only."""
    named = {
        "product": "products.csv",
        "account": "accounts.csv",
        "accounting_category": "categories.csv",
        "business_segment": "segments.csv",
    }
    found = {column: tuple(_named(catalogue[file])) for column, file in named.items() if file in catalogue}
    if "payment_types.csv" in catalogue:
        found["type"] = tuple(row[0] for row in catalogue["payment_types.csv"][1])
    return found


def _named(grid: Grid) -> Iterator[str]:
    header, rows = grid
    for row in rows:
        cells = dict(zip(header, row, strict=False))
        if cells.get("active") == "yes":
            yield f"{cells['name']} ({cells['id']})" if cells.get("name") else cells["id"]


@dataclass(frozen=True, slots=True)
class _Code:
    """A tax code in one interval in which Mews takes it; days ISO, `before` exclusive, "" open."""

    code: str
    percent: Any
    start: str
    before: str

    def is_valid_throughout(self, first: str, last: str) -> bool:
        """Whether it is valid on every day from `first` to `last`."""
        return (not self.start or (first or "0") >= self.start) and (not self.before or (last or "9") < self.before)

    def is_valid_within(self, first: str, last: str) -> bool:
        """Whether it is valid on any of the days."""
        return (not self.start or (last or "9") >= self.start) and (not self.before or (first or "0") < self.before)


def _codes(catalogue: Mapping[str, Grid]) -> Iterator[_Code]:
    header, rows = catalogue.get("tax_codes.csv", ((), ()))
    for row in rows:
        cells = dict(zip(header, row, strict=False))
        rate = plain_rate(cells["rate"].removesuffix("%").strip())
        yield _Code(cells["code"], rate, cells["valid_from"][:10], cells["valid_before"][:10])
