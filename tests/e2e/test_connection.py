"""Where Mews is and who we are there: what is refused before anything is sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from small_shop import SmallShop, open_shop, row, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import Enterprise, World

pytestmark = pytest.mark.slow

OpenShop = Callable[..., SmallShop]


def with_environment(shop: SmallShop, **values: str) -> SmallShop:
    """The same shop under other MEWS_* values."""
    return replace(shop, shell=replace(shop.shell, env=shop.shell.env | values))


def test_another_plan_than_the_reviewed_one_is_not_sent(shop: SmallShop) -> None:
    """--expect binds the run to the plan that somebody reviewed."""
    export = shop.export(rows(2))
    plan = shop.shell.run("dry-run", export).json["plan"]
    shop.export([*rows(2), row(1999)])
    done = shop.shell.run("run", export, "--expect", plan)
    assert done.code == 2
    assert done.json["error"]["code"] == "plan.differs"
    assert not shop.held()
    shop.export(rows(2))
    assert shop.shell.run("run", export, "--expect", plan).code == 0
    assert shop.held() == {"1001": 1, "1002": 1}


@pytest.mark.parametrize("missing", ["MEWS_PLATFORM_ADDRESS", "MEWS_CLIENT_TOKEN", "MEWS_ACCESS_TOKEN"])
def test_a_missing_variable_is_named(shop: SmallShop, missing: str) -> None:
    """People must know what to export, for every command that talks to Mews."""
    export = shop.export(rows(1))
    done = with_environment(shop, **{missing: ""}).shell.run("dry-run", export)
    assert done.code == 2
    assert missing in done.json["error"]["message"]
    assert all(name in done.err or name != missing for name in (missing,))


def test_all_missing_variables_are_named_at_once(shop: SmallShop) -> None:
    """Three tries for three names would be two too many."""
    bare = replace(shop, shell=replace(shop.shell, url=""))
    for command in (
        ["run", shop.export(rows(1))],
        ["preflight"],
        ["reconcile"],
        ["recover"],
        ["settle", "1", "--absent"],
    ):
        done = bare.shell.run(*command)
        assert done.code == 2, command
        for name in ("MEWS_PLATFORM_ADDRESS", "MEWS_CLIENT_TOKEN", "MEWS_ACCESS_TOKEN"):
            assert name in done.json["error"]["message"]


@pytest.mark.parametrize(
    "address", ["http://api.mews.com", "http://10.0.0.1:8099", "ftp://127.0.0.1", "api.mews.com", "x y"]
)
def test_tokens_do_not_travel_in_the_clear(shop: SmallShop, address: str) -> None:
    """Plain http to another machine would show the tokens to everybody on the way."""
    done = with_environment(shop, MEWS_PLATFORM_ADDRESS=address).shell.run("run", shop.export(rows(1)), timeout=30)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_nobody_listens(shop: SmallShop) -> None:
    """An unreachable Mews is exit code 4, told within seconds."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = with_environment(shop, MEWS_PLATFORM_ADDRESS=address).shell.run("run", shop.export(rows(1)), timeout=90)
    assert done.code == 4
    assert done.json["error"]["exit_code"] == 4
    assert address in done.err


