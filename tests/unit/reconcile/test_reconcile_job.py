"""The whole reconciliation against a ledger on disk and a Mews that tests change."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from reconcile_fakes import NOW, SENT, House, a_payment, a_plan, an_entry, payment_row, rows_of

from etl.errors import MewsError
from etl.ledger.records import ORDER_PART, dumps
from etl.model.mapping import ControlRow, Waiver
from etl.model.outcome import Kind
from etl.model.plan import PlannedOrder, Verdict
from etl.model.rows import PaymentRow
from etl.pipeline.reconcile import Sizes

D = Decimal
ZEROS = {"matched": 0, "missing": 0, "different": 0, "duplicated": 0, "unexpected": 0}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.close()


def test_everything_as_sent_is_matched(house: House) -> None:
    """The good case: exit code 0, no difference, equal sums."""
    house.post(a_plan("1"), a_plan("2", an_entry("p1", "12.00", 2, "4.00")), a_plan("10"))
    done = house.reconcile()
    assert done.exit_code == 0
    assert done.document["orders"] == {**ZEROS, "matched": 3}
    assert done.document["differences"] == []
    assert [row["difference"]["gross"] for row in done.document["totals"]] == ["0.00"]
    assert done.document["totals"][0]["ledger"] == {"net": "40.00", "tax": "8.00", "gross": "48.00"}
    assert done.document["certificate"]["plans"] == ["sha256:plan"]
    assert done.document["certificate"]["is_clean"] is True


def test_an_empty_ledger_is_not_complete(house: House) -> None:
    """Nothing was read, so nothing can be certified."""
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]) == (3, ZEROS)
    assert done.document["open"] == ["nothing was read yet"]
    assert done.document["bridge"] == []


def test_every_order_is_in_exactly_one_class(house: House) -> None:
    """All five classes side by side, counted once each."""
    orders = [a_plan(str(number)) for number in range(1, 6)]
    house.post(*orders)
    house.mews.remove("o-2")
    house.mews.change("o-3", gross=D("13.00"))
    house.mews.copy("o-4", "o-4-again")
    house.mews.items += rows_of(a_plan("99"), "o-99")
    house.mews.items += [replace(row, external_identifier="", notes="bar") for row in rows_of(a_plan("98"), "o-bar")]
    done = house.reconcile()
    assert done.exit_code == 3
    assert done.document["orders"] == {"matched": 2, "missing": 1, "different": 1, "duplicated": 1, "unexpected": 1}
    assert done.document["foreign_orders"] == 1
    rows = {row["order"]: row for row in done.document["differences"]}
    assert {number: row["class"] for number, row in rows.items()} == {
        "2": "missing",
        "3": "different",
        "4": "duplicated",
        "99": "unexpected",
    }
    assert (rows["3"]["expected"], rows["3"]["found"]) == ("12.00 GBP", "13.00 GBP")
    assert "o-4" in rows["4"]["expected"]
    assert "o-4-again" in rows["4"]["found"]
    assert rows["99"]["mews_order_id"] == "o-99"
    # Five orders of 12.00 in the ledger; Mews lacks one, has one a pound dearer, one twice and one more.
    sums = done.document["certificate"]["sums"][0]
    assert (sums["ledger"]["gross"], sums["mews"]["gross"]) == ("60.00", "73.00")


def test_a_marker_alone_is_enough_to_be_unexpected(house: House) -> None:
    """An older API returns no identifier; a lost ledger must be noticed all the same."""
    house.post(a_plan("1"))
    house.mews.items += [replace(row, external_identifier="") for row in rows_of(a_plan("99"), "o-99")]
    assert house.reconcile().document["orders"]["unexpected"] == 1


def test_other_stores_are_other_people(house: House) -> None:
    """Another shop's orders on the same service are counted, never judged."""
    house.post(a_plan("1"))
    house.mews.items += [
        replace(row, external_identifier="centra:other:1:p1", notes="[centra:other:1]")
        for row in rows_of(a_plan("1"), "o-other")
    ]
    done = house.reconcile()
    assert (done.exit_code, done.document["foreign_orders"]) == (0, 1)


