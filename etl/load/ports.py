"""What the load stage needs of Mews, declared where it is used; `etl/mews/` happens to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from etl.model.observed import Observed
from etl.model.outcome import Outcome
from etl.model.payload import Operation
from etl.model.plan import PlannedOrder
from etl.model.reference import Account
from etl.model.rows import OrderItemRow, PaymentRow

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


class Reader(Protocol):
    """Reading back. A walk that can't be read to its end raises MewsError; it never ends early in silence."""

    async def configuration(self) -> Any:
        """`configuration/get`; also records Mews's clock."""
        ...

    def now(self) -> datetime:
        """Mews's time."""
        ...

    def order_items(
        self,
        *,
        service_ids: Sequence[str] | None = None,
        created: tuple[datetime, datetime] | None = None,
        order_ids: Sequence[str] | None = None,
        account_ids: Sequence[str] | None = None,
        canceled: tuple[datetime, datetime] | None = None,
    ) -> AsyncIterator[list[OrderItemRow]]:
        """`orderItems/getAll`, page by page, cancelled and inactive items included."""
        ...

    def payments(
        self,
        *,
        created: tuple[datetime, datetime] | None = None,
        account_ids: Sequence[str] | None = None,
    ) -> AsyncIterator[list[PaymentRow]]:
        """`payments/getAll`, page by page."""
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
