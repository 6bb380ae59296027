"""The rules of proposing, one by one: what footing proves and what it never does, and which names mean one country."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import InputError, UsageError
from etl.mapping.partial import read_partial
from etl.model.mapping import Sure
from etl.pipeline.init import init
from etl.pipeline.prepare import Export
from etl.proposals.dump import Grid
from etl.proposals.footing import Basis
from etl.proposals.names import fields_named, is_heading, known_names, may_be_heading, spelled
from etl.proposals.number_patterns import composed_pattern, number_pattern, pattern_of
from etl.proposals.propose import ColumnProposal, Proposals, propose
from etl.proposals.sheet import Sheet
from etl.proposals.values import country_of, propose_values
from etl.reading.kinds import NESTED_FIELDS
from etl.reading.names import KINDS
from etl.settings import Settings

HEADER = ("Bestellnummer", "Menge", "Einzelpreis", "MwSt-Satz", "Versandkosten", "Gesamtbetrag")


def read(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> tuple[Proposals, Sheet]:
    """What is proposed for a table."""
    grid = Grid()
    grid.add_table(header, rows, 10_000)
    sheet = Sheet(grid.dump())
    return propose(sheet), sheet


def by_header(found: Proposals) -> dict[str, ColumnProposal]:
    """Proposals by the column's name."""
    return {one.header: one for one in found.columns}


