"""A flat file whose cells may be read column by column: what its columns are, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etl.model.place import Place
from etl.model.problem import Problem
from etl.reading.parse import Readers
from etl.reading.remarks import RemarkedValue
from etl.staging.fields import Column
from etl.staging.lines import Lines


@dataclass(frozen=True, slots=True)
class PlainTable:
    """The columns of an order and of its lines, in the order of their cells; `cells_of` a row with an empty cell before it.

    `empty_shipping`: what is said of an order (its number, its first row) whose shippingValue is empty.
    `checks`: what is held against its orders beyond remarks on single cells (`staging.build.Builder.checks`).
    `stated_at`: where in a row's line-level cells stands what the file says that the line comes to; None for nowhere.
    """

    order: Sequence[Column]
    line: Sequence[Column]
    readers: Readers
    lines: Lines
    empty_shipping: Callable[[str, int], Problem]
    checks: frozenset[str] = frozenset()
    stated_at: int | None = None
    place: Place = Place()

    def place_of(self, row: int) -> Place:
        """Where a line stands."""
        return Place(self.place.file, self.place.sheet, row)

    @property
    def cells_of(self) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
        """Gives the cells of `lines.LINE_FIELDS` of a row that has an empty cell set before it."""
        return self.lines.cells_of

    def words_of(self, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The four keys and six names of a line by its texts.

        None where there is something to say of them, or the line is more than an article (a bundle, an id of its own).
        """
        try:
            found = self.lines.words_of(words)
        except RemarkedValue:
            return None
        is_more = found.line_id or found.is_bundle or not found.is_whole
        return None if is_more else found.key_and_names
