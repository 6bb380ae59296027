"""Orders taken over from the plan open in the page to what `PlainDetail.whole` says of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Page, browser_page, chromium
from plain_orders import packed_plain_orders, plain_orders
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of
from unpacked import unpacked

from etl.report.facts import Opened, PackedOrders
from etl.report.writer import ReportWriter

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium here")


FORMS = ("whole", "entries", "columns", "mixed")
"""With a value for every entry, as lines of the plan, as columns of many orders, these and lines of the plan."""


def page_of(folder: Path, form: str) -> Path:
    """A report of as many orders."""
    found: dict[str, Opened] = {one.number: one.whole if form == "whole" else one for one in plain_orders()}
    packed = {"columns": packed_plain_orders(), "mixed": packed_plain_orders()[1:]}.get(form, [])
    return written(folder, found, packed)


def written(folder: Path, found: Mapping[str, Opened], packed: Sequence[PackedOrders]) -> Path:
    """A report of these orders, some of which are packed."""
    samples = order_statuses(len(found), ugly=False)
    orders = [replace(order, number=number) for order, number in zip(samples, found, strict=True)]

    def details(numbers: Collection[str]) -> Iterator[Opened]:
        return iter([found[number] for number in numbers])

    writer = ReportWriter(folder, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    summary = summary_of(iter(orders))
    writer.close(summary.document("dry-run"), report_facts(summary), details, packed)
    return folder / "report.html"


def opened(page: Page, orders: int) -> list[str]:
    """What so many orders open to, one after the other."""
    texts = []
    for at in range(orders):
        page.run(f"document.querySelectorAll('.open-order')[{at}].click()")
        page.wait_for("document.querySelector('tr.detail table.entries')")
        texts.append(page.run("document.querySelector('tr.detail').innerText"))
        page.run(f"document.querySelectorAll('.open-order')[{at}].click()")
    return texts


def test_units_without_tax_open_to_what_stands_in_the_columns(tmp_path: Path) -> None:
    """The unit tells what is sent, and beside it stands what is booked with tax."""
    packed = packed_plain_orders(is_net=True)
    found = {number: detail for one in packed for number, detail in unpacked(one.data()).items()}
    seen = []
    with browser_page() as page:
        page.size(1280)
        for form, its in (("whole", []), ("columns", packed)):
            page.open(written(tmp_path / form, found, its))
            seen.append(opened(page, len(found)))
            assert page.complaints() == []
    assert seen[0] == seen[1]
    assert "24.00\t-4.00\t20.00" in seen[0][0]


def test_they_open_to_the_same_in_every_form(tmp_path: Path) -> None:
    """Amounts of either sign and size, currencies without decimals, names and rules."""
    seen = []
    with browser_page() as page:
        page.size(1280)
        for form in FORMS:
            page.open(page_of(tmp_path / form, form))
            seen.append(opened(page, len(plain_orders())))
            assert page.complaints() == []
    assert all(texts == seen[0] for texts in seen)
    assert "214,748,364,699,978,525,163.53" in "".join(seen[0])