def orders(count: int, *, wrong: int = 0, tax: bool = False) -> list[tuple[str, ...]]:
    """Orders of two lines, 2 x 3,50 and 1 x 4,25, with shipping of the number's last digit; the first ones foot not."""
    rows = []
    for number in range(count):
        goods = 1125 * 120 // 100 if tax else 1125
        shipping = number % 10 * 100
        total = goods + (shipping * 120 // 100 if tax else shipping) + (7 if number < wrong else 0)
        beside = (f"{shipping // 100},00", f"{total // 100},{total % 100:02}")
        rows += [(f"{9000 + number}", "2", "3,50", "20", *beside), (f"{9000 + number}", "1", "4,25", "20", *beside)]
    return rows


@pytest.mark.parametrize(
    ("count", "wrong", "sure"),
    [(20, 0, Sure.PROVED), (19, 0, Sure.LIKELY), (100, 1, Sure.PROVED), (100, 2, Sure.LIKELY), (40, 1, Sure.LIKELY)],
)
def test_proved_is_99_of_100_and_twenty_at_least(count: int, wrong: int, sure: Sure) -> None:
    """One order fewer, and a person has to say yes."""
    found = by_header(read(HEADER, orders(count, wrong=wrong))[0])
    assert {
        name: found[name].sure for name in ("Menge", "Einzelpreis", "Versandkosten", "Gesamtbetrag")
    } == dict.fromkeys(("Menge", "Einzelpreis", "Versandkosten", "Gesamtbetrag"), sure)
    assert found["Bestellnummer"].sure is Sure.LIKELY


def test_a_rival_that_foots_as_often_takes_the_proof_away() -> None:
    """Two columns of prices that are equal throughout: nobody can tell which of them is the price paid."""
    rows = [(*row, row[2]) for row in orders(30)]
    found = by_header(read((*HEADER, "Verkaufspreis"), rows)[0])
    assert found["Einzelpreis"].field == "products.unitPrice"
    assert found["Einzelpreis"].sure is Sure.LIKELY
    assert "Verkaufspreis" in found["Einzelpreis"].evidence
    assert found["Menge"].sure is Sure.PROVED


def test_tax_on_top_proves_the_rates() -> None:
    """Only with the rates do the lines come to the total: then the rates are as proved as the prices."""
    found, _ = read(HEADER, orders(30, tax=True))
    assert found.footing is not None
    assert found.footing.reading.basis is Basis.NET
    assert by_header(found)["MwSt-Satz"].sure is Sure.PROVED


def test_a_sum_of_the_lines_is_no_total() -> None:
    """A subtotal foots by itself, always, and would prove an order without its shipping."""
    rows = [(*row, "11,25") for row in orders(40, wrong=1)]
    found = by_header(read((*HEADER, "Zwischensumme"), rows)[0])
    assert found["Gesamtbetrag"].field == "orderTotal"
    assert found["Zwischensumme"].field != "orderTotal"


def test_names_that_nobody_knows_are_found_by_footing_and_left_open_where_two_fit() -> None:
    """In a language without a list, amounts are proved all the same; the order number is told by what repeats."""
    header = ("Tellimus", "Kogus", "Hind", "Maks", "Saatmine", "Kokku")
    found, _ = read(header, orders(40))
    assert found.has_number
    assert by_header(found)["Tellimus"].field == "orderNumber"
    assert by_header(found)["Tellimus"].evidence == "by content"
    assert found.footing is not None
    assert (found.footing.foots, found.footing.orders) == (40, 40)


def test_a_paid_amount_is_left_open() -> None:
    """Nothing tells whether it was captured, authorised or given back."""
    rows = [(*row, row[5]) for row in orders(30)]
    paid = by_header(read((*HEADER, "Bezahlter Betrag"), rows)[0])["Bezahlter Betrag"]
    assert (paid.field, paid.sure, paid.candidates) == ("", None, ("payment.capture.amount",))


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["#1001", "#1002"], "#{number}"),
        (["WEB-7/uk", "WEB-0012/uk"], "WEB-{number}/uk"),
        (["1001", "0012"], ""),
        (["#1001", "1002"], ""),
        (["A1001", "B1002"], ""),
        (["1001", "x"], ""),
        (["RE2010-1001", "RE2010-1002"], "RE2010-{number}"),
        (["RE2010-1001", "RE2011-1002"], ""),
        (["#1001", "Total"], "#{number}"),
        (["1001", "1009"], ""),
        (["{1}"], ""),
    ],
)
def test_a_pattern_is_what_all_numbers_share(cells: list[str], pattern: str) -> None:
    """One number without the prefix, and the pattern would make it unreadable."""
    assert number_pattern(cells) == pattern


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["ZAM/0001/08/2026", "ZAM/0002/09/2026"], "ZAM/{number:4}/{month}/{year}"),
        (["FV 12/2026", "FV 7/2025"], "FV {number}/{year}"),
        (["FV 12/2026", "FV 7/2026"], "FV {number}/{year}"),
        (["2026-000123", "2025-000123", "2025-000124"], "{year}-{number:6}"),
        (["SO-24-000017", "SO-25-000017", "SO-24-000018"], "SO-{group:2}-{number:6}"),
        (["RE2010-1001", "RE2011-1002"], "RE{year}-{number}"),
        (["A-3/17", "A-12/18", "A-12/19"], "A-{group:2}/{number}"),
        (["3-2026-17 B", "3-2025-18 B"], "3-{year}-{number} B"),
        (["FV 12/2026", "FV-K 7/2026"], ""),
        (["1/08/2026", "01/08/2026"], ""),
        (["12.50", "13.75"], ""),
        (["2026-08-01 10:15", "2026-08-02 11:15"], ""),
        (["a1@b2.com", "a3@b4.com"], ""),
        (["1001", "1002"], ""),
    ],
)
def test_numbers_of_several_groups_have_a_pattern_that_tells_them_apart(cells: list[str], pattern: str) -> None:
    """Of 1/08/2026 and 01/08/2026 nobody knows whether they are one order."""
    assert composed_pattern(cells) == pattern


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["ZAM/17/12/2010", "ZAM/18/12/2010"], "ZAM/{number}/{month}/{year}"),
        (["2010-12-0017", "2010-12-0018"], "{year}-{month}-{number:4}"),
        (["RE2010-1001", "RE2010-1002"], "RE2010-{number}"),
        (["12-1001", "12-1002"], "12-{number}"),
        (["#1001", "#1002"], "#{number}"),
        (["1001", "1002"], ""),
    ],
)
def test_an_export_of_one_month_has_a_month_all_the_same(cells: list[str], pattern: str) -> None:
    """The next export has another one, and the ledger keeps the pattern."""
    assert pattern_of(cells) == pattern


@pytest.mark.parametrize(
    ("word", "code"),
    [
        *(("United Kingdom", "GB"), ("Vereinigtes Königreich", "GB"), ("Deutschland", "DE"), ("Suisse", "CH")),
        *(("Países Bajos", "NL"), ("Storbritannien", "GB"), ("Frankrig", "FR"), ("Ireland", "IE"), ("USA", "US")),
        *(("Nederland", "NL"), ("Sverige", "SE"), ("Norwegen", "NO")),
    ],
)
def test_a_name_of_one_country_is_proved(word: str, code: str) -> None:
    """In English and in the languages of the shops."""
    assert country_of(word)[:2] == (code, Sure.PROVED)


