"""A second reading of the money rules, in fractions: what an order must become, written from the contract's text alone.

It shares no code with `etl` and none with the sandbox. Sections 5 and 6 of the design are followed sentence by sentence,
by brute force where the contract only says which way is best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

ZERO = Fraction(0)
Codes = tuple[str, ...]


@dataclass(frozen=True)
class Rate:
    """A tax code: `kind` relative, flat (an amount a piece) or dependent (on the net and the taxes of `base`)."""

    kind: str
    value: Fraction
    base: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rules:
    """One enterprise and one mapping. `codes_of`: percent to tax codes. `policies`: voucher code to policy."""

    is_gross_enterprise: bool
    is_gross_source: bool
    digits: int
    tax_digits: int
    rates: dict[str, Rate]
    codes_of: dict[Fraction, Codes]
    shipping_tax: str
    shipping_codes: Codes
    policies: dict[str, str]
    default_policy: str
    allow_rebates: bool
    tolerance: Fraction
    footing: str = "without"

    @property
    def step(self) -> Fraction:
        """The smallest amount of the currency."""
        return Fraction(1, 10**self.digits)

    @property
    def has_tax_on_top(self) -> bool:
        """Whether orderTotal of prices without tax carries tax."""
        return not self.is_gross_source and self.footing != "without"


@dataclass(frozen=True)
class Goods:
    """One charged line."""

    sku: str
    qty: int
    price: Fraction
    percent: Fraction


@dataclass(frozen=True)
class Coupon:
    """A voucher; positive reduces the order."""

    code: str
    value: Fraction
    is_credit: bool = False


@dataclass(frozen=True)
class Sale:
    """An order or a return as the export means it. `total`: orderTotal as given."""

    number: str
    goods: tuple[Goods, ...]
    shipping: Fraction = ZERO
    handling: Fraction = ZERO
    fee: Fraction = ZERO
    coupons: tuple[Coupon, ...] = ()
    is_return: bool = False
    total: Fraction | None = None
    parent: str = ""

    @property
    def exact(self) -> Fraction:
        """The order's truth."""
        sold = sum((one.qty * one.price for one in self.goods), ZERO)
        return sold + self.shipping + self.handling + self.fee - sum((one.value for one in self.coupons), ZERO)


@dataclass
class Posted:
    """One line of the plan: all entries whose label starts with `label`. `way`: (count, unit) of each."""

    label: str
    codes: Codes
    count: int
    amount: Fraction
    value: Fraction
    rounding: Fraction
    entries: int


@dataclass
class Verdict:
    """`reasons` why an order is blocked, else `lines` and `paid` (credits, signed)."""

    reasons: set[str] = field(default_factory=set)
    lines: list[Posted] = field(default_factory=list)
    paid: list[Fraction] = field(default_factory=list)
    source: Fraction = ZERO
    planned: Fraction = ZERO


def half_away(value: Fraction, digits: int) -> Fraction:
    """Rounded half away from zero."""
    scaled = abs(value) * 10**digits
    whole = scaled.numerator // scaled.denominator
    whole += scaled - whole >= Fraction(1, 2)
    return Fraction(whole if value >= 0 else -whole, 10**digits)


def taxes(rules: Rules, net: Fraction, count: int, codes: Codes, round_tax: Callable[[Fraction], Fraction]) -> Fraction:
    """The taxes of an entry in net pricing: flat = value x count, the others at the tax's digits."""
    found: dict[str, Fraction] = {}
    while len(found) < len(codes):
        for code in codes:
            rate = rules.rates[code]
            if code in found or any(one in codes and one not in found for one in rate.base):
                continue
            if rate.kind == "flat":
                found[code] = rate.value * count
            else:
                found[code] = round_tax(rate.value * (net + sum(found[one] for one in rate.base if one in found)))
    return sum(found.values(), ZERO)


def booked(rules: Rules, count: int, unit: Fraction, codes: Codes) -> tuple[Fraction, Fraction]:
    """Net and gross that Mews books for count x unit."""
    value = count * unit
    if not codes:
        return value, value
    if not rules.is_gross_enterprise:
        return value, value + taxes(rules, value, count, codes, lambda tax: half_away(tax, rules.tax_digits))
    rate = rules.rates[codes[0]]
    if rate.kind == "flat":
        return value - rate.value * count, value
    return half_away(value / (1 + rate.value), rules.tax_digits), value


