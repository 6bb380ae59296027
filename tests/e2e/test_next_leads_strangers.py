"""A stranger does nothing but what `next` says, from an empty folder and a foreign dump to the proof that all is in Mews."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Shell
from foreign_dumps import DUMPS, truth
from in_process import in_process
from led_by_next import Cell, Stranger
from made_up import made_up_rows
from more_dumps import MORE
from shop_settings import change_enterprise
from strange_dumps import STRANGE, sales

from etl.sandbox.server import running_sandbox
from etl.sandbox.world import World

pytestmark = pytest.mark.slow

PAYMASTER = "ac000000-0000-4000-a000-000000000001"
SHOP = "5e000000-0000-4000-a000-000000000001"
COMMANDS = 6
"""init, preflight, run, the second run after rebates were refused, reconcile, and one to spare."""


def decisions(cell: Cell) -> str:
    """What the owner of the shop knows; everything else has to stand in the step."""
    match cell.column:
        case "target.service":
            (one,) = cell.candidates
            return f'"{one}"'
        case "accounts.fallback":
            assert cell.candidates == [PAYMASTER], cell
            return f'"{cell.candidates[0]}"'
        case "source.prices_include_tax":
            return "true"
        case "source.default_currency":
            return '"GBP"'
        case "source.default_country":
            return '"GB"'
        case "target.rebates" | "vouchers.policy":
            return f'"{cell.candidates[0]}"'
        case "means":
            assert cell.row["field"] == "status", cell
            assert cell.candidates[0] == "Completed", cell
            return "Completed"
        case "tax_codes":
            # Shipping on which a shop states no tax has a rate of its own, 0 %.
            code = "UK-0%" if cell.row["vat_percent"] == "0" else "UK-20%"
            assert code in cell.candidates, cell
            return code
    raise AssertionError(f"nobody but the maker knows what to write into {cell}")


def dump(name: str, folder: Path) -> tuple[list[Path], Decimal]:
    """A made-up month in a foreign shape, and what it comes to."""
    rows = made_up_rows()
    if name in DUMPS:
        return DUMPS[name](rows, folder), sum(truth(rows).values(), Decimal(0))
    written = {**STRANGE, **MORE}[name](sales(rows), folder)
    return written.paths, sum(written.sold.values(), Decimal(0))


def world(*, rebates: bool) -> World:
    """Gross, in the UK, with or without the permission for negative amounts."""
    return change_enterprise(lambda one: replace(one, allow_rebates=rebates))


@pytest.mark.parametrize(
    ("name", "rebates"),
    [
        ("german", False),
        *(
            (name, True)
            for name in ("shopify", "erp_workbook", "italian", "woocommerce", "prestashop", "bigcommerce", "dutch_till")
        ),
    ],
)
def test_nothing_but_next_leads_to_the_end(tmp_path: Path, name: str, rebates: bool) -> None:
    """No loop, no dead end, no step twice, and never more steps than decisions and commands.

    Where Mews refuses negative amounts, the way out that is named leads on.
    """
    paths, sold = dump(name, tmp_path)
    with running_sandbox(world(rebates=rebates)) as running:
        stranger = Stranger(in_process(Shell(tmp_path, running.url)), [path.name for path in paths], decisions)
        last = stranger.go()
    assert "complete" in last["what"], stranger.told
    cells = [one for one in stranger.steps if one["column"]]
    assert len(stranger.steps) <= len(cells) + COMMANDS, stranger.told
    assert stranger.codes["reconcile"] == [0]
    posted = sum(
        (Decimal(row["amount"]) for one in stranger.steps if "proves" in one["what"] for row in one["money"]),
        Decimal(0),
    )
    assert posted == sold, stranger.told
    refused = [one for one in stranger.steps if one["column"] == "vouchers.policy"]
    assert [one["orders"] for one in refused] == ([] if rebates else [5]), stranger.told


def test_without_tokens_next_asks_for_them_first(tmp_path: Path) -> None:
    """Mapping first, then .env, once; the service and the accounts are Mews's to tell."""
    paths, _ = dump("german", tmp_path)
    with running_sandbox(world(rebates=True)) as running:
        stranger = Stranger(in_process(Shell(tmp_path)), [path.name for path in paths], decisions, running.url)
        stranger.go(until="run")
    assert [one["file"] for one in stranger.steps].count(".env") == 1, stranger.told
    assert [one["type"].split()[3] for one in stranger.steps if one["type"]] == ["init", "preflight", "preflight"]


def test_a_workbook_is_led_through_by_its_sheets(tmp_path: Path) -> None:
    """As the folder is: file, sheet, row and column of each cell."""
    paths, _ = dump("swedish", tmp_path)
    names = [path.name for path in paths]
    with running_sandbox(world(rebates=True)) as running:
        shell = in_process(Shell(tmp_path, running.url))
        assert shell.run("init", *names, "--workbook").code == 0
        stranger = Stranger(shell, names, decisions)
        last = stranger.go(until="run")
    assert last["orders"] == 36, stranger.told
    assert {one["sheet"] for one in stranger.steps if one["file"] == "mapping.xlsx"} == {"taxes", "values"}
