"""What a person is told of where rows and entries come from, whichever way the order was planned."""

from __future__ import annotations

from etl.model.plan import BALANCE, CAPTURE
from etl.model.shares import CREDIT

PARTS = {
    "s": ("shipping", "over the goods' tax codes, or shipping.tax"),
    "h": ("handling fee", "taxed like shipping"),
    "f": ("return fee", "taxed like shipping"),
    "v": ("voucher", "over the goods' tax codes (vouchers.csv, vouchers.policy)"),
    CREDIT: ("gift card or credit", "always a payment of its bill"),
    CAPTURE: ("capture", 'outlet.payments = "captures"'),
    BALANCE: ("the rest of the bill, assumed to be paid", 'outlet.payments = "balance"'),
}
"""Where entries that no row stands for come from, and by which rule, by the letters of their line."""
ONE_NUMBER = ("These rows are one order because they carry the order number ", ".")
"""What makes rows one order that stand in one file, before and after its number."""


def short_rule(rule: str) -> str:
    """Where a rule stands, without the folder of the mapping."""
    return rule.replace("\\", "/").rpartition("/")[2]
