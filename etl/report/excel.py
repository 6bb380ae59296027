"""report.xlsx: the same tables as sheets. Amounts are number cells at up to 16 digits, for reading and
filtering only; the exact record is orders.csv.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import xlsxwriter
import xlsxwriter.workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from etl.model.money import digits_of
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.report.cells import printable
from etl.report.facts import ReportFacts
from etl.report.grids import Column, Grid, Kind, row_words
from etl.report.sheets import A4, SHEET_ROWS, Formats, Sheet, add_table, set_pages, text_of
from etl.report.tables import PROBLEM_COLUMNS, OrderRow, PlainOrder, problem_cells
from etl.report.tally import Group, Tally

_FIXED = ("Summary", "Totals", "Months", "Taxes", "Problems")
_SHEET_OF = {"totals": "Totals", "months": "Months", "taxes": "Taxes", "problems": "Problems"}
_NAMES = {
    "bridge": "Bridge",
    "rounding": "Rounding",
    "categories": "Categories",
    "words": "Words of Mews",
    "unproved": "Not proved",
    "balances": "Open balances",
}
"""Names of sheets that come where there is something to show."""
_IN_SUMMARY = frozenset({*_SHEET_OF, "states", "sources"})
_ORDER_COLUMNS = tuple(
    Column(title, kind)
    for title, kind in (
        ("Order", Kind.TEXT),
        ("State", Kind.TEXT),
        ("Problem", Kind.TEXT),
        ("Currency", Kind.TEXT),
        ("Source total", Kind.MONEY),
        ("Planned total", Kind.MONEY),
        ("Difference", Kind.MONEY),
        ("Month", Kind.TEXT),
        ("Message", Kind.TEXT),
        ("Account", Kind.TEXT),
        ("Mews order", Kind.TEXT),
    )
)
_ORDER_WIDTHS = (14, 15, 24, 10, 18, 18, 16, 10, 70, 38, 38)
_PROBLEM_WIDTHS = (10, 24, 14, 28, 9, 24, 24, 50, 70, 14)
_ORDERS_PRINTED, _PROBLEMS_PRINTED = 9, 9
"""Columns that are printed; ids and what stands in other columns too stay on the screen."""


# Rows of a sheet are alike: this level takes a third of the time of the usual one, for a twelfth more room. The library has no
# setting for it.
xlsxwriter.workbook.ZipFile = partial(ZipFile, compresslevel=3)


class Workbook:
    """The workbook of a report: order rows go to disk as they come, the other sheets are written at the end."""

    def __init__(
        self, stream: IO[bytes], scratch: Path, precisions: Mapping[str, int], *, sheet_rows: int = SHEET_ROWS
    ) -> None:
        options = {
            "constant_memory": True,
            "tmpdir": str(scratch),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(stream, options)
        self._book.use_zip64()
        self._precisions = precisions
        self._sheet_rows = sheet_rows
        self._formats = Formats(self._book)
        self._fixed: dict[str, Worksheet] = {name: self._small_sheet(name) for name in _FIXED}
        self._orders = Sheet(
            self._book, "Orders", _ORDER_COLUMNS, self._formats, _ORDER_WIDTHS, sheet_rows, _ORDERS_PRINTED
        )
        self._problems: Sheet | None = None

    def _small_sheet(self, name: str) -> Worksheet:
        """A sheet that is held in memory: only such a one may have tables of the library's own making."""
        self._book.constant_memory = False
        try:
            sheet = self._book.add_worksheet(name)
            # The library closes the rows on disk of every sheet; this one has none.
            sheet.row_data_fh_closed = True
            return sheet
        finally:
            self._book.constant_memory = True

    def add_order(self, order: OrderStatus, row: OrderRow) -> None:
        """Appends one order. `row`: its texts."""
        self._append(row, (order.source_total, order.planned_total, order.difference))

    def add_plain(self, orders: Sequence[PlainOrder]) -> None:
        """Appends orders of which nothing is to be said."""
        self._orders.append_plain(orders, self._money)

    def _append(self, row: OrderRow, amounts: tuple[Decimal | None, ...]) -> None:
        texts = (row.month, row.message, row.account_id, row.mews_order_id)
        self._orders.append(
            (row.order, row.state, row.problem, row.currency, *amounts, *texts), self._money(row.currency)
        )

    def _money(self, currency: str) -> Format:
        return self._formats.money(digits_of(currency, self._precisions), currency)

    def add_problem(self, problem: Problem) -> None:
        """Appends one problem or notice."""
        if self._problems is None:
            columns = [Column(title.capitalize()) for title in PROBLEM_COLUMNS]
            sizes = (_PROBLEM_WIDTHS, self._sheet_rows, _PROBLEMS_PRINTED)
            self._problems = Sheet(self._book, "Problem rows", columns, self._formats, *sizes)
        self._problems.append(problem_cells(problem), self._formats.count)

    def finish(self, facts: ReportFacts, grids: Mapping[str, Grid], tally: Tally) -> None:
        """Writes the other sheets and the file. *Raises*: OSError where the disk is full."""
        self._orders.finish()
        if self._problems:
            self._problems.finish()
        _write_summary(self._fixed["Summary"], facts, grids, tally, self._formats)
        for key, name in _SHEET_OF.items():
            _write_grid(self._fixed[name], grids[key], self._formats)
        for key, grid in grids.items():
            if key not in _IN_SUMMARY and not grid.is_empty:
                _write_grid(self._small_sheet(self._free_name(_NAMES.get(key, grid.title))), grid, self._formats)
        self._book.set_properties({"title": f"centra-mews {facts.command}", "comments": facts.plan})
        try:
            self._book.close()
        except FileCreateError as error:
            # xlsxwriter wraps the disk's own word.
            raise error.args[0] if error.args and isinstance(error.args[0], OSError) else OSError(str(error)) from error

    def discard(self) -> None:
        """Closes the rows that are on disk, without writing a workbook."""
        for sheet in self._book.worksheets():
            try:
                sheet._opt_close()  # noqa: SLF001 - the library closes its own files only when it writes a workbook
            except OSError:
                continue

    def _free_name(self, title: str) -> str:
        """The title as a sheet's name: at most 31 characters, none that Excel forbids, each once."""
        taken = {sheet.get_name().lower() for sheet in self._book.worksheets()}
        base = (
            "".join(" " if letter in "[]:*?/\\" else letter for letter in printable(title)).strip(" '")[:31]
            or "Section"
        )
        if base.lower() == "history":
            base = "History of orders"
        name, number = base, 1
        while name.lower() in taken:
            number += 1
            name = f"{base[:27]} {number}"
        return name


