"""The accounts that may be charged for everybody without one of their own: candidates for `accounts.fallback`.

Rule: mews-contract, Reference data: Mews means customers of classification PaymasterAccount for such postings. Nothing
lists them: `customers/getAll` knows no filter by classification and needs some filter, so the customers are looked
through by the time of their creation, three months a request, newest first, and only so many. Companies are listed
without a filter. All of them are candidates: a wrong one is another guest's bill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etl.mews.api import AHEAD, MewsReader
from etl.model.reference import Account
from etl.model.rules import PAYMASTER
from etl.model.windows import windows

MOST_REQUESTS = 100
"""Half of what Mews takes in 30 seconds: the run needs the rest."""
MOST_COMPANIES = 1000
_BEFORE_ANY = datetime(2007, 1, 1, tzinfo=UTC)
"""No profile of Mews is older."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class HouseAccounts:
    """Paymaster accounts, then companies. `since`: customers made before it were not looked at; None where all were."""

    accounts: tuple[Account, ...] = ()
    since: datetime | None = None


async def house_accounts(reader: MewsReader) -> HouseAccounts:
    """The candidates behind the tokens. Needs `reader.configuration` first. Raises MewsError where Mews refuses to list them."""
    found, since = await _paymasters(reader)
    companies: list[Account] = []
    async for page in reader.companies():
        companies += page
        if len(companies) >= MOST_COMPANIES:
            break
    return HouseAccounts((*found, *companies[:MOST_COMPANIES]), since)


async def _paymasters(reader: MewsReader) -> tuple[list[Account], datetime | None]:
    found: dict[str, Account] = {}
    left = MOST_REQUESTS
    every = windows(_BEFORE_ANY, reader.now() + AHEAD)[::-1]
    for at in range(0, len(every), _AT_ONCE):
        some = every[at : at + _AT_ONCE]
        if left < len(some):
            return list(found.values()), every[at][1]
        looks = [_Look(left // len(some)) for _ in some]
        await asyncio.gather(*(look.through(reader, *window) for look, window in zip(looks, some, strict=True)))
        left -= sum(look.requests for look in looks)
        found |= {one.id: one for look in looks for one in look.paymasters}
        if not all(look.is_whole for look in looks):
            cut = next(window for look, window in zip(looks, some, strict=True) if not look.is_whole)
            return list(found.values()), cut[1]
    return list(found.values()), None


class _Look:
    """One window of creation, `most` pages of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.requests = 0
        self.is_whole = True
        self.paymasters: Sequence[Account] = ()

    async def through(self, reader: MewsReader, low: datetime, high: datetime) -> None:
        """Keeps the paymasters, and nothing of anybody else."""
        kept: list[Account] = []
        async for page in reader.customers_created(low, high):
            self.requests += 1
            kept += [one for one in page if PAYMASTER in one.classifications and one.is_active]
            if self.requests >= self._most:
                self.is_whole = False
                break
        self.requests = max(self.requests, 1)
        self.paymasters = kept
