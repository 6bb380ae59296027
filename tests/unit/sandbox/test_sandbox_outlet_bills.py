"""`outletBills/add` in the sandbox: what it books, what it refuses, and what a refusal of several leaves."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from sandbox_desk import (
    ACCOUNT,
    CASHLIST,
    CATEGORY,
    CLOSED_OUTLET,
    COMPANY,
    NOBODY,
    OUTLET,
    Desk,
    amount,
    bill,
    paid,
    sold,
    us_world,
    world_of,
)

from etl.errors import UsageError
from etl.sandbox import load_world
from etl.sandbox.core import Sandbox
from etl.sandbox.world_file import BUILT_IN, parse_world


def booked(desk: Desk) -> list[tuple[str, str, str, str]]:
    """Codes, net, tax and gross of each whole entry, oldest first."""
    return [
        (
            "+".join(code for code, _ in item.amount.taxes),
            str(item.amount.net),
            str(item.amount.gross - item.amount.net),
            str(item.amount.gross),
        )
        for item in desk.sandbox.outlets.items
    ]


def test_a_bill_is_kept_as_sent():
    """Outlet, number, notes, closure, and of every item type, name, count, category, identifier and notes."""
    desk = Desk()
    first = sold(
        amount("0.85", "UK-20%"),
        UnitCount=12,
        AccountingCategoryId=CATEGORY.upper(),
        ExternalIdentifier="centra:uk:1:p1",
        Notes="Ünïcode",
    )
    (own,) = desk.added(bill(first, paid("-10.20"), Number="536365", Notes="[centra:uk:1]", AccountId=ACCOUNT))
    shown = desk.outlet_page(ClosedUtc={"StartUtc": "2011-12-01T08:26:00Z", "EndUtc": "2011-12-01T08:26:00Z"})
    assert shown["OutletBills"] == [
        {
            "Id": own,
            "EnterpriseId": desk.world.enterprise.id,
            "OutletId": OUTLET,
            "Number": "536365",
            "ClosedUtc": "2011-12-01T08:26:00Z",
            "UpdatedUtc": "2012-01-10T12:00:00Z",
            "Notes": "[centra:uk:1]",
        }
    ]
    payment, item = shown["OutletItems"]
    assert (item["Type"], item["Name"], item["UnitCount"], item["BillId"]) == ("Revenue", "Heart", 12, own)
    assert (item["AccountingCategoryId"], item["ExternalIdentifier"]) == (CATEGORY, "centra:uk:1:p1")
    assert (item["Notes"], item["ConsumedUtc"]) == ("Ünïcode", "2011-12-01T08:26:00Z")
    assert (item["CreatedUtc"], item["UpdatedUtc"]) == ("2012-01-10T12:00:00Z",) * 2
    assert (payment["Type"], payment["UnitAmount"]["GrossValue"]) == ("Payment", Decimal("-10.20"))
    assert payment["AccountingCategoryId"] is None
    assert desk.sandbox.outlets.bills[own].account_id == ACCOUNT


def test_gross_items_are_taxed_on_count_times_unit_and_shown_by_the_unit():
    """The accounts hold the tax of the whole entry; what is read back is one unit with its own rounding."""
    desk = Desk()
    desk.added(bill(sold(amount("0.85", "UK-20%"), UnitCount=12)))
    assert booked(desk) == [("UK-20%", "8.50", "1.70", "10.20")]
    unit = desk.outlet_page(Ids=[desk.sandbox.outlets.items[0].id])["OutletItems"][0]["UnitAmount"]
    assert (unit["NetValue"], unit["GrossValue"]) == (Decimal("0.71"), Decimal("0.85"))
    assert unit["TaxValues"] == [{"Code": "UK-20%", "Value": Decimal("0.14")}]


def test_net_items_combine_relative_dependent_and_flat_codes():
    """A levy on the rounded state tax, a fee for each piece, as on the other route."""
    desk = Desk(us_world())
    codes = ("STATE", "CITY", "LEVY", "FEE")
    desk.added(bill(sold(amount("50", *codes, currency="USD", basis="NetValue"), UnitCount=2)))
    assert booked(desk) == [("+".join(codes), "100.00", "15.06", "115.06")]


def test_examples_are_booked_on_bills_as_an_accountant_expects(shared):
    """The expected items of every worked example, sent as a bill, come to the net, tax and gross written there."""
    cases = 0
    for folder in sorted((shared / "examples").iterdir()):
        if not (folder / "world.json").exists():
            continue
        data = json.loads((folder / "world.json").read_text(), parse_float=Decimal)
        data["outlets"] = [{"id": OUTLET, "name": "Shop"}]
        world = parse_world(data)
        for number, order in json.loads((folder / "expect.json").read_text())["orders"].items():
            if order["state"] != "posted" or not order.get("items"):
                continue
            cases += 1
            desk = Desk(world)
            moment = order.get("consumption") or "2012-01-09T12:00:00Z"
            currency = order.get("currency") or world.enterprise.default_currency
            items = [
                sold(
                    amount(
                        each["unit"],
                        *each["codes"],
                        currency=currency,
                        basis="GrossValue" if each["basis"] == "gross" else "NetValue",
                    ),
                    UnitCount=each["count"],
                    ConsumedUtc=moment,
                )
                for each in order["items"]
            ]
            desk.added(bill(*items, Number=number, ClosedUtc=moment))
            assert [row[1:] for row in booked(desk)] == [
                (each["booked_net"], each["booked_tax"], each["booked_gross"]) for each in order["items"]
            ], (folder.name, number)
    assert cases >= 12


def test_the_documents_own_sample_is_taken():
    """A payment with a tax code, revenue of ten pieces, a category of null, years ago: Mews's own example."""
    desk = Desk()
    vat = amount("-25", "UK-17.5%")
    beer = sold(amount("2.5", "UK-17.5%"), Name="Beer", UnitCount=10, AccountingCategoryId=None)
    cash = sold(vat, Type="Payment", Name="Cash payment", ExternalIdentifier="PaymentReference123")
    sample = bill(
        *({**each, "ConsumedUtc": "2010-01-01T00:00:00Z"} for each in (cash, beer)),
        Number="1257",
        ClosedUtc="2010-01-01T00:00:00Z",
    )
    desk.added(sample)
    assert sum(item.amount.gross for item in desk.sandbox.outlets.items) == 0


