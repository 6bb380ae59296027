"""The mapping folder as a person may leave it: read, or refused with everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl.errors import ExitCode, MappingError
from etl.mapping.fields import FIELDS
from etl.mapping.folder import read_mapping
from etl.model.mapping import Mapping as MappingFolder
from etl.model.rules import RateKind
from etl.reading.names import GET_ORDERS, KINDS
from etl.staging.fields import Names

SETTINGS = """
[source]
store = "shop"
timezone = "Europe/London"
prices_include_tax = true

[target]
service = "eid:WEB-SHOP"
"""
TAXES = "country,vat_percent,valid_from,valid_before,tax_codes\n*,20,,,UK-20%\n"
ID = "5e000000-0000-4000-a000-00000000000"


def write(folder: Path, **files: str | bytes) -> Path:
    """A mapping folder with sane settings and taxes; `files` by stem replace or add."""
    for name, text in {"migration": SETTINGS, "taxes": TAXES, **files}.items():
        path = folder / f"{name}.{'toml' if name == 'migration' else 'csv'}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def read(folder: Path, **files: str | bytes) -> MappingFolder:
    """The mapping of such a folder."""
    return read_mapping(write(folder, **files))


def fields(mapping: Mapping) -> dict[str, str]:
    """What columns.csv says, by header."""
    return {rule.header: rule.field for rule in mapping.columns}


def refused(folder: Path, **files: str | bytes) -> str:
    """The message with which such a folder is refused."""
    with pytest.raises(MappingError) as caught:
        read(folder, **files)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.message


def taxes(*rows: str) -> str:
    """taxes.csv with all columns."""
    header = "country,vat_percent,valid_from,valid_before,store_type,sku,tax_codes,accept_rate_difference"
    return "\n".join([header, *rows]) + "\n"


def test_the_worked_examples_are_read(shared: Path) -> None:
    """The contract's own folders must be readable as they are."""
    folders = sorted(path.parent for path in shared.glob("examples/*/mapping/migration.toml"))
    assert folders
    for folder in folders:
        mapping = read_mapping(folder)
        assert mapping.taxes
        assert mapping.notices == ()


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    """The first command a stranger runs has no mapping folder yet."""
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path / "nowhere")
    assert "init" in caught.value.hint
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path)
    assert "init" in caught.value.hint


def test_a_missing_file_is_named_among_the_other_faults(tmp_path: Path) -> None:
    """taxes.csv is required; its absence must not hide what is wrong with the settings."""
    (tmp_path / "migration.toml").write_text(SETTINGS.replace("London", "Londn"))
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path)
    assert "taxes.csv" in caught.value.message
    assert "Europe/London" in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "row", "expected"),
    [
        ("store =", "stor =", 3, "store"),
        ('"shop"', '"My Shop"', 3, "My Shop"),
        ("Europe/London", "Europe/Londn", 4, "Europe/London"),
        ("Europe/London", "Europe", 4, "Europe"),
        ("Europe/London", "../etc", 4, "../etc"),
        ("[target]", "[traget]", 7, "target"),
        ('"eid:WEB-SHOP"', '"EID:WEB-SHOP"', 8, "eid:WEB-SHOP"),
        ('"eid:WEB-SHOP"', '"eid:"', 8, "eid:"),
        ('"eid:WEB-SHOP"', '"WEB-SHOP"', 8, "WEB-SHOP"),
        ("[target]", "import_statuses = ['Complete']\n[target]", 7, "Completed"),
        ("[target]", "import_statuses = 'Completed'\n[target]", 7, "list"),
        ("= true", "= 'true'", 5, "without quotation marks"),
        ("= true", "= 1", 5, "b2c"),
        ("= true", '= ""', 5, "prices_include_tax is missing"),
        ("prices_include_tax = true", "", 2, "prices_include_tax is missing"),
        ("[target]", "default_country = 'UK'\n[target]", 7, "GB"),
        ("[target]", "default_country = 'Germany'\n[target]", 7, "DE"),
        ("[target]", "default_currency = 'GPB'\n[target]", 7, "GBP"),
        ("[target]", "total_tolerance = nan\n[target]", 7, "number"),
        ("[target]", "total_tolerance = '-0.01'\n[target]", 7, "-0.01"),
        ("[target]", "concurrency = 4\n[target]", 7, "[mews]"),
        ("[target]", "[target]\nnotes = 'Order {ordernumber}'", 8, "orderNumber"),
        ("[target]", "[target]\nnotes = 'Order {orderNumber'", 8, "brace"),
        ("[target]", "[target]\nrebates = 'alow'", 8, "allow"),
        ("[target]", "[products]\nitem_name = '{brnad}'\n[target]", 8, "brand"),
        ("[target]", "[vouchers]\nname = '{vouchercode}'\n[target]", 8, "voucherCode"),
        ("[target]", "[shipping]\ntax = 'Proportional'\n[target]", 8, "proportional"),
        ("[target]", "[payments]\npost = true\n[target]", 8, "type"),
        ("[target]", "[payments]\ntype = 'Creditcard'\n[target]", 8, "CreditCard"),
        ("[target]", "[payments]\npost = 'yes'\n[target]", 8, "true or false"),
        ("[target]", "[accounts]\nfallback = '5e00'\n[target]", 8, "5e00"),
        ("[target]", "[mews]\nrate_limit = '0/30s'\n[target]", 8, "above 0"),
        ("[target]", "[mews]\nrate_limit = '200/0s'\n[target]", 8, "above 0"),
        ("[target]", "[mews]\nrate_limit = '200 per 30s'\n[target]", 8, "200/30s"),
        ("[target]", "[mews]\nconcurrency = 0\n[target]", 8, "1"),
        ("[target]", "[mews]\ntimeout_seconds = 0\n[target]", 8, "0"),
        ('"shop"', "“shop”", 3, "straight"),
        ('"shop"', "shop", 3, "quotation"),
    ],
)
def test_a_fault_of_the_settings_names_row_and_remedy(
    tmp_path: Path, old: str, new: str, row: int, expected: str
) -> None:
    """A wrong key or value must be found by line, with the nearest right one."""
    assert old in SETTINGS
    message = refused(tmp_path, migration=SETTINGS.replace(old, new, 1))
    line = next(line for line in message.splitlines() if f"migration.toml, row {row}" in line)
    assert expected in line


