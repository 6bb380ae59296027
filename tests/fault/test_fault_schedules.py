"""Two hundred bad days in the test suite; `make fault SCHEDULES=10000` is the long proof."""

from __future__ import annotations

import pytest
from fault_schedule import BEYOND_EVERY, draw
from harness import run_seed, run_seeds

SCHEDULES = 200
DRAWN = 400
"""Looked at for their kinds: without running them."""
CHUNK = 10


_FIRST = range(0, SCHEDULES // 2, CHUNK)
_MORE = [pytest.param(start, marks=pytest.mark.slow) for start in range(SCHEDULES // 2, SCHEDULES, CHUNK)]


@pytest.mark.parametrize("start", [*_FIRST, *_MORE])
def test_every_order_is_there_once_or_reported(start):
    """Whatever fails: no order twice, none lost, none reported wrongly (design 7.1)."""
    failed = [verdict for verdict in run_seeds(range(start, start + CHUNK)) if verdict.violations]
    assert not failed, failed[0].report()


@pytest.mark.parametrize("seed", [881, 1839, 2394, 2810, 3204, 3924, 5081, 5500, 6041, 6661, 7978, 10391, 11652, 40130])
def test_days_that_once_were_too_bad_stay_mended(seed):
    """What the long proof found: bills alike to the cent, copies told late, an old ledger that was always refused."""
    verdict = run_seed(seed)
    assert not verdict.violations, verdict.report()


def test_a_seed_replays():
    """The same seed gives the same requests at the same moments, so that a failure can be looked at."""
    for seed in (3, 4):
        first, second = run_seed(seed), run_seed(seed)
        assert first.log == second.log
        assert first.virtual_seconds == second.virtual_seconds


def test_schedules_are_of_all_kinds():
    """The days drawn hold every kind of trouble that the guarantee names."""
    schedules = [draw(seed) for seed in range(DRAWN)]
    processes = [process for schedule in schedules for process in schedule.processes]
    specs = [spec for schedule in schedules for versions in schedule.orders for spec in versions]
    faults = {fault.split(":")[0] for process in processes for fault in process.faults}
    assert {"delayed-commit", "429-burst", "truncate", "reset-after-commit", "timeout-before-commit"} <= faults
    assert {process.before for process in processes} == {"", "lose", "restore"}
    assert {process.kill[0] for process in processes if process.kill} >= {"time", "any", "intent.recorded"}
    assert any(process.revoke_after is not None for process in processes)
    assert any(process.no_wait for process in processes)
    assert any(process.stop_at is not None for process in processes)
    assert {spec.fate for spec in specs} == {"ok", "refused", "edge"}
    assert any(spec.parent for spec in specs)
    assert any(spec.payments for spec in specs)
    assert {schedule.hides for schedule in schedules} >= {"", "identifiers", "notes"}
    assert any(schedule.lag for schedule in schedules)
    undos = [schedule for schedule in schedules if any(one.command == "undo" for one in schedule.processes)]
    assert {schedule.refuses for schedule in undos} == {"", "rebates", "GiftCard", "old"}
    assert any(spec.payments for schedule in undos for versions in schedule.orders for spec in versions)
    assert {schedule.allows_from is None for schedule in schedules if schedule.refuses} == {True, False}
    twins = [process for process in processes if process.twin is not None]
    assert len(twins) >= DRAWN // 20
    assert any(process.twin.kill for process in twins)
    pairs = {(process.command, process.twin.command, process.twin.on) for process in twins}
    assert pairs >= {
        ("run", "run", "copy"),
        ("run", "run", "ledger"),
        ("undo", "undo", "copy"),
        ("undo", "undo", "ledger"),
    }
    assert {"undo", "run"} in [{ours, theirs} for ours, theirs, _ in pairs]
    assert {process.twin.takes_over for process in twins if process.twin.on == "ledger"} == {True, False}
    company = [schedule for schedule in schedules if schedule.neighbours]
    assert {schedule.basis for schedule in company} == {"gross", "net"}
    assert {one.service for schedule in company for one in schedule.neighbours} == {0, 1}
    beside = [one for schedule in company for process in schedule.processes for _, one in process.neighbours]
    assert {one.command for one in beside} == {"run", "undo"}
    theirs = [versions[0] for schedule in company for one in schedule.neighbours for versions in one.orders]
    assert any(spec.payments for spec in theirs)
    assert any(spec.email for spec in theirs)
    assert {(schedule.basis, schedule.is_portfolio) for schedule in undos} == {
        (basis, is_portfolio) for basis in ("gross", "net") for is_portfolio in (False, True)
    }
    people = [schedule for schedule in schedules if any(versions[0].email for versions in schedule.orders)]
    assert len(people) >= DRAWN // 20
    assert any(process.kill for schedule in people for process in schedule.processes)
    assert any(one.command == "undo" for schedule in people for one in schedule.processes)
    assert sum(not schedule.within_bounds for schedule in schedules) == DRAWN // BEYOND_EVERY


def test_bills_meet_every_kind_of_trouble():
    """The outlet route has the days of the other one, and what only requests of many bills meet."""
    bills = [schedule for schedule in map(draw, range(DRAWN)) if schedule.is_outlet]
    assert len(bills) >= DRAWN // 4
    processes = [process for schedule in bills for process in schedule.processes]
    faults = {fault.split(":")[0] for process in processes for fault in process.faults}
    assert {"partly-committed", "wrong-bill-ids", "moving-bills", "delayed-commit", "status-408-after"} <= faults
    assert {schedule.keeps for schedule in bills} == {"whole", "partial", "others"}
    assert {schedule.basis for schedule in bills} == {"gross", "net"}
    assert {schedule.refuses for schedule in bills} == {"", "rebates", "old"}
    assert {1, 1000} <= {schedule.bills for schedule in bills}
    assert any(schedule.largest_body for schedule in bills)
    assert any(schedule.lag for schedule in bills)
    assert {schedule.hides for schedule in bills} == {"", "identifiers", "notes", "both"}
    specs = [spec for schedule in bills for versions in schedule.orders for spec in versions]
    assert {part.rstrip("0123456789") for spec in specs for part, _, _ in spec.payments} == {"gift", "pay", "bal"}
    assert any(not spec.payments for spec in specs)
    assert {spec.is_old for spec in specs} == {spec.names_account for spec in specs} == {True, False}
    assert any(spec.email for spec in specs)
    assert any(spec.parent for spec in specs)
    assert {process.before for process in processes} == {"", "lose", "restore"}
    assert {process.command for process in processes} == {"run", "undo"}
    twins = {(one.command, one.twin.command, one.twin.on) for one in processes if one.twin is not None}
    assert twins >= {("run", "run", "copy"), ("run", "run", "ledger"), ("undo", "undo", "copy")}


def test_ledgers_of_several_enterprises_share_a_token():
    """Another enterprise's, on either route, with another price basis, and a store that is named as ours."""
    hosts = [schedule for schedule in map(draw, range(2 * DRAWN)) if schedule.neighbours]
    pairs = [(host, one) for host in hosts for one in host.neighbours]
    assert {one.enterprise for _, one in pairs} == {0, 1}
    far = [(host, one) for host, one in pairs if one.enterprise]
    assert all(host.is_portfolio and one.is_portfolio for host, one in far)
    assert {(host.basis, one.basis) for host, one in far} >= {("gross", "net"), ("gross", "gross")}
    assert any(host.store == one.store for host, one in far)
    assert {(host.is_outlet, one.is_outlet) for host, one in pairs} == {
        (a, b) for a in (True, False) for b in (True, False)
    }
