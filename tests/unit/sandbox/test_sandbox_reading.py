"""Reading back from the sandbox: filters, time intervals and pages that new items do not disturb."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sandbox_desk import ACCOUNT, BILL, COMPANY, NOBODY, SERVICE, Desk, item, world_of


def day(start: str, end: str) -> dict[str, str]:
    return {"StartUtc": f"{start}Z", "EndUtc": f"{end}Z"}


def names(items):
    return [each["BillingName"] for each in items]


def three_orders() -> Desk:
    """A, B and C, a minute apart; B for a company."""
    desk = Desk()
    for name, account in (("A", ACCOUNT), ("B", COMPANY), ("C", ACCOUNT)):
        desk.posted(item(Name=name), AccountId=account)
        desk.clock.forward(60)
    return desk


def test_items_come_newest_first():
    """The order of creation is the order of pages."""
    assert names(three_orders().items(ServiceIds=[SERVICE])) == ["C", "B", "A"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"AccountIds": [ACCOUNT]}, ["C", "A"]),
        ({"AccountIds": [COMPANY.upper()]}, ["B"]),
        ({"ServiceIds": [NOBODY]}, []),
        ({"CreatedUtc": day("2012-01-10T12:01:00", "2012-01-10T12:02:00")}, ["B"]),
        ({"CreatedUtc": day("2012-01-10T12:01:00", "2012-01-10T12:01:00")}, ["B"]),
        ({"CreatedUtc": day("2012-01-10T12:00:00", "2012-01-10T12:02:01")}, ["C", "B", "A"]),
        ({"UpdatedUtc": day("2012-01-10T12:02:00", "2012-01-10T12:03:00")}, ["C"]),
        ({"UpdatedUtc": day("2012-01-10T12:00:00", "2012-01-10T12:02:00")}, ["B", "A"]),
        ({"ConsumedUtc": day("2011-12-01T08:26:00", "2011-12-01T08:26:00")}, ["C", "B", "A"]),
        ({"ConsumedUtc": day("2011-12-02T00:00:00", "2012-03-02T00:00:00")}, []),
        ({"CanceledUtc": day("2012-01-01T00:00:00", "2012-03-01T00:00:00")}, []),
        ({"ServiceIds": [SERVICE], "AccountingStates": ["Canceled"]}, []),
        ({"ServiceIds": [SERVICE], "Types": ["ProductOrder"]}, []),
        ({"ServiceIds": [SERVICE], "Types": ["CustomItem"], "AccountIds": [COMPANY]}, ["B"]),
    ],
)
def test_filters_narrow_together(filters, found):
    """Every filter holds, intervals are half-open, and equal ends mean that moment."""
    assert names(three_orders().items(**filters)) == found


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"Types": ["CustomItem"]},
        {"CreatedUtc": {}},
        {"CreatedUtc": {"StartUtc": "2012-01-01T00:00:00Z"}},
        {"CreatedUtc": day("2012-01-02T00:00:00", "2012-01-01T00:00:00")},
        {"CreatedUtc": day("2011-11-30T00:00:00", "2012-03-01T00:00:00")},
        {"AccountIds": []},
        {"AccountIds": [NOBODY] * 101},
        {"ServiceOrderIds": [NOBODY] * 1001},
        {"ServiceIds": [SERVICE], "Cursor": NOBODY},
        {"ServiceIds": [SERVICE], "Count": 0},
        {"ServiceIds": [SERVICE], "Count": 1001},
        {"ServiceIds": [SERVICE], "AccountingStates": ["open"]},
        {"ServiceIds": [SERVICE], "Currency": "XXX"},
    ],
)
def test_reads_that_mews_would_not_answer(filters):
    """No filter, too wide an interval, too many ids or a foreign cursor is malformed."""
    limitation = {"Count": filters.pop("Count", 10), "Cursor": filters.pop("Cursor", None)}
    assert three_orders().ask("orderItems/getAll", Limitation=limitation, **filters)[0] == 400


def test_three_months_are_allowed_to_the_second():
    """Calendar months: the end of February is three months after the end of November."""
    desk = three_orders()
    assert desk.items(CreatedUtc=day("2011-11-30T00:00:00", "2012-02-29T00:00:00"))


def test_pages_survive_items_that_appear_meanwhile():
    """A walk begun before new orders came sees every older item once and none twice."""
    desk = Desk()
    for number in range(25):
        desk.posted(item(Name=f"old {number}"))
    seen, cursor = [], None
    while True:
        answer = desk.get("orderItems/getAll", Limitation={"Count": 7, "Cursor": cursor}, ServiceIds=[SERVICE])
        seen += names(answer["OrderItems"])
        cursor = answer["Cursor"]
        desk.posted(item(Name="new"), item(Name="new"))
        if len(answer["OrderItems"]) < 7:
            break
    assert seen == [f"old {number}" for number in reversed(range(25))]


@pytest.mark.parametrize("key", ["ServiceOrderIds", "OrderItemIds", "CreatedUtc"])
def test_every_index_pages_alike(key):
    """Cursors work with each way of looking items up."""
    desk = Desk()
    orders = [desk.posted(item(Name=str(number))) for number in range(5)]
    filters = {
        "ServiceOrderIds": orders,
        "OrderItemIds": [each.id for each in desk.sandbox.items],
        "CreatedUtc": day("2012-01-10T12:00:00", "2012-01-10T12:00:00"),
    }
    first = desk.items(**{key: filters[key]}, Count=3)
    rest = desk.items(**{key: filters[key]}, Count=3, Cursor=first[-1]["Id"])
    assert names(first + rest) == ["4", "3", "2", "1", "0"]
    assert desk.get("orderItems/getAll", Limitation={"Count": 3, "Cursor": rest[-1]["Id"]}, ServiceIds=[SERVICE]) == {
        "OrderItems": [],
        "Cursor": None,
    }


def test_canceled_items_are_still_read():
    """Cancelling leaves the item, its amounts and its identifier, as proof that it was there."""
    desk = Desk()
    order = desk.posted(item(ExternalIdentifier="x"), item())
    ids = [each["Id"] for each in desk.items(ServiceOrderIds=[order])]
    desk.clock.forward(5)
    assert desk.get("orderItems/cancel", OrderItemIds=ids) == {}
    shown = desk.items(ServiceOrderIds=[order], AccountingStates=["Canceled"])
    assert [each["CanceledUtc"] for each in shown] == ["2012-01-10T12:00:05Z"] * 2
    assert shown[1]["ExternalIdentifier"] == "x"
    assert shown[1]["Amount"]["GrossValue"] == Decimal("9.99")
    found = desk.get("productServiceOrders/getAll", Limitation={"Count": 5}, ServiceIds=[SERVICE], States=["Canceled"])
    assert [each["Id"] for each in found["ProductServiceOrders"]] == [order]


@pytest.mark.parametrize(
    ("world", "prepare", "ids", "status"),
    [
        ({"cancel_allowed": False}, None, 1, 401),
        ({}, "cancel_item", 1, 403),
        ({}, "close_item", 1, 403),
        ({}, None, 11, 400),
        ({}, None, 0, 400),
    ],
)
def test_cancelling_is_restricted(world, prepare, ids, status):
    """No permission, an item canceled or closed already, or more than ten at once is refused; nothing changes."""
    desk = Desk(world_of(**world))
    desk.posted(item())
    own = desk.sandbox.items[0].id
    if prepare:
        getattr(desk.sandbox, prepare)(own)
    before = desk.sandbox.items
    assert desk.ask("orderItems/cancel", OrderItemIds=[own] * ids)[0] == status
    assert desk.sandbox.items == before


def test_cancelling_is_all_or_nothing():
    """An unknown id among good ones cancels nothing."""
    desk = Desk()
    desk.posted(item())
    own = desk.sandbox.items[0].id
    assert desk.ask("orderItems/cancel", OrderItemIds=[own, NOBODY])[0] == 400
    assert desk.sandbox.items[0].canceled is None


def test_staff_changes_show_in_the_item_and_its_time():
    """Reconciliation needs items that the hotel moved, changed or closed."""
    desk = Desk()
    desk.posted(item())
    desk.clock.forward(60)
    own = desk.sandbox.items[0].id
    desk.sandbox.change_item(own, account_id=COMPANY, account_type="Company")
    desk.sandbox.close_item(own)
    shown = desk.items(OrderItemIds=[own])[0]
    assert (shown["AccountId"], shown["AccountingState"]) == (COMPANY, "Closed")
    assert shown["UpdatedUtc"] == "2012-01-10T12:01:00Z"


def payment(desk, value=5, **changes):
    base = {"AccountId": ACCOUNT, "Amount": {"Currency": "GBP", "GrossValue": value}, "Type": "GiftCard"}
    return desk.ask("payments/addExternal", **{**base, **changes})


def test_payments_are_read_back_with_mewss_sign():
    """What the guest paid lowers the balance, so Mews shows it negative; the identifier stands in Data."""
    desk = Desk()
    status, body = payment(desk, Decimal("5.50"), ExternalIdentifier="centra:uk:1:gift1", BillId=BILL, Notes="n")
    assert status == 200
    shown = desk.get("payments/getAll", Limitation={"Count": 5}, AccountIds=[ACCOUNT])["Payments"]
    assert [each["Id"] for each in shown] == [body["ExternalPaymentId"]]
    assert shown[0]["Amount"]["GrossValue"] == Decimal("-5.50")
    assert shown[0]["Data"]["External"] == {"Type": "GiftCard", "ExternalIdentifier": "centra:uk:1:gift1"}
    assert desk.sandbox.payments[0].amount.gross == Decimal("5.50")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Type": "PayPal"}, 403),
        ({"Type": None}, 403),
        ({"Type": "Bitcoin"}, 400),
        ({"Amount": {"Currency": "GBP", "NetValue": 5}}, 403),
        ({"Amount": {"Currency": "GBP", "GrossValue": "5"}}, 400),
        ({"Amount": {"Currency": "GBP", "GrossValue": 0}}, 403),
        ({"Amount": {"Currency": "EUR", "GrossValue": 5}}, 403),
        ({"Amount": {"Currency": "GBP", "GrossValue": -5}}, 200),
        ({"BillId": NOBODY}, 400),
        ({"ReservationId": NOBODY}, 400),
        ({"AccountId": NOBODY}, 400),
        ({"ExternalIdentifier": "x" * 256}, 400),
    ],
)
def test_payments_are_checked(changes, status):
    """Only enabled types, the enterprise's basis and open bills of the account."""
    desk = Desk()
    assert payment(desk, **changes)[0] == status
    assert len(desk.sandbox.payments) == (status == 200)


