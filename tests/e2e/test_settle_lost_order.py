"""An OrderId that Mews answered and does not know: a person decides, through the command, and the run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_shop import SmallShop, open_shop, rows, unlimited

from etl.sandbox.core import PREFIX
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

WRONG = "0badc0de-0000-4000-a000-000000000001"


@pytest.fixture
def settle_shop(tmp_path: Path) -> Iterator[SmallShop]:
    with running_sandbox(unlimited()) as mews:
        yield open_shop(tmp_path, mews, "settle")


def lie_once(shop: SmallShop, *, is_stored: bool) -> None:
    """The first `orders/add` is answered with an OrderId that nobody knows."""
    honest = shop.sandbox.handle
    told: list[str] = []

    def handle(path: str, body: bytes, *more: Any, **named: Any) -> Any:
        if path != f"{PREFIX}orders/add" or told:
            return honest(path, body, *more, **named)
        told.append(WRONG)
        if is_stored:
            answer = honest(path, body, *more, **named)
        else:
            answer = honest(f"{PREFIX}configuration/get", _tokens_only(body), *more, **named)
        return replace(answer, body=json.dumps({"OrderId": WRONG}).encode())

    shop.sandbox.handle = handle  # type: ignore[method-assign]


def _tokens_only(body: bytes) -> bytes:
    sent = json.loads(body)
    return json.dumps({name: sent[name] for name in ("ClientToken", "AccessToken", "Client")}).encode()


def test_an_order_of_which_mews_has_nothing_is_sent_again(settle_shop: SmallShop) -> None:
    """--posted with any OrderId is refused, --absent sends it again, and every order is there once."""
    shop, shell = settle_shop, settle_shop.shell
    lie_once(shop, is_stored=False)
    export = shop.export(rows(3))
    first = shell.run("run", export)
    assert (first.code, first.json["stopped"]["code"]) == (3, "run.first_order")
    assert "centra-mews settle 1001 --absent" in first.json["stopped"]["hint"]
    assert shell.run("run", export).code == 3
    assert shell.run("settle", "1001", "--posted", WRONG).json["error"]["code"] == "settle.contradicted"
    time.sleep(0.6)
    settled = shell.run("settle", "1001", "--absent")
    assert (settled.code, settled.json["state"]) == (0, "ready"), settled.err
    last = shell.run("run", export)
    assert (last.code, last.json["orders"]["posted"]) == (0, 3), last.err
    assert dict(shop.held()) == {"1001": 1, "1002": 1, "1003": 1}
    assert shell.run("settle", "1001", "--absent").json["error"]["code"] == "settle.not_open"
    assert shell.run("reconcile").code == 0


def test_an_order_under_another_id_is_named_and_never_sent_again(settle_shop: SmallShop) -> None:
    """--absent is refused with the OrderId that Mews has; --posted with it, and the run goes on."""
    shop, shell = settle_shop, settle_shop.shell
    lie_once(shop, is_stored=True)
    export = shop.export(rows(3))
    first = shell.run("run", export)
    assert (first.code, first.json["stopped"]["code"]) == (3, "run.first_order")
    assert "centra-mews settle 1001 --posted" in first.json["stopped"]["hint"]
    time.sleep(0.6)
    refused = shell.run("settle", "1001", "--absent").json["error"]
    (real,) = {item.order_id for item in shop.sandbox.items}
    assert (refused["code"], real in refused["hint"]) == ("settle.contradicted", True)
    settled = shell.run("settle", "1001", "--posted", real)
    assert (settled.code, settled.json["state"]) == (0, "posted"), settled.err
    last = shell.run("run", export)
    assert (last.code, last.json["orders"]["posted"], last.json["duplicated"]) == (0, 2, {}), last.err
    assert dict(shop.held()) == {"1001": 1, "1002": 1, "1003": 1}
    assert shell.run("reconcile").code == 0
