"""Tokens and people's data: in no file, no log, no report; files are the user's own."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from small_shop import SmallShop, open_shop, row, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow

CLIENT = "client-5f7c1c2e9d60-secret"
ACCESS = "access-9b3e77aa41c8-secret"
LOUD = ("--log-level", "debug", "--log-format", "json")
DIALS = ("status-500-after:at=3:on=orders/add", "reset-before-commit:at=6:on=orders/add", "429-burst:at=40:seconds=0.2")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallShop, dict[str, str]]:
    """A shop with tokens of its own, and everything that its commands said, loudly."""
    folder = tmp_path_factory.mktemp("secrets")
    world = replace(unlimited(), client_token=CLIENT, access_token=ACCESS)
    with running_sandbox(world, faults=[parse_fault(dial) for dial in DIALS]) as mews:
        shop = open_shop(folder, mews, "secrets", settle="0.2")
        tokens = {"MEWS_CLIENT_TOKEN": CLIENT, "MEWS_ACCESS_TOKEN": ACCESS}
        shop = replace(shop, shell=replace(shop.shell, env=shop.shell.env | tokens))
        export = shop.export([*rows(8), row(1009, price="much", email="bob@example.com")])
        far = replace(shop, shell=replace(shop.shell, url="https://mews.invalid"))
        wrong = replace(shop, shell=replace(shop.shell, env=tokens | {"MEWS_ACCESS_TOKEN": ACCESS + "-wrong"}))
        commands = {
            "inspect": (shop, "inspect", export),
            "preflight": (shop, "preflight", export),
            "dry-run": (shop, "dry-run", export, "--report", folder / "dry"),
            "run": (shop, "run", export, "--report", folder / "run"),
            "reconcile": (shop, "reconcile", "--report", folder / "reconciled"),
            "recover": (shop, "recover"),
            "status": (shop, "status"),
            "report": (shop, "report", "--report", folder / "again"),
            "wrong token": (wrong, "run", export),
            "unreachable": (far, "run", export),
            "usage": (shop, "run", export, "--nonsense"),
        }
        texts = {}
        for name, (who, *command) in commands.items():
            done = who.shell.run(*LOUD, *command)
            assert done.code in (0, 2, 3, 4), (name, done.err)
            texts[name] = done.out + done.err
        assert len(shop.held()) == 8, texts["run"]
    return shop, texts


def test_no_output_holds_a_token(said: tuple[SmallShop, dict[str, str]]) -> None:
    """Terminals are shared, logs are shipped: whatever the level, whatever went wrong."""
    _, texts = said
    for name, text in texts.items():
        assert CLIENT not in text, name
        assert ACCESS not in text, name


def test_no_file_holds_a_token(said: tuple[SmallShop, dict[str, str]]) -> None:
    """Ledger, limiter, reports and mappings are copied and mailed."""
    shop, _ = said
    files = [path for path in shop.folder.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        data = path.read_bytes()
        for token in (CLIENT, ACCESS):
            assert token.encode() not in data, path
            assert token.encode("utf-16-le") not in data, path


def test_logs_carry_order_numbers_and_no_people(said: tuple[SmallShop, dict[str, str]]) -> None:
    """A log shipped to another company may not hold guests' addresses."""
    _, texts = said
    for name in ("dry-run", "run", "reconcile", "recover", "status"):
        log = [line for line in texts[name].splitlines() if line.startswith('{"')]
        assert not [line for line in log if "@example.com" in line], name


def test_what_is_written_is_the_users_own(said: tuple[SmallShop, dict[str, str]]) -> None:
    """Ledger, limiter and reports hold guests' purchases: mode 0600, folders 0700."""
    shop, _ = said
    written = [*shop.folder.glob("ledger.sqlite*")]
    for folder in ("dry", "run", "reconciled", "again"):
        assert stat.S_IMODE((shop.folder / folder).stat().st_mode) == 0o700, folder
        written += [path for path in (shop.folder / folder).rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {
        "ledger.sqlite",
        "ledger.sqlite.limiter",
        "report.html",
        "report.xlsx",
        "orders.csv",
        "problems.csv",
        "attention.csv",
        "summary.json",
    }
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_crash_file_is_private_and_without_tokens(said: tuple[SmallShop, dict[str, str]], tmp_path: Path) -> None:
    """Even where something must not happen and does, the trace is the user's alone."""
    from etl.cli.console import Console
    from etl.settings import Secret, Settings

    secret = Secret(ACCESS)
    console = Console(Settings(tmp_path, "ledger.sqlite"))
    before = set(Path(_temporary()).glob("centra-mews-error-*"))
    try:
        raise RuntimeError(f"connection {secret} {secret!r}")  # noqa: TRY301
    except RuntimeError as error:
        console.show_crash(error)
    (path,) = set(Path(_temporary()).glob("centra-mews-error-*")) - before
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ACCESS not in path.read_text("utf-8")
    finally:
        path.unlink()


def _temporary() -> str:
    import tempfile

    return tempfile.gettempdir()
