"""What pays many orders at once, by columns. Pure.

As the rules have it of one order (`transform.payments`, `transform.bill_payments`), as far as there is nothing to say of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import numpy as np

from etl.columns.block import Bools, Column, Ints, joint
from etl.columns.bulk_numbers import EMPTY
from etl.columns.lane import Lane
from etl.columns.orders import NONE, UNPAID
from etl.columns.paid import Payer, Payers


class Cells(Protocol):
    """Order-level columns by where they stand, and the wanted cells of one order."""

    def __getitem__(self, at: int, /) -> Column: ...

    def cells(self, place: int, wanted: list[int]) -> tuple[str, ...]:
        """Each where it stands; all others empty."""
        ...


Vouchers = Sequence[tuple[Bools, str | None]]
"""Of each code of a voucher that was met: which orders have a value under it, and the code as it is read; None where it can't be."""


def vouchers_of(lane: Lane, column: Column, places: Ints, value: Ints) -> Vouchers:
    """The vouchers of the orders at some places of a block. `column`: their codes."""
    codes, has_value = column.codes[places], value > 0
    met = np.unique(codes[has_value]).tolist()
    return [((codes == code) & has_value, lane.voucher_code(column.texts[code])) for code in met]


class PaidBy:
    """The payments of the orders at some places of a block. `all`: those that were met."""

    def __init__(self, lane: Lane, payers: Payers, columns: Cells, places: Ints) -> None:
        self._lane, self._payers, self._columns, self._places = lane, payers, columns, places
        self.all: list[Payer] = []
        self._at: dict[Hashable, int] = {}

    def credits(self, vouchers: Vouchers) -> Ints:
        """Which payment the voucher of each order is; NONE where it is none."""
        found = np.full(len(self._places), NONE)
        for its, word in vouchers:
            found[its] = NONE if word is None else self._number(self._payers.gift(word))
        return found

    def payers(self, captured: Ints, total: Ints, is_return: Bools) -> Ints:
        """Which payment pays what is left of each order; as of `Orders.payer_at`. `total`: that which is stated."""
        size, payers = len(captured), self._payers
        if payers.by_balance:
            return np.full(size, self._number(payers.balance))
        if not payers.by_captures:
            return np.full(size, UNPAID)
        is_success = self._each(self._lane.capture_at, self._lane.is_success)
        is_taken = is_success & (captured == total) & (captured != EMPTY)
        if not payers.has_refunds:
            is_taken &= total >= 0
        is_taken &= ~is_return | (total <= 0)
        is_bare = captured == EMPTY
        for at in self._lane.captured_by_at:
            is_bare &= ~self._each(at, bool)
        return np.where(is_taken, self._captures(), np.where(is_bare, UNPAID, NONE))

    def _captures(self) -> Ints:
        """What was captured of each order, by its method."""
        lane = self._lane
        columns = [self._columns[at] for at in lane.method_at]
        if not columns:
            return np.full(len(self._places), self._number(self._payers.capture("")))
        keys = [(one.codes[self._places], len(one.texts)) for one in columns]
        which, firsts = joint(keys, len(self._places))
        found = []
        for at in firsts:
            method = lane.method(self._columns.cells(int(self._places[at]), lane.method_at))
            found.append(NONE if method is None else self._number(self._payers.capture(method)))
        return np.array(found, np.int64)[which]

    def _each(self, at: int, holds: Callable[[str], bool]) -> Bools:
        """Of which orders something holds of the text in a column."""
        texts, codes = self._columns[at]
        return np.array([holds(text) for text in texts], bool)[codes[self._places]]

    def _number(self, payer: Payer | None) -> int:
        if payer is None:
            return NONE
        if payer not in self._at:
            self._at[payer] = len(self.all)
            self.all.append(payer)
        return self._at[payer]
