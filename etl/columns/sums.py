"""What is reported of many orders by columns, as columns: added up at once, and read back order by order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from etl.columns.quick import Booked, Report
from etl.model.kinds import COMPANY, REBATES

Key = tuple[int, tuple[str, ...], str]
"""A tax-code set by its number and codes, and an AccountingCategoryId."""
Row = tuple[tuple[str, ...], str, int, int]
"""Codes, AccountingCategoryId, net, gross."""


class Sums(NamedTuple):
    """Orders of one currency (and its decimals), each list an item an order; amounts in smallest units, gross totals.

    `charged`: which of `accounts` (AccountId, whether it is a company). `first`: where the order's rows of `which` (of
    `keys`), `net` and `gross` begin; these are what is booked, in the order of the entries. `negative`: whether any entry is.
    Plain values all of it.
    """

    currency: tuple[str, int]
    keys: list[Key]
    accounts: list[tuple[str, bool]]
    numbers: list[str]
    totals: list[int]
    charged: list[int]
    consumptions: list[str]
    months: list[str]
    sizes: list[int]
    negative: list[bool]
    first: list[int]
    which: list[int]
    net: list[int]
    gross: list[int]

    def of(self, kept: Sequence[int]) -> Sums:
        """These orders only."""
        if len(kept) == len(self.numbers):
            return self
        rows = [row for at in kept for row in range(self.first[at], self.first[at + 1])]
        sizes = [self.first[at + 1] - self.first[at] for at in kept]
        first = [0]
        for size in sizes:
            first.append(first[-1] + size)
        by_order: list[Any] = [[column[at] for at in kept] for column in self[3:10]]
        by_row: list[Any] = [[column[row] for row in rows] for column in self[11:]]
        return Sums._make((self.currency, self.keys, self.accounts, *by_order, first, *by_row))

    def added(self) -> Iterator[tuple[int, Report]]:
        """(how many orders, one without a number that is as large as all of them) of each account and month, those with anything negative apart."""
        import numpy as np  # whoever has sums has it loaded

        own: dict[tuple[int, str, bool], int] = {}
        keys = zip(self.charged, self.months, self.negative, strict=True)
        of_order = np.array([own.setdefault(key, len(own)) for key in keys], np.int64)
        rows = np.diff(np.array(self.first))
        width = len(self.keys)
        booked, first, which = np.unique(
            np.repeat(of_order, rows) * width + np.array(self.which, np.int64), return_index=True, return_inverse=True
        )
        net, gross = np.zeros(len(booked), np.int64), np.zeros(len(booked), np.int64)
        np.add.at(net, which, self.net)
        np.add.at(gross, which, self.gross)
        of_key: list[list[Row]] = [[] for _ in own]
        for at in np.argsort(first).tolist():
            its, key = divmod(int(booked[at]), width)
            of_key[its].append((*self.keys[key][1:], int(net[at]), int(gross[at])))
        orders, totals, sizes = (np.zeros(len(own), np.int64) for _ in range(3))
        np.add.at(orders, of_order, 1)
        np.add.at(totals, of_order, self.totals)
        np.add.at(sizes, of_order, self.sizes)
        places = np.full(len(own), len(of_order))
        np.minimum.at(places, of_order, np.arange(len(of_order)))
        rest = zip(*[column.tolist() for column in (orders, places, totals, sizes)], of_key, strict=True)
        for count, place, total, size, its_rows in rest:
            yield count, self._report("", place, total, size, its_rows)

    def reports(self) -> Iterator[Report]:
        """What is reported of each order."""
        return map(self.report, range(len(self.numbers)))

    def report(self, at: int) -> Report:
        """What is reported of one order."""
        rows = range(self.first[at], self.first[at + 1])
        booked = [(*self.keys[self.which[row]][1:], self.net[row], self.gross[row]) for row in rows]
        return self._report(self.numbers[at], at, self.totals[at], self.sizes[at], booked)

    def _report(self, number: str, at: int, total: int, size: int, rows: list[Row]) -> Report:
        account, is_company = self.accounts[self.charged[at]]
        return Report(
            number,
            *self.currency,
            total,
            account,
            self.consumptions[at],
            self.months[at],
            size,
            *summed(rows),
            unproved(is_negative=self.negative[at], is_company=is_company),
        )


def summed(rows: Iterable[Row]) -> tuple[tuple[tuple[tuple[str, ...], Booked], ...], tuple[tuple[str, Booked], ...]]:
    """What is booked by tax-code set and by category, each in the order of the rows."""
    taxes: dict[tuple[str, ...], Booked] = {}
    categories: dict[str, Booked] = {}
    for codes, category, net, gross in rows:
        has_codes = bool(codes)
        its_net, its_gross, _ = taxes.get(codes, _NOTHING)
        taxes[codes] = (its_net + net, its_gross + gross, has_codes)
        its_net, its_gross, has_any = categories.get(category, _NOTHING)
        categories[category] = (its_net + net, its_gross + gross, has_any or has_codes)
    return tuple(taxes.items()), tuple(categories.items())


def unproved(*, is_negative: bool, is_company: bool) -> tuple[str, ...]:
    """What no answer of Mews tells beforehand of an order."""
    return (*_REBATES[is_negative], *_COMPANY[is_company])


_NOTHING: Booked = (0, 0, False)
_REBATES, _COMPANY = ((), (REBATES,)), ((), (COMPANY,))