@pytest.mark.parametrize("word", ["Georgia", "Congo", "Korea", "Guinea", "Georgien", "Kongo", "Corea", "Guinée"])
def test_a_name_of_several_countries_stays_open(word: str) -> None:
    """A state of the USA or a country, the north or the south: a person says which."""
    assert country_of(word)[:2] == ("", None)


def test_common_names_are_likely_and_nonsense_is_open() -> None:
    """EIRE is Ireland to everybody but ISO."""
    assert country_of("EIRE")[:2] == ("IE", Sure.LIKELY)
    assert country_of("Unspecified") == ("", None, "", ())


def test_statuses_and_store_types_are_never_filled_in() -> None:
    """Which orders count as revenue is nobody's guess; the candidates stand beside the word, with its money."""
    header = (*HEADER, "Bestellstatus", "Kundentyp")
    found, sheet = read(header, [(*row, "Kunde bezahlt", "Privatkunde") for row in orders(30)])
    values = {(one.field, one.value): one for one in propose_values(sheet, found.fields, {})}
    status = values["status", "Kunde bezahlt"]
    assert (status.means, status.sure, status.orders) == ("", None, 30)
    assert status.candidates[0] == "Completed"
    assert sum(status.money.values()) == sum(1125 + number % 10 * 100 for number in range(30)) / 100
    kind = by_header(found)["Kundentyp"]
    assert (kind.field, kind.candidates) == ("", ("storeType",)), "words of another shop: the whole column is open"
    values = {one.value: one for one in propose_values(sheet, {**found.fields, "Kundentyp": "storeType"}, {})}
    assert (values["Privatkunde"].means, values["Privatkunde"].candidates) == ("", ("b2c",))
    found, sheet = read(header, [(*row, "bezahlt", "Retail") for row in orders(30)])
    assert by_header(found)["Kundentyp"].field == "storeType"


def test_the_names_are_fields_that_exist() -> None:
    """A slip in names.csv would propose a field that columns.csv refuses."""
    assert {name for fields in known_names().values() for name in fields} <= {*KINDS, *NESTED_FIELDS, "line total"}


@given(st.text(max_size=40))
def test_any_header_is_spelled_and_looked_up(header: str) -> None:
    """Whatever stands in a header is no reason to fail, and its spelling is stable."""
    assert spelled(spelled(header)) == spelled(header)
    assert isinstance(fields_named(header), tuple)
    assert is_heading([header] * 3) in (True, False)
    assert may_be_heading([header]) is False


def test_what_stops_the_reading_stops_not_the_folder(tmp_path: Path) -> None:
    """Dates that can be read in two ways are decided in migration.toml, which only init writes: so it does."""
    lines = ["Bestellnummer;Bestelldatum;Menge;Einzelpreis;Gesamtbetrag"]
    lines += [f"{9000 + day};0{day}/0{day + 1}/2011;1;3,50;3,50" for day in range(1, 8)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(lines) + "\n")
    folder = tmp_path / "mappings"

    def begin() -> None:
        with ExitStack() as stack:
            init(stack, Settings(folder, ""), Export([path]), store="shop", timezone="UTC", progress=lambda *_: None)

    with pytest.raises(InputError, match="two ways") as caught:
        begin()
    assert "migration.toml" in caught.value.hint
    assert len(read_partial(folder).columns) == 5
    settings = folder / "migration.toml"
    settings.write_text(settings.read_text().replace('# date_format = ""', 'date_format = "DD/MM/YYYY"'))
    begin()
    assert ",from 2011" in (folder / "taxes.csv").read_text("utf-8-sig").replace("lines from", ",from")