def with_codes(rules: Rules, codes: Codes) -> Codes:
    """Without flat codes: shipping, rebates and what is taken back never carry them. One set in any order."""
    return tuple(sorted(code for code in codes if rules.rates[code].kind != "flat"))


def share(amount: Fraction, weights: Sequence[Fraction], keys: Sequence[object], step: Fraction) -> list[Fraction]:
    """In proportion, by largest remainder; ties: larger amount, then code."""
    if amount < 0:
        return [-one for one in share(-amount, weights, keys, step)]
    whole = sum(weights, ZERO)
    exact = [amount * weight / whole / step for weight in weights]
    parts = [one.numerator // one.denominator for one in exact]
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], -weights[at], keys[at], at))
    for at in order[: int(amount / step) - sum(parts)]:
        parts[at] += 1
    return [part * step for part in parts]


def share_within(
    amount: Fraction, weights: Sequence[Fraction], room: Sequence[Fraction], keys: Sequence[object], step: Fraction
) -> tuple[list[Fraction], Fraction]:
    """The same, never beyond a share's own room; what is left over goes to the others, the rest is returned."""
    taken = [ZERO] * len(weights)
    while amount > 0:
        free = [weight if space > done else ZERO for weight, space, done in zip(weights, room, taken, strict=True)]
        if not any(free):
            free = [max(ZERO, space - done) for space, done in zip(room, taken, strict=True)]
        if not any(free):
            break
        for at, part in enumerate(share(amount, free, keys, step)):
            more = min(part, max(ZERO, room[at] - taken[at]))
            taken[at] += more
            amount -= more
    return taken, amount


def together(amounts: Sequence[Fraction], keys: Sequence[object], rules: Rules) -> list[Fraction]:
    """Rounded so that they add up to their sum rounded once; a return mirrors its sale."""
    if sum(amounts, ZERO) < 0:
        return [-one for one in together([-one for one in amounts], keys, rules)]
    exact = [one / rules.step for one in amounts]
    parts = [one.numerator // one.denominator for one in exact]
    missing = int(half_away(sum(amounts, ZERO), rules.digits) / rules.step) - sum(parts)
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], -abs(amounts[at]), keys[at], at))
    for at in order[:missing]:
        parts[at] += 1
    return [part * rules.step for part in parts]


def footed(sale: Sale, rules: Rules) -> Fraction:
    """What a shop that counts by these rules prints as orderTotal."""
    reader = Reader(sale, rules)
    reader.decide()
    return reader.footed


def decide_footing(sales: Sequence[Sale], rules: Rules) -> Rules:
    """The way in which most totals foot, decided over the whole file; of equal ones the plainest."""
    if rules.is_gross_source:
        return rules
    ways = [replace(rules, footing=way) for way in ("without", "once", "rate", "line")]
    given = [sale for sale in sales if sale.total is not None]
    votes = [sum(abs((one.total or ZERO) - footed(one, way)) <= rules.tolerance for one in given) for way in ways]
    return ways[votes.index(max(votes))]


@dataclass
class _Set:
    codes: Codes
    percent: Fraction
    weight: Fraction
    net: Fraction


@dataclass
class _Part:
    codes: Codes
    percent: Fraction
    amount: Fraction
    coupon: Coupon | None = None
    is_shipping: bool = False


