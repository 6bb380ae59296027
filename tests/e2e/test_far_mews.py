"""A Mews that is not on this machine: https with its own certificate, and nothing sent that nobody confirmed."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from small_shop import SmallShop, open_shop, rows, unlimited

from etl.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow


def own_address() -> str:
    """An address of this machine that is not loopback; skips where there is none."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family is socket.AF_INET and not one.address.startswith("127."):
                return one.address
    pytest.skip("needs a network interface besides loopback")


def certificate(folder: Path, address: str) -> Path:
    """A certificate for the address and its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, cert = folder / "key.pem", folder / "cert.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=far -keyout {key} -out {cert}".split()
    subprocess.run(["openssl", *words, "-addext", f"subjectAltName=IP:{address}"], check=True, capture_output=True)
    return cert


def pump(source: socket.socket, target: socket.socket, far: bytes = b"", near: bytes = b"") -> None:
    """Bytes from one side to the other until either ends; the sandbox answers to its own name only."""
    with suppress(OSError):
        while data := source.recv(65536):
            # Names of headers are the same in any case, and each HTTP library has its own.
            target.sendall(re.sub(rb"(?i)(?<=\nhost: )" + re.escape(far), near, data) if far else data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def tls_in_front(url: str, address: str, cert: Path) -> Iterator[str]:
    """The sandbox behind https on an address that is not loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, cert.with_name("key.pem"))
    inside = urlsplit(url)
    server = socket.create_server((address, 0))
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            try:
                outer = context.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            inner = socket.create_connection((inside.hostname, inside.port))
            sockets.extend((outer, inner))
            names = (f"{address}:{server.getsockname()[1]}".encode(), inside.netloc.encode())
            for args in ((outer, inner, *names), (inner, outer)):
                threads.append(threading.Thread(target=pump, args=args, daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=serve, daemon=True)
    acceptor.start()
    try:
        yield f"https://{address}:{server.getsockname()[1]}"
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        acceptor.join(5)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for one in sockets:
            one.close()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[SmallShop]:
    """A shop whose Mews is far away, as far as the program can tell."""
    address = own_address()
    cert = certificate(tmp_path, address)
    with running_sandbox(unlimited()) as mews, tls_in_front(mews.url, address, cert) as url:
        shop = open_shop(tmp_path, mews, "far")
        yield replace(shop, shell=replace(shop.shell, url=url, env=shop.shell.env | {"SSL_CERT_FILE": str(cert)}))


def test_far_away_nothing_goes_unconfirmed(far: SmallShop) -> None:
    """A real guest is charged only with a plan that somebody reviewed."""
    export = far.export(rows(2))
    dry = far.shell.run("dry-run", export)
    assert dry.code == 0, dry.err
    alone = far.shell.run("run", export)
    assert alone.code == 2
    assert alone.json["error"]["code"] == "plan.unconfirmed"
    assert "Sandbox Hotel London" in alone.err
    assert not far.held()
    reviewed = far.shell.run("run", export, "--expect", dry.json["plan"])
    assert reviewed.code == 0, reviewed.err
    assert far.held() == {"1001": 1, "1002": 1}


@pytest.mark.parametrize(("typed", "code", "orders"), [("Sandbox Hotel London", 0, 2), ("yes", 2, 0), ("", 2, 0)])
def test_a_person_confirms_by_the_enterprises_name(far: SmallShop, typed: str, code: int, orders: int) -> None:
    """Enterprise, orders, money and open balance are shown; "yes" typed out of habit posts nothing."""
    export = far.export(rows(2))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        far.shell.command("run", export),
        cwd=far.folder,
        env=far.shell.environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{typed}\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == code, err
    assert json.loads(out)["exit_code"] == code
    assert "Sandbox Hotel London" in err
    assert "open balance" in err
    assert len(far.held()) == orders


def test_a_certificate_nobody_vouches_for_is_refused(far: SmallShop) -> None:
    """Whoever sits between us and Mews gets no token."""
    bare = replace(far, shell=replace(far.shell, env={"STORE": far.store}))
    done = bare.shell.run("dry-run", far.export(rows(1)), timeout=120)
    assert done.code == 4, done.err
    assert not far.sandbox.log


def test_far_away_nothing_rests_on_a_likely_row(far: SmallShop) -> None:
    """A dry run uses likely rows and names them with samples; a run waits for a person's yes, reviewed plan or not."""
    export = far.export(rows(2))
    tables = {
        "columns.csv": "header,field,sure\norderNumber,orderNumber,likely\n",
        "values.csv": "field,value,means,sure\nstatus,paid,Completed,likely\n",
    }
    for name, text in tables.items():
        (far.mapping / name).write_text(text, "utf-8")
    dry = far.shell.run("dry-run", export)
    assert dry.code == 0, dry.err
    assert [(row["place"], row["samples"]) for row in dry.json["likely"]] == [
        ("columns.csv, row 2", ["1001", "1002"]),
        ("values.csv, row 2", ["paid"]),
    ]
    assert "Likely" in dry.err
    refused = far.shell.run("run", export, "--expect", dry.json["plan"])
    assert (refused.code, refused.json["error"]["code"]) == (2, "mapping.unconfirmed")
    assert "columns.csv, row 2" in refused.err
    assert not far.held()
    for name, text in tables.items():
        (far.mapping / name).write_text(text.replace("likely", "yes"), "utf-8")
    assert far.shell.run("run", export, "--expect", dry.json["plan"]).code == 0
    assert far.held() == {"1001": 1, "1002": 1}
