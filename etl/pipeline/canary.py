"""The canary: the first orders of a run are read back and compared, item by item, before any other is sent.

Rule: issue 4 point 10, design section 2. What was sent and predicted is taken from the ledger's attempts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from etl.errors import StoppedError
from etl.evidence.read_back import LAGGING, ReadBack
from etl.evidence.sent import payload_currency, sent_payment
from etl.evidence.values import Expected, ExpectedPayment, What
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, LedgerOrder, Part, PartKind
from etl.load.attempted import sent_order
from etl.mews.api import MewsReader
from etl.model.kinds import KindState
from etl.model.states import State
from etl.reconcile.compare import compare_order
from etl.reconcile.values import Klass, OrderFinding

CHUNK = 200
SHOWN = 5
_AMISS = (State.REJECTED, State.UNKNOWN, State.IN_FLIGHT, State.DIFFERENT)

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Canary:
    """What the read-back of the first orders found. `differences`: sentences with both sides, by order.

    `rounding`: what differs by the last digit of an entry's tax only, which is told and nothing else. `held`: the
    kinds that Mews refused, each with its words; the orders that tried them are no difference (design 7.1).
    """

    orders: int = 0
    items: int = 0
    payments: int = 0
    differences: dict[str, list[str]] = field(default_factory=dict)
    rounding: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "orders": self.orders,
            "items": self.items,
            "payments": self.payments,
            "matched": self.orders - len(self.differences),
            "differences": self.differences,
            "rounding_of_mews": self.rounding,
            "held": self.held,
        }

    def stop(self) -> StoppedError | None:
        """Why the run does not go on; None where everything is as it was predicted."""
        if not self.differences:
            return None
        shown = [f"order {number}: {'; '.join(words[:SHOWN])}" for number, words in self.differences.items()]
        more = f"; and {len(shown) - SHOWN} more orders" if len(shown) > SHOWN else ""
        return StoppedError(
            f"{len(self.differences)} of the first orders are not in Mews as they were predicted. "
            + ". ".join(shown[:SHOWN])
            + more,
            code="run.canary",
            place=f"order {next(iter(self.differences))}",
            hint="Nothing else was sent. Compare the orders in Mews, clear the cause, undo them "
            "(`centra-mews undo`) or settle them, and run again.",
        )


class CanaryCheck:
    """Compares what a run posted with what Mews holds. Reads only. `patience`: seconds that reads may lag."""

    def __init__(
        self,
        ledger: Ledger,
        reader: MewsReader,
        *,
        run_id: str,
        service_id: str,
        patience: float,
        sleep: Sleep,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._back = ReadBack(reader)
        self._run_id = run_id
        self._service_id = service_id
        self._patience = patience
        self._sleep = sleep
        self._is_over = is_over

    async def look(self) -> Canary:
        """Everything that the run sent so far. Raises MewsError, LedgerError."""
        kinds = self._ledger.kinds()
        held = frozenset(kind for kind in kinds if kinds[kind].state is KindState.HELD)
        canary = Canary(held={kind: kinds[kind].reason for kind in sorted(held)})
        for row in self._ledger.orders(_AMISS):
            if row.last_run_id == self._run_id and not self._tried(row, held):
                canary.orders += 0 if row.has_posted else 1
                canary.differences[row.number] = [f"planned as ready, it is {row.state.value}: {row.message}"]
        posted = self._ledger.orders(run_id=self._run_id)
        while chunk := list(islice(posted, CHUNK)):
            await self._compare([row for row in chunk if row.has_posted], canary)
        return canary

    def _tried(self, row: LedgerOrder, held: frozenset[str]) -> bool:
        """Whether Mews refused nothing of an order but what needs a held kind."""
        parts = self._ledger.parts([row.number]).get(row.number, ())
        amiss = [part for part in parts if part.generation == row.generation and part.state in _AMISS]
        return bool(amiss) and all(part.state is State.REJECTED and held.intersection(part.needs) for part in amiss)

    async def _compare(self, rows: Sequence[LedgerOrder], canary: Canary) -> None:
        parts = self._ledger.parts([row.number for row in rows])
        expected = {row.number: self._expected(row, parts.get(row.number, ())) for row in rows}
        findings = await self._read_until_there(list(expected.values()))
        reservations = await self._reservations([one.order_id for one in expected.values()])
        for row in rows:
            order, finding = expected[row.number], findings[row.number]
            canary.orders += 1
            canary.items += len(order.entries)
            canary.payments += len(order.payments)
            words = [one.sentence for one in finding.differences]
            linked = reservations.get(order.order_id, "")
            if linked and not self._asked_for_reservation(row):
                words.append(f"Mews linked reservation {linked}, which nobody asked for")
            if words:
                canary.differences.setdefault(row.number, []).extend(words)
            digits = [one.sentence for one in finding.notices if one.what is What.ROUNDING]
            if digits:
                canary.rounding[row.number] = digits

    async def _read_until_there(self, expected: list[Expected]) -> dict[str, OrderFinding]:
        """Findings by number. Reads may lag: what is missing is looked for again while there is patience."""
        left, looks = self._patience, 0
        findings: dict[str, OrderFinding] = {}
        waiting = expected
        while True:
            items = await self._back.items([one.order_id for one in waiting])
            payments = await self._back.payments([paid.id for one in waiting for paid in one.payments])
            for one in waiting:
                findings[one.number] = compare_order(one, items.get(one.order_id, []), payments)
            waiting = [
                one
                for one in waiting
                if findings[one.number].klass is Klass.MISSING or any(paid.id not in payments for paid in one.payments)
            ]
            if not waiting or left <= 0 or self._is_over():
                return findings
            pause = min(LAGGING.pause(looks, 1.0), left)
            await self._sleep(pause)
            left, looks = left - pause, looks + 1

    async def _reservations(self, order_ids: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        if order_ids:
            async for page in self._reader.service_orders([self._service_id], order_ids=order_ids):
                found.update((one.id, one.reservation_id) for one in page if one.reservation_id)
        return found

    def _asked_for_reservation(self, row: LedgerOrder) -> bool:
        attempts = self._ledger.attempts(row.number, generation=row.generation, part=ORDER_PART)
        return any("LinkedReservationId" in attempt.payload for attempt in attempts)

    def _expected(self, row: LedgerOrder, parts: Sequence[Part]) -> Expected:
        attempts = self._ledger.attempts(row.number, generation=row.generation)
        sent = [one for one in attempts if one.part == ORDER_PART][-1]
        payments: list[ExpectedPayment] = []
        for part in parts:
            if part.kind is PartKind.PAYMENT and part.generation == row.generation and part.state is State.POSTED:
                paid = [one for one in attempts if one.part == part.part][-1]
                payments.append(sent_payment(part.part, part.mews_id, paid.payload, paid.basis))
        return replace(
            sent_order(sent),
            order_id=row.mews_order_id,
            currency=payload_currency(sent.payload) or row.currency,
            payments=tuple(payments),
        )
