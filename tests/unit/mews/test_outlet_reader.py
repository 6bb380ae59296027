"""Reading the bills of an outlet as the orders of a service: whole, by the times that Mews finds them by."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from bill_world import KIOSK, OUTLET, START, OutletShop, outlet_reader, rows_of
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import MewsError
from etl.mews.outlets import OutletReader
from etl.model.windows import MOST, WINDOW, around, joined

MOMENTS = st.datetimes(
    min_value=START.replace(tzinfo=None) - timedelta(days=4000), max_value=START.replace(tzinfo=None)
)


@given(st.lists(MOMENTS.map(lambda one: one.replace(tzinfo=START.tzinfo)), max_size=80))
def test_every_moment_lies_well_inside_one_of_few_windows(moments):
    """A second to both ends, half open; none longer than Mews takes, oldest first, none overlapping."""
    found = around(moments)
    for moment in moments:
        assert any(
            low + timedelta(seconds=0.999) <= moment <= high - timedelta(seconds=1)
            or (low <= moment < high and high - low == WINDOW)
            for low, high in found
        )
    assert all(low < high <= low + WINDOW for low, high in found)
    assert found == sorted(found)
    if moments:
        span = max(moments) - min(moments)
        assert len(found) <= MOST + span / WINDOW + 1


def test_windows_leave_out_the_widest_gaps():
    """Two busy days a year apart are two windows, not five."""
    days = [START - timedelta(days=400), START - timedelta(days=400, minutes=-30), START]
    assert [(low, high) for low, high in around(days)] == [
        (days[0] - timedelta(seconds=1), days[1] + timedelta(seconds=2)),
        (days[2] - timedelta(seconds=1), days[2] + timedelta(seconds=2)),
    ]


def test_windows_may_reach_over_idle_days():
    """One request for a month, where it costs less than one for each of its days."""
    days = [START + timedelta(days=at) for at in (0, 9, 39, 80)]
    assert around(days, near=timedelta(days=30)) == [
        (days[0] - timedelta(seconds=1), days[2] + timedelta(seconds=2)),
        (days[3] - timedelta(seconds=1), days[3] + timedelta(seconds=2)),
    ]


def test_joined_stretches_hold_the_same_time():
    """Overlapping, touching and inner ones are one."""
    at = [START + timedelta(days=day) for day in range(8)]
    assert joined([(at[3], at[4]), (at[0], at[2]), (at[1], at[3]), (at[1], at[2]), (at[6], at[7])]) == [
        (at[0], at[4]),
        (at[6], at[7]),
    ]


def shop_with_bills() -> tuple[OutletShop, dict[str, str]]:
    shop = OutletShop()
    ids = {
        "till": shop.till("TILL-1", START - timedelta(days=900)),
        "mine": shop.till("7", START - timedelta(days=900), notes="[centra:uk:7] x", identifier="centra:uk:7:p1"),
        "kiosk": shop.till("8", START - timedelta(days=900), outlet=KIOSK, notes="[centra:uk:8]"),
    }
    return shop, ids


def test_a_bill_is_shown_as_an_order():
    """The bill is the order, the outlet the service; Notes are the bill's, amounts those of all units."""
    shop, ids = shop_with_bills()

    async def work(writer, _limiter):
        reader = outlet_reader(writer)
        await reader.configuration()
        return await rows_of(reader.order_items(service_ids=[OUTLET]))

    rows = {row.order_id: row for row in shop.run(work)}
    assert set(rows) == {ids["till"], ids["mine"]}
    row = rows[ids["mine"]]
    assert (row.service_id, row.account_id, row.notes) == (OUTLET, "", "[centra:uk:7] x")
    assert (row.external_identifier, row.count, row.type) == ("centra:uk:7:p1", 2, "Revenue")
    assert (row.unit_gross, row.gross, row.unit_net, row.net) == (
        Decimal("1.25"),
        Decimal("2.50"),
        Decimal("1.04"),
        Decimal("2.08"),
    )
    assert row.taxes == (("UK-20%", Decimal("0.42")),)
    assert row.is_by_unit
    assert row.consumed == START - timedelta(days=900)
    assert not row.is_canceled
    assert row.first_booked == (Decimal("2.08"), Decimal("2.50"))


