"""Reading single properties of an answer: strict on what is essential, tolerant on everything else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from etl.errors import MewsError

Json = Mapping[str, Any]


class MissingFieldError(MewsError):
    """An answer lacks a property that nothing may be concluded without."""

    code = "mews.answer"

    def __init__(self, owner: str, name: str, value: Any = None) -> None:
        said = "is missing" if value is None else f"is no {_expected(name)}"
        super().__init__(
            f"an answer of Mews can't be used: {owner}.{name} {said}",
            hint="Try again; ask Mews if it stays so, and check MEWS_PLATFORM_ADDRESS.",
        )


def _expected(name: str) -> str:
    if name.endswith("Utc"):
        return "time"
    return "number" if name.endswith(("Value", "Count", "Precision")) else "text"


def text(row: Json, name: str) -> str:
    """A text, "" where it is null, missing or something else."""
    value = row.get(name)
    return value if type(value) is str else ""


def essential(row: Json, name: str, owner: str) -> str:
    """A text that must be there. Raises MissingFieldError."""
    value = row.get(name)
    if type(value) is not str or not value:
        raise MissingFieldError(owner, name, value or None)
    return value


def number(row: Json, name: str, owner: str) -> Decimal:
    """An amount that must be there. Raises MissingFieldError."""
    value = row.get(name)
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    raise MissingFieldError(owner, name, value)


def integer(row: Json, name: str, owner: str) -> int:
    """A count that must be there; 2.0 is 2. Raises MissingFieldError."""
    value = row.get(name)
    if type(value) is int:
        return value
    if type(value) is Decimal and value == value.to_integral_value():
        return int(value)
    raise MissingFieldError(owner, name, value)


def part(row: Json, name: str) -> Json:
    """A nested object, empty where it is null, missing or something else."""
    value = row.get(name)
    return value if type(value) is dict else {}


def objects(row: Json, name: str) -> list[Json]:
    """A list of objects, without what is none."""
    value = row.get(name)
    return [entry for entry in value if type(entry) is dict] if type(value) is list else []


def texts(row: Json, name: str) -> tuple[str, ...]:
    """A list of texts, without what is none."""
    value = row.get(name)
    return tuple(entry for entry in value if type(entry) is str) if type(value) is list else ()


def moment(row: Json, name: str, owner: str) -> datetime | None:
    """A time, aware UTC; None where it is null or missing. Raises MissingFieldError where it is no time."""
    value = row.get(name)
    if not value:
        return None
    found = parse_moment(value)
    if found is None:
        raise MissingFieldError(owner, name, value)
    return found


def essential_moment(row: Json, name: str, owner: str) -> datetime:
    """A time that must be there. Raises MissingFieldError."""
    found = moment(row, name, owner)
    if found is None:
        raise MissingFieldError(owner, name)
    return found


def parse_moment(value: Any) -> datetime | None:
    """Mews's `YYYY-MM-DDThh:mm:ssZ` (fractions and offsets too) as aware UTC; None where it is no time."""
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
