"""The rehearsal of many properties, small: `benchmarks/portfolio.py` with six of them, each at the limit of its own token."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "portfolio.py"


def test_six_at_once_take_hardly_longer_than_one() -> None:
    """40 orders each at 10/2s: about 24 s alone, however many there are; one after the other would be six times that."""
    words = ("--properties", "6", "--orders", "40", "--limit", "10/2s", "--json")
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["posted"], found["doubles"], found["lost"], found["refused"]) == (240, 0, 0, 0)
    assert found["processes"] >= 6
    # A quiet machine needs a tenth; a machine that runs the suite beside it has bounds of its own.
    assert found["ratio"] < 2, found
