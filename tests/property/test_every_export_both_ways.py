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
from decimal import Decimal
from pathlib import Path

import pytest
from decisions import CODES, decide
from foreign_dumps import DUMPS, ODD, read_flat
from made_up import made_up_rows
from net_prices import with_tax_on_top
from outlet_shop import with_outlet, write_outlet_mapping
from planned_at_once import planned
from strange_dumps import STRANGE, sales
from two_ways import PLAIN, write_rows
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
        patch.setattr(
            both_ways.FastLane, "__init__", lambda self, *given, **how: made(self, *given, **how) or lanes.append(self)
        )
        fast, rules = (planned(stack, paths, mapping, str(world), is_fast=way) for way in (True, False))
        by_columns = sum(lane.admitted for lane in lanes)
        assert fast.plan == rules.plan
        sent = planned(stack, paths, mapping, str(world), is_fast=True, is_sent=True)
        assert sent.plan == rules.plan
        assert not any(lane.fault for lane in lanes)
        for mine, its in zip(sent.store.by_number(), rules.store.by_number(), strict=True):
            assert both_ways.exact(mine) == both_ways.exact(its)
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
        return fast.store.count, by_columns


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


OUTLET, CATEGORY = "0a000000-0000-4000-a000-000000000001", "ca000000-0000-4000-a000-000000000001"
PLACES = {
    "orders": ("", "Gross", True),
    "bills with a rest": ("balance", "Gross", True),
    "bills with captures": ("captures", "Gross", True),
    "bills that nothing pays": ("none", "Gross", True),
    "prices with tax sent without": ("", "Net", True),
    "bills of prices with tax sent without": ("balance", "Net", True),
    "prices without tax": ("", "Net", False),
    "bills of prices without tax": ("captures", "Net", False),
    "prices without tax sent with it": ("", "Gross", False),
    "bills of prices without tax sent with it": ("balance", "Gross", False),
}
"""How bills are paid ("" for orders), the enterprise's pricing, and whether the export's prices include tax."""
VOUCHERS = {"LESS": "rebate", "SPREAD": "spread", "GIFT": "payment"}


def placed(folder: Path, place: str) -> tuple[Path, Path]:
    """The mapping and the world of December on a route, with a policy for each voucher, in an enterprise with this pricing."""
    paid, pricing, is_gross = PLACES[place]
    mapping = Path(shutil.copytree(DECEMBER / "mapping", folder / "m"))
    if not is_gross:
        settings = mapping / "migration.toml"
        text = settings.read_text("utf-8")
        settings.write_text(text.replace("prices_include_tax = true", "prices_include_tax = false"), "utf-8")
    world = json.loads((DECEMBER / "world.json").read_text("utf-8")) | {"pricing": pricing}
    if paid:
        write_outlet_mapping(mapping, OUTLET, CATEGORY, payments=paid)
        world = with_outlet(world, OUTLET, [CATEGORY])
    rules = [f"{code},{policy},{CATEGORY}" for code, policy in VOUCHERS.items()]
    (mapping / "vouchers.csv").write_text("\n".join(["code,policy,accounting_category", *rules, ""]), "utf-8")
    (folder / "world.json").write_text(json.dumps(world), "utf-8")
    return mapping, folder / "world.json"


def a_shop() -> Iterator[dict[str, str]]:
    """Rows of 60 orders of some lines and rates: plain, with each voucher, returns, without a capture, one that does not foot."""
    for number in range(1000, 1060):
        kind = ["", *VOUCHERS, "return", "bare"][number % 6]
        sign = -1 if kind == "return" else 1
        prices = ["12.00", "0.99", "2.01", "7.35"][: 1 + number % 4]
        counts = [sign * (1 + (number + at) % 7) for at in range(len(prices))]
        value = Decimal("0.75") if kind in VOUCHERS else Decimal(0)
        shipping = sign * Decimal("4.95")
        total = sum((Decimal(price) * count for price, count in zip(prices, counts, strict=True)), shipping - value)
        is_bare = kind in ("return", "bare")
        for at, (price, count) in enumerate(zip(prices, counts, strict=True)):
            yield PLAIN | {
                "orderNumber": str(number),
                "orderDate": "2011-06-01 10:00:00",
                "createdFromOrigin.type": "return" if kind == "return" else "",
                "shippingValue": str(shipping),
                "voucherCode": kind if kind in VOUCHERS else "",
                "voucherValue": str(value),
                "payment.capture.status": "" if is_bare else "1",
                "payment.capture.amount": "" if is_bare else str(total),
                "orderTotal": "1.00" if number == 1017 else str(total),
                "products.sku": f"S-{at}",
                "products.qty": str(count),
                "products.unitPrice": price,
                "products.vatPercent": ["20", "5", "0"][(number + at) % 3],
            }


@pytest.mark.parametrize("place", PLACES)
def test_a_shop_on_every_route(tmp_path: Path, place: str) -> None:
    """Sums, statuses and what each order opens to; nearly all of it by columns."""
    mapping, world = placed(tmp_path, place)
    orders, admitted = same([write_rows(tmp_path / "a.csv", list(a_shop()))], mapping, world)
    assert orders == 60
    assert admitted >= 58


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_december_on_every_route(shared: Path, tmp_path: Path, place: str) -> None:
    """At least 95 of 100 orders of a real month go by columns there, too."""
    mapping, world = placed(tmp_path, place)
    export = shared / "data" / "online-retail-2010-12.csv"
    if not PLACES[place][2]:
        export = with_tax_on_top(export, tmp_path / "net.csv")
    orders, admitted = same([export], mapping, world)
    assert admitted >= orders * 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("[target]\n", 'consumption = "deliveryDate"\n[target]\n'),
        (
            "[target]\n",
            '[target]\nnotes = "{orderNumber} {pricelist}: {invoiceAddress.lastName} {orderTotal} {orderDate} {comment}"\n',
        ),
    ],
    ids=["by the date of delivery", "with other notes"],
)
def test_december_with_other_settings(shared: Path, tmp_path: Path, setting: str, said: str) -> None:
    """Nearly all of it goes by columns with settings, too, that ask for other cells of an order."""
    mapping, world = placed(tmp_path, "orders")
    settings = mapping / "migration.toml"
    settings.write_text(settings.read_text("utf-8").replace(setting, said, 1), "utf-8")
    if "deliveryDate" in said:
        (mapping / "columns.csv").write_text("header,field\norderDate,deliveryDate\n", "utf-8")
    orders, admitted = same([shared / "data" / "online-retail-2010-12.csv"], mapping, world)
    assert admitted >= orders * 0.95


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
@pytest.mark.parametrize("place", ["orders", "prices without tax", "prices without tax sent with it"])
def test_the_real_year(tmp_path: Path, place: str) -> None:
    if not YEAR.is_file():
        pytest.skip("needs ../shared/data")
    mapping, world = placed(tmp_path, place)
    export = YEAR if PLACES[place][2] else with_tax_on_top(YEAR, tmp_path / "net.csv")
    orders, admitted = same([export], mapping, world)
    assert orders > 25_000
    assert admitted >= orders * 0.95
