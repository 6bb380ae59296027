"""The sandbox on a real socket: keep-alive, every wire fault as a client meets it, and a clean end."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time

import httpx
import pytest
import simplejson
from sandbox_desk import ACCOUNT, CATEGORY, OUTLET, SERVICE, amount, bill, paid, sold, us_world, world_of

from etl.errors import UsageError
from etl.sandbox import parse_fault, run_server
from etl.sandbox.core import PREFIX
from etl.sandbox.server import running_sandbox
from etl.sandbox.world import LARGEST_BODY

WORLD = world_of()
WHO = {"ClientToken": WORLD.client_token, "AccessToken": WORLD.access_token, "Client": "test 1.0"}
ORDER = {
    **WHO,
    "ServiceId": SERVICE,
    "AccountId": ACCOUNT,
    "Items": [{"Name": "A", "UnitCount": 1, "UnitAmount": {"Currency": "GBP", "TaxCodes": [], "GrossValue": 1.25}}],
    "ConsumptionUtc": "2011-12-01T08:26:00Z",
}


def started(*faults: str, **options):
    return running_sandbox(WORLD, faults=[parse_fault(spec) for spec in faults], **options)


def post(client: httpx.Client, operation: str = "orders/add", body=None) -> httpx.Response:
    return client.post(f"{PREFIX}{operation}", json=ORDER if body is None else body)


def test_requests_share_one_connection():
    """Keep-alive works: a hundred orders over one connection, all answered."""
    with started() as running, httpx.Client(base_url=running.url) as client:
        first = post(client)
        local = first.extensions["network_stream"].get_extra_info("client_addr")
        answers = [post(client) for _ in range(100)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers} == {local}
        assert len(running.sandbox.orders) == 101


def test_many_clients_at_once():
    """Orders sent side by side are all there, each once."""
    with started() as running:

        def send(_):
            with httpx.Client(base_url=running.url) as client:
                return [post(client).json()["OrderId"] for _ in range(20)]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ids = [order for orders in pool.map(send, range(8)) for order in orders]
        assert sorted(ids) == sorted(order.id for order in running.sandbox.orders)
        assert len(set(ids)) == 160


@pytest.mark.parametrize(
    ("fault", "raised", "orders"),
    [
        ("timeout-before-commit", httpx.ReadTimeout, 0),
        ("timeout-after-commit", httpx.ReadTimeout, 1),
        ("slow:seconds=5", httpx.ReadTimeout, 1),
        ("reset-before-commit", (httpx.ReadError, httpx.RemoteProtocolError), 0),
        ("reset-after-commit", (httpx.ReadError, httpx.RemoteProtocolError), 1),
        ("connect-error", (httpx.ReadError, httpx.RemoteProtocolError), 0),
        ("truncate", httpx.RemoteProtocolError, 1),
    ],
)
def test_wire_faults_reach_the_client(fault, raised, orders):
    """Silence, resets and half bodies look to httpx as they do in the wild; Mews acted or not as named."""
    with started(fault) as running, httpx.Client(base_url=running.url, timeout=0.3) as client:
        with pytest.raises(raised):
            post(client)
        assert len(running.sandbox.orders) == orders


def test_a_reset_is_a_reset():
    """The client's kernel sees RST, not an orderly end."""
    with started("reset-before-commit") as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            request = httpx.Request("POST", f"{running.url}{PREFIX}orders/add", json=ORDER)
            head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            raw.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
            with pytest.raises(ConnectionResetError):
                raw.recv(10)


def test_slow_answers_arrive_if_the_client_waits():
    """A delay is not a failure."""
    with started("slow:seconds=0.2") as running, httpx.Client(base_url=running.url) as client:
        begin = time.monotonic()
        assert post(client).status_code == 200
        assert time.monotonic() - begin >= 0.2


def test_a_delayed_commit_happens_without_further_requests():
    """Mews finishes its work whether or not anybody asks again."""
    with started("delayed-commit:seconds=0.2:answer=500") as running, httpx.Client(base_url=running.url) as client:
        assert post(client).status_code == 500
        assert running.sandbox.orders == []
        deadline = time.monotonic() + 10
        while not running.sandbox.orders and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(running.sandbox.orders) == 1