def test_customers_are_found_by_address_in_any_case():
    """Look-up by e-mail finds active and deleted profiles, whatever the case of the letters."""
    desk = Desk()
    asked = {"Limitation": {"Count": 10}, "Extent": {"Customers": True}}
    found = desk.get("customers/getAll", Emails=["GONE@example.com", "webshop@EXAMPLE.com"], **asked)["Customers"]
    assert {(each["Email"], each["IsActive"]) for each in found} == {
        ("gone@example.com", False),
        ("webshop@example.com", True),
    }
    active = desk.get("customers/getAll", Emails=["gone@example.com"], ActivityStates=["Active"], **asked)
    assert active["Customers"] == []
    assert desk.ask("customers/getAll", **asked)[0] == 400


def test_a_customer_is_added_once_unless_overwritten():
    """The same address twice is refused; with OverwriteExisting the known profile is changed."""
    desk = Desk()
    new = {"LastName": "Example", "Email": "new@example.com", "OverwriteExisting": False}
    added = desk.get("customers/add", **new)
    assert desk.ask("customers/add", **new)[0] == 403
    changed = desk.get("customers/add", **{**new, "LastName": "Other", "OverwriteExisting": True})
    assert (changed["Id"], changed["LastName"]) == (added["Id"], "Other")
    assert desk.order(AccountId=added["Id"])[0] == 200


