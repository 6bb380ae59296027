"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_DATE = click.DateTime(["%Y-%m-%d"])


def exports(required: bool = True) -> Callable[[F], F]:
    """EXPORT...: the files of one batch."""
    return click.argument("exports", metavar="EXPORT...", nargs=-1, required=required, type=click.Path(path_type=Path))


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
        type=click.Path(path_type=Path),
        help="Orders of this file (a fixed attention.csv) replace those of the export; may be repeated.",
    )(command)


def report(required: bool = False) -> Callable[[F], F]:
    """--report DIR."""
    return click.option(
        "--report",
        "report",
        required=required,
        type=click.Path(file_okay=False, path_type=Path),
        help="Write the report into this folder.",
    )


def day(value: datetime | None) -> date | None:
    """The date of a parsed option."""
    return value.date() if value else None


def order_number(text: str) -> str:
    """An order number as the ledger has it: blanks, leading zeros and a trailing .0 removed."""
    number = text.strip().removesuffix(".0")
    return number.lstrip("0") or number
