"""Cells to values: one parser for each kind of field, each with what it has to remark.

A clean cell is worked out once and then looked up; whatever there is to say comes as `Odd`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Generic, TypeVar

import pycountry

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.model.order import LocalTime
from etl.model.problem import Severity
from etl.reading.kinds import Kind
from etl.reading.style import NumberStyle, Shape, Style, dissect

T = TypeVar("T")

ORDER_STATUSES = (
    "Pending", "Confirmed", "Processing", "Completed", "Archived", "Cancelled", "Incomplete", "Failed",
)  # fmt: skip
_STATUS_NUMBERS = ("Incomplete", "Pending", "Confirmed", "Processing", "Completed", "Archived", "Cancelled")
PAYMENT_STATUSES = {"0": "pending", "1": "success", "2": "failed"}
LONG_TEXT = 255
_MEMO = 100_000
_INT32 = 2**31 - 1
_LONGEST_NUMBER = 200
_WHOLE_DIGITS, _DECIMALS = 15, 20


@dataclass(frozen=True, slots=True)
class Remark:
    """What there is to say about one cell. `code` is a problem code."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR


class Odd(Exception):  # noqa: N818 - a value with remarks, caught where its place is known
    """The value of a cell with remarks; `value` may be used unless one of them is an error."""

    def __init__(self, value: Any, remarks: list[Remark], symbol: str = "") -> None:
        super().__init__()
        self.value = value
        self.remarks = remarks
        self.symbol = symbol

    @property
    def is_error(self) -> bool:
        """Whether there is no value."""
        return any(remark.severity is Severity.ERROR for remark in self.remarks)


def bad(message: str, hint: str = "", code: str = "value.invalid") -> Odd:
    """A cell that can't be read."""
    return Odd(None, [Remark(code, message, hint)])


def told(code: str, message: str, hint: str = "") -> Remark:
    """A remark that blocks nothing."""
    return Remark(code, message, hint, Severity.NOTICE)


class Reader(dict[str, T], Generic[T]):
    """Cell -> value; a cell met for the first time is parsed. Raises Odd on lookup, each time anew."""

    def __init__(self, parse: Callable[[str], T]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, cell: str) -> T:
        value = self._parse(cell)
        if len(self) > _MEMO:
            self.clear()
        self[cell] = value
        return value


class Readers:
    """The parsers for one file, in its style."""

    def __init__(self, style: Style) -> None:
        self.amount: Reader[Decimal | None] = Reader(lambda cell: parse_amount(cell, style.numbers))
        self.voucher: Reader[Decimal | None] = Reader(lambda cell: parse_either_sign(cell, style.numbers))
        self.percent: Reader[Decimal | None] = Reader(lambda cell: parse_percent(cell, style.numbers))
        self.qty: Reader[int | None] = Reader(lambda cell: parse_qty(cell, style.numbers))
        self.switch: Reader[bool] = Reader(lambda cell: parse_switch(cell, style.numbers))
        self.date: Reader[LocalTime | None] = Reader(lambda cell: parse_date(cell, style.day_first))
        self.text: Reader[str] = Reader(parse_text)
        self.sku: Reader[str] = Reader(parse_sku)
        self.ean: Reader[str] = Reader(parse_ean)
        self.id: Reader[str] = Reader(parse_id)
        self.bool: Reader[bool] = Reader(parse_bool)
        self.by_kind: dict[Kind, Reader[Any]] = {
            Kind.AMOUNT: self.amount,
            Kind.VOUCHER: self.voucher,
            Kind.PERCENT: self.percent,
            Kind.QTY: self.qty,
            Kind.SWITCH: self.switch,
            Kind.DATE: self.date,
            Kind.TEXT: self.text,
            Kind.SKU: self.sku,
            Kind.EAN: self.ean,
            Kind.ID: self.id,
            Kind.BOOL: self.bool,
            Kind.ORDER_NUMBER: Reader(lambda cell: order_number(cell) or ""),
            Kind.COUNTRY: Reader(parse_country),
            Kind.CURRENCY: Reader(parse_currency),
            Kind.STATUS: Reader(parse_status),
            Kind.STATUS_NUMBER: Reader(parse_status_number),
            Kind.STORE: Reader(lambda cell: parse_listed(cell, ("b2c", "b2b"), "a store type")),
            Kind.ORIGIN: Reader(lambda cell: parse_listed(cell, ("return", "order", "plugin"), "an origin type")),
            Kind.EMAIL: Reader(parse_email),
            Kind.PAYMENT_STATUS: Reader(parse_payment_status),
        }


_ORDER_NUMBER = re.compile(r"0*([0-9]+?)(?:\.0+)?")


