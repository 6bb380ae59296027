"""Plans of generated orders: sums, signs, precision and order-independence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from builders import (
    CATEGORY,
    UK_TAXES,
    a_context,
    a_line,
    a_mapping,
    a_reference,
    a_tax,
    an_order,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etl.model.identity import Identity
from etl.model.money import ZERO, is_finer, round_money
from etl.model.order import Line, Order, TaxMode, Voucher
from etl.model.plan import Basis, PlannedOrder, Verdict, order_payload, plan_line
from etl.model.reference import Pricing
from etl.model.rules import VoucherRule
from etl.transform.context import Context, Footing
from etl.transform.order import footings, plan_order

PRECISIONS = {"GBP": 2, "JPY": 0, "KWD": 3}
TAXES = (
    *UK_TAXES,
    a_tax("11.06", "STATE", "CITY", "LEVY"),
    a_tax("10", "STATE", "CITY"),
    a_tax("shipping", "UK-5%"),
)


def prices(precision: int) -> st.SearchStrategy[Decimal]:
    return st.one_of(
        st.integers(0, 50_000).map(lambda units: Decimal(units).scaleb(-precision)),
        st.integers(0, 200_000).map(lambda units: Decimal(units).scaleb(-4)),
    )


@st.composite
def lines(draw: st.DrawFn, precision: int, percents: list[str], *, is_return: bool) -> Line:
    count = draw(st.integers(1, 12))
    is_back = is_return or draw(st.integers(0, 12)) == 0
    return a_line(
        draw(prices(precision)),
        -count if is_back else count,
        draw(st.sampled_from(percents)),
        sku=draw(st.sampled_from("ABCDE")),
        product=draw(st.sampled_from(["Cup", "Mug", ""])),
    )


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    pricing = draw(st.sampled_from(list(Pricing)))
    reference = a_reference(pricing=pricing, tax_precision=draw(st.sampled_from([None, None, 4])))
    rules = (VoucherRule("GC-*", "payment"), VoucherRule("SP-*", "spread"), VoucherRule("RE-*", "rebate"))
    mapping = a_mapping(
        taxes=TAXES,
        tables={"vouchers": rules},
        source={"prices_include_tax": draw(st.sampled_from([True, False, "b2c"])), "total_tolerance": "0.02"},
        target={"rebates": draw(st.sampled_from(["allow"] * 7 + ["block"]))},
        shipping={"accounting_category": CATEGORY, "tax": draw(st.sampled_from(["proportional", "highest", "UK-20%"]))},
        payments={"refunds": "post"},
    )
    return a_context(mapping, reference, footing=draw(st.sampled_from([Footing.WITHOUT_TAX, Footing.ONCE])))


@st.composite
def orders(draw: st.DrawFn, ctx: Context) -> Order:
    is_net = ctx.reference.pricing is Pricing.NET
    currency = draw(st.sampled_from(sorted(PRECISIONS)))
    precision = PRECISIONS[currency]
    percents = ["20", "5", "0", *(["11.06", "10"] if is_net else [])]
    is_return = draw(st.booleans())
    sign = -1 if is_return else 1
    goods = tuple(draw(st.lists(lines(precision, percents, is_return=is_return), max_size=6)))
    shipping = draw(st.one_of(st.just(ZERO), prices(precision))) * draw(st.sampled_from([1, sign]))
    room = sum((line.total for line in goods), ZERO) + shipping
    vouchers = tuple(
        Voucher(
            draw(st.sampled_from(["GC-1", "SP-1", "RE-1", "RE-2"])),
            round_money(room * draw(st.integers(1, 55)) / 100, precision),
            is_credit=draw(st.integers(0, 5)) == 0,
        )
        for _ in range(draw(st.sampled_from([0, 1, 1, 2])))
    )
    value = sum((voucher.value for voucher in vouchers), ZERO)
    fee = draw(prices(precision)) if is_return and draw(st.booleans()) else ZERO
    order = an_order(
        currency=currency,
        shipping=shipping,
        vouchers=vouchers,
        voucher_value=value,
        return_cost=fee,
        is_return=is_return,
        store_type=draw(st.sampled_from(["b2c", "b2b"])),
        tax_mode=draw(st.sampled_from([None, None, None, TaxMode.ADDED, TaxMode.DEDUCTED])),
    )
    total = round_money(room + fee - value, precision)
    off = draw(st.sampled_from([None, ZERO, ZERO, ZERO, Decimal(1).scaleb(-precision), Decimal(50)]))
    return replace(order, lines=goods, order_total=None if off is None else total + off)


@st.composite
def planned(draw: st.DrawFn) -> tuple[Order, Context, PlannedOrder]:
    ctx = draw(contexts())
    order = draw(orders(ctx))
    return order, ctx, plan_order(order, ctx)


def in_basis(plan: PlannedOrder) -> Decimal:
    """What Mews holds of the items in the source's basis."""
    return sum((e.predicted.gross if plan.basis is Basis.GROSS else e.predicted.net for e in plan.entries), ZERO)


