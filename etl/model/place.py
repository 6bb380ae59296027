"""Where something stands in the user's files."""

from __future__ import annotations

from dataclasses import dataclass, replace

from etl.model.packed import Packed


@dataclass(frozen=True, slots=True)
class Place(Packed):
    """A spot in an export or mapping table, as a person would look it up.

    `row` counts from 1 as the spreadsheet or text editor shows it (the header is row 1; for a text
    file it is the line on which the record starts; for JSON the number of the order object).
    """

    file: str = ""
    sheet: str = ""
    row: int | None = None
    column: str = ""

    def at(self, column: str) -> Place:
        """The same spot, in the named column."""
        return replace(self, column=column)

    def __str__(self) -> str:
        parts = [self.file]
        if self.sheet:
            parts.append(f"sheet {self.sheet}")
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column:
            parts.append(f"column {self.column}")
        return ", ".join(part for part in parts if part)
