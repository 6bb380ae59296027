"""What becomes of a property's task on a cluster: handed in again where it was lost, told where nothing more can be done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("distributed")

from distributed import CancelledError
from distributed.scheduler import KilledWorker

from etl.cli.portfolio import _far
from etl.errors import ExitCode, UsageError
from etl.portfolio import cluster
from etl.portfolio.cluster import Cluster, Task, connected, work
from etl.portfolio.file import Property
from etl.portfolio.place import Orders
from etl.portfolio.process import Ended

ORDERS = Orders("run", None, "warning")
DONE = Ended(ExitCode.DONE, {})
RIGHT = "postgresql+psycopg://db/bath"


def prop(ledger: str = RIGHT) -> Property:
    return Property("bath", "bath", (Path("x.csv"),), Path("m"), ledger, "", "C", "A", "", ())


@dataclass
class FakeFuture:
    """A task that ended: with a result, with a fault of its own, or lost."""

    end: Ended | BaseException | None

    @property
    def status(self) -> str:
        if self.end is None or isinstance(self.end, CancelledError):
            return "cancelled"
        return "error" if isinstance(self.end, BaseException) else "finished"

    def done(self) -> bool:
        return self.end is not None

    def cancel(self) -> None:
        self.end = CancelledError("x")

    def exception(self, timeout: float) -> Any:
        return self.end

    def result(self, timeout: float) -> Any:
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


@dataclass
class FakeClient:
    """A scheduler that ends tasks as it is told, in order."""

    ends: list[Ended | BaseException | None]
    status: str = "running"
    keys: list[str] = field(default_factory=list)
    handed: list[Task] = field(default_factory=list)
    ran: list[Callable[[], None]] = field(default_factory=list)

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        self.handler = handler

    def submit(self, function: Any, task: Task, *, key: str, pure: bool, retries: int) -> FakeFuture:
        assert (function, pure) == (work, False)
        self.keys.append(key)
        self.handed.append(task)
        return FakeFuture(self.ends.pop(0))

    def run(self, function: Callable[[], None], on_error: str) -> None:
        self.ran.append(function)

    def close(self) -> None:
        self.status = "closed"


def placed(monkeypatch: pytest.MonkeyPatch, *ends: Ended | BaseException | None) -> tuple[Cluster, FakeClient]:
    client = FakeClient(list(ends))
    monkeypatch.setattr(cluster, "Client", lambda *_, **__: client)
    monkeypatch.setattr(cluster, "_LOOK", 0.01)
    made = connected("tcp://x:1", ORDERS, Path("portfolio.toml"), (prop(),), lambda *_: None)
    return made, client


def test_what_was_lost_is_handed_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that came back cancels what it does not know: twice lost, then done, under a key of its own each time."""
    place, client = placed(monkeypatch, CancelledError("a"), CancelledError("b"), DONE)
    told: list[str] = []
    assert place.do(prop(), "run", lambda _, record: told.append(record["message"])) == DONE
    assert len(set(client.keys)) == 3
    assert told.count("run: waits for the scheduler") == 2
    assert client.handed[0].whose.exports[0].is_absolute()
    assert client.handed[0].hidden == {"C", "A"}
    place.close()


def test_a_scheduler_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    place, client = placed(monkeypatch, *[CancelledError("a")] * 50)
    place.patience = 0.02
    with pytest.raises(UsageError, match="can't be reached") as caught:
        place.do(prop(), "run", lambda *_: None)
    assert caught.value.code == "portfolio.scheduler"
    assert len(client.keys) > 1


def test_a_second_loss_hours_later_is_waited_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience counts from when the scheduler went, not from the first time that it ever did."""
    place, client = placed(monkeypatch, *[CancelledError("a")] * 3, DONE)
    now = [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    outcome = place._outcome

    def hours(one: Property, task: Task) -> Ended:
        now[0] += 7200
        return outcome(one, task)

    monkeypatch.setattr(place, "_outcome", hours)
    assert place.do(prop(), "run", lambda *_: None) == DONE
    assert len(client.keys) == 4


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (KilledWorker("run-bath", SimpleNamespace(address="tcp://w:1"), 3), "was lost"),
        (ModuleNotFoundError("No module named 'etl'"), "different programs"),
    ],
)
def test_a_task_that_no_worker_can_do_is_told(monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str) -> None:
    place, _ = placed(monkeypatch, fault)
    with pytest.raises(UsageError, match=words) as caught:
        place.do(prop(), "run", lambda *_: None)
    assert caught.value.code == "portfolio.workers"


def test_a_process_that_cannot_be_started_stays_one_propertys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Dask's own retries."""
    place, _ = placed(monkeypatch, BlockingIOError(11, "Resource temporarily unavailable"))
    with pytest.raises(OSError, match="Resource"):
        place.do(prop(), "run", lambda *_: None)


def test_after_ctrl_c_what_did_not_begin_is_taken_back_and_what_did_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, client = placed(monkeypatch, None, None)
    place.stop()
    assert place.do(prop(), "run", lambda *_: None).exit_code is ExitCode.INTERRUPTED
    future = FakeFuture(None)
    monkeypatch.setattr(client, "submit", lambda *_, **__: future)

    def told(_: str, record: dict[str, Any]) -> None:
        # The worker says that it began, and has ended a moment later.
        client.handler((0.0, {"property": "bath", "record": {"event": "state", "message": "run: starting"}}))
        future.end = Ended(ExitCode.INTERRUPTED, {"orders": {}})

    assert place.do(prop(), "run", told).document == {"orders": {}}
    for _ in range(200):
        if client.ran:
            break
        cluster.time.sleep(0.01)
    assert client.ran, "the workers are told"


def test_ledgers_that_are_files_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="a file has: bath") as caught:
        connected("tcp://x:1", ORDERS, Path("p"), (prop("bath.sqlite"),), lambda *_: None)
    assert caught.value.code == "portfolio.scheduler"


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "etl.portfolio.cluster", None)
    with pytest.raises(UsageError, match="extra dask") as caught:
        _far("tcp://x:1", ORDERS, Path("p"), (prop(),), None)  # type: ignore[arg-type]
    assert "centra-mews[dask,postgres]" in caught.value.hint


def test_a_worker_of_another_version_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "get_worker", lambda: SimpleNamespace(log_event=lambda *_: None))
    task = Task(prop(), "run", ORDERS, Path("p.toml"), frozenset(), "batch", version="0.0.1")
    ended = work(task)
    assert (ended.exit_code, ended.document["error"]["code"]) == (ExitCode.USAGE, "portfolio.workers")


def test_a_worker_looks_for_tokens_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the names in the task; what it has not is told by name, and nothing is started."""
    monkeypatch.setattr(cluster, "get_worker", lambda: SimpleNamespace(log_event=lambda *_: None))
    monkeypatch.setenv("C", "of the worker")
    monkeypatch.setenv("MEWS_PLATFORM_ADDRESS", "http://127.0.0.1:1")
    task = Task(prop(), "preflight", Orders("preflight", None, "warning"), tmp_path / "p.toml", frozenset(), "batch")
    ended = work(task)
    assert ended.document["error"]["code"] == "connection.missing"
    assert "A is not set" in ended.document["error"]["message"]
    assert "of the worker" not in str(ended)
