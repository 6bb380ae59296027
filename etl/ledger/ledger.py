"""The ledger: the durable record of every order's fate, and the only memory between runs.

One SQLite file (or any SQLAlchemy URL). Commits survive a power loss (WAL, synchronous=FULL). States change
only through `etl.ledger.steps`, within `Ledger.steps`, which verifies the lock first. Single-threaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from etl.ledger.corrections import held_back, is_original, new_corrections
from etl.ledger.plan_rows import current_facts, reading_of
from etl.ledger.queries import LedgerQueries
from etl.ledger.records import Home, LedgerOrder, RunRecord, dumps, stamp
from etl.ledger.standing import change
from etl.ledger.store import Checkpoint
from etl.ledger.versions import version_rows
from etl.model.plan import PlannedOrder, Verdict
from etl.model.states import PLANNED, State

_PLAN_BATCH = 500


class Ledger(LedgerQueries):
    """An open ledger. Writing needs the lock (`take_lock`), reading does not."""

    def record_plan(self, run_id: str, orders: Iterable[PlannedOrder]) -> Counter[State]:
        """Keeps what the plan says of each order, for status and report. Shape: how many are in which state.

        Rule: design 7.4. Orders that are, or may be, in Mews keep state and facts; where the source differs
        from what was posted, `changed` says in what. Effects: one transaction for every 500 orders.
        """
        counts: Counter[State] = Counter()
        batch: list[PlannedOrder] = []
        for order in orders:
            batch.append(order)
            if len(batch) == _PLAN_BATCH:
                counts.update(self._record_batch(run_id, batch))
                batch = []
        if batch:
            counts.update(self._record_batch(run_id, batch))
        return counts

    def _record_batch(self, run_id: str, orders: list[PlannedOrder]) -> Counter[State]:
        home = self.home()
        store = home.store if home else ""
        now = stamp(self._wall())
        counts: Counter[State] = Counter()
        latest = {order.number: order for order in orders}
        with self.steps() as steps:
            steps.alone("plan")
            known = self._with_edits(steps.stored_orders(latest))
            latest = {
                number: held_back(known[number], order) if number in known else order
                for number, order in latest.items()
            }
            latest.update(self._charged_elsewhere(known, latest))
            new = [order for order in latest.values() if order.number not in known]
            steps.meet(run_id, new)
            counts.update(State(order.verdict.value) for order in new)
            planned: list[PlannedOrder] = []
            changes: list[dict[str, Any]] = []
            met: list[PlannedOrder] = []
            for number, row in known.items():
                order = latest[number]
                state = steps.replan(number, State(order.verdict.value))
                counts[state] += 1
                reason = change(row, order, store)
                # What `recover` found has the facts that Mews showed; the plan that it equals gives better ones. A blocked
                # plan says nothing of what Mews holds. One that does not say whom to charge equals nothing yet: the run
                # finds the customer, and records the plan again.
                is_open = row.has_posted and order.verdict is Verdict.READY and order.is_charge_open
                is_equal = row.verdict == "" and order.verdict is Verdict.READY and not reason and not is_open
                if (state in PLANNED and not row.has_posted) or is_equal:
                    met.append(order)
                    planned.append(order)
                else:
                    if not row.posted_content and row.posted_fingerprint == order.fingerprint:
                        met.append(order)
                    more = {name: value for name, value in row.facts.items() if name != "now"}
                    if reason:
                        more["now"] = current_facts(order)
                    if row.is_as_recovered and order.create_customer and order.account_id:
                        more["charged"] = order.account_id
                    changes.append(
                        {
                            "k_number": number,
                            "changed": reason,
                            "plan_run_id": run_id,
                            "facts": dumps(more),
                            # Where the correction was posted, it stands for the source.
                            "reading": "" if row.has_posted and is_original(row, order) else reading_of(order),
                        }
                    )
            steps.keep_plans(run_id, planned)
            steps.keep_readings(changes)
            steps.keep_versions(version_rows(new), version_rows(met))
            steps.keep_corrections(
                {number: new_corrections(known.get(number), order, now) for number, order in latest.items()}, run_id
            )
        return counts

    def _charged_elsewhere(
        self, known: Mapping[str, LedgerOrder], latest: Mapping[str, PlannedOrder]
    ) -> dict[str, PlannedOrder]:
        """Orders that another worker is about to send, with the account of the customer whom he found or made for them."""
        booked = {
            number: row.account_id
            for number, row in known.items()
            if row.account_id and row.state is State.READY and latest[number].is_charge_open
        }
        return {number: replace(latest[number], account_id=booked[number]) for number in self.elsewhere(booked)}


__all__ = ["Checkpoint", "Home", "Ledger", "LedgerOrder", "RunRecord"]
