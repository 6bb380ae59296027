"""Every command that plans for Mews asks Mews first, and a run always looks: design sections 7.5 and 7.6."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import in_process
from small_shop import SmallShop, row, rows

CONFIGURATION, ITEMS = "configuration/get", "orderItems/getAll"


@pytest.fixture
def shop(shop: SmallShop) -> SmallShop:
    """The module's shop, its commands run in this process."""
    shop.shell = in_process(shop.shell)
    return shop


def asked(shop: SmallShop, *arguments: str | Path, code: int) -> list[str]:
    """The operations that one command asked for, in their order."""
    before = len(shop.sandbox.requests())
    done = shop.shell.run(*arguments)
    assert done.code == code, done.err
    return [one.operation for one in shop.sandbox.requests()[before:]]


def test_dry_run_and_run_begin_with_the_configuration(shop: SmallShop) -> None:
    """Clock, pricing, tax environment and permissions as they are now, not as they were stored."""
    file = shop.export(rows(2))
    dry = asked(shop, "dry-run", file, code=0)
    assert (dry[0], ITEMS in dry, "orders/add" in dry) == (CONFIGURATION, False, False)
    posted = asked(shop, "run", file, code=0)
    assert posted[0] == CONFIGURATION
    assert posted.index(ITEMS) < posted.index("orders/add"), "it looks before its first write"
    assert ITEMS in posted[posted.index("orders/add") :], "and at its end"
    assert asked(shop, "dry-run", file, "--offline", code=0) == []


@pytest.mark.parametrize("left", ["all posted", "all blocked", "all skipped", "no order", "limit 0"])
def test_a_run_with_nothing_to_send_looks_once_all_the_same(shop: SmallShop, left: str) -> None:
    """An old copy of the ledger is noticed although nothing would be sent; nothing is written."""
    shop.shell.run("run", shop.export(rows(1)))
    lines = {
        "all posted": rows(1),
        "all blocked": [row(7, country="CH")],
        "all skipped": [row(7, status="Cancelled")],
        "no order": [],
        "limit 0": rows(2),
    }[left]
    more = ["--limit", "0"] if left == "limit 0" else []
    file = shop.export(lines)
    found = asked(shop, "run", file, *more, code=3 if left == "all blocked" else 0)
    assert (found[0], ITEMS in found, "orders/add" in found) == (CONFIGURATION, True, False)
    dry = asked(shop, "dry-run", file, code=3 if left == "all blocked" else 0)
    assert dry[0] == CONFIGURATION
