"""Orders whose prices are without tax, taken at once: as they are, or into prices with tax, by the footing of the whole file."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import CATEGORY, a_context, a_mapping, a_reference, a_tax
from outlet_shop import outlet_context
from two_ways import PLAIN, planned, same, write_rows

from etl.errors import InternalError
from etl.model.plan import Basis, Verdict
from etl.model.reference import Pricing, Strategy, TaxRate
from etl.model.rules import VoucherRule
from etl.pipeline import both_ways
from etl.pipeline.both_ways import BOTH, SWITCH
from etl.transform.context import Context, Footing

LINES = [("A-1", "1", "12.00", "20"), ("B-2", "7", "0.99", "5"), ("C-3", "3", "2.33", "20")]
VOUCHERS = {"LESS": "rebate", "SPREAD": "spread", "GIFT": "payment"}
TOTALS = {
    # 12.00, 6.93, 6.99, and of shipping 3.63 at 20 % and 1.32 at 5 %.
    Footing.WITHOUT_TAX: "30.87",
    Footing.ONCE: "35.81",
    Footing.PER_RATE: "35.80",
    Footing.PER_LINE: "35.82",
}


def context(pricing: Pricing = Pricing.GROSS, **source: object) -> Context:
    mapping = a_mapping(
        source={"prices_include_tax": False, **source},
        shipping={"accounting_category": CATEGORY},
        vouchers={"accounting_category": CATEGORY},
        tables={"vouchers": tuple(VoucherRule(code, policy, CATEGORY) for code, policy in VOUCHERS.items())},
    )
    return a_context(mapping, a_reference(pricing=pricing))


def order(
    number: int, total: str, lines: list[tuple[str, str, str, str]] = LINES, **cells: str
) -> list[dict[str, str]]:
    """The rows of an order; names of cells with `__` for the dot."""
    head = {"orderNumber": str(number), "orderTotal": total, "payment.capture.amount": total}
    head |= {name.replace("__", "."): cell for name, cell in cells.items()}
    if not total:
        head["payment.capture.status"] = ""
    return [
        PLAIN
        | head
        | {"products.sku": sku, "products.qty": qty, "products.unitPrice": price, "products.vatPercent": rate}
        for sku, qty, price, rate in lines
    ]


@pytest.fixture(autouse=True)
def _both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, BOTH)


@pytest.mark.parametrize("pricing", Pricing)
@pytest.mark.parametrize("footing", Footing)
def test_all_kinds_are_taken(footing, pricing, tmp_path):
    """Sales, vouchers of each policy, a return, one that is skipped, one without a total; each with the total of its footing."""
    total = TOTALS[footing]
    rows = order(1, total) + order(2, total) + order(3, "")
    for number, code in enumerate(VOUCHERS, 4):
        rows += order(number, "", voucherCode=code, voucherValue="2.50")
    back = [(sku, f"-{qty}", price, rate) for sku, qty, price, rate in LINES]
    rows += order(7, f"-{total}", back, createdFromOrigin__type="return", shippingValue="-4.95")
    rows += order(8, total, status="Cancelled")
    for one in rows[-len(back) - len(LINES) : -len(LINES)]:
        one |= {"payment.capture.status": "", "payment.capture.amount": ""}
    found = same([write_rows(tmp_path / "a.csv", rows)], context(pricing), opened=9)
    assert (found.admitted, found.reasons) == (8, {})
    assert found.facts.footing is footing
    assert [one.verdict for one in found.orders] == [*[Verdict.READY] * 7, Verdict.SKIPPED]
    assert {one.basis for one in found.orders} == {Basis.NET}
    entries = [entry for one in found.orders for entry in one.entries]
    assert {entry.basis for entry in entries} == {Basis.NET if pricing is Pricing.NET else Basis.GROSS}
    assert found.facts.stated.sums["GBP"][0] == 4


def test_a_total_that_does_not_foot_is_told_with_its_footing(tmp_path):
    """Without shipping; with shipping, whose tax may be what is wrong, the rules look at it."""
    lines = [("A-1", "1", "10.00", "20")]
    bare = {"shippingValue": "0.00"}
    rows = order(1, "12.00", lines, **bare) + order(2, "12.02", lines, **bare) + order(3, "17.95", lines)
    rows += order(4, "17.94", lines)
    found = same([write_rows(tmp_path / "a.csv", rows)], context())
    assert found.facts.footing is Footing.ONCE
    assert [one.codes for one in found.orders] == [(), ("total.mismatch",), ("total.mismatch",), ()]
    assert "add up to 12.00 (with tax, rounded once); orderTotal is 12.02" in found.orders[1].problems[0].message
    assert [str(one.source_total) for one in found.orders] == ["10.00", "10.00", "14.95", "14.95"]
    assert (found.admitted, found.reasons) == (3, {"taken at once only, of prices without tax": 1})


def test_trade_orders_stand_beside_those_of_guests(tmp_path):
    """`prices_include_tax = "b2c"`: of one file, each in its basis; what guests pay says nothing of how the others foot."""
    lines = [("A-1", "1", "10.00", "20")]
    rows = order(1, "14.95", lines) + order(2, "17.94", lines, storeType="b2b") + order(3, "14.95", lines)
    rows += order(4, "14.95", lines, storeType="b2b", status="Cancelled") + order(5, "1", lines, status="Cancelled")
    found = same([write_rows(tmp_path / "a.csv", rows)], context(prices_include_tax="b2c"))
    assert found.facts.footing_votes == {
        "without tax": 1,
        "with tax, rounded once": 1,
        "with tax, rounded per rate": 1,
        "with tax, rounded per line": 1,
    }
    assert [one.basis for one in found.orders] == [Basis.GROSS, Basis.NET, Basis.GROSS, Basis.NET, Basis.GROSS]
    assert [one.verdict.value for one in found.orders] == ["ready", "blocked", "ready", "skipped", "skipped"]
    assert found.admitted == 5


def test_several_codes_are_booked_each_by_itself(tmp_path):
    """In an enterprise without tax in its prices a line may have any number of them; one may rest on another."""
    reference = a_reference(pricing=Pricing.NET)
    from dataclasses import replace

    rates = dict(reference.tax_rates)
    rates["STATE"] = replace(rates["UK-5%"], code="STATE", value=Decimal("0.0625"))
    rates["CITY"] = replace(rates["UK-5%"], code="CITY", value=Decimal("0.0225"))
    taxes = (a_tax("8.5", "STATE", "CITY"), a_tax("20", "UK-20%"))
    mapping = a_mapping(taxes=taxes, source={"prices_include_tax": False}, shipping={"accounting_category": CATEGORY})
    ctx = a_context(mapping, replace(reference, tax_rates=rates))
    assert isinstance(rates["STATE"], TaxRate)
    assert rates["STATE"].strategy is Strategy.RELATIVE
    lines = [(f"S-{at}", str(1 + at), f"{at}.{at}7", "8.5") for at in range(9)]
    found = same([write_rows(tmp_path / "a.csv", order(1, "", lines) + order(2, "", lines[3:]))], ctx)
    assert (found.admitted, found.reasons) == (2, {})
    assert all(len(entry.codes) == 2 for entry in found.orders[0].entries)


@pytest.mark.parametrize("pricing", Pricing)
@pytest.mark.parametrize("how", ["balance", "captures", "none"])
def test_bills_are_paid_with_tax(how, pricing, tmp_path):
    """The rest of a bill is what Mews books with tax, whatever the shop's prices are; a gift card lowers it."""
    gifts = {"vouchers": (VoucherRule("GIFT", "payment"),)}
    ctx = outlet_context(
        source={"prices_include_tax": False}, outlet={"payments": how}, tables=gifts, reference={"pricing": pricing}
    )
    total = TOTALS[Footing.ONCE]
    rows = order(1, total) + order(2, str(Decimal(total) - 5), voucherCode="GIFT", voucherValue="5.00") + order(3, "")
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, found.reasons) == (3, {})
    paid = [
        [entry.line for entry in one.entries if entry.line[0] in "gbc" or entry.line == "pay1"] for one in found.orders
    ]
    assert (
        paid
        == {
            "balance": [["bal1"], ["gift1", "bal1"], ["bal1"]],
            "captures": [["pay1"], ["gift1", "pay1"], []],
            "none": [[], ["gift1"], []],
        }[how]
    )
    if how == "balance":
        assert [one.gross_balance for one in found.orders] == [0, 0, 0]


def test_the_rules_are_not_asked_how_plain_orders_foot(tmp_path, monkeypatch):
    """But of the first of a kind and every so many; taxes that nobody has decided are theirs to say."""
    monkeypatch.setenv(SWITCH, "")
    asked: list[str] = []
    real = both_ways.footings
    monkeypatch.setattr(both_ways, "footings", lambda one, ctx: (asked.append(one.number), real(one, ctx))[1])
    rows = [one for number in range(1, 30) for one in order(number, TOTALS[Footing.ONCE])]
    rows += order(40, "1.00", [("A-1", "1", "10.00", "19")]) + order(41, "1.00")
    found = planned([write_rows(tmp_path / "a.csv", rows)], context(), is_fast=True)
    assert asked == ["1", "41", "40"]
    assert found.facts.footing is Footing.ONCE


def test_an_order_that_foots_otherwise_by_the_rules_ends_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(both_ways, "footings", lambda one, _: frozenset(Footing) if one.number == "2" else frozenset())
    rows = order(1, "1.00") + order(2, "1.00")
    with pytest.raises(InternalError) as caught:
        planned([write_rows(tmp_path / "a.csv", rows)], context(), is_fast=True)
    assert caught.value.code == "internal.both_ways"
