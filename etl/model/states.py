"""The states of an order and of its parts, and the only transitions there are.

Rule: design section 7.2. No other code decides what state follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from etl.errors import InternalError
from etl.model.outcome import Kind


class State(StrEnum):
    """Where an order (or one part of it) stands in the ledger."""

    BLOCKED = "blocked"
    SKIPPED = "skipped"
    READY = "ready"
    IN_FLIGHT = "in_flight"
    POSTED = "posted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    DIFFERENT = "different"
    UNDONE = "undone"


PLANNED = frozenset({State.BLOCKED, State.SKIPPED, State.READY, State.REJECTED})
"""States in which nothing of a part is in Mews or on its way there: a new plan may move it."""

IN_MEWS = frozenset({State.POSTED, State.DIFFERENT, State.UNDONE})
"""States of a part that Mews holds, or held until it was undone."""

TRANSITIONS: dict[State, frozenset[State]] = {
    # What stands in Mews though it was never sent from here was found by `recover`.
    State.BLOCKED: frozenset({State.BLOCKED, State.SKIPPED, State.READY, State.POSTED, State.DIFFERENT}),
    State.SKIPPED: frozenset({State.BLOCKED, State.SKIPPED, State.READY, State.POSTED, State.DIFFERENT}),
    State.READY: frozenset({State.BLOCKED, State.SKIPPED, State.READY, State.IN_FLIGHT, State.POSTED, State.DIFFERENT}),
    State.IN_FLIGHT: frozenset({State.READY, State.POSTED, State.REJECTED, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.READY, State.POSTED, State.DIFFERENT, State.REJECTED, State.UNKNOWN}),
    State.REJECTED: frozenset(
        {State.BLOCKED, State.SKIPPED, State.READY, State.REJECTED, State.POSTED, State.DIFFERENT}
    ),
    State.POSTED: frozenset({State.POSTED, State.UNDONE, State.DIFFERENT}),
    State.DIFFERENT: frozenset({State.DIFFERENT, State.POSTED, State.UNDONE}),
    State.UNDONE: frozenset({State.UNDONE, State.READY, State.POSTED}),
}

BY_A_PERSON: dict[State, frozenset[State]] = {
    # Mews does not know the OrderId that it answered and shows nothing of the order: no code decides on that.
    State.POSTED: frozenset({State.READY}),
    State.DIFFERENT: frozenset({State.READY}),
}
"""Transitions that only `settle` makes, on a person's word and after Mews was asked."""


class CustomerState(StrEnum):
    """Where a person stands. `ready`: sent and certainly not made; `created`: made, or found in Mews."""

    READY = "ready"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    CREATED = "created"
    REJECTED = "rejected"


CUSTOMER_TRANSITIONS: dict[CustomerState, frozenset[CustomerState]] = {
    CustomerState.READY: frozenset({CustomerState.IN_FLIGHT, CustomerState.CREATED, CustomerState.REJECTED}),
    CustomerState.IN_FLIGHT: frozenset(set(CustomerState) - {CustomerState.IN_FLIGHT}),
    CustomerState.UNKNOWN: frozenset(set(CustomerState) - {CustomerState.IN_FLIGHT}),
    CustomerState.CREATED: frozenset({CustomerState.CREATED}),
    # What Mews shows of the address may have changed, or a person wants it tried again.
    CustomerState.REJECTED: frozenset(set(CustomerState) - {CustomerState.UNKNOWN}),
}
"""A customer whom nobody has on record is as good as ready."""


_AFTER: dict[Kind, State] = {
    Kind.DONE: State.POSTED,
    Kind.REFUSED: State.REJECTED,
    Kind.SPLIT: State.READY,
    Kind.CONFLICT: State.REJECTED,
    Kind.WAIT: State.READY,
    Kind.NOT_SENT: State.READY,
    Kind.STOP: State.READY,
    Kind.UNKNOWN: State.UNKNOWN,
}

_WORST = (
    State.DIFFERENT,
    State.UNKNOWN,
    State.IN_FLIGHT,
    State.REJECTED,
    State.BLOCKED,
    State.READY,
    State.UNDONE,
    State.SKIPPED,
    State.POSTED,
)


def after(kind: Kind, *, is_last_try: bool = True) -> State:
    """The state of a part in flight once its request had this outcome.

    A conflict was not processed: before the last try it leaves the part ready for the next one.
    """
    if kind is Kind.CONFLICT and not is_last_try:
        return State.READY
    return _AFTER[kind]


def check(old: State, new: State, *, by_a_person: bool = False) -> State:
    """`new`, if the transition exists. Raises InternalError otherwise: a state was about to be guessed."""
    if new not in TRANSITIONS[old] and not (by_a_person and new in BY_A_PERSON.get(old, ())):
        raise InternalError(f"no transition from {old} to {new}", code="internal.transition")
    return new


def check_customer(old: CustomerState, new: CustomerState) -> CustomerState:
    """`new`, if the transition exists. Raises InternalError otherwise."""
    if new not in CUSTOMER_TRANSITIONS[old]:
        raise InternalError(f"no transition of a customer from {old} to {new}", code="internal.transition")
    return new


def worst(states: Iterable[State]) -> State:
    """What an order reports of its parts: the state that needs attention most."""
    return min(states, key=_WORST.index)