FIXED = settings(max_examples=120, deadline=None)


strange = st.sampled_from(
    [
        Decimal(text)
        for text in (
            "0",
            "-0.00",
            "-1",
            "0.00001",
            "1e-20",
            "1e28",
            "1e30",
            "-1e30",
            "1e400",
            "99999999999.9999",
            "33.333",
        )
    ]
)


@FIXED
@given(
    contexts(),
    st.lists(
        st.builds(
            lambda price, qty, vat, **more: replace(a_line(price, 1, None), qty=qty, vat_percent=vat, **more),
            strange,
            st.sampled_from([0, 1, -1, 7, 10**12, -(10**30)]),
            st.one_of(st.none(), strange, st.just(Decimal(20))),
            is_bundle=st.booleans(),
            bundle=st.sampled_from(["", "0", "1"]),
            original_price=st.one_of(st.none(), strange),
        ),
        max_size=4,
    ),
    st.tuples(strange, strange, strange, st.one_of(st.none(), strange)),
    st.tuples(st.booleans(), st.sampled_from(["", "GB", "ZZ"]), st.sampled_from(["", "GBP", "XXX"])),
)
def test_nothing_in_an_order_breaks_the_run(
    ctx: Context,
    goods: list[Line],
    amounts: tuple[Decimal, Decimal, Decimal, Decimal | None],
    rest: tuple[bool, str, str],
) -> None:
    """Whatever staging lets through, the order is planned or blocked with a reason; the others go on."""
    shipping, value, fee, total = amounts
    order = an_order(is_return=rest[0], delivery_country=rest[1], currency=rest[2], order_total=total)
    order = replace(order, lines=tuple(goods), shipping=shipping, voucher_value=value, return_cost=fee)
    plan = plan_order(order, ctx)
    assert plan.entries or plan.codes
    assert (footings(order, ctx) or set()) <= set(Footing)
    assert plan_line(plan, "shop")


@FIXED
@given(planned())
def test_every_cent_is_accounted_for(case: tuple[Order, Context, PlannedOrder]) -> None:
    """source = planned + rounding, and each cause of rounding is the sum of its parts."""
    order, _, plan = case
    if plan.verdict is not Verdict.READY:
        return
    credit = sum((payment.amount for payment in plan.payments), ZERO)
    assert plan.source_total == plan.planned_total + plan.rounding
    assert plan.planned_total == in_basis(plan) - credit
    causes = dict(plan.rounding_causes)
    assert sum(causes.values(), ZERO) == plan.rounding
    assert causes.get("conversion", ZERO) == sum((entry.rounding for entry in plan.entries), ZERO)
    exact = sum((line.total for line in order.lines), ZERO) + order.shipping + order.return_cost - order.voucher_value
    truth = round_money(exact, PRECISIONS[order.currency])
    assert sum((entry.source_amount for entry in plan.entries), ZERO) - credit == truth


@FIXED
@given(planned())
def test_one_basis_needs_no_conversion(case: tuple[Order, Context, PlannedOrder]) -> None:
    """Where enterprise and source share the basis, what was paid is what is booked."""
    _, ctx, plan = case
    if plan.verdict is Verdict.READY and plan.basis is ctx.arithmetic.basis:
        assert {cause for cause, _ in plan.rounding_causes} <= {"source"}
        assert all(entry.rounding == 0 for entry in plan.entries)


