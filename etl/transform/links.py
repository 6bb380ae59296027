"""Business segment, bill and reservation of an order, checked as far as Mews lets one know. Pure.

Rule: design section 4 (segments.csv, bills.csv, reservations.csv).
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.transform.accounts import Charged
from etl.transform.near import tell_near
from etl.transform.order_context import OrderContext


@dataclass(frozen=True, slots=True)
class Links:
    """Ids in Mews, "" for none."""

    segment: str = ""
    bill: str = ""
    reservation: str = ""


def links_of(case: OrderContext, charged: Charged) -> Links:
    """What the order is linked to; reasons against it go to the findings."""
    return Links(_segment(case), _bill(case, charged), _reservation(case))


def _segment(case: OrderContext) -> str:
    rule = case.ctx.mapping.segments.get(case.order.market) if case.order.market else None
    if rule is None:
        tell_near(case.ctx, case.found, "segments", {"": case.order.market}, case.order.place.at("market"))
        return ""
    case.rule(rule.check(case.ctx.reference))
    return rule.target or ""


def _bill(case: OrderContext, charged: Charged) -> str:
    rule, reference = case.ctx.mapping.bills.get(case.order.number), case.ctx.reference
    if rule is None:
        return ""
    bill = rule.bill(reference)
    # A customer that is still to be made has no bill yet.
    if bill is None or bill.account_id == charged.account_id or not (charged.account_id or charged.create):
        case.rule(rule.check(reference))
    else:
        case.rule([rule.not_open()])
    return rule.target or ""


def _reservation(case: OrderContext) -> str:
    rule = case.ctx.mapping.reservations.get(case.order.number)
    if rule is None:
        return ""
    case.rule(rule.check(case.ctx.reference))
    return rule.target or ""
