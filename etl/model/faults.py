"""Faults of the mapping folder: collected while it is read, raised together before the first order is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from etl.model.place import Place


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct. `message` is a sentence with the value in it and, where known, the nearest name."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def nearest(value: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known name that `value` was probably meant to be, or ""; `cutoff` 1 asks for equality."""
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    if value.casefold() in folded:
        return folded[value.casefold()]
    # Swapped letters (GPB) are the commonest slip in short codes, where difflib sees many equals.
    letters = sorted(value.casefold())
    swapped = next((name for name in folded if len(letters) > 2 and sorted(name) == letters), "")
    if swapped:
        return folded[swapped]
    close = difflib.get_close_matches(value.casefold(), list(folded), n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """` Did you mean x?` with the nearest known name, or ""."""
    name = nearest(value, known)
    return f" Did you mean {name}?" if name else ""


def one_of(names: Iterable[str]) -> str:
    """`a, b or c`."""
    *head, last = names
    return f"{', '.join(head)} or {last}" if head else last
