"""One complete look at the service: what nobody here sent, what became of the unknown, what is there twice.

Rule: design sections 7.2 and 7.6. One walk serves all. Absence needs two complete walks; presence needs one item.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import BillReader
from etl.evidence.scan import (
    MARGIN,
    CandidateKey,
    sight,
    walk_cancelled,
    walk_items,
    walk_payments,
)
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Attempt, Part, PartKind, dumps, stamp
from etl.ledger.steps import PartKey, Steps
from etl.load import refusals
from etl.load.attempted import may_be, may_be_payment
from etl.load.balance import balances
from etl.load.bills import was_refused_together
from etl.load.ends import Ends
from etl.load.found import Found, find_elsewhere, find_order, find_payment, find_reversal
from etl.load.reversal import is_cancel, is_carried_out, is_gone, travels_as
from etl.load.session import Session
from etl.load.sighter import Look, Sighter, key_of
from etl.load.signs import add_copies, may_be_ours
from etl.load.unmarked import UnmarkedBills
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, State


@dataclass(slots=True)
class Survey:
    """What one complete walk decided. `absent`: orders that may be sent again."""

    at: datetime
    items: int = 0
    strangers: int = 0
    found: dict[PartKey, State] = field(default_factory=dict)
    absent: list[PartKey] = field(default_factory=list)
    gave_up: list[PartKey] = field(default_factory=list)
    held: list[PartKey] = field(default_factory=list)
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: refusals.Keep | None = None
    """What it found out about refusals of several bills."""

    def tell_copies(self, number: str, ids: Iterable[str]) -> None:
        """These ids stand in Mews for an order or one of its payments, beside those told before."""
        add_copies(self.duplicated, {number: tuple(ids)})


class Surveyor:
    """Looks at one service for one ledger. `is_busy`: whether a worker has the order in hand right now."""

    def __init__(self, session: Session, is_busy: Callable[[str], bool] = lambda _: False) -> None:
        self._ledger = session.ledger
        self._reader = session.reach.reader
        self._back = ReadBack(self._reader, most_refusals=WHATEVER_IT_COSTS)
        self._bills = session.reach.bills
        self._time = session.time
        self._service_id = session.facts.service_id
        self._store = session.facts.store
        self._settle = session.facts.settle
        self._run_id = session.facts.run_id
        self._is_busy = is_busy
        self._checkpoint = session.checkpoint
        self._sighter = Sighter(session.ledger, self._store, is_busy)

    async def survey(self, *, recheck_floor: int | None = None) -> Survey:
        """One complete walk from the watermark, or from the first attempt in doubt, and what follows from it.

        `recheck_floor`: counts this walk as a look-up of what was sent more than once, down to that many left.
        Raises: MewsError where a page can't be read (then nothing is decided), IncompleteError where Mews shows that
        somebody else posted, cancelled or reversed orders of this store.
        """
        look = await self._begin()
        await self._walk(look)
        self._sighter.adopt_unmarked(look)
        await self._judge_copies(look)
        # Met itself and reversed as well: another ledger found it, and undid it. The undo entries alone prove nothing.
        look.signs.reversed.update((key[0], None) for key in look.present if key in look.in_doubt_undone)
        if look.signs.lacks_orders:
            self._sighter.see_sent_meanwhile(look)
            # Nothing can be decided from this ledger; what is there twice is told all the same, and the watermark stays.
            raise look.signs.error(self._store, self._note_copies(look))
        rows = await self._read_found(look)
        # After the last page, and never behind Mews: the second look counts from here, so that reads which lag can't
        # make both looks miss the same commit.
        ended = self._time.latest()
        self._checkpoint("survey.complete")
        result = self._decide(look, rows, ended, recheck_floor)
        self._checkpoint("survey.recorded")
        # After the decision is on disk: copies are told, and take nothing back of what is certain.
        if look.signs.copied:
            raise look.signs.error(self._store, result.duplicated)
        return result

    def due(self, *, all_of_them: bool) -> datetime | None:
        """Mews's time at which a walk can decide on an unknown part (or on all of them); None if none is open."""
        times = [self._due(part) for part in self._ledger.unsettled() if not part.held and part.settle_from]
        if not times:
            return None
        return max(times) if all_of_them else min(times)

    def _due(self, part: Part) -> datetime:
        if part.unseen_at is not None:
            return part.unseen_at + self._settle / 2
        if part.settle_from is None:
            return self._time.now() + self._settle
        return part.settle_from + self._settle

    async def _begin(self) -> Look:
        # Time, then ledger, then pages. What settles from a moment before `started` can't arrive behind the walk; what a
        # worker puts in doubt after the list was read is none of this walk's.
        started = await self._time.sync()
        unknown = [part for part in self._ledger.unsettled() if not self._is_busy(part.number)]
        rechecks = [part for part in self._ledger.to_recheck() if not self._is_busy(part.number)]
        attempts = {
            key_of(part): self._ledger.attempts(part.number, generation=part.generation, part=part.part)
            for part in unknown
            if _is_order(part) or travels_as(part) is PartKind.PAYMENT
        }
        return Look(started, unknown, rechecks, attempts, UnmarkedBills(self._ledger, self._store))

    async def _walk(self, look: Look) -> None:
        watermark = self._ledger.watermark()
        in_doubt = [*look.unknown, *look.rechecks]
        start = None
        if watermark is not None:
            start = min([watermark, *_first_sends(in_doubt, PartKind.ORDER)])
        keys = _candidate_keys(attempt for attempts in look.attempts.values() for attempt in attempts)
        async for page in walk_items(self._reader, self._service_id, start, look.started):
            self._sighter.see_page(look, page, sight(page, self._store, look.seen, keys))
        if watermark is not None:
            # What was cancelled may have been created long before.
            async for page in walk_cancelled(self._reader, self._service_id, watermark, look.started):
                self._sighter.see_cancelled(look, page)
        if self._bills is not None:
            await self._walk_closings(look, self._bills, keys)
        sends = _first_sends(in_doubt, PartKind.PAYMENT)
        if watermark is not None and self._ledger.has_payments():
            # An old copy of the ledger may know an order and not its payments.
            sends.append(watermark)
        if sends:
            async for payments in walk_payments(self._reader, min(sends), look.started):
                self._sighter.see_payments(look, payments)
            look.walked_payments = True

    async def _walk_closings(self, look: Look, bills: BillReader, keys: frozenset[CandidateKey]) -> None:
        """Where bills in doubt must be, if they are anywhere: the time of a bill's last change proves no absence.

        Nor does it prove that an unmarked bill is the only one of its kind.
        """
        due = [part for part in look.unknown if part.settle_from and look.started >= part.settle_from + self._settle]
        moments = look.unmarked.closings()
        for key in map(key_of, (*due, *look.rechecks)):
            attempts = look.attempts.get(key) or self._ledger.attempts(key[0], generation=key[1], part=key[2])
            moments.update(attempt.consumption for attempt in attempts if attempt.consumption is not None)
            look.closings.add(key)
        async for page in bills.closed_at(moments):
            self._sighter.see_page(look, page, sight(page, self._store, look.seen, keys))

    async def _judge_copies(self, look: Look) -> None:
        """Which copies are this ledger's own doing, and which are none: the ledger has another OrderId for it."""
        orders = self._ledger.lookup({number for number, _, _ in look.extra})
        for key, ids in list(look.extra.items()):
            number, generation, name = key
            known, *copies = ids
            attempts = self._ledger.attempts(number, generation=generation, part=name)
            if name == ORDER_PART and len(copies) == 1 and await self._is_nowhere(known, attempts):
                del look.extra[key]
                look.elsewhere[key] = copies[0]
            elif not set(copies) <= set(orders[number].duplicates) and not may_be_ours(attempts, len(ids)):
                look.signs.copied[number] = None
        for order_key, order_ids in look.present.items():
            if len(order_ids) > 1:
                look.present[order_key] = await self._that_charge(order_ids)
        for key, count in _found_often(look):
            # In doubt until now: what this ledger sent explains no more than so many.
            if not may_be_ours(self._ledger.attempts(key[0], generation=key[1], part=key[2]), count):
                look.signs.copied[key[0]] = None

    async def _that_charge(self, order_ids: Iterable[str]) -> dict[str, None]:
        """Those of the OrderIds of one order of which something stands: a cancelled copy charges nobody.

        All of them where nothing of any stands. Their items are read whole: a walk may have met some of them only.
        """
        ids = dict.fromkeys(order_ids)
        read = await self._back.items(list(ids))
        return {one: None for one in ids if not all(row.is_canceled for row in read.get(one, ()))} or ids

    async def _is_nowhere(self, order_id: str, attempts: Sequence[Attempt]) -> bool:
        """Whether Mews, asked for this OrderId, has nothing, though its reads can't lag that far behind."""
        if not attempts or self._time.now() < max(one.over_at for one in attempts) + self._settle / 2:
            return False
        return not await self._back.items_of(order_id)

    def _note_copies(self, look: Look) -> dict[str, tuple[str, ...]]:
        """What is there twice, on disk. Shape: ids by number."""
        with self._ledger.steps({number for number, _, _ in look.extra}) as steps:
            return _duplicate(steps, look)

    async def _read_found(self, look: Look) -> dict[str, list[OrderItemRow]]:
        """All items of the orders found: a walk may have met only those inside its window."""
        seen = (*look.present.values(), *look.undone.values())
        for parts in self._ledger.parts({number for number, _, _ in look.undone}).values():
            look.targets.update((key_of(part), part.target) for part in parts if key_of(part) in look.undone)
        cancelled = [part.target for part in look.unknown if is_cancel(part)]
        more = (*look.elsewhere.values(), *filter(None, (*look.targets.values(), *cancelled)))
        ids = list(dict.fromkeys((*(order_id for order_ids in seen for order_id in order_ids), *more)))
        read = await self._back.items(ids)
        return {
            order_id: list({**look.rows.get(order_id, {}), **{row.id: row for row in read.get(order_id, ())}}.values())
            for order_id in ids
        }

    def _decide(
        self, look: Look, rows: dict[str, list[OrderItemRow]], ended: datetime, recheck_floor: int | None
    ) -> Survey:
        result = Survey(look.started, look.seen.items, look.seen.strangers)
        numbers = {part.number for part in (*look.unknown, *look.rechecks)}
        numbers.update(number for number, _ in look.present)
        numbers.update(number for number, _, _ in (*look.undone, *look.payments, *look.extra, *look.elsewhere))
        with self._ledger.steps(numbers) as steps:
            met = _Met(self._ledger, steps, self._run_id, rows, result)
            for key, order_ids in look.present.items():
                met.order((*key, ORDER_PART), order_ids)
            for part_key, order_ids in look.undone.items():
                met.reversal(part_key, order_ids, look.targets)
            for part in filter(is_cancel, look.unknown):
                met.cancellation(part)
            for number, copies in _duplicate(steps, look).items():
                result.tell_copies(number, copies)
            for part_key, payments in look.payments.items():
                met.payment(part_key, payments)
            met.conclude()
            for part in look.unknown:
                self._not_found(steps, look, part, ended, result)
            for (number, generation, _), order_id in look.elsewhere.items():
                find_elsewhere(steps, number, generation, order_id, rows[order_id])
            result.refusals = refusals.judge(steps, self._ledger, (*result.absent, *result.gave_up))
            if recheck_floor is not None:
                done = [part for part in look.rechecks if travels_as(part) is PartKind.ORDER or look.walked_payments]
                steps.rechecked([key_of(part) for part in done], recheck_floor)
            # In the transaction of the decisions that rest on the same pages, and back by the time that reads may lag.
            steps.meta("watermark", stamp(self._vouched(look)))
        return result

    def _vouched(self, look: Look) -> datetime:
        """Until when this look vouches: not for what it passed over, but never less than those before it."""
        until = look.started - self._settle
        before = self._ledger.watermark()
        since = min(filter(None, (until, look.passed_over_since)))
        return max(since, min(before or since, until))

    def _not_found(self, steps: Steps, look: Look, part: Part, ended: datetime, result: Survey) -> None:
        key = key_of(part)
        if key in result.found or steps.part_state(*key) is not State.UNKNOWN or part.settle_from is None:
            return
        if part.number in look.passed_over:
            # Somebody took it in hand while this walk was under way: what the walk met of it proves nothing here.
            return
        candidates = self._candidates(look, part) if _is_order(part) else self._loose_payments(look, part)
        if candidates:
            steps.hold(*key, candidates)
            result.held.append(key)
            return
        if look.started < part.settle_from + self._settle:
            return
        if self._bills is not None and key not in look.closings:
            return
        if part.unseen_at is None:
            steps.miss(*key, part.seq, proved=False, at=ended)
        elif look.started >= part.unseen_at + self._settle / 2:
            # Mews refused the whole request, and said so: nothing of it was ever lost on its way.
            was_refused = was_refused_together(look.attempts.get(key, ()))
            state = steps.miss(*key, part.seq, proved=True, at=ended, counts=not was_refused)
            (result.gave_up if state is State.REJECTED else result.absent).append(key)

    def _candidates(self, look: Look, part: Part) -> str:
        """Unmarked orders in Mews that could be this one, with both sides, for a person."""
        for attempt in look.attempts.get(key_of(part), ()):
            likely = [order_id for order_id, rows in look.seen.candidates.items() if may_be(attempt, rows)]
            if likely:
                return dumps(
                    {
                        "sent": attempt.payload,
                        "sent_at": stamp(attempt.sent_at),
                        "mews": {
                            order_id: [
                                {"name": row.name, "count": row.count, "gross": row.gross, "net": row.net}
                                for row in look.seen.candidates[order_id]
                            ]
                            for order_id in likely
                        },
                    }
                )
        return ""

    def _loose_payments(self, look: Look, part: Part) -> str:
        """Unmarked payments in Mews that could be this one, with both sides, for a person."""
        if look.shows_payment_marks:
            return ""
        for attempt in look.attempts.get(key_of(part), ()):
            likely = [row for row in look.loose.values() if may_be_payment(attempt, row)]
            if likely:
                return dumps(
                    {
                        "sent": attempt.payload,
                        "sent_at": stamp(attempt.sent_at),
                        "mews": {row.id: {"type": row.external_type, "gross": row.gross} for row in likely},
                    }
                )
        return ""


