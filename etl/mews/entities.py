"""The answers of Mews as models, whose fields carry Mews's own names in snake case.

An answer is read with every fraction as Decimal (`bodies.load`) and only then validated: pydantic's own JSON reader
would lose digits. What a missing or odd property means is told in `etl.mews.fields`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from etl.mews.fields import (
    TABLE,
    Count,
    Entity,
    Essential,
    EssentialMoment,
    EssentialPart,
    Flag,
    Moment,
    Number,
    Objects,
    OptionalCount,
    OptionalObjects,
    OptionalPart,
    Part,
    RawObjects,
    RawPart,
    Table,
    Text,
    Texts,
    objects,
    one_of,
)
from etl.model.reference import Pricing


class Price(Entity):
    """An amount of which only net and gross count."""

    net_value: Number
    gross_value: Number
    currency: Text = ""


class TaxValue(Entity):
    """One of `TaxValues`."""

    code: Text = ""
    value: Number


class BreakdownItem(Entity):
    """One of `Breakdown.Items`."""

    tax_rate_code: Text = ""
    tax_value: Number


def _coded(value: Any) -> Any:
    return [entry for entry in objects(value) if entry.get("TaxRateCode")]


class Breakdown(Entity):
    """`Breakdown`, of servers without `TaxValues`; entries without a code count for nothing."""

    items: Annotated[tuple[BreakdownItem, ...], BeforeValidator(_coded)] = ()


class Amount(Entity):
    """An amount with its taxes."""

    net_value: Number
    gross_value: Number
    currency: Essential
    tax_values: OptionalObjects[TaxValue] = None
    breakdown: Part[Breakdown] = Breakdown()

    @property
    def taxes(self) -> tuple[tuple[str, Decimal], ...]:
        """(code, value)."""
        if self.tax_values is not None:
            return tuple((tax.code, tax.value) for tax in self.tax_values)
        return tuple((item.tax_rate_code, item.tax_value) for item in self.breakdown.items)


class Paid(Entity):
    """The amount of a payment."""

    net_value: Number
    gross_value: Number
    currency: Essential


class ProductData(Entity):
    """`Data.Product` of an order item."""

    product_id: Text = ""


class ItemData(Entity):
    """`Data` of an order item."""

    product: Part[ProductData] = ProductData()


class OrderItem(Entity):
    """One of `OrderItems`."""

    owner = "OrderItem"
    amount: EssentialPart[Amount]
    unit_amount: EssentialPart[Price]
    original_amount: OptionalPart[Price] = None
    created_utc: EssentialMoment
    id: Essential
    service_order_id: Essential
    account_id: Text = ""
    service_id: Essential
    notes: Text = ""
    billing_name: Text = ""
    external_identifier: Text = ""
    unit_count: Count
    updated_utc: Moment = None
    consumed_utc: Moment = None
    canceled_utc: Moment = None
    closed_utc: Moment = None
    accounting_state: Essential
    type: Text = ""
    data: Part[ItemData] = ItemData()
    accounting_category_id: Text = ""
    bill_id: Text = ""


class ExternalData(Entity):
    """`Data.External` of a payment."""

    external_identifier: Text = ""
    type: Text = ""


class PaymentData(Entity):
    """`Data` of a payment."""

    external: Part[ExternalData] = ExternalData()


class Payment(Entity):
    """One of `Payments`. Older servers have no Data.External; some put the identifier beside it."""

    owner = "Payment"
    amount: EssentialPart[Paid]
    created_utc: EssentialMoment
    id: Essential
    account_id: Text = ""
    bill_id: Text = ""
    accounting_category_id: Text = ""
    external_identifier: Text = ""
    identifier: Text = ""
    notes: Text = ""
    type: Text = ""
    data: Part[PaymentData] = PaymentData()
    updated_utc: Moment = None
    charged_utc: Moment = None
    consumed_utc: Moment = None
    closed_utc: Moment = None
    state: Text = ""
    accounting_state: Text = ""


class ServiceOrder(Entity):
    """One of `ProductServiceOrders`."""

    owner = "ServiceOrder"
    created_utc: EssentialMoment
    id: Essential
    service_id: Essential
    account_id: Text = ""
    state: Text = ""
    number: Text = ""
    linked_reservation_id: Text = ""
    business_segment_id: Text = ""
    updated_utc: Moment = None
    cancelled_utc: Moment = None


class Usable(Entity):
    """Whatever may be in use: IsActive, and not deleted; what says nothing of it is."""

    id: Essential
    name: Text = ""
    is_active: Annotated[bool, BeforeValidator(lambda value: value is not False)] = True
    activity_state: Text = ""

    @property
    def is_used(self) -> bool:
        """Whether it is in use."""
        return self.is_active and self.activity_state != "Deleted"


class Translated(Usable):
    """What may have names in several languages instead of one."""

    names: RawPart = Field(default_factory=dict)

    @property
    def any_name(self) -> str:
        """The name, else the first of its names."""
        return self.name or next((name for name in self.names.values() if isinstance(name, str) and name), "")


class ServiceData(Entity):
    """`Data` of a service."""

    discriminator: Text = ""


class Service(Translated):
    """One of `Services`. Older servers tell by `Type` what newer ones tell by the discriminator."""

    owner = "Service"
    external_identifier: Text = ""
    data: Part[ServiceData] = ServiceData()
    type: Text = ""


class Product(Translated):
    """One of `Products`."""

    owner = "Product"
    service_id: Text = ""
    accounting_category_id: Text = ""
    external_identifier: Text = ""


class AccountingCategory(Usable):
    """One of `AccountingCategories`."""

    owner = "AccountingCategory"
    external_code: Text = ""
    code: Text = ""


class Outlet(Usable):
    """One of `Outlets`."""

    owner = "Outlet"
    created_utc: Moment = None


class OutletBill(Entity):
    """One of `OutletBills`, which come beside their items."""

    owner = "OutletBill"
    id: Essential
    outlet_id: Essential
    number: Text = ""
    closed_utc: EssentialMoment
    updated_utc: EssentialMoment
    notes: Text = ""


class TaxOfUnit(TypedDict):
    """One of `TaxValues` of an outlet item."""

    __pydantic_config__ = TABLE  # type: ignore[misc]
    code: NotRequired[Text]
    value: Number


class UnitAmount(TypedDict):
    """`Amount`, of an outlet item."""

    __pydantic_config__ = TABLE  # type: ignore[misc]
    net_value: Number
    gross_value: Number
    currency: Essential
    tax_values: NotRequired[OptionalObjects[TaxOfUnit]]
    breakdown: NotRequired[Part[Breakdown]]


class OutletItem(TypedDict):
    """One of `OutletItems`; its amount is that of one unit."""

    __pydantic_config__ = TABLE  # type: ignore[misc]
    id: Essential
    bill_id: Essential
    type: Essential
    name: NotRequired[Text]
    unit_count: Count
    unit_amount: EssentialPart[UnitAmount]
    created_utc: EssentialMoment
    consumed_utc: EssentialMoment
    external_identifier: NotRequired[Text]
    accounting_category_id: NotRequired[Text]


OUTLET_ITEMS = Table("OutletItem", OutletItem)
"""The entries of `OutletItems`."""


class BusinessSegment(Usable):
    """One of `BusinessSegments`."""

    owner = "BusinessSegment"
    service_id: Text = ""


class Customer(Usable):
    """One of `Customers`."""

    owner = "Customer"
    first_name: Text = ""
    last_name: Text = ""
    email: Text = ""
    classifications: Texts = ()
    merge_target_id: Text = ""


class Company(Usable):
    """One of `Companies`."""

    owner = "Company"
    invoicing_email: Text = ""
    external_identifier: Text = ""
    merge_target_id: Text = ""


class Bill(Entity):
    """One of `Bills`."""

    owner = "Bill"
    id: Essential
    account_id: Text = ""
    customer_id: Text = ""
    company_id: Text = ""
    state: Essential


class EnabledCurrency(Entity):
    """One of `Enterprise.Currencies`."""

    currency: Essential
    is_enabled: Flag = False
    is_default: Flag = False


class AccountingConfiguration(Entity):
    """`Enterprise.AccountingConfiguration`."""

    enabled_external_payment_types: Texts = ()


class Enterprise(Entity):
    """`Enterprise` of `configuration/get`. Older servers know only the one interval."""

    owner = "Enterprise"
    id: Essential
    name: Text = ""
    chain_id: Text = ""
    time_zone_identifier: Essential
    pricing: Annotated[Pricing, one_of(Pricing)]
    tax_environment_code: Text = ""
    tax_precision: OptionalCount = None
    editable_history_interval: Text = ""
    accounting_editable_history_interval: Text = ""
    operational_editable_history_interval: Text = ""
    currencies: Objects[EnabledCurrency] = ()
    accounting_configuration: Part[AccountingConfiguration] = AccountingConfiguration()
    legal_environment_code: Text = ""
    is_portfolio: Flag = False


class Configuration(Entity):
    """The answer of `configuration/get`; its enterprise is read by itself."""

    owner = "Configuration"
    now_utc: EssentialMoment
    enterprise: RawPart = Field(default_factory=dict)


class Currency(Entity):
    """One of `Currencies` of `currencies/getAll`."""

    owner = "Currency"
    code: Essential
    precision: Count


class TaxEnvironment(Entity):
    """One of `TaxEnvironments`."""

    owner = "TaxEnvironment"
    code: Text = ""
    country_code: Text = ""
    taxation_codes: Texts = ()
    validity_start_utc: Moment = None
    validity_end_utc: Moment = None


class Interval(Entity):
    """One of a rate's validity intervals."""

    owner = "TaxRate"
    start_utc: Moment = None
    end_utc: Moment = None


class RateOfAnyKind(Entity):
    """One of `TaxRates`, as far as it tells whether it is wanted."""

    owner = "TaxRate"
    taxation_code: Essential
    strategy: RawPart = Field(default_factory=dict)


class TaxRate(RateOfAnyKind):
    """One of `TaxRates`. The intervals stand under Mews's own spelling, or the right one, in case it is corrected."""

    code: Essential
    validity_invervals_utc: RawObjects = None
    validity_intervals_utc: RawObjects = None

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The times at which it may be used."""
        rows = self.validity_invervals_utc
        return tuple(map(Interval.read, (self.validity_intervals_utc if rows is None else rows) or ()))


class Calculation(Entity):
    """How a tax is calculated, where a rate tells it beside its strategy or in it."""

    owner = "TaxRate"
    value: Number
    base_taxation_codes: Texts = ()
    currency_code: Text = ""


class StrategyValue(Calculation):
    """`Strategy.Value`."""

    owner = "TaxRate.Strategy"