class Reader:
    """Decides one order. `decide` is the answer."""

    def __init__(self, sale: Sale, rules: Rules) -> None:
        self.sale, self.rules, self.out = sale, rules, Verdict()
        self.goods = sorted(sale.goods, key=lambda one: (one.sku, one.price, one.qty, one.percent))
        self.codes = [rules.codes_of[one.percent] for one in self.goods]
        self.so_far = ZERO

    def decide(self) -> Verdict:
        """The verdict."""
        sale, rules, out = self.sale, self.rules, self.out
        coupons = sorted(sale.coupons, key=lambda one: (one.code, one.value, one.is_credit))
        exact = [one.qty * one.price for one in self.goods]
        keys: list[object] = [(0, tuple(sorted(codes)), at) for at, codes in enumerate(self.codes)]
        extra = [sale.shipping, sale.handling, sale.fee, *(-one.value for one in coupons)]
        keys += [(1, (), at) for at in range(len(extra))]
        amounts = together([*exact, *extra], keys, rules)
        totals, rest = amounts[: len(exact)], amounts[len(exact) :]
        sets = self._sets(totals)
        shipping, handling, fees = (self._carried(amount, sets) for amount in rest[:3])
        parts = self._coupons(coupons, [-one for one in rest[3:]], sets, shipping)
        self._check(coupons, shipping, handling, fees, parts)
        totals, shipping, items = self._spread(totals, shipping, parts)
        for at, (one, total) in enumerate(zip(self.goods, totals, strict=True), 1):
            codes = self.codes[at - 1] if one.qty > 0 else with_codes(rules, self.codes[at - 1])
            self._line(f"p{at}", total, abs(one.qty), tuple(sorted(codes)))
        for letter, carried in (("s", shipping), ("h", handling), ("f", fees)):
            for at, part in enumerate([one for one in carried if one.amount or letter != "s"], 1):
                self._line(f"{letter}{at}", part.amount, 1, part.codes)
        for at, part in enumerate(items, 1):
            self._line(f"v{at}", -part.amount, 1, part.codes)
        if not rules.allow_rebates and any(line.value < 0 for line in out.lines):
            out.reasons.add("rebate.not_allowed")
        if not (out.lines or self.goods):
            out.reasons.add("order.empty")
        truth = half_away(sale.exact, rules.digits)
        out.source = truth if sale.total is None or rules.has_tax_on_top else half_away(sale.total, rules.digits)
        if sale.total is not None and rules.has_tax_on_top and not out.reasons:
            out.source = truth + half_away(sale.total, rules.digits) - self.footed
        out.planned = sum((line.amount - line.rounding for line in out.lines), ZERO) - sum(out.paid, ZERO)
        return out

    def _sets(self, totals: Sequence[Fraction]) -> list[_Set]:
        found: dict[Codes, _Set] = {}
        for one, codes, total in zip(self.goods, self.codes, totals, strict=True):
            key = with_codes(self.rules, codes)
            entry = found.setdefault(key, _Set(key, one.percent, ZERO, ZERO))
            entry.weight += abs(total) if self.sale.is_return else max(ZERO, total)
            entry.net += -total if self.sale.is_return else total
        return sorted((one for one in found.values() if one.weight), key=lambda one: (-one.weight, one.codes))

    def _rate(self, codes: Codes) -> Fraction:
        return taxes(self.rules, Fraction(1), 0, codes, lambda tax: tax)

    def _carried(self, amount: Fraction, sets: Sequence[_Set]) -> list[_Part]:
        """Shipping and fees: over the sets, on the highest rate, or by a code of their own."""
        how = self.rules.shipping_tax
        if not amount:
            return []
        if how not in ("proportional", "highest"):
            codes = with_codes(self.rules, tuple(how.split()))
            return [_Part(codes, self._rate(tuple(how.split())) * 100, amount)]
        if not sets:
            codes = self.rules.shipping_codes
            return [_Part(with_codes(self.rules, codes), self._rate(codes) * 100, amount)]
        if how == "highest":
            top = max(sets, key=lambda one: (self._rate(one.codes), one.weight))
            return [_Part(top.codes, top.percent, amount)]
        shares = share(amount, [one.weight for one in sets], [one.codes for one in sets], self.rules.step)
        return [_Part(one.codes, one.percent, part) for one, part in zip(sets, shares, strict=True) if part]

    def _policy(self, coupon: Coupon) -> str:
        if coupon.is_credit:
            return "payment"
        return self.rules.policies.get(coupon.code, self.rules.default_policy)

    def _coupons(
        self, coupons: Sequence[Coupon], values: Sequence[Fraction], sets: Sequence[_Set], shipping: Sequence[_Part]
    ) -> list[_Part]:
        sign = -1 if self.sale.is_return else 1
        carriers = [(one.codes, one.percent, one.weight, max(ZERO, one.net), one.net, False) for one in sets]
        carriers += [
            (one.codes, one.percent, abs(one.amount), max(ZERO, sign * one.amount), sign * one.amount, True)
            for one in shipping
        ]
        room = [one[3] for one in carriers]
        parts: list[_Part] = []
        for coupon, value in zip(coupons, values, strict=True):
            if self._policy(coupon) == "payment":
                self.out.paid += [value] if value else []
                continue
            if not value:
                continue
            if not carriers:
                alone = self._carried(value, ())
                parts += [_Part(one.codes, one.percent, one.amount, coupon) for one in alone]
                continue
            left = abs(value)
            for is_shipping in (False, True) if sign * value > 0 else ():
                at = [index for index, one in enumerate(carriers) if one[5] is is_shipping]
                left = self._take(at, carriers, room, left, sign, coupon, parts)
            if not left:
                continue
            signed = left if value > 0 else -left
            if signed > 0:  # only in returns: what comes back may take all, what goes out its own value
                for is_shipping in (False, True):
                    at = [index for index, one in enumerate(carriers) if one[5] is is_shipping]
                    wide = [signed if one[4] >= 0 else -one[4] for one in carriers]
                    signed = self._take(at, carriers, wide, signed, 1, coupon, parts)
            if signed:
                group = [one for one in carriers if not one[5]] or carriers
                shares = share(signed, [one[2] for one in group], [one[0] for one in group], self.rules.step)
                parts += [_Part(one[0], one[1], part, coupon) for one, part in zip(group, shares, strict=True) if part]
        return parts

    def _take(
        self,
        at: Sequence[int],
        carriers: Sequence[tuple[Codes, Fraction, Fraction, Fraction, Fraction, bool]],
        room: list[Fraction],
        amount: Fraction,
        sign: int,
        coupon: Coupon,
        parts: list[_Part],
    ) -> Fraction:
        taken, left = share_within(
            amount,
            [carriers[one][2] for one in at],
            [room[one] for one in at],
            [carriers[one][0] for one in at],
            self.rules.step,
        )
        for one, part in zip(at, taken, strict=True):
            room[one] -= part
            if part:
                parts.append(_Part(carriers[one][0], carriers[one][1], sign * part, coupon, carriers[one][5]))
        return left

    def _check(self, coupons: Sequence[Coupon], *carried: Sequence[_Part]) -> None:
        """The control total, and vouchers beyond goods and shipping."""
        sale, rules = self.sale, self.rules
        *charged, parts = carried
        value = sum((one.value for one in coupons), ZERO)
        goods = sum((one.qty * one.price for one in self.goods), ZERO)
        if not sale.is_return and value > 0 and value > goods + sale.shipping:
            self.out.reasons.add("voucher.exceeds_order")
        amounts = [(one.percent, one.qty * one.price) for one in self.goods]
        amounts += [(part.percent, part.amount) for group in charged for part in group]
        amounts += [(part.percent, -part.amount) for part in parts]
        self.footed = self._footed(amounts)
        if sale.total is not None and abs(half_away(sale.total, rules.digits) - self.footed) > rules.tolerance:
            self.out.reasons.add("total.mismatch")

    def _footed(self, amounts: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
        rules = self.rules
        if not rules.has_tax_on_top:
            return half_away(self.sale.exact, rules.digits)
        paid = sum(self.out.paid, ZERO)
        each = [(percent, amount * (1 + percent / 100)) for percent, amount in amounts]
        if rules.footing == "line":
            return sum((half_away(amount, rules.digits) for _, amount in each), ZERO) - paid
        if rules.footing == "rate":
            sums: dict[Fraction, Fraction] = {}
            for percent, amount in each:
                sums[percent] = sums.get(percent, ZERO) + amount
            return sum((half_away(amount, rules.digits) for amount in sums.values()), ZERO) - paid
        return half_away(sum((amount for _, amount in each), ZERO), rules.digits) - paid

    def _spread(
        self, totals: Sequence[Fraction], shipping: Sequence[_Part], parts: Sequence[_Part]
    ) -> tuple[list[Fraction], list[_Part], list[_Part]]:
        """Lower unit prices: the goods' part within the set by line total, then shipping; no amount turns negative."""
        lines, carried = list(totals), [_Part(one.codes, one.percent, one.amount) for one in shipping]
        items: list[_Part] = [one for one in parts if self._policy(one.coupon or Coupon("", ZERO)) != "spread"]
        for part in parts:
            if self._policy(part.coupon or Coupon("", ZERO)) != "spread":
                continue
            left = part.amount
            if not part.is_shipping:
                at = [i for i, codes in enumerate(self.codes) if with_codes(self.rules, codes) == part.codes]
                found, left = self._lowered([lines[i] for i in at], left)
                for i, total in zip(at, found, strict=True):
                    lines[i] = total
            if left:
                at = [i for i, one in enumerate(carried) if one.codes == part.codes]
                found, left = self._lowered([carried[i].amount for i in at], left)
                for i, total in zip(at, found, strict=True):
                    carried[i].amount = total
            if left:
                items.append(_Part(part.codes, part.percent, left, part.coupon))
        merged: dict[tuple[int, Codes], _Part] = {}
        for part in items:
            key = (id(part.coupon), part.codes)
            amount = part.amount + (merged[key].amount if key in merged else ZERO)
            merged[key] = _Part(part.codes, part.percent, amount, part.coupon)
        return lines, carried, list(merged.values())

    def _lowered(self, totals: Sequence[Fraction], amount: Fraction) -> tuple[list[Fraction], Fraction]:
        weights = [abs(one) if self.sale.is_return else max(ZERO, one) for one in totals]
        room = []
        for total, weight in zip(totals, weights, strict=True):
            if not weight:
                room.append(ZERO)
            elif amount > 0:
                room.append(total if total > 0 else amount)
            else:
                room.append(max(ZERO, -total) if self.sale.is_return else -amount)
        taken, left = share_within(abs(amount), weights, room, list(range(len(totals))), self.rules.step)
        sign = 1 if amount > 0 else -1
        return [total - sign * part for total, part in zip(totals, taken, strict=True)], sign * left

    def _line(self, label: str, amount: Fraction, count: int, codes: Codes) -> None:
        rules = self.rules
        if amount < 0:
            codes = with_codes(rules, codes)
        if rules.is_gross_source == rules.is_gross_enterprise:
            entries = 1 if (amount / rules.step) % count == 0 else 2
            self.out.lines.append(Posted(label, codes, count, amount, amount, ZERO, entries))
            return
        constant = taxes(rules, ZERO, count, codes, lambda tax: tax)
        if rules.is_gross_source and constant > amount >= 0:
            self.out.reasons.add("tax.rate_differs")
            return
        sign = -1 if amount < 0 else 1
        rounding, value, entries = self._best(abs(amount), count, codes, constant, sign)
        self.so_far += sign * rounding
        self.out.lines.append(Posted(label, codes, count, amount, sign * value, sign * rounding, entries))

    def _best(
        self, amount: Fraction, count: int, codes: Codes, constant: Fraction, sign: int
    ) -> tuple[Fraction, Fraction, int]:
        """Over the ways as one entry or two: nearest, nearest to exact, order's rounding, fewer, lower."""
        rules = self.rules
        rate = self._rate(codes)
        exact = (amount - constant) / (1 + rate) if rules.is_gross_source else amount * (1 + rate) + constant
        middle = int(exact / rules.step)
        reach = int((2 * len(codes) + 4) * (2 + rate)) * 10 ** max(0, rules.digits - rules.tax_digits)
        best: tuple[Fraction, Fraction, Fraction, int, Fraction] | None = None
        for units in range(max(0, middle - reach), middle + reach + 1):
            value = units * rules.step
            for way in self._ways(units, count):
                seen = [booked(rules, number, unit, codes) for number, unit in way]
                result = sum((gross if rules.is_gross_source else net for net, gross in seen), ZERO)
                off = amount - result
                key = (abs(off), abs(value - exact), abs(self.so_far + sign * off), len(way), value)
                if best is None or key < best:
                    best, rounding = key, off
        assert best is not None
        return rounding, best[4], best[3]

    def _ways(self, units: int, count: int) -> list[list[tuple[int, Fraction]]]:
        low, extra = divmod(units, count)
        unit, step = low * self.rules.step, self.rules.step
        if extra:
            return [[(count - extra, unit), (extra, unit + step)]]
        return [[(count, unit)], *([(part, unit), (count - part, unit)] for part in range(1, count // 2 + 1))]
