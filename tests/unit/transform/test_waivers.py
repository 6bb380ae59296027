"""waivers.csv: a person accepts a named problem of a named order, where Mews takes the order all the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

from builders import a_context, a_line, a_mapping, an_order

from etl.model.mapping import Waiver
from etl.model.plan import PlannedOrder, Verdict
from etl.model.problem import Severity
from etl.transform.context import waivers_of
from etl.transform.order import plan_order


def waived(code: str, number: str = "10001", **order: object) -> PlannedOrder:
    mapping = a_mapping(tables={"waivers": (Waiver(number, code, "a penny of 2011", "Ann", "2026-11-01"),)})
    ctx = replace(a_context(mapping), waivers=waivers_of(mapping))
    return plan_order(an_order(a_line("12.00"), number="10001", **order), ctx)


def test_a_waived_total_is_sent_and_its_difference_is_shown() -> None:
    """The accountant accepts a penny; the certificate must still show it as rounding of the source."""
    result = waived("total.mismatch", order_total=D("12.01"))
    assert result.verdict is Verdict.READY
    assert (result.source_total, result.planned_total, result.rounding) == (D("12.01"), D("12.00"), D("0.01"))
    assert result.rounding_causes == (("waived", D("0.01")),)
    (problem,) = [one for one in result.problems if one.code == "total.mismatch"]
    assert problem.severity is Severity.NOTICE
    assert "Ann" in problem.message


def test_a_waiver_holds_for_its_order_only() -> None:
    """Accepting one order's difference may not let another's through."""
    assert waived("total.mismatch", "10002", order_total=D("12.01")).verdict is Verdict.BLOCKED


def test_what_mews_would_refuse_can_not_be_waived() -> None:
    """A waiver may not turn a refusal by Mews, or a wrong VAT return, into a ready order."""
    assert waived("currency.not_enabled", currency="SEK").verdict is Verdict.BLOCKED


def test_a_large_difference_is_told_with_its_cause() -> None:
    """Half a pound on one cup is no rounding, whoever accepted it."""
    result = waived("total.mismatch", order_total=D("12.50"))
    (told,) = [one for one in result.problems if one.code == "rounding.large"]
    assert (told.severity, told.value) == (Severity.NOTICE, "0.50")
    assert "waived 0.50" in told.message
    assert "rounding.large" not in {one.code for one in waived("total.mismatch", order_total=D("12.01")).problems}
