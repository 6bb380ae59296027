"""One of several runs of one plan: which orders are in its hand, and what it does in turn with the others.

Rule: design section 10. On a file, or alone, everything is in hand and every turn is ours at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from etl.load.session import Session
from etl.model.plan import PlannedOrder

FIRST_ORDER = "first order"
PER_SENDER = 4
POLL = 1.0
"""Seconds between two looks at what the others have done."""


class Share:
    """The orders of one run that others have in hand, until they are done with them, or gone."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._elsewhere: dict[str, PlannedOrder] = {}

    def stretch(self, most: int) -> int:
        """How many orders are taken at once: with others at work, what keeps this run busy for a moment.

        Of bills as many as travel together, which are in one hand then.
        """
        facts = self._session.facts
        return min(most, facts.bills_per_request or PER_SENDER * facts.concurrency) if self._ledger.is_shared else most

    def take(self, orders: Sequence[PlannedOrder]) -> tuple[list[PlannedOrder], list[str]]:
        """Shape: the orders that are in this run's hand now, and the numbers that nobody needs to look at any more."""
        left = self._ledger.claim(order.number for order in orders)
        self._elsewhere.update((order.number, order) for order in orders if left.get(order.number))
        mine = [order for order in orders if order.number not in left]
        return mine, [number for number, is_open in left.items() if not is_open]

    @property
    def is_waiting(self) -> bool:
        """Whether others have orders in hand that this run would take."""
        return bool(self._elsewhere) and not self._session.halt.is_set

    async def freed(self) -> list[PlannedOrder]:
        """The orders that others had in hand and left; [] a moment later where there is none.

        Effects: workers that are gone are buried, and what they had under way settles.
        """
        self._session.bury()
        waiting, self._elsewhere = self._elsewhere, {}
        mine, _ = self.take(list(waiting.values()))
        if self._elsewhere and not mine:
            await self._session.halt.sleep(POLL)
        return mine

    def may_come(self, numbers: Iterable[str]) -> set[str]:
        """Those of the orders that somebody else, or this run after him, will still do something about."""
        wanted = list(numbers)
        return {*self._ledger.elsewhere(wanted), *(number for number in wanted if number in self._elsewhere)}

    def let_go(self, kept: Collection[str]) -> None:
        """Of what is in this run's hand and undecided, only `kept` stays there: nobody waits for the rest for ever."""
        self._ledger.let_go(kept)

    async def turn(self, name: str, is_done: Callable[[], bool]) -> bool:
        """Waits until this run alone may do something, or somebody has done it. Shape: whether it may."""
        while not self._session.halt.is_set and not is_done():
            if self._ledger.take_turn(name):
                if not is_done():
                    return True
                self._ledger.give_turn(name)
                return False
            self._session.bury()
            await self._session.halt.sleep(POLL / 2)
        return False

    def give(self, name: str) -> None:
        """The others may do it now."""
        if not self._session.halt.is_set:
            self._ledger.give_turn(name)

    async def wait_for_kind(self) -> None:
        """Another run tries the kind: a moment later it may be known whether Mews takes it."""
        self._session.bury()
        await self._session.halt.sleep(POLL)
