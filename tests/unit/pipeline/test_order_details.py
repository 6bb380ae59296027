"""What an order of a report opens to where no plan and no attempt tells of its entries."""

from __future__ import annotations

from decimal import Decimal

from etl.pipeline.order_details import seen_entries

OBSERVED = {
    "items": [
        {"identifier": "centra:uk:1:p1", "count": 2, "net": "20.00", "gross": "23.50", "codes": ["UK-17.5%"]},
        {"identifier": "centra:uk:1:s1", "count": 1, "net": "3.00", "gross": "3.00", "codes": []},
        {"identifier": "centra:uk:1:gift1", "count": 0, "net": "-5.00", "gross": "-5.00", "payment": True},
    ]
}


def test_a_recovered_order_opens_to_what_mews_showed() -> None:
    """Nobody here predicted it, so nothing is shown as predicted; what is booked is."""
    booked = {"p1": (Decimal("20.00"), Decimal("23.50")), "s1": (Decimal("3.00"), Decimal("3.00"))}
    first, second = seen_entries(OBSERVED, booked, 2)
    assert (first.line, first.count, first.codes, first.origin) == ("p1", "2", "UK-17.5%", "found in Mews by recover")
    assert (first.net, first.tax, first.gross, first.unit) == ("", "", "", "")
    assert (first.booked_tax, first.booked_gross) == ("3.50", "23.50")
    assert (second.line, second.codes, second.booked_tax) == ("s1", "exempt", "0.00")


def test_what_is_gone_from_mews_is_not_called_booked() -> None:
    """The ledger saw it once; the read-back of now did not."""
    first, _ = seen_entries(OBSERVED, {}, 2)
    assert (first.booked_tax, first.booked_gross) == ("", "")
