"""Idempotency keys (ExternalIdentifier, marker in Notes) and content hashes.

Rule: design section 5. The recipe has a version that is stored with every attempt.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from etl.model.quick import quick

RECIPE_VERSION = 1
"""Version of the canonical line order and of the hashes below."""

IDENTIFIER_LIMIT = 255
"""Longest ExternalIdentifier that Mews stores."""

RETURN_MARK = "-R"
"""Stands between the number of an order and that of a return nested in it."""
_NUMBER = rf"[0-9]+(?:{RETURN_MARK}[A-Za-z0-9_.-]+?)?"
_STEM = rf"centra:(?P<store>[a-z0-9-]{{1,32}}):(?P<number>{_NUMBER})(?:~(?P<generation>[0-9]+))?(?P<undo>:undo)?"
_IDENTIFIER = re.compile(rf"{_STEM}:(?P<line>[^:\s]+)")
_MARKER = re.compile(rf"\[{_STEM}\]")


def split_number(number: str) -> tuple[str, str]:
    """Number of the order, and of the return nested in it that is meant; "" where the order itself is meant."""
    head, _, tail = number.partition(RETURN_MARK)
    return head, tail


def return_number(order: str, identifier: str) -> str:
    """The number of a return nested in an order."""
    return f"{order}{RETURN_MARK}{identifier}"


@quick
@dataclass(frozen=True, slots=True)
class Identity:
    """One posting of one order: what its items carry so that it can be recognised in Mews."""

    store: str
    number: str
    generation: int = 1
    is_undo: bool = False

    @property
    def stem(self) -> str:
        """`centra:uk:536365`, `centra:uk:536365~2` or `centra:uk:536365:undo`."""
        generation = f"~{self.generation}" if self.generation > 1 else ""
        undo = ":undo" if self.is_undo else ""
        return f"centra:{self.store}:{self.number}{generation}{undo}"

    @property
    def marker(self) -> str:
        """The marker that Notes start with."""
        return f"[{self.stem}]"

    def line(self, line: str) -> str:
        """The ExternalIdentifier of one line or payment part, such as `p3.1` or `gift1`."""
        return f"{self.stem}:{line}"


@lru_cache(maxsize=4096)
def parse_identifier(text: str | None) -> tuple[Identity, str] | None:
    """Identity and line of an ExternalIdentifier of ours, whatever the store; None for other people's.

    Remembered for a few pages of Mews, like `parse_marker`: whoever looks at a page asks several times.
    """
    match = _IDENTIFIER.fullmatch(text or "")
    if match is None:
        return None
    return _identity(match), match["line"]


@lru_cache(maxsize=4096)
def parse_marker(notes: str | None) -> Identity | None:
    """Identity of the first marker of ours in `notes`; None where there is none."""
    match = _MARKER.search(notes or "")
    return None if match is None else _identity(match)


def parse_stem(text: str) -> Identity | None:
    """Identity of a whole `Identity.stem`; None for anything else."""
    match = re.fullmatch(_STEM, text)
    return None if match is None else _identity(match)


def _identity(match: re.Match[str]) -> Identity:
    return Identity(match["store"], match["number"], int(match["generation"] or 1), match["undo"] is not None)


def content_hash(value: object) -> str:
    """`sha256:` and the hash of canonical JSON: named fields, fixed order, Decimals normalised as text."""
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def canonical_json(value: object) -> bytes:
    """JSON that is equal for equal content: sorted names, no blanks, Decimals as text without trailing zeros."""
    return _CANONICAL.encode(value).encode()


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return str(value)


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False, default=_text
)
