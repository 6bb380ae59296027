"""How a file writes numbers and dates, decided over the whole file from what all of its cells show.

Never value by value: `1,234` alone is a thousand or a decimal, and only the rest of the file can tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from etl.errors import InputError
from etl.model.export import DATE, NUMBER, plain, stored
from etl.model.place import Place
from etl.reading.dates import DateShape, date_shape


class Shape(StrEnum):
    """What the separators of one number tell."""

    PLAIN = "no separator"
    POINT = "decimal point"
    COMMA = "decimal comma"
    MAYBE_POINT = "1.234"
    MAYBE_COMMA = "1,234"
    BAD = "no number"


class NumberStyle(StrEnum):
    """How a file writes decimals; NONE where no number of it has a separator."""

    POINT = "decimal point"
    COMMA = "decimal comma"
    NONE = "no separators"


_GROUPS = "'’\u00a0\u202f\u2009 "
_CURRENCY = r"[A-Za-z]{3}|[£€$¥₹₩₽₺₪₫฿₴₦]|[A-Z]{1,3}\$|kr\.?|zł|Kč|Ft|lei|Fr\.?"
_NUMBER = re.compile(
    rf"(?P<before>{_CURRENCY})?[ \u00a0\u202f\u2009]*(?P<sign>[-+])?[ \u00a0\u202f\u2009]*(?P<between>{_CURRENCY})?[ \u00a0\u202f\u2009]*"
    rf"(?P<body>[0-9.,][0-9.,{_GROUPS}]*?)[ \u00a0\u202f\u2009]*(?P<after>%|{_CURRENCY})?"
)
LONGEST_NUMBER = 400
"""Longest text, in characters, that is looked at as a number."""
_GROUPED = re.compile(rf"[0-9]{{1,3}}(?:([{_GROUPS}])[0-9]{{3}})(?:\1[0-9]{{3}})*(?:([.,])([0-9]+))?")
_BODY = re.compile(r"[0-9]*(?:[.,][0-9]+)*")
_POINT_GROUPS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")
_COMMA_GROUPS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")


@dataclass(frozen=True, slots=True)
class Number:
    """A number's text taken apart. `digits` has `.` and `,` only; `symbols` are currency signs or codes."""

    negative: bool
    digits: str
    shape: Shape
    symbols: tuple[str, ...] = ()
    percent: bool = False
    decorated: bool = False


def dissect(text: str) -> Number | None:
    """The parts of a number's text, or None where it is no number in any style."""
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if match is None:
        return None
    body, decorated, shape = match["body"], False, None
    if any(sign in body for sign in _GROUPS):
        grouped = _GROUPED.fullmatch(body)
        if grouped is None:
            return None
        shape = {None: Shape.PLAIN, ".": Shape.POINT, ",": Shape.COMMA}[grouped[2]]
        body, decorated = re.sub(f"[{_GROUPS}]", "", body), True
    shape = shape or shape_of(body)
    if shape is Shape.BAD:
        return None
    after = match["after"]
    symbols = tuple(sign for sign in (match["before"], match["between"], after) if sign and sign != "%")
    if len(symbols) > 1:
        return None
    return Number(match["sign"] == "-", body, shape, symbols, after == "%", decorated or bool(symbols) or after == "%")


def shape_of(body: str) -> Shape:
    """What the separators in digits tell."""
    points, commas = body.count("."), body.count(",")
    if not points and not commas:
        return Shape.PLAIN
    if not _BODY.fullmatch(body):
        return Shape.BAD
    if points and commas:
        return _mixed(body)
    if points > 1:
        return Shape.COMMA if _POINT_GROUPS.fullmatch(body) and body[0] != "0" else Shape.BAD
    if commas > 1:
        return Shape.POINT if _COMMA_GROUPS.fullmatch(body) and body[0] != "0" else Shape.BAD
    whole, _, decimals = body.partition("." if points else ",")
    if len(decimals) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0":
        return Shape.MAYBE_POINT if points else Shape.MAYBE_COMMA
    return Shape.POINT if points else Shape.COMMA