def _write_grid(sheet: Worksheet, grid: Grid, formats: Formats) -> None:
    """A grid with its heading in row 1, the rows of totals below the table, the note under all."""
    room = SHEET_ROWS - len(grid.foot) - 4
    shown = min(len(grid.rows), room)
    if grid.columns:
        _lay_out(sheet, grid)
        add_table(sheet, shown, grid.columns, formats, grid.key)
    for number, row in enumerate(_filled_down(grid)[:room], 1):
        _write_row(sheet, number, grid, row, formats)
    last = max(shown, 1)
    for row in grid.foot:
        last += 1
        _write_row(sheet, last, grid, row, formats, is_total=True)
    note = grid.note if grid.rows else grid.empty or grid.note
    if len(grid.rows) > room:
        note = f"{len(grid.rows) - room:,} more rows: see summary.json. {note}"
    if note:
        sheet.write_string(last + 2, 0, text_of(note))
    if grid.columns:
        sheet.print_area(0, 0, last + (2 if note else 0), len(grid.columns) - 1)


def _lay_out(sheet: Worksheet, grid: Grid) -> None:
    for at, column in enumerate(grid.columns):
        cells = [row[at] for row in (*grid.rows[:1000], *grid.foot) if at < len(row)]
        longest = max((len(cell) for cell in cells), default=0)
        # Digits in groups, and the code of the currency behind them.
        room = longest * 4 // 3 + 4 if column.kind is Kind.MONEY else longest
        sheet.set_column(at, at, min(70, max(12, len(column.title) + 4, room + 3)))
    set_pages(sheet)


