"""What every test gets: an empty environment and the shared folder's place, if it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this machine's tokens or settings."""
    for name in list(os.environ):
        if name.startswith(("MEWS_", "CENTRA_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with contract, examples and real data; tests that use it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return SHARED
