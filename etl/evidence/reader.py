"""What reading evidence needs of Mews and of time, declared where it is used; `etl/mews/` happens to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from etl.model.rows import OrderItemRow, PaymentRow

Interval = tuple[datetime | None, datetime | None]
"""From (None: ever) and before (None: now) in Mews's time."""


class Clock(Protocol):
    """Time as this machine has it."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def wall(self) -> datetime:
        """The machine's date and time, aware UTC."""


class Reader(Protocol):
    """What reads Mews. A walk that can't be read to its end raises MewsError; it never ends early in silence."""

    async def configuration(self) -> Any:
        """`configuration/get`; also records Mews's clock, which `now` goes by."""
        ...

    def now(self) -> datetime:
        """Mews's time."""
        ...

    def order_items(
        self,
        *,
        service_ids: Sequence[str] | None = None,
        order_ids: Sequence[str] | None = None,
        account_ids: Sequence[str] | None = None,
        created: Interval | None = None,
        canceled: Interval | None = None,
    ) -> AsyncIterator[list[OrderItemRow]]:
        """`orderItems/getAll`, page by page, cancelled and inactive items included."""
        ...

    def payments(
        self,
        *,
        account_ids: Sequence[str] | None = None,
        payment_ids: Sequence[str] | None = None,
        created: Interval | None = None,
    ) -> AsyncIterator[list[PaymentRow]]:
        """`payments/getAll`, page by page, in every state."""
        ...


class BillReader(Protocol):
    """Looking for bills of the outlet where they must be, if they are anywhere."""

    def closed_at(self, moments: Iterable[datetime]) -> AsyncIterator[list[OrderItemRow]]:
        """All items of bills that closed at one of these moments: what is not met there is not there."""
        ...

    def remember(self, closed: Mapping[str, datetime]) -> None:
        """Bills are read by when they closed: these closed then, by their ids."""
        ...


class RouteReader(Reader, Protocol):
    """A reader of whichever route."""

    @property
    def bills(self) -> BillReader | None:
        """How bills are looked for; None on the route where there are none."""
        ...
