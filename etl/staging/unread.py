"""Amounts under names that nobody knows: what tells an amount from a number, and their sums. Pure.

Rule: design section 3: an unread column of amounts is told first; an amount nested in an order that could not be
placed blocks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.reading.style import NumberStyle, Shape, dissect

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_MONEY = frozenset(
    [
        "price",
        "prices",
        "value",
        "amount",
        "amounts",
        "cost",
        "costs",
        "fee",
        "fees",
        "total",
        "totals",
        "subtotal",
        "charge",
        "charges",
        "discount",
        "discounts",
        "tax",
        "taxes",
        "vat",
        "sum",
        "credit",
        "surcharge",
        "shipping",
        "freight",
        "handling",
        "tip",
        "tips",
        "duty",
        "duties",
        "refund",
        "paid",
        "deposit",
        "balance",
        "gross",
        "net",
        "rounding",
        "postage",
        "delivery",
        "wrap",
        "rebate",
        "bonus",
        "markup",
        "betrag",
        "preis",
        "preise",
        "summe",
        "gebuehr",
        "gebühr",
        "kosten",
        "rabatt",
        "versand",
        "pris",
        "belopp",
        "summa",
        "avgift",
        "frakt",
        "prix",
        "montant",
        "frais",
        "remise",
        "prijs",
        "bedrag",
        "korting",
        "verzendkosten",
    ]
)
_NO_MONEY = frozenset(
    [
        "id",
        "ids",
        "percent",
        "percentage",
        "rate",
        "count",
        "quantity",
        "qty",
        "number",
        "no",
        "nr",
        "code",
        "weight",
        "date",
        "time",
        "at",
        "year",
        "month",
        "day",
        "lat",
        "lng",
        "latitude",
        "longitude",
        "version",
        "ratio",
        "index",
        "position",
        "length",
        "width",
        "height",
        "depth",
        "ean",
        "gtin",
        "upc",
        "zip",
        "zipcode",
        "phone",
        "tele",
        "currency",
        "name",
        "type",
        "status",
        "method",
        "uri",
        "url",
        "description",
        "points",
    ]
)
_FRACTION = re.compile(r"[0-9]+[.,][0-9]{1,4}")


def amount_in(name: str, cell: str) -> Decimal | None:
    """The amount that a cell under an unknown name holds; None for nothing, zero, and numbers that are no amounts."""
    if cell[:1] in (BROKEN, DATE) or not any(char.isdigit() for char in cell):
        return None
    value, has_symbol = _number(cell)
    if not value:
        return None
    words = [word.casefold() for part in name.split(".")[-2:] for word in _WORDS.findall(part)]
    if has_symbol or (words and words[-1] in _MONEY):
        return value
    if _NO_MONEY.intersection(words[-2:]):
        return None
    is_money = bool(_MONEY.intersection(words)) or bool(_FRACTION.fullmatch(plain(cell).strip().lstrip("-")))
    return value if is_money else None


def _number(cell: str) -> tuple[Decimal | None, bool]:
    text = plain(cell).strip()
    if cell[:1] == NUMBER:
        try:
            return Decimal(text.rstrip("%")), False
        except ArithmeticError:
            return None, False
    if len(text) > 40:
        return None, False
    number = dissect(text)
    if number is None or number.percent:
        return None, False
    style = NumberStyle.COMMA if number.shape in (Shape.COMMA, Shape.MAYBE_COMMA) else NumberStyle.POINT
    group, point = (".", ",") if style is NumberStyle.COMMA else (",", ".")
    digits = number.digits.replace(group, "").replace(point, ".")
    # A leading zero is one of a key, never of an amount.
    if re.match(r"0[0-9]", digits):
        return None, False
    return Decimal(("-" if number.negative else "") + digits), bool(number.symbols)


@dataclass(frozen=True, slots=True)
class Unread:
    """One name of an order that holds amounts or a list, and was not read. `count` elements; `total` their sum."""

    path: str
    count: int
    total: Decimal
    is_list: bool = False

    def __str__(self) -> str:
        what = f"the list {self.path} ({self.count:,} elements" if self.is_list else f"{self.path} ("
        money = f"amounts of {self.total:f} in all" if self.total else ""
        return what + (f", {money})" if self.is_list and money else f"{money})")


@dataclass(slots=True)
class UnreadSum:
    """An unread name over a whole file: the sum of its amounts, and the orders that it touches."""

    total: Decimal = Decimal(0)
    orders: int = 0
    is_list: bool = False


class UnreadSums:
    """Adds up unread amounts by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, UnreadSum] = {}

    def add(self, found: Iterable[Unread]) -> None:
        """Counts what one order holds."""
        touched = set()
        for one in found:
            row = self.by_name.setdefault(one.path, UnreadSum())
            row.total += one.total
            row.is_list = row.is_list or one.is_list
            if one.path not in touched:
                row.orders += 1
                touched.add(one.path)


_DISPROVED = 20
"""So many cells that are no numbers, and none that is an amount, say that a column holds none."""


@dataclass(slots=True)
class _Cells:
    """One unread column of a flat file. `at` is its place in the line-level cells of a row."""

    at: int
    name: str
    amounts: dict[str, Decimal | None] = field(default_factory=dict)
    by_row: Decimal = Decimal(0)
    by_order: Decimal = Decimal(0)
    orders: int = 0
    met: int = 0
    others: int = 0
    is_repeated: bool = True
    """Whether every row of an order has the order's amount: then it counts once."""

    def add(self, cells: list[str]) -> None:
        """Counts the cells of one order's rows."""
        found = [amount for cell in cells if cell and (amount := self._amount(cell))]
        if not found:
            return
        self.orders += 1
        self.met += len(found)
        self.by_row += sum(found)
        self.by_order += found[0]
        if len(cells) > 1 and (len(found) < len(cells) or any(amount != found[0] for amount in found)):
            self.is_repeated = False

    def _amount(self, cell: str) -> Decimal | None:
        if cell in self.amounts:
            return self.amounts[cell]
        if len(self.amounts) > 50_000:
            self.amounts.clear()
        amount = self.amounts[cell] = amount_in(self.name, cell)
        self.others += amount is None and bool(cell.strip()) and _number(cell)[0] is None
        return amount

    @property
    def is_disproved(self) -> bool:
        return self.others > _DISPROVED and not self.met


class UnreadCells:
    """Adds up the unread columns of one flat file, order by order."""

    def __init__(self, columns: Iterable[tuple[int, str]]) -> None:
        """`columns`: (place in the line-level cells, header)."""
        self._columns = [_Cells(at, name) for at, name in columns]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def add(self, rows: list[tuple[str, ...]]) -> None:
        """Counts the rows of one order."""
        for column in self._columns:
            column.add([row[column.at] for row in rows if len(row) > column.at])
        if any(column.is_disproved for column in self._columns):
            self._columns = [column for column in self._columns if not column.is_disproved]

    def sums(self) -> dict[str, UnreadSum]:
        """The columns that hold amounts. Those with more words than amounts hold none."""
        return {
            column.name: UnreadSum(column.by_order if column.is_repeated else column.by_row, column.orders)
            for column in self._columns
            if column.met and column.met >= column.others
        }