def test_an_order_held_as_unsent_is_unexpected(house: House) -> None:
    """What the ledger calls rejected must not stand in Mews unnoticed."""
    house.post(a_plan("1"))
    house.send(a_plan("2"), Kind.REFUSED)
    house.mews.items += rows_of(a_plan("2"), "o-late")
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "matched": 1, "unexpected": 1}
    assert "rejected" in done.document["differences"][0]["expected"]


def test_orders_in_flight_are_told_and_not_judged(house: House) -> None:
    """Reconcile may run beside a run: what is on its way is neither unexpected nor a fault."""
    house.post(a_plan("1"))
    house.send(a_plan("2"), Kind.STOP)
    house.mews.items += rows_of(a_plan("2"), "o-2")
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]) == (3, {**ZEROS, "matched": 1})
    assert done.document["unsettled"]["in_flight"] == 1
    assert done.document["unsettled"]["seen_in_mews"] == 1
    assert done.document["differences"] == []
    assert [(row["state"], row["orders"]) for row in done.document["not_in_mews"]] == [("unknown", 1)]


def test_unknown_orders_need_attention(house: House) -> None:
    """Nobody knows whether Mews took it: that is not in order, whatever the scan sees."""
    house.post(a_plan("1"))
    house.send(a_plan("2"), Kind.UNKNOWN)
    done = house.reconcile()
    assert (done.exit_code, done.document["unsettled"]["unknown"]) == (3, 1)
    assert done.document["orders"] == {**ZEROS, "matched": 1}


def test_what_is_posted_while_the_scan_runs_is_not_unexpected(house: House) -> None:
    """The ledger is asked again after the scan: a run that goes on raises no false alarm."""
    house.post(a_plan("1"))
    house.mews.on_scan = lambda: house.post(a_plan("2")) and setattr(house.mews, "on_scan", lambda: None)
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]) == (3, {**ZEROS, "matched": 1})
    assert done.document["posted_meanwhile"] == 1
    assert "while this looked" in done.document["open"][0]


def test_lagging_reads_are_waited_for(house: House) -> None:
    """An order sent a moment ago may not be readable yet; it is not missing."""
    house.post(a_plan("1"), a_plan("2"), sent_at=NOW - timedelta(seconds=2))
    house.mews.lag = 30.0
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]["matched"]) == (0, 2)
    assert house.slept == [pytest.approx(88.0, abs=0.01)]


def test_the_wait_counts_from_the_latest_that_mews_can_have_committed(house: House) -> None:
    """Mews's clock shows whole seconds: the time of the intent is early by up to one, the time of the answer is not."""
    house.post(a_plan("1"), sent_at=NOW - timedelta(seconds=2), ended_at=NOW - timedelta(seconds=0.5))
    house.mews.lag = 30.0
    assert house.reconcile().document["orders"]["matched"] == 1
    assert house.slept == [pytest.approx(89.5, abs=0.01)]


def test_missing_orders_of_long_ago_are_not_waited_for(house: House) -> None:
    """Nobody waits where waiting can't help."""
    house.post(a_plan("1"), a_plan("2"))
    house.mews.remove("o-2")
    assert house.reconcile().document["orders"]["missing"] == 1
    assert house.slept == []


def test_an_order_under_another_order_id_is_no_duplicate(house: House) -> None:
    """It stands in Mews once: other id, same money."""
    house.post(a_plan("1"))
    house.mews.change("o-1", order_id="o-moved")
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "different": 1}
    row = done.document["differences"][0]
    assert (row["expected"], "o-moved" in row["found"]) == ("OrderId o-1", True)
    sums = done.document["certificate"]["sums"][0]
    assert sums["ledger"] == sums["mews"]


def test_a_cancelled_copy_charges_nobody(house: House) -> None:
    """A duplicate that was undone is told, and is no duplicate any more."""
    house.post(a_plan("1"))
    house.mews.copy("o-1", "o-copy", canceled=SENT, state="Canceled")
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]["matched"]) == (0, 1)
    assert "o-copy" in done.document["notices"][0]["found"]


