"""What a cell or setting means: ids, countries, dates, numbers, order numbers, templates.

Every parser gives the value, or a `CellError` with a sentence for the person who typed it. Pure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from etl.model.faults import did_you_mean, nearest, one_of
from etl.model.identity import RETURN_MARK
from etl.reading.codes import parse_country, parse_currency
from etl.reading.dates import DateFormat, Dates, DateShape, date_shape
from etl.reading.numbers import parse_amount, plain_rate
from etl.reading.options import NUMBER_FIELD
from etl.reading.order_numbers import OrderNumbers, fault_of
from etl.reading.remarks import RemarkedValue
from etl.reading.style import NumberStyle, Shape, dissect

T = TypeVar("T")

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NAMED = re.compile(rf".*\(({_GUID.pattern})\)", re.IGNORECASE | re.DOTALL)
_EXAMPLE_ID = "5e000000-0000-4000-a000-000000000001"
_IDENTIFIER_LIMIT = 255
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ENCODING_NAMES = {
    "macroman": "mac_roman",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "windows1250": "cp1250",
    "windows1252": "cp1252",
    "ansi": "cp1252",
    "dos": "cp850",
    "unicode": "utf-16",
}


class CellError(ValueError):
    """A value that can't be taken; the text is a sentence that names it and says what to write."""


def _bare_id(value: str) -> str:
    """The id of `Web shop (5e00..)`, as catalogue, candidates and drop-down lists name entities; else the value itself."""
    named = _NAMED.fullmatch(value)
    return named[1] if named else value


def guid(value: str, what: str) -> str:
    """An id of Mews, in lower case; a name may stand before it: `Web shop (5e00..)`."""
    value = _bare_id(value)
    if not _GUID.fullmatch(value):
        raise CellError(f"{value!r} is no {what}: Mews's ids look like {_EXAMPLE_ID}.")
    return value.lower()


def guid_or_eid(value: str, what: str) -> str:
    """An id of Mews, or `eid:` and an ExternalIdentifier; before an id in parentheses a name may stand."""
    value = _bare_id(value)
    head, colon, tail = value.partition(":")
    if not colon:
        if _GUID.fullmatch(value):
            return value.lower()
        raise CellError(
            f"{value!r} is no {what}: write its id, such as {_EXAMPLE_ID}, or eid: and its ExternalIdentifier."
        )
    if head != "eid":
        raise CellError(
            f"{value!r} is no {what}.{' Did you mean eid:' + tail.strip() + '?' if head.strip().lower() == 'eid' else ' Before the colon stands eid.'}"
        )
    if not tail.strip() or len(tail.strip()) > _IDENTIFIER_LIMIT:
        raise CellError(
            f"{value!r} is no {what}: after eid: comes its ExternalIdentifier, at most {_IDENTIFIER_LIMIT} characters."
        )
    return f"eid:{tail.strip()}"


def country(value: str) -> str:
    """An ISO 3166-1 alpha-2 code, in upper case."""
    return _read(parse_country, value)


def currency(value: str) -> str:
    """An ISO 4217 code, in upper case."""
    return _read(parse_currency, value)


def _read(parser: Callable[[str], T], value: str) -> T:
    """A value by the rules of the export. What only the export could say (values.csv) is no hint here."""
    try:
        return parser(value)
    except RemarkedValue as odd:
        if not odd.is_error:
            found: T = odd.value
            return found
        remark = odd.remarks[0]
        hint = remark.hint if remark.hint.startswith("Did you mean") else ""
        raise CellError(f"{remark.message}{' ' * bool(hint)}{hint}") from None


