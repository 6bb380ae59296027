"""Orders that a run takes from columns: what of them is sent is what the plan id stands for, and the rules agree."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields, replace
from decimal import Decimal
from enum import Enum

import pytest
from builders import CATEGORY, a_context, a_mapping, a_reference
from outlet_shop import outlet_context
from structlog.testing import capture_logs
from two_ways import PLAIN, planned, same, write_rows

from etl.columns.bulk import BulkLane, Found
from etl.columns.lane import Lane
from etl.columns.whole import Whole
from etl.errors import ExitCode, InternalError
from etl.model.identity import Identity
from etl.model.place import Place
from etl.model.plan import Booked, Entry, PlannedOrder, Verdict, order_payload
from etl.model.reference import Pricing
from etl.model.rules import VoucherRule
from etl.pipeline import both_ways
from etl.pipeline.both_ways import BOTH, SWITCH
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.planning import Span, plan_batch
from etl.reading.identify import open_export
from etl.staging.batch import Batch

CTX = a_context(a_mapping(shipping={"accounting_category": CATEGORY}))
RUN = {"is_fast": True, "is_sent": True}


def row(number: int = 1001, **cells: str) -> dict[str, str]:
    """A row of a plain order; names of cells with `__` for the dot."""
    return PLAIN | {"orderNumber": str(number)} | {name.replace("__", "."): cell for name, cell in cells.items()}


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The orders of which the rules were asked."""
    found: list[str] = []
    real = both_ways.plan_order
    monkeypatch.setattr(
        both_ways, "plan_order", lambda order, *more: (found.append(order.number), real(order, *more))[1]
    )
    return found


def test_a_run_takes_its_orders_from_columns(tmp_path, asked):
    """The first of each signature and every so many are planned both ways, the others are not."""
    rows = [row(number) for number in range(1, 10)]
    rows[1] |= {"products.vatPercent": "5"}
    path = write_rows(tmp_path / "a.csv", rows)
    assert planned([path], CTX, **RUN).admitted == 9
    assert asked == ["1", "2"]
    found = same([path], CTX)
    assert [order.verdict for order in found.ready] == [Verdict.READY] * 9


