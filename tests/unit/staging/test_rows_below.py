"""Rows without an order number: lines of the order above, a row of totals, or reported; no row is ever lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from staged import Staged, stage

from etl.reading.identify import open_export
from etl.staging.batch import Batch

D = Decimal
HEADER = "orderNumber,orderDate,currency,shippingValue,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent"


def first(number: str, total: str = "", price: str = "4.25") -> str:
    return f"{number},2011-03-05,GBP,1.00,{total},A-1,1,{price},20"


SECOND, THIRD = ",,,,,A-2,1,6.00,20", ",,,,,A-3,3,1.00,20"


def read(tmp_path: Path, *rows: str, header: str = HEADER, **options: object) -> Staged:
    return stage(tmp_path, {"x.csv": "\n".join([header, *rows]) + "\n"}, None, **options)


def accounted(staged: Staged) -> tuple[int, int, int, int]:
    (file,) = staged.facts.files
    assert file.rows == file.rows_of_orders + file.unassigned + file.totals_rows + file.repeated_headers
    assert file.unassigned == staged.facts.unassigned_count
    assert file.rows_of_orders == sum(order.rows for order in staged.orders)
    return file.rows_of_orders, file.unassigned, file.totals_rows, file.repeated_headers


def test_rows_that_make_the_order_foot_are_its_lines(tmp_path: Path) -> None:
    """With the rows 14.25, without them 5.25: the total decides, and the rows are told."""
    staged = read(tmp_path, first("1", "14.25"), SECOND, THIRD, first("2", "5.25"))
    assert [line.sku for line in staged["1"].lines] == ["A-1", "A-2", "A-3"]
    assert [line.place.row for line in staged["1"].lines] == [2, 3, 4]
    assert staged.codes("1") == {"row.continued"}
    assert "rows 3, 4" in staged.says("1")
    assert accounted(staged) == (4, 0, 0, 0)


@pytest.mark.parametrize("total", ["", "5.25", "99.00", "x"])
def test_rows_that_no_total_proves_block_the_order(tmp_path: Path, total: str) -> None:
    """Without a total, or one that foots without the rows, with neither, or that can't be read: never in part."""
    staged = read(tmp_path, first("1", total), SECOND, first("2", "5.25"))
    assert "order.incomplete" in staged.codes("1")
    assert "row 3" in staged.says("1")
    assert not staged["2"].problems
    assert accounted(staged) == (3, 0, 0, 0)


def test_the_setting_reads_them_without_a_total(tmp_path: Path) -> None:
    """source.continuation_rows = true: rows below are lines where there is no total; a total still decides."""
    staged = read(tmp_path, first("1"), SECOND, first("2", "5.25"), THIRD, continuation_rows=True)
    assert [line.sku for line in staged["1"].lines] == ["A-1", "A-2"]
    assert "order.incomplete" in staged.codes("2")


@pytest.mark.parametrize("row", [",,,,,,2,6.00,20", ",,,,,A-2,x,6.00,20", ",,,,,A-2,,6.00,20", ",,,,,A-2,1,6.00,20,9"])
def test_a_row_that_is_no_line_blocks_the_order_above(tmp_path: Path, row: str) -> None:
    """No product, an unreadable quantity, none, or a cell too many: nothing of the order is sent as the whole."""
    staged = read(tmp_path, first("1", "11.25"), row, first("2", "5.25"))
    assert "order.incomplete" in staged.codes("1")
    assert "row 3" in staged.says("1")
    assert not staged["2"].problems


def test_a_row_below_stands_with_its_order_in_attention(tmp_path: Path) -> None:
    """The rows are given back where they stood, so that the clerk writes the number into them."""
    from etl.reading.identify import open_export
    from etl.staging.batch import Batch

    path = tmp_path / "x.csv"
    path.write_text("\n".join([HEADER, first("1"), SECOND, first("2", "5.25")]) + "\n")
    with Batch([path], open_export=open_export) as batch:
        (file,) = batch.raw_rows(["1"])
        assert [(row, cells[5]) for _, row, cells in file.rows] == [(2, "A-1"), (3, "A-2")]


def test_rows_after_nobodys_row_are_nobodys(tmp_path: Path) -> None:
    """A row under an unreadable number belongs to that order, not to the one before; blank rows change nothing."""
    staged = read(tmp_path, first("1", "5.25"), "X7" + first("", "4.25"), SECOND, "", first("2", "11.25"), "", SECOND)
    assert staged.codes("1") == set()
    assert [line.sku for line in staged["2"].lines] == ["A-1", "A-2"]
    assert [problem.place.row for problem in staged.facts.unassigned] == [3, 4]
    assert accounted(staged) == (3, 2, 0, 0)


