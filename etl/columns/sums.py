"""What is reported of many orders by columns, as columns: added up at once, and read back order by order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from etl.columns.booked import Row, summed, unproved
from etl.columns.quick import Report
from etl.reading.distinct import Ints, distinct, first_of

NEGATIVE, OLD = 1, 2
_KINDS = 4
NONE = -1
Key = tuple[int, tuple[str, ...], str]
"""A tax-code set by its number and codes, and an AccountingCategoryId."""


class Sums(NamedTuple):
    """Orders of one currency (and its decimals), each column an item an order; amounts in smallest units.

    `is_net`: whether the source has their prices, and so their totals and rounding, without tax.

    `charged`: which of `accounts` (AccountId, whether it is a company); `month_at`: which of `months`. `consumptions`: ISO,
    UTC. `flags`: of `NEGATIVE` (any entry is) and `OLD` (before the editable window). `credit`: what a voucher that is money pays
    of the order, the one of `payers` (part, type or name) at `credit_at`; `payer_at`: which of them pays `paid` of the rest, NONE for
    nothing. `rounding`: by how much the plan has less than the source. `is_bill`: they are bills, whose payments are items of theirs. `first`: where the order's rows of `which` (of `keys`), `net` and `gross` begin,
    and where the last one's end; these are what is booked, in the order of the entries.
    """

    currency: tuple[str, int]
    keys: list[Key]
    accounts: list[tuple[str, bool]]
    months: list[str]
    payers: list[tuple[str, str]]
    is_bill: bool
    is_net: bool
    numbers: list[str]
    consumptions: list[str]
    totals: Ints
    charged: Ints
    month_at: Ints
    sizes: Ints
    flags: Ints
    credit: Ints
    credit_at: Ints
    payer_at: Ints
    paid: Ints
    rounding: Ints
    first: Ints
    which: Ints
    net: Ints
    gross: Ints

    def of(self, spans: Sequence[tuple[int, int]]) -> Sums:
        """Only the orders from one place to before another, of each span."""
        its = np.concatenate([np.arange(start, end) for start, end in spans])
        if len(its) == len(self.numbers):
            return self
        sizes = np.diff(self.first)[its]
        first = np.append(0, np.cumsum(sizes))
        rows = np.repeat(self.first[its] - first[:-1], sizes) + np.arange(first[-1])
        every: tuple[Any, ...] = self
        texts = [[text for start, end in spans for text in column[start:end]] for column in every[_TEXTS]]
        by_order, by_row = [column[its] for column in every[_BY_ORDER]], [column[rows] for column in every[_BY_ROW]]
        return Sums._make((*self[: _TEXTS.start], *texts, *by_order, first, *by_row))

    def old(self, start: int, end: int) -> int:
        """How many orders from one place to before another are older than the editable window."""
        return int(np.count_nonzero(self.flags[start:end] & OLD))

    def packed(self) -> tuple[Any, ...]:
        """Plain values all of it."""
        every: tuple[Any, ...] = self
        return (*every[: _TEXTS.stop], *[column.astype(np.int64).tobytes() for column in every[_TEXTS.stop :]])

    @classmethod
    def unpacked(cls, values: Sequence[Any]) -> Sums:
        """What was packed."""
        return cls(*values[: _TEXTS.stop], *[np.frombuffer(column, np.int64) for column in values[_TEXTS.stop :]])

    def added(self) -> Iterator[tuple[int, Report]]:
        """(how many orders, one without a number that is as large as all of them) of each account, month, flags and payments."""
        wide = len(self.payers) + 1
        payments = (self.credit_at + 1) * wide + self.payer_at + 1
        kinds = ((self.charged * len(self.months) + self.month_at) * _KINDS + self.flags) * wide * wide + payments
        _, of_order = distinct(kinds)
        places = first_of(of_order)
        width, count = len(self.keys), len(places)
        booked, which = distinct(np.repeat(of_order, np.diff(self.first)) * width + self.which)
        of_kind: list[list[Row]] = [[] for _ in range(count)]
        net, gross = added_up(which, self.net, len(booked)), added_up(which, self.gross, len(booked))
        for at in np.argsort(first_of(which)).tolist():
            its, key = divmod(int(booked[at]), width)
            of_kind[its].append((*self.keys[key][1:], int(net[at]), int(gross[at])))
        orders = np.bincount(of_order, minlength=count)
        columns = (self.totals, self.sizes, self.credit, self.paid, self.rounding)
        totals, sizes, *amounts = (added_up(of_order, one, count) for one in columns)
        for at in np.argsort(places).tolist():
            more = [int(one[at]) for one in amounts]
            yield int(orders[at]), self._report("", places[at], int(totals[at]), int(sizes[at]), of_kind[at], more)

    def reports(self) -> Iterator[Report]:
        """What is reported of each order."""
        return map(self.report, range(len(self.numbers)))

    def report(self, at: int) -> Report:
        """What is reported of one order."""
        rows = slice(self.first[at], self.first[at + 1])
        columns = [column[rows].tolist() for column in (self.which, self.net, self.gross)]
        booked: list[Row] = [(*self.keys[which][1:], net, gross) for which, net, gross in zip(*columns, strict=True)]
        amounts = [int(one[at]) for one in (self.credit, self.paid, self.rounding)]
        return self._report(self.numbers[at], at, int(self.totals[at]), int(self.sizes[at]), booked, amounts)

    def items(self) -> list[tuple[Ints, Ints, Ints]]:
        """Payments of bills as (orders, which of `payers`, amounts), those of vouchers first."""
        pairs = ((self.credit_at, self.credit), (self.payer_at, self.paid)) if self.is_bill else ()
        return [(np.flatnonzero(at != NONE), at[at != NONE], amount[at != NONE]) for at, amount in pairs]

    def left(self) -> Ints:
        """What each order leaves open: what is booked of it with tax, less what pays it."""
        return self.booked() - self.credit - self.paid

    def booked(self) -> Ints:
        """What is booked of each order with tax."""
        return added_up(np.repeat(np.arange(len(self.numbers)), np.diff(self.first)), self.gross, len(self.numbers))

    def untold(self, at: int) -> tuple[str, ...]:
        """What no answer of Mews tells beforehand of an order."""
        flags, which = self.flags[at], (self.credit_at[at], self.payer_at[at])
        return unproved(
            is_negative=bool(flags & NEGATIVE),
            is_company=self.accounts[self.charged[at]][1],
            is_old=bool(flags & OLD),
            types=[] if self.is_bill else [self.payers[one][1] for one in which if one != NONE],
        )

    def _report(self, number: str, at: int, total: int, size: int, rows: list[Row], amounts: Sequence[int]) -> Report:
        """As the order at a place, or as many as are as large as this; `amounts`: credit, paid, rounding."""
        payers = zip((self.credit_at[at], self.payer_at[at]), amounts[:2], strict=True)
        return Report(
            number,
            *self.currency,
            total,
            self.accounts[self.charged[at]][0],
            self.consumptions[at],
            self.months[self.month_at[at]],
            size,
            *summed(rows),
            self.untold(at),
            tuple([(*self.payers[which], amount) for which, amount in payers if which != NONE]),
            self.is_bill,
            amounts[-1],
            self.is_net,
        )


def added_up(which: Ints, amounts: Ints, size: int) -> Ints:
    """The sum of the amounts of each of so many kinds."""
    found = np.zeros(size, np.int64)
    np.add.at(found, which, amounts)
    return found


_TEXTS = slice(Sums._fields.index("numbers"), Sums._fields.index("totals"))
_BY_ORDER = slice(_TEXTS.stop, Sums._fields.index("first"))
_BY_ROW = slice(_BY_ORDER.stop + 1, len(Sums._fields))