def test_required_keys_are_asked_for_together(tmp_path: Path) -> None:
    """An empty settings file must not be corrected in four rounds."""
    message = refused(tmp_path, migration='[source]\nstore = ""\n')
    for key in ("store", "timezone", "service"):
        assert f"The key {key} is missing" in message


def test_an_empty_text_is_a_key_left_out(tmp_path: Path) -> None:
    """`init` writes empty keys; they must mean the default."""
    mapping = read(tmp_path, migration=SETTINGS + 'notes = ""\n[accounts]\nfallback = ""\n[mews]\nrate_limit = " "\n')
    assert mapping.settings.target.notes == "Centra order {orderNumber}"
    assert mapping.settings.accounts.fallback == ""
    assert mapping.settings.mews.rate_limit == "200/30s"


def test_numbers_and_lists_of_toml_become_the_models_values(tmp_path: Path) -> None:
    """TOML has integers, floats, text and lists where the tool has Decimals and tuples; no float may appear."""
    settings = SETTINGS.replace("= true", "= 'b2c'").replace(
        "[target]", "total_tolerance = 0.05\nimport_statuses = ['Archived']\n[target]"
    )
    mapping = read(
        tmp_path, migration=settings + '[mews]\nsettle_seconds = "2,5"\ntimeout_seconds = 7\nrate_limit = "5/0.5s"\n'
    )
    assert mapping.settings.source.total_tolerance == Decimal("0.05")
    assert mapping.settings.source.import_statuses == ("Archived",)
    assert mapping.settings.source.prices_include_tax == "b2c"
    assert mapping.settings.mews.settle_seconds == Decimal("2.5")
    assert mapping.settings.mews.timeout_seconds == 7
    assert mapping.settings.mews.limit == (5, Decimal("0.5"))


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ("UK,20,,,,,X,", "country", "GB"),
        ("Germany,19,,,,,X,", "country", "DE"),
        (",20,,,,,X,", "country", "empty"),
        ("*,,,,,,X,", "vat_percent", "empty"),
        ("*,twenty,,,,,X,", "vat_percent", "twenty"),
        ("*,Shipping,,,,,X,", "vat_percent", "shipping"),
        ("*,-5,,,,,X,", "vat_percent", "-5"),
        ("*,2000,,,,,X,", "vat_percent", "2000"),
        ("*,٢٠,,,,,X,", "vat_percent", "number"),
        ("*,20,2011-02-29,,,,X,", "valid_from", "calendar"),
        ("*,20,2011,,,,X,", "valid_from", "2011"),
        ("*,20,01/02/2011,,,,X,", "valid_from", "2011-01-04"),
        ("*,20,2011-01-04,2011-01-04,,,X,", "valid_before", "never"),
        ("*,20,,,B2B,,X,", "store_type", "b2b"),
        ("*,20,,,,,Exempt,", "tax_codes", "exempt"),
        ("*,20,,,,,A exempt,", "tax_codes", "exempt"),
        ("*,20,,,,,A A,", "tax_codes", "twice"),
        ("*,20,,,,,X,no", "accept_rate_difference", "yes"),
        ("*,shipping,,,,CUP-*,X,", "sku", "SKU"),
    ],
)
def test_a_fault_of_taxes_names_row_column_and_remedy(tmp_path: Path, row: str, column: str, expected: str) -> None:
    """Wrong tax rows decide on other people's VAT; none may pass, and each must be easy to find."""
    message = refused(tmp_path, taxes=taxes("*,5,,,,,UK-5%,", row))
    line = next(line for line in message.splitlines() if f"taxes.csv, row 3, column {column}:" in line)
    assert expected in line


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """A person must not correct one fault a run; the files keep their order."""
    message = refused(
        tmp_path,
        migration=SETTINGS.replace("London", "Londn"),
        taxes=taxes("UK,20,,,,,X,", "*,x,,,,,X,"),
        products="key_type,key,product\nSKU,A,eid:A\n",
        waivers="order_number,problem_code,reason,by,date\n1,tax.unmapped,r,b,2026-01-01\n",
    )
    files = [line.strip().split(",")[0] for line in message.splitlines()[1:]]
    assert files == ["migration.toml", "taxes.csv", "taxes.csv", "products.csv", "waivers.csv"]


