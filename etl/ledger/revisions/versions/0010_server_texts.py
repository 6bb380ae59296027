"""On a server: texts of any length, sorted by their bytes as in a file."""

from __future__ import annotations

from alembic import op
from sqlalchemy import inspect

from etl.ledger import schema
from etl.ledger.views import create_views, drop_views

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The columns of tables that an earlier program made on a server."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    # A column that a view shows can't be altered.
    drop_views(connection)
    for table in schema.metadata.sorted_tables:
        if not inspect(connection).has_table(table.name):
            continue
        for column in inspect(connection).get_columns(table.name):
            known = table.c.get(column["name"])
            if known is not None and column["type"].python_type is str and table is not schema.alembic_version:
                op.alter_column(table.name, known.name, type_=known.type)
    create_views(connection)
