"""What keeps orders back, by what a person would do about it, with the orders and the money that doing it sets free. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from etl.mapping.settings import FILE
from etl.model.identity import split_number
from etl.model.kinds import is_about
from etl.model.problem import Problem
from etl.model.rules import category_home
from etl.model.status import OrderStatus, ReportState


@dataclass(frozen=True, slots=True)
class Decision:
    """What answers a code: the file, its column or key of migration.toml, and what is to be done there in words."""

    file: str
    column: str
    verb: str


_TAXES = "taxes.csv"
DECISIONS: dict[str, Decision] = {
    "tax.undecided": Decision(_TAXES, "tax_codes", "fill in tax_codes"),
    "tax.unmapped": Decision(_TAXES, "", "add a row (init adds those that the export needs)"),
    "tax.ambiguous": Decision(
        _TAXES,
        "",
        "lines without a VAT rate: name the column of rates in columns.csv (products.vatPercent), or add a row with vat_percent * "
        "for what such lines of the country are",
    ),
    "tax.rate_differs": Decision(_TAXES, "tax_codes", "correct tax_codes, or write yes into accept_rate_difference"),
    "tax.too_many_codes": Decision(_TAXES, "tax_codes", "give one code"),
    "tax.code_not_valid": Decision(_TAXES, "tax_codes", "use a code that is valid then"),
    "tax.code_unknown": Decision(_TAXES, "tax_codes", "use a code of the enterprise's tax environment"),
    "shipping.tax_undecided": Decision(_TAXES, "", "add a row with vat_percent shipping"),
    "account.undecided": Decision("accounts.csv", "account", "fill in account"),
    "account.unmapped": Decision(
        FILE, "accounts.fallback", "write the AccountId that is charged, or add rows to accounts.csv"
    ),
    "account.unknown": Decision("accounts.csv", "account", "correct the account"),
    "account.inactive": Decision("accounts.csv", "account", "name the account that it was merged into, or another"),
    "account.ambiguous": Decision("accounts.csv", "account", "name the right customer"),
    "account.cashlist": Decision("accounts.csv", "account", "name another account"),
    "product.undecided": Decision("products.csv", "product", "fill in product"),
    "product.unmapped": Decision(
        "products.csv", "product", 'add a row, or set products.unmapped = "item" in migration.toml'
    ),
    "product.unknown": Decision("products.csv", "product", "correct the product"),
    "product.inactive": Decision("products.csv", "product", "name another product, or activate it in Mews"),
    "category.undecided": Decision("categories.csv", "accounting_category", "fill in accounting_category"),
    "category.missing": Decision(
        FILE,
        "",
        "write the AccountingCategoryId under which such items are booked",
    ),
    "category.unknown": Decision("categories.csv", "accounting_category", "correct the accounting category"),
    "segment.undecided": Decision("segments.csv", "business_segment", "fill in business_segment"),
    "segment.unknown": Decision("segments.csv", "business_segment", "correct business_segment"),
    "bill.undecided": Decision("bills.csv", "bill", "fill in bill"),
    "bill.not_open": Decision("bills.csv", "bill", "name an open bill of the order's account"),
    "reservation.undecided": Decision("reservations.csv", "reservation", "fill in reservation"),
    "voucher.undecided": Decision("vouchers.csv", "policy", "fill in policy"),
    "payment.undecided": Decision("payments.csv", "type", "fill in type"),
    "payment.not_supported": Decision(
        "vouchers.csv", "policy", "have Mews take such payments, or write a policy other than payment"
    ),
    "payment.type_not_enabled": Decision("payments.csv", "type", "name a type that the enterprise has enabled"),
    "status.unknown": Decision("values.csv", "means", "say what it means"),
    "country.invalid": Decision("values.csv", "means", "say what it means"),
    "currency.invalid": Decision("values.csv", "means", "say what it means"),
    "country.missing": Decision(FILE, "source.default_country", "write the country, or fill it in in the export"),
    "currency.missing": Decision(FILE, "source.default_currency", "write the currency, or fill it in in the export"),
    "bundle.ambiguous": Decision(FILE, "products.bundles", "say which of the two is charged"),
    "rebate.not_allowed": Decision(
        FILE,
        "target.rebates",
        'write "allow" once Mews lets the integration post negative amounts ("block" leaves such orders out), '
        "or, where vouchers are gift cards or credit, that is money, give their codes the policy payment in vouchers.csv; or set "
        'vouchers.policy = "spread", with which they lower the prices instead',
    ),
    "bill.not_zero": Decision(
        FILE,
        "outlet.payments",
        'say how these bills were paid: "captures" tells only the payments that the export holds and leaves the rest of a bill '
        'unpaid, "balance" adds an item for the rest, told as assumed, "none" adds nothing',
    ),
    "window.outside": Decision(
        FILE,
        "target.outside_editable_window",
        "ask Mews for a longer editable window, or book the history as outlet bills at its own dates with target.route = "
        '"outlet", or write "clamp", which books them at the window\'s start ("block" leaves them out)',
    ),
    "window.vat_undeclared": Decision(
        FILE,
        "target.clamped_vat",
        'write "declare" if their VAT is to be declared again ("block" leaves them out)',
    ),
}
"""Codes that a cell of the mapping folder answers."""
WORD = DECISIONS["status.unknown"]
"""What answers a word that values.csv has an open row for, whatever its code."""
ASK_MEWS = frozenset(
    {
        *("account.unknown", "account.inactive", "account.ambiguous", "account.cashlist", "product.unknown"),
        *(
            "category.unknown",
            "segment.unknown",
            "bill.not_open",
            "payment.type_not_enabled",
            "payment.not_supported",
            "product.inactive",
        ),
        *("tax.rate_differs", "tax.too_many_codes", "tax.code_not_valid", "tax.code_unknown"),
    }
)
"""Codes whose answer needs reference data of Mews that is newer than the mapping."""
_KEY = re.compile(r"\b([a-z]+\.[a-z_]+) in migration\.toml")
_ROW = re.compile(r"\b(?:([a-z]+\.csv)|mapping\.xlsx, sheet ([A-Za-z.]+)), row (\d+)")
_TAX_CASE = re.compile(r"has no row for ([A-Z]{2}), (.+), \d{4}-\d\d-\d\d\.$")
_ONE_FOR_MANY = frozenset({"taxes.csv", "categories.csv", "vouchers.csv"})
"""Tables of which one row may be about many keys."""
_BY_ORDER = frozenset({"bill.undecided", "reservation.undecided"})
_ONE_KEY = frozenset(code for code, one in DECISIONS.items() if one.file == FILE)
"""Codes of which one key answers all, whatever stands in the order."""
UNPAID = "bill.not_zero"
"""No reason to hold a bill back, but to ask once how the history was paid."""
MAY_STAY = frozenset({"rebate.not_allowed", "window.outside", "window.vat_undeclared", UNPAID})
"""Codes whose key has a default that a person may mean: once it stands in the file, it is decided."""
_BY_KEY = "category.missing"
"""Has a key for goods, shipping, vouchers and payments each."""
_GOES_WITH = "return.parent"
_HELD = "kind.refused"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing to do. `subject`: what it is about, such as `GB 17.5`; `row` of `file` where the mapping has one.

    `file` is the CSV name of a table, also where the table is a sheet of mapping.xlsx; `field` the column of the export
    that holds the word, or the key of migration.toml that was named.
    """

    code: str
    file: str
    row: int | None
    subject: str
    field: str = ""


