"""Centra's three vocabularies: how a file's own is told, what GraphQL calls each field, and what is not migrated.

Rule: the Centra contract. The fields themselves, and what get-orders calls them, are in `etl.reading.names`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from etl.reading.names import GET_ORDERS, KINDS, ORDER_NUMBER


class Vocabulary(StrEnum):
    """Whose names a file uses."""

    CREATE_ORDER = "create-order"
    GET_ORDERS = "get-orders"
    GET_RETURNS = "get-returns"
    INTEGRATION = "Integration API"


_GRAPHQL_ADDRESS = {
    "companyName": "company",
    "firstName": "firstName",
    "lastName": "lastName",
    "address1": "address",
    "address2": "coaddress",
    "city": "city",
    "stateOrProvince": "state",
    "state": "state",
    "zipCode": "zipcode",
    "country": "country",
    "country.code": "country",
    "email": "email",
    "phoneNumber": "tele",
    "cellPhoneNumber": "cell",
    "attention": "attn",
    "vatNumber": "vatNumber",
}

INTEGRATION: dict[str, str] = {
    "number": ORDER_NUMBER,
    "id": "selectionId",
    "createdAt": "orderDate",
    "isOnHold": "hold",
    "isInternal": "internalOrder",
    "grandTotal": "orderTotal",
    "grandTotal.currency": "currency",
    "currency.code": "currency",
    "totals.shipping": "shippingValue",
    "totals.handling": "handlingCost",
    "totals.discounts": "voucherValue",
    "totals.taxAdded": "taxAdded",
    "totals.taxDeducted": "taxDeducted",
    "totals.taxIncluded": "taxTotal",
    "store.type": "storeType",
    "store": "storeType",
    "market.id": "marketId",
    "market.name": "market",
    "pricelist.id": "pricelistId",
    "pricelist.name": "pricelist",
    "customer.id": "customerId",
    "customer.email": "invoiceAddress.email",
    "customer.firstName": "invoiceAddress.firstName",
    "customer.lastName": "invoiceAddress.lastName",
    "account.id": "accountId",
    "buyer.id": "buyerId",
    "buyer.name": "buyerName",
    **{f"billingAddress.{name}": f"invoiceAddress.{field}" for name, field in _GRAPHQL_ADDRESS.items()},
    **{f"shippingAddress.{name}": f"deliveryAddress.{field}" for name, field in _GRAPHQL_ADDRESS.items()},
    "purchaseOrderNumber": "poNumber",
    "paymentMethod": "payment.method",
    "paymentMethod.uri": "payment.method",
    "products.id": "products.lineId",
    "products.quantity": "products.qty",
    "products.taxPercent": "products.vatPercent",
    "products.unitOriginalPrice": "products.originalPrice",
    "products.productName": "products.itemText.product",
    "products.productNumber": "products.sku",
    "products.productVariantName": "products.itemText.variant",
    "products.size": "products.itemText.size",
    "products.productSize.SKU": "products.sku",
    "products.productSize.GTIN": "products.ean",
    "products.productBrand": "products.itemText.brand",
    "products.productBrand.name": "products.itemText.brand",
}
"""Name in Centra's Integration API (GraphQL) -> the name used here; `.value` and `.code` of an amount are left out."""

_ONLY_GET_ORDERS = frozenset(
    {"orderid", "orderstatus", "ordercurrency", "orderstore", "grandtotalvalue", "billingemail"}
)
_ONLY_INTEGRATION = frozenset(
    {"grandtotal", "lines", "totals", "billingaddress", "shippingaddress", "discountsapplied", "paymenthistory",
     "isonhold", "isinternal"}
)  # fmt: skip
"""Names, in lower case, that tell the vocabularies from create-order."""


def vocabulary_of(names: Iterable[str]) -> Vocabulary:
    """Whose names these are: the headers of a table, or the keys of an object."""
    folded = {name.strip().casefold() for name in names}
    if "returnid" in folded and not folded & {ORDER_NUMBER.casefold(), "grandtotalvalue", "orderstatus"}:
        return Vocabulary.GET_RETURNS
    if "number" in folded and _ONLY_INTEGRATION & {name.partition(".")[0] for name in folded}:
        return Vocabulary.INTEGRATION
    return Vocabulary.GET_ORDERS if folded & _ONLY_GET_ORDERS else Vocabulary.CREATE_ORDER


