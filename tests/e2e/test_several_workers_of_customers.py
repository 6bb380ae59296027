"""Several runs of one plan that make the customers they charge, as processes of their own: every person once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pg_cluster import Cluster
from shop_settings import accounts_charged, configure, people
from small_shop import check_counts, open_shop, row, unlimited
from test_several_workers import Workers, ended

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

PEOPLE = 12
EACH = 4
"""Orders of a person: as many people as both workers send at once come up in each row."""
PLAIN = 12
ORDERS = PEOPLE * EACH + PLAIN
ADDRESSES = [f"new{person}@example.com" for person in range(PEOPLE)]


class Makers(Workers):
    """Workers that make customers, in a Mews that takes a second one of an address."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        configure(self.shop, accounts="create_customers = true")
        settings = self.shop.mapping / "migration.toml"
        text = settings.read_text("utf-8").replace("settle_seconds = 0.5", "settle_seconds = 1")
        settings.write_text(text.replace("concurrency = 8", "concurrency = 3"), "utf-8")
        orders = [row(1000 + at, email=ADDRESSES[at // EACH]) for at in range(PEOPLE * EACH)]
        self.export = self.shop.export([*orders, *(row(2000 + at) for at in range(PLAIN))])

    def begun(self) -> int:
        """How many people Mews was asked to make."""
        return len(self.shop.sandbox.requests("customers/add"))

    def assert_once(self) -> None:
        """Every order once, all orders of a person on the one customer who was made of him."""
        held = self.shop.held()
        assert (len(held), set(held.values())) == (ORDERS, {1})
        made = people(self.shop, ADDRESSES)
        assert {email: len(ids) for email, ids in made.items()} == dict.fromkeys(ADDRESSES, 1)
        charged = accounts_charged(self.shop)
        assert {charged[str(1000 + at)] == made[ADDRESSES[at // EACH]][0] for at in range(PEOPLE * EACH)} == {True}


def open_makers(folder: Path, postgres: Cluster, *faults: str) -> Iterator[Makers]:
    dials = ("twin-customers", "slow:1.0:seconds=0.3:on=customers/add", "slow:1.0:seconds=0.1:on=orders/add", *faults)
    with running_sandbox(unlimited(), faults=[parse_fault(one) for one in dials]) as mews:
        found = Makers(open_shop(folder, mews, "uk"), postgres.new_database(f"p_{folder.name}"))
        yield found
        found.end()


@pytest.fixture
def makers(postgres: Cluster, tmp_path: Path) -> Iterator[Makers]:
    """A Mews that answers."""
    yield from open_makers(tmp_path, postgres)


@pytest.fixture
def unheard(postgres: Cluster, tmp_path: Path) -> Iterator[Makers]:
    """A Mews some of whose answers about people are lost, or come before they are there."""
    lost = "reset-after-commit:1:on=customers/add:at=2+5"
    yield from open_makers(tmp_path, postgres, lost, "delayed-commit:1:on=customers/add:at=3+7:seconds=0.5")


def test_three_workers_make_each_person_once(makers: Makers) -> None:
    """They meet the same people at the same moment; what one made, the others read from the ledger."""
    documents = [ended(one) for one in [makers.run() for _ in range(3)]]
    makers.assert_once()
    assert makers.begun() == PEOPLE
    for document in documents:
        check_counts(document)
        assert document["orders"]["posted"] + document["orders"]["already_posted"] == ORDERS
    assert sum(document["orders"]["posted"] for document in documents) == ORDERS
    assert sum(document["orders"]["posted"] > 0 for document in documents) > 1
    assert makers.shop.shell.run("--ledger", makers.url, "reconcile").code == 0


def test_whom_nobody_heard_of_is_looked_up_by_two(unheard: Makers) -> None:
    """Lost and late answers: both wait for the same looks, and nobody is made again."""
    documents = [ended(one) for one in [unheard.run() for _ in range(2)]]
    unheard.assert_once()
    assert unheard.begun() == PEOPLE
    assert sum(document["orders"]["posted"] for document in documents) == ORDERS


@pytest.mark.parametrize("dead", [1, 2])
def test_the_living_settle_whom_the_dead_were_making(makers: Makers, dead: int) -> None:
    """kill -9 with people on their way into Mews: those are looked up by who is left, and nobody is made twice."""
    several = [makers.run() for _ in range(3)]
    makers.wait_until(lambda: makers.begun() >= PEOPLE // 3)
    for process in several[:dead]:
        process.kill()
    for process in several[dead:]:
        assert ended(process)["exit_code"] == 0
    makers.assert_once()
    again = ended(makers.run())
    assert again["orders"]["already_posted"] == ORDERS


def test_who_sleeps_past_its_lease_makes_nobody_when_it_wakes(makers: Makers) -> None:
    """Stopped while it makes people: the other finds or makes them; the sleeper wakes and ends with a sentence."""
    sleeper, other = makers.run(), makers.run()
    makers.wait_until(lambda: makers.begun() >= PEOPLE // 3)
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert ended(other)["exit_code"] == 0
    makers.assert_once()
    os.kill(sleeper.pid, signal.SIGCONT)
    # It may have had nothing in hand any more, and then comes to its end.
    out, err = sleeper.communicate(timeout=120)
    assert sleeper.returncode in (0, 2), (out, err)
    assert "Traceback" not in err
    makers.assert_once()
