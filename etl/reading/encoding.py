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
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

from etl.errors import InputError
from etl.model.export import MARKS
from etl.reading.plausible import ODD_WORD, guess, is_plausible

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
_MARKS = tuple(mark.encode() for mark in MARKS)
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_WORDS_KEPT = 5_000
_SAMPLES = 5
_REMEMBERED_FROM = 16 << 20
_BOMB_FROM = 64 << 20
_BOMB_RATIO = 300
_NAMES = {"cp1252": "Windows-1252", "cp1250": "Windows-1250", "cp1251": "Windows-1251", "mac_roman": "MacRoman"}


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What the first pass over a text file found; `head` is its beginning, decoded.

    `has_marks`: one of the characters that mark cells may stand in it. `has_damage`: some bytes are no character of
    the encoding; they are read as U+FFFD. `lines` are its line ends, and a last line without one; `longest` is its
    longest line in bytes, or less than a chunk. `notices` say how the encoding was found, where that is no matter of course.
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
    has_damage: bool = False
    lines: int = 0
    longest: int = 0
    notices: tuple[str, ...] = ()


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of change, to notice a file that changes while it is read."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def look_at(path: Path, encoding: str = "") -> TextFacts:
    """Encoding, newlines and extent of a text file, from all of its bytes. `encoding`: decided by a person, or "".

    Raises InputError where the bytes are no text, or the gzip part is broken or a bomb.
    """
    before = stamp(path)
    known = _large.get((path, encoding))
    if known is not None and known.stamp == before:
        return known
    facts = _look_at(path, encoding, before)
    if facts.size >= _REMEMBERED_FROM:
        _large[path, encoding] = facts
    return facts


_large: dict[tuple[Path, str], TextFacts] = {}
"""Facts of large files: a command that reads one several times looks at it once. Small ones change faster than clocks tell."""


def _look_at(path: Path, encoding: str, before: tuple[int, int]) -> TextFacts:
    compressed = _is_gzip(path)
    scan, whole = _Scan(), hashlib.sha256()
    for chunk in _chunks(path, compressed):
        scan.take(chunk)
        if not compressed:
            whole.update(chunk)
    scan.end()
    if not scan.seen:
        raise InputError(f"{path} is empty.", place=str(path), hint="Export the orders again.")
    found, bom = _encoding(scan, encoding)
    text = codecs.getincrementaldecoder(found)("replace").decode(scan.head)
    lines = scan.lines if not found.startswith(("utf-16", "utf-32")) else _lines_of(path, compressed, found)
    return TextFacts(
        found,
        bom,
        _newline(text),
        text.removeprefix("\ufeff"),
        before[0],
        digest(path) if compressed else whole.hexdigest(),
        compressed,
        scan.has_marks,
        before,
        has_damage=_has_damage(path, compressed, found, scan),
        lines=lines,
        longest=scan.longest,
        notices=_notices(path, scan, found, encoding),
    )


_BETWEEN = (b"", 0)
"""The state of a decoder that is in the middle of no character."""


class _Scan:
    """The first pass over a file's bytes: what they show of its encoding, and how many lines there are."""

    def __init__(self) -> None:
        self.head = b""
        self.seen = 0
        self.is_utf8 = True
        self.valid = self.invalid = 0
        self.not_1252 = False
        self.has_marks = False
        self.ends = 0
        self.longest = 0
        self.words: dict[bytes, int] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._run = 0
        self._last = b""

    @property
    def lines(self) -> int:
        """Lines that end, and a last one that does not."""
        return self.ends + (self._last not in (b"\n", b"\r"))

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        if len(self.head) < CHUNK:
            self.head += chunk[: CHUNK - len(self.head)]
        is_ascii = chunk.isascii()
        if self.is_utf8 and not (is_ascii and self._decoder.getstate() == _BETWEEN):
            try:
                self.valid += len(chunk) - len(self._decoder.decode(chunk))
            except UnicodeDecodeError:
                self.is_utf8 = False
        high = b"" if is_ascii else chunk.translate(None, _ASCII)
        if high and not self.is_utf8:
            self._weigh(chunk, high)
        self.not_1252 = self.not_1252 or _NOT_1252.search(high) is not None
        self.has_marks = self.has_marks or any(mark in chunk for mark in _MARKS)
        self._count_lines(chunk)
        self.seen += len(chunk)

    def end(self) -> None:
        """Looks at what is left of a character cut off at the end."""
        if self.is_utf8:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self.is_utf8 = False
                self.invalid += 1
        self.longest = max(self.longest, self._run)

    def _weigh(self, chunk: bytes, high: bytes) -> None:
        multibyte = _MULTIBYTE.findall(chunk)
        self.valid += len(multibyte)
        self.invalid += len(high) - sum(map(len, multibyte))
        if len(self.words) < _WORDS_KEPT:
            for match in islice(ODD_WORD.finditer(chunk), _WORDS_KEPT):
                if match[0] not in self.words:
                    self.words[match[0]] = self.ends + chunk.count(b"\n", 0, match.start()) + 1

    def _count_lines(self, chunk: bytes) -> None:
        returns = chunk.count(b"\r")
        # A pair of return and feed is one end, also where a chunk ends between the two.
        pairs = returns if not returns or _LONE_RETURN.search(chunk) is None else chunk.count(b"\r\n")
        pairs += self._last == b"\r" and chunk[:1] == b"\n"
        self.ends += chunk.count(b"\n") + returns - pairs
        self._last = chunk[-1:]
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        if end < 0:
            self._run += len(chunk)
            return
        # Only lines longer than a chunk matter: those that began in an earlier one.
        self.longest = max(self.longest, self._run)
        self._run = len(chunk) - end - 1


