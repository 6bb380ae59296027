"""Inputs of our own, of the kinds that people's files have gone wrong with elsewhere, through the real commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_check import Case
from own_cases import CASES, make


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_own_case(name: str, tmp_path: Path) -> None:
    """The states, amounts, words, memory and time that the case asks for."""
    faults = Case(make(name, tmp_path / "cases"), tmp_path).faults()
    assert not faults, "\n".join(faults)
