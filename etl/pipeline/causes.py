"""What keeps orders back, by what a person would do about it, with the orders and the money that doing it sets free. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from etl.model.identity import split_number
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState

DECISIONS: dict[str, tuple[str, str]] = {
    "tax.undecided": ("taxes.csv", "fill in tax_codes"),
    "tax.unmapped": ("taxes.csv", "add a row (init adds those that the export needs)"),
    "tax.ambiguous": ("taxes.csv", "narrow the rows, or give the lines a VAT rate in the export"),
    "tax.rate_differs": ("taxes.csv", "correct tax_codes, or write yes into accept_rate_difference"),
    "tax.too_many_codes": ("taxes.csv", "give one code"),
    "tax.code_not_valid": ("taxes.csv", "use a code that is valid then"),
    "tax.code_unknown": ("taxes.csv", "use a code of the enterprise's tax environment"),
    "shipping.tax_undecided": ("taxes.csv", "add a row with vat_percent shipping"),
    "account.undecided": ("accounts.csv", "fill in account"),
    "account.unmapped": ("accounts.csv", "add rows, or set accounts.fallback in migration.toml"),
    "account.unknown": ("accounts.csv", "correct the account"),
    "account.inactive": ("accounts.csv", "name the account that it was merged into, or another"),
    "account.ambiguous": ("accounts.csv", "name the right customer"),
    "account.cashlist": ("accounts.csv", "name another account"),
    "product.undecided": ("products.csv", "fill in product"),
    "product.unmapped": ("products.csv", 'add a row, or set products.unmapped = "item" in migration.toml'),
    "product.unknown": ("products.csv", "correct the product"),
    "category.undecided": ("categories.csv", "fill in accounting_category"),
    "category.unknown": ("categories.csv", "correct the accounting category"),
    "segment.undecided": ("segments.csv", "fill in business_segment"),
    "segment.unknown": ("segments.csv", "correct business_segment"),
    "bill.undecided": ("bills.csv", "fill in bill"),
    "bill.not_open": ("bills.csv", "name an open bill of the order's account"),
    "reservation.undecided": ("reservations.csv", "fill in reservation"),
    "voucher.undecided": ("vouchers.csv", "fill in policy"),
    "payment.undecided": ("payments.csv", "fill in type"),
    "payment.type_not_enabled": ("payments.csv", "name a type that the enterprise has enabled"),
    "status.unknown": ("values.csv", "say what it means"),
    "country.invalid": ("values.csv", "say what it means"),
    "country.missing": ("migration.toml", "set source.default_country, or fill in the country in the export"),
    "currency.missing": ("migration.toml", "set source.default_currency, or fill in the currency in the export"),
    "bundle.ambiguous": ("migration.toml", "set products.bundles"),
}
"""Codes that a cell of the mapping folder answers: its file, and what is to be done there."""
ASK_MEWS = frozenset(
    {
        *("account.unknown", "account.inactive", "account.ambiguous", "account.cashlist", "product.unknown"),
        *("category.unknown", "segment.unknown", "bill.not_open", "payment.type_not_enabled"),
        *("tax.rate_differs", "tax.too_many_codes", "tax.code_not_valid", "tax.code_unknown"),
    }
)
"""Codes whose answer needs reference data of Mews that is newer than the mapping."""
_ROW = re.compile(r"\b(?:([a-z]+\.csv)|mapping\.xlsx, sheet ([A-Za-z.]+)), row (\d+)")
_TAX_CASE = re.compile(r"has no row for ([A-Z]{2}), (.+), \d{4}-\d\d-\d\d\.$")
_ONE_FOR_MANY = frozenset({"taxes.csv", "categories.csv", "vouchers.csv"})
"""Tables of which one row may be about many keys."""
_BY_ORDER = frozenset({"bill.undecided", "reservation.undecided"})
_GOES_WITH = "return.parent"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing to do. `subject`: what it is about, such as `GB 17.5`; `row` of `file` where the mapping has one.

    `file` is the CSV name of a table, also where the table is a sheet of mapping.xlsx.
    """

    code: str
    file: str
    row: int | None
    subject: str
    field: str = ""


