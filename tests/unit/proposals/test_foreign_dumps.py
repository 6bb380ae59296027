"""Ten dumps of other shops' making: what `init` proposes for them reads every order, to the cent."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from decisions import decide
from foreign_dumps import DUMPS, ODD, dutch_net, truth
from made_up import made_up_rows

from etl.mapping.folder import read_mapping
from etl.model.mapping import Mapping
from etl.model.order import Order
from etl.pipeline.init import Begun, init
from etl.pipeline.inspection import inspect
from etl.pipeline.prepare import Export, open_batch
from etl.pipeline.readings import CONTRACT, READINGS, foots
from etl.settings import Settings


def silent(_what: str, _done: int, _total: int | None) -> None:
    """No progress."""


def begin(folder: Path, paths: list[Path]) -> Begun:
    """What `init` does, in process."""
    settings = Settings(folder / "mappings", "")
    with ExitStack() as stack:
        return init(stack, settings, Export(paths), store="shop", timezone="UTC", progress=silent)


def orders_of(folder: Path, paths: list[Path]) -> tuple[Mapping, list[Order]]:
    """The orders as a run reads them."""
    mapping = read_mapping(folder / "mappings")
    with open_batch(Export(paths), mapping, silent) as (batch, facts):
        assert facts.unassigned_count == 0
        return mapping, list(batch.orders())


@pytest.mark.parametrize("name", DUMPS)
def test_what_init_proposes_reads_every_order(tmp_path: Path, name: str) -> None:
    """Nothing but service, account, statuses and tax codes is decided by hand; number, date, lines and total are right."""
    rows = made_up_rows()
    paths = DUMPS[name](rows, tmp_path)
    begun = begin(tmp_path, paths)
    decide(tmp_path / "mappings")
    mapping, orders = orders_of(tmp_path, paths)
    assert mapping.settings.source.prices_include_tax is True
    wanted = truth(rows)
    assert {order.number: order.order_total for order in orders} == wanted
    first = {row["orderNumber"]: row for row in reversed(rows)}
    for order in orders:
        row = first[order.number]
        assert order.is_readable, order.problems
        assert foots(order, READINGS[CONTRACT](order))
        assert order.order_date is not None
        assert f"{order.order_date.wall:%Y-%m-%d}" == row["orderDate"][:10]
        assert order.status == "Completed"
        assert (order.delivery_country or order.invoice_country) == row["deliveryAddress.country"]
        assert order.currency == "GBP"
        assert order.shipping == Decimal(row["shippingValue"])
        assert order.voucher_value == Decimal(row["voucherValue"])
    mine = sorted((line.sku, line.qty, line.unit_price, line.vat_percent) for order in orders for line in order.lines)
    assert mine == sorted(
        (row["products.sku"], int(row["products.qty"]), Decimal(row["products.unitPrice"]), Decimal(20)) for row in rows
    )
    assert begun.proposed.proposals.footing is not None
    assert begun.proposed.proposals.footing.foots == len(wanted)


@pytest.mark.parametrize("name", DUMPS)
def test_nothing_is_proved_but_amounts_and_names_of_countries(tmp_path: Path, name: str) -> None:
    """Footing never proves a status, a date or a number's column; statuses and store types are never filled in."""
    begun = begin(tmp_path, DUMPS[name](made_up_rows(), tmp_path))
    amounts = {
        *("products.qty", "products.unitPrice", "products.vatPercent"),
        *("orderTotal", "shippingValue", "voucherValue", "handlingCost", "taxTotal", "-"),
    }
    for one in begun.proposed.proposals.columns:
        if one.sure == "proved":
            assert one.field in amounts, one
        assert bool(one.sure) == bool(one.field)
    for value in begun.proposed.values:
        assert value.field.endswith("country") or value.sure != "proved"
        if value.field in ("status", "storeType"):
            assert (value.means, value.sure) == ("", None)


@pytest.mark.parametrize("name", [name for name in DUMPS if name != "integration_api"])
def test_inspect_shows_the_proposals_without_a_folder(tmp_path: Path, name: str) -> None:
    """The first command on a dump that nobody has seen says what it is and what to type next."""
    paths = DUMPS[name](made_up_rows(), tmp_path)
    with ExitStack() as stack:
        document = inspect(stack, Settings(tmp_path / "none", ""), Export(paths), silent)
    assert document["orders"]["read"] == 36
    assert document["proposals"]["footing"] == {"orders_with_total": 36, "foot": 36}
    assert document["next"]["type"].startswith("centra-mews --mappings")
    assert " init " in document["next"]["type"]
    assert document["footing"]["readings"][CONTRACT] == 36
    causes = document["verdict"]["causes"]
    assert all(cause["code"] == "status.unknown" for cause in causes)
    assert document["verdict"]["orders"]["kept_out"] == sum(cause["orders"] for cause in causes)


