"""What a cell or setting means: ids, countries, dates, numbers, order numbers, templates.

Every parser gives the value, or a `CellError` with a sentence for the person who typed it. Pure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pycountry

from etl.model.faults import did_you_mean, nearest, one_of
from etl.reading.dates import DateFormat
from etl.reading.options import NUMBER_FIELD

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_EXAMPLE_ID = "5e000000-0000-4000-a000-000000000001"
_IDENTIFIER_LIMIT = 255
_ORDER = re.compile(r"0*([0-9]+)(?:\.0+)?(-R[A-Za-z0-9_.-]+)?", re.ASCII)
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_DOTTED_DATE = re.compile(r"([0-9]{1,2})\.\s?([0-9]{1,2})\.\s?([0-9]{4})(?: 0?0:00(?::00)?)?")
_SLASHED_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: 0?0:00(?::00)?)?")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_PERCENT = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]+))?\s*%?")
_AMOUNT = re.compile(r"([+-]?)((?:[0-9]+(?:[., '’\u00a0\u202f][0-9]+)*))")
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
_NO_COUNTRY = {"UK": "GB", "EL": "GR", "EN": "GB"}


class CellError(ValueError):
    """A value that can't be taken; the text is a sentence that names it and says what to write."""


def guid(value: str, what: str) -> str:
    """An id of Mews, in lower case."""
    if not _GUID.fullmatch(value):
        raise CellError(f"{value!r} is no {what}: Mews's ids look like {_EXAMPLE_ID}.")
    return value.lower()


def guid_or_eid(value: str, what: str) -> str:
    """An id of Mews, or `eid:` and an ExternalIdentifier."""
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


@cache
def _countries() -> dict[str, str]:
    return {country.alpha_2: country.name for country in pycountry.countries}


@cache
def _currencies() -> dict[str, str]:
    return {currency.alpha_3: currency.name for currency in pycountry.currencies}


def country(value: str) -> str:
    """An ISO 3166-1 alpha-2 code, in upper case."""
    code = value.upper()
    if code in _countries() and value.isascii():
        return code
    raise CellError(f"{value!r} is no country code (ISO 3166-1, two letters).{_near_country(value)}")


def _near_country(value: str) -> str:
    upper = value.upper()
    if upper in _NO_COUNTRY:
        return f" Did you mean {_NO_COUNTRY[upper]}?"
    if len(value) == 3 and (found := pycountry.countries.get(alpha_3=upper)):
        return f" Did you mean {found.alpha_2}?"
    by_name = {name: code for code, name in _countries().items()}
    if len(value) > 3 and (name := nearest(value, by_name)):
        return f" Did you mean {by_name[name]} ({name})?"
    return did_you_mean(value, _countries()) if len(value) == 2 else ""


def currency(value: str) -> str:
    """An ISO 4217 code, in upper case."""
    code = value.upper()
    if code in _currencies() and value.isascii():
        return code
    symbols = {"£": "GBP", "€": "EUR", "$": "USD"}
    near = symbols.get(value) or nearest(value, _currencies())
    raise CellError(f"{value!r} is no currency code (ISO 4217).{f' Did you mean {near}?' if near else ''}")


