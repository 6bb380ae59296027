"""Single cells to values: one sensible reading, or a sentence; never a guess."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.export import NUMBER
from etl.model.place import Place
from etl.reading.dates import DateFormat, Dates, DateShape, date_shape
from etl.reading.kinds import Kind
from etl.reading.options import ReadOptions
from etl.reading.order_numbers import OrderNumbers
from etl.reading.parse import Readers
from etl.reading.remarks import RemarkedValue
from etl.reading.style import NumberStyle, Seen, Shape, Style, Tally, dissect
from etl.reading.texts import _DAMAGED_SKU, _key_text, parse_sku

POINT = Style(NumberStyle.POINT)


def read(kind: Kind, cell: str, style: Style = POINT, **options: Any) -> tuple[Any, list[str]]:
    """Value and codes of the notices; raises RemarkedValue where the cell can't be read."""
    try:
        return Readers(style, ReadOptions(**options)).by_kind[kind][cell], []
    except RemarkedValue as odd:
        if odd.is_error:
            raise
        return odd.value, [remark.code for remark in odd.remarks]


def refused(kind: Kind, cell: str, style: Style = POINT, **options: Any) -> str:
    """Message and hint of a cell that can't be read."""
    with pytest.raises(RemarkedValue) as caught:
        Readers(style, ReadOptions(**options)).by_kind[kind][cell]
    assert caught.value.is_error
    return " ".join(f"{remark.message} {remark.hint}" for remark in caught.value.remarks)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (Kind.SKU, '="0022469"', "0022469"),
        (Kind.TEXT, '="10-12"', "10-12"),
        (Kind.TEXT, '="a ""b"""', 'a "b"'),
        (Kind.SKU, "\ufeff0022469\u200b", "0022469"),
        (Kind.TEXT, "Tee\u00adkanne", "Teekanne"),
        (Kind.ID, '="17"', "17"),
        (Kind.EMAIL, "ann@example.com\u200b", "ann@example.com"),
        (Kind.KEY, '="17"', "17"),
    ],
)
def test_what_a_program_put_there_is_taken_off_and_told(kind: Kind, cell: str, value: str) -> None:
    """`="0022469"` on a bill, or a key with an invisible character that meets no row, helps nobody."""
    assert read(kind, cell) == (value, ["text.cleaned"])


def test_a_joiner_within_an_emoji_is_part_of_it() -> None:
    """A family emoji is one character to a person."""
    family = "\U0001f468\u200d\U0001f469"
    assert read(Kind.TEXT, family) == (family, [])


@pytest.mark.parametrize("word", ["NULL", "nan", "None", r"\N", "#N/A", "n/a", " null "])
def test_words_for_nothing(word: str) -> None:
    """Empty in a text, with a notice; no key, amount, date, country, currency or status."""
    assert read(Kind.TEXT, word) == ("", ["text.empty_word"])
    for kind in (Kind.SKU, Kind.EAN, Kind.ID, Kind.KEY, Kind.AMOUNT, Kind.PERCENT, Kind.QTY, Kind.DATE, Kind.COUNTRY,
                 Kind.CURRENCY, Kind.STATUS, Kind.STORE, Kind.PAYMENT_STATUS):  # fmt: skip
        said = refused(kind, word)
        assert word.strip() in said or repr(word.strip()) in said
        assert "Did you mean" not in said


def test_empty_words_are_a_persons_decision_but_never_for_keys() -> None:
    """Two orders with the key '-' would be one product, two without a key are blocked."""
    options = {"empty_words": frozenset({"-", "NULL"})}
    assert read(Kind.AMOUNT, "-", **options) == (None, [])
    assert read(Kind.DATE, "NULL", **options) == (None, [])
    assert read(Kind.COUNTRY, " NULL ", **options) == ("", [])
    assert read(Kind.TEXT, "-", **options) == ("", [])
    assert read(Kind.SKU, "-", **options) == ("-", [])
    assert "where a key belongs" in refused(Kind.SKU, "NULL", **options)


