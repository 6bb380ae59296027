"""The folder that `init` writes is one that the tool reads."""

from __future__ import annotations

import csv
import io
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from etl.errors import MappingError, UsageError
from etl.mapping.additions import write_folder
from etl.mapping.folder import read_mapping
from etl.mapping.scaffold import DumpFacts, Found, RateFact, scaffold_files
from etl.model.mapping import Settings
from etl.model.mapping_tables import TABLES

FACTS = DumpFacts(
    skus={
        "CUP-1": Found("Stoneware cup, blue", 2, {"GBP": Decimal("30.00")}),
        "=cmd|calc": Found("Odd, but a key", 1, {"GBP": Decimal("1.50")}),
        "85123A": Found('The "heart"\nholder', 4, {"GBP": Decimal("1200.00"), "EUR": Decimal("-7.10")}),
    },
    eans={"0200000000015": Found("Stoneware cup")},
    countries_rates=[
        RateFact("GB", Decimal("17.5"), date(2010, 12, 1), date(2011, 1, 3), 12),
        RateFact("GB", Decimal("20.0"), date(2011, 1, 4), date(2011, 6, 30), 34),
        RateFact("GB", Decimal(20), date(2012, 1, 1), date(2012, 6, 30), 5),
        RateFact("DE", None, date(2011, 1, 4), date(2011, 6, 30), 2),
        RateFact("", Decimal(20), None, None, 1),
    ],
    emails={"ann@example.com": Found("Ann", 3), "+jo@example.com": Found()},
    account_ids={"501": Found("Trader & Söhne")},
    markets={"Europe": Found(), "United Kingdom": Found("", 2, {"GBP": Decimal(9)})},
    currencies=["GBP"],
    voucher_codes=["#10OFF", "SUMMER"],
    payment_methods=["card"],
    brands={"Kiln, London": Found("", 3, {"GBP": Decimal(9)})},
    store_types=["b2b", "b2c"],
    statuses=["Completed", "Cancelled"],
    columns=[("Item code", "", "", "", "products.sku", "A-1")],
    values=[("status", "bezahlt", "", "", "", "Completed", "3", "GBP 9.00")],
    proved={"prices_include_tax": True},
)


def test_the_scaffold_is_read_once_the_service_is_named(tmp_path: Path) -> None:
    """A person fills in one required value and can dry-run: the rest is undecided or left out, never wrong."""
    files = scaffold_files(FACTS, store="shop", timezone="Europe/London")
    write_folder(tmp_path / "mappings", files)
    settings = tmp_path / "mappings" / "migration.toml"
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path / "mappings")
    assert [line for line in caught.value.message.splitlines() if "row" in line] == [
        caught.value.message.splitlines()[1]
    ]
    assert "service" in caught.value.message
    settings.write_text(settings.read_text().replace('service = ""', 'service = "eid:WEB-SHOP"'))
    mapping = read_mapping(tmp_path / "mappings")
    # Germany has lines without a rate only: one row that is undecided, as those of rates are.
    assert [(rule.country, rule.percent, rule.tax_codes) for rule in mapping.taxes] == [
        ("DE", None, None),
        ("GB", Decimal("17.5"), None),
        ("GB", Decimal(20), None),
    ]
    assert mapping.products == {}
    assert mapping.accounts == {}
    assert [notice for notice in mapping.notices if "nothing yet" not in notice] == []
    assert mapping.settings.source.default_currency == "GBP"
    assert mapping.settings.source.prices_include_tax is True
    assert [rule.field for rule in mapping.columns] == []


def test_everything_found_stands_in_the_scaffold(tmp_path: Path) -> None:
    """With the # deleted, each row is a row of its table: keys come back exactly as the export has them."""
    files = scaffold_files(FACTS, store="shop", timezone="Europe/London")
    decided = {
        name: _without_hash(text)
        for name, text in files.items()
        if name in ("products.csv", "accounts.csv", "segments.csv")
    }
    write_folder(tmp_path, {**files, **decided})
    settings = tmp_path / "migration.toml"
    settings.write_text(settings.read_text().replace('service = ""', 'service = "eid:X"'))
    mapping = read_mapping(tmp_path)
    assert set(mapping.products) == {*(("sku", key) for key in FACTS.skus), ("ean", "0200000000015")}
    assert {("email", "+jo@example.com"), ("accountId", "501"), ("market", "Europe")} <= set(mapping.accounts)
    assert set(mapping.segments) == {"Europe", "United Kingdom"}
    assert {rule.target for rule in mapping.products.values()} == {None}
    for name, key in (
        ("vouchers.csv", "SUMMER"),
        ("payments.csv", "card"),
        ("categories.csv", "Kiln, London"),
        ("columns.csv", "Item code"),
    ):
        assert key in files[name]
    assert "2010-12-01" in files["taxes.csv"]


