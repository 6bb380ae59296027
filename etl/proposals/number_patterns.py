"""How the order numbers of a dump are written, as `source.order_number` takes it, found by what they have in common.

Rule: design section 3a. A pattern is proposed only where it reads every number as another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from etl.model.export import plain
from etl.reading.order_numbers import OrderNumbers

_DIGITS = "0123456789"
_RUNS = re.compile(r"[0-9]+")
_POINT_ZERO = re.compile(r"(?<=\d)\.0+$")
_NO_NUMBER = re.compile(r"[0-9]+[-/.][0-9]+[-/.][0-9]+.*:.*|-?[0-9]+[.,][0-9]+|[0-9:.]+|\S+@\S+")
"""Times, amounts, clocks and addresses are no order numbers, however many groups of digits they have."""
_MONTH = re.compile(r"0[1-9]|1[0-2]")
_DATED = re.compile(r"(?<!\d)(?:(?:0[1-9]|1[0-2])\D(?:19|20)\d\d|(?:19|20)\d\d\D(?:0[1-9]|1[0-2]))(?!\d)")
"""Month and year among the words around a number: those of the next export are others."""
_MOST_GROUPS = 5
_WIDEST = 9


def number_pattern(cells: Iterable[str]) -> str:
    """How all order numbers are written, such as `#{number}` or `RE2010-{number}`; "" where nothing stands around them all.

    Cells without a digit, such as the word of a totals row, are no numbers.
    """
    texts = _texts(cells)
    if not texts:
        return ""
    prefix = _common(texts).rstrip(_DIGITS)
    suffix = _common([text[len(prefix) :][::-1] for text in texts]).rstrip(_DIGITS)[::-1]
    if any(not _between(_POINT_ZERO.sub("", text), prefix, suffix).isdigit() for text in texts):
        return ""
    return f"{prefix}{{number}}{suffix}" if (prefix or suffix) and not {"{", "}"} & {*prefix, *suffix} else ""


def pattern_of(cells: Sequence[str]) -> str:
    """How all order numbers are written, as `source.order_number` takes it; "" for bare digits, and where nothing tells."""
    simple = number_pattern(cells)
    if simple and not _DATED.search(simple):
        return simple
    return composed_pattern(cells) or simple


def composed_pattern(cells: Iterable[str]) -> str:
    """The same of numbers with several groups of digits, such as `FV/{number:4}/{month}/{year}`; "" for none.

    All have the same words around their groups. The group of most values is the running number; what looks like a year,
    a month or a day is called so, since the next export has others.
    """
    texts = _texts(cells)
    if len(texts) < 2 or any(_NO_NUMBER.fullmatch(text) for text in texts):
        return ""
    words = _RUNS.split(texts[0])
    if not 2 < len(words) <= _MOST_GROUPS + 1 or {"{", "}"} & set("".join(words)):
        return ""
    if any(_RUNS.split(text) != words for text in texts):
        return ""
    groups = list(zip(*(_RUNS.findall(text) for text in texts), strict=True))
    names = _named(groups)
    pattern = "".join(word + name for word, name in zip(words, (*names, ""), strict=True))
    return pattern if _tells_apart(pattern, texts) else ""


def _named(groups: Sequence[Sequence[str]]) -> list[str]:
    """What each group of digits is, as the pattern writes it."""
    values = [set(group) for group in groups]
    at = max(
        range(len(groups)),
        key=lambda index: (len(values[index]), not _are_years(values[index]), len(max(groups[index]))),
    )
    names = [_number(known) if index == at else "" for index, known in enumerate(values)]
    # A month is one beside a year only, and a day beside both; else they are groups of any meaning.
    for name, low, high in (("{year}", 1990, 2099), ("{month}", 1, 12), ("{day}", 1, 31)):
        fitting = [index for index, known in enumerate(values) if not names[index] and _fits(name, known, low, high)]
        if name == "{month}" and not fitting:
            # An export of one month has one month only: beside the year it is one all the same.
            year = names.index("{year}")
            beside = [index for index in (year - 1, year + 1) if 0 <= index < len(names) and not names[index]]
            fitting = [index for index in beside if all(map(_MONTH.fullmatch, values[index]))]
        index = next(iter(fitting), None)
        if index is None:
            break
        names[index] = name
    return [name or _other(known) for name, known in zip(names, values, strict=True)]


def _fits(name: str, values: set[str], low: int, high: int) -> bool:
    if name == "{year}":
        return _are_years(values)
    return len(values) > 1 and all(len(one) <= 2 and low <= int(one) <= high for one in values)


def _other(values: set[str]) -> str:
    """A group of no meaning; one that is always the same belongs to the words."""
    if len(values) == 1:
        return next(iter(values))
    return f"{{group:{min(max(map(len, values)), _WIDEST)}}}"


def _are_years(values: set[str]) -> bool:
    return all(len(one) == 4 and 1990 <= int(one) <= 2099 for one in values)


def _number(values: set[str]) -> str:
    widths = {len(one) for one in values}
    return f"{{number:{widths.pop()}}}" if len(widths) == 1 and any(one[0] == "0" for one in values) else "{number}"


def _tells_apart(pattern: str, texts: Sequence[str]) -> bool:
    read = OrderNumbers(pattern).read
    different = {*texts}
    found = {read(text) for text in different}
    return None not in found and len(found) == len(different)


def _texts(cells: Iterable[str]) -> list[str]:
    return [text for cell in cells if any(map(str.isdigit, text := plain(cell).strip()))]


def _between(text: str, prefix: str, suffix: str) -> str:
    """What stands between prefix and suffix, "" where they don't stand around it."""
    if len(text) <= len(prefix) + len(suffix) or not (text.startswith(prefix) and text.endswith(suffix)):
        return ""
    return text[len(prefix) : len(text) - len(suffix)]


def _common(texts: Sequence[str]) -> str:
    """The longest beginning of all texts."""
    first, last = min(texts), max(texts)
    size = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:size]
