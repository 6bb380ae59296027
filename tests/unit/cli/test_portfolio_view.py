"""A line per property: when it ends, every ten seconds, and the log of its process under its name."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from etl.cli.console import Console
from etl.cli.portfolio_view import View, watched
from etl.settings import Settings

PLAIN = Settings(Path("mappings"), "ledger.sqlite")


def told(view: View) -> None:
    view.tell("bath", {"event": "state", "message": "run: starting"})
    view.tell("bath", {"event": "progress", "message": "post: 3 of 9 orders (33.3 %)"})
    view.tell("dover", {"event": "state", "message": "run: done: 9 posted", "ended": True})
    view.tell("bath", {"event": "mews.slow", "level": "warning", "timestamp": "x", "seconds": 3})


def test_without_a_terminal_lines_come_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    view = View(Console(PLAIN), ["bath", "dover", "hull"])
    with watched(Console(PLAIN), view, every=0.05):
        told(view)
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["dover: run: done: 9 posted", "bath: [warning] mews.slow seconds=3"]
    assert "bath: run: post: 3 of 9 orders (33.3 %)" in lines[2:]
    assert "hull: waits for its turn" in lines[2:]
    assert not any(line.startswith("dover") for line in lines[2:]), "what has ended is told once"


def test_as_a_log_every_line_is_a_record_with_its_property(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(replace(PLAIN, log_format="json"))
    view = View(console, ["bath", "dover"])
    told(view)
    view.write_all()
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one.get("property"), one["event"]) for one in records] == [
        ("dover", "progress"),
        ("bath", "mews.slow"),
        (None, "progress"),
        ("bath", "progress"),
    ]
    assert records[2]["message"] == "2 properties: 1 ended, 1 under way"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(replace(PLAIN, quiet=True))
    view = View(console, ["bath", "dover"])
    with watched(console, view, every=0.01):
        told(view)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_what_is_under_way_stands_first() -> None:
    view = View(Console(replace(PLAIN, quiet=True)), ["dover", "hull", "bath"])
    told(view)
    lines = str(view.shown(24)).splitlines()
    assert lines[0] == "3 properties: 1 ended, 1 under way, 1 waiting"
    assert [line.split()[0] for line in lines[1:]] == ["bath", "hull", "dover"]


def test_of_a_hundred_a_terminal_shows_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    """What ended not well is seen whatever is under way; the sum stands above; what does not fit is counted."""
    names = [f"hotel-{number:03}" for number in range(100)]
    view = View(Console(PLAIN), names)
    for name in names[:70]:
        view.tell(name, {"event": "state", "message": "run: starting"})
    for name in names[:20]:
        view.tell(name, {"event": "state", "message": "run: done", "ended": True, "code": 0})
    view.tell("hotel-060", {"event": "state", "message": "run: refused", "ended": True, "code": 2})
    lines = str(view.shown(24)).splitlines()
    assert len(lines) == 23, "the last line is the cursor's"
    assert lines[0] == "100 properties: 21 ended (1 not well), 49 under way, 30 waiting"
    assert lines[1] == "hotel-060  run: refused"
    assert lines[2] == "hotel-020  run: starting"
    assert lines[-1].split() == ["and", "79", "more"]
    capsys.readouterr()
    view.write_all()
    assert capsys.readouterr().err.splitlines() == [lines[0]]
