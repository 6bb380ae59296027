"""Cells of one copy of an order to a draft: parsed values, lines, and a problem for whatever can't be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from etl.model.export import plain
from etl.model.order import Line
from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.reading.dates import NO_DATE
from etl.reading.kinds import Kind
from etl.reading.names import KINDS, LINE, ORDER_NUMBER
from etl.reading.numbers import symbol_fits
from etl.reading.options import DEFAULT, ReadOptions
from etl.reading.parse import Reader, Readers, number_remark
from etl.reading.remarks import RemarkedValue
from etl.reading.style import Style
from etl.staging.currencies import Currencies, check_currencies
from etl.staging.draft import Draft, Source, canonical_text, same_value
from etl.staging.fields import Column, Layout
from etl.staging.further_lines import HINT, FurtherLines
from etl.staging.lines import Lines, text_reader, translated, value_or_none
from etl.staging.nested import Headers, NestedReader
from etl.staging.objects import Flat
from etl.staging.order_rate import prove_rates, spread_rate
from etl.staging.parts import ObjectKind, list_in
from etl.staging.plain import PlainTable
from etl.staging.spots import Spots
from etl.staging.vocabulary import ALIASES, LINE_TOTAL, Vocabulary
from etl.staging.whole import check_beside, check_repeated, check_stated, check_unread, join_below

Row = tuple[int, tuple[str, ...]]
Group = tuple[tuple[str, ...], list[Row]]
"""Equal order-level cells, and the rows that have them: (row, line-level cells)."""
BelowRow = tuple[int, tuple[str, ...], str]
"""A row without order number below the order: (row, line-level cells, what is wrong with its syntax)."""
Fault = tuple[int, str, str, str, str]
"""A row that there is something to say about: (row, code, message, what it shows, column)."""

NOTICES = frozenset({"text.quotes"})
"""What a reader may say of a row without blocking its order."""
_LINE_TOTALS = frozenset({LINE_TOTAL, LINE + LINE_TOTAL})
WIDE = "wide"
"""Stands for the code of a row with more cells than the header, the extra ones empty, until all rows are known."""
BESIDE = "beside"
"""Stands for the code of a row below the order that has no number and repeats the order's other cells."""


class Check(NamedTuple):
    """What is held against an order once its values are seen together. `name`: what it looks at."""

    name: str
    run: Callable[[Draft], None]


SHIPPING, SIGNS, VOUCHER, CAPTURE = "empty shipping", "currency signs", "a negative voucher", "captures"
FIRST_RATE, STATED = "a rate on the first row", "stated line totals"
"""Names of checks that whoever reads cells without a draft may know."""


