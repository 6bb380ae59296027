"""JSON exports: one object, a list, `{"orders": [...]}`, or one order a line. Numbers keep their literal."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from etl.errors import InputError
from etl.model.export import BROKEN, NUMBER, Dialect, Records, plain, text_cell
from etl.reading.encoding import TextFacts, closer, open_text, stamp

ENVELOPE = "orders"
_PIECE = 1 << 16
_LONGEST_TOKEN = 16
_BLANK = re.compile(r"[ \t\r\n]*")


def read_json(path: Path, facts: TextFacts) -> Records:
    """The order objects of a JSON file, as a stream. Raises InputError while reading where it is no JSON."""
    stream, raw = open_text(path, facts)
    return _records(path, "json", facts, _json_orders(path, facts, stream), stream, raw)


def read_ndjson(path: Path, facts: TextFacts) -> Records:
    """The order objects of a file with one a line; the number of an object is its line."""
    stream, raw = open_text(path, facts)
    return _records(path, "ndjson", facts, _lines(path, facts, stream), stream, raw)


def is_ndjson(path: Path, head: str) -> bool:
    """Whether the file holds one JSON value a line rather than one value in all."""
    if path.name.lower().removesuffix(".gz").endswith((".ndjson", ".jsonl")):
        return True
    first, newline, rest = head.partition("\n")
    if not newline or not rest.strip() or not first.strip().startswith("{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _records(
    path: Path,
    format_: str,
    facts: TextFacts,
    records: Iterator[tuple[int, dict[str, Any] | str]],
    stream: io.TextIOWrapper,
    raw: IO[bytes],
) -> Records:
    return Records(
        path=path,
        format=format_,
        size=facts.size,
        sha256=facts.sha256,
        records=records,
        dialect=Dialect(facts.encoding, facts.bom, "", '"', facts.newline),
        position=lambda: 0 if raw.closed else raw.tell(),
        close=closer(stream, raw),
    )


def _lines(path: Path, facts: TextFacts, stream: Iterator[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line.strip())
        except ValueError as error:
            yield number, f"Line {number} is no JSON: {error}."
            continue
        except RecursionError:
            yield number, f"Line {number} is nested too deeply."
            continue
        for item in _orders_in(value):
            yield number, _cells(item)
    _unchanged(path, facts)


def _orders_in(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict) and isinstance(value.get(ENVELOPE), list):
        yield from value[ENVELOPE]
    else:
        yield value


def _json_orders(path: Path, facts: TextFacts, stream: io.TextIOBase) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        yield from enumerate(map(_cells, _objects(_Text(stream))), 1)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no complete JSON: {error}.",
            place=str(path),
            hint="Export the orders again; the file may be cut short.",
        ) from error
    _unchanged(path, facts)


def _objects(text: _Text) -> Iterator[Any]:
    """Order objects of all top-level values: elements of lists and of `orders`, else the value itself."""
    while (start := text.peek()) != "":
        if start == "[":
            yield from _elements(text)
        elif start == "{":
            yield from _members(text)
        else:
            yield text.value()


def _elements(text: _Text) -> Iterator[Any]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


def _members(text: _Text) -> Iterator[Any]:
    """The elements of `orders`; the object itself where it has none."""
    text.take("{")
    pairs: list[tuple[str, Any]] = []
    has_orders = False
    if text.peek() == "}":
        text.take("}")
        yield {}
        return
    while True:
        if text.peek() != '"':
            raise ValueError(f"a name is expected at {text.where}")
        key = text.value()
        text.take(":")
        if key == ENVELOPE and text.peek() == "[":
            has_orders = True
            yield from _elements(text)
        else:
            pairs.append((key, text.value()))
        if text.take(",}") == "}":
            break
    if not has_orders:
        yield _object(pairs)


class _Text:
    """JSON text read piece by piece, so that only one element is in memory.

    The common streaming parser ends the whole process on an integer of some thousand digits; here the
    standard decoder reads each element, and numbers stay literals.
    """

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._buffer = ""
        self._at = 0
        self._passed = 0
        self._decode = _DECODER.raw_decode

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
        return found

    def value(self) -> Any:
        """The next value, whole. Raises ValueError where there is none."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                # An error well before the end is none of a text cut by the buffer: do not read the rest in vain.
                is_cut = error.msg.startswith("Unterminated") or len(self._buffer) - error.pos < _LONGEST_TOKEN
                if is_cut and self._more():
                    continue
                raise ValueError(f"{error.msg} at character {self._passed + error.pos + 1}") from error
            # A number that ends with the buffer may go on after it.
            if end == len(self._buffer) and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Reads on, as much again as is held, so that a large element costs no more than its size."""
        held = self._buffer[self._at :]
        piece = self._stream.read(max(_PIECE, len(held)))
        self._passed += self._at
        self._buffer, self._at = held + piece, 0
        return bool(piece)


class _Literal(str):
    """A cell that is no text of the user's: a number's literal or a mark."""

    __slots__ = ()


def _number(literal: str) -> _Literal:
    return _Literal(NUMBER + literal)


def _constant(name: str) -> _Literal:
    return _Literal(BROKEN + name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; a key named twice has no readable value, since nobody knows which one is meant."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [key for key, _ in pairs]
    return {
        key: _Literal(f"{BROKEN}{key} is there twice") if names.count(key) > 1 else value
        for key, value in found.items()
    }


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_object)


def _cells(value: Any) -> dict[str, Any] | str:
    """The value with every leaf a cell, or what is wrong with it."""
    if not isinstance(value, dict):
        return f"{'A list' if isinstance(value, list) else plain(_leaf(value) or 'null')[:80]} is no order object."
    return {str(key): _deep(part, 0) for key, part in value.items()}


def _deep(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth > 20:
            return f"{BROKEN}{{...}}"
        return {str(key): _deep(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        if depth > 20:
            return f"{BROKEN}[...]"
        return [_deep(part, depth + 1) for part in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    match value:
        case None:
            return None
        case _Literal():
            return str(value)
        case str():
            return text_cell(value)
        case bool():
            return "true" if value else "false"
        case _:
            return BROKEN + str(value)[:80]


def _unchanged(path: Path, facts: TextFacts) -> None:
    if stamp(path) != facts.stamp:
        raise InputError(f"{path} changed while it was read.", place=str(path), hint="Start again.")
