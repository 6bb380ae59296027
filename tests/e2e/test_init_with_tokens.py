"""init with tokens: the catalogue, the tax cells that are certain, products by ExternalIdentifier; the rest are candidates."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest
from cli_run import Done, Shell
from decisions import decide, decide_settings
from mixed_till import till_world

from etl.sandbox.server import RunningSandbox, running_sandbox

HEADER = (
    "orderNumber,orderDate,status,currency,deliveryAddress.country,invoiceAddress.email,orderTotal,"
    "products.sku,products.qty,products.unitPrice,products.vatPercent,products.itemText.product\n"
)
ORDERS = (
    "1,2010-12-05,Completed,GBP,GB,twin@example.com,12.75,22423,1,12.75,17.5,Cake stand\n"
    "2,2011-02-05,Completed,GBP,GB,ann@example.com,30.00,NEW,1,30.00,20,Party  Bunting\n"
    "3,2011-02-06,Completed,GBP,DE,nobody@example.com,20.00,OLD-MUG,1,20.00,20,Discontinued mug\n"
    "4,2011-02-07,Completed,GBP,GB,nobody@example.com,5.00,X,1,5.00,0,Thing\n"
)


@pytest.fixture
def shell(tmp_path: Path, mews: RunningSandbox) -> Shell:
    (tmp_path / "orders.csv").write_text(HEADER + ORDERS)
    return Shell(tmp_path, mews.url)


def init(shell: Shell) -> Done:
    done = shell.run("init", "orders.csv", "--store", "shop")
    assert done.code == 0, done.err
    return done


def table(shell: Shell, name: str, first: str) -> list[dict[str, str]]:
    """The rows below the header, comment rows too."""
    with (shell.folder / "mappings" / name).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    at = next(index for index, row in enumerate(rows) if row[0] == first)
    return [dict(zip(rows[at], row, strict=False)) for row in rows[at + 1 :]]


def test_a_token_for_several_hotels_is_asked_which(tmp_path: Path) -> None:
    """Where to write it, instead of Mews's words alone; the folder stands."""
    (tmp_path / "orders.csv").write_text(HEADER + ORDERS)
    with running_sandbox(till_world("Net", is_portfolio=True)) as two:
        done = init(Shell(tmp_path, two.url))
    assert "write the EnterpriseId of this property into target.enterprise_id" in done.err.replace("\n", " ")
    assert (tmp_path / "mappings" / "migration.toml").is_file()


def test_what_is_certain_is_filled_in_and_nothing_else(shell: Shell) -> None:
    """GB at its rates of the time; not Germany, not 0 %; a product by ExternalIdentifier, never an account."""
    done = init(shell)
    taxes = {(one["country"], one["vat_percent"]): one for one in table(shell, "taxes.csv", "country")}
    codes = {key: (one["tax_codes"], one.get("# candidates", "")) for key, one in taxes.items()}
    assert codes["GB", "17.5"] == ("UK-17.5%", "")
    assert codes["GB", "20"] == ("UK-20%", "")
    assert codes["DE", "20"] == ("", "UK-20%")
    assert codes["GB", "0"] == ("", "UK-0%")
    assert len([one for one in done.json["filled"] if one.startswith("taxes.csv")]) == 2
    products = {one["key"]: one for one in table(shell, "products.csv", "key_type")}
    assert (products["22423"]["key_type"], products["22423"]["product"]) == (
        "sku",
        "9d000000-0000-4000-a000-000000000002",
    )
    assert (products["NEW"]["key_type"], products["NEW"]["product"]) == ("# sku", "")
    assert products["NEW"]["# candidates"] == "Party bunting (9d000000-0000-4000-a000-000000000003)"
    assert products["OLD-MUG"].get("# candidates", "") == ""
    accounts = {one["key"]: one for one in table(shell, "accounts.csv", "key_type")}
    assert {one["account"] for one in accounts.values()} == {""}
    assert "Tina Twin (ac000000-0000-4000-a000-000000000007)" in accounts["twin@example.com"]["# candidates"]
    assert accounts["nobody@example.com"].get("# candidates", "") == ""
    assert (shell.folder / "mappings" / "mews" / "tax_codes.csv").is_file()


@pytest.mark.slow
def test_the_filled_folder_is_read_as_it_is(shell: Shell) -> None:
    """With the decisions that only a person can make, the dry run takes it."""
    init(shell)
    toml = shell.folder / "mappings" / "migration.toml"
    house = 'fallback = "ac000000-0000-4000-a000-000000000001"'
    text = toml.read_text("utf-8").replace('service = ""', 'service = "eid:WEB-SHOP"')
    text = text.replace('# fallback = ""', house)
    text = text.replace('prices_include_tax = ""', "prices_include_tax = true")
    toml.write_text(text, "utf-8")
    done = shell.run("dry-run", "orders.csv")
    assert done.json["orders"]["ready"] == 2, done.err
    assert {one["code"] for one in done.json["problems"]} >= {"tax.undecided"}


@pytest.mark.slow
def test_in_a_folder_that_stands_only_empty_tax_cells_are_filled(shell: Shell) -> None:
    """Every other byte of the tables stays; what a person has written is no longer touched."""
    folder = shell.folder / "mappings"
    folder.mkdir()
    (folder / "taxes.csv").write_bytes(
        b"# mine\r\ncountry;vat_percent;valid_from;valid_before;tax_codes\r\nGB;17,5;;;\r\nGB;20;;;UK-5%\r\nDE;20;;;\r\nGB;0;;;\r\n"
    )
    products = b"key_type;key;product\n# sku;22423;\n# sku;NEW;\n# sku;OLD-MUG;\n# sku;X;\n"
    (folder / "products.csv").write_bytes(products)
    done = init(shell)
    assert (folder / "taxes.csv").read_bytes() == (
        b"# mine\r\ncountry;vat_percent;valid_from;valid_before;tax_codes\r\nGB;17,5;;;UK-17.5%\r\nGB;20;;;UK-5%\r\nDE;20;;;\r\nGB;0;;;\r\n"
    )
    assert (folder / "products.csv").read_bytes() == products
    assert [one for one in done.json["filled"] if "taxes.csv" in one] == [
        "taxes.csv row 3, GB 17.5 %: UK-17.5% was filled in."
    ]


