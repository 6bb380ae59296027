"""Many orders as they are sent: their amounts in the basis of the enterprise, and what Mews books of them. Pure.

As `transform.amounts.EntryMaker` does it entry by entry. Where the bases differ, each distinct amount, count and tax-code set is
converted once, by the conversion of the rules; where an order's rounding so far decides between ways, its entries are gone
through one after the other, as there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from etl.columns.block import Bools, Ints
from etl.columns.bulk_goods import Goods, Portions, Sets, places_of
from etl.columns.cells import KEPT
from etl.columns.decided import Decided, Way
from etl.model.plan import Basis

_OPEN, _NEVER = -1, -2
"""Stand for the way of an amount that the order's rounding so far decides on, and for none that is plain."""
_Key = tuple[int, int, int]
"""Amount without its sign, count, tax-code set."""


class SentGoods(NamedTuple):
    """Entries of lines. `suffix`: 1 and 2 of a line that is split, else 0; `pieces` without a sign, `unit`, `net`, `gross` with it."""

    order: Ints
    place: Ints
    suffix: Ints | None
    article: Ints
    pieces: Ints
    unit: Ints
    net: Ints
    gross: Ints
    sets: Ints
    row: Ints
    rule: Ints

    @property
    def nth(self) -> Ints:
        """Which entry of its order's goods each is, from 0 on."""
        return (self.place if self.suffix is None else places_of(self.order)) - 1


class SentParts(NamedTuple):
    """Entries of shares of shipping or vouchers, one piece each."""

    order: Ints
    place: Ints
    unit: Ints
    net: Ints
    gross: Ints
    sets: Ints


class Sending(NamedTuple):
    """All that is sent of some orders but payments; `rounding`: of each order, what the source has more than what is booked."""

    goods: SentGoods
    shipping: SentParts
    vouchers: SentParts
    rounding: Ints

    def negative(self) -> Bools:
        """Which orders have an entry below zero."""
        found = np.zeros(len(self.rounding), bool)
        for one in (self.goods, self.shipping, self.vouchers):
            found[one.order[one.unit < 0]] = True
        return found