def test_a_reversed_copy_charges_nobody(house: House) -> None:
    """The exact opposite of a copy explains it; half of it does not."""
    order = a_plan("1", an_entry("p1"), an_entry("p2"))
    house.post(order)
    house.mews.copy("o-1", "o-copy")
    house.mews.items += rows_of(order, "o-undo", undo=True)
    assert house.reconcile().exit_code == 0
    house.mews.items.pop()
    assert house.reconcile().document["orders"]["duplicated"] == 1


def test_undo_entries_never_prove_presence(house: House) -> None:
    """An order of which only the reversal is left is missing."""
    order = a_plan("1")
    house.post(order)
    house.mews.remove("o-1")
    house.mews.items += rows_of(order, "o-undo", undo=True)
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "missing": 1}


def test_a_reversal_that_the_ledger_does_not_know_is_different(house: House) -> None:
    """A posted order that somebody reversed charges nobody: the ledger is wrong."""
    order = a_plan("1")
    house.post(order)
    house.mews.items += rows_of(order, "o-undo", undo=True)
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "different": 1}
    assert done.document["certificate"]["sums"][0]["mews"]["gross"] == "0.00"


def test_undone_orders_must_come_to_nothing(house: House) -> None:
    """Undone means that no money stands; what was not reversed is told."""
    order = a_plan("1")
    house.post(order, a_plan("2"))
    with house.ledger.steps(["1"]) as steps:
        steps.undo("1", 1, ORDER_PART)
    wrong = house.reconcile()
    assert wrong.document["orders"] == {**ZEROS, "matched": 1, "different": 1}
    house.mews.items += rows_of(order, "o-undo", undo=True)
    assert house.reconcile().document["orders"] == {**ZEROS, "matched": 1}


@pytest.mark.parametrize("is_known", [True, False])
def test_what_reversed_an_order_counts_where_no_mark_of_it_comes_back(house: House, is_known: bool) -> None:
    """Marks came back of the order, and none any more of its reversal: the ledger's ids tell whose it is."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order, a_plan("2"))
    back = replace(house.mews.paid[0], id="m-back", external_identifier="", notes="")
    house.mews.paid += [replace(back, net=-back.net, gross=-back.gross)]
    opposite = rows_of(order, "o-undo", undo=True)
    house.mews.items += [replace(row, external_identifier="", notes="") for row in opposite]
    with house.ledger.steps(["1"]) as steps:
        for name, mews_id, target in (("undo:order", "o-undo", "o-1"), ("undo:gift1", "m-back", "m-1-gift1")):
            if is_known:
                steps.see_undo("1", 1, name, mews_id=mews_id, target=target, run_id="undo-1")
        steps.undo_all("1", 1)
    found = {**ZEROS, "matched": 1} if is_known else {**ZEROS, "matched": 1, "different": 1}
    assert house.reconcile().document["orders"] == found


def test_a_payment_and_what_pays_it_back_count_together_where_no_mark_of_them_comes_back(house: House) -> None:
    """Neither is met by the scan: a reversal read by its id without what it reverses would seem money of the guest."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order, a_plan("2"))
    back = replace(house.mews.paid[0], id="m-back")
    both = (house.mews.paid[0], replace(back, net=-back.net, gross=-back.gross))
    house.mews.paid = [replace(one, external_identifier="", notes="") for one in both]
    house.mews.items += rows_of(order, "o-undo", undo=True)
    with house.ledger.steps(["1"]) as steps:
        steps.see_undo("1", 1, "undo:order", mews_id="o-undo", target="o-1", run_id="undo-1")
        steps.see_undo("1", 1, "undo:gift1", mews_id="m-back", target="m-1-gift1", run_id="undo-1")
        steps.undo_all("1", 1)
    assert house.reconcile().document["orders"] == {**ZEROS, "matched": 1}


