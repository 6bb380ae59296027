"""Number formats of workbooks: which values are dates or percentages, and what a person sees of a number.

Pure. Rule: ECMA-376 part 1, 18.8.30 and 18.8.31. What can't be shown exactly (fractions, formats of the system's
locale) is given without a shown text; the stored value then stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property

from etl.model.export import DATE, NUMBER, SHOWN, broken

GENERAL = "General"
BUILT_IN: dict[int, str] = {
    0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: '"$"#,##0', 6: '"$"#,##0', 7: '"$"#,##0.00',
    8: '"$"#,##0.00', 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "[$-F800]m/d/yyyy",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "[$-F800]m/d/yyyy h:mm", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00", 41: "#,##0", 42: '"$"#,##0', 43: "#,##0.00", 44: '"$"#,##0.00', 45: "mm:ss",
    46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "[$-F800]yyyy/m/d"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "[$-F400]h:mm:ss"),
}  # fmt: skip
"""Formats that a workbook names by number only; 14, 22 and the East Asian ones differ with the system's locale."""

_LONGEST_EXACT = 10**15
_LAST_DAY = 2958466
_TOKEN = re.compile(
    r'"[^"]*"?|\\.|_.|\*.|\[[^\]]*\]?|General|E[+-]|AM/PM|A/P|[Yy]+|[Mm]+|[Dd]+|[Hh]+|[Ss]+(?:\.0+)?|[0#?]|.',
    re.DOTALL | re.IGNORECASE,
)
_MONTHS = ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[0-9.]+)\]")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DIGITS = "0#?"
_COMMA = ","
_WIDE = Context(prec=2000)


def number_text(value: float) -> str:
    """A workbook's double at 15 significant digits, as Excel shows it: plain digits, or NUMBER and a literal."""
    text = format(value, ".15g")
    if "e" in text:
        if value - value != 0:
            return broken(text)
        if abs(value) >= _LONGEST_EXACT:
            return NUMBER + text
        text = format(Decimal(text), "f")
    return text if text.isdigit() else NUMBER + text


@dataclass(frozen=True)
class _Section:
    """One of the up to four parts of a format. `tokens` are those that show something."""

    tokens: tuple[str, ...]
    condition: tuple[str, Decimal] | None = None
    is_local: bool = False

    @cached_property
    def is_date(self) -> bool:
        if any(token in _DIGITS for token in self.tokens) or self.is_general:
            return False
        return any(_is_date_part(token) for token in self.tokens)

    @cached_property
    def has_day(self) -> bool:
        return any(part[0] in "ymd" for part in _date_parts(self.tokens) if part)

    @cached_property
    def is_general(self) -> bool:
        return any(token.lower() == "general" for token in self.tokens)

    @cached_property
    def percents(self) -> int:
        return self.tokens.count("%")

    def fits(self, value: Decimal) -> bool:
        if self.condition is None:
            return False
        sign, bound = self.condition
        return {
            "<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound,
            "=": value == bound, "<>": value != bound,
        }[sign]  # fmt: skip


class NumberFormat:
    """A number format, taken apart once; `cell` gives the cell of a number under it."""

    def __init__(self, code: str, *, is_1904: bool = False) -> None:
        self.code = code
        self._is_1904 = is_1904
        self._sections = _sections(code)
        self.is_plain = code.strip() in {"", GENERAL, "@", "0"}
        """Whether integers look as they are stored."""

    def cell(self, value: float) -> str:
        """The cell: digits, or a number, a date or a broken cell, with what the format shows where that differs."""
        text = number_text(value)
        if self.is_plain and (text.isdigit() or self.code != "0"):
            return text
        literal = Decimal(format(value, ".15g"))
        if not literal.is_finite():
            return text
        section, shown_value = self._section(literal)
        if section.is_date:
            return self._date(value, section)
        if section.percents:
            hundredfold = literal * 100**section.percents
            return _number(f"{hundredfold.normalize():f}{'%' * section.percents}", _shown(section, shown_value))
        return _number(text.removeprefix(NUMBER), _shown(section, shown_value), fallback=text)

    def _section(self, value: Decimal) -> tuple[_Section, Decimal]:
        """The section that shows a value, and what it shows: sections for negative numbers drop the sign."""
        sections = self._sections[:3]
        if any(section.condition for section in sections):
            for section in sections:
                if section.condition is None or section.fits(value):
                    return section, value
            return sections[-1], value
        if value < 0 and len(sections) > 1:
            return sections[1], -value
        if not value and len(sections) > 2:
            return sections[2], value
        return sections[0], value

    def _date(self, value: float, section: _Section) -> str:
        literal = format(value, ".15g")
        if not 0 <= value < _LAST_DAY - 1:
            return broken(literal, f"the cell's format is a date, and {literal} is none")
        seconds = round(value * 86400)
        if not section.has_day:
            clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            return _dated(clock, section, datetime(1900, 1, 1) + timedelta(seconds=seconds), seconds)  # noqa: DTZ001
        day = seconds // 86400
        if not self._is_1904 and day in {0, 60}:
            return broken(literal, f"the cell's format is a date, and {literal} is no day of the calendar")
        # Excel counts a 29 February 1900 that never was.
        epoch = datetime(1904, 1, 1) if self._is_1904 else datetime(1899, 12, 31 if day < 60 else 30)  # noqa: DTZ001
        moment = epoch + timedelta(seconds=seconds)
        return _dated(moment.isoformat(sep=" "), section, moment, seconds)


