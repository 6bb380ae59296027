"""`orders/add` in the sandbox: what it books, and what it refuses as Mews would."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sandbox_desk import (
    ACCOUNT,
    BILL,
    CASHLIST,
    CATEGORY,
    CLOSED_BILL,
    COMPANY,
    NOBODY,
    OTHERS_BILL,
    PRODUCT,
    RESERVATION,
    SEGMENT,
    SERVICE,
    Desk,
    amount,
    item,
    us_world,
    world_of,
)

from etl.sandbox.world_file import parse_world


def booked(desk: Desk, order_id: str) -> list[tuple[str, str, str, str]]:
    """Code, net, tax and gross of each entry, oldest first."""
    return [
        (
            "+".join(tax["Code"] for tax in each["Amount"]["TaxValues"]),
            str(each["Amount"]["NetValue"]),
            str(sum((tax["Value"] for tax in each["Amount"]["TaxValues"]), Decimal(0))),
            str(each["Amount"]["GrossValue"]),
        )
        for each in reversed(desk.items(ServiceOrderIds=[order_id]))
    ]


def test_gross_entries_are_booked_on_count_times_unit():
    """The tax of an entry is taken from its whole value, not piece by piece."""
    desk = Desk()
    order = desk.posted(item(amount("0.85", "UK-20%"), UnitCount=12))
    assert booked(desk, order) == [("UK-20%", "8.50", "1.70", "10.20")]


def test_gross_net_is_rounded_half_away_from_zero_on_both_sides():
    """A rebate mirrors the sale to the cent: ties go away from zero, not to the even digit."""
    desk = Desk(world_of(allow_rebates=True, rates=[{"code": "R", "taxation": "VAT", "relative": "1"}]))
    order = desk.posted(item(amount("0.25", "R")), item(amount("-0.25", "R")))
    assert booked(desk, order) == [("R", "0.13", "0.12", "0.25"), ("R", "-0.13", "-0.12", "-0.25")]


def test_net_entries_combine_relative_dependent_and_flat_codes():
    """The contract's own example: a levy on the rounded state tax, a fee for each piece."""
    desk = Desk(us_world())
    codes = ("STATE", "CITY", "LEVY", "FEE")
    order = desk.posted(item(amount("50", *codes, currency="USD", basis="NetValue"), UnitCount=2))
    assert booked(desk, order) == [("+".join(codes), "100.00", "15.06", "115.06")]
    values = desk.items(ServiceOrderIds=[order])[0]["Amount"]["TaxValues"]
    assert [str(tax["Value"]) for tax in values] == ["6.00", "4.00", "1.06", "4.00"]


def test_dependent_codes_may_stand_before_what_they_depend_on():
    """The order in which codes are sent does not change the tax."""
    desk = Desk(us_world())
    order = desk.posted(item(amount("100", "TOP", "LEVY", "STATE", currency="USD", basis="NetValue")))
    values = desk.items(ServiceOrderIds=[order])[0]["Amount"]["TaxValues"]
    assert {tax["Code"]: str(tax["Value"]) for tax in values} == {"STATE": "6.00", "LEVY": "1.06", "TOP": "10.11"}


def test_dependent_codes_use_rounded_taxes():
    """A levy is a share of the tax that was booked, not of an unrounded one."""
    rates = [
        {"code": "A", "taxation": "A", "relative": "0.5"},
        {"code": "B", "taxation": "B", "dependent": "0.5", "base": ["A"]},
    ]
    desk = Desk(us_world(rates=rates))
    # A on 0.01 is 0.005 -> 0.01; B on 0.02 is 0.01. Unrounded, B on 0.015 would be 0.0075 -> 0.01, so use 0.03:
    # A on 0.03 is 0.015 -> 0.02; B on 0.05 is 0.025 -> 0.03. Unrounded, B on 0.045 would be 0.0225 -> 0.02.
    order = desk.posted(item(amount("0.03", "A", "B", currency="USD", basis="NetValue")))
    assert booked(desk, order) == [("A+B", "0.03", "0.05", "0.08")]


def test_taxes_are_rounded_at_tax_precision_where_there_is_one():
    """An enterprise with finer taxes books finer taxes."""
    desk = Desk(world_of(tax_precision=4))
    order = desk.posted(item(amount("10", "UK-20%")))
    assert booked(desk, order) == [("UK-20%", "8.3333", "1.6667", "10.00")]


def test_items_without_codes_are_exempt():
    """An empty list of codes means no tax, and the breakdown says so."""
    desk = Desk()
    order = desk.posted(item(amount("5")))
    shown = desk.items(ServiceOrderIds=[order])[0]["Amount"]
    assert shown["NetValue"] == shown["GrossValue"] == Decimal("5.00")
    assert shown["Breakdown"]["Items"] == [{"TaxRateCode": None, "NetValue": Decimal("5.00"), "TaxValue": 0}]


