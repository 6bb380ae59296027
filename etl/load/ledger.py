"""The ledger: the durable record of every order's fate, and the only memory between runs.

One SQLite file (or any SQLAlchemy URL). Commits survive a power loss (WAL, synchronous=FULL). States change
only through `etl.load.steps`, within `Ledger.steps`, which verifies the lock first. Single-threaded.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from etl.errors import InternalError, LedgerError
from etl.load import lock as locks
from etl.load import migrations, schema
from etl.load.changes import edited
from etl.load.corrections import held_back, is_original, new_corrections
from etl.load.kind_record import KindStanding, standing_of
from etl.load.records import (
    DAMAGED_HINT,
    ORDER_PART,
    Attempt,
    Customer,
    Home,
    LedgerOrder,
    Part,
    PartKind,
    RunRecord,
    attempt_value,
    current_facts,
    customer_value,
    damaged,
    dumps,
    ledger_order,
    loads,
    moment,
    part_value,
    plan_facts,
    reading_of,
    stamp,
    stored_state,
)
from etl.load.standing import change
from etl.load.steps import CHUNK, Steps
from etl.load.versions import read_orders, version_rows
from etl.model.plan import PlannedOrder
from etl.model.states import PLANNED, State

Checkpoint = Callable[[str], None]
"""Called with the name of a place between two steps; tests raise there what a kill would do."""

BUSY_SECONDS = 30
_APPLICATION_ID = 0x63656E74
_HOME = {"platform": "platform address", "enterprise_id": "enterprise", "service_id": "service", "store": "store"}
_PLAN_BATCH = 500
_ORDER_NUMBERS = "order_numbers"

_FACT_COLUMNS = (
    "verdict",
    "plan_run_id",
    "currency",
    "basis",
    "source_total",
    "planned_total",
    "rounding",
    "month",
    "consumption",
    "true_consumption",
    "is_clamped",
    "account_id",
    "account_key",
    "parent",
    "line_count",
    "fingerprint",
    "version",
    "skip_fingerprint",
    "skip_reason",
    "codes",
    "problems",
    "facts",
)
_UPDATE_FACTS = (
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"))
    .values({name: bindparam(name) for name in (*_FACT_COLUMNS, "changed", "reading")})
)
_UPDATE_CHANGED = (
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"))
    .values({name: bindparam(name) for name in ("changed", "plan_run_id", "facts", "reading")})
)


def _pass(_: str) -> None:
    """No checkpoint is looked at."""


def _wall() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """An open ledger. Writing needs the lock (`take_lock`), reading does not."""

    def __init__(
        self,
        engine: Engine,
        where: str,
        *,
        read_only: bool,
        wall: Callable[[], datetime],
        checkpoint: Checkpoint,
    ) -> None:
        self._engine = engine
        self._where = where
        self._read_only = read_only
        self._wall = wall
        self._checkpoint = self.fatal(checkpoint)
        self._token = ""
        self._is_dead = False
        self._proved_kinds: set[str] = set()
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self.reading: dict[str, dict[str, Any]] = {}
        """What the source is read through now: table to key to meaning; empty where it does not matter."""
        self._edits: dict[str, str] = {}
        self.taken_from: locks.Held | None = None
        """The dead or overridden holder that the lock was taken from."""

    # Opening and closing

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        wall: Callable[[], datetime] = _wall,
        checkpoint: Checkpoint = _pass,
        steps: Sequence[migrations.Step] = migrations.STEPS,
    ) -> Ledger:
        """The ledger at a path or SQLAlchemy URL, brought to the newest schema.

        Raises: LedgerError `ledger.missing`, `ledger.foreign`, `ledger.newer`, `ledger.corrupt`, ...
        Effects: creates the file with mode 0600, unless told not to; upgrades a ledger of an earlier version, also
        where it is only read then.
        """
        url = _url(url_or_path)
        where = url.render_as_string(hide_password=True) if url.get_backend_name() != "sqlite" else str(url.database)
        with _translated(where):
            if url.get_backend_name() == "sqlite":
                engine = _open_sqlite(url, create=create and not read_only, read_only=read_only)
            else:
                engine = create_engine(url)
            ledger = cls(engine, where, read_only=read_only, wall=wall, checkpoint=checkpoint)
            try:
                if read_only and ledger._is_older(steps):
                    ledger.close()
                    _upgrade(url, where, wall, steps)
                    return cls.open(url_or_path, read_only=True, wall=wall, checkpoint=checkpoint, steps=steps)
                ledger._prepare(create=create, steps=steps)
                if url.get_backend_name() == "sqlite":
                    # Only now it is known to be ours: somebody else's database may not be changed.
                    _make_private(Path(str(url.database)), read_only=read_only)
            except BaseException:
                ledger.close()
                raise
        return ledger

    @property
    def where(self) -> str:
        """Path or URL, for people."""
        return self._where

    def close(self) -> None:
        """Frees the lock and closes the file; safe to call twice."""
        if self._token:
            try:
                self.release_lock()
            except LedgerError:
                # A full disk must not hide what went wrong before; a dead holder is taken over anyway.
                self._token = ""
        self.abandon()

    def abandon(self) -> None:
        """Closes the file and leaves everything as it is on disk, lock included: what a kill does."""
        for connection in (self._writer, self._reader):
            if connection is not None and not connection.closed:
                connection.invalidate()
                connection.close()
        self._writer = self._reader = None
        self._token = ""
        self._is_dead = True
        self._engine.dispose()

    def fatal(self, checkpoint: Checkpoint) -> Checkpoint:
        """`checkpoint`, but what it raises to stand for a kill also stops this ledger from writing any more."""

        def check(name: str) -> None:
            try:
                checkpoint(name)
            except BaseException:
                self.abandon()
                raise

        return check

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The lock

    def take_lock(
        self,
        purpose: str,
        *,
        take_over: str = "",
        me: locks.Holder | None = None,
        alive: Callable[[locks.Holder], bool] = locks.is_alive,
    ) -> int:
        """Makes this process the ledger's one writer. Shape: how many requests its predecessor left in flight.

        Raises: LedgerError `ledger.locked` that names the holder. Effects: what was in flight is unknown now.
        """
        token = uuid.uuid4().hex
        with self.transaction() as connection:
            self.taken_from = locks.take(
                connection,
                me=me or locks.this_process(),
                token=token,
                now=stamp(self._wall()),
                purpose=purpose,
                take_over=take_over,
                alive=alive,
            )
            steps = Steps(connection, self._wall())
            orphans = steps.orphan()
            steps.save()
        self._token = token
        return orphans

    def release_lock(self) -> None:
        """Frees the lock, if it is ours."""
        token, self._token = self._token, ""
        with self.transaction() as connection:
            locks.release(connection, token)

    def holder(self) -> locks.Held | None:
        """Who works on the ledger, as it says."""
        return locks.read(self._read())

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One durable transaction. Raises LedgerError where the disk or database fails; then nothing was written."""
        if self._read_only:
            raise LedgerError(
                f"the ledger {self._where} is open for reading only",
                code="ledger.read_only",
                hint="Make file and folder writable.",
            )
        with _translated(self._where), self._writing().begin() as begun:
            yield begun.connection
            self._checkpoint("ledger.before_commit")
        self._checkpoint("ledger.after_commit")

    @contextmanager
    def steps(self, numbers: Iterable[str] = ()) -> Iterator[Steps]:
        """Transitions in one transaction, if the lock is still ours; `numbers` are read beforehand.

        Raises: LockLost, LedgerError.
        """
        with self.transaction() as connection:
            self.verify_lock(connection)
            steps = Steps(connection, self._wall(), self._proved_kinds)
            steps.load(numbers)
            yield steps
            steps.save()

    def verify_lock(self, connection: Connection) -> None:
        """Raises LockLost unless this ledger's writer is still the one that the lock names."""
        if not self._token:
            raise InternalError("the ledger is written without its lock", code="internal.no_lock")
        locks.verify(connection, self._token)

    # Home, meta, runs

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
                    hint="Name another file with --ledger: one ledger for each property, service and store.",
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
        found: str | None = self._scalar(select(schema.meta.c.value).where(schema.meta.c.key == key))
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
        """Writes or rewrites the record of a command."""
        values = {
            "command": run.command,
            "plan_id": run.plan_id,
            "started": run.started or stamp(self._wall()),
            "finished": run.finished,
            "exit_code": run.exit_code,
            "summary": dumps(run.summary),
            "sources": dumps(run.sources),
            "mapping": dumps(run.mapping),
        }
        table = schema.runs
        with self.transaction() as connection:
            done = connection.execute(update(table).where(table.c.run_id == run.run_id).values(values))
            if not done.rowcount:
                connection.execute(insert(table).values(run_id=run.run_id, **values))

    def runs(self) -> list[RunRecord]:
        """All commands recorded, oldest first."""
        with _translated(self._where):
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

    # Reading orders

    def counts(self) -> dict[State, int]:
        """How many orders are in each state; every state has a count."""
        query = select(schema.orders.c.state, func.count()).group_by(schema.orders.c.state)
        with _translated(self._where):
            found = {stored_state(state): count for state, count in self._read().execute(query)}
        return {state: found.get(state, 0) for state in State}

    def newest_change(self) -> str:
        """When the state of any order was written last, by this machine; "" before the first."""
        return self._scalar(select(func.max(schema.orders.c.updated_at))) or ""

    def order(self, number: str) -> LedgerOrder | None:
        """One order, or None."""
        return self.lookup([number]).get(number)

    def lookup(self, numbers: Iterable[str]) -> dict[str, LedgerOrder]:
        """The orders of these numbers that the ledger knows."""
        found: dict[str, LedgerOrder] = {}
        with _translated(self._where):
            for chunk in _chunks(numbers):
                found.update(read_orders(self._read(), chunk))
        return self._with_edits(found)

    def _with_edits(self, found: dict[str, LedgerOrder]) -> dict[str, LedgerOrder]:
        """The orders with what was edited since they were posted in what the source is read through."""
        if not self.reading:
            return found
        for number, order in found.items():
            if order.has_posted and (text := self._edited(order.posted_run_id)):
                found[number] = replace(order, edited=text)
        return found

    def _edited(self, run_id: str) -> str:
        if run_id not in self._edits:
            query = select(schema.runs.c.mapping).where(schema.runs.c.run_id == run_id)
            before = loads(self._scalar(query), {}).get("reading")
            self._edits[run_id] = edited(before, self.reading) if before else ""
        return self._edits[run_id]

    def orders(self, states: Iterable[State] = (), *, run_id: str = "", changed: bool = False) -> Iterator[LedgerOrder]:
        """All orders, or those in these states, posted by this run, or changed. Shape: by number, streamed."""
        table = schema.orders
        query = select(table).order_by(func.length(table.c.number), table.c.number)
        wanted = [state.value for state in states]
        if wanted:
            query = query.where(table.c.state.in_(wanted))
        if run_id:
            query = query.where(table.c.posted_run_id == run_id)
        if changed:
            query = query.where(table.c.changed != "")
        with _translated(self._where), self._engine.connect() as connection:
            for row in connection.execution_options(stream_results=True).execute(query):
                yield ledger_order(row)

    def parts(self, numbers: Iterable[str]) -> dict[str, list[Part]]:
        """The parts of these orders, all generations. Shape: by number; orders never intended have none."""
        found: dict[str, list[Part]] = {}
        table = schema.parts
        order = (table.c.number, table.c.generation, table.c.part)
        with _translated(self._where):
            for chunk in _chunks(numbers):
                for row in self._read().execute(select(table).where(table.c.number.in_(chunk)).order_by(*order)):
                    found.setdefault(row.number, []).append(part_value(row))
        return found

    def parts_of(self, mews_id: str) -> list[Part]:
        """The parts that are in Mews under this id."""
        return self._parts_where(schema.parts.c.mews_id == mews_id)

    def standing_returns(self) -> list[str]:
        """The nested returns that are, or may be, in Mews."""
        table = schema.orders
        in_doubt = (State.UNKNOWN.value, State.IN_FLIGHT.value)
        query = (
            select(table.c.number)
            .where(table.c.number.like("%-R%"), table.c.state != State.UNDONE.value)
            .where((table.c.mews_order_id != "") | table.c.state.in_(in_doubt))
        )
        with _translated(self._where):
            return list(self._read().scalars(query))

    def unsettled(self) -> list[Part]:
        """All parts that are unknown."""
        return self._parts_where(schema.parts.c.state == State.UNKNOWN.value)

    def to_recheck(self) -> list[Part]:
        """All parts that were sent more than once and are still to be looked up again."""
        return self._parts_where(schema.parts.c.recheck > 0)

    def kinds(self) -> dict[str, KindStanding]:
        """What is known of the needs that only Mews can tell; kinds that nobody tried are not there."""
        return {row.kind: standing_of(row) for row in self.select(select(schema.kinds))}

    def customers(self, emails: Iterable[str]) -> dict[str, Customer]:
        """The people of these addresses that this ledger made, or began to make."""
        table = schema.customers
        found: dict[str, Customer] = {}
        for chunk in _chunks(sorted({email for email in emails if email})):
            for row in self.select(select(table).where(table.c.email.in_(chunk))):
                found[row.email] = customer_value(row)
        return found

    def has_payments(self) -> bool:
        """Whether any order that was ever sent has payments."""
        query = select(schema.parts.c.part).where(schema.parts.c.kind == PartKind.PAYMENT.value).limit(1)
        return self._scalar(query) is not None

    def attempts(self, number: str, *, generation: int | None = None, part: str | None = None) -> list[Attempt]:
        """Every request that may have left for an order. Shape: by generation, part and sequence."""
        table = schema.attempts
        query = select(table).where(table.c.number == number)
        if generation is not None:
            query = query.where(table.c.generation == generation)
        if part is not None:
            query = query.where(table.c.part == part)
        with _translated(self._where):
            rows = self._read().execute(query.order_by(table.c.generation, table.c.part, table.c.seq)).all()
        return [attempt_value(row, row.payload) for row in rows]

    def duplicated(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Orders found more than once in Mews, with all their OrderIds."""
        table = schema.orders
        with _translated(self._where):
            rows = (
                self._read().execute(select(table.c.number, table.c.duplicates).where(table.c.duplicates != "")).all()
            )
        for number, ids in rows:
            yield number, tuple(loads(ids, ()))

    def first_posted(self) -> LedgerOrder | None:
        """The oldest order that a run posted itself, for the read-back of the first order."""
        table = schema.attempts
        query = (
            select(table.c.number)
            .join(schema.orders, schema.orders.c.number == table.c.number)
            .where(table.c.part == ORDER_PART, table.c.outcome == "done", schema.orders.c.mews_order_id != "")
            .where(schema.orders.c.state != State.UNDONE.value)
            .order_by(table.c.sent_at)
            .limit(1)
        )
        number = self._scalar(query)
        return None if number is None else self.order(number)

    def select(self, query: Any) -> Sequence[Any]:
        """The rows of a short query, as of the last commit."""
        with _translated(self._where):
            return self._read().execute(query).all()

    def query(self, sql: str, values: Mapping[str, Any]) -> Sequence[Any]:
        """The same of a text that both databases understand, with :names for values."""
        return self.select(text(sql).bindparams(**values))

    # Plans

    def record_plan(self, run_id: str, orders: Iterable[PlannedOrder]) -> Counter[State]:
        """Keeps what the plan says of each order, for status and report. Shape: how many are in which state.

        Rule: design 7.4. Orders that are, or may be, in Mews keep state and facts; where the source differs
        from what was posted, `changed` says in what. Effects: one transaction for every 500 orders.
        """
        counts: Counter[State] = Counter()
        batch: list[PlannedOrder] = []
        for order in orders:
            batch.append(order)
            if len(batch) == _PLAN_BATCH:
                counts.update(self._record_batch(run_id, batch))
                batch = []
        if batch:
            counts.update(self._record_batch(run_id, batch))
        return counts

    def _record_batch(self, run_id: str, orders: list[PlannedOrder]) -> Counter[State]:
        home = self.home()
        store = home.store if home else ""
        now = stamp(self._wall())
        counts: Counter[State] = Counter()
        latest = {order.number: order for order in orders}
        with self.steps() as steps:
            known = self._lookup_in(steps, latest)
            latest = {
                number: held_back(known[number], order) if number in known else order
                for number, order in latest.items()
            }
            new = [order for order in latest.values() if order.number not in known]
            if new:
                self._insert_plans(steps, run_id, new)
                counts.update(State(order.verdict.value) for order in new)
            facts: list[dict[str, Any]] = []
            changes: list[dict[str, Any]] = []
            met: list[PlannedOrder] = []
            for number, row in known.items():
                order = latest[number]
                state = steps.replan(number, State(order.verdict.value))
                counts[state] += 1
                reason = change(row, order, store)
                # What `recover` found has no facts of its own yet; the plan that it equals gives them.
                if (state in PLANNED and not row.has_posted) or (row.verdict == "" and not reason):
                    met.append(order)
                    facts.append({"k_number": number, "changed": "", "reading": "", **plan_facts(order, run_id)})
                else:
                    if not row.posted_content and row.posted_fingerprint == order.fingerprint:
                        met.append(order)
                    more = {name: value for name, value in row.facts.items() if name != "now"}
                    if reason:
                        more["now"] = current_facts(order)
                    changes.append(
                        {
                            "k_number": number,
                            "changed": reason,
                            "plan_run_id": run_id,
                            "facts": dumps(more),
                            # Where the correction was posted, it stands for the source.
                            "reading": "" if row.has_posted and is_original(row, order) else reading_of(order),
                        }
                    )
            if facts:
                steps.execute(_UPDATE_FACTS, facts)
            if changes:
                steps.execute(_UPDATE_CHANGED, changes)
            steps.keep_versions(version_rows(new), version_rows(met))
            steps.keep_corrections(
                {number: new_corrections(known.get(number), order, now) for number, order in latest.items()}, run_id
            )
        return counts

    def _lookup_in(self, steps: Steps, numbers: Iterable[str]) -> dict[str, LedgerOrder]:
        found: dict[str, LedgerOrder] = {}
        for chunk in _chunks(numbers):
            found.update(steps.read_orders(chunk))
        steps.load(found)
        return self._with_edits(found)

    def _insert_plans(self, steps: Steps, run_id: str, orders: list[PlannedOrder]) -> None:
        now = stamp(self._wall())
        steps.execute(
            insert(schema.orders),
            [
                {
                    "number": order.number,
                    "state": State(order.verdict.value).value,
                    "updated_at": now,
                    **plan_facts(order, run_id),
                }
                for order in orders
            ],
        )

    # Own work

    def _prepare(self, *, create: bool, steps: Sequence[migrations.Step]) -> None:
        found = migrations.version(self._read())
        migrations.check(found, steps)
        self._end_read()
        if found == migrations.latest(steps):
            return
        if found == 0 and not create:
            raise _missing(self._where)
        with self.transaction() as connection:
            if found:
                # The program that works on it knows the tables as they were.
                locks.check_idle(connection)
            migrations.migrate(connection, stamp(self._wall()), steps)
            if found == 0 and self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")

    def _is_older(self, steps: Sequence[migrations.Step]) -> bool:
        found = migrations.version(self._read())
        self._end_read()
        return 0 < found < migrations.latest(steps)

    def _set_meta(self, connection: Connection, key: str, value: str) -> None:
        Steps(connection, self._wall()).meta(key, value)

    def _writing(self) -> Connection:
        self._check_open()
        if self._writer is None or self._writer.closed:
            self._writer = self._engine.connect().execution_options(writes=True)
        return self._writer

    def _read(self) -> Connection:
        """The connection for short reads, outside any transaction: it always sees the last commit."""
        self._check_open()
        if self._reader is None or self._reader.closed:
            self._reader = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._reader

    def _check_open(self) -> None:
        if self._is_dead:
            raise InternalError(f"the ledger {self._where} is closed", code="internal.closed")

    def _end_read(self) -> None:
        if self._reader is not None and not self._reader.closed:
            self._reader.close()
        self._reader = None

    def _scalar(self, query: Any) -> Any:
        with _translated(self._where):
            return self._read().scalar(query)

    def _parts_where(self, condition: Any) -> list[Part]:
        table = schema.parts
        order = (table.c.number, table.c.generation, table.c.part)
        with _translated(self._where):
            return [part_value(row) for row in self._read().execute(select(table).where(condition).order_by(*order))]


def _chunks(numbers: Iterable[str]) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(numbers))
    for start in range(0, len(unique), CHUNK):
        yield unique[start : start + CHUNK]


def _upgrade(url: URL, where: str, wall: Callable[[], datetime], steps: Sequence[migrations.Step]) -> None:
    """Brings a ledger of an earlier version up to date, so that it can be read."""
    try:
        Ledger.open(url.render_as_string(hide_password=False), create=False, wall=wall, steps=steps).close()
    except LedgerError as error:
        if error.code != "ledger.read_only":
            raise
        raise LedgerError(
            f"the ledger {where} was written by an earlier version of this program and has to be upgraded, "
            "but file or folder can't be written",
            code="ledger.read_only",
            hint="Make file and folder writable, or copy the ledger to where you may write and name it with --ledger.",
        ) from error


def _missing(where: str) -> LedgerError:
    return LedgerError(
        f"there is no ledger at {where}",
        code="ledger.missing",
        hint="Name the right file with --ledger, or begin with `centra-mews dry-run`.",
    )


def _url(url_or_path: str | Path) -> URL:
    text = str(url_or_path)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        return make_url(text)
    except ArgumentError as error:
        raise LedgerError(
            "--ledger is neither a path nor a database URL",
            code="ledger.url",
            hint="Name a file: --ledger ledger.sqlite.",
        ) from error


def _open_sqlite(url: URL, *, create: bool, read_only: bool) -> Engine:
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise LedgerError("a ledger in memory would be no ledger", code="ledger.url", hint="Name a file.")
    if path.is_dir():
        raise LedgerError(f"{path} is a folder", code="ledger.foreign", hint="Name a file with --ledger.")
    if not path.exists():
        if not create:
            raise _missing(str(path))
        _create_private(path)
    name = path.resolve().as_uri()

    def connect() -> sqlite3.Connection:
        return _connect_sqlite(name, path, read_only=read_only)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer asks for the write lock at once: upgrading a read transaction could fail midway.
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _connect_sqlite(name: str, path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(f"{name}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                # A write-protected folder has no room for the index of the log; without a log none is needed.
                wal = Path(f"{path}-wal")
                if wal.exists() and wal.stat().st_size:
                    raise
                connection.close()
                connection = sqlite3.connect(f"{name}?immutable=1", uri=True, isolation_level=None)
            return connection
        # Somebody else's database keeps its journal as it is: it will be refused, and may not be changed.
        if _may_be_ours(connection):
            connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk, not on its way there, when it returns; NORMAL would lose the last
        # commits in a power loss, and with them the proof of what was sent.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path, *, read_only: bool) -> None:
    """Takes a ledger that others may read from them: it holds people's orders and what they paid.

    Raises LedgerError where that is not ours to change and we are to write; who only reads changes nothing.
    """
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            mode = file.stat().st_mode & 0o777
            if mode & 0o077:
                file.chmod(mode & 0o700)
        except FileNotFoundError:
            continue
        except OSError as error:
            if read_only:
                continue
            raise LedgerError(
                f"the ledger {path} can be read by others (mode {mode:04o}) and can't be made private: "
                f"{error.strerror or error}",
                code="ledger.public",
                hint="Let its owner run `chmod 600` on it, or copy it to a folder of your own and use that copy alone.",
            ) from error


def _may_be_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database is a ledger by its mark, or still empty."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return mark == _APPLICATION_ID or not tables


def _create_private(path: Path) -> None:
    """An empty file with mode 0600; SQLite gives its -wal and -shm the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        folder = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} can't be created: {error.strerror}",
            code="ledger.read_only",
            hint="Create the folder and make it writable, or name another file with --ledger.",
        ) from error


