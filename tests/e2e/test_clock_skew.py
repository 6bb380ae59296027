"""Mews's clock decides: a machine whose own is hours or days off does the whole job like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import in_process
from shop_settings import bad_day
from small_shop import check_counts, rows

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seconds", [5 * 3600, -3 * 86400])
def test_a_clock_that_is_off_loses_and_repeats_nothing(tmp_path: Path, seconds: int) -> None:
    """Lost answers, reads that lag, a lost ledger, undo and posting again: every order once, all the way."""
    faults = (
        f"clock-offset:seconds={seconds}",
        "reset-after-commit:1:on=orders/add:at=3+7",
        "reset-before-commit:1:on=orders/add:at=5",
        "lagging-reads:seconds=0.2",
    )
    with bad_day(tmp_path, *faults) as shop:
        shop.shell = in_process(shop.shell)
        shop.map(settle="1")
        file = shop.export(rows(10))
        done = shop.shell.run("run", file)
        check_counts(done.json)
        assert (done.code, done.json["orders"]["posted"] + done.json["orders"]["recovered"]) == (0, 10), done.err
        assert shop.held() == {str(number): 1 for number in range(1001, 1011)}
        assert shop.shell.run("reconcile").code == 0
        shop.ledger.rename(tmp_path / "lost.sqlite")
        assert shop.shell.run("run", file).json["stopped"]["code"] == "ledger.incomplete"
        assert shop.shell.run("recover").json["found"] == 10
        assert shop.shell.run("run", file).json["orders"]["already_posted"] == 10
        assert shop.shell.run("undo", "--run", "recovered", "--yes").json["orders"]["reversed"] == 10
        assert shop.shell.run("run", file, "--repost-undone").json["orders"]["posted"] == 10
        found = shop.shell.run("reconcile")
        assert (found.code, found.json["orders"]["matched"]) == (0, 10), found.json["open"]
