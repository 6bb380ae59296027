"""The page of a year, 25,897 orders of 20 lines as the real one has, and what it takes to open, search and write it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from browser import browser_page
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of

from etl.report.facts import EntryRow, OrderDetail, SourceRows
from etl.report.writer import ReportWriter

ORDERS, LINES = 25_897, 20
_HEADERS = (("orderNumber", "email"), ("sku", "qty", "unitPrice", "product"))
_SEARCH = """
new Promise(done => {
  const box = document.getElementById('q'), count = document.getElementById('count'), before = count.textContent;
  const start = performance.now();
  box.value = 'WORD'; box.dispatchEvent(new Event('input'));
  const look = () => count.textContent !== before ? done((performance.now() - start) / 1000) : setTimeout(look, 1);
  look();
})
"""


@dataclass(frozen=True, slots=True)
class YearPage:
    """What was seen. *Units*: seconds. `complaints`: of the browser's console."""

    opens: float
    searches: float
    opens_order: float
    shown: str
    found: str
    complaints: list[object]


def details(numbers: Collection[str]) -> Iterator[OrderDetail]:
    """As many lines as the real year has, no two orders alike."""
    for number in numbers:
        lines = [(at, (f"{number}-{at}", "3", f"{at}.95", f"PRODUCT {number} {at}")) for at in range(2, LINES + 2)]
        entries = [
            EntryRow(f"p{at}", cells[3], "3", cells[2], "UK-S", "1.00", "0.20", "1.20", origin=f"row {at}", rule="taxes.csv, row 2")
            for at, cells in lines
        ]  # fmt: skip
        source = SourceRows("orders.csv", _HEADERS, [((number, f"{number}@example.com"), lines)])
        yield OrderDetail(number, f"These rows carry the order number {number}.", [source], entries)


def write_year(folder: Path) -> Path:
    """The report of a year; its page."""
    writer = ReportWriter(folder, currency_precisions=PRECISIONS)
    for order in order_statuses(ORDERS, ugly=False):
        writer.add(order)
    summary = summary_of(order_statuses(ORDERS, ugly=False))
    writer.close(summary.document("dry-run"), report_facts(summary), details)
    return folder / "report.html"


def look_at(page_file: Path) -> YearPage:
    """Opens the page three times, searches four words of which the first makes ready, and opens an order."""
    with browser_page() as page:
        page.size(1280)
        opens = min(page.open(page_file) for _ in range(3))
        shown = page.run("document.getElementById('count').textContent")
        searches = [page.run(_SEARCH.replace("WORD", word)) for word in ("blocked", "tax.unmapped", "5371", "GBP")]
        found = page.run("document.getElementById('count').textContent")
        started = time.perf_counter()
        page.run("document.querySelector('.open-order').click()")
        page.wait_for("document.querySelector('tr.detail table.entries')")
        opened = time.perf_counter() - started
        return YearPage(opens, min(searches[1:]), opened, shown, found, page.complaints())
