"""JSON exports: one object, a list, `{"orders": [...]}`, or one order a line. Numbers keep their literal."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import ijson

from etl.errors import InputError
from etl.extract.encoding import TextFacts, closer, open_text, stamp
from etl.model.export import BROKEN, NUMBER, Dialect, Records, text_cell

ENVELOPE = "orders"


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
    decoder = json.JSONDecoder(
        parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_object
    )
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            value = decoder.decode(line.strip())
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
        yield from enumerate(map(_cells, _objects(_Utf8(stream))), 1)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no complete JSON: {str(error).splitlines()[0]}.",
            place=str(path),
            hint="Export the orders again; the file may be cut short.",
        ) from error
    _unchanged(path, facts)


def _objects(stream: _Utf8) -> Iterator[Any]:
    """Order objects of all top-level values: elements of lists and of `orders`, else the value itself."""
    rest: dict[str, Any] = {}
    has_orders = is_list = False
    events = ijson.parse(stream, multiple_values=True)
    for prefix, event, value in events:
        if event == "map_key":
            continue
        if prefix == "":
            if event in {"start_map", "start_array"}:
                rest, has_orders, is_list = {}, False, event == "start_array"
            elif event == "end_map" and not has_orders:
                yield rest
            elif event not in {"end_map", "end_array"}:
                yield value
        elif is_list:
            yield _build(events, prefix, event, value)
        elif prefix == ENVELOPE and event == "start_array":
            has_orders = True
        elif prefix == f"{ENVELOPE}.item":
            yield _build(events, prefix, event, value)
        elif not (prefix == ENVELOPE and event == "end_array"):
            rest[prefix] = _build(events, prefix, event, value)


def _build(events: Iterator[tuple[str, str, Any]], prefix: str, event: str, value: Any) -> Any:
    """The value that starts with this event, with what follows of it taken from `events`."""
    if event not in {"start_map", "start_array"}:
        return value
    builder = ijson.ObjectBuilder()
    builder.event(event, value)
    for inner, name, part in events:
        builder.event(name, part)
        if inner == prefix and name in {"end_map", "end_array"}:
            break
    return builder.value


class _Utf8:
    """The text again as UTF-8 bytes, which is all that the parser reads."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._encode = codecs.getincrementalencoder("utf-8")().encode

    def read(self, size: int = -1) -> bytes:
        return self._encode(self._stream.read(size))


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


def _cells(value: Any) -> dict[str, Any] | str:
    """The value with every leaf a cell, or what is wrong with it."""
    if not isinstance(value, dict):
        return f"{_leaf(value)!r} is no order object."
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
        case int() | Decimal() | float():
            return f"{NUMBER}{value}"
        case _:
            return BROKEN + str(value)[:80]


def _unchanged(path: Path, facts: TextFacts) -> None:
    if stamp(path) != facts.stamp:
        raise InputError(f"{path} changed while it was read.", place=str(path), hint="Start again.")
