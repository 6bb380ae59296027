"""The names that columns.csv and the templates of migration.toml may use.

Rule: Centra's Order API (create order), the fields of its exports, and what only get-orders tells. Fields that
are not migrated are left out: nothing could come of naming them.
"""

from __future__ import annotations

_ADDRESS = (
    *("email", "firstName", "lastName", "tele", "cell", "attn"),
    *("address", "coaddress", "city", "zipcode", "state", "country"),
)
_GET_ORDERS_ADDRESS = ("name", "company", "vatNumber")
_PAYMENT = ("status", "amount", "method", "transaction", "response", "external_url")

ORDER_FIELDS: tuple[str, ...] = (
    *("orderNumber", "orderDate", "deliveryDate", "cancelDate", "status", "storeType", "currency"),
    *("pricelistId", "pricelist", "marketId", "market"),
    *(f"{block}.{name}" for block in ("address", "invoiceAddress", "deliveryAddress") for name in _ADDRESS),
    *(f"{block}.{name}" for block in ("invoiceAddress", "deliveryAddress") for name in _GET_ORDERS_ADDRESS),
    *("customerId", "accountId", "buyerId", "buyerName", "createdFromOrigin.type", "createdFromOrigin.id"),
    *("internalOrder", "hold", "waitingForPayment", "suspect"),
    *(
        "shippingValue",
        "handlingCost",
        "voucherValue",
        "voucherCode",
        "orderTotal",
        "taxTotal",
        "taxAdded",
        "taxDeducted",
    ),
    *("comment", "internalComment", "poNumber", "selectionId"),
    *("payment.id", "payment.method"),
    *(f"payment.{step}.{name}" for step in ("auth", "capture") for name in _PAYMENT),
    *("payment.plugin", "payment.type", "payment.reference", "payment.description"),
)
"""Order-level fields: in columns.csv, and as placeholders of target.notes."""

LINE_FIELDS: tuple[str, ...] = (
    *("products.qty", "products.id", "products.ean", "products.sku", "products.item"),
    *("products.unitPrice", "products.originalPrice", "products.vatPercent", "products.comment"),
    *(f"products.itemText.{name}" for name in ("sku", "brand", "product", "variant", "size")),
    *("products.lineId", "products.variantSku", "products.sizeSku", "products.isBundle", "products.isPartOfBundle"),
)
"""Line-level fields of columns.csv."""

FIELDS: tuple[str, ...] = ORDER_FIELDS + LINE_FIELDS

NOTES_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "products.comment")
"""Placeholders of target.notes."""

NAME_FIELDS: tuple[str, ...] = ("brand", "product", "variant", "size", "sku", "ean", "id", "item", "comment")
"""Placeholders of products.item_name."""

VOUCHER_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "voucherName")
"""Placeholders of vouchers.name."""

_SIDES = (("billing", "invoiceAddress"), ("delivery", "deliveryAddress"))
_SIDE_NAMES = {
    **{name.capitalize(): name for name in ("email", "tele", "cell", "address", "coaddress", "zipcode", "city")},
    **{name.capitalize(): name for name in ("state", "country", "name", "company")},
    "VAT": "vatNumber",
}

GET_ORDERS: dict[str, str] = {
    "orderId": "orderNumber",
    "orderStatus": "status",
    "preferredDeliveryDate": "deliveryDate",
    "estimatedDeliveryDate": "deliveryDate",
    "orderCurrency": "currency",
    "orderStore": "storeType",
    "grandTotalValue": "orderTotal",
    "grandTotalTaxValue": "taxTotal",
    "otherComment": "comment",
    **{
        f"payment{name}": f"payment.{name.lower()}" for name in ("Plugin", "Type", "Method", "Reference", "Description")
    },
    "products.price": "products.unitPrice",
    "products.taxPercent": "products.vatPercent",
    "products.upc": "products.ean",
    "products.name": "products.itemText.product",
    "products.brand": "products.itemText.brand",
    "products.variant": "products.itemText.variant",
    "products.size": "products.itemText.size",
    **{f"{side}{name}": f"{block}.{field}" for side, block in _SIDES for name, field in _SIDE_NAMES.items()},
}
"""Names of the get-orders vocabulary that have another name here; columns.csv takes both."""
