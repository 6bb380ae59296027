"""The names of Centra's three vocabularies: what each field is called, how its cells are read, and what is not migrated.

Rule: the Centra contract. A column or field is one line here; its parser is in `etl.reading.parse`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from etl.reading.kinds import Kind


class Vocabulary(StrEnum):
    """Whose names a file uses."""

    CREATE_ORDER = "create-order"
    GET_ORDERS = "get-orders"
    GET_RETURNS = "get-returns"
    INTEGRATION = "Integration API"


LINE = "products."
ORDER_NUMBER = "orderNumber"
_ADDRESSES = ("invoiceAddress", "deliveryAddress", "address")
_ADDRESS_TEXTS = ("firstName", "lastName", "tele", "cell", "attn", "address", "coaddress", "city", "zipcode", "state")
_PAYMENT_TEXTS = ("method", "transaction", "response", "external_url")

FIELDS: dict[str, Kind] = {
    ORDER_NUMBER: Kind.ORDER_NUMBER,
    "orderDate": Kind.DATE,
    "deliveryDate": Kind.DATE,
    "cancelDate": Kind.DATE,
    "status": Kind.STATUS,
    "storeType": Kind.STORE,
    "currency": Kind.CURRENCY,
    "pricelistId": Kind.ID,
    "pricelist": Kind.TEXT,
    "marketId": Kind.ID,
    "market": Kind.TEXT,
    **{f"{address}.email": Kind.EMAIL for address in _ADDRESSES},
    **{f"{address}.{name}": Kind.TEXT for address in _ADDRESSES for name in _ADDRESS_TEXTS},
    **{f"{address}.country": Kind.COUNTRY for address in _ADDRESSES},
    "customerId": Kind.ID,
    "accountId": Kind.ID,
    "buyerId": Kind.ID,
    "buyerName": Kind.TEXT,
    "createdFromOrigin.type": Kind.ORIGIN,
    "createdFromOrigin.id": Kind.ID,
    "internalOrder": Kind.BOOL,
    "shippingValue": Kind.AMOUNT,
    "voucherValue": Kind.AMOUNT,
    "voucherCode": Kind.TEXT,
    "orderTotal": Kind.AMOUNT,
    "comment": Kind.TEXT,
    "internalComment": Kind.TEXT,
    "poNumber": Kind.TEXT,
    "payment.id": Kind.TEXT,
    "payment.method": Kind.TEXT,
    **{f"payment.{part}.status": Kind.PAYMENT_STATUS for part in ("auth", "capture")},
    **{f"payment.{part}.amount": Kind.AMOUNT for part in ("auth", "capture")},
    **{f"payment.{part}.{name}": Kind.TEXT for part in ("auth", "capture") for name in _PAYMENT_TEXTS},
    "products.qty": Kind.QTY,
    "products.id": Kind.KEY,
    "products.ean": Kind.EAN,
    "products.sku": Kind.SKU,
    "products.item": Kind.KEY,
    "products.unitPrice": Kind.AMOUNT,
    "products.originalPrice": Kind.AMOUNT,
    "products.vatPercent": Kind.PERCENT,
    "products.comment": Kind.TEXT,
    "products.itemText.sku": Kind.SKU,
    **{f"products.itemText.{name}": Kind.TEXT for name in ("brand", "product", "variant", "size")},
}
"""The create-order names, with the export's own columns."""

_EXTRA: dict[str, Kind] = {
    "hold": Kind.BOOL,
    "waitingForPayment": Kind.BOOL,
    "suspect": Kind.BOOL,
    "handlingCost": Kind.AMOUNT,
    "taxTotal": Kind.AMOUNT,
    "taxAdded": Kind.SWITCH,
    "taxDeducted": Kind.SWITCH,
    "selectionId": Kind.TEXT,
    "invoiceAddress.name": Kind.TEXT,
    "invoiceAddress.company": Kind.TEXT,
    "invoiceAddress.vatNumber": Kind.TEXT,
    "deliveryAddress.name": Kind.TEXT,
    "deliveryAddress.company": Kind.TEXT,
    "deliveryAddress.vatNumber": Kind.TEXT,
    "payment.plugin": Kind.TEXT,
    "payment.type": Kind.TEXT,
    "payment.reference": Kind.TEXT,
    "payment.description": Kind.TEXT,
    "products.lineId": Kind.TEXT,
    "products.variantSku": Kind.SKU,
    "products.sizeSku": Kind.SKU,
    "products.isBundle": Kind.BOOL,
    "products.isPartOfBundle": Kind.BUNDLE,
}
"""What only get-orders and the Integration API tell."""

KINDS: dict[str, Kind] = FIELDS | _EXTRA

_ADDRESS_NAMES = {
    "Name": "name",
    "Company": "company",
    "Email": "email",
    "Tele": "tele",
    "Cell": "cell",
    "Address": "address",
    "Coaddress": "coaddress",
    "Zipcode": "zipcode",
    "City": "city",
    "State": "state",
    "Country": "country",
    "VAT": "vatNumber",
}

GET_ORDERS: dict[str, str] = {
    "orderId": ORDER_NUMBER,
    "orderStatus": "status",
    "preferredDeliveryDate": "deliveryDate",
    "estimatedDeliveryDate": "deliveryDate",
    "orderCurrency": "currency",
    "orderStore": "storeType",
    **{f"billing{suffix}": f"invoiceAddress.{name}" for suffix, name in _ADDRESS_NAMES.items()},
    **{f"delivery{suffix}": f"deliveryAddress.{name}" for suffix, name in _ADDRESS_NAMES.items()},
    "grandTotalValue": "orderTotal",
    "grandTotalTaxValue": "taxTotal",
    "otherComment": "comment",
    "paymentPlugin": "payment.plugin",
    "paymentType": "payment.type",
    "paymentMethod": "payment.method",
    "paymentReference": "payment.reference",
    "paymentDescription": "payment.description",
    "products.price": "products.unitPrice",
    "products.taxPercent": "products.vatPercent",
    "products.upc": "products.ean",
    "products.name": "products.itemText.product",
    "products.variant": "products.itemText.variant",
    "products.brand": "products.itemText.brand",
    "products.size": "products.itemText.size",
}
"""get-orders name -> the name used here. Of two columns for one field the first that is not empty counts."""

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
