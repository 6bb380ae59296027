"""One source, every command: dry-run, run, status and reconcile end alike for each kind of end an order can come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_process import in_process
from shop_settings import bad_day, configure
from small_shop import SmallShop, check_counts, row, write_export

pytestmark = pytest.mark.slow

HEAD = "order_number,problem_code,reason,by,date\n"
PRODUCT = ("sku", "qty", "unitPrice", "vatPercent", "itemText.product")


@pytest.fixture
def shop(shop: SmallShop) -> SmallShop:
    """The module's shop, its commands run in this process."""
    shop.shell = in_process(shop.shell)
    return shop


def waive(shop: SmallShop, *rows: str) -> None:
    """waivers.csv with these rows, `order,code` each."""
    text = "".join(f"{one},seen,Ann,2026-11-01\n" for one in rows)
    (shop.mapping / "waivers.csv").write_text(HEAD + text, "utf-8")


def ends(shop: SmallShop, file: Path) -> dict[str, int]:
    """Exit codes of the four commands, in the order in which a person works; counts add up in each."""
    found = {}
    for name, words in (("dry-run", [file]), ("run", [file]), ("status", []), ("reconcile", [])):
        done = shop.shell.run(name, *words)
        assert done.code == done.json["exit_code"], done.err
        if words:
            check_counts(done.json)
        found[name] = done.code
    assert shop.shell.run("dry-run", file).code == found["run"], "before and after are one"
    return found


def all_of(code: int, *, reconcile: int | None = None, dry_run: int | None = None) -> dict[str, int]:
    """`status` tells and never judges: it ends with 0."""
    return {
        "dry-run": code if dry_run is None else dry_run,
        "run": code,
        "status": 0,
        "reconcile": code if reconcile is None else reconcile,
    }


def empty(number: int) -> dict[str, str]:
    """An order that sold nothing."""
    return row(number, orderTotal="0.00") | dict.fromkeys((f"products.{name}" for name in PRODUCT), "")


def test_all_posted(shop: SmallShop) -> None:
    """Nothing is left to do."""
    assert ends(shop, shop.export([row(1), row(2, status="Cancelled")])) == all_of(0)


def test_blocked(shop: SmallShop) -> None:
    """One order waits for a tax code: every command says so."""
    assert ends(shop, shop.export([row(1), row(2, country="CH")])) == all_of(3)


def test_nothing_to_send_is_open_until_it_is_accepted_by_name(shop: SmallShop) -> None:
    """`order.empty` in waivers.csv: complete for reconcile, and done for dry-run and run, though it stays blocked."""
    file = shop.export([row(1), empty(2)])
    assert ends(shop, file) == all_of(3)
    waive(shop, "2,order.empty")
    assert ends(shop, file) == all_of(0)
    done = shop.shell.run("run", file, "--report", "report")
    assert (done.json["orders"]["blocked"], done.json["accepted"]) == (1, 1)
    assert not (shop.folder / "report" / "attention.csv").exists()
    assert "accepted by name" in done.err
    written = shop.shell.run("report", "--report", "again")
    assert written.json["accepted"] == 1


def test_a_waiver_of_one_reason_is_none_of_the_others(shop: SmallShop) -> None:
    """What was accepted is the problem named, not the order."""
    waive(shop, "2,order.empty", "3,changed")
    lines = [row(1), empty(2) | {"currency": "XXQ"}, row(3, country="CH")]
    assert ends(shop, shop.export(lines)) == all_of(3)


def test_changed(shop: SmallShop) -> None:
    """Posted, then other amounts in the source: open until accepted as `changed`."""
    assert ends(shop, shop.export([row(1), row(2)])) == all_of(0)
    file = shop.export([row(1, price="13.00"), row(2)])
    assert ends(shop, file) == all_of(3)
    waive(shop, "1,changed")
    assert ends(shop, file) == all_of(0)


def test_undone(shop: SmallShop) -> None:
    """Reversed on purpose: nothing for a run to do, and not complete until it is posted again."""
    file = shop.export([row(1)])
    run = shop.shell.run("run", file).json["run_id"]
    assert shop.shell.run("undo", "--run", run, "--yes").code == 0
    assert ends(shop, file) == all_of(0, reconcile=3)
    assert shop.shell.run("run", file, "--repost-undone").code == 0
    assert ends(shop, file) == all_of(0)


def test_left_by_limit(shop: SmallShop) -> None:
    """Orders left on purpose do not count for a run, and stand in no Mews for a reconcile."""
    file = shop.export([row(1), row(2)])
    assert shop.shell.run("run", file, "--limit", "1").code == 0
    assert shop.shell.run("reconcile").code == 3


def test_rejected(tmp_path: Path) -> None:
    """Mews refused a payment: open until accepted as `mews.refused`, though nothing of it was sent."""
    with bad_day(tmp_path, "refuses-payments:type=GiftCard") as shop:
        shop.shell = in_process(shop.shell)
        configure(shop, {"vouchers": "code,policy,accounting_category\nGC-*,payment,\n"})
        lines = [row(1, price="32.00", orderTotal="12.00") | {"voucherCode": "GC-1", "voucherValue": "20.00"}]
        file = export(shop, lines)
        # Whether payments are taken, only Mews can tell: the first dry run can't know.
        assert ends(shop, file) == all_of(3, dry_run=0)
        waive(shop, "1,mews.refused")
        assert ends(shop, file) == all_of(0)


def export(shop: SmallShop, lines: list[dict[str, str]]) -> Path:
    """Lines with more columns than the plain ones."""
    return write_export(shop.folder / "orders.csv", lines, header=(*lines[0],))


def test_settled_by_acceptance(shop: SmallShop) -> None:
    """Half of an order was cancelled in Mews: `different` until a person settles it, and then not as planned.

    A person's word ends what a run has to ask; that less stands in Mews than was planned is accepted in waivers.csv.
    """
    file = shop.export([row(1), row(1, price="3.50", qty=2, sku="BOWL", product="Bowl")])
    assert shop.shell.run("run", file).code == 0
    gone = next(item for item in items_of(shop, "1") if item.count == 2)
    shop.sandbox.cancel_item(gone.id)
    assert shop.shell.run("recover").code == 3
    assert ends(shop, file) == all_of(3)
    waive(shop, "1,different")
    assert ends(shop, file) == all_of(0)
    waive(shop)
    settled = shop.shell.run("settle", "1", "--posted", gone.order_id)
    assert settled.code == 0
    assert "1,different" in settled.err
    assert ends(shop, file) == all_of(0, reconcile=3)
    found = shop.shell.run("reconcile")
    assert "settled by a person" in "".join(found.json["open"])
    assert "waivers.csv" in found.err.splitlines()[-1]
    waive(shop, "1,different")
    assert ends(shop, file) == all_of(0)


def items_of(shop: SmallShop, number: str) -> list[Any]:
    """What Mews holds of an order."""
    mark = f"centra:{shop.store}:{number}:"
    return [item for item in shop.sandbox.items if (item.external_identifier or "").startswith(mark)]
