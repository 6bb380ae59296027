"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])

_DATE = click.DateTime(["%Y-%m-%d"])
_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
EMPTY = "an empty text is no path; perhaps a variable of the shell is not set."


class FilePath(click.Path):
    """A path as `pathlib.Path`, never an empty one, which would be the folder at hand."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises BadParameter for what can be none."""
        if value == "":
            self.fail(EMPTY, param, ctx)
        if "\0" in str(value):
            self.fail("a path can't hold the character NUL.", param, ctx)
        return super().convert(value, param, ctx)


def checked(is_right: Callable[[str], bool], rule: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that refuses what a person typed otherwise than `rule` says, before the command does anything."""

    def check(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if param.name and ctx.get_parameter_source(param.name) in _GIVEN:
            for one in value if isinstance(value, tuple) else (value,):
                if not is_right(one.strip()):
                    raise click.BadParameter(f"{one!r} {rule}", ctx, param)
        return value

    return check


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


NUMBER = checked(lambda text: any(map(str.isdigit, text)), "is no order number, such as 536365.")
PLAN = checked(lambda text: text.startswith("sha256:"), "is no plan id; the dry run prints it: sha256:..")
ORDER_ID = checked(_is_id, "is no OrderId of Mews, such as 7c9e6679-7425-40de-944b-e07fc1f90ae7.")
RUN = checked(bool, "is no run; `centra-mews status` lists the runs.")
HOST = checked(bool, "is no name of a host; the refusal of the lock names it.")


def exports(required: bool = True) -> Callable[[F], F]:
    """EXPORT...: the files of one batch."""
    return click.argument("exports", metavar="EXPORT...", nargs=-1, required=required, type=FilePath())


def span(command: F) -> F:
    """--from and --to."""
    command = click.option(
        "--to",
        "end",
        type=_DATE,
        metavar="DATE",
        help="Only orders before this local date, such as 2011-01-01 (exclusive).",
    )(command)
    return click.option("--from", "start", type=_DATE, metavar="DATE", help="Only orders from this local date on.")(
        command
    )


def corrections(command: F) -> F:
    """--corrections FILE."""
    return click.option(
        "--corrections",
        multiple=True,
        metavar="FILE",
        type=FilePath(),
        help="Orders of this file (a fixed attention.csv) replace those of the export; may be repeated.",
    )(command)


def take_over(command: F) -> F:
    """--take-over HOST."""
    return click.option(
        "--take-over",
        metavar="HOST",
        default="",
        callback=HOST,
        help="Take the lock of a run that died on that host.",
    )(command)


def report(required: bool = False) -> Callable[[F], F]:
    """--report DIR."""
    return click.option(
        "--report",
        "report",
        required=required,
        type=FilePath(file_okay=False),
        help="Write the report into this folder.",
    )


def day(value: datetime | None) -> date | None:
    """The date of a parsed option."""
    return value.date() if value else None


def order_number(text: str) -> str:
    """An order number as the ledger has it: blanks, leading zeros and a trailing .0 removed."""
    number = text.strip().removesuffix(".0")
    return number.lstrip("0") or number
