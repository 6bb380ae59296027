"""Kept connections under httpx's client: httpcore's own, taken from a stack instead of from its pool.

Used where aiohttp is not there (`aiohttp_transport.py`). httpcore's pool looks at every connection and every waiting request
whenever a request begins or ends: with 32 at once httpx's client took 3.0 ms of CPU a post over it, and httpcore's bare
connections 0.3 (2,000 posts, one run). How a connection speaks HTTP, and what is told before its first byte, is httpcore's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx

from etl.mews.tls import tls_context

BROKEN_OFF: tuple[type[Exception], ...] = ()
"""What the body of an answer may raise besides httpx's faults: nothing."""
_Kept = httpcore.AsyncConnectionInterface


class Pool(httpcore.AsyncConnectionPool):
    """Connections to one or more origins; a request has one to itself until its answer is closed."""

    def __init__(self, context: ssl.SSLContext, most: int, keepalive_seconds: float) -> None:
        super().__init__(context, max_connections=most, keepalive_expiry=keepalive_seconds)
        self._room = asyncio.Semaphore(most)
        self._idle: list[_Kept] = []
        self._taken: set[_Kept] = set()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer, its body still to be read. Raises what httpcore's pool raises."""
        if request.url.scheme not in (b"http", b"https"):
            raise httpcore.UnsupportedProtocol(f"{request.url.scheme.decode()!r} is neither http nor https")
        await self._wait_for_room(request.extensions.get("timeout", {}).get("pool"))
        connection = None
        try:
            connection, stale = self._take(request.url.origin)
            for kept in stale:
                await kept.aclose()
            response = await connection.handle_async_request(request)
        except BaseException:
            await self.give_back(connection)
            raise
        body = _Body(response.stream, self, connection)
        return httpcore.Response(
            response.status, headers=response.headers, content=body, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Closes all of them, those in use too."""
        connections, self._idle, self._taken = [*self._idle, *self._taken], [], set()
        for connection in connections:
            await connection.aclose()

    async def _wait_for_room(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds if self._room.locked() else None):
                await self._room.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout from None

    def _take(self, origin: httpcore.Origin) -> tuple[_Kept, list[_Kept]]:
        """The connection that was used last, or a new one; and those to be closed. No await: nobody comes between."""
        stale: list[_Kept] = []
        # The one that waits longest: nobody else would ever look at it.
        while self._idle and not _is_sound(self._idle[0]):
            stale.append(self._idle.pop(0))
        for at in range(len(self._idle) - 1, -1, -1):
            if self._idle[at].can_handle_request(origin):
                kept = self._idle.pop(at)
                if _is_sound(kept):
                    break
                stale.append(kept)
        else:
            kept = self.create_connection(origin)
        self._taken.add(kept)
        return kept, stale

    async def give_back(self, connection: _Kept | None) -> None:
        """Keeps a connection whose answer was read whole; closes any other."""
        try:
            if connection is not None and connection in self._taken:
                self._taken.discard(connection)
                if connection.is_idle() and not connection.is_closed():
                    self._idle.append(connection)
                else:
                    await connection.aclose()
        finally:
            self._room.release()


def _is_sound(kept: _Kept) -> bool:
    """Whether the next request may go over it: it is whole, young, and the server has not closed it."""
    return kept.is_available() and not kept.has_expired()


class _Body:
    """The body of an answer. Closing it, read or not, gives its connection back."""

    def __init__(
        self,
        stream: Any,
        pool: Pool,
        connection: _Kept,
    ) -> None:
        self._stream = stream
        self._owner = pool
        self._connection: _Kept | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._stream.aclose()
        finally:
            await self._owner.give_back(connection)


class Connections(httpx.AsyncHTTPTransport):
    """httpx's own transport over `Pool`. `most`: connections at once."""

    def __init__(self, most: int, keepalive_seconds: float) -> None:
        context = tls_context()
        super().__init__(verify=context)
        self._pool = Pool(context, most, keepalive_seconds)
