"""December 2010 of a real shop: the files, a Mews that takes 2010's VAT, and one shell for the whole module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import Shell

from etl.sandbox.server import RunningSandbox, running_sandbox

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def mews() -> Iterator[RunningSandbox]:
    """A gross enterprise in the UK, without a request limit."""
    with running_sandbox(str(HERE / "world.json")) as running:
        yield running


@pytest.fixture(scope="module")
def shell(mews: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A working folder with the mapping of this month."""
    folder = tmp_path_factory.mktemp("december")
    shutil.copytree(HERE / "mapping", folder / "mapping")
    return Shell(folder, mews.url, folder / "mapping")
