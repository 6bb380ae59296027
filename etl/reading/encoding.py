"""How the bytes of a file are text: compression, encoding, byte order mark, newlines. Decided over the whole file."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, cast

from etl.errors import InputError
from etl.model.export import MARKS

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ASCII = bytes(range(128))
_MARKS = "".join(MARKS).encode()
_ENOUGH = 1000
"""So many characters outside ASCII tell the encoding."""


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What the first pass over a text file found; `head` is its beginning, decoded.

    `has_marks`: one of the characters that mark cells may stand in it.
    """

    encoding: str
    bom: bool
    newline: str
    head: str
    size: int
    sha256: str
    compressed: bool
    has_marks: bool
    stamp: tuple[int, int]


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of change, to notice a file that changes while it is read."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def look_at(path: Path) -> TextFacts:
    """Encoding and newlines of a text file, from all of its bytes.

    Raises InputError where the bytes are no text in any encoding known, or the gzip part is broken.
    """
    before = stamp(path)
    compressed = _is_gzip(path)
    head = b""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    is_utf8 = True
    not_1252: int | None = None
    valid = invalid = lines = seen = 0
    has_marks = False
    for chunk in _chunks(path, compressed):
        if len(head) < CHUNK:
            head += chunk[: CHUNK - len(head)]
        if is_utf8:
            try:
                valid += len(chunk) - len(decoder.decode(chunk))
            except UnicodeDecodeError:
                is_utf8 = False
        high = chunk.translate(None, _ASCII)
        if high and not is_utf8 and valid + invalid < _ENOUGH:
            multibyte = _MULTIBYTE.findall(chunk)
            valid, invalid = valid + len(multibyte), invalid + len(high) - sum(map(len, multibyte))
        if not_1252 is None and _NOT_1252.search(high) and (match := _NOT_1252.search(chunk)):
            not_1252 = lines + chunk.count(b"\n", 0, match.start()) + 1
        has_marks = has_marks or len(chunk.translate(None, _MARKS)) < len(chunk)
        lines += chunk.count(b"\n")
        seen += len(chunk)
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    if not seen:
        raise InputError(f"{path} is empty.", place=str(path), hint="Export the orders again.")
    encoding, bom = _encoding(path, head, is_utf8, not_1252, valid, invalid)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return TextFacts(
        encoding,
        bom,
        _newline(text),
        text.removeprefix("\ufeff"),
        before[0],
        digest(path),
        compressed,
        has_marks,
        before,
    )


def open_text(path: Path, facts: TextFacts) -> tuple[TextIOWrapper, IO[bytes]]:
    """The file as a stream of text lines (newlines kept), after any byte order mark, and its raw bytes."""
    raw = path.open("rb")
    inner = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if facts.compressed else raw)
    text = TextIOWrapper(cast("BufferedReader", inner), encoding=facts.encoding, errors="strict", newline="")
    text._CHUNK_SIZE = CHUNK  # type: ignore[attr-defined]  # noqa: SLF001 - the default of 8 KiB halves the speed
    if facts.bom:
        text.read(1)
    return text, raw


def closer(text: TextIOWrapper, raw: IO[bytes]) -> Callable[[], None]:
    """Closes a stream and what it reads from (a gzip stream leaves its file open)."""

    def close() -> None:
        text.close()
        raw.close()

    return close


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == GZIP


def _chunks(path: Path, compressed: bool) -> Iterator[bytes]:
    with path.open("rb") as raw:
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if compressed else raw)
        try:
            while chunk := stream.read(CHUNK):
                yield chunk
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path} is a damaged gzip file: {error}.",
                place=str(path),
                hint="Copy or export the file again; it may be cut short.",
            ) from error


def _encoding(
    path: Path, head: bytes, is_utf8: bool, not_1252: int | None, valid: int, invalid: int
) -> tuple[str, bool]:
    for bom, name in _BOMS:
        if head.startswith(bom):
            if name == "utf-8" and not is_utf8:
                raise InputError(f"{path} starts as UTF-8 but holds bytes that are not UTF-8.", place=str(path))
            return name, True
    sixteen = _looks_utf16(head)
    if sixteen:
        return sixteen, False
    if is_utf8:
        return "utf-8", False
    if valid > invalid:
        raise InputError(
            f"{path} mixes encodings: {valid} characters are UTF-8, {invalid} bytes are not.",
            place=str(path),
            hint="Save the file again in one encoding, UTF-8 best.",
        )
    if not_1252 is not None:
        raise InputError(
            f"{path} is neither UTF-8 nor Windows-1252: see line {not_1252}.",
            place=f"{path}, row {not_1252}",
            hint="Save the file again as UTF-8.",
        )
    return "cp1252", False


def _looks_utf16(head: bytes) -> str:
    sample = head[:4096]
    if len(sample) < 4:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.6 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def _newline(text: str) -> str:
    position = min((at for at in (text.find("\n"), text.find("\r")) if at >= 0), default=-1)
    if position < 0:
        return "\n"
    return "\r\n" if text[position : position + 2] == "\r\n" else text[position]
