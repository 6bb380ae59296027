"""What `status` says of one run and of several on a ledger: each tells of its own part, so the pace of all stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.cli.console import Console
from etl.cli.status import _show_progress
from etl.settings import Settings


def told(capsys: pytest.CaptureFixture[str], **changes: Any) -> list[str]:
    worker = {"host": "a", "pid": 1, "purpose": "run", "since": "2026-03-01T11:00:00Z"}
    document = {
        "workers": [worker],
        "holder": {"host": "a", "pid": 1},
        "progress": {"words": "post: 5 of 10 orders", "seconds_old": 1},
        "rate_per_second": 4.9,
        "seconds_left": 12,
    }
    if changes.pop("two", False):
        document["workers"] = [worker, {**worker, "host": "b"}]
    _show_progress(Console(Settings(Path("mappings"), "ledger.sqlite")), {**document, **changes})
    return capsys.readouterr().err.splitlines()


def test_one_run_tells_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys) == ["Now: post: 5 of 10 orders"]
    assert told(capsys, progress=None) == ["4.9 orders/s over the last minute, about 12 s left for what is ready."]


def test_several_have_a_pace_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, two=True) == [
        "Now, one of them: post: 5 of 10 orders",
        "4.9 orders/s over the last minute, by all, about 12 s left for what is ready.",
    ]


def test_a_run_that_is_over_has_no_pace(capsys: pytest.CaptureFixture[str]) -> None:
    """The last minute of it is no promise of anything."""
    assert told(capsys, workers=[], holder=None, progress=None, seconds_left=None) == []
