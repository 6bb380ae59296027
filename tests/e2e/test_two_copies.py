"""One history by two ledgers, as typed: two copies at the same time list every duplicate, another service takes nothing."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from shop_settings import change_enterprise
from small_shop import open_shop, rows, unlimited

from etl.sandbox.server import running_sandbox

SPA = "5e000000-0000-4000-a000-0000000000ff"


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


@pytest.mark.slow
def test_a_second_service_takes_nothing_of_the_history_that_the_first_one_has(tmp_path: Path) -> None:
    """A new ledger and another target.service: exit code 2 before the first order; what is undone may move."""
    shops = change_enterprise(
        lambda hotel: replace(
            hotel,
            services={
                **hotel.services,
                SPA: replace(next(iter(hotel.services.values())), id=SPA, name="Spa", external_identifier=None),
            },
        )
    )
    with running_sandbox(shops) as mews:
        shop = open_shop(tmp_path, mews, "uk")
        export = shop.export(rows(12))
        first = shop.shell.run("run", export)
        assert (first.code, first.json["orders"]["posted"]) == (0, 12), first.err
        web_shop = mews.sandbox.items[0].service_id
        shop.map(service=SPA)
        reads = len(mews.sandbox.requests("orderItems/getAll"))
        second = shop.shell.run("--ledger", tmp_path / "spa.sqlite", "run", export)
        assert second.code == 2, second.err
        assert "ledger.other_route" in second.out + second.err
        assert "holds 12 orders of this plan already as orders of other services: 1001 (" in second.err
        assert len(mews.sandbox.requests("orderItems/getAll")) - reads <= 8
        assert set(shop.held().values()) == {1}
        assert {item.service_id for item in mews.sandbox.items} == {web_shop}
        shop.map()
        undone = shop.shell.run("undo", "--run", first.json["run_id"], "--yes")
        assert undone.code == 0, undone.err
        shop.map(service=SPA)
        moved = shop.shell.run("--ledger", tmp_path / "spa.sqlite", "run", export)
        assert (moved.code, moved.json["orders"]["posted"]) == (0, 12), moved.err
        other = open_shop(tmp_path, mews, "de", service="eid:WEB-SHOP")
        another = other.shell.run("--ledger", tmp_path / "de.sqlite", "run", export)
        assert (another.code, another.json["orders"]["posted"]) == (0, 12), another.err