@dataclass(slots=True)
class Effect:
    """Orders and source money by currency; `months` are those (YYYY-MM) that the orders belong to."""

    orders: int = 0
    money: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    months: set[str] = field(default_factory=set)

    def add(self, status: OrderStatus) -> None:
        """Counts the order under its month."""
        self.count(status.currency, status.source_total)
        if status.month:
            self.months.add(status.month)

    def count(self, currency: str, total: Decimal | None) -> None:
        """Counts an order; one without a readable total counts without money."""
        self.orders += 1
        if total is not None:
            self.money[currency] += total

    @property
    def weight(self) -> tuple[Decimal, int]:
        """What is done first: most money, whatever its currency and sign, then most orders."""
        return sum((abs(amount) for amount in self.money.values()), Decimal(0)), self.orders

    @property
    def amounts(self) -> tuple[tuple[str, Decimal], ...]:
        """By currency, the largest first."""
        return tuple(sorted(self.money.items(), key=lambda item: (-abs(item[1]), item[0])))


class Causes:
    """Orders by state, and those that are blocked by what would set them free."""

    def __init__(self, ignored: Iterable[str] = ()) -> None:
        self._ignored = frozenset(ignored)
        self._parent: tuple[str, frozenset[Cause]] = ("", frozenset())
        self.states: dict[ReportState, Effect] = defaultdict(Effect)
        self.everything = Effect()
        self.alone: dict[Cause, Effect] = defaultdict(Effect)
        """What each cause alone keeps back: doing it makes these orders ready."""
        self.touched: dict[Cause, Effect] = defaultdict(Effect)
        """What each cause keeps back, alone or with others."""
        self.examples: dict[tuple[ReportState, str], OrderStatus] = {}

    def add(self, status: OrderStatus) -> None:
        """Counts one order; a nested return comes right after its own order."""
        self.everything.add(status)
        if status.is_accepted:
            # A person accepted by name what it would need attention for: nothing is left to do.
            return
        self.states[status.state].add(status)
        errors = [problem for problem in status.problems if problem.is_error]
        if status.state is not ReportState.BLOCKED:
            if errors or status.state.needs_attention:
                self.examples.setdefault((status.state, errors[0].code if errors else ""), status)
            return
        causes = {self._cause(problem) for problem in errors if problem.code != _GOES_WITH}
        if len(causes) < len({problem.code for problem in errors}):
            number, own = self._parent
            causes |= own if split_number(status.number)[0] == number else frozenset()
        if not split_number(status.number)[1]:
            self._parent = (status.number, frozenset(causes))
        for cause in causes:
            self.touched[cause].add(status)
        if len(causes) == 1:
            self.alone[next(iter(causes))].add(status)

    def decisions(self) -> list[tuple[Cause, Effect]]:
        """The cells to decide, the one that sets most money free first.

        Where none sets an order free alone, the one that most money waits for.
        """
        known = [cause for cause in self.touched if cause.code in DECISIONS and cause.code not in self._ignored]
        effects = [(cause, self.alone[cause] if cause in self.alone else Effect()) for cause in known]
        effects.sort(key=lambda one: (one[1].weight, self.touched[one[0]].weight), reverse=True)
        return effects

    def others(self) -> list[tuple[Cause, Effect]]:
        """What no cell of the mapping tables decides, by the money that it touches."""
        kept = [
            one for one in self.touched.items() if one[0].code not in DECISIONS and one[0].code not in self._ignored
        ]
        return sorted(kept, key=lambda one: one[1].weight, reverse=True)

    def _cause(self, problem: Problem) -> Cause:
        file = DECISIONS.get(problem.code, ("", ""))[0]
        subject = problem.order if problem.code in _BY_ORDER else problem.value
        named = _ROW.search(problem.message)
        if named:
            # One row answers for all that is asked of it: several countries, goods and shipping, codes of one pattern.
            table = named[1] or f"{named[2].lower().removesuffix('.csv')}.csv"
            return Cause(problem.code, table, int(named[3]), "" if table in _ONE_FOR_MANY else subject)
        if problem.code == "tax.unmapped":
            case = _TAX_CASE.search(problem.message)
            return Cause(problem.code, file, None, f"{case[1]}, {case[2]}" if case else problem.value)
        if problem.code in {"account.unmapped", "country.missing", "currency.missing", "bundle.ambiguous"}:
            # One key answers for all of them, whatever stands in the order.
            return Cause(problem.code, file, None, "")
        if not file:
            return Cause(problem.code, "", None, "")
        return Cause(problem.code, file, None, subject, problem.place.column)
