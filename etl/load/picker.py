"""What of a stretch of the plan has something to send, and what of that may go. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from etl.ledger.records import LedgerOrder
from etl.ledger.standing import standing
from etl.load.jobs import Chooser, Job, Step, needs_record
from etl.load.kinds import Kinds
from etl.load.people import People
from etl.load.session import Session
from etl.model.plan import PlannedOrder
from etl.model.states import State
from etl.model.status import ReportState


@dataclass(slots=True)
class Picked:
    """`jobs` have something to send; `held_back` too, but of a kind that Mews refused; of the others, `left`, nothing is."""

    jobs: list[Job] = field(default_factory=list)
    held_back: list[Job] = field(default_factory=list)
    left: list[tuple[PlannedOrder, LedgerOrder]] = field(default_factory=list)


def pick_again(session: Session, kinds: Kinds, chooser: Chooser, order: PlannedOrder) -> Job | None:
    """What of an order that was in doubt is to be sent now, if anything. Effects: as `pick`."""
    ledger, number = session.ledger, order.number
    row = ledger.order(number)
    if row is None:
        return None
    if row.plan_run_id != session.facts.run_id or row.state is State.READY:
        ledger.record_plan(session.facts.run_id, [order])
        row = ledger.order(number) or row
    steps: list[Step] = []
    parts = ledger.parts([number]).get(number, [])
    kinds.settle()
    job = replace(chooser, held=kinds.held).job(order, row, parts, steps)
    return None if steps else job


def pick(session: Session, people: People, kinds: Kinds, chooser: Chooser, chunk: Sequence[PlannedOrder]) -> Picked:
    """Effects: the ledger has the plan that would be sent, and the transitions that choosing takes."""
    ledger, facts = session.ledger, session.facts
    numbers = [order.number for order in chunk]
    known = ledger.lookup(numbers)
    orders = people.with_accounts(list(chunk), known)
    fresh = [order for order in orders if needs_record(known.get(order.number), order, facts.run_id)]
    if fresh:
        ledger.record_plan(facts.run_id, fresh)
        known.update(ledger.lookup([order.number for order in fresh]))
    parts = ledger.parts(numbers)
    chooser = replace(chooser, held=kinds.held)
    steps: list[Step] = []
    picked = Picked()
    for order in orders:
        row, own = known[order.number], list[Step]()
        job = chooser.job(order, row, parts.get(order.number, []), own)
        if job is None:
            steps += own
            picked.left.append((order, row))
        elif kinds.holding(job) is None:
            steps += own
            picked.jobs.append(job)
        elif standing(row, order, facts.store, facts.run_id) is ReportState.READY:
            # Also one that was refused and changed since: ready again, it is blocked like the others.
            steps += own
            picked.held_back.append(job)
        else:
            # Refused or undone, it stays what it is: nothing of a held kind is sent.
            picked.left.append((order, row))
    if steps:
        with ledger.steps(numbers) as writing:
            for step in steps:
                step(writing)
        again = [job.order for job in picked.jobs if job.generation > known[job.number].generation]
        ledger.record_plan(facts.run_id, again)
    return picked
