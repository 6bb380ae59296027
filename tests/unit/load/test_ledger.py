"""The ledger file itself: durability settings, modes, locks, plans, migrations, faults of the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from load_fakes import HOME, ME, SERVICE, VirtualTime, an_order, open_ledger
from sqlalchemy import inspect, text

from etl.errors import LedgerError
from etl.ledger import migrations
from etl.ledger.commit import Committer
from etl.ledger.customer_steps import Refusal
from etl.ledger.holder import Holder, is_alive, this_process
from etl.ledger.ledger import Ledger
from etl.ledger.lock import LockLost
from etl.ledger.records import PartKind, RunRecord, loads, stamp
from etl.ledger.standing import standing
from etl.ledger.steps import Intent, NotReady
from etl.model.kinds import KindState
from etl.model.outcome import Kind, Outcome
from etl.model.place import Place
from etl.model.plan import Verdict
from etl.model.problem import Problem
from etl.model.states import CustomerState, State
from etl.model.status import ReportState


@pytest.mark.sqlite
def test_files_are_private_and_commits_durable(path, time):
    """Money and people are in it: 0600 also for the log; FULL, or a power loss forgets what was sent."""
    old = os.umask(0)
    try:
        with open_ledger(path, time) as ledger:
            for suffix in ("", "-wal", "-shm"):
                assert Path(f"{path}{suffix}").stat().st_mode & 0o777 == 0o600
            run = ledger._writing().exec_driver_sql
            assert run("PRAGMA journal_mode").scalar() == "wal"
            assert run("PRAGMA synchronous").scalar() == 2
            assert run("PRAGMA foreign_keys").scalar() == 1
            assert run("PRAGMA busy_timeout").scalar() >= 10_000
            ledger._writing().rollback()
    finally:
        os.umask(old)


def test_a_second_run_is_refused_and_told_who_holds_it(path, time):
    """Two runs on one ledger would post twice."""
    with open_ledger(path, time), Ledger.open(path, wall=time.wall) as second:
        other = replace(ME, pid=4712)
        with pytest.raises(LedgerError) as caught:
            second.take_lock("run", me=other, alive=lambda _: True)
        assert caught.value.code == "ledger.locked"
        assert "4711" in caught.value.message


def test_another_hosts_lock_needs_a_person(path, time):
    """From here nobody can see whether the other machine still works on it."""
    first = open_ledger(path, time)
    try:
        with Ledger.open(path, wall=time.wall) as second:
            there = replace(ME, host="there")
            with pytest.raises(LedgerError) as caught:
                second.take_lock("run", me=there, alive=lambda _: False)
            assert "--take-over here" in caught.value.hint
            with pytest.raises(LedgerError):
                second.take_lock("run", me=there, take_over="elsewhere")
            second.take_lock("run", me=there, take_over="here")
            with pytest.raises(LockLost), first.steps(["1"]):
                pass
    finally:
        first.close()


def test_a_dead_process_is_told_from_a_living_one():
    """Pid, boot and start together: a reused pid or a reboot is no living holder."""
    me = this_process()
    assert is_alive(me)
    assert not is_alive(replace(me, boot_id="another"))
    assert not is_alive(replace(me, started="ticks:1"))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    from etl.ledger.holder import _started

    holder = Holder(me.host, me.boot_id, child.pid, _started(child.pid))
    assert is_alive(holder)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(holder), "a zombie writes nothing any more"
    child.communicate()
    assert not is_alive(holder)


@pytest.mark.sqlite
def test_foreign_and_newer_files_are_refused_untouched(path, tmp_path, time):
    """Somebody's other database, a text file, a folder or a newer ledger must stay as it is."""
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("create table customers (id integer)")
    connection.close()
    before = other.read_bytes()
    note = tmp_path / "note.txt"
    note.write_text("orderNumber;status\n" * 200)
    for foreign in (other, note, tmp_path):
        with pytest.raises(LedgerError) as caught:
            Ledger.open(foreign)
        assert caught.value.code == "ledger.foreign"
    assert other.read_bytes()[100:] == before[100:]
    with open_ledger(path, time) as ledger:
        ledger.set_meta("schema_version", "99")
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.newer"