def decision_of(cause: Cause) -> Decision:
    """What is to be done about it; it has to be one that a cell answers."""
    known = DECISIONS.get(cause.code, WORD)
    also = category_home(cause.field) if cause.code == _BY_KEY else ""
    return replace(known, verb=f"{known.verb}, or {also}") if also else known


def setting_of(code: str) -> Cause:
    """The key of migration.toml that answers a code."""
    return Cause(code, FILE, None, "", DECISIONS[code].column)


def _has_answer(cause: Cause) -> bool:
    return cause.code in DECISIONS or cause.file == WORD.file


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

    def __init__(
        self,
        ignored: Iterable[str] = (),
        held: Iterable[str] = (),
        meant: Iterable[str] = (),
        words: Collection[tuple[str, str]] = (),
    ) -> None:
        """`ignored`: codes that say nothing yet; `held`: kinds that Mews has refused (`model/kinds.py`).

        `meant`: codes that a person has decided to leave so; `words`: (field, word) of the open rows of values.csv.
        """
        self._ignored = frozenset(ignored)
        self._held = tuple(held)
        self._undecidable = self._ignored | frozenset(meant)
        self._words = frozenset(words)
        self._parent: tuple[str, frozenset[Cause]] = ("", frozenset())
        self.states: dict[ReportState, Effect] = defaultdict(Effect)
        self.everything = Effect()
        self.alone: dict[Cause, Effect] = defaultdict(Effect)
        """What each cause alone keeps back: doing it makes these orders ready."""
        self.touched: dict[Cause, Effect] = defaultdict(Effect)
        """What each cause keeps back, alone or with others."""
        self.open: dict[Cause, Effect] = defaultdict(Effect)
        """What each cause keeps back, alone or with others that cells decide too: what the export has to mend is not in it."""
        self.examples: dict[tuple[ReportState, str], OrderStatus] = {}
        self.unpaid = Effect()
        """Orders that are to be sent as bills which do not come to zero, their totals; none where that is meant."""
        self.refused: dict[str, Effect] = defaultdict(Effect)
        """What waits for each held kind: the orders that Mews refused for it, and those that were not sent since."""

    def add(self, status: OrderStatus) -> None:
        """Counts one order; a nested return comes right after its own order."""
        self.everything.add(status)
        if status.is_accepted:
            # A person accepted by name what it would need attention for: nothing is left to do.
            return
        self.states[status.state].add(status)
        errors = [problem for problem in status.problems if problem.is_error]
        self._count_refused(status, {problem.code for problem in errors})
        if status.state is ReportState.READY and self._is_unpaid(status):
            self.unpaid.add(status)
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
        is_open = all(self._is_decision(cause) or cause.code in self._ignored for cause in causes)
        for cause in causes:
            self.touched[cause].add(status)
            if is_open:
                self.open[cause].add(status)
        if len(causes) == 1:
            self.alone[next(iter(causes))].add(status)

    def _count_refused(self, status: OrderStatus, codes: Collection[str]) -> None:
        """An order counts once, for the first of its kinds that is held."""
        kind = next((kind for kind in self._held if kind in status.unproved), "")
        is_its_refusal = status.state is ReportState.REJECTED and kind and is_about(kind, status.message)
        if kind and (is_its_refusal or codes == {_HELD}):
            self.refused[kind].add(status)

    def decisions(self) -> list[tuple[Cause, Effect]]:
        """The cells to decide, the one that sets most money free first.

        Where none sets an order free alone, the one that most money waits for; what has no cell of its own comes last.
        """
        known = [cause for cause in self.open if self._is_decision(cause)]
        effects = [(cause, self.alone[cause] if cause in self.alone else Effect()) for cause in known]
        effects.sort(key=self._rank, reverse=True)
        return effects

    def _rank(self, one: tuple[Cause, Effect]) -> tuple[object, ...]:
        cause, alone = one
        has_cell = cause.row is not None or cause.code == "tax.unmapped" or bool(decision_of(cause).column)
        # A word that is not understood may be why something else is not known.
        return has_cell, alone.weight, self.open[cause].weight, cause.file == WORD.file

    def others(self) -> list[tuple[Cause, Effect]]:
        """What no cell of the mapping tables decides, by the money that it touches."""
        kept = [one for one in self.touched.items() if not _has_answer(one[0]) and one[0].code not in self._ignored]
        return sorted(kept, key=lambda one: one[1].weight, reverse=True)

    def _is_unpaid(self, status: OrderStatus) -> bool:
        return UNPAID not in self._undecidable and any(problem.code == UNPAID for problem in status.problems)

    def _is_decision(self, cause: Cause) -> bool:
        return _has_answer(cause) and cause.code not in self._undecidable

    def _cause(self, problem: Problem) -> Cause:
        code, message = problem.code, problem.message
        if (problem.place.canonical, problem.value) in self._words:
            return Cause(code, WORD.file, None, problem.value, problem.place.canonical)
        if code not in DECISIONS:
            return Cause(code, "", None, "")
        if code in _ONE_KEY and code != _BY_KEY:
            return setting_of(code)
        file = DECISIONS[code].file
        subject = problem.order if code in _BY_ORDER else problem.value
        if named := _ROW.search(message):
            # One row answers for all that is asked of it: several countries, goods and shipping, codes of one pattern.
            table = named[1] or f"{named[2].lower().removesuffix('.csv')}.csv"
            return Cause(code, table, int(named[3]), "" if table in _ONE_FOR_MANY else subject)
        if key := _KEY.search(message):
            return Cause(code, FILE, None, "", key[1])
        if code == "tax.unmapped":
            case = _TAX_CASE.search(message)
            return Cause(code, file, None, f"{case[1]}, {case[2]}" if case else problem.value)
        return Cause(code, file, None, subject, problem.place.canonical)
