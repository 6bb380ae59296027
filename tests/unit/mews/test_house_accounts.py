"""Candidates for `accounts.fallback`: paymasters of any age, within so many requests, and nothing kept of anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.mews.house_accounts import MOST_COMPANIES, MOST_REQUESTS, house_accounts
from etl.model.catalogue import Catalogue
from etl.model.reference import Account
from etl.pipeline.candidates import fallback_words

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def account(key: str, *classifications: str, kind: str = "Customer", active: bool = True) -> Account:
    return Account(key, kind, f"Name {key}", active, classifications=classifications)


class Reader:
    """A Mews with customers by the day of their creation; `guests` make so many full pages in each window."""

    def __init__(self, people: dict[datetime, Account], *, guests: int = 0, companies: int = 0) -> None:
        self.people, self.guests, self.companies_held = people, guests, companies
        self.requests = 0

    def now(self) -> datetime:
        return NOW

    async def customers_created(self, low: datetime, high: datetime) -> AsyncIterator[list[Account]]:
        assert high - low <= timedelta(days=89)
        mine = [one for made, one in self.people.items() if low <= made < high]
        for _ in range(self.guests):
            self.requests += 1
            yield [account("guest", "Problematic")] * 3
        self.requests += 1
        yield mine

    async def companies(self) -> AsyncIterator[list[Account]]:
        for at in range(0, self.companies_held, 1000):
            yield [account(f"c{at + number}", kind="Company") for number in range(1000)]


def found(reader: Reader) -> Any:
    return asyncio.run(house_accounts(reader))  # type: ignore[arg-type]


def test_paymasters_of_any_age_are_found_and_nobody_else() -> None:
    """The hotel's first account and today's; merged or deleted ones, guests and the cash list are none."""
    reader = Reader(
        {
            datetime(2008, 1, 1, tzinfo=UTC): account("old", "PaymasterAccount"),
            NOW: account("new", "Returning", "PaymasterAccount"),
            datetime(2020, 1, 1, tzinfo=UTC): account("gone", "PaymasterAccount", active=False),
            datetime(2021, 1, 1, tzinfo=UTC): account("cash", "Cashlist"),
        },
        companies=1000,
    )
    house = found(reader)
    assert [one.id for one in house.accounts if one.kind == "Customer"] == ["new", "old"]
    assert (house.since, reader.requests <= MOST_REQUESTS) == (None, True)


@pytest.mark.parametrize("guests", [1, 3, 40, 1000])
def test_a_large_hotel_is_looked_through_as_far_as_the_requests_go(guests: int) -> None:
    """The newest customers, and until when is told: what was not looked at is not said to be empty."""
    old, new = datetime(2008, 1, 1, tzinfo=UTC), NOW - timedelta(days=1)
    reader = Reader({old: account("old", "PaymasterAccount"), new: account("new", "PaymasterAccount")}, guests=guests)
    house = found(reader)
    assert reader.requests <= MOST_REQUESTS
    assert house.since is not None
    assert "old" not in {one.id for one in house.accounts}
    assert ("new" in {one.id for one in house.accounts}) is (house.since <= new)


def test_companies_are_listed_to_a_limit() -> None:
    """Without a filter Mews lists them all: a thousand is what anybody reads."""
    assert len(found(Reader({}, companies=5000)).accounts) == MOST_COMPANIES


def test_the_words_name_name_and_id_and_what_was_not_looked_at() -> None:
    """Nothing is chosen, and nothing is said to be missing that may be there."""
    people = (account("p1", "PaymasterAccount"), account("c1", kind="Company"))
    whole = Catalogue("Hotel", "UTC", "", {}, (), accounts=people)
    assert fallback_words(whole) == "Name p1 (p1); 1 company is in accounts.csv of the catalogue"
    part = Catalogue("Hotel", "UTC", "", {}, (), accounts_since=datetime(2021, 5, 1, tzinfo=UTC))
    assert "no customer has the classification PaymasterAccount" in fallback_words(part)
    assert "customers made before 2021-05-01 were not looked at" in fallback_words(part)
    refused = Catalogue("Hotel", "UTC", "", {}, (), unread=("paymaster accounts: no permission",))
    assert fallback_words(refused) == "Mews did not list the accounts"