def order_number(cell: str) -> str | None:
    """The canonical order number of a cell: digits without blanks, leading zeros or a trailing `.0`; else None."""
    if cell.isascii() and cell.isdigit() and cell[0] != "0" and len(cell) <= _LONGEST_NUMBER:
        return cell
    if cell[:1] == BROKEN:
        return None
    text = plain(cell).strip()
    match = _ORDER_NUMBER.fullmatch(text)
    return match[1] if match and len(match[1]) <= _LONGEST_NUMBER else None


_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}")
_PLAIN_POINT = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,20}")
_PLAIN_COMMA = re.compile(r"-?[0-9]{1,15},[0-9]{1,20}")
_LITERAL = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?)(%?)")
_CODES = {"£": ("GBP",), "€": ("EUR",), "¥": ("JPY", "CNY"), "₹": ("INR",), "₩": ("KRW",), "₽": ("RUB",), "₺": ("TRY",),
          "₪": ("ILS",), "₫": ("VND",), "฿": ("THB",), "₴": ("UAH",), "₦": ("NGN",), "kr": ("SEK", "NOK", "DKK", "ISK"),
          "zł": ("PLN",), "Kč": ("CZK",), "Ft": ("HUF",), "lei": ("RON",), "Fr": ("CHF",)}  # fmt: skip


def symbol_fits(symbol: str, currency: str) -> bool:
    """Whether a sign or code beside an amount can mean the currency."""
    known = _CODES.get(symbol.rstrip("."))
    if known is not None:
        return currency in known
    if symbol.endswith("$"):
        return currency.endswith("D") or currency in {"MXN", "CLP", "ARS", "COP"}
    return symbol.upper() == currency


def parse_amount(cell: str, style: NumberStyle) -> Decimal | None:
    """An amount in the file's style; None for an empty cell."""
    value, _, remarks, symbol = _number(cell, style)
    if remarks:
        raise Odd(value, remarks, symbol)
    return value


def parse_percent(cell: str, style: NumberStyle) -> Decimal | None:
    """A rate in percent, 0 to 100; a percent sign is told."""
    value, _, remarks, symbol = _number(cell, style, allow_percent=True)
    if symbol:
        raise bad(f"{plain(cell)!r} is a rate with a currency sign.")
    if value is not None and not 0 <= value <= 100:
        raise bad(f"{plain(cell)!r} is no rate in percent between 0 and 100.")
    if remarks:
        raise Odd(value, remarks)
    return value


def parse_qty(cell: str, style: NumberStyle) -> int | None:
    """A whole number of pieces that Mews can hold (32 bits)."""
    value, _, remarks, symbol = _number(cell, style)
    if value is None:
        return None
    if symbol or value != value.to_integral_value():
        raise bad(f"{plain(cell)!r} is no whole number of pieces.")
    if abs(value) > _INT32:
        raise bad(f"{plain(cell)!r} pieces are more than Mews takes in one line.")
    if remarks:
        raise Odd(int(value), remarks)
    return int(value)


def parse_switch(cell: str, style: NumberStyle) -> bool:
    """Whether a flag is set, or an amount is not zero."""
    text = plain(cell).strip().lower()
    if text in {"", "false", "no"}:
        return False
    if text in {"true", "yes"}:
        return True
    return bool(parse_amount(cell, style))


def parse_either_sign(cell: str, style: NumberStyle) -> Decimal | None:
    """The size of an amount that comes positive in one call of get-orders and negative in another."""
    value, _, remarks, symbol = _number(cell, style)
    size = None if value is None else value.copy_abs()
    if remarks:
        raise Odd(size, remarks, symbol)
    return size


def _number(
    cell: str, style: NumberStyle, *, allow_percent: bool = False
) -> tuple[Decimal | None, bool, list[Remark], str]:
    """(value, has percent sign, remarks, currency sign). Raises Odd where there is no value."""
    fast = _PLAIN_COMMA if style is NumberStyle.COMMA else _PLAIN_POINT
    if _PLAIN_NUMBER.fullmatch(cell):
        return _unsigned_zero(Decimal(cell)), False, [], ""
    if fast.fullmatch(cell) and style is not NumberStyle.NONE:
        return _unsigned_zero(Decimal(cell.replace(",", "."))), False, [], ""
    if cell[:1] == NUMBER:
        return _literal(cell, allow_percent=allow_percent)
    if cell[:1] in (BROKEN, DATE) and cell:
        raise bad(f"{plain(cell)!r} is no number.")
    text = plain(cell).strip()
    if not text:
        return None, False, [], ""
    number = dissect(text)
    if number is None or (number.percent and not allow_percent):
        raise bad(f"{text!r} is no number.", _number_hint(text))
    digits = _digits(number.digits, number.shape, style)
    if digits is None:
        raise bad(
            f"{text!r} does not fit the rest of the file, which is written with "
            f"{'a ' + style.value if style is not NumberStyle.NONE else style.value}.",
            code="value.ambiguous",
        )
    value = _sized(Decimal(("-" if number.negative else "") + digits), text)
    symbol = number.symbols[0] if number.symbols else ""
    if len(symbol) == 3 and symbol.isalpha() and symbol not in _CODES and _currency(symbol.upper()) is None:
        raise bad(f"{text!r} carries {symbol!r}, which is no currency.")
    remarks = []
    if number.decorated or _has_groups(number.digits, digits):
        remarks.append(told("number.symbol", f"{text!r} was read as {value}."))
    return value, number.percent, remarks, symbol


