"""What is shown of a ledger's URL: never a password, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import LedgerError
from etl.ledger.file import ledger_url
from etl.model.ledger_place import is_server, shown


@pytest.mark.parametrize(
    ("ledger", "seen"),
    [
        ("ledger.sqlite", "ledger.sqlite"),
        ("sqlite:///ledger.sqlite", "sqlite:///ledger.sqlite"),
        ("postgresql+psycopg://me:secret@db:5432/uk", "postgresql+psycopg://me@db:5432/uk"),
        ("postgresql://me:se/cr:et?x@db/uk?sslmode=require&password=secret", "postgresql://me@db/uk"),
        ("postgresql://db/uk?user=me&password=secret", "postgresql://db/uk"),
        ("postgresql:///uk?host=/run/postgresql", "postgresql:///uk"),
    ],
)
def test_a_ledger_is_shown_without_its_password(ledger: str, seen: str) -> None:
    """A path is a path; of a server only driver, user, host and database are told."""
    assert shown(ledger) == seen
    assert is_server(ledger) == ledger.startswith("postgresql")


@given(st.text(st.characters(exclude_characters="@", codec="utf-8"), min_size=4))
def test_no_password_is_shown(password: str) -> None:
    """Whatever it is made of."""
    seen = shown(f"postgresql+psycopg://u:pw{password}pw@h/d?password=pw{password}pw")
    assert seen == "postgresql+psycopg://u@h/d"


@pytest.mark.parametrize("url", ["postgresql://u:secret@h:port/d", "not a url://u:secret@h", "://secret"])
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    """The words of the library hold what it could not read, the password with it."""
    with pytest.raises(LedgerError) as caught:
        ledger_url(url)
    told = f"{caught.value.message} {caught.value.hint} {caught.value.__cause__} {caught.value.__context__ is None}"
    assert caught.value.code == "ledger.url"
    assert "secret" not in told


@pytest.mark.parametrize("name", ["postgres", "postgresql", "postgresql+psycopg"])
def test_one_driver_is_used(name: str) -> None:
    """However PostgreSQL is named, psycopg 3 speaks to it; another driver is refused by name."""
    assert ledger_url(f"{name}://u@h/d").drivername == "postgresql+psycopg"
    with pytest.raises(LedgerError, match="psycopg2"):
        ledger_url("postgresql+psycopg2://u@h/d")
