"""The rounds of a portfolio: preflight of all before anything is sent, and faults that stay one property's own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from etl.errors import ExitCode
from etl.portfolio import jobs, place
from etl.portfolio.call import Call
from etl.portfolio.file import Property
from etl.portfolio.jobs import Jobs
from etl.portfolio.place import Here, Orders
from etl.portfolio.process import Ended

VALUES = {"MEWS_PLATFORM_ADDRESS": "http://127.0.0.1:1", "MEWS_CLIENT_TOKEN": "a", "MEWS_ACCESS_TOKEN": "b"}
DONE = Ended(ExitCode.DONE, {})
LOCKED = Ended(ExitCode.USAGE, {"error": {"code": "ledger.locked"}})


@dataclass
class Machine:
    """Processes that end as they are told, by ledger and command; what was started, in order."""

    ends: Mapping[tuple[str, str], list[Ended | OSError]]
    started: list[tuple[str, str]] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call, told: Any, start: Any) -> Any:
        (command,) = {"preflight", "run", "status"} & set(call.arguments)
        key = (call.environment["CENTRA_MEWS_LEDGER"], command)
        with self.guard:
            self.started.append(key)
            ends = self.ends.get(key, [DONE])
            end = ends.pop(0) if len(ends) > 1 else ends[0]
        if isinstance(end, OSError):
            raise end
        return type("Process", (), {"wait": lambda _: end, "stop": lambda _: None})()


def prop(name: str) -> Property:
    return Property(name, name, (Path("x.csv"),), Path("m"), name, "", "MEWS_CLIENT_TOKEN", "MEWS_ACCESS_TOKEN", "", ())


def ran(
    monkeypatch: pytest.MonkeyPatch,
    machine: Machine,
    command: str = "run",
    *,
    stops: bool = False,
    lock_seconds: float = 30,
) -> dict[str, tuple[str, int]]:
    monkeypatch.setattr(place, "Process", machine)
    monkeypatch.setattr(jobs, "_RETRY_SECONDS", 0.01)
    orders = Orders(command, None, "warning")
    here = Here(orders, VALUES, lock_seconds=lock_seconds)
    work = Jobs([prop("a"), prop("b"), prop("c")], orders, here, lambda *_: None, 2)
    if stops:
        work.stop()
    return {one.whose.name: (one.stage, int(one.exit_code)) for one in work.run()}


def test_all_are_preflighted_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings (3) send; what can't be used (2) does not."""
    machine = Machine({("b", "preflight"): [Ended(ExitCode.USAGE, {})], ("c", "preflight"): [Ended(ExitCode(3), {})]})
    assert ran(monkeypatch, machine) == {"a": ("run", 0), "b": ("preflight", 2), "c": ("run", 0)}
    assert {command for _, command in machine.started[:3]} == {"preflight"}
    assert sorted(machine.started[3:]) == [("a", "run"), ("c", "run")]


def test_a_process_that_cannot_be_started_is_one_propertys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({("a", "run"): [OSError(11, "Resource temporarily unavailable")]})
    assert ran(monkeypatch, machine) == {"a": ("run", 2), "b": ("run", 0), "c": ("run", 0)}


def test_a_ledger_that_the_killed_one_still_holds_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({("b", "run"): [LOCKED, LOCKED, DONE]})
    assert ran(monkeypatch, machine)["b"] == ("run", 0)
    assert machine.started.count(("b", "run")) == 3


def test_a_ledger_that_stays_held_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran(monkeypatch, Machine({("b", "run"): [LOCKED]}), lock_seconds=0.05)["b"] == ("run", 2)


def test_after_ctrl_c_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({})
    assert set(ran(monkeypatch, machine, stops=True).values()) == {("preflight", 130)}
    assert machine.started == []


def test_what_sends_nothing_needs_no_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({})
    ran(monkeypatch, machine, "status")
    assert {command for _, command in machine.started} == {"status"}
