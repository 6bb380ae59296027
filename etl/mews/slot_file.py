"""Granted slots in a small file that all processes of this machine share which use one access token on one platform.

Rule: design section 7.12. The file lies in a folder of the machine, whoever runs the command and whatever ledger it has,
and outlives a crash, so that a restart does not begin with an empty window. Its name is a hash; it holds times and counts.
Rows have a fixed place and are written one by one under a lock of the file, so that a killed process leaves whole rows.
A copy beside the ledger brings the window back where the folder of the machine did not outlive a restart (a container's).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from etl.errors import LedgerError
from etl.mews.clock import Clock
from etl.mews.http import is_loopback
from etl.mews.slots import Row, Taken, grant, is_plausible

FOLDER = "CENTRA_MEWS_LIMITS"
"""The variable that names another folder, such as a volume that several containers share."""
_NAME = "centra-mews"
_SHARED = 0o666
_OWN = 0o600

_MAGIC = b"CMslots1"
_HEADER = struct.Struct("<8s16sdd24x")
"""Magic, boot, wall time less monotonic time, and the longest time that anybody keeps rows for."""
_ROW = struct.Struct("<qddq")
"""Id, granted, until, size; a size of 0 is a free place."""
_PLACES = 256
"""Rows that the file has room for from the start: a full disk is met when it is made, not in the middle of a run."""
_BUSY_SECONDS = 1.0
_ASK_AGAIN = 0.005
_LONGEST = 86_400.0
"""A row that counts longer than this from now is damaged."""
_ALL = 1 << 40
"""The size of a row that stands for a window nobody knows anything of."""
_STALE_SECONDS = 3600.0


def shared_name(platform: str, token_key: str) -> str:
    """The file's name for a platform address and a token's hash. The names of this machine are one platform."""
    parts = urlsplit(platform)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    where = f"{'this machine' if is_loopback(host) else host}:{port}"
    return hashlib.sha256(f"centra-mews limit\n{where}\n{token_key}".encode()).hexdigest()[:40]


def shared_slots(platform: str, token_key: str, *, clock: Clock, beside: Path | None) -> FileSlots:
    """The slots of a token on this machine. `beside`: the copy beside the ledger, None for none.

    Where no folder of the machine can be used, the copy alone is: then only the processes of one ledger share a limit.
    Raises: LedgerError `ledger.limiter` where no file can be used at all.
    """
    name = shared_name(platform, token_key)
    folders = [folder for folder in machine_folders() if _is_ours(folder)]
    # A file that is in use comes first, wherever a full disk has once made somebody put it.
    folders.sort(key=lambda folder: not (folder / name).exists())
    faults = []
    for folder in folders:
        try:
            return FileSlots(folder / name, clock=clock, copy=beside, is_shared=True)
        except LedgerError as error:
            faults.append(error)
    if beside is not None:
        return FileSlots(beside, clock=clock)
    raise faults[0] if faults else _error(OSError("no temporary folder can be written to"), Path(tempfile.gettempdir()))


def machine_folders() -> list[Path]:
    """Where the shared files may lie, best first: the same for every user, session and environment of this machine.

    `/var/tmp` outlives a reboot; TMPDIR and the like come last, since two commands may differ in them.
    """
    if named := os.environ.get(FOLDER, ""):
        return [Path(named)]
    usual = [] if sys.platform == "win32" else [Path("/var/tmp"), Path("/tmp")]  # noqa: S108 - meant to be shared
    with contextlib.suppress(OSError):
        usual.append(Path(tempfile.gettempdir()))
    return [folder / _NAME for folder in usual]


def _is_ours(folder: Path) -> bool:
    """Whether the folder is there now, a real one. Effects: makes it, open to all users as /tmp is."""
    with contextlib.suppress(OSError):
        folder.mkdir()
        folder.chmod(0o1777)
    try:
        return stat.S_ISDIR(folder.lstat().st_mode)
    except OSError:
        return False


class FileSlots:
    """A slot store in a file. Times are the boot's monotonic clock; rows of another boot are carried over by the wall clock.

    `copy`: a second file that gets the rows of this process too. Raises LedgerError where the file can't be used.
    Effects: creates the file, mode 0600, or for all users of the machine where it `is_shared`.
    """

    def __init__(
        self, path: Path, *, clock: Clock, boot_id: str | None = None, copy: Path | None = None, is_shared: bool = False
    ) -> None:
        self._path = path
        self._clock = clock
        self._boot = hashlib.sha256((_boot_id() if boot_id is None else boot_id).encode()).digest()[:16]
        self.is_shared = is_shared
        self._copy_path = copy
        self._copy: BinaryIO | None = None
        self._places: dict[int, int] = {}
        self._own: dict[int, Row] = {}
        self._keep = 0.0
        try:
            self._file = self._open()
            self._copy = self._open_copy()
            with self._locked():
                self._rows(self._clock.monotonic())
        except (OSError, TimeoutError) as error:
            self.abandon()
            raise _error(error, path) from error

    def take(
        self, *, now: float, window: float, keep: float, count: int, want: int, lease: float, moved: Sequence[Row]
    ) -> Taken:
        """See SlotStore."""
        try:
            with self._locked(patience=0.0):
                self._keep = max(self._keep, keep)
                self._store(moved, now)
                rows = self._rows(now)
                key = secrets.randbits(62)
                taken = grant(rows.values(), key, now=now, window=window, count=count, want=want, lease=lease)
                if taken.row is not None:
                    self._put(taken.row, self._free_place(rows))
                return taken
        except TimeoutError:
            return Taken(None, _ASK_AGAIN, is_written=False)
        except OSError as error:
            raise _error(error, self._path) from error

    def write(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        try:
            with self._locked():
                self._store(moved, self._clock.monotonic())
        except (OSError, TimeoutError) as error:
            raise _error(error, self._path) from error

    def close(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        with contextlib.suppress(OSError, TimeoutError), self._locked():
            self._store(moved, self._clock.monotonic())
        self.abandon()

    def abandon(self) -> None:
        """Lets go of the files as a killed process does."""
        for file in (getattr(self, "_file", None), self._copy):
            if file is not None:
                file.close()

    def _open(self) -> BinaryIO:
        """The file, with a header and room. One that is there is opened as it is, since it may be another user's."""
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            number = os.open(self._path, flags)
        except FileNotFoundError:
            number = self._make(flags)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError("it is no plain file")
        return os.fdopen(number, "r+b", buffering=0)

    def _make(self, flags: int) -> int:
        """A new file, whole before it has its name: nobody meets one that a full disk cut short."""
        scratch = self._path.with_name(f"{self._path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        _sweep(self._path.parent)
        number = os.open(scratch, flags | os.O_CREAT | os.O_EXCL, _OWN)
        try:
            with contextlib.suppress(AttributeError):
                os.fchmod(number, _SHARED if self.is_shared else _OWN)
            content = self._remembered() + bytes(_ROW.size * _PLACES)
            if os.write(number, content) < len(content):
                raise OSError(28, "No space left on device")
            with contextlib.suppress(FileExistsError):
                os.link(scratch, self._path)
        finally:
            os.close(number)
            scratch.unlink(missing_ok=True)
        return os.open(self._path, flags)

    def _remembered(self) -> bytes:
        """The header and the rows that the copy beside the ledger has of an earlier life of this machine."""
        if self._copy_path is not None:
            with contextlib.suppress(OSError):
                content = self._copy_path.read_bytes()[: _HEADER.size + _ROW.size * 100_000]
                if content.startswith(_MAGIC):
                    return content[: len(content) - (len(content) - _HEADER.size) % _ROW.size]
        return self._header()

    def _open_copy(self) -> BinaryIO | None:
        if self._copy_path is None:
            return None
        try:
            number = os.open(self._copy_path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), _OWN)
            file = os.fdopen(number, "r+b", buffering=0)
        except OSError:
            # It is a second line only; whatever is wrong with the ledger's folder, the ledger itself tells.
            return None
        if not (file.read(len(_MAGIC)) or b"").startswith(_MAGIC):
            file.truncate(0)
            file.seek(0)
            file.write(self._header())
        return file

    @contextmanager
    def _locked(self, patience: float = _BUSY_SECONDS) -> Iterator[None]:
        """Raises TimeoutError where another process has the file for longer than `patience` seconds."""
        while True:
            _lock(self._file.fileno(), patience)
            if os.fstat(self._file.fileno()).st_nlink:
                break
            # Somebody swept the file away: all who share it meet in the next one, with what each has granted.
            self._file.close()
            self._file = self._open()
            self._places.clear()
        try:
            if self._own and not self._places:
                self._rows(self._clock.monotonic())
            yield
        finally:
            _unlock(self._file.fileno())

    def _rows(self, now: float) -> dict[int, Row]:
        """The rows that may still count, by place. Effects: makes the file this boot's."""
        self._file.seek(0)
        content = self._file.read() or b""
        whole = len(content) - (len(content) - _HEADER.size) % _ROW.size
        if len(content) < _HEADER.size or not content.startswith(_MAGIC):
            return self._begin_again(now)
        _, boot, offset, keep = _HEADER.unpack_from(content)
        self._keep = min(max(self._keep, keep if keep > 0 else 0.0), _LONGEST)
        found = {}
        for place, (key, granted, until, size) in enumerate(_ROW.iter_unpack(content[_HEADER.size : whole])):
            if size and (until > now - self._keep or boot != self._boot):
                found[place] = Row(key, granted, until, size)
        self._carry_over(found, boot, offset, now)
        if self._differs(boot, offset, keep):
            self._put_header()
        self._restore(found, now)
        return found

    def _carry_over(self, rows: dict[int, Row], boot: bytes, offset: float, now: float) -> None:
        """Rows of another boot, of a clock that was set back with the machine, and damaged ones, as times of now."""
        for place, row in list(rows.items()):
            if boot != self._boot and is_plausible(row):
                # A wall clock that went back can't make a row younger than now.
                age = self._clock.wall().timestamp() - (row.until + offset)
                until = now - max(0.0, age)
            elif is_plausible(row) and row.granted <= now + 1 and row.until <= now + _LONGEST:
                continue
            else:
                until = now
            rows[place] = moved = Row(row.id, min(now, until), until, max(1, row.size))
            self._put(moved, place, is_own=False)

    def _begin_again(self, now: float) -> dict[int, Row]:
        """A file that can't be read says nothing of the last window: it may have been full."""
        self._file.truncate(0)
        self._put_header()
        self._put(Row(0, now, now, _ALL), 0, is_own=False)
        return {0: Row(0, now, now, _ALL)}

    def _restore(self, rows: dict[int, Row], now: float) -> None:
        """Puts back what this process granted and the file does not know: it was swept away and made anew."""
        if self._places or not self._own:
            return
        known = {row.id: place for place, row in rows.items()}
        for row in [row for row in self._own.values() if row.until > now - self._keep]:
            place = known.get(row.id, self._free_place(rows))
            rows[place] = row
            self._put(row, place)

    def _store(self, moved: Sequence[Row], now: float) -> None:
        """Effects: rows at their places; one that was forgotten meanwhile comes back if it counts again."""
        strange = {row.id for row in moved if not self._is_at_its_place(row)}
        rows = self._rows(now) if strange else {}
        for row in moved:
            if row.id not in strange:
                self._put(row, self._places[row.id])
            elif row.size and row.until > now - self._keep:
                rows[place := self._free_place(rows)] = row
                self._put(row, place)
        if len(self._own) > 2 * _PLACES:
            self._own = {key: row for key, row in self._own.items() if row.until > now - self._keep}
            self._places = {key: place for key, place in self._places.items() if key in self._own}

    def _is_at_its_place(self, row: Row) -> bool:
        place = self._places.get(row.id)
        if place is None:
            return False
        self._file.seek(_HEADER.size + place * _ROW.size)
        content = self._file.read(_ROW.size) or b""
        return len(content) == _ROW.size and _ROW.unpack(content)[0] == row.id

    def _put(self, row: Row, place: int, *, is_own: bool = True) -> None:
        content = _ROW.pack(row.id, row.granted, row.until, row.size)
        for file in (self._file, self._copy if is_own else None):
            if file is not None:
                file.seek(_HEADER.size + place * _ROW.size)
                file.write(content)
        if is_own and row.size:
            self._places[row.id], self._own[row.id] = place, row
        elif is_own:
            self._places.pop(row.id, None)
            self._own.pop(row.id, None)

    def _put_header(self) -> None:
        for file in (self._file, self._copy):
            if file is not None:
                file.seek(0)
                file.write(self._header())

    def _header(self) -> bytes:
        return _HEADER.pack(_MAGIC, self._boot, self._offset(), self._keep)

    def _offset(self) -> float:
        return self._clock.wall().timestamp() - self._clock.monotonic()

    def _differs(self, boot: bytes, offset: float, keep: float) -> bool:
        return boot != self._boot or keep != self._keep or not abs(offset - self._offset()) < 0.5

    def _free_place(self, rows: dict[int, Row]) -> int:
        return next(place for place in range(len(rows) + 1) if place not in rows)


def _sweep(folder: Path) -> None:
    """Takes away files that nobody has used for an hour. One whose lock somebody waits for is opened anew by him."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError, TimeoutError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    _sweep_one(path)


def _sweep_one(path: Path) -> None:
    with path.open("r+b") as file:
        _lock(file.fileno(), 0.0)
        try:
            if time.time() - os.fstat(file.fileno()).st_mtime > _STALE_SECONDS:
                path.unlink()
        finally:
            _unlock(file.fileno())


def _lock(number: int, patience: float) -> None:
    """Raises TimeoutError. A lock ends with the process that holds it, however that ends."""
    end = time.monotonic() + patience
    while not _try_lock(number):
        if time.monotonic() >= end:
            raise TimeoutError("another process holds it")
        time.sleep(_ASK_AGAIN)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(number: int) -> bool:
        os.lseek(number, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(number: int) -> None:
        os.lseek(number, 1 << 30, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(number: int) -> bool:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_UN)


def _error(error: Exception, path: Path) -> LedgerError:
    return LedgerError(
        f"the record of sent requests can't be used: {error}",
        code="ledger.limiter",
        place=str(path),
        hint="Make room or the file writable; it may be deleted a minute after the last run.",
    )


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
