"""Line totals, tax sets, sharing and entries."""

from __future__ import annotations

from decimal import Decimal as D
from itertools import permutations

from builders import a_line, a_reference

from etl.model.order import Voucher
from etl.model.plan import Basis
from etl.model.reference import Pricing
from etl.transform.amounts import (
    EntryMaker,
    Room,
    TaxedAmount,
    TaxedLine,
    TaxSet,
    canonical,
    lowered,
    rounded_totals,
    share_over,
    share_voucher,
    tax_sets,
)
from etl.transform.arithmetic import Arithmetic
from etl.transform.conversion import Conversion
from etl.transform.taxes import TaxAnswer

GROSS = Arithmetic(a_reference())
NET = Arithmetic(a_reference(pricing=Pricing.NET))
HIGH = TaxAnswer(("UK-20%",), D(20))
LOW = TaxAnswer(("UK-5%",), D(5))


def taxed(total: str, tax: TaxAnswer = HIGH, qty: int = 1) -> TaxedLine:
    return TaxedLine(a_line(total, qty), tax, D(total))


def a_set(tax: TaxAnswer, weight: str, net: str = "") -> TaxSet:
    return TaxSet(tax.codes, tax.percent, D(weight), D(net or weight))


def test_canonical_order_does_not_depend_on_the_file() -> None:
    """A re-sorted export must give the same ExternalIdentifiers."""
    lines = [
        a_line("1.00", sku="B"),
        a_line("2.00", sku="A"),
        a_line("1.00", sku="A", qty=2),
        a_line("1.00", vat=None, sku="A"),
        a_line("1.00", sku="", ean="5"),
        a_line("1.00", sku="B", comment="engraved"),
    ]
    first = canonical(lines)
    assert all(canonical(order) == first for order in permutations(lines))


def test_lines_are_rounded_with_shipping_and_vouchers() -> None:
    """The order's exact sum is rounded once, whatever the parts do."""
    totals, rest = rounded_totals([D("0.335"), D("0.335")], [HIGH, HIGH], [D("4.995"), D("-1.00")], 2)
    assert sum(totals) + sum(rest) == D("4.67")
    assert rest[1] == D("-1.00")


def test_rounding_ties_go_to_the_lower_tax_code() -> None:
    """Ties as in sharing: larger amount, then code, not the row that came first."""
    assert rounded_totals([D("0.335"), D("0.335")], [LOW, HIGH], [], 2)[0] == [D("0.33"), D("0.34")]


def test_tax_sets_weigh_what_is_sold() -> None:
    """Negative lines of a sale carry no shipping, but limit what a voucher may take."""
    lines = [taxed("30.00"), taxed("-10.00", qty=-1), taxed("10.00", LOW), taxed("0.00", TaxAnswer((), D(0)))]
    assert tax_sets(lines, GROSS, is_return=False) == [a_set(HIGH, "30.00", "20.00"), a_set(LOW, "10.00")]


def test_tax_sets_of_a_return_weigh_absolute_values() -> None:
    """Shipping given back follows the goods given back."""
    lines = [taxed("-30.00", qty=-2), taxed("-10.00", LOW, qty=-1)]
    assert tax_sets(lines, GROSS, is_return=True) == [a_set(HIGH, "30.00"), a_set(LOW, "10.00")]


def test_flat_codes_make_no_set_of_their_own() -> None:
    """Shipping and rebates never carry them, so they can't tell two sets apart."""
    with_fee = TaxAnswer(("STATE", "FEE"), D(6))
    lines = [taxed("3.00", with_fee), taxed("2.00", TaxAnswer(("STATE",), D(6)))]
    assert [(one.codes, one.weight) for one in tax_sets(lines, NET, is_return=False)] == [(("STATE",), D("5.00"))]


def test_shares_of_zero_are_left_out() -> None:
    """An item of 0.00 for a set that gets no cent says nothing."""
    assert share_over(D("0.01"), [a_set(HIGH, "9.00"), a_set(LOW, "1.00")], 2) == [
        TaxedAmount(("UK-20%",), D(20), D("0.01"))
    ]


def test_a_voucher_beyond_one_set_goes_to_the_others_then_to_shipping() -> None:
    """Nothing goes beyond its own value, nothing is lost."""
    sets = [a_set(HIGH, "30.00", "20.00"), a_set(LOW, "10.00")]
    shipping = [TaxedAmount(("UK-20%",), D(20), D("3.75")), TaxedAmount(("UK-5%",), D(5), D("1.25"))]
    room = Room([D("20.00"), D("10.00")], [D("3.75"), D("1.25")])
    on_goods, on_shipping = share_voucher(Voucher("V", D("32.00")), D("32.00"), sets, shipping, room, 2)
    assert [part.amount for part in on_goods] == [D("20.00"), D("10.00")]
    assert [part.amount for part in on_shipping] == [D("1.50"), D("0.50")]
    assert (room.sets, room.shipping) == ([D(0), D(0)], [D("2.25"), D("0.75")])


