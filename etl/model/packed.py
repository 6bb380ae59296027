"""Quick pickling of frozen values: the plan store writes and reads millions of them.

The standard way of frozen slotted dataclasses asks for their fields at every object; this asks once a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any


class Packed:
    """Base of values that are pickled as their class and the tuple of their fields."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        kind: Any = type(self)
        return kind, values_of(kind)(self)


@cache
def values_of(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the fields of an object of `kind`, in the order in which the class takes them."""
    names = [field.name for field in fields(kind)]
    # attrgetter of one name gives the value itself, not a tuple.
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
