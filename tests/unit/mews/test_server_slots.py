"""The budget of a token on a PostgreSQL server: one for all who share the database, by the server's clock."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest
from pg_cluster import Cluster

from etl.errors import LedgerError
from etl.ledger import server
from etl.ledger.file import ledger_url
from etl.ledger.server import connect
from etl.ledger.server_faults import server_fault
from etl.mews.clock import SystemClock
from etl.mews.limiter import Limiter
from etl.mews.server_slots import ServerSlots
from etl.mews.slots import Row


@pytest.fixture
def url(postgres: Cluster, tmp_path):
    return postgres.new_database(f"slots_{tmp_path.name}")


def slots(url: str, token: str = "token") -> ServerSlots:
    return ServerSlots(
        lambda: connect(ledger_url(url), holds_locks=True),
        token,
        clock=SystemClock(),
        fault=lambda error: server_fault("it", error),
    )


def test_two_share_one_window(url):
    """What one took is gone for the other; another token has a budget of its own."""
    first, second, other = slots(url), slots(url), slots(url, "another")
    now = time.monotonic()
    asked = {"window": 30.0, "keep": 30.0, "count": 3, "want": 2, "lease": 5.0, "moved": []}
    assert first.take(now=now, **asked).row.size == 2
    assert second.take(now=now, **asked).row.size == 1
    refused = first.take(now=now, **asked)
    assert (refused.row, 29 < refused.wait <= 35) == (None, True)
    assert other.take(now=now, **asked).row.size == 2
    for one in (first, second, other):
        one.close([])


def test_what_is_over_earlier_counts_for_less(url):
    """A request that was answered counts from then; a row that was forgotten comes back if it counts again."""
    first, second = slots(url), slots(url)
    now = time.monotonic()
    asked = {"window": 0.2, "keep": 0.2, "count": 1, "want": 1, "lease": 5.0}
    row = first.take(now=now, moved=[], **asked).row
    assert second.take(now=now, moved=[], **asked).row is None
    first.write([Row(row.id, row.granted, now, 1)])
    time.sleep(0.25)
    assert second.take(now=time.monotonic(), moved=[], **asked).row is not None
    first.write([Row(row.id, row.granted, time.monotonic() + 5, 1)])
    first.close([])
    second.close([])


def test_two_limiters_keep_one_limit(url):
    """Two processes of one token: never more than the limit in any window, and the window is used."""
    granted: list[float] = []

    async def work(limiter: Limiter) -> None:
        for _ in range(15):
            slot = await limiter.slot()
            now = time.monotonic()
            slot.sent(now)
            slot.release(now)
            granted.append(now)

    async def both() -> None:
        limiters = [Limiter(10, Decimal(1), store=slots(url), clock=SystemClock()) for _ in range(2)]
        await asyncio.gather(*map(work, limiters))
        for limiter in limiters:
            limiter.close()

    asyncio.run(both())
    granted.sort()
    assert all(later - earlier >= 1.0 for earlier, later in zip(granted, granted[10:], strict=False))
    assert granted[-1] - granted[0] < 3.0


def test_who_sleeps_with_the_lock_keeps_nobody_waiting(url, monkeypatch):
    """A process that is stopped in the middle of taking a slot held up everybody with the token, for as long as it slept."""
    monkeypatch.setattr(server, "LONGEST_SLEEP", 0.3)
    sleeper, other = slots(url), slots(url)
    asked = {"window": 30.0, "keep": 30.0, "count": 3, "want": 1, "lease": 5.0, "moved": []}
    sleeper._db.execute("SELECT pg_advisory_xact_lock(hashtext('centra-mews slots'), hashtext('token'))")
    began = time.monotonic()
    assert other.take(now=began, **asked).row is not None
    assert time.monotonic() - began < server.PATIENCE / 2
    woken = sleeper.take(now=time.monotonic(), **asked)
    assert (woken.row, woken.is_written) == (None, False)
    assert sleeper.take(now=time.monotonic(), **asked).row is not None
    for one in (sleeper, other):
        one.close([])


def test_a_server_that_is_gone_is_said(url, postgres: Cluster):
    """No traceback of the driver, but what to do."""
    one = slots(url)
    with postgres.admin() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.rpartition("/")[2]]
        )
    with pytest.raises(LedgerError) as caught:
        one.take(now=0.0, window=30.0, keep=30.0, count=3, want=2, lease=5.0, moved=[])
    assert (caught.value.code, "same command again" in caught.value.hint) == ("ledger.unreachable", True)
    one.close([])
