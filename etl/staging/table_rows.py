"""Rows of a flat file to parts of orders: which order a row belongs to, and what is no row of any order.

A row without an order number directly below an order, with all order-level cells empty, goes with that order, which
decides what it is (`etl.staging.whole`). One that repeats the order's other cells is reported, and the order told of it:
the number alone may have been merged, or written once. Nothing is ever left out.
"""

from __future__ import annotations

import itertools
import marshal
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from etl.errors import InternalError
from etl.model.export import Dialect, RowBlock, Table, plain
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.names import KINDS, ORDER_NUMBER
from etl.reading.options import ReadOptions
from etl.reading.order_numbers import OrderNumbers
from etl.reading.style import Seen
from etl.staging.build import BESIDE, NOTICES, WIDE, Fault, Group, Row
from etl.staging.fields import Column
from etl.staging.loaded import SAMPLED_ROWS, SAMPLES, LoadedFile
from etl.staging.raw_part import RowFormat, getter
from etl.staging.spool import ParsedPart

if TYPE_CHECKING:
    from etl.staging.raw_rows import RawRows

_REPORT_EVERY = 20_000

_TOGETHER = 5_000
"""So many rows of one order are held at most, before they are stored as a part of it."""
_PENDING, _PENDING_LENGTH = 50, 4 << 20
"""So many rows and characters without number are held at most, until a later row tells whether they end the file."""
_TOTAL = re.compile(
    r"(?:grand|sub|order|overall)?[ -]?(?:totals?|totale|totalt|totaal|total général)|sum|summe|summa|suma|somma|som|"
    r"gesamt(?:summe|betrag|ergebnis)?|(?:end|zwischen)summe|ergebnis|eindtotaal|insgesamt|i alt|ialt|yhteensä|razem|slutsumma|totalsumma",
    re.IGNORECASE,
)
_END_MARK = "\x1a"
_PADDING = f" \t\r\n\0{_END_MARK}"
_AROUND = " \t\r\n\u00a0\ufeff\u200b"
_PRODUCT_KINDS = (Kind.SKU, Kind.EAN, Kind.KEY, Kind.TEXT)


_TAILS = frozenset(name.rpartition(".")[2].casefold() for name in KINDS if "." in name)


class Below(NamedTuple):
    """A row without an order number: the row, its cells, and what is wrong with its syntax ("" for nothing)."""

    row: int
    cells: list[str]
    fault: str = ""


class RowSink(Protocol):
    """What takes the rows of a file: the batch."""

    numbers: OrderNumbers
    options: ReadOptions

    @property
    def takes_blocks(self) -> bool:
        """Whether plain rows of many orders may be stored at once."""
        ...

    def spool_rows(self, rows: RawRows) -> None:
        """Stores plain rows of many orders."""

    def spool(self, number: str, part: ParsedPart, row: int = 0) -> None:
        """Stores rows of an order, the first of which is that row."""

    def unassigned(self, file: LoadedFile, row: int, column: str, cell: str, message: str = "") -> None:
        """Counts a row that belongs to no order."""

    def report(self, table: Table) -> None:
        """Tells how far a file is read."""


