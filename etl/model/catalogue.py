"""What an enterprise has to choose from when a mapping folder is filled in, and what fits a key of the export. Pure.

Rule: design section 3a: products are taken by ExternalIdentifier, by name they are candidates; accounts are never taken:
the customers with an e-mail address are candidates, names are not matched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from etl.model.reference import Account, Named, Product, Service, TaxRate
from etl.model.rules import PAYMASTER


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The enterprise's entities, inactive ones included. `accounts` are only those that were asked for; of those meant for
    `accounts.fallback`, customers made before `accounts_since` were not looked at (None: all were).

    The intervals are those of the editable history, ISO 8601, "" unknown; `now` is Mews's time. `tax_rates` are the codes of its tax environment, whose country is `tax_country` (ISO alpha-2, "" unknown).
    `currencies` are the codes of those enabled. `unread` says what Mews would not tell, in its own words.
    """

    enterprise_name: str
    timezone: str
    tax_country: str
    tax_rates: dict[str, TaxRate]
    services: tuple[Service, ...]
    outlets: tuple[Named, ...] = ()
    products: tuple[Product, ...] = ()
    accounts: tuple[Account, ...] = ()
    categories: tuple[Named, ...] = ()
    segments: tuple[Named, ...] = ()
    payment_types: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    unread: tuple[str, ...] = field(default=())
    accounts_since: datetime | None = None
    accounting_interval: str = ""
    operational_interval: str = ""
    now: datetime | None = None

    @property
    def orderable(self) -> tuple[Service, ...]:
        """The services that orders can be posted to."""
        return tuple(service for service in self.services if service.is_active and service.is_orderable)

    def product_of(self, keys: Iterable[str]) -> Product | None:
        """The one active product whose ExternalIdentifier is one of the keys, tried in their order; None where several are."""
        for key in keys:
            found = [one for one in self.products if key and one.is_active and one.external_identifier == key]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def products_named(self, name: str) -> tuple[Product, ...]:
        """Active products of that name, capitals and blanks aside: candidates, never the answer."""
        wanted = _folded(name)
        return tuple(one for one in self.products if wanted and one.is_active and _folded(one.name) == wanted)

    @property
    def paymasters(self) -> tuple[Account, ...]:
        """Active customers that Mews means for charges without a guest: candidates, never the answer."""
        found = (one for one in self.accounts if one.is_active and PAYMASTER in one.classifications)
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.id)))

    @property
    def companies(self) -> tuple[Account, ...]:
        """Active companies among the accounts."""
        return tuple(one for one in self.accounts if one.is_active and one.kind == "Company")

    def categories_for(self, name: str) -> tuple[Named, ...]:
        """Active accounting categories that may be meant for a brand or product: those of Mews's products of that name,
        then those named like it. Candidates, never the answer.
        """
        active = {one.id: one for one in self.categories if one.is_active}
        of_products = [active.get(product.accounting_category) for product in self.products_named(name)]
        word = _folded(name)
        alike = [one for one in active.values() if word and _is_in(word, _folded(one.name))]
        return tuple(dict.fromkeys(one for one in (*of_products, *alike) if one is not None))

    def accounts_of(self, email: str) -> tuple[Account, ...]:
        """Active customers with that address: candidates, never the answer."""
        wanted = email.strip().casefold()
        found = [one for one in self.accounts if wanted and one.is_active and one.email.casefold() == wanted]
        return tuple(sorted(found, key=lambda one: one.id))


def named(entities: Iterable[Service | Named | Product | Account], shown: int = 10) -> str:
    """The entities by name and Id, for hints: `Web shop (5e00..), Spa (71c2..)`."""
    listed = [f"{one.name} ({one.id})" if one.name else one.id for one in entities]
    rest = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {rest} more in mappings/mews" if rest > 0 else "")


def _is_in(first: str, second: str) -> bool:
    """Whether the words of one are words of the other."""
    one, other = first.split(), second.split()
    return bool(one and other) and (set(one) <= set(other) or set(other) <= set(one))


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
