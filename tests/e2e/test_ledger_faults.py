"""The ledger held, stale, unwritable, foreign or lost: what the commands say, and that nothing is sent."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from small_shop import SmallShop, open_shop, row, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow


def slow_run(shop: SmallShop, export: Path) -> subprocess.Popen[str]:
    """A run in the background, waited for until it has posted something."""
    process = subprocess.Popen(
        shop.shell.command("run", export),
        cwd=shop.folder,
        env=shop.shell.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while len(shop.held()) < 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def test_a_second_run_names_the_holder_and_a_dead_one_is_taken_over(tmp_path: Path) -> None:
    """Two writers would send twice; a lock of a killed process must not need a person."""
    with running_sandbox(unlimited(), faults=[parse_fault("slow:seconds=60:on=orders/add:at=4+5")]) as mews:
        shop = open_shop(tmp_path, mews, "held", concurrency=2)
        export = shop.export(rows(14))
        first = slow_run(shop, export)
        try:
            second = shop.shell.run("run", export)
            recover = shop.shell.run("recover")
            status = shop.shell.run("status")
        finally:
            first.send_signal(signal.SIGKILL)
            first.communicate()
        for refused in (second, recover):
            assert refused.code == 2, refused.err
            assert refused.json["error"]["code"] == "ledger.locked"
            assert str(first.pid) in refused.json["error"]["message"]
        assert status.code == 0, status.err
        assert status.json["holder"]["pid"] == first.pid
        assert status.json["run"]["state"] == "running"
        done = shop.shell.run("run", export)
        assert done.code == 0, done.err
        assert shop.held() == {str(number): 1 for number in range(1001, 1015)}
        assert shop.shell.run("status").json["holder"] is None


def test_a_lock_of_another_host_needs_a_persons_word(shop: SmallShop) -> None:
    """Nobody can see from here whether the other machine still works."""
    export = shop.export(rows(2))
    assert shop.shell.run("dry-run", export).code == 0
    with sqlite3.connect(shop.ledger) as connection:
        connection.execute(
            "INSERT INTO lock (id, token, host, boot_id, pid, started, taken_at, purpose) "
            "VALUES (1, 't', 'other-host', 'b', 4711, 'ticks:1', '2026-01-01T00:00:00Z', 'run')"
        )
    connection.close()
    held = shop.shell.run("run", export)
    assert held.code == 2
    assert "other-host" in held.json["error"]["message"]
    assert "--take-over other-host" in held.json["error"]["hint"]
    assert shop.shell.run("run", export, "--take-over", "wrong-host").code == 2
    assert not shop.held()
    done = shop.shell.run("run", export, "--take-over", "other-host")
    assert done.code == 0, done.err
    assert shop.held() == {"1001": 1, "1002": 1}


def not_sqlite(shop: SmallShop) -> None:
    shop.ledger.write_text("orders of 2010\n" * 100, "utf-8")


def another_database(shop: SmallShop) -> None:
    with sqlite3.connect(shop.ledger) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


def a_directory(shop: SmallShop) -> None:
    shop.ledger.mkdir()


def a_missing_folder(shop: SmallShop) -> None:
    shop.ledger.symlink_to(shop.folder / "nowhere" / "ledger.sqlite")


@pytest.mark.parametrize("spoil", [not_sqlite, another_database, a_directory, a_missing_folder])
def test_what_is_no_ledger_is_refused_untouched(shop: SmallShop, spoil) -> None:
    """A wrong --ledger neither destroys somebody's file nor sends anything."""
    spoil(shop)
    before = shop.ledger.read_bytes() if shop.ledger.is_file() else None
    export = shop.export(rows(1))
    for command in (["run", export], ["dry-run", export], ["status"]):
        done = shop.shell.run(*command)
        assert done.code == 2, (command, done.err)
        assert done.json["error"]["code"].startswith("ledger.")
        assert "Traceback" not in done.err
    assert not shop.held()
    assert before is None or shop.ledger.read_bytes() == before


def test_an_unwritable_ledger_sends_nothing(shop: SmallShop) -> None:
    """What can't be recorded may not be sent."""
    export = shop.export(rows(2))
    assert shop.shell.run("run", export, "--limit", "1").code == 0
    protect(shop, writable=False)
    try:
        done = shop.shell.run("run", export)
        if os.geteuid() == 0 and done.code == 0:
            pytest.skip("root writes read-only files")
        assert done.code == 2, done.err
        assert "Traceback" not in done.err
        assert shop.held() == {"1001": 1}
        assert shop.shell.run("status").json["orders"] == {"posted": 1, "ready": 1}
    finally:
        protect(shop, writable=True)
    assert shop.shell.run("run", export).code == 0
    assert shop.held() == {"1001": 1, "1002": 1}


def protect(shop: SmallShop, *, writable: bool) -> None:
    """Takes the right to write ledger and folder away; immutable where the user is root and may do so."""
    paths = [shop.ledger, *shop.folder.glob("ledger.sqlite-*")]
    if os.geteuid() == 0:
        subprocess.run(["chattr", "-i" if writable else "+i", *map(str, paths)], check=False, capture_output=True)
    for path in paths:
        path.chmod(0o600 if writable else 0o400) if writable or os.geteuid() else None
    shop.folder.chmod(0o700 if writable else 0o500)


