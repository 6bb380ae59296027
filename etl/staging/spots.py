"""Where the cells of a file stand, in the words of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etl.model.export import plain
from etl.model.place import Place
from etl.model.problem import Severity
from etl.reading.remarks import Remark, RemarkedValue
from etl.staging.draft import Draft
from etl.staging.fields import Column, Layout


class Spots:
    """The cells of one file. `place`: the file itself; `words`: those that values.csv translates, by field."""

    def __init__(self, layout: Layout, place: Place, words: Mapping[str, Mapping[str, str]]) -> None:
        self._layout, self._words = layout, words
        self.place = place

    def at(self, row: int, field: str) -> Place:
        """The cell of a field in that row."""
        header = next(
            (column.header for column in (*self._layout.order, *self._layout.line) if column.field == field), field
        )
        return replace(self.place, row=row, column=header, name=field)

    def field_of(self, header: str) -> str:
        """What a column of the file is; "" for one that is not read."""
        columns = (*self._layout.order, *self._layout.line)
        known = next((column.field for column in columns if column.header == header), "")
        return known or self._layout.renamed.get(header, "")

    def remarked(self, draft: Draft, odd: RemarkedValue, row: int, column: Column, cell: str) -> Any:
        """The value of a cell that there is something to say about, which the draft is told; None where it has none."""
        place = replace(self.place, row=row, column=column.header, name=column.field)
        for remark in odd.remarks:
            draft.add(self._with_near_word(remark, column.field, cell), place, plain(cell))
        if odd.symbol and not odd.is_error:
            draft.symbols.append((odd.symbol, place, plain(cell)))
        return None if odd.is_error else odd.value

    def _with_near_word(self, remark: Remark, field: str, cell: str) -> Remark:
        """What is said of a word that can't be read, with the row of values.csv that differs from it in case only."""
        if remark.severity is not Severity.ERROR:
            return remark
        word = plain(cell).strip().casefold()
        near = next((one for one in self._words.get(field, ()) if one and one.casefold() == word), "")
        if not near:
            return remark
        hint = f"values.csv has {near!r}, and its words are exact: add a row with this spelling. {remark.hint}"
        return replace(remark, hint=hint.strip())
