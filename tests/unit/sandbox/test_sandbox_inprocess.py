"""The sandbox as a transport in virtual time: no waiting, the same exceptions as from a real socket."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sandbox_desk import ACCOUNT, SERVICE, Desk

from etl.sandbox.core import PREFIX
from etl.sandbox.inprocess import SandboxTransport

ORDER = {
    "ServiceId": SERVICE,
    "AccountId": ACCOUNT,
    "Items": [{"Name": "A", "UnitCount": 1, "UnitAmount": {"Currency": "GBP", "TaxCodes": [], "GrossValue": 1}}],
    "ConsumptionUtc": "2011-12-01T08:26:00Z",
}


def send(desk: Desk, *, timeout=10.0, latency=0.0, times=1) -> list[httpx.Response]:
    """Responses to `times` orders, one after the other, in virtual time."""

    async def sleep(seconds: float) -> None:
        desk.clock.forward(seconds)

    async def run():
        transport = SandboxTransport(desk.sandbox, clock=desk.clock, sleep=sleep, latency=lambda: latency)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", timeout=timeout) as client:
            headers = {"Content-Type": "application/json"}
            url = f"{PREFIX}orders/add"
            return [await client.post(url, content=desk.body(**ORDER), headers=headers) for _ in range(times)]

    return asyncio.run(run())


def test_an_order_goes_through():
    """Without faults it is a plain Mews."""
    desk = Desk()
    answer = send(desk)[0]
    assert (answer.status_code, answer.json()) == (200, {"OrderId": desk.sandbox.orders[0].id})


@pytest.mark.parametrize(
    ("fault", "raised", "orders", "waited"),
    [
        ("connect-error", httpx.ConnectError, 0, 0),
        ("reset-before-commit", httpx.ReadError, 0, 0),
        ("reset-after-commit", httpx.ReadError, 1, 0),
        ("timeout-before-commit", httpx.ReadTimeout, 0, 10),
        ("timeout-after-commit", httpx.ReadTimeout, 1, 10),
        ("slow:seconds=30", httpx.ReadTimeout, 1, 10),
        ("truncate", httpx.RemoteProtocolError, 1, 0),
        ("delayed-commit:answer=hang:seconds=5", httpx.ReadTimeout, 0, 10),
    ],
)
def test_wire_faults_are_httpx_exceptions(fault, raised, orders, waited):
    """The loader under test sees what it would see from the network, and the clock moves as far."""
    desk = Desk(None, fault)
    begin = desk.clock()
    with pytest.raises(raised):
        send(desk)
    assert len(desk.sandbox.orders) == orders
    assert (desk.clock() - begin).total_seconds() == waited


def test_a_delayed_commit_lands_in_virtual_time():
    """The order that the client gave up on after 10 s is there once Mews's 15 s have passed."""
    desk = Desk(None, "delayed-commit:seconds=15:answer=hang")
    with pytest.raises(httpx.ReadTimeout):
        send(desk)
    desk.clock.forward(6)
    assert desk.sandbox.settle() == 1
    assert [order.created.second for order in desk.sandbox.orders] == [15]


def test_silence_without_a_timeout_ends_some_day():
    """A client that waits for ever is at last cut off, as by any server."""
    desk = Desk(None, "timeout-before-commit")
    with pytest.raises(httpx.RemoteProtocolError):
        send(desk, timeout=None)


def test_slow_answers_come_after_their_delay():
    """Delay and latency add up on the caller's clock."""
    desk = Desk(None, "slow:seconds=3")
    begin = desk.clock()
    assert [answer.status_code for answer in send(desk, latency=0.5, times=2)] == [200, 200]
    assert (desk.clock() - begin).total_seconds() == 8
