"""The dials on outlet bills: those that every operation knows, and those that only several bills at once can have."""

from __future__ import annotations

import pytest
from sandbox_desk import Desk, amount, bill, sold

from etl.errors import UsageError
from etl.sandbox import parse_fault
from etl.sandbox.faults import Wire

EVERYTHING = {"StartUtc": "2011-11-15T00:00:00Z", "EndUtc": "2012-02-01T00:00:00Z"}
FIVE = [bill(sold(ExternalIdentifier=f"centra:uk:{number}:p1"), Number=str(number)) for number in range(1, 6)]


def kept(desk: Desk) -> list[str]:
    return [each.number for each in desk.sandbox.outlets.bills.values()]


@pytest.mark.parametrize(
    ("spec", "wire", "status", "bills"),
    [
        ("timeout-before-commit", Wire.HANG, 0, 0),
        ("timeout-after-commit", Wire.HANG, 200, 5),
        ("reset-before-commit", Wire.RESET, 0, 0),
        ("reset-after-commit", Wire.RESET, 200, 5),
        ("truncate", Wire.TRUNCATE, 200, 5),
        ("not-json", Wire.SEND, 200, 5),
        ("no-order-id", Wire.SEND, 200, 5),
        ("status-500-before", Wire.SEND, 500, 0),
        ("status-500-after", Wire.SEND, 500, 5),
        ("status-502-after", Wire.SEND, 502, 5),
        ("status-408-before", Wire.SEND, 408, 0),
        ("status-408-after", Wire.SEND, 408, 5),
        ("status-409", Wire.SEND, 409, 0),
        ("delayed-commit", Wire.RESET, 0, 0),
        ("delayed-commit:answer=408", Wire.SEND, 408, 0),
        ("429-burst", Wire.SEND, 429, 0),
        ("connect-error", Wire.REFUSE, 0, 0),
        ("revoke-token:after=0", Wire.SEND, 401, 0),
        ("no-permission:on=outletBills/add", Wire.SEND, 401, 0),
        ("slow", Wire.SEND, 200, 5),
        ("partly-committed", Wire.RESET, 0, 2),
        ("partly-committed:answer=hang", Wire.HANG, 0, 2),
        ("partly-committed:answer=408", Wire.SEND, 408, 2),
        ("partly-committed:answer=500", Wire.SEND, 500, 2),
        ("wrong-bill-ids", Wire.SEND, 200, 5),
    ],
)
def test_each_dial_does_to_bills_what_its_name_says(spec, wire, status, bills):
    """How many of five bills Mews keeps, and what the client sees of it, are two things: each dial fixes both."""
    desk = Desk(None, spec)
    answer = desk.raw("outletBills/add", Bills=FIVE)
    assert (answer.wire, answer.status, kept(desk)) == (wire, status, [str(number + 1) for number in range(bills)])
    assert len(desk.sandbox.outlets.items) == bills


def test_a_single_bill_is_never_kept_in_part():
    """Half of one is none; and other operations know nothing of it."""
    desk = Desk(None, "partly-committed")
    assert desk.raw("outletBills/add", Bills=FIVE[:1]).wire is Wire.RESET
    assert desk.raw("outletBills/add", Bills="none").wire is Wire.RESET
    assert kept(desk) == []
    assert desk.order()[0] == 200


def test_a_bad_bill_in_the_first_half_is_refused_there():
    """What is lost on the way back may have been a refusal."""
    desk = Desk(None, "partly-committed", "refused-bills:commit=others")
    bad = bill(sold(amount("1", "NO-CODE")), Number="bad")
    assert desk.raw("outletBills/add", Bills=[FIVE[0], bad, *FIVE[1:4]]).wire is Wire.RESET
    assert kept(desk) == ["1"]


