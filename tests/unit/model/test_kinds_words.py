"""What Mews's words say about a kind: equal but for ids, numbers and names, and about this kind or another thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.kinds import BILL, COMPANY, REBATES, RESERVATION, concerned, is_about, payment_kind, words_of

NEGATIVE = "Negative amounts are not allowed: this integration may not post rebates."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order 17 can't be negative.", "Order 23 can't be negative."),
        ("Account 1d2f3a4b-0000-4000-8000-000000000001 is blocked.", "Account 9d2f3a4b-1111-4000-8000-00000000000a is blocked."),
        ("The product 'Blue mug' needs a price.", 'The product "Red cup" needs a price.'),
        ("Billing of Acme Ltd is not enabled.", "Billing of Globex Corporation is not enabled."),
        ("Acme Ltd can't be billed.", "Umbrella Inc can't be billed."),
        ("Refused for jane@example.com.", "Refused for joe@example.org."),
        ("Value -12.50 is negative.", "Value -3 is negative."),
    ],
)  # fmt: skip
def test_ids_numbers_and_names_are_left_aside(one: str, other: str) -> None:
    """The same reason, told of two orders."""
    assert words_of(one) == words_of(other) != ""


def test_other_reasons_are_other_words() -> None:
    """What holds a kind must be one reason, three times."""
    texts = [NEGATIVE, "Company billing is not enabled for this integration.", "The bill is closed.", "Forbidden"]
    assert len({words_of(text) for text in texts}) == len(texts)


def test_texts_of_the_request_are_names_too() -> None:
    """Mews may repeat what it was sent, in lower case as well."""
    assert words_of("The item blue mug is negative.", ["blue mug"]) == words_of(
        "The item red cup is negative.", ["red cup"]
    )


@given(st.integers(0, 10**9), st.uuids(), st.integers(0, 10**9), st.uuids())
def test_no_number_or_id_makes_a_difference(a: int, b: object, c: int, d: object) -> None:
    """Whatever they are."""
    assert words_of(f"Order {a} ({b}) was refused.") == words_of(f"Order {c} ({d}) was refused.")


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        (REBATES, NEGATIVE, True),
        (REBATES, "Forbidden", True),
        (REBATES, "You lack a permission.", True),
        (REBATES, "The tax code UK-S is not valid at the time of consumption.", False),
        (REBATES, "The time of consumption is before the editable history interval of the enterprise.", False),
        (REBATES, "Company billing is not enabled for this integration.", False),
        (REBATES, "A rebate of this product is not allowed.", True),
        (COMPANY, "Company billing is not enabled for this integration.", True),
        (COMPANY, NEGATIVE, False),
        (RESERVATION, "Invalid LinkedReservationId: there is no such reservation.", True),
        (BILL, "The bill is closed.", True),
        (BILL, "Company billing is not enabled for this integration.", False),
        (payment_kind("GiftCard"), "External payments of type GiftCard are not enabled in this enterprise.", True),
        (payment_kind("GiftCard"), "The currency EUR is not enabled in this enterprise.", False),
        (payment_kind("GiftCard"), "The customer is on the cash list and can't be charged.", False),
    ],
)
def test_what_mews_speaks_of(kind: str, message: str, expected: bool) -> None:
    """Evidently about something else, or possibly about this kind."""
    assert is_about(kind, message) is expected


def test_a_refusal_is_counted_for_the_kind_that_it_names() -> None:
    """An order of several kinds, refused for one of them."""
    kinds = (REBATES, COMPANY, BILL)
    assert concerned(kinds, NEGATIVE) == [REBATES]
    assert concerned(kinds, "Forbidden") == [REBATES, COMPANY, BILL]