_DIRECTIVE = "a directive to Centra's own import"
_CONTROL = "a control sum; orderTotal is the control"
LINE_TOTAL = "totalprice"
"""What a line comes to, in lower case: compared with price times quantity, never sent."""
_NO_PLACE = "Mews has no place for it"
REPEATED = "says again what another name says"
REPEATED_TAILS = (".formattedvalue", ".conversionrate", ".currency.code", ".currency.name", ".country.name")
"""Ends of names, in lower case, in which GraphQL repeats what an amount or address says."""
SECRET = "personal data that is not stored"  # noqa: S105 - a reason
NOT_MIGRATED: dict[str, str] = {
    "customerRegister": "says how Centra registers the customer",
    "customerSetNewPassword": "says how Centra registers the customer",
    **dict.fromkeys(
        ("deliveryWindow", "warehouseGroup", "adjustStock", "forceCreate", "createOnly", "sendEmail", "applyVouchers"),
        _DIRECTIVE,
    ),
    "ipAddress": SECRET,
    "weight": _NO_PLACE,
    "harmCode": _NO_PLACE,
    "warehouses": _NO_PLACE,
    "shipments": _NO_PLACE,
    **dict.fromkeys(("totalItemsPrice", "totalItemsWithoutTax", "totalItemsDiscount"), _CONTROL),
    **dict.fromkeys(
        (
            *(f"products.{name}" for name in ("totalPrice", "totalPriceWithTax", "totalPriceWithoutTax")),
            *(f"products.{name}" for name in ("taxValue", "totalTaxValue", "lineValue")),
            *("totals.grandTotal", "totals.itemSubtotal", "totals.includingTax"),
        ),
        _CONTROL,
    ),
    **dict.fromkeys(
        (
            *(f"products.{name}" for name in ("weight", "harmCode", "warehouses", "returnedQuantity")),
            *("shippingPriceGroup", "shippingOption", "isSuspicious", "updatedAt", "__typename"),
            *(
                f"{part}.{name}"
                for part in ("store", "market", "pricelist", "account")
                for name in ("id", "name", "uri")
            ),
            *("grandTotal.conversionRate", "grandTotal.includingTax", "paymentMethod.id", "paymentMethod.name"),
        ),
        _NO_PLACE,
    ),
    "products.cancelledQuantity": "the quantity leaves it out already",
    "grandTotal.formattedValue": REPEATED,
    **dict.fromkeys((f"{side}Address.country.name" for side in ("billing", "shipping")), REPEATED),
}
"""Name -> why it is not migrated."""

ATTENTION = ("centra_mews", "attention.")
"""Columns that attention.csv adds start so; they are ignored when the file is fed again."""

EXPECTED = (
    "orderDate",
    "status",
    "currency",
    "invoiceAddress.email",
    "deliveryAddress.country",
    "shippingValue",
    "voucherValue",
    "orderTotal",
    "products.qty",
    "products.sku",
    "products.unitPrice",
    "products.vatPercent",
)
"""Fields whose absence is worth telling."""


FOLDED = {name.casefold(): name for name in KINDS}
FOLDED_GET_ORDERS = FOLDED | {name.casefold(): target for name, target in GET_ORDERS.items()}
FOLDED_INTEGRATION = FOLDED | {name.casefold(): target for name, target in INTEGRATION.items()}
FOLDED_NOT_MIGRATED = {name.casefold(): reason for name, reason in NOT_MIGRATED.items()}
ALIASES = frozenset(
    name.casefold()
    for name in (
        *("preferredDeliveryDate", "estimatedDeliveryDate", "otherComment", "products.upc", "upc", "createdAt"),
        *("products.productNumber", "products.productSize.SKU", "lines.productNumber", "lines.productSize.SKU"),
        *(f"customer.{name}" for name in ("email", "firstName", "lastName")),
        *(f"billingAddress.{name}" for name in ("email", "firstName", "lastName")),
    )
)
"""Names, in lower case, that may stand beside another one for the same field: the first that is not empty counts."""


def known_names(vocabulary: Vocabulary) -> Iterable[str]:
    """Every name of a vocabulary, for suggestions."""
    match vocabulary:
        case Vocabulary.CREATE_ORDER:
            return KINDS
        case Vocabulary.INTEGRATION:
            return [*KINDS, *INTEGRATION]
        case _:
            return [*KINDS, *GET_ORDERS]
