"""The rows of the mapping tables as rules: what one says of Mews is checked here, once and in one set of words.

`check(reference)` gives what is wrong with a rule as problems that belong to no order yet: `preflight` lists them, the
transform puts the order to them that meets the rule. What a rule names is then taken from the reference data (`product`,
`account`, ..). Rows are read by `etl.mapping.rows`; rows of migration.toml that name something in Mews are rules, too.
`where` is the row, or the key, as a person would look it up. Pure. Rule: design section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from etl.model.place import Place
from etl.model.problem import Problem
from etl.model.reference import Account, Bill, Named, Pricing, Product, Reference, Strategy
from etl.model.taxes import combined_rate

REFUSED_CLASSIFICATION = "Cashlist"
"""Classification of customers that are not to be charged."""
PAYMASTER = "PaymasterAccount"
"""Classification of customers that Mews means for charges without a guest."""
UNDECIDED = ".undecided"
"""How the codes of rules end whose target cell is empty."""

VoucherPolicy = Literal["rebate", "spread", "payment"]


class RateKind(StrEnum):
    """What the vat_percent cell of taxes.csv says."""

    PERCENT = "percent"
    ANY = "*"
    SHIPPING = "shipping"


class _Row:
    """A row of a table of the mapping. `table`: the name of its file."""

    __slots__ = ()
    table: ClassVar[str]
    place: Place

    @property
    def where(self) -> str:
        """The row; of one that stands in no file, the file that it would stand in."""
        return str(self.place) or self.table


@dataclass(frozen=True, slots=True)
class TaxRule(_Row):
    """A row of taxes.csv. Dates are days of the enterprise's calendar, `valid_before` exclusive.

    `country` is ISO alpha-2 or "*"; `percent` is set for RateKind.PERCENT only; `store_type` and `sku`
    (a glob) are "" where the row does not name one. `tax_codes` is None while undecided, () for exempt.
    """

    table = "taxes.csv"

    country: str
    rate: RateKind
    percent: Decimal | None
    valid_from: date | None
    valid_before: date | None
    store_type: str
    sku: str
    tax_codes: tuple[str, ...] | None
    accept_rate_difference: bool = False
    place: Place = Place()

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether Mews takes the codes, on the first and the last day of the row too, and at the row's rate."""
        codes = self.tax_codes
        if codes is None:
            rate = self.rate.value if self.percent is None else plain(self.percent)
            yield self.undecided(f"{self.country} {rate}")
            return
        problems = list(check_codes(codes, self.where, reference))
        if not problems and self.percent is not None:
            problems += self.check_rate(self.percent, combined_rate(reference.tax_rates, codes) * 100)
        for moment in () if problems else self._ends(reference.timezone):
            problems += check_codes(codes, self.where, reference, at=moment)
        yield from problems

    def undecided(self, case: str) -> Problem:
        """That nobody has said yet which codes `case` becomes."""
        return Problem(
            "tax.undecided",
            place=self.place,
            value=case,
            message=f"{self.where}: tax_codes is empty for {case}.",
            hint=f"Fill in tax_codes at {self.where}, or write exempt.",
        )

    def check_rate(self, percent: Decimal, combined: Decimal) -> Iterator[Problem]:
        """Whether the codes, `combined` percent together, are what is taxed at `percent`."""
        if combined != percent and not self.accept_rate_difference:
            codes = " ".join(self.tax_codes or ()) or "exempt"
            message = f"{self.where}: {codes} is {plain(combined)} %, not {plain(percent)} %."
            yield Problem("tax.rate_differs", place=self.place, value=plain(percent), message=message)

    def _ends(self, timezone: str) -> Iterator[datetime]:
        """Noon of the row's first and of its last day, if it has them."""
        for day in (self.valid_from, self.valid_before and self.valid_before - timedelta(days=1)):
            if day is not None:
                yield datetime.combine(day, time(12), ZoneInfo(timezone)).astimezone(UTC)


def check_codes(
    codes: Sequence[str], where: str, reference: Reference, *, at: datetime | None = None, currency: str = ""
) -> Iterator[Problem]:
    """Whether Mews takes these codes together: for consumption `at`, on an amount in `currency`, where they are given."""
    if reference.pricing is Pricing.GROSS and len(codes) > 1:
        message = f"{where} gives {len(codes)} codes; an enterprise with gross pricing takes one an item."
        yield Problem("tax.too_many_codes", value=" ".join(codes), message=message)
    for code in codes:
        rate = reference.tax_rates.get(code)
        if rate is None:
            message = f"{where}: {code} is no tax code of the enterprise's tax environment {reference.tax_environment}."
            yield Problem("tax.code_unknown", value=code, message=message)
        elif at is not None and not rate.is_valid(at):
            message = f"{where}: Mews does not accept {code} for consumption at {at:%Y-%m-%d %H:%M} UTC."
            yield Problem("tax.code_not_valid", value=code, message=message)
        elif currency and rate.strategy is Strategy.FLAT and rate.currency != currency:
            message = f"{where}: {code} is an amount in {rate.currency}; the order is in {currency}."
            yield Problem("tax.code_not_valid", value=code, message=message)


