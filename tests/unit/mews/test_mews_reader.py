"""Reading back: whole or not at all, within Mews's limits on ids, pages and intervals."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from mews_fakes import answer, with_mews

from etl.errors import InternalError, MewsError
from etl.mews.api import MewsReader, MewsWriter
from etl.mews.fields import parse_moment
from etl.mews.rows import order_item, payment
from etl.model.payload import Operation, freeze
from etl.model.windows import WINDOW, windows

T0 = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
CONFIGURATION = {
    "NowUtc": "2026-08-01T13:00:00Z",
    "Enterprise": {
        "Id": "e",
        "ChainId": "chain-1",
        "Name": "Hotel",
        "TimeZoneIdentifier": "Europe/London",
        "Pricing": "Gross",
        "TaxEnvironmentCode": "UK",
        "EditableHistoryInterval": "P0M7DT0H0M0S",
        "Currencies": [],
    },
}


def ident(number):
    return str(uuid.UUID(int=number + 1))


def amount(net="1.00", gross="1.20"):
    return {
        "Currency": "GBP",
        "NetValue": Decimal(net),
        "GrossValue": Decimal(gross),
        "TaxValues": [{"Code": "UK-S", "Value": Decimal("0.20")}],
    }


def item(number=0, **changes):
    return {
        "Id": ident(number),
        "ServiceOrderId": ident(500),
        "ServiceId": "s",
        "AccountId": "a",
        "UnitCount": 2,
        "UnitAmount": amount(),
        "Amount": amount("2.00", "2.40"),
        "OriginalAmount": amount("2.00", "2.40"),
        "CreatedUtc": "2026-08-01T12:00:00Z",
        "UpdatedUtc": "2026-08-01T12:00:01Z",
        "ConsumedUtc": "2026-07-31T12:00:00Z",
        "CanceledUtc": None,
        "AccountingState": "Open",
        "Type": "CustomItem",
        "ExternalIdentifier": "centra:uk:1:p1",
        "Notes": "[centra:uk:1]",
        "Whatever": {"new": True},
    } | changes


def plain(value):
    """JSON that httpx can write: Decimals as floats that read back equal."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


class Store:
    """Items newest first, paged by cursor as Mews does; `grow` adds newer ones between pages."""

    def __init__(self, count, *, size=1000, grow=0, last_cursor=False, inclusive=False):
        self.items = [item(number) for number in range(count)]
        self.size = size
        self.grow = grow
        self.last_cursor = last_cursor
        self.inclusive = inclusive

    def __call__(self, operation, body):
        if operation == "configuration/get":
            return CONFIGURATION
        assert operation == "orderItems/getAll"
        cursor = body["Limitation"].get("Cursor")
        start = 0
        if cursor:
            start = next(place for place, row in enumerate(self.items) if row["Id"] == cursor) + (not self.inclusive)
        page = self.items[start : start + min(self.size, body["Limitation"]["Count"])]
        is_last = start + len(page) >= len(self.items)
        found = {
            "OrderItems": plain(page),
            "Cursor": page[-1]["Id"] if page and (not is_last or self.last_cursor) else None,
        }
        self.items[:0] = [item(10_000 + len(self.items) + number) for number in range(self.grow)]
        return found


async def ids_of(reader, **filters):
    return [row.id async for page in reader.order_items(**filters) for row in page]


def read(handler, **filters):
    """Ids read, and the requests that it took."""

    async def use(transport, mews):
        reader = MewsReader(transport)
        return await ids_of(reader, **filters), mews.bodies("orderItems/getAll")

    return with_mews(handler, use)


@pytest.mark.parametrize(
    ("store", "requests"),
    [
        (Store(0), 1),
        (Store(1), 1),
        (Store(2500), 3),
        (Store(2000), 2),
        (Store(2000, last_cursor=True), 3),
        (Store(250, size=100), 3),
        (Store(250, size=100, last_cursor=True), 4),
        (Store(25, size=10, inclusive=True, last_cursor=True), 4),
    ],
)
def test_a_walk_reads_every_item_once(store, requests):
    """Nothing is missed with short pages, cursors on the last page or cursors that are counted in."""
    expected = [row["Id"] for row in store.items]
    found, bodies = read(store, service_ids=["s"])
    assert found == expected
    assert len(bodies) == requests


