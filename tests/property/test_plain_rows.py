"""A row made of what columns gave is the row of the order's status, to the last cell; so are its sums by day and state."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.columns.quick import Report
from etl.pipeline.classify import quick_status
from etl.pipeline.plain_rows import PlainRows
from etl.report.spool import OrderSpool
from etl.report.tables import order_row
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
    )


@given(st.lists(reports(), max_size=4))
def test_both_are_told_alike(tmp_path_factory: pytest.TempPathFactory, found: list[Report]) -> None:
    """A report of a dry run must not say otherwise what the rules would have said."""
    rows = PlainRows()
    whole, plain = (Tally(ZoneInfo("Asia/Kathmandu"), DECIMALS) for _ in range(2))
    folder = tmp_path_factory.mktemp("spools")
    spools = [OrderSpool(_made(folder / name), DECIMALS) for name in ("whole", "plain")]
    for report in found:
        status, mine = quick_status(report), rows.of(report)
        assert mine.row == order_row(status, DECIMALS)
        assert mine.total == status.source_total == status.planned_total
        whole.add(status)
        plain.add_plain(mine)
        spools[0].add(status, order_row(status, DECIMALS))
        spools[1].add_plain(mine)
    for name in ("states", "rows", "amounts", "counts", "groups_money", "months", "days"):
        assert getattr(plain, name) == getattr(whole, name)
    assert plain.groups() == whole.groups()
    pages = []
    for spool in spools:
        spool.close()
        pages.append(("".join(spool.json_text({})), spool.line_orders(), spool.attention))
    assert pages[0] == pages[1]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
