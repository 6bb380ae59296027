"""Where the cells of a file stand, in the words of the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from etl.model.export import plain
from etl.model.place import Place
from etl.reading.remarks import RemarkedValue
from etl.staging.draft import Draft
from etl.staging.fields import Column, Layout


class Spots:
    """The cells of one file. `place`: the file itself."""

    def __init__(self, layout: Layout, place: Place) -> None:
        self._layout = layout
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
            draft.add(remark, place, plain(cell))
        if odd.symbol and not odd.is_error:
            draft.symbols.append((odd.symbol, place, plain(cell)))
        return None if odd.is_error else odd.value
