"""Who is charged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import ACCOUNT, COMPANY, a_context, a_mapping, a_reference, an_order

from etl.model.reference import Account, Reference
from etl.transform.accounts import Charged, account_of
from etl.transform.context import Findings

ANN = Account("ac-ann", "Customer", "Ann", True, "ann@example.com")


def charged(
    table: dict[tuple[str, str], str | None] | None = None,
    *,
    reference: Reference | None = None,
    accounts: dict[str, Any] | None = None,
    **order: Any,
) -> tuple[Charged, list[str]]:
    found = Findings("10001")
    mapping = a_mapping(accounts=accounts or {}, tables={"accounts": table or {}})
    result = account_of(an_order(**order), a_context(mapping, reference), found)
    return result, [problem.code for problem in found.problems]


def with_ann(**more: Any) -> Reference:
    reference = a_reference()
    known = {**reference.accounts, "ac-ann": replace(ANN, **more)}
    return replace(reference, accounts=known, accounts_by_email={"ann@example.com": ("ac-ann",)})


def test_the_fallback_takes_everybody_else() -> None:
    """A house account for guests without a profile."""
    assert charged() == (Charged(ACCOUNT, "fallback"), [])


@pytest.mark.parametrize("wins", [0, 1, 2, 3, 4])
def test_keys_are_tried_in_their_order(wins: int) -> None:
    """email, customerId, accountId, buyerId, market: the first with a row decides."""
    keys = [("email", "ann@example.com"), ("customerId", "1"), ("accountId", "2"), ("buyerId", "3"), ("market", "UK")]
    table: dict[tuple[str, str], str | None] = dict.fromkeys(keys[wins + 1 :], ACCOUNT)
    table[keys[wins]] = COMPANY
    found, problems = charged(table, customer_id="1", account_id="2", buyer_id="3", market="UK")
    assert (found, problems) == (Charged(COMPANY, keys[wins][0], is_company=True), [])


def test_keys_are_exact() -> None:
    """Ann@ is not ann@: near misses are shown when the mapping is checked, never guessed here."""
    assert charged({("email", "Ann@example.com"): COMPANY})[0].key == "fallback"


def test_an_empty_cell_blocks_and_falls_through_to_nobody() -> None:
    """Not decided yet is no answer, and the fallback is none to this question."""
    assert charged({("email", "ann@example.com"): None}) == (Charged(key="email"), ["account.undecided"])


def test_companies_are_found_by_their_external_identifier() -> None:
    """eid: is resolved by the reference data."""
    reference = replace(a_reference(), eids={"account:TRADE-1": COMPANY})
    found, problems = charged({("buyerId", "3"): "eid:TRADE-1"}, reference=reference, buyer_id="3")
    assert (found.account_id, found.is_company, problems) == (COMPANY, True, [])
    assert charged({("buyerId", "3"): "eid:OTHER"}, buyer_id="3")[1] == ["account.unknown"]


def test_look_up_finds_the_one_customer() -> None:
    """Whatever the case of the address."""
    found, problems = charged(reference=with_ann(), accounts={"lookup_email": True}, email="Ann@Example.com")
    assert (found, problems) == (Charged("ac-ann", "lookup"), [])


def test_look_up_is_off_unless_switched_on() -> None:
    """Charging somebody's profile is a decision."""
    assert charged(reference=with_ann())[0].key == "fallback"


def test_several_customers_block_with_their_names() -> None:
    """Nobody may guess whom to charge."""
    reference = replace(with_ann(), accounts_by_email={"ann@example.com": ("ac-ann", ACCOUNT)})
    assert charged(reference=reference, accounts={"lookup_email": True})[1] == ["account.ambiguous"]


def test_creation_comes_before_the_fallback() -> None:
    """Only if switched on, only with an address, with what is known of the person."""
    switched = {"create_customers": True}
    found, problems = charged(accounts=switched, first_name="Ann", last_name="Example", phone="1")
    assert (found.account_id, found.key, problems) == ("", "create", [])
    assert dict(found.create) == {
        "Email": "ann@example.com",
        "FirstName": "Ann",
        "LastName": "Example",
        "Phone": "1",
    }
    assert dict(charged(accounts=switched)[0].create)["LastName"] == "ann"
    assert charged(accounts=switched, email="")[0].key == "fallback"


