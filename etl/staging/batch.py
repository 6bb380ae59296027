"""A batch of export files: loaded once, then read back as orders by number, as often as wanted."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from etl.errors import InputError, InternalError
from etl.model.attention import MET, STYLE, WRITTEN, met_text, met_versions
from etl.model.content import version_of
from etl.model.export import Dialect, Export, HeaderTest, Records, Table, plain
from etl.model.order import Order, number_key
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.kinds import Kind
from etl.reading.options import ReadOptions
from etl.reading.parse import OrderNumbers
from etl.reading.style import Style
from etl.staging.build import WIDE, BelowRow, Builder, Fault, Group
from etl.staging.corrected import Cells, as_met, corrected, style_text, told_style, unread_version
from etl.staging.draft import Draft
from etl.staging.facts import BatchFacts, ColumnFacts, FileFacts, UnreadColumn
from etl.staging.fields import Layout, Names, is_secret
from etl.staging.loaded import LoadedFile
from etl.staging.objects import Objects
from etl.staging.overlap import join
from etl.staging.parts import Part as ObjectPart
from etl.staging.raw import RawFile, object_text, raw_cells
from etl.staging.spool import Part, Spool
from etl.staging.table_rows import TableLoader, is_total_word
from etl.staging.totals_row import Control
from etl.staging.unread import UnreadCells
from etl.staging.vocabulary import ATTENTION, ORDER_NUMBER, Vocabulary, vocabulary_of

UNASSIGNED_KEPT = 10_000
_REPORT_EVERY = 20_000
_HEAD = 50
_NOTICES_KEPT = 100
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
        self._corrected: set[str] = set()
        self._is_correcting = False
        self._has_remarks = False
        self._open = open_export
        options = options or ReadOptions()
        self._used: set[tuple[str, str]] = set()
        words = {name: _Words(name, known, self._used) for name, known in options.values.items()}
        self.options = replace(options, values=words)
        self._names = Names(self.options.columns)
        self.numbers = OrderNumbers(self.options.order_number)
        self._progress = progress or _silent
        self._files: list[LoadedFile] = []
        self._copies = 0
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
                exports = self._open(path, self._names.is_header, self.options)
                for export in exports:
                    opened.callback(export.close)
                for export in exports:
                    self._load(export)
        self._sum_unread()
        self._progress("sorting", 0, None)
        orders = self._spool.seal()
        self._facts = BatchFacts(
            files=tuple(map(_file_facts, self._files)),
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
                yield from self._orders(number, parts)
            return
        for number, parts in self._spool.groups():
            for order in self._orders(number, parts):
                if order.order_date is None or _is_within(order.order_date.wall.date(), start, end):
                    yield order

    def unused_values(self) -> list[tuple[str, str]]:
        """(field, word) of values.csv that none of the orders read so far has."""
        every = ((name, word) for name, words in self.options.values.items() for word in words)
        return [pair for pair in every if pair not in self._used]

    def raw_rows(self, numbers: Collection[str]) -> Iterator[RawFile]:
        """The user's own rows of the named orders, file by file, as they were; nested returns mean their order.

        Shape: one RawFile per file that has any of them.
        """
        self._loaded()
        for index, parts in self._spool.ask({number.partition("-R")[0] for number in numbers}):
            file = self._files[index]
            mine = parts if file.is_correction else (part for part in parts if part[0] not in self._corrected)
            first = next(mine, None)
            if first is not None:
                yield self._raw_file(file, chain((first,), mine))

    def met(self, numbers: Collection[str]) -> dict[str, str]:
        """What attention.csv says of how the named orders were met; nested returns mean their order.

        A correction keeps the versions before it, so that they are known again however often it is corrected.
        """
        self._loaded()
        found = {}
        for number, parts in self._spool.named({number.partition("-R")[0] for number in numbers}):
            versions = {
                order.number: [*(one.version for one in order.replaces), version_of(order)]
                for order in self._orders(number, parts)
            }
            found[number] = met_text(versions)
        return found

    def _raw_file(self, file: LoadedFile, parts: Iterator[tuple[str, Part]]) -> RawFile:
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
        self, file: LoadedFile, columns: tuple[str, ...], number: str, part: Part
    ) -> Iterator[tuple[str, int, list[str]]]:
        groups, _, below = _rows_of(part)
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
            layout = self._names.layout(table.columns, str(place))
        except InputError as error:
            # The orders may stand on a sheet that was passed over.
            passed = [notice.removeprefix(f"{table.path}: ") for notice in table.notices if "sheet" in notice]
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
            self._has_remarks |= bool(file.remarks)
        loader = TableLoader(self, file, table)
        loader.run()
        file.notices.extend(table.remarks())
        return file, loader

    def _settle_tail(self, file: LoadedFile, loader: TableLoader) -> None:
        """Tells rows of totals from rows of orders, once the file's style is known and all of it is read."""
        control = Control(file.layout, self._builder(file).readers.amount)
        for _, parts in self._spool.groups():
            control.add(_rows_of(part) for part in parts if part.file == file.index and part.copy >= 0)
        for below in loader.tail:
            agrees, text = control.compare(below.cells)
            if agrees:
                file.rows.totals += 1
                file.tell(f"{file.name}, row {below.row}: a totals row, which agrees with what was read: {text}.")
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
                left[index].add([line for part in own for line in _lines_of(part)])
                if not left[index]:
                    del left[index]
            if not left:
                return
        for index, cells in left.items():
            self._files[index].unread.by_name.update(cells.sums())

    def _load_records(self, records: Records) -> LoadedFile:
        place = Place(str(records.path))
        stream = iter(records.records)
        # Whose names the file uses is told by the first objects that name an order.
        head = list(self._head(stream))
        keys = [key for _, record in head if isinstance(record, dict) for key in record]
        objects = Objects(self._names, self._names.vocabulary(keys))
        index = len(self._files)
        file = LoadedFile(index, records, objects.layout, place, objects=objects)
        self._files.append(file)
        for row, record in chain(head, stream):
            if file.rows.all % _REPORT_EVERY == 0:
                self._progress(str(records.path), records.position(), records.size)
            if isinstance(record, str):
                file.rows.unassigned += 1
                self.unassigned(file, row, "", "", plain(record))
            else:
                before = self._unassigned_count
                self._load_object(file, index, row, record)
                file.rows.unassigned += self._unassigned_count - before
                file.rows.orders += self._unassigned_count == before
        self._progress(str(records.path), records.size, records.size)
        file.notices = list(records.notices)
        return file

    def _head(self, stream: Iterator[tuple[int, dict[str, Any] | str]]) -> Iterator[tuple[int, dict[str, Any] | str]]:
        for row, record in islice(stream, _HEAD):
            yield row, record
            if isinstance(record, dict) and self._names.is_header(list(record)):
                return

    def _load_object(self, file: LoadedFile, index: int, row: int, record: dict[str, Any]) -> None:
        objects = file.objects
        if objects is None:
            raise InternalError("objects without a layout")
        record = objects.clean(record)
        if STYLE in record:
            file.told_styles.add(plain(str(record[STYLE])))
        self._has_remarks |= MET in record
        if vocabulary_of(record) is Vocabulary.GET_RETURNS:
            self._load_return(file, index, row, record)
            return
        flat = objects.flatten(record)
        number, header, cell = self._number_of(file.layout, flat.order)
        if number is None:
            self.unassigned(file, row, header, cell, "" if cell.strip() else _no_number(record))
            return
        file.count_cells(file.layout.order, flat.order, row)
        for cells in flat.lines:
            file.count_cells(file.layout.line, cells, row)
        for _, contents in flat.contents:
            for cells in contents:
                file.count_cells(file.layout.line, cells, row)
        for part, nested in flat.nested.items():
            _tally_nested(file, part, nested, row)
        file.unread.add((*flat.unread, *flat.loose))
        file.lines += len(flat.lines)
        file.returns += len(flat.nested.get(ObjectPart.RETURN, ()))
        self._copies += 1
        self.spool(number, Part(index, self._copies, marshal.dumps((row, record))))

    def _load_return(self, file: LoadedFile, index: int, row: int, record: dict[str, Any]) -> None:
        """Keeps a return of get-returns with the order that it belongs to."""
        objects = file.objects
        if objects is None:
            raise InternalError("objects without a layout")
        flat = objects.flatten_return(record)
        cell = flat.get("orderId", "")
        number = self.numbers.read(cell) if cell.strip() else None
        if number is None:
            message = "" if cell.strip() else "The return names no order (orderId)."
            self.unassigned(file, row, objects.headers.get((ObjectPart.RETURN, "orderId"), "orderId"), cell, message)
            return
        _tally_nested(file, ObjectPart.RETURN, [flat], row)
        file.returns += 1
        self._copies += 1
        self.spool(number, Part(index, -self._copies, marshal.dumps((row, record))))

    def _number_of(self, layout: Layout, cells: Sequence[str]) -> tuple[str | None, str, str]:
        for column in layout.order:
            if column.field == ORDER_NUMBER and column.index < len(cells) and cells[column.index].strip():
                return self.numbers.read(cells[column.index]), column.header, cells[column.index]
        return None, ORDER_NUMBER, ""

    def unassigned(self, file: LoadedFile, row: int, column: str, cell: str, message: str = "") -> None:
        """Counts a row that belongs to no order, and keeps the first ones."""
        self._unassigned_count += 1
        if len(self._unassigned) >= UNASSIGNED_KEPT:
            return
        text = message or (
            f"{plain(cell)[:80]!r} is no order number." if cell.strip() else "The row has no order number."
        )
        place = Place(file.place.file, file.place.sheet, row, column)
        self._unassigned.append(Problem("order.number_missing", "", place, plain(cell)[:300], text))

    def spool(self, number: str, part: Part) -> None:
        """Stores rows of an order."""
        if self._is_correcting:
            self._corrected.add(number)
        self._spool.add(number, part)

    def report(self, table: Table) -> None:
        """Tells how far a file is read."""
        self._progress(str(table.path), table.position(), table.size)

    def _orders(self, number: str, parts: list[Part]) -> list[Order]:
        if number not in self._corrected:
            return _in_order(self._read(number, parts))
        given = [part for part in parts if self._files[part.file].is_correction]
        originals = [part for part in parts if not self._files[part.file].is_correction]
        found = self._read(number, originals) if originals else []
        if any(part.copy >= 0 for part in given):
            return _in_order(corrected(found, self._read(number, given)))
        # Returns of a file of their own, corrected without their order.
        whole = self._read(number, [*(part for part in originals if part.copy >= 0), *given])
        return _in_order(corrected(found, [order for order in whole if order.parent]))

    def _read(self, number: str, parts: list[Part]) -> list[Order]:
        if self._has_remarks and len(parts) > 1:
            parts = self._newest(parts)
        if len(parts) == 1 and parts[0].copy >= 0:
            orders = self._draft(number, parts).finish()
        else:
            orders = self._joined(number, parts).finish()
        met = {cell for part in parts for cell in self._remarks(part, MET)} if self._has_remarks else ()
        if met or not all(order.is_readable for order in orders):
            orders = as_met(orders, unread_version(map(self._cells, parts)), met_versions(met))
        return orders

    def _joined(self, number: str, parts: list[Part]) -> Draft:
        returns = [part for part in parts if part.copy < 0]
        copies = [list(group) for _, group in groupby((p for p in parts if p.copy >= 0), key=itemgetter(0, 1))]
        drafts = [self._draft(number, copy) for copy in copies]
        draft = join(drafts) if len(drafts) > 1 else next(iter(drafts), None) or Draft(number, Place(), is_orphan=True)
        for part in returns:
            self._add_return(draft, part)
        return draft

    def _newest(self, parts: list[Part]) -> list[Part]:
        """Without rows of an attention.csv that a later one has, too: they were corrected again."""
        written = [max(self._remarks(part, WRITTEN), default="") for part in parts]
        return [part for part, when in zip(parts, written, strict=True) if when in ("", max(written))]

    def _remarks(self, part: Part, name: str) -> set[str]:
        """What the rows of an order say in a column of attention.csv; empty where they are none of it."""
        file = self._files[part.file]
        if file.objects is not None:
            found = {plain(str(_rows_of(part)[1].get(name, "")))}
        elif name in file.remarks:
            found = {plain(line[file.remarks[name]]) for line in _lines_of(part)}
        else:
            return set()
        return found - {""}

    def _cells(self, part: Part) -> Cells:
        """One part of an order as it stood."""
        file = self._files[part.file]
        layout = file.layout
        if file.objects is not None:
            if part.copy < 0:
                return Cells((), (), (), (), file.objects.flatten_return(_rows_of(part)[1]))
            flat = file.objects.flatten(_rows_of(part)[1])
            lines = [*flat.lines, *(cells for _, contents in flat.contents for cells in contents)]
            return Cells(layout.order, [flat.order], layout.line, lines, (flat.nested, flat.broken, flat.unread))
        columns = (*layout.line, *layout.other)
        return Cells(layout.order, [order for order, _ in _rows_of(part)[0]], columns, list(_lines_of(part)))

    def _add_return(self, draft: Draft, part: Part) -> None:
        file = self._files[part.file]
        if file.objects is None:
            raise InternalError("objects without a layout")
        row, record = _rows_of(part)
        place = replace(file.place, row=row, column="returns")
        self._builder(file).nested.add_return(draft, place, file.objects.flatten_return(record))

    def _builder(self, file: LoadedFile) -> Builder:
        if file.builder is None:
            headers = file.objects.headers if file.objects else None
            file.builder = Builder(file.layout, file.style, file.place, self.options, headers)
        return file.builder

    def _draft(self, number: str, parts: list[Part]) -> Draft:
        file = self._files[parts[0].file]
        builder = self._builder(file)
        if file.objects is not None:
            row, record = _rows_of(parts[0])
            return builder.object_draft(number, row, file.objects.flatten(record))
        groups: list[Group] = []
        faults: list[Fault] = []
        below: list[BelowRow] = []
        for part in parts:
            more, odd, under = _rows_of(part)
            groups.extend(more)
            faults.extend(_named(odd, is_all_wide=file.is_all_wide))
            below.extend(under)
        return builder.table_draft(number, groups, faults, below)

    def _unused_renames(self) -> tuple[str, ...]:
        met = (header for file in self._files for header in (*file.layout.renamed, *file.layout.not_migrated))
        used = {header.casefold() for header in met}
        return tuple(
            f"columns.csv names the header {header!r}, which no file has."
            for header in self._names.renames
            if header.casefold() not in used
        )


