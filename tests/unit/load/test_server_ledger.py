"""What only a ledger on a server has: two who make it at once, leases by its clock, late answers, sentences for its faults."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from load_fakes import HOME, SERVICE, SmallMews, VirtualTime, an_order
from pg_cluster import PASSWORD, Cluster
from sqlalchemy import make_url, text

from etl.cli.console import Console
from etl.cli.status import command as status_command
from etl.errors import LedgerError
from etl.ledger import leases, patient, server
from etl.ledger.commit import Committer
from etl.ledger.holder import this_process
from etl.ledger.ledger import Ledger
from etl.ledger.lock import LockLost
from etl.ledger.records import PartKind, RunRecord
from etl.ledger.steps import Intent, KindBusyError, Steps
from etl.load.recovery import recover
from etl.model.outcome import Kind, Outcome
from etl.model.states import State
from etl.pipeline.status import status
from etl.settings import Settings

THERE = replace(this_process(), host="another-host")


@pytest.fixture
def url(postgres: Cluster, tmp_path) -> str:
    return postgres.new_database(f"s_{tmp_path.name}")


def worker(url: str, *, shared: bool = True, elsewhere: bool = False) -> Ledger:
    ledger = Ledger.open(url)
    ledger.take_lock("run", shared=shared, me=THERE if elsewhere else None)
    return ledger


def run_out(ledger: Ledger, to: str = "lease_ends - 90000000") -> None:
    """As if the holder had not come to renew its lease for a minute and a half."""
    with ledger.transaction() as connection:
        connection.execute(text(f"UPDATE workers SET lease_ends = {to} WHERE token = :token"), {"token": ledger.token})


def test_two_make_one_ledger(url):
    """Two runs meet an empty database: one makes the tables, the other finds them."""
    failed: list[BaseException] = []

    def make() -> None:
        try:
            with Ledger.open(url) as ledger:
                ledger.bind(HOME)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []


def test_orders_are_in_one_hand(url):
    """What one claimed the other passes over; what was claimed under a lease that is over is anybody's."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order(str(number)) for number in range(1, 5)])
        assert first.claim(["1", "2"]) == {}
        assert second.claim(["1", "2", "3"]) == {"1": True, "2": True}
        assert first.elsewhere(["1", "2", "3", "4"]) == {"3"}
        run_out(first)
        assert second.bury() == 0
        assert second.claim(["1", "2", "3"]) == {}
        with pytest.raises(LockLost), first.steps(["1"]):
            pass
        with pytest.raises(LockLost):
            first.claim(["4"])
        first._token = ""


def test_what_a_run_does_nothing_more_about_is_anybodys(url):
    """Two runs that have what the other waits for would wait for ever; what is under way or posted stays as it is."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order(str(number)) for number in range(1, 6)])
        assert first.claim(["1", "2", "3", "4"]) == {}
        assert second.claim(["5"]) == {}
        with first.transaction() as connection:
            connection.execute(text("UPDATE orders SET state = 'unknown' WHERE number = '3'"))
            connection.execute(text("UPDATE orders SET state = 'in_flight' WHERE number = '4'"))
        assert second.claim(["3", "4"]) == {"3": True, "4": True}
        first.let_go({"2"})
        assert second.elsewhere(["1", "2", "3", "4", "5"]) == {"2", "4"}
        assert first.elsewhere(["5"]) == {"5"}
        assert second.claim(["1", "3"]) == {}


def test_nobody_waits_for_what_is_posted_and_the_found_may_be_paid(url):
    """Of a posted order nothing more is to be done, unless `recover` found it: its payments are due."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order("1"), an_order("2")])
        with first.transaction() as connection:
            posted = "UPDATE orders SET state = 'posted', posted_run_id = :run WHERE number = :number"
            for number, run in (("1", "run-0"), ("2", "recovered")):
                connection.execute(text(posted), {"run": run, "number": number})
        assert first.claim(["1", "2"]) == {"1": False}
        assert second.claim(["1", "2"]) == {"1": False, "2": False}


