"""The commands without a process of their own: the same words, documents and exit codes in a fraction of the time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from cli_run import Done, Shell

from etl.cli import run


@dataclass
class InProcess(Shell):
    """A shell whose commands run here. Not for signals, kills and limits of the system."""

    def run(self, *arguments: str | Path, timeout: float = 300) -> Done:
        """Runs the command to its end."""
        del timeout
        out, err = io.StringIO(), io.StringIO()
        with self._surroundings(), redirect_stdout(out), redirect_stderr(err):
            code = run(self.command(*arguments)[3:])
        return Done(code, out.getvalue(), err.getvalue())

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Working folder and variables of a process of its own."""
        before, folder = dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update(self.environment())
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)


def in_process(shell: Shell) -> InProcess:
    """The shell, its commands run in this process."""
    return InProcess(shell.folder, shell.url, shell.mappings, shell.env)