def test_every_so_many_are_planned_both_ways(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(both_ways, "CHECK_EVERY", 4)
    planned([write_rows(tmp_path / "a.csv", [row(number) for number in range(1, 10)])], CTX, **RUN)
    assert asked == ["1", "4", "8"]


def altered(order: PlannedOrder, name: str) -> PlannedOrder:
    """The order with another value of one field, of itself or of its first entry."""
    if name.startswith("entry."):
        entry = order.entries[0]
        its = name.removeprefix("entry.")
        return replace(order, entries=(replace(entry, **{its: other(getattr(entry, its))}), *order.entries[1:]))
    return replace(order, **{name: other(getattr(order, name))})


def other(value: object) -> object:
    """A value of that kind that is not it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(one for one in type(value) if one is not value)
    if isinstance(value, Booked):
        return replace(value, tax=value.tax + 1)
    if isinstance(value, Place):
        return replace(value, row=9)
    if isinstance(value, (int, Decimal)):
        return value + 1
    if isinstance(value, tuple):
        return (*value, ("x", Decimal(1)))
    if isinstance(value, str):
        return f"{value}x"
    return None if value is not None else "x"


_OF_ENTRY = [f"entry.{field.name}" for field in fields(Entry)]
_OF_ORDER = [
    field.name for field in fields(PlannedOrder) if field.name not in ("entries", "problems", "payments", "is_clamped")
]


@pytest.mark.parametrize("name", [*_OF_ORDER, *_OF_ENTRY])
def test_no_field_may_differ_from_what_the_rules_say(name, tmp_path, monkeypatch):
    """Not the smallest that a ledger keeps or a person is shown; nothing is sent then, and the way out is named."""
    real = Whole.order
    monkeypatch.setattr(Whole, "order", lambda self, *given: altered(real(self, *given), name))
    with pytest.raises(InternalError) as caught:
        planned([write_rows(tmp_path / "a.csv", [row()])], CTX, **RUN)
    assert (caught.value.code, caught.value.exit_code) == ("internal.both_ways", ExitCode.INTERNAL)


_SENT = [
    "number",
    "verdict",
    "currency",
    "account_id",
    "create_customer",
    "service_id",
    "enterprise_id",
    "consumption",
    "notes",
]
_SENT += ["segment_id", "bill_id", "reservation_id", "disable_item_grouping"]
_SENT += [f"entry.{name}" for name in ("line", "kind", "name", "count", "unit", "basis", "codes", "category_id")]


@pytest.mark.parametrize("name", _SENT)
def test_nothing_is_sent_that_the_plan_id_does_not_stand_for(name, tmp_path, monkeypatch):
    """The second order is no sample: what would be sent of it is held against its part of the plan id all the same."""
    real = Whole.order

    def wrong_second(self, order, at):
        found = real(self, order, at)
        return altered(found, name) if order.number == "2" else found

    monkeypatch.setattr(Whole, "order", wrong_second)
    with pytest.raises(InternalError):
        planned([write_rows(tmp_path / "a.csv", [row(1), row(2)])], CTX, **RUN)


def test_each_order_has_its_own_time_and_country(tmp_path):
    """To the last field, samples or not: month and country are in no plan id."""
    source = {"default_country": "GB"}
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, source=source))
    rows = [row(1), row(2), row(3, orderDate="2024-05-01 10:00:00"), row(4, deliveryAddress__country="")]
    rows.append(row(5, deliveryAddress__country="", invoiceAddress__country=""))
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    assert [order.month for order in found.orders] == ["2024-03", "2024-03", "2024-05", "2024-03", "2024-03"]
    assert [order.country for order in found.orders] == ["GB"] * 5


def test_payments_beside_an_order_go_along(tmp_path):
    """Gift cards and captures; in the plan id their amounts have no trailing zeros, in what is sent they do."""
    tables = {"vouchers": (VoucherRule("GIFT", "payment"),)}
    payments = {"post": True, "type": "Cash"}
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, payments=payments, tables=tables))
    rows = [
        row(),
        row(1002, voucherCode="GIFT", voucherValue="5", orderTotal="23.95", payment__capture__amount="23.95"),
    ]
    path = write_rows(tmp_path / "a.csv", rows)
    same([path], ctx)
    found = planned([path], ctx, **RUN)
    assert (found.admitted, found.reasons) == (2, {})
    assert [str(one.amount) for one in found.orders[1].payments] == ["5.00", "23.95"]


@pytest.mark.parametrize("pricing", [Pricing.NET, Pricing.GROSS])
@pytest.mark.parametrize("has_tax", [True, False])
def test_an_order_that_changes_its_tax_basis_is_the_rules_business(pricing, has_tax, tmp_path):
    source = {"prices_include_tax": has_tax}
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, source=source), a_reference(pricing=pricing))
    path = write_rows(tmp_path / "a.csv", [row(), row(1002)])
    same([path], ctx)
    assert planned([path], ctx, **RUN).admitted == 2 * (has_tax is (pricing is Pricing.GROSS))


@pytest.mark.parametrize("how", ["captures", "balance", "none"])
def test_bills_of_a_run_are_taken_from_columns(how, tmp_path):
    found = planned(
        [write_rows(tmp_path / "a.csv", [row(), row(1002)])], outlet_context(outlet={"payments": how}), **RUN
    )
    assert found.admitted == 2
    same([write_rows(tmp_path / "a.csv", [row(), row(1002)])], outlet_context(outlet={"payments": how}))


def test_what_is_sent_is_what_the_rules_would_send(tmp_path):
    """To the last digit of the body."""
    rows = [row(), row(1002, products__qty="3", products__unitPrice="8.00", products__vatPercent="5")]
    path = write_rows(tmp_path / "a.csv", rows)
    bodies = [
        [repr(order_payload(order, Identity("uk", order.number))) for order in planned([path], CTX, **how).ready]
        for how in (RUN, {"is_fast": False})
    ]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == 2


@pytest.mark.parametrize("what", [(BulkLane, "take"), (Lane, "take"), (Whole, "order")])
@pytest.mark.parametrize("is_sent", [True, False])
def test_a_fault_that_nobody_foresaw_leaves_all_to_the_rules(what, is_sent, tmp_path, monkeypatch):
    """The command goes on, with the same plan, and says so once; columns are asked nothing more."""
    path = write_rows(tmp_path / "a.csv", [row(1), row(2, shippingValue="x"), row(3)])
    rules = planned([path], CTX, is_fast=False)
    asked, lanes = [], []

    def broken(*_, **__):
        asked.append(1)
        raise IndexError

    if what[0] is not Whole and not is_sent:
        monkeypatch.setattr(BulkLane, "take", lambda *_, **__: Found([], []))
    monkeypatch.setattr(*what, broken)
    made = both_ways.FastLane.__init__
    monkeypatch.setattr(
        both_ways.FastLane, "__init__", lambda self, *given, **how: made(self, *given, **how) or lanes.append(self)
    )
    with ExitStack() as stack, capture_logs() as told:
        batch = stack.enter_context(Batch([path], open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        how = {"span": Span(), "has_tax_modes": False, "expected": 3, "progress": lambda *_: None}
        facts = plan_batch(batch, CTX, store, **how, is_fast=True, is_sent=is_sent)
        assert facts == rules.facts
        assert list(map(both_ways.exact, store.by_number())) == list(map(both_ways.exact, rules.orders))
    is_asked = (what[0] is not Whole or is_sent) and (what[0] is not Lane or not is_sent)
    assert len(asked) == is_asked
    assert [bool(lane.fault) for lane in lanes] == [is_asked]
    assert sum(one["log_level"] == "warning" for one in told) == is_asked


def test_a_fault_is_not_passed_over_where_a_person_asks_for_both_ways(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise IndexError

    monkeypatch.setenv(SWITCH, BOTH)
    monkeypatch.setattr(BulkLane, "take", broken)
    with pytest.raises(IndexError):
        planned([write_rows(tmp_path / "a.csv", [row()])], CTX, **RUN)
