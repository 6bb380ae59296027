"""One request, one attempt, the intent before the first byte; reads that try again and give up with words."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import logging
import pickle
import random
import tracemalloc
import zlib
from decimal import Decimal

import httpx
import pytest
from mews_fakes import ADDRESS, START, TOKENS, FakeMews, HandClock, VirtualClock, answer, transport_to, with_mews

from etl.errors import EtlError, ExitCode, InternalError, MewsError, UsageError
from etl.mews import http as mews_http
from etl.mews.attempt import BODY_PIECE, in_one_step
from etl.mews.http import check_address, http_client
from etl.mews.limiter import Limiter, MemorySlots
from etl.mews.secrets import Redactor, Tokens, redact
from etl.mews.transport import RetryPolicy, Transport
from etl.model.outcome import Kind


@pytest.fixture(params=["aiohttp_transport", "connections"])
def library(request, monkeypatch):
    """Whoever speaks HTTP: aiohttp, or httpcore where that is not there."""
    module = pytest.importorskip(f"etl.mews.{request.param}")
    monkeypatch.setattr(mews_http, "under", lambda: module)
    monkeypatch.setattr("etl.mews.transport.under", lambda: module)


ORDER_ID = "11111111-2222-3333-4444-555555555555"
DONE = {"OrderId": ORDER_ID}


def send(handler, body=None, **options):
    """One `orders/add` against the handler: outcome, and what Mews saw."""

    async def use(transport, mews):
        return await transport.send("orders/add", body or {"A": 1}, **options), mews

    return with_mews(handler, use)


def test_every_body_carries_tokens_client_and_exact_numbers():
    """Mews gets the three fields it wants and the digits we planned."""
    outcome, mews = send(lambda *_: DONE, {"V": Decimal("12.30"), "N": "é"})
    assert outcome.kind is Kind.DONE
    assert outcome.body["OrderId"] == ORDER_ID
    assert mews.requests[0][1] == {
        "ClientToken": TOKENS.client,
        "AccessToken": TOKENS.access,
        "Client": "centra-mews 0.1.0",
        "V": Decimal("12.30"),
        "N": "é",
    }
    assert b'"V":12.30' in mews.contents[0]


def test_an_empty_body_is_valid_json():
    """`currencies/getAll` has nothing but the tokens."""

    async def use(transport, mews):
        await transport.read("currencies/getAll", {})
        return mews.requests[0][1]

    assert set(with_mews(lambda *_: {"Currencies": []}, use)) == {"ClientToken", "AccessToken", "Client"}


@pytest.mark.parametrize("status", [408, 500, 503, 429, 409, 400, 401])
def test_a_write_is_sent_exactly_once_whatever_comes_back(status):
    """Whether to send again is the ledger's decision, never the wire's."""
    outcome, mews = send(lambda *_: answer(status, {"Message": "m", "RequestId": "r"}))
    assert len(mews.requests) == 1
    assert (outcome.status, outcome.message, outcome.request_id) == (status, "m", "r")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), Kind.NOT_SENT),
        (httpx.PoolTimeout("full"), Kind.NOT_SENT),
        (httpx.ReadTimeout("late"), Kind.UNKNOWN),
        (httpx.RemoteProtocolError("closed"), Kind.UNKNOWN),
        (ConnectionResetError("reset"), Kind.UNKNOWN),
    ],
)
def test_faults_on_the_wire_become_outcomes(error, kind):
    """The poster sees values, not exceptions."""
    outcome, _ = send(lambda *_: error)
    assert outcome.kind is kind
    assert outcome.message


def test_a_redirect_is_not_followed():
    """The tokens must not travel to another address."""
    outcome, mews = send(lambda *_: answer(307, headers={"Location": "https://elsewhere.example/"}))
    assert outcome.kind is Kind.STOP
    assert len(mews.requests) == 1


def test_the_intent_is_written_after_the_slot_and_before_the_byte():
    """What the ledger says was sent at a time must not be older than the wait for the slot."""
    seen = []

    async def use(transport, mews):
        async def intent():
            seen.append(("intent", transport.clock.monotonic(), len(mews.requests)))

        for _ in range(2):
            await transport.send("orders/add", {}, before_send=intent)

    with_mews(lambda *_: DONE, use, limit=1, seconds="10")
    assert [(name, sent) for name, _, sent in seen] == [("intent", 0), ("intent", 1)]
    assert seen[1][1] - seen[0][1] >= 10


class DiskFullError(EtlError):
    """What a ledger raises when it can't write."""


