"""A ledger file as disks, other programs and other people leave it: said in words, never taken for something else."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from etl.errors import EtlError, LedgerError
from etl.ledger.ledger import Ledger

OLD = Path(__file__).parents[2] / "e2e" / "old_ledger" / "ledger.sql"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a ledger with orders in all states."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    database = sqlite3.connect(path)
    database.executescript(OLD.read_text(encoding="utf-8"))
    database.close()
    Ledger.open(path).close()
    return path.read_bytes()


def read_all(path: Path, *, read_only: bool) -> None:
    """Everything that commands read of a ledger."""
    with Ledger.open(path, read_only=read_only) as ledger:
        ledger.counts()
        ledger.runs()
        ledger.home()
        ledger.watermark()
        ledger.load_reference()
        numbers = [order.number for order in ledger.orders()]
        ledger.lookup(numbers)
        ledger.parts(numbers)


def test_the_ledger_itself_is_whole(content: bytes, tmp_path: Path) -> None:
    """Else the next test proves nothing."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    read_all(path, read_only=True)


def test_a_damaged_ledger_is_called_damaged(content: bytes, tmp_path: Path) -> None:
    """Flipped bytes, a cut, a block of zeros: never a traceback, and never somebody's data in the message."""
    rng = random.Random(7)
    codes: Counter[str] = Counter()
    messages: list[str] = []
    for number in range(150):
        damaged = bytearray(content)
        match number % 3:
            case 0:
                for _ in range(rng.choice([1, 3, 20])):
                    damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            case 1:
                del damaged[rng.randrange(1, len(damaged)) :]
            case _:
                start = rng.randrange(len(damaged))
                damaged[start : start + 4096] = bytes(len(damaged[start : start + 4096]))
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(damaged)
        try:
            read_all(path, read_only=bool(number % 2))
            codes["unnoticed"] += 1
        except EtlError as error:
            codes[error.code] += 1
            messages.append(str(error))
    assert max(map(len, messages)) < 300
    assert all(message.encode() for message in messages)
    assert codes["ledger.corrupt"] > 60
    assert set(codes) <= {"unnoticed", "ledger.corrupt", "ledger.foreign"}
    assert codes["ledger.foreign"] <= 3


def test_a_damaged_head_is_damage_and_not_another_file(content: bytes, tmp_path: Path) -> None:
    """`Name the right file` would send people away from the only proof they have."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"\0" * 16 + content[16:])
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.corrupt"
    path.write_bytes(b"orderNumber;qty\n1;2\n" * 1000)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.foreign"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_that_others_may_read_becomes_private(content: bytes, tmp_path: Path, read_only: bool) -> None:
    """Copied with `cp` or out of an archive it had mode 0644, with names and amounts of every guest."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    path.chmod(0o664)
    read_all(path, read_only=read_only)
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_is_not_ours_to_change_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before anything is written into it; who only reads it goes on."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    path.chmod(0o644)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.public"
    assert "chmod 600" in caught.value.hint
    read_all(path, read_only=True)


def test_somebody_elses_database_keeps_its_mode(tmp_path: Path) -> None:
    """It is refused, so it may not be changed."""
    path = tmp_path / "other.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE photos (id)")
    database.close()
    path.chmod(0o644)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.code == "ledger.foreign"
    assert path.stat().st_mode & 0o777 == 0o644
