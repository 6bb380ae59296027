"""The kinds of cells: how the text of each is read, for exports and mapping tables alike."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How the text of a cell is read."""

    ORDER_NUMBER = "order number"
    TEXT = "text"
    DATE = "date"
    AMOUNT = "amount"
    VOUCHER = "voucher amount"
    PERCENT = "percent"
    QTY = "quantity"
    ID = "id"
    KEY = "key"
    SKU = "SKU"
    EAN = "EAN"
    COUNTRY = "country"
    CURRENCY = "currency"
    STATUS = "status"
    STATUS_NUMBER = "status number"
    STORE = "store type"
    EMAIL = "e-mail"
    BOOL = "yes or no"
    BUNDLE = "bundle"
    PAYMENT_STATUS = "payment status"
    ORIGIN = "origin"
    SWITCH = "switch or amount"


NUMERIC = frozenset({Kind.AMOUNT, Kind.VOUCHER, Kind.PERCENT, Kind.QTY, Kind.SWITCH})
"""Kinds that are read in the file's number style."""

NESTED_FIELDS: tuple[str, ...] = (
    *("products", "products.bundle", "returns", "returns.products", "taxBreakdown"),
    *("discounts", "discounts.vouchers", "discounts.automaticDiscounts"),
    *(f"returns.{name}" for name in ("returnId", "completed", "date", "returnCost", "shippingCost", "handlingCost")),
    *(f"returns.{name}" for name in ("voucherValue", "currency", "comment")),
    *(f"returns.products.{name}" for name in ("returnLineId", "orderLineId", "quantity", "price")),
    *(f"taxBreakdown.{name}" for name in ("taxPercent", "value", "description")),
    *(f"discounts.vouchers.{name}" for name in ("voucher", "name", "priceOffAsANumber", "isCredit")),
    *(f"discounts.automaticDiscounts.{name}" for name in ("name", "priceOffAsANumber")),
)
"""Lists of an order object, and the fields in them: what columns.csv may name besides columns. Rule: get-orders."""
