"""docs/data.md names every column of every view and frame, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etl.frames import _ENTRIES
from etl.ledger.views import COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.mark.parametrize(("heading", "columns"), [*COLUMNS.items(), ("entries", _ENTRIES)])
def test_every_column_is_told(heading: str, columns: tuple[str, ...]) -> None:
    """A column that nobody explains is guessed at, and a wrong guess is a wrong sum."""
    (part,) = re.findall(rf"^### `{heading}`.*?(?=^##|\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    told = re.findall(r"^\| `([^`]+)`", part, re.MULTILINE)
    assert tuple(told) == columns