class TableLoader:
    """Takes the rows of one flat file into the spool: one record for rows of an order that stand together.

    `tail` holds, once all rows are read, the last ones that may be totals; `place` takes those that are none.
    """

    def __init__(self, batch: RowSink, file: LoadedFile, table: Table) -> None:
        self._batch, self._file, self._table = batch, file, table
        layout = file.layout
        self._number_at = [column.index for column in layout.order if column.field == ORDER_NUMBER]
        self._order_at = [column.index for column in layout.order]
        self._line_at = [column.index for column in (*layout.line, *layout.other)]
        self._line_width = len(layout.line)
        self._width = len(table.columns)
        self._header = [column.strip() for column in table.columns]
        self._known = {name.casefold() for name in self._header if name}
        self._number_names = {self._header[at].casefold() for at in self._number_at}
        self._longest_name = max(map(len, self._header), default=0)
        self._least_names = min(2, sum(map(bool, self._header)))
        self._order_style = _styled(file, layout.order)
        self._line_style = _styled(file, layout.line)
        self._groups: list[Group] = []
        self._stored: list[Group] = []
        """The order-level cells of rows that are stored already, without these."""
        self._faults: list[Fault] = []
        self._below: list[tuple[int, tuple[str, ...], str]] = []
        self._number = self._last_number = ""
        self._is_cut = False
        self._under_another: tuple[str, str, str, str] | None = None
        self._pending: list[Below] = []
        self._pending_length = 0
        self.tail: list[Below] = []
        self._at_once = self._lines_at_once = self._stretches = 0
        """Rows that were taken together, those of them that hold something of a line, and in how many stretches."""

    def run(self) -> None:
        """Reads all rows. Raises InputError where the file breaks off."""
        file, width, batch = self._file, self._width, self._batch
        at = self._number_at[0]
        order_cells, line_cells = getter(self._order_at), getter(self._line_at)
        line_width, line_style, together = self._line_width, self._line_style, _TOGETHER
        first, place = file.tally.first, file.place
        last_cell = ""
        last_order: tuple[str, ...] | None = None
        rows: list[Row] | None = None
        count = lines = blank = 0
        passed = itertools.count()
        for (row, cells), _ in zip(self._rows(), passed, strict=False):
            fault = self._under_another
            if len(cells) != width or cells.__class__ is not list:
                if cells.__class__ is RowBlock:
                    # Taken already; what is below it begins anew.
                    rows, last_cell = None, ""
                    continue
                # A row of which a stray quote or byte is all that is left is damage, not a blank line.
                if not any(cell.strip() for cell in cells) and not getattr(cells, "message", ""):
                    blank += 1
                    continue
                odd, cells = self._mend(cells)  # noqa: PLW2901
                fault = odd or fault
            cell = cells[at]
            if cell != last_cell or rows is None:
                number = self._read_number(cells)
                if number is None:
                    rows = None
                    blank += not self._take_without_number(row, cells, fault[1] if fault and fault[0] != WIDE else "")
                    continue
                if self._pending:
                    self._place_pending()
                self._is_cut = False
                if number != self._number:
                    self._flush()
                    self._number = self._last_number = number
                    self._stored = []
                    rows = None
                last_cell = cell
            count += 1
            if count % _REPORT_EVERY == 0:
                batch.report(self._table)
            order = order_cells(cells)
            if rows is None or order != last_order:
                rows = []
                self._groups.append((order, rows))
                last_order = order
                self._tally_order(cells, row)
                if len(self._groups) > together:
                    self._store()
                    self._groups.append((order, rows))
            line = line_cells(cells)
            if fault:
                self._faults.append((row, *fault))
                line += tuple(cells[width:])
            rows.append((row, line))
            if len(rows) >= together:
                self._store()
                rows = []
                self._groups.append((order, rows))
            if (line_width and line[0]) or any(line[:line_width]):
                lines += 1
            for index, counts, seen in line_style:
                cell = cells[index]
                if cell in counts:
                    counts[cell] += 1
                elif cell:
                    first(seen, cell, place, row)
        count, lines = count + self._at_once, lines + self._lines_at_once
        file.rows.orders += count
        if not count:
            file.tell(f"{file.name} holds no orders: no row below its header has an order number.")
        file.lines += lines
        file.is_all_wide = file.wide == count
        if file.wide and file.is_all_wide:
            file.tell(f"{file.name}: every row ends with more delimiters than the header; they mean nothing.")
        self._end(next(passed) - blank + self._at_once - self._stretches)

    def place(self, below: list[Below]) -> None:
        """Gives rows without number to the order directly above them, or reports them."""
        is_open, number = bool(self._number), self._number or self._last_number
        self._number = number
        for one in below:
            if number and not self._is_cut and self._is_under(one.cells):
                self._take_under(one)
            else:
                if number and not self._is_cut and self._repeats(one.cells):
                    self._faults.append((one.row, BESIDE, "", "", ""))
                # What follows a row that belongs to nobody is nobody's either, until the next number.
                self._is_cut = True
                self._file.rows.unassigned += 1
                cell = next((one.cells[at] for at in self._number_at if one.cells[at].strip()), "")
                self._batch.unassigned(self._file, one.row, self._header[self._number_at[0]], cell)
        if not is_open:
            self._flush()

    def _end(self, met: int) -> None:
        """Places what is left, but for rows that may be totals. Raises InternalError where a row got lost."""
        cut = len(self._pending)
        while cut and self._may_be_total(self._pending[cut - 1].cells):
            cut -= 1
        self._pending, self.tail = self._pending[:cut], self._pending[cut:]
        self._place_pending()
        self._flush()
        self._batch.report(self._table)
        if self._file.rows.all + len(self.tail) != met:
            raise InternalError(f"{self._file.name} has {met} rows, {self._file.rows.all} are accounted for")

    def _place_pending(self) -> None:
        self.place(self._pending)
        self._pending, self._pending_length = [], 0

    def _take_without_number(self, row: int, cells: list[str], fault: str) -> bool:
        """Keeps a row without a readable number until a later row tells what it is; false for a blank one."""
        if not fault and not any(text.strip() for text in cells):
            return False
        if any(text.strip() for text in cells) and not any(text.strip(_PADDING) for text in cells):
            self._tell_padding(row, "".join(cells))
            return False
        if self._is_header(row, cells):
            return True
        self._pending.append(Below(row, cells, fault))
        self._pending_length += sum(map(len, cells))
        while len(self._pending) > _PENDING or (self._pending_length > _PENDING_LENGTH and len(self._pending) > 1):
            first = self._pending.pop(0)
            self._pending_length -= sum(map(len, first.cells))
            self.place([first])
        return True

    def _tell_padding(self, row: int, held: str) -> None:
        """A row of nothing but NUL, or of the mark by which old systems end a file."""
        if held.strip() == _END_MARK:
            self._file.tell(f"{self._file.name}, row {row}: the end mark of an old system (Ctrl-Z) was left out.")
        else:
            self._file.tell(
                f"{self._file.name}, row {row} holds nothing but {len(held):,} NUL characters, as a file does that was not "
                "written to its end; they were left out. Compare the number of orders with the shop's."
            )

    def _is_header(self, row: int, cells: list[str]) -> bool:
        """Whether the row is a header: the file's own again, or another, by which what stands below would have to be read.

        Rows below another header block their orders: the columns may mean something else.
        """
        if sum(map(bool, cells)) < self._least_names:
            # What a quote swallowed, perhaps a million lines of text: not worth a closer look each.
            return False
        texts = self._short(cells)
        if texts == self._header:
            self._under_another = None
            what = "the header is repeated and was left out"
        elif self._names_columns(texts):
            message = (
                f"Row {row} is a header that differs from the file's; what stands below it can't be read by either."
            )
            self._under_another = ("value.invalid", message, "", "")
            what = "a header that differs from the file's; give what stands below it as a file of its own"
        elif row == self._table.header_row + 1 and self._goes_on(texts):
            self._file.tell(
                f"{self._file.name}: the header seems to stand in rows {row - 1} and {row}; "
                "write the whole name of each column into one row, such as products.sku."
            )
            return False
        else:
            return False
        self._file.rows.headers += 1
        self._file.tell(f"{self._file.name}, row {row}: {what}.")
        return True

    def _goes_on(self, texts: list[str]) -> bool:
        """Whether the row below the header has words only, and names below columns without one, or parts of names."""
        filled = [(at, text) for at, text in enumerate(texts) if text]
        if len(filled) < 2 or any(map(str.isdigit, "".join(text for _, text in filled))):
            return False
        # Below a group's first column stands a part of it; the columns beside it have no name of their own.
        return any(not self._header[at] for at, _ in filled) or all(text.casefold() in _TAILS for _, text in filled)

    def _short(self, cells: list[str]) -> list[str]:
        """The texts of a row in the width of the header, cut where they are too long to name a column."""
        longest = 2 * self._longest_name + 64
        return [plain(text[:longest]).strip(_AROUND) for text in cells[: self._width]]

    def _names_columns(self, texts: list[str]) -> bool:
        """Whether a row names the column of order numbers, beside other columns of the file or words without a digit."""
        filled = [text for text in texts if text]
        met = [name for text in filled if (name := text.casefold()) in self._known]
        if len(filled) < 2 or self._number_names.isdisjoint(met):
            return False
        return 2 * len(met) >= len(filled) or not any(map(str.isdigit, "".join(filled)))

    def _is_under(self, cells: list[str]) -> bool:
        """Whether the row has nothing of an order, but something of a line."""
        line = self._line_at[: self._line_width]
        return not any(cells[at].strip() for at in self._order_at) and any(cells[at].strip() for at in line)

    def _repeats(self, cells: list[str]) -> bool:
        """Whether a row with an empty number holds something of a line, and of an order only what stands above it."""
        if any(cells[at].strip() for at in self._number_at):
            return False
        own = [(index, cell) for index, at in enumerate(self._order_at) if (cell := cells[at]).strip()]
        return (
            bool(own)
            and any(cells[at].strip() for at in self._line_at[: self._line_width])
            and all(
                any(order[index] == cell for order, _ in itertools.chain(self._stored, self._groups))
                for index, cell in own
            )
        )

    def _take_under(self, below: Below) -> None:
        line = getter(self._line_at)(below.cells) + tuple(below.cells[self._width :])
        self._below.append((below.row, line, below.fault))
        if len(self._below) >= _TOGETHER:
            self._store()
        self._file.rows.orders += 1
        self._file.lines += 1
        for index, _, seen in self._line_style:
            if cell := below.cells[index]:
                self._file.tally.count(seen, cell, self._file.place, below.row)

    def _may_be_total(self, cells: list[str]) -> bool:
        """Whether a row at the end holds sums: an amount, no product, and no number but a word for a total."""
        layout = self._file.layout
        if any(not is_total_word(cells[at]) for at in self._number_at if cells[at].strip()):
            return False
        named = [column for column in layout.line if column.kind in _PRODUCT_KINDS]
        if any(cells[column.index].strip() and not is_total_word(cells[column.index]) for column in named):
            return False
        amounts = [column for column in (*layout.order, *layout.line) if column.kind in NUMERIC]
        return any(cells[column.index].strip() for column in amounts) or self._is_called_total(cells)

    def _is_called_total(self, cells: list[str]) -> bool:
        """Whether the number's cell is a word for a total and nothing else of an order stands there, whatever is read."""
        own = [cells[column.index].strip() for column in self._file.layout.order if column.field != ORDER_NUMBER]
        return any(is_total_word(cells[at]) for at in self._number_at) and not any(own)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows of the file; where plain ones may be taken together, a `RowBlock` stands for those that were."""
        rows = self._sampled(self._table.rows)
        is_simple = self._batch.takes_blocks and len(self._number_at) == 1 and not self._file.samples
        return self._in_stretches(rows) if is_simple and self._table.in_blocks() else rows

    def _in_stretches(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        # Loads numpy, which small files have no use for.
        from etl.staging.raw_rows import RowTaker

        dialect = self._table.dialect or Dialect()
        how = RowFormat(
            self._file.index,
            dialect.encoding,
            dialect.delimiter,
            self._width,
            tuple(self._order_at),
            tuple(self._line_at),
        )
        taker = RowTaker(self._file, self._batch.numbers, how, _TOGETHER)
        for row, cells in rows:
            if not isinstance(cells, RowBlock):
                yield row, cells
                continue
            block = taker.block(cells.grid, row)
            for start, end, is_left in block.stretches():
                # Rows of the order that is open above go with it.
                is_odd = is_left or self._under_another is not None
                turn = end if is_odd else block.after(start, self._number)
                yield from enumerate(block.cells(start, turn), row + start)
                if turn < end:
                    self._take(block.take(turn, end))
                    yield row + turn, cells
            self._batch.report(self._table)

    def _take(self, taken: tuple[RawRows, int]) -> None:
        """Stores rows that were taken together."""
        raw, lines = taken
        self._place_pending()
        self._is_cut = False
        self._flush()
        self._stored = []
        self._last_number = str(raw.numbers[-1])
        self._batch.spool_rows(raw)
        self._at_once += len(raw.offsets) - 1
        self._lines_at_once += lines
        self._stretches += 1

    def _sampled(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        """The rows; of columns that nobody has confirmed the first few cells are kept, for a person to look at."""
        likely = self._batch.options.likely
        wanted = [(at, header) for at, header in enumerate(self._header) if header in likely]
        if not wanted:
            return rows
        head = list(itertools.islice(rows, SAMPLED_ROWS))
        for at, header in wanted:
            met = dict.fromkeys(plain(cells[at]).strip() for _, cells in head if len(cells) > at)
            self._file.samples[header] = tuple(list(filter(None, met))[:SAMPLES])
        return itertools.chain(head, rows)

    def _read_number(self, cells: list[str]) -> str | None:
        read = self._batch.numbers.read
        return next((read(cells[at]) for at in self._number_at if cells[at].strip()), None)

    def _mend(self, cells: list[str]) -> tuple[tuple[str, str, str, str] | None, list[str]]:
        """What there is to say of an unusual row (code, message, value, column), and the row as wide as the header."""
        message, code = getattr(cells, "message", ""), getattr(cells, "code", "value.invalid")
        column = getattr(cells, "column", "")
        count, width = len(cells), self._width
        shown = ""
        if count < width:
            # Workbooks end a row at its last filled cell; in text files a short row may be cut off.
            message = message or f"The row has {count} cells where the header has {width}."
            shown = plain(cells[-1]) if cells else ""
            cells = [*cells, *[""] * (width - count)]
            if self._table.dialect is None:
                return None, cells
        elif count > width and (not message or code in NOTICES):
            extra = [plain(cell) for cell in cells[width:] if cell.strip()]
            if not extra and self._table.dialect is None:
                return None, cells[:width]
            message, code = f"The row has {count} cells where the header has {width}.", "value.invalid"
            shown = ", ".join(extra)[:300]
            if not extra:
                # An unquoted delimiter may have shifted the cells; only where all rows end so does it mean nothing.
                self._file.wide += 1
                return (WIDE, message, shown, ""), cells[:width]
        return (code, message, shown, column) if message else None, list(cells)

    def _tally_order(self, cells: list[str], row: int) -> None:
        tally, place = self._file.tally, self._file.place
        for index, counts, seen in self._order_style:
            cell = cells[index]
            if cell in counts:
                counts[cell] += 1
            elif cell:
                tally.first(seen, cell, place, row)

    def _flush(self) -> None:
        """Stores what is held of the order; what follows is another's."""
        if self._groups or self._below or self._faults:
            self._store()
        self._number = ""

    def _store(self) -> None:
        groups = [(order, rows) for order, rows in self._groups if rows]
        data = marshal.dumps((groups, self._faults, self._below))
        firsts = [rows[0][0] for _, rows in groups[:1]]
        firsts = firsts or [row for row, *_ in self._below[:1]] or [row for row, *_ in self._faults[:1]]
        at = min(firsts, default=0)
        self._batch.spool(self._number, ParsedPart(self._file.index, self._file.index, data), at)
        if len(self._stored) < _PENDING:
            self._stored += [(order, []) for order, _ in groups[:_PENDING]]
        self._groups, self._faults, self._below = [], [], []


def is_total_word(cell: str) -> bool:
    """Whether a cell says "total", in one of the languages of the shops."""
    return _TOTAL.fullmatch(plain(cell).strip().rstrip(":.").strip()) is not None


def _styled(file: LoadedFile, columns: list[Column]) -> list[tuple[int, dict[str, int], Seen]]:
    return [(index, seen.counts, seen) for index, seen in file.seen_of_all(columns)]
