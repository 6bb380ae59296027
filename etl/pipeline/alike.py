"""Orders that nothing tells apart in a sum, added up while they are planned by columns.

A summary adds nothing to an order's money that is not in proportion to it, so the sum of orders of one account, month
and currency is reported as one order would be that is as large as all of them (`classify.quick_status`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etl.columns.quick import Report
from etl.model.status import OrderStatus
from etl.pipeline.classify import quick_status

_Key = tuple[str, int, str, str, tuple[str, ...]]


class Alike:
    """Sums of reports; memory grows with accounts and months, not with orders."""

    def __init__(self) -> None:
        self.orders = 0
        self._sums: dict[_Key, list[Any]] = {}
        """[orders, total, consumption, lines, taxes, categories] by what they have in common."""

    def add(self, report: Report, orders: int = 1) -> None:
        """Adds an order that there is nothing to say of, or so many `orders` as one that is as large as all of them."""
        _, currency, precision, total, account, consumption, month, lines, taxes, categories, unproved = report
        self.orders += orders
        key = (currency, precision, account, month, unproved)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0, 0, consumption, 0, {}, {}]
        sums[0] += orders
        sums[1] += total
        sums[3] += lines
        for held, booked in ((sums[4], taxes), (sums[5], categories)):
            for name, (net, gross, has_codes) in booked:
                known = held.get(name)
                if known is None:
                    held[name] = [net, gross, has_codes]
                else:
                    known[0] += net
                    known[1] += gross
                    known[2] |= has_codes

    def statuses(self) -> Iterator[tuple[OrderStatus, int]]:
        """(an order as large as all of a kind, how many these are); without a number."""
        return ((quick_status(report), orders) for report, orders in self.reports())

    def reports(self) -> Iterator[tuple[Report, int]]:
        """As `statuses`, in the form in which they were added."""
        for (currency, precision, account, month, unproved), sums in self._sums.items():
            orders, total, consumption, lines, taxes, categories = sums
            report = Report(
                "",
                currency,
                precision,
                total,
                account,
                consumption,
                month,
                lines,
                tuple([(codes, tuple(booked)) for codes, booked in taxes.items()]),
                tuple([(name, tuple(booked)) for name, booked in categories.items()]),
                unproved,
            )
            yield report, orders
