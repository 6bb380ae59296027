"""The sentence that is signed reads like one, whatever was skipped or accepted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from etl.model.route import Route
from etl.reconcile.certificate import Certificate
from etl.reconcile.values import Klass

PLAIN = "each of the 320 orders of the source stands in Mews as planned or is skipped by a rule. 1 order stands "
ACCEPTED = (
    "each of the 320 orders of the source stands in Mews as planned, is skipped by a rule, or is among the 3 accepted by name. "
    "1 order stands "
)


@pytest.mark.parametrize(("accepted", "words"), [(0, PLAIN), (3, ACCEPTED)])
def test_the_statement_is_a_sentence(accepted: int, words: str) -> None:
    """With and without orders that a person accepted."""
    certificate = a_certificate(accepted=accepted)
    assert certificate.statement.startswith(f"Complete: {words}")


@pytest.mark.parametrize(
    ("route", "place", "others"),
    [
        (Route.ORDERS, "Service", "Orders of others met on the service"),
        (Route.OUTLET, "Outlet", "Bills of others met in the outlet"),
    ],
)
def test_it_names_what_the_route_has(route: Route, place: str, others: str) -> None:
    """There is no service where bills of an outlet are compared."""
    facts = dict(row[:2] for row in a_certificate(route=route).tables()[0][2])
    assert (facts[place], facts[others]) == ("Web shop", "2")
    assert a_certificate(route=route).document()["route"] == route


def test_it_names_the_outlet_and_what_is_assumed() -> None:
    """An outlet is no service; what nobody recorded stands in the sentence that is signed."""
    signed = a_certificate(route=Route.OUTLET, assumed="40.00 GBP")
    document = signed.document()
    assert (document["route"], document["outlet"], document["service"]) == ("outlet", "Web shop", "")
    assert "Payments of 40.00 GBP are assumed" in signed.statement
    assert document["payments"] == [{"kind": "captures", "amounts": "3.00 GBP"}]
    facts = dict(row[:2] for row in signed.tables()[0][2])
    assert (facts["Route"], facts["Payments in Mews: captures"]) == ("outlet", "3.00 GBP")
    plain = a_certificate()
    assert (plain.document()["service"], plain.document()["outlet"]) == ("Web shop", "")
    assert "assumed" not in plain.statement


def a_certificate(*, accepted: int = 0, route: Route = Route.ORDERS, assumed: str = "") -> Certificate:
    """Of a source of which one order was compared."""
    return Certificate(
        generated=datetime(2026, 11, 27, tzinfo=UTC),
        enterprise="Hotel",
        enterprise_id="e1",
        service="Web shop",
        store="uk",
        platform="https://api.mews.com",
        mapping="sha256:..",
        runs=(),
        counts=Counter({Klass.MATCHED: 1}),
        sums={},
        source_orders=320,
        accepted=accepted,
        reasons=(),
        narrowed="",
        not_posted=0,
        control_differences=0,
        rounded_orders=0,
        foreign_orders=2,
        waivers=(),
        route=route,
        payments=(("captures", "3.00 GBP"),),
        assumed=assumed,
    )
