"""A sheet of any length: rows that go straight to disk, under a heading and in a table. Amounts are number cells at up to 16 digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from html import escape
from itertools import groupby
from operator import attrgetter

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range
from xlsxwriter.worksheet import Worksheet

from etl.model.money import units_text
from etl.report.cells import are_simple, printable
from etl.report.grids import Column, Kind
from etl.report.tables import READY, PlainOrder

SHEET_ROWS = 1_048_576
CELL_CHARS = 32_767
_DIGITS = 16
A4 = 9
_CODE = re.compile("[A-Z]{3}")
_UNFIT = re.compile(r"[^A-Za-z0-9_.]")
_KEPT = 10_000
_money_of = attrgetter("currency", "precision")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN = re.compile(r"[0-9A-Za-z.,:;'()/-](?:[0-9A-Za-z.,:;'()/ -]{0,200}[0-9A-Za-z.,:;'()/-])?")
_ESCAPE = re.compile("(_x[0-9a-fA-F]{4}_)")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_TABLE_STYLE = "Table Style Light 1"


class LongSheet(Worksheet):  # type: ignore[misc]  # the library's types are not exported
    """A sheet whose rows go straight into the file that the library keeps of them, at four times its speed.

    A history of two million orders takes a quarter of an hour cell by cell. The heading and all settings
    are the library's own; only the XML of plain rows is written here.
    """

    def append(self, row: int, cells: Sequence[str | Decimal | None], money: Format) -> None:
        """Writes one row below all that were written; empty cells take no room."""
        self._put_heading()
        parts = [f'<row r="{row + 1}">']
        for letter, cell in zip(_LETTERS, cells, strict=False):
            if cell is None or cell == "":
                continue
            if isinstance(cell, Decimal):
                # Formatted from the Decimal itself: no float on the way into the file.
                parts.append(f'<c r="{letter}{row + 1}" s="{money.xf_index}"><v>{cell:.16G}</v></c>')
            else:
                parts.append(f'<c r="{letter}{row + 1}" t="inlineStr"><is>{_inline(cell)}</is></c>')
        parts.append("</row>")
        self.fh.write("".join(parts))
        self.dim_rowmax = row

    def append_plain(
        self, row: int, orders: Sequence[PlainOrder], money: Callable[[str], Format], tails: Tails
    ) -> None:
        """Writes rows of the sheet of orders below all that were written, as `append` writes them one by one."""
        self._put_heading()
        at, parts = row + 1, list[str]()
        for (currency, precision), some in groupby(orders, _money_of):
            alike = list(some)
            parts.extend(_plain_rows(at, alike, money(currency).xf_index, units_text(0, precision), tails))
            at += len(alike)
        self.fh.write("".join(parts))
        self.dim_rowmax = row + len(orders) - 1

    def make_table(self, rows: int, columns: Sequence[Column], formats: Formats, name: str) -> None:
        """Makes a table of the heading and the `rows` below it."""
        self._put_heading()
        # The library refuses tables over rows that are on disk already; their cells are written as it would have. It also
        # keeps every cell of a table, gigabytes of a long history: it is told of one row, and then where the table ends.
        self.constant_memory = False
        try:
            add_table(self, 1, columns, formats, name)
        finally:
            self.constant_memory = True
        whole = xl_range(0, 0, max(rows, 1), len(columns) - 1)
        self.tables[-1].update(range=whole, a_range=whole, autofilter=whole)

    def _put_heading(self) -> None:
        """Writes out the heading, which stands in the library's one-row buffer until then."""
        if not self.previous_row:
            self._write_single_row(1)