def timezone(value: str) -> str:
    """An IANA timezone name."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = did_you_mean(value, available_timezones())
        raise CellError(f"{value!r} is no IANA timezone name such as Europe/London.{near}") from None
    return value


def number_pattern(value: str) -> str:
    """How order numbers are written: `{number}`, perhaps with a prefix and a suffix, or other groups of digits."""
    if fault := fault_of(value):
        raise CellError(fault)
    return value


def encoding(value: str) -> str:
    """The codec of a text encoding, by the name that Python gives it."""
    name = _ENCODING_NAMES.get(re.sub(r"[^a-z0-9]", "", value.casefold()), value)
    try:
        codec = codecs.lookup(name)
        b"0".decode(codec.name, "replace").encode(codec.name)
    except (LookupError, UnicodeError, TypeError, ValueError):
        near = did_you_mean(value, (*_ENCODING_NAMES.values(), "utf-8", "utf-16"))
        raise CellError(f"{value!r} is no text encoding such as utf-8, cp1252, mac_roman or cp850.{near}") from None
    return codec.name


def date_format(value: str) -> str:
    """How dates are written, such as DD/MM/YYYY hh:mm or %d.%m.%y."""
    try:
        DateFormat(value)
    except ValueError as error:
        raise CellError(str(error)) from None
    return value


def choice(value: str, allowed: Iterable[str]) -> str:
    """One of a closed list."""
    names = tuple(allowed)
    if value in names:
        return value
    listed = one_of(names) if len(names) <= 12 else ""
    near = did_you_mean(value, names)
    raise CellError(f"{value!r} is not known here.{near}{f' Write {listed}.' if listed and not near else ''}")


def percent(value: str) -> Decimal:
    """A VAT rate from 0 to 100; both 17.5 and 17,5, since a rate has no thousands."""
    rate = plain_rate(value)
    if rate is None or rate > 100:
        near = nearest(value, ("shipping",))
        hint = f" Did you mean {near}?" if near else " Write a number from 0 to 100, * for any rate, or shipping."
        raise CellError(f"{value!r} is no VAT rate.{hint}")
    return rate


def order_number(value: str, pattern: str = NUMBER_FIELD) -> str:
    """An order number as the tool uses it: digits without leading zeros or `.0`, or that of a nested return.

    `pattern`: `source.order_number`; numbers may be written as the shop does, or as bare digits.
    """
    written = OrderNumbers(pattern)
    if whole := written.read(value):
        return whole
    head, mark, tail = value.partition(RETURN_MARK)
    number = written.read(head) or OrderNumbers().read(head)
    if number is None or (mark and not re.fullmatch(r"[A-Za-z0-9_.-]+", tail, re.ASCII)):
        damaged = (
            " A spreadsheet has shortened it: format the cell as text and type it again."
            if "E+" in value.upper()
            else ""
        )
        raise CellError(f"{value!r} is no order number: write digits, or 10038-R7 for a nested return.{damaged}")
    return f"{number}{mark}{tail}"


def month(value: str) -> str:
    """A month as YYYY-MM."""
    if not _MONTH.fullmatch(value):
        raise CellError(
            f"{value!r} is no month: write it as 2011-06 (format the cell as text, else a spreadsheet changes it)."
        )
    return value


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How a file writes slashed dates: day first, month first, or None where nothing in it decides."""

    day_first: bool | None = None

    def parse(self, value: str) -> date:
        """A day, as `etl.reading.dates` reads it in the file's style."""
        try:
            found = Dates(self.day_first).read(value)
        except RemarkedValue as odd:
            remark = odd.remarks[0]
            if remark.code == "value.ambiguous":
                raise CellError(
                    f"{value!r} can be read in two ways, and the other dates of the file do not decide it: "
                    "write it as 2011-01-04 or 04.01.2011."
                ) from None
            raise CellError(f"{remark.message.removesuffix('.')}: write it as 2011-01-04 or 04.01.2011.") from None
        if found is None or found.wall.time() != time.min:
            raise CellError(f"{value!r} is no date: write it as 2011-01-04 or 04.01.2011.")
        return found.wall.date()


def date_style(values: Iterable[str]) -> DateStyle:
    """The style that all slashed dates of a file agree on; a day above 12 decides."""
    met = {date_shape(value) for value in values if value}
    day_first, month_first = DateShape.DAY_FIRST in met, DateShape.MONTH_FIRST in met
    return DateStyle(None if day_first == month_first else day_first)


def amount(value: str, style: NumberStyle) -> Decimal:
    """An amount in the file's style."""
    found = _read(partial(parse_amount, style=style), value)
    if found is None:
        raise CellError(f"{value!r} is no number.")
    return found


def number_style(values: Iterable[str], counts: Iterable[str] = ()) -> NumberStyle:
    """The decimal mark that the numbers of a file prove; `counts` are whole numbers, whose marks are thousands."""
    shapes = {number.shape for value in values if (number := dissect(value))}
    marks = {mark for value in counts for mark in value if mark in ".,"}
    is_point = Shape.POINT in shapes or "," in marks
    is_comma = Shape.COMMA in shapes or "." in marks
    if is_point == is_comma:
        return NumberStyle.NONE
    return NumberStyle.POINT if is_point else NumberStyle.COMMA


def template(value: str, known: Iterable[str]) -> str:
    """A text with `{field}` placeholders, all of them known."""
    names = tuple(known)
    for name in _PLACEHOLDER.findall(value):
        if name not in names:
            hint = did_you_mean(name, names) if names else " No fields can stand here."
            raise CellError(f"{{{name}}} in {value!r} is no field.{hint}")
    if set("{}") & set(_PLACEHOLDER.sub("", value)):
        raise CellError(f"{value!r} has a brace without its pair: fields stand in braces, as {{orderNumber}}.")
    return value
