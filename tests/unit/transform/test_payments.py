"""Payments as parts of an order."""

from __future__ import annotations

from typing import Any

from builders import a_context, a_line, a_mapping, a_reference, an_order, money

from etl.model.order import Payment, Voucher
from etl.model.plan import PlannedOrder
from etl.model.rules import PaymentRule
from etl.transform.order import plan_order

POST = {"post": True, "type": "Cash"}


def plan(
    *, payments: dict[str, Any] | None = None, rules: tuple[PaymentRule, ...] = (), reference: Any = None, **order: Any
) -> PlannedOrder:
    mapping = a_mapping(payments=payments or {}, vouchers={"policy": "payment"}, tables={"payments": rules})
    return plan_order(an_order(a_line("50.00"), **order), a_context(mapping, reference))


def parts(result: PlannedOrder) -> list[tuple[str, str, str]]:
    assert result.verdict == "ready", result.problems
    return [(payment.part, payment.type, str(payment.amount)) for payment in result.payments]


def capture(amount: str, **more: Any) -> Payment:
    return Payment(**{"method": "card", "status": "success", "amount": money(amount)} | more)


def test_a_gift_card_leaves_the_goods_whole() -> None:
    """It is money: it must not lower revenue or VAT."""
    result = plan(voucher_code="GC", voucher_value="20.00", order_total="30.00")
    assert parts(result) == [("gift1", "GiftCard", "20.00")]
    assert [str(entry.unit) for entry in result.entries] == ["50.00"]
    assert (result.planned_total, result.rounding, result.gross_balance) == (money("30.00"), 0, money("30.00"))


def test_each_credit_is_a_part_of_its_own() -> None:
    """Several gift cards are several payments, in an order that does not depend on the export's."""
    vouchers = (Voucher("GC-2", money("5.00")), Voucher("GC-1", money("7.00")))
    expected = [("gift1", "GiftCard", "7.00"), ("gift2", "GiftCard", "5.00")]
    assert parts(plan(vouchers=vouchers, voucher_value="12.00")) == expected
    assert parts(plan(vouchers=vouchers[::-1], voucher_value="12.00")) == expected


def test_store_credit_is_a_payment_whatever_the_policy() -> None:
    """isCredit beside an ordinary voucher: one pays, the other lowers the price."""
    vouchers = (Voucher("SUMMER", money("5.00")), Voucher("CREDIT", money("10.00"), is_credit=True))
    order = an_order(a_line("50.00"), vouchers=vouchers, voucher_value="15.00", order_total="35.00")
    result = plan_order(order, a_context())
    assert parts(result) == [("gift1", "GiftCard", "10.00")]
    assert [(entry.line, str(entry.unit)) for entry in result.entries] == [("p1", "50.00"), ("v1", "-5.00")]
    assert (result.planned_total, result.rounding) == (money("35.00"), 0)


def test_gift_cards_must_be_enabled() -> None:
    """Mews would refuse the payment after the order is booked."""
    assert plan(voucher_value="20.00", reference=a_reference(payment_types=("Cash",))).codes == (
        "payment.not_supported",
    )


def test_a_refunded_gift_card_needs_the_users_word() -> None:
    """Money back on a card is posted only where refunds are."""
    back = {"is_return": True, "voucher_value": "-5.00"}
    blocked = plan_order(an_order(a_line("12.00", -1), **back), a_context(a_mapping(vouchers={"policy": "payment"})))
    assert blocked.codes == ("payment.not_supported",)
    mapping = a_mapping(vouchers={"policy": "payment"}, payments={"refunds": "post"})
    assert parts(plan_order(an_order(a_line("12.00", -1), **back), a_context(mapping))) == [
        ("gift1", "GiftCard", "-5.00")
    ]


def test_captures_are_posted_only_if_switched_on() -> None:
    """Mews books payments when they are posted, not when they were made."""
    assert parts(plan(payments={}, order_total="50.00")) == []
    result = plan_order(an_order(payments=(capture("12.00"),)), a_context())
    assert parts(result) == []


