"""One order to its plan: runs the rules in order and gathers every problem, not the first. Pure.

Rule: design sections 5 and 6. Each rule has a file of its own; here they meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from etl.model.content import content_of, fingerprint_of, skip_fingerprint
from etl.model.kinds import BILL, COMPANY, OLD, REBATES, RESERVATION, payment_kind
from etl.model.money import ZERO
from etl.model.order import Order
from etl.model.plan import Basis, Entry, PlannedOrder, PlannedPayment, Verdict
from etl.model.route import Route
from etl.model.shares import CREDIT
from etl.transform.accounts import Charged, charged_for
from etl.transform.bill_payments import bill_payments, captured, captured_by, tell_rest
from etl.transform.checks import (
    check_assumed_rates,
    check_currency,
    check_demo,
    check_parent,
    check_rebates,
    check_values,
    tell_rounding,
    tell_tax,
)
from etl.transform.consumption import consumption_of, local_day, month_of
from etl.transform.context import Context, Footing
from etl.transform.entries import entries_of
from etl.transform.goods import Goods, goods_of
from etl.transform.links import Links, links_of
from etl.transform.notes import notes_of, texts_of
from etl.transform.order_context import OrderContext, order_context
from etl.transform.payments import captures, gift_payments
from etl.transform.products import article_of
from etl.transform.rounding import causes_of
from etl.transform.skipping import skip_reason
from etl.transform.totals import check_total, footed, footing_of, holding_footings, is_total_waived, source_total
from etl.transform.vouchers import policy_of
from etl.transform.window import Moment, check_clamped_vat, is_old_bill, moment_of


def plan_order(order: Order, ctx: Context, parent: Verdict | None = None) -> PlannedOrder:
    """What would be sent for `order`, or why not. `parent`: the verdict on a nested return's own order, if met."""
    case = order_context(order, ctx, _total_with_tax)
    if skipped := skip_reason(order, ctx, parent):
        # The month of a skipped order is wanted in the report; what is odd about its date is not.
        when, _ = consumption_of(order, case.settings)
        return _result(case, Verdict.SKIPPED, Moment(true=when), skip_reason=skipped)
    check_values(case)
    check_currency(case)
    check_parent(case, parent)
    return _planned(case)


def footings(order: Order, ctx: Context) -> frozenset[Footing] | None:
    """The ways in which orderTotal of an order without tax foots; empty where it has none or is unreadable.

    The pipeline gathers these over the whole batch and decides once (design section 6). None: its taxes are not decided
    yet, so it can't foot with them, and without them would win while taxes.csv is being filled in.
    """
    case = order_context(order, ctx, _total_with_tax)
    if case.basis is Basis.GROSS or case.stated_total is None or not order.is_readable:
        return frozenset()
    goods = goods_of(case, moment_of(case))
    return holding_footings(case, goods) if goods and goods.is_rated else None


def _total_with_tax(case: OrderContext) -> Decimal | None:
    """What orderTotal would be of the case; None where a tax of it is not decided."""
    goods = goods_of(case, moment_of(case))
    return footed(case, goods, footing_of(case)) if goods and goods.is_taxed else None


def _planned(case: OrderContext) -> PlannedOrder:
    """The verdict on an order that no rule skips.

    Every rule is asked, whatever blocks already: what blocks an order is told whole.
    """
    order, ctx, found = case.order, case.ctx, case.found
    moment = moment_of(case)
    charged = charged_for(order, ctx, found)
    goods = goods_of(case, moment)
    check_total(case, goods if goods and goods.is_rated else None)
    if goods:
        check_assumed_rates(case, goods)
    articles = [article_of(line, ctx, found) for line in case.lines]
    texts = texts_of(order, case.currency, case.precision) if goods else {}
    entries = entries_of(case, goods, articles, texts) if goods else ()
    check_rebates(case, entries)
    check_clamped_vat(case, moment, goods.lines if goods else (), entries)
    check_demo(case)
    payments = _payments(case, goods) if goods and not ctx.is_outlet else ()
    of_bill = bill_payments(case, goods.paid, entries, texts) if goods and ctx.is_outlet else ()
    links = Links() if ctx.is_outlet else links_of(case, charged)
    if found.blocks or moment.seen is None or goods is None:
        return _result(case, Verdict.BLOCKED, moment)
    money = _money(case, goods, entries, [*payments, *of_bill])
    tell_rounding(case, entries, money["rounding_causes"])
    tell_tax(case, entries)
    if ctx.is_outlet:
        tell_rest(case, (*entries, *of_bill))
    return _result(
        case,
        Verdict.READY,
        moment,
        **money,
        **_address(case, charged, links),
        notes=notes_of(case, moment, texts),
        entries=(*entries, *of_bill),
        captured=captured(order, ctx, case.precision),
        captured_by=captured_by(ctx),
        payments=payments,
        unproved=_unproved(charged, links, entries, payments, is_old_bill=is_old_bill(case, moment)),
    )