@pytest.mark.parametrize(
    ("spec", "count", "distinct"),
    [
        ("wrong-bill-ids", 4, 4),
        ("wrong-bill-ids:ids=fewer", 4, 4),
        ("wrong-bill-ids:ids=repeated", 5, 4),
        ("wrong-bill-ids:ids=more", 6, 6),
        ("wrong-bill-ids:at=2", 5, 5),
    ],
)
def test_answers_may_have_ids_that_do_not_fit_the_request(spec, count, distinct):
    """One too few, one twice, or one that belongs to no bill: a 200 that settles nothing."""
    ids = Desk(None, spec).added(*FIVE)
    assert (len(ids), len(set(ids))) == (count, distinct)


def test_ids_that_fit_stand_for_the_bills():
    """Without a dial, each id answered is a bill."""
    desk = Desk()
    assert set(desk.added(*FIVE)) == set(desk.sandbox.outlets.bills)


def test_a_refusal_stays_a_refusal_under_faults():
    """No fault makes Mews accept what it would refuse, nor answer it with ids."""
    desk = Desk(None, "wrong-bill-ids", "truncate")
    assert desk.add(bill(sold(UnitCount=0)))[0] == 403
    assert kept(desk) == []


def test_delayed_bills_land_later_and_once():
    """All of the request, dated then."""
    desk = Desk(None, "delayed-commit:seconds=20:times=1")
    desk.raw("outletBills/add", Bills=FIVE)
    desk.clock.forward(19.9)
    assert desk.outlet_page(ClosedUtc=EVERYTHING)["OutletItems"] == []
    desk.clock.forward(0.2)
    assert {each["UpdatedUtc"] for each in desk.outlet_page(ClosedUtc=EVERYTHING)["OutletBills"]} == {
        "2012-01-10T12:00:20Z"
    }
    desk.clock.forward(100)
    assert kept(desk) == ["1", "2", "3", "4", "5"]


def test_lagging_reads_hide_young_bills_and_young_changes():
    """A bill just added is not read; one just touched is read as it was."""
    desk = Desk(None, "lagging-reads:seconds=5")
    (own,) = desk.added(FIVE[0])

    def seen() -> list[tuple[str, str | None]]:
        return [(each["Number"], each["Notes"]) for each in desk.outlet_page(ClosedUtc=EVERYTHING)["OutletBills"]]

    desk.clock.forward(4.999)
    assert seen() == []
    desk.clock.forward(0.001)
    assert seen() == [("1", None)]
    desk.sandbox.touch_bill(own, notes="touched")
    desk.clock.forward(4.999)
    assert seen() == [("1", None)]
    now = {"StartUtc": "2012-01-10T12:00:05Z", "EndUtc": "2012-01-10T13:00:00Z"}
    assert desk.outlet_page(UpdatedUtc=now)["OutletItems"] == []
    desk.clock.forward(0.001)
    assert seen() == [("1", "touched")]
    assert len(desk.outlet_page(UpdatedUtc=now)["OutletItems"]) == 1


def walked(desk: Desk, **filters) -> list[str]:
    """The numbers of all bills that a walk in pages of one item meets."""
    met, cursor = [], None
    for _ in range(99):
        page = desk.outlet_page(**filters, Count=1, Cursor=cursor)
        met += [each["Number"] for each in page["OutletBills"]]
        cursor = page["Cursor"]
        if cursor is None:
            break
    return met


def test_bills_that_move_while_they_are_read_are_lost_to_a_walk_by_their_update():
    """UpdatedUtc proves presence only; the closure of a bill does not move, so a walk by it meets them all."""
    window = {"StartUtc": "2012-01-10T12:00:00Z", "EndUtc": "2012-01-10T12:00:01Z"}
    for filters, met in (({"UpdatedUtc": window}, ["5", "3", "1"]), ({"ClosedUtc": EVERYTHING}, list("54321"))):
        desk = Desk(None, "moving-bills")
        desk.added(*FIVE)
        desk.clock.forward(3600)
        assert walked(desk, **filters) == met


