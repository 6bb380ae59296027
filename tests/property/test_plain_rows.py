"""A row made of what columns gave is the row of the order's status, to the last cell; so are its sums by day and state."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.columns.quick import Report
from etl.pipeline.classify import quick_status
from etl.pipeline.plain_rows import plain_order
from etl.report.excel import Workbook
from etl.report.spool import OrderSpool
from etl.report.tables import OrderTable, order_row, plain_row
from etl.report.tally import Tally

DECIMALS = {"GBP": 2, "JPY": 0, "KWD": 3}
SETS = st.lists(st.lists(st.sampled_from(["UK-S", "UK-R", "=1+1"]), max_size=2).map(tuple), max_size=3, unique=True)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def reports(draw: st.DrawFn) -> Report:
    currency = draw(st.sampled_from(sorted(DECIMALS)))
    moment = draw(MOMENTS)
    booked = (draw(st.integers(-(10**6), 10**6)), draw(st.integers(-(10**6), 10**6)), True)
    return Report(
        draw(st.sampled_from(["1", "536365", "-5", "A-7", "=1"])),
        currency,
        DECIMALS[currency],
        draw(st.one_of(st.just(0), st.integers(-(10**15), 10**15))),
        draw(st.sampled_from(["", "acc-1", "@x"])),
        moment.isoformat(),
        f"{moment:%Y-%m}",
        draw(st.integers(0, 99)),
        tuple((codes, booked) for codes in draw(SETS)),
        (("cat", booked),),
        draw(st.sampled_from([(), ("rebates",), ("rebates", "company")])),
        is_net=draw(st.booleans()),
    )


@given(st.lists(reports(), max_size=30))
def test_both_are_told_alike(tmp_path_factory: pytest.TempPathFactory, found: list[Report]) -> None:
    """A report of a dry run must not say otherwise what the rules would have said."""
    folder = tmp_path_factory.mktemp("told")
    tallies = [Tally(ZoneInfo("Asia/Kathmandu"), DECIMALS) for _ in range(2)]
    whole, plain = tallies
    spools = [OrderSpool(_made(folder / name), DECIMALS, limit=20) for name in ("whole", "plain")]
    tables = [StringIO(newline="") for _ in range(2)]
    sheets = [BytesIO() for _ in range(2)]
    books = [Workbook(sheet, folder / name, DECIMALS) for sheet, name in zip(sheets, ("whole", "plain"), strict=True)]
    for book, currency in product(books, DECIMALS):
        book._money(currency)  # Numbers of styles go by who asks first.
    csv = OrderTable(tables[0])
    mine = list(map(plain_order, found))
    for report, order in zip(found, mine, strict=True):
        status = quick_status(report)
        row = order_row(status, DECIMALS)
        assert plain_row(order) == row
        assert Decimal(order.total) == status.source_total == status.planned_total
        whole.add(status)
        csv.add(row)
        spools[0].add(status, row)
        books[0].add_order(status, row)
    for some in (mine[:7], mine[7:]):
        plain.add_plain(some)
        spools[1].add_plain(some)
        books[1].add_plain(some)
    OrderTable(tables[1]).add_plain(mine)
    for name in ("states", "rows", "amounts", "counts", "groups_money", "months", "days"):
        assert getattr(plain, name) == getattr(whole, name)
    assert plain.groups() == whole.groups()
    assert tables[1].getvalue() == tables[0].getvalue()
    pages = []
    for spool, book in zip(spools, books, strict=True):
        spool.close()
        pages.append(("".join(spool.json_text({})), spool.line_orders(), spool.attention, _rows_on_disk(book)))
    assert pages[0] == pages[1]


def _rows_on_disk(book: Workbook) -> str:
    """The XML of the rows of the sheet of orders, as the library keeps it."""
    sheet = book._orders._sheet
    sheet.fh.flush()
    found = Path(sheet.row_data_filename).read_text(encoding="utf-8")
    book.discard()
    return found


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