def test_a_dump_whose_numbers_nobody_finds_gets_its_open_rows(tmp_path: Path) -> None:
    """The refusal names columns.csv, so columns.csv is there, with every column and its samples."""
    path = tmp_path / "orders.csv"
    path.write_text("Alpha;Beta;Gamma;Delta\nx;y;z;w\nk;l;m;n\n")
    with ExitStack() as stack, pytest.raises(InputError) as caught:
        init(stack, Settings(tmp_path / "m", ""), Export([path]), store="s", timezone="UTC", progress=lambda *_: None)
    assert "columns.csv" in caught.value.hint
    assert "Alpha,,,,,x | k" in (tmp_path / "m" / "columns.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Rechnung Nr.", "orderNumber"),
        ("vom", "orderDate"),
        ("Rechnungsbetrag (brutto)", "orderTotal"),
        ("Net à payer TTC", "orderTotal"),
        ("Auftragswert inkl. MwSt.", "orderTotal"),
        ("Date de facturation", "orderDate"),
        ("P.U. HT", "products.unitPrice"),
        ("Port HT", "shippingValue"),
        ("Importo IVA", "taxTotal"),
        ("Kd.-Nr.", "customerId"),
        ("Lieferland", "deliveryAddress.country"),
        ("Money off", "voucherValue"),
        ("Codice sconto", "voucherCode"),
        ("Aliquota IVA", "products.vatPercent"),
        ("Art.-Nr.", "products.sku"),
        ("À-pris exkl. moms", "products.unitPrice"),
        ("Zahlungsziel", ""),
        ("Line Discount %", ""),
        ("Paid at", ""),
        ("Unit Cost", ""),
        ("Salesperson Code", ""),
    ],
)
def test_a_header_nobody_is_known_for_is_taken_by_its_words(header: str, field: str) -> None:
    """No list of headers is ever complete; what the words do not say stays open."""
    assert (fields_named(header) or ("",))[0] == field


def test_what_the_customer_paid_is_the_total_not_the_sum_without_tax() -> None:
    """Both foot; one as if prices were with tax, the other with the tax on top."""
    rows = [
        (*row[:5], f"{Decimal(row[5].replace(',', '.')) * 5 / 6:.2f}".replace(".", ","), row[5])
        for row in orders(40, tax=True)
    ]
    found, _ = read((*HEADER[:5], "Gesamt netto", "Gesamtbetrag"), rows)
    columns = by_header(found)
    assert (columns["Gesamtbetrag"].field, columns["Gesamtbetrag"].sure) == ("orderTotal", Sure.PROVED)
    assert columns["Gesamt netto"].field == "-"
    assert found.footing is not None
    assert (found.footing.reading.basis, found.footing.proves_basis) == (Basis.NET, True)


def test_an_order_that_two_files_hold_alike_counts_once_and_a_row_of_totals_never() -> None:
    """Else the orders at the seam foot to twice their lines, and a proof of 99 in 100 is lost."""
    grid = Grid()
    rows = orders(40)
    grid.add_table(HEADER, rows[:44], 10_000)
    grid.add_table(HEADER, [*rows[40:], ("Summe", "", "", "", "", "123,00")], 10_000)
    found = propose(Sheet(grid.dump()))
    assert found.footing is not None
    assert (found.footing.foots, found.footing.orders) == (40, 40)


def test_tables_with_other_headers_are_joined_by_the_same_numbers() -> None:
    """Headers of orders in one table, lines in another: the number's column has a name in each."""
    grid = Grid()
    rows = orders(40)
    grid.add_table(("Beleg", "Versandkosten", "Gesamtbetrag"), [(f"B-{r[0]}", *r[4:]) for r in rows[::2]], 10_000)
    grid.add_table(("Zu Beleg", "Menge", "Einzelpreis"), [(f"B-{r[0]}", *r[1:3]) for r in rows], 10_000)
    found = propose(Sheet(grid.dump()))
    assert {one.header for one in found.columns if one.field == "orderNumber"} == {"Beleg", "Zu Beleg"}
    assert found.order_number == "B-{number}"
    assert found.footing is not None
    assert found.footing.is_enough


def test_goods_with_blanks_are_no_keys() -> None:
    """`Item` may be either; what stands in the cells tells."""
    names = [(*row, "Blue cup, large", "CUP-1") for row in orders(20)]
    columns = by_header(read((*HEADER, "Item", "Code"), names)[0])
    assert columns["Item"].field == "products.itemText.product"


def test_dates_currencies_countries_and_addresses_are_told_by_their_cells() -> None:
    """Headers of a language that nobody here knows; where two columns look so, a person chooses."""
    seen = [("2011-03-05", "GBP", "Deutschland", "a@example.com"), ("2011-03-06", "EUR", "FR", "b@example.com")]
    rows = [(*row, *seen[int(row[0]) % 2]) for row in orders(20)]
    columns = by_header(read((*HEADER, "Kpv", "Vlt", "Mnt", "Pst"), rows)[0])
    assert {name: columns[name].field for name in ("Kpv", "Vlt", "Mnt", "Pst")} == {
        "Kpv": "orderDate",
        "Vlt": "currency",
        "Mnt": "address.country",
        "Pst": "invoiceAddress.email",
    }
    assert {columns[name].sure for name in ("Kpv", "Vlt", "Mnt", "Pst")} == {Sure.LIKELY}
    columns = by_header(read((*HEADER, "Kpv", "Kpvv"), [(*row, "2011-03-05", "2011-03-06") for row in orders(20)])[0])
    assert (columns["Kpv"].field, columns["Kpvv"].field) == ("", "")


