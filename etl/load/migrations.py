"""Versions of the ledger's schema, and the steps from one to the next.

A fresh ledger gets the tables of `schema.py` at once; an older one is led through `STEPS` in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, update

from etl.errors import LedgerError
from etl.load import schema

APPLICATION = "centra-mews"

Step = Callable[[Connection], None]


def _add_customers(connection: Connection) -> None:
    """2: customers that the run makes."""
    schema.customers.create(connection)


def _add_cancelled(connection: Connection) -> None:
    """3: items that others cancelled and that the ledger knows of."""
    schema.cancelled.create(connection)


STEPS: tuple[Step, ...] = (_add_customers, _add_cancelled)
"""STEPS[n] leads from version n + 1 to n + 2; append only."""


def latest(steps: Sequence[Step] = STEPS) -> int:
    """The schema version that this program writes."""
    return 1 + len(steps)


def version(connection: Connection) -> int:
    """The ledger's schema version; 0 for an empty database.

    Raises: LedgerError `ledger.foreign` where the database holds somebody else's tables.
    """
    names = set(inspect(connection).get_table_names())
    if not names:
        return 0
    foreign = LedgerError(
        "the file is a database, but no ledger of centra-mews",
        code="ledger.foreign",
        hint="Name the right file with --ledger.",
    )
    if not {"meta", "orders", "attempts"} <= names:
        raise foreign
    rows = {row.key: row.value for row in connection.execute(select(schema.meta.c.key, schema.meta.c.value))}
    if rows.get("application") != APPLICATION or not rows.get("schema_version", "").isdigit():
        raise foreign
    return int(rows["schema_version"])


def check(found: int, steps: Sequence[Step] = STEPS) -> None:
    """Raises LedgerError `ledger.newer` where a newer program wrote the ledger."""
    if found > latest(steps):
        raise LedgerError(
            f"the ledger has schema version {found}, this program knows up to {latest(steps)}",
            code="ledger.newer",
            hint="Use the version of centra-mews that wrote it, or a newer one.",
        )


def migrate(connection: Connection, now: str, steps: Sequence[Step] = STEPS) -> None:
    """Brings the ledger to the latest version. Effects: writes within the caller's transaction."""
    found = version(connection)
    check(found, steps)
    if found == 0:
        schema.metadata.create_all(connection)
        for key, value in (("application", APPLICATION), ("schema_version", str(latest(steps)))):
            connection.execute(insert(schema.meta).values(key=key, value=value, saved_at=now))
        return
    for step in steps[found - 1 :]:
        step(connection)
    connection.execute(
        update(schema.meta).where(schema.meta.c.key == "schema_version").values(value=str(latest(steps)), saved_at=now)
    )