def test_wrong_tokens_stop_at_the_first_request(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hammering Mews with a wrong token gets an integration blocked."""
    with running_sandbox(unlimited()) as mews:
        shop = open_shop(tmp_path_factory.mktemp("shop"), mews, "tokens")
        wrong = with_environment(shop, MEWS_ACCESS_TOKEN="wrong-token")
        done = wrong.shell.run("run", shop.export(rows(3)))
        assert done.code == 4
        assert "wrong-token" not in done.out + done.err
        assert len(mews.sandbox.log) == 1
        assert not mews.sandbox.orders


def test_a_token_revoked_midway_stops_the_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Orders that were not sent stay ready; with a new token the next run posts them, each once."""
    with running_sandbox(unlimited(), faults=[parse_fault("revoke-token:after=40")]) as mews:
        shop = open_shop(tmp_path_factory.mktemp("shop"), mews, "revoked", concurrency=2)
        export = shop.export(rows(30))
        done = shop.shell.run("run", export)
        assert done.code == 4, done.err
        refused = [entry for entry in mews.sandbox.log if entry.status == 401]
        assert 1 <= len(refused) <= 2, "only what was on its way already"
        orders = done.json["orders"]
        assert orders["posted"] == len(mews.sandbox.orders) < 30
        assert orders["posted"] + orders["ready"] == 30
        held = len(mews.sandbox.orders)
    assert held


# Wrong place


@pytest.fixture(scope="module")
def used(open_module_shop: OpenShop) -> SmallShop:
    """A shop that posted two orders."""
    shop = open_module_shop()
    assert shop.shell.run("run", shop.export(rows(2))).code == 0
    return shop


def foreign(shop: SmallShop, *command: str) -> str:
    """The message with which the ledger is refused."""
    before = len(shop.sandbox.orders)
    done = shop.shell.run(*command, shop.folder / "orders.csv")
    assert done.code == 2, done.err
    assert done.json["error"]["code"] == "ledger.foreign"
    assert len(shop.sandbox.orders) == before
    return str(done.json["error"]["message"])


def test_a_ledger_of_another_store_is_refused(used: SmallShop) -> None:
    """Two stores with the same order numbers would otherwise count as one."""
    own = used.store
    try:
        used.map(store="other")
        message = foreign(used, "run")
        assert "other" in message
        assert own in message
        assert "other" in foreign(used, "dry-run", "--offline")
    finally:
        used.map()


def second_service(world: World) -> World:
    """The world with another orderable service."""
    enterprise: Enterprise = world.enterprise
    service = enterprise.services[next(iter(enterprise.services))]
    extra = replace(service, id="5e000000-0000-4000-a000-0000000000ff", external_identifier="BAR", name="Bar")
    more = replace(enterprise, services={**enterprise.services, extra.id: extra})
    return replace(world, enterprises={more.id: more})


def test_a_ledger_of_another_platform_service_or_enterprise_is_refused(used: SmallShop) -> None:
    """Using yesterday's ledger against another property would hide what is missing there."""
    world = second_service(unlimited())
    with running_sandbox(world) as other:
        elsewhere = replace(used, shell=replace(used.shell, url=other.url), mews=other)
        assert other.url in foreign(elsewhere, "run")
        assert not other.sandbox.orders
        shop = open_shop(used.folder / "..", other, "service")
        shop = replace(shop, folder=used.folder)
        fresh = open_shop(_made(used, "fresh"), other, "service")
        assert fresh.shell.run("run", fresh.export(rows(1))).code == 0
        fresh.map(service="eid:BAR")
        assert "service" in foreign(fresh, "run")


def _made(shop: SmallShop, name: str):
    path = shop.folder / name
    path.mkdir()
    return path


def portfolio() -> World:
    """Two hotels behind one token."""
    world = unlimited()
    first = world.enterprise
    second = replace(first, id="e0000000-0000-4000-a000-0000000000ff", name="Sandbox Hotel Leeds")
    return replace(world, is_portfolio=True, enterprises={first.id: first, second.id: second})


def test_a_portfolio_needs_a_choice_and_keeps_to_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a token for two hotels nothing is posted to the wrong one."""
    with running_sandbox(portfolio()) as mews:
        shop = open_shop(tmp_path_factory.mktemp("shop"), mews, "chain")
        export = shop.export(rows(2))
        undecided = shop.shell.run("run", export)
        assert undecided.code == 2, undecided.err
        assert "enterprise_id" in undecided.err
        assert not mews.sandbox.orders
        ids = list(mews.sandbox.world.enterprises)
        shop.map(target=f'rebates = "allow"\nenterprise_id = "{ids[1]}"')
        done = shop.shell.run("run", export)
        assert done.code == 0, done.err
        assert {order.enterprise_id for order in mews.sandbox.orders} == {ids[1]}
        shop.map(target=f'rebates = "allow"\nenterprise_id = "{ids[0]}"')
        assert "enterprise" in foreign(shop, "run")


# Working offline


def test_offline_without_stored_reference_points_to_preflight(shop: SmallShop) -> None:
    """--offline needs what an earlier command stored, and says so."""
    export = shop.export(rows(1))
    done = shop.shell.run("dry-run", "--offline", export)
    assert done.code == 2
    assert "preflight" in done.err or "dry-run" in done.err


def test_offline_plans_without_any_request(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a train: the same plan as online, and not one request, with no connection set at all."""
    with running_sandbox(unlimited()) as mews:
        shop = open_shop(tmp_path_factory.mktemp("shop"), mews, "train")
        export = shop.export(rows(2))
        online = shop.shell.run("dry-run", export)
        requests = len(mews.sandbox.log)
        bare = replace(shop, shell=replace(shop.shell, url=""))
        offline = bare.shell.run("dry-run", "--offline", export)
        assert offline.code == 0, offline.err
        assert offline.json["plan"] == online.json["plan"]
        assert len(mews.sandbox.log) == requests


def test_dry_runs_never_write(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything that calls itself reading only reads."""
    with running_sandbox(unlimited()) as mews:
        shop = open_shop(tmp_path_factory.mktemp("shop"), mews, "reader")
        export = shop.export(rows(2))
        for command in (["preflight", export], ["dry-run", export], ["recover"]):
            shop.shell.run(*command)
        assert {entry.operation.partition("/")[2] for entry in mews.sandbox.log} <= {"get", "getAll"}
        assert not mews.sandbox.orders
