"""What the fast lane accounts for. Whatever is not named here, or comes to be, goes the way of the rules. Pure.

Nothing is excepted by name: a setting, a table, a column or a check of staging that nobody has written down here closes
the lane wherever it is in use, so that what is added to the contract can't be passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from etl.model.mapping import Mapping
from etl.reading.names import TAX_RATES
from etl.staging.build import CAPTURE, FIRST_RATE, SHIPPING, SIGNS, STATED, VOUCHER
from etl.staging.lines import LINE_FIELDS
from etl.staging.plain import PlainTable
from etl.transform.context import Context

KEYED = (
    *("status", "storeType", "currency", "market", "handlingCost"),
    *("invoiceAddress.country", "deliveryAddress.country", "address.country"),
    *("hold", "waitingForPayment", "suspect", "internalOrder", "taxAdded", "taxDeducted", "createdFromOrigin.type"),
)
"""Order-level fields of few values: their cells together are decided once."""
SINGLE = (
    *("orderNumber", "orderDate", "orderTotal", "shippingValue", "payment.capture.status", "payment.capture.amount"),
    *("invoiceAddress.email", "address.email", "customerId", "accountId", "buyerId", "voucherCode", "voucherValue"),
)
"""Order-level fields of which nearly every order has its own."""
_SIDES = ("invoiceAddress", "deliveryAddress")
_PERSON = ("firstName", "lastName", "tele", "cell", "attn", "address", "coaddress", "city", "zipcode", "state")
PASSIVE = frozenset(
    (
        *(f"{side}.{name}" for side in (*_SIDES, "address") for name in _PERSON),
        *(f"{side}.{name}" for side in _SIDES for name in ("name", "company", "vatNumber")),
        *("deliveryAddress.email", "deliveryDate", "cancelDate", "pricelistId", "pricelist", "marketId", "buyerName"),
        *("createdFromOrigin.id", "comment", "internalComment", "poNumber", "selectionId"),
        *(f"payment.{name}" for name in ("id", "method", "plugin", "type", "reference", "description")),
        *(f"payment.auth.{name}" for name in ("status", "amount", "method", "transaction", "response", "external_url")),
        *(f"payment.capture.{name}" for name in ("method", "transaction", "response", "external_url")),
    )
)
"""Order-level fields that decide nothing that the lane gives: read in case there is something to say of them."""
WEIGHED = ("taxTotal", "shippingTax", "handlingTax", "shippingVatPercent", "handlingVatPercent", *TAX_RATES)
"""Order-level fields that are held against the plan: an order in which one is filled in is none of the lane's."""
CHECKS = frozenset((SHIPPING, SIGNS, VOUCHER, CAPTURE, FIRST_RATE, STATED))
"""What staging holds against an order beyond remarks on cells, and the lane looks at itself."""
SETTINGS = {
    "source": (
        *("store", "timezone", "prices_include_tax", "default_currency", "default_country", "consumption"),
        *("import_statuses", "import_flags", "internal_orders", "zero_orders", "total_tolerance", "order_number"),
        *("encoding", "date_format", "empty_words", "sheets", "continuation_rows"),
    ),
    "target": (
        *("route", "service", "enterprise_id", "editable_window", "outside_editable_window", "clamped_vat"),
        *("disable_item_grouping", "notes", "rebates"),
    ),
    "accounts": ("fallback", "lookup_email", "create_customers"),
    "products": ("unmapped", "item_name", "accounting_category", "bundles"),
    "shipping": ("name", "accounting_category", "tax"),
    "vouchers": ("policy", "name", "accounting_category"),
    "payments": ("post", "type", "refunds", "accounting_category"),
    "outlet": ("outlet", "account", "bills_per_request", "payments", "balance_name", "balance_category"),
    "mews": ("rate_limit", "concurrency", "timeout_seconds", "settle_seconds"),
}
TABLES = frozenset(
    (
        *("taxes", "products", "accounts", "categories", "vouchers", "payments", "segments", "columns", "values"),
        *("bills", "reservations", "controls", "waivers", "notices", "digest", "settings"),
    )
)


def why_never(ctx: Context) -> str:
    """Why no order of a mapping and enterprise is plain; "" where some may be."""
    tests = (
        (ctx.is_public_demo, "the public demo"),
        (bool(ctx.mapping.controls), "controls.csv"),
    )
    return next((reason for holds, reason in tests if holds), "") or next(_unknown(ctx.mapping), "")


def _unknown(mapping: Mapping) -> Iterator[str]:
    """Settings and tables that are in use and that the lane knows nothing of."""
    for table in fields(mapping):
        if table.name not in TABLES and getattr(mapping, table.name):
            yield f"the table {table.name}"
    for name, section in mapping.settings:
        known = SETTINGS.get(name, ())
        for key, value in section:
            if key not in known and value != type(section).model_fields[key].default:
                yield f"the setting {name}.{key}"


def why_never_table(table: PlainTable) -> str:
    """The same of a file: "" where its columns are plain."""
    names = [column.field for column in (*table.order, *table.line)]
    if len(names) != len(set(names)):
        return "two columns of one field"
    if "orderNumber" not in names:
        return "no column of order numbers"
    if lacking := [name for name in LINE_FIELDS[:3] if name not in names]:
        return f"no column {lacking[0]}"
    unknown = {column.field for column in table.line} - set(LINE_FIELDS)
    if unknown:
        return f"the column {min(unknown)}"
    return min(table.checks - CHECKS, default="")