@pytest.mark.parametrize("error", [DiskFullError("disk full"), OSError(28, "no space"), ValueError("x")])
def test_no_byte_leaves_where_the_intent_can_not_be_written(error):
    """An order that is not on disk must not be in Mews; the fault passes as it is."""

    async def use(transport, mews):
        async def intent():
            raise error

        with pytest.raises(type(error)) as caught:
            await transport.send("orders/add", {}, before_send=intent)
        assert caught.value is error
        assert mews.requests == []

    with_mews(lambda *_: DONE, use)


@pytest.mark.parametrize("retry_after", ["20", "Sat, 01 Aug 2026 12:00:20 GMT"])
def test_429_holds_all_workers_together(retry_after):
    """Nobody goes on while Mews says wait, by seconds or by date."""
    times = []

    async def use(transport, mews):
        outcome = await transport.send("orders/add", {})
        assert outcome.kind is Kind.WAIT
        await asyncio.gather(*(transport.send("orders/add", {}) for _ in range(3)))
        return mews

    def handler(*_):
        times.append(asyncio.get_running_loop().time())
        headers = {"Retry-After": retry_after, "Date": "Sat, 01 Aug 2026 12:00:00 GMT"}
        return answer(429, headers=headers) if len(times) == 1 else DONE

    with_mews(handler, use)
    assert all(moment - times[0] >= 20 for moment in times[1:])


def test_429_without_retry_after_backs_off_exponentially():
    """Never a fixed pause: a server without Retry-After is given more room each time."""
    times = []

    async def use(transport, mews):
        for _ in range(6):
            await transport.send("orders/add", {})

    def handler(*_):
        times.append(asyncio.get_running_loop().time())
        return answer(429)

    with_mews(handler, use)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(2**step * 0.5 <= pause <= 2**step * 1.01 for step, pause in enumerate(pauses))


def test_tokens_never_come_back_in_a_message():
    """A server that echoes the request must not put tokens into ledger and report."""
    body = {"Message": f"bad {TOKENS.access}", "Details": {"ClientToken": TOKENS.client}, "RequestId": TOKENS.client}
    outcome, _ = send(lambda *_: answer(400, body))
    text = repr(outcome)
    assert TOKENS.access not in text
    assert TOKENS.client not in text
    assert "bad ***" in text


def test_tokens_and_bodies_are_never_logged(caplog):
    """No token in any log, at any level, of any library."""
    caplog.set_level(logging.DEBUG)
    send(lambda *_: answer(500, {"Message": "x"}), {"Name": "Person Name"})
    assert TOKENS.access not in caplog.text
    assert "Person Name" not in caplog.text


def test_tokens_print_as_stars():
    """Neither repr, str, format nor pickle gives a token away."""
    assert {repr(TOKENS), str(TOKENS), f"{TOKENS}", f"{TOKENS!s:>3}"} <= {"Tokens(***)", "***"}
    with pytest.raises(TypeError):
        pickle.dumps(TOKENS)
    assert TOKENS.access not in TOKENS.key


@pytest.mark.parametrize(
    "text",
    [
        '{"AccessToken": "abc-123", "x": 1}',
        "AccessToken=abc-123&y",
        "MEWS_ACCESS_TOKEN=abc-123",
        "accesstoken is AccessToken: 'abc-123'",
        '{\\"ClientToken\\": \\"abc-123\\"}',
        "tok abc-123",
    ],
)
def test_redaction_finds_tokens_by_name_and_by_value(text):
    """Logs of other libraries are cleared too."""
    assert "abc-123" not in redact(text, Tokens("c", "abc-123"))