def test_idle_connections_are_closed():
    """After its idle time a kept connection ends, as Mews's own do."""
    with started(idle_seconds=0.1) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            assert raw.recv(10) == b""


def test_bodies_in_chunks_are_read():
    """Clients that stream their body are served too."""
    with started() as running, httpx.Client(base_url=running.url) as client:
        request = httpx.Request("POST", "http://x", json=ORDER)
        content = (bytes([byte]) for byte in request.content)
        headers = {"Content-Type": "application/json"}
        assert client.post(f"{PREFIX}orders/add", content=content, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000, b"431"),
        (b"DELETE /api/connector/v1/orders/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"404"),
    ],
)
def test_odd_requests_get_an_answer(raw, status):
    """Whatever comes on the socket is answered, and the server goes on."""
    with started() as running, httpx.Client(base_url=running.url) as client:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as other:
            other.sendall(raw)
            assert other.recv(100).split(b" ")[1].startswith(status)
        assert post(client).status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1:1234", b"200"),
        ("localhost", b"200"),
        ("LOCALHOST:80", b"200"),
        ("[::1]:80", b"200"),
        ("127.8.9.1", b"200"),
        ("evil.example", b"421"),
        ("evil.example:8080", b"421"),
        ("127.0.0.1.evil.example", b"421"),
        ("localhost.evil.example", b"421"),
        ("10.0.0.1", b"421"),
        ("", b"421"),
        ("127.0.0.1:80:80", b"421"),
    ],
)
def test_only_names_of_this_machine_are_answered(name, status):
    """A page of the open web that points its own name here reads nothing (DNS rebinding)."""
    with started() as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert raw.recv(100).split(b" ")[1] == status


def test_requests_sent_all_at_once_are_answered_in_turn():
    """Two thousand requests in one write do not exhaust the server."""
    one = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with started() as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as raw, raw.makefile("rb") as answers:
            raw.sendall(one * 2000)
            assert sum(b"HTTP/1.1 404" in line for line in _lines(answers, 2000)) == 2000


def _lines(answers, count):
    """The lines of `count` answers."""
    while count:
        line = answers.readline()
        assert line
        count -= line.lower().startswith(b"content-length")
        yield line


def test_a_huge_body_is_413():
    """A body beyond the size is refused without being kept."""
    with started() as running, httpx.Client(base_url=running.url) as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post(f"{PREFIX}orders/add", content=b"x" * (LARGEST_BODY + 1), headers=headers)
        assert answer.status_code == 413


def test_the_page_shows_what_was_posted_and_escapes_it():
    """A person sees counts, sums and orders; a name from an export can't run as a script."""
    with started() as running, httpx.Client(base_url=running.url) as client:
        hostile = {**ORDER, "Notes": "<script>alert(1)</script>"}
        post(client, body=hostile)
        post(client, "orders/remove")
        page = client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "1.25" in page.text
    assert "orders/remove" in page.text
    assert "http" not in page.text.split("<body>")[0].replace("http-equiv", "")


def test_the_page_shows_outlets_with_their_bills_and_items():
    """Which outlets there are, sums as the outlet report has them, the latest bills; what lacks a category, or is there twice."""
    hostile = bill(
        sold(amount("12.00", "UK-20%"), Name="<b>Heart</b>", AccountingCategoryId=CATEGORY),
        paid("-12.00"),
        Number="536365",
        Notes="<script>alert(1)</script>",
    )
    with started() as running, httpx.Client(base_url=running.url) as client:
        before = client.get("/").text
        for number in ("536365", "536365", "536366"):
            sent = simplejson.dumps({**WHO, "Bills": [{**hostile, "Number": number}]}, use_decimal=True)
            assert post(client, "outletBills/add", body=json.loads(sent)).status_code == 200
        page = client.get("/").text
    assert "Latest outlet bills" not in before
    assert "Kiosk <span" in before
    assert "Numbers on more than one bill of their outlet: 1" in page
    assert "<script" not in page
    assert "<b>Heart" not in page
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in page.split("<tr>")]
    assert ["GBP", "Revenue", "Web shop", "UK-20%", "3", "30.00", "6.00", "36.00"] in cells
    assert ["GBP", "Payment", "None", "no tax", "3", "-36.00", "0.00", "-36.00"] in cells
    latest = next(row for row in cells if row[:1] == ["536366"])
    assert (latest[1:3], latest[4], latest[6]) == (
        ["Shop", "2011-12-01 08:26:00"],
        "0.00 GBP",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    )
    assert latest[5] == "Revenue 1 x &lt;b&gt;Heart&lt;/b&gt; 12.00; Payment 1 x Card -12.00"


