"""The values of a world file: each read once, wrongly written ones refused by key."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from etl.sandbox.shapes import ShapeError, identifier, parse_moment
from etl.sandbox.world import Window

_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.ASCII,
)
_LIMIT = re.compile(r"(\d+)/(\d+(?:\.\d+)?)s", re.ASCII)
_FALLBACK_IDS = uuid.UUID("5a2db0c5-0000-4000-a000-000000000000")


class WrongKeyError(Exception):
    """A key with a value that makes no sense."""


def read_window(text: Any, key: str) -> Window:
    """An ISO 8601 duration."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise WrongKeyError(f"`{key}` {text!r} is no ISO 8601 duration such as P0Y0M7DT0H0M0S")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return Window(text, years * 12 + months, weeks * 7 + days, hours * 3600 + minutes * 60 + seconds)


def read_limit(text: Any) -> tuple[int, float] | None:
    """Requests and seconds of `200/30s`; None is no limit."""
    if text is None:
        return None
    match = _LIMIT.fullmatch(text) if isinstance(text, str) else None
    if match is None or not int(match[1]) or not float(match[2]):
        raise WrongKeyError(f"`rate_limit` {text!r} is not like 200/30s")
    return int(match[1]), float(match[2])


def as_mapping(value: Any, key: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise WrongKeyError(f"`{key}` must be an object")
    return value


def as_list(part: dict[str, Any], key: str) -> list[Any]:
    """A list; a missing key is an empty one."""
    value = part.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WrongKeyError(f"`{key}` must be a list")
    return value


def row_id(row: Any, key: str) -> str:
    """The id of a row, or one made of key and name."""
    row = as_mapping(row, key)
    return read_id(row.get("id") or str(uuid.uuid5(_FALLBACK_IDS, f"{key}:{row.get('name')}")), f"{key}.id")


def read_id(value: Any, key: str) -> str:
    """A UUID in lower case."""
    try:
        identifier(value, key)
    except ShapeError as fault:
        raise WrongKeyError(f"`{key}` {value!r} is no UUID") from fault
    return str(value).lower()


def optional_id(value: Any, key: str) -> str | None:
    """A UUID or nothing."""
    return None if value is None else read_id(value, key)


def read_flag(part: dict[str, Any], key: str) -> bool:
    """True or false."""
    if not isinstance(part[key], bool):
        raise WrongKeyError(f"`{key}` must be true or false")
    return part[key] is True


def read_digits(value: Any, key: str) -> int:
    """A count of decimals."""
    if type(value) is not int or not 0 <= value <= 8:
        raise WrongKeyError(f"`{key}` {value!r} is no count of decimals")
    return value


def read_decimal(value: Any, key: str) -> Decimal:
    """A finite number."""
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as fault:
        raise WrongKeyError(f"`{key}` {value!r} is no number") from fault
    if not number.is_finite():
        raise WrongKeyError(f"`{key}` {value!r} is no number")
    return number


def read_moment(value: Any, key: str) -> datetime | None:
    """A time in UTC, or nothing."""
    if value is None:
        return None
    try:
        return parse_moment(value)
    except (ValueError, TypeError) as fault:
        raise WrongKeyError(f"`{key}` {value!r} is not like 2025-03-10T15:00:00Z") from fault


def read_refused_bills(value: Any) -> str:
    """What a refused request of several outlet bills leaves."""
    if value not in ("whole", "partial", "others"):
        raise WrongKeyError(f"`refused_bills` is {value!r}; whole, partial or others is expected")
    return str(value)


def read_size(value: Any) -> int:
    """A count of bytes."""
    if type(value) is not int or value < 1:
        raise WrongKeyError(f"`largest_body` {value!r} is no count of bytes")
    return value
