"""The money of one order: line totals, shipping and vouchers over tax-code sets, entries to the cent. Pure.

Rule: design sections 5 (sharing, vouchers, shipping, returns) and 6 (rounding, splitting, conversion).
Everything up to `to_entries` is in the source's basis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from etl.model.money import ZERO, round_together, share, share_capped, split_units
from etl.model.order import Line, Voucher
from etl.model.place import Place
from etl.model.plan import Basis, Entry, EntryKind
from etl.transform.arithmetic import Arithmetic
from etl.transform.conversion import Conversion
from etl.transform.taxes import TaxAnswer

_NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """A line with its taxes, and its total rounded together with the order's other lines."""

    line: Line
    tax: TaxAnswer
    total: Decimal


@dataclass(frozen=True, slots=True)
class TaxSet:
    """The goods of an order that share tax codes (flat ones left out).

    `weight`: their positive line totals (in returns: absolute totals). `net`: their sum in the
    direction of the order, beyond which no voucher goes.
    """

    codes: tuple[str, ...]
    percent: Decimal
    weight: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class TaxedAmount:
    """An amount of shipping, fee or voucher with one tax-code set, in the source's basis.

    `is_for_shipping`: the part of a voucher that lowers the shipping, never the goods. `is_decided`: as in `TaxAnswer`,
    for what no goods carry; `is_rated`: the source tells its rate all the same.
    """

    codes: tuple[str, ...]
    percent: Decimal
    amount: Decimal
    voucher: Voucher | None = None
    is_for_shipping: bool = False
    is_decided: bool = True
    is_rated: bool = False


def canonical(lines: Sequence[Line]) -> list[Line]:
    """The lines by their parsed content, so that a re-sorted export gives the same line numbers."""
    has_rates = all(line.vat_percent is not None for line in lines)
    return sorted(lines, key=_content if has_rates else _content_without_rate)


# All that can reach the payload takes part, or equal content in another order would be numbered otherwise.
_content = attrgetter(
    *("sku", "ean", "id", "item", "unit_price", "qty", "vat_percent"),
    *("brand", "product", "variant", "size", "text_sku", "comment"),
)


def _content_without_rate(line: Line) -> tuple[object, ...]:
    """The same, where a line may lack a rate: it comes before those that have one."""
    content = _content(line)
    return (*content[:6], -1 if line.vat_percent is None else line.vat_percent, *content[7:])


def rounded_totals(
    totals: Sequence[Decimal], taxes: Sequence[TaxAnswer], extra: Sequence[Decimal], precision: int
) -> tuple[list[Decimal], list[Decimal]]:
    """Line `totals`, and `extra` amounts (shipping, fee, vouchers as negatives), rounded together.

    They add up to the order's exact sum rounded once. Ties: larger amount, then tax codes, then canonical order.
    """
    keys = [(0, tax.codes, index) for index, tax in enumerate(taxes)]
    keys += [(1, (), index) for index in range(len(extra))]
    parts = round_together([*totals, *extra], precision, tie_keys=keys)
    return parts[: len(totals)], parts[len(totals) :]


def tax_sets(lines: Sequence[TaxedLine], arithmetic: Arithmetic, *, is_return: bool) -> list[TaxSet]:
    """The tax-code sets of the goods of value, heaviest first; lines whose tax is undecided are apart by their rates."""
    members: dict[tuple[tuple[str, ...], Decimal | None], list[TaxedLine]] = {}
    last: TaxAnswer | None = None
    for taxed in lines:
        if taxed.tax is not last:
            last = taxed.tax
            key = arithmetic.without_flat(last.codes), None if last.is_decided else last.percent
            group = members.setdefault(key, [])
        group.append(taxed)
    sets = [_tax_set(codes, group, is_return=is_return) for (codes, _), group in members.items()]
    return sorted((one for one in sets if one.weight), key=lambda one: (-one.weight, one.codes))


def _tax_set(codes: tuple[str, ...], lines: Sequence[TaxedLine], *, is_return: bool) -> TaxSet:
    net = sum([taxed.total for taxed in lines], ZERO)
    if is_return:
        weight, net = sum([abs(taxed.total) for taxed in lines], ZERO), -net
    else:
        weight = sum([taxed.total for taxed in lines if taxed.total > 0], ZERO)
    return TaxSet(codes, lines[0].tax.percent, weight, net)


def share_over(amount: Decimal, sets: Sequence[TaxSet], precision: int) -> list[TaxedAmount]:
    """`amount` in proportion to the sets' weights; parts of zero are left out."""
    amounts = share(amount, [one.weight for one in sets], precision, tie_keys=[one.codes for one in sets])
    return [TaxedAmount(one.codes, one.percent, part) for one, part in zip(sets, amounts, strict=True) if part]