def test_total_and_discount_are_never_changed_round() -> None:
    """goods + shipping - total = discount foots as often as the truth."""
    rows = [
        (
            number,
            qty,
            price,
            rate,
            beside,
            str(Decimal(total.replace(",", ".")) - int(number) % 3).replace(".", ","),
            f"{int(number) % 3},00",
        )
        for number, qty, price, rate, beside, total in orders(40)
    ]
    found, _ = read((*HEADER[:4], "XA", "XB", "XC"), rows)
    assert found.footing is not None
    assert found.footing.reading.columns[2:5] == ("XB", "XA", "XC")
    columns = by_header(found)
    assert (columns["XB"].field, columns["XB"].sure) == ("orderTotal", Sure.PROVED)
    assert (columns["XA"].field, columns["XA"].sure) == ("shippingValue", Sure.LIKELY)
    assert len(found.columns) == len(columns)


def test_rates_written_as_shares_are_percents() -> None:
    """0.2 is 20 %: no tax is below one percent; a person confirms it."""
    found, sheet = read(HEADER, [(*row[:3], "0,2", *row[4:]) for row in orders(20)])
    (rate,) = propose_values(sheet, found.fields, {})
    assert (rate.field, rate.value, rate.means, rate.sure) == ("products.vatPercent", "0,2", "20", Sure.LIKELY)
    found, sheet = read(HEADER, [(*row[:3], "0,2" if int(row[0]) % 2 else "20", *row[4:]) for row in orders(20)])
    assert propose_values(sheet, found.fields, {}) == []


def test_dates_without_marks_are_read_by_their_format() -> None:
    """An 8-digit number is a date only where its header and every cell say so."""
    found, _ = read((*HEADER, "Bestelldatum"), [(*row, "20110305") for row in orders(20)])
    assert (by_header(found)["Bestelldatum"].field, found.date_format) == ("orderDate", "YYYYMMDD")
    found, _ = read(
        (*HEADER, "Bestelldatum"), [(*row, "20110305" if int(row[0]) % 2 else "20119905") for row in orders(20)]
    )
    assert (by_header(found)["Bestelldatum"].field, found.date_format) == ("", "")


def test_a_column_stands_once_also_without_any_total() -> None:
    """Twice in columns.csv with two answers, and the folder could not be read."""
    found, _ = read(HEADER[:5], [row[:5] for row in orders(40)])
    assert found.footing is None
    assert len({one.header for one in found.columns}) == len(found.columns)
    assert by_header(found)["MwSt-Satz"].field == "products.vatPercent"


def test_a_column_of_tax_proves_the_basis_where_lines_have_no_rate() -> None:
    """With the tax of the order beside a total that foots without it, prices are with tax; not where there is no tax."""
    rows = [(*row[:3], "3,50", *row[4:]) for row in orders(40)]
    assert read((*HEADER[:3], "Steuerbetrag", *HEADER[4:]), rows)[0].basis is True
    rows = [(*row[:3], "0,00", *row[4:]) for row in orders(40)]
    assert read((*HEADER[:3], "Steuerbetrag", *HEADER[4:]), rows)[0].basis is None
    assert read(HEADER, orders(40, tax=True))[0].basis is False


def test_amounts_of_a_workbook_are_what_its_cells_hold() -> None:
    """`20` in a cell that shows 20.00 is an amount; without that no workbook with formats ever footed."""
    rows = [(row[0], "\x012", "\x013.5\x1f3,50", "\x0120%", *row[4:]) for row in orders(40)[::2]]
    rows += [(row[0], "\x011", "\x014.25\x1f4", "\x0120%", *row[4:]) for row in orders(40)[1::2]]
    found, _ = read(HEADER, rows)
    assert found.footing is not None
    assert found.footing.foots == 40


