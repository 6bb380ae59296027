"""The lines of many orders to arrays of whole numbers, and amounts shared over their tax-code sets. Pure.

As `rows.LineCells` and `writing.Writing` do it line by line.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from operator import itemgetter, ne
from typing import Any, NamedTuple

import numpy as np

from etl.columns.block import Block, Bools, Column, Ints
from etl.columns.bulk_numbers import EMPTY, LARGEST, Numbers
from etl.columns.cells import KEPT, Units, is_clean
from etl.columns.decided import Article, Decided, Tax, Taxes
from etl.columns.rows import LineCells
from etl.model.plan import Basis
from etl.reading.distinct import distinct

NONE = -1
_RATES = 10**7
_LARGEST_RATIO = 10**8
_MOST_LINES = 10_000


class Articles:
    """The articles of a file by number, and how they sort by their keys."""

    def __init__(self, lines: LineCells) -> None:
        self._lines = lines
        self.all: list[Article] = []
        self.categories: dict[str, int] = {}
        self._known: dict[Hashable, int] = {}
        self._sorted: list[tuple[tuple[str, ...], int]] = []
        """Keys and number of each, by keys."""
        self.by_keys: Ints = np.empty(0, np.int64)
        self.category: Ints = np.empty(0, np.int64)
        self.is_told: Bools = np.empty(0, bool)
        self.is_product: Ints = np.empty(0, np.int64)
        self.age = 0
        """How often the articles were numbered anew."""

    def numbers(self, block: Block, decided: Decided) -> Ints:
        """The article of each line of the block; NONE where it has none."""
        if len(self._known) >= KEPT:
            self._forget()
        known, ats = self._known, self._lines.texts_at
        keys: Sequence[Hashable] = block.line_keys(ats) if ats else [()] * len(block.rows)
        found = list(map(known.get, keys))
        if holes := [row for row, number in enumerate(found) if number is None]:
            news = {keys[row]: row for row in holes}
            for key, cells in zip(news, block.line_cells(list(news.values()), self._lines.width), strict=True):
                known[key] = self._number(cells, decided)
            for row in holes:
                found[row] = known[keys[row]]
        if len(self._sorted) != len(self.all):
            self._rank()
        return np.array(found, np.int64)

    def _forget(self) -> None:
        self._known.clear()
        self.all.clear()
        self.age += 1
        self._sorted.clear()
        self.category, self.is_told, self.is_product = self.category[:0], self.is_told[:0], self.is_product[:0]

    def _number(self, cells: tuple[str, ...], decided: Decided) -> int:
        article = self._lines.article_of(self._lines.texts_of(cells), cells, decided)
        if article is None:
            return NONE
        self.all.append(article)
        return len(self.all) - 1

    def _rank(self) -> None:
        """Takes those in that are new, one at least."""
        news = self.all[len(self._sorted) :]
        self._sorted += zip([one.keys for one in news], count(len(self._sorted)))
        # All but the last ones are in their order: next to nothing is compared.
        self._sorted.sort(key=itemgetter(0))
        keys, numbers = zip(*self._sorted, strict=True)
        is_next = np.fromiter(map(ne, keys, keys[1:]), np.int64, len(keys) - 1)
        self.by_keys = np.zeros(len(keys), np.int64)
        self.by_keys[list(numbers)] = np.concatenate(([0], np.cumsum(is_next)))
        its = [self.categories.setdefault(one.category, len(self.categories)) for one in news]
        self.category = np.concatenate((self.category, np.array(its, np.int64)))
        self.is_told = np.concatenate((self.is_told, np.array([one.is_told for one in news], bool)))
        self.is_product = np.concatenate((self.is_product, np.array([one.is_product for one in news], np.int64)))

    def names(self, articles: Ints) -> Ints:
        """How some articles sort by their names."""
        its, which = distinct(articles)
        names = [self.all[at].names for at in its.tolist()]
        places = {value: at for at, value in enumerate(sorted(set(names)))}
        ranks: Ints = np.fromiter(map(places.__getitem__, names), np.int64, len(names))
        return ranks[which]


class Sets:
    """The tax-code sets of an enterprise as arrays, by their number, and what Mews books by them of amounts sent as they are sold."""

    def __init__(self, decided: Decided) -> None:
        self._decided = decided
        self._grosses: dict[tuple[int, int], int] = {}
        self._is_many: Bools = np.empty(0, bool)
        self.all: dict[int, Tax] = {}
        self.over: Ints = np.empty(0, np.int64)
        self.under: Ints = np.empty(0, np.int64)
        self.ranks: Ints = np.empty(0, np.int64)
        """How their codes sort."""

    def add(self, tax: Tax | None) -> int:
        """The number of a set; NONE for no set, and one whose fraction is too large to count with."""
        if tax is None or max(tax.over, tax.under) >= _LARGEST_RATIO:
            return NONE
        if tax.at not in self.all:
            self.all[tax.at] = tax
            size = max(self.all) + 1
            self.over, self.under = np.zeros(size, np.int64), np.ones(size, np.int64)
            self._is_many = np.zeros(size, bool)
            for at, one in self.all.items():
                self.over[at], self.under[at], self._is_many[at] = one.over, one.under, one.is_many
            self.ranks = np.zeros(size, np.int64)
            for place, at in enumerate(sorted(self.all, key=lambda at: self.all[at].codes)):
                self.ranks[at] = place
        return tax.at

    def booked(self, sets: Ints, amounts: Ints) -> tuple[Ints, Ints]:
        """Net and gross of amounts in the basis of the source, which is that of the enterprise."""
        if self._decided.source is Basis.GROSS:
            return self._nets(sets, amounts), amounts
        return amounts, self._with_tax(sets, amounts)

    def _nets(self, sets: Ints, amounts: Ints) -> Ints:
        """Amounts with tax without it; half away from zero."""
        over, under = self.over[sets], self.under[sets]
        net = np.where(over > 0, (2 * np.abs(amounts) * under + over) // np.maximum(2 * over, 1), np.abs(amounts))
        return np.where(amounts < 0, -net, net)

    def _with_tax(self, sets: Ints, amounts: Ints) -> Ints:
        """Amounts without tax with it: half away from zero; where several taxes are rounded, as the rules have it of each amount."""
        over, under, net = self.over[sets], self.under[sets], np.abs(amounts)
        gross = net + np.where(over > 0, (2 * net * (over - under) + under) // (2 * under), 0)
        many = np.flatnonzero(self._is_many[sets])
        if len(many):
            if len(self._grosses) >= KEPT:
                self._grosses.clear()
            keys = list(zip(sets[many].tolist(), net[many].tolist(), strict=True))
            for key in set(keys) - self._grosses.keys():
                self._grosses[key] = self._decided.gross_of(key[1], self.all[key[0]].codes)
            gross[many] = list(map(self._grosses.__getitem__, keys))
        return np.where(amounts < 0, -gross, gross)


class Goods(NamedTuple):
    """Lines in canonical order, order by order. `order`: the number of each line's order; `first`: where each begins.

    `pieces` and `amount` are signed as in the source. `row`: of the export. `rule`: which of `LineColumns.rules` decided on the taxes.
    `rate`: the source's, in units of 10**-DIGITS; 0 of what was sold without tax.
    """

    order: Ints
    first: Ints
    place: Ints
    article: Ints
    pieces: Ints
    price: Ints
    amount: Ints
    sets: Ints
    row: Ints
    rule: Ints
    rate: Ints

    def of(self, kept: Bools) -> Goods:
        """The lines of these orders only, numbered anew."""
        if kept.all():
            return self
        ends = np.append(self.first[1:], len(self.order))
        sizes, number = (ends - self.first)[kept], np.cumsum(kept) - 1
        here = kept[self.order]
        others = [column[here] for column in self[2:]]
        return Goods(number[self.order[here]], np.cumsum(sizes) - sizes, *others)

    def lowered(self, parts: Portions) -> Goods:
        """With parts of vouchers taken off the amounts of the lines of their tax-code sets, in proportion to these.

        Rule: `transform.amounts.lowered`, for orders without a line below zero, of whose sets none is asked for more than it is.
        """
        width = int(max(self.sets.max(initial=0), parts.sets.max(initial=0))) + 1
        wanted, key = parts.order * width + parts.sets, self.order * width + self.sets
        by = np.argsort(wanted)
        place = np.minimum(np.searchsorted(wanted[by], key), max(len(by) - 1, 0))
        here = np.flatnonzero((wanted[by][place] == key) & (self.amount > 0)) if len(by) else np.empty(0, np.int64)
        which, weights = by[place[here]], self.amount[here]
        whole = np.zeros(len(wanted), np.int64)
        np.add.at(whole, which, weights)
        taken, rests = np.divmod(parts.amount[which] * weights, whole[which])
        left = parts.amount.copy()
        np.subtract.at(left, which, taken)
        # As with shares: larger remainders, then larger amounts, then as they stand.
        order = np.lexsort((np.arange(len(here)), -weights, -rests, which))
        taken[order] += places_of(which[order]) <= left[which[order]]
        amount = self.amount.copy()
        amount[here] -= taken
        return self._replace(amount=amount)


class LineColumns:
    """Lines of one file and currency."""

    def __init__(self, lines: LineCells, articles: Articles, prices: Units, decided: Decided) -> None:
        self._lines, self._articles, self._decided = lines, articles, decided
        self._counts = Numbers(lines.quantities, LARGEST)
        self.amounts = Numbers(prices, LARGEST)
        self._rates = Numbers(lines.percents, _RATES)
        self.sets = Sets(decided)
        self.rules: dict[str, int] = {"": 0}

    def read(self, block: Block, places: Ints, taxes: Sequence[Taxes], which: Ints) -> tuple[Goods, Bools]:
        """The lines of those orders of the block whose lines are plain, and which of the orders at `places` these are.

        `which` of `taxes` are those of each order.
        """
        sizes = np.diff(block.first)[places]
        is_in = np.zeros(len(block.numbers), bool)
        is_in[places] = True
        here: Any = slice(None) if is_in.all() else np.repeat(is_in, np.diff(block.first))
        order = np.repeat(np.arange(len(places)), sizes)
        count, price, rate = (
            known.read(block, at, is_order=False)[here]
            for known, at in zip((self._counts, self.amounts, self._rates), self._lines.numbers_at, strict=True)
        )
        article, row = self._articles.numbers(block, self._decided)[here], block.rows[here]
        is_plain = (count != 0) & (count > EMPTY) & (price >= 0) & (rate >= 0) & (article >= 0)
        if (at := self._lines.original_at) is not None:
            is_plain &= _clean(self._lines, block.line(at))[here]
        # Only where both are below the bound is the product no more than its square.
        amount = np.where(is_plain, count * np.where(is_plain, price, 0), LARGEST)
        if (at := self._lines.stated_at) is not None:
            stated = self.amounts.read(block, at, is_order=False)[here]
            is_plain &= (stated == amount) | (stated == EMPTY)
        sets, rule = self._sets(taxes, which[order], np.where(is_plain, rate, 0), article)
        is_plain &= (sets >= 0) & (np.abs(amount) < LARGEST)
        good = (sizes > 0) & (sizes < _MOST_LINES)
        good[order[~is_plain]] = False
        sums = np.zeros(len(places), np.int64)
        np.add.at(sums, order, np.where(is_plain, np.abs(amount), 0))
        good &= sums < LARGEST
        by = self._sorted(order, article, price, count, rate, row)
        # What was sold without tax foots without it, whatever rate its lines name.
        rated = np.where(np.array([one.is_deducted for one in taxes], bool)[which[order]], 0, rate)
        by = by[good[order[by]]]
        sizes, order = sizes[good], (np.cumsum(good) - 1)[order[by]]
        first = np.cumsum(sizes) - sizes
        place = np.arange(len(by)) - first[order] + 1
        columns = (article, count, price, amount, sets, row, rule, rated)
        return Goods(order, first, place, *[column[by] for column in columns]), good

    def _sets(self, taxes: Sequence[Taxes], of_line: Ints, rate: Ints, article: Ints) -> tuple[Ints, Ints]:
        """The tax-code set of each line and the rule that says so, asked once for each distinct key."""
        if not taxes:
            return np.full(len(rate), NONE), np.zeros(len(rate), np.int64)
        has_skus, size = taxes[0].has_skus, len(self._articles.all) + 1
        rates, of_rate = distinct(rate)
        found, back = distinct((of_line * len(rates) + of_rate) * size + (article + 1 if has_skus else 0))
        answers = []
        for key in found.tolist():
            whole, at = divmod(key, size)
            asked, its = divmod(whole, len(rates))
            percent = int(rates[its])
            sku = self._articles.all[at - 1].sku if at else ""
            tax = taxes[asked][(percent, sku) if has_skus else percent]
            answers.append((self.sets.add(tax), self.rules.setdefault(tax.rule if tax else "", len(self.rules))))
        sets, rules = np.array(answers, np.int64).reshape(-1, 2).T
        return sets[back], rules[back]

    def _sorted(self, order: Ints, article: Ints, price: Ints, count: Ints, rate: Ints, at: Ints) -> Ints:
        """The lines order by order in canonical order: keys, price, quantity, rate, names, row."""
        ranks = self._articles
        if not ranks.all:
            return np.arange(len(order))
        key = order * (len(ranks.all) + 1) + ranks.by_keys[article]
        by = np.argsort(key, kind="stable")
        held = key[by]
        ties = np.flatnonzero(held[1:] == held[:-1])
        if len(ties):
            spots = np.union1d(ties, ties + 1)
            some = by[spots]
            # No order with a line that has no article is taken, wherever that line stands.
            names = ranks.names(np.maximum(article[some], 0))
            by[spots] = some[np.lexsort((at[some], names, rate[some], count[some], price[some], held[spots]))]
        return by


def _clean(lines: LineCells, column: Column) -> Bools:
    clean = [not cell or is_clean(lines.amount, cell) for cell in column.texts]
    return np.array(clean, bool)[column.codes]


class Portions(NamedTuple):
    """Portions of an amount: of which order, which of its shares, how much, with which tax-code set."""

    order: Ints
    place: Ints
    amount: Ints
    sets: Ints

    def of(self, kept: Bools) -> Portions:
        """The shares of these orders only, numbered anew."""
        if kept.all():
            return self
        here, number = kept[self.order], np.cumsum(kept) - 1
        return Portions(number[self.order[here]], self.place[here], self.amount[here], self.sets[here])


class Weights:
    """The tax-code sets of the goods of value of many orders, heaviest first, ties by their codes.

    Rule: `transform.amounts.tax_sets`; in a return what goes out weighs as much as what comes back.
    """

    def __init__(self, goods: Goods, sets: Sets, is_return: Bools) -> None:
        width = len(sets.over) + 1
        weighs = (goods.amount > 0) | ((goods.amount != 0) & is_return[goods.order])
        found, back = distinct((goods.order * width + goods.sets)[weighs])
        weights = np.zeros(len(found), np.int64)
        np.add.at(weights, back, np.abs(goods.amount[weighs]))
        order, its = found // width, found % width
        by = np.lexsort((sets.ranks[its], -weights, order))
        self.order, self.sets, self._weights = order[by], its[by], weights[by]
        self.sums: Ints = np.zeros(len(is_return), np.int64)
        """What the goods of each order weigh."""
        np.add.at(self.sums, self.order, self._weights)

    def shares(self, amounts: Ints) -> Portions:
        """An amount of each order over its sets; of one that has none, nothing.

        Rule: the largest remainder of `model.money.share_units`, of absolute amounts.
        """
        has = amounts[self.order] != 0
        order, its, weights = self.order[has], self.sets[has], self._weights[has]
        whole, wanted = self.sums[order], np.abs(amounts)[order]
        parts, rests = wanted * weights // whole, wanted * weights % whole
        left = np.abs(amounts)
        np.subtract.at(left, order, parts)
        # What is left over goes to the larger remainders; ties to the larger weights, then to the lower codes, as they stand.
        by = np.lexsort((np.arange(len(order)), -rests, order))
        parts[by] += places_of(order) <= left[order]
        # A share of nothing is no entry, and takes no place.
        is_sent = parts > 0
        order, its, parts = order[is_sent], its[is_sent], parts[is_sent]
        return Portions(order, places_of(order), np.where(amounts[order] < 0, -parts, parts), its)


def places_of(order: Ints) -> Ints:
    """The place of each item among those of its order, from 1 on."""
    if not len(order):
        return order
    starts = np.flatnonzero(np.concatenate(([True], order[1:] != order[:-1])))
    return np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order)))) + 1
