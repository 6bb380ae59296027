"""The parts nested in an order object, and the names inside each: lists of lines, vouchers, taxes, payments, returns.

Rule: the Centra contract, the tables of get-orders, get-returns and the Integration API. Names fold case on every level.
"""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """What an object inside an export is."""

    ORDER = "order"
    LINE = "product line"
    CONTENT = "bundle content"
    VOUCHER = "voucher"
    TAX = "tax breakdown"
    PAYMENT = "payment"
    RETURN = "return"
    RETURN_LINE = "returned line"


COLUMNS = frozenset({Part.ORDER, Part.LINE, Part.CONTENT})
"""Parts whose names are columns of the order; the others are records of their own."""

HOLDERS = {
    **dict.fromkeys((Part.LINE, Part.VOUCHER, Part.TAX, Part.PAYMENT, Part.RETURN), Part.ORDER),
    Part.CONTENT: Part.LINE,
    Part.RETURN_LINE: Part.RETURN,
}
"""What each part is nested in."""

_LINES = ("products", "lines", "lineitems", "orderlines", "orderitems", "items")
LISTS: dict[Part, dict[str, Part]] = {
    Part.ORDER: {
        **dict.fromkeys(_LINES, Part.LINE),
        "returns": Part.RETURN,
        "discounts.vouchers": Part.VOUCHER,
        "discounts.automaticdiscounts": Part.VOUCHER,
        "discountsapplied": Part.VOUCHER,
        "taxbreakdown": Part.TAX,
        "paymenthistory": Part.PAYMENT,
    },
    Part.LINE: {"bundle": Part.CONTENT},
    Part.RETURN: dict.fromkeys(_LINES, Part.RETURN_LINE),
}
"""Names of lists, folded and without underscores -> what their elements are."""

_CONTROL = "a control sum"
_INFORMATION = "information about the return"
_RETURN_NOTES = (
    *("comment", "baseCurrency", "baseCurrencyRate", "selectionId", "customerId", "marketId", "pricelistId"),
    *("shipment", "createdFrom", "creationType", "status.name", "number", "__typename", "updatedAt"),
)

KEYS: dict[Part, dict[str, str]] = {
    Part.VOUCHER: {
        **{name: name for name in ("voucher", "name", "priceOff", "priceOffAsANumber", "priceOffAsNumber", "isCredit")},
        "value": "priceOffAsANumber",
        "discount.name": "name",
        "discount.code": "voucher",
        "discount.type": "type",
    },
    Part.TAX: {name: name for name in ("description", "taxPercent", "value")},
    Part.PAYMENT: {
        **{name: name for name in ("status", "entryType", "externalReference", "value")},
        "paymentMethod.uri": "method",
        "paymentMethod": "method",
    },
    Part.RETURN: {
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
    Part.RETURN_LINE: {
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

NOT_READ: dict[Part, dict[str, str]] = {
    Part.VOUCHER: {**dict.fromkeys(("date", "discount.id", "id", "__typename"), "information about the discount")},
    Part.TAX: {},
    Part.PAYMENT: dict.fromkeys(
        ("id", "createdAt", "paymentMethod.id", "paymentMethod.name", "paymentPlugin", "paymentParams"),
        "information about the payment",
    ),
    Part.RETURN: {
        **dict.fromkeys(("taxValue", "taxDeduction", "totals.lineValues", "totals.grandTotal", "grandTotal"), _CONTROL),
        **dict.fromkeys(_RETURN_NOTES, _INFORMATION),
    },
    Part.RETURN_LINE: {
        **dict.fromkeys(("returnLineId", "shipmentLineId", "id", "product", "comment", "__typename"), _INFORMATION),
        **dict.fromkeys(("lineValue", "taxValue"), _CONTROL),
    },
}
"""Name in a part -> why it is not migrated."""

_NAMED_LISTS = {
    "products": Part.LINE,
    "products.bundle": Part.CONTENT,
    "returns": Part.RETURN,
    "returns.products": Part.RETURN_LINE,
    "taxBreakdown": Part.TAX,
    "discounts.vouchers": Part.VOUCHER,
    "discounts.automaticDiscounts": Part.VOUCHER,
}

FOLDED_KEYS = {part: {name.casefold(): key for name, key in names.items()} for part, names in KEYS.items()}
FOLDED_NOT_READ = {part: {name.casefold(): why for name, why in names.items()} for part, names in NOT_READ.items()}


def list_in(part: Part, name: str) -> Part | None:
    """What the elements of the list of this (dotted) name are, inside a part; None where nobody knows."""
    return LISTS.get(part, {}).get(name.casefold().replace("_", ""))


def list_named(target: str) -> Part | None:
    """What the elements of a list are that columns.csv calls so."""
    return _NAMED_LISTS.get(target)


AMOUNT_TAILS = ("", ".value", ".code")
"""What GraphQL adds to the name of an amount, a currency, a country."""


def key_in(part: Part, name: str) -> str | None:
    """The key that a (dotted) name of a part is read by."""
    return next(
        (
            key
            for tail in AMOUNT_TAILS
            if name.casefold().endswith(tail) and (key := FOLDED_KEYS[part].get(name.casefold().removesuffix(tail)))
        ),
        None,
    )


def why_not(part: Part, name: str) -> str:
    """Why a name of a part is not migrated, or ""."""
    folded = name.casefold()
    return FOLDED_NOT_READ[part].get(folded) or FOLDED_NOT_READ[part].get(folded.removesuffix(".value")) or ""
