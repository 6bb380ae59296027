"""What there is to say about one cell: remarks, and the exception that carries them to where the place is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etl.model.problem import Severity


@dataclass(frozen=True, slots=True)
class Remark:
    """What there is to say about one cell. `code` is a problem code."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR


class RemarkedValue(Exception):  # noqa: N818 - a value with remarks, caught where its place is known
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


def bad(message: str, hint: str = "", code: str = "value.invalid") -> RemarkedValue:
    """A cell that can't be read."""
    return RemarkedValue(None, [Remark(code, message, hint)])


def noted(code: str, message: str, hint: str = "") -> Remark:
    """A remark that blocks nothing."""
    return Remark(code, message, hint, Severity.NOTICE)
