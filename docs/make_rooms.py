"""Writes imports and lines of each room into the table of architecture.md, from the architecture test and the code.

python docs/make_rooms.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "architecture.md"
ROW = re.compile(r"^\| `(\w+)/` \| ([^|]+) \| ([^|]+) \| (\d+) \|$", re.MULTILINE)


def lines_of(room: str) -> int:
    """Lines of a room, to the hundred."""
    count = sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "etl" / room).rglob("*.py"))
    return round(count, -2)


def imports_of(room: str) -> str:
    """What the architecture test allows the room."""
    sys.path.insert(0, str(ROOT / "tests" / "unit"))
    import test_architecture as rules

    allowed = rules.MAY_IMPORT[room] | {other for one, other in rules.ALLOWED_BESIDES if one == room}
    return ", ".join(sorted(name.removeprefix("etl.") for name in allowed))


def main() -> None:
    """Writes the page again."""
    page = PAGE.read_text("utf-8")
    row = r"| `{}/` | {} | {} | {} |"
    PAGE.write_text(ROW.sub(lambda m: row.format(m[1], m[2], imports_of(m[1]), lines_of(m[1])), page), encoding="utf-8")


if __name__ == "__main__":
    main()
