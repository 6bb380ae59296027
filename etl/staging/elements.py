"""Lists of JSON in whatever shape programs give them: a list, a connection, an object that numbers its elements."""

from __future__ import annotations

from typing import Any

from etl.reading.json_file import node_of

_CONNECTION = frozenset({"edges", "nodes", "pageInfo", "totalCount", "__typename"})


def elements(value: Any) -> list[Any]:
    """The elements of a list, a GraphQL connection, or an object that numbers its elements; empty for nothing."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in ("edges", "nodes"):
            if isinstance(value.get(name), list) and _CONNECTION.issuperset(value):
                return list(map(node_of, value[name]))
        parts = list(value.values())
        if len(parts) == 1 and isinstance(parts[0], list):
            # What converters of XML make of repeated elements.
            return parts[0]
        return parts if all(isinstance(part, dict) for part in parts) else [value]
    return [] if value in (None, "") else [value]


def is_listed(value: Any) -> bool:
    """Whether a value is a list, or a connection that holds one."""
    return isinstance(value, list) or (
        isinstance(value, dict)
        and bool(value)
        and _CONNECTION.issuperset(value)
        and ("edges" in value or "nodes" in value)
    )
