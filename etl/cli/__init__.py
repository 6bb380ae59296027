"""Commands: parse options, call one job, print its result.

Each command lives in a module of its own that is imported only when it runs, so that `--help` and
`status` stay quick.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from etl.cli.console import Console, nowhere, unfailing
from etl.cli.options import FilePath
from etl.errors import EtlError, ExitCode, UsageError
from etl.settings import TIED, Settings
from etl.version import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "inspect": ("inspect_export", "Show what is in an export: format, columns, sums, first problems."),
    "init": ("init", "Write a mapping folder pre-filled from an export."),
    "next": ("next_step", "Say the one thing to do now, and what it unlocks."),
    "preflight": ("preflight", "Check mapping and account against the live enterprise."),
    "dry-run": ("dry_run", "Plan everything, send nothing; print the plan id."),
    "run": ("run", "Post what is not posted yet; resumable, each order once."),
    "status": ("status", "Show what the ledger holds."),
    "reconcile": ("reconcile", "Read the orders back from Mews and compare every cent."),
    "recover": ("recover", "Build or complete the ledger from Mews."),
    "settle": ("settle", "Decide an order that the tool may not decide."),
    "undo": ("undo", "Reverse posted orders."),
    "report": ("report", "Write the report again from the ledger."),
    "portfolio": ("portfolio", "Do one of these for many properties, side by side."),
    "sandbox": ("sandbox", "Run a local Mews for rehearsals."),
    "demo": ("demo", "Rehearse the whole job with sample data on a local Mews."),
}
EXAMPLES: dict[str, tuple[str, ...]] = {
    "inspect": ("inspect orders.csv", "inspect orders-2010.xlsx orders-2011.xlsx --from 2010-12-01"),
    "init": ("init orders.csv --store uk --timezone Europe/London", "init orders.csv --workbook"),
    "next": ("next orders.csv", "--json next orders.csv"),
    "preflight": ("preflight", "preflight orders.csv"),
    "dry-run": ("dry-run orders.csv --report dry-run", "dry-run orders.csv --corrections attention.csv --offline"),
    "run": ("run orders.csv --expect sha256:4f1c.. --canary 10 --report run", "run orders.csv --only 536365"),
    "status": ("status", "--ledger uk.sqlite status"),
    "reconcile": ("reconcile --report reconciled",),
    "recover": ("recover",),
    "settle": ("settle 536365 --posted 7c9e6679-7425-40de-944b-e07fc1f90ae7", "settle 536365 --absent"),
    "undo": ("undo --run 3f2a91c07d5e", "undo --run recovered --only 536365"),
    "report": ("report --report report",),
    "portfolio": (
        "portfolio portfolio.toml dry-run --report dry-run",
        "portfolio portfolio.toml run --jobs 6 --report run",
    ),
    "sandbox": (
        "sandbox --world gross-uk --state mews.jsonl",
        "sandbox --write-world hotel.json",
        "sandbox --port 0 --fault status-500-after:0.05",
    ),
    "demo": ("demo",),
}
"""What a person may type, for the end of each command's help and for usage errors."""
COMPLETE = "_CENTRA_MEWS_COMPLETE"
"""The variable with which a shell asks for completions: click's name for it."""


GLOBAL_OPTIONS = frozenset({"mappings", "ledger", "log_format", "log_level", "as_json", "quiet"})
"""Parameters of the program; everything else belongs to a command."""


