"""The page of a year (25,897 orders of 20 lines) in a real browser: it works like that of a day; `make bench` has the seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium
from year_page import look_at, write_year

pytestmark = [pytest.mark.skipif(chromium() is None, reason="no Chromium here"), pytest.mark.slow]


def test_a_year_opens_searches_and_unpacks_an_order(tmp_path: Path) -> None:
    """Nothing of it waits for the whole: the table is there, search finds, the order's own chunk is unpacked."""
    seen = look_at(write_year(tmp_path / "year"))
    assert seen.shown.startswith("25,897 orders")
    assert " of 25,897 orders match" in seen.found
    assert seen.complaints == []
