"""The shared strings of a workbook, kept as one block of bytes: a million texts cost their length and eight bytes each."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from xml.sax.saxutils import escape, unescape

from etl.model.export import text_cell
from etl.reading.package import DamagedPartError, XmlStream

_MOST_BYTES = 384 << 20
_MOST_TEXTS = 20_000_000
_REMEMBERED = 200_000
_LONGEST = 1 << 22
_PLAIN = re.compile(rb'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_END = b"</si>"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_ENTITIES = {"&quot;": '"', "&apos;": "'"}
_CHARACTER = re.compile("&#(x[0-9A-Fa-f]{1,6}|[0-9]{1,7});")


class SharedTexts(dict[bytes, str]):
    """The cell of a shared string by its index as the sheet writes it. Raises DamagedPartError for one there is not."""

    def __init__(self) -> None:
        super().__init__()
        self._block = bytearray()
        self._ends = array("Q")

    def __missing__(self, index: bytes) -> str:
        if not index:
            return ""
        at = int(index)
        if not 0 <= at < len(self._ends):
            raise DamagedPartError(f"a cell names text {at} of {len(self._ends)}")
        start = self._ends[at - 1] if at else 0
        if len(self) > _REMEMBERED:
            self.clear()
        cell = self[index] = text_cell(xml_text(bytes(self._block[start : self._ends[at]])))
        return cell

    def add(self, raw: bytes) -> None:
        """Takes the next text, as XML writes it."""
        self._block += raw
        self._ends.append(len(self._block))
        if len(self._block) > _MOST_BYTES or len(self._ends) > _MOST_TEXTS:
            raise DamagedPartError(
                f"its texts need more than {_MOST_BYTES >> 20} MiB; save the sheet as .csv and name that file"
            )

    def read(self, chunks: Iterator[bytes]) -> None:
        """Takes all texts of a sharedStrings part."""
        head = next(chunks, b"")
        if not is_plain_utf8(head):
            _Strings(self).parser.run(chained(head, chunks))
            return
        rest = head
        begun = False
        while True:
            if not begun:
                start = rest.find(b"<si>")
                if start < 0 or b"<!" in rest[:start]:
                    _Strings(self).parser.run(chained(rest, chunks))
                    return
                rest, begun = rest[start:], True
            cut = rest.rfind(_END) + len(_END)
            if cut >= len(_END) and not self._take(rest[:cut]):
                strings = _Strings(self)
                strings.parser.feed(b"<sst>")
                strings.parser.run(chained(rest, chunks))
                return
            rest = rest[cut:] if cut >= len(_END) else rest
            chunk = next(chunks, None)
            if chunk is None:
                break
            rest += chunk
            if len(rest) > _LONGEST + (1 << 20):
                raise DamagedPartError(f"one of its texts is longer than {_LONGEST} bytes")
        if b"</sst>" not in rest:
            raise DamagedPartError("its texts are cut off")

    def _take(self, xml: bytes) -> bool:
        """Takes texts of the commonest form; False, with nothing taken, where any is of another."""
        texts = _PLAIN.findall(xml)
        if len(texts) * 4 != xml.count(b"<"):
            return False
        for text in texts:
            self.add(text)
        return True


class _Strings:
    """Reads strings of any form: rich text runs are joined, phonetic readings left out."""

    def __init__(self, texts: SharedTexts) -> None:
        self._texts = texts
        self._parts: list[str] = []
        self._reads, self._silent, self._depth = False, 0, 0
        self.parser = XmlStream(self._start, self._end, self._text)

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        if name == "si":
            self._parts, self._depth = [], 0
        elif name == "rPh":
            self._silent += 1
        elif name == "t":
            self._reads = not self._silent

    def _end(self, name: str) -> None:
        if name == "si":
            self._texts.add(escape("".join(self._parts)).encode("utf-8", "surrogatepass"))
        elif name == "rPh":
            self._silent -= 1
        elif name == "t":
            self._reads = False

    def _text(self, data: str) -> None:
        if self._reads:
            self._depth += len(data)
            if self._depth > _LONGEST:
                raise DamagedPartError(f"one of its texts is longer than {_LONGEST} characters")
            self._parts.append(data)


def is_plain_utf8(head: bytes) -> bool:
    """Whether the part is UTF-8, as far as its declaration tells."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:1] == b"\x00" or head[1:2] == b"\x00":
        return False
    declared = re.match(rb'(?:\xef\xbb\xbf)?\s*<\?xml[^>]*encoding=["\']([^"\']+)', head)
    return declared is None or declared[1].lower() in {b"utf-8", b"us-ascii"}


def chained(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A chunk already read, and those that follow it."""
    yield head
    yield from chunks


def xml_text(raw: bytes) -> str:
    """The text behind XML's escapes and those of workbooks (`_x000D_` is a carriage return)."""
    text = raw.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text:
        text = unescape(_CHARACTER.sub(_character, text), _ENTITIES)
    return office_text(text)


def office_text(text: str) -> str:
    """The text behind the escapes of workbooks: `_x000D_` is a carriage return, `_x005F_` an underscore."""
    if "_x" not in text:
        return text
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    if any("\ud800" <= char <= "\udfff" for char in plain):
        return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return plain


def _character(match: re.Match[str]) -> str:
    digits = match[1]
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    # The ampersand stays escaped until the entities are read, so that `&#38;lt;` is no `<`.
    return "&amp;" if code == 38 else chr(code) if code < 0x110000 else "\ufffd"