def _write_row(
    sheet: Worksheet, at_row: int, grid: Grid, row: Sequence[str], formats: Formats, *, is_total: bool = False
) -> None:
    """A row of a grid; its amounts are of the currency that it names."""
    currency = next(
        (cell[:3] for column, cell in zip(grid.columns, row, strict=False) if column.title == "Currency"), ""
    )
    for at, (column, cell) in enumerate(zip(grid.columns, row, strict=False)):
        if not cell:
            continue
        if column.kind is Kind.MONEY:
            _, _, decimals = cell.partition(".")
            sheet.write_number(at_row, at, Decimal(cell), formats.money(len(decimals), currency, is_total=is_total))
        elif column.kind is Kind.COUNT:
            sheet.write_number(
                at_row, at, int(cell), formats.money(0, "", is_total=True) if is_total else formats.count
            )
        elif is_total:
            sheet.write_string(at_row, at, text_of(cell), formats.bold)
        else:
            sheet.write_string(at_row, at, text_of(cell.replace("`", "") if column.title == "What to do" else cell))


def _filled_down(grid: Grid) -> list[tuple[str, ...]]:
    """The rows with what stands once for several of them in each: who filters by it must see all."""
    if grid.key != "problems":
        return list(grid.rows)
    rows: list[tuple[str, ...]] = []
    for row in grid.rows:
        above = rows[-1] if rows and not row[0] else row
        rows.append(
            tuple(
                above[at] if not cell and column.kind in (Kind.TEXT, Kind.CODE) else cell
                for at, (column, cell) in enumerate(zip(grid.columns, row, strict=False))
            )
        )
    return rows


def _write_summary(
    sheet: Worksheet, facts: ReportFacts, grids: Mapping[str, Grid], tally: Tally, formats: Formats
) -> None:
    """Circumstances, counts by state, files and lines to sign."""
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 78)
    sheet.set_column(2, 6, 18)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.write_string(0, 0, text_of(f"centra-mews {facts.command}"), formats.title)
    row = 2
    for label, text in _circumstances(facts):
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_string(row, 1, text_of(text), formats.wrapped)
        row += 1
    row += 1
    sheet.write_string(row, 0, "Orders read", formats.label)
    sheet.write_number(row, 1, tally.read, formats.left_count)
    for state in (state for state in ReportState if tally.states[state]):
        row += 1
        sheet.write_string(row, 0, state.value.replace("_", " "))
        sheet.write_number(row, 1, tally.states[state], formats.left_count)
    row = _write_money(sheet, row + 2, tally, formats)
    for key in ("states", "sources"):
        row = _write_block(sheet, row + 2, grids[key], formats)
    row += 2
    for label in ("Prepared by, date", "Reviewed by, date"):
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_blank(row, 1, None, formats.line)
        row += 2
    sheet.print_area(0, 0, row, 6)


def _write_money(sheet: Worksheet, row: int, tally: Tally, formats: Formats) -> int:
    """Where the money stands: a line for each currency; gives the last row."""
    heads = [Column("Money"), Column("Currency"), Column("Sold by the shop", Kind.MONEY)]
    heads += [Column(f"{group.value[:1].upper()}{group.value[1:]}", Kind.MONEY) for group in Group]
    for at, column in enumerate(heads):
        sheet.write_string(row, at, column.title, formats.heading_of(column.kind))
    for key, sold in tally.money().items():
        row += 1
        sheet.write_string(row, 1, row_words(*key))
        figures = [sold, *(tally.money(group).get(key, [Decimal(0), Decimal(0)]) for group in Group)]
        for at, (plus, minus) in enumerate(figures, 2):
            sheet.write_number(row, at, plus + minus, formats.money(tally.decimals(key[0]), key[0]))
    return row


def _circumstances(facts: ReportFacts) -> list[tuple[str, str]]:
    rows = [
        ("Verdict", facts.verdict),
        *(("Next", step.replace("`", "")) for step in facts.next_steps),
        ("Enterprise", facts.enterprise_name),
        ("Platform", facts.platform),
        ("Store", facts.store),
        ("Plan", facts.plan),
        ("Run", facts.run_id),
        ("Written", facts.generated.strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("Mapping", facts.mapping_digest),
        ("Exit code", str(facts.exit_code)),
        *(("Note", note) for note in facts.notes),
    ]
    return [(label, text) for label, text in rows if text]


def _write_block(sheet: Worksheet, row: int, grid: Grid, formats: Formats) -> int:
    """A small table inside the summary sheet; gives the row after it."""
    sheet.write_string(row, 0, grid.title, formats.label)
    row += 1
    for at, column in enumerate(grid.columns):
        sheet.write_string(row, at, column.title, formats.heading_of(column.kind))
    for cells in grid.rows:
        row += 1
        _write_row(sheet, row, grid, cells, formats)
    return row + 1
