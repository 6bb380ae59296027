"""The names that columns.csv and the templates of migration.toml may use.

Rule: Centra's Order API (create order), the fields of its exports, and what only get-orders tells. Fields that
are not migrated are left out: nothing could come of naming them.
"""

from __future__ import annotations

from etl.reading.names import KINDS, LINE

ORDER_FIELDS: tuple[str, ...] = tuple(name for name in KINDS if not name.startswith(LINE))
"""Order-level fields: in columns.csv, and as placeholders of target.notes."""

LINE_FIELDS: tuple[str, ...] = tuple(name for name in KINDS if name.startswith(LINE))
"""Line-level fields of columns.csv."""

FIELDS: tuple[str, ...] = ORDER_FIELDS + LINE_FIELDS

NOTES_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "products.comment")
"""Placeholders of target.notes."""

NAME_FIELDS: tuple[str, ...] = ("brand", "product", "variant", "size", "sku", "ean", "id", "item", "comment")
"""Placeholders of products.item_name."""

VOUCHER_FIELDS: tuple[str, ...] = (*ORDER_FIELDS, "voucherName")
"""Placeholders of vouchers.name."""