class NumberFormats:
    """The formats of a workbook's cell styles, each taken apart once, when a cell first has it."""

    def __init__(self, codes: Iterable[str], *, is_1904: bool) -> None:
        self._codes = list(codes)
        self._is_1904 = is_1904
        self._known: dict[str, NumberFormat] = {}

    def __getitem__(self, style: int) -> NumberFormat:
        code = self._codes[style] if style < len(self._codes) else GENERAL
        found = self._known.get(code)
        if found is None:
            found = self._known[code] = NumberFormat(code, is_1904=self._is_1904)
        return found


def _dated(iso: str, section: _Section, moment: datetime, seconds: int) -> str:
    shown = None if section.is_local else _date_text(section, moment, seconds)
    if shown is None:
        shown = iso.removesuffix(" 00:00:00")
    return DATE + iso if shown == iso else f"{DATE}{iso}{SHOWN}{shown}"


def _number(literal: str, shown: str | None, fallback: str = "") -> str:
    shown = None if shown is None else shown.strip()
    if shown is None or shown == literal:
        return fallback or NUMBER + literal
    return f"{NUMBER}{literal}{SHOWN}{shown}"


def _sections(code: str) -> tuple[_Section, ...]:
    parts: list[list[str]] = [[]]
    for symbol in _TOKEN.findall(code):
        if symbol == ";":
            parts.append([])
        else:
            parts[-1].append(symbol)
    return tuple(map(_section_of, parts))


def _section_of(tokens: Sequence[str]) -> _Section:
    kept: list[str] = []
    condition, is_local = None, False
    for token in tokens:
        if token[0] == "[":
            match = _CONDITION.fullmatch(token)
            if match:
                condition = match[1], Decimal(match[2])
            elif _ELAPSED.fullmatch(token):
                kept.append(token.lower())
            elif token[1:2] == "$":
                symbol, _, locale = token[2:].rstrip("]").partition("-")
                is_local = is_local or locale.upper() in {"F800", "F400"}
                kept.append(f'"{symbol}"')
            elif token.lower().startswith("[dbnum"):
                kept.append("/")
        elif token[0] == "_":
            kept.append('" "')
        elif token[0] != "*" or len(token) == 1:
            kept.append(token)
    return _Section(tuple(kept), condition, is_local)


def _is_date_part(token: str) -> bool:
    return token[0] in "yYmMdDhHsS" or bool(_ELAPSED.fullmatch(token))


def _literal(token: str) -> str | None:
    """The text that a token shows as it is; None for one that means something."""
    if token[0] == '"':
        return token.strip('"')
    if token[0] == "\\":
        return token[1:]
    return None


def _shown(section: _Section, value: Decimal) -> str | None:
    """What a number section shows; None where that is not told here."""
    tokens = section.tokens
    if section.is_general:
        text = number_text(float(value)).removeprefix(NUMBER)
        return "".join(text if token.lower() == "general" else _literal(token) or "" for token in tokens)
    if "@" in tokens:
        return None
    places = [index for index, token in enumerate(tokens) if token in _DIGITS]
    if not places:
        return ("-" if value < 0 else "") + "".join(_plain(token) for token in tokens)
    if "/" in tokens[places[0] : places[-1]]:
        return None
    exponent = next((index for index, token in enumerate(tokens) if token[:1] in "eE" and len(token) == 2), None)
    if exponent is not None:
        return _scientific(tokens, exponent, value)
    return _decimal(tokens, places, value * 100**section.percents)


def _plain(token: str) -> str:
    literal = _literal(token)
    return token if literal is None else literal


def _scientific(tokens: Sequence[str], exponent: int, value: Decimal) -> str | None:
    decimals = "".join(tokens[:exponent]).partition(".")[2].count("0")
    if tokens[:exponent].count("0") != decimals + 1:
        return None
    return format(value, f".{decimals}E")


