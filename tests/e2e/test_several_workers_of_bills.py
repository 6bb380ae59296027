"""Several runs of one plan on the outlet route, as processes of their own: every bill once, whoever dies."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outlet_shop import write_outlet_mapping
from pg_cluster import Cluster
from small_shop import check_counts, open_shop, row, rows, unlimited
from test_several_workers import ORDERS, Workers, ended

from etl.model.identity import parse_identifier
from etl.sandbox import outlet_writes
from etl.sandbox.call import Call, RefusedError
from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

OUTLET = "01000000-0000-4000-a000-000000000001"
PAID = "ca000000-0000-4000-a000-000000000004"
PER_REQUEST = 5
BAD = "1013"


class Tills(Workers):
    """Workers that post bills."""

    def bills(self) -> Counter[str]:
        """How often Mews holds each order of the store: distinct bills."""
        found: dict[str, set[str]] = {}
        for item in self.shop.sandbox.outlets.items:
            parsed = parse_identifier(item.external_identifier or "")
            if parsed is not None and parsed[0].store == self.shop.store:
                found.setdefault(parsed[0].number, set()).add(item.bill_id)
        return Counter({number: len(bills) for number, bills in found.items()})

    def sent(self) -> int:
        return len(self.bills())

    def assert_once(self, count: int = ORDERS) -> None:
        bills = self.bills()
        assert (len(bills), set(bills.values())) == (count, {1})


def open_tills(folder: Path, postgres: Cluster, *faults: str, **world: Any) -> Iterator[Tills]:
    with running_sandbox(unlimited(), faults=[parse_fault(one) for one in faults], **world) as mews:
        shop = open_shop(folder, mews, "uk", concurrency=2, settle="1")
        write_outlet_mapping(shop.mapping, OUTLET, PAID, payments="balance")
        path = shop.mapping / "migration.toml"
        path.write_text(path.read_text("utf-8") + f"bills_per_request = {PER_REQUEST}\n", "utf-8")
        found = Tills(shop, postgres.new_database(f"b_{folder.name}"))
        yield found
        found.end()


@pytest.fixture
def tills(postgres: Cluster, tmp_path: Path) -> Iterator[Tills]:
    """A Mews that takes its time for each request, so that the workers meet."""
    yield from open_tills(tmp_path, postgres, "slow:1.0:seconds=1.0:on=outletBills/add")


def test_workers_share_one_plan_of_bills(tills: Tills) -> None:
    """Each tells as posted what it posted; requests hold several bills, each in one hand."""
    documents = [ended(one) for one in [tills.run(), tills.run(), tills.run()]]
    tills.assert_once()
    for document in documents:
        check_counts(document)
        assert document["orders"]["posted"] + document["orders"]["already_posted"] == ORDERS
    assert sum(document["orders"]["posted"] for document in documents) == ORDERS
    assert sum(document["orders"]["posted"] > 0 for document in documents) > 1
    assert len(tills.shop.sandbox.requests("outletBills/add")) < ORDERS // 2
    back = ended(tills.start("reconcile"))
    assert (back["complete"], back["orders"]["matched"]) == (True, ORDERS)


@pytest.mark.parametrize("dead", [1, 2])
def test_the_living_settle_the_requests_of_the_dead(tills: Tills, dead: int) -> None:
    """kill -9 with whole requests under way: each bill of them is looked up, the others go on."""
    several = [tills.run() for _ in range(3)]
    tills.wait_until(lambda: tills.sent() >= ORDERS // 4)
    for process in several[:dead]:
        process.kill()
    for process in several[dead:]:
        assert ended(process)["exit_code"] == 0
    tills.assert_once()
    assert ended(tills.run())["orders"]["already_posted"] == ORDERS


def test_who_sleeps_past_its_lease_sends_no_bill_when_it_wakes(tills: Tills) -> None:
    """A worker stopped for longer than its lease: the other takes its bills, it wakes and ends with a sentence."""
    # At work for certain, and so with orders in hand whenever it is stopped.
    sleeper = tills.run()
    tills.wait_until(lambda: tills.sent() >= ORDERS // 12)
    other = tills.run()
    tills.wait_until(lambda: tills.sent() >= ORDERS // 4)
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert ended(other)["exit_code"] == 0
    tills.assert_once()
    os.kill(sleeper.pid, signal.SIGCONT)
    assert "lease" in json.dumps(ended(sleeper, 2))
    tills.assert_once()


@pytest.fixture
def lossy(postgres: Cluster, tmp_path: Path) -> Iterator[Tills]:
    """A Mews that keeps the half of some requests and hangs up."""
    faults = ("slow:1.0:seconds=0.5:on=outletBills/add", "partly-committed:0.4:times=6")
    yield from open_tills(tmp_path, postgres, *faults)


def test_what_was_kept_in_part_is_settled_by_one(lossy: Tills) -> None:
    """Half of a request is there, nobody was told which, and one of the two workers dies."""
    several = [lossy.run() for _ in range(2)]
    lossy.wait_until(lambda: lossy.sent() >= ORDERS // 4)
    several[0].kill()
    assert ended(several[1])["exit_code"] == 0
    lossy.assert_once()
    assert ended(lossy.run())["orders"]["already_posted"] == ORDERS


@pytest.fixture
def refusing(postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tills]:
    """A Mews that refuses one bill, and keeps those before it of the request that it stands in."""
    taken = outlet_writes._bill

    def take(call: Call, sent: dict[str, Any]) -> Any:
        if sent["Number"] == BAD:
            raise RefusedError(403, "This bill is not to our liking.")
        return taken(call, sent)

    monkeypatch.setattr(outlet_writes, "_bill", take)
    yield from open_tills(tmp_path, postgres, "slow:1.0:seconds=0.5:on=outletBills/add", "refused-bills:commit=partial")


def test_a_bad_bill_among_several_workers(refusing: Tills) -> None:
    """Down to the one bad bill, whoever has it in hand; what Mews kept of the refused request is found."""
    documents = [ended(one, 3) for one in [refusing.run(), refusing.run()]]
    refusing.assert_once(ORDERS - 1)
    for document in documents:
        orders = document["orders"]
        there = orders["posted"] + orders["recovered"] + orders["already_posted"]
        assert (orders["rejected"], there) == (1, ORDERS - 1)


def test_bills_older_than_the_window_are_tried_by_one(tills: Tills) -> None:
    """One alone first over both workers, then the others."""
    old = [row(number, orderDate="2019-05-01 10:00:00") for number in range(5001, 5013)]
    tills.export = tills.shop.export([*old, *rows(8)])
    documents = [ended(one) for one in [tills.run(), tills.run()]]
    tills.assert_once(20)
    assert sum(document["orders"]["posted"] for document in documents) == 20
