"""Orders as they were read and planned last: what is posted and met again in the same rows need not be planned again.

`rows` hashes the cells of an order, `key` all else that its plan follows from; `line` is its part of the plan id. A row
holds for the version whose fingerprint it names, so it may be written before anything is sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from etl.ledger import schema
from etl.ledger.records import RECOVERED_RUN, loads
from etl.ledger.unit_of_work import chunks
from etl.model.states import State

_ORDERS, _REMEMBERED = schema.orders, schema.remembered
_LEVEL = 1

_IS_WHOLE = and_(
    # Not the column by itself: SQLite would go through all posted orders by their index, for every few hundred numbers.
    func.coalesce(_ORDERS.c.state, "") == State.POSTED.value,
    _ORDERS.c.verdict == "ready",
    _ORDERS.c.posted_run_id.not_in(("", RECOVERED_RUN)),
    _ORDERS.c.posted_fingerprint == _REMEMBERED.c.fingerprint,
    _ORDERS.c.rejected_hash == "",
    *(_ORDERS.c[name] == "" for name in ("changed", "observed", "duplicates", "code", "message", "problems")),
)
"""Posted by a run, and nothing is to be said of it: neither by Mews nor by a person."""
_OF_NUMBERS = _ORDERS.c.number.in_(bindparam("numbers", expanding=True))
_JOINED = _REMEMBERED.join(_ORDERS, _ORDERS.c.number == _REMEMBERED.c.number)
_LINES = (
    select(_REMEMBERED.c.number, _REMEMBERED.c.rows, _REMEMBERED.c.line, _ORDERS.c.true_consumption)
    .select_from(_JOINED)
    .where(_OF_NUMBERS, _IS_WHOLE, _REMEMBERED.c.key == bindparam("key"))
)
_SUMS = (
    select(
        *(
            _ORDERS.c[name]
            for name in (
                *("number", "currency", "basis", "source_total", "planned_total", "rounding", "account_id"),
                *("consumption", "month", "line_count", "facts"),
            )
        )
    )
    .select_from(_JOINED)
    .where(_OF_NUMBERS, _IS_WHOLE)
)
_FORGET = delete(_REMEMBERED).where(_REMEMBERED.c.number == bindparam("k_number"))
_MET = update(_ORDERS).where(_OF_NUMBERS).values(plan_run_id=bindparam("run_id"))


class RememberedOrder(NamedTuple):
    """An order that is posted and whole. `consumed`: its true consumption, ISO, UTC."""

    rows: str
    line: bytes
    consumed: str


class PostedOrder(NamedTuple):
    """What a posted, whole order adds to sums; amounts as texts. `facts`: of the plan that it was posted by."""

    number: str
    currency: str
    basis: str
    source_total: str | None
    planned_total: str
    rounding: str
    account_id: str
    consumption: str
    month: str
    line_count: int
    facts: Mapping[str, Any]


def remembered(connection: Connection, numbers: Iterable[str], key: str) -> dict[str, RememberedOrder]:
    """Those of these orders that are posted and whole, as they were planned last under the same `key`."""
    found = {}
    for chunk in chunks(numbers):
        for number, rows, line, consumed in connection.execute(_LINES, {"numbers": chunk, "key": key}):
            found[number] = RememberedOrder(rows, zlib.decompress(line), consumed)
    return found


def posted_orders(connection: Connection, numbers: Iterable[str]) -> dict[str, PostedOrder]:
    """Those of these orders that are still posted and whole."""
    found = {}
    for chunk in chunks(numbers):
        for row in connection.execute(_SUMS, {"numbers": chunk}):
            found[row.number] = PostedOrder._make((*row[:-1], loads(row.facts, {})))
    return found


def remember(connection: Connection, key: str, rows: Sequence[tuple[str, str, str, bytes]]) -> None:
    """Keeps (number, fingerprint, hash of its rows, part of the plan id) in place of what was kept."""
    kept = [
        {"number": number, "fingerprint": version, "key": key, "rows": hashed, "line": zlib.compress(line, _LEVEL)}
        for number, version, hashed, line in rows
    ]
    connection.execute(_FORGET, [{"k_number": row["number"]} for row in kept])
    connection.execute(insert(_REMEMBERED), kept)


def meet_again(connection: Connection, run_id: str, numbers: Sequence[str]) -> None:
    """Orders that the plan of a run holds unchanged; states and facts stay."""
    for chunk in chunks(numbers):
        connection.execute(_MET, {"numbers": chunk, "run_id": run_id})
