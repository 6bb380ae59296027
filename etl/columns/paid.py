"""Payments of orders by columns: what a voucher that is money, a capture, or the rest of a bill is sent as. Pure.

Rule: design sections 5 (vouchers, payments) and 9. Every answer is one of `etl.transform`, and one with a problem is none here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from etl.columns.cells import KEPT
from etl.columns.decided import as_json, fields_of
from etl.columns.quick import Paid
from etl.model.identity import canonical_json
from etl.model.money import units_text
from etl.model.order import Voucher
from etl.model.place import Place
from etl.model.plan import BALANCE, CAPTURE, EntryKind
from etl.model.shares import CREDIT
from etl.transform.bill_payments import balance_as, capture_as, gift_category
from etl.transform.context import Context, Findings
from etl.transform.payments import capture_type, gift_as
from etl.transform.vouchers import near_voucher, policy_of, voucher_name

_PAYMENT = as_json(EntryKind.PAYMENT.value)


class Payer(NamedTuple):
    """A payment but for its amount: the letters of its part, its type (of a bill: its name), AccountingCategoryId."""

    letters: str
    name: str
    category: str

    @property
    def part(self) -> str:
        """That of an order with one payment of the kind; others are none of the lane's."""
        return f"{self.letters}1"


class Payers:
    """The payments of one mapping and enterprise; None stands for one that is not plain.

    `by_captures`, `by_balance`: whether an order is paid by what was captured, or a bill by its rest. `has_refunds`: whether
    captures below zero are posted.
    """

    def __init__(self, ctx: Context) -> None:
        settings = ctx.mapping.settings
        self._ctx = ctx
        self.is_bill = ctx.is_outlet
        self.basis = as_json(ctx.arithmetic.basis.value)
        """That of the enterprise, as it stands in a plan line."""
        how = settings.outlet.payments
        self.by_captures = how == "captures" if self.is_bill else settings.payments.post
        self.by_balance = self.is_bill and how == "balance"
        self.has_refunds = settings.payments.refunds == "post"
        # On a bill a voucher has its name; its own fields are all that the lane has of it.
        self._is_named = not self.is_bill or {"voucherCode", "voucherName"}.issuperset(
            fields_of(settings.vouchers.name)
        )
        self._captures: dict[str, Payer | None] = {}
        self._gifts: dict[str, Payer | None] = {}
        self._balance = self._plain(BALANCE, lambda found: balance_as(ctx, found)) if self.by_balance else None

    @property
    def balance(self) -> Payer | None:
        """The rest of a bill."""
        return self._balance

    def capture(self, method: str) -> Payer | None:
        """What was captured by a method."""
        if method not in self._captures:
            if len(self._captures) >= KEPT:
                self._captures.clear()
            self._captures[method] = self._plain(CAPTURE, lambda found: self._captured(method, found))
        return self._captures[method]

    def gift(self, code: str) -> Payer | None:
        """A voucher of that code, where it is money."""
        if code not in self._gifts:
            if len(self._gifts) >= KEPT:
                self._gifts.clear()
            voucher = Voucher(code, Decimal(1))
            policy, _ = policy_of(self._ctx, voucher)
            is_plain = policy == "payment" and self._is_named and not near_voucher(self._ctx, voucher)
            self._gifts[code] = self._plain(CREDIT, lambda found: self._given(voucher, found)) if is_plain else None
        return self._gifts[code]

    def _captured(self, method: str, found: Findings) -> tuple[str, str]:
        if self.is_bill:
            return capture_as(method, self._ctx, found, Place())
        return capture_type(method, self._ctx, found, Place())

    def _given(self, voucher: Voucher, found: Findings) -> tuple[str, str]:
        ctx = self._ctx
        if self.is_bill:
            return voucher_name(ctx, voucher, {}), gift_category(voucher, ctx, found)
        return gift_as(policy_of(ctx, voucher)[1], ctx, found, Place())

    def _plain(self, letters: str, ask: Callable[[Findings], tuple[str, str]]) -> Payer | None:
        found = Findings("")
        answer = ask(found)
        return None if found.problems else Payer(letters, *answer)

    def paid(self, payer: Payer | None, units: int) -> tuple[Paid, ...]:
        """The payments of an order that one pays with so much; none of nothing."""
        return ((payer.part, payer.name, units),) if payer is not None and units else ()

    def types(self, paid: Sequence[Paid]) -> list[str]:
        """The types of external payments; those of a bill are none."""
        return [] if self.is_bill else [kind for _, kind, _ in paid]

    def text(self, payer: Payer, units: int, precision: int) -> str:
        """A payment as it stands in a plan line."""
        if self.is_bill:
            what = as_json([payer.name, payer.category])
            return f'["{payer.part}",{_PAYMENT},1,"{units_text(-units, precision)}",{self.basis},[],{what}]'
        amount = Decimal(units).scaleb(-precision)
        return canonical_json((payer.part, payer.name, amount, payer.category)).decode()
