"""What every test gets: an empty environment and the shared folder's place, if it is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees this machine's tokens or settings, or leaves the requests it sent in its folder."""
    for name in list(os.environ):
        if name.startswith(("MEWS_", "CENTRA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CENTRA_MEWS_LIMITS", str(tmp_path_factory.mktemp("limits")))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with contract, examples and real data; tests that use it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return SHARED


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--postgres`: the same tests, with a database on a server for every ledger."""
    parser.addoption("--postgres", action="store_true", help="Ledgers on a private PostgreSQL instead of files.")


@pytest.fixture(autouse=True)
def ledgers_on_a_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --postgres, each path of a ledger that a test opens stands for a database of its own."""
    if not request.config.getoption("--postgres"):
        return
    if request.node.get_closest_marker("sqlite"):
        pytest.skip("about the file")
    import pg_cluster

    from etl.ledger import store
    from etl.ledger.file import ledger_url

    def on_server(url_or_path: str | Path) -> Any:
        text = str(url_or_path)
        return ledger_url(text if "://" in text else pg_cluster.cluster().database_for(text))

    monkeypatch.setattr(store, "ledger_url", on_server)


@pytest.fixture(scope="session")
def postgres() -> Any:
    """A private PostgreSQL; tests that use it skip where Debian's packages are not installed."""
    pytest.importorskip("psycopg")
    import pg_cluster

    if pg_cluster.programs() is None:
        pytest.skip("needs PostgreSQL's server programs (Debian: postgresql)")
    return pg_cluster.cluster()