def test_a_full_disk_stops_the_run_and_loses_nothing(shop: SmallShop) -> None:
    """The intent could not be written, so nothing was sent; with room again every order is posted once."""
    export = shop.export(rows(120))
    assert shop.shell.run("dry-run", export).code == 0
    room = shop.ledger.stat().st_size + 60_000

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(
        shop.shell.command("run", export),
        cwd=shop.folder,
        env=shop.shell.environment(),
        capture_output=True,
        text=True,
        preexec_fn=limited,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert max(shop.held().values(), default=1) == 1
    again = shop.shell.run("run", export)
    assert again.code == 0, again.err
    assert shop.held() == {str(number): 1 for number in range(1001, 1121)}
    states = again.json["orders"]
    assert states["posted"] + states["already_posted"] + states["recovered"] == 120


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is small; skips where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(disk)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("can't mount a file system here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_in_the_middle_of_a_run(shop: SmallShop, small_disk: Path) -> None:
    """The ledger's own disk: what can't be recorded is not sent, every command says full, with room all is there once."""
    export = shop.export(rows(300))
    ledger = ("--ledger", small_disk / "ledger.sqlite")
    assert shop.shell.run(*ledger, "run", export, "--limit", "5").code == 0
    done = shop.shell.run(*ledger, "run", export)
    assert done.code == 2
    assert 5 < len(shop.held()) < 300
    assert set(shop.held().values()) == {1}
    with suppress(OSError), (small_disk / "other").open("wb") as stream:
        while True:
            stream.write(bytes(4096))
    for words in (["run", export], ["undo", "--only", "1001", "--yes"], ["recover"]):
        told = shop.shell.run(*ledger, *words)
        assert (told.code, "full" in told.err or "Make room" in told.err) == (2, True), told.err
    assert shop.shell.run(*ledger, "next", export).code == 0
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert shop.shell.run(*ledger, "run", export).code == 0
    assert shop.held() == {str(number): 1 for number in range(1001, 1301)}
    found = shop.shell.run(*ledger, "reconcile")
    assert (found.code, found.json["orders"]["matched"]) == (0, 300)


# Lost, old and copied ledgers


def lose(shop: SmallShop) -> None:
    """The ledger is gone, with everything that belongs to it."""
    for path in shop.folder.glob("ledger.sqlite*"):
        path.unlink()


def test_a_lost_ledger_is_noticed_and_recovered(shop: SmallShop) -> None:
    """Without its ledger a run would charge every guest again."""
    export = shop.export([*rows(4), row(1009, country="CH")])
    assert shop.shell.run("run", export, "--limit", "3").code == 3
    lose(shop)
    blind = shop.shell.run("run", export)
    assert blind.code == 2, blind.err
    assert "recover" in blind.err
    assert sum(shop.held().values()) == 3
    recovered = shop.shell.run("recover")
    assert recovered.code == 0, recovered.err
    assert recovered.json["found"] == 3
    assert shop.shell.run("status").json["orders"]["posted"] == 3
    dry = shop.shell.run("dry-run", export)
    assert (dry.json["orders"]["already_posted"], dry.json["orders"]["ready"]) == (3, 1)
    done = shop.shell.run("run", export)
    assert done.code == 3, done.err
    orders = done.json["orders"]
    assert (orders["posted"], orders["already_posted"], orders["recovered"], orders["blocked"]) == (1, 3, 0, 1)
    assert shop.held() == {str(number): 1 for number in range(1001, 1005)}
    status = shop.shell.run("status").json["orders"]
    assert status == {"posted": 4, "blocked": 1}
    report = shop.shell.run("report", "--report", shop.folder / "report")
    assert report.code == 0, report.err
    assert report.json["orders"]["read"] == 5
    (total,) = report.json["totals"]
    assert total["posted"] == f"{shop.held_sum():.2f}"
    matched = shop.shell.run("reconcile")
    assert matched.json["orders"]["matched"] == 4, matched.err


def test_an_old_copy_of_the_ledger_is_noticed(shop: SmallShop) -> None:
    """A ledger from last week's backup holds as unsent what was sent since."""
    export = shop.export(rows(4))
    assert shop.shell.run("run", export, "--limit", "1").code == 0
    with sqlite3.connect(shop.ledger) as live, sqlite3.connect(shop.folder / "backup.sqlite") as copy:
        live.backup(copy)
    live.close()
    copy.close()
    assert shop.shell.run("run", export).code == 0
    lose(shop)
    (shop.folder / "backup.sqlite").rename(shop.ledger)
    blind = shop.shell.run("run", export)
    assert blind.code == 2, blind.err
    assert "recover" in blind.err
    assert shop.shell.run("recover").json["found"] == 3
    done = shop.shell.run("run", export)
    assert done.json["orders"]["already_posted"] == 4, done.err
    assert shop.held() == {str(number): 1 for number in range(1001, 1005)}


@pytest.mark.parametrize(
    "command", [["status"], ["report", "--report", "r"], ["reconcile"], ["settle", "1", "--absent"]]
)
def test_without_a_ledger_readers_say_so(shop: SmallShop, command: list[str]) -> None:
    """A mistyped --ledger is a sentence, and no empty ledger is left behind."""
    done = shop.shell.run(*command)
    assert done.code == 2, done.err
    assert "ledger" in done.json["error"]["message"]
    assert not shop.ledger.exists()


@pytest.mark.parametrize("command", ["dry-run", "run"])
def test_a_full_temporary_folder_is_no_internal_error(shop: SmallShop, command: str) -> None:
    """The plan of a large history met a small /tmp: exit code 2 and TMPDIR named, with nothing sent."""
    export = shop.export(rows(3000))
    script = f"ulimit -f 1024; exec {shlex.join(map(str, shop.shell.command(command, export)))}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=shop.folder,
        env=shop.shell.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "spill.unusable"
    assert "TMPDIR" in error["hint"]
    assert not shop.held()
