"""What a report says beyond its orders: where it comes from, for which enterprise, and free sections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

Cell = str | int | Decimal | None


class PagePart(StrEnum):
    """The parts of the page, in the order in which it tells its story (design section 8)."""

    VERDICT = "verdict"
    BRIDGE = "bridge"
    TOTALS = "totals"
    PROBLEMS = "problems"
    UNPROVED = "unproved"
    BALANCES = "balances"
    ORDERS = "orders"
    COLUMNS = "columns"
    PROVENANCE = "provenance"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Section:
    """A further table, such as control totals or the reconciliation's differences; `part` is where it stands.

    *Units*: an int is shown as a count, a Decimal as an amount with the decimals it has, text as it is.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    text: str = ""
    part: PagePart = PagePart.TOTALS


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows of one file that make up an order, as texts.

    *Shape*: `groups` holds (order-level cells, [(row, line cells), ..]) as the file gave them; `columns` are the headers of
    both.
    """

    where: str
    columns: tuple[tuple[str, ...], tuple[str, ...]]
    groups: Sequence[tuple[Sequence[str], Sequence[tuple[int, Sequence[str]]]]]


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of an order in Mews. *Units*: texts of exact amounts; `booked_*` are "" where nobody read them back.

    `origin`: where it comes from in the export; `rule`: the row of the mapping that decided on its taxes.
    """

    line: str
    name: str
    count: str
    unit: str
    codes: str
    net: str
    tax: str
    gross: str
    booked_tax: str = ""
    booked_gross: str = ""
    origin: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """What an order opens to. `joined`: the rule that made its rows one order, in a sentence."""

    number: str
    joined: str = ""
    sources: Sequence[SourceRows] = ()
    entries: Sequence[EntryRow] = ()

    @property
    def whole(self) -> OrderDetail:
        """Itself: nothing of it is left to unfold."""
        return self


class Opened(Protocol):
    """What one order opens to, whatever the form."""

    @property
    def number(self) -> str:
        """Of the order."""

    @property
    def whole(self) -> OrderDetail:
        """With a value for every entry."""


Details = Callable[[Collection[str]], Iterator[Opened]]
"""What the named orders open to, each once and in any order; may be asked again."""


class PackedOrders(NamedTuple):
    """Orders whose details are packed already (`packed_orders`). `data` reads them."""

    numbers: Sequence[str]
    data: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The circumstances of a report.

    `generated` is aware UTC. `files`: {file (its name), sha256, format, rows} each. `feasibility` and `footing`
    as in the `--json` document. `balances`: {account_id, currency, balance} each, largest first. `verdict`: the sentence
    on top, good news or bad, where the command has one of its own; `is_good`: every order of the source stands in Mews.
    `accounts` and `categories` name ids. `next_steps`: what to do now, the first thing first.
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
    accounts: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    next_steps: Sequence[str] = ()
