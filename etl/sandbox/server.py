"""The sandbox on a socket: HTTP/1.1 with keep-alive on loopback, and the faults that happen on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

import h11

from etl.errors import UsageError
from etl.sandbox.core import Answer, Sandbox
from etl.sandbox.faults import Fault, Wire
from etl.sandbox.hotels import Hotels, Mews
from etl.sandbox.world import World
from etl.sandbox.world_file import load_world

_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}

IDLE_SECONDS = 75.0
_HANG_SECONDS = 600.0
# With it, closing sends a reset instead of the orderly end of a connection.
_RESET = struct.pack("ii", 1, 0)


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other, each answered as the sandbox says."""

    def __init__(self, sandbox: Mews, idle_seconds: float, everyone: set[_Connection]) -> None:
        self._sandbox = sandbox
        self._idle_seconds = idle_seconds
        self._everyone = everyone
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._is_busy = False
        self._is_reading = False
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._idle_since = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._everyone.add(self)
        self._idle_since = self._loop.time()
        self._watch_idleness()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._everyone.discard(self)
        for timer in (*self._timers, *([self._idle_timer] if self._idle_timer else [])):
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._idle_since = self._loop.time()
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> bool:
        return False

    def end(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _read(self) -> None:
        """Handle what has arrived, one request after the other; never nested, however many were sent at once."""
        if self._is_reading:
            return
        self._is_reading = True
        try:
            self._read_requests()
        finally:
            self._is_reading = False

    def _read_requests(self) -> None:
        while not self._is_busy and not self._transport.is_closing():
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as fault:
                self._refuse(fault.error_status_hint, str(fault))
                return
            match event:
                case h11.Request():
                    self._begin(event)
                case h11.Data():
                    self._keep(event.data)
                case h11.EndOfMessage():
                    self._is_busy = True
                    self._respond()
                case h11.ConnectionClosed():
                    self._transport.close()
                    return
                case _:
                    return

    def _begin(self, request: h11.Request) -> None:
        self._request = request
        self._body.clear()
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))

    def _keep(self, data: bytes) -> None:
        # Beyond the limit nothing more is kept: the sandbox only has to see that it is too much.
        if len(self._body) <= self._sandbox.largest_body:
            self._body += data

    def _respond(self) -> None:
        assert self._request is not None
        host = next((value for name, value in self._request.headers if name == b"host"), b"").decode("ascii", "replace")
        if not _names_loopback(host):
            # A page of the open web may point its own name at this machine and ask in the user's browser.
            self._send(Answer(421, b"The sandbox answers to names of this machine only.\n", _PLAIN))
            return
        path = self._request.target.decode("ascii", "replace")
        method = self._request.method.decode("ascii", "replace")
        if method in ("GET", "HEAD") and path.partition("?")[0] == "/":
            page = self._sandbox.page().encode("utf-8", "replace")
            headers = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            }
            self._send(Answer(200, page, headers))
            return
        content_type = next((value for name, value in self._request.headers if name == b"content-type"), b"")
        answer = self._sandbox.handle(
            path, bytes(self._body), method=method, content_type=content_type.decode("ascii", "replace")
        )
        self._plan_delayed()
        if answer.delay:
            self._later(answer.delay, lambda: self._carry_out(answer))
        else:
            self._carry_out(answer)

    def _plan_delayed(self) -> None:
        """Let what is due later happen on time, also if no further request comes."""
        due = self._sandbox.next_due()
        if due is not None:
            seconds = (due - self._sandbox.clock()).total_seconds()
            self._loop.call_later(max(0.0, seconds) + 0.001, self._sandbox.settle)

    def _carry_out(self, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        match answer.wire:
            case Wire.SEND:
                self._send(answer)
            case Wire.RESET | Wire.REFUSE:
                self._reset()
            case Wire.HANG:
                self._later(_HANG_SECONDS, self._transport.close)
            case Wire.TRUNCATE:
                self._send(answer, whole=False)

    def _send(self, answer: Answer, *, whole: bool = True) -> None:
        headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body)))]
        parts = [self._http.send(h11.Response(status_code=answer.status, headers=headers))]
        body = answer.body if whole else answer.body[: len(answer.body) // 2]
        if self._request is not None and self._request.method == b"HEAD":
            body = b""
        parts.append(self._http.send(h11.Data(data=body)))
        if not whole:
            self._transport.write(b"".join(part for part in parts if part))
            self._transport.close()
            return
        parts.append(self._http.send(h11.EndOfMessage()))
        self._transport.write(b"".join(part for part in parts if part))
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        self._http.start_next_cycle()
        self._is_busy = False
        self._idle_since = self._loop.time()
        self._read()

    def _write(self, event: h11.InformationalResponse) -> None:
        self._transport.write(self._http.send(event) or b"")

    def _refuse(self, status: int, message: str) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = f"{message}\n".encode("utf-8", "replace")
            headers = [("Content-Length", str(len(text))), ("Connection", "close")]
            response = self._http.send(h11.Response(status_code=status, headers=headers))
            self._transport.write((response or b"") + text)
        self._transport.close()

    def _reset(self) -> None:
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > self._loop.time()]
        self._timers.append(self._loop.call_later(seconds, action))

    def _watch_idleness(self) -> None:
        left = self._idle_seconds - (self._loop.time() - self._idle_since)
        if left <= 0 and not self._is_busy:
            self._transport.close()
            return
        self._idle_timer = self._loop.call_later(max(left, 0.05), self._watch_idleness)


