"""Every request that we can send is one that the OpenAPI description allows, and its examples can be read."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from openapi_schema import PREFIX, _description, faults, operations, request_validator

from etl.load.requests import cancel_body
from etl.mews.api import MewsWriter
from etl.mews.limiter import Limiter, MemorySlots, SystemClock
from etl.mews.operations import OPERATIONS
from etl.mews.outlets import OutletReader
from etl.mews.reference_data import Needs, read_reference
from etl.mews.secrets import Tokens
from etl.mews.transport import Transport
from etl.model.bill import bill_fragment, bill_payload, bills_body
from etl.model.identity import Identity
from etl.model.outcome import Kind
from etl.model.payload import Operation, freeze
from etl.model.plan import (
    Basis,
    Booked,
    Entry,
    EntryKind,
    PlannedOrder,
    PlannedPayment,
    Verdict,
    order_payload,
    payment_payload,
)
from etl.model.route import Route

NOW = datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=UTC)
IDS = [str(uuid.UUID(int=number)) for number in range(1, 1202)]
ONE = IDS[0]

pytestmark = pytest.mark.usefixtures("shared")


def example_of(operation):
    """The description's own example of an answer, without its cursor; {} where it has none."""
    content = _description()["paths"][PREFIX + operation]["post"]["responses"]["200"]["content"]["application/json"]
    found = content.get("example") or next((one["value"] for one in content.get("examples", {}).values()), {})
    return found | ({"Cursor": None} if "Cursor" in found else {})


