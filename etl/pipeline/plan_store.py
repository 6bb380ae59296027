"""The plan on disk: planned orders of a batch, readable by number and by consumption.

A private temporary SQLite file, so that the memory of a run does not grow with the history.
"""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from etl.model.plan import PlannedOrder, Verdict

BATCH = 500
_SCHEMA = """
CREATE TABLE plan (
    position INTEGER PRIMARY KEY,   -- by order number
    number TEXT NOT NULL,
    parent TEXT NOT NULL,
    verdict TEXT NOT NULL,
    due TEXT NOT NULL,              -- consumption; a nested return is never due before its order
    content BLOB NOT NULL
)
"""


class PlanStore:
    """A context manager; the file is gone afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="centra-mews-", dir=folder)
        path = Path(self._folder.name) / "plan.sqlite"
        self._db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16000", "temp_store=FILE"):
            self._db.execute(f"PRAGMA {pragma}").close()
        self._db.execute(_SCHEMA).close()
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the plan from disk."""
        self._db.close()
        self._folder.cleanup()

    def fill(self, orders: Iterable[PlannedOrder]) -> None:
        """Stores the orders, which come by number, each nested return directly after its own order."""
        due_of_parent = ("", "")
        rows = iter(orders)
        while chunk := list(islice(rows, BATCH)):
            self._db.execute("BEGIN").close()
            for order in chunk:
                due = order.consumption.isoformat() if order.consumption else ""
                if order.parent and order.parent == due_of_parent[0]:
                    due = max(due, due_of_parent[1])
                elif not order.parent:
                    due_of_parent = (order.number, due)
                self.count += 1
                self._db.execute(
                    "INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)",
                    (self.count, order.number, order.parent, order.verdict.value, due, pickle.dumps(order, 5)),
                ).close()
            self._db.execute("COMMIT").close()
        self._db.execute("CREATE INDEX due ON plan (due, position)").close()

    def by_number(self) -> Iterator[PlannedOrder]:
        """All planned orders by number."""
        yield from self._read("SELECT content FROM plan ORDER BY position")

    def ready(self) -> Iterator[PlannedOrder]:
        """Orders to be sent, oldest consumption first; a nested return after its own order."""
        yield from self._read(
            f"SELECT content FROM plan WHERE verdict = '{Verdict.READY.value}' ORDER BY due, position"
        )

    def batches(self) -> Iterator[list[PlannedOrder]]:
        """All planned orders by number, some hundreds at a time (for look-ups in the ledger)."""
        orders = self.by_number()
        while chunk := list(islice(orders, BATCH)):
            yield chunk

    def _read(self, query: str) -> Iterator[PlannedOrder]:
        with closing(self._db.execute(query)) as rows:
            for (content,) in rows:
                yield pickle.loads(content)  # noqa: S301 - our own private file
