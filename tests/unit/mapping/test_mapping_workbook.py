"""mapping.xlsx: the tables of the folder as sheets of one workbook, read and written, and what goes wrong in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.datavalidation import DataValidation

from etl.errors import MappingError, UsageError
from etl.mapping.folder import read_mapping
from etl.mapping.homes import WorkbookHome, home_of
from etl.mapping.scaffold import DumpFacts, Found, RateFact, scaffold_files
from etl.mapping.workbook import WORKBOOK
from etl.model.mapping_tables import TABLES

TOML = '[source]\nstore = "uk"\ntimezone = "Europe/London"\nprices_include_tax = true\n[target]\nservice = "eid:WEB"\n'
TAXES = ("country", "vat_percent", "valid_from", "valid_before", "tax_codes")
MUG = "9d000000-0000-4000-a000-000000000002"
FACTS = DumpFacts(
    skus={"00123": Found("Cake stand", 3, {"GBP": Decimal(30)}), "=1+1": Found("-odd", 1, {"GBP": Decimal(5)})},
    emails={"ann@example.com": Found("Ann", 2, {"GBP": Decimal(35)})},
    countries_rates=[
        RateFact("GB", Decimal("17.5"), date(2010, 12, 1), date(2010, 12, 31), 3, {"GBP": Decimal(30)}),
        RateFact("DE", Decimal(19), date(2010, 12, 1), date(2010, 12, 31), 1, {"GBP": Decimal(5)}),
    ],
    brands={"Acme": Found()},
    columns=[("Bestellnr", "orderNumber", "proved", "name", "", "1 | 2"), ("Ort", "", "", "", "a | b", "x")],
    values=[("status", "bezahlt", "", "", "", "Completed", "3", "GBP 35.00")],
)
CATALOGUE: Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]] = {
    "tax_codes.csv": (
        ("code", "rate", "valid_from", "valid_before", "taxation", "kind"),
        [
            ("UK-20%", "20 %", "2011-01-04", "", "VAT", "relative"),
            ("UK-17.5%", "17.5 %", "2010-01-01", "2011-01-04", "VAT", "relative"),
            ("UK-0%", "0 %", "", "", "VAT", "relative"),
        ],
    ),
    "products.csv": (
        ("id", "name", "external_identifier", "active", "service", "accounting_category"),
        [(MUG, "Mug", "", "yes", "Web", ""), ("9d000000-0000-4000-a000-000000000003", "Old", "", "no", "Web", "")],
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mapping folder with its settings only."""
    (tmp_path / "migration.toml").write_text(TOML, "utf-8")
    return tmp_path


