"""Filling in cells leaves every other byte of the file as a person saved it."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.mapping.filling import CANDIDATES, fill_table

HEAD = "key_type,key,account\r\n"


def fill(path: Path, content: bytes, new: dict[str, dict[str, str]]) -> bytes:
    """The file after the rows of these keys got these cells."""
    path.write_bytes(content)
    path.chmod(0o600)
    assert fill_table(path, lambda _line, cells: new.get(cells.get("key", ""), {})) >= 0
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.csv"


def test_only_the_row_changes(path: Path) -> None:
    """Comments, odd quoting and blank rows stay."""
    content = f'# mine, "as it is"\r\n\r\n{HEAD}email,"a@example.com",\r\n "market" ,UK,\r\n# email,b@example.com,\r\n'.encode()
    assert fill(path, content, {"b@example.com": {"key_type": "email", "account": "X"}}) == content.replace(
        b"# email,b@example.com,", b"email,b@example.com,X"
    )
    assert fill(path, content, {}) == content


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encoding_and_line_ends_stay(path: Path, encoding: str, newline: str) -> None:
    """As the spreadsheet saved it; the last line needs no end."""
    text = "# Zoë\nkey_type;key;account\nemail;ä@example.com;\nmarket;UK;".replace("\n", newline)
    got = fill(path, text.encode(encoding), {"UK": {"account": "Ünit; 1"}})
    assert got == (text + '"Ünit; 1"').replace('UK;"', 'UK;"').encode(encoding)


def test_a_column_of_candidates_is_added_once(path: Path) -> None:
    """To the header and the rows that have some; the others stay short, which is allowed."""
    content = f"{HEAD}email,a,\r\nemail,b,\r\n".encode()
    first = fill(path, content, {"b": {CANDIDATES: "Ann, Bob"}})
    assert first == b'key_type,key,account,# candidates\r\nemail,a,\r\nemail,b,,"Ann, Bob"\r\n'
    assert fill(path, first, {"a": {CANDIDATES: "Cy"}}) == first.replace(b"email,a,\r\n", b"email,a,,Cy\r\n")


def test_a_row_over_several_lines_is_left_alone(path: Path) -> None:
    """And the rows after it keep their own lines."""
    content = b'key_type,key,account,# note\n# email,a,,"two\nlines"\n# email,b,,\n'
    new = {"a": {"account": "X"}, "b": {"account": "Y"}}
    assert fill(path, content, new) == content.replace(b"# email,b,,", b"# email,b,Y,")


def test_a_table_with_a_fault_is_left_alone(path: Path) -> None:
    """What a person has to correct is not rewritten under their hands."""
    content = b"key_type,kee,account\nemail,a,\n"
    assert fill(path, content, {"a": {"account": "X"}}) == content


def test_what_the_encoding_cannot_hold_is_not_written(path: Path) -> None:
    """Half a name is worse than none."""
    content = "key_type,key,account,# name\nemail,a,,Zoë\n".encode("cp1252")
    assert fill(path, content, {"a": {CANDIDATES: "東京"}}) == content
