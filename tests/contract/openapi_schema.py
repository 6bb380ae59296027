"""The OpenAPI description as JSON Schema validators, for whatever is sent to Mews or answered by the sandbox.

OpenAPI 3.0 is not JSON Schema: `nullable` becomes a choice with null, here also beside `$ref`, `allOf` and
`enum`. Formats that matter (uuid, date-time, date) are checked.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared" / "openapi" / "mews-connector.yml"
PREFIX = "/api/connector/v1/"

_FORMATS = jsonschema.FormatChecker(formats=())
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@_FORMATS.checks("uuid")
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or _UUID.fullmatch(value) is not None


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


@cache
def _description() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(DESCRIPTION.read_text("utf-8"), Loader=loader)


@cache
def _definitions() -> dict[str, Any]:
    return {name: _adapted(schema) for name, schema in _description()["components"]["schemas"].items()}


def _adapted(schema: Any) -> Any:
    """The JSON Schema of an OpenAPI 3.0 schema."""
    if isinstance(schema, list):
        return [_adapted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref'].rpartition('/')[2]}"}
    kept = {
        key: {name: _adapted(each) for name, each in value.items()} if key == "properties" else _adapted(value)
        for key, value in schema.items()
        if key not in {"nullable", "description", "title", "example", "discriminator", "deprecated", "xml"}
        and not key.startswith("x-")
    }
    if "allOf" in kept and "type" in kept and kept["type"] == "object":
        del kept["type"]
    return {"anyOf": [{"type": "null"}, kept]} if schema.get("nullable") else kept


def operations() -> list[str]:
    """The operations of the description, such as `orders/add`."""
    return [path.removeprefix(PREFIX) for path in _description()["paths"]]


def _validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**_adapted(schema), "$defs": _definitions()}, format_checker=_FORMATS)


def _operation(path: str) -> dict[str, Any]:
    return _description()["paths"][PREFIX + path.removeprefix(PREFIX)]["post"]


@cache
def request_validator(path: str) -> jsonschema.Draft202012Validator:
    """The validator of the request body of an operation (`orders/add`, with or without the address before it)."""
    return _validator(_operation(path)["requestBody"]["content"]["application/json"]["schema"])


@cache
def response_validator(path: str, status: int = 200) -> jsonschema.Draft202012Validator:
    """The validator of an answer; all errors look like the one that the description names."""
    responses = _operation(path)["responses"]
    described = responses["200" if status == 200 else "400"]
    return _validator(described["content"]["application/json"]["schema"])


def example_request(path: str) -> dict[str, Any]:
    """The description's own example of a request, as JSON has it (times as text)."""
    example = _operation(path)["requestBody"]["content"]["application/json"]["example"]
    return json.loads(json.dumps(example, default=str))


def faults(validator: jsonschema.Draft202012Validator, value: Any) -> list[str]:
    """What is wrong with the value, one line a fault; Decimals count as numbers if parsed as such."""
    return [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in validator.iter_errors(value)]
