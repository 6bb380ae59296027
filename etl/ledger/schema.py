"""The tables of the ledger. Times are ISO texts in UTC, amounts decimal texts: no driver may touch either.

`orders` holds one row per order met: its fate and the facts of the plan that the fate rests on. `parts` holds
what is sent on its own (the order, each payment, each undo entry), by generation, from the first intent on.
`attempts` holds every request that may have left, frozen before its first byte.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import TEXT, BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# A server enforces lengths and sorts by the language of the database: any length, and the order of bytes, as in a file.
_SERVER_TEXT = TEXT(collation="C")
_LONG: TypeEngine[str] = Text().with_variant(_SERVER_TEXT, "postgresql")


def _text(length: int) -> TypeEngine[Any]:
    """A text that is so long as a rule."""
    return String(length).with_variant(_SERVER_TEXT, "postgresql")


def _holder() -> list[Column[Any]]:
    """Who works on the ledger, as `lock.Held` has it."""
    return [
        Column("host", _text(255), nullable=False),
        Column("boot_id", _text(64), nullable=False),
        Column("pid", Integer, nullable=False),
        Column("started", _text(64), nullable=False),
        Column("taken_at", _text(32), nullable=False),
        Column("purpose", _text(128), nullable=False),
    ]


meta = Table(
    "meta",
    metadata,
    Column("key", _text(64), primary_key=True),
    Column("value", _LONG, nullable=False),
    Column("saved_at", _text(32), nullable=False),
)

lock = Table(
    "lock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", _text(64), nullable=False),
    *_holder(),
)

workers = Table(
    "workers",
    metadata,
    Column("token", _text(64), primary_key=True),
    *_holder(),
    Column("is_shared", Boolean, nullable=False),
    Column("plan_id", _text(80), nullable=False),
    Column("lease_ends", BigInteger, nullable=False),
)
"""On a server, in place of `lock`: who is at work, until when by the server's clock (microseconds since 1970)."""

alembic_version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))
"""Alembic's own: which of `revisions/` the tables are at, as `meta.schema_version` for who has no Alembic at hand."""

runs = Table(
    "runs",
    metadata,
    Column("run_id", _text(64), primary_key=True),
    Column("command", _text(32), nullable=False),
    Column("plan_id", _text(80), nullable=False, default=""),
    Column("started", _text(32), nullable=False),
    Column("finished", _text(32), nullable=False, default=""),
    Column("exit_code", Integer),
    Column("summary", _LONG, nullable=False, default="{}"),
    Column("sources", _LONG, nullable=False, default="{}"),
    Column("mapping", _LONG, nullable=False, default="{}"),
)