def test_the_same_bill_twice_is_two_bills():
    """Number and ExternalIdentifier are not unique: a second post is revenue told twice, and the sandbox can show it."""
    desk = Desk()
    same = bill(sold(ExternalIdentifier="centra:uk:1:p1"), Number="536365")
    first, second = desk.added(same), desk.added(same)
    assert first != second
    assert [each.number for each in desk.sandbox.outlets.bills.values()] == ["536365", "536365"]
    assert list(desk.sandbox.duplicates()) == ["centra:uk:1:p1"]


def test_ids_are_answered_in_an_order_of_their_own():
    """One id for each bill; nothing says in which order, so the sandbox's is not the request's."""
    desk = Desk()
    ids = desk.added(*(bill(Number=str(number)) for number in range(20)))
    in_order = [each.id for each in desk.sandbox.outlets.bills.values()]
    assert sorted(ids) == sorted(in_order)
    assert ids != in_order
    assert [each.number for each in desk.sandbox.outlets.bills.values()] == [str(number) for number in range(20)]


def test_a_thousand_bills_are_one_request():
    """The documented most."""
    desk = Desk()
    assert len(desk.added(*[bill()] * 1000)) == 1000
    assert desk.add(*[bill()] * 1001)[0] == 400
    assert desk.ask("outletBills/add", Bills=[])[0] == 400
    assert len(desk.sandbox.outlets.bills) == 1000