class Builder:
    """Builds drafts from the cells of one file, in its layout and style.

    `checks`: all that is held against orders of a flat file beyond remarks on single cells, by name. A check that is in
    none of the lists below is never run: who reads cells without a draft (`etl.columns`) knows by them what it has to know.
    """

    def __init__(
        self,
        layout: Layout,
        style: Style,
        place: Place,
        options: ReadOptions = DEFAULT,
        headers: Headers | None = None,
    ) -> None:
        """`headers`: what the file calls the keys of nested records, where it has any."""
        self._layout = layout
        self.readers = self._readers = Readers(style, options)
        self.nested = NestedReader(self._readers, headers or {})
        self._options = options
        self._words = options.values
        self._empty = options.empty_words
        self._place = place
        self._texts: dict[Kind, Reader[str]] = {
            kind: Reader(text_reader(reader)) for kind, reader in self._readers.by_kind.items()
        }
        self._spots = Spots(layout, place, options.values)
        self.lines = Lines(layout, self._readers, self._spots, options)
        self._is_foreign = "products.vatPercent" in layout.renamed.values()
        self._order_columns = [
            (
                index,
                column,
                column.field,
                self._readers.by_kind[column.kind],
                self._texts[column.kind],
                self._words.get(column.field),
            )
            for index, column in enumerate(layout.order)
            if column.field != ORDER_NUMBER
        ]
        self._number_at = next((at for at, column in enumerate(layout.order) if column.field == ORDER_NUMBER), None)
        further = enumerate(layout.other, len(layout.line))
        self._stated_at = next(
            ((at, column.header) for at, column in further if column.header.strip().casefold() in _LINE_TOTALS), None
        )
        self._further = FurtherLines(layout)
        self._currencies = Currencies(layout)
        self._has_shipping = any(column.field == "shippingValue" for column in layout.order)
        self._of_lines, self._of_all = tuple(self._line_checks()), tuple(self._order_checks())
        first = (Check(SHIPPING, self._tell_shipping),) if self._has_shipping else ()
        self._of_values = first
        self.checks = frozenset(check.name for check in (*first, *self._of_lines, *self._of_all))

    def _line_checks(self) -> Iterator[Check]:
        """What is looked at of the lines of a flat file."""
        if self._is_foreign:
            yield Check(FIRST_RATE, spread_rate)
        if self._currencies:
            yield Check("currencies of amounts", self._check_currencies)
        if self._stated_at is not None:
            yield Check(STATED, self._compare_all_stated)
        if self._further:
            yield Check("further lines of a row", self._fault_further)

    def _order_checks(self) -> Iterator[Check]:
        """What is looked at of every order."""
        if any("" in words for words in self._words.values()):
            yield Check("values.csv for empty cells", self._fill_empty)
        if "products.lineId" in self.lines.columns:
            yield Check("repeated lines", check_repeated)
        yield Check(SIGNS, self._check_symbols)
        if self._layout.vocabulary is Vocabulary.CREATE_ORDER:
            yield Check(VOUCHER, self._check_voucher)
        yield Check(CAPTURE, self._check_capture)

    def plain_table(self) -> PlainTable:
        """The file for those who read its cells column by column."""
        stated_at = self._stated_at[0] if self._stated_at else None
        layout = self._layout
        return PlainTable(
            layout.order,
            layout.line,
            self.readers,
            self.lines,
            self._empty_shipping,
            self.checks,
            stated_at,
            self._place,
        )

    def table_draft(
        self, number: str, groups: list[Group], faults: Sequence[Fault], below: Sequence[BelowRow] = ()
    ) -> Draft:
        """The draft of an order in a flat file."""
        row = groups[0][1][0][0]
        draft = Draft(number, replace(self._place, row=row), rows=sum(len(rows) for _, rows in groups))
        beside = []
        for at, code, message, shown, column in faults:
            place = replace(self._place, row=at, column=column, name=self._spots.field_of(column))
            if code == BESIDE:
                beside.append(at)
            elif code in NOTICES:
                draft.tell(code, message, place, shown)
            else:
                draft.fault(code, message, place, shown)
        self._read_order(draft, groups)
        for check in self._of_values:
            check.run(draft)
        self._read_rows(draft, groups)
        for check in self._of_lines:
            check.run(draft)
        if below:
            self._read_below(draft, below)
        if beside:
            check_beside(draft, replace(self._place, row=beside[0]))
        prove_rates(draft)
        self._check(draft)
        return draft

    def _read_rows(self, draft: Draft, groups: Sequence[Group]) -> None:
        """The lines of the rows, and what the file says that they come to."""
        for _, rows in groups:
            for at, cells in rows:
                if self._further and (more := self._further.in_row(cells)):
                    draft.further.append((at, *more))
                    if self._further.is_packed:
                        continue
                if self._currencies:
                    self._currencies.collect(draft, replace(self._place, row=at), cells)
                line = self.lines.read(draft, at, cells)
                if line is not None:
                    draft.lines.append(line)
                    if self._stated_at is not None and cells[self._stated_at[0]]:
                        draft.stated.append((len(draft.lines) - 1, cells[self._stated_at[0]]))

    def _tell_shipping(self, draft: Draft) -> None:
        if "shippingValue" not in draft.sources:
            draft.problems.append(self._empty_shipping(draft.number, draft.place.row or 0))

    def _empty_shipping(self, number: str, row: int) -> Problem:
        """What is said of an order whose first row is that one, and whose shippingValue is empty."""
        place = self._spots.at(row, "shippingValue")
        return notice("shipping.empty", "shippingValue is empty and was read as 0.", order=number, place=place)

    def _fault_further(self, draft: Draft) -> None:
        for row, column, shown, message in draft.further[:1]:
            draft.fault("order.incomplete", message, replace(self._place, row=row, column=column), shown, HINT)

    def _check_currencies(self, draft: Draft) -> None:
        check_currencies(draft, draft.currencies, self._readers.by_kind[Kind.CURRENCY])

    def _compare_all_stated(self, draft: Draft) -> None:
        for index, cell in draft.stated:
            self._compare_stated(draft, draft.lines[index], cell, self._stated_at[1] if self._stated_at else "")

    def _read_below(self, draft: Draft, below: Sequence[BelowRow]) -> None:
        """Rows without a number below the order: read as its lines, or the order is not whole."""
        apart = Draft(draft.number, draft.place, values=draft.values)
        for row, cells, fault in below:
            line = self.lines.read(apart, row, cells)
            if line is not None:
                apart.lines.append(line)
            is_product = line is not None and bool(line.key or line.product)
            if fault or not is_product:
                place = replace(self._place, row=row)
                apart.fault("value.invalid", fault or "The row names no product, so it is no line.", place)
        draft.rows += len(below)
        join_below(draft, apart, [row for row, _, _ in below], are_lines=self._options.continuation_rows)

    def object_draft(self, number: str, row: int, flat: Flat) -> Draft:
        """The draft of an order object."""
        draft = Draft(number, replace(self._place, row=row), rows=max(1, len(flat.lines)))
        self._read_order(draft, [(tuple(flat.order), [(row, ())])])
        draft.currencies = [(draft.place.at(name), cell) for name, cell in flat.currencies]
        self._check_currencies(draft)
        if "shippingValue" in flat.blank:
            self._tell_shipping(draft)
        for column, shown in flat.broken:
            what = "is no product line" if column == flat.lines_from else f"is not what {column} should hold"
            name = "products" if column == flat.lines_from else self._spots.field_of(column)
            place = replace(self._place, row=row, column=column, name=name)
            draft.fault("value.invalid", f"{plain(shown)[:80]!r} {what}.", place, plain(shown))
        lists = [column for column, _ in flat.broken if column == flat.lines_from or list_in(ObjectKind.ORDER, column)]
        if lists:
            text = f"Not all of the list {lists[0]} could be read."
            draft.fault("order.incomplete", text, replace(self._place, row=row, column=lists[0], name="products"))
        if flat.flat_lines:
            self._fault_flat_lines(draft, row, flat.flat_lines)
        self._read_lines(draft, row, flat)
        self.nested.read(draft, flat.nested, replace(self._place, row=row))
        prove_rates(draft)
        self._check(draft)
        check_unread(draft, flat, replace(self._place, row=row))
        return draft

    def _fault_flat_lines(self, draft: Draft, row: int, found: Sequence[tuple[str, str]]) -> None:
        """A row of a table as an object: which rows are lines of one order, and which copies, can't be told."""
        names = ", ".join(name for name, _ in found[:3])
        draft.fault(
            "value.invalid",
            f"Product lines stand under {names} of the order itself; of JSON they are read from a list of objects only.",
            replace(self._place, row=row, column=found[0][0], name="products"),
            plain(found[0][1])[:80],
            "Write the lines of each order as a list, products: [{..}, ..], or feed the table as CSV or Excel.",
        )

    def _read_lines(self, draft: Draft, row: int, flat: Flat) -> None:
        contents = dict(flat.contents)
        part_of = self.lines.columns.get("products.isPartOfBundle")
        is_listed = part_of is not None and any(
            value_or_none(self._readers.bundle, cells[part_of.index])
            for cells in flat.lines
            if len(cells) > part_of.index
        )
        for index, cells in enumerate(flat.lines):
            line = self.lines.read(draft, row, tuple(cells))
            if line is None or self._is_cancelled(draft, line):
                continue
            if index in contents and not line.is_bundle:
                line = replace(line, is_bundle=True)
            draft.lines.append(line)
            if flat.stated[index]:
                self._compare_stated(draft, line, flat.stated[index], f"{flat.lines_from or 'products'}.totalPrice")
            if index in contents and not is_listed:
                self._read_contents(draft, row, line, contents[index])

    def _compare_stated(self, draft: Draft, line: Line, cell: str, column: str) -> None:
        """Compares the total of a line as the export has it; what can't be read is no control."""
        stated = value_or_none(self._readers.amount, cell)
        if stated is not None and not (line.is_bundle or line.bundle):
            check_stated(draft, line, stated, plain(cell), column)

    def _is_cancelled(self, draft: Draft, line: Line) -> bool:
        """Whether nothing is left of the line: the Integration API's `quantity` leaves out what was cancelled."""
        if self._layout.vocabulary is not Vocabulary.INTEGRATION or line.qty != 0:
            return False
        draft.tell("line.cancelled", f"{line.key or line.product} was cancelled as a whole.", line.place, "0")
        return True

    def _read_contents(self, draft: Draft, row: int, line: Line, contents: list[list[str]]) -> None:
        """Contents nested in a bundle become lines of their own; where they carry no prices they only inform."""
        price = self.lines.columns.get("products.unitPrice")
        if price is None or not all(len(cells) > price.index and cells[price.index] for cells in contents):
            return
        for cells in contents:
            part = self.lines.read(draft, row, tuple(cells))
            if part is not None:
                draft.lines.append(replace(part, bundle=line.line_id or line.key or "1"))

    def _read_order(self, draft: Draft, groups: list[Group]) -> None:
        values, texts, sources = draft.values, draft.texts, draft.sources
        texts[ORDER_NUMBER] = draft.number
        cells = groups[0][0]
        rows: Sequence[int] | None = None
        if len(groups) > 1:
            cells, rows = self._merge(draft, groups)
        first, width = groups[0][1][0][0], len(cells)
        self._tell_number(draft, cells, first)
        for index, column, field, reader, text, words in self._order_columns:
            if index >= width:
                break
            cell = cells[index]
            if words and cell.strip():
                cell = translated(cell, words)
            if not cell:
                continue
            if field in sources:
                self._check_twin(draft, index, cells)
                continue
            row = first if rows is None else rows[index]
            try:
                value = reader[cell]
                shown = text[cell]
            except RemarkedValue as odd:
                value = self._spots.remarked(draft, odd, row, column, cell)
                shown = "" if value is None else canonical_text(value)
            if value.__class__ is str:
                value, shown = value.strip(), shown.strip()
            if value is None or value == "":
                if cell.strip() and value is None:
                    sources[field] = Source(row, column)
                continue
            values[field] = value
            sources[field] = Source(row, column)
            if shown:
                texts[field] = shown

    def _tell_number(self, draft: Draft, cells: tuple[str, ...], row: int) -> None:
        """A notice for what was taken from the number beyond blanks and zeros."""
        at = self._number_at
        if at is None or at >= len(cells) or cells[at] == draft.number:
            return
        remark = number_remark(cells[at])
        if remark is not None:
            draft.add(remark, self._spots.at(row, ORDER_NUMBER), plain(cells[at]))

    def _check_twin(self, draft: Draft, index: int, cells: Sequence[str]) -> None:
        """Two names of one object for one field must say the same, unless one is known to stand in for the other."""
        second = self._layout.order[index]
        first = draft.sources[second.field]
        if {first.column.header.casefold(), second.header.casefold()} & ALIASES:
            return
        at = next(at for at, column in enumerate(self._layout.order) if column is first.column)
        if not self._is_same(index, cells[at], cells[index]):
            shown = plain(cells[index])
            draft.fault(
                "order.conflict",
                f"{first.column.header} is {plain(cells[at])!r} and {second.header} is {shown!r}; "
                f"both mean {second.field}.",
                replace(self._place, row=first.row, column=second.header, name=second.field),
                shown,
            )

    def _merge(self, draft: Draft, groups: list[Group]) -> tuple[tuple[str, ...], list[int]]:
        """The first non-empty cell of each column, and its row; contradictions are faults."""
        width = max(len(cells) for cells, _ in groups)
        merged, rows = [""] * width, [groups[0][1][0][0]] * width
        seen: set[tuple[str, ...]] = set()
        for cells, lines in groups:
            if cells in seen:
                continue
            seen.add(cells)
            row = lines[0][0]
            for index, cell in enumerate(cells):
                if not cell or cell == merged[index] or self._is_blank(cell):
                    continue
                if not merged[index]:
                    merged[index], rows[index] = cell, row
                elif not self._is_same(index, merged[index], cell):
                    self._conflict(draft, index, (rows[index], merged[index]), (row, cell))
        return tuple(merged), rows

    def _is_blank(self, cell: str) -> bool:
        """Whether an order-level cell says nothing, so that another row's may."""
        return not cell.strip() or cell.startswith(NO_DATE) or plain(cell).strip() in self._empty

    def _is_same(self, index: int, first: str, second: str) -> bool:
        column = self._layout.order[index]
        if column.field == ORDER_NUMBER:
            return True
        reader = self._readers.by_kind[column.kind]
        words = self._words.get(column.field)
        if words:
            first, second = translated(first, words), translated(second, words)
        left, right = value_or_none(reader, first), value_or_none(reader, second)
        if left is None or right is None:
            return left is right and not first.strip() and not second.strip()
        return same_value(left, right)

    def _conflict(self, draft: Draft, index: int, first: tuple[int, str], second: tuple[int, str]) -> None:
        column = self._layout.order[index]
        header = column.header
        if ("order.conflict", header) in draft.told:
            return
        draft.told.add(("order.conflict", header))
        draft.fault(
            "order.conflict",
            f"{header} is {plain(first[1])!r} in row {first[0]} and {plain(second[1])!r} in row {second[0]}.",
            replace(self._place, row=second[0], column=header, name=column.field),
            plain(second[1]),
        )

    def _source(self, draft: Draft, field: str) -> tuple[Place, str]:
        source = draft.sources.get(field)
        if source is None:
            return self._spots.at(draft.place.row or 0, field), ""
        return replace(self._place, row=source.row, column=source.column.header, name=field), draft.texts.get(field, "")

    def _check(self, draft: Draft) -> None:
        """What only shows when an order's values are seen together."""
        for check in self._of_all:
            check.run(draft)

    def _check_voucher(self, draft: Draft) -> None:
        voucher = draft.values.get("voucherValue")
        if voucher is not None and voucher < 0:
            place, text = self._source(draft, "voucherValue")
            draft.fault(
                "value.invalid",
                f"voucherValue is {text}; a voucher reduces the order and is written as a positive amount.",
                place,
                text,
                "Write the amount without its minus sign.",
            )

    def _check_capture(self, draft: Draft) -> None:
        get = draft.values.get
        if get("payment.capture.amount") is not None and "payment.capture.status" not in draft.sources:
            place, text = self._source(draft, "payment.capture.amount")
            draft.fault(
                "value.missing",
                f"The payment has an amount of {text} but no status.",
                place.at(self._spots.at(0, "payment.capture.status").column),
                hint="Fill in 0 (pending), 1 (success) or 2 (failed).",
            )
        amount, total = get("payment.capture.amount"), get("orderTotal")
        if get("payment.capture.status") == "success" and None not in (amount, total) and amount != total:
            place, text = self._source(draft, "payment.capture.amount")
            draft.tell("payment.capture_differs", f"{text} was captured for an order of {total}.", place, text)

    def _fill_empty(self, draft: Draft) -> None:
        """What values.csv says of empty cells; of a payment's status only where an amount asks for one."""
        for field, words in self._words.items():
            if "" not in words or field in draft.sources or field.startswith(LINE):
                continue
            step, _, last = field.rpartition(".")
            if last == "status" and step and draft.values.get(f"{step}.amount") is None:
                continue
            draft.values[field] = self._readers.by_kind[KINDS[field]][words.get("", "")]
            draft.sources[field] = Source(draft.place.row or 0, Column(-1, self._spots.at(0, field).column, field))

    def _check_symbols(self, draft: Draft) -> None:
        currency = str(draft.values.get("currency") or "") if draft.symbols else ""
        for symbol, place, shown in draft.symbols:
            if currency and not symbol_fits(symbol, currency):
                draft.fault("value.invalid", f"{shown!r} is not in the order's currency {currency}.", place, shown)
