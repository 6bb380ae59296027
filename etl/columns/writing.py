"""Plain lines and shipping to an order's part of the plan id and to what is reported of it. Pure.

As `etl.model.plan.plan_line` writes it; amounts are whole numbers of the currency's smallest unit.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

from etl.columns.cells import KEPT, text_of
from etl.columns.decided import Tax, Taxes, as_json
from etl.columns.moments import When
from etl.columns.quick import Quick, Report
from etl.columns.rows import Row
from etl.model.identity import RECIPE_VERSION, Identity
from etl.model.kinds import COMPANY, REBATES
from etl.model.money import share_units
from etl.transform.accounts import Charged
from etl.transform.context import Context
from etl.transform.products import fill
from etl.transform.remainders import half_up

_NUMBER = "\0"
_REBATES, _COMPANY = ((), (REBATES,)), ((), (COMPANY,))


class Shipping(NamedTuple):
    """The shipping of an order, and the taxes of its goods; in a return what goes out weighs as much as what comes back."""

    amount: int
    taxes: Taxes
    is_return: bool


class _Texts(dict[int, str]):
    """Amounts in smallest units as texts."""

    def __init__(self, precision: int) -> None:
        super().__init__()
        self._precision = precision

    def __missing__(self, units: int) -> str:
        if len(self) >= KEPT:
            self.clear()
        found = self[units] = text_of(units, self._precision)
        return found


class Writing:
    """Writes orders of one currency for one mapping and enterprise."""

    def __init__(self, ctx: Context, currency: str, precision: int, shipping: tuple[str, str] | None) -> None:
        """`shipping`: the end of a shipping entry and its category; None where that has a problem."""
        settings = ctx.mapping.settings
        self._currency, self._precision, self._shipping = currency, precision, shipping
        self._texts = _Texts(precision)
        self._is_proportional = settings.shipping.tax == "proportional"
        self._is_rebate_blocked = settings.target.rebates == "block"
        template = fill(settings.target.notes, {"orderNumber": _NUMBER}).replace("[centra:", "(centra:")
        notes = [as_json(part)[1:-1] for part in template.split(_NUMBER)]
        marker = as_json(Identity(settings.source.store, _NUMBER).marker)[1:-1].replace("\\u0000", _NUMBER)
        service, enterprise = as_json(ctx.reference.service.id), as_json(settings.target.enterprise_id)
        self._head = f'[{RECIPE_VERSION},"{_NUMBER}","ready","{marker}",{service},{enterprise},'.split(_NUMBER)
        grouping = as_json(settings.target.disable_item_grouping)
        self._tail = f'{_NUMBER.join(notes)}",{grouping},"{currency}","","","",['.split(_NUMBER)

    def write(
        self, number: str, when: When, charged: Charged, rows: list[Row], shipping: Shipping, total: int
    ) -> Quick | str:
        """The order, whose signature lacks what its head decides; or why it is not plain."""
        texts = self._texts
        entries: list[str] = []
        taxes: dict[int, list[Any]] = {}
        categories: dict[str, list[Any]] = {}
        is_negative = False
        for place, (_, price, count, _, _, _, amount, article, tax) in enumerate(rows, 1):
            if amount < 0:
                is_negative, price = True, -price  # noqa: PLW2901
            entries.append(
                f'["p{place}",{article.kind},{abs(count)},"{texts[price]}","gross",{tax.text},{article.what}]'
            )
            self._book(taxes, categories, tax, article.category, amount)
            if amount > 0 or shipping.is_return:
                taxes[tax.at][3] += abs(amount)
        if shipping.amount:
            parts = self._parts(shipping, taxes)
            if parts is None or self._shipping is None:
                return "shipping without goods of value, or taxed in a way of its own"
            what, category = self._shipping
            is_negative = is_negative or shipping.amount < 0
            for place, (tax, amount) in enumerate(parts, 1):
                entries.append(f'["s{place}","item",1,"{texts[amount]}","gross",{tax.text},{what}]')
                self._book(taxes, categories, tax, category, amount)
        if is_negative and self._is_rebate_blocked:
            return "negative amounts"
        unproved = (*_REBATES[is_negative], *_COMPANY[charged.is_company])
        report = Report(
            number,
            self._currency,
            self._precision,
            total,
            charged.account_id,
            when.iso,
            when.month,
            len(rows),
            tuple([(tax.codes, (net, gross, bool(tax.codes))) for tax, net, gross, _ in taxes.values()]),
            tuple([(name, tuple(sums)) for name, sums in categories.items()]),
            unproved,
        )
        signature = (charged.key, tuple(taxes), bool(shipping.amount), bool(rows), is_negative)
        return Quick(self._line(number, when, charged, entries), report, signature)

    @staticmethod
    def _book(
        taxes: dict[int, list[Any]], categories: dict[str, list[Any]], tax: Tax, category: str, amount: int
    ) -> None:
        """Adds what Mews books of an entry: to its tax-code set as (tax, net, gross, weight), to its category."""
        has_codes = bool(tax.codes)
        net = half_up(amount * tax.under, tax.over) if has_codes else amount
        if (sums := taxes.get(tax.at)) is not None:
            sums[1] += net
            sums[2] += amount
        else:
            taxes[tax.at] = [tax, net, amount, 0]
        if (sums := categories.get(category)) is not None:
            sums[0] += net
            sums[1] += amount
            sums[2] |= has_codes
        else:
            categories[category] = [net, amount, has_codes]

    def _parts(self, shipping: Shipping, taxes: dict[int, list[Any]]) -> list[tuple[Tax, int]] | None:
        """The shipping over the tax-code sets of the goods, heaviest first."""
        sets = sorted(
            ((-weight, tax.codes, tax) for tax, _, _, weight in taxes.values() if weight), key=itemgetter(0, 1)
        )
        if not sets:
            bare = shipping.taxes.without_goods
            return None if bare is None else [(bare, shipping.amount)]
        if not self._is_proportional:
            return None
        if len(sets) == 1:
            return [(sets[0][2], shipping.amount)]
        sign = -1 if shipping.amount < 0 else 1
        parts = share_units(abs(shipping.amount), [-one[0] for one in sets], tie_keys=[one[1] for one in sets])
        return [(one[2], sign * part) for one, part in zip(sets, parts, strict=True) if part]

    def _line(self, number: str, when: When, charged: Charged, entries: list[str]) -> bytes:
        head, tail = number.join(self._head), number.join(self._tail)
        account = as_json(charged.account_id)
        return f'{head}{account},[],"{when.text}","{tail}{",".join(entries)}],[]]\n'.encode()
