"""What to do about gift cards that the enterprise does not take: nothing that a row of payments.csv could change."""

from __future__ import annotations

from etl.model.rules import GIFT_CARDS, PaymentType
from etl.pipeline.causes import ASK_MEWS, DECISIONS


def test_a_gift_card_that_mews_does_not_take_leads_to_the_voucher() -> None:
    """Its type is fixed; a method's type stands in payments.csv."""
    assert DECISIONS[GIFT_CARDS.code].file == "vouchers.csv"
    assert DECISIONS[PaymentType("Bacs", "payments.csv, row 2").code].file == "payments.csv"
    assert {GIFT_CARDS.code, PaymentType("Bacs", "").code} <= ASK_MEWS
