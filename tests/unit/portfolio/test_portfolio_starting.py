"""How a property's process is started: forked or new, it is the same program with the same arguments, variables and end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from etl.errors import ExitCode
from etl.portfolio import room
from etl.portfolio.call import Call
from etl.portfolio.file import Property
from etl.portfolio.process import Ended, Process
from etl.portfolio.starting import NewInterpreter, Start, starter
from etl.version import __version__


@pytest.fixture(scope="module")
def forked() -> Start:
    return starter(["etl.cli"])


@pytest.fixture(params=["forked", "new"])
def start(request: pytest.FixtureRequest, forked: Start) -> Start:
    return forked if request.param == "forked" else NewInterpreter


def call(*arguments: str, **more: str) -> Call:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return Call(arguments, {**kept, "CENTRA_MEWS_TIED": "1", **more})


def ended(made: Call, start: Start) -> tuple[Ended, list[str]]:
    process = Process(made, lambda record: None, start)
    return process.wait(), list(process._lines)


def test_it_is_the_same_program(start: Start, tmp_path: Path) -> None:
    """A document, an exit code, and what it tells of a ledger that only its variables name."""
    found, _ = ended(call("--json", "status", CENTRA_MEWS_LEDGER=str(tmp_path / "no.sqlite")), start)
    assert found.exit_code == ExitCode.USAGE
    assert str(tmp_path / "no.sqlite") in str(found.document["error"])


def test_what_it_prints_besides_is_kept(start: Start) -> None:
    found, lines = ended(call("--quiet", "nonsense"), start)
    assert found.exit_code == ExitCode.USAGE
    assert found.document["error"]["code"] == "portfolio.no_document"
    assert any("nonsense" in line for line in lines)
    shown = start(call("--version"))
    assert shown.out.read() == f"centra-mews, version {__version__}\n"
    assert shown.wait() == 0


def test_variables_are_its_own(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this process's environment gets in but what the call names."""
    monkeypatch.setenv("CENTRA_MEWS_LEDGER", str(tmp_path / "ours.sqlite"))
    found, _ = ended(call("--json", "status"), start)
    assert "ours.sqlite" not in str(found.document)


def test_many_at_once_end_each_with_its_own_code(forked: Start) -> None:
    """multiprocessing's own look at its children, at every start, must not take another's exit code."""
    codes: list[tuple[int, int]] = []

    def one(number: int) -> None:
        process = forked(call("--version") if number % 2 else call("nonsense"))
        process.out.read()
        codes.append((number, process.wait()))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [(number, 0 if number % 2 else 2) for number in range(10)]


def test_it_is_stopped_by_a_signal_and_by_our_end(start: Start, tmp_path: Path) -> None:
    """A sandbox would run for ever: SIGTERM ends it, and so does the end of whoever started it (here: of the pipe)."""
    words = ("sandbox", "--port", "0", "--state", str(tmp_path / "state"))
    process = start(call(*words))
    assert "Sandbox" in process.err.readline()
    process.stop()
    assert process.wait() in (0, -15)
    process.stop()


SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from etl.portfolio.call import Call
from etl.portfolio.starting import Fork, starter
if __name__ == "__main__":
    start = starter(["etl.cli"])
    assert start is Fork
    process = start(Call(("--version",), {{"PATH": os.environ["PATH"]}}))
    print(process.out.read().strip(), process.wait())
"""


def test_modules_that_lie_about_are_not_loaded(tmp_path: Path) -> None:
    """A `secrets.py` in the folder of the exports is not Python's."""
    (tmp_path / "script").mkdir()
    script = tmp_path / "script" / "start.py"
    script.write_text(textwrap.dedent(SCRIPT.format(root=str(Path(room.__file__).parents[2]))), "utf-8")
    for name in ("secrets", "uuid", "click", "etl"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded what lies about')\n", "utf-8")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == f"centra-mews, version {__version__} 0\n", done.stderr
    assert "lies about" not in done.stderr


def prop(*exports: Path) -> Property:
    return Property("a", "a", exports, Path("m"), "l", "", "C", "A", "", ())


def test_memory_and_cores_say_how_many_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import psutil

    export = tmp_path / "orders.csv"
    export.write_bytes(b"x" * 1024 * 1024)
    memory = type("Memory", (), {"available": 1024 * 1024 * 1024})()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    many = [prop(export), *[prop(tmp_path / "none.csv")] * 299]
    assert room.at_once(many) == 12  # 0.8 GiB by 65 MiB
    assert room.at_once(many[:3]) == 3
    memory.available = 1024**4
    assert room.at_once(many) == 100
    memory.available = 1
    assert room.at_once(many) == 1
