"""The parts nested in an order object, and the names inside each: lists of lines, vouchers, taxes, payments, returns.

Rule: the Centra contract, the tables of get-orders, get-returns and the Integration API. Names fold case on every level.
"""

from __future__ import annotations

from enum import StrEnum


class ObjectKind(StrEnum):
    """What an object inside an export is."""

    ORDER = "order"
    LINE = "product line"
    CONTENT = "bundle content"
    VOUCHER = "voucher"
    TAX = "tax breakdown"
    PAYMENT = "payment"
    RETURN = "return"
    RETURN_LINE = "returned line"


COLUMNS = frozenset({ObjectKind.ORDER, ObjectKind.LINE, ObjectKind.CONTENT})
"""Parts whose names are columns of the order; the others are records of their own."""

HOLDERS = {
    **dict.fromkeys(
        (ObjectKind.LINE, ObjectKind.VOUCHER, ObjectKind.TAX, ObjectKind.PAYMENT, ObjectKind.RETURN), ObjectKind.ORDER
    ),
    ObjectKind.CONTENT: ObjectKind.LINE,
    ObjectKind.RETURN_LINE: ObjectKind.RETURN,
}
"""What each part is nested in."""

_LINES = ("products", "lines", "lineitems", "orderlines", "orderitems", "items")
LISTS: dict[ObjectKind, dict[str, ObjectKind]] = {
    ObjectKind.ORDER: {
        **dict.fromkeys(_LINES, ObjectKind.LINE),
        "returns": ObjectKind.RETURN,
        "discounts.vouchers": ObjectKind.VOUCHER,
        "discounts.automaticdiscounts": ObjectKind.VOUCHER,
        "discountsapplied": ObjectKind.VOUCHER,
        "taxbreakdown": ObjectKind.TAX,
        "paymenthistory": ObjectKind.PAYMENT,
    },
    ObjectKind.LINE: {"bundle": ObjectKind.CONTENT},
    ObjectKind.RETURN: dict.fromkeys(_LINES, ObjectKind.RETURN_LINE),
}
"""Names of lists, folded and without underscores -> what their elements are."""

_CONTROL = "a control sum"
_INFORMATION = "information about the return"
_RETURN_NOTES = (
    *("comment", "baseCurrency", "baseCurrencyRate", "selectionId", "customerId", "marketId", "pricelistId"),
    *("shipment", "createdFrom", "creationType", "status.name", "number", "__typename", "updatedAt"),
)

KEYS: dict[ObjectKind, dict[str, str]] = {
    ObjectKind.VOUCHER: {
        **{name: name for name in ("voucher", "name", "priceOff", "priceOffAsANumber", "priceOffAsNumber", "isCredit")},
        "value": "priceOffAsANumber",
        "discount.name": "name",
        "discount.code": "voucher",
        "discount.type": "type",
    },
    ObjectKind.TAX: {name: name for name in ("description", "taxPercent", "value")},
    ObjectKind.PAYMENT: {
        **{name: name for name in ("status", "entryType", "externalReference", "value")},
        "paymentMethod.uri": "method",
        "paymentMethod": "method",
    },
    ObjectKind.RETURN: {
        **{
            name: name
            for name in (
                *("returnId", "orderId", "completed", "date", "currency"),
                *("returnCost", "shippingCost", "handlingCost", "voucherValue"),
            )
        },
        "id": "returnId",
        "order.number": "orderId",
        "isCompleted": "completed",
        "status": "status",
        "completedAt": "date",
        "createdAt": "created",
        "currency": "currency",
        "grandTotal.currency": "currency",
        "totals.returnCost": "returnCost",
        "totals.shipping": "shippingCost",
        "totals.handling": "handlingCost",
        "totals.discounts": "voucherValue",
    },
    ObjectKind.RETURN_LINE: {
        **{
            name: name
            for name in (
                *("orderLineId", "quantity", "price", "productName", "productBrand", "variantName", "size"),
                *("sku", "variantSku", "sizeSku", "ean", "upc", "taxPercent"),
            )
        },
        "orderLine.id": "orderLineId",
        "unitPrice": "price",
    },
}
"""Name in a part -> the key that it is read by; `.value` and `.code` of an amount are left out."""

NOT_READ: dict[ObjectKind, dict[str, str]] = {
    ObjectKind.VOUCHER: {
        **dict.fromkeys(("date", "discount.id", "id", "__typename"), "information about the discount")
    },
    ObjectKind.TAX: {},
    ObjectKind.PAYMENT: dict.fromkeys(
        ("id", "createdAt", "paymentMethod.id", "paymentMethod.name", "paymentPlugin", "paymentParams"),
        "information about the payment",
    ),
    ObjectKind.RETURN: {
        **dict.fromkeys(("taxValue", "taxDeduction", "totals.lineValues", "totals.grandTotal", "grandTotal"), _CONTROL),
        **dict.fromkeys(_RETURN_NOTES, _INFORMATION),
    },
    ObjectKind.RETURN_LINE: {
        **dict.fromkeys(("returnLineId", "shipmentLineId", "id", "product", "comment", "__typename"), _INFORMATION),
        **dict.fromkeys(("lineValue", "taxValue"), _CONTROL),
    },
}
"""Name in a part -> why it is not migrated."""

_NAMED_LISTS = {
    "products": ObjectKind.LINE,
    "products.bundle": ObjectKind.CONTENT,
    "returns": ObjectKind.RETURN,
    "returns.products": ObjectKind.RETURN_LINE,
    "taxBreakdown": ObjectKind.TAX,
    "discounts.vouchers": ObjectKind.VOUCHER,
    "discounts.automaticDiscounts": ObjectKind.VOUCHER,
}

FOLDED_KEYS = {part: {name.casefold(): key for name, key in names.items()} for part, names in KEYS.items()}
FOLDED_NOT_READ = {part: {name.casefold(): why for name, why in names.items()} for part, names in NOT_READ.items()}


def list_in(part: ObjectKind, name: str) -> ObjectKind | None:
    """What the elements of the list of this (dotted) name are, inside a part; None where nobody knows."""
    return LISTS.get(part, {}).get(name.casefold().replace("_", ""))


def list_named(target: str) -> ObjectKind | None:
    """What the elements of a list are that columns.csv calls so."""
    return _NAMED_LISTS.get(target)


AMOUNT_TAILS = ("", ".value", ".code")
"""What GraphQL adds to the name of an amount, a currency, a country."""


def key_in(part: ObjectKind, name: str) -> str | None:
    """The key that a (dotted) name of a part is read by."""
    return next(
        (
            key
            for tail in AMOUNT_TAILS
            if name.casefold().endswith(tail) and (key := FOLDED_KEYS[part].get(name.casefold().removesuffix(tail)))
        ),
        None,
    )


def why_not(part: ObjectKind, name: str) -> str:
    """Why a name of a part is not migrated, or ""."""
    folded = name.casefold()
    return FOLDED_NOT_READ[part].get(folded) or FOLDED_NOT_READ[part].get(folded.removesuffix(".value")) or ""
