"""Random worlds against a second arithmetic: a few in every run of the suite, 200 in the slow ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fuzz import run_world
from world_draw import draw

from etl.transform import amounts, arithmetic, bundles, conversion, vouchers
from etl.transform.arithmetic import Arithmetic

CHUNK = 25


@pytest.mark.parametrize("seed", range(3))
def test_a_few_worlds(seed: int) -> None:
    """Every entry, sum and verdict as the contract's text has it, to the cent."""
    report = run_world(seed)
    assert report.faults == []
    assert report.entries


@pytest.mark.slow
@pytest.mark.parametrize("first", range(200)[::CHUNK])
def test_two_hundred_worlds(first: int) -> None:
    """The same, for whatever six worlds do not show."""
    reports = [run_world(seed) for seed in range(first, first + CHUNK)]
    assert {report.seed: report.faults for report in reports if report.faults} == {}


def test_the_worlds_hold_what_they_are_to_prove() -> None:
    """Dependent, flat and relative taxes, TaxPrecision, both bases, all policies, returns, bundles, fees: all drawn."""
    worlds = [draw(seed, orders=8) for seed in range(40)]
    kinds = {rate.kind for world in worlds for rate in world.rules.rates.values()}
    assert kinds == {"relative", "flat", "dependent"}
    bases = {(world.rules.is_gross_enterprise, world.rules.is_gross_source) for world in worlds}
    assert len(bases) == 4
    assert {world.rules.tax_digits - world.rules.digits for world in worlds} >= {-1, 0, 2}
    assert {world.rules.footing for world in worlds} == {"without", "once", "rate", "line"}
    sales = [sale for world in worlds for sale in world.sales.values()]
    assert sum(sale.is_return for sale in sales) > 60
    assert any(sale.parent for sale in sales)
    assert any(sale.handling > 0 for sale in sales)
    assert any(sale.handling < 0 for sale in sales)
    assert any(one.is_credit for sale in sales for one in sale.coupons)
    assert any("SET0" in {one.sku for one in sale.goods} for sale in sales)
    assert any("X0" in {one.sku for one in sale.goods} for sale in sales)
    assert {world.rules.default_policy for world in worlds} == {"rebate", "spread", "payment"}


def flat_only(self: Arithmetic, codes: tuple[str, ...], count: int) -> Decimal:
    """The constant of the conversion as it once was: without the taxes on flat ones."""
    rates = [self._rates[code] for code in codes]
    return sum((rate.value * count for rate in rates if rate.strategy == "Flat"), Decimal(0))


def _broken_share(original: Callable[..., Any]) -> Callable[..., Any]:
    def shared(*values: Any, **more: Any) -> Any:
        parts, left = original(*values, **more)
        if len(parts) > 1 and parts[0] and parts[-1]:
            step = min(part for part in parts if part)
            parts = [parts[0] - step, *parts[1:-1], parts[-1] + step]
        return parts, left

    return shared


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "taxes on flat taxes left out": lambda patch: patch.setattr(Arithmetic, "_constant", flat_only),
    "sharing off": lambda patch: patch.setattr(amounts, "share_capped", _broken_share(amounts.share_capped)),
    "shipping's part taken from the goods": lambda patch: patch.setattr(
        vouchers, "_spread", _on_goods_first(vouchers._spread)
    ),
    "halves rounded down": lambda patch: patch.setitem(arithmetic._MODES, "half up", "ROUND_HALF_DOWN"),
    "one entry only": lambda patch: patch.setattr(conversion, "SPLITS_TRIED", 0),
    "the first bundle only": lambda patch: patch.setattr(bundles, "_without", lambda lines, left_out: tuple(lines)),
    "codes in the table's order": lambda patch: patch.setattr("etl.transform.taxes.as_set", tuple),
}


def _on_goods_first(original: Callable[..., Any]) -> Callable[..., Any]:
    def spread(case: Any, part: Any, lines: Any, shipping: Any) -> Any:
        return original(case, replace(part, is_for_shipping=False), lines, shipping)

    return spread


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_worlds_bite(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of each kind put in on purpose is seen within 60 worlds."""
    FAULTS[name](monkeypatch)
    assert any(run_world(seed).faults for seed in range(60))
