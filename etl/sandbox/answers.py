"""How the sandbox's values look in the API's answers: one function a kind, properties as the contract names them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.sandbox.state import Item, Order, Payment, Person
from etl.sandbox.taxes import Booked, book_gross, book_net, round_to
from etl.sandbox.world import WORLD_BEGAN, Bill, Company, Enterprise, Named, Product, Rate, Service, Validity, World

_SYSTEM = "0b0b0b0b-0000-4000-a000-000000000001"
_ADDRESS_ID = "ad000000-0000-4000-a000-000000000001"


def show(moment: datetime) -> str:
    """`YYYY-MM-DDThh:mm:ssZ` of an aware UTC moment; a page of order items has thousands of them."""
    return f"{moment.isoformat()[:19]}Z"


def show_optional(moment: datetime | None) -> str | None:
    """The same, or null."""
    return None if moment is None else show(moment)


_BEGAN = show(WORLD_BEGAN)


def amount(currency: str, booked: Booked) -> dict[str, Any]:
    """An Amount: net, gross, tax values by code and their breakdown."""
    untaxed: list[tuple[str | None, Decimal]] = [(None, Decimal(0))]
    return {
        "Currency": currency,
        "NetValue": booked.net,
        "GrossValue": booked.gross,
        "TaxValues": [{"Code": code, "Value": value} for code, value in booked.taxes],
        "Breakdown": {
            "Items": [
                {"TaxRateCode": code, "NetValue": booked.net, "TaxValue": value}
                for code, value in booked.taxes or untaxed
            ],
        },
    }


def order_item(item: Item, *, with_identifier: bool, with_notes: bool) -> dict[str, Any]:
    """An order item; an older API leaves ExternalIdentifier out."""
    booked = amount(item.currency, item.amount)
    product = None
    if item.product_id is not None:
        product = {"ProductId": item.product_id, "AgeCategoryId": None, "ProductType": "Product"}
    shown = {
        "Id": item.id,
        "EnterpriseId": item.enterprise_id,
        "AccountId": item.account_id,
        "AccountType": item.account_type,
        "ServiceId": item.service_id,
        "ServiceOrderId": item.order_id,
        "Notes": item.notes if with_notes else None,
        "BillId": item.bill_id,
        "AccountingCategoryId": item.category_id,
        "BillingName": item.name,
        "ExternalIdentifier": item.external_identifier,
        "UnitCount": item.count,
        "UnitAmount": amount(item.currency, item.unit),
        "Amount": booked,
        "OriginalAmount": booked,
        "RevenueType": "Additional" if product is None else "Product",
        "CreatorProfileId": _SYSTEM,
        "UpdaterProfileId": _SYSTEM,
        "CreatedUtc": show(item.created),
        "UpdatedUtc": show(item.updated),
        "ConsumedUtc": show(item.consumed),
        "CanceledUtc": show_optional(item.canceled),
        "ClosedUtc": show_optional(item.closed),
        "StartUtc": None,
        "ClaimedUtc": None,
        "AccountingState": item.state,
        "Type": item.type,
        "Options": {"CanceledWithReservation": False},
        "Data": None if product is None else {"Discriminator": "Product", "Product": product},
        "TaxExemptionReason": None,
        "TaxExemptionLegalReference": None,
    }
    if not with_identifier:
        del shown["ExternalIdentifier"]
    return shown


def service_order(order: Order) -> dict[str, Any]:
    """A product service order."""
    return {
        "Id": order.id,
        "ServiceId": order.service_id,
        "AccountId": order.account_id,
        "AccountType": order.account_type,
        "CreatorProfileId": _SYSTEM,
        "UpdaterProfileId": _SYSTEM,
        "BookerId": None,
        "Number": order.number,
        "State": "Processed" if order.canceled is None else "Canceled",
        "Origin": "Connector",
        "CommanderOrigin": None,
        "OriginDetails": None,
        "CreatedUtc": show(order.created),
        "UpdatedUtc": show(order.updated),
        "CancelledUtc": show_optional(order.canceled),
        "VoucherId": None,
        "BusinessSegmentId": order.segment_id,
        "LinkedReservationId": order.reservation_id,
        "Options": dict.fromkeys(
            ("OwnerCheckedIn", "AllCompanionsCheckedIn", "AnyCompanionCheckedIn", "ConnectorCheckIn"), False
        ),
    }


def payment(paid: Payment, *, negative: bool, with_identifier: bool, with_notes: bool) -> dict[str, Any]:
    """A payment; Mews shows what the guest paid as a negative amount."""
    booked = amount(paid.currency, paid.amount.negated() if negative else paid.amount)
    external = {"Type": paid.type, "ExternalIdentifier": paid.external_identifier}
    if not with_identifier:
        del external["ExternalIdentifier"]
    return {
        "Id": paid.id,
        "EnterpriseId": paid.enterprise_id,
        "AccountId": paid.account_id,
        "AccountType": paid.account_type,
        "PaymentRequestId": None,
        "BillId": paid.bill_id,
        "ReservationId": paid.reservation_id,
        "AccountingCategoryId": paid.category_id,
        "Amount": booked,
        "OriginalAmount": booked,
        "Notes": paid.notes if with_notes else None,
        "SettlementId": None,
        "ConsumedUtc": show(paid.created),
        "ClosedUtc": None,
        "ChargedUtc": show(paid.created),
        "CreatedUtc": show(paid.created),
        "UpdatedUtc": show(paid.updated),
        "SettlementUtc": show(paid.created),
        "AccountingState": "Open",
        "State": "Charged",
        "Identifier": None,
        "Type": "ExternalPayment",
        "Kind": None,
        "Data": {"Discriminator": "External", "External": external},
        "PaymentOrigin": "Api",
    }


def configuration(world: World, enterprise: Enterprise, now: datetime) -> dict[str, Any]:
    """The configuration: Mews's clock and the enterprise."""
    return {
        "NowUtc": show(now),
        "Enterprise": {
            **_enterprise(world, enterprise),
            "AccountingConfiguration": {
                "AdditionalTaxIdentifier": None,
                "CompanyName": enterprise.name[:100],
                "SurchargeConfiguration": {
                    "SurchargeFees": {},
                    "SurchargeServiceId": None,
                    "SurchargeTaxCode": None,
                },
                "EnabledExternalPaymentTypes": list(enterprise.payment_types),
                "Options": [],
            },
            "IsPortfolio": world.is_portfolio,
        },
        "Service": None,
        "PaymentCardStorage": None,
        "IsIdentityDocumentNumberRequired": False,
    }


