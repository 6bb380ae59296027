"""One complete look at the service: what nobody here sent, what became of the unknown, what is there twice.

Rule: design sections 7.2 and 7.6. One walk serves all. Absence needs two complete walks; presence needs one item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.errors import LedgerError
from etl.load.compare import Finding, compare_items, compare_payment, may_be, may_be_payment
from etl.load.ledger import Checkpoint, Ledger
from etl.load.ports import Reader
from etl.load.records import ORDER_PART, Attempt, Part, PartKind, dumps, stamp
from etl.load.reversal import OPPOSITE, is_cancel, sight_undos, target_of, travels_as, what_of
from etl.load.scan import (
    MARGIN,
    MewsTime,
    OrderKey,
    Sighted,
    candidate_keys,
    items_of,
    payment_part,
    sight,
    walk_items,
    walk_payments,
)
from etl.load.steps import PartKey, Steps
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, PLANNED, State

EXAMPLES = 10


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


@dataclass(slots=True)
class _Look:
    """What one walk is after, and what it has met so far."""

    started: datetime
    unknown: list[Part]
    rechecks: list[Part]
    attempts: dict[PartKey, list[Attempt]]
    seen: Sighted = field(default_factory=Sighted)
    present: dict[OrderKey, dict[str, None]] = field(default_factory=dict)
    extra: dict[OrderKey, dict[str, None]] = field(default_factory=dict)
    undone: dict[PartKey, dict[str, None]] = field(default_factory=dict)
    rows: dict[str, dict[str, OrderItemRow]] = field(default_factory=dict)
    foreign: dict[str, None] = field(default_factory=dict)
    payments: dict[PartKey, dict[str, PaymentRow]] = field(default_factory=dict)
    walked_payments: bool = False
    loose: dict[str, PaymentRow] = field(default_factory=dict)
    """Payments without a mark of ours that may be one in doubt, by id."""
    shows_payment_marks: bool = False
    """A payment of ours came back with its mark: one without can't be ours."""


