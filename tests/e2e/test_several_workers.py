"""Several runs of one plan on one ledger in PostgreSQL, as processes of their own: every order once, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pg_cluster import Cluster
from small_shop import SmallShop, check_counts, open_shop, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import World

pytestmark = pytest.mark.slow

ORDERS = 60


class Workers:
    """A shop whose runs are processes. `export`: what all of them post."""

    def __init__(self, shop: SmallShop, url: str) -> None:
        self.shop = shop
        self.url = url
        self.export = shop.export(rows(ORDERS))
        self.started: list[subprocess.Popen[str]] = []

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(Path(sys.executable).with_name("centra-mews")), "--json", "--ledger", self.url,
                *map(str, arguments)]  # fmt: skip

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """A command under way."""
        environment = self.shop.shell.environment() | {"CENTRA_MEWS_MAPPINGS": str(self.shop.mapping)}
        process = subprocess.Popen(
            self.command(*arguments), cwd=self.shop.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, **more: Any) -> subprocess.Popen[str]:
        """One more worker."""
        return self.start("run", self.export, *more.get("options", ()))

    def sent(self) -> int:
        """How many orders Mews holds."""
        return len(self.shop.held())

    def wait_until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.05)

    def end(self) -> None:
        """None is left, nor one that was stopped."""
        for process in self.started:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], code: int | None = 0) -> dict[str, Any]:
    """The document of a worker that came to its end."""
    out, err = process.communicate(timeout=120)
    assert code is None or process.returncode == code, (process.returncode, err[-3000:], out[-500:])
    return json.loads(out) if out.strip() else {"err": err}


def open_workers(folder: Path, postgres: Cluster, world: World, seconds: float) -> Iterator[Workers]:
    """A Mews that takes so many seconds for each order, so that its workers meet; none is left in the end."""
    with running_sandbox(world, faults=[parse_fault(f"slow:1.0:seconds={seconds}:on=orders/add")]) as mews:
        shop = open_shop(folder, mews, "uk", concurrency=2, settle="1")
        found = Workers(shop, postgres.new_database(f"w_{folder.name}"))
        yield found
        found.end()


@pytest.fixture
def workers(postgres: Cluster, tmp_path: Path) -> Iterator[Workers]:
    """A Mews without a limit."""
    yield from open_workers(tmp_path, postgres, unlimited(), 0.4)


def test_three_workers_share_one_plan(workers: Workers) -> None:
    """Each tells as posted what it posted, what the others did as already posted; their sums are the plan."""
    documents = [ended(one) for one in [workers.run(), workers.run(), workers.run()]]
    assert set(workers.shop.held().values()) == {1}
    assert workers.sent() == ORDERS
    for document in documents:
        check_counts(document)
        assert document["orders"]["posted"] + document["orders"]["already_posted"] == ORDERS
    assert sum(document["orders"]["posted"] for document in documents) == ORDERS
    assert sum(document["orders"]["posted"] > 0 for document in documents) > 1


@pytest.mark.parametrize("dead", [1, 2])
def test_the_living_settle_what_the_dead_had_under_way(workers: Workers, dead: int) -> None:
    """kill -9 in the middle of one or two of three: the orders in flight are looked up, the others go on."""
    several = [workers.run() for _ in range(3)]
    workers.wait_until(lambda: workers.sent() >= ORDERS // 4)
    for process in several[:dead]:
        process.kill()
    for process in several[dead:]:
        assert ended(process)["exit_code"] == 0
    assert (workers.sent(), set(workers.shop.held().values())) == (ORDERS, {1})
    again = ended(workers.run())
    assert again["orders"]["already_posted"] == ORDERS


def test_who_sleeps_past_its_lease_sends_nothing_when_it_wakes(workers: Workers) -> None:
    """A worker stopped for longer than its lease: the other takes its orders, it wakes and ends with a sentence."""
    # At work for certain, and so with orders in hand whenever it is stopped.
    sleeper = workers.run()
    workers.wait_until(lambda: workers.sent() >= ORDERS // 12)
    other = workers.run()
    workers.wait_until(lambda: workers.sent() >= ORDERS // 4)
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert ended(other)["exit_code"] == 0
    assert (workers.sent(), set(workers.shop.held().values())) == (ORDERS, {1})
    os.kill(sleeper.pid, signal.SIGCONT)
    woken = ended(sleeper, 2)
    assert "lease" in json.dumps(woken)
    assert set(workers.shop.held().values()) == {1}


def test_others_are_told_to_wait(workers: Workers) -> None:
    """Another plan, an undo, a settling, a recover: none of them while runs are at work, each with a sentence."""
    # So many that it is at work for longer than they take, however slow the machine: it gets slower with them.
    workers.export = workers.shop.export(rows(10 * ORDERS))
    process = workers.run()
    workers.wait_until(lambda: workers.sent() >= 5)
    other = workers.shop.export(rows(ORDERS + 1), "other.csv")
    commands = (("run", other), ("undo", "--run", "x", "--yes"), ("settle", "1001", "--absent"), ("recover",))
    for arguments, refused in [(arguments, workers.start(*arguments)) for arguments in commands]:
        out, err = refused.communicate(timeout=60)
        assert process.poll() is None
        assert refused.returncode == 2, (arguments, out, err)
        assert f"process {process.pid}" in err + out, (arguments, out, err)
        assert "Traceback" not in err
    process.send_signal(signal.SIGTERM)
    assert 0 < ended(process, 130)["orders"]["posted"] < 10 * ORDERS
    assert set(workers.shop.held().values()) == {1}


def test_the_canary_is_one_for_all(workers: Workers) -> None:
    """Two runs with --canary: one looks at the first orders, the other waits for it and has none of its own."""
    documents = [ended(one) for one in [workers.run(options=("--canary", "4")) for _ in range(2)]]
    canaries = [document["canary"] for document in documents]
    assert sorted(canary is None for canary in canaries) == [False, True]
    assert (workers.sent(), set(workers.shop.held().values())) == (ORDERS, {1})


def test_a_server_stopped_in_the_middle(workers: Workers, postgres: Cluster) -> None:
    """The power goes: a sentence with what to do and exit code 2; when it is back, the rerun settles everything."""
    process = workers.run()
    workers.wait_until(lambda: workers.sent() >= ORDERS // 4)
    postgres.stop()
    try:
        out, err = process.communicate(timeout=120)
        during = workers.start("status")
        _, said = during.communicate(timeout=60)
    finally:
        postgres.start()
    assert (process.returncode, during.returncode) == (2, 2), err[-2000:]
    for words in (err + out, said):
        assert "Traceback" not in words
        assert "same command again" in words
    assert ended(workers.run())["exit_code"] == 0
    assert (workers.sent(), set(workers.shop.held().values())) == (ORDERS, {1})
