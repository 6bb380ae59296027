"""One step of a migration, and what a person had around them when they asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etl.errors import InputError, UsageError
from etl.ledger.ledger import Ledger
from etl.mapping.partial import read_partial
from etl.mews.http import is_loopback
from etl.model.money import about_text, about_words
from etl.model.words import counted
from etl.pipeline.causes import Effect
from etl.pipeline.planning import Progress
from etl.pipeline.prepare import Export, open_with
from etl.pipeline.proposing import propose_for
from etl.settings import ADDRESS, Settings, connection


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `orders` and `money`: what it sets free; `type`: the command, if any.

    `file` (and `sheet` of a workbook), `row` and `column` name the cell, or the key of migration.toml, that is to be written; `candidates`: what a
    person may choose from, most likely first.
    """

    what: str
    file: str = ""
    row: int | None = None
    column: str = ""
    candidates: tuple[str, ...] = ()
    orders: int = 0
    money: tuple[tuple[str, Decimal], ...] = ()
    type: str = ""
    sheet: str = ""

    def document(self) -> dict[str, Any]:
        """The `next --json` document."""
        return {
            "command": "next",
            "what": self.what,
            "file": self.file,
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "candidates": list(self.candidates),
            "orders": self.orders,
            "money": [
                {"currency": currency, "amount": about_text(amount, currency)} for currency, amount in self.money
            ],
            "type": self.type,
            "exit_code": 0,
        }


def with_effect(step: Step, effect: Effect, words: str = "unlocks") -> Step:
    """The step with what it unlocks, in figures and as a sentence."""
    what = step.what.rstrip(".")
    if effect.orders:
        what = f"{what}; {words} {_counted(effect)}"
    return replace(step, what=what, orders=effect.orders, money=effect.amounts)


def _counted(effect: Effect) -> str:
    count = counted(effect.orders, "order|orders")
    return ", ".join(
        [
            count,
            *(f"{currency or '(no currency)'} {about_words(amount, currency)}" for currency, amount in effect.amounts),
        ]
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """The command's own surroundings."""

    settings: Settings
    exports: list[Path]
    environ: Mapping[str, str]
    progress: Progress
    corrections: list[Path] = field(default_factory=list)

    @property
    def plan_files(self) -> tuple[str, ...]:
        """The exports, with the corrections that were given beside them."""
        return (*self.files, *(word for path in self.corrections for word in ("--corrections", str(path))))

    @property
    def files(self) -> tuple[str, ...]:
        """The exports as they were typed."""
        return tuple(map(str, self.exports))

    def typed(self, *words: str) -> str:
        """A command with the global options that this one was given."""
        text = self.settings.typed(*(word for word in words if word != "EXPORT..."))
        return f"{text} EXPORT..." if "EXPORT..." in words else text

    def is_rehearsal(self, ledger: Ledger | None) -> bool:
        """Whether the Mews in question is one of this machine."""
        home = ledger.home() if ledger else None
        address = home.platform if home else self.environ.get(ADDRESS, "")
        return is_loopback(urlsplit(address).hostname or "")

    @property
    def has_tokens(self) -> bool:
        """Whether Mews could be asked."""
        try:
            connection(self.environ)
        except UsageError:
            return False
        return True

    def with_everything(self, stack: ExitStack, step: Step) -> Step:
        """The step with all that the export holds: while it is undone, nothing can be planned."""
        whole = Effect()
        try:
            # Foreign headers are read as `init` would propose them, or as the folder says so far.
            options = propose_for(Export(self.exports), read_partial(self.settings.mappings)).options
            batch, _ = stack.enter_context(open_with(Export(self.exports), options, self.progress))
            for order in batch.orders() if self.exports else ():
                whole.count(order.currency, order.order_total)
        except InputError:
            # A dump that only the mapping makes readable: its orders are not known yet.
            whole = Effect()
        return with_effect(step, whole)
