"""Many orders at once: plain sales, by whole columns of numbers. Pure.

The narrow middle of the fast lane. It takes sales of lines with positive quantities and shipping that nothing is to be said
of; what it leaves, `Lane.take` looks at one by one, and what that leaves, the rules plan. Cells are read and keys decided by
the very objects that `Lane` uses; what is here is arithmetic on arrays of int64, with bounds that no sum can pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from etl.columns.bulk_goods import LARGEST, Articles, Goods, LineColumns, Parts, Sets, shares
from etl.columns.decided import Taxes
from etl.columns.hours import Hours, text_of
from etl.columns.lane import Head, Lane
from etl.columns.rows import Rows
from etl.columns.sums import Sums
from etl.columns.taken import Bulk
from etl.columns.writing import Writing
from etl.transform.accounts import Charged

Offered = Sequence[tuple[int, str, Rows]]
"""(place among the orders of a chunk, order number, its rows)."""


class Sold(NamedTuple):
    """What the order-level cells of an order say. `at`: its place in the chunk. `total`: None for an empty cell."""

    at: int
    number: str
    rows: Rows
    head: Head
    taxes: Taxes
    text: str
    month: str
    charged: Charged
    shipping: int
    total: int | None


class BulkLane:
    """Takes orders of one file at once, as `lane` takes them one by one."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._hours = Hours(lane.dates, lane.moments)
        self._articles = Articles(lane.lines)
        self._columns: dict[int, LineColumns] = {}

    def take(self, offered: Offered) -> Iterator[Bulk]:
        """Those of the orders (one at least) that are plain sales, by currency."""
        by_currency: dict[int, list[Sold]] = {}
        for one in self._sold(offered):
            by_currency.setdefault(id(one.head.writing), []).append(one)
        for sold in by_currency.values():
            if found := self._taken(sold):
                yield found

    def _sold(self, offered: Offered) -> Iterator[Sold]:
        """What the order-level cells say, of orders where they are plain."""
        lane = self._lane
        cells = [(*rows[0][0], "") for _, _, rows in offered]
        columns = list(zip(*cells, strict=True))
        is_plain = lane.plain_texts(columns)
        dates, numbers, own = columns[lane.date_at], columns[lane.number_at], lane.own
        amounts_at = itemgetter(lane.shipping_at, lane.total_at, lane.captured_at, lane.capture_at)
        for place, (at, number, rows) in enumerate(offered):
            its = cells[place]
            if not is_plain[place] or numbers[place] != number or number in own:
                continue
            if len(rows) > 1 and any(other[0] != rows[0][0] for other in rows):
                continue
            head, hour = lane.head(its), self._hours.of(dates[place])
            if hour is None or isinstance(head, str) or head.sign < 0:
                continue
            charged = lane.charged(its, head)
            if charged is None or not charged.account_id:
                continue
            given, due, captured, status = amounts_at(its)
            amounts = head.amounts
            shipping = amounts[given] if given else lane.no_shipping
            total = amounts[due] if due else None
            if shipping is None or not 0 <= shipping < LARGEST or (due and total is None):
                continue
            if shipping and (head.writing.shipping is None or not head.writing.is_proportional):
                continue
            paid = amounts[captured] if captured else None
            if captured and (paid is None or paid != total or not status.strip()):
                continue
            text, month = text_of(hour, dates[place]), hour.first.month
            its_taxes = head.decided.taxes(head.country, hour.first, head.store)
            yield Sold(at, number, rows, head, its_taxes, text, month, charged, shipping, total)

    def _taken(self, offered: list[Sold]) -> Bulk | None:
        writing, columns = offered[0].head.writing, self._columns_of(offered[0].head)
        goods, plain = columns.read([one.rows for one in offered], [one.taxes for one in offered])
        if not plain:
            return None
        sold = [offered[at] for at in plain]
        shipping = np.array([one.shipping for one in sold], np.int64)
        parts, left = shares(goods, shipping, columns.sets)
        totals = (np.add.reduceat(goods.amount, goods.first) + shipping).tolist()
        is_left, skips_zero = set(left), self._lane.skips_zero
        kept = [
            at
            for at, (one, total) in enumerate(zip(sold, totals, strict=True))
            if at not in is_left and one.total in (None, total) and (total or not skips_zero)
        ]
        return self._written(sold, kept, totals, _Goods(writing, goods, parts, columns.sets)) if kept else None

    def _columns_of(self, head: Head) -> LineColumns:
        key = id(head.writing)
        if key not in self._columns:
            self._columns[key] = LineColumns(self._lane.lines, self._articles, head.amounts, head.decided)
        return self._columns[key]

    def _written(self, sold: list[Sold], kept: list[int], totals: list[int], taken: _Goods) -> Bulk:
        writing, goods = taken.writing, taken.goods
        sums = self._sums(sold, totals, taken)
        booked = sums.booked()
        entries, starts = self._entries(taken), [*goods.first.tolist(), len(goods.order)]
        sent: dict[int, list[str]] = {}
        for order, entry in zip(taken.parts.order.tolist(), self._shares(taken), strict=True):
            sent.setdefault(order, []).append(entry)
        lines, signatures = [], []
        for at in kept:
            one = sold[at]
            own = entries[starts[at] : starts[at + 1]] + sent.get(at, [])
            lines.append(writing.line(one.number, one.text, one.charged.account_id, own))
            signatures.append(
                (one.head.at, False, False, False, one.charged.key, booked[at], bool(one.shipping), True, False)
            )
        footed = [bool(sold[at].shipping) and sold[at].total is not None for at in kept]
        return Bulk([sold[at].at for at in kept], lines, signatures, footed, sums.of(kept))

    def _entries(self, taken: _Goods) -> list[str]:
        """The entries of the lines, as in a plan line."""
        goods, texts = taken.goods, taken.writing.texts
        articles, sets = self._articles.all, {at: tax.text for at, tax in taken.sets.all.items()}
        kinds, whats = [one.kind for one in articles], [one.what for one in articles]
        numbers = goods.article.tolist()
        return [
            f'["p{place}",{kind},{count},"{unit}","gross",{codes},{what}]'
            for place, kind, count, unit, codes, what in zip(
                goods.place.tolist(),
                map(kinds.__getitem__, numbers),
                goods.pieces.tolist(),
                map(texts.__getitem__, goods.price.tolist()),
                map(sets.__getitem__, goods.sets.tolist()),
                map(whats.__getitem__, numbers),
                strict=True,
            )
        ]

    def _shares(self, taken: _Goods) -> list[str]:
        """The entries of shipping, likewise."""
        parts, texts, sets = taken.parts, taken.writing.texts, taken.sets.all
        what, _ = taken.writing.shipping or ("", "")
        return [
            f'["s{place}","item",1,"{texts[amount]}","gross",{sets[its].text},{what}]'
            for place, amount, its in zip(parts.place.tolist(), parts.amount.tolist(), parts.sets.tolist(), strict=True)
        ]

    def _sums(self, sold: list[Sold], totals: list[int], taken: _Goods) -> Sums:
        """What is reported of the orders."""
        goods, parts, sets, writing = taken.goods, taken.parts, taken.sets, taken.writing
        categories = self._articles.categories
        shipping = categories.setdefault((writing.shipping or ("", ""))[1], len(categories))
        order = np.concatenate((goods.order, parts.order))
        its = np.concatenate((goods.sets, parts.sets))
        category = np.concatenate((self._articles.category[goods.article], np.full(len(parts.order), shipping)))
        gross = np.concatenate((goods.amount, parts.amount))
        net = sets.nets(its, gross)
        width, size = len(sets.over), len(categories)
        found, first, back = np.unique((order * width + its) * size + category, return_index=True, return_inverse=True)
        summed = np.zeros((2, len(found)), np.int64)
        np.add.at(summed[0], back, net)
        np.add.at(summed[1], back, gross)
        by = np.lexsort((first, found // (width * size)))
        found = found[by]
        starts = np.searchsorted(found // (width * size), np.arange(len(sold) + 1)).tolist()
        key, which = np.unique(found % (width * size), return_inverse=True)
        names = list(categories)
        keys = [(one // size, sets.all[one // size].codes, names[one % size]) for one in key.tolist()]
        accounts: dict[tuple[str, bool], int] = {}
        charged = [accounts.setdefault((one.charged.account_id, one.charged.is_company), len(accounts)) for one in sold]
        return Sums(
            (writing.currency, writing.precision),
            keys,
            list(accounts),
            [one.number for one in sold],
            totals,
            charged,
            [one.text.replace(" ", "T", 1) for one in sold],
            [one.month for one in sold],
            np.diff(np.append(goods.first, len(goods.order))).tolist(),
            starts,
            which.tolist(),
            *summed[:, by].tolist(),
        )


class _Goods(NamedTuple):
    writing: Writing
    goods: Goods
    parts: Parts
    sets: Sets