def _named(faults: list[Fault], *, is_all_wide: bool) -> Iterator[Fault]:
    """The faults of an order's rows; a row wider than the header is one only where not all rows are."""
    for row, code, message, shown, column in faults:
        if code != WIDE:
            yield row, code, message, shown, column
        elif not is_all_wide:
            yield row, "value.invalid", message, shown, column


_NESTED_KINDS = {
    **dict.fromkeys(("priceOff", "priceOffAsANumber", "priceOffAsNumber", "value", "price"), Kind.AMOUNT),
    **dict.fromkeys(("returnCost", "shippingCost", "handlingCost", "voucherValue"), Kind.AMOUNT),
    "taxPercent": Kind.PERCENT,
    "quantity": Kind.QTY,
    **dict.fromkeys(("date", "created"), Kind.DATE),
}
"""Keys of nested records whose cells show the file's style."""


def _tally_nested(file: LoadedFile, part: ObjectPart, records: Sequence[Mapping[str, Any]], row: int) -> None:
    headers = file.objects.headers if file.objects else {}
    for record in records:
        for key, cell in record.items():
            kind = _NESTED_KINDS.get(key)
            if key == "products":
                _tally_nested(file, ObjectPart.RETURN_LINE, cell, row)
            elif kind is not None and cell:
                file.count(headers.get((part, key), key), kind, cell, row)


