"""centra-mews init."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.console import Console
from etl.model.money import about_text
from etl.model.words import counted

if TYPE_CHECKING:
    from etl.pipeline.init import Begun

OPEN_SHOWN = 12


@click.command("init")
@options.exports()
@options.span
@click.option("--store", default="shop", show_default=True, help="Short name of the shop; part of every identifier.")
@click.option("--timezone", default="Europe/London", show_default=True, help="IANA timezone of the shop's clock.")
@click.option(
    "--workbook", is_flag=True, help="Write the tables into one workbook, mapping.xlsx, with drop-down lists."
)
@click.pass_obj
def command(
    console: Console,
    exports: tuple[Path, ...],
    start: datetime | None,
    end: datetime | None,
    store: str,
    timezone: str,
    workbook: bool,
) -> int:
    """Write a mapping folder from any dump: what its columns and words mean, proved by the orders where they can.

    Into a folder that is there only what it lacks is added; what stands is never changed.
    """
    from etl.pipeline.init import init
    from etl.pipeline.planning import Span
    from etl.pipeline.prepare import Export

    console.start_logging()
    export = Export(exports, Span(options.day(start), options.day(end)))
    with ExitStack() as stack, console.progress() as progress:
        begun = init(
            *(stack, console.settings, export),
            store=store,
            timezone=timezone,
            progress=progress,
            wants_workbook=workbook,
        )
        filled, left = _filled(console, begun)
    document = begun.document() | {"filled": filled, "open": left}
    console.text(*begun.told, *(f"In the folder: {fault}" for fault in begun.faults))
    show.proposals(console, document)
    show.verdict(console, document["verdict"])
    if document["proved"]:
        told = ", ".join(f"{key} = {_shown(value)}" for key, value in document["proved"].items())
        console.text(f"The orders prove, for [source] of migration.toml: {told}.")
    if own := document["own_shipping"]:
        console.text(
            f"The shipping of {own:,} order{'s' * (own > 1)} has another rate than the goods, which the export states or its "
            'taxes prove: shipping.tax = "stated" books it so.'
        )
    _show_files(console, begun)
    console.text(*filled)
    _show_open(console, begun, document, exports)
    console.result(document)
    return int(document["exit_code"])


def _filled(console: Console, begun: Begun) -> tuple[list[str], list[dict[str, Any]]]:
    """What Mews could tell, where there are tokens, and the cells that it leaves to a person."""
    from etl.errors import UsageError
    from etl.pipeline.filling import fill_from_mews, offer_choices
    from etl.settings import connection, environment

    told: list[str] = []
    left: list[dict[str, Any]] = []
    try:
        link = connection(environment())
    except UsageError:
        pass
    else:
        console.start_logging(link)
        filled = asyncio.run(fill_from_mews(console.settings, link, begun.facts, begun.home))
        told += filled.told
        left += (
            {
                "what": cell.what,
                "candidates": cell.candidates,
                "lines": cell.lines,
                "money": [
                    {"currency": code, "amount": about_text(amount, code)} for code, amount in cell.money.items()
                ],
            }
            for cell in filled.open
        )
    offer_choices(console.settings, begun.home, begun.facts)
    return told, left


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str([*value])


def _show_files(console: Console, begun: Begun) -> None:
    new = [one.path.name for one in begun.written if one.is_new]
    if new:
        console.text(f"Wrote into {console.settings.mappings}: {', '.join(new)}")
    for one in begun.written:
        if one.added:
            what = counted(one.added, "key|keys" if one.path.suffix == ".toml" else "row|rows")
            console.text(f"Added {what} to {one.path}; what stood there was not changed.")
        elif one.note:
            console.text(f"Nothing was added to {one.path}: {one.note}.")


def _show_open(console: Console, begun: Begun, document: dict[str, Any], exports: tuple[Path, ...]) -> None:
    """What only a person can decide: words and cells with their candidates, most money first within each table."""
    words = begun.home.where("values.csv")
    rows = [
        (
            f"{words}: {row['field']} {row['value']}",
            ", ".join(row["candidates"]),
            counted(row["orders"], "order|orders"),
            show.money(row["money"]),
        )
        for row in document["values"]
        if not row["means"]
    ]
    rows += [
        (
            row["what"],
            row["candidates"],
            counted(row["lines"], "line|lines") if row["lines"] else "",
            show.money(row["money"]),
        )
        for row in document["open"]
        if row["lines"]
    ]
    console.table("Open: only you can decide", ["what", "candidates", "of", "money"], rows[:OPEN_SHOWN], right=[2, 3])
    if len(rows) > OPEN_SHOWN:
        taxes = begun.home.where("taxes.csv")
        console.text(f"{len(rows) - OPEN_SHOWN} more are in {words} and {taxes}, most money first.")
    # An Id is to be copied: no column of a table may break it.
    told = [f"{row['what']}: {row['candidates']}" for row in document["open"] if not row["lines"]]
    known = " ".join(row["what"] for row in document["open"])
    # What Mews has told meanwhile is open no more.
    written = " ".join(document["filled"])
    left = [
        one
        for one in begun.open
        if (not known or one.startswith("source."))
        and not ("default_currency" in one and "default_currency" in written)
    ]
    console.text(*(f"Open: {one}" for one in (*told, *left)))
    if left and not document["filled"] and not document["open"]:
        console.text("With the three MEWS_ variables in .env, init lists what Mews has for them.")
    command = console.typed("next", *exports)
    show.step(console, "Decide one after the other; this says which comes first, by money", command)
