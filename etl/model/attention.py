"""What attention.csv adds to the user's own rows, and how it is read again. Pure.

Rule: design sections 7.1 (corrections) and 8. The columns carry no data of an order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from etl.model.export import REPLACEMENT

PREFIX = "centra_mews"
PROBLEM, HINT, MET, STYLE, WRITTEN, DAMAGED = (
    f"{PREFIX}_{name}" for name in ("problem", "hint", "met", "style", "written", "damaged")
)
"""Extra columns (JSON: members). MET: each order's hash as it was met, STYLE: how the export writes numbers and dates,
WRITTEN: when the report was written, so that of two reports' rows of an order the newer ones count. DAMAGED: the cells of the
row (texts of the object) in which bytes of the export are no character, since no encoding can write these again."""

COLUMNS = (PROBLEM, HINT, MET, STYLE, WRITTEN, DAMAGED)

_RISKY = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]\s?[€£$¥]?\s?\d[\d.,'’\s]*(?:[eE][+-]?\d+)?\s?(?:%|[A-Z]{3}|[€£$¥])?", re.ASCII)


def runs_as_formula(text: str) -> bool:
    """Whether a spreadsheet would run the text; numbers stay numbers.

    Rule: design section 7.9, and OWASP's list of leading characters.
    """
    if not text:
        return False
    first = text[0]
    if first not in _RISKY and not (first.isspace() and text.lstrip()[:1] in _RISKY):
        return False
    return not _NUMBER.fullmatch(text.replace("\xa0", " ").replace("\u202f", " ").strip(" "))


def quoted(text: str) -> str:
    """A cell of the user's as attention.csv shows it: with an apostrophe where a spreadsheet would run it."""
    return "'" + text if _needs_quote(text) else text


def unquoted(text: str) -> str:
    """The user's cell again. Shape: `unquoted(quoted(text)) == text` for every text."""
    return text[1:] if text[:1] == "'" and _needs_quote(text[1:]) else text


def _needs_quote(text: str) -> bool:
    # An apostrophe of the user's own before such a text gets another one, or it would be taken for ours.
    return runs_as_formula(text.lstrip("'"))


def damaged_text(cells: Iterable[str]) -> str:
    """The DAMAGED cell of a row: its damaged cells as JSON in ASCII, "" where there are none."""
    found = [cell for cell in cells if REPLACEMENT in cell]
    return json.dumps(found) if found else ""


def damaged_cells(cell: str) -> dict[str, str]:
    """What the damaged cells of a row look like in attention.csv -> what they are; empty for whatever somebody typed there."""
    try:
        found = json.loads(cell) if cell.strip() else []
    except ValueError:
        return {}
    return {as_written(one): one for one in found if isinstance(one, str)} if isinstance(found, list) else {}


def as_written(text: str) -> str:
    """A text as an encoding writes it that has no character for what is damaged."""
    return text.replace(REPLACEMENT, "?")


def met_text(versions: Mapping[str, Iterable[str]]) -> str:
    """The MET cell of an order: number (and those of its nested returns) to the hashes that it was met as."""
    return " ".join(f"{number}={version}" for number, found in versions.items() for version in found)


def met_versions(cells: Iterable[str]) -> dict[str, list[str]]:
    """What MET cells tell: number to hashes, each once; what somebody typed there is left out."""
    found: dict[str, list[str]] = {}
    for word in dict.fromkeys(word for cell in cells for word in cell.split()):
        number, equals, version = word.partition("=")
        if equals and ":" in version:
            found.setdefault(number, []).append(version)
    return found