def _no_number(record: Mapping[str, Any]) -> str:
    """What to say of an object without an order number: what it holds instead."""
    names = ", ".join(map(str, record))
    return f"The object has no order number; its names are {names[:300]}." if names else "The object is empty."


def _file_facts(file: LoadedFile) -> FileFacts:
    export, layout = file.export, file.layout
    return FileFacts(
        path=export.path,
        sha256=export.sha256,
        size=export.size,
        format=export.format,
        vocabulary=layout.vocabulary,
        sheet=file.place.sheet,
        dialect=export.dialect,
        header_row=export.header_row if isinstance(export, Table) else 0,
        style=file.style,
        columns=ColumnFacts(
            used=(
                *((column.header, column.field) for column in (*layout.order, *layout.line)),
                *sorted(file.objects.used.items() if file.objects else ()),
            ),
            not_migrated=tuple(layout.not_migrated.items()),
            unknown=tuple(layout.unknown.items()),
            missing=layout.missing,
            renamed=tuple(layout.renamed.items()),
        ),
        rows=file.rows.all,
        rows_of_orders=file.rows.orders,
        unassigned=file.rows.unassigned,
        totals_rows=file.rows.totals,
        repeated_headers=file.rows.headers,
        lines=file.lines,
        notices=tuple(file.notices),
        unread=tuple(
            UnreadColumn(name, one.total, one.orders, one.is_list) for name, one in file.unread.by_name.items()
        ),
        samples=tuple(file.samples.items()),
        count=export.count if isinstance(export, Table) else None,
    )


def _unknown_columns(layout: Layout) -> Iterator[tuple[int, str]]:
    for at, column in enumerate(layout.other, len(layout.line)):
        if column.header in layout.unknown and column.header:
            yield at, column.header


def _lines_of(part: Part) -> Iterator[tuple[str, ...]]:
    groups, _, below = _rows_of(part)
    yield from (line for _, rows in groups for _, line in rows)
    yield from (line for _, line, _ in below)


def _rows_of(part: Part) -> Any:
    return marshal.loads(part.data)  # noqa: S302 - written by this process, in a file that only it can read


def _object_text(part: Part) -> tuple[int, str]:
    row, record = _rows_of(part)
    return row, object_text(record)


def _in_order(orders: list[Order]) -> list[Order]:
    """An order, then its nested returns by number."""
    return orders if len(orders) < 3 else [orders[0], *sorted(orders[1:], key=lambda order: number_key(order.number))]


def _is_within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or day >= start) and (end is None or day < end)


def _silent(_what: str, _done: int, _total: int | None) -> None:
    return
