"""A batch of export files: loaded once, then read back as orders by number, as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from etl.errors import InputError, InternalError
from etl.model.attention import met_text
from etl.model.content import version_of
from etl.model.export import Dialect, Export, HeaderTest, Records, Table, plain
from etl.model.identity import split_number
from etl.model.order import Order
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.csv_file import unread_dialect
from etl.reading.options import ReadOptions
from etl.reading.order_numbers import OrderNumbers
from etl.reading.style import Style
from etl.reading.texts import is_scientific
from etl.staging.build import Group
from etl.staging.corrected import style_text, told_style
from etl.staging.facts import BatchFacts
from etl.staging.fields import Layout, Names, is_secret
from etl.staging.loaded import LoadedFile
from etl.staging.object_rows import ObjectLoader
from etl.staging.orders import OrderReader, lines_of
from etl.staging.plain import PlainTable
from etl.staging.raw import RawFile, object_text, raw_cells
from etl.staging.raw_part import RawPart
from etl.staging.source_rows import FileRows, FileText, PlainRows, file_rows, heads_of, rows_hash
from etl.staging.spool import ParsedPart, Parts, Spool
from etl.staging.table_rows import TableLoader, is_total_word
from etl.staging.totals_row import Control
from etl.staging.unread import UnreadCells
from etl.staging.vocabulary import ATTENTION, Vocabulary

if TYPE_CHECKING:
    from etl.staging.blocks import BlockOrders
    from etl.staging.raw_rows import RawRows

UNASSIGNED_KEPT = 10_000
_FLAT = (Vocabulary.CREATE_ORDER, Vocabulary.GET_ORDERS)
"""Whose cells of a flat file mean by themselves what they mean in their rows."""
Progress = Callable[[str, int, int | None], None]


class OpenExport(Protocol):
    """Opens an export file by its bytes; `is_header` tells the row that names an order number."""

    def __call__(self, path: Path, is_header: HeaderTest, options: ReadOptions, /) -> Sequence[Export]:
        """The opened exports: one, or one for each sheet of a workbook. Raises InputError."""
        ...


class _Words(dict[str, str]):
    """The words of one field of values.csv, which remember that they were used."""

    def __init__(self, name: str, words: Mapping[str, str], used: set[tuple[str, str]]) -> None:
        super().__init__(words)
        self._name, self._used = name, used

    def get(self, word: str, default: Any = None) -> Any:
        """What the word means."""
        if word in self:
            self._used.add((self._name, word))
        return super().get(word, default)


class Batch:
    """The orders of some export files.

    Effects: `load` reads each file and writes a private temporary file that `close` removes.
    """

    def __init__(
        self,
        exports: Sequence[Path],
        *,
        open_export: OpenExport,
        corrections: Sequence[Path] = (),
        options: ReadOptions | None = None,
        spool_dir: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`corrections`: files whose orders replace those of the same numbers.

        Raises MappingError where `options.columns` names a field that does not exist.
        """
        self._paths = [*((path, False) for path in exports), *((path, True) for path in corrections)]
        self._is_correcting = False
        self._open = open_export
        options = options or ReadOptions()
        self._used: set[tuple[str, str]] = set()
        words = {name: _Words(name, known, self._used) for name, known in options.values.items()}
        self.options = replace(options, values=words)
        self.names = Names(self.options.columns)
        self.numbers = OrderNumbers(self.options.order_number)
        self._progress = progress or _silent
        self._files: list[LoadedFile] = []
        self._reader = OrderReader(self._files, self.options)
        self._unassigned: list[Problem] = []
        self._unassigned_count = 0
        self._facts: BatchFacts | None = None
        self._spool = Spool(spool_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the temporary file."""
        self._spool.close()

    def load(self) -> BatchFacts:
        """Reads all files. Raises InputError where one can't be read or its style can't be decided."""
        if self._facts is not None:
            return self._facts
        if not self._paths:
            raise InputError("No export file was named.", hint="Name at least one file.")
        for path, is_correction in self._paths:
            self._is_correcting = is_correction
            with ExitStack() as opened:
                exports = self._open(path, self.names.is_header, self.options)
                for export in exports:
                    opened.callback(export.close)
                for export in exports:
                    self._load(export)
        self._sum_unread()
        self._progress("sorting", 0, None)
        orders = self._spool.seal()
        self._facts = BatchFacts(
            files=tuple(file.facts() for file in self._files),
            orders=orders,
            lines=sum(file.lines for file in self._files),
            nested_returns=sum(file.returns for file in self._files),
            unassigned_count=self._unassigned_count,
            unassigned=tuple(self._unassigned),
            notices=self._unused_renames(),
        )
        return self._facts

    def orders(self, *, start: date | None = None, end: date | None = None) -> Iterator[Order]:
        """The orders by number, each nested return directly after its order.

        Shape: `start` and `end` (exclusive) keep orders by the local date of their orderDate; an order
        without a readable one is kept. May be called again.
        """
        self._loaded()
        if start is None and end is None:
            for number, parts in self._spool.groups():
                yield from self._reader.orders(number, parts)
            return
        for number, parts in self._spool.groups():
            for order in self._reader.orders(number, parts):
                if order.order_date is None or _is_within(order.order_date.wall.date(), start, end):
                    yield order

    def parts(self) -> Iterator[tuple[str, Parts]]:
        """(order number, its parts) by number; `read` gives the orders."""
        self._loaded()
        return self._spool.groups()

    @property
    def has_blocks(self) -> bool:
        """Whether `blocks` gives the orders: where they are rows of one large csv."""
        self._loaded()
        return self._spool.has_blocks

    def blocks(self) -> Iterator[BlockOrders]:
        """All orders by number as `parts` gives them, some at a time, with the plain ones by columns. Loads numpy."""
        self._loaded()
        return self._spool.blocks()

    def groups(self, parts: Parts) -> list[Group] | None:
        """The rows of an order of one flat file; None where reading it has more to look at than its cells."""
        return self._reader.groups(parts)

    def rows_hash(self, parts: Parts) -> str:
        """A hash of the cells of an order's rows, and of how they are read; where they stand does not count.

        "" where reading it has more to look at than its cells.
        """
        groups = self._reader.groups(parts)
        return "" if groups is None else rows_hash(self._files[parts[0].file], groups)

    def read(self, number: str, parts: Parts) -> list[Order]:
        """The order of that number and its nested returns, as `orders` gives them."""
        return self._reader.orders(number, parts)

    def named(self, numbers: Collection[str]) -> Iterator[Order]:
        """The orders of these numbers with their nested returns, by number."""
        self._loaded()
        for number, parts in self._spool.named(numbers):
            yield from self._reader.orders(number, parts)

    def plain_tables(self) -> dict[int, PlainTable]:
        """Files, by their number in the parts, whose cells mean by themselves what they mean in their rows."""
        self._loaded()
        if self.options.values or self._reader.corrected or self._reader.has_remarks:
            return {}
        found = {}
        for file in self._files:
            if file.objects is None and file.layout.vocabulary in _FLAT:
                found[file.index] = self._reader.builder(file).plain_table()
        return found

    def unused_values(self) -> list[tuple[str, str]]:
        """(field, word) of values.csv that none of the orders read so far has."""
        every = ((name, word) for name, words in self.options.values.items() for word in words)
        return [pair for pair in every if pair not in self._used]

    def raw_rows(self, numbers: Collection[str]) -> Iterator[RawFile]:
        """The user's own rows of the named orders, file by file, as they were; nested returns mean their order.

        Shape: one RawFile per file that has any of them.
        """
        self._loaded()
        for index, parts in self._spool.ask({split_number(number)[0] for number in numbers}):
            file = self._files[index]
            mine = parts if file.is_correction else (part for part in parts if part[0] not in self._reader.corrected)
            first = next(mine, None)
            if first is not None:
                yield self._raw_file(file, chain((first,), mine))

    def source_rows(self, numbers: Collection[str]) -> Iterator[tuple[str, list[FileRows]]]:
        """The rows of the named orders by number, as a person sees them; nested returns mean their order."""
        self._loaded()
        for number, parts in self._spool.named({split_number(number)[0] for number in numbers}):
            yield number, file_rows(self._files, parts)

    def plain_rows(self, numbers: Collection[str]) -> Iterator[tuple[str, FileText]]:
        """The rows of the named orders by number, each of which is rows of one flat file (`groups` said so)."""
        self._loaded()
        rows = PlainRows(self._files)
        for number, parts in self._spool.named(numbers):
            yield number, rows.of(parts)

    def heads(self, file: int) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The name of a flat file, and the headers of its order-level and line-level cells."""
        return heads_of(self._files[file])

    def met(self, numbers: Collection[str]) -> dict[str, str]:
        """What attention.csv says of how the named orders were met; nested returns mean their order.

        A correction keeps the versions before it, so that they are known again however often it is corrected.
        """
        self._loaded()
        found = {}
        for number, parts in self._spool.named({split_number(number)[0] for number in numbers}):
            versions = {
                order.number: [*(one.version for one in order.replaces), version_of(order)]
                for order in self._reader.orders(number, parts)
            }
            found[number] = met_text(versions)
        return found

    def _raw_file(self, file: LoadedFile, parts: Iterator[tuple[str, ParsedPart | RawPart]]) -> RawFile:
        export = file.export
        dialect = export.dialect or Dialect("utf-8", bom=True, newline="\r\n")
        if isinstance(export, Records):
            objects = ((number, *_object_text(part)) for number, part in parts)
            return RawFile(export.path, export.format, dialect, (), iter(()), objects, style_text(file.style))
        columns = tuple(
            header for header in export.columns if not is_secret(header) and not header.casefold().startswith(ATTENTION)
        )
        rows = (row for number, part in parts for row in self._raw(file, columns, number, part))
        return RawFile(export.path, export.format, dialect, columns, rows, iter(()), style_text(file.style))

    def _raw(
        self, file: LoadedFile, columns: tuple[str, ...], number: str, part: ParsedPart | RawPart
    ) -> Iterator[tuple[str, int, list[str]]]:
        groups, _, below = part.content()
        table = file.export
        if not isinstance(table, Table):
            raise InternalError("rows of a file that has none")
        for cells, rows in groups:
            for row, line in rows:
                yield number, row, raw_cells(table.columns, columns, file.layout, (cells, line), file.style.numbers)
        empty = ("",) * len(file.layout.order)
        for row, line, _ in below:
            yield number, row, raw_cells(table.columns, columns, file.layout, (empty, line), file.style.numbers)

    def _loaded(self) -> None:
        if self._facts is None:
            self.load()

    def _load(self, export: Export) -> None:
        if isinstance(export, Table):
            file, loader = self._load_table(export)
        else:
            file, loader = self._load_records(export), None
        file.is_correction = self._is_correcting
        self._reader.has_remarks |= file.has_remarks
        for seen in file.seen.values():
            file.tally.fold(seen)
        file.style = self._style(file)
        if loader is not None and loader.tail:
            self._settle_tail(file, loader)

    def _style(self, file: LoadedFile) -> Style:
        """The file's style. A few rows of an export may decide nothing: the whole of it did."""
        told = told_style(file.told_styles)
        try:
            found = file.tally.style(file.name, are_dates_decided=bool(self.options.date_format))
        except InputError:
            told = told or (self._files[0].style if file.is_correction else None)
            if told is None:
                raise
            found = Style()
        if swapped := file.tally.swapped():
            file.tell(f"{file.name}: {swapped}")
        return found if told is None else replace(found, numbers=told.numbers, day_first=told.day_first)

    def _load_table(self, table: Table) -> tuple[LoadedFile, TableLoader]:
        place = Place(str(table.path), table.sheet)
        try:
            layout = self.names.layout(table.columns, str(place))
        except InputError as error:
            # The orders may stand on a sheet that was passed over.
            passed = [notice.removeprefix(f"{table.path}: ") for notice in table.notices if "sheet" in notice]
            passed += [odd] if table.dialect and (odd := unread_dialect(table.columns)) else []
            raise InputError(
                " ".join([error.message, *(f"{text[:1].upper()}{text[1:]}" for text in passed)]),
                code=error.code,
                place=error.place,
                hint=error.hint,
            ) from error
        file = LoadedFile(len(self._files), table, layout, place, notices=list(table.notices))
        self._files.append(file)
        if any(header.strip().casefold().startswith(ATTENTION) for header in table.columns):
            file.read_attention(table)
            file.has_remarks = bool(file.remarks)
        loader = TableLoader(self, file, table)
        loader.run()
        file.notices.extend(table.remarks())
        return file, loader

    def _settle_tail(self, file: LoadedFile, loader: TableLoader) -> None:
        """Tells rows of totals from rows of orders, once the file's style is known and all of it is read."""
        control = Control(file.layout, self._reader.builder(file).readers.amount)
        for _, parts in self._spool.groups():
            control.add(part.content() for part in parts if part.file == file.index and part.copy >= 0)
        for below in loader.tail:
            agrees, text = control.compare(below.cells)
            if agrees:
                file.rows.totals += 1
                file.tell(f"{file.name}, row {below.row}: a totals row, which agrees with what was read: {text}.")
            elif not text and any(map(is_total_word, below.cells)):
                file.rows.totals += 1
                seen = " | ".join(shown for cell in below.cells if (shown := plain(cell).strip()))
                file.tell(f"{file.name}, row {below.row}: a totals row, of columns that are not read: {seen[:200]}.")
            elif any(map(is_total_word, below.cells)):
                file.rows.unassigned += 1
                message = f"The totals row does not agree with what was read of the file: {text}."
                self.unassigned(file, below.row, file.layout.order[0].header, "", message)
            else:
                loader.place([below])

    def _sum_unread(self) -> None:
        """Adds up the columns of flat files that nobody knows: amounts among them are told before anything else."""
        open_ = {file.index: UnreadCells(_unknown_columns(file.layout)) for file in self._files if not file.objects}
        left = {index: cells for index, cells in open_.items() if cells}
        if not left:
            return
        for _, parts in self._spool.groups():
            for index, own in groupby((part for part in parts if part.file in left), key=itemgetter(0)):
                left[index].add([line for part in own for line in lines_of(part)])
                if not left[index]:
                    del left[index]
            if not left:
                return
        for index, cells in left.items():
            self._files[index].unread.by_name.update(cells.sums())

    def _load_records(self, records: Records) -> LoadedFile:
        loader = ObjectLoader(self, len(self._files), records)
        self._files.append(loader.file)
        loader.run()
        return loader.file

    def unassigned(self, file: LoadedFile, row: int, column: str, cell: str, message: str = "") -> None:
        """Counts a row that belongs to no order, and keeps the first ones."""
        self._unassigned_count += 1
        if len(self._unassigned) >= UNASSIGNED_KEPT:
            return
        text = message or _no_number(plain(cell).strip(), self.options.order_number)
        place = Place(file.place.file, file.place.sheet, row, column)
        self._unassigned.append(Problem("order.number_missing", "", place, plain(cell)[:300], text))

    def spool(self, number: str, part: ParsedPart, row: int = 0) -> None:
        """Stores rows of an order, the first of which is that row."""
        if self._is_correcting:
            self._reader.corrected.add(number)
        self._spool.add(number, part, row)

    @property
    def takes_blocks(self) -> bool:
        """Whether plain rows may be stored as they stand: where there is one file, and nothing to put in their place."""
        return len(self._paths) == 1

    def spool_rows(self, rows: RawRows) -> None:
        """Stores plain rows of many orders."""
        self._spool.add_rows(rows)

    def report(self, export: Export, *, is_done: bool = False) -> None:
        """Tells how far a file is read."""
        self._progress(str(export.path), export.size if is_done else export.position(), export.size)

    def _unused_renames(self) -> tuple[str, ...]:
        met = (header for file in self._files for header in (*file.layout.renamed, *file.layout.not_migrated))
        used = {header.casefold() for header in met}
        return tuple(
            f"columns.csv names the header {header!r}, which no file has."
            for header in self.names.renames
            if header.casefold() not in used
        )


def _no_number(cell: str, pattern: str) -> str:
    """Why a row belongs to no order; `pattern`: how numbers are written."""
    if not cell:
        return "The row has no order number."
    if is_scientific(cell):
        return (
            f"{cell[:80]!r} is no order number but a number in scientific notation: a spreadsheet has shortened it, and "
            "its last digits are lost. Export again, and keep the column as text."
        )
    return f"{cell[:80]!r} is no order number, which are written {pattern} (source.order_number in migration.toml)."


def _unknown_columns(layout: Layout) -> Iterator[tuple[int, str]]:
    for at, column in enumerate(layout.other, len(layout.line)):
        if column.header in layout.unknown and column.header:
            yield at, column.header


def _object_text(part: ParsedPart | RawPart) -> tuple[int, str]:
    row, record = part.content()
    return row, object_text(record)


def _is_within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or day >= start) and (end is None or day < end)


def _silent(_what: str, _done: int, _total: int | None) -> None:
    return
