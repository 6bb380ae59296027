"""What tests of ledger and loader begin with: a clock of their own, and where their ledger lies."""

from __future__ import annotations

from pathlib import Path

import pytest
from load_fakes import SmallMews, VirtualTime


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def mews(time: VirtualTime) -> SmallMews:
    return SmallMews(time)
