"""Kept connections: used again while they are sound, never shared, never trusted when they are old or half read."""

import asyncio

import httpcore
import httpx
import pytest

from etl.errors import InternalError
from etl.mews import connections

BODY = b"x" * 2_000_000
UNDER = []
"""What is under the client now."""


@pytest.fixture(autouse=True, params=["aiohttp_transport", "connections"])
def library(request):
    """aiohttp, or httpcore where that is not there."""
    UNDER[:] = [pytest.importorskip(f"etl.mews.{request.param}").Connections]


class Counting:
    """A server that says which connection a request came over, and how many there were."""

    def __init__(self, *, hold=None, closes=False, body=b"ok"):
        self.connections = 0
        self.requests = []
        self.asked = asyncio.Semaphore(0)
        self._hold, self._closes, self._body = hold, closes, body

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        mine = self.connections
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests.append(mine)
                self.asked.release()
                if self._hold is not None:
                    await self._hold.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(self._body), self._body))
                await writer.drain()
                if self._closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def over(use, *, most=4, keepalive=5.0, **server):
    async def main():
        async with Counting(**server) as mews:
            transport = UNDER[0](most, keepalive)
            async with httpx.AsyncClient(transport=transport, timeout=10) as client:
                return await use(client, mews)

    return asyncio.run(main())


def test_one_connection_serves_many_requests():
    async def use(client, mews):
        for _ in range(5):
            assert (await client.get(mews.url)).content == b"ok"
        return mews.connections

    assert over(use) == 1


def test_requests_at_once_have_one_connection_each():
    """Never two on one, and never more than there may be."""

    async def use(client, mews):
        answers = await asyncio.gather(*[client.get(mews.url) for _ in range(4)])
        assert [answer.content for answer in answers] == [b"ok"] * 4
        first = sorted(mews.requests)
        await asyncio.gather(*[client.get(mews.url) for _ in range(4)])
        return first, mews.connections

    assert over(use) == ([1, 2, 3, 4], 4)


def test_an_old_connection_is_not_used_again():
    async def use(client, mews):
        await client.get(mews.url)
        await asyncio.sleep(0.1)
        await client.get(mews.url)
        return mews.requests

    assert over(use, keepalive=0.05) == [1, 2]


def test_a_connection_that_the_server_closed_is_not_used_again():
    """Its next request would be an order in doubt."""

    async def use(client, mews):
        await client.get(mews.url)
        await asyncio.sleep(0.05)
        await client.get(mews.url)
        return mews.requests

    assert over(use, closes=True) == [1, 2]


def test_an_answer_that_was_not_read_costs_its_connection():
    """What is left of it must not become the beginning of the next answer."""

    async def use(client, mews):
        async with client.stream("GET", mews.url):
            pass
        assert (await client.get(mews.url)).content == BODY
        return mews.requests

    assert over(use, body=BODY) == [1, 2]


def test_whoever_waits_in_vain_for_a_connection_has_sent_nothing():
    """The faults by which an order stays ready; the room is free again afterwards."""

    async def use(client, mews):
        client.timeout = httpx.Timeout(5, pool=0.05)
        mews._hold = asyncio.Event()
        first = asyncio.ensure_future(client.get(mews.url))
        await mews.asked.acquire()
        with pytest.raises((httpx.PoolTimeout, httpx.ConnectTimeout)):
            await client.get(mews.url)
        assert mews.requests == [1]
        mews._hold.set()
        await first
        return (await client.get(mews.url)).status_code, mews.requests

    assert over(use, most=1) == (200, [1, 1])


def test_a_cancelled_request_gives_its_room_back_and_its_connection_up():
    async def use(client, mews):
        mews._hold = asyncio.Event()
        first = asyncio.ensure_future(client.get(mews.url))
        await mews.asked.acquire()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        mews._hold.set()
        return (await client.get(mews.url)).status_code, mews.requests

    assert over(use, most=1) == (200, [1, 2])


def test_nobody_listening_is_a_connect_error_each_time():
    async def main():
        async with Counting() as mews:
            url = mews.url
        transport = UNDER[0](1, 5.0)
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(3):
                with pytest.raises(httpx.ConnectError):
                    await client.get(url)

    asyncio.run(main())


def test_other_protocols_are_refused():
    async def main():
        pool = connections.Connections(1, 5.0)._pool
        with pytest.raises(httpcore.UnsupportedProtocol):
            await pool.handle_async_request(httpcore.Request("GET", "ftp://127.0.0.1/"))

    asyncio.run(main())


def test_a_connection_is_told_of_once_and_before_the_request_that_it_was_made_for():
    told = []
    seen = ("connection.connect_tcp.complete", "http11.send_request_headers.started")

    async def tell(event, _):
        if event in seen:
            told.append(seen.index(event))

    async def use(client, mews):
        for _ in range(2):
            await client.get(mews.url, extensions={"trace": tell})
            # The server's word that it closed has arrived.
            await asyncio.sleep(0.05)

    over(use, closes=True)
    assert told == [0, 1, 0, 1]
    told.clear()
    over(use)
    assert told == [0, 1, 1]


def test_a_library_that_sends_without_a_word_is_not_worked_with(monkeypatch):
    """Whoever believed that nothing had left would send it again."""
    transport = pytest.importorskip("etl.mews.aiohttp_transport")
    UNDER[:] = [transport.Connections]
    monkeypatch.setattr(transport, "_Request", transport.aiohttp.ClientRequest)

    async def use(client, mews):
        with pytest.raises(InternalError, match="without a word"):
            await client.get(mews.url)

    over(use)