def test_a_mews_that_is_gone_is_told_and_the_folder_stands(shell: Shell) -> None:
    """init is for the day before the network, too."""
    shell.env["MEWS_ACCESS_TOKEN"] = "wrong"
    done = init(shell)
    assert "Mews was not asked" in done.json["filled"][0]
    assert not (shell.folder / "mappings" / "mews").exists()
    assert (shell.folder / "mappings" / "taxes.csv").is_file()


@pytest.mark.slow
def test_the_workbook_leads_to_the_same_plan_as_the_folder(shell: Shell) -> None:
    """init --workbook, the decisions made in a spreadsheet program, dry run: the plan of the folder."""
    done = shell.run("init", "orders.csv", "--store", "shop", "--workbook")
    assert done.code == 0, done.err
    folder = shell.folder / "mappings"
    assert sorted(path.name for path in folder.iterdir()) == ["mapping.xlsx", "mews", "migration.toml"]
    assert [one for one in done.json["filled"] if "UK-20%" in one] == [
        "mapping.xlsx, sheet taxes row 2, GB 20 %: UK-20% was filled in."
    ]
    book = openpyxl.load_workbook(folder / "mapping.xlsx")
    taxes = [dict(zip([cell.value for cell in book["taxes"][1]], row, strict=False)) for row in book["taxes"].values]
    assert {(row["country"], row["vat_percent"]): row["# candidates"] for row in taxes}["DE", "20"] == "UK-20%"
    column = [cell.value for cell in book["taxes"][1]].index("tax_codes")
    for row in list(book["taxes"].iter_rows(min_row=2)):
        if not row[column].value:
            row[column].value = "UK-20%" if row[1].value == "20" else "UK-0%"
    book.save(folder / "mapping.xlsx")
    decide_settings(folder)
    plan = shell.run("--mappings", "mappings/mapping.xlsx", "dry-run", "orders.csv").json
    assert plan["orders"]["ready"] == 4, plan["problems"]
    (folder / "mapping.xlsx").unlink()
    (folder / "migration.toml").unlink()
    init(shell)
    decide(folder)
    assert shell.run("dry-run", "orders.csv").json["plan"] == plan["plan"]


def test_the_hotel_of_the_guide_is_one(tmp_path: Path) -> None:
    """A hotel outside the UK rehearses its own taxes: its world file is the one that operations.md shows."""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
    world = tmp_path / "hotel.json"
    world.write_text(
        guide.partition("## Rehearse with a hotel like yours")[2].partition("```json\n")[2].partition("```")[0], "utf-8"
    )
    orders = "1,2020-12-05,Completed,EUR,IT,a@example.com,12.20,TAZZA,1,12.20,22,Tazza\n"
    (tmp_path / "orders.csv").write_text(HEADER + orders)
    with running_sandbox(str(world)) as running:
        done = init(Shell(tmp_path, running.url))
    assert [one for one in done.json["filled"] if "IT" in one] == ["taxes.csv row 16, IT 22 %: IT-22% was filled in."]
    assert done.json["open"][0]["candidates"].startswith("Web shop (")


@pytest.mark.slow
def test_candidates_of_another_enterprise_do_not_stay(shell: Shell) -> None:
    """A folder that was begun against another Mews: its codes and Ids are no candidates here; nothing else is touched."""
    folder = shell.folder / "mappings"
    folder.mkdir()
    strange = "PL-5 (not all the time)"
    (folder / "taxes.csv").write_text(
        "country,vat_percent,valid_from,valid_before,tax_codes,# candidates\n"
        f"DE,20,,,,PL-20\nGB,0,,,exempt,{strange}\nFR,1,,,,UK-20%\n"
    )
    (folder / "products.csv").write_text(
        "key_type,key,product,# name,# candidates\n"
        "# sku,NEW,,Party  Bunting,Wimpel (0d000000-0000-4000-a000-000000000009)\n"
        "# sku,GONE,,Gone,Weg (0d000000-0000-4000-a000-000000000008)\n"
        "# sku,22423,,Cake stand,\n"
    )
    assert shell.run("preflight").code == 2
    taxes = {(one["country"], one["vat_percent"]): one for one in table(shell, "taxes.csv", "country")}
    assert [one["# candidates"] for one in taxes.values()] == ["", "", "UK-20%"]
    assert [one["# candidates"] for one in table(shell, "products.csv", "key_type")] == ["", "", ""]
    init(shell)
    taxes = {(one["country"], one["vat_percent"]): one for one in table(shell, "taxes.csv", "country")}
    assert taxes["DE", "20"]["# candidates"] == "UK-20%"
    assert taxes["GB", "0"] | {"tax_codes": "exempt", "# candidates": ""} == taxes["GB", "0"]
    assert taxes["FR", "1"]["# candidates"] == ""
    products = {one["key"]: one for one in table(shell, "products.csv", "key_type")}
    assert products["NEW"]["# candidates"] == "Party bunting (9d000000-0000-4000-a000-000000000003)"
    assert (products["22423"]["product"], products["GONE"]["# candidates"]) == ("", "")
