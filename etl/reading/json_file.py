"""JSON exports: order objects wherever the file keeps them - alone, in a list, in any envelope, or one a line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import IO, Any

from etl.errors import InputError, InternalError
from etl.model.export import BROKEN, REPLACEMENT, Dialect, HeaderTest, Records, plain
from etl.reading.encoding import TextFacts, closer, open_text, stamp
from etl.reading.json_text import DECODER, LONGEST, LOOSE_COMMA, JsonText, cells, count_objects, unite
from etl.reading.wrappers import refuse_wrapper

ENVELOPE = "orders"
NUMBERED = "orderNumber"
"""The name under which an order gets the key that it stood under, where it has no number of its own."""
_ORDER_KEY = re.compile(r"\D{0,12}[0-9]{3,}")
_LEAST_PARTS = 4
_ENVELOPE_DEPTH = 4
_ORDER_PARTS = frozenset(
    {"products", "lines", "orderdate", "orderstatus", "ordercurrency", "orderstore", "shippingvalue", "vouchervalue",
     "grandtotalvalue", "grandtotal", "ordertotal", "totals", "billingemail", "deliverycountry", "billingaddress",
     "shippingaddress", "invoiceaddress", "deliveryaddress"}
)  # fmt: skip
_ENOUGH_PARTS = 2
_MORE = frozenset(
    {"hasnextpage", "hasmore", "hasnext", "morepages", "next", "nextpage", "nextpageurl", "nextlink", "nexturl",
     "nextcursor", "nextpagetoken", "@odata.nextlink"}
)  # fmt: skip
_UNSET = frozenset({"", "0", "no", "false", "null", "none"})
_UNDECIDED = 1000
"""So many objects of a list are held until the object around them shows whether it is an order itself."""


def read_json(path: Path, facts: TextFacts, is_header: HeaderTest) -> Records:
    """The order objects of a JSON file, as a stream.

    Raises InputError while reading where it is no JSON, or the wrapper of another tool.
    """
    stream, raw = open_text(path, facts)
    finder = _Finder(path, is_header)
    return _records(path, "json", facts, _json_orders(path, facts, stream, finder), stream, raw, finder)


def read_ndjson(path: Path, facts: TextFacts, is_header: HeaderTest) -> Records:
    """The order objects of a file with one value a line; the number of an object is its line."""
    stream, raw = open_text(path, facts)
    finder = _Finder(path, is_header)
    return _records(path, "ndjson", facts, _lines(path, facts, stream, finder), stream, raw, finder)


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
    finder: _Finder,
) -> Records:
    if facts.has_damage:
        records = ((number, _damaged(record)) for number, record in records)
    finder.notices.extend(facts.notices)
    return Records(
        path=path,
        format=format_,
        size=facts.size,
        sha256=facts.sha256,
        records=records,
        dialect=Dialect(facts.encoding, facts.bom, "", '"', facts.newline),
        notices=finder.notices,
        position=lambda: 0 if raw.closed else raw.tell(),
        close=closer(stream, raw),
    )


def _damaged(value: Any) -> Any:
    """The object, with every text in which bytes of the file are no character as a cell that can't be read."""
    if isinstance(value, dict):
        return {key: _damaged(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_damaged(part) for part in value]
    return f"{BROKEN}{plain(value)}" if isinstance(value, str) and REPLACEMENT in value else value


def _lines(
    path: Path, facts: TextFacts, stream: io.TextIOWrapper, finder: _Finder
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST and not line.endswith("\n"):
            while (rest := stream.readline(LONGEST)) and not rest.endswith("\n"):
                pass
            yield number, f"Line {number} is longer than {LONGEST:,} characters."
            continue
        if not line.strip():
            continue
        try:
            value = DECODER.decode(line.strip())
        except ValueError as error:
            yield number, f"Line {number} is no JSON: {error}."
            continue
        except RecursionError:
            yield number, f"Line {number} is nested too deeply."
            continue
        for item in finder.search(value, ""):
            yield number, cells(item)
    _unchanged(path, facts)
    _compare(path, "lines", facts.lines, number)


def _json_orders(
    path: Path, facts: TextFacts, stream: io.TextIOBase, finder: _Finder
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    text = JsonText(stream)
    try:
        yield from enumerate(map(cells, finder.objects(text)), 1)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no complete JSON: {error}.",
            place=str(path),
            hint="Export the orders again; the file may be cut short.",
        ) from error
    _unchanged(path, facts)
    if text.braces != text.objects:
        # Some braces stand in texts, or an object was lost.
        again, raw = open_text(path, facts)
        with closing(again), raw:
            _compare(path, "objects", count_objects(again), text.objects)


class _Finder:
    """Finds the order objects in JSON text: whatever lists, objects and envelopes they stand in.

    An object is an order where it names an order number, or is made of an order's parts: one whose number is missing is
    reported, never passed over. `notices` tells, once the text is read, in which part of
    an envelope orders were found, and which lists beside them were not read.
    """

    def __init__(self, path: Path, is_header: HeaderTest) -> None:
        self._path = path
        self._is_header = is_header
        self._known: dict[tuple[str, ...], bool] = {}
        self._told: set[str] = set()
        self.notices: list[str] = []

    def is_order(self, value: Any) -> bool:
        """Whether the value is an object that names an order number."""
        return isinstance(value, dict) and self._names_order(tuple(value))

    def objects(self, text: JsonText) -> Iterator[Any]:
        """Order objects of all top-level values; what holds none is given as it is, for its fault to be told."""
        while (start := text.peek()) != "":
            if start == "[":
                for value in _values(text):
                    yield from self.search(value, "")
            elif start == "{":
                own, found = yield from self._members(text, "", 0)
                if not found:
                    yield own
            else:
                yield text.value()

    def search(self, value: Any, path: str, depth: int = 0) -> Iterator[Any]:
        """Order objects in a value that is read already; the value itself where it holds none."""
        value = node_of(value)
        if self.is_order(value) or not isinstance(value, dict | list):
            yield value
        elif isinstance(value, list):
            for part in value:
                yield from self.search(part, path, depth)
        else:
            refuse_wrapper(self._path, value)
            if not (yield from self._inside(value, path, depth)):
                yield value

    def _inside(self, envelope: dict[str, Any], path: str, depth: int) -> Generator[Any, None, bool]:
        """Orders inside an object that is none. Gives whether there were any."""
        if self._is_numbered(envelope):
            self._tell(path)
            yield from ({NUMBERED: key, **part} for key, part in envelope.items())
            return True
        parts = [key for key, part in envelope.items() if self._holds_orders(part, depth)]
        for key in parts:
            self._tell(path if len(parts) > 1 and is_keyed(parts) else join_path(path, key))
            yield from self.search(envelope[key], join_path(path, key), depth + 1)
        if parts:
            self._tell_beside({key: part for key, part in envelope.items() if key not in parts}, path, depth)
        return bool(parts) or envelope.get(ENVELOPE) == []

    def _tell_beside(self, envelope: dict[str, Any], path: str, depth: int) -> None:
        """Names the lists of an envelope that hold no orders, and what says that the file is one page of several."""
        for key, part in envelope.items():
            if key.casefold().replace("_", "") in _MORE and _is_set(part):
                self._tell_more(join_path(path, key))
            elif isinstance(part, list) and part:
                self._pass_over(join_path(path, key), len(part))
            elif isinstance(part, dict) and depth < _ENVELOPE_DEPTH:
                self._tell_beside(part, join_path(path, key), depth + 1)

    def _is_numbered(self, envelope: dict[str, Any]) -> bool:
        """Whether the object holds orders of unknown names under their numbers: alike, with parts, none with a number."""
        return (
            bool(envelope)
            and all(isinstance(part, dict) and len(part) >= _LEAST_PARTS for part in envelope.values())
            and all(map(_ORDER_KEY.fullmatch, envelope))
            and not any(self.is_order(part) for part in envelope.values())
            and all(any(isinstance(one, list) for one in part.values()) for part in envelope.values())
        )

    def _holds_orders(self, value: Any, depth: int) -> bool:
        value = node_of(value)
        if self.is_order(value) or (isinstance(value, dict) and self._is_numbered(value)):
            return True
        if depth >= _ENVELOPE_DEPTH:
            return False
        parts = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        return any(self._holds_orders(part, depth + 1) for part in parts if isinstance(part, dict | list))

    def _members(self, text: JsonText, path: str, depth: int) -> Generator[Any, None, tuple[dict[str, Any], bool]]:
        """Orders in the object that begins here. Gives the object without them, and whether any were found.

        Whether the object is an order itself may show only at its end: until then what it holds is kept back.
        """
        text.take("{")
        pairs: list[tuple[str, Any]] = []
        found = False
        if text.peek() == "}":
            text.take("}")
            return {}, False
        while True:
            if text.peek() != '"':
                what = LOOSE_COMMA if text.peek() == "}" else "a name is expected"
                raise ValueError(f"{what} at {text.where}")
            key = text.value()
            text.take(":")
            start, inner = text.peek(), join_path(path, key)
            is_open = start in ("[", "{") and not self._names_order(tuple(name for name, _ in pairs))
            if is_open and start == "[":
                found = (yield from self._list(text, key, inner, pairs)) or found
            elif is_open and depth < _ENVELOPE_DEPTH:
                own, has = yield from self._members(text, inner, depth + 1)
                found = found or has
                pairs.append((key, own))
            else:
                pairs.append((key, text.value()))
            if len(pairs) > _UNDECIDED and self.is_order(pairs[-1][1]):
                # Orders keyed by their numbers: no order has a thousand parts.
                self._tell(path)
                yield from (part for _, part in pairs if self.is_order(part))
                found, pairs = True, [pair for pair in pairs if not self.is_order(pair[1])]
            if text.take(",}") == "}":
                break
        own = unite(pairs) if pairs else {}
        if depth == 0 and not self.is_order(own):
            refuse_wrapper(self._path, own)
            if (yield from self._inside(own, path, depth)):
                found = True
            elif found:
                self._tell_beside(own, path, depth)
        return own, found

    def _list(self, text: JsonText, key: str, path: str, pairs: list[tuple[str, Any]]) -> Generator[Any, None, bool]:
        """A list, kept back unless its name or its length says that it can be no part of an order."""
        values = _values(text)
        kept: list[Any] = []
        if key.casefold() != ENVELOPE:
            for value in values:
                kept.append(value)
                if len(kept) == _UNDECIDED and all(self.is_order(node_of(one)) for one in kept):
                    break
            else:
                pairs.append((key, kept))
                return False
        self._tell(path)
        for value in chain(kept, values):
            yield from self.search(value, path)
        return True

    def _names_order(self, keys: tuple[str, ...]) -> bool:
        known = self._known.get(keys)
        if known is None:
            if len(self._known) > _UNDECIDED:
                self._known.clear()
            known = self._is_header(keys) or len(_ORDER_PARTS.intersection(map(str.casefold, keys))) >= _ENOUGH_PARTS
            self._known[keys] = known
        return known

    def _tell(self, path: str) -> None:
        if path and path.casefold() != ENVELOPE and path not in self._told:
            self._told.add(path)
            self.notices.append(f"{self._path}: the orders were found in {path}.")

    def _tell_more(self, path: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self.notices.append(
                f"{self._path}: {path} says that more orders follow on another page; give its file as well."
            )

    def _pass_over(self, path: str, count: int) -> None:
        if path not in self._told:
            self._told.add(path)
            self.notices.append(
                f"{self._path}: the list {path} ({count:,} elements) beside the orders holds no orders and was not read."
            )


def _is_set(value: Any) -> bool:
    """Whether a flag or link of an envelope says something."""
    return value is True or (isinstance(value, str) and plain(value).strip().casefold() not in _UNSET)


def join_path(path: str, key: str) -> str:
    """Dotted name of a member."""
    return f"{path}.{key}" if path else key


def is_keyed(names: Sequence[str]) -> bool:
    """Whether the names of an object's members are numbers: PHP writes lists with gaps so."""
    return all(name.strip().isdigit() for name in names)


def node_of(value: Any) -> Any:
    """The node of an edge of a GraphQL connection; any other value itself."""
    if isinstance(value, dict) and "node" in value and isinstance(value["node"], dict) and len(value) <= 3:
        return value["node"]
    return value


def _values(text: JsonText) -> Iterator[Any]:
    """The elements of the list that begins here."""
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


def _unchanged(path: Path, facts: TextFacts) -> None:
    if stamp(path) != facts.stamp:
        raise InputError(f"{path} changed while it was read.", place=str(path), hint="Start again.")


def _compare(path: Path, what: str, held: int, read: int) -> None:
    """Raises InternalError where a second count of the file finds others than were read."""
    if held != read:
        raise InternalError(f"{path} holds {held:,} {what}, and {read:,} of them were read.", place=str(path))
