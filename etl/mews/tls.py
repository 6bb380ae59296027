"""The certificates that Mews's own is checked against, as httpx chooses them."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl

_CHOSEN_BY = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def tls_context() -> ssl.SSLContext:
    """Read once for a process and all that are forked from it: that takes as long as fifty requests."""
    return _read(*map(os.environ.get, _CHOSEN_BY))


@cache
def _read(*_: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()
