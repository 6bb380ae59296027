"""Rows of `orders` and `parts` as values. What a run reads of every order goes by its place in the row, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from operator import itemgetter
from typing import Any

from sqlalchemy import Table

from etl.ledger import schema
from etl.ledger.records import LedgerOrder, Part, PartKind, loads, moment, readable, stored_state
from etl.model.place import Place
from etl.model.problem import Problem, Severity


class StoredFacts(Mapping[str, Any]):
    """More of the plan, as it lies in the ledger until somebody asks: posting does not.

    Raises LedgerError `ledger.corrupt` then where it is not as it was written.
    """

    __slots__ = ("_known", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: Mapping[str, Any] | None = None

    def _all(self) -> Mapping[str, Any]:
        if self._known is None:
            self._known = loads(self._text, {})
        return self._known

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


def _problem(row: list[Any]) -> Problem:
    code, order, (file, sheet, number, column), value, message, hint, severity = row
    return Problem(code, order, Place(file, sheet, number, column), value, message, hint, Severity(severity))


def _problems(text: str) -> tuple[Problem, ...]:
    return tuple([_problem(value) for value in loads(text, ())]) if text else ()


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _names(text: str) -> tuple[str, ...]:
    return tuple(loads(text, ()))


_ORDER_READERS: dict[str, Callable[[Any], Any]] = {
    "state": stored_state,
    "duplicates": _names,
    "source_total": lambda text: None if text is None else Decimal(text),
    "planned_total": Decimal,
    "rounding": Decimal,
    "consumption": moment,
    "true_consumption": moment,
    "is_clamped": bool,
    "codes": _split,
    "problems": _problems,
    "facts": StoredFacts,
}
_KINDS = {kind.value: kind for kind in PartKind}
_PART_READERS: dict[str, Callable[[Any], Any]] = {
    "state": stored_state,
    "kind": _KINDS.__getitem__,
    "first_sent_at": moment,
    "settle_from": moment,
    "unseen_at": moment,
    "needs": _split,
}


class _Form:
    """Where in a row of a table the fields of a value lie, the first of which are `names`, and how they are read."""

    def __init__(self, table: Table, names: Sequence[str], readers: Mapping[str, Callable[[Any], Any]]) -> None:
        places = {name: at for at, name in enumerate(table.columns.keys())}
        self._take = itemgetter(*(places[name] for name in names))
        self._readers = [(names.index(name), read) for name, read in readers.items()]

    def values(self, row: Any) -> list[Any]:
        """The fields of one row, in their order."""
        values = list(self._take(row))
        for at, read in self._readers:
            values[at] = read(values[at])
        return values


def _until(kind: type, last: str) -> list[str]:
    names = [one.name for one in fields(kind)]
    return names[: names.index(last) + 1]


_ORDER = _Form(schema.orders, _until(LedgerOrder, "version"), _ORDER_READERS)
_PART = _Form(schema.parts, _until(Part, "target"), _PART_READERS)
_READING = schema.orders.columns.keys().index("reading")


@readable("the row")
def ledger_order(row: Any, posted_content: str = "", posted_as: str = "") -> LedgerOrder:
    """A row that begins with all columns of `orders` as a value, with the posted version where it was asked for."""
    edited, corrections = "", ()
    return LedgerOrder(*[*_ORDER.values(row), posted_content, posted_as, edited, corrections, row[_READING]])


@readable("a part")
def part_value(row: Any) -> Part:
    """A row of `parts` as a value."""
    return Part(*_PART.values(row))
