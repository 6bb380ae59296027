"""The sandbox's dials: what each does to the world and on the wire, and that a bad day replays."""

from __future__ import annotations

import json

import pytest
from sandbox_desk import ACCOUNT, SERVICE, Desk, item

from etl.errors import UsageError
from etl.sandbox import describe_faults, parse_fault
from etl.sandbox.core import PREFIX
from etl.sandbox.faults import Wire

ORDER = {
    "ServiceId": SERVICE,
    "AccountId": ACCOUNT,
    "Items": [item(ExternalIdentifier="centra:uk:1:p1")],
    "ConsumptionUtc": "2011-12-01T08:26:00Z",
    "Notes": "[centra:uk:1]",
}


@pytest.mark.parametrize(
    ("spec", "wire", "status", "orders"),
    [
        ("timeout-before-commit", Wire.HANG, 0, 0),
        ("timeout-after-commit", Wire.HANG, 200, 1),
        ("reset-before-commit", Wire.RESET, 0, 0),
        ("reset-after-commit", Wire.RESET, 200, 1),
        ("truncate", Wire.TRUNCATE, 200, 1),
        ("not-json", Wire.SEND, 200, 1),
        ("no-order-id", Wire.SEND, 200, 1),
        ("status-500-before", Wire.SEND, 500, 0),
        ("status-500-after", Wire.SEND, 500, 1),
        ("status-503-after", Wire.SEND, 503, 1),
        ("status-408-before", Wire.SEND, 408, 0),
        ("status-408-after", Wire.SEND, 408, 1),
        ("status-409", Wire.SEND, 409, 0),
        ("delayed-commit", Wire.RESET, 0, 0),
        ("delayed-commit:answer=hang", Wire.HANG, 0, 0),
        ("delayed-commit:answer=500", Wire.SEND, 500, 0),
        ("429-burst", Wire.SEND, 429, 0),
        ("connect-error", Wire.REFUSE, 0, 0),
        ("revoke-token:after=0", Wire.SEND, 401, 0),
    ],
)
def test_each_dial_does_what_its_name_says(spec, wire, status, orders):
    """Whether Mews acted, and what the client sees of it, are two things: each dial fixes both."""
    desk = Desk(None, spec)
    answer = desk.raw("orders/add", **ORDER)
    assert (answer.wire, answer.status, len(desk.sandbox.orders)) == (wire, status, orders)


def test_bodies_that_say_nothing_hide_the_order_id():
    """HTML from a proxy, and an answer without OrderId: the order is there, its id is not told."""
    assert Desk(None, "not-json").raw("orders/add", **ORDER).body.startswith(b"<html>")
    assert Desk(None, "no-order-id").ask("orders/add", **ORDER) == (200, {})


def test_a_delayed_commit_lands_later_and_once():
    """Mews may still be working after the client gave up: the order appears seconds later, dated then."""
    desk = Desk(None, "delayed-commit:seconds=20:times=1")
    desk.raw("orders/add", **ORDER)
    desk.clock.forward(19.9)
    assert desk.items(ServiceIds=[SERVICE]) == []
    desk.clock.forward(0.2)
    shown = desk.items(ServiceIds=[SERVICE])
    assert [(each["ExternalIdentifier"], each["CreatedUtc"]) for each in shown] == [
        ("centra:uk:1:p1", "2012-01-10T12:00:20Z")
    ]
    desk.clock.forward(100)
    assert desk.sandbox.settle() == 0
    assert len(desk.sandbox.orders) == 1


def test_settle_carries_out_what_is_due_in_order():
    """A harness with virtual time moves the clock and lets Mews catch up, oldest first."""
    desk = Desk(None, "delayed-commit:seconds=10")
    for name in ("A", "B"):
        desk.raw("orders/add", **{**ORDER, "Notes": name})
        desk.clock.forward(1)
    assert (desk.sandbox.next_due() - desk.clock()).total_seconds() == 8
    desk.clock.forward(8)
    assert desk.sandbox.settle() == 1
    desk.clock.forward(1)
    assert desk.sandbox.settle() == 1
    assert [order.notes for order in desk.sandbox.orders] == ["A", "B"]
    assert desk.sandbox.next_due() is None


