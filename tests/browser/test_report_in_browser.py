"""report.html in a real browser: what an accountant sees wide, on a phone, in the dark, on paper, and by the keyboard.

Left out where no Chromium is installed; `.ci/run` installs one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from browser import Page, browser_page, chromium
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of

from etl.report.facts import EntryRow, OrderDetail, SourceRows
from etl.report.writer import ReportWriter

pytestmark = [pytest.mark.skipif(chromium() is None, reason="no Chromium here"), pytest.mark.slow]
ORDERS = 400
PHONE = 390
TOO_WIDE = """
[...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && one.getClientRects().length
  && !one.closest('.hidden, .skip, .inside') && one.getBoundingClientRect().right > WIDTH + 0.5)
  .map(one => one.tagName + '.' + one.className + ': ' + one.textContent.slice(0, 40))
"""
BROKEN = """
[...document.querySelectorAll('.n, td.money, td.count')].filter(one => one.checkVisibility() && !one.closest('.cards td'))
  .filter(one => { const range = document.createRange(); range.selectNodeContents(one);
    const tops = new Set([...range.getClientRects()].filter(box => box.width > 1).map(box => Math.round(box.bottom)));
    return tops.size > 1 && !one.querySelector('*') })
  .map(one => one.textContent)
"""
BROKEN_TEXT = """
(() => { const bad = []; const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const node = walk.currentNode;
    if (!node.parentElement.checkVisibility() || node.parentElement.closest('.inside, td.code, .mono, .source, script, style')) continue;
    for (const found of node.data.matchAll(/-?\\d[\\d,]*\\.\\d+/g)) { const range = document.createRange();
      range.setStart(node, found.index); range.setEnd(node, found.index + found[0].length);
      const tops = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
      if (tops.size > 1) bad.push(found[0]); } }
  return bad })()
"""


def details(numbers: Collection[str]) -> Iterator[OrderDetail]:
    """Two lines for each order, as an export and a plan would have given them."""
    for number in numbers:
        cells = [
            (2, ("SKU-1", "3", "12.50", "A very long name of a product that nobody would ever shorten")),
            (3, ("SKU-2", "1", "4.00", "")),
        ]
        source = SourceRows(
            "orders.csv",
            (("orderNumber", "email"), ("sku", "qty", "price", "name")),
            [((number, "a@example.com"), cells)],
        )
        entries = [
            EntryRow(
                f"p{at}",
                f"Product {at}",
                "3",
                "12.50",
                "UK-S",
                "31.25",
                "6.25",
                "37.50",
                "6.25",
                "37.50",
                f"row {at + 1}",
                "taxes.csv, row 2",
            )
            for at in (1, 2)
        ]
        yield OrderDetail(number, f"These rows carry the order number {number}.", [source], entries)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 400 made-up orders in three currencies."""
    folder = tmp_path_factory.mktemp("browser") / "report"
    orders = list(order_statuses(ORDERS))
    summary = summary_of(iter(orders))
    facts = report_facts(summary, next_steps=["Post 12 orders, GBP 1,234.56 in all, with centra-mews run orders.csv."])
    writer = ReportWriter(folder, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    document = summary.document("dry-run", plan=facts.plan, run_id=facts.run_id, exit_code=3)
    writer.close(document, facts, details)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """One browser for all tests of this module."""
    with browser_page() as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    """The report, open in a wide window by daylight."""
    browser.scripts(on=True)
    browser.size(1280)
    browser.scheme("light")
    browser.open(report)
    return browser


def test_the_console_stays_silent_and_nobody_is_asked(page: Page, report: Path) -> None:
    """An error in the console is a broken table; a request is people's data on its way out."""
    page.run("document.querySelector('.open-order').click()")
    page.wait_for("document.querySelector('tr.detail table.entries')")
    assert page.complaints() == []
    assert page.requests() == [report.resolve().as_uri()]


def test_the_parts_stand_in_the_order_of_the_story(page: Page) -> None:
    """Verdict and money first, hashes last (design section 8)."""
    assert page.run("[...document.querySelectorAll('main > section')].map(one => one.id)") == [
        "verdict", "bridge", "totals", "problems", "unproved", "balances", "orders", "provenance", "certificate",
    ]  # fmt: skip
    first = page.run("document.body.innerText.slice(0, 800)")
    assert "need attention" in first
    assert "sha256" not in first


def test_dark_is_dark(page: Page) -> None:
    """A white page at night is what people turn away from; what is dark must be readable too."""
    colours = "['backgroundColor', 'color'].map(name => getComputedStyle(document.querySelector('section'))[name])"
    light = page.run(colours)
    page.scheme("dark")
    dark = page.run(colours)
    assert light != dark
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (*light, *dark)]
    assert brightness[0] > 600 > brightness[1]
    assert brightness[2] < 200 < 500 < brightness[3]