REFUSED = {
    "outlet unknown": (400, {"OutletId": NOBODY}, "outlet"),
    "outlet closed": (403, {"OutletId": CLOSED_OUTLET}, "not active"),
    "outlet is no id": (400, {"OutletId": "shop"}, "UUID"),
    "outlet missing": (400, {"OutletId": None}, "OutletId"),
    "account unknown": (400, {"AccountId": NOBODY}, "AccountId"),
    "account gone": (403, {"AccountId": ACCOUNT[:-1] + "2"}, "not active"),
    "company gone": (403, {"AccountId": COMPANY[:-1] + "2"}, "not active"),
    "number empty": (400, {"Number": ""}, "Number"),
    "number blank": (403, {"Number": " "}, "number"),
    "number is a number": (400, {"Number": 536365}, "Number"),
    "no items": (403, {"Items": []}, "at least one item"),
    "items missing": (400, {"Items": None}, "Items"),
    "closed in local time": (400, {"ClosedUtc": "2011-12-01T08:26:00"}, "ClosedUtc"),
    "closed on no day": (400, {"ClosedUtc": "2011-02-30T08:26:00Z"}, "ClosedUtc"),
    "consumed in local time": (400, {"Items": [sold(ConsumedUtc="2011-12-01")]}, "ConsumedUtc"),
    "consumption missing": (400, {"Items": [sold(ConsumedUtc=None)]}, "ConsumedUtc"),
    "unknown property": (400, {"Surprise": 1}, "Surprise"),
    "enterprise named": (400, {"EnterpriseId": NOBODY}, "EnterpriseId"),
    "unknown property deep down": (400, {"Items": [sold(TaxCodes=[])]}, "TaxCodes"),
    "type unknown": (400, {"Items": [sold(Type="Refund")]}, "Type"),
    "type missing": (400, {"Items": [sold(Type=None)]}, "Type"),
    "name empty": (400, {"Items": [sold(Name="")]}, "Name"),
    "name blank": (403, {"Items": [sold(Name="  ")]}, "name"),
    "long identifier": (400, {"Items": [sold(ExternalIdentifier="x" * 256)]}, "255"),
    "count of zero": (403, {"Items": [sold(UnitCount=0)]}, "positive"),
    "negative count": (403, {"Items": [sold(UnitCount=-1)]}, "positive"),
    "count with decimals": (400, {"Items": [sold(UnitCount=Decimal("1.0"))]}, "UnitCount"),
    "count as text": (400, {"Items": [sold(UnitCount="1")]}, "UnitCount"),
    "category unknown": (400, {"Items": [sold(AccountingCategoryId=NOBODY)]}, "AccountingCategoryId"),
    "category gone": (403, {"Items": [sold(AccountingCategoryId=CATEGORY[:-1] + "2")]}, "not active"),
    "category is no id": (400, {"Items": [sold(AccountingCategoryId="4000")]}, "AccountingCategoryId"),
    "currency unknown": (400, {"Items": [sold(amount(currency="XXX"))]}, "Currency"),
    "currency not enabled": (403, {"Items": [sold(amount(currency="EUR"))]}, "EUR"),
    "finer than the currency": (403, {"Items": [sold(amount("9.995"))]}, "decimals"),
    "net value in a gross enterprise": (403, {"Items": [sold(amount(basis="NetValue"))]}, "GrossValue"),
    "both values": (403, {"Items": [sold({**amount(), "NetValue": 1})]}, "Only one"),
    "no value": (403, {"Items": [sold({"Currency": "GBP", "TaxCodes": []})]}, "GrossValue"),
    "price as text": (400, {"Items": [sold({"Currency": "GBP", "TaxCodes": [], "GrossValue": "1"})]}, "GrossValue"),
    "codes missing": (400, {"Items": [sold({"Currency": "GBP", "GrossValue": 1})]}, "TaxCodes"),
    "two codes on a gross value": (403, {"Items": [sold(amount("1", "UK-20%", "UK-5%"))]}, "one tax code"),
    "code unknown": (403, {"Items": [sold(amount("1", "UK-21%"))]}, "UK-21%"),
    "code of another environment": (403, {"Items": [sold(amount("1", "DE-19%"))]}, "DE-19%"),
    "code not yet valid": (
        403,
        {"Items": [sold(amount("1", "UK-20%"), ConsumedUtc="2011-01-03T23:59:59Z")]},
        "not valid",
    ),
    "code no longer valid": (
        403,
        {"Items": [sold(amount("1", "UK-17.5%"), ConsumedUtc="2011-01-04T00:00:00Z")]},
        "not valid",
    ),
    "code of a payment unknown": (403, {"Items": [sold(amount("-1", "UK-21%"), Type="Payment")]}, "UK-21%"),
    "rebate not allowed": (403, {"Items": [sold(amount("-1"))]}, "rebates"),
    "negative deposit not allowed": (403, {"Items": [sold(amount("-1"), Type="NonRevenue")]}, "rebates"),
    "payment of nothing": (403, {"Items": [paid("0")]}, "zero"),
    "payment finer than the currency": (403, {"Items": [paid("-0.005")]}, "decimals"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_mews_refuses_is_refused(case):
    """Each rule refuses with its status and a message for people, and leaves nothing."""
    status, changes, word = REFUSED[case]
    desk = Desk()
    answered, body = desk.add(bill(**changes))
    assert (answered, word in body["Message"], len(body["RequestId"])) == (status, True, 36), body
    assert desk.sandbox.outlets.bills == {}
    assert desk.sandbox.outlets.items == []


@pytest.mark.parametrize(
    ("world", "changes", "status"),
    [
        ({"allow_rebates": True}, {"Items": [sold(amount("-1"))]}, 200),
        ({"allow_rebates": True}, {"Items": [sold(amount("-1"), Type="NonRevenue")]}, 200),
        ({}, {"Items": [paid("-5")]}, 200),
        ({}, {"Items": [paid("5")]}, 200),
        ({}, {"Items": [sold(amount("0"))]}, 200),
        ({}, {"Items": [sold(amount("9.990"))]}, 200),
        ({"company_billing": False}, {"AccountId": COMPANY}, 200),
        ({}, {"AccountId": CASHLIST}, 200),
        ({}, {"AccountId": ACCOUNT.upper(), "OutletId": OUTLET.upper()}, 200),
        ({}, {"ClosedUtc": "1999-01-01T00:00:00Z", "Items": [sold(ConsumedUtc="1999-01-01T00:00:00Z")]}, 200),
        ({}, {"ClosedUtc": "2031-01-01T00:00:00Z"}, 200),
        ({"editable_window": "P1D"}, {}, 200),
        ({"outlet_window": "P41D"}, {}, 200),
        ({"outlet_window": "P30D"}, {}, 403),
        ({"outlet_window": "P41D"}, {"Items": [sold(ConsumedUtc="2011-11-01T00:00:00Z")]}, 403),
        ({"outlet_window": "P7D"}, {"ClosedUtc": "2012-01-03T12:00:00Z", "Items": [paid()]}, 403),
        ({"outlet_window": "P7D"}, {"ClosedUtc": "2031-01-03T12:00:00Z", "Items": [sold()]}, 403),
        ({"currencies": {"JPY": 0}}, {"Items": [sold(amount("1.5", currency="JPY"))]}, 403),
        ({"currencies": {"KWD": 3}}, {"Items": [sold(amount("1.555", currency="KWD"))]}, 200),
    ],
)
def test_what_the_world_allows_decides(world, changes, status):
    """Rebates need a permission, payments none; the editable window of orders does not bind bills, one of their own may."""
    assert Desk(world_of(**world)).add(bill(**changes))[0] == status


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
    assert desk.add(bill(sold({"Currency": "USD", "TaxCodes": list(codes), **value})))[0] == status


BAD = bill(sold(amount("1", "NO-CODE")), Number="bad")
SEVERAL = (bill(Number="1"), bill(Number="2"), BAD, bill(Number="4"), BAD, bill(Number="6"))


@pytest.mark.parametrize(
    ("world", "dials", "left"),
    [
        ({}, [], []),
        ({}, ["refused-bills:commit=whole"], []),
        ({}, ["refused-bills"], ["1", "2"]),
        ({}, ["refused-bills:commit=partial"], ["1", "2"]),
        ({}, ["refused-bills:commit=others"], ["1", "2", "4", "6"]),
        ({"refused_bills": "partial"}, [], ["1", "2"]),
        ({"refused_bills": "others"}, [], ["1", "2", "4", "6"]),
        ({"refused_bills": "others"}, ["refused-bills:commit=whole"], []),
    ],
)
def test_what_a_refused_request_of_several_leaves_is_a_dial(world, dials, left):
    """No document says; whatever it is, the answer is the same refusal and does not tell which bill it means."""
    desk = Desk(world_of(**world), *dials)
    status, body = desk.add(*SEVERAL)
    assert status == 403
    assert "NO-CODE" in body["Message"]
    assert "bad" not in body["Message"]
    assert [each.number for each in desk.sandbox.outlets.bills.values()] == left
    assert [item.bill_id for item in desk.sandbox.outlets.items] == list(desk.sandbox.outlets.bills)


@pytest.mark.parametrize("commit", ["whole", "partial", "others"])
def test_a_refused_bill_alone_leaves_nothing_and_malformed_requests_never_do(commit):
    """One bad bill is definite; what can't be read as a request is refused before anything is looked at."""
    desk = Desk(None, f"refused-bills:commit={commit}")
    assert desk.add(BAD)[0] == 403
    assert desk.add(bill(), bill(Surprise=1))[0] == 400
    assert desk.sandbox.outlets.bills == {}


def test_a_portfolio_token_reaches_the_outlets_of_every_enterprise():
    """There is no EnterpriseId: the outlet belongs to one, and its pricing, codes and currencies are the bill's."""
    one, two = "e0000000-0000-4000-a000-00000000000a", "e0000000-0000-4000-a000-00000000000b"
    there = OUTLET[:-1] + "9"
    part = {"rates": [], "service": {"name": "Shop"}, "rate_limit": None}
    gross = {"pricing": "Gross", "currencies": {"GBP": 2}, "tax_environments": [{"code": "UK", "taxations": []}]}
    net = {"pricing": "Net", "currencies": {"USD": 2}, "tax_environments": [{"code": "US", "taxations": []}]}
    world = parse_world(
        {
            "enterprises": [
                {**part, **gross, "enterprise": {"id": one, "name": "One"}, "outlets": [{"id": OUTLET}]},
                {**part, **net, "enterprise": {"id": two, "name": "Two"}, "outlets": [{"id": there}]},
            ],
            "rate_limit": None,
        }
    )
    desk = Desk(world)
    dollars = sold(amount(currency="USD", basis="NetValue"))
    desk.added(bill(), bill(dollars, OutletId=there))
    assert desk.add(bill(dollars))[0] == 403
    assert desk.add(bill(OutletId=there))[0] == 403
    consumed = {"StartUtc": "2011-12-01T00:00:00Z", "EndUtc": "2012-01-01T00:00:00Z"}
    assert desk.ask("outletItems/getAll", Limitation={"Count": 9}, ConsumedUtc=consumed)[0] == 400
    found = desk.outlet_page(EnterpriseIds=[two], ConsumedUtc=consumed)
    assert [each["OutletId"] for each in found["OutletBills"]] == [there]
    assert [each["EnterpriseId"] for each in found["OutletItems"]] == [two]
    assert desk.ask("outlets/getAll", Limitation={"Count": 9})[0] == 400
    shown = desk.get("outlets/getAll", Limitation={"Count": 9}, EnterpriseIds=[one, two])["Outlets"]
    assert {each["Id"]: each["EnterpriseId"] for each in shown} == {OUTLET: one, there: two}


def test_the_built_in_worlds_have_outlets_with_bills_of_their_own():
    """A rehearsal meets other people's receipts on the outlet, and needs no file."""
    for name in BUILT_IN:
        sandbox = Sandbox(load_world(name))
        assert any(outlet.is_active for outlet in sandbox.world.enterprise.outlets.values())
        held = sandbox.outlets
        assert held.bills
        assert {item.type for item in held.items} >= {"Revenue", "Payment"}
        assert all(each.created == each.closed for each in held.bills.values())


def test_bills_from_before_are_checked_like_any_other():
    """A world whose outlets hold what Mews would have refused is no world."""
    with pytest.raises(UsageError, match="outlet_bills` 7: The tax code NO-CODE"):
        Desk(world_of(outlet_bills=[bill(sold(amount("1", "NO-CODE")), Number="7")]))
    with pytest.raises(UsageError, match="closed after Mews's clock"):
        Desk(world_of(outlet_bills=[bill(ClosedUtc="2012-01-10T12:00:01Z")]))
    with pytest.raises(UsageError, match=r"outlet_bills\[0\]"):
        world_of(outlet_bills=[bill(Surprise=1)])


def test_bills_from_before_stand_in_the_order_of_their_closure():
    """They were created when they were closed, so the oldest is read last; their ids are the same every time."""
    before = [bill(Number=day[-2:], ClosedUtc=f"{day}T00:00:00Z") for day in ("2011-12-05", "2011-11-05", "2011-12-01")]
    world = world_of(outlet_bills=before)
    held = Desk(world).sandbox.outlets.bills
    assert [each.number for each in held.values()] == ["05", "01", "05"]
    assert list(held) == list(Desk(world).sandbox.outlets.bills)
    shown = Desk(world).outlet_page(
        UpdatedUtc={"StartUtc": "2011-12-01T00:00:00Z", "EndUtc": "2011-12-06T00:00:00Z"},
    )
    assert [each["UpdatedUtc"] for each in shown["OutletBills"]] == ["2011-12-05T00:00:00Z", "2011-12-01T00:00:00Z"]


@pytest.mark.parametrize(
    "changes",
    [
        {"outlets": [{"id": "shop"}]},
        {"outlets": [{"id": OUTLET, "created": "2010"}]},
        {"outlets": {}},
        {"outlet_bills": {}},
        {"outlet_window": "a year"},
        {"refused_bills": "half"},
        {"largest_body": 0},
        {"largest_body": "4 MiB"},
    ],
)
def test_a_world_whose_outlets_make_no_sense_is_refused(changes):
    """The key is named."""
    with pytest.raises(UsageError, match=next(iter(changes))):
        world_of(**changes)


def test_a_request_beyond_the_worlds_size_is_413_and_leaves_nothing():
    """A rehearsal of bodies that are too large needs no 4 MiB."""
    desk = Desk(world_of(largest_body=2000))
    assert desk.add(*[bill()] * 20)[0] == 413
    assert desk.sandbox.outlets.bills == {}
    assert desk.add(*[bill()] * 4)[0] == 200
