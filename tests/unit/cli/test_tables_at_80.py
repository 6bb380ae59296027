"""The tables of plans and runs on a terminal of 80 columns: figures whole, errors apart from notices, plurals right."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from report_samples import order_statuses, summary_of

from etl.cli import reconcile, show
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
    # Mews's words are a sentence, broken between words where a terminal is at the other end.
    lines = [line for line in shown_lines(capsys) if "in Mews's words" not in line]
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


@pytest.mark.parametrize(("count", "words"), [(1, "1 order is within"), (1200, "1,200 orders are within")])
def test_bills_of_the_window_are_counted_in_words(
    console: Console, capsys: pytest.CaptureFixture[str], count: int, words: str
) -> None:
    """On the outlet route nothing is too old; what is within the window is told as such."""
    feasible = {"route": "outlet", "told": "", "at_their_own_date": count}
    show._dates(console, {"orders": {"read": count}, "feasibility": feasible})
    assert shown_lines(capsys) == [f"{words} the editable window, none is older."]


def test_reconciles_tables_group_their_digits_and_fit(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """628199.00 beside 628,199.00 is read twice; an item's whole identifier and two ids leave no room for what differs."""
    document = {
        "bridge": [
            {"currency": "GBP", "basis": "gross", "line": "source", "amount": "12748957.02"},
            {"currency": "GBP", "basis": "gross", "line": "ready", "amount": "-628199.00"},
            {"currency": "GBP", "basis": "gross", "line": "items in Mews", "amount": "12120758.02"},
        ],
        "payments": [{"kind": "credits", "currency": "GBP", "amount": "1052.98"}],
        "source": {"unreadable_totals": 1},
        "not_in_mews": [{"state": "ready", "orders": 1689, "currency": "GBP", "basis": "gross", "amount": "628199.00"}],
        "orders": {"matched": 25801, "missing": 0},
        "foreign_orders": 1200,
        "certificate": {"route": "orders", "sums": [{"currency": "GBP", "ledger": {"gross": "12120758.02"}, "mews": {"gross": "12120758.02"},
                                  "difference": {"gross": "0.00"}}], "statement": "Not complete."},
        "differences": [{"order": "48048", "class": "different", "mews_order_id": "b5c25d42-9626-48c4-b44a-f454f0a61c5e",
                         "what": "amount", "item": "centra:sample:48048:p1", "expected": "66.00 GBP", "found": "67.00 GBP"}],
        "left_out": 0,
        "controls": [{"month": "2024-05", "currency": "GBP", "figure": "total", "control": "1000.00", "ledger": "1234567.00",
                      "mews": "1234567.00", "difference": "1233567.00"}],
        "notices": [],
        "unsettled": {"in_flight": 0, "in_progress": False, "unknown": 1, "seen_in_mews": 1},
    }  # fmt: skip
    reconcile._show(console, document)
    lines = shown_lines(capsys)
    text = "\n".join(lines)
    # Sentences are wrapped on a real terminal only.
    assert max(len(line) for line in lines if line.startswith(" ")) <= 80
    for amount in ("12,748,957.02", "-628,199.00", "1,052.98", "12,120,758.02", "1,233,567.00", "25,801"):
        assert amount in text
    assert not re.search(r"\d{4,}\.\d\d", text)
    assert "1 order without a readable total is in no sum." in text
    assert "1 order is unknown, 1 of them seen in Mews just now" in text
    assert any(line.split()[:3] == ["48048", "amount", "p1"] for line in lines)


def test_no_colour_where_it_is_not_wanted(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """NO_COLOR is a promise (no-color.org)."""
    show.totals(console, summary_of(order_statuses(40)).document("run")["totals"])
    assert not re.search(r"\x1b\[[0-9;]*3\d", capsys.readouterr().err)


@pytest.mark.parametrize(
    "line",
    [
        f'  expect = "sha256:{"8079dc92" * 8}"',
        "  export MEWS_PLATFORM_ADDRESS=http://127.0.0.1:8099/a/path/that/is/longer/than/the/terminal/is",
        f"  $ centra-mews run orders.csv --expect sha256:{'8079dc92' * 8}",
    ],
)
def test_what_is_to_be_pasted_is_never_broken(
    line: str, console: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portfolio whose `expect` stands on two lines can't be read."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console.text(line)
    assert shown_lines(capsys) == [line]
