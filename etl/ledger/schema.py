"""The tables of the ledger. Times are ISO texts in UTC, amounts decimal texts: no driver may touch either.

`orders` holds one row per order met: its fate and the facts of the plan that the fate rests on. `parts` holds
what is sent on its own (the order, each payment, each undo entry), by generation, from the first intent on.
`attempts` holds every request that may have left, frozen before its first byte.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("saved_at", String(32), nullable=False),
)

lock = Table(
    "lock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", String(64), nullable=False),
    Column("taken_at", String(32), nullable=False),
    Column("purpose", String(128), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("command", String(32), nullable=False),
    Column("plan_id", String(80), nullable=False, default=""),
    Column("started", String(32), nullable=False),
    Column("finished", String(32), nullable=False, default=""),
    Column("exit_code", Integer),
    Column("summary", Text, nullable=False, default="{}"),
    Column("sources", Text, nullable=False, default="{}"),
    Column("mapping", Text, nullable=False, default="{}"),
)

orders = Table(
    "orders",
    metadata,
    Column("number", String(255), primary_key=True),
    # Fate. `state` is the worst of the parts, or the plan's verdict where nothing was ever intended.
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("mews_order_id", String(64), nullable=False, default=""),
    Column("posted_run_id", String(64), nullable=False, default=""),
    Column("last_run_id", String(64), nullable=False, default=""),
    Column("resolved_run_id", String(64), nullable=False, default=""),
    Column("posted_fingerprint", String(80), nullable=False, default=""),
    Column("posted_skip_fingerprint", String(80), nullable=False, default=""),
    Column("rejected_hash", String(80), nullable=False, default=""),
    Column("code", String(64), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("request_id", String(128), nullable=False, default=""),
    Column("duplicates", Text, nullable=False, default=""),
    Column("observed", Text, nullable=False, default=""),
    Column("changed", Text, nullable=False, default=""),
    # Facts of the plan; frozen while a part may be, or is, in Mews.
    Column("verdict", String(16), nullable=False, default=""),
    Column("plan_run_id", String(64), nullable=False, default=""),
    Column("currency", String(8), nullable=False, default=""),
    Column("basis", String(8), nullable=False, default=""),
    Column("source_total", String(64)),
    Column("planned_total", String(64), nullable=False, default="0"),
    Column("rounding", String(64), nullable=False, default="0"),
    Column("month", String(8), nullable=False, default=""),
    Column("consumption", String(32), nullable=False, default=""),
    Column("true_consumption", String(32), nullable=False, default=""),
    Column("is_clamped", Boolean, nullable=False, default=False),
    Column("account_id", String(64), nullable=False, default=""),
    Column("account_key", Text, nullable=False, default=""),
    Column("parent", String(255), nullable=False, default=""),
    Column("line_count", Integer, nullable=False, default=0),
    Column("fingerprint", String(80), nullable=False, default=""),
    Column("version", String(80), nullable=False, default="", server_default=""),
    Column("skip_fingerprint", String(80), nullable=False, default=""),
    Column("skip_reason", Text, nullable=False, default=""),
    Column("codes", Text, nullable=False, default=""),
    Column("problems", Text, nullable=False, default=""),
    Column("facts", Text, nullable=False, default=""),
    # The newest reading of the source, where the facts above are frozen.
    Column("reading", Text, nullable=False, default="", server_default=""),
    Column("updated_at", String(32), nullable=False, default=""),
    Index("orders_by_state", "state"),
    Index("orders_by_run", "posted_run_id"),
)

parts = Table(
    "parts",
    metadata,
    Column("number", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("part", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("mews_id", String(64), nullable=False, default=""),
    Column("run_id", String(64), nullable=False, default=""),
    Column("seq", Integer, nullable=False, default=0),
    Column("sends", Integer, nullable=False, default=0),
    Column("absents", Integer, nullable=False, default=0),
    Column("rejected_hash", String(80), nullable=False, default=""),
    Column("fingerprint", String(80), nullable=False, default=""),
    Column("skip_fingerprint", String(80), nullable=False, default=""),
    Column("first_sent_at", String(32), nullable=False, default=""),
    Column("settle_from", String(32), nullable=False, default=""),
    Column("unseen_at", String(32), nullable=False, default=""),
    Column("recheck", Integer, nullable=False, default=0),
    Column("held", Text, nullable=False, default=""),
    Column("code", String(64), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("request_id", String(128), nullable=False, default=""),
    # The kinds that the part needs, space separated.
    Column("needs", Text, nullable=False, default="", server_default=""),
    # What an undo part reverses: an OrderId or a payment in Mews.
    Column("target", String(64), nullable=False, default="", server_default=""),
)
Index("parts_in_doubt", parts.c.state, sqlite_where=parts.c.state.in_(["in_flight", "unknown"]))
Index("parts_to_recheck", parts.c.recheck, sqlite_where=parts.c.recheck > 0)

attempts = Table(
    "attempts",
    metadata,
    Column("number", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("part", String(32), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("payload", Text),
    Column("payload_hash", String(80), nullable=False),
    Column("identifier", String(255), nullable=False),
    Column("marker", String(255), nullable=False),
    Column("service_id", String(64), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("consumption", String(32), nullable=False),
    Column("basis", String(8), nullable=False),
    Column("fingerprint", String(80), nullable=False),
    Column("skip_fingerprint", String(80), nullable=False),
    Column("recipe_version", Integer, nullable=False),
    Column("predicted", Text, nullable=False, default=""),
    Column("sent_at", String(32), nullable=False),
    Column("machine_at", String(32), nullable=False),
    Column("outcome", String(16), nullable=False, default=""),
    Column("status", Integer),
    Column("message", Text, nullable=False, default=""),
    Column("request_id", String(128), nullable=False, default=""),
    Column("mews_id", String(64), nullable=False, default=""),
    Column("finished_at", String(32), nullable=False, default=""),
)

customers = Table(
    "customers",
    metadata,
    Column("email", String(320), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("customer_id", String(64), nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("absents", Integer, nullable=False, default=0),
    Column("payload_hash", String(80), nullable=False, default=""),
    Column("run_id", String(64), nullable=False, default=""),
    Column("settle_from", String(32), nullable=False, default=""),
    Column("unseen_at", String(32), nullable=False, default=""),
    Column("code", String(64), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("updated_at", String(32), nullable=False, default=""),
)
"""People whom this ledger made or began to make in Mews, by lower-cased e-mail. Neither name nor phone is kept."""

cancelled = Table(
    "cancelled",
    metadata,
    Column("item_id", String(64), primary_key=True),
    Column("number", String(255), nullable=False),
)
"""Items that others cancelled in Mews and that the ledger has taken in; its own cancellations stand in `attempts`."""

sightings = Table(
    "sightings",
    metadata,
    Column("item_id", String(64), primary_key=True),
    Column("number", String(255), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("order_id", String(64), nullable=False),
    Column("row", Text, nullable=False),
    Index("sightings_by_number", "number", "generation"),
)
"""What `recover` has read so far; emptied at its start and end. Keeps millions of items off the heap."""

other_route = Table(
    "other_route",
    metadata,
    Column("number", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("is_undo", Boolean, primary_key=True),
    Column("mews_id", String(64), nullable=False),
)
"""What of this store was met on the route that this ledger does not use: orders (or bills), and what reverses them."""

kinds = Table(
    "kinds",
    metadata,
    Column("kind", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("refusals", Text, nullable=False, default="{}"),
    Column("number", String(255), nullable=False, default=""),
    Column("run_id", String(64), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("request_id", String(128), nullable=False, default=""),
    Column("updated_at", String(32), nullable=False, default=""),
)
"""Needs that only Mews can tell: proved by an order, held by refusals, or open with refusals counted by their words."""

versions = Table(
    "versions",
    metadata,
    Column("number", String(255), primary_key=True),
    Column("fingerprint", String(80), primary_key=True),
    Column("content", Text, nullable=False),
    Column("read_as", String(255), nullable=False),
)
"""The content of each version of an order that was planned to be sent, e-mail addresses as hashes: what a later
export is compared with. It is written before the intent whose fingerprint names it."""

corrections = Table(
    "corrections",
    metadata,
    Column("number", String(255), primary_key=True),
    Column("original", String(80), primary_key=True),
    Column("corrected", String(80), primary_key=True),
    Column("is_given", Boolean, nullable=False),
    Column("skip_fingerprint", String(80), nullable=False, default=""),
    Column("run_id", String(64), nullable=False, default=""),
    Column("given_at", String(32), nullable=False),
)
"""Which version of an order took the place of which. `is_given`: by a file of corrections; else the ledger saw one
version blocked or rejected, and then another."""
