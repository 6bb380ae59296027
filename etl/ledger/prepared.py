"""Statements of the hot path: written out once for each kind of database, then given to its driver with plain tuples.

SQLAlchemy's own way makes the parameters of every row anew (`construct_params`), which costs more than the row itself.
Values must be what the driver takes as it is: texts, integers, None; no type of a column converts them here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import BindParameter, ClauseElement, Column, Connection, Select, bindparam

_PLACES = {"sqlite": "qmark", "postgresql": "format"}
"""How a driver is given values by their place, by the name of its database."""


class Prepared:
    """A statement that is run for many rows. `paths`: where in a row a parameter lies, if not under its own name."""

    def __init__(self, statement: ClauseElement, paths: Mapping[str, str] | None = None) -> None:
        self._statement = statement
        self._paths = paths or {}
        self._known: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {}

    def run(self, connection: Connection, rows: Iterable[object]) -> int:
        """Runs it for each row, in one call of the driver; no row, no call. Shape: how many rows there were."""
        name = connection.dialect.name
        if name not in self._known:
            text, places = _written(connection, self._statement)
            self._known[name] = text, attrgetter(*(self._paths.get(place, place) for place in places))
        text, values = self._known[name]
        if given := [values(row) for row in rows]:
            if (file := file_of(connection)) is None:
                connection.exec_driver_sql(text, given)
            else:
                file.executemany(text, given)
        return len(given)


class PreparedLookup:
    """Rows by the values of one column, as they lie in the database."""

    def __init__(self, query: Select[Any], column: Column[Any]) -> None:
        self._query = query
        self._column = column
        self._known: dict[tuple[str, int], str] = {}

    def rows(self, connection: Connection, wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of these values, of which there is at least one."""
        size = 1 << (len(wanted) - 1).bit_length()
        # Asked for again, the last value changes nothing; and the driver meets few statements, which it knows by their text.
        given = (*wanted, *[wanted[-1]] * (size - len(wanted)))
        text = self._text(connection, size)
        if (file := file_of(connection)) is None:
            return connection.exec_driver_sql(text, given).all()
        return file.execute(text, given).fetchall()

    def _text(self, connection: Connection, size: int) -> str:
        key = connection.dialect.name, size
        if key not in self._known:
            places: list[BindParameter[Any]] = [bindparam(f"at_{at}") for at in range(size)]
            self._known[key], _ = _written(connection, self._query.where(self._column.in_(places)))
        return self._known[key]


def file_of(connection: Connection) -> sqlite3.Connection | None:
    """The driver's own connection to a file, within a transaction; None elsewhere.

    What SQLAlchemy does around a statement costs as much as the statement. What the driver raises is told for people either way
    (`faults.py`); a server's connection stays with SQLAlchemy, which has to know when it is lost.
    """
    if connection.dialect.name != "sqlite" or not connection.in_transaction():
        return None
    driver = connection.connection.driver_connection
    return driver if isinstance(driver, sqlite3.Connection) else None


def _written(connection: Connection, statement: ClauseElement) -> tuple[str, list[str]]:
    """The statement as the driver takes it, and the names of its parameters by their place."""
    dialect = type(connection.dialect)(paramstyle=_PLACES[connection.dialect.name])  # type: ignore[call-arg]
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), list(compiled.positiontup)