def test_redaction_knows_the_shape_of_mews_tokens():
    """A token pasted into a wrong setting is recognised without being known."""
    token = "C66EF7B239D24632943D115EDE9CB810-EA00F8FD8294692C940F6B5A8F9453D"
    assert redact(f"x {token} y") == "x *** y"


def test_the_log_processor_clears_nested_values():
    """Events carry lists, dicts and exceptions."""
    event = {"a": ["SECRET-9", {"b": ("SECRET-9",)}], "error": ValueError("SECRET-9"), "n": 1, "raw": b"SECRET-9"}
    assert "SECRET-9" not in repr(Redactor(Tokens("c", "SECRET-9"))(None, "info", event))
    assert event["n"] == 1


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://api.mews.com/", "https://api.mews.com"),
        ("https://api.mews-demo.com", "https://api.mews-demo.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_addresses_that_are_fine(given, address):
    """https anywhere, http to this machine only, no trailing slash."""
    assert check_address(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "http://api.mews.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "https://user:secret@api.mews.com",
        "https://@api.mews.com",
        "https://api.mews.com?x=1",
        "https://api.mews.com/#x",
        "https://",
        "api.mews.com",
        "ftp://api.mews.com",
        "",
        "https://[::1",
        "https://host:99999",
    ],
)
def test_addresses_that_are_refused(given):
    """Tokens must not travel in the clear, or to a host that only looks right."""
    with pytest.raises(UsageError) as caught:
        check_address(given)
    assert "secret" not in caught.value.message


def test_a_read_tries_again_until_it_has_an_answer():
    """A short fault of a read costs a pause, not the run."""
    answers = [httpx.ConnectError("x"), answer(503), answer(409), answer(429), {"Services": []}]

    async def use(transport, mews):
        return await transport.read("services/getAll", {}), len(mews.requests)

    assert with_mews(lambda *_: answers.pop(0), use) == ({"Services": []}, 5)


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (401, "mews.credentials", 1),
        (404, "mews.address", 1),
        (302, "mews.address", 1),
        (400, "mews.refused", 1),
        (403, "mews.refused", 1),
        (500, "mews.unreachable", 6),
        (200, "mews.unreachable", 6),
        (429, "mews.throttled", 20),
    ],
)
def test_a_read_gives_up_with_what_mews_said(status, code, requests):
    """Exit code 4, with Message and RequestId, after a bounded number of tries."""

    async def use(transport, mews):
        with pytest.raises(MewsError) as caught:
            await transport.read("services/getAll", {})
        return caught.value, len(mews.requests)

    error, count = with_mews(lambda *_: answer(status, {"Message": "said so", "RequestId": "r-9"}), use)
    assert (error.code, error.exit_code, count) == (code, ExitCode.MEWS, requests)
    assert error.hint
    if status not in (200, 302):
        assert "said so" in error.message
        assert error.request_id == "r-9"


def test_a_read_is_bounded_in_time():
    """A server that takes its time to fail does not hold a command for hours."""

    async def slow():
        await asyncio.sleep(200)
        return answer(500)

    async def use(transport, mews):
        with pytest.raises(MewsError):
            await transport.read("services/getAll", {})
        return len(mews.requests)

    assert with_mews(lambda *_: slow(), use, retry=RetryPolicy(attempts=100)) == 2


def test_a_write_can_not_be_read():
    """What retries can never reach an operation that charges."""

    async def use(transport, mews):
        for operation in ("orders/add", "orderItems/cancel", "payments/addExternal", "customers/add", "nonsense/get"):
            with pytest.raises(InternalError):
                await transport.read(operation, {})
        assert mews.requests == []

    with_mews(lambda *_: DONE, use)


