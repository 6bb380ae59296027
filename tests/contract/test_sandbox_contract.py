"""The sandbox against the official description: it answers only what Mews may answer, and takes what Mews takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import simplejson
from openapi_schema import DESCRIPTION, example_request, faults, operations, request_validator, response_validator

from etl.sandbox import load_world, parse_fault
from etl.sandbox.core import OPERATIONS, PREFIX, Sandbox
from etl.sandbox.requests import SHAPES
from etl.sandbox.shapes import ShapeError
from etl.sandbox.world_file import parse_world

if not DESCRIPTION.exists():
    pytest.skip("needs ../shared", allow_module_level=True)

SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
PRODUCT = "9d000000-0000-4000-a000-000000000001"
CATEGORY = "ca000000-0000-4000-a000-000000000001"
SOME = "12345678-1234-4234-a234-123456789abc"
INTERVAL = {"StartUtc": "2026-01-01T00:00:00Z", "EndUtc": "2026-02-01T00:00:00Z"}
PAGE = {"Limitation": {"Count": 100, "Cursor": None}}
DECEMBER = {"StartUtc": "2010-12-01T00:00:00Z", "EndUtc": "2011-01-01T00:00:00Z"}
JANUARY_2017 = {"StartUtc": "2017-01-01T00:00:00Z", "EndUtc": "2017-01-01T00:00:00Z"}
WIDE = {"StartUtc": "2008-01-01T00:00:00Z", "EndUtc": "2008-03-01T00:00:00Z"}


def unit(world, value="9.99"):
    enterprise = world.enterprise
    basis, codes = (
        ("GrossValue", ["UK-17.5%"]) if enterprise.pricing == "Gross" else ("NetValue", ["US-STATE", "US-FEE"])
    )
    return {"Currency": enterprise.default_currency, "TaxCodes": codes, basis: Decimal(value)}


def full_requests(world) -> dict[str, dict[str, Any]]:
    """A request of every operation that Mews accepts, with as many properties as it takes."""
    enterprise = world.enterprise
    paid = "GrossValue" if enterprise.pricing == "Gross" else "NetValue"
    return {
        "configuration/get": {"EnterpriseId": enterprise.id},
        "currencies/getAll": {},
        "taxEnvironments/getAll": {},
        "taxations/getAll": {},
        "enterprises/getAll": {**PAGE, "EnterpriseIds": [enterprise.id], "UpdatedUtc": WIDE, "LinkedUtc": WIDE},
        "services/getAll": {**PAGE, "EnterpriseIds": [enterprise.id], "UpdatedUtc": WIDE},
        "products/getAll": {**PAGE, "ServiceIds": [SERVICE], "ProductIds": [PRODUCT], "IncludeDefault": True},
        "accountingCategories/getAll": {
            **PAGE,
            "AccountingCategoryIds": [CATEGORY],
            "ActivityStates": ["Active", "Deleted"],
            "UpdatedUtc": WIDE,
        },
        "outlets/getAll": {**PAGE, "EnterpriseIds": [enterprise.id], "UpdatedUtc": WIDE},
        "businessSegments/getAll": {**PAGE, "ServiceIds": [SERVICE], "ActivityStates": ["Active"]},
        "customers/getAll": {
            **PAGE,
            "Extent": {"Customers": True, "Documents": False, "Addresses": None},
            "Emails": ["webshop@example.com", "ANN@example.com"],
            "ActivityStates": ["Active", "Deleted"],
        },
        "customers/add": {
            "Title": "Miss",
            "FirstName": "Nora",
            "LastName": "New",
            "Email": "nora@example.com",
            "BirthDate": "1980-02-29",
            "Address": {"Line1": "1 High Street", "City": "London", "CountryCode": "GB"},
            "Classifications": ["Important"],
            "Options": ["SendMarketingEmails"],
            "OverwriteExisting": True,
        },
        "companies/getAll": {**PAGE, "ExternalIdentifiers": ["TRADE-1"], "ActivityStates": ["Active"]},
        "bills/getAll": {**PAGE, "State": "Open", "Extent": {"Items": True}, "CorrectionState": ["Bill"]},
        "orders/add": {
            "EnterpriseId": enterprise.id,
            "ServiceId": SERVICE,
            "AccountId": ACCOUNT,
            "Options": {"DisableItemGrouping": True},
            "ProductOrders": [
                {"ProductId": PRODUCT, "Count": 2, "UnitAmount": unit(world), "ExternalIdentifier": "centra:uk:1:p1"}
            ],
            "Items": [
                {
                    "Name": "Heart",
                    "UnitCount": 3,
                    "UnitAmount": unit(world, "-1.5"),
                    "AccountingCategoryId": CATEGORY,
                    "ExternalIdentifier": "centra:uk:1:p2",
                },
                {"Name": "Free", "UnitCount": 1, "UnitAmount": {**unit(world, "0"), "TaxCodes": []}},
            ],
            "ConsumptionUtc": "2010-12-01T08:26:00Z",
            "Notes": "[centra:uk:1] Centra order 1",
            "BusinessSegmentId": next(iter(enterprise.segments)),
            "BillId": "b1000000-0000-4000-a000-000000000001",
            "LinkedReservationId": enterprise.reservations[0],
        },
        "orderItems/getAll": {**PAGE, "ServiceIds": [SERVICE], "Types": ["CustomItem", "ProductOrder"]},
        "productServiceOrders/getAll": {**PAGE, "ServiceIds": [SERVICE], "States": ["Processed"]},
        "payments/addExternal": {
            "AccountId": ACCOUNT,
            "Amount": {"Currency": enterprise.default_currency, paid: 5},
            "Type": "GiftCard",
            "ExternalIdentifier": "centra:uk:1:gift1",
            "Notes": "n",
            "BillId": "b1000000-0000-4000-a000-000000000001",
            "AccountingCategoryId": CATEGORY,
        },
        "outletBills/add": {"Bills": [full_bill(world), {**full_bill(world), "AccountId": None, "Notes": None}]},
        "outletItems/getAll": {
            **PAGE,
            "EnterpriseIds": [enterprise.id],
            "ConsumedUtc": DECEMBER,
            "ClosedUtc": DECEMBER,
            "Currency": enterprise.default_currency,
        },
        "payments/getAll": {**PAGE, "AccountIds": [ACCOUNT], "States": ["Charged"], "AccountingStates": ["Open"]},
        "orderItems/cancel": {"OrderItemIds": [SOME]},
    }


def full_bill(world) -> dict[str, Any]:
    """An outlet bill with everything that one may have."""
    sold = {
        "Type": "Revenue",
        "Name": "Heart",
        "UnitCount": 3,
        "UnitAmount": unit(world),
        "ConsumedUtc": "2010-12-01T08:26:00Z",
        "ExternalIdentifier": "centra:uk:1:p1",
        "Notes": "n",
        "AccountingCategoryId": CATEGORY,
    }
    paid = {**sold, "Type": "Payment", "UnitAmount": {**unit(world, "-29.97"), "TaxCodes": []}, "UnitCount": 1}
    return {
        "OutletId": next(iter(world.enterprise.outlets)),
        "Number": "536365",
        "ClosedUtc": "2010-12-01T08:26:00Z",
        "Items": [sold, {**sold, "Type": "NonRevenue", "AccountingCategoryId": None}, paid],
        "AccountId": ACCOUNT,
        "Notes": "[centra:uk:1]",
    }


def who(world) -> dict[str, str]:
    return {"ClientToken": world.client_token, "AccessToken": world.access_token, "Client": "contract 1.0"}


class Caller:
    """A sandbox whose every answer is compared with the description."""

    def __init__(self, world, *specs: str) -> None:
        self.world = world
        self.sandbox = Sandbox(world, rng=Random(1), faults=[parse_fault(spec) for spec in specs])

    def __call__(self, operation: str, body: dict[str, Any], *, tokens: bool = True) -> tuple[int, dict[str, Any]]:
        sent = {**who(self.world), **body} if tokens else body
        answer = self.sandbox.handle(PREFIX + operation, simplejson.dumps(sent, use_decimal=True).encode())
        parsed = json.loads(answer.body)
        assert faults(response_validator(operation, answer.status), parsed) == []
        if answer.status != 200:
            assert parsed["Message"]
            assert parsed["RequestId"]
        return answer.status, parsed


@pytest.fixture(params=["gross-uk", "net-us"])
def world(request):
    return load_world(request.param)


def test_every_operation_is_described():
    """The sandbox has no operation that Mews has not, and a request shape for each."""
    assert set(OPERATIONS) <= set(operations())
    assert set(OPERATIONS) == set(SHAPES)


def test_every_answer_fits_the_description(world):
    """Every operation, called fully in both worlds, answers 200 in the described form."""
    call = Caller(world)
    requests = full_requests(world)
    assert set(requests) == set(OPERATIONS)
    lists = {}
    for operation, body in requests.items():
        if operation == "orderItems/cancel":
            continue
        assert faults(request_validator(operation), {**who(world), **_plain(body)}) == []
        status, answer = call(operation, body)
        assert status == 200, (operation, answer)
        lists[operation] = max((len(value) for value in answer.values() if isinstance(value, list)), default=None)
    # A list that is empty proves nothing about its rows.
    assert [operation for operation, count in lists.items() if count == 0] == []
    own = call.sandbox.items[0].id
    assert call("orderItems/cancel", {"OrderItemIds": [own]}) == (200, {})
    assert call("orderItems/getAll", {**PAGE, "OrderItemIds": [own]})[1]["OrderItems"][0]["CanceledUtc"]


def test_refusals_fit_the_description(world):
    """400, 401, 403, 404, 409, 413-like and 5xx answers all have the described error form."""
    requests = full_requests(world)
    seen = set()
    for operation, body in requests.items():
        call = Caller(world)
        seen.add(call(operation, {**body, "Surprise": 1})[0])
        seen.add(call(operation, body, tokens=False)[0])
        seen.add(call(operation, {**body, "AccessToken": "wrong"})[0])
    order = requests["orders/add"]
    seen.add(Caller(world)("orders/add", {**order, "ConsumptionUtc": "1950-01-01T00:00:00Z"})[0])
    for spec in ("429-burst", "status-409", "status-500-after", "status-503-before", "status-408-after"):
        seen.add(Caller(world, spec)("orders/add", order)[0])
    bills = [full_bill(world), {**full_bill(world), "OutletId": SOME}]
    for spec in ("refused-bills", "partly-committed:answer=408", "partly-committed:answer=500"):
        assert Caller(world, spec)("outletBills/add", {"Bills": bills})[0] in (400, 408, 500)
    assert Caller(world, "no-permission")("outletItems/getAll", requests["outletItems/getAll"])[0] == 401
    assert seen == {400, 401, 403, 408, 409, 429, 500, 503}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_requests_are_taken_as_the_description_has_them(operation):
    """Every single change to a full request is judged alike by the sandbox and by the description.

    The sandbox may be stricter only where the description is silent: lengths, the form of times, 2.0.
    """
    world = load_world("gross-uk")
    validator = request_validator(operation)
    compared = 0
    for changed in _changes({**who(world), **_plain(full_requests(world)[operation])}):
        expected = faults(validator, changed) == []
        refused = _refused(operation, changed)
        assert (refused == "") == expected, (refused, faults(validator, changed), changed)
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_descriptions_own_examples_are_well_formed(operation):
    """What Mews shows its users as a request is one for the sandbox too."""
    example = example_request(operation)
    assert faults(request_validator(operation), example) == []
    assert _refused(operation, example) == ""


def test_the_descriptions_own_outlet_bill_is_booked():
    """A payment with a tax code and a bill that adds up to zero, sent word for word to an outlet of that id."""
    sent = example_request("outletBills/add")
    part = {
        "pricing": "Gross",
        "currencies": {"GBP": 2},
        "rates": [{"code": "UK-S", "taxation": "VAT", "relative": "0.2"}],
        "service": {"name": "Bar"},
        "outlets": [{"id": sent["Bills"][0]["OutletId"], "name": "Bar"}],
    }
    call = Caller(parse_world(part))
    assert call("outletBills/add", {"Bills": sent["Bills"]})[0] == 200
    page = call("outletItems/getAll", {**PAGE, "ClosedUtc": JANUARY_2017})[1]
    shown = [(each["Type"], each["UnitCount"], each["UnitAmount"]["GrossValue"]) for each in page["OutletItems"]]
    assert shown == [("Revenue", 10, 2.5), ("Payment", 1, -25.0)]
    assert page["OutletItems"][1]["ExternalIdentifier"] == "PaymentReference123"
    assert page["OutletBills"][0]["Number"] == "1257"


def test_all_properties_of_requests_are_known():
    """No property that Mews takes is refused as unknown, except those that the sandbox has no use for."""
    for operation in OPERATIONS:
        schema = request_validator(operation).schema
        described = _properties(schema, schema)
        for name in described:
            assert "unknown" not in _refused(operation, {name: None}), (operation, name)


def test_older_and_stranger_servers_still_fit_the_description(world):
    """An API without identifiers and notes, and one that adds things, answer in the described form."""
    order = full_requests(world)["orders/add"]
    for spec in ("no-external-identifiers", "no-notes", "adds-items", "links-reservation", "other-amounts"):
        call = Caller(world, spec)
        assert call("orders/add", order)[0] == 200
        assert call("orderItems/getAll", {**PAGE, "ServiceIds": [SERVICE]})[1]["OrderItems"]
        assert call("payments/addExternal", full_requests(world)["payments/addExternal"])[0] == 200
        assert call("payments/getAll", {**PAGE, "AccountIds": [ACCOUNT]})[1]["Payments"]
        assert call("outletBills/add", full_requests(world)["outletBills/add"])[0] == 200
        assert call("outletItems/getAll", {**PAGE, "ClosedUtc": DECEMBER})[1]["OutletBills"]


def test_a_portfolio_answers_as_described(world):
    """Two enterprises under one token keep to the description too."""
    part = {
        "pricing": "Net",
        "currencies": {"EUR": 2},
        "rates": [{"code": "DE-19%", "taxation": "DE", "relative": "0.19", "valid_from": "2007-01-01T00:00:00Z"}],
        "service": {"id": SERVICE, "name": "Shop"},
    }
    two = [{**part, "enterprise": {"id": f"e0000000-0000-4000-a000-00000000000{end}", "name": end}} for end in "ab"]
    call = Caller(parse_world({"enterprises": two}))
    assert call("configuration/get", {})[0] == 400
    assert len(call("enterprises/getAll", PAGE)[1]["Enterprises"]) == 2
    for each in two:
        own = each["enterprise"]["id"]
        assert call("configuration/get", {"EnterpriseId": own})[1]["Enterprise"]["IsPortfolio"]
        assert call("services/getAll", {**PAGE, "EnterpriseIds": [own]})[1]["Services"][0]["EnterpriseId"] == own


def _plain(body: Any) -> Any:
    """The same with Decimals as the floats that jsonschema understands."""
    return json.loads(simplejson.dumps(body, use_decimal=True))


def _refused(operation: str, body: dict[str, Any]) -> str:
    """Why the sandbox finds the request malformed; empty if it does not."""
    try:
        SHAPES[operation](json.loads(json.dumps(body), parse_float=Decimal), "")
    except ShapeError as fault:
        return str(fault)
    return ""


def _changes(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The body with one thing changed: dropped, null, of each other type, or with a property too many."""
    yield body
    strangers: list[Any] = [None, "", "x", 7, 7.5, True, [], {}, [None], ["x"], [{}], {"x": 1}, SOME, INTERVAL]
    for path in _paths(body):
        for stranger in strangers:
            changed = copy.deepcopy(body)
            place = _walk(changed, path[:-1])
            place[path[-1]] = copy.deepcopy(stranger)
            if not _is_beyond_the_description(path, stranger):
                yield changed
        changed = copy.deepcopy(body)
        del _walk(changed, path[:-1])[path[-1]]
        yield changed
        if isinstance(_walk(body, path), dict):
            changed = copy.deepcopy(body)
            _walk(changed, path)["Surprise"] = 1
            yield changed
    yield {**body, "Surprise": None}


def _is_beyond_the_description(path: tuple[Any, ...], stranger: Any) -> bool:
    # What the description leaves open: the sandbox looks at addresses as Mews does, and at the closure of a bill,
    # which has no format there, as at every other time.
    is_closure = path[0] == "Bills" and path[-1] == "ClosedUtc"
    return (path[-1] == "Email" or is_closure) and isinstance(stranger, str)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _paths(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _paths(each, (*path, index))


def _walk(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _properties(schema: dict[str, Any], root: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _properties(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return set(schema.get("properties", ()))