class Recorder:
    """Answers with the description's examples, keeps what was sent."""

    def __init__(self):
        self.sent = []

    async def __call__(self, request):
        operation = request.url.path.removeprefix(PREFIX)
        body = json.loads(request.content)
        self.sent.append((operation, body))
        found = example_of(operation)
        if operation == "configuration/get":
            found = found | {"NowUtc": NOW}
        if body.get("Limitation", {}).get("Cursor") is None and "Cursor" in found:
            # A second page, so that requests with a cursor are seen too.
            found = found | {"Cursor": ONE}
        text = json.dumps(found, default=lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return httpx.Response(200, text=text)


async def drain(pages):
    return [row async for page in pages for row in page]


def entry(kind, *, codes=("UK-S",), basis=Basis.GROSS, unit="-12.30", category=ONE):
    booked = Booked(Decimal(1), Decimal(0), Decimal(1))
    return Entry("p1", kind, "Mug", 2, Decimal(unit), basis, codes, booked, Decimal(1), Decimal(0), ONE, category)


def planned_orders():
    """Orders that carry everything, and next to nothing."""
    full = PlannedOrder(
        "536365",
        Verdict.READY,
        currency="GBP",
        account_id=ONE,
        service_id=ONE,
        enterprise_id=ONE,
        consumption=NOW,
        notes="é",
        entries=(entry(EntryKind.PRODUCT), entry(EntryKind.ITEM, basis=Basis.NET, codes=(), unit="1E+2")),
        segment_id=ONE,
        bill_id=ONE,
        reservation_id=ONE,
        payments=(PlannedPayment("gift1", "GiftCard", Decimal("5.00"), ONE),),
    )
    bare = PlannedOrder(
        "7",
        Verdict.READY,
        currency="USD",
        account_id=ONE,
        service_id=ONE,
        consumption=NOW,
        entries=(entry(EntryKind.ITEM, category=""),),
        payments=(PlannedPayment("pay1", "Cash", Decimal("5.00")),),
    )
    return full, bare


async def call_everything(writer):
    """Each operation, with every filter that it can be given."""

    async def intent():
        pass

    await writer.configuration()
    interval = (NOW - timedelta(days=200), None)
    await drain(writer.order_items(service_ids=[ONE], created=interval, updated=(NOW - timedelta(1), NOW)))
    await drain(writer.order_items(order_ids=IDS))
    await drain(writer.order_items(account_ids=IDS))
    await drain(writer.order_items(item_ids=[ONE], created=(None, NOW)))
    await drain(writer.payments(account_ids=IDS, created=interval, updated=interval))
    await drain(writer.payments(payment_ids=IDS))
    await drain(writer.service_orders([ONE], order_ids=IDS, account_ids=[ONE], updated=interval))
    needs = Needs(
        example_of("services/getAll")["Services"][0]["Id"],
        products=frozenset({ONE}),
        accounts=frozenset({*IDS, "eid:company0001"}),
        categories=frozenset({ONE}),
        segments=frozenset({ONE}),
        bills=frozenset({ONE}),
        emails=frozenset({"j.smith@example.com"}),
    )
    await read_reference(writer, needs, platform="http://127.0.0.1")
    outlet = OutletReader(writer, ONE)
    await outlet.configuration()
    await drain(outlet.order_items(service_ids=[ONE]))
    await drain(outlet.order_items(item_ids=IDS))
    await drain(outlet.closed_at([NOW]))
    await writer.outlets()
    requests = [(Operation.CANCEL_ITEMS, cancel_body(IDS[:10]))]
    for order in planned_orders():
        identity = Identity("uk", order.number)
        requests.append((Operation.ADD_ORDER, order_payload(order, identity)))
        paid = [payment_payload(order, order.payments[0], identity, basis) for basis in Basis]
        requests += [(Operation.ADD_PAYMENT, body) for body in paid]
    for order in planned_orders():
        items = tuple(replace(entry, kind=EntryKind.ITEM, category_id=ONE) for entry in order.entries)
        bill = bill_payload(replace(order, service_id=ONE, entries=items), Identity("uk", order.number))
        requests.append((Operation.ADD_BILLS, {"Bills": [bill]}))
    customer = {"LastName": "Smith", "FirstName": "J", "Email": "j@example.com", "OverwriteExisting": False}
    requests.append((Operation.ADD_CUSTOMER, customer))
    outcomes = []
    for operation, body in requests:
        whole = {**await writer.scope(operation), **body}
        outcomes.append(await writer.send(operation, freeze(whole).content, before_send=intent))
    return outcomes


def sent_requests(enterprise_id):
    async def main():
        recorder = Recorder()
        async with httpx.AsyncClient(transport=httpx.MockTransport(recorder)) as http:
            clock = SystemClock()
            transport = Transport(
                address="https://mews.example",
                tokens=Tokens("client", "access"),
                http=http,
                limiter=Limiter(10**6, Decimal(1), store=MemorySlots(), clock=clock),
                clock=clock,
            )
            outcomes = await call_everything(MewsWriter(transport, enterprise_id=enterprise_id))
            return recorder.sent, outcomes

    return asyncio.run(main())


@pytest.mark.parametrize("enterprise_id", [None, ONE], ids=["one enterprise", "portfolio"])
def test_every_request_fits_the_description(enterprise_id):
    """Mews's requests are closed objects: one unknown or misspelled property and nothing works."""
    sent, outcomes = sent_requests(enterprise_id)
    wrong = {(operation, fault) for operation, body in sent for fault in faults(request_validator(operation), body)}
    assert wrong == set()
    assert {operation for operation, _ in sent} == set(OPERATIONS)
    assert {outcome.kind for outcome in outcomes} == {Kind.DONE}


@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize("account", ["", ONE], ids=["nobody", "account"])
def test_a_request_of_bills_fits_the_description(basis, account):
    """Built from frozen bytes; the check can fail: an unknown property and a missing number are faults."""
    items = (entry(EntryKind.ITEM, basis=basis), replace(entry(EntryKind.PAYMENT, codes=(), basis=basis), line="pay1"))
    order = replace(planned_orders()[1], entries=items, account_id=account, route=Route.OUTLET, payments=())
    fragments = [bill_fragment(order, Identity("uk", number)) for number in ("7", "8")]
    tokens = {"ClientToken": "C", "AccessToken": "A", "Client": "c 1"}
    body = {**tokens, **json.loads(bills_body(fragments))}
    validator = request_validator("outletBills/add")
    assert faults(validator, body) == []
    assert faults(validator, {**tokens, "Bills": [body["Bills"][0] | {"Surprise": 1}]})
    assert faults(validator, {**tokens, "Bills": [{k: v for k, v in body["Bills"][0].items() if k != "Number"}]})


def test_we_call_no_operation_that_does_not_exist():
    """Paths are case-sensitive."""
    assert set(OPERATIONS) <= set(operations())


def test_a_wrong_request_would_be_seen():
    """The check itself: an unknown property, a text for a number and a missing property are faults."""
    sent, _ = sent_requests(None)
    body = next(body for operation, body in sent if operation == "orders/add")
    validator = request_validator("orders/add")
    assert faults(validator, body) == []
    assert faults(validator, body | {"Surprise": 1})
    assert faults(validator, {key: value for key, value in body.items() if key != "AccountId"})
    assert faults(validator, body | {"Items": [body["Items"][0] | {"UnitCount": "2"}]})
