"""From what the shop sold to what Mews holds: each line from its own orders, the whole exact (design section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reconcile_fakes import House, a_payment, a_plan, an_entry, rows_of

from etl.errors import InternalError
from etl.model.mapping import Waiver
from etl.model.outcome import Kind
from etl.model.plan import Basis, Verdict
from etl.model.problem import Problem
from etl.model.shares import BridgeLine
from etl.reconcile import bridge as bridges

D = Decimal


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.close()


def lines_of(document: dict[str, Any], currency: str = "GBP") -> dict[str, str]:
    """The lines of the bridge that are not zero; they lead to the last one."""
    rows = [row for row in document["bridge"] if row["currency"] == currency]
    always = [line.value for line in BridgeLine if line is not BridgeLine.NOT_READ]
    told = [row["line"] for row in rows if row["line"] != BridgeLine.NOT_READ]
    assert told == always * (len(told) // len(always))
    amounts = {row["line"]: D(row["amount"]) for row in rows}
    *ways, end = amounts
    assert sum(amounts[way] for way in ways) == amounts[end]
    return {line: str(amount) for line, amount in amounts.items() if amount}


def blocked(number: str, total: str | None = "12.00", *codes: str) -> Any:
    problems = tuple(Problem(code, number, message="?") for code in codes or ("tax.unmapped",))
    source = None if total is None else D(total)
    return replace(
        a_plan(number), verdict=Verdict.BLOCKED, entries=(), source_total=source, planned_total=D(0), problems=problems
    )


def skipped(number: str) -> Any:
    return replace(blocked(number), verdict=Verdict.SKIPPED, problems=(), skip_reason="status Cancelled")


def waive(house: House, number: str, code: str) -> None:
    one = Waiver(number, code, "booked by hand", "Ann", "2026-11-01")
    house.mapping = replace(house.mapping, waivers=(*house.mapping.waivers, one))


def test_the_source_is_more_than_what_was_posted(house: House) -> None:
    """Ready, blocked, rejected and skipped orders are told with their money; nothing of it is green."""
    house.post(a_plan("1"))
    house.plan(a_plan("2"), a_plan("3"), blocked("4", "7.00"), skipped("5"))
    house.send(a_plan("6", an_entry(unit="5.00", tax="0.83")), Kind.REFUSED)
    done = house.reconcile()
    document = done.document
    assert (done.exit_code, document["complete"]) == (3, False)
    assert document["orders"]["matched"] == 1
    assert lines_of(document) == {
        "source": "60.00",
        "skipped": "-12.00",
        "blocked": "-7.00",
        "rejected": "-5.00",
        "ready": "-24.00",
        "items in Mews": "12.00",
    }
    assert document["not_in_mews"] == [
        {"state": "blocked", "orders": 1, "currency": "GBP", "basis": "gross", "amount": "7.00"},
        {"state": "rejected", "orders": 1, "currency": "GBP", "basis": "gross", "amount": "5.00"},
        {"state": "ready", "orders": 2, "currency": "GBP", "basis": "gross", "amount": "24.00"},
    ]
    assert "Not complete" in document["certificate"]["statement"]


def test_skipped_orders_leave_it_complete(house: House) -> None:
    """A rule of the mapping says that they are not meant to be there."""
    house.post(a_plan("1"))
    house.plan(skipped("2"))
    done = house.reconcile()
    assert (done.exit_code, done.document["complete"], done.document["not_in_mews"]) == (0, True, [])


def test_credits_lead_from_the_source_to_the_items(house: House) -> None:
    """Two gift cards: the shop sold 20.00 less, Mews holds the whole items and two payments beside them."""
    orders = [a_plan(number, payments=(a_payment("gift1", "2.00"),)) for number in ("1", "2")]
    house.post(*orders)
    document = house.reconcile().document
    assert lines_of(document) == {"source": "20.00", "credits booked as payments": "4.00", "items in Mews": "24.00"}
    assert document["payments"] == [{"currency": "GBP", "kind": "credits", "amount": "4.00"}]
    assert document["complete"] is True


def test_a_refused_credit_is_rejected_with_its_sign(house: House) -> None:
    """12.00 = 32.00 - 20.00: the items stand there, the credit does not."""
    order = a_plan("1", an_entry(unit="32.00", tax="5.33"), payments=(a_payment("gift1", "20.00"),))
    house.plan(order)
    house.send(replace(order, payments=()))
    # The part follows the plan; its attempt was refused.
    with house.ledger.steps(["1"]) as steps:
        steps.adopt("1", (order.fingerprint, ""), ["gift1"])
    payment = order.payments[0]
    house.refuse_payment(order, payment)
    house.mews.items += rows_of(order, "o-1")
    document = house.reconcile().document
    assert lines_of(document) == {"source": "12.00", "rejected": "20.00", "items in Mews": "32.00"}
    assert document["not_in_mews"] == [
        {"state": "rejected", "orders": 1, "currency": "GBP", "basis": "gross", "amount": "-20.00"}
    ]
    assert document["complete"] is False


def test_what_mews_shows_otherwise_has_lines_of_its_own(house: House) -> None:
    """Missing, dearer, twice and unexpected: each where it belongs."""
    house.post(*(a_plan(str(number)) for number in range(1, 5)))
    house.mews.remove("o-2")
    house.mews.change("o-3", gross=D("13.00"))
    house.mews.copy("o-4", "o-4-again")
    house.mews.items += rows_of(a_plan("99"), "o-99")
    house.mews.items += [replace(row, external_identifier="", notes="bar") for row in rows_of(a_plan("98"), "o-bar")]
    document = house.reconcile().document
    assert lines_of(document) == {
        "source": "48.00",
        "booked otherwise by Mews": "1.00",
        "missing": "-12.00",
        "booked twice": "12.00",
        "unexpected": "12.00",
        "items in Mews": "61.00",
    }


def test_what_undo_left_is_told(house: House) -> None:
    """Reversed by its opposite: nothing is left; with half of the opposite there, the rest is told."""
    orders = [a_plan("1"), a_plan("2")]
    house.post(*orders)
    for order in orders:
        with house.ledger.steps([order.number]) as steps:
            steps.undo_all(order.number, 1)
    house.mews.items += rows_of(orders[0], "o-1-undo", undo=True)
    document = house.reconcile().document
    assert lines_of(document) == {
        "source": "24.00",
        "undone": "-24.00",
        "left by undo": "12.00",
        "items in Mews": "12.00",
    }
    assert document["not_in_mews"] == [
        {"state": "undone", "orders": 2, "currency": "GBP", "basis": "gross", "amount": "24.00"}
    ]


def test_the_newest_reading_is_the_source(house: House) -> None:
    """Posted as 12.00, read as 15.00 since: the difference is a line, also for an order that is frozen."""
    house.post(a_plan("1"))
    house.plan(a_plan("1", an_entry(unit="15.00", tax="2.50"), fingerprint="sha256:other"))
    document = house.reconcile().document
    assert lines_of(document) == {"source": "15.00", "changed": "-3.00", "items in Mews": "12.00"}
    assert document["complete"] is False
    waive(house, "1", "changed")
    assert house.reconcile().document["complete"] is True


def test_rounding_is_a_line(house: House) -> None:
    """The order's total was a penny more than Mews can book."""
    house.post(a_plan("1", source_total=D("12.01"), rounding=D("0.01"), rounding_causes=(("source", D("0.01")),)))
    assert lines_of(house.reconcile().document) == {
        "source": "12.01",
        "rounding": "-0.01",
        "items in Mews": "12.00",
    }


