"""Dates in a format that a person has named (`source.date_format`), and months by their names."""

from __future__ import annotations

import re
from datetime import datetime

from etl.model.order import LocalTime

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