@pytest.mark.sqlite
def test_a_damaged_file_is_named(path, time):
    """Damage is said, with recover as the way out, not shown as a traceback."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order(str(n)) for n in range(500)])
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(bytes(content))

    def read() -> None:
        with Ledger.open(path) as ledger:
            list(ledger.orders())
            ledger.counts()

    with pytest.raises(LedgerError) as caught:
        read()
    assert caught.value.code in ("ledger.corrupt", "ledger.unusable")


@pytest.mark.sqlite
def test_missing_and_read_only(path, tmp_path, time):
    """`status` of nothing says so; a reading command writes nothing."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path, create=False)
    assert caught.value.code == "ledger.missing"
    assert not path.exists()
    with pytest.raises(LedgerError):
        Ledger.open(tmp_path / "no" / "folder" / "ledger.sqlite")
    with open_ledger(path, time), Ledger.open(path, read_only=True) as reading:
        with pytest.raises(LedgerError) as caught:
            reading.set_meta("x", "y")
        assert caught.value.code == "ledger.read_only"


ADD_COLUMN = """op.execute("ALTER TABLE orders ADD COLUMN colour TEXT DEFAULT 'red'")"""


def a_step(folder, body):
    """A folder with one step beyond the program's own."""
    number = migrations.latest()
    folder.mkdir()
    (folder / "later.py").write_text(
        "from alembic import op\nfrom etl.errors import LedgerError\n"
        f"revision = '{number + 1:04d}'\ndown_revision = '{number:04d}'\n\ndef upgrade():\n    {body}\n"
    )
    return folder


def test_an_older_schema_is_led_on_in_one_transaction(path, tmp_path, time):
    """An upgrade that fails leaves the old ledger whole; one that works keeps every order."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])

    latest = migrations.latest()
    with pytest.raises(LedgerError):
        Ledger.open(path, further=[a_step(tmp_path / "bad", f'{ADD_COLUMN}\n    raise LedgerError("stop here")')])
    with Ledger.open(path) as ledger:
        assert ledger.meta("schema_version") == str(latest)
    with Ledger.open(path, further=[a_step(tmp_path / "good", ADD_COLUMN)]) as ledger:
        assert ledger.meta("schema_version") == str(latest + 1)
        assert ledger.order("1") is not None
        assert ledger._scalar(text("select colour from orders")) == "red"
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.newer"


def test_what_only_reads_upgrades_first(path, tmp_path, time):
    """`status` after an upgrade of the program: nobody has to know which other command leads the ledger on."""
    open_ledger(path, time, lock=False).close()

    further = [a_step(tmp_path / "later", ADD_COLUMN)]
    with Ledger.open(path, read_only=True, further=further) as reading:
        assert reading.meta("schema_version") == str(migrations.latest(further))
        with pytest.raises(LedgerError):
            reading.set_meta("x", "y")


@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_in_use_is_not_upgraded(path, tmp_path, time, read_only):
    """The program that works on it knows the tables as they were."""
    with Ledger.open(path, wall=time.wall) as working:
        working.take_lock("run")
        with pytest.raises(LedgerError) as caught:
            Ledger.open(path, read_only=read_only, further=[a_step(tmp_path / "later", "pass")])
        assert (caught.value.code, f"process {os.getpid()}" in caught.value.message) == ("ledger.locked", True)
        assert working.meta("schema_version") == str(migrations.latest())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_what_can_not_be_upgraded_says_how(path, tmp_path, time):
    """An archive on a write-protected disk: read it with the old program, or copy it."""
    open_ledger(path, time, lock=False).close()
    path.chmod(0o400)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path, read_only=True, further=[a_step(tmp_path / "later", "pass")])
    assert (caught.value.code, "copy the ledger" in caught.value.hint) == ("ledger.read_only", True)


def test_a_ledger_of_the_first_version_is_led_on(path, time):
    """Whoever began with an earlier program goes on with its ledger: nothing of it is lost, what is new is there."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        ledger.set_meta("schema_version", "1")
        with ledger.transaction() as connection:
            for table in ("customers", "cancelled"):
                connection.execute(text(f"DROP TABLE {table}"))
    with Ledger.open(path) as ledger:
        assert ledger.meta("schema_version") == str(migrations.latest())
        assert ledger.order("1") is not None
        for table in ("customers", "cancelled"):
            assert ledger._scalar(text(f"select count(*) from {table}")) == 0


