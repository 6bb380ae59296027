"""What the cells of a column look like, whatever its header says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.model.export import BROKEN, DATE, NUMBER, plain, stored
from etl.proposals.number_patterns import composed_pattern, number_pattern
from etl.reading.dates import DateShape, date_shape
from etl.reading.kinds import Kind
from etl.reading.numbers import parse_amount, parse_percent
from etl.reading.order_numbers import OrderNumbers
from etl.reading.remarks import RemarkedValue
from etl.reading.style import NumberStyle, Shape, dissect

SAMPLES = 3
_FEW = 8
_MOST = Decimal("0.95")
_NO_DATES = (DateShape.BAD, DateShape.NONE)
_NUMBERED = re.compile(r"(\D*?)(\d+)(?:\.0+)?(\D*)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Profile:
    """One column: how many cells are filled, how many of these look like what, and a few of them.

    `written`: amounts that are written with decimals, whole ones too. `numbered`: cells that are digits, perhaps with
    words around them, as order numbers are, `composed` those of several groups of digits. `spaced`: cells of several words.
    """

    filled: int
    distinct: int
    dates: int
    numbers: int
    wholes: int
    written: int
    rates: int
    emails: int
    numbered: int
    composed: int
    spaced: int
    samples: tuple[str, ...]

    @property
    def may_number(self) -> bool:
        """Whether the cells may be order numbers in any of the ways in which shops write them."""
        return self.fits(Kind.ORDER_NUMBER) or bool(self.filled and self.composed >= self.filled * _MOST)

    def fits(self, kind: Kind) -> bool:
        """Whether the cells may be of a kind; whatever is empty fits nothing."""
        if not self.filled:
            return False
        match kind:
            case Kind.DATE:
                count = self.dates
            case Kind.AMOUNT | Kind.VOUCHER | Kind.SWITCH:
                count = self.numbers
            case Kind.QTY | Kind.ID:
                count = self.wholes
            case Kind.PERCENT:
                if self.rates * 2 >= self.filled and self.distinct <= _FEW:
                    # Beside rates may stand words for no tax: exempt, zw., frei.
                    return True
                count = self.rates
            case Kind.EMAIL:
                count = self.emails
            case Kind.ORDER_NUMBER:
                count = self.numbered
            case Kind.COUNTRY | Kind.STATUS | Kind.STORE | Kind.CURRENCY | Kind.ORIGIN:
                return self.numbers < self.filled and self.dates < self.filled
            case Kind.SKU | Kind.EAN:
                # Names of goods have blanks, keys seldom.
                return self.spaced * 2 <= self.filled
            case _:
                count = self.filled
        return count >= self.filled * _MOST


class Numbers:
    """Reads amounts and rates as the file's own style has them; what can't be read is None."""

    def __init__(self, style: NumberStyle) -> None:
        self.style = style
        self._amounts: dict[str, Decimal | None] = {}
        self._rates: dict[str, Decimal | None] = {}

    def amount(self, cell: str) -> Decimal | None:
        """The amount of a cell."""
        if cell not in self._amounts:
            self._amounts[cell] = _read(parse_amount, cell, self.style)
        return self._amounts[cell]

    def rate(self, cell: str) -> Decimal | None:
        """The rate in percent of a cell."""
        if cell not in self._rates:
            self._rates[cell] = _read(parse_percent, cell, self.style)
        return self._rates[cell]


def _read(parse: Callable[[str, NumberStyle], Decimal | None], cell: str, style: NumberStyle) -> Decimal | None:
    # An amount is what a workbook's cell holds, whatever its format shows of it.
    held = NUMBER + stored(cell) if cell[:1] == NUMBER else cell
    try:
        return parse(held, style)
    except RemarkedValue as odd:
        return odd.value if isinstance(odd.value, Decimal) else None


def style_of(cells: Iterable[str]) -> NumberStyle:
    """How most numbers among the cells write their decimals."""
    votes: Counter[Shape] = Counter()
    for cell, count in Counter(cells).items():
        if cell and cell[0] not in (NUMBER, DATE, BROKEN) and (number := dissect(cell)):
            votes[number.shape] += count
    points, commas = votes[Shape.POINT], votes[Shape.COMMA]
    if points == commas:
        return NumberStyle.NONE
    return NumberStyle.POINT if points > commas else NumberStyle.COMMA


def profile(cells: Sequence[str], numbers: Numbers) -> Profile:
    """What the cells of a column look like; `cells` may hold empty ones."""
    counts = Counter(cell for cell in cells if cell.strip())
    filled = sum(counts.values())
    amounts = {cell: numbers.amount(cell) for cell in counts}
    return Profile(
        filled=filled,
        distinct=len(counts),
        dates=sum(count for cell, count in counts.items() if _is_date(cell)),
        numbers=sum(count for cell, count in counts.items() if amounts[cell] is not None),
        wholes=sum(counts[cell] for cell, value in amounts.items() if value is not None and value == int(value)),
        written=sum(counts[cell] for cell, value in amounts.items() if value is not None and not _is_digits(cell)),
        rates=sum(count for cell, count in counts.items() if numbers.rate(cell) is not None),
        emails=sum(count for cell, count in counts.items() if _EMAIL.fullmatch(plain(cell).strip())),
        numbered=_numbered(counts),
        composed=_composed(counts),
        spaced=sum(count for cell, count in counts.items() if " " in plain(cell).strip()),
        samples=tuple(plain(cell).strip()[:60] for cell in list(counts)[:SAMPLES]),
    )


def _is_digits(cell: str) -> bool:
    return plain(cell).strip().lstrip("-").isdigit()


def _is_date(cell: str) -> bool:
    if cell[:1] == DATE:
        return True
    return cell[:1] not in (NUMBER, BROKEN) and date_shape(plain(cell).strip()) not in _NO_DATES


def _numbered(counts: Mapping[str, int]) -> int:
    """Cells that are digits with words around them; with digits in the words too where all have them in common."""
    plainly = sum(count for cell, count in counts.items() if _NUMBERED.fullmatch(plain(cell).strip()))
    if plainly or not (pattern := number_pattern(counts)):
        return plainly
    return _read_by(pattern, counts)


def _composed(counts: Mapping[str, int]) -> int:
    """Cells that are several groups of digits, as numbers of a year or of a shop are."""
    pattern = composed_pattern(counts)
    return _read_by(pattern, counts) if pattern else 0


def _read_by(pattern: str, counts: Mapping[str, int]) -> int:
    """Cells that are order numbers of that pattern."""
    read = OrderNumbers(pattern).read
    return sum(count for cell, count in counts.items() if read(cell) is not None)