def test_tax_rows_become_rules(tmp_path: Path) -> None:
    """Each cell of a row has one meaning: exempt is no code, empty is undecided, 17,5 is 17.5."""
    mapping = read(
        tmp_path,
        taxes=taxes(
            'gb,"17,5",,2011-01-04,b2b,TYRE-*,A B,yes', "*,*,,,,,exempt,", "*,shipping,,,,,,", "DE,19 %,,,,,C,"
        ),
    )
    first, second, third, fourth = mapping.taxes
    assert (first.country, first.percent, first.valid_before) == ("GB", Decimal("17.5"), date(2011, 1, 4))
    assert (first.store_type, first.sku, first.tax_codes) == ("b2b", "TYRE-*", ("A", "B"))
    assert first.accept_rate_difference
    assert first.place.row == 2
    assert (second.rate, second.percent, second.tax_codes) == (RateKind.ANY, None, ())
    assert (third.rate, third.tax_codes) == (RateKind.SHIPPING, None)
    assert fourth.percent == 19


def test_slashed_dates_follow_the_file(tmp_path: Path) -> None:
    """Excel rewrites ISO dates as 04/01/2011; only a day above 12 tells which is the month."""
    british = read(tmp_path, taxes=taxes("*,20,04/01/2011,31/12/2026,,,X,"))
    assert british.taxes[0].valid_from == date(2011, 1, 4)
    american = read(tmp_path, taxes=taxes("*,20,04/01/2011,12/31/2026,,,X,"))
    assert american.taxes[0].valid_from == date(2011, 4, 1)
    assert "column valid_from" in refused(tmp_path, taxes=taxes("*,20,13/01/2011,12/31/2026,,,X,"))


