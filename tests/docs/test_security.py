"""docs/security.md speaks of every file that the program writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.report.folder import OUTPUTS

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
WRITTEN = (
    *(name for name in OUTPUTS if name != "summary.json"),
    *("attention.csv", "ledger.sqlite", "ledger.sqlite.limiter", ".env", "mappings/mews", "centra-mews-error-"),
)


@pytest.mark.parametrize("name", WRITTEN)
def test_every_file_is_told(name: str) -> None:
    """A file that the page does not know is a file that nobody deletes."""
    assert name in PAGE
