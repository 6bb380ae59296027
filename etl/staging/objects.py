"""Order objects of JSON exports as cells: the same columns a flat file would have, in dotted names.

Every name met on any level is used, not migrated, or unknown, and the layout says which. What is unknown and holds
amounts, or is a list of objects, goes with its order, so that the rest of it is never taken for the whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etl.model.export import BROKEN, plain
from etl.model.mapping import NOT_MIGRATED as NOT_MIGRATED_FIELD
from etl.reading.json_file import node_of
from etl.reading.kinds import NESTED_FIELDS, Kind
from etl.reading.names import KINDS, LINE
from etl.staging.currencies import amount_before
from etl.staging.elements import elements, is_listed
from etl.staging.fields import (
    DECLARED,
    Column,
    Layout,
    Names,
    canonical_field,
    is_secret,
    kind_of,
    nearest,
    reason_of,
)
from etl.staging.parts import AMOUNT_TAILS, COLUMNS, HOLDERS, ObjectKind, key_in, list_in, list_named, why_not
from etl.staging.unread import Unread, amount_in
from etl.staging.vocabulary import LINE_TOTAL, NOT_MIGRATED, REPEATED, Vocabulary, known_names

UNREAD = "\0unread"
"""Key of a nested record under which its unread parts stand."""
_DEPTH = 8
_BROKEN_KEPT = 20
_BUNDLE_TYPES = {"bundleorderline": "products.isBundle", "bundleitemorderline": "products.isPartOfBundle"}


_HEAD = re.compile(r"([^.\[\]]+)[.\[]")
"""The first part of a dotted or numbered name."""
_MARKS = re.compile(r"\\u00(?:0[0-9a-f]|1f)")
"""The marks of cells (`etl.model.export`) in texts of an object, as JSON writes them."""


_HOLDING = frozenset(name.partition(".")[0].casefold() for name in NESTED_FIELDS)
"""Names under which an order nests what is known."""


@dataclass(slots=True)
class Flat:
    """One order object as cells.

    `contents` holds (index of the line, cells of its contents), `nested` the records of each other part by what is
    read there. `broken` are elements that are no objects, `unread` what could not be placed.
    """

    order: list[str]
    lines: list[list[str]] = field(default_factory=list)
    contents: list[tuple[int, list[list[str]]]] = field(default_factory=list)
    nested: dict[ObjectKind, list[dict[str, Any]]] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)
    broken: list[tuple[str, str]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    lines_from: str = ""
    flat_lines: list[tuple[str, str]] = field(default_factory=list)
    """Names that hold a value of a product line on the order itself (`products.sku`, `lines.0.qty`), and the values."""
    stated: list[str] = field(default_factory=list)
    """What each line says that it comes to, "" for nothing."""
    currencies: list[tuple[str, str]] = field(default_factory=list)
    """What amounts of the order say of their currency: (name, cell), each currency once."""
    loose: list[Unread] = field(default_factory=list)
    """Unread amounts that stand directly on the order or a line, as a column of a table would: told, not blocking."""

    def add_broken(self, name: str, shown: str) -> None:
        """Keeps an element that is no object, and of a flood of them the first ones."""
        if len(self.broken) < _BROKEN_KEPT:
            self.broken.append((name, shown))


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a name is: a column, a key of a nested record, an amount's currency, or none. `is_known` where it needs no further look."""

    column: Column | None = None
    key: str = ""
    is_left: bool = False
    is_currency: bool = False

    @property
    def is_known(self) -> bool:
        return bool(self.column or self.key)


@dataclass(slots=True)
class _Sink:
    """Where what is read inside one object goes."""

    part: ObjectKind
    cells: dict[int, str] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)


