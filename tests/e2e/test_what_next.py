"""Unknown orders, empty ledgers, wrong folders, missing files: every command says what, where, and what next."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import in_process
from small_shop import SmallShop, rows

pytestmark = pytest.mark.slow

NOBODY = "00000000-0000-4000-8000-000000000001"
ON_ORDERS = (
    ("undo", "--run", "x", "--yes"),
    ("undo", "--only", "99", "--yes"),
    ("undo", "--order-id", NOBODY, "--yes"),
    ("undo", "--order-id", "abc", "--yes"),
    ("settle", "99", "--absent"),
    ("settle", "99", "--posted", NOBODY),
)
ON_FILES = (
    ("dry-run", "nofile.csv"),
    ("run", "nofile.csv"),
    ("inspect", "nofile.csv"),
    ("init", "nofile.csv"),
    ("preflight", "nofile.csv"),
    ("dry-run", "orders.csv", "--corrections", "nofile.csv"),
    ("dry-run", "."),
    ("run", "orders.csv", "--only", "99"),
    ("run", "orders.csv", "--expect", "sha256:0"),
)


@pytest.fixture(scope="module")
def shop(open_module_shop) -> SmallShop:
    """A shop whose commands run in this process, with two orders in Mews."""
    shop = open_module_shop()
    shop.shell = in_process(shop.shell)
    assert shop.shell.run("run", shop.export(rows(2))).code == 0
    return shop


def check(shop: SmallShop, *words: str | Path, code: int = 2) -> None:
    """An error for people: a sentence, and what to do, which is shown as well."""
    done = shop.shell.run(*words)
    assert done.code == code, done.err
    error = done.json["error"]
    assert error["code"] not in ("internal", "usage.internal")
    assert len(error["message"]) > 10
    assert len(error["hint"]) > 20
    assert ".." not in error["hint"].replace("...", ""), error["hint"]
    assert error["hint"] in " ".join(done.err.split()) or error["hint"] in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [*ON_ORDERS, *ON_FILES, ("settle", "1001", "--absent")], ids=" ".join)
def test_what_nobody_knows_is_told_with_what_to_do(shop: SmallShop, words: tuple[str, ...]) -> None:
    """Beside a ledger with two posted orders."""
    check(shop, *words)


def beside(shop: SmallShop) -> SmallShop:
    """The same mapping folder and Mews from another folder, with a ledger of its own."""
    shell = in_process(shop.shell)
    shell.folder = shop.folder / "empty"
    shell.folder.mkdir(exist_ok=True)
    return SmallShop(shell.folder, shell, shop.mews)


@pytest.mark.parametrize("words", [*ON_ORDERS, ("report", "--report", "report")], ids=" ".join)
def test_an_empty_ledger_leads_on(shop: SmallShop, words: tuple[str, ...]) -> None:
    """Preflight alone made it: no order is known yet."""
    empty = beside(shop)
    empty.shell.run("preflight")
    check(empty, *words)


@pytest.mark.parametrize("store", ["", "other"])
def test_reconcile_of_an_empty_ledger_leads_on(shop: SmallShop, store: str) -> None:
    """To `recover` where Mews holds orders of this store, else to what comes before a reconciliation."""
    empty = beside(shop)
    if store:
        empty = SmallShop(empty.folder, in_process(empty.shell), shop.mews)
        empty.shell.mappings = empty.mapping
        empty.map(store=store)
    assert empty.shell.run("preflight").code == 0
    done = empty.shell.run("reconcile")
    assert (done.code, done.json["complete"]) == (3, False)
    wanted = "knows no order of an export yet" if store else "`centra-mews recover` takes in the orders"
    assert wanted in done.err.splitlines()[-1]
    empty.ledger.unlink()


@pytest.mark.parametrize("mappings", ["nowhere", "orders.csv"])
@pytest.mark.parametrize("command", ["dry-run", "run", "reconcile", "undo", "settle", "recover"])
def test_a_wrong_mapping_folder_leads_on(shop: SmallShop, command: str, mappings: str) -> None:
    """Missing, or a file: the hint works when it is typed."""
    shell = in_process(shop.shell)
    shell.mappings = shop.folder / mappings
    more = {"undo": ["--only", "1001", "--yes"], "settle": ["1001", "--absent"]}
    words = more.get(command, [] if command in ("reconcile", "recover") else ["orders.csv"])
    check(SmallShop(shop.folder, shell, shop.mews), command, *words)
    hint = shell.run(command, *words).json["error"]["hint"]
    assert ("init" in hint) is (mappings == "nowhere")


def test_next_leads_on_without_double_stops(shop: SmallShop) -> None:
    """A mistyped file is told before anything else: a step that rests on nothing would send its reader on."""
    done = shop.shell.run("next", "nofile.csv")
    assert (done.code, done.json["error"]["message"]) == (2, "nofile.csv does not exist.")
    assert done.json["error"]["hint"] == "Check the name and the folder."
