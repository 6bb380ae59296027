"""What commands print: people's text on stderr, one JSON document on stdout. Also progress and errors."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

import click

from etl.errors import EtlError, ExitCode, UsageError
from etl.settings import TIED, Connection, Settings

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.live import Live

Progress = Callable[[str, int, int | None], None]


_SURROGATE = re.compile("[\ud800-\udfff]")


class _UnfailingWriter(io.RawIOBase):
    """Writes to a file descriptor, and takes no notice where it can't."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            return os.write(self._descriptor, data)
        return len(data)


def nowhere() -> TextIO:
    """What takes the place of a standard stream that was closed before the start (`>&-`)."""
    return Path(os.devnull).open("w", encoding="utf-8")


def unfailing(stream: TextIO | None) -> TextIO:
    """People's text stream as one that never fails: a log on a full disk, or a terminal that is gone, stops no run."""
    if stream is None:
        return nowhere()
    try:
        writer = _UnfailingWriter(stream.fileno())
    except (OSError, ValueError):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(writer), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


_TO_PASTE = re.compile(r"[ $]*(centra-mews |export \w+=|\w+ = \")")
"""A command, a variable of the shell, a line of a TOML file: broken in two they mean something else, or nothing."""


def _wrapped(line: str, width: int) -> str:
    """The line in lines of the terminal's width; paths and what is to be typed or pasted keep their parts together."""
    if len(line) <= width or _TO_PASTE.match(line):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.lstrip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


class Console:
    """One command's output. The last one made is `current`, for errors at the border."""

    _current: ClassVar[Console | None] = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.live: Live | None = None
        Console._current = self

    @classmethod
    def current(cls) -> Console:
        """The console of the running command."""
        return cls._current or cls(Settings(Path("mappings"), "ledger.sqlite"))

    @property
    def rich(self) -> RichConsole:
        """Rich's console on stderr (imported only when something is printed)."""
        from rich.console import Console as RichConsole

        return RichConsole(stderr=True, quiet=self.settings.quiet, highlight=False, soft_wrap=True)

    def text(self, *lines: str) -> None:
        """Plain sentences for a person, broken at words on a terminal. A line to type or paste is never broken."""
        if not self.settings.quiet:
            self._lines(*lines)

    def _lines(self, *lines: str) -> None:
        width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
        for line in lines:
            click.echo(_wrapped(line, width) if width else line, err=True)

    def typed(self, *words: str | Path) -> str:
        """A command to be typed next, with the mapping folder and ledger of this one."""
        return self.settings.typed(*map(str, words))

    def always(self, line: str) -> None:
        """A line on stderr that --quiet does not silence: the command's very purpose."""
        click.echo(line, err=True)

    def confirmed(self, name: str, what: str) -> bool:
        """Whether a person typed the enterprise's name; never without a terminal, nor where --quiet hid what is asked."""
        if self.settings.quiet or not sys.stdin.isatty():
            return False
        return bool(click.prompt(f"Type the enterprise's name ({name}) to {what}", default="", err=True) == name)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Progress holds still while a person reads and types."""
        live = self.live
        if live is not None:
            live.stop()
        yield
        if live is not None:
            live.start()

    def start_logging(self, connection: Connection | None = None) -> None:
        """Sets up the log, with the connection's tokens hidden."""
        from etl.logs import configure

        redact = None
        if connection is not None:
            from etl.pipeline.connect import redactor_of

            redact = redactor_of(connection)
        configure(self.settings.log_format, self.settings.log_level, redact)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        right: Sequence[int] = (),
        whole: Sequence[int] = (),
    ) -> None:
        """A small table; columns whose index is in `right` hold figures, those in `whole` texts that are not broken."""
        if self.settings.quiet or not rows or os.environ.get(TIED):
            # Who started a tied process reads its document and its log; drawing for nobody is a tenth of its work.
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)
        for index, column in enumerate(columns):
            # A figure over two lines is two other figures: the texts beside it give way.
            is_figure = index in right
            table.add_column(
                column, justify="right" if is_figure else "left", overflow="fold", no_wrap=is_figure or index in whole
            )
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        console = self.rich
        if not console.is_terminal:
            console.width = 120
        console.print(table)

    def result(self, document: dict[str, Any]) -> None:
        """The JSON document, with `--json`."""
        if self.settings.json:
            import simplejson

            # Where the terminal or pipe has no UTF-8 (Windows), a name must not end a finished run with an error.
            is_utf8 = "utf" in (sys.stdout.encoding or "").lower()
            text = simplejson.dumps(document, indent=2, ensure_ascii=not is_utf8, default=str)
            # Half a character (a file name in Latin-1, an emoji cut in two) is no UTF-8, but JSON can escape it.
            text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
            try:
                click.echo(text)
            except BrokenPipeError:
                raise
            except OSError as error:
                # What is left in the buffer would fail again, at the end of the process.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise UsageError(
                    f"The document can't be written to standard output: {error.strerror or error}.",
                    code="output.unwritable",
                    hint="Make room where it goes; what was sent is recorded, and `centra-mews status` shows it.",
                ) from error

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A function (stage, done, total or None) that shows how far the command is; silent with --quiet."""
        if self.settings.quiet:
            yield lambda _stage, _done, _total: None
            return
        from etl.cli.progress import shown

        with shown(self) as progress:
            yield progress

    def show_error(self, error: EtlError) -> None:
        """What happened, where, what to do next; as data with `--json`."""
        self._lines(*f"Error: {error.message}".split("\n"))
        if error.place:
            self._lines(f"  Where: {error.place}")
        if error.request_id:
            self._lines(f"  Mews RequestId: {error.request_id}")
        if error.hint:
            self._lines(f"  Next: {error.hint}")
        if error.code != "output.unwritable":
            self.result({"error": error.attrs(), "exit_code": int(error.exit_code)})

    def show_crash(self, error: Exception) -> None:
        """An internal error: a sentence for the user, the trace in a private file."""
        with tempfile.NamedTemporaryFile(
            "w", prefix="centra-mews-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.writelines(traceback.format_exception(error))
        click.echo(f"Internal error ({type(error).__name__}). The ledger keeps what was sent.", err=True)
        click.echo(f"  Details: {file.name} (it holds no tokens; it may hold order data)", err=True)
        click.echo(
            "  Next: run `centra-mews status`, then the same command again; report the file if it stops here.", err=True
        )
        self.result(
            {
                "error": {"code": "internal", "message": type(error).__name__, "details": file.name},
                "exit_code": int(ExitCode.INTERNAL),
            }
        )