def enterprise_in_portfolio(world: World, enterprise: Enterprise) -> dict[str, Any]:
    """An enterprise as `enterprises/getAll` shows it."""
    shown = {**_enterprise(world, enterprise), "LinkedUtc": _BEGAN}
    del shown["Currencies"]
    return shown


def _enterprise(world: World, enterprise: Enterprise) -> dict[str, Any]:
    accepted = [*enterprise.currencies, *enterprise.disabled_currencies]
    return {
        "Id": enterprise.id,
        "ExternalIdentifier": None,
        "HoldingKey": None,
        "ChainId": world.chain_id,
        "ChainName": world.chain_name,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
        "Name": enterprise.name,
        "ShortName": None,
        "TimeZoneIdentifier": enterprise.timezone,
        "LegalEnvironmentCode": enterprise.legal_environment,
        "AccommodationEnvironmentCode": enterprise.legal_environment,
        "AccountingEnvironmentCode": enterprise.legal_environment,
        "TaxEnvironmentCode": enterprise.tax_environment,
        "DefaultLanguageCode": "en-GB",
        "EditableHistoryInterval": enterprise.operational_window.text,
        "AccountingEditableHistoryInterval": enterprise.accounting_window.text,
        "OperationalEditableHistoryInterval": enterprise.operational_window.text,
        "BusinessDayClosingOffset": None,
        "WebsiteUrl": None,
        "Email": None,
        "Phone": None,
        "LogoImageId": None,
        "CoverImageId": None,
        "Pricing": enterprise.pricing,
        "TaxPrecision": enterprise.tax_precision,
        "AddressId": _ADDRESS_ID,
        "Address": _address(),
        "GroupNames": [],
        "Subscription": {"TaxIdentifier": None},
        "Currencies": [
            {
                "Currency": code,
                "IsDefault": code == enterprise.default_currency,
                "IsEnabled": code in enterprise.currencies,
            }
            for code in accepted
        ],
    }