@pytest.mark.parametrize(
    ("rows", "clash"),
    [
        (("*,20,,,,,A,", "*,20.0,,,,,B,"), True),
        (("*,20,,,,,A,", "*,20,,,,,,"), True),
        (("*,20,,,,,A,", "*,20,,,,,A,yes"), True),
        (("*,20,,,,,A B,", '*,"20,00",,,,,B A,'), False),
        (("*,20,,2011-01-04,,,A,", "*,20,2011-01-04,,,,B,"), False),
        (("*,20,,2012-01-01,,,A,", "*,20,2011-01-04,,,,B,"), True),
        (("*,20,2010-01-01,2010-02-01,,,A,", "*,20,2010-01-15,2010-02-15,,,B,"), True),
        (("*,20,2010-01-01,2010-02-01,,,A,", "*,20,2010-01-15,2010-01-20,,,B,"), False),
        (("*,20,2010-01-01,,,,A,", "*,20,2011-01-01,,,,B,"), False),
        (("*,20,,,,,A,", "*,20,2011-01-01,,,,B,"), False),
        (("GB,20,,,,,A,", "*,20,,,,,B,"), False),
        (("GB,20,,,,,A,", "GB,*,,,,,B,"), False),
        (("GB,20,,,b2b,,A,", "GB,20,,,,CUP-*,B,"), True),
        (("GB,20,,,b2b,,A,", "GB,20,,,b2c,,B,"), False),
        (("GB,20,,,b2b,CUP-*,A,", "GB,20,,,,CUP-*,B,"), False),
        (("GB,20,,,,CUP-*,A,", "GB,20,,,,*-RED,B,"), True),
        (("GB,20,,,,CUP-*,A,", "GB,20,,,,TEA-*,B,"), False),
        (("GB,20,,,,CUP-*,A,", "GB,20,,,,CUP-1,B,"), False),
    ],
)
def test_equal_answers_that_differ_are_refused(tmp_path: Path, rows: tuple[str, ...], clash: bool) -> None:
    """Two rows that fit one order equally well and differ would tax it by accident of file order."""
    if clash:
        message = refused(tmp_path, taxes=taxes(*rows))
        assert "Rows 2 and 3" in message
    else:
        assert len(read(tmp_path, taxes=taxes(*rows)).taxes) == 2


def test_gaps_and_harmless_overlaps_are_listed(tmp_path: Path) -> None:
    """A forgotten month shows up as a notice, not as a surprise of the run."""
    mapping = read(
        tmp_path, taxes=taxes("*,20,,2011-01-01,,,A,", "*,20,2011-02-01,,,,B,", "*,20,2012-01-01,2012-02-01,,,C,")
    )
    gap, overlap = sorted(mapping.notices, key=lambda text: "overlaps" in text)
    assert "2011-01-01" in gap
    assert "2011-02-01" in gap
    assert "row 4" in overlap
    assert "row 3" in overlap


def targets(table: Mapping[Any, Any]) -> dict[Any, str | None]:
    """What the rules of a table name, by key."""
    return {key: rule.target for key, rule in table.items()}


def test_keys_met_twice(tmp_path: Path) -> None:
    """A repeated key with one answer is harmless, with two it is nobody's guess."""
    mapping = read(tmp_path, products="key_type,key,product\nsku,A,eid:X\nsku,A,eid:X\nsku,a,eid:Y\nean,A,\n")
    assert targets(mapping.products) == {("sku", "A"): "eid:X", ("sku", "a"): "eid:Y", ("ean", "A"): None}
    assert len(mapping.notices) == 1
    message = refused(tmp_path, products="key_type,key,product\nsku,A,eid:X\n\nsku,A,\n")
    assert "row 4" in message
    assert "row 2" in message


def test_keys_that_a_spreadsheet_changed_still_meet_the_export(tmp_path: Path) -> None:
    """Staging takes an apostrophe and `.0` off SKUs; keys that kept them would never match, in silence."""
    mapping = read(tmp_path, products="key_type,key,product\nsku,71053.0,eid:A\nean,'0200,eid:B\nitem,7.0,eid:C\n")
    assert set(mapping.products) == {("sku", "71053"), ("ean", "0200"), ("item", "7.0")}
    assert len(mapping.notices) == 2
    assert "text" in refused(tmp_path, products="key_type,key,product\nean,5.01E+12,eid:B\n")


def test_ids_are_lower_case_and_checked(tmp_path: Path) -> None:
    """Mews writes ids in small letters; a truncated one must be found before anything is sent."""
    mapping = read(
        tmp_path, accounts=f"key_type,key,account\nemail,a@example.com,{ID.upper()}1\naccountId,7,eid:Trade 1\n"
    )
    assert targets(mapping.accounts) == {("email", "a@example.com"): f"{ID}1", ("accountId", "7"): "eid:Trade 1"}
    assert "row 2, column account" in refused(tmp_path, accounts=f"key_type,key,account\nemail,a,{ID}\n")
    assert "column accounting_category" in refused(
        tmp_path, categories="key_type,key,accounting_category\nsku,A,eid:X\n"
    )