def test_what_another_is_just_taking_is_passed_over(url):
    """Neither waited for nor taken away: each goes on with what nobody has."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order("1"), an_order("2")])
        left: list[dict[str, bool]] = []
        thread = threading.Thread(target=lambda: left.append(second.claim(["1", "2"])))
        with first.transaction() as connection:
            connection.execute(text("UPDATE orders SET claim = :me WHERE number = '1'"), {"me": first.token})
            thread.start()
            thread.join(10)
            assert left == [{"1": True}]
        thread.join()


def test_a_lease_that_is_over_is_not_renewed(url):
    """By the server's clock alone: who slept through it has no say any more, even if nobody noticed."""
    with worker(url) as ledger:
        run_out(ledger)
        with pytest.raises(LockLost, match="ran out"):
            ledger.set_order_numbers("x", []) or ledger.steps().__enter__()
        with ledger.transaction() as connection:
            assert connection.execute(leases._RENEW, {"renewed": ledger.token}).rowcount == 0


def test_alone_means_alone(url):
    """Undo, settle and recover exclude runs, and runs them; another plan is told which is at work."""
    with worker(url, elsewhere=True) as first:
        with pytest.raises(LedgerError, match="another-host") as caught:
            worker(url, shared=False)
        assert (caught.value.code, "take-over another-host" in caught.value.hint) == ("ledger.locked", True)
        first.share_plan("sha256:a")
        with worker(url) as second:
            with pytest.raises(LedgerError, match="sha256:a"):
                second.share_plan("sha256:b")
            second.share_plan("sha256:a")
        with Ledger.open(url) as third:
            third.take_lock("undo", take_over=THERE.host)
        first._token = ""
    with worker(url, shared=False), pytest.raises(LedgerError, match="held by process"):
        worker(url)


def test_a_kind_is_tried_by_one_of_several_workers(url):
    """What one has in flight may prove it or have it held: the others wait for that, and go on without the kind."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order(str(number)) for number in range(1, 4)])
        needy = {number: replace(an_intent(number), needs=("rebates",)) for number in "12"}
        with first.steps(["1"]) as steps:
            seq = steps.intend(needy["1"])
        with pytest.raises(KindBusyError), second.steps(["2"]) as steps:
            steps.intend(needy["2"])
        with second.steps(["3"]) as steps:
            steps.intend(an_intent("3"))
        with first.steps(["1"]) as steps:
            steps.conclude("1", 1, "order", seq, Outcome(Kind.DONE, {}, 200), at=datetime.now(UTC), mews_id="mews-1")
        with second.steps(["2"]) as steps:
            steps.intend(needy["2"])


def test_a_kind_that_mews_refused_to_others_is_not_tried_on(url):
    """Held by what one worker met, while the other has chosen its order already."""
    refused = Outcome(Kind.REFUSED, {}, 403, message="Rebates are not allowed.")
    with worker(url, elsewhere=True) as first, worker(url) as second:
        first.record_plan("run-1", [an_order(str(number)) for number in range(1, 5)])
        for number in "123":
            with first.steps([number]) as steps:
                seq = steps.intend(replace(an_intent(number), needs=("rebates",)))
                steps.conclude(number, 1, "order", seq, refused, at=datetime.now(UTC), mews_id="")
        with pytest.raises(KindBusyError), second.steps(["4"]) as steps:
            steps.intend(replace(an_intent("4"), needs=("rebates",)))


def test_whoever_is_at_work_is_told_though_another_was_killed(url, capsys):
    """The lease of a killed process runs on for a minute: `status` names who goes on, and does not say to run again."""
    gone = replace(this_process(), pid=2**22 + 1, started="ticks:1")
    with Ledger.open(url) as ledger:
        ledger.bind(HOME)
        ledger.save_run(RunRecord("r1", "run", "sha256:x", "2026-03-01T11:00:00.000000Z"))
    killed = worker(url)
    with worker(url) as one, worker(url, elsewhere=True) as other:
        with one.transaction() as connection:
            values = {"pid": gone.pid, "started": gone.started, "token": killed.token}
            connection.execute(text("UPDATE workers SET pid = :pid, started = :started WHERE token = :token"), values)
        document = status(url)
        assert [row["host"] for row in document["workers"]] == [this_process().host, "another-host"]
        assert [row["pid"] for row in document["gone"]] == [gone.pid]
        assert document["run"]["state"] == "running"
        assert document["holder"] == {"host": this_process().host, "pid": this_process().pid}
        console = Console(Settings(Path("mappings"), url))
        assert not status_command.callback.__wrapped__(console)
        told = capsys.readouterr().err
        assert told.count("At work: run on ") == 2
        assert f"Gone: process {gone.pid}" in told
        assert "run the same command again" not in told
        one.release_lock()
        other.release_lock()
    document = status(url)
    assert (document["workers"], document["holder"], len(document["gone"])) == ([], None, 1)
    killed.abandon()


def test_turns(url):
    """One at a time; the turn of one that is gone is anybody's."""
    with worker(url, elsewhere=True) as first, worker(url) as second:
        assert (first.take_turn("x"), second.take_turn("x"), second.take_turn("y")) == (True, False, True)
        first.give_turn("x")
        assert (second.take_turn("x"), first.take_turn("x")) == (True, False)
        run_out(second)
        assert first.bury() is False
        assert first.take_turn("x")
        second._token = ""


