"""Amounts, rates and quantities: text in the style of its file to Decimal, never through a float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from etl.model.export import BROKEN, DATE, NUMBER, plain
from etl.reading.codes import currencies
from etl.reading.remarks import Remark, RemarkedValue, bad, noted
from etl.reading.style import LONGEST_NUMBER, NumberStyle, Shape, dissect
from etl.reading.texts import has_foreign_digits

_INT32 = 2**31 - 1
_WHOLE_DIGITS, _DECIMALS = 15, 20
_EXACT_DIGITS = 15
"""A double tells so many significant digits; what stands behind them was made by a program's binary fractions."""
_FIFTEEN = Context(prec=_EXACT_DIGITS, rounding=ROUND_HALF_EVEN)
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
        raise RemarkedValue(value, remarks, symbol)
    return value


def parse_percent(cell: str, style: NumberStyle) -> Decimal | None:
    """A rate in percent, 0 to 100; a percent sign, or words such as `VAT 17.5%` around one number, are told."""
    if any(map(str.isalpha, cell)) and cell[:1] not in (NUMBER, BROKEN, DATE):
        raise _rate_in_words(plain(cell).strip())
    value, _, remarks, symbol = _number(cell, style, allow_percent=True)
    if symbol:
        raise bad(f"{plain(cell)!r} is a rate with a currency sign.")
    if value is not None and not 0 <= value <= 100:
        raise bad(f"{plain(cell)!r} is no rate in percent between 0 and 100.")
    if remarks:
        raise RemarkedValue(value, remarks)
    return value


_PLAIN_RATE = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,20}))?\s*%?")


def plain_rate(text: str) -> Decimal | None:
    """A rate in percent with either decimal mark, since a rate has no thousands; None where it is something else."""
    match = _PLAIN_RATE.fullmatch(text)
    return Decimal(f"{match[1]}.{match[2] or 0}") if match else None


_RATE = re.compile(r"(?<![0-9.,])([0-9]{1,3})(?:[.,]([0-9]{1,6}))?(?![0-9.,]*[0-9])")


def _rate_in_words(text: str) -> RemarkedValue:
    """The one number of a rate's text, as a remark: a clerk reads it so, and nobody guesses between two."""
    numbers = re.findall(r"[0-9][0-9.,]*", text)
    match = _RATE.search(text)
    words = re.findall(r"[^\W\d_]+", text)
    is_money = any(word.upper() in currencies() or word in _CODES for word in words)
    if match is None or len(numbers) != 1 or is_money or has_foreign_digits(text) or "-" in text:
        many = " It holds more than one number." if len(numbers) > 1 else ""
        hint = "Write the rate as a number, or say in values.csv what it means (products.vatPercent)."
        return bad(f"{text[:80]!r} is no rate in percent.{many}", hint)
    value = Decimal(f"{match[1]}.{match[2] or 0}").normalize()
    if value > 100:
        return bad(f"{text[:80]!r} is no rate in percent between 0 and 100.")
    value = Decimal(f"{value:f}")
    return RemarkedValue(value, [noted("number.symbol", f"{text[:80]!r} was read as {value}.")])


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
        raise RemarkedValue(int(value), remarks)
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
        raise RemarkedValue(size, remarks, symbol)
    return size


def _number(
    cell: str, style: NumberStyle, *, allow_percent: bool = False
) -> tuple[Decimal | None, bool, list[Remark], str]:
    """(value, has percent sign, remarks, currency sign). Raises RemarkedValue where there is no value."""
    fast = _PLAIN_COMMA if style is NumberStyle.COMMA else _PLAIN_POINT
    if len(cell) <= _EXACT_DIGITS + 1 and _PLAIN_NUMBER.fullmatch(cell):
        return _unsigned_zero(Decimal(cell)), False, [], ""
    if len(cell) <= _EXACT_DIGITS + 1 and fast.fullmatch(cell) and style is not NumberStyle.NONE:
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
        raise bad(f"{text[:80]!r} is no number.", _number_hint(text))
    digits = _digits(number.digits, number.shape, style)
    if digits is None:
        raise bad(
            f"{text!r} does not fit the rest of the file, which is written with "
            f"{'a ' + style.value if style is not NumberStyle.NONE else style.value}.",
            code="value.ambiguous",
        )
    value, remarks = _sized(("-" if number.negative else "") + digits, text)
    symbol = number.symbols[0] if number.symbols else ""
    if len(symbol) == 3 and symbol.isalpha() and symbol not in _CODES and symbol.upper() not in currencies():
        raise bad(f"{text!r} carries {symbol!r}, which is no currency.")
    if number.decorated or _has_groups(number.digits, digits):
        remarks.append(noted("number.symbol", f"{text!r} was read as {value}."))
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
    match = _LITERAL.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if match is None or (match[2] and not allow_percent):
        raise bad(f"{text[:80]!r} is no number.")
    value, remarks = _sized(match[1], text)
    if "e" in text.lower():
        value = Decimal(format(value, "f"))
    if match[2]:
        remarks.append(noted("number.symbol", f"{text!r} was read as {value}."))
    return value, bool(match[2]), remarks, ""


def _sized(digits: str, text: str) -> tuple[Decimal, list[Remark]]:
    """The value at 15 significant digits, told where more of them say something else; refused beyond any amount."""
    value, remarks = Decimal(digits), []
    if len(value.as_tuple().digits) > _EXACT_DIGITS:
        exact, value = value, _FIFTEEN.create_decimal(value).normalize(_FIFTEEN)
        if value != exact:
            remarks.append(noted("number.digits", f"{text[:80]!r} was read at 15 digits as {value:f}."))
        value = Decimal(f"{value:f}")
    exponent = value.as_tuple().exponent
    if value.adjusted() >= _WHOLE_DIGITS or (isinstance(exponent, int) and exponent < -_DECIMALS):
        raise bad(f"{text[:60]!r} has more digits than an amount can have.")
    return _unsigned_zero(value), remarks


def _unsigned_zero(value: Decimal) -> Decimal:
    return value or value.copy_abs()


_LONGEST_HINTED = 80
"""Characters; what is longer was never meant as a number, and the patterns below go back and forth over it."""


def _number_hint(text: str) -> str:
    if len(text) > _LONGEST_HINTED:
        return ""
    if has_foreign_digits(text):
        return "Write the number with the digits 0 to 9."
    if re.search(r"\d[eE][-+]?\d", text):
        return "Write the number in full, without an exponent."
    if re.fullmatch(r"\([^()]*\d[^()]*\)|[^-]*\d[^-]*-", text):
        return "If the amount is negative, write the minus sign in front of it."
    return ""