def test_cancelling_passes_and_frees_the_slot():
    """Ctrl-C in the middle of a request is not an outcome."""

    async def use(transport, mews):
        sending = asyncio.create_task(transport.send("orders/add", {}))
        await asyncio.sleep(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        return len(mews.requests)

    async def for_ever():
        await asyncio.sleep(1e6)

    assert with_mews(lambda *_: for_ever(), use) == 1


class Server:
    """A real socket server that plays one script per connection."""

    def __init__(self, script):
        self.script = script
        self.received = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            self.received.append(await reader.readexactly(length))
            await self.script(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def over_sockets(script, use, *, timeout=0.5, clock=None, on_the_way=None):
    """Runs `use(transport, server)` over a real connection; `on_the_way` is called before it is asked for."""
    hand = clock or HandClock()

    async def main():
        client = http_client(timeout, 4) if on_the_way is None else slow_client(on_the_way)
        async with Server(script) as server, client as http:
            limiter = Limiter(1000, Decimal(1), store=MemorySlots(), clock=hand)
            transport = Transport(
                address=server.address, tokens=TOKENS, http=http, limiter=limiter, clock=hand, rng=random.Random(1)
            )
            return await use(transport, server)

    return asyncio.run(main())


class SlowWay(httpx.AsyncBaseTransport):
    """A real transport that something happens before."""

    def __init__(self, on_the_way):
        self._on_the_way = on_the_way
        self._inner = mews_http.under().Connections(1, 3.0)

    async def handle_async_request(self, request):
        self._on_the_way()
        return await self._inner.handle_async_request(request)

    async def aclose(self):
        await self._inner.aclose()


def slow_client(on_the_way):
    return httpx.AsyncClient(transport=SlowWay(on_the_way))


async def send_one(transport, server):
    return await transport.send("orders/add", {"A": Decimal("1.10")})


def http_answer(body, *, length=None, status="200 OK", head=""):
    """A script that writes one HTTP answer."""

    async def script(writer):
        content = body.encode()
        size = len(content) if length is None else length
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + content)
        await writer.drain()

    return script


async def hang_up(writer):
    """Reset after the request came whole."""
    writer.transport.abort()


async def say_nothing(writer):
    await asyncio.sleep(2)


async def trickle(writer):
    """A byte now and then, for ever: httpx's own timeout never sees it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(30):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (http_answer(f'{{"OrderId": "{ORDER_ID}"}}'), Kind.DONE),
        (http_answer(f'{{"OrderId": "{ORDER_ID}"}}', length=500), Kind.UNKNOWN),
        (http_answer("gzip?", head="Content-Encoding: gzip\r\n"), Kind.UNKNOWN),
        (http_answer('{"Message": "no"}', status="403 Forbidden", length=500), Kind.REFUSED),
        (http_answer("{}", status="429 Slow", head="Retry-After: 3\r\n"), Kind.WAIT),
        (hang_up, Kind.UNKNOWN),
        (say_nothing, Kind.UNKNOWN),
        (trickle, Kind.UNKNOWN),
    ],
)
def test_answers_over_a_real_socket(script, kind):
    """The classification holds for what the wire really does."""
    outcome = over_sockets(script, send_one)
    assert outcome.kind is kind


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("answered", [0, 1])
@pytest.mark.parametrize("ends", ["close", "abort"])
def test_a_server_that_hangs_up_has_perhaps_taken_the_order(answered, ends):
    """Without a word, on a new connection and on one that served before: a library may call that unconnected."""
    received = []

    async def serve(reader, writer):
        for _ in range(answered + 1):
            head = await reader.readuntil(b"\r\n\r\n")
            received.append(await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])))
            if len(received) <= answered:
                await http_answer(f'{{"OrderId": "{ORDER_ID}"}}')(writer)
        writer.close() if ends == "close" else writer.transport.abort()

    async def main():
        clock = HandClock()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, http_client(1, 1) as http:
            limiter = Limiter(1000, Decimal(1), store=MemorySlots(), clock=clock)
            transport = Transport(address=address, tokens=TOKENS, http=http, limiter=limiter, clock=clock)
            return [(await transport.send("orders/add", {})).kind for _ in range(answered + 1)]

    assert asyncio.run(main()) == [Kind.DONE] * answered + [Kind.UNKNOWN]
    assert len(received) == answered + 1


class Lying(httpx.AsyncBaseTransport):
    """Lets the byte go, and says that it was never connected."""

    async def handle_async_request(self, request):
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        raise httpx.ConnectTimeout("")


def test_once_the_first_byte_was_let_go_nothing_says_unsent():
    """Whatever a library calls what happened then: sent again, it might be there twice."""

    async def main():
        clock = HandClock()
        limiter = Limiter(1000, Decimal(1), store=MemorySlots(), clock=clock)
        async with httpx.AsyncClient(transport=Lying()) as http:
            transport = Transport(address=ADDRESS, tokens=TOKENS, http=http, limiter=limiter, clock=clock)
            return await transport.send("orders/add", {})

    assert asyncio.run(main()).kind is Kind.UNKNOWN


@pytest.mark.usefixtures("library")
def test_nobody_listening_is_not_sent():
    """A refused connection leaves the order ready."""

    async def main():
        async with Server(hang_up) as server:
            address = server.address
        async with http_client(1, 1) as http:
            clock = HandClock()
            limiter = Limiter(10, Decimal(1), store=MemorySlots(), clock=clock)
            transport = Transport(address=address, tokens=TOKENS, http=http, limiter=limiter, clock=clock)
            return await transport.send("orders/add", {})

    assert asyncio.run(main()).kind is Kind.NOT_SENT


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("moved", ["monotonic", "wall", "both"])
def test_a_stale_intent_is_written_again_before_the_first_byte(moved):
    """5 seconds between intent and byte (a slow connection, a laptop asleep) make the intent's time wrong.

    Either clock is enough: the wall clock may be set back meanwhile, the monotonic one stand still.
    """
    clock = HandClock()
    intents = []

    def six_seconds_pass():
        clock.now += 0 if moved == "wall" else 6
        clock.jump += {"wall": 6, "monotonic": -6, "both": 0}[moved]

    async def use(transport, server):
        async def intent():
            intents.append(len(server.received))

        return await transport.send("orders/add", {}, before_send=intent)

    script = http_answer(f'{{"OrderId": "{ORDER_ID}"}}')
    outcome = over_sockets(script, use, clock=clock, on_the_way=six_seconds_pass)
    assert outcome.kind is Kind.DONE
    assert intents == [0, 0]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("error", [DiskFullError("lock lost"), OSError(28, "no space")])
def test_a_stale_intent_that_can_not_be_written_again_stops_the_byte(error):
    """A lock lost while waiting for a connection: the other run owns the order now."""
    clock = HandClock()
    calls = []

    def six_seconds_pass():
        clock.now += 6

    async def use(transport, server):
        async def intent():
            calls.append(1)
            if len(calls) == 2:
                raise error

        with pytest.raises(type(error)) as caught:
            await transport.send("orders/add", {}, before_send=intent)
        assert caught.value is error
        await asyncio.sleep(0.05)
        return server.received

    assert over_sockets(http_answer("{}"), use, clock=clock, on_the_way=six_seconds_pass) == []
    assert len(calls) == 2


@pytest.mark.usefixtures("library")
def test_a_fresh_intent_is_written_once_over_a_real_socket():
    """One durable write per order in the normal case."""
    calls = []

    async def use(transport, server):
        async def intent():
            calls.append(len(server.received))

        return await transport.send("orders/add", {}, before_send=intent)

    over_sockets(http_answer(f'{{"OrderId": "{ORDER_ID}"}}'), use)
    assert calls == [0]


@pytest.fixture
def written(monkeypatch):
    """When the bytes of requests were handed to the machine, by the clock of `clock_of`; empty until it is set."""
    clocks, moments = [], []
    plain = asyncio.selector_events._SelectorSocketTransport

    def spy(name):
        inner = getattr(plain, name)

        def write(self, data):
            content = data if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)
            if clocks and b"ClientToken" in bytes(content):
                moments.append(clocks[0].now)
            return inner(self, data)

        monkeypatch.setattr(plain, name, write)

    spy("write")
    spy("writelines")
    return clocks, moments


def standing_still(clock, times):
    """Schedules, so many times, that the very next turn of the loop takes a minute: a commit, a stopped process."""
    left = [times]

    def pass_a_minute():
        clock.now += 60

    def schedule():
        if left[0]:
            left[0] -= 1
            asyncio.get_running_loop().call_soon(pass_a_minute)

    return schedule


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("large", [False, True])
def test_nobody_gets_a_turn_between_the_last_look_and_the_byte(written, large):
    """What others do in the loop may take a minute; the intent is as old as the byte all the same."""
    clock = HandClock()
    clocks, moments = written
    clocks.append(clock)
    intents = []
    stand_still = standing_still(clock, 6)
    body = {"A": "x" * (BODY_PIECE * 2 if large else 1)}

    async def use(transport, server):
        async def intent():
            intents.append(clock.now)
            stand_still()

        return await transport.send("orders/add", body, before_send=intent)

    outcome = over_sockets(http_answer(f'{{"OrderId": "{ORDER_ID}"}}'), use, clock=clock)
    assert outcome.kind is Kind.DONE
    assert len(intents) > 1
    assert moments == [intents[-1]]


def test_nobody_gets_a_turn_that_the_library_gives_away():
    """Some versions of anyio do so before each write: after the last look they get none, else they do."""
    told = []

    class Letting:
        is_letting_go = False

    async def request():
        asyncio.get_running_loop().call_soon(told.append, "others, before")
        await asyncio.sleep(0)
        letting.is_letting_go = True
        asyncio.get_running_loop().call_soon(told.append, "others, after")
        await asyncio.sleep(0)
        told.append("byte")
        await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    letting = Letting()

    async def main():
        await in_one_step(request(), letting)

    asyncio.run(main())
    assert told == ["others, before", "byte", "others, after"]
    assert not letting.is_letting_go


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("error", [DiskFullError("lock lost"), OSError(28, "no space")])
@pytest.mark.parametrize("at", [2, 3])
def test_what_comes_in_the_last_turn_stops_the_byte(error, at):
    """A lease lost while others had their turn: the order is somebody else's, and nothing leaves."""
    clock = HandClock()
    calls = []
    stand_still = standing_still(clock, 6)

    async def use(transport, server):
        async def intent():
            calls.append(1)
            stand_still()
            if len(calls) == at:
                raise error

        with pytest.raises(type(error)) as caught:
            await transport.send("orders/add", {}, before_send=intent)
        assert caught.value is error
        await asyncio.sleep(0.05)
        return server.received

    assert not any(over_sockets(http_answer("{}"), use, clock=clock))
    assert len(calls) == at


class Slow(Server):
    """Reads the beginning of a body; then something happens before it reads the rest."""

    def __init__(self, script, meanwhile):
        super().__init__(script)
        self._meanwhile = meanwhile
        self.ended = asyncio.Event()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"chunked" not in head.lower()
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            begun = await reader.readexactly(1000)
            # Whatever the sockets between hold is on its way by then.
            await asyncio.sleep(0.3)
            self._meanwhile()
            self.received.append(begun + await reader.readexactly(length - 1000))
            await self.script(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.received.append(b"")
        finally:
            self.ended.set()
            writer.close()


def large_body(intent, clock):
    """Sends a body that no socket takes at once, six seconds passing in the middle: outcome, body, what came of it."""
    body = b'{"A":"' + bytes(range(65, 91)) * (12 << 20 >> 5) + b'"}'

    def six_seconds_pass():
        clock.now += 6

    async def main():
        script = http_answer(f'{{"OrderId": "{ORDER_ID}"}}')
        async with Slow(script, six_seconds_pass) as server, http_client(20, 4) as http:
            limiter = Limiter(1000, Decimal(1), store=MemorySlots(), clock=clock)
            transport = Transport(address=server.address, tokens=TOKENS, http=http, limiter=limiter, clock=clock)
            outcome = await transport.send("outletBills/add", body, before_send=intent)
            await server.ended.wait()
            return outcome, body, server.received

    return asyncio.run(main())


@pytest.mark.usefixtures("library")
def test_a_body_that_stood_still_is_vouched_for_again():
    """A bill of many goes on where it stopped, once the intents of all of them are written anew; it arrives whole."""
    intents = []

    async def intent():
        intents.append(1)

    outcome, body, (came,) = large_body(intent, HandClock())
    assert len(intents) == 2
    assert outcome.kind is not Kind.NOT_SENT
    assert came.endswith(body[1:])
    assert outcome.status == 200


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("error", [DiskFullError("lease lost"), OSError(28, "no space"), ValueError("x")])
def test_a_body_whose_lease_is_lost_is_broken_off(error):
    """Others have its orders by then: Mews never gets the rest, and what left before is in doubt, not unsent."""
    intents = []

    async def intent():
        intents.append(1)
        if len(intents) > 1:
            raise error

    outcome, _, received = large_body(intent, HandClock())
    assert received == [b""]
    assert outcome.kind is Kind.UNKNOWN


def kept_open(use, clock):
    """Runs `use(transport)` against a server that keeps its connections open; how many there were, and requests on each."""
    served: list[int] = []
    ended = asyncio.Semaphore(0)

    async def serve(reader, writer):
        served.append(0)
        at = len(served) - 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
                served[at] += 1
                content = f'{{"OrderId": "{ORDER_ID}"}}'.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.release()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, http_client(1, 1) as http:
            limiter = Limiter(1000, Decimal(1), store=MemorySlots(), clock=clock)
            await use(Transport(address=address, tokens=TOKENS, http=http, limiter=limiter, clock=clock))
        for _ in served:
            await ended.acquire()

    asyncio.run(main())
    return served


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("asleep", "connections"), [(0, [2]), (3600, [1, 1])])
def test_no_connection_of_before_a_sleep_is_trusted(asleep, connections):
    """A laptop opened after an hour: the pool's clock stood still, the far end hung up long ago. Nothing is sent on it."""
    clock = HandClock()
    intents = []

    async def intent():
        intents.append(clock.now)

    async def use(transport):
        assert (await transport.send("orders/add", {}, before_send=intent)).kind is Kind.DONE
        clock.now += asleep
        assert (await transport.send("orders/add", {}, before_send=intent)).kind is Kind.DONE

    assert kept_open(use, clock) == connections
    assert len(intents) == 2 + bool(asleep)


@pytest.mark.usefixtures("library")
def test_a_connection_that_waited_for_its_intent_is_opened_anew():
    """Stopped between the choice of a connection and the byte: the intent is written again, on a connection that lives."""
    clock = HandClock()
    calls = []

    async def intent():
        calls.append(clock.now)
        if len(calls) == 3:
            # The intent that is written anew takes long: the connection in hand is idle meanwhile.
            clock.now += 4

    async def use(transport):
        send = transport._http.send

        async def stopped(*args, **options):
            if len(calls) == 2:
                clock.now += 6
            return await send(*args, **options)

        await transport.send("orders/add", {}, before_send=intent)
        transport._http.send = stopped
        assert (await transport.send("orders/add", {}, before_send=intent)).kind is Kind.DONE

    assert kept_open(use, clock) == [1, 1]
    assert calls[-1] == clock.now


@pytest.mark.usefixtures("library")
def test_proxies_of_the_environment_never_see_loopback(monkeypatch):
    """Plain http goes straight to this machine, whatever the environment says."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:1")

    async def main():
        async with http_client(5, 2) as http:
            direct = [
                isinstance(http._transport_for_url(httpx.URL(url)), mews_http.under().Connections)
                for url in ("http://127.0.0.1:1/", "http://127.0.0.9/", "http://localhost/", "https://localhost/")
            ]
            return direct, isinstance(
                http._transport_for_url(httpx.URL("https://api.mews.com/")), mews_http.under().Connections
            )

    assert asyncio.run(main()) == ([True] * 4, False)


def test_a_proxy_that_can_not_be_used_is_said_in_words(monkeypatch):
    """A wrong proxy setting is a usage problem, not a traceback."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example:1")
    with pytest.raises(UsageError):
        http_client(5, 2)


