"""Every command as users type it: exit codes, one JSON document on stdout, text for people on stderr."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from cli_run import Done
from small_shop import STATES, SmallShop, check_counts, row, rows

from etl.cli import cli
from etl.version import __version__

OpenShop = Callable[..., SmallShop]
NAMES = cli.list_commands(click.Context(cli))
PLAN_KEYS = {"command", "plan", "run_id", "exit_code", "orders", "lines", "totals", "problems"}


@pytest.fixture(scope="module")
def journey(open_module_shop: OpenShop) -> dict[str, Done]:
    """A whole migration of five orders, one of them blocked and one skipped; every command's end."""
    shop = open_module_shop()
    lines = [*rows(3), row(1004, country="CH"), row(1005, status="Cancelled")]
    export = shop.export(lines)
    before = shop.shell.run("inspect", export)
    init = replace(shop.shell, mappings=shop.folder / "fresh").run("init", export, "--store", "uk")
    return {
        "inspect": before,
        "init": init,
        "preflight": shop.shell.run("preflight", export),
        "dry-run": shop.shell.run("dry-run", export, "--report", shop.folder / "dry"),
        "run": shop.shell.run("run", export, "--report", shop.folder / "ran"),
        "again": shop.shell.run("run", export),
        "status": shop.shell.run("status"),
        "reconcile": shop.shell.run("reconcile", "--report", shop.folder / "reconciled"),
        "recover": shop.shell.run("recover"),
        "report": shop.shell.run("report", "--report", shop.folder / "again"),
        "settle": shop.shell.run("settle", "1001", "--absent"),
    }


EXIT_CODES = {
    "inspect": 0,
    "init": 0,
    "preflight": 3,
    "dry-run": 3,
    "run": 3,
    "again": 3,
    "status": 0,
    "reconcile": 3,
    "recover": 0,
    "report": 0,
    "settle": 2,
}


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_each_command_ends_with_its_code_and_one_document(journey: dict[str, Done], name: str, code: int) -> None:
    """Scripts rely on exit code and stdout: one JSON document that repeats the code, nothing else."""
    done = journey[name]
    assert done.code == code, done.err
    document = done.json
    assert document["exit_code"] == code
    assert "Traceback" not in done.err
    assert not done.err.lstrip().startswith("{")


@pytest.mark.parametrize("name", ["dry-run", "run", "again", "preflight", "report"])
def test_plan_documents_have_the_fixed_keys_and_add_up(journey: dict[str, Done], name: str) -> None:
    """The keys of design 2 are a contract; counts and money add up in each of them."""
    document = journey[name].json
    assert set(document) >= PLAN_KEYS
    check_counts(document)
    assert document["orders"]["read"] == 5
    assert document["lines"] == {"read": 8, "unassigned": 0}
    (total,) = document["totals"]
    assert set(total) >= {
        "currency",
        "basis",
        "source",
        "planned",
        "rounding",
        "blocked",
        "skipped",
        "changed",
        "posted",
    }
    for problem in document["problems"]:
        assert set(problem) >= {"code", "orders", "examples", "hint"}


def test_the_states_follow_the_migration(journey: dict[str, Done]) -> None:
    """What was ready is posted by the run, and already posted for the next one."""
    states = {name: journey[name].json["orders"] for name in ("dry-run", "run", "again")}
    rest = {"read": 5, "blocked": 1, "skipped": 1}
    for name, key in (("dry-run", "ready"), ("run", "posted"), ("again", "already_posted")):
        assert states[name] == {**dict.fromkeys(STATES, 0), **rest, key: 3}, name
    assert journey["status"].json["orders"] == {"posted": 3, "blocked": 1, "skipped": 1}
    assert journey["dry-run"].json["plan"] == journey["run"].json["plan"] == journey["again"].json["plan"]
    assert journey["run"].json["run_id"] != journey["again"].json["run_id"] != ""


def test_reconcile_finds_every_posted_order(journey: dict[str, Done]) -> None:
    """The ledger's word is compared with Mews's, in the five fixed classes."""
    document = journey["reconcile"].json
    assert document["orders"] == {"matched": 3, "missing": 0, "different": 0, "duplicated": 0, "unexpected": 0}
    assert document["differences"] == []
    assert document["complete"] is False
    assert [(row["state"], row["orders"]) for row in document["not_in_mews"]] == [("blocked", 1)]


def test_people_get_their_text_on_stderr(journey: dict[str, Done]) -> None:
    """With --json a person at the terminal still reads what happened and what to type next."""
    assert "Next: " in journey["dry-run"].err
    assert "--expect sha256:" in journey["dry-run"].err
    assert "already posted" in journey["again"].err


def test_errors_are_data_too(journey: dict[str, Done]) -> None:
    """A refused command tells code, message and hint on stdout and in words on stderr."""
    done = journey["settle"]
    error = done.json["error"]
    assert error["exit_code"] == 2
    assert error["message"] in done.err
    assert error["code"]