def test_each_capture_is_a_part() -> None:
    """Amounts at the currency's precision: 30 and 30.00 are one plan."""
    order = an_order(a_line("50.00"), order_total="50.00", payments=(capture("30"), capture("20.00")))
    result = plan_order(order, a_context(a_mapping(payments=POST)))
    assert parts(result) == [("pay1", "Cash", "30.00"), ("pay2", "Cash", "20.00")]
    assert (result.gross_balance, result.planned_total) == (0, money("50.00"))
    assert result.unproved == ("payment:Cash",)


def posted(*payments: Payment, rules: tuple[PaymentRule, ...] = (), **more: Any) -> PlannedOrder:
    mapping = a_mapping(payments=POST | more, tables={"payments": rules})
    return plan_order(an_order(a_line("50.00"), order_total="50.00", payments=payments), a_context(mapping))


def test_methods_are_mapped_to_types() -> None:
    """payments.csv by method, else payments.type."""
    rules = (PaymentRule("inv", "Invoice"), PaymentRule("odd", None))
    assert parts(posted(capture("50.00", method="inv"), rules=rules)) == [("pay1", "Invoice", "50.00")]
    assert parts(posted(capture("50.00", method="new"), rules=rules)) == [("pay1", "Cash", "50.00")]
    assert posted(capture("50.00", method="odd"), rules=rules).codes == ("payment.undecided",)
    assert posted(capture("50.00"), type="PayPal").codes == ("payment.type_not_enabled",)


def told(result: PlannedOrder) -> list[str]:
    return [problem.message for problem in result.problems if problem.code == "payment.differs"]


def test_what_was_not_captured_is_told_and_not_posted() -> None:
    """Failed, pending and missing captures are told apart; none of them is money."""
    for payments, word in (
        ((capture("50.00", status="failed"),), "failed"),
        ((capture("50.00", status="pending"),), "pending"),
        ((Payment("card", "success"),), "no amount"),
        ((Payment("card", "success", money("50.00"), kind="auth"),), "missing"),
        ((), "missing"),
    ):
        result = posted(*payments)
        assert parts(result) == []
        (words,) = told(result)
        assert word in words


def test_a_capture_of_nothing_is_no_payment() -> None:
    """Mews refuses payments of zero, also of less than the currency's smallest coin."""
    order = an_order(a_line("0.00"), order_total="0.00", payments=(capture("0.00"), capture("0.004")))
    assert parts(plan_order(order, a_context(a_mapping(payments=POST)))) == []


def returned(amount: str, **settings: Any) -> PlannedOrder:
    order = an_order(a_line("12.00", -1), is_return=True, order_total="-12.00", payments=(capture(amount),))
    return plan_order(order, a_context(a_mapping(payments=POST | settings)))


def test_refunds_go_by_their_own_switch() -> None:
    """Money given back is posted only where that is wanted, and told where it is not."""
    kept = returned("-12.00")
    assert (parts(kept), len(told(kept)), kept.gross_balance) == ([], 1, money("-12.00"))
    back = returned("-12.00", refunds="post")
    assert (parts(back), told(back), back.gross_balance) == ([("pay1", "Cash", "-12.00")], [], 0)


def test_money_received_for_a_return_is_not_guessed_to_be_a_refund() -> None:
    """The wrong sign would double what the guest is owed."""
    result = returned("12.00", refunds="post")
    assert (parts(result), len(told(result))) == ([], 1)


def test_captures_of_orders_without_tax_have_the_tax_in_them() -> None:
    """60.00 for 50.00 and tax is what was due; 20.00 is not."""
    mapping = a_mapping(source={"prices_include_tax": False}, payments=POST)
    for amount, count in (("60.00", 0), ("50.00", 0), ("20.00", 1)):
        order = an_order(a_line("50.00"), order_total="50.00", payments=(capture(amount),))
        result = plan_order(order, a_context(mapping))
        assert (parts(result), len(told(result))) == ([("pay1", "Cash", amount)], count)


def test_partial_captures_are_told() -> None:
    """The rest stays open on the account."""
    result = posted(capture("20.00"))
    assert parts(result) == [("pay1", "Cash", "20.00")]
    assert [problem.code for problem in result.problems] == ["payment.differs"]
    assert result.gross_balance == money("30.00")
