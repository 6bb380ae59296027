"""The lines of a text file, as a stream, or piece by piece: plain rows together as bytes, the others as lines of text."""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator
from typing import IO, Protocol

from etl.model.export import RowBlock
from etl.reading.encoding import CHUNK, TextFacts

BLOCKS_FROM = 1 << 20
"""Files of fewer bytes are read line by line at once: what would read them in blocks takes longer to be loaded."""
PIECE = 2 * CHUNK
"""About so many bytes are looked at together: what is done once a piece is then little beside its rows."""
_BY_BYTE = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1250", "cp1251", "cp1252", "mac-roman"})
"""Encodings in which the bytes of ASCII stand for themselves."""
_MARK = codecs.BOM_UTF8


class LineSource(Protocol):
    """Gives what is next of a file's text, None at its end. Only between records is a block given."""

    def take(self) -> Iterator[str] | RowBlock | None:
        """Lines, or plain rows."""
        ...

    def more(self) -> Iterator[str] | None:
        """Lines, whatever they hold: a record is open."""
        ...


class Stream:
    """All lines at once."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines: Iterator[str] | None = lines

    def take(self) -> Iterator[str] | None:
        """The lines, once."""
        lines, self._lines = self._lines, None
        return lines

    more = take


class Pieces:
    """Pieces that end with a line; single lines until `begin` says how wide the rows are."""

    def __init__(self, stream: IO[bytes], facts: TextFacts) -> None:
        """`stream`: the file's bytes, unpacked."""
        self._stream, self._encoding = stream, facts.encoding
        self._rest = stream.read(len(_MARK)) if facts.bom else b""
        self._rest = self._rest.removeprefix(_MARK)
        self._shape: tuple[str, int] | None = None
        self._is_begun = False
        self._ahead: deque[tuple[bytes, RowBlock | None]] = deque()

    def begin(self) -> None:
        """The header has been read."""
        self._is_begun = True

    def in_blocks(self, delimiter: str, width: int) -> None:
        """From here on plain rows are given together."""
        self._shape = (delimiter, width)

    def take(self) -> Iterator[str] | RowBlock | None:
        """What is next."""
        if not self._ahead and (data := self._read()):
            self._ahead.extend(self._looked_at(data))
        if not self._ahead:
            return None
        data, block = self._ahead.popleft()
        return self._lines(data) if block is None else block

    def more(self) -> Iterator[str] | None:
        """The lines of what is next."""
        data = self._ahead.popleft()[0] if self._ahead else self._read()
        return self._lines(data) if data else None

    def _looked_at(self, data: bytes) -> Iterator[tuple[bytes, RowBlock | None]]:
        if self._shape is None or not data.endswith(b"\n"):
            yield data, None
            return
        # Loads numpy, which small files have no use for.
        from etl.reading.grid import pieces

        for part, grid in pieces(data, *self._shape, self._encoding):
            yield part, None if grid is None else RowBlock(grid)

    def _lines(self, data: bytes) -> Iterator[str]:
        return io.StringIO(data.decode(self._encoding, "replace"), newline="")

    def _read(self) -> bytes:
        """The next line before the header is known, then some of them; at last what is left."""
        held = self._rest
        while True:
            end = held.find(b"\n") if not self._is_begun else held.rfind(b"\n") if len(held) >= PIECE else -1
            if end >= 0:
                self._rest = held[end + 1 :]
                return held[: end + 1]
            chunk = self._stream.read(max(PIECE - len(held), CHUNK // 4))
            if not chunk:
                self._rest = b""
                # The rest is whole lines but for the last one, which is looked at by itself.
                end = held.rfind(b"\n") + 1
                if 0 < end < len(held):
                    held, self._rest = held[:end], held[end:]
                return held
            held += chunk


def may_come_in_pieces(facts: TextFacts) -> bool:
    """Whether bytes tell where lines and cells end, and every one of them is a character that means nothing beside."""
    is_by_byte = codecs.lookup(facts.encoding).name in _BY_BYTE and facts.newline in ("\n", "\r\n")
    is_text = not facts.has_damage and not facts.has_marks
    return is_by_byte and is_text and (facts.size >= BLOCKS_FROM or facts.compressed)