@pytest.mark.parametrize("knows", ["the reader", "the ledger", "nobody"])
def test_a_bill_is_found_by_its_id(knows):
    """Around the time at which it closed, where that is known; else among all."""
    shop, ids = shop_with_bills()
    wanted = [ids["mine"], "99999999-0000-4000-a000-000000000009"]

    async def work(writer, _limiter):
        closed = {ids["mine"]: START - timedelta(days=900)} if knows == "the ledger" else {}
        reader = OutletReader(
            writer, OUTLET, closed_of=lambda asked: {one: closed[one] for one in asked if one in closed}
        )
        await reader.configuration()
        if knows == "the reader":
            await rows_of(reader.order_items(service_ids=[OUTLET]))
        return await rows_of(reader.order_items(order_ids=wanted[:1])), await rows_of(
            reader.order_items(order_ids=wanted)
        )

    for rows in shop.run(work):
        assert {row.order_id for row in rows} == {ids["mine"]}


def test_bills_that_closed_at_a_moment():
    """All of them, whoever made them and whenever; nothing of other outlets."""
    shop, ids = shop_with_bills()

    async def work(writer, _limiter):
        reader = outlet_reader(writer)
        await reader.configuration()
        return (
            await rows_of(reader.closed_at([START - timedelta(days=900), START - timedelta(days=3)])),
            await rows_of(reader.closed_at([START])),
            await rows_of(reader.closed_at([])),
        )

    there, nowhere, nothing = shop.run(work)
    assert {row.order_id for row in there} == {ids["till"], ids["mine"]}
    assert nowhere == nothing == []
    # One for each window, and one for the end of a page that has a cursor.
    assert len(shop.sandbox.requests("outletItems/getAll")) <= 4


def test_a_fresh_look_begins_at_the_oldest_outlet_and_tells_its_requests():
    """Mews takes three months a request; how many that are is told first."""
    shop, ids = shop_with_bills()
    told = []

    async def work(writer, _limiter):
        reader = outlet_reader(writer, tell=lambda since, requests: told.append((since, requests)))
        await reader.configuration()
        await rows_of(
            reader.order_items(service_ids=[OUTLET], created=(START - timedelta(hours=1), START + timedelta(hours=1)))
        )
        assert not told
        return await rows_of(reader.of_all_outlets(None))

    assert {row.order_id for row in shop.run(work)} == set(ids.values())
    since, requests = told[0]
    assert since.isoformat() == "2025-06-01T00:00:00+00:00"
    assert requests == 4
    assert len(shop.sandbox.requests("outletItems/getAll")) > requests


def test_there_is_nothing_else():
    """Nobody cancels a bill, its payments are its items, and nothing is linked to it."""
    shop, ids = shop_with_bills()

    async def work(writer, _limiter):
        reader = outlet_reader(writer)
        await reader.configuration()
        window = (START - timedelta(days=1), START + timedelta(days=1))
        return (
            await rows_of(reader.order_items(service_ids=[OUTLET], canceled=window)),
            await rows_of(reader.payments(created=window)),
            await rows_of(reader.service_orders([OUTLET], order_ids=[ids["mine"]])),
        )

    assert shop.run(work) == ([], [], [])


def test_what_can_not_be_read_to_its_end_is_an_error():
    """Nothing is concluded from half an answer."""
    shop = OutletShop("no-permission")

    async def work(writer, _limiter):
        reader = outlet_reader(writer)
        await reader.configuration()
        return await rows_of(reader.closed_at([START]))

    with pytest.raises(MewsError):
        shop.run(work)