def test_a_ledger_from_before_several_made_customers_is_led_on(path, time):
    """Who was being made when the earlier program died is looked for; who was made or refused stays."""
    people = {f"{name}@example.com": name for name in ("ann", "bob", "cid")}
    with open_ledger(path, time) as ledger:
        with ledger.steps() as steps:
            steps.find_customer("ann@example.com", "made-1")
            steps.refuse_customer("bob@example.com", Refusal("account.cashlist", "on the cash list"))
            steps.intend_customer("cid@example.com", (CustomerState.READY, 0), "sha256:p", "run-1")
        before = ledger.customers(people)
        with ledger.transaction() as connection:
            connection.execute(text("DROP INDEX customers_in_doubt"))
            connection.execute(text("ALTER TABLE customers DROP COLUMN claim"))
        ledger.set_meta("schema_version", "12")
    with Ledger.open(path) as ledger:
        assert ledger.meta("schema_version") == str(migrations.latest())
        assert ledger.customers(people) == before
        assert "customers_in_doubt" in {one["name"] for one in inspect(ledger._read()).get_indexes("customers")}
        assert ledger.take_lock("run", alive=lambda _: False) == 1
        assert ledger.customers(people)["cid@example.com"].state is CustomerState.UNKNOWN
        with ledger.steps() as steps:
            steps.start_settling(time.wall())
            assert not steps.has_unsettled_orphans()


@pytest.mark.sqlite
def test_what_an_earlier_program_posted_has_proved_its_kinds(path):
    """A ledger with thousands of returns in Mews does not ask again whether Mews takes one."""
    dump = Path(__file__).parents[2] / "e2e" / "old_ledger" / "ledger.sql"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(dump.read_text("utf-8"))
        database.execute("PRAGMA application_id = 0x63656E74")
        refused = "SELECT count(*) FROM parts WHERE kind = 'payment' AND state = 'rejected'"
        assert database.execute(refused).fetchone()[0] > 0
        posted = (
            "SELECT DISTINCT json_extract(a.payload, '$.Type') FROM parts p JOIN attempts a USING (number, part, seq) "
            "WHERE p.kind = 'payment' AND p.state = 'posted'"
        )
        types = {f"payment:{name}" for (name,) in database.execute(posted)}
    with Ledger.open(path) as ledger:
        kinds = ledger.kinds()
    assert types <= kinds.keys()
    assert {kind for kind in kinds if kind.startswith("payment:")} == types
    assert {one.state for one in kinds.values()} == {KindState.PROVED}


def test_plans_are_kept_and_counted(path, time):
    """Blocked, skipped and ready orders stand in the ledger with their facts and problems."""
    problem = Problem("tax.unmapped", "2", Place("a.csv", "", 7, "country"), "SE", "no row", "add one")
    plan = [
        an_order("1"),
        an_order("2", verdict=Verdict.BLOCKED, problems=(problem,), source_total=None),
        an_order("3", verdict=Verdict.SKIPPED, skip_reason="status Cancelled"),
    ]
    with open_ledger(path, time) as ledger:
        assert ledger.record_plan("run-1", plan) == Counter({State.READY: 1, State.BLOCKED: 1, State.SKIPPED: 1})
        row = ledger.order("2")
        assert row.problems == (problem,)
        assert row.codes == ("tax.unmapped",)
        assert row.source_total is None
        assert ledger.order("1").source_total == Decimal("12.00")
        assert ledger.order("1").consumption == an_order("1").consumption
        fixed = [plan[0], an_order("2"), an_order("3", verdict=Verdict.BLOCKED, problems=(problem,))]
        ledger.record_plan("run-2", fixed)
        counts = ledger.counts()
        assert (counts[State.READY], counts[State.BLOCKED], counts[State.SKIPPED]) == (2, 1, 0)
        assert [row.number for row in ledger.orders([State.BLOCKED])] == ["3"]
        assert standing(ledger.order("2"), fixed[1], "uk") is ReportState.READY


