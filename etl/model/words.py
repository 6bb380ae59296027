"""Numbers in sentences. Pure."""

from __future__ import annotations

import re

_EITHER = re.compile(r"(\w+)\|(\w+)")


def counted(count: int, words: str) -> str:
    """`order|orders is|are blocked` as `1 order is blocked` or `1,200 orders are blocked`."""
    which = r"\1" if count == 1 else r"\2"
    return f"{count:,} {_EITHER.sub(which, words)}"