@pytest.mark.parametrize("is_there", [True, False])
def test_unknown_orders_are_a_line_unless_mews_shows_them(house: House, is_there: bool) -> None:
    """Nobody knows; what the scan meets is counted as it stands, and still is not complete."""
    house.send(a_plan("1"), Kind.UNKNOWN)
    if is_there:
        house.mews.items += rows_of(a_plan("1"), "o-1")
    done = house.reconcile()
    expected = {"items in Mews": "12.00"} if is_there else {"unknown": "-12.00"}
    assert lines_of(done.document) == {"source": "12.00", **expected}
    assert done.document["complete"] is False


@pytest.mark.parametrize("is_met", [True, False])
def test_what_was_posted_meanwhile_is_a_line_of_its_own(house: House, is_met: bool) -> None:
    """It was not compared, whether the scan met it or came too early: no line says that Mews showed it as it is."""
    house.post(a_plan("1"))

    def post_more() -> None:
        house.mews.on_scan = lambda: None
        house.post(a_plan("2", an_entry("p1", "5.00", 1, "5.00")))
        if not is_met:
            house.mews.remove("o-2")

    house.mews.on_scan = post_more
    done = house.reconcile()
    lines = lines_of(done.document)
    assert lines["not read back"] == f"-{D(lines['source']) - 12}"
    assert lines["items in Mews"] == "12.00"
    assert lines.keys() == {"source", "not read back", "items in Mews"}
    assert [row["line"] for row in done.document["bridge"]].count("unknown") == 1
    assert done.document["posted_meanwhile"] == int(is_met)


