"""Writes docs/problems.md from the table of codes (`etl/model/codes.py`): `make docs`. One section for each code.

Titles, hints and origins are the program's own; the examples stand here. A new code takes an example below.
"""

from __future__ import annotations

import sys
from pathlib import Path

from etl.model.code import Code, Origin
from etl.model.codes import CODES

PAGE = Path(__file__).with_name("problems.md")

EXAMPLES = {
    "value.invalid": "`products.unitPrice` is `much`, or a cell holds the error value `#DIV/0!`.",
    "value.missing": "A line without `products.qty`.",
    "value.ambiguous": "`1.234` in a file whose other amounts all have a decimal comma and no thousands separator.",
    "order.conflict": "Two rows of order 536365 name different currencies.",
    "order.overlap": "Order 536365 stands in January.csv with three lines and in February.csv with two others; together they do not foot.",
    "order.incomplete": "One row of the order is wider than the header, so its last cells belong to no column.",
    "order.correction_missing": "Order 536365 was corrected with `--corrections fixed.csv`; the next run is given the export alone.",
    "order.correction_unmatched": "attention.csv was edited, and order number 536365 became 5363656.",
    "order.empty": "An order without lines, shipping and voucher.",
    "order.number_missing": "The cell `orderNumber` of a row is empty, or holds `n/a`.",
    "order.number_too_long": "An order number of 240 digits.",
    "status.unknown": "`status` is `paid`, and values.csv does not say what that means.",
    "country.missing": "Neither delivery nor invoice address names a country.",
    "country.invalid": "`UK`: the code is `GB`. Or `Suisse` without a row in values.csv.",
    "currency.missing": "The cell `currency` is empty and migration.toml has no `source.default_currency`.",
    "currency.invalid": "`GPB` instead of `GBP`.",
    "date.nonexistent": "`2011-03-27 01:30` in London, where the clocks went from 01:00 to 02:00.",
    "date.missing": 'No `deliveryDate`, and `source.consumption = "deliveryDate"`.',
    "price.decimals": "`products.unitPrice` is `1.23456`.",
    "price.negative": "`products.unitPrice` is `-4.00` with a quantity of 1; a return is quantity -1 with price 4.00.",
    "quantity.zero": "`products.qty` is `0`.",
    "total.mismatch": "Lines and shipping add up to 41.50, `orderTotal` says 42.50.",
    "voucher.mismatch": "Vouchers of 5.00 and 3.00, and a `voucherValue` of 10.00.",
    "voucher.exceeds_order": "A voucher of 50.00 on an order of 40.00.",
    "bundle.ambiguous": "A bundle at 20 % for 30.00, and contents at 5 % and 20 % that add up to 30.00 as well.",
    "return.parent": "The return `536365-R1` of order 536365, which is blocked itself.",
    "tax.unmapped": "A line sold to Ireland at 21 %, and no row for `IE`, `21`.",
    "tax.undecided": "The row `GB`, `17.5` has an empty `tax_codes`.",
    "tax.ambiguous": "A line without `products.vatPercent`, sold to a country whose rows name 20 % and 5 %.",
    "tax.rate_differs": "The row `GB`, `20` names the code UK-5%.",
    "tax.too_many_codes": "`tax_codes` is `STATE CITY`, and the enterprise has gross pricing.",
    "tax.code_not_valid": "UK-20% for an order of December 2010; Mews takes it from 4 January 2011 on.",
    "tax.code_unknown": "`UK-21%`, which the enterprise's tax environment does not have.",
    "shipping.tax_undecided": "An order of shipping alone, to a country with rows for 20 % and 5 %.",
    "product.unmapped": 'SKU `CUP` has no row, and `products.unmapped = "block"`.',
    "product.undecided": "The row `sku`, `CUP` has an empty `product`.",
    "product.inactive": "The product was taken off sale in Mews.",
    "product.unknown": "`eid:MUGG`; the service has `MUG`.",
    "account.unmapped": "No row for the customer, no `accounts.fallback`, no look-up by e-mail.",
    "account.undecided": "The row `market`, `UK` has an empty `account`.",
    "account.unknown": "An Id that belongs to another property.",
    "account.inactive": "The customer was deleted in Mews since the mapping was written.",
    "account.ambiguous": "Tom and Tina Twin share the address twin@example.com.",
    "account.cashlist": "The customer has the classification Cashlist.",
    "account.merged": "ann@example.com belonged to a profile that was merged into another.",
    "account.not_created": "Mews refused `customers/add`, for instance for want of a permission.",
    "category.undecided": "The row `brand`, `Harbour` has an empty `accounting_category`.",
    "category.missing": "A bill with shipping, and `shipping.accounting_category` is empty.",
    "category.unknown": "An AccountingCategoryId that was deleted in Mews.",
    "segment.undecided": "The row of market `UK` has an empty `business_segment`.",
    "segment.unknown": "A BusinessSegmentId that the enterprise does not have.",
    "bill.undecided": "The row of order 536365 has an empty `bill`.",
    "bill.not_open": "The bill was closed yesterday.",
    "reservation.undecided": "The row of order 536365 has an empty `reservation`.",
    "voucher.undecided": "The row `GC-*` has an empty `policy`.",
    "rebate.not_allowed": 'A return of -20.00, and `target.rebates = "block"`.',
    "payment.not_supported": "An order paid with a gift card, and GiftCard is not enabled in the enterprise.",
    "payment.type_not_enabled": "payments.csv says `Bancontact`, which the enterprise has not switched on.",
    "payment.undecided": "The row of method `klarna` has an empty `type`.",
    "payment.differs": "40.00 captured for an order of 42.00, and payments are posted.",
    "bill.not_zero": "An outlet bill of 42.00 with a capture of 40.00.",
    "bill.rounding": "42.00 was sold and captured; in net prices Mews books 41.99.",
    "currency.not_enabled": "An order in USD; the enterprise takes GBP and EUR.",
    "window.outside": "An order of 2010, and an editable window of 90 days.",
    "window.passed": "The order was inside the window when the run began, and the run reached it two days later.",
    "window.vat_undeclared": "An order of 2010 at 17.5 % would be booked this month, and its VAT declared again.",
    "demo.real_data": "ann@gmail.com in an export that goes to api.mews-demo.com.",
    "mews.refused": "Mews answered 403: the account can't be charged.",
    "kind.refused": "Three orders with a rebate were refused in the same words; forty more with one are held back.",
    "send.gave_up": "Three attempts timed out, and each time two scans found nothing in Mews.",
    "send.unknown": "The connection broke after the request had left.",
    "changed": "Order 536365 was posted with 42.00; the export says 45.00 now.",
    "different": "42.00 was sent, and Mews shows 40.00.",
    "order.corrected": "Order 536365 comes from attention.csv, with two lines where the export has three.",
    "account.erased": "The shop anonymised ann@example.com after her order was posted.",
    "file.overlap": "Order 536365 stands in two files, in the same words.",
    "row.continued": "Two rows below order 536365 have products and no order number, and the order foots with them.",
    "line.total_differs": "`products.totalPrice` is 9.00 where 2 x 6.00 is 12.00, and the order foots with 12.00.",
    "line.cancelled": "A line with `quantity` 0 and `cancelledQuantity` 2, as the Integration API gives it.",
    "product.near": "SKU `mug` in the export, and a row for `MUG`.",
    "key.near": "Orders of `ANN@example.com`, and a row of accounts.csv for `ann@example.com`.",
    "file.told": "A hidden sheet, rows above the header, a row of totals at the end.",
    "column.unknown": "A column `Delivery remark`.",
    "mapping.unused": "A row for SKU `CPU`; the export has `CUP`.",
    "column.unread": "A column `tip` with amounts that add up to 120.00.",
    "country.default": "No country, and `source.default_country` is GB.",
    "country.lowercase": "`gb`.",
    "currency.lowercase": "`gbp`.",
    "tax.total_differs": "The export says `grandTotalTaxValue` 0.00 of an order whose lines all have 20 %.",
    "tax.rate_unproved": "A line of 120.00 without a rate, to a country that has rows for 20 % only, in an order whose tax is 13.17.",
    "tax.rate_assumed": "A line without a rate, to a country that has rows for 20 % only.",
    "date.ambiguous": "`2010-10-31 01:30` in London, which came twice.",
    "quantity.negative": "A quantity of -1 in an order that is no return: goods taken back on the spot.",
    "rounding.large": "0.07 between source and plan on an order of two lines.",
    "bundle.original_price": "A bundle at 0.00 whose `originalPrice` of 30.00 makes the order foot.",
    "return.handling": "A return with a `handlingCost` of 2.00, which is given back.",
    "payment.capture_differs": "40.00 captured for an order of 42.00, and payments are not posted.",
    "shipping.empty": "The cell `shippingValue` is empty.",
    "text.long": "A product name of 300 characters.",
    "text.cleaned": 'A SKU written as `="0022469"`, or one with a zero-width space.',
    "text.empty_word": "`NULL` in `products.brand`.",
    "text.quotes": '`12\\" plate` with the quote written as a backslash and a quote.',
    "number.digits": "`12.3400000000000001`.",
    "text.garbled": "A product `SchÃ¼ssel`, or `Salt &amp; Pepper`.",
    "text.bidi": "A name with a right-to-left override.",
    "ean.invalid": "`4006381333930`; its check digit is 1.",
    "sku.cleaned": "`22469.0`, as a spreadsheet leaves it.",
    "number.symbol": "`GBP 1 234.50` with a non-breaking space.",
    "number.hidden": "The cell shows 10.00 and holds 9.995.",
    "text.date": "`1-2-2011` under `products.variant`: a size that a spreadsheet took for a date.",
    "name.missing": "A line of SKU `CUP` without `products.itemText.product`.",
}

