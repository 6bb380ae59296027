"""Bad days that once went wrong, each written out: seeds move when the drawing changes, these do not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from fault_schedule import Line, Process, Schedule, Spec
from harness import run_seed

GIFTS = (("gift1", Decimal("5.00"), "GiftCard"), ("pay1", Decimal("0.50"), "Cash"))


def an_order(number: str, amount: str = "12.00", **more) -> Spec:
    """One mug."""
    return Spec(number, 1, (Line("p1", "Mug", 1, Decimal(amount)),), **more)


def a_schedule(seed: int, *orders: Spec, processes: tuple[Process, ...], **more) -> Schedule:
    """A quiet Mews, unless told otherwise."""
    values = {
        "within_bounds": True,
        "settle": 20.0,
        "timeout": 10.0,
        "concurrency": 2,
        "rate": (200, 30.0),
        "lag": 0.0,
        "offset": 0.0,
        "hides": "",
        "latency": 0.01,
        "slow_connects": 0.0,
        "staff_rate": 0.0,
        "strangers": 0,
        "has_lookalike": False,
        "shared_slots": False,
        "orders": tuple((order,) if isinstance(order, Spec) else order for order in orders),
    }
    return Schedule(seed=seed, processes=processes, **{**values, **more})


def violations(schedule: Schedule) -> list[str]:
    return run_seed(schedule.seed, schedule=schedule).violations


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("step", range(1, 4))
def test_an_old_ledger_does_not_pay_twice(step, others):
    """A restored copy knows the order but not its payments: they are noticed, recovered, and not sent again."""
    orders = [an_order("500", payments=GIFTS), *(an_order(str(501 + index)) for index in range(others))]
    for seed in range(4):
        processes = (
            Process(kill=("outcome.recorded", step)),
            Process(pause=5.0),
            Process(pause=60.0, before="restore"),
        )
        assert violations(a_schedule(seed, *orders, processes=processes)) == []


def test_a_recovered_order_counts_as_it_is_in_mews():
    """The ledger was lost and the export changed meanwhile: sums are those that Mews holds, credits taken off."""
    first = an_order("500", payments=GIFTS)
    second = replace(first, version=2, lines=(replace(first.lines[0], unit=Decimal("13.00")),))
    processes = (Process(), Process(pause=60.0, before="lose", changes=("500",)))
    assert violations(a_schedule(1, (first, second), an_order("501"), processes=processes)) == []


def test_what_the_last_look_finds_lets_its_payments_go_in_order():
    """A given-up order that lands beyond the bounds is found by the last look of a run; its payment is awaited."""
    for seconds in (294.5, 295.0, 295.5, 296.0):
        faults = (f"delayed-commit:1.0:seconds={seconds}:answer=500:on=orders/add",)
        order, storm = an_order("500", payments=GIFTS[:1]), (Process(faults=faults),)
        assert violations(a_schedule(1, order, processes=storm, within_bounds=False, settle=60.0, latency=1.4)) == []


def test_a_cut_second_does_not_shorten_the_wait():
    """Mews tells whole seconds: a commit at the bound, read with all the lag allowed, is not taken for absent."""
    late = "delayed-commit:1.0:seconds=5.98:answer=reset:on=orders/add:at=1"
    processes = (
        Process(pause=0.0, limit=1),
        # The last byte leaves late in a second, and the next process begins early in one.
        Process(pause=0.85, faults=(late,), no_wait=True),
        Process(pause=0.05),
    )
    schedule = a_schedule(1, an_order("500"), an_order("501"), processes=processes, settle=6.0, lag=2.99, latency=0.0)
    assert violations(schedule) == []


@pytest.mark.parametrize(
    ("seed", "requests", "count", "settle"),
    [(41, 30, 20, 0.6), (131, 26, 20, 6.0), (143, 17, 10, 0.6), (144, 34, 10, 2)],
)
def test_a_look_under_way_ends_with_the_run(seed, requests, count, settle):
    """Once a worker met a 401, a look at Mews that is under way asks for nothing more."""
    storm = Process(faults=("reset-before-commit:0.3:on=orders/add",), revoke_after=requests)
    orders = [an_order(str(500 + index)) for index in range(count)]
    schedule = a_schedule(seed, *orders, processes=(storm,), settle=settle, rate=(6, 2.0), latency=0.039)
    assert violations(schedule) == []


def test_slots_of_before_a_sleep_do_not_go_beside_those_of_after_it():
    """The machine sleeps for 8 s while a commit is under way; a slot granted before it is used after it (seed 700083)."""
    orders = [an_order(str(number)) for number in range(500, 512)]
    for at in range(20, 60, 4):
        schedule = a_schedule(at, *orders, processes=(Process(freeze=(at, 8.0)),), rate=(6, 2.0), shared_slots=True)
        assert violations(replace(schedule, concurrency=5, timeout=100.0)) == []


def test_what_was_unknown_and_goes_in_another_version_counts_as_sent():
    """The export changed while nobody knew of an order: proved absent and sent anew, it counts with what was sent."""
    first = an_order("501")
    second = replace(first, version=2, lines=(replace(first.lines[0], unit=Decimal("13.00")),))
    processes = (
        Process(limit=1),
        Process(faults=("reset-before-commit:1.0:on=orders/add",), no_wait=True),
        # The second look, with which the next run begins, proves the absence.
        Process(pause=60.0, no_wait=True),
        Process(pause=60.0, changes=("501",)),
    )
    assert violations(a_schedule(1, an_order("500"), (first, second), processes=processes)) == []


def test_a_first_order_half_read_back_is_no_verdict():
    """Stopped while the first order was read back: interrupted, not a first order that Mews does not return."""
    processes = (Process(stop_at=1.5), Process(revoke_after=5))
    schedule = a_schedule(1, an_order("500"), an_order("501"), processes=processes, settle=20.0, lag=9.9)
    verdict = run_seed(1, schedule=schedule)
    assert verdict.violations == []
    assert not any("run.first_order" in line for line in verdict.log)


def test_orders_of_several_kinds_do_not_go_before_the_first_look():
    """All that a fresh copy of the ledger has to send waits for its kinds: it looks at Mews before it tries them."""
    processes = (Process(kill=("run.begun", 1)), Process(), Process(pause=4000.0, before="restore"))
    for seed in range(4):
        assert violations(a_schedule(seed, an_order("500", payments=GIFTS), processes=processes)) == []


def test_copies_of_an_order_in_doubt_are_told_as_another_ledgers():
    """Both copies of a ledger post the order, one without an answer: its look finds two, and it sent one."""
    slow = Process(faults=("slow:1.0:seconds=13.0:on=orders/add:at=1",), twin=Process(pause=0.0))
    schedule = a_schedule(1, an_order("500"), processes=(slow,), shared_slots=True)
    verdict = run_seed(1, schedule=schedule)
    assert verdict.violations == []
    assert verdict.duplicates == 1


def test_a_kind_is_held_while_the_first_order_is_in_doubt():
    """Returns that waited for one in doubt are not sent on once three were refused, checked first order or not."""
    returns = [an_order(str(700 + index), amount="-5.00") for index in range(5)]
    processes = (Process(kill=("intent.recorded", 1)), Process())
    assert violations(a_schedule(1, *returns, processes=processes, refuses="rebates")) == []
