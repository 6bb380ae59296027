"""Many orders at once, by whole columns of numbers. Pure.

The middle of the fast lane. It takes orders whose cells there is nothing to remark on, whatever they are: sales and returns,
lines taken back, vouchers that are items, orders that are skipped by their status or do not foot; with prices with tax or without. What it leaves, `Lane.take`
looks at one by one, and what that leaves, the rules plan. Cells are read and keys decided by the very objects that `Lane`
uses; what is here is arithmetic on arrays of int64, with bounds that no sum can pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import ne
from typing import NamedTuple

import numpy as np

from etl.columns.block import Block, Bools, Column, Ints, joint
from etl.columns.bulk_footing import Rated, footings_of, rated
from etl.columns.bulk_goods import NONE, Articles, Goods, LineColumns, Weights
from etl.columns.bulk_numbers import EMPTY, Numbers
from etl.columns.bulk_paid import PaidBy, Vouchers, vouchers_of
from etl.columns.bulk_sent import Sender
from etl.columns.bulk_writing import Added, BulkWriting
from etl.columns.decided import Item, Taxes
from etl.columns.hours import Hours
from etl.columns.lane import Head, Lane
from etl.columns.notes import Notes
from etl.columns.orders import Orders
from etl.columns.quick import Held
from etl.columns.taken import Bulk
from etl.model.plan import Basis
from etl.transform.accounts import Charged
from etl.transform.context import Footing


class Found(NamedTuple):
    """Orders of a block that were taken: to be sent, and (place in the block, one that is not)."""

    bulks: list[Bulk]
    held: list[tuple[int, Held]]


class _Columns:
    """The order-level columns of a block, and one of nothing behind them for what the file has no column of."""

    def __init__(self, block: Block, size: int) -> None:
        self._block, self._size = block, size

    def __getitem__(self, at: int) -> Column:
        if at == self._size:
            return Column([""], np.zeros(len(self._block.numbers), np.int32))
        return self._block.order(at)

    def numbers(self, at: int, amounts: Numbers) -> Ints:
        """The amounts of a column."""
        if at == self._size:
            return np.full(len(self._block.numbers), EMPTY)
        return amounts.read(self._block, at, is_order=True)

    def cells(self, place: int, wanted: Sequence[int]) -> tuple[str, ...]:
        """The wanted cells of an order, each where it stands; all others empty."""
        found = [""] * (self._size + 1)
        for at in wanted:
            texts, codes = self[at]
            found[at] = texts[codes[place]]
        return tuple(found)


class _Heads(NamedTuple):
    """The columns of a block, which of `all` heads each order has, and these, or why they are not plain."""

    columns: _Columns
    which: Ints
    all: list[Head | str]


class _Priced(NamedTuple):
    """Orders whose lines are plain. `totals`: what they add up to in the basis of the source; `is_plain`: whether they are in what is shared."""

    orders: Orders
    goods: Goods
    weights: Weights
    totals: Ints
    is_back: Bools
    is_plain: Bools


class BulkLane:
    """Takes orders of one file at once, as `lane` takes them one by one.

    `footing`: the one of orderTotals without tax, None where no order proves one.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.footing: Footing | None = Footing.WITHOUT_TAX
        self._hours = Hours(lane.dates, lane.moments, lane.when)
        self._articles = Articles(lane.lines)
        self._columns: dict[int, LineColumns] = {}
        self._senders: dict[int, Sender] = {}
        self._writings: dict[int, BulkWriting] = {}

    def take(self, block: Block, *, is_detailed: bool = False) -> Found:
        """Those of the orders (one at least) that are plain, by currency and basis. `is_detailed`: with their entries."""
        found = Found([], [])
        for orders in self._orders(block, self._heads(block)):
            self._take(block, orders, found, is_detailed=is_detailed)
        return found

    def footings(self, block: Block) -> Ints:
        """In which ways orderTotal of each of the orders (one at least) foots, as bits; none with prices with tax. NONE where the
        rules have to say.
        """
        found = np.full(len(block.numbers), NONE)
        heads = self._heads(block)
        is_gross = np.array([isinstance(one, Head) and one.decided.source is Basis.GROSS for one in heads.all], bool)
        found[is_gross[heads.which] & block.is_same] = 0
        for orders in self._orders(block, heads, only=Basis.NET):
            priced = self._priced(block, orders)
            if priced is None:
                continue
            parts, its = self._rated(priced), priced.orders
            held = footings_of(parts, its.credit, its.total, self._tolerance(its.head(0)))
            found[its.at[priced.is_plain]] = np.where(its.total == EMPTY, 0, held)[priced.is_plain]
        return found

    # Order-level cells

    def _heads(self, block: Block) -> _Heads:
        lane, columns = self._lane, _Columns(block, len(self._lane.table.order))
        keys = [(columns[at].codes, len(columns[at].texts)) for at in lane.keyed_at]
        which, firsts = joint(keys, len(block.numbers))
        return _Heads(columns, which, [lane.head(columns.cells(at, lane.keyed_at)) for at in firsts])

    def _orders(self, block: Block, heads: _Heads, only: Basis | None = None) -> Iterator[Orders]:
        """What the order-level cells say, of orders where they are plain; those of one currency and basis together."""
        lane, size, columns = self._lane, len(block.numbers), heads.columns
        by_writing: dict[int, list[int]] = {}
        for at, head in enumerate(heads.all):
            if isinstance(head, Head) and only in (None, head.decided.source):
                by_writing.setdefault(id(head.writing), []).append(at)
        if not by_writing:
            return
        good = block.is_same.copy()
        for column, is_plain in lane.plain_texts(columns):
            good &= np.array(is_plain, bool)[column.codes]
        texts, codes = columns[lane.number_at]
        good &= ~np.fromiter(map(ne, map(texts.__getitem__, codes.tolist()), block.numbers), bool, size)
        if own := lane.own:
            good &= np.array([number not in own for number in block.numbers], bool)
        for ats in by_writing.values():
            places = np.flatnonzero(good & np.isin(heads.which, ats))
            if len(places):
                yield from self._of_currency(columns, places, heads.which[places], heads.all)

    def _of_currency(self, columns: _Columns, places: Ints, which: Ints, heads: list[Head | str]) -> Iterator[Orders]:
        lane = self._lane
        head = heads[which[0]]
        if isinstance(head, str):
            return
        amounts = self._columns_of(head).amounts
        shipping, total, captured, value = (
            columns.numbers(at, amounts)[places]
            for at in (lane.shipping_at, lane.total_at, lane.captured_at, lane.voucher_at)
        )
        paid = PaidBy(lane, head.writing.payers, columns, places)
        is_return = np.array([isinstance(one, Head) and one.sign < 0 for one in heads], bool)[which]
        is_told = (shipping == EMPTY) & (lane.no_shipping is None)
        shipping, value = np.where(shipping == EMPTY, 0, shipping), np.where(value == EMPTY, 0, value)
        good = (total >= EMPTY) & (value >= 0) & (shipping > EMPTY)
        good &= np.where(is_return, shipping <= 0, shipping >= 0)
        if head.writing.shipping is None or not head.writing.is_proportional:
            good &= shipping == 0
        status = columns[lane.capture_at]
        has_status = np.array([bool(text.strip()) for text in status.texts], bool)[status.codes[places]]
        good &= (captured == EMPTY) | ((captured == total) & has_status)
        vouchers = vouchers_of(lane, columns[lane.code_at], places, value)
        rebate, rebates = self._rebates(vouchers, len(places), head)
        credit_at = paid.credits(vouchers)
        is_money, is_spread = credit_at != NONE, self._spreads(vouchers, len(places), head)
        good &= (value == 0) | (((rebate != NONE) | is_money | is_spread) & ~is_return)
        payer_at = paid.payers(captured, total, is_return)
        skipped = np.array([isinstance(one, Head) and bool(one.skipped) for one in heads], bool)[which]
        good &= (payer_at != NONE) | skipped
        column = columns[lane.date_at]
        dates, dated = column.codes[places].astype(np.int64), self._hours.of(column.texts)
        days = np.array(dated.days, np.int64)[dates]
        good &= days != NONE
        account, charged = self._charged(columns, places, which, heads)
        good &= account != NONE
        notes_at, notes = self._notes(columns, places, head)
        good &= notes_at != NONE
        orders = Orders(
            places,
            which,
            dates,
            days,
            account,
            notes_at,
            shipping,
            total,
            np.where(is_money | is_spread, 0, value),
            rebate,
            np.where(is_spread, value, 0),
            np.where(is_money, value, 0),
            credit_at,
            payer_at,
            is_return,
            is_told,
            heads,
            dated,
            charged,
            notes,
            rebates,
            paid.all,
        )
        if good.any():
            yield orders.of(good)

    def _rebates(self, vouchers: Vouchers, size: int, head: Head) -> tuple[Ints, list[Item]]:
        """How the voucher of each of so many orders is sent, NONE where it is no item of its own."""
        rebate = np.full(size, NONE)
        rebates: list[Item] = []
        for its, word in vouchers:
            item = None if word is None else head.decided.voucher(word)
            if item is not None:
                rebate[its] = len(rebates)
                rebates.append(item)
        return rebate, rebates

    def _spreads(self, vouchers: Vouchers, size: int, head: Head) -> Bools:
        """Which of so many orders have a voucher that lowers the prices."""
        found = np.zeros(size, bool)
        for its, word in vouchers:
            found[its] = word is not None and head.decided.is_spread(word)
        return found

    def _charged(
        self, columns: _Columns, places: Ints, which: Ints, heads: list[Head | str]
    ) -> tuple[Ints, list[Charged]]:
        """The account of each order; NONE where there is something to say of it."""
        lane = self._lane
        its = lane.account_at if lane.has_accounts else []
        keys = [(columns[at].codes[places], len(columns[at].texts)) for at in its]
        of_order, firsts = joint([(which, len(heads)), *keys], len(places))
        numbers: list[int] = []
        charged: list[Charged] = []
        for at in firsts:
            head = heads[which[at]]
            found = None if isinstance(head, str) else lane.charged(columns.cells(places[at], its), head)
            numbers.append(NONE if found is None else len(charged))
            if found is not None:
                charged.append(found)
        return np.array(numbers, np.int64)[of_order], charged

    def _notes(self, columns: _Columns, places: Ints, head: Head) -> tuple[Ints, list[Notes]]:
        """The notes of each order; NONE where there is something to say of what they are made of."""
        of, ats, writing = self._lane.notes, self._lane.notes.ats, head.writing
        keys = [(columns[at].codes[places], len(columns[at].texts)) for at in ats]
        of_order, firsts = joint(keys, len(places))
        numbers: list[int] = []
        notes: list[Notes] = []
        for at in firsts:
            found = of.of(columns.cells(places[at], ats), writing.currency, writing.precision)
            numbers.append(NONE if found is None else len(notes))
            if found is not None:
                notes.append(found)
        return np.array(numbers, np.int64)[of_order], notes

    # Lines, and what an order comes to

    def _priced(self, block: Block, orders: Orders) -> _Priced | None:
        """Orders whose lines are plain, and what they add up to; None where there are none."""
        head = orders.head(0)
        columns = self._columns_of(head)
        taxes, which = self._taxes(orders)
        goods, good = columns.read(block, orders.at, taxes, which)
        if not good.any():
            return None
        orders = orders.of(good)
        weights = Weights(goods, columns.sets, orders.is_return)
        sold = np.add.reduceat(goods.amount, goods.first)
        lowered = orders.value + orders.credit + orders.spread
        is_back = np.logical_or.reduceat(goods.pieces < 0, goods.first) & ~orders.is_return
        is_plain = (orders.shipping == 0) | (weights.sums > 0)
        # One round of sharing is all of it: no set is asked for more than its goods.
        is_plain &= (lowered == 0) | (~is_back & (lowered <= sold))
        return _Priced(orders, goods, weights, sold + orders.shipping - lowered, is_back, is_plain)

    @staticmethod
    def _rated(priced: _Priced) -> Rated:
        orders, goods, weights = priced[:3]
        return rated(
            len(orders.at), goods, weights.shares(orders.shipping), weights.shares(orders.value + orders.spread)
        )

    def _tolerance(self, head: Head) -> int:
        return int(self._lane.tolerance.scaleb(head.writing.precision))

    def _stated(self, priced: _Priced, head: Head) -> Ints:
        """What orderTotal of each order would be."""
        if head.decided.source is Basis.GROSS or self.footing in (None, Footing.WITHOUT_TAX):
            return priced.totals
        return self._rated(priced).total(self.footing) - priced.orders.credit

    def _take(self, block: Block, orders: Orders, found: Found, *, is_detailed: bool) -> None:
        head = orders.head(0)
        columns, lane, writing = self._columns_of(head), self._lane, head.writing
        priced = self._priced(block, orders)
        if priced is None:
            return
        orders, goods, weights, totals, is_back, good = priced
        is_negative = np.logical_or.reduceat(goods.amount < 0, goods.first) | (orders.shipping < 0) | (orders.value > 0)
        skipped = np.array([isinstance(one, Head) and bool(one.skipped) for one in orders.heads], bool)[orders.head_at]
        if writing.is_rebate_blocked:
            good = good & ~is_negative
        if lane.skips_zero:
            good = good & (totals != 0)
        stated = self._stated(priced, head)
        differs = (orders.total != EMPTY) & (orders.total != stated)
        good = good & (~differs | (np.abs(orders.total - stated) > self._tolerance(head)))
        if stated is not totals:
            # How the shipping is taxed may be what is wrong, which is tried by the rules.
            good &= ~differs | (orders.shipping == 0)
        good |= skipped
        is_sent = good & ~skipped & ~differs
        maker = self._writing_of(head, columns)
        if (is_held := good & ~is_sent).any():
            sums = Added(totals[is_held], stated[is_held], self.footing)
            found.held.extend(maker.held(block, orders.of(is_held), goods.of(is_held), sums, is_back[is_held]))
        if is_sent.any():
            if (orders.spread * is_sent).any():
                goods = goods.lowered(weights.shares(orders.spread))
            shares = weights.shares(orders.shipping), weights.shares(orders.value)
            sender = self._sender_of(head, columns)
            sending, is_plain = sender.of(int(is_sent.sum()), goods.of(is_sent), *(one.of(is_sent) for one in shares))
            if not is_plain.all():
                is_sent[is_sent] = is_plain
                sending, _ = sender.of(int(is_sent.sum()), goods.of(is_sent), *(one.of(is_sent) for one in shares))
            sent = orders.of(is_sent)
            if len(sent.at):
                bulk = maker.bulk(block, sent, goods.of(is_sent), sending, totals[is_sent], is_back[is_sent])
                entries = maker.entries(sent, sending, list(columns.rules), bulk.sums) if is_detailed else None
                found.bulks.append(bulk._replace(entries=entries))

    def _taxes(self, orders: Orders) -> tuple[list[Taxes], Ints]:
        """The taxes of the goods, and which are those of each order."""
        days = orders.day_at
        which, firsts = joint([(orders.head_at, len(orders.heads)), (days, len(self._hours.days))], len(orders.at))
        taxes = []
        for at in firsts:
            head = orders.head(at)
            when = self._hours.days[days[at]]
            taxes.append(head.decided.taxes(head.country, when, head.store, is_deducted=head.is_deducted))
        return taxes, which

    def _columns_of(self, head: Head) -> LineColumns:
        key = id(head.writing)
        if key not in self._columns:
            self._columns[key] = LineColumns(self._lane.lines, self._articles, head.amounts, head.decided)
        return self._columns[key]

    def _sender_of(self, head: Head, columns: LineColumns) -> Sender:
        key = id(head.writing)
        if key not in self._senders:
            self._senders[key] = Sender(head.decided, columns.sets)
        return self._senders[key]

    def _writing_of(self, head: Head, columns: LineColumns) -> BulkWriting:
        key = id(head.writing)
        if key not in self._writings:
            self._writings[key] = BulkWriting(self._lane, head, self._articles, columns.sets)
        return self._writings[key]
