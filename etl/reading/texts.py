"""Texts and keys: what a person sees in the cell, without what only a program put there."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.reading.remarks import Remark, RemarkedValue, bad, noted

LONG_TEXT = 255
NOTHING = frozenset({"null", "nan", "none", r"\n", "#n/a", "n/a", "<null>", "(null)", "[null]"})
"""Words that programs write for no value, in lower case: empty in a text, unreadable everywhere else."""
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff]|\u200d(?![\u2190-\U0001ffff])")
"""Soft hyphen, zero-width blanks and joiners, byte order mark; a joiner within an emoji is part of it."""
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u00a0-\u00bf\u0152-\u0192\u2013-\u203a]|\u00e2(?:\u20ac|\u201a\u00ac)|\u00ef\u00bf\u00bd|\u00f0\u0178"
)
"""UTF-8 of letters, punctuation, the replacement character and emoji, each read as Windows-1252."""
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_UTF_7 = re.compile(r"\+[A-Za-z0-9/]{3,}-")
_WRAPPED = re.compile(r'="(.*)"', re.DOTALL)


def bare(text: str) -> str:
    """The text without the wrapper `="..."`, invisible characters and blanks around it."""
    match = _WRAPPED.fullmatch(text.strip())
    inner = match[1].replace('""', '"') if match else text
    return (inner if inner.isascii() else _INVISIBLE.sub("", inner)).strip()


def is_nothing(text: str) -> bool:
    """Whether the whole text is a word for no value."""
    return text.casefold() in NOTHING


def has_foreign_digits(text: str) -> bool:
    """Whether digits other than 0 to 9 stand in the text."""
    return not text.isascii() and any(char.isdigit() and not char.isascii() for char in text)


def parse_text(cell: str) -> str:
    """A text as it is; control characters block, what is removed, length and direction marks are told."""
    if (
        cell.isprintable()
        and len(cell) <= LONG_TEXT
        and cell[:1] != "="
        and cell.strip().casefold() not in NOTHING
        and not (
            _MOJIBAKE.search(cell) or ("&" in cell and _ENTITY.search(cell)) or ("+" in cell and _UTF_7.search(cell))
        )
    ):
        return cell
    text = plain(cell)
    if cell[:1] == BROKEN:
        raise bad(f"{text[:80]!r} is no text.")
    if cell[:1] == NUMBER:
        return text
    clean, remarks = _cleaned(text)
    if is_nothing(clean.strip()):
        remarks.append(noted("text.empty_word", f"{clean.strip()!r} is a word for nothing and was read as empty."))
        raise RemarkedValue("", remarks)
    remarks += _text_remarks(clean)
    if remarks:
        raise RemarkedValue(clean, remarks)
    return clean


def parse_key(cell: str) -> str:
    """A key, trimmed, as a person sees it; a word for nothing is no key."""
    text, remarks = _key_text(cell)
    if remarks:
        raise RemarkedValue(text, remarks)
    return text


def _cleaned(text: str) -> tuple[str, list[Remark]]:
    """The text without wrapper and invisible characters, and what there is to say of them."""
    clean, what = text, []
    match = _WRAPPED.fullmatch(text.strip())
    if match:
        clean = match[1].replace('""', '"')
        what.append('the wrapper ="..."')
    seen = _INVISIBLE.sub("", clean)
    if seen != clean:
        codes = dict.fromkeys(f"U+{ord(char):04X}" for char in _INVISIBLE.findall(clean))
        clean = seen
        what.append(f"the invisible character{'s' * (len(codes) > 1)} {', '.join(codes)}")
    if not what:
        return clean, []
    return clean, [noted("text.cleaned", f"{text[:80]!r} was read as {clean[:80]!r}, without {' and '.join(what)}.")]


def _text_remarks(text: str) -> list[Remark]:
    remarks = []
    found = _CONTROL.search(text)
    if found:
        remarks.append(
            Remark(
                "value.invalid", f"The text has the control character U+{ord(found[0]):04X}.", "Remove the character."
            )
        )
    if _BIDI.search(text):
        remarks.append(noted("text.bidi", "The text has bidirectional control characters."))
    meant = _meant(text)
    if meant != text:
        message = f"{text[:80]!r} looks like {meant[:80]!r}, written by a program that took it for something else."
        remarks.append(noted("text.garbled", message))
    if len(text) > LONG_TEXT:
        remarks.append(noted("text.long", f"The text has {len(text)} characters."))
    return remarks


def _meant(text: str) -> str:
    """What a text was before a program read its UTF-8 as Windows-1252, or wrote it for a web page."""
    if _MOJIBAKE.search(text):
        try:
            return text.encode("cp1252").decode()
        except UnicodeError:
            return text
    if "+" in text and _UTF_7.search(text):
        return _from_utf_7(text)
    return html.unescape(text) if _ENTITY.search(text) else text


def _from_utf_7(text: str) -> str:
    """The text that a mail program wrote as UTF-7; itself where what comes out is no letter or sign of Europe."""
    try:
        meant = text.encode("ascii").decode("utf-7")
    except UnicodeError:
        return text
    odd = [char for char in meant if not char.isascii()]
    return meant if odd and all("\u00a0" <= char <= "\u024f" or "\u2010" <= char <= "\u20bf" for char in odd) else text


_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_DAMAGED_SKU = re.compile(r"[0-9][.,][0-9]+[eE]\+[0-9]+")
_POINT_ZERO = re.compile(r"([0-9]+)\.0+")


_PLAIN_SKU = re.compile(r"[A-Za-z_-]*[0-9][A-Za-z0-9_-]{0,64}").fullmatch
"""SKUs that there is nothing to say of: no word for nothing has a digit, and nothing else can begin an odd one."""


def parse_sku(cell: str) -> str:
    """A SKU, trimmed; a leading apostrophe or a trailing `.0` is removed and told."""
    if len(cell) < _LONGEST_PLAIN and _PLAIN_SKU(cell):
        return cell
    text, remarks = _key_text(cell)
    if _DAMAGED_SKU.fullmatch(text) or (cell[:1] == NUMBER and "e" in text.lower()):
        raise bad(f"{text!r} is a number in scientific notation, no SKU.", "Format the column as text in the export.")
    if remarks:
        raise RemarkedValue(text, remarks)
    return text


def parse_ean(cell: str) -> str:
    """An EAN; scientific notation and foreign digits block, a wrong length or check digit is told."""
    text, remarks = _key_text(cell)
    if not text:
        return text
    if _SCIENTIFIC.fullmatch(text):
        raise bad(f"{text!r} is an EAN in scientific notation.", "Format the column as text in the export.")
    if has_foreign_digits(text):
        raise bad(f"{text!r} has digits other than 0 to 9.")
    if not _is_ean(text):
        remarks.append(noted("ean.invalid", f"{text!r} has a wrong length or check digit."))
    if remarks:
        raise RemarkedValue(text, remarks)
    return text


def _key_text(cell: str) -> tuple[str, list[Remark]]:
    if cell[:1] == DATE:
        raise bad(f"{plain(cell)!r} is a date where a key belongs.", "Format the column as text in the export.")
    seen = plain(cell)
    if is_nothing(bare(seen)) and cell[:1] != NUMBER:
        raise bad(f"{seen.strip()!r} is a word for nothing where a key belongs.", "Fill in the key, or empty the cell.")
    try:
        text, remarks = parse_text(cell).strip(), []
    except RemarkedValue as odd:
        if odd.is_error:
            raise
        text, remarks = odd.value.strip(), list(odd.remarks)
    cleaned = without_traces(text)
    if cleaned != text:
        remarks.append(noted("sku.cleaned", f"{text!r} was read as {cleaned!r}."))
    return cleaned, remarks


def without_traces(text: str) -> str:
    """A key without what a spreadsheet left in it: a leading apostrophe, a trailing `.0`."""
    cleaned = text.removeprefix("'")
    match = _POINT_ZERO.fullmatch(cleaned)
    return match[1] if match else cleaned


def is_scientific(text: str) -> bool:
    """Whether a key was shortened to an exponent."""
    return _SCIENTIFIC.fullmatch(text) is not None


def _is_ean(text: str) -> bool:
    if not (text.isascii() and text.isdigit()) or len(text) not in {8, 12, 13, 14}:
        return False
    body = [int(char) for char in reversed(text[:-1])]
    return (-(3 * sum(body[::2]) + sum(body[1::2]))) % 10 == int(text[-1])


def parse_id(cell: str) -> str:
    """A whole number as text, without blanks and a trailing `.0`."""
    text = plain(cell).strip()
    if not text or (text.isascii() and text.isdigit() and cell[:1] != BROKEN):
        return text
    match = _POINT_ZERO.fullmatch(text)
    if match:
        return match[1]
    inner = bare(text)
    if cell[:1] != BROKEN and inner != text and inner.isascii() and (inner.isdigit() or not inner):
        raise RemarkedValue(inner, [noted("text.cleaned", f"{text[:80]!r} was read as {inner!r}.")])
    raise bad(f"{text[:80]!r} is no whole number.")


_EMAIL = re.compile(
    r"[^\s@<>(),;:\\\"\[\]]{1,64}@(?=.{1,253}$)(?:[^\s@<>(),;:\\\"\[\]._-](?:[^\s@<>(),;:\\\"\[\].]{0,61}[^\s@<>(),;:\\\"\[\]._-])?\.)+"
    r"[^\W\d_](?:[\w-]{0,61}\w)"
)


_ERASED = re.compile(r"anonymi[sz]ed|erased|deleted|redacted", re.IGNORECASE)


_ADDRESS = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*@(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,}"
_PLAIN_EMAIL = re.compile(_ADDRESS, re.ASCII)
_PLAIN_EMAILS = re.compile(rf"(?>(?:{_ADDRESS})?\n)*", re.ASCII)
_LONGEST_PLAIN = 64
"""Characters: no part of a shorter address is too long."""


def are_plain_emails(cells: Sequence[str]) -> bool:
    """Whether `parse_email` has nothing to say of any of these cells; those of nothing are passed."""
    return max(map(len, cells), default=0) <= _LONGEST_PLAIN and bool(
        _PLAIN_EMAILS.fullmatch("\n".join([*cells, ""])) and "\n" not in "".join(cells)
    )


def parse_email(cell: str) -> str:
    """An e-mail address, trimmed."""
    if len(cell) <= _LONGEST_PLAIN and _PLAIN_EMAIL.fullmatch(cell):
        return cell
    seen = plain(cell).strip()
    text = bare(seen) if not seen.isprintable() or seen[:1] == "=" else seen
    if _ERASED.fullmatch(text):
        raise RemarkedValue(
            "", [noted("text.cleaned", f"{seen[:80]!r} was read as no address: the customer was erased.")]
        )
    if text and not _is_email(text):
        raise bad(f"{seen[:80]!r} is no e-mail address.")
    if text != seen:
        raise RemarkedValue(text, [noted("text.cleaned", f"{seen[:80]!r} was read as {text!r}.")])
    return text


def _is_email(text: str) -> bool:
    return not (
        len(text) > 400
        or _CONTROL.search(text)
        or _BIDI.search(text)
        or not _EMAIL.fullmatch(text)
        or ".." in text
        or text[0] == "."
        or ".@" in text
    )
