"""The payments of an outlet bill as entries: gift cards and credit, captures, or the rest. Pure.

Rule: design section 9. They have the opposite sign of what they pay, no tax codes, and belong to the bill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from etl.model.identity import IDENTIFIER_LIMIT
from etl.model.money import ZERO, round_money
from etl.model.order import Order, Payment, Voucher
from etl.model.place import Place
from etl.model.plan import BALANCE, CAPTURE, REFUNDS, Basis, Booked, Entry, EntryKind
from etl.model.problem import Problem, notice
from etl.model.rules import Category
from etl.model.shares import CREDIT
from etl.transform.context import Context, Findings
from etl.transform.near import tell_near
from etl.transform.order_context import OrderContext
from etl.transform.payments import compare_captures, not_posted, payable, taken
from etl.transform.products import cut, usable_category
from etl.transform.vouchers import rule_of, voucher_name

CAPTURE_NAME = "Payment"
"""Name of a capture whose type and method nobody told."""

Item = tuple[str, Decimal, str]
"""Name, amount received, AccountingCategoryId."""


def bill_payments(
    case: OrderContext, paid: Sequence[Voucher], revenue: Sequence[Entry], texts: Mapping[str, str]
) -> tuple[Entry, ...]:
    """The payments of the bill of `revenue`; `paid` are its vouchers that are money, `texts` the fields of their names."""
    how = case.settings.outlet.payments
    basis = case.ctx.arithmetic.basis
    entries = [_entry(CREDIT, at, one, basis) for at, one in enumerate(_gifts(case, paid, texts), 1)]
    if how == "captures":
        entries += [_entry(CAPTURE, at, one, basis) for at, one in enumerate(_captures(case), 1)]
    rest = sum([entry.predicted.gross for entry in (*revenue, *entries)], ZERO)
    if how == "balance" and rest:
        entries.append(_entry(BALANCE, 1, _item(balance_as(case.ctx, case.found), rest), basis))
    return tuple(entries)


def tell_rest(case: OrderContext, bill: Sequence[Entry]) -> None:
    """Tells with its sum a bill that its payments do not bring to zero. To be called of one that is sent."""
    rest = sum([entry.predicted.gross for entry in bill], ZERO)
    if rest:
        rounding = sum([entry.rounding for entry in bill], ZERO) if case.basis is Basis.GROSS else ZERO
        case.found.add(rest_told(case.order.number, (case.currency, rest, rounding), case.order.place))


def rest_told(number: str, sums: tuple[str, Decimal, Decimal], place: Place) -> Problem:
    """What is told of a bill whose order stands at `place` and that does not add up to zero.

    `sums`: currency, revenue less payments, and by how much the conversion of prices with tax booked less than the export
    says. Where that alone is the rest, the payments are the export's total to the cent.
    """
    currency, rest, rounding = sums
    text = f"The bill of order {number} adds up to {rest} {currency}: revenue less payments"
    if rest == -rounding:
        code, text = "bill.rounding", f"{text}. All of it comes from the conversion of its prices into net ones."
    elif rounding:
        code, text = (
            "bill.not_zero",
            f"{text}; {-rounding} of it comes from the conversion of its prices into net ones.",
        )
    else:
        code, text = "bill.not_zero", f"{text}."
    return notice(code, text, order=number, place=place.at("payment.capture.amount"), value=str(rest))


def captured(order: Order, ctx: Context, precision: int) -> tuple[Decimal, ...]:
    """What the captures of the export come to on a bill by each of `REFUNDS`, whatever pays it today.

    Empty where it tells of none, be it one that failed, and off the outlet route. `precision`: decimals of the currency.
    """
    told = [payment for payment in order.payments if payment.kind == "capture"] if ctx.is_outlet else []
    return tuple(_captured(order, told, rule, precision) for rule in REFUNDS) if told else ()


def _captured(order: Order, told: Sequence[Payment], refunds: str, precision: int) -> Decimal:
    amounts = ((one, None if one.amount is None else round_money(one.amount, precision)) for one in told)
    return sum((amount for one, amount in amounts if amount and not not_posted(order, one, amount, refunds)), ZERO)


def captured_by(ctx: Context) -> str:
    """By which of `REFUNDS` captures pay the bill; "" where they don't."""
    settings = ctx.mapping.settings
    return settings.payments.refunds if ctx.is_outlet and settings.outlet.payments == "captures" else ""


def _gifts(case: OrderContext, paid: Sequence[Voucher], texts: Mapping[str, str]) -> Iterator[Item]:
    for voucher in payable(case.order, paid, case.ctx, case.found):
        yield voucher_name(case.ctx, voucher, texts), voucher.value, gift_category(voucher, case.ctx, case.found)


def gift_category(voucher: Voucher, ctx: Context, found: Findings) -> str:
    """The AccountingCategoryId of a voucher that pays a bill; what is wrong with it goes to `found`."""
    return usable_category(_gift_category(voucher, ctx), ctx, found)


def _gift_category(voucher: Voucher, ctx: Context) -> Category:
    """That of its row in vouchers.csv, else that of payments, else that of vouchers."""
    mapping, rule = ctx.mapping, rule_of(ctx, voucher)
    if rule is not None and rule.accounting_category:
        return rule.category
    payments, vouchers = mapping.default_category("payments"), mapping.default_category("vouchers")
    return payments if payments.target or not vouchers.target else vouchers


def _captures(case: OrderContext) -> list[Item]:
    amounts = taken(case.order, case.ctx, case.found, case.precision)
    found = [_item(capture_as(one.method, case.ctx, case.found, case.order.place), amount) for one, amount in amounts]
    compare_captures(case.order, [amount for _, amount, _ in found], case.ctx, case.found)
    return found


def capture_as(method: str, ctx: Context, found: Findings, place: Place) -> tuple[str, str]:
    """Name and AccountingCategoryId of what was captured by a method, of an order at `place`.

    By its row in payments.csv, if there is one: a type names it, whatever Mews takes of types elsewhere.
    """
    mapping = ctx.mapping
    rule = ctx.lookups.find_payment(mapping.payments, method)
    if rule is None:
        tell_near(ctx, found, "payments", {"": method}, place.at("payment.method"))
    category = rule.category if rule and rule.accounting_category else mapping.default_category("payments")
    name = (rule.type if rule else "") or mapping.settings.payments.type or method or CAPTURE_NAME
    return cut(name, IDENTIFIER_LIMIT), usable_category(category, ctx, found)


def balance_as(ctx: Context, found: Findings) -> tuple[str, str]:
    """Name and AccountingCategoryId of the rest of a bill."""
    return ctx.mapping.settings.outlet.balance_name, usable_category(ctx.mapping.balance_category, ctx, found)


def _item(named: tuple[str, str], amount: Decimal) -> Item:
    name, category = named
    return name, amount, category


def _entry(letters: str, at: int, item: Item, basis: Basis) -> Entry:
    name, amount, category = item
    return payment_entry(f"{letters}{at}", name, -amount, basis, category)


def payment_entry(line: str, name: str, unit: Decimal, basis: Basis, category: str) -> Entry:
    """A payment of a bill; `unit` is negative for money received."""
    booked = Booked(unit, ZERO, unit)
    return Entry(line, EntryKind.PAYMENT, name, 1, unit, basis, (), booked, unit, ZERO, "", category)
