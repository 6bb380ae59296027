"""Plain lines and shipping to an order's part of the plan id and to what is reported of it. Pure.

As `etl.model.plan.plan_line` writes it; amounts are whole numbers of the currency's smallest unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from etl.columns.booked import summed, unproved
from etl.columns.cells import KEPT, Remembered
from etl.columns.decided import Item, Tax, Taxes, as_json
from etl.columns.moments import When
from etl.columns.notes import NUMBER, Notes, between
from etl.columns.paid import Payer, Payers
from etl.columns.quick import Beside, Paid, Quick, Report
from etl.columns.rows import Flat
from etl.model.identity import RECIPE_VERSION, Identity
from etl.model.money import share_units, units_text
from etl.model.route import Route
from etl.transform.accounts import Charged
from etl.transform.context import Context

_Booked = dict[tuple[int, str], list[Any]]
"""(number of a tax-code set, category) to [tax, net, gross], in the order of the entries."""
_THEN, _NOTES = ',"', '","'
"""What stands in a plan line between account and consumption, and between that and the notes."""
T = TypeVar("T")


class Shipping(NamedTuple):
    """The shipping of an order, and the taxes of its goods; in a return what goes out weighs as much as what comes back."""

    amount: int
    taxes: Taxes
    is_return: bool


class Writing:
    """Writes orders of one currency for one mapping and enterprise."""

    def __init__(self, ctx: Context, currency: str, precision: int, shipping: Item | None) -> None:
        """`shipping`: how it is sent; None where its category has a problem."""
        settings = ctx.mapping.settings
        self.currency, self.precision, self.shipping = currency, precision, shipping
        self.texts = Remembered(partial(units_text, digits=precision))
        """Amounts in smallest units as texts."""
        self._accounts: dict[tuple[Any, ...], str] = {}
        self.payers = Payers(ctx)
        self.is_proportional = settings.shipping.tax == "proportional"
        self.is_rebate_blocked = settings.target.rebates == "block"
        marker = as_json(Identity(settings.source.store, NUMBER).marker)[1:-1].replace("\\u0000", NUMBER)
        place, enterprise = as_json(ctx.reference.place.id), as_json(settings.target.enterprise_id)
        grouping = as_json(settings.target.disable_item_grouping)
        how, where, more = "", f"{place},{enterprise}", f'{grouping},"{currency}","","",""'
        if ctx.is_outlet:
            how, where, more = f"{as_json(Route.OUTLET.value)},", place, f'"{currency}"'
        self._head = f'[{RECIPE_VERSION},"{NUMBER}","ready",{how}"{marker}",{where},'.split(NUMBER)
        self._tail = f'",{more},['
        # Payments of a bill are entries of it.
        self.end = "]]\n" if ctx.is_outlet else "],[]]\n"

    def write(
        self,
        number: str,
        when: When,
        charged: Charged,
        rows: list[Flat],
        shipping: Shipping,
        total: int,
        payer: Payer | None,
        notes: Notes,
    ) -> Quick | str:
        """The order, whose signature lacks what its head decides; or why it is not plain. `payer`: what pays all of it, if anything does."""
        entries, booked, weights, is_negative = self._goods(rows, is_return=shipping.is_return)
        if shipping.amount:
            parts = self._parts(shipping, weights)
            if parts is None or self.shipping is None:
                return "shipping without goods of value, or taxed in a way of its own"
            _, what, category = self.shipping
            is_negative = is_negative or shipping.amount < 0
            for place, (tax, amount) in enumerate(parts, 1):
                entries.append(f'["s{place}","item",1,"{self.texts[amount]}","gross",{tax.text},{what}]')
                sums = booked.setdefault((tax.at, category), [tax, 0, 0])
                sums[1] += tax.net_of(amount)
                sums[2] += amount
        if is_negative and self.is_rebate_blocked:
            return "negative amounts"
        paid = self.payers.paid(payer, total)
        taxes, categories = summed([(tax.codes, category, *sums) for (_, category), (tax, *sums) in booked.items()])
        report = Report(
            number,
            self.currency,
            self.precision,
            total,
            charged.account_id,
            when.iso,
            when.month,
            len(rows),
            taxes,
            categories,
            unproved(
                is_negative=is_negative,
                is_company=charged.is_company,
                is_old=when.is_old,
                types=self.payers.types(paid),
            ),
            paid,
            self.payers.is_bill,
        )
        payments = [self.payers.text(payer, total, self.precision)] if payer is not None and paid else []
        signature = (
            charged.key,
            tuple(booked),
            bool(shipping.amount),
            bool(rows),
            is_negative,
            when.is_old,
            bool(payments),
        )
        return Quick(self.line(number, (when.text, notes), charged, entries, payments), report, signature)

    def beside(self, rows: list[Flat], shipping: Shipping, paid: Sequence[Paid]) -> Beside:
        """What the line of an order that was written leaves out of its entries, and a person is shown; `paid` of a bill."""
        found = Beside([], [], [], [])
        weights: dict[int, tuple[Tax, int]] = {}
        for _, _, _, _, _, row, amount, article, tax in rows:
            found.nets.append(tax.net_of(amount))
            found.rows.append(row)
            found.rules.append(tax.rule)
            found.names.append(article.name if article.is_product else "")
            if amount > 0 or shipping.is_return:
                weights[tax.at] = (tax, weights.get(tax.at, (tax, 0))[1] + abs(amount))
        parts = self._parts(shipping, weights.values()) if shipping.amount else None
        others = [tax.net_of(amount) for tax, amount in parts or ()] + [-amount for _, _, amount in paid]
        for net in others:
            found.nets.append(net)
            found.rows.append(0)
            found.rules.append("")
            found.names.append("")
        return found

    def _goods(self, rows: list[Flat], *, is_return: bool) -> tuple[list[str], _Booked, list[tuple[Tax, int]], bool]:
        """The entries of lines, what Mews books of them, their weights by tax-code set, and whether any is negative."""
        texts = self.texts
        entries: list[str] = []
        booked: _Booked = {}
        weights: dict[int, int] = {}
        sets: dict[int, Tax] = {}
        is_negative = False
        for place, (_, price, count, _, _, _, amount, article, tax) in enumerate(rows, 1):
            at = tax.at
            if amount < 0:
                is_negative, price, count = True, -price, -count  # noqa: PLW2901
            elif count < 0:
                count = -count  # noqa: PLW2901
            entries.append(f'["p{place}",{article.kind},{count},"{texts[price]}","gross",{tax.text},{article.what}]')
            over = tax.over
            if not over:
                net = amount
            elif amount < 0:
                net = -((over - 2 * amount * tax.under) // (2 * over))
            else:
                net = (2 * amount * tax.under + over) // (2 * over)
            sums = booked.get((at, article.category))
            if sums is None:
                booked[at, article.category] = [tax, net, amount]
                sets[at] = tax
            else:
                sums[1] += net
                sums[2] += amount
            if amount > 0 or is_return:
                weights[at] = weights.get(at, 0) + abs(amount)
        return entries, booked, [(sets[at], weight) for at, weight in weights.items()], is_negative

    def _parts(self, shipping: Shipping, weights: Iterable[tuple[Tax, int]]) -> list[tuple[Tax, int]] | None:
        """The shipping over the tax-code sets of the goods, heaviest first."""
        sets = [(-weight, tax.codes, tax) for tax, weight in weights if weight]
        if not sets:
            bare = shipping.taxes.without_goods
            return None if bare is None else [(bare, shipping.amount)]
        if not self.is_proportional:
            return None
        if len(sets) == 1:
            return [(sets[0][2], shipping.amount)]
        sets.sort(key=itemgetter(0, 1))
        sign = -1 if shipping.amount < 0 else 1
        parts = share_units(abs(shipping.amount), [-one[0] for one in sets], tie_keys=[one[1] for one in sets])
        return [(one[2], sign * part) for one, part in zip(sets, parts, strict=True) if part]

    def line(
        self, number: str, told: tuple[str, Notes], charged: Charged, entries: list[str], paid: list[str]
    ) -> bytes:
        """The part of the plan id of an order with these entries and payments. `told`: its consumption and notes."""
        consumption, notes = told
        head, tail = number.join(self._head), f"{number.join(notes)}{self._tail}"
        if self.payers.is_bill:
            entries, paid = [*entries, *paid], []
        listed, end = ",".join(entries), self.end_with(paid)
        return f"{head}{self.account(charged)}{_THEN}{consumption}{_NOTES}{tail}{listed}{end}".encode()

    def end_with(self, paid: Sequence[str]) -> str:
        """How a plan line ends, after the entries; `paid` are payments beside them."""
        return f"],[{','.join(paid)}]]\n" if paid else self.end

    def before(self, numbers: T, consumptions: T, accounts: T, notes: Sequence[str | T]) -> list[str | T]:
        """What stands before the entries, piece by piece; `accounts` and `notes` as they are written."""
        return [*between(self._head, numbers), accounts, _THEN, consumptions, _NOTES, *notes, self._tail]

    def account(self, charged: Charged) -> str:
        """Who is charged, and the customer that may be made, as they are written."""
        key = (charged.account_id, charged.create)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= KEPT:
                self._accounts.clear()
            # A customer by e-mail enters as that, whether there is one or not.
            account_id = "" if charged.create else charged.account_id
            account = self._accounts[key] = f"{as_json(account_id)},{as_json(charged.create)}"
        return account