def _without_hash(text: str) -> str:
    head, _, rows = text.partition(
        "\r\n" + next(line for line in text.splitlines() if not line.startswith(("#", '"#')))
    )
    header = text[len(head) :].splitlines()[1]
    return header + "\r\n" + "\r\n".join(row.removeprefix("# ") for row in rows.splitlines() if row)


def test_no_key_of_the_scaffold_runs_as_a_formula() -> None:
    """Exports hold what customers type; a spreadsheet must not run it."""
    for name, text in scaffold_files(FACTS, store="shop", timezone="Europe/London").items():
        if name.endswith(".csv"):
            assert ",=" not in text
            assert ",+" not in text


def test_every_key_and_table_is_in_the_scaffold() -> None:
    """A key that `init` does not show is a key that nobody finds; defaults shown must be the model's."""
    files = scaffold_files(DumpFacts(), store="shop", timezone="Europe/London")
    assert set(files) == {"migration.toml", *TABLES}
    lines = [
        line.removeprefix("# ")
        for line in files["migration.toml"].splitlines()
        if " = " in line or line.startswith("[")
    ]
    shown = tomllib.loads("\n".join(lines), parse_float=Decimal)
    for section, info in Settings.model_fields.items():
        assert info.annotation is not None
        assert set(shown[section]) == set(info.annotation.model_fields)
        for key, one in info.annotation.model_fields.items():
            if not one.is_required() and key != "prices_include_tax":
                value = tuple(shown[section][key]) if isinstance(shown[section][key], list) else shown[section][key]
                assert value == one.default


def test_only_what_is_missing_is_added(tmp_path: Path) -> None:
    """Hours of decisions may be in one of these files: rows that stand stay byte for byte, new keys follow them."""
    mine = "country;vat_percent;valid_from;valid_before;tax_codes;# note\nGB;17,5;;;UK-17.5%;Höhe"
    (tmp_path / "taxes.csv").write_bytes(mine.encode("cp1252"))
    (tmp_path / "migration.toml").write_text('[source]\nstore = "mine"\n')
    (tmp_path / "products.csv").write_text("key_type,key,product\n# sku,CUP-1,\n")
    files = scaffold_files(FACTS, store="shop", timezone="Europe/London")
    written = {one.path.name: one for one in write_folder(tmp_path, files)}
    taxes = (tmp_path / "taxes.csv").read_bytes()
    assert taxes.startswith(mine.encode("cp1252") + b"\n")
    assert taxes.count(b"GB;17") == 1
    assert b"\nGB;20;;;;" in taxes
    settings = tomllib.loads((tmp_path / "migration.toml").read_text())
    assert settings["source"] == {
        "store": "mine",
        "timezone": "Europe/London",
        "prices_include_tax": True,
        "default_currency": "GBP",
    }
    assert (tmp_path / "products.csv").read_text().count("CUP-1") == 1
    assert written["products.csv"].added == 3
    assert written["accounts.csv"].is_new
    again = write_folder(tmp_path, files)
    assert not any(one.is_new or one.added for one in again), "a second time there is nothing to add"


def test_an_undecided_row_does_not_beat_one_that_decides(tmp_path: Path) -> None:
    """`*, *` answers for every country: a new empty row for GB would block what is decided."""
    rows = "country,vat_percent,valid_from,valid_before,tax_codes\n*,*,,,UK-20%\n"
    (tmp_path / "taxes.csv").write_text(rows)
    write_folder(tmp_path, scaffold_files(FACTS, store="shop", timezone="Europe/London"))
    assert not [line for line in (tmp_path / "taxes.csv").read_text().splitlines() if line.startswith("GB")]


