"""What Mews returns of orders, payments and outlet bills, one value a row: what load, recovery and reconciliation
compare with.

Reading them is `etl.mews`. Times are aware UTC, amounts Decimal in `currency`; "" stands for what Mews left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from etl.model.quick import quick

PAYMENT = "Payment"
"""Type of the items of an outlet bill that pay it."""
REVENUE = "Revenue"
"""Type of those of what was sold."""


@quick
@dataclass(frozen=True, slots=True)
class OrderItemRow:
    """One order item. `order_id` is ServiceOrderId, the OrderId of `orders/add`; `name` is BillingName.

    `net` and `gross` are of the whole item, `unit_net` and `unit_gross` of one unit; `taxes` are (code, value) of the
    whole item. `original_net` and `original_gross` are OriginalAmount, in `original_currency`.

    An item of an outlet bill is shown so as well: `order_id` is the bill, `service_id` the outlet, `notes` those of the
    bill, `number` is its Number; it has no account. Mews tells the amounts of one unit alone (`is_by_unit`): those of the whole are count
    times these, so what was not sent of net and gross may be off by the rounding of each unit.
    """

    id: str
    order_id: str
    account_id: str
    service_id: str
    notes: str
    name: str
    external_identifier: str
    count: int
    unit_net: Decimal
    unit_gross: Decimal
    net: Decimal
    gross: Decimal
    taxes: tuple[tuple[str, Decimal], ...]
    original_net: Decimal
    original_gross: Decimal
    currency: str
    created: datetime
    updated: datetime
    consumed: datetime | None
    canceled: datetime | None
    closed: datetime | None
    state: str
    type: str
    product_id: str = ""
    category_id: str = ""
    bill_id: str = ""
    original_currency: str = ""
    is_by_unit: bool = False
    number: str = ""

    @property
    def is_payment(self) -> bool:
        """Whether it pays the outlet bill that it stands on: nothing that was sold."""
        return self.is_by_unit and self.type == PAYMENT

    @property
    def is_canceled(self) -> bool:
        """Whether the item was cancelled: it proves presence all the same."""
        return self.state == "Canceled" or self.canceled is not None

    @property
    def first_booked(self) -> tuple[Decimal, Decimal]:
        """Net and gross as first booked: a cancellation may leave zeros in the current ones."""
        if self.is_canceled and (self.original_net or self.original_gross):
            return self.original_net, self.original_gross
        return self.net, self.gross


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One payment. `net` and `gross` as Mews signs them: negative for money that was paid.

    `external_type` and `external_identifier` are those of external payments; `accounting_state` is Open, Closed,
    Inactive or Canceled, `state` is Charged, Canceled, Pending, Failed or Verifying.
    """

    id: str
    account_id: str
    bill_id: str
    category_id: str
    external_identifier: str
    notes: str
    type: str
    external_type: str
    net: Decimal
    gross: Decimal
    currency: str
    created: datetime
    updated: datetime
    charged: datetime | None
    consumed: datetime | None
    closed: datetime | None
    state: str
    accounting_state: str

    @property
    def is_canceled(self) -> bool:
        """Whether the payment was cancelled or failed: it proves presence all the same."""
        return self.state in ("Canceled", "Failed") or self.accounting_state == "Canceled"


@dataclass(frozen=True, slots=True)
class ServiceOrderRow:
    """One product service order: what an order is linked to."""

    id: str
    service_id: str
    account_id: str
    state: str
    number: str
    reservation_id: str
    segment_id: str
    created: datetime
    updated: datetime
    canceled: datetime | None
