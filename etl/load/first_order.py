"""The first order of a ledger is read back before any other is sent, and teaches how Mews rounds taxes.

Rule: design section 7.6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.errors import InternalError, StoppedError
from etl.evidence.by_unit import of_single_units
from etl.evidence.marks import identity_of
from etl.evidence.match import Match
from etl.evidence.read_back import LAGGING, WHATEVER_IT_COSTS, ReadBack
from etl.evidence.scan import Progress
from etl.ledger.records import ORDER_PART, Attempt, LedgerOrder, dumps, loads
from etl.load.attempted import match_order
from etl.load.jobs import Job
from etl.load.ports import LinkedReservation, Predictions
from etl.load.session import Session
from etl.model.observed import Observed, SentEntry
from etl.model.payload import entries_of
from etl.model.plan import Basis, PlannedOrder
from etl.model.rows import OrderItemRow
from etl.model.states import State

FIRST_CHECK = "first_check"
_ANSWER_KNOWN_TO = 4.0
"""Seconds by which the time of an answer is known in Mews's clock: cut to the second when asked, twice, and the way."""
_NEXT = "Nothing else was sent. Compare the order in Mews, correct the mapping, undo it, and run again."
_NOTHING = (Decimal(0), Decimal(0))
_LOST = (
    "Nothing else was sent. Look in Mews for order {number}, then decide: `centra-mews settle {number} --posted ORDERID` "
    "names the OrderId that it has there, `centra-mews settle {number} --absent` says that nothing of it is there and "
    "lets the next run send it again."
)


def _in_doubt(number: str) -> StoppedError:
    """Why a run stops whose first order has no certain end."""
    return StoppedError(
        f"nobody knows yet whether Mews took the first order, {number}",
        code="run.first_order",
        hint="Run again: the next run finds out before it sends anything else.",
    )


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """What the read-back asks besides. `linked_reservation` tells what Mews linked to an OrderId.

    `is_wanted`: false where nothing is read back.
    """

    linked_reservation: LinkedReservation | None = None
    predictions: Predictions | None = None
    is_wanted: bool = True


