"""Undoing: what a run posted is cancelled, or balanced by its exact opposite; whatever fails, never twice.

Rule: design sections 2, 5 and 7. Looking at Mews decides what is left to reverse. Every request is on disk before its
first byte, like those of a run; an unclear answer is settled by complete scans before anything else is sent for the
order, because a cancellation that was processed after all and an opposite would reverse it twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from etl.errors import EtlError, ExitCode, InternalError, LedgerError, MewsError, StoppedError, UsageError
from etl.load.breaker import Breaker
from etl.load.commit import Committer
from etl.load.ledger import Checkpoint, Ledger
from etl.load.ports import BeforeSend, Limiter, Reader, Sleep, Writer
from etl.load.poster import TAKEOVER_SECONDS
from etl.load.records import ORDER_PART, Attempt, Clock, LedgerOrder, Part, PartKind, dumps
from etl.load.reversal import (
    CANCEL,
    OPPOSITE,
    CantReverseError,
    Rules,
    closed,
    copy_of,
    has_money,
    is_cancel,
    is_gone,
    live,
    opposite_order,
    opposite_payment,
    parent_of,
    undo_part,
    what_of,
)
from etl.load.scan import ID_CHUNK, MARGIN, MewsTime, Progress, Sighted, identity_of, sight, walk_items
from etl.load.signs import IncompleteError
from etl.load.steps import Intent, NotReady
from etl.load.stop import StopFlag
from etl.load.survey import Surveyor
from etl.model.identity import RECIPE_VERSION, Identity, content_hash, parse_identifier
from etl.model.outcome import Kind, Outcome
from etl.model.plan import Basis
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, State

CANCEL_AT_ONCE = 10
"""Most ids that `orderItems/cancel` takes."""
CHUNK = 100
PASSES = 12
CONFLICT_TRIES = 4
SURVEY_TRIES = 4
CANCEL_REFUSALS = 3
"""So many orders whose items stand open, none of which could be cancelled: cancelling is not for this integration."""
_REFUSED_READ = "mews.refused"
_FINAL = ("mews.credentials", "mews.address", _REFUSED_READ)


class UndoWriter(Writer, Protocol):
    """What changes something in Mews."""

    async def cancel_items(self, item_ids: Sequence[str], *, before_send: BeforeSend | None = None) -> Outcome:
        """`orderItems/cancel` of at most 10 items."""
        ...


class UndoReader(Reader, Protocol):
    """What reads it, payments by their ids too."""

    def payments(
        self,
        *,
        created: tuple[datetime, datetime] | None = None,
        account_ids: Sequence[str] | None = None,
        payment_ids: Sequence[str] | None = None,
    ) -> Any:
        """`payments/getAll`, page by page."""
        ...


class Ending(StrEnum):
    """What became of one order."""

    REVERSED = "reversed"
    ALREADY = "already_reversed"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Target:
    """One order that is to be reversed: the copies that go, and those that stay.

    Nothing of a generation is left once no copy of it stays.
    """

    number: str
    generation: int
    order_ids: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the order itself goes, with its payments."""
        return not self.left


@dataclass(frozen=True, slots=True)
class Detail:
    """What was done about one order. `how`: cancelled, opposite, or both; "" for nothing."""

    order: str
    order_id: str
    how: str
    result: Ending
    message: str = ""


@dataclass(slots=True)
class Selection:
    """What would be undone. `money`: by currency, as the ledger has it, in the source's basis."""

    targets: list[Target] = field(default_factory=list)
    already: list[tuple[str, str]] = field(default_factory=list)
    money: dict[str, Decimal] = field(default_factory=dict)
    returns: dict[str, set[str]] = field(default_factory=dict)


@dataclass(slots=True)
class UndoResult:
    """What one undo did. `left`: orders that nothing was done about, because it ended early.

    `duplicated`: what its looks at Mews found there more than once, ids by order number.
    """

    details: list[Detail] = field(default_factory=list)
    left: int = 0
    stop: EtlError | None = None
    is_interrupted: bool = False
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def count(self, ending: Ending) -> int:
        """How many orders ended so."""
        return sum(detail.result is ending for detail in self.details)

    @property
    def exit_code(self) -> ExitCode:
        """0 only where everything chosen is reversed."""
        if self.stop is not None:
            return self.stop.exit_code
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.ATTENTION if self.count(Ending.KEPT) or self.count(Ending.FAILED) else ExitCode.DONE