def test_patterns_that_meet_and_differ_are_refused(tmp_path: Path) -> None:
    """Which of two equally long patterns wins must not depend on their order."""
    head = "key_type,key,accounting_category\n"
    assert "row 3" in refused(tmp_path, categories=f"{head}sku,CUP-*,{ID}1\nsku,*-RED,{ID}2\n")
    write(tmp_path, categories=f"{head}sku,CUP-*,{ID}1\nbrand,*-RED,{ID}2\nsku,CUP-1*,{ID}3\nsku,CUP-1,{ID}4\n")
    assert len(read_mapping(tmp_path).categories) == 4
    assert "row 3" in refused(tmp_path, categories=head, vouchers="code,policy\nGC-*,payment\n*-77,rebate\n")


def test_vouchers_payments_and_segments(tmp_path: Path) -> None:
    """Closed lists are checked with the nearest name; an empty target stays undecided."""
    mapping = read(
        tmp_path,
        vouchers=f"code,policy,accounting_category\nGC-*,payment,{ID}1\nOLD,,\n",
        payments="method,type\ncard,CreditCard\nother,\n",
        segments=f"market,business_segment\nEurope,{ID}2\nAsia,\n",
    )
    assert [(rule.code, rule.policy, rule.accounting_category) for rule in mapping.vouchers] == [
        ("GC-*", "payment", f"{ID}1"),
        ("OLD", None, ""),
    ]
    assert [(rule.method, rule.type) for rule in mapping.payments] == [("card", "CreditCard"), ("other", None)]
    assert targets(mapping.segments) == {"Europe": f"{ID}2", "Asia": None}
    assert "rebate" in refused(tmp_path, vouchers="code,policy\nA,rebat\n")
    assert "CreditCard" in refused(tmp_path, vouchers="code,policy\nA,\n", payments="method,type\ncard,Creditcard\n")


def test_columns_name_known_fields(tmp_path: Path) -> None:
    """A renamed column must land in a field that exists."""
    assert fields(read(tmp_path, columns="header,field\nItem code,products.sku\n")) == {"Item code": "products.sku"}
    assert "products.sku" in refused(tmp_path, columns="header,field\nItem code,products.SKU\n")
    assert fields(read(tmp_path, columns="header,field\nPrice,products.price\n")) == {"Price": "products.unitPrice"}
    assert fields(read(tmp_path, columns="header,field\nitems,products\nNote,-\n")) == {
        "items": "products",
        "Note": "-",
    }


def test_an_open_row_decides_nothing_and_is_told(tmp_path: Path) -> None:
    """What `init` could not settle stands empty: neither a fault nor a decision."""
    mapping = read(tmp_path, columns="header,field\nPrice,\n", values="field,value,means\nstatus,paid,\n")
    assert (mapping.columns, mapping.values) == ((), ())
    assert [notice.partition(":")[0] for notice in mapping.notices] == ["columns.csv", "values.csv"]
    assert "row 2" in mapping.notices[0]


def test_values_are_read_with_how_sure_they_are(tmp_path: Path) -> None:
    """A row without `sure` is a person's; a likely one is listed, since a run must not rest on it."""
    text = "field,value,means,sure\nstatus,paid,Completed,\ndeliveryAddress.country,Suisse,CH,likely\norderStore,shop,b2c,proved\n"
    mapping = read(tmp_path, values=text, columns="header,field,sure\nNr,orderNumber,likely\n")
    assert [(rule.field, rule.value, rule.means, rule.sure.value) for rule in mapping.values] == [
        ("status", "paid", "Completed", "yes"),
        ("deliveryAddress.country", "Suisse", "CH", "likely"),
        ("storeType", "shop", "b2c", "proved"),
    ]
    assert [str(rule.place) for rule in mapping.likely] == ["columns.csv, row 2", "values.csv, row 3"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("status,paid,Complete,", "Did you mean Completed?"),
        ("deliveryAddress.country,Suisse,Schweiz,", "column means"),
        ("payment.capture.status,ok,paid,", "no payment status"),
        ("statuss,paid,Completed,", "Did you mean status?"),
        ("orderNumber,x,1,", "column field"),
        ("status,paid,Completed,maybe", "column sure"),
        ("status,paid,Completed,\nstatus,paid,Archived,", "another answer"),
    ],
)
def test_values_mean_what_the_field_can_hold(tmp_path: Path, row: str, words: str) -> None:
    """A meaning that the field can't have would block every order with that word, far from its cause."""
    assert words in refused(tmp_path, values=f"field,value,means,sure\n{row}\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('order_number = "#"', "{number} once"),
        ('order_number = "{number}-{number}"', "{number} once"),
        ('encoding = "maccroman"', "Did you mean mac_roman?"),
        ('encoding = "base64"', "no text encoding"),
        ('date_format = "DD.MM"', "day, month and year"),
        ('date_format = "DD.DD.YYYY"', "twice"),
        ('empty_words = "NULL"', "write a list"),
        ('continuation_rows = "yes"', "true or false"),
    ],
)
def test_settings_of_reading_are_checked(tmp_path: Path, line: str, words: str) -> None:
    """What decides how every cell is read must not be a slip that reads nothing."""
    assert words in refused(tmp_path, migration=SETTINGS.replace("[source]", f"[source]\n{line}"))


