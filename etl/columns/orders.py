"""What the order-level cells of many orders of one currency say, as columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from etl.columns.block import Bools, Ints
from etl.columns.bulk_numbers import EMPTY
from etl.columns.decided import Item
from etl.columns.hours import Dated
from etl.columns.lane import Head
from etl.columns.notes import Notes
from etl.columns.paid import Payer
from etl.transform.accounts import Charged

NONE, UNPAID = -1, -2


class Orders(NamedTuple):
    """Orders of a block. `at`: their places in it.

    `head_at`, `date_at`, `account_at`, `notes_at`, `rebate_at`: which of `heads`, `dated`, `charged`, `notes` and `rebates`
    (or none) are theirs; `day_at` as of `Dated.days`; a head may be the reason why none of the orders has it. Amounts in smallest units;
    `total` may be EMPTY, `value` is that of a voucher that is an item, `spread` of one that lowers prices, `credit` of one that is money, sent as the one of `payers`
    at `credit_at` (or none). `payer_at`: which of `payers` pays the rest; NONE where nobody can say, UNPAID where nothing does.
    `is_told`: the cell of the shipping is empty, and that is to be said.
    """

    at: Ints
    head_at: Ints
    date_at: Ints
    day_at: Ints
    account_at: Ints
    notes_at: Ints
    shipping: Ints
    total: Ints
    value: Ints
    rebate_at: Ints
    spread: Ints
    credit: Ints
    credit_at: Ints
    payer_at: Ints
    is_return: Bools
    is_told: Bools
    heads: Sequence[Any]
    dated: Dated
    charged: Sequence[Charged]
    notes: Sequence[Notes]
    rebates: Sequence[Item]
    payers: Sequence[Payer]

    def of(self, kept: Bools) -> Orders:
        """These orders only."""
        if kept.all():
            return self
        columns: list[Any] = list(self)
        columns[:_COLUMNS] = [column[kept] for column in columns[:_COLUMNS]]
        return Orders._make(columns)

    def lacks_capture(self, *, by_captures: bool) -> Bools:
        """Of which it is told that no capture is, where captures pay an order."""
        is_sale = ~self.is_return & (self.total != EMPTY) & (self.total != 0)
        found: Bools = is_sale & (self.payer_at == UNPAID) & by_captures
        return found

    def head(self, at: int) -> Head:
        """The head of an order."""
        head: Head = self.heads[self.head_at[at]]
        return head


_COLUMNS = Orders._fields.index("heads")
