"""What the load stage needs of Mews, declared where it is used; `etl/mews/` happens to do it.

What reads Mews back is `evidence/reader.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from etl.model.observed import Observed
from etl.model.outcome import Outcome
from etl.model.payload import Operation
from etl.model.plan import PlannedOrder
from etl.model.reference import Account

BeforeSend = Callable[[], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class Writer(Protocol):
    """Exactly one attempt a call. `before_send` is awaited just before the first byte; what it raises comes out."""

    async def send(self, operation: Operation, content: bytes, *, before_send: BeforeSend) -> Outcome:
        """Sends these very bytes (behind the tokens); a DONE body names what was made."""
        ...

    async def scope(self, operation: Operation) -> dict[str, str]:
        """What a payload has to name besides, with tokens for several enterprises. Raises MewsError."""
        ...


class CustomerReader(Protocol):
    """Who is there. Raises MewsError where the answer is not whole."""

    async def customers_by_email(self, emails: Iterable[str]) -> list[Account]:
        """Customers with these addresses, whatever the case, deleted and merged ones included."""
        ...


class Limiter(Protocol):
    """The request limit that all workers share."""

    def pause(self, seconds: float) -> None:
        """Nobody sends for that long."""
        ...


class Predictions(Protocol):
    """What the first order's booked amounts teach about later predictions."""

    def observe(self, entries: Sequence[Observed]) -> str:
        """The name of the way of rounding that explains all of them; "" for none that is known."""
        ...

    def adapt(self, order: PlannedOrder, rounding: str) -> PlannedOrder:
        """The order with predictions that follow it; the same object where nothing differs."""
        ...


LinkedReservation = Callable[[str], Awaitable[str]]
"""The reservation that Mews linked to an OrderId, "" for none."""
