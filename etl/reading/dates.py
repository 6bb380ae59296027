"""Dates and times: in the style of the file, or in the format that a person has named (`source.date_format`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from zoneinfo import ZoneInfo

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.model.order import LocalTime
from etl.reading.options import DEFAULT, ReadOptions
from etl.reading.remarks import bad

_MONTHS = (
    "jan januar january janvier enero januari gennaio",
    "feb februar february fevrier febrero februari febbraio fev",
    "mar marz march mars marzo maart maerz mrz mrt marts",
    "apr april avril abril aprile avr abr",
    "may mai mayo maj mei maggio",
    "jun juni june juin junio giugno",
    "jul juli july juillet julio luglio juil",
    "aug august aout agosto augusti augustus ago",
    "sep sept september septembre septiembre settembre",
    "oct okt oktober october octobre octubre ottobre",
    "nov november novembre noviembre",
    "dec dez des dezember december decembre diciembre dicembre dic",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
"""Month names and their abbreviations, accents left out: English, German, French, Spanish, Swedish, Dutch, Italian."""
_ACCENTS = str.maketrans("äàáâéèêëíîóôöúûüÄÉÛ", "aaaaeeeeiiooouuuAEU")
_MONTH = r"[^\W\d_]{3,12}\.?"
_YEAR_PIVOT = 70
"""Two-digit years from here on are of the last century (POSIX takes 69; shops on the web are younger)."""

_TOKENS: dict[str, str] = {
    **dict.fromkeys(("YYYY", "%Y"), r"(?P<Y>\d{4})"),
    **dict.fromkeys(("YY", "%y"), r"(?P<y>\d{2})"),
    **dict.fromkeys(("MMMM", "MMM", "%B", "%b"), rf"(?P<b>{_MONTH})"),
    **dict.fromkeys(("MM", "M", "%m"), r"(?P<m>\d{1,2})"),
    **dict.fromkeys(("DD", "D", "%d"), r"(?P<d>\d{1,2})"),
    **dict.fromkeys(("hh", "h", "%H", "%I"), r"(?P<H>\d{1,2})"),
    **dict.fromkeys(("mm", "%M"), r"(?P<M>\d{2})"),
    **dict.fromkeys(("ss", "%S"), r"(?P<S>\d{2})"),
    **dict.fromkeys(("AM/PM", "%p"), r"(?P<p>[AaPp]\.?[Mm]\.?)"),
}
_TOKEN = re.compile(r"%[A-Za-z]|[Yy]{2,4}|M{1,4}|[Dd]{1,2}|[Hh]{1,2}|m{1,2}|[Ss]{1,2}|[Aa][Mm]/[Pp][Mm]|tt|\ba\b|\bA\b")
_SHOWN = "such as DD/MM/YYYY hh:mm, M/D/YY h:mm AM/PM, D MMM YYYY or %d.%m.%y"


def month_number(name: str) -> int | None:
    """The month of a name or abbreviation, in any of the languages known."""
    return MONTHS.get(name.translate(_ACCENTS).casefold().rstrip("."))


def full_year(two_digits: int) -> int:
    """The year behind two digits."""
    return two_digits + (1900 if two_digits >= _YEAR_PIVOT else 2000)


def clock_hour(hour: int, half: str) -> int:
    """The hour of the day behind an hour with AM or PM. Raises ValueError where there is none."""
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("an hour with AM or PM is from 1 to 12")
    return hour % 12 + (12 if half[0] in "Pp" else 0)


class DateFormat:
    """A format of `source.date_format`, ready to read. Raises ValueError, with a sentence, where it is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        pattern = _pattern(text)
        names = re.findall(r"\?P<(\w)>", pattern)
        if len(set(names)) < len(names):
            raise ValueError(f"{text!r} names a part of the date twice. Write a format {_SHOWN}.")
        if not ({"d"} <= set(names) and {"m", "b"} & set(names) and {"Y", "y"} & set(names)):
            raise ValueError(f"{text!r} does not say where day, month and year stand. Write a format {_SHOWN}.")
        self._pattern = re.compile(pattern, re.ASCII if "b" not in names else 0)

    def read(self, text: str) -> LocalTime | None:
        """The time, or None where the text is not written so. Raises ValueError where it is not in the calendar."""
        match = self._pattern.fullmatch(text)
        if match is None or not text.isprintable():
            return None
        parts = match.groupdict()
        month = month_number(parts["b"]) if parts.get("b") else int(parts["m"])
        if month is None:
            return None
        year = int(parts["Y"]) if parts.get("Y") else full_year(int(parts["y"]))
        hour = clock_hour(int(parts.get("H") or 0), parts.get("p") or "")
        wall = datetime(year, month, int(parts["d"]), hour, int(parts.get("M") or 0), int(parts.get("S") or 0))  # noqa: DTZ001
        return LocalTime(wall, parts.get("H") is not None)


