"""Reading outlets and outlet items back: the documented filters, windows, and pages that new bills do not disturb."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sandbox_desk import CLOSED_OUTLET, NOBODY, OUTLET, Desk, bill, paid, sold, world_of


def span(start: str, end: str) -> dict[str, str]:
    return {"StartUtc": f"{start}Z", "EndUtc": f"{end}Z"}


def names(page) -> list[str]:
    return [each["Name"] for each in page["OutletItems"]]


def numbers(page) -> list[str]:
    return [each["Number"] for each in page["OutletBills"]]


def three_bills() -> Desk:
    """Bills 1, 2 and 3 of 1 to 3 December, added a minute apart from each other; the second item is of the day after."""
    desk = Desk()
    for day in (1, 2, 3):
        first = sold(Name=f"{day}a", ConsumedUtc=f"2011-12-0{day}T08:00:00Z")
        second = sold(Name=f"{day}b", ConsumedUtc=f"2011-12-0{day + 1}T08:00:00Z")
        desk.added(bill(first, second, Number=str(day), ClosedUtc=f"2011-12-0{day}T09:00:00Z"))
        desk.clock.forward(60)
    return desk


EVERYTHING = span("2011-11-15T00:00:00", "2012-02-01T00:00:00")


@pytest.mark.parametrize(
    ("filters", "found", "bills"),
    [
        ({"ClosedUtc": EVERYTHING}, ["3b", "3a", "2b", "2a", "1b", "1a"], ["3", "2", "1"]),
        ({"ClosedUtc": span("2011-12-01T09:00:00", "2011-12-02T09:00:00")}, ["1b", "1a"], ["1"]),
        ({"ClosedUtc": span("2011-12-02T09:00:00", "2011-12-02T09:00:00")}, ["2b", "2a"], ["2"]),
        ({"ClosedUtc": span("2011-12-02T09:00:01", "2011-12-03T09:00:00")}, [], []),
        ({"ConsumedUtc": span("2011-12-02T00:00:00", "2011-12-03T00:00:00")}, ["2a", "1b"], ["2", "1"]),
        ({"ConsumedUtc": span("2011-12-02T08:00:00", "2011-12-02T08:00:00")}, ["2a", "1b"], ["2", "1"]),
        ({"ConsumedUtc": span("2011-12-04T08:00:00", "2011-12-05T00:00:00")}, ["3b"], ["3"]),
        ({"ConsumedUtc": span("2011-12-04T08:00:01", "2011-12-05T00:00:00")}, [], []),
        ({"UpdatedUtc": span("2012-01-10T12:01:00", "2012-01-10T12:02:00")}, ["2b", "2a"], ["2"]),
        ({"UpdatedUtc": span("2012-01-10T12:01:00", "2012-01-10T12:01:00")}, ["2b", "2a"], ["2"]),
        ({"UpdatedUtc": span("2012-01-10T12:00:01", "2012-01-10T12:01:00")}, [], []),
        (
            {"UpdatedUtc": span("2012-01-10T12:01:00", "2012-01-10T12:03:00"), "ConsumedUtc": EVERYTHING},
            ["3b", "3a", "2b", "2a"],
            ["3", "2"],
        ),
        (
            {"ClosedUtc": EVERYTHING, "ConsumedUtc": span("2011-12-02T00:00:00", "2011-12-03T00:00:00")},
            ["2a", "1b"],
            ["2", "1"],
        ),
        ({"ClosedUtc": EVERYTHING, "Currency": "GBP"}, ["3b", "3a", "2b", "2a", "1b", "1a"], ["3", "2", "1"]),
        ({"Ids": [NOBODY]}, [], []),
    ],
)
def test_filters_narrow_together(filters, found, bills):
    """ClosedUtc and UpdatedUtc are the bill's, ConsumedUtc the item's; half-open, equal ends mean that moment."""
    page = three_bills().outlet_page(**filters)
    assert (names(page), numbers(page)) == (found, bills)
    assert page["Cursor"] == (page["OutletItems"][-1]["Id"] if found else None)


def test_items_are_found_by_their_ids():
    """Upper and lower case alike, together with the other filters, in pages."""
    desk = three_bills()
    ids = [each.id.upper() for each in desk.sandbox.outlets.items[1:4]]
    assert names(desk.outlet_page(Ids=ids)) == ["2b", "2a", "1b"]
    assert names(desk.outlet_page(Ids=ids, ClosedUtc=span("2011-12-01T00:00:00", "2011-12-02T00:00:00"))) == ["1b"]
    first = desk.outlet_page(Ids=ids, Count=2)
    assert names(desk.outlet_page(Ids=ids, Count=2, Cursor=first["Cursor"].upper())) == ["1b"]


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ({}, 400),
        ({"ConsumedUtc": {}}, 400),
        ({"Currency": "GBP"}, 400),
        ({"Ids": []}, 400),
        ({"Ids": [NOBODY] * 1001}, 400),
        ({"Ids": ["1"]}, 400),
        ({"ClosedUtc": {"StartUtc": "2012-01-01T00:00:00Z"}}, 400),
        ({"ClosedUtc": span("2012-01-02T00:00:00", "2012-01-01T00:00:00")}, 400),
        ({"ClosedUtc": span("2011-11-30T00:00:00", "2012-02-29T00:00:01")}, 400),
        ({"ConsumedUtc": span("2011-11-30T00:00:00", "2012-02-29T00:00:01")}, 400),
        ({"UpdatedUtc": span("2011-11-30T00:00:00", "2012-02-29T00:00:01")}, 400),
        ({"ClosedUtc": EVERYTHING, "Count": 0}, 400),
        ({"ClosedUtc": EVERYTHING, "Count": 1001}, 400),
        ({"ClosedUtc": EVERYTHING, "Cursor": NOBODY}, 400),
        ({"ClosedUtc": EVERYTHING, "Currency": "XXX"}, 400),
        ({"ClosedUtc": EVERYTHING, "Currency": "EUR"}, 403),
        ({"ClosedUtc": EVERYTHING, "CreatedUtc": EVERYTHING}, 400),
        ({"ClosedUtc": EVERYTHING, "OutletIds": [OUTLET]}, 400),
        ({"ClosedUtc": EVERYTHING, "BillIds": [NOBODY]}, 400),
        ({"ClosedUtc": EVERYTHING, "Numbers": ["1"]}, 400),
        ({"ClosedUtc": EVERYTHING, "ExternalIdentifiers": ["1"]}, 400),
    ],
)
def test_reads_that_mews_would_not_answer(filters, status):
    """No filter of the documented ones, more than three months, or one that does not exist: no outlet, no number."""
    limitation = {"Count": filters.pop("Count", 10), "Cursor": filters.pop("Cursor", None)}
    assert three_bills().ask("outletItems/getAll", Limitation=limitation, **filters)[0] == status


def test_a_limitation_is_needed():
    """Paging is not optional."""
    assert three_bills().ask("outletItems/getAll", ClosedUtc=EVERYTHING)[0] == 400


def test_three_months_are_allowed_to_the_second():
    """Calendar months: the end of February is three months after the end of November."""
    assert names(three_bills().outlet_page(ClosedUtc=span("2011-11-30T00:00:00", "2012-02-29T00:00:00")))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ["ClosedUtc", "ConsumedUtc", "UpdatedUtc"])
def test_pages_survive_bills_that_appear_meanwhile(name, count):
    """A walk begun before new bills came sees every older item once and none twice, each page with its items' bills.

    Pages cut through bills: the same bill may stand on two of them.
    """
    desk = Desk()
    for number in range(9):
        day = f"2011-12-{1 + number * 7 % 9:02}T08:00:00Z"
        items = [sold(Name=f"{number}{part}", ConsumedUtc=day) for part in "abc"[: 1 + number % 3]]
        desk.added(bill(*items, Number=str(number), ClosedUtc=day))
    whole = [f"{number}{part}" for number in range(9) for part in "abc"[: 1 + number % 3]][::-1]
    seen, cursor = [], None
    for _ in range(99):
        page = desk.outlet_page(**{name: EVERYTHING}, Count=count, Cursor=cursor)
        seen += names(page)
        cursor = page["Cursor"]
        assert {each["Id"] for each in page["OutletBills"]} == {each["BillId"] for each in page["OutletItems"]}
        assert len(numbers(page)) == len(set(numbers(page)))
        desk.added(bill(sold(Name="new"), Number="new"), bill(sold(Name="new"), Number="newer"))
        if len(page["OutletItems"]) < count:
            break
    assert seen == whole


def test_every_index_finds_what_a_look_at_everything_finds():
    """Random bills, windows and touched ones: the indexes lose nothing and add nothing."""
    rng = Random(5)
    desk = Desk()
    begin = datetime(2011, 12, 1, tzinfo=UTC)

    def moment(text: bool = True):
        found = begin + timedelta(hours=rng.randrange(0, 24 * 20, 6))
        return f"{found:%Y-%m-%dT%H:%M:%SZ}" if text else found

    for number in range(60):
        items = [sold(Name=f"{number}.{place}", ConsumedUtc=moment()) for place in range(rng.randrange(1, 5))]
        desk.added(bill(*items, Number=str(number), ClosedUtc=moment()))
        desk.clock.forward(rng.choice([0, 1, 86_400]))
        if rng.random() < 0.3:
            desk.sandbox.touch_bill(rng.choice(list(desk.sandbox.outlets.bills)))
    held = desk.sandbox.outlets
    for _ in range(300):
        chosen = rng.sample(["ClosedUtc", "ConsumedUtc", "UpdatedUtc"], rng.randrange(1, 4))
        bounds = {}
        for name in chosen:
            shift = timedelta(days=40) if name == "UpdatedUtc" else timedelta(0)
            bounds[name] = sorted(moment(text=False) + shift for _ in range(2))
        expected = []
        for item in reversed(held.items):
            times = {
                "ClosedUtc": held.bills[item.bill_id].closed,
                "ConsumedUtc": item.consumed,
                "UpdatedUtc": held.bills[item.bill_id].updated,
            }
            if all(a <= times[name] < b or a == b == times[name] for name, (a, b) in bounds.items()):
                expected.append(item.name)
        filters = {
            name: span(f"{first:%Y-%m-%dT%H:%M:%S}", f"{last:%Y-%m-%dT%H:%M:%S}")
            for name, (first, last) in bounds.items()
        }
        seen, cursor = [], None
        for _ in range(99):
            page = desk.outlet_page(**filters, Count=7, Cursor=cursor)
            seen += names(page)
            cursor = page["Cursor"]
            if cursor is None or len(page["OutletItems"]) < 7:
                break
        assert seen == expected, filters


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("0001-01-01T00:00:00", "0001-03-01T00:00:00", 200),
        ("9999-09-30T00:00:00", "9999-12-31T23:59:59", 400),
        ("9999-10-01T00:00:00", "9999-12-31T23:59:59", 200),
        ("9999-12-31T00:00:00", "9999-12-31T23:59:59", 200),
    ],
)
def test_the_calendar_has_two_ends(start, end, status):
    """Three months after October 9999 there is no date to compare with, and nothing to be refused."""
    asked = {"Limitation": {"Count": 5}, "ClosedUtc": span(start, end)}
    assert three_bills().ask("outletItems/getAll", **asked)[0] == status


def test_a_touched_bill_moves_its_updated_time_and_nothing_else():
    """UpdatedUtc is the bill's: it proves presence when found, and a window that has passed loses it."""
    desk = three_bills()
    own = next(iter(desk.sandbox.outlets.bills))
    early = span("2012-01-10T12:00:00", "2012-01-10T12:00:30")
    assert numbers(desk.outlet_page(UpdatedUtc=early)) == ["1"]
    desk.clock.forward(3600)
    desk.sandbox.touch_bill(own, notes="asked about")
    assert numbers(desk.outlet_page(UpdatedUtc=early)) == []
    page = desk.outlet_page(UpdatedUtc=span("2012-01-10T13:00:00", "2012-01-10T14:00:00"))
    assert [(each["Number"], each["UpdatedUtc"], each["Notes"]) for each in page["OutletBills"]] == [
        ("1", "2012-01-10T13:03:00Z", "asked about")
    ]
    assert {each["UpdatedUtc"] for each in page["OutletItems"]} == {"2012-01-10T12:00:00Z"}
    assert numbers(desk.outlet_page(ClosedUtc=EVERYTHING)) == ["3", "2", "1"]
    with pytest.raises(KeyError):
        desk.sandbox.touch_bill(NOBODY)


