from __future__ import annotations

import csv
import json
import os
import re
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from report_samples import PRECISIONS, UGLY, order_statuses, report_facts, summary_of, unassigned_problem

from etl.errors import InternalError, UsageError
from etl.model.plan import Basis
from etl.model.problem import Problem, notice
from etl.model.status import OrderStatus, ReportState
from etl.report.folder import OUTPUTS
from etl.report.tables import ORDER_COLUMNS
from etl.report.writer import ReportWriter


class Page(HTMLParser):
    """Elements and scripts of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def write(folder: Path, orders: list[OrderStatus], **changes: Any) -> list[Path]:
    summary = summary_of(iter(orders))
    facts = report_facts(summary, **changes)
    writer = ReportWriter(folder, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    document = summary.document("dry-run", plan=facts.plan, run_id=facts.run_id, exit_code=facts.exit_code)
    return writer.close(document, facts)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_folder_and_its_files_are_private(tmp_path: Path) -> None:
    """Reports hold people's orders: nobody else on the machine may read them."""
    old = os.umask(0)
    try:
        paths = write(tmp_path / "a" / "report", list(order_statuses(5)))
    finally:
        os.umask(old)
    assert sorted(path.name for path in (tmp_path / "a" / "report").iterdir()) == sorted(OUTPUTS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert stat.S_IMODE((tmp_path / "a" / "report").stat().st_mode) == 0o700


def test_orders_csv_holds_every_order_exactly(tmp_path: Path) -> None:
    """The exact record has one row for each order, with the columns that scripts rely on, and its sums are the plan's."""
    orders = list(order_statuses(300))
    write(tmp_path, orders)
    rows = rows_of(tmp_path / "orders.csv")
    assert tuple(rows[0])[:10] == (
        "order", "state", "problem", "currency", "source_total", "planned_total", "difference", "account_id",
        "mews_order_id", "message",
    )  # fmt: skip
    assert [row["order"] for row in rows] == [order.number for order in orders]
    assert [row["state"] for row in rows] == [order.state.value for order in orders]
    for row, order in zip(rows, orders, strict=True):
        assert row["source_total"] == ("" if order.source_total is None else str(order.source_total))
        assert Decimal(row["planned_total"]) == order.planned_total
        assert row["difference"] == ("" if order.difference is None else str(order.difference))
        assert row["problem"].split() == sorted({problem.code for problem in order.problems if problem.is_error})


def test_orders_csv_starts_without_a_byte_order_mark(tmp_path: Path) -> None:
    """A script must find the first column under the name `order`."""
    write(tmp_path, [])
    assert (tmp_path / "orders.csv").read_bytes() == (",".join(ORDER_COLUMNS) + "\n").encode()


def test_problems_csv_has_one_row_for_each_problem_and_notice(tmp_path: Path) -> None:
    """Nothing that was found may be missing from the list that people work through."""
    orders = list(order_statuses(300))
    summary = summary_of(iter(orders))
    writer = ReportWriter(tmp_path, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    writer.add_unassigned(unassigned_problem())
    writer.close(summary.document("dry-run"), report_facts(summary))
    rows = rows_of(tmp_path / "problems.csv")
    assert tuple(rows[0])[:8] == ("severity", "code", "order", "file", "row", "column", "value", "hint")
    expected = [(p.severity.value, p.code, p.order) for order in orders for p in order.problems]
    assert [(row["severity"], row["code"], row["order"]) for row in rows[:-1]] == expected
    assert rows[-1] == {
        "severity": "error", "code": "order.number_missing", "order": "", "file": "orders.csv", "row": "812",
        "column": "orderNumber", "value": "'=A1", "hint": "Fill in orderNumber with digits only.",
        "message": "'=A1' is no order number.", "sheet": "",
    }  # fmt: skip


def test_an_order_that_needs_attention_always_says_why(tmp_path: Path) -> None:
    """A changed order whose only remark is a notice must not look like one without a reason."""
    remark = notice("country.default", "GB was used.", order="1")
    write(
        tmp_path,
        [
            OrderStatus("1", ReportState.UNKNOWN, problems=(remark,)),
            OrderStatus("2", ReportState.READY, problems=(replace(remark, order="2"),)),
        ],
    )
    rows = rows_of(tmp_path / "orders.csv")
    assert [(row["problem"], row["notices"]) for row in rows] == [("country.default",) * 2, ("", "country.default")]


def test_amounts_use_the_currencys_own_decimals(tmp_path: Path) -> None:
    """Yen have no decimals and dinars three; a column of cents would be wrong for both."""
    write(
        tmp_path,
        [
            OrderStatus("1", ReportState.READY, "JPY", Basis.GROSS, Decimal(1200), Decimal(1200), "JPY"),
            OrderStatus("2", ReportState.READY, "KWD", Basis.GROSS, Decimal("1.5"), Decimal("1.5"), "KWD"),
            OrderStatus("3", ReportState.CHANGED, "GBP", Basis.GROSS, Decimal("1.5"), Decimal(7), "EUR"),
        ],
    )
    rows = rows_of(tmp_path / "orders.csv")
    shown = [(row["source_total"], row["planned_total"], row["difference"]) for row in rows]
    assert shown == [("1200", "1200", "0"), ("1.500", "1.500", "0.000"), ("1.50", "7.00", "")]


def test_summary_json_is_the_json_document(tmp_path: Path) -> None:
    """Scripts that read `--json` must find the same keys and values in the folder."""
    orders = list(order_statuses(50))
    summary = summary_of(iter(orders))
    facts = report_facts(summary)
    writer = ReportWriter(tmp_path, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    document = summary.document("dry-run", plan=facts.plan, exit_code=3)
    writer.close(document, facts)
    stored = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert {key: stored[key] for key in document} == json.loads(json.dumps(document))
    assert stored["generated_utc"] == "2024-05-03T14:05:09Z"


def test_the_command_fails_where_counts_differ(tmp_path: Path) -> None:
    """Guarantee 7.10: a report that lost an order is no report, and the earlier one stays."""
    write(tmp_path, list(order_statuses(3)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    orders = list(order_statuses(4))
    summary = summary_of(iter(orders))
    writer = ReportWriter(tmp_path, currency_precisions=PRECISIONS)
    for order in orders[1:]:
        writer.add(order)
    with pytest.raises(InternalError) as caught:
        writer.close(summary.document("dry-run"), report_facts(summary))
    assert caught.value.code == "internal.count"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_aborted_report_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    """An interrupted command must leave neither half a report nor temporary files with people's data."""
    for folder, left in ((tmp_path / "new", None), (tmp_path, [])):
        writer = ReportWriter(folder, currency_precisions=PRECISIONS)
        for order in order_statuses(20):
            writer.add(order)
        writer.abort()
        assert (list(folder.iterdir()) if folder.exists() else None) == left


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """A full disk must end in a clear error, with the earlier report whole."""
    write(tmp_path, list(order_statuses(3)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError) as caught, small_disk(60_000):
        write(tmp_path, list(order_statuses(3000)))
    assert caught.value.code == "report.unwritable"
    assert str(tmp_path) in caught.value.message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_at_the_end_is_the_same_sentence(tmp_path: Path) -> None:
    """The page and the workbook are written last; a disk that fills up then must not end in a traceback."""
    orders = list(order_statuses(400))
    summary = summary_of(iter(orders))
    writer = ReportWriter(tmp_path / "new", currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    with pytest.raises(UsageError) as caught, small_disk(20_000):
        writer.close(summary.document("dry-run"), report_facts(summary))
    assert caught.value.code == "report.unwritable"
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_folders_place_is_a_sentence(tmp_path: Path) -> None:
    """`--report orders.csv` is a likely slip."""
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError) as caught:
            ReportWriter(folder, currency_precisions=PRECISIONS)
        assert caught.value.code == "report.unwritable"


def test_somebodys_own_file_is_never_replaced(tmp_path: Path) -> None:
    """`dry-run orders.csv --report .` must not overwrite the export that it was given."""
    export = tmp_path / "orders.csv"
    export.write_text("orderNumber\n1\n")
    with pytest.raises(UsageError) as caught:
        ReportWriter(tmp_path, currency_precisions=PRECISIONS)
    assert caught.value.code == "report.overwrites"
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(UsageError):
        ReportWriter(tmp_path, currency_precisions=PRECISIONS, inputs=[export])
    assert export.read_text() == "orderNumber\n1\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_report_may_be_written_again(tmp_path: Path) -> None:
    """The usual second dry run into the same folder replaces the first report."""
    write(tmp_path, list(order_statuses(3)))
    write(tmp_path, list(order_statuses(2)))
    assert len(rows_of(tmp_path / "orders.csv")) == 2


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    """The page must work on a machine without a network, and must not call anybody."""
    write(tmp_path, list(order_statuses(300)))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
    outside = {"src", "href", "srcset", "action", "background", "data", "poster"}
    within = {"href": "#orders"}
    assert not [
        (tag, attrs)
        for tag, attrs in page.tags
        if tag in {"link", "iframe", "base"} or any(attrs[name] != within.get(name) for name in outside & attrs.keys())
    ]
    assert "url(" not in text
    assert "@import" not in text


def test_nothing_of_the_export_becomes_markup(tmp_path: Path) -> None:
    """A product called `</script>` must not run in the accountant's browser."""
    orders = [
        OrderStatus(str(at), ReportState.BLOCKED, problems=(Problem("value.invalid", str(at), message=text),))
        for at, text in enumerate(UGLY)
    ]
    name = 'Hôtel <img src=x onerror=alert(1)> "&" Söhne'
    write(tmp_path, orders, enterprise_name=name, plan='sha256:"</style><b>', notes=["<i>note</i>"])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not [tag for tag, attrs in page.tags if tag == "img" or "onerror" in attrs]
    assert name in page.text
    assert len(page.scripts) == 2
    data = json.loads(page.scripts[0])
    at = data["columns"].index("message")
    assert [row[at] for row in data["rows"]] == [text.replace("\ud800", "\ufffd") for text in UGLY]
    assert not re.search("[<>&]", page.scripts[0])


def test_orders_needing_attention_come_first_in_the_page(tmp_path: Path) -> None:
    """In a long history the table must show what a person has to act on, whatever its number."""
    orders = list(order_statuses(500))
    write(tmp_path, orders)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    data = json.loads(page.scripts[0])
    needing = [order.number for order in orders if order.state.needs_attention]
    others = [order.number for order in orders if not order.state.needs_attention]
    assert [row[0] for row in data["rows"]] == needing + others


def test_the_page_shows_the_totals_and_whom_they_are_for(tmp_path: Path) -> None:
    """What the accountant signs: enterprise, plan, run, files with hashes, sums."""
    orders = list(order_statuses(200))
    write(tmp_path, orders)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    summary = summary_of(iter(orders))
    shown = [
        "Hôtel <Étoile> & Spa",
        "sha256:" + "5f" * 32,
        "20240503-140509-7c1e",
        "ab" * 32,
        "Prepared by",
        "Reviewed by",
    ]
    shown += [f"{Decimal(row['source']):,}" for row in summary.document("dry-run")["totals"]]
    assert not [part for part in shown if part not in text]


def test_an_empty_batch_has_a_report_too(tmp_path: Path) -> None:
    """No order at all (a date range without orders) must not end in a traceback."""
    write(tmp_path, [], feasibility=None, footing=None, files=[], sections=[], balances=[], notes=[], run_id="")
    assert "0 read = 0" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_the_workbook_holds_numbers_as_numbers_and_texts_as_texts(tmp_path: Path) -> None:
    """An accountant sums the column; nobody's text may run as a formula or break the file."""
    orders = [
        OrderStatus(
            f"00{at}", ReportState.BLOCKED, "GBP", Basis.GROSS, Decimal("-1234.56"), message=text, account_id="<&>"
        )
        for at, text in enumerate([*UGLY, "_x0041_", "x" * 40_000, "  spaces  "])
    ]
    write(tmp_path, orders)
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    assert book.sheetnames[:6] == ["Summary", "Totals", "Months", "Taxes", "Problems", "Orders"]
    sheet = book["Orders"]
    assert sheet.freeze_panes == "A2"
    assert [table.ref for table in sheet.tables.values()] == [f"A1:K{len(orders) + 1}"]
    assert [table.autoFilter.ref for table in sheet.tables.values()] == [f"A1:K{len(orders) + 1}"]
    assert sheet.print_area == f"'Orders'!$A$1:$I${len(orders) + 1}"
    assert [cell.alignment.horizontal for cell in sheet[1][4:7]] == ["right"] * 3
    rows = list(sheet.iter_rows(min_row=2))
    assert [row[0].value for row in rows] == [order.number for order in orders]
    assert {row[4].value for row in rows} == {-1234.56}
    assert {row[4].number_format for row in rows} == {"#,##0.00\\ [$GBP]"}
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} <= {"n", "s", "inlineStr"}
    texts = [row[8].value for row in rows]
    assert texts[0] == UGLY[0]
    assert texts[1] == UGLY[1]
    assert texts[2] == "'<r>not rich</r>"
    assert texts[-3] in ("_x0041_", "_x005F_x0041_")
    assert len(texts[-2]) < 32_767
    assert texts[-1] == "  spaces  "


def test_every_sheet_of_sums_agrees_with_the_document(tmp_path: Path) -> None:
    """The workbook and the `--json` document must never tell two stories."""
    orders = list(order_statuses(200))
    write(tmp_path, orders)
    document = summary_of(iter(orders)).document("dry-run")
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    for name, key, column in (
        ("Totals", "totals", "source"),
        ("Months", "months", "planned"),
        ("Taxes", "taxes", "gross"),
    ):
        sheet = book[name]
        at = [cell.value for cell in sheet[1]].index(column.capitalize())
        cells = [row[at].value for row in sheet.iter_rows(min_row=2, max_row=len(document[key]) + 1)]
        assert [Decimal(str(cell)) for cell in cells] == [Decimal(row[column]) for row in document[key]], name