def _digits(digits: str, shape: Shape, style: NumberStyle) -> str | None:
    """The digits with a decimal point, or None where the shape does not fit the file's style."""
    match shape:
        case Shape.PLAIN:
            return digits
        case Shape.POINT | Shape.COMMA:
            if shape.value != style.value:
                return None
        case _:
            if style is NumberStyle.NONE:
                return None
    group, decimal = (",", ".") if style is NumberStyle.POINT else (".", ",")
    return digits.replace(group, "").replace(decimal, ".")


def _has_groups(written: str, read: str) -> bool:
    return len(written) != len(read)


def _literal(cell: str, *, allow_percent: bool) -> tuple[Decimal | None, bool, list[Remark], str]:
    text = cell[1:]
    match = _LITERAL.fullmatch(text)
    if match is None or (match[2] and not allow_percent):
        raise bad(f"{text!r} is no number.")
    value = _sized(Decimal(match[1]), text)
    if "e" in text.lower():
        value = Decimal(format(value, "f"))
    remarks = [told("number.symbol", f"{text!r} was read as {value}.")] if match[2] else []
    return value, bool(match[2]), remarks, ""


def _sized(value: Decimal, text: str) -> Decimal:
    exponent = value.as_tuple().exponent
    if value.adjusted() >= _WHOLE_DIGITS or (isinstance(exponent, int) and exponent < -_DECIMALS):
        raise bad(f"{text[:60]!r} has more digits than an amount can have.")
    return _unsigned_zero(value)


def _unsigned_zero(value: Decimal) -> Decimal:
    return value or value.copy_abs()


def _number_hint(text: str) -> str:
    if not text.isascii() and any(char.isdigit() and not char.isascii() for char in text):
        return "Write the number with the digits 0 to 9."
    if re.search(r"\d[eE][-+]?\d", text):
        return "Write the number in full, without an exponent."
    return ""


_DATE = re.compile(
    r"(?:(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})|(?P<a>\d{1,2})(?P<t>[-/.])(?P<b>\d{1,2})(?P=t)(?P<z>\d{4}))"
    r"(?:[T ,]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.\d+)?)?)?(?P<offset>\s*(?:Z|UTC|GMT|[-+]\d{2}:?\d{2}))?",
    re.ASCII,
)
NO_DATE = "0000-00-00"
"""How Centra writes that there is no date."""
_NO_DATE = re.compile(r"0000-00-00(?:[T ]00:00(?::00)?)?")


def parse_date(cell: str, day_first: bool | None) -> LocalTime | None:
    """A local date or time; None for an empty cell and Centra's `0000-00-00 00:00:00`."""
    text = plain(cell).strip()
    if not text or _NO_DATE.fullmatch(text):
        return None
    if cell[:1] in (NUMBER, BROKEN) or text.isdigit():
        raise bad(f"{text!r} is no date.", "Format the cell as a date, or write YYYY-MM-DD HH:MM:SS.")
    match = _DATE.fullmatch(text)
    if match is None:
        raise bad(f"{text!r} is no date.", "Write dates as YYYY-MM-DD HH:MM:SS.")
    if match["offset"]:
        raise bad(f"{text!r} has a UTC offset; the export's dates are local times.", "Write the local time without it.")
    if match["y"]:
        year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        first, second, year = int(match["a"]), int(match["b"]), int(match["z"])
        day, month = (first, second) if match["t"] == "." or day_first or first == second else (second, first)
        if match["t"] != "." and day_first is None and first != second:
            raise bad(f"{text!r} can be read in two ways.", code="value.ambiguous")
    try:
        wall = datetime(year, month, day, int(match["H"] or 0), int(match["M"] or 0), int(match["S"] or 0))  # noqa: DTZ001
    except ValueError as error:
        raise bad(f"{text!r} is no date: {error}.") from error
    if not 1900 <= year <= 2100:
        raise bad(f"{text!r} is no likely date.")
    return LocalTime(wall, match["H"] is not None)


