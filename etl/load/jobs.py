"""What of an order is to be sent, by what the plan wants and the ledger knows. Decides; sends nothing.

Rule: design sections 7.2 to 7.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.ledger.corrections import held_back, is_original
from etl.ledger.records import ORDER_PART, LedgerOrder, Part
from etl.ledger.standing import change
from etl.ledger.steps import Steps
from etl.model.identity import Identity, content_hash
from etl.model.kinds import is_payment_kind, payment_kind
from etl.model.plan import Basis, PlannedOrder, Verdict, payment_payload
from etl.model.sent import sent_hash
from etl.model.states import State

Step = Callable[[Steps], object]
"""A transition that choosing an order takes; written by whoever chose it."""


@dataclass(slots=True)
class Job:
    """One order in a worker's hands. `states`: of its parts, as this run knows them."""

    order: PlannedOrder
    generation: int
    send_order: bool
    payments: list[str]
    states: dict[str, State]
    has_room: bool = False
    is_begun: bool = False
    """Whether it was counted towards `--limit` already."""

    @property
    def number(self) -> str:
        """The order's number."""
        return self.order.number


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses for one run. `retry`: what earlier runs saw refused goes again; `repost`: undone orders go again.

    `held`: kinds that Mews refused; a payment that needs one stays where it is.
    """

    store: str
    basis: Basis
    run_id: str
    retry: bool = False
    repost: bool = False
    held: frozenset[str] = frozenset()

    def job(self, order: PlannedOrder, row: LedgerOrder, parts: list[Part], steps: list[Step]) -> Job | None:
        """What of an order is to be sent; None for nothing. Transitions that this takes go to `steps`."""
        if held_back(row, order).verdict is not Verdict.READY or (row.has_posted and is_original(row, order)):
            # Uncorrected: neither the order nor, once its correction is posted, a payment as the original has it.
            return None
        number, generation = order.number, row.generation
        current = {part.part: part for part in parts if part.generation == generation}
        mine = current.get(ORDER_PART)
        state = row.state if mine is None else mine.state
        planned = [payment.part for payment in order.payments]
        if state is State.UNDONE and self.repost:
            steps.append(lambda writing: writing.regenerate(number))
            return Job(order, generation + 1, True, planned, {ORDER_PART: State.READY})
        if state is State.REJECTED or (state is State.READY and mine is not None and mine.rejected_hash):
            planned_hash = sent_hash(order, Identity(self.store, number, generation))
            same = mine is not None and mine.rejected_hash == planned_hash
            if same and not (self.retry and mine is not None and mine.run_id != self.run_id):
                return None
            steps.append(_reopening(number, generation, ORDER_PART))
            return Job(order, generation, True, planned, {ORDER_PART: State.READY})
        if state is State.READY:
            return Job(order, generation, True, planned, {ORDER_PART: State.READY})
        if state is not State.POSTED or change(row, order, self.store):
            return None
        open_payments = self._open_payments(order, row, current, steps)
        if not open_payments:
            return None
        states = {name: part.state for name, part in current.items()} | dict.fromkeys(open_payments, State.READY)
        return Job(order, generation, False, open_payments, states)

    def _open_payments(
        self, order: PlannedOrder, row: LedgerOrder, current: dict[str, Part], steps: list[Step]
    ) -> list[str]:
        """The payments of a posted order that are not in Mews and may be sent: nothing else of it ever is again."""
        number, generation = order.number, row.generation
        planned = [payment.part for payment in order.payments]
        found = [part for part in planned if part in current and current[part].state is State.READY]
        if row.is_as_recovered:
            fingerprints = (order.fingerprint, order.skip_fingerprint)
            steps.append(lambda writing: writing.adopt(number, fingerprints, planned))
            found += [part for part in planned if part not in current]
        held = {one.part for one in order.payments if self.held.intersection(needs_of_part(order, one.part))}
        found = [part for part in found if part not in held]
        for payment in order.payments:
            part = current.get(payment.part)
            if part is None or part.state is not State.REJECTED or payment.part in held:
                continue
            body = payment_payload(order, payment, Identity(self.store, number, generation), self.basis)
            if (self.retry and part.run_id != self.run_id) or part.rejected_hash != content_hash(body):
                steps.append(_reopening(number, generation, payment.part))
                found.append(payment.part)
        return found


def needs_of_part(order: PlannedOrder, part: str) -> tuple[str, ...]:
    """The kinds that one part of an order needs: the order, or a payment."""
    if not order.unproved:
        return ()
    if part == ORDER_PART:
        return tuple(kind for kind in order.unproved if not is_payment_kind(kind))
    kinds = {payment.part: payment_kind(payment.type) for payment in order.payments}
    return tuple(kind for kind in (kinds.get(part, ""),) if kind in order.unproved)


def needs_record(row: LedgerOrder | None, order: PlannedOrder, run_id: str) -> bool:
    """Whether the ledger's facts are not those of the plan that would be sent."""
    if row is None or row.plan_run_id != run_id or row.verdict != "ready":
        return True
    # Frozen while nobody knew; proved absent since, another version may go.
    facts = (row.fingerprint, row.planned_total, row.account_id)
    is_free = row.state is State.READY and not row.has_posted
    return is_free and facts != (order.fingerprint, order.planned_total, order.account_id)


def _reopening(number: str, generation: int, part: str) -> Step:
    return lambda steps: steps.reopen(number, generation, part)
