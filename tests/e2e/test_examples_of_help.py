"""Every example at the end of a command's help is run: what a person copies has to work, or say why it can't."""

from __future__ import annotations

import shlex
import signal
import subprocess

import pytest
import xlsxwriter
from cli_run import Done
from in_process import in_process
from small_shop import HEADER, SmallShop, row, rows

from etl.cli import COMMANDS, EXAMPLES

pytestmark = pytest.mark.slow

SERVERS = frozenset({"sandbox", "demo"})
"""`sandbox` runs until it is stopped; `demo` is run by tests/packaging."""
MADE_UP = {
    "run orders.csv --expect sha256:4f1c.. --canary 10 --report run": "not the reviewed sha256:4f1c",
    "settle 536365 --posted 7c9e6679-7425-40de-944b-e07fc1f90ae7": "there is nothing to decide",
    "settle 536365 --absent": "536365",
    "undo --run 3f2a91c07d5e": "3f2a91c07d5e",
    "undo --run recovered --only 536365": "'recovered'",
}
"""Examples with a plan, an order or a run that nobody has, and what is said of it."""

PORTFOLIO = """
[[property]]
name = "bath"
exports = ["orders.csv"]
mapping = "mapping"
ledger = "ledger.sqlite"
"""


@pytest.fixture(scope="module")
def shop(open_module_shop) -> SmallShop:
    """A shop with the files that the examples name, and one order in Mews."""
    shop = open_module_shop()
    shop.shell = in_process(shop.shell)
    shop.export([row(536365), *rows(2)])
    for year in (2010, 2011):
        with xlsxwriter.Workbook(shop.folder / f"orders-{year}.xlsx") as book:
            sheet = book.add_worksheet()
            for at, cells in enumerate([HEADER, *(tuple(one.values()) for one in rows(1, first=year))]):
                sheet.write_row(at, 0, cells)
    shop.export([row(1001, price="13.00")], "attention.csv")
    (shop.folder / "portfolio.toml").write_text(PORTFOLIO, "utf-8")
    assert shop.shell.run("run", "orders.csv").code == 0
    return shop


def as_it_stands(shop: SmallShop, example: str) -> Done:
    """The example as it is typed, in the shop's folder."""
    words = shlex.split(example)
    if "--workbook" in words:
        # Beside CSV tables it is refused; in a folder of its own it is what a person would type.
        words = ["--mappings", "another", *words]
    if "--ledger" in words:
        (shop.folder / "uk.sqlite").write_bytes(shop.ledger.read_bytes())
    return shop.shell.run(*words)


CASES = [example for name in COMMANDS if name not in SERVERS for example in EXAMPLES[name]]


@pytest.mark.parametrize("example", CASES)
def test_an_example_works_as_it_is_typed(shop: SmallShop, example: str) -> None:
    """Exit code 0 or 3; what is made up in it is named in the refusal, which says what to do."""
    done = as_it_stands(shop, example)
    if example in MADE_UP:
        assert done.code == 2, done.err
        error = done.json["error"]
        assert MADE_UP[example] in f"{error['message']} {error['hint']}", error
        assert error["hint"]
    else:
        assert done.code in (0, 3), done.err
        assert "usage" not in done.out[:60]


@pytest.mark.parametrize("example", EXAMPLES["sandbox"])
def test_the_sandboxs_examples_start(shop: SmallShop, example: str) -> None:
    """Each serves until Ctrl-C, or writes its file and ends: while Python ends, it dies of the signal instead."""
    words = shlex.split(example)
    if "--port" not in words and "--write-world" not in words:
        words += ["--port", "0"]
    command = [*shop.shell.command()[:3], *words]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=shop.folder, **pipes) as server:  # type: ignore[call-overload]
        first = server.stderr.readline()
        if "--write-world" not in words:
            server.send_signal(signal.SIGINT)
        code = server.wait(20)
    assert first.strip()
    assert code in (0, 130), first
    assert "--write-world" not in words or (shop.folder / "hotel.json").is_file()
