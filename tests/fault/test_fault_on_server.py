"""Bad days of ledgers on a private PostgreSQL; `make fault LEDGER=postgresql` is the long proof."""

from __future__ import annotations

import pytest
from fault_schedule import draw_on_server
from harness import ON_SERVER, run_seed

DRAWN = 400
SHARED = (0, 2, 13, 15, 22, 37)
"""Runs of one plan share the ledger; some are killed alone, cut off, or lose their lease."""
SHARED_BILLS = (3, 7, 10, 32, 40, 1356)
"""The same on the outlet route: requests of many orders. In 1356 each run has what the other waits for."""
SHARED_PEOPLE = (8, 207, 305, 11, 61, 190)
"""Runs that share a ledger make the customers whom they charge, the last three on the outlet route; some are killed alone,
cut off, or lose their lease."""
ALONE = (4, 6, 108, 109)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*SHARED, *SHARED_BILLS, *SHARED_PEOPLE, *ALONE])
def test_every_order_is_there_once_or_reported(postgres, seed):
    """Whatever fails, the server included: no order twice, none lost, none reported wrongly (design 7.1 and 10)."""
    del postgres
    verdict = run_seed(seed, ON_SERVER)
    assert not verdict.violations, verdict.report()


@pytest.mark.slow
def test_a_seed_replays(postgres):
    """The server's clock is the schedule's, so that leases end in the same moments."""
    del postgres
    first, second = run_seed(SHARED[0], ON_SERVER), run_seed(SHARED[0], ON_SERVER)
    assert first.virtual_seconds == second.virtual_seconds
    assert [line for line in first.log if " -> " in line] == [line for line in second.log if " -> " in line]


def test_servers_meet_every_kind_of_trouble():
    """Connections break and commits are not heard of, in runs and undos; runs share a ledger and end in all ways."""
    schedules = [draw_on_server(seed) for seed in range(DRAWN)]
    processes = [process for schedule in schedules for process in schedule.processes]
    assert {process.command for process in processes if process.cut} == {"run", "undo"}
    assert {process.command for process in processes if process.unheard} == {"run", "undo"}
    shared = [schedule for schedule in schedules if schedule.is_shared]
    assert len(shared) >= DRAWN // 10
    pairs = [one for schedule in shared for one in schedule.processes if one.twin is not None]
    twins = [one.twin for one in pairs if one.twin.on == "shared"]
    assert {bool(twin.kill) for twin in twins} == {bool(twin.stop_at) for twin in twins} == {True, False}
    assert any(twin.is_stuck for twin in twins)
    assert any(twin.cut or twin.unheard for twin in twins)
    specs = [spec for schedule in shared for versions in schedule.orders for spec in versions]
    assert any(spec.parent for spec in specs)
    assert any(spec.payments for spec in specs)
    assert {schedule.refuses for schedule in shared} == {"", "rebates", "GiftCard", "old"}
    makers = [schedule for schedule in shared if schedule.makes_people]
    assert len(makers) >= DRAWN // 20
    assert {schedule.is_outlet for schedule in makers} == {True, False}
    twins = [one.twin for schedule in makers for one in schedule.processes if one.twin is not None]
    assert {bool(twin.kill) for twin in twins} == {twin.is_stuck for twin in twins} == {True, False}
    assert {schedule.is_outlet for schedule in shared} == {True, False}
    bills = [schedule for schedule in shared if schedule.is_outlet]
    assert {schedule.keeps for schedule in bills} == {"whole", "partial", "others"}
