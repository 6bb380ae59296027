"""The fields that an export may hold, what kind of cell each is, and what get-orders calls it.

Rule: the Centra contract. A field is one line here, for exports and mapping tables alike; the parser of its kind is in
`etl.reading.parse`.
"""

from __future__ import annotations

from etl.reading.kinds import Kind

LINE = "products."
ORDER_NUMBER = "orderNumber"
_ADDRESSES = ("invoiceAddress", "deliveryAddress", "address")
_ADDRESS_TEXTS = ("firstName", "lastName", "tele", "cell", "attn", "address", "coaddress", "city", "zipcode", "state")
_PAYMENT_TEXTS = ("method", "transaction", "response", "external_url")

_CREATE_ORDER: dict[str, Kind] = {
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

TAX_RATES = ("taxRate1", "taxRate2", "taxRate3", "taxRate4", "taxRate5")
"""Rates that an order names without saying whose they are (Shopify's `Tax 1 Name`)."""

_EXTRA: dict[str, Kind] = {
    "hold": Kind.BOOL,
    "waitingForPayment": Kind.BOOL,
    "suspect": Kind.BOOL,
    "handlingCost": Kind.AMOUNT,
    "taxTotal": Kind.AMOUNT,
    "shippingTax": Kind.AMOUNT,
    "handlingTax": Kind.AMOUNT,
    "shippingVatPercent": Kind.PERCENT,
    "handlingVatPercent": Kind.PERCENT,
    **dict.fromkeys(TAX_RATES, Kind.PERCENT),
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
    "products.lineDiscount": Kind.AMOUNT,
    "products.taxTotal": Kind.AMOUNT,
    "products.taxable": Kind.BOOL,
}
"""What only get-orders, the Integration API and other shops tell."""

KINDS: dict[str, Kind] = _CREATE_ORDER | _EXTRA
"""Every field, and how its cells are read."""

_SIDE_NAMES = {
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
    **{f"billing{suffix}": f"invoiceAddress.{name}" for suffix, name in _SIDE_NAMES.items()},
    **{f"delivery{suffix}": f"deliveryAddress.{name}" for suffix, name in _SIDE_NAMES.items()},
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
