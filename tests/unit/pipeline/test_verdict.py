"""The verdict over an export: each cause once, with its money; the proof of the tax basis."""

from __future__ import annotations

from decimal import Decimal

import pytest

from etl.model.order import Line, Order
from etl.model.place import Place
from etl.model.problem import Problem, notice
from etl.pipeline.verdict import Verdict


def order(number: int, total: str | None = "12.00", *, price: str = "12.00", **more: object) -> Order:
    """An order of one line at 20 %."""
    line = Line(1, Decimal(price), Decimal(20), sku="CUP")
    return Order(
        str(number),
        currency="GBP",
        lines=(line,),
        order_total=None if total is None else Decimal(total),
        **more,  # type: ignore[arg-type]
    )


def bad(number: int, code: str, column: str, value: str = "", total: str = "12.00") -> Order:
    """An order with one fault."""
    problem = Problem(code, str(number), Place("a.csv", row=number, column=column), value, f"{value} is wrong.")
    return order(number, total, problems=(problem, problem, notice("text.cleaned", "x")))


def judged(*orders: Order, **settings: object) -> Verdict:
    """The verdict over these orders."""
    verdict = Verdict(**settings)  # type: ignore[arg-type]
    for one in orders:
        verdict.add(one)
    return verdict


def test_twenty_lines_of_one_problem_are_one_line() -> None:
    """What costs most stands first; an order counts once in each of its causes."""
    many = [bad(number, "status.unknown", "Status", "paid") for number in range(1, 21)]
    few = [bad(number, "country.invalid", "Land", "Suisse", "900.00") for number in (30, 31)]
    found = judged(*many, *few, order(40)).document()
    assert found["orders"] == {"read": 23, "good": 1, "kept_out": 22}
    assert [(one["code"], one["orders"], one["money"][0]["amount"]) for one in found["causes"]] == [
        ("country.invalid", 2, "1800.00"),
        ("status.unknown", 20, "240.00"),
    ]
    assert found["causes"][1]["values"] == ["paid"]
    assert found["causes"][1]["examples"] == ["1", "2", "3"]
    assert found["money"] == {
        "read": [{"currency": "GBP", "amount": "2052.00"}],
        "good": [{"currency": "GBP", "amount": "12.00"}],
    }


def test_an_order_that_does_not_foot_is_kept_out() -> None:
    """Readable is not enough; without a total nothing can be said against it."""
    found = judged(order(1, "12.01"), order(2, None), order(3)).document()
    assert found["orders"] == {"read": 3, "good": 2, "kept_out": 1}
    assert found["without_total"] == 1
    assert [one["code"] for one in found["causes"]] == ["total.mismatch"]


@pytest.mark.parametrize(
    ("gross", "net", "basis"),
    [(20, 0, True), (19, 0, None), (0, 20, False), (99, 1, True), (98, 2, None), (30, 30, None)],
)
def test_the_basis_is_proved_or_open(gross: int, net: int, basis: bool | None) -> None:
    """Twenty orders that tell the readings apart, and at most one in a hundred that says otherwise."""
    orders = [order(number) for number in range(gross)]
    orders += [order(1000 + number, "14.40") for number in range(net)]
    assert judged(*orders).proved_basis() is basis


def test_trade_without_tax_beside_consumers_with_it_is_b2c() -> None:
    """Each type of store proves its own."""
    consumers = [order(number) for number in range(20)]
    trade = [order(100 + number, "14.40", store_type="b2b") for number in range(20)]
    assert judged(*consumers, *trade).proved_basis() == "b2c"


def test_open_words_do_not_hide_the_proof() -> None:
    """A status that nobody has translated says nothing about the amounts."""
    orders = [bad(number, "status.unknown", "Status", "paid") for number in range(20)]
    assert judged(*orders).proved_basis() is None
    assert judged(*orders, words={"Status"}).proved_basis() is True


def test_orders_that_only_wait_for_a_word_foot_or_are_told_at_once() -> None:
    """`0 of 23 can be read` frightens where one word is missing; what does not foot is known before it is decided."""
    waiting = [bad(number, "status.unknown", "Status", "paid") for number in range(1, 21)]
    wrong = [bad(number, "status.unknown", "Status", "paid", "99.00") for number in (30, 31)]
    damaged = [bad(40, "value.invalid", "Price", "x")]
    found = judged(*waiting, *wrong, *damaged, order(50), words={"Status"}).document()
    assert found["orders"] == {"read": 24, "good": 1, "kept_out": 23}
    assert found["waiting_for_words"] == 20
    assert {one["code"]: one["orders"] for one in found["causes"]} == {
        "status.unknown": 22,
        "total.mismatch": 2,
        "value.invalid": 1,
    }
