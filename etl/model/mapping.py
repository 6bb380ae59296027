"""The mapping folder as values: `migration.toml` sections and the typed tables.

The same models feed reading, checks, `init` and the documentation. Reading is `etl.mapping.folder`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from etl.model.place import Place
from etl.model.route import Route
from etl.model.rules import (
    GIFT_CARDS,
    AccountRule,
    BillRule,
    Category,
    CategoryRule,
    PaymentRule,
    PaymentType,
    ProductRule,
    ReservationRule,
    SegmentRule,
    TaxCodes,
    TaxRule,
    VoucherPolicy,
    VoucherRule,
)

T = TypeVar("T")


def _number(value: Any) -> Any:
    """TOML writes 180, 0.05 and "0.05" (or "0,05") for the same kind of value; floats never get here."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+|,[0-9]{1,2})?", value.strip(), re.ASCII):
        return Decimal(value.strip().replace(",", "."))
    return value


def _list(value: Any) -> Any:
    """TOML has lists where values are tuples."""
    return tuple(value) if isinstance(value, list) else value


Number = Annotated[Decimal, BeforeValidator(_number)]
Choices = Annotated[tuple[T, ...], BeforeValidator(_list)]


class Section(BaseModel):
    """A section of migration.toml; unknown keys are refused by the reader with a suggestion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


OrderStatus = Literal[
    "Pending", "Confirmed", "Processing", "Completed", "Archived", "Cancelled", "Incomplete", "Failed"
]
OrderFlag = Literal["hold", "waitingForPayment", "suspect"]


class Source(Section):
    """What the export means."""

    store: str = Field(
        pattern=r"^[a-z0-9-]{1,32}$",
        description="short name of the shop, part of every ExternalIdentifier; never change it",
    )
    timezone: str = Field(description="IANA timezone of the shop's clock")
    prices_include_tax: Literal[True, False, "b2c"] = Field(
        True, description="whether prices include tax; b2c: those of storeType b2c (or none) do, b2b do not"
    )
    default_currency: str = Field("", description="ISO 4217 code for orders without a currency")
    default_country: str = Field("", description="ISO alpha-2 code for orders without a country")
    consumption: Literal["orderDate", "deliveryDate"] = Field("orderDate", description="which date Mews books")
    import_statuses: Choices[OrderStatus] = Field(
        ("Completed", "Archived"), description="statuses to import; others are skipped"
    )
    import_flags: Choices[OrderFlag] = Field((), description="flagged orders to import all the same")
    internal_orders: Literal["skip", "import"] = Field("skip", description="what to do with internal orders")
    zero_orders: Literal["import", "skip"] = Field(
        "import", description="what to do with orders whose amounts are all zero"
    )
    total_tolerance: Number = Field(
        Decimal("0.00"), ge=0, description="largest accepted difference between lines and orderTotal"
    )
    order_number: str = Field(
        "{number}",
        description="how order numbers are written, such as #{number}, or of several groups: FV/{number:4}/{month}/{year}",
    )
    encoding: str = Field("", description="encoding of text files, such as mac_roman or cp850; empty: found by looking")
    date_format: str = Field("", description="how dates are written, such as DD/MM/YY hh:mm; empty: found by looking")
    empty_words: Choices[str] = Field(
        (), description="words that mean an empty cell, such as NULL, everywhere but in keys"
    )
    sheets: Choices[str] = Field(
        (), description="sheets of a workbook to read, hidden ones too; empty: the visible ones with the header"
    )
    continuation_rows: bool = Field(
        False, description="rows below an order without any order-level cell are its lines, also without an orderTotal"
    )

    @field_validator("prices_include_tax", mode="before")
    @classmethod
    def _is_not_a_number(cls, value: Any) -> Any:
        # 1 == True in Python, and a Literal would let it pass.
        if isinstance(value, int) and not isinstance(value, bool):
            raise ValueError("Input should be True, False or 'b2c'")  # noqa: TRY004 - pydantic collects ValueErrors
        return value


class Target(Section):
    """Where the orders go."""

    route: Literal["orders", "outlet"] = Field(
        "orders", description="orders: charged to accounts by orders/add; outlet: bills of an outlet, paid outside Mews"
    )
    service: str = Field("", description="ServiceId, or eid: and its ExternalIdentifier; required for the route orders")
    enterprise_id: str = Field("", description="EnterpriseId; required with a portfolio token")
    editable_window: Literal["shorter", "accounting", "operational"] = Field(
        "shorter", description="which editable history interval binds"
    )
    outside_editable_window: Literal["block", "clamp"] = Field("block", description="orders older than the window")
    clamped_vat: Literal["block", "declare"] = Field("block", description="clamped orders with a rate above 0")
    disable_item_grouping: bool = Field(True, description="Options.DisableItemGrouping")
    notes: str = Field("Centra order {orderNumber}", description="template of Notes, after the marker")
    rebates: Literal["block", "allow"] = Field("block", description="whether the integration may post negative amounts")


class Accounts(Section):
    """Who is charged where accounts.csv has no row."""

    fallback: str = Field("", description="AccountId for everybody else")
    lookup_email: bool = Field(False, description="find customers in Mews by e-mail")
    create_customers: bool = Field(False, description="create customers that Mews does not have")


class Products(Section):
    """Lines that are not in products.csv, and bundles."""

    unmapped: Literal["item", "block"] = Field("item", description="lines without a product")
    item_name: str = Field("{brand} {product} {variant} {size}", description="template of a custom Item's name")
    accounting_category: str = Field("", description="AccountingCategoryId of custom Items")
    bundles: Literal["auto", "bundle", "contents"] = Field(
        "auto", description="which of a bundle and its contents is charged"
    )


class Shipping(Section):
    """The shipping Item."""

    name: str = Field("Shipping", min_length=1, description="its name")
    accounting_category: str = Field("", description="its AccountingCategoryId")
    tax: str = Field("proportional", min_length=1, description='"proportional", "highest", "stated" or tax codes')


class Vouchers(Section):
    """Vouchers without a row in vouchers.csv."""

    policy: VoucherPolicy = Field("rebate", description="how a voucher reduces the order")
    name: str = Field("Voucher {voucherCode}", min_length=1, description="name of a voucher Item")
    accounting_category: str = Field("", description="its AccountingCategoryId")


class Payments(Section):
    """Payments taken outside Mews."""

    post: bool = Field(False, description="post captures as external payments")
    type: str = Field("", description="external payment type; required if posted")
    refunds: Literal["none", "post"] = Field("none", description="whether refunds are posted")
    accounting_category: str = Field("", description="AccountingCategoryId of payments")


class Outlet(Section):
    """The outlet route: bills of what was sold and paid outside Mews."""

    outlet: str = Field("", description="OutletId or name of the outlet; required for the route outlet")
    account: Literal["none", "mapped"] = Field(
        "none", description="whether a bill names the account that accounts.csv and [accounts] give; nothing is charged"
    )
    bills_per_request: int = Field(1000, ge=1, le=1000, description="bills in one request at most")
    payments: Literal["captures", "balance", "none"] = Field(
        "captures",
        description="payments beside gift cards and credit: successful captures, one item for the rest of each bill, or none",
    )
    balance_name: str = Field("Webshop payment", min_length=1, description="name of the item for the rest")
    balance_category: str = Field("", description="its AccountingCategoryId")


class Mews(Section):
    """How the tool talks to Mews; does not enter the plan id."""

    rate_limit: str = Field(
        "200/30s", pattern=r"^[0-9]+/[0-9]+(\.[0-9]+)?s$", description="requests per seconds and access token, N/Ss"
    )
    concurrency: int = Field(8, ge=1, le=256, description="requests in flight at once")
    timeout_seconds: Number = Field(Decimal(100), gt=0, description="wait for an answer")
    settle_seconds: Number = Field(Decimal(180), gt=0, description="time within which Mews commits what it accepted")

    @field_validator("rate_limit")
    @classmethod
    def _lets_something_through(cls, value: str) -> str:
        count, seconds = value.removesuffix("s").split("/")
        if int(count) <= 0 or Decimal(seconds) <= 0:
            raise ValueError("requests and seconds must be above 0")
        return value

    @property
    def limit(self) -> tuple[int, Decimal]:
        """Requests and seconds of `rate_limit`."""
        count, seconds = self.rate_limit.removesuffix("s").split("/")
        return int(count), Decimal(seconds)


class Settings(Section):
    """migration.toml, whole. `source` and `target` are required."""

    source: Source
    target: Target
    accounts: Accounts = Accounts()
    products: Products = Products()
    shipping: Shipping = Shipping()
    vouchers: Vouchers = Vouchers()
    payments: Payments = Payments()
    outlet: Outlet = Outlet()
    mews: Mews = Mews()

    @property
    def route(self) -> Route:
        """Which way the orders take into Mews."""
        return Route(self.target.route)

    @property
    def names_accounts(self) -> bool:
        """Whether an order needs an account: it is charged, or its outlet bill names it."""
        return self.route is Route.ORDERS or self.outlet.account == "mapped"


CategorySection = Literal["products", "shipping", "vouchers", "payments"]
SHIPPING_WORDS = ("proportional", "highest", "stated")
"""What shipping.tax may say instead of tax codes; `stated`: the rate that the export states or proves of each order."""
SECTIONS: tuple[CategorySection, ...] = ("products", "shipping", "vouchers", "payments")
"""Sections of migration.toml that may name an accounting category."""

DECIDED = frozenset({("source", "prices_include_tax")})
"""(section, key) that has a default for the code's own use only: a folder has to name it (design section 3a)."""


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A row of controls.csv: what the shop's own report says of a month (YYYY-MM, enterprise's calendar)."""

    month: str
    currency: str
    orders: int | None
    total: Decimal | None
    tax: Decimal | None
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Waiver:
    """A row of waivers.csv: a person accepts a named problem of a named order."""

    order_number: str
    problem_code: str
    reason: str
    by: str
    date: str
    place: Place = Place()


class Sure(StrEnum):
    """How sure a row of columns.csv or values.csv is: by footing, by name or content, or by a person."""

    PROVED = "proved"
    LIKELY = "likely"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """A row of columns.csv: the header of an export, and the canonical field that it holds.

    `field` is NOT_MIGRATED for a column that is left out on purpose, "" while undecided.
    """

    header: str
    field: str
    sure: Sure = Sure.YES
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class ValueRule:
    """A row of values.csv: what a word of the shop means in a canonical field; `means` "" while undecided."""

    field: str
    value: str
    means: str
    sure: Sure = Sure.YES
    place: Place = Place()


NOT_MIGRATED = "-"
"""Field of a column that is left out on purpose."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """The mapping folder, whole and checked.

    `products` and `accounts` are keyed by (key_type, key), tried in the order PRODUCT_KEYS and ACCOUNT_KEYS;
    `segments` by market, `bills` and `reservations` by order number.
    `columns`: the decided rows of columns.csv, `values` those of values.csv. `digest` hashes the folder's content
    without comments and without [mews].
    """

    settings: Settings
    taxes: tuple[TaxRule, ...]
    products: dict[tuple[str, str], ProductRule] = field(default_factory=dict)
    accounts: dict[tuple[str, str], AccountRule] = field(default_factory=dict)
    categories: tuple[CategoryRule, ...] = ()
    vouchers: tuple[VoucherRule, ...] = ()
    payments: tuple[PaymentRule, ...] = ()
    segments: dict[str, SegmentRule] = field(default_factory=dict)
    columns: tuple[ColumnRule, ...] = ()
    values: tuple[ValueRule, ...] = ()
    bills: dict[str, BillRule] = field(default_factory=dict)
    reservations: dict[str, ReservationRule] = field(default_factory=dict)
    controls: tuple[ControlRow, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    notices: tuple[str, ...] = ()
    digest: str = ""

    @property
    def fallback(self) -> AccountRule | None:
        """Who is charged where accounts.csv has no row."""
        target = self.settings.accounts.fallback
        return AccountRule("fallback", "", target, Place("accounts.fallback in migration.toml")) if target else None

    @property
    def payment_type(self) -> PaymentType:
        """The type of captures whose method has no row in payments.csv."""
        return PaymentType(self.settings.payments.type, "payments.type in migration.toml")

    def default_category(self, section: CategorySection) -> Category:
        """The accounting category that migration.toml names in a section."""
        target: str = getattr(self.settings, section).accounting_category
        return Category(target, f"{section}.accounting_category in migration.toml")

    @property
    def balance_category(self) -> Category:
        """That of the item which brings an outlet bill to zero."""
        return Category(self.settings.outlet.balance_category, "outlet.balance_category in migration.toml")

    @property
    def shipping_taxes(self) -> tuple[TaxCodes, ...]:
        """The codes that shipping.tax names, if it names any."""
        tax = self.settings.shipping.tax
        return () if tax in SHIPPING_WORDS else (TaxCodes(tuple(tax.split()), "shipping.tax in migration.toml"),)

    @property
    def payment_types(self) -> tuple[PaymentType, ...]:
        """The types of payments that no row names: of captures, of gift cards and store credit."""
        is_gift = self.settings.vouchers.policy == "payment" or any(rule.policy == "payment" for rule in self.vouchers)
        return (*([self.payment_type] if self.settings.payments.post else []), *([GIFT_CARDS] if is_gift else []))

    @property
    def likely(self) -> tuple[ColumnRule | ValueRule, ...]:
        """The rows that nobody has confirmed: a dry run uses them, a run outside loopback refuses."""
        rules: tuple[ColumnRule | ValueRule, ...] = (*self.columns, *self.values)
        return tuple(rule for rule in rules if rule.sure is Sure.LIKELY)


PRODUCT_KEYS = ("sku", "ean", "id", "item")
ACCOUNT_KEYS = ("email", "customerId", "accountId", "buyerId", "market")
CATEGORY_KEYS = ("sku", "brand", "product")

STORE_TYPES = ("b2c", "b2b")
VOUCHER_POLICIES: tuple[VoucherPolicy, ...] = ("rebate", "spread", "payment")
EXTERNAL_PAYMENT_TYPES = (
    "Unspecified",
    "BadDebts",
    "Bacs",
    "WireTransfer",
    "Invoice",
    "ExchangeRateDifference",
    "Complimentary",
    "Reseller",
    "ExchangeRoundingDifference",
    "Barter",
    "Commission",
    "BankCharges",
    "CrossSettlement",
    "Cash",
    "CreditCard",
    "Prepayment",
    "Cheque",
    "Bancontact",
    "IDeal",
    "PayPal",
    "GiftCard",
    "LoyaltyPoints",
    "ChequeVacances",
    "OnlinePayment",
    "CardCheck",
    "PaymentHubRedirection",
    "Voucher",
    "MasterCard",
    "Visa",
    "Amex",
    "Discover",
    "DinersClub",
    "Jcb",
    "UnionPay",
    "Twint",
    "Reka",
    "LoyaltyCard",
    "PosDiningAndSpaReward",
    "DirectDebit",
    "DepositCheck",
    "DepositCash",
    "DepositCreditCard",
    "DepositWireTransfer",
)
"""ExternalPaymentTypeEnum of the Connector API; which of them an enterprise takes, its configuration says."""
