"""How a shop writes its order numbers, and the digits that are left of them.

Rule: design sections 3 and 3a: `source.order_number` says how numbers are written; what is left is digits, what does not fit
is unreadable. A number made of several groups of digits (`FV/0012/08/2026`) becomes one: groups of a fixed width stand in
front of the running number, so that two numbers are never read as one.
"""

from __future__ import annotations

import re

from etl.model.export import BROKEN, SHOWN, plain, stored
from etl.reading.options import NUMBER_FIELD
from etl.reading.texts import bare

LONGEST_NUMBER = 200
_LONGEST_CELL = 500
"""What is longer is no order number, whatever stands around it: not worth a look at each character."""
_ORDER_NUMBER = re.compile(r"0*([0-9]+?)(?:\.0+)?")
_GROUP = re.compile(r"\{(number|year|month|day|group)(?::([1-9]|1[0-9]))?\}")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
_WIDTHS = {"year": 4, "month": 2, "day": 2}
_BOUNDS = {"year": (1900, 2199), "month": (1, 12), "day": (1, 31)}
_IN_FRONT = ("year", "month", "day", "group")
_MARK = "1"
"""Stands in front where no year does: a zero in front would be lost, and with it the width of the first group."""


class OrderNumbers:
    """Reads order numbers as `source.order_number` says that they are written. Raises ValueError for no pattern."""

    def __init__(self, pattern: str = NUMBER_FIELD) -> None:
        if fault := fault_of(pattern):
            raise ValueError(fault)
        self._groups = [(match[1], int(match[2] or 0)) for match in _GROUP.finditer(pattern)]
        self._is_composed = len(self._groups) > 1 or self._groups[0][1] > 0
        self._prefix, _, self._suffix = pattern.partition(NUMBER_FIELD)
        self.is_bare = pattern == NUMBER_FIELD
        """Whether nothing but the digits is written."""
        self._shape = _shape(pattern)

    def read(self, cell: str) -> str | None:
        """The canonical number: digits without blanks, leading zeros or a trailing `.0`; None where it is unreadable."""
        if self.is_bare and cell.isascii() and cell.isdigit() and cell[0] != "0" and len(cell) <= LONGEST_NUMBER:
            return cell
        if cell[:1] == BROKEN or len(cell) > _LONGEST_CELL:
            return None
        if cell[:1] == "'":
            # An apostrophe is how a spreadsheet is told to keep a text as it is.
            cell = cell[1:]
        # What a number cell's format shows and what the cell holds may both be the number, but not two numbers.
        found = {self._read(bare(plain(cell)))} | ({self._read(stored(cell))} if SHOWN in cell else set())
        found.discard(None)
        return found.pop() if len(found) == 1 else None

    def _read(self, text: str) -> str | None:
        if self._is_composed:
            return self._joined(text.strip())
        if not (text.startswith(self._prefix) and text.endswith(self._suffix)):
            return None
        match = _ORDER_NUMBER.fullmatch(text[len(self._prefix) : len(text) - len(self._suffix)].strip())
        return match[1] if match and len(match[1]) <= LONGEST_NUMBER else None

    def _joined(self, text: str) -> str | None:
        """The groups as one number: those of a fixed width in front, the running number last."""
        match = self._shape.fullmatch(text)
        if match is None:
            return None
        front: dict[str, list[str]] = {name: [] for name in _IN_FRONT}
        number = ""
        for (name, width), digits in zip(self._groups, match.groups(), strict=True):
            if name == "number":
                number = digits.lstrip("0").zfill(width or 1)
            elif not _is_within(name, digits):
                return None
            else:
                front[name].append(digits.zfill(width or _WIDTHS[name]))
        joined = "".join(digits for name in _IN_FRONT for digits in front[name]) + number
        if not front["year"] and len(self._groups) > 1:
            joined = _MARK + joined
        found = joined if len(self._groups) > 1 else number.lstrip("0") or "0"
        return found if len(found) <= LONGEST_NUMBER else None


def fault_of(pattern: str) -> str:
    """What is wrong with a `source.order_number`, "" for nothing."""
    found = list(_GROUP.finditer(pattern))
    names = [match[1] for match in found]
    if names.count("number") != 1:
        return f"{pattern!r} does not say where the digits stand: write {{number}} once, such as #{{number}}."
    if odd := [one for one in _BRACES.findall(pattern) if not _GROUP.fullmatch(one)]:
        return f"{odd[0]!r} stands for nothing: write {{number}}, {{year}}, {{month}}, {{day}} or {{group:3}}."
    if twice := [name for name in _WIDTHS if names.count(name) > 1]:
        return f"{{{twice[0]}}} stands twice in {pattern!r}."
    for match in found:
        if match[1] == "group" and not match[2]:
            return f"{{group}} needs the number of its digits, such as {{group:3}}, in {pattern!r}."
        if match[1] in _WIDTHS and match[2]:
            return f"{match[0]} has a width of its own: write {{{match[1]}}}."
    return ""


def _shape(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with a group for each group of digits; next to another one, widths are exact."""
    found, at = [], 0
    matches = list(_GROUP.finditer(pattern))
    for index, match in enumerate(matches):
        found.append(re.escape(pattern[at : match.start()]))
        before = index > 0 and matches[index - 1].end() == match.start()
        after = index + 1 < len(matches) and matches[index + 1].start() == match.end()
        found.append(_digits(match[1], int(match[2] or 0), is_exact=before or after))
        at = match.end()
    return re.compile("".join(found) + re.escape(pattern[at:]), re.ASCII)


def _digits(name: str, width: int, *, is_exact: bool) -> str:
    width = width or _WIDTHS.get(name, 0)
    if name == "number":
        return f"([0-9]{{{width}}})" if is_exact and width else "([0-9]+)"
    if name == "year" or is_exact:
        return f"([0-9]{{{width}}})"
    return f"([0-9]{{1,{width}}})"


def _is_within(name: str, digits: str) -> bool:
    low, high = _BOUNDS.get(name, (0, 10**20))
    return low <= int(digits) <= high
