"""JSON that other tools wrap around records: refused by its own name, with the way to what is inside.

A wrapper that was read as if it were the export would post deleted and superseded versions of orders.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl.errors import InputError
from etl.model.export import plain

_SINGER = frozenset({"RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH"})
_AIRBYTE = frozenset({"RECORD", "STATE", "LOG", "TRACE", "CATALOG", "SPEC", "CONNECTION_STATUS", "CONTROL"})
_DYNAMO_TYPES = frozenset({"S", "N", "BOOL", "NULL", "L", "M", "SS", "NS", "B"})


def _is_airbyte(value: dict[str, Any]) -> bool:
    record = value.get("record")
    if "_airbyte_data" in value:
        return True
    if value.get("type") not in _AIRBYTE:
        return False
    return (isinstance(record, dict) and "data" in record) or any(
        isinstance(value.get(name), dict) for name in ("log", "trace", "catalog", "spec", "connectionStatus", "control")
    )


def _is_singer(value: dict[str, Any]) -> bool:
    return value.get("type") in _SINGER and ("stream" in value or "value" in value)


def _is_debezium(value: dict[str, Any]) -> bool:
    inner = value.get("payload")
    return {"before", "after", "op"} <= (inner.keys() if isinstance(inner, dict) else value.keys())


def _is_dynamo(value: dict[str, Any]) -> bool:
    item = value.get("Item")
    return (
        isinstance(item, dict)
        and bool(item)
        and all(isinstance(part, dict) and len(part) == 1 and part.keys() <= _DYNAMO_TYPES for part in item.values())
    )


def _is_archive(value: dict[str, Any]) -> bool:
    log = value.get("log")
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


_WRAPPERS: tuple[tuple[Callable[[dict[str, Any]], bool], str, str], ...] = (
    (_is_airbyte, "messages of Airbyte", "Export the data itself: of each RECORD message the part record.data, one a line."),
    (_is_singer, "messages of a Singer tap", "Export the data itself: of each RECORD message the part record, one a line."),
    (_is_debezium, "change events of Debezium", "Export the table's present rows instead of its changes."),
    (_is_dynamo, "a DynamoDB export with typed values", "Convert it to plain JSON, one order a line."),
    (_is_archive, "an HTTP archive of a browser", "Save the answer with the orders instead of the whole archive."),
)  # fmt: skip


def refuse_wrapper(path: Path, value: dict[str, Any]) -> None:
    """Raises InputError where an object that is no order is the wrapper of another tool, or an answer that failed."""
    for holds, what, way_out in _WRAPPERS:
        if holds(value):
            raise InputError(f"{path} holds {what}, no orders.", code="input.wrapped", place=str(path), hint=way_out)
    errors = value.get("errors")
    if isinstance(errors, list) and errors and not value.get("data"):
        message = errors[0].get("message", "") if isinstance(errors[0], dict) else errors[0]
        raise InputError(
            f"{path} is a GraphQL answer that failed: {plain(str(message))[:200]}",
            code="input.wrapped",
            place=str(path),
            hint="Repeat the query, and save an answer with data.",
        )
