"""What keeps orders back: a cell is asked for only where cells alone set orders free, and words come before their effects."""

from __future__ import annotations

from decimal import Decimal

from etl.model.place import Place
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.pipeline.causes import Cause, Causes

RATE = Place("orders.csv", row=10, column="Stawka VAT", name="products.vatPercent")
TAX = Problem("tax.undecided", "1", value="GB 20", message="taxes.csv, row 2: tax_codes is empty for GB 20.")
AMBIGUOUS = Problem("tax.ambiguous", "1", RATE, message="SZK has no VAT rate, and 23, 5 all fit PL on 2026-08-02.")
WORD = Problem("value.invalid", "1", RATE, "zw", "'zw' is no rate.")
BROKEN = Problem("value.missing", "1", Place("orders.csv", row=3, column="qty"), "", "qty is empty.")


def blocked(number: str, total: str, *problems: Problem) -> OrderStatus:
    return OrderStatus(number, ReportState.BLOCKED, "GBP", source_total=Decimal(total), problems=problems)


def asked(causes: Causes) -> list[tuple[str, str, int]]:
    return [(cause.code, cause.file, causes.open[cause].orders) for cause, _ in causes.decisions()]


def test_what_the_export_has_to_mend_is_no_reason_to_decide_a_cell() -> None:
    """Once it is corrected, the cell is asked for; until then it would set nothing free."""
    causes = Causes()
    causes.add(blocked("1", "1000.00", TAX, BROKEN))
    assert asked(causes) == []
    assert [cause.code for cause, _ in causes.others()] == ["value.missing"]
    causes.add(blocked("2", "5.00", TAX))
    assert asked(causes) == [("tax.undecided", "taxes.csv", 1)]


def test_a_word_that_values_csv_is_open_about_comes_before_what_follows_from_it() -> None:
    """`zw` in the rate's cell is a word to decide; that the line has no rate is its effect."""
    causes = Causes(words={("products.vatPercent", "zw")})
    causes.add(blocked("1", "10.00", AMBIGUOUS, WORD))
    assert asked(causes) == [("value.invalid", "values.csv", 1), ("tax.ambiguous", "taxes.csv", 1)]
    assert causes.decisions()[0][0] == Cause("value.invalid", "values.csv", None, "zw", "products.vatPercent")
    unknown = Causes()
    unknown.add(blocked("1", "10.00", AMBIGUOUS, WORD))
    assert asked(unknown) == []


def test_what_a_person_has_meant_is_not_asked_again() -> None:
    """Orders that stay out by a key that stands in the file wait for no other cell either."""
    rebate = Problem("rebate.not_allowed", "1", message="Order 1 has 1 negative amounts.")
    causes = Causes(meant={"rebate.not_allowed"})
    causes.add(blocked("1", "10.00", rebate, TAX))
    assert asked(causes) == []


def test_what_has_no_cell_of_its_own_comes_last() -> None:
    """However much money waits for it: what can be filled in is filled in first."""
    causes = Causes()
    causes.add(blocked("1", "1000.00", AMBIGUOUS))
    causes.add(blocked("2", "5.00", TAX))
    assert [code for code, _, _ in asked(causes)] == ["tax.undecided", "tax.ambiguous"]
