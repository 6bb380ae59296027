"""Every command on a ledger in PostgreSQL, through the installed program, as on a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cli_run import Done
from pg_cluster import PASSWORD, Cluster
from small_shop import SmallShop, check_counts, open_shop, row, rows, unlimited

from etl.sandbox.server import running_sandbox

ORDERS = 12


@dataclass
class ServerShop:
    """A shop whose ledger is a database. `said`: all that any command wrote, for the search of passwords."""

    shop: SmallShop
    url: str
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: str | Path, timeout: float = 120) -> Done:
        """A command with `--json`."""
        return self.plain("--json", *arguments, timeout=timeout)

    def plain(self, *arguments: str | Path, timeout: float = 120) -> Done:
        """The command as typed."""
        done = self.shop.plain("--ledger", self.url, *arguments, timeout=timeout)
        self.said += [done.out, done.err]
        return done


@pytest.fixture
def on_server(postgres: Cluster, tmp_path: Path) -> Iterator[ServerShop]:
    """A shop and a Mews of its own."""
    with running_sandbox(unlimited()) as mews:
        shop = open_shop(tmp_path, mews, "uk")
        yield ServerShop(shop, postgres.new_database(f"e2e_{tmp_path.name}"))


def _document(done: Done, code: int = 0) -> dict[str, Any]:
    assert done.code == code, done.err[-2000:]
    return done.json


@pytest.mark.slow
def test_the_whole_job_on_a_server(on_server: ServerShop, postgres: Cluster, tmp_path: Path) -> None:
    """Dry run, run, status, next, reconcile, report, undo and the rest; the password stands nowhere."""
    shop = on_server.shop
    export = shop.export([*rows(ORDERS), row(2001, country="CH")])
    planned = _document(on_server.run("dry-run", export, "--report", tmp_path / "dry"), 3)
    ran = _document(on_server.run("run", export, "--expect", planned["plan"], "--report", tmp_path / "ran"), 3)
    check_counts(ran)
    assert (ran["orders"]["posted"], ran["orders"]["blocked"]) == (ORDERS, 1)
    again = _document(on_server.run("run", export), 3)
    assert (again["orders"]["posted"], again["orders"]["already_posted"], again["sent"]) == (0, ORDERS, 0)
    assert set(shop.held().values()) == {1}
    status = _document(on_server.run("status"))
    assert status["orders"] == {"blocked": 1, "posted": ORDERS}
    read_back = _document(on_server.run("reconcile", "--report", tmp_path / "back"), 3)
    assert read_back["orders"]["matched"] == ORDERS
    _document(on_server.run("report", "--report", tmp_path / "again"), 0)
    assert on_server.plain("next", export).code == 0
    assert on_server.plain("status").code == 0
    undone = _document(on_server.run("undo", "--run", ran["run_id"], "--only", "1001", "--yes"))
    assert undone["exit_code"] == 0
    assert on_server.run("settle", "1002", "--absent").code == 2
    _document(on_server.run("preflight", export), 3)
    _password_is_nowhere(on_server, postgres)


@pytest.mark.slow
def test_a_lost_ledger_is_built_again_on_a_server(on_server: ServerShop, postgres: Cluster) -> None:
    """`recover` fills an empty database from Mews; nothing is sent a second time."""
    shop = on_server.shop
    export = shop.export(rows(ORDERS))
    _document(on_server.run("run", export))
    on_server.url = postgres.new_database(f"{on_server.url.rpartition('/')[2]}_new")
    assert on_server.run("run", export).code == 2
    assert _document(on_server.run("recover"))["exit_code"] == 0
    assert _document(on_server.run("run", export))["orders"]["already_posted"] == ORDERS
    assert set(shop.held().values()) == {1}


def _password_is_nowhere(on_server: ServerShop, postgres: Cluster) -> None:
    """In nothing that was said, in no file that was written and in no row of the ledger; as it is and as a URL writes it."""
    encoded = on_server.url.partition("shop:")[2].partition("@")[0]
    files = [path for path in on_server.shop.folder.rglob("*") if path.is_file()]
    texts = [*on_server.said, *(path.read_bytes().decode("latin-1") for path in files)]
    assert not any(secret in text for text in texts for secret in (PASSWORD, encoded))
    with postgres.admin(on_server.url.rpartition("/")[2]) as admin:
        tables = [str(name) for (name,) in admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        assert "orders" in tables
        for table in tables:
            held = admin.execute(f'SELECT count(*) FROM "{table}" t WHERE strpos(t::text, %s) > 0', [PASSWORD])
            assert held.fetchone() == (0,), table
