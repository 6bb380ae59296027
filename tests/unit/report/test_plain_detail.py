"""Orders taken over from the plan: what the page is given is what was meant, to the cent."""

from __future__ import annotations

import json

from plain_orders import PARTS, plain_orders

from etl.report.facts import EntryRow
from etl.report.plain_detail import Shared


def test_an_entry_is_told_with_its_amounts_origin_and_rule() -> None:
    """Gross is count times unit, tax what is left of it; shipping comes from no row, a product is told by its name."""
    sale, back, yen, *_ = (one.whole for one in plain_orders())
    first, product, shipping = sale.entries
    assert first == EntryRow(
        *("p1", 'Cup & "saucer"', "2", "12.00", "UK-S", "20.00", "4.00", "24.00"),
        origin="row 2",
        rule="taxes.csv, row 2",
    )
    assert (product.name, product.codes, product.tax, product.rule) == ("Spoon", "exempt", "0.00", "taxes.csv, row 3")
    assert (shipping.origin, shipping.rule) == PARTS["s"]
    assert [back.entries[0].unit, back.entries[0].net, back.entries[0].tax, back.entries[0].gross] == [
        *("-0.01", "-0.03", "0.00", "-0.03")
    ]
    assert [yen.entries[0].codes, yen.entries[0].net, yen.entries[0].tax] == ["JP-S JP-T", "7000", "1400"]
    assert sale.joined == "These rows are one order because they carry the order number 1001."


def test_a_number_that_a_browser_would_round_is_told_as_text() -> None:
    """JavaScript reads whole numbers exactly up to 2**53 - 1."""
    shared = Shared()
    texts = [shared.text(one) for one in plain_orders()]
    assert [text is None for text in texts] == [False, False, False, False, True]


def test_what_orders_have_in_common_is_told_once() -> None:
    """A page of 50,000 orders would hold their headings and rules as often."""
    shared = Shared()
    first, second, *_ = (json.loads(shared.text(one) or "0") for one in plain_orders()[:4])
    assert (first[1][0][0], second[1][0][0]) == (0, 0)
    facts = shared.document()
    assert len(facts["sources"]) == 1
    assert [facts["rules"][at] for at in first[5]] == ["taxes.csv, row 2", "taxes.csv, row 3", ""]
    assert facts["rules"][second[5]] == "taxes.csv, row 2"