def test_lagging_reads_hide_young_writes():
    """What was just written, or cancelled, is not read until the lag has passed."""
    desk = Desk(None, "lagging-reads:seconds=5")
    order = desk.posted(item())
    desk.ask("payments/addExternal", AccountId=ACCOUNT, Amount={"Currency": "GBP", "GrossValue": 1}, Type="Cash")

    def seen():
        paid = desk.get("payments/getAll", Limitation={"Count": 5}, AccountIds=[ACCOUNT])["Payments"]
        found = desk.get("productServiceOrders/getAll", Limitation={"Count": 5}, ServiceIds=[SERVICE])
        items = desk.items(ServiceOrderIds=[order])
        return len(items), len(paid), len(found["ProductServiceOrders"]), [each["AccountingState"] for each in items]

    desk.clock.forward(4.999)
    assert seen() == (0, 0, 0, [])
    desk.clock.forward(0.001)
    assert seen() == (1, 1, 1, ["Open"])
    desk.get("orderItems/cancel", OrderItemIds=[desk.sandbox.items[0].id])
    desk.clock.forward(4.999)
    assert seen()[3] == ["Open"]
    desk.clock.forward(0.001)
    assert seen()[3] == ["Canceled"]


def test_a_burst_ends():
    """Every request is refused while a burst lasts, with the wait that is left."""
    desk = Desk(None, "429-burst:1:seconds=5:times=1")
    answers = []
    for _ in range(6):
        answer = desk.raw("configuration/get")
        answers.append((answer.status, answer.headers.get("Retry-After")))
        desk.clock.forward(1)
    assert answers == [(429, "5"), (429, "4"), (429, "3"), (429, "2"), (429, "1"), (200, None)]


def test_an_outage_refuses_until_it_ends():
    """With seconds, nobody listens for that long."""
    desk = Desk(None, "connect-error:1:seconds=10:times=1")
    wires = []
    for _ in range(3):
        wires.append(desk.raw("configuration/get").wire)
        desk.clock.forward(5)
    assert wires == [Wire.REFUSE, Wire.REFUSE, Wire.SEND]


def test_an_older_api_ignores_identifiers():
    """Neither returned nor refused; what was sent is known to the test all the same."""
    desk = Desk(None, "no-external-identifiers", "no-notes")
    desk.raw("orders/add", **ORDER)
    shown = desk.items(ServiceIds=[SERVICE])[0]
    assert "ExternalIdentifier" not in shown
    assert shown["Notes"] is None
    assert desk.sandbox.items[0].external_identifier == "centra:uk:1:p1"
    assert desk.sandbox.items[0].notes == "[centra:uk:1]"


def test_an_older_api_may_refuse_identifiers():
    """The variant in which the property is unknown."""
    desk = Desk(None, "no-external-identifiers:variant=refuse")
    assert desk.raw("orders/add", **ORDER).status == 400
    assert desk.order(item())[0] == 200


def test_other_amounts_and_unasked_things_are_seen_when_read():
    """The check of the first order has something to find."""
    desk = Desk(None, "other-amounts:cents=2", "adds-items", "links-reservation")
    desk.raw("orders/add", **ORDER)
    extra, own = desk.items(ServiceIds=[SERVICE])
    assert str(own["Amount"]["GrossValue"]) == "10.01"
    assert extra["BillingName"] == "Service charge"
    assert desk.sandbox.orders[0].reservation_id is not None


def test_dials_hit_only_what_they_are_set_on():
    """Writes by default, or reads, all, or one operation; the n-th, and no more than asked for."""
    desk = Desk(None, "status-500-before:at=2+3")
    assert [desk.raw("configuration/get").status for _ in range(3)] == [200, 200, 200]
    assert [desk.order()[0] for _ in range(4)] == [200, 500, 500, 200]
    desk = Desk(None, "status-503-before:on=reads:times=2")
    assert [desk.order()[0]] + [desk.raw("configuration/get").status for _ in range(3)] == [200, 503, 503, 200]
    desk = Desk(None, "slow:seconds=3:on=services/getAll")
    assert desk.raw("services/getAll", Limitation={"Count": 1}).delay == 3
    assert desk.raw("configuration/get").delay == 0