@pytest.mark.parametrize(
    ("cell", "value", "codes"),
    [
        ("19.989999999999998", "19.99", ["number.digits"]),
        (NUMBER + "19.989999999999998", "19.99", ["number.digits"]),
        ("59.970000000000006", "59.97", ["number.digits"]),
        ("19.9900000000000000000", "19.99", []),
        ("0.10000000000000000555", "0.1", ["number.digits"]),
        ("-19.989999999999998", "-19.99", ["number.digits"]),
        ("123456789012.345", "123456789012.345", []),
    ],
)
def test_sixteen_digits_are_read_at_fifteen(cell: str, value: str, codes: list[str]) -> None:
    """Programs write the tails of binary fractions; a person sees 19.99, and is told."""
    found, told = read(Kind.AMOUNT, cell)
    assert (found, told) == (Decimal(value), codes)
    assert "E" not in str(found)


def test_a_number_of_a_million_digits_ends_in_a_sentence() -> None:
    """Decimal would take minutes over it."""
    assert "no number" in refused(Kind.AMOUNT, "9" * 1_000_000)
    assert "no number" in refused(Kind.AMOUNT, NUMBER + "9" * 1_000_000)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("VAT 17.5%", "17.5"), ("MwSt. 19 %", "19"), ("moms 25", "25"), ("TVA 5,5 %", "5.5"), ("S20", "20")],
)
def test_a_rate_among_words_is_its_one_number(cell: str, value: str) -> None:
    """There is one number to read, and it is told."""
    assert read(Kind.PERCENT, cell) == (Decimal(value), ["number.symbol"])


@pytest.mark.parametrize(
    "cell", ["VAT 17.5% (was 15%)", "EUR 20", "20 kr", "VAT", "VAT -5%", "VAT 1７%", "VAT 175%", "1e1"]
)
def test_a_rate_with_no_or_two_numbers_is_none(cell: str) -> None:
    """Nobody guesses which of two it is; an amount is no rate."""
    assert "rate in percent" in refused(Kind.PERCENT, cell)


@pytest.mark.parametrize(
    ("pattern", "cell", "number"),
    [
        ("{number}", "050101.0", "50101"),
        ("{number}", '="50101"', "50101"),
        ("{number}", "\ufeff50101", "50101"),
        ("{number}", "#50101", None),
        ("#{number}", "#50101", "50101"),
        ("#{number}", " #0050101 ", "50101"),
        ("#{number}", "50101", None),
        ("WEB-{number}/uk", "WEB-17/uk", "17"),
        ("WEB-{number}/uk", "WEB-17", None),
        ("WEB-{number}", "WEB-1x", None),
        ("#{number}", "#", None),
        ("ZAM/{number:4}/{month}/{year}", "ZAM/0001/08/2026", "2026080001"),
        ("ZAM/{number:4}/{month}/{year}", "ZAM/10001/08/2026", "20260810001"),
        ("ZAM/{number:4}/{month}/{year}", " ZAM/1/8/2026 ", "2026080001"),
        ("ZAM/{number:4}/{month}/{year}", "ZAM/0001/13/2026", None),
        ("ZAM/{number:4}/{month}/{year}", "ZAM/0001/08/26", None),
        ("FV {number}/{year}", "FV 012/2026", "202612"),
        ("FV {number}/{year}", "FV /2026", None),
        ("SO-{group:2}-{number:6}", "SO-24-000017", "124000017"),
        ("SO-{group:2}-{number:6}", "SO-4-000017", "104000017"),
        ("SO-{group:2}-{number:6}", "SO-124-000017", None),
        ("{year}{month}{number}", "20260817", "20260817"),
        ("{year}{month}{number}", "2026817", None),
        ("{number:6}", "000017", "17"),
    ],
)
def test_order_numbers_are_digits_within_their_pattern(pattern: str, cell: str, number: str | None) -> None:
    """What does not fit is unreadable: another number would be another order."""
    assert OrderNumbers(pattern).read(cell) == number


