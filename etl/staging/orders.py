"""Spooled parts to whole orders: copies joined, get-returns added, corrections put in the place of originals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from etl.errors import InternalError
from etl.model.attention import MET, WRITTEN, met_versions
from etl.model.export import plain
from etl.model.order import Order, number_key
from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.options import ReadOptions
from etl.staging.build import WIDE, BelowRow, Builder, Fault, Group
from etl.staging.corrected import Cells, as_met, corrected, unread_version
from etl.staging.draft import Draft
from etl.staging.loaded import LoadedFile
from etl.staging.order_rate import prove_rates
from etl.staging.overlap import join
from etl.staging.raw_part import LONGEST_ORDER, RawPart
from etl.staging.spool import ParsedPart, Parts


class OrderReader:
    """Reads orders back from the parts of `files`, which a batch has loaded.

    `corrected`: the numbers of which a correction was given. `has_remarks`: whether any file came from attention.csv.
    """

    def __init__(self, files: Sequence[LoadedFile], options: ReadOptions) -> None:
        self._files = files
        self._options = options
        self.corrected: set[str] = set()
        self.has_remarks = False

    def orders(self, number: str, parts: Parts) -> list[Order]:
        """The order of that number, then its nested returns by number; corrected where a correction was given."""
        is_cut = parts.is_cut
        if number not in self.corrected:
            return _in_order(self._read(number, parts, is_cut=is_cut))
        given = [part for part in parts if self._files[part.file].is_correction]
        originals = [part for part in parts if not self._files[part.file].is_correction]
        found = self._read(number, originals, is_cut=is_cut) if originals else []
        if any(part.copy >= 0 for part in given):
            return _in_order(corrected(found, self._read(number, given, is_cut=is_cut)))
        # Returns of a file of their own, corrected without their order.
        whole = self._read(number, [*(part for part in originals if part.copy >= 0), *given], is_cut=is_cut)
        return _in_order(corrected(found, [order for order in whole if order.parent]))

    def groups(self, parts: Parts) -> list[Group] | None:
        """The rows of an order of one flat file, from which `orders` makes it and nothing else.

        None where there is more: rows with a fault or without a number, copies, returns, corrections, remarks of
        attention.csv, more rows than are held.
        """
        if parts.is_cut or self.has_remarks or self.corrected:
            return None
        file, copy = parts[0].file, parts[0].copy
        found: list[Group] = []
        for part in parts:
            if part.file != file or part.copy != copy or copy < 0 or self._files[file].objects is not None:
                return None
            groups, faults, below = part.content()
            if faults or below:
                return None
            found += groups
        return found

    def _read(self, number: str, parts: list[ParsedPart | RawPart], *, is_cut: bool) -> list[Order]:
        if self.has_remarks and len(parts) > 1:
            parts = self._newest(parts)
        if len(parts) == 1 and parts[0].copy >= 0:
            orders = self._draft(number, parts).finish()
        else:
            orders = self._joined(number, parts).finish()
        if is_cut:
            orders = list(map(_too_long, orders))
        met = {cell for part in parts for cell in self._remarks(part, MET)} if self.has_remarks else ()
        if met or not all(order.is_readable for order in orders):
            orders = as_met(orders, unread_version(map(self._cells, parts)), met_versions(met))
        return orders

    def _joined(self, number: str, parts: list[ParsedPart | RawPart]) -> Draft:
        returns = [part for part in parts if part.copy < 0]
        copies = [list(group) for _, group in groupby((p for p in parts if p.copy >= 0), key=itemgetter(0, 1))]
        drafts = [self._draft(number, copy) for copy in copies]
        draft = join(drafts) if len(drafts) > 1 else next(iter(drafts), None) or Draft(number, Place(), is_orphan=True)
        if len(drafts) > 1:
            # Of a pair, one file may hold the lines and the other the taxes.
            prove_rates(draft)
        for part in returns:
            self._add_return(draft, part)
        return draft

    def _newest(self, parts: list[ParsedPart | RawPart]) -> list[ParsedPart | RawPart]:
        """Without rows of an attention.csv that a later one has, too: they were corrected again."""
        written = [max(self._remarks(part, WRITTEN), default="") for part in parts]
        return [part for part, when in zip(parts, written, strict=True) if when in ("", max(written))]

    def _remarks(self, part: ParsedPart | RawPart, name: str) -> set[str]:
        """What the rows of an order say in a column of attention.csv; empty where they are none of it."""
        file = self._files[part.file]
        if file.objects is not None:
            found = {plain(str(part.content()[1].get(name, "")))}
        elif name in file.remarks:
            found = {plain(line[file.remarks[name]]) for line in lines_of(part)}
        else:
            return set()
        return found - {""}

    def _cells(self, part: ParsedPart | RawPart) -> Cells:
        """One part of an order as it stood."""
        file = self._files[part.file]
        layout = file.layout
        if file.objects is not None:
            if part.copy < 0:
                return Cells((), (), (), (), file.objects.flatten_return(part.content()[1]))
            flat = file.objects.flatten(part.content()[1])
            lines = [*flat.lines, *(cells for _, contents in flat.contents for cells in contents)]
            return Cells(layout.order, [flat.order], layout.line, lines, (flat.nested, flat.broken, flat.unread))
        columns = (*layout.line, *layout.other)
        return Cells(layout.order, [order for order, _ in part.content()[0]], columns, list(lines_of(part)))

    def _add_return(self, draft: Draft, part: ParsedPart | RawPart) -> None:
        file = self._files[part.file]
        if file.objects is None:
            raise InternalError("objects without a layout")
        row, record = part.content()
        place = replace(file.place, row=row, column="returns")
        self.builder(file).nested.add_return(draft, place, file.objects.flatten_return(record))

    def builder(self, file: LoadedFile) -> Builder:
        """What builds drafts of a file in its layout and style."""
        if file.builder is None:
            headers = file.objects.headers if file.objects else None
            file.builder = Builder(file.layout, file.style, file.place, self._options, headers)
        return file.builder

    def _draft(self, number: str, parts: list[ParsedPart | RawPart]) -> Draft:
        file = self._files[parts[0].file]
        builder = self.builder(file)
        if file.objects is not None:
            row, record = parts[0].content()
            return builder.object_draft(number, row, file.objects.flatten(record))
        groups: list[Group] = []
        faults: list[Fault] = []
        below: list[BelowRow] = []
        for part in parts:
            more, odd, under = part.content()
            groups.extend(more)
            faults.extend(_named(odd, is_all_wide=file.is_all_wide))
            below.extend(under)
        return builder.table_draft(number, groups, faults, below)


def _named(faults: list[Fault], *, is_all_wide: bool) -> Iterator[Fault]:
    """The faults of an order's rows; a row wider than the header is one only where not all rows are."""
    for row, code, message, shown, column in faults:
        if code != WIDE:
            yield row, code, message, shown, column
        elif not is_all_wide:
            yield row, "value.invalid", message, shown, column


def lines_of(part: ParsedPart | RawPart) -> Iterator[tuple[str, ...]]:
    """The line-level cells of a part of a flat file."""
    groups, _, below = part.content()
    yield from (line for _, rows in groups for _, line in rows)
    yield from (line for _, line, _ in below)


def _too_long(order: Order) -> Order:
    """An order of which not all rows were held."""
    text = (
        f"The order has more than {LONGEST_ORDER >> 20} MiB of rows, which no order has; "
        f"perhaps the column that its number is read from holds no order numbers."
    )
    problem = Problem("order.incomplete", order.number, order.place, "", text)
    return replace(order, problems=(*order.problems, problem))


def _in_order(orders: list[Order]) -> list[Order]:
    """An order, then its nested returns by number."""
    return orders if len(orders) < 3 else [orders[0], *sorted(orders[1:], key=lambda order: number_key(order.number))]