def test_zero_valued_items_are_inactive():
    """A zero-priced line is kept, but not open."""
    desk = Desk()
    order = desk.posted(item(amount("0", "UK-20%"), UnitCount=10), item())
    assert {each["UnitCount"]: each["AccountingState"] for each in desk.items(ServiceOrderIds=[order])} == {
        10: "Inactive",
        1: "Open",
    }


def test_products_take_their_name_category_and_default_price_from_mews():
    """A product order needs no amount; with one, the amount sent is the truth."""
    desk = Desk()
    order = desk.posted(
        Items=[],
        ProductOrders=[
            {"ProductId": PRODUCT, "Count": 2},
            {"ProductId": PRODUCT, "UnitAmount": amount("1.20", "UK-20%")},
        ],
    )
    own, default = desk.items(ServiceOrderIds=[order])
    assert default["Amount"]["GrossValue"] == Decimal("5.90")
    assert own["Amount"]["GrossValue"] == Decimal("1.20")
    assert default["Type"] == "ProductOrder"
    assert default["BillingName"] == "Heart"
    assert default["AccountingCategoryId"] == CATEGORY
    assert default["Data"]["Product"]["ProductId"] == PRODUCT


def test_what_was_sent_comes_back():
    """Account, bill, notes, identifiers and consumption are read back as sent."""
    desk = Desk()
    order = desk.posted(
        item(ExternalIdentifier="centra:uk:1:p1", AccountingCategoryId=CATEGORY.upper()),
        Notes="[centra:uk:1] Ünïcode \ud83c\udf81",
        BillId=BILL,
        BusinessSegmentId=SEGMENT,
        LinkedReservationId=RESERVATION,
    )
    shown = desk.items(ServiceOrderIds=[order.upper()])[0]
    assert shown["ExternalIdentifier"] == "centra:uk:1:p1"
    assert shown["Notes"] == "[centra:uk:1] Ünïcode \ud83c\udf81".encode("utf-16", "surrogatepass").decode("utf-16")
    assert (shown["AccountId"], shown["BillId"]) == (ACCOUNT, BILL)
    assert shown["AccountingCategoryId"] == CATEGORY
    assert shown["ConsumedUtc"] == "2011-12-01T08:26:00Z"
    found = desk.get("productServiceOrders/getAll", Limitation={"Count": 5}, ServiceIds=[SERVICE])
    assert found["ProductServiceOrders"][0]["LinkedReservationId"] == RESERVATION
    assert found["ProductServiceOrders"][0]["BusinessSegmentId"] == SEGMENT


def test_the_same_order_twice_is_two_orders():
    """Mews never deduplicates: a second post is a second charge, and the sandbox can show it."""
    desk = Desk()
    first, second = (desk.posted(item(ExternalIdentifier="centra:uk:1:p1")) for _ in range(2))
    assert first != second
    assert len(desk.items(ServiceIds=[SERVICE])) == 2
    assert list(desk.sandbox.duplicates()) == ["centra:uk:1:p1"]


def test_a_missing_consumption_is_now():
    """Without ConsumptionUtc, Mews books the order at its own time."""
    desk = Desk()
    desk.clock.forward(90)
    order = desk.posted(ConsumptionUtc=None)
    assert desk.items(ServiceOrderIds=[order])[0]["ConsumedUtc"] == "2012-01-10T12:01:30Z"


def test_a_refused_order_leaves_nothing():
    """One bad entry refuses the whole order: orders/add is atomic."""
    desk = Desk()
    status, _ = desk.order(item(), item(amount("1", "NO-CODE")))
    assert status == 403
    assert desk.sandbox.orders == []
    assert desk.sandbox.items == []


