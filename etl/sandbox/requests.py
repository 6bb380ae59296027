"""The request of every operation, as the OpenAPI description has it: a table of shapes."""

from __future__ import annotations

from etl.sandbox.shapes import (
    Check,
    array,
    bare,
    boolean,
    closed,
    date,
    email,
    identifier,
    integer,
    moment,
    number,
    one_of,
    text,
)

PAYMENT_TYPES = (
    *("Unspecified", "BadDebts", "Bacs", "WireTransfer", "Invoice", "ExchangeRateDifference", "Complimentary"),
    *("Reseller", "ExchangeRoundingDifference", "Barter", "Commission", "BankCharges", "CrossSettlement", "Cash"),
    *("CreditCard", "Prepayment", "Cheque", "Bancontact", "IDeal", "PayPal", "GiftCard", "LoyaltyPoints"),
    *("ChequeVacances", "OnlinePayment", "CardCheck", "PaymentHubRedirection", "Voucher", "MasterCard", "Visa"),
    *("Amex", "Discover", "DinersClub", "Jcb", "UnionPay", "Twint", "Reka", "LoyaltyCard"),
    *("PosDiningAndSpaReward", "DirectDebit", "DepositCheck", "DepositCash", "DepositCreditCard"),
    "DepositWireTransfer",
)
CLASSIFICATIONS = (
    *("PaymasterAccount", "Blacklist", "Media", "LoyaltyProgram", "PreviousComplaint", "Returning", "Staff"),
    *("FriendOrFamily", "TopManagement", "Important", "VeryImportant", "Problematic", "Cashlist"),
    *("DisabledPerson", "Military", "Airline", "HealthCompliant", "InRoom", "WaitingForRoom", "Student"),
    "Blocklist",
)
_CUSTOMER_OPTIONS = (
    *("SendMarketingEmails", "Invoiceable", "BillAddressObjection", "SendMarketingPostalMail"),
    *("SendPartnerMarketingEmails", "SendPartnerMarketingPostalMail", "WithdrawCardConsent"),
    *("GuestPhotoConsent", "IdPhotosConsent"),
)
_ITEM_TYPES = (
    *("CancellationFee", "NightRebate", "ProductOrderRebate", "AdditionalExpenseRebate", "Deposit"),
    *("ExchangeRateDifference", "CustomItem", "ServiceCharge", "CityTax", "CityTaxDiscount", "SpaceOrder"),
    *("ProductOrder", "Surcharge", "TaxCorrection", "ResourceUpgradeFee", "InvoiceFee", "MulticurrencyFee"),
    *("AllowanceDiscount", "AllowanceBreakage", "AllowanceContraBreakage"),
)
_ACCOUNTING_STATES = ("Open", "Closed", "Inactive", "Canceled")
_ORDER_STATES = ("Inquired", "Confirmed", "Started", "Processed", "Canceled", "Optional", "Requested")
_PAYMENT_KINDS = (
    *("Payment", "CreditCardPayment", "AlternativePayment", "CashPayment", "InvoicePayment", "ExternalPayment"),
    *("GhostPayment", "TaxDeductedPayment"),
)

_ANY = text()
_FULL = text(shortest=1)
_LINE = text(longest=255)
_IDS = array(identifier, fewest=1, most=1000)
_TEXTS = array(_ANY, fewest=1, most=1000)
_ACTIVITY = array(one_of("Deleted", "Active"))

WHO: dict[str, Check] = {"ClientToken": _FULL, "AccessToken": _FULL, "Client": _FULL}
INTERVAL = closed({}, {"StartUtc": moment, "EndUtc": moment})
_PAGE: dict[str, Check] = {"Limitation": closed({"Count": integer}, {"Cursor": identifier})}

