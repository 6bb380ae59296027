"""A ledger written by commit 1aa00c0 (schema version 2), with the Mews that it belongs to.

Today's program opens, runs, recovers, reconciles and undoes it: every migration is tried on orders in all states.
In `old_ledger/`: `ledger.sql` (a dump; PORT stands for the port), `mews.jsonl` (the state of the sandbox), the
export and the mapping. 1014 was found by `recover`; 1004, 1012, 1017 and 1019 were settled as present, 1017 with other
amounts, 1019 with its item cancelled; gift card of 1005 and capture of 1006 were refused; 1007 is blocked, 1008 was
refused, 1009 skipped, 1010 undone, 1011 undone and posted again, 1013 in doubt (and absent), 1015 changed, 1020 left.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_shop import SmallShop, check_counts, open_shop, unlimited

from etl.model.identity import parse_identifier
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

OLD = Path(__file__).with_name("old_ledger")
IN_MEWS = {
    "1001",
    "1002",
    "1003",
    "1004",
    "1005",
    "1006",
    "1011",
    "1012",
    "1014",
    "1015",
    "1016",
    "1017",
    "1018",
    "1019",
}


@pytest.fixture
def old_shop(tmp_path: Path) -> Iterator[SmallShop]:
    """The old ledger, its export and its Mews, as they were left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    shutil.copy(OLD / "mews.jsonl", tmp_path / "mews.jsonl")
    shutil.copy(OLD / "orders.csv", tmp_path / "orders.csv")
    with running_sandbox(unlimited(), port=port, state=tmp_path / "mews.jsonl") as mews:
        shop = open_shop(tmp_path, mews, "shop")
        shutil.copytree(OLD / "mapping", shop.mapping, dirs_exist_ok=True)
        with sqlite3.connect(shop.ledger) as connection:
            connection.executescript((OLD / "ledger.sql").read_text("utf-8").replace("PORT", str(port)))
        connection.close()
        yield shop


def live(shop: SmallShop) -> dict[str, list[str]]:
    """The lines that Mews holds of each order and generation, cancelled ones aside."""
    found: dict[str, list[str]] = {}
    for item in shop.sandbox.items:
        parsed = parse_identifier(item.external_identifier or "")
        assert parsed is not None
        if item.canceled is None:
            found.setdefault(parsed[0].number, []).append(parsed[1])
    return found


def test_the_dump_holds_what_it_is_for(old_shop: SmallShop) -> None:
    """Were a state lost when the dump is made again, nobody would notice that its migration is not tried."""
    assert old_shop.ledger_value("select value from meta where key = 'schema_version'") == "2"
    with sqlite3.connect(old_shop.ledger) as connection:
        states = dict(connection.execute("select number, state from orders"))
        generations = dict(connection.execute("select number, max(generation) from parts group by number"))
    connection.close()
    assert {*states.values()} == {"posted", "rejected", "blocked", "skipped", "undone", "unknown", "ready"}
    assert generations["1011"] == 2
    assert old_shop.ledger_value("select count(*) from customers where state = 'created'") == 1
    assert old_shop.ledger_value("select count(*) from parts where kind = 'payment' and state = 'posted'") == 3


def test_an_old_ledger_goes_on(old_shop: SmallShop) -> None:
    """Whatever the first command is, nothing is posted twice, what was left is sent, and every order is counted."""
    shop, shell = old_shop, old_shop.shell
    before = {number: len(lines) for number, lines in live(shop).items()}
    # The item of 1019 that staff cancelled is taken in first: a run would call the ledger incomplete.
    assert shell.run("run", shop.folder / "orders.csv").code == 2
    assert shell.run("recover").code in (0, 3)
    dry = shell.run("dry-run", shop.folder / "orders.csv")
    assert dry.code == 3, dry.err
    check_counts(dry.json)
    assert dry.json["orders"]["read"] == 20
    done = shell.run("run", shop.folder / "orders.csv", "--expect", dry.json["plan"])
    assert done.code == 3, done.err
    check_counts(done.json)
    orders = done.json["orders"]
    # 1013 was proved absent and sent, 1020 was left.
    assert (orders["posted"], orders["rejected"], orders["blocked"]) == (2, 3, 1), orders
    # Of 1019 nothing is left: staff cancelled all of it.
    assert (orders["skipped"], orders["changed"], orders["undone"]) == (1, 1, 2), orders
    after = {number: len(lines) for number, lines in live(shop).items()}
    assert after == before | {"1013": 1, "1020": 1}
    assert set(shop.held()) == IN_MEWS | {"1010", "1013", "1020"}
    status = shell.run("status").json["orders"]
    assert sum(status.values()) == 20, status


@pytest.mark.parametrize("command", ["status", "report", "reconcile", "recover"])
def test_every_command_takes_an_old_ledger_first(old_shop: SmallShop, command: str) -> None:
    """After an upgrade of the program nobody has to run something else first."""
    report = ["--report", str(old_shop.folder / "report")] if command == "report" else []
    done = old_shop.shell.run(command, *report)
    assert done.code == {"reconcile": 3}.get(command, 0), done.err
    assert done.json["command"] == command


def test_an_old_ledger_is_reconciled(old_shop: SmallShop) -> None:
    """The orders that agree agree, the two that were tampered with are told."""
    found = old_shop.shell.run("reconcile").json
    assert found["orders"]["matched"] == 12
    assert {row["order"] for row in found["differences"]} == {"1017", "1019"}


def test_an_old_ledger_is_undone(old_shop: SmallShop) -> None:
    """The run that posted five orders, one of them with a payment, is reversed and stays so."""
    shop, shell = old_shop, old_shop.shell
    with sqlite3.connect(shop.ledger) as connection:
        (run,) = connection.execute("select posted_run_id from orders where number = '1002'").fetchone()
    connection.close()
    assert shell.run("recover").code in (0, 3)
    done = shell.run("undo", "--run", run, "--yes")
    assert done.code == 0, done.err
    assert done.json["orders"]["reversed"] == 5
    assert not live(shop).keys() & {"1001", "1002", "1003", "1015", "1018"}
    again = shell.run("undo", "--run", run, "--yes")
    assert again.json["orders"]["reversed"] == 0
