"""The package for programs and notebooks: plan, run and reconcile as functions, the ledger as data frames and views."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sqlite3
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from small_shop import SmallShop, row, rows

import etl
from etl import frames
from etl.api import Outcome
from etl.errors import ExitCode, LedgerError, PlanError, UsageError
from etl.pipeline.from_ledger import report_from_ledger

OpenShop = Callable[..., SmallShop]
COUNT = 6


@pytest.fixture(scope="module")
def done(open_module_shop: OpenShop, tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallShop, list[Outcome]]:
    """A shop of six orders and a blocked one, planned, posted and reconciled by a program."""
    shop = open_module_shop()
    export = shop.export([*rows(COUNT), row(2001, country="CH")])
    given = {"mappings": shop.mapping, "ledger": str(shop.ledger)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shop.shell.environment().items():
            patch.setenv(name, value)
        patch.chdir(shop.folder)
        seen: list[str] = []
        planned = etl.plan([export], **given, progress=lambda stage, _done, _total: seen.append(stage))
        with pytest.raises(PlanError):
            etl.run([export], expect="sha256:another", **given)
        with pytest.raises(UsageError):
            etl.run([export], expect="", **given)
        posted = etl.run([str(export)], expect=planned.plan_id, **given, report=shop.folder / "run")
        compared = etl.reconcile(**given, report=shop.folder / "reconciled")
    assert str(export) in seen
    return shop, [planned, posted, compared]


def test_the_functions_are_the_commands(done: tuple[SmallShop, list[Outcome]]) -> None:
    """A program must meet the same states, exit codes and promises as a person."""
    shop, (planned, posted, compared) = done
    assert (planned.exit_code, planned.document["orders"]["ready"]) == (ExitCode.ATTENTION, COUNT)
    assert (posted.exit_code, posted.document["orders"]["posted"]) == (ExitCode.ATTENTION, COUNT)
    assert set(shop.held().values()) == {1}
    assert compared.document["orders"]["matched"] == COUNT
    assert compared.document["complete"] is False
    assert {path.name for path in posted.files} >= {"report.html", "report.xlsx", "orders.csv"}


def test_the_report_of_the_run_and_of_the_reconciliation_agree(done: tuple[SmallShop, list[Outcome]]) -> None:
    """What the run says Mews holds is what reconcile finds there, line by line of the bridge."""
    _, (_, posted, compared) = done
    lines = [{row["line"]: row["amount"] for row in one.document["bridge"]} for one in (posted, compared)]
    assert lines[0] == lines[1]


def test_frames_hold_exact_money(done: tuple[SmallShop, list[Outcome]]) -> None:
    """A sum of floats is no figure to sign; in the frames a cent stays one."""
    shop, (_, posted, _) = done
    orders = frames.orders(shop.ledger)
    (totals,) = posted.document["totals"]
    in_mews = orders[orders["state"] == "posted"]
    assert len(orders) == COUNT + 1
    assert in_mews["planned_total"].sum() == Decimal(totals["posted"])
    assert isinstance(in_mews["planned_total"].sum(), Decimal)
    assert isinstance(orders["consumed_utc"].dtype, pd.DatetimeTZDtype)
    entries = frames.entries(shop.ledger)
    assert len(entries) == 2 * COUNT
    assert entries["gross"].sum() == shop.held_sum()
    assert (entries["net"] + entries["tax"] == entries["gross"]).all()
    attempts = frames.ledger(shop.ledger)
    assert list(attempts["outcome"]) == ["done"] * COUNT
    problems = frames.problems(shop.ledger)
    assert set(problems[problems["severity"] == "error"]["order_number"]) == {"2001"}
    assert set(problems["code"]) >= {"tax.undecided"}


def test_views_answer_in_a_sqlite_browser(done: tuple[SmallShop, list[Outcome]]) -> None:
    """Who has no Python opens the file in a browser for SQLite and finds plain names."""
    shop, _ = done
    with sqlite3.connect(f"file:{shop.ledger}?mode=ro", uri=True) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM v_orders GROUP BY state").fetchall())
        sent = connection.execute("SELECT count(DISTINCT order_number) FROM v_attempts").fetchone()[0]
        hint = connection.execute("SELECT file_column FROM v_problems WHERE code = 'tax.undecided'").fetchone()[0]
    connection.close()
    assert states == {"posted": COUNT, "blocked": 1}
    assert sent == COUNT
    assert hint == "products.vatPercent"


def test_an_empty_ledger_has_empty_frames(tmp_path: Path) -> None:
    """The first cell of a notebook must not fail for want of rows; a missing file must."""
    from etl.ledger.ledger import Ledger

    with Ledger.open(str(tmp_path / "ledger.sqlite")):
        pass
    for frame in (frames.orders, frames.entries, frames.problems, frames.ledger):
        found = frame(tmp_path / "ledger.sqlite")
        assert len(found) == 0
        assert "order_number" in found.columns
        with pytest.raises(LedgerError):
            frame(tmp_path / "none.sqlite")


def test_a_notebook_is_told_where_its_loop_is_in_the_way() -> None:
    """`RuntimeError: asyncio.run() cannot be called` says nothing to a hotel's IT lead."""

    async def cell() -> None:
        etl.reconcile()

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ADDRESS": "http://127.0.0.1:1", "CLIENT_TOKEN": "a", "ACCESS_TOKEN": "b"}.items():
            patch.setenv("MEWS_" + name.replace("ADDRESS", "PLATFORM_ADDRESS"), value)
        with pytest.raises(UsageError) as caught:
            asyncio.run(cell())
    assert caught.value.code == "api.loop"


