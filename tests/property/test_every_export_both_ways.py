"""Planned by columns = planned by the rules: every kind of export there is, order by order, to the last problem.

Held against each other are the facts of the plan (its id, controls, counts of the window), every status, and every order
whole: verdict, fingerprint, entries, payments, notes, problems with their places.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from decisions import CODES, decide
from foreign_dumps import DUMPS, ODD, read_flat
from made_up import made_up_rows
from planned_at_once import planned
from strange_dumps import STRANGE, sales
from unpacked import unpacked

from etl.errors import EtlError
from etl.mapping.folder import read_mapping
from etl.pipeline import both_ways
from etl.pipeline.dry_run import finish
from etl.pipeline.init import init
from etl.pipeline.order_details import planned_details
from etl.pipeline.prepare import Export, open_batch
from etl.report.facts import OrderDetail
from etl.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
DECEMBER = ROOT / "tests" / "december"
YEAR = SHARED / "data" / "online-retail-2010-2011.csv.gz"


def same(paths: list[Path], mapping: Path, world: Path) -> tuple[int, int]:
    """How many orders the plan has, and how many of them columns gave; fails where both ways differ."""
    lanes: list[both_ways.FastLane] = []
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        made = both_ways.FastLane.__init__
        patch.setattr(both_ways.FastLane, "__init__", lambda self, *given: (made(self, *given), lanes.append(self))[0])
        fast, rules = (planned(stack, paths, mapping, str(world), is_fast=way) for way in (True, False))
        assert fast.plan == rules.plan
        # Without a report orders that nothing tells apart are added up before they are reported.
        assert finish(fast, None, None, "dry-run").document == finish(rules, None, None, "dry-run").document
        for mine, its in zip(fast.store.batches(), rules.store.batches(), strict=True):
            assert list(map(repr, mine.statuses)) == list(map(repr, its.statuses))
        numbers = [status.number for some in rules.store.batches() for status in some.statuses]
        shown = {number: one for lot in fast.store.packed for number, one in unpacked(lot.data()).items()}
        for some in (numbers[at : at + 100] for at in range(0, len(numbers), 100)):
            # In any order.
            mine, its = (
                {one.number: joined(one.whole) for one in planned_details(way, None)(some)} for way in (fast, rules)
            )
            # By columns as the page unfolds them.
            packed = {number: joined(shown.pop(number)) for number in some if number in shown}
            assert {**mine, **packed} == its
        assert not shown
        for one, other in zip(fast.store.by_number(), rules.store.by_number(), strict=True):
            assert one == other
            # Places are left out of equality, and are what a person looks for.
            assert repr(one.problems) == repr(other.problems)
        return fast.store.count, sum(lane.admitted for lane in lanes)


def joined(detail: OrderDetail) -> OrderDetail:
    """With rows of the same order-level cells in one group, as columns have them wherever they stood in the file."""
    sources = []
    for one in detail.sources:
        groups: list[tuple[Sequence[str], list[tuple[int, Sequence[str]]]]] = []
        for cells, rows in one.groups:
            if groups and groups[-1][0] == tuple(cells):
                groups[-1][1].extend(rows)
            else:
                groups.append((tuple(cells), list(rows)))
        sources.append(replace(one, groups=groups))
    return replace(detail, sources=sources)


def readable(paths: list[Path], mapping: Path) -> bool:
    """Whether the files are exports of orders at all; what is refused as a whole has no plan."""
    try:
        with open_batch(Export(paths), read_mapping(mapping), lambda *_: None):
            return True
    except EtlError:
        return False


def steps_of(folder: Path) -> Iterator[list[Path]]:
    """The files of each step of a case."""
    for step in json.loads((folder / "expect.json").read_text("utf-8"))["steps"]:
        yield [folder / name for name in step["files"]]


@pytest.mark.parametrize("base", [SHARED / "cases", ROOT / "tests" / "own_cases"], ids=["shared", "own"])
def test_every_field_case(base: Path) -> None:
    """The files of each step, under the case's own mapping."""
    if not base.is_dir():
        pytest.skip("needs ../shared")
    orders = 0
    for folder in sorted(path.parent for path in base.glob("*/expect.json")):
        mapping = folder / "mapping" if (folder / "mapping").is_dir() else base / "_base" / "mapping"
        for paths in steps_of(folder):
            if readable(paths, mapping):
                orders += same(paths, mapping, base / "_base" / "world.json")[0]
    assert orders or not list(base.glob("*/expect.json"))


def test_every_worked_example(shared: Path) -> None:
    found = [
        same(sorted(folder.glob("orders.*")), folder / "mapping", folder / "world.json")
        for folder in sorted(path.parent for path in (shared / "examples").glob("*/expect.json"))
    ]
    assert sum(orders for orders, _ in found) >= len(found)


def begun(paths: list[Path], folder: Path) -> Path:
    """The mapping folder that `init` makes of a dump, decided by a person."""
    with ExitStack() as stack:
        init(stack, Settings(folder, ""), Export(paths), store="s", timezone="UTC", progress=lambda *_: None)
    decide(folder)
    return folder


@pytest.mark.parametrize("name", [*DUMPS, *ODD])
def test_every_foreign_dump(tmp_path: Path, name: str) -> None:
    paths = {**DUMPS, **ODD}[name](made_up_rows(), tmp_path)
    orders, _ = same(paths, begun(paths, tmp_path / "mappings"), DECEMBER / "world.json")
    assert orders


@pytest.mark.parametrize("name", STRANGE)
def test_every_strange_dump(tmp_path: Path, name: str) -> None:
    dump = STRANGE[name](sales(made_up_rows()), tmp_path)
    orders, _ = same(dump.paths, begun(dump.paths, tmp_path / "mappings"), DECEMBER / "world.json")
    assert orders == len(dump.sold)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DUMPS, *ODD, *STRANGE])
def test_december_in_every_dump(tmp_path: Path, shared: Path, name: str) -> None:
    """2,025 real orders in the shape of each shop."""
    rows = read_flat(shared / "data" / "online-retail-2010-12.csv")
    rates: dict[str, str] = {}
    if name in STRANGE:
        dump = STRANGE[name](sales(rows), tmp_path)
        paths, rates = dump.paths, dump.rates
    else:
        paths = {**DUMPS, **ODD}[name](rows, tmp_path)
    mapping = begun(paths, tmp_path / "mappings")
    with (mapping / "taxes.csv").open("a", encoding="utf-8") as taxes:
        taxes.writelines(f"{country},{rate},,,,,{CODES[rate]},\n" for country, rate in rates.items() if country)
    assert same(paths, mapping, DECEMBER / "world.json")[0] > 1_900


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["online-retail-2010-12.csv", "online-retail-2010-12.xlsx", "online-retail-2010-12-eu.csv"]
)
def test_december(shared: Path, tmp_path: Path, name: str) -> None:
    """At least 95 of 100 orders of a real month go by columns."""
    path = shared / "data" / name
    if not path.is_file():
        pytest.skip(f"needs {path.name}")
    orders, admitted = same(
        [path], Path(shutil.copytree(DECEMBER / "mapping", tmp_path / "m")), DECEMBER / "world.json"
    )
    assert admitted >= orders * 0.95


@pytest.mark.slow
def test_the_real_year() -> None:
    if not YEAR.is_file():
        pytest.skip("needs ../shared/data")
    orders, admitted = same([YEAR], DECEMBER / "mapping", DECEMBER / "world.json")
    assert orders > 25_000
    assert admitted >= orders * 0.95