class Sender:
    """Sends orders of one file and currency."""

    def __init__(self, decided: Decided, sets: Sets) -> None:
        self._decided, self._sets = decided, sets
        self._known: dict[_Key, int] = {}
        self._ways: list[Way] = []
        self._table: Ints = np.empty((0, 8), np.int64)

    def of(self, size: int, goods: Goods, shipping: Portions, vouchers: Portions) -> tuple[Sending, Bools]:
        """So many orders, and which of them are plain."""
        if not self._decided.is_converted:
            return self._as_sold(size, goods, shipping, vouchers), np.ones(size, bool)
        return self._converted(size, goods, shipping, vouchers)

    def _as_sold(self, size: int, goods: Goods, shipping: Portions, vouchers: Portions) -> Sending:
        if (goods.amount != goods.pieces * goods.price).any():
            # A voucher has lowered some of them.
            table = _neighbours(np.abs(goods.amount), np.abs(goods.pieces))
            lines = _split(goods, np.where(goods.amount < 0, -1, 1), table)
            net, gross = self._sets.booked(lines.sets, lines.unit * lines.pieces)
            return self._beside(lines._replace(net=net, gross=gross), size, shipping, vouchers)
        net, gross = self._sets.booked(goods.sets, goods.amount)
        lines = SentGoods(
            goods.order,
            goods.place,
            None,
            goods.article,
            np.abs(goods.pieces),
            np.where(goods.amount < 0, -goods.price, goods.price),
            net,
            gross,
            goods.sets,
            goods.row,
            goods.rule,
        )
        return self._beside(lines, size, shipping, vouchers)

    def _beside(self, lines: SentGoods, size: int, shipping: Portions, vouchers: Portions) -> Sending:
        sent, back = (
            SentParts(one.order, one.place, amount, *self._sets.booked(one.sets, amount), one.sets)
            for one, amount in ((shipping, shipping.amount), (vouchers, -vouchers.amount))
        )
        return Sending(lines, sent, back, np.zeros(size, np.int64))

    # Into the other basis

    def _converted(self, size: int, goods: Goods, shipping: Portions, vouchers: Portions) -> tuple[Sending, Bools]:
        ones = np.ones(len(shipping.order) + len(vouchers.order), np.int64)
        order = np.concatenate((goods.order, shipping.order, vouchers.order))
        amount = np.concatenate((goods.amount, shipping.amount, -vouchers.amount))
        pieces = np.concatenate((np.abs(goods.pieces), ones))
        sets = np.concatenate((goods.sets, shipping.sets, vouchers.sets))
        way = self._ways_of(order, amount, pieces, sets)
        is_plain = np.ones(size, bool)
        is_plain[order[way == _NEVER]] = False
        table = self._as_table()[np.where(way == _NEVER, 0, way)] if self._ways else np.zeros((len(way), 8), np.int64)
        sign = np.where(amount < 0, -1, 1)
        rounding = np.zeros(size, np.int64)
        np.add.at(rounding, order, sign * table[:, 0])
        ends = np.cumsum([len(goods.order), len(shipping.order)])
        cut = [slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], None)]
        of_goods, of_shipping, of_vouchers = ((sign[its], table[its]) for its in cut)
        lines, sent, back = _split(goods, *of_goods), _parts(shipping, *of_shipping), _parts(vouchers, *of_vouchers)
        if self._decided.source is Basis.NET:
            # What is sent is with tax, and what is booked of it in the source's basis without.
            lines, sent, back = (
                lines._replace(net=lines.gross, gross=lines.net),
                sent._replace(net=sent.gross, gross=sent.net),
                back._replace(net=back.gross, gross=back.net),
            )
        return Sending(lines, sent, back, rounding), is_plain

    def _ways_of(self, order: Ints, amount: Ints, pieces: Ints, sets: Ints) -> Ints:
        """Which way each amount goes."""
        if len(self._ways) >= KEPT or len(self._known) >= KEPT:
            self._known.clear()
            self._ways.clear()
            self._table = self._table[:0]
        keys = list(zip(np.abs(amount).tolist(), pieces.tolist(), sets.tolist(), strict=True))
        known = self._known
        for key in set(keys) - known.keys():
            units, count, its = key
            known[key] = self._number(self._decided.settled(units, count, self._sets.all[its].codes))
        way = np.array([known[key] for key in keys], np.int64)
        is_open = np.zeros(int(order.max(initial=-1)) + 1, bool)
        is_open[order[way == _OPEN]] = True
        if is_open.any():
            self._decide(np.flatnonzero(is_open[order]), order, amount, keys, way)
        return way

    def _decide(self, rows: Ints, order: Ints, amount: Ints, keys: list[_Key], way: Ints) -> None:
        """Goes through the entries of some orders, each order's as they stand in it, and keeps its rounding so far."""
        last, rounding = -1, 0
        rows = rows[np.argsort(order[rows], kind="stable")]
        entries = zip(rows.tolist(), order[rows].tolist(), amount[rows].tolist(), way[rows].tolist(), strict=True)
        for row, number, signed, known in entries:
            if number != last:
                last, rounding = number, 0
            sign, one = -1 if signed < 0 else 1, known
            if known == _OPEN:
                units, count, its = keys[row]
                one = self._number(self._decided.way(units, count, self._sets.all[its].codes, sign * rounding))
                way[row] = one
            if one >= 0:
                rounding += sign * self._ways[one][0]

    def _number(self, way: Way | str | None) -> int:
        if not isinstance(way, tuple):
            return _OPEN if way else _NEVER
        self._ways.append(way)
        return len(self._ways) - 1

    def _as_table(self) -> Ints:
        """The ways as rows: rounding, entries, then count, unit and what is booked of the first and of the second."""
        if len(self._table) < len(self._ways):
            news = [
                [rounding, len(entries), *entries[0], *(entries[1] if entries[1:] else (0, 0, 0))]
                for rounding, entries in self._ways[len(self._table) :]
            ]
            self._table = np.concatenate((self._table, np.array(news, np.int64)))
        return self._table


def _neighbours(amount: Ints, pieces: Ints) -> Ints:
    """As `model.money.split_units`, as rows of ways: one entry, or two of neighbouring units."""
    low, more = np.divmod(amount, pieces)
    is_even, none = more == 0, np.zeros(len(amount), np.int64)
    first = np.where(is_even, pieces, pieces - more)
    return np.stack((none, np.where(is_even, 1, 2), first, low, none, more, low + 1, none), axis=1)


def _parts(parts: Portions, sign: Ints, table: Ints) -> SentParts:
    """Portions by their ways: `net` is what is sent, `gross` what is booked in the other basis."""
    unit = sign * table[:, 3]
    return SentParts(parts.order, parts.place, unit, unit, sign * table[:, 4], parts.sets)


def _split(goods: Goods, sign: Ints, table: Ints) -> SentGoods:
    """Lines as one entry or two each; `net` and `gross` as of `_parts`."""
    sizes = np.maximum(table[:, 1], 1)
    row = np.repeat(np.arange(len(sizes)), sizes)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    its, sign = table[row], sign[row]
    pieces, unit, booked = (np.where(nth > 0, its[:, at + 3], its[:, at]) for at in (2, 3, 4))
    return SentGoods(
        goods.order[row],
        goods.place[row],
        np.where(sizes[row] > 1, nth + 1, 0),
        goods.article[row],
        pieces,
        sign * unit,
        sign * unit * pieces,
        sign * booked,
        goods.sets[row],
        goods.row[row],
        goods.rule[row],
    )