def opened(page: Path) -> dict[str, list]:
    """What the orders of a report's page open to, unpacked as its script does."""
    found: dict[str, list] = {}
    for packed in re.findall(r'<script type="text/plain" id="details-\d+">([^<]+)</script>', page.read_text("utf-8")):
        found |= json.loads(zlib.decompress(base64.b64decode(packed), wbits=-zlib.MAX_WBITS))
    return found


def test_an_order_of_the_run_opens_to_its_cells_and_entries(done: tuple[SmallShop, list[Outcome]]) -> None:
    """Which cell became which entry, by which row of the mapping: what is signed must be traceable to the byte."""
    shop, _ = done
    joined, sources, entries = opened(shop.folder / "run" / "report.html")["1001"]
    assert "order number 1001" in joined
    ((where, order_headers, line_headers, groups),) = sources
    assert where.endswith("orders.csv")
    assert order_headers[0] == "orderNumber"
    rows_of = {row: dict(zip(line_headers, cells, strict=False)) for _, lines in groups for row, cells in lines}
    assert set(rows_of) == {2, 3}
    for line, _, count, unit, codes, net, tax, gross, *_, origin, rule in entries:
        cells = rows_of[int(origin.removeprefix("row "))]
        assert line in ("p1", "p2")
        assert (count, Decimal(unit)) == (cells["products.qty"], Decimal(cells["products.unitPrice"]))
        assert (codes, rule) == ("UK-20%", "taxes.csv, row 2")
        assert Decimal(net) + Decimal(tax) == Decimal(gross)


def test_an_order_of_the_reconciliation_opens_to_what_mews_booked(done: tuple[SmallShop, list[Outcome]]) -> None:
    """Predicted and booked tax stand side by side, beside the cells that they come from."""
    shop, _ = done
    details = opened(shop.folder / "reconciled" / "report.html")
    of_run = opened(shop.folder / "run" / "report.html")
    assert details.keys() == of_run.keys()
    assert "2001" in details
    for number, (joined, sources, _) in details.items():
        assert (joined, [one[1:] for one in sources]) == (of_run[number][0], [one[1:] for one in of_run[number][1]])
    for number in map(str, range(1001, 1001 + COUNT)):
        _, _, entries = details[number]
        assert len(entries) == 2
        for _, _, _, _, _, _, tax, gross, booked_tax, booked_gross, origin, rule in entries:
            assert (booked_tax, booked_gross) == (tax, gross)
            assert "orders.csv, row " in origin
            assert rule == "taxes.csv, row 2"


def test_the_report_shows_the_cells_of_an_export_that_is_still_the_same(
    done: tuple[SmallShop, list[Outcome]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger keeps no cells of persons: they are read again, from what has the hash that the run read, or not at all."""
    shop, _ = done
    export = shop.folder / "orders.csv"
    before = export.read_bytes()
    shown = {}
    try:
        for name, content in (("same", before), ("changed", before.replace(b"ann@", b"bob@")), ("gone", None)):
            export.unlink(missing_ok=True)
            if content is not None:
                export.write_bytes(content)
            report_from_ledger(str(shop.ledger), tmp_path / name)
            shown[name] = opened(tmp_path / name / "report.html")["1001"]
        # The file lies elsewhere: beside whoever asks for the report.
        (tmp_path / "orders.csv").write_bytes(before)
        monkeypatch.chdir(tmp_path)
        report_from_ledger(str(shop.ledger), tmp_path / "moved")
        shown["moved"] = opened(tmp_path / "moved" / "report.html")["1001"]
    finally:
        export.write_bytes(before)
    assert "order number 1001" in shown["same"][0]
    assert [row for _, _, _, groups in shown["same"][1] for _, lines in groups for row, _ in lines] == [2, 3]
    assert [one[3] for one in shown["moved"][1]] == [one[3] for one in shown["same"][1]]
    for name in ("changed", "gone"):
        assert shown[name][1] == []
        assert "orders.csv is not here as the run read it" in shown[name][0]
        # File and row of each entry are still named.
        assert [entry[-2] for entry in shown[name][2]] == [entry[-2] for entry in shown["same"][2]] != ["", ""]
