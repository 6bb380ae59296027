"""Lines of an order by their cells: each distinct text is an article, each distinct number is read, once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from etl.columns.cells import KEPT, Units, is_clean
from etl.columns.decided import DIGITS, Article, Decided, Tax, Taxes
from etl.staging.lines import LINE_FIELDS
from etl.staging.plain import PlainTable
from etl.transform.order_context import LARGEST_COUNT, LARGEST_PERCENT

NUMBERS = LINE_FIELDS[:3]
"""Quantity, price and rate; every plain line has them."""
_ORIGINAL = LINE_FIELDS[3]


class Row(NamedTuple):
    """A line; the first five fields are its canonical order, and no two lines of an order have the same `at` (its row)."""

    keys: tuple[str, ...]
    price: int
    qty: int
    percent: int
    names: tuple[str, ...]
    at: int
    amount: int
    article: Article
    tax: Tax


Flat = tuple[tuple[str, ...], int, int, int, tuple[str, ...], int, int, Article, Tax]
"""A `Row` without its names, which would double the time of making it."""
QTY: Callable[[Flat], int] = itemgetter(Row._fields.index("qty"))
AMOUNT: Callable[[Flat], int] = itemgetter(Row._fields.index("amount"))
Rows = Sequence[tuple[tuple[str, ...], Sequence[tuple[int, tuple[str, ...]]]]]
"""(order-level cells, their rows as (row, line-level cells))."""


class LineCells:
    """The lines of one file."""

    def __init__(self, table: PlainTable) -> None:
        self._table = table
        at = {column.field: index for index, column in enumerate(table.line)}
        readers = table.readers
        nothing = readers.empty_words
        self.quantities = Units(readers.qty, 0, below=LARGEST_COUNT + 1, nothing=nothing)
        self.percents = Units(readers.percent, DIGITS, below=int(LARGEST_PERCENT), nothing=nothing)
        self.numbers_at = tuple(at[name] for name in NUMBERS)
        self._numbers: Callable[[tuple[str, ...]], tuple[str, str, str]] = itemgetter(*self.numbers_at)
        self.original_at, self.amount = at.get(_ORIGINAL), readers.amount
        self.stated_at = table.stated_at
        self.texts_at = texts = [at[name] for name in LINE_FIELDS[4:] if name in at]
        self.texts_of: Callable[[tuple[str, ...]], Any] = itemgetter(*texts) if texts else lambda _cells: ()
        self.width = len(table.line)
        self._articles: dict[Any, Article] = {}
        self.has_told = False
        """Whether any line was met that there is something to say of."""

    def read(self, groups: Rows, prices: Units, taxes: Taxes, decided: Decided) -> list[Flat] | str:
        """The lines in canonical order, or why they are not plain."""
        found: list[Flat] = []
        texts_of, numbers_of, articles = self.texts_of, self._numbers, self._articles
        quantities, percents, has_skus = self.quantities, self.percents, taxes.has_skus
        original, stated = self.original_at, self.stated_at
        for _, rows in groups:
            for at, cells in rows:
                texts = texts_of(cells)
                article = articles.get(texts)
                if article is None:
                    if not any(self._table.cells_of(("", *cells))):
                        continue
                    article = self.article_of(texts, cells, decided)
                    if article is None:
                        return "a line whose texts are not plain"
                qty, unit, rate = numbers_of(cells)
                count, price, percent = quantities[qty], prices[unit], percents[rate]
                if not count or price is None or percent is None or price < 0:
                    return "a line with a quantity, price or rate that is not plain"
                amount = count * price
                if original is not None and cells[original] and not is_clean(self.amount, cells[original]):
                    return "a line with a remark"
                if stated is not None and cells[stated] and prices[cells[stated]] != amount:
                    return "a stated line total that differs"
                tax = taxes[(percent, article.sku) if has_skus else percent]
                if tax is None:
                    return "a tax that is not plain"
                found.append((article.keys, price, count, percent, article.names, at, amount, article, tax))
        if len(found) > 1:
            found.sort()
        return found

    def article_of(self, texts: Any, cells: tuple[str, ...], decided: Decided) -> Article | None:
        """The article of a line with these cells; None where they are not plain, or hold nothing."""
        if len(self._articles) >= KEPT:
            self._articles.clear()
        names = self._table.words_of(self._table.cells_of(("", *cells))[4:])
        article = decided.article(names) if names is not None else None
        if article is not None:
            self._articles[texts] = article
            self.has_told = self.has_told or article.is_told
        return article
