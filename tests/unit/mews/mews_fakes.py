"""Fakes at the edges of `etl.mews`: virtual time, and a Mews that answers from a handler function."""

from __future__ import annotations

import asyncio
import json
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from etl.mews.limiter import Limiter, MemorySlots
from etl.mews.secrets import Tokens
from etl.mews.transport import RetryPolicy, Transport

T = TypeVar("T")

TOKENS = Tokens("CLIENT-SECRET-1", "ACCESS-SECRET-2")
ADDRESS = "http://127.0.0.1:9"
START = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


class _Selector(selectors.SelectSelector):
    """Time passes only where the loop would sleep."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        elif not ready and timeout is None:
            raise RuntimeError("everybody waits for ever")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class VirtualClock:
    """The virtual loop's time as a Clock; `jump` moves the wall clock alone."""

    def __init__(self) -> None:
        self.jump = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() - 1000.0 + self.jump)


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.jump = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now - 1000.0 + self.jump)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


Handler = Callable[[str, dict[str, Any]], Any]


def answer(status: int, body: Any = None, *, headers: dict[str, str] | None = None) -> httpx.Response:
    """A JSON answer."""
    return httpx.Response(status, json={} if body is None else body, headers=headers)


class FakeMews:
    """Answers operations with a handler; keeps what was asked."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.contents: list[bytes] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        operation = request.url.path.removeprefix("/api/connector/v1/")
        self.contents.append(request.content)
        body = json.loads(request.content, parse_float=Decimal)
        self.requests.append((operation, body))
        result = self._handler(operation, body)
        if isinstance(result, Awaitable):
            result = await result
        if isinstance(result, Exception):
            raise result
        return result if isinstance(result, httpx.Response) else answer(200, result)

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        """What was asked of one operation, without tokens."""
        hidden = ("ClientToken", "AccessToken", "Client")
        return [
            {key: value for key, value in body.items() if key not in hidden}
            for name, body in self.requests
            if name == operation
        ]


def transport_to(
    http: httpx.AsyncClient,
    *,
    limit: int = 100_000,
    seconds: str = "1",
    retry: RetryPolicy | None = None,
    clock: Any = None,
) -> Transport:
    """A transport in virtual time with a wide window."""
    clock = clock or VirtualClock()
    limiter = Limiter(limit, Decimal(seconds), store=MemorySlots(), clock=clock)
    return Transport(
        address=ADDRESS,
        tokens=TOKENS,
        http=http,
        limiter=limiter,
        clock=clock,
        retry=retry or RetryPolicy(),
        rng=random.Random(1),
    )


def with_mews(handler: Handler, use: Callable[[Transport, FakeMews], Awaitable[T]], **options: Any) -> T:
    """Runs `use` against a fake Mews in virtual time."""

    async def main() -> T:
        mews = FakeMews(handler)
        async with httpx.AsyncClient(transport=httpx.MockTransport(mews)) as http:
            return await use(transport_to(http, **options), mews)

    return run_virtual(main())