def test_bodies_must_not_bring_tokens():
    """Tokens are added in one place, where they can't reach the ledger."""

    async def use(transport, mews):
        with pytest.raises(InternalError):
            await transport.send("orders/add", {"ClientToken": "x"})
        with pytest.raises(InternalError):
            await transport.send("orders/add", {"V": Decimal("NaN")})
        assert mews.requests == []

    with_mews(lambda *_: DONE, use)


def test_the_virtual_clock_starts_where_the_fakes_say():
    """The fakes' own ground: wall and monotonic time advance together."""

    async def use(transport, mews):
        await asyncio.sleep(30)
        return (transport.clock.wall() - START).total_seconds()

    assert with_mews(lambda *_: DONE, use) == pytest.approx(30)


def test_fakes_agree_with_the_address():
    """The fake transport is built like the real one."""

    async def main():
        async with httpx.AsyncClient(transport=httpx.MockTransport(FakeMews(lambda *_: DONE))) as http:
            return transport_to(http, clock=VirtualClock()).address

    assert asyncio.run(main()) == ADDRESS


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_not_held_in_memory(packed):
    """A body of a gigabyte took 646 MiB; packed, it is a megabyte on the wire. The order is in doubt, nothing else."""
    taken = []

    async def endless():
        packer = zlib.compressobj(wbits=31)
        for _ in range(1024):
            piece = b" " * (1 << 20)
            taken.append(len(piece))
            yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else piece

    headers = {"Content-Encoding": "gzip"} if packed else {}
    tracemalloc.start()
    outcome, _ = send(lambda *_: httpx.Response(200, content=endless(), headers=headers))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome.kind is Kind.UNKNOWN
    assert "larger than" in outcome.message
    assert sum(taken) < 40 << 20
    assert peak < 80 << 20


