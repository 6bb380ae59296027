"""What is compared with Mews and in what it differs, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from etl.model.plan import Basis

NOT_IN_MEWS = "not in Mews"


class What(StrEnum):
    """In what ledger and Mews differ."""

    ORDER = "order"
    AMOUNT = "amount"
    TAX = "tax"
    DATE = "date"
    ACCOUNT = "account"
    CANCELLED = "cancelled"
    COUNT = "count"
    IDENTIFIER = "identifier"
    EXTRA_ITEM = "extra item"
    MISSING_ITEM = "missing item"
    CATEGORY = "category"
    CURRENCY = "currency"
    TYPE = "type"
    PAYMENT = "payment"
    UNDONE = "undone"
    ROUNDING = "rounding of Mews"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference with both sides, for people. `item`: the ExternalIdentifier or name concerned, "" for the order."""

    what: What
    expected: str
    found: str
    item: str = ""

    @property
    def sentence(self) -> str:
        """Both sides in one line, as ledger and terminal show it."""
        what = _SAID.get(self.what, f"{self.what.value} ")
        seen = self.found if self.found == NOT_IN_MEWS else f"Mews has {self.found}"
        return f"{self.item + ': ' if self.item else ''}expected {what}{self.expected}, {seen}"


_SAID = {What.ORDER: "", What.MISSING_ITEM: "", What.EXTRA_ITEM: "", What.CANCELLED: "", What.ROUNDING: "tax "}
"""Where the kind of a difference is no word of its sentence."""


@dataclass(frozen=True, slots=True)
class ExpectedEntry:
    """One entry as it was sent, or as `recover` found it. Amounts are of the whole entry.

    None stands for what nobody knows: `codes`, `count` of recovered orders, `net` and `gross` without prediction.
    `total` is count x unit in the enterprise's basis; `category_id` is "" where Mews was left to choose.
    """

    identifier: str
    name: str
    count: int | None
    total: Decimal
    codes: tuple[str, ...] | None
    category_id: str = ""
    net: Decimal | None = None
    gross: Decimal | None = None
    is_payment: bool = False
    """It pays the outlet bill that it stands on: nothing that was sold."""


@dataclass(frozen=True, slots=True)
class ExpectedPayment:
    """One payment part as it was sent. `amount` in the enterprise's basis, None where unknown; `id` is Mews's."""

    part: str
    id: str
    identifier: str
    type: str
    amount: Decimal | None
    currency: str
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """One order that the ledger holds as posted.

    `basis` is the enterprise's; `sent_by` the latest that it can have been in Mews when the order was last sent.
    """

    number: str
    generation: int
    order_id: str
    account_id: str
    consumption: datetime | None
    currency: str
    basis: Basis
    entries: tuple[ExpectedEntry, ...]
    payments: tuple[ExpectedPayment, ...] = ()
    sent_by: datetime | None = None