def _has_damage(path: Path, compressed: bool, encoding: str, scan: _Scan) -> bool:
    """Whether some bytes are no character of the encoding."""
    if encoding == "utf-8":
        return not scan.is_utf8
    if encoding == "cp1252":
        return scan.not_1252
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in _chunks(path, compressed):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return True
    return False


def _lines_of(path: Path, compressed: bool, encoding: str) -> int:
    """The lines of a file whose line ends are wider than a byte."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    ends, last = 0, ""
    for chunk in chain(_chunks(path, compressed), (b"",)):
        text = decoder.decode(chunk, final=not chunk)
        if text:
            ends += text.count("\n") + text.count("\r") - (last + text).count("\r\n")
            last = text[-1]
    return ends + (last not in ("\n", "\r"))


def _notices(path: Path, scan: _Scan, encoding: str, decided: str) -> tuple[str, ...]:
    if decided or encoding.startswith("utf") or not scan.words:
        if encoding == "utf-8" and not scan.is_utf8:
            many = "s are" if scan.invalid != 1 else " is"
            blocked = "the rows that hold them are blocked"
            return (f"{path}: the text is UTF-8, but {scan.invalid} byte{many} no character of it; {blocked}.",)
        return ()
    found = guess(scan.words)
    shown = [(word.decode(encoding, "replace"), row) for word, row in scan.words.items() if len(word) > 2]
    # The words that speak against the encoding come first: they are what a person has to look at.
    shown.sort(key=lambda item: is_plausible(item[0]))
    samples = ", ".join(f"{word!r} (row {row})" for word, row in shown[:_SAMPLES])
    doubt = "is in doubt" if found.is_doubtful else "was found by what the words look like"
    reads = f"; it reads {samples}" if samples else ""
    name = _NAMES.get(encoding, encoding)
    return (f"{path}: the encoding {name} {doubt}{reads}. If that is wrong, set source.encoding.",)


def open_text(path: Path, facts: TextFacts) -> tuple[TextIOWrapper, IO[bytes]]:
    """The file as a stream of text lines (newlines kept), after any byte order mark, and its raw bytes."""
    inner, raw = open_bytes(path, facts)
    # What is no character becomes U+FFFD: its row is blocked, and the rest of the file is read.
    text = TextIOWrapper(cast("BufferedReader", inner), encoding=facts.encoding, errors="replace", newline="")
    text._CHUNK_SIZE = CHUNK  # type: ignore[attr-defined]  # noqa: SLF001 - the default of 8 KiB halves the speed
    if facts.bom:
        text.read(1)
    return text, raw


def open_bytes(path: Path, facts: TextFacts) -> tuple[IO[bytes], IO[bytes]]:
    """The bytes of the file's text, unpacked, and its raw bytes."""
    raw = path.open("rb")
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if facts.compressed else raw), raw


def read_text(path: Path) -> tuple[str, TextFacts]:
    """The whole text of a small file. Raises InputError as `look_at`, and where bytes of it are no character."""
    facts = look_at(path)
    if facts.has_damage:
        raise InputError(
            f"{path} holds bytes that are no character of its encoding ({facts.encoding}).",
            place=str(path),
            hint="Save the file as UTF-8.",
        )
    text, raw = open_text(path, facts)
    try:
        return text.read(), facts
    finally:
        closer(text, raw)()


def closer(text: TextIOWrapper | IO[bytes], raw: IO[bytes]) -> Callable[[], None]:
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
        seen = 0
        try:
            while chunk := stream.read(CHUNK):
                seen += len(chunk)
                if compressed and seen > _BOMB_FROM and seen > raw.tell() * _BOMB_RATIO:
                    raise _bomb(path)
                yield chunk
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path} is a damaged gzip file: {error}.",
                place=str(path),
                hint="Copy or export the file again; it may be cut short.",
            ) from error


def _bomb(path: Path) -> InputError:
    return InputError(
        f"{path} unpacks to more than {_BOMB_RATIO} times its size, which no export does.",
        place=str(path),
        hint="Unpack it and look at what is in it.",
    )


def _encoding(scan: _Scan, decided: str) -> tuple[str, bool]:
    """Encoding, and whether a byte order mark leads the file."""
    for bom, name in _BOMS:
        if scan.head.startswith(bom) and (not decided or name.startswith(decided.removesuffix("-sig"))):
            return name, True
    if decided:
        return decided, False
    sixteen = _looks_utf16(scan.head)
    if sixteen:
        return sixteen, False
    if scan.is_utf8 or scan.valid > scan.invalid:
        return "utf-8", False
    return guess(scan.words).encoding, False


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
