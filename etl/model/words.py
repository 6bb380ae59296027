"""Numbers and moments in sentences. Pure."""

from __future__ import annotations

import re

_EITHER = re.compile(r"(\w+)\|(\w+)")


def counted(count: int, words: str) -> str:
    """`order|orders is|are blocked` as `1 order is blocked` or `1,200 orders are blocked`."""
    which = r"\1" if count == 1 else r"\2"
    return f"{count:,} {_EITHER.sub(which, words)}"


def moment_words(stamp: str) -> str:
    """`2024-05-01T10:00:00.123456Z` (ISO, UTC) as people write it: `2024-05-01 10:00:00 UTC`."""
    return f"{stamp[:19].replace('T', ' ')} UTC"
