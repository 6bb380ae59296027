"""Payments as parts of an order: gift cards and store credit always, captures if switched on. Pure.

Rule: design section 5 (vouchers, payments). Mews books external payments when they are posted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from etl.model.money import round_money
from etl.model.order import Order, Payment, Voucher
from etl.model.plan import PlannedPayment
from etl.model.problem import Problem, notice
from etl.transform.context import Context, Findings
from etl.transform.products import usable_category

GIFT_CARD = "GiftCard"


def gift_payments(
    order: Order, vouchers: Sequence[Voucher], ctx: Context, found: Findings, category_of: Callable[[Voucher], str]
) -> list[PlannedPayment]:
    """One payment of type GiftCard for each voucher that is money; a refunded one is negative."""
    payments: list[PlannedPayment] = []
    for voucher in vouchers:
        if not voucher.value:
            continue
        if voucher.value < 0 and ctx.mapping.settings.payments.refunds == "none":
            found.add(
                Problem(
                    "payment.not_supported",
                    order.number,
                    order.place.at("voucherValue"),
                    str(voucher.value),
                    f'Return {order.number} gives back a gift card, and payments.refunds is "none".',
                    'Set payments.refunds = "post", or another voucher policy.',
                )
            )
            continue
        _check_type(GIFT_CARD, order, ctx, found)
        category = usable_category(category_of(voucher), ctx, found, "the voucher's accounting category")
        payments.append(PlannedPayment(f"gift{len(payments) + 1}", GIFT_CARD, voucher.value, category))
    return payments


def captures(order: Order, ctx: Context, found: Findings, precision: int) -> list[PlannedPayment]:
    """One payment for each captured amount, if `payments.post`; what was not captured is told."""
    settings = ctx.mapping.settings.payments
    if not settings.post:
        return []
    planned: list[PlannedPayment] = []
    for payment in order.payments:
        if payment.kind != "capture":
            continue
        if payment.status != "success" or not payment.amount:
            _tell(order, payment, found)
            continue
        if payment.amount < 0 and settings.refunds == "none":
            continue
        kind, category = _type_of(payment, order, ctx, found)
        if kind:
            # At the currency's precision, or 35.2 and 35.20 would make two plans of one.
            amount = round_money(payment.amount, precision)
            planned.append(PlannedPayment(f"pay{len(planned) + 1}", kind, amount, category))
    paid = sum((payment.amount for payment in planned), Decimal(0))
    if planned and order.order_total is not None and paid != order.order_total:
        found.add(
            notice(
                "payment.differs",
                f"Captures of order {order.number} add up to {paid}, orderTotal is {order.order_total}.",
                order=order.number,
                place=order.place.at("payment.capture.amount"),
                value=str(paid),
            )
        )
    return planned


def _tell(order: Order, payment: Payment, found: Findings) -> None:
    what = f"is {payment.status}" if payment.status else "is missing"
    found.add(
        notice(
            "payment.differs",
            f"The capture of order {order.number} {what}; nothing is posted for it.",
            order=order.number,
            place=order.place.at("payment.capture.status"),
            value=payment.status,
        )
    )


def _type_of(payment: Payment, order: Order, ctx: Context, found: Findings) -> tuple[str, str]:
    settings = ctx.mapping.settings.payments
    rule = ctx.lookups.find_payment(ctx.mapping.payments, payment.method)
    if rule is not None and rule.type is None:
        found.add(
            Problem(
                "payment.undecided",
                order.number,
                order.place.at("payment.method"),
                payment.method,
                f"{rule.place}: type is empty for method {payment.method}.",
            )
        )
        return "", ""
    kind = (rule.type if rule else None) or settings.type
    category = (rule.accounting_category if rule else "") or settings.accounting_category
    _check_type(kind, order, ctx, found)
    return kind, usable_category(category, ctx, found, "payments.accounting_category")


def _check_type(kind: str, order: Order, ctx: Context, found: Findings) -> None:
    if kind not in ctx.reference.payment_types:
        found.add(
            Problem(
                "payment.type_not_enabled",
                order.number,
                order.place,
                kind,
                f"External payments of type {kind} are not enabled in {ctx.reference.enterprise_name}.",
            )
        )