class Objects:
    """Turns the objects of one file into cells; its layout grows with the names it meets."""

    def __init__(self, names: Names, vocabulary: Vocabulary) -> None:
        self.layout = Layout(vocabulary)
        self._names = names
        self._meanings: dict[tuple[ObjectKind, str], _Meaning] = {}
        self._secret: dict[str, bool] = {}
        self.used: dict[str, str] = {}
        """Names used beyond the layout's columns -> what they are read as."""
        self.headers: dict[tuple[ObjectKind, str], str] = {}
        """(ObjectKind, key) -> the file's own name of it, for messages."""
        self._lists = _named_lists(names.renames)
        """Name of a list, folded -> what columns.csv makes of its elements."""
        self._summed = _summed_lists(names.renames)
        """Names, folded, of lists of which columns.csv makes an amount of the order."""

    def clean(self, value: Any) -> Any:
        """The object without personal data that must not be stored."""
        if isinstance(value, dict):
            return {key: self.clean(part) for key, part in value.items() if not self._is_secret(key)}
        if isinstance(value, list):
            return [self.clean(part) for part in value]
        return value

    def flatten(self, record: dict[str, Any]) -> Flat:
        """The cells of an order object, in the layout's order as it is now."""
        flat = Flat([])
        sink = _Sink(ObjectKind.ORDER, unread=flat.unread)
        self._walk(record, "", "", sink, flat, 0)
        flat.order = _row(sink.cells, len(self.layout.order))
        return flat

    def flatten_return(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record of a return of get-returns."""
        flat = Flat([])
        sink = _Sink(ObjectKind.RETURN)
        self._walk(record, "", "", sink, flat, 0)
        return _record(sink)

    def _walk(self, value: dict[str, Any], path: str, own: str, sink: _Sink, flat: Flat, depth: int) -> None:
        """Reads an object: `path` is its name in the file, `own` its name inside the part."""
        for key, part in value.items():
            name, inner = path + key, own + key
            meaning = self._meaning(sink.part, name, inner)
            if meaning.is_left:
                continue
            if meaning.is_currency and isinstance(part, str):
                self._say_currency(name, part, sink, flat)
                continue
            if is_listed(part) or (
                isinstance(part, dict)
                and part
                and self._list_part(sink.part, name, inner)
                and not self._holds_list(part, name)
            ):
                self._list(elements(part), name, inner, sink, flat)
            elif (
                isinstance(part, dict)
                and part
                and depth < _DEPTH
                and not self._wants_value(sink.part, name, inner, part)
            ):
                self._walk(part, f"{name}.", f"{inner}.", sink, flat, depth + 1)
            elif meaning.column is not None:
                self._column(meaning.column, part, sink, flat)
            elif meaning.key:
                if (cell := _cell(part)) or meaning.key not in sink.record:
                    sink.record[meaning.key] = cell or sink.record.get(meaning.key, "")
            elif part in (None, "") and (listed := self._list_part(sink.part, name, inner)):
                self.used.setdefault(name, listed.value)
            else:
                self._unknown(name, own, part, sink, flat)

    def _say_currency(self, name: str, cell: str, sink: _Sink, flat: Flat) -> None:
        self.layout.not_migrated.setdefault(name, REPEATED)
        if sink.part in (ObjectKind.RETURN, ObjectKind.RETURN_LINE):
            sink.record.setdefault("currency", cell)
            self.headers.setdefault((sink.part, "currency"), name)
        elif cell not in (known for _, known in flat.currencies):
            flat.currencies.append((name, cell))

    def _column(self, column: Column, part: Any, sink: _Sink, flat: Flat) -> None:
        cell = _cell(part)
        if cell:
            sink.cells[column.index] = cell
        elif sink.part is ObjectKind.ORDER:
            flat.blank.add(column.field)

    def _unknown(self, name: str, own: str, part: Any, sink: _Sink, flat: Flat) -> None:
        if sink.part in (ObjectKind.LINE, ObjectKind.CONTENT) and name.endswith("__typename") and isinstance(part, str):
            self._typename(name, part, sink)
            return
        if list_in(sink.part, name.rpartition(".")[2] if sink.part is not ObjectKind.ORDER else name) and not _is_count(
            part
        ):
            flat.add_broken(name, _cell(part))
        if (
            sink.part is ObjectKind.ORDER
            and _cell(part)
            and self._is_flat_line(name)
            and len(flat.flat_lines) < _BROKEN_KEPT
        ):
            flat.flat_lines.append((name, _cell(part)))
        self._tell_unknown(name)
        amount = amount_in(name, _cell(part))
        if amount:
            is_loose = not own and sink.part in COLUMNS
            (flat.loose if is_loose else sink.unread).append(Unread(name, 1, amount))

    def _is_flat_line(self, name: str) -> bool:
        """Whether the name itself leads into a list of lines, as tables that were turned into JSON have it."""
        head = _HEAD.match(name)
        return head is not None and self._list_part(ObjectKind.ORDER, head[1], head[1]) is ObjectKind.LINE

    def _typename(self, name: str, part: str, sink: _Sink) -> None:
        """GraphQL tells bundles by the type of their lines."""
        self.layout.unknown.pop(name, None)
        self.used[name] = "products.isBundle"
        target = _BUNDLE_TYPES.get(plain(part).strip().casefold())
        if target:
            sink.cells[self._add_column(name, target).index] = "1"

    def _list(self, values: list[Any], name: str, inner: str, sink: _Sink, flat: Flat) -> None:
        part = self._list_part(sink.part, name, inner)
        if part is ObjectKind.LINE and values and not self._take_lines(name, flat):
            part = None
        if part is None and sink.part is ObjectKind.ORDER and name.casefold() in self._summed:
            self._sum_list(values, name, sink, flat)
            return
        if part is None:
            self._unread_list(values, name, sink, flat)
            return
        if part is not ObjectKind.LINE or sink.part is ObjectKind.ORDER:
            self.used.setdefault(name, part.value)
        for value in map(node_of, values):
            if not isinstance(value, dict):
                flat.add_broken(name, _cell(value) or "null")
            elif part is ObjectKind.LINE:
                self._line(value, name, flat)
            else:
                own = _Sink(part, unread=flat.unread if part is not ObjectKind.RETURN else [])
                if sink.part is ObjectKind.RETURN:
                    own.unread = sink.unread
                self._walk(value, f"{name}.", "", own, flat, 0)
                self._keep(own, sink, flat)

    def _sum_list(self, values: list[Any], name: str, sink: _Sink, flat: Flat) -> None:
        """A list that columns.csv makes amounts of the order of: what its elements say is added up."""
        self.used.setdefault(name, "added up")
        for value in map(node_of, values):
            if not isinstance(value, dict):
                flat.add_broken(name, _cell(value) or "null")
                continue
            own = _Sink(ObjectKind.ORDER, unread=sink.unread)
            self._walk(value, f"{name}.", f"{name}.", own, flat, 1)
            for index, cell in own.cells.items():
                sink.cells[index] = _added(sink.cells.get(index, ""), cell)

    def _keep(self, own: _Sink, sink: _Sink, flat: Flat) -> None:
        if own.part is ObjectKind.CONTENT:
            index = len(flat.lines)
            if not flat.contents or flat.contents[-1][0] != index:
                flat.contents.append((index, []))
            flat.contents[-1][1].append(_row(own.cells, len(self.layout.line)))
        elif own.part is ObjectKind.RETURN_LINE:
            sink.record.setdefault("products", []).append(_record(own))
        else:
            flat.nested.setdefault(own.part, []).append(_record(own))

    def _line(self, value: dict[str, Any], name: str, flat: Flat) -> None:
        sink = _Sink(ObjectKind.LINE, unread=flat.unread)
        self._walk(value, f"{name}.", "", sink, flat, 0)
        flat.lines.append(_row(sink.cells, len(self.layout.line)))
        flat.stated.append(next((_cell(part) for key, part in value.items() if key.casefold() == LINE_TOTAL), ""))

    @staticmethod
    def _take_lines(name: str, flat: Flat) -> bool:
        """One list of an order holds its lines; a second one under another name is nobody's."""
        if flat.lines_from not in ("", name):
            return False
        flat.lines_from = name
        return True

    def _unread_list(self, values: list[Any], name: str, sink: _Sink, flat: Flat) -> None:
        meaning = self._meanings.get((sink.part, name))
        if meaning is not None and meaning.is_known and values:
            flat.add_broken(name, f"{BROKEN}[...]")
            return
        if not values and name.casefold() in _HOLDING:
            # An empty list is how PHP writes an object without members.
            self.used.setdefault(name, name)
            return
        self._tell_unknown(name)
        total = sum(_amounts(values, name), Decimal(0))
        if total or any(isinstance(value, dict | list) and value for value in values):
            sink.unread.append(Unread(name, len(values), total, is_list=True))

    def _list_part(self, part: ObjectKind, name: str, inner: str) -> ObjectKind | None:
        named = self._lists.get(name.casefold())
        return named if named is not None and HOLDERS[named] is part else list_in(part, inner)

    def _wants_value(self, part: ObjectKind, name: str, inner: str, value: dict[str, Any]) -> bool:
        """Whether a name that wants a value holds an object that tells none: amounts, countries, stores tell theirs."""
        if not self._meaning(part, name, inner).is_known or _TELLING.intersection(map(str.casefold, value)):
            return False
        return not any(self._meaning(part, f"{name}.{key}", f"{inner}.{key}").is_known for key in value)

    def _holds_list(self, value: dict[str, Any], name: str) -> bool:
        """Whether the list that columns.csv means stands deeper: `associations.order_rows.sku` names both."""
        return any(is_listed(part) and f"{name}.{key}".casefold() in self._lists for key, part in value.items())

    def _is_numbered(self, part: ObjectKind, name: str, inner: str, value: dict[str, Any]) -> bool:
        """Whether an object stands for a list: it numbers the elements, or is the only one."""
        return self._list_part(part, name, inner) is not None and (
            list_in(part, inner) is not None or all(isinstance(one, dict) for one in value.values())
        )

    def _meaning(self, part: ObjectKind, name: str, inner: str) -> _Meaning:
        known = self._meanings.get((part, name))
        if known is None:
            known = self._meanings[part, name] = self._find(part, name, inner)
        return known

    def _find(self, part: ObjectKind, name: str, inner: str) -> _Meaning:
        renamed = self._names.rename(name)
        if renamed == NOT_MIGRATED_FIELD:
            self.layout.not_migrated[name] = DECLARED
            return _Meaning(is_left=True)
        if part not in COLUMNS:
            return self._find_key(part, name, inner)
        field_ = self._field(part, name, inner)
        if field_ is not None:
            return _Meaning(self._add_column(name, field_, is_shared=part is ObjectKind.CONTENT))
        if self._is_currency(part, name):
            return _Meaning(is_currency=True)
        why = (
            ""
            if list_in(part, inner)
            else reason_of(inner if part is ObjectKind.ORDER else LINE + inner, is_flat=False)
        )
        if why and not (why == REPEATED and self._is_of_nothing(part, name)):
            self.layout.not_migrated[name] = why
            return _Meaning(is_left=True)
        return _Meaning()

    def _is_currency(self, part: ObjectKind, name: str) -> bool:
        """Whether the name is the currency of an amount that is read; an object is met before what it holds."""
        amount = self._meanings.get((part, amount_before(name)))
        return amount is not None and amount.is_known

    def _is_of_nothing(self, part: ObjectKind, name: str) -> bool:
        """Whether the name is the currency of an amount that nobody knows: then nothing else says it."""
        amount = self._meanings.get((part, amount_before(name)))
        return amount is not None and not (amount.is_known or amount.is_left)

    def _field(self, part: ObjectKind, name: str, inner: str) -> str | None:
        """The field of a name on the order or on a line; columns.csv may name it with its list or without."""
        is_line = part is not ObjectKind.ORDER
        for header in (name, inner) if is_line else (name,):
            renamed = self._names.rename(header)
            if renamed in KINDS and renamed.startswith(LINE) == is_line:
                self.layout.renamed[header] = renamed
                return renamed
        wanted = LINE + inner if is_line else inner
        for tail in AMOUNT_TAILS:
            found = wanted.casefold().endswith(tail) and canonical_field(
                wanted[: len(wanted) - len(tail)], self.layout.vocabulary
            )
            if found and found.startswith(LINE) == is_line:
                return found
        return None

    def _find_key(self, part: ObjectKind, name: str, inner: str) -> _Meaning:
        renamed = self._names.rename(name) or ""
        key = renamed.rpartition(".")[2] if list_named(renamed.rpartition(".")[0]) is part else key_in(part, inner)
        if key:
            self.used[name] = f"{part.value}: {key}"
            self.headers.setdefault((part, key), name)
            return _Meaning(key=key)
        if self._is_currency(part, name):
            return _Meaning(is_currency=True)
        why = why_not(part, inner)
        if why:
            self.layout.not_migrated[name] = why
        return _Meaning(is_left=bool(why))

    def _add_column(self, name: str, field_: str, *, is_shared: bool = False) -> Column:
        """The column of a name; contents of bundles stand in the columns of the lines (`is_shared`)."""
        lists = self.layout.line if field_.startswith(LINE) else self.layout.order
        known = next((one for one in lists if one.field == field_ and (is_shared or one.header == name)), None)
        if known is not None:
            self.used[name] = field_
            return known
        column = Column(len(lists), name, field_, kind_of(name.rpartition(".")[2], field_, self.layout.vocabulary))
        lists.append(column)
        return column

    def _tell_unknown(self, name: str) -> None:
        if name not in self.layout.unknown:
            self.layout.unknown[name] = nearest(name, known_names(self.layout.vocabulary))

    def _is_secret(self, key: str) -> bool:
        known = self._secret.get(key)
        if known is None:
            known = self._secret[key] = is_secret(key)
            if known:
                self.layout.not_migrated[key] = NOT_MIGRATED["ipAddress"]
        return known


_TELLING = frozenset({"value", "code", "uri", "name", "id"})
"""Names under which an object tells the one value that its own name asks for."""


def _is_count(value: Any) -> bool:
    """Nothing, or a number: how many elements a list would have."""
    cell = plain(_cell(value)).strip()
    return not cell or cell.isdigit()


def _named_lists(renames: Mapping[str, str]) -> dict[str, ObjectKind]:
    """The lists that columns.csv names, by themselves or by the fields in them (`line_items.sku`)."""
    found: dict[str, ObjectKind] = {}
    for header, target in renames.items():
        part = list_named(target)
        if part is not None:
            found[header.casefold()] = part
        elif part := list_named(target.rpartition(".")[0]) or (ObjectKind.LINE if target.startswith(LINE) else None):
            heads = header.casefold().split(".")
            for length in range(1, len(heads)):
                found.setdefault(".".join(heads[:length]), part)
    return found


def _summed_lists(renames: Mapping[str, str]) -> frozenset[str]:
    """The heads of dotted names that columns.csv makes an amount of the order: of an object or of a list."""
    amounts = [header for header, target in renames.items() if KINDS.get(target) is Kind.AMOUNT and "." in header]
    return frozenset(header.rpartition(".")[0].casefold() for header in amounts if not renames[header].startswith(LINE))


_ADDABLE = re.compile(r"-?[0-9]+(?:\.[0-9]{1,2}|\.[0-9]{4,})?")
"""Numbers that are one in any style: three digits behind a point may be thousands."""


def _added(first: str, second: str) -> str:
    """The sum of two cells, as a cell; where they are no plain numbers both, which can't be read then."""
    if not (first and second):
        return first or second
    one, other = plain(first).strip(), plain(second).strip()
    if _ADDABLE.fullmatch(one) and _ADDABLE.fullmatch(other):
        return f"{Decimal(one) + Decimal(other):f}"
    return f"{one} + {other}"


def _amounts(values: list[Any], name: str) -> Iterator[Decimal]:
    for value in values:
        if isinstance(value, dict):
            for key, part in value.items():
                yield from _amounts(
                    part if isinstance(part, list) else [part], key if isinstance(part, str) else f"{name}.{key}"
                )
        elif isinstance(value, list):
            yield from _amounts(value, name)
        elif isinstance(value, str) and (amount := amount_in(name, value)):
            yield amount


def _record(sink: _Sink) -> dict[str, Any]:
    return {**sink.record, UNREAD: sink.unread} if sink.unread else sink.record


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or not value else f"{BROKEN}{_MARKS.sub('', json.dumps(value, ensure_ascii=False))[:80]}"


def _row(cells: dict[int, str], width: int) -> list[str]:
    row = [""] * width
    for index, cell in cells.items():
        row[index] = cell
    return row