@pytest.mark.parametrize("is_undone", [True, False])
def test_payments_of_a_recovered_ledger_are_scanned_for(house: House, is_undone: bool) -> None:
    """No attempt tells when the first was sent: paid back, they come to nothing; booked twice, they are told."""
    order = a_plan("1", payments=(a_payment(),))
    house.mews.items += rows_of(order, "o-1")
    house.mews.paid += [payment_row(order, order.payments[0], "m-1")]
    facts = {"currency": "GBP", "basis": "gross", "planned_total": "10.00", "account_id": order.account_id}
    with house.ledger.steps(["1"]) as steps:
        steps.recover(
            "1",
            1,
            mews_order_id="o-1",
            observed="",
            payments=[("gift1", "m-1")],
            differences=[],
            run_id="recovered",
            facts=facts,
        )
        if is_undone:
            steps.see_undo("1", 1, "undo:order", mews_id="o-undo", target="o-1", run_id="recovered")
            steps.see_undo("1", 1, "undo:gift1", mews_id="m-back", target="m-1", run_id="recovered")
            steps.undo_all("1", 1)
    if is_undone:
        house.mews.items += rows_of(order, "o-undo", undo=True)
        house.mews.paid += [a_pay_back(order, "m-back")]
        assert house.reconcile().document["orders"] == ZEROS
    else:
        house.mews.paid += [payment_row(order, order.payments[0], "m-twice")]
        assert house.reconcile().document["orders"] == {**ZEROS, "duplicated": 1}


@pytest.mark.parametrize("sign", [1, -1], ids=["received is negative", "received is positive"])
def test_payments_in_mews_are_what_stands_there(house: House, sign: int) -> None:
    """A copy adds, a reversal takes away, whether the ledger knows them or not, as it is with items."""
    orders = [a_plan(number, payments=(a_payment("pay1", "7.00", "Card"),)) for number in "1234"]
    house.post(*orders)
    one = orders[0].payments[0]
    house.mews.paid += [payment_row(orders[0], one, "m-again"), payment_row(a_plan("9"), one, "m-9")]
    house.mews.paid += [a_pay_back(orders[1], "m-back")]
    with house.ledger.steps(["3"]) as steps:
        steps.undo_all("3", 1)
    house.mews.items += rows_of(orders[2], "o-undo", undo=True)
    house.mews.paid += [a_pay_back(orders[2], "m-back-3")]
    house.mews.paid = [replace(one, net=sign * one.net, gross=sign * one.gross) for one in house.mews.paid]
    held = house.reconcile().document["payments"]
    # Twice of the first, none of the second and third, one of the fourth, one that the ledger never sent.
    assert held == [{"currency": "GBP", "kind": "captures", "amount": "28.00"}]


def test_generations_do_not_mix(house: House) -> None:
    """An order undone and posted again is in Mews once, under its second name."""
    order = a_plan("1")
    house.post(order)
    with house.ledger.steps(["1"]) as steps:
        steps.undo("1", 1, ORDER_PART)
    with house.ledger.steps(["1"]) as steps:
        steps.regenerate("1")
    house.mews.change("o-1", canceled=SENT, state="Canceled")
    house.send(order, generation=2)
    house.mews.items += rows_of(order, "o-1-2", generation=2)
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]) == (0, {**ZEROS, "matched": 1})


def test_payments_are_read_back_and_found_twice(house: House) -> None:
    """A gift card booked twice is money given away."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order)
    assert house.reconcile().document["orders"]["matched"] == 1
    house.mews.paid.append(payment_row(order, order.payments[0], "m-again"))
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "duplicated": 1}
    assert "m-again" in done.document["differences"][0]["found"]


@pytest.mark.parametrize(
    ("ids", "counts"),
    [((), {"different": 1}), (("m-back",), {}), (("m-back", "m-twice"), {"different": 1})],
    ids=["never", "once", "twice"],
)
def test_the_payments_of_an_undone_order_must_come_to_nothing(house: House, ids: tuple, counts: dict) -> None:
    """Not paid back, a guest keeps a credit; paid back twice, it is taken from them: both are told."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order)
    with house.ledger.steps(["1"]) as steps:
        steps.undo_all("1", 1)
    house.mews.change("o-1", canceled=SENT, state="Canceled")
    house.mews.paid += [a_pay_back(order, one) for one in ids]
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, **counts}
    told = " ".join(one["found"] for one in done.document["differences"])
    assert all(one in told for one in ids) is (ids != ("m-back",))


