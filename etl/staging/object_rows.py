"""Objects of a JSON export to parts of orders: which order an object belongs to, and what is none."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Protocol

from etl.model.attention import DAMAGED, MET, STYLE, as_written, damaged_cells
from etl.model.export import BROKEN, Records, plain
from etl.model.place import Place
from etl.reading.kinds import Kind
from etl.reading.names import ORDER_NUMBER
from etl.reading.options import ReadOptions
from etl.reading.order_numbers import OrderNumbers
from etl.staging.fields import Names
from etl.staging.loaded import SAMPLED_ROWS, SAMPLES, LoadedFile
from etl.staging.objects import Flat, Objects
from etl.staging.parts import ObjectKind
from etl.staging.spool import ParsedPart
from etl.staging.vocabulary import Vocabulary, vocabulary_of

_REPORT_EVERY = 20_000
_HEAD = 50
_Met = tuple[int, dict[str, Any] | str]
"""An object and its number in the file, or what is wrong with it."""


class ObjectSink(Protocol):
    """What takes the objects of a file: the batch."""

    names: Names
    numbers: OrderNumbers
    options: ReadOptions

    def spool(self, number: str, part: ParsedPart) -> None:
        """Stores an object of an order."""

    def unassigned(self, file: LoadedFile, row: int, column: str, cell: str, message: str = "") -> None:
        """Counts an object that belongs to no order."""

    def report(self, export: Records, *, is_done: bool = False) -> None:
        """Tells how far a file is read."""


class ObjectLoader:
    """Takes the objects of one file, number `index` of the batch, into the spool. `file` is what becomes known of it."""

    def __init__(self, batch: ObjectSink, index: int, records: Records) -> None:
        self._batch, self._records = batch, records
        self._stream = iter(records.records)
        # Whose names the file uses is told by the first objects that name an order.
        self._first = list(self._head(self._stream))
        keys = [key for _, record in self._first if isinstance(record, dict) for key in record]
        self._objects = Objects(batch.names, batch.names.vocabulary(keys))
        place = Place(str(records.path))
        self.file = LoadedFile(index, records, self._objects.layout, place, objects=self._objects)
        self._copies = 0

    def run(self) -> None:
        """Reads all objects. Raises InputError where the file breaks off."""
        file, records = self.file, self._records
        for row, record in chain(self._first, self._stream):
            if file.rows.all % _REPORT_EVERY == 0:
                self._batch.report(records)
            if isinstance(record, str):
                self._batch.unassigned(file, row, "", "", plain(record))
                file.rows.unassigned += 1
            elif self._take(row, record):
                file.rows.orders += 1
            else:
                file.rows.unassigned += 1
        self._batch.report(records, is_done=True)
        file.notices = list(records.notices)

    def _head(self, stream: Iterator[_Met]) -> Iterator[_Met]:
        """The first objects, up to one that names an order."""
        for row, record in islice(stream, _HEAD):
            yield row, record
            if isinstance(record, dict) and self._batch.names.is_header(list(record)):
                return

    def _take(self, row: int, record: dict[str, Any]) -> bool:
        """Whether the object belongs to an order, which then has it."""
        file, objects = self.file, self._objects
        record = objects.clean(record)
        if STYLE in record:
            file.told_styles.add(plain(str(record[STYLE])))
        file.has_remarks |= MET in record
        if known := damaged_cells(plain(str(record.get(DAMAGED, "")))):
            record = {key: part if key == DAMAGED else _damaged_again(part, known) for key, part in record.items()}
        if vocabulary_of(record) is Vocabulary.GET_RETURNS:
            return self._take_return(row, record)
        flat = objects.flatten(record)
        number, header, cell = self._number_of(flat.order)
        if number is None:
            self._batch.unassigned(file, row, header, cell, "" if cell.strip() else _no_number(record))
            return False
        file.count_cells(file.layout.order, flat.order, row)
        for cells in flat.lines:
            file.count_cells(file.layout.line, cells, row)
        for _, contents in flat.contents:
            for cells in contents:
                file.count_cells(file.layout.line, cells, row)
        for part, nested in flat.nested.items():
            _tally_nested(file, part, nested, row)
        if file.rows.all < SAMPLED_ROWS:
            self._sample(flat)
        file.unread.add((*flat.unread, *flat.loose))
        file.lines += len(flat.lines)
        file.returns += len(flat.nested.get(ObjectKind.RETURN, ()))
        self._copies += 1
        self._batch.spool(number, ParsedPart(file.index, self._copies, marshal.dumps((row, record))))
        return True

    def _sample(self, flat: Flat) -> None:
        """Keeps a few cells under the names of columns.csv that nobody has confirmed, for a person to look at."""
        layout, names = self.file.layout, self._objects.headers
        met = [(column.header, cell) for column, cell in zip(layout.order, flat.order, strict=False)]
        met += [(column.header, cell) for line in flat.lines for column, cell in zip(layout.line, line, strict=False)]
        for part, records in flat.nested.items():
            met += [(names.get((part, key), ""), cell) for one in records for key, cell in one.items()]
        for header, cell in met:
            shown = plain(cell).strip() if isinstance(cell, str) else ""
            known = self.file.samples.get(header, ())
            if shown and header in self._batch.options.likely and shown not in known and len(known) < SAMPLES:
                self.file.samples[header] = (*known, shown)

    def _take_return(self, row: int, record: dict[str, Any]) -> bool:
        """Keeps a return of get-returns with the order that it belongs to."""
        file, objects = self.file, self._objects
        flat = objects.flatten_return(record)
        cell = flat.get("orderId", "")
        number = self._batch.numbers.read(cell) if cell.strip() else None
        if number is None:
            message = "" if cell.strip() else "The return names no order (orderId)."
            self._batch.unassigned(
                file, row, objects.headers.get((ObjectKind.RETURN, "orderId"), "orderId"), cell, message
            )
            return False
        _tally_nested(file, ObjectKind.RETURN, [flat], row)
        file.returns += 1
        self._copies += 1
        self._batch.spool(number, ParsedPart(file.index, -self._copies, marshal.dumps((row, record))))
        return True

    def _number_of(self, cells: Sequence[str]) -> tuple[str | None, str, str]:
        for column in self.file.layout.order:
            if column.field == ORDER_NUMBER and column.index < len(cells) and cells[column.index].strip():
                return self._batch.numbers.read(cells[column.index]), column.header, cells[column.index]
        return None, ORDER_NUMBER, ""


def _damaged_again(value: Any, known: Mapping[str, str]) -> Any:
    """What is damaged in the export, and was not corrected since, as a cell that can't be read."""
    if isinstance(value, dict):
        return {key: _damaged_again(part, known) for key, part in value.items()}
    if isinstance(value, list):
        return [_damaged_again(part, known) for part in value]
    found = known.get(as_written(value)) if isinstance(value, str) else None
    return value if found is None else f"{BROKEN}{found}"


_NESTED_KINDS = {
    **dict.fromkeys(("priceOff", "priceOffAsANumber", "priceOffAsNumber", "value", "price"), Kind.AMOUNT),
    **dict.fromkeys(("returnCost", "shippingCost", "handlingCost", "voucherValue"), Kind.AMOUNT),
    "taxPercent": Kind.PERCENT,
    "quantity": Kind.QTY,
    **dict.fromkeys(("date", "created"), Kind.DATE),
}
"""Keys of nested records whose cells show the file's style."""


def _tally_nested(file: LoadedFile, part: ObjectKind, records: Sequence[Mapping[str, Any]], row: int) -> None:
    headers = file.objects.headers if file.objects else {}
    for record in records:
        for key, cell in record.items():
            kind = _NESTED_KINDS.get(key)
            if key == "products":
                _tally_nested(file, ObjectKind.RETURN_LINE, cell, row)
            elif kind is not None and cell:
                file.count(headers.get((part, key), key), kind, cell, row)


def _no_number(record: Mapping[str, Any]) -> str:
    """What to say of an object without an order number: what it holds instead."""
    names = ", ".join(map(str, record))
    return f"The object has no order number; its names are {names[:300]}." if names else "The object is empty."
