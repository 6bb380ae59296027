"""The names that columns.csv and the templates of migration.toml may use.

Rule: Centra's Order API (create order) and the fields of its exports; get-orders names are translated.
"""

from __future__ import annotations

_ADDRESS = (
    "email",
    "firstName",
    "lastName",
    "name",
    "company",
    "vat",
    "tele",
    "cell",
    "attn",
    "address",
    "coaddress",
    "city",
    "zipcode",
    "state",
    "country",
)
_PAYMENT = ("status", "amount", "method", "transaction", "response", "external_url")

ORDER_FIELDS: tuple[str, ...] = (
    "orderNumber",
    "orderDate",
    "deliveryDate",
    "cancelDate",
    "status",
    "storeType",
    "currency",
    "pricelistId",
    "pricelist",
    "marketId",
    "market",
    *(f"{block}.{name}" for block in ("address", "invoiceAddress", "deliveryAddress") for name in _ADDRESS),
    "customerId",
    "customerRegister",
    "customerSetNewPassword",
    "accountId",
    "buyerId",
    "buyerName",
    "createdFromOrigin.type",
    "createdFromOrigin.id",
    "deliveryWindow",
    "warehouseGroup",
    "adjustStock",
    "forceCreate",
    "createOnly",
    "sendEmail",
    "applyVouchers",
    "internalOrder",
    "shippingValue",
    "voucherValue",
    "voucherCode",
    "orderTotal",
    "comment",
    "internalComment",
    "poNumber",
    "payment.id",
    "payment.method",
    *(f"payment.{step}.{name}" for step in ("auth", "capture") for name in _PAYMENT),
    "hold",
    "waitingForPayment",
    "suspect",
    "taxAdded",
    "taxDeducted",
    "grandTotalTaxValue",
)
"""Order-level fields: in columns.csv, and as placeholders of target.notes."""

LINE_FIELDS: tuple[str, ...] = (
    "products.qty",
    "products.id",
    "products.ean",
    "products.sku",
    "products.item",
    "products.unitPrice",
    "products.originalPrice",
    "products.vatPercent",
    "products.comment",
    "products.itemText.sku",
    "products.itemText.brand",
    "products.itemText.product",
    "products.itemText.variant",
    "products.itemText.size",
)
"""Line-level fields of columns.csv."""

FIELDS: tuple[str, ...] = ORDER_FIELDS + LINE_FIELDS

NOTES_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "products.comment")
"""Placeholders of target.notes."""

NAME_FIELDS: tuple[str, ...] = ("brand", "product", "variant", "size", "sku", "ean", "id", "item", "comment")
"""Placeholders of products.item_name."""

VOUCHER_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "voucherName")
"""Placeholders of vouchers.name."""

GET_ORDERS: dict[str, str] = {
    "orderId": "orderNumber",
    "orderStatus": "status",
    "preferredDeliveryDate": "deliveryDate",
    "estimatedDeliveryDate": "deliveryDate",
    "orderCurrency": "currency",
    "orderStore": "storeType",
    "grandTotalValue": "orderTotal",
    "otherComment": "comment",
    "paymentMethod": "payment.method",
    "products.price": "products.unitPrice",
    "products.taxPercent": "products.vatPercent",
    "products.name": "products.itemText.product",
    "products.brand": "products.itemText.brand",
    "products.variant": "products.itemText.variant",
    "products.size": "products.itemText.size",
    **{
        f"{side}{name}": f"{block}.{field}"
        for side, block in (("billing", "invoiceAddress"), ("delivery", "deliveryAddress"))
        for name, field in (
            ("Name", "name"),
            ("Company", "company"),
            ("Email", "email"),
            ("Tele", "tele"),
            ("Address", "address"),
            ("Coaddress", "coaddress"),
            ("Zipcode", "zipcode"),
            ("City", "city"),
            ("State", "state"),
            ("Country", "country"),
            ("VAT", "vat"),
        )
    },
}
"""Names of the get-orders vocabulary that have another name here."""