def test_names_accept_what_is_left(house: House) -> None:
    """An empty order, a refused one and one that staff changed: accepted by name, each by its own code."""
    house.post(a_plan("1"), a_plan("2"))
    house.plan(blocked("3", "0.00", "order.empty"))
    house.mews.change("o-2", gross=D("13.00"))
    for number, code in (("2", "changed"), ("3", "different")):
        waive(house, number, code)
    assert house.reconcile().document["complete"] is False, "other names than those of the problems"
    for number, code in (("2", "different"), ("3", "order.empty")):
        waive(house, number, code)
    done = house.reconcile()
    assert (done.document["complete"], done.exit_code, done.document["accepted"]) == (True, 0, 2)


def test_unreadable_totals_and_rows_without_number_are_open(house: House) -> None:
    """A count beside the bridge; a person can't accept what nobody can read."""
    house.post(a_plan("1"))
    house.plan(blocked("2", None, "order.empty"))
    waive(house, "2", "order.empty")
    document = house.reconcile().document
    assert (document["complete"], document["source"]["unreadable_totals"]) == (False, 1)
    assert lines_of(document) == {"source": "12.00", "items in Mews": "12.00"}


def test_the_files_of_the_newest_readings_are_named(house: House) -> None:
    """With what they left unassigned, and the dates that they were narrowed to."""
    house.post(a_plan("1"))
    run = replace(
        house.ledger.runs()[0],
        summary={
            "sources": [{"file": "a.csv", "rows": 7}],
            "lines": {"unassigned": 2},
            "narrowed": {"from": "2011-06-01", "to": None},
        },
    )
    house.ledger.save_run(run)
    document = house.reconcile().document
    (file,) = document["source"]["files"]
    assert (file["file"], file["sha256"], file["rows"], file["run_id"]) == ("a.csv", "abc", 7, "run-1")
    assert document["source"]["unassigned"] == 2
    assert "2 rows have no readable order number" in document["open"]
    assert "Only orders dated from 2011-06-01" in document["certificate"]["statement"]
    house.ledger.save_run(replace(run, run_id="run-2", started="", summary={}))
    assert house.reconcile().document["complete"] is True, "the file was read again"


def test_an_order_posted_again_is_counted_once(house: House) -> None:
    """Generation 1 was undone, generation 2 stands."""
    order = a_plan("1")
    house.post(order)
    with house.ledger.steps(["1"]) as steps:
        steps.undo_all("1", 1)
    house.mews.items += rows_of(order, "o-1-undo", undo=True)
    with house.ledger.steps(["1"]) as steps:
        assert steps.regenerate("1") == 2
    house.send(order, generation=2)
    house.mews.items += rows_of(order, "o-1-2", generation=2)
    done = house.reconcile()
    assert lines_of(done.document) == {"source": "12.00", "items in Mews": "12.00"}
    assert done.document["complete"] is True


def test_the_report_says_the_same(house: House, tmp_path: Path) -> None:
    """summary.json, page and tables tell of the whole source, and of the same verdict."""
    import json

    house.post(a_plan("1"))
    house.plan(a_plan("2"), blocked("3"))
    done = house.reconcile(tmp_path / "report")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))
    assert (summary["complete"], summary["bridge"]) == (False, done.document["bridge"])
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert 'class="verdict bad"><strong>Not complete' in page
    orders = (tmp_path / "report" / "orders.csv").read_text("utf-8")
    assert [line.split(",")[:2] for line in orders.splitlines()[1:]] == [
        ["1", "already_posted"],
        ["2", "ready"],
        ["3", "blocked"],
    ]
    waive(house, "3", "tax.unmapped")
    house.post(a_plan("2"))
    done = house.reconcile(tmp_path / "report")
    assert done.document["complete"] is True
    assert 'class="verdict good"><strong>Complete' in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_a_bridge_that_does_not_arrive_fails(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Mews holds is added up by itself: a line that is wrong is noticed."""
    house.post(a_plan("1"))
    monkeypatch.setattr(bridges, "_where_it_went", lambda *_: None)
    with pytest.raises(InternalError, match="leads to"):
        house.reconcile()


def test_what_is_not_there_is_told_by_basis(house: House) -> None:
    """Amounts with tax and without are never one sum."""
    net = replace(blocked("2", "10.00"), basis=Basis.NET)
    house.plan(blocked("1"), net)
    assert house.reconcile().document["not_in_mews"] == [
        {"state": "blocked", "orders": 1, "currency": "GBP", "basis": "gross", "amount": "12.00"},
        {"state": "blocked", "orders": 1, "currency": "GBP", "basis": "net", "amount": "10.00"},
    ]