@FIXED
@given(planned(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(case: tuple[Order, Context, PlannedOrder], random: object) -> None:
    """A re-sorted export gives the same plan line, identifiers and all."""
    order, ctx, plan = case
    shuffled, vouchers = list(order.lines), list(order.vouchers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(vouchers)  # type: ignore[attr-defined]
    again = plan_order(replace(order, lines=tuple(shuffled), vouchers=tuple(vouchers)), ctx)
    assert plan_line(again, "shop") == plan_line(plan, "shop")
    assert again.fingerprint == plan.fingerprint


@FIXED
@given(planned())
def test_padding_of_numbers_does_not_matter(case: tuple[Order, Context, PlannedOrder]) -> None:
    """2.5 of one format and 2.5000 of another give one plan."""
    order, ctx, plan = case
    padded = tuple(replace(line, unit_price=line.unit_price + Decimal("0.000000")) for line in order.lines)
    again = plan_order(replace(order, lines=padded, shipping=order.shipping + Decimal("0.000000")), ctx)
    assert plan_line(again, "shop") == plan_line(plan, "shop")
    assert again.fingerprint == plan.fingerprint


@FIXED
@given(planned())
def test_mews_takes_every_entry(case: tuple[Order, Context, PlannedOrder]) -> None:
    """Positive counts, amounts at the currency's digits, one code in gross pricing, negative only where allowed."""
    order, ctx, plan = case
    precision = PRECISIONS[order.currency]
    for entry in plan.entries:
        assert entry.count > 0
        assert not is_finer(entry.unit, precision)
        assert str(entry.unit) != "-0"
        assert entry.basis is ctx.arithmetic.basis
        assert ctx.reference.pricing is Pricing.NET or len(entry.codes) <= 1
        assert entry.unit >= 0 or ctx.mapping.settings.target.rebates == "allow"
        assert entry.unit >= 0 or entry.codes == ctx.arithmetic.without_flat(entry.codes)
        assert entry.name
    assert all(payment.amount and not is_finer(payment.amount, precision) for payment in plan.payments)


@FIXED
@given(planned())
def test_a_plan_is_sent_or_says_why_not(case: tuple[Order, Context, PlannedOrder]) -> None:
    """Blocked orders have reasons and no entries, ready ones entries and no reasons; the total is readable."""
    _, _, plan = case
    assert plan.source_total is not None
    if plan.verdict is Verdict.READY:
        assert plan.entries
        assert not plan.codes
    else:
        assert plan.verdict is Verdict.BLOCKED
        assert plan.codes
        assert not plan.entries
        assert (plan.planned_total, plan.rounding) == (0, 0)


@FIXED
@given(st.integers(0, 10**7), st.integers(0, 7), st.integers(1, 9))
def test_prices_carry_up_to_four_decimals(units: int, places: int, count: int) -> None:
    """More block as price.decimals, trailing zeros aside; up to four add up to the order's sum rounded once."""
    price = Decimal(units).scaleb(-places)
    plan = plan_order(an_order(a_line(price, count)), a_context())
    if units % 10 ** max(0, places - 4):
        assert plan.codes == ("price.decimals",)
    else:
        assert plan.planned_total == round_money(price * count, 2)
        assert plan.rounding == 0


@FIXED
@given(planned())
def test_identifiers_are_unique_within_an_order(case: tuple[Order, Context, PlannedOrder]) -> None:
    """Two items with one identifier could not be told apart when they are read back."""
    order, _, plan = case
    labels = [entry.line for entry in plan.entries] + [payment.part for payment in plan.payments]
    assert len(set(labels)) == len(labels)
    if plan.verdict is Verdict.READY:
        payload = order_payload(plan, Identity("shop", order.number))
        sent = [item["ExternalIdentifier"] for item in payload.get("Items", []) + payload.get("ProductOrders", [])]
        assert len(set(sent)) == len(plan.entries)


@FIXED
@given(planned())
def test_spread_makes_nothing_negative(case: tuple[Order, Context, PlannedOrder]) -> None:
    """A sale without negative lines whose vouchers are all spread has no negative amount."""
    order, ctx, _ = case
    spread = tuple(replace(voucher, code="SP-1", is_credit=False) for voucher in order.vouchers)
    positive = tuple(replace(line, qty=abs(line.qty)) for line in order.lines)
    sale = replace(
        order, vouchers=spread, lines=positive, shipping=abs(order.shipping), is_return=False, order_total=None
    )
    plan = plan_order(replace(sale, return_cost=ZERO), ctx)
    assume(plan.verdict is Verdict.READY and all(voucher.value >= 0 for voucher in order.vouchers))
    assert all(entry.unit >= 0 for entry in plan.entries)
    assert all(not entry.line.startswith("v") for entry in plan.entries)


@FIXED
@given(planned())
def test_a_footing_is_one_that_the_check_accepts(case: tuple[Order, Context, PlannedOrder]) -> None:
    """What votes for a reading of orderTotal is not blocked as a mismatch under that reading."""
    order, ctx, _ = case
    for footing in footings(order, ctx) or ():
        assert "total.mismatch" not in plan_order(order, replace(ctx, footing=footing)).codes
