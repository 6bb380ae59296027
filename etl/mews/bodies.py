"""JSON of answers: amounts are Decimal, never a float. Requests are written in `model/payload.py`."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character, which JSON may name and no file, database or terminal takes."""
_MAY_HOLD_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def load(content: bytes) -> Any:
    """The JSON value of `content`, fractions as Decimal. Raises ValueError where it is none, or only a part.

    Halves of characters (an emoji that was cut in two) become U+FFFD, so that whatever Mews says can be stored and shown.
    """
    try:
        value = _DECODER.decode(content.decode("utf-8-sig"))
        return _whole(value) if _MAY_HOLD_HALF.search(content) else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return value
