"""The tables of plans and runs on a terminal of 80 columns: figures whole, errors apart from notices, plurals right."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from report_samples import order_statuses, summary_of

from etl.cli import show
from etl.cli.console import Console
from etl.model.problem import Problem, notice
from etl.model.status import OrderStatus, ReportState
from etl.settings import Settings

_FIGURE = re.compile(r"-?\d[\d,]*\.\d+")


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of 80 columns, without colours."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    return Console(Settings(Path("mappings"), "ledger.sqlite"))


def shown_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().err.splitlines()]


def large(document: dict, factor: int) -> dict:
    """The same document with amounts of a large chain."""
    for row in (*document["totals"], *document["states"]):
        for name, amount in row.items():
            if _FIGURE.fullmatch(amount):
                row[name] = f"{Decimal(amount) * factor:.2f}"
    return document


@pytest.mark.parametrize("factor", [1, 10_000])
def test_no_figure_is_broken_over_two_lines(console: Console, capsys: pytest.CaptureFixture[str], factor: int) -> None:
    """206, on one line and 633.63 on the next is no amount."""
    document = large(summary_of(order_statuses(400)).document("run"), factor)
    show.states(console, document)
    show.totals(console, document["totals"])
    show.problems(console, document["problems"])
    lines = shown_lines(capsys)
    assert max(len(line) for line in lines if _FIGURE.search(line)) <= 80
    text = "\n".join(lines)
    for row in document["totals"]:
        for name in ("source", "planned", "posted"):
            assert f"{Decimal(row[name]):,f}" in text, (name, row[name])
    for row in document["states"]:
        assert f"{Decimal(row['source']):,f}" in text


def test_codes_are_whole_and_errors_stand_apart(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """A code is typed into waivers.csv and looked up in docs/problems.md; and a notice holds nothing back."""
    orders = [
        OrderStatus("1", ReportState.BLOCKED, "GBP", source_total=Decimal(5), problems=(Problem("shipping.tax_undecided", "1"),)),
        OrderStatus("2", ReportState.BLOCKED, "GBP", source_total=Decimal(-7), problems=(Problem("shipping.tax_undecided", "2"),)),
        OrderStatus("3", ReportState.READY, "GBP", source_total=Decimal(9), problems=(notice("quantity.negative", "", order="3"),)),
    ]  # fmt: skip
    show.problems(console, summary_of(iter(orders)).document("run")["problems"])
    lines = shown_lines(capsys)
    at = {word: next(index for index, line in enumerate(lines) if word in line) for word in ("Errors", "Notices")}
    code = next(line for line in lines if line.strip().startswith("shipping.tax_undecided") and "5.00 GBP" in line)
    assert "-7.00 GBP" in code
    assert at["Errors"] < lines.index(code) < at["Notices"]
    assert any("quantity.negative" in line and "9.00 GBP" in line for line in lines[at["Notices"] :])


def test_no_colour_where_it_is_not_wanted(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """NO_COLOR is a promise (no-color.org)."""
    show.totals(console, summary_of(order_statuses(40)).document("run")["totals"])
    assert not re.search(r"\x1b\[[0-9;]*3\d", capsys.readouterr().err)