def test_a_row_without_number_but_with_a_date_is_reported(tmp_path: Path) -> None:
    """Order-level cells that are not empty say that it is another order, whose number is missing."""
    staged = read(tmp_path, first("1", "5.25"), ",2011-03-06,,,,A-2,1,6.00,20", first("2", "5.25"))
    assert staged.codes("1") == set()
    assert accounted(staged) == (2, 1, 0, 0)


@pytest.mark.parametrize(
    "row",
    ["Total,,,,10.50,,,,", ",,,,10.50,,,,", "Grand total:,,,2.00,10.50,,2,8.50,", "Summe,,,,,,2,,", ",,,,,,2,8.50,"],
)
def test_a_row_of_totals_is_a_control(tmp_path: Path, row: str) -> None:
    """Sums that agree with the orders are told; they are no order, no line and no fault."""
    staged = read(tmp_path, first("1", "5.25"), first("2", "5.25"), row)
    assert [order.number for order in staged.orders] == ["1", "2"]
    assert not [problem for order in staged.orders for problem in order.problems]
    assert accounted(staged) == (2, 0, 1, 0)
    assert any("row 4: a totals row, which agrees" in notice for notice in staged.facts.files[0].notices)


def test_order_totals_repeated_on_every_row_are_one(tmp_path: Path) -> None:
    """The control sums an order's total once, or as the spreadsheet did, over the rows."""
    rows = [first("1", "11.25"), first("1", "11.25").replace("A-1,1,4.25", "A-2,1,6.00"), first("2", "5.25")]
    assert accounted(read(tmp_path, *rows, "Total,,,,16.50,,,,")) == (3, 0, 1, 0)
    assert accounted(read(tmp_path, *rows, "Total,,,,27.75,,,,")) == (3, 0, 1, 0)


def test_totals_that_differ_are_reported(tmp_path: Path) -> None:
    """A sum that is not the orders' says that something is missing: it is told with both figures, and needs attention."""
    staged = read(tmp_path, first("1", "5.25"), first("2", "5.25"), "Total,,,,15.75,,,,")
    assert accounted(staged) == (2, 1, 0, 0)
    message = staged.facts.unassigned[0].message
    assert "15.75" in message
    assert "10.50" in message
    assert staged.codes("2") == set()


def test_repeated_headers_are_told_and_counted(tmp_path: Path) -> None:
    """A header again is no row of an order; nor does it part an order from its rows."""
    staged = read(tmp_path, first("1", "11.25"), HEADER, SECOND, first("2", "5.25"))
    assert [line.sku for line in staged["1"].lines] == ["A-1", "A-2"]
    assert accounted(staged) == (3, 0, 0, 1)
    assert any("row 3: the header is repeated" in notice for notice in staged.facts.files[0].notices)


def test_many_rows_without_numbers_are_all_counted(tmp_path: Path) -> None:
    """More of them than are held back are placed one by one."""
    staged = read(tmp_path, first("1", "5.25"), *[SECOND] * 200, first("2", "5.25"), *["junk,,,,,,,,"] * 120)
    assert "order.incomplete" in staged.codes("1")
    assert accounted(staged) == (202, 120, 0, 0)


def test_prices_without_tax_foot_with_it(tmp_path: Path) -> None:
    """orderTotal with tax on top proves rows below as one without does."""
    staged = read(tmp_path, first("1", "13.50"), SECOND, first("2", "6.30"))
    assert [line.sku for line in staged["1"].lines] == ["A-1", "A-2"]


def again(total: str = "", price: str = "6.00", date: str = "2011-03-05") -> str:
    """A row whose number is empty, and whose other order-level cells are those of `first`."""
    return f",{date},GBP,1.00,{total},A-2,1,{price},20"


@pytest.mark.parametrize("total", ["", "11.25"])
def test_a_row_that_repeats_the_order_but_its_number_is_told_of_it(tmp_path: Path, total: str) -> None:
    """The number was merged over the rows, or written once: without the row the order is not proved whole."""
    staged = read(tmp_path, first("1", total), again(total), first("2", "5.25"))
    assert "order.incomplete" in staged.codes("1")
    assert "Row 3" in staged.says("1")
    assert staged.codes("2") == set()
    assert accounted(staged) == (2, 1, 0, 0)


