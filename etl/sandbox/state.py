"""What the sandbox holds: orders, items, payments, accounts and outlet bills, with the indexes that reads need.

In memory, or with a journal of JSON lines on disk that survives a killed process. No rules here.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from etl.errors import UsageError
from etl.sandbox.outlet_state import OutletBill, OutletBook, OutletItem
from etl.sandbox.taxes import Booked

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Item:
    """An order item. `amount` is of the whole entry, `unit` of one piece, both as booked.

    `external_identifier` and `notes` are as sent, also where an older API does not return them. `written` and
    `touched` (last change) are exact, where the times the API shows are whole seconds.
    """

    seq: int
    id: str
    order_id: str
    enterprise_id: str
    service_id: str
    account_id: str
    account_type: str
    bill_id: str | None
    category_id: str | None
    product_id: str | None
    name: str
    external_identifier: str | None
    notes: str | None
    count: int
    currency: str
    unit: Booked
    amount: Booked
    consumed: datetime
    created: datetime
    updated: datetime
    written: datetime
    canceled: datetime | None = None
    closed: datetime | None = None
    touched: datetime | None = None

    @property
    def state(self) -> str:
        """The AccountingState."""
        if self.canceled is not None:
            return "Canceled"
        if not self.amount.gross and not self.amount.net:
            return "Inactive"
        return "Open" if self.closed is None else "Closed"

    @property
    def type(self) -> str:
        """The order item type."""
        return "CustomItem" if self.product_id is None else "ProductOrder"


@dataclass(frozen=True, slots=True)
class Order:
    """A product service order."""

    seq: int
    id: str
    enterprise_id: str
    service_id: str
    account_id: str
    account_type: str
    number: str
    notes: str | None
    segment_id: str | None
    reservation_id: str | None
    created: datetime
    updated: datetime
    canceled: datetime | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """An external payment; `amount` as posted, before Mews turns its sign for reading."""

    seq: int
    id: str
    enterprise_id: str
    account_id: str
    account_type: str
    bill_id: str | None
    category_id: str | None
    reservation_id: str | None
    type: str
    external_identifier: str | None
    notes: str | None
    currency: str
    amount: Booked
    created: datetime
    updated: datetime
    written: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A customer; `details` are the plain properties as the API names them."""

    seq: int
    id: str
    email: str | None
    classifications: tuple[str, ...]
    is_active: bool
    merged_into: str | None
    created: datetime
    updated: datetime
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as the journal keeps it: everything that one request wrote."""

    started: datetime | None = None
    enterprise_id: str | None = None
    order: Order | None = None
    items: tuple[Item, ...] = ()
    payment: Payment | None = None
    person: Person | None = None
    bills: tuple[OutletBill, ...] = ()
    outlet_items: tuple[OutletItem, ...] = ()


class Store:
    """All that was written, newest last. Every change goes through `commit`, whole or not at all."""

    def __init__(
        self, people: Iterable[Person] = (), journal: Journal | None = None, first: Entry | None = None
    ) -> None:
        self.orders: dict[str, Order] = {}
        self.items: list[Item] = []
        self.payments: dict[str, Payment] = {}
        self.people: dict[str, Person] = {}
        self.outlets = OutletBook()
        self.entries = 0
        self.item_places: dict[str, int] = {}
        self.order_places: dict[str, list[int]] = {}
        # What an item looked like before its last change, for reads that lag behind the write.
        self.before: dict[str, Item] = {}
        self._emails: dict[str, list[str]] = {}
        self._created: list[datetime] = []
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._seq = 0
        self._journal = journal
        # Those who were there before the sandbox began; a journal may have them in a later form.
        for person in people:
            self._put_person(person)
        if first is not None:
            self._apply(first)
        if journal is not None:
            for entry in journal.read():
                self._apply(entry)

    def next_seq(self) -> int:
        """The next number in the order of creation."""
        self._seq += 1
        return self._seq

    def stamp(self, now: datetime) -> datetime:
        """The time to write: whole seconds as the API shows them, never before an earlier write."""
        self._latest = max(self._latest, now.replace(microsecond=0))
        return self._latest

    def commit(self, entry: Entry) -> None:
        """Write the change to the journal, then make it visible."""
        if self._journal is not None:
            self._journal.append(entry)
        self._apply(entry)

    def items_of(self, order_id: str) -> list[Item]:
        """The items of an order, in the order they were sent."""
        return [self.items[place] for place in self.order_places.get(order_id, ())]

    def item(self, item_id: str) -> Item | None:
        """The item, if there is one."""
        place = self.item_places.get(item_id)
        return None if place is None else self.items[place]

    def people_with(self, email: str) -> list[Person]:
        """The customers with that address, upper and lower case alike."""
        return [self.people[key] for key in self._emails.get(email.casefold(), ())]

    def place_before(self, moment: datetime) -> int:
        """The count of items that were created before `moment`."""
        return bisect_left(self._created, moment)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def _apply(self, entry: Entry) -> None:
        self.entries += 1
        if entry.order is not None:
            self._seen(entry.order.seq, entry.order.created)
            self.orders[entry.order.id] = entry.order
        for item in entry.items:
            place = self.item_places.get(item.id)
            if place is None:
                self._seen(item.seq, item.created)
                self.item_places[item.id] = len(self.items)
                self.order_places.setdefault(item.order_id, []).append(len(self.items))
                self.items.append(item)
                self._created.append(item.created)
            else:
                self.before[item.id] = self.items[place]
                self.items[place] = item
        if entry.payment is not None:
            self._seen(entry.payment.seq, entry.payment.created)
            self.payments[entry.payment.id] = entry.payment
        if entry.person is not None:
            self._put_person(entry.person)
        for bill in entry.bills:
            self._seen(0, bill.created)
        self.outlets.put(entry.bills, entry.outlet_items)

    def _put_person(self, person: Person) -> None:
        self._seen(person.seq, person.created)
        known = self.people.get(person.id)
        if known is not None and known.email:
            self._emails[known.email.casefold()].remove(person.id)
        self.people[person.id] = person
        if person.email:
            self._emails.setdefault(person.email.casefold(), []).append(person.id)

    def _seen(self, seq: int, created: datetime) -> None:
        self._seq = max(self._seq, seq)
        self._latest = max(self._latest, created)


class Journal:
    """An append-only file of JSON lines, one for each change, handed to the system before the answer leaves.

    A process that is killed loses nothing that was answered; a line it left half-written is cut off when
    the file is opened again. `started` is Mews's clock less this machine's when the file was begun.
    """

    def __init__(self, path: str | Path, enterprise_id: str) -> None:
        self._path = Path(path)
        self._enterprise_id = enterprise_id
        self._adapter = _adapter()
        self._file: IO[bytes] | None = None
        self.is_new = True
        self.started: datetime | None = None
        self._good = 0

    def read(self) -> Iterator[Entry]:
        """Every change on file, oldest first; opens the file for writing once all are read.

        Raises:
            UsageError: the file is no sandbox state, or that of another world.

        """
        try:
            handle = self._path.open("r+b" if self._path.exists() else "x+b")
            os.chmod(self._path, 0o600)  # noqa: PTH101 - same call, no second stat
        except OSError as fault:
            raise UsageError(
                f"The state file can't be opened: {fault.strerror}.",
                place=str(self._path),
                hint="Name a file in a folder that can be written.",
            ) from fault
        _hold(handle, self._path)
        for number, line in enumerate(handle, 1):
            if not line.endswith(b"\n"):
                break
            yield from self._entry(line, number, handle)
            self._good += len(line)
        handle.seek(self._good)
        handle.truncate()
        self._file = handle

    def append(self, entry: Entry) -> None:
        """Hand one change to the system."""
        if self._file is None:
            raise UsageError("The state file is closed.", place=str(self._path), hint="Start the sandbox again.")
        line = self._adapter.dump_json(entry, exclude_defaults=True) + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError:
            # A full disk may have taken half of the line: what was not written whole never happened.
            self._reopen()
            raise
        self._good += len(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _reopen(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = self._path.open("r+b")
        _hold(self._file, self._path)
        self._file.truncate(self._good)
        self._file.seek(self._good)

    def _entry(self, line: bytes, number: int, handle: IO[bytes]) -> Iterator[Entry]:
        try:
            entry = self._adapter.validate_json(line)
        except ValueError as fault:
            handle.close()
            raise UsageError(
                f"Line {number} of the state file is no change of a sandbox.",
                place=str(self._path),
                hint="Name another file, or remove this one to begin anew.",
            ) from fault
        if number > 1:
            yield entry
            return
        if entry.enterprise_id != self._enterprise_id:
            handle.close()
            raise UsageError(
                f"The state file belongs to another world (enterprise {entry.enterprise_id}).",
                place=str(self._path),
                hint="Use the world it was begun with, or another --state file.",
            )
        self.is_new = False
        self.started = entry.started


def _hold(handle: IO[bytes], path: Path) -> None:
    """Keep the file for this process, where the system can: two writers would tear each other's lines."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        handle.close()
        raise UsageError(
            "The state file is in use by another sandbox.",
            place=str(path),
            hint="End that sandbox, or give this one a --state file of its own.",
        ) from fault


def _adapter() -> TypeAdapter[Entry]:
    # Only a sandbox with a state file needs pydantic, which takes long to import.
    from pydantic import TypeAdapter

    return TypeAdapter(Entry)