@dataclass(frozen=True, slots=True)
class TaxCodes:
    """Tax codes that a key of migration.toml names."""

    codes: tuple[str, ...]
    where: str

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether Mews takes them together."""
        yield from check_codes(self.codes, self.where, reference)


@dataclass(frozen=True, slots=True)
class ProductRule(_Row):
    """A row of products.csv. `target` is an id or `eid:` and an ExternalIdentifier, None while undecided."""

    table = "products.csv"

    key_type: str
    key: str
    target: str | None
    place: Place = Place()

    def product(self, reference: Reference) -> Product | None:
        """The product of the target service that the row names; of any service where an outlet is the target."""
        found = reference.products.get(reference.id_of("product", self.target or ""))
        service = reference.service.id
        return found if found is not None and (found.service_id == service or not service) else None

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the product exists on the service, and is active."""
        if self.target is None:
            yield _undecided("product", self.where, "product", f"{self.key_type} {self.key}", self.place)
            return
        product = self.product(reference)
        if product is None:
            home = f"service {reference.service.name}" if reference.service.id else reference.enterprise_name
            message = f"{self.where}: {home} has no product {self.target}."
            yield Problem("product.unknown", place=self.place, value=self.target, message=message)
        elif not product.is_active:
            message = f"{self.where}: product {product.name or self.target} is not active in Mews."
            yield Problem("product.inactive", place=self.place, value=self.target, message=message)


@dataclass(frozen=True, slots=True)
class AccountRule(_Row):
    """A row of accounts.csv, accounts.fallback, or a customer found by e-mail. `target` is None while undecided."""

    table = "accounts.csv"

    key_type: str
    key: str
    target: str | None
    place: Place = Place()

    def account(self, reference: Reference) -> Account | None:
        """The customer or company that the row names."""
        return reference.accounts.get(reference.id_of("account", self.target or ""))

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the account exists, and may be charged."""
        if self.target is None:
            yield _undecided("account", self.where, "account", f"{self.key_type} {self.key}", self.place)
            return
        account = self.account(reference)
        if account is None:
            message = f"{self.where}: Mews has no customer or company {self.target}."
            yield Problem("account.unknown", place=self.place, value=self.target, message=message)
            return
        if not account.is_active or account.merged_into:
            hint = "Use an active account."
            if account.merged_into:
                hint = f"Use the account that it was merged into. It is {account.merged_into}."
            message = f"{self.where}: {account.kind} {self.target} is deleted or merged."
            yield Problem("account.inactive", place=self.place, value=self.target, message=message, hint=hint)
        if REFUSED_CLASSIFICATION in account.classifications:
            message = f"{self.where}: customer {self.target} is on the cash list."
            yield Problem("account.cashlist", place=self.place, value=self.target, message=message)


_CATEGORY_HOMES = {
    "products": "name categories by SKU, brand or product in categories.csv",
    "vouchers": "name one for each code in vouchers.csv (accounting_category)",
    "payments": "name one for each method in payments.csv and, for gift cards, for each code in vouchers.csv (accounting_category)",
}
"""Where else a category may be named, by the section of its key; shipping, fees and the balance have the key alone."""


def category_home(key: str) -> str:
    """Where else than in `key` of migration.toml the accounting category of such items is named; "" where nowhere."""
    return _CATEGORY_HOMES.get(key.partition(".")[0], "")


@dataclass(frozen=True, slots=True)
class Category:
    """An accounting category that some cell or key names; "" names none."""

    target: str
    where: str

    def category(self, reference: Reference) -> Named | None:
        """The category, if it is active."""
        found = reference.categories.get(self.target)
        return found if found is not None and found.is_active else None

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the enterprise has it, and it is active."""
        if self.target and self.category(reference) is None:
            fault = _not_usable("accounting category", self.target, reference.categories)
            message = f"{self.where}: {fault}"
            yield Problem("category.unknown", value=self.target, message=message)

    def missing(self) -> Problem:
        """That nothing says under which category an item of an outlet bill is booked."""
        message = f"{self.where} is empty, and every item of an outlet bill needs an accounting category."
        also = category_home(self.where)
        hint = f"Set {self.where}, or {also}." if also else f"Set {self.where}."
        return Problem("category.missing", value=self.where, message=message, hint=hint)


@dataclass(frozen=True, slots=True)
class CategoryRule(_Row):
    """A row of categories.csv, whose key is a glob. `target` is None while undecided."""

    table = "categories.csv"

    key_type: str
    key: str
    target: str | None
    place: Place = Place()

    @property
    def category(self) -> Category:
        """What the row names."""
        return Category(self.target or "", self.where)

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the category exists, and is active."""
        if self.target is None:
            of = f"{self.key_type} {self.key}"
            yield _undecided("category", self.where, "accounting_category", of, self.place, self.key)
        yield from self.category.check(reference)


@dataclass(frozen=True, slots=True)
class VoucherRule(_Row):
    """A row of vouchers.csv; `policy` None while undecided, `accounting_category` "" for the default."""

    table = "vouchers.csv"

    code: str
    policy: VoucherPolicy | None
    accounting_category: str = ""
    place: Place = Place()

    @property
    def category(self) -> Category:
        """What the row names."""
        return Category(self.accounting_category, self.where)

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the row says a policy, and its category exists."""
        if self.policy is None:
            yield self.undecided(self.code)
        yield from self.category.check(reference)

    def undecided(self, code: str) -> Problem:
        """That nobody has said yet how the voucher of that code reduces the order."""
        return _undecided("voucher", self.where, "policy", code, self.place)


