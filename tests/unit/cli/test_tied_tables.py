"""What a process draws that another one started for its own purposes: no tables, which nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.cli.console import Console
from etl.settings import TIED, Settings


@pytest.mark.parametrize("tied", [False, True])
def test_tables_are_for_people(tied: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its sentences, which tell why it ended, and its document stay."""
    monkeypatch.setenv(TIED, "1" if tied else "")
    console = Console(Settings(Path("mappings"), "ledger.sqlite", json=True))
    console.table("Orders", ["state", "orders"], [["posted", 200]])
    console.text("200 orders are posted.")
    console.result({"orders": 200})
    told = capsys.readouterr()
    assert ("posted" in told.err.replace("are posted", "")) is not tied
    assert "200 orders are posted." in told.err
    assert '"orders": 200' in told.out