_AMOUNT = closed(
    {"Currency": _FULL, "TaxCodes": array(_ANY)},
    {"NetValue": number, "GrossValue": number},
)
_PRODUCT_ORDER = closed(
    {"ProductId": identifier},
    {
        "Count": integer,
        "UnitAmount": _AMOUNT,
        "StartUtc": moment,
        "EndUtc": moment,
        "ExternalIdentifier": _LINE,
    },
)
_ITEM = closed(
    {"Name": _FULL, "UnitCount": integer, "UnitAmount": _AMOUNT},
    {"AccountingCategoryId": identifier, "ExternalIdentifier": _LINE},
)
BILL = closed(
    {
        "OutletId": identifier,
        "Number": _FULL,
        "ClosedUtc": moment,
        "Items": array(
            closed(
                {
                    "Type": one_of("Revenue", "NonRevenue", "Payment"),
                    "Name": _FULL,
                    "UnitCount": integer,
                    "UnitAmount": _AMOUNT,
                    "ConsumedUtc": moment,
                },
                {"ExternalIdentifier": _LINE, "Notes": _ANY, "AccountingCategoryId": identifier},
            )
        ),
    },
    {"AccountId": identifier, "Notes": _ANY},
)
_ADDRESS = closed(
    {},
    dict.fromkeys(("Line1", "Line2", "City", "PostalCode", "CountryCode", "CountrySubdivisionCode"), _ANY),
)
_DOCUMENT = closed(
    {},
    {
        **dict.fromkeys(("Number", "IssuingCountryCode", "IssuingCountrySubdivisionCode", "IssuingCity"), _ANY),
        "Expiration": date,
        "Issuance": date,
    },
)


def _of(required: dict[str, Check] | None = None, optional: dict[str, Check] | None = None) -> Check:
    return closed(WHO | (required or {}), optional)


def _pages(optional: dict[str, Check], required: dict[str, Check] | None = None) -> Check:
    return _of(_PAGE | (required or {}), optional)


