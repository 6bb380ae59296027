"""Versions of the ledger's schema, and the steps from one to the next.

A fresh ledger gets the tables of `schema.py` at once; an older one is led through `STEPS` in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from etl.errors import LedgerError
from etl.ledger import schema
from etl.ledger.records import PartKind, loads
from etl.ledger.views import create_views
from etl.model.kinds import payment_kind

APPLICATION = "centra-mews"

Step = Callable[[Connection], None]


def _add_customers(connection: Connection) -> None:
    """2: customers that the run makes."""
    schema.customers.create(connection)


def _add_kinds(connection: Connection) -> None:
    """Kinds, and what each part needs of them: what an earlier program posted has proved its own."""
    schema.kinds.create(connection, checkfirst=True)
    if "needs" not in {column["name"] for column in inspect(connection).get_columns("parts")}:
        connection.exec_driver_sql("ALTER TABLE parts ADD COLUMN needs TEXT NOT NULL DEFAULT ''")
    found = _kinds_in_mews(connection)
    if found:
        rows = [{"kind": kind, "state": "proved", "number": number} for kind, number in sorted(found.items())]
        connection.execute(insert(schema.kinds), rows)


def _kinds_in_mews(connection: Connection) -> dict[str, str]:
    """The kinds that orders in Mews prove, each with one of them."""
    orders, parts, attempts = schema.orders, schema.parts, schema.attempts
    found: dict[str, str] = {}
    posted = select(orders.c.number, orders.c.facts).where(orders.c.mews_order_id != "")
    for row in connection.execute(posted.where(orders.c.facts.like('%"unproved"%'))):
        # "payments" named no type then.
        found.update((kind, row.number) for kind in loads(row.facts, {}).get("unproved", ()) if kind != "payments")
    is_same = (attempts.c.number == parts.c.number) & (attempts.c.part == parts.c.part)
    is_same &= (attempts.c.generation == parts.c.generation) & (attempts.c.seq == parts.c.seq)
    paid = select(parts.c.number, attempts.c.payload).join(attempts, is_same)
    for row in connection.execute(paid.where(parts.c.kind == "payment", parts.c.mews_id != "")):
        found[payment_kind(loads(row.payload, {}).get("Type", ""))] = row.number
    return found


def _add_cancelled(connection: Connection) -> None:
    """Items that others cancelled and that the ledger knows of."""
    schema.cancelled.create(connection, checkfirst=True)


def _add_corrections(connection: Connection) -> None:
    """The version of an order that was met last, the contents of versions, and which corrects which."""
    if "version" not in {column["name"] for column in inspect(connection).get_columns("orders")}:
        connection.execute(text("ALTER TABLE orders ADD COLUMN version VARCHAR(80) DEFAULT '' NOT NULL"))
    connection.execute(text("UPDATE orders SET version = fingerprint"))
    schema.versions.create(connection, checkfirst=True)
    schema.corrections.create(connection, checkfirst=True)


def _add_reading(connection: Connection) -> None:
    """The newest reading of orders whose facts are frozen."""
    add_column(connection, schema.orders.c.reading)


def _add_views(connection: Connection) -> None:
    """Views with plain names for people."""
    create_views(connection)


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Adds a column with its server default to its table, unless it is there."""
    table = column.table.name
    if column.name not in {one["name"] for one in inspect(connection).get_columns(table)}:
        kind = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {kind}")


def _add_target(connection: Connection) -> None:
    """What an undo part reverses, out of the column that other parts keep their fingerprint in."""
    parts, attempts = schema.parts, schema.attempts
    add_column(connection, parts.c.target)
    undo = PartKind.UNDO.value
    connection.execute(
        update(parts)
        .where(parts.c.kind == undo, parts.c.target == "")
        .values(target=parts.c.fingerprint, fingerprint="")
    )
    # Names of undo parts alone begin so.
    connection.execute(update(attempts).where(attempts.c.part.like("undo%")).values(fingerprint=""))


def _add_other_route(connection: Connection) -> None:
    """What stands on the route that a ledger does not use."""
    schema.other_route.create(connection, checkfirst=True)


STEPS: tuple[Step, ...] = (
    _add_customers,
    _add_kinds,
    _add_cancelled,
    _add_corrections,
    _add_reading,
    _add_views,
    _add_target,
    _add_other_route,
)
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
        create_views(connection)
        for key, value in (("application", APPLICATION), ("schema_version", str(latest(steps)))):
            connection.execute(insert(schema.meta).values(key=key, value=value, saved_at=now))
        return
    for step in steps[found - 1 :]:
        step(connection)
    connection.execute(
        update(schema.meta).where(schema.meta.c.key == "schema_version").values(value=str(latest(steps)), saved_at=now)
    )
