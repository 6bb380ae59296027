"""What a clerk says of files that are nearly exports: what they are, what was left out, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from staged import Staged, stage

from etl.errors import InputError

HEADER = "orderNumber,orderDate,currency,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent"


def line(number: str, date: str = "2011-03-05", price: str = "6.00", qty: str = "1") -> str:
    return f"{number},{date},GBP,6.00,A-1,{qty},{price},20"


def read(tmp_path: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Staged:
    return stage(tmp_path, {"x.csv": "\n".join([header, *rows]) + end})


def notices(staged: Staged) -> str:
    (file,) = staged.facts.files
    return "\n".join(file.notices)


@pytest.mark.parametrize(
    ("end", "says"),
    [("\n\x1a", "Ctrl-Z"), ("\n\x1a\n", "Ctrl-Z"), ("\n" + "\0" * 300, "300 NUL"), ("\n\0\0\n\0", "2 NUL")],
)
def test_padding_at_the_end_is_no_row(tmp_path: Path, end: str, says: str) -> None:
    """An old system's end mark, the zeros of a file that was never written to its end: told, and nobody's row."""
    staged = read(tmp_path, line("1"), end=end)
    assert staged.facts.unassigned_count == 0
    assert says in notices(staged)
    (file,) = staged.facts.files
    assert file.rows == 1


def test_a_file_without_orders_says_so(tmp_path: Path) -> None:
    """Only the header."""
    assert "holds no orders" in notices(read(tmp_path))
    assert "holds no orders" not in notices(read(tmp_path, line("1")))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (HEADER.replace(",", "~"), "'~'"),
        (HEADER.replace(",", "^"), "'^'"),
        (",".join(f"'{name}'" for name in HEADER.split(",")), "single quotes"),
        ("".join(name.ljust(24) for name in HEADER.split(",")), "fixed widths"),
        ("number,date,note", ""),
        ("orders of march", ""),
    ],
)
def test_a_file_of_another_dialect_is_refused_by_it(tmp_path: Path, header: str, says: str) -> None:
    """What separates the cells is seen; how to export it otherwise is said."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, "1", header=header)
    assert says in caught.value.message
    assert says or "export it with" not in caught.value.message


def test_a_header_over_two_rows_is_told(tmp_path: Path) -> None:
    """The group above, its parts below."""
    header = "orderNumber,orderDate,currency,orderTotal,products,,,"
    staged = read(tmp_path, ",,,,sku,qty,unitPrice,vatPercent", line("1"), header=header)
    assert "rows 1 and 2" in notices(staged)
    assert staged.facts.unassigned_count == 1
    assert "rows 1 and 2" not in notices(read(tmp_path, ",,,,A-2,1,6.00,20", line("1")))


@pytest.mark.parametrize(
    ("date", "says"),
    [
        ("40607.427", "2011-03-05"),
        ("40608", "2011-03-06"),
        ("1299320100", "2011-03-05"),
        ("1299320100000", "2011-03-05"),
    ],
)
def test_a_count_of_days_or_seconds_is_named_as_what_it_may_be(tmp_path: Path, date: str, says: str) -> None:
    """It blocks its order: nothing says which of the counts it is."""
    (problem,) = read(tmp_path, line("1", date=date))["1"].problems
    assert problem.is_error
    assert says in problem.hint


@pytest.mark.parametrize("price", ["(6.00)", "6.00-", "(£6.00)"])
def test_a_negative_amount_of_bookkeeping_says_how_to_write_it(tmp_path: Path, price: str) -> None:
    """Whether it is meant is the shop's to say."""
    (problem,) = read(tmp_path, line("1", price=price))["1"].problems
    assert "minus sign in front" in problem.hint


def test_an_order_number_behind_an_apostrophe_is_read(tmp_path: Path) -> None:
    """A spreadsheet was told so to keep it as text."""
    staged = read(tmp_path, line("'00101"))
    assert staged.codes("101") == {"text.cleaned"}


def test_an_order_number_that_a_spreadsheet_shortened_is_told_as_that(tmp_path: Path) -> None:
    """Its digits are lost: it is nobody's row."""
    staged = read(tmp_path, line("1.23E+12"), line("2"))
    assert "scientific notation" in staged.facts.unassigned[0].message


@pytest.mark.parametrize("text", ["Sch+APw-ssel", "+IKw- 5", "caf+AOk-"])
def test_a_text_in_utf_7_is_told(tmp_path: Path, text: str) -> None:
    """A mail program wrote it so."""
    assert read(tmp_path, f"{line('1')},{text}", header=f"{HEADER},products.itemText.product").codes("1") == {
        "text.garbled"
    }


@pytest.mark.parametrize("text", ["A+BCD-1", "1+1", "x + y-z", "+4420-1", "CUP+RED-L"])
def test_a_text_with_plus_and_minus_is_no_utf_7(tmp_path: Path, text: str) -> None:
    """A key, a sum, a telephone number."""
    assert read(tmp_path, f"{line('1')},{text}", header=f"{HEADER},products.itemText.product").codes("1") == set()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ('[{"orderNumber": 1},]', 21),
        ('{"orders": [{"orderNumber": 1, "products": [],}]}', 47),
        ('{"orders": [],\n}', 15),
    ],
)
def test_a_comma_that_nothing_follows_is_named(tmp_path: Path, text: str, at: int) -> None:
    """What a hand or a small script leaves; the place is that of the file."""
    with pytest.raises(InputError) as caught:
        stage(tmp_path, {"x.json": text})
    assert "comma stands before the end" in caught.value.message
    assert any(f"character {near}." in caught.value.message for near in (at - 1, at, at + 1))


def test_what_python_prints_is_no_json(tmp_path: Path) -> None:
    """Copied from a console."""
    with pytest.raises(InputError) as caught:
        stage(tmp_path, {"x.json": "[{'orderNumber': 1, 'hold': True}]"})
    assert "single quotes" in caught.value.message


def test_the_totals_row_of_a_german_spreadsheet_is_one(tmp_path: Path) -> None:
    """Excel's tables and pivots call it Ergebnis."""
    staged = read(tmp_path, line("1"), line("2"), "Ergebnis,,,12.00,,,,", "Gesamtergebnis,,,12.00,,,,")
    assert staged.facts.unassigned_count == 0
    assert "totals row" in notices(staged)


def test_an_empty_list_where_an_object_belongs_is_known(tmp_path: Path) -> None:
    """PHP writes an object without members as a list."""
    order = {"orderNumber": 1, "orderDate": "2011-03-05", "currency": "GBP", "discounts": [], "tags": []}
    staged = stage(tmp_path, {"x.json": {**order, "products": [{"sku": "A", "qty": 1, "unitPrice": "6.00"}]}})
    (file,) = staged.facts.files
    assert [name for name, _ in file.columns.unknown] == ["tags"]