@pytest.mark.parametrize(
    ("text", "day_first", "wall"),
    [
        ("3/14/2011 3:15:00 PM", False, "2011-03-14 15:15:00"),
        ("3/5/2011 12:05 AM", False, "2011-03-05 00:05:00"),
        ("3/5/2011 12:05 p.m.", False, "2011-03-05 12:05:00"),
        ("14.03.11 15:15", None, "2011-03-14 15:15:00"),
        ("14/03/99", True, "1999-03-14 00:00:00"),
        ("99-03-14", None, "1999-03-14 00:00:00"),
        ("14 March 2011", None, "2011-03-14 00:00:00"),
        ("14-Mar-11", None, "2011-03-14 00:00:00"),
        ("14. März 2011 09:30", None, "2011-03-14 09:30:00"),
        ("Mon, 14 Mar 2011 09:30:00", None, "2011-03-14 09:30:00"),
        ("March 14, 2011 3:15 PM", None, "2011-03-14 15:15:00"),
        ("14 août 2011", None, "2011-08-14 00:00:00"),
        ("20110314", None, None),
        ("2011-03-14T15:15:00.123", None, "2011-03-14 15:15:00"),
        ("14 Mumble 2011", None, None),
        ("11-03-14", None, None),
        ("13:61", None, None),
        ("3/14/2011 15:15 PM", False, None),
    ],
)
def test_dates_as_people_write_them(text: str, day_first: bool | None, wall: str | None) -> None:
    """Never three in the morning for three in the afternoon, nor the year 11."""
    if wall is None:
        with pytest.raises(RemarkedValue):
            Dates(day_first).read(text)
        return
    found = Dates(day_first).read(text)
    assert found is not None
    assert str(found.wall) == wall


@pytest.mark.parametrize(
    ("pattern", "text", "wall"),
    [
        ("DD/MM/YYYY", "03/04/2010", "2010-04-03 00:00:00"),
        ("M/D/YY h:mm AM/PM", "3/14/11 3:15 PM", "2011-03-14 15:15:00"),
        ("%d.%m.%y %H:%M", "14.03.11 15:15", "2011-03-14 15:15:00"),
        ("YY-MM-DD", "11-03-14", "2011-03-14 00:00:00"),
        ("D MMM YYYY", "14 Mar 2011", "2011-03-14 00:00:00"),
        ("dd.mm.yyyy hh:mm:ss", "14.03.2011 15:16:17", "2011-03-14 15:16:17"),
        ("YYYYMMDD", "20110314", "2011-03-14 00:00:00"),
        ("DD/MM/YYYY", "2010-04-03", "2010-04-03 00:00:00"),
    ],
)
def test_a_named_format_decides(pattern: str, text: str, wall: str) -> None:
    """Both ways of writing a format are known; ISO dates need none."""
    found = Dates(None, ReadOptions(date_format=pattern)).read(text)
    assert found is not None
    assert str(found.wall) == wall


def test_a_date_beside_the_named_format_blocks() -> None:
    """A person has said how dates are written; another one is a fault, not a guess."""
    assert "source.date_format" in refused(Kind.DATE, "14.03.2011", date_format="MM/DD/YYYY")
    with pytest.raises(ValueError, match="part of a date"):
        DateFormat("%d.%m.%Q %Y")


def test_times_with_an_offset_become_the_shops_own() -> None:
    """The Integration API tells UTC; the second run of an hour stays the second."""
    zone = {"timezone": "Europe/London"}
    summer, _ = read(Kind.DATE, "2011-07-01T12:00:00Z", **zone)
    assert str(summer.wall) == "2011-07-01 13:00:00"
    first, _ = read(Kind.DATE, "2011-10-30T00:30:00+00:00", **zone)
    second, _ = read(Kind.DATE, "2011-10-30T01:30:00+00:00", **zone)
    assert (first.wall, first.wall.fold, second.wall.fold) == (second.wall, 0, 1)
    assert "source.timezone" in refused(Kind.DATE, "2011-07-01T12:00:00Z")
    assert date_shape("2011-07-01T12:00:00Z") is DateShape.OFFSET


