"""What `recover` makes of the reversals of one order: parts of their own, and what of the order is left by them.

An undo entry that this ledger sent and lost sight of is judged as a run judges it: by what was sent, and by what it leaves
(`found.find_reversal`). One that it never sent has its balance alone to show for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.ledger.ledger import Ledger
from etl.ledger.records import RECOVERED_RUN, Part, PartKind
from etl.ledger.steps import Steps
from etl.load.balance import NOT_BALANCED, Items, lonely, standing_of
from etl.load.found import (
    Found,
    does_not_balance,
    find_payment,
    find_reversal,
    leaving_something,
    not_as_sent,
    payment_stands,
    shown,
)
from etl.load.paid import Paid
from etl.load.reversal import OPPOSITE, copy_of, target_of, travels_as, undo_part, what_of
from etl.model.rows import PaymentRow
from etl.model.states import IN_MEWS, State


@dataclass(frozen=True, slots=True)
class Seen:
    """What Mews shows of one generation. `gone`: what reversed each order that does not stand (`balance.reversed_by`).

    `in_doubt`: payments, and what pays them back, that this ledger sent and knows no end of, by id.
    """

    orders: Items
    undos: Items
    gone: Mapping[str, str]
    paid: Paid
    in_doubt: Mapping[str, PaymentRow]

    @property
    def standing(self) -> list[str]:
        """OrderIds of which something stands."""
        return [order_id for order_id in self.orders if order_id not in self.gone]


def is_in_doubt(part: Part) -> bool:
    """Whether something of a part was sent, and nobody knows of it that it is in Mews."""
    return part.seq > 0 and part.state not in IN_MEWS and part.state is not State.IN_FLIGHT


def is_pay_back(part: Part) -> bool:
    """Whether a part pays a payment back."""
    return part.kind is PartKind.UNDO and travels_as(part) is PartKind.PAYMENT


class Reversals:
    """The reversals of one generation of an order, within one transaction."""

    def __init__(self, ledger: Ledger, steps: Steps, number: str, generation: int, seen: Seen) -> None:
        self._ledger = ledger
        self._steps = steps
        self._number = number
        self._generation = generation
        self._seen = seen
        self._known: list[Part] = []
        self._twice: list[str] = []
        self._unlike: dict[str, Found] = {}

    def take_up_again(self) -> None:
        """An order that was undone stands all the same where a copy came to light, of itself or of a payment.

        What this ledger reversed may still seem to stand in reads that lag.
        """
        steps, number, generation, paid = self._steps, self._number, self._generation, self._seen.paid
        if steps.part_state(number, generation) is not State.UNDONE:
            return
        undos = (one for one in self._parts() if one.kind is PartKind.UNDO)
        mine = {steps.mews_id(number, generation), *(one.target for one in undos)}
        payments = {part: paid.first(part) for part in paid.sent if paid.standing(part)}
        if payments or any(one not in mine for one in self._seen.standing):
            steps.stand_again(number, generation, payments)

    def record(self) -> list[str]:
        """Undo entries become parts of their own, so that scans know them. Shape: ids of those that are there twice.

        A cancellation has no id of its own: there the id of what was cancelled stands beside the second reversal's.
        """
        seen, paid = self._seen, self._seen.paid
        self._known = [one for one in self._parts() if one.kind is PartKind.UNDO]
        for order_id, undo_id in seen.gone.items():
            if undo_id:
                self._see(OPPOSITE, order_id, undo_id)
        for part in paid.sent:
            for payment_id, undo_id in paid.reversals(part).items():
                self._see(part, payment_id, undo_id)
        for undo_id, undo in lonely(seen.undos, seen.gone).items():
            # Where Mews returns no notes and nothing stands, it reverses what was reversed before, whichever that is.
            target = target_of(undo[0].notes) or ("" if seen.standing else next(iter(seen.gone), ""))
            self._see(OPPOSITE, target, undo_id, NOT_BALANCED)
            if target in seen.gone:
                self._twice.extend((seen.gone[target] or target, undo_id))
        for undo_id, undo in seen.undos.items():
            # Cancelled again, before anybody knew that it was there: it may not be sent a second time.
            target = target_of(undo[0].notes)
            if not standing_of(undo) and any(is_in_doubt(one) and target in ("", one.target) for one in self._known):
                self._see(OPPOSITE, target, undo_id, NOT_BALANCED)
        for part in paid.undone:
            for undo_id, target in paid.too_often(part).items():
                self._see(part, target, undo_id, f"it does not balance payment {part}")
                self._twice.extend(paid.again(part, target, undo_id))
        return list(dict.fromkeys(self._twice))

    def conclude(self) -> tuple[str, bool]:
        """UNDONE where nothing is left, DIFFERENT where only a part of it was reversed, else the copies that stand.

        Shape: in what it is different, and whether it is undone.
        """
        steps, number, generation, seen = self._steps, self._number, self._generation, self._seen
        if steps.part_state(number, generation) not in (State.POSTED, State.DIFFERENT):
            return "", False
        message = self._message()
        if message:
            own = steps.mews_id(number, generation)
            against = [
                one
                for one in seen.undos
                if one in lonely(seen.undos, seen.gone) or one in self._unlike or one == seen.gone.get(own)
            ]
            reversing = [item for undo_id in against for item in standing_of(seen.undos[undo_id])]
            observed = {"items": shown(seen.orders.get(own, [])), "undo": shown(reversing)}
            steps.differ(number, generation, message, observed)
            return message, False
        if not seen.standing:
            steps.undo_all(number, generation)
            return "", True
        if seen.gone:
            steps.keep_copies(number, generation, seen.standing)
        return "", False

    def _parts(self) -> list[Part]:
        parts = self._ledger.parts([self._number]).get(self._number, [])
        return [one for one in parts if one.generation == self._generation]

    def _message(self) -> str:
        paid, standing = self._seen.paid, self._seen.standing
        unbalanced = dict.fromkeys((*lonely(self._seen.undos, self._seen.gone), *leaving_something(self._unlike)))
        if unbalanced:
            return does_not_balance(unbalanced)
        otherwise = [part for part in paid.undone if paid.too_often(part)]
        if otherwise:
            return f"its payment {', '.join(otherwise)} is paid back otherwise"
        if self._unlike:
            return not_as_sent(self._unlike)
        open_payments = [part for part in paid.sent if paid.standing(part)]
        if not standing and open_payments:
            return payment_stands(open_payments)
        paid_back = [part for part in paid.sent if paid.reversals(part) and part not in open_payments]
        if standing and paid_back:
            return f"its payment {', '.join(paid_back)} is paid back, its items stand"
        return ""

    def _see(self, what: str, target: str, mews_id: str, unbalanced: str = "") -> None:
        """One undo entry: known, there twice, in doubt until now, or another ledger's.

        `target`: what it reverses, "" where nothing tells; `unbalanced`: in what it is wrong.
        """
        mine = [one for one in self._known if what_of(one) == what]
        first = next((one for one in mine if target and one.target == target), None)
        if first is None and not target:
            # As the walk of a run has it: what was sent and lost sight of is this, and must not be sent again.
            first = next((one for one in mine if is_in_doubt(one)), None)
            target = first.target if first is not None else mews_id
        if any(one.mews_id == mews_id for one in self._known):
            return
        if first is not None and first.mews_id and first.state in IN_MEWS:
            self._twice.extend((first.mews_id, mews_id))
            return
        number, generation = self._number, self._generation
        if first is not None and is_in_doubt(first):
            name, state = first.part, self._judge(first, mews_id, unbalanced).state
        else:
            name = undo_part(what, copy_of(self._known, target, "" if what == OPPOSITE else what))
            state = self._steps.see_undo(
                number, generation, name, mews_id=mews_id, target=target, run_id=RECOVERED_RUN, message=unbalanced
            )
        self._known = [one for one in self._known if one.part != name]
        self._known.append(Part(number, generation, name, state, PartKind.UNDO, mews_id, target=target))

    def _judge(self, part: Part, mews_id: str, unbalanced: str) -> Found:
        """What this ledger sent and lost sight of."""
        key = (self._number, self._generation, part.part)
        attempts = self._ledger.attempts(self._number, generation=self._generation, part=part.part)
        if is_pay_back(part):
            found = find_payment(self._steps, key, attempts, [self._seen.in_doubt[mews_id]], RECOVERED_RUN, unbalanced)
        else:
            undos = {mews_id: self._seen.undos[mews_id]}
            found = find_reversal(self._steps, key, attempts, undos, RECOVERED_RUN, is_balanced=not unbalanced)
        if found.message:
            self._unlike[mews_id] = found
        return found
