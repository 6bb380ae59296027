"""Parts of a ZIP package (.xlsx, .xlsb, .ods), read as streams within bounds, and XML that may not be a bomb."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.parsers import expat

from etl.errors import InputError

CHUNK = 1 << 20
SMALL_PART = 64 << 20
"""Most bytes of a part that is read whole, and of one that may unpack without its ratio being looked at."""
_WORST_RATIO = 250
"""So many times its packed size no export unpacks to; DEFLATE reaches 1,032 on nothing but zeros."""
_LARGEST_PART = 8 << 30
_ENCRYPTED = 0x1
_END_OF_DIRECTORY = 66_000
_LARGEST_DIRECTORY = 4 << 20
"""Bytes of an archive's list of parts; a sheet takes about 80."""


class DamagedPartError(ValueError):
    """A part that is not what its format says; the text says how, for people."""


class Package:
    """A ZIP archive whose parts are looked up as Office programs do: by name, without regard to case or slashes."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where the archive is damaged."""
        self.path = path
        with translated(path):
            _check_directory(path)
            self._archive = zipfile.ZipFile(path)
        self._streams: list[IO[bytes]] = []
        entries = self._archive.infolist()
        self._parts = {part_name(entry.filename): entry for entry in entries}

    @property
    def names(self) -> frozenset[str]:
        """The names of all parts, lower case, without a leading slash."""
        return frozenset(self._parts)

    @property
    def is_encrypted(self) -> bool:
        """Whether any part needs a password."""
        return any(entry.flag_bits & _ENCRYPTED for entry in self._parts.values())

    def __contains__(self, name: str) -> bool:
        return part_name(name) in self._parts

    def size(self, name: str) -> int:
        """Unpacked bytes of a part, 0 where there is none."""
        entry = self._parts.get(part_name(name))
        return entry.file_size if entry else 0

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a part. Raises DamagedPartError where it is missing or a bomb; ZIP faults as they come."""
        stream = self._open(name)
        self._streams.append(stream)
        with stream:
            while chunk := stream.read(CHUNK):
                yield chunk
        self._streams.remove(stream)

    def read(self, name: str) -> bytes:
        """A small part, whole; empty where there is none."""
        if name not in self:
            return b""
        if self.size(name) > SMALL_PART:
            raise DamagedPartError(f"its part {name} unpacks to {self.size(name) >> 20} MiB")
        return b"".join(self.chunks(name))

    def close(self) -> None:
        """Closes the file, and parts that somebody stopped reading."""
        for stream in self._streams:
            stream.close()
        self._archive.close()

    def _open(self, name: str) -> IO[bytes]:
        entry = self._parts.get(part_name(name))
        if entry is None:
            raise DamagedPartError(f"its part {name} is missing")
        packed = max(1, entry.compress_size)
        is_bomb = entry.file_size > SMALL_PART and entry.file_size / packed > _WORST_RATIO
        if is_bomb or entry.file_size > _LARGEST_PART:
            raise DamagedPartError(
                f"its part {name} unpacks from {packed >> 10} KiB to {entry.file_size >> 20} MiB, as no export does"
            )
        return self._archive.open(entry)


def _check_directory(path: Path) -> None:
    """Raises DamagedPartError where the archive's directory is larger than a workbook's; reading it whole takes memory."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_OF_DIRECTORY))
        tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if 0 <= at <= len(tail) - 22 and int.from_bytes(tail[at + 12 : at + 16], "little") > _LARGEST_DIRECTORY:
        raise DamagedPartError("the archive holds more parts than any workbook")


def part_name(name: str) -> str:
    """How a part's name is looked up."""
    return name.replace("\\", "/").lstrip("/").lower()


def damaged(path: Path, how: str) -> InputError:
    """What to say of a workbook that can't be read."""
    return InputError(
        f"{path} is a damaged workbook: {how}.",
        code="input.damaged",
        place=str(path),
        hint="Open it in a spreadsheet program and save it again as .xlsx, or copy the file again.",
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns whatever a damaged package raises into one InputError."""
    try:
        yield
    except DamagedPartError as error:
        raise damaged(path, str(error)) from error
    except expat.ExpatError as error:
        raise damaged(path, f"its XML is not well-formed ({error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise damaged(path, str(error) or type(error).__name__) from error


Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class XmlStream:
    """An expat parser whose names come without their namespace prefix, and which takes no document type.

    Spreadsheet programs declare no entities; a document type is how XML becomes a bomb.
    """

    def __init__(self, start: Start, end: End, text: Callable[[str], None] | None = None) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = 1 << 16
        self._start, self._end = start, end
        self._names: dict[str, str] = {}
        self._parser.StartElementHandler = self._element
        self._parser.EndElementHandler = self._closed
        if text is not None:
            self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, chunk: bytes, *, is_last: bool = False) -> None:
        """Parses a chunk. Raises expat.ExpatError and DamagedPartError."""
        try:
            self._parser.Parse(chunk, is_last)
        except LookupError as error:
            raise DamagedPartError("its XML names an encoding that does not exist") from error

    def run(self, chunks: Iterator[bytes]) -> None:
        """Parses a whole document."""
        for chunk in chunks:
            self.feed(chunk)
        self.feed(b"", is_last=True)

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        self._start(self._local(name), attributes)

    def _closed(self, name: str) -> None:
        self._end(self._local(name))

    def _local(self, name: str) -> str:
        local = self._names.get(name)
        if local is None:
            local = name.rpartition(":")[2]
            if len(self._names) < 10_000:
                self._names[name] = local
        return local


def _no_doctype(*_: object) -> None:
    raise DamagedPartError("its XML declares a document type, as no spreadsheet program writes it")


def local(attributes: dict[str, str], name: str) -> str:
    """The attribute of that name under any prefix, or ""."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")
