"""`status` reads a ledger without SQLAlchemy where that is safe, and shows the same as through it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from load_fakes import HOME, VirtualTime, an_order, open_ledger

from etl.errors import LedgerError
from etl.ledger import glance as glances
from etl.ledger import ledger as ledgers
from etl.ledger import migrations
from etl.ledger.glance import glance
from etl.ledger.holder import this_process
from etl.ledger.ledger import Ledger
from etl.ledger.records import RunRecord
from etl.ledger.stamps import stamp
from etl.model.states import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with orders in every state, two runs, answers within and before the last minute, and a writer."""
    path = tmp_path / "ledger.sqlite"
    states = [*State, State.REJECTED, *[State.UNKNOWN] * 12]
    with open_ledger(path, VirtualTime()) as ledger:
        ledger.bind(HOME)
        ledger.record_plan("r1", [an_order(str(number)) for number in range(1, len(states) + 1)])
        ledger.save_run(RunRecord("r1", "run", "sha256:x", "2026-03-01T11:00:00.000000Z", exit_code=3))
        ledger.save_run(RunRecord("r2", "undo", "", "2026-03-01T11:30:00.000000Z"))
        ledger.save_run(RunRecord("r3", "recover", "", "2026-03-01T11:40:00.000000Z"))
        ledger.abandon()
    with closing(sqlite3.connect(path)) as connection, connection:
        for number, state in enumerate(states, 1):
            values = (state.value, "send.unknown", f"message {number}", str(number))
            connection.execute("UPDATE orders SET state = ?, code = ?, message = ? WHERE number = ?", values)
        for seq, seconds in enumerate((0, 1, 59, 60, 61)):
            when = stamp(NOW - timedelta(seconds=seconds))
            connection.execute(
                "INSERT INTO attempts (number, generation, part, seq, run_id, payload_hash, identifier, marker, "
                "service_id, account_id, consumption, basis, fingerprint, skip_fingerprint, recipe_version, predicted, "
                "sent_at, machine_at, outcome, message, request_id, mews_id, finished_at) "
                "VALUES ('1', 1, 'order', ?, 'r1', '', '', '', '', '', '', '', '', '', 1, '', ?, ?, 'done', '', '', '', ?)",
                (seq, when, when, when),
            )
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened through SQLAlchemy."""
    seen: list[str] = []
    real = Ledger.open

    def watched(url_or_path, **more):
        seen.append(str(url_or_path))
        return real(url_or_path, **more)

    monkeypatch.setattr(ledgers.Ledger, "open", watched)
    return seen


def test_both_doors_show_the_same(path, opened, monkeypatch):
    direct = glance(str(path), NOW)
    assert opened == []
    monkeypatch.setattr(glances, "_seen_directly", lambda *_: None)
    assert glance(str(path), NOW) == direct
    assert opened == [str(path)]
    assert direct.home == {name: getattr(HOME, name) for name in ("platform", "enterprise_id", "service_id", "store")}
    assert direct.counts == {**dict.fromkeys(State, 1), State.REJECTED: 2, State.UNKNOWN: 13}
    assert [run.run_id for run in direct.runs] == ["r1", "r2"]
    assert direct.runs[0].exit_code == 3
    assert direct.holder is not None
    assert direct.answered == 3  # 1, 59 and 60 seconds ago
    assert [fault.number for fault in direct.faults] == ["6", "7", "8", *[str(number) for number in range(10, 17)]]


@pytest.mark.parametrize(
    ("change", "shown"), [({}, True), ({"started": "ticks:1"}, False), ({"host": "another-machine", "pid": 7}, True)]
)
def test_a_killed_run_is_not_shown_at_work(path, change, shown):
    """Whoever looks at night must not wait for a process that is gone; one on another machine nobody can see."""
    holder = replace(this_process(), **change)
    with closing(sqlite3.connect(path)) as connection, connection:
        names = ", ".join(f"{name} = ?" for name in asdict(holder))
        connection.execute(f"UPDATE lock SET {names}", tuple(asdict(holder).values()))
    assert glance(str(path), NOW).holder == ((holder.host, holder.pid) if shown else None)


def test_texts_were_written_for_the_newest_schema():
    """A new step of the schema: read the texts of `glance` again, then raise its number."""
    assert migrations.latest() == glances.SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE meta SET value = '7000' WHERE key = 'schema_version'", "ledger.newer"),
        ("UPDATE meta SET value = 'other' WHERE key = 'application'", "ledger.foreign"),
        ("UPDATE orders SET state = 'lost' WHERE number = '3'", "ledger.corrupt"),
        ("UPDATE orders SET state = x'ff' WHERE number = '3'", "ledger.corrupt"),
        ("UPDATE meta SET value = '{' WHERE key = 'home'", "ledger.corrupt"),
        ("DROP TABLE runs", "ledger.corrupt"),
    ],
)
def test_what_is_not_in_order_is_told_by_the_ledger_itself(path, change, code):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    with pytest.raises(LedgerError) as caught:
        glance(str(path), NOW)
    assert caught.value.code == code


@pytest.mark.sqlite
def test_no_file_no_database_and_no_folder_is_created(tmp_path):
    (tmp_path / "text").write_text("no database")
    for name, code in (("none", "ledger.missing"), ("text", "ledger.foreign"), (".", "ledger.foreign")):
        with pytest.raises(LedgerError) as caught:
            glance(str(tmp_path / name), NOW)
        assert caught.value.code == code
    assert [one.name for one in tmp_path.iterdir()] == ["text"]


def test_a_ledger_that_others_may_read_is_made_private(path, opened):
    path.chmod(0o644)
    glance(str(path), NOW)
    assert opened == [str(path)]
    assert path.stat().st_mode & 0o777 == 0o600
    glance(str(path), NOW)
    assert opened == [str(path)]


@pytest.mark.parametrize(
    ("options", "allowed"), [(["--quiet"], set()), (["--json", "--quiet"], {"simplejson"}), ([], {"rich"})]
)
def test_status_loads_no_more_than_it_shows(path, options, allowed):
    """Of the libraries that take long to import: the one that prints tables, the one that prints JSON."""
    script = (
        "import sys; from etl.cli import run; code = run(sys.argv[1:]); "
        "print(code, *(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    call = [sys.executable, "-c", script, *options, "--ledger", str(path), "status"]
    told = subprocess.run(call, capture_output=True, text=True, check=True).stderr.splitlines()[-1].split()
    heavy = {
        *("pandas", "numpy", "httpx", "pydantic", "sqlalchemy", "jinja2", "xlsxwriter", "xlrd", "rich", "structlog"),
        *("tenacity", "pycountry", "isodate", "simplejson", "psutil", "asyncio", "charset_normalizer"),
    }
    assert told[0] == "0"
    assert heavy & set(told) == allowed


def test_without_a_ledger_it_says_so_without_the_library(tmp_path: Path) -> None:
    """Who types `status` in the wrong folder waits for nothing."""
    script = (
        "import sys\nfrom datetime import UTC, datetime\nfrom etl.errors import LedgerError\n"
        "from etl.ledger.glance import glance\n"
        "try:\n    glance(sys.argv[1], datetime.now(UTC))\n"
        "except LedgerError as error:\n    print(error.code, 'sqlalchemy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "none.sqlite")], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["ledger.missing", "False"]