class _Met:
    """Records what of the parts in doubt was met, within one transaction. `rows`: the items by OrderId.

    Effects: `result` tells the states, and what is there twice.
    """

    def __init__(
        self, ledger: Ledger, steps: Steps, run_id: str, rows: Mapping[str, list[OrderItemRow]], result: Survey
    ) -> None:
        self._ledger = ledger
        self._steps = steps
        self._run_id = run_id
        self._rows = rows
        self._result = result
        self._ends = Ends(steps)

    def order(self, key: PartKey, order_ids: Collection[str]) -> None:
        """An order."""
        attempts = self._sent(key)
        if attempts is None:
            return
        orders = {one: self._rows[one] for one in order_ids}
        found = find_order(self._steps, key, attempts, orders, self._run_id)
        self._tell(key, found, order_ids)
        if is_gone(orders[found.mews_id]):
            self._ends.order_gone(key, orders[found.mews_id])

    def reversal(self, key: PartKey, order_ids: Collection[str], targets: Mapping[PartKey, str]) -> None:
        """The opposite of an order: it must be what was sent, and leave nothing of the order. `targets`: what each reverses."""
        attempts = self._sent(key)
        if attempts is None:
            return
        order, undos = self._rows.get(targets[key], []), {one: self._rows[one] for one in order_ids}
        # Of an order that Mews does not show, nothing can be said but that this was sent.
        is_balanced = not order or any(balances(order, undo) for undo in undos.values())
        found = find_reversal(self._steps, key, attempts, undos, self._run_id, is_balanced=is_balanced)
        self._tell(key, found, order_ids)
        self._ends.reversal(key, found, order, undos[found.mews_id])

    def cancellation(self, part: Part) -> None:
        """What an undo cancelled, its answer lost: its items alone show it. None of it is undone while one stands."""
        key, rows = key_of(part), self._rows.get(part.target, [])
        attempts = self._sent(key)
        if attempts is None or not is_carried_out(part, attempts, rows):
            return
        self._result.found[key] = self._steps.see_undo(
            *key, mews_id=part.target, target=part.target, run_id=self._run_id
        )
        if is_gone(rows) and self._steps.mews_id(*key[:2]) == part.target:
            self._ends.order_gone(key, rows)

    def payment(self, key: PartKey, rows: Mapping[str, PaymentRow]) -> None:
        """A payment, or what pays one back. `rows`: by PaymentId."""
        attempts = self._sent(key)
        if attempts is None:
            # Known meanwhile: how often it is there is told all the same.
            self._tell_copies(key, rows)
            return
        found = find_payment(self._steps, key, attempts, list(rows.values()), self._run_id)
        self._tell(key, found, rows)
        self._ends.payment(key, found)

    def conclude(self) -> None:
        """What is left of the orders that were taken back."""
        self._result.found.update(self._ends.conclude(self._result.found))

    def _sent(self, key: PartKey) -> list[Attempt] | None:
        """What was sent of a part in doubt; None of what is known meanwhile, or in hand."""
        state = self._steps.part_state(*key)
        if state is None or state in IN_MEWS or state is State.IN_FLIGHT:
            return None
        number, generation, part = key
        return self._ledger.attempts(number, generation=generation, part=part)

    def _tell(self, key: PartKey, found: Found, ids: Collection[str]) -> None:
        self._result.found[key] = found.state
        self._tell_copies(key, ids)

    def _tell_copies(self, key: PartKey, ids: Collection[str]) -> None:
        if len(ids) > 1:
            self._steps.duplicate(key[0], ids)
            self._result.tell_copies(key[0], ids)


