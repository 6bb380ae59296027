"""What a report says beyond its orders: where it comes from, for which enterprise, and free sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Cell = str | int | Decimal | None


@dataclass(frozen=True, slots=True)
class Section:
    """A further table, such as control totals or the reconciliation's differences.

    *Units*: an int is shown as a count, a Decimal as an amount with the decimals it has, text as it is.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The circumstances of a report.

    `generated` is aware UTC. `files`: {file (its name), sha256, format, rows} each. `feasibility` and `footing`
    as in the `--json` document. `balances`: {account_id, currency, balance} each, largest first. `verdict`: the sentence
    on top, good news or bad, where the command has one of its own.
    """

    command: str
    generated: datetime
    plan: str = ""
    run_id: str = ""
    exit_code: int = 0
    enterprise_name: str = ""
    platform: str = ""
    store: str = ""
    files: Sequence[Mapping[str, Any]] = ()
    mapping_digest: str = ""
    feasibility: Mapping[str, Any] | None = None
    footing: Mapping[str, Any] | None = None
    balances: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    sections: Sequence[Section] = field(default=())
    verdict: str = ""
    is_good: bool = False