def test_the_page_shows_net_worlds_and_no_orders():
    """An empty sandbox has a page too."""
    with running_sandbox(us_world()) as running:
        assert "Nothing has been posted yet" in httpx.get(running.url).text


def test_a_taken_port_is_a_usage_error():
    """The second sandbox on a port says so in a sentence."""
    with started() as running:
        second = started(port=int(running.url.rsplit(":", 1)[1]))
        with pytest.raises(UsageError, match="can't listen on port"), second:
            pass


def test_state_lives_on_in_a_new_process(tmp_path):
    """A real process, killed with SIGKILL, loses nothing that it answered."""
    script = textwrap.dedent(
        """
        import sys
        from etl.sandbox import load_world, run_server
        run_server(load_world("gross-uk"), 0, sys.argv[1], [], 3, lambda line: print(line, flush=True))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "state")]
    order = {**ORDER, "ConsumptionUtc": "2010-12-01T08:26:00Z"}
    totals = []
    for last in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            told: list[str] = []
            lines = (told.append(line) or line for line in iter(process.stdout.readline, ""))
            exported = dict(
                line.strip().removeprefix("export ").split("=", 1) for line in _until(lines, "MEWS_ACCESS_TOKEN")
            )
            who = {"ClientToken": exported["MEWS_CLIENT_TOKEN"], "AccessToken": exported["MEWS_ACCESS_TOKEN"]}
            with httpx.Client(base_url=exported["MEWS_PLATFORM_ADDRESS"]) as client:
                for _ in range(5):
                    assert post(client, body={**order, **who}).status_code == 200
                till = {"OutletId": OUTLET, "Number": "1", "ClosedUtc": "2010-12-01T08:26:00Z"}
                entry = {"Type": "Payment", "Name": "Cash", "UnitCount": 1, "ConsumedUtc": till["ClosedUtc"]}
                entry["UnitAmount"] = {"Currency": "GBP", "GrossValue": -1, "TaxCodes": []}
                bills = [{**till, "Items": [entry]}] * 3
                assert post(client, "outletBills/add", {**who, "Client": "t", "Bills": bills}).status_code == 200
                shown = post(
                    client,
                    "orderItems/getAll",
                    {**who, "Client": "t", "Limitation": {"Count": 1000}, "ServiceIds": [SERVICE]},
                )
                closed = {"StartUtc": "2010-12-01T00:00:00Z", "EndUtc": "2010-12-02T00:00:00Z"}
                asked = {**who, "Client": "t", "Limitation": {"Count": 1000}, "ClosedUtc": closed}
                held = post(client, "outletItems/getAll", asked)
            totals.append((len(shown.json()["OrderItems"]), len(held.json()["OutletItems"])))
            assert ("Continuing with 5 orders and 3 outlet bills from the state file.\n" in told) == (len(totals) == 2)
            os.kill(process.pid, last)
            assert process.wait(10) == (0 if last is signal.SIGTERM else -signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    assert totals == [(5, 3), (10, 6)]


def _until(lines, word):
    for line in lines:
        if "export " in line:
            yield line
        if word in line:
            return


def test_run_server_refuses_a_state_file_that_is_none(tmp_path):
    """A wrong --state is told before anything listens."""
    (tmp_path / "state").write_text("shopping list\n")
    with pytest.raises(UsageError, match="Line 1"):
        run_server(WORLD, 0, tmp_path / "state", [], 0, print)
