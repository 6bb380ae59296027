"""The lines of many orders to arrays of whole numbers, and shipping shared over them. Pure.

As `rows.LineCells` and `writing.Writing` do it line by line, for lines with positive quantities that nothing is to be said of.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from etl.columns.cells import KEPT, Units, is_clean
from etl.columns.decided import Article, Decided, Tax, Taxes
from etl.columns.rows import LineCells, Rows

Ints = npt.NDArray[np.int64]
NONE = -1
LARGEST = 10**9
"""Amounts stay below this many units of 10**-digits, quantities too, rates below 10**7: products of two are far from 2**63."""
_RATES = 10**7
_LARGEST_RATIO = 10**8
_MOST_LINES = 10_000


class Plain(dict[str, int]):
    """Cell to a whole number from 0 on; NONE for one that is not plain, below 0 or too large."""

    def __init__(self, units: Units, below: int) -> None:
        super().__init__()
        self._units, self._below = units, below

    def __missing__(self, cell: str) -> int:
        if len(self) >= KEPT:
            self.clear()
        value = self._units[cell]
        found = self[cell] = NONE if value is None or not 0 <= value < self._below else value
        return found


class Articles:
    """The articles of a file by number, and how they sort: by keys, then by names."""

    def __init__(self, lines: LineCells) -> None:
        self._lines = lines
        self.all: list[Article] = []
        self.categories: dict[str, int] = {}
        self._known: dict[Hashable, int] = {}
        self._ranked = 0
        self.by_keys: Ints = np.empty(0, np.int64)
        self.by_names: Ints = np.empty(0, np.int64)
        self.category: Ints = np.empty(0, np.int64)

    def numbers(self, cells: Sequence[tuple[str, ...]], decided: Decided) -> Ints:
        """The article of each line; NONE where it has none, or there is something to say of it."""
        if len(self._known) >= KEPT:
            self._known.clear()
            self.all.clear()
            self._ranked = 0
        known = self._known
        texts = list(map(self._lines.texts_of, cells))
        if not known.keys() >= set(texts):
            for text, its in zip(texts, cells, strict=True):
                if text not in known:
                    known[text] = self._number(text, its, decided)
        if self._ranked != len(self.all):
            self._rank()
        return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))

    def _number(self, texts: Any, cells: tuple[str, ...], decided: Decided) -> int:
        article = self._lines.article_of(texts, cells, decided)
        if article is None or article.is_told:
            return NONE
        self.all.append(article)
        return len(self.all) - 1

    def _rank(self) -> None:
        self._ranked = len(self.all)
        self.by_keys = _ranks([one.keys for one in self.all])
        self.by_names = _ranks([one.names for one in self.all])
        numbers = [self.categories.setdefault(one.category, len(self.categories)) for one in self.all]
        self.category = np.array(numbers, np.int64)


def _ranks(values: Sequence[tuple[str, ...]]) -> Ints:
    """Each value's place among the distinct ones."""
    places = {value: at for at, value in enumerate(sorted(set(values)))}
    return np.fromiter(map(places.__getitem__, values), np.int64, len(values))