def test_companies_are_found_by_external_identifier():
    """`eid:` values are resolved through the company's ExternalIdentifier."""
    found = Desk().get("companies/getAll", Limitation={"Count": 5}, ExternalIdentifiers=["TRADE-1"])["Companies"]
    assert [each["Id"] for each in found] == [COMPANY]


def test_reference_data_names_its_parts():
    """Configuration, codes, services and products come with what the importer decides by."""
    desk = Desk(world_of(tax_precision=3))
    shown = desk.get("configuration/get")
    assert shown["NowUtc"] == "2012-01-10T12:00:00Z"
    enterprise = shown["Enterprise"]
    assert (enterprise["Pricing"], enterprise["TaxPrecision"], enterprise["TaxEnvironmentCode"]) == ("Gross", 3, "UK")
    assert {each["Currency"]: each["IsEnabled"] for each in enterprise["Currencies"]} == {"GBP": True, "EUR": False}
    assert enterprise["AccountingConfiguration"]["EnabledExternalPaymentTypes"] == ["Cash", "GiftCard"]
    rates = {each["Code"]: each for each in desk.get("taxations/getAll")["TaxRates"]}
    assert rates["UK-20%"]["ValidityInvervalsUtc"] == [{"StartUtc": "2011-01-04T00:00:00Z", "EndUtc": None}]
    assert rates["UK-5%"]["ValidityInvervalsUtc"] is None
    assert rates["UK-17.5%"]["Strategy"] == {"Discriminator": "Relative", "Value": {"Value": Decimal("0.175")}}
    services = desk.get("services/getAll", Limitation={"Count": 10})["Services"]
    assert {each["Name"]: (each["IsActive"], each["Data"]["Discriminator"]) for each in services} == {
        "Web shop": (True, "Additional"),
        "Rooms": (True, "Bookable"),
        "Closed": (False, "Additional"),
        "Spa": (True, "Additional"),
    }
    products = desk.get("products/getAll", Limitation={"Count": 10}, ServiceIds=[SERVICE])["Products"]
    assert {each["Name"]: each["IsActive"] for each in products} == {"Heart": True, "Old mug": False}
    assert products[-1]["Price"]["GrossValue"] == Decimal("2.95")


def test_reference_pages_end():
    """A cursor walk over a short list sees each entry once and ends."""
    desk = Desk()
    seen, cursor = [], None
    while True:
        answer = desk.get("services/getAll", Limitation={"Count": 1, "Cursor": cursor})
        seen += [each["Id"] for each in answer["Services"]]
        cursor = answer["Cursor"]
        if not answer["Services"]:
            break
    assert len(seen) == len(set(seen)) == 4
