"""Signs that another ledger, or another copy of this one, worked on the same orders. Pure.

Rule: design section 7.6. Whoever meets one sends nothing: a ledger that knows less than Mews would post, cancel or pay
back a second time. `recover` takes in what was met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from etl.errors import LedgerError
from etl.ledger.records import Attempt
from etl.model.outcome import Kind
from etl.model.words import counted

EXAMPLES = 10

_ARRIVED = ("", Kind.DONE.value, Kind.UNKNOWN.value)
"""Outcomes of attempts that Mews may have acted on; "" while nobody knows."""

_NEVER_SENT = "holds {count} of store '{store}' that this ledger never sent"
_NOT_ABSENT = "holds {count} of store '{store}' that this ledger sent without an answer and proved absent"
_REVERSED = "shows {count} of store '{store}' cancelled, reversed or paid back, which this ledger does not know"
_COPIED = "holds {count} of store '{store}', or payments of theirs, more often than this ledger sent them"

Duplicated = Mapping[str, tuple[str, ...]]
"""OrderIds and PaymentIds by order number."""


def add_copies(told: dict[str, tuple[str, ...]], more: Duplicated) -> None:
    """Adds what is there more than once to what was told before: order and payments of a number share one row."""
    for number, ids in more.items():
        told[number] = tuple(dict.fromkeys((*told.get(number, ()), *ids)))


class IncompleteError(LedgerError):
    """Mews knows more than the ledger. `duplicated`: what is there more than once.

    `lacks_orders` is false where copies are all that was met: each of them is known by now.
    """

    code = "ledger.incomplete"

    def __init__(self, message: str, *, hint: str, duplicated: Duplicated, lacks_orders: bool) -> None:
        super().__init__(message, hint=hint)
        self.lacks_orders = lacks_orders
        self.duplicated = dict(duplicated)


@dataclass(slots=True)
class Signs:
    """Order numbers by what was met of them.

    `never_sent`: in Mews, and unsent or unknown here. `not_absent`: likewise, though something of them was sent: two
    complete looks did not find it. `reversed`: posted here, while their items are cancelled, reversed or their payments
    paid back by something that the ledger does not know. `copied`: in Mews more often than this ledger can have sent them.
    """

    never_sent: dict[str, None] = field(default_factory=dict)
    not_absent: dict[str, None] = field(default_factory=dict)
    reversed: dict[str, None] = field(default_factory=dict)
    copied: dict[str, None] = field(default_factory=dict)

    @property
    def lacks_orders(self) -> bool:
        """Whether `recover` has to run before anything is decided from this ledger."""
        return bool(self.never_sent or self.not_absent or self.reversed)

    def error(self, store: str, duplicated: Duplicated) -> IncompleteError:
        """What to tell people; needs at least one sign."""
        met = (
            (_NEVER_SENT, self.never_sent),
            (_NOT_ABSENT, self.not_absent),
            (_REVERSED, self.reversed),
            (_COPIED, self.copied),
        )
        told = [
            f"{words.format(count=counted(len(numbers), 'order|orders'), store=store)} (such as {_some(numbers)})"
            for words, numbers in met
            if numbers
        ]
        if self.lacks_orders:
            cause = "the ledger is lost, old or a copy"
            hint = "Use the right ledger, or run `centra-mews recover`, which completes this one from Mews."
            if self.not_absent:
                # Nothing tells a commit beyond the bounds from another ledger's order: `recover` is right for both.
                cause += ", or Mews took longer than settle_seconds"
                hint += " If no other ledger is at work, set settle_seconds higher."
        else:
            cause = "another copy of this ledger is at work"
            hint = "Stop the other one. `centra-mews recover` lists the copies; `undo --order-id ID` reverses one."
        message = f"Mews {'; it '.join(told)}: {cause}"
        return IncompleteError(message, hint=hint, duplicated=duplicated, lacks_orders=self.lacks_orders)


def may_be_ours(attempts: Sequence[Attempt], copies: int) -> bool:
    """Whether this ledger's own requests explain so many copies: one beyond the settling time, sent again."""
    return copies <= sum(attempt.outcome in _ARRIVED for attempt in attempts)


def _some(numbers: Iterable[str]) -> str:
    shown = list(numbers)
    more = ", ..." if len(shown) > EXAMPLES else ""
    return ", ".join(shown[:EXAMPLES]) + more