def _address() -> dict[str, Any]:
    lines = ("Line1", "Line2", "City", "PostalCode", "CountryCode", "CountrySubdivisionCode", "Latitude", "Longitude")
    return {"Id": _ADDRESS_ID, **dict.fromkeys(lines)}


def currency(code: str, digits: int) -> dict[str, Any]:
    """A currency Mews knows."""
    return {"Code": code, "Precision": digits}


def tax_environment(world: World, code: str) -> dict[str, Any]:
    """A tax environment."""
    environment = world.tax_environments[code]
    return {
        "Code": environment.code,
        "CountryCode": environment.country,
        "ValidityStartUtc": show_optional(environment.validity.start),
        "ValidityEndUtc": show_optional(environment.validity.end),
        "TaxationCodes": list(environment.taxations),
    }


def taxation(code: str) -> dict[str, Any]:
    """A taxation."""
    return {"Code": code, "Name": code, "LocalName": code}


def tax_rate(rate: Rate) -> dict[str, Any]:
    """A tax rate, with the API's own spelling of its validity."""
    value: dict[str, Any] = {"Value": rate.value}
    if rate.kind == "Flat":
        value["CurrencyCode"] = rate.currency
    if rate.kind == "Dependent":
        value["BaseTaxationCodes"] = list(rate.base)
    return {
        "Code": rate.code,
        "TaxationCode": rate.taxation,
        "Value": rate.value,
        "ValidityInvervalsUtc": [_interval(validity) for validity in rate.validity] or None,
        "Strategy": {"Discriminator": rate.kind, "Value": value},
    }


def _interval(validity: Validity) -> dict[str, Any]:
    return {"StartUtc": show_optional(validity.start), "EndUtc": show_optional(validity.end)}


def service(enterprise: Enterprise, row: Service) -> dict[str, Any]:
    """A service; only additional ones can be ordered."""
    data: dict[str, Any] = {"Promotions": _promotions()}
    if row.type == "Bookable":
        data = {
            **dict.fromkeys(
                ("StartOffset", "EndOffset", "OccupancyStartOffset", "OccupancyEndOffset"), "P0Y0M0DT14H0M0S"
            ),
            "TimeUnit": "Day",
            "TimeUnitPeriod": "Day",
        }
    return {
        "Id": row.id,
        "EnterpriseId": enterprise.id,
        "IsActive": row.is_active,
        "Name": row.name,
        "Names": {"en-GB": row.name},
        "Options": {"BillAsPackage": False},
        "Ordering": 0,
        "Data": {"Discriminator": row.type, "Value": data},
        "ExternalIdentifier": row.external_identifier,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
    }


def _promotions() -> dict[str, Any]:
    moments = ("BeforeCheckIn", "AfterCheckIn", "DuringStay", "BeforeCheckOut", "AfterCheckOut", "DuringCheckOut")
    return dict.fromkeys(moments, False)


def product(world: World, enterprise: Enterprise, row: Product) -> dict[str, Any]:
    """A product with its own price, which an order may override."""
    rates = [world.rates[code] for code in row.tax_codes if code in world.rates]
    digits = enterprise.currencies.get(row.currency, 2)
    tax_digits = digits if enterprise.tax_precision is None else enterprise.tax_precision
    value = round_to(row.price, digits)
    if enterprise.pricing == "Gross":
        booked = book_gross(value, 1, rates[0] if rates else None, tax_digits)
    else:
        booked = book_net(value, 1, rates, tax_digits)
    price = amount(row.currency, booked)
    return {
        "Id": row.id,
        "ServiceId": row.service_id,
        "CategoryId": None,
        "AccountingCategoryId": row.category_id,
        "IsActive": row.is_active,
        "IsDefault": False,
        "Name": row.name,
        "Names": {"en-GB": row.name},
        "ExternalNames": {"en-GB": row.name},
        "ShortNames": {},
        "Descriptions": {},
        "Charging": "Once",
        "ChargingMode": "Once",
        "Posting": "Once",
        "PostingMode": "Once",
        "Options": {"BillAsPackage": False, "ExcludePriceFromOffer": False},
        "Promotions": _promotions(),
        "Classifications": dict.fromkeys(("Food", "Beverage", "Wellness", "CityTax", "Fee"), False),
        "Price": price,
        "Pricing": {"Discriminator": "Absolute", "Value": price},
        "ImageIds": [],
        "Ordering": 0,
        "ExternalIdentifier": row.external_identifier,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
        "ConsumptionMoment": "ServiceOrderStart",
    }