def _mixed(body: str) -> Shape:
    is_point = body.rfind(".") > body.rfind(",")
    separator, groups, shape = (".", _COMMA_GROUPS, Shape.POINT) if is_point else (",", _POINT_GROUPS, Shape.COMMA)
    whole, _, decimals = body.partition(separator)
    return shape if groups.fullmatch(whole) and decimals.isdigit() and whole[0] != "0" else Shape.BAD


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many values of a file have a shape, and the first of them."""

    shape: str
    count: int
    example: str
    place: Place


@dataclass(frozen=True, slots=True)
class Style:
    """How a file writes numbers and dates, with the evidence. `day_first` is None where no date needs it."""

    numbers: NumberStyle = NumberStyle.NONE
    day_first: bool | None = None
    number_evidence: tuple[Evidence, ...] = ()
    date_evidence: tuple[Evidence, ...] = ()
    dates: str = ""


@dataclass(slots=True)
class Seen:
    """How often each cell of one column was met, for a tally, and what it shows."""

    column: str
    is_date: bool
    counts: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Counts what the cells of one file show, while they pass. `late`: date cells of a day after the twelfth."""

    counts: dict[str, int] = field(default_factory=dict)
    late: int = 0
    examples: dict[str, tuple[str, Place]] = field(default_factory=dict)

    def first(self, seen: Seen, cell: str, place: Place, row: int) -> None:
        """Takes a cell that its column did not have before; its like are then counted in `seen.counts`."""
        shape = seen.shapes[cell] = self._met(seen, cell, place, row)
        if len(seen.counts) > _REMEMBERED:
            self.fold(seen)
            seen.shapes[cell] = shape
        seen.counts[cell] = 1

    def count(self, seen: Seen, cell: str, place: Place, row: int) -> None:
        """Counts one cell that is not empty."""
        if cell in seen.counts:
            seen.counts[cell] += 1
        else:
            self.first(seen, cell, place, row)

    def count_many(self, seen: Seen, cell: str, place: Place, row: int, count: int) -> None:
        """Counts cells that are written alike; `cell` is the first of them, in that row."""
        shape = self._met(seen, cell, place, row)
        self.counts[shape] = self.counts.get(shape, 0) + count

    def _met(self, seen: Seen, cell: str, place: Place, row: int) -> str:
        """The shape of a cell, of which the first one is kept as an example."""
        shape = _shape(cell, is_date=seen.is_date)
        if shape not in self.examples:
            self.examples[shape] = (cell, replace(place, row=row, column=seen.column))
        return shape

    def fold(self, seen: Seen) -> None:
        """Adds a column's counts."""
        for cell, count in seen.counts.items():
            shape = seen.shapes[cell]
            self.counts[shape] = self.counts.get(shape, 0) + count
            if shape == DateShape.CELL and stored(cell)[8:10] > "12":
                self.late += count
        seen.counts.clear()
        seen.shapes.clear()

    def swapped(self) -> str:
        """What there is to say where a spreadsheet seems to have taken days for months; "" for nothing.

        Opened with the other country's settings, `03/05/2011` becomes a date cell with day and month swapped, while
        `14/03/2011` stays a text, since there is no fourteenth month.
        """
        cells = self.counts.get(DateShape.CELL, 0)
        texts = self.counts.get(DateShape.DAY_FIRST, 0) + self.counts.get(DateShape.MONTH_FIRST, 0)
        if not cells or not texts or self.late or self.counts.get(DateShape.EITHER, 0):
            return ""
        shape = DateShape.DAY_FIRST if self.counts.get(DateShape.DAY_FIRST, 0) else DateShape.MONTH_FIRST
        text, cell = _shown(self.examples[shape][0]), self.examples[DateShape.CELL]
        return (
            f"{texts} dates are texts like {text!r}, and the {cells} that are date cells are all of a day up to the "
            f"twelfth, like {_shown(cell[0])} (row {cell[1].row}): a spreadsheet may have taken their days for months. "
            "Compare one with the shop; if so, export again and open the file without converting its dates."
        )

    def style(self, file: str, *, are_dates_decided: bool = False) -> Style:
        """The file's style. Raises InputError where values are ambiguous and nothing decides.

        Where most of a file needs no style (number cells, ISO dates), a few ambiguous texts block their own orders
        only. `are_dates_decided`: a person has named the format.
        """
        numbers = self._evidence(Shape.POINT, Shape.COMMA, Shape.MAYBE_POINT, Shape.MAYBE_COMMA, Shape.PLAIN)
        dates = self._evidence(*(shape for shape in DateShape if shape is not DateShape.BAD))
        names = [item.shape for item in dates if item.shape not in _NO_STYLE]
        names = names or [item.shape for item in dates if item.shape == DateShape.EITHER]
        day_first = None if are_dates_decided else self._day_first(file)
        return Style(self._number_style(file), day_first, numbers, dates, ", ".join(names))

    def _evidence(self, *shapes: StrEnum) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(shape.value, self.counts.get(shape, 0), _shown(self.examples[shape][0]), self.examples[shape][1])
            for shape in shapes
            if shape in self.examples
        )

    def _number_style(self, file: str) -> NumberStyle:
        points, commas = self.counts.get(Shape.POINT, 0), self.counts.get(Shape.COMMA, 0)
        if points != commas:
            return NumberStyle.POINT if points > commas else NumberStyle.COMMA
        if points:
            raise self._undecided(file, "numbers", (Shape.POINT, Shape.COMMA))
        if self.counts.get(_NUMBER_CELL, 0):
            return NumberStyle.NONE
        if self.counts.get(Shape.MAYBE_POINT, 0) or self.counts.get(Shape.MAYBE_COMMA, 0):
            raise self._undecided(file, "numbers", (Shape.MAYBE_POINT, Shape.MAYBE_COMMA))
        return NumberStyle.NONE

    def _day_first(self, file: str) -> bool | None:
        day, month = self.counts.get(DateShape.DAY_FIRST, 0), self.counts.get(DateShape.MONTH_FIRST, 0)
        if day != month:
            return day > month
        either = day + month + self.counts.get(DateShape.EITHER, 0) + self.counts.get(DateShape.SHORT, 0)
        if either and either >= sum(self.counts.get(shape, 0) for shape in _PLAIN_DATES):
            shapes = (DateShape.DAY_FIRST, DateShape.MONTH_FIRST) if day else (DateShape.EITHER, DateShape.SHORT)
            raise self._undecided(file, "dates", shapes)
        return None

    def _undecided(self, file: str, what: str, shapes: tuple[StrEnum, ...]) -> InputError:
        met = [(self.counts.get(shape, 0), *self.examples[shape]) for shape in shapes if shape in self.examples]
        shown = "; ".join(
            f"{count} like {_shown(cell)!r} (row {place.row}, column {place.column})" for count, cell, place in met
        )
        help_ = (
            "Write amounts with two decimals (1.234,00 or 1,234.00) in at least one row, or without thousands separators."
            if what == "numbers"
            else "Write dates as YYYY-MM-DD, or set source.date_format, such as DD/MM/YYYY."
        )
        return InputError(
            f"The {what} of {file} can be read in two ways and nothing in the file decides: {shown}.",
            code="input.ambiguous",
            place=str(met[0][2]) if met else file,
            hint=help_,
        )


