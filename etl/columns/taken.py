"""Orders that were taken at once by whole columns, and some of them that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from etl.columns.quick import Quick, Shown
from etl.model.problem import Problem

if TYPE_CHECKING:
    from etl.columns.block import Bools, Ints
    from etl.columns.entries import Entries
    from etl.columns.sums import Sums


class Lines(NamedTuple):
    """Parts of the plan id, one after the other; `first`: where each begins, and where the last one ends."""

    data: bytes
    first: Sequence[int]

    def one(self, at: int) -> bytes:
        """That at a place."""
        return self.between(at, at + 1)

    def between(self, start: int, end: int) -> bytes:
        """Those from one place to before another."""
        return self.data[self.first[start] : self.first[end]]

    def each(self, start: int, end: int) -> list[bytes]:
        """The same, one by one."""
        data, first = self.data, self.first[start : end + 1]
        return [data[low:high] for low, high in pairwise(first)]


class Bulk(NamedTuple):
    """Orders of one currency that were taken at once.

    `at`: their places in the block. `lines`, `signatures` and `footed` as of `Quick`, `problems` of those of which anything
    is told; `sums`: what is reported of them. `entries`: where they were asked for. `stated`: of prices without tax
    which orders have an orderTotal, and these; None of prices with tax.
    """

    at: Sequence[int]
    lines: Lines
    signatures: list[tuple[Any, ...]]
    footed: list[bool]
    problems: dict[int, tuple[Problem, ...]]
    sums: Sums
    entries: Entries | None = None
    stated: tuple[Bools, Ints] | None = None

    def shown(self, at: int) -> list[Shown] | None:
        """What a person is shown of the entries of one of the orders, where they were asked for."""
        return None if self.entries is None else list(self.entries.of(at))

    def quick(self, at: int) -> Quick:
        """One of the orders by itself."""
        problems = self.problems.get(at, ())
        return Quick(self.lines.one(at), self.sums.report(at), self.signatures[at], problems, self.footed[at])


class Run(NamedTuple):
    """Orders of a bulk that follow each other in the plan, `end` exclusive."""

    bulk: Bulk
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.end - self.start

    @property
    def lines(self) -> bytes:
        """Their parts of the plan id."""
        return self.bulk.lines.between(self.start, self.end)

    @property
    def old(self) -> int:
        """How many of them are older than the editable window."""
        return self.bulk.sums.old(self.start, self.end)

    @property
    def footed(self) -> list[str]:
        """The numbers of those that have shipping and a stated total that agrees."""
        numbers = self.bulk.sums.numbers[self.start : self.end]
        return [number for number, holds in zip(numbers, self.bulk.footed[self.start : self.end], strict=True) if holds]

    @property
    def stated(self) -> tuple[str, int, int, int, int] | None:
        """Of those without tax that have an orderTotal: currency and decimals, how many, what they add up to, and their orderTotals;
        None of prices with tax.
        """
        if self.bulk.stated is None:
            return None
        sums = self.bulk.sums
        is_given, given, totals = (one[self.start : self.end] for one in (*self.bulk.stated, sums.totals))
        return *sums.currency, int(is_given.sum()), int(totals[is_given].sum()), int(given[is_given].sum())

    def cut(self, size: int) -> tuple[Run, Run]:
        """The first so many of them, and the rest."""
        middle = self.start + size
        return self._replace(end=middle), self._replace(start=middle)