SHAPES: dict[str, Check] = {
    "configuration/get": _of(optional={"EnterpriseId": identifier}),
    "currencies/getAll": _of(),
    "taxEnvironments/getAll": _of(),
    "taxations/getAll": _of(),
    "enterprises/getAll": _pages(
        {"EnterpriseIds": _IDS, "ExternalIdentifiers": _TEXTS, "LinkedUtc": INTERVAL, "UpdatedUtc": INTERVAL},
    ),
    "services/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "ServiceIds": _IDS,
            "ServiceType": one_of("Bookable", "Additional"),
            "UpdatedUtc": INTERVAL,
        },
    ),
    "products/getAll": _pages(
        {"EnterpriseIds": _IDS, "ProductIds": _IDS, "UpdatedUtc": INTERVAL, "IncludeDefault": boolean},
        {"ServiceIds": _IDS},
    ),
    "accountingCategories/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "AccountingCategoryIds": _IDS,
            "UpdatedUtc": INTERVAL,
            "ActivityStates": _ACTIVITY,
        },
    ),
    "businessSegments/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "Ids": _IDS,
            "ServiceIds": _IDS,
            "UpdatedUtc": INTERVAL,
            "ActivityStates": _ACTIVITY,
        },
    ),
    "outlets/getAll": _pages({"EnterpriseIds": _IDS, "OutletIds": _IDS, "UpdatedUtc": INTERVAL}),
    # Without EnterpriseId: the outlet belongs to one.
    "outletBills/add": _of({"Bills": array(BILL, fewest=1, most=1000)}),
    "outletItems/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "Ids": _IDS,
            **dict.fromkeys(("ConsumedUtc", "UpdatedUtc", "ClosedUtc"), INTERVAL),
            "Currency": _ANY,
        },
    ),
    "customers/getAll": _pages(
        {
            "ChainIds": _IDS,
            "CreatedUtc": INTERVAL,
            "UpdatedUtc": INTERVAL,
            "DeletedUtc": INTERVAL,
            "ActivityStates": _ACTIVITY,
            "CustomerIds": _IDS,
            "CompanyIds": array(identifier, fewest=1, most=1),
            "Emails": _TEXTS,
            "FirstNames": _TEXTS,
            "LastNames": _TEXTS,
            "LoyaltyCodes": _TEXTS,
        },
        {"Extent": closed({}, {"Customers": boolean, "Documents": boolean, "Addresses": boolean})},
    ),
    "customers/add": _of(
        {"LastName": _FULL, "OverwriteExisting": boolean},
        {
            "Title": one_of("Mister", "Miss", "Misses"),
            "Sex": one_of("Male", "Female"),
            "BirthDate": date,
            "Email": email,
            "CarRegistrationNumber": _LINE,
            "DietaryRequirements": _LINE,
            "CompanyId": identifier,
            "ChainId": identifier,
            "Address": _ADDRESS,
            "Classifications": array(one_of(*CLASSIFICATIONS)),
            "Options": array(one_of(*_CUSTOMER_OPTIONS)),
            "ItalianLotteryCode": text(shortest=2, longest=15),
            **dict.fromkeys(("IdentityCard", "Passport", "Visa", "DriversLicense"), _DOCUMENT),
            **dict.fromkeys(
                (
                    *("FirstName", "SecondLastName", "NationalityCode", "PreferredLanguageCode"),
                    *("BirthCountryCode", "BirthCountrySubdivisionCode", "BirthPlace", "Occupation", "Phone"),
                    *("LoyaltyCode", "Notes", "TaxIdentificationNumber"),
                    *("ItalianDestinationCode", "ItalianFiscalCode"),
                ),
                _ANY,
            ),
        },
    ),
    "companies/getAll": _pages(
        {
            "ChainIds": _IDS,
            "MotherCompanyIds": _IDS,
            "CreatedUtc": INTERVAL,
            "UpdatedUtc": INTERVAL,
            "TimeFilter": one_of("Created", "Updated"),
            "StartUtc": moment,
            "EndUtc": moment,
            "Ids": _IDS,
            "ExternalIdentifiers": _TEXTS,
            "Names": _TEXTS,
            "ActivityStates": _ACTIVITY,
        },
    ),
    "bills/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "Extent": bare({"Items": boolean}),
            **dict.fromkeys(("ClosedUtc", "IssuedUtc", "PaidUtc", "DueUtc", "CreatedUtc", "UpdatedUtc"), INTERVAL),
            "BillIds": _IDS,
            "CustomerIds": _IDS,
            "State": one_of("Open", "Closed"),
            "Type": one_of("Receipt", "Invoice"),
            "CorrectionState": array(one_of("Bill", "CorrectiveBill")),
        },
    ),
    "orders/add": _of(
        {"ServiceId": identifier, "AccountId": identifier},
        {
            "EnterpriseId": identifier,
            "CustomerId": identifier,
            "Options": closed({}, {"DisableItemGrouping": boolean}),
            "ProductOrders": array(_PRODUCT_ORDER),
            "Items": array(_ITEM),
            "ConsumptionUtc": moment,
            "Notes": _ANY,
            "BusinessSegmentId": identifier,
            "BillId": identifier,
            "LinkedReservationId": identifier,
        },
    ),
    "orderItems/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "OrderItemIds": _IDS,
            "AccountIds": array(identifier, fewest=1, most=100),
            "ServiceOrderIds": _IDS,
            "ServiceIds": _IDS,
            "BillIds": _IDS,
            **dict.fromkeys(("CreatedUtc", "UpdatedUtc", "ConsumedUtc", "CanceledUtc", "ClosedUtc"), INTERVAL),
            "Currency": _ANY,
            "AccountingStates": array(one_of(*_ACCOUNTING_STATES), fewest=1, most=1000),
            "Types": array(one_of(*_ITEM_TYPES), fewest=1, most=1000),
        },
    ),
    "orderItems/cancel": _of(
        {"OrderItemIds": array(identifier, fewest=1, most=10)},
        {"EnterpriseId": identifier},
    ),
    "productServiceOrders/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "ProductServiceOrderIds": _IDS,
            "AccountIds": _IDS,
            "LinkedReservationIds": _IDS,
            "UpdatedUtc": INTERVAL,
            "States": array(one_of(*_ORDER_STATES)),
        },
        {"ServiceIds": _IDS},
    ),
    "payments/addExternal": _of(
        {
            "AccountId": identifier,
            "Amount": closed({"Currency": _FULL}, {"TaxCodes": array(_ANY), "NetValue": number, "GrossValue": number}),
        },
        {
            "EnterpriseId": identifier,
            "CustomerId": identifier,
            "BillId": identifier,
            "AccountingCategoryId": identifier,
            "ReservationId": identifier,
            "Type": one_of(*PAYMENT_TYPES),
            "ExternalIdentifier": _LINE,
            "Notes": _ANY,
        },
    ),
    "payments/getAll": _pages(
        {
            "EnterpriseIds": _IDS,
            "PaymentIds": _IDS,
            "AccountIds": array(identifier, fewest=1, most=100),
            "BillIds": _IDS,
            "ReservationIds": _IDS,
            **dict.fromkeys(("CreatedUtc", "UpdatedUtc", "ChargedUtc", "ClosedUtc", "SettlementUtc"), INTERVAL),
            "Currency": _ANY,
            "AccountingStates": array(one_of(*_ACCOUNTING_STATES), fewest=1),
            "States": array(one_of("Charged", "Canceled", "Pending", "Failed", "Verifying"), fewest=1),
            "Type": one_of(*_PAYMENT_KINDS),
        },
    ),
}

WRITES = frozenset({"orders/add", "orderItems/cancel", "outletBills/add", "payments/addExternal", "customers/add"})
