"""Versions of the ledger's schema, and the way from one to the next.

A fresh ledger gets the tables of `schema.py` at once; an older one is led through `revisions/` by Alembic, in one
transaction. Alembic is imported only then: it takes longer than most commands. What version a ledger has stands in
`meta.schema_version`, which every program since the first has asked for, and in Alembic's own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, delete, insert, inspect, select, update
from sqlalchemy.schema import CreateColumn

from etl.errors import LedgerError
from etl.ledger import schema
from etl.ledger.glance import SCHEMA_VERSION
from etl.ledger.views import create_views

if TYPE_CHECKING:
    from alembic.config import Config

APPLICATION = "centra-mews"
_HOME = Path(__file__).with_name("revisions")


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Adds a column with its server default to its table, unless it is there."""
    table = column.table.name
    if column.name not in {one["name"] for one in inspect(connection).get_columns(table)}:
        kind = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {kind}")


def latest(further: Sequence[Path] = ()) -> int:
    """The schema version that this program writes. `further`: folders with later steps than the program's own."""
    if not further:
        return SCHEMA_VERSION
    from alembic.script import ScriptDirectory

    return int(ScriptDirectory.from_config(_config(further)).get_current_head() or 0)


def version(connection: Connection) -> int:
    """The ledger's schema version; 0 for an empty database.

    Raises: LedgerError `ledger.foreign` where the database holds somebody else's tables.
    """
    names = set(inspect(connection).get_table_names())
    if not names:
        return 0
    if not {"meta", "orders", "attempts"} <= names:
        raise _foreign(connection)
    rows = {row.key: row.value for row in connection.execute(select(schema.meta.c.key, schema.meta.c.value))}
    if rows.get("application") != APPLICATION or not rows.get("schema_version", "").isdigit():
        raise _foreign(connection)
    return int(rows["schema_version"])


def check(found: int, further: Sequence[Path] = ()) -> None:
    """Raises LedgerError `ledger.newer` where a newer program wrote the ledger."""
    if found > latest(further):
        raise LedgerError(
            f"the ledger has schema version {found}, this program knows up to {latest(further)}",
            code="ledger.newer",
            hint="Use the version of centra-mews that wrote it, or a newer one.",
        )


def migrate(connection: Connection, now: str, further: Sequence[Path] = ()) -> None:
    """Brings the ledger to the latest version. Effects: writes within the caller's transaction."""
    found = version(connection)
    check(found, further)
    if found == 0:
        schema.metadata.create_all(connection)
        create_views(connection)
        for key, value in (("application", APPLICATION), ("schema_version", str(SCHEMA_VERSION))):
            connection.execute(insert(schema.meta).values(key=key, value=value, saved_at=now))
        _mark(connection, SCHEMA_VERSION)
        found = SCHEMA_VERSION
    if found == latest(further):
        return
    # Written before Alembic led the way, or not: what version it is, `meta` tells.
    schema.alembic_version.create(connection, checkfirst=True)
    _mark(connection, found)
    _upgrade(connection, further)
    connection.execute(
        update(schema.meta)
        .where(schema.meta.c.key == "schema_version")
        .values(value=str(latest(further)), saved_at=now)
    )


def _foreign(connection: Connection) -> LedgerError:
    what = "the database holds other tables and no ledger of centra-mews"
    hint = "Name the right database with --ledger, or an empty one: `createdb NAME` makes it."
    if connection.dialect.name == "sqlite":
        what = "the file is a database, but no ledger of centra-mews"
        hint = "Name the right file with --ledger."
    return LedgerError(what, code="ledger.foreign", hint=hint)


def _mark(connection: Connection, found: int) -> None:
    connection.execute(delete(schema.alembic_version))
    connection.execute(insert(schema.alembic_version).values(version_num=f"{found:04d}"))


def _upgrade(connection: Connection, further: Sequence[Path]) -> None:
    from alembic import command

    config = _config(further)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(further: Sequence[Path]) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(_HOME))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(_escaped(one) for one in (_HOME / "versions", *further)))
    return config


def _escaped(path: Path) -> str:
    """A path as a value of a configuration file."""
    return str(path).replace("%", "%%")