def waits_for(first: Ledger, do: Callable[[Any], object], then: Callable[[], object]) -> str:
    """The code with which `then` of another worker ends, which waits while `do` of the first is not on disk."""
    ended: list[str] = []

    def other() -> None:
        try:
            then()
        except LedgerError as error:
            ended.append(error.code)

    thread = threading.Thread(target=other)
    with first.transaction() as connection:
        do(connection)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join()
    return "".join(ended)


def test_two_who_come_at_once_are_not_both_alone(url):
    """Whoever comes while another's lease is not on disk yet would find nobody, and both would send."""
    with Ledger.open(url) as first, Ledger.open(url) as second:

        def take(connection: Any) -> None:
            leases.bury(connection, alive=lambda _: True, me=THERE)
            leases.join(connection, me=THERE, token="x", now="", purpose="undo", is_shared=False)

        assert waits_for(first, take, lambda: second.take_lock("undo")) == "ledger.locked"


def test_two_who_come_at_once_have_one_plan(url):
    with worker(url, elsewhere=True) as first, worker(url) as second:
        plan = lambda connection: leases.share_plan(connection, first.token, "sha256:a")  # noqa: E731
        assert waits_for(first, plan, lambda: second.share_plan("sha256:b")) == "ledger.locked"


def test_a_lease_lasts_until_what_was_begun_under_it_is_on_disk(url):
    """Who buries its holder in between would find no intent, and the order would be anybody's while it is on its way."""
    with worker(url) as first, worker(url, elsewhere=True) as second:

        def bury() -> None:
            with second.transaction() as connection:
                leases.bury(connection, alive=lambda _: False, me=this_process())

        assert waits_for(first, first.verify_lock, bury) == ""
        assert not second.is_at_work(first.token)
        first._token = ""


def test_whose_lease_is_over(url):
    """By the clock; a process that is gone by the word of its own machine; another machine's by a person's."""
    with worker(url, elsewhere=True) as first, worker(url) as second:

        def over(*, alive: bool = True, take_over: str = "") -> list[bool]:
            with second.transaction() as connection:
                rows = {row.token: row for row in connection.execute(leases._ALL)}
            me = this_process()
            return [leases._is_over(rows[one.token], me, lambda _: alive, take_over) for one in (first, second)]

        assert over() == [False, False]
        assert over(alive=False) == [False, True]
        assert over(take_over=THERE.host) == [True, False]
        run_out(first)
        assert over() == [True, False]
        first._token = ""