def test_payments_are_read_with_the_sign_they_were_sent_with():
    """Unlike external payments of accounts, whose sign Mews turns."""
    desk = Desk(world_of(payments_negative=True))
    desk.added(bill(paid("-5"), paid("2")))
    amounts = [str(each["UnitAmount"]["GrossValue"]) for each in desk.outlet_page(ClosedUtc=EVERYTHING)["OutletItems"]]
    assert amounts == ["2.00", "-5.00"]


def test_outlets_are_listed_with_their_age_and_state():
    """By ids, by the time of their update, in pages; closed ones too."""
    desk = Desk()
    shown = desk.get("outlets/getAll", Limitation={"Count": 10})["Outlets"]
    assert {each["Id"]: (each["Name"], each["IsActive"], each["CreatedUtc"]) for each in shown} == {
        OUTLET: ("Shop", True, "2010-01-01T00:00:00Z"),
        CLOSED_OUTLET: ("Kiosk", False, "2008-01-01T00:00:00Z"),
    }

    def found(**filters):
        limitation = filters.pop("Limitation", {"Count": 10})
        return [each["Id"] for each in desk.get("outlets/getAll", Limitation=limitation, **filters)["Outlets"]]

    assert found(OutletIds=[OUTLET.upper(), NOBODY]) == [OUTLET]
    assert found(UpdatedUtc=span("2009-12-01T00:00:00", "2010-02-01T00:00:00")) == [OUTLET]
    assert found(UpdatedUtc=span("2010-01-01T00:00:01", "2010-02-01T00:00:00")) == []
    first = found(Limitation={"Count": 1})
    second = found(Limitation={"Count": 1, "Cursor": first[0]})
    assert {*first, *second} == {OUTLET, CLOSED_OUTLET}
    assert found(Limitation={"Count": 1, "Cursor": second[0]}) == []


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"Limitation": {"Count": 0}},
        {"Limitation": {"Count": 5}, "OutletIds": []},
        {"Limitation": {"Count": 5}, "Ids": [OUTLET]},
        {"Limitation": {"Count": 5}, "Names": ["Shop"]},
        {"Limitation": {"Count": 5}, "UpdatedUtc": span("2010-01-01T00:00:00", "2010-04-01T00:00:01")},
    ],
)
def test_outlets_are_read_as_described(filters):
    """Limitation is required, an interval is three months at most, other filters do not exist."""
    assert Desk().ask("outlets/getAll", **filters)[0] == 400