@pytest.mark.parametrize("width", [320, PHONE, 700, 1024])
def test_nothing_is_wider_than_the_screen(page: Page, report: Path, width: int) -> None:
    """On a phone the figures must be there without pushing the page sideways."""
    page.size(width, 844, is_phone=width < 700)
    page.open(report)
    page.run("document.querySelectorAll('main details').forEach(one => { one.open = true })")
    if width <= PHONE:
        assert page.run(TOO_WIDE.replace("WIDTH", str(width))) == []
    assert page.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, PHONE, 560, 900, 1280])
def test_no_figure_is_broken_inside(page: Page, report: Path, width: int) -> None:
    """GBP 528. at the end of one line and 77 on the next is two other numbers."""
    page.size(width, 844, is_phone=width < 700)
    page.open(report)
    assert page.run("document.querySelectorAll('.n').length") > 20
    assert page.run(BROKEN) == []
    assert page.run(BROKEN_TEXT) == []


def test_figures_and_their_headings_align_right(page: Page) -> None:
    """A column of money is added up by the eye."""
    aligned = "[...document.querySelectorAll('th.money, th.count, td.money, td.count')].map(one => getComputedStyle(one).textAlign)"
    assert set(page.run(aligned)) == {"right"}


def test_the_keyboard_reaches_the_table_and_opens_an_order(page: Page) -> None:
    """Who works without a mouse must reach, sort and open what needs attention."""
    page.run("document.getElementById('q').focus()")
    seen = []
    for _ in range(40):
        page.key("Tab", 9)
        seen.append(page.run("document.activeElement.className || document.activeElement.textContent"))
        if seen[-1] == "open-order":
            break
    assert seen[-1] == "open-order", seen
    page.key("Enter", 13, "\r")
    page.wait_for("document.querySelector('tr.detail table.entries')")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_an_order_opens_to_its_rows_beside_its_entries(page: Page) -> None:
    """Which cell of which row became which entry with which tax: what one signs without asking."""
    number = page.run("document.querySelector('.open-order').textContent")
    page.run("document.querySelector('.open-order').click()")
    page.wait_for("document.querySelector('tr.detail table.entries')")
    text = page.run("document.querySelector('tr.detail').innerText")
    for shown in (
        f"order number {number}",
        "a@example.com",
        "orders.csv",
        "SKU-1",
        "Tax, predicted",
        "Tax, booked",
        "taxes.csv, row 2",
    ):
        assert shown in text
    page.run("document.querySelector('.open-order').click()")
    assert page.run("document.querySelectorAll('tr.detail').length") == 0


def test_a_line_of_the_bridge_leads_to_its_orders(page: Page) -> None:
    """A line that is not zero is a question: which ones?"""
    page.run("document.querySelectorAll('#table-bridge details').forEach(one => { one.open = true })")
    page.run("document.querySelector('a[data-line=blocked]').click()")
    states = page.run("[...new Set([...document.querySelectorAll('#orders-body .pill')].map(one => one.textContent))]")
    assert states == ["blocked"]


def test_search_finds_by_any_text(page: Page) -> None:
    """Number, code, account or message: a person has one of them in hand."""
    number = page.run("document.querySelectorAll('.open-order')[7].textContent")
    page.run(
        f"document.getElementById('q').value = '{number}'; document.getElementById('q').dispatchEvent(new Event('input'))"
    )
    page.wait_for("document.getElementById('count').textContent.includes('match')")
    assert page.run("document.querySelector('.open-order').textContent") == number


