"""Cells of workbooks whose format shows something else than they hold: which of the two a kind of field takes.

Pure. Rule: design section 3. A key or a text is what a person sees; an amount is what the cell holds, told where the
format hides cents; what holds no value at all blocks with its reason.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import Enum, auto

from etl.model.export import BROKEN, DATE, NUMBER, SHOWN, plain, reason_of, stored, text_cell
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.remarks import Remark, bad, noted


class Role(Enum):
    """What a kind of field takes of a cell: its number, what it holds, the text that is seen, or the key that is seen."""

    NUMBER = auto()
    HELD = auto()
    TEXT = auto()
    KEY = auto()


_TEXTS = frozenset({"TEXT", "COUNTRY", "CURRENCY", "EMAIL", "STATUS", "STORE", "ORIGIN"})
_KEYS = frozenset({"SKU", "EAN", "KEY"})
_DIGITS = re.compile(r"[0-9][0-9.,' \u00a0\u202f]*")
_SCIENTIFIC = re.compile(r"[-+]?[0-9](?:[.,][0-9]+)?E[-+]?[0-9]+", re.IGNORECASE)
_SIGN = re.compile(r"^[^0-9]*[-(\u2212\u2013]|[-\u2212]\s*$")


def role_of(kind: Kind) -> Role:
    """What fields of a kind take."""
    if kind in NUMERIC:
        return Role.NUMBER
    if kind.name in _KEYS:
        return Role.KEY
    return Role.TEXT if kind.name in _TEXTS else Role.HELD


def taken(cell: str, role: Role) -> tuple[str, list[Remark]]:
    """The cell as its field takes it, and what there is to say. Raises RemarkedValue for a cell that holds no value."""
    if cell[0] == BROKEN and (reason := reason_of(cell)):
        sentence, _, way_out = reason.partition("; ")
        raise bad(
            f"{plain(cell)!r} is no value: {sentence}.", f"{way_out[:1].upper()}{way_out[1:]}." if way_out else ""
        )
    if cell[0] == DATE:
        return _date(cell, role)
    if cell[0] == NUMBER and SHOWN in cell:
        return _number(cell, role)
    return cell, []


def _date(cell: str, role: Role) -> tuple[str, list[Remark]]:
    if role is not Role.TEXT:
        return (DATE + stored(cell) if role is not Role.KEY else cell), []
    text = plain(cell).removesuffix(" 00:00:00")
    held = stored(cell).removesuffix(" 00:00:00")
    return text_cell(text), [
        noted("text.date", f"The cell is a date, {held}, in a column of texts; it was read as {text!r}.",
              "If it was no date before a spreadsheet made it one, write the text again, in a cell formatted as text.")
    ]  # fmt: skip


def _number(cell: str, role: Role) -> tuple[str, list[Remark]]:
    held, shown = stored(cell), plain(cell)
    literal = held if held.isdigit() else NUMBER + held
    if role is Role.HELD:
        return literal, []
    if role is Role.NUMBER:
        return literal, _hidden_cents(held, shown)
    if role is Role.KEY:
        return _key(literal, held, shown)
    if not shown.strip():
        return literal, [noted("number.hidden", f"The cell's format hides {held}.", "Check the cell.")]
    return text_cell(shown), []


def _hidden_cents(held: str, shown: str) -> list[Remark]:
    value = Decimal(held.rstrip("%"))
    if not value and not re.search("[1-9]", shown):
        return []
    if abs(value) in _readings(shown) and (_SIGN.search(shown) is not None) == (value < 0):
        return []
    text = f"The cell holds {held} and its format shows {shown!r}; {held} was read."
    return [noted("number.hidden", text, "Show all decimals in the spreadsheet and check the amount.")]


def _readings(shown: str) -> list[Decimal]:
    """What the digits of a shown number can mean, with a decimal point and with a decimal comma."""
    if _SCIENTIFIC.fullmatch(shown.strip()):
        return [Decimal(shown.strip().replace(",", "."))]
    match = _DIGITS.search(shown)
    if match is None:
        return []
    found = []
    for group, point in ((",", "."), (".", ",")):
        digits = re.sub(r"[' \u00a0\u202f]", "", match[0]).replace(group, "").rstrip(point).replace(point, ".")
        try:
            found.append(Decimal(digits))
        except InvalidOperation:
            continue
    return found


def _key(literal: str, held: str, shown: str) -> tuple[str, list[Remark]]:
    """A key as it is seen; where the format only adds separators, decimals or an exponent, the number itself."""
    seen = shown.strip()
    if not seen:
        return literal, [noted("number.hidden", f"The cell's format hides {held}.", "Check the cell.")]
    value = Decimal(held.rstrip("%"))
    if _SCIENTIFIC.fullmatch(seen) or (re.fullmatch(r"[0-9.,' \u00a0\u202f]+", seen) and not seen.isdigit()):
        if not _SCIENTIFIC.fullmatch(seen) and value not in _readings(seen):
            raise bad(f"The cell holds {held} and its format shows {seen!r}: which of them is the key?",
                      "Format the column as text, with the key in full.")  # fmt: skip
        return literal, [noted("sku.cleaned", f"{seen!r} was read as {held!r}, which the cell holds.")]
    digits = "".join(char for char in seen if char.isdigit())
    if held.lstrip("-").replace(".", "") not in digits:
        raise bad(f"The cell holds {held} and its format shows {seen!r}: which of them is the key?",
                  "Format the column as text, with the key in full.")  # fmt: skip
    return text_cell(seen), []
