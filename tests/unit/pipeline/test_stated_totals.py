"""What leads from the source without tax to the shop's own totals, per currency."""

from __future__ import annotations

from decimal import Decimal as D

from etl.pipeline.stated_totals import StatedTotals, in_words


def test_the_tax_between_source_and_total_is_told_per_currency() -> None:
    """Orders of which either is unknown are in neither sum."""
    stated = StatedTotals()
    for currency, source, total in (
        ("EUR", D("100.00"), D("119.00")),
        ("EUR", D("1000.00"), D("1190.00")),
        ("EUR", None, D("5.00")),
        ("EUR", D("5.00"), None),
        ("SEK", D("10.00"), D("12.50")),
        ("CHF", D("10.00"), D("10.00")),
    ):
        stated.add(currency, source, total)
    assert stated.document() == [
        {
            "currency": "EUR",
            "basis": "net",
            "orders": 2,
            "source": "1100.00",
            "tax": "209.00",
            "order_total": "1309.00",
        },
        {"currency": "SEK", "basis": "net", "orders": 1, "source": "10.00", "tax": "2.50", "order_total": "12.50"},
    ]
    assert in_words(stated.document())[0] == (
        "The shop's own totals: 1,309.00 EUR with tax in 2 orders, of which 1,100.00 are the source, without tax, and 209.00 tax."
    )