def test_a_walk_survives_new_items():
    """What is created meanwhile moves nothing: the cursor leads to older items only."""
    store = Store(3500, grow=7)
    expected = [row["Id"] for row in store.items]
    found, _ = read(store, service_ids=["s"])
    assert found == expected


def test_a_cursor_in_circles_is_an_error():
    """A server that ignores the cursor must not be walked for ever, nor be taken for complete."""

    def handler(operation, body):
        return {"OrderItems": plain([item(number) for number in range(1000)]), "Cursor": ident(999)}

    with pytest.raises(MewsError):
        read(handler, service_ids=["s"])


def test_a_page_that_fails_fails_the_walk():
    """A scan that lacks a page proves nothing about absence."""
    store = Store(2500)

    def handler(operation, body):
        return answer(500) if body["Limitation"].get("Cursor") == ident(1999) else store(operation, body)

    with pytest.raises(MewsError):
        read(handler, service_ids=["s"])


@pytest.mark.parametrize("entry", [None, "x", 1])
def test_an_entry_that_is_no_object_is_an_error(entry):
    """Nothing of a page is dropped in silence."""
    with pytest.raises(MewsError):
        read(lambda *_: {"OrderItems": [entry], "Cursor": None}, service_ids=["s"])


def test_ids_are_asked_for_in_batches():
    """At most 1,000 orders and 100 accounts a request, each id once."""
    _, bodies = read(Store(0), order_ids=[ident(number) for number in range(2100)] + [ident(0)])
    assert [len(body["ServiceOrderIds"]) for body in bodies] == [1000, 1000, 100]
    _, bodies = read(Store(0), account_ids=[ident(number) for number in range(250)])
    assert [len(body["AccountIds"]) for body in bodies] == [100, 100, 50]


def test_no_ids_means_nothing_and_not_everything():
    """An empty list must not become a request without filter."""
    assert read(Store(5), order_ids=[]) == ([], [])
    assert read(Store(5), order_ids=[], service_ids=["s"]) == ([], [])


def test_no_filter_at_all_is_refused():
    """Mews wants at least one filter."""
    with pytest.raises(InternalError):
        read(Store(5))


def test_long_intervals_are_cut():
    """Mews takes three months at most; the pieces join without gap or overlap."""
    start, end = T0 - timedelta(days=400), T0
    _, bodies = read(Store(0), service_ids=["s"], created=(start, end))
    pieces = [
        (parse_moment(body["CreatedUtc"]["StartUtc"]), parse_moment(body["CreatedUtc"]["EndUtc"])) for body in bodies
    ]
    assert pieces[0][1] == end
    assert pieces[-1][0] == start
    assert all(later[0] == earlier[1] for later, earlier in itertools.pairwise(pieces))
    assert all(high - low <= WINDOW for low, high in pieces)


@pytest.mark.parametrize("microseconds", [0, 1, 999_999])
def test_intervals_are_widened_to_whole_seconds(microseconds):
    """An item at the edge of the interval is inside of what is asked for; start = end would mean equality."""
    start = T0 + timedelta(microseconds=microseconds)
    pieces = list(windows(start, start + timedelta(microseconds=1)))
    assert pieces == [(T0, T0 + timedelta(seconds=1))]
    assert list(windows(T0, T0)) == []


def test_an_open_end_goes_beyond_mews_clock():
    """The machine's clock may be hours behind Mews's: new items must not be cut off."""

    async def use(transport, mews):
        reader = MewsReader(transport)
        await reader.configuration()
        await ids_of(reader, service_ids=["s"], created=(T0, None))
        return mews.bodies("orderItems/getAll")

    (body,) = with_mews(Store(0), use)
    assert parse_moment(body["CreatedUtc"]["EndUtc"]) >= datetime(2026, 8, 2, 13, tzinfo=UTC)


