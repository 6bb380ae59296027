"""What stands on the other route, or in another outlet or service: an order posted there and here would count twice.

Rule: design section 9. A ledger belongs to one route, and one outlet or service; of the others, only the numbers of this
plan matter. They are read once since this program exists, then from where the last look ended; what of this store was met
there stays in a table, because a later plan may name it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from etl.errors import LedgerError
from etl.evidence.marks import identity_of
from etl.ledger.ledger import Ledger
from etl.ledger.other_route_rows import Posting, days_of_unsent, keep_met, met_of
from etl.ledger.records import dumps, loads, moment, stamp
from etl.model.rows import OrderItemRow
from etl.model.windows import Window, around, joined

READ_UNTIL = "other_route_read_until"
"""An earlier version kept its watermark under another key, and had read less."""
CLOSED_READ = "other_route_closed_read"
UNREAD_BEFORE = "other_route_unread_before"
EXAMPLES = 10

OURS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""This program posted nothing before."""

IDLE = timedelta(days=30)
"""Days without an order that are read along: one request is cheaper than two, if not much lies between."""

DAY = timedelta(days=1)

Page = list[OrderItemRow]

Walk = Callable[[datetime | None], AsyncIterator[Page]]
"""All items of the other route that were created or changed since a moment (None: ever), page by page."""

ById = Callable[[Sequence[str]], AsyncIterator[Page]]
"""The items of these orders or bills."""


@dataclass(frozen=True, slots=True)
class OtherRoute:
    """How the other route is read. `words`: what it is, for people. `oldest`: nothing there is older, where known.

    `by_id`: where what was met can be cancelled meanwhile. `closed`: what closed in some windows of time, where that is
    another way to find it. `another`: "outlet" or "service" where it is the ledger's own route, in another one, which is
    kept apart. `names`: of outlets or services by id, where `by_id` tells which one.
    """

    since: Walk
    words: str
    oldest: datetime | None = None
    by_id: ById | None = None
    closed: Callable[[Sequence[Window]], AsyncIterator[Page]] | None = None
    another: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether it is the ledger's own route."""
        return bool(self.another)

    def key(self, name: str) -> str:
        """Under what a single fact about it stands in the ledger."""
        return f"{name}:{self.another}s" if self.another else name

    def begin(self, now: datetime) -> datetime | None:
        """Since when orders of this program may stand there; None: ever."""
        if now <= OURS_SINCE:
            # A Mews whose clock is before this program shows what was posted by it at any time.
            return self.oldest
        return OURS_SINCE if self.oldest is None else max(OURS_SINCE, self.oldest)


def is_first(ledger: Ledger) -> bool:
    """Whether no look at the other route was completed yet."""
    return not ledger.meta(READ_UNTIL)


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

    What was created or changed is read from where the last look ended. The time of a change may move while pages are
    read, that of a bill's closing never does: where bills can be found by it, the days of the orders that are to be
    sent are read so, too, each once, since what is made later changes later.
    """
    start = moment(ledger.meta(other.key(READ_UNTIL)))
    if start is None:
        start = other.begin(now)
        is_whole = start is None or (other.oldest is not None and other.oldest >= start)
        ledger.set_meta(other.key(UNREAD_BEFORE), stamp(None if is_whole else start))
    pages = 0
    windows: list[Window] = []
    walks = [other.since(start)]
    if other.closed is not None:
        windows = _unread(ledger, run_id)
        walks.append(other.closed(windows))
    for walk in walks:
        async for page in walk:
            _keep(ledger, page, store, is_same=other.is_same)
            pages += 1
            tell(pages)
    _remember(ledger, windows)
    ledger.set_meta(other.key(READ_UNTIL), stamp(now - settle))
    return moment(ledger.meta(other.key(UNREAD_BEFORE)))


async def refuse(ledger: Ledger, other: OtherRoute, run_id: str) -> None:
    """Raises LedgerError where orders that this run is to send, or that this ledger has in Mews, stand there too.

    Those that were cancelled or reversed there meanwhile do not count.
    """
    standing = await _standing(met_of(ledger, run_id, is_same=other.is_same), other)
    if standing:
        shown = ", ".join(f"{number} ({mews_id})" for number, mews_id in sorted(standing.items())[:EXAMPLES])
        more = ", ..." if len(standing) > EXAMPLES else ""
        raise LedgerError(
            f"Mews holds {len(standing)} orders of this plan already as {other.words}: {shown}{more}",
            code="ledger.other_route",
            hint=f"Sent {f'to this {other.another}' if other.another else 'on this route'} too, they would count twice. "
            f"Go on with the {other.another or 'route'} and the ledger that posted them; "
            "`centra-mews undo` with those reverses what is to move.",
        )


async def _standing(met: Sequence[tuple[str, str]], other: OtherRoute) -> dict[str, str]:
    """What of that still stands: ids by number, and where, if that is known."""
    if other.by_id is None:
        return dict(met)
    found: dict[str, str] = {}
    for start in range(0, len(met), 500):
        numbers = {mews_id: number for number, mews_id in met[start : start + 500]}
        async for page in other.by_id(list(numbers)):
            for row in page:
                if row.order_id in numbers and not row.is_canceled:
                    where = other.names.get(row.service_id)
                    found[numbers[row.order_id]] = f"{row.order_id}, {where}" if where else row.order_id
    return found


def _keep(ledger: Ledger, page: Page, store: str, *, is_same: bool) -> None:
    found: dict[Posting, str] = {}
    for row in page:
        identity = identity_of(row)
        if identity is None or identity.store != store or (row.is_canceled and not identity.is_undo):
            continue
        found[identity.number, identity.generation, identity.is_undo] = row.order_id
    keep_met(ledger, found, is_same=is_same)


def _unread(ledger: Ledger, run_id: str) -> list[Window]:
    """The windows that hold the days of this run's orders and were not read by an earlier look."""
    read = _windows(ledger)
    days = [
        day for day in days_of_unsent(ledger, run_id) if not any(low <= day and day + DAY <= high for low, high in read)
    ]
    return around((at for day in days for at in (day, day + DAY)), near=IDLE)


def _windows(ledger: Ledger) -> list[Window]:
    """What was read by when bills closed."""
    pairs = loads(ledger.meta(CLOSED_READ), [])
    return [(datetime.fromisoformat(low), datetime.fromisoformat(high)) for low, high in pairs]


def _remember(ledger: Ledger, windows: Sequence[Window]) -> None:
    if windows:
        kept = joined([*_windows(ledger), *windows])
        ledger.set_meta(CLOSED_READ, dumps([[stamp(low), stamp(high)] for low, high in kept]))
