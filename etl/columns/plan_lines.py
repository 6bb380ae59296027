"""Many orders to their parts of the plan id: pieces of text in one row, joined once. Pure.

As `writing.Writing` does it order by order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from etl.columns.block import Ints
from etl.columns.bulk_goods import Articles, Sets
from etl.columns.bulk_numbers import LARGEST
from etl.columns.bulk_sent import Sending, SentGoods, SentParts
from etl.columns.cells import Remembered
from etl.columns.decided import Item
from etl.columns.notes import between
from etl.columns.orders import NONE, Orders
from etl.columns.taken import Lines
from etl.columns.writing import Writing
from etl.model.money import units_text

Texts = npt.NDArray[np.object_]
_KINDS = ('"item"', '"product"')
_FEED = ord("\n")
_SUFFIXES = 3
_PIECES = 3
"""An entry begins by its place, kind and count, has an amount, and ends by its taxes and article."""
_FEW, _BEYOND = 64, 1 << 40
"""Numbers of beginnings are dense below so many pieces, and begin there for others."""


class PaidParts(NamedTuple):
    """The payments of orders; `payer_at` as of `Sums`."""

    orders: Orders
    amounts: Ints
    payer_at: Ints

    def parts(self, writing: Writing) -> list[tuple[Ints, list[str]]]:
        """(which orders, what they have) of each kind of payment that any has, as in a plan line."""
        pairs = ((self.orders.credit_at, self.orders.credit), (self.payer_at, self.amounts))
        return [
            (np.flatnonzero(at != NONE), list(self._texts(writing, at, amounts)))
            for at, amounts in pairs
            if (at != NONE).any()
        ]

    def _texts(self, writing: Writing, at: Ints, amounts: Ints) -> Iterator[str]:
        has = at != NONE
        for which, units in zip(at[has].tolist(), amounts[has].tolist(), strict=True):
            yield writing.payers.text(self.orders.payers[which], units, writing.precision)


class Made:
    """Texts by whole numbers from 0 on that they are made of, each made once. Memory is bounded by that of `DENSE` texts."""

    DENSE = 1 << 18
    """Numbers below it are places in an array."""

    def __init__(self, make: Callable[[int], str]) -> None:
        self._make = make
        self.clear()

    def clear(self) -> None:
        """Makes all of them anew: the numbers mean something else."""
        self._texts: Texts = np.empty(0, object)
        self._is_made = np.zeros(0, bool)
        self._larger = Remembered(self._make)

    def of(self, keys: Ints) -> Texts:
        """The texts of these numbers."""
        is_larger = keys >= self.DENSE
        dense = np.where(is_larger, 0, keys)
        if (size := int(dense.max(initial=0)) + 1) > len(self._texts):
            more = min(self.DENSE, 2 * size) - len(self._texts)
            self._texts = np.append(self._texts, np.empty(more, object))
            self._is_made = np.append(self._is_made, np.zeros(more, bool))
        for key in set(dense[~self._is_made[dense] & ~is_larger].tolist()):
            self._texts[key], self._is_made[key] = self._make(key), True
        found = self._texts[dense]
        if is_larger.any():
            found[is_larger] = list(map(self._larger.__getitem__, keys[is_larger].tolist()))
        return found


class PlanLines:
    """Writes orders of one file and currency. `shipping`: how it is sent."""

    def __init__(self, writing: Writing, shipping: Item, articles: Articles, sets: Sets) -> None:
        self._writing, self._shipping, self._articles, self._sets = writing, shipping, articles, sets
        self._starts, self._units, self._ends = Made(_start), Made(self._unit), Made(self._end)
        self._known = (0, 0)

    def of(
        self,
        orders: Orders,
        numbers: Sequence[str],
        texts: Sequence[str],
        sending: Sending,
        paid: PaidParts,
    ) -> Lines:
        """The parts of the plan id of orders with these numbers and consumptions."""
        accounts = np.array([self._writing.account(one) for one in orders.charged], object)
        named = _texts(numbers)
        head = self._writing.before(named, _texts(texts), accounts[orders.account_at], _notes(orders, named))
        goods = sending.goods
        beside, which, rank = self._beside(orders, sending, paid)
        size = len(numbers)
        lines, others = np.bincount(goods.order, minlength=size), np.bincount(which, minlength=size)
        ends = np.cumsum(len(head) + _PIECES * lines + others + 1)
        starts = np.append(0, ends[:-1])
        pieces: Texts = np.empty(ends[-1], object)
        for at, piece in enumerate(head):
            pieces[starts + at] = piece
        at_goods = starts[goods.order] + len(head) + _PIECES * goods.nth
        for at, entry in enumerate(self._entries(goods)):
            pieces[at_goods + at] = entry
        pieces[(starts + len(head) + _PIECES * lines)[which] + rank] = beside
        pieces[ends - 1] = self._last(size, paid)
        data = "".join(pieces.tolist()).encode()
        # In texts of JSON a line feed is no character of its own.
        feeds = np.flatnonzero(np.frombuffer(data, np.uint8) == _FEED) + 1
        return Lines(data, [0, *feeds.tolist()])

    def _entries(self, goods: SentGoods) -> tuple[Texts, Texts, Texts]:
        """The entries of the lines as in a plan line, in three pieces, with the commas between them."""
        width = len(self._sets.over) + 1
        if self._known != (self._articles.age, width):
            self._ends.clear()
            self._known = (self._articles.age, width)
        suffix: Ints | int = 0 if goods.suffix is None else goods.suffix
        kind = (goods.place * _SUFFIXES + suffix) * 2 + self._articles.is_product[goods.article]
        pieces = goods.pieces
        starts = np.where(pieces < _FEW, kind * _FEW + pieces, _BEYOND + kind * LARGEST + pieces)
        units = np.abs(goods.unit) * 2 + (goods.unit < 0)
        return self._starts.of(starts), self._units.of(units), self._ends.of(goods.article * width + goods.sets)

    def _unit(self, key: int) -> str:
        units, is_negative = divmod(key, 2)
        return units_text(-units if is_negative else units, self._writing.precision)

    def _end(self, key: int) -> str:
        """How the entry of a line ends: by its article and tax-code set."""
        article, its = divmod(key, self._known[1])
        return f'",{self._writing.payers.basis},{self._sets.all[its].text},{self._articles.all[article].what}]'

    def _last(self, size: int, paid: PaidParts) -> str | Texts:
        """What stands after the entries; payments of a bill are among these."""
        parts = [] if self._writing.payers.is_bill else paid.parts(self._writing)
        if not parts:
            return self._writing.end
        of_order: dict[int, list[str]] = {}
        for orders, texts in parts:
            for at, text in zip(orders.tolist(), texts, strict=True):
                of_order.setdefault(at, []).append(text)
        return _texts([self._writing.end_with(of_order.get(at, ())) for at in range(size)])

    def _beside(self, orders: Orders, sending: Sending, paid: PaidParts) -> tuple[Texts, Ints, Ints]:
        """Entries, each with a comma before it, of shipping, vouchers, payments of bills: their orders, and which of an order's they are."""
        _, sent, back, _ = sending
        rebates = [orders.rebates[at].what for at in orders.rebate_at[back.order].tolist()]
        named = chain(
            self._shares("s", sent, [self._shipping.what] * len(sent.order)),
            self._shares("v", back, rebates),
        )
        before = np.bincount(sent.order, minlength=len(orders.at))[back.order]
        which, rank = [sent.order, back.order], [sent.place - 1, before + back.place - 1]
        texts = list(named)
        for its, parts in paid.parts(self._writing) if self._writing.payers.is_bill else ():
            # Each is the last of its order's so far.
            rank.append(np.bincount(np.concatenate(which), minlength=len(orders.at))[its])
            which.append(its)
            texts += [f",{part}" for part in parts]
        return _texts(texts), np.concatenate(which), np.concatenate(rank)

    def _shares(self, kind: str, parts: SentParts, whats: Sequence[str]) -> list[str]:
        texts, sets, basis = self._writing.texts, self._sets.all, self._writing.payers.basis
        rows = zip(parts.place.tolist(), parts.unit.tolist(), parts.sets.tolist(), whats, strict=True)
        return [
            f',["{kind}{at}","item",1,"{texts[amount]}",{basis},{sets[its].text},{what}]'
            for at, amount, its, what in rows
        ]


def _notes(orders: Orders, numbers: Texts) -> list[str | Texts]:
    """The notes of the orders with these numbers, piece by piece."""
    if len(orders.notes) == 1:
        return list(between(orders.notes[0], numbers))
    pairs = zip(numbers.tolist(), orders.notes_at.tolist(), strict=True)
    return [_texts([number.join(orders.notes[at]) for number, at in pairs])]


def _texts(texts: Sequence[str]) -> Texts:
    found: Texts = np.empty(len(texts), object)
    found[:] = list(texts)
    return found


def _start(key: int) -> str:
    """How the entry of a line begins: by its place, whether it is a product, and its count."""
    kind, pieces = divmod(key, _FEW) if key < _BEYOND else divmod(key - _BEYOND, LARGEST)
    line, is_product = divmod(kind, 2)
    place, suffix = divmod(line, _SUFFIXES)
    name = f"p{place}.{suffix}" if suffix else f"p{place}"
    return f'{"," * (place > 1 or suffix > 1)}["{name}",{_KINDS[is_product]},{pieces},"'
