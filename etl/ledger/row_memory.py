"""What the last transaction left of the orders under way, so that the next one need not read it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy import Connection

from etl.ledger.prepared import file_of
from etl.ledger.steps import Steps
from etl.ledger.unit_of_work import Rows


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a file was written: by other connections, and by the one that is asked."""

    file: sqlite3.Connection
    by_others: int
    own: int


class RowMemory:
    """Rows of one open ledger; of a file only.

    They count while SQLite itself says that nothing was written since the transaction that left them: by no other connection
    of any process (`data_version`), and by none of our own statements (`total_changes`). A lock need not be believed for it.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Rows] = {}
        self._left: _Mark | None = None
        self._begun: _Mark | None = None

    def begin(self, connection: Connection, steps: Steps) -> None:
        """Hands over what is known, at the start of a transaction. Effects: forgets it, whatever becomes of the transaction."""
        rows, left, self._rows = self._rows, self._left, {}
        self._left, self._begun = None, _mark(connection)
        if self._begun is not None and self._begun == left:
            steps.take_up(rows)

    def end(self, connection: Connection, steps: Steps) -> None:
        """All is written, and the commit is next."""
        begun, self._left = self._begun, _mark(connection)
        if begun is None or self._left is None or self._left.own - begun.own != steps.written:
            # Something else was written besides, which nobody here has read.
            self._left = None

    def keep(self, steps: Steps) -> None:
        """The commit has succeeded."""
        if self._left is not None:
            self._rows = steps.under_way()


def _mark(connection: Connection) -> _Mark | None:
    file = file_of(connection)
    if file is None:
        return None
    (by_others,) = file.execute("PRAGMA data_version").fetchone()
    return _Mark(file, by_others, file.total_changes)