REFUSED = {
    "service unknown": (400, {"ServiceId": NOBODY}),
    "service closed": (403, {"ServiceId": SERVICE[:-1] + "3"}),
    "service bookable": (403, {"ServiceId": SERVICE[:-1] + "2"}),
    "account unknown": (400, {"AccountId": NOBODY}),
    "account gone": (403, {"AccountId": ACCOUNT[:-1] + "2"}),
    "account on cash list": (403, {"AccountId": CASHLIST}),
    "company gone": (403, {"AccountId": COMPANY[:-1] + "2"}),
    "deprecated customer differs": (400, {"CustomerId": CASHLIST}),
    "bill unknown": (400, {"BillId": NOBODY}),
    "bill closed": (403, {"BillId": CLOSED_BILL}),
    "bill of another": (403, {"BillId": OTHERS_BILL}),
    "segment unknown": (400, {"BusinessSegmentId": NOBODY}),
    "segment gone": (403, {"BusinessSegmentId": SEGMENT[:-1] + "2"}),
    "segment of another service": (403, {"BusinessSegmentId": SEGMENT[:-1] + "3"}),
    "reservation unknown": (400, {"LinkedReservationId": NOBODY}),
    "nothing ordered": (403, {"Items": []}),
    "too long ago": (403, {"ConsumptionUtc": "2008-09-10T10:59:59Z"}),
    "product unknown": (400, {"ProductOrders": [{"ProductId": NOBODY}]}),
    "product gone": (403, {"ProductOrders": [{"ProductId": PRODUCT[:-1] + "2"}]}),
    "product of another service": (403, {"ProductOrders": [{"ProductId": PRODUCT[:-1] + "3"}]}),
    "product with times": (
        403,
        {"ProductOrders": [{"ProductId": PRODUCT, "StartUtc": "2011-12-01T08:26:00Z"}]},
    ),
    "category unknown": (400, {"Items": [item(AccountingCategoryId=NOBODY)]}),
    "category gone": (403, {"Items": [item(AccountingCategoryId=CATEGORY[:-1] + "2")]}),
    "currency unknown": (400, {"Items": [item(amount(currency="XXX"))]}),
    "currency not enabled": (403, {"Items": [item(amount(currency="EUR"))]}),
    "finer than the currency": (403, {"Items": [item(amount("9.995"))]}),
    "net value in a gross enterprise": (403, {"Items": [item(amount(basis="NetValue"))]}),
    "both values": (403, {"Items": [item({**amount(), "NetValue": 1})]}),
    "no value": (403, {"Items": [item({"Currency": "GBP", "TaxCodes": []})]}),
    "two codes on a gross value": (403, {"Items": [item(amount("1", "UK-20%", "UK-5%"))]}),
    "code unknown": (403, {"Items": [item(amount("1", "UK-21%"))]}),
    "code of another environment": (403, {"Items": [item(amount("1", "DE-19%"))]}),
    "code not yet valid": (
        403,
        {"Items": [item(amount("1", "UK-20%"))], "ConsumptionUtc": "2011-01-03T23:59:59Z"},
    ),
    "code no longer valid": (
        403,
        {"Items": [item(amount("1", "UK-17.5%"))], "ConsumptionUtc": "2011-01-04T00:00:00Z"},
    ),
    "rebate not allowed": (403, {"Items": [item(amount("-1"))]}),
    "count of zero": (403, {"Items": [item(UnitCount=0)]}),
    "negative count": (403, {"Items": [item(UnitCount=-1)]}),
    "blank name": (403, {"Items": [item(Name="  ")]}),
    "long identifier": (400, {"Items": [item(ExternalIdentifier="x" * 256)]}),
    "price as text": (400, {"Items": [item({"Currency": "GBP", "TaxCodes": [], "GrossValue": "1.00"})]}),
    "count as text": (400, {"Items": [item(UnitCount="1")]}),
    "count with decimals": (400, {"Items": [item(UnitCount=Decimal("1.0"))]}),
    "codes missing": (400, {"Items": [item({"Currency": "GBP", "GrossValue": 1})]}),
    "unknown property": (400, {"Surprise": 1}),
    "unknown property deep down": (400, {"Items": [item(TaxCodes=[])]}),
    "absurd number": (400, {"Items": [item(amount("1E+999999"))]}),
    "service is no id": (400, {"ServiceId": "web-shop"}),
    "local time": (400, {"ConsumptionUtc": "2011-12-01T08:26:00"}),
    "offset time": (400, {"ConsumptionUtc": "2011-12-01T08:26:00+01:00"}),
    "no such day": (400, {"ConsumptionUtc": "2011-02-30T08:26:00Z"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_mews_refuses_is_refused(case):
    """Each rule of the contract refuses with its status and a message for people, and writes nothing."""
    status, changes = REFUSED[case]
    desk = Desk()
    answered, body = desk.order(**changes)
    assert (answered, bool(body["Message"]), len(body["RequestId"])) == (status, True, 36)
    assert desk.sandbox.items == []


@pytest.mark.parametrize(
    ("world", "changes", "status"),
    [
        ({"allow_rebates": True}, {"Items": [item(amount("-1"))]}, 200),
        ({"company_billing": False}, {"AccountId": COMPANY}, 403),
        ({}, {"AccountId": COMPANY}, 200),
        ({"refuse_cashlist": False}, {"AccountId": CASHLIST}, 200),
        ({}, {"Items": [item(amount("9.990"))]}, 200),
        ({}, {"Items": [item(amount("-0"))]}, 200),
        ({"currencies": {"JPY": 0}}, {"Items": [item(amount("1.5", currency="JPY"))]}, 403),
        ({"currencies": {"KWD": 3}}, {"Items": [item(amount("1.555", currency="KWD"))]}, 200),
        ({}, {"ConsumptionUtc": "2031-01-01T00:00:00Z"}, 200),
        ({}, {"ConsumptionUtc": "2008-09-10T11:00:00Z"}, 200),
        ({"accounting_editable_window": "P7D"}, {"ConsumptionUtc": "2012-01-03T11:59:59Z"}, 403),
        ({"operational_editable_window": "P7D"}, {"ConsumptionUtc": "2012-01-03T12:00:00Z"}, 200),
    ],
)
def test_what_the_world_allows_decides(world, changes, status):
    """Rebates, company billing, currencies and windows are the enterprise's; the shorter window binds.

    40 months before noon of 10 January 2012 in London is noon summer time, 11:00 UTC.
    """
    desk = Desk(world_of(**world))
    changes.setdefault("Items", [item(amount("1", currency=desk.world.enterprise.default_currency))])
    assert desk.order(**changes)[0] == status


@pytest.mark.parametrize(
    ("codes", "value", "status"),
    [
        (("STATE", "STATE"), {"NetValue": 1}, 403),
        (("STATE",), {"GrossValue": 1}, 403),
        (("FEE",), {"NetValue": 1, "Currency": "GBP"}, 403),
        (("STATE", "CITY", "LEVY", "TOP", "FEE"), {"NetValue": 1}, 200),
    ],
)
def test_net_enterprises_take_net_values_with_any_codes(codes, value, status):
    """A code twice, a gross value, or a fee in another currency is refused."""
    desk = Desk(us_world())
    assert desk.order(item({"Currency": "USD", "TaxCodes": list(codes), **value}))[0] == status


def test_environment_validity_bounds_its_codes():
    """A code is worth nothing once its tax environment has ended."""
    ended = [{"code": "UK", "country": "GBR", "taxations": ["VAT"], "valid_before": "2011-06-01T00:00:00Z"}]
    desk = Desk(world_of(tax_environments=ended))
    assert desk.order(item(amount("1", "UK-5%")))[0] == 403
    assert desk.order(item(amount("1", "UK-5%")), ConsumptionUtc="2011-05-01T00:00:00Z")[0] == 200


def test_unasked_items_and_reservations_are_a_worlds_choice():
    """An enterprise that adds to orders on its own lets the first order's check be rehearsed."""
    desk = Desk(world_of(adds_items=True, links_reservations=True))
    order = desk.posted()
    assert [each["BillingName"] for each in desk.items(ServiceOrderIds=[order])] == ["Service charge", "Heart"]
    assert desk.sandbox.orders[0].reservation_id == RESERVATION


def test_a_portfolio_token_must_name_its_enterprise():
    """With two enterprises every write names one, every read too, and they do not mix."""
    one, two = "e0000000-0000-4000-a000-00000000000a", "e0000000-0000-4000-a000-00000000000b"
    base = {
        "pricing": "Gross",
        "currencies": {"GBP": 2},
        "rates": [],
        "tax_environments": [{"code": "UK", "taxations": []}],
        "rate_limit": None,
        "accounts": [{"id": ACCOUNT, "email": "a@example.com"}],
        "service": {"id": SERVICE, "name": "Shop"},
    }
    second = {**base, "service": {"id": SERVICE[:-1] + "9", "name": "Shop"}, "accounts": []}
    world = parse_world(
        {
            "enterprises": [
                {**base, "enterprise": {"id": one, "name": "One"}},
                {**second, "enterprise": {"id": two, "name": "Two"}},
            ],
            "rate_limit": None,
        }
    )
    desk = Desk(world)
    consumed = "2030-01-01T00:00:00Z"
    assert desk.order(ConsumptionUtc=consumed)[0] == 400
    assert desk.order(ConsumptionUtc=consumed, EnterpriseId=NOBODY)[0] == 401
    assert desk.order(ConsumptionUtc=consumed, EnterpriseId=two)[0] == 400
    desk.posted(ConsumptionUtc=consumed, EnterpriseId=one)
    desk.posted(ConsumptionUtc=consumed, EnterpriseId=two, ServiceId=SERVICE[:-1] + "9")
    assert desk.ask("configuration/get")[0] == 400
    assert desk.get("configuration/get", EnterpriseId=two)["Enterprise"]["Name"] == "Two"
    assert desk.ask("orderItems/getAll", Limitation={"Count": 9}, ServiceIds=[SERVICE])[0] == 400
    found = desk.items(EnterpriseIds=[two], ServiceIds=[SERVICE, SERVICE[:-1] + "9"])
    assert [each["EnterpriseId"] for each in found] == [two]