def test_a_packet_of_a_bomb_is_unpacked_piece_by_piece():
    """A kilobyte of blanks in a byte: 64 KiB off the wire are 66 MiB, and as many answers come at a time as are asked."""
    bomb = gzip.compress(b" " * (256 << 20))
    tracemalloc.start()
    outcome, _ = send(lambda *_: httpx.Response(200, stream=OnePacket(bomb), headers={"Content-Encoding": "gzip"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome.kind is Kind.UNKNOWN
    assert "larger than 32 MiB" in outcome.message
    assert peak < 40 << 20


@pytest.mark.parametrize("cut", [0, 1, 9])
def test_a_packed_answer_is_read_whole_or_not_at_all(cut):
    """Cut within the packed end, even the whole text is no proof that Mews said no more."""
    packed = gzip.compress(f'{{"OrderId": "{ORDER_ID}"}}'.encode())
    stream = OnePacket(packed[: len(packed) - cut])
    outcome, _ = send(lambda *_: httpx.Response(200, stream=stream, headers={"Content-Encoding": "gzip"}))
    assert outcome.kind is (Kind.UNKNOWN if cut else Kind.DONE)


class OnePacket(httpx.AsyncByteStream):
    """A body that comes at once."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self):
        yield self.content


def test_a_refusal_counts_whatever_its_body_is():
    """The status has come: the order was refused."""

    async def endless():
        while True:
            yield b" " * (1 << 20)

    outcome, _ = send(lambda *_: httpx.Response(403, content=endless()))
    assert outcome.kind is Kind.REFUSED


def test_an_answer_of_a_hundred_thousand_levels_is_no_crash():
    """Nested too deeply to be read: in doubt."""
    outcome, _ = send(lambda *_: httpx.Response(200, content=b'{"OrderId":' + b"[" * 100_000))
    assert outcome.kind is Kind.UNKNOWN