async def serve(
    sandbox: Mews,
    port: int,
    *,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> None:
    """Serve until cancelled; `ready` gets the address once it answers. Port 0 takes a free one.

    Raises:
        UsageError: the port is taken, or the host is not this machine's loopback.

    """
    if not _is_loopback(host):
        raise UsageError(f"The sandbox listens on loopback only, not on {host}.", hint="Use 127.0.0.1.")
    loop = asyncio.get_running_loop()
    everyone: set[_Connection] = set()
    try:
        server = await loop.create_server(lambda: _Connection(sandbox, idle_seconds, everyone), host, port, backlog=512)
    except (OSError, OverflowError) as fault:
        raise UsageError(
            f"The sandbox can't listen on port {port}: {fault}.",
            hint="Give another --port, or 0 for any free one.",
        ) from fault
    async with server:
        if ready is not None:
            name, own_port = server.sockets[0].getsockname()[:2]
            ready(f"http://{f'[{name}]' if ':' in name else name}:{own_port}")
        try:
            await asyncio.Event().wait()
        finally:
            for connection in list(everyone):
                connection.end()


def _names_loopback(header: str) -> bool:
    """Whether a Host header (host and optional port) names this machine."""
    host, _, port = header.rpartition(":") if re.search(r":\d*$", header) else (header, "", "")
    return _is_loopback(host.removeprefix("[").removesuffix("]").lower()) and (not port or port.isdigit())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at `url`; `hotels` are its inside, one for each token."""

    url: str
    hotels: tuple[Sandbox, ...]

    @property
    def sandbox(self) -> Sandbox:
        """The first hotel, mostly the only one."""
        return self.hotels[0]


@contextlib.contextmanager
def running_sandbox(
    world: World | str,
    *,
    port: int = 0,
    state: str | Path | None = None,
    faults: Iterable[Fault] = (),
    seed: int = 0,
    clock: Callable[[], datetime] | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> Iterator[RunningSandbox]:
    """A sandbox in a thread of its own, on a free port of loopback, ended with the block."""
    known = load_world(world) if isinstance(world, str) else world
    hotels = Hotels(known, clock, Random(seed), state, faults=faults, seed=seed)  # noqa: S311 - ids, not secrets
    started = threading.Event()
    found: list[str] = []
    failed: list[BaseException] = []
    loop = asyncio.new_event_loop()

    def announce(url: str) -> None:
        found.append(url)
        started.set()

    task = loop.create_task(serve(hotels, port, ready=announce, idle_seconds=idle_seconds))

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as fault:
            failed.append(fault)
        finally:
            # Connections close in the loop's next turns.
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            started.set()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    started.wait()
    try:
        if failed:
            raise failed[0]
        yield RunningSandbox(found[0], hotels.all)
    finally:
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        hotels.close()


def run_server(
    world: World,
    port: int,
    state: str | Path | None,
    faults: Sequence[Fault],
    seed: int,
    echo: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `echo` gets the address and the lines to export."""
    hotels = Hotels(world, rng=Random(), state_path=state, faults=faults, seed=seed)  # noqa: S311 - ids, not secrets
    try:
        asyncio.run(_serve_until_signal(hotels, port, lambda url: _introduce(hotels, world, url, echo)))
    finally:
        hotels.close()
    payments = sum(len(each.payments) for each in hotels.all)
    echo(f"Sandbox ended: {_orders(hotels)} orders, {payments} payments, {_added_bills(hotels)} outlet bills.")


async def _serve_until_signal(hotels: Hotels, port: int, ready: Callable[[str], None]) -> None:
    task = asyncio.ensure_future(serve(hotels, port, ready=ready))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, task.cancel)
        except (NotImplementedError, RuntimeError, ValueError):
            # Not on this platform, or not in the main thread: Ctrl-C then ends asyncio.run itself.
            break
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _introduce(hotels: Hotels, world: World, url: str, echo: Callable[[str], None]) -> None:
    for notice in world.notices:
        echo(f"World {world.name}: {notice}")
    plan = hotels.all[0].plan
    for fault in plan.faults:
        echo(f"Fault switched on: {fault.name} (seed {plan.seed})")
    if (orders := _orders(hotels)) + (bills := _added_bills(hotels)):
        echo(f"Continuing with {orders} orders and {bills} outlet bills from the state file.")
    echo(f"Sandbox {world.name} answers at {url} (open it to see what was posted). Ctrl-C ends it.")
    echo("In another terminal:")
    echo(f"  export MEWS_PLATFORM_ADDRESS={url}")
    echo(f"  export MEWS_CLIENT_TOKEN={world.client_token}")
    echo(f"  export MEWS_ACCESS_TOKEN={world.access_token}")
    if world.access_tokens:
        echo(f"{len(world.access_tokens)} more access tokens of the world reach a hotel of their own each.")


def _orders(hotels: Hotels) -> int:
    return sum(len(each.orders) for each in hotels.all)


def _added_bills(hotels: Hotels) -> int:
    """How many outlet bills were added, those of the world's beginning aside."""
    return sum(len(each.outlets.bills) - len(each.world.outlet_bills) for each in hotels.all)
