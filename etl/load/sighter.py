"""What one walk over Mews meets, judged page by page against the ledger. Decides nothing: `survey.py` does, at the end.

An intent is on disk before its first byte leaves, and the ledger is asked after the page came: what a page shows and
the ledger does not know, nobody sent with this ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from etl.evidence.marks import identity_of, payment_part
from etl.evidence.scan import OrderKey, Sighted
from etl.ledger.cancelled import unknown
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Attempt, Part, PartKind
from etl.ledger.steps import PartKey
from etl.load.attempted import may_be_payment
from etl.load.reversal import OPPOSITE, reversed_copies, sight_undos, target_of, travels_as, undo_parts
from etl.load.signs import Signs
from etl.load.unmarked import UnmarkedBills
from etl.model.identity import Identity
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, PLANNED, State


@dataclass(slots=True)
class Look:
    """What one walk is after, and what it has met so far.

    `present`: OrderIds of orders that the ledger lost sight of; `undone`, `payments`: likewise of its undo orders and
    payments; `extra`: what is there beside the id that the ledger has, that id first. `elsewhere`: orders of which
    Mews does not know the ledger's OrderId, with the one that it has. `unmarked`: on the outlet route, bills without a
    mark that may be posted ones of which nobody has read the id.
    """

    started: datetime
    unknown: list[Part]
    rechecks: list[Part]
    attempts: dict[PartKey, list[Attempt]]
    unmarked: UnmarkedBills
    seen: Sighted = field(default_factory=Sighted)
    present: dict[OrderKey, dict[str, None]] = field(default_factory=dict)
    extra: dict[PartKey, dict[str, None]] = field(default_factory=dict)
    elsewhere: dict[PartKey, str] = field(default_factory=dict)
    unsent: dict[OrderKey, dict[str, None]] = field(default_factory=dict)
    """OrderIds of orders that were met while this ledger had sent nothing of them."""
    in_doubt_undone: dict[OrderKey, None] = field(default_factory=dict)
    """Orders in doubt here of which another ledger's undo entries stand in Mews."""
    undone: dict[PartKey, dict[str, None]] = field(default_factory=dict)
    targets: dict[PartKey, str] = field(default_factory=dict)
    """Of these, the OrderId that each reverses."""
    rows: dict[str, dict[str, OrderItemRow]] = field(default_factory=dict)
    signs: Signs = field(default_factory=Signs)
    payments: dict[PartKey, dict[str, PaymentRow]] = field(default_factory=dict)
    walked_payments: bool = False
    closings: set[PartKey] = field(default_factory=set)
    """On the outlet route, the parts that were looked for where they must have closed."""
    loose: dict[str, PaymentRow] = field(default_factory=dict)
    """Payments without a mark of ours that may be one in doubt, by id."""
    passed_over: set[str] = field(default_factory=set)
    """Orders that were met and not judged, as somebody had them in hand: what was met is not absent."""
    passed_over_since: datetime | None = None
    """When the oldest of what was met and not judged was made, as somebody had its order in hand: met again by the next."""
    shows_payment_marks: bool = False
    """A payment of ours came back with its mark: one without can't be ours."""

    def pass_over(self, numbers: Iterable[str], moments: Iterable[datetime]) -> None:
        """Notes whose what is not judged was, and when it was made."""
        self.passed_over.update(numbers)
        self.passed_over_since = min([*moments, *filter(None, [self.passed_over_since])], default=None)

    def note_unsent(self, number: str, part: Part | None) -> None:
        """Notes an order that was met, and that is not there as the ledger has it, or is none of the ledger's."""
        told = self.signs.not_absent if part is not None and part.sends else self.signs.never_sent
        told[number] = None

    def beside(self, part: Part, copies: Iterable[str]) -> None:
        """Notes what is there besides the id that the ledger has."""
        found = list(copies)
        if found:
            self.extra.setdefault(key_of(part), {part.mews_id: None}).update(dict.fromkeys(found))


