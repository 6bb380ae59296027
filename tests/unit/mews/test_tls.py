"""Certificates are read once, by whoever is forked from, and again where somebody names others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from etl.mews.tls import tls_context

BEGIN = "-----BEGIN CERTIFICATE-----"


def test_certificates_are_read_once() -> None:
    """A second client of this process checks against the same ones, and checks."""
    first = tls_context()
    assert tls_context() is first
    assert first.check_hostname
    assert first.get_ca_certs()


def test_others_are_read_where_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE counts when a client is made, not when the first one was: one authority in place of all."""
    everybody = tls_context()
    text = Path(certifi.where()).read_text("utf-8")
    begin = text.index(BEGIN)
    file = tmp_path / "one.pem"
    file.write_text(text[begin : text.index(BEGIN, begin + 1)], "utf-8")
    with monkeypatch.context() as named:
        named.setenv("SSL_CERT_FILE", str(file))
        assert len(tls_context().get_ca_certs()) == 1
    assert tls_context() is everybody


def test_the_processes_of_a_portfolio_have_read_them() -> None:
    """Whoever is forked has the certificates: they took a fifth of the CPU of a small property's preflight."""
    code = "import etl.cli.warm; from etl.mews import tls; print(tls._read.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "1"
