"""Where the requests of a token are counted: beside the ledger, however its file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.mews.clock import SystemClock
from etl.mews.secrets import Tokens
from etl.pipeline import connect


@pytest.mark.parametrize("prefix", ["", "sqlite:///", "sqlite+pysqlite:///"])
def test_a_file_is_the_same_by_path_and_by_url(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """A URL is read once, by the ledger's own rule: a driver in it names no other place."""
    asked: list[Path | None] = []
    monkeypatch.setattr(connect, "shared_slots", lambda *_, clock, beside: asked.append(beside))
    connect._slots(f"{prefix}/some/where/ledger.sqlite", "http://127.0.0.1:1", Tokens("a", "b"), SystemClock())
    assert asked == [Path("/some/where/ledger.sqlite.limiter")]
