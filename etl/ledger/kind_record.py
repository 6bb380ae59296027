"""What the ledger knows of kinds: proved, held, or open with the refusals so far.

Rule: design section 7.1, "One of each kind first". Only `steps.py` changes a record, in the transaction that records
the order's own fate: a kill leaves both or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Row, insert, select, update

from etl.ledger import schema
from etl.ledger.leases import serialize
from etl.ledger.records import dumps, loads
from etl.model.kinds import EQUAL_REFUSALS, KindState, concerned, is_named_by, name_of, words_of
from etl.model.outcome import Outcome

_COMMON = 1000
"""So many refusals of orders without the kind are looked through for the same words."""


@dataclass(slots=True)
class KindStanding:
    """One kind in the ledger. `refusals`: how many, by their words; `message`, `request_id`: Mews's, of the last.

    `number`, `run_id`: the order that proved it, or was refused last, and by which run.
    """

    kind: str
    state: KindState = KindState.OPEN
    refusals: dict[str, int] = field(default_factory=dict)
    number: str = ""
    message: str = ""
    request_id: str = ""
    run_id: str = ""

    @property
    def reason(self) -> str:
        """Why it is held, in one sentence with Mews's own words."""
        count = max(self.refusals.values(), default=0)
        request = f" (RequestId {self.request_id})" if self.request_id else ""
        return f"Mews refused {count} such orders in equal words: {self.message}{request}"


def refusal_of(held: KindStanding) -> str:
    """Why an order of a held kind is not sent, in words for people."""
    return f"not sent, because it needs {name_of(held.kind)}: {held.reason}"


class RefusedPart(Protocol):
    """What of a part's row matters here."""

    number: str
    kind: str
    run_id: str


def standing_of(row: Row[Any]) -> KindStanding:
    """A row of `kinds` as a value."""
    return KindStanding(
        row.kind, KindState(row.state), loads(row.refusals, {}), row.number, row.message, row.request_id, row.run_id
    )


class KindRecord:
    """The kinds within one transaction; read when the first is asked for. `now`: this machine's time, as stored.

    `proved`: kinds that an earlier transaction found proved, which they stay; the next one need not read them.
    """

    def __init__(self, connection: Connection, now: str, proved: set[str]) -> None:
        self._connection = connection
        self._proved = proved
        self._now = now
        self._known: dict[str, KindStanding] | None = None
        self._stored: set[str] = set()
        self._dirty: dict[str, None] = {}

    def unproved(self, kinds: Iterable[str]) -> list[str]:
        """Those of the kinds that no order has proved."""
        return [kind for kind in kinds if self._at(kind).state is not KindState.PROVED]

    def is_held(self, kind: str) -> bool:
        """Whether Mews refused it to others."""
        return self._at(kind).state is KindState.HELD

    def prove(self, kind: str, number: str, run_id: str) -> None:
        """OPEN or HELD -> PROVED: Mews holds an order that needed it."""
        if kind in self._proved:
            return
        found = self._at(kind)
        if found.state is not KindState.PROVED:
            found.state, found.number, found.run_id = KindState.PROVED, number, run_id
            found.refusals, found.message, found.request_id = {}, "", ""
            self._dirty[kind] = None

    def refuse(self, kinds: list[str], part: RefusedPart, outcome: Outcome, payload: Mapping[str, Any]) -> list[str]:
        """Counts a refusal: OPEN stays, or -> HELD with the third in equal words. Shape: the kinds it counts for.

        `kinds`: the unproved ones that the refused part needs. Words that evidently speak of something else, or
        that Mews also said of orders without the kind, count for none.
        """
        words = words_of(outcome.message, _texts(payload))
        counted = [
            kind
            for kind in concerned(kinds, outcome.message)
            if is_named_by(kind, outcome.message) or not self._is_common(kind, part, words)
        ]
        for kind in counted:
            found = self._at(kind)
            found.refusals[words] = found.refusals.get(words, 0) + 1
            found.number, found.run_id = part.number, part.run_id
            found.message, found.request_id = outcome.message, outcome.request_id
            if found.refusals[words] >= EQUAL_REFUSALS:
                found.state, found.refusals = KindState.HELD, {words: found.refusals[words]}
            self._dirty[kind] = None
        return counted

    def reopen(self, kind: str) -> None:
        """HELD -> OPEN: a person wants it tried again."""
        found = self._at(kind)
        if found.state is KindState.HELD:
            found.state, found.refusals = KindState.OPEN, {}
            self._dirty[kind] = None

    def save(self) -> None:
        """Writes what changed."""
        table = schema.kinds
        for kind in self._dirty:
            found = self._at(kind)
            values = {
                "state": found.state.value,
                "refusals": dumps(found.refusals),
                "number": found.number,
                "run_id": found.run_id,
                "message": found.message,
                "request_id": found.request_id,
                "updated_at": self._now,
            }
            if kind in self._stored:
                self._connection.execute(update(table).where(table.c.kind == kind).values(values))
            else:
                self._connection.execute(insert(table).values(kind=kind, **values))
        self._stored |= set(self._dirty)
        self._dirty.clear()

    def _at(self, kind: str) -> KindStanding:
        if self._known is None:
            # Counted and written in one turn: on a server others may be refused at the same time.
            serialize(self._connection, "kinds")
            rows = self._connection.execute(select(schema.kinds)).all()
            self._known = {row.kind: standing_of(row) for row in rows}
            self._stored = set(self._known)
            self._proved.update(kind for kind, one in self._known.items() if one.state is KindState.PROVED)
        return self._known.setdefault(kind, KindStanding(kind))

    def _is_common(self, kind: str, part: RefusedPart, words: str) -> bool:
        """Whether Mews refused a request of the same sort, without the kind, in equal words."""
        table = schema.parts
        query = (
            select(table.c.message, table.c.needs)
            .where(table.c.state == "rejected", table.c.kind == part.kind, table.c.message != "")
            .where(table.c.number != part.number)
            .limit(_COMMON)
        )
        return any(
            kind not in row.needs.split() and words_of(row.message) == words for row in self._connection.execute(query)
        )


def _texts(value: Any) -> Iterator[str]:
    """Every text in a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
