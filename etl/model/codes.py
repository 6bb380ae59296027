"""All problem codes: title, hint, and whose fault it is. Stable; tests and documents compare with this.

`origin` decides what a posted order becomes when it is met again: `source` faults make it `changed`,
faults of the mapping or of Mews do not (design section 7.4).
"""

from __future__ import annotations

from etl.model.code import Code, Origin

_S, _M, _W, _L = Origin.SOURCE, Origin.MAPPING, Origin.MEWS, Origin.LEDGER

_ALL = (
    # Reading the export
    Code("value.invalid", "A value can't be read", "Correct the value in the export and feed it again.", _S),
    Code("value.missing", "A required value is missing", "Fill in the value in the export and feed it again.", _S),
    Code(
        "value.ambiguous",
        "A value does not fit the file's own style",
        "Write the value in the style of the rest of the file.",
        _S,
    ),
    Code(
        "order.conflict",
        "Rows of the order contradict each other",
        "Make the order-level columns equal on all rows of the order.",
        _S,
    ),
    Code(
        "order.overlap",
        "Parts of the order in several files or objects differ",
        "Keep one complete copy of the order.",
        _S,
    ),
    Code(
        "order.incomplete",
        "A part of the order could not be read or placed",
        "Complete the order in the export, or say in columns.csv what the part is.",
        _S,
    ),
    Code(
        "order.correction_missing",
        "The order was corrected before and comes uncorrected now",
        "Give its correction with --corrections again, or the rows that are right now in a file of their own.",
        _L,
    ),
    Code(
        "order.correction_unmatched",
        "A correction is for an order that no export holds",
        "Compare its order number with the export; a correction never makes a new order.",
        _S,
    ),
    Code(
        "order.empty",
        "The order has nothing to send",
        "Nothing to do if this is right; else complete the order in the export.",
        _S,
        can_accept=True,
    ),
    Code("order.number_missing", "A row has no readable order number", "Fill in orderNumber with digits only.", _S),
    Code(
        "order.number_too_long",
        "The order number is too long for an ExternalIdentifier",
        "Shorten the order number.",
        _S,
    ),
    Code("status.unknown", "The order's status is not one of Centra's", "Correct the status in the export.", _S),
    Code(
        "country.missing",
        "No country on the order",
        "Fill in the country, or set source.default_country in migration.toml.",
        _S,
    ),
    Code("country.invalid", "The country is no ISO alpha-2 code", "Use the two-letter code of the country.", _S),
    Code(
        "currency.missing",
        "No currency on the order",
        "Fill in the currency, or set source.default_currency in migration.toml.",
        _S,
    ),
    Code("currency.invalid", "The currency is no ISO 4217 code", "Use the three-letter code of the currency.", _S),
    Code(
        "date.nonexistent", "The time was skipped when the clocks went forward", "Correct the time in the export.", _S
    ),
    Code(
        "date.missing",
        "The date that decides on consumption is missing",
        "Fill in the date, or choose another source.consumption.",
        _S,
    ),
    Code("price.decimals", "A price has more than four decimals", "Round the unit price to four decimals.", _S),
    Code(
        "price.negative", "A unit price is negative", "Write returns as negative quantities with positive prices.", _S
    ),
    Code("quantity.zero", "A line has quantity 0", "Remove the line or correct its quantity.", _S),
    Code(
        "total.mismatch",
        "The lines do not add up to orderTotal",
        "Compare the order with Centra; raise source.total_tolerance only for known rounding.",
        _S,
        can_waive=True,
    ),
    Code(
        "voucher.mismatch",
        "The vouchers do not add up to voucherValue",
        "Compare the order's vouchers with Centra.",
        _S,
    ),
    Code(
        "voucher.exceeds_order",
        "The voucher is larger than goods and shipping",
        "Compare the order's vouchers with Centra.",
        _S,
    ),
    Code(
        "bundle.ambiguous",
        "Bundle and contents both foot, with different tax",
        "Set products.bundles in migration.toml.",
        _S,
    ),
    Code(
        "return.parent",
        "The return's own order will not be in Mews",
        "Clear what holds the original order back; the return follows it.",
        _S,
    ),
    # Mapping decisions
    Code("tax.unmapped", "No row of taxes.csv fits", "Add a row to taxes.csv for this country, rate and date.", _M),
    Code(
        "tax.undecided",
        "The tax_codes cell of the fitting row is empty",
        "Fill in tax_codes in taxes.csv, or write exempt.",
        _M,
    ),
    Code(
        "tax.ambiguous",
        "Several rates fit a line without a VAT rate",
        "Fill in products.vatPercent in the export, or narrow taxes.csv.",
        _M,
    ),
    Code(
        "tax.rate_differs",
        "The tax codes' rate is not the line's",
        "Correct taxes.csv, or write yes in accept_rate_difference.",
        _M,
    ),
    Code("tax.too_many_codes", "A gross enterprise takes one tax code an item", "Give one code in taxes.csv.", _M),
    Code(
        "tax.code_not_valid",
        "Mews does not accept the tax code at the consumption time",
        "Use a code that is valid then; see `centra-mews preflight`.",
        _M,
    ),
    Code(
        "tax.code_unknown",
        "The tax code does not exist in the enterprise's tax environment",
        "Use one of the codes that `centra-mews preflight` lists.",
        _M,
    ),
    Code(
        "shipping.tax_undecided",
        "No tax for shipping without goods",
        "Add a row with vat_percent shipping to taxes.csv.",
        _M,
    ),
    Code(
        "product.unmapped",
        "A line has no product",
        'Add its key to products.csv, or set products.unmapped = "item".',
        _M,
    ),
    Code(
        "product.undecided",
        "The product cell of the fitting row is empty",
        "Fill in product in products.csv, or remove the row.",
        _M,
    ),
    Code(
        "product.inactive",
        "The product is not active in Mews",
        "Activate the product in Mews, or map the key to another one.",
        _M,
    ),
    Code("product.unknown", "The product does not exist on the service", "Correct the product in products.csv.", _M),
    Code("account.unmapped", "Nobody to charge", "Add a row to accounts.csv, or set accounts.fallback.", _M),
    Code(
        "account.undecided",
        "The account cell of the fitting row is empty",
        "Fill in account in accounts.csv, or remove the row.",
        _M,
    ),
    Code(
        "account.unknown",
        "The account does not exist in Mews",
        "Correct the AccountId in accounts.csv or migration.toml.",
        _M,
    ),
    Code(
        "account.inactive", "The account is deleted or merged in Mews", "Use the account that it was merged into.", _M
    ),
    Code("account.ambiguous", "Several customers have this e-mail address", "Name the right one in accounts.csv.", _M),
    Code(
        "account.cashlist",
        "The customer is on the cash list and should not be charged",
        "Use another account, such as a paymaster account.",
        _M,
    ),
    Code(
        "account.merged",
        "The customer with this e-mail address was merged into another one, which is charged",
        "Nothing to do, or name another account in accounts.csv.",
        _W,
    ),
    Code(
        "account.not_created",
        "Mews did not create the customer",
        "Read Mews's message; correct the order, or name an account in accounts.csv; or use --retry-rejected.",
        _W,
    ),
    Code(
        "category.undecided",
        "The accounting_category cell is empty",
        "Fill in accounting_category in categories.csv.",
        _M,
    ),
    Code(
        "category.missing",
        "Nothing says under which accounting category an item of the bill is booked",
        "Set accounting_category in migration.toml for products, shipping, vouchers and payments, and "
        "outlet.balance_category; or name them by row: of lines in categories.csv (SKU, brand or product), of captures in "
        "payments.csv, of vouchers and gift cards in vouchers.csv.",
        _M,
    ),
    Code(
        "category.unknown",
        "The accounting category does not exist or is not active",
        "Correct the AccountingCategoryId.",
        _M,
    ),
    Code("segment.undecided", "The business_segment cell is empty", "Fill in business_segment in segments.csv.", _M),
    Code(
        "segment.unknown",
        "The business segment does not exist or is not active",
        "Correct business_segment in segments.csv.",
        _M,
    ),
    Code("bill.undecided", "The bill cell is empty", "Fill in bill in bills.csv.", _M),
    Code(
        "bill.not_open",
        "The bill is not open, or belongs to another account",
        "Use an open bill of the order's account.",
        _M,
    ),
    Code("reservation.undecided", "The reservation cell is empty", "Fill in reservation in reservations.csv.", _M),
    Code("voucher.undecided", "The policy cell of the fitting row is empty", "Fill in policy in vouchers.csv.", _M),
    Code(
        "rebate.not_allowed",
        "The order has negative amounts",
        'Set target.rebates = "allow" once Mews has enabled rebates for the integration.',
        _M,
    ),
    Code(
        "payment.not_supported",
        "The order needs a payment that can't be posted",
        "Have the payment type enabled in Mews, or choose another voucher policy.",
        _M,
    ),
    Code(
        "payment.type_not_enabled",
        "The payment type is not enabled in the enterprise",
        "Enable the type in Mews, or map the method to another one.",
        _M,
    ),
    Code("payment.undecided", "The type cell of the fitting row is empty", "Fill in type in payments.csv.", _M),
    Code(
        "payment.differs",
        "The captured amount is not the order's total",
        "Compare the payment with Centra.",
        _S,
        can_waive=True,
    ),
    Code(
        "bill.not_zero",
        "The payments of the outlet bill do not add up to its revenue",
        'Compare the captures with Centra; outlet.payments = "balance" adds an item for the rest, which is assumed.',
        _S,
    ),
    Code(
        "bill.rounding",
        "The payments of the outlet bill are the export's total; its revenue is off by what the conversion into net prices rounded",
        "Nothing to compare: the captures are right, and the difference stands under rounding. Whoever needs bills of zero sets "
        'outlet.payments = "balance".',
        _S,
    ),
    # Mews
    Code("currency.not_enabled", "The currency is not enabled in the enterprise", "Enable the currency in Mews.", _W),
    Code(
        "window.outside",
        "The consumption is older than the editable window",
        'Ask Mews for a longer window, book a history that was paid outside Mews as outlet bills (target.route = "outlet"), '
        'or set target.outside_editable_window = "clamp".',
        _W,
    ),
    Code(
        "window.passed",
        "The editable window moved past the order before it was sent",
        "Run again; see target.outside_editable_window.",
        _W,
    ),
    Code(
        "window.vat_undeclared",
        "A clamped order would declare its VAT again",
        'Set target.clamped_vat = "declare" if that is meant.',
        _W,
    ),
    Code(
        "demo.real_data",
        "Real people's data must not go to the public demo",
        "Pseudonymise the export, or use your own enterprise.",
        _W,
    ),
    Code(
        "mews.refused",
        "Mews refused the order",
        "Read Mews's message; correct mapping or export; the order is sent again once its payload changes.",
        _W,
        can_accept=True,
    ),
    Code(
        "kind.refused",
        "Mews refused three orders with the same need in equal words; this one was not sent",
        "Read Mews's words and clear the cause with Mews (rebates, company billing, the payment type, how far back it takes "
        "outlet bills); then run again with --retry-rejected: one goes first. Bills that stay too old for Mews are left out with "
        "--from DATE and --retry-rejected together; `next` tells the date.",
        _W,
    ),
    Code(
        "send.gave_up",
        "The order was sent three times and never arrived",
        "Run again with --retry-rejected once the cause is clear.",
        _W,
    ),
    Code(
        "send.unknown",
        "Mews may have booked the order",
        "Run again: the next run finds out. Do not post it by hand.",
        _L,
    ),
    Code(
        "changed",
        "A posted order looks different in the export now",
        "Read in what it differs; it is never sent again by itself. Only if the export is right: `centra-mews undo --only "
        "ORDER`, then run with --repost-undone, or correct an order (no bill can be) in Mews by hand.",
        _L,
        can_accept=True,
    ),
    Code(
        "different",
        "Mews holds the order with other amounts",
        "Compare both sides; decide with `centra-mews settle` or `centra-mews undo`.",
        _L,
        can_accept=True,
    ),
    # Notices
    Code(
        "order.corrected", "The order counts as it was corrected", "Nothing to do if the figures named are meant.", _S
    ),
    Code(
        "account.erased",
        "What tells whose order it is was erased at the shop since it was posted",
        "Nothing to do: the order in Mews stays as it is.",
        _S,
    ),
    Code(
        "file.overlap",
        "The order stands in several files or objects",
        "Nothing to do: equal parts were taken once.",
        _S,
    ),
    Code(
        "row.continued",
        "The order goes on in rows without an order number",
        "Check that the rows belong to the order above them.",
        _S,
    ),
    Code(
        "line.total_differs",
        "A line's total in the export is not its price times its quantity",
        "Compare the line with the shop; price and quantity are what is sent.",
        _S,
    ),
    Code("line.cancelled", "A line was cancelled in Centra", "Nothing to do: nothing of it is sent.", _S),
    Code(
        "product.near",
        "A key differs from one of products.csv in spelling only",
        "Correct the key in products.csv, or add a row with the other spelling.",
        _M,
    ),
    Code(
        "key.near",
        "A key differs from one of the mapping in spelling only",
        "Correct the key in the table that is named, or add a row with the other spelling.",
        _M,
    ),
    Code("file.told", "Something about a file as a whole", "Compare the file with what was read of it.", _S),
    Code("column.unknown", "A column is unknown", "Name the field in columns.csv, or write - if it is not needed.", _S),
    Code("mapping.unused", "A row of the mapping is used by nothing", "Check its spelling, or remove it.", _M),
    Code(
        "column.unread",
        "Amounts under a name that is not read",
        "Name the field in columns.csv, or write - if it is not to be migrated.",
        _S,
    ),
    Code("country.default", "The order has no country; the default was used", "Check source.default_country.", _S),
    Code("country.lowercase", "A country code was lower case", "Nothing to do.", _S),
    Code("currency.lowercase", "A currency code was lower case", "Nothing to do.", _S),
    Code(
        "tax.total_differs",
        "The source's tax of the order is not what Mews will book",
        "Compare the order's rates with Centra, and taxes.csv with both; if it is the shipping, set shipping.tax.",
        _M,
    ),
    Code(
        "tax.rate_unproved",
        "A line has no VAT rate, and the one that fits is not what the order's own tax says",
        "Tell the line's rate: name its column in columns.csv (products.vatPercent, or the line's tax as products.taxTotal, "
        "whether it is taxed as products.taxable, the order's rate as taxRate1), or fill it in.",
        _M,
        can_waive=True,
    ),
    Code("tax.rate_assumed", "A line has no VAT rate; the only one that fits was used", "Check the rate.", _S),
    Code(
        "date.ambiguous", "The time occurs twice; the first was used", "Nothing to do if the hour does not matter.", _S
    ),
    Code("quantity.negative", "A negative quantity in an order that is no return", "Check that the line is meant.", _S),
    Code(
        "rounding.large",
        "Source and plan differ by more than a minor unit per entry and tax code",
        "Check source.total_tolerance, waivers.csv and the tax codes of the order.",
        _S,
    ),
    Code(
        "bundle.original_price",
        "A bundle has price 0; its originalPrice adds up and was used",
        "Check the price of the bundle.",
        _S,
    ),
    Code("return.handling", "A return gives back a handling cost", "Compare the return with Centra.", _S),
    Code("payment.capture_differs", "The captured amount is not orderTotal", "Compare the payment with Centra.", _S),
    Code("shipping.empty", "shippingValue is empty and was read as 0", "Nothing to do.", _S),
    Code("text.long", "A text is longer than 255 characters", "Nothing to do; it is cut where Mews needs it.", _S),
    Code("text.cleaned", "Invisible characters or a wrapper were taken from a value", "Check the value.", _S),
    Code(
        "text.empty_word",
        "A word for nothing, such as NULL, was read as empty",
        "Nothing to do; or list the word in source.empty_words.",
        _S,
    ),
    Code("text.quotes", "Quotes in a row were written with a backslash", "Check the texts of the row.", _S),
    Code("number.digits", "A number of 16 or more digits was read at 15", "Check the amount.", _S),
    Code(
        "text.garbled",
        "A text looks as if a program had misread it",
        "Correct the text in the export, or leave it.",
        _S,
    ),
    Code("text.bidi", "A text has bidirectional control characters", "Check the text.", _S),
    Code("ean.invalid", "An EAN has a wrong length or check digit", "Check the EAN.", _S),
    Code("sku.cleaned", "A SKU had a leading apostrophe or a trailing .0", "Check the SKU.", _S),
    Code(
        "number.symbol",
        "A number had a percent, currency or thousands sign or a non-breaking space",
        "Nothing to do.",
        _S,
    ),
    Code("number.hidden", "A cell's format hides digits of the number it holds", "Check the number.", _S),
    Code("text.date", "A date stands in a column of texts", "Check the text.", _S),
    Code("name.missing", "A line has no name; its key was used", "Nothing to do.", _S),
)

CODES: dict[str, Code] = {code.code: code for code in _ALL}


def hint_for(code: str) -> str:
    """What to do about a code."""
    return CODES[code].hint
