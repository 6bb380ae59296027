"""centra-mews portfolio."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from etl.cli import options, show
from etl.cli.console import Console
from etl.cli.portfolio_view import View, watched
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.portfolio.file import Property
    from etl.portfolio.place import Orders, Place
    from etl.portfolio.result import Result

COMMANDS = ("preflight", "dry-run", "run", "status", "reconcile", "report")
LOADED = ("httpcore", "anyio.to_thread", "etl.cli.warm")
"""Loaded before the processes are forked; what they load themselves costs each of them the time. Proxies need the first two."""
_REPORT_OF = {"dry-run": "dry-run", "run": "run", "reconcile": "reconciled"}
"""The report of each command that is told next, as docs/operations.md names them."""
_OF_REPORTS = ("jinja2", "xlsxwriter")
"""Libraries that only reports need."""


@click.command("portfolio")
@click.argument("portfolio", metavar="PORTFOLIO.toml", type=options.FilePath(dir_okay=False))
@click.argument("command_name", metavar="|".join(COMMANDS), type=click.Choice(COMMANDS))
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Properties at a time; as many as memory and cores allow unless told.",
)
@options.report()
@click.option(
    "--scheduler", metavar="ADDRESS", default="", help="Tasks on a cluster of Dask (tcp://HOST:8786) instead."
)
@click.pass_context
def command(
    ctx: click.Context, portfolio: Path, command_name: str, jobs: int | None, report: Path | None, scheduler: str
) -> int:
    """Do a command for every property of a file, each in a process of its own, side by side.

    Each [[property]] has its exports, mapping, ledger and the names of the variables that hold its tokens. All are
    preflighted before anything is sent; one that fails stops no other; outside this machine only those with the
    `expect` of a reviewed plan are sent. Start it again after any failure: it does only what is missing.

    The exit code is the worst of all, in the order 1, 4, 2, 3, 130, 0.
    """
    from etl.portfolio import page
    from etl.portfolio.file import read_portfolio, refuse_copies
    from etl.portfolio.jobs import Jobs
    from etl.portfolio.place import Orders
    from etl.portfolio.result import document_of, worst

    console: Console = ctx.obj
    if command_name == "report" and report is None:
        raise click.UsageError("Missing option '--report'.", ctx)
    _tell_unused(ctx, console)
    properties = read_portfolio(portfolio)
    if command_name == "run":
        refuse_copies(portfolio, properties)
    view = View(console, [one.name for one in properties])
    asked = Orders(command_name, report, console.settings.log_level)
    place, at_once = (
        _far(scheduler, asked, portfolio, properties, view) if scheduler else _here(asked, portfolio, properties)
    )
    work = Jobs(properties, asked, place, view.tell, min(jobs or at_once, len(properties)))
    since = datetime.now(UTC)
    folder = page.open_folder(report) if report else None
    try:
        with closing(place), watched(console, view), _passed_on(work.stop):
            results = work.run()
        document = document_of(command_name, results)
        document["next"] = _next(ctx, results)
        path = page.write(folder, command_name, document, results, since) if folder else None
    except BaseException:
        if folder:
            folder.withdraw()
        raise
    _show(console, document, results)
    if path:
        console.text(f"Report of all: {path}")
    console.result(document)
    return int(worst(one.exit_code for one in results))


def _here(asked: Orders, portfolio: Path, properties: Sequence[Property]) -> tuple[Place, int]:
    """Processes of this machine, and how many at a time. *Effects*: starts the one that they are forked from."""
    from etl.portfolio.call import variables
    from etl.portfolio.place import Here, token_variables
    from etl.portfolio.room import at_once
    from etl.portfolio.starting import NewInterpreter, starter

    values = variables(portfolio)
    is_short = asked.command == "status"
    start = NewInterpreter if is_short else starter([*(_OF_REPORTS if asked.report else ()), *LOADED])
    return Here(asked, values, token_variables(properties), start), at_once(properties)


def _far(
    address: str, asked: Orders, portfolio: Path, properties: tuple[Property, ...], view: View
) -> tuple[Place, int]:
    """Tasks on a cluster, all handed in at once: its workers say how many they take at a time."""
    try:
        from etl.portfolio.cluster import connected
    except ImportError as error:
        raise UsageError(
            f"--scheduler needs the extra dask ({error}).",
            code="portfolio.scheduler",
            hint="pip install 'centra-mews[dask,postgres]', here and on the workers; or leave --scheduler out.",
        ) from error
    return connected(address, asked, portfolio, properties, view.tell), len(properties)


def _tell_unused(ctx: click.Context, console: Console) -> None:
    for name in ("mappings", "ledger"):
        if ctx.parent and ctx.parent.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            console.text(f"--{name} does not count here: each property names its own.")


@contextmanager
def _passed_on(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM go to every process under way, and all are waited for; a second one makes them leave at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: stop())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(console: Console, document: dict[str, Any], results: Sequence[Result]) -> None:
    from etl.portfolio.result import verdict

    console.table(
        f"Portfolio: {document['command'].partition(' ')[2]}",
        ["property", "exit code", "orders"],
        [(one.whose.name, int(one.exit_code), one.words) for one in results],
        right=[1],
    )
    for one in results:
        if one.error:
            console.text(f"{one.whose.name}: {one.error.get('message', '')}")
            console.text(f"  Next: {one.error.get('hint') or 'start the same command again.'}")
    if "totals" in document:
        show.totals(console, document["totals"])
    if "bridge" in document:
        show.bridge(console, document["bridge"])
    if document["not_in_sums"]:
        console.text(f"Not in the sums, without figures: {', '.join(document['not_in_sums'])}.")
    _show_plans(console, document.get("plans", ()))
    console.text(verdict(results))
    if document["next"]["what"]:
        show.step(console, document["next"]["what"], document["next"]["type"])


def _show_plans(console: Console, plans: Sequence[dict[str, Any]]) -> None:
    """The plan id of each property as the line that it is in the portfolio."""
    if plans:
        console.text("Once its report is reviewed, each line goes into its property:")
    for one in plans:
        console.text(f"  [[property]] {one['property']}{' (is there)' if one['is_there'] else ''}", f"  {one['line']}")


def _next(ctx: click.Context, results: Sequence[Result]) -> dict[str, str]:
    """What to do now, and the command to type then, as this one was given."""
    from etl.portfolio.result import next_step

    given = ctx.params
    what, command_name = next_step(given["command_name"], results)
    if not command_name:
        return {"what": what, "type": ""}
    words = ["centra-mews", "portfolio", str(given["portfolio"]), command_name]
    is_same = command_name == given["command_name"]
    report = given["report"] if is_same else _REPORT_OF.get(command_name)
    for option, value in (("--jobs", given["jobs"]), ("--scheduler", given["scheduler"]), ("--report", report)):
        words += [option, str(value)] if value else []
    return {"what": what, "type": shlex.join(words)}
