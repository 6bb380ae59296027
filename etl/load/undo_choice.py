"""What the options of an undo name: orders of a run, single ones, or copies by their OrderId. Only reads Mews."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from etl.errors import LedgerError, UsageError
from etl.evidence.marks import identity_of
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.scan import MARGIN, Sighted, sight, walk_items
from etl.ledger.records import ORDER_PART, LedgerOrder, Part
from etl.load.reversal import has_money, is_gone, live, parent_of, reversed_copies
from etl.load.session import Session
from etl.load.undo_values import Selection, Target
from etl.model.rows import OrderItemRow
from etl.model.states import IN_MEWS, State

_EVER = datetime.min.replace(tzinfo=UTC)

_WHICH_ID = (
    "Take the OrderId from `centra-mews reconcile`, from `duplicated` of the run, or from the order in Mews, of the "
    "service that the mapping names."
)
_WHICH_ORDER = (
    "`centra-mews report --report DIR` lists the ledger's orders in orders.csv; `centra-mews recover` takes in what "
    "only Mews knows."
)


class UndoChoice:
    """Chooses for one undo, from a ledger that a scan has proved complete."""

    def __init__(self, session: Session) -> None:
        self._ledger = session.ledger
        self._reader = session.reach.reader
        self._back = ReadBack(self._reader, most_refusals=WHATEVER_IT_COSTS)
        self._time = session.time
        self._service_id = session.facts.service_id
        self._store = session.facts.store
        self._is_outlet = session.facts.is_outlet
        self._closed: dict[str, datetime] = {}

    async def choose(self, run: str, only: Sequence[str], order_ids: Sequence[str]) -> Selection:
        """Raises: UsageError for names that mean nothing, LedgerError `ledger.incomplete`, MewsError."""
        chosen = Selection(returns=self._all_returns())
        numbers = self._numbers_of(run, only)
        for start in range(0, len(numbers), 500):
            await self._choose_orders(numbers[start : start + 500], chosen)
        if order_ids:
            await self._choose_copies(list(dict.fromkeys(order_ids)), chosen)
        # Returns go before the orders that they belong to. Bills that closed together are read together.
        chosen.targets.sort(key=lambda target: (not parent_of(target.number), self._closed.get(target.number, _EVER)))
        return chosen

    def _numbers_of(self, run: str, only: Sequence[str]) -> list[str]:
        wanted = list(dict.fromkeys(only))
        if not run:
            known = self._ledger.lookup(wanted)
            _refuse_unknown([number for number in wanted if number not in known], "the ledger knows no order")
            return wanted
        mine = [row.number for row in self._ledger.orders(run_id=run)]
        if not mine:
            on_record = [record.run_id for record in self._ledger.runs() if record.command == "run"]
            why = (
                "it posted none, or they were undone and a later run posted them again"
                if run in on_record
                else "no such run"
            )
            raise UsageError(
                f"--run: no order of the ledger stands by run {run!r} now ({why}).",
                code="undo.run",
                hint=f"Runs on record: {', '.join(on_record) or 'none'}; `recovered` names the orders that recover found.",
            )
        _refuse_unknown([number for number in wanted if number not in set(mine)], f"{run} did not post order")
        return wanted or mine

    async def _choose_orders(self, numbers: Sequence[str], chosen: Selection) -> None:
        rows, parts = self._ledger.lookup(numbers), self._ledger.parts(numbers)
        items = await self._back.items([one for row in rows.values() for one in row.duplicates])
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
            # Copies of its payments, and of reversals, are told there too.
            copies = tuple(
                dict.fromkeys([order.mews_id, *(one for one in row.duplicates if _holds_order(items.get(one, ())))])
            )
            self._add(chosen, row, Target(number, row.generation, copies), len(copies))

    def _add(self, chosen: Selection, row: LedgerOrder, target: Target, copies: int) -> None:
        chosen.targets.append(target)
        if self._is_outlet and row.consumption is not None:
            self._closed[row.number] = row.consumption
        chosen.money[row.currency] = chosen.money.get(row.currency, Decimal(0)) + row.planned_total * copies

    async def _choose_copies(self, order_ids: list[str], chosen: Selection) -> None:
        read = await self._back.items(order_ids)
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
            counted = () if order.state is State.UNDONE else (order.mews_id, *rows[number].duplicates)
            gone = reversed_copies(parts[number], generation)
            already = [one for one in ids if one not in counted and (one in gone or _is_off(read.get(one, ())))]
            chosen.already += [(number, one) for one in already]
            going = tuple(one for one in ids if one not in already)
            if going:
                left = tuple(one for one in found.get((number, generation), ()) if one not in ids)
                self._add(chosen, rows[number], Target(number, generation, going, left), len(going))

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
        return {
            key: [one for one in ids if one not in reversed_copies(parts.get(key[0], ()), key[1])]
            for key, ids in found.items()
        }

    def _all_returns(self) -> dict[str, set[str]]:
        """Nested returns that are, or may be, in Mews, by the order that they belong to."""
        found: dict[str, set[str]] = {}
        for number in self._ledger.standing_returns():
            found.setdefault(parent_of(number), set()).add(number)
        return found


def _holds_order(rows: Sequence[OrderItemRow]) -> bool:
    """Whether these are an order's items, and no reversal's."""
    identities = [identity_of(row) for row in rows]
    return bool(identities) and not any(one is not None and one.is_undo for one in identities)


def _is_off(rows: Sequence[OrderItemRow]) -> bool:
    """Whether nothing of an order stands: it was cancelled."""
    return not live(rows) or is_gone(rows)


def _is_order(part: Part, generation: int) -> bool:
    return part.part == ORDER_PART and part.generation == generation


def _refuse_unknown(numbers: Sequence[str], what: str) -> None:
    if numbers:
        raise UsageError(f"--only: {what} {', '.join(numbers[:10])}.", code="undo.only", hint=_WHICH_ORDER)
