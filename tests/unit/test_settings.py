"""Tokens and address come from the environment or .env, and nothing of that file is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.settings import ACCESS_TOKEN, ADDRESS, CLIENT_TOKEN, connection, environment

TEXT = f"# Schlüssel des Hotels\n{ADDRESS}=https://api.mews.com\n{CLIENT_TOKEN}=C1-C1\n{ACCESS_TOKEN}=A1-A1\n"
SECRET = "5ECRET-5ECRET"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_a_file_is_read_as_people_save_it(encoding: str, tmp_path: Path) -> None:
    """PowerShell writes UTF-16, old editors Windows-1252: it was a traceback."""
    (tmp_path / ".env").write_bytes(TEXT.encode(encoding))
    found = connection(environment(tmp_path))
    assert found.address == "https://api.mews.com"
    assert (found.client_token.reveal(), found.access_token.reveal()) == ("C1-C1", "A1-A1")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00\x01\x02" * 100, b"\x80\x81", b"=\n==\n'", b"A='"])
def test_no_content_is_a_traceback(content: bytes, tmp_path: Path) -> None:
    """Whatever stands in the file, the worst that follows is that variables are not set."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        connection(environment(tmp_path))
    assert caught.value.code == "connection.missing"


@pytest.mark.parametrize("odd", ["\udcff", "é", "\x00", " ", "\u200b", "\n"])
@pytest.mark.parametrize("name", [ADDRESS, CLIENT_TOKEN, ACCESS_TOKEN])
def test_a_damaged_value_is_said_and_not_shown(name: str, odd: str) -> None:
    """A token that is no UTF-8 arrives as a lone surrogate and ended in the middle of the first request."""
    values = {ADDRESS: "https://api.mews.com", CLIENT_TOKEN: "C1", ACCESS_TOKEN: "A1", name: f"{SECRET}{odd}x"}
    with pytest.raises(UsageError) as caught:
        connection(values)
    assert caught.value.code == "connection.invalid"
    assert name in caught.value.message
    assert "character 14 of 15" in caught.value.message
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__}"
    (caught.value.message + caught.value.hint).encode()


def test_a_file_too_large_is_no_env(tmp_path: Path) -> None:
    """An export saved as .env by mistake."""
    (tmp_path / ".env").write_bytes(b"x" * (2 << 20))
    with pytest.raises(UsageError) as caught:
        environment(tmp_path)
    assert caught.value.code == "connection.unreadable"


def test_a_file_that_can_not_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by root, run by somebody else."""
    (tmp_path / ".env").write_text(TEXT)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError) as caught:
        environment(tmp_path)
    assert "Permission denied" in caught.value.message


def test_the_process_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is exported for this one command wins."""
    (tmp_path / ".env").write_text(TEXT)
    monkeypatch.setenv(ACCESS_TOKEN, "A2")
    assert environment(tmp_path)[ACCESS_TOKEN] == "A2"
