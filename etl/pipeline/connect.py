"""The way to Mews for one command: tokens, client, limiter. Dry commands get a client without writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.errors import MewsError
from etl.mews.api import MewsReader, MewsWriter
from etl.mews.clock import Clock, SystemClock
from etl.mews.http import check_address, http_client
from etl.mews.limiter import Limiter
from etl.mews.secrets import Redactor, Tokens
from etl.mews.slots import MemorySlots, SlotStore, SqliteSlots
from etl.mews.transport import Transport
from etl.model.mapping import Mews
from etl.settings import Connection
from etl.waiting import ASKED, LIMIT, RETRY, WAITS


@dataclass(frozen=True, slots=True)
class Link:
    """An open way to Mews. `writer` is None for commands that may only read."""

    platform: str
    reader: MewsReader
    writer: MewsWriter | None
    limiter: Limiter
    clock: Clock

    @property
    def orders(self) -> MewsReader:
        """What reads the orders of services, whatever the route."""
        reader = MewsReader(self.reader.transport, enterprise_id=self.reader.enterprise_id)
        reader.told = self.reader.told
        return reader

    @property
    def is_loopback(self) -> bool:
        """Whether this is a Mews on this machine, such as the sandbox."""
        from urllib.parse import urlsplit

        from etl.mews.http import is_loopback

        return is_loopback(urlsplit(self.platform).hostname or "")


def tokens_of(connection: Connection) -> Tokens:
    """The tokens as the transport takes them."""
    return Tokens(connection.client_token.reveal(), connection.access_token.reveal())


def redactor_of(connection: Connection) -> Redactor:
    """The log processor that hides this connection's tokens."""
    return Redactor(tokens_of(connection))


@asynccontextmanager
async def connect(
    connection: Connection, mews: Mews, *, enterprise_id: str, ledger_file: Path | None, writes: bool
) -> AsyncIterator[Link]:
    """Opens the way to Mews; the limiter's window is shared with every process of the same ledger."""
    platform = check_address(connection.address)
    tokens = tokens_of(connection)
    clock = SystemClock()
    slots: SlotStore = (
        SqliteSlots(ledger_file.with_name(ledger_file.name + ".limiter"), tokens.key, clock=clock)
        if ledger_file
        else MemorySlots()
    )
    count, seconds = mews.limit
    sleeps = {"sleep": WAITS.sleep(LIMIT), "pausing": WAITS.sleep(ASKED)}
    limiter = Limiter(count, seconds, store=slots, clock=clock, **sleeps)
    async with http_client(mews.timeout_seconds, mews.concurrency) as http:
        transport = Transport(
            address=platform, tokens=tokens, http=http, limiter=limiter, clock=clock, sleep=WAITS.sleep(RETRY)
        )
        try:
            if writes:
                writer = MewsWriter(transport, enterprise_id=enterprise_id or None)
                yield Link(platform, writer, writer, limiter, clock)
            else:
                yield Link(platform, MewsReader(transport, enterprise_id=enterprise_id or None), None, limiter, clock)
        except MewsError as error:
            error.place = error.place or platform
            raise
        finally:
            limiter.close()
