"""What a person is told of how far a command is: the true end, the rate, the wait, the time of the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl.ledger.ledger import Ledger
from etl.pipeline.heart import KEY, Heart
from etl.pipeline.meter import JobProgress, Meter, read_progress, words
from etl.pipeline.status import status
from etl.waiting import LIMIT, Waits

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 100)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_meter(clock: Clock, waits: Waits | None = None) -> Meter:
    return Meter(clock, clock.wall, waits or Waits(clock))


def test_rate_and_end_follow_from_what_was_done(clock: Clock) -> None:
    """1,000 of 3,000 orders in 100 seconds: 200 more to go."""
    meter = a_meter(clock)
    for done in range(0, 1001, 10):
        meter("post", done, 3000)
        clock.seconds += 1
    standing = meter.look()
    assert standing is not None
    assert standing.rate == pytest.approx(10, rel=0.05)
    assert standing.ends is not None
    assert (standing.ends - clock.wall()).total_seconds() == pytest.approx(200, rel=0.05)
    assert words(standing).startswith("post: 1,000 of 3,000 orders (33.3 %), ")


def test_a_burst_is_paid_for_by_the_wait_after_it(clock: Clock) -> None:
    """200 orders in two seconds, then 28 of waiting: the pace is 200 in half a minute, not 100 a second."""
    waits = Waits(clock)
    meter = a_meter(clock, waits)
    meter("post", 0, 2200)
    clock.seconds += 2
    meter("post", 200, 2200)
    waiting = waits.sleep(LIMIT)(28)

    async def look() -> JobProgress | None:
        task = asyncio.ensure_future(waiting)
        await asyncio.sleep(0)
        seen = meter.look()
        task.cancel()
        return seen

    standing = asyncio.run(look())
    assert standing is not None
    assert standing.rate == pytest.approx(200 / 30, rel=0.01)
    assert standing.ends is not None
    assert (standing.ends - clock.wall()).total_seconds() == pytest.approx(300, rel=0.01)


def test_the_rate_is_of_the_last_half_minute(clock: Clock) -> None:
    """A run that stood for an hour must not promise an end that its first hour would have meant."""
    meter = a_meter(clock)
    meter("post", 0, 10_000)
    clock.seconds += 3600
    for done in range(1, 61):
        meter("post", done * 20, 10_000)
        clock.seconds += 1
    standing = meter.look()
    assert standing is not None
    assert standing.rate == pytest.approx(20, rel=0.1)


def test_a_new_stage_begins_anew(clock: Clock) -> None:
    """The rate of reading says nothing about posting."""
    meter = a_meter(clock)
    meter("orders.csv", 5_000_000, 10_000_000)
    clock.seconds += 5
    meter("orders.csv", 10_000_000, 10_000_000)
    standing = meter.look()
    assert standing is not None
    assert words(standing).startswith("read orders.csv: 10.0 MB of 10.0 MB (100.0 %), 1.0 MB/s")
    meter("post", 0, 50)
    fresh = meter.look()
    assert fresh is not None
    assert (fresh.stage, fresh.rate, fresh.ends) == ("post", None, None)


@pytest.mark.parametrize("total", [None, 0])
def test_an_unknown_end_is_not_promised(clock: Clock, total: int | None) -> None:
    """A bar that is full from the start tells the opposite of the truth."""
    meter = a_meter(clock)
    meter("scan items", 0, total)
    clock.seconds += 10
    meter("scan items", 4000, total)
    standing = meter.look()
    assert standing is not None
    assert standing.total is standing.ends is None
    assert words(standing) == "scan Mews: 4,000 items, 400/s"


def test_a_look_counts_pages(clock: Clock) -> None:
    """Only a file is read in bytes."""
    meter = a_meter(clock)
    meter("look for bills of outlets", 0, None)
    clock.seconds += 10
    meter("look for bills of outlets", 30, None)
    standing = meter.look()
    assert standing is not None
    assert words(standing) == "look for bills of outlets: 30 pages, 3/s"


def test_all_but_one_is_not_all(clock: Clock) -> None:
    """100.0 % of 25,897 orders is 25,897 of them."""
    meter = a_meter(clock)
    meter("post", 25_896, 25_897)
    standing = meter.look()
    assert standing is not None
    assert "(99.9 %)" in words(standing)


def test_a_wait_says_for_what_and_how_long(clock: Clock) -> None:
    """Who sees a run stand still at night has to know whether to get up."""

    async def wait() -> str:
        waits = Waits(clock)
        meter = a_meter(clock, waits)
        meter("post", 1, 2)
        sleeping = asyncio.ensure_future(waits.sleep(LIMIT)(12))
        await asyncio.sleep(0)
        standing = meter.look()
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)
        assert waits.now() is None
        assert standing is not None
        clock.seconds += 5
        assert words(standing, clock.wall()).endswith("waiting 7 s for the rate limit")
        return words(standing)

    assert asyncio.run(wait()).endswith("; waiting 12 s for the rate limit")


def test_what_is_kept_comes_back(clock: Clock) -> None:
    """`status` shows the same as the terminal of the run."""
    import json

    meter = a_meter(clock)
    meter("post", 3, 9)
    standing = meter.look()
    assert standing is not None
    assert read_progress(json.dumps(standing.document())) == standing
    assert read_progress("") is None


def test_the_heart_beats_into_the_ledger(tmp_path: Path, clock: Clock) -> None:
    """Another terminal must see how far the run is, while it works and while it only waits; nothing once it is over."""
    shown: list[tuple[str, int, int | None]] = []
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(str(path)) as ledger:
        ledger.take_lock("run")
        heart = Heart(ledger, lambda *told: shown.append(told), clock)
        heart("transform", 5, 10)
        first = _seen(path)
        assert (first.stage, first.done, first.total) == ("plan", 5, 10)
        heart("transform", 6, 10)
        assert _seen(path).done == 5, "not at every order"
        clock.seconds += 3
        heart("transform", 7, 10)
        assert _seen(path).done == 7

        async def post() -> None:
            with heart.beating():
                heart("post", 1, 2)
                await asyncio.sleep(0.05)

        asyncio.run(post())
        assert (_seen(path).stage, _seen(path).done) == ("post", 1)
        heart.stop()
        assert ledger.meta(KEY) == ""
        assert status(str(path))["progress"] is None
    assert [one[1] for one in shown] == [5, 6, 7, 1]


def _seen(path: Path) -> JobProgress:
    document = status(str(path))["progress"]
    assert document["seconds_old"] >= 0
    assert document["words"]
    import json

    names = JobProgress.__dataclass_fields__
    standing = read_progress(json.dumps({name: document[name] for name in names}))
    assert standing is not None
    return standing
