"""One transaction's view of orders and their parts: read at the start, changed in memory, written in few statements.

The transitions themselves are in `steps.py` and its parts; nothing here decides what state follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, select, text, update

from etl.errors import InternalError
from etl.ledger import schema
from etl.ledger.kind_record import KindRecord
from etl.ledger.leases import serialize
from etl.ledger.prepared import Prepared, PreparedLookup
from etl.ledger.records import ORDER_PART, PartKind, stamp, stored_state
from etl.model.quick import quick
from etl.model.states import PLANNED, State, check, worst

_UNDO = PartKind.UNDO.value

CHUNK = 500
"""Numbers per SELECT: below every database's limit of parameters."""

GIVE_UP = 3
"""Proved absent so many times, an order is rejected as `send.gave_up`."""

PartKey = tuple[str, int, str]

_PART_KEY = ("number", "generation", "part")


class NotReady(InternalError):  # noqa: N818 - a state of affairs that the caller handles
    """The part is not in the state that the step starts from: somebody else decided meanwhile."""

    code = "internal.not_ready"


class KindBusyError(NotReady):
    """Another worker tries a kind that the part needs, or Mews refused it to others: look at the kinds again."""


@dataclass(slots=True)
class PartRow:
    """One row of `parts` while a transaction works on it."""

    number: str
    generation: int
    part: str
    kind: str
    state: State
    mews_id: str = ""
    run_id: str = ""
    seq: int = 0
    sends: int = 0
    absents: int = 0
    rejected_hash: str = ""
    fingerprint: str = ""
    skip_fingerprint: str = ""
    first_sent_at: str = ""
    settle_from: str = ""
    unseen_at: str = ""
    recheck: int = 0
    held: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""
    needs: str = ""
    target: str = ""

    @property
    def key(self) -> PartKey:
        """The primary key."""
        return self.number, self.generation, self.part

    def move(self, new: State) -> None:
        """The only way to another state."""
        self.state = check(self.state, new)


@dataclass(slots=True)
class OrderRow:
    """The fate columns of one row of `orders` while a transaction works on it."""

    number: str
    state: State
    generation: int
    mews_order_id: str
    posted_run_id: str
    last_run_id: str
    resolved_run_id: str
    posted_fingerprint: str
    posted_skip_fingerprint: str
    rejected_hash: str
    code: str
    message: str
    request_id: str
    duplicates: str
    observed: str
    verdict: str
    updated_at: str = ""


Rows = tuple[OrderRow, list[PartRow]]
"""One order and all its parts."""

_PART_HOT = tuple(one.name for one in fields(PartRow) if one.name not in (*_PART_KEY, "kind"))
_ORDER_HOT = tuple(one.name for one in fields(OrderRow) if one.name not in ("number", "verdict", "updated_at"))
"""The columns that steps change, in the order of the fields of a row."""


def _keyed(table: Table, *names: str) -> list[ColumnElement[bool]]:
    """That a row is the one whose key is given as `k_` and the columns' names."""
    return [table.c[name] == bindparam(f"k_{name}") for name in names]


_KEYS = {f"k_{name}": name for name in ("number", "generation", "part", "seq")}
_ROW = {**_KEYS, "state": "state._value_"}
"""Where in a row the parameters lie that are not called like its attributes."""

# Whoever changes an order has its row: on a server with several workers, nobody else does until the commit.
_ORDERS = PreparedLookup(
    select(*(schema.orders.c[name] for name in ("number", *_ORDER_HOT, "verdict")))
    .order_by(schema.orders.c.number)
    .with_for_update(),
    schema.orders.c.number,
)
_PARTS = PreparedLookup(
    select(*(schema.parts.c[name] for name in (*_PART_KEY, "kind", *_PART_HOT))), schema.parts.c.number
)
_UPDATE_ORDER = Prepared(
    update(schema.orders)
    .where(*_keyed(schema.orders, "number"))
    .values({name: bindparam(name) for name in (*_ORDER_HOT, "updated_at")}),
    _ROW,
)
_INSERT_PART = Prepared(
    insert(schema.parts).values({one.name: bindparam(one.name) for one in fields(PartRow)}),
    _ROW,
)
_UPDATE_PART = Prepared(
    update(schema.parts).where(*_keyed(schema.parts, *_PART_KEY)).values({name: bindparam(name) for name in _PART_HOT}),
    _ROW,
)
_INSERT_ATTEMPT = Prepared(
    insert(schema.attempts).values({column.name: bindparam(column.name) for column in schema.attempts.columns})
)
_OUTCOME_COLUMNS = ("outcome", "status", "message", "request_id", "mews_id", "finished_at")
_UPDATE_ATTEMPT = Prepared(
    update(schema.attempts)
    .where(*_keyed(schema.attempts, *_PART_KEY, "seq"))
    .values({name: bindparam(name) for name in _OUTCOME_COLUMNS}),
    _KEYS,
)
SELECT_META = select(schema.meta.c.value).where(schema.meta.c.key == bindparam("key"))
"""What `UnitOfWork.meta` stored under a key."""
_KEEP_META = text(
    "INSERT INTO meta (key, value, saved_at) VALUES (:key, :value, :saved_at) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, saved_at = excluded.saved_at"
)
_RENEW_ATTEMPT = Prepared(
    update(schema.attempts)
    .where(*_keyed(schema.attempts, *_PART_KEY, "seq"))
    .values(sent_at=bindparam("sent_at"), machine_at=bindparam("machine_at")),
    _KEYS,
)


