"""Amounts carry the decimals of their currency: none for the yen, three for the dinar."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

import etl
from etl.model.money import about_text, about_words, money_text, usual_digits
from etl.model.plan import Basis
from etl.model.states import State
from etl.reconcile.bridge import Bridge, Shown
from etl.reconcile.notebook import Sighting
from etl.reconcile.presence import Held, judge
from etl.report.summary import Summary

ETL = Path(etl.__file__).parent


def a_sighting(currency: str, amount: str, generation: int = 1) -> Sighting:
    return Sighting("7", generation, "order", f"o-{generation}", 1, Decimal(amount), currency, Decimal(amount))


@pytest.mark.parametrize(
    ("currency", "precisions", "amount", "text"),
    [
        ("JPY", {"JPY": 0}, "1200", "1200"),
        ("JPY", {}, "1200.0", "1200"),
        ("JPY", {}, "1200.5", "1200.5"),
        ("KWD", {}, "1.5", "1.500"),
        ("GBP", {}, "12", "12.00"),
        # Mews's word counts before the standard's.
        ("HUF", {"HUF": 0}, "1200", "1200"),
        ("HUF", {}, "1200", "1200.00"),
    ],
)
def test_the_bridge(currency: str, precisions: dict[str, int], amount: str, text: str) -> None:
    """Its lines, those of nothing too."""
    bridge = Bridge(Basis.GROSS, precisions)
    bridge.add_unknown(Shown(None, (a_sighting(currency, amount),)))
    shown = {row["line"]: row["amount"] for row in bridge.finish()}
    assert shown["items in Mews"] == text
    assert shown["source"] == money_text(Decimal(0), precisions.get(currency, usual_digits(currency)))


def test_the_minus_of_nothing_is_dropped() -> None:
    """-0.00 is no amount."""
    assert money_text(Decimal("-0.00"), 0) == "0"


def test_differences() -> None:
    """What a scan met beside the ledger, in words."""
    held = {(1, "order"): Held(State.UNDONE, "o-1")}
    found = judge([a_sighting("JPY", "1200")], held, None)
    words = " ".join(f"{one.expected} {one.found}" for one in found.differences)
    assert "0 JPY" in words
    assert "1200 JPY" in words
    assert ".00" not in words


def test_no_place_takes_two_decimals_for_granted() -> None:
    """Whatever tells money asks for its currency; of what is not enabled, too."""
    taken = [
        f"{path.relative_to(ETL)}:{at}"
        for path in sorted(ETL.rglob("*.py"))
        if path.parent.name != "sandbox"
        for at, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"recisions\.get\([^()]*, 2\)|amount\w*:,?\.2f|_text\(\w+, 2\)", line)
    ]
    # Reasons of the ledger for a changed order, whose amounts have no currency beside them.
    assert [one for one in taken if not one.startswith("ledger/changes.py:")] == []


@pytest.mark.parametrize(("currency", "text", "words"), [("JPY", "1235", "1,235"), ("KWD", "1234.568", "1,234.568")])
def test_what_is_at_stake_is_rounded(currency: str, text: str, words: str) -> None:
    """Revenue of unit prices with many decimals is for the eye."""
    amount = Decimal("1234.5678")
    assert (about_text(amount, currency), about_words(amount, currency)) == (text, words)


def test_a_report_of_yen_that_are_not_enabled() -> None:
    """Mews has told no precision of them."""
    summary = Summary()
    assert summary.text(Decimal(1200), "JPY") == "1200"
    summary.precisions = {"JPY": 1}
    assert summary.text(Decimal(1200), "JPY") == "1200.0"
