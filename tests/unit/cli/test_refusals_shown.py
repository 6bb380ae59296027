"""What Mews refused, on the terminal: its own words, number and request, whole (design section 7.1)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from report_samples import summary_of

from etl.cli import show
from etl.cli.console import Console
from etl.ledger.kind_record import KindStanding, refusal_of
from etl.model.kinds import KindState
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.settings import Settings


def test_what_was_not_sent_tells_mewss_words_number_and_request_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Design section 7.1: the same figures stand in each of them, so none is left out, on the terminal as in the report."""
    held = KindStanding(
        "rebates", KindState.HELD, {"no": 3}, message="Amounts below 0.00 are refused.", request_id="r-9f3"
    )
    orders = [
        OrderStatus(
            str(at),
            ReportState.BLOCKED,
            "GBP",
            source_total=Decimal(1),
            problems=(Problem("kind.refused", str(at), message=refusal_of(held)),),
        )
        for at in range(2)
    ]
    document = summary_of(iter(orders)).document("run", complete=False, exit_code=3)
    (row,) = document["problems"][0]["words"]
    assert row["message"] == row["example"] == refusal_of(held)
    show.problems(Console(Settings(Path("mappings"), "ledger.sqlite")), document["problems"])
    printed = " ".join(capsys.readouterr().err.split())
    assert f"kind.refused, in Mews's words (2): {refusal_of(held)}" in printed
    assert "Mews refused 3 such orders in equal words: Amounts below 0.00 are refused. (RequestId r-9f3)" in printed


def test_of_refusals_alike_one_is_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """They differ by numbers alone; with `..` for these nobody finds the order, or the request, in Mews."""
    orders = [
        OrderStatus(
            str(at), ReportState.REJECTED, "GBP", problems=(Problem("mews.refused", str(at), message=f"No tax T{at}."),)
        )
        for at in range(3)
    ]
    show.problems(
        Console(Settings(Path("mappings"), "ledger.sqlite")), summary_of(iter(orders)).document("run")["problems"]
    )
    printed = " ".join(capsys.readouterr().err.split())
    assert "mews.refused, in Mews's words (3), for example: No tax T0." in printed