def test_a_row_that_repeats_an_order_that_foots_is_another_order(tmp_path: Path) -> None:
    """Two orders of one minute, of which the second lost its number: the first foots and goes."""
    staged = read(tmp_path, first("1", "5.25"), again("5.25", "4.25"), first("2", "5.25"))
    assert staged.codes("1") == set()
    assert accounted(staged) == (2, 1, 0, 0)


@pytest.mark.parametrize("row", [again(date="2011-03-06"), "X7" + again(), ",2011-03-05,GBP,1.00,,,,,"])
def test_a_row_of_its_own_is_no_part_of_the_order_above(tmp_path: Path, row: str) -> None:
    """Another date, a number that can't be read, or no line at all."""
    staged = read(tmp_path, first("1"), row, first("2", "5.25"))
    assert staged.codes("1") == set()
    assert accounted(staged) == (2, 1, 0, 0)


LINES = f"{HEADER},products.lineId"


def test_a_line_of_the_source_that_stands_twice_blocks(tmp_path: Path) -> None:
    """A join doubled the row: the line's id says that it is one, and no total says that it was sold twice."""
    rows = [f"{first('1')},7", f"{first('1')},7", f"{first('2')},8", f"{first('2')},9"]
    staged = read(tmp_path, *rows, header=LINES)
    assert staged.codes("1") == {"order.overlap"}
    assert "Rows 2 and 3" in staged.says("1")
    assert staged.codes("2") == set()


def test_the_total_decides_whether_a_line_that_stands_twice_is_two(tmp_path: Path) -> None:
    """Some shops number the lines by article: 9.50 is both of them with shipping."""
    staged = read(tmp_path, f"{first('1', '9.50')},7", f"{first('1', '9.50')},7", header=LINES)
    assert staged.codes("1") == set()
    assert len(staged["1"].lines) == 2


def test_a_file_behind_a_file_begins_with_its_mark_and_header(tmp_path: Path) -> None:
    """Joined with `cat`: the second header has a byte order mark of its own, and is the header again."""
    staged = read(tmp_path, first("1", "5.25"), f"\ufeff{HEADER}", first("2", "5.25"))
    assert staged.codes("2") == set()
    assert accounted(staged) == (2, 0, 0, 1)


SWAPPED = HEADER.replace("shippingValue,orderTotal", "orderTotal,shippingValue")


@pytest.mark.parametrize("other", [SWAPPED, "orderNumber,amount,method,,,,,,", f"{HEADER.replace('sku', 'ean')}"])
def test_rows_below_another_header_do_not_go_by_the_first(tmp_path: Path, other: str) -> None:
    """Under a header of other columns, or in another order, an amount may be another one: blocked, with the row named."""
    staged = read(tmp_path, first("1", "5.25"), other, first("2", "5.25"), HEADER, first("3", "5.25"))
    assert staged.codes("1") == set()
    assert staged.codes("2") == {"value.invalid"}
    assert "Row 3 is a header" in staged.says("2")
    assert staged.codes("3") == set()
    assert accounted(staged) == (3, 0, 0, 2)
    assert any("row 3: a header that differs" in notice for notice in staged.facts.files[0].notices)


def test_rows_that_are_one_quoted_cell_are_named(tmp_path: Path) -> None:
    """A spreadsheet put quotation marks around whole rows: the refusal says so, and suggests no rename."""
    from etl.errors import InputError

    with pytest.raises(InputError, match="one cell a row") as refusal:
        stage(tmp_path, {"x.csv": f'"{HEADER}"\n"{first("1")}"\n'})
    assert "columns.csv" not in refusal.value.hint


def test_a_row_of_which_a_quote_is_left_is_no_blank_line(tmp_path: Path) -> None:
    """The last line was cut after its first character: its order may be missing, so the row is reported."""
    path = tmp_path / "orders.csv"
    path.write_text(
        '"orderNumber","currency","products.sku","products.qty","products.unitPrice"\n"1","GBP","A","1","1.50"\n"\n',
        encoding="utf-8",
    )
    with Batch([path], open_export=open_export) as batch:
        facts = batch.load()
        assert [order.number for order in batch.orders()] == ["1"]
    assert facts.unassigned_count == 1
    assert [problem.place.row for problem in facts.unassigned] == [3]
