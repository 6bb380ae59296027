"""A process that another one started for its own purposes ends with it."""

from __future__ import annotations

import os
import signal
from threading import Thread


def tie() -> None:
    """Stops this process, as Ctrl-C does, once standard input ends: whoever held its other end is gone.

    *Effects*: a thread that reads the file descriptor 0.
    """
    # Not sys.stdin: a thread that holds its lock at the end of the process would bring Python down.
    Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