class FirstOrder:
    """The read-back of one ledger."""

    def __init__(self, session: Session, check: FirstCheck, progress: Progress) -> None:
        self._progress = progress
        self._ledger = session.ledger
        self._reader = session.reach.reader
        self._back = ReadBack(self._reader, most_refusals=WHATEVER_IT_COSTS)
        self._clock = session.reach.clock
        self._halt = session.halt
        self._run_id = session.facts.run_id
        # Reads may lag half the settling time behind the answer: after that, what they don't show is not there.
        self._patience = session.facts.settle.total_seconds() / 2 + _ANSWER_KNOWN_TO
        self._linked_reservation = check.linked_reservation
        self._predictions = check.predictions
        self._is_wanted = check.is_wanted
        self._rounding: str | None = None
        self.last_digit: tuple[str, ...] = ()
        """How the booked amounts differ in the last digit of a tax."""

    @property
    def is_unchecked(self) -> bool:
        """Whether the ledger's first order was never read back."""
        self._is_wanted = self._is_wanted and self._ledger.meta(FIRST_CHECK) is None
        return self._is_wanted

    async def send(
        self,
        job: Job,
        put: Callable[[Job], Awaitable[None]],
        carry: Callable[[list[Job]], Awaitable[None]],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        """Sends one order alone and reads it back. `put`: leaves it to the workers; `drain`: settles what is unknown.

        Raises StoppedError where it has no certain end, and as `read_back`. Effects: sends, writes the ledger.
        """
        if not job.send_order:
            # Payments of an order that was found in Mews: there is no order of ours to read back yet.
            await put(job)
            return
        earlier = self._ledger.first_posted()
        if earlier is not None:
            await self.read_back(earlier.number)
            await put(job)
            return
        await carry([job])
        row = self._ledger.order(job.number)
        if row is not None and row.state is State.UNKNOWN:
            await drain()
            row = self._ledger.order(job.number)
        if self._halt.is_set or row is None:
            return
        if row.has_posted:
            await self.read_back(job.number)
        elif row.state is State.UNKNOWN:
            raise _in_doubt(job.number)

    async def read_back(self, number: str) -> None:
        """Raises StoppedError unless Mews returns the order as it was sent, and marks the ledger as checked."""
        self._progress("read back the first order", 0, 1)
        row = self._ledger.order(number)
        attempts = self._ledger.attempts(number, part=ORDER_PART)
        if row is None or not attempts:
            raise InternalError(f"order {number} has nothing to be read back", code="internal.first_order")
        attempt = attempts[-1]
        rows = await self._read_until_there(row.mews_order_id)
        if not rows and self._halt.is_set:
            # Not read to the end: the next run does, before it sends anything else.
            return
        matched = match_order(attempt, rows)
        faults = await self._faults(row, attempt, rows, matched)
        # The last digit of a tax is no fault, and means nothing where there is one.
        self.last_digit = () if faults else tuple(one.sentence for one in matched.roundings)
        rounding = ""
        if self.last_digit and self._predictions is not None:
            rounding = self._predictions.observe(observed_amounts(attempt, rows))
            if not rounding:
                # Every later prediction would be off by as much, with nobody to say why.
                faults += [f"no known way of rounding explains it: {one}" for one in self.last_digit]
        if faults:
            raise StoppedError(
                f"the first order, {number} (OrderId {row.mews_order_id}), is not in Mews as it was sent: "
                + "; ".join(faults),
                code="run.first_order",
                place=f"order {number}",
                hint=_NEXT if rows else _LOST.format(number=number),
            )
        facts = {"order": number, "last_digit": self.last_digit, "rounding": rounding}
        self._ledger.set_meta(FIRST_CHECK, dumps(facts))

    def follow_rounding(self, job: Job) -> None:
        """Predictions as the first order taught them; what is sent stays as it was planned.

        Effects: the job's order, and the ledger's plan of it, where they differ.
        """
        order = self._adapted(job.order)
        if order is not job.order:
            job.order = order
            self._ledger.record_plan(self._run_id, [order])

    def _adapted(self, order: PlannedOrder) -> PlannedOrder:
        if self._predictions is None:
            return order
        if self._rounding is None:
            checked = self._ledger.meta(FIRST_CHECK)
            if checked is None:
                return order
            self._rounding = str(loads(checked, {}).get("rounding") or "")
        return self._predictions.adapt(order, self._rounding) if self._rounding else order

    async def _faults(self, row: LedgerOrder, attempt: Attempt, rows: list[OrderItemRow], matched: Match) -> list[str]:
        """In what the items read, and what Mews linked by itself, are not what was sent."""
        faults = [] if rows else [f"Mews returns no items for OrderId {row.mews_order_id}"]
        identities = [identity_of(item) for item in rows]
        if rows and not any(found is not None and found.number == row.number for found in identities):
            faults.append("neither the ExternalIdentifier nor the marker in Notes comes back")
        if rows:
            faults += [one.sentence for one in matched.not_as_sent]
        if self._linked_reservation is not None and "LinkedReservationId" not in attempt.payload:
            reservation = await self._linked_reservation(row.mews_order_id)
            if reservation:
                faults.append(f"Mews linked reservation {reservation}, which nobody asked for")
        return faults

    async def _read_until_there(self, order_id: str) -> list[OrderItemRow]:
        """The order's items; reads may lag behind the write."""
        until, looks = self._clock.monotonic() + self._patience, 0
        while True:
            rows = await self._halt.unless(self._back.items_of(order_id)) or []
            if rows or self._clock.monotonic() >= until or self._halt.is_set:
                return rows
            await self._halt.sleep(LAGGING.pause(looks, 1.0))
            looks += 1


def observed_amounts(attempt: Attempt, rows: Sequence[OrderItemRow]) -> tuple[Observed, ...]:
    """What Mews booked for each entry of an attempt; for all of them together where no identifiers come back."""
    value = "GrossValue" if attempt.basis is Basis.GROSS else "NetValue"
    has_identifiers = any(row.external_identifier for row in rows)
    # Where Mews tells one unit alone, several say nothing of how a whole is rounded.
    is_by_unit = any(row.is_by_unit for row in rows)
    rows = of_single_units(rows)
    sent: dict[tuple[str, str], list[SentEntry]] = {}
    for entry, count in entries_of(attempt.payload):
        if is_by_unit and count != 1:
            continue
        unit = entry["UnitAmount"]
        key = (entry["ExternalIdentifier"] if has_identifiers else "", unit["Currency"])
        one = SentEntry(count, Decimal(str(unit[value])), tuple(unit["TaxCodes"]))
        sent.setdefault(key, []).append(one)
    booked: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for row in rows:
        key = (row.external_identifier if has_identifiers else "", row.currency)
        (net, gross), more = booked.get(key, _NOTHING), row.first_booked
        booked[key] = (net + more[0], gross + more[1])
    return tuple(Observed(tuple(entries), key[1], *booked.get(key, _NOTHING)) for key, entries in sent.items())
