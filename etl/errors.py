"""Errors of a run, grouped by what the user must do next. Imports nothing of ours.

Faults of one order are never exceptions: they are `etl.model.problem.Problem` values.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of every command (design section 2)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    ATTENTION = 3
    MEWS = 4
    INTERRUPTED = 130


class EtlError(Exception):
    """A fault of the run: what happened, where, what to do next.

    `code` is stable, dotted and lower case; `place` names file, row, column or order; `hint` is an
    imperative that names the file or command to use; `request_id` is Mews's, where one was given.
    """

    exit_code: ExitCode = ExitCode.INTERNAL
    code: str = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        place: str = "",
        hint: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.place = place
        self.hint = hint
        self.request_id = request_id

    def attrs(self) -> dict[str, Any]:
        """The same facts as data, for logs and `--json`."""
        facts = {
            "code": self.code,
            "message": self.message,
            "place": self.place,
            "hint": self.hint,
            "request_id": self.request_id,
            "exit_code": int(self.exit_code),
        }
        return {name: value for name, value in facts.items() if value not in ("", None)}


class InternalError(EtlError):
    """Something that must not happen did: counts that do not add up, an impossible state."""


class UsageError(EtlError):
    """Wrong option, file, export or plan: nothing was sent because of it (exit code 2)."""

    exit_code = ExitCode.USAGE
    code = "usage"


class InputError(UsageError):
    """An export file that can't be read at all."""

    code = "input.unreadable"


class MappingError(UsageError):
    """The mapping folder is wrong; raised whole, before the first row is read."""

    code = "mapping.invalid"


class PlanError(UsageError):
    """The plan differs from the reviewed one, or nobody confirmed it."""

    code = "plan.differs"


class LedgerError(UsageError):
    """The ledger is held by another run, foreign, incomplete, read-only or out of disk."""

    code = "ledger.unusable"


class MewsError(EtlError):
    """Mews can't be reached or refuses the credentials (exit code 4).

    `operation` is what was asked, such as `configuration/get`, `status` the HTTP status of Mews's answer; "" and None
    where the fault is of no single request, or nothing was answered.
    """

    exit_code = ExitCode.MEWS
    code = "mews.unreachable"
    operation: str = ""
    status: int | None = None


class StoppedError(EtlError):
    """The run stopped itself to prevent harm; what was sent is recorded (exit code 3)."""

    exit_code = ExitCode.ATTENTION
    code = "run.stopped"
