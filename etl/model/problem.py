"""Faults in the data as values: a code, a place, the value found, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etl.model.packed import Packed
from etl.model.place import Place
from etl.model.quick import quick


class Severity(StrEnum):
    """`error` blocks the order it names; `notice` only tells."""

    ERROR = "error"
    NOTICE = "notice"


HEADINGS = {
    Severity.ERROR: "Errors: these orders need attention",
    Severity.NOTICE: "Notices: nothing is held back",
}
"""What stands over each kind in tables. Not every error keeps its order out of Mews: one may have changed since."""


@quick
@dataclass(frozen=True, slots=True)
class Problem(Packed):
    """One fault of one order (or of one row, where the order number is unreadable).

    `code` is one of `etl.model.codes`, which also holds title and default hint. `order` is the
    order's number or "" for an unassigned row. `message` is a full sentence with the values in it.
    `hint` overrides the code's own hint where more is known.
    """

    code: str
    order: str = ""
    place: Place = Place()
    value: str = ""
    message: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Whether the order may not be sent because of this."""
        return self.severity is Severity.ERROR


def notice(
    code: str, message: str, *, order: str = "", place: Place | None = None, value: str = "", hint: str = ""
) -> Problem:
    """A remark that blocks nothing."""
    return Problem(code, order, place or Place(), value, message, hint, Severity.NOTICE)