_WRITABLE_HINT = "Make file and folder writable, or copy the ledger to a disk that is and use only that copy."
_DISK_FULL = (
    "ledger.disk_full",
    "the disk is full",
    "Free some space, then run again: what was under way is looked up in Mews first.",
)
_FULL = 256 << 10
"""Bytes below which a disk counts as full: SQLite can't even open the files beside the ledger, and calls that I/O."""
_FAULTS = (
    ("disk is full", *_DISK_FULL),
    ("readonly", "ledger.read_only", "the file is read-only", _WRITABLE_HINT),
    ("read-only", "ledger.read_only", "the file is read-only", _WRITABLE_HINT),
    (
        "not a database",
        "ledger.foreign",
        "the file is no ledger",
        "Name the right file with --ledger; nothing was written to it.",
    ),
    ("malformed", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("could not decode", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("no such column", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("no such table", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("locked", "ledger.busy", "another process keeps it busy", "Wait for the other command, then run again."),
    ("unable to open", "ledger.unusable", "the file can't be opened", "Check the path and its permissions."),
    ("disk i/o", "ledger.unusable", "the disk reports an error", "Check the disk, then run again."),
)


def _was_a_ledger(where: str) -> bool:
    """Whether a file that is no database any more holds our tables' names."""
    try:
        with Path(where).open("rb") as stream:
            head = stream.read(8 << 20)
    except OSError:
        return False
    return b"payload_hash" in head or b"posted_fingerprint" in head


def _is_full(where: str) -> bool:
    """Whether the disk of the ledger has no room left."""
    try:
        disk = os.statvfs(Path(where).resolve().parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _FULL


def _why_closed(where: str) -> str:
    """What keeps SQLite from opening a file that is there; "" where nothing is known."""
    path = Path(where)
    folder = path.resolve().parent
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"it lies on a read-only disk ({folder})"
    except OSError:
        return ""
    if not os.access(path, os.R_OK):
        return "you may not read it"
    if not os.access(path, os.W_OK) or not os.access(folder, os.W_OK):
        return f"file or folder can't be written ({folder})"
    return ""


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Foreign errors become LedgerError once, here."""
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite's own message holds bytes of the damaged file.
        raise damaged(f"the file {where}") from error
    except (DBAPIError, sqlite3.Error) as error:
        # "Could not decode to UTF-8 column 'x' with text ..": the text is somebody's data.
        text = str(error.orig if isinstance(error, DBAPIError) else error).partition(" with text ")[0]
        if "not a database" in text and _was_a_ledger(where):
            raise damaged(f"the file {where}") from error
        if "unable to open" in text and (why := _why_closed(where)):
            raise LedgerError(
                f"the ledger {where} can't be used: {why}", code="ledger.read_only", hint=_WRITABLE_HINT
            ) from error
        faults = (("disk i/o", *_DISK_FULL), *_FAULTS) if _is_full(where) else _FAULTS
        for sign, code, what, hint in faults:
            if sign in text.lower():
                raise LedgerError(f"the ledger {where} can't be used: {what} ({text})", code=code, hint=hint) from error
        hint = "Make sure that file or database can be read and written, then run the same command again."
        raise LedgerError(f"the ledger {where} can't be used: {text}", code="ledger.unusable", hint=hint) from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        hint = "Install the driver that the URL names, or name a file: --ledger ledger.sqlite."
        raise LedgerError(f"no driver for the ledger {where}: {error}", code="ledger.url", hint=hint) from error


__all__ = ["Checkpoint", "Home", "Ledger", "LedgerOrder", "RunRecord"]
