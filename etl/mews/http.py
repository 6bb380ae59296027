"""The one HTTP client of a run, and which addresses it may talk to."""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from etl.errors import UsageError
from etl.version import __version__

CLIENT_NAME = f"centra-mews {__version__}"
"""`Client` of every request body."""

KEEPALIVE_SECONDS = 3.0
"""Idle connections are closed by us after this: one that the server closes first is an order in doubt."""

CONNECT_SECONDS = 20.0

_HINT = "Set MEWS_PLATFORM_ADDRESS, such as https://api.mews.com."


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(url: str) -> str:
    """`url` as the platform address: no trailing slash, https, or http to this machine.

    Raises UsageError for anything that could send tokens somewhere else or in the clear.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        raise UsageError("the platform address is no URL", code="mews.address", hint=_HINT) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("the platform address carries a user name or password", code="mews.address", hint=_HINT)
    if parts.scheme not in ("https", "http") or not host:
        raise UsageError(f"the platform address {text!r} is no https address", code="mews.address", hint=_HINT)
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise UsageError("the platform address carries a query or fragment", code="mews.address", hint=_HINT)
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"plain http to {host}: tokens would travel in the clear", code="mews.address", hint="Use https."
        )
    return text.rstrip("/")


@cache
def under() -> ModuleType:
    """What is under httpx's client: its `Connections`, and BROKEN_OFF, which a body may raise besides httpx's faults.

    Loaded once somebody talks to Mews: aiohttp takes as long as httpx, and most commands can do without.
    """
    try:
        from etl.mews import aiohttp_transport
    except ImportError:
        # Where aiohttp, which is C, can't be had, posting is slower and nothing else.
        from etl.mews import connections

        return connections
    return aiohttp_transport


class PlainClient(httpx.AsyncClient):
    """httpx's client without what nobody here asks of it, which costs as much as the request: cookies, redirects, hooks."""

    def __init__(self, direct: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> None:
        super().__init__(transport=direct, timeout=timeout)
        self._direct = direct

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
        """The answer, its body still to be read. Raises what the transport raises."""
        return await self._direct.handle_async_request(request)


def http_client(timeout_seconds: Decimal | float, concurrency: int) -> httpx.AsyncClient:
    """The kept client: no redirects, no retries of its own, a proxy of the environment for https only.

    Raises UsageError where the environment names a proxy that can't be used.
    """
    seconds = float(timeout_seconds)
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    connections = concurrency + 2
    direct = under().Connections(connections, KEEPALIVE_SECONDS)
    # httpx asks the environment for proxies only where it is given no transport.
    if not getproxies():
        return PlainClient(direct, timeout)
    try:
        return httpx.AsyncClient(
            timeout=timeout,
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            follow_redirects=False,
            # Plain http is loopback only and never meant for a proxy.
            mounts=dict.fromkeys(("http://", "all://localhost", "all://127.0.0.1", "all://[::1]"), direct),
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise UsageError(
            f"the proxy of the environment can't be used: {error}",
            code="mews.proxy",
            hint="Correct HTTPS_PROXY or ALL_PROXY, or unset them.",
        ) from error
