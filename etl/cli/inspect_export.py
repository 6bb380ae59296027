"""centra-mews inspect."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.model.words import counted

COUNTS_SHOWN = 10
_TITLES = {"vat_percents": "VAT rates"}


@click.command("inspect")
@options.exports()
@options.span
@click.pass_obj
def command(console: Console, exports: tuple[Path, ...], start: datetime | None, end: datetime | None) -> int:
    """Say which orders of an export can be read and foot, what keeps the others out, and what is in it. No network.

    Works on the dumps of any shop, without a mapping folder, and uses what there is of one.
    """
    from etl.pipeline.inspection import inspect
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export

    console.start_logging()
    export = Export(exports, Span(options.day(start), options.day(end)))
    with ExitStack() as stack, console.progress() as progress:
        document = inspect(stack, console.settings, export, progress)
    if document["proposals"]:
        show.proposals(console, document["proposals"])
    show.verdict(console, document["verdict"])
    for file in document["files"]:
        _show_file(console, file, has_folder=not document["proposals"])
    console.text(*document["told"])
    _show_orders(console, document)
    console.text(f"Mapping folder {console.settings.mappings}: {document['mapping']}")
    step = document["next"]
    show.step(console, step["what"], step["type"])
    console.result(document)
    return int(document["exit_code"])


def _show_file(console: Console, file: dict[str, Any], *, has_folder: bool) -> None:
    dialect = ", ".join(
        part
        for part in (
            file["encoding"],
            f"delimiter {file['delimiter']!r}" if file["delimiter"] else "",
            f"sheet {file['sheet']}" if file["sheet"] else "",
        )
        if part
    )
    console.text(
        f"{file['file']}: {file['format']}, {dialect or 'no dialect'}, {file['vocabulary']} names, {file['rows']:,} rows ({file['rows_of_orders']:,} of orders)"
    )
    for line in file["style"]:
        console.text(f"  {line}")
    columns = file["columns"]
    console.text(f"  {len(columns['used'])} columns used: {', '.join(columns['used'])}")
    for why in dict.fromkeys(row["why"] for row in columns["not_migrated"]):
        names = [row["column"] for row in columns["not_migrated"] if row["why"] == why]
        told = why if has_folder or why != "left out by columns.csv" else "the orders foot without them"
        console.text(f"  not migrated: {', '.join(names)} ({told})")
    if columns["renamed"]:
        renamed = ", ".join(f"{row['column']} is {row['field']}" for row in columns["renamed"])
        console.text(f"  renamed: {renamed}")
    if columns["missing"]:
        console.text(f"  missing: {', '.join(columns['missing'])}")


def _show_orders(console: Console, document: dict[str, Any]) -> None:
    orders, lines, dates = document["orders"], document["lines"], document["dates"]
    console.text(
        f"{orders['read']:,} orders ({orders['returns']:,} returns, {orders['unreadable']:,} with unreadable values), "
        f"{lines['read']:,} lines, {lines['unassigned']:,} rows without order number, "
        f"{dates['first']} to {dates['last']}"
    )
    for title in ("statuses", "currencies", "countries", "vat_percents", "store_types", "captures"):
        _show_counts(console, title, document[title], document["money"].get(title, {}))
    console.table(
        "By month",
        ["month", "money"],
        [(month, show.money(sums)) for month, sums in document["months"].items()],
        right=[1],
    )
    names = ["lines", "shipping", "voucher", "orderTotal"]
    console.table(
        "Sums of the export",
        ["currency", *names],
        [
            [currency, *(show.grouped(sums.get(name, "")) for name in names)]
            for currency, sums in document["sums"].items()
        ],
        right=range(1, 5),
    )
    show.stated(console, document["stated"])
    _show_footing(console, document["footing"], document["sums"])
    gaps = document["number_gaps"]
    if gaps["gaps"]:
        console.text(
            f"  {counted(gaps['missing_numbers'], 'number|numbers is|are')} missing in {counted(gaps['gaps'], 'gap|gaps')}, first {', '.join(gaps['examples'][:3])}; "
            "compare with the shop's own report (controls.csv)"
        )


def _show_counts(console: Console, title: str, counts: dict[str, int], sums: dict[str, list[dict[str, str]]]) -> None:
    """What was met of one kind, with its money; what is more than a screen is in --json."""
    shown = list(counts.items())[:COUNTS_SHOWN]
    name = _TITLES.get(title, title.replace("_", " "))
    if len(shown) == 1:
        word, count = shown[0]
        console.text(f"  {name}: {word} {count:,}")
        return
    rows = [(word, f"{count:,}", show.money(sums.get(word, []))) for word, count in shown]
    counted = "lines" if title == "vat_percents" else "orders"
    console.table(name[:1].upper() + name[1:], ["", counted, "money"], rows, right=[1, 2])
    if len(counts) > len(shown):
        console.text(f"  {name}: {len(counts) - len(shown)} more in --json")


def _show_footing(console: Console, footing: dict[str, Any], sums: dict[str, Any]) -> None:
    from etl.pipeline.readings import CONTRACT

    total, readings = footing["orders_with_total"], footing["readings"]
    if not total:
        has_total = any(row.get("orderTotal", "0.00") != "0.00" for row in sums.values())
        what = "no order whose amounts can be read has a total" if has_total else "no orderTotal"
        console.text(f"  {what}: nothing in the export proves what the columns mean")
        return
    console.text(f"  orderTotal proves {CONTRACT} for {readings.get(CONTRACT, 0):,} of {total:,} orders")
    for name in footing["better"]:
        console.text(f"  better: {name}: {readings[name]:,} orders")
    if footing["in_no_reading"]:
        console.text(f"  in no reading: {', '.join(footing['in_no_reading'])}")
