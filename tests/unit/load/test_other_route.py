"""Orders of one store on both routes would count twice: those of this plan that stand on the other one stop a run."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from bill_world import OUTLET, START, OutletShop, an_order, open_ledger, outlet_reader

from etl.errors import ExitCode, LedgerError
from etl.load.other_route import OtherRoute, look, refuse


def checked(path, shop: OutletShop, planned: list[str], run_id: str = "run-1", *, is_short: bool = False) -> int:
    """A look and the check of a run of these numbers. Shape: requests that it took."""
    before = len(shop.requests("outletItems/getAll"))
    with open_ledger(path, shop) as ledger:
        ledger.record_plan(run_id, [an_order(number) for number in planned])

        async def work(writer, _limiter):
            reader = outlet_reader(writer)
            await reader.configuration()

            def walk(start):
                return reader.of_all_outlets(start or (START - timedelta(days=30) if is_short else None))

            other = OtherRoute(walk, reader.of_any_outlet, "bills of outlets", reader.closed_anywhere)
            await look(ledger, other, "uk", run_id, reader.now(), timedelta(seconds=60))
            await refuse(ledger, other, run_id)

        shop.run(work)
    return len(shop.requests("outletItems/getAll")) - before


def a_bill(shop: OutletShop, number: str, store: str = "uk", undo: str = "") -> str:
    stem = f"centra:{store}:{number}{undo}"
    return shop.till(number + undo, START - timedelta(days=40), notes=f"[{stem}]", identifier=f"{stem}:p1")


def test_numbers_of_this_plan_stop_the_run(tmp_path):
    """Others, other stores' and strangers' do not."""
    shop = OutletShop()
    bill_id = a_bill(shop, "7")
    a_bill(shop, "8", store="de")
    shop.till("TILL-1", START)
    checked(tmp_path / "one", shop, ["1", "8"])
    with pytest.raises(LedgerError) as told:
        checked(tmp_path / "two", shop, ["1", "7"])
    assert told.value.code == "ledger.other_route"
    assert told.value.exit_code is ExitCode.USAGE
    assert f"7 ({bill_id})" in told.value.message


def test_what_was_met_once_stays_known(tmp_path):
    """A later plan names it; what was read is not read again."""
    shop, path = OutletShop(), tmp_path / "ledger"
    a_bill(shop, "7")
    shop.timeline.pass_until(100.0)
    first = checked(path, shop, ["1"])
    shop.timeline.pass_until(shop.timeline.now + 60)
    assert checked(path, shop, ["1"], "run-2") < first
    with pytest.raises(LedgerError):
        checked(path, shop, ["7"], "run-3")


def test_what_was_reversed_there_may_go(tmp_path):
    """The bill and its opposite."""
    shop, path = OutletShop(), tmp_path / "ledger"
    a_bill(shop, "7")
    a_bill(shop, "7", undo=":undo")
    checked(path, shop, ["7"])


def test_bills_that_closed_when_the_orders_were_consumed_are_met_whenever_they_were_made(tmp_path):
    """The look by last change may begin late; where the orders of this run must have closed is looked at besides."""
    old = {
        "OutletId": OUTLET,
        "Number": "7",
        "ClosedUtc": f"{an_order('7').consumption:%Y-%m-%dT%H:%M:%SZ}",
        "Notes": "[centra:uk:7] Centra order 7",
        "Items": [
            {
                "Type": "Revenue",
                "Name": "Mug",
                "UnitCount": 1,
                "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("12.00")},
                "ConsumedUtc": f"{an_order('7').consumption:%Y-%m-%dT%H:%M:%SZ}",
            }
        ],
    }
    shop = OutletShop(outlet_bills=[old])
    checked(tmp_path / "one", shop, ["8"], is_short=True)
    with pytest.raises(LedgerError):
        checked(tmp_path / "two", shop, ["7"], is_short=True)
