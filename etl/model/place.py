"""Where something stands in the user's files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from etl.model.packed import Packed
from etl.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Place(Packed):
    """A spot in an export or mapping table, as a person would look it up.

    `row` counts from 1 as the spreadsheet or text editor shows it (the header is row 1; for a text
    file it is the line on which the record starts; for JSON the number of the order object). `column` is the file's
    own header, `name` Centra's name of it where staging knows it.
    """

    file: str = ""
    sheet: str = ""
    row: int | None = None
    column: str = ""
    name: str = field(default="", compare=False)

    def at(self, column: str, name: str = "") -> Place:
        """The same spot, in the named column. `name`: the field that it is, where the file calls it otherwise."""
        return replace(self, column=column, name=name)

    @property
    def canonical(self) -> str:
        """Centra's name of the column, whatever its header."""
        return self.name or self.column

    @property
    def table(self) -> str:
        """The file, or the sheet of it."""
        return f"{self.file}, sheet {self.sheet}" if self.sheet else self.file

    def __str__(self) -> str:
        parts = [self.file]
        if self.sheet:
            parts.append(f"sheet {self.sheet}")
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column:
            parts.append(f"column {self.column}")
        return ", ".join(part for part in parts if part)
