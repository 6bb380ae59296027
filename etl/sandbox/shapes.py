"""The shapes of requests, compiled once to plain functions: what Mews answers with 400.

Closed objects, required properties, JSON types as the OpenAPI description has them. No business rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

Check = Callable[[Any, str], None]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INT32 = 2**31
_LARGEST = Decimal(10) ** 12


class ShapeError(Exception):
    """A request that is malformed; the message names the property."""


@lru_cache(4096)
def parse_moment(text: str) -> datetime:
    """The aware UTC moment of `YYYY-MM-DDThh:mm:ssZ`. Raises ValueError."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).astimezone(UTC)


def _fail(where: str, what: str) -> ShapeError:
    return ShapeError(f"Invalid {where or 'request'}: {what}.")


def text(*, shortest: int = 0, longest: int | None = None) -> Check:
    """A string of `shortest` to `longest` characters."""

    def check(value: Any, where: str) -> None:
        if type(value) is not str:
            raise _fail(where, "a string is expected")
        if len(value) < shortest:
            raise _fail(where, "it must not be empty")
        if longest is not None and len(value) > longest:
            raise _fail(where, f"at most {longest} characters are allowed")

    return check


def identifier(value: Any, where: str) -> None:
    """A UUID in its canonical form."""
    if type(value) is not str or not _UUID.fullmatch(value):
        raise _fail(where, "a UUID is expected")


def moment(value: Any, where: str) -> None:
    """A date and time in UTC."""
    if type(value) is not str:
        raise _fail(where, "a string is expected")
    try:
        parse_moment(value)
    except ValueError:
        raise _fail(where, "a date and time as YYYY-MM-DDThh:mm:ssZ is expected") from None


def date(value: Any, where: str) -> None:
    """A calendar date."""
    if type(value) is not str or not _DATE.fullmatch(value):
        raise _fail(where, "a date as YYYY-MM-DD is expected")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise _fail(where, "there is no such day") from None


def email(value: Any, where: str) -> None:
    """An e-mail address, as far as its form shows."""
    if type(value) is not str:
        raise _fail(where, "a string is expected")
    name, at, host = value.rpartition("@")
    if not at or not name or not host or any(character.isspace() for character in value):
        raise _fail(where, "an e-mail address is expected")


def integer(value: Any, where: str) -> None:
    """A 32-bit integer; 2.0 and "2" are none."""
    if type(value) is not int or not -_INT32 <= value < _INT32:
        raise _fail(where, "an integer is expected")


def number(value: Any, where: str) -> None:
    """A JSON number, never a string."""
    if type(value) is int or type(value) is Decimal:
        # No abs(): it would round, and fail on absurd exponents.
        if -_LARGEST < value < _LARGEST:
            return
        raise _fail(where, "the number is too large")
    raise _fail(where, "a number is expected")


def boolean(value: Any, where: str) -> None:
    """True or false."""
    if type(value) is not bool:
        raise _fail(where, "true or false is expected")


def one_of(*names: str) -> Check:
    """One of the given names, case-sensitive."""
    allowed = frozenset(names)

    def check(value: Any, where: str) -> None:
        if type(value) is not str or value not in allowed:
            raise _fail(where, f"one of {', '.join(names[:12])}{', ...' if len(names) > 12 else ''} is expected")

    return check


def array(of: Check, *, fewest: int = 0, most: int | None = None) -> Check:
    """An array of `fewest` to `most` values."""

    def check(value: Any, where: str) -> None:
        if type(value) is not list:
            raise _fail(where, "an array is expected")
        if len(value) < fewest:
            raise _fail(where, f"at least {fewest} value is needed")
        if most is not None and len(value) > most:
            raise _fail(where, f"at most {most} values are allowed")
        try:
            for each in value:
                of(each, "")
        except ShapeError:
            # Places are told only where something is wrong: a request of many bills has tens of thousands.
            for index, each in enumerate(value):
                of(each, f"{where}[{index}]")

    return check


def closed(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """An object with exactly these properties; optional ones may be null."""
    optional = optional or {}
    needed = tuple(required)

    def check(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _fail(where, "an object is expected")
        prefix = f"{where}." if where else ""
        for name, each in value.items():
            if (known := required.get(name)) is not None:
                known(each, prefix + name)
            elif (known := optional.get(name)) is None:
                raise _fail(prefix + name, "the property is unknown")
            elif each is not None:
                known(each, prefix + name)
        for name in needed:
            if name not in value:
                raise _fail(prefix + name, "the property is required")

    return check


def bare(properties: dict[str, Check]) -> Check:
    """An object of optional properties of which none may be null."""

    def check(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _fail(where, "an object is expected")
        for name, each in value.items():
            known = properties.get(name)
            if known is None:
                raise _fail(f"{where}.{name}", "the property is unknown")
            known(each, f"{where}.{name}")

    return check
