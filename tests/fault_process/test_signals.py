"""Ctrl-C and SIGTERM on real processes: what is in flight is recorded, and the next run completes the rest."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_shop import SmallShop, check_counts, open_shop, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

ORDERS = 24
EVERY = {str(1001 + number): 1 for number in range(ORDERS)}


@contextmanager
def slow_shop(folder: Path, *dials: str) -> Iterator[tuple[SmallShop, Path]]:
    """A shop of 24 orders at a Mews with these dials."""
    with running_sandbox(unlimited(), faults=[parse_fault(dial) for dial in dials]) as mews:
        shop = open_shop(folder, mews, "signals", concurrency=3)
        yield shop, shop.export(rows(ORDERS))


def start(shop: SmallShop, export: Path) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    return subprocess.Popen(
        shop.shell.command("run", export),
        cwd=shop.folder,
        env=shop.shell.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_orders(shop: SmallShop, process: subprocess.Popen[str], count: int) -> None:
    """Until Mews holds that many orders."""
    until = time.monotonic() + 60
    while len(shop.held()) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "the run does not get on"
        time.sleep(0.01)


def states(shop: SmallShop) -> dict[str, int]:
    """Orders by state, read past the program."""
    with sqlite3.connect(f"file:{shop.ledger}?mode=ro", uri=True) as connection:
        found = dict(connection.execute("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
    connection.close()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_ends_cleanly_and_is_completed(tmp_path: Path, number: signal.Signals) -> None:
    """No new orders, the ones in flight are awaited and recorded, exit 130; then each order once."""
    with slow_shop(tmp_path, "slow:seconds=0.5:on=orders/add") as (shop, export):
        process = start(shop, export)
        wait_for_orders(shop, process, 4)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        document = json.loads(out)
        check_counts(document)
        assert document["exit_code"] == 130
        posted = document["orders"]["posted"]
        assert 4 <= posted == len(shop.held()) < ORDERS
        assert document["orders"]["ready"] == ORDERS - posted
        assert document["orders"]["unknown"] == 0
        assert states(shop) == {"posted": posted, "ready": ORDERS - posted}
        assert "Traceback" not in err
        again = shop.shell.run("run", export)
        assert again.code == 0, again.err
        assert shop.held() == EVERY
        assert again.json["orders"]["posted"] == ORDERS - posted


def test_a_second_ctrl_c_leaves_at_once_with_everything_recorded(tmp_path: Path) -> None:
    """An impatient person loses nothing: what is in flight is looked up by the next run."""
    with slow_shop(tmp_path, "slow:seconds=30:on=orders/add:at=5+6+7") as (shop, export):
        process = start(shop, export)
        wait_for_orders(shop, process, 7)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None, "the first Ctrl-C waits for what is in flight"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - began < 15
        assert process.returncode == 130, err
        document = json.loads(out)
        check_counts(document)
        assert document["orders"]["unknown"] == 3
        again = shop.shell.run("run", export)
        assert again.code == 0, again.err
        assert shop.held() == EVERY
        assert again.json["orders"]["recovered"] == 3
        assert shop.sandbox.duplicates() == {}


@pytest.mark.parametrize("stage", ["configuration/get", "orderItems/getAll"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interruption_before_the_first_order_sends_nothing(
    tmp_path: Path, stage: str, number: signal.Signals
) -> None:
    """Stopping while reference data or the watermark scan is read is no crash."""
    with slow_shop(tmp_path, f"slow:seconds=3:on={stage}") as (shop, export):
        process = start(shop, export)
        until = time.monotonic() + 60
        while not any(entry.operation == stage for entry in tuple(shop.sandbox.log)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert json.loads(out)["exit_code"] == 130
        assert not shop.held()


def test_a_dry_run_is_interrupted_quietly(tmp_path: Path) -> None:
    """Commands that only read end the same way: exit 130, one sentence."""
    with slow_shop(tmp_path, "slow:seconds=20:on=configuration/get") as (shop, export):
        process = subprocess.Popen(
            shop.shell.command("dry-run", export),
            cwd=shop.folder,
            env=shop.shell.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while not shop.sandbox.log and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert json.loads(out)["exit_code"] == 130
