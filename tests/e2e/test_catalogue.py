"""The catalogue: whatever the mapping lacks, preflight connects, lists what there is to choose from, and decides nothing."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli_run import Done, Shell
from shop_settings import bad_day, change_enterprise, configure
from small_shop import SmallShop, row

from etl.sandbox.server import RunningSandbox

pytestmark = pytest.mark.slow

WEB_SHOP = "5e000000-0000-4000-a000-000000000001"
FILES = {
    *("services.csv", "outlets.csv", "products.csv", "accounts.csv", "tax_codes.csv", "categories.csv"),
    *("segments.csv", "payment_types.csv"),
}
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\n"


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "mews" / name).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def check(done: Done, name: str, result: str = "") -> dict[str, str]:
    """The first check of that name (and result)."""
    return next(one for one in done.json["checks"] if one["check"] == name and result in ("", one["result"]))


def test_an_empty_folder_and_tokens_are_enough(tmp_path: Path, mews: RunningSandbox) -> None:
    """Nothing but the three variables: the catalogue is written, the services are listed, exit code 2."""
    shell = Shell(tmp_path, mews.url)
    done = shell.run("preflight")
    assert done.code == 2, done.err
    service = check(done, "service")
    assert service["result"] == "error"
    assert f"Web shop ({WEB_SHOP})" in service["detail"]
    assert "Accommodation" not in service["detail"]
    assert "init" in check(done, "mapping")["next"]
    folder = tmp_path / "mappings"
    assert {path.name for path in (folder / "mews").iterdir()} == FILES
    assert [one["name"] for one in table(folder, "services.csv")] == ["Web shop", "Accommodation", "Closed gift shop"]
    assert "Breakfast" not in {one["name"] for one in table(folder, "products.csv")}
    assert table(folder, "outlets.csv")[0]["name"] == "Shop in the lobby"
    accounts = [(one["name"], one["classification"]) for one in table(folder, "accounts.csv")]
    assert accounts == [("Example Trade Ltd", ""), ("Web shop paymaster", "PaymasterAccount")]


def test_the_files_are_private_and_no_tables_of_the_mapping(shop: SmallShop) -> None:
    """0600 in a folder of its own; written anew each time; the mapping's own products.csv stays what it is."""
    configure(shop)
    first = shop.shell.run("preflight")
    assert first.code == 0, first.json
    folder = shop.mapping / "mews"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "taxes.csv").write_text("nonsense\n1,2,3\n")
    export = shop.export([row(1)])
    before = shop.shell.run("dry-run", export)
    assert (before.code, before.json["mapping_notices"]) == (0, [])
    assert shop.shell.run("preflight", export).json["plan"] == before.json["plan"]


def test_tax_codes_are_listed_with_rate_and_times(shop: SmallShop) -> None:
    """In the enterprise's own days; a code with a hole has two rows."""
    configure(shop)
    shop.shell.run("preflight")
    rows = [
        (one["code"], one["rate"], one["valid_from"], one["valid_before"])
        for one in table(shop.mapping, "tax_codes.csv")
    ]
    assert ("UK-20%", "20 %", "2011-01-04", "") in rows
    assert [one for one in rows if one[0] == "UK-17.5%"] == [
        ("UK-17.5%", "17.5 %", "", "2008-12-01"),
        ("UK-17.5%", "17.5 %", "2010-01-01", "2011-01-04"),
    ]
    assert "DE-19%" not in {one[0] for one in rows}


def test_undecided_cells_get_candidates_and_stay_empty(shop: SmallShop) -> None:
    """Codes by rate and period, customers by e-mail, products by ExternalIdentifier; the tables are not touched."""
    tables = {
        "taxes": f"{TAXES}GB,20,2011-01-04,,\nDE,19,,,\nGB,17.5,2008-01-01,2011-01-04,\n",
        "accounts": "key_type,key,account\nemail,TWIN@example.com,\nemail,gone@example.com,\n",
        "products": "key_type,key,product\nsku,22423,\nsku,CUP,\n",
    }
    configure(shop, tables)
    before = {path.name: path.read_bytes() for path in shop.mapping.glob("*.csv")}
    done = shop.shell.run("preflight")
    assert done.code == 0, done.json
    taxes = check(done, "tax codes", "warning")["next"]
    assert "row 2, GB 20 % from 2011-01-04: UK-20%;" in taxes
    assert "row 3, DE 19 %: no code of that rate;" in taxes
    assert "UK-17.5% (not all the time)" in taxes
    accounts = check(done, "accounts", "warning")["next"]
    assert "Tom Twin (ac000000-0000-4000-a000-000000000006), Tina Twin (ac000000" in accounts
    assert "gone@example.com" not in accounts
    products = check(done, "products", "warning")["next"]
    assert "sku 22423: Regency cakestand 3 tier (9d000000-0000-4000-a000-000000000002)" in products
    assert {path.name: path.read_bytes() for path in shop.mapping.glob("*.csv")} == before
    assert {one["email"] for one in table(shop.mapping, "accounts.csv")} >= {"twin@example.com", "gone@example.com"}


Break = Callable[[str], str]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda text: text.replace("Europe/London", "Europe/Londn"), "Londn"),
        (lambda text: text.replace('service = "', 'service = "" # "'), "service"),
        (lambda text: text + "\n[nonsense]\n", "nonsense"),
        (lambda text: text.replace("[source]", "[source"), "migration.toml"),
    ],
    ids=["a wrong value", "no service", "an unknown section", "no TOML"],
)
def test_a_faulty_folder_is_no_reason_not_to_look(shop: SmallShop, damage: Break, fault: str) -> None:
    """Each fault is a finding, and what Mews has is told all the same."""
    configure(shop)
    path = shop.mapping / "migration.toml"
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    done = shop.shell.run("preflight")
    assert done.code == 2
    errors = [one for one in done.json["checks"] if one["result"] == "error"]
    assert any(fault in one["detail"] for one in errors), errors
    assert all(one["next"] for one in errors)
    assert {path.name for path in (shop.mapping / "mews").iterdir()} == FILES


def test_wrong_tokens_are_still_exit_code_4(shop: SmallShop) -> None:
    """Nobody to ask is no finding."""
    configure(shop)
    shop.shell.env["MEWS_ACCESS_TOKEN"] = "wrong"
    assert shop.shell.run("preflight").code == 4
    assert not (shop.mapping / "mews").exists()


def test_names_in_mews_are_no_formulas(tmp_path: Path) -> None:
    """A customer may call himself what he likes."""
    world = change_enterprise(
        lambda one: replace(one, outlets={key: replace(row, name="=1+1") for key, row in one.outlets.items()})
    )
    with bad_day(tmp_path, world=world) as shop:
        configure(shop)
        shop.shell.run("preflight")
        assert {one["name"] for one in table(shop.mapping, "outlets.csv")} == {"'=1+1"}
