"""The CSV tables of the mapping folder: their columns, in words and as lists of what a cell may hold.

Reading, checks, `init` and the guide share them.
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.model.mapping import (
    ACCOUNT_KEYS,
    CATEGORY_KEYS,
    EXTERNAL_PAYMENT_TYPES,
    PRODUCT_KEYS,
    STORE_TYPES,
    VOUCHER_POLICIES,
    Sure,
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `required`: the header must be there. `allowed`: closed list of values, if any."""

    name: str
    description: str
    required: bool = True
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One CSV table of the mapping folder; reading, checks, `init` and the guide share it."""

    file: str
    purpose: str
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in the order of the documentation."""
        return tuple(column.name for column in self.columns)


_CATEGORY = Column("accounting_category", "AccountingCategoryId; empty: the one of migration.toml", required=False)
_SURE = Column(
    "sure",
    "yes, or empty: a person's; proved: the orders foot with it; likely: by name or content, a person has to confirm it",
    required=False,
    allowed=tuple(Sure),
)

TABLES: dict[str, TableSpec] = {
    spec.file: spec
    for spec in (
        TableSpec(
            "taxes.csv",
            "which Mews tax codes a country and VAT rate become",
            (
                Column("country", 'ISO 3166-1 alpha-2 code such as GB, or "*" for any country that is given'),
                Column(
                    "vat_percent",
                    'the rate in the export, such as 20; "*" for any rate; "shipping" for shipping without goods',
                ),
                Column("valid_from", "first day on which the row holds; empty: since ever"),
                Column("valid_before", "first day on which the row no longer holds; empty: for ever"),
                Column("store_type", "b2c or b2b; empty: both", required=False, allowed=STORE_TYPES),
                Column("sku", "SKU, or a pattern such as TYRE-*; empty: all goods", required=False),
                Column("tax_codes", "Mews tax codes separated by blanks, or the word exempt; empty: not decided yet"),
                Column(
                    "accept_rate_difference",
                    "yes: the codes may have another rate than vat_percent",
                    required=False,
                    allowed=("yes",),
                ),
            ),
            required=True,
        ),
        TableSpec(
            "products.csv",
            "which lines are products of the Mews service",
            (
                Column("key_type", "what key holds, tried in this order", allowed=PRODUCT_KEYS),
                Column("key", "the SKU, EAN, size id or item exactly as in the export"),
                Column("product", "ProductId, or eid: and its ExternalIdentifier; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "accounts.csv",
            "whose Mews account is charged",
            (
                Column("key_type", "what key holds, tried in this order", allowed=ACCOUNT_KEYS),
                Column("key", "the e-mail address, number or market exactly as in the export"),
                Column("account", "AccountId, or eid: and the company's ExternalIdentifier; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "categories.csv",
            "accounting categories of custom Items",
            (
                Column("key_type", "what key holds, tried in this order", allowed=CATEGORY_KEYS),
                Column("key", "a value or a pattern such as CUP-*"),
                Column("accounting_category", "AccountingCategoryId; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "vouchers.csv",
            "how single vouchers reduce the order",
            (
                Column("code", "the voucher's code or a pattern such as GC-*"),
                Column("policy", "how it reduces the order; empty: not decided yet", allowed=tuple(VOUCHER_POLICIES)),
                _CATEGORY,
            ),
        ),
        TableSpec(
            "payments.csv",
            "external payment types of the shop's payment methods",
            (
                Column("method", "the payment method exactly as in the export"),
                Column("type", "external payment type of Mews; empty: not decided yet", allowed=EXTERNAL_PAYMENT_TYPES),
                _CATEGORY,
            ),
        ),
        TableSpec(
            "segments.csv",
            "business segments of the shop's markets",
            (
                Column("market", "the market exactly as in the export"),
                Column("business_segment", "BusinessSegmentId; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "columns.csv",
            "export columns with names of their own",
            (
                Column("header", "the column's name in the export; in JSON also dotted, such as line_items.sku"),
                Column("field", "the field that it holds, such as products.sku; - is not migrated; empty: undecided"),
                _SURE,
            ),
        ),
        TableSpec(
            "values.csv",
            "what the shop's own words mean",
            (
                Column("field", "the field that holds the word, such as status or deliveryAddress.country"),
                Column("value", "the word exactly as in the export; it may be empty"),
                Column("means", "what it means, such as Completed or CH; empty: not decided yet"),
                _SURE,
            ),
        ),
        TableSpec(
            "bills.csv",
            "orders that go on an open bill",
            (
                Column("order_number", "the order's number; a nested return is 10038-R7"),
                Column("bill", "BillId; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "reservations.csv",
            "orders that belong to a reservation",
            (
                Column("order_number", "the order's number; a nested return is 10038-R7"),
                Column("reservation", "ReservationId; empty: not decided yet"),
            ),
        ),
        TableSpec(
            "controls.csv",
            "monthly figures typed from the shop's own report, to prove the export complete",
            (
                Column("month", "YYYY-MM, on the enterprise's calendar"),
                Column("currency", "ISO 4217 code such as GBP"),
                Column("orders", "number of orders; empty: not compared", required=False),
                Column("total", "sum of orderTotal; empty: not compared", required=False),
                Column("tax", "sum of tax; empty: not compared", required=False),
            ),
        ),
        TableSpec(
            "waivers.csv",
            "known problems of single orders that a person accepts",
            (
                Column("order_number", "the order's number"),
                Column("problem_code", "code of the problem as in problems.csv; only some may be waived"),
                Column("reason", "why it is accepted"),
                Column("by", "who accepts it"),
                Column("date", "on which day"),
            ),
        ),
    )
}