def spread(amount: str, *totals: str, is_return: bool = False) -> tuple[list[str], str]:
    found, left = lowered([D(total) for total in totals], D(amount), 2, is_return=is_return)
    return [str(total) for total in found], str(left)


def test_spread_lowers_the_lines_of_the_set_by_their_totals() -> None:
    """Within a set by line total, down to nothing."""
    assert spread("4.00", "30.00", "10.00") == (["27.00", "9.00"], "0.00")
    assert spread("41.00", "30.00", "0.00", "10.00") == (["0.00", "0.00", "0.00"], "1.00")


def test_spread_leaves_what_a_sale_takes_back() -> None:
    """A negative line of a sale is no goods that a voucher paid for."""
    assert spread("5.00", "40.00", "-30.00") == (["35.00", "-30.00"], "0.00")
    assert spread("-5.00", "40.00", "-30.00") == (["45.00", "-30.00"], "0.00")
    assert spread("-5.00", "-30.00") == (["-30.00"], "-5.00")


def test_spread_in_a_return_lowers_the_refund() -> None:
    """What the voucher had paid is not given back in money; nothing given back becomes a charge."""
    assert spread("-4.00", "-30.00", "-10.00", is_return=True) == (["-27.00", "-9.00"], "0.00")
    assert spread("-45.00", "-30.00", "-10.00", "7.00", is_return=True) == (["0.00", "0.00", "7.00"], "-5.00")


def test_spread_in_a_return_turns_nothing_negative() -> None:
    """What goes out in exchange is lowered to nothing at most; what comes back may come back dearer."""
    assert spread("5.00", "30.00", is_return=True) == (["25.00"], "0.00")
    assert spread("40.00", "30.00", is_return=True) == (["0.00"], "10.00")
    assert spread("80.00", "10.00", "-30.00", is_return=True) == (["0.00", "-100.00"], "0.00")


def made(arithmetic: Arithmetic, source: Basis, total: str, count: int, *codes: str) -> list[tuple[str, int, str, str]]:
    maker = EntryMaker(Conversion(arithmetic), source, 2)
    return [(e.line, e.count, str(e.unit), str(e.rounding)) for e in maker.entries("p1", D(total), count, codes)]


def test_one_basis_needs_no_rounding() -> None:
    """Enterprise and source share the basis: what was paid is booked, split to the cent."""
    assert made(GROSS, Basis.GROSS, "12.00", 3, "UK-20%") == [("p1", 3, "4.00", "0.00")]
    assert made(GROSS, Basis.GROSS, "10.00", 3, "UK-20%") == [("p1.1", 2, "3.33", "0.00"), ("p1.2", 1, "3.34", "0.00")]


def test_negative_totals_become_negative_units() -> None:
    """Mews takes positive counts only."""
    assert made(GROSS, Basis.GROSS, "-10.00", 3, "UK-20%") == [
        ("p1.1", 2, "-3.33", "0.00"),
        ("p1.2", 1, "-3.34", "0.00"),
    ]


def test_negative_amounts_carry_no_flat_code() -> None:
    """A fee a piece is not given back because the price is."""
    (entry,) = EntryMaker(Conversion(NET), Basis.NET, 2).entries("v1", D("-10.00"), 1, ("STATE", "CITY", "LEVY", "FEE"))
    assert entry.codes == ("STATE", "CITY", "LEVY")
    assert entry.predicted.gross == D("-11.11")


def test_rounding_is_kept_over_the_order() -> None:
    """The second tie goes the other way, so that the difference does not grow."""
    maker = EntryMaker(Conversion(NET), Basis.GROSS, 2)
    first = maker.entries("p1", D("9.99"), 1, ("UK-20%",))
    second = maker.entries("p2", D("9.99"), 1, ("UK-20%",))
    assert [entry.predicted.gross for entry in (*first, *second)] == [D("9.98"), D("10.00")]
    assert maker.accumulated == D(0)


def test_a_rebate_mirrors_its_sale() -> None:
    """The same tie in a return goes to the mirrored amount, so sale and return cancel out."""
    sale = made(NET, Basis.GROSS, "9.99", 1, "UK-20%")
    back = made(NET, Basis.GROSS, "-9.99", 1, "UK-20%")
    assert (sale, back) == ([("p1", 1, "8.32", "0.01")], [("p1", 1, "-8.32", "-0.01")])


def test_entries_share_the_lines_source_amount() -> None:
    """Every cent of the source stands at exactly one entry."""
    found = EntryMaker(Conversion(NET), Basis.GROSS, 2).entries("p1", D("29.98"), 3, ("UK-20%",))
    assert sum(entry.source_amount for entry in found) == D("29.98")
    assert sum(entry.source_amount - entry.rounding - entry.predicted.gross for entry in found) == 0


def test_nothing_times_ten_is_nothing() -> None:
    """Zero-priced lines are kept, and carry no sign."""
    totals, _ = rounded_totals([a_line("0.00", -10).total], [HIGH], [], 2)
    assert made(GROSS, Basis.GROSS, str(totals[0]), 10, "UK-20%") == [("p1", 10, "0.00", "0.00")]
