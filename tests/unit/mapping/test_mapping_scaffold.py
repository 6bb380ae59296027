"""The folder that `init` writes is one that the tool reads."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from etl.errors import MappingError, UsageError
from etl.mapping.folder import read_mapping
from etl.mapping.scaffold import DumpFacts, RateFact, scaffold_files, write_scaffold
from etl.model.mapping import TABLES, Settings

FACTS = DumpFacts(
    skus={"CUP-1": "Stoneware cup, blue", "=cmd|calc": "Odd, but a key", "85123A": 'The "heart"\nholder'},
    eans={"0200000000015": "Stoneware cup"},
    countries_rates=[
        RateFact("GB", Decimal("17.5"), date(2010, 12, 1), date(2011, 1, 3), 12),
        RateFact("GB", Decimal("20.0"), date(2011, 1, 4), date(2011, 6, 30), 34),
        RateFact("GB", Decimal(20), date(2012, 1, 1), date(2012, 6, 30), 5),
        RateFact("DE", None, date(2011, 1, 4), date(2011, 6, 30), 2),
        RateFact("", Decimal(20), None, None, 1),
    ],
    emails={"ann@example.com": "3 orders", "+jo@example.com": ""},
    account_ids={"501": "Trader & Söhne"},
    markets=["Europe", "United Kingdom"],
    currencies=["GBP"],
    voucher_codes=["#10OFF", "SUMMER"],
    payment_methods=["card"],
    brands=["Kiln, London"],
    store_types=["b2b", "b2c"],
    statuses=["Completed", "Cancelled"],
    unknown_columns=["Item code"],
)


def test_the_scaffold_is_read_once_the_service_is_named(tmp_path: Path) -> None:
    """A person fills in one required value and can dry-run: the rest is undecided or left out, never wrong."""
    files = scaffold_files(FACTS, store="shop", timezone="Europe/London")
    write_scaffold(tmp_path / "mappings", files)
    settings = tmp_path / "mappings" / "migration.toml"
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path / "mappings")
    assert [line for line in caught.value.message.splitlines() if "row" in line] == [
        caught.value.message.splitlines()[1]
    ]
    assert "service" in caught.value.message
    settings.write_text(settings.read_text().replace('service = ""', 'service = "eid:WEB-SHOP"'))
    mapping = read_mapping(tmp_path / "mappings")
    assert [(rule.country, rule.percent, rule.tax_codes) for rule in mapping.taxes] == [
        ("GB", Decimal("17.5"), None),
        ("GB", Decimal(20), None),
    ]
    assert mapping.products == {}
    assert mapping.accounts == {}
    assert mapping.notices == ()
    assert mapping.settings.source.default_currency == "GBP"
    assert mapping.settings.source.prices_include_tax == "b2c"


def test_everything_found_stands_in_the_scaffold(tmp_path: Path) -> None:
    """With the # deleted, each row is a row of its table: keys come back exactly as the export has them."""
    files = scaffold_files(FACTS, store="shop", timezone="Europe/London")
    decided = {
        name: _without_hash(text)
        for name, text in files.items()
        if name in ("products.csv", "accounts.csv", "segments.csv")
    }
    write_scaffold(tmp_path, {**files, **decided})
    settings = tmp_path / "migration.toml"
    settings.write_text(settings.read_text().replace('service = ""', 'service = "eid:X"'))
    mapping = read_mapping(tmp_path)
    assert set(mapping.products) == {*(("sku", key) for key in FACTS.skus), ("ean", "0200000000015")}
    assert {("email", "+jo@example.com"), ("accountId", "501"), ("market", "Europe")} <= set(mapping.accounts)
    assert set(mapping.segments) == {"Europe", "United Kingdom"}
    assert set(mapping.products.values()) == {None}
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
            if not one.is_required():
                value = tuple(shown[section][key]) if isinstance(shown[section][key], list) else shown[section][key]
                assert value == one.default


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Hours of decisions may be in one of these files; not even its neighbours are touched then."""
    (tmp_path / "taxes.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"taxes\.csv"):
        write_scaffold(tmp_path, scaffold_files(FACTS, store="shop", timezone="Europe/London"))
    assert [path.name for path in tmp_path.iterdir()] == ["taxes.csv"]
    assert (tmp_path / "taxes.csv").read_text() == "mine"
    with pytest.raises(UsageError):
        write_scaffold(tmp_path / "taxes.csv", {"taxes.csv": ""})


def test_addresses_are_for_the_owner_only(tmp_path: Path) -> None:
    """accounts.csv lists real people's e-mail addresses."""
    paths = write_scaffold(tmp_path, scaffold_files(FACTS, store="shop", timezone="Europe/London"))
    assert {path.name for path in paths} == {"migration.toml", *TABLES}
    assert (tmp_path / "accounts.csv").stat().st_mode & 0o077 == 0
