"""Two copies of one ledger at work at the same time, as typed: both end with exit code 2, every duplicate is listed."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from small_shop import open_shop, rows, unlimited

from etl.sandbox.server import running_sandbox


@pytest.mark.slow
def test_two_copies_at_once_end_with_2_and_list_every_duplicate(tmp_path: Path) -> None:
    """A second process with a copy of the ledger posts the same orders meanwhile."""
    with running_sandbox(unlimited()) as mews:
        shop = open_shop(tmp_path, mews, "copies", concurrency=1)
        export = shop.export(rows(60))
        assert shop.shell.run("run", export, "--limit", "1").code == 0
        other = tmp_path / "copy.sqlite"
        shutil.copy(shop.ledger, other)
        done = {}

        def post(name: str, *options: str | Path) -> None:
            done[name] = shop.shell.run(*options, "run", export)

        threads = [
            threading.Thread(target=post, args=("first",)),
            threading.Thread(target=post, args=("second", "--ledger", other)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        twice = {number for number, count in shop.held().items() if count == 2}
        if max(shop.held().values()) < 2:
            # One of the two began so late that its first look met the other's orders and ended it, which is as right.
            assert sorted(one.code for one in done.values()) == [0, 2], [one.err for one in done.values()]
            return
        assert {one.code for one in done.values()} <= {0, 2}
        last = max(done.values(), key=lambda one: len(one.json["duplicated"]))
        assert (last.code, set(last.json["duplicated"])) == (2, twice), last.err
        assert all(f"twice in Mews: {number}" in last.err for number in twice)
        recovered = shop.shell.run("recover")
        assert (recovered.code, set(recovered.json["duplicated"])) == (3, twice)