def test_an_order_reversed_twice_is_different(house: House) -> None:
    """Two copies of the ledger posted its opposite: the money that went out too much is told, with its sign."""
    order = a_plan("1")
    house.post(order)
    with house.ledger.steps(["1"]) as steps:
        steps.undo_all("1", 1)
    (row,) = house.mews.items
    money = {name: -getattr(row, name) for name in ("gross", "net", "unit_gross", "unit_net")}
    for one in ("first", "second"):
        identifier = row.external_identifier.replace(":1:", ":1:undo:")
        house.mews.items.append(replace(row, id=one, order_id=one, external_identifier=identifier, notes="", **money))
    done = house.reconcile()
    assert done.document["orders"] == {**ZEROS, "different": 1}
    assert f"-{row.gross}" in done.document["differences"][0]["found"]


def test_a_payment_paid_back_by_somebody_else_is_different(house: House) -> None:
    """The ledger holds order and payment as posted; what paid it back is none of its doing."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order)
    house.mews.paid.append(a_pay_back(order, "m-back"))
    assert house.reconcile().document["orders"] == {**ZEROS, "different": 1}


def a_pay_back(order: PlannedOrder, payment_id: str) -> PaymentRow:
    row = payment_row(order, order.payments[0], payment_id)
    part = order.payments[0].part
    identifier, notes = row.external_identifier.replace(f":{part}", f":undo:{part}"), row.notes.replace("]", ":undo]")
    return replace(row, external_identifier=identifier, notes=notes, gross=-row.gross, net=-row.net)


def test_a_payment_that_the_ledger_never_sent_is_unexpected(house: House) -> None:
    """Money on a guest's account under our name, of which the ledger knows nothing."""
    order = a_plan("1", payments=(a_payment(),))
    house.post(order)
    house.mews.paid.append(payment_row(order, a_payment("pay1", "10.00", "Cash"), "m-9"))
    assert house.reconcile().document["orders"] == {**ZEROS, "unexpected": 1}


def test_one_id_that_mews_refuses_costs_no_other_order(house: House) -> None:
    """Mews may refuse a whole request for one id that it does not know."""
    house.post(*(a_plan(str(number)) for number in range(1, 9)))
    house.mews.remove("o-5")
    house.mews.refuses = {"o-5"}
    assert house.reconcile().document["orders"] == {**ZEROS, "matched": 7, "missing": 1}


def test_refusals_without_end_stop_the_job(house: House) -> None:
    """A Mews that refuses everything must not make every order look missing."""
    house.post(*(a_plan(str(number)) for number in range(1, 61)))
    house.mews.refuses = {f"o-{number}" for number in range(1, 61)}
    with pytest.raises(MewsError):
        house.reconcile()


def test_the_scan_starts_before_the_first_attempt(house: House) -> None:
    """All of a shared service would be read for nothing; less would miss our own."""
    house.post(a_plan("1"), sent_at=SENT)
    house.reconcile()
    starts = [asked[1][0] for asked in house.mews.asked if asked[0] == "scan"]
    assert starts == [SENT - timedelta(hours=1)]


