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

_Key = tuple[Any, ...]


class Alike:
    """Sums of reports; memory grows with accounts and months, not with orders."""

    def __init__(self) -> None:
        self.orders = 0
        self._sums: dict[_Key, list[Any]] = {}
        """[orders, total, consumption, lines, taxes, categories, payments] by what they have in common."""

    def add(self, report: Report, orders: int = 1) -> None:
        """Adds an order that there is nothing to say of, or so many `orders` as one that is as large as all of them."""
        currency, precision, account, month = report.currency, report.precision, report.account_id, report.month
        self.orders += orders
        kind = (report.is_bill, report.is_net)
        key = (currency, precision, account, month, report.unproved, *[one[:2] for one in report.paid], kind)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0, 0, report.consumption, 0, {}, {}, [0] * len(report.paid)]
        sums[0] += orders
        sums[1] += report.total
        sums[3] += report.line_count
        for at, (_, _, amount) in enumerate(report.paid):
            sums[6][at] += amount
        for held, booked in ((sums[4], report.taxes), (sums[5], report.categories)):
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
        for (currency, precision, account, month, unproved, *payers, kind), sums in self._sums.items():
            orders, total, consumption, lines, taxes, categories, paid = sums
            is_bill, is_net = kind
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
                tuple([(*payer, amount) for payer, amount in zip(payers, paid, strict=True)]),
                is_bill,
                is_net=is_net,
            )
            yield report, orders
