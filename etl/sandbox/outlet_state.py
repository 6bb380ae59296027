"""Outlet bills and their items as the sandbox holds them, with the indexes that reads need. No rules here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge

from etl.sandbox.taxes import Booked

PAYMENT = "Payment"


@dataclass(frozen=True, slots=True)
class OutletBill:
    """A receipt of an outlet. `written` and `touched` (last change) are exact, the times shown are whole seconds."""

    id: str
    enterprise_id: str
    outlet_id: str
    account_id: str | None
    number: str
    notes: str | None
    closed: datetime
    created: datetime
    updated: datetime
    written: datetime
    touched: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutletItem:
    """An item of an outlet bill; it never changes.

    `unit` is what the API shows, of one piece; `amount` is what the accounts hold, of the whole entry.
    """

    id: str
    bill_id: str
    enterprise_id: str
    type: str
    name: str
    category_id: str | None
    external_identifier: str | None
    notes: str | None
    count: int
    currency: str
    unit: Booked
    amount: Booked
    consumed: datetime
    created: datetime


class OutletBook:
    """All outlet bills and items, newest last; the items of a bill lie side by side."""

    def __init__(self) -> None:
        self.bills: dict[str, OutletBill] = {}
        self.items: list[OutletItem] = []
        self.places: dict[str, int] = {}
        # What a bill looked like before its last change, for reads that lag behind the write.
        self.before: dict[str, OutletBill] = {}
        self._order: list[str] = []
        self._numbers: dict[str, int] = {}
        self._items_of: list[range] = []
        self._created: list[datetime] = []
        self._closed: dict[date, list[int]] = defaultdict(list)
        self._consumed: dict[date, list[int]] = defaultdict(list)
        self._touched: list[int] = []

    def put(self, bills: Iterable[OutletBill], items: Iterable[OutletItem]) -> None:
        """Make new bills with their items visible, or bills that are known in their new form."""
        for bill in bills:
            if bill.id in self.bills:
                self._change(bill)
            else:
                self._add(bill)
        for item in items:
            number, place = self._numbers[item.bill_id], len(self.items)
            known = self._items_of[number]
            self._items_of[number] = range(known.start if known else place, place + 1)
            self.places[item.id] = place
            self.items.append(item)
            day = self._consumed[item.consumed.date()]
            if not day or day[-1] != number:
                day.append(number)

    def items_of(self, bill_id: str) -> list[OutletItem]:
        """The items of a bill, in the order they were sent."""
        return [self.items[place] for place in self._items_of[self._numbers[bill_id]]]

    def older_bill(self, item_id: str) -> OutletBill | None:
        """The bill that was created before the one of that item."""
        number = self._numbers[self.items[self.places[item_id]].bill_id]
        return self.bills[self._order[number - 1]] if number else None

    def newest(
        self,
        *,
        ids: Iterable[str] | None = None,
        closed: tuple[datetime, datetime] | None = None,
        consumed: tuple[datetime, datetime] | None = None,
        updated: tuple[datetime, datetime] | None = None,
        before: int | None = None,
    ) -> Iterator[OutletItem]:
        """Items that may match, newest first, older than the place `before`, by the narrowest index at hand.

        All that match are among them; every filter is still to be tested, with both ends of an interval in it.
        """
        top = len(self.items) if before is None else before
        if ids is not None:
            places = sorted({self.places.get(key, top) for key in ids}, reverse=True)
            yield from (self.items[place] for place in places if place < top)
            return
        last = len(self._order) - 1 if before is None else self._numbers[self.items[before].bill_id]
        for number in self._candidates(closed, consumed, updated, last):
            for place in reversed(self._items_of[number]):
                if place < top:
                    yield self.items[place]

    def _candidates(
        self,
        closed: tuple[datetime, datetime] | None,
        consumed: tuple[datetime, datetime] | None,
        updated: tuple[datetime, datetime] | None,
        last: int,
    ) -> Iterable[int]:
        """Numbers of bills up to `last`, falling."""
        if closed is not None:
            return _falling(_days(self._closed, closed), last)
        if consumed is not None:
            return _falling(_days(self._consumed, consumed), last)
        if updated is None:
            return range(last, -1, -1)
        # A bill is updated when it is created; those that were touched since may be found by either time.
        low, high = bisect_left(self._created, updated[0]), bisect_right(self._created, updated[1])
        return _falling([range(low, high), self._touched], last)

    def _add(self, bill: OutletBill) -> None:
        number = len(self._order)
        self.bills[bill.id] = bill
        self._order.append(bill.id)
        self._numbers[bill.id] = number
        self._items_of.append(range(0))
        self._created.append(bill.created)
        self._closed[bill.closed.date()].append(number)

    def _change(self, bill: OutletBill) -> None:
        self.before[bill.id] = self.bills[bill.id]
        self.bills[bill.id] = bill
        number = self._numbers[bill.id]
        place = bisect_left(self._touched, number)
        if self._touched[place : place + 1] != [number]:
            self._touched.insert(place, number)


def _days(index: dict[date, list[int]], bounds: tuple[datetime, datetime]) -> list[list[int]]:
    first, last = bounds[0].date(), bounds[1].date()
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    return [index[day] for day in days if day in index]


def _falling(rising: Iterable[Sequence[int]], last: int) -> Iterator[int]:
    """The numbers up to `last` of sequences that rise, each once, falling."""
    known = -1
    parts = [numbers[: bisect_right(numbers, last)][::-1] for numbers in rising]
    for number in merge(*parts, reverse=True):
        if number != known:
            yield number
        known = number