def test_who_renews_or_leaves_does_so_for_itself(url):
    """A lease that others renew never ends; one that others give back stops a run in the middle."""
    ends = "SELECT (lease_ends - extract(epoch FROM clock_timestamp()) * 1000000) / 1000000 FROM workers WHERE token = :token"
    with worker(url, elsewhere=True) as second:
        with worker(url) as first:
            run_out(second, to="(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 30000000")
            with first.transaction() as connection:
                connection.execute(leases._RENEW, {"renewed": first.token})
                left = [connection.scalar(text(ends), {"token": one.token}) for one in (first, second)]
            assert 50 < left[0] <= 60
            assert left[1] <= 30
        assert second.claim([]) == {}
        assert second.is_at_work(second.token)


def test_of_two_who_ask_at_once_one_has_the_turn(url, monkeypatch):
    """Both would send a first order otherwise."""
    real = Steps.meta

    def late(self: Steps, *given: str) -> None:
        time.sleep(0.3)
        real(self, *given)

    monkeypatch.setattr(Steps, "meta", late)
    with worker(url, elsewhere=True) as first, worker(url) as second:
        took: list[bool] = []
        threads = [threading.Thread(target=lambda one=one: took.append(one.take_turn("x"))) for one in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(took) == [False, True]


def test_what_settles_counts_from_the_end_of_the_lease(url):
    """Design 10: from its end plus five seconds, by the server's clock."""
    with worker(url, elsewhere=True) as first:
        first.record_plan("run-1", [an_order("1")])
        first.claim(["1"])
        with first.transaction() as connection:
            connection.execute(text("INSERT INTO parts SELECT '1', 1, 'order', 'in_flight', 'order', '', '', 1, 1, 0, "
                                    "'', '', '', '', '', '', 0, '', '', '', '', '', ''"))  # fmt: skip
            connection.execute(text("UPDATE orders SET state = 'in_flight'"))
        run_out(first)
        with worker(url) as second:
            since = second.seconds_since_last_byte()
            assert since is not None
            assert 20 < since < 30
            (part,) = second.unsettled()
            assert (part.number, part.settle_from) == ("1", None)
        first._token = ""


@pytest.mark.parametrize("ends", [(90, 0), (0, 90)])
def test_of_several_dead_the_last_to_send_counts(url, ends):
    """What of the younger is in doubt would be proved absent too early by the older one's time."""
    with worker(url, elsewhere=True) as first, worker(url, elsewhere=True) as second, worker(url) as third:
        for ledger, seconds in zip((first, second), ends, strict=True):
            run_out(ledger, to=f"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {seconds * 1_000_000}")
        third.bury()
        assert -5 <= (third.seconds_since_last_byte() or 0) < 0
        first._token = second._token = ""


def test_recover_counts_from_five_seconds_after_the_lease_as_runs_do(url, time):
    """The lease of another machine is just over: what was granted under it may leave for five seconds more."""
    mews = SmallMews(time)
    with worker(url, elsewhere=True) as first:
        first.bind(HOME)
        first.record_plan("run-1", [an_order("1")])
        first.claim(["1"])
        with first.steps(["1"]) as steps:
            steps.intend(an_intent("1"))
        run_out(first, to="(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        began = mews.mews_now(time.seconds)
        with worker(url, shared=False) as second:
            asyncio.run(_recovered(second, mews, time))
            (part,) = second.unsettled()
            assert part.settle_from is not None
            assert part.settle_from > began + timedelta(seconds=2)
        first._token = ""


async def _recovered(ledger: Ledger, mews: SmallMews, time: VirtualTime) -> None:
    work = recover(
        ledger, mews, service_id=SERVICE, store="uk", settle_seconds=Decimal(180), clock=time, sleep=time.sleep
    )
    await time.drive(asyncio.ensure_future(work))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "wrong"}, "ledger.refused"),
        ({"username": "nobody"}, "ledger.refused"),
        ({"database": "no_such_database"}, "ledger.missing"),
        ({"port": 1}, "ledger.unreachable"),
        ({"host": "no.such.host.invalid"}, "ledger.unreachable"),
    ],
)
def test_what_keeps_from_logging_in_is_said(url, change, code):
    """A sentence with what to do, and never the password."""
    from etl.ledger.file import ledger_url

    other = ledger_url(url).set(**change).render_as_string(hide_password=False)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(other)
    assert caught.value.code == code, caught.value.message
    assert caught.value.hint
    assert PASSWORD not in f"{caught.value.message} {caught.value.hint}"


