"""One order to its plan: runs the rules in order and gathers every problem, not the first. Pure.

Rule: design sections 5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.model.identity import IDENTIFIER_LIMIT, Identity
from etl.model.money import ZERO, decimals, is_finer, round_money
from etl.model.order import Line, Order, TaxMode, Voucher
from etl.model.place import Place
from etl.model.plan import Basis, Entry, PlannedOrder, PlannedPayment, Verdict
from etl.model.problem import Problem, notice
from etl.transform.accounts import Charged, account_of
from etl.transform.amounts import (
    EntryMaker,
    Part,
    Room,
    TaxedLine,
    TaxSet,
    canonical,
    rounded_totals,
    share_over,
    share_voucher,
    spread_over_lines,
    tax_sets,
)
from etl.transform.bundles import charged_lines
from etl.transform.consumption import consumption_of, local_day
from etl.transform.context import Context, Findings, Footing
from etl.transform.fingerprint import fingerprint, skip_fingerprint
from etl.transform.payments import captures, gift_payments
from etl.transform.products import Article, article_of, cut, fill, usable_category
from etl.transform.taxes import LineTaxes, TaxAnswer, TaxCase, codes_usable, country_of, shipping_without_goods

PRICE_DECIMALS = 4
LARGEST_AMOUNT = Decimal(10) ** 11
LARGEST_COUNT = 2**31 - 1
FINEST = Decimal(1).scaleb(-PRICE_DECIMALS)
AMOUNT_COLUMNS = ("products.qty", "products.unitPrice", "shippingValue", "voucherValue", "orderTotal", "returns")
UNSUMMABLE = frozenset({"order.overlap", "order.conflict"})


def plan_order(order: Order, ctx: Context, parent: Verdict | None = None) -> PlannedOrder:
    """What would be sent for `order`, or why not. `parent`: the verdict on a nested return's own order, if met."""
    return _Planner(order, ctx).plan(parent)


def footings(order: Order, ctx: Context) -> frozenset[Footing]:
    """The ways in which orderTotal of an order without tax foots; empty where it has none or is unreadable.

    The pipeline gathers these over the whole batch and decides once (design section 6).
    """
    planner = _Planner(order, ctx)
    if planner.basis is Basis.GROSS or planner.stated_total is None or not order.is_readable:
        return frozenset()
    return planner.footings()


@dataclass(frozen=True, slots=True)
class _Goods:
    """The priced content of an order in the source's basis, taxes decided."""

    lines: list[TaxedLine]
    sets: list[TaxSet]
    shipping: list[Part]
    fees: list[Part]
    vouchers: list[Part]
    paid: list[Voucher]
    total: Decimal