orders = Table(
    "orders",
    metadata,
    Column("number", _text(255), primary_key=True),
    # Fate. `state` is the worst of the parts, or the plan's verdict where nothing was ever intended.
    Column("state", _text(16), nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("mews_order_id", _text(64), nullable=False, default=""),
    Column("posted_run_id", _text(64), nullable=False, default=""),
    Column("last_run_id", _text(64), nullable=False, default=""),
    Column("resolved_run_id", _text(64), nullable=False, default=""),
    Column("posted_fingerprint", _text(80), nullable=False, default=""),
    Column("posted_skip_fingerprint", _text(80), nullable=False, default=""),
    Column("rejected_hash", _text(80), nullable=False, default=""),
    Column("code", _text(64), nullable=False, default=""),
    Column("message", _LONG, nullable=False, default=""),
    Column("request_id", _text(128), nullable=False, default=""),
    Column("duplicates", _LONG, nullable=False, default=""),
    Column("observed", _LONG, nullable=False, default=""),
    Column("changed", _LONG, nullable=False, default=""),
    # Facts of the plan; frozen while a part may be, or is, in Mews.
    Column("verdict", _text(16), nullable=False, default=""),
    Column("plan_run_id", _text(64), nullable=False, default=""),
    Column("currency", _text(8), nullable=False, default=""),
    Column("basis", _text(8), nullable=False, default=""),
    Column("source_total", _text(64)),
    Column("planned_total", _text(64), nullable=False, default="0"),
    Column("rounding", _text(64), nullable=False, default="0"),
    Column("month", _text(8), nullable=False, default=""),
    Column("consumption", _text(32), nullable=False, default=""),
    Column("true_consumption", _text(32), nullable=False, default=""),
    Column("is_clamped", Boolean, nullable=False, default=False),
    Column("account_id", _text(64), nullable=False, default=""),
    Column("account_key", _LONG, nullable=False, default=""),
    Column("parent", _text(255), nullable=False, default=""),
    Column("line_count", Integer, nullable=False, default=0),
    Column("fingerprint", _text(80), nullable=False, default=""),
    Column("version", _text(80), nullable=False, default="", server_default=""),
    Column("skip_fingerprint", _text(80), nullable=False, default=""),
    Column("skip_reason", _LONG, nullable=False, default=""),
    Column("codes", _LONG, nullable=False, default=""),
    Column("problems", _LONG, nullable=False, default=""),
    Column("facts", _LONG, nullable=False, default=""),
    # The newest reading of the source, where the facts above are frozen.
    Column("reading", _LONG, nullable=False, default="", server_default=""),
    Column("updated_at", _text(32), nullable=False, default=""),
    # On a server, the worker that has the order in hand, as long as there is such a worker.
    Column("claim", _text(64), nullable=False, default="", server_default=""),
    Index("orders_by_state", "state"),
    Index("orders_by_run", "posted_run_id"),
)

parts = Table(
    "parts",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("part", _text(32), primary_key=True),
    Column("state", _text(16), nullable=False),
    Column("kind", _text(16), nullable=False),
    Column("mews_id", _text(64), nullable=False, default=""),
    Column("run_id", _text(64), nullable=False, default=""),
    Column("seq", Integer, nullable=False, default=0),
    Column("sends", Integer, nullable=False, default=0),
    Column("absents", Integer, nullable=False, default=0),
    Column("rejected_hash", _text(80), nullable=False, default=""),
    Column("fingerprint", _text(80), nullable=False, default=""),
    Column("skip_fingerprint", _text(80), nullable=False, default=""),
    Column("first_sent_at", _text(32), nullable=False, default=""),
    Column("settle_from", _text(32), nullable=False, default=""),
    Column("unseen_at", _text(32), nullable=False, default=""),
    Column("recheck", Integer, nullable=False, default=0),
    Column("held", _LONG, nullable=False, default=""),
    Column("code", _text(64), nullable=False, default=""),
    Column("message", _LONG, nullable=False, default=""),
    Column("request_id", _text(128), nullable=False, default=""),
    # The kinds that the part needs, space separated.
    Column("needs", _LONG, nullable=False, default="", server_default=""),
    # What an undo part reverses: an OrderId or a payment in Mews.
    Column("target", _text(64), nullable=False, default="", server_default=""),
)
_in_doubt = parts.c.state.in_(["in_flight", "unknown"])
Index("parts_in_doubt", parts.c.state, sqlite_where=_in_doubt, postgresql_where=_in_doubt)
Index("parts_to_recheck", parts.c.recheck, sqlite_where=parts.c.recheck > 0, postgresql_where=parts.c.recheck > 0)

attempts = Table(
    "attempts",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("part", _text(32), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("run_id", _text(64), nullable=False),
    Column("payload", _LONG),
    Column("payload_hash", _text(80), nullable=False),
    Column("identifier", _text(255), nullable=False),
    Column("marker", _text(255), nullable=False),
    Column("service_id", _text(64), nullable=False),
    Column("account_id", _text(64), nullable=False),
    Column("consumption", _text(32), nullable=False),
    Column("basis", _text(8), nullable=False),
    Column("fingerprint", _text(80), nullable=False),
    Column("skip_fingerprint", _text(80), nullable=False),
    Column("recipe_version", Integer, nullable=False),
    Column("predicted", _LONG, nullable=False, default=""),
    Column("sent_at", _text(32), nullable=False),
    Column("machine_at", _text(32), nullable=False),
    Column("outcome", _text(16), nullable=False, default=""),
    Column("status", Integer),
    Column("message", _LONG, nullable=False, default=""),
    Column("request_id", _text(128), nullable=False, default=""),
    Column("mews_id", _text(64), nullable=False, default=""),
    Column("finished_at", _text(32), nullable=False, default=""),
)

customers = Table(
    "customers",
    metadata,
    Column("email", _text(320), primary_key=True),
    Column("state", _text(16), nullable=False),
    Column("customer_id", _text(64), nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("absents", Integer, nullable=False, default=0),
    Column("payload_hash", _text(80), nullable=False, default=""),
    Column("run_id", _text(64), nullable=False, default=""),
    Column("settle_from", _text(32), nullable=False, default=""),
    Column("unseen_at", _text(32), nullable=False, default=""),
    Column("code", _text(64), nullable=False, default=""),
    Column("message", _LONG, nullable=False, default=""),
    Column("updated_at", _text(32), nullable=False, default=""),
    # On a server, the worker whose request makes the person, while it is under way.
    Column("claim", _text(64), nullable=False, default="", server_default=""),
)
"""People whom this ledger made or began to make in Mews, by lower-cased e-mail. Neither name nor phone is kept."""
_person_in_doubt = customers.c.state.in_(["in_flight", "unknown"])
customers_in_doubt = Index(
    "customers_in_doubt", customers.c.state, sqlite_where=_person_in_doubt, postgresql_where=_person_in_doubt
)

cancelled = Table(
    "cancelled",
    metadata,
    Column("item_id", _text(64), primary_key=True),
    Column("number", _text(255), nullable=False),
)
"""Items that others cancelled in Mews and that the ledger has taken in; its own cancellations stand in `attempts`."""

sightings = Table(
    "sightings",
    metadata,
    Column("item_id", _text(64), primary_key=True),
    Column("number", _text(255), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("order_id", _text(64), nullable=False),
    Column("row", _LONG, nullable=False),
    Index("sightings_by_number", "number", "generation"),
)
"""What `recover` has read so far; emptied at its start and end. Keeps millions of items off the heap."""

other_route = Table(
    "other_route",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("is_undo", Boolean, primary_key=True),
    Column("mews_id", _text(64), nullable=False),
)
"""What of this store was met on the route that this ledger does not use: orders (or bills), and what reverses them."""

kinds = Table(
    "kinds",
    metadata,
    Column("kind", _text(128), primary_key=True),
    Column("state", _text(16), nullable=False),
    Column("refusals", _LONG, nullable=False, default="{}"),
    Column("number", _text(255), nullable=False, default=""),
    Column("run_id", _text(64), nullable=False, default=""),
    Column("message", _LONG, nullable=False, default=""),
    Column("request_id", _text(128), nullable=False, default=""),
    Column("updated_at", _text(32), nullable=False, default=""),
)
"""Needs that only Mews can tell: proved by an order, held by refusals, or open with refusals counted by their words."""

versions = Table(
    "versions",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("fingerprint", _text(80), primary_key=True),
    Column("content", _LONG, nullable=False),
    Column("read_as", _text(255), nullable=False),
)
"""The content of each version of an order that was planned to be sent, e-mail addresses as hashes: what a later
export is compared with. It is written before the intent whose fingerprint names it."""

remembered = Table(
    "remembered",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("fingerprint", _text(80), nullable=False),
    Column("key", _text(80), nullable=False),
    Column("rows", _text(80), nullable=False),
    Column("line", LargeBinary, nullable=False),
)
"""Orders as they were read and planned last (`remembered.py`). `line`: their part of the plan id, deflated."""

corrections = Table(
    "corrections",
    metadata,
    Column("number", _text(255), primary_key=True),
    Column("original", _text(80), primary_key=True),
    Column("corrected", _text(80), primary_key=True),
    Column("is_given", Boolean, nullable=False),
    Column("skip_fingerprint", _text(80), nullable=False, default=""),
    Column("run_id", _text(64), nullable=False, default=""),
    Column("given_at", _text(32), nullable=False),
)
"""Which version of an order took the place of which. `is_given`: by a file of corrections; else the ledger saw one
version blocked or rejected, and then another."""