def test_what_was_recovered_is_scanned_for_from_the_beginning(house: House) -> None:
    """Nobody knows when a recovered order was sent."""
    order = a_plan("7")
    rows = rows_of(order, "o-7")
    items = [
        {
            "identifier": row.external_identifier,
            "count": 1,
            "net": row.net,
            "gross": row.gross,
            "codes": ["UK-20%"],
            "currency": "GBP",
        }
        for row in rows
    ]
    with house.ledger.steps(["7"]) as steps:
        steps.recover(
            "7",
            1,
            mews_order_id="o-7",
            observed=dumps({"account": order.account_id, "consumed": "2011-06-15T11:00:00Z", "items": items}),
            payments=[],
            differences=[],
            run_id="recovered",
            facts={"currency": "GBP", "basis": "gross", "planned_total": "12.00", "account_id": order.account_id},
        )
    house.mews.items += rows
    done = house.reconcile()
    assert (done.exit_code, done.document["orders"]["matched"]) == (3, 1)
    assert ("scan", None) in house.mews.asked
    house.mews.change("o-7", gross=D("11.00"))
    assert house.reconcile().document["orders"]["different"] == 1


def test_controls_are_compared_with_ledger_and_mews(house: House) -> None:
    """The shop's own figures prove what neither export nor ledger can."""
    house.post(a_plan("1"), a_plan("2"))
    house.plan(a_plan("3", verdict=Verdict.BLOCKED, planned_total=D(0)))
    row = ControlRow("2011-06", "GBP", 3, D("36.00"), D("6.00"))
    house.mapping = replace(house.mapping, controls=(row,))
    done = house.reconcile()
    found = {one["figure"]: one for one in done.document["controls"]}
    assert done.exit_code == 3
    assert (found["orders"]["ledger"], found["orders"]["mews"], found["orders"]["equal"]) == ("3", "2", False)
    assert (found["total"]["ledger"], found["total"]["mews"]) == ("36.00", "24.00")
    house.mapping = replace(house.mapping, controls=(replace(row, orders=None, total=None, tax=D("6.00")),))
    assert house.reconcile().exit_code == 3


def test_controls_that_agree_are_clean(house: House) -> None:
    """Gift cards lower what the customer paid and not what was sold: both must foot to orderTotal."""
    house.post(a_plan("1"), a_plan("2", payments=(a_payment(),)))
    row = ControlRow("2011-06", "GBP", 2, D("22.00"), D("4.00"))
    house.mapping = replace(house.mapping, controls=(row,))
    done = house.reconcile()
    assert [one["difference"] for one in done.document["controls"]] == ["", "", ""]
    assert done.exit_code == 0


def test_large_ledgers_go_in_batches(house: House) -> None:
    """Neither a request nor the memory may grow with the ledger."""
    house.post(*(a_plan(str(number)) for number in range(1, 41)))
    house.mews.remove("o-33")
    house.mews.copy("o-12", "o-x")
    done = house.reconcile(sizes=Sizes(ids=7, chunk=5))
    assert done.document["orders"] == {**ZEROS, "matched": 38, "missing": 1, "duplicated": 1}
    assert max(len(asked[1]) for asked in house.mews.asked if asked[0] == "orders") == 7


def test_the_report_holds_every_order_and_the_certificate(house: House, tmp_path: Path) -> None:
    """What is signed must be complete: every order with both sides, sources, plan, waivers, signature lines."""
    house.post(a_plan("1"), a_plan("2"), a_plan("10"))
    house.mews.change("o-2", gross=D("13.00"))
    house.mews.items += rows_of(a_plan("99"), "o-99")
    house.mapping = replace(house.mapping, waivers=(Waiver("2", "total.mismatch", "a penny", "Ann", "2012-01-01"),))
    folder = tmp_path / "report"
    done = house.reconcile(folder)
    with (folder / "reconciliation.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["order"], row["class"]) for row in rows] == [
        ("1", "matched"),
        ("2", "different"),
        ("10", "matched"),
        ("99", "unexpected"),
    ]
    assert (rows[1]["ledger_gross"], rows[1]["mews_gross"]) == ("12.00", "13.00")
    assert rows[3]["mews_gross"] == "12.00"
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == json.loads(json.dumps(done.document))
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in (
        "Certificate",
        "Prepared by",
        "Reviewed by",
        "sha256:plan",
        "a penny",
        "o-99",
        "Control totals",
        "Web shop",
    ):
        assert words in page
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {"report.html", "reconciliation.csv", "summary.json"} <= {path.name for path in done.report}
    house.reconcile(folder)