def test_orders_come_by_number(path, time):
    """People look for 9 before 10."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order(n) for n in ("10", "9", "100")])
        assert [row.number for row in ledger.orders()] == ["9", "10", "100"]


def test_runs_reference_and_meta(path, time):
    """What `report` and offline work rest on comes back as it was."""
    with open_ledger(path, time) as ledger:
        run = RunRecord("r1", "run", "sha256:x", "2026-03-01T00:00:00.000000Z", summary={"a": Decimal("1.10")})
        ledger.save_run(run)
        ledger.save_run(replace(run, finished="later", exit_code=3, sources={"a.csv": "h"}))
        (stored,) = ledger.runs()
        assert (stored.exit_code, stored.sources, stored.summary) == (3, {"a.csv": "h"}, {"a": Decimal("1.10")})
        assert ledger.load_reference() is None
        ledger.save_reference('{"x": 1}')
        time.seconds += 60
        assert ledger.load_reference() == '{"x": 1}'
        assert ledger.reference_saved_at() == time.wall() - timedelta(seconds=60)
        assert ledger.home() == HOME


def test_a_command_started_when_it_began(path, time):
    """Its record is written again at its end, which is no start."""
    with open_ledger(path, time) as ledger:
        began = time.wall()
        ledger.save_run(RunRecord("r1", "run"))
        time.seconds += 3600
        ledger.save_run(RunRecord("r1", "run", exit_code=0))
        (stored,) = ledger.runs()
        assert (stored.started, stored.exit_code) == (stamp(began), 0)


def test_writing_without_the_lock_is_an_error(path, time):
    """No code path may change a state without holding the ledger."""
    from etl.errors import InternalError

    with open_ledger(path, time, lock=False) as ledger, pytest.raises(InternalError):
        ledger.record_plan("run-1", [an_order("1")])


def test_concurrent_steps_share_commits_and_fail_alone(path, time):
    """Group commit: one transaction for what is wanted at once; a step that does not apply hurts nobody else."""
    import asyncio

    commits = []

    async def main(ledger):
        commit = Committer(ledger)
        good = [commit.do(lambda s, n=n: s.withdraw(str(n), 1, "window.passed", "late"), str(n)) for n in range(20)]
        bad = commit.do(lambda s: (_ for _ in ()).throw(NotReady("no")), "0")
        return await asyncio.gather(*good, bad, return_exceptions=True)

    with open_ledger(path, time, checkpoint=lambda name: commits.append(name == "ledger.after_commit")) as ledger:
        ledger.record_plan("run-1", [an_order(str(n)) for n in range(20)])
        commits.clear()
        results = asyncio.run(main(ledger))
        assert sum(commits) == 1
        assert ledger.counts()[State.BLOCKED] == 20
    assert isinstance(results[-1], NotReady)


def test_any_sqlalchemy_url_opens(path, time):
    """`--ledger` takes URLs; an unknown driver is said plainly."""
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.counts()[State.READY] == 0
    for wrong in ("nonsense://x/y", "sqlite://"):
        with pytest.raises(LedgerError):
            Ledger.open(wrong)


def test_the_answer_to_an_older_attempt_decides_nothing(path, time):
    """A second request is under way when the first one's answer comes: it is not the answer to the second."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        refused = Outcome(Kind.WAIT, message="429")
        for seq in (1, 2):
            with ledger.steps(["1"]) as steps:
                assert steps.intend(an_intent("1", time)) == seq
            if seq == 1:
                with ledger.steps(["1"]) as steps:
                    steps.conclude("1", 1, "order", 1, refused, at=time.wall())
        with pytest.raises(NotReady), ledger.steps(["1"]) as steps:
            steps.conclude("1", 1, "order", 1, Outcome(Kind.REFUSED, message="no"), at=time.wall())
        (part,) = ledger.parts(["1"])["1"]
        assert (part.state, part.seq) == (State.IN_FLIGHT, 2)


def an_intent(number: str, time: VirtualTime) -> Intent:
    """The intent of an order without content."""
    texts = ("run-1", "{}", "sha256:x", f"centra:uk:{number}", f"[centra:uk:{number}]", SERVICE, "account-1")
    return Intent(number, 1, "order", PartKind.ORDER, *texts, None, "gross", "sha256:f", "", 1, "", time.wall())