class _Planner:
    def __init__(self, order: Order, ctx: Context) -> None:
        self.order = order
        self.ctx = ctx
        self.settings = ctx.mapping.settings
        self.found = Findings(order.number, order.problems, ctx.waivers.get(order.number))
        self.currency = order.currency or self.settings.source.default_currency
        known = ctx.reference.currencies.get(self.currency)
        self.precision = known.precision if known else 2
        self.basis = self._source_basis()
        self.stated_total: Decimal | None = None
        self.lines = list(order.lines)
        self.is_in_range = self._is_in_range()
        if self.is_in_range:
            if order.order_total is not None:
                self.stated_total = round_money(order.order_total, self.precision)
            self.lines = canonical(charged_lines(order, ctx, self.basis, self.precision, self.found))
        self.line_totals = [line.total for line in self.lines]
        self.goods_total = sum(self.line_totals, ZERO)
        self.vouchers = self._vouchers()
        self.texts: dict[str, str] | None = None

    def plan(self, parent: Verdict | None) -> PlannedOrder:
        """The planned order, whatever the verdict."""
        skipped = self._skip_reason(parent)
        if skipped:
            # The month of a skipped order is wanted in the report; what is odd about its date is not.
            when, _ = consumption_of(self.order, self.settings)
            return self._result(Verdict.SKIPPED, skip_reason=skipped, true_time=when)
        self._check_values()
        self._check_currency()
        if not self.is_in_range:
            return self._result(Verdict.BLOCKED)
        if parent is Verdict.BLOCKED:
            self.found.add(
                Problem(
                    "return.parent",
                    self.order.number,
                    self.order.place,
                    self.order.parent,
                    f"Order {self.order.parent} is blocked, so its return {self.order.number} can't follow it.",
                )
            )
        true_time, problems = consumption_of(self.order, self.settings)
        self.found.add(*problems)
        seen, is_clamped = self._window(true_time)
        charged = account_of(self.order, self.ctx, self.found)
        case = self._tax_case(true_time, seen)
        goods = self._goods(case) if case else None
        self._check_total(goods)
        articles = [article_of(line, self.ctx, self.found) for line in self.lines]
        entries = self._entries(goods, articles) if goods and not self.found.blocks else ()
        self._check_rebates(entries)
        self._check_clamped_vat(entries, is_clamped=is_clamped)
        self._check_demo()
        payments = self._payments(goods)
        segment, bill, reservation = self._links(charged)
        notes = self._notes(true_time, is_clamped=is_clamped)
        if self.found.blocks or seen is None or goods is None:
            return self._result(Verdict.BLOCKED, true_time=true_time, seen=seen)
        return self._ready(
            charged,
            goods,
            entries,
            payments,
            true_time,
            seen,
            notes,
            (segment, bill, reservation),
            is_clamped=is_clamped,
        )

    def footings(self) -> frozenset[Footing]:
        """The footings of orderTotal that hold, once taxes are decided as far as they can be."""
        true_time, _ = consumption_of(self.order, self.settings)
        seen, _ = self._window(true_time)
        case = self._tax_case(true_time, seen)
        goods = self._goods(case) if case else None
        total = self.stated_total
        tolerance = self.settings.source.total_tolerance
        return frozenset(
            footing
            for footing in Footing
            if total is not None
            and (stated := self._footed(goods, footing)) is not None
            and abs(total - stated) <= tolerance
        )

    # Reading the order

    def _source_basis(self) -> Basis:
        if self.order.tax_mode in (TaxMode.DEDUCTED, TaxMode.ADDED):
            return Basis.NET
        include = self.settings.source.prices_include_tax
        if include == "b2c":
            include = self.order.store_type != "b2b"
        return Basis.GROSS if include else Basis.NET

    def _vouchers(self) -> list[Voucher]:
        order = self.order
        if order.vouchers:
            return sorted(order.vouchers, key=lambda one: (one.code, one.name, one.value, one.is_credit))
        if order.voucher_value:
            return [Voucher(order.voucher_code, order.voucher_value)]
        return []

    def _skip_reason(self, parent: Verdict | None) -> str:
        order, source = self.order, self.settings.source
        unread = {problem.place.column for problem in order.problems if problem.is_error}
        if parent is Verdict.SKIPPED:
            return f"order {order.parent} is skipped"
        if not order.is_complete:
            return "return not completed"
        if order.status and "status" not in unread and order.status not in source.import_statuses:
            return f"status {order.status}"
        if flags := [flag for flag in order.flags if flag not in source.import_flags]:
            return f"flag {', '.join(flags)}"
        if order.internal and source.internal_orders == "skip":
            return "internal order"
        if source.zero_orders == "skip" and order.is_readable and self._is_zero():
            return "all amounts zero"
        return ""

    def _is_zero(self) -> bool:
        order = self.order
        amounts = [line.total for line in order.lines]
        amounts += [order.shipping, order.return_cost, order.voucher_value, order.order_total or ZERO]
        return bool(order.lines) and not any(amounts)

    # Checks of the source

    def _problem(self, code: str, message: str, *, place: Place | None = None, value: object = "") -> None:
        self.found.add(Problem(code, self.order.number, place or self.order.place, str(value), message))

    def _check_values(self) -> None:
        order = self.order
        for line in self.lines:
            self._check_line(line)
        for column, amount in self._extras():
            self._check_amount(column, amount)
        negative = [line for line in self.lines if line.qty < 0]
        if negative and not order.is_return:
            self.found.add(
                notice(
                    "quantity.negative",
                    f"Order {order.number} is no return, but has {len(negative)} lines with a negative quantity.",
                    order=order.number,
                    place=negative[0].place.at("products.qty"),
                    value=str(negative[0].qty),
                )
            )
        if order.is_readable and not self.lines and not order.shipping and not order.return_cost and not self.vouchers:
            self._problem("order.empty", f"Order {order.number} has no line, no shipping and no voucher.")
        self._check_vouchers()
        identifier = Identity(self.settings.source.store, order.number, 99).line("p99999.2")
        if len(identifier) > IDENTIFIER_LIMIT:
            self._problem("order.number_too_long", f"Order number {order.number[:40]}… is too long.")

    def _extras(self) -> tuple[tuple[str, Decimal], ...]:
        order = self.order
        return (
            ("shippingValue", order.shipping),
            ("voucherValue", order.voucher_value),
            ("returnCost", order.return_cost),
            ("orderTotal", order.order_total or ZERO),
            *(("discounts.vouchers", voucher.value) for voucher in order.vouchers),
        )

    def _is_in_range(self) -> bool:
        """Whether every amount is small enough for exact arithmetic (and for Mews)."""
        return all(-LARGEST_AMOUNT < amount < LARGEST_AMOUNT for _, amount in self._extras()) and all(
            -LARGEST_AMOUNT < line.unit_price < LARGEST_AMOUNT and -LARGEST_COUNT <= line.qty <= LARGEST_COUNT
            for line in self.order.lines
        )

    def _check_line(self, line: Line) -> None:
        if line.unit_price < 0:
            self._problem(
                "price.negative",
                f"{line.key or 'A line'} has a negative price.",
                place=line.place.at("products.unitPrice"),
                value=line.unit_price,
            )
        if self.is_in_range and is_finer(line.unit_price, PRICE_DECIMALS):
            self._problem(
                "price.decimals",
                f"{line.key or 'A line'} has a price with more than four decimals.",
                place=line.place.at("products.unitPrice"),
                value=line.unit_price,
            )
        if line.qty == 0:
            self._problem(
                "quantity.zero", f"{line.key or 'A line'} has quantity 0.", place=line.place.at("products.qty"), value=0
            )
        if abs(line.qty) > LARGEST_COUNT or abs(line.unit_price) >= LARGEST_AMOUNT:
            self._problem(
                "value.invalid", "A quantity or price is larger than Mews can hold.", place=line.place, value=line.total
            )

    def _check_amount(self, column: str, amount: Decimal) -> None:
        place = self.order.place
        if abs(amount) >= LARGEST_AMOUNT:
            self._problem(
                "value.invalid", f"{column} is larger than Mews can hold.", place=place.at(column), value=amount
            )

    def _check_vouchers(self) -> None:
        order = self.order
        stated = sum((voucher.value for voucher in self.vouchers), ZERO)
        if stated != order.voucher_value and order.is_readable:
            self._problem(
                "voucher.mismatch",
                f"The vouchers of order {order.number} add up to {stated}, voucherValue is {order.voucher_value}.",
                place=order.place.at("voucherValue"),
                value=order.voucher_value,
            )
        goods = self.goods_total + order.shipping
        if not order.is_return and order.voucher_value > 0 and order.voucher_value > goods and order.is_readable:
            self._problem(
                "voucher.exceeds_order",
                f"The voucher of {order.voucher_value} is larger than goods and shipping of {goods}.",
                place=order.place.at("voucherValue"),
                value=order.voucher_value,
            )

    def _check_currency(self) -> None:
        if not self.currency:
            if not any(problem.code == "currency.invalid" for problem in self.found.problems):
                self._problem(
                    "currency.missing",
                    f"Order {self.order.number} has no currency.",
                    place=self.order.place.at("currency"),
                )
            return
        known = self.ctx.reference.currencies.get(self.currency)
        if known is None or not known.is_enabled:
            self._problem(
                "currency.not_enabled",
                f"{self.ctx.reference.enterprise_name} does not take {self.currency}.",
                place=self.order.place.at("currency"),
                value=self.currency,
            )

    def _check_demo(self) -> None:
        email = self.order.email
        if self.ctx.is_public_demo and email and not _is_reserved(email):
            self.found.add(
                Problem(
                    "demo.real_data",
                    self.order.number,
                    self.order.place.at("invoiceAddress.email"),
                    message=f"Order {self.order.number} has an e-mail address outside the reserved example domains.",
                )
            )

    # Time and tax

    def _window(self, true_time: datetime | None) -> tuple[datetime | None, bool]:
        if true_time is None or true_time >= self.ctx.window.start:
            return true_time, False
        if self.settings.target.outside_editable_window == "clamp":
            return self.ctx.window.clamp_to, True
        self._problem(
            "window.outside",
            f"Order {self.order.number} was consumed at {true_time:%Y-%m-%d %H:%M} UTC; "
            f"Mews takes nothing before {self.ctx.window.start:%Y-%m-%d %H:%M} UTC.",
            value=f"{true_time:%Y-%m-%d}",
        )
        return true_time, False

    def _tax_case(self, true_time: datetime | None, seen: datetime | None) -> TaxCase | None:
        country = country_of(self.order, self.ctx, self.found)
        if not country or true_time is None or seen is None:
            return None
        day = local_day(true_time, self.ctx.reference.timezone)
        is_deducted = self.order.tax_mode is TaxMode.DEDUCTED
        return TaxCase(country, day, seen, self.order.store_type, self.currency, is_deducted)

    def _goods(self, case: TaxCase) -> _Goods | None:
        order, arithmetic = self.order, self.ctx.arithmetic
        taxes = LineTaxes(case, self.ctx, self.found)
        found = [taxes.of(line) for line in self.lines]
        answers = [answer for answer in found if answer is not None]
        if len(answers) < len(found):
            return None
        extra = [order.shipping, order.return_cost, *(-voucher.value for voucher in self.vouchers)]
        totals, rest = rounded_totals(self.line_totals, answers, extra, self.precision)
        taxed = [TaxedLine(*parts) for parts in zip(self.lines, answers, totals, strict=True)]
        sets = tax_sets(taxed, arithmetic, is_return=order.is_return)
        shipping = self._carried(rest[0], sets, case, fee=False)
        fees = self._carried(rest[1], sets, case, fee=True)
        if shipping is None or fees is None:
            return None
        vouchers, paid = self._shared_vouchers(
            [replace(voucher, value=-amount) for voucher, amount in zip(self.vouchers, rest[2:], strict=True)],
            sets,
            shipping,
            case,
        )
        if vouchers is None:
            return None
        return _Goods(taxed, sets, shipping, fees, vouchers, paid, sum((*totals, *rest), ZERO))

    def _carried(self, amount: Decimal, sets: list[TaxSet], case: TaxCase, *, fee: bool) -> list[Part] | None:
        """Shipping or a return's fee with its taxes; None with the reason in `found`."""
        if not amount:
            return []
        tax = self.settings.shipping.tax
        if tax == "highest" and sets:
            rate = self.ctx.arithmetic.combined_rate
            top = max(sets, key=lambda one: (rate(one.codes), one.weight))
            return [Part(top.codes, top.percent, amount)]
        if tax in ("proportional", "highest"):
            if sets:
                return share_over(amount, sets, self.precision)
            bare = shipping_without_goods(case, self.ctx, self.found, fee=fee)
        else:
            bare = self._named_codes(tuple(tax.split()), case)
        if bare is None:
            return None
        return [Part(self.ctx.arithmetic.without_flat(bare.codes), bare.percent, amount)]

    def _named_codes(self, codes: tuple[str, ...], case: TaxCase) -> TaxAnswer | None:
        where = "shipping.tax in migration.toml"
        if not codes_usable(codes, where, case, self.ctx, self.found):
            return None
        percent = self.ctx.arithmetic.combined_rate(codes) * 100
        if case.is_deducted and percent:
            self._problem("tax.rate_differs", f"{where} has a rate, but order {self.order.number} is without tax.")
            return None
        return TaxAnswer(codes, percent)

    # Vouchers

    def _policy(self, voucher: Voucher) -> tuple[str | None, str]:
        """Policy (None: undecided) and accounting category of a voucher."""
        default = self.settings.vouchers
        rule = self.ctx.lookups.find_voucher(self.ctx.mapping.vouchers, voucher.code)
        category = (rule.accounting_category if rule else "") or default.accounting_category
        if voucher.is_credit:
            return "payment", category
        return (rule.policy if rule else default.policy), category

    def _shared_vouchers(
        self, vouchers: list[Voucher], sets: list[TaxSet], shipping: list[Part], case: TaxCase
    ) -> tuple[list[Part] | None, list[Voucher]]:
        """Parts of the vouchers that lower the goods (positive: reducing), and those that are payments."""
        parts: list[Part] = []
        paid: list[Voucher] = []
        sign = -1 if self.order.is_return else 1
        room = Room([max(ZERO, one.net) for one in sets], [max(ZERO, sign * part.amount) for part in shipping])
        bare: TaxAnswer | None = None
        for voucher in vouchers:
            policy, _ = self._policy(voucher)
            if policy is None:
                self._problem(
                    "voucher.undecided", f"vouchers.csv has no policy for {voucher.code}.", value=voucher.code
                )
            elif policy == "payment":
                paid.append(voucher)
            elif not voucher.value:
                continue
            elif not sets and not shipping:
                bare = bare or self._carried_voucher(case)
                if bare is None:
                    return None, paid
                parts.append(Part(bare.codes, bare.percent, voucher.value, voucher))
            elif sign * voucher.value > 0:
                on_goods, on_shipping = share_voucher(voucher, abs(voucher.value), sets, shipping, room, self.precision)
                taken = [replace(part, amount=sign * part.amount) for part in (*on_goods, *on_shipping)]
                left = voucher.value - sum((part.amount for part in taken), ZERO)
                if left:  # only in returns: sales are blocked where the voucher is larger than the order
                    taken += [replace(part, voucher=voucher) for part in self._over_all(left, sets, shipping)]
                parts += taken
            else:
                parts += [replace(part, voucher=voucher) for part in self._over_all(voucher.value, sets, shipping)]
        return parts, paid

    def _over_all(self, amount: Decimal, sets: list[TaxSet], shipping: list[Part]) -> list[Part]:
        """`amount` over goods without a cap (it makes the order larger), else over the shipping."""
        if sets:
            return share_over(amount, sets, self.precision)
        weights = [TaxSet(part.codes, part.percent, abs(part.amount), ZERO) for part in shipping]
        return share_over(amount, weights, self.precision)

    def _carried_voucher(self, case: TaxCase) -> TaxAnswer | None:
        carried = self._carried(Decimal(1), [], case, fee=False)
        return None if carried is None else TaxAnswer(carried[0].codes, carried[0].percent)

    # Totals

    def _sum(self) -> Decimal:
        """The exact sum of the order in the source's basis, rounded once."""
        order = self.order
        return round_money(self.goods_total + order.shipping + order.return_cost - order.voucher_value, self.precision)

    def _footed(self, goods: _Goods | None, footing: Footing) -> Decimal | None:
        """What orderTotal would be in this footing; None where the taxes are not known."""
        if footing is Footing.WITHOUT_TAX:
            return self._sum()
        if goods is None:
            return None
        # Exact line totals: "rounded once" would be twice with the rounded ones.
        amounts = [(taxed.tax.percent, taxed.line.total) for taxed in goods.lines]
        amounts += [(part.percent, part.amount) for part in (*goods.shipping, *goods.fees)]
        amounts += [(part.percent, -part.amount) for part in goods.vouchers]
        paid = sum((voucher.value for voucher in goods.paid), ZERO)
        if footing is Footing.PER_LINE:
            return sum((round_money(_with(p, a), self.precision) for p, a in amounts), ZERO) - paid
        rates: dict[Decimal, Decimal] = {}
        for percent, amount in amounts:
            rates[percent] = rates.get(percent, ZERO) + amount
        if footing is Footing.PER_RATE:
            return sum((round_money(_with(p, a), self.precision) for p, a in rates.items()), ZERO) - paid
        return round_money(sum((_with(p, a) for p, a in rates.items()), ZERO), self.precision) - paid

    def _footing(self) -> Footing:
        return Footing.WITHOUT_TAX if self.basis is Basis.GROSS else self.ctx.footing

    def _check_total(self, goods: _Goods | None) -> None:
        order = self.order
        if self.stated_total is None or not order.is_readable:
            return
        stated = self._footed(goods, self._footing())
        if stated is None or abs(self.stated_total - stated) <= self.settings.source.total_tolerance:
            return
        how = "" if self.basis is Basis.GROSS else f" ({self._footing().value})"
        self._problem(
            "total.mismatch",
            f"Lines, shipping and voucher of order {order.number} add up to {stated}{how}; orderTotal is {order.order_total}.",
            place=order.place.at("orderTotal"),
            value=order.order_total,
        )

    def _source_total(self, goods: _Goods | None = None) -> Decimal | None:
        """OrderTotal in the source's basis where given, else the sum; None where neither can be read.

        An orderTotal with tax is the sum and what the tolerance let pass, since the tax is no part of the basis.
        """
        if not self.is_in_range:
            return None
        is_summable = self._is_summable()
        if self.stated_total is None:
            return self._sum() if is_summable else None
        if self._footing() is Footing.WITHOUT_TAX or not is_summable:
            return self.stated_total
        footed = self._footed(goods, self._footing()) if goods else None
        return self._sum() + (ZERO if footed is None else self.stated_total - footed)

    def _is_summable(self) -> bool:
        return not any(
            problem.is_error
            and (problem.code in UNSUMMABLE or problem.place.column == "" or problem.place.column in AMOUNT_COLUMNS)
            for problem in self.order.problems
        )

    # What would be sent

    def _entries(self, goods: _Goods, articles: list[Article]) -> tuple[Entry, ...]:
        sign = -1 if self.order.is_return else 1
        lines, shipping = goods.lines, goods.shipping
        rebates = [part for part in goods.vouchers if self._policy_of(part) != "spread"]
        for part in goods.vouchers:
            if self._policy_of(part) != "spread":
                continue
            lines, shipping, rest = self._spread(part, lines, shipping, sign)
            rebates += rest
        maker = EntryMaker(self.ctx.arithmetic, self.basis, self.precision)
        entries: list[Entry] = []
        for index, (taxed, article) in enumerate(zip(lines, articles, strict=True), 1):
            # A line taken back carries no flat code, not even at a price of zero.
            codes = taxed.tax.codes if taxed.line.qty > 0 else self.ctx.arithmetic.without_flat(taxed.tax.codes)
            self._check_flat(taxed, codes)
            entries += maker.entries(
                f"p{index}",
                taxed.total,
                abs(taxed.line.qty),
                codes,
                kind=article.kind,
                name=article.name,
                product_id=article.product_id,
                category_id=article.category_id,
            )
        entries += self._part_entries(
            maker, "s", [part for part in shipping if part.amount], self.settings.shipping.name
        )
        entries += self._part_entries(maker, "f", goods.fees, "Return fee")
        entries += self._voucher_entries(maker, _merged(rebates))
        if not entries and not self.found.blocks:
            self._problem("order.empty", f"Order {self.order.number} has nothing to send.")
        return tuple(entries)

    def _check_flat(self, taxed: TaxedLine, codes: tuple[str, ...]) -> None:
        """Blocks a line whose price is said to include flat taxes that are more than the price."""
        if self.basis is not Basis.GROSS or self.ctx.arithmetic.basis is Basis.GROSS:
            return
        flat = self.ctx.arithmetic.flat_amount(codes) * taxed.line.qty
        if flat and flat > taxed.total:
            self._problem(
                "tax.rate_differs",
                f"The flat tax of {flat} is more than the {taxed.total} of {taxed.line.key or 'a line'}, which include it.",
                place=taxed.line.place.at("products.unitPrice"),
                value=taxed.total,
            )

    def _policy_of(self, part: Part) -> str:
        return (self._policy(part.voucher)[0] if part.voucher else None) or "rebate"

    def _spread(
        self, part: Part, lines: list[TaxedLine], shipping: list[Part], sign: int
    ) -> tuple[list[TaxedLine], list[Part], list[Part]]:
        """Lines and shipping with the part taken off; where neither can take it, the part comes back as a rebate."""
        amount = sign * part.amount
        room = sum(
            (
                max(ZERO, sign * taxed.total)
                for taxed in lines
                if self.ctx.arithmetic.without_flat(taxed.tax.codes) == part.codes
            ),
            ZERO,
        )
        if room and amount <= room:
            positive = replace(part, amount=amount)
            return (
                spread_over_lines(lines, [positive], self.ctx.arithmetic, self.precision, sign=sign),
                shipping,
                [],
            )
        for index, one in enumerate(shipping):
            if one.codes == part.codes and sign * one.amount >= amount:
                lowered = replace(one, amount=one.amount - part.amount)
                return lines, [*shipping[:index], lowered, *shipping[index + 1 :]], []
        return lines, shipping, [part]

    def _part_entries(self, maker: EntryMaker, letter: str, parts: list[Part], name: str) -> list[Entry]:
        category = (
            usable_category(
                self.settings.shipping.accounting_category,
                self.ctx,
                self.found,
                "shipping.accounting_category in migration.toml",
            )
            if parts
            else ""
        )
        return [
            entry
            for index, part in enumerate(parts, 1)
            for entry in maker.entries(f"{letter}{index}", part.amount, 1, part.codes, name=name, category_id=category)
        ]

    def _voucher_entries(self, maker: EntryMaker, parts: list[Part]) -> list[Entry]:
        entries: list[Entry] = []
        for index, part in enumerate(parts, 1):
            voucher = part.voucher or Voucher("", ZERO)
            category = usable_category(
                self._policy(voucher)[1], self.ctx, self.found, "the voucher's accounting category"
            )
            values = {**self._texts(), "voucherCode": voucher.code or voucher.name, "voucherName": voucher.name}
            name = fill(self.settings.vouchers.name, values) or "Voucher"
            entries += maker.entries(
                f"v{index}", -part.amount, 1, part.codes, name=cut(name, IDENTIFIER_LIMIT), category_id=category
            )
        return entries

    def _payments(self, goods: _Goods | None) -> tuple[PlannedPayment, ...]:
        if goods is None:
            return ()
        gifts = gift_payments(self.order, goods.paid, self.ctx, self.found, lambda voucher: self._policy(voucher)[1])
        return (*gifts, *captures(self.order, self.ctx, self.found, self.precision))

    def _check_rebates(self, entries: tuple[Entry, ...]) -> None:
        negative = [entry for entry in entries if entry.unit < 0]
        if negative and self.settings.target.rebates == "block":
            self._problem(
                "rebate.not_allowed",
                f'Order {self.order.number} has {len(negative)} negative amounts, and target.rebates is "block".',
                value=negative[0].unit,
            )

    def _check_clamped_vat(self, entries: tuple[Entry, ...], *, is_clamped: bool) -> None:
        if not is_clamped or self.settings.target.clamped_vat == "declare":
            return
        rate = self.ctx.arithmetic.combined_rate
        flat = self.ctx.arithmetic.flat_amount
        if any(rate(entry.codes) > 0 or flat(entry.codes) > 0 for entry in entries):
            self._problem(
                "window.vat_undeclared",
                f"Order {self.order.number} is older than the editable window; clamping would declare its VAT again.",
            )

    def _links(self, charged: Charged) -> tuple[str, str, str]:
        """Business segment, bill and reservation, checked as far as Mews lets one know."""
        return self._segment(), self._bill(charged), self._linked("reservation", self.ctx.mapping.reservations)

    def _segment(self) -> str:
        market = self.order.market
        segments = self.ctx.mapping.segments
        if not market or market not in segments:
            return ""
        segment = segments[market]
        if segment is None:
            self._problem("segment.undecided", f"segments.csv has no business_segment for {market}.", value=market)
            return ""
        known = self.ctx.reference.segments.get(segment)
        if known is None or not known.is_active:
            self._problem("segment.unknown", f"The enterprise has no active business segment {segment}.", value=segment)
        return segment

    def _bill(self, charged: Charged) -> str:
        bill_id = self._linked("bill", self.ctx.mapping.bills)
        if not bill_id:
            return ""
        bill = self.ctx.reference.bills.get(bill_id)
        # A customer that is still to be made has no bill yet.
        is_theirs = bill is not None and (
            bill.account_id == charged.account_id or not (charged.account_id or charged.create)
        )
        if bill is None or not bill.is_open or not is_theirs:
            self._problem(
                "bill.not_open",
                f"Bill {bill_id} is not an open bill of the account of order {self.order.number}.",
                value=bill_id,
            )
        return bill_id

    def _linked(self, what: str, table: dict[str, str | None]) -> str:
        if self.order.number not in table:
            return ""
        target = table[self.order.number]
        if target is None:
            self._problem(f"{what}.undecided", f"{what}s.csv has no {what} for order {self.order.number}.")
        return target or ""

    def _notes(self, true_time: datetime | None, *, is_clamped: bool) -> str:
        # Nobody's comment may pass for the marker of an order.
        notes = fill(self.settings.target.notes, self._texts()).replace("[centra:", "(centra:")
        if is_clamped and true_time is not None:
            # The customer knows the shop's day, the tax follows the hotel's.
            zones = (self.settings.source.timezone, self.ctx.reference.timezone)
            days = dict.fromkeys(local_day(true_time, zone).isoformat() for zone in zones)
            notes = f"{notes} (consumed {', in the hotel '.join(days)})".strip()
        return notes

    def _texts(self) -> dict[str, str]:
        """The fields of the Notes template, typed ones in one style whatever the export's."""
        if self.texts is None:
            self.texts = self._read_texts()
        return self.texts

    def _read_texts(self) -> dict[str, str]:
        order = self.order
        typed = {
            "orderNumber": order.number,
            "orderDate": str(order.order_date or ""),
            "deliveryDate": str(order.delivery_date or ""),
            "currency": self.currency,
            "invoiceAddress.country": order.invoice_country,
            "deliveryAddress.country": order.delivery_country,
            "shippingValue": _money_text(order.shipping, self.precision),
            "voucherValue": _money_text(order.voucher_value, self.precision),
            "orderTotal": "" if order.order_total is None else _money_text(order.order_total, self.precision),
        }
        return {**order.texts, **{name: text for name, text in typed.items() if text}}

    # Results

    def _result(
        self,
        verdict: Verdict,
        *,
        true_time: datetime | None = None,
        seen: datetime | None = None,
        source_total: Decimal | None = None,
        **more: Any,
    ) -> PlannedOrder:
        moment = seen or true_time
        order = self.order
        return PlannedOrder(
            number=order.number,
            verdict=verdict,
            currency=self.currency,
            basis=self.basis,
            source_total=self._source_total() if source_total is None else source_total,
            problems=tuple(self.found.problems),
            consumption=seen,
            true_consumption=true_time,
            month="" if moment is None else local_day(moment, self.ctx.reference.timezone).isoformat()[:7],
            parent=order.parent,
            # Content that can't be read has no fingerprint: nothing may pass for it.
            fingerprint=fingerprint(order) if order.is_readable else "",
            skip_fingerprint=skip_fingerprint(order),
            line_count=len(order.lines),
            **more,
        )

    def _ready(
        self,
        charged: Charged,
        goods: _Goods,
        entries: tuple[Entry, ...],
        payments: tuple[PlannedPayment, ...],
        true_time: datetime | None,
        seen: datetime,
        notes: str,
        links: tuple[str, str, str],
        *,
        is_clamped: bool,
    ) -> PlannedOrder:
        credit = sum([payment.amount for payment in payments if payment.part.startswith("gift")], ZERO)
        booked = [one.predicted.gross if self.basis is Basis.GROSS else one.predicted.net for one in entries]
        planned = sum(booked, ZERO) - credit
        conversion = sum([entry.rounding for entry in entries], ZERO)
        source = self._source_total(goods)
        if source is None:
            source = planned + conversion
        rounding = source - planned
        causes = (("source", rounding - conversion), ("conversion", conversion))
        unproved = (
            ("rebates", any(entry.unit < 0 for entry in entries)),
            ("company", charged.is_company),
            ("reservation", bool(links[2])),
            ("payments", bool(payments)),
        )
        return self._result(
            Verdict.READY,
            true_time=true_time,
            seen=seen,
            source_total=source,
            planned_total=planned,
            rounding=rounding,
            rounding_causes=tuple((cause, amount) for cause, amount in causes if amount),
            account_id=charged.account_id,
            account_key=charged.key,
            service_id=self.ctx.reference.service.id,
            enterprise_id=self.settings.target.enterprise_id,
            is_clamped=is_clamped,
            notes=notes,
            entries=entries,
            payments=payments,
            segment_id=links[0],
            bill_id=links[1],
            reservation_id=links[2],
            disable_item_grouping=self.settings.target.disable_item_grouping,
            unproved=tuple(name for name, holds in unproved if holds),
            create_customer=charged.create,
        )


def _merged(parts: list[Part]) -> list[Part]:
    """One part for each voucher and tax-code set: what it takes of goods and of shipping together."""
    merged: dict[tuple[int, tuple[str, ...]], Part] = {}
    for part in parts:
        key = (id(part.voucher), part.codes)
        merged[key] = replace(part, amount=merged[key].amount + part.amount) if key in merged else part
    return list(merged.values())


def _money_text(amount: Decimal, precision: int) -> str:
    return f"{round_money(amount, max(precision, decimals(amount))):f}"


def _with(percent: Decimal, amount: Decimal) -> Decimal:
    return amount * (100 + percent) / 100


def _is_reserved(email: str) -> bool:
    domain = email.rpartition("@")[2].lower()
    return (
        domain.split(".")[-1] in ("example", "test", "invalid", "localhost")
        or domain in RESERVED
        or domain.endswith(tuple(f".{name}" for name in RESERVED))
    )


RESERVED = ("example.com", "example.net", "example.org")