class Surveyor:
    """Looks at one service for one ledger. `is_busy`: whether a worker has the order in hand right now."""

    def __init__(
        self,
        ledger: Ledger,
        reader: Reader,
        time: MewsTime,
        *,
        service_id: str,
        store: str,
        settle: timedelta,
        run_id: str,
        is_busy: Callable[[str], bool] = lambda _: False,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._time = time
        self._service_id = service_id
        self._store = store
        self._settle = settle
        self._run_id = run_id
        self._is_busy = is_busy
        self._checkpoint = checkpoint

    async def survey(self, *, recheck_floor: int | None = None) -> Survey:
        """One complete walk from the watermark, or from the first attempt in doubt, and what follows from it.

        `recheck_floor`: counts this walk as a look-up of what was sent more than once, down to that many left.
        Raises: MewsError where a page can't be read (then nothing is decided), LedgerError `ledger.incomplete`
        where Mews holds orders of this store that the ledger never sent.
        """
        look = await self._begin()
        await self._walk(look)
        if look.foreign:
            raise _incomplete(list(look.foreign), self._store)
        rows = await self._read_found(look)
        ended = self._time.latest()
        self._checkpoint("survey.complete")
        result = self._decide(look, rows, ended, recheck_floor)
        self._checkpoint("survey.recorded")
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

    async def _begin(self) -> _Look:
        started = await self._time.sync()
        unknown = [part for part in self._ledger.unsettled() if not self._is_busy(part.number)]
        rechecks = [part for part in self._ledger.to_recheck() if not self._is_busy(part.number)]
        attempts = {
            (part.number, part.generation, part.part): self._ledger.attempts(
                part.number, generation=part.generation, part=part.part
            )
            for part in unknown
            if _is_order(part) or travels_as(part) is PartKind.PAYMENT
        }
        return _Look(started, unknown, rechecks, attempts)

    async def _walk(self, look: _Look) -> None:
        watermark = self._ledger.watermark()
        in_doubt = [*look.unknown, *look.rechecks]
        start = None
        if watermark is not None:
            start = min([watermark, *_first_sends(in_doubt, PartKind.ORDER)])
        keys = candidate_keys(attempt for attempts in look.attempts.values() for attempt in attempts)
        async for page in walk_items(self._reader, self._service_id, start, look.started):
            self._see_page(look, page, sight(page, self._store, look.seen, keys))
        sends = _first_sends(in_doubt, PartKind.PAYMENT)
        if watermark is not None and self._ledger.has_payments():
            # An old copy of the ledger may know an order and not its payments.
            sends.append(watermark)
        if sends:
            async for payments in walk_payments(self._reader, min(sends), look.started):
                self._see_payments(look, payments)
            look.walked_payments = True

    def _see_page(self, look: _Look, page: list[OrderItemRow], found: dict[OrderKey, dict[str, None]]) -> None:
        undos = sight_undos(page, self._store)
        parts = self._ledger.parts({number for number, _ in (*found, *undos)}) if found or undos else {}
        wanted: set[str] = set()
        for key, order_ids in found.items():
            number, generation = key
            if self._is_busy(number):
                continue
            part = _order_part(parts.get(number, ()), generation)
            if part is None or (part.state in PLANNED and part.seq == 0):
                look.foreign[number] = None
            elif part.state in IN_MEWS:
                known = {part.mews_id, *_reversed(parts.get(number, ()), generation)}
                # A copy that was cancelled or reversed charges nobody.
                copies = [order_id for order_id in order_ids if order_id not in known and _charges(page, order_id)]
                if copies:
                    look.extra.setdefault(key, {part.mews_id: None}).update(dict.fromkeys(copies))
            elif part.state is not State.IN_FLIGHT:
                look.present.setdefault(key, {}).update(order_ids)
                wanted.update(order_ids)
        for key, orders in undos.items():
            wanted |= self._see_undos(look, key, orders, parts.get(key[0], ()))
        if wanted:
            for row in page:
                if row.order_id in wanted:
                    look.rows.setdefault(row.order_id, {})[row.id] = row

    def _see_undos(
        self, look: _Look, key: OrderKey, orders: dict[str, list[OrderItemRow]], parts: Sequence[Part]
    ) -> set[str]:
        """Undo orders on a page: the known, the lost, those there twice. Shape: OrderIds whose rows are wanted."""
        if self._is_busy(key[0]):
            return set()
        undos = [part for part in parts if part.generation == key[1] and part.kind is PartKind.UNDO]
        mine = [part for part in undos if what_of(part) == OPPOSITE]
        order = _order_part(parts, key[1])
        wanted = set()
        for order_id, rows in orders.items():
            target = target_of(rows[0].notes)
            fitting = [part for part in mine if target in ("", part.fingerprint)]
            lost = [part for part in fitting if part.state not in IN_MEWS and part.seq]
            if any(part.mews_id == order_id for part in mine):
                continue
            if lost:
                if lost[0].state is not State.IN_FLIGHT:
                    look.undone.setdefault(_key(lost[0]), {})[order_id] = None
                    wanted.add(order_id)
            elif fitting and fitting[0].mews_id:
                if _charges(rows, order_id):
                    look.extra.setdefault(key, {fitting[0].mews_id: None})[order_id] = None
            elif order is not None and order.state in IN_MEWS:
                # Undo entries prove no presence; but they prove that another ledger knows more than this one.
                look.foreign[key[0]] = None
        return wanted

    def _see_payments(self, look: _Look, page: Iterable[PaymentRow]) -> None:
        wanted = {_key(part) for part in (*look.unknown, *look.rechecks)}
        unmarked = [
            attempt
            for part in look.unknown
            if travels_as(part) is PartKind.PAYMENT
            for attempt in look.attempts.get(_key(part), ())
        ]
        others: dict[PartKey, dict[str, PaymentRow]] = {}
        for row in page:
            found = payment_part(row)
            if found is None:
                if any(may_be_payment(attempt, row) for attempt in unmarked):
                    look.loose[row.id] = row
                continue
            look.shows_payment_marks = True
            identity, part = found
            key = (identity.number, identity.generation, f"undo:{part}" if identity.is_undo else part)
            if identity.store != self._store:
                continue
            if key in wanted:
                look.payments.setdefault(key, {})[row.id] = row
            elif not identity.is_undo and not self._is_busy(identity.number):
                others.setdefault(key, {})[row.id] = row
        parts = self._ledger.parts({number for number, _, _ in others}) if others else {}
        for key, rows in others.items():
            self._see_payment(look, key, rows, parts.get(key[0], ()))

    def _see_payment(self, look: _Look, key: PartKey, rows: dict[str, PaymentRow], parts: Sequence[Part]) -> None:
        """A payment that nobody is in doubt about: unknown to the ledger, lost by it, or there twice."""
        part = next((part for part in parts if _key(part) == key), None)
        if part is None or (part.state in PLANNED and part.seq == 0):
            look.foreign[key[0]] = None
        elif part.state in IN_MEWS:
            copies = [row.id for row in rows.values() if row.id != part.mews_id and not row.is_canceled]
            if copies:
                look.extra.setdefault(key[:2], {part.mews_id: None}).update(dict.fromkeys(copies))
        elif part.state is not State.IN_FLIGHT:
            look.payments.setdefault(key, {}).update(rows)

    async def _read_found(self, look: _Look) -> dict[str, list[OrderItemRow]]:
        """All items of the orders found: a walk may have met only those inside its window."""
        seen = (*look.present.values(), *look.undone.values())
        ids = list(dict.fromkeys(order_id for order_ids in seen for order_id in order_ids))
        read = await items_of(self._reader, ids) if ids else {}
        return {
            order_id: list({**look.rows.get(order_id, {}), **{row.id: row for row in read.get(order_id, ())}}.values())
            for order_id in ids
        }

    def _decide(
        self, look: _Look, rows: dict[str, list[OrderItemRow]], ended: datetime, recheck_floor: int | None
    ) -> Survey:
        result = Survey(look.started, look.seen.items, look.seen.strangers)
        numbers = {part.number for part in (*look.unknown, *look.rechecks)}
        numbers.update(number for number, _ in (*look.present, *look.extra))
        numbers.update(number for number, _, _ in (*look.undone, *look.payments))
        with self._ledger.steps(numbers) as steps:
            for key, order_ids in look.present.items():
                self._found(steps, key, list(order_ids), rows, result)
            for part_key, order_ids in look.undone.items():
                self._found_undo(steps, part_key, list(order_ids), rows, result)
            for key, order_ids in look.extra.items():
                steps.duplicate(key[0], filter(None, order_ids))
                result.duplicated[key[0]] = tuple(order_ids)
            for part_key, payments in look.payments.items():
                self._found_payment(steps, part_key, list(payments.values()), result)
            for part in look.unknown:
                self._not_found(steps, look, part, ended, result)
            if recheck_floor is not None:
                done = [part for part in look.rechecks if travels_as(part) is PartKind.ORDER or look.walked_payments]
                steps.rechecked([_key(part) for part in done], recheck_floor)
            steps.meta("watermark", stamp(look.started - self._settle))
        return result

    def _found(
        self,
        steps: Steps,
        key: OrderKey,
        order_ids: list[str],
        rows: dict[str, list[OrderItemRow]],
        result: Survey,
    ) -> None:
        number, generation = key
        state = steps.part_state(number, generation)
        if state is None or state in IN_MEWS or state is State.IN_FLIGHT:
            return
        attempts = self._ledger.attempts(number, generation=generation, part=ORDER_PART)
        order_id, attempt, finding = _best(attempts, order_ids, rows)
        result.found[(number, generation, ORDER_PART)] = steps.find(
            number,
            generation,
            ORDER_PART,
            mews_id=order_id,
            differences=finding.differences,
            fingerprint=attempt.fingerprint,
            run_id=self._run_id,
            sent_by=attempt.run_id,
        )
        if len(order_ids) > 1:
            steps.duplicate(number, order_ids)
            result.duplicated[number] = tuple(order_ids)

    def _found_undo(
        self, steps: Steps, key: PartKey, order_ids: list[str], rows: dict[str, list[OrderItemRow]], result: Survey
    ) -> None:
        state = steps.part_state(*key)
        if state is None or state in IN_MEWS or state is State.IN_FLIGHT:
            return
        number, generation, part = key
        attempts = self._ledger.attempts(number, generation=generation, part=part)
        order_id, attempt, finding = _best(attempts, order_ids, rows)
        result.found[key] = steps.find(
            number,
            generation,
            part,
            mews_id=order_id,
            differences=finding.differences,
            fingerprint=attempt.fingerprint,
            run_id=self._run_id,
            sent_by=attempt.run_id,
        )
        if len(order_ids) > 1:
            steps.duplicate(number, order_ids)
            result.duplicated[number] = tuple(order_ids)

    def _found_payment(self, steps: Steps, key: PartKey, rows: list[PaymentRow], result: Survey) -> None:
        number, generation, part = key
        state = steps.part_state(number, generation, part)
        if len(rows) > 1:
            steps.duplicate(number, [row.id for row in rows])
            result.duplicated[number] = tuple(row.id for row in rows)
        if state is None or state in IN_MEWS or state is State.IN_FLIGHT:
            return
        attempt = self._ledger.attempts(number, generation=generation, part=part)[-1]
        finding = compare_payment(attempt.payload, attempt.basis, rows[0])
        result.found[key] = steps.find(
            number,
            generation,
            part,
            mews_id=rows[0].id,
            differences=finding.differences,
            fingerprint=attempt.fingerprint,
            run_id=self._run_id,
            sent_by=attempt.run_id,
        )

    def _not_found(self, steps: Steps, look: _Look, part: Part, ended: datetime, result: Survey) -> None:
        key = _key(part)
        if key in result.found or steps.part_state(*key) is not State.UNKNOWN or part.settle_from is None:
            return
        candidates = self._candidates(look, part) if _is_order(part) else self._loose_payments(look, part)
        if candidates:
            steps.hold(*key, candidates)
            result.held.append(key)
            return
        if look.started < part.settle_from + self._settle:
            return
        if part.unseen_at is None:
            steps.miss(*key, part.seq, proved=False, at=ended)
        elif look.started >= part.unseen_at + self._settle / 2:
            state = steps.miss(*key, part.seq, proved=True, at=ended)
            (result.gave_up if state is State.REJECTED else result.absent).append(key)

    def _candidates(self, look: _Look, part: Part) -> str:
        """Unmarked orders in Mews that could be this one, with both sides, for a person."""
        for attempt in look.attempts.get(_key(part), ()):
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

    def _loose_payments(self, look: _Look, part: Part) -> str:
        """Unmarked payments in Mews that could be this one, with both sides, for a person."""
        if look.shows_payment_marks:
            return ""
        for attempt in look.attempts.get(_key(part), ()):
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


def _best(
    attempts: list[Attempt], order_ids: list[str], rows: dict[str, list[OrderItemRow]]
) -> tuple[str, Attempt, Finding]:
    """The order that is what an attempt sent, newest attempt first; else the first with its differences."""
    worst: tuple[str, Attempt, Finding] | None = None
    for order_id in order_ids:
        for attempt in reversed(attempts):
            finding = compare_items(attempt.payload, attempt.basis, rows.get(order_id, ()))
            if finding.is_equal:
                return order_id, attempt, finding
            worst = worst or (order_id, attempt, finding)
    if worst is None:
        raise LedgerError("an order in doubt has no attempt on record", code="ledger.corrupt")
    return worst


def _order_part(parts: Iterable[Part], generation: int) -> Part | None:
    return next((part for part in parts if part.generation == generation and part.part == ORDER_PART), None)


def _first_sends(parts: Iterable[Part], kind: PartKind) -> list[datetime]:
    return [
        part.first_sent_at - MARGIN for part in parts if travels_as(part) is kind and part.first_sent_at is not None
    ]


def _key(part: Part) -> PartKey:
    return part.number, part.generation, part.part


def _is_order(part: Part) -> bool:
    """Whether an `orders/add` is in doubt: an order, or the opposite of one."""
    return travels_as(part) is PartKind.ORDER and not is_cancel(part)


def _reversed(parts: Iterable[Part], generation: int) -> set[str]:
    """OrderIds that this ledger balanced by their opposite."""
    return {
        part.fingerprint
        for part in parts
        if (part.kind, part.generation, part.state) == (PartKind.UNDO, generation, State.POSTED)
        and what_of(part) == OPPOSITE
    }


def _charges(rows: Iterable[OrderItemRow], order_id: str) -> bool:
    return any(row.order_id == order_id and not row.is_canceled for row in rows)


def _incomplete(numbers: list[str], store: str) -> LedgerError:
    examples = ", ".join(numbers[:EXAMPLES])
    return LedgerError(
        f"Mews holds {len(numbers)} orders of store {store!r} that this ledger never sent, such as {examples}: "
        "the ledger is lost, old or a copy",
        code="ledger.incomplete",
        hint="Use the right ledger, or run `centra-mews recover`, which completes this one from Mews.",
    )
