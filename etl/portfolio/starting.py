"""How the process of a property is started: as a fork of one that has the program loaded, or as a new interpreter.

A fork costs 0.02 s of CPU where an interpreter with its imports costs 0.5 s, and shares the memory of what it has loaded. It
comes from a server process that was started for this alone and has no threads, so that it is safe where forking ourselves is not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Lock
from typing import IO, Literal, Protocol

from etl.portfolio.call import Call, interpreter

METHOD: Literal["forkserver"] = "forkserver"
SAFE_PATH = "PYTHONSAFEPATH"
_GUARD = Lock()
"""multiprocessing looks at all its children whenever one starts; two threads must not ask for the end of the same one."""


class Started(Protocol):
    """A process under way, with the texts that it writes."""

    @property
    def out(self) -> IO[str]:
        """Its stdout."""
        ...

    @property
    def err(self) -> IO[str]:
        """Its stderr."""
        ...

    def stop(self) -> None:
        """Sends SIGTERM; a process that has ended takes no notice."""
        ...

    def wait(self) -> int:
        """Its exit status, less than 0 for the signal that ended it. Waits, and closes its streams."""
        ...


Start = Callable[[Call], Started]


class NewInterpreter:
    """Started from nothing: where there are no forks to be had. In a session of its own, so that a Ctrl-C reaches it once."""

    def __init__(self, call: Call) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*interpreter(), *call.arguments],
            env=dict(call.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        if self._process.stdout is None or self._process.stderr is None:
            raise TypeError("a process without pipes")
        self.out, self.err = self._process.stdout, self._process.stderr

    def stop(self) -> None:
        """Sends SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status. The end of its stdin, which we hold, tells it whether we still live."""
        with self._process:
            return self._process.wait()


class Fork:
    """A fork of the server that has the program loaded."""

    def __init__(self, call: Call) -> None:
        with contextlib.ExitStack() as given:
            # Its ends are ours no longer once it has them; ours are closed when it has ended.
            (stdin, alive), (out, stdout), (err, stderr) = (_pipe(given, at) for at in range(3))
            self._process = multiprocessing.get_context(METHOD).Process(
                target=_serve, args=(call.arguments, dict(call.environment), (stdin, stdout, stderr))
            )
            with _GUARD:
                self._process.start()
        self._pid = self._process.pid
        self._alive = alive
        self.out, self.err = _text(out), _text(err)

    def stop(self) -> None:
        """Sends SIGTERM."""
        # Not terminate(), which asks for the process's end first, as only one thread may.
        with contextlib.suppress(ProcessLookupError):
            if self._pid is not None:
                os.kill(self._pid, signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status."""
        wait([self._process.sentinel])
        with _GUARD:
            self._process.join()
            self._pid = None
            status = self._process.exitcode
            self._process.close()
        for ours in (self._alive, self.out, self.err):
            ours.close()
        return 255 if status is None else status


def starter(modules: Sequence[str]) -> Start:
    """The way to start processes on this system. `modules`: what they need, loaded once for all.

    *Effects*: starts the server, which ends with this process. Call it from the main thread, before there are others.
    """
    # A process of a process pool may have no children of multiprocessing's.
    if METHOD not in multiprocessing.get_all_start_methods() or multiprocessing.current_process().daemon:
        return NewInterpreter
    from multiprocessing import forkserver

    multiprocessing.get_context(METHOD).set_forkserver_preload(list(modules))
    with _as_our_own():
        forkserver.ensure_running()
    return Fork


@contextlib.contextmanager
def _as_our_own() -> Iterator[None]:
    """What the server, and through it every fork, begins with: no Ctrl-C before it asks for it, and no modules that lie about."""
    before = os.environ.get(SAFE_PATH)
    if "-P" in interpreter():
        os.environ[SAFE_PATH] = "1"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.environ.pop(SAFE_PATH, None)
        if before is not None:
            os.environ[SAFE_PATH] = before


def _pipe(given: contextlib.ExitStack, number: int) -> tuple[Connection, Connection]:
    """Both ends; that of the process, for its descriptor `number`, is closed with `given`."""
    reading, writing = multiprocessing.Pipe(duplex=False)
    given.callback((writing if number else reading).close)
    return reading, writing


def _text(end: Connection) -> IO[str]:
    with end:
        return os.fdopen(os.dup(end.fileno()), encoding="utf-8", errors="replace")


def _serve(arguments: Sequence[str], environment: dict[str, str], streams: Sequence[Connection]) -> None:
    """The fork: `python -m etl` with these arguments, variables and standard streams, in a session of its own."""
    os.setsid()
    # One that came before it had a session of its own was meant for the terminal's processes, and is passed on to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout, sys.stderr = (_standard(number) for number in range(3))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(Path(sys.argv[0])), *arguments]
    runpy.run_module("etl", run_name="__main__")


def _standard(number: int) -> IO[str]:
    mode = "w" if number else "r"
    return os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
