"""Orders that were taken at once by whole columns, and one of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from etl.columns.quick import Quick
from etl.columns.sums import Sums


class Bulk(NamedTuple):
    """Orders of one currency that were taken at once.

    `at`: their places in the chunk. `lines`, `signatures` and `footed` as of `Quick`; `sums`: what is reported of them.
    """

    at: list[int]
    lines: list[bytes]
    signatures: list[tuple[Any, ...]]
    footed: list[bool]
    sums: Sums


class Taken(NamedTuple):
    """One of the orders that were taken at once."""

    bulk: Bulk
    place: int

    @property
    def number(self) -> str:
        """Its number."""
        return self.bulk.sums.numbers[self.place]

    @property
    def consumption(self) -> str:
        """ISO, UTC."""
        return self.bulk.sums.consumptions[self.place]

    @property
    def line(self) -> bytes:
        """Its part of the plan id."""
        return self.bulk.lines[self.place]

    @property
    def signature(self) -> tuple[Any, ...]:
        """As of a `Quick`."""
        return self.bulk.signatures[self.place]

    @property
    def is_footed_with_shipping(self) -> bool:
        """As of a `Quick`."""
        return self.bulk.footed[self.place]

    def quick(self) -> Quick:
        """The order by itself."""
        report = self.bulk.sums.report(self.place)
        return Quick(self.line, report, self.signature, (), self.is_footed_with_shipping)
