"""Sends bills in as few requests as may be, down to the one bad bill where Mews refuses several.

Rule: design section 9. Orders that are posted and bills that reverse them travel by the same rules; what becomes of
each is told bill by bill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from math import isqrt

from etl.ledger.steps import KindBusyError, NotReady, PartKey
from etl.load import refusals
from etl.load.bills import LARGEST_BODY, Bill, batches, bills_request, is_refused_together
from etl.load.halt import HaltedError
from etl.load.session import Session
from etl.model.outcome import Kind, Outcome

Tell = Callable[[Bill, Outcome], None]
"""Takes the final outcome of one bill; it is on disk by then."""


class BillSender:
    """The requests of several bills of one run. `most`: bills of one request."""

    def __init__(self, session: Session, most: int) -> None:
        self._session = session
        self._most = most
        self._largest = LARGEST_BODY
        self._refused: dict[PartKey, int] = {}
        self._proved = asyncio.Event()
        self._proved.set()

    def limit_of(self, key: PartKey) -> int:
        """With how many others a bill may travel, itself included: with few, where it was refused among many.

        Where Mews may keep a part of what it refuses, each further refusal costs two scans: the steps are larger.
        """
        count = self._refused.get(key)
        if count is None:
            return self._most
        if refusals.verdict(self._session.ledger) is refusals.Keep.NOTHING:
            return (count + 1) // 2
        return 1 if self._is_proof(key) else isqrt(count)

    def _is_proof(self, key: PartKey) -> bool:
        return key in self._refused and key == refusals.proving(self._session.ledger)

    async def send(self, bills: Sequence[Bill], tell: Tell) -> None:
        """Sends bills, at best in one request, and tells what became of each.

        Raises HeldBackError, and KindBusyError where another run tries a kind that one of them needs: what was not told
        is not under way. Nothing is told of a bill that somebody else decided on meanwhile: the ledger knows what became
        of it. Effects: sends, writes the ledger.
        """
        if len(bills) == 1 and self._is_proof(bills[0].intent.key):
            self._proved.clear()
            try:
                await self._send_all(bills, tell)
            finally:
                self._proved.set()
            return
        if any(bill.intent.key in self._refused for bill in bills):
            # What its answer tells may spare these two scans.
            await self._proved.wait()
        await self._send_all(bills, tell)

    async def _send_all(self, bills: Sequence[Bill], tell: Tell) -> None:
        todo = self._cut(bills)
        while todo:
            if self._session.halt.is_set:
                raise HaltedError
            largest = self._largest
            todo[:1] = await self._send(todo[0], tell)
            if self._largest < largest:
                # What Mews takes at once was learned: nothing larger is tried again.
                todo = self._cut([bill for batch in todo for bill in batch])

    def _cut(self, bills: Sequence[Bill]) -> list[list[Bill]]:
        return batches(bills, lambda bill: self.limit_of(bill.intent.key), self._largest)

    async def _send(self, bills: Sequence[Bill], tell: Tell) -> list[list[Bill]]:
        """One request. Shape: what of it is to be sent again at once, in smaller ones."""
        is_alone = len(bills) == 1
        try:
            outcome = await self._session.sender.send(bills_request(bills, self._session.ledger))
        except KindBusyError:
            if is_alone:
                raise
            return _halves(bills)
        except NotReady:
            # Of one of them, somebody decided meanwhile, such as a look at Mews that found it; nothing was sent.
            return [] if is_alone else _halves(bills)
        if not is_alone and outcome.kind in (Kind.SPLIT, Kind.CONFLICT):
            if outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                self._largest = min(self._largest, sum(len(bill.content) for bill in bills) // 2 + 1)
            return _halves(bills)
        for bill in bills:
            if is_refused_together(outcome):
                self._refused[bill.intent.key] = len(bills)
            elif outcome.kind is not Kind.UNKNOWN:
                self._refused.pop(bill.intent.key, None)
            tell(bill, outcome)
        return []


def _halves(bills: Sequence[Bill]) -> list[list[Bill]]:
    middle = (len(bills) + 1) // 2
    return [list(bills[:middle]), list(bills[middle:])]
