"""Business segment, bill and reservation of an order, checked as far as Mews lets one know. Pure.

Rule: design section 4 (segments.csv, bills.csv, reservations.csv).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.transform.accounts import Charged
from etl.transform.case import Case


@dataclass(frozen=True, slots=True)
class Links:
    """Ids in Mews, "" for none."""

    segment: str = ""
    bill: str = ""
    reservation: str = ""


def links_of(case: Case, charged: Charged) -> Links:
    """What the order is linked to; reasons against it go to the findings."""
    return Links(_segment(case), _bill(case, charged), _linked(case, "reservation", case.ctx.mapping.reservations))


def _segment(case: Case) -> str:
    market, segments = case.order.market, case.ctx.mapping.segments
    if not market or market not in segments:
        return ""
    segment = segments[market]
    if segment is None:
        case.problem("segment.undecided", f"segments.csv has no business_segment for {market}.", value=market)
        return ""
    known = case.ctx.reference.segments.get(segment)
    if known is None or not known.is_active:
        case.problem("segment.unknown", f"The enterprise has no active business segment {segment}.", value=segment)
    return segment


def _bill(case: Case, charged: Charged) -> str:
    bill_id = _linked(case, "bill", case.ctx.mapping.bills)
    if not bill_id:
        return ""
    bill = case.ctx.reference.bills.get(bill_id)
    # A customer that is still to be made has no bill yet.
    is_theirs = bill is not None and (
        bill.account_id == charged.account_id or not (charged.account_id or charged.create)
    )
    if bill is None or not bill.is_open or not is_theirs:
        message = f"Bill {bill_id} is not an open bill of the account of order {case.order.number}."
        case.problem("bill.not_open", message, value=bill_id)
    return bill_id


def _linked(case: Case, what: str, table: Mapping[str, str | None]) -> str:
    number = case.order.number
    if number not in table:
        return ""
    target = table[number]
    if target is None:
        case.problem(f"{what}.undecided", f"{what}s.csv has no {what} for order {number}.")
    return target or ""
