"""Plans and reports of known exports are what they were: whatever changes them is looked at in a diff (`make golden`)."""

from __future__ import annotations

import difflib
import json
from functools import partial
from pathlib import Path

import golden
import pytest
from golden import HERE, example_hashes, month_hash, sample_plan, sample_report

HINT = "If that is meant: `make golden`, then look at every line of git diff tests/golden before you commit it."


def first_differences(wanted: str, found: str, name: str) -> str:
    """The first lines of the diff, and what to do."""
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), f"golden {name}", "now", n=0, lineterm="")
    shown = [line[:500] for _, line in zip(range(20), lines, strict=False)]
    return "\n".join([*shown, HINT])


@pytest.fixture(params=["rules", "columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the plan is made: by the rules alone, as `run` does, or plain orders by columns, as a dry run does."""
    way: str = request.param
    monkeypatch.setattr(golden, "planned", partial(golden.planned, is_fast=way == "columns"))
    return way


@pytest.mark.usefixtures("way")
def test_the_plan_of_the_samples() -> None:
    """Every sample order: verdict, fingerprint, problems and the bytes of its requests."""
    wanted, found = (HERE / "orders.txt").read_text("utf-8"), sample_plan()
    if wanted != found:
        pytest.fail(first_differences(wanted, found, "orders.txt"), pytrace=False)


def test_the_report_of_the_samples() -> None:
    """The files of a dry run's report; of page and workbook what they show."""
    found = sample_report()
    assert sorted(found) == sorted(path.name for path in (HERE / "report").iterdir())
    for name, text in found.items():
        wanted = (HERE / "report" / name).read_text("utf-8")
        if wanted != text:
            pytest.fail(first_differences(wanted, text, name), pytrace=False)


@pytest.mark.usefixtures("way")
def test_the_plans_of_the_worked_examples(shared: Path) -> None:
    """Plan id, and a hash over all that would be sent or said; examples that came since have none yet."""
    wanted, found = json.loads((HERE / "examples.json").read_text("utf-8")), example_hashes(shared)
    assert {name: found[name] for name in wanted if name in found} == wanted, HINT


@pytest.mark.slow
@pytest.mark.usefixtures("way")
def test_the_plan_of_a_real_month(shared: Path) -> None:
    """42,340 lines of December 2010."""
    assert month_hash(shared) == json.loads((HERE / "month.json").read_text("utf-8")), HINT
