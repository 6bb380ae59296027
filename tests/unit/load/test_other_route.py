"""Orders of one store on both routes would count twice: those of this plan that stand on the other one stop a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from bill_world import ACCOUNT, HOME, KIOSK, OUTLET, SERVICE, START, OutletShop, an_order, open_ledger

from etl.errors import ExitCode, LedgerError
from etl.load import other_route
from etl.model.route import Route
from etl.pipeline.meter import Meter, words
from etl.pipeline.outlet import Tell, check_other_route
from etl.sandbox.core import PREFIX
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

AT_SERVICE = replace(HOME, service_id=SERVICE)
"""Where orders of the shop go that charge guests."""

SPA = "5e000000-0000-4000-a000-000000000002"
STAY = "5e000000-0000-4000-a000-000000000003"


def settings(route: Route) -> Any:
    """What of a mapping the check asks for."""
    mews, source = SimpleNamespace(settle_seconds=Decimal(60)), SimpleNamespace(store="uk")
    return SimpleNamespace(settings=SimpleNamespace(route=route, mews=mews, source=source))


def checked(
    path,
    shop: OutletShop,
    planned: list[str],
    run_id: str = "run-1",
    route: Route = Route.ORDERS,
    progress: Tell = lambda *_: None,
) -> str:
    """The check before a run of these numbers sends anything. Shape: what it could not look at."""
    with open_ledger(path, shop, home=HOME if route is Route.OUTLET else AT_SERVICE) as ledger:
        ledger.record_plan(run_id, [an_order(number) for number in planned])

        async def work(writer, _limiter):
            await writer.configuration()
            link = SimpleNamespace(reader=writer, orders=writer)
            return await check_other_route(link, settings(route), ledger, run_id, progress)

        return shop.run(work)


def a_bill(shop: OutletShop, number: str, store: str = "uk", undo: str = "", outlet: str = OUTLET) -> str:
    stem, closed = f"centra:{store}:{number}{undo}", START - timedelta(days=40)
    return shop.till(number + undo, closed, outlet=outlet, notes=f"[{stem}]", identifier=f"{stem}:p1")


def before(number: str, closed: str, **more: Any) -> dict[str, Any]:
    """A bill that an outlet holds since it closed."""
    amount = {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("12.00")}
    item = {"Type": "Revenue", "Name": "Mug", "UnitCount": 1, "UnitAmount": amount, "ConsumedUtc": closed}
    return {"OutletId": OUTLET, "Number": number, "ClosedUtc": closed, "Items": [item], **more}


def test_numbers_of_this_plan_stop_the_run(tmp_path):
    """Others, other stores' and strangers' do not."""
    shop = OutletShop()
    bill_id = a_bill(shop, "7")
    a_bill(shop, "8", store="de")
    shop.till("TILL-1", START)
    checked(tmp_path / "one", shop, ["1", "8"])
    with pytest.raises(LedgerError) as told:
        checked(tmp_path / "two", shop, ["1", "7"])
    assert told.value.code == "ledger.other_route"
    assert told.value.exit_code is ExitCode.USAGE
    assert f"7 ({bill_id})" in told.value.message


def test_what_was_met_once_stays_known(tmp_path):
    """A later plan names it; what was read is not read again."""
    shop, path = OutletShop(), tmp_path / "ledger"
    a_bill(shop, "7")
    for number in range(2500):
        shop.till(f"T{number}", START - timedelta(days=5))
    shop.timeline.pass_until(100.0)
    checked(path, shop, ["1"])
    first = len(shop.requests("outletItems/getAll"))
    shop.timeline.pass_until(shop.timeline.now + 60)
    checked(path, shop, ["1"], "run-2")
    assert len(shop.requests("outletItems/getAll")) - first < first
    with pytest.raises(LedgerError):
        checked(path, shop, ["7"], "run-3")


def test_what_was_reversed_there_may_go(tmp_path):
    """The bill and its opposite."""
    shop, path = OutletShop(), tmp_path / "ledger"
    a_bill(shop, "7")
    a_bill(shop, "7", undo=":undo")
    checked(path, shop, ["7"])


def test_what_was_posted_there_again_counts(tmp_path):
    """Its opposite took back the first posting, not the second."""
    shop = OutletShop()
    for number, undo in (("7", ""), ("7", ":undo"), ("7~2", "")):
        a_bill(shop, number, undo=undo)
    with pytest.raises(LedgerError):
        checked(tmp_path / "ledger", shop, ["7"])


@pytest.mark.parametrize("closed", ["2012-05-05T10:00:00Z", "2024-01-07T09:00:00Z"])
def test_bills_are_met_whenever_they_closed(tmp_path, closed):
    """Not only those that closed when the orders were consumed: what counts is when this program posted them."""
    outlets = [{"id": OUTLET, "name": "Shop", "created": "2012-01-01T00:00:00Z"}]
    shop = OutletShop(outlets=outlets)
    shop.post([before("7", closed, Notes="[centra:uk:7] Centra order 7")])
    checked(tmp_path / "one", shop, ["8"])
    with pytest.raises(LedgerError):
        checked(tmp_path / "two", shop, ["7"])


def test_nothing_from_before_this_program_is_read(tmp_path):
    """Fourteen years of tills cost a quick run nothing; that they were not looked at is told, now and later."""
    outlets = [{"id": OUTLET, "name": "Shop", "created": "2012-01-01T00:00:00Z"}]
    bills = [before(f"T{number}", f"{year}-05-05T10:00:00Z") for year in range(2012, 2026) for number in range(3)]
    shop, path = OutletShop(outlet_bills=bills, outlets=outlets), tmp_path / "ledger"
    unread = checked(path, shop, ["1"])
    assert "bills of outlets from before 2026-01-01" in unread
    # The two months since, and the day of the one order.
    assert len(shop.requests("outletItems/getAll")) == 2
    outlets = len(shop.requests("outlets/getAll"))
    assert checked(path, shop, ["1"], "run-2") == unread
    assert len(shop.requests("outletItems/getAll")) == 3
    assert len(shop.requests("outlets/getAll")) == outlets


def test_outlets_that_are_younger_are_read_whole(tmp_path):
    """Nothing is told then."""
    outlets = [{"id": OUTLET, "name": "Shop", "created": f"{START - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"}]
    shop = OutletShop(outlets=outlets)
    assert checked(tmp_path / "ledger", shop, ["1"]) == ""


def test_a_hotel_without_outlets_is_asked_for_nothing_else(tmp_path):
    """One request."""
    shop = OutletShop(outlets=[])
    assert checked(tmp_path / "ledger", shop, ["1"]) == ""
    assert [one.operation for one in shop.sandbox.log if "utlet" in one.operation] == ["outlets/getAll"]


def test_days_of_orders_are_read_once(tmp_path):
    """A later plan costs requests for the days that no earlier one had."""
    shop, path = OutletShop(), tmp_path / "ledger"

    def asked(numbers: Sequence[int], run_id: str) -> int:
        begun = len(shop.requests("outletItems/getAll"))
        with open_ledger(path, shop, home=AT_SERVICE) as ledger:
            ledger.record_plan(run_id, [an_order(str(number), day=number) for number in numbers])

            async def work(writer, _limiter):
                await writer.configuration()
                link = SimpleNamespace(reader=writer, orders=writer)
                await check_other_route(link, settings(Route.ORDERS), ledger, run_id, lambda *_: None)

            shop.run(work)
        return len(shop.requests("outletItems/getAll")) - begun

    assert asked(range(1, 60, 3), "run-1") == 2
    assert asked(range(1, 59), "run-2") == 1
    # The day behind those that were read is none of them.
    assert asked(range(1, 60), "run-3") == 2
    assert asked(range(1, 60), "run-4") == 1


def test_bills_that_closed_when_the_orders_were_consumed_are_met_whenever_they_changed(tmp_path):
    """The outlet's own creation may lie behind them, and what changes while it is read may be missed there."""
    closed = f"{an_order('7').consumption:%Y-%m-%dT%H:%M:%SZ}"
    outlets = [{"id": OUTLET, "name": "Shop", "created": f"{START - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}]
    shop = OutletShop(outlet_bills=[before("7", closed, Notes="[centra:uk:7] Centra order 7")], outlets=outlets)
    checked(tmp_path / "one", shop, ["8"])
    with pytest.raises(LedgerError):
        checked(tmp_path / "two", shop, ["7"])


@pytest.mark.parametrize(
    ("route", "sought"), [(Route.ORDERS, "bills of outlets"), (Route.OUTLET, "orders of services (route orders)")]
)
def test_the_look_is_told_in_pages(tmp_path, route, sought):
    """It reads no file, and no bytes."""
    shop, meter, shown = OutletShop(), Meter(), []

    def progress(stage: str, done: int, total: int | None) -> None:
        meter(stage, done, total)
        standing = meter.look()
        assert standing is not None
        assert standing.unit == "pages"
        shown.append(words(standing))

    checked(tmp_path / "ledger", shop, ["1"], route=route, progress=progress)
    assert shown[0] == f"look for {sought}"
    assert not [text for text in shown if "MB" in text]


def test_a_look_of_an_earlier_version_is_not_taken_for_whole(tmp_path):
    """It read less, and kept its watermark under another key."""
    shop, path = OutletShop(), tmp_path / "ledger"
    shop.post([before("7", "2012-05-05T10:00:00Z", Notes="[centra:uk:7] Centra order 7")])
    shop.timeline.pass_until(200.0)
    with open_ledger(path, shop, home=AT_SERVICE) as ledger:
        ledger.set_meta("other_route_watermark", f"{shop.now() - timedelta(seconds=60):%Y-%m-%dT%H:%M:%S}+00:00")
    with pytest.raises(LedgerError):
        checked(path, shop, ["7"])


def an_order_of_the_service(shop: OutletShop, number: str, service: str = SERVICE, **item_or_notes: str) -> str:
    """An order posted by somebody else, known by its identifier unless `item_or_notes` says otherwise. Shape: its OrderId."""
    item = {
        "Name": "Mug",
        "UnitCount": 1,
        "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": 12},
    }
    told = item_or_notes or {"ExternalIdentifier": f"centra:uk:{number}:p1"}
    if "ExternalIdentifier" in told:
        item["ExternalIdentifier"] = told["ExternalIdentifier"]
    body = {
        "ServiceId": service,
        "AccountId": ACCOUNT,
        "Items": [item],
        "ConsumptionUtc": f"{shop.now():%Y-%m-%dT%H:%M:%SZ}",
    }
    if "Notes" in told:
        body["Notes"] = told["Notes"]
    return str(asked(shop, "orders/add", body)["OrderId"])


def cancel(shop: OutletShop, order_id: str) -> None:
    """Somebody cancels all items of an order."""
    items = [item.id for item in shop.sandbox.items if item.order_id == order_id]
    asked(shop, "orderItems/cancel", {"OrderItemIds": items})


def asked(shop: OutletShop, operation: str, body: dict[str, Any]) -> Any:
    """The answer to a request of somebody else."""
    tokens = {"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "Other"}
    answer = shop.sandbox.handle(f"{PREFIX}{operation}", json.dumps({**tokens, **body}).encode(), shop.sandbox.clock())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_orders_of_services_stop_a_run_of_bills(tmp_path):
    """Whichever run meets them; that older ones were not looked at is told."""
    shop, path = OutletShop(), tmp_path / "ledger"
    order_id = an_order_of_the_service(shop, "7")
    unread = checked(path, shop, ["1"], route=Route.OUTLET)
    assert unread.startswith("orders of services (route orders) from before 2026-01-01 were not looked at")
    with pytest.raises(LedgerError) as told:
        checked(path, shop, ["7"], "run-2", Route.OUTLET)
    assert f"7 ({order_id}, Web shop)" in told.value.message


@pytest.mark.parametrize("oldest", [None, datetime(2012, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)])
def test_a_clock_from_before_this_program_ends_no_look(oldest):
    """Such a Mews shows whatever this program posted at any time."""
    other = other_route.OtherRoute(lambda _: nothing(), "orders", oldest)
    assert other.begin(datetime(2025, 6, 1, tzinfo=UTC)) == oldest
    younger = oldest if oldest and oldest > other_route.OURS_SINCE else other_route.OURS_SINCE
    assert other.begin(datetime(2026, 6, 1, tzinfo=UTC)) == younger


def test_what_is_committed_late_is_read_by_the_next_look(tmp_path):
    """A request that was under way as the last look ended takes `settle_seconds` at most."""
    starts: list[datetime | None] = []
    other = other_route.OtherRoute(lambda since: (starts.append(since), nothing())[1], "orders")
    now, settle = datetime(2026, 6, 1, tzinfo=UTC), timedelta(seconds=60)
    with open_ledger(tmp_path / "ledger", OutletShop()) as ledger:
        for _ in range(2):
            asyncio.run(other_route.look(ledger, other, "uk", "run-1", now, settle))
    assert starts == [other_route.OURS_SINCE, now - settle]


def test_what_still_stands_is_asked_of_all_that_was_met():
    """However many: of five hundred that were cancelled nobody concludes that the next one was, too."""
    met = [(str(number), f"id-{number}") for number in range(501)]

    async def asked_for(ids: Sequence[str]) -> AsyncIterator[list[Any]]:
        yield [SimpleNamespace(order_id=one, is_canceled=one != "id-500", service_id="") for one in ids]

    other = other_route.OtherRoute(lambda _: nothing(), "orders", by_id=asked_for)
    assert asyncio.run(other_route._standing(met, other)) == {"500": "id-500"}


def test_bills_of_another_outlet_stop_a_run(tmp_path):
    """One store, one number, two outlets: sent there by another ledger, the same sale would stand in both."""
    shop = OutletShop()
    bill_id = a_bill(shop, "7", outlet=KIOSK)
    a_bill(shop, "8", "de", outlet=KIOSK)
    a_bill(shop, "9")
    assert checked(tmp_path / "one", shop, ["1", "8"], route=Route.OUTLET).count("not looked at") == 2
    with pytest.raises(LedgerError) as told:
        checked(tmp_path / "two", shop, ["1", "7", "9"], route=Route.OUTLET)
    assert (told.value.code, told.value.exit_code) == ("ledger.other_route", ExitCode.USAGE)
    assert f"holds 1 orders of this plan already as bills of other outlets: 7 ({bill_id})" in told.value.message
    assert "this outlet" in told.value.hint


def test_other_outlets_are_read_from_their_own_beginning(tmp_path):
    """The look at the services, which ended a moment ago, says nothing of what older bills there are."""
    shop = OutletShop()
    a_bill(shop, "7", outlet=KIOSK)
    shop.timeline.pass_until(shop.timeline.now + 1000)
    with pytest.raises(LedgerError):
        checked(tmp_path / "ledger", shop, ["7"], route=Route.OUTLET)


def test_what_was_reversed_in_another_outlet_may_go(tmp_path):
    """The bill and its opposite there; an undo on the other route says nothing of it."""
    shop, path = OutletShop(), tmp_path / "ledger"
    a_bill(shop, "7", outlet=KIOSK)
    a_bill(shop, "8", outlet=KIOSK)
    a_bill(shop, "8", undo=":undo")
    a_bill(shop, "7", undo=":undo", outlet=KIOSK)
    checked(path, shop, ["7"], route=Route.OUTLET)
    with pytest.raises(LedgerError):
        checked(path, shop, ["8"], "run-2", Route.OUTLET)


def test_other_outlets_are_looked_at_by_every_run(tmp_path):
    """A later run meets what another ledger posted since; a ledger of an earlier version reads them from the start."""
    shop, path = OutletShop(), tmp_path / "ledger"
    checked(path, shop, ["7"], route=Route.OUTLET)
    shop.timeline.pass_until(shop.timeline.now + 1000)
    a_bill(shop, "7", outlet=KIOSK)
    with pytest.raises(LedgerError):
        checked(path, shop, ["7"], "run-2", Route.OUTLET)
    older = tmp_path / "older"
    with open_ledger(older, shop) as ledger:
        ledger.set_meta(other_route.READ_UNTIL, f"{shop.now():%Y-%m-%dT%H:%M:%S}+00:00")
    with pytest.raises(LedgerError):
        checked(older, shop, ["7"], route=Route.OUTLET)


def test_a_hotel_with_one_outlet_is_read_no_second_time(tmp_path):
    """There is no other one."""
    shop = OutletShop(outlets=[{"id": OUTLET, "name": "Shop", "created": "2012-01-01T00:00:00Z"}])
    checked(tmp_path / "ledger", shop, ["1"], route=Route.OUTLET)
    assert not shop.requests("outletItems/getAll")


def two_services(**more: Any) -> OutletShop:
    """A hotel without outlets, with two services that take orders and one that is booked."""
    services = [{"id": SPA, "name": "Spa"}, {"id": STAY, "name": "Stay", "type": "Bookable"}]
    return OutletShop(services=services, outlets=[], **more)


@pytest.mark.parametrize("mark", [{}, {"Notes": "[centra:uk:7] Centra order 7"}])
def test_orders_of_another_service_stop_a_run(tmp_path, mark):
    """One store, one number, two services: by another ledger sent there, the same guest would be charged twice."""
    shop = two_services()
    order_id = an_order_of_the_service(shop, "7", SPA, **mark)
    an_order_of_the_service(shop, "8", SPA, ExternalIdentifier="centra:de:8:p1")
    an_order_of_the_service(shop, "9")
    unread = checked(tmp_path / "one", shop, ["1", "8"])
    assert unread.startswith("orders of other services from before 2026-01-01 were not looked at")
    with pytest.raises(LedgerError) as told:
        checked(tmp_path / "two", shop, ["1", "7", "9"])
    assert (told.value.code, told.value.exit_code) == ("ledger.other_route", ExitCode.USAGE)
    assert f"holds 1 orders of this plan already as orders of other services: 7 ({order_id}, Spa)" in told.value.message
    assert "this service" in told.value.hint


def test_what_was_cancelled_or_reversed_in_another_service_may_go(tmp_path):
    """Before it was met, and since."""
    shop, path = two_services(), tmp_path / "ledger"
    cancel(shop, an_order_of_the_service(shop, "7", SPA))
    an_order_of_the_service(shop, "8", SPA)
    an_order_of_the_service(shop, "8", SPA, ExternalIdentifier="centra:uk:8:undo:p1")
    met = an_order_of_the_service(shop, "9", SPA)
    checked(path, shop, ["7", "8"])
    with pytest.raises(LedgerError):
        checked(path, shop, ["9"], "run-2")
    cancel(shop, met)
    checked(path, shop, ["9"], "run-3")


def test_other_services_are_looked_at_by_every_run(tmp_path):
    """A later run reads what is new, and meets it; a ledger of an earlier version reads them from the start."""
    shop, path = two_services(), tmp_path / "ledger"
    checked(path, shop, ["7"])
    asked_before = len(shop.requests("orderItems/getAll"))
    shop.timeline.pass_until(shop.timeline.now + 1000)
    checked(path, shop, ["7"], "run-2")
    assert len(shop.requests("orderItems/getAll")) - asked_before == 1
    an_order_of_the_service(shop, "7", SPA)
    with pytest.raises(LedgerError):
        checked(path, shop, ["7"], "run-3")
    older = tmp_path / "older"
    with open_ledger(older, shop, home=AT_SERVICE) as ledger:
        ledger.set_meta(other_route.READ_UNTIL, f"{shop.now():%Y-%m-%dT%H:%M:%S}+00:00")
    with pytest.raises(LedgerError):
        checked(older, shop, ["7"])


def test_a_hotel_with_one_service_to_order_from_is_asked_only_which_it_has(tmp_path):
    """The list, and the page that ends it; a service that is booked takes no orders of ours."""
    shop = OutletShop(services=[{"id": STAY, "name": "Stay", "type": "Bookable"}], outlets=[])
    assert checked(tmp_path / "ledger", shop, ["1"]) == ""
    assert not shop.requests("orderItems/getAll")
    assert len(shop.requests("services/getAll")) == 2


async def nothing():
    """No page."""
    return
    yield
