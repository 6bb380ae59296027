"""Many orders to their parts of the plan id and to what is reported of them, from arrays of numbers. Pure.

As `writing.Writing` does it order by order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from etl.columns.block import Block, Bools, Ints
from etl.columns.bulk_goods import Articles, Goods, Sets
from etl.columns.bulk_numbers import EMPTY
from etl.columns.bulk_sent import Sending
from etl.columns.cells import clean
from etl.columns.decided import Item
from etl.columns.entries import Entries, Names, entries_of
from etl.columns.lane import Head, Lane
from etl.columns.orders import Orders
from etl.columns.plan_lines import PaidParts, PlanLines
from etl.columns.quick import Held
from etl.columns.sums import NEGATIVE, NONE, OLD, Sums, added_up
from etl.columns.taken import Bulk
from etl.model.plan import Basis, Verdict, held_line
from etl.model.problem import Problem
from etl.reading.distinct import distinct, first_of
from etl.transform.bill_payments import rest_told
from etl.transform.checks import negative_in_sale
from etl.transform.context import Footing
from etl.transform.payments import MISSING, untaken
from etl.transform.totals import mismatch

_SETS = 1 << 20
(
    _TOLD,
    _BACK,
    _EMPTY_SHIPPING,
    _SHIPPING,
    _NEGATIVE,
    _VOUCHER,
    _CREDIT,
    _OLD,
    _PAID,
    _REST,
    _LACKING,
    _ROUNDED,
    _SPREAD,
) = (1 << at for at in range(13))
_FLAGS, _ACCOUNTS = 13, 24
_MISMATCH = "total.mismatch"


class Added(NamedTuple):
    """What orders add up to in the basis of the source, and what their orderTotal would be, by `footing` without tax."""

    totals: Ints
    stated: Ints
    footing: Footing | None


class BulkWriting:
    """Writes orders of one file, currency and basis."""

    def __init__(self, lane: Lane, head: Head, articles: Articles, sets: Sets) -> None:
        self._lane, self._articles, self._sets = lane, articles, sets
        self._writing, self._decided = head.writing, head.decided
        self._is_net = head.decided.source is Basis.NET
        # Where there is a problem with it, no order that is taken has any.
        self._shipping = head.writing.shipping or Item("", "", "")
        self._lines = PlanLines(head.writing, self._shipping, articles, sets)
        self._accounts: dict[str, int] = {}

    # What is not sent

    def held(
        self, block: Block, orders: Orders, goods: Goods, sums: Added, is_back: Bools
    ) -> Iterator[tuple[int, Held]]:
        """(place in the block, order) of orders that are skipped, or do not foot."""
        writing = self._writing
        ends = [*goods.first.tolist(), len(goods.order)]
        told, lacking = self._told(goods), self._lacking(orders)
        has_own = not self._is_net or sums.footing is Footing.WITHOUT_TAX
        for at, place in enumerate(orders.at.tolist()):
            head, date, number = orders.head(at), orders.date_at[at], block.numbers[place]
            lines = slice(ends[at], ends[at + 1])
            flags = *(bool(one[at]) for one in (lacking, is_back, told, orders.is_told)), bool(orders.shipping[at])
            problems = self._before(block, orders, at)
            given = None if orders.total[at] == EMPTY else int(orders.total[at])
            if not head.skipped:
                problems += self._negative(number, goods, lines) if is_back[at] else []
                problems.append(self._mismatch(block, place, int(sums.stated[at]), sums.footing))
                problems += self._names(number, goods, lines) if told[at] else []
                problems += [self._missing(block, place)] if lacking[at] else []
            verdict, codes = (Verdict.SKIPPED, ()) if head.skipped else (Verdict.BLOCKED, (_MISMATCH,))
            yield (
                place,
                Held(
                    number,
                    held_line(number, verdict, codes, head.skipped),
                    (head.at, verdict, *flags),
                    writing.currency,
                    writing.precision,
                    # One with tax is no total without.
                    int(sums.totals[at]) if given is None or not has_own else given,
                    "" if head.skipped else orders.dated.texts[date].replace(" ", "T", 1),
                    orders.dated.months[date],
                    ends[at + 1] - ends[at],
                    head.skipped,
                    tuple(problems),
                    has_shipping=flags[-1],
                    is_bill=writing.payers.is_bill,
                    is_old=orders.dated.is_old[date],
                    is_net=self._is_net,
                    stated=given if self._is_net else None,
                ),
            )

    def _mismatch(self, block: Block, place: int, total: int, footing: Footing | None) -> Problem:
        lane, texts = self._lane, block.order(self._lane.total_at)
        stated = clean(lane.table.readers.amount, texts.texts[texts.codes[place]])
        spot = lane.table.place_of(int(block.rows[block.first[place]]))
        how = f" ({(footing or Footing.WITHOUT_TAX).value})" if self._is_net else ""
        return mismatch(block.numbers[place], spot, Decimal(total).scaleb(-self._writing.precision), stated, how)

    # What is told of orders

    def _told(self, goods: Goods) -> Bools:
        return np.logical_or.reduceat(self._articles.is_told[goods.article], goods.first)

    def _before(self, block: Block, orders: Orders, at: int) -> list[Problem]:
        """What staging says of an order."""
        if not orders.is_told[at]:
            return []
        place = orders.at[at]
        return [self._lane.table.empty_shipping(block.numbers[place], int(block.rows[block.first[place]]))]

    def _negative(self, number: str, goods: Goods, lines: slice) -> list[Problem]:
        place = self._lane.table.place_of
        pairs = zip(goods.pieces[lines].tolist(), goods.row[lines].tolist(), strict=True)
        return [negative_in_sale(number, [(pieces, place(row)) for pieces, row in pairs if pieces < 0])]

    def _names(self, number: str, goods: Goods, lines: slice) -> tuple[Problem, ...]:
        place, articles = self._lane.table.place_of, self._articles.all
        pairs = zip(goods.article[lines].tolist(), goods.row[lines].tolist(), strict=True)
        return self._decided.notices(
            number, [(articles[its], place(row)) for its, row in pairs if articles[its].is_told]
        )

    def _lacking(self, orders: Orders) -> Bools:
        return orders.lacks_capture(by_captures=self._writing.payers.by_captures)

    def _missing(self, block: Block, at: int) -> Problem:
        """What is told of the order at a place of the block, whose capture nobody tells of."""
        return untaken(block.numbers[at], self._lane.table.place_of(int(block.rows[block.first[at]])), MISSING)

    def _rest(self, block: Block, at: int, rest: int, rounding: int) -> Problem:
        """What is told of a bill, that of the order at a place of the block, that nothing pays or that is off by a rounding."""
        spot = self._lane.table.place_of(int(block.rows[block.first[at]]))
        amount, less = (Decimal(one).scaleb(-self._writing.precision) for one in (rest, rounding))
        return rest_told(block.numbers[at], (self._writing.currency, amount, less), spot)

    def _problems(
        self,
        block: Block,
        orders: Orders,
        goods: Goods,
        told: Bools,
        is_back: Bools,
        rest: Ints,
        rounded: tuple[Ints, Ints],
    ) -> dict[int, Any]:
        """What is told of each. `rounded`: by conversion, and as much of it as explains the `rest` of a bill."""
        rounding, less = rounded
        found: dict[int, tuple[Problem, ...]] = {}
        ends, lacking = np.append(goods.first, len(goods.order)), self._lacking(orders)
        # Those with a rounding are none that are added up as they are, though nothing is said of them.
        for at in np.flatnonzero(told | is_back | orders.is_told | lacking | (rest != 0) | (rounding != 0)).tolist():
            number, lines = block.numbers[orders.at[at]], slice(ends[at], ends[at + 1])
            problems = self._before(block, orders, at)
            problems += self._negative(number, goods, lines) if is_back[at] else []
            problems += self._names(number, goods, lines) if told[at] else []
            problems += [self._missing(block, orders.at[at])] if lacking[at] else []
            problems += [self._rest(block, orders.at[at], int(rest[at]), int(less[at]))] if rest[at] else []
            found[at] = tuple(problems)
        return found

    # What is sent

    def bulk(
        self,
        block: Block,
        orders: Orders,
        goods: Goods,
        sending: Sending,
        totals: Ints,
        is_back: Bools,
    ) -> Bulk:
        """Orders that are ready."""
        told, is_negative = self._told(goods), sending.negative()
        kinds, keys, order, net, gross = self._booked(orders, sending)
        starts = np.searchsorted(order, np.arange(len(orders.at) + 1))
        numbers = list(map(block.numbers.__getitem__, orders.at.tolist()))
        pairs = [(one.account_id, one.is_company) for one in orders.charged]
        known = {pair: at for at, pair in enumerate(dict.fromkeys(pairs))}
        accounts, account_at = list(known), np.array([known[pair] for pair in pairs], np.int64)
        dates = orders.date_at.tolist()
        texts = list(map(orders.dated.texts.__getitem__, dates))
        months: dict[str, int] = {}
        month_at = [months.setdefault(orders.dated.months[date], len(months)) for date in dates]
        which, sums_keys = self._keys(keys)
        is_bill = self._writing.payers.is_bill
        # A capture is of what orderTotal says, the rest of a bill is what Mews books.
        booked = added_up(order, gross, len(totals)) - orders.credit
        captured = np.where(orders.total == EMPTY, 0, orders.total)
        amounts = captured if self._writing.payers.by_captures else booked
        payer_at = np.where((orders.payer_at >= 0) & (amounts != 0), orders.payer_at, NONE)
        rest = booked - np.where(payer_at == NONE, 0, amounts) if is_bill else np.zeros(len(totals), np.int64)
        # Of prices without tax a bill is told as it is.
        less = np.zeros(len(totals), np.int64) if self._is_net else sending.rounding
        is_old = np.array(orders.dated.is_old, bool)[orders.date_at]
        sums = Sums(
            (self._writing.currency, self._writing.precision),
            sums_keys,
            accounts,
            list(months),
            [(one.part, one.name) for one in orders.payers],
            is_bill,
            self._is_net,
            numbers,
            [text.replace(" ", "T", 1) for text in texts],
            totals,
            account_at[orders.account_at],
            np.array(month_at, np.int64),
            np.diff(np.append(goods.first, len(goods.order))),
            is_negative * NEGATIVE | is_old * OLD,
            orders.credit,
            orders.credit_at,
            payer_at,
            np.where(payer_at == NONE, 0, amounts),
            sending.rounding,
            starts,
            which,
            net,
            gross,
        )
        flags = (
            told * _TOLD
            | is_back * _BACK
            | orders.is_told * _EMPTY_SHIPPING
            | (orders.shipping != 0) * _SHIPPING
            | is_negative * _NEGATIVE
            | (orders.value != 0) * _VOUCHER
            | (orders.credit != 0) * _CREDIT
            | is_old * _OLD
            | (payer_at != NONE) * _PAID
            | (rest != 0) * _REST
            | self._lacking(orders) * _LACKING
            | (sending.rounding != 0) * _ROUNDED
            | (orders.spread != 0) * _SPREAD
        )
        has_stated = (orders.total != EMPTY) & (orders.shipping != 0)
        return Bulk(
            orders.at.tolist(),
            self._lines.of(orders, numbers, texts, sending, PaidParts(orders, amounts, payer_at)),
            self._signatures(orders, flags, kinds.tobytes(), starts.tolist()),
            has_stated.tolist(),
            self._problems(block, orders, goods, told, is_back, rest, (sending.rounding, less)),
            sums,
            stated=(orders.total != EMPTY, orders.total) if self._is_net else None,
        )

    def entries(self, orders: Orders, sending: Sending, rules: Sequence[str], sums: Sums) -> Entries:
        """The entries of the orders, as a person is shown them. `rules`: of the goods, "" first; `sums`: what is reported of them."""
        told = Names(
            rules,
            self._shipping.name,
            [one.name for one in orders.rebates],
            orders.rebate_at,
            sums.payers,
            self._decided.is_sent_net,
        )
        return entries_of(len(orders.at), sending, sums.items(), self._articles, self._sets, told)

    # What is reported

    def _booked(self, orders: Orders, sending: Sending) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """Tax-code set and category of what is booked of each order, first as keys that ascend within the order.

        Then in the order of its entries: key, order, net, gross.
        """
        categories = self._articles.categories
        shipping = categories.setdefault(self._shipping.category, len(categories))
        own = np.array([categories.setdefault(one.category, len(categories)) for one in orders.rebates], np.int64)
        goods, sent, back, _ = sending
        order = np.concatenate((goods.order, sent.order, back.order))
        its = np.concatenate((goods.sets, sent.sets, back.sets))
        of_goods = self._articles.category[goods.article]
        of_back = own[orders.rebate_at[back.order]] if len(back.order) else back.order
        category = np.concatenate((of_goods, np.full(len(sent.order), shipping), of_back))
        gross = np.concatenate((goods.gross, sent.gross, back.gross))
        net = np.concatenate((goods.net, sent.net, back.net))
        width = len(self._sets.over)
        size = len(categories)
        found, places = distinct((order * width + its) * size + category)
        first = first_of(places)
        summed = np.zeros((2, len(found)), np.int64)
        np.add.at(summed[0], places, net)
        np.add.at(summed[1], places, gross)
        of_order = found // (width * size)
        by = np.lexsort((first, of_order))
        its, category = np.divmod(found % (width * size), size)
        keys = its * _SETS + category
        return keys, keys[by], of_order[by], summed[0][by], summed[1][by]

    def _keys(self, keys: Ints) -> tuple[Ints, list[tuple[int, tuple[str, ...], str]]]:
        """Which distinct key each row has, and what the keys mean."""
        names = list(self._articles.categories)
        found, which = distinct(keys // _SETS * len(names) + keys % _SETS)
        pairs = [divmod(key, len(names)) for key in found.tolist()]
        return which, [(its, self._sets.all[its].codes, names[category]) for its, category in pairs]

    def _signatures(self, orders: Orders, flags: Any, keys: bytes, starts: Sequence[int]) -> list[tuple[Any, ...]]:
        """What each order is decided by: its head, account and flags, and what is booked of it, in whatever order."""
        known = self._accounts
        accounts = np.array([known.setdefault(one.key, len(known)) for one in orders.charged], np.int64)
        heads = np.array([one.at if isinstance(one, Head) else 0 for one in orders.heads], np.int64)
        codes = (heads[orders.head_at] << (_FLAGS + _ACCOUNTS)) | (accounts[orders.account_at] << _FLAGS) | flags
        return [(code, keys[8 * starts[at] : 8 * starts[at + 1]]) for at, code in enumerate(codes.tolist())]