class LazyGroup(click.Group):
    """Loads a command's module when it is called, not when the program starts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a migration."""
        del ctx
        return [name for name in COMMANDS if _module_exists(COMMANDS[name][0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        del ctx
        if cmd_name not in COMMANDS or not _module_exists(COMMANDS[cmd_name][0]):
            return None
        command = importlib.import_module(f"etl.cli.{COMMANDS[cmd_name][0]}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"etl.cli.{COMMANDS[cmd_name][0]} has no command")
        if command.epilog is None:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  centra-mews {one}" for one in EXAMPLES[cmd_name])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command typed. Raises UsageError naming the nearest ones where it is none."""
        typed = args[0]
        is_known = typed.startswith("-") or self.get_command(ctx, typed) is not None
        if not is_known and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(typed.lower(), self.list_commands(ctx), n=2, cutoff=0.5)
            guess = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"There is no command {typed!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, without importing any command."""
        rows = [(name, COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands, in the order of a migration"):
            formatter.write_dl(rows)


def _module_exists(name: str) -> bool:
    return (Path(__file__).parent / f"{name}.py").exists()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--mappings",
    type=FilePath(),
    default=Path("mappings"),
    envvar="CENTRA_MEWS_MAPPINGS",
    show_default=True,
    show_envvar=True,
    help="Mapping folder, or the mapping.xlsx in it.",
)
@click.option(
    "--ledger",
    default="ledger.sqlite",
    envvar="CENTRA_MEWS_LEDGER",
    show_default=True,
    show_envvar=True,
    help="Ledger: a file, or any SQLAlchemy URL.",
)
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; text and logs go to stderr.")
@click.option("--quiet", is_flag=True, help="No progress and no text; errors only.")
@click.version_option(__version__, prog_name="centra-mews")
@click.pass_context
def cli(
    ctx: click.Context,
    mappings: Path,
    ledger: str,
    log_format: str,
    log_level: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Migrate historic Centra orders into Mews: every order once, every cent and tax code accounted for.

    Mews is reached with MEWS_PLATFORM_ADDRESS, MEWS_CLIENT_TOKEN and MEWS_ACCESS_TOKEN from the
    environment or a .env file, never with options.

    Exit codes: 0 all done; 1 internal error; 2 usage, file, mapping, plan or ledger problem; 3 finished or
    stopped, and some orders need attention; 4 Mews can't be reached or refuses the credentials; 130 interrupted.
    """
    folder = mappings.parent if mappings.name == "mapping.xlsx" else mappings
    if folder.is_file():
        raise click.BadParameter(f"{folder} is a file, not a folder.", ctx, param_hint="--mappings")
    ctx.obj = Console(Settings(folder, ledger, log_format, log_level, as_json, quiet))


def hoisted(arguments: list[str]) -> list[str]:
    """The arguments with the global options first, wherever they were typed: `dry-run orders.csv --json` works too."""
    takes_value = {name: not option.is_flag for option in _global_options() for name in option.opts}
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        name = argument.partition("=")[0]
        if argument == "--":
            rest += [argument, *waiting]
        elif name not in takes_value:
            rest.append(argument)
        elif takes_value[name] and "=" not in argument:
            front += [argument, *[value for value in [next(waiting, None)] if value is not None]]
        else:
            front.append(argument)
    return front + rest


def _global_options() -> list[click.Option]:
    return [
        parameter
        for parameter in cli.params
        if isinstance(parameter, click.Option) and parameter.name in GLOBAL_OPTIONS
    ]


def main() -> None:
    """Runs the program and ends the process with its exit code: the border where errors become sentences."""
    # Orders are plain trees of values: looking for cycles among them triples the time of a large plan.
    gc.set_threshold(200_000, 20, 100)
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell that ignores Ctrl-C for its background jobs means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    if os.environ.get(TIED):
        from etl.cli.tied import tie

        tie()
    sys.stdout = sys.stdout or nowhere()
    sys.stderr = unfailing(sys.stderr)
    if COMPLETE in os.environ:
        sys.exit(_complete(os.environ[COMPLETE]))
    sys.exit(run(sys.argv[1:]))


def _complete(instruction: str) -> int:
    """Answers a shell that asks for completions (`bash_source`, `bash_complete` and the like); prints on stdout."""
    from click.shell_completion import shell_complete

    return shell_complete(cli, {}, "centra-mews", COMPLETE, instruction)


def run(arguments: list[str]) -> int:
    """The exit code of one call. Effects: prints; never shows a traceback for anything foreseeable."""
    try:
        with cli.make_context("centra-mews", hoisted(arguments)) as ctx:
            result: Any = cli.invoke(ctx)
            return int(result or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        hint = _next_step(error)
        click.echo(f"  Next: {hint}", err=True)
        if "--json" in arguments:
            click.echo(_document(UsageError(error.format_message(), hint=hint).attrs()))
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        message = "Interrupted; the ledger is consistent. Run the same command again to go on."
        click.echo(message, err=True)
        if "--json" in arguments:
            code = int(ExitCode.INTERRUPTED)
            click.echo(_document({"code": "interrupted", "message": message, "exit_code": code}))
        return int(ExitCode.INTERRUPTED)
    except EtlError as error:
        Console.current().show_error(error)
        return int(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except OSError as error:
        if error.filename is None:
            Console.current().show_crash(error)
            return int(ExitCode.INTERNAL)
        Console.current().show_error(_unusable(error))
        return int(ExitCode.USAGE)
    except Exception as error:
        Console.current().show_crash(error)
        return int(ExitCode.INTERNAL)


def _next_step(error: click.ClickException) -> str:
    """What to type after a usage error: an example of the command at hand, else the list of commands."""
    name = error.ctx.info_name if isinstance(error, click.UsageError) and error.ctx else None
    if name in EXAMPLES:
        return f"such as `centra-mews {EXAMPLES[name][0]}`; `centra-mews {name} --help` tells all options."
    return "`centra-mews --help` lists the commands and the global options."


def _unusable(error: OSError) -> UsageError:
    """A path that the system will not take: too long, a loop of links, no permission."""
    name = str(error.filename)
    shown = name if len(name) <= 200 else f"{name[:200]}…"
    return UsageError(
        f"{shown} can't be used: {error.strerror or error}.",
        code="path.unusable",
        hint="Check the path and its permissions; what was sent before is recorded.",
    )


def _interrupt(number: int, frame: object) -> NoReturn:
    """Ctrl-C and SIGTERM, outside the part of a run that waits for what is in flight."""
    del number, frame
    raise KeyboardInterrupt


def _document(error: dict[str, Any]) -> str:
    """An error as data, where there may be no console yet to print it."""
    import json

    return json.dumps({"error": error, "exit_code": error["exit_code"]}, indent=2)
