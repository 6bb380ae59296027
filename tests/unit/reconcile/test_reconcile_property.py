"""Whatever happens to orders in Mews: every order in one class, and no penny of Mews's side left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reconcile_fakes import SENT, HeldMews, House, a_plan, an_entry, rows_of

POSTED = {
    str(number): a_plan(
        str(number), an_entry("p1", "12.00", number, f"{2 * number}.00"), an_entry("s1", "6.00", 1, "1.00")
    )
    for number in range(1, 6)
}
UNKNOWN_TO_LEDGER = a_plan("90", an_entry("p1", "3.00", 1, "0.50"))
LATER = SENT + timedelta(days=1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    one = House(tmp_path_factory.mktemp("ledger"))
    one.post(*POSTED.values())
    yield one
    one.close()


def change(mews: HeldMews, number: str, how: str, at: int) -> None:
    """One thing that happens to an order in Mews; `at` makes new ids unique."""
    order_id = f"o-{number}"
    match how:
        case "remove":
            mews.remove(order_id)
        case "cancel":
            mews.change(order_id, canceled=LATER, state="Canceled")
        case "cancel one":
            first = next((i for i, row in enumerate(mews.items) if row.order_id == order_id), None)
            if first is not None:
                mews.items[first] = replace(mews.items[first], canceled=LATER, state="Canceled")
        case "copy":
            mews.copy(order_id, f"{order_id}-copy-{at}")
        case "cancelled copy":
            mews.copy(order_id, f"{order_id}-dead-{at}", canceled=LATER, state="Canceled")
        case "reverse":
            mews.items += rows_of(POSTED[number], f"{order_id}-undo-{at}", undo=True)
        case "reprice":
            mews.change(order_id, gross=Decimal("7.77"), net=Decimal("7.00"))
        case "extra":
            rows = [row for row in mews.items if row.order_id == order_id][:1]
            more = {"external_identifier": "", "gross": Decimal("-1.20"), "net": Decimal("-1.00")}
            mews.items += [replace(row, id=f"{row.id}-extra-{at}", **more) for row in rows]
        case "move":
            mews.change(order_id, account_id="ac-other")
        case "forget identifiers":
            mews.change(order_id, external_identifier="")
        case "unexpected":
            mews.items += rows_of(UNKNOWN_TO_LEDGER, f"o-90-{at}")
        case "stranger":
            for row in rows_of(UNKNOWN_TO_LEDGER, f"o-x-{at}"):
                mews.items.append(replace(row, external_identifier="till:1", notes="bar"))


HOW = [
    "remove",
    "cancel",
    "cancel one",
    "copy",
    "cancelled copy",
    "reverse",
    "reprice",
    "extra",
    "move",
    "forget identifiers",
    "unexpected",
    "stranger",
]
HARMLESS = {"cancelled copy", "forget identifiers", "stranger"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(sorted(POSTED)), st.sampled_from(HOW)), max_size=6))
def test_classes_and_sums_are_complete(house: House, changes: list[tuple[str, str]]) -> None:
    """Counts add up to the ledger's orders, Mews's sum is what really stands there, and nothing harmful is clean."""
    house.mews = HeldMews(row for order in POSTED.values() for row in rows_of(order, f"o-{order.number}"))
    for at, (number, how) in enumerate(changes):
        change(house.mews, number, how, at)
    done = house.reconcile()
    counts = done.document["orders"]
    has_unexpected = any(how == "unexpected" for _, how in changes)
    assert counts["unexpected"] == has_unexpected
    assert sum(counts.values()) == len(POSTED) + has_unexpected
    standing = sum(
        (row.gross for row in house.mews.items if not row.is_canceled and row.notes.startswith("[centra:shop:")),
        Decimal(0),
    )
    sums = done.document["certificate"]["sums"]
    assert sum(Decimal(row["mews"]["gross"]) for row in sums) == standing
    assert sum(Decimal(row["ledger"]["gross"]) for row in sums) == sum(
        entry.predicted.gross for order in POSTED.values() for entry in order.entries
    )
    assert sum(Decimal(row["difference"]["gross"]) for row in done.document["totals"]) == standing - sum(
        Decimal(row["ledger"]["gross"]) for row in sums
    )
    assert (done.exit_code == 0) == (counts["matched"] == len(POSTED) and not has_unexpected)
    if not {how for _, how in changes} - HARMLESS:
        assert done.exit_code == 0
    if standing != sum(Decimal(row["ledger"]["gross"]) for row in sums):
        assert done.exit_code == 3