def test_an_open_start_reads_everything_and_leaves_out_the_newer():
    """No interval without a start is asked for: nobody says what Mews makes of it."""
    store = Store(2)
    store.items[0]["CreatedUtc"] = "2026-08-01T12:30:00Z"
    found, (body,) = read(store, service_ids=["s"], created=(None, T0 + timedelta(minutes=10)))
    assert "CreatedUtc" not in body
    assert found == [ident(1)]


def test_mews_time_goes_on_with_our_clock():
    """Everything compared with Mews's time uses Mews's clock, however wrong ours is."""

    async def use(transport, mews):
        reader = MewsReader(transport)
        with pytest.raises(InternalError):
            reader.now()
        first = await reader.configuration()
        await asyncio.sleep(90)
        return first, reader.now()

    first, now = with_mews(lambda *_: CONFIGURATION, use)
    assert now == datetime(2026, 8, 1, 13, 1, 30, tzinfo=UTC)
    assert first.accounting_interval == first.operational_interval == "P0M7DT0H0M0S"


def test_an_order_item_becomes_a_row():
    """Amounts exact, times aware, unknown properties ignored."""
    row = order_item(item(Data={"Discriminator": "Product", "Product": {"ProductId": "p"}}))
    assert (row.count, row.net, row.gross, row.unit_gross) == (2, Decimal("2.00"), Decimal("2.40"), Decimal("1.20"))
    assert row.taxes == (("UK-S", Decimal("0.20")),)
    assert row.created == T0
    assert row.canceled is None
    assert (row.product_id, row.external_identifier, row.notes) == ("p", "centra:uk:1:p1", "[centra:uk:1]")


@pytest.mark.parametrize(
    "name",
    ["ExternalIdentifier", "Notes", "AccountId", "UpdatedUtc", "ConsumedUtc", "Type", "OriginalAmount", "BillingName"],
)
@pytest.mark.parametrize("value", [None, "missing"])
def test_what_older_servers_leave_out_is_no_fault(name, value):
    """An older API returns no ExternalIdentifier; nullable properties may be null or missing."""
    row = item()
    if value is None:
        row[name] = None
    else:
        row.pop(name, None)
    assert order_item(row).id == ident(0)


@pytest.mark.parametrize(
    "name", ["Id", "ServiceOrderId", "ServiceId", "UnitCount", "UnitAmount", "Amount", "CreatedUtc", "AccountingState"]
)
def test_what_nothing_can_be_concluded_without_is_named(name):
    """An item that can't be compared must not be skipped in silence."""
    for row in (item(**{name: None}), {key: value for key, value in item().items() if key != name}):
        with pytest.raises(MewsError) as caught:
            order_item(row)
        assert f"OrderItem.{name}" in caught.value.message


@pytest.mark.parametrize("bad", ["yesterday", 5, "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_named(bad):
    """A creation time that can't be read would put an item outside of every scan."""
    with pytest.raises(MewsError, match="CreatedUtc"):
        order_item(item(CreatedUtc=bad))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-01T12:00:00Z", T0),
        ("2026-08-01T12:00:00", T0),
        ("2026-08-01T12:00:00.1234567Z", T0.replace(microsecond=123456)),
        ("2026-08-01T14:00:00+02:00", T0),
    ],
)
def test_times_in_all_spellings(text, moment):
    """Fractions of seven digits and offsets occur."""
    assert parse_moment(text) == moment