def _pattern(text: str) -> str:
    """The regular expression of a format; what is no part of a date stands for itself, blanks for any."""
    pattern, end, has_hour = "", 0, False
    for match in _TOKEN.finditer(text):
        word = _word(match[0], after_hour=has_hour)
        if word not in _TOKENS:
            raise ValueError(f"{match[0]!r} in {text!r} is no part of a date. Write a format {_SHOWN}.")
        has_hour = has_hour or word in ("hh", "h", "%H", "%I")
        pattern += _literal(text[end : match.start()]) + _TOKENS[word]
        end = match.end()
    return pattern + _literal(text[end:])


def _word(token: str, *, after_hour: bool) -> str:
    """One spelling for a part of a date; MM after an hour are minutes, as spreadsheets have it."""
    if token[0] == "%":
        return token
    if token[0] in "Yy":
        return token.upper()
    if token[0] in "Mm":
        if after_hour:
            return "mm"
        return token.upper()
    if token[0] in "Dd":
        return token.upper()
    if token[0] in "Aat":
        return "AM/PM"
    return token.lower()


def _literal(text: str) -> str:
    return r"\s*".join(re.escape(part) for part in re.split(r"\s+", text))


_TIME = (
    r"(?:[T ,]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d+)?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?)?"
    r"(?P<offset>\s*(?:Z|UTC|GMT|[-+]\d{2}:?\d{2}))?"
)
_NUMERIC = re.compile(
    r"(?:(?P<Y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<t>[-/.])\s?(?P<b>\d{1,2})(?P=t)\s?(?P<c>\d{4}|\d{2}))" + _TIME,
    re.ASCII,
)
_NAMED = re.compile(
    r"(?:[^\W\d_]{2,12}\.?,?\s+)?"
    r"(?:(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?[-/. ]{1,2}(?P<n>[^\W\d_]{3,12})[-/. ]{1,2}(?P<Y>[0-9]{4}|[0-9]{2})"
    r"|(?P<n2>[^\W\d_]{3,12})\.?\s+(?P<d2>[0-9]{1,2})(?:st|nd|rd|th)?,?\s+(?P<Y2>[0-9]{4}))" + _TIME
)
NO_DATE = "0000-00-00"
"""How Centra writes that there is no date."""
_NO_DATE = re.compile(r"0000-00-00(?:[T ]00:00(?::00)?)?")
_LONGEST = 60


class DateShape(StrEnum):
    """What one date shows."""

    ISO = "year-month-day"
    OFFSET = "with a UTC offset"
    DOTTED = "day.month.year"
    DAY_FIRST = "day/month/year"
    MONTH_FIRST = "month/day/year"
    EITHER = "day and month may be changed round"
    SAME = "day and month are one number"
    YEAR_FIRST = "year/month/day in two digits each"
    SHORT = "two digits each, the year first or last"
    NAMED = "month by its name"
    CELL = "date cell"
    NONE = "0000-00-00"
    BAD = "no date"


@dataclass(frozen=True, slots=True)
class _Parts:
    """A date's text taken apart. `order`: y-m-d as written, or None where two numbers may be day and month."""

    shape: DateShape
    match: re.Match[str]


def _dissect(text: str) -> _Parts | None:
    if len(text) > _LONGEST:
        return None
    if match := _NUMERIC.fullmatch(text):
        shape = DateShape.ISO if match["Y"] else _numeric_shape(match)
        if shape is DateShape.ISO and match["offset"]:
            shape = DateShape.OFFSET
        return _Parts(shape, match)
    if (match := _NAMED.fullmatch(text)) and month_number(match["n"] or match["n2"]):
        return _Parts(DateShape.NAMED, match)
    return None


def _numeric_shape(match: re.Match[str]) -> DateShape:
    first, second, last = int(match["a"]), int(match["b"]), match["c"]
    is_short = len(last) == 2
    if is_short and (first > 31 or first == 0):
        return DateShape.YEAR_FIRST
    if match["t"] == ".":
        return DateShape.DOTTED if second <= 12 else DateShape.BAD
    if is_short and match["t"] == "-" and int(last) <= 31:
        # 11-03-14 may be of 2011 or of 2014; with a slash, or a last number above 31, the year stands last.
        return DateShape.SHORT
    if first == second:
        return DateShape.SAME
    if first > 12:
        return DateShape.DAY_FIRST if second <= 12 else DateShape.BAD
    return DateShape.MONTH_FIRST if second > 12 else DateShape.EITHER


PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2}:[0-9]{2})?")
"""How most exports write all of their dates."""
_DAY_LENGTH = len("2024-01-31")


def date_shape(text: str) -> DateShape:
    """What a date's text shows."""
    if PLAIN_DATE.fullmatch(text):
        return DateShape.NONE if text.startswith(NO_DATE) else DateShape.ISO
    text = text.strip()
    if text.startswith(NO_DATE):
        return DateShape.NONE
    parts = _dissect(text)
    return parts.shape if parts else DateShape.BAD