class Sheet:
    """A table that goes on in further sheets: rows are appended, the heading is repeated and frozen."""

    def __init__(
        self,
        book: xlsxwriter.Workbook,
        name: str,
        columns: Sequence[Column],
        formats: Formats,
        widths: Sequence[int],
        sheet_rows: int = SHEET_ROWS,
        printed: int = 0,
    ) -> None:
        self._book = book
        self._name = name
        self._columns = columns
        self._formats = formats
        self._widths = widths
        self._sheet_rows = sheet_rows
        self._printed = printed or len(columns)
        self._sheets = 0
        self._row = 0
        self._tails = Tails()
        self._start()

    def append(self, cells: Sequence[str | Decimal | None], money: Format) -> None:
        """Writes one row: text as text, amounts as numbers in the format `money`."""
        self._make_room()
        self._sheet.append(self._row, cells, money)
        self._row += 1

    def append_plain(self, orders: Sequence[PlainOrder], money: Callable[[str], Format]) -> None:
        """Writes rows of the sheet of orders. `money`: the format of amounts in a currency."""
        start = 0
        while start < len(orders):
            self._make_room()
            end = start + min(self._sheet_rows - self._row, len(orders) - start)
            self._sheet.append_plain(self._row, orders[start:end], money, self._tails)
            self._row += end - start
            start = end

    def finish(self) -> None:
        """Sets the filter over what was written."""
        self._end()

    def _make_room(self) -> None:
        """Goes on in a further sheet where this one is full."""
        if self._row >= self._sheet_rows:
            self._end()
            self._start()

    def _start(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        self._sheet: LongSheet = self._book.add_worksheet(name, LongSheet)
        for at, width in enumerate(self._widths):
            self._sheet.set_column(at, at, width)
        for at, column in enumerate(self._columns):
            self._sheet.write_string(0, at, text_of(column.title), self._formats.heading_of(column.kind))
        # Order numbers are texts: leading zeros and long ones stay as they are, without Excel's green corners.
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:{_LETTERS[len(self._columns) - 1]}{SHEET_ROWS}"})
        set_pages(self._sheet)
        self._row = 1

    def _end(self) -> None:
        if self._columns:
            name = f"{self._name.replace(' ', '')}{self._sheets if self._sheets > 1 else ''}"
            self._sheet.make_table(self._row - 1, self._columns, self._formats, name)
            self._sheet.print_area(0, 0, max(self._row - 1, 0), self._printed - 1)


class Formats:
    """The workbook's cell formats; money by count of decimals."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._money: dict[tuple[int, str, bool], Format] = {}
        self.heading = book.add_format(
            {"bold": True, "bg_color": "#E7ECF2", "bottom": 1, "text_wrap": True, "valign": "top"}
        )
        self.right_heading = book.add_format(
            {"bold": True, "bg_color": "#E7ECF2", "bottom": 1, "text_wrap": True, "valign": "top", "align": "right"}
        )
        self.bold = book.add_format({"bold": True, "top": 1})
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.label = book.add_format({"bold": True, "valign": "top"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.count = book.add_format({"num_format": "#,##0"})
        self.left_count = book.add_format({"num_format": "#,##0", "align": "left"})
        self.line = book.add_format({"bottom": 1})

    def heading_of(self, kind: Kind) -> Format:
        """The format of a heading: over figures it aligns right, as they do."""
        return self.right_heading if kind in (Kind.MONEY, Kind.COUNT) else self.heading

    def money(self, decimals: int, currency: str, *, is_total: bool = False) -> Format:
        """The format of amounts of a currency, with so many decimals as it has and its code ("" for none)."""
        known = self._money.get((decimals, currency, is_total))
        if known is None:
            pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
            if _CODE.fullmatch(currency):
                pattern += rf"\ [${currency}]"
            looks = {"bold": True, "top": 1} if is_total else {}
            known = self._book.add_format({"num_format": pattern, "align": "right", **looks})
            self._money[decimals, currency, is_total] = known
            # Registers the format, so that LongSheet can name it.
            known._get_xf_index()  # noqa: SLF001
        return known


class Tails(dict[str, str]):
    """Text to all of its cell but the place, of texts that come again."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
        found = self[text] = f'" t="inlineStr"><is>{_inline(text)}</is></c>'
        return found


def _plain_rows(start: int, orders: Sequence[PlainOrder], style: int, nothing: str, tails: Tails) -> list[str]:
    """Rows of the sheet of orders from `start` on, all of one currency. `nothing`: no money of it, as a text."""
    numbers = [order.number for order in orders]
    texts = [f"<t>{number}</t>" for number in numbers] if are_simple(numbers) else list(map(_inline, numbers))
    # As a Decimal is formatted that has no more digits than a float holds.
    figures = [order.total if len(order.total) <= _DIGITS else format(Decimal(order.total), ".16G") for order in orders]
    ready, currency = tails[READY], tails[orders[0].currency]
    amount, zero = f'" s="{style}"><v>', f'" s="{style}"><v>{nothing}</v></c>'
    return [
        f'<row r="{at}"><c r="A{at}" t="inlineStr"><is>{text}</is></c><c r="B{at}{ready}<c r="D{at}{currency}'
        f'<c r="E{at}{amount}{figure}</v></c><c r="F{at}{amount}{figure}</v></c><c r="G{at}{zero}<c r="H{at}{tails[month]}'
        + (f'<c r="J{at}{tails[account]}</row>' if account else "</row>")
        for at, text, figure, (_, _, _, _, _, account, month, *_) in zip(
            range(start, start + len(orders)), texts, figures, orders, strict=True
        )
    ]


def _inline(text: str) -> str:
    """The text as an inline string; what XML or Excel's own escapes could misread is escaped."""
    if _PLAIN.fullmatch(text):
        return f"<t>{text}</t>"
    cut = text_of(text)
    cut = _ESCAPE.sub(r"_x005F\1", cut)
    cut = _CONTROL.sub(lambda match: f"_x{ord(match[0]):04X}_", cut)
    return f'<t xml:space="preserve">{escape(cut, quote=False)}</t>'


def text_of(text: str) -> str:
    """A text as a cell's text: within Excel's length, and never taken for markup by the library."""
    cut = printable(text)
    if len(cut) > CELL_CHARS // 2:
        cut = f"{cut[: CELL_CHARS // 2 - 1]}…"
    # xlsxwriter writes `<r>..</r>` into the sheet unescaped, as rich text of its own making.
    return "'" + cut if cut.startswith("<r>") else cut


def set_pages(sheet: Worksheet) -> None:
    """A sheet under a heading, on the screen and on paper: the heading stays in sight and comes again on every page."""
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer("&L&A&RPage &P of &N")


def add_table(sheet: Worksheet, rows: int, columns: Sequence[Column], formats: Formats, name: str) -> None:
    """A table with filters over the heading in row 1 and the `rows` below it (Excel wants one at least)."""
    heads = [{"header": text_of(column.title), "header_format": formats.heading_of(column.kind)} for column in columns]
    options = {"columns": heads, "style": _TABLE_STYLE, "name": _UNFIT.sub("_", f"t_{name}"), "banded_rows": False}
    sheet.add_table(0, 0, max(rows, 1), len(columns) - 1, options)