@pytest.mark.sqlite
def test_an_answer_after_the_lock_was_lost_changes_no_file(path, time):
    """Another process is the one writer of it by then, and settles what was under way."""
    first = open_ledger(path, time)
    first.record_plan("run-1", [an_order("1")])
    with first.steps(["1"]) as steps:
        seq = steps.intend(an_intent("1", time))
    refused = Outcome(Kind.REFUSED, status=400, message="x")
    step = lambda steps: steps.conclude("1", 1, "order", seq, refused, at=time.wall())  # noqa: E731
    with open_ledger(path, time) as second:
        with pytest.raises(LockLost):
            asyncio.run(Committer(first).do(step, "1", is_answer=True))
        assert second.order("1").state is State.UNKNOWN
        first.abandon()


def test_what_is_posted_is_never_intended_again(path, time):
    """The last net below every loop that sends: the ledger itself refuses a second intent."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        with ledger.steps(["1"]) as steps:
            steps.conclude("1", 1, "order", steps.intend(an_intent("1", time)), DONE, at=time.wall(), mews_id="o-1")
        with pytest.raises(NotReady), ledger.steps(["1"]) as steps:
            steps.intend(an_intent("1", time))
        assert ledger.parts(["1"])["1"][0].sends == 1


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.DONE], ids=["in doubt", "reversed"])
def test_what_reverses_is_never_planned_again(path, time, kind):
    """A second opposite would take the money back twice: whatever the loop above looks at, the ledger refuses it."""
    undo = replace(an_intent("1", time), part="undo:order", kind=PartKind.UNDO, target="o-1")
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        with ledger.steps(["1"]) as steps:
            steps.conclude("1", 1, "order", steps.intend(an_intent("1", time)), DONE, at=time.wall(), mews_id="o-1")
            steps.plan_undo(*undo.key, undo.target)
            sent = steps.intend(undo)
        for _ in range(2):
            with pytest.raises(NotReady), ledger.steps(["1"]) as steps:
                steps.plan_undo(*undo.key, undo.target)
            with ledger.steps(["1"]) as steps:
                if steps.part_state(*undo.key) is State.IN_FLIGHT:
                    steps.conclude(*undo.key, sent, Outcome(kind, {}, 200), at=time.wall(), mews_id="o-2")
        assert next(part for part in ledger.parts(["1"])["1"] if part.part == "undo:order").sends == 1


DONE = Outcome(Kind.DONE, {}, 200)


@pytest.mark.sqlite
@pytest.mark.parametrize(("free", "code"), [(0, "ledger.disk_full"), (1 << 30, "ledger.unusable")])
def test_a_full_disk_is_called_full(tmp_path, monkeypatch, free, code):
    """SQLite calls it an I/O error where not even the files beside the ledger can be opened."""
    ledger = Ledger.open(tmp_path / "ledger.sqlite")

    def broken(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(ledger, "_read", broken)
    disk = os.statvfs(tmp_path)
    fields = {"f_bavail": free // disk.f_frsize, "f_frsize": disk.f_frsize, "f_flag": disk.f_flag}
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(**fields))
    with pytest.raises(LedgerError) as caught:
        ledger.counts()
    assert caught.value.code == code
    assert ("Free some space" in caught.value.hint) is (free == 0)
    ledger.close()


@pytest.mark.sqlite
def test_what_nobody_asks_of_an_order_is_not_read(path, time):
    """Posting asks for the facts of no order; whoever does is told where they are not as they were written."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1"), an_order("2")])
    with closing(sqlite3.connect(path)) as database, database:
        (text,) = database.execute("SELECT facts FROM orders WHERE number = '2'").fetchone()
        database.execute("UPDATE orders SET facts = '{' WHERE number = '1'")
    with Ledger.open(path, read_only=True) as ledger:
        known = ledger.lookup(["1", "2"])
        assert known["1"].state is State.READY
        with pytest.raises(LedgerError) as caught:
            known["1"].facts.get("payments")
        assert caught.value.code == "ledger.corrupt"
        assert known["2"].facts == loads(text, {})
        assert dict(known["2"].facts) == loads(text, {})