class Sighter:
    """Judges pages. `is_busy`: whether a worker has the order in hand right now; such orders are passed over."""

    def __init__(self, ledger: Ledger, store: str, is_busy: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._store = store
        self._is_busy = is_busy
        self._adopted: dict[PartKey, str] = {}

    def see_page(self, look: Look, page: list[OrderItemRow], found: dict[OrderKey, dict[str, None]]) -> None:
        """A page of order items; `found`: the orders of ours on it, see `scan.sight`."""
        undos = sight_undos(page, self._store)
        unmarked = look.unmarked.of_page(page)
        numbers = {number for number, _ in (*found, *undos)} | self._numbers_of(page)
        numbers.update(identity.number for identity, _ in unmarked)
        busy = self._in_hand(numbers)
        if busy:
            # Bills are walked by their last change.
            made = ((row.updated if row.is_by_unit else row.created, identity_of(row)) for row in page)
            look.pass_over(
                busy, (at for at, one in made if one is not None and one.store == self._store and one.number in busy)
            )
        parts = self._ledger.parts({number for number, _ in (*found, *undos)}) if found or undos else {}
        wanted: set[str] = set()
        for key, order_ids in found.items():
            if key[0] not in busy:
                wanted |= self._see_order(look, key, order_ids, page, parts.get(key[0], ()))
        for key, orders in undos.items():
            if key[0] not in busy:
                wanted |= self._see_undos(look, key, orders, parts.get(key[0], ()))
        self._adopt()
        look.pass_over((), (row.updated for identity, row in unmarked if identity.number in busy))
        look.unmarked.see(one for one in unmarked if one[0].number not in busy)
        for row in page if wanted else ():
            if row.order_id in wanted:
                look.rows.setdefault(row.order_id, {})[row.id] = row
        self._note_cancelled(look, page, parts, busy)

    def see_cancelled(self, look: Look, page: list[OrderItemRow]) -> None:
        """A page of cancelled order items, whenever they were created."""
        numbers = self._numbers_of(page)
        if numbers:
            busy = self._in_hand(numbers)
            mine = ((row.canceled, self._mine(row)) for row in page if busy)
            look.pass_over(busy, (at for at, one in mine if at is not None and one is not None and one.number in busy))
            self._note_cancelled(look, page, self._ledger.parts(numbers), busy)

    def _in_hand(self, numbers: Collection[str]) -> set[str]:
        """Which of these orders somebody has in hand: asked after the page came, and before the ledger is."""
        elsewhere = self._ledger.elsewhere(numbers)
        return {number for number in numbers if number in elsewhere or self._is_busy(number)}

    def _numbers_of(self, page: Iterable[OrderItemRow]) -> set[str]:
        return {identity.number for row in page if (identity := self._mine(row)) is not None}

    def _mine(self, row: OrderItemRow) -> Identity | None:
        identity = identity_of(row)
        return identity if identity is not None and identity.store == self._store and not identity.is_undo else None

    def _note_cancelled(
        self, look: Look, page: Iterable[OrderItemRow], parts: dict[str, list[Part]], busy: Collection[str]
    ) -> None:
        """Items cancelled in Mews while the ledger calls their order posted: somebody else reversed it."""
        suspects: dict[str, str] = {}
        for row in page:
            identity = self._mine(row) if row.is_canceled else None
            if identity is None or identity.number in busy:
                continue
            part = _order_part(parts.get(identity.number, ()), identity.generation)
            if part is not None and part.state is State.POSTED and part.mews_id == row.order_id:
                suspects[row.id] = identity.number
        if suspects:
            look.signs.reversed.update(dict.fromkeys(unknown(self._ledger, suspects).values()))

    def _see_order(
        self,
        look: Look,
        key: OrderKey,
        order_ids: dict[str, None],
        page: list[OrderItemRow],
        parts: Sequence[Part],
    ) -> set[str]:
        """An order on a page: unknown to the ledger, lost by it, or there twice. Shape: OrderIds whose rows are wanted."""
        number, generation = key
        part = _order_part(parts, generation)
        if part is None or _is_unsent(part):
            look.note_unsent(number, part)
            look.unsent.setdefault(key, {}).update(order_ids)
        elif part.state in IN_MEWS:
            if not part.mews_id:
                # One of many bills of one request, whose answer did not say which is which.
                part = self._with_id(part, next(iter(order_ids)))
            known = {part.mews_id, *reversed_copies(parts, generation)}
            # A copy that was cancelled or reversed charges nobody.
            look.beside(part, (one for one in order_ids if one not in known and _charges(page, one)))
        elif part.state is not State.IN_FLIGHT:
            look.present.setdefault(key, {}).update(order_ids)
            return set(order_ids)
        return set()

    def _with_id(self, part: Part, mews_id: str) -> Part:
        self._adopted[key_of(part)] = mews_id
        return replace(part, mews_id=mews_id)

    def _adopt(self) -> None:
        """What Mews answered for many orders together is known of each from here on."""
        adopted, self._adopted = self._adopted, {}
        if adopted:
            with self._ledger.steps() as steps:
                steps.adopt_ids(adopted)

    def adopt_unmarked(self, look: Look) -> None:
        """Ids of bills that came back without any mark. To be called after the last page: which is meant needs all."""
        self._adopted = look.unmarked.ids()
        self._adopt()

    def _see_undos(
        self, look: Look, key: OrderKey, orders: dict[str, list[OrderItemRow]], parts: Sequence[Part]
    ) -> set[str]:
        """Undo orders on a page. Shape: OrderIds whose rows are wanted."""
        wanted = set()
        for order_id, rows in orders.items():
            met = (order_id, target_of(rows[0].notes), _charges(rows, order_id))
            parts = self._name(parts, key, *met[:2])
            lost = _judge_undo(look, parts, (*key, OPPOSITE), *met)
            if lost is not None:
                look.undone.setdefault(key_of(lost), {})[order_id] = None
                wanted.add(order_id)
        return wanted

    def _name(self, parts: Sequence[Part], key: OrderKey, mews_id: str, target: str) -> Sequence[Part]:
        """The parts, with this id for an opposite that was one of many bills of one request."""
        mine = undo_parts(parts, key[1], OPPOSITE)
        if any(part.mews_id == mews_id for part in mine):
            return parts
        for part in mine:
            if part.state is State.POSTED and not part.mews_id and target in ("", part.target):
                named = self._with_id(part, mews_id)
                return [named if one is part else one for one in parts]
        return parts

    def see_sent_meanwhile(self, look: Look) -> None:
        """What this very run sent after a page had shown it is there twice: its own, and what was met."""
        parts = self._ledger.parts({number for number, _ in look.unsent})
        for (number, generation), order_ids in look.unsent.items():
            part = _order_part(parts.get(number, ()), generation)
            if part is not None and part.state in IN_MEWS:
                look.beside(part, (one for one in order_ids if one != part.mews_id))

    # Payments

    def see_payments(self, look: Look, page: Iterable[PaymentRow]) -> None:
        """A page of payments."""
        unmarked = [
            attempt
            for part in look.unknown
            if travels_as(part) is PartKind.PAYMENT
            for attempt in look.attempts.get(key_of(part), ())
        ]
        sent: dict[PartKey, list[PaymentRow]] = {}
        undone: dict[PartKey, list[PaymentRow]] = {}
        rows = list(page)
        busy = self._in_hand({found[0].number for row in rows if (found := payment_part(row)) is not None})
        for row in rows:
            found = payment_part(row)
            if found is None:
                if any(may_be_payment(attempt, row) for attempt in unmarked):
                    look.loose[row.id] = row
                continue
            look.shows_payment_marks = True
            identity, name = found
            if identity.store != self._store:
                continue
            if identity.number in busy:
                look.pass_over([identity.number], [row.created])
            else:
                side = undone if identity.is_undo else sent
                side.setdefault((identity.number, identity.generation, name), []).append(row)
        parts = self._ledger.parts({number for number, _, _ in (*sent, *undone)}) if sent or undone else {}
        for key, rows in sent.items():
            self._see_payment(look, key, rows, parts.get(key[0], ()))
        for key, rows in undone.items():
            self._see_paid_back(look, key, rows, parts.get(key[0], ()))

    def _see_payment(self, look: Look, key: PartKey, rows: Sequence[PaymentRow], parts: Sequence[Part]) -> None:
        """A payment: unknown to the ledger, lost by it, or there twice."""
        part = next((part for part in parts if key_of(part) == key), None)
        if part is None or _is_unsent(part):
            look.note_unsent(key[0], part)
        elif part.state in IN_MEWS:
            look.beside(part, (row.id for row in rows if row.id != part.mews_id and not row.is_canceled))
        elif part.state is not State.IN_FLIGHT:
            look.payments.setdefault(key, {}).update((row.id, row) for row in rows)

    def _see_paid_back(self, look: Look, key: PartKey, rows: Sequence[PaymentRow], parts: Sequence[Part]) -> None:
        """What pays a payment back: known, lost, there twice, or another ledger's."""
        for row in rows:
            lost = _judge_undo(look, parts, key, row.id, target_of(row.notes), not row.is_canceled)
            if lost is not None:
                look.payments.setdefault(key_of(lost), {})[row.id] = row


def _judge_undo(
    look: Look, parts: Sequence[Part], key: PartKey, mews_id: str, target: str, is_there: bool
) -> Part | None:
    """One undo order or payment of ours: known, there twice, or another ledger's. Shape: the part if it was lost.

    `key`: number, generation and what it reverses. Undo entries prove no presence of an order; but those of an order
    that the ledger has in Mews prove that another ledger knows more than this one.
    """
    number, generation, what = key
    mine = undo_parts(parts, generation, what)
    if any(part.mews_id == mews_id for part in mine):
        return None
    fitting = [part for part in mine if target in ("", part.target)]
    lost = [part for part in fitting if part.state not in IN_MEWS and not _is_unsent(part)]
    if lost:
        return None if lost[0].state is State.IN_FLIGHT else lost[0]
    order = _order_part(parts, generation)
    if not is_there:
        # What was cancelled again moves no money.
        return None
    if fitting and fitting[0].mews_id:
        look.beside(fitting[0], [mews_id])
    elif order is not None and order.state in IN_MEWS:
        look.signs.reversed[number] = None
    elif order is not None and order.state is State.UNKNOWN:
        look.in_doubt_undone[number, generation] = None
    return None


def key_of(part: Part) -> PartKey:
    """Number, generation and name."""
    return part.number, part.generation, part.part


def _is_unsent(part: Part) -> bool:
    """Whether no attempt of it, if there was one, can have brought it to Mews: met there, it is another ledger's."""
    return part.state in PLANNED


def _order_part(parts: Iterable[Part], generation: int) -> Part | None:
    return next((part for part in parts if part.generation == generation and part.part == ORDER_PART), None)


def _charges(rows: Iterable[OrderItemRow], order_id: str) -> bool:
    return any(row.order_id == order_id and not row.is_canceled for row in rows)
