"""One request as the rules see it, and how they refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.sandbox.state import Person, Store
from etl.sandbox.world import Company, Enterprise, World


class RefusedError(Exception):
    """An answer other than 200; the message is for the person who runs the import."""

    def __init__(self, status: int, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Quirks:
    """How this Mews differs from a healthy one of today.

    `identifiers`: kept, ignored (an older API) or refused. `lag_seconds`: reads do not show writes younger
    than that. `extra_cents`: booked on top of every entry, in the currency's last digit. `refused_payments`: types
    that this integration may not add, although the enterprise enables them; "" is every type. `refused_bills`: what
    a refused request of several outlet bills leaves: nothing (whole), the bills before the bad one (partial), or
    all others (others). `twin_customers`: a second customer of an e-mail address is made like the first.
    """

    identifiers: str = "kept"
    keeps_notes: bool = True
    lag_seconds: float = 0.0
    links_reservations: bool = False
    adds_items: bool = False
    extra_cents: int = 0
    refused_payments: frozenset[str] = frozenset()
    refused_bills: str = "whole"
    twin_customers: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A well-formed, authorised request. `now` is Mews's clock, `written` the same with its fractions."""

    world: World
    store: Store
    body: dict[str, Any]
    now: datetime
    new_id: Callable[[], str]
    quirks: Quirks

    def enterprise(self) -> Enterprise:
        """The enterprise that a write, or `configuration/get`, is for."""
        if not self.world.is_portfolio:
            return self.world.enterprise
        named = self.body.get("EnterpriseId")
        if named is None:
            raise RefusedError(400, "Invalid EnterpriseId: it is required with a portfolio access token.")
        enterprise = self.world.enterprises.get(named.lower())
        if enterprise is None:
            raise RefusedError(401, "The access token does not reach that enterprise.")
        return enterprise

    def enterprises(self) -> list[Enterprise]:
        """The enterprises that a read covers."""
        named = self.body.get("EnterpriseIds")
        if named is None:
            if self.world.is_portfolio:
                raise RefusedError(400, "Invalid EnterpriseIds: they are required with a portfolio access token.")
            return [self.world.enterprise]
        wanted = {each.lower() for each in named}
        return [enterprise for key, enterprise in self.world.enterprises.items() if key in wanted]

    def check_chain(self, name: str = "ChainIds") -> bool:
        """Whether the chain is the one asked for; portfolio tokens must name it."""
        named = self.body.get(name)
        if named is None:
            if self.world.is_portfolio:
                raise RefusedError(400, f"Invalid {name}: required with a portfolio access token.")
            return True
        chains = named if isinstance(named, list) else [named]
        return self.world.chain_id in {each.lower() for each in chains}

    def company(self, key: str) -> Company | None:
        """The company of that id, in the whole chain."""
        for enterprise in self.world.enterprises.values():
            if (found := enterprise.companies.get(key)) is not None:
                return found
        return None

    def account(self, key: str) -> Person | Company | None:
        """The customer or company of that id."""
        return self.store.people.get(key) or self.company(key)


def type_of(account: Person | Company) -> str:
    """The account type as the API names it."""
    return "Company" if isinstance(account, Company) else "Customer"
