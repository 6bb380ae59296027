"""The transitions that follow from what Mews shows. See `steps.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update

from etl.ledger import schema
from etl.ledger.records import ORDER_PART, PartKind, dumps, loads, stamp
from etl.ledger.unit_of_work import GIVE_UP, OrderRow, PartKey, PartRow, UnitOfWork
from etl.model.states import IN_MEWS, State


class SightSteps(UnitOfWork):
    """Transitions by what a look at Mews found, or did not find."""

    def find(
        self,
        number: str,
        generation: int,
        part: str,
        *,
        mews_id: str,
        differences: Sequence[str],
        fingerprint: str,
        run_id: str,
        sent_by: str,
        observed: str = "",
    ) -> State:
        """UNKNOWN, READY or REJECTED -> POSTED (amounts as sent) or DIFFERENT: it is there.

        `fingerprint` of the attempt that it matches; `sent_by`: that attempt's run. `observed`: what Mews shows of the
        order, or of the payment (`records.observed_payment`), kept where it differs: its money counts as it was seen.
        """
        row = self._at(number, generation, part)
        self._stand(row, "; ".join(differences))
        row.fingerprint = fingerprint
        self._book(row, mews_id, sent_by)
        if row.part == ORDER_PART:
            self._order(number).resolved_run_id = run_id
            self._order(number).observed = observed if differences else ""
        elif row.kind == PartKind.PAYMENT and generation == self._order(number).generation:
            self._see_paid(number, row.part, observed if differences else "")
        self._settle_order(row)
        return row.state

    def miss(
        self, number: str, generation: int, part: str, seq: int, *, proved: bool, at: datetime, counts: bool = True
    ) -> State:
        """UNKNOWN stays with the time of the scan, or -> READY, or REJECTED: two complete scans proved absence.

        `counts`: whether it is one of the absences after which the order is given up.
        """
        row = self._at(number, generation, part)
        if row.state is not State.UNKNOWN or row.seq != seq:
            return row.state
        row.held = ""
        if not proved:
            row.unseen_at = row.unseen_at or stamp(at)
        else:
            row.absents += counts
            row.unseen_at = row.settle_from = row.held = ""
            if counts and row.absents % GIVE_UP == 0:
                row.move(State.REJECTED)
                row.rejected_hash = self._last_hash(row)
                row.code = "send.gave_up"
                row.message = f"sent {row.sends} times, proved absent {row.absents} times; last: {row.message}"
            else:
                row.move(State.READY)
                row.code = ""
        self._settle_order(row)
        return row.state

    def hold(self, number: str, generation: int, part: str, candidates: str) -> None:
        """UNKNOWN stays for a person: something unmarked in Mews looks like it. `candidates`: both sides."""
        row = self._at(number, generation, part)
        row.move(State.UNKNOWN)
        row.held, row.unseen_at = candidates, ""
        row.message = "something that carries no mark of ours looks like this order: decide with `centra-mews settle`"
        self._settle_order(row)

    def duplicate(self, number: str, order_ids: Iterable[str]) -> None:
        """The state stays: Mews holds the order more than once, under these ids."""
        order = self._order(number)
        known = set(filter(None, order.duplicates.strip("[]").replace('"', "").split(",")))
        order.duplicates = dumps(sorted(known | set(order_ids)))
        self._dirty_orders[number] = None

    def see_copies(self, number: str, generation: int, ids: Sequence[str]) -> None:
        """The state stays: these, and nothing else, stand in Mews more than once; an older generation only adds."""
        order = self._order(number)
        if generation != order.generation:
            if ids:
                self.duplicate(number, ids)
            return
        order.duplicates = dumps(sorted(ids)) if ids else ""
        self._dirty_orders[number] = None

    def rechecked(self, keys: Iterable[PartKey], floor: int) -> None:
        """One look-up less for what was sent more than once; never below `floor`."""
        for number, generation, part in keys:
            row = self._at(number, generation, part)
            row.recheck = max(floor, row.recheck - 1) if row.recheck else 0
            self._dirty_parts[row.key] = None

    def recover(
        self,
        number: str,
        generation: int,
        *,
        mews_order_id: str,
        observed: str,
        payments: Iterable[tuple[str, str]],
        differences: Sequence[str],
        run_id: str,
        facts: dict[str, str],
    ) -> State:
        """Anything not known to be in Mews -> POSTED or DIFFERENT: `recover` read it there.

        `payments`: (part, id) of those found. `facts`: columns that stand in for a plan until there is one.
        """
        order = self._orders.get(number)
        if order is None:
            order = self._orders[number] = OrderRow(
                number, State.READY, generation, "", "", "", "", "", "", "", "", "", "", "", "", ""
            )
            self._connection.execute(
                insert(schema.orders).values(number=number, state=State.READY.value, updated_at=self._now, **facts)
            )
        else:
            # The facts of a plan that was never sent are none of what Mews holds.
            self._connection.execute(
                update(schema.orders)
                .where(schema.orders.c.number == number)
                .values(verdict="", source_total=None, rounding="0", **facts)
            )
        order.generation = generation
        row = self._find((number, generation, ORDER_PART))
        if row is None:
            row = self._add(PartRow(number, generation, ORDER_PART, PartKind.ORDER.value, State.READY))
        self._stand(row, "; ".join(differences))
        order.observed = observed
        row.fingerprint = row.skip_fingerprint = ""
        self._book(row, mews_order_id, run_id)
        order.resolved_run_id = run_id
        for part, mews_id in payments:
            self.see_payment(number, generation, part, mews_id=mews_id, run_id=run_id)
        self._settle_order(row)
        return row.state

    def see_payment(self, number: str, generation: int, part: str, *, mews_id: str, run_id: str) -> None:
        """Anything not known to be in Mews -> POSTED: `recover` read the payment there. One in flight stays."""
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.PAYMENT.value, State.READY))
        if row.state in IN_MEWS or row.state is State.IN_FLIGHT:
            return
        self._stand(row, "")
        self._book(row, mews_id, row.run_id or run_id)
        self._settle_order(row)

    def differ(self, number: str, generation: int, message: str, shown: dict[str, Any] | None = None) -> None:
        """POSTED -> DIFFERENT: Mews holds something else than it was. `shown`: what (`records.observed_items`)."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        self._stand(row, message)
        if shown is not None and generation == order.generation:
            order.observed = dumps({**loads(order.observed, {}), **shown})
        self._settle_order(row)

    def _see_paid(self, number: str, part: str, observed: str) -> None:
        order = self._order(number)
        kept = loads(order.observed, {})
        paid = {name: amount for name, amount in kept.get("payments", {}).items() if name != part}
        if observed:
            paid[part] = loads(observed, "")
        if paid != kept.get("payments", {}):
            kept = {name: value for name, value in kept.items() if name != "payments"}
            order.observed = dumps({**kept, "payments": paid} if paid else kept) if paid or kept else ""
            self._dirty_orders[number] = None
