"""Without the extra `postgres` a ledger on a server is a sentence, not a traceback."""

from __future__ import annotations

import sys

import pytest

from etl.errors import LedgerError
from etl.ledger.ledger import Ledger


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    """Whoever installed the package alone."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql+psycopg://me:secret@h/d")
    assert caught.value.code == "ledger.driver"
    assert "pip install 'centra-mews[postgres]'" in caught.value.hint
    assert "secret" not in caught.value.message
