"""Orders that were taken at once, whole: as the rules plan them, for who sends them. Pure.

What is sent is read back out of the order's own part of the plan id, so that nothing can leave that the id does not stand for;
what the ledger keeps beside it comes from the order as it was read, and from what columns gave of its entries.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from etl.columns.entries import Entries
from etl.columns.sums import Sums
from etl.columns.taken import Bulk
from etl.model.content import content_of, fingerprint_of, skip_fingerprint
from etl.model.order import Order
from etl.model.place import Place
from etl.model.plan import Basis, Entry, EntryKind, PlannedOrder, PlannedPayment, Verdict
from etl.model.route import Route
from etl.staging.plain import PlainTable
from etl.transform.accounts import charged_for
from etl.transform.bill_payments import captured, captured_by, payment_entry
from etl.transform.context import Context, Findings

_NOWHERE = Place()
_KINDS = {kind.value: kind for kind in EntryKind}
Said = list[Any]
"""A part of the plan id, or an entry of one, as `plan.plan_line` writes it."""


class _Told(NamedTuple):
    """Of each entry of a bulk: name, row of the export, rule of the mapping. Of each order: where its entries begin, its total and month."""

    names: list[str]
    rows: list[int]
    rules: list[str]
    first: list[int]
    totals: list[int]
    months: list[str]


class Whole:
    """Makes the orders of a bulk whole that changes no tax basis. `table`: the file that they are rows of; `entries`: theirs."""

    def __init__(self, ctx: Context, table: PlainTable, bulk: Bulk, entries: Entries) -> None:
        self._ctx, self._table, self.bulk = ctx, table, bulk
        self._basis = ctx.arithmetic.basis
        self._told = _told(entries, bulk.sums)

    def order(self, order: Order, at: int) -> PlannedOrder:
        """The order at a place of the bulk, `order` as it was read."""
        sums, told, ctx = self.bulk.sums, self._told, self._ctx
        currency, precision = sums.currency
        said: Said = json.loads(self.bulk.lines.one(at))
        sent = _of_bill(said) if ctx.is_outlet else _of_order(said, precision)
        when, number, total = _moment(sums.consumptions[at]), sums.numbers[at], _amount(told.totals[at], precision)
        charged = charged_for(order, ctx, Findings(number))
        content = content_of(order)
        return PlannedOrder(
            number=number,
            verdict=Verdict.READY,
            currency=currency,
            basis=self._basis,
            source_total=total,
            planned_total=total,
            problems=self.bulk.problems.get(at, ()),
            account_id=charged.account_id,
            account_key=charged.key,
            create_customer=charged.create,
            consumption=when,
            true_consumption=when,
            month=told.months[at],
            entries=self._entries(said, at, precision),
            fingerprint=fingerprint_of(content),
            skip_fingerprint=skip_fingerprint(order),
            line_count=len(order.lines),
            unproved=sums.untold(at),
            content=content,
            country=order.delivery_country or order.invoice_country or ctx.mapping.settings.source.default_country,
            unread=order.unread,
            replaces=order.replaces,
            captured=captured(order, ctx, precision),
            captured_by=captured_by(ctx),
            **sent,
        )

    def _entries(self, said: Said, at: int, precision: int) -> tuple[Entry, ...]:
        entries = said[-1 if self._ctx.is_outlet else _ENTRIES]
        return tuple([self._entry(entry, here, precision) for here, entry in enumerate(entries, self._told.first[at])])

    def _entry(self, entry: Said, here: int, precision: int) -> Entry:
        """That which stands in a part of the plan id. `here`: its place among the entries of the bulk."""
        line, word, count, text, _, names, what = entry
        told, kind, unit, codes = self._told, _KINDS[word], Decimal(text), tuple(names)
        if kind is EntryKind.PAYMENT:
            return payment_entry(line, what[0], unit, self._basis, what[1])
        if kind is EntryKind.PRODUCT:
            name, product_id = told.names[here], what[0]
            category = self._ctx.reference.products[product_id].accounting_category
        else:
            (name, category), product_id = what, ""
        booked = self._ctx.arithmetic.predict(count, unit, codes, precision)
        amount = booked.gross if self._basis is Basis.GROSS else booked.net
        row = told.rows[here]
        return Entry(
            line,
            kind,
            name,
            count,
            unit,
            self._basis,
            codes,
            booked,
            amount,
            amount - amount,
            product_id,
            category,
            self._table.place_of(row) if row else _NOWHERE,
            told.rules[here],
        )


_ADDRESS, _ENTRIES = 4, 15
"""Where in the part of the plan id of a guest's order its service and its entries stand; a bill has its outlet one later, its entries last."""


def _of_order(said: Said, precision: int) -> dict[str, Any]:
    """What is sent of a guest's order beside its entries; a part of the plan id has no trailing zeros of what is paid."""
    service, enterprise, _, _, _, notes, grouping, _, segment, bill, reservation, _, payments = said[_ADDRESS:]
    return {
        "service_id": service,
        "enterprise_id": enterprise,
        "notes": notes,
        "disable_item_grouping": grouping,
        "segment_id": segment,
        "bill_id": bill,
        "reservation_id": reservation,
        "payments": tuple(
            PlannedPayment(part, type_, Decimal(amount).quantize(_amount(1, precision)), category)
            for part, type_, amount, category in payments
        ),
    }


def _of_bill(said: Said) -> dict[str, Any]:
    """The same of a bill of an outlet."""
    return {"service_id": said[_ADDRESS + 1], "notes": said[_ADDRESS + 5], "route": Route.OUTLET}


def _told(entries: Entries, sums: Sums) -> _Told:
    rules = [rule for _, rule in entries.taxes]
    return _Told(
        list(map(entries.names.__getitem__, entries.name.tolist())),
        entries.row.tolist(),
        list(map(rules.__getitem__, entries.tax.tolist())),
        entries.first.tolist(),
        sums.totals.tolist(),
        list(map(sums.months.__getitem__, sums.month_at.tolist())),
    )


def _amount(units: int, precision: int) -> Decimal:
    return Decimal(units).scaleb(-precision)


_moment = lru_cache(maxsize=2_048)(datetime.fromisoformat)