def test_without_scripts_the_orders_that_need_attention_are_there(page: Page, report: Path) -> None:
    """Mail programs and strict browsers run no scripts; what needs a person must be readable all the same."""
    page.scripts(on=False)
    page.open(report)
    found = page.call("DOM.getDocument", depth=0)["root"]["nodeId"]
    opened = page.call("DOM.querySelectorAll", nodeId=found, selector="details.opened")["nodeIds"]
    assert len(opened) == sum(order.state.needs_attention for order in order_statuses(ORDERS))
    text = page.call("DOM.getOuterHTML", nodeId=opened[0])["outerHTML"]
    assert "SKU-1" in text
    assert "taxes.csv, row 2" in text


def test_it_prints_on_a4_with_its_plan_on_each_page(page: Page) -> None:
    """Paper leaves the file behind: each page says which plan it belongs to, and the lines to sign stand together."""
    pdf = page.pdf()
    sizes = {tuple(round(float(one)) for one in box.split()) for box in re.findall(rb"/MediaBox \[([^\]]+)\]", pdf)}
    assert {(box[2], box[3]) for box in sizes} <= {(595, 842), (594, 842), (596, 842)}
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 3
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run("getComputedStyle(document.querySelector('.signing')).breakInside") == "avoid"
        assert page.run("getComputedStyle(document.getElementById('controls')).display") == "none"
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
    margins = page.run(
        "[...document.styleSheets[0].cssRules].filter(one => one instanceof CSSPageRule).map(one => one.cssText).join()"
    )
    assert "plan sha256:" in margins
    assert "counter(pages)" in margins


def test_the_printed_bridge_names_its_currencies(page: Page) -> None:
    """On paper nobody can open a line, but everybody must know whether it is pounds or yen."""
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        heads = page.run("[...document.querySelectorAll('#table-bridge .group th')].map(one => one.checkVisibility())")
        assert heads
        assert all(heads)
        # A page of a table of orders holds more than a few of them.
        width = page.run("document.querySelector('#orders-body td.message').getBoundingClientRect().width")
        assert width > 0.3 * page.run("document.querySelector('#orders-table').getBoundingClientRect().width")
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_an_opened_order_leaves_the_table_as_wide_as_it_was(page: Page) -> None:
    """Forty columns of an export scroll in their own box; they must not push the other orders off the screen."""
    width = "document.querySelector('#orders-table').getBoundingClientRect().width"
    before = page.run(width)
    page.run("document.querySelector('.open-order').click()")
    page.wait_for("document.querySelector('tr.detail table.entries')")
    assert page.run("document.querySelector('tr.detail table.source').style.minWidth = '3000px'")
    assert page.run(width) == before
    assert page.run("document.querySelector('tr.detail .inside').scrollWidth") >= 3000


def test_the_ends_of_the_bridge_lead_to_their_orders_too(page: Page) -> None:
    """All that was sold, and all that is in Mews, of the line's own currency."""
    page.run("document.querySelector('#table-bridge a[data-line=source][data-currency=EUR]').click()")
    currencies = "[...new Set([...document.querySelectorAll('#orders-body td.currency')].map(one => one.textContent))]"
    assert page.run(currencies) == ["EUR"]


@pytest.mark.parametrize("width", [PHONE, 1000, 1280])
def test_no_figure_stands_out_of_its_tile(page: Page, report: Path, width: int) -> None:
    """`GBP without tax` and its figure are longer than a tile: the figure goes below, whole."""
    page.size(width, 844, is_phone=width < 700)
    page.open(report)
    page.run(
        "document.querySelectorAll('.tiles b i').forEach(one => { one.textContent = 'GBP without tax' });"
        "document.querySelectorAll('.tiles b .n').forEach(one => { one.textContent = '12,345,678.90' })"
    )
    outside = page.run(
        "[...document.querySelectorAll('.tiles .n')].filter(one => one.getBoundingClientRect().right"
        " > one.closest('li').getBoundingClientRect().right).map(one => one.textContent)"
    )
    assert outside == []
