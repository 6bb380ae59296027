"""Country, VAT rate and tax date to tax codes. Pure.

Rule: design section 5 (tax) and section 4 (which row of taxes.csv answers).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from etl.model.money import ZERO
from etl.model.order import Line, Order
from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.model.rules import RateKind, TaxRule, check_codes, plain
from etl.transform.context import Context, Findings


@dataclass(frozen=True, slots=True)
class TaxCase:
    """What decides on the taxes of an order's entries. `seen` is the consumption that Mews will see.

    `is_deducted`: the order was sold without tax (get-orders `taxDeducted`), so every rate is 0.
    """

    country: str
    day: date
    seen: datetime
    store_type: str
    currency: str
    is_deducted: bool = False


@dataclass(frozen=True, slots=True)
class TaxAnswer:
    """Tax codes of an entry, and the source's percent (the codes' own where the source has none).

    `is_decided` is false where nobody knows the codes: the order is blocked, and the rest of it is tried without them.
    `rule`: where the row of taxes.csv stands that answered.
    """

    codes: tuple[str, ...]
    percent: Decimal
    is_decided: bool = True
    rule: str = field(default="", compare=False)


UNDECIDED = TaxAnswer((), ZERO, is_decided=False)


def country_of(order: Order, ctx: Context, found: Findings) -> str:
    """The tax country: delivery address, else invoice address, else the default with a notice; "" if none."""
    country = order.delivery_country or order.invoice_country
    if country:
        return country
    default = ctx.mapping.settings.source.default_country
    if default:
        found.add(
            notice(
                "country.default",
                f"Order {order.number} has no country; {default} was used.",
                order=order.number,
                place=order.place,
                value=default,
            )
        )
    elif not any(problem.code.startswith("country.") for problem in found.problems):
        found.add(
            Problem(
                "country.missing",
                order.number,
                order.place.at("deliveryAddress.country"),
                message=f"Order {order.number} has no country, so its tax can't be decided.",
            )
        )
    return default


class LineTaxes:
    """The taxes of one order's lines; rows of taxes.csv that are found good are checked once an order."""

    __slots__ = ("_case", "_ctx", "_found", "_good")

    def __init__(self, case: TaxCase, ctx: Context, found: Findings) -> None:
        self._case = case
        self._ctx = ctx
        self._found = found
        self._good: dict[tuple[int, Decimal | None], TaxAnswer] = {}

    def of(self, line: Line) -> TaxAnswer | None:
        """The line's tax codes, or None with the reason in the findings."""
        case, found = self._case, self._found
        percent = ZERO if case.is_deducted else line.vat_percent
        if percent is None:
            rule = _only_rule(line, case, self._ctx, found)
        else:
            rule = self._ctx.lookups.taxes.find(
                country=case.country, percent=percent, day=case.day, store_type=case.store_type, sku=line.sku
            )
            if rule is None:
                found.add(_unmapped(line, percent, case, found.number))
        if rule is None:
            return None
        key = (id(rule), percent)
        known = self._good.get(key)
        if known is None:
            value = f"{case.country} {plain(percent)}" if percent is not None else case.country
            known = answer(rule, percent, case, self._ctx, found, line.place.at("products.vatPercent"), value)
            if known is not None:
                self._good[key] = known
        return known


def answer(
    rule: TaxRule,
    percent: Decimal | None,
    case: TaxCase,
    ctx: Context,
    found: Findings,
    place: Place,
    value: str,
) -> TaxAnswer | None:
    """The codes of a row of taxes.csv, checked against Mews; None with the reason in `found`."""
    if rule.tax_codes is None:
        found.add_rule([rule.undecided(value)], place)
        return None
    if not codes_usable(rule.tax_codes, rule.where, case, ctx, found):
        return None
    combined = ctx.arithmetic.combined_rate(rule.tax_codes) * 100
    if percent is not None and found.add_rule(rule.check_rate(percent, combined), place):
        return None
    return TaxAnswer(as_set(rule.tax_codes), combined if percent is None else percent, rule=str(rule.place))


