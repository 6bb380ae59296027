"""centra-mews inspect."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from etl.cli import options
from etl.cli.console import Console


@click.command("inspect")
@options.exports()
@options.span
@click.pass_obj
def command(console: Console, exports: tuple[Path, ...], start: datetime | None, end: datetime | None) -> int:
    """Show what is in an export: format, dialect, columns, orders, dates, sums, first problems. No network."""
    from etl.pipeline.inspection import inspect
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export

    console.start_logging()
    export = Export(exports, Span(options.day(start), options.day(end)))
    with ExitStack() as stack, console.progress() as progress:
        document = inspect(stack, console.settings, export, progress)
    for file in document["files"]:
        _show_file(console, file)
    console.text(*document["told"])
    _show_orders(console, document)
    console.table(
        "First problems",
        ["order", "where", "value", "what"],
        [
            (
                row["order"],
                ", ".join(
                    str(part)
                    for part in (row["file"], row["sheet"], row["row"] and f"row {row['row']}", row["column"])
                    if part
                ),
                row["value"][:40],
                row["message"],
            )
            for row in document["first_problems"]
        ],
    )
    if document["mapping"].startswith("not usable"):
        console.text(f"The mapping folder {console.settings.mappings} is {document['mapping']}")
    elif document["mapping"] == "none yet":
        console.text("Next: centra-mews init EXPORT... --store NAME --timezone ZONE")
    console.result(document)
    return int(document["exit_code"])


def _show_file(console: Console, file: dict[str, Any]) -> None:
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
    for row in columns["not_migrated"]:
        console.text(f"  not migrated: {row['column']} ({row['why']})")
    for row in columns["renamed"]:
        console.text(f"  renamed: {row['column']} is read as {row['field']}")
    if columns["missing"]:
        console.text(f"  missing: {', '.join(columns['missing'])}")


def _show_orders(console: Console, document: dict[str, Any]) -> None:
    orders, lines, dates = document["orders"], document["lines"], document["dates"]
    console.text(
        f"{orders['read']:,} orders ({orders['returns']:,} returns, {orders['unreadable']:,} with unreadable values), "
        f"{lines['read']:,} lines, {lines['unassigned']:,} rows without order number, "
        f"{dates['first']} to {dates['last']}"
    )
    for title in ("statuses", "currencies", "countries", "vat_percents", "store_types"):
        counts = list(document[title].items())
        text = ", ".join(f"{name} {count:,}" for name, count in counts[:15])
        more = f" and {len(counts) - 15} more" if len(counts) > 15 else ""
        console.text(f"  {title.replace('_', ' ')}: {text}{more}")
    names = ["lines", "shipping", "voucher", "orderTotal"]
    console.table(
        "Sums of the export",
        ["currency", *names],
        [[currency, *(sums.get(name, "") for name in names)] for currency, sums in document["sums"].items()],
        right=range(1, 5),
    )
    _show_footing(console, document["footing"])
    gaps = document["number_gaps"]
    if gaps["gaps"]:
        console.text(
            f"  {gaps['missing_numbers']:,} numbers are missing in {gaps['gaps']:,} gaps, first {', '.join(gaps['examples'][:3])}; "
            "compare with the shop's own report (controls.csv)"
        )


def _show_footing(console: Console, footing: dict[str, Any]) -> None:
    from etl.pipeline.readings import CONTRACT

    total, readings = footing["orders_with_total"], footing["readings"]
    if not total:
        console.text("  no orderTotal: nothing in the export proves what the columns mean")
        return
    console.text(f"  orderTotal proves {CONTRACT} for {readings.get(CONTRACT, 0):,} of {total:,} orders")
    for name in footing["better"]:
        console.text(f"  better: {name}: {readings[name]:,} orders")
    if footing["in_no_reading"]:
        console.text(f"  in no reading: {', '.join(footing['in_no_reading'])}")
