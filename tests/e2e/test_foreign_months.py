"""December 2010 of a real shop in ten foreign shapes: from the first command to a dry run with every total right."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from cli_run import Shell
from decisions import decide
from foreign_dumps import DUMPS, Row, read_flat, truth

from etl.sandbox.server import RunningSandbox, running_sandbox

ROOT = Path(__file__).resolve().parents[2]
MONTH = ROOT.parent / "shared" / "data" / "online-retail-2010-12.csv"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MONTH.is_file(), reason="needs ../shared/data")]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The month in Centra's columns."""
    return read_flat(MONTH)


@pytest.fixture(scope="module")
def mews() -> Iterator[RunningSandbox]:
    """A gross enterprise in the UK that takes 2010's VAT."""
    with running_sandbox(str(ROOT / "tests" / "december" / "world.json")) as running:
        yield running


@pytest.mark.parametrize("name", DUMPS)
def test_every_order_of_the_month_is_read_to_the_cent(
    tmp_path: Path, mews: RunningSandbox, rows: list[Row], name: str
) -> None:
    """inspect, init, four decisions, dry run: 2,025 orders, none unassigned, no total off by a cent."""
    paths = DUMPS[name](rows, tmp_path)
    shell = Shell(tmp_path, mews.url, tmp_path / "mappings")
    assert shell.run("inspect", *paths).json["orders"]["read"] == 2025
    assert shell.run("init", *paths, "--store", "uk").code == 0
    decide(tmp_path / "mappings")
    done = shell.run("dry-run", *paths, "--report", tmp_path / "report")
    assert done.code == 3, done.err
    assert done.json["orders"]["read"] == 2025
    assert done.json["lines"]["unassigned"] == 0
    with (tmp_path / "report" / "orders.csv").open(encoding="utf-8-sig", newline="") as stream:
        found = {row["order"]: Decimal(row["source_total"]) for row in csv.DictReader(stream)}
    assert found == truth(rows)
    # Discounts without goods, which only Centra's own return type would tell from sales; and where the shop's taxes leave
    # shipping out, so that its country has two rates, six orders of shipping alone, which a row of taxes.csv decides.
    assert done.json["orders"]["blocked"] == (13 if name == "shopify" else 7)