def _decimal(tokens: Sequence[str], places: Sequence[int], value: Decimal) -> str:
    point = next((index for index, symbol in enumerate(tokens) if symbol == "."), len(tokens))
    whole = [index for index in places if index < point]
    fraction = [index for index in places if index > point]
    last = whole[-1] if whole else -1
    commas = [index for index, symbol in enumerate(tokens) if symbol == _COMMA]
    scale = sum(index > last and (index < point or not fraction) for index in commas)
    has_groups = any(whole and whole[0] < index < last for index in commas)
    rounded = (abs(value) / 1000**scale).quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP, _WIDE)
    digits, _, decimals = f"{rounded:f}".partition(".")
    shown = {index: "" if symbol == _COMMA else _plain(symbol) for index, symbol in enumerate(tokens)}
    shown |= _whole(tokens, whole, digits.lstrip("0"), has_groups=has_groups)
    kept = decimals.rstrip("0")
    for at, index in enumerate(fraction):
        shown[index] = decimals[at] if at < len(kept) or tokens[index] == "0" else {"#": "", "?": " "}[tokens[index]]
    sign = "-" if value < 0 and rounded else ""
    return sign + "".join(shown[index] for index in range(len(tokens)))


def _whole(tokens: Sequence[str], places: Sequence[int], digits: str, *, has_groups: bool) -> dict[int, str]:
    """Digits before the point, from the right; the leftmost place takes all that are left."""
    shown: dict[int, str] = {}
    rest = digits
    for count, index in enumerate(reversed(places)):
        is_first = count == len(places) - 1
        taken, rest = (rest, "") if is_first else (rest[-1:], rest[:-1])
        taken = taken or {"0": "0", "?": " ", "#": ""}[tokens[index]]
        if has_groups:
            taken = _grouped(taken, count)
        shown[index] = taken
    return shown


def _grouped(digits: str, position: int) -> str:
    """Digits whose last stands `position` places before the point, each third followed by a comma."""
    out = ""
    for offset, digit in enumerate(reversed(digits)):
        place = position + offset
        out = digit + ("," if place and place % 3 == 0 and digit.strip() else "") + out
    return out


def _date_parts(tokens: Sequence[str]) -> list[str]:
    """Lower-case date parts by token; `m` beside hours or seconds becomes `n` for minutes, "" is no date part."""
    parts = [token.lower() if _is_date_part(token) else "" for token in tokens]
    kinds = [(index, part.strip("[]")[0]) for index, part in enumerate(parts) if part]
    for at, (index, kind) in enumerate(kinds):
        before = kinds[at - 1][1] if at else ""
        after = kinds[at + 1][1] if at + 1 < len(kinds) else ""
        if kind == "m" and len(parts[index].strip("[]")) < 3 and (before == "h" or after == "s"):
            parts[index] = parts[index].replace("m", "n")
    return parts


def _date_text(section: _Section, moment: datetime, seconds: int) -> str | None:
    parts = _date_parts(section.tokens)
    has_half = any(token.upper() in {"AM/PM", "A/P"} for token in section.tokens)
    shown = []
    for token, part in zip(section.tokens, parts, strict=True):
        if part:
            text = _date_part(part, moment, seconds, has_half=has_half)
            if text is None:
                return None
            shown.append(text)
        elif token.upper() in {"AM/PM", "A/P"}:
            half = "AM" if moment.hour < 12 else "PM"
            shown.append(half if len(token) > 3 else half[0])
        else:
            shown.append(_plain(token))
    return "".join(shown).strip()


def _date_part(part: str, moment: datetime, seconds: int, *, has_half: bool) -> str | None:
    if part[0] == "[":
        unit = {"h": 3600, "m": 60, "n": 60, "s": 1}[part[1]]
        return f"{seconds // unit:0{len(part) - 2}}"
    kind, width = part[0], len(part)
    if "." in part:
        return f"{moment.second:02}.{'0' * (width - part.index('.') - 1)}"
    match kind:
        case "y":
            return f"{moment.year:04}" if width > 2 else f"{moment.year % 100:02}"
        case "m":
            name = _MONTHS[moment.month - 1]
            return {1: f"{moment.month}", 2: f"{moment.month:02}", 3: name[:3], 4: name, 5: name[0]}.get(width)
        case "d":
            name = _DAYS[moment.weekday()]
            return {1: f"{moment.day}", 2: f"{moment.day:02}", 3: name[:3]}.get(width, name)
        case "h":
            hour = (moment.hour % 12 or 12) if has_half else moment.hour
            return f"{hour:0{min(width, 2)}}"
        case "n":
            return f"{moment.minute:0{min(width, 2)}}"
        case _:
            return f"{moment.second:0{min(width, 2)}}"