def timezone(value: str) -> str:
    """An IANA timezone name."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = did_you_mean(value, available_timezones())
        raise CellError(f"{value!r} is no IANA timezone name such as Europe/London.{near}") from None
    return value


def number_pattern(value: str) -> str:
    """How order numbers are written: `{number}`, perhaps with a prefix and a suffix."""
    if value.count(NUMBER_FIELD) != 1 or set("{}") & set(value.replace(NUMBER_FIELD, "")):
        raise CellError(f"{value!r} does not say where the digits stand: write {{number}} once, such as #{{number}}.")
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
    match = _PERCENT.fullmatch(value)
    rate = Decimal(f"{match[1]}.{match[2] or 0}") if match else None
    if rate is None or rate > 100:
        near = nearest(value, ("shipping",))
        hint = f" Did you mean {near}?" if near else " Write a number from 0 to 100, * for any rate, or shipping."
        raise CellError(f"{value!r} is no VAT rate.{hint}")
    return rate


def order_number(value: str) -> str:
    """An order number as the tool uses it: digits without leading zeros or `.0`, or that of a nested return."""
    match = _ORDER.fullmatch(value)
    if match is None:
        damaged = (
            " A spreadsheet has shortened it: format the cell as text and type it again."
            if "E+" in value.upper()
            else ""
        )
        raise CellError(f"{value!r} is no order number: write digits, or 10038-R7 for a nested return.{damaged}")
    return match[1] + (match[2] or "")


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
        """ISO, dd.mm.yyyy, or slashes where the file is decisive."""
        for pattern, order in ((_ISO_DATE, (1, 2, 3)), (_DOTTED_DATE, (3, 2, 1))):
            if match := pattern.fullmatch(value):
                return self._date(value, *(int(match[group]) for group in order))
        match = _SLASHED_DATE.fullmatch(value)
        if match is None:
            raise CellError(f"{value!r} is no date: write it as 2011-01-04 or 04.01.2011.")
        first, second, year = (int(part) for part in match.groups())
        if self.day_first is None:
            raise CellError(
                f"{value!r} may be {first}.{second}. or {second}.{first}., and the other dates of the file do not decide it: "
                "write it as 2011-01-04 or 04.01.2011."
            )
        return self._date(value, year, *((second, first) if self.day_first else (first, second)))

    @staticmethod
    def _date(value: str, year: int, month_: int, day: int) -> date:
        if not 1900 <= year <= 2200:
            raise CellError(f"{value!r} is no date of our time.")
        try:
            return date(year, month_, day)
        except ValueError:
            raise CellError(f"{value!r} is not in the calendar.") from None


def date_style(values: Iterable[str]) -> DateStyle:
    """The style that all slashed dates of a file agree on; a day above 12 decides."""
    pairs = [(int(match[1]), int(match[2])) for value in values if (match := _SLASHED_DATE.fullmatch(value))]
    day_first, month_first = any(a > 12 for a, _ in pairs), any(b > 12 for _, b in pairs)
    return DateStyle(None if day_first == month_first else day_first)


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """Which mark is the decimal one in a file; "" where nothing in it decides."""

    decimal: str = ""

    def parse(self, value: str) -> Decimal:
        """An amount in the file's style."""
        match = _AMOUNT.fullmatch(value)
        if match is None:
            raise CellError(f"{value!r} is no number.")
        sign, body = match.groups()
        body = re.sub(r"[ '’\u00a0\u202f]", "", body)
        marks = [char for char in body if char in ".,"]
        if not marks:
            return Decimal(sign + body)
        if not self.decimal:
            raise CellError(
                f"{value!r} may be a thousand or a decimal, and the other numbers of the file do not decide it: "
                "write it without thousands separator and with a decimal point."
            )
        thousands = "," if self.decimal == "." else "."
        whole, _, fraction = body.partition(self.decimal)
        if not re.fullmatch(r"[0-9]{1,3}([.,][0-9]{3})+|[0-9]+", whole) or not re.fullmatch(r"[0-9]*", fraction):
            raise CellError(
                f"{value!r} does not fit the file's own style, in which {self.decimal!r} is the decimal mark."
            )
        return Decimal(f"{sign}{whole.replace(thousands, '')}.{fraction or 0}")


def number_style(values: Iterable[str], counts: Iterable[str] = ()) -> NumberStyle:
    """The decimal mark that the numbers of a file prove; `counts` are whole numbers, whose marks are thousands."""
    proved: set[str] = set()
    other = {".": ",", ",": "."}
    for value in values:
        marks = [char for char in value if char in other]
        if not marks:
            continue
        tail = value[value.rfind(marks[-1]) + 1 :]
        if len(set(marks)) == 2:
            proved.add(marks[-1])
        elif len(marks) > 1:
            proved.add(other[marks[-1]])
        elif len(tail) != 3 or value.lstrip("+-").startswith(("0" + marks[0], marks[0])):
            proved.add(marks[-1])
    proved.update(other[char] for value in counts for char in value if char in other)
    return NumberStyle(proved.pop()) if len(proved) == 1 else NumberStyle()


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
