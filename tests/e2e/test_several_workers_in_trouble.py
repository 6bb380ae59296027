"""Two runs of one plan as processes of their own: a server that breaks under them, and what has an order between them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pg_cluster import Cluster
from shop_settings import change_enterprise
from small_shop import row, rows, unlimited
from test_several_workers import ORDERS, Workers, ended, open_workers

pytestmark = pytest.mark.slow

STANDS_STILL = 8.0
"""Seconds: less than the patience with a server, far more than any transaction."""


@pytest.fixture
def workers(postgres: Cluster, tmp_path: Path) -> Iterator[Workers]:
    """A Mews without a limit."""
    yield from open_workers(tmp_path, postgres, unlimited(), 0.3)


@pytest.fixture
def strict(postgres: Cluster, tmp_path: Path) -> Iterator[Workers]:
    """A Mews that takes no rebates."""
    yield from open_workers(tmp_path, postgres, change_enterprise(lambda one: replace(one, allow_rebates=False)), 0.3)


def test_a_server_that_starts_anew_under_two(workers: Workers, postgres: Cluster) -> None:
    """The machine of the ledger crashes and comes back at once: whoever was cut off says so, the rerun settles all."""
    several = [workers.run() for _ in range(2)]
    workers.wait_until(lambda: workers.sent() >= ORDERS // 4)
    postgres.stop("immediate")
    postgres.start()
    for process in several:
        out, err = process.communicate(timeout=180)
        assert process.returncode in (0, 2), err[-2000:]
        assert "Traceback" not in err
        assert process.returncode == 0 or "same command again" in err + out
    assert set(workers.shop.held().values()) == {1}
    again = ended(workers.run())
    assert (again["exit_code"], workers.sent(), set(workers.shop.held().values())) == (0, ORDERS, {1})


def test_a_server_that_stands_still_under_two(workers: Workers, postgres: Cluster) -> None:
    """No answer for a while, then all of them: nobody has given up, and nothing is sent twice."""
    several = [workers.run() for _ in range(2)]
    workers.wait_until(lambda: workers.sent() >= ORDERS // 4)
    postgres.pause(stopped=True)
    time.sleep(STANDS_STILL)
    postgres.pause(stopped=False)
    documents = [ended(process) for process in several]
    assert sum(document["orders"]["posted"] for document in documents) == ORDERS
    assert (workers.sent(), set(workers.shop.held().values())) == (ORDERS, {1})


def test_one_of_each_kind_first_over_two(strict: Workers) -> None:
    """Three returns are refused over both, never one at a time by each; the rest are held, and the sales go on."""
    returns = [row(5001 + at, qty=-1, orderDate=f"2024-05-01 11:{at:02d}:00") for at in range(12)]
    strict.export = strict.shop.export([*rows(6), *returns, *rows(20, first=7001)])
    documents = [ended(process, 3) for process in [strict.run(), strict.run()]]
    refused = [one for one in strict.shop.sandbox.requests("orders/add") if one.status == 403]
    assert len(refused) == 3
    for document in documents:
        orders = document["orders"]
        assert (orders["rejected"], orders["blocked"]) == (3, 9)
        assert orders["posted"] + orders["already_posted"] == 26
    assert set(strict.shop.held().values()) == {1}


def test_a_return_follows_its_order_over_two(workers: Workers) -> None:
    """Whoever has which in hand: each return is booked after the order that it belongs to."""
    orders = [_returned(number) for number in range(601, 631)]
    workers.export = workers.shop.folder / "orders.json"
    workers.export.write_text(json.dumps({"orders": orders}), encoding="utf-8")
    documents = [ended(process) for process in [workers.run(), workers.run()]]
    held = workers.shop.held()
    assert (len(held), set(held.values())) == (2 * len(orders), {1})
    assert sum(document["orders"]["posted"] for document in documents) == 2 * len(orders)
    booked = {item.external_identifier.split(":")[2]: at for at, item in enumerate(workers.shop.sandbox.items)}
    late = [number for number in booked if "-R" not in number and booked[number] > booked[f"{number}-R9"]]
    assert late == []


def _returned(number: int) -> dict[str, object]:
    """An order of get-orders of two bowls, one of which came back on the same day."""
    line = {"lineId": 1, "qty": 2, "price": "6.00", "taxPercent": 20, "sku": "B-1", "name": "Bowl"}
    return {
        "orderId": str(number),
        "orderStatus": 4,
        "orderDate": "2024-03-05 10:15:00",
        "orderCurrency": "GBP",
        "deliveryCountry": "GB",
        "grandTotalValue": "12.00",
        "products": [line],
        "returns": [
            {
                "returnId": 9,
                "completed": 1,
                "date": "2024-03-05 10:15:00",
                "products": [{"orderLineId": 1, "quantity": 1, "price": "6.00"}],
            }
        ],
    }
