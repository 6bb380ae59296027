"""What every read does alike: filters by id and time, and pages by cursor, newest first."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import MAXYEAR, UTC, datetime
from typing import Any, Protocol, TypeVar

from etl.sandbox.call import Call, RefusedError
from etl.sandbox.shapes import parse_moment
from etl.sandbox.world import WORLD_BEGAN


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_HasId)
Span = Callable[[datetime | None], bool]


def page_of(
    call: Call,
    rows: list[Row],
    *,
    newest_first: bool = False,
    known: dict[str, Any] | None = None,
) -> tuple[list[Row], str | None]:
    """The rows after the cursor, at most Count, and the oldest one's id."""
    count, cursor = limitation_of(call)
    rows = rows if newest_first else rows[::-1]
    if cursor is not None:
        place = next((place for place, row in enumerate(rows) if row.id == cursor), None)
        if place is None:
            if known is not None and cursor in known:
                return [], None
            raise RefusedError(400, "Invalid Limitation.Cursor: there is nothing with that id in this list.")
        rows = rows[place + 1 :]
    page = rows[:count]
    return page, page[-1].id if page else None


def limitation_of(call: Call) -> tuple[int, str | None]:
    """How many rows at most, and the id of the last one seen."""
    limitation = call.body["Limitation"]
    count = limitation["Count"]
    if not 1 <= count <= 1000:
        raise RefusedError(400, "Invalid Limitation.Count: 1 to 1000 are allowed.")
    cursor = limitation.get("Cursor")
    return count, None if cursor is None else cursor.lower()


def wanted_ids(call: Call, name: str) -> set[str] | None:
    """The ids of that filter; None if it was not given."""
    given = call.body.get(name)
    return None if given is None else {each.lower() for each in given}


def is_asked(call: Call, *, is_active: bool) -> bool:
    """Whether ActivityStates, if given, names that state."""
    states = call.body.get("ActivityStates")
    return not states or ("Active" if is_active else "Deleted") in states


def began_in(call: Call, *names: str) -> bool:
    """Whether what the world began with lies in all time filters given."""
    spans = [span_of(call, name) for name in names]
    return all(span is None or span(WORLD_BEGAN) for span in spans)


def bounds_of(call: Call, name: str) -> tuple[datetime, datetime] | None:
    """The interval of that filter, at most three calendar months; None if it was not given."""
    given = call.body.get(name)
    if given is None:
        return None
    start, end = given.get("StartUtc"), given.get("EndUtc")
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise RefusedError(400, f"Invalid {name}: both StartUtc and EndUtc are needed.")
    first, last = parse_moment(start), parse_moment(end)
    if last < first:
        raise RefusedError(400, f"Invalid {name}: EndUtc lies before StartUtc.")
    if last > _months_after(first, 3):
        raise RefusedError(400, f"Invalid {name}: at most 3 months are allowed.")
    return first, last


def span_of(call: Call, name: str) -> Span | None:
    """A test for the half-open interval of that filter, or for equality where its ends are equal."""
    bounds = bounds_of(call, name)
    if bounds is None:
        return None
    first, last = bounds
    if first == last:
        return lambda moment: moment == first
    return lambda moment: moment is not None and first <= moment < last


def _months_after(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year > MAXYEAR:
        return datetime.max.replace(tzinfo=UTC)
    last_day = monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def check_currency(call: Call) -> None:
    """Refuse amounts in any currency but the enterprise's own."""
    asked = call.body.get("Currency")
    if asked is None:
        return
    if asked not in call.world.currencies:
        raise RefusedError(400, f"Invalid Currency: {asked} is unknown.")
    if any(asked != owner.default_currency for owner in call.enterprises()):
        raise RefusedError(403, "The sandbox does not convert amounts into other currencies.")