def test_what_preflight_wrote_is_no_table(tmp_path: Path) -> None:
    """mews/ holds the catalogue of the account, not decisions."""
    (tmp_path / "mews").mkdir()
    (tmp_path / "mews" / "products.csv").write_text("id,name\n1,Mug\n")
    mapping = read(tmp_path)
    assert (mapping.products, mapping.notices) == ({}, ())


@pytest.mark.parametrize("code", ["#10OFF", "#"])
def test_only_a_sign_alone_or_with_a_blank_begins_a_comment(tmp_path: Path, code: str) -> None:
    """A voucher may be called #10OFF; that row is a decision."""
    mapping = read(tmp_path, vouchers=f"code,policy\n{code},payment\n# note,rebate\n")
    assert [rule.code for rule in mapping.vouchers] == ([code] if code != "#" else [])


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "mac_roman", "utf-8-sig"])
def test_tables_are_read_in_the_encodings_of_exports(tmp_path: Path, encoding: str) -> None:
    """What Excel saved on a Mac must not become another key."""
    text = "code,policy\nSchälchen Größe Müller,payment\n"
    mapping = read(tmp_path, vouchers=text.encode(encoding))
    assert [rule.code for rule in mapping.vouchers] == ["Schälchen Größe Müller"]


def test_a_broken_character_of_a_table_names_its_row(tmp_path: Path) -> None:
    """One byte in a key would let every order miss it."""
    data = "code,policy\nSchälchen,payment\nGröße,payment\n".encode().replace("ö".encode(), b"\xc3")
    assert "vouchers.csv, row 3, column code" in refused(tmp_path, vouchers=data)


def test_fields_are_those_that_staging_reads() -> None:
    """A name that passes here and is unknown there would stop the run, or empty the notes."""
    assert set(FIELDS) == set(KINDS)
    for name, field in GET_ORDERS.items():
        assert Names({"x": name}).renames == {"x": field}


def test_order_numbers_are_normalised(tmp_path: Path) -> None:
    """Excel's 0048001.0 and the export's 48001 are one order; a nested return keeps its tail."""
    mapping = read(
        tmp_path,
        bills=f"order_number,bill\n0048001.0,{ID}1\n 48002 ,\n10038-R7,{ID}2\n",
        reservations=f"order_number,reservation\n7,{ID}3\n",
    )
    assert targets(mapping.bills) == {"48001": f"{ID}1", "48002": None, "10038-R7": f"{ID}2"}
    assert targets(mapping.reservations) == {"7": f"{ID}3"}
    assert "row 3" in refused(tmp_path, bills=f"order_number,bill\n7,{ID}1\n007,{ID}2\n")
    for bad in ("C48001", "4.8E+04", "48 001", "٤٨", "-5"):
        assert "column order_number" in refused(tmp_path, bills=f"order_number,bill\n{bad},{ID}1\n")


def test_order_numbers_may_be_written_as_the_shop_does(tmp_path: Path) -> None:
    """`source.order_number` holds in every table: a person copies the number from the shop, or from our report."""
    mapping = read(
        tmp_path,
        migration=SETTINGS.replace("[source]\n", '[source]\norder_number = "EU-{number}"\n'),
        bills=f"order_number,bill\nEU-48001,{ID}1\n48002,{ID}2\nEU-10038-R7,{ID}3\n",
        waivers="order_number,problem_code,reason,by,date\nEU-0007,order.empty,r,b,2026-01-01\n",
    )
    assert targets(mapping.bills) == {"48001": f"{ID}1", "48002": f"{ID}2", "10038-R7": f"{ID}3"}
    assert [waiver.order_number for waiver in mapping.waivers] == ["7"]


