"""JSON text piece by piece: values one at a time, numbers as literals, and no value that nobody could mean.

The common streaming parser ends the whole process on an integer of some thousand digits; here the standard decoder
reads each element.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

from etl.model.export import BROKEN, NUMBER, plain, text_cell

LONGEST = 4 << 20
"""Longest element in characters: an order beyond it is none, and would not fit the memory promised."""
LOOSE_COMMA = "a comma stands before the end of a list or object, with nothing after it; remove it,"
_PIECE = 1 << 16
_LONGEST_TOKEN = 16
_DEEPEST = 20
_BLANK = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonText:
    """JSON text read piece by piece, so that only one element is in memory."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._buffer = ""
        self._at = 0
        self._passed = 0
        self._decode = _decoder(self._object).raw_decode
        self.objects = 0
        """Objects read so far, those within others included."""
        self.braces = 0
        """Opening braces in the text so far, those within texts included."""

    @property
    def where(self) -> str:
        """The position in words."""
        return f"character {self._passed + self._at + 1}"

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            match = _BLANK.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """The next character, which must be one of these. Raises ValueError otherwise."""
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"{' or '.join(wanted)} is expected at {self.where}, not {found or 'the end'!r}")
        self._at += 1
        self.objects += found == "{"
        return found

    def value(self) -> Any:
        """The next value, whole. Raises ValueError where there is none, or none that can be held in memory."""
        self.peek()
        before = self.objects
        while True:
            self.objects = before
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                # An error well before the end is none of a text cut by the buffer: do not read the rest in vain.
                text = f"{self._what(error)} at character {self._passed + error.pos + 1}"
                is_cut = error.msg.startswith("Unterminated") or len(self._buffer) - error.pos < _LONGEST_TOKEN
                if is_cut and self._more():
                    continue
                raise ValueError(text) from error
            except RecursionError as error:
                raise ValueError(f"what begins at {self.where} is nested too deeply for an order") from error
            # A number that ends with the buffer may go on after it.
            if end == len(self._buffer) and self._more():
                continue
            self._at = end
            return value

    def _what(self, error: json.JSONDecodeError) -> str:
        """What is wrong, for people: a comma that nothing follows is what a hand or a small script leaves."""
        before, after = self._buffer[: error.pos].rstrip()[-1:], self._buffer[error.pos :].lstrip()[:1]
        if (before == "," and after in ("]", "}")) or error.msg.startswith("Illegal trailing comma"):
            return LOOSE_COMMA
        if after == "'":
            return "names and texts stand in single quotes, as Python prints them and JSON does not have them,"
        return error.msg

    def _more(self) -> bool:
        """Reads on, as much again as is held, so that a large element costs no more than its size."""
        held = self._buffer[self._at :]
        if len(held) > LONGEST:
            raise ValueError(f"what begins at {self.where} is longer than {LONGEST:,} characters")
        piece = self._stream.read(max(_PIECE, len(held)))
        self._passed += self._at
        self.braces += piece.count("{")
        self._buffer, self._at = held + piece, 0
        return bool(piece)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.objects += 1
        return _object(pairs)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def count_objects(stream: io.TextIOBase) -> int:
    """Objects in JSON text, counted by their opening braces outside of texts, and otherwise than they are read."""
    count, rest = 0, ""
    while piece := stream.read(_PIECE):
        text = _STRING.sub("", rest + piece)
        # A quote that is left opens a text that goes on in the next piece.
        head, quote, tail = text.partition('"')
        count += head.count("{")
        rest = quote + tail
    return count


class _Literal(str):
    """A cell that is no text of the user's: a number's literal or a mark."""

    __slots__ = ()


def _number(literal: str) -> _Literal:
    return _Literal(NUMBER + literal)


def _constant(name: str) -> _Literal:
    return _Literal(BROKEN + name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else unite(pairs)


def unite(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; a key named twice has no readable value, since nobody knows which one is meant."""
    names = [key for key, _ in pairs]
    return {
        key: _Literal(f"{BROKEN}{key} is there twice") if names.count(key) > 1 else value
        for key, value in dict(pairs).items()
    }


def _decoder(hook: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=hook)


DECODER = _decoder(_object)
"""Numbers come as their literals, led by NUMBER; NaN and keys named twice as text led by BROKEN."""


def cells(value: Any) -> dict[str, Any] | str:
    """The value with every leaf a cell, or what is wrong with it."""
    if not isinstance(value, dict):
        if isinstance(value, str) and not isinstance(value, _Literal):
            # A text that stands where an order belongs may be anything, a secret too: it is not shown.
            return f"A text of {len(value)} characters is no order object."
        return f"{'A list' if isinstance(value, list) else plain(_leaf(value) or 'null')[:80]} is no order object."
    return {whole(str(key)): _deep(part, 0) for key, part in value.items()}


def whole(text: str) -> str:
    """The text with halves of characters (an emoji cut in two) written as escapes: no file or console takes them."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _deep(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth > _DEEPEST:
            return f"{BROKEN}{{...}}"
        return {whole(str(key)): _deep(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        if depth > _DEEPEST:
            return f"{BROKEN}[...]"
        return [_deep(part, depth + 1) for part in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    match value:
        case None:
            return None
        case _Literal():
            return whole(str(value))
        case str():
            text = whole(value)
            # Half a character can't be read: it costs its order, not the batch.
            return text_cell(text) if text == value else BROKEN + text
        case bool():
            return "true" if value else "false"
        case _:
            return BROKEN + str(value)[:80]
