"""How a person ends a run: once to end it cleanly, twice to leave at once."""

from __future__ import annotations

import asyncio


class StopFlag:
    """First request: no new orders, those in flight are awaited. Second: leave, what is in flight is on disk.

    Call `request` in the loop's thread (`loop.add_signal_handler`, or `call_soon_threadsafe`).
    """

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.leaving = asyncio.Event()

    def request(self) -> None:
        """Ctrl-C or SIGTERM came."""
        (self.leaving if self.stopping.is_set() else self.stopping).set()

    @property
    def is_set(self) -> bool:
        """Whether somebody asked for an end."""
        return self.stopping.is_set()