@pytest.mark.parametrize(
    ("kind", "cell", "words"),
    [
        (Kind.COUNTRY, "AN", ("Netherlands Antilles", "until 2010-12-15")),
        (Kind.COUNTRY, "XK", ("Kosovo",)),
        (Kind.COUNTRY, "XI", ("Northern Ireland", "GB")),
        (Kind.COUNTRY, "UK", ("Did you mean GB?",)),
        (Kind.COUNTRY, "GBR", ("Did you mean GB?",)),
        (Kind.COUNTRY, "Germany", ("Did you mean DE?", "values.csv")),
        (Kind.CURRENCY, "EEK", ("Estonian kroon", "until 2010-12-31")),
        (Kind.CURRENCY, "HRK", ("kuna", "2022")),
        (Kind.CURRENCY, "GPB", ("Did you mean GBP?",)),
        (Kind.CURRENCY, "EURO", ("Did you mean EUR?",)),
        (Kind.STATUS, "paid", ("values.csv",)),
        (Kind.STORE, "shop", ("values.csv",)),
    ],
)
def test_codes_are_named_as_what_they_are(kind: Kind, cell: str, words: tuple[str, ...]) -> None:
    """A clerk in a hurry takes the hint: it is given where it is certain."""
    said = refused(kind, cell)
    assert all(word in said for word in words)


@pytest.mark.parametrize(("kind", "cell"), [(Kind.COUNTRY, "AN"), (Kind.COUNTRY, "QQ"), (Kind.COUNTRY, "XK"),
                                            (Kind.CURRENCY, "EEK"), (Kind.CURRENCY, "XQZ"), (Kind.CURRENCY, "HRK")])  # fmt: skip
def test_no_suggestion_where_none_makes_sense(kind: Kind, cell: str) -> None:
    """AN is not South Africa, EEK no Swedish krona."""
    assert "Did you mean" not in refused(kind, cell)


@pytest.mark.parametrize(("cell", "value"), [("retail", "b2c"), ("Wholesale", "b2b"), ("B2C", "b2c"), ("b2b", "b2b")])
def test_store_types_as_centra_writes_them(cell: str, value: str) -> None:
    """Centra's own samples say retail."""
    assert read(Kind.STORE, cell) == (value, [])


@pytest.mark.parametrize(
    "cell",
    ["BÃ¶wl", "SchÃ¼ssel groÃŸ", "Donâ€™t", "Schï¿½le", "Salt &amp; Pepper", "12&quot; Bowl", "Caf&#233;", "â‚¬ 5"],
)
def test_a_misread_text_is_told(cell: str) -> None:
    """It is kept as it stands, and the clerk is shown what it seems to have been."""
    assert read(Kind.TEXT, cell) == (cell, ["text.garbled"])


@pytest.mark.parametrize(
    "cell", ["Böwl", "CAFÉ ÂGÉ", "Ã la carte", "Salt & Pepper", "a&b;c", "?a=1&id=2", "R&D; tests", "Ç'est", "São José"]
)
def test_a_text_of_any_language_is_no_news(cell: str) -> None:
    """Capitals with accents, ampersands and addresses of pages are what they are."""
    assert read(Kind.TEXT, cell) == (cell, [])


@given(st.from_regex(r"-?[0-9]{1,5}[.,][0-9]{1,5}", fullmatch=True))
def test_a_simple_amount_shows_the_style_that_it_has_taken_apart(text: str) -> None:
    """The short way for the commonest amounts says what the long one says."""
    number = dissect(text)
    tally = Tally()
    tally.count(Seen("x", is_date=False), text, Place("x"), 1)
    assert [str(shape) for shape in tally.examples] == [number.shape.value if number else Shape.BAD.value]


@given(st.from_regex(r"[A-Za-z0-9_-]{0,8}[0-9][A-Za-z0-9_.+'-]{0,8}", fullmatch=True))
def test_a_plain_sku_is_read_as_one_that_is_looked_at(cell):
    try:
        read = parse_sku(cell)
    except RemarkedValue:
        return
    assert (read, []) == _key_text(cell)
    assert not _DAMAGED_SKU.fullmatch(read)
