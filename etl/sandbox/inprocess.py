"""The sandbox as an httpx transport, without sockets: time and waiting are the caller's, so they may be virtual."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import httpx

from etl.sandbox.core import Answer, Sandbox
from etl.sandbox.faults import Wire

_HANG_SECONDS = 600.0


class _HalfBody(httpx.AsyncByteStream):
    """Half of a body, then the end of the connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class SandboxTransport(httpx.AsyncBaseTransport):
    """Sends requests straight into a sandbox and turns what happens on the wire into httpx's exceptions.

    `clock` gives the time of arrival (aware, the machine's); `sleep` waits. `latency` gives the seconds a
    request takes to arrive and an answer to come back, each; the time between lets others run first.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        latency: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._sleep = sleep
        self._latency = latency

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The sandbox's answer.

        Raises:
            httpx.ConnectError: nobody listens, nothing was sent.
            httpx.ReadError: the connection was reset after sending.
            httpx.ReadTimeout: no answer within the request's read timeout.
            httpx.RemoteProtocolError: the connection ended within the answer (while the body is read), or
                before it, where there is no read timeout.

        """
        body = await request.aread()
        if latency := self._latency():
            await self._sleep(latency)
        answer = self._sandbox.handle(
            request.url.raw_path.decode("ascii"),
            body,
            self._clock(),
            method=request.method,
            content_type=request.headers.get("Content-Type", ""),
        )
        return await self._carry_out(request, answer)

    async def _carry_out(self, request: httpx.Request, answer: Answer) -> httpx.Response:
        match answer.wire:
            case Wire.REFUSE:
                raise httpx.ConnectError("Connection refused", request=request)
            case Wire.RESET:
                raise httpx.ReadError("Connection reset by peer", request=request)
            case Wire.HANG:
                await self._wait(request, _HANG_SECONDS)
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
            case Wire.TRUNCATE:
                await self._wait(request, answer.delay + self._latency())
                headers = {**answer.headers, "Content-Length": str(len(answer.body))}
                return httpx.Response(answer.status, headers=headers, stream=_HalfBody(answer.body), request=request)
            case Wire.SEND:
                await self._wait(request, answer.delay + self._latency())
                return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)

    async def _wait(self, request: httpx.Request, seconds: float) -> None:
        """Wait, as long as the client does. Raises httpx.ReadTimeout."""
        patience = request.extensions.get("timeout", {}).get("read")
        if patience is not None and patience < seconds:
            await self._sleep(patience)
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if seconds:
            await self._sleep(seconds)