def as_set(codes: Iterable[str]) -> tuple[str, ...]:
    """Tax codes in the one order in which they are sent, compared and counted: `A B` and `B A` are one set."""
    return tuple(sorted(set(codes)))


def codes_usable(codes: tuple[str, ...], where: str, case: TaxCase, ctx: Context, found: Findings) -> bool:
    """Whether Mews takes these codes together at the consumption it will see; the reasons go to `found`."""
    return not found.add_rule(check_codes(codes, where, ctx.reference, at=case.seen, currency=case.currency))


def _only_rule(line: Line, case: TaxCase, ctx: Context, found: Findings) -> TaxRule | None:
    rules = ctx.lookups.taxes.find_without_rate(
        country=case.country, day=case.day, store_type=case.store_type, sku=line.sku
    )
    place = line.place.at("products.vatPercent")
    if len(rules) == 1:
        rule = rules[0]
        rate = plain(rule.percent) if rule.percent is not None else "any rate"
        found.add(
            notice(
                "tax.rate_assumed",
                f"{line.key or 'A line'} has no VAT rate; {rate} is the only one for {case.country} on {case.day}.",
                order=found.number,
                place=place,
                value=rate,
            )
        )
        return rule
    if rules:
        rates = ", ".join(sorted({plain(rule.percent) if rule.percent is not None else "*" for rule in rules}))
        found.add(
            Problem(
                "tax.ambiguous",
                found.number,
                place,
                message=f"{line.key or 'A line'} has no VAT rate, and {rates} all fit {case.country} on {case.day}.",
            )
        )
    else:
        found.add(_unmapped(line, None, case, found.number))
    return None


def _unmapped(line: Line, percent: Decimal | None, case: TaxCase, number: str) -> Problem:
    rate = f"{plain(percent)} %" if percent is not None else "without a rate"
    return Problem(
        "tax.unmapped",
        number,
        line.place.at("products.vatPercent"),
        "" if percent is None else plain(percent),
        f"taxes.csv has no row for {case.country}, {rate}, {case.day}.{_meant(percent)}",
    )


def _meant(percent: Decimal | None) -> str:
    """What a rate below one percent probably is: a share of one."""
    if percent is None or not 0 < percent < 1:
        return ""
    return f" If the export means {plain(percent * 100)} %, write the rate so, or as a percent cell."


def shipping_without_goods(case: TaxCase, ctx: Context, found: Findings, *, fee: bool = False) -> TaxAnswer | None:
    """The tax of shipping (or of a voucher or fee) where no goods of value carry it; None with the reason.

    The `shipping` row of taxes.csv, else the single rate that rows naming the country leave for the date
    (of several rows for that rate the most specific).
    """
    percent = ZERO if case.is_deducted else None
    what = "a fee" if fee else "shipping"
    rule = ctx.lookups.taxes.find_shipping(country=case.country, day=case.day, store_type=case.store_type)
    if rule is None:
        rules = ctx.lookups.taxes.named_country_rates(country=case.country, day=case.day, store_type=case.store_type)
        best: dict[Decimal | None, TaxRule] = {}
        for one in rules:  # the most specific first
            if percent is None or one.percent in (percent, None):
                best.setdefault(one.percent, one)
        rates = [one for one in best.values() if one.rate is RateKind.PERCENT] or list(best.values())
        if len(rates) == 1:
            rule = rates[0]
    if rule is None:
        found.add(
            Problem(
                "shipping.tax_undecided",
                found.number,
                value=case.country,
                message=f"Order {found.number} has {what} without goods, and taxes.csv does not say how to tax it "
                f"in {case.country} on {case.day}.",
            )
        )
        return None
    return answer(rule, percent, case, ctx, found, rule.place, case.country)
