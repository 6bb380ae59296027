"""The catalogue: what the tokens may not read is told, what fits a key is told apart from what only resembles it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from etl.errors import MewsError
from etl.mews.catalogue import read_catalogue
from etl.mews.configuration import configuration
from etl.model.catalogue import Catalogue, named
from etl.model.reference import Account, Named, Product, Service

SHOP = Service("s1", "Web shop", True, True, "WEB")
SPA = Service("s2", "Spa", True, True)
ROOMS = Service("s3", "Rooms", True, False)

CONFIGURATION = configuration(
    {
        "NowUtc": "2026-08-01T12:00:00Z",
        "Enterprise": {
            "Id": "e1",
            "TimeZoneIdentifier": "Europe/London",
            "Pricing": "Gross",
            "TaxEnvironmentCode": "UK",
        },
    },
)


class Reader:
    """A Mews that refuses what it is told to."""

    def __init__(self, *refused: str, code: str = "mews.refused") -> None:
        self.refused, self.code, self.asked = refused, code, list[str]()

    def __getattr__(self, name: str) -> Any:
        async def answer(*given: Any) -> Any:
            self.asked.append(" ".join([name, *map(str, given)]))
            if name in self.refused:
                raise MewsError(f"{name}: no", code=self.code)
            return {
                "configuration": CONFIGURATION,
                "services": [SHOP, SPA, ROOMS],
                "tax_environments": [
                    {"Code": CONFIGURATION.tax_environment, "CountryCode": "GBR", "TaxationCodes": []}
                ],
                "outlets": [Named("o1", "Lobby", True)],
            }.get(name, [])

        return answer


def read(reader: Reader, **more: Any) -> Catalogue:
    return asyncio.run(read_catalogue(reader, **more))  # type: ignore[arg-type]


def test_products_are_those_of_the_service_or_of_every_orderable_one() -> None:
    """Rooms take no orders; a service that does not exist narrows nothing."""
    for service, asked in (("", ["s1", "s2"]), ("S1", ["s1"]), ("eid:WEB", ["s1"]), ("nothing", ["s1", "s2"])):
        reader = Reader()
        read(reader, service=service)
        assert [one for one in reader.asked if one.startswith("products")] == [f"products {key}" for key in asked]


@pytest.mark.parametrize("code", ["mews.refused", "mews.address", "mews.credentials"])
def test_what_may_not_be_read_is_told(code: str) -> None:
    """A token without the permission for outlets still lists everything else."""
    found = read(Reader("outlets", "business_segments", code=code))
    assert found.unread == ("outlets: outlets: no", "business segments: business_segments: no")
    assert found.services == (SHOP, SPA, ROOMS)
    assert found.tax_country == "GB"


@pytest.mark.parametrize(("what", "code"), [("outlets", "mews.unreachable"), ("services", "mews.refused")])
def test_a_mews_that_is_gone_ends_it(what: str, code: str) -> None:
    """Half a catalogue that looks whole would mislead."""
    with pytest.raises(MewsError):
        read(Reader(what, code=code))


def goods(*rows: tuple[str, str, str, bool]) -> Catalogue:
    products = tuple(Product(key, name, active, "s1", "", eid) for key, name, eid, active in rows)
    return Catalogue("Hotel", "UTC", "", {}, (SHOP,), products=products)


def test_a_product_is_taken_by_external_identifier_only() -> None:
    """The first key that any product carries decides; two products with it, or an inactive one, decide nothing."""
    found = goods(
        ("p1", "Red  Mug", "MUG", True),
        ("p2", "Cup", "CUP", True),
        ("p3", "Cup", "CUP", True),
        ("p4", "Old", "OLD", False),
    )
    assert (found.product_of(["", "X", "MUG"]) or SHOP).id == "p1"
    assert found.product_of(["CUP"]) is None
    assert found.product_of(["CUP", "MUG"]) is None
    assert found.product_of(["OLD"]) is None
    assert found.product_of(["mug", "Red Mug", ""]) is None
    assert [one.id for one in found.products_named(" red mug")] == ["p1"]
    assert [one.id for one in found.products_named("cup")] == ["p2", "p3"]
    assert found.products_named("") == ()
    assert found.products_named("old") == ()


def test_accounts_are_candidates_by_address_alone() -> None:
    """Deleted and merged profiles are none."""
    accounts = (
        Account("b", "Customer", "Ann", True, "Ann@Example.com"),
        Account("a", "Customer", "Ann Two", True, "ann@example.com"),
        Account("c", "Customer", "Ann Old", False, "ann@example.com"),
        Account("d", "Customer", "Ann", True, ""),
    )
    found = Catalogue("Hotel", "UTC", "", {}, (), accounts=accounts)
    assert [one.id for one in found.accounts_of(" ANN@example.com")] == ["a", "b"]
    assert found.accounts_of("") == ()


def test_hints_name_entities_by_name_and_id() -> None:
    """As many as can be read."""
    assert named([SHOP, Service("x", "", True, True)]) == "Web shop (s1), x"
    assert named([SHOP] * 12).endswith("and 2 more in mappings/mews")