def test_a_file_with_a_fault_is_left_alone(tmp_path: Path) -> None:
    """What can't be understood can't be added to; the fault is told and the rest is written."""
    (tmp_path / "taxes.csv").write_text("mine")
    written = {one.path.name: one for one in write_folder(tmp_path, scaffold_files(FACTS, store="s", timezone="UTC"))}
    assert (tmp_path / "taxes.csv").read_text() == "mine"
    assert "fault" in written["taxes.csv"].note
    assert written["migration.toml"].is_new
    with pytest.raises(UsageError):
        write_folder(tmp_path / "taxes.csv", {"taxes.csv": ""})


def test_the_rows_that_matter_stand_first() -> None:
    """Somebody who has an hour does the ten products with most revenue."""
    text = scaffold_files(FACTS, store="shop", timezone="UTC")["products.csv"]
    keys = [line.split(",")[1] for line in text.splitlines() if line.startswith("# sku,")]
    assert keys == ["85123A", "CUP-1", "'=cmd|calc"]
    assert "EUR -7.10, GBP 1,200.00" in text


def test_addresses_are_for_the_owner_only(tmp_path: Path) -> None:
    """accounts.csv lists real people's e-mail addresses."""
    written = write_folder(tmp_path, scaffold_files(FACTS, store="shop", timezone="Europe/London"))
    assert {one.path.name for one in written} == {"migration.toml", *TABLES}
    assert (tmp_path / "accounts.csv").stat().st_mode & 0o077 == 0


def told(name: str, facts: DumpFacts, first: str) -> list[dict[str, str]]:
    """The rows of a generated table below its header."""
    rows = list(csv.reader(io.StringIO(scaffold_files(facts, store="s", timezone="UTC")[name])))
    at = next(index for index, row in enumerate(rows) if row[0] == first)
    return [dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]]


def test_tax_rows_come_by_revenue_with_lines_days_and_money() -> None:
    """Refunds weigh as much as sales: a wrong code is as wrong on them."""
    facts = DumpFacts(
        countries_rates=[
            RateFact("AT", Decimal(20), date(2010, 12, 1), date(2010, 12, 2), 1, {"EUR": Decimal(5)}),
            RateFact("DE", Decimal(19), date(2010, 12, 1), date(2010, 12, 9), 3, {"EUR": Decimal("-900.5")}),
            RateFact("GB", Decimal("17.5"), date(2010, 12, 1), date(2010, 12, 31), 2000, {"GBP": Decimal("1234.5")}),
            RateFact("GB", None, date(2010, 12, 1), date(2010, 12, 31), 7, {"GBP": Decimal(1000)}),
        ]
    )
    rows = told("taxes.csv", facts, "country")
    assert [(row["country"], row["vat_percent"], row["# revenue"]) for row in rows] == [
        ("GB", "17.5", "GBP 1,234.50"),
        ("# GB", "*", "GBP 1,000.00"),
        ("DE", "19", "EUR -900.50"),
        ("AT", "20", "EUR 5.00"),
    ]
    assert rows[0]["# found in the export"] == "2000 lines from 2010-12-01 to 2010-12-31"
    assert {row["tax_codes"] for row in rows} == {""}


def test_account_rows_come_by_revenue_within_their_kind() -> None:
    """Kinds stay in the order in which they are tried; the customers with most money come first."""
    facts = DumpFacts(
        emails={
            "b@example.com": Found("Bo", 9, {"GBP": Decimal(10)}),
            "a@example.com": Found("Al", 1, {"GBP": Decimal(99)}),
        },
        customer_ids={"7": Found("", 1, {"GBP": Decimal(5000)})},
        markets={"Europe": Found("", 1234, {"EUR": Decimal(1), "GBP": Decimal(2)})},
    )
    rows = told("accounts.csv", facts, "key_type")
    assert [tuple(row.values()) for row in rows] == [
        ("# email", "a@example.com", "", "Al", "1", "GBP 99.00"),
        ("# email", "b@example.com", "", "Bo", "9", "GBP 10.00"),
        ("# customerId", "7", "", "", "1", "GBP 5,000.00"),
        ("# market", "Europe", "", "", "1,234", "EUR 1.00, GBP 2.00"),
    ]
    assert [*rows[0]][3:] == ["# name", "# orders", "# revenue"]
