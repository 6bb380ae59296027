"""The portfolio as tasks on a local cluster of Dask with ledgers in PostgreSQL: whoever dies, every order once."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from cli_run import Done, Shell
from pg_cluster import Cluster
from small_shop import SmallShop, check_counts, open_shop, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import RunningSandbox, running_sandbox
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

NAMES = ("bath", "dover", "hull")
ORDERS = 24


@dataclass
class Dask:
    """A scheduler and its workers, each a process of its own with one thread for each property."""

    folder: Path
    environment: dict[str, str]
    port: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, name: str, *words: str) -> None:
        command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def scheduler(self) -> None:
        if not self.port:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                self.port = int(taken.getsockname()[1])
        self.start(
            "scheduler",
            "dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--no-dashboard",
            "--no-show",
        )

    def worker(self, name: str) -> None:
        # A second one of that name takes the first one's place.
        self.end(name)
        self.start(name, "dask_worker", self.address, "--nthreads", "3", "--no-nanny", "--no-dashboard", "--name", name)

    def end(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def has_under_way(self, name: str) -> bool:
        """Whether a worker has processes of the program."""
        return bool(psutil.Process(self.processes[name].pid).children())


@dataclass
class Group:
    folder: Path
    shops: dict[str, SmallShop]
    dask: Dask
    mews: RunningSandbox
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "etl", "--json", "portfolio", "portfolio.toml", *words]
        environment = {**Shell(self.folder).environment(), "MEWS_PLATFORM_ADDRESS": self.mews.url}
        process = subprocess.Popen(
            argv, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.started.append(process)
        return process

    def run(self, *words: str) -> Done:
        return ended(self.start(*words, "--scheduler", self.dask.address))

    def sent(self) -> int:
        return sum(len(one.held()) for one in self.shops.values())

    def check(self) -> None:
        """Every order of every shop is there once."""
        for shop in self.shops.values():
            assert shop.held() == {str(1001 + at): 1 for at in range(ORDERS)}
        assert self.mews.sandbox.duplicates() == {}


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=200)
    return Done(process.returncode, out, err)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@pytest.fixture
def group(postgres: Cluster, tmp_path: Path) -> Iterator[Group]:
    """Three hotels at a Mews that takes a while for each order; the workers alone know the tokens."""
    with running_sandbox(unlimited(), faults=[parse_fault("slow:1.0:seconds=0.3:on=orders/add")]) as mews:
        shops = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            shops[name] = open_shop(tmp_path / name, mews, f"far-{name}", concurrency=1, settle="1")
            shops[name].export(rows(ORDERS))
        number = re.sub(r"\W", "_", tmp_path.name)
        parts = [
            f'[[property]]\nname = "{name}"\nexports = ["{name}/orders.csv"]\nmapping = "{name}/mapping"\n'
            f'ledger = "{postgres.new_database(f"d_{number}_{name}")}"\nclient_token_env = "FAR_CLIENT"\n'
            f'access_token_env = "{name.upper()}_ACCESS"\n'
            for name in NAMES
        ]
        (tmp_path / "portfolio.toml").write_text("\n".join(parts), "utf-8")
        tokens = {"FAR_CLIENT": CLIENT_TOKEN, **{f"{name.upper()}_ACCESS": ACCESS_TOKEN for name in NAMES}}
        home = tmp_path / "dask"
        home.mkdir()
        environment = {**Shell(home).environment(), **tokens, "MEWS_PLATFORM_ADDRESS": mews.url}
        found = Group(tmp_path, shops, Dask(home, environment), mews)
        found.dask.scheduler()
        for name in ("one", "two"):
            found.dask.worker(name)
        yield found
        for process in found.started:
            process.kill()
            process.communicate()
        for name in list(found.dask.processes):
            found.dask.end(name)


def test_a_worker_killed_in_the_middle(group: Group) -> None:
    """kill -9 of one of two: its tasks are run again on the other, which settles what was in doubt; one report of all."""
    process = group.start("run", "--scheduler", group.dask.address, "--report", "report")
    until(lambda: group.sent() >= 10)
    victim = next(name for name in ("one", "two") if group.dask.has_under_way(name))
    group.dask.end(victim)
    done = ended(process)
    assert done.code == 0, done.err[-3000:] + done.out[-2000:]
    group.check()
    for one in done.json["properties"]:
        check_counts(one)
        assert one["orders"]["posted"] + one["orders"]["already_posted"] == ORDERS
    page = (group.folder / "report" / "index.html").read_text("utf-8")
    assert all(f'href="{name}/report.html"' in page for name in NAMES)
    logs = "".join(one.read_text() for one in (group.folder / "dask").glob("*.log"))
    assert ACCESS_TOKEN not in done.out + done.err + page + logs
    again = group.run("status")
    assert (again.code, again.json["orders"]) == (0, {"posted": 3 * ORDERS})


def test_a_scheduler_restarted(group: Group) -> None:
    """The scheduler and with it all workers die and come back: the portfolio hands in again what it had."""
    process = group.start("run", "--scheduler", group.dask.address)
    until(lambda: group.sent() >= 10)
    group.dask.end("scheduler")
    time.sleep(2)
    group.dask.scheduler()
    for name in ("one", "two"):
        group.dask.worker(name)
    done = ended(process)
    assert done.code == 0, done.err[-3000:] + done.out[-2000:]
    group.check()


def test_the_same_tasks_twice_at_once(group: Group) -> None:
    """Two portfolios of the same file: each order once, and each run tells what it sent itself."""
    several = [group.start("run", "--scheduler", group.dask.address) for _ in range(2)]
    found = [ended(process) for process in several]
    assert [one.code for one in found] == [0, 0], [one.err[-2000:] + one.out[-2000:] for one in found]
    group.check()
    assert sum(one.json["orders"]["posted"] for one in found) == 3 * ORDERS


def test_ctrl_c_reaches_the_workers_and_a_rerun_does_the_rest(group: Group) -> None:
    process = group.start("run", "--scheduler", group.dask.address)
    until(lambda: group.sent() >= 10)
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130, done.err[-3000:]
    posted = group.sent()
    assert posted < 3 * ORDERS
    assert done.json["orders"] == {**done.json["orders"], "posted": posted, "unknown": 0}
    again = group.run("run")
    assert again.code == 0, again.err[-3000:] + again.out[-2000:]
    group.check()
    assert again.json["orders"]["already_posted"] == posted


def test_what_a_cluster_cannot_do_is_told(group: Group) -> None:
    """No scheduler there; a ledger that is a file; a variable that the workers do not have."""
    text = (group.folder / "portfolio.toml").read_text("utf-8")
    refused = ended(group.start("run", "--scheduler", "tcp://127.0.0.1:9"))
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (2, "portfolio.scheduler"), refused.err
    assert "Traceback" not in refused.err
    (group.folder / "portfolio.toml").write_text(text.replace("HULL_ACCESS", "UNKNOWN_ACCESS"), "utf-8")
    done = group.run("preflight")
    assert done.code == 2
    found = {one["name"]: one for one in done.json["properties"]}
    assert "UNKNOWN_ACCESS" in found["hull"]["error"]["message"]
    assert (found["bath"]["exit_code"], found["dover"]["exit_code"]) == (0, 0)
    (group.folder / "portfolio.toml").write_text(re.sub('"postgresql[^"]*"', '"one.sqlite"', text, count=1), "utf-8")
    refused = group.run("run")
    assert refused.code == 2
    assert "bath" in refused.json["error"]["message"]
    assert group.sent() == 0