def test_a_server_that_takes_no_changes_is_said(url, postgres: Cluster):
    """Reading goes on; writing says why not."""
    Ledger.open(url).close()
    with postgres.admin() as admin:
        admin.execute(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = on')
    with Ledger.open(url, read_only=True) as ledger:
        assert ledger.counts()
    with pytest.raises(LedgerError) as caught:
        worker(url)
    assert (caught.value.code, "primary" in caught.value.hint) == ("ledger.read_only", True)


def test_a_server_that_stands_still_is_given_up(url, postgres: Cluster, monkeypatch):
    """No answer is an answer after a while; when it is back the same command goes on."""
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    assert patient.server is server
    ledger = worker(url)
    try:
        postgres.pause(stopped=True)
        with pytest.raises(LedgerError) as caught:
            ledger.set_meta("x", "y")
        assert caught.value.code == "ledger.unreachable"
    finally:
        postgres.pause(stopped=False)
        ledger.abandon()
    monkeypatch.undo()
    with worker(url) as again:
        again.set_meta("x", "z")
        assert again.meta("x") == "z"
        assert datetime.now(UTC)


def test_who_sleeps_in_a_transaction_goes_before_others_lose_patience(url, monkeypatch):
    """It may hold a row that the other waits for: both waiting as long, it was chance which of the two was ended."""
    assert server.LONGEST_SLEEP * 2 <= server.PATIENCE
    monkeypatch.setattr(server, "LONGEST_SLEEP", 0.3)
    with worker(url, elsewhere=True) as first:
        first.record_plan("run-1", [an_order("1")])
        with worker(url) as second:
            sleeping = first._engine.connect().execution_options(writes=True)
            sleeping.execute(text("SELECT number FROM orders WHERE number = '1' FOR UPDATE"))
            second.set_meta("x", "y")
            with second.transaction() as connection:
                connection.execute(text("UPDATE orders SET message = 'mine' WHERE number = '1'"))
            sleeping.invalidate()
            assert second.order("1").message == "mine"


def test_who_sleeps_in_a_pipeline_goes_likewise(url, monkeypatch):
    """The server calls nobody idle who has not ended what he was sending: whoever waits for him ends him."""
    monkeypatch.setattr(server, "LONGEST_SLEEP", 0.3)
    with worker(url, elsewhere=True) as first:
        first.record_plan("run-1", [an_order("1")])
        with worker(url) as second, server.connect(make_url(url), holds_locks=True) as sleeping:
            pgconn = sleeping.pgconn
            pgconn.enter_pipeline_mode()
            for statement in (b"BEGIN", b"SELECT number FROM orders WHERE number = '1' FOR UPDATE"):
                pgconn.send_query_params(statement, None)
            pgconn.send_flush_request()
            while pgconn.flush():
                time.sleep(0.01)
            time.sleep(0.5)
            begun = time.monotonic()
            with second.transaction() as connection:
                connection.execute(text("UPDATE orders SET message = 'mine' WHERE number = '1'"))
            assert 0.2 < time.monotonic() - begun < server.PATIENCE / 3
            assert second.order("1").message == "mine"
            sleeping.pgconn.finish()


def test_nobody_is_ended_who_is_at_work(url, monkeypatch):
    """A transaction that takes long, and another program's, are waited for."""
    monkeypatch.setattr(server, "LONGEST_SLEEP", 0.3)
    with worker(url, elsewhere=True) as first:
        first.record_plan("run-1", [an_order("1")])
        with worker(url) as second:
            ended = []

            def work() -> None:
                with first.transaction() as connection:
                    connection.execute(text("UPDATE orders SET message = 'first' WHERE number = '1'"))
                    connection.execute(text("SELECT pg_sleep(1.5)"))
                ended.append(time.monotonic())

            busy = threading.Thread(target=work)
            busy.start()
            time.sleep(0.3)
            with second.transaction() as connection:
                connection.execute(text("UPDATE orders SET message = message || ', second' WHERE number = '1'"))
            busy.join()
            assert ended
            assert second.order("1").message == "first, second"


def test_a_connection_that_breaks_is_said_once(url, postgres: Cluster):
    """What reads after it, such as a report of how far a run came, reads on a new one; so does what writes."""
    with worker(url) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        assert ledger.order("1")
        for use in (lambda: ledger.set_meta("x", "y"), lambda: ledger.order("1")):
            with postgres.admin() as admin:
                name = url.rpartition("/")[2]
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            with pytest.raises(LedgerError) as caught:
                use()
            assert caught.value.code == "ledger.unreachable"
            use()
        assert (ledger.order("1").state, ledger.meta("x")) == (State.READY, "y")


def test_a_newer_or_a_foreign_database_is_refused(url, postgres: Cluster, tmp_path):
    """As for a file, with words for a database."""
    with Ledger.open(url) as ledger:
        ledger.set_meta("schema_version", "7000")
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url)
    assert caught.value.code == "ledger.newer"
    other = postgres.new_database(f"o_{tmp_path.name}")
    with postgres.admin(other.rpartition("/")[2]) as admin:
        admin.execute("CREATE TABLE guests (id INTEGER)")
    with pytest.raises(LedgerError, match="holds other tables") as caught:
        Ledger.open(other)
    assert caught.value.code == "ledger.foreign"


