"""The worked examples, item by item, through the real commands against the real sandbox."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_run import Shell
from example_check import (
    Example,
    check_mews,
    check_nothing_left,
    check_states,
    check_totals,
    is_same,
    report_rows,
    split_lines,
)

from etl.sandbox.core import Sandbox
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "examples"
CASES = sorted(path.parent.name for path in EXAMPLES.glob("*/expect.json")) or ["none"]


@pytest.mark.parametrize("case", CASES)
def test_example(case: str, tmp_path: Path, shared: Path) -> None:
    """A rule of sections 3 to 6, exact to the cent: the contract's own arithmetic."""
    folder = shared / "examples" / case
    expect = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
    example = Example(expect["orders"], expect["totals"], expect.get("then", []))
    export = next(folder.glob("orders.*"))
    shutil.copytree(folder / "mapping", tmp_path / "mapping")
    with running_sandbox(str(folder / "world.json")) as mews:
        shell = Shell(tmp_path, mews.url, tmp_path / "mapping")
        dry = shell.run("dry-run", export, "--report", tmp_path / "dry")
        done = shell.run("run", export, "--expect", dry.json["plan"], "--report", tmp_path / "report")
        rows = report_rows(tmp_path / "report")
        check_states(report_rows(tmp_path / "dry"), example, ready="ready")
        check_states(rows, example)
        check_totals(dry.json, example)
        check_totals(done.json, example)
        posted = example.in_state("posted", rows)
        code = 3 if example.in_state("blocked", rows) else 0
        assert (dry.code, done.code) == (code, code), done.err
        assert example.in_state("ready", report_rows(tmp_path / "dry")) == posted
        check_mews(mews.sandbox, example, posted)
        again = shell.run("run", export)
        assert (again.code, again.json["orders"]["posted"]) == (code, 0)
        assert again.json["orders"]["already_posted"] == len(posted)
        check_mews(mews.sandbox, example, posted)
        check_then(shell, export, mews.sandbox, example, posted, done.json["run_id"])


def check_then(shell: Shell, export: Path, mews: Sandbox, example: Example, posted: list[str], run: str) -> None:
    """What follows the run, in order; each step leaves the orders in a state that the next one finds."""
    generation, state = 1, "already_posted"
    for step in example.then:
        if step == "undo":
            undone = shell.run("undo", "--run", run, "--yes")
            assert undone.code == 0, undone.err
            check_nothing_left(mews, generation)
            state = "undone"
        elif step == "run":
            done = shell.run("run", export)
            assert (done.code, done.json["orders"]["posted"], done.json["orders"][state]) == (0, 0, len(posted))
        elif step == "repost":
            done = shell.run("run", export, "--repost-undone")
            assert (done.code, done.json["orders"]["posted"]) == (0, len(posted)), done.err
            check_totals(done.json, example)
            check_nothing_left(mews, generation)
            generation, state, run = generation + 1, "already_posted", done.json["run_id"]
            check_mews(mews, example, posted, generation)
            assert shell.run("reconcile").code == 0
        else:
            pytest.fail(f"the example asks for {step!r}, which nobody here knows")


def entry(line: str, unit: str) -> tuple[str, tuple[str, ...]]:
    """An entry that shows only what these checks look at."""
    return line, (unit,)


def test_the_check_of_lines_can_fail() -> None:
    """Split lines are no lines of their own, letters count, a star is any letter but one line."""
    split = split_lines([entry("p1.1", "3.33"), entry("p1.2", "3.34"), entry("f1", "1.00")])
    assert is_same(split, split_lines([entry("p2.2", "3.33"), entry("p2.1", "3.34"), entry("*1", "1.00")]))
    assert not is_same(split, split_lines([entry("p1", "3.33"), entry("p2", "3.34"), entry("f1", "1.00")]))
    assert not is_same(split, split_lines([entry("p1.1", "3.33"), entry("p1.2", "3.34"), entry("s1", "1.00")]))
    assert not is_same(split, split_lines([entry("p1.1", "3.33"), entry("p1.2", "3.34")]))
    assert not is_same(split, split_lines([entry("*1.1", "3.33"), entry("p1.2", "3.34"), entry("*2", "1.01")]))