def _payments(case: OrderContext, goods: Goods) -> tuple[PlannedPayment, ...]:
    gifts = gift_payments(case.order, goods.paid, case.ctx, case.found, lambda voucher: policy_of(case.ctx, voucher)[1])
    return (*gifts, *captures(case.order, case.ctx, case.found, case.precision))


def _money(
    case: OrderContext, goods: Goods, entries: Sequence[Entry], payments: Sequence[PlannedPayment | Entry]
) -> dict[str, Any]:
    """The totals of a ready order and what makes up their difference. `entries`: of what was sold."""
    credit = sum([_credit(payment) for payment in payments], ZERO)
    booked = [one.predicted.gross if case.basis is Basis.GROSS else one.predicted.net for one in entries]
    source = source_total(case, goods)
    if source is None:
        source = sum([entry.source_amount for entry in entries], ZERO) - credit
    causes = causes_of(source, credit, entries, is_waived=is_total_waived(case))
    return {
        "source_total": source,
        "planned_total": sum(booked, ZERO) - credit,
        "rounding": sum([amount for _, amount in causes], ZERO),
        "rounding_causes": causes,
    }


def _credit(payment: PlannedPayment | Entry) -> Decimal:
    """What a payment lowers the order by: gift cards and store credit do, money does not."""
    if isinstance(payment, Entry):
        return -payment.unit if payment.line.startswith(CREDIT) else ZERO
    return payment.amount if payment.part.startswith(CREDIT) else ZERO


def _address(case: OrderContext, charged: Charged, links: Links) -> dict[str, Any]:
    """Where a ready order goes."""
    target = case.settings.target
    if case.ctx.is_outlet:
        return {
            "account_id": charged.account_id,
            "account_key": charged.key,
            "create_customer": charged.create,
            "service_id": case.ctx.reference.place.id,
        }
    return {
        "account_id": charged.account_id,
        "account_key": charged.key,
        "create_customer": charged.create,
        "service_id": case.ctx.reference.service.id,
        "enterprise_id": target.enterprise_id,
        "segment_id": links.segment,
        "bill_id": links.bill,
        "reservation_id": links.reservation,
        "disable_item_grouping": target.disable_item_grouping,
    }


def _unproved(
    charged: Charged,
    links: Links,
    entries: Sequence[Entry],
    payments: Sequence[PlannedPayment],
    *,
    is_old_bill: bool,
) -> tuple[str, ...]:
    """The kinds of the order: what only Mews can tell. `entries`: of what was sold; payments of a bill need no permission."""
    cases = (
        (REBATES, any(entry.unit < 0 for entry in entries)),
        (COMPANY, charged.is_company),
        (RESERVATION, bool(links.reservation)),
        (BILL, bool(links.bill)),
        (OLD, is_old_bill),
    )
    types = sorted({payment.type for payment in payments})
    return (*(kind for kind, holds in cases if holds), *(payment_kind(one) for one in types))


def _month(case: OrderContext, verdict: Verdict, moment: Moment) -> str:
    """Of the consumption on the enterprise's calendar; of an order that is blocked because there is no such time, the date's."""
    when = moment.seen or moment.true
    if when is not None:
        return local_day(when, case.ctx.reference.timezone).isoformat()[:7]
    return month_of(case.order, case.settings) if verdict is Verdict.BLOCKED else ""


def _result(case: OrderContext, verdict: Verdict, moment: Moment, **more: Any) -> PlannedOrder:
    order = case.order
    content = content_of(order)
    if "source_total" not in more:
        more["source_total"] = source_total(case)
    return PlannedOrder(
        number=order.number,
        verdict=verdict,
        currency=case.currency,
        basis=case.basis,
        problems=tuple(case.found.problems),
        consumption=moment.seen,
        true_consumption=moment.true,
        is_clamped=moment.is_clamped and verdict is Verdict.READY,
        month=_month(case, verdict, moment),
        parent=order.parent,
        fingerprint=fingerprint_of(content),
        skip_fingerprint=skip_fingerprint(order),
        line_count=len(order.lines),
        content=content,
        country=order.delivery_country or order.invoice_country or case.settings.source.default_country,
        unread=order.unread,
        replaces=order.replaces,
        route=Route.OUTLET if case.ctx.is_outlet else Route.ORDERS,
        **more,
    )