def accounting_category(enterprise: Enterprise, row: Named) -> dict[str, Any]:
    """An accounting category."""
    return {
        "Id": row.id,
        "EnterpriseId": enterprise.id,
        "IsActive": row.is_active,
        "Name": row.name,
        "Code": row.code,
        "ExternalCode": row.code,
        "LedgerAccountCode": None,
        "PostingAccountCode": None,
        "CostCenterCode": None,
        "Classification": None,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
    }


def business_segment(row: Named) -> dict[str, Any]:
    """A business segment."""
    return {
        "Id": row.id,
        "ServiceId": row.service_id,
        "IsActive": row.is_active,
        "Name": row.name,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
    }


def company(world: World, number: int, row: Company) -> dict[str, Any]:
    """A company."""
    return {
        "Id": row.id,
        "ChainId": world.chain_id,
        "Name": row.name,
        "Options": {"Invoiceable": True, "AddFeesToInvoices": False, "AddTaxDeductedPaymentToInvoices": False},
        "CreditRating": {"Basic": None},
        "IsActive": row.is_active,
        "Number": number,
        "CreatedUtc": _BEGAN,
        "UpdatedUtc": _BEGAN,
        "Address": _address(),
        "AddressId": _ADDRESS_ID,
        "MergeTargetId": None,
        "ExternalIdentifier": row.external_identifier,
    }


def bill(enterprise: Enterprise, row: Bill, account_type: str) -> dict[str, Any]:
    """A bill, without its items."""
    closed = None if row.is_open else _BEGAN
    return {
        "Id": row.id,
        "Name": None,
        "EnterpriseId": enterprise.id,
        "AccountId": row.account_id,
        "AccountType": account_type,
        "CustomerId": row.account_id if account_type == "Customer" else None,
        "CompanyId": row.account_id if account_type == "Company" else None,
        "AssociatedAccountIds": [],
        "State": "Open" if row.is_open else "Closed",
        "Type": "Receipt",
        "Number": None if row.is_open else "1",
        "CreatedUtc": _BEGAN,
        "IssuedUtc": closed,
        "PaidUtc": closed,
        "UpdatedUtc": _BEGAN,
        "Revenue": [],
        "Payments": [],
        "OrderItems": [],
        "PaymentItems": [],
        "CorrectionState": "Bill",
    }


def customer(world: World, person: Person) -> dict[str, Any]:
    """A customer profile."""
    texts = (
        *("Title", "Sex", "FirstName", "SecondLastName", "NationalityCode", "PreferredLanguageCode", "BirthDate"),
        *("BirthCountryCode", "BirthCountrySubdivisionCode", "BirthPlace", "Occupation", "Phone", "LoyaltyCode"),
        *("Notes", "CarRegistrationNumber", "DietaryRequirements", "TaxIdentificationNumber", "CompanyId"),
        *("ItalianDestinationCode", "ItalianFiscalCode", "ItalianLotteryCode"),
    )
    return {
        "Id": person.id,
        "ChainId": world.chain_id,
        "Number": str(person.seq),
        **{name: person.details.get(name) for name in texts},
        "LastName": person.details["LastName"],
        "Email": person.email,
        "HasOtaEmail": False,
        "CreatedUtc": show(person.created),
        "UpdatedUtc": show(person.updated),
        "Address": None,
        "AddressId": None,
        "Classifications": list(person.classifications),
        "Options": list(person.details.get("Options") or ()),
        "MergeTargetId": person.merged_into,
        "ActivityState": "Active" if person.is_active else "Deleted",
        "IsActive": person.is_active,
        "PreferredSpaceFeatures": [],
        "CreatorProfileId": _SYSTEM,
        "UpdaterProfileId": _SYSTEM,
    }