def test_waivers_are_complete_and_waivable(tmp_path: Path) -> None:
    """A waiver overrides a check over money: it needs a name, a reason, a day, and a problem that Mews would take."""
    head = "order_number,problem_code,reason,by,date\n"
    (waiver,) = read(tmp_path, waivers=f"{head}0010,total.mismatch,one penny,Maria,20.11.2026\n").waivers
    assert (waiver.order_number, waiver.problem_code, waiver.date) == ("10", "total.mismatch", "2026-11-20")
    assert "can't be waived" in refused(tmp_path, waivers=f"{head}10,window.outside,r,b,2026-11-20\n")
    assert "total.mismatch" in refused(tmp_path, waivers=f"{head}10,total.mismach,r,b,2026-11-20\n")
    for column, row in (
        ("order_number", ",total.mismatch,r,b,2026-11-20"),
        ("reason", "10,total.mismatch,,b,2026-11-20"),
        ("by", "10,total.mismatch,r,,2026-11-20"),
        ("date", "10,total.mismatch,r,b,"),
    ):
        assert f"row 2, column {column}:" in refused(tmp_path, waivers=f"{head}{row}\n")


def test_controls_are_read_in_the_files_own_number_style(tmp_path: Path) -> None:
    """A control total read a thousand times too large would hide a missing month."""
    head = "month;currency;orders;total;tax\n"
    (german,) = read(tmp_path, controls=f"{head}2026-06;gbp;1.052;1.234,50;\n").controls
    assert (german.currency, german.orders, german.total, german.tax) == ("GBP", 1052, Decimal("1234.50"), None)
    assert "1.234" in refused(tmp_path, controls=f"{head}2026-06;GBP;52;1.234;\n")
    assert "column total" in refused(tmp_path, controls=f"{head}2026-06;GBP;52;5,5;\n2026-07;GBP;52;6.25;\n")
    assert "column month" in refused(tmp_path, controls=f"{head}Jun-26;GBP;52;1;\n")


def test_misnamed_files_are_not_left_out_in_silence(tmp_path: Path) -> None:
    """A table under a wrong name would take its decisions with it unseen."""
    assert "products.csv" in refused(tmp_path, product="key_type,key,product\n")
    (tmp_path / "product.csv").unlink()
    (tmp_path / "accounts.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(MappingError, match=r"accounts\.csv"):
        read_mapping(tmp_path)
    (tmp_path / "accounts.xlsx").rename(tmp_path / "taxes.xlsx")
    (tmp_path / "README.md").write_text("ours")
    assert any("taxes.xlsx" in text for text in read_mapping(tmp_path).notices)


def test_the_digest_is_of_the_decisions(tmp_path: Path) -> None:
    """Comments, order, number style, dialect and [mews] are no decisions; a changed cell is one."""
    one, two, three = (tmp_path / name for name in "abc")
    for folder in (one, two, three):
        folder.mkdir()
    first = read(
        one, taxes=taxes("*,20,,2011-01-04,,,A,", "*,17.5,,,,,,"), products="key_type,key,product\nsku,A,eid:A\n"
    )
    second = read(
        two,
        migration="# ours\n" + SETTINGS + 'rebates = "block"\n[mews]\nconcurrency = 2\n',
        taxes="# a;b\nvat_percent;country;valid_from;valid_before;tax_codes\n17,50;*;;;\n20,0;*;;04.01.2011;A\n".encode(
            "utf-16"
        ),
        products="key_type\tkey\tproduct\n# x\nsku\tA\teid:A\nsku\tA\teid:A\n",
    )
    third = read(three, taxes=taxes("*,20,,2011-01-04,,,A,", "*,17.5,,,,,exempt,"))
    assert first.digest == second.digest
    assert third.digest != first.digest
    assert first.digest.startswith("sha256:")


def test_settings_nested_without_end_are_one_fault(tmp_path: Path) -> None:
    """Twenty thousand brackets ended as an internal error."""
    (tmp_path / "migration.toml").write_text(f"[source]\nstore = {'[' * 20_000}{']' * 20_000}\n", encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        read_mapping(tmp_path)
    assert "thousands of times" in caught.value.message