@dataclass(frozen=True, slots=True)
class Renewal:
    """An attempt whose bytes leave later than intended."""

    number: str
    generation: int
    part: str
    seq: int
    sent_at: str
    machine_at: str


@quick
@dataclass(frozen=True, slots=True)
class Concluded:
    """What became of an attempt, as it is stored. `outcome`: a `Kind`."""

    number: str
    generation: int
    part: str
    seq: int
    outcome: str
    status: int | None
    message: str
    request_id: str
    mews_id: str
    finished_at: str


@dataclass(slots=True)
class AttemptRow:
    """One new row of `attempts`. The outcome comes later (`Concluded`)."""

    number: str
    generation: int
    part: str
    seq: int
    run_id: str
    payload: str
    payload_hash: str
    identifier: str
    marker: str
    service_id: str
    account_id: str
    consumption: str
    basis: str
    fingerprint: str
    skip_fingerprint: str
    recipe_version: int
    predicted: str
    sent_at: str
    machine_at: str
    outcome: str = ""
    status: int | None = None
    message: str = ""
    request_id: str = ""
    mews_id: str = ""
    finished_at: str = ""


class UnitOfWork:
    """Orders and parts within the transaction of `connection`. `now`: this machine's time; `proved`: kinds known as that."""

    def __init__(self, connection: Connection, now: datetime, proved: set[str] | None = None) -> None:
        self._connection = connection
        self._now = stamp(now)
        self._orders: dict[str, OrderRow] = {}
        self._parts: dict[str, dict[PartKey, PartRow]] = {}
        self._stored: set[PartKey] = set()
        self._dropped: list[PartKey] = []
        self._dirty_orders: dict[str, None] = {}
        self._dirty_parts: dict[PartKey, None] = {}
        self._new_attempts: list[AttemptRow] = []
        self._outcomes: list[Concluded] = []
        self._renewals: list[Renewal] = []
        self._refused_kinds: set[PartKey] = set()
        self.kinds = KindRecord(connection, self._now, set() if proved is None else proved)
        """What the ledger knows of kinds, as this transaction sees it."""
        self.is_shared = False
        """Whether other workers may be at it."""
        self.worker = ""
        """What this worker is known by to them."""
        self.written = 0
        """How many rows `save` has written of orders, parts and attempts."""
        self.is_late = False
        """Whether the lease is over: what Mews answered is written all the same, where nobody has decided since."""

    def load(self, numbers: Iterable[str]) -> None:
        """Reads orders and parts of these numbers, once each."""
        # In one order, whoever asks: on a server two who wait for each other's rows would wait for ever.
        wanted = sorted({number for number in numbers if number not in self._orders})
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for number, state, *rest in _ORDERS.rows(self._connection, chunk):
                self._orders[number] = OrderRow(number, stored_state(state), *rest)
            for number, generation, part, kind, state, *rest in _PARTS.rows(self._connection, chunk):
                value = PartRow(number, generation, part, kind, stored_state(state), *rest)
                self._parts.setdefault(number, {})[value.key] = value
                self._stored.add(value.key)

    def save(self) -> None:
        """Writes what the steps changed. Effects: a handful of statements, whatever the count of steps."""
        connection, written = self._connection, 0
        self.kinds.save()
        table = schema.parts
        for number, generation, part in self._dropped:
            connection.execute(
                delete(table).where(table.c.number == number, table.c.generation == generation, table.c.part == part)
            )
        changed = [self._parts[key[0]][key] for key in self._dirty_parts]
        written += _INSERT_PART.run(connection, [row for row in changed if row.key not in self._stored])
        written += _UPDATE_PART.run(connection, [row for row in changed if row.key in self._stored])
        written += _INSERT_ATTEMPT.run(connection, self._new_attempts)
        written += _RENEW_ATTEMPT.run(connection, self._renewals)
        written += _UPDATE_ATTEMPT.run(connection, self._outcomes)
        orders = [self._orders[number] for number in self._dirty_orders]
        for order in orders:
            order.updated_at = self._now
        self.written = written + _UPDATE_ORDER.run(connection, orders)

    def take_up(self, known: dict[str, Rows]) -> None:
        """Rows as the database has them, which need not be read any more."""
        for number, (order, parts) in known.items():
            self._orders[number] = order
            self._parts[number] = {part.key: part for part in parts}
            self._stored.update(self._parts[number])

    def under_way(self) -> dict[str, Rows]:
        """Of the orders that are in flight, the rows as they were written. The transaction is over, and uses them no more."""
        return {
            number: (order, list(self._parts.get(number, {}).values()))
            for number, order in self._orders.items()
            if order.state is State.IN_FLIGHT
        }

    def alone(self, what: str) -> None:
        """Nobody else is at the same thing until the transaction ends."""
        serialize(self._connection, what)

    @property
    def now(self) -> str:
        """The time of this machine, as it is stored."""
        return self._now

    def meta(self, key: str, value: str) -> None:
        """Stores a text in the same transaction as the steps that it vouches for."""
        self._connection.execute(_KEEP_META, {"key": key, "value": value, "saved_at": self._now})

    def part_state(self, number: str, generation: int, part: str = ORDER_PART) -> State | None:
        """The state of a part as this transaction sees it."""
        self.load([number])
        row = self._find((number, generation, part))
        return None if row is None else row.state

    def mews_id(self, number: str, generation: int, part: str = ORDER_PART) -> str:
        """Mews's id of a part as this transaction sees it; "" for none."""
        self.load([number])
        row = self._find((number, generation, part))
        return "" if row is None else row.mews_id

    def _stand(self, row: PartRow, differs: str) -> None:
        """It is in Mews: POSTED, or DIFFERENT with the words in what it is not what it should be.

        Whoever met it, a run or `recover`: no other place tells the two apart.
        """
        row.move(State.DIFFERENT if differs else State.POSTED)
        row.code, row.message = "different" if differs else "", differs

    def _book(self, row: PartRow, mews_id: str, run_id: str) -> None:
        row.mews_id, row.run_id = mews_id, run_id
        row.settle_from = row.unseen_at = row.held = ""
        for kind in row.needs.split():
            # With the state, in one transaction: what is in Mews has proved what it needed.
            self.kinds.prove(kind, row.number, run_id)
        order = self._order(row.number)
        order.last_run_id = run_id
        if row.part == ORDER_PART:
            order.mews_order_id, order.posted_run_id = mews_id, run_id
            order.posted_fingerprint, order.posted_skip_fingerprint = row.fingerprint, row.skip_fingerprint

    def _settle_order(self, row: PartRow) -> None:
        """The order reports the worst of its parts; undo entries and older generations have no say."""
        self._dirty_parts[row.key] = None
        order = self._order(row.number)
        parts = [
            part
            for part in self._parts[row.number].values()
            if part.generation == order.generation and part.kind != _UNDO
        ]
        if len(parts) == 1:
            # As a rule there is nothing but the order.
            (speaking,) = parts
            order.state = speaking.state
        else:
            if any(part.part == ORDER_PART and part.state is State.UNDONE for part in parts):
                # A payment that was never sent is not due any more.
                parts = [part for part in parts if part.state not in PLANNED]
            order.state = worst(part.state for part in parts)
            speaking = min(parts, key=lambda part: (part.state is not order.state, part.part != ORDER_PART, part.part))
        order.code, order.message, order.request_id = speaking.code, speaking.message, speaking.request_id
        order.rejected_hash = next((part.rejected_hash for part in parts if part.part == ORDER_PART), "")
        self._dirty_orders[row.number] = None

    def _last_hash(self, row: PartRow) -> str:
        table = schema.attempts
        found = self._connection.scalar(
            select(table.c.payload_hash).where(
                table.c.number == row.number,
                table.c.generation == row.generation,
                table.c.part == row.part,
                table.c.seq == row.seq,
            )
        )
        return found or ""

    def _order(self, number: str) -> OrderRow:
        if number not in self._orders:
            self.load([number])
        try:
            return self._orders[number]
        except KeyError:
            raise InternalError(f"order {number} is not in the ledger", code="internal.no_order") from None

    def _find(self, key: PartKey) -> PartRow | None:
        return self._parts.get(key[0], {}).get(key)

    def _at(self, number: str, generation: int, part: str) -> PartRow:
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            raise InternalError(f"order {number} has no part {part} in the ledger", code="internal.no_part")
        return row

    def _add(self, row: PartRow) -> PartRow:
        self._parts.setdefault(row.number, {})[row.key] = row
        self._dirty_parts[row.key] = None
        return row

    def _rows(self, numbers: Iterable[str]) -> list[PartRow]:
        return [row for number in numbers for row in self._parts.get(number, {}).values()]


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """The values in their order, each once, in lists that fit into one SELECT."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), CHUNK):
        yield unique[start : start + CHUNK]
