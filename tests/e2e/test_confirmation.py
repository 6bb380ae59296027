"""What a person is asked to confirm outside this machine is what the run with these options would send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from in_process import in_process
from shop_settings import bad_day, change_enterprise
from small_shop import SmallShop, row, rows

from etl.cli.console import Console
from etl.pipeline.connect import Link
from etl.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallShop, Path]]:
    """Three sales are posted, three returns refused, four more held for it, one sale undone."""
    world = change_enterprise(lambda one: replace(one, allow_rebates=False))
    with bad_day(tmp_path_factory.mktemp("far"), world=world) as shop:
        shop.shell = in_process(shop.shell)
        file = shop.export([*rows(3), *(row(5001 + at, qty=-1) for at in range(7))])
        done = shop.shell.run("run", file).json["orders"]
        assert (done["posted"], done["rejected"], done["blocked"]) == (3, 3, 4)
        run_id = shop.shell.run("status").json["run"]["run_id"]
        assert shop.shell.run("undo", "--run", run_id, "--only", "1001", "--yes").code == 0
        yield shop, file


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local Mews counts as one that is far away."""
    monkeypatch.setattr(Link, "is_loopback", property(lambda _: False))


@pytest.mark.parametrize(
    ("options", "states"),
    [
        ([], {"already posted": 2, "rejected": 3, "blocked": 4, "undone": 1}),
        (["--retry-rejected"], {"ready": 7, "already posted": 2, "undone": 1}),
        (["--repost-undone"], {"ready": 1, "already posted": 2, "rejected": 3, "blocked": 4}),
        (["--retry-rejected", "--only", "5001", "--only", "5004"], {"ready": 2}),
        (["--only", "5004"], {"blocked": 1}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_question_shows_what_would_be_sent(
    far: tuple[SmallShop, Path], options: list[str], states: dict[str, int]
) -> None:
    """Orders by state and the money of what is ready; nobody answers, so nothing is sent."""
    shop, file = far
    before = len(shop.sandbox.items)
    asked = shop.shell.run("run", file, *options)
    assert (asked.code, asked.json["error"]["code"]) == (2, "plan.unconfirmed")
    for state in ("ready", "already posted", "rejected", "blocked", "undone"):
        found = re.search(rf"^ *{state} +([0-9]+)(?: |$)", asked.err, re.MULTILINE)
        assert (int(found[1]) if found else 0) == states.get(state, 0), (state, asked.err)
    assert len(shop.sandbox.items) == before


def test_a_limit_is_told(far: tuple[SmallShop, Path]) -> None:
    """Shown is what is ready; what goes now is less."""
    shop, file = far
    asked = shop.shell.run("run", file, "--retry-rejected", "--limit", "2")
    assert "of what is ready at most 2 orders" in asked.err


def test_nobody_confirms_what_quiet_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name typed without having seen enterprise, orders and money is no confirmation."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.prompt", lambda *_, **__: "Hotel")
    for quiet in (True, False):
        settings = Settings(Path("mappings"), "ledger.sqlite", quiet=quiet)
        assert Console(settings).confirmed("Hotel", "post") is not quiet