@dataclass(frozen=True, slots=True)
class PaymentType:
    """A type of external payment that some cell or key names, or that nothing of the mapping can change (`code`)."""

    name: str
    where: str
    code: str = "payment.type_not_enabled"

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether it is enabled in the enterprise."""
        if self.name not in reference.payment_types:
            message = (
                f"{self.where}: external payments of type {self.name} are not enabled in {reference.enterprise_name}."
            )
            yield Problem(self.code, value=self.name, message=message)


GIFT_CARDS = PaymentType("GiftCard", "gift cards and store credit", "payment.not_supported")
"""How Mews is told of vouchers that are money."""


@dataclass(frozen=True, slots=True)
class PaymentRule(_Row):
    """A row of payments.csv; `type` None while undecided."""

    table = "payments.csv"

    method: str
    type: str | None
    accounting_category: str = ""
    place: Place = Place()

    @property
    def category(self) -> Category:
        """What the row names."""
        return Category(self.accounting_category, self.where)

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the type is enabled, and the category exists."""
        if self.type is None:
            yield self.undecided()
        else:
            yield from PaymentType(self.type, self.where).check(reference)
        yield from self.category.check(reference)

    def undecided(self) -> Problem:
        """That nobody has said yet what the method becomes."""
        return _undecided("payment", self.where, "type", f"method {self.method}", self.place, self.method)


@dataclass(frozen=True, slots=True)
class SegmentRule(_Row):
    """A row of segments.csv. `target` is a BusinessSegmentId, None while undecided."""

    table = "segments.csv"

    market: str
    target: str | None
    place: Place = Place()

    def segment(self, reference: Reference) -> Named | None:
        """The segment, if it is active."""
        found = reference.segments.get(self.target or "")
        return found if found is not None and found.is_active else None

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the segment exists, and is active."""
        if self.target is None:
            yield _undecided("segment", self.where, "business_segment", self.market, self.place)
        elif self.segment(reference) is None:
            fault = _not_usable("business segment", self.target, reference.segments)
            message = f"{self.where}: {fault}"
            yield Problem("segment.unknown", place=self.place, value=self.target, message=message)


@dataclass(frozen=True, slots=True)
class BillRule(_Row):
    """A row of bills.csv. `target` is a BillId, None while undecided."""

    table = "bills.csv"

    order_number: str
    target: str | None
    place: Place = Place()

    def bill(self, reference: Reference) -> Bill | None:
        """The bill, if it is open."""
        found = reference.bills.get(self.target or "")
        return found if found is not None and found.is_open else None

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the bill is open."""
        if self.target is None:
            yield _undecided("bill", self.where, "bill", f"order {self.order_number}", self.place, "")
        elif self.bill(reference) is None:
            yield self.not_open()

    def not_open(self) -> Problem:
        """That Mews would refuse the order on this bill."""
        message = f"{self.where}: {self.target} is not an open bill of the account of order {self.order_number}."
        return Problem("bill.not_open", place=self.place, value=self.target or "", message=message)


@dataclass(frozen=True, slots=True)
class ReservationRule(_Row):
    """A row of reservations.csv. `target` is a ReservationId, which can't be looked up; None while undecided."""

    table = "reservations.csv"

    order_number: str
    target: str | None
    place: Place = Place()

    def check(self, reference: Reference) -> Iterator[Problem]:
        """Whether the row says a reservation."""
        del reference
        if self.target is None:
            yield _undecided("reservation", self.where, "reservation", f"order {self.order_number}", self.place, "")


def check_enabled(currency: str, reference: Reference) -> Iterator[Problem]:
    """Whether the enterprise takes the currency."""
    known = reference.currencies.get(currency)
    if known is None or not known.is_enabled:
        message = f"{reference.enterprise_name} does not take {currency}."
        yield Problem("currency.not_enabled", value=currency, message=message)


def _not_usable(what: str, target: str, known: Mapping[str, Named]) -> str:
    found = known.get(target)
    if found is None:
        return f"{what} {target} does not exist in Mews."
    return f"{what} {f'{found.name} ({target})' if found.name else target} is not active in Mews."


def _undecided(what: str, where: str, column: str, of: str, place: Place, value: str | None = None) -> Problem:
    shown = of if value is None else value
    return Problem(f"{what}{UNDECIDED}", place=place, value=shown, message=f"{where}: {column} is empty for {of}.")


def plain(number: Decimal | None) -> str:
    """A number without needless zeros; "" for none."""
    return "" if number is None else f"{number.normalize():f}"