@pytest.mark.parametrize("command", ["", *NAMES])
def test_help_is_good_enough_to_work_from(shop: SmallShop, command: str) -> None:
    """Each command explains itself without a ledger, a mapping or a connection."""
    done = shop.plain(*[command] if command else [], "--help")
    assert done.code == 0, done.err
    assert done.err == ""
    assert "Usage: centra-mews" in done.out
    words = done.out.split("Options:")[0].split()
    assert len(words) > 8
    if not command:
        for name in NAMES:
            assert f"  {name} " in done.out


def test_the_module_is_the_command(shop: SmallShop) -> None:
    """`python -m etl` and `centra-mews` are the same program, of the same version."""
    module = subprocess.run([sys.executable, "-m", "etl", "--version"], capture_output=True, text=True, check=True)
    installed = shop.plain("--version")
    assert module.stdout == installed.out
    assert __version__ in installed.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["run"],
        ["run", "orders.csv", "--no-such-option"],
        ["run", "orders.csv", "--limit", "-1"],
        ["run", "orders.csv", "--from", "01.02.2024"],
        ["--log-level", "loud", "status"],
        ["settle", "1001"],
        ["sandbox", "--fault", "no-such-dial"],
        ["sandbox", "--world", "no-such-world"],
        ["undo"],
        ["report"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_code_2_with_a_sentence(shop: SmallShop, arguments: list[str]) -> None:
    """A typing mistake never looks like a crash, and stdout stays clean for scripts."""
    done = shop.plain(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.err.strip()


def test_wrong_use_with_json_is_one_document(shop: SmallShop) -> None:
    """A script that reads stdout gets the mistake as data."""
    done = shop.shell.run("run", "orders.csv", "--no-such-option")
    assert done.code == 2
    assert done.json["exit_code"] == 2
    assert "--no-such-option" in done.json["error"]["message"]


def test_quiet_says_nothing_but_errors(shop: SmallShop) -> None:
    """A scheduled job that goes well leaves no mail; one that fails does."""
    export = shop.export(rows(2))
    good = shop.plain("--quiet", "dry-run", export)
    assert (good.code, good.out, good.err) == (0, "", "")
    bad = shop.plain("--quiet", "dry-run", "missing.csv")
    assert bad.code == 2
    assert "missing.csv" in bad.err


def test_json_logs_are_lines_of_json(shop: SmallShop) -> None:
    """Log collectors take the log as it comes: every line of the log parses, with level and time."""
    export = shop.export(rows(2))
    done = shop.plain("--quiet", "--log-format", "json", "--log-level", "debug", "run", export)
    assert done.code == 0
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)


def test_several_files_are_one_batch(shop: SmallShop) -> None:
    """An export cut into files by month is one history."""
    first, second = shop.export(rows(2), "a.csv"), shop.export(rows(2, first=1003), "b.csv")
    done = shop.shell.run("dry-run", first, second)
    assert done.json["orders"]["ready"] == 4
    check_counts(done.json)


def test_the_environment_names_mapping_and_ledger(shop: SmallShop, tmp_path: Path) -> None:
    """CENTRA_MEWS_MAPPINGS and CENTRA_MEWS_LEDGER save typing; .env holds the connection."""
    export = shop.export(rows(1))
    env = shop.folder / ".env"
    connection = {name: value for name, value in shop.shell.environment().items() if name.startswith("MEWS_")}
    env.write_text("".join(f"{name}={value}\n" for name, value in connection.items()), "utf-8")
    kept = {name: value for name, value in shop.shell.environment().items() if name not in connection}
    done = subprocess.run(
        [sys.executable, "-m", "etl", "--json", "run", str(export)],
        cwd=shop.folder,
        env=kept | {"CENTRA_MEWS_MAPPINGS": str(shop.mapping), "CENTRA_MEWS_LEDGER": str(tmp_path / "own.sqlite")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own.sqlite").exists()
    assert not shop.ledger.exists()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_odd_names_do_not_break_the_output(shop: SmallShop, encoding: str) -> None:
    """A Windows pipe has no UTF-8: a finished run must not end as an internal error because of a letter."""
    export = shop.export([row(1001, product="☃ Émile", comment="─")]).rename(shop.folder / "été ☃.csv")
    done = subprocess.run(
        shop.shell.command("dry-run", export),
        cwd=shop.folder,
        env=shop.shell.environment() | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sources"][0]["file"] == "été ☃.csv"


def test_a_pipe_that_closes_early_is_no_crash(shop: SmallShop) -> None:
    """`centra-mews ... | head` is how people look at things."""
    command = shlex.join(shop.shell.command("inspect", shop.export(rows(2))))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
        cwd=shop.folder,
        env=shop.shell.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_dates_that_leave_no_day_are_refused(shop: SmallShop) -> None:
    """Swapped dates would otherwise look like a finished run of nothing."""
    done = shop.shell.run("dry-run", shop.export(rows(1)), "--from", "2024-06-01", "--to", "2024-05-01")
    assert done.code == 2
    assert "--to" in done.json["error"]["message"]
