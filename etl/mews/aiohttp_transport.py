"""aiohttp's connections under httpx's client (httpx-aiohttp), and its word before the first byte of a request leaves.

aiohttp reads answers in C: a post costs less than half the CPU that it costs over httpcore (`connections.py`), which
stays for proxies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from etl.errors import InternalError
from etl.mews.tls import tls_context

Tell = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""The `trace` extension of a request, as httpcore calls it."""

_LONGEST_LINE = 1 << 16
BROKEN_OFF = (aiohttp.ClientError, aiohttp.http.HttpProcessingError)
"""What the body of an answer may raise besides httpx's faults."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
"""What httpx-aiohttp says where it found no connection, and for much else."""


class _UnderWay:
    """A request in the hands of the library. `has_left`: its first byte was let go; `known`: connections that were used before."""

    __slots__ = ("has_left", "known", "tell")

    def __init__(self, tell: Tell | None, known: WeakSet[Any]) -> None:
        self.tell = tell
        self.known = known
        self.has_left = False


_REQUEST: ContextVar[_UnderWay] = ContextVar("request")
"""aiohttp tells what happens in the task that asked for it."""


class Connections(httpx.AsyncBaseTransport):
    """aiohttp under httpx's client. `most`: connections at once.

    Tells the request's `trace` what httpcore would: `connection.connect_tcp.complete`,
    `http11.send_request_headers.started` with the connection in hand, and `http11.send_request_body.started` in the very
    step in which headers and body are written together; whatever these raise, no byte leaves.
    """

    def __init__(self, most: int, keepalive_seconds: float) -> None:
        self._most = most
        self._keepalive_seconds = keepalive_seconds
        self._context = tls_context()
        self._inner = AiohttpTransport(verify=self._context, client=self._session)
        self._known: WeakSet[Any] = WeakSet()

    def _session(self) -> aiohttp.ClientSession:
        """A session with nothing of its own: no cookies, no proxy, no time-out that the request does not name."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._most, keepalive_timeout=self._keepalive_seconds, ssl=self._context
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_Request,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to be read. Raises what httpcore's transport raises."""
        under_way = _UnderWay(request.extensions.get("trace"), self._known)
        token = _REQUEST.set(under_way)
        try:
            response: httpx.Response = await self._inner.handle_async_request(request)
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        except _UNSENT as error:
            if under_way.has_left:
                # httpx-aiohttp calls it a time-out of connecting where a server hangs up without an answer.
                raise httpx.ReadError(str(error)) from error
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise httpx.ConnectError(str(error)) from error
        else:
            if not under_way.has_left:
                # A later aiohttp may send in another way. The first request of a run is a read: it ends there.
                raise InternalError("aiohttp has sent a request without a word before", code="internal.transport")
            return response
        finally:
            _REQUEST.reset(token)

    async def aclose(self) -> None:
        """Closes all connections, those in use too."""
        await self._inner.aclose()


class _Request(aiohttp.ClientRequest):
    """A request whose bytes leave in the step of the loop in which they were looked at last."""

    async def send(self, conn: Any) -> Any:
        """With the connection in hand, before anything is written to it. aiohttp's tracing says as much, and costs as much as all headers."""
        under_way = _REQUEST.get()
        if (tell := under_way.tell) is not None:
            if conn.protocol not in under_way.known:
                under_way.known.add(conn.protocol)
                await tell("connection.connect_tcp.complete", {})
            await tell("http11.send_request_headers.started", {})
        under_way.has_left = True
        return await super().send(conn)

    async def write_bytes(self, writer: Any, conn: Any, *more: Any) -> None:
        """Headers and body. Before Python 3.12 a task of its own, begun a turn of the loop after the headers were told.

        In that turn others may write the ledger, which takes as long as it takes: for a process that was stopped in it
        longer than its lease lasts.
        """
        under_way = _REQUEST.get()
        if under_way.tell is not None:
            try:
                await under_way.tell("http11.send_request_body.started", {})
            except Exception as error:
                conn.protocol.set_exception(error)
                conn.close()
                return
        await super().write_bytes(writer, conn, *more)