class Dates:
    """Reads the dates of one file. `day_first`: how it writes slashed ones, None where nothing in it decides."""

    def __init__(self, day_first: bool | None = None, options: ReadOptions = DEFAULT) -> None:
        self._day_first = day_first
        self._zone = options.timezone
        self._format = DateFormat(options.date_format) if options.date_format else None

    def read(self, cell: str) -> LocalTime | None:
        """A local date or time; None for an empty cell and Centra's `0000-00-00 00:00:00`. Raises RemarkedValue."""
        return self._read_plain(cell) or self._read_any(cell)

    def _read_plain(self, cell: str) -> LocalTime | None:
        """A likely date as most exports write all of them, at once; None for any other cell."""
        if self._format is not None or not PLAIN_DATE.fullmatch(cell):
            return None
        try:
            wall = datetime.fromisoformat(cell)
        except ValueError:
            return None
        return LocalTime(wall, len(cell) > _DAY_LENGTH) if 1900 <= wall.year <= _LAST_LIKELY else None

    def _read_any(self, cell: str) -> LocalTime | None:
        text = plain(cell).strip()
        if not text or _NO_DATE.fullmatch(text):
            return None
        if cell[:1] in (NUMBER, BROKEN):
            raise bad(f"{text[:80]!r} is no date.", _hint(text))
        try:
            found = self._read(text, is_cell=cell[:1] == DATE)
        except ValueError as error:
            raise bad(f"{text[:80]!r} is no date in the calendar: {error}.", _HINT) from error
        if not 1900 <= found.wall.year <= 2100:
            raise bad(f"{text!r} is no likely date.")
        return found

    def _read(self, text: str, *, is_cell: bool) -> LocalTime:
        if self._format and not is_cell:
            found = self._format.read(text)
            if found is not None:
                return found
        parts = None if text.isdigit() else _dissect(text)
        if parts is None or parts.shape is DateShape.BAD:
            raise bad(f"{text[:80]!r} is no date.", _hint(text))
        if self._format and not is_cell and parts.shape not in (DateShape.ISO, DateShape.OFFSET):
            raise bad(f"{text!r} is not written as source.date_format says ({self._format.text}).", _HINT)
        year, month, day = self._day(text, parts)
        match = parts.match
        hour = clock_hour(int(match["H"] or 0), match["p"] or "")
        wall = datetime(year, month, day, hour, int(match["M"] or 0), int(match["S"] or 0))  # noqa: DTZ001
        if match["offset"]:
            return LocalTime(self._local(wall, match["offset"].strip(), text))
        return LocalTime(wall, match["H"] is not None)

    def _day(self, text: str, parts: _Parts) -> tuple[int, int, int]:
        match = parts.match
        if parts.shape is DateShape.NAMED:
            return (
                _year(match["Y"] or match["Y2"]),
                month_number(match["n"] or match["n2"]) or 0,
                int(match["d"] or match["d2"]),
            )
        if match["Y"]:
            return int(match["Y"]), int(match["m"]), int(match["d"])
        first, second, last = int(match["a"]), int(match["b"]), match["c"]
        if parts.shape is DateShape.YEAR_FIRST:
            return full_year(first), second, int(last)
        if parts.shape is DateShape.SHORT:
            raise bad(f"{text!r} can be read in two ways.", _FORMAT_HINT, "value.ambiguous")
        if match["t"] == "." or first == second:
            return _year(last), second, first
        if self._day_first is None:
            raise bad(f"{text!r} can be read in two ways.", _FORMAT_HINT, "value.ambiguous")
        return _year(last), *((second, first) if self._day_first else (first, second))

    def _local(self, wall: datetime, offset: str, text: str) -> datetime:
        """The shop's wall clock at a time with an offset; `fold` keeps the second run of an hour apart."""
        if not self._zone:
            raise bad(
                f"{text!r} has a UTC offset; the shop's own timezone is not known yet.",
                "Set source.timezone in migration.toml.",
            )
        moment = wall.replace(tzinfo=_offset(offset))
        return moment.astimezone(ZoneInfo(self._zone)).replace(tzinfo=None)


_HINT = "Write YYYY-MM-DD HH:MM:SS (in a workbook: format the cell as a date), or set source.date_format."
_COUNTED = re.compile(r"([0-9]{5})(?:[.,][0-9]+)?|([0-9]{10})(?:[0-9]{3})?")
_FIRST_DAY, _FIRST_SECOND = datetime(1899, 12, 30), datetime(1970, 1, 1)  # noqa: DTZ001 - counts without a zone


def _hint(text: str) -> str:
    """What to write instead; a count of days or seconds is shown as what it would be."""
    match = _COUNTED.fullmatch(text)
    if not match:
        return _HINT
    if match[1]:
        day, what = _FIRST_DAY + timedelta(days=int(match[1])), "a spreadsheet's count of days"
    else:
        day, what = _FIRST_SECOND + timedelta(seconds=int(match[2])), "a count of seconds since 1970"
    return f"As {what} it would be {day:%Y-%m-%d}. {_HINT}" if 2000 <= day.year <= _LAST_LIKELY else _HINT


_LAST_LIKELY = 2100
_FORMAT_HINT = "Write YYYY-MM-DD, or say with source.date_format how dates are written."


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else full_year(int(text))


def _offset(text: str) -> timezone:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
