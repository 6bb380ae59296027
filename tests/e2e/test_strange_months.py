"""December 2010 of a real shop in eleven shapes with a trap each: inspect, init, the person's decisions, dry run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Shell
from decisions import CODES, decide
from foreign_dumps import read_flat
from further_dumps import FURTHER
from strange_dumps import STRANGE, Sale, sales

from etl.sandbox.server import RunningSandbox, running_sandbox

DUMPS = STRANGE | FURTHER
ROOT = Path(__file__).resolve().parents[2]
MONTH = ROOT.parent / "shared" / "data" / "online-retail-2010-12.csv"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MONTH.is_file(), reason="needs ../shared/data")]


@pytest.fixture(scope="module")
def shop() -> list[Sale]:
    """The month's orders."""
    return sales(read_flat(MONTH))


@pytest.fixture(scope="module")
def mews() -> Iterator[RunningSandbox]:
    """A gross enterprise in the UK that takes 2010's VAT."""
    with running_sandbox(str(ROOT / "tests" / "december" / "world.json")) as running:
        yield running


@pytest.mark.parametrize("name", DUMPS)
def test_every_order_of_the_month_is_read_to_the_cent(
    tmp_path: Path, mews: RunningSandbox, shop: list[Sale], name: str
) -> None:
    """No order lost, none unassigned, each with what the shop sold; what is blocked has a reason that the shop has."""
    dump = DUMPS[name](shop, tmp_path)
    shell = Shell(tmp_path, mews.url, tmp_path / "mappings")
    assert shell.run("inspect", *dump.paths).json["orders"]["read"] == len(dump.sold)
    begun = shell.run("init", *dump.paths, "--store", "uk")
    assert begun.json["proved"]["prices_include_tax"] is not dump.is_net, begun.err
    decide(tmp_path / "mappings")
    with (tmp_path / "mappings" / "taxes.csv").open("a", encoding="utf-8") as taxes:
        taxes.writelines(f"{country},{rate},,,,,{CODES[rate]},\n" for country, rate in dump.rates.items() if country)
    done = shell.run("dry-run", *dump.paths, "--report", tmp_path / "report")
    assert done.code in (0, 3), done.err
    assert done.json["orders"]["read"] == len(dump.sold)
    assert done.json["lines"]["unassigned"] == 0
    if dump.is_net:
        lead = done.json["stated"]
        assert sum(Decimal(row["order_total"]) for row in lead) == sum(filter(None, dump.totals.values()))
        assert sum(Decimal(row["source"]) for row in lead) == sum(dump.sold.values())
    with (tmp_path / "report" / "orders.csv").open(encoding="utf-8-sig", newline="") as stream:
        found = {row["order"]: Decimal(row["source_total"]) for row in csv.DictReader(stream)}
    assert found == dump.sold
