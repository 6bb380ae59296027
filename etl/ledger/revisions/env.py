"""What Alembic runs: the steps, within the transaction of the ledger that is being opened."""

from __future__ import annotations

from alembic import context

from etl.ledger import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata)
with context.begin_transaction():
    context.run_migrations()
