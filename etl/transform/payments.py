"""Payments as parts of an order: gift cards and store credit always, captures if switched on. Pure.

Rule: design section 5 (vouchers, payments). Mews books external payments when they are posted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from etl.model.money import round_money
from etl.model.order import Order, Payment, Voucher
from etl.model.place import Place
from etl.model.plan import PlannedPayment
from etl.model.problem import Problem, notice
from etl.model.rules import GIFT_CARDS, Category, PaymentType
from etl.transform.context import Context, Findings
from etl.transform.near import tell_near
from etl.transform.products import usable_category

MISSING = "is missing"
"""What is told of the capture of an order that the export tells of none for."""


def gift_payments(
    order: Order, vouchers: Sequence[Voucher], ctx: Context, found: Findings, category_of: Callable[[Voucher], Category]
) -> list[PlannedPayment]:
    """One payment of type GiftCard for each voucher that is money; a refunded one is negative."""
    payments: list[PlannedPayment] = []
    for voucher in payable(order, vouchers, ctx, found):
        kind, category = gift_as(category_of(voucher), ctx, found, order.place)
        payments.append(PlannedPayment(f"gift{len(payments) + 1}", kind, voucher.value, category))
    return payments


def gift_as(category: Category, ctx: Context, found: Findings, place: Place) -> tuple[str, str]:
    """Type and AccountingCategoryId of a voucher that is money; what is wrong with them goes to `found`."""
    found.add_rule(GIFT_CARDS.check(ctx.reference), place)
    return GIFT_CARDS.name, usable_category(category, ctx, found)


def payable(order: Order, vouchers: Sequence[Voucher], ctx: Context, found: Findings) -> Iterator[Voucher]:
    """The vouchers of value that are money; one given back where refunds are not posted blocks the order."""
    for voucher in vouchers:
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
        elif voucher.value:
            yield voucher


def captures(order: Order, ctx: Context, found: Findings, precision: int) -> list[PlannedPayment]:
    """One payment for each captured amount, if `payments.post`; what is not posted of a payment is told."""
    if not ctx.mapping.settings.payments.post:
        return []
    planned: list[PlannedPayment] = []
    for payment, amount in taken(order, ctx, found, precision):
        kind, category = capture_type(payment.method, ctx, found, order.place)
        if kind:
            planned.append(PlannedPayment(f"pay{len(planned) + 1}", kind, amount, category))
    compare_captures(order, [payment.amount for payment in planned], ctx, found)
    return planned


def taken(order: Order, ctx: Context, found: Findings, precision: int) -> Iterator[tuple[Payment, Decimal]]:
    """The captures that count, with their amounts; why one does not is told.

    A negative amount is a refund, posted if `payments.refunds` says so. A return takes no money: what is captured
    there without a sign is not guessed to be a refund.
    """
    refunds = ctx.mapping.settings.payments.refunds
    all_of_them = [payment for payment in order.payments if payment.kind == "capture"]
    for payment in all_of_them:
        amount = None if payment.amount is None else round_money(payment.amount, precision)
        reason = not_posted(order, payment, amount, refunds)
        if reason:
            value = payment.status if payment.status != "success" else str(amount or "")
            found.add(untaken(order.number, order.place, reason, value))
        elif amount:
            yield payment, amount
    if not all_of_them and not order.is_return and order.order_total:
        found.add(untaken(order.number, order.place, MISSING))


def not_posted(order: Order, payment: Payment, amount: Decimal | None, refunds: str) -> str:
    """Why nothing is posted for a capture; "" where it is, or where it is of nothing."""
    if payment.status != "success":
        return f"is {payment.status}" if payment.status else MISSING
    if amount is None:
        return "says no amount"
    if amount < 0 and refunds == "none":
        return f'of {amount} is a refund, and payments.refunds is "none"'
    if amount > 0 and order.is_return:
        return f"of {amount} is money received, but the order is a return"
    return ""


def compare_captures(order: Order, amounts: Sequence[Decimal], ctx: Context, found: Findings) -> None:
    """Tells captures that do not add up to orderTotal."""
    total, paid = order.order_total, sum(amounts, Decimal(0))
    if not amounts or total is None or paid == total:
        return
    if not _includes_tax(order, ctx) and paid > total:
        # What was captured has the tax in it, orderTotal need not.
        return
    found.add(
        notice(
            "payment.differs",
            f"Captures of order {order.number} add up to {paid}, orderTotal is {total}.",
            order=order.number,
            place=order.place.at("payment.capture.amount"),
            value=str(paid),
        )
    )


def _includes_tax(order: Order, ctx: Context) -> bool:
    include = ctx.mapping.settings.source.prices_include_tax
    if order.tax_mode is not None:
        return False
    return order.store_type != "b2b" if include == "b2c" else bool(include)


def untaken(number: str, place: Place, what: str, value: str = "") -> Problem:
    """What is told of a capture that is not posted, of an order at `place`."""
    text = f"The capture of order {number} {what}; nothing is posted for it."
    return notice("payment.differs", text, order=number, place=place.at("payment.capture.status"), value=value)


def capture_type(method: str, ctx: Context, found: Findings, place: Place) -> tuple[str, str]:
    """Type and AccountingCategoryId of what was captured by a method, of an order at `place`; "" where a type is undecided."""
    rule = ctx.lookups.find_payment(ctx.mapping.payments, method)
    if rule is None:
        tell_near(ctx, found, "payments", {"": method}, place.at("payment.method"))
    if rule is not None and rule.type is None:
        found.add_rule([rule.undecided()], place.at("payment.method"))
        return "", ""
    kind = ctx.mapping.payment_type if rule is None or rule.type is None else PaymentType(rule.type, rule.where)
    category = rule.category if rule and rule.accounting_category else ctx.mapping.default_category("payments")
    found.add_rule(kind.check(ctx.reference), place)
    return kind.name, usable_category(category, ctx, found)
