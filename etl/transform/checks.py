"""What must hold of the values of an order, whatever the mapping says. Pure.

Rule: design sections 5 (negative amounts, vouchers, returns) and 6 (decimals), 7.11 (the public demo).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from etl.model.identity import IDENTIFIER_LIMIT, Identity
from etl.model.money import ZERO, is_finer, money_text, tax_in, ulp
from etl.model.order import Line, Order, TaxBreakdownRow, TaxMode
from etl.model.place import Place
from etl.model.plan import Basis, Entry, RoundingCause, Verdict
from etl.model.problem import Problem, notice
from etl.model.rules import check_enabled
from etl.model.words import counted
from etl.transform.goods import Goods
from etl.transform.order_context import LARGEST_AMOUNT, OrderContext, extra_amounts, is_line_in_range

PRICE_DECIMALS = 4
PERSONAL = frozenset(
    (
        "email",
        "firstName",
        "lastName",
        "name",
        "buyerName",
        "tele",
        "cell",
        "attn",
        "address",
        "coaddress",
        "zipcode",
        "city",
    )
)
"""Last parts of the names of fields that tell who or where a person is (design section 7.11)."""
RESERVED = ("example.com", "example.net", "example.org")
_LONGEST_LINE = "p99999.2"
_LATEST_GENERATION = 99


def check_values(case: OrderContext) -> None:
    """Lines, amounts, vouchers and number of the order by themselves."""
    order = case.order
    for line in case.lines:
        # Nearly every line passes here.
        if not (
            line.qty and line.unit_price >= 0 and case.is_in_range and not is_finer(line.unit_price, PRICE_DECIMALS)
        ):
            _check_line(case, line)
    for column, amount in extra_amounts(order):
        _check_amount(case, column, amount)
    if not order.is_return:
        _tell_negative(case)
    elif order.handling:
        _tell_handling(case)
    if order.is_readable and not (case.lines or order.shipping or order.handling or order.return_cost or case.vouchers):
        case.found.add(_empty(order))
    _check_vouchers(case)
    identifier = Identity(case.settings.source.store, order.number, _LATEST_GENERATION).line(_LONGEST_LINE)
    if len(identifier) > IDENTIFIER_LIMIT:
        case.problem("order.number_too_long", f"Order number {order.number[:40]}… is too long.")


def _empty(order: Order) -> Problem:
    nothing = f"Order {order.number} has no line, no shipping, no fee and no voucher"
    if not order.order_total:
        return Problem("order.empty", order.number, order.place, "", f"{nothing}.")
    text = f"{nothing} that could be read, but its orderTotal is {order.order_total}."
    hint = (
        "Its lines are missing in the export, or stand where they are not read: see column.unread and column.unknown, "
        "name the columns in columns.csv, or export the order again with its lines."
    )
    return Problem("order.empty", order.number, order.place, str(order.order_total), text, hint)


def _check_line(case: OrderContext, line: Line) -> None:
    what = line.key or "A line"
    price_at = line.place.at("products.unitPrice")
    if line.unit_price < 0:
        case.problem("price.negative", f"{what} has a negative price.", place=price_at, value=line.unit_price)
    if case.is_in_range and is_finer(line.unit_price, PRICE_DECIMALS):
        message = f"{what} has a price with more than four decimals."
        case.problem("price.decimals", message, place=price_at, value=line.unit_price)
    if line.qty == 0:
        case.problem("quantity.zero", f"{what} has quantity 0.", place=line.place.at("products.qty"), value=0)
    if not is_line_in_range(line):
        message = "A quantity, price or rate is larger than Mews can hold."
        case.problem("value.invalid", message, place=line.place, value=line.total)


def _check_amount(case: OrderContext, column: str, amount: Decimal) -> None:
    if abs(amount) >= LARGEST_AMOUNT:
        message = f"{column} is larger than Mews can hold."
        case.problem("value.invalid", message, place=case.order.place.at(column), value=amount)


def _tell_negative(case: OrderContext) -> None:
    negative = [(line.qty, line.place) for line in case.lines if line.qty < 0]
    if negative:
        case.found.add(negative_in_sale(case.order.number, negative))


def negative_in_sale(number: str, lines: Sequence[tuple[int, Place]]) -> Problem:
    """What is told of lines with a negative quantity in an order that is no return: (quantity, where), in canonical order."""
    qty, place = lines[0]
    return notice(
        "quantity.negative",
        f"Order {number} is no return, but has {counted(len(lines), 'line|lines')} with a negative quantity.",
        order=number,
        place=place.at("products.qty"),
        value=str(qty),
    )


def _tell_handling(case: OrderContext) -> None:
    order = case.order
    column = "returns.handlingCost" if order.parent else "handlingCost"
    case.found.add(
        notice(
            "return.handling",
            f"Return {order.number} gives back a handlingCost of {abs(order.handling)}, as Centra does.",
            order=order.number,
            place=order.place.at(column),
            value=str(order.handling),
        )
    )


def _check_vouchers(case: OrderContext) -> None:
    order = case.order
    if not order.is_readable:
        return
    stated = sum((voucher.value for voucher in case.vouchers), ZERO)
    if stated != order.voucher_value:
        case.problem(
            "voucher.mismatch",
            f"The vouchers of order {order.number} add up to {stated}, voucherValue is {order.voucher_value}.",
            place=order.place.at("voucherValue"),
            value=order.voucher_value,
        )
    goods = case.goods_total + order.shipping
    if not order.is_return and order.voucher_value > 0 and order.voucher_value > goods:
        case.problem(
            "voucher.exceeds_order",
            f"The voucher of {order.voucher_value} is larger than goods and shipping of {goods}.",
            place=order.place.at("voucherValue"),
            value=order.voucher_value,
        )


def check_currency(case: OrderContext) -> None:
    """The order has a currency, and the enterprise takes it."""
    place = case.order.place.at("currency")
    if not case.currency:
        if not any(problem.code == "currency.invalid" for problem in case.found.problems):
            case.problem("currency.missing", f"Order {case.order.number} has no currency.", place=place)
        return
    case.rule(check_enabled(case.currency, case.ctx.reference), place=place)


def check_parent(case: OrderContext, parent: Verdict | None) -> None:
    """A nested return follows its own order only."""
    order = case.order
    if parent is Verdict.BLOCKED:
        message = f"Order {order.parent} is blocked, so its return {order.number} can't follow it."
        case.problem("return.parent", message, value=order.parent)


def check_rebates(case: OrderContext, entries: Sequence[Entry]) -> None:
    """Negative amounts go out only where the mapping says that Mews takes them."""
    if case.settings.target.rebates != "block":
        return
    negative = [entry for entry in entries if entry.unit < 0]
    if negative:
        case.problem(
            "rebate.not_allowed",
            f'Order {case.order.number} has {len(negative)} negative amounts, and target.rebates is "block".',
            value=negative[0].unit,
        )


def tell_rounding(
    case: OrderContext, entries: Sequence[Entry], causes: Sequence[tuple[RoundingCause, Decimal]]
) -> None:
    """Rounding beyond a minor unit (or one of TaxPrecision, if larger) per entry and code is told."""
    if not causes and not any(entry.rounding for entry in entries):
        return  # nearly every order
    unit = max(ulp(case.precision), ulp(case.ctx.arithmetic.tax_digits(case.precision)))
    bounds = [unit * max(1, len(entry.codes)) for entry in entries]
    total = sum((amount for _, amount in causes), ZERO)
    is_large = any(abs(entry.rounding) > bound for entry, bound in zip(entries, bounds, strict=True))
    if not is_large and abs(total) <= sum(bounds, ZERO):
        return
    why = ", ".join(f"{cause.value} {amount}" for cause, amount in causes)
    number = case.order.number
    message = (
        f"Order {number} differs from its source by {total} ({why}), more than a minor unit per entry and tax code."
    )
    case.found.add(notice("rounding.large", message, order=number, place=case.order.place, value=str(total)))


def tell_tax(case: OrderContext, entries: Sequence[Entry]) -> None:
    """The source's own tax, where it gives it, is a control on what Mews will book (grandTotalTaxValue, taxBreakdown).

    A minor unit per entry may be rounding; beyond it a rate is another than the shop's.
    """
    breakdown = () if case.order.tax_mode is TaxMode.DEDUCTED else case.order.tax_breakdown
    _tell_other_rates(case, breakdown)
    stated = case.order.tax_total
    if stated is None and breakdown:
        stated = sum((row.value for row in breakdown), ZERO)
    if stated is None:
        return
    booked = sum((entry.predicted.tax for entry in entries), ZERO)
    unit = max(ulp(case.precision), ulp(case.ctx.arithmetic.tax_digits(case.precision)))
    if abs(stated - booked) <= unit * max(1, len(entries)):
        return
    number = case.order.number
    message = f"The source says that {stated} of order {number} is tax; Mews will book {booked}."
    place = case.order.place.at("taxTotal")
    case.found.add(notice("tax.total_differs", message, order=number, place=place, value=str(stated)))


def _tell_other_rates(case: OrderContext, breakdown: Sequence[TaxBreakdownRow]) -> None:
    """Tax at a rate that no line has: the sum alone may hide it."""
    rates = {line.vat_percent for line in case.lines}
    other = next(
        (row for row in breakdown if row.value and row.percent not in {*rates, case.order.shipping_percent}), None
    )
    if other is None or not rates or None in rates:
        return
    number = case.order.number
    message = f"The source says that {other.value} of order {number} is tax at {other.percent} %, which no line has."
    place = case.order.place.at("taxBreakdown")
    case.found.add(notice("tax.total_differs", message, order=number, place=place, value=str(other.percent)))


def check_assumed_rates(case: OrderContext, goods: Goods) -> None:
    """A line without a rate has the one that fits its country: the order's own sum of tax must not say otherwise.

    Shipping may be taxed in any of the ways of `shipping.tax`: which one is no question of the line.
    """
    stated = case.order.tax_total
    assumed = next((line for line in case.lines if line.vat_percent is None), None)
    if stated is None or assumed is None or not goods.is_taxed or case.order.tax_mode is TaxMode.DEDUCTED:
        return
    is_gross = case.basis is Basis.GROSS
    beside = [*goods.shipping, *goods.handling, *goods.fees]
    tax = sum((tax_in(one.total, one.tax.percent, is_gross=is_gross) for one in goods.lines), ZERO)
    tax -= sum((tax_in(part.amount, part.percent, is_gross=is_gross) for part in goods.vouchers), ZERO)
    as_planned = sum((tax_in(part.amount, part.percent, is_gross=is_gross) for part in beside), ZERO)
    amount = sum((part.amount for part in beside), ZERO)
    rates = {ZERO, *(one.tax.percent for one in goods.lines)}
    ways = {as_planned, *(tax_in(amount, rate, is_gross=is_gross) for rate in rates)}
    slack = ulp(case.precision) * (len(goods.lines) + len(beside))
    if any(abs(tax + way - stated) <= slack for way in ways):
        return
    case.problem(
        "tax.rate_unproved",
        f"{assumed.key or assumed.product or 'A line'} of order {case.order.number} has no VAT rate, and with the one that "
        f"fits its country the tax would be {money_text(tax + as_planned, case.precision)}; the order's own is {stated}.",
        place=assumed.place.at("products.vatPercent"),
        value=stated,
    )


def check_demo(case: OrderContext) -> None:
    """The public demo gets no real people's data: who is named there has to be nobody."""
    if not case.ctx.is_public_demo:
        return
    order = case.order
    emails = [order.email, *(text for field, text in order.texts.items() if field.endswith(".email"))]
    given = [email for email in emails if email.strip()]
    if given and all(_is_reserved(email.strip()) for email in given):
        return
    field = _personal_field(case)
    if field:
        case.found.add(
            Problem(
                "demo.real_data",
                order.number,
                order.place.at(field),
                message=f"Order {order.number} names a person ({field}) without an e-mail address in the reserved "
                "example domains, and the public demo is no place for real people.",
            )
        )


def _personal_field(case: OrderContext) -> str:
    """The first field of the order that tells who or where somebody is; "" for none."""
    order = case.order
    known = (
        ("invoiceAddress.email", order.email),
        ("invoiceAddress.firstName", order.first_name),
        ("invoiceAddress.lastName", order.last_name),
        ("invoiceAddress.tele", order.phone),
    )
    named = next((field for field, value in known if value), "")
    return named or next(
        (field for field, text in order.texts.items() if text.strip() and field.rpartition(".")[2] in PERSONAL), ""
    )


def _is_reserved(email: str) -> bool:
    domain = email.rpartition("@")[2].lower()
    return (
        domain.split(".")[-1] in ("example", "test", "invalid", "localhost")
        or domain in RESERVED
        or domain.endswith(tuple(f".{name}" for name in RESERVED))
    )
