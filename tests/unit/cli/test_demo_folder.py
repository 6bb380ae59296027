"""A second demo replaces what the first one left, and says so; what somebody went on with stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.cli import demo
from etl.cli.console import Console
from etl.settings import Settings


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    return Console(Settings(Path("mappings"), "ledger.sqlite"))


def end_of_demo(folder: Path) -> None:
    (folder / demo._MARK).write_text(demo._look(folder), "utf-8")


def test_what_the_last_demo_left_is_made_anew_and_said(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    folder = demo._make_folder(console)
    assert folder == Path("centra-mews-demo")
    assert capsys.readouterr().err == ""
    (folder / "ledger.sqlite").write_text("posted")
    end_of_demo(folder)
    (folder / "ledger.sqlite-shm").touch()
    assert demo._make_folder(console) == folder
    assert "is made anew" in capsys.readouterr().err
    assert not (folder / "ledger.sqlite").exists()


def test_a_folder_that_was_gone_on_with_stays(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    folder = demo._make_folder(console)
    (folder / "ledger.sqlite").write_text("posted")
    end_of_demo(folder)
    (folder / "ledger.sqlite").write_text("posted, and more of mine")
    other = demo._make_folder(console)
    assert other == Path("centra-mews-demo-2")
    told = capsys.readouterr().err
    assert "stays as it is" in told
    assert "takes centra-mews-demo-2" in told
    assert (folder / "ledger.sqlite").read_text() == "posted, and more of mine"
    end_of_demo(other)
    assert demo._make_folder(console) == other


def test_a_demo_that_was_interrupted_left_nothing_to_go_on_with(console: Console) -> None:
    folder = demo._make_folder(console)
    (folder / "half").touch()
    assert demo._make_folder(console) == folder
