"""What a ledger holds of orders, parts, attempts and customers, as of its last commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select, text

from etl.ledger import remembered, schema
from etl.ledger.changes import edited
from etl.ledger.faults import translated
from etl.ledger.home import LedgerHome
from etl.ledger.kind_record import KindStanding, standing_of
from etl.ledger.order_rows import ledger_order, part_value
from etl.ledger.records import (
    ORDER_PART,
    Attempt,
    Customer,
    LedgerOrder,
    Part,
    PartKind,
    attempt_value,
    customer_value,
    loads,
    moment,
    stored_state,
)
from etl.ledger.remembered import PostedOrder, RememberedOrder
from etl.ledger.unit_of_work import chunks
from etl.ledger.versions import read_orders
from etl.model.states import State

# What a run asks again and again is built once.
_PARTS = select(schema.parts).order_by(schema.parts.c.number, schema.parts.c.generation, schema.parts.c.part)
_PARTS_OF_NUMBERS = _PARTS.where(schema.parts.c.number.in_(bindparam("numbers", expanding=True)))
_PARTS_IN_MEWS = _PARTS.where(schema.parts.c.mews_id == bindparam("mews_id"))
_UNSETTLED = _PARTS.where(schema.parts.c.state == State.UNKNOWN.value)
_TO_RECHECK = _PARTS.where(schema.parts.c.recheck > 0)
_ATTEMPTS = select(schema.attempts).order_by(
    schema.attempts.c.number, schema.attempts.c.generation, schema.attempts.c.part, schema.attempts.c.seq
)
_A_PAYMENT = select(schema.parts.c.part).where(schema.parts.c.kind == PartKind.PAYMENT.value).limit(1)


class LedgerQueries(LedgerHome):
    """Reading a ledger."""

    def counts(self) -> dict[State, int]:
        """How many orders are in each state; every state has a count."""
        query = select(schema.orders.c.state, func.count()).group_by(schema.orders.c.state)
        with translated(self._where):
            found = {stored_state(state): count for state, count in self._read().execute(query)}
        return {state: found.get(state, 0) for state in State}

    def planners(self) -> frozenset[str]:
        """The runs that have read some order last."""
        with translated(self._where):
            return frozenset(self._read().scalars(select(schema.orders.c.plan_run_id).distinct()))

    def newest_change(self) -> str:
        """When the state of any order was written last, by this machine; "" before the first."""
        return self._scalar(select(func.max(schema.orders.c.updated_at))) or ""

    def order(self, number: str) -> LedgerOrder | None:
        """One order, or None."""
        return self.lookup([number]).get(number)

    def lookup(self, numbers: Iterable[str]) -> dict[str, LedgerOrder]:
        """The orders of these numbers that the ledger knows."""
        found: dict[str, LedgerOrder] = {}
        with translated(self._where):
            for chunk in chunks(numbers):
                found.update(read_orders(self._read(), chunk))
        return self._with_edits({number: self._with_id(order) for number, order in found.items()})

    def _with_id(self, order: LedgerOrder) -> LedgerOrder:
        """The order with the id that was read of it, where the ledger has none yet."""
        known = self.read_ids.get((order.number, order.generation), "") if not order.mews_order_id else ""
        return replace(order, mews_order_id=known) if known else order

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
        with translated(self._where), self._engine.connect() as connection:
            for row in connection.execution_options(stream_results=True).execute(query):
                yield self._with_id(ledger_order(row))

    def remembered(self, numbers: Iterable[str], key: str) -> dict[str, RememberedOrder]:
        """Those of these orders that are posted and whole, as they were planned last under the same `key`."""
        with translated(self._where):
            return remembered.remembered(self._read(), numbers, key)

    def posted_orders(self, numbers: Iterable[str]) -> dict[str, PostedOrder]:
        """Those of these orders that are posted and whole, with what they add to sums."""
        with translated(self._where):
            return remembered.posted_orders(self._read(), numbers)

    def parts(self, numbers: Iterable[str]) -> dict[str, list[Part]]:
        """The parts of these orders, all generations. Shape: by number; orders never intended have none."""
        found: dict[str, list[Part]] = {}
        for chunk in chunks(numbers):
            for part in self._parts(_PARTS_OF_NUMBERS, numbers=chunk):
                known = self.read_ids.get((part.number, part.generation), "")
                is_without = bool(known) and part.part == ORDER_PART and not part.mews_id
                found.setdefault(part.number, []).append(replace(part, mews_id=known) if is_without else part)
        return found

    def parts_of(self, mews_id: str) -> list[Part]:
        """The parts that are in Mews under this id."""
        return self._parts(_PARTS_IN_MEWS, mews_id=mews_id)

    def standing_returns(self) -> list[str]:
        """The nested returns that are, or may be, in Mews."""
        table = schema.orders
        # A bill may be posted before its id is read.
        standing = (State.UNKNOWN.value, State.IN_FLIGHT.value, State.POSTED.value)
        query = (
            select(table.c.number)
            .where(table.c.number.like("%-R%"), table.c.state != State.UNDONE.value)
            .where((table.c.mews_order_id != "") | table.c.state.in_(standing))
        )
        with translated(self._where):
            return list(self._read().scalars(query))

    def unsettled(self) -> list[Part]:
        """All parts that are unknown; without those that another worker has in hand."""
        return self._mine(self._parts(_UNSETTLED))

    def to_recheck(self) -> list[Part]:
        """All parts that were sent more than once and are still to be looked up again; without those of other workers."""
        return self._mine(self._parts(_TO_RECHECK))

    def _mine(self, parts: list[Part]) -> list[Part]:
        others = self.elsewhere({part.number for part in parts})
        return [part for part in parts if part.number not in others]

    def kinds(self) -> dict[str, KindStanding]:
        """What is known of the needs that only Mews can tell; kinds that nobody tried are not there."""
        return {row.kind: standing_of(row) for row in self.select(select(schema.kinds))}

    def customers(self, emails: Iterable[str]) -> dict[str, Customer]:
        """The people of these addresses that this ledger made, or began to make."""
        table = schema.customers
        found: dict[str, Customer] = {}
        for chunk in chunks(sorted({email for email in emails if email})):
            for row in self.select(select(table).where(table.c.email.in_(chunk))):
                found[row.email] = customer_value(row)
        return found

    def has_payments(self) -> bool:
        """Whether any order that was ever sent has payments."""
        return self._scalar(_A_PAYMENT) is not None

    def attempts(self, number: str, *, generation: int | None = None, part: str | None = None) -> list[Attempt]:
        """Every request that may have left for an order. Shape: by generation, part and sequence."""
        table = schema.attempts
        query = _ATTEMPTS.where(table.c.number == number)
        if generation is not None:
            query = query.where(table.c.generation == generation)
        if part is not None:
            query = query.where(table.c.part == part)
        return [attempt_value(row, row.payload) for row in self.select(query)]

    def attempts_of(self, numbers: Iterable[str]) -> dict[str, list[Attempt]]:
        """Every request that may have left for these orders. Shape: by number; each as `attempts`."""
        found: dict[str, list[Attempt]] = {}
        for chunk in chunks(numbers):
            for row in self.select(_ATTEMPTS.where(schema.attempts.c.number.in_(chunk))):
                found.setdefault(row.number, []).append(attempt_value(row, row.payload))
        return found

    def duplicated(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Orders found more than once in Mews, with all their OrderIds."""
        table = schema.orders
        with translated(self._where):
            rows = (
                self._read().execute(select(table.c.number, table.c.duplicates).where(table.c.duplicates != "")).all()
            )
        for number, ids in rows:
            yield number, tuple(loads(ids, ()))

    def closings(self, mews_ids: Iterable[str]) -> dict[str, datetime]:
        """When the bills with these ids closed, of those that this ledger sent."""
        parts, attempts = schema.parts, schema.attempts
        query = select(parts.c.mews_id, attempts.c.consumption).join(
            attempts,
            (attempts.c.number == parts.c.number)
            & (attempts.c.generation == parts.c.generation)
            & (attempts.c.part == parts.c.part)
            & (attempts.c.seq == parts.c.seq),
        )
        found: dict[str, datetime] = {}
        for chunk in chunks(mews_ids):
            for mews_id, consumption in self.select(query.where(parts.c.mews_id.in_(chunk))):
                closed = moment(consumption)
                if closed is not None:
                    found[mews_id] = closed
        return found

    def without_ids(self) -> dict[tuple[str, int], datetime]:
        """When the bills closed that are posted and of which nobody has read the id, by number and generation."""
        table = schema.orders
        query = select(table.c.number, table.c.generation, table.c.consumption).where(
            table.c.mews_order_id == "", table.c.state == State.POSTED.value
        )
        rows = [(number, generation, moment(closed)) for number, generation, closed in self.select(query)]
        return {(number, generation): closed for number, generation, closed in rows if closed is not None}

    def lacks_ids(self) -> bool:
        """Whether a bill is posted of which nobody has read Mews's id yet: many bills share one answer."""
        table = schema.parts
        query = select(table.c.number).where(table.c.mews_id == "", table.c.state == State.POSTED.value).limit(1)
        return self._scalar(query) is not None

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
        with translated(self._where):
            return self._read().execute(query).all()

    def query(self, sql: str, values: Mapping[str, Any]) -> Sequence[Any]:
        """The same of a text that both databases understand, with :names for values."""
        return self.select(text(sql).bindparams(**values))

    def _parts(self, query: Select[Any], **values: object) -> list[Part]:
        with translated(self._where):
            return [part_value(row) for row in self._read().execute(query, values)]
