"""Odd values of options and arguments are refused where they are typed, before anything is read, written or connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.cli import run
from etl.cli.options import EMPTY

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NUMBER = "order number"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--mappings", "", "init", "orders.csv"], EMPTY),
        (["--mappings", "orders.csv", "inspect", "orders.csv"], "is a file, not a folder"),
        (["--mappings", "orders.csv", "next"], "is a file, not a folder"),
        (["--mappings", "a\0b", "status"], "NUL"),
        (["inspect", ""], EMPTY),
        (["inspect", "orders.csv", ""], EMPTY),
        (["dry-run", "orders.csv", "--report", ""], EMPTY),
        (["dry-run", "orders.csv", "--corrections", ""], EMPTY),
        (["report", "--report", ""], EMPTY),
        (["sandbox", "--state", ""], EMPTY),
        (["sandbox", "--write-world", ""], EMPTY),
        (["sandbox", "--world", ""], "gross-uk"),
        (["run", "orders.csv", "--expect", ""], "sha256:"),
        (["run", "orders.csv", "--expect", "4f1c"], "sha256:"),
        (["run", "orders.csv", "--only", ""], NUMBER),
        (["run", "orders.csv", "--only", "all"], NUMBER),
        (["run", "orders.csv", "--take-over", " "], "host"),
        (["undo", "--run", "", "--only", "1"], "run"),
        (["undo", "--run", "r", "--only", ""], NUMBER),
        (["undo", "--run", "r", "--order-id", "536365"], "OrderId"),
        (["undo", "--run", "r", "--take-over", ""], "host"),
        (["recover", "--take-over", ""], "host"),
        (["settle", "", "--absent"], NUMBER),
        (["settle", "536365", "--posted", "536365"], "OrderId"),
        (["settle", ID, "--posted", ""], "OrderId"),
    ],
)
def test_an_odd_value_is_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: list[str],
    told: str,
) -> None:
    """An empty one is a variable of a script that is not set: it would write into this folder, or drop the plan's check."""
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text("orderNumber\n")
    assert run(typed) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "MEWS_PLATFORM_ADDRESS" not in shown
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]