def test_a_late_answer_counts(url):
    """Who lost the lease sends nothing more; what Mews answered it is kept, where nothing was sent since."""
    with worker(url, elsewhere=True) as first:
        first.record_plan("run-1", [an_order("1")])
        first.claim(["1"])
        with first.steps(["1"]) as steps:
            seq = steps.intend(an_intent("1"))
        run_out(first)
        with worker(url) as second:
            assert second.order("1").state is State.UNKNOWN
            done = Outcome(Kind.DONE, {}, 200)
            with pytest.raises(LockLost):
                asyncio.run(_answer(Committer(first), seq, done))
            order = second.order("1")
            assert (order.state, order.mews_order_id, order.posted_run_id) == (State.POSTED, "mews-1", "run-1")
        first._token = ""


def an_intent(number: str) -> Intent:
    now = datetime.now(UTC)
    texts = ("run-1", "{}", "sha256:p", "id", "marker", "service", "account")
    return Intent(number, 1, "order", PartKind.ORDER, *texts, None, "gross", "sha256:f", "", 1, "", now)


async def _answer(commit: Committer, seq: int, outcome: Outcome) -> None:
    at = datetime.now(UTC)
    step = lambda steps: steps.conclude("1", 1, "order", seq, outcome, at=at, mews_id="mews-1")  # noqa: E731
    await commit.do(step, "1", is_answer=True)


def test_ledgers_in_schemas_of_one_database(url, postgres: Cluster):
    """A property each: they do not see each other's orders, and count a token's requests together."""
    name = url.rpartition("/")[2]
    with postgres.admin(name) as admin:
        for schema in ("uk", "se"):
            admin.execute(f"CREATE SCHEMA {schema} AUTHORIZATION shop")
    with Ledger.open(f"{url}?options=-csearch_path%3Duk") as uk, Ledger.open(f"{url}?options=-csearch_path%3Dse") as se:
        uk.set_meta("who", "uk")
        assert se.meta("who") is None
    with Ledger.open(f"{url}?options=-csearch_path%3Duk", create=False) as again:
        assert again.meta("who") == "uk"
