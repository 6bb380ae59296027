"""Files as people really have them, through the real commands: each refused, told or read as a careful clerk would."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_check import Case

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/expect.json")) or ["none"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path, shared: Path) -> None:
    """The states, amounts, words, memory and time that the case asks for."""
    faults = Case(shared / "cases" / name, tmp_path).faults()
    assert not faults, "\n".join(faults)