_NUMBER_CELL = "number cell"
_PLAIN_DATES = (DateShape.ISO, DateShape.OFFSET, DateShape.DOTTED, DateShape.NAMED, DateShape.CELL)
"""Dates that can be read in one way only."""
_NO_STYLE = (DateShape.NONE, DateShape.SAME, DateShape.EITHER)
"""What says nothing of how the file writes its dates."""
_REMEMBERED = 50_000


_SIMPLE = re.compile(r"-?[0-9]{1,20}([.,])(?:[0-9]{1,2}|[0-9]{4,20})")
"""Most amounts of most files: one separator, which can't be one of thousands."""
_SIMPLE_SHAPES = {".": Shape.POINT.value, ",": Shape.COMMA.value}


def _shape(cell: str, *, is_date: bool) -> str:
    if is_date:
        return DateShape.CELL.value if cell[:1] == DATE else date_shape(cell).value
    if cell[:1] == NUMBER:
        return _NUMBER_CELL
    if cell.isascii() and cell.isdigit():
        return Shape.PLAIN.value
    if simple := _SIMPLE.fullmatch(cell):
        return _SIMPLE_SHAPES[simple[1]]
    number = dissect(cell)
    return Shape.BAD.value if number is None else number.shape.value


def _shown(cell: str) -> str:
    return plain(cell)