class _Later(Exception):  # noqa: N818 - a signal, not an error
    """Nothing can be decided yet; `seconds` to wait at least (0: until what is unknown has settled)."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class _Failed(Exception):  # noqa: N818 - a signal, not an error
    """Something was tried, and the order is not reversed."""


class _Halted(Exception):  # noqa: N818 - a signal, not an error
    """The command ends; nothing was sent."""


@dataclass(slots=True)
class _Sending:
    """One request on its way."""

    seq: int = 0
    is_intended: bool = False
    granted_at: float = 0.0


@dataclass(slots=True)
class _Work:
    """One order in hand. `parts` of its generation by name, `attempts` of its posting, oldest first."""

    target: Target
    row: LedgerOrder
    parts: dict[str, Part]
    attempts: list[Attempt]
    how: dict[str, None] = field(default_factory=dict)
    has_changed: bool = False

    @property
    def number(self) -> str:
        return self.target.number

    def undo_parts(self) -> list[Part]:
        return [part for part in self.parts.values() if part.kind is PartKind.UNDO]

    def original(self, name: str, mews_id: str) -> dict[str, Any]:
        """The payload that posted a part; nothing where `recover` found it."""
        mine = [one for one in self.attempts if one.part == name]
        answered = [one for one in mine if one.mews_id == mews_id]
        for attempt in reversed(answered or mine):
            return dict(attempt.payload)
        return {}


class Undoer:
    """Reverses what the ledger says is posted. Shape: `choose`, then `run` once. Needs the ledger's lock.

    `window_start`: Mews's now -> the earliest consumption that Mews takes then. `may_rebate`: whether negative
    amounts may be posted. `flat_codes`: tax codes that are an amount a piece.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        writer: UndoWriter,
        reader: UndoReader,
        limiter: Limiter,
        clock: Clock,
        sleep: Sleep,
        rng: random.Random,
        identity_store: str,
        service_id: str,
        settle_seconds: Decimal,
        concurrency: int,
        run_id: str,
        basis: Basis,
        may_rebate: bool,
        window_start: Callable[[datetime], datetime],
        stop: StopFlag,
        flat_codes: frozenset[str] = frozenset(),
        progress: Progress = lambda _stage, _done, _total: None,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._reader = reader
        self._limiter = limiter
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._store = identity_store
        self._service_id = service_id
        self._settle = timedelta(seconds=float(settle_seconds))
        self._run_id = run_id
        self._basis = basis
        self._may_rebate = may_rebate
        self._window_start = window_start
        self._flat_codes = flat_codes
        self._stop = stop
        self._progress = progress
        self._checkpoint = ledger.fatal(checkpoint)
        self._time = MewsTime(reader, clock)
        self._commit = Committer(ledger)
        self._breaker = Breaker(rng)
        self._surveyor = Surveyor(
            ledger,
            reader,
            self._time,
            service_id=service_id,
            store=identity_store,
            settle=self._settle,
            run_id=run_id,
            checkpoint=checkpoint,
        )
        self._room = asyncio.Semaphore(concurrency)
        self._halt_event = asyncio.Event()
        self._parked: set[asyncio.Future[Outcome]] = set()
        self._result = UndoResult()
        self._copied: IncompleteError | None = None
        self._has_written = False
        self._may_cancel: bool | None = None
        self._cancel_refusals = 0
        self._refused: dict[str, tuple[str, float]] = {}
        self._reversed: set[str] = set()
        self._pending: set[str] = set()
        self._returns: dict[str, set[str]] = {}
        self._done = 0
        self._total = 0

    # Choosing

    async def choose(self, run: str = "", only: Sequence[str] = (), order_ids: Sequence[str] = ()) -> Selection:
        """What these options name, after a scan that proves the ledger complete.

        Raises: UsageError for names that mean nothing, LedgerError `ledger.incomplete`, MewsError. Effects: none in
        Mews.
        """
        await self._time.sync()
        taken, mine = self._ledger.taken_from, self._ledger.holder()
        is_foreign = taken is not None and (mine is None or mine.holder.host != taken.holder.host)
        with self._ledger.steps() as steps:
            steps.start_settling(self._time.latest() + timedelta(seconds=TAKEOVER_SECONDS if is_foreign else 0))
        self._checkpoint("undo.begun")
        await self._survey()
        chosen = Selection(returns=self._all_returns())
        numbers = self._numbers_of(run, only)
        for start in range(0, len(numbers), 500):
            self._choose_orders(numbers[start : start + 500], chosen)
        if order_ids:
            await self._choose_copies(list(dict.fromkeys(order_ids)), chosen)
        # Returns go before the orders that they belong to.
        chosen.targets.sort(key=lambda target: not parent_of(target.number))
        return chosen

    def _numbers_of(self, run: str, only: Sequence[str]) -> list[str]:
        wanted = list(dict.fromkeys(only))
        if not run:
            known = self._ledger.lookup(wanted)
            _refuse_unknown([number for number in wanted if number not in known], "the ledger knows no order")
            return wanted
        mine = [row.number for row in self._ledger.orders(run_id=run)]
        if not mine:
            runs = ", ".join(record.run_id for record in self._ledger.runs() if record.command == "run") or "none"
            raise UsageError(
                f"--run: no order in the ledger was posted by {run!r}.",
                code="undo.run",
                hint=f"Runs on record: {runs}; `recovered` names the orders that recover found.",
            )
        _refuse_unknown([number for number in wanted if number not in set(mine)], f"{run} did not post order")
        return wanted or mine

    def _choose_orders(self, numbers: Sequence[str], chosen: Selection) -> None:
        rows, parts = self._ledger.lookup(numbers), self._ledger.parts(numbers)
        for number in numbers:
            row = rows[number]
            order = next((part for part in parts.get(number, ()) if _is_order(part, row.generation)), None)
            if order is None or order.state not in IN_MEWS:
                raise UsageError(
                    f"order {number} is {row.state.value}: nothing of it is known to be in Mews",
                    code="undo.not_posted",
                    hint="Only posted orders can be undone; see `centra-mews status`.",
                )
            if order.state is State.UNDONE:
                chosen.already.append((number, order.mews_id))
                continue
            copies = tuple(dict.fromkeys([order.mews_id, *row.duplicates]))
            self._add(chosen, row, Target(number, row.generation, copies), len(copies))

    def _add(self, chosen: Selection, row: LedgerOrder, target: Target, copies: int) -> None:
        chosen.targets.append(target)
        chosen.money[row.currency] = chosen.money.get(row.currency, Decimal(0)) + row.planned_total * copies

    async def _choose_copies(self, order_ids: list[str], chosen: Selection) -> None:
        read = await self._items(order_ids)
        wanted: dict[tuple[str, int], list[str]] = {}
        for order_id in order_ids:
            wanted.setdefault(self._owner(order_id, read.get(order_id, [])), []).append(order_id)
        rows = self._ledger.lookup(number for number, _ in wanted)
        parts = self._ledger.parts(number for number, _ in wanted)
        found = await self._copies(wanted, parts)
        taken = {target.number for target in chosen.targets}
        for (number, generation), ids in wanted.items():
            order = next((part for part in parts.get(number, ()) if _is_order(part, generation)), None)
            if order is None or number not in rows:
                raise LedgerError(
                    f"OrderId {ids[0]} is order {number}, which this ledger does not hold as posted",
                    code="ledger.incomplete",
                    hint="Run `centra-mews recover` first: it completes the ledger from Mews.",
                )
            if number in taken:
                continue
            left = tuple(one for one in found.get((number, generation), ()) if one not in ids)
            if order.state is State.UNDONE and not any(live(read.get(one, [])) for one in ids):
                chosen.already += [(number, one) for one in ids]
                continue
            self._add(chosen, rows[number], Target(number, generation, tuple(ids), left), len(ids))

    def _owner(self, order_id: str, rows: Sequence[OrderItemRow]) -> tuple[str, int]:
        """Whose order an OrderId is. Raises UsageError where it is not one of this store."""
        if not rows:
            raise UsageError(
                f"--order-id: Mews has no items of OrderId {order_id}.", code="undo.order_id", hint=_WHICH_ID
            )
        if any(row.service_id != self._service_id for row in rows):
            raise UsageError(
                f"--order-id: OrderId {order_id} belongs to another service.", code="undo.order_id", hint=_WHICH_ID
            )
        for row in rows:
            identity = identity_of(row)
            if identity is None:
                continue
            if identity.store != self._store:
                raise UsageError(
                    f"--order-id: OrderId {order_id} is of store {identity.store!r}.",
                    code="undo.order_id",
                    hint="Undo it with the mapping folder and the ledger of that store.",
                )
            if identity.is_undo:
                raise UsageError(
                    f"--order-id: OrderId {order_id} is itself a reversal, of order {identity.number}.",
                    code="undo.order_id",
                    hint="Post the order again with `centra-mews run --repost-undone`.",
                )
            return identity.number, identity.generation
        for part in self._ledger.parts_of(order_id):
            return part.number, part.generation
        raise UsageError(
            f"--order-id: OrderId {order_id} carries no mark of this store.",
            code="undo.order_id",
            hint="It was not posted from here; correct it in Mews.",
        )

    async def _copies(
        self, wanted: Iterable[tuple[str, int]], parts: dict[str, list[Part]]
    ) -> dict[tuple[str, int], list[str]]:
        """All OrderIds under which Mews holds these orders: one may go only if it is known what stays."""
        keys = set(wanted)
        first = [part.first_sent_at for number, _ in keys for part in parts.get(number, ()) if part.part == ORDER_PART]
        start = None if None in first or not first else min(one for one in first if one is not None) - MARGIN
        found: dict[tuple[str, int], dict[str, None]] = {}
        async for page in walk_items(self._reader, self._service_id, start, self._time.now()):
            for key, ids in sight(page, self._store, Sighted(), frozenset()).items():
                standing = {row.order_id for row in page if not row.is_canceled and has_money(row)}
                if key in keys:
                    found.setdefault(key, {}).update(dict.fromkeys(one for one in ids if one in standing))
        reversed_ids = {
            part.fingerprint
            for number, _ in keys
            for part in parts.get(number, ())
            if part.kind is PartKind.UNDO and part.state is State.POSTED and what_of(part) == OPPOSITE
        }
        return {key: [one for one in ids if one not in reversed_ids] for key, ids in found.items()}

    def _all_returns(self) -> dict[str, set[str]]:
        """Nested returns that are, or may be, in Mews, by the order that they belong to."""
        found: dict[str, set[str]] = {}
        for number in self._ledger.standing_returns():
            found.setdefault(parent_of(number), set()).add(number)
        return found

    # Running

    async def run(self, chosen: Selection) -> UndoResult:
        """Reverses what was chosen. Shape: the result, also where it stopped. Effects: sends, writes the ledger."""
        body = asyncio.ensure_future(self._body(chosen))
        leave = asyncio.ensure_future(self._stop.leaving.wait())
        listen = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait({body, leave}, return_when=asyncio.FIRST_COMPLETED)
            if body.done():
                await body
        finally:
            await _cancel([body, leave, listen])
        self._result.left = len(chosen.targets) + len(chosen.already) - len(self._result.details)
        return self._result

    async def _body(self, chosen: Selection) -> None:
        self._total = len(chosen.targets)
        self._returns = chosen.returns
        for number, order_id in chosen.already:
            self._result.details.append(Detail(number, order_id, "", Ending.ALREADY, "it was reversed before"))
        try:
            await self._passes(list(chosen.targets))
            await self._look_back()
        except (LedgerError, MewsError, StoppedError) as error:
            self._halt(error)

    async def _look_back(self) -> None:
        """Another copy of the ledger that undoes at the same time shows only afterwards: what is there twice by now?"""
        if not self._has_written or self._halt_event.is_set():
            return
        self._copied = None
        await self._survey()
        if self._copied is not None:
            raise self._copied

    async def _passes(self, targets: list[Target]) -> None:
        reasons: dict[Target, _Later] = {}
        for count in range(PASSES):
            reasons = await self._pass(targets)
            targets = list(reasons)
            if not targets or self._halt_event.is_set():
                break
            if count + 1 < PASSES:
                await self._wait(reasons.values(), is_first=count == 0)
        if not self._halt_event.is_set():
            for target, reason in reasons.items():
                self._tell(target, "", Ending.FAILED, f"{reason}; run the same command again")

    async def _pass(self, targets: list[Target]) -> dict[Target, _Later]:
        """One look at each order and what follows. Shape: those that have to wait, with the reason."""
        self._pending = {target.number for target in targets}
        later: dict[Target, _Later] = {}
        rest = list(targets)
        while rest and not self._halt_event.is_set():
            # Until it is known whether this integration may cancel, one order goes alone.
            size = 1 if self._may_cancel is None else CHUNK
            # A return and its own order are never in hand together.
            chunk = [one for one in rest[:size] if bool(parent_of(one.number)) == bool(parent_of(rest[0].number))]
            rest = rest[len(chunk) :]
            items = await self._items([order_id for target in chunk for order_id in target.order_ids])
            done = await asyncio.gather(*(self._carry(one, items) for one in chunk), return_exceptions=True)
            faults = [one for one in done if isinstance(one, BaseException) and not isinstance(one, _Later | _Halted)]
            if faults:
                # What ended the process comes before what followed from it.
                raise min(faults, key=lambda one: isinstance(one, Exception))
            later.update((target, one) for target, one in zip(chunk, done, strict=True) if isinstance(one, _Later))
        return later

    async def _carry(self, target: Target, items: dict[str, list[OrderItemRow]]) -> None:
        async with self._room:
            if self._halt_event.is_set():
                raise _Halted
            work = self._open(target)
            try:
                await self._reverse(work, items)
            except CantReverseError as reason:
                ending = Ending.FAILED if work.has_changed else Ending.KEPT
                self._tell(target, " and ".join(work.how), ending, str(reason))
            except _Failed as reason:
                self._tell(target, " and ".join(work.how), Ending.FAILED, str(reason))
            except NotReady as error:
                self._tell(target, "", Ending.FAILED, error.message)
            except (LedgerError, MewsError, StoppedError) as error:
                self._halt(error)
                raise

    def _tell(self, target: Target, how: str, ending: Ending, message: str = "") -> None:
        self._result.details.append(Detail(target.number, target.order_ids[0], how, ending, message))
        self._pending.discard(target.number)
        if ending is Ending.REVERSED and target.is_whole:
            self._reversed.add(target.number)
        self._done += 1
        self._progress("undo", self._done, self._total)

    def _open(self, target: Target) -> _Work:
        row = self._ledger.order(target.number)
        if row is None:
            raise InternalError(f"order {target.number} left the ledger", code="internal.no_order")
        parts = self._ledger.parts([target.number]).get(target.number, [])
        mine = {part.part: part for part in parts if part.generation == target.generation}
        return _Work(target, row, mine, self._ledger.attempts(target.number, generation=target.generation))

    # One order

    async def _reverse(self, work: _Work, items: dict[str, list[OrderItemRow]]) -> None:
        """Everything of one order, or nothing. Raises CantReverseError, _Failed, _Later, _Halted."""
        target = work.target
        self._check_ledger(work)
        await self._look_at_doubtful(work, items)
        # A reversal that is there twice stands among the copies, too.
        order_ids = [one for one in target.order_ids if not _is_undo(items.get(one, []))]
        for order_id in order_ids:
            self._check_items(work, order_id, self._standing(work, items.get(order_id, [])))
        payments = await self._open_payments(work) if target.is_whole else []
        # What may be refused goes first: payments, unless it is still open whether items can be cancelled.
        items_first = self._may_cancel is None
        if payments and not items_first:
            if self._may_cancel is False:
                for order_id in order_ids:
                    self._check_opposite(work, order_id, items.get(order_id, []))
            await self._reverse_payments(work, payments)
        for order_id in order_ids:
            await self._reverse_copy(work, order_id, items.get(order_id, []))
        if payments and items_first:
            await self._reverse_payments(work, payments)
        await self._finish(work)

    def _check_ledger(self, work: _Work) -> None:
        for part in work.parts.values():
            if part.kind is not PartKind.UNDO and part.state in (State.UNKNOWN, State.IN_FLIGHT):
                raise CantReverseError(
                    f"nobody knows yet whether Mews took its part {part.part}: `centra-mews run` finds out"
                )
            if part.kind is PartKind.UNDO and part.held:
                raise _Failed("something without a mark of ours looks like its reversal: compare the account in Mews")
            if part.kind is PartKind.UNDO and part.state is State.DIFFERENT:
                raise _Failed(f"its reversal {part.mews_id} is not in Mews as it was sent: {part.message}")
        if not work.target.is_whole:
            return
        standing = sorted(self._returns.get(work.number, set()) - self._reversed)
        if any(number in self._pending for number in standing):
            raise _Later(f"its return {standing[0]} is not reversed yet")
        if standing:
            raise CantReverseError(
                f"its return {', '.join(standing)} is in Mews: undo it too, or first (--only {standing[0]})"
            )

    async def _look_at_doubtful(self, work: _Work, items: dict[str, list[OrderItemRow]]) -> None:
        """An unclear cancellation is settled at once where the items show it; everything else has to wait."""
        doubtful = [part for part in work.undo_parts() if part.state in (State.UNKNOWN, State.IN_FLIGHT)]
        for part in doubtful:
            sent = _cancelled_ids(work, [part])
            rows = [row for row in items.get(part.fingerprint, []) if row.id in sent]
            if not (is_cancel(part) and rows and all(row.is_canceled for row in rows)):
                raise _Later(f"Mews's answer to the reversal ({part.part}) is not known yet")
            await self._see(work, part.part, part.fingerprint)
            work.how["cancelled"] = None

    async def _see(self, work: _Work, name: str, order_id: str) -> None:
        number, generation = work.number, work.target.generation
        await self._commit.do(
            number,
            lambda steps: steps.see_undo(
                number, generation, name, mews_id=order_id, target=order_id, run_id=self._run_id
            ),
        )
        self._reopen(work)

    def _reopen(self, work: _Work) -> None:
        """What the ledger says now."""
        fresh = self._open(work.target)
        work.row, work.parts, work.attempts = fresh.row, fresh.parts, fresh.attempts

    def _standing(self, work: _Work, rows: Sequence[OrderItemRow]) -> list[OrderItemRow]:
        """The rows, those that Mews confirmed as cancelled counted so even where reads lag behind."""
        confirmed = [part for part in work.undo_parts() if is_cancel(part) and part.state is State.POSTED]
        gone = _cancelled_ids(work, confirmed)
        return [replace(row, state="Canceled") if row.id in gone else row for row in rows]

    def _check_items(self, work: _Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        sent = [one for one in work.attempts if one.part == ORDER_PART]
        recent = sent and self._time.now() < sent[-1].sent_at + self._settle
        lines = len(sent[-1].payload.get("ProductOrders", ())) + len(sent[-1].payload.get("Items", ())) if sent else 0
        if recent and len(rows) < lines:
            raise _Later("Mews does not return all of its items yet", self._settle.total_seconds() / 2)
        if not rows and order_id == work.parts[ORDER_PART].mews_id:
            raise CantReverseError(
                f"Mews does not know its OrderId {order_id}: `centra-mews settle {work.number} --posted ORDERID` names the "
                "right one, `--absent` says that nothing of it is there"
            )
        for row in rows:
            identity = identity_of(row)
            if identity is not None and (identity.store, identity.number) != (self._store, work.number):
                raise CantReverseError(f"OrderId {order_id} carries the mark of order {identity.number}")
        if self._opposite(work, order_id) is not None:
            return
        shut = closed(rows)
        if shut:
            raise CantReverseError(f"{len(shut)} of its items are on a closed bill: only the hotel can correct that")

    def _opposite(self, work: _Work, order_id: str) -> Part | None:
        """The opposite of a copy, if it is in Mews."""
        part = work.parts.get(undo_part(OPPOSITE, copy_of(work.undo_parts(), order_id)))
        return part if part is not None and part.state is State.POSTED else None

    def _check_opposite(self, work: _Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        rows = self._standing(work, rows)
        if rows and not is_gone(rows) and self._opposite(work, order_id) is None:
            self._payload(work, order_id, rows)

    async def _reverse_copy(self, work: _Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        if self._opposite(work, order_id) is not None:
            work.how["opposite"] = None
            return
        rows = self._standing(work, rows)
        if not rows or is_gone(rows):
            # Cancelled by the hotel's staff, or by us before; OrderIds without items are payments.
            work.how["cancelled"] = None
            return
        refused = self._refused.get(order_id)
        if refused is not None and self._clock.monotonic() < refused[1]:
            raise _Later(refused[0], refused[1] - self._clock.monotonic())
        if self._may_cancel is not False and refused is None and await self._cancel(work, order_id, rows):
            work.how["cancelled"] = None
            return
        await self._post_opposite(work, order_id)
        work.how["opposite"] = None

    async def _finish(self, work: _Work) -> None:
        number, generation, left = work.number, work.target.generation, work.target.left
        if left:
            await self._commit.do(number, lambda steps: steps.keep_copies(number, generation, left))
        else:
            await self._commit.do(number, lambda steps: steps.undo_all(number, generation))
        self._checkpoint("undo.finished")
        message = f"the order stays posted as {', '.join(left)}" if left else ""
        if not left and len(work.target.order_ids) > 1:
            message = f"all copies: {', '.join(work.target.order_ids)}"
        self._tell(work.target, " and ".join(work.how), Ending.REVERSED, message)

    # Cancelling

    async def _cancel(self, work: _Work, order_id: str, rows: Sequence[OrderItemRow]) -> bool:
        """Whether nothing with money is left. False: this integration may not. Raises _Later, CantReverseError."""
        left = live(rows)
        batches = _batches([row for row in left if has_money(row)])
        zero = _batches([row for row in left if not has_money(row)])
        for batch in (*batches, *zero):
            name = _next_cancel(work, order_id)
            payload = {"OrderItemIds": [row.id for row in batch]}
            outcome = await self._send(work, name, order_id, payload, account=batch[0].account_id)
            match outcome.kind:
                case Kind.DONE:
                    self._may_cancel = True
                    work.has_changed = True
                case Kind.STOP:
                    # 401 may be the missing permission for this one operation: other credentials are asked for nothing.
                    await self._reader.configuration()
                    self._may_cancel = False
                    return False
                case Kind.UNKNOWN:
                    raise _Later("Mews gave no answer to its cancellation")
                case _:
                    if batch in zero and batches:
                        # Nothing with money is left; Mews may not take back what is worth nothing.
                        return True
                    await self._cancel_refused(work, order_id, outcome)
        return True

    async def _cancel_refused(self, work: _Work, order_id: str, outcome: Outcome) -> None:
        """Looks why. Raises CantReverseError for a closed bill, else _Later: reads may lag behind a cancellation."""
        rows = self._standing(work, (await self._items([order_id])).get(order_id, []))
        shut = closed(rows)
        if shut:
            raise CantReverseError(
                f"{len(shut)} of its items are on a closed bill: only the hotel can correct that ({outcome.message})"
            )
        self._cancel_refusals += 1
        if self._may_cancel is None and self._cancel_refusals >= CANCEL_REFUSALS:
            self._may_cancel = False
        wait = self._settle.total_seconds() / 2 + 1
        self._refused[order_id] = (outcome.message, self._clock.monotonic() + wait)
        raise _Later(f"Mews refused to cancel it: {outcome.message}", wait)

    # The opposite

    async def _post_opposite(self, work: _Work, order_id: str) -> None:
        # Looked at again just before: what the staff cancelled meanwhile must not be reversed twice.
        rows = self._standing(work, (await self._items([order_id])).get(order_id, []))
        if is_gone(rows):
            return
        shut = closed(rows)
        if shut:
            raise CantReverseError(f"{len(shut)} of its items are on a closed bill: only the hotel can correct that")
        payload = self._payload(work, order_id, rows)
        name = undo_part(OPPOSITE, copy_of(work.undo_parts(), order_id))
        consumed = datetime.fromisoformat(payload["ConsumptionUtc"])
        outcome = await self._send(work, name, order_id, payload, account=payload["AccountId"], consumption=consumed)
        self._conclude(outcome, "its opposite")
        work.has_changed = True

    def _payload(self, work: _Work, order_id: str, rows: Sequence[OrderItemRow]) -> dict[str, Any]:
        rules = Rules(self._basis, self._may_rebate, self._window_start(self._time.now()), self._flat_codes)
        original = work.original(ORDER_PART, order_id)
        return opposite_order(rows, original, self._identity(work), order_id, rules)

    def _identity(self, work: _Work) -> Identity:
        return Identity(self._store, work.number, work.target.generation, is_undo=True)

    def _conclude(self, outcome: Outcome, what: str) -> None:
        """Raises where a request did not do its work."""
        match outcome.kind:
            case Kind.DONE:
                return
            case Kind.UNKNOWN:
                raise _Later(f"Mews gave no answer to {what}")
            case Kind.STOP:
                raise _credentials(outcome)
            case _:
                request = f" (RequestId {outcome.request_id})" if outcome.request_id else ""
                raise CantReverseError(f"Mews refuses {what}: {outcome.message}{request}")

    # Payments

    async def _open_payments(self, work: _Work) -> list[tuple[str, PaymentRow]]:
        """Payments of the order that still stand, with the names of their parts. Raises CantReverseError."""
        posted = {part.mews_id: part.part for part in work.parts.values() if _is_paid(part)}
        copies = [one for one in work.row.duplicates if one != work.row.mews_order_id and one not in posted]
        rows = await self._payments([*posted, *(copies if posted else ())])
        missing = [part for mews_id, part in posted.items() if mews_id not in rows]
        if missing:
            raise CantReverseError(
                f"Mews does not return its payment {', '.join(missing)}: see `centra-mews reconcile`"
            )
        found = []
        for row in rows.values():
            name = posted.get(row.id, "")
            if not name:
                parsed = parse_identifier(row.external_identifier)
                if parsed is None or (parsed[0].number, parsed[0].is_undo) != (work.number, False):
                    continue
                name = parsed[1]
            if row.is_canceled or self._is_paid_back(work, row.id):
                continue
            if row.closed is not None or row.accounting_state == "Closed":
                raise CantReverseError(f"its payment {name} is on a closed bill: only the hotel can correct that")
            found.append((name, row))
        return found

    def _is_paid_back(self, work: _Work, payment_id: str) -> bool:
        return any(part.fingerprint == payment_id and part.state is State.POSTED for part in work.undo_parts())

    async def _reverse_payments(self, work: _Work, payments: Sequence[tuple[str, PaymentRow]]) -> None:
        for name, row in payments:
            original = work.original(name, row.id)
            payload = opposite_payment(row, original, self._identity(work), name, self._basis)
            part = undo_part(name, copy_of(work.undo_parts(), row.id, name))
            outcome = await self._send(work, part, row.id, payload, account=row.account_id)
            self._conclude(outcome, f"the opposite of payment {name}, so that the order stays charged with it")
            work.has_changed = True

    # Sending

    async def _send(
        self,
        work: _Work,
        part: str,
        target_id: str,
        payload: dict[str, Any],
        *,
        account: str,
        consumption: datetime | None = None,
    ) -> Outcome:
        """Attempts until one outcome is final. Raises _Halted, CantReverseError (window): then nothing was sent."""
        template = self._intent(work, part, target_id, payload, account, consumption)
        conflicts = faults = 0
        while True:
            outcome, sending = await self._attempt(template, payload, conflicts)
            self._reopen(work)
            # A refused cancellation is no end: the opposite follows, so it says nothing about the orders after it.
            is_refused_cancel = "OrderItemIds" in payload and outcome.kind in (Kind.REFUSED, Kind.CONFLICT)
            stop = None if is_refused_cancel else self._breaker.see(outcome)
            if stop is not None:
                self._halt(stop)
            match outcome.kind:
                case Kind.DONE | Kind.REFUSED | Kind.STOP:
                    return outcome
                case Kind.UNKNOWN:
                    self._rest(self._breaker.pause_after_fault())
                    return outcome
                case Kind.CONFLICT:
                    conflicts += 1
                    if conflicts >= CONFLICT_TRIES:
                        return outcome
                    await self._nap(0.25 * 2**conflicts * (0.5 + self._rng.random()))
                case Kind.WAIT:
                    now = self._clock.monotonic()
                    self._rest(self._breaker.wait(sending.granted_at, now, outcome.retry_after))
                    too_long = self._breaker.waited_too_long(now)
                    if too_long is not None:
                        self._halt(too_long)
                case Kind.NOT_SENT:
                    faults += 1
                    self._rest(self._breaker.pause_after_fault())
                    await self._nap(min(30.0, 2.0 ** (faults - 1)) * (0.5 + self._rng.random()))
            if self._halt_event.is_set():
                raise _Halted

    async def _attempt(self, template: Intent, payload: dict[str, Any], conflicts: int) -> tuple[Outcome, _Sending]:
        """One request: intent on disk, bytes, outcome on disk."""
        sending = _Sending()
        number, generation, part = template.number, template.generation, template.part

        async def before_send() -> None:
            self._parked.discard(request)
            await self._before_send(template, sending)

        request = asyncio.ensure_future(self._call(payload, before_send))
        self._parked.add(request)
        try:
            outcome = await request
        except asyncio.CancelledError:
            if self._halt_event.is_set() and request.cancelled() and not sending.is_intended:
                raise _Halted from None
            raise
        except (_Halted, CantReverseError):
            if sending.is_intended:
                held, at = Outcome(Kind.NOT_SENT, message="held back just before sending"), self._time.latest()
                await self._commit.do(
                    number, lambda steps: steps.conclude(number, generation, part, sending.seq, held, at=at)
                )
            raise
        finally:
            self._parked.discard(request)
            if not request.done():
                request.cancel()
        self._checkpoint("undo.answer_received")
        if not sending.is_intended:
            return outcome, sending
        mews_id, outcome = _mews_id(template, outcome)
        is_last, at = conflicts + 1 >= CONFLICT_TRIES, self._time.latest()
        await self._commit.do(
            number,
            lambda steps: steps.conclude(
                number, generation, part, sending.seq, outcome, at=at, mews_id=mews_id, is_last_try=is_last
            ),
        )
        self._checkpoint("undo.outcome_recorded")
        return outcome, sending

    def _call(self, payload: dict[str, Any], before_send: BeforeSend) -> Awaitable[Outcome]:
        if "OrderItemIds" in payload:
            return self._writer.cancel_items(payload["OrderItemIds"], before_send=before_send)
        if "ConsumptionUtc" in payload:
            return self._writer.add_order(payload, before_send=before_send)
        return self._writer.add_payment(payload, before_send=before_send)

    async def _before_send(self, template: Intent, sending: _Sending) -> None:
        """The last look before the first byte: still wanted, still inside the window, and on disk."""
        self._checkpoint("undo.slot_granted")
        if self._halt_event.is_set():
            raise _Halted
        now = self._time.now()
        if template.consumption is not None and template.consumption < self._window_start(now):
            raise CantReverseError("the editable window moved past its consumption before the opposite was sent")
        sending.granted_at = self._clock.monotonic()
        intent = replace(template, sent_at=now)
        number, generation, part = template.number, template.generation, template.part
        if sending.is_intended:
            await self._commit.do(number, lambda steps: steps.renew(number, generation, part, sending.seq, now))
        else:

            def plan_and_intend(steps: Any) -> int:
                steps.plan_undo(number, generation, part, template.fingerprint)
                return int(steps.intend(intent))

            sending.seq = await self._commit.do(number, plan_and_intend)
            sending.is_intended = self._has_written = True
        self._checkpoint("undo.intent_recorded")

    def _intent(
        self,
        work: _Work,
        part: str,
        target_id: str,
        payload: dict[str, Any],
        account: str,
        consumption: datetime | None,
    ) -> Intent:
        identity = self._identity(work)
        return Intent(
            number=work.number,
            generation=work.target.generation,
            part=part,
            kind=PartKind.UNDO,
            run_id=self._run_id,
            payload=dumps(payload),
            payload_hash=content_hash(payload),
            identifier=str(payload.get("ExternalIdentifier") or identity.stem),
            marker=identity.marker,
            service_id=self._service_id,
            account_id=account,
            consumption=consumption,
            basis=self._basis.value,
            fingerprint=target_id,
            skip_fingerprint="",
            recipe_version=RECIPE_VERSION,
            predicted="",
            sent_at=datetime.min,  # noqa: DTZ901 - replaced when the slot is granted
        )

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._limiter.pause(seconds)

    # Looking at Mews

    async def _survey(self) -> None:
        """One complete look, tried a few times. Raises MewsError, IncompleteError, unless copies are all it met."""
        for attempt in range(SURVEY_TRIES):
            try:
                survey = await self._surveyor.survey()
                self._result.duplicated.update(survey.duplicated)
            except IncompleteError as error:
                self._result.duplicated.update(error.duplicated)
                if error.lacks_orders:
                    raise
                # Reversing copies is what undo is for; that somebody else made them is told in the end.
                self._copied = error
            except MewsError as error:
                if attempt + 1 == SURVEY_TRIES or error.code in _FINAL:
                    raise
                await self._nap(2.0**attempt * (0.75 + 0.5 * self._rng.random()))
                if self._halt_event.is_set():
                    return
                continue
            return

    async def _wait(self, reasons: Iterable[_Later], *, is_first: bool) -> None:
        """Until what keeps orders back can have changed; the first look after an unclear answer comes at once."""
        wait = max((reason.seconds for reason in reasons), default=0.0)
        due = self._surveyor.due(all_of_them=True)
        if due is not None and not is_first:
            wait = max(wait, (due - self._time.now()).total_seconds())
        self._progress("wait for what is unknown", self._done, self._total)
        await self._nap(wait)
        if due is not None and not self._halt_event.is_set():
            await self._survey()

    async def _items(self, order_ids: Sequence[str]) -> dict[str, list[OrderItemRow]]:
        """All items of these orders, by OrderId; an id that Mews does not know has none. Raises MewsError."""
        found: dict[str, dict[str, OrderItemRow]] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.order_items(order_ids=ids):
                for row in page:
                    found.setdefault(row.order_id, {})[row.id] = row

        await _by_ids(order_ids, read)
        return {order_id: list(rows.values()) for order_id, rows in found.items()}

    async def _payments(self, payment_ids: Sequence[str]) -> dict[str, PaymentRow]:
        found: dict[str, PaymentRow] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.payments(payment_ids=ids):
                found.update((row.id, row) for row in page)

        await _by_ids(payment_ids, read)
        return found

    # Stopping

    def _halt(self, error: EtlError | None) -> None:
        """No new request from here on; who still waits for a slot goes home."""
        if error is not None and self._result.stop is None:
            self._result.stop = error
        self._halt_event.set()
        for request in tuple(self._parked):
            request.cancel()

    async def _listen(self) -> None:
        await self._stop.stopping.wait()
        self._result.is_interrupted = True
        self._halt(None)

    async def _nap(self, seconds: float) -> None:
        if seconds <= 0 or self._halt_event.is_set():
            return
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        halting = asyncio.ensure_future(self._halt_event.wait())
        try:
            await asyncio.wait({sleeping, halting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel([sleeping, halting])


def _is_order(part: Part, generation: int) -> bool:
    return part.part == ORDER_PART and part.generation == generation


def _is_undo(rows: Iterable[OrderItemRow]) -> bool:
    identities = (identity_of(row) for row in rows)
    return any(identity is not None and identity.is_undo for identity in identities)


def _is_paid(part: Part) -> bool:
    return part.kind is PartKind.PAYMENT and part.state in (State.POSTED, State.DIFFERENT)


def _cancelled_ids(work: _Work, parts: Iterable[Part]) -> set[str]:
    """The items that the newest attempts of these cancellations named."""
    wanted = {(part.part, part.seq) for part in parts}
    return {
        item_id
        for attempt in work.attempts
        if (attempt.part, attempt.seq) in wanted
        for item_id in attempt.payload.get("OrderItemIds", ())
    }


def _next_cancel(work: _Work, order_id: str) -> str:
    """A part for one more cancellation: one that did nothing, or a new one."""
    copy = copy_of(work.undo_parts(), order_id)
    index = 1
    while True:
        name = undo_part(f"{CANCEL}{index}", copy)
        part = work.parts.get(name)
        if part is None or part.state in (State.READY, State.REJECTED):
            return name
        index += 1


def _batches(rows: Sequence[OrderItemRow]) -> list[list[OrderItemRow]]:
    return [list(rows[start : start + CANCEL_AT_ONCE]) for start in range(0, len(rows), CANCEL_AT_ONCE)]


def _mews_id(template: Intent, outcome: Outcome) -> tuple[str, Outcome]:
    """The id of what was made (a cancellation makes nothing), and the outcome, unclear where the id is missing."""
    if template.part.partition(":")[2].startswith(CANCEL):
        return template.fingerprint, outcome
    found = str(outcome.body.get("OrderId") or outcome.body.get("ExternalPaymentId") or "")
    if outcome.kind is Kind.DONE and not found:
        outcome = Outcome(
            Kind.UNKNOWN,
            status=outcome.status,
            message="Mews's answer has no id",
            request_id=outcome.request_id,
        )
    return found, outcome


async def _by_ids(ids: Sequence[str], read: Callable[[list[str]], Awaitable[None]]) -> None:
    """Reads in chunks; Mews may refuse a whole request for one id that it does not know: that one is left out."""
    unique = list(dict.fromkeys(ids))
    waiting = [unique[start : start + ID_CHUNK] for start in range(0, len(unique), ID_CHUNK)]
    while waiting:
        batch = waiting.pop()
        try:
            await read(batch)
        except MewsError as error:
            if error.code != _REFUSED_READ:
                raise
            half = len(batch) // 2
            waiting += [part for part in (batch[:half], batch[half:]) if half]


_WHICH_ID = (
    "Take the OrderId from `centra-mews reconcile`, from `duplicated` of the run, or from the order in Mews, of the "
    "service that the mapping names."
)
_WHICH_ORDER = (
    "`centra-mews report --report DIR` lists the ledger's orders in orders.csv; `centra-mews recover` takes in what "
    "only Mews knows."
)


def _refuse_unknown(numbers: Sequence[str], what: str) -> None:
    if numbers:
        raise UsageError(f"--only: {what} {', '.join(numbers[:10])}.", code="undo.only", hint=_WHICH_ORDER)


def _credentials(outcome: Outcome) -> MewsError:
    what = "the address" if outcome.status == 404 else "the credentials"
    return MewsError(
        f"Mews refuses {what}: {outcome.message}",
        code=_REFUSED_READ,
        hint="Check MEWS_PLATFORM_ADDRESS, MEWS_CLIENT_TOKEN and MEWS_ACCESS_TOKEN, then undo again.",
        request_id=outcome.request_id or None,
    )


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels and waits; what they end with is nobody's concern any more."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
