"""The way to Mews for one command: tokens, client, limiter. Dry commands get a client without writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.errors import MewsError
from etl.mews.api import MewsReader, MewsWriter
from etl.mews.clock import Clock, SystemClock
from etl.mews.http import check_address, http_client, under
from etl.mews.limiter import Limiter
from etl.mews.secrets import Redactor, Tokens
from etl.mews.server_slots import ServerSlots
from etl.mews.slot_file import shared_slots
from etl.mews.slots import SlotStore
from etl.mews.tls import tls_context
from etl.mews.transport import Transport
from etl.model.ledger_place import shown
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


def load_http() -> None:
    """Loads what is loaded else when somebody first talks to Mews."""
    under()
    tls_context()


def tokens_of(connection: Connection) -> Tokens:
    """The tokens as the transport takes them."""
    return Tokens(connection.client_token.reveal(), connection.access_token.reveal())


def redactor_of(connection: Connection) -> Redactor:
    """The log processor that hides this connection's tokens."""
    return Redactor(tokens_of(connection))


def _slots(ledger: str, platform: str, tokens: Tokens, clock: Clock) -> SlotStore:
    """Where the requests of a token are counted: on this machine, or on the ledger's server where it is on one."""
    from etl.ledger.file import ledger_url
    from etl.ledger.server import DRIVER
    from etl.ledger.server import connect as log_in
    from etl.ledger.server_faults import server_fault

    url = ledger_url(ledger)
    if url.drivername != DRIVER:
        file = Path(url.database) if url.database else None
        beside = file and file.with_name(file.name + ".limiter")
        return shared_slots(platform, tokens.key, clock=clock, beside=beside)
    return ServerSlots(
        lambda: log_in(url, holds_locks=True),
        tokens.key,
        clock=clock,
        fault=lambda error: server_fault(shown(ledger), error),
    )


@asynccontextmanager
async def connect(
    connection: Connection, mews: Mews, *, enterprise_id: str, ledger: str, writes: bool
) -> AsyncIterator[Link]:
    """Opens the way to Mews; the limit is shared with every process of this machine, or of the ledger's server, with the token."""
    platform = check_address(connection.address)
    tokens = tokens_of(connection)
    clock = SystemClock()
    slots = _slots(ledger, platform, tokens, clock)
    count, seconds = mews.limit
    sleeps = {"sleep": WAITS.sleep(LIMIT), "pausing": WAITS.sleep(ASKED)}
    limiter = Limiter(count, seconds, store=slots, clock=clock, timeout=float(mews.timeout_seconds), **sleeps)
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