NOTICES_BEGIN = "order.corrected"
"""The table of codes ends with the notices, from this one on."""
NOTICES_BESIDES = {"account.merged", "bill.not_zero", "bill.rounding", "payment.differs"}

HITS = {
    Origin.SOURCE: "The order that it stands in, and no other: it is blocked until the export is right.",
    Origin.MAPPING: "Every order that needs the same cell: they are blocked together, and ready together once it is decided.",
    Origin.MEWS: "Every order to which the rule of Mews applies; nothing in the export is wrong.",
    Origin.LEDGER: "Orders that were met or sent before: the ledger knows more of them than the export says.",
}
HEAD = """# Problem codes

One section for each code that a report, `problems.csv` or `--json` may name. Made by `make docs` from the program's own
table; the short form is in [operations.md](operations.md#problem-codes). `centra-mews next EXPORT...` says which to clear
first.
"""


def page() -> str:
    """The whole page."""
    errors = [code for code in CODES.values() if not is_notice(code)]
    notices = [code for code in CODES.values() if is_notice(code)]
    parts = [HEAD, "## What blocks an order\n", *map(section, errors)]
    parts += ["## What is only told\n", *map(section, notices)]
    return "\n".join(parts)


def is_notice(code: Code) -> bool:
    """Whether the code blocks nothing."""
    names = list(CODES)
    return names.index(code.code) >= names.index(NOTICES_BEGIN) or code.code in NOTICES_BESIDES


def section(code: Code) -> str:
    """What it means, whom it hits, what to do, an example."""
    hits = "The order or file that it names, which goes on all the same." if is_notice(code) else HITS[code.origin]
    lines = [f"### {code.code}\n", f"{code.title}.\n", f"* **Hits:** {hits}", f"* **To do:** {code.hint}"]
    if code.can_waive and not is_notice(code):
        lines.append(
            "* **Or accept it:** a row in waivers.csv with order, code, reason and your name sends the order as it is."
        )
    if code.can_accept:
        lines.append("* **Or accept it:** a row in waivers.csv counts the order as done; nothing is sent.")
    return "\n".join([*lines, f"* **Example:** {EXAMPLES[code.code]}", ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}: {len(CODES)} codes\n")