def test_refused_requests_stay_refused_under_faults():
    """A fault never makes Mews accept what it would refuse."""
    desk = Desk(None, "truncate", "status-500-after")
    assert desk.order(item(UnitCount=0))[0] == 403
    assert desk.sandbox.orders == []


def history(seed: int, *specs: str) -> list[tuple[int, str]]:
    desk = Desk(
        None, *(specs or ("reset-after-commit:0.2", "status-500-before:0.3", "429-burst:0.05:seconds=2")), seed=seed
    )
    for _ in range(60):
        desk.order()
        desk.clock.forward(1)
    return [(each.status, each.fault) for each in desk.sandbox.log]


def test_a_bad_day_replays_from_its_seed():
    """The same seed gives the same faults, another one others, and several kinds do occur."""
    assert history(7) == history(7)
    assert history(7) != history(8)
    assert len({fault for _, fault in history(7)}) == 4


def test_seed_may_be_a_dial():
    """`--fault seed=7` is the seed 7."""
    specs = ("reset-after-commit:0.2", "status-500-before:0.3", "429-burst:0.05:seconds=2")
    assert history(0, *specs, "seed=7") == history(7)


def test_probability_is_kept_over_many_requests():
    """A dial of one in ten fires about one time in ten."""
    desk = Desk(None, "status-500-before:0.1")
    hits = sum(desk.sandbox.handle(PREFIX + "orders/add", desk.body()).status == 500 for _ in range(2000))
    assert 150 <= hits <= 250


def test_every_dial_can_be_set_and_has_help():
    """What --help lists is what can be typed."""
    described = dict(describe_faults())
    assert len(described) > 20
    for name, text in described.items():
        assert text
        assert parse_fault("seed=1" if name == "seed" else name).name == name


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "timeout",
        "truncate:2",
        "truncate:x",
        "truncate:0.1:0.2",
        "truncate:seconds=5",
        "truncate:on=orders",
        "truncate:at=0",
        "truncate:at=x",
        "truncate:times=0",
        "slow:seconds=-1",
        "slow:seconds=nan",
        "delayed-commit:answer=200",
        "429-burst:form=xml",
        "revoke-token:after=-1",
        "status-404-after",
        "seed=x",
        "seed",
        "no-notes:0.5",
        "refuses-payments:type=",
        "refuses-payments:type=gift card",
        "refuses-payments:on=reads",
    ],
)
def test_a_wrong_dial_is_a_usage_error_with_the_list(spec):
    """Whoever mistypes a dial is shown them all."""
    with pytest.raises(UsageError) as caught:
        parse_fault(spec)
    assert "delayed-commit" in caught.value.hint


def test_near_misses_are_suggested():
    """A slip of the finger is met with the right name."""
    with pytest.raises(UsageError, match="did you mean truncate"):
        parse_fault("trunkate")


@pytest.mark.parametrize(
    ("dials", "refused"),
    [
        (["refuses-payments"], {"Cash", "GiftCard"}),
        (["refuses-payments:type=GiftCard"], {"GiftCard"}),
        (["refuses-payments:type=GiftCard", "refuses-payments:type=Cash"], {"Cash", "GiftCard"}),
        (["refuses-payments:type=Invoice"], set()),
    ],
)
def test_payment_types_are_refused_though_they_are_enabled(dials, refused):
    """What an integration may not do stands in no reference data; orders are taken all the same."""
    desk = Desk(None, *dials)
    for kind in ("Cash", "GiftCard"):
        amount = {"Currency": "GBP", "GrossValue": 1}
        status, answer = desk.ask("payments/addExternal", AccountId=ACCOUNT, Amount=amount, Type=kind)
        assert status == (403 if kind in refused else 200), answer
    assert len(desk.sandbox.payments) == 2 - len(refused)


def test_requests_are_numbered_through():
    """A replayed request can be named by its number."""
    desk = Desk(None, "reset-before-commit:at=2")
    desk.order()
    desk.raw("orders/add", **json.loads(desk.body()))
    assert [(each.number, each.wire) for each in desk.sandbox.log] == [(1, Wire.SEND), (2, Wire.RESET)]
