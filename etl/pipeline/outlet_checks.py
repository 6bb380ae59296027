"""What `preflight` says of the outlet route: the outlet, the categories that every item needs, what only a bill can show. Pure.

Rule: design section 9.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.model.mapping import Mapping
from etl.model.reference import Reference
from etl.pipeline.check import Check, Result
from etl.pipeline.feasible import binding_interval, duration_words
from etl.pipeline.planning import earliest_consumption


def outlet_checks(mapping: Mapping, reference: Reference) -> Iterator[Check]:
    """The outlet itself, and that Mews tells no permission for bills beforehand; nothing on the other route."""
    outlet = reference.outlet
    if outlet is None:
        return
    if outlet.is_active:
        yield Check("outlet", Result.OK, f"{outlet.name} is active and takes bills")
    yield Check(
        "outlet bills",
        Result.UNPROVED,
        "Mews does not tell whether the integration may add outlet bills",
        "Ask Mews; the run sends one bill first, alone.",
    )
    yield from _categories(mapping)
    yield _payments(mapping)
    start = earliest_consumption(mapping, reference)(reference.now)
    words = duration_words(binding_interval(mapping, reference))
    yield Check(
        "editable window",
        Result.UNPROVED,
        f"none is documented for outlet bills; those older than that of orders ({words}: before {start:%Y-%m-%d %H:%M} UTC) "
        "are a kind of their own",
        "The run sends one of them first, alone; the others follow once Mews has taken it.",
    )
    yield from _unused(mapping)


def _categories(mapping: Mapping) -> Iterator[Check]:
    """The keys that items may need and that name no category: their orders would be blocked."""
    settings = mapping.settings
    needed = {
        "products.accounting_category (lines without a product's or categories.csv's own)": settings.products.accounting_category,
        "shipping.accounting_category (shipping and fees)": settings.shipping.accounting_category,
        "vouchers.accounting_category (vouchers without one in vouchers.csv)": settings.vouchers.accounting_category,
        "payments.accounting_category (captures without one in payments.csv, gift cards)": settings.payments.accounting_category,
    }
    if settings.outlet.payments == "balance":
        needed["outlet.balance_category (the item for the rest)"] = settings.outlet.balance_category
    empty = [key for key, value in needed.items() if not value]
    if empty:
        yield Check(
            "accounting categories",
            Result.WARNING,
            f"every item of a bill needs one, and these keys are empty: {'; '.join(empty)}",
            "Write an AccountingCategoryId into each that your orders need; rows of categories.csv name those of lines (by SKU, brand "
            "or product), of payments.csv those of captures, of vouchers.csv those of vouchers and gift cards.",
        )


def _payments(mapping: Mapping) -> Check:
    how = mapping.settings.outlet.payments
    if how == "balance":
        text = "each bill gets one item for the rest, which is assumed: nothing in the export proves that it was paid"
        return Check(
            "payments on bills", Result.WARNING, text, "Compare the sum in the report with the shop's own account."
        )
    if how == "none":
        text = "captures are left out: bills stay open by what was not paid with gift cards or credit"
        return Check(
            "payments on bills",
            Result.WARNING,
            text,
            'Set outlet.payments to "captures" or "balance" if that is not meant.',
        )
    return Check("payments on bills", Result.OK, "successful captures are payments on the bill of their order")


def _unused(mapping: Mapping) -> Iterator[Check]:
    """What stands in the folder and means nothing on this route: somebody may rely on it."""
    target, settings = mapping.settings.target, mapping.settings
    given = {
        "bills.csv": bool(mapping.bills),
        "reservations.csv": bool(mapping.reservations),
        "segments.csv": bool(mapping.segments),
        "target.outside_editable_window": target.outside_editable_window != "block",
        "target.clamped_vat": target.clamped_vat != "block",
        "payments.post": settings.payments.post,
        "accounts.csv and [accounts]": not settings.names_accounts
        and bool(mapping.accounts or settings.accounts.fallback),
    }
    found = [name for name, is_given in given.items() if is_given]
    if found:
        yield Check(
            "not used",
            Result.WARNING,
            f"{', '.join(found)}: without meaning on the outlet route",
            "Nothing, unless you rely on one of these.",
        )