_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")


def parse_text(cell: str) -> str:
    """A text as it is; control characters block, length and direction marks are told."""
    if cell.isprintable() and len(cell) <= LONG_TEXT:
        return cell
    text = plain(cell)
    if cell[:1] == BROKEN:
        raise bad(f"{text[:80]!r} is no text.")
    if cell[:1] == NUMBER:
        return text
    remarks = _text_remarks(text)
    if remarks:
        raise Odd(text, remarks)
    return text


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
        remarks.append(told("text.bidi", "The text has bidirectional control characters."))
    if len(text) > LONG_TEXT:
        remarks.append(told("text.long", f"The text has {len(text)} characters."))
    return remarks


_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_DAMAGED_SKU = re.compile(r"[0-9][.,][0-9]+[eE]\+[0-9]+")
_POINT_ZERO = re.compile(r"([0-9]+)\.0+")


def parse_sku(cell: str) -> str:
    """A SKU, trimmed; a leading apostrophe or a trailing `.0` is removed and told."""
    text, remarks = _key_text(cell)
    if _DAMAGED_SKU.fullmatch(text) or (cell[:1] == NUMBER and "e" in text.lower()):
        raise bad(f"{text!r} is a number in scientific notation, no SKU.", "Format the column as text in the export.")
    if remarks:
        raise Odd(text, remarks)
    return text


def parse_ean(cell: str) -> str:
    """An EAN; scientific notation and foreign digits block, a wrong length or check digit is told."""
    text, remarks = _key_text(cell)
    if not text:
        return text
    if _SCIENTIFIC.fullmatch(text):
        raise bad(f"{text!r} is an EAN in scientific notation.", "Format the column as text in the export.")
    if any(char.isdigit() and not char.isascii() for char in text):
        raise bad(f"{text!r} has digits other than 0 to 9.")
    if not _is_ean(text):
        remarks.append(told("ean.invalid", f"{text!r} has a wrong length or check digit."))
    if remarks:
        raise Odd(text, remarks)
    return text


def _key_text(cell: str) -> tuple[str, list[Remark]]:
    if cell[:1] == DATE:
        raise bad(f"{plain(cell)!r} is a date where a key belongs.", "Format the column as text in the export.")
    try:
        text, remarks = parse_text(cell).strip(), []
    except Odd as odd:
        if odd.is_error:
            raise
        text, remarks = odd.value.strip(), list(odd.remarks)
    cleaned = text.removeprefix("'")
    match = _POINT_ZERO.fullmatch(cleaned)
    cleaned = match[1] if match else cleaned
    if cleaned != text:
        remarks.append(told("sku.cleaned", f"{text!r} was read as {cleaned!r}."))
    return cleaned, remarks


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
    raise bad(f"{text[:80]!r} is no whole number.")


def parse_bool(cell: str) -> bool:
    """Yes or no as 1/0, true/false, yes/no; empty is no."""
    text = plain(cell).strip().lower()
    if text in {"", "0", "false", "no", "0.0"}:
        return False
    if text in {"1", "true", "yes", "1.0"}:
        return True
    raise bad(f"{plain(cell)!r} is neither yes nor no.", "Write 1 or 0.")


def parse_listed(cell: str, listed: tuple[str, ...], what: str) -> str:
    """One of a closed list, or empty."""
    text = plain(cell).strip()
    if not text or text in listed:
        return text
    raise bad(f"{text[:80]!r} is not {what}.", f"Use one of: {', '.join(listed)}.")


