"""One local Mews for each module of tests, and a shop of its own in it for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_shop import SmallShop, open_shop, unlimited

from etl.sandbox.server import RunningSandbox, running_sandbox

_COUNT = itertools.count(1)

OpenShop = Callable[..., SmallShop]


@pytest.fixture(scope="module")
def mews() -> Iterator[RunningSandbox]:
    """A gross enterprise in the UK without a request limit."""
    with running_sandbox(unlimited()) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, mews: RunningSandbox) -> SmallShop:
    """An empty working folder with a mapping, and a store of its own."""
    return open_shop(tmp_path, mews, f"shop{next(_COUNT)}")


@pytest.fixture(scope="module")
def open_module_shop(tmp_path_factory: pytest.TempPathFactory, mews: RunningSandbox) -> OpenShop:
    """Makes a shop that the tests of a module share."""
    return lambda **mapping: open_shop(tmp_path_factory.mktemp("shop"), mews, f"shop{next(_COUNT)}", **mapping)