def _found_often(look: Look) -> Iterator[tuple[PartKey, int]]:
    """What was in doubt and is there more than once."""
    yield from (((*key, ORDER_PART), len(ids)) for key, ids in look.present.items() if len(ids) > 1)
    yield from ((key, len(ids)) for key, ids in look.undone.items() if len(ids) > 1)
    yield from ((key, len(rows)) for key, rows in look.payments.items() if len(rows) > 1)


def _duplicate(steps: Steps, look: Look) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for (number, _, _), ids in look.extra.items():
        found.setdefault(number, {}).update(ids)
    for number, ids in found.items():
        steps.duplicate(number, filter(None, ids))
    return {number: tuple(ids) for number, ids in found.items()}


def _first_sends(parts: Iterable[Part], kind: PartKind) -> list[datetime]:
    return [
        part.first_sent_at - MARGIN for part in parts if travels_as(part) is kind and part.first_sent_at is not None
    ]


def _candidate_keys(attempts: Iterable[Attempt]) -> frozenset[CandidateKey]:
    """Under what an unmarked item of one of these attempts would be found."""
    return frozenset(
        (attempt.account_id, attempt.consumption.replace(microsecond=0))
        for attempt in attempts
        if attempt.consumption is not None
    )


def _is_order(part: Part) -> bool:
    """Whether an `orders/add` is in doubt: an order, or the opposite of one."""
    return travels_as(part) is PartKind.ORDER and not is_cancel(part)
