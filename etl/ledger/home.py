"""Where a ledger belongs, which commands ran on it, and other single texts that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from etl.errors import LedgerError
from etl.ledger import schema
from etl.ledger.faults import translated
from etl.ledger.records import Home, RunRecord, dumps, loads, moment, stamp
from etl.ledger.sharing import LedgerSharing
from etl.ledger.steps import Steps
from etl.ledger.unit_of_work import SELECT_META

_HOME = {
    "platform": "platform address",
    "enterprise_id": "enterprise",
    "service_id": "service or outlet",
    "store": "store",
}
_ORDER_NUMBERS = "order_numbers"


class LedgerHome(LedgerSharing):
    """Home, meta and runs."""

    def bind(self, home: Home) -> None:
        """Makes sure that the ledger belongs to this place; the first use decides.

        Raises: LedgerError `ledger.foreign` that names both.
        """
        stored = self.home()
        if stored is None:
            with self.transaction() as connection:
                self._set_meta(connection, "home", dumps({name: getattr(home, name) for name in _HOME}))
            return
        for name, title in _HOME.items():
            if getattr(stored, name) != getattr(home, name):
                raise LedgerError(
                    f"the ledger {self._where} belongs to {title} {getattr(stored, name)!r}, "
                    f"this is {title} {getattr(home, name)!r}",
                    code="ledger.foreign",
                    hint="Name another file with --ledger: one ledger for each property, service or outlet, and store.",
                )

    def home(self) -> Home | None:
        """Where the ledger belongs; None before its first use."""
        found = self.meta("home")
        return None if found is None else Home(**loads(found, {}))

    def keep_order_numbers(self, pattern: str, headers: Sequence[str]) -> None:
        """Makes sure that a ledger which has sent something reads order numbers as it did then.

        `pattern`: source.order_number; `headers`: the columns that they are read from. Rule: design section 3a.
        Raises: LedgerError `ledger.order_number` that names both.
        """
        found = self.meta(_ORDER_NUMBERS)
        if found is None or not self._has_sent():
            return
        stored = loads(found, {})
        other = sorted(set(headers) - set(stored["headers"]))
        if pattern == stored["pattern"] and not other:
            return
        said = (
            f"source.order_number = {stored['pattern']!r}, this is {pattern!r}"
            if pattern != stored["pattern"]
            else f"the column {' or '.join(map(repr, stored['headers']))}, this export's from {', '.join(map(repr, other))}"
        )
        raise LedgerError(
            f"the ledger {self._where} has sent orders whose numbers were read from {said}: another number would post "
            "them again",
            code="ledger.order_number",
            hint="Read the numbers as before (migration.toml, columns.csv, or the column's name in the export), or name "
            "another file with --ledger for another numbering.",
        )

    def set_order_numbers(self, pattern: str, headers: Sequence[str]) -> None:
        """Keeps how order numbers are read, before the first of them is sent; then it stays."""
        if not self._has_sent() or self.meta(_ORDER_NUMBERS) is None:
            self.set_meta(_ORDER_NUMBERS, dumps({"pattern": pattern, "headers": sorted(headers)}))

    def _has_sent(self) -> bool:
        attempts, orders = schema.attempts, schema.orders
        return (
            self._scalar(select(attempts.c.number).limit(1)) is not None
            or self._scalar(select(orders.c.number).where(orders.c.mews_order_id != "").limit(1)) is not None
        )

    def meta(self, key: str) -> str | None:
        """A stored text."""
        found: str | None = self._scalar(SELECT_META, key=key)
        return found

    def set_meta(self, key: str, value: str) -> None:
        """Stores a text."""
        with self.transaction() as connection:
            self._set_meta(connection, key, value)

    def watermark(self) -> datetime | None:
        """Mews's time up to which the service was certainly scanned; None for a fresh ledger."""
        return moment(self.meta("watermark"))

    def save_reference(self, text: str) -> None:
        """Keeps Mews's reference data for offline use."""
        self.set_meta("reference", text)

    def load_reference(self) -> str | None:
        """The reference data stored last."""
        return self.meta("reference")

    def reference_saved_at(self) -> datetime | None:
        """The machine time at which reference data was stored last."""
        query = select(schema.meta.c.saved_at).where(schema.meta.c.key == "reference")
        return moment(self._scalar(query))

    def save_run(self, run: RunRecord) -> None:
        """Writes or rewrites the record of a command. It started when it was written first, unless `run.started` says."""
        values = {
            "command": run.command,
            "plan_id": run.plan_id,
            "finished": run.finished,
            "exit_code": run.exit_code,
            "summary": dumps(run.summary),
            "sources": dumps(run.sources),
            "mapping": dumps(run.mapping),
        }
        table = schema.runs
        with self.transaction() as connection:
            told = {"started": run.started} if run.started else {}
            done = connection.execute(update(table).where(table.c.run_id == run.run_id).values(values | told))
            if not done.rowcount:
                values["started"] = run.started or stamp(self._wall())
                connection.execute(insert(table).values(run_id=run.run_id, **values))

    def runs(self) -> list[RunRecord]:
        """All commands recorded, oldest first."""
        with translated(self._where):
            rows = self._read().execute(select(schema.runs).order_by(schema.runs.c.started, schema.runs.c.run_id))
            return [
                RunRecord(
                    row.run_id,
                    row.command,
                    row.plan_id,
                    row.started,
                    row.finished,
                    row.exit_code,
                    loads(row.summary, {}),
                    loads(row.sources, {}),
                    loads(row.mapping, {}),
                )
                for row in rows
            ]

    def _set_meta(self, connection: Connection, key: str, value: str) -> None:
        Steps(connection, self._wall()).meta(key, value)