def workbook(folder: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Writes the workbook as another program would."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(folder / WORKBOOK)


def files() -> dict[str, str]:
    """The generated folder, as CSV texts."""
    return scaffold_files(FACTS, store="uk", timezone="Europe/London")


def decided(path: Path) -> None:
    """The settings that `init` leaves to a person."""
    text = path.read_text("utf-8").replace('service = ""', 'service = "eid:WEB"')
    path.write_text(text.replace('prices_include_tax = ""', "prices_include_tax = true"), "utf-8")


def test_the_workbook_is_the_same_mapping_as_the_folder(tmp_path: Path) -> None:
    """Same content, same decisions, same fingerprint."""
    home_of(tmp_path / "a", wants_workbook=False).write(files())
    home_of(tmp_path / "b", wants_workbook=True).write(files())
    for name in ("a", "b"):
        decided(tmp_path / name / "migration.toml")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [WORKBOOK, "migration.toml"]
    one, other = read_mapping(tmp_path / "a"), read_mapping(tmp_path / "b")
    assert one.digest == other.digest
    assert [rule.country for rule in other.taxes] == ["GB", "DE"]
    assert [rule.header for rule in other.columns] == [rule.header for rule in one.columns]
    assert (tmp_path / "b" / WORKBOOK).stat().st_mode & 0o777 == 0o600


def test_a_workbook_that_another_program_has_saved_reads_the_same(tmp_path: Path) -> None:
    """Saving in a spreadsheet program is what the workbook is for."""
    home_of(tmp_path, wants_workbook=True).write(files())
    decided(tmp_path / "migration.toml")
    before = read_mapping(tmp_path)
    book = openpyxl.load_workbook(tmp_path / WORKBOOK)
    book["products"]["A2"], book["products"]["C2"] = "sku", f"Mug ({MUG.upper()})"
    book["taxes"]["G2"] = "UK-17.5%"
    book.save(tmp_path / WORKBOOK)
    after = read_mapping(tmp_path)
    assert after.products["sku", "00123"].target == MUG
    assert after.taxes[0].tax_codes == ("UK-17.5%",)
    assert after.digest != before.digest


def test_cells_that_a_spreadsheet_made_its_own_are_read_as_they_are_seen(folder: Path) -> None:
    """Numbers, percents, dates, zero-padded keys: the same decisions as text."""
    workbook(
        folder,
        {
            "Taxes": [
                ["# the rates of our shop"],
                TAXES,
                ["GB", 17.5, date(2010, 1, 1), date(2011, 1, 4), "UK-17.5%"],
                [],
                ["DE", 0.19, None, None, "exempt"],
            ],
            "products": [("key_type", "key", "product"), ("sku", 123, "eid:MUG")],
            "controls": [("month", "currency", "orders", "total"), (date(2010, 12, 1), "GBP", 2025, 1234.5)],
        },
    )
    book = openpyxl.load_workbook(folder / WORKBOOK)
    book["Taxes"]["B5"].number_format = "0%"
    book["products"]["B2"].number_format = "00000"
    book.save(folder / WORKBOOK)
    found = read_mapping(folder)
    gb, de = found.taxes
    assert (gb.percent, gb.valid_from, gb.valid_before) == (Decimal("17.5"), date(2010, 1, 1), date(2011, 1, 4))
    assert de.percent == 19
    assert str(de.place) == "mapping.xlsx, sheet Taxes, row 5"
    assert [(key, rule.target) for key, rule in found.products.items()] == [(("sku", "00123"), "eid:MUG")]
    assert (found.controls[0].month, found.controls[0].total) == ("2010-12", Decimal("1234.5"))


@pytest.mark.parametrize(
    ("sheets", "told"),
    [
        ({"taxes": [TAXES, ("XX", 20, "", "", "A")]}, "mapping.xlsx, sheet taxes, row 2, column country: 'XX'"),
        ({"taxes": [(*TAXES, "colour")]}, "mapping.xlsx, sheet taxes, row 1, column colour: There is no column"),
        ({"taxes": [TAXES, ("GB", "=1/0", "", "", "A")]}, "row 2, column vat_percent: "),
        ({"taxes": [TAXES], "prodcts": [("key_type", "key", "product")]}, "sheet prodcts: There is no such table"),
        ({"taxes": [TAXES], "taxes.csv": [TAXES]}, "sheet taxes.csv: A sheet for taxes.csv stands in the workbook"),
        ({"products": [("key_type", "key", "product")]}, "taxes.csv: The file is missing"),
        ({"taxes": [("nothing", "here")]}, "mapping.xlsx, sheet taxes: There is no header row"),
        ({"taxes": [TAXES, ("GB", 20, "", "", "A", "", "", "stray")]}, "'stray' stands in cell 8, which has no column"),
    ],
)
def test_a_fault_names_sheet_row_and_column(
    folder: Path, sheets: Mapping[str, Sequence[Sequence[object]]], told: str
) -> None:
    """As a person would look it up."""
    workbook(folder, sheets)
    with pytest.raises(MappingError) as caught:
        read_mapping(folder)
    assert told in str(caught.value)


def test_a_table_in_both_places_is_an_error(folder: Path) -> None:
    """Which of the two would hold is nobody's guess."""
    workbook(folder, {"taxes": [TAXES, ("GB", 20, "", "", "A")]})
    (folder / "taxes.csv").write_text("country,vat_percent,valid_from,valid_before,tax_codes\nGB,20,,,A\n")
    with pytest.raises(MappingError, match=r"stands in taxes\.csv too"):
        read_mapping(folder)
    (folder / "taxes.csv").unlink()
    (folder / "products.csv").write_text("key_type,key,product\nsku,1,eid:A\n")
    assert read_mapping(folder).products["sku", "1"].target == "eid:A"


def test_a_damaged_workbook_is_one_fault(folder: Path) -> None:
    """Not a traceback, and not a complaint about every table."""
    (folder / WORKBOOK).write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(MappingError) as caught:
        read_mapping(folder)
    assert "has 1 fault" in str(caught.value)
    assert f"  {WORKBOOK}: " in str(caught.value)


def test_reference_sheets_are_never_tables(folder: Path) -> None:
    """Their names are those of tables, their columns are not."""
    workbook(folder, {"taxes": [TAXES, ("GB", 20, "", "", "A")], "mews products": [("id", "name")], "Notes": [("x",)]})
    found = read_mapping(folder)
    assert [one for one in found.notices if "Notes" in one] == [
        "mapping.xlsx, sheet Notes: is no table of the mapping and was not read."
    ]
    assert not [one for one in found.notices if "mews" in one]


def test_cells_have_drop_downs_from_the_catalogue(tmp_path: Path) -> None:
    """Tax codes valid then, those of the rate first; products in use by name and Id; closed lists of the tables."""
    home = home_of(tmp_path, wants_workbook=True)
    home.write(files())
    home.finish(CATALOGUE, {("GB", "17.5"): (date(2010, 12, 1), date(2010, 12, 31))})
    book = openpyxl.load_workbook(tmp_path / WORKBOOK)
    assert choices(book, "taxes", "G2") == ["UK-17.5%", "UK-0%", "exempt"]
    assert choices(book, "products", "C2") == [f"Mug ({MUG})"]
    assert choices(book, "products", "A2") == ["sku", "ean", "id", "item", "# sku", "# ean", "# id", "# item"]
    assert choices(book, "columns", "C2") == ["proved", "likely", "yes"]
    assert "products.sku" in choices(book, "columns", "B3")
    assert book["mews tax_codes"]["A2"].value == "UK-20%"
    assert [name for name in book.sheetnames if name in {name.removesuffix(".csv") for name in TABLES}] == [
        name.removesuffix(".csv") for name in TABLES
    ]


def choices(book: openpyxl.Workbook, sheet: str, cell: str) -> list[str]:
    """What the drop-down of a cell offers."""
    rules: list[DataValidation] = [one for one in book[sheet].data_validations.dataValidation if cell in one.sqref]
    assert len(rules) == 1, (sheet, cell)
    source = str(rules[0].formula1)
    if source.startswith('"'):
        return source.strip('"').split(",")
    name, _, area = source.partition("!")
    return [str(row[0].value) for row in book[name.strip("'=")][area.replace("$", "")]]


def test_into_a_workbook_that_stands_rows_are_added_and_nothing_changes(tmp_path: Path) -> None:
    """What a person wrote stays, his own sheets too; the workbook as it was lies beside it."""
    home_of(tmp_path, wants_workbook=True).write(files())
    book = openpyxl.load_workbook(tmp_path / WORKBOOK)
    book["taxes"]["G2"] = "UK-17.5%"
    book["taxes"].insert_rows(2)
    book.create_sheet("Mine").append(["my own notes", 1])
    book.save(tmp_path / WORKBOOK)
    held = (tmp_path / WORKBOOK).read_bytes()
    home = home_of(tmp_path, wants_workbook=False)
    assert [one.added for one in home.write(files())] == [0, 0]
    assert (tmp_path / WORKBOOK).read_bytes() == held
    more = DumpFacts(countries_rates=[RateFact("FR", Decimal(20), None, None, 1, {"EUR": Decimal(1)})])
    home = home_of(tmp_path, wants_workbook=True)
    written = home.write(scaffold_files(more, store="uk", timezone="Europe/London"))
    assert [one.added for one in written] == [0, 1]
    assert home.fill("taxes.csv", lambda _, cells: {"tax_codes": "X"} if cells["country"] == "FR" else {}) == 1
    home.finish({}, {})
    book = openpyxl.load_workbook(tmp_path / WORKBOOK)
    rows = [tuple(cell for cell in row[:7]) for row in book["taxes"].iter_rows(values_only=True)]
    assert [(row[0], row[6]) for row in rows] == [
        ("country", "tax_codes"),
        ("GB", "UK-17.5%"),
        ("DE", None),
        ("FR", "X"),
    ]
    assert [cell.value for cell in book["Mine"][1]] == ["my own notes", "1"]
    assert (tmp_path / f"{WORKBOOK}.bak").read_bytes() == held
    decided(tmp_path / "migration.toml")
    assert len(read_mapping(tmp_path).taxes) == 3


def test_a_workbook_with_a_fault_is_left_as_it_is(folder: Path) -> None:
    """Adding to what nobody can read would lose it."""
    workbook(folder, {"taxes": [(*TAXES, "colour"), ("GB", 20, "", "", "A", "red")]})
    held = (folder / WORKBOOK).read_bytes()
    home = home_of(folder, wants_workbook=False)
    written = home.write(files())
    home.finish(CATALOGUE, {})
    assert "it has a fault" in written[-1].note
    assert isinstance(home, WorkbookHome)
    assert (folder / WORKBOOK).read_bytes() == held


def test_a_workbook_beside_csv_tables_is_refused(tmp_path: Path) -> None:
    """A table may stand in one place only."""
    home_of(tmp_path, wants_workbook=False).write(files())
    with pytest.raises(UsageError, match="one place only"):
        home_of(tmp_path, wants_workbook=True)