def test_a_field_whose_cells_can_not_be_read_is_not_proposed() -> None:
    """C1000 is no customerId of Centra's: read as one it would keep every order out."""
    columns = by_header(read((*HEADER, "Kundennummer"), [(*row, f"C{row[0]}") for row in orders(20)])[0])
    assert (columns["Kundennummer"].field, columns["Kundennummer"].candidates) == ("", ("customerId",))
    columns = by_header(read((*HEADER, "Kundennummer"), [(*row, row[0][2:]) for row in orders(20)])[0])
    assert columns["Kundennummer"].field == "customerId"


def test_money_given_back_is_never_needless() -> None:
    """The orders foot without it, and would stand in Mews in full."""
    columns = by_header(
        read((*HEADER, "Refunded Amount"), [(*row, "3,00" if row[0] == "9004" else "0,00") for row in orders(40)])[0]
    )
    assert (columns["Refunded Amount"].field, columns["Refunded Amount"].sure) == ("", None)
    assert "given back" in columns["Refunded Amount"].evidence


@pytest.mark.parametrize(("store", "timezone"), [("My Shop", "Europe/London"), ("uk", "London"), ("", "Europe/London")])
def test_a_name_that_no_folder_may_have_is_refused_at_once(tmp_path: Path, store: str, timezone: str) -> None:
    """Found out by the next command it would be a fault of the tool's own file."""
    path = tmp_path / "x.csv"
    path.write_text("orderNumber,products.sku\n1,A\n")
    with ExitStack() as stack, pytest.raises(UsageError):
        init(
            stack,
            Settings(tmp_path / "m", ""),
            Export([path]),
            store=store,
            timezone=timezone,
            progress=lambda *_: None,
        )
    assert not (tmp_path / "m").exists()


def test_words_beside_rates_are_asked_for() -> None:
    """A column of rates stays one where some lines are exempt; what the word means is a person's."""
    found, sheet = read(HEADER, [(*row[:3], "zw." if int(row[0]) % 3 == 0 else row[3], *row[4:]) for row in orders(20)])
    assert by_header(found)["MwSt-Satz"].field == "products.vatPercent"
    (word,) = propose_values(sheet, found.fields, {})
    assert (word.value, word.means, word.candidates) == ("zw.", "", ("0",))


def test_goods_of_an_unknown_language_are_told_by_their_cells() -> None:
    """A line without key and name would keep every order out."""
    goods = (("Modrá šálka", "SAL-1"), ("Čajová konvice", "KON-2"))
    rows = [(*row, *goods[at % 2]) for at, row in enumerate(orders(20))]
    columns = by_header(read((*HEADER, "Zboží", "Kód"), rows)[0])
    assert {name: columns[name].field for name in ("Zboží", "Kód")} == {
        "Zboží": "products.itemText.product",
        "Kód": "products.sku",
    }


def written(tmp_path: Path, number: str) -> Path:
    """Twenty orders whose numbers are written as a template of number and month says."""
    path = tmp_path / "x.csv"
    rows = [";".join((number.format(row[0], int(row[0]) % 12 + 1), *row[1:])) for row in orders(20)]
    path.write_text("\n".join([";".join(HEADER), *rows]) + "\n", "utf-8")
    return path


def test_numbers_that_are_written_in_two_ways_are_told_with_their_cells(tmp_path: Path) -> None:
    """The column is there: what its cells lack is the news."""
    path = written(tmp_path, "ZAM/{}/{:02}/2026")
    path.write_text(path.read_text("utf-8").replace("ZAM/9003", "KOR-9003"), "utf-8")
    with ExitStack() as stack, pytest.raises(InputError) as caught:
        init(stack, Settings(tmp_path / "m", ""), Export([path]), store="s", timezone="UTC", progress=lambda *_: None)
    assert "Bestellnummer is named like the order number, but its cells (ZAM/9000/01/2026" in caught.value.message


def test_numbers_with_month_and_year_are_read_as_init_writes_them(tmp_path: Path) -> None:
    """The pattern stands in migration.toml, and every order has its own digits."""
    path = written(tmp_path, "ZAM/{}/{:02}/2026")
    with ExitStack() as stack:
        begun = init(
            stack, Settings(tmp_path / "m", ""), Export([path]), store="s", timezone="UTC", progress=lambda *_: None
        )
    assert begun.proved["order_number"] == "ZAM/{number}/{month}/{year}"
    assert begun.verdict.orders == 20
    assert 'order_number = "ZAM/{number}/{month}/{year}"' in (tmp_path / "m" / "migration.toml").read_text("utf-8")