class Sets:
    """The tax-code sets of an enterprise as arrays, by their number."""

    def __init__(self) -> None:
        self.all: dict[int, Tax] = {}
        self.over: Ints = np.empty(0, np.int64)
        self.under: Ints = np.empty(0, np.int64)

    def add(self, tax: Tax | None) -> int:
        """The number of a set; NONE for no set, and one whose fraction is too large to count with."""
        if tax is None or max(tax.over, tax.under) >= _LARGEST_RATIO:
            return NONE
        if tax.at not in self.all:
            self.all[tax.at] = tax
            size = max(self.all) + 1
            self.over, self.under = np.zeros(size, np.int64), np.ones(size, np.int64)
            for at, one in self.all.items():
                self.over[at], self.under[at] = one.over, one.under
        return tax.at

    def nets(self, sets: Ints, amounts: Ints) -> Ints:
        """What Mews books of amounts with tax, from 0 on, without it; half up."""
        over, under = self.over[sets], self.under[sets]
        return np.where(over > 0, (2 * amounts * under + over) // np.maximum(2 * over, 1), amounts)


class Goods(NamedTuple):
    """Lines in canonical order, order by order. `order`: the number of each line's order; `first`: where each begins."""

    order: Ints
    first: Ints
    place: Ints
    article: Ints
    pieces: Ints
    price: Ints
    amount: Ints
    sets: Ints


_NOTHING = Goods(*[np.empty(0, np.int64)] * 8)


class LineColumns:
    """Lines of one file and currency."""

    def __init__(self, lines: LineCells, articles: Articles, prices: Units, decided: Decided) -> None:
        self._lines, self._articles, self._decided = lines, articles, decided
        self._counts = Plain(lines.quantities, LARGEST)
        self._prices = Plain(prices, LARGEST)
        self._rates = Plain(lines.percents, _RATES)
        self.sets = Sets()

    def read(self, orders: Sequence[Rows], taxes: Sequence[Taxes]) -> tuple[Goods, list[int]]:
        """The lines of those orders that are plain, and which these are."""
        flat = [row for groups in orders for _, rows in groups for row in rows]
        if not flat:
            return _NOTHING, []
        sizes = np.array([sum([len(rows) for _, rows in groups]) for groups in orders], np.int64)
        ats, cells = zip(*flat, strict=True)
        columns = list(zip(*cells, strict=True))
        order = np.repeat(np.arange(len(orders)), sizes)
        count, price, rate = (
            np.fromiter(map(known.__getitem__, columns[at]), np.int64, len(flat))
            for known, at in zip((self._counts, self._prices, self._rates), self._lines.numbers_at, strict=True)
        )
        article = self._articles.numbers(cells, self._decided)
        is_plain = (count > 0) & (price >= 0) & (rate >= 0) & (article >= 0)
        if (at := self._lines.original_at) is not None:
            is_plain &= self._clean(columns[at])
        # Only where both are below the bound is the product no more than its square.
        amount = np.where(is_plain, count * price, LARGEST)
        if (at := self._lines.stated_at) is not None:
            stated = np.fromiter(map(self._prices.__getitem__, columns[at]), np.int64, len(flat))
            is_plain &= (stated == amount) | np.fromiter(map("".__eq__, columns[at]), bool, len(flat))
        sets = self._sets(taxes, order, np.where(is_plain, rate, 0), article)
        is_plain &= (sets >= 0) & (amount < LARGEST)
        good = (sizes > 0) & (sizes < _MOST_LINES)
        good[order[~is_plain]] = False
        sums = np.zeros(len(orders), np.int64)
        np.add.at(sums, order, np.where(is_plain, amount, 0))
        good &= sums < LARGEST
        by = self._sorted(order, article, price, count, rate, np.array(ats, np.int64))
        by = by[good[order[by]]]
        sizes, order = sizes[good], (np.cumsum(good) - 1)[order[by]]
        first = np.cumsum(sizes) - sizes
        place = np.arange(len(by)) - first[order] + 1
        goods = Goods(order, first, place, article[by], count[by], price[by], amount[by], sets[by])
        return goods, np.flatnonzero(good).tolist()

    def _clean(self, column: tuple[str, ...]) -> Any:
        bad = {cell for cell in set(column) if cell and not is_clean(self._lines.amount, cell)}
        return np.fromiter((cell not in bad for cell in column), bool, len(column)) if bad else True

    def _sets(self, taxes: Sequence[Taxes], order: Ints, rate: Ints, article: Ints) -> Ints:
        """The tax-code set of each line, asked once for each distinct key."""
        numbers: dict[int, int] = {}
        of_order = np.array([numbers.setdefault(id(one), len(numbers)) for one in taxes], np.int64)
        by_number = {numbers[id(one)]: one for one in taxes}
        has_skus, size = taxes[0].has_skus, len(self._articles.all) + 1
        key = (of_order[order] * _RATES + rate) * size + (article + 1 if has_skus else 0)
        found, back = np.unique(key, return_inverse=True)
        answers = []
        for key_and_article in found.tolist():
            whole, at = divmod(key_and_article, size)
            which, percent = divmod(whole, _RATES)
            sku = self._articles.all[at - 1].sku if at else ""
            answers.append(self.sets.add(by_number[which][(percent, sku) if has_skus else percent]))
        return np.array(answers, np.int64)[back]

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
            names = ranks.by_names[article[some]]
            by[spots] = some[np.lexsort((at[some], names, rate[some], count[some], price[some], held[spots]))]
        return by


class Parts(NamedTuple):
    """Shares of the shipping: of which order, which of its shares, how much, with which tax-code set."""

    order: Ints
    place: Ints
    amount: Ints
    sets: Ints


def shares(goods: Goods, shipping: Ints, sets: Sets) -> tuple[Parts, list[int]]:
    """The shipping over the tax-code sets of the goods, heaviest first; and the orders whose shares are left to the rules.

    Rule: the largest remainder of `model.money.share_units`. Left are orders without goods of value, and with three sets.
    """
    width = len(sets.over) + 1
    key = goods.order * width + goods.sets
    weighs = goods.amount > 0
    found, back = np.unique(key[weighs], return_inverse=True)
    weights = np.zeros(len(found), np.int64)
    np.add.at(weights, back, goods.amount[weighs])
    order, its = found // width, found % width
    has = shipping[order] > 0
    order, its, weights = order[has], its[has], weights[has]
    how_many = np.bincount(order, minlength=len(shipping))
    left = np.flatnonzero((shipping > 0) & ((how_many == 0) | (how_many > 2)))
    # Equal weights go by the codes.
    codes = {at: place for place, at in enumerate(sorted(sets.all, key=lambda at: sets.all[at].codes))}
    ranks = np.array([codes.get(at, 0) for at in range(width)], np.int64)
    by = np.lexsort((ranks[its], -weights, order))
    order, its, weights = order[by], its[by], weights[by]
    single, pair = how_many[order] == 1, how_many[order] == 2
    at = np.flatnonzero(pair)[::2]
    heavy, light, amount = weights[at], weights[at + 1], shipping[order[at]]
    whole = heavy + light
    floors, rests = amount * heavy // whole, amount * heavy % whole
    other_floors, other_rests = amount * light // whole, amount * light % whole
    one_more = amount - floors - other_floors
    # What is left over goes to the larger remainder; a tie to the larger weight, then to the lower codes: the first.
    is_first = rests >= other_rests
    parts = np.where(single, shipping[order], 0)
    parts[at] = floors + one_more * is_first
    parts[at + 1] = other_floors + one_more * ~is_first
    # A share of nothing is no entry, and takes no place.
    is_sent = (parts > 0) & (single | pair)
    order, its, parts = order[is_sent], its[is_sent], parts[is_sent]
    begins = np.concatenate(([True], order[1:] != order[:-1])) if len(order) else np.zeros(0, bool)
    starts = np.flatnonzero(begins)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order)))) + 1
    return Parts(order, place, parts, its), left.tolist()
