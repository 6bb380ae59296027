"""The entries of many orders as columns: what a person is shown of them, no text of an entry made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from etl.columns.block import Block, Column, Ints
from etl.columns.bulk_goods import Articles, Sets
from etl.columns.bulk_sent import Sending, SentGoods
from etl.columns.quick import Shown
from etl.model.plan import letters_of
from etl.model.shares import CAPTURED, CREDIT
from etl.reading.distinct import distinct

LETTERS = ("p", "s", "v", CREDIT, *CAPTURED)
"""How the names of lines begin: goods, shipping, vouchers, payments of a bill."""


class Entries(NamedTuple):
    """Entries of orders of one currency as they stand in the plan, amounts in its smallest units.

    Shape: `letters` how the names of lines begin, `first` where the entries of each order begin, and where the last one's end; the others an item an entry: one of
    `letters`, the number behind it, the row of the export (0 for none), count, unit, what is booked in the other basis than that of
    units (`is_net`: these are without tax), one of `names`, and one of `taxes` (codes, rule of the mapping), of which the last
    stands for payments.
    """

    letters: Sequence[str]
    names: Sequence[str]
    taxes: Sequence[tuple[tuple[str, ...], str]]
    is_net: bool
    first: Ints
    letter: Ints
    place: Ints
    row: Ints
    quantity: Ints
    unit: Ints
    booked: Ints
    name: Ints
    tax: Ints

    def of(self, at: int) -> Iterator[Shown]:
        """The entries of one order."""
        for here in range(self.first[at], self.first[at + 1]):
            codes, rule = self.taxes[self.tax[here]]
            line = f"{self.letters[self.letter[here]]}{self.place[here]}"
            numbers = (int(column[here]) for column in (self.quantity, self.unit, self.booked, self.row))
            count, unit, booked, row = numbers
            yield line, self.names[self.name[here]], count, unit, codes, booked, row, rule


def entries_of(
    orders: int, sending: Sending, paid: Sequence[tuple[Ints, Ints, Ints]], articles: Articles, sets: Sets, names: Names
) -> Entries:
    """The entries of so many `orders`; `paid` are payments of bills as of `Sums.items`."""
    goods, sent, back, _ = sending
    is_net = names.is_net
    payers, payer, amounts = (_joined([one[at] for one in paid]) for at in range(3))
    order = np.concatenate((goods.order, sent.order, back.order, payers))
    by = np.argsort(order, kind="stable")
    sizes = (len(goods.order), len(sent.order), len(back.order))
    more = sizes[1] + sizes[2] + len(payers)
    ones, none = np.ones(more, np.int64), np.zeros(sizes[1] + sizes[2], np.int64)
    its = np.concatenate((goods.sets, sent.sets, back.sets))
    rule = np.concatenate((goods.rule, none))
    tax, which = distinct(its * len(names.rules) + rule)
    article, name = distinct(goods.article)
    told = [articles.all[at].name for at in article.tolist()]
    own = len(told) + 1 + names.rebate_at[back.order]
    kinds = np.array([LETTERS.index(letters_of(part)) for part, _ in names.payers], np.int64)
    begun, letter, place = _named(goods)
    columns = (
        np.concatenate((letter, np.repeat((1, 2), sizes[1:]), kinds[payer])),
        np.concatenate((place, sent.place, back.place, np.ones(len(payers), np.int64))),
        np.concatenate((goods.row, np.zeros(more, np.int64))),
        np.concatenate((goods.pieces, ones)),
        np.concatenate((goods.unit, sent.unit, back.unit, -amounts)),
        np.concatenate((*(one.gross if is_net else one.net for one in (goods, sent, back)), -amounts)),
        np.concatenate((name, np.full(sizes[1], len(told)), own, len(told) + 1 + len(names.rebates) + payer)),
        np.concatenate((which, np.full(len(payers), len(tax)))),
    )
    taxes = [(sets.all[key // len(names.rules)].codes, names.rules[key % len(names.rules)]) for key in tax.tolist()]
    return Entries(
        [*LETTERS, *begun],
        [*told, names.shipping, *names.rebates, *(name for _, name in names.payers)],
        [*taxes, ((), "")],
        is_net,
        np.searchsorted(order[by], np.arange(orders + 1)),
        *(column[by] for column in columns),
    )


def _named(goods: SentGoods) -> tuple[list[str], Ints, Ints]:
    """How the names of entries of lines begin beyond `LETTERS`, which beginning each has, and the number behind it: `p3.` and 1."""
    if goods.suffix is None:
        return [], np.zeros(len(goods.place), np.int64), goods.place
    is_split = goods.suffix > 0
    lines, which = distinct(goods.place)
    letter = np.where(is_split, len(LETTERS) + which, 0)
    return [f"{LETTERS[0]}{line}." for line in lines.tolist()], letter, np.where(is_split, goods.suffix, goods.place)


def _joined(columns: Sequence[Ints]) -> Ints:
    return np.concatenate(columns) if columns else np.empty(0, np.int64)


class Names(NamedTuple):
    """What entries are named by: the rules of the mapping ("" first), shipping, vouchers and which of them an order has, and
    (part, name) of payments. `is_net`: whether their units are without tax.
    """

    rules: Sequence[str]
    shipping: str
    rebates: Sequence[str]
    rebate_at: Ints
    payers: Sequence[tuple[str, str]]
    is_net: bool


class Source(NamedTuple):
    """The rows of orders as columns, no text that none of them has. `first` and `rows` as of a block."""

    numbers: Sequence[str]
    order: Sequence[Column]
    first: Ints
    rows: Ints
    line: Sequence[Column]


def source_of(block: Block, at: Ints, orders: int, lines: int) -> Source:
    """The rows of the orders at these places of a block that has so many columns of orders and lines."""
    starts = block.first[at]
    sizes = block.first[at + 1] - starts
    first = np.concatenate(([0], np.cumsum(sizes)))
    here = np.arange(first[-1]) + np.repeat(starts - first[:-1], sizes)
    return Source(
        list(map(block.numbers.__getitem__, at.tolist())),
        [_some(block.order(column), at) for column in range(orders)],
        first,
        block.rows[here],
        [_some(block.line(column), here) for column in range(lines)],
    )


def _some(column: Column, here: Ints) -> Column:
    """The cells at these places."""
    codes = column.codes[here]
    is_used = np.zeros(len(column.texts), bool)
    is_used[codes] = True
    if is_used.all():
        return Column(column.texts, codes)
    return Column(list(compress(column.texts, is_used.tolist())), (np.cumsum(is_used, dtype=np.int32) - 1)[codes])