@dataclass(slots=True)
class Room:
    """What vouchers may still take from the sets and from shipping."""

    sets: list[Decimal]
    shipping: list[Decimal]


def share_voucher(
    voucher: Voucher,
    amount: Decimal,
    sets: Sequence[TaxSet],
    shipping: Sequence[TaxedAmount],
    room: Room,
    precision: int,
) -> tuple[list[TaxedAmount], list[TaxedAmount]]:
    """A reducing `amount` (positive) over the goods, and what is left over the shipping.

    Shape: parts on goods, parts on shipping, all positive; `room` is lowered by what they take.
    """
    keys = [one.codes for one in sets]
    on_goods, left = share_capped(amount, [one.weight for one in sets], room.sets, precision, tie_keys=keys)
    room.sets = [space - part for space, part in zip(room.sets, on_goods, strict=True)]
    on_shipping, _ = share_capped(
        left, [abs(part.amount) for part in shipping], room.shipping, precision, tie_keys=[p.codes for p in shipping]
    )
    room.shipping = [space - part for space, part in zip(room.shipping, on_shipping, strict=True)]
    return (
        [TaxedAmount(one.codes, one.percent, part, voucher) for one, part in zip(sets, on_goods, strict=True) if part],
        [
            TaxedAmount(one.codes, one.percent, part, voucher, True)
            for one, part in zip(shipping, on_shipping, strict=True)
            if part
        ],
    )


def lowered(
    totals: Sequence[Decimal], amount: Decimal, precision: int, *, is_return: bool
) -> tuple[list[Decimal], Decimal]:
    """`totals` of one tax-code set with a voucher's `amount` taken off, in proportion to them, and what none could take.

    A negative amount is a discount taken back: it makes a sale larger, and a return smaller. Nothing turns negative
    that was not, and nothing given back turns into a charge. In sales, what is negative already stays as it is.
    """
    weights = [abs(total) if is_return or total > 0 else ZERO for total in totals]
    caps = [
        _most(total, amount, is_return=is_return) if weight else ZERO
        for total, weight in zip(totals, weights, strict=True)
    ]
    taken, left = share_capped(abs(amount), weights, caps, precision)
    if amount < 0:
        taken, left = [-part for part in taken], -left
    return [total - part for total, part in zip(totals, taken, strict=True)], left


def _most(total: Decimal, amount: Decimal, *, is_return: bool) -> Decimal:
    """How much of a voucher's `amount` a `total` may take; what grows away from zero may take all of it."""
    if amount > 0:
        return total if total > 0 else amount
    if is_return:
        return max(ZERO, -total)
    return -amount


@dataclass(slots=True)
class EntryMaker:
    """Turns source amounts into entries, one order at a time; keeps the order's rounding so far."""

    conversion: Conversion
    source: Basis
    precision: int
    accumulated: Decimal = ZERO

    def entries(
        self,
        label: str,
        total: Decimal,
        count: int,
        codes: tuple[str, ...],
        *,
        kind: EntryKind = EntryKind.ITEM,
        name: str = "",
        product_id: str = "",
        category_id: str = "",
        place: Place = _NOWHERE,
        rule: str = "",
    ) -> list[Entry]:
        """One entry, or two with suffixes .1 and .2, for `total` (source's basis) in `count` pieces.

        Negative amounts become positive counts with negative units, and never carry flat codes. `place` and `rule` tell
        where the entry comes from.
        """
        arithmetic = self.conversion.arithmetic
        if total < 0:
            codes = arithmetic.without_flat(codes)
        basis = arithmetic.basis
        is_same = self.source is basis
        units = split_units(total, count, self.precision) if is_same else self._converted(total, count, codes)
        is_gross = self.source is Basis.GROSS
        found = []
        left = total
        last = len(units) - 1
        for index, (number, unit) in enumerate(units):
            booked = arithmetic.predict(number, unit, codes, self.precision)
            result = booked.gross if is_gross else booked.net
            # The last entry of a line carries the line's rounding: the source has no entries.
            amount = left if index == last else result
            rounding = amount - result
            if last:
                left -= amount
            if rounding:
                self.accumulated += rounding
            suffix = f".{index + 1}" if last else ""
            found.append(
                Entry(
                    label + suffix,
                    kind,
                    name,
                    number,
                    unit,
                    basis,
                    codes,
                    booked,
                    amount,
                    rounding,
                    product_id,
                    category_id,
                    place,
                    rule,
                )
            )
        return found

    def _converted(self, total: Decimal, count: int, codes: tuple[str, ...]) -> Sequence[tuple[int, Decimal]]:
        """The way into the enterprise's basis; a negative total goes the mirrored way."""
        sign = -1 if total < 0 else 1
        best = self.conversion.best(abs(total), count, codes, self.precision, sign * self.accumulated)
        if sign > 0:
            return best.entries
        return [(number, -unit if unit else unit) for number, unit in best.entries]
