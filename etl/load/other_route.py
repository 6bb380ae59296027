"""What stands on the other route: an order posted as `orders/add` and as an outlet bill would count twice.

Rule: design section 9. A ledger belongs to one route; of the other, only the numbers of this plan matter. It is read
once as far as is affordable, then from where the last look ended; what of this store was met there stays in a table,
because a later plan may name it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, func, insert, select

from etl.errors import LedgerError
from etl.evidence.marks import identity_of
from etl.ledger import schema
from etl.ledger.ledger import Ledger
from etl.ledger.records import moment, stamp
from etl.model.rows import OrderItemRow
from etl.model.states import State

READ_UNTIL = "other_route_read_until"
"""An earlier version kept its watermark under another key, and had read less."""
UNREAD_BEFORE = "other_route_unread_before"
EXAMPLES = 10

OURS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""This program posted nothing before."""

MOST = 1000
"""Requests of the first look, two and a half minutes at 200/30s, beyond what may hold orders of this program."""

Page = list[OrderItemRow]

Walk = Callable[[datetime], AsyncIterator[Page]]
"""All items of the other route created since a moment, page by page."""

Everything = Callable[[], AsyncIterator[tuple[datetime, Page]]]
"""All items of the other route, whenever created, one step a request; each step with the moment down to which all that
is younger has been read by then."""

ById = Callable[[Sequence[str]], AsyncIterator[Page]]
"""The items of these orders or bills."""


@dataclass(frozen=True, slots=True)
class OtherRoute:
    """How the other route is read. `words`: what it is, for people.

    `by_id`: where what was met can be cancelled meanwhile. `around`: what closed at some moments, where that is another
    way to find it.
    """

    everything: Everything
    since: Walk
    words: str
    by_id: ById | None = None
    around: Callable[[Iterable[datetime]], AsyncIterator[Page]] | None = None


async def look(
    ledger: Ledger,
    other: OtherRoute,
    store: str,
    run_id: str,
    now: datetime,
    settle: timedelta,
    *,
    tell: Callable[[int], None] = lambda _: None,
) -> datetime | None:
    """Takes in what of this store stands there. `now`: Mews's time; `tell`: takes the count of pages read.

    Shape: before which moment nothing was looked at, None where everything was. Raises MewsError; then nothing is
    concluded. Effects: writes the ledger; needs its lock.
    """
    start = moment(ledger.meta(READ_UNTIL))
    if start is None:
        unread = await _look_back(ledger, other, store, now, tell)
        ledger.set_meta(UNREAD_BEFORE, stamp(unread))
    else:
        async for page in other.since(start):
            _keep(ledger, page, store)
    if other.around is not None:
        async for page in other.around(_hours(ledger, run_id)):
            _keep(ledger, page, store)
    ledger.set_meta(READ_UNTIL, stamp(now - settle))
    return moment(ledger.meta(UNREAD_BEFORE))


async def _look_back(
    ledger: Ledger, other: OtherRoute, store: str, now: datetime, tell: Callable[[int], None]
) -> datetime | None:
    """Reads all that may be ours, then what is older while that is affordable. Shape: as `look`."""
    steps = 0
    async for down_to, page in other.everything():
        _keep(ledger, page, store)
        steps += 1
        tell(steps)
        # A Mews whose clock is before this program shows what was posted by it at any time.
        if steps >= MOST and down_to <= OURS_SINCE < now:
            return down_to
    return None


async def refuse(ledger: Ledger, other: OtherRoute, run_id: str) -> None:
    """Raises LedgerError where orders that this run is to send, or that this ledger has in Mews, stand there too.

    Those that were cancelled or reversed there meanwhile do not count.
    """
    standing = await _standing(_met(ledger, run_id), other.by_id)
    if standing:
        shown = ", ".join(f"{number} ({mews_id})" for number, mews_id in sorted(standing.items())[:EXAMPLES])
        more = ", ..." if len(standing) > EXAMPLES else ""
        raise LedgerError(
            f"Mews holds {len(standing)} orders of this plan already as {other.words}: {shown}{more}",
            code="ledger.other_route",
            hint="Sent on this route too, they would count twice. Go on with the route and the ledger that posted them; "
            "`centra-mews undo` with those reverses what is to move.",
        )


async def _standing(met: Sequence[tuple[str, str]], by_id: ById | None) -> dict[str, str]:
    """What of that still stands: ids by number."""
    if by_id is None:
        return dict(met)
    found: dict[str, str] = {}
    for start in range(0, len(met), 500):
        numbers = {mews_id: number for number, mews_id in met[start : start + 500]}
        async for page in by_id(list(numbers)):
            for row in page:
                if row.order_id in numbers and not row.is_canceled:
                    found[numbers[row.order_id]] = row.order_id
    return found


def _keep(ledger: Ledger, page: Page, store: str) -> None:
    table = schema.other_route
    found: dict[tuple[str, int, bool], dict[str, object]] = {}
    for row in page:
        identity = identity_of(row)
        if identity is None or identity.store != store or (row.is_canceled and not identity.is_undo):
            continue
        key = (identity.number, identity.generation, identity.is_undo)
        found[key] = {**dict(zip(("number", "generation", "is_undo"), key, strict=True)), "mews_id": row.order_id}
    if not found:
        return
    with ledger.transaction() as connection:
        ledger.verify_lock(connection)
        numbers = {key[0] for key in found}
        known = {
            (one.number, one.generation, bool(one.is_undo))
            for one in connection.execute(select(table).where(table.c.number.in_(numbers)))
        }
        fresh = [values for key, values in found.items() if key not in known]
        if fresh:
            connection.execute(insert(table), fresh)


def _hours(ledger: Ledger, run_id: str) -> Iterator[datetime]:
    """The hours of each day at which an order was consumed that this run may send: a day is read as a whole."""
    table = schema.orders
    when = case((table.c.true_consumption != "", table.c.true_consumption), else_=table.c.consumption)
    day = func.substr(when, 1, 10)
    unsent = (State.READY.value, State.REJECTED.value, State.UNKNOWN.value)
    query = select(day).where(table.c.plan_run_id == run_id, table.c.state.in_(unsent), when != "").distinct()
    for (text,) in ledger.select(query):
        begin = datetime.fromisoformat(text).replace(tzinfo=UTC)
        yield from (begin + timedelta(hours=hour) for hour in range(25))


def _met(ledger: Ledger, run_id: str) -> list[tuple[str, str]]:
    """Number and id of what was met there and not reversed, of this run's orders and those in Mews."""
    met, undo, orders = schema.other_route, schema.other_route.alias(), schema.orders
    is_reversed = (
        select(undo.c.number)
        .where(undo.c.number == met.c.number, undo.c.generation == met.c.generation, undo.c.is_undo)
        .exists()
    )
    in_mews = (State.POSTED.value, State.DIFFERENT.value, State.UNKNOWN.value, State.IN_FLIGHT.value)
    is_ours = ((orders.c.plan_run_id == run_id) & (orders.c.verdict == "ready")) | orders.c.state.in_(in_mews)
    query = (
        select(met.c.number, met.c.mews_id)
        .join(orders, orders.c.number == met.c.number)
        .where(~met.c.is_undo, ~is_reversed, is_ours)
        .order_by(met.c.number)
    )
    return [(str(number), str(mews_id)) for number, mews_id in ledger.select(query)]
