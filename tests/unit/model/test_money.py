"""Rounding and dividing without losing a cent."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from etl.model.money import decimals, is_finer, round_money, round_together, share, share_capped, split_units, ulp


def ds(*texts: str) -> list[D]:
    return [D(text) for text in texts]


@pytest.mark.parametrize(
    ("amount", "precision", "expected"),
    [
        ("1.005", 2, "1.01"),
        ("-1.005", 2, "-1.01"),
        ("1.0049", 2, "1.00"),
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("0.0005", 3, "0.001"),
    ],
)
def test_half_is_rounded_away_from_zero(amount: str, precision: int, expected: str) -> None:
    """Banker's rounding would lose pennies against the shop's own receipts."""
    assert str(round_money(D(amount), precision)) == expected


def test_zero_has_no_sign() -> None:
    """-0.00 in a payload or report makes people think that something was reversed."""
    assert str(round_money(D("-0.004"), 2)) == "0.00"
    assert [str(part) for part in round_together(ds("-0.00", "1.00"), 2)] == ["0.00", "1.00"]
    assert [str(part) for part in round_together(ds("-0.001", "0.001"), 2)] == ["0.00", "0.00"]


def test_ulp_is_the_smallest_amount() -> None:
    """Yen have no decimals, dinars three."""
    assert [ulp(0), ulp(2), ulp(3)] == ds("1", "0.01", "0.001")


def test_decimals_leave_trailing_zeros_out() -> None:
    """1.2500 is a price with two decimals, or exports with padding would be blocked."""
    assert [decimals(amount) for amount in ds("1.2500", "100", "1E+3", "0.0001", "0.00")] == [2, 0, 0, 4, 0]
    assert not is_finer(D("1.23450"), 4)
    assert is_finer(D("1.23456"), 4)


def test_rounded_together_adds_up_to_the_sum_rounded_once() -> None:
    """Three seeds at 0.335 are 1.01 in all, not 3 x 0.34."""
    assert round_together(ds("0.335", "0.335", "0.335"), 2) == ds("0.34", "0.34", "0.33")


def test_the_largest_remainder_is_rounded_up_first() -> None:
    """The cent goes where it is missed most, as an accountant can recompute."""
    assert round_together(ds("1.004", "1.009", "1.007"), 2) == ds("1.00", "1.01", "1.01")


def test_ties_go_to_the_larger_amount_then_to_the_lower_key() -> None:
    """Equal remainders must not depend on the order of rows."""
    assert round_together(ds("1.005", "9.005"), 2) == ds("1.00", "9.01")
    assert round_together(ds("1.005", "1.005"), 2, tie_keys=["b", "a"]) == ds("1.00", "1.01")


def test_a_return_is_the_mirror_of_its_sale() -> None:
    """What was charged is given back to the cent."""
    sale = ds("0.335", "1.255", "7.00")
    assert round_together([-amount for amount in sale], 2) == [-part for part in round_together(sale, 2)]


def test_shares_follow_the_worked_example() -> None:
    """4.95 over 59.94 and 29.95: the penny left goes to the larger remainder."""
    assert share(D("4.95"), ds("59.94", "29.95"), 2) == ds("3.30", "1.65")
    assert share(D("-10.00"), ds("59.94", "29.95"), 2) == ds("-6.67", "-3.33")


def test_share_ties_go_to_the_larger_weight_then_to_the_lower_code() -> None:
    """One cent over two equal sets goes to the same code whatever the order."""
    assert share(D("0.01"), ds("5", "5"), 2, tie_keys=["UK-5%", "UK-20%"]) == ds("0", "0.01")
    assert share(D("0.03"), ds("3", "1", "2"), 2) == ds("0.02", "0", "0.01")


def test_share_without_weights_fails_loudly() -> None:
    """Nothing to share over must never be answered with zeros that lose the amount."""
    with pytest.raises(ZeroDivisionError):
        share(D("1.00"), ds("0", "0"), 2)


def test_no_share_goes_beyond_its_cap() -> None:
    """A voucher never takes more from a tax set than the set is worth; the others take the rest."""
    parts, left = share_capped(D("30.00"), ds("30", "10"), ds("20", "10"), 2)
    assert (parts, left) == (ds("20", "10"), D(0))
    parts, left = share_capped(D("31.00"), ds("30", "10"), ds("20", "10"), 2)
    assert (parts, left) == (ds("20", "10"), D("1.00"))


def test_what_weights_cannot_take_goes_where_room_is() -> None:
    """A set without weight may still have room; money must not vanish for want of a weight."""
    assert share_capped(D("5.00"), ds("1", "0"), ds("2", "9"), 2) == (ds("2", "3"), D(0))
    assert share_capped(D("5.00"), [], [], 2) == ([], D("5.00"))


def test_a_total_is_split_into_neighbouring_units() -> None:
    """1000 beads at 0.085 are 85.00, neither 80.00 nor 90.00."""
    assert split_units(D("85.00"), 1000, 2) == [(500, D("0.08")), (500, D("0.09"))]
    assert split_units(D("53.27"), 3, 2) == [(1, D("17.75")), (2, D("17.76"))]
    assert split_units(D("-53.27"), 3, 2) == [(1, D("-17.75")), (2, D("-17.76"))]
    assert split_units(D("12.00"), 3, 2) == [(3, D("4.00"))]
    assert split_units(D(100), 3, 0) == [(2, D(33)), (1, D(34))]


def test_fewer_cents_than_pieces_leave_some_free() -> None:
    """0.02 for three pieces is one free and two for a cent."""
    assert split_units(D("0.02"), 3, 2) == [(1, D("0.00")), (2, D("0.01"))]
