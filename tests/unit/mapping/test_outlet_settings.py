"""The keys of the outlet route: strict, and each route asks only for what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import settings

from etl.errors import MappingError
from etl.mapping.folder import read_mapping
from etl.model.mapping import Mapping
from etl.model.route import Route
from etl.pipeline.needs import needs_of

SOURCE = '[source]\nstore = "shop"\ntimezone = "Europe/London"\nprices_include_tax = true\n'
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,UK-20%\n"
OUTLET = '[target]\nroute = "outlet"\n[outlet]\noutlet = "Web shop"\n'
CATEGORY = "ca000000-0000-4000-a000-000000000001"


def read(folder: Path, text: str) -> Mapping:
    (folder / "migration.toml").write_text(SOURCE + text, "utf-8")
    (folder / "taxes.csv").write_text(TAXES, "utf-8")
    return read_mapping(folder)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(MappingError) as caught:
        read(folder, text)
    return caught.value.message


def test_the_outlet_route_needs_an_outlet_and_no_service(tmp_path: Path) -> None:
    """Defaults as design section 9 has them."""
    found = read(tmp_path, OUTLET).settings
    assert (found.route, found.target.service, found.outlet.outlet) == (Route.OUTLET, "", "Web shop")
    outlet = found.outlet
    assert (outlet.account, outlet.bills_per_request, outlet.payments) == ("none", 1000, "captures")
    assert (outlet.balance_name, outlet.balance_category) == ("Webshop payment", "")


def test_every_key_can_be_set(tmp_path: Path) -> None:
    """In the words of the contract."""
    more = f'account = "mapped"\nbills_per_request = 1\npayments = "balance"\nbalance_name = "Web"\nbalance_category = "{CATEGORY}"\n'
    outlet = read(tmp_path, OUTLET + more).settings.outlet
    assert (outlet.account, outlet.bills_per_request, outlet.payments) == ("mapped", 1, "balance")
    assert (outlet.balance_name, outlet.balance_category) == ("Web", CATEGORY)


def test_orders_is_the_default_and_needs_a_service(tmp_path: Path) -> None:
    """A folder of before knows no route."""
    assert read(tmp_path, '[target]\nservice = "eid:WEB"\n').settings.route is Route.ORDERS
    assert "The key service is missing in [target]" in refused(tmp_path, "[target]\nnotes = 'x'\n")
    assert "The key service is missing in [target]" in refused(tmp_path, '[target]\nservice = ""\n')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[target]\nroute = "outlet"\n', ("The key outlet is missing in [outlet]", "preflight")),
        ('[target]\nroute = "outlets"\n', ('route = "outlets" is not known', "outlet")),
        (OUTLET + "bills_per_request = 0\n", ("bills_per_request = 0", "greater than or equal to 1")),
        (OUTLET + "bills_per_request = 1001\n", ("bills_per_request = 1001", "less than or equal to 1000")),
        (OUTLET + 'bills_per_request = "100"\n', ("bills_per_request", "number")),
        (OUTLET + 'payments = "capture"\n', ('payments = "capture"', "captures")),
        (OUTLET + 'account = "none "\naccounts = 1\n', ("There is no key 'accounts'", "account")),
        (OUTLET + 'balance_category = "Retail"\n', ("balance_category", "AccountingCategoryId")),
        (OUTLET + 'balance_name = "{orderNumber}"\n', ("balance_name", "orderNumber")),
        ('[target]\noutlet = "Web shop"\nservice = "eid:X"\n', ("There is no key 'outlet' in [target]", "[outlet]")),
    ],
)
def test_faults_say_row_key_and_what_to_write(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """Strict, as every other section."""
    message = refused(tmp_path, text)
    assert "migration.toml row " in message or "migration.toml, row " in message, message
    for word in words:
        assert word in message, message


def test_what_mews_is_asked_for(tmp_path: Path) -> None:
    """The outlet, and accounts only where bills name them."""
    mapping = read(tmp_path, OUTLET + f'balance_category = "{CATEGORY}"\n[accounts]\nfallback = "{CATEGORY}"\n')
    needs = needs_of(mapping)
    assert (needs.outlet, needs.service, needs.accounts, needs.categories) == (
        "Web shop",
        "",
        frozenset(),
        {CATEGORY},
    )
    mapped = read(tmp_path, OUTLET + f'account = "mapped"\n[accounts]\nfallback = "{CATEGORY}"\n')
    assert needs_of(mapped).accounts == {CATEGORY}
    assert needs_of(Mapping(settings(), ())).outlet == ""


def test_an_outlet_without_its_route_is_told(tmp_path: Path) -> None:
    """Somebody who fills in [outlet] and forgets the route would charge guests."""
    found = read(tmp_path, '[target]\nservice = "eid:WEB"\n[outlet]\noutlet = "Web shop"\n')
    assert found.settings.route is Route.ORDERS
    assert any("every order is charged to an account" in told for told in found.notices)
    assert read(tmp_path, OUTLET).notices == ()