def test_a_second_init_adds_nothing(tmp_path: Path) -> None:
    """What a person has written stands, and what is there is not proposed again."""
    paths = DUMPS["german"](made_up_rows(), tmp_path)
    begin(tmp_path, paths)
    decide(tmp_path / "mappings")
    before = {path.name: path.read_bytes() for path in (tmp_path / "mappings").iterdir()}
    again = begin(tmp_path, paths)
    assert not [one for one in again.written if one.is_new or one.added or one.note]
    assert {path.name: path.read_bytes() for path in (tmp_path / "mappings").iterdir()} == before
    assert [one for one in again.proposed.proposals.columns if one.field] == []


def test_a_table_written_by_hand_is_used_before_the_folder_is_whole(tmp_path: Path) -> None:
    """columns.csv alone, with a name that nobody could guess, is enough for `inspect` and `init`."""
    rows = made_up_rows()
    path = DUMPS["german"](rows, tmp_path)[0]
    text = path.read_text("cp1252").replace("Belegnummer", "Kladde", 1).replace("Gesamtbetrag", "Ende", 1)
    path.write_text(text, "cp1252")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "columns.csv").write_text("header,field\nKladde,orderNumber\nEnde,orderTotal\n")
    with ExitStack() as stack:
        document = inspect(stack, Settings(tmp_path / "mappings", ""), Export([path]), silent)
    assert document["orders"]["read"] == 36
    assert "still missing: migration.toml, taxes.csv" in document["mapping"]
    begun = begin(tmp_path, [path])
    assert begun.verdict.orders == 36
    lines = (tmp_path / "mappings" / "columns.csv").read_text("utf-8-sig").splitlines()
    assert lines[:3] == ["header,field", "Kladde,orderNumber", "Ende,orderTotal"]
    assert "Menge,products.qty" in lines


@pytest.mark.parametrize("name", ODD)
def test_odd_shapes_are_read_as_well(tmp_path: Path, name: str) -> None:
    """Negative discounts, numbers on first rows only, orders and lines in two files; store types stay open."""
    rows = made_up_rows()
    paths = ODD[name](rows, tmp_path)
    begun = begin(tmp_path, paths)
    decide(tmp_path / "mappings")
    mapping, orders = orders_of(tmp_path, paths)
    assert mapping.settings.source.prices_include_tax is True
    assert {order.number: order.order_total for order in orders} == truth(rows)
    assert [problem for order in orders for problem in order.problems if problem.is_error] == []
    assert all(foots(order, READINGS[CONTRACT](order)) for order in orders)
    assert not [value for value in begun.proposed.values if value.field == "storeType"]


def test_prices_without_tax_are_proved_so(tmp_path: Path) -> None:
    """The totals are with tax and the prices are not: written as false, and every order foots with its rates."""
    rows = made_up_rows()
    paths = dutch_net(rows, tmp_path)
    begun = begin(tmp_path, paths)
    assert begun.proved == {"prices_include_tax": False}
    assert begun.verdict.document()["causes"][0]["code"] == "status.unknown"
    decide(tmp_path / "mappings")
    _, orders = orders_of(tmp_path, paths)
    assert {order.number: order.order_total for order in orders} == {
        number: total * 6 / 5 for number, total in truth(rows).items()
    }


def test_one_known_name_makes_no_known_export(tmp_path: Path) -> None:
    """`OrderID` is Centra's own name too; the rest of the file is not, and is proposed all the same."""
    rows = made_up_rows()
    path = DUMPS["german"](rows, tmp_path)[0]
    path.write_text(path.read_text("cp1252").replace("Belegnummer", "OrderID", 1), "cp1252")
    with ExitStack() as stack:
        document = inspect(stack, Settings(tmp_path / "none", ""), Export([path]), silent)
    assert document["proposals"]["footing"] == {"orders_with_total": 36, "foot": 36}
    begin(tmp_path, [path])
    decide(tmp_path / "mappings")
    _, orders = orders_of(tmp_path, [path])
    assert {order.number: order.order_total for order in orders} == truth(rows)
