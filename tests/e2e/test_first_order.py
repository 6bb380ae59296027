"""The first order of a ledger goes alone and is read back: what is wrong with this Mews is seen on one order."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_shop import check_counts, open_shop, rows, unlimited

from etl.sandbox.faults import parse_fault
from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "dials",
    [
        ["other-amounts:cents=1"],
        ["other-amounts:cents=-1"],
        ["adds-items"],
        ["links-reservation"],
        ["no-external-identifiers", "no-notes"],
    ],
    ids="+".join,
)
def test_a_mews_that_does_otherwise_is_noticed_on_one_order(tmp_path: Path, dials: list[str]) -> None:
    """A cent on each of 100,000 entries, or a reservation on each order, would take weeks to clear away."""
    with running_sandbox(unlimited(), faults=[parse_fault(dial) for dial in dials]) as mews:
        shop = open_shop(tmp_path, mews, "first")
        done = shop.shell.run("run", shop.export(rows(5)))
        assert done.code == 3, done.err
        assert done.json["stopped"]["code"] == "run.first_order"
        check_counts(done.json)
        assert (done.json["orders"]["posted"], done.json["orders"]["ready"]) == (1, 4)
        again = shop.shell.run("run", shop.folder / "orders.csv")
        assert again.code == 3
        assert len(mews.sandbox.orders) == 1


@pytest.mark.parametrize(
    "dial",
    [
        "no-external-identifiers",
        "no-notes",
        "lagging-reads:seconds=0.2",
        "clock-offset:seconds=-4000",
        "clock-offset:seconds=4000",
        "not-json:at=1",
        "status-408-after:at=1",
        "reset-before-commit:at=1",
        "429-burst:at=9:seconds=0.5:form=none",
    ],
)
def test_a_mews_that_only_limps_gets_every_order_once(tmp_path: Path, dial: str) -> None:
    """An older API, a wrong clock, lagging reads or a first answer that is lost are no reason to stop, or to send twice."""
    with running_sandbox(unlimited(), faults=[parse_fault(dial)]) as mews:
        shop = open_shop(tmp_path, mews, "limps")
        done = shop.shell.run("run", shop.export(rows(5)))
        assert done.code == 0, done.err
        check_counts(done.json)
        assert done.json["orders"]["posted"] + done.json["orders"]["recovered"] == 5
        assert len(mews.sandbox.orders) == 5
        assert mews.sandbox.duplicates() == {}