def test_a_payment_becomes_a_row():
    """External payments are recognised by the identifier in Data.External."""
    row = payment(
        {
            "Id": "p",
            "AccountId": "a",
            "Amount": amount("-5.00", "-5.00"),
            "CreatedUtc": "2026-08-01T12:00:00Z",
            "State": "Charged",
            "AccountingState": "Open",
            "Type": "ExternalPayment",
            "Data": {
                "Discriminator": "External",
                "External": {"Type": "GiftCard", "ExternalIdentifier": "centra:uk:1:gift1"},
            },
        }
    )
    assert (row.gross, row.external_type, row.external_identifier) == (
        Decimal("-5.00"),
        "GiftCard",
        "centra:uk:1:gift1",
    )


def test_lookups_leave_out_what_mews_refuses():
    """One account that does not exist blocks its own orders, not the whole command."""
    good = [ident(number) for number in range(9)]
    bad = ident(77)

    def handler(operation, body):
        if bad in body["CustomerIds"]:
            return answer(400, {"Message": "Invalid CustomerIds."})
        return {
            "Customers": [{"Id": one, "LastName": "X", "IsActive": True} for one in body["CustomerIds"]],
            "Cursor": None,
        }

    async def use(transport, mews):
        return await MewsReader(transport).customers_by_id([*good, bad, "no-id-at-all"]), len(mews.requests)

    accounts, requests = with_mews(handler, use)
    assert sorted(account.id for account in accounts) == good
    assert requests <= 9


def test_a_lookup_that_is_refused_altogether_ends():
    """A permission that is missing is said soon, not after two thousand requests."""

    async def use(transport, mews):
        with pytest.raises(MewsError):
            await MewsReader(transport).customers_by_id([ident(number) for number in range(1000)])
        return len(mews.requests)

    assert with_mews(lambda *_: answer(403, {"Message": "no permission"}), use) <= 41


def test_a_full_answer_by_ids_costs_no_second_request():
    """All that was asked for came: the cursor on the page leads nowhere."""

    def handler(operation, body):
        found = [{"Id": one, "LastName": "X"} for one in body["CustomerIds"]]
        return {"Customers": found, "Cursor": found[-1]["Id"]}

    async def use(transport, mews):
        await MewsReader(transport).customers_by_id([ident(1), ident(2)])
        return len(mews.requests)

    assert with_mews(handler, use) == 1


def test_emails_are_compared_without_case():
    """Anna@Example.com and anna@example.com are one person, whichever Mews compares."""

    def handler(operation, body):
        people = [
            {"Id": ident(1), "LastName": "A", "Email": "Anna@Example.com"},
            {"Id": ident(2), "Email": "b@example.com"},
        ]
        return {"Customers": [one for one in people if one["Email"] in body["Emails"]], "Cursor": None}

    async def use(transport, mews):
        return await MewsReader(transport).customers_by_email(iter(["Anna@Example.com", "b@example.com", ""]))

    assert {account.id for account in with_mews(handler, use)} == {ident(1), ident(2)}


def test_the_writer_sends_each_operation_once_with_its_intent():
    """Whatever comes back, one call is one request, and the intent precedes it."""

    def handler(operation, body):
        return answer(500)

    async def use(transport, mews):
        writer = MewsWriter(transport, enterprise_id="ent")
        calls = []

        async def intent():
            calls.append(len(mews.requests))

        for operation, body in (
            (Operation.ADD_ORDER, {"ServiceId": "s"}),
            (Operation.ADD_PAYMENT, {"AccountId": "a", "EnterpriseId": "own"}),
            (Operation.CANCEL_ITEMS, {"OrderItemIds": [ident(1)]}),
        ):
            whole = {**await writer.scope(operation), **body}
            await writer.send(operation, freeze(whole).content, before_send=intent)
        return calls, [(name, body.get("EnterpriseId")) for name, body in mews.requests]

    assert with_mews(handler, use) == (
        [0, 1, 2],
        [("orders/add", "ent"), ("payments/addExternal", "own"), ("orderItems/cancel", "ent")],
    )


def test_a_reader_has_no_way_to_write():
    """A dry run's client can't charge anybody, by construction."""
    assert not [name for name in dir(MewsReader) if name.startswith(("add", "cancel"))]