def test_moving_bills_move_as_often_as_the_dial_says():
    """The second page of two only, and what moved is found at its new time."""
    desk = Desk(None, "moving-bills:at=2")
    desk.added(*FIVE)
    desk.clock.forward(60)
    early = {"StartUtc": "2012-01-10T12:00:00Z", "EndUtc": "2012-01-10T12:00:01Z"}
    late = {"StartUtc": "2012-01-10T12:01:00Z", "EndUtc": "2012-01-10T12:01:01Z"}
    assert walked(desk, UpdatedUtc=early) == ["5", "4", "2", "1"]
    assert walked(desk, UpdatedUtc=late) == ["3"]
    # The page before the oldest bill has nothing that comes next.
    assert walked(Desk(None, "moving-bills"), UpdatedUtc=early) == []


def test_an_integration_may_not_be_allowed_to_read_or_write_outlets():
    """401 as where a token is not enough; the default is reading, and everything else still works."""
    desk = Desk(None, "no-permission")
    desk.added(FIVE[0])
    status, body = desk.ask("outletItems/getAll", Limitation={"Count": 1}, ClosedUtc=EVERYTHING)
    assert (status, "permission" in body["Message"]) == (401, True)
    assert desk.ask("outlets/getAll", Limitation={"Count": 1})[0] == 200
    assert Desk(None, "no-permission:on=orderItems/getAll").ask("orderItems/getAll", Limitation={"Count": 1})[0] == 401


def test_an_older_or_stranger_mews_shows_it_on_bills_too():
    """Identifiers and notes are not returned, amounts differ, items appear: the first bill's check has something to find."""
    desk = Desk(None, "no-external-identifiers", "no-notes", "other-amounts:cents=2", "adds-items")
    desk.added(bill(sold(ExternalIdentifier="centra:uk:1:p1", Notes="n"), Notes="n"))
    page = desk.outlet_page(ClosedUtc=EVERYTHING)
    extra, own = page["OutletItems"]
    assert "ExternalIdentifier" not in own
    assert (own["Notes"], page["OutletBills"][0]["Notes"]) == (None, None)
    assert str(own["UnitAmount"]["GrossValue"]) == "10.01"
    assert (extra["Name"], extra["Type"]) == ("Service charge", "Revenue")
    assert desk.sandbox.outlets.items[0].external_identifier == "centra:uk:1:p1"
    assert Desk(None, "no-external-identifiers:variant=refuse").add(FIVE[0])[0] == 400


def test_mewss_clock_dates_bills():
    """A wrong clock on this machine is not Mews's."""
    desk = Desk(None, "clock-offset:seconds=-300")
    desk.added(bill())
    assert desk.outlet_page(ClosedUtc=EVERYTHING)["OutletBills"][0]["UpdatedUtc"] == "2012-01-10T11:55:00Z"


def test_writes_and_reads_count_outlet_operations():
    """`on=writes` and `on=reads` mean them too."""
    desk = Desk(None, "status-500-before:on=writes:at=2", "status-503-before:on=reads:at=1")
    assert [desk.add()[0] for _ in range(3)] == [200, 500, 200]
    asked = {"Limitation": {"Count": 1}, "ClosedUtc": EVERYTHING}
    assert [desk.ask("outletItems/getAll", **asked)[0] for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    "spec",
    [
        "refused-bills:0.5",
        "refused-bills:commit=half",
        "refused-bills:on=outletBills/add",
        "partly-committed:on=orders/add",
        "partly-committed:answer=200",
        "wrong-bill-ids:ids=none",
        "moving-bills:on=reads",
        "moving-bills:seconds=5",
        "no-permission:on=outlets",
    ],
)
def test_wrong_dials_are_usage_errors(spec):
    """A dial that makes no sense is refused before anything listens."""
    with pytest.raises(UsageError):
        parse_fault(spec)


def test_a_bad_day_with_bills_replays_from_its_seed():
    """The same seed hits the same requests."""

    def history(seed: int) -> list[tuple[int, str]]:
        desk = Desk(None, "partly-committed:0.3", "wrong-bill-ids:0.3", "reset-after-commit:0.2", seed=seed)
        for _ in range(40):
            desk.raw("outletBills/add", Bills=FIVE[:2])
        return [(each.status, each.fault) for each in desk.sandbox.log]

    assert history(7) == history(7)
    assert history(7) != history(8)
    assert len({fault for _, fault in history(7)}) == 4
