"""run --canary: the first orders are compared with Mews, item by item, before any other is sent."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from shop_settings import bad_day, change_enterprise, configure
from small_shop import SmallShop, check_counts, open_shop, row, rows, unlimited, write_export

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox


def test_a_good_canary_lets_the_others_go(shop: SmallShop) -> None:
    """All is posted in one run, each order once, and the document says what was compared."""
    export = shop.export(rows(7))
    done = shop.shell.run("run", export, "--canary", "3")
    assert (done.code, done.json["orders"]["posted"], done.json["sent"]) == (0, 7, 7), done.err
    found = done.json["canary"]
    assert (found["orders"], found["items"], found["matched"], found["differences"]) == (3, 6, 3, {})
    assert "3 of 3 orders" in done.err
    assert set(shop.held().values()) == {1}
    check_counts(done.json)
    again = shop.shell.run("run", export, "--canary", "3")
    assert (again.code, again.json["orders"]["already_posted"], again.json["canary"]["orders"]) == (0, 7, 0)


def test_limit_counts_the_canary(shop: SmallShop) -> None:
    """--limit bounds all that a run posts, first orders included."""
    export = shop.export(rows(6))
    done = shop.shell.run("run", export, "--canary", "2", "--limit", "3")
    assert (done.code, done.json["orders"]["posted"], done.json["canary"]["orders"]) == (0, 3, 2)
    less = shop.shell.run("run", export, "--canary", "5", "--limit", "2")
    assert (less.json["orders"]["posted"], less.json["canary"]["orders"], len(shop.held())) == (2, 2, 5)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_the_first_difference_stops_the_run(tmp_path: Path) -> None:
    """A Mews that books other amounts after the first order was checked gets no further order; both sides are told."""
    port, state = free_port(), tmp_path / "mews.jsonl"
    with running_sandbox(unlimited(), port=port, state=state) as mews:
        shop = open_shop(tmp_path, mews, "shop")
        export = shop.export(rows(8))
        assert shop.shell.run("run", export, "--limit", "1").code == 0
    with running_sandbox(unlimited(), port=port, state=state, faults=[parse_fault("other-amounts:cents=7")]) as mews:
        shop = replace(shop, mews=mews)
        done = shop.shell.run("run", export, "--canary", "2")
        assert (done.code, len(shop.held()), done.json["orders"]["ready"]) == (3, 3, 5), done.err
        check_counts(done.json)
        assert done.json["stopped"]["code"] == "run.canary"
        found = done.json["canary"]
        assert (found["orders"], found["matched"], len(found["differences"])) == (2, 0, 2)
        (words, *_) = found["differences"].values()
        # 7.00 for two bowls of 3.50, and seven pence more.
        assert any("7.00 GBP" in text and "7.07 GBP" in text for text in words), words
        assert "Stopped" in done.err


def test_a_refused_canary_stops_the_run(tmp_path: Path) -> None:
    """What the dry run called ready and Mews refuses is a difference: nothing else is tried."""
    world = change_enterprise(lambda one: replace(one, allow_rebates=False))
    with bad_day(tmp_path, world=world) as shop:
        lines = [
            row(1001),
            row(1002, qty=-1, orderDate="2024-05-02"),
            *[row(n, orderDate="2024-06-01") for n in (3, 4)],
        ]
        done = shop.shell.run("run", shop.export(lines), "--canary", "2")
        assert (done.code, set(shop.held())) == (3, {"1001"}), done.err
        assert done.json["stopped"]["code"] == "run.canary"
        assert "rebates" in done.json["stopped"]["message"]
        assert (done.json["orders"]["rejected"], done.json["orders"]["ready"]) == (1, 2)


def test_a_reservation_that_nobody_asked_for_is_a_difference(tmp_path: Path) -> None:
    """Mews may link one by itself: the canary sees it even where the first order had none."""
    port, state = free_port(), tmp_path / "mews.jsonl"
    with running_sandbox(unlimited(), port=port, state=state) as mews:
        shop = open_shop(tmp_path, mews, "shop")
        export = shop.export(rows(5))
        assert shop.shell.run("run", export, "--limit", "1").code == 0
    with running_sandbox(unlimited(), port=port, state=state, faults=[parse_fault("links-reservation")]) as mews:
        shop = replace(shop, mews=mews)
        done = shop.shell.run("run", export, "--canary", "2")
        assert (done.code, len(shop.held())) == (3, 3), done.err
        assert "nobody asked for" in done.json["stopped"]["message"]


def test_lagging_reads_are_waited_for(tmp_path: Path) -> None:
    """An order that can't be read yet is no difference."""
    with bad_day(tmp_path, "lagging-reads:seconds=0.4", settle=1) as shop:
        done = shop.shell.run("run", shop.export(rows(4)), "--canary", "2")
        assert (done.code, done.json["canary"]["matched"]) == (0, 2), done.err


def test_payments_of_the_canary_are_compared(shop: SmallShop) -> None:
    """A payment is part of the order: it is read back with it."""
    configure(shop, payments='post = true\ntype = "CreditCard"')
    lines = [
        {**line, "payment.capture.status": "1", "payment.capture.amount": "12.00", "payment.method": "card"}
        for line in (row(1), row(2), row(3))
    ]
    done = shop.shell.run("run", write_export(shop.folder / "paid.csv", lines, header=(*lines[0],)), "--canary", "2")
    assert (done.code, done.json["canary"]["payments"], done.json["canary"]["matched"]) == (0, 2, 2), done.err