def test_nobody_to_charge_blocks() -> None:
    """There is no order without an account."""
    assert charged(accounts={"fallback": ""})[1] == ["account.unmapped"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"is_active": False}, "account.inactive"),
        ({"merged_into": "ac-2"}, "account.inactive"),
        ({"classifications": ("Cashlist",)}, "account.cashlist"),
    ],
)
def test_accounts_that_should_not_be_charged_block(more: dict[str, Any], code: str) -> None:
    """Mews would refuse them, or the hotel would."""
    assert charged({("email", "ann@example.com"): "ac-ann"}, reference=with_ann(**more))[1] == [code]


def test_customers_found_on_the_cash_list_are_refused() -> None:
    """Finding somebody by e-mail is no way around the list, and the fallback is not meant for them."""
    reference = with_ann(classifications=("Cashlist",))
    for accounts in ({"lookup_email": True}, {"create_customers": True}):
        assert charged(reference=reference, accounts=accounts)[1] == ["account.cashlist"]


def found_by_email(*profiles: Account, **accounts: Any) -> tuple[Charged, list[str]]:
    """Ann's order where Mews returns these profiles; those without her address are only known."""
    reference = a_reference()
    known = {**reference.accounts, **{one.id: one for one in profiles}}
    theirs = tuple(one.id for one in profiles if one.email == "ann@example.com")
    reference = replace(reference, accounts=known, accounts_by_email={"ann@example.com": theirs})
    return charged(reference=reference, accounts=accounts or {"lookup_email": True})


MERGED = replace(ANN, is_active=False, merged_into="ac-2")
TARGET = Account("ac-2", "Customer", "Ann", True, "new@example.com")


def test_a_merged_profile_leads_to_its_target() -> None:
    """The person is still there, under the profile that staff kept."""
    assert found_by_email(MERGED, TARGET) == (Charged("ac-2", "lookup"), ["account.merged"])
    between = replace(TARGET, is_active=False, merged_into="ac-3")
    assert found_by_email(MERGED, between, replace(TARGET, id="ac-3"))[0].account_id == "ac-3"


def test_merged_profiles_with_several_targets_block() -> None:
    """Two people had the address: nobody may guess which of them is charged."""
    other = replace(MERGED, id="ac-old", merged_into="ac-3")
    found, problems = found_by_email(MERGED, other, TARGET, replace(TARGET, id="ac-3"))
    assert (found.account_id, problems) == ("", ["account.ambiguous"])
    same = replace(other, merged_into="ac-2")
    assert found_by_email(MERGED, same, TARGET)[0].account_id == "ac-2"


@pytest.mark.parametrize(
    "profiles",
    [
        (replace(ANN, is_active=False),),
        (MERGED,),
        (MERGED, replace(TARGET, is_active=False)),
        (MERGED, replace(TARGET, merged_into="ac-ann")),
    ],
    ids=["deleted", "target unknown", "target deleted", "merged in a circle"],
)
def test_profiles_that_lead_nowhere_are_nobody(profiles: tuple[Account, ...]) -> None:
    """A person whom Mews forgot is one that it does not know: created, or charged to the house account."""
    found, problems = found_by_email(*profiles)
    assert (found.key, found.account_id, problems) == ("fallback", ACCOUNT, ["account.inactive"])
    assert found_by_email(*profiles, create_customers=True)[0].key == "create"


def test_the_profile_in_use_has_no_rivals() -> None:
    """A deleted or merged twin does not make a living customer ambiguous."""
    twin = replace(MERGED, id="ac-twin")
    assert found_by_email(ANN, twin, TARGET) == (Charged("ac-ann", "lookup"), [])


def test_creating_looks_first_and_keeps_what_would_be_made() -> None:
    """Nobody is made twice; and the plan is the same before and after the person was made."""
    found, problems = found_by_email(ANN, create_customers=True)
    assert (found.account_id, found.key, problems) == ("ac-ann", "lookup", [])
    assert found.create == found_by_email(create_customers=True)[0].create
    assert found_by_email(ANN, lookup_email=True)[0].create == ()