def parse_status(cell: str) -> str:
    """A status of Centra's, or empty."""
    text = plain(cell).strip()
    if not text or text in ORDER_STATUSES:
        return text
    close = difflib.get_close_matches(text.capitalize(), ORDER_STATUSES, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Use one of: {', '.join(ORDER_STATUSES)}."
    raise bad(f"{text[:80]!r} is no status of Centra's.", hint, "status.unknown")


def parse_status_number(cell: str) -> str:
    """The status behind get-orders' number 0 to 6."""
    text = plain(cell).strip().removesuffix(".0")
    if text.isascii() and text.isdigit():
        if int(text[:4]) < len(_STATUS_NUMBERS) and len(text) == 1:
            return _STATUS_NUMBERS[int(text)]
        raise bad(f"{text[:80]!r} is no orderStatus of Centra's.", "Use a number from 0 to 6.", "status.unknown")
    return parse_status(cell)


def parse_payment_status(cell: str) -> str:
    """pending, success or failed; empty where the cell is."""
    text = plain(cell).strip().lower().removesuffix(".0")
    if not text or text in PAYMENT_STATUSES.values():
        return text
    if text in PAYMENT_STATUSES:
        return PAYMENT_STATUSES[text]
    raise bad(f"{plain(cell)!r} is no payment status.", "Use 0 (pending), 1 (success) or 2 (failed).")


_EMAIL = re.compile(
    r"[^\s@<>(),;:\\\"\[\]]{1,64}@(?=.{1,253}$)(?:[^\s@<>(),;:\\\"\[\]._-](?:[^\s@<>(),;:\\\"\[\].]{0,61}[^\s@<>(),;:\\\"\[\]._-])?\.)+"
    r"[^\W\d_](?:[\w-]{0,61}\w)"
)


def parse_email(cell: str) -> str:
    """An e-mail address, trimmed."""
    text = plain(cell).strip()
    if not text:
        return text
    if (
        _CONTROL.search(text)
        or _BIDI.search(text)
        or not _EMAIL.fullmatch(text)
        or ".." in text
        or text[0] == "."
        or ".@" in text
    ):
        raise bad(f"{text[:80]!r} is no e-mail address.")
    return text


_COUNTRY_SLIPS = {"UK": "GB", "EL": "GR", "EN": "GB", "ENG": "GB", "SCO": "GB", "WAL": "GB", "EIRE": "IE", "KO": "KR"}
_CURRENCY_SLIPS = {
    "STG": "GBP",
    "UKP": "GBP",
    "POUND": "GBP",
    "EURO": "EUR",
    "£": "GBP",
    "€": "EUR",
    "$": "USD",
    "RMB": "CNY",
}


def parse_country(cell: str) -> str:
    """An ISO alpha-2 code, or empty; lower case is told, anything else blocks with the nearest code."""
    text = plain(cell).strip()
    if not text or text in _countries():
        return text
    upper = text.upper()
    if text.isascii() and upper in _countries():
        raise Odd(upper, [told("country.lowercase", f"{text!r} was read as {upper}.")])
    near = _nearest_country(text)
    raise bad(
        f"{text[:80]!r} is no ISO alpha-2 country code.", f"Did you mean {near}?" if near else "", "country.invalid"
    )


def parse_currency(cell: str) -> str:
    """An ISO 4217 code, or empty; lower case is told, anything else blocks with the nearest code."""
    text = plain(cell).strip()
    if not text or (text.isupper() and _currency(text)):
        return text
    upper = text.upper()
    if text.isascii() and _currency(upper):
        raise Odd(upper, [told("currency.lowercase", f"{text!r} was read as {upper}.")])
    near = _CURRENCY_SLIPS.get(upper) or next(iter(difflib.get_close_matches(upper, sorted(_currencies()), n=1)), "")
    raise bad(
        f"{text[:80]!r} is no ISO 4217 currency code.", f"Did you mean {near}?" if near else "", "currency.invalid"
    )


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def _currencies() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _currency(code: str) -> str | None:
    return code if code in _currencies() else None


def _nearest_country(text: str) -> str:
    upper = text.upper()
    if upper in _COUNTRY_SLIPS:
        return _COUNTRY_SLIPS[upper]
    if len(text) == 3 and (country := pycountry.countries.get(alpha_3=upper)):
        return str(country.alpha_2)
    names = {
        name.casefold(): country.alpha_2
        for country in pycountry.countries
        for name in (country.name, getattr(country, "common_name", ""), getattr(country, "official_name", ""))
        if name
    }
    close = difflib.get_close_matches(text.casefold(), names, n=1, cutoff=0.7)
    if close:
        return str(names[close[0]])
    return next(iter(difflib.get_close_matches(upper[:2], sorted(_countries()), n=1, cutoff=0.5)), "")


MEANINGS: dict[str, Callable[[str], Any]] = {
    "payment.auth.status": parse_payment_status,
    "payment.capture.status": parse_payment_status,
    "status": parse_status,
    "storeType": lambda cell: parse_listed(cell, ("b2c", "b2b"), "a store type"),
    "currency": parse_currency,
    "country": parse_country,
    "type": lambda cell: parse_listed(cell, ("return", "order", "plugin"), "an origin type"),
    **dict.fromkeys(("internalOrder", "hold", "waitingForPayment", "suspect", "isBundle"), parse_bool),
    "vatPercent": lambda cell: parse_percent(cell, NumberStyle.POINT),
}
"""Field, or the last part of its name -> what a word of values.csv may mean there; any text where none is named."""
